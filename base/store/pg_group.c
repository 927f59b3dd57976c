/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL's writers: a group of closures in one transaction, all their statements in
 * one stream. A savepoint for each costs as much as two statements, so there is none
 * until a closure fails: then the group is run again with them, and so are the next ones.
 * This file decides which locks order the writers of all gateways, who is run again, and
 * what became of a COMMIT that got no answer. */
#include "base/store/pg_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIES = 6,
    PAUSE_US = 5000, /* before another try, times its number, jittered */
    /* A server that is restarted is back by then, or the outcome stays open. */
    RESOLVE_US = 10 * 1000 * 1000,
    RESOLVE_PAUSE_US = 100 * 1000,
    /* Between two tries to connect; callers fail at once meanwhile. */
    RECONNECT_US = 250 * 1000,
    /* What ended a connection may end the next one as well, or a server be back in a
     * moment: so long is tried before anybody is told. */
    GRACE_US = 1000 * 1000,
    GRACE_PAUSE_US = 20 * 1000,
    PATIENCE_US = 10 * 1000 * 1000, /* for locks and deadlocks, over all tries */
    CAREFUL_GROUPS = 64,            /* with savepoints, after a closure failed */
};

/* What became of a transaction. */
enum outcome {
    GROUP_DONE,  /* every call has its code */
    GROUP_AGAIN, /* nothing of it is there; err says why */
};

static struct pg_conn *own(const struct db_writer *writer)
{
    return pg_conn_of(writer->conn);
}

static void fail_all(struct db_call **calls, int count, const struct err *err)
{
    for (int i = 0; i < count; i++) {
        calls[i]->code = err->code;
        calls[i]->err = *err;
    }
}

static FALLIBLE open_again(struct db_writer *writer, int64_t until_us, struct err *err)
{
    for (;;) {
        enum err_code code = pg_open_again(writer->conn, err);

        if (code != ERR_UNAVAILABLE || sys_mono_us() > until_us)
            return code;
        sys_sleep_us(GRACE_PAUSE_US);
    }
}

/* Opens a new connection when the old one is lost. Where that fails, tries come not more
 * often than RECONNECT_US: a thousand callers must not each wait for a server that is down. */
static FALLIBLE reconnect(struct db_writer *writer, bool patient, struct err *err)
{
    struct pg_conn *conn = own(writer);
    int64_t now_us = sys_mono_us();

    if (!conn->lost)
        return ERR_OK;
    if (conn->failed_at_us != 0 && now_us - conn->failed_at_us < RECONNECT_US) {
        if (!patient)
            return err_set(err, ERR_UNAVAILABLE, "the database cannot be reached");
        sys_sleep_us(conn->failed_at_us + RECONNECT_US - now_us);
    }
    enum err_code code =
        open_again(writer, conn->failed_at_us == 0 ? now_us + GRACE_US : 0, err);
    if (code == ERR_OK && conn->failed_at_us != 0)
        LOG(LOG_INFO, "database_back");
    if (code != ERR_OK && conn->failed_at_us == 0)
        LOG(LOG_ERROR, "database_lost", LOG_TEXT("error", err->msg),
            LOG_TEXT("detail", err->detail));
    conn->failed_at_us = code == ERR_OK ? 0 : sys_mono_us();
    return code;
}

/* A tenant's closures take his lock in ascending order, so that groups of two gateways
 * never wait for each other in a circle; before it, all take the common one that a
 * closure of DB_ALL wants for itself. */
static void queue_locks(struct pg_conn *conn, struct db_call *const *calls, int count)
{
    struct db_lanes *lanes = &conn->base.lanes;

    lanes->count = 0;
    for (int i = 0; i < count; i++) {
        if (calls[i]->lane == DB_ALL)
            pg_conn_verb(conn, PG_VERB_LOCK_ALL);
        if (calls[i]->lane > 0 && (i == 0 || calls[i]->lane != calls[i - 1]->lane))
            lanes->ids[lanes->count++] = calls[i]->lane;
    }
    if (lanes->count > 0) {
        pg_conn_verb(conn, PG_VERB_LOCK_SHARED);
        pg_conn_lock(conn, lanes->ids, lanes->count);
    }
}

/* Of a statement that was sent by itself, because the queue was full. */
static enum err_code failed_on_the_way(const struct pg_conn *conn, struct err *err)
{
    *err = conn->base.failed;
    return err->code != ERR_OK ? err->code
                               : err_detail(err, ERR_INTERNAL, "a statement failed before");
}

