/* SPDX-License-Identifier: Apache-2.0 */
/* What lists of groups and assets read. Totals come from the kept counts, unless a part of
 * a name is asked for: then the matches are counted. A page is walked in the order asked
 * for, in the index that has it; other conditions are checked on the way. */
#include "assetlib/rows.h"

/* $2 and $3: own ones alone; $4: groups; $5: project; $6 to $8: statuses. */
#define OWN " AND ($2 = 0 OR identity = $3)"
#define IN_GROUPS(column) " AND ($4 = '' OR $4 LIKE '%,' || " column " || ',%')"
#define IN_PROJECT " AND ($5 = '' OR project = $5)"
#define OF_STATUS                                                                \
    " AND (($6 = 1 AND status = 'Processing') OR ($7 = 1 AND status = 'Active')" \
    " OR ($8 = 1 AND status = 'Failed'))"
#define NAMED(position) " AND (" position " = '' OR folded LIKE " position " ESCAPE '\\')"

static void bind_browse(struct db_stmt *st, const struct scope *scope,
                        const struct browse *browse)
{
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, scope->own_only);
    db_bind_text(st, 3, str_from(scope->identity));
    db_bind_text(st, 4, browse->groups);
    db_bind_text(st, 5, browse->filter->project);
}

static void bind_statuses(struct db_stmt *st, const struct asset_filter *filter)
{
    for (int status = 0; status < ASSET_STATUS_COUNT; status++)
        db_bind_i64(st, 6 + status, !filter->has_status || filter->status[status]);
}

static enum err_code read_total(struct db_stmt *st, int64_t *ret_total, struct err *err)
{
    switch (db_step(st, err)) {
    case DB_ROW:
        *ret_total = db_get_i64(st, 0);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_INTERNAL, "a count returned no row");
    case DB_FAIL:
        break;
    }
    return err->code;
}

/* ---- groups ------------------------------------------------------------------------------ */

#define GROUPS_MATCH OWN IN_GROUPS("id") IN_PROJECT NAMED("$6")

FALLIBLE browse_repo_count_groups(struct db_conn *conn, const struct scope *scope,
                                  const struct browse *browse, int64_t *ret_total,
                                  struct err *err)
{
    static const char kept_sql[] =
        "SELECT CAST(coalesce(sum(n), 0) AS bigint) FROM asset_group_count"
        " WHERE tenant_id = $1 AND ($2 = 0 OR identity = $3) AND $4 = ''" IN_PROJECT;
    static const char sql[] =
        "SELECT count(*) FROM asset_group WHERE tenant_id = $1" GROUPS_MATCH;
    CLEANUP(db_done) struct db_stmt *st = NULL;
    bool kept = browse->name.len == 0 && browse->groups.len == 0;

    TRY(db_prepare(conn, kept ? kept_sql : sql, &st, err));
    bind_browse(st, scope, browse);
    if (!kept)
        db_bind_text(st, 6, browse->name);
    return read_total(st, ret_total, err);
}

FALLIBLE browse_repo_groups(struct db_conn *conn, const struct scope *scope,
                            const struct browse *browse, const struct asset_reader *reader,
                            struct err *err)
{
#define PAGE(own, order)                                                              \
    "SELECT " GROUP_COLUMNS " FROM asset_group WHERE tenant_id = $1" own GROUPS_MATCH \
    " ORDER BY created_us " order ", id " order " LIMIT $7 OFFSET $8"
    static const char *const sql[2][2] = {
        {PAGE("", "DESC"), PAGE("", "ASC")},
        {PAGE(" AND identity = $3", "DESC"), PAGE(" AND identity = $3", "ASC")}};
#undef PAGE
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql[scope->own_only][browse->filter->ascending], &st, err));
    bind_browse(st, scope, browse);
    db_bind_text(st, 6, browse->name);
    db_bind_i64(st, 7, browse->filter->page_size);
    db_bind_i64(st, 8, browse->offset);
    while ((step = db_step(st, err)) == DB_ROW) {
        struct asset_group group;

        group_repo_read(st, &group);
        TRY(reader->group(&group, reader->ctx, err));
    }
    return step == DB_FAIL ? err->code : ERR_OK;
}

/* ---- assets -------------------------------------------------------------------------------
 */

