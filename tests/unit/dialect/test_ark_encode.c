/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks as GET shows them: the exact text of every state, and nothing in it that is
 * the gateway's own. */
#include "gateway/dialect/ark_parts.h"

#include "tests/lib/catalogue_fixture.h"
#include "tests/lib/check.h"

#define TENANT 42

/* A standard task as its row stands before the first look at Ark. */
static struct task task_of(enum task_state state)
{
    return (struct task){
        .id = 4711,
        .tenant_id = TENANT,
        .account_id = 4712,
        .credential_id = 4713,
        .token_identity = "tok-abcdefgh12345678",
        .minted_id = "cgt-20260101080000-abcdefghijklmnop",
        .state = state,
        .dialect = "ark",
        .model = "doubao-seedance-2-0",
        .model_asked = "doubao-seedance-2-0-260128",
        .resolution = "720p",
        .ratio = "16:9",
        .tier = "default",
        .duration = 5,
        .audio = true,
        .expires_after = 172800,
        .created_us = INT64_C(1787869631999999),
        .updated_us = INT64_C(1787869648000001),
    };
}

/* What every state begins and ends with. */
#define HEAD(id, status) \
    "{\"id\":\"" id "\",\"model\":\"doubao-seedance-2-0-260128\",\"status\":\"" status "\""
#define TIMES ",\"created_at\":1787869631,\"updated_at\":1787869648"
#define TAIL                                                                                   \
    ",\"resolution\":\"720p\",\"ratio\":\"16:9\",\"duration\":5,\"service_tier\":\"default\"," \
    "\"execution_expires_after\":172800,\"generate_audio\":true,\"priority\":0}"
#define MINTED "cgt-20260101080000-abcdefghijklmnop"

static void check_text(const char *what, const struct task *task, const char *want)
{
    CLEANUP(buf_fini) struct buf body = {0};
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct err err = {0};

    catalogue_fixture_init(&fixture);
    buf_init(&body, 1 << 16);
    CHECK_OK(what, ark_encode_task(fixture.catalogue, task, &body, &err), &err);
    CHECK_TEXT(what, body.ptr, want);
    CHECK_OK(what, json_gate(buf_str(&body), &err), &err);
}

