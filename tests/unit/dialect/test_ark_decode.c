/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of creates into drafts: every member with a wrong type, null, absent and at
 * its bounds, the forms of content, and what this version must not let through. */
#include "gateway/dialect/ark_parts.h"

#include "tests/lib/check.h"

#include <stdlib.h>

#define CONTENT "\"content\":[{\"type\":\"text\",\"text\":\"a cat\"}]"
#define BODY(more) "{\"model\":\"m\"," CONTENT more "}"
#define ITEM(item) "{\"model\":\"m\",\"content\":[" item "]}"

/* What a body decodes to. */
struct decoded {
    struct arena arena;
    struct json_doc *doc;
    struct task_draft draft;
    enum err_code code;
    struct err err;
};

static void decoded_fini(struct decoded *decoded)
{
    json_free(&decoded->doc);
    arena_fini(&decoded->arena);
}

static void decode(struct str body, struct decoded *ret_decoded)
{
    struct decoded *decoded = ret_decoded;

    arena_init(&decoded->arena, 1 << 22);
    decoded->code = json_parse(&decoded->arena, body, &decoded->doc, &decoded->err);
    CHECK_INT("the body is JSON", decoded->code, ERR_OK);
    if (decoded->code == ERR_OK)
        decoded->code = ark_decode_create(decoded->doc, body, &decoded->draft, &decoded->err);
}

/* field NULL: accepted. */
static void check_body(const char *body, const char *field)
{
    CLEANUP(decoded_fini) struct decoded decoded = {0};

    decode(str_from(body), &decoded);
    CHECK_INT(body, decoded.code, field == NULL ? ERR_OK : ERR_INVALID);
    CHECK_TEXT(body, decoded.err.field, field == NULL ? "" : field);
    if (field != NULL)
        CHECK_TRUE(body, decoded.err.msg[0] != '\0');
}

struct row {
    const char *body, *field;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_body(rows[i].body, rows[i].field);
}

static void test_not_an_object(void)
{
    static const char *const bodies[] = {"[]", "\"x\"", "1", "null", "true"};

    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        check_body(bodies[i], "");
}

static void test_required(void)
{
    static const struct row rows[] = {
        {"{}", "model"},
        {"{" CONTENT "}", "model"},
        {"{\"model\":null," CONTENT "}", "model"},
        {"{\"model\":\"\"," CONTENT "}", "model"},
        {"{\"model\":7," CONTENT "}", "model"},
        {"{\"model\":[\"m\"]," CONTENT "}", "model"},
        {"{\"Model\":\"m\"," CONTENT "}", "model"},
        {"{\"model\":\"m\"}", "content"},
        {"{\"model\":\"m\",\"content\":null}", "content"},
        {"{\"model\":\"m\",\"content\":\"a cat\"}", "content"},
        {"{\"model\":\"m\",\"content\":{}}", "content"},
        {"{\"model\":\"m\",\"content\":[]}", "content"},
        {BODY(""), NULL},
    };

    check_rows(rows, COUNT_OF(rows));
}

/* Every optional member with each kind of value: t text, i integer, b bool. */
static void test_types(void)
{
    static const char *const values[] = {"null", "\"x\"", "5",  "5.5", "5.0",  "5e0",
                                         "true", "[]",    "{}", "[5]", "\"5\""};
    static const struct {
        const char *name;
        const char *accepted; /* y or n by value */
    } members[] = {
        {"resolution", "yynnnnnnnny"},
        {"ratio", "yynnnnnnnny"},
        {"service_tier", "yynnnnnnnny"},
        {"safety_identifier", "yynnnnnnnny"},
        {"duration", "ynynnnnnnnn"},
        {"seed", "ynynnnnnnnn"},
        {"priority", "ynynnnnnnnn"},
        {"generate_audio", "ynnnnnynnnn"},
        {"return_last_frame", "ynnnnnynnnn"},
        {"watermark", "ynnnnnynnnn"},
        {"draft", "ynnnnnnnnnn"},        /* true is not served */
        {"camera_fixed", "ynnnnnnnnnn"}, /* likewise */
        {"frames", "ynnnnnnnnnn"},
        {"tools", "ynnnnnnnnnn"},
        {"callback_url", "ynnnnnnnnnn"},
        {"CallbackURL", "ynnnnnnnnnn"},
        /* not ours to judge */
        {"framespersecond", "yyyyyyyyyyy"},
        {"something_new", "yyyyyyyyyyy"},
    };

    for (size_t i = 0; i < COUNT_OF(members); i++) {
        for (size_t j = 0; j < COUNT_OF(values); j++) {
            char body[256];

            (void)snprintf(body, sizeof(body), BODY(",\"%s\":%s"), members[i].name, values[j]);
            check_body(body, members[i].accepted[j] == 'y' ? NULL : members[i].name);
        }
    }
}

