/* SPDX-License-Identifier: Apache-2.0 */
/* Copies a SQLite file's rows into a server's database, every table that both have, by
 * their catalogues. Which database is in use before and after is not decided here. */
#include "base/store/copy_private.h"

#include "base/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUSY_US = 5 * 1000 * 1000,
    PROGRESS_US = 5 * 1000 * 1000,
    PROGRESS_ROWS = 4096, /* between two looks at the clock */
    ROW_MAX = 512 << 20,
    REMAKE_MAX = 1 << 20
};

struct copy {
    const struct db_copy_plan *plan;
    const struct db_copy_watch *watch;
    struct db_conn *source, *target;
    struct copy_tables tables; /* the source's, as the target's know them */
    struct copy_sum *sums;     /* of what was sent, by table */
    struct buf remake;
    struct db_copy_report report;
};

/* ---- names ------------------------------------------------------------------------------ */

void db_copy_quote(struct buf *sql, const char *name)
{
    buf_put(sql, "\"", 1);
    for (; *name != '\0'; name++) {
        if (*name == '"')
            buf_put(sql, "\"", 1);
        buf_put(sql, name, 1);
    }
    buf_put(sql, "\"", 1);
}

void db_copy_quote_columns(struct buf *sql, const struct copy_table *table)
{
    for (int i = 0; i < table->count; i++) {
        if (i > 0)
            buf_puts(sql, ", ");
        db_copy_quote(sql, table->columns[i].name);
    }
}

void db_copy_row_name(const struct copy_table *table, const struct copy_value *values,
                      char dst[COPY_ROW_NAME_SIZE])
{
    char text[64];

    (void)snprintf(dst, COPY_ROW_NAME_SIZE, "%s", table->name);
    for (int i = 0; i < table->count; i++) {
        size_t len = strlen(dst);

        if (table->columns[i].key == 0)
            continue;
        if (table->columns[i].kind == COPY_INTEGER)
            (void)snprintf(text, sizeof(text), "%lld", (long long)values[i].number);
        else
            str_copy_cut(text, sizeof(text), values[i].text);
        db_stmt_mend(text, strlen(text));
        (void)snprintf(dst + len, COPY_ROW_NAME_SIZE - len, ", %s %s", table->columns[i].name,
                       text);
    }
}

/* ---- sums ---------------------------------------------------------------------------------
 */

void db_copy_sum_add(struct copy_sum *sum, const char *row, size_t len)
{
    uint8_t hash[CRYPTO_HASH_BYTES];
    uint64_t half[2];

    crypto_sha256((struct str){row, len}, hash);
    memcpy(half, hash, sizeof(half));
    sum->rows++;
    sum->low += half[0];
    sum->high += half[1];
}

/* ---- the catalogues ------------------------------------------------------------------------
 */

FALLIBLE db_copy_add_column(struct copy_tables *tables, struct str table,
                            const struct copy_column *column, struct err *err)
{
    struct copy_table *last = tables->count > 0 ? &tables->items[tables->count - 1] : NULL;

    if (last == NULL || !str_is(table, last->name)) {
        struct copy_table *items =
            realloc(tables->items, (size_t)(tables->count + 1) * sizeof(*items));

        if (items == NULL)
            return err_detail(err, ERR_UNAVAILABLE, "out of memory for a table");
        tables->items = items;
        last = &items[tables->count++];
        memset(last, 0, sizeof(*last));
        ASSERT(str_copy(last->name, sizeof(last->name), table));
    }
    if (last->count == COPY_COLUMNS_MAX)
        return err_detail(err, ERR_INTERNAL, "table %s has too many columns", last->name);
    last->columns[last->count++] = *column;
    return ERR_OK;
}

static void drop_table(struct copy_tables *tables, const char *name)
{
    for (int i = 0; i < tables->count; i++) {
        if (strcmp(tables->items[i].name, name) != 0)
            continue;
        tables->count--;
        memmove(&tables->items[i], &tables->items[i + 1],
                (size_t)(tables->count - i) * sizeof(tables->items[0]));
        return;
    }
}

static const struct copy_table *find_table(const struct copy_tables *tables, const char *name)
{
    for (int i = 0; i < tables->count; i++) {
        if (strcmp(tables->items[i].name, name) == 0)
            return &tables->items[i];
    }
    return NULL;
}

static bool match_column(struct copy_column *ours, const struct copy_table *theirs)
{
    for (int i = 0; i < theirs->count; i++) {
        const struct copy_column *column = &theirs->columns[i];

        if (strcmp(column->name, ours->name) != 0)
            continue;
        ours->identity = column->identity;
        return column->kind == ours->kind && column->key == ours->key &&
               ours->kind != COPY_OTHER;
    }
    return false;
}