static void test_states_before_an_outcome(void)
{
    static const struct {
        enum task_state state;
        const char *want;
    } rows[] = {
        {TASK_WAITING, HEAD(MINTED, "queued") TIMES TAIL},
        {TASK_SUBMITTING, HEAD(MINTED, "queued") TIMES TAIL},
        {TASK_UNKNOWN, HEAD(MINTED, "queued") TIMES TAIL},
        {TASK_QUEUED, HEAD("cgt-up", "queued") TIMES TAIL},
        {TASK_RUNNING, HEAD("cgt-up", "running") TIMES TAIL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct task task = task_of(rows[i].state);

        if (rows[i].state == TASK_QUEUED || rows[i].state == TASK_RUNNING)
            (void)str_copy(task.upstream_id, sizeof(task.upstream_id), STR("cgt-up"));
        check_text(state_name(rows[i].state), &task, rows[i].want);
    }
}

static struct task succeeded(void)
{
    struct task task = task_of(TASK_SUCCEEDED);

    (void)str_copy(task.upstream_id, sizeof(task.upstream_id), STR("cgt-up"));
    (void)str_copy(task.video_url, sizeof(task.video_url),
                   STR("https://v.example/1.mp4?a=b&c"));
    (void)str_copy(task.last_frame_url, sizeof(task.last_frame_url), STR("https://f.example/"));
    task.has_tokens = task.has_final_seed = task.has_fps = true;
    task.tokens = 108900;
    task.final_seed = 17918;
    task.fps = 24;
    return task;
}

#define SUCCESS_TAIL                                                                   \
    TIMES ",\"seed\":17918,\"resolution\":\"720p\",\"ratio\":\"16:9\",\"duration\":5," \
          "\"framespersecond\":24,\"service_tier\":\"default\","                       \
          "\"execution_expires_after\":172800,\"generate_audio\":true,\"priority\":0}"

static void test_succeeded(void)
{
    struct task task = succeeded();

    check_text(
        "succeeded", &task,
        HEAD("cgt-up",
             "succeeded") ",\"content\":{\"video_url\":\"https://v.example/1.mp4?a=b&c\"}"
                          ",\"usage\":{\"completion_tokens\":108900,\"total_tokens\":"
                          "108900}" SUCCESS_TAIL);
    task.last_frame = true;
    check_text(
        "with last frame", &task,
        HEAD("cgt-up",
             "succeeded") ",\"content\":{\"video_url\":\"https://v.example/1.mp4?a=b&c\","
                          "\"last_frame_url\":\"https://f.example/\"}"
                          ",\"usage\":{\"completion_tokens\":108900,\"total_tokens\":"
                          "108900}" SUCCESS_TAIL);
    task.last_frame = false;
    task.has_total_tokens = true;
    task.total_tokens = 108901;
    check_text(
        "with a total", &task,
        HEAD("cgt-up",
             "succeeded") ",\"content\":{\"video_url\":\"https://v.example/1.mp4?a=b&c\"}"
                          ",\"usage\":{\"completion_tokens\":108900,\"total_tokens\":"
                          "108901}" SUCCESS_TAIL);
    task.has_tokens = false;
    check_text("without usage", &task,
               HEAD("cgt-up", "succeeded") ",\"content\":{\"video_url\":\"https://v.example/"
                                           "1.mp4?a=b&c\"}" SUCCESS_TAIL);
}

static void test_ends_without_a_video(void)
{
    static const enum task_state ends[] = {TASK_FAILED, TASK_EXPIRED, TASK_CANCELLED};

    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct task task = succeeded(); /* whatever stands in the row, no video is shown */
        char want[1024];

        task.state = ends[i];
        (void)snprintf(want, sizeof(want), HEAD("cgt-up", "%s") SUCCESS_TAIL,
                       state_name(ends[i]));
        check_text(state_name(ends[i]), &task, want);
        (void)str_copy(task.error_code, sizeof(task.error_code), STR("InternalServiceError"));
        (void)str_copy(task.error_message, sizeof(task.error_message),
                       STR("It \"failed\"\n\xe5\xa4\xb1\xe8\xb4\xa5"));
        (void)snprintf(want, sizeof(want),
                       HEAD("cgt-up", "%s") ",\"error\":{\"code\":\"InternalServiceError\","
                                            "\"message\":\"It \\\"failed\\\"\\n"
                                            "\xe5\xa4\xb1\xe8\xb4\xa5\"}" SUCCESS_TAIL,
                       state_name(ends[i]));
        check_text(state_name(ends[i]), &task, want);
    }
}

static void test_what_was_asked_for(void)
{
    struct task task = task_of(TASK_QUEUED);

    task.has_seed = true;
    task.seed = -1;
    task.duration = -1;
    task.priority = 9;
    task.audio = false;
    (void)str_copy(task.safety_identifier, sizeof(task.safety_identifier), STR("user-1"));
    check_text(
        "asked", &task,
        HEAD(
            MINTED,
            "queued") ",\"safety_identifier\":\"user-1\"" TIMES
                      ",\"seed\":-1,\"resolution\":\"720p\",\"ratio\":\"16:9\",\"duration\":-1,"
                      "\"service_tier\":\"default\",\"execution_expires_after\":172800,"
                      "\"generate_audio\":false,\"priority\":9}");
    task = succeeded();
    task.has_seed = true;
    task.seed = 1;
    check_text(
        "the real seed wins", &task,
        HEAD("cgt-up",
             "succeeded") ",\"content\":{\"video_url\":\"https://v.example/1.mp4?a=b&c\"}"
                          ",\"usage\":{\"completion_tokens\":108900,\"total_tokens\":"
                          "108900}" SUCCESS_TAIL);
}

