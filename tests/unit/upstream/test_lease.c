/* SPDX-License-Identifier: Apache-2.0 */
/* Leases of several gateways on one database: one holder at a time, who ends before the
 * next begins, whatever the database does. Time passes as it does; only lower bounds and
 * orders are checked. */
#include "tests/unit/upstream/gateway.h"

#include <stdatomic.h>

enum { STACK = 256 << 10 };

#define LONG (60 * SECOND) /* no test lasts so long */
#define SHORT INT64_C(400000)

/* Two gateways on a fresh world. */
struct pair {
    struct world world;
    struct ark a, b;
};

static void pair_init(struct pair *pair, bool shared, int64_t lease_us)
{
    world_init(&pair->world, YUAN(100));
    gateway_init(&pair->a, &pair->world, shared, lease_us);
    gateway_init(&pair->b, &pair->world, shared, lease_us);
}

static void pair_fini(struct pair *pair)
{
    gateway_fini(&pair->a);
    gateway_fini(&pair->b);
    world_fini(&pair->world);
}

static int64_t live_rows(struct pair *pair, const char *sql)
{
    return world_ask(&pair->world, sql, sys_now_us());
}

/* ---- the statements ------------------------------------------------------------------- */

struct repo_step {
    enum { TAKE, RELEASE, FORGET } what;
    const char *holder;
    int64_t now_us, until_us;
    bool taken; /* written by the closure */
};

static enum err_code repo_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct repo_step *step = ctx;
    struct lease_claim claim = {.name = "gateway:x",
                                .holder = step->holder,
                                .schema = db_schema_version(),
                                .now_us = step->now_us,
                                .until_us = step->until_us};

    step->taken = false;
    if (step->what == RELEASE)
        return lease_repo_release(conn, claim.name, claim.holder, err);
    if (step->what == FORGET)
        return lease_repo_forget(conn, step->now_us, err);
    return lease_repo_take(conn, &claim, &step->taken, err);
}

static void test_one_row_and_its_holders(void)
{
    static const struct {
        const char *what;
        struct repo_step step;
        bool taken;
        int64_t until_us; /* the row's, afterwards; -1: there is none */
    } rows[] = {
        {"free", {TAKE, "a", 1000, 2000, false}, true, 2000},
        {"another's", {TAKE, "b", 1500, 2500, false}, false, 2000},
        {"at the last moment", {TAKE, "b", 2000, 3000, false}, false, 2000},
        {"renewed", {TAKE, "a", 1800, 2800, false}, true, 2800},
        {"renewed when it was over", {TAKE, "a", 9000, 10000, false}, true, 10000},
        {"over", {TAKE, "b", 10001, 11000, false}, true, 11000},
        {"lost", {TAKE, "a", 10500, 11500, false}, false, 11000},
        {"released by whose it is not", {RELEASE, "a", 0, 0, false}, false, 11000},
        {"released", {RELEASE, "b", 0, 0, false}, false, 0},
        {"at once", {TAKE, "a", 10600, 11600, false}, true, 11600},
        {"not gone", {FORGET, "", 11600, 0, false}, false, 11600},
        {"gone", {FORGET, "", 11601, 0, false}, false, -1},
        {"free again", {TAKE, "b", 1, 2, false}, true, 2},
    };
    struct world world;

    world_init(&world, 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct repo_step step = rows[i].step;
        struct err err = {0};

        CHECK_OK(rows[i].what, db_write(world.db, DB_LEASES, repo_steps, &step, &err), &err);
        CHECK_INT(rows[i].what, step.taken, rows[i].taken);
        CHECK_INT(rows[i].what,
                  world_ask(&world, "SELECT coalesce(max(until_us), -1) FROM lease", 0),
                  rows[i].until_us);
    }
    CHECK_INT("its schema", world_ask(&world, "SELECT max(schema) FROM lease", 0),
              db_schema_version());
    world_fini(&world);
}

/* ---- who holds what --------------------------------------------------------------------- */

static void test_the_first_keeps_it(void)
{
    struct pair pair;
    int64_t began_us, term;

    pair_init(&pair, true, SHORT);
    CHECK_INT("nothing before the first tick", gateway_term(&pair.a, &pair.world), 0);
    gateway_tick(&pair.a, "a");
    gateway_tick(&pair.b, "b");
    began_us = sys_mono_us();
    term = gateway_term(&pair.a, &pair.world);
    CHECK_TRUE("a has it", term != 0 && lease_sweeps(pair.a.leases));
    /* Twice as long as a lease, renewed as often as it can be. */
    while (sys_mono_us() < began_us + 2 * SHORT) {
        gateway_tick(&pair.a, "a again");
        CHECK_INT("b has not", gateway_term(&pair.b, &pair.world), 0);
        CHECK_TRUE("b does not sweep", !lease_sweeps(pair.b.leases));
        gateway_tick(&pair.b, "b again");
    }
    CHECK_INT("not for an account that is none", lease_term(pair.a.leases, 999), 0);
    CHECK_INT("both are there",
              live_rows(&pair, "SELECT count(*) FROM lease WHERE name LIKE 'gateway:%'"
                               " AND until_us >= $1"),
              2);
    CHECK_INT("two accounts and the sweeps",
              live_rows(&pair, "SELECT count(*) FROM lease WHERE name NOT LIKE 'gateway:%'"
                               " AND until_us >= $1"),
              3);
    CHECK_INT("of this program", world_ask(&pair.world, "SELECT min(schema) FROM lease", 0),
              db_schema_version());
    pair_fini(&pair);
}

