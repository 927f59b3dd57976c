/* SPDX-License-Identifier: Apache-2.0 */
/* Code points and control characters of texts, and which texts are the same one without
 * case; every code point there is, once. What a query's names and values are. */
#include "base/base.h"

#include "tests/lib/check.h"

#include <stdlib.h>

enum { FOLDED_MAX = 64 };

/* A copy of exactly that size, so that a sanitizer sees reads past it. */
static struct str copy_exact(struct str text)
{
    char *copy = malloc(text.len != 0 ? text.len : 1);

    ASSERT(copy != NULL);
    memcpy(copy, text.ptr, text.len);
    return (struct str){copy, text.len};
}

static void test_points(void)
{
    static const struct {
        const char *what;
        struct str text;
        size_t points;
        bool controls;
    } cases[] = {
        /* what                       text                         points controls */
        {"empty", STR(""), 0, false},
        {"ASCII", STR("name 1 ~"), 8, false},
        {"umlaut", STR("\xc3\xa4"), 1, false},
        {"decomposed", STR("a\xcc\x88"), 2, false},
        {"sharp s",
         STR("stra\xc3\x9f"
             "e"),
         6, false},
        {"three bytes", STR("\xe4\xb8\xad\xe6\x96\x87"), 2, false},
        {"emoji", STR("\xf0\x9f\x8e\xac"), 1, false},
        {"emoji of four", STR("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80\xef\xb8\x8f"), 4,
         false},
        {"last of all", STR("\xf4\x8f\xbf\xbf"), 1, false},
        {"not a character", STR("\xef\xbf\xbf"), 1, false},
        {"NUL", STR("a\0b"), 3, true},
        {"tab", STR("\t"), 1, true},
        {"line's end", STR("a\r\n"), 3, true},
        {"escape", STR("\x1b[0m"), 4, true},
        {"last of C0", STR("\x1f"), 1, true},
        {"space", STR(" "), 1, false},
        {"DEL", STR("a\x7f"), 2, true},
        {"first of C1", STR("\xc2\x80"), 1, true},
        {"next line", STR("\xc2\x85"), 1, true},
        {"last of C1", STR("\xc2\x9f"), 1, true},
        {"no-break space", STR("\xc2\xa0"), 1, false},
        {"line separator", STR("\xe2\x80\xa8"), 1, false},
        {"from right to left", STR("\xe2\x80\xae"), 1, false},
        {"byte order mark", STR("\xef\xbb\xbf"), 1, false},
        {"a control at the start", STR("\x01zzz"), 4, true},
        /* From there on each byte counts. */
        {"no UTF-8", STR("\xff"), 1, true},
        {"no UTF-8 behind text", STR("ab\xc3"), 3, true},
        {"cut", STR("\xf0\x9f\x8e"), 3, true},
        {"surrogate", STR("\xed\xa0\x80"), 3, true},
        {"overlong", STR("\xc0\x80"), 2, true},
        {"beyond the last", STR("\xf4\x90\x80\x80"), 4, true},
        {"in the middle", STR("\xc3\xa4\x80z"), 3, true},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str text = copy_exact(cases[i].text);
        bool controls = !cases[i].controls;

        CHECK_INT(cases[i].what, text_points(text, &controls), cases[i].points);
        CHECK_INT(cases[i].what, controls, cases[i].controls);
        free((void *)(uintptr_t)text.ptr);
    }
}

static void test_fold(void)
{
    static const struct {
        const char *what;
        struct str text;
        const char *want; /* NULL: it is no UTF-8 */
    } cases[] = {
        /* what                 text                   folded */
        {"empty", STR(""), ""},
        {"ASCII", STR("My Cat 01.MP4"), "my cat 01.mp4"},
        {"wildcards", STR("%_\\'\""), "%_\\'\""},
        {"umlaut", STR("\xc3\x84\xc3\x96\xc3\x9c"), "\xc3\xa4\xc3\xb6\xc3\xbc"},
        {"composed", STR("\xc3\xa4"), "\xc3\xa4"},
        {"decomposed", STR("a\xcc\x88"), "\xc3\xa4"},
        {"decomposed, upper case", STR("A\xcc\x88"), "\xc3\xa4"},
        {"marks in another order", STR("q\xcc\x87\xcc\xa3"), "q\xcc\xa3\xcc\x87"},
        {"sharp s",
         STR("STRA\xc3\x9f"
             "E"),
         "strasse"},
        {"capital sharp s", STR("\xe1\xba\x9e"), "ss"},
        {"dotless i stays", STR("\xc4\xb1"), "\xc4\xb1"},
        {"I is no dotless one", STR("I"), "i"},
        {"capital I with a dot", STR("\xc4\xb0"), "i\xcc\x87"},
        {"likewise, decomposed", STR("I\xcc\x87"), "i\xcc\x87"},
        {"sigma", STR("\xce\xa3"), "\xcf\x83"},
        {"final sigma", STR("\xce\xa3\xce\x9f\xcf\x82"), "\xcf\x83\xce\xbf\xcf\x83"},
        {"ligature", STR("\xef\xac\x81"), "fi"},
        {"Cyrillic", STR("\xd0\x96"), "\xd0\xb6"},
        {"Kelvin", STR("\xe2\x84\xaa"), "k"},
        {"full width", STR("\xef\xbc\xa1"), "\xef\xbd\x81"},
        {"no case", STR("\xe4\xb8\xad"), "\xe4\xb8\xad"},
        {"Hangul, decomposed", STR("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"), "\xed\x95\x9c"},
        {"emoji", STR("\xf0\x9f\x8e\xac"), "\xf0\x9f\x8e\xac"},
        {"Deseret", STR("\xf0\x90\x90\x80"), "\xf0\x90\x90\xa8"},
        {"controls", STR("\x01\x7f\xc2\x85"), "\x01\x7f\xc2\x85"},
        {"no UTF-8", STR("\xff"), NULL},
        {"cut", STR("caf\xc3"), NULL},
        {"surrogate", STR("\xed\xa0\x80"), NULL},
        {"overlong", STR("\xc0\x80"), NULL},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP(buf_fini) struct buf folded = {0};
        struct str text = copy_exact(cases[i].text);
        struct err err = {0};

        buf_init(&folded, FOLDED_MAX);
        CHECK_INT(cases[i].what, text_fold(text, &folded, &err),
                  cases[i].want == NULL ? ERR_INTERNAL : ERR_OK);
        CHECK_TRUE(cases[i].what,
                   str_is(buf_str(&folded), cases[i].want == NULL ? "" : cases[i].want));
        free((void *)(uintptr_t)text.ptr);
    }
}

