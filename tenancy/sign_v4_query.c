/* SPDX-License-Identifier: Apache-2.0 */
/* The query as a signature sees it: decoded, encoded in the one way of RFC 3986, sorted.
 * Which parameters mean something is not known here. */
#include "tenancy/sign_v4_parts.h"

#include <stdlib.h>
#include <string.h>

static enum err_code no_room(struct err *err)
{
    return err_detail(err, ERR_BUSY, "no memory for a signed query");
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_' || c == '.' || c == '~';
}

static enum err_code decode(struct str raw, struct arena *arena, struct str *ret_text,
                            struct err *err)
{
    char *text = arena_alloc(arena, raw.len + 1);
    size_t len;

    if (text == NULL)
        return no_room(err);
    if (!str_unquery(raw, text, &len))
        return err_set(err, ERR_AUTHORIZATION, "the query is not well encoded");
    *ret_text = (struct str){text, len};
    return ERR_OK;
}

static enum err_code encode(struct str text, struct arena *arena, struct str *ret_encoded,
                            struct err *err)
{
    static const char digits[] = "0123456789ABCDEF";
    char *encoded = arena_alloc(arena, 3 * text.len + 1);
    size_t len = 0;

    if (encoded == NULL)
        return no_room(err);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (is_unreserved(text.ptr[i])) {
            encoded[len++] = text.ptr[i];
        } else {
            encoded[len++] = '%';
            encoded[len++] = digits[c >> 4];
            encoded[len++] = digits[c & 15];
        }
    }
    *ret_encoded = (struct str){encoded, len};
    return ERR_OK;
}

/* piece is not empty; without "=" it has an empty value. */
static enum err_code param_read(struct str piece, struct arena *arena,
                                struct sign_v4_param *ret_param, struct err *err)
{
    struct str value = piece, name = sign_v4_piece(&value, '=');

    TRY(decode(name, arena, &ret_param->name, err));
    TRY(decode(value, arena, &ret_param->value, err));
    TRY(encode(ret_param->name, arena, &ret_param->encoded_name, err));
    return encode(ret_param->value, arena, &ret_param->encoded_value, err);
}

static int compare_text(struct str a, struct str b)
{
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_params(const void *left, const void *right)
{
    const struct sign_v4_param *a = left, *b = right;
    int order = compare_text(a->encoded_name, b->encoded_name);

    return order != 0 ? order : compare_text(a->encoded_value, b->encoded_value);
}

FALLIBLE sign_v4_query_read(struct str raw, struct arena *arena,
                            struct sign_v4_query *ret_query, struct err *err)
{
    struct str rest = raw;

    if (raw.len > SIGN_V4_QUERY_MAX)
        return err_set(err, ERR_AUTHORIZATION, "a signed query is at most %d bytes",
                       SIGN_V4_QUERY_MAX);
    ret_query->count = 0;
    while (rest.len > 0) {
        struct str piece = sign_v4_piece(&rest, '&');

        if (piece.len == 0)
            continue;
        if (ret_query->count == SIGN_V4_PARAMS_MAX)
            return err_set(err, ERR_AUTHORIZATION, "a signed query has at most %d parameters",
                           SIGN_V4_PARAMS_MAX);
        TRY(param_read(piece, arena, &ret_query->items[ret_query->count], err));
        ret_query->count++;
    }
    qsort(ret_query->items, ret_query->count, sizeof(ret_query->items[0]), compare_params);
    return ERR_OK;
}

struct str sign_v4_query_get(const struct sign_v4_query *query, const char *name,
                             int *ret_count)
{
    struct str value = {0};

    *ret_count = 0;
    for (size_t i = 0; i < query->count; i++) {
        if (!str_is(query->items[i].name, name))
            continue;
        value = query->items[i].value;
        ++*ret_count;
    }
    return value;
}

void sign_v4_query_put(const struct sign_v4_query *query, const char *left_out,
                       struct buf *ret_text)
{
    bool first = true;

    for (size_t i = 0; i < query->count; i++) {
        const struct sign_v4_param *param = &query->items[i];

        if (left_out[0] != '\0' && str_is(param->name, left_out))
            continue;
        buf_puts(ret_text, first ? "" : "&");
        buf_put_str(ret_text, param->encoded_name);
        buf_puts(ret_text, "=");
        buf_put_str(ret_text, param->encoded_value);
        first = false;
    }
}