/* One that is heard of no more is followed by another, not before its time; and it has
 * ended by itself when that begins. */
static void test_over_before_it_is_taken(void)
{
    struct pair pair;
    int64_t renewed_us, taken_us;

    pair_init(&pair, true, SHORT);
    renewed_us = sys_mono_us();
    gateway_tick(&pair.a, "a");
    while (gateway_term(&pair.b, &pair.world) == 0 && sys_mono_us() < renewed_us + LONG) {
        gateway_tick(&pair.b, "b");
        sys_sleep_us(1000);
    }
    taken_us = sys_mono_us();
    CHECK_TRUE("b has it", gateway_term(&pair.b, &pair.world) != 0);
    CHECK_INT("a has ended", gateway_term(&pair.a, &pair.world), 0);
    CHECK_TRUE("not before its time", taken_us - renewed_us >= SHORT);
    gateway_tick(&pair.a, "a is back");
    CHECK_INT("b has it still", gateway_term(&pair.a, &pair.world), 0);
    pair_fini(&pair);
}

/* Nobody else took it, and still who held it cannot know what happened. */
static void test_a_pause_is_another_term(void)
{
    struct pair pair;
    int64_t term;

    pair_init(&pair, true, SHORT);
    gateway_tick(&pair.a, "a");
    term = gateway_term(&pair.a, &pair.world);
    gateway_tick(&pair.a, "at once");
    if (gateway_term(&pair.a, &pair.world) != term) /* on a very slow machine */
        term = gateway_term(&pair.a, &pair.world);
    AWAIT("over by itself", gateway_term(&pair.a, &pair.world) == 0);
    CHECK_TRUE("sweeps too", !lease_sweeps(pair.a.leases));
    gateway_tick(&pair.a, "late");
    CHECK_TRUE("another term", gateway_term(&pair.a, &pair.world) != term);
    pair_fini(&pair);
}

static void test_halt_lets_another_go_on(void)
{
    struct pair pair;

    pair_init(&pair, true, LONG);
    gateway_tick(&pair.a, "a");
    CHECK_TRUE("a has it", gateway_term(&pair.a, &pair.world) != 0);
    lease_halt(pair.a.leases);
    CHECK_INT("not from now on", gateway_term(&pair.a, &pair.world), 0);
    CHECK_TRUE("no sweep", !lease_sweeps(pair.a.leases));
    gateway_tick(&pair.b, "b does not know");
    CHECK_INT("yet", gateway_term(&pair.b, &pair.world), 0);
    gateway_tick(&pair.a, "a tells");
    gateway_tick(&pair.b, "b");
    CHECK_TRUE("b has it", gateway_term(&pair.b, &pair.world) != 0);
    CHECK_TRUE("and the other account",
               lease_term(pair.b.leases, pair.world.upstreams[1].account.id) != 0);
    CHECK_TRUE("and sweeps", lease_sweeps(pair.b.leases));
    gateway_tick(&pair.a, "a stays halted");
    CHECK_INT("a has nothing", gateway_term(&pair.a, &pair.world), 0);
    CHECK_INT("but is there",
              live_rows(&pair, "SELECT count(*) FROM lease WHERE name LIKE 'gateway:%'"
                               " AND until_us >= $1"),
              2);
    lease_free(&pair.a.leases);
    CHECK_INT("until its end",
              live_rows(&pair, "SELECT count(*) FROM lease WHERE name LIKE 'gateway:%'"
                               " AND until_us >= $1"),
              1);
    pair_fini(&pair);
}

/* The thread does all of it: a halt is told at once, not with the next renewal. */
static void test_the_thread(void)
{
    struct pair pair;
    struct err err = {0};

    pair_init(&pair, true, LONG);
    CHECK_OK("a", lease_start(pair.a.leases, &err), &err);
    CHECK_TRUE("a has it when it has started", gateway_term(&pair.a, &pair.world) != 0);
    lease_halt(pair.a.leases);
    AWAIT("told",
          world_ask(&pair.world, "SELECT count(*) FROM lease WHERE until_us = 0", 0) == 3);
    gateway_tick(&pair.b, "b");
    CHECK_TRUE("b has it", gateway_term(&pair.b, &pair.world) != 0);
    pair_fini(&pair);
}

