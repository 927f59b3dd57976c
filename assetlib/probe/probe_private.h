/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of arkgate-probe share. One process, one thread, one file to look at;
 * nothing here is linked into the gateway. */
#ifndef ARKGATE_ASSETLIB_PROBE_PRIVATE_H
#define ARKGATE_ASSETLIB_PROBE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* probe_bytes.c -------------------------------------------------------- */

/* The file's bytes, or a part of them. What is read past the end is 0, which no size
 * that matters is. */
struct probe_bytes {
    const uint8_t *ptr;
    size_t len;
};

uint32_t probe_bytes_u8(struct probe_bytes bytes, size_t at);
/* Big-endian. */
uint32_t probe_bytes_be16(struct probe_bytes bytes, size_t at);
uint32_t probe_bytes_be32(struct probe_bytes bytes, size_t at);
/* Little-endian. */
uint32_t probe_bytes_le16(struct probe_bytes bytes, size_t at);
uint32_t probe_bytes_le24(struct probe_bytes bytes, size_t at);
uint32_t probe_bytes_le32(struct probe_bytes bytes, size_t at);
/* At most len bytes from there on. */
struct probe_bytes probe_bytes_part(struct probe_bytes bytes, size_t at, size_t len);
/* Does this text stand there? */
bool probe_bytes_are(struct probe_bytes bytes, size_t at, const char *text);

/* probe_tiff.c --------------------------------------------------------- */

struct probe_size {
    uint32_t width, height;
    bool turned; /* shown on its side: width and height change places */
};

/* The first picture of a TIFF, or of a JPEG's Exif part; what is not there stays. */
void probe_tiff_read(struct probe_bytes bytes, struct probe_size *inout_size);

/* probe_heif.c --------------------------------------------------------- */

/* The primary picture of a HEIC. */
void probe_heif_read(struct probe_bytes bytes, struct probe_size *ret_size);

/* probe_image.c -------------------------------------------------------- */

/* A picture's size as it is shown, by its header alone. False when that has none. */
bool probe_image_read(const char *format, struct probe_bytes bytes,
                      struct probe_size *ret_size);
/* The same of an open file, printed as {"width":W,"height":H}. Returns the exit status. */
int probe_image_print(const char *format, int fd);

/* probe_landlock.c ----------------------------------------------------- */

/* From now on the process can open the system's libraries, the program (NULL: none) and
 * the file that is open there (-1: none), all for reading, and nothing else. False, with
 * the reason on stderr, when the kernel has no Landlock. */
bool probe_landlock_enter(const char *program, int file_fd);

/* probe_seccomp.c ------------------------------------------------------ */

/* From now on the process has no sockets, no children and no say over others, and can open
 * files for reading alone; with opens_stdout also for writing, as fopen does, where only
 * Landlock tells other files from stdout. False, with the reason on stderr, when the kernel
 * has no filters. */
bool probe_seccomp_enter(bool opens_stdout);

/* probe_tools.c -------------------------------------------------------- */

struct probe_command {
    const char *program;  /* NULL: none, this program reads the header itself */
    bool opens_stdout;    /* it writes to a file by name only */
    const char *args[48]; /* ends with NULL; the longest has 36 */
    size_t count;
    char url[4096 + 8]; /* PATH_MAX, and "file:" */
    char text[256];     /* an argument made of numbers */
};

/* The programs that must be installed; ends with NULL. */
extern const char *const probe_tools_programs[];
/* What looks at this file so, into a zeroed command, which must stay where it is. False
 * when there is no such tool for the format. */
bool probe_tools_make(const char *tool, const char *format, const char *path,
                      struct probe_command *ret_command);
/* What makes a WebP of the PNG on stdin, into a zeroed command likewise. */
void probe_tools_webp(struct probe_command *ret_command);

/* probe_selftest.c ----------------------------------------------------- */

/* Tries what must not work, a line each. Returns the exit status: 0 when all of it was
 * refused. */
int probe_selftest_run(void);

#endif
