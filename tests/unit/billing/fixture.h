/* SPDX-License-Identifier: Apache-2.0 */
/* A seeded database in a fresh folder, and steps on the tenants in it. */
#ifndef ARKGATE_TESTS_BILLING_FIXTURE_H
#define ARKGATE_TESTS_BILLING_FIXTURE_H

#include "billing/billing.h"

#include "tests/lib/check.h"
#include "tests/lib/database.h"

#include <stdlib.h>
#include <unistd.h>

#define ACTOR "cli:test"
#define NOW INT64_C(1800000000000000) /* a moment in 2027 */
#define YUAN(whole) ((whole)*MONEY_NANO)

struct fixture {
    char dir[32], path[DATABASE_PATH];
    struct db *db;
};

/* Runs steps on one tenant in a transaction. */
static inline enum err_code fixture_write(struct fixture *fixture, db_fn steps, void *ctx,
                                          struct err *err)
{
    *err = (struct err){0};
    return db_write(fixture->db, DB_ALL, steps, ctx, err);
}

static inline enum err_code seed_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    return price_seed(conn, NOW, err);
}

static inline void fixture_init(struct fixture *fixture)
{
    struct err err = {0};

    CHECK_OK("crypto", crypto_init(&err), &err);
    fixture->db = database_new(fixture->dir, fixture->path);
    CHECK_OK("seed", fixture_write(fixture, seed_steps, NULL, &err), &err);
}

static inline void fixture_fini(struct fixture *fixture)
{
    database_end(&fixture->db, fixture->dir, fixture->path);
}

/* A tenant with an account; filled by fixture_tenant. */
struct open_ctx {
    const char *name;
    int64_t credit_line_nano, top_up_nano;
    struct scope scope;
};

static inline enum err_code open_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct open_ctx *open = ctx;
    struct ledger_account account;
    struct tenant tenant;
    int64_t seq;

    TRY(tenant_add(conn, ACTOR, NOW, str_from(open->name), STR("CNY"), STR("ark-cny"), &tenant,
                   err));
    TRY(ledger_open_account(conn, tenant.id, STR("CNY"), open->credit_line_nano, err));
    open->scope = (struct scope){.tenant_id = tenant.id};
    (void)str_copy(open->scope.tenant_name, sizeof(open->scope.tenant_name),
                   str_from(open->name));
    if (open->top_up_nano != 0)
        TRY(ledger_book(conn, &open->scope, LEDGER_TOP_UP, (struct money){open->top_up_nano},
                        NOW, ACTOR, STR(""), STR("first money"), &account, &seq, err));
    return ERR_OK;
}

static inline struct scope fixture_tenant(struct fixture *fixture, const char *name,
                                          int64_t top_up_nano, int64_t credit_line_nano)
{
    struct open_ctx open = {
        .name = name, .top_up_nano = top_up_nano, .credit_line_nano = credit_line_nano};
    struct err err;

    CHECK_OK(name, fixture_write(fixture, open_steps, &open, &err), &err);
    return open.scope;
}

/* One call on one hold; what it does is in .step. */
struct hold_ctx {
    enum { PLACE, SETTLE, RELEASE, REVIEW, RESOLVE, LATE } step;
    const struct scope *scope;
    const char *task;
    struct price_key key;
    int64_t tokens, output_ms, amount_nano, tool_uses;
    bool no_tokens;
    const char *actor;
    struct money held;
    struct hold_charge charge;
};

static const struct price_key key_720p = {
    .model = {"doubao-seedance-2-0", 19},
    .resolution = {"720p", 4},
    .tier = {"default", 7},
};

static inline enum err_code hold_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct hold_ctx *hold = ctx;
    struct str task = str_from(hold->task);
    const struct price_key *key = hold->key.model.len == 0 ? &key_720p : &hold->key;
    struct hold_usage usage = {.has_tokens = !hold->no_tokens,
                               .tokens = hold->tokens,
                               .output_ms = hold->output_ms,
                               .tool_uses = hold->tool_uses,
                               .key = *key,
                               .evidence = {1, 2, 3},
                               .now_us = NOW + 2};
    struct price_row price;
    int64_t version;

    switch (hold->step) {
    case PLACE:
        TRY(price_version(conn, STR("ark-cny"), NOW, &version, err));
        TRY(price_find(conn, STR("ark-cny"), version, key, &price, err));
        struct hold_request request = {task, &price, hold->tokens, hold->output_ms, NOW + 1};
        return hold_place(conn, hold->scope, &request, &hold->held, err);
    case SETTLE:
        return hold_settle(conn, hold->scope, task, &usage, &hold->charge, err);
    case RELEASE:
        return hold_release(conn, hold->scope, task, NOW + 2, "", STR("failed"), err);
    case REVIEW:
        return hold_review(conn, hold->scope, task, STR("gone upstream"), NOW + 2, err);
    case RESOLVE:
        return hold_resolve(conn, hold->scope, task, (struct money){hold->amount_nano}, NOW + 3,
                            hold->actor == NULL ? ACTOR : hold->actor, STR("by hand"), err);
    case LATE:
        return hold_late_loss(conn, hold->scope, task, &usage, err);
    }
    return err_detail(err, ERR_INTERNAL, "unknown step");
}

static inline enum err_code fixture_hold(struct fixture *fixture, struct hold_ctx *hold,
                                         struct err *err)
{
    return fixture_write(fixture, hold_steps, hold, err);
}

struct account_ctx {
    const struct scope *scope;
    struct ledger_account account;
};

static inline enum err_code account_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct account_ctx *read = ctx;

    return ledger_account(conn, read->scope, &read->account, err);
}

/* Sums and number of entries of a tenant, as a table row has them. */
static inline void check_account(struct fixture *fixture, const struct scope *scope,
                                 const char *what, const int64_t want[5])
{
    struct account_ctx read = {.scope = scope};
    struct err err = {0};

    CHECK_OK(what, db_read(fixture->db, account_steps, &read, &err), &err);
    CHECK_INT(what, read.account.available_nano, want[0]);
    CHECK_INT(what, read.account.held_nano, want[1]);
    CHECK_INT(what, read.account.charged_nano, want[2]);
    CHECK_INT(what, read.account.loss_nano, want[3]);
    CHECK_INT(what, read.account.seq, want[4]);
}

static inline void check_verifies(struct fixture *fixture, const char *what)
{
    struct ledger_report report;
    struct err err = {0};

    CHECK_OK(what, ledger_verify(fixture->db, &report, &err), &err);
}

/* Runs a static statement without parameters. */
static inline enum err_code sql_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const char *const *sql = ctx;
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, *sql, &stmt, err));
    return db_run(stmt, err);
}

static inline void run_sql(struct fixture *fixture, const char *sql)
{
    struct err err;

    CHECK_OK(sql, fixture_write(fixture, sql_steps, &sql, &err), &err);
}

#endif
