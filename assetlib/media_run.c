/* SPDX-License-Identifier: Apache-2.0 */
/* One run of arkgate-probe: started without a shell, fed, listened to, and killed when it
 * lasts or says too much. How it ended is told; what that says of the file is not. */
#include "assetlib/media_private.h"
#include "assetlib/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SAID_KEPT = 4096,  /* of stderr; the rest is read and dropped */
    AT_A_TIME = 65536, /* a pipe's capacity */
    STOP_MS = 200      /* how late a stop is noticed */
};

/* The process and our ends of its pipes; -1: closed. */
struct child {
    pid_t pid;
    int pid_fd, in_fd, out_fd, err_fd; /* in_fd: its stdin, which we only hold for the start */
    int its_out_fd, its_err_fd;
    int64_t deadline_us;
    const atomic_bool *stopping;
    size_t out_bytes;
    bool late, stopped, too_long; /* killed for it */
    int status;                   /* in the end: as of waitpid, and the time it computed */
    int64_t cpu_us;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* Whatever happens, no process and no descriptor stays. */
static void child_fini(struct child *child)
{
    if (child->pid > 0) {
        (void)kill(-child->pid, SIGKILL);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    close_fd(&child->pid_fd);
    close_fd(&child->in_fd);
    close_fd(&child->out_fd);
    close_fd(&child->err_fd);
    close_fd(&child->its_out_fd);
    close_fd(&child->its_err_fd);
}

static enum err_code no_room(const char *what, struct err *err)
{
    return err_detail(err, ERR_UNAVAILABLE, "%s: %s", what, strerror(errno));
}

/* Its stdin is a file in memory, so that nobody waits for anybody. */
static enum err_code make_input(struct child *child, struct str input, struct err *err)
{
    child->in_fd = input.len == 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC)
                                  : memfd_create("arkgate-probe", MFD_CLOEXEC);
    if (child->in_fd < 0)
        return no_room("stdin", err);
    for (size_t at = 0; at < input.len;) {
        ssize_t wrote = write(child->in_fd, input.ptr + at, input.len - at);

        if (wrote < 0 && errno != EINTR)
            return no_room("stdin", err);
        at += wrote < 0 ? 0 : (size_t)wrote;
    }
    if (input.len > 0 && lseek(child->in_fd, 0, SEEK_SET) != 0)
        return no_room("stdin", err);
    return ERR_OK;
}

static enum err_code make_pipe(int *ret_read, int *ret_write, struct err *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return no_room("pipe", err);
    *ret_read = fds[0];
    *ret_write = fds[1];
    return ERR_OK;
}

static int spawn(struct child *child, const char *const *argv)
{
    static const char *const environment[] = {"LC_ALL=C", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    int rc;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, child->in_fd, 0);
    (void)posix_spawn_file_actions_adddup2(&actions, child->its_out_fd, 1);
    (void)posix_spawn_file_actions_adddup2(&actions, child->its_err_fd, 2);
    /* Threads of ours block signals and ignore SIGPIPE; it must still be stoppable. A group
     * of its own: a Ctrl-C at our terminal is ours to deal with. */
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawnattr_init(&attr);
    (void)posix_spawnattr_setsigmask(&attr, &none);
    (void)posix_spawnattr_setsigdefault(&attr, &all);
    (void)posix_spawnattr_setpgroup(&attr, 0);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    rc = posix_spawn(&child->pid, argv[0], &actions, &attr, (char *const *)(uintptr_t)argv,
                     (char *const *)(uintptr_t)environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attr);
    return rc;
}

static enum err_code start(const struct media_options *options, const struct media_run *run,
                           struct child *child, struct err *err)
{
    char cpu[32], memory[32];
    const char *argv[10] = {options->probe};
    size_t count = 1;

    (void)snprintf(cpu, sizeof(cpu), "--cpu-s=%d", options->cpu_s);
    (void)snprintf(memory, sizeof(memory), "--memory-mb=%d", options->memory_mb);
    if (options->cpu_s > 0)
        argv[count++] = cpu;
    if (options->memory_mb > 0)
        argv[count++] = memory;
    if (options->sandbox_off)
        argv[count++] = "--sandbox=off";
    argv[count++] = run->tool;
    if (run->format != NULL) {
        argv[count++] = run->format;
        argv[count] = run->path;
    }
    TRY(make_input(child, run->input, err));
    TRY(make_pipe(&child->out_fd, &child->its_out_fd, err));
    TRY(make_pipe(&child->err_fd, &child->its_err_fd, err));