/* What was purged is passed over; there is little of it. */
#define ASSETS_MATCH \
    OWN IN_GROUPS("group_id") IN_PROJECT OF_STATUS NAMED("$9") " AND purged_us IS NULL"

FALLIBLE browse_repo_count_assets(struct db_conn *conn, const struct scope *scope,
                                  const struct browse *browse, int64_t *ret_total,
                                  struct err *err)
{
    /* One group's rows alone when it is one, else the rows without a group, or all. */
    static const char kept_sql[] =
        "SELECT CAST(coalesce(sum(n), 0) AS bigint) FROM asset_count WHERE tenant_id = $1"
        " AND group_id = $4 AND ($2 = 0 OR identity = $3)" IN_PROJECT OF_STATUS;
    static const char groups_sql[] =
        "SELECT CAST(coalesce(sum(n), 0) AS bigint) FROM asset_count WHERE tenant_id = $1"
        " AND group_id <> '' AND ($2 = 0 OR identity = $3)" IN_GROUPS("group_id")
            IN_PROJECT OF_STATUS;
    static const char sql[] = "SELECT count(*) FROM asset WHERE tenant_id = $1" ASSETS_MATCH;
    const struct asset_filter *filter = browse->filter;
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn,
                   browse->name.len > 0      ? sql
                   : filter->group_count > 1 ? groups_sql
                                             : kept_sql,
                   &st, err));
    bind_browse(st, scope, browse);
    bind_statuses(st, filter);
    if (browse->name.len > 0)
        db_bind_text(st, 9, browse->name);
    else if (filter->group_count <= 1)
        db_bind_text(st, 4, filter->group_count == 1 ? filter->groups[0] : STR(""));
    return read_total(st, ret_total, err);
}

enum walk { WALK_ALL, WALK_OWN, WALK_GROUP, WALKS };

/* Which index is walked; a group's is the shortest. */
static const char *page_sql(const struct scope *scope, const struct asset_filter *filter)
{
#define PAGE(walk, column, order)                                                \
    "SELECT " ASSET_COLUMNS " FROM asset WHERE tenant_id = $1" walk ASSETS_MATCH \
    " ORDER BY " column " " order ", id " order " LIMIT $10 OFFSET $11"
#define GROUPED(walk, order)                                                     \
    "SELECT " ASSET_COLUMNS " FROM asset WHERE tenant_id = $1" walk ASSETS_MATCH \
    " ORDER BY group_id " order ", created_us " order ", id " order " LIMIT $10 OFFSET $11"
#define SORTS(walk)                                                              \
    {                                                                            \
        {PAGE(walk, "created_us", "DESC"), PAGE(walk, "created_us", "ASC")},     \
            {PAGE(walk, "updated_us", "DESC"), PAGE(walk, "updated_us", "ASC")}, \
            {GROUPED(walk, "DESC"), GROUPED(walk, "ASC")},                       \
    }
    static const char *const sql[WALKS][ASSET_SORT_COUNT][2] = {
        [WALK_ALL] = SORTS(""),
        [WALK_OWN] = SORTS(" AND identity = $3"),
        [WALK_GROUP] = SORTS(" AND group_id = $12"),
    };
#undef SORTS
#undef GROUPED
#undef PAGE
    enum walk walk = filter->group_count == 1 ? WALK_GROUP
                     : scope->own_only        ? WALK_OWN
                                              : WALK_ALL;

    return sql[walk][filter->sort][filter->ascending];
}

FALLIBLE browse_repo_assets(struct db_conn *conn, const struct scope *scope,
                            const struct browse *browse, const struct asset_reader *reader,
                            struct err *err)
{
    const struct asset_filter *filter = browse->filter;
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;

    TRY(db_prepare(conn, page_sql(scope, filter), &st, err));
    bind_browse(st, scope, browse);
    bind_statuses(st, filter);
    db_bind_text(st, 9, browse->name);
    db_bind_i64(st, 10, filter->page_size);
    db_bind_i64(st, 11, browse->offset);
    if (filter->group_count == 1)
        db_bind_text(st, 12, filter->groups[0]);
    while ((step = db_step(st, err)) == DB_ROW) {
        struct asset asset;

        asset_repo_read(st, &asset);
        TRY(reader->asset(&asset, reader->ctx, err));
    }
    return step == DB_FAIL ? err->code : ERR_OK;
}
