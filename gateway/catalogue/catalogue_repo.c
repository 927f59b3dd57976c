/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the catalogue that an operator wrote. The catalogue is read whole, by every
 * gateway, so its statements are cross-tenant by their nature. */
#include "gateway/catalogue/catalogue_parts.h"

typedef enum err_code (*visit_fn)(const struct catalogue_repo_row *row, void *ctx,
                                  struct err *err);

static enum err_code each(struct db_stmt *stmt, visit_fn visit, void *ctx, struct err *err)
{
    enum db_step step;

    while ((step = db_step(stmt, err)) == DB_ROW) {
        struct catalogue_repo_row row = {.tenant_id = db_get_i64(stmt, 0),
                                         .model = db_get_text(stmt, 1),
                                         .key = db_get_text(stmt, 2),
                                         .value = db_get_text(stmt, 3)};

        TRY(visit(&row, ctx, err));
    }
    return step == DB_DONE ? ERR_OK : err->code;
}

static enum err_code each_alias(struct db_conn *conn, visit_fn visit, void *ctx,
                                struct err *err)
{
    /* cross-tenant: the catalogue is read whole */
    static const char sql[] = "SELECT tenant_id, model, 'alias', alias FROM model_alias"
                              " ORDER BY tenant_id, alias";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    return each(stmt, visit, ctx, err);
}

FALLIBLE catalogue_repo_each(struct db_conn *conn, visit_fn visit, void *ctx, struct err *err)
{
    /* cross-tenant: the catalogue is read whole */
    static const char sql[] =
        "SELECT tenant_id, model, name, value FROM model_setting"
        " ORDER BY tenant_id, CASE WHEN name = 'like' THEN 0 ELSE 1 END, model, name";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    TRY(each(stmt, visit, ctx, err));
    return each_alias(conn, visit, ctx, err);
}

FALLIBLE catalogue_repo_set(struct db_conn *conn, const struct catalogue_repo_row *row,
                            struct err *err)
{
    static const char sql[] =
        "INSERT INTO model_setting (tenant_id, model, name, value) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (tenant_id, model, name) DO UPDATE SET value = excluded.value";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, row->tenant_id);
    db_bind_text(stmt, 2, row->model);
    db_bind_text(stmt, 3, row->key);
    db_bind_text(stmt, 4, row->value);
    return db_run(stmt, err);
}

FALLIBLE catalogue_repo_add_alias(struct db_conn *conn, const struct catalogue_repo_row *row,
                                  struct err *err)
{
    static const char sql[] =
        "INSERT INTO model_alias (tenant_id, alias, model) VALUES ($1, $2, $3)"
        " ON CONFLICT (tenant_id, alias) DO NOTHING";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, row->tenant_id);
    db_bind_text(stmt, 2, row->value);
    db_bind_text(stmt, 3, row->model);
    TRY(db_run(stmt, err));
    return db_changes(stmt) == 1 ? ERR_OK
                                 : err_set(err, ERR_CONFLICT, "%.*s is a name already",
                                           (int)row->value.len, row->value.ptr);
}

FALLIBLE catalogue_repo_drop_alias(struct db_conn *conn, const struct catalogue_repo_row *row,
                                   struct err *err)
{
    static const char sql[] =
        "DELETE FROM model_alias WHERE tenant_id = $1 AND alias = $2 AND model = $3";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, row->tenant_id);
    db_bind_text(stmt, 2, row->value);
    db_bind_text(stmt, 3, row->model);
    TRY(db_run(stmt, err));
    return db_changes(stmt) == 1 ? ERR_OK
                                 : err_set(err, ERR_NOT_FOUND, "%.*s is no added name of %.*s",
                                           (int)row->value.len, row->value.ptr,
                                           (int)row->model.len, row->model.ptr);
}
