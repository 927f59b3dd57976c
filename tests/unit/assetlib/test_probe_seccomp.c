/* SPDX-License-Identifier: Apache-2.0 */
/* Which system calls the filter of arkgate-probe refuses by itself, whatever Landlock would
 * say to them: every version of the kernel has it, and few have all of Landlock. */
#include "assetlib/probe/probe_private.h"

#include "tests/lib/check.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel cuts most arguments to 32 bits, and no longer one may get past the filter. */
#define LONG(argument) ((long)(argument) | 1L << 40)
/* How the C library opens a file to be written. */
#define WRITTEN (O_WRONLY | O_CREAT | O_TRUNC)

/* Each is possible without the filter, or its refusal would mean nothing. */
static void check_calls(bool filtered, bool opens_stdout)
{
    struct f_owner_ex owner = {F_OWNER_PID, getppid()};
    struct rlimit limit;
    struct open_how how = {.flags = O_RDONLY};
    int count, ends[2], file = memfd_create("file", 0), talk = socket(AF_UNIX, SOCK_STREAM, 0);
    char name[32];
    long path = (long)(uintptr_t)name;

    if (pipe(ends) != 0 || file < 0 || talk < 0)
        exit(2);
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", file);

    const struct {
        const char *what;
        long number, args[4];
        int refused; /* how; 0: it is not */
    } calls[] = {
        {"signal", SYS_kill, {getppid(), 0}, EPERM},
        {"signal a thread", SYS_tgkill, {getppid(), getppid(), 0}, EPERM},
        {"signal itself", SYS_tgkill, {getpid(), gettid(), 0}, 0},
        {"limits of others", SYS_prlimit64, {getppid(), RLIMIT_CPU, 0, (long)&limit}, EPERM},
        {"limits", SYS_prlimit64, {0, RLIMIT_CPU, 0, (long)&limit}, 0},

        {"whom a pipe signals", SYS_fcntl, {ends[0], F_SETOWN, getppid()}, EPERM},
        {"the same, long", SYS_fcntl, {ends[0], LONG(F_SETOWN), getppid()}, EPERM},
        {"the same, by kind", SYS_fcntl, {ends[0], F_SETOWN_EX, (long)&owner}, EPERM},
        {"with which signal", SYS_fcntl, {ends[0], F_SETSIG, SIGKILL}, EPERM},
        {"who is told of leases", SYS_fcntl, {ends[0], F_GETLEASE}, EPERM},
        {"whom a socket signals", SYS_ioctl, {talk, FIOSETOWN, (long)&owner.pid}, EPERM},
        {"the same, by BSD's name", SYS_ioctl, {talk, SIOCSPGRP, (long)&owner.pid}, EPERM},
        {"what a pipe holds", SYS_ioctl, {ends[0], FIONREAD, (long)&count}, EPERM},
        {"flags", SYS_fcntl, {ends[0], F_GETFL}, 0},
        {"flags, long", SYS_fcntl, {ends[0], LONG(F_GETFL)}, 0},
        {"set flags", SYS_fcntl, {ends[0], F_SETFL, O_NONBLOCK}, 0},
        {"flags of a descriptor", SYS_fcntl, {ends[0], F_GETFD}, 0},
        {"set those", SYS_fcntl, {ends[0], F_SETFD, FD_CLOEXEC}, 0},
        {"one more", SYS_fcntl, {ends[0], F_DUPFD, 0}, 0},
        {"and one", SYS_fcntl, {ends[0], F_DUPFD_CLOEXEC, 0}, 0},

        {"read", SYS_openat, {AT_FDCWD, path, O_RDONLY}, 0},
        {"read, long", SYS_openat, {AT_FDCWD, path, LONG(O_RDONLY | O_CLOEXEC)}, 0},
        {"read and empty", SYS_openat, {AT_FDCWD, path, O_TRUNC}, EPERM},
        {"the same, long", SYS_openat, {AT_FDCWD, path, LONG(O_TRUNC)}, EPERM},
        {"neither read nor write", SYS_openat, {AT_FDCWD, path, O_ACCMODE}, EPERM},
        {"but empty", SYS_openat, {AT_FDCWD, path, O_ACCMODE | O_TRUNC}, EPERM},
        {"create", SYS_openat, {AT_FDCWD, path, O_CREAT}, EPERM},
        {"write", SYS_openat, {AT_FDCWD, path, O_WRONLY}, EPERM},
        {"read and write", SYS_openat, {AT_FDCWD, path, O_RDWR}, EPERM},
        {"both, and empty", SYS_openat, {AT_FDCWD, path, O_RDWR | O_CREAT | O_TRUNC}, EPERM},
        {"write as stdout", SYS_openat, {AT_FDCWD, path, WRITTEN}, opens_stdout ? 0 : EPERM},
        {"by a struct", SYS_openat2, {AT_FDCWD, path, (long)&how, sizeof(how)}, ENOSYS},
        {"cut", SYS_truncate, {path, 0}, EPERM},
        {"cut what is open", SYS_ftruncate, {file, 0}, EPERM},
#if defined(__x86_64__)
        {"read as of old", SYS_open, {path, O_RDONLY}, 0},
        {"and empty", SYS_open, {path, O_TRUNC}, EPERM},
        {"neither, as of old", SYS_open, {path, O_ACCMODE | O_TRUNC}, EPERM},
        {"write, as of old", SYS_open, {path, WRITTEN}, EPERM},
        {"create, as of old", SYS_creat, {path, 0600}, EPERM},
#endif
    };

    if (filtered &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !probe_seccomp_enter(opens_stdout)))
        exit(2);
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        const long *args = calls[i].args;
        long rc = syscall(calls[i].number, args[0], args[1], args[2], args[3]);

        CHECK_INT(calls[i].what, rc < 0 ? errno : 0, filtered ? calls[i].refused : 0);
    }
}

/* In a child: there is no way out of a filter. */
static void check_child(const char *what, bool filtered, bool opens_stdout)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        check_calls(filtered, opens_stdout);
        _exit(check_failures != 0);
    }
    CHECK_TRUE(what, child > 0 && waitpid(child, &status, 0) == child);
    CHECK_INT(what, status, 0);
}

static void without_filter(void)
{
    check_child("without", false, false);
}

static void with_filter(void)
{
    check_child("with", true, false);
    check_child("but stdout", true, true);
}

CHECK_MAIN(CHECK_TEST(without_filter), CHECK_TEST(with_filter))
