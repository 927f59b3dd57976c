/* SPDX-License-Identifier: Apache-2.0 */
/* How large a picture says to be, read from its header without decoding anything: ffprobe
 * learns the size of a PNG by decoding it, and knows none of a picture that is too large
 * for it. That the pixels are there as well is for the decoder to show. */
#include "assetlib/probe/probe_private.h"

#include "base/base.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A frame header: C0 to CF without the tables C4, C8 and CC. */
static bool is_jpeg_frame(uint32_t marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 &&
           marker != 0xcc;
}

static void read_jpeg(struct probe_bytes bytes, struct probe_size *ret_size)
{
    size_t at = 2;

    while (at < bytes.len && probe_bytes_u8(bytes, at) == 0xff) {
        uint32_t marker = probe_bytes_u8(bytes, at + 1);
        size_t len = probe_bytes_be16(bytes, at + 2);

        if (marker == 0xff) { /* a byte of filling */
            at++;
            continue;
        }
        if (marker == 0xd9 || marker == 0xda || len < 2)
            return; /* its end, or pixels, before any frame header */
        if (is_jpeg_frame(marker)) {
            ret_size->height = probe_bytes_be16(bytes, at + 5);
            ret_size->width = probe_bytes_be16(bytes, at + 7);
            return;
        }
        if (marker == 0xe1 && probe_bytes_are(bytes, at + 4, "Exif"))
            probe_tiff_read(probe_bytes_part(bytes, at + 10, len), ret_size);
        at += 2 + len;
    }
}

static void read_png(struct probe_bytes bytes, struct probe_size *ret_size)
{
    if (!probe_bytes_are(bytes, 12, "IHDR"))
        return;
    ret_size->width = probe_bytes_be32(bytes, 16);
    ret_size->height = probe_bytes_be32(bytes, 20);
}

static void read_gif(struct probe_bytes bytes, struct probe_size *ret_size)
{
    ret_size->width = probe_bytes_le16(bytes, 6);
    ret_size->height = probe_bytes_le16(bytes, 8);
}

static void read_bmp(struct probe_bytes bytes, struct probe_size *ret_size)
{
    if (probe_bytes_le32(bytes, 14) == 12) { /* the header of OS/2 */
        ret_size->width = probe_bytes_le16(bytes, 18);
        ret_size->height = probe_bytes_le16(bytes, 20);
        return;
    }
    uint32_t height = probe_bytes_le32(bytes, 22);

    ret_size->width = probe_bytes_le32(bytes, 18);
    ret_size->height = height > INT32_MAX ? -height : height; /* negative: from the top */
}

static void read_webp(struct probe_bytes bytes, struct probe_size *ret_size)
{
    if (probe_bytes_are(bytes, 12, "VP8X")) {
        ret_size->width = probe_bytes_le24(bytes, 24) + 1;
        ret_size->height = probe_bytes_le24(bytes, 27) + 1;
    } else if (probe_bytes_are(bytes, 12, "VP8L") && bytes.len > 24) {
        uint32_t bits = probe_bytes_le32(bytes, 21);
        ret_size->width = (bits & 0x3fff) + 1;
        ret_size->height = (bits >> 14 & 0x3fff) + 1;
    } else if (probe_bytes_are(bytes, 12, "VP8 ")) {
        ret_size->width = probe_bytes_le16(bytes, 26) & 0x3fff;
        ret_size->height = probe_bytes_le16(bytes, 28) & 0x3fff;
    }
}

static const struct reader {
    const char *format;
    void (*read)(struct probe_bytes bytes, struct probe_size *ret_size);
} readers[] = {
    {"jpeg", read_jpeg},       {"png", read_png},   {"gif", read_gif},
    {"bmp", read_bmp},         {"webp", read_webp}, {"tiff", probe_tiff_read},
    {"heic", probe_heif_read},
};

static bool read_file(const char *format, int fd, struct probe_size *ret_size)
{
    struct stat about;
    void *map;

    if (fstat(fd, &about) != 0 || about.st_size == 0)
        return false;
    map = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return false;
    bool found =
        probe_image_read(format, (struct probe_bytes){map, (size_t)about.st_size}, ret_size);
    (void)munmap(map, (size_t)about.st_size);
    return found;
}

bool probe_image_read(const char *format, struct probe_bytes bytes, struct probe_size *ret_size)
{
    struct probe_size size = {0};

    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        if (strcmp(readers[i].format, format) == 0)
            readers[i].read(bytes, &size);
    }
    if (size.turned)
        size = (struct probe_size){size.height, size.width, true};
    *ret_size = size;
    return size.width > 0 && size.height > 0;
}

int probe_image_print(const char *format, int fd)
{
    struct probe_size size;

    if (!read_file(format, fd, &size)) {
        (void)fprintf(stderr, "no size in the header of this %s\n", format);
        return 1;
    }
    (void)printf("{\"width\":%u,\"height\":%u}\n", size.width, size.height);
    return fflush(stdout) == 0 ? 0 : 1;
}
