/* SPDX-License-Identifier: Apache-2.0 */
/* Splices: members dropped, set and appended at every place, and what must stay
 * byte for byte. Every result goes through the gate again. */
#include "base/json.h"

#include "tests/lib/check.h"

#include <stdlib.h>

struct splice_case {
    const char *text;
    struct json_edit edits[3];
    const char *want;
};

#define SET(name, json) \
    {                   \
        name, STR(json) \
    }
#define DROP(name) \
    {              \
        name,      \
        {          \
            "", 0  \
        }          \
    }

static const struct splice_case cases[] = {
    /* nothing to do */
    {"{}", {{0}}, "{}"},
    {" {\t} ", {{0}}, " {\t} "},
    {"{\"a\":1.10, \"b\":1e400}", {{0}}, "{\"a\":1.10, \"b\":1e400}"},
    {"{\"a\":1}", {DROP("b")}, "{\"a\":1}"},
    {"{}", {DROP("b")}, "{}"},
    /* drop */
    {"{\"a\":1}", {DROP("a")}, "{}"},
    {" { \"a\" : 1 } ", {DROP("a")}, " {} "},
    {"{\"a\":1,\"b\":2,\"c\":3}", {DROP("a")}, "{\"b\":2,\"c\":3}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", {DROP("b")}, "{\"a\":1,\"c\":3}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", {DROP("c")}, "{\"a\":1,\"b\":2}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", {DROP("a"), DROP("b")}, "{\"c\":3}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", {DROP("b"), DROP("c")}, "{\"a\":1}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", {DROP("c"), DROP("a")}, "{\"b\":2}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", {DROP("c"), DROP("b"), DROP("a")}, "{}"},
    {"{\n  \"a\" : 1 ,\n  \"b\" : 2 ,\n  \"c\" : 3\n}\n",
     {DROP("b")},
     "{\n  \"a\" : 1,\"c\" : 3\n}\n"},
    {"{\n  \"a\" : 1 ,\n  \"b\" : 2\n}\n", {DROP("a")}, "{\"b\" : 2\n}\n"},
    {"{\n  \"a\" : 1 ,\n  \"b\" : 2\n}\n", {DROP("b")}, "{\n  \"a\" : 1}\n"},
    /* null goes by itself */
    {"{\"a\":null}", {{0}}, "{}"},
    {"{\"a\":null,\"b\":2,\"c\":3}", {{0}}, "{\"b\":2,\"c\":3}"},
    {"{\"a\":1,\"b\":null,\"c\":3}", {{0}}, "{\"a\":1,\"c\":3}"},
    {"{\"a\":1,\"b\":2,\"c\":null}", {{0}}, "{\"a\":1,\"b\":2}"},
    {"{\"a\":null,\"b\":null,\"c\":null}", {{0}}, "{}"},
    {"{\"a\":null,\"b\":2,\"c\":null,\"d\":4,\"e\":null}", {{0}}, "{\"b\":2,\"d\":4}"},
    {"{\"a\":[null],\"b\":{\"c\":null},\"d\":\"null\"}",
     {{0}},
     "{\"a\":[null],\"b\":{\"c\":null},\"d\":\"null\"}"},
    {"{\"a\":null,\"b\":2}", {DROP("b")}, "{}"},
    {"{\"a\" : null , \"b\" : 2}", {{0}}, "{\"b\" : 2}"},
    /* set what is there */
    {"{\"a\":1}", {SET("a", "2")}, "{\"a\":2}"},
    {"{ \"a\" :\t1 }", {SET("a", "{\"x\":[]}")}, "{ \"a\" :\t{\"x\":[]} }"},
    {"{\"a\":1,\"b\":2,\"c\":3}", {SET("a", "9")}, "{\"a\":9,\"b\":2,\"c\":3}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", {SET("b", "9")}, "{\"a\":1,\"b\":9,\"c\":3}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", {SET("c", "9")}, "{\"a\":1,\"b\":2,\"c\":9}"},
    {"{\"a\":1, \"b\":2 , \"c\":3}", {SET("b", "9")}, "{\"a\":1, \"b\":9 , \"c\":3}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", {SET("b", "9"), DROP("a")}, "{\"b\":9,\"c\":3}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", {SET("b", "9"), DROP("c")}, "{\"a\":1,\"b\":9}"},
    {"{\"a\":1,\"b\":2,\"c\":3}", {SET("a", "9"), DROP("b")}, "{\"a\":9,\"c\":3}"},
    {"{\"a\":1,\"b\":2,\"c\":3}",
     {SET("a", "7"), SET("b", "8"), SET("c", "9")},
     "{\"a\":7,\"b\":8,\"c\":9}"},
    {"{\"a\":null}", {SET("a", "1")}, "{\"a\":1}"},
    {"{\"a\":null,\"b\":2}", {SET("a", "1")}, "{\"a\":1,\"b\":2}"},
    {"{\"a\":\"}\",\"b\":[\"]\",{}]}", {SET("b", "0")}, "{\"a\":\"}\",\"b\":0}"},
    {"{\"a\":{\"b\":1},\"b\":2}", {SET("b", "9")}, "{\"a\":{\"b\":1},\"b\":9}"},
    {"{\"A\":1,\"a\":2}", {SET("a", "9")}, "{\"A\":1,\"a\":9}"},
    /* append */
    {"{}", {SET("a", "1")}, "{\"a\":1}"},
    {" { } ", {SET("a", "1")}, " {\"a\":1} "},
    {"{}", {SET("a", "1"), SET("b", "2")}, "{\"a\":1,\"b\":2}"},
    {"{\"x\":0}", {SET("a", "1")}, "{\"x\":0,\"a\":1}"},
    {"{ \"x\":0 }", {SET("a", "1"), SET("b", "\"t\"")}, "{ \"x\":0,\"a\":1,\"b\":\"t\"}"},
    {"{\"x\":0}", {DROP("x"), SET("a", "1")}, "{\"a\":1}"},
    {"{\"x\":null}", {SET("a", "1")}, "{\"a\":1}"},
    {"{\"x\":0,\"y\":null}", {SET("a", "1")}, "{\"x\":0,\"a\":1}"},
    {"{\"x\":0,\"y\":1}", {SET("y", "2"), SET("a", "1")}, "{\"x\":0,\"y\":2,\"a\":1}"},
    {"{\"x\":0}", {SET("q\"\\\n", "1")}, "{\"x\":0,\"q\\\"\\\\\\n\":1}"},
    {"{}", {SET("", "1")}, "{\"\":1}"},
    /* names are compared as they read */
    {"{\"\\u0061\":1,\"b\":2}", {DROP("a")}, "{\"b\":2}"},
    {"{\"\\u0061\":1,\"b\":2}", {SET("a", "9")}, "{\"\\u0061\":9,\"b\":2}"},
    {"{\"q\\u0022\":1}", {SET("q\"", "9")}, "{\"q\\u0022\":9}"},
    {"{\"\\/\":1}", {DROP("/")}, "{}"},
    {"{\"\xC3\xA9\":1}", {DROP("\xC3\xA9")}, "{}"},
    {"{\"\\u00e9\":1}", {DROP("\xC3\xA9")}, "{}"},
    {"{\"\\ud83d\\ude00\":1}", {DROP("\xF0\x9F\x98\x80")}, "{}"},
    {"{\"a\\\\\":1}", {DROP("a")}, "{\"a\\\\\":1}"},
    {"{\"aa\":1,\"\":2}", {DROP("a")}, "{\"aa\":1,\"\":2}"},
    {"{\"\":1,\"a\":2}", {DROP("")}, "{\"a\":2}"},
};

