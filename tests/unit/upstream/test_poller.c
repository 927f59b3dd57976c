/* SPDX-License-Identifier: Apache-2.0 */
/* Pollers and reconcilers of several gateways on one database, with one Ark: each account
 * is asked after by the gateway that has its lease and by no other, and nothing is lost
 * when it changes hands. */
#include "gateway/upstream/poller_parts.h"

#include "tests/lib/hostile_server.h"
#include "tests/unit/upstream/gateway.h"

#define LONG (60 * SECOND) /* no test lasts so long */

/* ---- Ark ------------------------------------------------------------------------------- */

struct sim {
    struct hostile server;   /* first: its scripts get it; its lock guards the rest */
    const char *status;      /* of all tasks */
    bool held;               /* answers wait */
    int lists, asked, scans; /* lists of given ids, ids in them, lists of all */
};

static const char ended[] = ",\"content\":{\"video_url\":\"https://video.example/1.mp4\"},"
                            "\"usage\":{\"completion_tokens\":108900,\"total_tokens\":108900}";

static void answer_list(struct sim *sim, int fd, const char *head)
{
    static const char filter[] = "filter.task_ids=";
    char body[4096] = "{\"items\":[", text[4352];
    size_t len = strlen(body);
    int count = 0;

    lock_take(&sim->server.lock);
    for (const char *at = strstr(head, filter); at != NULL; at = strstr(at, filter), count++) {
        at += strlen(filter);
        len += (size_t)snprintf(
            body + len, sizeof(body) - len,
            "%s{\"id\":\"%.*s\",\"model\":\"m\",\"status\":\"%s\",\"created_at\":1,"
            "\"updated_at\":1,\"resolution\":\"720p\",\"ratio\":\"16:9\",\"duration\":5%s}",
            count > 0 ? "," : "", (int)strcspn(at, "& \r"), at, sim->status,
            strcmp(sim->status, "succeeded") == 0 ? ended : "");
    }
    (void)snprintf(body + len, sizeof(body) - len, "],\"total\":%d}", count);
    lock_drop(&sim->server.lock);
    (void)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
    (void)hostile_say(fd, text);
}

static int count_filters(const char *head)
{
    int count = 0;

    for (const char *at = head; (at = strstr(at, "filter.task_ids=")) != NULL; at++)
        count++;
    return count;
}

static void serve(struct hostile *server, int fd, int nth)
{
    struct sim *sim = (struct sim *)server;
    struct hostile_request request;

    (void)nth;
    while (hostile_request(server, fd, &request)) {
        int filters = count_filters(request.head);

        lock_take(&server->lock);
        *(filters > 0 ? &sim->lists : &sim->scans) += 1;
        sim->asked += filters;
        lock_signal(&server->lock);
        while (sim->held)
            (void)lock_wait(&server->lock, INT64_MAX);
        lock_drop(&server->lock);
        answer_list(sim, fd, request.head);
    }
}

static void sim_set(struct sim *sim, const char *status, bool held)
{
    lock_take(&sim->server.lock);
    sim->status = status;
    sim->held = held;
    lock_signal(&sim->server.lock);
    lock_drop(&sim->server.lock);
}

/* ---- two gateways -------------------------------------------------------------------------
 */

struct pair {
    struct world world;
    struct sim sim;
    struct ark a, b;
};

static enum err_code point_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct sim *sim = ctx;
    char url[64];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/api/v3", sim->server.port);
    TRY(upstream_set(conn, ACTOR, 1, STR("ark-a"), STR("base_url"), str_from(url), err));
    return upstream_set(conn, ACTOR, 1, STR("ark-a"), STR("list_qps"), STR("20"), err);
}

static void pair_init(struct pair *pair, bool shared)
{
    struct err err = {0};

    memset(pair, 0, sizeof(*pair));
    world_init(&pair->world, YUAN(100));
    hostile_start(&pair->sim.server, serve);
    sim_set(&pair->sim, "queued", false);
    CHECK_OK("url", db_write(pair->world.db, DB_ALL, point_steps, &pair->sim, &err), &err);
    gateway_init(&pair->a, &pair->world, shared, LONG);
    gateway_init(&pair->b, &pair->world, shared, LONG);
    pair->a.settings.scan_us = pair->b.settings.scan_us = 200000;
}

static void pair_fini(struct pair *pair)
{
    sim_set(&pair->sim, "queued", false);
    gateway_fini(&pair->a);
    gateway_fini(&pair->b);
    hostile_stop(&pair->sim.server);
    world_fini(&pair->world);
}

