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
    pthread_t threads[INGEST_WORKERS_MAX];
    atomic_bool stopping;
    atomic_bool able;             /* files can be looked at; the first thread finds out */
    atomic_int_fast64_t swept_us; /* sys_mono_us of the last walk */
    struct lock lock;             /* guards what follows */
    int thread_count;             /* all of them, before the first picks */
    bool picking;                 /* a thread chooses its file: one at a time */
    int hints;                    /* files that are said to be due */
    int64_t running[INGEST_WORKERS_MAX]; /* whose files are worked on; 0: a thread is free */
};

/* ingest_file.c: one file, from its URL to its end. An error is of ours: the row is to be
 * given back. */
FALLIBLE ingest_file(struct ingest *ingest, const struct ingest_row *row, struct err *err);
/* How long who takes a row has it for himself. */
int64_t ingest_file_us(const struct ingest *ingest);

/* ingest_sweep.c: removes stored bytes that no asset refers to, and what old requests left. */
FALLIBLE ingest_sweep(struct ingest *ingest, struct err *err);

#endif
