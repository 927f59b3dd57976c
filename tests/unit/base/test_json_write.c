/* SPDX-License-Identifier: Apache-2.0 */
/* The sticky writer: escapes, commas, nesting, and each way to misuse it. */
#include "base/json.h"

#include "tests/lib/check.h"

static void test_escapes(void)
{
    static const struct {
        struct str text;
        const char *want;
    } rows[] = {
        {STR(""), "\"\""},
        {STR("plain"), "\"plain\""},
        {STR("a \"quoted\" \\ /"), "\"a \\\"quoted\\\" \\\\ /\""},
        {STR("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {STR("\x01\x1F\x7F"), "\"\\u0001\\u001f\x7F\""},
        {STR("a\0b"), "\"a\\u0000b\""},
        {STR("<script>&'"), "\"<script>&'\""},
        {STR("\xE2\x80\xA8\xC3\xA9\xF0\x9F\x98\x80"),
         "\"\xE2\x80\xA8\xC3\xA9\xF0\x9F\x98\x80\""},
        {STR("\xFF"), "\"\xEF\xBF\xBD\""},
        {STR("a\xC3"), "\"a\xEF\xBF\xBD\""},
        {STR("a\xC3z"), "\"a\xEF\xBF\xBDz\""},
        {STR("\xC0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {STR("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {STR("0123456789\n0123456789\""), "\"0123456789\\n0123456789\\\"\""},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_fini) struct buf buf = {0};
        struct err err = {0};

        buf_init(&buf, 1024);
        struct json_out out = json_begin(&buf);
        json_put_text(&out, NULL, rows[i].text);
        CHECK_OK(rows[i].want, json_end(&out, &err), &err);
        CHECK_TEXT(rows[i].want, buf.ptr, rows[i].want);
        if (memchr(rows[i].text.ptr, '\0', rows[i].text.len) == NULL)
            CHECK_OK(rows[i].want, json_gate(buf_str(&buf), &err), &err);
    }
}

static void test_shapes(void)
{
    CLEANUP(buf_fini) struct buf buf = {0};
    struct err err = {0};

    buf_init(&buf, 4096);
    buf_puts(&buf, "data: ");
    struct json_out out = json_begin(&buf);
    json_open_object(&out, NULL);
    json_put_text(&out, "id", STR("x"));
    json_put_int(&out, "min", INT64_MIN);
    json_put_int(&out, "max", INT64_MAX);
    json_put_bool(&out, "yes", true);
    json_put_bool(&out, "no", false);
    json_put_null(&out, "na\"me");
    json_put_raw(&out, "raw", STR("{\"a\":[1.10]}"));
    json_open_array(&out, "list");
    json_open_object(&out, NULL);
    json_close_object(&out);
    json_open_array(&out, NULL);
    json_put_int(&out, NULL, 1);
    json_put_int(&out, NULL, -2);
    json_close_array(&out);
    json_put_null(&out, NULL);
    json_close_array(&out);
    json_open_object(&out, "empty");
    json_close_object(&out);
    json_put_text(&out, "last", STR(""));
    json_close_object(&out);
    CHECK_OK("end", json_end(&out, &err), &err);
    CHECK_TEXT("all", buf.ptr,
               "data: {\"id\":\"x\",\"min\":-9223372036854775808,"
               "\"max\":9223372036854775807,\"yes\":true,\"no\":false,\"na\\\"me\":null,"
               "\"raw\":{\"a\":[1.10]},\"list\":[{},[1,-2],null],\"empty\":{},\"last\":\"\"}");
    CHECK_OK("gate", json_gate((struct str){buf.ptr + 6, buf.len - 6}, &err), &err);
}

static void test_depth(void)
{
    for (int depth = 31; depth <= 33; depth++) {
        CLEANUP(buf_fini) struct buf buf = {0};
        struct err err = {0};

        buf_init(&buf, 4096);
        struct json_out out = json_begin(&buf);
        for (int i = 0; i < depth; i++) {
            if (i > 0)
                json_put_int(&out, NULL, i);
            json_open_array(&out, NULL);
        }
        for (int i = 0; i < depth; i++) {
            json_close_array(&out);
            if (i + 1 < depth)
                json_put_int(&out, NULL, i);
        }
        CHECK_INT("depth", json_end(&out, &err), depth <= 32 ? ERR_OK : ERR_INTERNAL);
        if (depth <= 32)
            CHECK_OK("depth", json_gate(buf_str(&buf), &err), &err);
    }
}

/* What one row does: { [ ] } are the calls, t a text, n the same with a name, r
 * an empty raw value. */
static void act(struct json_out *out, char step)
{
    switch (step) {
    case '{':
        json_open_object(out, NULL);
        break;
    case '}':
        json_close_object(out);
        break;
    case '[':
        json_open_array(out, NULL);
        break;
    case ']':
        json_close_array(out);
        break;
    case 'n':
        json_put_text(out, "n", STR("x"));
        break;
    case 't':
        json_put_text(out, NULL, STR("x"));
        break;
    default:
        json_put_raw(out, NULL, STR(""));
        break;
    }
}

static void test_misuse(void)
{
    static const struct {
        const char *steps;
        enum err_code want;
    } rows[] = {
        {"{}", ERR_OK},        {"[t]", ERR_OK},        {"t", ERR_OK},
        {"{n}", ERR_OK},       {"", ERR_INTERNAL},     {"{", ERR_INTERNAL},
        {"[[]", ERR_INTERNAL}, {"}", ERR_INTERNAL},    {"{}}", ERR_INTERNAL},
        {"tt", ERR_INTERNAL},  {"{}{}", ERR_INTERNAL}, {"{}t", ERR_INTERNAL},
        {"n", ERR_INTERNAL},   {"[r]", ERR_INTERNAL},  {"r", ERR_INTERNAL},
        {"}{}", ERR_INTERNAL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_fini) struct buf buf = {0};
        struct err err = {0};

        buf_init(&buf, 4096);
        struct json_out out = json_begin(&buf);
        for (const char *step = rows[i].steps; *step != '\0'; step++)
            act(&out, *step);
        CHECK_INT(rows[i].steps, json_end(&out, &err), rows[i].want);
    }
}

static void test_full_buffer(void)
{
    CLEANUP(buf_fini) struct buf buf = {0};
    struct err err = {0};

    buf_init(&buf, 16);
    struct json_out out = json_begin(&buf);
    json_put_text(&out, NULL, STR("01234567890123456789"));
    CHECK_INT("full", json_end(&out, &err), ERR_TOO_LARGE);
}

CHECK_MAIN(CHECK_TEST(test_escapes), CHECK_TEST(test_shapes), CHECK_TEST(test_depth),
           CHECK_TEST(test_misuse), CHECK_TEST(test_full_buffer))
