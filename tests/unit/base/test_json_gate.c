/* SPDX-License-Identifier: Apache-2.0 */
/* What the JSON gate lets through and what not, each refusal beside accepted
 * neighbours; then hostile sizes, then a public corpus when it is there. */
#include "base/json.h"

#include "tests/lib/check.h"

#include <dirent.h>
#include <stdlib.h>

/* Gates a copy of exactly that size, so that a sanitizer sees reads past it. */
static enum err_code gate_exact(struct str text, struct err *err)
{
    char *copy = malloc(text.len != 0 ? text.len : 1);

    ASSERT(copy != NULL);
    memcpy(copy, text.ptr, text.len);
    enum err_code rc = json_gate((struct str){copy, text.len}, err);
    free(copy);
    return rc;
}

struct gate_case {
    struct str text;
    const char *want; /* the reason and where; NULL: accepted */
};

static void check_cases(const struct gate_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct err err = {0};
        char want[160] = "", what[80];
        enum err_code rc = gate_exact(cases[i].text, &err);

        str_copy_cut(what, sizeof(what), cases[i].text);
        if (cases[i].want != NULL)
            (void)snprintf(want, sizeof(want), "the body is not valid JSON: %s", cases[i].want);
        CHECK_INT(what, rc, cases[i].want != NULL ? ERR_INVALID : ERR_OK);
        CHECK_TEXT(what, err.msg, want);
        CHECK_TEXT(what, err.field, "");
    }
}

#define CASE(text, want) \
    {                    \
        STR(text), want  \
    }

static const struct gate_case structure[] = {
    CASE("", "unexpected end at byte 0"),
    CASE(" ", "unexpected end at byte 1"),
    CASE("\xEF\xBB\xBF{}", "a byte order mark at byte 0"),
    CASE("\xEF\xBB{}", "unexpected character at byte 0"),
    CASE("{}", NULL),
    CASE("[]", NULL),
    CASE(" \t\r\n{ \t\r\n} \t\r\n", NULL),
    CASE("\v{}", "unexpected character at byte 0"),
    CASE("\f{}", "unexpected character at byte 0"),
    CASE("\xC2\xA0{}", "unexpected character at byte 0"),
    CASE("{}\0", "unexpected character at byte 2"),
    CASE("{}x", "unexpected character at byte 2"),
    CASE("{}{}", "unexpected character at byte 2"),
    CASE("{},", "unexpected character at byte 2"),
    CASE("{}}", "unexpected character at byte 2"),
    CASE("1 2", "unexpected character at byte 2"),
    CASE("{", "unexpected end at byte 1"),
    CASE("[", "unexpected end at byte 1"),
    CASE("}", "unexpected character at byte 0"),
    CASE("]", "unexpected character at byte 0"),
    CASE("{]", "unexpected character at byte 1"),
    CASE("[}", "unexpected character at byte 1"),
    CASE("[1,2]", NULL),
    CASE("[1,]", "unexpected character at byte 3"),
    CASE("[,1]", "unexpected character at byte 1"),
    CASE("[1,,2]", "unexpected character at byte 3"),
    CASE("[1 2]", "unexpected character at byte 3"),
    CASE("[1", "unexpected end at byte 2"),
    CASE("[1,", "unexpected end at byte 3"),
    CASE("[1}", "unexpected character at byte 2"),
    CASE("[\"a\":1]", "unexpected character at byte 4"),
    CASE("{\"a\":1,\"b\":[{}]}", NULL),
    CASE("{\"a\" : 1 , \"b\" : 2 }", NULL),
    CASE("{\"a\":1,}", "unexpected character at byte 7"),
    CASE("{,}", "unexpected character at byte 1"),
    CASE("{\"a\"}", "unexpected character at byte 4"),
    CASE("{\"a\":}", "unexpected character at byte 5"),
    CASE("{\"a\":1]", "unexpected character at byte 6"),
    CASE("{\"a\"::1}", "unexpected character at byte 5"),
    CASE("{\"a\" 1}", "unexpected character at byte 5"),
    CASE("{\"a\",1}", "unexpected character at byte 4"),
    CASE("{a:1}", "unexpected character at byte 1"),
    CASE("{'a':1}", "unexpected character at byte 1"),
    CASE("{1:1}", "unexpected character at byte 1"),
    CASE("{null:1}", "unexpected character at byte 1"),
    CASE("{\"a\"", "unexpected end at byte 4"),
    CASE("{\"a\":", "unexpected end at byte 5"),
    CASE("{\"a\":1", "unexpected end at byte 6"),
    CASE("{\"a\":1,", "unexpected end at byte 7"),
    CASE("[1]//x", "unexpected character at byte 3"),
    CASE("[/**/1]", "unexpected character at byte 1"),
};

