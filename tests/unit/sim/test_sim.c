/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated data plane: creates and their checks, states, answers, lists. */
#include "tests/unit/sim/sim_client.h"

#define STANDARD "doubao-seedance-2-0-260128"
#define TEXT(more) \
    "{\"model\":\"" STANDARD "\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]" more "}"
#define WITH(items) "{\"model\":\"" STANDARD "\",\"content\":[" items "]}"
#define PROMPT "{\"type\":\"text\",\"text\":\"a\"}"
#define IMAGE(role) \
    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a.example/i.png\"}" role "}"
#define VIDEO(role) \
    "{\"type\":\"video_url\",\"video_url\":{\"url\":\"https://a.example/v.mp4\"}" role "}"
#define AUDIO                                                             \
    "{\"type\":\"audio_url\",\"audio_url\":{\"url\":\"https://a.example/" \
    "a.mp3\"},\"role\":\"reference_audio\"}"
#define FIRST ",\"role\":\"first_frame\""
#define LAST ",\"role\":\"last_frame\""
#define REFERENCE ",\"role\":\"reference_image\""

static void create_checks(void)
{
    static const struct {
        const char *body;
        int status;
        const char *code;
    } rows[] = {
        {TEXT(""), 200, ""},
        {TEXT(",\"unknown\":{\"a\":1},\"framespersecond\":999,\"callback_url\":\"https://a/\""),
         200, ""},
        {TEXT(",\"duration\":null,\"tools\":null,\"frames\":null,\"seed\":-1"), 200, ""},
        {TEXT(",\"resolution\":\"4K\",\"ratio\":\"adaptive\",\"duration\":-1"), 200, ""},
        {TEXT(",\"tools\":[{\"type\":\"web_search\"}]"), 200, ""},
        {"{", 400, "InvalidParameter"},
        {"[]", 400, "InvalidParameter"},
        {"{\"content\":[]}", 400, "MissingParameter.model"},
        {"{\"model\":\"" STANDARD "\"}", 400, "MissingParameter.content"},
        {"{\"model\":\"seedance-2.0\",\"content\":[" PROMPT "]}", 404,
         "InvalidEndpointOrModel.NotFound"},
        {"{\"model\":\"ep-2026-x\",\"content\":[" PROMPT "]}", 200, ""},
        {TEXT(",\"resolution\":\"2k\""), 400, "InvalidParameter"},
        {"{\"model\":\"ep-fast-x\",\"resolution\":\"1080p\",\"content\":[" PROMPT "]}", 400,
         "InvalidParameter"},
        {TEXT(",\"ratio\":\"2:1\""), 400, "InvalidParameter"},
        {TEXT(",\"duration\":3"), 400, "InvalidParameter"},
        {TEXT(",\"duration\":16"), 400, "InvalidParameter"},
        {TEXT(",\"duration\":5.5"), 400, "InvalidParameter"},
        {TEXT(",\"priority\":10"), 400, "InvalidParameter"},
        {TEXT(",\"execution_expires_after\":3599"), 400, "InvalidParameter"},
        {TEXT(",\"generate_audio\":\"yes\""), 400, "InvalidParameter"},
        {TEXT(",\"service_tier\":\"flex\""), 400, "InvalidParameter"},
        {TEXT(",\"draft\":true"), 400, "InvalidParameter"},
        {TEXT(",\"draft\":false,\"camera_fixed\":false"), 200, ""},
        {TEXT(",\"frames\":29"), 400, "InvalidParameter"},
        {TEXT(",\"safety_identifier\":"
              "\"0123456789012345678901234567890123456789012345678901234567890123\""),
         200, ""},
        {TEXT(",\"safety_identifier\":"
              "\"01234567890123456789012345678901234567890123456789012345678901234\""),
         400, "InvalidParameter"},
        {TEXT(",\"seed\":4294967296"), 400, "InvalidParameter"},
        {WITH(""), 400, "InvalidParameter"},
        {WITH("{\"type\":\"draft_task\",\"draft_task\":{\"id\":\"x\"}}"), 400,
         "InvalidParameter"},
        {WITH("{\"type\":\"text\"}"), 400, "MissingParameter.content.text"},
        {WITH("{\"type\":\"text\",\"text\":\"  \"}"), 400, "InvalidParameter"},
        {WITH("{\"type\":\"image_url\",\"image_url\":\"https://a.example/i.png\"}"), 400,
         "InvalidParameter"},
        {WITH("{\"type\":\"image_url\",\"image_url\":{\"url\":\"asset://asset-1\"}}"), 400,
         "InvalidParameter"},
        {WITH(
             "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AA==\"}}"),
         200, ""},
        {WITH(PROMPT ",{\"type\":\"video_url\",\"video_url\":{\"url\":\"data:video/"
                     "mp4;base64,AA==\"}}"),
         400, "InvalidParameter"},
        {WITH("{\"type\":\"image_url\",\"image_url\":{\"url\":\"ftp://a/i.png\"}}"), 400,
         "InvalidParameter"},
        {WITH(IMAGE("")), 200, ""},
        {WITH(IMAGE("") "," IMAGE("")), 400, "InvalidParameter"},
        {WITH(IMAGE(FIRST) "," IMAGE(LAST)), 200, ""},
        {WITH(IMAGE(FIRST) "," IMAGE(FIRST)), 400, "InvalidParameter"},
        {WITH(IMAGE(LAST)), 400, "InvalidParameter"},
        {WITH(IMAGE(FIRST) "," IMAGE(REFERENCE)), 400, "InvalidParameter"},
        {WITH(IMAGE(FIRST) "," VIDEO("")), 400, "InvalidParameter"},
        {WITH(IMAGE(",\"role\":\"hero\"")), 400, "InvalidParameter"},
        {WITH(VIDEO(FIRST)), 400, "InvalidParameter"},
        {WITH(VIDEO("") "," VIDEO("") "," VIDEO("")), 200, ""},
        {WITH(VIDEO("") "," VIDEO("") "," VIDEO("") "," VIDEO("")), 400, "InvalidParameter"},
        {WITH(PROMPT "," AUDIO), 400, "InvalidParameter"},
        {WITH(IMAGE(REFERENCE) "," AUDIO), 200, ""},
        {"{\"model\":\"" STANDARD
         "\",\"tools\":[{\"type\":\"web_search\"}],\"content\":[" PROMPT "," IMAGE("") "]}",
         400, "InvalidParameter"},
    };

    start(1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        expect(rows[i].body, ask("POST", TASKS, rows[i].body), rows[i].status, rows[i].code);
    CHECK_INT("calls", counter("create"), COUNT_OF(rows));
    sim_stop(&sim);
}

static void answer_shape(void)
{
    start(1000);
    struct id id = make_with("ep-mini-1", "a",
                             ",\"safety_identifier\":\"who\",\"seed\":11,\"priority\":3");
    char want[1024];

    CHECK_INT("id length", strlen(id.text), 24);
    CHECK_TRUE("id", strncmp(id.text, "cgt-20", 6) == 0 && id.text[18] == '-');
    advance(60000);
    struct reply reply = get(id);
    long long created = strtoll(member(reply.body, "created_at"), NULL, 10);
    long long updated = strtoll(member(reply.body, "updated_at"), NULL, 10);
    char url[256];

    (void)str_copy(url, sizeof(url), str_from(member(reply.body, "video_url")));
    CHECK_TRUE("times", created > 1700000000 && updated >= created && updated <= created + 1);
    (void)snprintf(
        want, sizeof(want),
        "{\"id\":\"%s\",\"model\":\"doubao-seedance-2-0-mini-260615\","
        "\"status\":\"succeeded\",\"safety_identifier\":\"who\","
        "\"content\":{\"video_url\":\"%s\"},"
        "\"usage\":{\"completion_tokens\":108900,\"total_tokens\":108900},"
        "\"created_at\":%lld,\"updated_at\":%lld,\"seed\":11,\"resolution\":\"720p\","
        "\"ratio\":\"16:9\",\"duration\":5,\"framespersecond\":24,"
        "\"service_tier\":\"default\",\"execution_expires_after\":172800,"
        "\"draft\":false,\"priority\":3}",
        id.text, url, created, updated);
    CHECK_TEXT("get", reply.body.ptr, want);
    CHECK_TRUE("request id", strcasestr(reply.raw.ptr, "\r\nX-Request-Id: 02") != NULL);
    reply_fini(&reply);
    reply = ask("GET", TASKS, NULL);
    CHECK_TRUE("list item", !holds(reply.body, "safety_identifier"));
    CHECK_TRUE("list item",
               strncmp(reply.body.ptr, "{\"total\":1,\"items\":[{\"id\":", 26) == 0);
    reply_fini(&reply);
    reply = ask_as(KEY, "GET", TASKS "/cgt-x", "X-Client-Request-Id: mine\r\n", NULL);
    CHECK_INT("unknown", reply.status, 404);
    CHECK_TEXT("unknown", member(reply.body, "code"), "ResourceNotFound");
    CHECK_TEXT("unknown", member(reply.body, "type"), "NotFound");
    CHECK_TRUE("unknown", holds(reply.body, "Request id: 02"));
    CHECK_TRUE("echo", strstr(reply.raw.ptr, "X-Client-Request-Id: mine\r\n") != NULL);
    reply_fini(&reply);
    sim_stop(&sim);
}

static void states(void)
{
    start(1);
    struct id id = make("a"), gone = make("b"), late;

    CHECK_TEXT("at once", now(id, "status"), "queued");
    CHECK_TEXT("at once", now(id, "usage"), "");
    expect("queued", erase(gone), 200, "");
    CHECK_TEXT("cancelled", now(gone, "status"), "cancelled");
    expect("cancelled", erase(gone), 409, "InvalidAction.CancelledTaskDeletion");
    advance(2000);
    CHECK_TEXT("after 2 s", now(id, "status"), "running");
    expect("running", erase(id), 409, "InvalidAction.RunningTaskDeletion");
    advance(11000);
    CHECK_TEXT("after 13 s", now(id, "status"), "running");
    advance(1500);
    CHECK_TEXT("after 14.5 s", now(id, "status"), "succeeded");
    expect("succeeded", erase(id), 200, "");
    expect("erased", get(id), 404, "ResourceNotFound");
    expect("erased", erase(id), 404, "ResourceNotFound");
    late = make_with(STANDARD, "[sim: stay=queued]", ",\"execution_expires_after\":3600");
    advance(3599000);
    CHECK_TEXT("an hour less a second", now(late, "status"), "queued");
    advance(1000);
    CHECK_TEXT("an hour", now(late, "status"), "expired");
    advance(INT64_C(82800000));
    expect("cancelled a day ago", get(gone), 404, "ResourceNotFound");
    CHECK_TEXT("the other one", now(late, "status"), "expired");
    advance(INT64_C(6 * 86400000));
    expect("a week later", get(late), 404, "ResourceNotFound");
    expect("unknown", erase((struct id){"cgt-20260101000000-aaaaa"}), 404, "ResourceNotFound");
    CHECK_INT("erased", counter("erased"), 1);
    sim_stop(&sim);
}

static void tokens(void)
{
    static const struct {
        const char *more;
        const char *tokens;
    } rows[] = {
        {"", "108900"},
        {",\"resolution\":\"4k\",\"duration\":4", "785700"},
        {",\"resolution\":\"480p\"", "50638"},
        {",\"resolution\":\"480p\",\"duration\":4", "40594"},
        {",\"resolution\":\"1080p\",\"duration\":4", "196425"},
        {",\"ratio\":\"21:9\"", "109431"},
        {",\"ratio\":\"4:3\"", "109586"},
        {",\"resolution\":\"1080p\",\"ratio\":\"21:9\"", "246593"},
        {",\"resolution\":\"4k\",\"ratio\":\"21:9\"", "980126"},
        {",\"duration\":-1,\"ratio\":\"adaptive\"", "108900"},
    };
    struct id ids[COUNT_OF(rows)];

    start(1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ids[i] = make_with(STANDARD, "a", rows[i].more);
    struct id inline_id = make("a cat --rs 480p --rt 16:9 --dur 4 --fps 24");
    struct id wrong_id = make("a cat --rs 9k --dur 99");
    struct id won_id =
        make_with(STANDARD, "a cat --rs 480p", ",\"resolution\":\"1080p\",\"duration\":4");
    struct reply reply = ask("POST", TASKS, WITH(VIDEO("") "," VIDEO("")));
    struct id video_id = {""};

    (void)str_copy(video_id.text, sizeof(video_id.text), str_from(member(reply.body, "id")));
    reply_fini(&reply);
    advance(1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_TEXT(rows[i].more, now(ids[i], "completion_tokens"), rows[i].tokens);
    CHECK_TEXT("inline", now(inline_id, "completion_tokens"), "40594");
    CHECK_TEXT("inline, wrong", now(wrong_id, "completion_tokens"), "108900");
    CHECK_TEXT("inline and member", now(won_id, "completion_tokens"), "196425");
    CHECK_TEXT("10 s of video", now(video_id, "completion_tokens"), "324900");
    sim_stop(&sim);
}

static void accounts(void)
{
    start(1);
    struct id id = make("a");
    char path[128];

    (void)snprintf(path, sizeof(path), TASKS "/%s", id.text);
    expect("mine", ask_as("key-one", "GET", path, "", NULL), 200, "");
    expect("another's", ask_as("key-two", "GET", path, "", NULL), 404, "ResourceNotFound");
    expect("another's", ask_as("key-two", "DELETE", path, "", NULL), 404, "ResourceNotFound");
    expect("nobody", ask_as("key-three", "GET", path, "", NULL), 401, "AuthenticationError");
    expect("nobody", ask_as("key-three", "POST", TASKS, "", "{}"), 401, "AuthenticationError");
    expect("base", ask_as("bad", "GET", "/api/v3", "", NULL), 401, "AuthenticationError");
    expect("base", ask("GET", "/api/v3", NULL), 404, "InvalidAction");
    expect("cancel path", ask("POST", TASKS "/x/cancel", "{}"), 404, "InvalidAction");
    struct reply reply = ask_as("key-two", "GET", TASKS, "", NULL);

    CHECK_TEXT("another's list", reply.body.ptr, "{\"total\":0,\"items\":[]}");
    reply_fini(&reply);
    CHECK_INT("unauthorized", counter("unauthorized"), 3);
    sim_stop(&sim);
}

static void check_list(const char *query, int64_t total, const char *first)
{
    CLEANUP(buf_fini) struct buf path = {0};

    buf_init(&path, 65536);
    buf_printf(&path, TASKS "?%s", query);
    struct reply reply = ask("GET", path.ptr, NULL);

    CHECK_INT(query, reply.status, 200);
    CHECK_INT(query, strtoll(member(reply.body, "total"), NULL, 10), total);
    CHECK_TEXT(query, member(reply.body, "id"), first);
    reply_fini(&reply);
}

static void lists(void)
{
    static const char *const bad[] = {"page_num=0",
                                      "page_num=501",
                                      "page_size=x",
                                      "page_size=501",
                                      "filter.status=lost",
                                      "page_num=",
                                      "filter.service_tier=gold"};
    struct id ids[5];
    char query[512];

    start(1);
    for (int i = 0; i < 5; i++) {
        ids[i] = make_with(i == 3 ? "ep-fast-9" : STANDARD, "a", "");
        advance(10);
    }
    expect("cancel", erase(ids[0]), 200, "");
    check_list("", 5, ids[4].text);
    check_list("page_size=2&page_num=2", 5, ids[2].text);
    check_list("page_num=500", 5, "");
    check_list("filter.status=cancelled", 1, ids[0].text);
    check_list("filter.status=queued&page_size=500", 4, ids[4].text);
    check_list("filter.model=ep-fast-9", 1, ids[3].text);
    check_list("filter.model=doubao-seedance-2-0-fast-260128", 1, ids[3].text);
    check_list("filter.service_tier=flex", 0, "");
    check_list("filter.service_tier=default", 5, ids[4].text);
    (void)snprintf(query, sizeof(query),
                   "filter.task_ids=%s&filter.task_ids=%s&filter.task_ids=cgt-none",
                   ids[1].text, ids[2].text);
    check_list(query, 2, ids[2].text);
    (void)snprintf(query, sizeof(query), "filter.task_ids=%s%%2C%s,%s,%s", ids[1].text,
                   ids[2].text, ids[3].text, ids[3].text);
    check_list(query, 3, ids[3].text);
    CHECK_INT("ids at once", counter("list_ids_max"), 4);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        (void)snprintf(query, sizeof(query), TASKS "?%s", bad[i]);
        expect(bad[i], ask("GET", query, NULL), 400, "InvalidParameter");
    }
    sim_stop(&sim);
}

static void many_ids(void)
{
    CLEANUP(buf_fini) struct buf query = {0};

    start(1);
    struct id id = make("a");

    buf_init(&query, 65536);
    buf_printf(&query, "filter.task_ids=%s", id.text);
    for (int i = 1; i < 500; i++)
        buf_printf(&query, "&filter.task_ids=cgt-20260101000000-%05d", i);
    check_list(query.ptr, 1, id.text);
    buf_puts(&query, "&filter.task_ids=one-more");
    CLEANUP(buf_fini) struct buf path = {0};

    buf_init(&path, 65536);
    buf_printf(&path, TASKS "?%s", query.ptr);
    expect("501 ids", ask("GET", path.ptr, NULL), 400, "InvalidParameter");
    sim_stop(&sim);
}

static void limits(void)
{
    start_with((struct sim_options){.speed = 1, .limits = true, .create_rpm = 3});
    int refused = 0;

    for (int i = 0; i < 3; i++)
        (void)make("a");
    expect("create", ask("POST", TASKS, TEXT("")), 429,
           "RateLimitExceeded.EndpointRPMExceeded");
    expect("list", ask("GET", TASKS, NULL), 200, "");
    expect("list", ask("GET", TASKS, NULL), 429, "APIAccountRpmRateLimitExceeded");
    expect("another's list", ask_as("key-two", "GET", TASKS, "", NULL), 200, "");
    for (int i = 0; i < 200; i++) {
        struct reply reply = ask("GET", TASKS "/cgt-x", NULL);

        refused += reply.status == 429;
        reply_fini(&reply);
    }
    CHECK_TRUE("GET 20 a second", refused > 0);
    struct reply reply = ask("GET", "/sim/state", NULL);

    CHECK_TRUE("limited", holds(reply.body, "\"limited\":{\"create\":1,\"get\":"));
    reply_fini(&reply);
    sim_stop(&sim);
}

static void options(void)
{
    static const struct {
        const char *what;
        struct sim_options options;
    } rows[] = {
        {"no key", {.listen = "127.0.0.1:0", .api_key = " , "}},
        {"no port", {.listen = "127.0.0.1", .api_key = "k"}},
        {"no address", {.api_key = "k"}},
        {"port", {.listen = "127.0.0.1:70000", .api_key = "k"}},
        {"speed", {.listen = "127.0.0.1:0", .api_key = "k", .speed = -1}},
        {"folder", {.listen = "127.0.0.1:0", .api_key = "k", .media_dir = "/proc/none/x"}},
        {"address", {.listen = "192.0.2.1:0", .api_key = "k"}},
    };
    struct sim_options missing = {.listen = "127.0.0.1:0", .api_key = "k"};
    char path[4096];
    struct err err = {0};

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_INT(rows[i].what, sim_start(&rows[i].options, &sim, &err), ERR_CONFIG);
    (void)str_copy(path, sizeof(path), str_from(getenv("PATH")));
    (void)setenv("PATH", "/nowhere", 1);
    CHECK_INT("no ffmpeg", sim_start(&missing, &sim, &err), ERR_CONFIG);
    (void)setenv("PATH", path, 1);
    CHECK_TRUE("no ffmpeg", strstr(err.msg, "ffmpeg") != NULL);
    CHECK_TRUE("nothing started", sim == NULL);
    sim_stop(&sim);
}

CHECK_MAIN(CHECK_TEST(create_checks), CHECK_TEST(answer_shape), CHECK_TEST(states),
           CHECK_TEST(tokens), CHECK_TEST(accounts), CHECK_TEST(lists), CHECK_TEST(many_ids),
           CHECK_TEST(limits), CHECK_TEST(options))
