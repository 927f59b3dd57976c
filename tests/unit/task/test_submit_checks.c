/* SPDX-License-Identifier: Apache-2.0 */
/* What must be so before a create is written and sent: which fault is told first, models
 * that are not sold, callbacks, drafts that are to become videos, and assets. */
#include "tests/unit/task/world.h"

#define STANDARD "doubao-seedance-2-0"
#define PRO_15 "doubao-seedance-1-5-pro"
#define PRO_10 "doubao-seedance-1-0-pro"
#define TEN "0123456789"
#define CALLBACK "https://cb.example/hook?a=1"

static const struct step busy = {.outcome = PROVIDER_REFUSED,
                                 .try_another = true,
                                 .code = ERR_RATE,
                                 .msg = "busy",
                                 .status = 429};

static enum err_code submit(struct world *world, const struct task_draft *draft,
                            struct submit_result *ret_result, struct err *err)
{
    *err = (struct err){0};
    *ret_result = (struct submit_result){0};
    return submit_task(&world->service, &world->scope, draft, ret_result, err);
}

/* A create that must pass; its row. */
static struct task made(struct world *world, const char *what, const struct task_draft *draft)
{
    struct submit_result result;
    struct task task = {0};
    struct err err;

    CHECK_OK(what, submit(world, draft, &result, &err), &err);
    if (result.id[0] != '\0')
        task = world_task(world, result.id);
    return task;
}

/* A create that must not: nothing is written, held or sent. */
static struct err refused(struct world *world, const char *what, const struct task_draft *draft,
                          enum err_code code, const char *field)
{
    int creates = world->script.creates;
    int64_t rows = world_ask(world, "SELECT count(*) FROM task", 0);
    int64_t holds = world_ask(world, "SELECT count(*) FROM hold", 0);
    struct submit_result result;
    struct err err;

    CHECK_INT(what, submit(world, draft, &result, &err), code);
    CHECK_INT(what, err.code, code);
    CHECK_TEXT(what, err.field, field);
    CHECK_TRUE(what, err.msg[0] != '\0');
    CHECK_TEXT(what, result.id, "");
    CHECK_INT(what, world->script.creates, creates);
    CHECK_INT(what, world_ask(world, "SELECT count(*) FROM task", 0), rows);
    CHECK_INT(what, world_ask(world, "SELECT count(*) FROM hold", 0), holds);
    return err;
}

/* ---- order ------------------------------------------------------------------------ */

/* Everything is wrong; each row mends what was told last. */
static void test_the_order_of_faults(void)
{
    struct task_draft draft = draft_of("{}");
    struct submit_result result;
    struct world world;
    struct err err;

    world_init(&world, 0);
    world.script.route_count = 0;
    world.script.guard_code = ERR_INVALID;
    draft.model_asked = STR("nobody");
    draft.ratio = STR("9:21");
    draft.callback_url = STR("http://127.0.0.1/");
    draft.callback_member = "callback_url";
    draft.assets[0] = (struct draft_asset){.field = "content[0].x", .id = STR("asset-none")};
    draft.asset_count = 1;

    (void)refused(&world, "model", &draft, ERR_MODEL_UNKNOWN, "model");
    draft.model_asked = STR(PRO_15);
    err = refused(&world, "sold", &draft, ERR_UNAVAILABLE, "");
    CHECK_TRUE("by its name", strstr(err.msg, PRO_15) != NULL);
    draft.model_asked = STR(STANDARD);
    (void)refused(&world, "parameters", &draft, ERR_INVALID, "ratio");
    CHECK_INT("nobody is called before", world.script.guard_checks, 0);
    draft.ratio = STR("16:9");
    (void)refused(&world, "callback", &draft, ERR_INVALID, "callback_url");
    world.script.guard_code = ERR_OK;
    err = refused(&world, "asset", &draft, ERR_ASSET_UNKNOWN, "content[0].x");
    CHECK_TRUE("by its member", strstr(err.msg, "content[0].x") != NULL);
    draft.asset_count = 0;
    (void)refused(&world, "upstream", &draft, ERR_UNAVAILABLE, "");
    world.script.route_count = 2;
    (void)refused(&world, "balance", &draft, ERR_BALANCE, "");
    world.scope = world_tenant(&world, "rich", YUAN(100));
    CHECK_OK("nothing", submit(&world, &draft, &result, &err), &err);
    world.scope.suspended = true;
    draft.model_asked = STR("nobody");
    (void)refused(&world, "suspended", &draft, ERR_FORBIDDEN, "");
    world_fini(&world);
}

