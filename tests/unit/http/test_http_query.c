/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameters: decoding, repetition, malformed escapes. */
#include "gateway/http/http.h"
#include "tests/lib/check.h"

static const struct {
    const char *what, *query, *name;
    size_t index;
    enum err_code rc;
    const char *value; /* NULL: absent */
} cases[] = {
    {"no query", "", "a", 0, ERR_OK, NULL},
    {"plain", "a=1&b=2", "b", 0, ERR_OK, "2"},
    {"empty value", "a=&b=2", "a", 0, ERR_OK, ""},
    {"no equals sign", "a&b=2", "a", 0, ERR_OK, ""},
    {"absent", "ab=1&xa=2", "a", 0, ERR_OK, NULL},
    {"names are exact", "A=1", "a", 0, ERR_OK, NULL},
    {"decoded", "q=a%20b+c%2B%26%3d", "q", 0, ERR_OK, "a b c+&="},
    {"value with equals", "q=a=b", "q", 0, ERR_OK, "a=b"},
    {"encoded name", "%41ction=x", "Action", 0, ERR_OK, "x"},
    {"first of two", "id=1&id=2", "id", 0, ERR_OK, "1"},
    {"second of two", "id=1&x=0&id=2", "id", 1, ERR_OK, "2"},
    {"third of two", "id=1&id=2", "id", 2, ERR_OK, NULL},
    {"stray separators", "&&a=1&", "a", 0, ERR_OK, "1"},
    {"cut escape", "a=%4", "a", 0, ERR_INVALID, NULL},
    {"cut escape at the end", "a=b%", "a", 0, ERR_INVALID, NULL},
    {"no hex", "a=%zz", "a", 0, ERR_INVALID, NULL},
    {"NUL", "a=x%00y", "a", 0, ERR_INVALID, NULL},
    {"malformed name", "%zz=1&a=2", "a", 0, ERR_INVALID, NULL},
    {"another's bad value", "b=%zz&a=2", "a", 0, ERR_OK, "2"},
    {"whole last escape", "a=%7E", "a", 0, ERR_OK, "~"},
};

static void test_query(void)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct request rq = {.query = str_from(cases[i].query)};
        struct str value = STR("untouched");
        struct err err = {0};
        bool present = false;
        char text[64];

        arena_init(&rq.arena, 4096);
        CHECK_INT(cases[i].what,
                  request_query_at(&rq, cases[i].name, cases[i].index, &present, &value, &err),
                  cases[i].rc);
        CHECK_INT(cases[i].what, present, cases[i].value != NULL);
        (void)str_copy(text, sizeof(text), value);
        CHECK_TEXT(cases[i].what, text, cases[i].value != NULL ? cases[i].value : "untouched");
        arena_fini(&rq.arena);
    }
}

static void test_named(void)
{
    struct request rq = {.query = STR("page_num=%")};
    struct str value;
    struct err err = {0};
    bool present;

    arena_init(&rq.arena, 4096);
    CHECK_INT("refused", request_query(&rq, "page_num", &present, &value, &err), ERR_INVALID);
    CHECK_TEXT("names the parameter", err.field, "page_num");
    arena_fini(&rq.arena);
}

struct joined {
    char text[64];
    int left; /* visits until one fails */
};

static enum err_code join(struct str value, void *ctx, struct err *err)
{
    struct joined *joined = ctx;
    size_t len = strlen(joined->text);

    if (joined->left-- == 0)
        return err_field(err, "visit", "enough");
    (void)snprintf(joined->text + len, sizeof(joined->text) - len, "%.*s|", (int)value.len,
                   value.ptr);
    return ERR_OK;
}

static void test_each(void)
{
    static const struct {
        const char *what, *query;
        int left;
        enum err_code rc;
        const char *joined;
    } rows[] = {
        {"no query", "", 9, ERR_OK, ""},
        {"absent", "ab=1&b=2", 9, ERR_OK, ""},
        {"one", "x=0&a=1", 9, ERR_OK, "1|"},
        {"all, in their order", "a=3&x=%zz&%61=1%2C&a&a=2+", 9, ERR_OK, "3|1,||2 |"},
        {"a bad value ends it", "a=1&a=%4&a=2", 9, ERR_INVALID, "1|"},
        {"so does a bad name", "a=1&%zz=1&a=2", 9, ERR_INVALID, "1|"},
        {"so does a visit", "a=1&a=2&a=3", 2, ERR_INVALID, "1|2|"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct request rq = {.query = str_from(rows[i].query)};
        struct joined joined = {.left = rows[i].left};
        struct err err = {0};

        arena_init(&rq.arena, 4096);
        CHECK_INT(rows[i].what, request_query_each(&rq, "a", join, &joined, &err), rows[i].rc);
        CHECK_TEXT(rows[i].what, joined.text, rows[i].joined);
        arena_fini(&rq.arena);
    }
}

CHECK_MAIN(CHECK_TEST(test_query), CHECK_TEST(test_named), CHECK_TEST(test_each))
