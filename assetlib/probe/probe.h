/* SPDX-License-Identifier: Apache-2.0 */
/* What arkgate-probe and who starts it agree on. It is a program of its own, because
 * what a tenant's file does to a decoder must not happen in the gateway:
 *
 *   arkgate-probe [LIMIT...] header|facts|picture FORMAT FILE
 *   arkgate-probe [LIMIT...] webp            (a PNG comes in on stdin)
 *   arkgate-probe [LIMIT...] --self-test
 *
 * FORMAT is a name of media_format.c, FILE an absolute path. LIMIT is --cpu-s=N or
 * --memory-mb=N, which can only lower what holds anyway, or --sandbox=off. The answer is on
 * stdout: JSON of header and facts; of picture a WebP, of a HEIC's a PNG for webp. */
#ifndef ARKGATE_ASSETLIB_PROBE_H
#define ARKGATE_ASSETLIB_PROBE_H

/* Exit statuses of its own; none is one of a tool's. What is wrong with the installation
 * is told apart from what is wrong with the file. */
enum probe_exit {
    PROBE_EXIT_USAGE = 101,   /* the command line */
    PROBE_EXIT_SANDBOX = 102, /* this system cannot lock it up, or did not */
    PROBE_EXIT_TOOL = 103,    /* the tool is not installed */
    PROBE_EXIT_FILE = 104     /* the file is not there or no plain file */
};

enum {
    /* Of computing time. The largest picture, a HEIC, takes three seconds. */
    PROBE_CPU_S = 10,
    /* Packets that facts reads. 15.2 s at 60.2 frames a second with sound at 48 kHz are
     * 1,630; the JSON of all is a quarter of what the reader takes. */
    PROBE_PACKETS_MAX = 3500,
    PROBE_SIDE_MAX = 512 /* longest side of a picture, in pixels: enough for a list */
};

#endif
