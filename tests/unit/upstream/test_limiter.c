/* SPDX-License-Identifier: Apache-2.0 */
/* How calls to an account are spaced: never closer than its limits, whoever waits
 * goes first, and stopping ends every wait. Only lower bounds of time are checked
 * tightly; a slow machine makes none of these fail. */
#include "gateway/upstream/ark_parts.h"

#include "tests/lib/check.h"

enum { FAR_S = 60, STACK = 256 << 10 }; /* longer than any of these tests may take */

static const struct upstream_account fast = {
    .id = 1, .list_qps = 20, .get_qps = 20, .delete_qps = 20};
static const struct upstream_account slow = {
    .id = 2, .list_qps = 1, .get_qps = 1, .delete_qps = 1};

static void test_each_kind_and_account_for_itself(void)
{
    struct limiter *limiter = limiter_new(NULL);
    struct upstream_account other = slow;

    other.id = 3;
    CHECK_TRUE("list", limiter_try(limiter, &slow, LIMITER_LIST));
    CHECK_TRUE("list again", !limiter_try(limiter, &slow, LIMITER_LIST));
    CHECK_TRUE("get", limiter_try(limiter, &slow, LIMITER_GET));
    CHECK_TRUE("get again", !limiter_try(limiter, &slow, LIMITER_GET));
    CHECK_TRUE("delete", limiter_try(limiter, &slow, LIMITER_DELETE));
    CHECK_TRUE("delete again", !limiter_try(limiter, &slow, LIMITER_DELETE));
    CHECK_TRUE("another account", limiter_try(limiter, &other, LIMITER_LIST));
    CHECK_TRUE("another account again", !limiter_try(limiter, &other, LIMITER_LIST));
    limiter_free(&limiter);
    CHECK_TRUE("freed", limiter == NULL);
    limiter_free(&limiter);
}

static void test_waits_are_spaced(void)
{
    enum { CALLS = 5 };
    struct limiter *limiter = limiter_new(NULL);
    int64_t start_us = sys_mono_us();

    for (int i = 0; i < CALLS; i++)
        CHECK_TRUE("turn", limiter_wait(limiter, &fast, LIMITER_GET));
    int64_t took_us = sys_mono_us() - start_us;

    /* four gaps of a twentieth of a second */
    CHECK_TRUE("not faster than the limit", took_us >= (CALLS - 1) * 50000);
    CHECK_TRUE("not for ever", took_us < FAR_S * INT64_C(1000000));
    limiter_free(&limiter);
}

static void test_tries_are_spaced(void)
{
    struct limiter *limiter = limiter_new(NULL);
    int64_t start_us = sys_mono_us();
    int allowed = 0;

    while (sys_mono_us() - start_us < 300000) {
        allowed += limiter_try(limiter, &fast, LIMITER_GET);
        sys_sleep_us(1000);
    }
    int64_t took_us = sys_mono_us() - start_us;

    CHECK_TRUE("some", allowed >= 1);
    CHECK_TRUE("not more than the limit", allowed <= took_us / 50000 + 1);
    limiter_free(&limiter);
}

/* One that waits in a thread. */
struct waiter {
    struct limiter *limiter;
    const struct upstream_account *account;
    struct lock lock;
    bool running, done, allowed;
    int64_t done_us;
    pthread_t thread;
};

static void *run_waiter(void *ctx)
{
    struct waiter *waiter = ctx;

    lock_take(&waiter->lock);
    waiter->running = true;
    lock_signal(&waiter->lock);
    lock_drop(&waiter->lock);
    bool allowed = limiter_wait(waiter->limiter, waiter->account, LIMITER_LIST);

    lock_take(&waiter->lock);
    waiter->allowed = allowed;
    waiter->done_us = sys_mono_us();
    waiter->done = true;
    lock_signal(&waiter->lock);
    lock_drop(&waiter->lock);
    return NULL;
}

static void start_waiter(struct waiter *waiter, struct limiter *limiter,
                         const struct upstream_account *account)
{
    struct err err = {0};

    *waiter = (struct waiter){.limiter = limiter, .account = account};
    lock_init(&waiter->lock);
    CHECK_OK("thread", lock_thread(&waiter->thread, "waiter", STACK, run_waiter, waiter, &err),
             &err);
    lock_take(&waiter->lock);
    while (!waiter->running)
        (void)lock_wait(&waiter->lock, INT64_MAX);
    lock_drop(&waiter->lock);
}

static void join_waiter(struct waiter *waiter)
{
    (void)pthread_join(waiter->thread, NULL);
    lock_fini(&waiter->lock);
}

static bool is_done(struct waiter *waiter)
{
    lock_take(&waiter->lock);
    bool done = waiter->done;

    lock_drop(&waiter->lock);
    return done;
}

/* Tries as often as it can; whoever waits is served all the same, and first. */
static void compete(void)
{
    struct limiter *limiter = limiter_new(NULL);
    struct waiter waiter;
    int64_t start_us = sys_mono_us();
    int before = 0;

    CHECK_TRUE("takes the turn", limiter_try(limiter, &slow, LIMITER_LIST));
    start_waiter(&waiter, limiter, &slow);
    /* It may not have begun to wait yet, but its turn is a second away. */
    while (!is_done(&waiter) && sys_mono_us() - start_us < FAR_S * INT64_C(1000000)) {
        before += limiter_try(limiter, &slow, LIMITER_LIST);
        sys_sleep_us(1);
    }
    join_waiter(&waiter);
    CHECK_TRUE("served", waiter.allowed);
    CHECK_INT("nobody before it", before, 0);
    CHECK_TRUE("not before its time", waiter.done_us - start_us >= 1000000);
    limiter_free(&limiter);
}

