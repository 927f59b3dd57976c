/* SPDX-License-Identifier: Apache-2.0 */
/* A catalogue on a fresh database of its own, and the operator's word on it. */
#ifndef ARKGATE_TESTS_CATALOGUE_FIXTURE_H
#define ARKGATE_TESTS_CATALOGUE_FIXTURE_H

#include "gateway/catalogue/catalogue.h"

#include "tests/lib/check.h"
#include "tests/lib/database.h"

#include <stdlib.h>
#include <unistd.h>

struct catalogue_fixture {
    char dir[32], path[DATABASE_PATH];
    struct db *db;
    struct catalogue *catalogue;
};

static inline void catalogue_fixture_init(struct catalogue_fixture *fixture)
{
    struct err err = {0};

    *fixture = (struct catalogue_fixture){0};
    CHECK_OK("crypto", crypto_init(&err), &err);
    fixture->db = database_new(fixture->dir, fixture->path);
    CHECK_OK("catalogue", catalogue_open(fixture->db, &fixture->catalogue, &err), &err);
    if (fixture->catalogue == NULL)
        abort();
}

static inline void catalogue_fixture_fini(struct catalogue_fixture *fixture)
{
    catalogue_close(&fixture->catalogue);
    database_end(&fixture->db, fixture->dir, fixture->path);
}

/* One "model set" in a transaction of its own, checked as the command does. */
struct catalogue_change {
    int64_t tenant_id;
    const char *model, *key, *value;
};

static inline enum err_code catalogue_change_steps(struct db_conn *conn, void *ctx,
                                                   struct err *err)
{
    const struct catalogue_change *change = ctx;
    char canonical[MODEL_NAME_MAX + 1] = "";

    TRY(catalogue_change_set(conn, "cli:test", 1800000000000000, change->tenant_id,
                             str_from(change->model), str_from(change->key),
                             str_from(change->value), canonical, err));
    return catalogue_change_check(conn, str_from(canonical), err);
}

static inline enum err_code catalogue_fixture_try(struct db *db, int64_t tenant_id,
                                                  const char *model, const char *key,
                                                  const char *value, struct err *err)
{
    struct catalogue_change change = {tenant_id, model, key, value};

    *err = (struct err){0};
    return db_write(db, DB_ALL, catalogue_change_steps, &change, err);
}

/* Changes, and lets the catalogue see it. */
static inline void catalogue_fixture_set(struct db *db, struct catalogue *catalogue,
                                         int64_t tenant_id, const char *model, const char *key,
                                         const char *value)
{
    struct err err;

    CHECK_OK(value, catalogue_fixture_try(db, tenant_id, model, key, value, &err), &err);
    CHECK_OK(value, catalogue_refresh(catalogue, &err), &err);
}

/* A model that must be there. */
static inline struct model catalogue_fixture_model(struct catalogue *catalogue,
                                                   int64_t tenant_id, const char *name)
{
    struct model model = {0};
    struct err err = {0};

    CHECK_OK(name, catalogue_find(catalogue, tenant_id, str_from(name), &model, &err), &err);
    return model;
}

#endif
