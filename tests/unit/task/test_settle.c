/* SPDX-License-Identifier: Apache-2.0 */
/* What Ark says of tasks, taken in once: states, charges, releases, reviews, and the
 * tasks that it forgot. */
#include "tests/unit/task/world.h"

#include "tests/unit/task/seen.h"

static enum err_code settle(struct world *world, const struct upstream_task *seen, size_t count,
                            struct err *err)
{
    *err = (struct err){0};
    return settle_seen(&world->service, account_a(world), seen, count, err);
}

static void settle_ok(struct world *world, const char *what, struct upstream_task seen)
{
    struct err err;

    CHECK_OK(what, settle(world, &seen, 1, &err), &err);
}

static int64_t events(struct world *world, const struct task *task)
{
    return world_ask(world, "SELECT count(*) FROM event WHERE task_id = $1", task->id);
}

static void test_running(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = world_queued(&world, "cgt-1");

    settle_ok(&world, "queued", seen_of("cgt-1", TASK_QUEUED));
    CHECK_INT("no event", events(&world, &task), 1);
    settle_ok(&world, "running", seen_of("cgt-1", TASK_RUNNING));
    check_state(&world, "running", "cgt-1", TASK_RUNNING);
    CHECK_INT("one event", events(&world, &task), 2);
    settle_ok(&world, "running again", seen_of("cgt-1", TASK_RUNNING));
    settle_ok(&world, "backwards", seen_of("cgt-1", TASK_QUEUED));
    check_state(&world, "backwards", "cgt-1", TASK_RUNNING);
    CHECK_INT("still one", events(&world, &task), 2);
    check_money(&world, "held", YUAN(100) - HOLD_NANO, HOLD_NANO, 0);
    world_fini(&world);
}