static void test_mini_says_nothing_about_audio(void)
{
    struct task task = task_of(TASK_RUNNING);

    (void)str_copy(task.model, sizeof(task.model), STR("doubao-seedance-2-0-mini"));
    (void)str_copy(task.model_asked, sizeof(task.model_asked), STR("doubao-seedance-2.0-mini"));
    check_text("mini", &task,
               "{\"id\":\"" MINTED "\",\"model\":\"doubao-seedance-2.0-mini\","
               "\"status\":\"running\"" TIMES
               ",\"resolution\":\"720p\",\"ratio\":\"16:9\",\"duration\":5,"
               "\"service_tier\":\"default\",\"execution_expires_after\":172800,"
               "\"priority\":0}");
}

/* Once the minted id was given, Ark's own is not shown in any state. */
static void test_nothing_managed_leaks(void)
{
    static const char *const secrets[] = {"cgt-up", "4711", "4712",
                                          "4713",   "tok-", "f.example"};
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    catalogue_fixture_init(&fixture);
    for (int state = 0; state < TASK_STATE_COUNT; state++) {
        struct task task = succeeded();
        CLEANUP(buf_fini) struct buf body = {0};
        struct err err = {0};

        task.state = (enum task_state)state;
        task.minted_public = true;
        buf_init(&body, 1 << 16);
        CHECK_OK("encode", ark_encode_task(fixture.catalogue, &task, &body, &err), &err);
        CHECK_TRUE("the id that was given", strstr(body.ptr, MINTED) != NULL);
        for (size_t i = 0; i < COUNT_OF(secrets); i++)
            CHECK_TRUE(secrets[i], strstr(body.ptr, secrets[i]) == NULL);
        CHECK_TRUE("identifier", strstr(body.ptr, "safety_identifier") == NULL);
        CHECK_TRUE("our words", strstr(body.ptr, "unknown") == NULL &&
                                    strstr(body.ptr, "submitting") == NULL &&
                                    strstr(body.ptr, "waiting") == NULL);
    }
}

/* Its rows are shown as those of most models are. */
static void test_a_model_that_left_the_catalogue(void)
{
    struct task task = task_of(TASK_QUEUED);

    (void)str_copy(task.model, sizeof(task.model), STR("doubao-seedance-9"));
    check_text("it left", &task, HEAD(MINTED, "queued") TIMES TAIL);
}

static void test_frames_instead_of_a_duration(void)
{
    struct task task = task_of(TASK_QUEUED);

    task.has_frames = true;
    task.frames = 29;
    task.duration = 0;
    check_text("frames", &task,
               HEAD(MINTED, "queued") TIMES
               ",\"resolution\":\"720p\",\"ratio\":\"16:9\",\"frames\":29,"
               "\"service_tier\":\"default\",\"execution_expires_after\":172800,"
               "\"generate_audio\":true,\"priority\":0}");
}

/* Each of the rarer members alone, then all at once in Ark's order. */
static void test_rare_members(void)
{
#define BEFORE                                                                            \
    HEAD(MINTED, "queued")                                                                \
    TIMES                                                                                 \
    ",\"resolution\":\"720p\",\"ratio\":\"16:9\",\"duration\":5,"                         \
    "\"service_tier\":\"default\",\"execution_expires_after\":172800,\"generate_audio\":" \
    "true"
    struct task task = task_of(TASK_QUEUED);

    task.has_draft = true;
    check_text("draft: false", &task, BEFORE ",\"draft\":false,\"priority\":0}");
    task.draft = true;
    check_text("draft: true", &task, BEFORE ",\"draft\":true,\"priority\":0}");
    task.has_draft = false;
    check_text("not asked for", &task, BEFORE ",\"priority\":0}");

    task = task_of(TASK_QUEUED);
    (void)str_copy(task.draft_task, sizeof(task.draft_task), STR("cgt-draft"));
    check_text("of a draft", &task, BEFORE ",\"draft_task_id\":\"cgt-draft\",\"priority\":0}");

    task = task_of(TASK_QUEUED);
    task.web_search = true;
    check_text("a tool", &task,
               BEFORE ",\"tools\":[{\"type\":\"web_search\"}],\"priority\":0}");

    task = task_of(TASK_QUEUED);
    (void)str_copy(task.output_format, sizeof(task.output_format), STR("mp4"));
    check_text("a format", &task, BEFORE ",\"priority\":0,\"output_format\":\"mp4\"}");

    task.has_draft = task.draft = task.web_search = true;
    (void)str_copy(task.draft_task, sizeof(task.draft_task), STR("cgt-draft"));
    check_text("all", &task,
               BEFORE ",\"draft\":true,\"draft_task_id\":\"cgt-draft\","
                      "\"tools\":[{\"type\":\"web_search\"}],\"priority\":0,"
                      "\"output_format\":\"mp4\"}");
#undef BEFORE
}

