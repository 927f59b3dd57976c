/* SPDX-License-Identifier: Apache-2.0 */
/* The schema's version: which one this program has, which databases it opens. How an
 * engine is brought there is in sqlite_migrate.c and pg_migrate.c. */
#include "base/store/db_private.h"

#include "base/store/pg_private.h"
#include "base/store/sqlite_private.h"

#define BUSY_US (5 * 1000 * 1000)

FALLIBLE db_migrate_with(const char *path, const struct db_schema_file *files, int count,
                         struct err *err)
{
    return db_is_server(path) ? pg_migrate(path, files, count, err)
                              : sqlite_migrate(path, files, count, err);
}

FALLIBLE db_migrate(const char *path, struct err *err)
{
    return db_migrate_with(path, db_schema_files, db_schema_file_count, err);
}

FALLIBLE db_exists(const char *path, bool *ret_exists, struct err *err)
{
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;
    int version = 0;

    if (!db_is_server(path)) {
        *ret_exists = db_file_exists(path);
        return ERR_OK;
    }
    TRY(pg_open_new(path, DB_ROLE_TOOL, &conn, err));
    TRY(pg_migrate_schema(conn, &version, err));
    *ret_exists = version > 0;
    return ERR_OK;
}

FALLIBLE db_schema_of(const char *path, int *ret_version, struct err *err)
{
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;

    if (db_is_server(path)) {
        TRY(pg_open_new(path, DB_ROLE_TOOL, &conn, err));
        return pg_migrate_schema(conn, ret_version, err);
    }
    if (!db_file_exists(path))
        return err_set(err, ERR_NOT_FOUND, "%s does not exist", path);
    TRY(sqlite_conn_open(path, NULL, DB_ROLE_READER, BUSY_US, &conn, err));
    return sqlite_conn_schema(conn, ret_version, err);
}

FALLIBLE db_migrate_check(int version, struct err *err)
{
    if (version == 0)
        return err_set(err, ERR_CONFIG,
                       "the database is empty: \"arkgate init\" makes an installation");
    if (version > db_schema_version())
        return err_set(err, ERR_CONFIG,
                       "the database was made by a newer version of arkgate"
                       " (schema %d, this program knows %d)",
                       version, db_schema_version());
    if (version < db_schema_version())
        return err_set(err, ERR_CONFIG,
                       "the database has schema %d, this program needs %d:"
                       " \"arkgate migrate\" brings it up to date",
                       version, db_schema_version());
    return ERR_OK;
}

int db_schema_version(void)
{
    return db_schema_files[db_schema_file_count - 1].version;
}
