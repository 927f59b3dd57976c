/* SPDX-License-Identifier: Apache-2.0 */
/* The turns of clients at an account that several gateways call: slots in the database,
 * and limiters that share them. Only lower bounds of time are checked tightly. */
#include "tests/unit/upstream/gateway.h"

#include <stdatomic.h>

enum { STACK = 256 << 10, CALLS = 5 };

/* ---- the statement -------------------------------------------------------------------- */

struct slot_ctx {
    struct pace_wish wish;
    bool taken;
    int64_t at_us;
};

static enum err_code slot_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct slot_ctx *slot = ctx;

    return pace_repo_take(conn, &slot->wish, &slot->taken, &slot->at_us, err);
}

/* The slot's time, -1 when there is none. */
static int64_t take(struct world *world, const char *what, struct pace_wish wish)
{
    struct slot_ctx slot = {.wish = wish};
    struct err err = {0};

    CHECK_OK(what, db_write(world->db, DB_APART, slot_steps, &slot, &err), &err);
    return slot.taken ? slot.at_us : -1;
}

static void test_slots(void)
{
    static const struct {
        const char *what;
        enum limiter_kind kind;
        int64_t earliest_us, latest_us, spacing_us, at_us;
    } rows[] = {
        {"too late as it is", LIMITER_GET, 1000, 1000, 50, -1},
        {"the first", LIMITER_GET, 1000, 2000, 50, 1000},
        {"behind it", LIMITER_GET, 1000, 2000, 50, 1050},
        {"another who is later", LIMITER_GET, 1060, 2000, 50, 1100},
        {"before its deadline", LIMITER_GET, 1060, 1151, 50, 1150},
        {"at its deadline", LIMITER_GET, 1060, 1200, 50, -1},
        {"the one that was too late for that", LIMITER_GET, 1060, 1201, 50, 1200},
        {"no credit for a pause", LIMITER_GET, 9000, 9999, 50, 9000},
        {"behind the pause", LIMITER_GET, 9000, 9999, 50, 9050},
        {"the other kind", LIMITER_DELETE, 500, 9999, 20, 500},
        {"the other kind again", LIMITER_DELETE, 500, 9999, 30, 520},
        {"another spacing is the next one's", LIMITER_DELETE, 500, 9999, 30, 550},
        {"the first kind has not moved", LIMITER_GET, 9000, 9999, 50, 9100},
        {"a clock that is far ahead", LIMITER_GET, 3600 * SECOND, 3700 * SECOND, 50,
         3600 * SECOND},
        {"keeps nobody waiting", LIMITER_GET, 10000, 20000, 50, 10000},
    };
    struct world world;

    world_init(&world, 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_INT(rows[i].what,
                  take(&world, rows[i].what,
                       (struct pace_wish){account_a(&world), rows[i].kind, rows[i].earliest_us,
                                          rows[i].latest_us, rows[i].spacing_us}),
                  rows[i].at_us);
    CHECK_INT("another account",
              take(&world, "another account",
                   (struct pace_wish){world.upstreams[1].account.id, LIMITER_GET, 1, 2, 50}),
              1);
    CHECK_INT("a row each", world_ask(&world, "SELECT count(*) FROM account_pace", 0), 2);
    world_fini(&world);
}

/* ---- limiters that share ------------------------------------------------------------------
 */

static struct upstream_account paced(const struct world *world, int64_t get_qps)
{
    return (struct upstream_account){
        .id = account_a(world), .list_qps = 1, .get_qps = get_qps, .delete_qps = 20};
}

/* A gateway's clients, one after the other. */
struct clients {
    struct limiter *limiter;
    struct upstream_account account;
    enum limiter_kind kind;
    int served;
    pthread_t thread;
};

static void *run_clients(void *ctx)
{
    struct clients *clients = ctx;
    struct err err = {0};

    for (int i = 0; i < CALLS; i++)
        clients->served +=
            limiter_wait_until(clients->limiter, &clients->account, clients->kind,
                               sys_mono_us() + PATIENCE_US, &err) == ERR_OK;
    return NULL;
}

/* How long two gateways took for CALLS each. */
static int64_t race(struct world *world, int64_t get_qps, enum limiter_kind kind)
{
    struct clients clients[2];
    struct err err = {0};
    int64_t began_us = sys_mono_us();

    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        clients[i] = (struct clients){
            .limiter = limiter_new(world->db), .account = paced(world, get_qps), .kind = kind};
        CHECK_OK(
            "thread",
            lock_thread(&clients[i].thread, "clients", STACK, run_clients, &clients[i], &err),
            &err);
    }
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        (void)pthread_join(clients[i].thread, NULL);
        limiter_free(&clients[i].limiter);
        CHECK_INT("served", clients[i].served, CALLS);
    }
    return sys_mono_us() - began_us;
}