static void test_a_waiter_goes_first(void)
{
    for (int i = 0; i < 3; i++) /* the moment between turn and waking is short */
        compete();
}

static void test_many_waiters_are_spaced_too(void)
{
    enum { WAITERS = 6 };
    struct limiter *limiter = limiter_new(NULL);
    struct waiter waiters[WAITERS];
    int64_t start_us = sys_mono_us();

    for (int i = 0; i < WAITERS; i++)
        start_waiter(&waiters[i], limiter, &fast);
    for (int i = 0; i < WAITERS; i++) {
        join_waiter(&waiters[i]);
        CHECK_TRUE("served", waiters[i].allowed);
    }
    CHECK_TRUE("five gaps", sys_mono_us() - start_us >= (WAITERS - 1) * 50000);
    limiter_free(&limiter);
}

static void test_stop_ends_every_wait(void)
{
    enum { WAITERS = 3 };
    struct upstream_account account = slow;
    struct limiter *limiter = limiter_new(NULL);
    struct waiter waiters[WAITERS];

    CHECK_TRUE("takes the turn", limiter_try(limiter, &account, LIMITER_LIST));
    for (int i = 0; i < WAITERS; i++)
        start_waiter(&waiters[i], limiter, &account);
    sys_sleep_us(20000);
    int64_t stop_us = sys_mono_us(), first_us = INT64_MAX;

    limiter_stop(limiter);
    for (int i = 0; i < WAITERS; i++) {
        join_waiter(&waiters[i]);
        CHECK_TRUE("ended", waiters[i].done);
        first_us = waiters[i].done_us < first_us ? waiters[i].done_us : first_us;
    }
    /* Without a signal all of them would sleep on until their turn, a second away. */
    CHECK_TRUE("woken", first_us - stop_us < 800000);
    /* On a very slow machine one may have had its turn before the stop. */
    int allowed = waiters[0].allowed + waiters[1].allowed + waiters[2].allowed;

    CHECK_TRUE("not served", allowed <= 1);
    CHECK_TRUE("no wait from now on", !limiter_wait(limiter, &account, LIMITER_LIST));
    CHECK_TRUE("no other kind", !limiter_wait(limiter, &account, LIMITER_GET));
    CHECK_TRUE("no other account", !limiter_wait(limiter, &fast, LIMITER_GET));
    CHECK_TRUE("no try", !limiter_try(limiter, &fast, LIMITER_DELETE));
    limiter_free(&limiter);
}

/* A limit of nothing must not divide by it. */
static void test_a_limit_of_zero_is_slow(void)
{
    struct upstream_account none = {.id = 9};
    struct limiter *limiter = limiter_new(NULL);

    CHECK_TRUE("first", limiter_try(limiter, &none, LIMITER_GET));
    CHECK_TRUE("second", !limiter_try(limiter, &none, LIMITER_GET));
    limiter_free(&limiter);
}

static enum err_code wait_until(struct limiter *limiter, int64_t deadline_us)
{
    struct err err = {0};

    return limiter_wait_until(limiter, &slow, LIMITER_DELETE, deadline_us, &err);
}

static void test_a_wait_has_a_deadline(void)
{
    struct limiter *limiter = limiter_new(NULL);
    int64_t start_us = sys_mono_us();

    CHECK_INT("past", wait_until(limiter, start_us - 1), ERR_BUSY);
    CHECK_INT("first", wait_until(limiter, INT64_MAX), ERR_OK);
    CHECK_INT("too soon", wait_until(limiter, start_us + 100000), ERR_BUSY);
    CHECK_TRUE("not before its deadline", sys_mono_us() - start_us >= 100000);
    /* One that gave up took nobody's turn. */
    CHECK_INT("second", wait_until(limiter, start_us + FAR_S * INT64_C(1000000)), ERR_OK);
    CHECK_TRUE("at its turn", sys_mono_us() - start_us >= 1000000);
    limiter_free(&limiter);
}

/* Another gateway may have called a moment ago. */
static void test_a_rest_is_a_spacing(void)
{
    struct limiter *limiter = limiter_new(NULL);
    int64_t start_us = sys_mono_us();

    limiter_rest(limiter, &slow);
    CHECK_TRUE("a delete is a client's", limiter_try(limiter, &slow, LIMITER_DELETE));
    CHECK_TRUE("list", limiter_wait(limiter, &slow, LIMITER_LIST));
    CHECK_TRUE("after a spacing", sys_mono_us() - start_us >= 1000000);
    CHECK_TRUE("get", limiter_wait(limiter, &slow, LIMITER_GET));
    /* What is further away stays there. */
    limiter_rest(limiter, &fast);
    CHECK_TRUE("fast", limiter_wait(limiter, &fast, LIMITER_LIST));
    limiter_free(&limiter);
}

CHECK_MAIN(CHECK_TEST(test_each_kind_and_account_for_itself), CHECK_TEST(test_waits_are_spaced),
           CHECK_TEST(test_tries_are_spaced), CHECK_TEST(test_a_waiter_goes_first),
           CHECK_TEST(test_many_waiters_are_spaced_too), CHECK_TEST(test_stop_ends_every_wait),
           CHECK_TEST(test_a_limit_of_zero_is_slow), CHECK_TEST(test_a_wait_has_a_deadline),
           CHECK_TEST(test_a_rest_is_a_spacing))
