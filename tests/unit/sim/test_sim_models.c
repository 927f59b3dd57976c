/* SPDX-License-Identifier: Apache-2.0 */
/* What each model can do: its checks, its sizes and tokens, drafts, the flex
 * tier, the web search, inline parameters. */
#include "tests/unit/sim/sim_client.h"

#define STANDARD "doubao-seedance-2-0-260128"
#define V25 "doubao-seedance-2-5-260628"
#define V15 "doubao-seedance-1-5-pro-251215"
#define PRO "doubao-seedance-1-0-pro-250528"
#define FAST "doubao-seedance-1-0-pro-fast-251015"
#define T2V "doubao-seedance-1-0-lite-t2v-250428"
#define I2V "doubao-seedance-1-0-lite-i2v-250428"

#define PROMPT "{\"type\":\"text\",\"text\":\"a\"}"
#define IMAGE(role)                                                       \
    "{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://a.example/" \
    "i.png\"},\"role\":\"" role "\"}"
#define FIRST IMAGE("first_frame")
#define LAST IMAGE("last_frame")
#define REFERENCE IMAGE("reference_image")
#define VIDEO "{\"type\":\"video_url\",\"video_url\":{\"url\":\"https://a.example/v.mp4\"}}"
#define AUDIO "{\"type\":\"audio_url\",\"audio_url\":{\"url\":\"https://a.example/a.mp3\"}}"

static struct reply create(const char *model, const char *content, const char *more)
{
    static char body[65536];

    (void)snprintf(body, sizeof(body), "{\"model\":\"%s\",\"content\":[%s]%s}", model, content,
                   more);
    return ask("POST", TASKS, body);
}

static struct id make_of(const char *model, const char *content, const char *more)
{
    struct id id = {""};
    struct reply reply = create(model, content, more);

    CHECK_INT(more, reply.status, 200);
    (void)str_copy(id.text, sizeof(id.text), str_from(member(reply.body, "id")));
    reply_fini(&reply);
    return id;
}

