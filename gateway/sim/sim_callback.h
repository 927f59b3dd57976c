/* SPDX-License-Identifier: Apache-2.0 */
/* Callbacks and the little HTTP client that they share with the fetching of
 * input media. The schedule, the queue and the counters stand behind sim.lock. */
#ifndef ARKGATE_GATEWAY_SIM_CALLBACK_H
#define ARKGATE_GATEWAY_SIM_CALLBACK_H

#include "base/base.h"

enum {
    SIM_CALLBACK_SENDERS = 8,
    SIM_CALLBACK_QUEUE = 10000, /* bodies of about a kilobyte; then the schedule waits */
    SIM_CALLBACK_URL = 2048     /* bytes of a callback_url */
};

struct sim;
struct sim_task;
struct sim_callback_job;

/* The next change of one task. */
struct sim_callback_event {
    int64_t due_us; /* the simulator's clock */
    struct sim_task *task;
};

struct sim_callback_list {
    struct sim_callback_job *first, *last;
};

struct sim_callbacks {
    struct sim_callback_event *events; /* a heap, the earliest first */
    size_t event_count, event_cap;
    struct sim_callback_list ready;    /* to be sent now */
    struct sim_callback_list repeated; /* in the order in which they are due again */
    size_t waiting;                    /* in both lists and being sent */
    int64_t repeat_ms;
    char host[64], port[8]; /* where every callback goes; "": where its link says */
    bool stopping;
    pthread_t threads[1 + SIM_CALLBACK_SENDERS]; /* the first keeps the schedule */
    int thread_count;
    int64_t sent, delivered, failed, undelivered;
};

/* sim_callback.c: the schedule -------------------------------------------- */

/* Starts the threads. The target may be NULL: loopback links only. */
FALLIBLE sim_callback_start(struct sim *sim, const char *target, struct err *err);
/* Ends deliveries under way and joins the threads; what waits is forgotten. No
 * request may run any more. */
void sim_callback_stop(struct sim *sim);
/* Sets where callbacks go, or "" for where their links say; false: not a plain
 * http link to a loopback address without a path. */
bool sim_callback_target(struct sim *sim, struct str url);
/* A new task: its first callback is due now. False when memory is out. The lock
 * is held. */
bool sim_callback_add_locked(struct sim *sim, struct sim_task *task);
/* Reports the task as it stands, when that is news. The lock is held. */
void sim_callback_notice_locked(struct sim *sim, struct sim_task *task, int64_t at_us);

/* sim_deliver.c: the senders ------------------------------------------------ */

/* Queues one POST of that body to the task's link, as the target says. Takes
 * the body's bytes. The lock is held. */
void sim_deliver_locked(struct sim *sim, const struct sim_task *task, bool repeat,
                        struct buf *body);
/* A sender's thread: until callbacks.stopping. */
void *sim_deliver_main(void *sim);
/* Forgets what waits, when no sender runs. */
void sim_deliver_free(struct sim *sim);

/* sim_link.c: HTTP over a socket, to loopback only ---------------------------- */

struct sim_link {
    bool https;
    char host[256];  /* without brackets */
    char port[8];    /* the scheme's own when the link has none */
    struct str name; /* host and port as written */
    struct str path; /* with the query, without the fragment; "" for the root */
};

/* Splits a link; false unless it is http(s) without white space. Borrows url. */
bool sim_link_parse(struct str url, struct sim_link *ret_link);
/* 127.x, localhost or ::1. */
bool sim_link_is_local(const struct sim_link *link);
/* Sends a request to a loopback link and reads the answer to its end, or until
 * the answer is full. False when there was none before the (monotonic) deadline
 * or the simulator stops; what came is in the answer all the same. */
bool sim_link_ask(struct sim *sim, const struct sim_link *link, struct str request,
                  struct buf *answer, int64_t deadline_us);

#endif
