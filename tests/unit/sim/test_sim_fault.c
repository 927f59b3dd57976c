/* SPDX-License-Identifier: Apache-2.0 */
/* Every fault of the simulator, by the control route and by the prompt. */
#include "tests/unit/sim/sim_client.h"

#define CREATE "{\"model\":\"ep-1\",\"content\":[{\"type\":\"text\",\"text\":\"%s\"}]}"

/* Sends a create whose prompt carries these actions. */
static struct reply create(const char *actions)
{
    char body[512], prompt[256];

    (void)snprintf(prompt, sizeof(prompt), "a cat [sim: %s] runs", actions);
    (void)snprintf(body, sizeof(body), CREATE, prompt);
    return ask("POST", TASKS, body);
}

static void requests(void)
{
    static const struct {
        const char *actions;
        int status;
        int error;        /* of the connection's end */
        int64_t len;      /* of the body; -1: not checked */
        const char *code; /* in the body */
        int made;         /* tasks */
    } rows[] = {
        {"", 200, 0, -1, "", 1},
        {"status=503", 503, 0, -1, "InternalServiceError", 0},
        {"status=429", 429, 0, -1, "RateLimitExceeded.EndpointRPMExceeded", 0},
        {"status=400 code=InputTextSensitiveContentDetected", 400, 0, -1,
         "InputTextSensitiveContentDetected", 0},
        {"status=500 made", 500, 0, -1, "InternalServiceError", 1},
        {"drop=before", 0, 0, -1, "", 0},
        {"drop=after", 0, 0, -1, "", 1},
        {"drop=reset_before", 0, ECONNRESET, -1, "", 0},
        {"drop=reset_after", 0, ECONNRESET, -1, "", 1},
        {"truncate=7", 200, 0, 7, "", 1},
        {"truncate=0", 200, 0, 0, "", 1},
        {"malform", 200, 0, -1, "", 1},
        {"status=502 malform", 502, 0, -1, "", 0},
        {"empty", 200, 0, 0, "", 1},
        {"no_id", 200, 0, 2, "", 1},
        {"drip=1", 200, 0, 33, "", 1},
    };

    start(1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t before = counter("made");
        struct reply reply = create(rows[i].actions);

        CHECK_INT(rows[i].actions, reply.status, rows[i].status);
        CHECK_INT(rows[i].actions, reply.error, rows[i].error);
        CHECK_TEXT(rows[i].actions, member(reply.body, "code"), rows[i].code);
        if (rows[i].len >= 0)
            CHECK_INT(rows[i].actions, reply.body.len, rows[i].len);
        CHECK_INT(rows[i].actions, counter("made") - before, rows[i].made);
        reply_fini(&reply);
    }
    struct reply cut = create("truncate=7");

    CHECK_INT("a cut answer promises all", cut.promised, 33);
    reply_fini(&cut);
    struct reply garbage = create("malform");

    CHECK_TRUE("malform", holds(garbage.body, "<html>") && !holds(garbage.body, "cgt-"));
    reply_fini(&garbage);
    sim_stop(&sim);
}

static void waits(void)
{
    static const struct {
        const char *actions;
        int status;
        int64_t least_ms;
    } rows[] = {
        {"delay_ms=300", 200, 300},
        {"hang_ms=300", 0, 300},
        {"drip=10", 200, 320},
    };

    start(1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t started_us = sys_mono_us();
        struct reply reply = create(rows[i].actions);

        CHECK_INT(rows[i].actions, reply.status, rows[i].status);
        CHECK_TRUE(rows[i].actions, sys_mono_us() - started_us >= rows[i].least_ms * 1000);
        reply_fini(&reply);
    }
    CHECK_INT("made", counter("made"), 3);
    sim_stop(&sim);
}

static void *hang(void *ctx)
{
    *(struct reply *)ctx = create("hang_ms=500000");
    return NULL;
}

static void stop_ends_hanging_answers(void)
{
    int64_t started_us = sys_mono_us();
    struct reply reply = {0};
    pthread_t thread;

    start(1000);
    CHECK_INT("thread", pthread_create(&thread, NULL, hang, &reply), 0);
    while (counter("made") == 0)
        continue;
    sim_stop(&sim);
    (void)pthread_join(thread, NULL);
    CHECK_INT("no answer", reply.status, 0);
    CHECK_TRUE("soon", sys_mono_us() - started_us < 60 * 1000000);
    reply_fini(&reply);
}

static void task_ends(void)
{
    static const struct {
        const char *actions;
        const char *status;
        const char *member;
        const char *value;
    } rows[] = {
        {"fail=OutputVideoSensitiveContentDetected", "failed", "code",
         "OutputVideoSensitiveContentDetected"},
        {"fail=X", "failed", "completion_tokens", ""},
        {"stay=queued", "queued", "video_url", ""},
        {"stay=running", "running", "video_url", ""},
        {"expire", "expired", "completion_tokens", ""},
        {"final_resolution=480p", "succeeded", "completion_tokens", "50638"},
        {"final_resolution=1080p final_duration=4", "succeeded", "completion_tokens", "196425"},
        {"final_ratio=21:9", "succeeded", "ratio", "21:9"},
        {"final_duration=4", "succeeded", "duration", "4"},
        {"usage=missing", "succeeded", "completion_tokens", ""},
        {"usage=negative", "succeeded", "total_tokens", "-1"},
        {"usage=huge", "succeeded", "total_tokens", "1000000000000"},
        {"usage=42", "succeeded", "total_tokens", "42"},
        {"no_video_url", "succeeded", "video_url", ""},
        {"no_video_url", "succeeded", "completion_tokens", "108900"},
        {"queue_ms=100000000", "queued", "resolution", "720p"},
        {"run_ms=100000000", "running", "resolution", "720p"},
    };
    struct id ids[COUNT_OF(rows)] = {0};

    start(1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reply reply = create(rows[i].actions);

        (void)str_copy(ids[i].text, sizeof(ids[i].text), str_from(member(reply.body, "id")));
        reply_fini(&reply);
    }
    advance(100);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK_TEXT(rows[i].actions, now(ids[i], "status"), rows[i].status);
        CHECK_TEXT(rows[i].actions, now(ids[i], rows[i].member), rows[i].value);
    }
    sim_stop(&sim);
}

