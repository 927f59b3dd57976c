/* SPDX-License-Identifier: Apache-2.0 */
/* The target of a copy: emptied and filled by COPY in its binary form, in one transaction,
 * then read back the same way. */
#include "base/store/copy_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SQL_MAX = 256 << 10,
    CHUNK = 256 << 10,    /* what is sent at once */
    ROWS_MAX = 512 << 20, /* room for the largest row; the server's own limit is 1 GB */
    HEADER_LEN = 19
};

static const char header[HEADER_LEN + 1] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";

/* ---- the catalogue ---------------------------------------------------------------------- */

static enum copy_kind kind_of(struct str type)
{
    return str_is(type, "int8")    ? COPY_INTEGER
           : str_is(type, "text")  ? COPY_TEXT
           : str_is(type, "bytea") ? COPY_BYTES
                                   : COPY_OTHER;
}

FALLIBLE pg_copy_tables(struct db_conn *conn, struct copy_tables *ret_tables, struct err *err)
{
    /* An int2vector counts from 0. */
    static const char sql[] =
        "SELECT c.relname, a.attname, t.typname,"
        " COALESCE(array_position(CAST(i.indkey AS int2[]), a.attnum) + 1, 0),"
        " CAST(CASE a.attidentity WHEN '' THEN 0 ELSE 1 END AS int)"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " JOIN pg_type t ON t.oid = a.atttypid"
        " LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary"
        " WHERE n.nspname = current_schema() AND c.relkind = 'r' AND a.attgenerated = ''"
        " ORDER BY c.relname COLLATE \"C\", a.attnum";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &st, err));
    while ((step = db_step(st, err)) == DB_ROW) {
        struct copy_column column = {.kind = kind_of(db_get_text(st, 2)),
                                     .key = (int)db_get_i64(st, 3),
                                     .identity = db_get_i64(st, 4) != 0};

        db_copy_text(st, 1, column.name, sizeof(column.name));
        TRY(db_copy_add_column(ret_tables, db_get_text(st, 0), &column, err));
    }
    return step == DB_DONE ? ERR_OK : err->code;
}

/* ---- what a pipeline cannot --------------------------------------------------------- */

static FALLIBLE leave_pipeline(struct pg_conn *conn, struct err *err)
{
    if (conn->pending_count > 0)
        TRY(pg_conn_flush(conn, err));
    if (conn->lost || PQexitPipelineMode(conn->pg) != 1 || PQsetnonblocking(conn->pg, 0) != 0)
        return pg_error_lost(conn, PQerrorMessage(conn->pg), err);
    return ERR_OK;
}

static FALLIBLE enter_pipeline(struct pg_conn *conn, struct err *err)
{
    if (PQsetnonblocking(conn->pg, 1) != 0 || PQenterPipelineMode(conn->pg) != 1)
        return pg_error_lost(conn, PQerrorMessage(conn->pg), err);
    return ERR_OK;
}

/* With the values that the server complains of: who moves an installation may see them. */
static enum err_code failed(struct pg_conn *conn, const PGresult *result, const char *sql,
                            struct err *err)
{
    const char *why =
        result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) : NULL;
    enum err_code code = pg_error_failed(conn, result, sql, err);
    const char *what =
        result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

    if (why != NULL && what != NULL)
        (void)snprintf(err->detail, sizeof(err->detail), "%.120s: %.120s", what, why);
    /* Two keys became the same, because bytes that are no text became "?". */
    if (why != NULL && state != NULL && strcmp(state, "23505") == 0)
        (void)snprintf(err->msg, sizeof(err->msg),
                       "the target does not take two rows of %.64s: %.160s",
                       PQresultErrorField(result, PG_DIAG_TABLE_NAME), why);
    return code;
}

/* In the simple protocol, which COPY needs. */
static FALLIBLE run(struct db_conn *conn, const char *sql, ExecStatusType expected,
                    struct err *err)
{
    struct pg_conn *own = pg_conn_of(conn);
    enum err_code code = ERR_OK;

    TRY(leave_pipeline(own, err));
    PGresult *result = PQexec(own->pg, sql);

    if (PQresultStatus(result) != expected)
        code = failed(own, result, sql, err);
    PQclear(result);
    return code;
}

/* ---- the transaction ------------------------------------------------------------------ */

