/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL's statements: their values sent and read in binary; and the engine's table. */
#include "base/store/pg_private.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pg_stmt *of(struct db_stmt *stmt)
{
    return (struct pg_stmt *)stmt; /* its first member */
}

/* ---- statements -------------------------------------------------------------------------- */

static void stmt_free(struct db_stmt *stmt)
{
    struct pg_stmt *st = of(stmt);
    struct pg_conn *conn = stmt->conn != NULL ? pg_conn_of(stmt->conn) : NULL;

    for (int i = 0; conn != NULL && i < conn->pending_count; i++) {
        if (conn->pending[i].stmt == st)
            conn->pending[i].stmt = NULL;
    }
    for (int i = 0; conn != NULL && i < conn->open_count; i++)
        ASSERT(conn->open[i] != st);
    pg_share_drop(st);
    pg_rows_free(st->rows);
    if (st->many != NULL) {
        free((void *)(uintptr_t)st->many->base.sql);
        stmt_free(&st->many->base);
    }
    free(st);
}

static FALLIBLE stmt_new(struct db_conn *conn, const char *sql, bool cached,
                         struct db_stmt **ret_stmt, struct err *err)
{
    struct pg_conn *own = pg_conn_of(conn);
    const struct pg_shape *shape;

    TRY(pg_shape_of(own, sql, &shape, err));
    struct pg_stmt *st = calloc(1, sizeof(*st));
    if (st == NULL) {
        (void)err_detail(err, ERR_UNAVAILABLE, "out of memory for a statement");
        db_conn_note(conn, err);
        return ERR_UNAVAILABLE;
    }
    st->shape = shape;
    st->base.parameters = shape->count;
    st->prototype = cached ? st : of(db_stmt_cached(conn, sql));
    (void)snprintf(st->name, sizeof(st->name), "s%llu", (unsigned long long)++own->names);
    *ret_stmt = &st->base;
    return ERR_OK;
}

static void stmt_reset(struct db_stmt *stmt, bool clear)
{
    (void)clear; /* values are set before each use */
    pg_share_drop(of(stmt));
}

static const char *bind_i64(struct db_stmt *stmt, int position, int64_t value)
{
    struct pg_stmt *st = of(stmt);

    if (st->shape->types[position - 1] != PG_INT8)
        return "an integer was bound where none goes";
    st->wire[position - 1] = __builtin_bswap64((uint64_t)value);
    st->values[position - 1] = (const char *)&st->wire[position - 1];
    st->lengths[position - 1] = 8;
    return NULL;
}

static const char *bind_bytes(struct pg_stmt *st, int position, const void *bytes, size_t len)
{
    if (len > 64 << 20)
        return "a value is too big"; /* as SQLite's connections are set */
    st->values[position - 1] = bytes;
    st->lengths[position - 1] = (int)len;
    return NULL;
}

static const char *bind_text(struct db_stmt *stmt, int position, struct str text)
{
    if (of(stmt)->shape->types[position - 1] == PG_INT8)
        return "a text was bound where none goes";
    return bind_bytes(of(stmt), position, text.ptr, text.len);
}

static const char *bind_blob(struct db_stmt *stmt, int position, const void *bytes, size_t len)
{
    if (of(stmt)->shape->types[position - 1] != PG_BYTEA)
        return "bytes were bound where none go";
    return bind_bytes(of(stmt), position, bytes, len);
}

static const char *bind_null(struct db_stmt *stmt, int position)
{
    of(stmt)->values[position - 1] = NULL;
    of(stmt)->lengths[position - 1] = 0;
    return NULL;
}

void pg_stmt_answer(const struct pg_pending *pending, PGresult *result)
{
    struct pg_stmt *st = pending->stmt;
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;

    free(pending->numbers);
    if (st != NULL && pending->kind == PG_PREPARE)
        st->prepared = good ? PREPARED : UNPREPARED;
    if (st != NULL && pending->run == st->runs && good &&
        (pending->kind == PG_RUN || pending->kind == PG_STEP)) {
        bool wrote = strncmp(PQcmdStatus(result), "SELECT", 6) != 0;
        st->base.changes = wrote ? strtoll(PQcmdTuples(result), NULL, 10) : 0;
        if (pending->kind == PG_STEP) {
            pg_share_drop(st);
            st->result = result;
            st->end = PQntuples(result);
            return;
        }
    }
    PQclear(result);
}

/* Queues one execution by prototype's name, and its preparation when that is still to come.
 * */
