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
        decoded->code = ark_decode_create(decoded->doc, body, &decoded->arena, &decoded->draft,
                                          &decoded->err);
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
        {"draft", "ynnnnnynnnn"},
        {"camera_fixed", "ynnnnnynnnn"},
        {"frames", "ynynnnnnnnn"},
        {"tools", "ynnnnnnnnnn"},
        {"callback_url", "yynnnnnnnny"}, /* where it leads is judged elsewhere */
        {"CallbackURL", "yynnnnnnnny"},
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
        /* Which models have them is judged elsewhere. */
        {BODY(",\"draft\":false"), NULL},
        {BODY(",\"draft\":true"), NULL},
        {BODY(",\"camera_fixed\":true"), NULL},
        {BODY(",\"frames\":0"), NULL},
        {BODY(",\"frames\":-2147483649"), NULL},
        {BODY(",\"callbackurl\":\"https://example.com/\""), "callbackurl"},
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
        {ITEM("{\"type\":\"draft_task\",\"draft_task\":{\"id\":\"cgt-1\"}}"), NULL},
        {ITEM("{\"type\":\"draft_task\",\"draft_task\":{\"id\":\"\"}}"),
         "content[0].draft_task.id"},
        {ITEM("{\"type\":\"draft_task\",\"draft_task\":{\"id\":null}}"),
         "content[0].draft_task.id"},
        {ITEM("{\"type\":\"draft_task\",\"draft_task\":{\"id\":7}}"),
         "content[0].draft_task.id"},
        {ITEM("{\"type\":\"draft_task\",\"draft_task\":{\"Id\":\"cgt-1\"}}"),
         "content[0].draft_task.Id"},
        {ITEM("{\"type\":\"draft_task\",\"draft_task\":\"cgt-1\"}"), "content[0].draft_task"},
        {ITEM("{\"type\":\"draft_task\",\"id\":\"cgt-1\"}"), "content[0].draft_task"},
        {ITEM("{\"type\":\"draft_task\",\"draft_task\":{\"id\":\"a\"}},"
              "{\"type\":\"draft_task\",\"draft_task\":{\"id\":\"b\"}}"),
         "content[1]"},
        {ITEM("{\"type\":\"text\"}"), "content[0].text"},
        {ITEM("{\"type\":\"text\",\"text\":null}"), "content[0].text"},
        {ITEM("{\"type\":\"text\",\"text\":7}"), "content[0].text"},
        {ITEM("{\"type\":\"text\",\"text\":[\"x\"]}"), "content[0].text"},
        {ITEM("{\"type\":\"text\",\"text\":\"\"}"), NULL}, /* blank is judged elsewhere */
        /* Parameters in a prompt are weak: never an error. */
        {ITEM("{\"type\":\"text\",\"text\":\"a cat --rs 4k --dur x --rt\"}"), NULL},
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
    CHECK_INT("references", decoded.draft.references, 5);
    CHECK_TRUE("a blank text is none", !decoded.draft.has_text);
    CHECK_INT("no draft", decoded.draft.draft_task.len, 0);
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

/* Which item an asset belongs to, by the item's type and not by its other members. */
static void test_kinds_of_assets(void)
{
    static const char body[] =
        "{\"model\":\"m\",\"CallbackURL\":\"asset://c\",\"content\":["
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"Asset://Asset-A\"}},"
        "{\"type\":\"video_url\",\"video_url\":{\"url\":\"https://x/v.mp4\"},"
        "\"image_url\":{\"url\":\"asset://b\"}},"
        "{\"type\":\"text\",\"text\":\"asset://t\",\"audio_url\":{\"url\":\"asset://d\"}},"
        "{\"type\":\"audio_url\",\"audio_url\":{\"url\":\"asset://e\"}}],"
        "\"callback_url\":\"https://x\"}";
    static const struct {
        const char *field, *id, *at;
        enum content_kind kind;
    } want[] = {
        {"CallbackURL", "c", "", CONTENT_TEXT},
        {"content[0].image_url.url", "asset-a", "\"Asset://Asset-A\"", CONTENT_IMAGE},
        {"content[1].image_url.url", "b", "\"asset://b\"", CONTENT_TEXT},
        {"content[2].text", "t", "", CONTENT_TEXT},
        {"content[2].audio_url.url", "d", "\"asset://d\"", CONTENT_TEXT},
        {"content[3].audio_url.url", "e", "\"asset://e\"", CONTENT_AUDIO},
    };
    CLEANUP(decoded_fini) struct decoded decoded = {0};

    decode(str_from(body), &decoded);
    CHECK_OK("decoded", decoded.code, &decoded.err);
    CHECK_INT("assets", decoded.draft.asset_count, COUNT_OF(want));
    for (size_t i = 0; i < COUNT_OF(want) && i < decoded.draft.asset_count; i++) {
        const struct draft_asset *asset = &decoded.draft.assets[i];

        CHECK_TEXT(want[i].field, asset->field, want[i].field);
        CHECK_TRUE(want[i].field, str_is(asset->id, want[i].id));
        CHECK_TRUE(want[i].field, str_is(asset->at, want[i].at));
        CHECK_INT(want[i].field, asset->kind, want[i].kind);
    }
    CHECK_TEXT("the first that is none", decoded.draft.plain_field, "content[1].video_url.url");
}

