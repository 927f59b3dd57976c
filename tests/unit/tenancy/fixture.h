/* SPDX-License-Identifier: Apache-2.0 */
/* A database in a fresh folder, and one tenant and token to begin with. */
#ifndef ARKGATE_TESTS_TENANCY_FIXTURE_H
#define ARKGATE_TESTS_TENANCY_FIXTURE_H

#include "tenancy/tenancy.h"

#include "tests/lib/check.h"
#include "tests/lib/database.h"

#include <stdlib.h>
#include <unistd.h>

#define ACTOR "cli:test"
/* A moment in 2027: later than every clock that runs these tests for a while. */
#define NOW INT64_C(1800000000000000)

static const uint8_t master_key[CRYPTO_KEY_BYTES] = "master key of the unit tests...";
static const uint8_t pepper_key[CRYPTO_KEY_BYTES] = "pepper key of the unit tests...";

static inline struct crypto_keys fixture_keys(void)
{
    struct crypto_keys keys;

    memcpy(keys.master, master_key, sizeof(keys.master));
    memcpy(keys.pepper, pepper_key, sizeof(keys.pepper));
    return keys;
}

struct fixture {
    char dir[32];
    char path[DATABASE_PATH];
    struct db *db;
};

static inline void fixture_init(struct fixture *fixture)
{
    struct err err = {0};

    CHECK_OK("crypto", crypto_init(&err), &err);
    fixture->db = database_new(fixture->dir, fixture->path);
}

static inline void fixture_fini(struct fixture *fixture)
{
    database_end(&fixture->db, fixture->dir, fixture->path);
}

/* Runs a test's steps in one transaction that is committed. */
static inline void fixture_write(struct fixture *fixture, db_fn steps, void *ctx)
{
    struct err err = {0};

    CHECK_OK("write", db_write(fixture->db, DB_ALL, steps, ctx, &err), &err);
}

static inline void fixture_read(struct fixture *fixture, db_fn steps, void *ctx)
{
    struct err err = {0};

    CHECK_OK("read", db_read(fixture->db, steps, ctx, &err), &err);
}

static inline void add_tenant(struct db_conn *conn, const char *name)
{
    struct tenant tenant;
    struct err err = {0};

    CHECK_OK(
        "tenant",
        tenant_add(conn, ACTOR, NOW, str_from(name), STR("CNY"), STR("ark-cny"), &tenant, &err),
        &err);
}

/* A token of that tenant that never expires. */
static inline void add_token(struct db_conn *conn, const char *tenant, const char *id,
                             const char *text)
{
    struct token_request request = {.tenant = str_from(tenant)};
    struct token token;
    struct err err = {0};

    CHECK_OK("token", token_add(conn, ACTOR, NOW, pepper_key, &request, id, text, &token, &err),
             &err);
}

/* One number that a static statement answers; $1, where there is one, is bytes. */
static inline int64_t ask_bytes(struct db_conn *conn, const char *sql, const void *bytes,
                                size_t len)
{
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    struct err err = {0};

    CHECK_OK(sql, db_prepare(conn, sql, &stmt, &err), &err);
    if (stmt != NULL && len > 0)
        db_bind_blob(stmt, 1, bytes, len);
    if (stmt == NULL || db_step(stmt, &err) != DB_ROW) {
        CHECK_FAILED(sql, "no row: %s", err.detail);
        return INT64_MIN;
    }
    return db_get_i64(stmt, 0);
}

static inline int64_t ask(struct db_conn *conn, const char *sql)
{
    return ask_bytes(conn, sql, NULL, 0);
}

/* A static statement that changes one row. */
static inline void tamper(struct db_conn *conn, const char *sql)
{
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    struct err err = {0};

    CHECK_OK(sql, db_prepare(conn, sql, &stmt, &err), &err);
    if (stmt == NULL)
        return;
    CHECK_OK(sql, db_run(stmt, &err), &err);
    CHECK_INT(sql, db_changes(stmt), 1);
}

/* True when the bytes stand in the database or beside it in its journal; on a server, in
 * any of its rows. */
static inline bool is_on_disk(const struct fixture *fixture, const char *text)
{
    static const char *const suffixes[] = {"", "-wal"};
    static char bytes[1 << 22];
    bool found = false;

    if (db_is_server(fixture->path))
        return database_has(fixture->path, text);
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char path[DATABASE_PATH + 8];
        (void)snprintf(path, sizeof(path), "%s%s", fixture->path, suffixes[i]);
        FILE *file = fopen(path, "rb");
        if (file == NULL)
            continue;
        size_t len = fread(bytes, 1, sizeof(bytes), file);
        CHECK_TRUE("whole file", len < sizeof(bytes));
        found = found || memmem(bytes, len, text, strlen(text)) != NULL;
        (void)fclose(file);
    }
    return found;
}

#endif