void pg_stmt_queue(struct pg_conn *conn, struct pg_stmt *prototype,
                   const struct pg_pending *pending, const Oid *types,
                   const char *const *values, const int *lengths)
{
    static const int binary[DB_PARAMETERS_MAX] = {
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct pg_pending prepare = {.kind = PG_PREPARE, .sql = pending->sql, .stmt = prototype};
    int count = prototype->base.parameters;
    struct err ignored; /* noted on the connection */

    if (prototype->prepared == UNPREPARED && pg_conn_note(conn, &prepare)) {
        prototype->prepared = PREPARING;
        if (PQsendPrepare(conn->pg, prototype->name, pending->sql, count, types) != 1)
            (void)pg_error_lost(conn, PQerrorMessage(conn->pg), &ignored);
    }
    if (!pg_conn_note(conn, pending))
        free(pending->numbers);
    else if (PQsendQueryPrepared(conn->pg, prototype->name, count, values, lengths, binary,
                                 1) != 1)
        (void)pg_error_lost(conn, PQerrorMessage(conn->pg), &ignored);
}

/* Queues a statement by itself, behind what it may have to see. */
static void queue(struct pg_conn *conn, struct pg_stmt *prototype, struct pg_stmt *st,
                  struct pg_pending pending)
{
    if (conn->open_count > 0)
        pg_rows_send(conn, st->base.sql);
    pending.stmt = st;
    pending.sql = st->base.sql;
    pending.run = ++st->runs;
    pending.rows = 1;
    conn->wrote |= pending.kind == PG_RUN || strncmp(st->base.sql, "SELECT", 6) != 0;
    pg_stmt_queue(conn, prototype, &pending, st->shape->types, st->values, st->lengths);
}

FALLIBLE pg_stmt_send(struct pg_conn *conn, struct pg_stmt *stmt, struct err *err)
{
    CLEANUP(db_done) struct db_stmt *prototype = NULL;

    TRY(db_prepare(&conn->base, stmt->base.sql, &prototype, err));
    queue(conn, of(prototype), stmt, (struct pg_pending){.kind = PG_STEP});
    return conn->lost ? pg_error_lost(conn, "the connection was lost before", err) : ERR_OK;
}

bool pg_stmt_has_rows(const struct pg_stmt *stmt)
{
    return stmt->result != NULL;
}

/* Sends all that waits, with this one at the end. */
static FALLIBLE execute(struct pg_stmt *st, struct err *err)
{
    struct pg_conn *conn = pg_conn_of(st->base.conn);

    if (conn->batch != NULL) {
        enum err_code code = pg_batch_ask(conn->batch, st, &conn->retry, err);

        if (code != ERR_OK) {
            conn->base.engine_failed = true;
            db_conn_note(&conn->base, err);
        }
        return code;
    }
    queue(conn, st->prototype, st, (struct pg_pending){.kind = PG_STEP});
    return pg_conn_flush(conn, err);
}

static enum db_step step(struct db_stmt *stmt, struct err *err)
{
    struct pg_stmt *st = of(stmt);

    if (st->result == NULL) {
        if (execute(st, err) != ERR_OK)
            return DB_FAIL;
        if (st->result == NULL) { /* skipped, because one before it failed */
            *err = stmt->conn->failed;
            ASSERT(err->code != ERR_OK);
            return DB_FAIL;
        }
    }
    return ++st->row < st->end ? DB_ROW : DB_DONE;
}

/* Collects it with others of its kind. */
static FALLIBLE collect(struct pg_stmt *st, int64_t *number, const char *otherwise,
                        struct err *err)
{
    struct pg_conn *conn = pg_conn_of(st->base.conn);
    struct pg_stmt *prototype = st->prototype;

    if (prototype->rows == NULL &&
        pg_rows_new(st->base.sql, st->shape, &prototype->rows, err) != ERR_OK) {
        db_conn_note(&conn->base, err);
        return err->code;
    }
    return pg_rows_add(conn, prototype, st->values, st->lengths, number, otherwise, err);
}

static FALLIBLE run(struct db_stmt *stmt, int64_t *number, const char *otherwise,
                    struct err *err)
{
    struct pg_conn *conn = pg_conn_of(stmt->conn);
    struct pg_pending pending = {.kind = PG_RUN, .otherwise = otherwise};

    if (conn->lost)
        return pg_error_lost(conn, "the connection was lost before", err);
    if (stmt->collected)
        return collect(of(stmt), number, otherwise, err);
    if (number != NULL)
        pending.numbers = malloc(sizeof(number));
    if (number != NULL && pending.numbers == NULL) {
        (void)err_detail(err, ERR_UNAVAILABLE, "out of memory for an answer");
        db_conn_note(&conn->base, err);
        return ERR_UNAVAILABLE;
    }
    if (number != NULL)
        pending.numbers[0] = number;
    queue(conn, of(stmt)->prototype, of(stmt), pending);
    return conn->lost ? pg_error_lost(conn, "the connection was lost before", err) : ERR_OK;
}

static int64_t changes(struct db_stmt *stmt)
{
    struct pg_conn *conn = pg_conn_of(stmt->conn);
    struct err ignored; /* noted on the connection: the closure fails */

    for (int i = 0; i < conn->pending_count; i++) {
        if (conn->pending[i].stmt == of(stmt) && pg_conn_flush(conn, &ignored) != ERR_OK)
            return 0;
    }
    return stmt->changes;
}

static int columns(struct db_stmt *stmt)
{
    struct pg_stmt *st = of(stmt);

    return st->result != NULL && st->row >= 0 && st->row < st->end ? PQnfields(st->result) : 0;
}

bool pg_stmt_number(const PGresult *result, int row, int column, int64_t *ret_number)
{
    const char *bytes = PQgetvalue(result, row, column);
    uint64_t wide;
    uint32_t narrow;

    *ret_number = 0;
    if (PQgetisnull(result, row, column))
        return true;
    switch (PQftype(result, column)) {
    case PG_INT8:
        memcpy(&wide, bytes, 8);
        *ret_number = (int64_t)__builtin_bswap64(wide);
        return true;
    case PG_INT4:
        memcpy(&narrow, bytes, 4);
        *ret_number = (int32_t)__builtin_bswap32(narrow);
        return true;
    case PG_BOOL:
        *ret_number = bytes[0] != 0;
        return true;
    default:
        return false;
    }
}

static int64_t get_i64(struct db_stmt *stmt, int column)
{
    const struct pg_stmt *st = of(stmt);
    struct err ignored;
    int64_t number;

    if (!pg_stmt_number(st->result, st->row, column, &number))
        (void)!db_stmt_refuse(stmt->conn, "a column is no integer", stmt->sql, &ignored);
    return number;
}

static struct str get_text(struct db_stmt *stmt, int column)
{
    const struct pg_stmt *st = of(stmt);
    struct err ignored;

    if (PQgetisnull(st->result, st->row, column))
        return str_from(NULL);
    switch (PQftype(st->result, column)) {
    case PG_TEXT:
    case PG_BYTEA:
    case PG_VARCHAR:
    case PG_NAME:
    case PG_UNKNOWN:
        return (struct str){PQgetvalue(st->result, st->row, column),
                            (size_t)PQgetlength(st->result, st->row, column)};
    default:
        (void)!db_stmt_refuse(stmt->conn, "a column is no text", stmt->sql, &ignored);
        return STR("");
    }
}

static bool is_null(struct db_stmt *stmt, int column)
{
    return PQgetisnull(of(stmt)->result, of(stmt)->row, column) != 0;
}

/* ---- connections, as the engine's table wants them -----------------------------------------
 */

static FALLIBLE open_conn(const struct db_options *options, enum db_role role,
                          struct db_conn **ret_conn, struct err *err)
{
    return pg_open_new(options->path, role, ret_conn, err);
}

static void close_conn(struct db_conn *conn)
{
    PQfinish(pg_conn_of(conn)->pg);
    free(conn);
}

static FALLIBLE read_begin(struct db_conn *conn, struct err *err)
{
    (void)err;
    pg_conn_forget(pg_conn_of(conn));
    pg_conn_verb(pg_conn_of(conn), PG_VERB_BEGIN_READ);
    return ERR_OK; /* goes out with the first statement */
}

static void read_end(struct db_conn *conn)
{
    pg_conn_verb(pg_conn_of(conn), PG_VERB_ROLLBACK);
    pg_conn_send(pg_conn_of(conn)); /* answered when the connection is wanted again */
}

static FALLIBLE finish(struct db_conn *conn, struct err *err)
{
    return pg_conn_of(conn)->pending_count > 0 ? pg_conn_flush(pg_conn_of(conn), err) : ERR_OK;
}

/* An idle server says nothing, unless it has ended the connection. */
static bool is_alive(struct db_conn *conn)
{
    struct pg_conn *own = pg_conn_of(conn);
    struct pollfd fd = {.fd = PQsocket(own->pg), .events = POLLIN};

    if (own->lost || (own->pending_count > 0 && !pg_conn_settle(own)))
        return false;
    return poll(&fd, 1, 0) == 0 ||
           (PQconsumeInput(own->pg) == 1 && PQstatus(own->pg) == CONNECTION_OK);
}

const struct db_engine pg_engine = {
    .name = "postgresql",
    .writers = DB_WRITERS_MAX,
    /* Above 64 subtransactions in one transaction every snapshot has to look them up. */
    .group_max = DB_LANES_MAX,
    .open = open_conn,
    .close = close_conn,
    .schema = pg_migrate_schema,
    .read_begin = read_begin,
    .read_end = read_end,
    .finish = finish,
    .is_alive = is_alive,
    .stmt_new = stmt_new,
    .stmt_free = stmt_free,
    .stmt_reset = stmt_reset,
    .bind_i64 = bind_i64,
    .bind_text = bind_text,
    .bind_blob = bind_blob,
    .bind_null = bind_null,
    .step = step,
    .run = run,
    .changes = changes,
    .columns = columns,
    .get_i64 = get_i64,
    .get_text = get_text,
    .is_null = is_null,
    .run_group = pg_group_run,
    .writer_end = pg_group_end,
};
