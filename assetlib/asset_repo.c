/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of assets, one by one, and the counts that lists and limits read. */
#include "assetlib/rows.h"

#include <string.h>

static void bind_hash(struct db_stmt *st, int position, bool has,
                      const uint8_t hash[CRYPTO_HASH_BYTES])
{
    if (has)
        db_bind_blob(st, position, hash, CRYPTO_HASH_BYTES);
    else
        db_bind_null(st, position);
}

FALLIBLE asset_repo_insert(struct db_conn *conn, const struct scope *scope,
                           const struct asset *asset, struct str folded, struct err *err)
{
    static const char sql[] =
        "INSERT INTO asset (id, tenant_id, identity, group_id, type, name, folded, project,"
        " status, error_code, error_message, bytes, hash, thumbnail, format, codec, width,"
        " height, fps_milli, duration_ms, channels, created_us, updated_us, purged_us)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', '', $10, NULL, NULL, '', '', 0, 0, 0,"
        " 0, 0, $11, $12, NULL)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare_rows(conn, sql, &st, err));
    db_bind_text(st, 1, str_from(asset->id));
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_text(st, 3, str_from(asset->identity));
    db_bind_text(st, 4, str_from(asset->group_id));
    db_bind_text(st, 5, str_from(asset_type_name(asset->type)));
    db_bind_text(st, 6, str_from(asset->name));
    db_bind_text(st, 7, folded);
    db_bind_text(st, 8, str_from(asset->project));
    db_bind_text(st, 9, str_from(asset_status_name(asset->status)));
    db_bind_i64(st, 10, asset->bytes);
    db_bind_i64(st, 11, asset->created_us);
    db_bind_i64(st, 12, asset->updated_us);
    return db_run(st, err);
}

static enum err_code count_in(struct db_conn *conn, const struct scope *scope,
                              const struct asset *asset, struct str group_id, int64_t number,
                              int64_t bytes, struct err *err)
{
    static const char sql[] =
        "INSERT INTO asset_count AS c (tenant_id, group_id, identity, project, status, n, "
        "bytes)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)"
        " ON CONFLICT (tenant_id, group_id, identity, project, status)"
        " DO UPDATE SET n = c.n + excluded.n, bytes = c.bytes + excluded.bytes";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_text(st, 2, group_id);
    db_bind_text(st, 3, str_from(asset->identity));
    db_bind_text(st, 4, str_from(asset->project));
    db_bind_text(st, 5, str_from(asset_status_name(asset->status)));
    db_bind_i64(st, 6, number);
    db_bind_i64(st, 7, bytes);
    return db_run(st, err);
}

FALLIBLE asset_repo_count(struct db_conn *conn, const struct scope *scope,
                          const struct asset *asset, int64_t number, int64_t bytes,
                          struct err *err)
{
    TRY(count_in(conn, scope, asset, str_from(asset->group_id), number, bytes, err));
    return count_in(conn, scope, asset, STR(""), number, bytes, err);
}

FALLIBLE asset_repo_usage(struct db_conn *conn, const struct scope *scope, int64_t *ret_count,
                          int64_t *ret_bytes, struct err *err)
{
    static const char sql[] =
        "SELECT CAST(coalesce(sum(n), 0) AS bigint), CAST(coalesce(sum(bytes), 0) AS bigint)"
        " FROM asset_count WHERE tenant_id = $1 AND group_id = '' AND status <> 'Failed'";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    switch (db_step(st, err)) {
    case DB_ROW:
        *ret_count = db_get_i64(st, 0);
        *ret_bytes = db_get_i64(st, 1);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_INTERNAL, "a sum returned no row");
    case DB_FAIL:
        break;
    }
    return err->code;
}

static bool read_hash(struct db_stmt *st, int column, uint8_t ret_hash[CRYPTO_HASH_BYTES])
{
    struct str hash;

    if (db_is_null(st, column))
        return false;
    hash = db_get_text(st, column);
    ASSERT(hash.len == CRYPTO_HASH_BYTES);
    memcpy(ret_hash, hash.ptr, hash.len);
    return true;
}

void asset_repo_read(struct db_stmt *st, struct asset *ret_asset)
{
    struct asset *asset = ret_asset;

    *asset = (struct asset){0};
    db_copy_text(st, 0, asset->id, sizeof(asset->id));
    db_copy_text(st, 1, asset->identity, sizeof(asset->identity));
    db_copy_text(st, 2, asset->group_id, sizeof(asset->group_id));
    ASSERT(asset_type_parse(db_get_text(st, 3), &asset->type));
    ASSERT(asset_status_parse(db_get_text(st, 4), &asset->status));
    db_copy_text(st, 5, asset->name, sizeof(asset->name));
    db_copy_text(st, 6, asset->project, sizeof(asset->project));
    db_copy_text(st, 7, asset->error_code, sizeof(asset->error_code));
    db_copy_text(st, 8, asset->error_message, sizeof(asset->error_message));
    asset->bytes = db_get_i64(st, 9);
    asset->has_hash = read_hash(st, 10, asset->hash);
    asset->has_thumbnail = read_hash(st, 11, asset->thumbnail);
    db_copy_text(st, 12, asset->format, sizeof(asset->format));
    db_copy_text(st, 13, asset->codec, sizeof(asset->codec));
    asset->width = db_get_i64(st, 14);
    asset->height = db_get_i64(st, 15);
    asset->fps_milli = db_get_i64(st, 16);
    asset->duration_ms = db_get_i64(st, 17);
    asset->channels = db_get_i64(st, 18);
    asset->created_us = db_get_i64(st, 19);
    asset->updated_us = db_get_i64(st, 20);
}

