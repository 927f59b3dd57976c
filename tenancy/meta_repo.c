/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about the installation itself, by name. */
#include "tenancy/tenancy.h"

enum err_code meta_repo_get(struct db_conn *conn, const char *name, char *dst, size_t size,
                            bool *ret_found, struct err *err)
{
    static const char sql[] = "SELECT value FROM meta WHERE name = $1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, str_from(name));
    switch (db_step(st, err)) {
    case DB_ROW:
        db_copy_text(st, 0, dst, size);
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

enum err_code meta_repo_put(struct db_conn *conn, const char *name, const char *value,
                            struct err *err)
{
    static const char sql[] = "INSERT INTO meta (name, value) VALUES ($1, $2)"
                              " ON CONFLICT (name) DO UPDATE SET value = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, str_from(name));
    db_bind_text(st, 2, str_from(value));
    return db_run(st, err);
}

enum err_code meta_repo_remove(struct db_conn *conn, const char *name, struct err *err)
{
    static const char sql[] = "DELETE FROM meta WHERE name = $1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, str_from(name));
    return db_run(st, err);
}

enum err_code meta_repo_each(struct db_conn *conn,
                             enum err_code (*visit)(struct str name, struct str value,
                                                    void *ctx, struct err *err),
                             void *ctx, struct err *err)
{
    static const char sql[] = "SELECT name, value FROM meta ORDER BY name";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &st, err));
    while ((step = db_step(st, err)) == DB_ROW)
        TRY(visit(db_get_text(st, 0), db_get_text(st, 1), ctx, err));
    return step == DB_DONE ? ERR_OK : err->code;
}