/* What only the target has is its engine's own. */
static FALLIBLE match_tables(struct copy_tables *ours, const struct copy_tables *theirs,
                             struct err *err)
{
    for (int i = 0; i < ours->count; i++) {
        struct copy_table *table = &ours->items[i];
        const struct copy_table *there = find_table(theirs, table->name);
        bool same = there != NULL && there->count == table->count;

        for (int at = 0; same && at < table->count; at++)
            same = match_column(&table->columns[at], there);
        if (!same)
            return err_set(err, ERR_CONFIG, "table %s is another one in the target",
                           table->name);
    }
    return ERR_OK;
}

static void tables_fini(struct copy_tables *tables)
{
    free(tables->items);
}

static FALLIBLE read_catalogues(struct copy *copy, struct err *err)
{
    CLEANUP(tables_fini) struct copy_tables theirs = {0};

    TRY(sqlite_copy_tables(copy->source, &copy->tables, err));
    TRY(pg_copy_tables(copy->target, &theirs, err));
    for (size_t i = 0; i < copy->plan->without_count; i++)
        drop_table(&copy->tables, copy->plan->without[i]);
    TRY(match_tables(&copy->tables, &theirs, err));
    copy->sums = calloc((size_t)copy->tables.count, sizeof(*copy->sums));
    return copy->sums != NULL ? ERR_OK
                              : err_detail(err, ERR_UNAVAILABLE, "out of memory for sums");
}

/* ---- the rows ------------------------------------------------------------------------ */

static void tell(const struct copy *copy, enum db_copy_step step, const char *table,
                 int64_t rows, int64_t begun_us, bool done)
{
    const struct db_copy_progress progress = {.step = step,
                                              .table = table,
                                              .rows = rows,
                                              .us = sys_mono_us() - begun_us,
                                              .done = done};

    if (copy->watch != NULL && copy->watch->progress != NULL)
        copy->watch->progress(copy->watch->ctx, &progress);
}

/* Mended texts live in the arena. */
static FALLIBLE mend(struct copy *copy, const struct copy_table *table,
                     struct copy_value *values, struct arena *arena, struct err *err)
{
    char name[COPY_ROW_NAME_SIZE];

    for (int i = 0; i < table->count; i++) {
        struct str text = values[i].text;
        char *mended;

        if (table->columns[i].kind != COPY_TEXT || values[i].absent || text.len == 0 ||
            (str_is_utf8(text) && memchr(text.ptr, '\0', text.len) == NULL))
            continue;
        mended = arena_alloc(arena, text.len);
        if (mended == NULL)
            return err_detail(err, ERR_UNAVAILABLE, "out of memory for a text");
        memcpy(mended, text.ptr, text.len);
        db_stmt_mend(mended, text.len);
        values[i].text.ptr = mended;
        copy->report.mended++;
        db_copy_row_name(table, values, name);
        if (copy->watch != NULL && copy->watch->mended != NULL)
            copy->watch->mended(copy->watch->ctx, name, table->columns[i].name);
    }
    return ERR_OK;
}

static FALLIBLE copy_rows(struct copy *copy, struct sqlite_copy *from, struct pg_copy *to,
                          struct err *err)
{
    int64_t begun_us = sys_mono_us(), told_us = begun_us;
    bool more = true;

    for (;;) {
        CLEANUP(arena_fini) struct arena arena = {0};

        TRY(sqlite_copy_next(from, &more, err));
        if (!more)
            break;
        if (FAULT_POINT("copy.row"))
            return err_detail(err, ERR_IO, "fault");
        arena_init(&arena, ROW_MAX);
        TRY(mend(copy, from->table, from->values, &arena, err));
        TRY(pg_copy_put(to, from->values, err));
        if (to->sum.rows % PROGRESS_ROWS == 0 && sys_mono_us() - told_us >= PROGRESS_US) {
            told_us = sys_mono_us();
            tell(copy, DB_COPY_ROWS, from->table->name, to->sum.rows, begun_us, false);
        }
    }
    TRY(pg_copy_close(to, err));
    tell(copy, DB_COPY_ROWS, from->table->name, to->sum.rows, begun_us, true);
    return ERR_OK;
}

/* The server counts rows: which one was the number-th? */
static void name_refused(struct copy *copy, const struct copy_table *table, int64_t number,
                         struct err *err)
{
    CLEANUP(sqlite_copy_close) struct sqlite_copy rows = {0};
    char name[COPY_ROW_NAME_SIZE];
    struct err ignored;
    bool more = true;

    if (sqlite_copy_open(copy->source, table, &rows, &ignored) != ERR_OK)
        return;
    while (number-- > 0 && more) {
        if (sqlite_copy_next(&rows, &more, &ignored) != ERR_OK)
            return;
    }
    if (!more)
        return;
    db_copy_row_name(table, rows.values, name);
    struct err cause = *err;

