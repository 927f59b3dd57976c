/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE of a task: what our row decides alone, what looks at Ark decide, and who else
 * may settle the task at that moment. */
#include "tests/unit/task/world.h"

#include "tests/unit/task/seen.h"

static enum err_code cancel(struct world *world, const char *id, struct err *err)
{
    *err = (struct err){0};
    return cancel_task(&world->service, &world->scope, str_from(id), err);
}

struct found {
    const char *id;
    struct task task;
};

static enum err_code find_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct found *found = ctx;

    return task_view_find(conn, str_from(found->id), &found->task, err);
}

/* As operators see it, deleted or not. */
static struct task find(struct world *world, const char *id)
{
    struct found found = {.id = id};
    struct err err = {0};

    CHECK_OK(id, db_read(world->db, find_steps, &found, &err), &err);
    return found.task;
}

static bool is_visible(struct world *world, const char *id)
{
    struct task task;
    struct err err = {0};
    enum err_code rc = query_task(&world->service, &world->scope, str_from(id), &task, &err);

    CHECK_TRUE(id, rc == ERR_OK || rc == ERR_NOT_FOUND);
    return rc == ERR_OK;
}

/* ---- without Ark ------------------------------------------------------------------- */

static void test_what_the_row_decides(void)
{
    static const struct {
        const char *what, *sql;
        enum err_code want;
        enum task_state after;
        bool visible, released;
    } rows[] = {
        {"waiting", "UPDATE task SET state = 'waiting' WHERE id = $1", ERR_OK, TASK_CANCELLED,
         true, true},
        {"submitting", "UPDATE task SET state = 'submitting' WHERE id = $1", ERR_TASK_RUNNING,
         TASK_SUBMITTING, true, false},
        {"unknown", "UPDATE task SET state = 'unknown' WHERE id = $1", ERR_TASK_RUNNING,
         TASK_UNKNOWN, true, false},
        {"running", "UPDATE task SET state = 'running' WHERE id = $1", ERR_TASK_RUNNING,
         TASK_RUNNING, true, false},
        {"cancelled", "UPDATE task SET state = 'cancelled' WHERE id = $1", ERR_TASK_CANCELLED,
         TASK_CANCELLED, true, false},
        {"succeeded", "UPDATE task SET state = 'succeeded' WHERE id = $1", ERR_OK,
         TASK_SUCCEEDED, false, false},
        {"failed", "UPDATE task SET state = 'failed' WHERE id = $1", ERR_OK, TASK_FAILED, false,
         false},
        {"expired", "UPDATE task SET state = 'expired' WHERE id = $1", ERR_OK, TASK_EXPIRED,
         false, false},
        {"refused", "UPDATE task SET state = 'refused' WHERE id = $1", ERR_NOT_FOUND,
         TASK_REFUSED, false, false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *what = rows[i].what;
        struct world world;
        struct err err;

        world_init(&world, YUAN(100));
        struct task task = world_queued(&world, "cgt-1");

        world_tamper(&world, rows[i].sql, task.id);
        CHECK_INT(what, cancel(&world, "cgt-1", &err), rows[i].want);
        CHECK_TRUE(what, rows[i].want == ERR_OK || strstr(err.msg, "cgt-1") != NULL);
        struct task after = find(&world, "cgt-1");

        CHECK_TEXT(what, state_name(after.state), state_name(rows[i].after));
        CHECK_INT(what, is_visible(&world, "cgt-1"), rows[i].visible);
        CHECK_TEXT(what, world_hold(&world, &task).state,
                   rows[i].released ? "released" : "open");
        CHECK_INT("no look", world.script.look_count, 0);
        CHECK_INT("no DELETE", world.script.remove_count, 0);
        world_fini(&world);
    }
}

static void test_gone_for_the_tenant_alone(void)
{
    struct world world;
    struct task hidden;
    struct err err, unknown;

    world_init(&world, YUAN(100));
    struct task task = world_queued(&world, "cgt-1");
    struct upstream_task seen = seen_of("cgt-1", TASK_SUCCEEDED);

    CHECK_OK("ends", settle_seen(&world.service, account_a(&world), &seen, 1, &err), &err);
    int64_t events =
        world_ask(&world, "SELECT count(*) FROM event WHERE task_id = $1", task.id);

    CHECK_OK("deleted", cancel(&world, "cgt-1", &err), &err);
    CHECK_INT("again", cancel(&world, "cgt-1", &err), ERR_NOT_FOUND);
    CHECK_INT("minted id", cancel(&world, task.minted_id, &unknown), ERR_NOT_FOUND);
    CHECK_INT("get", query_task(&world.service, &world.scope, STR("cgt-1"), &hidden, &unknown),
              ERR_NOT_FOUND);
    CHECK_TEXT("one text", err.msg, unknown.msg);
    struct task after = find(&world, "cgt-1");

    CHECK_TRUE("marked", after.deleted_us > 0);
    CHECK_TEXT("state", state_name(after.state), "succeeded");
    CHECK_INT("tokens", after.tokens, HOLD_TOKENS);
    CHECK_INT("one event",
              world_ask(&world, "SELECT count(*) FROM event WHERE task_id = $1", task.id),
              events + 1);
    CHECK_TEXT("charged", world_hold(&world, &task).state, "charged");
    check_money(&world, "charged", YUAN(100) - HOLD_NANO, 0, HOLD_NANO);
    world_fini(&world);
}

static void test_whose_it_is(void)
{
    struct world world;
    struct err err, unknown;

    world_init(&world, YUAN(100));
    (void)world_queued(&world, "cgt-1");
    struct scope own = world.scope, other = world_tenant(&world, "other", YUAN(1));

    own.own_only = true;
    (void)str_copy(own.identity, sizeof(own.identity), STR("tok-two"));
    const struct scope *const scopes[] = {&own, &other};

    for (size_t i = 0; i < COUNT_OF(scopes); i++) {
        err = unknown = (struct err){0};
        CHECK_INT("foreign", cancel_task(&world.service, scopes[i], STR("cgt-1"), &err),
                  ERR_NOT_FOUND);
        CHECK_INT("never", cancel_task(&world.service, scopes[i], STR("cgt-0"), &unknown),
                  ERR_NOT_FOUND);
        CHECK_INT("as long", (int64_t)strlen(err.msg), (int64_t)strlen(unknown.msg));
    }
    CHECK_INT("no look", world.script.look_count, 0);
    check_state(&world, "untouched", "cgt-1", TASK_QUEUED);
    world_fini(&world);
}

/* ---- queued: Ark decides -------------------------------------------------------------- */

#define CANCELLED               \
    {                           \
        .state = TASK_CANCELLED \
    }
#define RUNNING               \
    {                         \
        .state = TASK_RUNNING \
    }
#define SUCCEEDED               \
    {                           \
        .state = TASK_SUCCEEDED \
    }
#define FAILED               \
    {                        \
        .state = TASK_FAILED \
    }
#define QUEUED               \
    {                        \
        .state = TASK_QUEUED \
    }
#define GONE         \
    {                \
        .gone = true \
    }
#define DEAD                 \
    {                        \
        .code = ERR_UPSTREAM \
    }
#define KEPT                     \
    {                            \
        .removal = PROVIDER_KEPT \
    }
#define STALE                     \
    {                             \
        .removal = PROVIDER_STALE \
    }
#define DELETED                     \
    {                               \
        .removal = PROVIDER_DELETED \
    }

static const struct {
    const char *what;
    struct look_step looks[5];
    struct remove_step removes[4];
    int look_count, remove_count;
    enum err_code want;
    enum task_state after;
    const char *hold;
    bool visible;
} rows[] = {
    {"cancelled",
     {QUEUED, CANCELLED},
     {DELETED},
     2,
     1,
     ERR_OK,
     TASK_CANCELLED,
     "released",
     true},
    {"shown late",
     {QUEUED, QUEUED, QUEUED, CANCELLED},
     {DELETED},
     4,
     1,
     ERR_OK,
     TASK_CANCELLED,
     "released",
     true},
    {"not shown",
     {QUEUED, QUEUED, QUEUED, QUEUED, CANCELLED},
     {DELETED},
     4,
     1,
     ERR_UPSTREAM,
     TASK_QUEUED,
     "open",
     true},
    /* Ark erases what it finished; then nobody can tell what it cost. */
    {"erased", {QUEUED, GONE}, {DELETED}, 2, 1, ERR_OK, TASK_CANCELLED, "review", true},
    {"runs by now",
     {QUEUED, RUNNING},
     {KEPT},
     2,
     1,
     ERR_TASK_RUNNING,
     TASK_RUNNING,
     "open",
     true},
    {"runs all the same",
     {QUEUED, RUNNING},
     {DELETED},
     2,
     1,
     ERR_TASK_RUNNING,
     TASK_RUNNING,
     "open",
     true},
    {"finished by now",
     {QUEUED, SUCCEEDED},
     {KEPT},
     2,
     1,
     ERR_OK,
     TASK_SUCCEEDED,
     "charged",
     false},
    {"another cancelled it",
     {QUEUED, CANCELLED},
     {KEPT},
     2,
     1,
     ERR_TASK_CANCELLED,
     TASK_CANCELLED,
     "released",
     true},
    {"gone, not by this",
     {QUEUED, GONE},
     {KEPT},
     2,
     1,
     ERR_UPSTREAM,
     TASK_QUEUED,
     "open",
     true},
    {"refused, still queued",
     {QUEUED, QUEUED, QUEUED, QUEUED},
     {KEPT},
     4,
     1,
     ERR_UPSTREAM,
     TASK_QUEUED,
     "open",
     true},
    {"running at once",
     {RUNNING},
     {DELETED},
     1,
     0,
     ERR_TASK_RUNNING,
     TASK_RUNNING,
     "open",
     true},
    {"succeeded at once",
     {SUCCEEDED},
     {DELETED},
     1,
     0,
     ERR_OK,
     TASK_SUCCEEDED,
     "charged",
     false},
    {"failed at once", {FAILED}, {DELETED}, 1, 0, ERR_OK, TASK_FAILED, "released", false},
    {"cancelled at once",
     {CANCELLED},
     {DELETED},
     1,
     0,
     ERR_TASK_CANCELLED,
     TASK_CANCELLED,
     "released",
     true},
    {"gone at once", {GONE}, {DELETED}, 1, 0, ERR_UPSTREAM, TASK_QUEUED, "open", true},
    {"no look", {DEAD}, {DELETED}, 1, 0, ERR_UPSTREAM, TASK_QUEUED, "open", true},
    {"no turn", {{.code = ERR_BUSY}}, {DELETED}, 1, 0, ERR_BUSY, TASK_QUEUED, "open", true},
    {"not sent",
     {QUEUED},
     {{.code = ERR_UPSTREAM}},
     1,
     1,
     ERR_UPSTREAM,
     TASK_QUEUED,
     "open",
     true},
    {"no second look",
     {QUEUED, DEAD},
     {DELETED},
     2,
     1,
     ERR_UPSTREAM,
     TASK_QUEUED,
     "open",
     true},
    {"no turn after",
     {QUEUED, {.code = ERR_BUSY}},
     {DELETED},
     2,
     1,
     ERR_UPSTREAM,
     TASK_QUEUED,
     "open",
     true},
    {"looks again",
     {QUEUED, QUEUED, CANCELLED},
     {STALE, DELETED},
     3,
     2,
     ERR_OK,
     TASK_CANCELLED,
     "released",
     true},
    {"looks again, it runs",
     {QUEUED, RUNNING},
     {STALE},
     2,
     1,
     ERR_TASK_RUNNING,
     TASK_RUNNING,
     "open",
     true},
    {"too slow",
     {QUEUED, QUEUED, QUEUED},
     {STALE, STALE, STALE},
     3,
     3,
     ERR_UPSTREAM,
     TASK_QUEUED,
     "open",
     true},
};

static void test_what_ark_decides(void)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *what = rows[i].what;
        struct world world;
        struct err err;

        world_init(&world, YUAN(100));
        struct task task = world_queued(&world, "cgt-1");

        memcpy(world.script.looks, rows[i].looks, sizeof(rows[i].looks));
        memcpy(world.script.removes, rows[i].removes, sizeof(rows[i].removes));
        CHECK_INT(what, cancel(&world, "cgt-1", &err), rows[i].want);
        struct task after = find(&world, "cgt-1");

        CHECK_TEXT(what, state_name(after.state), state_name(rows[i].after));
        CHECK_TEXT(what, world_hold(&world, &task).state, rows[i].hold);
        CHECK_INT(what, is_visible(&world, "cgt-1"), rows[i].visible);
        CHECK_INT(what, world.script.look_count, rows[i].look_count);
        CHECK_INT(what, world.script.remove_count, rows[i].remove_count);
        bool charged = strcmp(rows[i].hold, "charged") == 0;
        bool held = strcmp(rows[i].hold, "open") == 0 || strcmp(rows[i].hold, "review") == 0;

        check_money(&world, what, YUAN(100) - (charged || held ? HOLD_NANO : 0),
                    held ? HOLD_NANO : 0, charged ? HOLD_NANO : 0);
        if (rows[i].after == TASK_CANCELLED)
            CHECK_INT(what, cancel(&world, "cgt-1", &err), ERR_TASK_CANCELLED);
        world_fini(&world);
    }
}

