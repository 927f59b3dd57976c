/* SPDX-License-Identifier: Apache-2.0 */
/* Size and orientation out of the first directory of a TIFF. The same directory is in a
 * JPEG's Exif part, for its orientation. */
#include "assetlib/probe/probe_private.h"

enum {
    TAG_WIDTH = 256,
    TAG_HEIGHT = 257,
    TAG_ORIENTATION = 274,
    TYPE_SHORT = 3,
    TYPE_LONG = 4,
    ENTRY_BYTES = 12,
    TURNED_FIRST = 5 /* orientations 5 to 8 stand on their side */
};

struct directory {
    struct probe_bytes bytes;
    bool big_endian;
};

static uint32_t u16(const struct directory *in, size_t at)
{
    return in->big_endian ? probe_bytes_be16(in->bytes, at) : probe_bytes_le16(in->bytes, at);
}

static uint32_t u32(const struct directory *in, size_t at)
{
    return in->big_endian ? probe_bytes_be32(in->bytes, at) : probe_bytes_le32(in->bytes, at);
}

static uint32_t value(const struct directory *in, size_t entry)
{
    uint32_t type = u16(in, entry + 2);

    return type == TYPE_SHORT ? u16(in, entry + 8) : type == TYPE_LONG ? u32(in, entry + 8) : 0;
}

void probe_tiff_read(struct probe_bytes bytes, struct probe_size *inout_size)
{
    const struct directory in = {bytes, probe_bytes_are(bytes, 0, "MM")};
    size_t first = u32(&in, 4);
    uint32_t count = u16(&in, first); /* at most 65,535 of them */

    for (uint32_t i = 0; i < count; i++) {
        size_t entry = first + 2 + (size_t)i * ENTRY_BYTES;

        switch (u16(&in, entry)) {
        case TAG_WIDTH:
            inout_size->width = value(&in, entry);
            break;
        case TAG_HEIGHT:
            inout_size->height = value(&in, entry);
            break;
        case TAG_ORIENTATION:
            inout_size->turned = value(&in, entry) >= TURNED_FIRST && value(&in, entry) <= 8;
            break;
        default:
            break;
        }
    }
}
