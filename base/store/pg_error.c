/* SPDX-License-Identifier: Apache-2.0 */
/* What the server's codes and lost connections mean to us. */
#include "base/store/pg_private.h"

#include <stdio.h>
#include <string.h>

enum { SQL_SHOWN = 80 /* beside the server's own message in err.detail */ };

/* By SQLSTATE, the longest beginning that matches. */
static const struct {
    const char *state;
    enum err_code code;
    bool engine, retry, lost;
} states[] = {
    {"40001", ERR_BUSY, true, true, false},       /* serialization_failure */
    {"40P01", ERR_BUSY, true, true, false},       /* deadlock_detected */
    {"55P03", ERR_BUSY, true, true, false},       /* lock_not_available */
    {"57014", ERR_BUSY, true, true, false},       /* query_canceled: a timeout */
    {"25P03", ERR_UNAVAILABLE, true, true, true}, /* idle_in_transaction_session_timeout */
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

enum err_code pg_error_lost(struct pg_conn *conn, const char *why, struct err *err)
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

enum err_code pg_error_failed(struct pg_conn *conn, const PGresult *result, const char *sql,
                              struct err *err)
{
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *what =
        result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    size_t i = 0;

    if (PQstatus(conn->pg) == CONNECTION_BAD && state == NULL)
        return pg_error_lost(conn, PQerrorMessage(conn->pg), err);
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