static void start_poller(struct ark *gateway, const char *what)
{
    struct err err = {0};

    CHECK_OK(what, poller_start(gateway, &gateway->poller, &err), &err);
}

/* How many tasks a gateway keeps; those that are not in a call alone. */
static size_t kept(struct ark *gateway, bool waiting)
{
    size_t count = 0;

    lock_take(&gateway->poller->lock);
    for (size_t i = 0; i < gateway->poller->account_count; i++)
        count += waiting ? gateway->poller->accounts[i]->open.heap_count
                         : gateway->poller->accounts[i]->open.count;
    lock_drop(&gateway->poller->lock);
    return count;
}

static bool has_state(struct pair *pair, const struct task *task, enum task_state state)
{
    return world_task(&pair->world, task->minted_id).state == state;
}

/* Another gateway has taken the accounts; this one does not know yet. */
static void steal(struct pair *pair)
{
    world_tamper(&pair->world,
                 "UPDATE lease SET holder = 'thief', until_us = $1"
                 " WHERE name LIKE 'poll:%'",
                 sys_now_us() + 2 * LONG);
}

/* ---- the poller
 * ------------------------------------------------------------------------------ */

static void test_the_holder_alone_asks(void)
{
    struct pair pair;

    pair_init(&pair, true);
    (void)world_queued(&pair.world, "cgt-one");
    gateway_tick(&pair.a, "a");
    gateway_tick(&pair.b, "b");
    start_poller(&pair.b, "b");
    (void)hostile_pause(&pair.sim.server, 500);
    CHECK_INT("who has no lease does not", hostile_seen(&pair.sim.server, &pair.sim.lists), 0);
    CHECK_INT("and keeps nothing", kept(&pair.b, false), 0);
    start_poller(&pair.a, "a");
    CHECK_INT("the holder keeps it from its start", kept(&pair.a, false), 1);
    CHECK_TRUE("and asks", hostile_await(&pair.sim.server, &pair.sim.lists, 3));
    CHECK_INT("b keeps nothing", kept(&pair.b, false), 0);
    /* A worker of b made a task: that is for a to find. */
    poller_watch(pair.b.poller, account_a(&pair.world), "cgt-other", sys_now_us(), false);
    CHECK_INT("dropped", kept(&pair.b, false), 0);
    poller_watch(pair.a.poller, account_a(&pair.world), "cgt-other", sys_now_us(), false);
    CHECK_INT("taken", kept(&pair.a, false), 2);
    pair_fini(&pair);
}

/* Nobody tells the poller of these: they came in through other gateways. */
static void test_tasks_of_other_gateways(void)
{
    struct pair pair;

    pair_init(&pair, true);
    gateway_tick(&pair.a, "a");
    start_poller(&pair.a, "a");
    CHECK_INT("nothing yet", kept(&pair.a, false), 0);

    struct task first = world_queued(&pair.world, "cgt-one");

    AWAIT("found", kept(&pair.a, false) == 1);
    struct task second = world_queued(&pair.world, "cgt-two");

    AWAIT("found again", kept(&pair.a, false) == 2);
    sim_set(&pair.sim, "succeeded", false);
    AWAIT("first settled", has_state(&pair, &first, TASK_SUCCEEDED));
    AWAIT("second settled", has_state(&pair, &second, TASK_SUCCEEDED));
    AWAIT("and forgotten", kept(&pair.a, false) == 0);
    check_money(&pair.world, "charged once each", YUAN(100) - 2 * HOLD_NANO, 0, 2 * HOLD_NANO);
    pair_fini(&pair);
}

static void test_an_account_changes_hands(void)
{
    struct pair pair;

    pair_init(&pair, true);
    gateway_tick(&pair.a, "a");
    start_poller(&pair.a, "a");
    start_poller(&pair.b, "b");
    struct task task = world_queued(&pair.world, "cgt-one");

    AWAIT("a keeps it", kept(&pair.a, false) == 1);
    lease_halt(pair.a.leases);
    gateway_tick(&pair.a, "a tells");
    AWAIT("a keeps nothing", kept(&pair.a, false) == 0);
    gateway_tick(&pair.b, "b");
    AWAIT("b keeps it", kept(&pair.b, false) == 1);
    sim_set(&pair.sim, "succeeded", false);
    AWAIT("b settles", has_state(&pair, &task, TASK_SUCCEEDED));
    AWAIT("b forgets", kept(&pair.b, false) == 0);
    CHECK_INT("a kept nothing", kept(&pair.a, false), 0);
    check_money(&pair.world, "charged once", YUAN(100) - HOLD_NANO, 0, HOLD_NANO);
    pair_fini(&pair);
}

