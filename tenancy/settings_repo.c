/* SPDX-License-Identifier: Apache-2.0 */
/* The number that tells running gateways that something was changed. What they
 * read again is theirs to decide. */
#include "tenancy/private.h"

FALLIBLE settings_touch(struct db_conn *conn, struct err *err)
{
    /* cross-tenant: one number for the installation */
    static const char sql[] = "UPDATE settings_version SET version = version + 1 WHERE id = 1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    TRY(db_run(stmt, err));
    if (db_changes(stmt) != 1)
        return err_detail(err, ERR_INTERNAL, "the settings_version row is missing");
    return ERR_OK;
}

FALLIBLE settings_version(struct db_conn *conn, int64_t *ret_version, struct err *err)
{
    /* cross-tenant: one number for the installation */
    static const char sql[] = "SELECT version FROM settings_version WHERE id = 1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    switch (db_step(stmt, err)) {
    case DB_ROW:
        *ret_version = db_get_i64(stmt, 0);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_INTERNAL, "the settings_version row is missing");
    case DB_FAIL:
        break;
    }
    return err->code;
}
