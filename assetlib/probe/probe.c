/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate-probe: locks itself up for good and becomes a tool that looks at one file. The
 * order matters: each lock is put on while what it needs is still open. */
#include "assetlib/probe/probe.h"

#include "assetlib/probe/probe_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* The largest picture that passes the rules, 6000 x 6000 with four channels of 16 bits,
     * takes 700 MB in ffmpeg, of which 350 MB are the addresses of its libraries. */
    MEMORY_MB = 1024,
    FILES = 16 /* open at a time; the loader and the tools have three */
};

struct task {
    long cpu_s, memory_mb;
    bool sandbox, self_test;
    const char *tool, *format, *path; /* format and path: NULL for webp */
};

/* From 1 to what holds anyway. */
static bool read_limit(const char *arg, const char *name, long *inout_limit)
{
    size_t len = strlen(name);
    char *end;

    if (strncmp(arg, name, len) != 0)
        return false;
    long limit = strtol(arg + len, &end, 10);
    if (end == arg + len || *end != '\0' || limit < 1 || limit > *inout_limit)
        return false;
    *inout_limit = limit;
    return true;
}

static bool read_args(int argc, char **argv, struct task *ret_task)
{
    struct task task = {.cpu_s = PROBE_CPU_S, .memory_mb = MEMORY_MB, .sandbox = true};
    int at = 1;

    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--sandbox=off") == 0)
            task.sandbox = false;
        else if (strcmp(argv[at], "--self-test") == 0)
            task.self_test = true;
        else if (!read_limit(argv[at], "--cpu-s=", &task.cpu_s) &&
                 !read_limit(argv[at], "--memory-mb=", &task.memory_mb))
            return false;
    }
    task.tool = at < argc ? argv[at] : "";
    task.format = at + 2 < argc ? argv[at + 1] : NULL;
    task.path = at + 2 < argc ? argv[at + 2] : NULL;
    *ret_task = task;
    if (task.self_test)
        return at == argc;
    return at + (strcmp(task.tool, "webp") == 0 ? 1 : 3) == argc;
}

static bool limit(__rlimit_resource_t what, rlim_t value)
{
    return setrlimit(what, &(struct rlimit){value, value}) == 0;
}

/* Nothing of the one who started it, and little of the machine. */
static bool shed(const struct task *task)
{
    return close_range(3, ~0u, 0) == 0 && chdir("/") == 0 &&
           prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           limit(RLIMIT_CPU, (rlim_t)task->cpu_s) &&
           limit(RLIMIT_AS, (rlim_t)task->memory_mb << 20) && limit(RLIMIT_FSIZE, 0) &&
           limit(RLIMIT_NOFILE, FILES) && limit(RLIMIT_CORE, 0);
}

/* Rights for this very file: it is opened first. */
static int open_file(const char *path)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode))
        return fd;
    (void)fprintf(stderr, "%s: %s\n", path, fd < 0 ? strerror(errno) : "no plain file");
    return -1;
}

static bool lock(const struct task *task, const struct probe_command *command, int file_fd)
{
    return !task->sandbox || (probe_landlock_enter(command->program, file_fd) &&
                              probe_seccomp_enter(command->opens_stdout));
}

/* Returns only when the tool cannot be started. */
static int become(const struct task *task, struct probe_command *command, int file_fd)
{
    /* One arena: an arena a thread would be 64 MB of addresses each. */
    static const char *const environment[] = {"LC_ALL=C", "MALLOC_ARENA_MAX=1", NULL};

    if (access(command->program, X_OK) == 0) {
        if (!lock(task, command, file_fd))
            return PROBE_EXIT_SANDBOX;
        (void)execve(command->program, (char *const *)(uintptr_t)command->args,
                     (char *const *)(uintptr_t)environment);
    }
    (void)fprintf(stderr, "cannot run %s: %s\n", command->program, strerror(errno));
    return PROBE_EXIT_TOOL;
}

static int self_test(const struct task *task)
{
    /* What holds in the weakest lock holds in all. */
    const struct probe_command weakest = {.opens_stdout = true};

    for (const char *const *program = probe_tools_programs; *program != NULL; program++) {
        if (access(*program, X_OK) != 0) {
            (void)fprintf(stderr, "cannot run %s: %s\n", *program, strerror(errno));
            return PROBE_EXIT_TOOL;
        }
    }
    return lock(task, &weakest, -1) ? probe_selftest_run() : PROBE_EXIT_SANDBOX;
}

static int look(const struct task *task)
{
    struct probe_command command = {.program = NULL};
    int file_fd;

    if (task->path == NULL) {
        probe_tools_webp(&command);
        return become(task, &command, -1);
    }
    if (!probe_tools_make(task->tool, task->format, task->path, &command))
        return PROBE_EXIT_USAGE;
    file_fd = open_file(task->path);
    if (file_fd < 0)
        return PROBE_EXIT_FILE;
    if (command.program != NULL)
        return become(task, &command, file_fd);
    if (!lock(task, &command, -1))
        return PROBE_EXIT_SANDBOX;
    return probe_image_print(task->format, file_fd);
}

int main(int argc, char **argv)
{
    struct task task;

    if (!read_args(argc, argv, &task)) {
        (void)fputs("usage: arkgate-probe [LIMIT...] header|facts|picture FORMAT FILE\n"
                    "       arkgate-probe [LIMIT...] webp\n"
                    "       arkgate-probe [LIMIT...] --self-test\n",
                    stderr);
        return PROBE_EXIT_USAGE;
    }
    if (!shed(&task)) {
        (void)fprintf(stderr, "cannot set limits: %s\n", strerror(errno));
        return PROBE_EXIT_SANDBOX;
    }
    return task.self_test ? self_test(&task) : look(&task);
}