static void test_two_gateways_share_a_rate(void)
{
    struct world world;

    world_init(&world, 0);
    /* nine gaps of a tenth of a second: the clients' half of 20 */
    CHECK_TRUE("gets", race(&world, 20, LIMITER_GET) >= (2 * CALLS - 1) * 100000);
    /* of a twentieth: all of 20 */
    CHECK_TRUE("deletes", race(&world, 20, LIMITER_DELETE) >= (2 * CALLS - 1) * 50000);
    world_fini(&world);
}

/* The poller's own GETs have the other half, whatever the clients do. */
static void test_halves(void)
{
    struct world world;
    struct limiter *limiter, *alone;
    struct upstream_account account;
    struct err err = {0};

    world_init(&world, 0);
    account = paced(&world, 2); /* one a second for each side */
    limiter = limiter_new(world.db);
    alone = limiter_new(NULL);
    int64_t began_us = sys_mono_us();

    CHECK_TRUE("own", limiter_try(limiter, &account, LIMITER_GET));
    CHECK_OK("a client's, at the same time",
             limiter_wait_until(limiter, &account, LIMITER_GET, began_us + PATIENCE_US, &err),
             &err);
    AWAIT("own again", limiter_try(limiter, &account, LIMITER_GET));
    CHECK_TRUE("a whole second later", sys_mono_us() - began_us >= 1000000);

    began_us = sys_mono_us();
    CHECK_TRUE("alone", limiter_try(alone, &account, LIMITER_GET));
    AWAIT("alone again", limiter_try(alone, &account, LIMITER_GET));
    CHECK_TRUE("all are its own", sys_mono_us() - began_us >= 500000);
    limiter_free(&limiter);
    limiter_free(&alone);
    CHECK_INT("a row for the client alone",
              world_ask(&world, "SELECT count(*) FROM account_pace", 0), 1);
    world_fini(&world);
}

/* A list that took 200 ms may have arrived only then: the next one arrives a second later. */
static void test_a_list_long_on_its_way(void)
{
    struct world world;
    struct limiter *limiter;
    struct upstream_account account;

    world_init(&world, 0);
    account = paced(&world, 20);
    account.list_qps = 1;
    limiter = limiter_new(world.db);
    CHECK_TRUE("first", limiter_try(limiter, &account, LIMITER_LIST));
    int64_t began_us = sys_mono_us();

    AWAIT("on its way", sys_mono_us() - began_us >= 200000);
    int64_t answered_us = sys_mono_us();

    limiter_listed(limiter, &account);
    AWAIT("again", limiter_try(limiter, &account, LIMITER_LIST));
    int64_t now_us = sys_mono_us();

    CHECK_TRUE("from its answer, a quarter of a second at most",
               now_us - answered_us >= 1000000 || now_us - began_us >= 1290000);
    limiter_free(&limiter);
    world_fini(&world);
}

static void test_no_slot_in_time(void)
{
    struct world world;
    struct limiter *limiter;
    struct upstream_account account;
    struct err err = {0};

    world_init(&world, 0);
    account = paced(&world, 1); /* a slot in two seconds */
    limiter = limiter_new(world.db);
    int64_t began_us = sys_mono_us();

    CHECK_OK("first",
             limiter_wait_until(limiter, &account, LIMITER_GET, began_us + PATIENCE_US, &err),
             &err);
    CHECK_INT("second",
              limiter_wait_until(limiter, &account, LIMITER_GET, began_us + 1000000, &err),
              ERR_BUSY);
    CHECK_INT("past", limiter_wait_until(limiter, &account, LIMITER_GET, began_us - 1, &err),
              ERR_BUSY);
    /* Those who gave up took nobody's turn. */
    CHECK_OK("third",
             limiter_wait_until(limiter, &account, LIMITER_GET, began_us + PATIENCE_US, &err),
             &err);
    CHECK_TRUE("at its turn", sys_mono_us() - began_us >= 2000000);
    limiter_free(&limiter);
    world_fini(&world);
}

static void *run_stop(void *ctx)
{
    sys_sleep_us(100000);
    limiter_stop(ctx);
    return NULL;
}

