/* SPDX-License-Identifier: Apache-2.0 */
/* Brings a file to a schema: numbered scripts in order, each in one transaction with its
 * version, a backup first. What they say is in migrations/. */
#include "base/store/sqlite_private.h"

#include <stdio.h>
#include <unistd.h>

enum {
    BUSY_US = 5 * 1000 * 1000,
    /* Upgrades that were started and undone; more is somebody's mistake. */
    BACKUPS_MAX = 100,
};

static FALLIBLE check_foreign_keys(struct db_conn *conn, struct err *err)
{
    static const char sql[] = "SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    switch (db_step(st, err)) {
    case DB_DONE:
        return ERR_OK;
    case DB_ROW:
        return err_detail(err, ERR_INTERNAL, "the migration breaks a reference");
    case DB_FAIL:
        break;
    }
    return err->code;
}

static FALLIBLE run_script(struct db_conn *conn, const struct db_schema_file *file,
                           struct err *err)
{
    static const char sql[] = "INSERT INTO schema_version (id, version) VALUES (1, $1)"
                              " ON CONFLICT (id) DO UPDATE SET version = excluded.version";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(sqlite_conn_script(conn, file->sql, err));
    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, file->version);
    TRY(db_run(st, err));
    return check_foreign_keys(conn, err);
}

static FALLIBLE apply(struct db_conn *conn, const struct db_schema_file *file, struct err *err)
{
    int result = sqlite_conn_verb(conn, SQLITE_VERB_BEGIN_WRITE);

    if (result != SQLITE_OK)
        return sqlite_conn_error(conn, result, "BEGIN IMMEDIATE", err);
    enum err_code code = run_script(conn, file, err);
    if (code == ERR_OK) {
        result = sqlite_conn_verb(conn, SQLITE_VERB_COMMIT);
        if (result != SQLITE_OK)
            code = sqlite_conn_error(conn, result, "COMMIT", err);
    }
    sqlite_conn_rollback(conn);
    return code;
}

/* path.backup-v1; when an earlier attempt left that, path.backup-v1-2 and on. */
static FALLIBLE back_up(const char *path, int version, struct err *err)
{
    char target[4096];

    for (int i = 1; i <= BACKUPS_MAX; i++) {
        int len = i == 1
                      ? snprintf(target, sizeof(target), "%s.backup-v%d", path, version)
                      : snprintf(target, sizeof(target), "%s.backup-v%d-%d", path, version, i);
        if (len < 0 || (size_t)len >= sizeof(target))
            return err_set(err, ERR_CONFIG, "the database's path is too long");
        if (db_file_exists(target))
            continue;
        return db_backup_create(path, target, err);
    }
    return err_set(err, ERR_CONFIG, "there are %d backups beside %s already", BACKUPS_MAX,
                   path);
}

static FALLIBLE migrate(struct db_conn *conn, const char *path,
                        const struct db_schema_file *files, int count, struct err *err)
{
    int version = 0, newest = files[count - 1].version;

    TRY(sqlite_conn_schema(conn, &version, err));
    if (version > newest)
        return err_set(err, ERR_CONFIG,
                       "the database was made by a newer version of arkgate"
                       " (schema %d, this program knows %d)",
                       version, newest);
    if (version > 0 && version < newest)
        TRY(back_up(path, version, err));
    for (int i = 0; i < count; i++) {
        if (files[i].version > version)
            TRY(apply(conn, &files[i], err));
    }
    return ERR_OK;
}

FALLIBLE sqlite_migrate(const char *path, const struct db_schema_file *files, int count,
                        struct err *err)
{
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;

    if (!db_file_exists(path)) {
        TRY(db_file_create(path, err));
        TRY(db_file_sync_dir(path, err));
    }
    TRY(sqlite_conn_open(path, NULL, DB_ROLE_TOOL, BUSY_US, &conn, err));
    return migrate(conn, path, files, count, err);
}
