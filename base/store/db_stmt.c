/* SPDX-License-Identifier: Apache-2.0 */
/* Statements: prepared once per connection, every parameter bound, stepped three ways.
 * Every failure is remembered on the connection, so that a closure cannot lose one. */
#include "base/store/db_private.h"

#include <stdlib.h>
#include <string.h>

struct db_mended {
    struct db_mended *next;
    char text[];
};

FALLIBLE db_stmt_refuse(struct db_conn *conn, const char *why, const char *sql, struct err *err)
{
    (void)err_detail(err, ERR_INTERNAL, "%s: %.80s", why, sql);
    db_conn_note(conn, err);
    return ERR_INTERNAL;
}

static FALLIBLE stmt_new(struct db_conn *conn, const char *sql, bool cached,
                         struct db_stmt **ret_stmt, struct err *err)
{
    struct db_stmt *st;

    /* SQLite takes "$1::text" for a name of its own, whose parameter nobody binds: NULL,
     * and a condition on the tenant silently vanishes. */
    if (strstr(sql, "::") != NULL)
        return db_stmt_refuse(conn, "\"::\" in a statement, use CAST", sql, err);
    TRY(conn->engine->stmt_new(conn, sql, cached, &st, err));
    st->conn = conn;
    st->sql = sql;
    st->cached = cached;
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

static const char *step_problem(const struct db_stmt *st)
{
    uint64_t all = st->parameters == 64 ? UINT64_MAX : (UINT64_C(1) << st->parameters) - 1;

    if (st->problem != NULL)
        return st->problem;
    if (st->bound != all)
        return "a parameter is not bound";
    if (st->ended)
        return "a statement was stepped after its end";
    if (!st->stepped && st->conn->one && st->conn->begun > 0)
        return "a second statement where one was announced";
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
            conn->engine->stmt_free(st);
        }
    }
}

struct db_stmt *db_stmt_cached(struct db_conn *conn, const char *sql)
{
    struct db_stmt *st = *bucket_of(conn, sql);

    while (st != NULL && st->sql != sql)
        st = st->next;
    return st;
}

FALLIBLE db_stmt_number(struct db_conn *conn, const char *sql, int64_t *ret_number,
                        struct err *err)
{
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    switch (db_step(st, err)) {
    case DB_ROW:
        *ret_number = db_get_i64(st, 0);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_INTERNAL, "no row: %s", sql);
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE db_prepare(struct db_conn *conn, const char *sql, struct db_stmt **ret_stmt,
                    struct err *err)
{
    struct db_stmt **bucket = bucket_of(conn, sql), *st = db_stmt_cached(conn, sql);

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
    st->stepped = st->ended = st->collected = false;
    st->next_out = conn->borrowed;
    conn->borrowed = st;
    *ret_stmt = st;
    return ERR_OK;
}

FALLIBLE db_prepare2(struct db_conn *conn, const char *sqlite, const char *pg,
                     struct db_stmt **ret_stmt, struct err *err)
{
    return db_prepare(conn, conn->engine == &sqlite_engine ? sqlite : pg, ret_stmt, err);
}

FALLIBLE db_prepare_rows(struct db_conn *conn, const char *sql, struct db_stmt **ret_stmt,
                         struct err *err)
{
    TRY(db_prepare(conn, sql, ret_stmt, err));
    (*ret_stmt)->collected = true;
    return ERR_OK;
}

void db_done(struct db_stmt **stmt)
{
    struct db_stmt *st = *stmt;

    if (st == NULL)
        return;
    *stmt = NULL;
    unlink_borrowed(st);
    while (st->mended != NULL) {
        struct db_mended *mended = st->mended;
        st->mended = mended->next;
        free(mended);
    }
    if (!st->cached) {
        st->conn->engine->stmt_free(st);
        return;
    }
    st->conn->engine->stmt_reset(st, true);
    st->busy = false;
}

/* False with the problem noted when there is no such position. */
static bool bind_begin(struct db_stmt *st, int position)
{
    if (position < 1 || position > st->parameters) {
        st->problem = "a parameter that does not exist was bound";
        return false;
    }
    if (st->stepped) { /* bound again, to run once more */
        st->conn->engine->stmt_reset(st, false);
        st->stepped = st->ended = false;
    }
    st->bound |= UINT64_C(1) << (position - 1);
    return true;
}

static void bind_end(struct db_stmt *st, const char *problem)
{
    if (st->problem == NULL)
        st->problem = problem;
}

void db_bind_i64(struct db_stmt *stmt, int position, int64_t value)
{
    if (bind_begin(stmt, position))
        bind_end(stmt, stmt->conn->engine->bind_i64(stmt, position, value));
}

/* What strangers say is stored, whatever bytes it is made of. A text that is looked up
 * has the same bytes mended in the same way. */
void db_stmt_mend(char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t size = 1;

        while (size <= 4 && size <= len - at && !str_is_utf8((struct str){text + at, size}))
            size++;
        if (size > 4 || size > len - at || text[at] == '\0') {
            text[at] = '?';
            size = 1;
        }
        at += size;
    }
}