static const struct gate_case scalars[] = {
    CASE("true", NULL),
    CASE("false", NULL),
    CASE("null", NULL),
    CASE(" null ", NULL),
    CASE("tru", "unexpected character at byte 0"),
    CASE("truE", "unexpected character at byte 0"),
    CASE("True", "unexpected character at byte 0"),
    CASE("truee", "unexpected character at byte 4"),
    CASE("nul", "unexpected character at byte 0"),
    CASE("fals", "unexpected character at byte 0"),
    CASE("undefined", "unexpected character at byte 0"),
    CASE("NaN", "unexpected character at byte 0"),
    CASE("Infinity", "unexpected character at byte 0"),
    CASE("-Infinity", "unexpected character at byte 1"),
    CASE("0", NULL),
    CASE("-0", NULL),
    CASE("7", NULL),
    CASE("-12345678901234567890", NULL),
    CASE("1.10", NULL),
    CASE("0.5", NULL),
    CASE("1e400", NULL),
    CASE("1E+2", NULL),
    CASE("1e-2", NULL),
    CASE("0e0", NULL),
    CASE("-0.0e-0", NULL),
    CASE("1e00", NULL),
    CASE("-", "unexpected end at byte 1"),
    CASE("-x", "unexpected character at byte 1"),
    CASE("--1", "unexpected character at byte 1"),
    CASE("+1", "unexpected character at byte 0"),
    CASE("01", "unexpected character at byte 1"),
    CASE("-01", "unexpected character at byte 2"),
    CASE("00", "unexpected character at byte 1"),
    CASE(".5", "unexpected character at byte 0"),
    CASE("1.", "unexpected end at byte 2"),
    CASE("1.e1", "unexpected character at byte 2"),
    CASE("1.2.3", "unexpected character at byte 3"),
    CASE("1e", "unexpected end at byte 2"),
    CASE("1e+", "unexpected end at byte 3"),
    CASE("1e1.5", "unexpected character at byte 3"),
    CASE("1ee2", "unexpected character at byte 2"),
    CASE("0x1", "unexpected character at byte 1"),
    CASE("1_000", "unexpected character at byte 1"),
    CASE("[1e]", "unexpected character at byte 3"),
    CASE("\xEF\xBC\x91", "unexpected character at byte 0"),
};

