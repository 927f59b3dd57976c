/* SPDX-License-Identifier: Apache-2.0 */
/* Two fresh databases side by side, one on each engine; calls that are made on both, and
 * what they say and leave behind as text, to be compared.
 *
 * A row is ROW(function, "tables that it writes") or READ(function). It needs a function
 * step_FUNCTION, which makes the call number call->at: CASES says how many there are,
 * tell_*() what comes of one. Each call is a closure of its own; after it the tables that
 * it writes are compared, and after the last one all tables. */
#ifndef ARKGATE_TESTS_UPSTREAM_REPOS_H
#define ARKGATE_TESTS_UPSTREAM_REPOS_H

#include "base/crypto.h"
#include "billing/repo.h"
#include "gateway/catalogue/catalogue_parts.h"
#include "gateway/task/task_rows.h"
#include "gateway/upstream/ark_parts.h"
#include "tenancy/private.h"

#include "tests/lib/check.h"
#include "tests/lib/database.h"

enum { TOLD_MAX = 8 << 20, SHOWN_MAX = 160, TABLES_MAX = 64, COLUMNS_MAX = 64 };

/* ---- odd values ------------------------------------------------------------------------- */

/* In no order; at most 30 bytes, which every text column takes. */
static const char *const texts[] = {
    "acme",
    "other",
    "Acme",
    "ACME",
    "b",
    "B",
    "a",
    "A",
    "Z",
    "z",
    "",
    " ",
    " a",
    "a ",
    "10",
    "9",
    "-1",
    "0x1",
    "NULL",
    "%",
    "_",
    "'",
    "\"",
    "\\",
    "'; --",
    "$1",
    "a\tb\r\nc",
    "\x01",
    "\x7f",
    "?",
    "\xc3\xa4",
    "\xc3\x84",
    "\xc3\xb6",
    "a\xcc\x88",
    ("stra\xc3\x9f"
     "e"),
    "strasse",
    "STRASSE",
    "\xc2\x85",
    "\xe2\x80\x8b",
    "\xce\xa3",
    "\xcf\x83",
    "\xcf\x82",
    "\xe4\xb8\xad",
    "\xef\xbf\xbf",
    "\xef\xbf\xbd",
    "\xf0\x9f\x8e\xac",
    "\xf4\x8f\xbf\xbf",
    /* No UTF-8: "?" for each such byte. */
    "\xff",
    "\xff\xfe",
    "caf\xc3",
    "\xe9t\xe9",
    "\xed\xa0\x80",
    "\xc0\x80",
    "\xf4\x90\x80\x80",
    "\xf0\x9f\x8e",
    "a\x80z",
};
enum { TEXTS = COUNT_OF(texts) };

static const int64_t numbers[] = {
    0,
    1,
    -1,
    INT64_MIN,
    INT64_MIN + 1,
    INT64_MAX,
    INT64_MAX - 1,
    INT32_MAX,
    INT64_C(1) << 31,
    INT32_MIN,
    INT64_C(1) << 32,
    (INT64_C(1) << 53) + 1,
};
enum { NUMBERS = COUNT_OF(numbers) };

/* Another one for each call and column. */
static inline struct str text_of(int at, int column)
{
    return str_from(texts[(at + 7 * column) % TEXTS]);
}

static inline int64_t number_of(int at, int column)
{
    return numbers[(at + 5 * column) % NUMBERS];
}

/* Bytes with every value in them, NUL first. */
static inline struct str bytes_of(int at)
{
    static const size_t sizes[] = {32, 0, 1, 2, 33, 255, 300};
    static char bytes[64 << 10];
    size_t size = at < 0 ? sizeof(bytes) : sizes[(size_t)at % COUNT_OF(sizes)];

    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i % 251);
    return (struct str){bytes, size};
}

static inline const uint8_t *hash_of(int at)
{
    static uint8_t hash[CRYPTO_HASH_BYTES];

    for (size_t i = 0; i < sizeof(hash); i++)
        hash[i] = (uint8_t)((size_t)at * i);
    return hash;
}

/* ---- calls ---------------------------------------------------------------------------- */