/* ---- others at the same moment ------------------------------------------------------------
 */

static void poller_settles(struct world *world, enum task_state state)
{
    struct upstream_task seen = seen_of("cgt-1", state);
    struct err err = {0};

    CHECK_OK("the poller", settle_seen(&world->service, account_a(world), &seen, 1, &err),
             &err);
}

static void poller_sees_cancelled(struct world *world)
{
    poller_settles(world, TASK_CANCELLED);
}

static void poller_sees_succeeded(struct world *world)
{
    poller_settles(world, TASK_SUCCEEDED);
}

static void test_the_poller_is_first(void)
{
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    struct task task = world_queued(&world, "cgt-1");

    world.script.looks[1] =
        (struct look_step){.state = TASK_CANCELLED, .meanwhile = poller_sees_cancelled};
    CHECK_OK("cancelled", cancel(&world, "cgt-1", &err), &err);
    CHECK_TEXT("released once", world_hold(&world, &task).state, "released");
    check_money(&world, "released", YUAN(100), 0, 0);
    world_fini(&world);
}

/* The poller saw the end in time, then the DELETE erased it at Ark. */
static void test_the_poller_charged_before_the_delete(void)
{
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    struct task task = world_queued(&world, "cgt-1");

    world.script.removes[0].meanwhile = poller_sees_succeeded;
    world.script.looks[1].gone = true;
    CHECK_OK("deleted", cancel(&world, "cgt-1", &err), &err);
    CHECK_TEXT("charged", world_hold(&world, &task).state, "charged");
    CHECK_INT("hidden", is_visible(&world, "cgt-1"), false);
    check_money(&world, "charged", YUAN(100) - HOLD_NANO, 0, HOLD_NANO);
    world_fini(&world);
}