static const struct gate_case strings[] = {
    CASE("\"\"", NULL),
    CASE("\"", "unexpected end at byte 1"),
    CASE("\"a", "unexpected end at byte 2"),
    CASE("'a'", "unexpected character at byte 0"),
    CASE("\"a\"b", "unexpected character at byte 3"),
    CASE("\"plain and longer than one word \x7F\"", NULL),
    CASE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", NULL),
    CASE("\"\\", "unexpected end at byte 2"),
    CASE("\"\\\"", "unexpected end at byte 3"),
    CASE("\"\\a\"", "an unknown escape at byte 1"),
    CASE("\"\\x41\"", "an unknown escape at byte 1"),
    CASE("\"\\U0041\"", "an unknown escape at byte 1"),
    CASE("\"\\0\"", "an unknown escape at byte 1"),
    CASE("\"\\'\"", "an unknown escape at byte 1"),
    CASE("\"\\\0\"", "an unknown escape at byte 1"),
    CASE("\"\\\n\"", "an unknown escape at byte 1"),
    CASE("\"\\u0041\\u00e9\\u00E9\\uFFFF\"", NULL),
    CASE("\"\\u", "an escape without four hex digits at byte 1"),
    CASE("\"\\u004", "an escape without four hex digits at byte 1"),
    CASE("\"\\u004\"", "an escape without four hex digits at byte 1"),
    CASE("\"\\u004g\"", "an escape without four hex digits at byte 1"),
    CASE("\"\\u+041\"", "an escape without four hex digits at byte 1"),
    CASE("\"\\u 041\"", "an escape without four hex digits at byte 1"),
    CASE("\"\\u0001\"", NULL),
    CASE("\"\\u0000\"", "an escaped NUL character at byte 1"),
    CASE("{\"a\\u0000\":1}", "an escaped NUL character at byte 3"),
    CASE("\"\\\\u0000\"", NULL),
    CASE("\"\\ud83d\\ude00\"", NULL),
    CASE("\"\\uD83D\\uDE00\"", NULL),
    CASE("\"\\ud7ff\\ue000\"", NULL),
    CASE("\"\\ud800\\udc00\\udbff\\udfff\"", NULL),
    CASE("\"\\ud83d\"", "half a surrogate pair at byte 1"),
    CASE("\"\\ude00\"", "half a surrogate pair at byte 1"),
    CASE("\"\\ude00\\ud83d\"", "half a surrogate pair at byte 1"),
    CASE("\"\\ud83d\\ud83d\"", "half a surrogate pair at byte 1"),
    CASE("\"\\ud83d\\u0041\"", "half a surrogate pair at byte 1"),
    CASE("\"\\ud83dx\"", "half a surrogate pair at byte 1"),
    CASE("\"\\ud83d\\n\"", "half a surrogate pair at byte 1"),
    CASE("\"\\ud83d\\ude0", "half a surrogate pair at byte 1"),
    CASE("\"x\\ud83d\xF0\x9F\x98\x80\"", "half a surrogate pair at byte 2"),
    CASE("\"\t\"", "a control character in a string at byte 1"),
    CASE("\"a\nb\"", "a control character in a string at byte 2"),
    CASE("\"\0\"", "a control character in a string at byte 1"),
    CASE("\"0123456789\x1F\"", "a control character in a string at byte 11"),
    CASE("\"0123456789\x20\"", NULL),
};

