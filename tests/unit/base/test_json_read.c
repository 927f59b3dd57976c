/* SPDX-License-Identifier: Apache-2.0 */
/* The tree behind the gate: what each getter answers, long strings that stay in
 * the original text, raw bytes of values, and the walk over all strings. */
#include "base/json.h"

#include "tests/lib/check.h"

#include <stdlib.h>

/* A document over an exactly sized copy of a text. */
struct fixture {
    struct arena arena;
    char *copy;
    struct json_doc *doc;
};

static void fixture_fini(struct fixture *fixture)
{
    json_free(&fixture->doc);
    arena_fini(&fixture->arena);
    free(fixture->copy);
}

static enum err_code fixture_parse(struct fixture *fixture, struct str text, struct err *err)
{
    arena_init(&fixture->arena, 1 << 20);
    fixture->copy = malloc(text.len != 0 ? text.len : 1);
    ASSERT(fixture->copy != NULL);
    memcpy(fixture->copy, text.ptr, text.len);
    return json_parse(&fixture->arena, (struct str){fixture->copy, text.len}, &fixture->doc,
                      err);
}

static const struct json_value *fixture_root(struct fixture *fixture, const char *text)
{
    struct err err = {0};

    CHECK_OK(text, fixture_parse(fixture, str_from(text), &err), &err);
    return json_root(fixture->doc);
}

static void check_str(const char *what, struct str got, const char *want)
{
    char text[1024];

    CHECK_INT(what, got.len, strlen(want));
    (void)str_copy(text, sizeof(text), got);
    CHECK_TEXT(what, text, want);
}

/* One more than the longest string that goes through the tree. */
static void put_long(struct buf *buf, const char *start, const char *fill)
{
    size_t len = buf->len;

    buf_puts(buf, "\"");
    buf_puts(buf, start);
    while (buf->len - len <= JSON_LONG_STRING + 1)
        buf_puts(buf, fill);
    buf_puts(buf, "\"");
}

static void test_types(void)
{
    static const struct {
        const char *text;
        enum json_type type;
        size_t count;
    } rows[] = {
        {"null", JSON_NULL, 0},         {"true", JSON_BOOL, 0},
        {"false", JSON_BOOL, 0},        {"0", JSON_NUMBER, 0},
        {"-1.5e3", JSON_NUMBER, 0},     {"\"\"", JSON_STRING, 0},
        {" \"a\" ", JSON_STRING, 0},    {"[]", JSON_ARRAY, 0},
        {"[ ]", JSON_ARRAY, 0},         {"[null]", JSON_ARRAY, 1},
        {"[1,[2,3],4]", JSON_ARRAY, 3}, {"{}", JSON_OBJECT, 0},
        {"{\"a\":1}", JSON_OBJECT, 1},  {"{\"a\":{},\"b\":null}", JSON_OBJECT, 2},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(fixture_fini) struct fixture fixture = {0};
        const struct json_value *root = fixture_root(&fixture, rows[i].text);
        CHECK_INT(rows[i].text, json_type(root), rows[i].type);
        CHECK_INT(rows[i].text, json_count(root), rows[i].count);
        CHECK_TEXT(rows[i].text, json_name(root), "");
        CHECK_TRUE(rows[i].text, json_next(root) == NULL);
        CHECK_TRUE(rows[i].text, (json_first(root) == NULL) == (rows[i].count == 0));
    }
    CHECK_INT("no value", json_type(NULL), JSON_NULL);
    CHECK_TRUE("no value", json_first(NULL) == NULL && json_next(NULL) == NULL);
    CHECK_TRUE("no value", json_get(NULL, "a") == NULL);
    json_free(NULL);
}

