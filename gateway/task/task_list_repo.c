/* SPDX-License-Identifier: Apache-2.0 */
/* What lists read within a scope. Totals come from the kept counts, and so does the
 * condition whose index a page is walked in: the one that the fewest tasks meet. The
 * others are checked on the way, and the walk ends with the last match that there is. */
#include "gateway/task/task_columns.h"
#include "gateway/task/task_rows.h"

/* $2 and $3: own tasks alone; $4 to $6: shown state, model, tier, or empty. */
#define MATCHES                                                \
    " AND listed = 1 AND ($2 = 0 OR token_identity = $3)"      \
    " AND ($4 = '' OR shown = $4) AND ($5 = '' OR model = $5)" \
    " AND ($6 = '' OR tier = $6)"
#define NEWEST_FIRST " ORDER BY created_us DESC, id DESC LIMIT $7 OFFSET $8"

static void bind_filter(struct db_stmt *st, const struct scope *scope,
                        const struct task_list_filter *filter)
{
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, scope->own_only);
    db_bind_text(st, 3, str_from(scope->identity));
    db_bind_text(st, 4, filter->has_status ? str_from(state_name(filter->status)) : STR(""));
    db_bind_text(st, 5, filter->model);
    db_bind_text(st, 6, filter->tier);
}

enum err_code task_list_repo_count(struct db_conn *conn, const struct scope *scope,
                                   const struct task_list_filter *filter, int64_t *ret_count,
                                   struct err *err)
{
    static const char all_sql[] =
        "SELECT CAST(coalesce(sum(n), 0) AS bigint) FROM task_count WHERE tenant_id = $1"
        " AND ($2 = 0 OR token_identity = $3) AND ($4 = '' OR state = $4)"
        " AND ($5 = '' OR model = $5) AND ($6 = '' OR tier = $6)";
    static const char own_sql[] =
        "SELECT CAST(coalesce(sum(n), 0) AS bigint) FROM task_count WHERE tenant_id = $1"
        " AND $2 = 1 AND token_identity = $3 AND ($4 = '' OR state = $4)"
        " AND ($5 = '' OR model = $5) AND ($6 = '' OR tier = $6)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, scope->own_only ? own_sql : all_sql, &st, err));
    bind_filter(st, scope, filter);
    switch (db_step(st, err)) {
    case DB_ROW:
        *ret_count = db_get_i64(st, 0);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_INTERNAL, "a count returned no row");
    case DB_FAIL:
        break;
    }
    return err->code;
}

enum walk { WALK_OWN, WALK_SHOWN, WALK_MODEL, WALK_TIER, WALKS };

/* Those that have an index; tier default has none, nearly all tasks meet it. */
static size_t list_walks(const struct scope *scope, const struct task_list_filter *filter,
                         enum walk ret_walks[WALKS])
{
    size_t count = 0;

    if (scope->own_only)
        ret_walks[count++] = WALK_OWN;
    if (filter->has_status)
        ret_walks[count++] = WALK_SHOWN;
    if (filter->model.len > 0)
        ret_walks[count++] = WALK_MODEL;
    if (filter->tier.len > 0 && !str_is(filter->tier, "default"))
        ret_walks[count++] = WALK_TIER;
    return count;
}

/* How many of the tenant's tasks meet each condition alone. */
static enum err_code measure_walks(struct db_conn *conn, const struct scope *scope,
                                   const struct task_list_filter *filter,
                                   int64_t ret_lengths[WALKS], struct err *err)
{
    static const char sql[] =
        "SELECT CAST(coalesce(sum(CASE WHEN $2 = 1 AND token_identity = $3 THEN n END), 0) AS "
        "bigint),"
        " CAST(coalesce(sum(CASE WHEN state = $4 THEN n END), 0) AS bigint),"
        " CAST(coalesce(sum(CASE WHEN model = $5 THEN n END), 0) AS bigint),"
        " CAST(coalesce(sum(CASE WHEN tier = $6 THEN n END), 0) AS bigint)"
        " FROM task_count WHERE tenant_id = $1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    bind_filter(st, scope, filter);
    switch (db_step(st, err)) {
    case DB_ROW:
        for (int i = 0; i < WALKS; i++)
            ret_lengths[i] = db_get_i64(st, i);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_INTERNAL, "a count returned no row");
    case DB_FAIL:
        break;
    }
    return err->code;
}