/* A member whose own name looks like a medium's path is none: its length must not stand for
 * that of the medium. Nor is anything in a member that is dropped replaced. */
static void test_names_that_look_like_paths(void)
{
    static const char body[] =
        "{\"model\":\"m\",\"content\":[{\"type\":\"video_url\","
        "\"video_url\":{\"url\":\"https://x/15s.mp4\"},\"video_url.url\":\"asset://a\"}],"
        "\"content[0].video_url.url\":\"asset://b\","
        "\"callback_url\":\"https://x\",\"CallbackURL\":{\"x\":\"asset://c\"},"
        "\"references\":{\"audio\":[\"https://x/a.mp3\"]}}";
    CLEANUP(decoded_fini) struct decoded decoded = {0};

    decode(str_from(body), &decoded);
    CHECK_OK("decoded", decoded.code, &decoded.err);
    CHECK_INT("assets", decoded.draft.asset_count, 3);
    for (size_t i = 0; i < decoded.draft.asset_count; i++)
        CHECK_INT("no medium", decoded.draft.assets[i].kind, CONTENT_TEXT);
    CHECK_TRUE("stays", decoded.draft.assets[2].at.len == 0);
    CHECK_TEXT("the first that is none", decoded.draft.plain_field, "content[0].video_url.url");

    static const char beside[] =
        "{\"model\":\"m\"," CONTENT ",\"references\":{\"audio\":[\"https://x/a.mp3\"]}}";
    CLEANUP(decoded_fini) struct decoded other = {0};

    decode(str_from(beside), &other);
    CHECK_TEXT("beside content", other.draft.plain_field, "references.audio[0]");
}

static void test_number_of_assets(void)
{
    for (int count = 31; count <= 33; count++) {
        CLEANUP(buf_fini) struct buf body = {0};
        CLEANUP(decoded_fini) struct decoded decoded = {0};

        buf_init(&body, 1 << 16);
        buf_puts(&body, "{\"model\":\"m\"," CONTENT ",\"extra\":[");
        for (int i = 0; i < count; i++)
            buf_printf(&body, "%s\"asset://a%d\"", i == 0 ? "" : ",", i);
        buf_puts(&body, "]}");
        decode(buf_str(&body), &decoded);
        CHECK_INT("assets", decoded.code, count <= 32 ? ERR_OK : ERR_INVALID);
        CHECK_TEXT("assets", decoded.err.field, count <= 32 ? "" : "content");
    }
}

/* Bodies and the member that the first asset stands in; "" none. */
static void check_asset(const char *what, struct str body, const char *field)
{
    CLEANUP(decoded_fini) struct decoded decoded = {0};

    decode(body, &decoded);
    CHECK_INT(what, decoded.code, ERR_OK);
    CHECK_TEXT(what, decoded.draft.asset_count > 0 ? decoded.draft.assets[0].field : "", field);
}