    int rc = spawn(child, argv);
    if (rc != 0) {
        child->pid = 0;
        return err_set(err, rc == EAGAIN || rc == ENOMEM ? ERR_UNAVAILABLE : ERR_CONFIG,
                       "cannot run %s: %s", options->probe, strerror(rc));
    }
    close_fd(&child->its_out_fd);
    close_fd(&child->its_err_fd);
    child->pid_fd = pidfd_open(child->pid, 0);
    return child->pid_fd >= 0 ? ERR_OK : no_room("pidfd_open", err);
}

/* Reads once and returns how much; closes at the end. */
static size_t take(int *fd, struct buf *buf)
{
    char bytes[AT_A_TIME];
    ssize_t len = read(*fd, bytes, sizeof(bytes));

    if (len == 0 || (len < 0 && errno != EINTR))
        close_fd(fd);
    if (len <= 0)
        return 0;
    size_t room = buf->max - buf->len;

    buf_put(buf, bytes, (size_t)len < room ? (size_t)len : room);
    return (size_t)len;
}

/* False when it must be killed: the deadline has passed, or nobody wants to know any more. */
static bool wait_for(struct child *child, struct pollfd *fds, nfds_t count)
{
    int ready = 0;

    while (ready == 0) {
        int64_t left_ms = (child->deadline_us - sys_mono_us()) / 1000 + 1;

        child->stopped = child->stopping != NULL && atomic_load(child->stopping);
        child->late = left_ms <= 0;
        if (child->stopped || child->late)
            return false;
        ready = poll(fds, count, left_ms < STOP_MS ? (int)left_ms : STOP_MS);
    }
    return true;
}

/* Until it closed both pipes, or must be killed. */
static void listen_to(struct child *child, struct buf *out, struct buf *said)
{
    while ((child->out_fd >= 0 || child->err_fd >= 0) && !child->too_long) {
        struct pollfd fds[] = {{.fd = child->out_fd, .events = POLLIN},
                               {.fd = child->err_fd, .events = POLLIN}};

        if (!wait_for(child, fds, COUNT_OF(fds)))
            return;
        if (fds[0].revents != 0)
            child->out_bytes += take(&child->out_fd, out);
        if (fds[1].revents != 0)
            (void)take(&child->err_fd, said);
        child->too_long = child->out_bytes > out->max;
    }
}

/* Waits for its end, or brings it about. */
static void reap(struct child *child)
{
    struct pollfd ended = {.fd = child->pid_fd, .events = POLLIN};
    struct rusage used = {0};

    while (!child->too_long && ended.revents == 0 && wait_for(child, &ended, 1)) {
    }
    if (child->late || child->stopped || child->too_long)
        (void)kill(-child->pid, SIGKILL);
    while (wait4(child->pid, &child->status, 0, &used) < 0 && errno == EINTR)
        continue;
    child->pid = 0;
    child->cpu_us = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * INT64_C(1000000) +
                    used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

/* FFmpeg's last line names the file's fault, the ones before it where it showed. */
static void keep_last_line(const struct buf *said, char ret_line[256])
{
    struct str text = str_trim(buf_str(said));
    size_t from = text.len;

    while (from > 0 && text.ptr[from - 1] != '\n')
        from--;
    str_copy_cut(ret_line, 256, (struct str){text.ptr + from, text.len - from});
}

/* What an exit status of its own says of the installation. */
static enum err_code judge_exit(int status, const char *said, struct err *err)
{
    switch (status) {
    case PROBE_EXIT_SANDBOX:
        return err_set(err, ERR_CONFIG, "media files cannot be looked at in a sandbox: %s",
                       said);
    case PROBE_EXIT_TOOL:
        return err_set(err, ERR_CONFIG, "media files cannot be looked at: %s", said);
    case PROBE_EXIT_FILE:
        return err_detail(err, ERR_IO, "%s", said);
    case PROBE_EXIT_USAGE:
        return err_detail(err, ERR_INTERNAL, "arkgate-probe does not know its arguments");
    default:
        return ERR_OK;
    }
}

/* The kernel kills at the limit of computing time. Of what had computed little, the end is not
 * the file's fault, whoever brought it about: we do when the machine was too busy or stood
 * still until the deadline, the kernel when it is out of memory. */
static enum err_code judge_kill(const struct media_options *options, const struct child *child,
                                struct media_answer *answer, struct err *err)
{
    int64_t limit_us = (options->cpu_s > 0 ? options->cpu_s : PROBE_CPU_S) * INT64_C(1000000);

    /* It counts in ticks, so that on a busy machine a quarter may be missing here. */
    if (child->cpu_us < limit_us / 2)
        return err_detail(err, ERR_UNAVAILABLE,
                          "arkgate-probe was killed%s after it computed for %lld us",
                          child->late ? " at the deadline" : "", (long long)child->cpu_us);
    answer->end = MEDIA_END_LATE;
    return ERR_OK;
}

static enum err_code judge_end(const struct media_options *options, const struct child *child,
                               struct media_answer *answer, struct err *err)
{
    int status = child->status;

    if (child->stopped)
        return err_set(err, ERR_UNAVAILABLE, "the look at the file was stopped");
    if (child->too_long) {
        answer->end = MEDIA_END_LONG;
        return ERR_OK;
    }
    if (child->late || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
        return judge_kill(options, child, answer, err);
    if (WIFSIGNALED(status)) {
        answer->end = MEDIA_END_CRASHED;
        return ERR_OK;
    }
    answer->end = WEXITSTATUS(status) == 0 ? MEDIA_END_GOOD : MEDIA_END_REFUSED;
    return judge_exit(WEXITSTATUS(status), answer->said, err);
}

FALLIBLE media_run(const struct media_options *options, const struct media_run *run,
                   struct media_answer *answer, struct err *err)
{
    CLEANUP(child_fini) struct child child = {.pid_fd = -1, .in_fd = -1, .out_fd = -1};
    CLEANUP(buf_fini) struct buf heard = {0};

    child.err_fd = child.its_out_fd = child.its_err_fd = -1;
    buf_init(&heard, SAID_KEPT);
    child.stopping = options->stopping;
    child.deadline_us =
        sys_mono_us() + (options->deadline_us > 0 ? options->deadline_us : MEDIA_DEADLINE_US);
    TRY(start(options, run, &child, err));
    listen_to(&child, &answer->out, &heard);
    reap(&child);
    keep_last_line(&heard, answer->said);
    if (answer->out.failed && !child.too_long)
        return err_detail(err, ERR_UNAVAILABLE, "no memory for what arkgate-probe says");
    return judge_end(options, &child, answer, err);
}
