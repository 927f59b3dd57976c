/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to a PostgreSQL server: what is sent when, and whose answer is whose.
 * Transactions are the callers'; opening is in pg_open.c. */
#include "base/store/pg_private.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* A statement ends before; what a server does not answer by then it never will. */
    ANSWER_US = 15 * 1000 * 1000,
    TOOL_ANSWER_US = 1000 * 1000 * 1000, /* a migration may rewrite a table */
};

/* Locks of the database that are ours by agreement; other programs in the same database
 * may not use this class: "arkg". */
#define LOCK_CLASS "1634888551"

static const char *const verb_sql[PG_VERB_COUNT] = {
    [PG_VERB_BEGIN] = "BEGIN",
    [PG_VERB_BEGIN_READ] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    [PG_VERB_COMMIT] = "COMMIT",
    [PG_VERB_ROLLBACK] = "ROLLBACK",
    [PG_VERB_SAVEPOINT] = "SAVEPOINT closure",
    [PG_VERB_ROLLBACK_TO] = "ROLLBACK TO SAVEPOINT closure",
    [PG_VERB_RELEASE] = "RELEASE SAVEPOINT closure",
    [PG_VERB_LOCK_ALL] = "SELECT pg_advisory_xact_lock(" LOCK_CLASS ", 0)",
    [PG_VERB_LOCK_SHARED] = "SELECT pg_advisory_xact_lock_shared(" LOCK_CLASS ", 0)",
    /* In the array's order. Two tenants may share a number after 2^31 of them: they would
     * wait, no more. */
    [PG_VERB_LOCK_TENANTS] =
        "SELECT pg_advisory_xact_lock(" LOCK_CLASS ", CAST(lane & 2147483647 AS int))"
        " FROM unnest($1) AS lane",
    /* In the transaction that it counts, so that it tells whether that was committed; and
     * fails, by a division by zero, once pg_group.c has found that it was not. */
    [PG_VERB_MARK] =
        "INSERT INTO store_commit AS c (writer, number, seen) VALUES ($1, $2, now())"
        " ON CONFLICT (writer) DO UPDATE SET number = CASE WHEN c.fence < excluded.number"
        " THEN excluded.number ELSE 1 / (c.fence - c.fence) END, seen = excluded.seen",
};

struct pg_conn *pg_conn_of(struct db_conn *conn)
{
    return (struct pg_conn *)conn; /* its first member */
}

void pg_conn_forget(struct pg_conn *conn)
{
    conn->failed_call = -1;
    conn->call = -1;
    conn->retry = conn->committed = conn->commit_sent = false;
}

/* ---- sending and reading ----------------------------------------------------------- */

static int64_t deadline_of(const struct pg_conn *conn)
{
    return sys_mono_us() + (conn->role == DB_ROLE_TOOL ? TOOL_ANSWER_US : ANSWER_US);
}

