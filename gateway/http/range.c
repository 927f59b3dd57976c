/* SPDX-License-Identifier: Apache-2.0 */
/* Which part of some bytes a request asks for, and whether it has them already: RFC 9110,
 * 13 and 14, for bytes whose tag is strong. Knows headers as texts and nothing else. */
#include "gateway/http/http_private.h"

#include <string.h>

static struct str skip(struct str text, size_t len)
{
    return (struct str){text.ptr + len, text.len - len};
}

/* Digits alone. What no size reaches is the largest number. */
static bool read_number(struct str text, int64_t *ret_number)
{
    int64_t number = 0;
    bool beyond = false;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        beyond = beyond || __builtin_mul_overflow(number, 10, &number) ||
                 __builtin_add_overflow(number, text.ptr[i] - '0', &number);
    }
    *ret_number = beyond ? INT64_MAX : number;
    return text.len > 0;
}

/* "bytes=a-b", "bytes=a-" and "bytes=-n"; false for anything else, several ranges too. */
static bool read_range(struct str text, int64_t size, int64_t *ret_first, int64_t *ret_end)
{
    static const struct str unit = {"bytes=", 6};
    struct str first, last;
    const char *dash;
    int64_t number;

    if (!str_starts_nocase(text, unit))
        return false;
    text = skip(text, unit.len);
    dash = memchr(text.ptr, '-', text.len);
    if (dash == NULL)
        return false;
    first = (struct str){text.ptr, (size_t)(dash - text.ptr)};
    last = skip(text, first.len + 1);
    *ret_end = size;
    if (first.len == 0) { /* that many at the end */
        if (!read_number(last, &number))
            return false;
        *ret_first = number < size ? size - number : 0;
        return true;
    }
    if (!read_number(first, ret_first))
        return false;
    if (last.len == 0)
        return true;
    if (!read_number(last, &number) || number < *ret_first)
        return false;
    if (number < size)
        *ret_end = number + 1;
    return true;
}

/* Is the tag on the list, weak or not? "*" is any. */
static bool names_tag(struct str list, struct str tag)
{
    if (str_is(str_trim(list), "*"))
        return true;
    while (list.len > 0) {
        const char *end;
        size_t len;

        if (memchr(" \t,", list.ptr[0], 3) != NULL) {
            list = skip(list, 1);
            continue;
        }
        if (list.len > 2 && memcmp(list.ptr, "W/", 2) == 0)
            list = skip(list, 2);
        end = list.len > 1 ? memchr(list.ptr + 1, '"', list.len - 1) : NULL;
        if (list.ptr[0] != '"' || end == NULL)
            return false;
        len = (size_t)(end - list.ptr) + 1;
        if (str_eq((struct str){list.ptr, len}, tag))
            return true;
        list = skip(list, len);
    }
    return false;
}

void range_decide(const struct range_question *question, struct range_answer *ret_answer)
{
    int64_t size = question->size, first, end;

    *ret_answer = (struct range_answer){.status = 200, .len = size};
    if (names_tag(question->if_none_match, question->tag)) {
        *ret_answer = (struct range_answer){.status = 304};
        return;
    }
    if (question->if_range.len > 0 && !str_eq(question->if_range, question->tag))
        return; /* it has a part of other bytes */
    if (size == 0 || !read_range(question->range, size, &first, &end))
        return;
    *ret_answer =
        first < size ? (struct range_answer){.status = 206, .offset = first, .len = end - first}
                     : (struct range_answer){.status = 416};
}
