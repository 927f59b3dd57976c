/* SPDX-License-Identifier: Apache-2.0 */
/* The repositories of gateway/upstream, call by call. */
#ifndef ARKGATE_TESTS_UPSTREAM_REPOS_UPSTREAM_H
#define ARKGATE_TESTS_UPSTREAM_REPOS_UPSTREAM_H

#include "tests/unit/upstream/repos.h"

/* Free ones, one's own, another's before and after its time. */
static enum err_code step_lease_repo_take(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    static const char *const kinds[] = {"", "gateway:", "Gateway:", "gateway"};
    int at = call->at, round = at / TEXTS;
    struct lease_claim claim = {.holder = texts[(at + round / 2) % TEXTS],
                                .schema = number_of(at, 0),
                                .now_us = number_of(at, round),
                                .until_us = number_of(at, round + 1)};
    bool taken;

    CASES(4 * TEXTS);
    (void)snprintf(claim.name, sizeof(claim.name), "%s%s", kinds[at % 4], texts[at % TEXTS]);
    TRY(lease_repo_take(conn, &claim, &taken, err));
    tell_number(call->told, "taken", taken);
    return ERR_OK;
}

static enum err_code step_lease_repo_release(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    CASES(TEXTS / 2);
    return lease_repo_release(conn, texts[4 * call->at % TEXTS],
                              texts[(call->at + call->at % 2) % TEXTS], err);
}

static enum err_code step_lease_repo_forget(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    static const int64_t before[] = {INT64_MIN, 0, 1000, INT64_MAX};

    CASES(COUNT_OF(before));
    return lease_repo_forget(conn, before[call->at], err);
}

/* Turns one behind another, too late, behind a clock that went wrong; of no account. */
static enum err_code step_pace_repo_take(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    static const struct pace_wish wishes[] = {
        /* account kind earliest latest spacing */
        {1, LIMITER_GET, 1000, 2000, 50},
        {1, LIMITER_GET, 1000, 2000, 50},
        {1, LIMITER_GET, 1500, 2000, 50},
        {1, LIMITER_DELETE, 1000, 2000, 50},
        {1, LIMITER_DELETE, 1000, 1050, 50},
        {1, LIMITER_DELETE, 1000, 1051, 50},
        {1, LIMITER_GET, 2000, 2000, 50},
        {2, LIMITER_GET, INT64_C(1) << 53, (INT64_C(1) << 53) + 9, 1},
        {2, LIMITER_GET, 1000, 2000, 1},
        {2, LIMITER_DELETE, -5, 5, 1},
        {999, LIMITER_GET, 1000, 2000, 50},
    };
    int64_t at_us = 0;
    bool taken;

    CASES(COUNT_OF(wishes));
    TRY(pace_repo_take(conn, &wishes[call->at], &taken, &at_us, err));
    tell_number(call->told, "taken", taken);
    tell_number(call->told, "at_us", at_us);
    return ERR_OK;
}

#define REPOS_UPSTREAM                                               \
    ROW(lease_repo_take, "lease"), ROW(lease_repo_release, "lease"), \
        ROW(lease_repo_forget, "lease"), ROW(pace_repo_take, "account_pace")

#endif