/* ---- models ------------------------------------------------------------------------- */

static void check_may_use(struct world *world, const char *model, enum err_code want)
{
    struct err err = {0};

    CHECK_INT(model,
              submit_prepare_model(&world->service, &world->scope, str_from(model), &err),
              want);
}

static void test_sold_or_not(void)
{
    struct task_draft draft = draft_of("{}");
    struct world world;

    world_init(&world, YUAN(100));
    draft.model_asked = STR(PRO_15 "-251215");
    check_may_use(&world, PRO_15 "-251215", ERR_UNAVAILABLE);
    check_may_use(&world, "nobody", ERR_MODEL_UNKNOWN);
    check_may_use(&world, STANDARD, ERR_OK);
    catalogue_fixture_set(world.db, world.catalogue, world.scope.tenant_id, PRO_15, "sold",
                          "on");
    check_may_use(&world, PRO_15 "-251215", ERR_OK);
    struct task task = made(&world, "for this tenant", &draft);

    CHECK_TEXT("canonical", task.model, PRO_15);
    CHECK_TEXT("as asked", task.model_asked, PRO_15 "-251215");
    CHECK_TEXT("dated", world_attempt(&world, &task).sent_model, PRO_15 "-251215");
    world.scope = world_tenant(&world, "other", YUAN(100));
    check_may_use(&world, PRO_15, ERR_UNAVAILABLE);
    (void)refused(&world, "not for the other", &draft, ERR_UNAVAILABLE, "");

    /* A new one without a price: known and sold, yet nothing can be held for it. */
    world_model_set(&world, "new-one", "like", STANDARD);
    world_model_set(&world, "new-one", "sold", "on");
    draft.model_asked = STR("new-one");
    struct err err = refused(&world, "no price", &draft, ERR_UNAVAILABLE, "");
    CHECK_TEXT("no price", err.msg, "no price for this model and resolution");
    (void)str_copy(world.scope.book, sizeof(world.scope.book), STR("of none"));
    err = refused(&world, "no book", &draft, ERR_UNAVAILABLE, "");
    CHECK_TEXT("no book", err.msg, "no price book is in force");
    world_fini(&world);
}

/* What the row keeps of what only some models take, and what is held for it. */
static void test_rows_of_older_models(void)
{
    struct task_draft draft = draft_of("{}");
    struct task task;
    struct world world;

    world_init(&world, YUAN(100));
    world_model_set(&world, PRO_15, "sold", "on");
    world_model_set(&world, PRO_10, "sold", "on");
    draft.model_asked = STR(PRO_10);
    draft.resolution = STR("480p");
    draft.has_frames = true;
    draft.frames = 29;
    draft.in_prompt = (struct draft_inline){.has_seed = true, .seed = 42};
    task = made(&world, "frames", &draft);
    CHECK_TRUE("frames", task.has_frames && task.frames == 29 && task.duration == 0);
    CHECK_TRUE("seed of the prompt", task.has_seed && task.seed == 42);
    CHECK_TRUE("silent", !task.audio && !task.has_draft && !task.web_search);
    CHECK_INT("milliseconds", service_output_ms(&task), 1208);
    CHECK_INT("864*480*30/1024", world_hold(&world, &task).tokens, 12150);
    CHECK_INT("at 15", world_hold(&world, &task).held.nano, 182250000);
    CHECK_TEXT("sku", world_hold(&world, &task).sku, PRO_10);

    draft.tier = STR("flex");
    task = made(&world, "flex", &draft);
    CHECK_TEXT("tier", task.tier, "flex");
    CHECK_INT("at 7.5", world_hold(&world, &task).held.nano, 91125000);
    CHECK_TEXT("sku", world_hold(&world, &task).sku, PRO_10 "-flex");

    draft = draft_of("{}");
    draft.model_asked = STR(PRO_15);
    draft.has_draft = draft.draft = true;
    task = made(&world, "draft", &draft);
    CHECK_TRUE("draft", task.has_draft && task.draft && !task.has_frames);
    CHECK_TEXT("at 480p", task.resolution, "480p");
    CHECK_INT("50638 at 16", world_hold(&world, &task).held.nano, 810208000);
    draft.draft = false;
    draft.has_audio = true;
    task = made(&world, "no draft, silent", &draft);
    CHECK_TRUE("no draft", task.has_draft && !task.draft);
    CHECK_INT("108900 at 8", world_hold(&world, &task).held.nano, 871200000);

    draft = draft_of("{}");
    draft.web_search = true;
    task = made(&world, "tool", &draft);
    CHECK_TRUE("tool", task.web_search && !task.has_draft && task.draft_task[0] == '\0');
    CHECK_INT("held for as without", world_hold(&world, &task).held.nano, HOLD_NANO);
    world_fini(&world);
}

