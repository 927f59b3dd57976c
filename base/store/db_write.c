/* SPDX-License-Identifier: Apache-2.0 */
/* The writers: threads that drain bounded queues of closures in groups. Which thread has
 * a closure is decided in db.c; what a group is, in sqlite_group.c and pg_group.c. */
#include "base/store/db_private.h"

#include <stdlib.h>

enum { QUEUE_MAX = 4096, STACK_BYTES = 1 << 20 };

/* Waits for closures. 0 when there are none and none will come. */
static int take_group(struct db_writer *writer)
{
    int count = 0;

    lock_take(&writer->lock);
    while (writer->first == NULL && !writer->stopping)
        (void)lock_wait(&writer->lock, INT64_MAX);
    while (writer->first != NULL && count < writer->group_max) {
        struct db_call *call = writer->first;
        writer->first = call->next;
        writer->group[count++] = call;
    }
    if (writer->first == NULL)
        writer->last = &writer->first;
    writer->queued -= count;
    lock_drop(&writer->lock);
    return count;
}

static void *writer_main(void *ctx)
{
    struct db_writer *writer = ctx;
    const struct db_engine *engine = writer->conn->engine;

    for (int count; (count = take_group(writer)) > 0;) {
        engine->run_group(writer, writer->group, count);
        for (int i = 0; i < count; i++)
            db_waiter_wake(writer->group[i]->waiter);
        if (engine->after_group != NULL)
            engine->after_group(writer);
    }
    if (engine->writer_end != NULL)
        engine->writer_end(writer);
    return NULL;
}

static void writer_free(struct db_writer *writer)
{
    db_conn_close(&writer->conn);
    lock_fini(&writer->lock);
    free(writer->group);
    free(writer);
}

FALLIBLE db_writer_start(const struct db_options *options, struct db_conn **conn,
                         struct db_writer **ret_writer, struct err *err)
{
    struct db_writer *writer = calloc(1, sizeof(*writer));

    if (writer == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for a writer");
    lock_init(&writer->lock);
    writer->last = &writer->first;
    writer->queue_max = options->queue_max > 0 ? options->queue_max : QUEUE_MAX;
    writer->group_max = (*conn)->engine->group_max;
    if (options->group_max > 0 && options->group_max < writer->group_max)
        writer->group_max = options->group_max;
    writer->busy_us = options->busy_us;
    writer->group = calloc((size_t)writer->group_max, sizeof(struct db_call *));
    if (writer->group == NULL) {
        writer_free(writer);
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for a writer");
    }
    writer->conn = *conn;
    *conn = NULL;
    enum err_code code =
        lock_thread(&writer->thread, "db-writer", STACK_BYTES, writer_main, writer, err);
    if (code != ERR_OK) {
        writer_free(writer);
        return code;
    }
    *ret_writer = writer;
    return ERR_OK;
}

void db_writer_stop(struct db_writer **writer_ref)
{
    struct db_writer *writer = *writer_ref;

    if (writer == NULL)
        return;
    *writer_ref = NULL;
    lock_take(&writer->lock);
    writer->stopping = true;
    lock_signal(&writer->lock);
    lock_drop(&writer->lock);
    (void)pthread_join(writer->thread, NULL);
    writer_free(writer);
}

bool db_writer_put(struct db_writer *writer, struct db_call *call)
{
    lock_take(&writer->lock);
    bool full = writer->queued >= writer->queue_max || writer->stopping;
    if (!full) {
        if (writer->first == NULL)
            lock_signal(&writer->lock);
        *writer->last = call;
        writer->last = &call->next;
        writer->queued++;
    }
    lock_drop(&writer->lock);
    return !full;
}
