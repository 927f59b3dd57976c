/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: one thread drains a bounded queue of closures into transactions,
 * each closure in its own savepoint, one fsync for the group. It decides who is
 * run again when a group is lost and what a caller is told; it alone checkpoints. */
#include "base/store/db_private.h"

#include <stdlib.h>

enum {
    QUEUE_MAX = 4096,
    GROUP_MAX = 128,
    STACK_BYTES = 1 << 20,
    /* 16 MiB of pages: long enough to save fsyncs, short enough to recover fast. */
    CHECKPOINT_PAGES = 4096,
    /* A checkpoint waits this long for readers, as every caller waits with it. */
    CHECKPOINT_BUSY_US = 100 * 1000,
    COMMIT_TRIES = 10,
    COMMIT_PAUSE_US = 1000,
};

static int on_wal_commit(void *ctx, sqlite3 *sqlite, const char *name, int pages)
{
    struct db_writer *writer = ctx;

    (void)sqlite, (void)name;
    if (pages < writer->wal_pages) /* the log began again at its start */
        writer->checkpoint_at = CHECKPOINT_PAGES;
    writer->wal_pages = pages;
    writer->tainted = false;
    return SQLITE_OK;
}

/* The frame that makes a transaction valid is written last, then synced: an error
 * of a write, or before it, means that it is not in the file. */
static bool may_be_on_disk(int result)
{
    switch (result) {
    case SQLITE_FULL:
    case SQLITE_IOERR_WRITE:
    case SQLITE_PROTOCOL:
        return false;
    default:
        return (result & 0xff) != SQLITE_BUSY;
    }
}

/* Commits or leaves no transaction behind. */
static FALLIBLE commit(struct db_writer *writer, struct err *err)
{
    struct db_conn *conn = writer->conn;

    if (FAULT_POINT("store.before_commit")) {
        db_conn_rollback(conn);
        return err_detail(err, ERR_IO, "a fault point failed the commit");
    }
    int result = db_conn_verb(conn, DB_COMMIT);
    for (int i = 1; (result & 0xff) == SQLITE_BUSY && db_conn_in_transaction(conn); i++) {
        if (i == COMMIT_TRIES)
            break;
        sys_sleep_us(COMMIT_PAUSE_US);
        result = db_conn_verb(conn, DB_COMMIT);
    }
    if (result == SQLITE_OK) {
        (void)FAULT_POINT("store.after_commit");
        return ERR_OK;
    }
    (void)db_conn_error(conn, result, "COMMIT", err);
    db_conn_rollback(conn);
    writer->tainted |= may_be_on_disk(result);
    return err->code;
}

/* Overwrites the frames of a COMMIT that failed, so that a restart cannot find
 * them: the smallest change that always writes a page. */
static FALLIBLE wipe(struct db_writer *writer, struct err *err)
{
    TRY(db_conn_script(writer->conn, "PRAGMA user_version=1", err));
    ASSERT(!writer->tainted); /* on_wal_commit has seen it */
    return ERR_OK;
}

static FALLIBLE begin(struct db_writer *writer, struct err *err)
{
    int result = db_conn_verb(writer->conn, DB_BEGIN_WRITE);

    if (result == SQLITE_OK)
        return ERR_OK;
    (void)db_conn_error(writer->conn, result, "BEGIN IMMEDIATE", err);
    db_conn_rollback(writer->conn);
    return err->code;
}

static void run_alone(struct db_writer *writer, struct db_call *call)
{
    struct db_conn *conn = writer->conn;

    call->again = false;
    call->code = begin(writer, &call->err);
    if (call->code != ERR_OK)
        return;
    call->code = db_conn_run(conn, call->fn, call->ctx, &call->err);
    if (call->code == ERR_OK && !db_conn_in_transaction(conn))
        call->code = err_detail(&call->err, ERR_INTERNAL, "a closure lost its transaction");
    if (call->code != ERR_OK) {
        db_conn_rollback(conn);
        return;
    }
    call->code = commit(writer, &call->err);
    call->maybe |= call->code != ERR_OK;
}

/* One closure of a group. False when the group's transaction is gone. */
static bool run_in_savepoint(struct db_writer *writer, struct db_call *call)
{
    struct db_conn *conn = writer->conn;

    int result = db_conn_verb(conn, DB_SAVEPOINT);
    if (result != SQLITE_OK) {
        call->again = true;
        return db_conn_in_transaction(conn);
    }
    call->code = db_conn_run(conn, call->fn, call->ctx, &call->err);
    if (!db_conn_in_transaction(conn))
        return false;
    if (call->code == ERR_OK) {
        result = db_conn_verb(conn, DB_RELEASE);
        if (result == SQLITE_OK)
            return true;
        call->again = true;
    }
    /* A full disk may be the work of the closures before it. */
    call->again |= conn->engine_failed;
    result = db_conn_verb(conn, DB_ROLLBACK_TO);
    if (result == SQLITE_OK)
        result = db_conn_verb(conn, DB_RELEASE);
    if (result == SQLITE_OK)
        return true;
    db_conn_rollback(conn); /* what is left of the group cannot be trusted */
    return false;
}

/* False when the group's transaction was lost: nobody's effect is there, and what
 * closures answered rested on effects that are not, so all are to run again. */
