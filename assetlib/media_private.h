/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of media.c share: the table of formats, the run of a tool, the reading of
 * its answer. */
#ifndef ARKGATE_ASSETLIB_MEDIA_PRIVATE_H
#define ARKGATE_ASSETLIB_MEDIA_PRIVATE_H

#include "assetlib/media.h"

/* media_format.c ------------------------------------------------------- */

struct media_format {
    const char *name;
    enum media_type type;
    const char *content_type;
    const char *codecs; /* of its picture, or of a sound; words */
};

enum { MEDIA_HEAD_BYTES = 128 }; /* of a file, to tell its format; a ftyp box with 28 brands */

/* The format that a file begins as; NULL for any other. */
const struct media_format *media_format_of(struct str head);
/* By its name; NULL for another text or NULL. */
const struct media_format *media_format_find(const char *name);
/* "jpeg, png, …": the names of a type's formats. */
const char *media_format_names(enum media_type type);
/* Codecs of the sound in a video. */
bool media_format_has_sound(const char *codec);

/* media_run.c ---------------------------------------------------------- */

struct media_run {
    const char *tool;   /* of arkgate-probe */
    const char *format; /* NULL when the tool takes no file */
    const char *path;   /* likewise */
    struct str input;   /* its stdin */
};

enum media_end {
    MEDIA_END_GOOD,
    MEDIA_END_REFUSED, /* the tool made nothing of the file */
    MEDIA_END_CRASHED, /* a signal ended it */
    MEDIA_END_LATE,    /* it computed for too long */
    MEDIA_END_LONG     /* it was killed when it wrote more than out takes */
};

struct media_answer {
    struct buf out; /* what it wrote; the caller sets its maximum and frees it */
    char said[256]; /* the last line of what it said on stderr */
    enum media_end end;
};

/* Runs arkgate-probe to its end, whatever that is. Errors as media_check. */
FALLIBLE media_run(const struct media_options *options, const struct media_run *run,
                   struct media_answer *answer, struct err *err);

/* media_read.c --------------------------------------------------------- */

/* A picture's size as arkgate-probe printed it. ERR_INVALID when it is none. */
FALLIBLE media_read_size(struct str json, struct media_facts *inout_facts, struct err *err);
/* Streams and packets of a video or sound as ffprobe printed them. ERR_INVALID when they do
 * not make sense, or have values that no file of this kind has. */
FALLIBLE media_read_facts(struct str json, struct media_facts *inout_facts, struct err *err);

#endif