FALLIBLE asset_repo_get(struct db_conn *conn, const struct scope *scope, struct str id,
                        struct str project, struct asset *ret_asset, struct err *err)
{
    static const char sql[] = "SELECT " ASSET_COLUMNS " FROM asset WHERE tenant_id = $1"
                              " AND id = $2 AND ($3 = 0 OR identity = $4)"
                              " AND ($5 = '' OR project = $5) AND purged_us IS NULL";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_text(st, 2, id);
    db_bind_i64(st, 3, scope->own_only);
    db_bind_text(st, 4, str_from(scope->identity));
    db_bind_text(st, 5, project);
    switch (db_step(st, err)) {
    case DB_ROW:
        asset_repo_read(st, ret_asset);
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_ASSET_UNKNOWN, "the asset %.*s does not exist",
                       (int)(id.len < 64 ? id.len : 64), id.ptr);
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE asset_repo_finish(struct db_conn *conn, const struct scope *scope,
                           const struct asset *asset, struct err *err)
{
    static const char sql[] =
        "UPDATE asset SET status = $3, error_code = $4, error_message = $5, bytes = $6,"
        " hash = $7, thumbnail = $8, format = $9, codec = $10, width = $11, height = $12,"
        " fps_milli = $13, duration_ms = $14, channels = $15, updated_us = $16"
        " WHERE id = $1 AND tenant_id = $2 AND status = 'Processing' AND purged_us IS NULL";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, str_from(asset->id));
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_text(st, 3, str_from(asset_status_name(asset->status)));
    db_bind_text(st, 4, str_from(asset->error_code));
    db_bind_text(st, 5, str_from(asset->error_message));
    db_bind_i64(st, 6, asset->bytes);
    bind_hash(st, 7, asset->has_hash, asset->hash);
    bind_hash(st, 8, asset->has_thumbnail, asset->thumbnail);
    db_bind_text(st, 9, str_from(asset->format));
    db_bind_text(st, 10, str_from(asset->codec));
    db_bind_i64(st, 11, asset->width);
    db_bind_i64(st, 12, asset->height);
    db_bind_i64(st, 13, asset->fps_milli);
    db_bind_i64(st, 14, asset->duration_ms);
    db_bind_i64(st, 15, asset->channels);
    db_bind_i64(st, 16, asset->updated_us);
    return db_run_one(st, "the asset is not processing any more", err);
}

FALLIBLE asset_repo_purge(struct db_conn *conn, const struct scope *scope, struct str id,
                          int64_t now_us, struct err *err)
{
    static const char sql[] = "UPDATE asset SET purged_us = $3 WHERE id = $1 AND tenant_id = $2"
                              " AND purged_us IS NULL";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, id);
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_i64(st, 3, now_us);
    return db_run_one(st, "the asset was purged before", err);
}

FALLIBLE asset_repo_refers(struct db_conn *conn, const struct scope *scope,
                           const uint8_t hash[CRYPTO_HASH_BYTES], bool *ret_refers,
                           struct err *err)
{
    static const char sql[] =
        "SELECT 1 FROM asset WHERE tenant_id = $1 AND hash = $2 AND hash IS NOT NULL"
        " AND purged_us IS NULL UNION ALL"
        " SELECT 1 FROM asset WHERE tenant_id = $1 AND thumbnail = $2 AND thumbnail IS NOT NULL"
        " AND purged_us IS NULL LIMIT 1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_blob(st, 2, hash, CRYPTO_HASH_BYTES);
    switch (db_step(st, err)) {
    case DB_ROW:
        *ret_refers = true;
        return ERR_OK;
    case DB_DONE:
        *ret_refers = false;
        return ERR_OK;
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE asset_repo_note_use(struct db_conn *conn, const struct scope *scope,
                             struct str asset_id, struct str task, int64_t now_us,
                             struct err *err)
{
    static const char sql[] =
        "INSERT INTO asset_use (tenant_id, asset_id, task, created_us)"
        " VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, asset_id, task) DO NOTHING";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_text(st, 2, asset_id);
    db_bind_text(st, 3, task);
    db_bind_i64(st, 4, now_us);
    return db_run(st, err);
}
