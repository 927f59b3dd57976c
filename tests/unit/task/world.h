/* SPDX-License-Identifier: Apache-2.0 */
/* A real database with two upstream accounts and a tenant, the service on it, and a
 * provider that answers as a test scripted it. */
#ifndef ARKGATE_TESTS_TASK_WORLD_H
#define ARKGATE_TESTS_TASK_WORLD_H

#include "gateway/task/task_rows.h"

#include "tests/lib/catalogue_fixture.h"
#include "tests/lib/check.h"
#include "tests/lib/database.h"

#include <stdlib.h>
#include <unistd.h>

#define ACTOR "cli:test"
#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define YUAN(whole) ((whole)*MONEY_NANO)
/* 5 s of 720p 16:9 without video: 108900 tokens at 46 yuan per million. */
#define HOLD_NANO INT64_C(5009400000)
#define HOLD_TOKENS 108900

enum { STEPS_MAX = 8 };

struct world;

/* What the provider does with one create; a zeroed one accepts with a fresh id. */
struct step {
    enum provider_outcome outcome;
    bool try_another;
    const char *upstream_id;         /* NULL: a fresh one */
    enum err_code code;              /* refused */
    const char *msg, *upstream_code; /* refused */
    int status;
    void (*meanwhile)(struct world *world); /* runs while the create is on its way */
};

/* What the provider answers to one look; a zeroed one shows the task queued. */
struct look_step {
    enum task_state state; /* TASK_WAITING: as TASK_QUEUED */
    bool gone;
    enum err_code code;                     /* not ERR_OK: the look fails with it */
    void (*meanwhile)(struct world *world); /* runs after Ark's answer was made */
};
/* What it does with one DELETE; a zeroed one is taken. */
struct remove_step {
    enum provider_removal removal;
    enum err_code code;
    void (*meanwhile)(struct world *world);
};

struct script {
    struct lock lock;
    struct step steps[STEPS_MAX];
    struct look_step looks[STEPS_MAX];     /* past the last one: queued */
    struct remove_step removes[STEPS_MAX]; /* past the last one: taken */
    size_t step_count;
    bool last_step_repeats;
    int64_t pause_us;
    bool inject;
    size_t route_count; /* accounts that can be chosen: 0, 1 or 2 */
    /* What was seen. */
    int creates, watches, look_count, remove_count;
    int64_t account_of_create[STEPS_MAX];
    char identifier[TASK_IDENTIFIER_MAX + 1], watched[TASK_ID_MAX + 1];
    char patch_json[TASK_ID_MAX + 3]; /* what the last create put in a draft task's place */
    struct str patch_at;
    int64_t watched_account;
    int64_t wished_account; /* of the last choice */
    /* What the guard of callbacks says, and what it was asked. */
    enum err_code guard_code;
    int guard_checks;
    int64_t guard_tenant;
    char guarded[TASK_URL_MAX + 1];
};

struct world {
    char dir[32], path[DATABASE_PATH];
    struct db *db;
    struct catalogue *catalogue;
    struct provider provider;
    struct asset_library assets;
    struct task_service service;
    struct script script;
    struct upstream upstreams[2];
    struct scope scope;
};

static inline enum err_code script_choose(void *self, const struct provider_wish *wish,
                                          struct provider_route *ret_route, struct err *err)
{
    struct world *world = self;

    lock_take(&world->script.lock);
    world->script.wished_account = wish->account_id;
    lock_drop(&world->script.lock);
    for (size_t i = 0; i < world->script.route_count; i++) {
        const struct upstream *upstream = &world->upstreams[i];
        bool was_tried = false;

        for (size_t j = 0; j < wish->tried_count; j++)
            was_tried = was_tried || wish->tried[j] == upstream->account.id;
        if (was_tried || (wish->account_id != 0 && wish->account_id != upstream->account.id))
            continue;
        *ret_route = (struct provider_route){.account_id = upstream->account.id,
                                             .credential_id = upstream->id,
                                             .inject = world->script.inject};
        (void)str_copy(ret_route->sent_model, sizeof(ret_route->sent_model),
                       str_from(wish->model->dated));
        return ERR_OK;
    }
    return err_set(err, ERR_UNAVAILABLE, "no account is left");
}

static inline void script_create(void *self, const struct provider_route *route,
                                 const struct task_draft *draft, const char *identifier,
                                 int64_t deadline_us, struct provider_answer *ret_answer,
                                 struct err *err)
{
    struct world *world = self;
    struct script *script = &world->script;
    struct step step = {0};
    int number;

