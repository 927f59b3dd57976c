/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges and tags: a table of headers and what they come to. */
#include "gateway/http/http_private.h"
#include "tests/lib/check.h"

#define TAG "\"t,1\""

static const struct {
    const char *what;
    const char *range, *if_range, *if_none_match; /* NULL or "": absent */
    int64_t size;
    int status;
    int64_t offset, len;
} cases[] = {
    {"nothing asked", NULL, NULL, NULL, 10, 200, 0, 10},
    {"from and to", "bytes=2-5", NULL, NULL, 10, 206, 2, 4},
    {"one byte", "bytes=0-0", NULL, NULL, 10, 206, 0, 1},
    {"the last byte", "bytes=9-9", NULL, NULL, 10, 206, 9, 1},
    {"beyond the end", "bytes=9-10", NULL, NULL, 10, 206, 9, 1},
    {"far beyond the end", "bytes=2-99999999999999999999999", NULL, NULL, 10, 206, 2, 8},
    {"the largest number", "bytes=2-9223372036854775807", NULL, NULL, 10, 206, 2, 8},
    {"from", "bytes=2-", NULL, NULL, 10, 206, 2, 8},
    {"from the start", "bytes=0-", NULL, NULL, 10, 206, 0, 10},
    {"at the end", "bytes=-3", NULL, NULL, 10, 206, 7, 3},
    {"all at the end", "bytes=-10", NULL, NULL, 10, 206, 0, 10},
    {"more than all", "bytes=-11", NULL, NULL, 10, 206, 0, 10},
    {"far more than all", "bytes=-99999999999999999999999", NULL, NULL, 10, 206, 0, 10},
    {"zeros before it", "bytes=002-005", NULL, NULL, 10, 206, 2, 4},
    {"unit in capitals", "BYTES=2-5", NULL, NULL, 10, 206, 2, 4},
    {"large", "bytes=5000000000-5000000001", NULL, NULL, 6000000000, 206, 5000000000, 2},

    {"behind the end", "bytes=10-", NULL, NULL, 10, 416, 0, 0},
    {"behind the end, with an end", "bytes=10-20", NULL, NULL, 10, 416, 0, 0},
    {"far behind the end", "bytes=99999999999999999999999-", NULL, NULL, 10, 416, 0, 0},
    {"the last 0", "bytes=-0", NULL, NULL, 10, 416, 0, 0},

    {"backwards", "bytes=5-2", NULL, NULL, 10, 200, 0, 10},
    {"backwards behind the end", "bytes=50-20", NULL, NULL, 10, 200, 0, 10},
    {"two", "bytes=0-1,4-5", NULL, NULL, 10, 200, 0, 10},
    {"one and a comma", "bytes=0-1,", NULL, NULL, 10, 200, 0, 10},
    {"another unit", "lines=0-1", NULL, NULL, 10, 200, 0, 10},
    {"no unit", "0-1", NULL, NULL, 10, 200, 0, 10},
    {"no dash", "bytes=3", NULL, NULL, 10, 200, 0, 10},
    {"a dash alone", "bytes=-", NULL, NULL, 10, 200, 0, 10},
    {"two dashes", "bytes=1-2-3", NULL, NULL, 10, 200, 0, 10},
    {"below 0", "bytes=--1", NULL, NULL, 10, 200, 0, 10},
    {"a sign", "bytes=+1-2", NULL, NULL, 10, 200, 0, 10},
    {"a space", "bytes= 1-2", NULL, NULL, 10, 200, 0, 10},
    {"hex", "bytes=0x1-2", NULL, NULL, 10, 200, 0, 10},
    {"unit alone", "bytes=", NULL, NULL, 10, 200, 0, 10},
    {"empty", "", NULL, NULL, 10, 200, 0, 10},
    {"of nothing", "bytes=0-", NULL, NULL, 0, 200, 0, 0},
    {"the last of nothing", "bytes=-1", NULL, NULL, 0, 200, 0, 0},

    {"if the same", "bytes=2-5", TAG, NULL, 10, 206, 2, 4},
    {"if another", "bytes=2-5", "\"u\"", NULL, 10, 200, 0, 10},
    {"if weakly the same", "bytes=2-5", "W/" TAG, NULL, 10, 200, 0, 10},
    {"if since a date", "bytes=2-5", "Sat, 29 Oct 1994 19:43:31 GMT", NULL, 10, 200, 0, 10},
    {"if another, behind the end", "bytes=10-", "\"u\"", NULL, 10, 200, 0, 10},

    {"has it", NULL, NULL, TAG, 10, 304, 0, 0},
    {"has it weakly", NULL, NULL, "W/" TAG, 10, 304, 0, 0},
    {"has any", NULL, NULL, " * ", 10, 304, 0, 0},
    {"on a list", NULL, NULL, "\"a\" ,,W/\"b\"," TAG ", \"c\"", 10, 304, 0, 0},
    {"first on a list", NULL, NULL, TAG ", \"c\"", 10, 304, 0, 0},
    {"has others", NULL, NULL, "\"a\", \"b\"", 10, 200, 0, 10},
    {"without quotes", NULL, NULL, "t,1", 10, 200, 0, 10},
    {"not closed", NULL, NULL, "\"t,1", 10, 200, 0, 10},
    {"a quote alone", NULL, NULL, "\"", 10, 200, 0, 10},
    {"weak nothing", NULL, NULL, "W/", 10, 200, 0, 10},
    {"has an empty one", NULL, NULL, "\"\"", 10, 200, 0, 10},
    {"has nothing", NULL, NULL, "", 10, 200, 0, 10},
    {"has it, and asks for a part", "bytes=2-5", NULL, TAG, 10, 304, 0, 0},
    {"has others, and asks for a part", "bytes=2-5", NULL, "\"u\"", 10, 206, 2, 4},
    {"has it, and it is empty", NULL, NULL, TAG, 0, 304, 0, 0},
};

static void test_cases(void)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct range_question question = {
            str_from(cases[i].range), str_from(cases[i].if_range),
            str_from(cases[i].if_none_match), STR(TAG), cases[i].size};
        struct range_answer answer;

        range_decide(&question, &answer);
        CHECK_INT(cases[i].what, answer.status, cases[i].status);
        CHECK_INT(cases[i].what, answer.offset, cases[i].offset);
        CHECK_INT(cases[i].what, answer.len, cases[i].len);
    }
}

/* Whatever is asked, what is sent is within what there is. */
static void test_within(void)
{
    static const char *const numbers[] = {
        "", "0", "1", "2", "3", "9", "9223372036854775807", "9223372036854775808"};

    for (int64_t size = 0; size < 4; size++) {
        for (size_t i = 0; i < COUNT_OF(numbers) * COUNT_OF(numbers); i++) {
            struct range_question question = {.tag = STR(TAG), .size = size};
            struct range_answer answer;
            char range[64];

            (void)snprintf(range, sizeof(range), "bytes=%s-%s", numbers[i / COUNT_OF(numbers)],
                           numbers[i % COUNT_OF(numbers)]);
            question.range = str_from(range);
            range_decide(&question, &answer);
            CHECK_TRUE(range, answer.offset >= 0 && answer.len >= 0 &&
                                  answer.offset + answer.len <= size);
            CHECK_TRUE(range, (answer.status == 206) <= (answer.len > 0));
        }
    }
}

CHECK_MAIN(CHECK_TEST(test_cases), CHECK_TEST(test_within))