static void test_bounds(void)
{
    static const struct row rows[] = {
        {BODY(",\"seed\":-1"), NULL},
        {BODY(",\"seed\":-2"), "seed"},
        {BODY(",\"seed\":4294967295"), NULL},
        {BODY(",\"seed\":4294967296"), "seed"},
        {BODY(",\"priority\":0"), NULL},
        {BODY(",\"priority\":-1"), "priority"},
        {BODY(",\"priority\":9"), NULL},
        {BODY(",\"priority\":10"), "priority"},
        {BODY(",\"execution_expires_after\":3600"), NULL},
        {BODY(",\"execution_expires_after\":3599"), "execution_expires_after"},
        {BODY(",\"execution_expires_after\":259200"), NULL},
        {BODY(",\"execution_expires_after\":259201"), "execution_expires_after"},
        {BODY(",\"execution_expires_after\":\"3600\""), "execution_expires_after"},
        {BODY(",\"execution_expires_after\":null"), NULL},
        /* Which lengths a model has is judged elsewhere, with a code of its own. */
        {BODY(",\"duration\":0"), NULL},
        {BODY(",\"duration\":-1"), NULL},
        {BODY(",\"duration\":16"), NULL},
        {BODY(",\"duration\":2147483648"), NULL},
        {BODY(",\"duration\":-2147483649"), NULL},
        {BODY(",\"duration\":1e400"), "duration"},
        {BODY(",\"resolution\":\"\""), "resolution"},
        {BODY(",\"ratio\":\"\""), "ratio"},
        {BODY(",\"service_tier\":\"\""), "service_tier"},
        {BODY(",\"safety_identifier\":\"\""), NULL},
        {BODY(",\"draft\":false"), NULL},
        {BODY(",\"draft\":true"), "draft"},
        {BODY(",\"camera_fixed\":false"), NULL},
        {BODY(",\"camera_fixed\":true"), "camera_fixed"},
        {BODY(",\"frames\":0"), "frames"},
        {BODY(",\"tools\":[{\"type\":\"web_search\"}]"), "tools"},
        {BODY(",\"callback_url\":\"https://example.com/\""), "callback_url"},
        {BODY(",\"callback_url\":\"\""), "callback_url"},
        {BODY(",\"callback_url\":null,\"CallbackURL\":\"https://example.com/\""),
         "CallbackURL"},
        {BODY(",\"callbackurl\":\"https://example.com/\""), NULL},
    };

    check_rows(rows, COUNT_OF(rows));
}

/* A member of count copies of a character. */
static void check_long(const char *name, const char *character, size_t count, const char *field)
{
    CLEANUP(buf_fini) struct buf body = {0};

    buf_init(&body, 1 << 20);
    buf_printf(&body, "{\"model\":\"m\"," CONTENT ",\"%s\":\"", name);
    for (size_t i = 0; i < count; i++)
        buf_puts(&body, character);
    buf_puts(&body, "\"}");

    CLEANUP(decoded_fini) struct decoded decoded = {0};

    decode(buf_str(&body), &decoded);
    CHECK_INT(name, decoded.code, field == NULL ? ERR_OK : ERR_INVALID);
    CHECK_TEXT(name, decoded.err.field, field == NULL ? "" : field);
}

