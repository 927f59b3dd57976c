/* SPDX-License-Identifier: Apache-2.0 */
/* The job behind an asset: fetch the file, judge it, keep it, and say what became of it.
 * Threads of its own, one file at a time each; rows of the database say what is to be done,
 * so that a crash loses nothing and several gateways share the work. */
#ifndef ARKGATE_ASSETLIB_INGEST_H
#define ARKGATE_ASSETLIB_INGEST_H

#include "assetlib/assetlib.h"
#include "assetlib/blob.h"
#include "assetlib/media.h"
#include "base/net/net.h"

enum { INGEST_WORKERS_MAX = 64 };

struct ingest_settings {
    int64_t workers;  /* files at a time; 0: other gateways fetch */
    int64_t fetch_us; /* of one download, redirects included */
    int64_t retry_us; /* before the second try, four times as long before the third */
    int64_t tries;    /* downloads, before the asset fails */
    int64_t look_us;  /* between two looks for files that others left; also for retries */
    int64_t sweep_us; /* between two walks for bytes that no asset refers to */
    int64_t keep_us;  /* younger ones stay: who commits an asset does so soon after its bytes */
};

struct ingest_options {
    struct asset_library *library;
    struct blob_store *blobs;
    struct net *net;        /* for these downloads alone: writing to disk holds its loop up */
    struct net_guard guard; /* its rule's owner is set for each */
    struct media_options media;
    struct ingest_settings settings;
};

struct ingest; /* thread-safe */

/* ingest.c ------------------------------------------------------------- */

/* Takes over what a process that was killed left, unless other processes may be at it. As long
 * as this machine cannot look at files safely, none is taken, and the log says so. */
FALLIBLE ingest_start(const struct ingest_options *options, struct ingest **ret_ingest,
                      struct err *err);
/* Something is due. */
void ingest_wake(struct ingest *ingest);
/* No new file is begun. Downloads that run end when the net is halted. */
void ingest_halt(struct ingest *ingest);
/* Waits for the threads. What was under way is given back. Accepts NULL in *ingest. */
void ingest_stop(struct ingest **ingest);

#endif
