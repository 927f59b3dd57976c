/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to a PostgreSQL server: how it is opened, what is sent when, and how
 * the server's codes become our errors. Transactions are the callers'. */
#include "base/store/pg_private.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERSION_MIN = 150000,
    /* A statement ends before; what a server does not answer by then it never will. */
    ANSWER_US = 15 * 1000 * 1000,
    TOOL_ANSWER_US = 1000 * 1000 * 1000, /* a migration may rewrite a table */
    CONNECT_PARAMETERS_MAX = 64,
    SQL_SHOWN = 80, /* beside the server's own message in err.detail */
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
    /* Two tenants may share a number after 2^32 of them: they would wait, no more. */
    [PG_VERB_LOCK_TENANT] = "SELECT pg_advisory_xact_lock(" LOCK_CLASS
                            ", CAST($1 & 2147483647 AS int))",
    /* In the transaction that it counts, so that it tells whether that was committed. */
    [PG_VERB_MARK] = "INSERT INTO store_commit AS c (writer, number, seen) VALUES ($1, $2, now())"
                     " ON CONFLICT (writer) DO UPDATE SET number = excluded.number,"
                     " seen = excluded.seen",
};

/* Every transaction is durable whatever the role's defaults are, and ends. */
static const char session_sql[] =
    "SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false),"
    " set_config('idle_in_transaction_session_timeout', '60s', false),"
    " set_config('default_transaction_isolation', 'read committed', false),"
    " set_config('default_transaction_read_only', $3, false),"
    " set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') = 'off'"
    " THEN 'on' ELSE current_setting('synchronous_commit') END, false),"
    " set_config('jit', 'off', false), set_config('client_min_messages', 'error', false)";

struct pg_conn *pg_conn_of(struct db_conn *conn)
{
    return (struct pg_conn *)conn; /* its first member */
}

bool db_is_server(const char *path)
{
    return strncmp(path, "postgresql://", 13) == 0 || strncmp(path, "postgres://", 11) == 0;
}

/* ---- errors --------------------------------------------------------------------- */

/* By SQLSTATE, the longest beginning that matches. */
static const struct {
    const char *state;
    enum err_code code;
    bool engine, retry, lost;
} states[] = {
    {"40001", ERR_BUSY, true, true, false}, /* serialization_failure */
    {"40P01", ERR_BUSY, true, true, false}, /* deadlock_detected */
    {"55P03", ERR_BUSY, true, true, false}, /* lock_not_available */
    {"57014", ERR_BUSY, true, true, false}, /* query_canceled: a timeout */
    {"25P02", ERR_INTERNAL, false, false, false}, /* in_failed_sql_transaction */
    {"25006", ERR_INTERNAL, false, false, false}, /* read_only_sql_transaction */
    {"23", ERR_CONFLICT, false, false, false},    /* a constraint */
    {"53300", ERR_UNAVAILABLE, true, true, true}, /* too_many_connections */
    {"53", ERR_UNAVAILABLE, true, false, false},  /* disk or memory is used up */
    {"57P", ERR_UNAVAILABLE, true, true, true},   /* shut down, or terminated */
    {"08", ERR_UNAVAILABLE, true, true, true},    /* the connection */
    {"58", ERR_IO, true, false, false},           /* the server's disk */
    {"XX", ERR_IO, true, false, false},           /* the server's own trouble, damaged data */
    {"", ERR_INTERNAL, false, false, false},
};

enum err_code pg_conn_lose(struct pg_conn *conn, const char *why, struct err *err)
{
    conn->lost = true;
    conn->retry = true;
    conn->base.engine_failed = true;
    if (conn->failed_call < 0)
        conn->failed_call = conn->call;
    (void)err_set(err, ERR_UNAVAILABLE, "the database cannot be reached");
    (void)snprintf(err->detail, sizeof(err->detail), "%s", why);
    db_conn_note(&conn->base, err);
    return ERR_UNAVAILABLE;
}

enum err_code pg_conn_failed(struct pg_conn *conn, const PGresult *result, const char *sql,
                             struct err *err)
{
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *what = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    size_t i = 0;

