/* SPDX-License-Identifier: Apache-2.0 */
/* What operators read about assets, of any tenant, purged ones too. Lists begin with the
 * newest. */
#include "assetlib/rows.h"

#define RECORD_COLUMNS ASSET_COLUMNS ", tenant_id, purged_us"
#define OF_STATUS \
    " AND ($2 = '' OR $2 = CASE WHEN purged_us IS NULL THEN status ELSE 'Purged' END)"

static enum err_code each(struct db_stmt *st, asset_record_visit visit, void *ctx,
                          struct err *err)
{
    enum db_step step;

    while ((step = db_step(st, err)) == DB_ROW) {
        struct asset_record record;

        asset_repo_read(st, &record.asset);
        record.tenant_id = db_get_i64(st, ASSET_COLUMN_COUNT);
        record.purged_us = db_get_i64(st, ASSET_COLUMN_COUNT + 1);
        TRY(visit(&record, ctx, err));
    }
    return step == DB_DONE ? ERR_OK : err->code;
}

struct finding {
    struct asset_record *record;
    bool found;
};

static enum err_code keep(const struct asset_record *record, void *ctx, struct err *err)
{
    struct finding *finding = ctx;

    (void)err;
    *finding->record = *record;
    finding->found = true;
    return ERR_OK;
}

FALLIBLE asset_view_find(struct db_conn *conn, struct str id, struct asset_record *ret_record,
                         struct err *err)
{
    /* cross-tenant: operators name an asset by its id alone */
    static const char sql[] = "SELECT " RECORD_COLUMNS " FROM asset WHERE id = $1";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    struct finding finding = {.record = ret_record};

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, id);
    TRY(each(st, keep, &finding, err));
    return finding.found ? ERR_OK : registered_repo_find(conn, id, ret_record, err);
}

FALLIBLE asset_view_group(struct db_conn *conn, struct str id, int64_t *ret_tenant_id,
                          struct err *err)
{
    /* cross-tenant: operators name a group by its id alone */
    static const char sql[] = "SELECT tenant_id FROM asset_group WHERE id = $1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, id);
    switch (db_step(st, err)) {
    case DB_ROW:
        *ret_tenant_id = db_get_i64(st, 0);
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_NOT_FOUND, "there is no such asset group");
    case DB_FAIL:
        break;
    }
    return err->code;
}

/* A group, a tenant or everything; each in the order of an index that is there. Ids begin
 * with the second in which they were made, which is near enough to the time of a row. */
FALLIBLE asset_view_list(struct db_conn *conn, const struct asset_record_filter *filter,
                         asset_record_visit visit, void *ctx, struct err *err)
{
    static const char of_group[] =
        "SELECT " RECORD_COLUMNS " FROM asset WHERE tenant_id = $4 AND group_id = $6"
        " AND (created_us, id) < ($5, $1)" OF_STATUS
        " ORDER BY created_us DESC, id DESC LIMIT $3";
    static const char of_tenant[] = "SELECT " RECORD_COLUMNS " FROM asset WHERE tenant_id = $4"
                                    " AND (created_us, id) < ($5, $1)" OF_STATUS
                                    " ORDER BY created_us DESC, id DESC LIMIT $3";
    /* cross-tenant: the operators' list of all assets */
    static const char of_all[] = "SELECT " RECORD_COLUMNS " FROM asset WHERE id < $1" OF_STATUS
                                 " ORDER BY id DESC LIMIT $3";
    bool one_tenant = filter->tenant_id != 0, one_group = one_tenant && filter->group.len > 0;
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, one_group ? of_group : one_tenant ? of_tenant : of_all, &st, err));
    db_bind_text(st, 1, filter->before.len > 0 ? filter->before : STR("b")); /* behind asset- */
    db_bind_text(st, 2, filter->status);
    db_bind_i64(st, 3, filter->limit);
    if (one_tenant) {
        db_bind_i64(st, 4, filter->tenant_id);
        db_bind_i64(st, 5, filter->before.len > 0 ? filter->before_us : INT64_MAX);
    }
    if (one_group)
        db_bind_text(st, 6, filter->group);
    return each(st, visit, ctx, err);
}

FALLIBLE asset_view_active(struct db_conn *conn, struct str after_id, int limit,
                           asset_record_visit visit, void *ctx, struct err *err)
{
    /* cross-tenant: an operator compares all assets with what is stored */
    static const char sql[] =
        "SELECT " RECORD_COLUMNS " FROM asset WHERE id > $1 AND status = 'Active'"
        " AND purged_us IS NULL ORDER BY id LIMIT $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, after_id);
    db_bind_i64(st, 2, limit);
    return each(st, visit, ctx, err);
}

FALLIBLE asset_view_of_bytes(struct db_conn *conn, const struct scope *scope,
                             const uint8_t hash[CRYPTO_HASH_BYTES], int limit,
                             asset_record_visit visit, void *ctx, struct err *err)
{
    static const char sql[] =
        "SELECT " RECORD_COLUMNS " FROM asset WHERE tenant_id = $1 AND hash = $2"
        " AND hash IS NOT NULL AND purged_us IS NULL UNION ALL"
        " SELECT " RECORD_COLUMNS " FROM asset WHERE tenant_id = $1 AND thumbnail = $2"
        " AND thumbnail IS NOT NULL AND purged_us IS NULL ORDER BY id LIMIT $3";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_blob(st, 2, hash, CRYPTO_HASH_BYTES);
    db_bind_i64(st, 3, limit);
    return each(st, visit, ctx, err);
}

FALLIBLE asset_view_uses(struct db_conn *conn, const struct scope *scope, struct str asset_id,
                         int limit, asset_use_visit visit, void *ctx, struct err *err)
{
    static const char sql[] =
        "SELECT task, created_us FROM asset_use WHERE tenant_id = $1 AND asset_id = $2"
        " ORDER BY task DESC LIMIT $3";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_text(st, 2, asset_id);
    db_bind_i64(st, 3, limit);
    while ((step = db_step(st, err)) == DB_ROW)
        TRY(visit(db_get_text(st, 0), db_get_i64(st, 1), ctx, err));
    return step == DB_DONE ? ERR_OK : err->code;
}

static enum err_code one_number(struct db_conn *conn, const char *sql, int64_t given,
                                int64_t *ret_number, struct err *err)
{
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, given);
    switch (db_step(st, err)) {
    case DB_ROW:
        *ret_number = db_get_i64(st, 0);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_INTERNAL, "a count returned no row");
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE asset_view_health(struct db_conn *conn, int64_t due_before_us,
                           struct asset_health *ret_health, struct err *err)
{
    /* cross-tenant: counts of the whole installation; of assets whether there is one */
    static const char assets_sql[] =
        "SELECT count(*) FROM (SELECT id FROM asset WHERE id > '' LIMIT $1) AS first";
    /* cross-tenant: likewise */
    static const char late_sql[] = "SELECT count(*) FROM ingest WHERE due_us < $1";
    int64_t assets;

    TRY(one_number(conn, assets_sql, 1, &assets, err));
    ret_health->has_assets = assets > 0;
    return one_number(conn, late_sql, due_before_us, &ret_health->late, err);
}
