/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of assets of Ark's own library. */
#include "assetlib/rows.h"

#define REGISTERED_COLUMNS \
    "id, tenant_id, account_id, type, name, duration_ms, created_us, purged_us"

static void read_record(struct db_stmt *st, struct asset_record *ret_record)
{
    struct asset *asset = &ret_record->asset;

    *ret_record = (struct asset_record){.tenant_id = db_get_i64(st, 1)};
    db_copy_text(st, 0, asset->id, sizeof(asset->id));
    asset->account_id = db_get_i64(st, 2);
    ASSERT(asset_type_parse(db_get_text(st, 3), &asset->type));
    db_copy_text(st, 4, asset->name, sizeof(asset->name));
    asset->duration_ms = db_get_i64(st, 5);
    asset->created_us = asset->updated_us = db_get_i64(st, 6);
    ret_record->purged_us = db_is_null(st, 7) ? 0 : db_get_i64(st, 7);
    asset->status = ASSET_ACTIVE;
    (void)str_copy(asset->project, sizeof(asset->project), STR(ASSET_PROJECT_DEFAULT));
}

FALLIBLE registered_repo_put(struct db_conn *conn, const struct scope *scope,
                             const struct asset *asset, struct err *err)
{
    static const char sql[] =
        "INSERT INTO registered_asset (id, tenant_id, account_id, type, name, duration_ms,"
        " created_us, purged_us)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, NULL) ON CONFLICT (id) DO UPDATE SET"
        " tenant_id = excluded.tenant_id, account_id = excluded.account_id,"
        " type = excluded.type, name = excluded.name, duration_ms = excluded.duration_ms,"
        " created_us = excluded.created_us, purged_us = NULL"
        " WHERE registered_asset.purged_us IS NOT NULL";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, str_from(asset->id));
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_i64(st, 3, asset->account_id);
    db_bind_text(st, 4, str_from(asset_type_name(asset->type)));
    db_bind_text(st, 5, str_from(asset->name));
    db_bind_i64(st, 6, asset->duration_ms);
    db_bind_i64(st, 7, asset->created_us);
    return db_run_one(st, "the asset is registered already", err);
}

FALLIBLE registered_repo_get(struct db_conn *conn, const struct scope *scope, struct str id,
                             struct str project, struct asset *ret_asset, struct err *err)
{
    static const char sql[] = "SELECT " REGISTERED_COLUMNS " FROM registered_asset"
                              " WHERE id = $1 AND tenant_id IN (0, $2)"
                              " AND ($3 = '' OR $3 = '" ASSET_PROJECT_DEFAULT "')"
                              " AND purged_us IS NULL";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    struct asset_record record;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, id);
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_text(st, 3, project);
    switch (db_step(st, err)) {
    case DB_ROW:
        read_record(st, &record);
        *ret_asset = record.asset;
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_ASSET_UNKNOWN, "the asset %.*s does not exist",
                       (int)(id.len < 64 ? id.len : 64), id.ptr);
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE registered_repo_purge(struct db_conn *conn, const struct scope *scope, struct str id,
                               int64_t now_us, struct err *err)
{
    static const char sql[] = "UPDATE registered_asset SET purged_us = $3 WHERE id = $1"
                              " AND tenant_id = $2 AND purged_us IS NULL";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, id);
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_i64(st, 3, now_us);
    return db_run_one(st, "the asset was purged before", err);
}

FALLIBLE registered_repo_find(struct db_conn *conn, struct str id,
                              struct asset_record *ret_record, struct err *err)
{
    /* cross-tenant: operators name an asset by its id alone */
    static const char sql[] =
        "SELECT " REGISTERED_COLUMNS " FROM registered_asset WHERE id = $1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, id);
    switch (db_step(st, err)) {
    case DB_ROW:
        read_record(st, ret_record);
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_NOT_FOUND, "there is no such asset");
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE registered_list(struct db_conn *conn, const struct asset_record_filter *filter,
                         asset_record_visit visit, void *ctx, struct err *err)
{
    /* cross-tenant: an operator's list; $3 says of whom, and everybody's are each one's */
    static const char sql[] =
        "SELECT " REGISTERED_COLUMNS " FROM registered_asset WHERE ($1 = '' OR id < $1)"
        " AND ($3 = 0 OR tenant_id IN (0, $3))"
        " AND ($4 = '' OR $4 = CASE WHEN purged_us IS NULL THEN 'Active' ELSE 'Purged' END)"
        " ORDER BY id DESC LIMIT $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, filter->before);
    db_bind_i64(st, 2, filter->limit);
    db_bind_i64(st, 3, filter->tenant_id);
    db_bind_text(st, 4, filter->status);
    while ((step = db_step(st, err)) == DB_ROW) {
        struct asset_record record;

        read_record(st, &record);
        TRY(visit(&record, ctx, err));
    }
    return step == DB_DONE ? ERR_OK : err->code;
}