    (void)deadline_us;
    lock_take(&script->lock);
    script->patch_at = draft->patches[0].at;
    str_copy_cut(script->patch_json, sizeof(script->patch_json), draft->patches[0].json);
    number = script->creates++;
    if (number < STEPS_MAX)
        script->account_of_create[number] = route->account_id;
    if ((size_t)number < script->step_count)
        step = script->steps[number];
    else if (script->last_step_repeats)
        step = script->steps[script->step_count - 1];
    (void)str_copy(script->identifier, sizeof(script->identifier), str_from(identifier));
    lock_drop(&script->lock);

    sys_sleep_us(script->pause_us);
    if (step.meanwhile != NULL)
        step.meanwhile(world);
    *ret_answer = (struct provider_answer){
        .outcome = step.outcome, .try_another = step.try_another, .status = step.status};
    (void)str_copy(ret_answer->detail, sizeof(ret_answer->detail), STR("scripted"));
    if (step.outcome == PROVIDER_ACCEPTED && step.upstream_id == NULL)
        (void)snprintf(ret_answer->upstream_id, sizeof(ret_answer->upstream_id), "cgt-up-%d",
                       number);
    else if (step.outcome == PROVIDER_ACCEPTED)
        (void)str_copy(ret_answer->upstream_id, sizeof(ret_answer->upstream_id),
                       str_from(step.upstream_id));
    if (step.outcome == PROVIDER_REFUSED) {
        (void)err_set(err, step.code, "%s", step.msg);
        err->upstream_status = step.code == ERR_UPSTREAM_REFUSED ? step.status : 0;
        (void)str_copy(err->upstream_code, sizeof(err->upstream_code),
                       str_from(step.upstream_code));
    }
}

static inline void script_watch(void *self, int64_t account_id, const char *upstream_id,
                                int64_t created_us)
{
    struct world *world = self;

    (void)created_us;
    lock_take(&world->script.lock);
    world->script.watches++;
    world->script.watched_account = account_id;
    (void)str_copy(world->script.watched, sizeof(world->script.watched), str_from(upstream_id));
    lock_drop(&world->script.lock);
}

static inline enum err_code script_look(void *self, int64_t account_id, const char *upstream_id,
                                        int64_t deadline_us, struct arena *arena,
                                        struct provider_sight *ret_sight, struct err *err)
{
    struct world *world = self;
    struct look_step step = {0};

    (void)account_id;
    lock_take(&world->script.lock);
    if (world->script.look_count < STEPS_MAX)
        step = world->script.looks[world->script.look_count];
    world->script.look_count++;
    lock_drop(&world->script.lock);
    CHECK_TRUE("time is left", deadline_us > sys_mono_us());
    if (step.code != ERR_OK)
        return err_set(err, step.code, "scripted");
    *ret_sight = (struct provider_sight){.gone = step.gone, .asked_mono_us = sys_mono_us()};
    if (!step.gone) {
        bool ended = step.state == TASK_SUCCEEDED;

        ret_sight->task = (struct upstream_task){
            .id = str_from(arena_dup(arena, str_from(upstream_id))),
            .state = step.state == TASK_WAITING ? TASK_QUEUED : step.state,
            .resolution = STR("720p"),
            .ratio = STR("16:9"),
            .has_duration = true,
            .duration = 5,
            .has_tokens = ended,
            .tokens = ended ? HOLD_TOKENS : 0,
            .video_url = ended ? STR("https://video.example/1.mp4") : STR(""),
            .body = STR("{\"what\":\"a look\"}"),
        };
    }
    if (step.meanwhile != NULL)
        step.meanwhile(world);
    return ERR_OK;
}

static inline enum err_code script_remove(void *self, int64_t account_id,
                                          const char *upstream_id, int64_t fresh_until_us,
                                          int64_t deadline_us,
                                          enum provider_removal *ret_removal, struct err *err)
{
    struct world *world = self;
    struct remove_step step = {0};

    (void)account_id;
    (void)upstream_id;
    lock_take(&world->script.lock);
    if (world->script.remove_count < STEPS_MAX)
        step = world->script.removes[world->script.remove_count];
    world->script.remove_count++;
    lock_drop(&world->script.lock);
    CHECK_TRUE("not older than 2 s", fresh_until_us <= sys_mono_us() + 2 * SECOND);
    CHECK_TRUE("time is left", deadline_us > sys_mono_us());
    if (step.meanwhile != NULL)
        step.meanwhile(world);
    if (step.code != ERR_OK)
        return err_set(err, step.code, "scripted");
    *ret_removal = step.removal;
    return ERR_OK;
}