static void test_the_thread_renews(void)
{
    struct pair pair;
    struct err err = {0};
    int64_t began_us, term;

    pair_init(&pair, true, 4 * SHORT);
    CHECK_OK("a", lease_start(pair.a.leases, &err), &err);
    term = gateway_term(&pair.a, &pair.world);
    began_us = sys_mono_us();
    while (sys_mono_us() < began_us + 8 * SHORT) {
        sys_sleep_us(SHORT / 4);
        gateway_tick(&pair.b, "b");
    }
    CHECK_TRUE("held all the time", term != 0 && gateway_term(&pair.a, &pair.world) == term);
    pair_fini(&pair);
}

/* ---- a database that does not answer ------------------------------------------------------
 */

struct sleeper {
    struct world *world;
    pthread_t thread;
};

static enum err_code sleep_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)conn, (void)ctx, (void)err;
    sys_sleep_us(3 * SHORT);
    return ERR_OK;
}

static void *run_sleeper(void *ctx)
{
    struct sleeper *sleeper = ctx;
    struct err err = {0};

    CHECK_OK("sleep", db_write(sleeper->world->db, DB_LEASES, sleep_steps, NULL, &err), &err);
    return NULL;
}

static void test_a_slow_database_ends_it(void)
{
    struct pair pair;
    struct sleeper sleeper = {.world = &pair.world};
    struct err err = {0};
    int64_t began_us, term;

    pair_init(&pair, true, SHORT);
    CHECK_OK("a", lease_start(pair.a.leases, &err), &err);
    term = gateway_term(&pair.a, &pair.world);
    CHECK_OK("thread",
             lock_thread(&sleeper.thread, "sleeper", STACK, run_sleeper, &sleeper, &err), &err);
    began_us = sys_mono_us();
    AWAIT("over while nothing is answered", gateway_term(&pair.a, &pair.world) == 0);
    CHECK_TRUE("by its own clock", sys_mono_us() - began_us < 3 * SHORT + LONG / 10);
    (void)pthread_join(sleeper.thread, NULL);
    AWAIT("back", gateway_term(&pair.a, &pair.world) != 0);
    CHECK_TRUE("another term", gateway_term(&pair.a, &pair.world) != term);
    pair_fini(&pair);
}

static void test_no_start_without_a_database(void)
{
    struct world world;
    struct ark gateway;
    struct db_options read_only = {.path = world.path, .read_only = true};
    struct lease_options options = {.shared = true, .lease_us = LONG};
    struct leases *leases;
    struct db *db = NULL;
    struct err err = {0};

    world_init(&world, 0);
    gateway_init(&gateway, &world, true, LONG);
    CHECK_OK("open", db_open(&read_only, &db, &err), &err);
    options.db = db;
    options.directory = gateway.directory;
    options.limiter = gateway.limiter;
    leases = lease_new(&options);
    CHECK_TRUE("refused", lease_start(leases, &err) != ERR_OK);
    CHECK_INT("nothing is held", lease_term(leases, account_a(&world)), 0);
    lease_free(&leases);
    db_close(&db);
    gateway_fini(&gateway);
    world_fini(&world);
}

/* One that stands still in the middle of a tick, with its rows locked. */
struct stuck {
    struct db *db;
    struct lease_claim claim;
    pthread_t thread;
    atomic_bool locked, over;
};

static enum err_code stuck_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct stuck *stuck = ctx;
    bool taken = false;

    TRY(lease_repo_take(conn, &stuck->claim, &taken, err));
    CHECK_TRUE("taken", taken);
    atomic_store(&stuck->locked, true);
    sys_sleep_us(3 * SECOND);
    return ERR_OK;
}

static void *run_stuck(void *ctx)
{
    struct stuck *stuck = ctx;
    struct err err = {0};

    CHECK_OK("stuck", db_write(stuck->db, DB_LEASES, stuck_steps, stuck, &err), &err);
    atomic_store(&stuck->over, true);
    return NULL;
}