static void capabilities(void)
{
    static const struct {
        const char *model, *content, *more;
        int status;
        const char *message; /* part of it */
    } rows[] = {
        {V25, REFERENCE "," VIDEO "," AUDIO, "", 200, ""},
        {V25, AUDIO, "", 200, ""},
        {STANDARD, AUDIO, "", 400, "audio must come with"},
        {V25, PROMPT, ",\"duration\":30", 200, ""},
        {V25, PROMPT, ",\"duration\":31", 400, "for model doubao-seedance-2-5 in t2v"},
        {V25, PROMPT, ",\"resolution\":\"4k\"", 400, "parameter resolution specified"},
        {V25, PROMPT, ",\"seed\":-1,\"camera_fixed\":false", 200, ""},
        {V25, PROMPT, ",\"seed\":1", 400, "parameter seed specified"},
        {V25, PROMPT, ",\"output_format\":\"mp4\"", 200, ""},
        {V25, PROMPT, ",\"output_format\":\"gif\"", 400, "parameter output_format specified"},
        {V25, PROMPT, ",\"priority\":9", 200, ""},
        {V25, PROMPT, ",\"service_tier\":\"flex\"", 400, "parameter service_tier specified"},
        {V25, FIRST, ",\"ratio\":\"adaptive\"", 200, ""},
        {V25, FIRST, ",\"ratio\":\"16:9\"", 400,
         "For first-frame or first-last-frame generation, the output ratio follows the "
         "first-frame image."},
        {STANDARD, FIRST, ",\"ratio\":\"16:9\"", 200, ""},
        {STANDARD, FIRST, ",\"duration\":3", 400,
         "the parameter duration specified in the request is not valid for model "
         "doubao-seedance-2-0 in i2v Request id: 02"},
        {STANDARD, VIDEO, ",\"duration\":3", 400, "doubao-seedance-2-0 in r2v Request id: 02"},
        {STANDARD, PROMPT, ",\"duration\":-1", 200, ""},
        {V15, PROMPT, ",\"duration\":-1", 200, ""},
        {V15, PROMPT, ",\"duration\":13", 400, "parameter duration"},
        {V15, FIRST "," LAST, "", 200, ""},
        {V15, REFERENCE, "", 400, "reference media content is not supported"},
        {V15, PROMPT, ",\"frames\":29", 400, "parameter frames"},
        {V15, PROMPT, ",\"priority\":1", 400, "parameter priority"},
        {V15, PROMPT, ",\"camera_fixed\":true,\"seed\":5", 200, ""},
        {STANDARD, PROMPT, ",\"camera_fixed\":true", 400, "parameter camera_fixed"},
        {V15, PROMPT, ",\"draft\":true", 200, ""},
        {V15, PROMPT, ",\"draft\":true,\"resolution\":\"720p\"", 400, "parameter resolution"},
        {PRO, PROMPT, ",\"draft\":true", 400, "parameter draft"},
        {PRO, PROMPT, ",\"duration\":2", 200, ""},
        {PRO, PROMPT, ",\"duration\":-1", 400, "parameter duration"},
        {PRO, PROMPT, ",\"ratio\":\"adaptive\"", 400, "parameter ratio"},
        {PRO, FIRST, ",\"ratio\":\"adaptive\"", 200, ""},
        {PRO, PROMPT, ",\"frames\":29", 200, ""},
        {PRO, PROMPT, ",\"frames\":289", 200, ""},
        {PRO, PROMPT, ",\"frames\":30", 400, "parameter frames"},
        {PRO, PROMPT, ",\"frames\":25", 400, "parameter frames"},
        {PRO, PROMPT, ",\"frames\":293", 400, "parameter frames"},
        {PRO, PROMPT, ",\"generate_audio\":true", 400, "parameter generate_audio"},
        {PRO, PROMPT, ",\"generate_audio\":false", 200, ""},
        {PRO, FIRST "," LAST, "", 200, ""},
        {FAST, FIRST, "", 200, ""},
        {FAST, FIRST "," LAST, "", 400, "first and last frame content is not supported"},
        {T2V, PROMPT, "", 200, ""},
        {T2V, FIRST, "", 400, "first frame content is not supported"},
        {I2V, FIRST "," LAST, "", 200, ""},
        {I2V, PROMPT, "", 400, "text-only content is not supported"},
        {PRO, PROMPT, ",\"tools\":[{\"type\":\"web_search\"}]", 400, "parameter tools"},
        {STANDARD, FIRST, ",\"tools\":[{\"type\":\"web_search\"}]", 400,
         "the parameter tools specified in the request is not valid for model "
         "doubao-seedance-2-0 in i2v"},
        {STANDARD, PROMPT, ",\"tools\":[{\"type\":\"other\"}]", 400, "parameter tools"},
        {STANDARD, PROMPT, ",\"tools\":[]", 200, ""},
        {STANDARD, VIDEO "," FIRST, "", 400, "cannot be mixed with reference media content."},
        {STANDARD, FIRST "," FIRST, "", 400,
         "expected at most one first frame image content but got 2 instead."},
        {STANDARD,
         "{\"type\":\"video_url\",\"video_url\":{\"url\":\"https://a/\"},\"role\":\"x\"}", "",
         400, "reference media mode requires video role to be reference_video"},
        {STANDARD, "{\"type\":\"draft_task\",\"draft_task\":{\"id\":\"x\"}}", "", 400,
         "The parameter `content[0].type` specified in the request is not valid: supported "
         "values are: text, image_url, audio_url, video_url"},
        {STANDARD, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"asset://asset-1\"}}", "",
         400,
         "The parameter content[0].image_url.url specified in the request is not valid: The "
         "specified asset asset-1 is not found. Request id: 02"},
    };

    start(1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reply reply = create(rows[i].model, rows[i].content, rows[i].more);

        if (reply.status != rows[i].status || !holds(reply.body, rows[i].message))
            CHECK_FAILED(rows[i].model, "%s %s: %s", rows[i].content, rows[i].more,
                         reply.raw.ptr);
        reply_fini(&reply);
    }
    sim_stop(&sim);
}