static void test_members(void)
{
    CLEANUP(fixture_fini) struct fixture fixture = {0};
    const struct json_value *root = fixture_root(
        &fixture, "{\"Duration\":9,\"duration\":5,\"n\":null,\"\\u0064eep\":{\"x\":[7,8]},"
                  "\"\":1,\"\\u00010\":\"\\u00010\"}");
    int64_t value = 0;

    CHECK_TRUE("case", json_int(json_get(root, "duration"), &value));
    CHECK_INT("case", value, 5);
    CHECK_TRUE("case", json_get(root, "DURATION") == NULL);
    CHECK_TRUE("null is absent", json_get(root, "n") == NULL);
    CHECK_TRUE("absent", json_get(root, "nn") == NULL);
    CHECK_TRUE("escaped name", json_type(json_get(root, "deep")) == JSON_OBJECT);
    CHECK_TRUE("empty name", json_int(json_get(root, ""), &value));
    CHECK_TRUE("control in name", json_get(root, "\x01"
                                                 "0") != NULL);

    const struct json_value *list = json_get(json_get(root, "deep"), "x");
    CHECK_TRUE("no object", json_get(list, "x") == NULL);
    CHECK_TRUE("second item", json_int(json_next(json_first(list)), &value));
    CHECK_INT("second item", value, 8);
    CHECK_TEXT("item has no name", json_name(json_first(list)), "");
    CHECK_TEXT("member has", json_name(list), "x");
}

static void test_numbers(void)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"5", true, 5},
        {"-1", true, -1},
        {"5.0", true, 5}, /* by value; the decode table is stricter */
        {"5e0", true, 5},
        {"1e3", true, 1000},
        {"2147483648", true, 2147483648},
        {"-2147483649", true, -2147483649},
        {"4294967295", true, 4294967295},
        {"9007199254740991", true, 9007199254740991},
        {"9007199254740992", true, 9007199254740992},
        {"-9007199254740992", true, -9007199254740992},
        {"9007199254740993", false, 0},
        {"-9007199254740993", false, 0},
        {"9007199254740992.5", false, 0},
        {"9007199254740994", false, 0},
        {"12345678901234567890", false, 0},
        {"9223372036854775808", false, 0},
        {"5.5", false, 0},
        {"-0.1", false, 0},
        {"1e-400", true, 0},
        {"1e400", false, 0},
        {"-1e400", false, 0},
        {"1e999999999999", false, 0},
        {"\"5\"", false, 0},
        {"true", false, 0},
        {"null", false, 0},
        {"[5]", false, 0},
        {"{}", false, 0},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(fixture_fini) struct fixture fixture = {0};
        const struct json_value *root = fixture_root(&fixture, rows[i].text);
        int64_t value = 77;
        CHECK_INT(rows[i].text, json_int(root, &value), rows[i].ok);
        CHECK_INT(rows[i].text, value, rows[i].ok ? rows[i].value : 77);
    }
    int64_t value;
    CHECK_TRUE("no value", !json_int(NULL, &value));
}

static void test_bools(void)
{
    CLEANUP(fixture_fini) struct fixture fixture = {0};
    const struct json_value *item =
        json_first(fixture_root(&fixture, "[true,false,1,\"true\"]"));
    bool value = false;

    CHECK_TRUE("true", json_bool(item, &value) && value);
    item = json_next(item);
    CHECK_TRUE("false", json_bool(item, &value) && !value);
    item = json_next(item);
    CHECK_TRUE("number", !json_bool(item, &value));
    item = json_next(item);
    CHECK_TRUE("text", !json_bool(item, &value));
    CHECK_TRUE("no value", !json_bool(NULL, &value));
}