/* The look after the DELETE fails, and the poller's does not. */
static void test_the_poller_knows_more(void)
{
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    struct task task = world_queued(&world, "cgt-1");

    world.script.removes[0].meanwhile = poller_sees_cancelled;
    world.script.looks[1].code = ERR_UPSTREAM;
    CHECK_OK("cancelled", cancel(&world, "cgt-1", &err), &err);
    CHECK_TEXT("released once", world_hold(&world, &task).state, "released");
    world_fini(&world);
}

static void another_cancels(struct world *world)
{
    struct err err;

    world->script.looks[2].state = TASK_CANCELLED;
    CHECK_OK("the other", cancel(world, "cgt-1", &err), &err);
}

static void test_another_cancel_between(void)
{
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    struct task task = world_queued(&world, "cgt-1");

    /* look 0 is ours, looks 1 and 2 the other's, look 3 ours again. */
    world.script.looks[0].meanwhile = another_cancels;
    world.script.removes[1].removal = PROVIDER_KEPT;
    world.script.looks[3].state = TASK_CANCELLED;
    CHECK_INT("too late", cancel(&world, "cgt-1", &err), ERR_TASK_CANCELLED);
    CHECK_TEXT("released once", world_hold(&world, &task).state, "released");
    check_money(&world, "released", YUAN(100), 0, 0);
    world_fini(&world);
}