static void references_of_2_5(void)
{
    CLEANUP(buf_fini) struct buf content = {0};

    start(1000);
    buf_init(&content, 65536);
    for (int i = 0; i < 30; i++)
        buf_printf(&content, "%s%s", i == 0 ? "" : ",", REFERENCE);
    struct reply reply = create(V25, content.ptr, "");

    CHECK_INT("30 images", reply.status, 200);
    reply_fini(&reply);
    buf_printf(&content, ",%s", REFERENCE);
    expect("31 images", create(V25, content.ptr, ""), 400, "InvalidParameter");
    buf_reset(&content);
    for (int i = 0; i < 6; i++)
        buf_printf(&content, "%s%s", i == 0 ? "" : ",", VIDEO);
    expect("30 s of videos", create(V25, content.ptr, ""), 200, "");
    buf_printf(&content, ",%s", VIDEO);
    reply = create(V25, content.ptr, "");
    CHECK_TRUE("35 s of videos",
               holds(reply.body, "less than or equal to 30.2 for model doubao-seedance-2-5"));
    reply_fini(&reply);
    sim_stop(&sim);
}

static void tokens(void)
{
    static const struct {
        const char *model, *content, *more, *member, *value;
    } rows[] = {
        {PRO, PROMPT, ",\"resolution\":\"480p\",\"duration\":2", "completion_tokens", "19845"},
        {PRO, PROMPT, "", "resolution", "1080p"},
        {PRO, PROMPT, "", "completion_tokens", "246840"},
        {PRO, PROMPT, ",\"frames\":57,\"duration\":5", "frames", "57"},
        {PRO, PROMPT, ",\"frames\":57,\"duration\":5", "duration", ""},
        {PRO, PROMPT, ",\"frames\":57,\"resolution\":\"480p\"", "completion_tokens", "23490"},
        {PRO, PROMPT, "", "output_format", "mp4"},
        {PRO, PROMPT, "", "generate_audio", ""},
        {PRO, PROMPT, "", "draft", "false"},
        {FAST, PROMPT, ",\"ratio\":\"21:9\",\"resolution\":\"720p\"", "completion_tokens",
         "113740"},
        {T2V, PROMPT, "", "resolution", "720p"},
        {V15, PROMPT, "", "completion_tokens", "108900"},
        {V15, PROMPT, "", "generate_audio", "true"},
        {V15, PROMPT, ",\"service_tier\":\"flex\"", "service_tier", "flex"},
        {V15, PROMPT, ",\"draft\":true", "completion_tokens", "30382"},
        {V15, PROMPT, ",\"draft\":true", "draft", "true"},
        {V15, PROMPT, ",\"draft\":true,\"generate_audio\":false", "completion_tokens", "35446"},
        {V25, PROMPT, ",\"resolution\":\"480p\",\"duration\":6", "completion_tokens", "58045"},
        {V25, PROMPT, "", "generate_audio", "true"},
        {STANDARD, PROMPT, "", "output_format", ""},
        {"ep-x-1-5-pro-2", PROMPT, "", "model", V15},
        {"ep-1-0-pro-fast", PROMPT, "", "model", FAST},
        {"ep-20261-5-x", PROMPT, "", "model", STANDARD},
    };
    struct id ids[COUNT_OF(rows)];

    start(1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ids[i] = make_of(rows[i].model, rows[i].content, rows[i].more);
    advance(10000);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_TEXT(rows[i].more, now(ids[i], rows[i].member), rows[i].value);
    struct reply reply = ask("GET", TASKS "?filter.service_tier=flex", NULL);

    CHECK_TRUE("flex", strncmp(reply.body.ptr, "{\"total\":1,", 11) == 0);
    reply_fini(&reply);
    sim_stop(&sim);
}

/* The members and the order of a recorded answer of 1.0 pro. */
static void recorded_order(void)
{
    static const char *const names[] = {"id",           "model",
                                        "status",       "content",
                                        "video_url",    "last_frame_url",
                                        "usage",        "completion_tokens",
                                        "total_tokens", "created_at",
                                        "updated_at",   "seed",
                                        "resolution",   "ratio",
                                        "duration",     "framespersecond",
                                        "service_tier", "execution_expires_after",
                                        "draft",        "priority",
                                        "output_format"};
    size_t members = 0;

    start(1000);
    struct id id = make_of(PRO, PROMPT, ",\"return_last_frame\":true");

    advance(10000);
    struct reply reply = get(id);
    const char *at = reply.body.ptr;

    for (size_t i = 0; i < COUNT_OF(names) && at != NULL; i++) {
        char wanted[64];

        (void)snprintf(wanted, sizeof(wanted), "\"%s\":", names[i]);
        at = strstr(at, wanted);
        CHECK_TRUE(names[i], at != NULL);
    }
    for (const char *colon = reply.body.ptr; (colon = strstr(colon, "\":")) != NULL; colon++)
        members++;
    CHECK_INT("no others", members, COUNT_OF(names));
    reply_fini(&reply);
    sim_stop(&sim);
}

static void drafts(void)
{
    char item[160];

    start(1000);
    struct id draft = make_of(V15, PROMPT,
                              ",\"draft\":true,\"ratio\":\"4:3\",\"duration\":4,\"seed\":7,"
                              "\"generate_audio\":false");
    struct id other = make_of(V15, PROMPT, "");
    struct id slow =
        make_of(V15, "{\"type\":\"text\",\"text\":\"[sim: stay=running]\"}", ",\"draft\":true");

    advance(1000);
    (void)snprintf(item, sizeof(item),
                   "{\"type\":\"draft_task\",\"draft_task\":{\"id\":\"%s\"}}", draft.text);
    struct id final = make_of(V15, item, ",\"resolution\":\"720p\"");
    char two[512];

    advance(1000);
    CHECK_TEXT("draft_task_id", now(final, "draft_task_id"), draft.text);
    CHECK_TEXT("draft", now(final, "draft"), "false");
    CHECK_TEXT("ratio", now(final, "ratio"), "4:3");
    CHECK_TEXT("duration", now(final, "duration"), "4");
    CHECK_TEXT("seed", now(final, "seed"), "7");
    CHECK_TEXT("audio", now(final, "generate_audio"), "false");
    CHECK_TEXT("tokens", now(final, "completion_tokens"), "87850");
    (void)snprintf(two, sizeof(two), "%s,%s", item, PROMPT);
    expect("with a prompt", create(V15, two, ""), 400, "InvalidParameter");
    const char *const unknown[] = {other.text, slow.text, final.text, "cgt-none"};

    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        (void)snprintf(item, sizeof(item),
                       "{\"type\":\"draft_task\",\"draft_task\":{\"id\":\"%s\"}}", unknown[i]);
        expect(unknown[i], create(V15, item, ""), 404, "NotFound.draft_task");
    }
    (void)snprintf(two, sizeof(two),
                   "{\"model\":\"" V15 "\",\"content\":[{\"type\":\"draft_task\","
                   "\"draft_task\":{\"id\":\"%s\"}}]}",
                   draft.text);
    expect("another's", ask_as("key-two", "POST", TASKS, "", two), 404, "NotFound.draft_task");
    expect("no id", create(V15, "{\"type\":\"draft_task\"}", ""), 400,
           "MissingParameter.content.draft_task.id");
    sim_stop(&sim);
}