static void test_texts(void)
{
    static const struct {
        const char *json, *text;
    } rows[] = {
        {"\"\"", ""},
        {"\"plain\"", "plain"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"", "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"\"\\u0001\"", "\x01"},
        {"\"\\u00010\"", "\x01"
                         "0"},
        {"\"\\u00011\"", "\x01"
                         "1"},
        {"\"\\\\u0041\"", "\\u0041"},
        {"7", ""},
        {"null", ""},
        {"[\"a\"]", ""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(fixture_fini) struct fixture fixture = {0};
        const struct json_value *root = fixture_root(&fixture, rows[i].json);
        check_str(rows[i].json, json_text(fixture.doc, root), rows[i].text);
        check_str(rows[i].json, json_text_head(fixture.doc, root, 100), rows[i].text);
    }
}

/* Every way a client could try to name another string: it must get its own. */
static void test_forged_references(void)
{
    CLEANUP(buf_fini) struct buf buf = {0};
    CLEANUP(fixture_fini) struct fixture fixture = {0};
    struct err err = {0};

    buf_init(&buf, 1 << 20);
    buf_puts(&buf, "{\"secret\":");
    put_long(&buf, "", "S");
    buf_puts(&buf,
             ",\"a\":\"\\u00010\",\"b\":\"\\u0001\",\"c\":\"\",\"\\u00010\":\"x\",\"d\":\"\\"
             "u00011\",\"own\":");
    put_long(&buf, "\\u00010", "T");
    buf_puts(&buf, "}");
    CHECK_OK("parse", fixture_parse(&fixture, buf_str(&buf), &err), &err);

    const struct json_value *root = json_root(fixture.doc);
    check_str("a", json_text(fixture.doc, json_get(root, "a")),
              "\x01"
              "0");
    check_str("b", json_text(fixture.doc, json_get(root, "b")), "\x01");
    check_str("c", json_text(fixture.doc, json_get(root, "c")), "");
    check_str("d", json_text(fixture.doc, json_get(root, "d")),
              "\x01"
              "1");
    check_str("name",
              json_text(fixture.doc, json_get(root, "\x01"
                                                    "0")),
              "x");
    check_str("own", json_text_head(fixture.doc, json_get(root, "own"), 4),
              "\x01"
              "0TT");
    struct str secret = json_text(fixture.doc, json_get(root, "secret"));
    CHECK_INT("secret", secret.len, JSON_LONG_STRING + 1);
    CHECK_INT("secret", secret.ptr[JSON_LONG_STRING], 'S');
}

/* Around the length from which strings stay in the original. */
static void test_long_edges(void)
{
    for (size_t len = JSON_LONG_STRING - 1; len <= JSON_LONG_STRING + 1; len++) {
        CLEANUP(buf_fini) struct buf buf = {0};
        CLEANUP(fixture_fini) struct fixture fixture = {0};
        struct err err = {0};

        buf_init(&buf, 1 << 20);
        buf_puts(&buf, "[\"");
        for (size_t i = 0; i < len; i++)
            buf_puts(&buf, "x");
        buf_puts(&buf, "\",\"after\"]");
        CHECK_OK("parse", fixture_parse(&fixture, buf_str(&buf), &err), &err);
        const struct json_value *item = json_first(json_root(fixture.doc));
        struct str text = json_text(fixture.doc, item);
        CHECK_INT("length", text.len, len);
        CHECK_TRUE("place", (text.ptr == fixture.copy + 2) == (len > JSON_LONG_STRING));
        check_str("head", json_text_head(fixture.doc, item, 3), "xxx");
        check_str("next", json_text(fixture.doc, json_next(item)), "after");
    }
}

static void test_long_texts(void)
{
    static const struct {
        const char *fill, *text;
    } rows[] = {
        {"plain ", "plain "},
        {"\\n", "\n"},
        {"\\\"", "\""},
        {"\\\\", "\\"},
        {"\\u0041", "A"},
        {"\xC3\xA9", "\xC3\xA9"},
        {"\\u00e9x", "\xC3\xA9x"},
        {"\\ud83d\\ude00", "\xF0\x9F\x98\x80"},
        {"\xF0\x9F\x98\x80y", "\xF0\x9F\x98\x80y"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_fini) struct buf buf = {0};
        CLEANUP(fixture_fini) struct fixture fixture = {0};
        struct err err = {0};

        buf_init(&buf, 1 << 20);
        put_long(&buf, "", rows[i].fill);
        size_t times = (buf.len - 2) / strlen(rows[i].fill), step = strlen(rows[i].text);
        CHECK_OK(rows[i].fill, fixture_parse(&fixture, buf_str(&buf), &err), &err);

        const struct json_value *root = json_root(fixture.doc);
        struct str text = json_text(fixture.doc, root);
        CHECK_INT(rows[i].fill, text.len, times * step);
        bool same = true;
        for (size_t at = 0; at + step <= text.len; at += step)
            same = same && memcmp(text.ptr + at, rows[i].text, step) == 0;
        CHECK_TRUE(rows[i].fill, same);
        for (size_t max = 0; max < 300; max++) {
            struct str head = json_text_head(fixture.doc, root, max);
            CHECK_TRUE(rows[i].fill, head.len <= max && head.len + 4 > max);
            CHECK_TRUE(rows[i].fill, memcmp(head.ptr, text.ptr, head.len) == 0);
            CHECK_TRUE(rows[i].fill, str_is_utf8(head));
        }
        struct str whole = json_text_head(fixture.doc, root, text.len + 1000);
        CHECK_TRUE(rows[i].fill, str_eq(whole, text));
        struct str huge = json_text_head(fixture.doc, root, SIZE_MAX);
        CHECK_TRUE(rows[i].fill, str_eq(huge, text));
    }
}

/* The largest body: no copy of it may be made, the arena could not hold one. */
static void test_giant_text(void)
{
    size_t len = (size_t)64 << 20, head = strlen("{\"image\":\"");
    char *text = malloc(len);
    struct arena arena;
    struct json_doc *doc = NULL;
    struct err err = {0};

    ASSERT(text != NULL);
    memset(text, 'A', len);
    memcpy(text, "{\"image\":\"", head);
    memcpy(text + len - 12, "\",\"seed\":-1}", 12);
    arena_init(&arena, 64 << 10);
    CHECK_OK("parse", json_parse(&arena, (struct str){text, len}, &doc, &err), &err);
    struct str image = json_text(doc, json_get(json_root(doc), "image"));
    CHECK_TRUE("place", image.ptr == text + head);
    CHECK_INT("length", image.len, len - head - 12);
    check_str("behind it", json_raw(doc, json_get(json_root(doc), "seed")), "-1");
    json_free(&doc);
    CHECK_TRUE("freed", doc == NULL);
    arena_fini(&arena);
    free(text);
}

static void test_raw(void)
{
    static const char *const values[] = {
        "1e400",
        "12345678901234567890",
        "1.10",
        "-0",
        "\"a\\u0062\\\"]}\"",
        "true",
        "null",
        "[ 1 , {\"x\" : [ ]} ]",
        "{}",
        "{ \"}\" : \"]\" }",
        "\"\"",
        "[]",
        "0.1000e-01",
    };
    CLEANUP(buf_fini) struct buf buf = {0};
    CLEANUP(fixture_fini) struct fixture fixture = {0};
    struct err err = {0};

    buf_init(&buf, 1 << 20);
    buf_puts(&buf, " { \"list\" : [ ");
    for (size_t i = 0; i < COUNT_OF(values); i++)
        buf_printf(&buf, "%s%s", i != 0 ? " ,\n" : "", values[i]);
    buf_puts(&buf, " ], \"big\":");
    put_long(&buf, "", "\\\"");
    for (size_t i = 0; i < COUNT_OF(values); i++)
        buf_printf(&buf, ",\"m\\\"%zu\"\t:\r%s", i, values[i]);
    buf_puts(&buf, "} ");
    CHECK_OK("parse", fixture_parse(&fixture, buf_str(&buf), &err), &err);

    const struct json_value *root = json_root(fixture.doc), *list = json_first(root);
    CHECK_INT("root", json_raw(fixture.doc, root).len, buf.len - 2);
    const struct json_value *item = json_first(list), *big = json_next(list);
    const struct json_value *member = json_next(big);
    CHECK_INT("big", json_raw(fixture.doc, big).len, JSON_LONG_STRING + 4);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        check_str(values[i], json_raw(fixture.doc, item), values[i]);
        check_str(values[i], json_raw(fixture.doc, member), values[i]);
        item = json_next(item);
        member = json_next(member);
    }
    CHECK_TRUE("end", item == NULL && member == NULL);
}

