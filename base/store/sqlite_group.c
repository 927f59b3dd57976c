/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite's writer: a group of closures in one transaction, each in its own savepoint,
 * one fsync for all. It decides who is run again when a group is lost and what a caller
 * is told; it alone checkpoints. */
#include "base/store/sqlite_private.h"

enum {
    /* 16 MiB of pages: long enough to save fsyncs, short enough to recover fast. */
    CHECKPOINT_PAGES = 4096,
    /* A checkpoint waits this long for readers, as every caller waits with it. */
    CHECKPOINT_BUSY_US = 100 * 1000,
    COMMIT_TRIES = 10,
    COMMIT_PAUSE_US = 1000,
};

static int on_wal_commit(void *ctx, sqlite3 *sqlite, const char *name, int pages)
{
    struct sqlite_conn *conn = ctx;

    (void)sqlite, (void)name;
    if (pages < conn->wal_pages) /* the log began again at its start */
        conn->checkpoint_at = CHECKPOINT_PAGES;
    conn->wal_pages = pages;
    conn->tainted = false;
    return SQLITE_OK;
}

void sqlite_group_begin(struct sqlite_conn *conn)
{
    conn->checkpoint_at = CHECKPOINT_PAGES;
    (void)sqlite3_wal_hook(conn->sqlite, on_wal_commit, conn);
}

static struct sqlite_conn *own(struct db_writer *writer)
{
    return sqlite_conn_of(writer->conn);
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
        sqlite_conn_rollback(conn);
        return err_detail(err, ERR_IO, "a fault point failed the commit");
    }
    int result = sqlite_conn_verb(conn, SQLITE_VERB_COMMIT);
    for (int i = 1; (result & 0xff) == SQLITE_BUSY && sqlite_conn_in_transaction(conn); i++) {
        if (i == COMMIT_TRIES)
            break;
        sys_sleep_us(COMMIT_PAUSE_US);
        result = sqlite_conn_verb(conn, SQLITE_VERB_COMMIT);
    }
    if (result == SQLITE_OK) {
        (void)FAULT_POINT("store.after_commit");
        return ERR_OK;
    }
    (void)sqlite_conn_error(conn, result, "COMMIT", err);
    sqlite_conn_rollback(conn);
    own(writer)->tainted |= may_be_on_disk(result);
    return err->code;
}

/* Overwrites the frames of a COMMIT that failed, so that a restart cannot find
 * them: the smallest change that always writes a page. */
static FALLIBLE wipe(struct db_writer *writer, struct err *err)
{
    TRY(sqlite_conn_script(writer->conn, "PRAGMA user_version=1", err));
    ASSERT(!own(writer)->tainted); /* on_wal_commit has seen it */
    return ERR_OK;
}

static FALLIBLE begin(struct db_writer *writer, struct err *err)
{
    int result = sqlite_conn_verb(writer->conn, SQLITE_VERB_BEGIN_WRITE);

    db_memo_begin(writer->conn);
    if (result == SQLITE_OK)
        return ERR_OK;
    (void)sqlite_conn_error(writer->conn, result, "BEGIN IMMEDIATE", err);
    sqlite_conn_rollback(writer->conn);
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
    if (call->code == ERR_OK && !sqlite_conn_in_transaction(conn))
        call->code = err_detail(&call->err, ERR_INTERNAL, "a closure lost its transaction");
    if (call->code != ERR_OK) {
        sqlite_conn_rollback(conn);
        return;
    }
    call->code = commit(writer, &call->err);
    call->maybe |= call->code != ERR_OK;
}

/* One closure of a group. False when the group's transaction is gone. */
static bool run_in_savepoint(struct db_writer *writer, struct db_call *call)
{
    struct db_conn *conn = writer->conn;

    int result = sqlite_conn_verb(conn, SQLITE_VERB_SAVEPOINT);
    if (result != SQLITE_OK) {
        call->again = true;
        return sqlite_conn_in_transaction(conn);
    }
    call->code = db_conn_run(conn, call->fn, call->ctx, &call->err);
    if (!sqlite_conn_in_transaction(conn))
        return false;
    if (call->code == ERR_OK) {
        result = sqlite_conn_verb(conn, SQLITE_VERB_RELEASE);
        if (result == SQLITE_OK)
            return true;
        call->again = true;
    }
    /* A full disk may be the work of the closures before it. */
    call->again |= conn->engine_failed;
    db_memo_forget(conn);
    result = sqlite_conn_verb(conn, SQLITE_VERB_ROLLBACK_TO);
    if (result == SQLITE_OK)
        result = sqlite_conn_verb(conn, SQLITE_VERB_RELEASE);
    if (result == SQLITE_OK)
        return true;
    sqlite_conn_rollback(conn); /* what is left of the group cannot be trusted */
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

    if (!own(writer)->tainted || wipe(writer, &err) == ERR_OK)
        return;
    for (int i = 0; i < count; i++) {
        if (calls[i]->code != ERR_OK && calls[i]->maybe)
            calls[i]->code = err_detail(&calls[i]->err, ERR_IO,
                                        "outcome open until the next start: %s", err.detail);
    }
}

void sqlite_group_run(struct db_writer *writer, struct db_call **calls, int count)
{
    struct err err;

    if (own(writer)->tainted && wipe(writer, &err) != ERR_OK) {
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
    sqlite3 *sqlite = own(writer)->sqlite;
    int64_t busy_us =
        writer->busy_us < CHECKPOINT_BUSY_US ? writer->busy_us : CHECKPOINT_BUSY_US;
    int pages = 0, done = 0;

    (void)sqlite3_busy_timeout(sqlite, (int)(busy_us / 1000));
    int result = sqlite3_wal_checkpoint_v2(sqlite, NULL, mode, &pages, &done);
    (void)sqlite3_busy_timeout(sqlite, (int)(writer->busy_us / 1000));
    if (result == SQLITE_OK) {
        own(writer)->wal_pages = 0;
        own(writer)->checkpoint_at = CHECKPOINT_PAGES;
        return;
    }
    /* A reader is in the way, or the disk: the log grows by one more portion. */
    own(writer)->checkpoint_at = own(writer)->wal_pages + CHECKPOINT_PAGES;
    if ((result & 0xff) != SQLITE_BUSY)
        LOG(LOG_WARN, "checkpoint_postponed", LOG_TEXT("error", sqlite3_errstr(result)),
            LOG_INT("wal_pages", own(writer)->wal_pages));
}

void sqlite_group_after(struct db_writer *writer)
{
    if (own(writer)->wal_pages >= own(writer)->checkpoint_at)
        checkpoint(writer, SQLITE_CHECKPOINT_RESTART);
}

void sqlite_group_end(struct db_writer *writer)
{
    struct err err;

    if (own(writer)->tainted && wipe(writer, &err) != ERR_OK)
        LOG(LOG_ERROR, "commit_outcome_open", LOG_TEXT("error", err.detail));
    else
        checkpoint(writer, SQLITE_CHECKPOINT_TRUNCATE);
}