static void search(void)
{
    start(1000);
    struct id one = make_of(STANDARD, PROMPT, ",\"tools\":[{\"type\":\"web_search\"}]");
    struct id three = make_of(STANDARD, "{\"type\":\"text\",\"text\":\"[sim: searches=3]\"}",
                              ",\"tools\":[{\"type\":\"web_search\"}]");
    struct id none = make_of(STANDARD, PROMPT, "");

    advance(1000);
    CHECK_TEXT("one", now(one, "tool_usage"), "{\"web_search\":1");
    CHECK_TEXT("three", now(three, "web_search"), "3");
    CHECK_TEXT("none", now(none, "tool_usage"), "");
    CHECK_TEXT("none", now(none, "tools"), "");
    struct reply reply = get(one);

    CHECK_TRUE("tools", holds(reply.body, "\"tools\":[{\"type\":\"web_search\"}]"));
    CHECK_TRUE("usage", holds(reply.body, "\"usage\":{\"completion_tokens\":108900,"
                                          "\"total_tokens\":108900,\"tool_usage\":{"
                                          "\"web_search\":1}}"));
    reply_fini(&reply);
    sim_stop(&sim);
}

static void inline_parameters(void)
{
    static const struct {
        const char *model, *prompt, *more, *member, *value;
    } rows[] = {
        {STANDARD, "a cat --rs 480p --rt 9:16 --dur 4", "", "completion_tokens", "40594"},
        {STANDARD, "a cat --rs 480p --rt 9:16 --dur 4", "", "ratio", "9:16"},
        {STANDARD, "a cat  --resolution 480p\\n--ratio 1:1\\t", "", "ratio", "1:1"},
        {STANDARD, "--rs 480p a cat", "", "resolution", "720p"},
        {STANDARD, "--rs 480p a cat --dur 4", "", "resolution", "720p"},
        {STANDARD, "--rs 480p a cat --dur 4", "", "duration", "4"},
        {STANDARD, "a cat --rs 480p.", "", "resolution", "720p"},
        {STANDARD, "a cat --rs 480p --new 1", "", "resolution", "720p"},
        {STANDARD, "a cat --rs 480p --fps 24 --wm true --cf false --seed 9", "", "seed", "9"},
        {STANDARD, "a cat --rs 480p --framespersecond 24 --watermark true --camerafixed false",
         "", "resolution", "480p"},
        {STANDARD, "a cat --rs 1440p --dur 99 --rt 5:1 --seed -7", "", "resolution", "720p"},
        {STANDARD, "a cat --rs 1440p --dur 99 --rt 5:1", "", "duration", "5"},
        {STANDARD, "a cat --dur -1 --rt adaptive", "", "duration", "5"},
        {STANDARD, "a cat --dur 6 --rs 480p [sim: usage=1]", "", "duration", "6"},
        {STANDARD, "a cat --rs 480p --rs 1080p", "", "resolution", "1080p"},
        {STANDARD, "a cat --rs 480p", ",\"resolution\":\"1080p\"", "resolution", "1080p"},
        {STANDARD, "a cat --seed 9", ",\"seed\":3", "seed", "3"},
        {PRO, "a cat --frames 29", "", "frames", "29"},
        {PRO, "a cat --frames 29", ",\"duration\":3", "duration", "3"},
        {PRO, "a cat --frames 30", "", "duration", "5"},
        {STANDARD, "a cat --frames 29", "", "frames", ""},
        {PRO, "a cat --dur 2 --rs 480p", "", "completion_tokens", "19845"},
    };
    struct id ids[COUNT_OF(rows)];
    char content[256];

    start(1000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)snprintf(content, sizeof(content), "{\"type\":\"text\",\"text\":\"%s\"}",
                       rows[i].prompt);
        ids[i] = make_of(rows[i].model, content, rows[i].more);
    }
    advance(10000);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_TEXT(rows[i].prompt, now(ids[i], rows[i].member), rows[i].value);
    sim_stop(&sim);
}