struct call {
    int at;
    bool over;      /* there is no such call any more */
    int64_t number; /* for db_run_i64 */
    struct buf *told;
};

struct repo_row {
    const char *function;
    enum err_code (*step)(struct db_conn *conn, struct call *call, struct err *err);
    const char *writes; /* names of tables; NULL: it only reads */
};

#define ROW(function, tables)              \
    {                                      \
#function, step_##function, tables \
    }
#define READ(function)                   \
    {                                    \
#function, step_##function, NULL \
    }
#define CASES(count)                    \
    do {                                \
        if (call->at >= (int)(count)) { \
            call->over = true;          \
            return ERR_OK;              \
        }                               \
    } while (0)

/* ---- what comes of one ------------------------------------------------------------------ */

/* Readable, without ambiguity; long ones by their hash. */
static inline void tell_value(struct buf *told, const char *name, struct str value)
{
    uint8_t hash[CRYPTO_HASH_BYTES];
    char hex[2 * CRYPTO_HASH_BYTES + 1];

    buf_printf(told, " %s=\"", name);
    for (size_t i = 0; i < value.len && value.len <= SHOWN_MAX; i++) {
        unsigned char c = (unsigned char)value.ptr[i];

        if (c < ' ' || c > '~' || c == '\\' || c == '"')
            buf_printf(told, "\\x%02x", c);
        else
            buf_put(told, &c, 1);
    }
    if (value.len > SHOWN_MAX) {
        crypto_sha256(value, hash);
        str_hex(hex, hash, sizeof(hash));
        buf_printf(told, "%zu bytes, %s", value.len, hex);
    }
    buf_puts(told, "\"");
}

static inline void tell_number(struct buf *told, const char *name, int64_t value)
{
    buf_printf(told, " %s=%" PRId64, name, value);
}

#define TELL(told, from, member) tell_number(told, #member, (int64_t)(from)->member)
#define TELL_TEXT(told, from, member) tell_value(told, #member, str_from((from)->member))
#define TELL_STR(told, from, member) tell_value(told, #member, (from)->member)

/* ---- the databases ----------------------------------------------------------------------- */

struct side {
    const char *engine;
    char dir[32], path[DATABASE_PATH];
    struct db *db;
};

/* What selects all of a table in the order of its key; the same text on both engines. The
 * statements' cache knows texts by their addresses: they are kept for good. */
struct table {
    char name[64], kinds[COLUMNS_MAX + 1], sql[2048];
    char columns[2048]; /* names with a space behind each */
};
static struct table tables[TABLES_MAX];
static size_t table_count;

static inline enum err_code tables_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    /* From PostgreSQL's catalogue: check_catalogues.py tells that SQLite's is the same. */
    static const char sql[] =
        "SELECT c.relname, string_agg(CASE CAST(a.atttypid AS bigint) WHEN 20 THEN 'n'"
        " WHEN 25 THEN 't' WHEN 17 THEN 'b' ELSE '?' END, '' ORDER BY a.attnum),"
        " string_agg(a.attname || ' ', '' ORDER BY a.attnum),"
        " 'SELECT ' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) || ' FROM ' "
        "||"
        " c.relname || ' ORDER BY ' || string_agg(quote_ident(a.attname), ', ' ORDER BY"
        " array_position(CAST(i.indkey AS int2[]), a.attnum))"
        " FILTER (WHERE a.attnum = ANY (CAST(i.indkey AS int2[])))"
        " FROM pg_class AS c JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary"
        " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " JOIN pg_namespace AS s ON s.oid = c.relnamespace AND s.nspname = 'public'"
        " WHERE c.relkind = 'r' AND c.relname <> 'store_commit' GROUP BY c.relname"
        " ORDER BY c.relname";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;

    (void)ctx;
    table_count = 0;
    TRY(db_prepare(conn, sql, &st, err));
    while ((step = db_step(st, err)) == DB_ROW && table_count < TABLES_MAX) {
        struct table *table = &tables[table_count++];

        db_copy_text(st, 0, table->name, sizeof(table->name));
        db_copy_text(st, 1, table->kinds, sizeof(table->kinds));
        db_copy_text(st, 2, table->columns, sizeof(table->columns));
        db_copy_text(st, 3, table->sql, sizeof(table->sql));
    }
    return step == DB_DONE ? ERR_OK : err->code;
}

