/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of what operators said of a tenant. */
#include "tenancy/private.h"

FALLIBLE tenant_setting_repo_put(struct db_conn *conn, int64_t tenant_id, struct str name,
                                 struct str value, struct err *err)
{
    static const char sql[] =
        "INSERT INTO tenant_setting (tenant_id, name, value) VALUES ($1, $2, $3)"
        " ON CONFLICT (tenant_id, name) DO UPDATE SET value = excluded.value";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, tenant_id);
    db_bind_text(stmt, 2, name);
    db_bind_text(stmt, 3, value);
    return db_run(stmt, err);
}

FALLIBLE tenant_setting_repo_each(struct db_conn *conn, int64_t tenant_id,
                                  enum err_code (*visit)(struct str name, struct str value,
                                                         void *ctx, struct err *err),
                                  void *ctx, struct err *err)
{
    static const char sql[] =
        "SELECT name, value FROM tenant_setting WHERE tenant_id = $1 ORDER BY name";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, tenant_id);
    while ((step = db_step(stmt, err)) == DB_ROW)
        TRY(visit(db_get_text(stmt, 0), db_get_text(stmt, 1), ctx, err));
    return step == DB_DONE ? ERR_OK : err->code;
}
