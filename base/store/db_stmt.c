/* SPDX-License-Identifier: Apache-2.0 */
/* Statements: checked and prepared once per connection, bound by name, stepped
 * three ways. Every failure is remembered on the connection, so that a closure
 * cannot lose one. */
#include "base/store/db_private.h"

#include <stdlib.h>
#include <string.h>

/* Bits of the bound mask; the widest table has about forty columns. */
#define PARAMETERS_MAX 64

struct db_stmt {
    struct db_stmt *next;     /* in its bucket */
    struct db_stmt *next_out; /* in the connection's borrowed list */
    struct db_conn *conn;
    sqlite3_stmt *stmt;
    const char *sql;
    const char *problem; /* first bad bind; reported by the next step */
    uint64_t bound;
    int64_t changes;
    int parameters;
    uint8_t index[PARAMETERS_MAX]; /* SQLite's index of $1, $2, … */
    bool cached;
    bool busy;
    bool stepped;
    bool ended;
};

/* "$7" → 7; 0 for any other name. */
static int parameter_number(const char *name)
{
    int number = 0;

    if (name == NULL || name[0] != '$' || name[1] < '1' || name[1] > '9')
        return 0;
    for (const char *c = name + 1; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || number > PARAMETERS_MAX)
            return 0;
        number = number * 10 + (*c - '0');
    }
    return number;
}

/* SQLite takes "$1::text" for a name of its own, whose parameter nobody binds:
 * NULL, and a condition on the tenant silently vanishes. */
static const char *map_parameters(struct db_stmt *st)
{
    st->parameters = sqlite3_bind_parameter_count(st->stmt);
    if (st->parameters > PARAMETERS_MAX)
        return "too many parameters";
    for (int i = 1; i <= st->parameters; i++) {
        int number = parameter_number(sqlite3_bind_parameter_name(st->stmt, i));
        if (number == 0)
            return "a parameter is not named $1, $2, …";
        if (number > st->parameters || st->index[number - 1] != 0)
            return "the parameters have a gap";
        st->index[number - 1] = (uint8_t)i;
    }
    return NULL;
}

static const char *check_tail(const struct db_stmt *st, const char *tail)
{
    if (st->stmt == NULL)
        return "no statement";
    for (; *tail != '\0'; tail++) {
        if (strchr(" \t\r\n;", *tail) == NULL)
            return "more than one statement";
    }
    return NULL;
}

static void stmt_free(struct db_stmt *st)
{
    (void)sqlite3_finalize(st->stmt);
    free(st);
}

static FALLIBLE refuse(struct db_conn *conn, const char *why, const char *sql, struct err *err)
{
    (void)err_detail(err, ERR_INTERNAL, "%s: %.80s", why, sql);
    db_conn_note(conn, err);
    return ERR_INTERNAL;
}

static FALLIBLE stmt_new(struct db_conn *conn, const char *sql, bool cached,
                         struct db_stmt **ret_stmt, struct err *err)
{
    struct db_stmt *st = calloc(1, sizeof(*st));
    const char *tail = sql;

    if (st == NULL)
        return db_conn_failed(conn, SQLITE_NOMEM, sql, err);
    st->conn = conn;
    st->sql = sql;
    st->cached = cached;
    int result = sqlite3_prepare_v3(conn->sqlite, sql, -1,
                                    cached ? SQLITE_PREPARE_PERSISTENT : 0, &st->stmt, &tail);
    if (result != SQLITE_OK) {
        enum err_code code = db_conn_failed(conn, result, sql, err);
        stmt_free(st);
        return code;
    }
    const char *why = check_tail(st, tail);
    if (why == NULL && strstr(sql, "::") != NULL)
        why = "\"::\" in a statement, use CAST";
    if (why == NULL)
        why = map_parameters(st);
    if (why != NULL) {
        stmt_free(st);
        return refuse(conn, why, sql, err);
    }
    *ret_stmt = st;
    return ERR_OK;
}

static struct db_stmt **bucket_of(struct db_conn *conn, const char *sql)
{
    uintptr_t key = (uintptr_t)sql;

    return &conn->cache[(key ^ (key >> 7)) % DB_CACHE_BUCKETS];
}

static void unlink_borrowed(struct db_stmt *st)
{
    struct db_stmt **ref = &st->conn->borrowed;

    while (*ref != st)
        ref = &(*ref)->next_out;
    *ref = st->next_out;
}

/* SQLite's index for a position, or 0 with the problem noted. */
static int bind_begin(struct db_stmt *st, int position)
{
    if (position < 1 || position > st->parameters) {
        st->problem = "a parameter that does not exist was bound";
        return 0;
    }
    if (st->stepped) { /* bound again, to run once more */
        (void)sqlite3_reset(st->stmt);
        st->stepped = st->ended = false;
    }
    st->bound |= UINT64_C(1) << (position - 1);
    return st->index[position - 1];
}

static void bind_end(struct db_stmt *st, int result)
{
    if (result != SQLITE_OK && st->problem == NULL)
        st->problem = result == SQLITE_TOOBIG ? "a value is too big" : sqlite3_errstr(result);
}

static const char *step_problem(const struct db_stmt *st)
{
    uint64_t all = st->parameters == 64 ? UINT64_MAX : (UINT64_C(1) << st->parameters) - 1;

    if (st->problem != NULL)
        return st->problem;
    if (st->bound != all)
        return "a parameter is not bound";
    if (st->ended)
        return "a statement was stepped after its end";
    return NULL;
}

bool db_stmt_reclaim(struct db_conn *conn)
{
    bool found = conn->borrowed != NULL;

    while (conn->borrowed != NULL) {
        struct db_stmt *st = conn->borrowed;
        db_done(&st);
    }
    return found;
}