static inline void tell_row(struct buf *told, const struct table *table, struct db_stmt *st)
{
    const char *name = table->columns;

    buf_puts(told, table->name);
    for (int i = 0; table->kinds[i] != '\0'; i++) {
        char column[64];
        size_t len = strcspn(name, " ");

        (void)snprintf(column, sizeof(column), "%.*s", (int)len, name);
        name += len + 1;
        if (db_is_null(st, i))
            buf_printf(told, " %s=NULL", column);
        else if (table->kinds[i] == 'n')
            tell_number(told, column, db_get_i64(st, i));
        else
            tell_value(told, column, db_get_text(st, i));
    }
    buf_puts(told, "\n");
}

/* The same for machines: what is after each call. */
static inline void put_row(struct buf *told, const struct table *table, struct db_stmt *st)
{
    for (int i = 0; table->kinds[i] != '\0'; i++) {
        int64_t number = db_is_null(st, i) ? -1 : 0;

        if (number == 0 && table->kinds[i] == 'n') {
            number = db_get_i64(st, i);
            buf_put(told, &table->kinds[i], 1);
            buf_put(told, &number, sizeof(number));
            continue;
        }
        struct str text = number == 0 ? db_get_text(st, i) : STR("");

        if (number == 0)
            number = (int64_t)text.len;
        buf_put(told, &number, sizeof(number));
        buf_put_str(told, text);
    }
}

/* Every row of the tables of those names; NULL: of every table. */
struct dump {
    const char *names;
    bool readable;
    struct buf told;
};

static inline enum err_code dump_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct dump *dump = ctx;

    buf_reset(&dump->told);
    for (size_t i = 0; i < table_count; i++) {
        CLEANUP(db_done) struct db_stmt *st = NULL;
        enum db_step step;

        if (dump->names != NULL && !str_has_word(dump->names, str_from(tables[i].name)))
            continue;
        TRY(db_prepare(conn, tables[i].sql, &st, err));
        while ((step = db_step(st, err)) == DB_ROW)
            (dump->readable ? tell_row : put_row)(&dump->told, &tables[i], st);
        if (step == DB_FAIL)
            return err->code;
        if (!dump->readable) /* "X" in one table is not "X" in the next one */
            buf_put_str(&dump->told, str_from(tables[i].name));
    }
    return buf_check(&dump->told, err);
}

static inline void side_dump(struct side *side, const char *names, bool readable,
                             struct dump *ret_dump)
{
    struct err err = {0};

    *ret_dump = (struct dump){.names = names, .readable = readable};
    buf_init(&ret_dump->told, TOLD_MAX);
    CHECK_OK(side->engine, db_read(side->db, dump_steps, ret_dump, &err), &err);
}

/* A conflict uses up a number on PostgreSQL: what comes next has the same one on both again. */
static inline void side_renumber(struct side *side)
{
    static const char sql[] =
        "SELECT setval(pg_get_serial_sequence('tenant', 'id'),"
        " (SELECT coalesce(max(id), 0) + 1 FROM tenant), false),"
        " setval(pg_get_serial_sequence('upstream_account', 'id'),"
        " (SELECT coalesce(max(id), 0) + 1 FROM upstream_account), false),"
        " setval(pg_get_serial_sequence('upstream', 'id'),"
        " (SELECT coalesce(max(id), 0) + 1 FROM upstream), false),"
        " setval(pg_get_serial_sequence('task', 'id'),"
        " (SELECT coalesce(max(id), 0) + 1 FROM task), false)";
    struct err err = {0};

    CHECK_OK("numbers",
             pg_conn_command(pg_conn_of(database_pooled_at(side->path)->conn), sql, NULL, 0,
                             NULL, &err),
             &err);
}

/* ---- side by side --------------------------------------------------------------------------
 */

struct answer {
    const struct repo_row *row;
    struct call call;
    struct buf told;
    enum err_code code;
    struct err err;
};