/* ---- callbacks -------------------------------------------------------------------------- */

struct callback_ctx {
    const struct task *task;
    char url[TASK_URL_MAX + 1];
};

static enum err_code callback_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct callback_ctx *read = ctx;

    return task_view_callback(conn, read->task, read->url, err);
}

static void check_callback(struct world *world, const struct task *task, const char *want)
{
    struct callback_ctx read = {.task = task, .url = "?"};
    struct err err = {0};

    CHECK_OK(want, db_read(world->db, callback_steps, &read, &err), &err);
    CHECK_TEXT("callback_url", read.url, want);
}

/* The tenant is shown Ark's own body: it must carry nothing of ours. */
static void test_no_identifier_with_a_callback(void)
{
    struct task_draft draft = draft_of("{}");
    struct world world;
    struct task task;

    world_init(&world, YUAN(100));
    world.script.inject = true;
    task = made(&world, "without", &draft);
    CHECK_INT("injected", strncmp(world.script.identifier, "ag-", 3), 0);
    CHECK_INT("nobody is asked", world.script.guard_checks, 0);
    check_callback(&world, &task, "");

    draft.callback_url = STR(CALLBACK);
    draft.callback_member = "callback_url";
    task = made(&world, "with", &draft);
    CHECK_TEXT("not injected", world.script.identifier, "");
    CHECK_TEXT("not injected", world_attempt(&world, &task).identifier, "");
    CHECK_INT("asked", world.script.guard_checks, 1);
    CHECK_TEXT("about it", world.script.guarded, CALLBACK);
    CHECK_INT("for whom", world.script.guard_tenant, world.scope.tenant_id);
    check_callback(&world, &task, CALLBACK);

    draft.safety_identifier = STR("user-1");
    task = made(&world, "with the tenant's own", &draft);
    CHECK_TEXT("the tenant's own", task.safety_identifier, "user-1");
    CHECK_TEXT("the tenant's own", world.script.identifier, "");

    /* Nor when another account is tried. */
    draft.safety_identifier = STR("");
    world_script(&world, busy);
    task = made(&world, "the second takes it", &draft);
    CHECK_INT("two tries", world.script.creates, 2);
    CHECK_TEXT("not injected", world.script.identifier, "");
    world_fini(&world);
}

static void test_what_the_guard_says(void)
{
    struct task_draft draft = draft_of("{}");
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    draft.callback_url = STR("https://10.0.0.1/");
    draft.callback_member = "callback_url";
    world.script.guard_code = ERR_INVALID;
    err = refused(&world, "not public", &draft, ERR_INVALID, "callback_url");
    CHECK_TEXT("says why", err.msg, "callback_url: must be public");
    world.script.guard_code = ERR_BUSY;
    err = refused(&world, "busy", &draft, ERR_BUSY, "");
    CHECK_TEXT("as it was said", err.msg, "must be public");
    world.script.guard_code = ERR_INTERNAL;
    (void)refused(&world, "broken", &draft, ERR_INTERNAL, "");
    world.script.guard_code = ERR_OK;
    (void)made(&world, "public", &draft);
    world_fini(&world);
}

/* Looking a host up holds a worker: no more wait for it than may wait for a twin. */
static void test_lookups_are_counted(void)
{
    struct task_draft draft = draft_of("{}");
    struct world world;
    struct err err = {0};

    world_init(&world, YUAN(100));
    draft.callback_url = STR(CALLBACK);
    draft.callback_member = "callback_url";
    CHECK_OK("waiting", waiting_open(1, &world.service.waiting, &err), &err);
    for (int i = 0; i < 3; i++)
        (void)made(&world, "each leaves again", &draft);
    world.script.guard_code = ERR_INVALID;
    for (int i = 0; i < 3; i++)
        (void)refused(&world, "also when refused", &draft, ERR_INVALID, "callback_url");
    world.script.guard_code = ERR_OK;
    CHECK_INT("asked", world.script.guard_checks, 6);
    CHECK_OK("someone waits", waiting_enter(world.service.waiting, world.scope.tenant_id, &err),
             &err);
    (void)refused(&world, "no more", &draft, ERR_BUSY, "");
    CHECK_INT("not asked", world.script.guard_checks, 6);
    draft.callback_url = STR("");
    draft.callback_member = "callback_url";
    (void)made(&world, "without a callback", &draft);
    waiting_leave(world.service.waiting, world.scope.tenant_id);
    waiting_close(&world.service.waiting);
    world_fini(&world);
}

