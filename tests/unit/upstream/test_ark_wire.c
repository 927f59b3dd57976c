/* SPDX-License-Identifier: Apache-2.0 */
/* Ark's JSON as it comes, as it should not come, and what is taken out of its
 * messages before a tenant reads them. */
#include "gateway/upstream/ark_parts.h"

#include "tests/lib/check.h"

#include <stdlib.h>

/* A body read as a task object. */
struct reading {
    struct arena arena;
    struct json_doc *doc;
    struct upstream_task task;
    bool usable;
};

static void reading_fini(struct reading *reading)
{
    json_free(&reading->doc);
    arena_fini(&reading->arena);
}

static void read_task(const char *body, struct reading *ret_reading)
{
    struct err err = {0};

    arena_init(&ret_reading->arena, 1 << 20);
    CHECK_OK(body, json_parse(&ret_reading->arena, str_from(body), &ret_reading->doc, &err),
             &err);
    if (ret_reading->doc != NULL)
        ret_reading->usable = ark_wire_task(ret_reading->doc, json_root(ret_reading->doc),
                                            &ret_reading->arena, &ret_reading->task);
}

/* As Ark answered in the field, with every member that is read. */
static const char whole[] =
    "{\"id\":\"cgt-20260828062711-hj94q\",\"model\":\"doubao-seedance-2-0-260128\","
    "\"status\":\"succeeded\",\"safety_identifier\":\"user-1\","
    "\"content\":{\"video_url\":\"https://v.example/1.mp4\","
    "\"last_frame_url\":\"https://f.example/1.png\"},"
    "\"usage\":{\"completion_tokens\":19845,\"total_tokens\":19846,"
    "\"tool_usage\":{\"web_search\":2}},"
    "\"created_at\":1787869631,\"updated_at\":1787869648,\"seed\":17918,"
    "\"resolution\":\"480p\",\"ratio\":\"16:9\",\"duration\":2,\"frames\":49,"
    "\"framespersecond\":24,\"service_tier\":\"default\","
    "\"execution_expires_after\":172800,\"generate_audio\":true,\"draft\":false,"
    "\"priority\":3,\"output_format\":\"mp4\"}";

static void test_whole_task(void)
{
    CLEANUP(reading_fini) struct reading reading = {0};
    const struct upstream_task *task = &reading.task;

    read_task(whole, &reading);
    CHECK_TRUE("usable", reading.usable);
    CHECK_TRUE("id", str_is(task->id, "cgt-20260828062711-hj94q"));
    CHECK_TEXT("state", state_name(task->state), "succeeded");
    CHECK_TRUE("model", str_is(task->model, "doubao-seedance-2-0-260128"));
    CHECK_TRUE("identifier", str_is(task->safety_identifier, "user-1"));
    CHECK_TRUE("video", str_is(task->video_url, "https://v.example/1.mp4"));
    CHECK_TRUE("frame", str_is(task->last_frame_url, "https://f.example/1.png"));
    CHECK_TRUE("tokens", task->has_tokens && task->tokens == 19845);
    CHECK_TRUE("total", task->has_total_tokens && task->total_tokens == 19846);
    CHECK_INT("created", task->created_s, 1787869631);
    CHECK_INT("updated", task->updated_s, 1787869648);
    CHECK_TRUE("seed", task->has_seed && task->seed == 17918);
    CHECK_TRUE("resolution", str_is(task->resolution, "480p"));
    CHECK_TRUE("ratio", str_is(task->ratio, "16:9"));
    CHECK_TRUE("duration", task->has_duration && task->duration == 2);
    CHECK_TRUE("frames", task->has_frames && task->frames == 49);
    CHECK_TRUE("fps", task->has_fps && task->fps == 24);
    CHECK_TRUE("tier", str_is(task->tier, "default"));
    CHECK_TRUE("expires", task->has_expires_after && task->expires_after == 172800);
    CHECK_TRUE("audio", task->has_audio && task->audio);
    CHECK_TRUE("priority", task->has_priority && task->priority == 3);
    CHECK_TRUE("tool", task->has_tool_uses && task->tool_uses == 2);
    CHECK_TRUE("draft", task->has_draft && !task->draft);
    CHECK_TRUE("format", str_is(task->output_format, "mp4"));
    CHECK_TRUE("no error", task->error_code.len == 0 && task->error_message.len == 0);
    CHECK_TRUE("evidence", str_is(task->body, whole));
}