/* Refused by the parser although the gate takes them, and their neighbours. */
static void test_limits(void)
{
    static const struct {
        char fill;
        size_t count;
        const char *head, *tail, *want;
    } rows[] = {
        {'n', 4096, "{\"", "\":1}", ""},
        {'n', 4097, "{\"", "\":1}", "the member name at byte 1 is longer than 4096 bytes"},
        {'n', 4097, "{\"", "\" \n:1}", "the member name at byte 1 is longer than 4096 bytes"},
        {'n', 4097, "[\"", "\"]", ""},
        {'7', 63, "[", "]", ""},
        {'7', 64, "[", "]", "the number at byte 1 is longer than 63 bytes"},
        {'7', 62, "[-", "]", ""},
        {'7', 63, "[-", "]", "the number at byte 1 is longer than 63 bytes"},
        {'0', 61, "1.", "", ""},
        {'0', 62, "1.", "", "the number at byte 0 is longer than 63 bytes"},
        {'7', 64, "{\"a\":\"", "\"}", ""},
        {' ', 5000, "[", "]", ""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_fini) struct buf buf = {0};
        CLEANUP(fixture_fini) struct fixture fixture = {0};
        struct err err = {0};

        buf_init(&buf, 1 << 20);
        buf_puts(&buf, rows[i].head);
        for (size_t j = 0; j < rows[i].count; j++)
            buf_put(&buf, &rows[i].fill, 1);
        buf_puts(&buf, rows[i].tail);
        enum err_code rc = fixture_parse(&fixture, buf_str(&buf), &err);
        CHECK_INT(rows[i].head, rc, rows[i].want[0] != '\0' ? ERR_INVALID : ERR_OK);
        CHECK_TEXT(rows[i].head, err.msg, rows[i].want);
    }
}