/* ---- drafts that become videos ------------------------------------------------------ */

/* A draft of 1.5 pro on the second account, under this id. */
static struct task draft_on_b(struct world *world, const char *upstream_id)
{
    struct task_draft draft = draft_of("{}");

    world_model_set(world, PRO_15, "sold", "on");
    draft.model_asked = STR(PRO_15);
    draft.has_draft = draft.draft = draft.has_duration = true;
    draft.duration = 7;
    world_script(world, busy);
    world->script.steps[1] = (struct step){.upstream_id = upstream_id};
    world->script.step_count = 2;
    struct task task = made(world, "draft", &draft);

    CHECK_INT("on the second", task.account_id, world->upstreams[1].account.id);
    world_script(world, (struct step){.upstream_id = NULL});
    return task;
}

static const char final_body[] =
    "{\"content\":[{\"type\":\"draft_task\",\"draft_task\":{\"id\":\"cgt-given\"}}]}";

/* The create of a video from a draft that is named by this id. */
static struct task_draft final_of(const char *id)
{
    struct task_draft draft = draft_of(final_body);
    const char *at = strstr(final_body, "\"cgt-given\"");

    draft.model_asked = STR(PRO_15);
    draft.has_text = false;
    draft.draft_task = str_from(id);
    draft.draft_task_at = (struct str){at, strlen("\"cgt-given\"")};
    return draft;
}

static void test_a_video_of_a_draft(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task draft = draft_on_b(&world, "cgt-20260101000000-draft");
    const char *const names[] = {"cgt-20260101000000-draft", draft.minted_id};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct task_draft create = final_of(names[i]);
        int before = world.script.creates;
        struct task task = made(&world, names[i], &create);

        CHECK_TEXT("Ark's id goes to Ark", world.script.patch_json,
                   "\"cgt-20260101000000-draft\"");
        CHECK_TRUE("in its place", world.script.patch_at.ptr == create.draft_task_at.ptr &&
                                       world.script.patch_at.len == create.draft_task_at.len);
        CHECK_INT("only its account", world.script.wished_account,
                  world.upstreams[1].account.id);
        CHECK_INT("there it went", task.account_id, world.upstreams[1].account.id);
        CHECK_INT("there it went", world.script.account_of_create[before],
                  world.upstreams[1].account.id);
        CHECK_TEXT("the public id is shown", task.draft_task, "cgt-20260101000000-draft");
        CHECK_INT("as long as the draft", task.duration, 7);
        CHECK_TRUE("no draft itself", !task.has_draft);
        CHECK_INT("the longest is held: 12 s of 720p in the largest ratio",
                  world_hold(&world, &task).tokens, 261739);
    }

    /* A duration of its own stands. */
    struct task_draft create = final_of("cgt-20260101000000-draft");

    create.has_duration = true;
    create.duration = 6;
    struct task task = made(&world, "6 s", &create);

    CHECK_INT("as asked", task.duration, 6);
    CHECK_INT("held as long as the draft", world_hold(&world, &task).tokens, 153058);
    /* Others wish for nobody and patch nothing. */
    create = draft_of("{}");
    (void)made(&world, "no draft", &create);
    CHECK_INT("anybody", world.script.wished_account, 0);
    CHECK_TEXT("nothing", world.script.patch_json, "");
    CHECK_INT("nothing", world.script.patch_at.len, 0);
    world_fini(&world);
}

/* The id that a tenant was given stands for the draft, also where it is not Ark's. */
static void test_a_draft_under_a_minted_id(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task draft = draft_on_b(&world, "cgt-up");

    world_tamper(&world, "UPDATE task SET minted_public = 1 WHERE id = $1", draft.id);
    struct task_draft create = final_of(draft.minted_id);
    struct task task = made(&world, "minted", &create);

    CHECK_TEXT("Ark's id goes to Ark", world.script.patch_json, "\"cgt-up\"");
    CHECK_TEXT("ours is shown", task.draft_task, draft.minted_id);
    world_fini(&world);
}

