/* SPDX-License-Identifier: Apache-2.0 */
/* Creates against a real database and a scripted provider: what each outcome does to
 * the task, its hold, its key and the balance, alone and with many at once. */
#include "gateway/task/submit_parts.h"

#include "tests/unit/task/world.h"

static const struct step refused = {.outcome = PROVIDER_REFUSED,
                                    .code = ERR_UPSTREAM_REFUSED,
                                    .msg = "the text is sensitive",
                                    .upstream_code = "SensitiveContentDetected",
                                    .status = 400};
static const struct step busy = {.outcome = PROVIDER_REFUSED,
                                 .try_another = true,
                                 .code = ERR_RATE,
                                 .msg = "busy",
                                 .status = 429};

/* As a dialect does it: what the key made before, else a create. */
static enum err_code submit(struct world *world, const struct task_draft *draft,
                            struct submit_result *ret_result, struct err *err)
{
    bool replayed = false;

    *err = (struct err){0};
    *ret_result = (struct submit_result){0};
    TRY(submit_replay(&world->service, &world->scope, draft->idempotency_key, draft->body,
                      &replayed, ret_result, err));
    if (replayed)
        return ERR_OK;
    return submit_task(&world->service, &world->scope, draft, ret_result, err);
}

struct placing {
    const struct scope *scope;
    struct task *task;
    struct attempt *attempt;
};

static enum err_code place_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct placing *placing = ctx;

    TRY(task_repo_insert(conn, placing->scope, placing->task, STR(""), &placing->task->id,
                         err));
    return attempt_repo_insert(conn, placing->scope, placing->attempt,
                               str_from(placing->task->minted_id), err);
}

/* Done, and then taken back: a neighbour failed, or the COMMIT. */
static enum err_code accepted_in_vain(struct db_conn *conn, void *ctx, struct err *err)
{
    TRY(submit_commit_accepted(conn, ctx, err));
    return err_set(err, ERR_IO, "lost");
}

static void test_accepted_twice(void)
{
    struct world world;
    struct err err = {0};

    world_init(&world, YUAN(100));
    struct create create = {.service = &world.service,
                            .scope = &world.scope,
                            .task = {.account_id = account_a(&world),
                                     .credential_id = world.upstreams[0].id,
                                     .state = TASK_SUBMITTING,
                                     .minted_id = "cgt-minted",
                                     .dialect = "ark",
                                     .model = "m",
                                     .tier = "default"},
                            .attempt = {.number = 1, .state = "prepared"}};
    struct placing placing = {&world.scope, &create.task, &create.attempt};
    struct provider_answer answer = {.upstream_id = "cgt-ark"};
    struct outcome outcome = {.create = &create, .answer = &answer, .now_us = 7};
    int64_t lane = world.scope.tenant_id;

    CHECK_OK("placed", db_write(world.db, lane, place_steps, &placing, &err), &err);
    create.attempt.task_id = create.task.id;
    CHECK_INT("lost", db_write(world.db, lane, accepted_in_vain, &outcome, &err), ERR_IO);
    CHECK_OK("again", db_write(world.db, lane, submit_commit_accepted, &outcome, &err), &err);
    check_state(&world, "queued", "cgt-ark", TASK_QUEUED);
    world_fini(&world);
}

static void test_accepted(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = world_queued(&world, "cgt-20260101000000-abcde");
    struct attempt attempt = world_attempt(&world, &task);
    struct hold_view hold = world_hold(&world, &task);

    CHECK_TEXT("public id", service_public_id(&task), "cgt-20260101000000-abcde");
    CHECK_TEXT("state", state_name(task.state), "queued");
    CHECK_TEXT("identity", task.token_identity, "tok-one");
    CHECK_INT("account", task.account_id, account_a(&world));
    CHECK_INT("creates", world.script.creates, 1);
    CHECK_INT("watches", world.script.watches, 1);
    CHECK_TEXT("watched", world.script.watched, "cgt-20260101000000-abcde");
    CHECK_INT("watched account", world.script.watched_account, account_a(&world));
    CHECK_TEXT("attempt", attempt.state, "accepted");
    CHECK_TEXT("model sent", attempt.sent_model, "doubao-seedance-2-0-260128");
    CHECK_TEXT("hold", hold.state, "open");
    CHECK_INT("tokens", hold.tokens, HOLD_TOKENS);
    check_money(&world, "held", YUAN(100) - HOLD_NANO, HOLD_NANO, 0);
    check_state(&world, "by the minted id", task.minted_id, TASK_QUEUED);
    CHECK_INT("events",
              world_ask(&world, "SELECT count(*) FROM event WHERE task_id = $1", task.id), 1);
    world_fini(&world);
}

