/* SPDX-License-Identifier: Apache-2.0 */
/* A scratch directory with a fresh database, and closures that run one statement. */
#ifndef ARKGATE_TESTS_STORE_FIXTURE_H
#define ARKGATE_TESTS_STORE_FIXTURE_H

#include "base/store/store.h"
#include "tests/lib/check.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char dir[64];
    char path[128];
    struct db *db;
    struct err err;
};

static inline void fixture_dir(struct fixture *fx)
{
    memset(fx, 0, sizeof(*fx));
    (void)snprintf(fx->dir, sizeof(fx->dir), "/tmp/arkgate-store-XXXXXX");
    if (mkdtemp(fx->dir) == NULL)
        abort();
    (void)snprintf(fx->path, sizeof(fx->path), "%s/arkgate.db", fx->dir);
}

static inline void fixture_open(struct fixture *fx, struct db_options options)
{
    options.path = fx->path;
    CHECK_OK("open", db_open(&options, &fx->db, &fx->err), &fx->err);
}

static inline void fixture_init(struct fixture *fx, struct db_options options)
{
    fixture_dir(fx);
    CHECK_OK("migrate", db_migrate(fx->path, &fx->err), &fx->err);
    fixture_open(fx, options);
}

static inline void fixture_fini(struct fixture *fx)
{
    char name[512];

    db_close(&fx->db);
    DIR *dir = opendir(fx->dir);
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        (void)snprintf(name, sizeof(name), "%s/%s", fx->dir, entry->d_name);
        (void)unlink(name);
    }
    if (dir != NULL)
        (void)closedir(dir);
    (void)rmdir(fx->dir);
}

/* One statement with up to two integers; number is the first column of its row. */
struct one {
    const char *sql;
    int count;
    int64_t value[2];
    int64_t number; /* result */
    bool found;     /* result */
};

static inline enum err_code one_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    struct one *one = ctx;
    CLEANUP(db_done) struct db_stmt *st = NULL;

    one->found = false;
    TRY(db_prepare(conn, one->sql, &st, err));
    for (int i = 0; i < one->count; i++)
        db_bind_i64(st, i + 1, one->value[i]);
    switch (db_step(st, err)) {
    case DB_ROW:
        one->number = db_get_i64(st, 0);
        one->found = true;
        return ERR_OK;
    case DB_DONE:
        return ERR_OK;
    case DB_FAIL:
        break;
    }
    return err->code;
}

static inline enum err_code fixture_run(struct fixture *fx, const char *sql)
{
    struct one one = {.sql = sql};

    return db_write(fx->db, DB_ALL, one_fn, &one, &fx->err);
}

static inline int64_t fixture_number(struct fixture *fx, const char *sql)
{
    struct one one = {.sql = sql, .number = INT64_MIN};

    CHECK_OK(sql, db_read(fx->db, one_fn, &one, &fx->err), &fx->err);
    return one.number;
}

/* Holds threads back until all have come. */
struct gate {
    struct lock lock;
    bool open;
    int waiting;
};

static inline void gate_pass(struct gate *gate)
{
    lock_take(&gate->lock);
    gate->waiting++;
    lock_signal(&gate->lock);
    while (!gate->open)
        (void)lock_wait(&gate->lock, INT64_MAX);
    lock_drop(&gate->lock);
}

static inline void gate_await(struct gate *gate, int count)
{
    lock_take(&gate->lock);
    while (gate->waiting < count)
        (void)lock_wait(&gate->lock, INT64_MAX);
    lock_drop(&gate->lock);
}

static inline void gate_open(struct gate *gate)
{
    lock_take(&gate->lock);
    gate->open = true;
    lock_signal(&gate->lock);
    lock_drop(&gate->lock);
}

#endif
