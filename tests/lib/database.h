/* SPDX-License-Identifier: Apache-2.0 */
/* A fresh database of the engine that ARKGATE_TEST_ENGINE names: SQLite in a folder of
 * its own, or PostgreSQL on the server whose maintenance database is the URL in
 * ARKGATE_TEST_POSTGRES. There a program's database is made once and emptied for the next
 * test, which takes a twentieth of the time of making one. */
#ifndef ARKGATE_TESTS_LIB_DATABASE_H
#define ARKGATE_TESTS_LIB_DATABASE_H

#include "base/store/pg_private.h"

#include "tests/lib/check.h"

#include <stdlib.h>
#include <unistd.h>

enum { DATABASE_PATH = 256, DATABASE_POOL_MAX = 8 };

static inline bool database_is_server(void)
{
    const char *engine = getenv("ARKGATE_TEST_ENGINE");

    return engine != NULL && strcmp(engine, "postgresql") == 0;
}

/* ---- on the server --------------------------------------------------------------------- */

/* A database that has the schema, and the connection that empties it. It stays open for
 * the next test unless the last one closed it: its connections are the dear part. */
struct database_pooled {
    char path[DATABASE_PATH];
    struct db_conn *conn;
    struct db *db;
    bool used;
};
static struct database_pooled database_pool[DATABASE_POOL_MAX];

static inline const char *database_server(void)
{
    const char *url = getenv("ARKGATE_TEST_POSTGRES");

    if (url == NULL) {
        CHECK_FAILED("ARKGATE_TEST_POSTGRES", "%s", "not set: tests/lib/postgres.py run");
        abort();
    }
    return url;
}

static inline struct db_conn *database_connect(const char *url)
{
    struct db_conn *conn = NULL;
    struct err err = {0};

    CHECK_OK(url, pg_open_new(url, DB_ROLE_TOOL, &conn, &err), &err);
    if (conn == NULL)
        abort();
    return conn;
}

/* One command on the server's maintenance database. */
static inline void database_command(const char *sql)
{
    CLEANUP(db_conn_close) struct db_conn *conn = database_connect(database_server());
    struct err err = {0};

    CHECK_OK(sql, pg_conn_command(pg_conn_of(conn), sql, NULL, 0, NULL, &err), &err);
}