/* Anything that begins so, wherever it stands, is noted: whether there is such an asset is
 * said after the parameters. */
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
        {BODY(",\"new\":\"my asset://1\""), ""},
        {BODY(",\"new\":\"asset:/1\""), ""},
        {BODY(",\"new\":\"assets://1\""), ""},
        {BODY(",\"asset://1\":\"x\""), ""},
        {BODY(""), ""},
        /* The first of several. */
        {"{\"z\":\"asset://1\",\"model\":\"m\",\"a\":\"asset://2\"," CONTENT "}", "z"},
    };

    CLEANUP(buf_fini) struct buf body = {0};

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_asset(rows[i].body, str_from(rows[i].body), rows[i].field);

    /* Long ones, plain and escaped. */
    static const char *const begins[] = {"asset://", "\\u0041sset:\\/\\/", "x"};

    for (size_t i = 0; i < COUNT_OF(begins); i++) {
        buf_init(&body, 1 << 20);
        buf_puts(&body, "{\"model\":\"m\"," CONTENT ",\"new\":\"");
        for (int count = 0; count < 1000; count++)
            buf_puts(&body, begins[i]);
        buf_puts(&body, "\"}");
        check_asset(begins[i], buf_str(&body), begins[i][0] == 'x' ? "" : "new");
        buf_fini(&body);
    }
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
                               "\"watermark\":true,\"references\":{\"audio\":[\"https://x\"]},"
                               "\"draft\":true,\"camera_fixed\":true,\"frames\":29,"
                               "\"tools\":[{\"type\":\"web_search\"}],"
                               "\"callback_url\":\"https://cb.example/\"}";
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
    CHECK_TRUE("draft", draft->has_draft && draft->draft);
    CHECK_TRUE("camera", draft->camera_fixed);
    CHECK_TRUE("frames", draft->has_frames && draft->frames == 29);
    CHECK_TRUE("tool", draft->web_search);
    CHECK_TRUE("callback", str_is(draft->callback_url, "https://cb.example/"));
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
        BODY(",\"frames\":null,\"camera_fixed\":null,\"CallbackURL\":null"),
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
        CHECK_TRUE(bodies[i], !draft->has_draft && !draft->draft && !draft->camera_fixed);
        CHECK_TRUE(bodies[i], !draft->has_frames && !draft->web_search);
        CHECK_TRUE(bodies[i], draft->callback_url.len == 0 && draft->edit_count == 0);
        CHECK_TRUE(bodies[i], draft->draft_task.len == 0 && draft->patch_count == 0);
        CHECK_TRUE(bodies[i], draft->in_prompt.resolution.len == 0 &&
                                  draft->in_prompt.ratio.len == 0 &&
                                  !draft->in_prompt.has_duration &&
                                  !draft->in_prompt.has_frames && !draft->in_prompt.has_seed);
    }
}

/* ---- what goes on to Ark --------------------------------------------------- */

/* The body with the draft's edits and, when json is not NULL, the draft task's id as json;
 * made as the sender makes it. The caller frees it. */
static char *outgoing(struct decoded *decoded, const char *json)
{
    struct task_draft *draft = &decoded->draft;
    struct json_edit edits[1 + DRAFT_EDITS_MAX] = {{"model", STR("\"sent\"")}};
    struct json_patch patch = {0};
    struct json_slices slices = {0};
    struct err err = {0};
    char *text, *end;

    CHECK_TRUE("few edits", draft->edit_count <= DRAFT_EDITS_MAX);
    memcpy(edits + 1, draft->edits, draft->edit_count * sizeof(*edits));
    if (json != NULL)
        patch = (struct json_patch){draft->draft_task_at, str_from(json)};
    CHECK_OK(
        "splice",
        json_splice(&decoded->arena, draft->body, edits, draft->edit_count + 1, &slices, &err),
        &err);
    CHECK_OK("patch", json_splice_patch(&decoded->arena, &patch, &slices, &err), &err);
    text = end = malloc(slices.len + 1);
    ASSERT(text != NULL);
    for (size_t i = 0; i < slices.count; i++) {
        memcpy(end, slices.items[i].ptr, slices.items[i].len);
        end += slices.items[i].len;
    }
    CHECK_INT("length", end - text, slices.len);
    *end = '\0';
    CHECK_OK("JSON", json_gate(str_from(text), &err), &err);
    return text;
}

#define SENT(more) "{\"model\":\"sent\"," CONTENT more "}"

