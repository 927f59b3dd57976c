/* SPDX-License-Identifier: Apache-2.0 */
/* Which request of a tenant made which group or asset. Rows die with age. */
#include "assetlib/rows.h"

#include <string.h>

FALLIBLE request_repo_find(struct db_conn *conn, const struct scope *scope, struct str name,
                           int64_t not_before_us, bool *ret_found,
                           char ret_id[ASSET_ID_MAX + 1],
                           uint8_t ret_body_hash[CRYPTO_HASH_BYTES], struct err *err)
{
    static const char sql[] = "SELECT object_id, body_hash FROM asset_request"
                              " WHERE tenant_id = $1 AND key = $2 AND created_us >= $3";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    struct str hash;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_text(st, 2, name);
    db_bind_i64(st, 3, not_before_us);
    switch (db_step(st, err)) {
    case DB_ROW:
        db_copy_text(st, 0, ret_id, ASSET_ID_MAX + 1);
        hash = db_get_text(st, 1);
        ASSERT(hash.len == CRYPTO_HASH_BYTES);
        memcpy(ret_body_hash, hash.ptr, hash.len);
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

FALLIBLE request_repo_put(struct db_conn *conn, const struct scope *scope, struct str name,
                          struct str id, const uint8_t body_hash[CRYPTO_HASH_BYTES],
                          int64_t now_us, struct err *err)
{
    static const char sql[] =
        "INSERT INTO asset_request (tenant_id, key, body_hash, object_id, created_us)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant_id, key) DO UPDATE SET"
        " body_hash = excluded.body_hash, object_id = excluded.object_id,"
        " created_us = excluded.created_us";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_text(st, 2, name);
    db_bind_blob(st, 3, body_hash, CRYPTO_HASH_BYTES);
    db_bind_text(st, 4, id);
    db_bind_i64(st, 5, now_us);
    return db_run(st, err);
}

FALLIBLE request_repo_sweep(struct db_conn *conn, int64_t before_us, int64_t max,
                            int64_t *ret_count, struct err *err)
{
    /* cross-tenant: outdated names of all tenants */
    static const char sqlite_sql[] =
        "DELETE FROM asset_request WHERE (tenant_id, key) IN (SELECT tenant_id, key"
        " FROM asset_request WHERE created_us < $1 ORDER BY created_us LIMIT $2)";
    /* cross-tenant: likewise, by its place: joined with itself PostgreSQL would read the
     * whole table */
    static const char pg_sql[] =
        "DELETE FROM asset_request WHERE ctid = ANY (ARRAY(SELECT r.ctid FROM asset_request"
        " AS r WHERE r.created_us < $1 ORDER BY r.created_us LIMIT $2))";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare2(conn, SQL2(sqlite_sql, pg_sql), &st, err));
    db_bind_i64(st, 1, before_us);
    db_bind_i64(st, 2, max);
    TRY(db_run(st, err));
    *ret_count = db_changes(st);
    return ERR_OK;
}