/* The row of the price book is chosen by what Ark rendered in the end. */
static void test_charge_by_the_final_resolution(void)
{
    static const struct {
        const char *what, *resolution;
        int64_t tokens, charge_nano;
        const char *sku;
    } rows[] = {
        {"as asked", "720p", 108900, 5009400000, "doubao-seedance-2-0-720p-novideo"},
        {"not said", "", 108900, 5009400000, "doubao-seedance-2-0-720p-novideo"},
        {"fewer tokens", "720p", 87300, 4015800000, "doubao-seedance-2-0-720p-novideo"},
        {"480p", "480p", 50638, 2329348000, "doubao-seedance-2-0-480p-novideo"},
        {"1080p, over the hold", "1080p", 245025, 12496275000,
         "doubao-seedance-2-0-1080p-novideo"},
        {"4k is cheaper per token", "4k", 108900, 2831400000, "doubao-seedance-2-0-4k-novideo"},
        {"nothing used", "720p", 0, 0, "doubao-seedance-2-0-720p-novideo"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world world;

        world_init(&world, YUAN(100));
        struct task task = world_queued(&world, "cgt-1");
        struct upstream_task seen = seen_of("cgt-1", TASK_SUCCEEDED);

        seen.resolution = str_from(rows[i].resolution);
        seen.tokens = rows[i].tokens;
        settle_ok(&world, rows[i].what, seen);
        check_money(&world, rows[i].what, YUAN(100) - rows[i].charge_nano, 0,
                    rows[i].charge_nano);
        struct hold_view hold = world_hold(&world, &task);

        CHECK_TEXT(rows[i].what, hold.state, "charged");
        CHECK_TEXT(rows[i].what, hold.sku, rows[i].sku);
        CHECK_INT(rows[i].what, hold.quantity, rows[i].tokens);
        world_fini(&world);
    }
}

static void test_outcome_of_a_success(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = world_queued(&world, "cgt-1");
    struct upstream_task seen = seen_of("cgt-1", TASK_SUCCEEDED);

    seen.ratio = STR("4:3");
    seen.duration = 7;
    seen.last_frame_url = STR("https://frame.example/1.png");
    settle_ok(&world, "success", seen);
    task = world_task(&world, "cgt-1");
    CHECK_TEXT("state", state_name(task.state), "succeeded");
    CHECK_TRUE("ended", task.ended_us > 0 && task.ended_us == task.updated_us);
    CHECK_TEXT("ratio", task.ratio, "4:3");
    CHECK_INT("duration", task.duration, 7);
    CHECK_INT("tokens", task.tokens, HOLD_TOKENS);
    CHECK_INT("total", task.total_tokens, HOLD_TOKENS);
    CHECK_INT("seed", task.final_seed, 17918);
    CHECK_INT("fps", task.fps, 24);
    CHECK_TEXT("video", task.video_url, "https://video.example/1.mp4");
    CHECK_TEXT("frame, not asked for", task.last_frame_url, "");
    CHECK_INT(
        "evidence",
        world_ask(&world, "SELECT length(body) FROM evidence WHERE task_id = $1", task.id),
        (int64_t)seen.body.len);
    world_fini(&world);
}

/* What only some models' answers have. */
static void test_rare_members_of_a_success(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    (void)world_queued(&world, "cgt-1");
    struct upstream_task seen = seen_of("cgt-1", TASK_SUCCEEDED);

    seen.has_duration = false;
    seen.duration = 0;
    seen.has_frames = seen.has_draft = seen.draft = seen.has_tool_uses = true;
    seen.frames = 121;
    seen.tool_uses = 3;
    seen.output_format = STR("mp4");
    settle_ok(&world, "success", seen);
    struct task task = world_task(&world, "cgt-1");

    CHECK_TRUE("frames", task.has_frames && task.frames == 121);
    CHECK_INT("milliseconds", service_output_ms(&task), 5041);
    CHECK_TRUE("draft", task.has_draft && task.draft);
    CHECK_TRUE("uses", task.has_tool_uses && task.tool_uses == 3);
    CHECK_TEXT("format", task.output_format, "mp4");
    check_money(&world, "uses are free as shipped", YUAN(100) - HOLD_NANO, 0, HOLD_NANO);

    (void)world_queued(&world, "cgt-2");
    settle_ok(&world, "without", seen_of("cgt-2", TASK_SUCCEEDED));
    task = world_task(&world, "cgt-2");
    CHECK_TRUE("none", !task.has_frames && !task.has_draft && !task.has_tool_uses);
    CHECK_TEXT("none", task.output_format, "");
    world_fini(&world);
}

/* A use that has a price is an operator's to judge: nothing is given away unseen. */
static void test_tool_uses_that_have_a_price(void)
{
    static const struct {
        const char *what;
        bool told;
        int64_t uses;
        bool review;
    } rows[] = {
        {"not told", false, 0, false}, {"none", true, 0, false}, {"two", true, 2, true}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world world;

        world_init(&world, YUAN(100));
        world_tamper(&world,
                     "UPDATE price_row SET list_price_nano = 30000000"
                     " WHERE model = 'tool/web_search'",
                     0);
        struct task task = world_queued(&world, "cgt-1");
        struct upstream_task seen = seen_of("cgt-1", TASK_SUCCEEDED);

        seen.has_tool_uses = rows[i].told;
        seen.tool_uses = rows[i].uses;
        settle_ok(&world, rows[i].what, seen);
        check_state(&world, rows[i].what, "cgt-1", TASK_SUCCEEDED);
        CHECK_TEXT(rows[i].what, world_hold(&world, &task).state,
                   rows[i].review ? "review" : "charged");
        check_money(&world, rows[i].what, YUAN(100) - HOLD_NANO, rows[i].review ? HOLD_NANO : 0,
                    rows[i].review ? 0 : HOLD_NANO);
        CHECK_INT(rows[i].what,
                  world_ask(&world,
                            "SELECT count(*) FROM event WHERE task_id = $1"
                            " AND note = 'review: 2 tool uses that have a price'",
                            task.id),
                  rows[i].review);
        world_fini(&world);
    }
}

/* 1.5 pro costs half without sound, and flex half of either: what was rendered counts, in
 * the tier that was asked for. */
static void test_charge_of_an_older_model(void)
{
    static const struct {
        const char *what, *tier;
        bool echoed, audio;
        int64_t charge_nano;
    } rows[] = {
        {"sound", "default", true, true, 810208000},
        {"silent in the end", "default", true, false, 405104000},
        {"not told: as asked", "default", false, false, 810208000},
        {"flex", "flex", true, true, 405104000},
        {"flex, silent", "flex", true, false, 202552000},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct task_draft draft = draft_of("{}");
        struct submit_result result;
        struct world world;
        struct err err = {0};

        world_init(&world, YUAN(100));
        world_model_set(&world, "doubao-seedance-1-5-pro", "sold", "on");
        draft.model_asked = STR("doubao-seedance-1-5-pro");
        draft.tier = str_from(rows[i].tier);
        world_script(&world, (struct step){.upstream_id = "cgt-1"});
        CHECK_OK(rows[i].what, submit_task(&world.service, &world.scope, &draft, &result, &err),
                 &err);
        struct upstream_task seen = seen_of("cgt-1", TASK_SUCCEEDED);

        seen.resolution = STR("480p");
        seen.tier = str_from(rows[i].tier);
        seen.tokens = seen.total_tokens = 50638;
        seen.has_audio = rows[i].echoed;
        seen.audio = rows[i].audio;
        settle_ok(&world, rows[i].what, seen);
        check_money(&world, rows[i].what, YUAN(100) - rows[i].charge_nano, 0,
                    rows[i].charge_nano);
        world_fini(&world);
    }
}

/* A length in frames is what it was, whatever the answer leaves out. */
static void test_frames_asked_for(void)
{
    struct task_draft draft = draft_of("{}");
    struct submit_result result;
    struct world world;
    struct err err = {0};

    world_init(&world, YUAN(100));
    world_model_set(&world, "doubao-seedance-1-0-pro", "sold", "on");
    draft.model_asked = STR("doubao-seedance-1-0-pro");
    draft.resolution = STR("480p");
    draft.has_frames = true;
    draft.frames = 29;
    world_script(&world, (struct step){.upstream_id = "cgt-1"});
    CHECK_OK("submit", submit_task(&world.service, &world.scope, &draft, &result, &err), &err);
    struct upstream_task seen = seen_of("cgt-1", TASK_SUCCEEDED);

    seen.resolution = STR("480p");
    seen.has_duration = false;
    seen.tokens = seen.total_tokens = 12150;
    settle_ok(&world, "success", seen);
    struct task task = world_task(&world, "cgt-1");

    CHECK_TRUE("frames", task.has_frames && task.frames == 29 && task.duration == 0);
    check_money(&world, "12150 at 15", YUAN(100) - 182250000, 0, 182250000);
    world_fini(&world);
}

static void test_ends_that_cost_nothing(void)
{
    static const enum task_state ends[] = {TASK_FAILED, TASK_EXPIRED, TASK_CANCELLED};

    for (size_t i = 0; i < COUNT_OF(ends) * 2; i++) {
        enum task_state end = ends[i / 2];
        struct world world;

        world_init(&world, YUAN(100));
        struct task task = world_queued(&world, "cgt-1");
        struct upstream_task seen = seen_of("cgt-1", end);

        if (i % 2 == 1)
            settle_ok(&world, "running before", seen_of("cgt-1", TASK_RUNNING));
        seen.error_code = STR("OutputVideoSensitiveContentDetected");
        seen.error_message = STR("sensitive");
        settle_ok(&world, state_name(end), seen);
        task = world_task(&world, "cgt-1");
        CHECK_TEXT("state", state_name(task.state), state_name(end));
        CHECK_TEXT("code", task.error_code, "OutputVideoSensitiveContentDetected");
        CHECK_TEXT("message", task.error_message, "sensitive");
        CHECK_TEXT("hold", world_hold(&world, &task).state, "released");
        check_money(&world, state_name(end), YUAN(100), 0, 0);
        world_fini(&world);
    }
}

static void test_an_end_is_the_end(void)
{
    static const enum task_state later[] = {TASK_QUEUED, TASK_RUNNING, TASK_SUCCEEDED,
                                            TASK_FAILED, TASK_EXPIRED, TASK_CANCELLED};
    struct world world;

    world_init(&world, YUAN(100));
    struct task paid = world_queued(&world, "cgt-paid"),
                freed = world_queued(&world, "cgt-free");

    settle_ok(&world, "paid", seen_of("cgt-paid", TASK_SUCCEEDED));
    settle_ok(&world, "free", seen_of("cgt-free", TASK_FAILED));
    int64_t paid_events = events(&world, &paid), freed_events = events(&world, &freed);

    for (size_t i = 0; i < COUNT_OF(later); i++) {
        settle_ok(&world, state_name(later[i]), seen_of("cgt-paid", later[i]));
        settle_ok(&world, state_name(later[i]), seen_of("cgt-free", later[i]));
    }
    check_state(&world, "paid", "cgt-paid", TASK_SUCCEEDED);
    check_state(&world, "free", "cgt-free", TASK_FAILED);
    CHECK_INT("paid", events(&world, &paid), paid_events);
    CHECK_INT("free", events(&world, &freed), freed_events);
    check_money(&world, "once", YUAN(100) - HOLD_NANO, 0, HOLD_NANO);
    world_fini(&world);
}

static void test_usage_that_cannot_be(void)
{
    static const struct {
        const char *what;
        bool missing;
        int64_t tokens;
        const char *resolution;
        bool review;
    } rows[] = {
        {"missing", true, 0, "720p", true},
        {"negative", false, -1, "720p", true},
        {"over 10^9", false, 1000000001, "720p", true},
        {"2^53", false, INT64_C(1) << 53, "720p", true},
        {"over four times the hold", false, 4 * HOLD_TOKENS + 1, "720p", true},
        {"four times the hold", false, 4 * HOLD_TOKENS, "720p", false},
        {"a resolution without a price", false, HOLD_TOKENS, "8k", true},
        {"a resolution longer than any", false, HOLD_TOKENS, "a very long resolution", true},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world world;

        world_init(&world, YUAN(100));
        struct task task = world_queued(&world, "cgt-1");
        struct upstream_task seen = seen_of("cgt-1", TASK_SUCCEEDED);

        seen.has_tokens = !rows[i].missing;
        seen.tokens = rows[i].tokens;
        seen.resolution = str_from(rows[i].resolution);
        settle_ok(&world, rows[i].what, seen);
        check_state(&world, rows[i].what, "cgt-1", TASK_SUCCEEDED);
        struct hold_view hold = world_hold(&world, &task);

        CHECK_TEXT(rows[i].what, hold.state, rows[i].review ? "review" : "charged");
        CHECK_INT(rows[i].what, hold.review[0] != '\0', rows[i].review);
        if (rows[i].review)
            check_money(&world, rows[i].what, YUAN(100) - HOLD_NANO, HOLD_NANO, 0);
        else
            check_money(&world, rows[i].what, YUAN(100) - 4 * HOLD_NANO, 0, 4 * HOLD_NANO);
        CHECK_INT(rows[i].what,
                  world_ask(&world,
                            "SELECT count(*) FROM event WHERE task_id = $1"
                            " AND note LIKE 'review: %'",
                            task.id),
                  rows[i].review);
        world_fini(&world);
    }
}

/* Lengths at the edge of what JSON integers hold must not overflow anything. */
static void test_lengths_that_cannot_be(void)
{
    static const int64_t durations[] = {INT64_C(1) << 53, -(INT64_C(1) << 53), -1, 0};

    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        struct world world;

        world_init(&world, YUAN(100));
        (void)world_queued(&world, "cgt-1");
        struct upstream_task seen = seen_of("cgt-1", TASK_SUCCEEDED);

        seen.duration = durations[i];
        settle_ok(&world, "length", seen);
        check_money(&world, "tokens are what is charged", YUAN(100) - HOLD_NANO, 0, HOLD_NANO);
        world_fini(&world);
    }
}

