/* SPDX-License-Identifier: Apache-2.0 */
/* How a connection is opened: which URLs are taken, what the server must be, and what
 * every session is set to. */
#include "base/store/pg_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION_MIN = 150000, CONNECT_PARAMETERS_MAX = 64 };

/* Every transaction is durable whatever the role's defaults are, and ends: one whose
 * gateway stopped in the middle holds locks that others wait for. Each statement
 * has an index (tests/unit/store/check_statements.py), and plans are kept for long: one
 * made while a table was small must not read all of it when it has grown. Made without the
 * parameters, they expect few rows of a filter that is left open, and would rather collect
 * and sort all that a tenant has than walk the index in the order that is asked for. */
static const char session_sql[] =
    "SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false),"
    " set_config('idle_in_transaction_session_timeout', $4, false),"
    " set_config('default_transaction_isolation', 'read committed', false),"
    " set_config('default_transaction_read_only', $3, false),"
    " set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') = 'off'"
    " THEN 'on' ELSE current_setting('synchronous_commit') END, false),"
    " set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false),"
    " set_config('enable_hashjoin', $5, false), set_config('enable_mergejoin', $5, false),"
    " set_config('enable_sort', $5, false), set_config('enable_bitmapscan', $5, false),"
    " set_config('max_parallel_workers_per_gather', $7, false),"
    " set_config('plan_cache_mode', $6, false), set_config('client_min_messages', 'error', "
    "false)";

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
        if (strcmp(option->keyword, "password") == 0 ||
            strcmp(option->keyword, "sslpassword") == 0)
            return err_set(
                err, ERR_CONFIG,
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

/* Session settings and verbs. */
static FALLIBLE prepare_session(struct pg_conn *conn, struct err *err)
{
    bool tool = conn->role == DB_ROLE_TOOL;
    const char *const values[] = {
        tool ? "0" : "10s", tool ? "60s" : "3s", conn->role == DB_ROLE_READER ? "on" : "off",
        tool ? "0" : "5s",  tool ? "on" : "off", tool ? "auto" : "force_generic_plan",
        tool ? "2" : "0"};

    TRY(pg_conn_command(conn, session_sql, values, 7, NULL, err));
    return pg_conn_prepare_verbs(conn, err);
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

FALLIBLE pg_open_new(const char *url, enum db_role role, struct db_conn **ret_conn,
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
    /* A writer connects when it has something to write: most commands need one of them. */
    opened->lost = role == DB_ROLE_WRITER;
    if (!opened->lost)
        TRY(connect_now(opened, err));
    *ret_conn = conn;
    conn = NULL;
    return ERR_OK;
}

FALLIBLE pg_open_again(struct db_conn *conn, struct err *err)
{
    struct pg_conn *own = pg_conn_of(conn);

    pg_conn_drop_pending(own);
    pg_rows_drop(own);
    db_stmt_drop_cache(conn);
    PQfinish(own->pg);
    own->pg = NULL;
    own->lost = true;
    return connect_now(own, err);
}