static bool is_text_member(const char *name)
{
    return str_has_word("model safety_identifier resolution ratio service_tier",
                        str_from(name));
}

/* The least that is a task; and the same with every member of a wrong type. */
static void test_members_of_a_wrong_type(void)
{
    static const char *const values[] = {"null", "\"x\"", "{}", "[]", "[1]", "true", "1.5"};
    static const char *const members[] = {
        "model",      "safety_identifier", "content",      "usage",
        "seed",       "resolution",        "ratio",        "duration",
        "frames",     "framespersecond",   "service_tier", "execution_expires_after",
        "priority",   "generate_audio",    "error",        "failure_reason",
        "created_at", "updated_at",        "draft",        "output_format"};

    for (size_t i = 0; i < COUNT_OF(members); i++) {
        for (size_t j = 0; j < COUNT_OF(values); j++) {
            CLEANUP(reading_fini) struct reading reading = {0};
            const struct upstream_task *task = &reading.task;
            char body[256];
            bool text = strcmp(values[j], "\"x\"") == 0, yes = strcmp(values[j], "true") == 0;

            (void)snprintf(body, sizeof(body),
                           "{\"id\":\"cgt-1\",\"status\":\"running\",\"%s\":%s}", members[i],
                           values[j]);
            read_task(body, &reading);
            CHECK_TRUE(body, reading.usable);
            CHECK_TRUE(body, !task->has_duration && !task->has_frames && !task->has_fps);
            CHECK_TRUE(body, !task->has_seed && !task->has_priority && !task->has_tokens);
            CHECK_TRUE(body, !task->has_expires_after && !task->has_total_tokens);
            CHECK_INT(body, task->has_draft, yes && strcmp(members[i], "draft") == 0);
            CHECK_INT(body, task->output_format.len,
                      text && strcmp(members[i], "output_format") == 0);
            CHECK_TRUE(body, !task->has_tool_uses);
            CHECK_INT(body, task->has_audio, yes && strcmp(members[i], "generate_audio") == 0);
            CHECK_INT(body,
                      task->model.len + task->resolution.len + task->ratio.len +
                          task->tier.len + task->safety_identifier.len,
                      text && is_text_member(members[i]));
            CHECK_INT(body, task->video_url.len + task->last_frame_url.len, 0);
            CHECK_INT(body, task->created_s, 0);
        }
    }
}