    if (PQstatus(conn->pg) == CONNECTION_BAD && state == NULL)
        return pg_conn_lose(conn, PQerrorMessage(conn->pg), err);
    if (state == NULL)
        state = "";
    while (strncmp(state, states[i].state, strlen(states[i].state)) != 0)
        i++;
    bool lost = states[i].lost;
    /* The server became a replica: another one writes now. */
    if (strcmp(state, "25006") == 0 && conn->role == DB_ROLE_WRITER)
        lost = true;
    if (conn->failed_call < 0) {
        conn->failed_call = conn->call;
        conn->retry = states[i].retry || lost;
    }
    conn->lost |= lost;
    conn->base.engine_failed |= states[i].engine || lost;
    if (states[i].code == ERR_UNAVAILABLE)
        (void)err_set(err, ERR_UNAVAILABLE, "the database is not available");
    else
        (void)err_set(err, states[i].code, "%s", err_text(states[i].code));
    (void)snprintf(err->detail, sizeof(err->detail), "%s%.120s (%s): %.*s",
                   strcmp(state, "53100") == 0 ? "out of disk space: " : "",
                   what != NULL ? what : PQresultErrorMessage(result), state, SQL_SHOWN,
                   sql != NULL ? sql : "");
    db_conn_note(&conn->base, err);
    return err->code;
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
    int64_t left_us = deadline_us - sys_mono_us();

    if (fd.fd < 0 || left_us <= 0)
        return false;
    return poll(&fd, 1, (int)(left_us / 1000) + 1) > 0;
}

/* Nothing is answered any more: who waits must not wait for it. */
static void drop_pending(struct pg_conn *conn)
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
            return pg_conn_lose(conn, "the server does not read", err);
        if (PQconsumeInput(conn->pg) == 0)
            break;
    }
    return left < 0 || PQstatus(conn->pg) == CONNECTION_BAD
               ? pg_conn_lose(conn, PQerrorMessage(conn->pg), err)
               : ERR_OK;
}

static FALLIBLE read_result(struct pg_conn *conn, int64_t deadline_us, PGresult **ret_result,
                            struct err *err)
{
    while (PQisBusy(conn->pg)) {
        if (!wait_socket(conn, POLLIN, deadline_us))
            return pg_conn_lose(conn, "the server does not answer", err);
        if (PQconsumeInput(conn->pg) == 0)
            return pg_conn_lose(conn, PQerrorMessage(conn->pg), err);
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
        return *ret_answer != NULL ? ERR_OK
                                   : pg_conn_lose(conn, "an answer is missing", err);
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
        return pg_conn_lose(conn, "an answer is missing", err);
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
        break;
    case PGRES_TUPLES_OK:
        if (pending->kind == PG_RUN && PQntuples(answer) > 0)
            code = db_stmt_refuse(&conn->base, "a row nobody asked for", pending->sql, err);
        if (code != ERR_OK && conn->failed_call < 0)
            conn->failed_call = pending->call;
        break;
    case PGRES_PIPELINE_SYNC:
    case PGRES_PIPELINE_ABORTED:
        break;
    default:
        code = pg_conn_failed(conn, answer, pending->sql, err);
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
        enum err_code code =
            read_answer(conn, &conn->pending[at], deadline_us, &answer, &each);

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
        drop_pending(conn);
    return first;
}

static FALLIBLE flush_now(struct pg_conn *conn, struct err *err)
{
    if (conn->lost)
        return pg_conn_lose(conn, "the connection was lost before", err);
    if (PQpipelineSync(conn->pg) != 1)
        return pg_conn_lose(conn, PQerrorMessage(conn->pg), err);
    conn->pending[conn->pending_count++] = (struct pg_pending){.kind = PG_SYNC, .call = conn->call};
    return send_all(conn, deadline_of(conn), err);
}

FALLIBLE pg_conn_flush(struct pg_conn *conn, struct err *err)
{
    enum err_code code = flush_now(conn, err);

    if (code != ERR_OK) {
        drop_pending(conn);
        return code;
    }
    return read_all(conn, err);
}

void pg_conn_send(struct pg_conn *conn)
{
    struct err ignored; /* noted as lost */

    if (flush_now(conn, &ignored) != ERR_OK)
        drop_pending(conn);
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
        (void)pg_conn_lose(conn, PQerrorMessage(conn->pg), &ignored);
    }
}

