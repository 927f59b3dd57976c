/* SPDX-License-Identifier: Apache-2.0 */
/* Statements of one row, collected and sent as one of many: beginning and ending a statement
 * costs the server as much as a row does. A text for one row becomes one that reads its rows
 * from arrays:
 *
 *     INSERT INTO t (a, b) VALUES ($1, 'x')
 *     INSERT INTO t (a, b) SELECT given.p1, 'x' FROM unnest($1) AS given (p1)
 *
 *     UPDATE t SET b = $2 WHERE a = $1
 *     UPDATE t SET b = given.p2 FROM unnest($1, $2) AS given (p1, p2) WHERE a = given.p1
 *
 *     SELECT b FROM t WHERE a = $1, of several readers (pg_batch.c)
 *     SELECT q.*, given.n FROM unnest($1) WITH ORDINALITY AS given (p1, n)
 *         CROSS JOIN LATERAL (SELECT b FROM t WHERE a = given.p1) AS q
 *
 * What is collected goes out before any other statement that names one of its tables, and
 * before the transaction ends. */
#include "base/store/pg_private.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS_TEXT_MAX = 8192, BYTES_MAX = 128 << 20 };

/* What one statement has collected on one connection. */
struct pg_rows {
    char *sql;        /* for many rows */
    struct str table; /* that it changes; part of sql */
    int width;        /* parameters */
    Oid types[DB_PARAMETERS_MAX], elements[DB_PARAMETERS_MAX];
    int count;
    struct row {
        size_t begin; /* in bytes: for each parameter its length, as in an array, and it */
        int call;     /* whose closure's it is */
        int turn;     /* it goes with the statement's first run, its second, … */
        int64_t *number;
    } rows[PG_ROWS_MAX];
    struct buf bytes;
    const char *otherwise;
    bool numbered;
    struct buf columns[DB_PARAMETERS_MAX]; /* arrays as they go over the wire */
};

/* ---- the text ------------------------------------------------------------------------- */

/* The text with given.p1 for $1. */
static void put_renamed(struct buf *to, const char *text, size_t len)
{
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        quoted ^= text[i] == '\'';
        if (text[i] == '$' && !quoted)
            buf_puts(to, "given.p");
        else
            buf_put(to, text + i, 1);
    }
}

static void put_source(struct buf *to, int width, bool numbered)
{
    buf_puts(to, " FROM unnest(");
    for (int i = 1; i <= width; i++)
        buf_printf(to, "%s$%d", i > 1 ? ", " : "", i);
    buf_puts(to, numbered ? ") WITH ORDINALITY AS given (" : ") AS given (");
    for (int i = 1; i <= width; i++)
        buf_printf(to, "%sp%d", i > 1 ? ", " : "", i);
    buf_puts(to, numbered ? ", n)" : ")");
}

/* The first one of words that is in no parentheses and no literal; NULL: there is none. */
static const char *find_outside(const char *text, const char *words)
{
    int depth = 0;
    bool quoted = false;

    for (const char *c = text; *c != '\0'; c++) {
        if (!quoted && depth == 0 && strncmp(c, words, strlen(words)) == 0)
            return c;
        quoted ^= *c == '\'';
        depth += quoted ? 0 : (*c == '(') - (*c == ')');
    }
    return NULL;
}

/* False for a text of neither form. */
static bool put_many(struct buf *to, const char *sql, int width)
{
    static const char values[] = " VALUES (";
    const char *begin = find_outside(sql, values), *where = find_outside(sql, " WHERE ");

    if (strncmp(sql, "INSERT INTO ", 12) == 0 && begin != NULL) {
        const char *row = begin + sizeof(values) - 1, *end = find_outside(row, ")");

        if (end == NULL)
            return false;
        buf_put(to, sql, (size_t)(begin - sql));
        buf_puts(to, " SELECT ");
        put_renamed(to, row, (size_t)(end - row));
        put_source(to, width, false);
        put_renamed(to, end + 1, strlen(end + 1));
        return true;
    }
    if (strncmp(sql, "UPDATE ", 7) != 0 || where == NULL)
        return false;
    put_renamed(to, sql, (size_t)(where - sql));
    put_source(to, width, false);
    put_renamed(to, where, strlen(where));
    return true;
}

FALLIBLE pg_rows_question(const char *sql, int width, char **ret_sql, struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};

    if (strncmp(sql, "SELECT ", 7) != 0)
        return err_detail(err, ERR_INTERNAL, "not a question: %.80s", sql);
    buf_init(&text, ROWS_TEXT_MAX);
    buf_puts(&text, "SELECT q.*, given.n");
    put_source(&text, width, true);
    buf_puts(&text, " CROSS JOIN LATERAL (");
    put_renamed(&text, sql, strlen(sql));
    buf_puts(&text, ") AS q");
    TRY(buf_check(&text, err));
    *ret_sql = strndup(text.ptr, text.len);
    return *ret_sql != NULL ? ERR_OK
                            : err_detail(err, ERR_UNAVAILABLE, "out of memory for a statement");
}

