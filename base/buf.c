/* SPDX-License-Identifier: Apache-2.0 */
/* Owned bytes with a maximum and a sticky failure. */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST = 256 }; /* most answers and log lines fit without growing */

void buf_init(struct buf *buf, size_t max)
{
    /* The byte behind the last one has a number too. */
    *buf = (struct buf){.max = max < SIZE_MAX ? max : SIZE_MAX - 1};
}

void buf_fini(struct buf *buf)
{
    free(buf->ptr);
    *buf = (struct buf){.max = buf->max};
}

/* Room for more bytes and a NUL. */
static bool buf_room(struct buf *buf, size_t more)
{
    size_t need, cap = buf->cap;
    char *grown;

    if (buf->failed)
        return false;
    if (more > buf->max || buf->len > buf->max - more) {
        buf->failed = true;
        return false;
    }
    need = buf->len + more + 1;
    if (need <= cap)
        return true;
    cap = cap == 0 ? BUF_FIRST : cap;
    while (cap < need)
        cap *= 2;
    if (cap > buf->max + 1)
        cap = buf->max + 1;
    grown = realloc(buf->ptr, cap);
    if (grown == NULL) {
        buf->failed = true;
        return false;
    }
    buf->ptr = grown;
    buf->cap = cap;
    return true;
}

void buf_put(struct buf *buf, const void *bytes, size_t len)
{
    if (!buf_room(buf, len))
        return;
    if (len > 0)
        memcpy(buf->ptr + buf->len, bytes, len);
    buf->len += len;
    buf->ptr[buf->len] = '\0';
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void buf_put_str(struct buf *buf, struct str text)
{
    buf_put(buf, text.ptr, text.len);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
    va_list args, again;
    int len;

    va_start(args, fmt);
    va_copy(again, args);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0)
        buf->failed = true;
    else if (buf_room(buf, (size_t)len)) {
        (void)vsnprintf(buf->ptr + buf->len, (size_t)len + 1, fmt, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->ptr != NULL)
        buf->ptr[0] = '\0';
}

struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->ptr == NULL ? "" : buf->ptr, buf->len};
}

enum err_code buf_check(const struct buf *buf, struct err *err)
{
    if (!buf->failed)
        return ERR_OK;
    return err_detail(err, ERR_TOO_LARGE, "a buffer of at most %zu bytes was full", buf->max);
}