static const struct gate_case utf8[] = {
    CASE("\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"", NULL),
    CASE("\"\xC2\x80\"", NULL),
    CASE("\"\xC1\xBF\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xC0\x80\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xDF\xBF\"", NULL),
    CASE("\"\xE0\xA0\x80\"", NULL),
    CASE("\"\xE0\x9F\xBF\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xED\x9F\xBF\"", NULL),
    CASE("\"\xED\xA0\x80\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xED\xBF\xBF\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xEE\x80\x80\"", NULL),
    CASE("\"\xEF\xBF\xBF\"", NULL),
    CASE("\"\xEF\xBB\xBF\"", NULL),
    CASE("\"\xF0\x90\x80\x80\"", NULL),
    CASE("\"\xF0\x8F\xBF\xBF\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xF4\x8F\xBF\xBF\"", NULL),
    CASE("\"\xF4\x90\x80\x80\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xF5\x80\x80\x80\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xFF\"", "invalid UTF-8 at byte 1"),
    CASE("\"\x80\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xBF\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xC3\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xC3", "invalid UTF-8 at byte 1"),
    CASE("\"\xE2\x82\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xE2\x82", "invalid UTF-8 at byte 1"),
    CASE("\"\xF0\x9F\x98\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xF0\x9F\x98", "invalid UTF-8 at byte 1"),
    CASE("\"\xF0\x9F\x98\x28\"", "invalid UTF-8 at byte 1"),
    CASE("\"\xE2\x28\xA1\"", "invalid UTF-8 at byte 1"),
    CASE("\"01234567\xE9\"", "invalid UTF-8 at byte 9"),
    CASE("{\"\xE9\":1}", "invalid UTF-8 at byte 2"),
    CASE("\"\xC3\xA9\xE9\"", "invalid UTF-8 at byte 3"),
};

static const struct gate_case duplicates[] = {
    CASE("{\"a\":1,\"b\":2}", NULL),
    CASE("{\"a\":1,\"A\":2}", NULL),
    CASE("{\"a\":1,\"a \":2}", NULL),
    CASE("{\"a\":1,\"aa\":2}", NULL),
    CASE("{\"\":1,\" \":2}", NULL),
    CASE("{\"a\":1,\"a\":2}", "duplicate member \"a\" at byte 7"),
    CASE("{\"a\":1,\"a\":1}", "duplicate member \"a\" at byte 7"),
    CASE("{\"\":1,\"\":2}", "duplicate member \"\" at byte 6"),
    CASE("{\"a\":1,\"\\u0061\":2}", "duplicate member \"\\u0061\" at byte 7"),
    CASE("{\"\\u0061\":1,\"a\":2}", "duplicate member \"a\" at byte 12"),
    CASE("{\"\\/\":1,\"/\":2}", "duplicate member \"/\" at byte 8"),
    CASE("{\"\\n\":1,\"\\u000A\":2}", "duplicate member \"\\u000A\" at byte 8"),
    CASE("{\"\\\\n\":1,\"\\n\":2}", NULL),
    CASE("{\"\xC3\xA9\":1,\"\\u00e9\":2}", "duplicate member \"\\u00e9\" at byte 8"),
    CASE("{\"e\xCC\x81\":1,\"\xC3\xA9\":2}", NULL), /* composed or not: other bytes */
    CASE("{\"\xF0\x9F\x98\x80\":1,\"\\ud83d\\ude00\":2}",
         "duplicate member \"\\ud83d\\ude00\" at byte 10"),
    CASE("{\"a\":{\"a\":{\"a\":1}}}", NULL),
    CASE("{\"a\":{\"b\":1},\"b\":2}", NULL),
    CASE("{\"a\":{\"b\":1},\"c\":{\"b\":2}}", NULL),
    CASE("[{\"a\":1},{\"a\":2}]", NULL),
    CASE("{\"a\":{\"x\":1},\"a\":2}", "duplicate member \"a\" at byte 13"),
    CASE("{\"a\":[{\"a\":1}],\"b\":{\"b\":1,\"b\":1}}", "duplicate member \"b\" at byte 26"),
    CASE("{\"a\":1,\"b\":{},\"c\":[[]],\"a\":2}", "duplicate member \"a\" at byte 23"),
    CASE("{\"a\":1,\"0123456789012345678901234567890123456789x\":1,"
         "\"0123456789012345678901234567890123456789x\":1}",
         "duplicate member \"0123456789012345678901234567890123456789\" at byte 53"),
    CASE("{\"012345678901234567890123456789012345678\xC3\xA9\":1,"
         "\"012345678901234567890123456789012345678\xC3\xA9\":1}",
         "duplicate member \"012345678901234567890123456789012345678\" at byte 47"),
};

static void test_structure(void)
{
    check_cases(structure, COUNT_OF(structure));
}

static void test_scalars(void)
{
    check_cases(scalars, COUNT_OF(scalars));
}

static void test_strings(void)
{
    check_cases(strings, COUNT_OF(strings));
}

static void test_utf8(void)
{
    check_cases(utf8, COUNT_OF(utf8));
}

static void test_duplicates(void)
{
    check_cases(duplicates, COUNT_OF(duplicates));
}

/* body count times, a value where one is due, tail count times. */
static void check_nest(const char *what, const char *body, const char *tail, size_t count,
                       const char *want)
{
    CLEANUP(buf_fini) struct buf buf = {0};
    struct err err = {0};
    const char *colon;

    buf_init(&buf, 16 << 20);
    for (size_t i = 0; i < count; i++)
        buf_puts(&buf, body);
    if (strchr(body, ':') != NULL && tail[0] != '\0')
        buf_puts(&buf, "1");
    for (size_t i = 0; i < count; i++)
        buf_puts(&buf, tail);
    CHECK_INT(what, buf.failed, false);
    CHECK_INT(what, gate_exact(buf_str(&buf), &err), want != NULL ? ERR_INVALID : ERR_OK);
    colon = strstr(err.msg, ": ");
    CHECK_TEXT(what, colon != NULL ? colon + 2 : "", want != NULL ? want : "");
}

static void test_depth(void)
{
    check_nest("arrays 63", "[", "]", 63, NULL);
    check_nest("arrays 64", "[", "]", 64, NULL);
    check_nest("arrays 65", "[", "]", 65, "nesting deeper than 64 at byte 64");
    check_nest("arrays 650", "[", "]", 650, "nesting deeper than 64 at byte 64");
    check_nest("arrays 1000000", "[", "", 1000000, "nesting deeper than 64 at byte 64");
    check_nest("objects 64", "{\"a\":", "}", 64, NULL);
    check_nest("objects 65", "{\"a\":", "}", 65, "nesting deeper than 64 at byte 320");
    check_nest("objects 600", "{\"a\":", "}", 600, "nesting deeper than 64 at byte 320");
    check_nest("mixed 64", "[{\"a\":", "}]", 32, NULL);
    check_nest("mixed 66", "[{\"a\":", "}]", 33, "nesting deeper than 64 at byte 192");
    check_nest("closers", "]", "", 1000, "unexpected character at byte 0");
}

/* An array of count zeros. */
static enum err_code gate_zeros(size_t count, struct err *err)
{
    CLEANUP(buf_fini) struct buf buf = {0};

    buf_init(&buf, 1 << 20);
    for (size_t i = 0; i < count; i++)
        buf_puts(&buf, i == 0 ? "[0" : ",0");
    buf_puts(&buf, "]");
    return gate_exact(buf_str(&buf), err);
}

static void test_node_cap(void)
{
    struct err err = {0};

    CHECK_OK("at the cap", gate_zeros(JSON_NODES_MAX - 1, &err), &err);
    CHECK_INT("over the cap", gate_zeros(JSON_NODES_MAX, &err), ERR_INVALID);
    CHECK_TEXT("over the cap", err.msg,
               "the body is not valid JSON: more than 20000 values at byte 39999");
}

/* Many members, all differing, then one of them again at the end. */
static void test_many_members(void)
{
    CLEANUP(buf_fini) struct buf buf = {0};
    struct err err = {0};

    buf_init(&buf, 4 << 20);
    buf_puts(&buf, "{");
    for (int i = 0; i < JSON_NODES_MAX - 2; i++)
        buf_printf(&buf, "\"member \\u0031%d\":1,", i);
    size_t len = buf.len;
    buf_puts(&buf, "\"last\":1}");
    CHECK_OK("all differ", gate_exact(buf_str(&buf), &err), &err);

    buf.len = len;
    buf_puts(&buf, "\"member 1777\":1}");
    CHECK_INT("one twice", gate_exact(buf_str(&buf), &err), ERR_INVALID);
    CHECK_TRUE("one twice", strstr(err.msg, "duplicate member \"member 1777\"") != NULL);
}

/* Names that agree for longer than one chunk of hashing, escaped differently. */
static void test_long_names(void)
{
    CLEANUP(buf_fini) struct buf plain = {0}, mixed = {0}, text = {0};
    struct err err = {0};

    buf_init(&plain, 1 << 20);
    buf_init(&mixed, 1 << 20);
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 999; i++) {
        buf_puts(&plain, i % 7 == 0 ? "\xF0\x9F\x98\x80" : i % 3 == 0 ? "\xC3\xA9" : "a");
        buf_puts(&mixed, i % 7 == 0 ? "\\ud83d\\ude00" : i % 3 == 0 ? "\\u00E9" : "\\u0061");
    }
    buf_printf(&text, "{\"%s\":1,\"%sx\":2,\"%sy\":3}", plain.ptr, plain.ptr, mixed.ptr);
    CHECK_OK("other ends", gate_exact(buf_str(&text), &err), &err);
    buf_reset(&text);
    buf_printf(&text, "{\"%s\":1,\"%s\":2}", plain.ptr, mixed.ptr);
    CHECK_INT("same", gate_exact(buf_str(&text), &err), ERR_INVALID);
    CHECK_TRUE("same", strstr(err.msg, "duplicate member") != NULL);
}