/* A mended copy, which lives as long as the statement is in use. */
static struct str mend(struct db_stmt *st, struct str text)
{
    struct db_mended *mended = malloc(sizeof(*mended) + text.len);

    if (mended == NULL) {
        st->problem = "out of memory for a text";
        return STR("");
    }
    mended->next = st->mended;
    st->mended = mended;
    memcpy(mended->text, text.ptr, text.len);
    db_stmt_mend(mended->text, text.len);
    return (struct str){mended->text, text.len};
}

void db_bind_text(struct db_stmt *stmt, int position, struct str text)
{
    if (!bind_begin(stmt, position))
        return;
    /* SQLite and PostgreSQL disagree about NUL inside text. */
    if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)
        stmt->problem = "a text holds a NUL byte";
    if (text.len == 0)
        text = STR("");
    else if (!str_is_utf8(text))
        text = mend(stmt, text);
    bind_end(stmt, stmt->conn->engine->bind_text(stmt, position, text));
}

void db_bind_blob(struct db_stmt *stmt, int position, const void *bytes, size_t len)
{
    if (bind_begin(stmt, position))
        bind_end(stmt,
                 stmt->conn->engine->bind_blob(stmt, position, len > 0 ? bytes : "", len));
}

void db_bind_null(struct db_stmt *stmt, int position)
{
    if (bind_begin(stmt, position))
        bind_end(stmt, stmt->conn->engine->bind_null(stmt, position));
}

/* ERR_OK when the engine may go on. */
static FALLIBLE step_begin(struct db_stmt *stmt, struct err *err)
{
    const char *problem = step_problem(stmt);

    if (problem != NULL)
        return db_stmt_refuse(stmt->conn, problem, stmt->sql, err);
    if (!stmt->stepped)
        stmt->conn->begun++;
    stmt->stepped = true;
    return ERR_OK;
}

enum db_step db_step(struct db_stmt *stmt, struct err *err)
{
    if (stmt->collected && stmt->problem == NULL)
        stmt->problem = "a statement that is collected was stepped";
    if (step_begin(stmt, err) != ERR_OK)
        return DB_FAIL;
    enum db_step step = stmt->conn->engine->step(stmt, err);
    stmt->ended = step != DB_ROW;
    return step;
}

static FALLIBLE run(struct db_stmt *stmt, int64_t *number, const char *otherwise,
                    struct err *err)
{
    TRY(step_begin(stmt, err));
    stmt->ended = true;
    return stmt->conn->engine->run(stmt, number, otherwise, err);
}

FALLIBLE db_run(struct db_stmt *stmt, struct err *err)
{
    return run(stmt, NULL, NULL, err);
}

FALLIBLE db_run_one(struct db_stmt *stmt, const char *otherwise, struct err *err)
{
    return run(stmt, NULL, otherwise, err);
}

FALLIBLE db_run_i64(struct db_stmt *stmt, int64_t *number, const char *otherwise,
                    struct err *err)
{
    return run(stmt, number, otherwise, err);
}

enum err_code db_stmt_not_one(struct db_conn *conn, const char *otherwise, struct err *err)
{
    (void)err_detail(err, ERR_CONFLICT, "%s", otherwise);
    db_conn_note(conn, err);
    return ERR_CONFLICT;
}

int64_t db_changes(struct db_stmt *stmt)
{
    struct err ignored; /* noted on the connection: the closure fails */

    if (stmt->collected)
        (void)!db_stmt_refuse(stmt->conn, "a statement that is collected was counted",
                              stmt->sql, &ignored);
    return stmt->conn->engine->changes(stmt);
}

static bool has_column(struct db_stmt *stmt, int column)
{
    return column >= 0 && column < stmt->conn->engine->columns(stmt);
}

int64_t db_get_i64(struct db_stmt *stmt, int column)
{
    ASSERT(has_column(stmt, column));
    return stmt->conn->engine->get_i64(stmt, column);
}

struct str db_get_text(struct db_stmt *stmt, int column)
{
    ASSERT(has_column(stmt, column));
    return stmt->conn->engine->get_text(stmt, column);
}

bool db_is_null(struct db_stmt *stmt, int column)
{
    ASSERT(has_column(stmt, column));
    return stmt->conn->engine->is_null(stmt, column);
}

void db_copy_text(struct db_stmt *stmt, int column, char *dst, size_t size)
{
    ASSERT(str_copy(dst, size, db_get_text(stmt, column)));
}