/* An empty database on the server, without the schema; path becomes its URL. */
static inline void database_new_server(char path[DATABASE_PATH])
{
    static int number;
    const char *url = database_server();
    char name[64], sql[128];

    (void)snprintf(name, sizeof(name), "unit_%d_%d", (int)getpid(), ++number);
    (void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s TEMPLATE template0", name);
    database_command(sql);
    (void)snprintf(path, DATABASE_PATH, "%.*s/%s", (int)(strrchr(url, '/') - url), url, name);
}

static inline void database_drop(const char *path)
{
    char sql[DATABASE_PATH + 32];

    (void)snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", strrchr(path, '/') + 1);
    database_command(sql);
}

/* At the program's end: whoever left a connection open is told. */
static inline void database_drop_pool(void)
{
    static const char await[] =
        "DO $$ DECLARE tries int := 0; BEGIN"
        "  WHILE EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
        "    AND pid <> pg_backend_pid() AND backend_type = 'client backend') LOOP"
        "    tries := tries + 1;"
        "    IF tries > 5000 THEN RAISE EXCEPTION 'a connection was never closed'; END IF;"
        "    PERFORM pg_sleep(0.001), pg_stat_clear_snapshot();"
        "  END LOOP; END $$";
    struct err err = {0};

    check_failures = 0;
    for (int i = 0; i < DATABASE_POOL_MAX && database_pool[i].conn != NULL; i++) {
        struct database_pooled *pooled = &database_pool[i];

        db_close(&pooled->db);
        CHECK_OK("connections",
                 pg_conn_command(pg_conn_of(pooled->conn), await, NULL, 0, NULL, &err), &err);
        db_conn_close(&pooled->conn);
        database_drop(pooled->path);
    }
    if (check_failures != 0)
        _exit(1);
}

/* The rows that the schema itself brings, and which tables it has. */
static inline void database_keep_seed(struct database_pooled *pooled)
{
    static const char sql[] =
        "DO $$ DECLARE t name; seeded boolean; BEGIN"
        "  CREATE SCHEMA seed;"
        "  CREATE TABLE seed.known (name name, seeded boolean);"
        "  FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP"
        "    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', t) INTO seeded;"
        "    INSERT INTO seed.known VALUES (t, seeded);"
        "    IF seeded THEN"
        "      EXECUTE format('CREATE TABLE seed.%I AS TABLE public.%I', 'of_' || t, t);"
        "    END IF;"
        "  END LOOP; END $$";
    struct err err = {0};

    CHECK_OK("seed", pg_conn_command(pg_conn_of(pooled->conn), sql, NULL, 0, NULL, &err), &err);
}

/* As it was after database_keep_seed. */
static inline void database_empty(struct database_pooled *pooled)
{
    static const char restore[] =
        "DO $$ DECLARE t name; has_rows boolean; BEGIN"
        "  SET LOCAL session_replication_role = replica;" /* no foreign key is in the way */
        "  FOR t, has_rows IN SELECT tablename, seeded FROM pg_tables"
        "    LEFT JOIN seed.known ON name = tablename WHERE schemaname = 'public' LOOP"
        "    IF has_rows IS NULL THEN EXECUTE format('DROP TABLE public.%I', t);"
        "    ELSE EXECUTE format('DELETE FROM public.%I', t); END IF;"
        "    IF has_rows THEN"
        "      EXECUTE format('INSERT INTO public.%I SELECT * FROM seed.%I', t, 'of_' || t);"
        "    END IF;"
        "  END LOOP;"
        "  PERFORM setval(oid::regclass, 1, false) FROM pg_class"
        "    WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace; END $$";
    struct err err = {0};

    CHECK_OK("empty", pg_conn_command(pg_conn_of(pooled->conn), restore, NULL, 0, NULL, &err),
             &err);
    pooled->used = false;
}

static inline struct database_pooled *database_pooled_at(const char *path)
{
    for (int i = 0; i < DATABASE_POOL_MAX; i++) {
        if (strcmp(database_pool[i].path, path) == 0)
            return &database_pool[i];
    }
    return NULL;
}

/* A database with the schema and nothing else. */
static inline struct database_pooled *database_borrow(void)
{
    struct database_pooled *pooled = database_pool;
    struct err err = {0};

    while (pooled < database_pool + DATABASE_POOL_MAX && pooled->used)
        pooled++;
    if (pooled == database_pool + DATABASE_POOL_MAX)
        abort();
    if (pooled->conn == NULL) {
        if (pooled == database_pool)
            (void)atexit(database_drop_pool);
        database_new_server(pooled->path);
        CHECK_OK("migrate", db_migrate(pooled->path, &err), &err);
        pooled->conn = database_connect(pooled->path);
        database_keep_seed(pooled);
    }
    pooled->used = true;
    return pooled;
}

/* Do the bytes stand in a row of it, as they are or in a bytea's hex? */
static inline bool database_has(const char *path, const char *text)
{
    struct pg_conn *conn = pg_conn_of(database_pooled_at(path)->conn);
    PGresult *tables = NULL, *rows = NULL;
    struct err err = {0};
    bool found = false;
    char sql[128], hex[512];

    str_hex(hex, text, strlen(text));
    CHECK_OK("tables",
             pg_conn_command(conn, "SELECT name FROM seed.known", NULL, 0, &tables, &err),
             &err);
    for (int i = 0; i < PQntuples(tables); i++) {
        (void)snprintf(sql, sizeof(sql), "SELECT * FROM public.%s", PQgetvalue(tables, i, 0));
        CHECK_OK(sql, pg_conn_command(conn, sql, NULL, 0, &rows, &err), &err);
        for (int at = 0; at < PQntuples(rows) * PQnfields(rows); at++) {
            const char *value = PQgetvalue(rows, at / PQnfields(rows), at % PQnfields(rows));

            found = found || strstr(value, text) != NULL || strstr(value, hex) != NULL;
        }
        PQclear(rows);
    }
    PQclear(tables);
    return found;
}

/* ---- on either engine ------------------------------------------------------------------ */

/* Made, brought to the schema, and opened, on the server or in the folder. */
static inline struct db *database_new_on(bool server, char dir[32], char path[DATABASE_PATH])
{
    struct db_options options = {.path = path};
    char folder[32] = "/tmp/arkgate.XXXXXX";
    struct db *db = NULL;
    struct err err = {0};

    if (mkdtemp(folder) == NULL)
        abort();
    memcpy(dir, folder, sizeof(folder));
    if (server) {
        struct database_pooled *pooled = database_borrow();

        (void)snprintf(path, DATABASE_PATH, "%s", pooled->path);
        if (pooled->db != NULL) {
            db = pooled->db;
            pooled->db = NULL;
            return db;
        }
    } else {
        (void)snprintf(path, DATABASE_PATH, "%s/arkgate.db", folder);
        CHECK_OK("migrate", db_migrate(path, &err), &err);
    }
    CHECK_OK("open", db_open(&options, &db, &err), &err);
    if (db == NULL)
        abort();
    return db;
}

/* Likewise, with a folder of the test's own beside it. */
static inline struct db *database_new(char dir[32], char path[DATABASE_PATH])
{
    return database_new_on(database_is_server(), dir, path);
}

/* Removes it all, whether it is open or not. */
static inline void database_end(struct db **db, const char *dir, const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char text[DATABASE_PATH + 8];

    if (db_is_server(path)) {
        struct database_pooled *pooled = database_pooled_at(path);

        pooled->db = *db;
        *db = NULL;
        database_empty(pooled);
    }
    db_close(db);
    for (size_t i = 0; !db_is_server(path) && i < COUNT_OF(suffixes); i++) {
        (void)snprintf(text, sizeof(text), "%s%s", path, suffixes[i]);
        (void)unlink(text);
    }
    CHECK_INT("nothing left", rmdir(dir), 0);
}

#endif
