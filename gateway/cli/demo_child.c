/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes of the demo: started so that they end with it, watched through
 * their log files, stopped in order. What they do is cmd_demo.c's business. */
#include "gateway/cli/demo_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    READY_WAIT_US = 30000000, /* a sanitized binary on a busy machine; else 0.1 s */
    RUN_WAIT_US = 60000000,   /* likewise */
    STOP_WAIT_US = 10000000,  /* serve drains for as long as requests run */
    LOOK_US = 5000,           /* between two looks at a child */
    ENVIRONMENT_MAX = 512,    /* variables handed on; the rest is dropped */
    OUTPUT_MAX = 1 << 20,     /* a page of JSON has some kB */
    TAIL_BYTES = 4096,        /* of a log, when something went wrong */
    LOG_MODE = 0600
};

extern char **environ;

static bool stop_wanted;

static void ending_signals(sigset_t *ret_set)
{
    (void)sigemptyset(ret_set);
    (void)sigaddset(ret_set, SIGINT);
    (void)sigaddset(ret_set, SIGTERM);
    (void)sigaddset(ret_set, SIGHUP);
}

void demo_child_signals(void)
{
    sigset_t set;

    ending_signals(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

bool demo_child_wait(int64_t us)
{
    struct timespec timeout = {us / 1000000, us % 1000000 * 1000};
    sigset_t set;

    ending_signals(&set);
    if (!stop_wanted && sigtimedwait(&set, NULL, &timeout) > 0)
        stop_wanted = true;
    return stop_wanted;
}

static enum err_code interrupted(struct err *err)
{
    return err_set(err, ERR_IO, "interrupted");
}

/* The user's settings of a gateway must not reach the demo's. */
static void fill_environment(const char *tmpdir, const char *to[ENVIRONMENT_MAX + 2])
{
    size_t count = 0;

    to[count++] = tmpdir;
    for (char **entry = environ; *entry != NULL && count < ENVIRONMENT_MAX; entry++) {
        if (strncmp(*entry, "ARKGATE_", 8) != 0 && strncmp(*entry, "TMPDIR=", 7) != 0)
            to[count++] = *entry;
    }
    to[count] = NULL;
}

/* What a fork needs, made before it: between fork and exec only calls that are safe
 * in a signal handler are made. */
struct launch {
    char *const *argv;
    char *const *environment;
    int in, out, log;
    pid_t parent;
};

static _Noreturn void become(const struct launch *launch)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    /* Its own group: Ctrl-C is for the demo, which then ends them in order. */
    (void)setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != launch->parent)
        _exit(126);
    if (dup2(launch->in, STDIN_FILENO) < 0 || dup2(launch->out, STDOUT_FILENO) < 0 ||
        dup2(launch->log, STDERR_FILENO) < 0)
        _exit(126);
    (void)execvpe(launch->argv[0], launch->argv, launch->environment);
    _exit(127);
}

static enum err_code spawn(const char *dir, const char *const *argv, int out, int log,
                           int *ret_pid, struct err *err)
{
    const char *environment[ENVIRONMENT_MAX + 2];
    char tmpdir[DEMO_PATH_MAX + 8];
    struct launch launch = {.out = out, .log = log, .parent = getpid()};

    (void)snprintf(tmpdir, sizeof(tmpdir), "TMPDIR=%s", dir);
    fill_environment(tmpdir, environment);
    /* exec takes char *const[] for C's sake and changes nothing */
    launch.argv = (char *const *)(uintptr_t)argv;
    launch.environment = (char *const *)(uintptr_t)environment;
    launch.in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (launch.in < 0)
        return err_set(err, ERR_IO, "/dev/null: %s", strerror(errno));
    pid_t pid = fork();

    if (pid == 0)
        become(&launch);
    int saved = errno;

    (void)close(launch.in);
    if (pid < 0)
        return err_set(err, ERR_IO, "a process cannot be started: %s", strerror(saved));
    *ret_pid = pid;
    return ERR_OK;
}

static void file_name(const char *dir, const char *name, const char *end,
                      char dst[DEMO_PATH_MAX])
{
    (void)snprintf(dst, DEMO_PATH_MAX, "%s/%s.%s", dir, name, end);
}

static enum err_code open_for_child(const char *path, int flags, int *ret_fd, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, LOG_MODE);

    if (fd < 0)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    *ret_fd = fd;
    return ERR_OK;
}

enum err_code demo_child_start(const char *dir, const char *name, const char *const *argv,
                               struct demo_child *ret_child, struct err *err)
{
    struct demo_child child = {.name = name};
    int log = -1;

    file_name(dir, name, "log", child.log);
    TRY(open_for_child(child.log, O_APPEND, &log, err));
    enum err_code rc = spawn(dir, argv, log, log, &child.pid, err);

    (void)close(log);
    if (rc == ERR_OK)
        *ret_child = child;
    return rc;
}

/* Appends what a file holds, as far as it fits. */
static enum err_code read_file(const char *path, struct buf *to, struct err *err)
{
    FILE *file = fopen(path, "re");
    char piece[4096];
    size_t got;