static void test_who_stands_still_blocks_nobody(void)
{
    struct pair pair;
    struct stuck stuck = {.claim = {.holder = "stuck"}};
    struct db_options options = {.path = pair.world.path};
    struct err err = {0};

    pair_init(&pair, true, LONG);
    if (db_is_shared(pair.world.db)) { /* a file has one writer, and one that waits */
        gateway_tick(&pair.b, "b");
        lease_halt(pair.b.leases);
        gateway_tick(&pair.b, "b leaves its rows");
        CHECK_OK("open", db_open(&options, &stuck.db, &err), &err);
        (void)snprintf(stuck.claim.name, sizeof(stuck.claim.name), "poll:%lld",
                       (long long)account_a(&pair.world));
        stuck.claim.schema = db_schema_version();
        stuck.claim.now_us = sys_now_us();
        stuck.claim.until_us = stuck.claim.now_us + LONG;
        CHECK_OK("thread", lock_thread(&stuck.thread, "stuck", STACK, run_stuck, &stuck, &err),
                 &err);
        AWAIT("stuck", atomic_load(&stuck.locked));
        gateway_tick(&pair.a, "a");
        CHECK_TRUE("not waited for", !atomic_load(&stuck.over));
        CHECK_INT("nor taken", gateway_term(&pair.a, &pair.world), 0);
        CHECK_TRUE("the rest is",
                   lease_term(pair.a.leases, pair.world.upstreams[1].account.id) != 0);
        (void)pthread_join(stuck.thread, NULL);
        db_close(&stuck.db);
    }
    pair_fini(&pair);
}

/* ---- the rest ------------------------------------------------------------------------------
 */

static enum err_code remove_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    TRY(upstream_move(conn, ACTOR, 1, STR("ark-a"), UPSTREAM_DRAINING, 0, err));
    return upstream_move(conn, ACTOR, 1, STR("ark-a"), UPSTREAM_REMOVED, 0, err);
}

/* An account that lost its last credential is given up. */
static void test_accounts_go(void)
{
    struct pair pair;
    struct err err = {0};
    bool changed = false;

    pair_init(&pair, true, LONG);
    gateway_tick(&pair.a, "a");
    CHECK_TRUE("held", gateway_term(&pair.a, &pair.world) != 0);
    CHECK_OK("remove", db_write(pair.world.db, DB_ALL, remove_steps, NULL, &err), &err);
    CHECK_OK("refresh", directory_refresh(pair.a.directory, &changed, &err), &err);
    gateway_tick(&pair.a, "without it");
    CHECK_INT("given up", gateway_term(&pair.a, &pair.world), 0);
    CHECK_TRUE("the other one is held",
               lease_term(pair.a.leases, pair.world.upstreams[1].account.id) != 0);
    CHECK_INT("told",
              world_ask(&pair.world, "SELECT count(*) FROM lease WHERE until_us = 0", 0), 1);
    pair_fini(&pair);
}

/* Whoever had the account may have listed it a moment ago. */
static void test_a_gain_rests(void)
{
    struct pair pair;

    pair_init(&pair, true, LONG);
    const struct upstream_account *account = &pair.world.upstreams[0].account;

    gateway_tick(&pair.a, "a");
    int64_t gained_us = sys_mono_us();

    if (sys_mono_us() < gained_us + SECOND) /* else it took longer than the rest */
        CHECK_TRUE("no list at once", !limiter_try(pair.a.limiter, account, LIMITER_LIST));
    AWAIT("a list", limiter_try(pair.a.limiter, account, LIMITER_LIST));
    CHECK_TRUE("a spacing later", sys_mono_us() - gained_us >= 900000);
    pair_fini(&pair);
}

static void test_alone_there_are_no_leases(void)
{
    struct pair pair;
    struct err err = {0};

    pair_init(&pair, false, LONG);
    CHECK_OK("start", lease_start(pair.a.leases, &err), &err);
    gateway_tick(&pair.a, "a");
    CHECK_INT("all is ours", lease_term(pair.a.leases, 999), 1);
    CHECK_TRUE("sweeps", lease_sweeps(pair.a.leases));
    pair_fini(&pair);

    struct world world;

    world_init(&world, 0);
    gateway_init(&pair.a, &world, false, LONG);
    gateway_tick(&pair.a, "a");
    lease_halt(pair.a.leases);
    lease_free(&pair.a.leases);
    CHECK_INT("no row", world_ask(&world, "SELECT count(*) FROM lease", 0), 0);
    gateway_fini(&pair.a);
    world_fini(&world);
}

CHECK_MAIN(CHECK_TEST(test_one_row_and_its_holders), CHECK_TEST(test_the_first_keeps_it),
           CHECK_TEST(test_over_before_it_is_taken), CHECK_TEST(test_a_pause_is_another_term),
           CHECK_TEST(test_halt_lets_another_go_on), CHECK_TEST(test_the_thread),
           CHECK_TEST(test_the_thread_renews), CHECK_TEST(test_a_slow_database_ends_it),
           CHECK_TEST(test_no_start_without_a_database),
           CHECK_TEST(test_who_stands_still_blocks_nobody), CHECK_TEST(test_accounts_go),
           CHECK_TEST(test_a_gain_rests), CHECK_TEST(test_alone_there_are_no_leases))