static char *join(const struct json_slices *slices)
{
    char *text = malloc(slices->len + 1), *end = text;

    ASSERT(text != NULL);
    for (size_t i = 0; i < slices->count; i++) {
        memcpy(end, slices->items[i].ptr, slices->items[i].len);
        end += slices->items[i].len;
    }
    CHECK_INT("sum of lengths", end - text, slices->len);
    *end = '\0';
    return text;
}

static void test_matrix(void)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *what = cases[i].text;
        size_t len = strlen(what), count = 0;
        struct arena arena;
        struct json_slices slices;
        struct err err = {0};
        char *copy = malloc(len);

        ASSERT(copy != NULL);
        memcpy(copy, what, len);
        arena_init(&arena, 1 << 16);
        while (count < COUNT_OF(cases[i].edits) && cases[i].edits[count].name != NULL)
            count++;
        CHECK_OK(what, json_gate(str_from(what), &err), &err);
        CHECK_OK(
            what,
            json_splice(&arena, (struct str){copy, len}, cases[i].edits, count, &slices, &err),
            &err);
        char *text = join(&slices);
        CHECK_TEXT(what, text, cases[i].want);
        CHECK_OK(what, json_gate((struct str){text, slices.len}, &err), &err);
        free(text);
        free(copy);
        arena_fini(&arena);
    }
}