/* 64 MiB, the largest body there is, as one string. */
static void test_giant_string(void)
{
    size_t len = (size_t)64 << 20;
    char *text = malloc(len);
    struct err err = {0};

    ASSERT(text != NULL);
    memset(text, 'A', len);
    text[0] = text[len - 1] = '"';
    CHECK_OK("64 MiB", json_gate((struct str){text, len}, &err), &err);
    CHECK_INT("64 MiB unclosed", json_gate((struct str){text, len - 1}, &err), ERR_INVALID);
    text[len - 2] = '\x01';
    CHECK_INT("64 MiB, one control", json_gate((struct str){text, len}, &err), ERR_INVALID);
    free(text);
}

/* Every special byte at every place of a word. */
static void test_word_edges(void)
{
    static const char bad[] = {0x00, 0x01, 0x1F, (char)0x80, (char)0xFF};

    for (size_t len = 1; len <= 24; len++) {
        for (size_t at = 0; at < len; at++) {
            for (size_t i = 0; i < sizeof(bad); i++) {
                char text[32] = "\"";
                struct err err = {0};
                memset(text + 1, 0x7F, len);
                text[len + 1] = '"';
                struct str all = {text, len + 2};
                CHECK_OK("plain", gate_exact(all, &err), &err);
                text[1 + at] = bad[i];
                CHECK_INT("bad byte", gate_exact(all, &err), ERR_INVALID);
                text[1 + at] = '"';
                CHECK_INT("quote", gate_exact(all, &err), ERR_INVALID);
            }
        }
    }
}