/* Ark counts the characters of an identifier, not its bytes. */
static void test_lengths(void)
{
    check_long("safety_identifier", "x", 64, NULL);
    check_long("safety_identifier", "x", 65, "safety_identifier");
    check_long("safety_identifier", "\xe4\xbd\xa0", 64, NULL);
    check_long("safety_identifier", "\xe4\xbd\xa0", 65, "safety_identifier");
    check_long("safety_identifier", "\xf0\x9f\x98\x80", 64, NULL);
    check_long("safety_identifier", "\xf0\x9f\x98\x80", 65, "safety_identifier");
    check_long("safety_identifier", "\\u4f60", 64, NULL);
    check_long("safety_identifier", "\\ud83d\\ude00", 65, "safety_identifier");
    check_long("resolution", "x", 64, NULL);
    check_long("resolution", "x", 65, "resolution");
    check_long("ratio", "x", 65, "ratio");
    check_long("service_tier", "x", 65, "service_tier");
    check_long("unknown_member", "x", 100000, NULL);
}

/* However long a name is: it is an unknown model, not a bad request. */
static void test_long_model_names(void)
{
    CLEANUP(buf_fini) struct buf body = {0};

    buf_init(&body, 1 << 20);
    buf_puts(&body, "{" CONTENT ",\"model\":\"");
    for (size_t i = 0; i < 5000; i++)
        buf_puts(&body, "m");
    buf_puts(&body, "\"}");

    CLEANUP(decoded_fini) struct decoded decoded = {0};

    decode(buf_str(&body), &decoded);
    CHECK_INT("5000", decoded.code, ERR_OK);
    CHECK_INT("5000", decoded.draft.model_asked.len, 5000);
}