/* Trimmed, under one name, and nothing of a name that it shadows. */
static void test_callbacks(void)
{
    static const struct {
        const char *body, *url, *sent;
    } rows[] = {
        {BODY(""), "", SENT("")},
        {BODY(",\"callback_url\":null,\"CallbackURL\":null"), "", SENT("")},
        {BODY(",\"callback_url\":\"https://a.example/\""), "https://a.example/",
         SENT(",\"callback_url\":\"https://a.example/\"")},
        {BODY(",\"callback_url\":\" \\t\\r\\nhttps://a.example/ \\n\",\"x\":1"),
         "https://a.example/", SENT(",\"callback_url\":\"https://a.example/\",\"x\":1")},
        {BODY(",\"callback_url\":\"https:\\/\\/a.example\\/?a=1\\u0026b=2\""),
         "https://a.example/?a=1&b=2",
         SENT(",\"callback_url\":\"https://a.example/?a=1&b=2\"")},
        {BODY(",\"CallbackURL\":\"https://a.example/\""), "https://a.example/",
         SENT(",\"callback_url\":\"https://a.example/\"")},
        {BODY(",\"CallbackURL\":\" https://a.example/\",\"callback_url\":null,\"x\":1"),
         "https://a.example/", SENT(",\"callback_url\":\"https://a.example/\",\"x\":1")},
        /* A shadowed one is not looked at, whatever it is, and does not go on. */
        {BODY(",\"callback_url\":\"https://a.example/\",\"CallbackURL\":\"http://b/\""),
         "https://a.example/", SENT(",\"callback_url\":\"https://a.example/\"")},
        {BODY(",\"CallbackURL\":[{}],\"callback_url\":\"https://a.example/\""),
         "https://a.example/", SENT(",\"callback_url\":\"https://a.example/\"")},
        {BODY(",\"CallbackURL\":\"  \",\"callback_url\":\"https://a.example/\""),
         "https://a.example/", SENT(",\"callback_url\":\"https://a.example/\"")},
        {BODY(",\"callback_url\":\"https://a.example/\",\"CallbackURL\":null"),
         "https://a.example/", SENT(",\"callback_url\":\"https://a.example/\"")},
        /* Whatever is in it, what goes on is JSON and says the same. */
        {BODY(",\"callback_url\":\"https://a/\\\"},\\\\\\u0001\\u00e9\""),
         "https://a/\"},\\\x01\xc3\xa9",
         SENT(",\"callback_url\":\"https://a/\\\"},\\\\\\u0001\xc3\xa9\"")},
        /* Only these two names. */
        {BODY(",\"callback-url\":\"http://b/\""), "", SENT(",\"callback-url\":\"http://b/\"")},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(decoded_fini) struct decoded decoded = {0};

        decode(str_from(rows[i].body), &decoded);
        CHECK_OK(rows[i].body, decoded.code, &decoded.err);
        CHECK_TRUE(rows[i].body, str_is(decoded.draft.callback_url, rows[i].url));
        char *sent = outgoing(&decoded, NULL);

        CHECK_TEXT(rows[i].body, sent, rows[i].sent);
        free(sent);
    }
}

static void test_callbacks_refused(void)
{
    static const struct row rows[] = {
        {BODY(",\"callback_url\":\"\""), "callback_url"},
        {BODY(",\"callback_url\":\" \\t\\n \""), "callback_url"},
        {BODY(",\"callback_url\":\"\",\"CallbackURL\":\"https://a.example/\""), "callback_url"},
        {BODY(",\"callback_url\":false,\"CallbackURL\":\"https://a.example/\""),
         "callback_url"},
        {BODY(",\"callback_url\":{\"url\":\"https://a.example/\"}"), "callback_url"},
        {BODY(",\"CallbackURL\":\"\""), "CallbackURL"},
        {BODY(",\"callback_url\":null,\"CallbackURL\":\" \""), "CallbackURL"},
        {BODY(",\"callback_url\":null,\"CallbackURL\":7"), "CallbackURL"},
    };

    check_rows(rows, COUNT_OF(rows));
    check_long("callback_url", "x", 2048, NULL);
    check_long("callback_url", "x", 2049, "callback_url");
    check_long("CallbackURL", "x", 2049, "CallbackURL");
    check_long("callback_url", " ", 100000, "callback_url");
    check_long("callback_url", "\\u0001", 2048, NULL); /* six bytes of each go on */
    check_long("callback_url", "\\u00e9", 1024, NULL);
    check_long("callback_url", "\\u00e9", 1025, "callback_url");
}