/* Members that only some models' answers have, at their edges. */
static void test_rare_members(void)
{
    static const struct {
        const char *member;
        int64_t frames, uses; /* -1: none */
        int draft;            /* likewise */
        const char *format;
    } rows[] = {
        {"\"frames\":29", 29, -1, -1, ""},
        {"\"frames\":0", -1, -1, -1, ""},
        {"\"frames\":-29", -1, -1, -1, ""},
        {"\"frames\":2073600", 2073600, -1, -1, ""},
        {"\"frames\":2073601", -1, -1, -1, ""}, /* longer than a day */
        {"\"frames\":29.5", -1, -1, -1, ""},
        {"\"draft\":true", -1, -1, 1, ""},
        {"\"draft\":false", -1, -1, 0, ""},
        {"\"draft\":1", -1, -1, -1, ""},
        {"\"usage\":{\"tool_usage\":{\"web_search\":0}}", -1, 0, -1, ""},
        {"\"usage\":{\"tool_usage\":{\"web_search\":7}}", -1, 7, -1, ""},
        {"\"usage\":{\"tool_usage\":{\"web_search\":-1}}", -1, -1, -1, ""},
        {"\"usage\":{\"tool_usage\":{\"web_search\":\"7\"}}", -1, -1, -1, ""},
        {"\"usage\":{\"tool_usage\":{\"web_searches\":7}}", -1, -1, -1, ""},
        {"\"usage\":{\"tool_usage\":[7]}", -1, -1, -1, ""},
        {"\"tool_usage\":{\"web_search\":7}", -1, -1, -1, ""}, /* not there */
        {"\"output_format\":\"mp4\"", -1, -1, -1, "mp4"},
        {"\"output_format\":\"123456789012345\"", -1, -1, -1, "123456789012345"},
        {"\"output_format\":\"1234567890123456\"", -1, -1, -1, ""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(reading_fini) struct reading reading = {0};
        const struct upstream_task *task = &reading.task;
        char body[256];

        (void)snprintf(body, sizeof(body), "{\"id\":\"cgt-1\",\"status\":\"succeeded\",%s}",
                       rows[i].member);
        read_task(body, &reading);
        CHECK_TRUE(body, reading.usable);
        CHECK_INT(body, task->has_frames ? task->frames : -1, rows[i].frames);
        CHECK_INT(body, task->has_tool_uses ? task->tool_uses : -1, rows[i].uses);
        CHECK_INT(body, task->has_draft ? task->draft : -1, rows[i].draft);
        CHECK_TRUE(body, str_is(task->output_format, rows[i].format));
    }
}

static void test_statuses(void)
{
    static const struct {
        const char *status;
        int state; /* -1: unusable */
    } rows[] = {
        {"\"queued\"", TASK_QUEUED},
        {"\"running\"", TASK_RUNNING},
        {"\"succeeded\"", TASK_SUCCEEDED},
        {"\"failed\"", TASK_FAILED},
        {"\"expired\"", TASK_EXPIRED},
        {"\"cancelled\"", TASK_CANCELLED},
        {"\"unknown\"", -1},
        {"\"refused\"", -1},
        {"\"waiting\"", -1},
        {"\"submitting\"", -1},
        {"\"canceled\"", -1},
        {"\"Queued\"", -1},
        {"\"processing\"", -1},
        {"\"\"", -1},
        {"\"queued \"", -1},
        {"null", -1},
        {"3", -1},
        {"[\"queued\"]", -1},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(reading_fini) struct reading reading = {0};
        char body[128];

        (void)snprintf(body, sizeof(body), "{\"id\":\"cgt-1\",\"status\":%s}", rows[i].status);
        read_task(body, &reading);
        CHECK_INT(body, reading.usable, rows[i].state >= 0);
        if (reading.usable)
            CHECK_INT(body, reading.task.state, rows[i].state);
    }
}

/* The same rule for both places that read an id. */
static void test_ids(void)
{
    static const struct {
        const char *id; /* JSON */
        bool usable;
    } rows[] = {
        {"\"cgt-20260828062711-hj94q\"", true},
        {"\"a\"", true},
        {"\"A.b_c-9\"", true},
        {"\"\"", false},
        {"null", false},
        {"7", false},
        {"[\"cgt-1\"]", false},
        {"\"cgt-1/../x\"", false},
        {"\"cgt-1?x=1\"", false},
        {"\"cgt-1 \"", false},
        {"\"cgt-1\\n\"", false},
        {"\"cgt%2f1\"", false},
        {"\"cgt-1,cgt-2\"", false},
        {"\"cgt-\\\"1\"", false},
        {"\"\xe4\xbb\xbb\"", false},
        /* 63 and 64 characters */
        {"\"012345678901234567890123456789012345678901234567890123456789012\"", true},
        {"\"0123456789012345678901234567890123456789012345678901234567890123\"", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(reading_fini) struct reading reading = {0};
        char body[256], id[TASK_ID_MAX + 1] = "";

        (void)snprintf(body, sizeof(body), "{\"id\":%s,\"status\":\"queued\"}", rows[i].id);
        read_task(body, &reading);
        CHECK_INT(body, reading.usable, rows[i].usable);
        CHECK_INT(body, ark_wire_created(str_from(body), id), rows[i].usable);
        CHECK_INT(body, id[0] != '\0', rows[i].usable);
    }
}

static void test_created(void)
{
    static const struct {
        const char *body, *id; /* NULL: none */
    } rows[] = {
        {"{\"id\":\"cgt-1\"}", "cgt-1"},
        {" {\"safety_identifier\":\"x\",\"id\":\"cgt-1\",\"new\":[{}]} ", "cgt-1"},
        {"{}", NULL},
        {"", NULL},
        {"[]", NULL},
        {"[{\"id\":\"cgt-1\"}]", NULL},
        {"\"cgt-1\"", NULL},
        {"{\"ID\":\"cgt-1\"}", NULL},
        {"{\"data\":{\"id\":\"cgt-1\"}}", NULL},
        {"{\"id\":\"cgt-1\"", NULL},
        {"{\"id\":\"cgt-1\"}{\"id\":\"cgt-2\"}", NULL},
        {"{\"id\":\"cgt-1\",\"id\":\"cgt-2\"}", NULL},
        {"<html>502</html>", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char id[TASK_ID_MAX + 1] = "";

        CHECK_INT(rows[i].body, ark_wire_created(str_from(rows[i].body), id),
                  rows[i].id != NULL);
        CHECK_TEXT(rows[i].body, id, rows[i].id == NULL ? "" : rows[i].id);
    }
}

/* Usage is what is paid for: read exactly, or not at all. */
static void test_usage(void)
{
    static const struct {
        const char *usage;
        bool present;
        int64_t tokens;
    } rows[] = {
        {"{\"completion_tokens\":108900}", true, 108900},
        {"{\"completion_tokens\":0}", true, 0},
        {"{\"completion_tokens\":-5}", true, -5},
        {"{\"completion_tokens\":9007199254740992}", true, INT64_C(9007199254740992)},
        {"{\"completion_tokens\":1e400}", false, 0},
        {"{\"completion_tokens\":108900.5}", false, 0},
        {"{\"completion_tokens\":\"108900\"}", false, 0},
        {"{\"completion_tokens\":null}", false, 0},
        {"{\"total_tokens\":108900}", false, 0},
        {"{}", false, 0},
        {"[108900]", false, 0},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(reading_fini) struct reading reading = {0};
        char body[256];

        (void)snprintf(body, sizeof(body),
                       "{\"id\":\"cgt-1\",\"status\":\"succeeded\",\"usage\":%s}",
                       rows[i].usage);
        read_task(body, &reading);
        CHECK_TRUE(body, reading.usable);
        CHECK_INT(body, reading.task.has_tokens, rows[i].present);
        CHECK_INT(body, reading.task.tokens, rows[i].tokens);
    }
}

/* Other code counts these in microseconds: none may be too large for that. */
static void test_times_fit_microseconds(void)
{
    static const char *const times[] = {"9007199254740992", "-9007199254740992",
                                        "9223372036855", "-9223372036855"};

    for (size_t i = 0; i < COUNT_OF(times); i++) {
        CLEANUP(reading_fini) struct reading reading = {0};
        char body[256];
        int64_t product;

        (void)snprintf(body, sizeof(body),
                       "{\"id\":\"cgt-1\",\"status\":\"queued\",\"created_at\":%s,"
                       "\"updated_at\":%s}",
                       times[i], times[i]);
        read_task(body, &reading);
        if (!reading.usable)
            continue; /* as good */
        CHECK_TRUE(body, !__builtin_mul_overflow(reading.task.created_s, 1000000, &product));
        CHECK_TRUE(body, !__builtin_mul_overflow(reading.task.updated_s, 1000000, &product));
    }
}

static void test_task_errors(void)
{
    static const struct {
        const char *member, *code, *message;
    } rows[] = {
        {"\"error\":{\"code\":\"Bad\",\"message\":\"it failed\"}", "Bad", "it failed"},
        {"\"failure_reason\":{\"code\":\"Bad\",\"message\":\"it failed\"}", "Bad", "it failed"},
        {"\"error\":null,\"failure_reason\":{\"code\":\"Bad\",\"message\":\"x\"}", "Bad", "x"},
        {"\"error\":{\"code\":\"A\",\"message\":\"a\"},\"failure_reason\":{\"code\":\"B\","
         "\"message\":\"b\"}",
         "A", "a"},
        {"\"error\":{\"code\":7,\"message\":8}", "", ""},
        {"\"error\":{}", "", ""},
        {"\"error\":\"x\"", "", ""},
        {"\"error\":{\"code\":\"Bad\",\"message\":\"ep-20260101000000-abcde on 2100123456."
         " Request id: 0217\"}",
         "Bad", "the requested model on (hidden)."},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(reading_fini) struct reading reading = {0};
        char body[512];

        (void)snprintf(body, sizeof(body), "{\"id\":\"cgt-1\",\"status\":\"failed\",%s}",
                       rows[i].member);
        read_task(body, &reading);
        CHECK_TRUE(body, reading.usable);
        CHECK_TRUE(body, str_is(reading.task.error_code, rows[i].code));
        CHECK_INT(body, reading.task.error_message.len, strlen(rows[i].message));
        CHECK_TRUE(body, str_is(reading.task.error_message, rows[i].message));
    }
}

static void test_error_shapes(void)
{
    static const struct {
        const char *body, *code, *message; /* code NULL: not in Ark's shape */
    } rows[] = {
        {"{\"error\":{\"code\":\"InvalidParameter\",\"message\":\"bad. Request id: 02178\","
         "\"param\":\"\",\"type\":\"BadRequest\"}}",
         "InvalidParameter", "bad."},
        {"{\"error\":{\"code\":\"X\"}}", "X", ""},
        {"{\"error\":{\"code\":\"X\",\"message\":null}}", "X", ""},
        {"{\"error\":{\"code\":\"X\",\"message\":7}}", "X", ""},
        {"{\"error\":{\"code\":7,\"message\":\"m\"}}", NULL, NULL},
        {"{\"error\":{\"code\":\"\",\"message\":\"m\"}}", NULL, NULL},
        {"{\"error\":{\"message\":\"m\"}}", NULL, NULL},
        {"{\"error\":\"X\"}", NULL, NULL},
        {"{\"error\":[{\"code\":\"X\"}]}", NULL, NULL},
        {"{\"error\":null}", NULL, NULL},
        {"{\"code\":\"X\",\"message\":\"flat\"}", NULL, NULL},
        {"[{\"error\":{\"code\":\"X\"}}]", NULL, NULL},
        {"<html>502 Bad Gateway</html>", NULL, NULL},
        {"", NULL, NULL},
        {"{\"error\":{\"code\":\"X\"}", NULL, NULL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char code[96] = "untouched", message[512] = "untouched";

        CHECK_INT(rows[i].body,
                  ark_wire_error(str_from(rows[i].body), code, sizeof(code), message,
                                 sizeof(message)),
                  rows[i].code != NULL);
        if (rows[i].code == NULL)
            continue;
        CHECK_TEXT(rows[i].body, code, rows[i].code);
        CHECK_TEXT(rows[i].body, message, rows[i].message);
    }
}

static void test_long_errors(void)
{
    CLEANUP(buf_fini) struct buf body = {0};
    char code[96], message[512];

    buf_init(&body, 1 << 20);
    buf_puts(&body, "{\"error\":{\"code\":\"");
    for (int i = 0; i < 300; i++)
        buf_puts(&body, "C");
    buf_puts(&body, "\",\"message\":\"");
    for (int i = 0; i < 10000; i++)
        buf_puts(&body, "\xe5\xa4\xb1");
    buf_puts(&body, "\"}}");
    CHECK_TRUE("long",
               ark_wire_error(buf_str(&body), code, sizeof(code), message, sizeof(message)));
    CHECK_INT("code is cut", strlen(code), 95);
    CHECK_INT("message is cut between characters", strlen(message), 510);
    CHECK_TRUE("message is UTF-8", str_is_utf8(str_from(message)));
}

static void test_redaction(void)
{
    static const struct {
        const char *from, *to;
    } rows[] = {
        {"", ""},
        {"The request failed.", "The request failed."},
        {"  trimmed  ", "trimmed"},
        /* endpoints and models */
        {"endpoint ep-20260101000000-abcde is closed",
         "endpoint the requested model is closed"},
        {"EP-20260101000000-ABCDE", "the requested model"},
        {"`ep-20260101000000-abcde`, [ep-m-20260101000000-abcde]",
         "`the requested model`, [the requested model]"},
        {"for model doubao-seedance-2-0-260128 in r2v", "for model the requested model in r2v"},
        {"for model dreamina-seedance-2-0 in t2v", "for model the requested model in t2v"},
        {"see ..ep-abcde, -ep-abcde and _doubao-x",
         "see ..the requested model, "
         "-the requested model and _the requested model"},
        {"step-by-step", "step-by-step"},
        {"a deep-seated problem", "a deep-seated problem"},
        /* tasks */
        {"task cgt-20260828062711-hj94q is running", "task the task is running"},
        {"Cannot delete `cgt-20260828062711-hj94q`", "Cannot delete `the task`"},
        {"identifier ag-abcdefghijklmnopqrstuvwxyz012345 seen", "identifier (hidden) seen"},
        {"ag-1 is a word", "ag-1 is a word"},
        /* accounts: 8 digits and more */
        {"Your account 2100123456 has not activated",
         "Your account (hidden) has not activated"},
        {"Your account [2100123456] has", "Your account [(hidden)] has"},
        {"account_id=2100123456, retry", "account_id=(hidden), retry"},
        {"of account 2100123456.", "of account (hidden)."},
        {"of account 2100123456. Please", "of account (hidden). Please"},
        {"of 2100123456-1, 2100123456_7 or a_21001234", "of (hidden), (hidden) or (hidden)"},
        {"at most 1234567 pixels", "at most 1234567 pixels"},
        {"must be less than or equal to 15.2 for", "must be less than or equal to 15.2 for"},
        /* hosts, keys, and whatever else mixes letters and digits */
        {"upstream ark-a.internal.example, key", "upstream (hidden), key"},
        {"at https://ark.cn-beijing.volces.com/api", "at https://(hidden)/api"},
        {"from 10.1.2.3:80", "from (hidden):80"},
        {"host gateway.local.", "host (hidden)."},
        {"key ak12-****", "key (hidden)"},
        {"key 1f0e2d3c-aaaa-bbbb-cccc-0123456789ab", "key (hidden)"},
        {"account main-2100000001", "account (hidden)"},
        {"`content.image_url.url` and content.text",
         "`content.image_url.url` and content.text"},
        {"H.265 at 1080p, 1920x1080, 24.0 fps", "H.265 at 1080p, 1920x1080, 24.0 fps"},
        {"InputImageSensitiveContentDetected", "InputImageSensitiveContentDetected"},
        /* request ids */
        {"bad. Request id: 021786948402615b71a54db2718758900f1b5b7cc45ea65c7ca6e", "bad."},
        {"bad. Request ID: 0217", "bad."},
        {"bad.Request ID:0217;CSDRequestId:0218", "bad."},
        {"bad (021786948402615b71a54db2718758900f1b5b7cc45ea65c7ca6e)", "bad ((hidden))"},
        {"see 021786948402615b71a54db2718758900f1b5b7cc45ea65c7ca6e.", "see (hidden)."},
        {"Request id: 0217", ""},
        /* in Chinese, where nothing stands between the words */
        {"\xe6\xa8\xa1\xe5\x9e\x8b"
         "ep-20260101000000-abcde\xe4\xb8\x8d\xe5\xad\x98\xe5\x9c\xa8",
         "\xe6\xa8\xa1\xe5\x9e\x8bthe requested model\xe4\xb8\x8d\xe5\xad\x98\xe5\x9c\xa8"},
        {"\xe8\xb4\xa6\xe5\x8f\xb7"
         "2100123456\xe6\xac\xa0\xe8\xb4\xb9",
         "\xe8\xb4\xa6\xe5\x8f\xb7(hidden)\xe6\xac\xa0\xe8\xb4\xb9"},
        {"\xe4\xbb\xbb\xe5\x8a\xa1\xef\xbc\x9a"
         "cgt-20260828062711-hj94q\xef\xbc\x8c\xe5\xa4\xb1\xe8\xb4\xa5",
         "\xe4\xbb\xbb\xe5\x8a\xa1\xef\xbc\x9athe task\xef\xbc\x8c\xe5\xa4\xb1\xe8\xb4\xa5"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char to[512] = "untouched";

        ark_wire_redact(str_from(rows[i].from), to, sizeof(to));
        CHECK_TEXT(rows[i].from, to, rows[i].to);
    }
}

/* Ids anywhere in 10 kB and more, and a place that cuts one. */
static void test_redaction_of_long_messages(void)
{
    static char to[65536];
    CLEANUP(buf_fini) struct buf from = {0};

    buf_init(&from, 1 << 20);
    for (int i = 0; i < 400; i++)
        buf_puts(&from, "ep-20260101000000-abcde \xe5\xa4\xb1 2100123456 ");
    CHECK_TRUE("over 10 kB", from.len > 10000);
    ark_wire_redact(buf_str(&from), to, sizeof(to));
    CHECK_TRUE("something is left", strlen(to) > 5000);
    CHECK_TRUE("no endpoint", strstr(to, "ep-2026") == NULL);
    CHECK_TRUE("no account", strstr(to, "21001") == NULL);
    CHECK_TRUE("UTF-8", str_is_utf8(str_from(to)));
    for (size_t size = 1; size < 200; size++) {
        ark_wire_redact(buf_str(&from), to, size);
        CHECK_TRUE("fits", strlen(to) < size);
        CHECK_TRUE("UTF-8", str_is_utf8(str_from(to)));
        CHECK_TRUE("no part of an id",
                   strstr(to, "2026") == NULL && strstr(to, "2100") == NULL);
    }
}

CHECK_MAIN(CHECK_TEST(test_whole_task), CHECK_TEST(test_members_of_a_wrong_type),
           CHECK_TEST(test_rare_members), CHECK_TEST(test_statuses), CHECK_TEST(test_ids),
           CHECK_TEST(test_created), CHECK_TEST(test_usage),
           CHECK_TEST(test_times_fit_microseconds), CHECK_TEST(test_task_errors),
           CHECK_TEST(test_error_shapes), CHECK_TEST(test_long_errors),
           CHECK_TEST(test_redaction), CHECK_TEST(test_redaction_of_long_messages))