/* The statement whose index has the fewest rows to look at. */
static enum err_code page_statement(struct db_conn *conn, const struct scope *scope,
                                    const struct task_list_filter *filter, const char **ret_sql,
                                    struct err *err)
{
    static const char all_sql[] =
        "SELECT " TASK_COLUMNS " FROM task WHERE tenant_id = $1" MATCHES NEWEST_FIRST;
    static const char own_sql[] = "SELECT " TASK_COLUMNS " FROM task WHERE tenant_id = $1"
                                  " AND token_identity = $3" MATCHES NEWEST_FIRST;
    static const char shown_sql[] = "SELECT " TASK_COLUMNS " FROM task WHERE tenant_id = $1"
                                    " AND shown = $4" MATCHES NEWEST_FIRST;
    static const char model_sql[] = "SELECT " TASK_COLUMNS " FROM task WHERE tenant_id = $1"
                                    " AND model = $5" MATCHES NEWEST_FIRST;
    static const char tier_sql[] = "SELECT " TASK_COLUMNS " FROM task WHERE tenant_id = $1"
                                   " AND tier = $6 AND tier <> 'default'" MATCHES NEWEST_FIRST;
    static const char *const statements[WALKS] = {own_sql, shown_sql, model_sql, tier_sql};
    int64_t lengths[WALKS] = {0};
    enum walk walks[WALKS] = {WALK_OWN}, best;
    size_t count = list_walks(scope, filter, walks);

    if (count > 1)
        TRY(measure_walks(conn, scope, filter, lengths, err));
    best = walks[0];
    for (size_t i = 1; i < count; i++) {
        if (lengths[walks[i]] < lengths[best])
            best = walks[i];
    }
    *ret_sql = count == 0 ? all_sql : statements[best];
    return ERR_OK;
}

enum err_code task_list_repo_page(struct db_conn *conn, const struct scope *scope,
                                  const struct task_list_filter *filter, int64_t offset,
                                  int64_t limit, const struct task_list_reader *reader,
                                  struct err *err)
{
    CLEANUP(db_done) struct db_stmt *st = NULL;
    const char *sql;
    enum db_step step;
    struct task task;

    TRY(page_statement(conn, scope, filter, &sql, err));
    TRY(db_prepare(conn, sql, &st, err));
    bind_filter(st, scope, filter);
    db_bind_i64(st, 7, limit);
    db_bind_i64(st, 8, offset);
    while ((step = db_step(st, err)) == DB_ROW) {
        task_columns_read(st, &task);
        TRY(reader->item(&task, reader->ctx, err));
    }
    return step == DB_FAIL ? err->code : ERR_OK;
}

enum err_code task_list_repo_find(struct db_conn *conn, const struct scope *scope,
                                  const struct task_list_filter *filter, struct str id,
                                  bool *ret_found, struct task_list_key *ret_key,
                                  struct err *err)
{
    /* The plus keeps the planner on the two id indexes. */
    static const char sql[] = "SELECT created_us, id FROM task WHERE +tenant_id = $1"
                              " AND (minted_id = $7 OR upstream_id = $7)" MATCHES " LIMIT 1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    bind_filter(st, scope, filter);
    db_bind_text(st, 7, id);
    switch (db_step(st, err)) {
    case DB_ROW:
        *ret_key = (struct task_list_key){db_get_i64(st, 0), db_get_i64(st, 1)};
        *ret_found = true;
        return ERR_OK;
    case DB_DONE:
        *ret_found = false;
        return ERR_OK;
    case DB_FAIL:
        break;
    }
    return err->code;
}
