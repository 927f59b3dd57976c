/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tenants. Only operators' changes and the listing of all tenants come
 * here, so the statements are cross-tenant by their nature. */
#include "tenancy/private.h"

#define COLUMNS "id, name, suspended, currency, book, created_us"

static void from_row(struct db_stmt *stmt, struct tenant *ret_tenant)
{
    ret_tenant->id = db_get_i64(stmt, 0);
    db_copy_text(stmt, 1, ret_tenant->name, sizeof(ret_tenant->name));
    ret_tenant->suspended = db_get_i64(stmt, 2) != 0;
    db_copy_text(stmt, 3, ret_tenant->currency, sizeof(ret_tenant->currency));
    db_copy_text(stmt, 4, ret_tenant->book, sizeof(ret_tenant->book));
    ret_tenant->created_us = db_get_i64(stmt, 5);
}

static enum err_code take_one(struct db_stmt *stmt, struct tenant *ret_tenant, struct err *err)
{
    switch (db_step(stmt, err)) {
    case DB_ROW:
        from_row(stmt, ret_tenant);
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_NOT_FOUND, "there is no such tenant");
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE tenant_repo_insert(struct db_conn *conn, struct tenant *tenant, struct err *err)
{
    static const char sql[] = "INSERT INTO tenant (name, suspended, currency, book, created_us)"
                              " VALUES ($1, $2, $3, $4, $5)"
                              " ON CONFLICT (name) DO NOTHING RETURNING id";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, str_from(tenant->name));
    db_bind_i64(stmt, 2, tenant->suspended);
    db_bind_text(stmt, 3, str_from(tenant->currency));
    db_bind_text(stmt, 4, str_from(tenant->book));
    db_bind_i64(stmt, 5, tenant->created_us);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        tenant->id = db_get_i64(stmt, 0);
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_CONFLICT, "tenant %s exists", tenant->name);
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE tenant_repo_find(struct db_conn *conn, struct str name, struct tenant *ret_tenant,
                          struct err *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM tenant WHERE name = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, name);
    return take_one(stmt, ret_tenant, err);
}

FALLIBLE tenant_repo_get(struct db_conn *conn, int64_t id, struct tenant *ret_tenant,
                         struct err *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM tenant WHERE id = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, id);
    return take_one(stmt, ret_tenant, err);
}

FALLIBLE tenant_repo_update(struct db_conn *conn, const struct tenant *tenant, struct err *err)
{
    static const char sql[] = "UPDATE tenant SET suspended = $2, book = $3 WHERE id = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, tenant->id);
    db_bind_i64(stmt, 2, tenant->suspended);
    db_bind_text(stmt, 3, str_from(tenant->book));
    return db_run(stmt, err);
}

FALLIBLE tenant_repo_each(struct db_conn *conn, int64_t after, int limit,
                          enum err_code (*visit)(const struct tenant *tenant, void *ctx,
                                                 struct err *err),
                          void *ctx, struct err *err)
{
    static const char sql[] = "SELECT " COLUMNS " FROM tenant WHERE id > $1"
                              " ORDER BY id LIMIT $2";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, after);
    db_bind_i64(stmt, 2, limit > 0 ? limit : 0);
    while ((step = db_step(stmt, err)) == DB_ROW) {
        struct tenant tenant;

        from_row(stmt, &tenant);
        TRY(visit(&tenant, ctx, err));
    }
    return step == DB_DONE ? ERR_OK : err->code;
}