void pg_conn_verb(struct pg_conn *conn, enum pg_verb verb)
{
    send_verb(conn, verb, 0, NULL, NULL, NULL);
}

void pg_conn_lock(struct pg_conn *conn, int64_t tenant_id)
{
    uint64_t wire = __builtin_bswap64((uint64_t)tenant_id);
    const char *values[] = {(const char *)&wire};

    send_verb(conn, PG_VERB_LOCK_TENANT, 1, values, (const int[]){8}, (const int[]){1});
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
    if (conn->lost || PQsendQueryParams(conn->pg, sql, count, NULL, values, NULL, NULL, 0) != 1 ||
        PQpipelineSync(conn->pg) != 1)
        return pg_conn_lose(conn, PQerrorMessage(conn->pg), err);
    TRY(send_all(conn, deadline_of(conn), err));
    TRY(read_answer(conn, &pending, deadline_of(conn), &result, err));
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        code = pg_conn_failed(conn, result, sql, err);
    if (code == ERR_OK && ret_result != NULL)
        *ret_result = result;
    else
        PQclear(result);
    struct err sync_err;
    enum err_code sync =
        read_answer(conn, &(struct pg_pending){.kind = PG_SYNC}, deadline_of(conn), &result, &sync_err);

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
        return pg_conn_lose(conn, PQerrorMessage(conn->pg), err);
    TRY(send_all(conn, deadline_us, err));
    TRY(read_answer(conn, &asked, deadline_us, &result, err));
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        code = pg_conn_failed(conn, result, sql, err);
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

/* ---- opening ------------------------------------------------------------------------- */

struct parameters {
    const char *names[CONNECT_PARAMETERS_MAX + 1], *values[CONNECT_PARAMETERS_MAX + 1];
    size_t count;
    PQconninfoOption *parsed;
};

static void parameters_fini(struct parameters *parameters)
{
    PQconninfoFree(parameters->parsed);
}

static void add_parameter(struct parameters *to, const char *name, const char *value)
{
    for (size_t i = 0; i < to->count; i++) {
        if (strcmp(to->names[i], name) == 0)
            return; /* the operator's own */
    }
    ASSERT(to->count < CONNECT_PARAMETERS_MAX);
    to->names[to->count] = name;
    to->values[to->count++] = value;
}

/* What the URL says, and for the rest what lets nothing hang. */
static FALLIBLE read_url(const char *url, enum db_role role, struct parameters *to,
                         struct err *err)
{
    char *why = NULL;

    to->parsed = PQconninfoParse(url, &why);
    if (to->parsed == NULL) {
        enum err_code code = err_set(err, ERR_CONFIG, "the URL of the database is not valid");

        /* Its own words may hold what was meant for a password. */
        PQfreemem(why);
        return code;
    }
    for (const PQconninfoOption *option = to->parsed; option->keyword != NULL; option++) {
        if (option->val == NULL)
            continue;
        if (strcmp(option->keyword, "password") == 0 || strcmp(option->keyword, "sslpassword") == 0)
            return err_set(err, ERR_CONFIG,
                           "the URL of the database must not hold a password: put it into a passfile"
                           " (passfile=…, PGPASSFILE, ~/.pgpass) or into PGPASSWORD");
        add_parameter(to, option->keyword, option->val);
    }
    add_parameter(to, "connect_timeout", "5");
    add_parameter(to, "keepalives_idle", "10");
    add_parameter(to, "keepalives_interval", "5");
    add_parameter(to, "keepalives_count", "3");
    add_parameter(to, "tcp_user_timeout", "15000");
    add_parameter(to, "application_name", "arkgate");
    add_parameter(to, "client_encoding", "UTF8");
    if (role != DB_ROLE_READER)
        add_parameter(to, "target_session_attrs", "read-write");
    return ERR_OK;
}

static FALLIBLE refused(const PGconn *pg, struct err *err)
{
    bool password = PQconnectionNeedsPassword(pg) || PQconnectionUsedPassword(pg);
    struct str why = str_trim(str_from(PQerrorMessage(pg)));

    (void)err_set(err, password ? ERR_CONFIG : ERR_UNAVAILABLE,
                  password ? "the database refuses the connection: is the password right?"
                           : "the database cannot be reached");
    str_copy_cut(err->detail, sizeof(err->detail), why);
    return err->code;
}

static FALLIBLE check_server(const PGconn *pg, struct err *err)
{
    const char *encoding = PQparameterStatus(pg, "server_encoding");

    if (PQserverVersion(pg) < VERSION_MIN)
        return err_set(err, ERR_CONFIG, "the database server is older than PostgreSQL %d",
                       VERSION_MIN / 10000);
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
        return err_set(err, ERR_CONFIG, "the database's encoding is %.32s, it must be UTF8",
                       encoding != NULL ? encoding : "unknown");
    return ERR_OK;
}

static void no_notice(void *ctx, const PGresult *result)
{
    (void)ctx, (void)result;
}

/* Session settings and verbs, in one go. */
static FALLIBLE prepare_session(struct pg_conn *conn, struct err *err)
{
    bool tool = conn->role == DB_ROLE_TOOL;
    const char *const values[] = {tool ? "0" : "10s", tool ? "60s" : "5s",
                                  conn->role == DB_ROLE_READER ? "on" : "off"};
    char name[16];

    TRY(pg_conn_command(conn, session_sql, values, 3, NULL, err));
    for (int i = 0; i < PG_VERB_COUNT; i++) {
        const struct pg_pending pending = {.kind = PG_VERB, .sql = verb_sql[i]};
        static const Oid types[PG_VERB_COUNT][2] = {
            [PG_VERB_LOCK_TENANT] = {PG_INT8}, [PG_VERB_MARK] = {PG_TEXT, PG_INT8}};
        int count = i == PG_VERB_MARK ? 2 : i == PG_VERB_LOCK_TENANT ? 1 : 0;

        if (i == PG_VERB_MARK && conn->role != DB_ROLE_WRITER)
            continue; /* its table may not be there yet */
        (void)snprintf(name, sizeof(name), "v%d", i);
        if (!pg_conn_note(conn, &pending) ||
            PQsendPrepare(conn->pg, name, verb_sql[i], count, types[i]) != 1)
            return pg_conn_lose(conn, PQerrorMessage(conn->pg), err);
    }
    return pg_conn_flush(conn, err);
}

static FALLIBLE connect_now(struct pg_conn *conn, struct err *err)
{
    CLEANUP(parameters_fini) struct parameters parameters = {0};

    TRY(read_url(conn->url, conn->role, &parameters, err));
    conn->pg = PQconnectdbParams(parameters.names, parameters.values, 0);
    if (conn->pg == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for a connection");
    if (PQstatus(conn->pg) != CONNECTION_OK)
        return refused(conn->pg, err);
    TRY(check_server(conn->pg, err));
    (void)PQsetNoticeReceiver(conn->pg, no_notice, NULL);
    conn->lost = false;
    pg_conn_forget(conn);
    if (PQsetnonblocking(conn->pg, 1) != 0 || PQenterPipelineMode(conn->pg) != 1)
        return err_detail(err, ERR_INTERNAL, "no pipeline");
    return prepare_session(conn, err);
}

FALLIBLE pg_conn_open(const char *url, enum db_role role, struct db_conn **ret_conn,
                      struct err *err)
{
    struct pg_conn *opened = calloc(1, sizeof(*opened));
    CLEANUP(db_conn_close) struct db_conn *conn = opened != NULL ? &opened->base : NULL;
    unsigned char random[(PG_WRITER_TEXT - 1) / 2];

    if (opened == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for a connection");
    db_conn_init(conn, &pg_engine);
    opened->role = role;
    sys_random(random, sizeof(random));
    str_hex(opened->writer, random, sizeof(random));
    if (!str_copy(opened->url, sizeof(opened->url), str_from(url)))
        return err_set(err, ERR_CONFIG, "the URL of the database is too long");
    TRY(connect_now(opened, err));
    *ret_conn = conn;
    conn = NULL;
    return ERR_OK;
}

FALLIBLE pg_conn_again(struct db_conn *conn, struct err *err)
{
    struct pg_conn *own = pg_conn_of(conn);

    drop_pending(own);
    db_stmt_drop_cache(conn);
    PQfinish(own->pg);
    own->pg = NULL;
    own->lost = true;
    return connect_now(own, err);
}