static bool run_together(struct db_writer *writer, struct db_call **calls, int count)
{
    struct err err;

    enum err_code code = begin(writer, &err);
    if (code != ERR_OK) {
        for (int i = 0; i < count; i++) {
            calls[i]->code = code;
            calls[i]->err = err;
        }
        return true;
    }
    for (int i = 0; i < count; i++) {
        if (!run_in_savepoint(writer, calls[i]))
            return false;
    }
    if (commit(writer, &err) == ERR_OK)
        return true;
    for (int i = 0; i < count; i++)
        calls[i]->maybe = calls[i]->code == ERR_OK && !calls[i]->again;
    return false;
}

/* Whoever took part in a COMMIT that failed is told "no" only if no restart can
 * say "yes". */
static void settle_outcomes(struct db_writer *writer, struct db_call **calls, int count)
{
    struct err err;

    if (!writer->tainted || wipe(writer, &err) == ERR_OK)
        return;
    for (int i = 0; i < count; i++) {
        if (calls[i]->code != ERR_OK && calls[i]->maybe)
            calls[i]->code = err_detail(&calls[i]->err, ERR_IO,
                                        "outcome open until the next start: %s", err.detail);
    }
}

static void run_group(struct db_writer *writer, struct db_call **calls, int count)
{
    struct err err;

    if (writer->tainted && wipe(writer, &err) != ERR_OK) {
        for (int i = 0; i < count; i++) {
            calls[i]->code = err.code;
            calls[i]->err = err;
        }
        return;
    }
    bool all_again = count == 1 || !run_together(writer, calls, count);
    for (int i = 0; i < count; i++) {
        if (all_again || calls[i]->again)
            run_alone(writer, calls[i]);
    }
    settle_outcomes(writer, calls, count);
}

static void checkpoint(struct db_writer *writer, int mode)
{
    sqlite3 *sqlite = writer->conn->sqlite;
    int64_t busy_us =
        writer->busy_us < CHECKPOINT_BUSY_US ? writer->busy_us : CHECKPOINT_BUSY_US;
    int pages = 0, done = 0;

    (void)sqlite3_busy_timeout(sqlite, (int)(busy_us / 1000));
    int result = sqlite3_wal_checkpoint_v2(sqlite, NULL, mode, &pages, &done);
    (void)sqlite3_busy_timeout(sqlite, (int)(writer->busy_us / 1000));
    if (result == SQLITE_OK) {
        writer->wal_pages = 0;
        writer->checkpoint_at = CHECKPOINT_PAGES;
        return;
    }
    /* A reader is in the way, or the disk: the log grows by one more portion. */
    writer->checkpoint_at = writer->wal_pages + CHECKPOINT_PAGES;
    if ((result & 0xff) != SQLITE_BUSY)
        LOG(LOG_WARN, "checkpoint_postponed", LOG_TEXT("error", sqlite3_errstr(result)),
            LOG_INT("wal_pages", writer->wal_pages));
}

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

    for (int count; (count = take_group(writer)) > 0;) {
        run_group(writer, writer->group, count);
        for (int i = 0; i < count; i++)
            db_waiter_wake(&writer->group[i]->waiter);
        if (writer->wal_pages >= writer->checkpoint_at)
            checkpoint(writer, SQLITE_CHECKPOINT_RESTART);
    }
    struct err err;
    if (writer->tainted && wipe(writer, &err) != ERR_OK)
        LOG(LOG_ERROR, "commit_outcome_open", LOG_TEXT("error", err.detail));
    else
        checkpoint(writer, SQLITE_CHECKPOINT_TRUNCATE);
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
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for the writer");
    lock_init(&writer->lock);
    writer->last = &writer->first;
    writer->queue_max = options->queue_max > 0 ? options->queue_max : QUEUE_MAX;
    writer->group_max = options->group_max > 0 ? options->group_max : GROUP_MAX;
    writer->busy_us = options->busy_us;
    writer->checkpoint_at = CHECKPOINT_PAGES;
    writer->group = calloc((size_t)writer->group_max, sizeof(struct db_call *));
    if (writer->group == NULL) {
        writer_free(writer);
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for the writer");
    }
    writer->conn = *conn;
    *conn = NULL;
    (void)sqlite3_wal_hook(writer->conn->sqlite, on_wal_commit, writer);
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

FALLIBLE db_writer_call(struct db_writer *writer, db_fn fn, void *ctx, struct err *err)
{
    struct db_call call = {.fn = fn, .ctx = ctx};

    db_waiter_init(&call.waiter);
    lock_take(&writer->lock);
    bool full = writer->queued >= writer->queue_max || writer->stopping;
    if (!full) {
        if (writer->first == NULL)
            lock_signal(&writer->lock);
        *writer->last = &call;
        writer->last = &call.next;
        writer->queued++;
    }
    lock_drop(&writer->lock);

    if (!full)
        (void)db_waiter_wait(&call.waiter, INT64_MAX);
    db_waiter_fini(&call.waiter);
    if (full)
        return err_set(err, ERR_BUSY, "too many changes are waiting, try again");
    if (call.code != ERR_OK)
        *err = call.err;
    return call.code;
}
