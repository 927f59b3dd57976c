/* SPDX-License-Identifier: Apache-2.0 */
/* What Unicode says of a text: how long it is, what in it cannot be seen, and what it is
 * without upper and lower case. */
#include "base/base.h"

#include <stdlib.h>
#include <utf8proc.h>

size_t text_points(struct str text, bool *ret_controls)
{
    size_t at = 0, points = 0;

    *ret_controls = false;
    while (at < text.len) {
        utf8proc_int32_t point;
        utf8proc_ssize_t len = utf8proc_iterate((const utf8proc_uint8_t *)text.ptr + at,
                                                (utf8proc_ssize_t)(text.len - at), &point);

        if (len <= 0) { /* no UTF-8: as bytes that nobody can see */
            *ret_controls = true;
            return points + text.len - at;
        }
        *ret_controls |= utf8proc_category(point) == UTF8PROC_CATEGORY_CC;
        at += (size_t)len;
        points++;
    }
    return points;
}

FALLIBLE text_fold(struct str text, struct buf *ret_folded, struct err *err)
{
    utf8proc_uint8_t *folded = NULL;
    utf8proc_ssize_t len =
        utf8proc_map((const utf8proc_uint8_t *)text.ptr, (utf8proc_ssize_t)text.len, &folded,
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);

    if (len < 0)
        return err_detail(err, ERR_INTERNAL, "case folding: %s", utf8proc_errmsg(len));
    buf_put(ret_folded, folded, (size_t)len);
    free(folded);
    return buf_check(ret_folded, err);
}
