/* SPDX-License-Identifier: Apache-2.0 */
/* Borrowed text: comparing, reading numbers, UTF-8, hex, copies into fixed
 * arrays. Nothing here allocates. */
#include "base/base.h"

#include <string.h>

struct str str_from(const char *text)
{
    return (struct str){text == NULL ? "" : text, text == NULL ? 0 : strlen(text)};
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_is(struct str a, const char *text)
{
    return str_eq(a, str_from(text));
}

static unsigned char fold(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_starts_nocase(struct str text, struct str prefix)
{
    if (text.len < prefix.len)
        return false;
    for (size_t i = 0; i < prefix.len; i++) {
        if (fold(text.ptr[i]) != fold(prefix.ptr[i]))
            return false;
    }
    return true;
}

bool str_eq_nocase(struct str a, struct str b)
{
    return a.len == b.len && str_starts_nocase(a, b);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f' || c == '\v';
}

struct str str_trim(struct str text)
{
    while (text.len > 0 && is_space(text.ptr[0]))
        text.ptr++, text.len--;
    while (text.len > 0 && is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

bool str_has_word(const char *words, struct str word)
{
    struct str rest = str_from(words);

    while (rest.len > 0) {
        size_t len = 0;

        while (len < rest.len && rest.ptr[len] != ' ')
            len++;
        if (word.len > 0 && str_eq((struct str){rest.ptr, len}, word))
            return true;
        len += len < rest.len;
        rest = (struct str){rest.ptr + len, rest.len - len};
    }
    return false;
}

bool str_to_i64(struct str text, int64_t *ret_value)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    int64_t value = 0;

    if (text.len == (size_t)negative)
        return false;
    for (size_t i = negative; i < text.len; i++) {
        int digit = text.ptr[i] - '0';

        if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value))
            return false;
    }
    /* Collected as a negative number, because INT64_MIN has no positive twin. */
    if (!negative && __builtin_sub_overflow(0, value, &value))
        return false;
    *ret_value = value;
    return true;
}

/* Length of the well-formed sequence at p, 0 when there is none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        return left >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
    if (p[0] >= 0xe0 && p[0] <= 0xef) {
        unsigned char low = p[0] == 0xe0 ? 0xa0 : 0x80, high = p[0] == 0xed ? 0x9f : 0xbf;

        return left >= 3 && p[1] >= low && p[1] <= high && (p[2] & 0xc0) == 0x80 ? 3 : 0;
    }
    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        unsigned char low = p[0] == 0xf0 ? 0x90 : 0x80, high = p[0] == 0xf4 ? 0x8f : 0xbf;

        return left >= 4 && p[1] >= low && p[1] <= high && (p[2] & 0xc0) == 0x80 &&
                       (p[3] & 0xc0) == 0x80
                   ? 4
                   : 0;
    }
    return 0;
}

bool str_is_utf8(struct str text)
{
    size_t at = 0;

    while (at < text.len) {
        size_t len = utf8_length((const unsigned char *)text.ptr + at, text.len - at);

        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

bool str_copy(char *dst, size_t size, struct str text)
{
    if (text.len >= size) {
        if (size > 0)
            dst[0] = '\0';
        return false;
    }
    if (text.len > 0)
        memcpy(dst, text.ptr, text.len);
    dst[text.len] = '\0';
    return true;
}

void str_copy_cut(char *dst, size_t size, struct str text)
{
    if (size == 0)
        return;
    if (text.len >= size) {
        text.len = size - 1;
        /* Not in the middle of a UTF-8 sequence. */
        while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80)
            text.len--;
    }
    (void)str_copy(dst, size, text);
}

void str_hex(char *dst, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *src = bytes;

    for (size_t i = 0; i < len; i++) {
        dst[2 * i] = digits[src[i] >> 4];
        dst[2 * i + 1] = digits[src[i] & 15];
    }
    dst[2 * len] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool str_unhex(struct str hex, void *dst, size_t len)
{
    unsigned char *out = dst;

    if (hex.len != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(hex.ptr[2 * i]), low = hex_digit(hex.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

bool str_unquery(struct str text, char *dst, size_t *ret_len)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            if (text.len - i < 3 || !str_unhex((struct str){text.ptr + i + 1, 2}, &c, 1))
                return false;
            i += 2;
        }
        if (c == '\0')
            return false;
        dst[len++] = c;
    }
    *ret_len = len;
    return true;
}