static void test_strangers_are_skipped(void)
{
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    (void)world_queued(&world, "cgt-1");
    settle_ok(&world, "nobody's", seen_of("cgt-2", TASK_SUCCEEDED));
    struct upstream_task seen = seen_of("cgt-1", TASK_SUCCEEDED);

    CHECK_OK("another account's",
             settle_seen(&world.service, world.upstreams[1].account.id, &seen, 1, &err), &err);
    CHECK_OK("none at all", settle(&world, NULL, 0, &err), &err);
    check_state(&world, "untouched", "cgt-1", TASK_QUEUED);
    check_money(&world, "untouched", YUAN(100) - HOLD_NANO, HOLD_NANO, 0);
    world_fini(&world);
}

static void test_one_bad_row_stops_no_other(void)
{
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    (void)world_queued(&world, "cgt-1");
    struct task bad = world_queued(&world, "cgt-2");

    (void)world_queued(&world, "cgt-3");
    /* Evidence may be written once: ending this one fails in the middle. */
    world_tamper(&world,
                 "INSERT INTO evidence (task_id, tenant_id, body, taken_us)"
                 " SELECT $1, 1, head, 1 FROM account WHERE tenant_id = 1",
                 bad.id);
    struct upstream_task seen[] = {seen_of("cgt-1", TASK_SUCCEEDED),
                                   seen_of("cgt-2", TASK_SUCCEEDED),
                                   seen_of("cgt-3", TASK_RUNNING)};

    CHECK_TRUE("it is told", settle(&world, seen, 3, &err) != ERR_OK);
    CHECK_TRUE("it is told", err.code != ERR_OK);
    check_state(&world, "before it", "cgt-1", TASK_SUCCEEDED);
    check_state(&world, "itself", "cgt-2", TASK_QUEUED);
    check_state(&world, "behind it", "cgt-3", TASK_RUNNING);
    check_money(&world, "one charge", YUAN(100) - 3 * HOLD_NANO, 2 * HOLD_NANO, HOLD_NANO);

    world_tamper(&world, "DELETE FROM evidence WHERE task_id = $1", bad.id);
    CHECK_OK("mended", settle(&world, seen, 3, &err), &err);
    check_state(&world, "mended", "cgt-2", TASK_SUCCEEDED);
    check_money(&world, "two charges", YUAN(100) - 3 * HOLD_NANO, HOLD_NANO, 2 * HOLD_NANO);
    world_fini(&world);
}

