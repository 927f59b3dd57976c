/* SPDX-License-Identifier: Apache-2.0 */
/* The source of a copy: which tables and columns a SQLite file has, and their rows. */
#include "base/store/copy_private.h"

enum { SQL_MAX = 64 << 10 };

static enum copy_kind kind_of(struct str type)
{
    return str_is(type, "INTEGER") ? COPY_INTEGER
           : str_is(type, "TEXT")  ? COPY_TEXT
           : str_is(type, "BLOB")  ? COPY_BYTES
                                   : COPY_OTHER;
}

FALLIBLE sqlite_copy_tables(struct db_conn *conn, struct copy_tables *ret_tables,
                            struct err *err)
{
    static const char sql[] =
        "SELECT t.name, c.name, c.type, c.pk FROM sqlite_schema t, pragma_table_xinfo(t.name) c"
        " WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite~_%' ESCAPE '~'"
        " AND t.name <> 'schema_version' AND c.hidden = 0 ORDER BY t.name, c.cid";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &st, err));
    while ((step = db_step(st, err)) == DB_ROW) {
        struct copy_column column = {.kind = kind_of(db_get_text(st, 2)),
                                     .key = (int)db_get_i64(st, 3)};

        db_copy_text(st, 1, column.name, sizeof(column.name));
        TRY(db_copy_add_column(ret_tables, db_get_text(st, 0), &column, err));
    }
    return step == DB_DONE ? ERR_OK : err->code;
}

static FALLIBLE put_order(struct buf *sql, const struct copy_table *table, struct err *err)
{
    int keys = 0;

    for (int place = 1; place <= table->count; place++) {
        for (int i = 0; i < table->count; i++) {
            if (table->columns[i].key != place)
                continue;
            buf_puts(sql, keys++ == 0 ? " ORDER BY " : ", ");
            db_copy_quote(sql, table->columns[i].name);
        }
    }
    return keys > 0 ? ERR_OK
                    : err_detail(err, ERR_INTERNAL, "table %s has no primary key", table->name);
}

static FALLIBLE prepare(struct db_conn *conn, const struct buf *sql, sqlite3_stmt **ret_stmt,
                        struct err *err)
{
    TRY(buf_check(sql, err));
    int result = sqlite3_prepare_v2(sqlite_conn_of(conn)->sqlite, sql->ptr, -1, ret_stmt, NULL);

    return result == SQLITE_OK ? ERR_OK : sqlite_conn_error(conn, result, sql->ptr, err);
}

FALLIBLE sqlite_copy_count(struct db_conn *conn, const struct copy_table *table,
                           int64_t *ret_count, struct err *err)
{
    CLEANUP(buf_fini) struct buf sql = {0};
    sqlite3_stmt *stmt = NULL;

    buf_init(&sql, SQL_MAX);
    buf_puts(&sql, "SELECT count(*) FROM ");
    db_copy_quote(&sql, table->name);
    TRY(prepare(conn, &sql, &stmt, err));
    int result = sqlite3_step(stmt);

    if (result == SQLITE_ROW)
        *ret_count = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return result == SQLITE_ROW ? ERR_OK : sqlite_conn_error(conn, result, sql.ptr, err);
}

FALLIBLE sqlite_copy_open(struct db_conn *conn, const struct copy_table *table,
                          struct sqlite_copy *ret_rows, struct err *err)
{
    CLEANUP(buf_fini) struct buf sql = {0};

    *ret_rows = (struct sqlite_copy){.conn = conn, .table = table};
    buf_init(&sql, SQL_MAX);
    buf_puts(&sql, "SELECT ");
    db_copy_quote_columns(&sql, table);
    buf_puts(&sql, " FROM ");
    db_copy_quote(&sql, table->name);
    TRY(put_order(&sql, table, err));
    return prepare(conn, &sql, &ret_rows->stmt, err);
}

/* True when it is of the kind that the table announces. */
static bool take_value(struct sqlite_copy *rows, int i)
{
    static const int types[] = {
        [COPY_INTEGER] = SQLITE_INTEGER, [COPY_TEXT] = SQLITE_TEXT, [COPY_BYTES] = SQLITE_BLOB};
    enum copy_kind kind = rows->table->columns[i].kind;
    int type = sqlite3_column_type(rows->stmt, i);

    rows->values[i] = (struct copy_value){.absent = type == SQLITE_NULL, .text = STR("")};
    if (type == SQLITE_INTEGER)
        rows->values[i].number = sqlite3_column_int64(rows->stmt, i);
    if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
        const void *bytes = sqlite3_column_blob(rows->stmt, i);
        int len = sqlite3_column_bytes(rows->stmt, i);

        if (bytes != NULL)
            rows->values[i].text = (struct str){bytes, (size_t)len};
    }
    return type == types[kind] || type == SQLITE_NULL;
}

FALLIBLE sqlite_copy_next(struct sqlite_copy *rows, bool *ret_more, struct err *err)
{
    char name[COPY_ROW_NAME_SIZE];
    int result = sqlite3_step(rows->stmt), bad = -1;

    if (result != SQLITE_ROW && result != SQLITE_DONE)
        return sqlite_conn_error(rows->conn, result, rows->table->name, err);
    for (int i = 0; result == SQLITE_ROW && i < rows->table->count; i++) {
        if (!take_value(rows, i))
            bad = i;
    }
    *ret_more = result == SQLITE_ROW;
    if (bad < 0)
        return ERR_OK;
    db_copy_row_name(rows->table, rows->values, name);
    return err_set(err, ERR_MISMATCH, "%s of the row %s holds a value of another type",
                   rows->table->columns[bad].name, name);
}

void sqlite_copy_close(struct sqlite_copy *rows)
{
    (void)sqlite3_finalize(rows->stmt);
    rows->stmt = NULL;
}
