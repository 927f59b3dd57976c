/* SPDX-License-Identifier: Apache-2.0 */
/* Who may wait: so many in all, a hundred of one tenant, everybody again after. */
#include "gateway/task/task.h"

#include "tests/lib/check.h"

static int enter_many(struct waiting *waiting, int64_t tenant, int count)
{
    int entered = 0;

    for (int i = 0; i < count; i++) {
        struct err err = {0};
        enum err_code rc = waiting_enter(waiting, tenant, &err);

        entered += rc == ERR_OK;
        if (rc != ERR_OK)
            CHECK_INT("refused as busy", rc, ERR_BUSY);
    }
    return entered;
}

static void test_limits(void)
{
    struct waiting *waiting = NULL;
    struct err err = {0};

    CHECK_OK("open", waiting_open(150, &waiting, &err), &err);
    CHECK_INT("one tenant", enter_many(waiting, 1, 120), 100);
    CHECK_INT("another takes the rest", enter_many(waiting, 2, 120), 50);
    waiting_leave(waiting, 1);
    CHECK_INT("a third, once one left", enter_many(waiting, 3, 2), 1);
    for (int i = 0; i < 99; i++)
        waiting_leave(waiting, 1);
    for (int i = 0; i < 50; i++)
        waiting_leave(waiting, 2);
    waiting_leave(waiting, 3);
    CHECK_INT("all left", enter_many(waiting, 4, 100), 100);
    waiting_close(&waiting);
}

/* More tenants than places: the surplus is told to retry, and places come back. */
static void test_many_tenants(void)
{
    struct waiting *waiting = NULL;
    struct err err = {0};
    int entered = 0;

    CHECK_OK("open", waiting_open(1000, &waiting, &err), &err);
    for (int64_t tenant = 1; tenant <= 80; tenant++)
        entered += enter_many(waiting, tenant, 1);
    CHECK_INT("as many as there are places", entered, 64);
    for (int64_t tenant = 1; tenant <= 64; tenant++)
        waiting_leave(waiting, tenant);
    CHECK_INT("free again", enter_many(waiting, 99, 1), 1);
    waiting_close(&waiting);
}

/* What a tenant is told is what it meets. */
static void test_the_limit_of_one_tenant(void)
{
    static const int sizes[] = {1, 99, 100, 101, 600};

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct waiting *waiting = NULL;
        struct err err = {0};

        CHECK_OK("open", waiting_open(sizes[i], &waiting, &err), &err);
        CHECK_INT("told", waiting_tenant_max(waiting), enter_many(waiting, 1, 700));
        waiting_close(&waiting);
    }
}

static void test_no_limit(void)
{
    CHECK_INT("without a limit", enter_many(NULL, 1, 500), 500);
    waiting_leave(NULL, 1);
}

CHECK_MAIN(CHECK_TEST(test_limits), CHECK_TEST(test_many_tenants),
           CHECK_TEST(test_the_limit_of_one_tenant), CHECK_TEST(test_no_limit))
