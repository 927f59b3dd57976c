/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON member by member. Order and names are the caller's; commas, quotes
 * and escapes are decided here. */
#include "base/json.h"
#include "base/json_private.h"

#include <inttypes.h>

/* has_items has one bit per depth, depth - 1 first. While nothing is open the
 * first bit is free and says that the root is written. */
enum { OUT_DEPTH_MAX = 32 };

static uint32_t depth_bit(const struct json_out *out)
{
    return UINT32_C(1) << (out->depth > 0 ? out->depth - 1 : 0);
}

/* Comma and name; false when nothing may be written here. */
static bool begin_item(struct json_out *out, const char *name)
{
    bool has_items = (out->has_items & depth_bit(out)) != 0;

    if (out->depth == 0 && (has_items || name != NULL))
        out->misused = true;
    if (out->misused)
        return false;
    if (has_items)
        buf_put(out->buf, ",", 1);
    out->has_items |= depth_bit(out);
    if (name != NULL) {
        json_put_quoted(out->buf, str_from(name));
        buf_put(out->buf, ":", 1);
    }
    return true;
}

static void open_item(struct json_out *out, const char *name, const char *bracket)
{
    if (out->depth == OUT_DEPTH_MAX)
        out->misused = true;
    if (!begin_item(out, name))
        return;
    buf_puts(out->buf, bracket);
    out->depth++;
    out->has_items &= ~depth_bit(out);
}

static void close_item(struct json_out *out, const char *bracket)
{
    if (out->depth == 0)
        out->misused = true;
    if (out->misused)
        return;
    buf_puts(out->buf, bracket);
    out->depth--;
    out->has_items |= depth_bit(out);
}

/* A quote, a backslash or a control character. */
static void put_escape(struct buf *buf, unsigned char c)
{
    static const char *const shorts[] = {
        ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r",
        ['\t'] = "\\t", ['"'] = "\\\"", ['\\'] = "\\\\"};

    if (shorts[c] != NULL)
        buf_puts(buf, shorts[c]);
    else
        buf_printf(buf, "\\u%04x", c);
}

void json_put_quoted(struct buf *buf, struct str text)
{
    buf_put(buf, "\"", 1);
    for (size_t pos = 0; pos < text.len;) {
        const char *from = text.ptr + pos;
        unsigned char c = (unsigned char)*from;
        size_t len = json_scan_plain(from, text.len - pos);
        if (len == 0 && c >= 0x80)
            len = json_scan_utf8(from, text.len - pos);
        if (len != 0)
            buf_put(buf, from, len);
        else if (c >= 0x80)
            buf_puts(buf, "\xEF\xBF\xBD"); /* U+FFFD for each byte that fits nowhere */
        else
            put_escape(buf, c);
        pos += len != 0 ? len : 1;
    }
    buf_put(buf, "\"", 1);
}

struct json_out json_begin(struct buf *buf)
{
    return (struct json_out){.buf = buf};
}

void json_open_object(struct json_out *out, const char *name)
{
    open_item(out, name, "{");
}

void json_open_array(struct json_out *out, const char *name)
{
    open_item(out, name, "[");
}

void json_close_object(struct json_out *out)
{
    close_item(out, "}");
}

void json_close_array(struct json_out *out)
{
    close_item(out, "]");
}

void json_put_text(struct json_out *out, const char *name, struct str value)
{
    if (begin_item(out, name))
        json_put_quoted(out->buf, value);
}

void json_put_int(struct json_out *out, const char *name, int64_t value)
{
    if (begin_item(out, name))
        buf_printf(out->buf, "%" PRId64, value);
}

void json_put_bool(struct json_out *out, const char *name, bool value)
{
    if (begin_item(out, name))
        buf_puts(out->buf, value ? "true" : "false");
}

void json_put_null(struct json_out *out, const char *name)
{
    if (begin_item(out, name))
        buf_puts(out->buf, "null");
}

void json_put_raw(struct json_out *out, const char *name, struct str json)
{
    if (json.len == 0)
        out->misused = true; /* an empty text is no value */
    if (begin_item(out, name))
        buf_put_str(out->buf, json);
}

FALLIBLE json_end(struct json_out *out, struct err *err)
{
    if (out->misused || out->depth != 0 || out->has_items == 0)
        return err_detail(err, ERR_INTERNAL, "JSON writer: %s at depth %d",
                          out->misused ? "misused" : "unbalanced", out->depth);
    return buf_check(out->buf, err);
}