static void test_stop_ends_a_wait(void)
{
    struct world world;
    struct limiter *limiter;
    struct upstream_account account;
    struct err err = {0};
    pthread_t thread;

    world_init(&world, 0);
    account = paced(&world, 1);
    world_tamper(&world,
                 "INSERT INTO account_pace (account_id, get_us, delete_us)"
                 " VALUES ($1, 0, 0)",
                 account.id);
    world_tamper(&world, "UPDATE account_pace SET get_us = $1", sys_now_us() + 100 * SECOND);
    limiter = limiter_new(world.db);
    CHECK_OK("thread", lock_thread(&thread, "stop", STACK, run_stop, limiter, &err), &err);
    int64_t began_us = sys_mono_us();

    CHECK_INT("stopped",
              limiter_wait_until(limiter, &account, LIMITER_GET, began_us + 200 * SECOND, &err),
              ERR_BUSY);
    CHECK_TRUE("before its turn", sys_mono_us() - began_us < 100 * SECOND);
    (void)pthread_join(thread, NULL);
    limiter_free(&limiter);
    world_fini(&world);
}

/* A database that does not give a slot lets nothing out. */
static void test_no_database_no_turn(void)
{
    struct world world;
    struct db_options read_only = {.path = world.path, .read_only = true};
    struct limiter *limiter;
    struct upstream_account account;
    struct db *db = NULL;
    struct err err = {0};

    world_init(&world, 0);
    account = paced(&world, 20);
    CHECK_OK("open", db_open(&read_only, &db, &err), &err);
    limiter = limiter_new(db);
    CHECK_INT("get",
              limiter_wait_until(limiter, &account, LIMITER_GET, sys_mono_us() + SECOND, &err),
              ERR_BUSY);
    CHECK_TRUE("says why", err.detail[0] != '\0');
    CHECK_INT(
        "delete",
        limiter_wait_until(limiter, &account, LIMITER_DELETE, sys_mono_us() + SECOND, &err),
        ERR_BUSY);
    limiter_free(&limiter);
    db_close(&db);
    world_fini(&world);
}

/* ---- a database that is slow
 * ----------------------------------------------------------------- */

enum { CROWD = 8 };

struct sleeper {
    struct db *db;
    atomic_bool asleep;
    int64_t woken_us;
    pthread_t thread;
};

static enum err_code sleep_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct sleeper *sleeper = ctx;

    (void)conn, (void)err;
    atomic_store(&sleeper->asleep, true);
    sys_sleep_us(SECOND);
    sleeper->woken_us = sys_mono_us();
    return ERR_OK;
}

static void *run_sleeper(void *ctx)
{
    struct sleeper *sleeper = ctx;
    struct err err = {0};

    CHECK_OK("sleep", db_write(sleeper->db, DB_ALL, sleep_steps, sleeper, &err), &err);
    return NULL;
}

struct crowd {
    struct limiter *limiter;
    struct upstream_account account;
    int64_t served_us;
    pthread_t thread;
};

static void *run_crowd(void *ctx)
{
    struct crowd *crowd = ctx;
    struct err err = {0};

    CHECK_OK("served",
             limiter_wait_until(crowd->limiter, &crowd->account, LIMITER_GET,
                                sys_mono_us() + PATIENCE_US, &err),
             &err);
    crowd->served_us = sys_mono_us();
    return NULL;
}

/* Slots that came too late are not made up for: after the wait for the database the crowd
 * leaves one by one. */
static void test_late_slots_are_lost(void)
{
    struct world world;
    struct crowd crowd[CROWD];
    struct limiter *limiter;
    struct sleeper sleeper = {0};
    struct err err = {0};
    int64_t last_us = 0;

    world_init(&world, 0);
    limiter = limiter_new(world.db);
    sleeper.db = world.db;
    CHECK_OK("thread",
             lock_thread(&sleeper.thread, "sleeper", STACK, run_sleeper, &sleeper, &err), &err);
    AWAIT("asleep", atomic_load(&sleeper.asleep));
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = (struct crowd){.limiter = limiter, .account = paced(&world, 20)};
        CHECK_OK("thread",
                 lock_thread(&crowd[i].thread, "client", STACK, run_crowd, &crowd[i], &err),
                 &err);
    }
    (void)pthread_join(sleeper.thread, NULL);
    for (size_t i = 0; i < CROWD; i++) {
        (void)pthread_join(crowd[i].thread, NULL);
        last_us = crowd[i].served_us > last_us ? crowd[i].served_us : last_us;
    }
    /* Seven gaps of a tenth of a second, from a slot that is a twentieth past at the most. */
    CHECK_TRUE("one by one", last_us - sleeper.woken_us >= (CROWD - 1) * 105000 - 50000);
    limiter_free(&limiter);
    world_fini(&world);
}

CHECK_MAIN(CHECK_TEST(test_slots), CHECK_TEST(test_two_gateways_share_a_rate),
           CHECK_TEST(test_halves), CHECK_TEST(test_a_list_long_on_its_way),
           CHECK_TEST(test_no_slot_in_time), CHECK_TEST(test_stop_ends_a_wait),
           CHECK_TEST(test_no_database_no_turn), CHECK_TEST(test_late_slots_are_lost))