/* Each of five members stays, is null, is dropped or is set: the commas. */
static void test_all_patterns(void)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    enum { MEMBERS = 5, PATTERNS = 4 * 4 * 4 * 4 * 4 };

    for (unsigned pattern = 0; pattern < 2 * PATTERNS; pattern++) {
        CLEANUP(buf_fini) struct buf text = {0}, want = {0};
        struct json_edit edits[MEMBERS + 1];
        struct json_slices slices;
        struct arena arena;
        struct err err = {0};
        size_t count = 0;

        buf_init(&text, 1024);
        buf_init(&want, 1024);
        buf_puts(&text, "{");
        buf_puts(&want, "{");
        for (unsigned i = 0; i < MEMBERS; i++) {
            unsigned what = pattern >> 2 * i & 3;
            buf_printf(&text, "%s\"%s\":%s", i != 0 ? "," : "", names[i],
                       what == 1 ? "null" : "1");
            if (what >= 2)
                edits[count++] = (struct json_edit){names[i], what == 2 ? STR("") : STR("2")};
            if (what == 0 || what == 3)
                buf_printf(&want, "%s\"%s\":%d", want.len > 1 ? "," : "", names[i],
                           what == 0 ? 1 : 2);
        }
        if (pattern >= PATTERNS) {
            edits[count++] = (struct json_edit){"new", STR("3")};
            buf_printf(&want, "%s\"new\":3", want.len > 1 ? "," : "");
        }
        buf_puts(&text, "}");
        buf_puts(&want, "}");
        arena_init(&arena, 1 << 16);
        CHECK_OK(text.ptr, json_splice(&arena, buf_str(&text), edits, count, &slices, &err),
                 &err);
        char *got = join(&slices);
        CHECK_TEXT(text.ptr, got, want.ptr);
        free(got);
        arena_fini(&arena);
    }
}

static void test_refused(void)
{
    static const char *const texts[] = {
        "",          "  ",       "[]",     "null",    "7",        "\"{}\"",    "[{\"a\":1}]",
        "{",         "{\"a",     "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{a}",
        "{\"a\" 1}", "{\"a\":}", "{\"\\"};
    struct json_edit many[JSON_EDITS_MAX + 1];
    struct json_edit twice[] = {SET("a", "1"), SET("a", "2")};
    struct json_slices slices;
    struct arena arena;
    struct err err = {0};

    arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        size_t len = strlen(texts[i]);
        char *copy = malloc(len + 1);
        ASSERT(copy != NULL);
        memcpy(copy + 1, texts[i], len);
        CHECK_INT(texts[i],
                  json_splice(&arena, (struct str){copy + 1, len}, NULL, 0, &slices, &err),
                  ERR_INVALID);
        CHECK_TEXT(texts[i], err.msg, "the body must be a JSON object");
        free(copy);
    }
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = (struct json_edit){arena_printf(&arena, "m%zu", i), STR("1")};
    CHECK_OK("most edits",
             json_splice(&arena, STR("{\"m3\":0}"), many, JSON_EDITS_MAX, &slices, &err), &err);
    CHECK_INT("too many", json_splice(&arena, STR("{}"), many, COUNT_OF(many), &slices, &err),
              ERR_INTERNAL);
    CHECK_INT("same twice", json_splice(&arena, STR("{}"), twice, 2, &slices, &err),
              ERR_INTERNAL);
    arena_fini(&arena);
    arena_init(&arena, 0);
    CHECK_INT("no memory", json_splice(&arena, STR("{}"), NULL, 0, &slices, &err),
              ERR_INTERNAL);
    arena_fini(&arena);
}