static void test_the_same_task_twice_in_a_batch(void)
{
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    (void)world_queued(&world, "cgt-1");
    struct upstream_task seen[] = {seen_of("cgt-1", TASK_SUCCEEDED),
                                   seen_of("cgt-1", TASK_FAILED)};

    CHECK_OK("batch", settle(&world, seen, 2, &err), &err);
    check_state(&world, "the first counts", "cgt-1", TASK_SUCCEEDED);
    check_money(&world, "once", YUAN(100) - HOLD_NANO, 0, HOLD_NANO);
    world_fini(&world);
}

/* ---- gone --------------------------------------------------------------------- */

static bool missing(struct world *world, const char *id)
{
    bool ended = false;
    struct err err = {0};

    CHECK_OK(id, settle_missing(&world->service, account_a(world), str_from(id), &ended, &err),
             &err);
    return ended;
}

static void test_missing_twice(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = world_queued(&world, "cgt-1");

    CHECK_TRUE("first", !missing(&world, "cgt-1"));
    CHECK_TRUE("too soon", !missing(&world, "cgt-1"));
    check_state(&world, "too soon", "cgt-1", TASK_QUEUED);
    world_tamper(&world, "UPDATE task SET missing_us = missing_us - 59000000", 0);
    CHECK_TRUE("still too soon", !missing(&world, "cgt-1"));
    world_tamper(&world, "UPDATE task SET missing_us = missing_us - 1000000", 0);
    CHECK_TRUE("a minute later", missing(&world, "cgt-1"));
    task = world_task(&world, "cgt-1");
    CHECK_TEXT("failed", state_name(task.state), "failed");
    CHECK_TEXT("code", task.error_code, "InternalServiceError");
    CHECK_TRUE("message", task.error_message[0] != '\0');
    CHECK_TEXT("hold", world_hold(&world, &task).state, "review");
    check_money(&world, "still held", YUAN(100) - HOLD_NANO, HOLD_NANO, 0);
    CHECK_TRUE("again", missing(&world, "cgt-1"));
    CHECK_TRUE("nobody's", missing(&world, "cgt-none"));
    settle_ok(&world, "too late", seen_of("cgt-1", TASK_SUCCEEDED));
    check_state(&world, "too late", "cgt-1", TASK_FAILED);
    world_fini(&world);
}

