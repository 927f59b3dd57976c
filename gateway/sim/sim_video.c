/* SPDX-License-Identifier: Apache-2.0 */
/* Videos by ffmpeg, each made once and kept in the cache folder: a short piece is
 * encoded per size, videos repeat it without encoding. */
#include "gateway/sim/sim_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
    TOOL_MS = 120 * 1000, /* 4K takes two seconds; a busy machine some more */
    PROBE_MS = 10 * 1000,
    /* Frames of a piece; a whole number of pieces and of microseconds is a second. */
    PIECE_H264 = 24,
    PIECE_H265 = 6 /* 4K encodes at some 15 frames a second on one core */
};

/* x265 with everything off that costs time: the picture is a plain one. */
#define X265_PARAMS                                                                        \
    "log-level=none:bframes=0:keyint=24:rc-lookahead=0:ref=1:aq-mode=0:deblock=0:no-sao=1" \
    ":me=dia:subme=0:max-merge=1:ctu=64:min-cu-size=32:early-skip=1:rskip=1:scenecut=0"

/* Waits for the process; kills it when it takes too long. */
static bool await(pid_t pid, int timeout_ms)
{
    int status = 0, fd = pidfd_open(pid, 0);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    if (fd < 0 || poll(&poll_fd, 1, timeout_ms) <= 0)
        (void)kill(pid, SIGKILL);
    if (fd >= 0)
        (void)close(fd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Runs a tool without a shell; its output goes to out_fd, or nowhere at -1. */
static bool run(const char *const *argv, int out_fd, int timeout_ms)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    pid_t pid;
    int rc;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (out_fd >= 0)
        (void)posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
    else
        (void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    /* Threads of ours block signals; the tool must still be stoppable. */
    (void)sigemptyset(&none);
    (void)posix_spawnattr_init(&attr);
    (void)posix_spawnattr_setsigmask(&attr, &none);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    rc = posix_spawnp(&pid, argv[0], &actions, &attr, (char *const *)(uintptr_t)argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attr);
    return rc == 0 && await(pid, timeout_ms);
}

enum err_code sim_video_tools(struct err *err)
{
    static const char *const tools[] = {"ffmpeg", "ffprobe"};

    for (size_t i = 0; i < COUNT_OF(tools); i++) {
        const char *argv[] = {tools[i], "-version", NULL};

        if (!run(argv, -1, PROBE_MS))
            return err_set(err, ERR_CONFIG,
                           "the simulator needs %s and cannot run it; install ffmpeg",
                           tools[i]);
    }
    return ERR_OK;
}

bool sim_video_length(const char *path, int64_t *ret_ms)
{
    const char *argv[] = {"ffprobe", "-v", "error", "-show_entries", "format=duration", "-of",
                          "csv=p=0", path, NULL};
    char text[64] = "";
    int64_t whole, part = 0;
    int fds[2], scale = 100;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    bool ran = run(argv, fds[1], PROBE_MS); /* one line: it fits into the pipe */

    (void)close(fds[1]);
    ssize_t len = read(fds[0], text, sizeof(text) - 1);

    (void)close(fds[0]);
    if (!ran || len <= 0)
        return false;
    struct str line = str_trim((struct str){text, (size_t)len});
    const char *dot = memchr(line.ptr, '.', line.len);
    size_t whole_len = dot == NULL ? line.len : (size_t)(dot - line.ptr);

    if (!str_to_i64((struct str){line.ptr, whole_len}, &whole) || whole < 0 || whole > 86400)
        return false;
    for (size_t i = whole_len + 1; i < line.len && scale > 0; i++, scale /= 10)
        part += (line.ptr[i] - '0') * scale;
    *ret_ms = whole * 1000 + part;
    return true;
}

/* Claims a name; false when another thread has made the file meanwhile. */
static bool claim(struct sim *sim, const char *name, const char *path, int *ret_place)
{
    bool mine = false;

    lock_take(&sim->media_lock);
    while (!mine && access(path, R_OK) != 0) {
        int free_place = -1;
        bool busy = false;

        for (int i = 0; i < (int)COUNT_OF(sim->making); i++) {
            busy |= strcmp(sim->making[i], name) == 0;
            if (sim->making[i][0] == '\0')
                free_place = i;
        }
        mine = !busy && free_place >= 0;
        if (mine) {
            str_copy_cut(sim->making[free_place], sizeof(sim->making[0]), str_from(name));
            *ret_place = free_place;
        } else {
            (void)lock_wait(&sim->media_lock, INT64_MAX);
        }
    }
    lock_drop(&sim->media_lock);
    return mine;
}

/* Runs ffmpeg, whose last argument is the temporary file, unless the file is
 * there; at most one thread does so for a name. */
static enum err_code make(struct sim *sim, const char *name, const char *const *argv,
                          const char *temporary, const char *path, struct err *err)
{
    int place;
    bool made;

    if (!claim(sim, name, path, &place))
        return ERR_OK;
    made = run(argv, -1, TOOL_MS) && rename(temporary, path) == 0;
    if (!made)
        (void)unlink(temporary);
    lock_take(&sim->media_lock);
    sim->making[place][0] = '\0';
    lock_signal(&sim->media_lock);
    lock_drop(&sim->media_lock);
    return made ? ERR_OK : err_set(err, ERR_IO, "ffmpeg could not make %s", name);
}

struct file {
    char name[40];
    char path[320];
    char temporary[344];
};

static void name_file(const struct sim *sim, struct file *file, const char *stem,
                      const char *suffix)
{
    (void)snprintf(file->name, sizeof(file->name), "%s-%s", stem, suffix);
    (void)snprintf(file->path, sizeof(file->path), "%s/%s", sim->media_dir, file->name);
    /* The extension stays last: ffmpeg takes the format from it. */
    (void)snprintf(file->temporary, sizeof(file->temporary), "%s/tmp-%d-%s", sim->media_dir,
                   (int)getpid(), file->name);
}

static enum err_code make_piece(struct sim *sim, const struct file *file, int width, int height,
                                bool hevc, struct err *err)
{
    char source[160], frames[16];

    (void)snprintf(frames, sizeof(frames), "%d", hevc ? PIECE_H265 : PIECE_H264);
    if (hevc) {
        (void)snprintf(source, sizeof(source),
                       "color=c=0x336699:s=%dx%d:r=24,"
                       "drawbox=x=200:y=200:w=400:h=400:color=orange:t=fill",
                       width, height);
        const char *argv[] = {
            "ffmpeg",      "-v",     "error",   "-nostdin",      "-y",        "-f",
            "lavfi",       "-i",     source,    "-frames:v",     frames,      "-pix_fmt",
            "yuv420p10le", "-c:v",   "libx265", "-preset",       "ultrafast", "-x265-params",
            X265_PARAMS,   "-tag:v", "hvc1",    file->temporary, NULL};
        return make(sim, file->name, argv, file->temporary, file->path, err);
    }
    (void)snprintf(source, sizeof(source), "testsrc2=s=%dx%d:r=24", width, height);
    const char *argv[] = {"ffmpeg",  "-v",        "error",   "-nostdin", "-y",
                          "-f",      "lavfi",     "-i",      source,     "-frames:v",
                          frames,    "-pix_fmt",  "yuv420p", "-c:v",     "libx264",
                          "-preset", "ultrafast", "-crf",    "35",       file->temporary,
                          NULL};
    return make(sim, file->name, argv, file->temporary, file->path, err);
}

static enum err_code make_frame(struct sim *sim, const struct file *piece, int index,
                                const struct file *file, struct err *err)
{
    char filter[32];
    const char *argv[] = {"ffmpeg",    "-v",  "error", "-nostdin",  "-y", "-i",
                          piece->path, "-vf", filter,  "-frames:v", "1",  file->temporary,
                          NULL};

    (void)snprintf(filter, sizeof(filter), "select=eq(n\\,%d)", index);
    return make(sim, file->name, argv, file->temporary, file->path, err);
}

static enum err_code make_video(struct sim *sim, const struct file *piece, int pieces,
                                int frames, const struct file *file, struct err *err)
{
    char again[16], count[16];
    const char *argv[] = {"ffmpeg",        "-v",        "error", "-nostdin",  "-y",
                          "-stream_loop",  again,       "-i",    piece->path, "-c",
                          "copy",          "-frames:v", count,   "-movflags", "+faststart",
                          file->temporary, NULL};

    (void)snprintf(again, sizeof(again), "%d", pieces - 1);
    (void)snprintf(count, sizeof(count), "%d", frames);
    return make(sim, file->name, argv, file->temporary, file->path, err);
}

enum err_code sim_video_path(struct sim *sim, int width, int height, int frames, bool hevc,
                             bool last_frame, char ret_path[320], struct err *err)
{
    const int piece_frames = hevc ? PIECE_H265 : PIECE_H264;
    struct file piece, wanted;
    char stem[24], suffix[24];
    int last = (frames - 1) % piece_frames; /* a video repeats its piece */

    (void)snprintf(stem, sizeof(stem), "%dx%d-%s", width, height, hevc ? "h265" : "h264");
    (void)snprintf(suffix, sizeof(suffix), last_frame ? "frame%d.png" : "%df.mp4",
                   last_frame ? last : frames);
    name_file(sim, &piece, stem, "piece.mp4");
    name_file(sim, &wanted, stem, suffix);
    TRY(make_piece(sim, &piece, width, height, hevc, err));
    if (last_frame)
        TRY(make_frame(sim, &piece, last, &wanted, err));
    else
        TRY(make_video(sim, &piece, (frames + piece_frames - 1) / piece_frames, frames, &wanted,
                       err));
    (void)str_copy(ret_path, 320, str_from(wanted.path));
    return ERR_OK;
}