/* An answer that was on its way when the lease was lost is settled, and its tasks are
 * forgotten. */
static void lose_in_flight(const char *status, enum task_state state)
{
    struct pair pair;

    pair_init(&pair, true);
    sim_set(&pair.sim, "queued", true);
    struct task task = world_queued(&pair.world, "cgt-one");

    gateway_tick(&pair.a, "a");
    start_poller(&pair.a, "a");
    CHECK_TRUE("asked", hostile_await(&pair.sim.server, &pair.sim.lists, 1));
    (void)world_queued(&pair.world, "cgt-two");
    AWAIT("the second waits", kept(&pair.a, true) == 1);
    steal(&pair);
    gateway_tick(&pair.a, "a learns of it");
    CHECK_INT("lost", gateway_term(&pair.a, &pair.world), 0);
    AWAIT("what waits is forgotten", kept(&pair.a, true) == 0);
    CHECK_INT("what is asked after is not", kept(&pair.a, false), 1);
    sim_set(&pair.sim, status, false);
    AWAIT("forgotten with its answer", kept(&pair.a, false) == 0);
    AWAIT("settled", has_state(&pair, &task, state));
    CHECK_INT("not asked again", hostile_seen(&pair.sim.server, &pair.sim.lists), 1);
    pair_fini(&pair);
}

static void test_lost_while_asking(void)
{
    lose_in_flight("succeeded", TASK_SUCCEEDED);
    lose_in_flight("running", TASK_RUNNING);
    lose_in_flight("queued", TASK_QUEUED);
}

/* Lost and won again while a call is on its way. */
static void test_back_while_asking(void)
{
    struct pair pair;

    pair_init(&pair, true);
    sim_set(&pair.sim, "queued", true);
    struct task task = world_queued(&pair.world, "cgt-one");

    gateway_tick(&pair.a, "a");
    start_poller(&pair.a, "a");
    CHECK_TRUE("asked", hostile_await(&pair.sim.server, &pair.sim.lists, 1));
    int64_t term = gateway_term(&pair.a, &pair.world);

    steal(&pair);
    gateway_tick(&pair.a, "a learns of it");
    world_tamper(&pair.world, "UPDATE lease SET until_us = 0 WHERE name LIKE 'poll:%'", 0);
    gateway_tick(&pair.a, "a has it again");
    CHECK_TRUE("another term", gateway_term(&pair.a, &pair.world) > term);
    sim_set(&pair.sim, "queued", false);
    CHECK_TRUE("asked again", hostile_await(&pair.sim.server, &pair.sim.lists, 3));
    CHECK_INT("kept once", kept(&pair.a, false), 1);
    sim_set(&pair.sim, "succeeded", false);
    AWAIT("settled", has_state(&pair, &task, TASK_SUCCEEDED));
    AWAIT("forgotten", kept(&pair.a, false) == 0);
    pair_fini(&pair);
}

/* A task that a client of another gateway cancelled. */
static void test_ended_elsewhere(void)
{
    struct pair pair;
    struct err err = {0};

    pair_init(&pair, true);
    struct task task = world_queued(&pair.world, "cgt-one");

    gateway_tick(&pair.a, "a");
    start_poller(&pair.a, "a");
    CHECK_TRUE("asked", hostile_await(&pair.sim.server, &pair.sim.lists, 1));
    struct upstream_task seen = {
        .id = STR("cgt-one"), .state = TASK_CANCELLED, .body = STR("{}")};

    CHECK_OK("settled by another",
             settle_seen(&pair.world.service, account_a(&pair.world), &seen, 1, &err), &err);
    sim_set(&pair.sim, "cancelled", false);
    AWAIT("forgotten", kept(&pair.a, false) == 0);
    CHECK_TRUE("as it was", has_state(&pair, &task, TASK_CANCELLED));
    check_money(&pair.world, "all back", YUAN(100), 0, 0);
    pair_fini(&pair);
}

