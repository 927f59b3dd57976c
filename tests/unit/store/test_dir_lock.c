/* SPDX-License-Identifier: Apache-2.0 */
/* One holder at a time, also across processes, and none after its death. */
#include "tests/unit/store/fixture.h"

#include <signal.h>
#include <sys/wait.h>

/* What a child gets that tries to take the lock. */
static enum err_code code_in_child(const char *dir)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        struct err err;
        int fd = -1;
        _exit((int)dir_lock_take(dir, &fd, &err));
    }
    (void)waitpid(child, &status, 0);
    return (enum err_code)WEXITSTATUS(status);
}

static void one_holder(void)
{
    struct fixture fx;
    struct stat status;
    char path[128];
    int fd = -1, second = -1;

    fixture_dir(&fx);
    CHECK_OK("take", dir_lock_take(fx.dir, &fd, &fx.err), &fx.err);
    CHECK_INT("child", code_in_child(fx.dir), ERR_BUSY);
    CHECK_INT("same process", dir_lock_take(fx.dir, &second, &fx.err), ERR_BUSY);
    CHECK_TRUE("names the directory", strstr(fx.err.msg, fx.dir) != NULL);
    (void)snprintf(path, sizeof(path), "%s/arkgate.lock", fx.dir);
    CHECK_INT("file", stat(path, &status), 0);
    CHECK_INT("mode", status.st_mode & 0777, 0600);
    dir_lock_drop(&fd);
    CHECK_INT("dropped", fd, -1);
    CHECK_INT("child", code_in_child(fx.dir), ERR_OK);
    fixture_fini(&fx);
}

static void dead_holder(void)
{
    struct fixture fx;
    int fd = -1, ready[2], status;
    char byte;

    fixture_dir(&fx);
    CHECK_INT("pipe", pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct err err;
        if (dir_lock_take(fx.dir, &fd, &err) != ERR_OK || write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    CHECK_INT("held", read(ready[0], &byte, 1), 1);
    CHECK_INT("busy", dir_lock_take(fx.dir, &fd, &fx.err), ERR_BUSY);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, &status, 0);
    CHECK_OK("free", dir_lock_take(fx.dir, &fd, &fx.err), &fx.err);
    dir_lock_drop(&fd);
    (void)close(ready[0]);
    (void)close(ready[1]);
    fixture_fini(&fx);
}

static void no_directory(void)
{
    struct err err;
    int fd = -1;

    CHECK_INT("missing", dir_lock_take("/nowhere/at/all", &fd, &err), ERR_IO);
    CHECK_INT("fd", fd, -1);
}

CHECK_MAIN(CHECK_TEST(one_holder), CHECK_TEST(dead_holder), CHECK_TEST(no_directory))
