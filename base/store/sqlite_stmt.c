/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite's statements: checked, bound by name, stepped; and the engine's table. */
#include "base/store/sqlite_private.h"

#include <stdlib.h>
#include <string.h>

struct sqlite_stmt {
    struct db_stmt base;
    sqlite3_stmt *stmt;
    uint8_t index[DB_PARAMETERS_MAX]; /* SQLite's index of $1, $2, … */
};

static struct sqlite_stmt *of(struct db_stmt *stmt)
{
    return (struct sqlite_stmt *)stmt; /* its first member */
}

/* "$7" → 7; 0 for any other name. */
static int parameter_number(const char *name)
{
    int number = 0;

    if (name == NULL || name[0] != '$' || name[1] < '1' || name[1] > '9')
        return 0;
    for (const char *c = name + 1; *c != '\0'; c++) {
        if (*c < '0' || *c > '9' || number > DB_PARAMETERS_MAX)
            return 0;
        number = number * 10 + (*c - '0');
    }
    return number;
}

static const char *map_parameters(struct sqlite_stmt *st)
{
    int count = sqlite3_bind_parameter_count(st->stmt);

    st->base.parameters = count;
    if (count > DB_PARAMETERS_MAX)
        return "too many parameters";
    for (int i = 1; i <= count; i++) {
        int number = parameter_number(sqlite3_bind_parameter_name(st->stmt, i));
        if (number == 0)
            return "a parameter is not named $1, $2, …";
        if (number > count || st->index[number - 1] != 0)
            return "the parameters have a gap";
        st->index[number - 1] = (uint8_t)i;
    }
    return NULL;
}

static const char *check_tail(const struct sqlite_stmt *st, const char *tail)
{
    if (st->stmt == NULL)
        return "no statement";
    for (; *tail != '\0'; tail++) {
        if (strchr(" \t\r\n;", *tail) == NULL)
            return "more than one statement";
    }
    return NULL;
}

static void stmt_free(struct db_stmt *stmt)
{
    (void)sqlite3_finalize(of(stmt)->stmt);
    free(stmt);
}

static FALLIBLE stmt_new(struct db_conn *conn, const char *sql, bool cached,
                         struct db_stmt **ret_stmt, struct err *err)
{
    struct sqlite_stmt *st = calloc(1, sizeof(*st));
    const char *tail = sql;

    if (st == NULL)
        return sqlite_conn_failed(conn, SQLITE_NOMEM, sql, err);
    int result = sqlite3_prepare_v3(sqlite_conn_of(conn)->sqlite, sql, -1,
                                    cached ? SQLITE_PREPARE_PERSISTENT : 0, &st->stmt, &tail);
    if (result != SQLITE_OK) {
        enum err_code code = sqlite_conn_failed(conn, result, sql, err);
        stmt_free(&st->base);
        return code;
    }
    const char *why = check_tail(st, tail);
    if (why == NULL)
        why = map_parameters(st);
    if (why != NULL) {
        stmt_free(&st->base);
        return db_stmt_refuse(conn, why, sql, err);
    }
    *ret_stmt = &st->base;
    return ERR_OK;
}

static void stmt_reset(struct db_stmt *stmt, bool clear)
{
    (void)sqlite3_reset(of(stmt)->stmt);
    if (clear)
        (void)sqlite3_clear_bindings(of(stmt)->stmt);
}

static const char *problem_of(int result)
{
    if (result == SQLITE_OK)
        return NULL;
    return result == SQLITE_TOOBIG ? "a value is too big" : sqlite3_errstr(result);
}

static const char *bind_i64(struct db_stmt *stmt, int position, int64_t value)
{
    return problem_of(sqlite3_bind_int64(of(stmt)->stmt, of(stmt)->index[position - 1], value));
}

static const char *bind_text(struct db_stmt *stmt, int position, struct str text)
{
    return problem_of(sqlite3_bind_text64(of(stmt)->stmt, of(stmt)->index[position - 1],
                                          text.ptr, text.len, SQLITE_STATIC, SQLITE_UTF8));
}

