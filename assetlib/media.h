/* SPDX-License-Identifier: Apache-2.0 */
/* What a downloaded file of a tenant is, and whether the rules for assets let it pass. The
 * gateway reads its length and its first bytes; whatever looks further is a process of its
 * own, locked up by arkgate-probe (assetlib/probe). No SQL, no HTTP; every function may be
 * called by several threads at once. */
#ifndef ARKGATE_ASSETLIB_MEDIA_H
#define ARKGATE_ASSETLIB_MEDIA_H

#include "base/base.h"

#include <stdatomic.h>

enum media_type { MEDIA_IMAGE, MEDIA_VIDEO, MEDIA_AUDIO, MEDIA_TYPE_COUNT };

/* What is known of a file. 0 and "" stand for what it has not or nobody looked for. */
struct media_facts {
    enum media_type type;
    const char *format;       /* "jpeg" … "mp3", of media_format.c; static */
    const char *content_type; /* "image/jpeg" …; static */
    char codec[32];           /* of the picture, or of a sound: "mjpeg", "h264", "pcm_s16le" */
    char audio_codec[32];     /* of a video's sound */
    int64_t width, height;    /* as displayed: a rotation is applied */
    int64_t fps_milli;        /* frames in a thousand seconds, by how long they last */
    int64_t duration_ms;      /* as shown: from the first packet's start to the last's end */
    int64_t claimed_ms;       /* a video's: what its header says of that; 0: nothing */
    int64_t channels;
    bool has_audio;
    bool cut; /* a video or sound of so many packets that not all were looked at */
};

/* The limits of wire.md section 3. Lengths, sides, ratios, pixels, times and rates are
 * inclusive, bytes are not. */
struct media_rules {
    int64_t bytes_below[MEDIA_TYPE_COUNT];
    int64_t side_min, side_max;               /* images, pixels */
    int64_t ratio_milli_min, ratio_milli_max; /* images, width by height */
    int64_t pixels_min, pixels_max;           /* videos, width times height */
    int64_t duration_ms_min, duration_ms_max; /* videos and sounds … */
    int64_t duration_ms_slack;                /* … which may miss both by that much */
    int64_t fps_milli_min, fps_milli_max;     /* videos … */
    int64_t fps_milli_slack;                  /* … likewise */
};

/* A file that breaks no rule has failed false and empty texts. */
struct media_verdict {
    bool failed;
    char code[48];     /* "InvalidParameter.FileTooLarge" … */
    char message[256]; /* for the tenant: the rule, and what the file has */
};

/* rules.c -------------------------------------------------------------- */

/* What holds unless the configuration says otherwise. */
extern const struct media_rules rules_default;
/* The first rule that a file of this length breaks: length, format and codecs, resolution,
 * ratio, duration, frames a second. Pure. */
void rules_judge(const struct media_facts *facts, int64_t size, const struct media_rules *rules,
                 struct media_verdict *ret_verdict);
/* Nothing but the length, which needs no look into the file. */
void rules_judge_size(enum media_type type, int64_t size, const struct media_rules *rules,
                      struct media_verdict *ret_verdict);
/* InvalidParameter.FormatUnsupported with this message. */
void rules_unsupported(struct media_verdict *ret_verdict, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/* media.c -------------------------------------------------------------- */

enum {
    /* A picture of 512 pixels is 20 kB, at worst 1 MiB: noise, and as a PNG. */
    MEDIA_THUMBNAIL_MAX = 2 << 20,
    /* Of one tool: twice its limit of computing time, so that this limit ends a slow file on
     * all but the busiest machines, and the deadline what does not even compute. */
    MEDIA_DEADLINE_US = 20 * 1000 * 1000
};

struct media_options {
    const char *probe;               /* absolute path of arkgate-probe; borrowed */
    bool sandbox_off;                /* the operator's wish; limits hold all the same */
    int64_t deadline_us;             /* of one tool; a file takes up to three. 0: the above */
    const atomic_bool *stopping;     /* true ends a look at once; borrowed; NULL: never */
    int cpu_s, memory_mb;            /* lower limits than arkgate-probe's own; 0: its own */
    const struct media_rules *rules; /* borrowed; NULL: rules_default */
};

struct media_result {
    struct media_facts facts;     /* as far as they were found */
    struct media_verdict verdict; /* failed: the file is not to be used */
    char detail[256];             /* for the log: what the tool said last */
    struct buf thumbnail;         /* a WebP, at most 512 pixels wide and high; of a sound, its
                                   * wave. Empty when failed */
};

/* Accepts a zeroed struct. */
void media_result_fini(struct media_result *result);
/* Judges a plain file by its content and never by its name. Blocks for three times the
 * deadline at most, usually for half a second. A file that is broken, keeps its decoder
 * computing or crashes it is a verdict. An error says nothing of the file: ERR_CONFIG:
 * arkgate-probe, a tool or what the sandbox needs is missing; ERR_UNAVAILABLE: no process,
 * memory or computing time for it at present, or stopping; ERR_IO: the file cannot be read. The
 * caller frees the result either way. */
FALLIBLE media_check(const struct media_options *options, const char *path,
                     enum media_type type, struct media_result *ret_result, struct err *err);
/* Whether this machine can look at files: the tools are installed and the sandbox refuses
 * what it must. ERR_CONFIG with the reason. With sandbox_off only the first. */
FALLIBLE media_sandbox_check(const struct media_options *options, struct err *err);

#endif
