/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers out of a file's bytes, by place. Reading past the end gives zeros, so that a
 * reader of headers needs no check of its own at each number. */
#include "assetlib/probe/probe_private.h"

#include <string.h>

uint32_t probe_bytes_u8(struct probe_bytes bytes, size_t at)
{
    return at < bytes.len ? bytes.ptr[at] : 0;
}

uint32_t probe_bytes_be16(struct probe_bytes bytes, size_t at)
{
    return probe_bytes_u8(bytes, at) << 8 | probe_bytes_u8(bytes, at + 1);
}

uint32_t probe_bytes_be32(struct probe_bytes bytes, size_t at)
{
    return probe_bytes_be16(bytes, at) << 16 | probe_bytes_be16(bytes, at + 2);
}

uint32_t probe_bytes_le16(struct probe_bytes bytes, size_t at)
{
    return probe_bytes_u8(bytes, at + 1) << 8 | probe_bytes_u8(bytes, at);
}

uint32_t probe_bytes_le24(struct probe_bytes bytes, size_t at)
{
    return probe_bytes_u8(bytes, at + 2) << 16 | probe_bytes_le16(bytes, at);
}

uint32_t probe_bytes_le32(struct probe_bytes bytes, size_t at)
{
    return probe_bytes_le16(bytes, at + 2) << 16 | probe_bytes_le16(bytes, at);
}

struct probe_bytes probe_bytes_part(struct probe_bytes bytes, size_t at, size_t len)
{
    if (at >= bytes.len)
        return (struct probe_bytes){bytes.ptr, 0};
    size_t rest = bytes.len - at;
    return (struct probe_bytes){bytes.ptr + at, len < rest ? len : rest};
}

bool probe_bytes_are(struct probe_bytes bytes, size_t at, const char *text)
{
    struct probe_bytes part = probe_bytes_part(bytes, at, strlen(text));

    return part.len == strlen(text) && memcmp(part.ptr, text, part.len) == 0;
}
