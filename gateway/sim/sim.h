/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in Ark: an HTTP server that answers as Ark's video API does, with
 * its own clock, faults on request and real videos made by ffmpeg. Its tables
 * and rules are its own; it shares nothing with the gateway but base/, so the
 * two can disagree.
 *
 * Not imitated: the asset plane (an asset:// is known when a control route told of it),
 * content moderation,
 * audio tracks in the videos, watermarks, what a fixed camera changes, TLS,
 * running-task concurrency (any number runs at once), the choice of a ratio or a
 * length by the model (adaptive is 16:9, -1 is 5 s). Media links are fetched only
 * from loopback hosts over http; others count as fetched. Nobody has recorded, and
 * this Ark assumes: the sizes of 2.5 but 480p 16:9 (those of 2.0), the headers of
 * callbacks, the answers to an unknown draft or to a DELETE of a cancelled task,
 * where draft_task_id and tools stand in an answer.
 *
 * Beside the data plane under /api/v3 it serves /media/ (results) and, to
 * loopback clients without a key, the control routes:
 *   POST   /sim/faults  {"on":"create|get|list|delete","times":N,"do":{…}}; -1 for ever
 *   DELETE /sim/faults  forgets them all
 *   GET    /sim/state   counters
 *   GET    /sim/tasks   every task ever made, erased ones too
 *   POST   /sim/clock   {"advance_ms":N} moves the simulator's clock forward
 *   POST   /sim/callbacks {"deliver_to":"http://127.0.0.1:9001"} or null
 *   POST   /sim/assets  {"key":"…","id":"asset-…","type":"Video","duration_ms":N}: what an
 *                       account has in its library
 *
 * Callbacks: every state but cancelled is POSTed to callback_url as GET shows it
 * then, also when the clock jumps over it. Nothing but loopback is ever called:
 * deliver_to takes the place of the link's host, which stays in the Host header;
 * without it only http links to loopback are called, others are counted as
 * undelivered. Succeeded and failed are repeated up to three times when no 2xx
 * comes within 5 s, after 5 s divided by the speed, but at least 200 ms.
 * "do":{"code":"ServerOverloaded"} alone takes the status and the words of Ark's
 * own table of errors (sim_error.c).
 *
 * With a canary every error message, also that of a failed task, and the headers
 * of every answer carry the word as part of an account id, an endpoint id
 * (ep-WORD-…), a host (ark-WORD.internal.example) and a key. Links and codes do
 * not: what a gateway hands on must never hold the word.
 *
 * The same fault actions stand in a prompt as "[sim: key=value key=value]" and
 * then hold for that create and its task. sim_parts.h has the list. */
#ifndef ARKGATE_GATEWAY_SIM_H
#define ARKGATE_GATEWAY_SIM_H

#include "base/base.h"

struct sim;

struct sim_options {
    const char *listen;    /* "127.0.0.1:9000"; port 0 takes a free one */
    const char *api_key;   /* accepted keys, comma separated; each is an account of its own */
    int64_t speed;         /* times faster than real time; 1 when 0 */
    const char *media_dir; /* cache of videos, created when missing; NULL: a private
                              temporary folder, removed by sim_stop */
    int workers;           /* connections served at once; 128 when 0 */
    bool limits;           /* Ark's limits per account are on */
    int64_t create_rpm;    /* creates a minute when limits are on; 600 when 0 */
    int64_t seed;          /* of task ids and seeds; 0 takes fresh randomness */
    const char *canary; /* a word (a-z, 0-9, at most 32) in everything that an operator keeps to
                           himself; NULL: none */
    const char *callback_to; /* "http://127.0.0.1:9001": receives every callback; NULL: only
                                links that lead to loopback themselves are called */
};

/* sim.c ---------------------------------------------------------------- */

/* Listens and serves until sim_stop. ERR_CONFIG for a bad option, a missing
 * ffmpeg or ffprobe, or an address that cannot be bound. */
FALLIBLE sim_start(const struct sim_options *options, struct sim **ret_sim, struct err *err);
/* The port it listens on. */
int sim_port(const struct sim *sim);
/* Ends hanging answers, waits for running requests, frees all. Accepts NULL. */
void sim_stop(struct sim **sim);

#endif