static void test_tools(void)
{
    static const struct {
        const char *tools;
        bool accepted;
    } rows[] = {
        {"[{\"type\":\"web_search\"}]", true},
        {"[ { \"type\" : \"web\\u005fsearch\" } ]", true},
        {"[]", false},
        {"{}", false},
        {"{\"type\":\"web_search\"}", false},
        {"[{}]", false},
        {"[null]", false},
        {"[[]]", false},
        {"[\"web_search\"]", false},
        {"[{\"type\":\"web_search\"},{\"type\":\"web_search\"}]", false},
        {"[{\"type\":\"web_search\",\"limit\":1}]", false},
        {"[{\"Type\":\"web_search\"}]", false},
        {"[{\"type\":\"Web_search\"}]", false},
        {"[{\"type\":\"web_search \"}]", false},
        {"[{\"type\":\"web_searches\"}]", false},
        {"[{\"type\":null}]", false},
        {"[{\"type\":[\"web_search\"]}]", false},
        {"[{\"type\":\"function\"}]", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(decoded_fini) struct decoded decoded = {0};
        char body[256];

        (void)snprintf(body, sizeof(body), BODY(",\"tools\":%s"), rows[i].tools);
        decode(str_from(body), &decoded);
        CHECK_INT(body, decoded.code, rows[i].accepted ? ERR_OK : ERR_INVALID);
        CHECK_TEXT(body, decoded.err.field, rows[i].accepted ? "" : "tools");
        CHECK_INT(body, decoded.draft.web_search, rows[i].accepted);
        if (!rows[i].accepted)
            continue;
        char *sent = outgoing(&decoded, NULL);

        CHECK_TRUE("goes on as it is", strstr(sent, rows[i].tools) != NULL);
        free(sent);
    }
}

#define DRAFT(id) "{\"type\":\"draft_task\",\"draft_task\":{\"id\":" id "}}"

/* The id's own bytes are known, wherever it stands, and can be replaced by Ark's. */
static void test_draft_tasks(void)
{
    static const struct {
        const char *body, *sent;
    } rows[] = {
        {ITEM(DRAFT("\"cgt-1\"")),
         "{\"model\":\"sent\",\"content\":[" DRAFT("\"cgt-up\"") "]}"},
        /* escaped, with blanks, other members before and behind */
        {ITEM(" { \"type\" : \"draft_task\" , \"draft_task\" : { \"x\" : \"cgt-1\", \"id\" : "
              "\"\\u0063gt\\u002d1\" , \"y\" : 1.10 } } "),
         "{\"model\":\"sent\",\"content\":[ { \"type\" : \"draft_task\" , \"draft_task\" : { "
         "\"x\" : \"cgt-1\", \"id\" : \"cgt-up\" , \"y\" : 1.10 } } ]}"},
        /* the very first and the very last value */
        {"{\"content\":[{\"draft_task\":{\"id\":\"cgt-1\"},\"type\":\"draft_task\"}],"
         "\"a\":null,\"model\":\"m\"}",
         "{\"content\":[{\"draft_task\":{\"id\":\"cgt-up\"},\"type\":\"draft_task\"}],"
         "\"model\":\"sent\"}"},
        {"{\"model\":\"m\",\"a\":null,\"content\":[{\"type\":\"draft_task\",\"draft_task\":{"
         "\"id\":\"cgt-1\"}}]}",
         "{\"model\":\"sent\",\"content\":[{\"type\":\"draft_task\",\"draft_task\":{"
         "\"id\":\"cgt-up\"}}]}"},
        /* with edits before, behind and of the member itself */
        {"{\"CallbackURL\":\"https://a/ \",\"model\":\"m\",\"content\":[" DRAFT(
             "\"cgt-1\"") "],\"z\":null,\"callback_url\":null,\"seed\":-1}",
         "{\"model\":\"sent\",\"content\":[" DRAFT(
             "\"cgt-up\"") "],\"callback_url\":\"https://a/\",\"seed\":-1}"},
        {"{\"callback_url\":\" "
         "https://a/\",\"content\":[{\"type\":\"text\",\"text\":\"cgt-1\"}," DRAFT(
             "\"cgt-1\"") "],\"model\":\"m\"}",
         "{\"callback_url\":\"https://a/"
         "\",\"content\":[{\"type\":\"text\",\"text\":\"cgt-1\"}," DRAFT(
             "\"cgt-up\"") "],\"model\":\"sent\"}"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(decoded_fini) struct decoded decoded = {0};
        const struct task_draft *draft = &decoded.draft;
        char *body = strdup(rows[i].body); /* so that a stray pointer is seen */
        size_t len = strlen(rows[i].body);

        ASSERT(body != NULL);
        decode(str_from(body), &decoded);
        CHECK_OK(rows[i].body, decoded.code, &decoded.err);
        CHECK_TRUE(rows[i].body, str_is(draft->draft_task, "cgt-1"));
        CHECK_TRUE(rows[i].body,
                   draft->draft_task_at.ptr > body &&
                       draft->draft_task_at.ptr + draft->draft_task_at.len < body + len);
        CHECK_INT(rows[i].body, draft->images + draft->videos + draft->audios, 0);
        char *sent = outgoing(&decoded, "\"cgt-up\"");

        CHECK_TEXT(rows[i].body, sent, rows[i].sent);
        free(sent);
        free(body);
    }
}

/* Megabytes around it. */
static void test_a_draft_task_in_a_long_body(void)
{
    CLEANUP(buf_fini) struct buf body = {0};
    CLEANUP(decoded_fini) struct decoded decoded = {0};

    buf_init(&body, 4 << 20);
    buf_puts(&body, "{\"before\":\"");
    for (int i = 0; i < 30000; i++)
        buf_puts(&body, "\\\"cgt-1\\\""); /* an id that is none */
    buf_puts(&body,
             "x\",\"model\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"x\"}," DRAFT(
                 "\"cgt-1\"") "],\"behind\":[");
    for (int i = 0; i < 15000; i++)
        buf_puts(&body, i == 0 ? "1e400" : ",1e400");
    buf_puts(&body, "]}");
    decode(buf_str(&body), &decoded);
    CHECK_OK("long", decoded.code, &decoded.err);
    char *sent = outgoing(&decoded, "\"cgt-20260101000000-abcde\"");
    const char *at = strstr(sent, DRAFT("\"cgt-20260101000000-abcde\""));

    CHECK_TRUE("there", at != NULL);
    CHECK_INT("all the rest", strlen(sent),
              body.len + strlen("\"sent\"") - strlen("\"m\"") +
                  strlen("cgt-20260101000000-abcde") - strlen("cgt-1"));
    CHECK_TRUE("behind it", at != NULL && strncmp(at + strlen(DRAFT("\"cgt-20260101000000-"
                                                                    "abcde\"")),
                                                  "],\"behind\":[1e400,", 17) == 0);
    free(sent);
}

/* The end of the one text is read; members of the body stay what they are. */
static void test_parameters_in_prompts(void)
{
    static const char body[] = ITEM("{\"type\":\"text\",\"text\":\"a --frames 29 cat --dur 7"
                                    " --rs \\u0031080p --seed 42 --rt 9:16\\t\"}");
    CLEANUP(decoded_fini) struct decoded decoded = {0};
    const struct draft_inline *found = &decoded.draft.in_prompt;

    decode(str_from(body), &decoded);
    CHECK_OK("prompts", decoded.code, &decoded.err);
    CHECK_TRUE("resolution", str_is(found->resolution, "1080p"));
    CHECK_TRUE("ratio", str_is(found->ratio, "9:16"));
    CHECK_TRUE("duration", found->has_duration && found->duration == 7);
    CHECK_TRUE("seed", found->has_seed && found->seed == 42);
    CHECK_TRUE("frames", !found->has_frames);
    CHECK_TRUE("no members", decoded.draft.resolution.ptr == NULL &&
                                 !decoded.draft.has_duration && !decoded.draft.has_seed);
    char *sent = outgoing(&decoded, NULL);

    CHECK_TRUE("the text goes on as it is",
               strstr(sent, " --rs \\u0031080p --seed 42 --rt 9:16\\t\"") != NULL);
    free(sent);
}

CHECK_MAIN(CHECK_TEST(test_not_an_object), CHECK_TEST(test_required), CHECK_TEST(test_types),
           CHECK_TEST(test_bounds), CHECK_TEST(test_lengths), CHECK_TEST(test_long_model_names),
           CHECK_TEST(test_model_alone), CHECK_TEST(test_content_items), CHECK_TEST(test_roles),
           CHECK_TEST(test_counts), CHECK_TEST(test_number_of_items),
           CHECK_TEST(test_kinds_of_assets), CHECK_TEST(test_number_of_assets),
           CHECK_TEST(test_names_that_look_like_paths), CHECK_TEST(test_assets),
           CHECK_TEST(test_long_prompts_and_urls), CHECK_TEST(test_whole_draft),
           CHECK_TEST(test_bare_draft), CHECK_TEST(test_callbacks),
           CHECK_TEST(test_callbacks_refused), CHECK_TEST(test_tools),
           CHECK_TEST(test_draft_tasks), CHECK_TEST(test_a_draft_task_in_a_long_body),
           CHECK_TEST(test_parameters_in_prompts))
