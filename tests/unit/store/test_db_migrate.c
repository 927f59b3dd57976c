/* SPDX-License-Identifier: Apache-2.0 */
/* Fresh, present, newer, older and foreign files. */
#include "base/store/sqlite_private.h"
#include "tests/unit/store/fixture.h"

static void set_version(struct fixture *fx, int version)
{
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;
    char sql[80];

    (void)snprintf(sql, sizeof(sql), "UPDATE schema_version SET version = %d", version);
    CHECK_OK("tool", sqlite_conn_open(fx->path, NULL, DB_ROLE_TOOL, 1000, &conn, &fx->err),
             &fx->err);
    CHECK_OK("version", sqlite_conn_script(conn, sql, &fx->err), &fx->err);
}

static enum err_code try_open(struct fixture *fx)
{
    struct db_options options = {.path = fx->path};
    enum err_code code = db_open(&options, &fx->db, &fx->err);

    db_close(&fx->db);
    return code;
}

static void fresh(void)
{
    struct fixture fx;
    struct stat status;

    fixture_dir(&fx);
    CHECK_INT("missing", try_open(&fx), ERR_IO);
    CHECK_OK("create", db_migrate(fx.path, &fx.err), &fx.err);
    CHECK_INT("file", stat(fx.path, &status), 0);
    CHECK_INT("mode", status.st_mode & 0777, 0600);
    CHECK_OK("again", db_migrate(fx.path, &fx.err), &fx.err);
    fixture_open(&fx, (struct db_options){0});
    CHECK_INT("version", fixture_number(&fx, "SELECT version FROM schema_version"),
              db_schema_version());
    CHECK_INT("tables", fixture_number(&fx, "SELECT COUNT(*) FROM task"), 0);
    CHECK_INT("references are kept",
              fixture_run(&fx, "INSERT INTO upstream_model (upstream_id, model, sent_id)"
                               " VALUES (9, 'model', 'sent')"),
              ERR_CONFLICT);
    CHECK_OK("a write", fixture_run(&fx, "DELETE FROM task"), &fx.err);
    char wal[160];
    (void)snprintf(wal, sizeof(wal), "%s-wal", fx.path);
    CHECK_INT("log", stat(wal, &status), 0);
    CHECK_INT("mode of the log", status.st_mode & 0777, 0600);
    fixture_fini(&fx);
}

static void newer(void)
{
    struct fixture fx;

    fixture_dir(&fx);
    CHECK_OK("create", db_migrate(fx.path, &fx.err), &fx.err);
    set_version(&fx, db_schema_version() + 1);
    CHECK_INT("open", try_open(&fx), ERR_CONFIG);
    CHECK_TRUE("says newer", strstr(fx.err.msg, "newer version") != NULL);
    CHECK_INT("migrate", db_migrate(fx.path, &fx.err), ERR_CONFIG);
    CHECK_TRUE("says newer", strstr(fx.err.msg, "newer version") != NULL);
    fixture_fini(&fx);
}

static void older(void)
{
    struct fixture fx;

    fixture_dir(&fx);
    CHECK_OK("file", db_file_create(fx.path, &fx.err), &fx.err);
    CHECK_INT("an empty file", try_open(&fx), ERR_CONFIG);
    CHECK_TRUE("says what to do", strstr(fx.err.msg, "arkgate init") != NULL);
    CHECK_OK("becomes a database", db_migrate(fx.path, &fx.err), &fx.err);
    CHECK_INT("opens", try_open(&fx), ERR_OK);
    fixture_fini(&fx);
}

#define TWO_SQL "CREATE TABLE two (tenant_id INTEGER REFERENCES tenant (id)) STRICT;"

static void upgrade(void)
{
    struct db_schema_file files[] = {
        {1, db_schema_files[0].sql, NULL},
        {2, TWO_SQL, NULL},
        {3, "INSERT INTO two (tenant_id) VALUES (NULL); UPDATE two SET nothing = 1;", NULL},
    };
    struct fixture fx;
    char backup[160];

    fixture_dir(&fx);
    CHECK_OK("first", db_migrate_with(fx.path, files, 1, &fx.err), &fx.err);
    (void)snprintf(backup, sizeof(backup), "%s.backup-v1", fx.path);
    CHECK_TRUE("nothing to back up", !db_file_exists(backup));
    CHECK_OK("second", db_migrate_with(fx.path, files, 2, &fx.err), &fx.err);
    CHECK_TRUE("backed up", db_file_exists(backup));
    CHECK_OK("backup", db_backup_verify(backup, &fx.err), &fx.err);
    CHECK_OK("again", db_migrate_with(fx.path, files, 2, &fx.err), &fx.err);

    /* A script that fails leaves the version before it, and no part of itself. */
    CHECK_INT("broken", db_migrate_with(fx.path, files, 3, &fx.err), ERR_INTERNAL);
    files[2].sql = "INSERT INTO two (tenant_id) VALUES (99);";
    CHECK_INT("dangling", db_migrate_with(fx.path, files, 3, &fx.err), ERR_INTERNAL);
    (void)snprintf(backup, sizeof(backup), "%s.backup-v2-2", fx.path);
    CHECK_TRUE("one backup per attempt", db_file_exists(backup));
    files[2].sql = "CREATE TABLE three AS SELECT COUNT(*) AS rows FROM two;";
    CHECK_OK("repaired", db_migrate_with(fx.path, files, 3, &fx.err), &fx.err);
    set_version(&fx, db_schema_version());
    fixture_open(&fx, (struct db_options){0});
    CHECK_INT("no part", fixture_number(&fx, "SELECT rows FROM three"), 0);
    fixture_fini(&fx);
}

static void foreign(void)
{
    struct fixture fx;
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;

    fixture_dir(&fx);
    CHECK_OK("file", db_file_create(fx.path, &fx.err), &fx.err);
    CHECK_OK("tool", sqlite_conn_open(fx.path, NULL, DB_ROLE_TOOL, 1000, &conn, &fx.err),
             &fx.err);
    CHECK_OK("table", sqlite_conn_script(conn, "CREATE TABLE x (y)", &fx.err), &fx.err);
    db_conn_close(&conn);
    CHECK_INT("open", try_open(&fx), ERR_CONFIG);
    CHECK_INT("migrate", db_migrate(fx.path, &fx.err), ERR_CONFIG);

    FILE *file = fopen(fx.path, "w");
    CHECK_TRUE("text file",
               file != NULL && fputs("this is not a database, not at all\n", file) > 0);
    if (file != NULL)
        (void)fclose(file);
    CHECK_INT("open text", try_open(&fx), ERR_IO);
    CHECK_TRUE("migrate text", db_migrate(fx.path, &fx.err) != ERR_OK);
    fixture_fini(&fx);
}

CHECK_MAIN(CHECK_TEST(fresh), CHECK_TEST(newer), CHECK_TEST(older), CHECK_TEST(upgrade),
           CHECK_TEST(foreign))