/* A record is read for a week, in the list as well; a cancelled one for a day. */
static void ages(void)
{
    start(1);
    struct id old = make("a"), gone = make("b");

    expect("cancel", erase(gone), 200, "");
    advance(INT64_C(86400000) - 1000);
    struct id young = make("c");
    struct reply reply = ask("GET", TASKS, NULL);

    CHECK_TRUE("three", strncmp(reply.body.ptr, "{\"total\":3,", 11) == 0);
    reply_fini(&reply);
    advance(2000);
    reply = ask("GET", TASKS, NULL);
    CHECK_TRUE("cancelled a day ago", strncmp(reply.body.ptr, "{\"total\":2,", 11) == 0);
    reply_fini(&reply);
    advance(INT64_C(6 * 86400000) - 10000);
    expect("not yet a week", get(old), 200, "");
    advance(20000);
    expect("a week", get(old), 404, "ResourceNotFound");
    expect("a week", erase(old), 404, "ResourceNotFound");
    reply = ask("GET", TASKS, NULL);
    CHECK_TRUE("one", strncmp(reply.body.ptr, "{\"total\":1,", 11) == 0);
    CHECK_TRUE("one", holds(reply.body, young.text));
    reply_fini(&reply);
    char path[160];

    (void)snprintf(path, sizeof(path), TASKS "?filter.task_ids=%s", old.text);
    reply = ask("GET", path, NULL);
    CHECK_TRUE("by id", strncmp(reply.body.ptr, "{\"total\":0,", 11) == 0);
    reply_fini(&reply);
    sim_stop(&sim);
}

CHECK_MAIN(CHECK_TEST(capabilities), CHECK_TEST(references_of_2_5), CHECK_TEST(tokens),
           CHECK_TEST(recorded_order), CHECK_TEST(drafts), CHECK_TEST(search),
           CHECK_TEST(inline_parameters), CHECK_TEST(ages))