static void test_tool_usage(void)
{
    static const struct {
        int64_t uses;
        const char *text;
    } rows[] = {{0, "0"}, {1, "1"}, {12, "12"}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct task task = succeeded();
        char want[1024];

        task.has_tool_uses = true;
        task.tool_uses = rows[i].uses;
        (void)snprintf(
            want, sizeof(want),
            HEAD("cgt-up",
                 "succeeded") ",\"content\":{\"video_url\":\"https://v.example/1.mp4?a=b&c\"}"
                              ",\"usage\":{\"completion_tokens\":108900,\"total_tokens\":"
                              "108900,\"tool_usage\":{\"web_search\":%s}}" SUCCESS_TAIL,
            rows[i].text);
        check_text(rows[i].text, &task, want);
        task.state = TASK_FAILED;
        check_text("no usage without a video", &task, HEAD("cgt-up", "failed") SUCCESS_TAIL);
    }
}

/* Which models' answers say whether there is sound is the catalogue's word, also for one
 * tenant alone. */
static void test_sound_is_shown_as_the_catalogue_says(void)
{
    static const struct {
        const char *model;
        int64_t tenant_id;
        bool shown;
    } rows[] = {
        {"doubao-seedance-2-0", TENANT, true},
        {"doubao-seedance-2-0-fast", TENANT, false}, /* told below */
        {"doubao-seedance-2-0-fast", TENANT + 1, true},
        {"doubao-seedance-2-0-mini", TENANT, false},
        {"doubao-seedance-1-5-pro", TENANT, true},
        {"doubao-seedance-1-0-pro", TENANT, false},
        {"doubao-seedance-1-0-lite-t2v", TENANT, false},
        {"doubao-seedance-2-5", TENANT, true},
    };
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    catalogue_fixture_init(&fixture);
    catalogue_fixture_set(fixture.db, fixture.catalogue, TENANT, "doubao-seedance-2-0-fast",
                          "audio_echoed", "off");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct task task = task_of(TASK_QUEUED);
        CLEANUP(buf_fini) struct buf body = {0};
        struct err err = {0};

        task.tenant_id = rows[i].tenant_id;
        (void)str_copy(task.model, sizeof(task.model), str_from(rows[i].model));
        buf_init(&body, 1 << 16);
        CHECK_OK("encode", ark_encode_task(fixture.catalogue, &task, &body, &err), &err);
        CHECK_INT(rows[i].model, strstr(body.ptr, "generate_audio") != NULL, rows[i].shown);
    }
}

static void test_a_full_buffer_is_told(void)
{
    struct task task = succeeded();
    CLEANUP(buf_fini) struct buf body = {0};
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct err err = {0};

    catalogue_fixture_init(&fixture);
    buf_init(&body, 100);
    CHECK_INT("full", ark_encode_task(fixture.catalogue, &task, &body, &err), ERR_TOO_LARGE);
}

CHECK_MAIN(CHECK_TEST(test_states_before_an_outcome), CHECK_TEST(test_succeeded),
           CHECK_TEST(test_ends_without_a_video), CHECK_TEST(test_what_was_asked_for),
           CHECK_TEST(test_mini_says_nothing_about_audio),
           CHECK_TEST(test_nothing_managed_leaks),
           CHECK_TEST(test_a_model_that_left_the_catalogue),
           CHECK_TEST(test_frames_instead_of_a_duration), CHECK_TEST(test_rare_members),
           CHECK_TEST(test_tool_usage), CHECK_TEST(test_sound_is_shown_as_the_catalogue_says),
           CHECK_TEST(test_a_full_buffer_is_told))