/* That a statement changes; empty for one that only reads. */
static struct str table_of(const char *sql)
{
    static const char *const verbs[] = {"INSERT INTO ", "UPDATE ", "DELETE FROM "};
    const char *name = "";
    size_t len = 0;

    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        if (strncmp(sql, verbs[i], strlen(verbs[i])) == 0)
            name = sql + strlen(verbs[i]);
    }
    while (pg_shape_is_word(name[len]))
        len++;
    return (struct str){name, len};
}

/* Does the text end in this keyword, with a space behind it? */
static bool ends_in(const char *text, size_t len, const char *keyword)
{
    size_t size = strlen(keyword);

    return len >= size && strncmp(text + len - size, keyword, size) == 0 &&
           (len == size || !pg_shape_is_word(text[len - size - 1]));
}

/* Does it change or read the table? Columns may have the same name, and are behind no such
 * keyword; a table behind a comma would not be found (check_statements.py forbids it). */
static bool names(const char *sql, struct str table)
{
    if (table.len == 0)
        return false;
    for (const char *c = strchr(sql, table.ptr[0]); c != NULL;
         c = strchr(c + 1, table.ptr[0])) {
        size_t before = (size_t)(c - sql);

        if (strncmp(c, table.ptr, table.len) == 0 && !pg_shape_is_word(c[table.len]) &&
            (ends_in(sql, before, "FROM ") || ends_in(sql, before, "INTO ") ||
             ends_in(sql, before, "UPDATE ") || ends_in(sql, before, "JOIN ")))
            return true;
    }
    return false;
}

FALLIBLE pg_rows_new(const char *sql, const struct pg_shape *shape, struct pg_rows **ret_rows,
                     struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};

    buf_init(&text, ROWS_TEXT_MAX);
    if (!put_many(&text, sql, shape->count))
        return err_detail(err, ERR_INTERNAL, "not a statement of one row: %.80s", sql);
    TRY(buf_check(&text, err));
    struct pg_rows *rows = calloc(1, sizeof(*rows));

    if (rows != NULL)
        rows->sql = strndup(text.ptr, text.len);
    if (rows == NULL || rows->sql == NULL) {
        free(rows);
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for a statement");
    }
    rows->table = table_of(rows->sql);
    rows->width = shape->count;
    for (int i = 0; i < rows->width; i++) {
        rows->elements[i] = shape->types[i];
        rows->types[i] = pg_array_of(shape->types[i]);
        buf_init(&rows->columns[i], BYTES_MAX);
    }
    buf_init(&rows->bytes, BYTES_MAX);
    *ret_rows = rows;
    return ERR_OK;
}

void pg_rows_free(struct pg_rows *rows)
{
    if (rows == NULL)
        return;
    for (int i = 0; i < rows->width; i++)
        buf_fini(&rows->columns[i]);
    buf_fini(&rows->bytes);
    free(rows->sql);
    free(rows);
}

/* ---- collecting ---------------------------------------------------------------------- */

/* The element with its length; the end is behind it. */
static struct str element_at(const char *at, bool *ret_null)
{
    uint32_t size;

    memcpy(&size, at, sizeof(size));
    size = __builtin_bswap32(size);
    *ret_null = size == UINT32_MAX;
    return (struct str){at, sizeof(size) + (*ret_null ? 0 : size)};
}

/* Changes of one row are runs of their own, in their order: what they change is told by the
 * first parameter. */
static int turn_of(const struct pg_rows *rows, size_t begin)
{
    bool null;
    struct str first = element_at(rows->bytes.ptr + begin, &null);

    for (int i = rows->count - 1; i >= 0; i--) {
        if (str_eq(element_at(rows->bytes.ptr + rows->rows[i].begin, &null), first))
            return rows->rows[i].turn + 1;
    }
    return 0;
}

/* Fills the arrays with the rows of a turn; returns how many these are. */
static int fill(struct pg_rows *rows, int turn, struct pg_pending *pending, int *ret_call)
{
    static const char room[PG_ARRAY_HEADER];
    bool has_null[DB_PARAMETERS_MAX] = {false}, null;
    int count = 0;

    for (int i = 0; i < rows->width; i++) {
        buf_reset(&rows->columns[i]);
        buf_put(&rows->columns[i], room, sizeof(room));
    }
    for (int i = 0; i < rows->count; i++) {
        const struct row *row = &rows->rows[i];
        const char *at = rows->bytes.ptr + row->begin;

        if (row->turn != turn)
            continue;
        for (int column = 0; column < rows->width; column++) {
            struct str element = element_at(at, &null);

            buf_put_str(&rows->columns[column], element);
            has_null[column] |= null;
            at += element.len;
        }
        *ret_call = count == 0 || *ret_call == row->call ? row->call : PG_CALL_SEVERAL;
        if (pending->numbers != NULL)
            pending->numbers[count] = row->number;
        count++;
    }
    for (int i = 0; i < rows->width && !rows->columns[i].failed; i++)
        (void)pg_array_header(rows->columns[i].ptr, rows->elements[i], count, has_null[i]);
    return count;
}

