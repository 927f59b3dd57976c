/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of files to be fetched, each taken by one gateway at a time until a moment. A row
 * that was taken anew has another holder or number of tries: who was late changes nothing. */
#include "assetlib/rows.h"

FALLIBLE ingest_repo_insert(struct db_conn *conn, const struct scope *scope,
                            struct str asset_id, struct str url, int64_t now_us,
                            struct err *err)
{
    static const char sql[] =
        "INSERT INTO ingest (asset_id, tenant_id, url, due_us, holder, tries, created_us)"
        " VALUES ($1, $2, $3, $4, '', 0, $5)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare_rows(conn, sql, &st, err));
    db_bind_text(st, 1, asset_id);
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_text(st, 3, url);
    db_bind_i64(st, 4, now_us);
    db_bind_i64(st, 5, now_us);
    return db_run(st, err);
}

FALLIBLE ingest_repo_take(struct db_conn *conn, const struct ingest_claim *claim,
                          bool *ret_found, struct ingest_row *ret_row, struct err *err)
{
    /* cross-tenant: whoever's file is due */
    static const char sqlite_sql[] =
        "UPDATE ingest SET holder = $1, due_us = $3, tries = tries + 1 WHERE asset_id ="
        " (SELECT asset_id FROM ingest WHERE due_us <= $2 AND tenant_id NOT IN ($4, $5)"
        " ORDER BY due_us LIMIT 1)"
        " RETURNING asset_id, tenant_id, url, tries, downloads, looks, created_us";
    /* cross-tenant: likewise; several gateways take different ones */
    static const char pg_sql[] =
        "UPDATE ingest SET holder = $1, due_us = $3, tries = tries + 1 WHERE asset_id ="
        " (SELECT i.asset_id FROM ingest AS i WHERE i.due_us <= $2"
        " AND i.tenant_id NOT IN ($4, $5) ORDER BY i.due_us LIMIT 1 FOR UPDATE SKIP LOCKED)"
        " RETURNING asset_id, tenant_id, url, tries, downloads, looks, created_us";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare2(conn, SQL2(sqlite_sql, pg_sql), &st, err));
    db_bind_text(st, 1, claim->holder);
    db_bind_i64(st, 2, claim->now_us);
    db_bind_i64(st, 3, claim->until_us);
    for (int i = 0; i < INGEST_SKIP_MAX; i++)
        db_bind_i64(st, 4 + i, claim->skip.tenants[i]);
    switch (db_step(st, err)) {
    case DB_ROW:
        db_copy_text(st, 0, ret_row->asset_id, sizeof(ret_row->asset_id));
        ret_row->tenant_id = db_get_i64(st, 1);
        db_copy_text(st, 2, ret_row->url, sizeof(ret_row->url));
        ret_row->tries = db_get_i64(st, 3);
        ret_row->downloads = db_get_i64(st, 4);
        ret_row->looks = db_get_i64(st, 5);
        ret_row->created_us = db_get_i64(st, 6);
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

FALLIBLE ingest_repo_next(struct db_conn *conn, const struct ingest_skip *skip,
                          int64_t *ret_due_us, struct err *err)
{
    /* cross-tenant: whoever's file is due next */
    static const char sql[] = "SELECT due_us FROM ingest WHERE tenant_id NOT IN ($1, $2)"
                              " ORDER BY due_us LIMIT 1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    for (int i = 0; i < INGEST_SKIP_MAX; i++)
        db_bind_i64(st, 1 + i, skip->tenants[i]);
    switch (db_step(st, err)) {
    case DB_ROW:
        *ret_due_us = db_get_i64(st, 0);
        return ERR_OK;
    case DB_DONE:
        *ret_due_us = INT64_MAX;
        return ERR_OK;
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE ingest_repo_later(struct db_conn *conn, const struct scope *scope,
                           const struct ingest_row *row, struct str holder, int64_t due_us,
                           struct err *err)
{
    static const char sql[] = "UPDATE ingest SET due_us = $5, downloads = $6, looks = $7"
                              " WHERE asset_id = $1 AND tenant_id = $2 AND holder = $3"
                              " AND tries = $4";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, str_from(row->asset_id));
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_text(st, 3, holder);
    db_bind_i64(st, 4, row->tries);
    db_bind_i64(st, 5, due_us);
    db_bind_i64(st, 6, row->downloads);
    db_bind_i64(st, 7, row->looks);
    return db_run_one(st, "the file was taken by another gateway, or purged", err);
}

FALLIBLE ingest_repo_delete(struct db_conn *conn, const struct scope *scope,
                            struct str asset_id, struct str holder, int64_t tries,
                            struct err *err)
{
    static const char sql[] = "DELETE FROM ingest WHERE asset_id = $1 AND tenant_id = $2"
                              " AND holder = $3 AND tries = $4";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, asset_id);
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_text(st, 3, holder);
    db_bind_i64(st, 4, tries);
    return db_run_one(st, "the file was taken by another gateway, or purged", err);
}

FALLIBLE ingest_repo_drop(struct db_conn *conn, const struct scope *scope, struct str asset_id,
                          struct err *err)
{
    static const char sql[] = "DELETE FROM ingest WHERE asset_id = $1 AND tenant_id = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, asset_id);
    db_bind_i64(st, 2, scope->tenant_id);
    return db_run(st, err);
}

FALLIBLE ingest_repo_release(struct db_conn *conn, int64_t now_us, struct err *err)
{
    /* cross-tenant: of everybody, when one process alone uses the database */
    static const char sql[] = "UPDATE ingest SET due_us = $1 WHERE due_us > $1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, now_us);
    return db_run(st, err);
}
