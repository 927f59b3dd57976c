/* SPDX-License-Identifier: Apache-2.0 */
/* The size of a HEIC's primary picture: its item's number from pitm, the properties of
 * that item from ipma, and among them its extent (ispe) and rotation (irot) from ipco.
 * A crop (clap) is not looked at: the picture is judged whole. */
#include "assetlib/probe/probe_private.h"

struct box {
    struct probe_bytes all;  /* with its header */
    struct probe_bytes body; /* without */
};

/* The box at this place; false at the end, or when it says to be longer than there is. */
static bool box_at(struct probe_bytes bytes, size_t at, struct box *ret_box)
{
    size_t len = probe_bytes_be32(bytes, at), header = 8;

    if (at >= bytes.len || bytes.len - at < header)
        return false;
    if (len == 1) { /* 64 bits follow; the upper half must be empty in files of our size */
        header = 16;
        len = probe_bytes_be32(bytes, at + 8) == 0 ? probe_bytes_be32(bytes, at + 12) : 0;
    } else if (len == 0) {
        len = bytes.len - at;
    }
    if (len < header || len > bytes.len - at)
        return false;
    ret_box->all = probe_bytes_part(bytes, at, len);
    ret_box->body = probe_bytes_part(ret_box->all, header, len);
    return true;
}

/* What is in the first box of this type, behind skip bytes; empty when there is none. */
static struct probe_bytes find(struct probe_bytes in, const char *type, size_t skip)
{
    struct box box;

    for (size_t at = 0; box_at(in, at, &box); at += box.all.len) {
        if (probe_bytes_are(box.all, 4, type))
            return probe_bytes_part(box.body, skip, box.body.len);
    }
    return (struct probe_bytes){in.ptr, 0};
}

/* The property of this number, counted from 1. */
static void take_property(struct probe_bytes properties, uint32_t number,
                          struct probe_size *inout_size)
{
    struct box box;
    uint32_t n = 1;
    size_t at = 0;

    for (; box_at(properties, at, &box) && n < number; n++)
        at += box.all.len;
    if (n != number || !box_at(properties, at, &box))
        return;
    if (probe_bytes_are(box.all, 4, "ispe")) {
        inout_size->width = probe_bytes_be32(box.body, 4);
        inout_size->height = probe_bytes_be32(box.body, 8);
    } else if (probe_bytes_are(box.all, 4, "irot")) {
        inout_size->turned = (probe_bytes_u8(box.body, 0) & 1) != 0; /* quarters of a turn */
    }
}

void probe_heif_read(struct probe_bytes bytes, struct probe_size *ret_size)
{
    struct probe_bytes meta = find(bytes, "meta", 4);
    struct probe_bytes primary = find(meta, "pitm", 0);
    struct probe_bytes iprp = find(meta, "iprp", 0);
    struct probe_bytes properties = find(iprp, "ipco", 0), ipma = find(iprp, "ipma", 0);
    uint32_t wanted = probe_bytes_u8(primary, 0) == 0 ? probe_bytes_be16(primary, 4)
                                                      : probe_bytes_be32(primary, 4);
    bool long_ids = probe_bytes_u8(ipma, 0) != 0;
    size_t step = (probe_bytes_u8(ipma, 3) & 1) != 0 ? 2 : 1;
    uint32_t entries = probe_bytes_be32(ipma, 4);
    size_t at = 8;

    for (uint32_t i = 0; i < entries && at < ipma.len; i++) {
        uint32_t id = long_ids ? probe_bytes_be32(ipma, at) : probe_bytes_be16(ipma, at);
        at += long_ids ? 4 : 2;
        uint32_t count = probe_bytes_u8(ipma, at++);

        for (uint32_t n = 0; n < count; n++, at += step) {
            if (id == wanted)
                take_property(properties,
                              step == 2 ? probe_bytes_be16(ipma, at) & 0x7fff
                                        : probe_bytes_u8(ipma, at) & 0x7f,
                              ret_size);
        }
    }
}
