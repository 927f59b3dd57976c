/* SPDX-License-Identifier: Apache-2.0 */
/* A ledger with every kind of entry and every end of a hold, for the tests that
 * verify, tamper and export. */
#ifndef ARKGATE_TESTS_BILLING_SCENARIO_H
#define ARKGATE_TESTS_BILLING_SCENARIO_H

#include "tests/unit/billing/fixture.h"

enum { SCENARIO_ENTRIES = 24 };

static inline enum err_code refund_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct scope *scope = ctx;
    struct ledger_account account;
    int64_t seq;

    TRY(ledger_book(conn, scope, LEDGER_REFUND, (struct money){1}, NOW + 9, ACTOR,
                    STR("refund-1"), STR("sorry \xe2\x80\x9c\\\x01\xe2\x80\x9d"), &account,
                    &seq, err));
    TRY(ledger_book(conn, scope, LEDGER_ADJUST, (struct money){10}, NOW + 9, ACTOR, STR(""),
                    STR("up"), &account, &seq, err));
    return ledger_book(conn, scope, LEDGER_ADJUST, (struct money){-5}, NOW + 9, ACTOR,
                       STR("adjust-1"), STR(""), &account, &seq, err);
}

/* "acme" has it all, "idle" an account without entries, "beta" three entries. */
static inline struct scope scenario(struct fixture *fixture)
{
    static const struct hold_ctx steps[] = {
        {.step = PLACE, .task = "cgt-exact", .tokens = 108900},
        {.step = SETTLE, .task = "cgt-exact", .tokens = 108900},
        {.step = PLACE, .task = "cgt-lower", .tokens = 108900},
        {.step = SETTLE, .task = "cgt-lower", .tokens = 87300},
        {.step = PLACE, .task = "cgt-freed", .tokens = 108900},
        {.step = RELEASE, .task = "cgt-freed"},
        {.step = LATE, .task = "cgt-freed", .tokens = 87300},
        {.step = PLACE, .task = "cgt-judged", .tokens = 108900},
        {.step = REVIEW, .task = "cgt-judged"},
        {.step = RESOLVE, .task = "cgt-judged", .amount_nano = 1000000000},
        {.step = PLACE, .task = "cgt-over", .tokens = 87300},
        {.step = SETTLE, .task = "cgt-over", .tokens = 108900},
        {.step = PLACE, .task = "cgt-open", .tokens = 8730},
        {.step = PLACE, .task = "cgt-review", .tokens = 8730},
        {.step = SETTLE, .task = "cgt-review", .no_tokens = true},
        {.step = PLACE, .task = "cgt-lost", .tokens = 108900},
        {.step = SETTLE, .task = "cgt-lost", .tokens = 435600},
    };
    struct scope acme = fixture_tenant(fixture, "acme", YUAN(25), 0);
    struct err err;

    (void)fixture_tenant(fixture, "idle", 0, 0);
    struct scope beta = fixture_tenant(fixture, "beta", YUAN(100), 0);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct hold_ctx step = steps[i];

        step.scope = &acme;
        step.output_ms = 5000;
        CHECK_OK(step.task, fixture_hold(fixture, &step, &err), &err);
    }
    for (size_t i = 0; i < 2; i++) {
        struct hold_ctx step = steps[i];

        step.scope = &beta;
        step.output_ms = 5000;
        CHECK_OK(step.task, fixture_hold(fixture, &step, &err), &err);
    }
    CHECK_OK("refund", fixture_write(fixture, refund_steps, &acme, &err), &err);
    return acme;
}

#endif