void db_stmt_drop_cache(struct db_conn *conn)
{
    ASSERT(conn->borrowed == NULL);
    for (size_t i = 0; i < DB_CACHE_BUCKETS; i++) {
        while (conn->cache[i] != NULL) {
            struct db_stmt *st = conn->cache[i];
            conn->cache[i] = st->next;
            stmt_free(st);
        }
    }
}

FALLIBLE db_prepare(struct db_conn *conn, const char *sql, struct db_stmt **ret_stmt,
                    struct err *err)
{
    struct db_stmt **bucket = bucket_of(conn, sql), *st = *bucket;

    while (st != NULL && st->sql != sql)
        st = st->next;
    if (st == NULL) {
        TRY(stmt_new(conn, sql, true, &st, err));
        st->next = *bucket;
        *bucket = st;
    } else if (st->busy) { /* nested use: a copy for this once */
        TRY(stmt_new(conn, sql, false, &st, err));
    }
    st->busy = true;
    st->bound = 0;
    st->changes = 0;
    st->problem = NULL;
    st->stepped = st->ended = false;
    st->next_out = conn->borrowed;
    conn->borrowed = st;
    *ret_stmt = st;
    return ERR_OK;
}

void db_done(struct db_stmt **stmt)
{
    struct db_stmt *st = *stmt;

    if (st == NULL)
        return;
    *stmt = NULL;
    unlink_borrowed(st);
    if (!st->cached) {
        stmt_free(st);
        return;
    }
    (void)sqlite3_reset(st->stmt);
    (void)sqlite3_clear_bindings(st->stmt);
    st->busy = false;
}

void db_bind_i64(struct db_stmt *stmt, int position, int64_t value)
{
    int index = bind_begin(stmt, position);

    if (index != 0)
        bind_end(stmt, sqlite3_bind_int64(stmt->stmt, index, value));
}

void db_bind_text(struct db_stmt *stmt, int position, struct str text)
{
    int index = bind_begin(stmt, position);

    if (index == 0)
        return;
    /* SQLite and PostgreSQL disagree about NUL inside text. */
    if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)
        stmt->problem = "a text holds a NUL byte";
    bind_end(stmt, sqlite3_bind_text64(stmt->stmt, index, text.len > 0 ? text.ptr : "",
                                       text.len, SQLITE_STATIC, SQLITE_UTF8));
}

void db_bind_blob(struct db_stmt *stmt, int position, const void *bytes, size_t len)
{
    int index = bind_begin(stmt, position);

    if (index != 0)
        bind_end(stmt, sqlite3_bind_blob64(stmt->stmt, index, len > 0 ? bytes : "", len,
                                           SQLITE_STATIC));
}

void db_bind_null(struct db_stmt *stmt, int position)
{
    int index = bind_begin(stmt, position);

    if (index != 0)
        bind_end(stmt, sqlite3_bind_null(stmt->stmt, index));
}

enum db_step db_step(struct db_stmt *stmt, struct err *err)
{
    const char *problem = step_problem(stmt);

    if (problem != NULL) {
        enum err_code code = refuse(stmt->conn, problem, stmt->sql, err);
        (void)code; /* always ERR_INTERNAL, and noted on the connection */
        return DB_FAIL;
    }
    stmt->stepped = true;
    int result = sqlite3_step(stmt->stmt);
    if (result == SQLITE_ROW)
        return DB_ROW;
    stmt->ended = true;
    if (result == SQLITE_DONE) {
        if (!sqlite3_stmt_readonly(stmt->stmt))
            stmt->changes = sqlite3_changes64(stmt->conn->sqlite);
        return DB_DONE;
    }
    (void)db_conn_failed(stmt->conn, result, stmt->sql, err);
    return DB_FAIL;
}

FALLIBLE db_run(struct db_stmt *stmt, struct err *err)
{
    switch (db_step(stmt, err)) {
    case DB_DONE:
        return ERR_OK;
    case DB_ROW:
        return refuse(stmt->conn, "a row nobody asked for", stmt->sql, err);
    case DB_FAIL:
        break;
    }
    return err->code;
}

int64_t db_changes(const struct db_stmt *stmt)
{
    return stmt->changes;
}

int64_t db_get_i64(struct db_stmt *stmt, int column)
{
    ASSERT(column >= 0 && column < sqlite3_data_count(stmt->stmt));
    return sqlite3_column_int64(stmt->stmt, column);
}

struct str db_get_text(struct db_stmt *stmt, int column)
{
    ASSERT(column >= 0 && column < sqlite3_data_count(stmt->stmt));
    int type = sqlite3_column_type(stmt->stmt, column);
    if (type == SQLITE_NULL)
        return str_from(NULL);
    const void *bytes = type == SQLITE_BLOB
                            ? sqlite3_column_blob(stmt->stmt, column)
                            : (const void *)sqlite3_column_text(stmt->stmt, column);
    int len = sqlite3_column_bytes(stmt->stmt, column);
    if (bytes == NULL) {
        if (type != SQLITE_BLOB || len != 0) { /* memory ran out: not an empty text */
            struct err err;
            (void)db_conn_failed(stmt->conn, SQLITE_NOMEM, stmt->sql, &err);
        }
        return str_from(NULL);
    }
    return (struct str){bytes, (size_t)len};
}

bool db_is_null(struct db_stmt *stmt, int column)
{
    ASSERT(column >= 0 && column < sqlite3_data_count(stmt->stmt));
    return sqlite3_column_type(stmt->stmt, column) == SQLITE_NULL;
}

void db_copy_text(struct db_stmt *stmt, int column, char *dst, size_t size)
{
    ASSERT(str_copy(dst, size, db_get_text(stmt, column)));
}
