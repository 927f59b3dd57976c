/* SPDX-License-Identifier: Apache-2.0 */
/* Which key of a tenant made which task. Rows die with a refusal or with age. */
#include "gateway/task/task_rows.h"

#include <string.h>

enum err_code idempotency_repo_find(struct db_conn *conn, const struct scope *scope,
                                    struct str key, int64_t not_before_us, bool *ret_found,
                                    struct idempotency *ret_row, struct err *err)
{
    static const char sql[] = "SELECT body_hash, task_id, created_us FROM idempotency"
                              " WHERE tenant_id = $1 AND key = $2 AND created_us >= $3";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    struct str hash;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_text(st, 2, key);
    db_bind_i64(st, 3, not_before_us);
    switch (db_step(st, err)) {
    case DB_ROW:
        hash = db_get_text(st, 0);
        ASSERT(hash.len == CRYPTO_HASH_BYTES);
        memcpy(ret_row->body_hash, hash.ptr, hash.len);
        ret_row->task_id = db_get_i64(st, 1);
        ret_row->created_us = db_get_i64(st, 2);
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

enum err_code idempotency_repo_add(struct db_conn *conn, const struct scope *scope,
                                   struct str key, const struct idempotency *row,
                                   struct str minted_id, int64_t not_before_us, struct err *err)
{
    static const char sql[] =
        "INSERT INTO idempotency (tenant_id, key, body_hash, task_id, created_us)"
        " SELECT t.tenant_id, $2, $3, t.id, $5 FROM task AS t"
        " WHERE t.tenant_id = $1 AND t.minted_id = $4"
        " ON CONFLICT (tenant_id, key) DO UPDATE SET body_hash = excluded.body_hash,"
        " task_id = excluded.task_id, created_us = excluded.created_us"
        " WHERE idempotency.created_us < $6";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_text(st, 2, key);
    db_bind_blob(st, 3, row->body_hash, sizeof(row->body_hash));
    db_bind_text(st, 4, minted_id);
    db_bind_i64(st, 5, row->created_us);
    db_bind_i64(st, 6, not_before_us);
    return db_run_one(st, "the idempotency key is in use", err);
}

enum err_code idempotency_repo_drop(struct db_conn *conn, const struct scope *scope,
                                    struct str key, int64_t task_id, struct err *err)
{
    static const char sql[] =
        "DELETE FROM idempotency WHERE tenant_id = $1 AND key = $2 AND task_id = $3";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_text(st, 2, key);
    db_bind_i64(st, 3, task_id);
    return db_run(st, err);
}

enum err_code idempotency_repo_sweep(struct db_conn *conn, int64_t before_us, int64_t max,
                                     int64_t *ret_count, struct err *err)
{
    /* cross-tenant: outdated keys of all tenants */
    static const char sqlite_sql[] =
        "DELETE FROM idempotency WHERE (tenant_id, key) IN (SELECT tenant_id, key"
        " FROM idempotency WHERE created_us < $1 ORDER BY created_us LIMIT $2)";
    /* cross-tenant: likewise, by its place: joined with itself PostgreSQL would read the
     * whole table */
    static const char pg_sql[] =
        "DELETE FROM idempotency WHERE ctid = ANY (ARRAY(SELECT i.ctid FROM idempotency AS i"
        " WHERE i.created_us < $1 ORDER BY i.created_us LIMIT $2))";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare2(conn, SQL2(sqlite_sql, pg_sql), &st, err));
    db_bind_i64(st, 1, before_us);
    db_bind_i64(st, 2, max);
    TRY(db_run(st, err));
    *ret_count = db_changes(st);
    return ERR_OK;
}