static inline enum err_code answer_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct answer *answer = ctx;

    buf_reset(&answer->told);
    return answer->row->step(conn, &answer->call, err);
}

static inline void side_call(struct side *side, struct answer *answer)
{
    answer->err = (struct err){0};
    answer->code = answer->row->writes == NULL
                       ? db_read(side->db, answer_steps, answer, &answer->err)
                       : db_write(side->db, DB_ALL, answer_steps, answer, &answer->err);
}

/* The first line in which they differ. */
static inline void show_difference(const char *what, const char *first, const char *second)
{
    while (*first != '\0' && *second != '\0') {
        size_t a = strcspn(first, "\n"), b = strcspn(second, "\n");

        if (a != b || memcmp(first, second, a) != 0)
            break;
        first += a + (first[a] == '\n');
        second += b + (second[b] == '\n');
    }
    CHECK_FAILED(what, "\n    SQLite:     %.*s\n    PostgreSQL: %.*s",
                 (int)strcspn(first, "\n"), first, (int)strcspn(second, "\n"), second);
}

/* Codes, messages for tenants and results; what only a log sees is each engine's own. */
static inline void compare_answers(const char *what, const struct answer *answers)
{
    const struct answer *lite = &answers[0], *post = &answers[1];

    if (lite->code != post->code)
        CHECK_FAILED(what, "SQLite: %s (%s), PostgreSQL: %s (%s)", err_name(lite->code),
                     lite->err.detail, err_name(post->code), post->err.detail);
    CHECK_TEXT(what, post->err.msg, lite->err.msg);
    CHECK_TEXT(what, post->err.field, lite->err.field);
    if (lite->code == ERR_OK && !str_eq(buf_str(&lite->told), buf_str(&post->told)))
        show_difference(what, lite->told.len > 0 ? lite->told.ptr : "",
                        post->told.len > 0 ? post->told.ptr : "");
}

static inline bool dumps_agree(const char *what, struct side *sides, const char *names,
                               bool readable)
{
    struct dump dumps[2];
    bool same;

    for (int i = 0; i < 2; i++)
        side_dump(&sides[i], names, readable, &dumps[i]);
    same = str_eq(buf_str(&dumps[0].told), buf_str(&dumps[1].told));
    if (!same && readable)
        show_difference(what, dumps[0].told.ptr, dumps[1].told.ptr);
    for (int i = 0; i < 2; i++)
        buf_fini(&dumps[i].told);
    return same;
}

/* False when the two databases have other rows: no later call can be compared then. */
static inline bool compare_content(const char *what, struct side *sides, const char *names)
{
    if (dumps_agree(what, sides, names, false))
        return true;
    if (dumps_agree(what, sides, names, true))
        CHECK_FAILED(what, "%s", "the databases differ, and cannot tell where");
    return false;
}

/* How many calls were made, and how many of them were refused on both sides. */
struct tally {
    int calls, refused;
};

static inline bool run_row(struct side *sides, const struct repo_row *row, struct tally *tally)
{
    struct answer answers[2] = {{.row = row}, {.row = row}};
    bool same = true;

    for (int i = 0; i < 2; i++) {
        buf_init(&answers[i].told, TOLD_MAX);
        answers[i].call.told = &answers[i].told;
    }
    for (int at = 0; same && !answers[0].call.over; at++) {
        char what[96];

        (void)snprintf(what, sizeof(what), "%s, call %d", row->function, at);
        for (int i = 0; i < 2; i++) {
            answers[i].call.at = at;
            side_call(&sides[i], &answers[i]);
        }
        if (answers[0].call.over)
            break;
        compare_answers(what, answers);
        tally->calls++;
        tally->refused += answers[0].code != ERR_OK;
        if (row->writes == NULL)
            continue;
        if (str_has_word(row->writes, STR("tenant")) ||
            str_has_word(row->writes, STR("task")) || strstr(row->writes, "upstream") != NULL)
            side_renumber(&sides[1]);
        same = compare_content(what, sides, row->writes);
    }
    for (int i = 0; i < 2; i++)
        buf_fini(&answers[i].told);
    return same && compare_content(row->function, sides, NULL);
}

#endif