/* What Ark will be asked for stands in the row with Ark's defaults. */
static void test_row_of_a_bare_create(void)
{
    struct task_draft draft = {.dialect = "ark",
                               .body = STR("{}"),
                               .model_asked = STR("doubao-seedance-2.0-mini"),
                               .has_text = true};
    struct submit_result result;
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    CHECK_OK("bare", submit(&world, &draft, &result, &err), &err);
    struct task task = world_task(&world, result.id);

    CHECK_TRUE("not replayed", !result.replayed);
    CHECK_TEXT("canonical", task.model, "doubao-seedance-2-0-mini");
    CHECK_TEXT("asked", task.model_asked, "doubao-seedance-2.0-mini");
    CHECK_TEXT("dialect", task.dialect, "ark");
    CHECK_TEXT("resolution", task.resolution, "720p");
    CHECK_TEXT("ratio", task.ratio, "adaptive");
    CHECK_TEXT("tier", task.tier, "default");
    CHECK_INT("duration", task.duration, 5);
    CHECK_INT("expires after", task.expires_after, 172800);
    CHECK_TRUE("audio", task.audio && !task.audio_asked);
    CHECK_TRUE("seed", !task.has_seed && !task.has_final_seed);
    CHECK_TRUE("usage", !task.has_tokens);
    CHECK_TRUE("video", !task.has_video && !task.last_frame);
    /* "cgt-", 14 digits, "-" and 16 more */
    CHECK_INT("minted id", strlen(task.minted_id), 35);
    CHECK_INT("minted id", strspn(task.minted_id + 4, "0123456789"), 14);
    CHECK_INT("minted id", strspn(task.minted_id + 19, "abcdefghijklmnopqrstuvwxyz0123456789"),
              16);
    world_fini(&world);
}

static void test_refused(void)
{
    struct task_draft draft = draft_of("{}");
    struct submit_result result;
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    world_script(&world, refused);
    CHECK_INT("refused", submit(&world, &draft, &result, &err), ERR_UPSTREAM_REFUSED);
    CHECK_INT("status", err.upstream_status, 400);
    CHECK_TEXT("code", err.upstream_code, "SensitiveContentDetected");
    CHECK_TEXT("message", err.msg, "the text is sensitive");
    CHECK_TEXT("no id", result.id, "");
    CHECK_INT("creates", world.script.creates, 1);
    CHECK_INT("watches", world.script.watches, 0);
    check_money(&world, "all back", YUAN(100), 0, 0);
    CHECK_INT("kept",
              world_ask(&world,
                        "SELECT count(*) FROM task WHERE state = 'refused'"
                        " AND ended_us IS NOT NULL",
                        0),
              1);
    CHECK_INT("attempt",
              world_ask(&world,
                        "SELECT count(*) FROM attempt WHERE state = 'refused'"
                        " AND wire_status = 400 AND detail = 'scripted'",
                        0),
              1);
    /* Hidden from the tenant. */
    CHECK_INT("hold released",
              world_ask(&world, "SELECT count(*) FROM hold WHERE state = 'released'", 0), 1);
    world_tamper(&world, "UPDATE task SET minted_id = 'cgt-hidden'", 0);
    struct task task;

    CHECK_INT("hidden",
              query_task(&world.service, &world.scope, STR("cgt-hidden"), &task, &err),
              ERR_NOT_FOUND);
    world_fini(&world);
}

static void test_unknown(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = world_unknown(&world);
    struct attempt attempt = world_attempt(&world, &task);

    CHECK_TEXT("state", state_name(task.state), "unknown");
    CHECK_TEXT("public id", service_public_id(&task), task.minted_id);
    CHECK_TRUE("minted id stands", task.minted_public);
    CHECK_TEXT("attempt", attempt.state, "unknown");
    CHECK_INT("watches", world.script.watches, 0);
    CHECK_INT("creates", world.script.creates, 1);
    check_money(&world, "held", YUAN(100) - HOLD_NANO, HOLD_NANO, 0);
    world_fini(&world);
}

static void script_two(struct world *world, struct step first, struct step second)
{
    world_script(world, first);
    world->script.steps[1] = second;
    world->script.step_count = 2;
}