/* The largest body: its bytes must be pointed at, not copied. */
static void test_giant(void)
{
    size_t len = (size_t)64 << 20;
    char *text = malloc(len);
    struct json_edit edits[] = {SET("callback_url", "\"https://gateway.example/x\""),
                                DROP("drop"), SET("model", "\"m\"")};
    struct json_slices slices;
    struct arena arena;
    struct err err = {0};

    ASSERT(text != NULL);
    memset(text, 'A', len);
    memcpy(text, "{\"model\":\"x\",\"image\":\"", 22);
    memcpy(text + len - 15, "\",\"drop\":1e400}", 15);
    arena_init(&arena, 8192);
    CHECK_OK("splice", json_splice(&arena, (struct str){text, len}, edits, 3, &slices, &err),
             &err);
    CHECK_INT("slices", slices.count, 7);
    CHECK_TRUE("place", slices.items[2].ptr == text + 12);
    CHECK_INT("bytes of the original", slices.items[2].len, len - 12 - 14);
    arena_fini(&arena);
    free(text);
}

/* ---- patches ------------------------------------------------------------------ */

/* Where a text stands in another. */
static struct str find(const char *text, const char *part)
{
    const char *at = strstr(text, part);

    ASSERT(at != NULL);
    return (struct str){at, strlen(part)};
}

struct patch_case {
    const char *text, *at, *json;
    struct json_edit edits[3];
    const char *want; /* NULL: refused */
};

static const struct patch_case patches[] = {
    {"{\"a\":{\"b\":1}}", "1", "2", {{0}}, "{\"a\":{\"b\":2}}"},
    {"{\"a\":[1,2,3]}", "1", "\"x\"", {{0}}, "{\"a\":[\"x\",2,3]}"},
    {"{\"a\":[1,2,3]}", "3", "", {{0}}, "{\"a\":[1,2,]}"}, /* whatever it is told */
    {"{\"a\":1}", "1", "100000", {{0}}, "{\"a\":100000}"},
    {"{\"a\":\"long text\"}", "\"long text\"", "0", {{0}}, "{\"a\":0}"},
    /* with edits before, behind and on both sides */
    {"{\"z\":0,\"a\":{\"b\":1}}", "1", "2", {DROP("z")}, "{\"a\":{\"b\":2}}"},
    {"{\"z\":0,\"a\":{\"b\":1}}", "1", "2", {SET("z", "9")}, "{\"z\":9,\"a\":{\"b\":2}}"},
    {"{\"a\":{\"b\":1},\"z\":0}", "1", "2", {DROP("z")}, "{\"a\":{\"b\":2}}"},
    {"{\"a\":{\"b\":1},\"z\":0}",
     "1",
     "2",
     {SET("n", "8")},
     "{\"a\":{\"b\":2},\"z\":0,\"n\":8}"},
    {"{\"y\":null,\"a\":{\"b\":1},\"z\":null}",
     "1",
     "2",
     {SET("y", "7")},
     "{\"y\":7,\"a\":{\"b\":2}}"},
    {"{\"y\":5,\"a\":[1],\"x\":6,\"z\":7}",
     "1",
     "2",
     {DROP("y"), SET("x", "0"), DROP("z")},
     "{\"a\":[2],\"x\":0}"},
    /* the whole text */
    {"{}", "{}", "[]", {{0}}, "[]"},
    /* a place that an edit took away, or cut */
    {"{\"a\":{\"b\":1},\"c\":2}", "1", "2", {DROP("a")}, NULL},
    {"{\"a\":{\"b\":1},\"c\":2}", "{\"b\":1}", "2", {SET("a", "9")}, NULL},
    {"{\"a\":{\"b\":1},\"c\":2}", "\"a\":{\"b\":1},\"c\":2", "2", {DROP("a")}, NULL},
};