/* Refuses, or lets through, as the script says. */
static inline enum err_code script_check(void *self, int64_t tenant_id, struct str url,
                                         int64_t deadline_us, struct err *err)
{
    struct world *world = self;

    CHECK_TRUE("time is left", deadline_us > sys_mono_us());
    CHECK_TRUE("not for ever", deadline_us <= sys_mono_us() + 20 * SECOND);
    world->script.guard_checks++;
    world->script.guard_tenant = tenant_id;
    (void)str_copy(world->script.guarded, sizeof(world->script.guarded), url);
    return world->script.guard_code == ERR_OK
               ? ERR_OK
               : err_set(err, world->script.guard_code, "must be public");
}

/* A tenant with an account and money. */
struct tenant_ctx {
    const char *name;
    int64_t top_up_nano;
    struct scope scope;
};

static inline enum err_code tenant_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct tenant_ctx *made = ctx;
    struct ledger_account account;
    struct tenant tenant;
    int64_t seq;

    TRY(tenant_add(conn, ACTOR, 1, str_from(made->name), STR("CNY"), STR("ark-cny"), &tenant,
                   err));
    TRY(ledger_open_account(conn, tenant.id, STR("CNY"), 0, err));
    made->scope =
        (struct scope){.tenant_id = tenant.id, .identity = "tok-one", .book = "ark-cny"};
    (void)str_copy(made->scope.tenant_name, sizeof(made->scope.tenant_name),
                   str_from(made->name));
    if (made->top_up_nano == 0)
        return ERR_OK;
    return ledger_book(conn, &made->scope, LEDGER_TOP_UP, (struct money){made->top_up_nano}, 1,
                       ACTOR, STR(""), STR("first money"), &account, &seq, err);
}

static inline struct scope world_tenant(struct world *world, const char *name,
                                        int64_t top_up_nano)
{
    struct tenant_ctx made = {.name = name, .top_up_nano = top_up_nano};
    struct err err = {0};

    CHECK_OK(name, db_write(world->db, DB_ALL, tenant_steps, &made, &err), &err);
    return made.scope;
}

static inline enum err_code upstream_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    static const uint8_t master[CRYPTO_KEY_BYTES] = "master key of the unit tests...";
    struct world *world = ctx;

    TRY(price_seed(conn, 1, err));
    TRY(upstream_add(conn, ACTOR, 1, master, STR("ark-a"), STR(""),
                     STR("https://a.example/api/v3"), STR("key-a"), &world->upstreams[0], err));
    return upstream_add(conn, ACTOR, 1, master, STR("ark-b"), STR(""),
                        STR("https://b.example/api/v3"), STR("key-b"), &world->upstreams[1],
                        err);
}

static inline void world_init(struct world *world, int64_t top_up_nano)
{
    struct err err = {0};

    *world = (struct world){.script = {.route_count = 2}};
    lock_init(&world->script.lock);
    CHECK_OK("crypto", crypto_init(&err), &err);
    world->db = database_new(world->dir, world->path);
    CHECK_OK("upstreams", db_write(world->db, DB_ALL, upstream_steps, world, &err), &err);
    CHECK_OK("catalogue", catalogue_open(world->db, &world->catalogue, &err), &err);
    world->scope = world_tenant(world, "acme", top_up_nano);
    world->provider = (struct provider){world,        script_choose, script_create,
                                        script_watch, script_look,   script_remove};
    world->assets.db = world->db;
    atomic_init(&world->assets.public_url, "https://gateway.example");
    world->service = (struct task_service){.db = world->db,
                                           .assets = &world->assets,
                                           .catalogue = world->catalogue,
                                           .provider = &world->provider,
                                           .callbacks = {world, script_check}};
    service_defaults(&world->service.settings);
}

static inline void world_fini(struct world *world)
{
    catalogue_close(&world->catalogue);
    database_end(&world->db, world->dir, world->path);
    lock_fini(&world->script.lock);
}

/* "model set" for everybody, seen at once. */
static inline void world_model_set(struct world *world, const char *model, const char *key,
                                   const char *value)
{
    catalogue_fixture_set(world->db, world->catalogue, 0, model, key, value);
}

/* The next create is answered so. */
static inline void world_script(struct world *world, struct step step)
{
    world->script.steps[0] = step;
    world->script.step_count = 1;
    world->script.last_step_repeats = false;
    world->script.creates = world->script.watches = 0;
}

static inline int64_t account_a(const struct world *world)
{
    return world->upstreams[0].account.id;
}

/* A create that costs HOLD_NANO at the most. */
static inline struct task_draft draft_of(const char *body)
{
    return (struct task_draft){.dialect = "ark",
                               .body = str_from(body),
                               .model_asked = STR("doubao-seedance-2-0"),
                               .ratio = STR("16:9"),
                               .has_text = true};
}