/* The model can be had while the rest is wrong. */
static void test_model_alone(void)
{
    static const struct {
        const char *body, *model; /* NULL: refused */
    } rows[] = {
        {"{\"model\":\"m\"}", "m"},
        {"{\"model\":\"m\",\"content\":7,\"duration\":\"x\"}", "m"},
        {"{\"content\":[]}", NULL},
        {"{\"model\":7}", NULL},
        {"[]", NULL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(arena_fini) struct arena arena = {0};
        CLEANUP(json_free) struct json_doc *doc = NULL;
        struct err err = {0};
        struct str model = {0};

        arena_init(&arena, 1 << 20);
        CHECK_OK(rows[i].body, json_parse(&arena, str_from(rows[i].body), &doc, &err), &err);
        CHECK_INT(rows[i].body, ark_decode_model(doc, &model, &err),
                  rows[i].model == NULL ? ERR_INVALID : ERR_OK);
        CHECK_TRUE(rows[i].body, rows[i].model == NULL || str_is(model, rows[i].model));
    }
}

static void test_content_items(void)
{
    static const struct row rows[] = {
        {ITEM("7"), "content[0]"},
        {ITEM("null"), "content[0]"},
        {ITEM("\"a cat\""), "content[0]"},
        {ITEM("[]"), "content[0]"},
        {ITEM("{}"), "content[0].type"},
        {ITEM("{\"type\":null,\"text\":\"x\"}"), "content[0].type"},
        {ITEM("{\"type\":1}"), "content[0].type"},
        {ITEM("{\"type\":\"\"}"), "content[0].type"},
        {ITEM("{\"type\":\"Text\",\"text\":\"x\"}"), "content[0].type"},
        {ITEM("{\"type\":\"texts\",\"text\":\"x\"}"), "content[0].type"},
        {ITEM("{\"type\":\"file_url\",\"file_url\":{\"url\":\"https://x\"}}"),
         "content[0].type"},
        {ITEM("{\"type\":\"draft_task\",\"draft_task\":{\"id\":\"cgt-1\"}}"),
         "content[0].type"},
        {ITEM("{\"type\":\"text\"}"), "content[0].text"},
        {ITEM("{\"type\":\"text\",\"text\":null}"), "content[0].text"},
        {ITEM("{\"type\":\"text\",\"text\":7}"), "content[0].text"},
        {ITEM("{\"type\":\"text\",\"text\":[\"x\"]}"), "content[0].text"},
        {ITEM("{\"type\":\"text\",\"text\":\"\"}"), NULL}, /* blank is judged elsewhere */
        {ITEM("{\"type\":\"text\",\"text\":\"a cat --rs 4k\"}"), "content[0].text"},
        {ITEM("{\"type\":\"text\",\"text\":\"a cat --DUR\\t15\"}"), "content[0].text"},
        {ITEM("{\"type\":\"text\",\"text\":\"--ratio=1:1\"}"), "content[0].text"},
        {ITEM("{\"type\":\"text\",\"text\":\"a cat --rsvp now --wm true -- rs\"}"), NULL},
        {ITEM("{\"type\":\"image_url\"}"), "content[0].image_url"},
        {ITEM("{\"type\":\"image_url\",\"image_url\":\"https://x\"}"), "content[0].image_url"},
        {ITEM("{\"type\":\"image_url\",\"video_url\":{\"url\":\"https://x\"}}"),
         "content[0].image_url"},
        {ITEM("{\"type\":\"image_url\",\"image_url\":{}}"), "content[0].image_url.url"},
        {ITEM("{\"type\":\"image_url\",\"image_url\":{\"url\":null}}"),
         "content[0].image_url.url"},
        {ITEM("{\"type\":\"image_url\",\"image_url\":{\"url\":7}}"),
         "content[0].image_url.url"},
        {ITEM("{\"type\":\"image_url\",\"image_url\":{\"url\":\"\"}}"),
         "content[0].image_url.url"},
        {ITEM("{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x\"}}"), NULL},
        {ITEM("{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AA\"}}"),
         NULL},
        {ITEM("{\"type\":\"audio_url\",\"audio_url\":{\"url\":\"data:audio/mp3;base64,AA\"}}"),
         NULL},
        {ITEM("{\"type\":\"video_url\",\"video_url\":{\"url\":\"data:video/mp4;base64,AA\"}}"),
         "content[0].video_url.url"},
        {ITEM("{\"type\":\"video_url\",\"video_url\":{\"url\":\"DATA:video/mp4;base64,AA\"}}"),
         "content[0].video_url.url"},
        {ITEM("{\"type\":\"video_url\",\"video_url\":{\"url\":\"https://x\"}}"), NULL},
        /* The one at fault is named by its place. */
        {ITEM("{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"text\",\"text\":7}"),
         "content[1].text"},
    };

    check_rows(rows, COUNT_OF(rows));
}

/* Each kind with each role. */
static void test_roles(void)
{
    static const char *const roles[] = {"null",
                                        "\"first_frame\"",
                                        "\"last_frame\"",
                                        "\"reference_image\"",
                                        "\"reference_video\"",
                                        "\"reference_audio\"",
                                        "\"mask\"",
                                        "\"\"",
                                        "\"First_Frame\"",
                                        "7",
                                        "[]"};
    static const struct {
        const char *kind;
        const char *accepted;
    } kinds[] = {{"image_url", "yyyynnnnnnn"},
                 {"video_url", "ynnnynnnnnn"},
                 {"audio_url", "ynnnnynnnnn"}};

    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        for (size_t j = 0; j < COUNT_OF(roles); j++) {
            char body[256];

            (void)snprintf(body, sizeof(body),
                           ITEM("{\"type\":\"%s\",\"%s\":{\"url\":\"https://x\"},\"role\":%s}"),
                           kinds[i].kind, kinds[i].kind, roles[j]);
            check_body(body, kinds[i].accepted[j] == 'y' ? NULL : "content[0].role");
        }
    }
}

static void test_counts(void)
{
#define URL(kind, role) \
    "{\"type\":\"" kind "\",\"" kind "\":{\"url\":\"https://x\"},\"role\":\"" role "\"},"
    static const char body[] =
        ITEM(URL("image_url", "first_frame") URL("image_url", "last_frame")
                 URL("image_url", "reference_image") URL("image_url", "reference_image")
                     URL("video_url", "reference_video") URL("video_url", "reference_video")
                         URL("audio_url", "reference_audio") "{\"type\":\"text\","
                                                             "\"text\":\" \\t\\n \"}");
#undef URL
    CLEANUP(decoded_fini) struct decoded decoded = {0};

    decode(str_from(body), &decoded);
    CHECK_INT("decoded", decoded.code, ERR_OK);
    CHECK_INT("images", decoded.draft.images, 4);
    CHECK_INT("videos", decoded.draft.videos, 2);
    CHECK_INT("audios", decoded.draft.audios, 1);
    CHECK_INT("first", decoded.draft.first_frames, 1);
    CHECK_INT("last", decoded.draft.last_frames, 1);
    CHECK_TRUE("a blank text is none", !decoded.draft.has_text);
}