static void test_patches(void)
{
    for (size_t i = 0; i < COUNT_OF(patches); i++) {
        const struct patch_case *row = &patches[i];
        CLEANUP(arena_fini) struct arena arena = {0};
        struct json_patch patch = {find(row->text, row->at), str_from(row->json)};
        struct json_slices slices = {0};
        size_t edits = 0;
        struct err err = {0};

        while (edits < COUNT_OF(row->edits) && row->edits[edits].name != NULL)
            edits++;
        arena_init(&arena, 1 << 16);
        CHECK_OK(row->text,
                 json_splice(&arena, str_from(row->text), row->edits, edits, &slices, &err),
                 &err);
        CHECK_INT(row->text, json_splice_patch(&arena, &patch, &slices, &err),
                  row->want == NULL ? ERR_INTERNAL : ERR_OK);
        if (row->want == NULL)
            continue;
        char *text = join(&slices);

        CHECK_TEXT(row->text, text, row->want);
        free(text);
    }
}

/* No patch is none; a foreign place is refused; two go one after the other. */
static void test_patches_that_are_none(void)
{
    static const char text[] = "{\"a\":1,\"b\":2}", other[] = "{\"a\":1,\"b\":2}x";
    CLEANUP(arena_fini) struct arena arena = {0};
    struct json_slices slices = {0};
    struct err err = {0};

    arena_init(&arena, 1 << 16);
    CHECK_OK("splice", json_splice(&arena, str_from(text), NULL, 0, &slices, &err), &err);
    CHECK_OK("none",
             json_splice_patch(&arena, &(struct json_patch){.json = STR("9")}, &slices, &err),
             &err);
    CHECK_INT("as it was", slices.len, sizeof(text) - 1);
    CHECK_INT("another text",
              json_splice_patch(&arena, &(struct json_patch){find(other, "1"), STR("9")},
                                &slices, &err),
              ERR_INTERNAL);
    CHECK_INT("as it was", slices.len, sizeof(text) - 1);
    CHECK_OK("first",
             json_splice_patch(&arena, &(struct json_patch){find(text, "1"), STR("10")},
                               &slices, &err),
             &err);
    CHECK_OK("second",
             json_splice_patch(&arena, &(struct json_patch){find(text, "2"), STR("")}, &slices,
                               &err),
             &err);
    char *joined = join(&slices);

    CHECK_TEXT("both", joined, "{\"a\":10,\"b\":}");
    free(joined);

    /* A full arena is told, and nothing is half done. */
    CLEANUP(arena_fini) struct arena small = {0};

    arena_init(&small, 8);
    slices = (struct json_slices){&(struct str){text, sizeof(text) - 1}, 1, sizeof(text) - 1};
    CHECK_INT("full",
              json_splice_patch(&small, &(struct json_patch){find(text, "1"), STR("9")},
                                &slices, &err),
              ERR_INTERNAL);
    CHECK_INT("as it was", slices.count, 1);
}

CHECK_MAIN(CHECK_TEST(test_patches), CHECK_TEST(test_patches_that_are_none),
           CHECK_TEST(test_matrix), CHECK_TEST(test_all_patterns), CHECK_TEST(test_refused),
           CHECK_TEST(test_giant))