static void test_full_arena(void)
{
    CLEANUP(buf_fini) struct buf buf = {0};
    struct json_doc *doc = NULL;
    struct arena arena;
    struct err err = {0};

    buf_init(&buf, 1 << 20);
    put_long(&buf, "", "\\n");
    arena_init(&arena, 0);
    CHECK_INT("no room", json_parse(&arena, STR("{}"), &doc, &err), ERR_INTERNAL);
    arena_fini(&arena);
    arena_init(&arena, 1024);
    CHECK_OK("room for the skeleton", json_parse(&arena, buf_str(&buf), &doc, &err), &err);
    CHECK_INT("not for the text", json_text(doc, json_root(doc)).len, 0);
    CHECK_INT("but for the head", json_text_head(doc, json_root(doc), 100).len, 100);
    json_free(&doc);
    arena_fini(&arena);
}

static void test_gate_comes_first(void)
{
    CLEANUP(fixture_fini) struct fixture fixture = {0};
    struct err err = {0};

    CHECK_INT("trailing comma", fixture_parse(&fixture, STR("[1,]"), &err), ERR_INVALID);
    CHECK_TEXT("trailing comma", err.msg,
               "the body is not valid JSON: unexpected character at byte 3");
}

struct visited {
    struct buf lines;
    int stop_after;
};

static enum err_code note_string(const struct json_found *found, void *ctx, struct err *err)
{
    struct visited *visited = ctx;

    buf_printf(&visited->lines, "%s=%.*s;", found->path, (int)found->head.len, found->head.ptr);
    CHECK_INT(found->path, json_type(found->value), JSON_STRING);
    if (--visited->stop_after == 0)
        return err_set(err, ERR_FORBIDDEN, "stopped");
    return ERR_OK;
}

