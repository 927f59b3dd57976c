/* SPDX-License-Identifier: Apache-2.0 */
/* A fresh database of the engine that ARKGATE_TEST_ENGINE names: SQLite in a folder of
 * its own, or PostgreSQL on the server whose maintenance database is the URL in
 * ARKGATE_TEST_POSTGRES. */
#ifndef ARKGATE_TESTS_LIB_DATABASE_H
#define ARKGATE_TESTS_LIB_DATABASE_H

#include "base/store/pg_private.h"

#include "tests/lib/check.h"

#include <stdlib.h>
#include <unistd.h>

enum { DATABASE_PATH = 256 };

static inline bool database_is_server(void)
{
    const char *engine = getenv("ARKGATE_TEST_ENGINE");

    return engine != NULL && strcmp(engine, "postgresql") == 0;
}

/* One command on the server's maintenance database. */
static inline void database_command(const char *sql)
{
    const char *url = getenv("ARKGATE_TEST_POSTGRES");
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;
    struct err err = {0};

    if (url == NULL) {
        CHECK_FAILED("ARKGATE_TEST_POSTGRES", "%s", "not set: tests/lib/postgres.py run");
        abort();
    }
    CHECK_OK("maintenance", pg_open_new(url, DB_ROLE_TOOL, &conn, &err), &err);
    if (conn == NULL)
        abort();
    CHECK_OK(sql, pg_conn_command(pg_conn_of(conn), sql, NULL, 0, NULL, &err), &err);
}

/* An empty database on the server; path becomes its URL. */
static inline void database_new_server(char path[DATABASE_PATH])
{
    static int number;
    const char *url = getenv("ARKGATE_TEST_POSTGRES");
    char name[64], sql[128];

    (void)snprintf(name, sizeof(name), "unit_%d_%d", (int)getpid(), ++number);
    (void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s TEMPLATE template0", name);
    database_command(sql);
    (void)snprintf(path, DATABASE_PATH, "%.*s/%s", (int)(strrchr(url, '/') - url), url, name);
}

/* A folder of the test's own, and where its database will be. */
static inline void database_place(char dir[32], char path[DATABASE_PATH])
{
    (void)snprintf(dir, 32, "/tmp/arkgate.XXXXXX");
    if (mkdtemp(dir) == NULL)
        abort();
    if (database_is_server())
        database_new_server(path);
    else
        (void)snprintf(path, DATABASE_PATH, "%s/arkgate.db", dir);
}

/* Made, brought to the schema, and opened. */
static inline struct db *database_new(char dir[32], char path[DATABASE_PATH])
{
    struct db_options options = {.path = path};
    struct db *db = NULL;
    struct err err = {0};

    database_place(dir, path);
    CHECK_OK("migrate", db_migrate(path, &err), &err);
    CHECK_OK("open", db_open(&options, &db, &err), &err);
    if (db == NULL)
        abort();
    return db;
}

/* Closes, if it is open, and removes it all. */
static inline void database_end(struct db **db, const char *dir, const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char text[DATABASE_PATH + 32];

    db_close(db);
    if (db_is_server(path)) {
        (void)snprintf(text, sizeof(text), "DROP DATABASE %s WITH (FORCE)",
                       strrchr(path, '/') + 1);
        database_command(text);
    }
    for (size_t i = 0; !db_is_server(path) && i < COUNT_OF(suffixes); i++) {
        (void)snprintf(text, sizeof(text), "%s%s", path, suffixes[i]);
        (void)unlink(text);
    }
    CHECK_INT("nothing left", rmdir(dir), 0);
}

#endif
