/* SPDX-License-Identifier: Apache-2.0 */
/* Steps over JSON text that passed the gate: where a string or value ends, what
 * its escapes mean. It judges nothing; on other text the answers are useless but
 * stay inside the text. */
#include "base/json_private.h"

#include <string.h>

#define EVERY_BYTE(value) (UINT64_C(0x0101010101010101) * (value))
#define HIGH_BITS EVERY_BYTE(0x80)

/* A set high bit somewhere when one of eight bytes is a control character, a
 * quote, a backslash or not ASCII. */
static uint64_t special_bytes(uint64_t word)
{
    uint64_t quote = word ^ EVERY_BYTE('"');
    uint64_t slash = word ^ EVERY_BYTE('\\');

    return (word | (word - EVERY_BYTE(0x20)) | (quote - EVERY_BYTE(1)) |
            (slash - EVERY_BYTE(1))) &
           HIGH_BITS;
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_tail(unsigned char byte, unsigned low, unsigned high)
{
    return byte >= low && byte <= high;
}

/* Four hex digits; whatever is no digit counts as 0. */
static uint32_t hex4(const char *ptr)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)ptr[i];
        uint32_t digit = 0;
        if (c >= '0' && c <= '9')
            digit = c - (uint32_t)'0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (c | 0x20) - (uint32_t)'a' + 10;
        value = value << 4 | digit;
    }
    return value;
}