static struct str read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = malloc(1 << 20);

    ASSERT(file != NULL && text != NULL);
    size_t len = fread(text, 1, 1 << 20, file);
    (void)fclose(file);
    return (struct str){text, len};
}

/* Two texts of y_ have a member twice, two an escaped NUL: refused here. */
static bool is_refused_here(const char *name)
{
    return strncmp(name, "y_object_duplicated_key", 23) == 0 ||
           strcmp(name, "y_string_null_escape.json") == 0 ||
           strcmp(name, "y_object_escaped_null_in_key.json") == 0;
}

static void test_corpus(void)
{
    const char *root = getenv("ARKGATE_CORPORA");
    char folder[512], path[1024];
    size_t yes = 0, no = 0;

    (void)snprintf(folder, sizeof(folder), "%s/JSONTestSuite/test_parsing",
                   root != NULL ? root : "../shared/corpora");
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        (void)fprintf(stderr, "skip: no folder %s\n", folder);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        const char *name = entry->d_name;
        struct err err = {0};
        if (strchr("yni", name[0]) == NULL || name[1] != '_')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
        struct str text = read_file(path);
        enum err_code rc = gate_exact(text, &err);
        free((void *)(uintptr_t)text.ptr);
        yes += name[0] == 'y';
        no += name[0] == 'n';
        if (name[0] != 'i')
            CHECK_INT(name, rc,
                      name[0] == 'y' && !is_refused_here(name) ? ERR_OK : ERR_INVALID);
    }
    (void)closedir(dir);
    CHECK_TRUE("accepted texts", yes > 90);
    CHECK_TRUE("refused texts", no > 180);
}

CHECK_MAIN(CHECK_TEST(test_structure), CHECK_TEST(test_scalars), CHECK_TEST(test_strings),
           CHECK_TEST(test_utf8), CHECK_TEST(test_duplicates), CHECK_TEST(test_depth),
           CHECK_TEST(test_node_cap), CHECK_TEST(test_many_members),
           CHECK_TEST(test_long_names), CHECK_TEST(test_giant_string),
           CHECK_TEST(test_word_edges), CHECK_TEST(test_corpus))