/* Sends the rows of one turn; false when there are none. */
static bool send_turn(struct pg_conn *conn, struct pg_stmt *stmt, struct pg_rows *rows,
                      int turn)
{
    const char *values[DB_PARAMETERS_MAX];
    int lengths[DB_PARAMETERS_MAX], outer = conn->call, call = outer;
    struct pg_pending pending = {
        .kind = PG_RUN, .sql = rows->sql, .otherwise = rows->otherwise};
    bool good = true;

    if (rows->numbered) {
        pending.numbers = malloc(sizeof(*pending.numbers) * (size_t)rows->count);
        good = pending.numbers != NULL;
    }
    pending.rows = fill(rows, turn, &pending, &call);
    for (int i = 0; i < rows->width; i++) {
        values[i] = rows->columns[i].ptr;
        lengths[i] = (int)rows->columns[i].len;
        good = good && !rows->columns[i].failed;
    }
    if (good && pending.rows > 0) {
        conn->call = call;
        pg_stmt_queue(conn, stmt, &pending, rows->types, values, lengths);
        conn->call = outer;
        return true;
    }
    free(pending.numbers);
    if (!good) {
        struct err ignored; /* noted on the connection */
        (void)pg_error_lost(conn, "out of memory for rows", &ignored);
    }
    return false;
}

/* Sends what one has collected. */
static void send_rows(struct pg_conn *conn, struct pg_stmt *stmt, struct pg_rows *rows)
{
    int turn = 0;

    while (send_turn(conn, stmt, rows, turn))
        turn++;
    rows->count = 0;
}

/* All that must go out before a statement of this text; NULL: all. */
void pg_rows_send(struct pg_conn *conn, const char *sql)
{
    bool due[PG_OPEN_MAX] = {false};
    struct str changed = sql != NULL ? table_of(sql) : STR("");
    int left = 0;

    /* What that one sees, or would change before this sees it; and what goes out before
     * another takes along what that one sees. */
    for (int i = conn->open_count - 1; i >= 0; i--) {
        struct pg_rows *rows = conn->open[i]->rows;

        due[i] = sql == NULL || names(sql, rows->table) || names(rows->sql, changed);
        for (int later = i + 1; later < conn->open_count && !due[i]; later++)
            due[i] = due[later] && names(conn->open[later]->rows->sql, rows->table);
    }
    for (int i = 0; i < conn->open_count; i++) {
        struct pg_stmt *stmt = conn->open[i];

        if (due[i])
            send_rows(conn, stmt, stmt->rows);
        else
            conn->open[left++] = stmt;
    }
    conn->open_count = left;
}

void pg_rows_drop(struct pg_conn *conn)
{
    for (int i = 0; i < conn->open_count; i++)
        conn->open[i]->rows->count = 0;
    conn->open_count = 0;
}

/* Behind the others, but before those of another table that look into this one. */
static void open_stmt(struct pg_conn *conn, struct pg_stmt *stmt)
{
    const struct pg_rows *rows = stmt->rows;
    int at = 0;

    while (at < conn->open_count) {
        const struct pg_rows *other = conn->open[at]->rows;

        if (!str_eq(other->table, rows->table) && names(other->sql, rows->table))
            break;
        at++;
    }
    memmove(conn->open + at + 1, conn->open + at,
            (size_t)(conn->open_count - at) * sizeof(conn->open[0]));
    conn->open[at] = stmt;
    conn->open_count++;
}

/* Has the closure that runs now another statement that changes or reads the same table? */
static bool comes_after(const struct pg_conn *conn, const struct pg_rows *rows)
{
    for (int i = 0; i < conn->open_count; i++) {
        const struct pg_rows *other = conn->open[i]->rows;

        if (other != rows && names(other->sql, rows->table) &&
            other->rows[other->count - 1].call == conn->call)
            return true;
    }
    return false;
}

FALLIBLE pg_rows_add(struct pg_conn *conn, struct pg_stmt *stmt, const char *const *values,
                     const int *lengths, int64_t *number, const char *otherwise,
                     struct err *err)
{
    struct pg_rows *rows = stmt->rows;

    conn->wrote = true; /* whatever comes of it: its group is not to be committed as it is */
    if (rows->count == PG_ROWS_MAX || comes_after(conn, rows))
        pg_rows_send(conn, rows->sql);
    if (rows->count == 0 && conn->open_count == PG_OPEN_MAX)
        pg_rows_send(conn, NULL);
    if (rows->count == 0) {
        buf_reset(&rows->bytes);
        open_stmt(conn, stmt);
    }
    size_t begin = rows->bytes.len;

    for (int i = 0; i < rows->width; i++)
        pg_array_put(&rows->bytes, values[i], lengths[i]);
    if (buf_check(&rows->bytes, err) != ERR_OK) {
        pg_rows_drop(conn); /* the closure fails, and its group with it */
        db_conn_note(&conn->base, err);
        return err->code;
    }
    rows->otherwise = otherwise;
    rows->numbered = number != NULL;
    rows->rows[rows->count] = (struct row){
        .begin = begin,
        .call = conn->call,
        .turn = otherwise != NULL && number == NULL ? turn_of(rows, begin) : 0,
        .number = number,
    };
    rows->count++;
    return ERR_OK;
}