/* Submits a draft whose next answer is step; the task's row afterwards. */
static inline struct task world_submit(struct world *world, const char *what, struct step step)
{
    struct task_draft draft = draft_of("{}");
    struct submit_result result = {0};
    struct err err = {0};
    struct task task = {0};

    world_script(world, step);
    CHECK_OK(what, submit_task(&world->service, &world->scope, &draft, &result, &err), &err);
    CHECK_OK(what, query_task(&world->service, &world->scope, str_from(result.id), &task, &err),
             &err);
    return task;
}

static inline struct task world_queued(struct world *world, const char *upstream_id)
{
    return world_submit(world, upstream_id, (struct step){.upstream_id = upstream_id});
}

static inline struct task world_unknown(struct world *world)
{
    return world_submit(world, "unknown", (struct step){.outcome = PROVIDER_UNKNOWN});
}

static inline struct task world_task(struct world *world, const char *id)
{
    struct task task = {0};
    struct err err = {0};

    CHECK_OK(id, query_task(&world->service, &world->scope, str_from(id), &task, &err), &err);
    return task;
}

static inline void check_state(struct world *world, const char *what, const char *id,
                               enum task_state want)
{
    struct task task = world_task(world, id);

    CHECK_TEXT(what, state_name(task.state), state_name(want));
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

/* Money of the tenant, and that the books prove it. */
static inline void check_money(struct world *world, const char *what, int64_t available_nano,
                               int64_t held_nano, int64_t charged_nano)
{
    struct account_ctx read = {.scope = &world->scope};
    struct ledger_report report;
    struct err err = {0};

    CHECK_OK(what, db_read(world->db, account_steps, &read, &err), &err);
    CHECK_INT(what, read.account.available_nano, available_nano);
    CHECK_INT(what, read.account.held_nano, held_nano);
    CHECK_INT(what, read.account.charged_nano, charged_nano);
    CHECK_OK(what, ledger_verify(world->db, &report, &err), &err);
}

struct hold_ctx {
    const struct scope *scope;
    const char *task;
    struct hold_view view;
};

static inline enum err_code hold_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct hold_ctx *read = ctx;

    return hold_get(conn, read->scope, str_from(read->task), &read->view, err);
}

static inline struct hold_view world_hold(struct world *world, const struct task *task)
{
    struct hold_ctx read = {.scope = &world->scope, .task = task->minted_id};
    struct err err = {0};

    CHECK_OK(task->minted_id, db_read(world->db, hold_steps, &read, &err), &err);
    return read.view;
}

/* One number that a static statement answers; $1 is a task's key when it has one. */
struct ask_ctx {
    const char *sql;
    int64_t key;
    int64_t answer;
};

static inline enum err_code ask_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct ask_ctx *ask = ctx;
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, ask->sql, &stmt, err));
    if (strstr(ask->sql, "$1") != NULL)
        db_bind_i64(stmt, 1, ask->key);
    if (db_step(stmt, err) != DB_ROW)
        return err_detail(err, ERR_INTERNAL, "no row");
    ask->answer = db_get_i64(stmt, 0);
    return ERR_OK;
}

static inline int64_t world_ask(struct world *world, const char *sql, int64_t key)
{
    struct ask_ctx ask = {.sql = sql, .key = key, .answer = INT64_MIN};
    struct err err = {0};

    CHECK_OK(sql, db_read(world->db, ask_steps, &ask, &err), &err);
    return ask.answer;
}

static inline enum err_code tamper_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct ask_ctx *ask = ctx;
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, ask->sql, &stmt, err));
    if (strstr(ask->sql, "$1") != NULL)
        db_bind_i64(stmt, 1, ask->key);
    return db_run(stmt, err);
}

static inline void world_tamper(struct world *world, const char *sql, int64_t key)
{
    struct ask_ctx ask = {.sql = sql, .key = key};
    struct err err = {0};

    CHECK_OK(sql, db_write(world->db, DB_ALL, tamper_steps, &ask, &err), &err);
}

struct attempt_ctx {
    const struct scope *scope;
    int64_t task_id;
    struct attempt attempt;
};

static inline enum err_code attempt_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct attempt_ctx *read = ctx;

    return attempt_repo_last(conn, read->scope, read->task_id, &read->attempt, err);
}

static inline struct attempt world_attempt(struct world *world, const struct task *task)
{
    struct attempt_ctx read = {.scope = &world->scope, .task_id = task->id};
    struct err err = {0};

    CHECK_OK(task->minted_id, db_read(world->db, attempt_steps, &read, &err), &err);
    return read.attempt;
}

#endif