static void test_fold_appends(void)
{
    CLEANUP(buf_fini) struct buf folded = {0};
    struct err err = {0};

    buf_init(&folded, 4);
    buf_puts(&folded, "%");
    CHECK_OK("behind what is there", text_fold(STR("ABC"), &folded, &err), &err);
    CHECK_TEXT("behind what is there", folded.ptr, "%abc");
    CHECK_INT("full", text_fold(STR("D"), &folded, &err), ERR_TOO_LARGE);
}

static size_t put_point(uint32_t point, char dst[4])
{
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

    for (size_t i = len - 1; i > 0; i--, point >>= 6)
        dst[i] = (char)(0x80 | (point & 0x3f));
    dst[0] = (char)(leads[len] | point);
    return len;
}

/* Folded no longer than is said, and the same when it is folded again. */
static void test_every_point(void)
{
    CLEANUP(buf_fini) struct buf once = {0};
    CLEANUP(buf_fini) struct buf twice = {0};
    size_t controls = 0, changed = 0;

    buf_init(&once, FOLDED_MAX);
    buf_init(&twice, FOLDED_MAX);
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        char bytes[4], what[16];
        struct str text = {bytes, put_point(point, bytes)};
        struct err err = {0};
        bool control;

        if (point >= 0xd800 && point <= 0xdfff)
            continue;
        (void)snprintf(what, sizeof(what), "U+%04X", point);
        CHECK_INT(what, text_points(text, &control), 1);
        CHECK_INT(what, control, point < 0x20 || (point >= 0x7f && point < 0xa0));
        controls += control;
        buf_reset(&once);
        buf_reset(&twice);
        CHECK_OK(what, text_fold(text, &once, &err), &err);
        CHECK_OK(what, text_fold(buf_str(&once), &twice, &err), &err);
        CHECK_TRUE(what, once.len <= 3 * text.len);
        CHECK_TRUE(what, str_eq(buf_str(&once), buf_str(&twice)));
        changed += !str_eq(text, buf_str(&once));
    }
    CHECK_INT("controls", controls, 65);
    CHECK_TRUE("folded at all", changed > 1400);
}

static void test_queries(void)
{
    static const struct {
        struct str text;
        const char *decoded; /* NULL: malformed */
    } cases[] = {
        {STR(""), ""},         {STR("a+b%20c"), "a b c"}, {STR("%e4%BD%a0"), "\xe4\xbd\xa0"},
        {STR("%2B%25"), "+%"}, {STR("%"), NULL},          {STR("%4"), NULL},
        {STR("%4g"), NULL},    {STR("%g4"), NULL},        {STR("a%00"), NULL},
        {STR("%%41"), NULL},   {STR("a\0b"), NULL},       {STR("100%2"), NULL},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct str text = copy_exact(cases[i].text);
        char *decoded = malloc(text.len + 1);
        size_t len = 0;
        bool good = decoded != NULL && str_unquery(text, decoded, &len);

        CHECK_INT(cases[i].text.ptr, good, cases[i].decoded != NULL);
        if (good)
            CHECK_TRUE(cases[i].text.ptr, str_is((struct str){decoded, len}, cases[i].decoded));
        free(decoded);
        free((char *)(uintptr_t)text.ptr);
    }
}

static void test_small_letters(void)
{
    struct arena arena;

    arena_init(&arena, 1 << 12);
    CHECK_TEXT("ASCII alone", arena_dup_lower(&arena, STR("Asset-AZaz09@[`{\xc3\x84")),
               "asset-azaz09@[`{\xc3\x84");
    CHECK_TEXT("nothing", arena_dup_lower(&arena, STR("")), "");
    arena_fini(&arena);
}

CHECK_MAIN(CHECK_TEST(test_points), CHECK_TEST(test_fold), CHECK_TEST(test_fold_appends),
           CHECK_TEST(test_every_point), CHECK_TEST(test_queries),
           CHECK_TEST(test_small_letters))