static void test_found_again(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    (void)world_queued(&world, "cgt-1");
    CHECK_TRUE("first", !missing(&world, "cgt-1"));
    world_tamper(&world, "UPDATE task SET missing_us = missing_us - 100000000", 0);
    settle_ok(&world, "seen", seen_of("cgt-1", TASK_QUEUED));
    CHECK_INT("forgotten", world_task(&world, "cgt-1").missing_us, 0);
    CHECK_TRUE("first again", !missing(&world, "cgt-1"));
    check_state(&world, "first again", "cgt-1", TASK_QUEUED);
    world_fini(&world);
}

static void test_overdue(void)
{
    struct world world;
    struct err err = {0};

    world_init(&world, YUAN(100));
    struct task task = world_queued(&world, "cgt-1"), unknown = world_unknown(&world);

    (void)world_queued(&world, "cgt-2");
    settle_ok(&world, "running", seen_of("cgt-1", TASK_RUNNING));
    settle_ok(&world, "done", seen_of("cgt-2", TASK_SUCCEEDED));
    CHECK_OK("young", settle_overdue(&world.service, &err), &err);
    check_state(&world, "young", "cgt-1", TASK_RUNNING);

    world_tamper(&world, "UPDATE task SET created_us = created_us - 604801000000", 0);
    CHECK_OK("old", settle_overdue(&world.service, &err), &err);
    task = world_task(&world, "cgt-1");
    CHECK_TEXT("failed", state_name(task.state), "failed");
    CHECK_TEXT("hold", world_hold(&world, &task).state, "review");
    check_state(&world, "done before", "cgt-2", TASK_SUCCEEDED);
    check_state(&world, "unknown ones are the reconciler's", unknown.minted_id, TASK_UNKNOWN);
    check_money(&world, "two still held", YUAN(100) - 3 * HOLD_NANO, 2 * HOLD_NANO, HOLD_NANO);
    world_fini(&world);
}