    if (file == NULL)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    while ((got = fread(piece, 1, sizeof(piece), file)) > 0 && to->len + got <= to->max)
        buf_put(to, piece, got);
    bool failed = ferror(file) != 0 || got > 0;

    (void)fclose(file);
    return failed ? err_set(err, ERR_IO, "%s cannot be read whole", path) : ERR_OK;
}

/* The word after key in a whole line that begins with "ready ". */
static bool find_ready(const char *text, const char *key, char *dst, size_t size)
{
    const char *line = text;

    while (strncmp(line, "ready ", 6) != 0) {
        line = strchr(line, '\n');
        if (line++ == NULL)
            return false;
    }
    const char *end = strchr(line, '\n');
    const char *found = strstr(line, key);

    if (end == NULL || found == NULL || found > end)
        return false;
    found += strlen(key);
    return str_copy(dst, size, (struct str){found, strcspn(found, " \n")});
}

/* The wait status when the child has ended. */
static bool has_ended(int pid, int *ret_status)
{
    return waitpid(pid, ret_status, WNOHANG) == pid;
}

enum err_code demo_child_ready(const struct demo_child *child, const char *key, char *dst,
                               size_t size, struct err *err)
{
    int64_t deadline_us = sys_mono_us() + READY_WAIT_US;
    CLEANUP(buf_fini) struct buf text = {0};

    buf_init(&text, OUTPUT_MAX);
    while (sys_mono_us() < deadline_us) {
        siginfo_t ended = {0};

        buf_reset(&text);
        TRY(read_file(child->log, &text, err));
        if (text.len > 0 && find_ready(text.ptr, key, dst, size))
            return ERR_OK;
        /* Left to be collected by demo_child_stop. */
        if (waitid(P_PID, (id_t)child->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
            ended.si_pid == child->pid)
            return err_set(err, ERR_IO, "%s ended at once", child->name);
        if (demo_child_wait(LOOK_US))
            return interrupted(err);
    }
    return err_set(err, ERR_IO, "%s was not ready after %d s", child->name,
                   READY_WAIT_US / 1000000);
}

static enum err_code judge_status(const char *program, int status, struct err *err)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return ERR_OK;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return err_set(err, ERR_IO, "%s cannot be run: is it installed?", program);
    if (WIFEXITED(status))
        return err_set(err, ERR_IO, "it ended with status %d", WEXITSTATUS(status));
    return err_set(err, ERR_IO, "it was ended by signal %d", WTERMSIG(status));
}

static enum err_code wait_for_end(const char *program, int pid, struct err *err)
{
    int64_t deadline_us = sys_mono_us() + RUN_WAIT_US;
    int status;

    while (!has_ended(pid, &status)) {
        bool stop = demo_child_wait(LOOK_US);

        if (!stop && sys_mono_us() < deadline_us)
            continue;
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, &status, 0);
        if (stop)
            return interrupted(err);
        return err_set(err, ERR_IO, "it did not end in %d s", RUN_WAIT_US / 1000000);
    }
    return judge_status(program, status, err);
}

enum err_code demo_child_run(const char *dir, const char *name, const char *const *argv,
                             struct buf *ret_output, struct err *err)
{
    char log_path[DEMO_PATH_MAX], out_path[DEMO_PATH_MAX];
    int log = -1, out = -1, pid = 0;

    file_name(dir, name, "log", log_path);
    file_name(dir, name, "out", out_path);
    TRY(open_for_child(log_path, O_APPEND, &log, err));
    enum err_code rc = open_for_child(out_path, O_TRUNC, &out, err);

    if (rc == ERR_OK) {
        rc = spawn(dir, argv, out, log, &pid, err);
        (void)close(out);
    }
    (void)close(log);
    TRY(rc);
    TRY(wait_for_end(argv[0], pid, err));
    return read_file(out_path, ret_output, err);
}

bool demo_child_stop(struct demo_child *child)
{
    int64_t deadline_us = sys_mono_us() + STOP_WAIT_US;
    int status;

    if (child->pid == 0)
        return true;
    (void)kill(child->pid, SIGTERM);
    while (!has_ended(child->pid, &status)) {
        if (sys_mono_us() >= deadline_us) {
            (void)kill(child->pid, SIGKILL);
            (void)waitpid(child->pid, &status, 0);
            break;
        }
        sys_sleep_us(LOOK_US);
    }
    child->pid = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void demo_child_tail(const char *dir, const char *name)
{
    char path[DEMO_PATH_MAX], text[TAIL_BYTES + 1];
    size_t len = 0;

    file_name(dir, name, "log", path);
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return;
    if (fseek(file, -(long)TAIL_BYTES, SEEK_END) != 0)
        rewind(file); /* shorter than that */
    len = fread(text, 1, TAIL_BYTES, file);
    (void)fclose(file);
    text[len] = '\0';
    if (len > 0)
        (void)fprintf(stderr, "--- the end of %s.log:\n%s%s", name, text,
                      text[len - 1] == '\n' ? "" : "\n");
}