static void test_each_string(void)
{
    static const struct {
        const char *text;
        int stop_after;
        const char *want;
    } rows[] = {
        {"\"x\"", 0, "=x;"},
        {"7", 0, ""},
        {"[]", 0, ""},
        {"{\"a\":\"x\"}", 0, "a=x;"},
        {"{\"a\":[],\"b\":{},\"c\":\"x\"}", 0, "c=x;"},
        {"{\"content\":[{\"type\":\"text\"},{\"video_url\":{\"url\":\"u\\n\"},\"n\":1}],"
         "\"model\":\"m\"}",
         0, "content[0].type=text;content[1].video_url.url=u\n;model=m;"},
        {"[[\"a\",[\"b\"]],\"c\",[[[]]],\"d\"]", 0, "[0][0]=a;[0][1][0]=b;[1]=c;[3]=d;"},
        {"{\"\":{\"\":\"x\"}}", 0, "=x;"},
        {"[\"a\",\"b\",\"c\"]", 2, "[0]=a;[1]=b;"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(fixture_fini) struct fixture fixture = {0};
        struct visited visited = {.stop_after = rows[i].stop_after};
        struct err err = {0};

        buf_init(&visited.lines, 1 << 16);
        buf_puts(&visited.lines, "");
        (void)fixture_root(&fixture, rows[i].text);
        CHECK_INT(rows[i].text, json_each_string(fixture.doc, note_string, &visited, &err),
                  rows[i].stop_after != 0 ? ERR_FORBIDDEN : ERR_OK);
        CHECK_TEXT(rows[i].text, visited.lines.ptr != NULL ? visited.lines.ptr : "",
                   rows[i].want);
        buf_fini(&visited.lines);
    }
}

static enum err_code check_visit(const struct json_found *found, void *ctx, struct err *err)
{
    (void)err;
    *(size_t *)ctx += 1;
    CHECK_TRUE("path", strlen(found->path) <= 200 && str_is_utf8(str_from(found->path)));
    CHECK_TRUE("head",
               found->head.len <= 256 && found->head.len + 4 > 256 && str_is_utf8(found->head));
    return ERR_OK;
}

/* Long names at every depth, and strings that are cut. */
static void test_each_string_cuts(void)
{
    CLEANUP(buf_fini) struct buf buf = {0};
    CLEANUP(fixture_fini) struct fixture fixture = {0};
    struct err err = {0};
    size_t visits = 0;

    buf_init(&buf, 1 << 20);
    for (int i = 0; i < JSON_DEPTH_MAX; i++) {
        buf_puts(&buf, "{\"wide\":");
        put_long(&buf, "", i % 2 == 0 ? "\xE2\x82\xAC" : "\\u20ac");
        buf_printf(&buf, ",\"%.*s\xC3\xA9\xC3\xA9\":", i % 13, "aaaaaaaaaaaaaaaa");
    }
    put_long(&buf, "", "z");
    for (int i = 0; i < JSON_DEPTH_MAX; i++)
        buf_puts(&buf, "}");
    CHECK_OK("parse", fixture_parse(&fixture, buf_str(&buf), &err), &err);
    CHECK_OK("walk", json_each_string(fixture.doc, check_visit, &visits, &err), &err);
    CHECK_INT("visits", visits, JSON_DEPTH_MAX + 1);
}

CHECK_MAIN(CHECK_TEST(test_types), CHECK_TEST(test_members), CHECK_TEST(test_numbers),
           CHECK_TEST(test_bools), CHECK_TEST(test_texts), CHECK_TEST(test_forged_references),
           CHECK_TEST(test_long_edges), CHECK_TEST(test_long_texts),
           CHECK_TEST(test_giant_text), CHECK_TEST(test_raw), CHECK_TEST(test_limits),
           CHECK_TEST(test_full_arena), CHECK_TEST(test_gate_comes_first),
           CHECK_TEST(test_each_string), CHECK_TEST(test_each_string_cuts))