static void test_alone(void)
{
    struct pair pair;

    pair_init(&pair, false);
    struct task task = world_queued(&pair.world, "cgt-one");

    start_poller(&pair.a, "a");
    CHECK_INT("kept from its start", kept(&pair.a, false), 1);
    CHECK_TRUE("asked", hostile_await(&pair.sim.server, &pair.sim.lists, 2));
    (void)world_queued(&pair.world, "cgt-two");
    poller_watch(pair.a.poller, account_a(&pair.world), "cgt-three", sys_now_us(), false);
    (void)hostile_pause(&pair.sim.server, 1500);
    CHECK_INT("its workers tell it what is new", kept(&pair.a, false), 2);
    sim_set(&pair.sim, "succeeded", false);
    AWAIT("settled", has_state(&pair, &task, TASK_SUCCEEDED));
    CHECK_INT("no lease", world_ask(&pair.world, "SELECT count(*) FROM lease", 0), 0);
    CHECK_INT("no pace", world_ask(&pair.world, "SELECT count(*) FROM account_pace", 0), 0);
    pair_fini(&pair);
}

/* ---- the reconciler
 * ---------------------------------------------------------------------------- */

/* A send whose worker died, long past its deadline. */
static struct task lost_send(struct pair *pair)
{
    struct task task = world_queued(&pair->world, "cgt-lost");

    world_tamper(&pair->world,
                 "UPDATE attempt SET state = 'prepared', deadline_us = 1"
                 " WHERE task_id = $1",
                 task.id);
    world_tamper(&pair->world,
                 "UPDATE task SET state = 'submitting', upstream_id = NULL WHERE id = $1",
                 task.id);
    return task;
}

static int64_t submitting(struct pair *pair)
{
    return world_ask(&pair->world, "SELECT count(*) FROM task WHERE state = 'submitting'", 0);
}

static void test_sweeps_and_scans_of_the_holder(void)
{
    struct pair pair;
    struct err err = {0};

    pair_init(&pair, true);
    (void)world_unknown(&pair.world);
    (void)lost_send(&pair);
    gateway_tick(&pair.a, "a");
    gateway_tick(&pair.b, "b");
    CHECK_OK("b", reconciler_start(&pair.b, &pair.b.reconciler, &err), &err);
    (void)hostile_pause(&pair.sim.server, 1500);
    CHECK_INT("who has no lease does not sweep", submitting(&pair), 1);
    CHECK_INT("nor scan", hostile_seen(&pair.sim.server, &pair.sim.scans), 0);
    lease_halt(pair.a.leases);
    gateway_tick(&pair.a, "a tells");
    gateway_tick(&pair.b, "b");
    AWAIT("swept", submitting(&pair) == 0);
    CHECK_TRUE("scanned", hostile_await(&pair.sim.server, &pair.sim.scans, 1));
    pair_fini(&pair);
}

/* A scan whose account was lost in the middle proves nothing. */
static void test_a_scan_ends_with_the_lease(void)
{
    struct pair pair;
    struct err err = {0};

    pair_init(&pair, true);
    struct task task = world_unknown(&pair.world);

    world_tamper(&pair.world, "UPDATE attempt SET deadline_us = 1 WHERE task_id = $1", task.id);
    sim_set(&pair.sim, "queued", true);
    gateway_tick(&pair.a, "a");
    CHECK_OK("a", reconciler_start(&pair.a, &pair.a.reconciler, &err), &err);
    CHECK_TRUE("a scan is on its way", hostile_await(&pair.sim.server, &pair.sim.scans, 1));
    steal(&pair);
    gateway_tick(&pair.a, "a learns of it");
    sim_set(&pair.sim, "queued", false);
    (void)hostile_pause(&pair.sim.server, 1000);
    CHECK_INT(
        "not counted",
        world_ask(&pair.world, "SELECT clean_scans FROM attempt WHERE task_id = $1", task.id),
        0);
    CHECK_INT("no other", hostile_seen(&pair.sim.server, &pair.sim.scans), 1);
    world_tamper(&pair.world, "UPDATE lease SET until_us = 0 WHERE name LIKE 'poll:%'", 0);
    gateway_tick(&pair.a, "a has it again");
    AWAIT("two whole ones release it", has_state(&pair, &task, TASK_FAILED));
    check_money(&pair.world, "all back", YUAN(100), 0, 0);
    pair_fini(&pair);
}

CHECK_MAIN(CHECK_TEST(test_the_holder_alone_asks), CHECK_TEST(test_tasks_of_other_gateways),
           CHECK_TEST(test_an_account_changes_hands), CHECK_TEST(test_lost_while_asking),
           CHECK_TEST(test_back_while_asking), CHECK_TEST(test_ended_elsewhere),
           CHECK_TEST(test_alone), CHECK_TEST(test_sweeps_and_scans_of_the_holder),
           CHECK_TEST(test_a_scan_ends_with_the_lease))
