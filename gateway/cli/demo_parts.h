/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the demo, for its own files. Everything runs on the main thread;
 * SIGINT, SIGTERM and SIGHUP are blocked and looked at by demo_child_wait alone. */
#ifndef ARKGATE_GATEWAY_DEMO_PARTS_H
#define ARKGATE_GATEWAY_DEMO_PARTS_H

#include "base/base.h"
#include "base/net/net.h"

#include <stdatomic.h>

enum {
    DEMO_PATH_MAX = 4096, /* PATH_MAX of Linux */
    DEMO_ARGS_MAX = 24,   /* words of a child's command line */
    DEMO_URL_MAX = 4096,  /* a signed link has about 600 */
    DEMO_VIDEOS = 3
};

/* demo_child.c: processes of our own binary ------------------------------------- */

/* Takes the signals that end the demo; they reach demo_child_wait only. */
void demo_child_signals(void);
/* Waits so long. True when the user wants to stop; says so again at every call. */
bool demo_child_wait(int64_t us);

/* A child that serves. It dies with this process; its output is in log. */
struct demo_child {
    const char *name; /* NULL: was never started */
    int pid;          /* 0: does not run */
    char log[DEMO_PATH_MAX];
};
/* Starts argv (NULL-terminated, argv[0] a path or a name in PATH) with stdin empty and
 * output in dir/name.log. TMPDIR is dir, and no ARKGATE_ variable is inherited. */
FALLIBLE demo_child_start(const char *dir, const char *name, const char *const *argv,
                          struct demo_child *ret_child, struct err *err);
/* Waits for the line "ready …" in the log and copies the URL after key ("sim="). */
FALLIBLE demo_child_ready(const struct demo_child *child, const char *key, char *dst,
                          size_t size, struct err *err);
/* Starts argv, waits for its end and appends its stdout; stderr is in dir/name.log.
 * ERR_IO unless it exits with 0. */
FALLIBLE demo_child_run(const char *dir, const char *name, const char *const *argv,
                        struct buf *ret_output, struct err *err);
/* SIGTERM, and SIGKILL after 10 s. Accepts a child that never ran. False when it had to be
 * killed or ended badly. */
bool demo_child_stop(struct demo_child *child);
/* Prints the last lines of dir/name.log on stderr. */
void demo_child_tail(const char *dir, const char *name);

/* demo_video.c: the tenant's side, over HTTP ---------------------------------------- */

/* One video: what is asked for, and what came of it. */
struct demo_video {
    const char *label; /* "720p" */
    char request[512]; /* body of the create */
    char id[65];
    char state[16];
    char url[DEMO_URL_MAX];
    char file[DEMO_PATH_MAX];
    size_t bytes;
    int64_t took_us; /* from the create to the first look that saw the end */
};
/* Creates all DEMO_VIDEOS, polls until they have ended, and downloads them into dir. tasks is
 * the URL of the collection. Talks on stderr unless quiet. */
FALLIBLE demo_video_make(struct net *net, const char *tasks, const char *token, const char *dir,
                         bool quiet, struct demo_video *videos, struct err *err);

/* Makes a group and an asset of the picture behind the URL, and waits until it may be used.
 * actions is the URL that actions are posted to. */
FALLIBLE demo_video_asset(struct net *net, const char *actions, const char *token,
                          const char *picture_url, char ret_id[65], struct err *err);

/* demo_picture.c: a picture on loopback -------------------------------------------- */

struct demo_picture {
    bool open;
    struct buf bytes;
    char url[64];
    int fd;
    pthread_t thread;
    atomic_bool stopping;
};
/* Makes it with ffmpeg and gives it to whoever asks, on a thread of its own. The caller
 * closes it either way. */
FALLIBLE demo_picture_open(const char *dir, struct demo_picture *picture, struct err *err);
void demo_picture_close(struct demo_picture *picture);

/* demo_report.c: what was made and what it cost ------------------------------------- */

/* Where the installation is and how to look at it. */
struct demo_place {
    const char *binary, *dir, *data, *tenant;
};
/* Prints what ffprobe, the task record and the account say; runs ledger verify. */
FALLIBLE demo_report(const struct demo_place *place, const struct demo_video *videos,
                     struct err *err);

#endif