static void test_settled_elsewhere_stays(void)
{
    struct world world;
    struct err err = {0};

    world_init(&world, YUAN(100));
    (void)world_queued(&world, "cgt-1");
    poller_sees_succeeded(&world);
    CHECK_OK("erased", settle_erased(&world.service, account_a(&world), STR("cgt-1"), &err),
             &err);
    CHECK_OK("not ours", settle_erased(&world.service, account_a(&world), STR("cgt-x"), &err),
             &err);
    check_state(&world, "it had ended", "cgt-1", TASK_SUCCEEDED);
    check_money(&world, "charged", YUAN(100) - HOLD_NANO, 0, HOLD_NANO);
    world_fini(&world);
}

/* ---- operators ------------------------------------------------------------------------------
 */

static int64_t audits(struct world *world)
{
    return world_ask(world, "SELECT count(*) FROM audit WHERE action = 'task.cancel'", 0);
}

static void test_an_operator(void)
{
    static const struct {
        const char *what;
        struct look_step looks[2];
        enum err_code want;
        enum task_state after;
        const char *hold;
        int64_t audits;
    } cases[] = {
        {"cancelled", {QUEUED, CANCELLED}, ERR_OK, TASK_CANCELLED, "released", 1},
        {"not sent", {RUNNING}, ERR_TASK_RUNNING, TASK_RUNNING, "open", 0},
        {"finished meanwhile", {QUEUED, SUCCEEDED}, ERR_CONFLICT, TASK_SUCCEEDED, "charged", 1},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct world world;
        struct err err = {0};

        world_init(&world, YUAN(100));
        struct task task = world_queued(&world, "cgt-1");

        memcpy(world.script.looks, cases[i].looks, sizeof(cases[i].looks));
        CHECK_INT(cases[i].what, cancel_as_operator(&world.service, STR("cgt-1"), ACTOR, &err),
                  cases[i].want);
        check_state(&world, cases[i].what, "cgt-1", cases[i].after); /* and still visible */
        CHECK_TEXT(cases[i].what, world_hold(&world, &task).state, cases[i].hold);
        CHECK_INT(cases[i].what, audits(&world), cases[i].audits);
        CHECK_INT("no such task", cancel_as_operator(&world.service, STR("cgt-0"), ACTOR, &err),
                  ERR_NOT_FOUND);
        world_fini(&world);
    }
}

CHECK_MAIN(CHECK_TEST(test_what_the_row_decides), CHECK_TEST(test_gone_for_the_tenant_alone),
           CHECK_TEST(test_whose_it_is), CHECK_TEST(test_what_ark_decides),
           CHECK_TEST(test_the_poller_is_first),
           CHECK_TEST(test_the_poller_charged_before_the_delete),
           CHECK_TEST(test_the_poller_knows_more), CHECK_TEST(test_another_cancel_between),
           CHECK_TEST(test_settled_elsewhere_stays), CHECK_TEST(test_an_operator))