static size_t put_utf8(uint32_t code, char dst[4])
{
    if (code < 0x80) {
        dst[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        dst[0] = (char)(0xC0 | code >> 6);
        dst[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        dst[0] = (char)(0xE0 | code >> 12);
        dst[1] = (char)(0x80 | (code >> 6 & 0x3F));
        dst[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    dst[0] = (char)(0xF0 | code >> 18);
    dst[1] = (char)(0x80 | (code >> 12 & 0x3F));
    dst[2] = (char)(0x80 | (code >> 6 & 0x3F));
    dst[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* Decodes the escape at ptr[0] == '\\'; returns its bytes in dst. */
static size_t decode_escape(const char *ptr, size_t len, char dst[4], size_t *ret_used)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";

    *ret_used = len < 2 ? len : 2;
    if (len < 2)
        return put_utf8('\\', dst);
    if (ptr[1] != 'u') {
        const char *letter = memchr(letters, ptr[1], sizeof(letters) - 1);
        dst[0] = letter != NULL ? meanings[letter - letters] : ptr[1];
        return 1;
    }
    if (len < 6)
        return put_utf8(0xFFFD, dst);

    uint32_t code = hex4(ptr + 2);
    *ret_used = 6;
    if (code >= 0xD800 && code < 0xDC00 && len >= 12) {
        code = 0x10000 + ((code & 0x3FF) << 10 | (hex4(ptr + 8) & 0x3FF));
        *ret_used = 12;
    }
    return put_utf8(code, dst);
}

size_t json_scan_plain(const char *ptr, size_t len)
{
    size_t pos = 0;
    uint64_t word;

    while (len - pos >= sizeof(word)) {
        memcpy(&word, ptr + pos, sizeof(word));
        if (special_bytes(word) != 0)
            break;
        pos += sizeof(word);
    }
    while (pos < len && is_plain((unsigned char)ptr[pos]))
        pos++;
    return pos;
}

size_t json_scan_utf8(const char *ptr, size_t len)
{
    const unsigned char *p = (const unsigned char *)ptr;

    if (len == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        return len >= 2 && is_tail(p[1], 0x80, 0xBF) ? 2 : 0;
    if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        unsigned low = p[0] == 0xE0 ? 0xA0 : 0x80;  /* overlong below */
        unsigned high = p[0] == 0xED ? 0x9F : 0xBF; /* surrogates above */
        return len >= 3 && is_tail(p[1], low, high) && is_tail(p[2], 0x80, 0xBF) ? 3 : 0;
    }
    if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        unsigned low = p[0] == 0xF0 ? 0x90 : 0x80;  /* overlong below */
        unsigned high = p[0] == 0xF4 ? 0x8F : 0xBF; /* past U+10FFFF above */
        return len >= 4 && is_tail(p[1], low, high) && is_tail(p[2], 0x80, 0xBF) &&
                       is_tail(p[3], 0x80, 0xBF)
                   ? 4
                   : 0;
    }
    return 0;
}

size_t json_scan_space(struct str text, size_t pos)
{
    while (pos < text.len && is_space(text.ptr[pos]))
        pos++;
    return pos;
}

size_t json_scan_string(struct str text, size_t pos)
{
    pos++;
    while (pos < text.len) {
        const char *from = text.ptr + pos;
        const char *quote = memchr(from, '"', text.len - pos);
        if (quote == NULL)
            return text.len;

        /* Every escape up to that quote; one may take the quote itself. */
        size_t end = (size_t)(quote - text.ptr);
        const char *slash;
        while (pos < end && (slash = memchr(text.ptr + pos, '\\', end - pos)) != NULL)
            pos = (size_t)(slash - text.ptr) + 2;
        if (pos <= end)
            return end + 1;
    }
    return text.len;
}

size_t json_scan_value(struct str text, size_t pos)
{
    size_t depth = 0;

    if (pos < text.len && text.ptr[pos] == '"')
        return json_scan_string(text, pos);
    while (pos < text.len) {
        char c = text.ptr[pos];
        if (c == '"') {
            pos = json_scan_string(text, pos);
            continue;
        }
        if (depth == 0 && (is_space(c) || c == ',' || c == ']' || c == '}'))
            return pos;
        pos++;
        if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return pos;
    }
    return text.len;
}

size_t json_scan_decode(struct str raw, size_t *pos, char *dst, size_t size)
{
    size_t len = 0;

    while (*pos < raw.len && len < size) {
        const char *from = raw.ptr + *pos;
        size_t left = raw.len - *pos, room = size - len;

        if (*from == '\\') {
            char code[4];
            size_t used, bytes = decode_escape(from, left, code, &used);
            if (bytes > room)
                break;
            memcpy(dst + len, code, bytes);
            len += bytes;
            *pos += used;
            continue;
        }
        size_t run = left < room ? left : room;
        const char *slash = memchr(from, '\\', run);
        if (slash != NULL)
            run = (size_t)(slash - from);
        else if (left > room)
            while (run > 0 && ((unsigned char)from[run] & 0xC0) == 0x80)
                run--;
        if (run == 0)
            break;
        memcpy(dst + len, from, run);
        len += run;
        *pos += run;
    }
    return len;
}

size_t json_scan_decoded_len(struct str raw)
{
    size_t len = 0, pos = 0;

    while (pos < raw.len) {
        const char *slash = memchr(raw.ptr + pos, '\\', raw.len - pos);
        size_t run = slash != NULL ? (size_t)(slash - raw.ptr) - pos : raw.len - pos;
        len += run;
        pos += run;
        if (slash != NULL) {
            char code[4];
            size_t used;
            len += decode_escape(slash, raw.len - pos, code, &used);
            pos += used;
        }
    }
    return len;
}

bool json_scan_same(struct str a, struct str b)
{
    char left[JSON_CHUNK_BYTES], right[JSON_CHUNK_BYTES];
    size_t a_pos = 0, b_pos = 0, len;

    if (a.len != 0 && b.len != 0 && a.ptr[0] != b.ptr[0] && a.ptr[0] != '\\' &&
        b.ptr[0] != '\\')
        return false; /* most members of one object end here */
    do {
        len = json_scan_decode(a, &a_pos, left, sizeof(left));
        if (json_scan_decode(b, &b_pos, right, sizeof(right)) != len ||
            memcmp(left, right, len) != 0)
            return false;
    } while (len != 0);
    return true;
}
