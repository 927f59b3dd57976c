/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of groups, and how many of them lists count. */
#include "assetlib/rows.h"

FALLIBLE group_repo_insert(struct db_conn *conn, const struct scope *scope,
                           const struct asset_group *group, struct str folded, struct err *err)
{
    static const char sql[] =
        "INSERT INTO asset_group (id, tenant_id, identity, name, folded, description, project,"
        " created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare_rows(conn, sql, &st, err));
    db_bind_text(st, 1, str_from(group->id));
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_text(st, 3, str_from(group->identity));
    db_bind_text(st, 4, str_from(group->name));
    db_bind_text(st, 5, folded);
    db_bind_text(st, 6, str_from(group->description));
    db_bind_text(st, 7, str_from(group->project));
    db_bind_i64(st, 8, group->created_us);
    return db_run(st, err);
}

FALLIBLE group_repo_count(struct db_conn *conn, const struct scope *scope,
                          const struct asset_group *group, struct err *err)
{
    static const char sql[] =
        "INSERT INTO asset_group_count AS c (tenant_id, identity, project, n)"
        " VALUES ($1, $2, $3, 1)"
        " ON CONFLICT (tenant_id, identity, project) DO UPDATE SET n = c.n + 1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_text(st, 2, str_from(group->identity));
    db_bind_text(st, 3, str_from(group->project));
    return db_run(st, err);
}

FALLIBLE group_repo_usage(struct db_conn *conn, const struct scope *scope, int64_t *ret_count,
                          struct err *err)
{
    static const char sql[] =
        "SELECT CAST(coalesce(sum(n), 0) AS bigint) FROM asset_group_count"
        " WHERE tenant_id = $1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    switch (db_step(st, err)) {
    case DB_ROW:
        *ret_count = db_get_i64(st, 0);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_INTERNAL, "a sum returned no row");
    case DB_FAIL:
        break;
    }
    return err->code;
}

void group_repo_read(struct db_stmt *stmt, struct asset_group *ret_group)
{
    db_copy_text(stmt, 0, ret_group->id, sizeof(ret_group->id));
    db_copy_text(stmt, 1, ret_group->identity, sizeof(ret_group->identity));
    db_copy_text(stmt, 2, ret_group->name, sizeof(ret_group->name));
    db_copy_text(stmt, 3, ret_group->description, sizeof(ret_group->description));
    db_copy_text(stmt, 4, ret_group->project, sizeof(ret_group->project));
    ret_group->created_us = db_get_i64(stmt, 5);
}

FALLIBLE group_repo_get(struct db_conn *conn, const struct scope *scope, struct str id,
                        struct str project, struct asset_group *ret_group, struct err *err)
{
    static const char sql[] =
        "SELECT " GROUP_COLUMNS " FROM asset_group WHERE tenant_id = $1 AND id = $2"
        " AND ($3 = 0 OR identity = $4) AND ($5 = '' OR project = $5)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_text(st, 2, id);
    db_bind_i64(st, 3, scope->own_only);
    db_bind_text(st, 4, str_from(scope->identity));
    db_bind_text(st, 5, project);
    switch (db_step(st, err)) {
    case DB_ROW:
        group_repo_read(st, ret_group);
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_GROUP_UNKNOWN, "the asset group %.*s does not exist",
                       (int)(id.len < 64 ? id.len : 64), id.ptr);
    case DB_FAIL:
        break;
    }
    return err->code;
}