/* Runs the closures; ERR_OK when those that failed can be left out. */
static FALLIBLE run_closures(struct db_writer *writer, struct db_call **calls, int count,
                             int *ret_good, struct err *err)
{
    struct pg_conn *conn = own(writer);
    bool careful = count > 1 && conn->careful > 0; /* alone, the transaction is one */

    *ret_good = 0;
    for (int i = 0; i < count; i++) {
        conn->call = i;
        conn->wrote = false;
        if (careful)
            pg_conn_verb(conn, PG_VERB_SAVEPOINT);
        calls[i]->code = db_conn_run(writer->conn, calls[i]->fn, calls[i]->ctx, &calls[i]->err);
        /* The network, a lock, or a statement that a neighbour left on its way. */
        if (conn->lost || conn->base.engine_failed ||
            (conn->failed_call >= 0 && conn->failed_call != i)) {
            *err = conn->base.failed.code != ERR_OK ? conn->base.failed : calls[i]->err;
            return err->code != ERR_OK ? err->code : failed_on_the_way(conn, err);
        }
        if (calls[i]->code == ERR_OK) {
            if (careful) {
                pg_rows_send(conn, NULL);
                pg_conn_verb(conn, PG_VERB_RELEASE);
                if (conn->failed_call >= 0 || conn->lost)
                    return failed_on_the_way(conn, err);
            }
            ++*ret_good;
            continue;
        }
        /* Who only read, and says no, leaves nothing to take back. */
        if (!careful && !conn->wrote && conn->failed_call < 0)
            continue;
        if (count > 1 && !careful) {
            conn->careful = CAREFUL_GROUPS;
            *err = calls[i]->err;
            return err->code;
        }
        conn->failed_call = -1; /* it is this one's alone */
        pg_rows_drop(conn);
        if (careful) {
            pg_conn_verb(conn, PG_VERB_ROLLBACK_TO);
            pg_conn_verb(conn, PG_VERB_RELEASE);
        }
    }
    conn->call = -1;
    /* What was sent by itself, because the queue was full, has been answered by now. */
    return conn->failed_call < 0 && !conn->lost ? ERR_OK : failed_on_the_way(conn, err);
}

/* What the failure was stays known. */
static void roll_back(struct pg_conn *conn)
{
    struct err ignored; /* then the connection is lost, and with it the transaction */
    bool retry = conn->retry;

    pg_rows_drop(conn);
    if (conn->pending_count > 0)
        (void)!pg_conn_flush(conn, &ignored);
    if (!conn->lost)
        pg_conn_verb(conn, PG_VERB_ROLLBACK);
    if (!conn->lost && pg_conn_flush(conn, &ignored) != ERR_OK)
        conn->lost = true;
    pg_conn_forget(conn);
    conn->retry = retry;
}

/* The connection died under a COMMIT. Its transaction writes a row of this writer's just
 * before. If it has, whoever writes that row waits until the transaction has ended, and is
 * told; if it has not, it finds the fence when it comes to it, and fails: a server that was
 * slow, or stopped, may come to it much later. */
static FALLIBLE resolve(struct db_writer *writer, bool *ret_committed, struct err *err)
{
    static const char sql[] =
        "INSERT INTO store_commit AS c (writer, number, fence, seen)"
        " VALUES ($1, 0, CAST($2 AS bigint), now()) ON CONFLICT (writer) DO UPDATE SET"
        " fence = greatest(c.fence, excluded.fence), seen = excluded.seen RETURNING number";
    struct pg_conn *conn = own(writer);
    char number[24];
    const char *const values[] = {conn->writer, number};
    int64_t deadline_us = sys_mono_us() + RESOLVE_US;
    PGresult *result = NULL;
    enum err_code code;

    (void)snprintf(number, sizeof(number), "%lld", (long long)conn->number);
    for (;;) {
        code = reconnect(writer, true, err);
        if (code == ERR_OK)
            code = pg_conn_command(conn, sql, values, 2, &result, err);
        if (code == ERR_OK || sys_mono_us() > deadline_us)
            break;
        sys_sleep_us(RESOLVE_PAUSE_US);
    }
    if (code != ERR_OK) {
        struct err cause = *err;
        LOG(LOG_ERROR, "commit_outcome_open", LOG_TEXT("error", cause.detail));
        return err_detail(err, ERR_IO, "outcome open until the database answers: %.180s",
                          cause.detail);
    }
    *ret_committed = strtoll(PQgetvalue(result, 0, 0), NULL, 10) == conn->number;
    PQclear(result);
    LOG(LOG_WARN, "commit_resolved", LOG_INT("committed", *ret_committed));
    return ERR_OK;
}

/* Sends the COMMIT with all that is still on its way. */
static enum outcome commit(struct db_writer *writer, struct db_call **calls, int count,
                           struct err *err)
{
    struct pg_conn *conn = own(writer);
    bool committed = false;