static void vanishing(void)
{
    start(1);
    struct id id = make("[sim: vanish]");

    CHECK_TEXT("queued", now(id, "status"), "queued");
    advance(1500);
    expect("running", get(id), 404, "ResourceNotFound");
    struct reply reply = ask("GET", TASKS, NULL);

    CHECK_TEXT("list", reply.body.ptr, "{\"total\":0,\"items\":[]}");
    reply_fini(&reply);
    sim_stop(&sim);
}

static void finished_before_delete(void)
{
    start(1);
    struct id marked = make("[sim: finish_before_delete]"), plain = make("a");

    expect("marked", erase(marked), 200, "");
    fault("{\"on\":\"delete\",\"do\":{\"finish_before_delete\":true}}");
    expect("plain", erase(plain), 200, "");
    expect("gone", get(plain), 404, "ResourceNotFound");
    CHECK_INT("both succeeded", counter("succeeded"), 2);
    CHECK_INT("and were erased", counter("erased"), 2);
    sim_stop(&sim);
}

static void control(void)
{
    start(1);
    struct id id = make("a");

    fault("{\"on\":\"get\",\"times\":2,\"do\":{\"status\":500}}");
    fault("{\"on\":\"list\",\"times\":-1,\"do\":{\"drop\":\"before\"}}");
    fault("{\"on\":\"create\",\"do\":{\"fail\":\"Bad\",\"queue_ms\":0,\"run_ms\":0}}");
    CHECK_INT("waiting", counter("faults"), 3);
    expect("first", get(id), 500, "InternalServiceError");
    expect("second", get(id), 500, "InternalServiceError");
    expect("third", get(id), 200, "");
    for (int i = 0; i < 3; i++)
        expect("list", ask("GET", TASKS, NULL), 0, "");
    CHECK_TEXT("made to fail", now(make("a"), "status"), "failed");
    CHECK_TEXT("only one", now(make("a"), "status"), "queued");
    struct reply reply = ask("DELETE", "/sim/faults", NULL);

    CHECK_INT("clear", reply.status, 200);
    reply_fini(&reply);
    reply = ask("GET", TASKS, NULL);
    CHECK_INT("list", reply.status, 200);
    reply_fini(&reply);
    sim_stop(&sim);
}

static void refusals(void)
{
    static const char *const bodies[] = {
        "",
        "{}",
        "{\"on\":\"put\",\"do\":{}}",
        "{\"on\":\"get\",\"times\":0,\"do\":{}}",
        "{\"on\":\"get\",\"do\":7}",
        "{\"on\":\"get\",\"do\":{\"explode\":true}}",
        "{\"on\":\"get\",\"do\":{\"status\":99}}",
        "{\"on\":\"get\",\"do\":{\"drop\":\"maybe\"}}",
        "{\"on\":\"get\",\"do\":{\"fail\":\"X\"}}",
        "{\"on\":\"create\",\"do\":{\"usage\":\"some\"}}",
        "{\"on\":\"create\",\"do\":{\"expire\":\"perhaps\"}}",
    };

    start(1);
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        expect(bodies[i], ask("POST", "/sim/faults", bodies[i]), 400, "InvalidParameter");
    expect("clock", ask("POST", "/sim/clock", "{\"advance_ms\":-1}"), 400, "InvalidParameter");
    expect("route", ask("GET", "/sim/else", NULL), 404, "NotFound");
    expect("marker", create("explode=1"), 400, "InvalidParameter");
    expect("marker", create("drop=maybe"), 400, "InvalidParameter");
    expect("no end",
           ask("POST", TASKS,
               "{\"model\":\"ep-1\",\"content\":[{\"type\":\"text\",\"text\":\"[sim: x\"}]}"),
           400, "InvalidParameter");
    CHECK_INT("none waits", counter("faults"), 0);
    CHECK_INT("none made", counter("made"), 0);
    sim_stop(&sim);
}

static void tasks_route(void)
{
    start(1);
    struct id id = make_with("ep-fast-1", "a", ",\"safety_identifier\":\"s\"");
    struct reply reply = ask("GET", "/sim/tasks", NULL);

    CHECK_TEXT("id", member(reply.body, "id"), id.text);
    CHECK_TEXT("safety", member(reply.body, "safety_identifier"), "s");
    CHECK_TEXT("model", member(reply.body, "model"), "doubao-seedance-2-0-fast-260128");
    CHECK_TEXT("endpoint", member(reply.body, "endpoint"), "ep-fast-1");
    CHECK_TEXT("hash", member(reply.body, "body_sha256"),
               "d20d3c33ef57cf7a93520bfcf33a58c7c8e7b2c9b7d2a0a314d7ddcb58a70bc2");
    reply_fini(&reply);
    sim_stop(&sim);
}

CHECK_MAIN(CHECK_TEST(requests), CHECK_TEST(waits), CHECK_TEST(stop_ends_hanging_answers),
           CHECK_TEST(task_ends), CHECK_TEST(vanishing), CHECK_TEST(finished_before_delete),
           CHECK_TEST(control), CHECK_TEST(refusals), CHECK_TEST(tasks_route))