static const char *bind_blob(struct db_stmt *stmt, int position, const void *bytes, size_t len)
{
    return problem_of(sqlite3_bind_blob64(of(stmt)->stmt, of(stmt)->index[position - 1], bytes,
                                          len, SQLITE_STATIC));
}

static const char *bind_null(struct db_stmt *stmt, int position)
{
    return problem_of(sqlite3_bind_null(of(stmt)->stmt, of(stmt)->index[position - 1]));
}

static enum db_step step(struct db_stmt *stmt, struct err *err)
{
    int result = sqlite3_step(of(stmt)->stmt);

    if (result == SQLITE_ROW)
        return DB_ROW;
    if (result == SQLITE_DONE) {
        if (!sqlite3_stmt_readonly(of(stmt)->stmt))
            stmt->changes = sqlite3_changes64(sqlite_conn_of(stmt->conn)->sqlite);
        return DB_DONE;
    }
    (void)sqlite_conn_failed(stmt->conn, result, stmt->sql, err);
    return DB_FAIL;
}

static FALLIBLE run_number(struct db_stmt *stmt, int64_t *number, const char *otherwise,
                           struct err *err)
{
    int rows = 0;

    for (;;) {
        switch (step(stmt, err)) {
        case DB_ROW:
            *number = sqlite3_column_int64(of(stmt)->stmt, 0);
            rows++;
            break;
        case DB_DONE:
            return rows == 1 ? ERR_OK : db_stmt_not_one(stmt->conn, otherwise, err);
        case DB_FAIL:
            return err->code;
        }
    }
}

static FALLIBLE run(struct db_stmt *stmt, int64_t *number, const char *otherwise,
                    struct err *err)
{
    if (number != NULL)
        return run_number(stmt, number, otherwise, err);
    switch (step(stmt, err)) {
    case DB_DONE:
        return otherwise == NULL || stmt->changes == 1
                   ? ERR_OK
                   : db_stmt_not_one(stmt->conn, otherwise, err);
    case DB_ROW:
        return db_stmt_refuse(stmt->conn, "a row nobody asked for", stmt->sql, err);
    case DB_FAIL:
        break;
    }
    return err->code;
}

static int64_t changes(struct db_stmt *stmt)
{
    return stmt->changes;
}

static int columns(struct db_stmt *stmt)
{
    return sqlite3_data_count(of(stmt)->stmt);
}

static int64_t get_i64(struct db_stmt *stmt, int column)
{
    return sqlite3_column_int64(of(stmt)->stmt, column);
}

static struct str get_text(struct db_stmt *stmt, int column)
{
    sqlite3_stmt *st = of(stmt)->stmt;
    int type = sqlite3_column_type(st, column);

    if (type == SQLITE_NULL)
        return str_from(NULL);
    const void *bytes = type == SQLITE_BLOB ? sqlite3_column_blob(st, column)
                                            : (const void *)sqlite3_column_text(st, column);
    int len = sqlite3_column_bytes(st, column);
    if (bytes == NULL) {
        if (type != SQLITE_BLOB || len != 0) { /* memory ran out: not an empty text */
            struct err err;
            (void)sqlite_conn_failed(stmt->conn, SQLITE_NOMEM, stmt->sql, &err);
        }
        return str_from(NULL);
    }
    return (struct str){bytes, (size_t)len};
}

static bool is_null(struct db_stmt *stmt, int column)
{
    return sqlite3_column_type(of(stmt)->stmt, column) == SQLITE_NULL;
}

static FALLIBLE finish(struct db_conn *conn, struct err *err)
{
    (void)conn, (void)err;
    return ERR_OK; /* every statement ends with its step */
}

const struct db_engine sqlite_engine = {
    .name = "sqlite",
    .writers = 1,
    .group_max = 128,
    .open = sqlite_conn_engine_open,
    .close = sqlite_conn_free,
    .schema = sqlite_conn_schema,
    .read_begin = sqlite_conn_read_begin,
    .read_end = sqlite_conn_read_end,
    .finish = finish,
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
    .run_group = sqlite_group_run,
    .after_group = sqlite_group_after,
    .writer_end = sqlite_group_end,
};