static void test_number_of_items(void)
{
    for (int count = 63; count <= 65; count++) {
        CLEANUP(buf_fini) struct buf body = {0};
        CLEANUP(decoded_fini) struct decoded decoded = {0};

        buf_init(&body, 1 << 20);
        buf_puts(&body, "{\"model\":\"m\",\"content\":[");
        for (int i = 0; i < count; i++)
            buf_printf(&body, "%s{\"type\":\"text\",\"text\":\"x\"}", i == 0 ? "" : ",");
        buf_puts(&body, "]}");
        decode(buf_str(&body), &decoded);
        CHECK_INT("items", decoded.code, count <= 64 ? ERR_OK : ERR_INVALID);
        CHECK_TEXT("items", decoded.err.field, count <= 64 ? "" : "content");
    }
}

/* Anything that begins so, wherever it stands. */
static void test_assets(void)
{
    static const struct row rows[] = {
        {ITEM("{\"type\":\"image_url\",\"image_url\":{\"url\":\"asset://asset-1\"}}"),
         "content[0].image_url.url"},
        {ITEM("{\"type\":\"video_url\",\"video_url\":{\"url\":\"ASSET://asset-1\"}}"),
         "content[0].video_url.url"},
        {ITEM("{\"type\":\"audio_url\",\"audio_url\":{\"url\":\"aSsEt://asset-1\"}}"),
         "content[0].audio_url.url"},
        {ITEM("{\"type\":\"image_url\",\"image_url\":{\"url\":\"\\u0061sset:\\/\\/asset-1\"}}"),
         "content[0].image_url.url"},
        {ITEM("{\"type\":\"text\",\"text\":\"asset://asset-1\"}"), "content[0].text"},
        {ITEM("{\"type\":\"text\",\"text\":\"x\",\"extra\":\"asset://1\"}"),
         "content[0].extra"},
        {BODY(",\"new\":\"asset://1\""), "new"},
        {BODY(",\"new\":{\"a\":[1,[{\"b\":\"Asset://1\"}]]}"), "new.a[1][0].b"},
        {BODY(",\"new\":[\"x\",\"asset://\"]"), "new[1]"},
        {"{\"model\":\"asset://1\"," CONTENT "}", "model"},
        /* No asset: not at the beginning, no URL, only a name. */
        {BODY(",\"new\":\"my asset://1\""), NULL},
        {BODY(",\"new\":\"asset:/1\""), NULL},
        {BODY(",\"new\":\"assets://1\""), NULL},
        {BODY(",\"asset://1\":\"x\""), NULL},
    };

    check_rows(rows, COUNT_OF(rows));
    check_long("new", "asset://", 1000, "new");       /* 8 kB */
    check_long("new", "\\u0041sset://", 1000, "new"); /* and escaped */
    check_long("new", "x", 8000, NULL);
}

