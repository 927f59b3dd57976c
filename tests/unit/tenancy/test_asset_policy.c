/* SPDX-License-Identifier: Apache-2.0 */
/* Which actions no tenant has, and which bodies ask to skip moderation, in whatever
 * disguise; beside each its neighbour that does not. */
#include "tenancy/tenancy.h"

#include "tests/lib/check.h"

#include <stdlib.h>

static void test_actions(void)
{
    static const struct {
        struct str action;
        bool refused;
    } cases[] = {
        {STR("UpdateAsset"), true},
        {STR("DeleteAsset"), true},
        {STR("UpdateAssetGroup"), true},
        {STR("DeleteAssetGroup"), true},
        {STR("DeleteWhateverComes"), true},
        {STR("Update"), true},
        {STR("Delete"), true},
        {STR("updateasset"), true},
        {STR("dELETEASSET"), true},
        {STR("DELETE"), true},
        {STR("Updat"), false},
        {STR("Delet"), false},
        {STR("D\xc4\x93leteAsset"), false},
        {STR(" DeleteAsset"), false},
        {STR("CreateAsset"), false},
        {STR("GetAsset"), false},
        {STR("ListAssets"), false},
        {STR("CreateAssetGroup"), false},
        {STR("UndeleteAsset"), false},
        {STR("GetUpdate"), false},
        {STR(""), false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err err = {0};

        CHECK_INT(cases[i].action.ptr, asset_policy_action(cases[i].action, &err),
                  cases[i].refused ? ERR_ACTION_REFUSED : ERR_OK);
        CHECK_TRUE(cases[i].action.ptr, (err.msg[0] != '\0') == cases[i].refused);
    }
}

static enum err_code judge(struct str body, struct err *err)
{
    struct json_doc *doc = NULL;
    struct arena arena;
    enum err_code rc;

    arena_init(&arena, 1 << 20);
    CHECK_OK(body.ptr, json_parse(&arena, body, &doc, err), err);
    ASSERT(doc != NULL);
    rc = asset_policy_moderation(doc, err);
    json_free(&doc);
    arena_fini(&arena);
    return rc;
}

static void check_body(struct str body, bool skips)
{
    struct err err = {0};

    CHECK_INT(body.ptr, judge(body, &err), skips ? ERR_MODERATION_SKIP : ERR_OK);
    CHECK_TEXT(body.ptr, err.field, skips ? "Moderation.Strategy" : "");
}

/* Where the two members may be, and how they are called. */
static void test_places(void)
{
    static const struct {
        struct str body;
        bool skips;
    } cases[] = {
        {STR("{\"Moderation\":{\"Strategy\":\"Skip\"}}"), true},
        {STR("{\"moderation\":{\"strategy\":\"skip\"}}"), true},
        {STR("{\"MODERATION\":{\"STRATEGY\":\"SKIP\"}}"), true},
        {STR("{\"mOdErAtIoN\":{\"sTrAtEgY\":\"sKiP\"}}"), true},
        {STR("{\"Moder\\u0061tion\":{\"Str\\u0061tegy\":\"\\u0053kip\"}}"), true},
        {STR("{\"a\":[0,{\"Moderation\":{\"Strategy\":\"Skip\"}}]}"), true},
        {STR("[{\"Moderation\":{\"Strategy\":\"Skip\"}}]"), true},
        {STR("{\"Moderation\":[{\"Strategy\":\"Skip\"}]}"), true},
        {STR("{\"Moderation\":{\"x\":{\"y\":[[{\"Strategy\":\"Skip\"}]]}}}"), true},
        {STR("{\"Moderation\":{\"Moderation\":{\"Strategy\":\"Skip\"}}}"), true},
        {STR("{\"Moderation\":{\"Strategy\":{\"Strategy\":\"Skip\"}}}"), true},
        {STR("{\"Moderation\":{\"Strategy\":\"Default\",\"strategy\":\"Skip\"}}"), true},
        {STR("{\"Moderation\":{\"Strategy\":\"Default\"},\"moderation\":{\"Strategy\":"
             "\"Skip\"}}"),
         true},
        {STR("{\"Moderation\":null,\"a\":{\"Moderation\":{\"Strategy\":\"Skip\"}}}"), true},
        {STR("{}"), false},
        {STR("[]"), false},
        {STR("\"Skip\""), false},
        {STR("{\"Strategy\":\"Skip\"}"), false},
        {STR("{\"Moderation\":\"Skip\"}"), false},
        {STR("{\"Moderation\":{\"Strategy\":\"Default\"}}"), false},
        {STR("{\"Moderation\":{\"Strategy\":\"\"}}"), false},
        {STR("{\"Moderation\":{\"Strategy\":null}}"), false},
        {STR("{\"Moderation\":{\"Strategy\":true}}"), false},
        {STR("{\"Moderation\":{\"Strategy\":[\"Skip\"]}}"), false},
        {STR("{\"Moderation\":{\"Strategy\":{\"a\":\"Skip\"}}}"), false},
        {STR("{\"Moderation\":{\"Name\":\"Skip\"}}"), false},
        {STR("{\"Moderation\":{\"Strategy \":\"Skip\"}}"), false},
        {STR("{\"Moderation\":{\"Strategies\":\"Skip\"}}"), false},
        {STR("{\"Moderations\":{\"Strategy\":\"Skip\"}}"), false},
        {STR("{\"Moderation\":{},\"Strategy\":\"Skip\"}"), false},
        {STR("{\"Moderation\":{\"Skip\":\"Strategy\"}}"), false},
        {STR("{\"Name\":\"{\\\"Moderation\\\":{\\\"Strategy\\\":\\\"Skip\\\"}}\"}"), false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_body(cases[i].body, cases[i].skips);
}

/* A strategy of that text, between the two. */
static void check_strategy(const char *before, struct str word, const char *after, bool skips)
{
    CLEANUP(buf_fini) struct buf body = {0};

    buf_init(&body, 1 << 16);
    buf_printf(&body, "{\"Moderation\":{\"Strategy\":\"%s%.*s%s\"}}", before, (int)word.len,
               word.ptr, after);
    check_body(buf_str(&body), skips);
}

static void test_words(void)
{
    static const struct str others[] = {
        STR("Skipped"),     STR("NoSkip"),       STR("S kip"),
        STR("Ski"),         STR("Default"),      STR("\xef\xbc\xb3kip"),
        STR("Sk\xc4\xb1p"), STR("Skip,Default"), STR("Skip;"),
    };

    check_strategy("", STR("Skip"), "", true);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        check_strategy("", others[i], "", false);
}

/* White space of Unicode, raw and escaped, at either end; in the middle it is another word. */
static void test_white_space(void)
{
    static const char *const spaces[] = {
        " ",        "\\t",          "\\n",          "\\r",
        "\\u000b",  "\\f",          "\\u0020",      "\\u0085",
        "\\u00a0",  "\\u1680",      "\\u2000",      "\\u2001",
        "\\u2002",  "\\u2003",      "\\u2004",      "\\u2005",
        "\\u2006",  "\\u2007",      "\\u2008",      "\\u2009",
        "\\u200a",  "\\u2028",      "\\u2029",      "\\u202f",
        "\\u205f",  "\\u3000",      "\\ufeff",      "\xc2\x85",
        "\xc2\xa0", "\xe2\x80\x83", "\xe3\x80\x80", "\xef\xbb\xbf",
    };

    for (size_t i = 0; i < COUNT_OF(spaces); i++) {
        const char *next = spaces[(i + 7) % COUNT_OF(spaces)];
        char both[64], middle[64];

        (void)snprintf(both, sizeof(both), "%s%s %s", spaces[i], next, spaces[i]);
        (void)snprintf(middle, sizeof(middle), "Sk%sip", spaces[i]);
        check_strategy(spaces[i], STR("Skip"), "", true);
        check_strategy("", STR("sKIP"), spaces[i], true);
        check_strategy(both, STR("skip"), both, true);
        check_strategy("", str_from(middle), "", false);
        check_strategy(spaces[i], STR("Default"), both, false);
    }
}

/* However far behind blanks it begins. */
static void test_long_ones(void)
{
    static const struct {
        int before, after;
        bool skips;
    } cases[] = {
        /* spaces at both ends */
        {252, 0, true},  {252, 300, true}, {0, 300, true},
        {0, 9000, true}, {253, 0, true},   {9000, 0, true},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char before[9001], after[9001];

        (void)snprintf(before, sizeof(before), "%*s", cases[i].before, "");
        (void)snprintf(after, sizeof(after), "%*s", cases[i].after, "");
        check_strategy(before, STR("Skip"), after, cases[i].skips);
    }
}

/* As deep as the gate lets a text be. */
static void test_depth(void)
{
    CLEANUP(buf_fini) struct buf body = {0};

    buf_init(&body, 1 << 12);
    buf_puts(&body, "{\"Moderation\":");
    for (int i = 0; i < JSON_DEPTH_MAX - 2; i++)
        buf_puts(&body, "[");
    buf_puts(&body, "{\"Strategy\":\"Skip\"}");
    for (int i = 0; i < JSON_DEPTH_MAX - 2; i++)
        buf_puts(&body, "]");
    buf_puts(&body, "}");
    check_body(buf_str(&body), true);
}

CHECK_MAIN(CHECK_TEST(test_actions), CHECK_TEST(test_places), CHECK_TEST(test_words),
           CHECK_TEST(test_white_space), CHECK_TEST(test_long_ones), CHECK_TEST(test_depth))