static void test_no_other_account_finishes_a_draft(void)
{
    struct submit_result result;
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    (void)draft_on_b(&world, "cgt-draft");
    struct task_draft create = final_of("cgt-draft");

    world_script(&world, busy);
    CHECK_INT("busy", submit(&world, &create, &result, &err), ERR_RATE);
    CHECK_INT("one try", world.script.creates, 1);
    CHECK_INT("there", world.script.account_of_create[0], world.upstreams[1].account.id);
    world.script.route_count = 1; /* the second takes no more */
    (void)refused(&world, "nobody", &create, ERR_UNAVAILABLE, "");
    world_fini(&world);
}

/* The message about an id, with the id taken out. */
static void without_id(const struct err *err, const char *id, char *dst, size_t size)
{
    const char *at = strstr(err->msg, id);

    CHECK_TRUE(id, at != NULL);
    if (at == NULL)
        at = err->msg;
    (void)snprintf(dst, size, "%.*s|%s", (int)(at - err->msg), err->msg, at + strlen(id));
}

static void test_drafts_that_are_not_there(void)
{
    char unknown_msg[256], other_msg[256];
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    struct task draft = draft_on_b(&world, "cgt-draft");
    struct task_draft create = final_of("cgt-nobody");

    err = refused(&world, "unknown", &create, ERR_NOT_FOUND, "");
    without_id(&err, "cgt-nobody", unknown_msg, sizeof(unknown_msg));

    /* Another tenant's, by either id, is as unknown. */
    struct scope owner = world.scope;

    world.scope = world_tenant(&world, "other", YUAN(100));
    create = final_of("cgt-draft");
    err = refused(&world, "another's", &create, ERR_NOT_FOUND, "");
    without_id(&err, "cgt-draft", other_msg, sizeof(other_msg));
    CHECK_TEXT("the same words", other_msg, unknown_msg);
    create = final_of(draft.minted_id);
    err = refused(&world, "another's, minted", &create, ERR_NOT_FOUND, "");
    without_id(&err, draft.minted_id, other_msg, sizeof(other_msg));
    CHECK_TEXT("the same words", other_msg, unknown_msg);

    /* So is one that this token may not see, and one that was deleted. */
    world.scope = owner;
    world.scope.own_only = true;
    (void)str_copy(world.scope.identity, sizeof(world.scope.identity), STR("tok-two"));
    create = final_of("cgt-draft");
    err = refused(&world, "another token's", &create, ERR_NOT_FOUND, "");
    without_id(&err, "cgt-draft", other_msg, sizeof(other_msg));
    CHECK_TEXT("the same words", other_msg, unknown_msg);
    world.scope = owner;
    world_tamper(&world, "UPDATE task SET deleted_us = 1 WHERE id = $1", draft.id);
    (void)refused(&world, "deleted", &create, ERR_NOT_FOUND, "");
    world_tamper(&world, "UPDATE task SET deleted_us = NULL WHERE id = $1", draft.id);
    (void)made(&world, "there again", &create);

    /* One that Ark may not have. */
    struct task unknown = world_unknown(&world);

    create = final_of(unknown.minted_id);
    err = refused(&world, "unknown to Ark", &create, ERR_INVALID, "content");
    CHECK_TRUE("by its id", strstr(err.msg, unknown.minted_id) != NULL);

    /* Ids of any kind. */
    static const char long_id[] = "cgt-" TEN TEN TEN TEN TEN TEN TEN;
    static const char *const odd[] = {"x", "\xff\xfe", "%", "' OR 1=1 --", long_id};

    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        create = final_of(odd[i]);
        (void)refused(&world, "odd", &create, ERR_NOT_FOUND, "");
    }
    world_fini(&world);
}

/* Models without drafts refuse before anybody looks for one. */
static void test_models_without_drafts(void)
{
    struct task_draft create = final_of("cgt-nobody");
    struct world world;

    world_init(&world, YUAN(100));
    create.model_asked = STR(STANDARD);
    (void)refused(&world, "2.0", &create, ERR_INVALID, "content");
    world_fini(&world);
}

CHECK_MAIN(CHECK_TEST(test_the_order_of_faults), CHECK_TEST(test_sold_or_not),
           CHECK_TEST(test_rows_of_older_models),
           CHECK_TEST(test_no_identifier_with_a_callback), CHECK_TEST(test_what_the_guard_says),
           CHECK_TEST(test_lookups_are_counted), CHECK_TEST(test_a_video_of_a_draft),
           CHECK_TEST(test_a_draft_under_a_minted_id),
           CHECK_TEST(test_no_other_account_finishes_a_draft),
           CHECK_TEST(test_drafts_that_are_not_there), CHECK_TEST(test_models_without_drafts))
