/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the ingest job share. */
#ifndef ARKGATE_ASSETLIB_INGEST_PARTS_H
#define ARKGATE_ASSETLIB_INGEST_PARTS_H

#include "assetlib/ingest.h"
#include "assetlib/rows.h"

#include <stdatomic.h>

enum { INGEST_HOLDER_MAX = 32 };

struct ingest {
    struct ingest_options options;
    char holder[INGEST_HOLDER_MAX + 1];
    pthread_t threads[INGEST_WORKERS_MAX + 2];
    int thread_count, worker_count; /* those that run; those of them that fetch */
    atomic_bool stopping;
    atomic_bool able;                    /* files can be looked at */
    struct lock lock;                    /* guards what follows */
    bool picking;                        /* a worker chooses its file: one at a time */
    int hints;                           /* files that are said to be due */
    int64_t running[INGEST_WORKERS_MAX]; /* whose files are worked on; 0: a worker is free */
    int64_t looks_asked, looks_ended;    /* turns at looking at a file, since the start … */
    int64_t looks_max;                   /* … and how many have theirs at a time */
};

/* ingest.c -------------------------------------------------------------- */

/* Tenants that have their share of the workers. */
struct ingest_skip ingest_skip_now(struct ingest *ingest);
/* When the next file is due that a worker would take now; INT64_MAX also when nobody can
 * tell. */
int64_t ingest_next_us(struct ingest *ingest, const struct ingest_skip *skip);

/* ingest_watch.c: two threads that never fetch, so that no slow host holds them up -------- */

/* Wakes workers for what is due by time: retries, and what other gateways left. Tests whether
 * files can be looked at. */
void *ingest_watch_time(void *ingest);
/* Sweeps in time. */
void *ingest_watch_bytes(void *ingest);

/* ingest_file.c: one file, from its URL to its end. After an error the row is to be given back;
 * what was to blame is counted in it, unless it was we. */
FALLIBLE ingest_file(struct ingest *ingest, struct ingest_row *inout_row, struct err *err);
/* How long who takes a row has it for himself. */
int64_t ingest_file_us(const struct ingest *ingest);

/* ingest_sweep.c: removes stored bytes that no asset refers to, and what old requests left. */
FALLIBLE ingest_sweep(struct ingest *ingest, struct err *err);

#endif