FALLIBLE pg_copy_begin(struct db_conn *conn, struct err *err)
{
    /* Keys and indexes are made at the end, by sorting. */
    static const char room[] = "SELECT set_config('maintenance_work_mem', '256MB', true)";

    pg_conn_verb(pg_conn_of(conn), PG_VERB_BEGIN);
    pg_conn_verb(pg_conn_of(conn), PG_VERB_LOCK_ALL);
    enum err_code code = pg_conn_flush(pg_conn_of(conn), err);

    if (code == ERR_BUSY)
        return err_set(err, ERR_BUSY,
                       "another process is writing into the target, or still being ended there:"
                       " try again");
    TRY(code);
    return pg_conn_command(pg_conn_of(conn), room, NULL, 0, NULL, err);
}

FALLIBLE pg_copy_commit(struct db_conn *conn, struct err *err)
{
    return pg_conn_command(pg_conn_of(conn), "COMMIT", NULL, 0, NULL, err);
}

static bool is_copied(const struct copy_tables *tables, struct str name)
{
    for (int i = 0; i < tables->count; i++) {
        if (str_is(name, tables->items[i].name))
            return true;
    }
    return false;
}

/* Three columns: the table that it belongs to, or refers to; how to take it away; how to make
 * it again. */
static FALLIBLE take_away(struct db_conn *conn, const char *sql,
                          const struct copy_tables *tables, struct buf *away,
                          struct buf *remake, struct err *err)
{
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &st, err));
    while ((step = db_step(st, err)) == DB_ROW) {
        if (!is_copied(tables, db_get_text(st, 0)))
            continue; /* others may use it meanwhile */
        buf_put_str(away, db_get_text(st, 1));
        buf_put(away, "", 1);
        buf_put_str(remake, db_get_text(st, 2));
        buf_put(remake, "", 1);
    }
    return step == DB_DONE ? ERR_OK : err->code;
}

FALLIBLE pg_copy_remake(struct db_conn *conn, const struct buf *remake, struct err *err)
{
    for (size_t at = 0; at < remake->len; at += strlen(remake->ptr + at) + 1) {
        TRY(run(conn, remake->ptr + at, PGRES_COMMAND_OK, err));
        TRY(enter_pipeline(pg_conn_of(conn), err));
    }
    return ERR_OK;
}

static FALLIBLE empty_tables(struct db_conn *conn, const struct copy_tables *tables,
                             struct err *err)
{
    CLEANUP(buf_fini) struct buf sql = {0};

    buf_init(&sql, SQL_MAX);
    for (int i = 0; i < tables->count; i++) {
        buf_puts(&sql, i == 0 ? "TRUNCATE " : ", ");
        db_copy_quote(&sql, tables->items[i].name);
    }
    TRY(buf_check(&sql, err));
    return pg_conn_command(pg_conn_of(conn), sql.ptr, NULL, 0, NULL, err);
}

FALLIBLE pg_copy_clear(struct db_conn *conn, const struct copy_tables *tables,
                       struct buf *ret_remake, struct err *err)
{
    /* A reference may need a key, so it goes first and comes last. */
    static const char keys[] =
        "SELECT t.relname, format('ALTER TABLE %I DROP CONSTRAINT %I', t.relname, c.conname),"
        " format('ALTER TABLE %I ADD CONSTRAINT %I %s', t.relname, c.conname,"
        " pg_get_constraintdef(c.oid)) FROM pg_constraint c JOIN pg_class t"
        " ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
        " WHERE n.nspname = current_schema() AND c.contype IN ('p', 'u')"
        " ORDER BY t.relname, c.conname";
    static const char references[] =
        "SELECT f.relname, format('ALTER TABLE %I DROP CONSTRAINT %I', t.relname, c.conname),"
        " format('ALTER TABLE %I ADD CONSTRAINT %I %s', t.relname, c.conname,"
        " pg_get_constraintdef(c.oid)) FROM pg_constraint c JOIN pg_class t"
        " ON t.oid = c.conrelid JOIN pg_class f ON f.oid = c.confrelid"
        " JOIN pg_namespace n ON n.oid = t.relnamespace"
        " WHERE n.nspname = current_schema() AND c.contype = 'f' ORDER BY t.relname, c.conname";
    static const char indexes[] =
        "SELECT t.relname, format('DROP INDEX %I', i.relname), pg_get_indexdef(i.oid)"
        " FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
        " JOIN pg_class t ON t.oid = x.indrelid"
        " JOIN pg_namespace n ON n.oid = i.relnamespace WHERE n.nspname = current_schema()"
        " AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.oid)"
        " ORDER BY i.relname";
    CLEANUP(buf_fini) struct buf away = {0};
    CLEANUP(buf_fini) struct buf remake_references = {0};