/* Waits for the socket; false at the deadline. */
static bool wait_socket(const struct pg_conn *conn, short events, int64_t deadline_us)
{
    struct pollfd fd = {.fd = PQsocket(conn->pg), .events = events};
    int ready;

    do {
        int64_t left_us = deadline_us - sys_mono_us();

        if (fd.fd < 0 || left_us <= 0)
            return false;
        ready = poll(&fd, 1, (int)(left_us / 1000) + 1);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

/* Nothing is answered any more: who waits must not wait for it. */
void pg_conn_drop_pending(struct pg_conn *conn)
{
    for (int i = 0; i < conn->pending_count; i++)
        pg_stmt_answer(&conn->pending[i], NULL);
    conn->pending_count = 0;
}

static FALLIBLE send_all(struct pg_conn *conn, int64_t deadline_us, struct err *err)
{
    int left;

    while ((left = PQflush(conn->pg)) == 1) {
        /* A server that waits for us to read would never read on. */
        if (!wait_socket(conn, POLLIN | POLLOUT, deadline_us))
            return pg_error_lost(conn, "the server does not read", err);
        if (PQconsumeInput(conn->pg) == 0)
            break;
    }
    return left < 0 || PQstatus(conn->pg) == CONNECTION_BAD
               ? pg_error_lost(conn, PQerrorMessage(conn->pg), err)
               : ERR_OK;
}

static FALLIBLE read_result(struct pg_conn *conn, int64_t deadline_us, PGresult **ret_result,
                            struct err *err)
{
    while (PQisBusy(conn->pg)) {
        if (!wait_socket(conn, POLLIN, deadline_us))
            return pg_error_lost(conn, "the server does not answer", err);
        if (PQconsumeInput(conn->pg) == 0)
            return pg_error_lost(conn, PQerrorMessage(conn->pg), err);
    }
    *ret_result = PQgetResult(conn->pg);
    return ERR_OK;
}

/* The answer to one pending command: its last result, as a rule its only one. */
static FALLIBLE read_answer(struct pg_conn *conn, const struct pg_pending *pending,
                            int64_t deadline_us, PGresult **ret_answer, struct err *err)
{
    PGresult *result = NULL;

    *ret_answer = NULL;
    TRY(read_result(conn, deadline_us, ret_answer, err));
    if (pending->kind == PG_SYNC) /* the one answer that no NULL follows */
        return *ret_answer != NULL ? ERR_OK : pg_error_lost(conn, "an answer is missing", err);
    do {
        enum err_code code = read_result(conn, deadline_us, &result, err);

        if (code != ERR_OK) {
            PQclear(*ret_answer);
            *ret_answer = NULL;
            return code;
        }
        PQclear(result);
    } while (result != NULL);
    if (*ret_answer == NULL)
        return pg_error_lost(conn, "an answer is missing", err);
    return ERR_OK;
}

/* The rows of a statement that nobody steps. */
static FALLIBLE take_rows(struct pg_conn *conn, const struct pg_pending *pending,
                          const PGresult *answer, struct err *err)
{
    int64_t number;

    if (pending->numbers == NULL)
        return PQntuples(answer) == 0
                   ? ERR_OK
                   : db_stmt_refuse(&conn->base, "a row nobody asked for", pending->sql, err);
    if (PQntuples(answer) != pending->rows)
        return db_stmt_not_one(&conn->base, pending->otherwise, err);
    for (int i = 0; i < pending->rows; i++) {
        if (!pg_stmt_number(answer, i, 0, &number))
            return db_stmt_refuse(&conn->base, "a column is no integer", pending->sql, err);
        *pending->numbers[i] = number;
    }
    return ERR_OK;
}

/* Takes one answer in; ERR_OK for what was only skipped after another's failure. */
static FALLIBLE take_answer(struct pg_conn *conn, const struct pg_pending *pending,
                            PGresult *answer, struct err *err)
{
    enum err_code code = ERR_OK;
    int call = conn->call;

    conn->call = pending->call;
    switch (PQresultStatus(answer)) {
    case PGRES_COMMAND_OK:
        if (pending->is_commit) /* a failed transaction's COMMIT says ROLLBACK */
            conn->committed = strcmp(PQcmdStatus(answer), "COMMIT") == 0;
        if (pending->otherwise != NULL &&
            strtol(PQcmdTuples(answer), NULL, 10) != pending->rows)
            code = db_stmt_not_one(&conn->base, pending->otherwise, err);
        if (code != ERR_OK && conn->failed_call < 0)
            conn->failed_call = pending->call;
        break;
    case PGRES_TUPLES_OK:
        if (pending->kind == PG_RUN)
            code = take_rows(conn, pending, answer, err);
        if (code != ERR_OK && conn->failed_call < 0)
            conn->failed_call = pending->call;
        break;
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED:
        break;
    default:
        code = pg_error_failed(conn, answer, pending->sql, err);
        break;
    }
    conn->call = call;
    pg_stmt_answer(pending, answer); /* clears it */
    return code;
}

/* Reads the answers to all that is pending. */
static FALLIBLE read_all(struct pg_conn *conn, struct err *err)
{
    int64_t deadline_us = deadline_of(conn);
    enum err_code first = ERR_OK;
    int at = 0;

    while (at < conn->pending_count && !conn->lost) {
        struct err each = {0};
        PGresult *answer;
        enum err_code code = read_answer(conn, &conn->pending[at], deadline_us, &answer, &each);

        if (code == ERR_OK)
            code = take_answer(conn, &conn->pending[at++], answer, &each);
        if (code != ERR_OK && first == ERR_OK) {
            first = code;
            *err = each;
        }
    }
    memmove(conn->pending, conn->pending + at,
            (size_t)(conn->pending_count - at) * sizeof(conn->pending[0]));
    conn->pending_count -= at;
    if (conn->lost)
        pg_conn_drop_pending(conn);
    return first;
}

static FALLIBLE flush_now(struct pg_conn *conn, struct err *err)
{
    if (conn->lost)
        return pg_error_lost(conn, "the connection was lost before", err);
    if (PQpipelineSync(conn->pg) != 1)
        return pg_error_lost(conn, PQerrorMessage(conn->pg), err);
    conn->pending[conn->pending_count++] =
        (struct pg_pending){.kind = PG_SYNC, .call = conn->call};
    return send_all(conn, deadline_of(conn), err);
}

FALLIBLE pg_conn_flush(struct pg_conn *conn, struct err *err)
{
    enum err_code code = flush_now(conn, err);

    if (code != ERR_OK) {
        pg_conn_drop_pending(conn);
        return code;
    }
    return read_all(conn, err);
}

bool pg_conn_has_checks(const struct pg_conn *conn)
{
    for (int i = 0; i < conn->pending_count; i++) {
        if (conn->pending[i].otherwise != NULL)
            return true;
    }
    return false;
}

void pg_conn_send(struct pg_conn *conn)
{
    struct err ignored; /* noted as lost */

    if (flush_now(conn, &ignored) != ERR_OK)
        pg_conn_drop_pending(conn);
}

bool pg_conn_settle(struct pg_conn *conn)
{
    struct err ignored;

    return read_all(conn, &ignored) == ERR_OK;
}

bool pg_conn_note(struct pg_conn *conn, const struct pg_pending *pending)
{
    struct err ignored; /* noted on the connection */

    /* One place stays for the synchronisation point. */
    if (!conn->lost && conn->pending_count >= PG_PENDING_MAX - 1 &&
        pg_conn_flush(conn, &ignored) != ERR_OK && conn->lost)
        return false;
    if (conn->lost)
        return false;
    conn->pending[conn->pending_count] = *pending;
    conn->pending[conn->pending_count++].call = conn->call;
    return true;
}

static void send_verb(struct pg_conn *conn, enum pg_verb verb, int count,
                      const char *const *values, const int *lengths, const int *formats)
{
    const struct pg_pending pending = {
        .kind = PG_VERB, .sql = verb_sql[verb], .is_commit = verb == PG_VERB_COMMIT};
    char name[16];

    if (!pg_conn_note(conn, &pending))
        return;
    conn->commit_sent |= pending.is_commit;
    (void)snprintf(name, sizeof(name), "v%d", (int)verb);
    if (PQsendQueryPrepared(conn->pg, name, count, values, lengths, formats, 1) != 1) {
        struct err ignored;
        (void)pg_error_lost(conn, PQerrorMessage(conn->pg), &ignored);
    }
}

void pg_conn_verb(struct pg_conn *conn, enum pg_verb verb)
{
    send_verb(conn, verb, 0, NULL, NULL, NULL);
}

void pg_conn_lock(struct pg_conn *conn, const int64_t *lanes, int count)
{
    char wire[PG_ARRAY_HEADER + DB_LANES_MAX * 12], *end;
    const char *values[] = {wire};

    ASSERT(count <= DB_LANES_MAX);
    end = pg_array_header(wire, PG_INT8, count, false);
    for (int i = 0; i < count; i++)
        end = pg_array_i64(end, lanes[i]);
    send_verb(conn, PG_VERB_LOCK_TENANTS, 1, values, (const int[]){(int)(end - wire)},
              (const int[]){1});
}

void pg_conn_mark(struct pg_conn *conn, int64_t number)
{
    uint64_t wire = __builtin_bswap64((uint64_t)number);
    const char *values[] = {conn->writer, (const char *)&wire};

    send_verb(conn, PG_VERB_MARK, 2, values, (const int[]){0, 8}, (const int[]){0, 1});
}

FALLIBLE pg_conn_command(struct pg_conn *conn, const char *sql, const char *const *values,
                         int count, PGresult **ret_result, struct err *err)
{
    const struct pg_pending pending = {.kind = PG_VERB, .sql = sql};
    PGresult *result = NULL;
    enum err_code code = ERR_OK;

    if (conn->pending_count > 0)
        TRY(pg_conn_flush(conn, err));
    if (conn->lost ||
        PQsendQueryParams(conn->pg, sql, count, NULL, values, NULL, NULL, 0) != 1 ||
        PQpipelineSync(conn->pg) != 1)
        return pg_error_lost(conn, PQerrorMessage(conn->pg), err);
    TRY(send_all(conn, deadline_of(conn), err));
    TRY(read_answer(conn, &pending, deadline_of(conn), &result, err));
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        code = pg_error_failed(conn, result, sql, err);
    if (code == ERR_OK && ret_result != NULL)
        *ret_result = result;
    else
        PQclear(result);
    struct err sync_err;
    enum err_code sync = read_answer(conn, &(struct pg_pending){.kind = PG_SYNC},
                                     deadline_of(conn), &result, &sync_err);

    if (sync == ERR_OK) {
        PQclear(result);
        return code;
    }
    if (code != ERR_OK)
        return code;
    if (ret_result != NULL)
        PQclear(*ret_result);
    *err = sync_err;
    return sync;
}

FALLIBLE pg_conn_describe(struct pg_conn *conn, const char *sql, Oid *ret_types, int count,
                          struct err *err)
{
    const struct pg_pending asked = {.kind = PG_VERB, .sql = sql};
    const struct pg_pending sync = {.kind = PG_SYNC};
    int64_t deadline_us = deadline_of(conn);
    PGresult *result = NULL, *end = NULL;
    enum err_code code = ERR_OK;

    if (PQsendDescribePrepared(conn->pg, "") != 1 || PQpipelineSync(conn->pg) != 1)
        return pg_error_lost(conn, PQerrorMessage(conn->pg), err);
    TRY(send_all(conn, deadline_us, err));
    TRY(read_answer(conn, &asked, deadline_us, &result, err));
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        code = pg_error_failed(conn, result, sql, err);
    else if (PQnparams(result) != count)
        code = db_stmt_refuse(&conn->base, "the server counts other parameters", sql, err);
    for (int i = 0; code == ERR_OK && i < count; i++)
        ret_types[i] = PQparamtype(result, i);
    PQclear(result);
    struct err lost;
    if (read_answer(conn, &sync, deadline_us, &end, &lost) != ERR_OK && code == ERR_OK) {
        *err = lost;
        return lost.code;
    }
    PQclear(end);
    return code;
}

FALLIBLE pg_conn_prepare_verbs(struct pg_conn *conn, struct err *err)
{
    static const Oid types[PG_VERB_COUNT][2] = {
        [PG_VERB_LOCK_TENANTS] = {PG_INT8_ARRAY}, [PG_VERB_MARK] = {PG_TEXT, PG_INT8}};

    for (int i = 0; i < PG_VERB_COUNT; i++) {
        const struct pg_pending pending = {.kind = PG_VERB, .sql = verb_sql[i]};
        int count = i == PG_VERB_MARK ? 2 : i == PG_VERB_LOCK_TENANTS ? 1 : 0;
        char name[16];

        if (i == PG_VERB_MARK && conn->role != DB_ROLE_WRITER)
            continue; /* its table may not be there yet */
        (void)snprintf(name, sizeof(name), "v%d", i);
        if (!pg_conn_note(conn, &pending) ||
            PQsendPrepare(conn->pg, name, verb_sql[i], count, types[i]) != 1)
            return pg_error_lost(conn, PQerrorMessage(conn->pg), err);
    }
    return pg_conn_flush(conn, err);
}