    (void)err_set(err, cause.code, "the target does not take the row %s", name);
    str_copy_cut(err->detail, sizeof(err->detail), str_from(cause.detail));
}

static void pg_copy_fini(struct pg_copy *rows)
{
    buf_fini(&rows->out);
}

static FALLIBLE copy_table(struct copy *copy, int index, struct err *err)
{
    const struct copy_table *table = &copy->tables.items[index];
    CLEANUP(sqlite_copy_close) struct sqlite_copy from = {0};
    CLEANUP(pg_copy_fini) struct pg_copy to = {0};

    TRY(sqlite_copy_open(copy->source, table, &from, err));
    TRY(pg_copy_open(copy->target, table, &to, err));
    enum err_code code = copy_rows(copy, &from, &to, err);

    if (code != ERR_OK && to.refused > 0)
        name_refused(copy, table, to.refused, err);
    copy->sums[index] = to.sum;
    copy->report.rows += to.sum.rows;
    return code;
}

static FALLIBLE fill(struct copy *copy, struct err *err)
{
    int64_t begun_us = sys_mono_us();

    TRY(pg_copy_begin(copy->target, err));
    if (copy->plan->guard != NULL)
        TRY(db_conn_run(copy->target, copy->plan->guard, copy->plan->guard_ctx, err));
    TRY(pg_copy_clear(copy->target, &copy->tables, &copy->remake, err));
    for (int i = 0; i < copy->tables.count; i++)
        TRY(copy_table(copy, i, err));
    int64_t remake_us = sys_mono_us();

    TRY(pg_copy_remake(copy->target, &copy->remake, err));
    for (int i = 0; i < copy->tables.count; i++)
        TRY(pg_copy_settle(copy->target, &copy->tables.items[i], err));
    TRY(pg_copy_commit(copy->target, err));
    tell(copy, DB_COPY_INDEXES, "", 0, remake_us, true);
    copy->report.copy_us = sys_mono_us() - begun_us;
    return ERR_OK;
}

/* ---- the proof ----------------------------------------------------------------------- */

static FALLIBLE check_table(struct copy *copy, int index, struct err *err)
{
    const struct copy_table *table = &copy->tables.items[index];
    const struct copy_sum *sent = &copy->sums[index];
    int64_t begun_us = sys_mono_us();
    struct copy_sum found;
    int64_t rows = 0;

    TRY(sqlite_copy_count(copy->source, table, &rows, err));
    TRY(pg_copy_sum(copy->target, table, &found, err));
    if (found.rows != rows || sent->rows != rows)
        return err_set(err, ERR_MISMATCH,
                       "table %s has %lld rows in the source, %lld in the target", table->name,
                       (long long)sent->rows, (long long)found.rows);
    if (found.low != sent->low || found.high != sent->high)
        return err_set(err, ERR_MISMATCH,
                       "table %s holds something else in the target than in"
                       " the source",
                       table->name);
    tell(copy, DB_COPY_CHECK, table->name, found.rows, begun_us, true);
    return ERR_OK;
}

static FALLIBLE check(struct copy *copy, struct err *err)
{
    int64_t begun_us = sys_mono_us();

    for (int i = 0; i < copy->tables.count; i++)
        TRY(check_table(copy, i, err));
    copy->report.check_us = sys_mono_us() - begun_us;
    return ERR_OK;
}

static void copy_fini(struct copy *copy)
{
    if (copy->source != NULL)
        sqlite_conn_rollback(copy->source); /* it has only read */
    db_conn_close(&copy->source);
    db_conn_close(&copy->target);
    tables_fini(&copy->tables);
    free(copy->sums);
    buf_fini(&copy->remake);
}

FALLIBLE db_copy(const struct db_copy_plan *plan, const struct db_copy_watch *watch,
                 struct db_copy_report *ret_report, struct err *err)
{
    CLEANUP(copy_fini) struct copy copy = {.plan = plan, .watch = watch};

    if (db_is_server(plan->from) || !db_is_server(plan->to))
        return err_set(err, ERR_CONFIG,
                       "rows are copied from a SQLite file into a server's database");
    buf_init(&copy.remake, REMAKE_MAX);
    TRY(sqlite_conn_open(plan->from, NULL, DB_ROLE_READER, BUSY_US, &copy.source, err));
    copy.source->trusted = true; /* its catalogue is read by pragmas */
    TRY(sqlite_conn_read_begin(copy.source, err));
    TRY(pg_open_new(plan->to, DB_ROLE_TOOL, &copy.target, err));
    TRY(read_catalogues(&copy, err));
    TRY(fill(&copy, err));
    if (FAULT_POINT("copy.filled"))
        return err_detail(err, ERR_IO, "fault");
    TRY(check(&copy, err));
    copy.report.tables = copy.tables.count;
    *ret_report = copy.report;
    return ERR_OK;
}