    buf_init(&away, SQL_MAX);
    buf_init(&remake_references, SQL_MAX);
    TRY(take_away(conn, references, tables, &away, &remake_references, err));
    TRY(take_away(conn, keys, tables, &away, ret_remake, err));
    TRY(take_away(conn, indexes, tables, &away, ret_remake, err));
    buf_put_str(ret_remake, buf_str(&remake_references));
    TRY(buf_check(&away, err));
    TRY(buf_check(&remake_references, err));
    TRY(buf_check(ret_remake, err));
    TRY(pg_copy_remake(conn, &away, err));
    return empty_tables(conn, tables, err);
}

static FALLIBLE set_identity(struct db_conn *conn, const struct copy_table *table,
                             const struct copy_column *column, struct err *err)
{
    CLEANUP(buf_fini) struct buf sql = {0};
    CLEANUP(buf_fini) struct buf name = {0};

    buf_init(&sql, SQL_MAX);
    buf_init(&name, SQL_MAX);
    db_copy_quote(&name, table->name);
    buf_puts(&sql, "SELECT setval(pg_get_serial_sequence($1, $2), (SELECT COALESCE(max(");
    db_copy_quote(&sql, column->name);
    buf_puts(&sql, "), 0) + 1 FROM ");
    db_copy_quote(&sql, table->name);
    buf_puts(&sql, "), false)");
    TRY(buf_check(&sql, err));
    TRY(buf_check(&name, err));
    const char *const values[] = {name.ptr, column->name};

    return pg_conn_command(pg_conn_of(conn), sql.ptr, values, 2, NULL, err);
}

FALLIBLE pg_copy_settle(struct db_conn *conn, const struct copy_table *table, struct err *err)
{
    CLEANUP(buf_fini) struct buf sql = {0};

    for (int i = 0; i < table->count; i++) {
        if (table->columns[i].identity)
            TRY(set_identity(conn, table, &table->columns[i], err));
    }
    buf_init(&sql, SQL_MAX);
    buf_puts(&sql, "ANALYZE ");
    db_copy_quote(&sql, table->name);
    TRY(buf_check(&sql, err));
    return pg_conn_command(pg_conn_of(conn), sql.ptr, NULL, 0, NULL, err);
}

/* ---- COPY ----------------------------------------------------------------------------- */

/* Sends "COPY table (columns) …" and expects the state that it leads to. */
static FALLIBLE start(struct db_conn *conn, const struct copy_table *table, const char *how,
                      ExecStatusType expected, struct err *err)
{
    CLEANUP(buf_fini) struct buf sql = {0};

    buf_init(&sql, SQL_MAX);
    buf_puts(&sql, "COPY ");
    db_copy_quote(&sql, table->name);
    buf_puts(&sql, " (");
    db_copy_quote_columns(&sql, table);
    buf_puts(&sql, how);
    TRY(buf_check(&sql, err));
    return run(conn, sql.ptr, expected, err);
}

/* The end of a COPY; *ret_line is the row of which the server complains, or 0. */
static FALLIBLE finish(struct db_conn *conn, const struct copy_table *table, int64_t *ret_line,
                       struct err *err)
{
    struct pg_conn *own = pg_conn_of(conn);
    enum err_code code = ERR_OK;

    for (PGresult *result; (result = PQgetResult(own->pg)) != NULL; PQclear(result)) {
        const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
        const char *line = context != NULL ? strstr(context, ", line ") : NULL;

        if (PQresultStatus(result) == PGRES_COMMAND_OK || code != ERR_OK)
            continue;
        code = failed(own, result, table->name, err);
        *ret_line = line != NULL ? strtoll(line + 7, NULL, 10) : 0;
        if (PQresultStatus(result) != PGRES_FATAL_ERROR) { /* it would never end */
            PQclear(result);
            break;
        }
    }
    TRY(code);
    return enter_pipeline(own, err);
}

