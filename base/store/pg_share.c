/* SPDX-License-Identifier: Apache-2.0 */
/* One question of several readers, asked as one statement (pg_rows_question), and its answer
 * shared out among their statements, each of which reads its own rows of it. */
#include "base/store/pg_private.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { BYTES_MAX = 128 << 20 };

struct pg_share {
    atomic_int readers;
    PGresult *result;
};

static struct pg_stmt *of(struct db_stmt *stmt)
{
    return (struct pg_stmt *)stmt; /* its first member */
}

void pg_share_drop(struct pg_stmt *st)
{
    struct pg_share *share = st->share;

    if (share == NULL) {
        PQclear(st->result);
    } else if (atomic_fetch_sub(&share->readers, 1) == 1) {
        PQclear(share->result);
        free(share);
    }
    st->result = NULL;
    st->share = NULL;
    st->row = -1;
    st->end = 0;
}

bool pg_share_like(const struct pg_stmt *stmt, const struct pg_stmt *other)
{
    return stmt->base.sql == other->base.sql && stmt->base.parameters > 0;
}

/* The statement that answers many of this one, on this connection. */
static FALLIBLE many_of(struct pg_conn *conn, struct pg_stmt *prototype,
                        struct pg_stmt **ret_many, struct err *err)
{
    char *sql = NULL;

    *ret_many = prototype->many;
    if (*ret_many != NULL)
        return ERR_OK;
    TRY(pg_rows_question(prototype->base.sql, prototype->base.parameters, &sql, err));
    struct pg_stmt *many = calloc(1, sizeof(*many));

    if (many == NULL) {
        free(sql);
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for a statement");
    }
    many->base.conn = &conn->base;
    many->base.sql = sql;
    many->base.parameters = prototype->base.parameters;
    many->prototype = many;
    (void)snprintf(many->name, sizeof(many->name), "s%llu", (unsigned long long)++conn->names);
    for (int i = 0; i < many->base.parameters; i++)
        many->array_types[i] = pg_array_of(prototype->shape->types[i]);
    *ret_many = prototype->many = many;
    return ERR_OK;
}

static void columns_fini(struct buf (*columns)[DB_PARAMETERS_MAX])
{
    for (int i = 0; i < DB_PARAMETERS_MAX; i++)
        buf_fini(&(*columns)[i]);
}

FALLIBLE pg_share_send(struct pg_conn *conn, struct pg_stmt *const *stmts, int count,
                       struct pg_stmt **ret_many, struct err *err)
{
    CLEANUP(db_done) struct db_stmt *prototype = NULL;
    CLEANUP(columns_fini) struct buf columns[DB_PARAMETERS_MAX] = {0};
    const char *values[DB_PARAMETERS_MAX];
    int lengths[DB_PARAMETERS_MAX];
    struct pg_stmt *many;

    TRY(db_prepare(&conn->base, stmts[0]->base.sql, &prototype, err));
    TRY(many_of(conn, of(prototype), &many, err));
    for (int column = 0; column < many->base.parameters; column++) {
        buf_init(&columns[column], BYTES_MAX);
        pg_array_begin(&columns[column], stmts[0]->shape->types[column], count);
        for (int i = 0; i < count; i++)
            pg_array_put(&columns[column], stmts[i]->values[column], stmts[i]->lengths[column]);
        TRY(buf_check(&columns[column], err));
        values[column] = columns[column].ptr;
        lengths[column] = (int)columns[column].len;
    }
    struct pg_pending pending = {
        .kind = PG_STEP, .stmt = many, .sql = many->base.sql, .run = ++many->runs};

    pg_stmt_queue(conn, many, &pending, many->array_types, values, lengths);
    *ret_many = many;
    return conn->lost ? pg_error_lost(conn, "the connection was lost before", err) : ERR_OK;
}

/* The last column says whose row it is; they come in that order. */
static bool split(const PGresult *result, struct pg_stmt *const *stmts, int count)
{
    int at = 0, rows = PQntuples(result), column = PQnfields(result) - 1;
    int64_t whose = 0;

    for (int i = 0; i < count; i++) {
        stmts[i]->row = at - 1;
        while (at < rows && pg_stmt_number(result, at, column, &whose) && whose == i + 1)
            at++;
        stmts[i]->end = at;
    }
    return at == rows;
}

void pg_share_out(struct pg_stmt *many, struct pg_stmt *const *stmts, int count)
{
    struct pg_share *share = many->result != NULL ? malloc(sizeof(*share)) : NULL;

    if (share == NULL || !split(many->result, stmts, count)) {
        free(share); /* they ask again, by themselves */
        pg_share_drop(many);
        return;
    }
    share->result = many->result;
    atomic_init(&share->readers, count);
    for (int i = 0; i < count; i++) {
        stmts[i]->result = share->result;
        stmts[i]->share = share;
    }
    many->result = NULL;
}
