/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the sandbox holds on this machine: tries, from inside, what a tool that was
 * taken over would try. Outside of a sandbox all of it is possible, and undone. */
#include "assetlib/probe/probe_private.h"

#include "base/base.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each is true when it was possible. */

static bool opened(int fd)
{
    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}

static bool try_network(void)
{
    bool tcp = opened(socket(AF_INET, SOCK_STREAM, 0));
    bool udp = opened(socket(AF_INET, SOCK_DGRAM, 0));

    return tcp || udp || opened(socket(AF_UNIX, SOCK_STREAM, 0));
}

static bool try_read(void)
{
    return opened(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static bool try_create(void)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/tmp/arkgate-probe-%d", (int)getpid());
    if (!opened(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_EXCL | O_CLOEXEC, 0600)))
        return false;
    (void)unlink(path);
    return true;
}

/* While it is opened to be read, or in the access mode that is neither reading nor writing:
 * Landlock refuses it since its third version only, and of a file without a name never. */
static bool try_empty(void)
{
    char path[32];
    int fd = memfd_create("arkgate-probe", MFD_CLOEXEC);

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    bool read = opened(open(path, O_RDONLY | O_TRUNC | O_CLOEXEC));
    bool neither = opened(open(path, O_ACCMODE | O_TRUNC | O_CLOEXEC));
    return opened(fd) && (read || neither);
}

/* The modes of a file that it can see: Landlock does not mind. */
static bool try_change(void)
{
    struct stat about;

    return stat("/tmp", &about) == 0 && chmod("/tmp", about.st_mode & 07777) == 0;
}

static bool try_fork(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    if (child < 0)
        return false;
    (void)waitpid(child, NULL, 0);
    return true;
}

static bool try_signal(void)
{
    return kill(getppid(), 0) == 0;
}

/* By the kernel, once there is something to read: it can be told whom, and to kill. */
static bool try_owner(void)
{
    int ends[2];

    if (pipe(ends) != 0)
        return false;
    bool possible = fcntl(ends[0], F_SETOWN, getppid()) == 0;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return possible;
}

static const struct {
    const char *what;
    bool (*possible)(void);
} tries[] = {
    {"network", try_network},          {"reading other files", try_read},
    {"creating a file", try_create},   {"emptying a file", try_empty},
    {"changing a file", try_change},   {"starting a process", try_fork},
    {"signalling others", try_signal}, {"having others signalled", try_owner},
};

int probe_selftest_run(void)
{
    int status = 0;

    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        bool possible = tries[i].possible();

        (void)fprintf(possible ? stderr : stdout, "%s %s\n", tries[i].what,
                      possible ? "possible" : "refused");
        if (possible)
            status = 1;
    }
    return fflush(stdout) == 0 ? status : 1;
}