FALLIBLE pg_copy_open(struct db_conn *conn, const struct copy_table *table,
                      struct pg_copy *ret_rows, struct err *err)
{
    *ret_rows = (struct pg_copy){.conn = conn, .table = table};
    buf_init(&ret_rows->out, ROWS_MAX);
    TRY(start(conn, table, ") FROM STDIN (FORMAT binary, FREEZE)", PGRES_COPY_IN, err));
    buf_put(&ret_rows->out, header, HEADER_LEN);
    return ERR_OK;
}

static FALLIBLE send_out(struct pg_copy *rows, struct err *err)
{
    PGconn *pg = pg_conn_of(rows->conn)->pg;

    TRY(buf_check(&rows->out, err));
    /* The server says why when it is asked for its answer. */
    if (PQputCopyData(pg, rows->out.ptr, (int)rows->out.len) != 1) {
        TRY(finish(rows->conn, rows->table, &rows->refused, err));
        return pg_error_lost(pg_conn_of(rows->conn), PQerrorMessage(pg), err);
    }
    buf_reset(&rows->out);
    return ERR_OK;
}

FALLIBLE pg_copy_put(struct pg_copy *rows, const struct copy_value *values, struct err *err)
{
    struct buf *out = &rows->out;
    size_t begin = out->len;
    uint16_t count = __builtin_bswap16((uint16_t)rows->table->count);

    buf_put(out, &count, sizeof(count));
    for (int i = 0; i < rows->table->count; i++) {
        const struct copy_value *value = &values[i];
        bool is_number = rows->table->columns[i].kind == COPY_INTEGER;
        uint64_t number = __builtin_bswap64((uint64_t)value->number);
        uint32_t len = __builtin_bswap32(value->absent ? UINT32_MAX
                                         : is_number   ? (uint32_t)sizeof(number)
                                                       : (uint32_t)value->text.len);

        buf_put(out, &len, sizeof(len));
        if (!value->absent && is_number)
            buf_put(out, &number, sizeof(number));
        else if (!value->absent)
            buf_put_str(out, value->text);
    }
    TRY(buf_check(out, err));
    db_copy_sum_add(&rows->sum, out->ptr + begin, out->len - begin);
    return out->len >= CHUNK ? send_out(rows, err) : ERR_OK;
}

FALLIBLE pg_copy_close(struct pg_copy *rows, struct err *err)
{
    PGconn *pg = pg_conn_of(rows->conn)->pg;

    buf_put(&rows->out, "\377\377", 2);
    TRY(send_out(rows, err));
    if (PQputCopyEnd(pg, NULL) != 1)
        return pg_error_lost(pg_conn_of(rows->conn), PQerrorMessage(pg), err);
    return finish(rows->conn, rows->table, &rows->refused, err);
}

/* libpq gives a row at a time; the header stands before the first, two bytes are the end. */
static FALLIBLE add_message(struct copy_sum *sum, const char *bytes, size_t len,
                            bool *inout_begun, struct err *err)
{
    size_t skip = *inout_begun ? 0 : HEADER_LEN;

    if (len < skip || memcmp(bytes, header, skip) != 0)
        return err_detail(err, ERR_INTERNAL, "the server's COPY begins with something else");
    *inout_begun = true;
    bytes += skip;
    len -= skip;
    if (len == 0 || (len == 2 && memcmp(bytes, "\377\377", 2) == 0))
        return ERR_OK;
    db_copy_sum_add(sum, bytes, len);
    return ERR_OK;
}

FALLIBLE pg_copy_sum(struct db_conn *conn, const struct copy_table *table,
                     struct copy_sum *ret_sum, struct err *err)
{
    PGconn *pg = pg_conn_of(conn)->pg;
    bool begun = false;
    int64_t line = 0;
    int len;

    *ret_sum = (struct copy_sum){0};
    TRY(start(conn, table, ") TO STDOUT (FORMAT binary)", PGRES_COPY_OUT, err));
    for (char *bytes; (len = PQgetCopyData(pg, &bytes, 0)) > 0; PQfreemem(bytes)) {
        enum err_code code = add_message(ret_sum, bytes, (size_t)len, &begun, err);

        if (code != ERR_OK) {
            PQfreemem(bytes);
            return code;
        }
    }
    return finish(conn, table, &line, err);
}
