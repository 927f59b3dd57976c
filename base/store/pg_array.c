/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays of one dimension as they go over the wire: a header, then each element behind its
 * length. */
#include "base/store/pg_private.h"

#include <string.h>

static char *put_u32(char *to, uint32_t number)
{
    number = __builtin_bswap32(number);
    memcpy(to, &number, sizeof(number));
    return to + sizeof(number);
}

char *pg_array_header(char to[PG_ARRAY_HEADER], Oid type, int count, bool has_null)
{
    to = put_u32(to, 1); /* dimensions */
    to = put_u32(to, has_null);
    to = put_u32(to, type);
    to = put_u32(to, (uint32_t)count);
    return put_u32(to, 1); /* the first index */
}

char *pg_array_i64(char *to, int64_t number)
{
    uint64_t wire = __builtin_bswap64((uint64_t)number);

    to = put_u32(to, sizeof(wire));
    memcpy(to, &wire, sizeof(wire));
    return to + sizeof(wire);
}

void pg_array_put(struct buf *to, const char *value, int length)
{
    char head[4];

    (void)put_u32(head, value == NULL ? UINT32_MAX : (uint32_t)length);
    buf_put(to, head, sizeof(head));
    if (value != NULL)
        buf_put(to, value, (size_t)length);
}

Oid pg_array_of(Oid type)
{
    return type == PG_INT8 ? PG_INT8_ARRAY : type == PG_BYTEA ? PG_BYTEA_ARRAY : PG_TEXT_ARRAY;
}

/* Empty so far, for so many elements without a NULL. */
void pg_array_begin(struct buf *to, Oid type, int count)
{
    char head[PG_ARRAY_HEADER];

    (void)pg_array_header(head, type, count, true);
    buf_put(to, head, sizeof(head));
}