static void test_many_overdue(void)
{
    enum { MANY = 120 }; /* more than two rounds */
    struct world world;
    struct err err = {0};

    world_init(&world, YUAN(1000));
    world.script.step_count = 0;
    for (int i = 0; i < MANY; i++) {
        struct task_draft draft = draft_of("{}");
        struct submit_result result;

        CHECK_OK("submit", submit_task(&world.service, &world.scope, &draft, &result, &err),
                 &err);
    }
    world.service.settings.open_max_us = -MINUTE;
    CHECK_OK("old", settle_overdue(&world.service, &err), &err);
    CHECK_INT("all", world_ask(&world, "SELECT count(*) FROM task WHERE state = 'failed'", 0),
              MANY);
    CHECK_INT("all", world_ask(&world, "SELECT count(*) FROM hold WHERE state = 'review'", 0),
              MANY);
    world_fini(&world);
}

CHECK_MAIN(CHECK_TEST(test_running), CHECK_TEST(test_charge_by_the_final_resolution),
           CHECK_TEST(test_outcome_of_a_success), CHECK_TEST(test_rare_members_of_a_success),
           CHECK_TEST(test_tool_uses_that_have_a_price),
           CHECK_TEST(test_charge_of_an_older_model), CHECK_TEST(test_frames_asked_for),
           CHECK_TEST(test_ends_that_cost_nothing), CHECK_TEST(test_an_end_is_the_end),
           CHECK_TEST(test_usage_that_cannot_be), CHECK_TEST(test_lengths_that_cannot_be),
           CHECK_TEST(test_strangers_are_skipped), CHECK_TEST(test_one_bad_row_stops_no_other),
           CHECK_TEST(test_the_same_task_twice_in_a_batch), CHECK_TEST(test_missing_twice),
           CHECK_TEST(test_found_again), CHECK_TEST(test_overdue),
           CHECK_TEST(test_many_overdue))
