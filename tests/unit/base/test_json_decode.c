/* SPDX-License-Identifier: Apache-2.0 */
/* The decode table: every type with its range, the words of each refusal and the
 * member that it names. */
#include "base/json.h"

#include "tests/lib/check.h"

struct draft {
    struct str model;
    struct str prompt;
    struct json_opt_int seed;
    struct json_opt_int duration;
    struct json_opt_bool audio;
    const struct json_value *content;
};

static const struct json_field draft_fields[] = {
    JSON_FIELD(JSON_FIELD_TEXT, draft, model, "model", true, 1, 8),
    JSON_FIELD(JSON_FIELD_TEXT, draft, prompt, "prompt", false, 1, 4096),
    JSON_FIELD(JSON_FIELD_INT, draft, seed, "seed", false, -1, 4294967295),
    JSON_FIELD(JSON_FIELD_INT, draft, duration, "duration", false, INT64_MIN, INT64_MAX),
    JSON_FIELD(JSON_FIELD_BOOL, draft, audio, "generate_audio", false, 0, 0),
    JSON_FIELD(JSON_FIELD_VALUE, draft, content, "content", false, 0, 0),
};

static void test_fields(void)
{
    static const struct {
        const char *text, *field, *msg;
    } rows[] = {
        {"{\"model\":\"m\"}", "", ""},
        {"{\"model\":\"12345678\"}", "", ""},
        {"{\"model\":\"123456789\"}", "model", "model must be 1 to 8 bytes"},
        {"{\"model\":\"\"}", "model", "model must be 1 to 8 bytes"},
        {"{\"model\":\"\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\"}", "", ""},
        {"{\"model\":\"\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061\\u0061a\"}", "model",
         "model must be 1 to 8 bytes"},
        {"{\"model\":\"\\u20ac\\u20ac\\u20ac\"}", "model", "model must be 1 to 8 bytes"},
        {"{\"model\":\"\\ud83d\\ude00\\ud83d\\ude00\"}", "", ""},
        {"{\"model\":7}", "model", "model must be a string"},
        {"{\"model\":[\"m\"]}", "model", "model must be a string"},
        {"{\"model\":null}", "model", "model is required"},
        {"{\"Model\":\"m\"}", "model", "model is required"},
        {"{}", "model", "model is required"},
        {"[]", "", "the body must be a JSON object"},
        {"null", "", "the body must be a JSON object"},
        {"{\"model\":\"m\",\"prompt\":\"\"}", "prompt", "prompt must be 1 to 4096 bytes"},
        {"{\"model\":\"m\",\"prompt\":null}", "", ""},
        {"{\"model\":\"m\",\"unknown\":{\"x\":[1]}}", "", ""},
        {"{\"model\":\"m\",\"seed\":-1}", "", ""},
        {"{\"model\":\"m\",\"seed\":0}", "", ""},
        {"{\"model\":\"m\",\"seed\":-0}", "", ""},
        {"{\"model\":\"m\",\"seed\":4294967295}", "", ""},
        {"{\"model\":\"m\",\"seed\":-2}", "seed", "seed must be between -1 and 4294967295"},
        {"{\"model\":\"m\",\"seed\":4294967296}", "seed",
         "seed must be between -1 and 4294967295"},
        {"{\"model\":\"m\",\"seed\":12345678901234567890}", "seed",
         "seed must be between -1 and 4294967295"},
        {"{\"model\":\"m\",\"seed\":5.5}", "seed", "seed must be an integer"},
        {"{\"model\":\"m\",\"seed\":5.0}", "seed", "seed must be an integer"},
        {"{\"model\":\"m\",\"seed\":5e0}", "seed", "seed must be an integer"},
        {"{\"model\":\"m\",\"seed\":5E0}", "seed", "seed must be an integer"},
        {"{\"model\":\"m\",\"seed\":1e400}", "seed", "seed must be an integer"},
        {"{\"model\":\"m\",\"seed\":\"5\"}", "seed", "seed must be an integer"},
        {"{\"model\":\"m\",\"seed\":true}", "seed", "seed must be an integer"},
        {"{\"model\":\"m\",\"seed\":null}", "", ""},
        {"{\"model\":\"m\",\"duration\":9007199254740992}", "", ""},
        {"{\"model\":\"m\",\"duration\":9007199254740993}", "duration",
         "duration must be between -9223372036854775808 and 9223372036854775807"},
        {"{\"model\":\"m\",\"generate_audio\":true}", "", ""},
        {"{\"model\":\"m\",\"generate_audio\":1}", "generate_audio",
         "generate_audio must be true or false"},
        {"{\"model\":\"m\",\"generate_audio\":\"true\"}", "generate_audio",
         "generate_audio must be true or false"},
        {"{\"seed\":5.5,\"model\":7}", "model", "model must be a string"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena arena;
        CLEANUP(json_free) struct json_doc *doc = NULL;
        struct draft draft = {0};
        struct err err = {0};

        arena_init(&arena, 1 << 16);
        CHECK_OK(rows[i].text, json_parse(&arena, str_from(rows[i].text), &doc, &err), &err);
        CHECK_INT(rows[i].text,
                  json_decode(doc, json_root(doc), "", draft_fields, COUNT_OF(draft_fields),
                              &draft, &err),
                  rows[i].msg[0] != '\0' ? ERR_INVALID : ERR_OK);
        CHECK_TEXT(rows[i].text, err.msg, rows[i].msg);
        CHECK_TEXT(rows[i].text, err.field, rows[i].field);
        json_free(&doc);
        arena_fini(&arena);
    }
}

static void test_values(void)
{
    static const char text[] = "{\"model\":\"a\\u0062c\",\"seed\":42,\"generate_audio\":false,"
                               "\"content\":[1],\"duration\":null}";
    struct arena arena;
    CLEANUP(json_free) struct json_doc *doc = NULL;
    struct draft draft = {.prompt = STR("kept"), .duration = {false, 5}};
    struct err err = {0};

    arena_init(&arena, 1 << 16);
    CHECK_OK("parse", json_parse(&arena, str_from(text), &doc, &err), &err);
    CHECK_OK("decode",
             json_decode(doc, json_root(doc), "", draft_fields, COUNT_OF(draft_fields), &draft,
                         &err),
             &err);
    CHECK_TRUE("text", str_is(draft.model, "abc"));
    CHECK_TRUE("int", draft.seed.present && draft.seed.value == 42);
    CHECK_TRUE("bool", draft.audio.present && !draft.audio.value);
    CHECK_TRUE("value", json_type(draft.content) == JSON_ARRAY);
    CHECK_TRUE("absent keeps the default", str_is(draft.prompt, "kept"));
    CHECK_TRUE("null keeps the default", !draft.duration.present && draft.duration.value == 5);
    json_free(&doc);
    arena_fini(&arena);
}

static void test_prefix(void)
{
    static const char text[] = "[{\"model\":\"m\",\"seed\":\"x\"},{},7]";
    struct arena arena;
    CLEANUP(json_free) struct json_doc *doc = NULL;
    struct draft draft = {0};
    struct err err = {0};

    arena_init(&arena, 1 << 16);
    CHECK_OK("parse", json_parse(&arena, str_from(text), &doc, &err), &err);
    const struct json_value *item = json_first(json_root(doc));
    CHECK_INT("type",
              json_decode(doc, item, "content[0].", draft_fields, COUNT_OF(draft_fields),
                          &draft, &err),
              ERR_INVALID);
    CHECK_TEXT("type", err.field, "content[0].seed");
    CHECK_TEXT("type", err.msg, "content[0].seed must be an integer");
    item = json_next(item);
    CHECK_INT("required",
              json_decode(doc, item, "content[1].", draft_fields, COUNT_OF(draft_fields),
                          &draft, &err),
              ERR_INVALID);
    CHECK_TEXT("required", err.field, "content[1].model");
    CHECK_TEXT("required", err.msg, "content[1].model is required");
    item = json_next(item);
    CHECK_INT("no object",
              json_decode(doc, item, "content[2].", draft_fields, COUNT_OF(draft_fields),
                          &draft, &err),
              ERR_INVALID);
    CHECK_TEXT("no object", err.field, "content[2]");
    CHECK_TEXT("no object", err.msg, "content[2] must be an object");
    json_free(&doc);
    arena_fini(&arena);
}

/* A text longer than the tree holds: at its limit, over it, without memory. */
static void test_long_text(void)
{
    static const struct json_field fields[] = {
        JSON_FIELD(JSON_FIELD_TEXT, draft, prompt, "prompt", true, 1, 10000),
    };
    static const struct {
        size_t count, arena_bytes;
        enum err_code want;
    } rows[] = {
        {10000, 1 << 20, ERR_OK},
        {10001, 1 << 20, ERR_INVALID},
        {70000, 1 << 20, ERR_INVALID},
        {10000, 2000, ERR_INTERNAL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_fini) struct buf buf = {0};
        CLEANUP(json_free) struct json_doc *doc = NULL;
        struct arena arena;
        struct draft draft = {0};
        struct err err = {0};

        buf_init(&buf, 1 << 20);
        buf_puts(&buf, "{\"prompt\":\"");
        for (size_t j = 0; j < rows[i].count; j++)
            buf_puts(&buf, "\\n");
        buf_puts(&buf, "\"}");
        arena_init(&arena, rows[i].arena_bytes);
        CHECK_OK("parse", json_parse(&arena, buf_str(&buf), &doc, &err), &err);
        CHECK_INT("decode", json_decode(doc, json_root(doc), "", fields, 1, &draft, &err),
                  rows[i].want);
        if (rows[i].want == ERR_OK)
            CHECK_INT("decode", draft.prompt.len, rows[i].count);
        if (rows[i].want == ERR_INVALID)
            CHECK_TEXT("decode", err.msg, "prompt must be 1 to 10000 bytes");
        json_free(&doc);
        arena_fini(&arena);
    }
}

CHECK_MAIN(CHECK_TEST(test_fields), CHECK_TEST(test_values), CHECK_TEST(test_prefix),
           CHECK_TEST(test_long_text))