    if (FAULT_POINT("store.before_commit")) {
        roll_back(conn);
        (void)err_detail(err, ERR_IO, "a fault point failed the commit");
        return GROUP_AGAIN;
    }
    pg_rows_send(conn, NULL);
    if (conn->failed_call >= 0 || conn->lost) {
        (void)failed_on_the_way(conn, err);
        roll_back(conn);
        return GROUP_AGAIN;
    }
    /* What was to change one row and did not is no error to the server: it would commit. */
    if (pg_conn_has_checks(conn) && pg_conn_flush(conn, err) != ERR_OK) {
        roll_back(conn);
        return GROUP_AGAIN;
    }
    pg_conn_mark(conn, ++conn->number);
    pg_conn_verb(conn, PG_VERB_COMMIT);
    enum err_code code = pg_conn_flush(conn, err);
    if (conn->committed) {
        (void)FAULT_POINT("store.after_commit");
        return GROUP_DONE;
    }
    if (!conn->lost || !conn->commit_sent) { /* a statement before it failed */
        if (code == ERR_OK)
            (void)err_detail(err, ERR_INTERNAL, "a COMMIT was answered with another tag");
        roll_back(conn);
        return GROUP_AGAIN;
    }
    if (resolve(writer, &committed, err) != ERR_OK) {
        for (int i = 0; i < count; i++) {
            if (calls[i]->code == ERR_OK)
                fail_all(&calls[i], 1, err);
        }
        conn->retry = false;
        return GROUP_DONE;
    }
    conn->retry = true;
    return committed ? GROUP_DONE : GROUP_AGAIN;
}

static enum outcome run_once(struct db_writer *writer, struct db_call **calls, int count,
                             struct err *err)
{
    struct pg_conn *conn = own(writer);
    int good;

    pg_conn_forget(conn);
    pg_rows_drop(conn);
    db_memo_begin(writer->conn);
    pg_conn_verb(conn, PG_VERB_BEGIN);
    queue_locks(conn, calls, count);
    if (run_closures(writer, calls, count, &good, err) != ERR_OK) {
        roll_back(conn);
        return GROUP_AGAIN;
    }
    if (good > 0)
        return commit(writer, calls, count, err);
    roll_back(conn); /* nothing to keep */
    return GROUP_DONE;
}

static void run_transaction(struct db_writer *writer, struct db_call **calls, int count);

/* Whoever waits in vain for a lane's lock does so for all of that lane. */
static void run_each(struct db_writer *writer, struct db_call **calls, int count)
{
    for (int i = 0; i < count; i++) {
        if (i > 0 && calls[i]->lane == calls[i - 1]->lane && calls[i - 1]->code == ERR_BUSY)
            fail_all(&calls[i], 1, &calls[i - 1]->err);
        else
            run_transaction(writer, &calls[i], 1);
    }
}

/* One transaction. A group that is lost is run once more closure by closure; one that is
 * alone is tried again for as long as its failure may pass. */
static void run_transaction(struct db_writer *writer, struct db_call **calls, int count)
{
    int64_t deadline_us = sys_mono_us() + PATIENCE_US;
    struct err err = {0};

    for (int i = 1; i <= TRIES; i++) {
        if (reconnect(writer, false, &err) != ERR_OK)
            break;
        int careful = own(writer)->careful;

        if (run_once(writer, calls, count, &err) == GROUP_DONE)
            return;
        if (count > 1 && careful == 0 && own(writer)->careful > 0)
            continue; /* with savepoints */
        /* One of them may be what ends the connection. */
        if (count > 1 && (!own(writer)->lost || i > 1)) {
            run_each(writer, calls, count);
            return;
        }
        if (!own(writer)->retry || sys_mono_us() > deadline_us)
            break;
        if (i < TRIES)
            sys_sleep_us((int64_t)sys_random_below((uint32_t)(PAUSE_US * i)) + PAUSE_US);
    }
    fail_all(calls, count, &err);
}

static int by_lane(const void *a, const void *b)
{
    const struct db_call *first = *(struct db_call *const *)a,
                         *second = *(struct db_call *const *)b;

    if (first->lane != second->lane)
        return first->lane < second->lane ? -1 : 1;
    return first->order - second->order;
}

void pg_group_run(struct db_writer *writer, struct db_call **calls, int count)
{
    int begin = 0;

    for (int i = 0; i < count; i++)
        calls[i]->order = i; /* of one caller's jobs the first comes first */
    qsort(calls, (size_t)count, sizeof(struct db_call *), by_lane);
    while (begin < count) {
        int end = begin + 1;

        /* DB_ALL keeps everyone out: not for longer than one closure. DB_APART shares no
         * transaction with it, for both would wait for rows that the other holds. */
        while (end < count && calls[begin]->lane != DB_ALL &&
               (calls[end]->lane > 0) == (calls[begin]->lane > 0) && calls[end]->lane != DB_ALL)
            end++;
        run_transaction(writer, calls + begin, end - begin);
        begin = end;
    }
    own(writer)->careful -= own(writer)->careful > 0;
}

void pg_group_end(struct db_writer *writer)
{
    static const char sql[] = "DELETE FROM store_commit WHERE writer = $1"
                              " OR seen < now() - interval '7 days'";
    struct pg_conn *conn = own(writer);
    const char *const values[] = {conn->writer};
    struct err ignored; /* the next one sweeps */

    if (!conn->lost)
        (void)!pg_conn_command(conn, sql, values, 1, NULL, &ignored);
}