static void test_long_prompts_and_urls(void)
{
    CLEANUP(buf_fini) struct buf body = {0};
    CLEANUP(decoded_fini) struct decoded decoded = {0};

    buf_init(&body, 1 << 20);
    buf_puts(&body, "{\"model\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"");
    for (int i = 0; i < 5000; i++)
        buf_puts(&body, " ");
    buf_puts(&body, "x\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;"
                    "base64,");
    for (int i = 0; i < 50000; i++)
        buf_puts(&body, "AAAA");
    buf_puts(&body, "\"}}]}");
    decode(buf_str(&body), &decoded);
    CHECK_INT("decoded", decoded.code, ERR_OK);
    CHECK_TRUE("a word behind 5000 blanks", decoded.draft.has_text);
    CHECK_INT("image", decoded.draft.images, 1);
}

static void test_whole_draft(void)
{
    static const char body[] = "{\"model\":\"doubao-seedance-2-0\"," CONTENT
                               ",\"resolution\":\"1080p\",\"ratio\":\"1:1\",\"duration\":7,"
                               "\"seed\":42,\"priority\":3,\"execution_expires_after\":7200,"
                               "\"service_tier\":\"default\",\"safety_identifier\":\"user-1\","
                               "\"generate_audio\":false,\"return_last_frame\":true,"
                               "\"watermark\":true,\"references\":{\"audio\":[\"https://x\"]}}";
    CLEANUP(decoded_fini) struct decoded decoded = {0};
    const struct task_draft *draft = &decoded.draft;

    decode(str_from(body), &decoded);
    CHECK_INT("decoded", decoded.code, ERR_OK);
    CHECK_TEXT("dialect", draft->dialect, "ark");
    CHECK_TRUE("body", draft->body.ptr == body && draft->body.len == sizeof(body) - 1);
    CHECK_TRUE("model", str_is(draft->model_asked, "doubao-seedance-2-0"));
    CHECK_TRUE("resolution", str_is(draft->resolution, "1080p"));
    CHECK_TRUE("ratio", str_is(draft->ratio, "1:1"));
    CHECK_TRUE("tier", str_is(draft->tier, "default"));
    CHECK_TRUE("identifier", str_is(draft->safety_identifier, "user-1"));
    CHECK_TRUE("duration", draft->has_duration && draft->duration == 7);
    CHECK_TRUE("seed", draft->has_seed && draft->seed == 42);
    CHECK_TRUE("priority", draft->has_priority && draft->priority == 3);
    CHECK_TRUE("expires", draft->has_expires_after && draft->expires_after == 7200);
    CHECK_TRUE("audio", draft->has_audio && !draft->audio);
    CHECK_TRUE("last frame", draft->last_frame);
    CHECK_TRUE("audio reference", draft->references_audio);
    CHECK_TRUE("text", draft->has_text);
    CHECK_INT("key", draft->idempotency_key.len, 0);
}

/* Absent and null are the same, and neither is a value. */
static void test_bare_draft(void)
{
    static const char *const bodies[] = {
        BODY(""),
        BODY(",\"resolution\":null,\"ratio\":null,\"duration\":null,\"seed\":null,"
             "\"priority\":null,\"execution_expires_after\":null,\"service_tier\":null,"
             "\"safety_identifier\":null,\"generate_audio\":null,\"return_last_frame\":null,"
             "\"references\":null,\"draft\":null,\"tools\":null,\"callback_url\":null"),
        BODY(",\"return_last_frame\":false,\"references\":{\"audio\":null}"),
        BODY(",\"references\":{\"image\":[\"https://x\"]}"),
        BODY(",\"references\":[\"audio\"]"),
    };

    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        CLEANUP(decoded_fini) struct decoded decoded = {0};
        const struct task_draft *draft = &decoded.draft;

        decode(str_from(bodies[i]), &decoded);
        CHECK_INT(bodies[i], decoded.code, ERR_OK);
        CHECK_TRUE(bodies[i], draft->resolution.ptr == NULL && draft->ratio.ptr == NULL);
        CHECK_TRUE(bodies[i], draft->tier.ptr == NULL && draft->safety_identifier.len == 0);
        CHECK_TRUE(bodies[i], !draft->has_duration && !draft->has_seed && !draft->has_audio);
        CHECK_TRUE(bodies[i], !draft->has_priority && !draft->has_expires_after);
        CHECK_TRUE(bodies[i], !draft->last_frame && !draft->references_audio);
    }
}

CHECK_MAIN(CHECK_TEST(test_not_an_object), CHECK_TEST(test_required), CHECK_TEST(test_types),
           CHECK_TEST(test_bounds), CHECK_TEST(test_lengths), CHECK_TEST(test_long_model_names),
           CHECK_TEST(test_model_alone), CHECK_TEST(test_content_items), CHECK_TEST(test_roles),
           CHECK_TEST(test_counts), CHECK_TEST(test_number_of_items), CHECK_TEST(test_assets),
           CHECK_TEST(test_long_prompts_and_urls), CHECK_TEST(test_whole_draft),
           CHECK_TEST(test_bare_draft))