static void test_another_account(void)
{
    static const struct {
        const char *what;
        struct step first, second;
        size_t accounts;
        enum err_code code;
        int creates;
        const char *attempts; /* states in order */
        bool held;
    } rows[] = {
        {"second takes it", {0}, {0}, 2, ERR_OK, 2, "refused accepted", true},
        {"second is unknown",
         {0},
         {.outcome = PROVIDER_UNKNOWN},
         2,
         ERR_OK,
         2,
         "refused unknown",
         true},
        {"both busy",
         {0},
         {.outcome = PROVIDER_REFUSED,
          .try_another = true,
          .code = ERR_RATE,
          .msg = "busy",
          .status = 429},
         2,
         ERR_RATE,
         2,
         "refused refused",
         false},
        {"second refuses for good",
         {0},
         {.outcome = PROVIDER_REFUSED,
          .code = ERR_UPSTREAM_REFUSED,
          .msg = "no",
          .status = 400},
         2,
         ERR_UPSTREAM_REFUSED,
         2,
         "refused refused",
         false},
        {"only one account", {0}, {0}, 1, ERR_RATE, 1, "refused", false},
        {"no account", {0}, {0}, 0, ERR_UNAVAILABLE, 0, "", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct task_draft draft = draft_of("{}");
        struct submit_result result;
        struct world world;
        struct err err;
        char states[32] = "";

        world_init(&world, YUAN(100));
        world.script.route_count = rows[i].accounts;
        script_two(&world, busy, rows[i].second);
        CHECK_INT(rows[i].what, submit(&world, &draft, &result, &err), rows[i].code);
        CHECK_INT(rows[i].what, err.code, rows[i].code); /* filled only on failure */
        CHECK_INT(rows[i].what, world.script.creates, rows[i].creates);
        if (rows[i].creates == 2) {
            CHECK_INT(rows[i].what, world.script.account_of_create[0], account_a(&world));
            CHECK_INT(rows[i].what, world.script.account_of_create[1],
                      world.upstreams[1].account.id);
        }
        for (int64_t number = 1; number <= rows[i].creates; number++) {
            static const char *const words[] = {"refused", "accepted", "unknown"};
            int64_t word = world_ask(&world,
                                     "SELECT CASE state WHEN 'refused' THEN 0 WHEN 'accepted'"
                                     " THEN 1 WHEN 'unknown' THEN 2 END FROM attempt"
                                     " WHERE number = $1",
                                     number);

            if (word >= 0 && word < 3)
                (void)snprintf(states + strlen(states), sizeof(states) - strlen(states), "%s%s",
                               number == 1 ? "" : " ", words[word]);
        }
        CHECK_TEXT(rows[i].what, states, rows[i].attempts);
        check_money(&world, rows[i].what, YUAN(100) - (rows[i].held ? HOLD_NANO : 0),
                    rows[i].held ? HOLD_NANO : 0, 0);
        if (rows[i].code == ERR_OK) {
            struct task task = world_task(&world, result.id);

            CHECK_INT(rows[i].what, task.account_id, world.upstreams[1].account.id);
        }
        world_fini(&world);
    }
}

static void test_deadline_passed_before_sending(void)
{
    struct task_draft draft = draft_of("{}");
    struct submit_result result;
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    world.service.settings.send_us = -SECOND;
    CHECK_INT("too late", submit(&world, &draft, &result, &err), ERR_BUSY);
    CHECK_INT("nothing was sent", world.script.creates, 0);
    check_money(&world, "all back", YUAN(100), 0, 0);
    CHECK_INT("refused",
              world_ask(&world, "SELECT count(*) FROM attempt WHERE state = 'refused'", 0), 1);
    world_fini(&world);
}

/* A body of a megabyte is given a second more. */
static void test_deadline_grows_with_the_body(void)
{
    static char body[1000001];
    struct world world;

    memset(body, ' ', sizeof(body) - 1);
    world_init(&world, YUAN(100));
    struct task small = world_queued(&world, "cgt-small");
    struct attempt attempt = world_attempt(&world, &small);
    struct task_draft draft = draft_of(body);
    struct submit_result result;
    struct err err;

    CHECK_INT("small", attempt.deadline_us - attempt.created_us, 20 * SECOND + 2);
    CHECK_OK("large", submit(&world, &draft, &result, &err), &err);
    struct task large = world_task(&world, result.id);

    attempt = world_attempt(&world, &large);
    CHECK_INT("large", attempt.deadline_us - attempt.created_us, 21 * SECOND);
    world_fini(&world);
}

/* Ark answers with an id that another task has: nobody can tell whose it is. */
static void test_id_that_is_owned_already(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task first = world_queued(&world, "cgt-twice");
    struct task second = world_queued(&world, "cgt-twice");

    /* world_queued reads the answer's id: the second is known by its own. */
    CHECK_TEXT("parked", state_name(second.state), "unknown");
    CHECK_TEXT("own id", service_public_id(&second), second.minted_id);
    CHECK_TEXT("no upstream id", second.upstream_id, "");
    CHECK_INT("not watched", world.script.watches, 0);
    CHECK_TEXT("attempt", world_attempt(&world, &second).state, "unknown");
    check_state(&world, "the first is untouched", first.upstream_id, TASK_QUEUED);
    check_money(&world, "both held", YUAN(100) - 2 * HOLD_NANO, 2 * HOLD_NANO, 0);

    /* On another account it is another task. */
    script_two(&world, busy, (struct step){.upstream_id = "cgt-twice"});
    struct task_draft draft = draft_of("{}");
    struct submit_result result;
    struct err err;

    CHECK_OK("other account", submit(&world, &draft, &result, &err), &err);
    CHECK_TEXT("other account", result.id, "cgt-twice");
    world_fini(&world);
}

static void test_injected_identifier(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = world_queued(&world, "cgt-1");

    CHECK_TEXT("not wanted", world.script.identifier, "");
    world.script.inject = true;
    task = world_queued(&world, "cgt-2");
    CHECK_INT("form", strlen(world.script.identifier), 35);
    CHECK_INT("form", strncmp(world.script.identifier, "ag-", 3), 0);
    CHECK_TEXT("kept with the attempt", world_attempt(&world, &task).identifier,
               world.script.identifier);
    CHECK_TEXT("not the tenant's", task.safety_identifier, "");

    struct task_draft draft = draft_of("{}");
    struct submit_result result;
    struct err err;

    draft.safety_identifier = STR("user-1");
    CHECK_OK("own", submit(&world, &draft, &result, &err), &err);
    task = world_task(&world, result.id);
    CHECK_TEXT("the tenant's own wins", world.script.identifier, "");
    CHECK_TEXT("the tenant's own wins", task.safety_identifier, "user-1");
    CHECK_TEXT("the tenant's own wins", world_attempt(&world, &task).identifier, "");
    world_fini(&world);
}

static void test_what_costs_nothing(void)
{
    struct submit_result result;
    struct world world;
    struct err err;

    world_init(&world, HOLD_NANO - 1);
    struct task_draft draft = draft_of("{}");

    CHECK_INT("one nano short", submit(&world, &draft, &result, &err), ERR_BALANCE);
    CHECK_INT("need", err.need_nano, HOLD_NANO);
    CHECK_INT("have", err.have_nano, HOLD_NANO - 1);
    CHECK_TEXT("currency", err.currency, "CNY");
    draft.has_text = false;
    CHECK_INT("invalid", submit(&world, &draft, &result, &err), ERR_INVALID);
    draft = draft_of("{}");
    world.scope.suspended = true;
    CHECK_INT("suspended", submit(&world, &draft, &result, &err), ERR_FORBIDDEN);
    world.scope.suspended = false;
    world_tamper(&world, "DELETE FROM price_row", 0);
    CHECK_INT("no price", submit(&world, &draft, &result, &err), ERR_UNAVAILABLE);
    CHECK_INT("nothing was sent", world.script.creates, 0);
    CHECK_INT("no rows", world_ask(&world, "SELECT count(*) FROM task", 0), 0);
    CHECK_INT("no rows", world_ask(&world, "SELECT count(*) FROM attempt", 0), 0);
    check_money(&world, "untouched", HOLD_NANO - 1, 0, 0);
    world_fini(&world);
}

static void test_the_last_nano(void)
{
    struct world world;

    world_init(&world, HOLD_NANO);
    (void)world_queued(&world, "cgt-1");
    check_money(&world, "all of it", 0, HOLD_NANO, 0);
    world_fini(&world);
}

/* ---- idempotency ------------------------------------------------------------- */

static struct task_draft keyed(const char *body, const char *key)
{
    struct task_draft draft = draft_of(body);

    draft.idempotency_key = str_from(key);
    return draft;
}

static void test_replay(void)
{
    struct task_draft draft = keyed("{\"a\":1}", "key-1"), other = keyed("{\"a\":2}", "key-1");
    struct submit_result first, again;
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    CHECK_OK("first", submit(&world, &draft, &first, &err), &err);
    CHECK_TRUE("first", !first.replayed);
    CHECK_OK("again", submit(&world, &draft, &again, &err), &err);
    CHECK_TRUE("again", again.replayed);
    CHECK_TEXT("same id", again.id, first.id);
    CHECK_INT("other body", submit(&world, &other, &again, &err), ERR_KEY_REUSED);
    CHECK_INT("one create", world.script.creates, 1);
    check_money(&world, "one hold", YUAN(100) - HOLD_NANO, HOLD_NANO, 0);

    /* One that looked for its key too early finds it in the transaction. */
    again = (struct submit_result){0};
    CHECK_OK("late", submit_task(&world.service, &world.scope, &draft, &again, &err), &err);
    CHECK_TRUE("late", again.replayed);
    CHECK_TEXT("late", again.id, first.id);
    CHECK_INT("late, other body",
              submit_task(&world.service, &world.scope, &other, &again, &err), ERR_KEY_REUSED);
    CHECK_INT("one create", world.script.creates, 1);
    CHECK_INT("one row", world_ask(&world, "SELECT count(*) FROM task", 0), 1);

    /* A replay comes before the model and the balance. */
    world_tamper(&world, "DELETE FROM price_row", 0);
    CHECK_OK("without prices", submit(&world, &draft, &again, &err), &err);
    CHECK_TEXT("without prices", again.id, first.id);
    world_fini(&world);
}

static void test_no_key_is_no_replay(void)
{
    struct submit_result result = {.id = "untouched"};
    struct world world;
    struct err err = {0};
    bool replayed = true;

    world_init(&world, YUAN(100));
    (void)world_queued(&world, "cgt-1");
    CHECK_OK("no key",
             submit_replay(&world.service, &world.scope, STR(""), STR("{}"), &replayed, &result,
                           &err),
             &err);
    CHECK_TRUE("no key", !replayed);
    replayed = true;
    CHECK_OK("fresh key",
             submit_replay(&world.service, &world.scope, STR("key-1"), STR("{}"), &replayed,
                           &result, &err),
             &err);
    CHECK_TRUE("fresh key", !replayed);
    CHECK_TEXT("nothing said", result.id, "untouched");
    world_fini(&world);
}

static void test_keys_are_per_tenant(void)
{
    struct task_draft draft = keyed("{}", "key-1");
    struct submit_result first, second;
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    CHECK_OK("acme", submit(&world, &draft, &first, &err), &err);
    world.scope = world_tenant(&world, "beta", YUAN(10));
    CHECK_OK("beta", submit(&world, &draft, &second, &err), &err);
    CHECK_TRUE("not a replay", !second.replayed);
    CHECK_TRUE("own task", strcmp(first.id, second.id) != 0);
    CHECK_INT("creates", world.script.creates, 2);
    check_money(&world, "beta pays", YUAN(10) - HOLD_NANO, HOLD_NANO, 0);
    world_fini(&world);
}

static void test_a_refused_key_may_try_again(void)
{
    struct task_draft draft = keyed("{}", "key-1");
    struct submit_result result;
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    world_script(&world, refused);
    CHECK_INT("refused", submit(&world, &draft, &result, &err), ERR_UPSTREAM_REFUSED);
    draft.body = STR("{\"other\":1}");
    CHECK_OK("another body even", submit(&world, &draft, &result, &err), &err);
    CHECK_TRUE("not a replay", !result.replayed);
    CHECK_INT("creates", world.script.creates, 2);

    /* Neither does a create that the balance refused keep its key. */
    world_tamper(&world, "UPDATE account SET available_nano = 0", 0);
    draft = keyed("{}", "key-2");
    CHECK_INT("no money", submit(&world, &draft, &result, &err), ERR_BALANCE);
    CHECK_INT("keys", world_ask(&world, "SELECT count(*) FROM idempotency", 0), 1);
    world_fini(&world);
}

static void test_unknown_keeps_its_key(void)
{
    struct task_draft draft = keyed("{}", "key-1");
    struct submit_result first, again;
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    world_script(&world, (struct step){.outcome = PROVIDER_UNKNOWN});
    CHECK_OK("unknown", submit(&world, &draft, &first, &err), &err);
    CHECK_OK("again", submit(&world, &draft, &again, &err), &err);
    CHECK_TRUE("again", again.replayed);
    CHECK_TEXT("same id", again.id, first.id);
    CHECK_INT("one create", world.script.creates, 1);
    world_fini(&world);
}

static void test_keys_grow_old(void)
{
    struct task_draft draft = keyed("{}", "key-1");
    struct submit_result first, again;
    struct world world;
    struct err err = {0};

    world_init(&world, YUAN(100));
    CHECK_OK("first", submit(&world, &draft, &first, &err), &err);
    world_tamper(&world, "UPDATE idempotency SET created_us = created_us - 86399000000", 0);
    CHECK_OK("after almost a day", submit(&world, &draft, &again, &err), &err);
    CHECK_TRUE("after almost a day", again.replayed);
    CHECK_OK("sweep", expire_keys(&world.service, &err), &err);
    CHECK_INT("kept", world_ask(&world, "SELECT count(*) FROM idempotency", 0), 1);

    world_tamper(&world, "UPDATE idempotency SET created_us = created_us - 1000000", 0);
    CHECK_OK("after a day", submit(&world, &draft, &again, &err), &err);
    CHECK_TRUE("after a day", !again.replayed);
    CHECK_TRUE("another task", strcmp(first.id, again.id) != 0);
    CHECK_OK("sweep", expire_keys(&world.service, &err), &err);
    CHECK_INT("the new one", world_ask(&world, "SELECT count(*) FROM idempotency", 0), 1);
    world_tamper(&world, "UPDATE idempotency SET created_us = created_us - 86401000000", 0);
    CHECK_OK("sweep", expire_keys(&world.service, &err), &err);
    CHECK_INT("gone", world_ask(&world, "SELECT count(*) FROM idempotency", 0), 0);
    world_fini(&world);
}

/* ---- many at once -------------------------------------------------------------- */

enum { TWINS = 32, CROWD = 200, CAN_PAY = 7, STACK = 512 << 10 };

struct caller {
    struct world *world;
    struct task_draft draft;
    struct submit_result result;
    enum err_code code;
    struct err err;
    pthread_t thread;
};

static void *run_caller(void *ctx)
{
    struct caller *caller = ctx;

    caller->code = submit(caller->world, &caller->draft, &caller->result, &caller->err);
    return NULL;
}

static void run_all(struct world *world, struct caller *callers, size_t count,
                    const struct task_draft *draft)
{
    struct err err = {0};

    for (size_t i = 0; i < count; i++) {
        callers[i] = (struct caller){.world = world, .draft = *draft};
        CHECK_OK(
            "thread",
            lock_thread(&callers[i].thread, "caller", STACK, run_caller, &callers[i], &err),
            &err);
    }
    for (size_t i = 0; i < count; i++)
        (void)pthread_join(callers[i].thread, NULL);
}

static void test_twins_make_one_task(void)
{
    static struct caller callers[TWINS];
    struct task_draft draft = keyed("{}", "key-1");
    struct world world;
    int made = 0;

    world_init(&world, YUAN(1000));
    world.script.pause_us = 50000;
    run_all(&world, callers, TWINS, &draft);
    for (size_t i = 0; i < TWINS; i++) {
        CHECK_INT("answer", callers[i].code, ERR_OK);
        CHECK_TEXT("same id", callers[i].result.id, "cgt-up-0");
        made += !callers[i].result.replayed;
    }
    CHECK_INT("made", made, 1);
    CHECK_INT("one create", world.script.creates, 1);
    CHECK_INT("one row", world_ask(&world, "SELECT count(*) FROM task", 0), 1);
    check_money(&world, "one hold", YUAN(1000) - HOLD_NANO, HOLD_NANO, 0);
    world_fini(&world);
}

static void test_twins_share_a_refusal(void)
{
    static struct caller callers[TWINS];
    struct task_draft draft = keyed("{}", "key-1");
    struct world world;

    world_init(&world, YUAN(1000));
    world_script(&world, refused);
    world.script.last_step_repeats = true; /* one who comes late tries again */
    world.script.pause_us = 100000;
    run_all(&world, callers, TWINS, &draft);
    for (size_t i = 0; i < TWINS; i++) {
        CHECK_INT("answer", callers[i].code, ERR_UPSTREAM_REFUSED);
        CHECK_INT("status", callers[i].err.upstream_status, 400);
        CHECK_TEXT("code", callers[i].err.upstream_code, "SensitiveContentDetected");
        CHECK_TEXT("message", callers[i].err.msg, "the text is sensitive");
    }
    CHECK_TRUE("most were twins", world.script.creates < TWINS / 2);
    check_money(&world, "all back", YUAN(1000), 0, 0);
    world_fini(&world);
}

static void test_a_crowd_spends_no_more_than_there_is(void)
{
    static struct caller callers[CROWD];
    struct task_draft draft = draft_of("{}");
    struct world world;
    int made = 0;

    world_init(&world, CAN_PAY * HOLD_NANO + HOLD_NANO - 1);
    run_all(&world, callers, CROWD, &draft);
    for (size_t i = 0; i < CROWD; i++) {
        made += callers[i].code == ERR_OK;
        if (callers[i].code != ERR_OK)
            CHECK_INT("refused for money", callers[i].code, ERR_BALANCE);
    }
    CHECK_INT("made", made, CAN_PAY);
    CHECK_INT("sent", world.script.creates, CAN_PAY);
    CHECK_INT("rows", world_ask(&world, "SELECT count(*) FROM task", 0), CAN_PAY);
    check_money(&world, "the rest", HOLD_NANO - 1, CAN_PAY * HOLD_NANO, 0);
    world_fini(&world);
}

/* ---- while a create is on its way ------------------------------------------------ */

static struct caller late_twin;

/* A twin comes, waits out the deadline, and is told the minted id. */
static void let_twin_wait(struct world *world)
{
    late_twin = (struct caller){.world = world, .draft = keyed("{}", "key-1")};
    (void)run_caller(&late_twin);
}

static void test_after_the_deadline_the_minted_id_stands_for_all(void)
{
    struct task_draft draft = keyed("{}", "key-1");
    struct submit_result result;
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    world.service.settings.send_us = 200000;
    world_script(&world, (struct step){.upstream_id = "cgt-late", .meanwhile = let_twin_wait});
    CHECK_OK("first", submit(&world, &draft, &result, &err), &err);
    CHECK_INT("twin", late_twin.code, ERR_OK);
    CHECK_TRUE("twin", late_twin.result.replayed);
    CHECK_TEXT("the same for both", result.id, late_twin.result.id);
    struct task task = world_task(&world, result.id);

    CHECK_TEXT("minted", result.id, task.minted_id);
    CHECK_TEXT("known upstream", task.upstream_id, "cgt-late");
    CHECK_TEXT("state", state_name(task.state), "queued");
    world_fini(&world);
}

/* The same, and then Ark turns out to have refused: the id that the twin has must be
 * found for good, and nothing is charged. */
static void test_a_published_id_never_vanishes(void)
{
    struct task_draft draft = keyed("{}", "key-1");
    struct submit_result result;
    struct world world;
    struct err err = {0};
    struct task task;

    world_init(&world, YUAN(100));
    world.service.settings.send_us = 200000;
    world_script(&world, (struct step){.outcome = PROVIDER_REFUSED,
                                       .code = ERR_UPSTREAM_REFUSED,
                                       .msg = "the text is sensitive",
                                       .upstream_code = "SensitiveContentDetected",
                                       .status = 400,
                                       .meanwhile = let_twin_wait});
    CHECK_OK("first", submit(&world, &draft, &result, &err), &err);
    CHECK_INT("twin", late_twin.code, ERR_OK);
    CHECK_TEXT("the same for both", result.id, late_twin.result.id);
    CHECK_OK("found",
             query_task(&world.service, &world.scope, str_from(result.id), &task, &err), &err);
    CHECK_TEXT("state", state_name(task.state), "failed");
    CHECK_TEXT("why", task.error_message, "the text is sensitive");
    check_money(&world, "all back", YUAN(100), 0, 0);
    world_fini(&world);
}

static void expire_all(struct world *world)
{
    struct err err = {0};

    CHECK_OK("expire", expire_sends(&world->service, true, &err), &err);
    CHECK_INT("expired",
              world_ask(world, "SELECT count(*) FROM task WHERE state = 'unknown'", 0), 1);
}

static void expire_late(struct world *world)
{
    struct err err = {0};

    CHECK_OK("expire", expire_sends(&world->service, false, &err), &err);
    CHECK_INT("not yet",
              world_ask(world, "SELECT count(*) FROM task WHERE state = 'submitting'", 0), 1);
    world->service.settings.submitting_grace_us = -21 * SECOND;
    CHECK_OK("expire", expire_sends(&world->service, false, &err), &err);
    CHECK_INT("now", world_ask(world, "SELECT count(*) FROM task WHERE state = 'unknown'", 0),
              1);
}

/* Someone else moved the row to unknown before the answer came: from then on only the
 * reconciler and the operator decide, whatever the answer. */
static void test_answers_that_come_after_expiry(void)
{
    static const struct {
        const char *what;
        struct step step;
    } rows[] = {
        {"accepted", {.upstream_id = "cgt-x", .meanwhile = expire_all}},
        {"accepted, later", {.upstream_id = "cgt-x", .meanwhile = expire_late}},
        {"unknown", {.outcome = PROVIDER_UNKNOWN, .meanwhile = expire_all}},
        {"refused",
         {.outcome = PROVIDER_REFUSED,
          .code = ERR_RATE,
          .msg = "no",
          .status = 429,
          .meanwhile = expire_all}},
        {"refused, another would be tried",
         {.outcome = PROVIDER_REFUSED,
          .try_another = true,
          .code = ERR_RATE,
          .msg = "no",
          .status = 429,
          .meanwhile = expire_all}},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world world;

        world_init(&world, YUAN(100));
        struct task task = world_submit(&world, rows[i].what, rows[i].step);

        CHECK_TEXT(rows[i].what, state_name(task.state), "unknown");
        CHECK_TEXT(rows[i].what, service_public_id(&task), task.minted_id);
        CHECK_INT(rows[i].what, world.script.creates, 1);
        check_money(&world, rows[i].what, YUAN(100) - HOLD_NANO, HOLD_NANO, 0);
        world_fini(&world);
    }
}

/* A twin that waited until the deadline asks for the minted id just when the refusal has
 * been written: that id is nobody's, so it gets the refusal. */
static void test_a_twin_of_one_that_was_just_refused(void)
{
    struct world world;
    struct task_draft draft = draft_of("{}");
    struct submit_result result;
    struct err err = {0};

    world_init(&world, YUAN(100));
    world_script(&world, refused);
    CHECK_INT("refused", submit(&world, &draft, &result, &err), ERR_UPSTREAM_REFUSED);
    struct create create = {
        .service = &world.service,
        .scope = &world.scope,
        .draft = &draft,
        .twin = {.task_id = world_ask(&world, "SELECT max(id) FROM task", 0)}};

    err = (struct err){0};
    CHECK_INT(
        "the twin",
        db_write(world.db, world.scope.tenant_id, submit_commit_publish_minted, &create, &err),
        ERR_UPSTREAM_REFUSED);
    CHECK_INT("nothing was given away",
              world_ask(&world, "SELECT max(minted_public) FROM task", 0), 0);
    world_fini(&world);
}

CHECK_MAIN(CHECK_TEST(test_accepted), CHECK_TEST(test_accepted_twice),
           CHECK_TEST(test_row_of_a_bare_create), CHECK_TEST(test_refused),
           CHECK_TEST(test_unknown), CHECK_TEST(test_another_account),
           CHECK_TEST(test_deadline_passed_before_sending),
           CHECK_TEST(test_deadline_grows_with_the_body),
           CHECK_TEST(test_id_that_is_owned_already), CHECK_TEST(test_injected_identifier),
           CHECK_TEST(test_what_costs_nothing), CHECK_TEST(test_the_last_nano),
           CHECK_TEST(test_replay), CHECK_TEST(test_no_key_is_no_replay),
           CHECK_TEST(test_keys_are_per_tenant), CHECK_TEST(test_a_refused_key_may_try_again),
           CHECK_TEST(test_unknown_keeps_its_key), CHECK_TEST(test_keys_grow_old),
           CHECK_TEST(test_twins_make_one_task), CHECK_TEST(test_twins_share_a_refusal),
           CHECK_TEST(test_a_crowd_spends_no_more_than_there_is),
           CHECK_TEST(test_after_the_deadline_the_minted_id_stands_for_all),
           CHECK_TEST(test_a_published_id_never_vanishes),
           CHECK_TEST(test_answers_that_come_after_expiry),
           CHECK_TEST(test_a_twin_of_one_that_was_just_refused))
