/* SPDX-License-Identifier: Apache-2.0 */
/* Which system calls the filter of arkgate-probe refuses by itself, whatever Landlock would
 * say to them: every version of the kernel has it, and few have all of Landlock. */
#include "assetlib/probe/probe_private.h"

#include "tests/lib/check.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel cuts most arguments to 32 bits, and no longer one may get past the filter. */
#define LONG(argument) ((long)(argument) | 1L << 40)

/* Each is possible without the filter, or its refusal would mean nothing. */
static void check_calls(bool filtered)
{
    struct f_owner_ex owner = {F_OWNER_PID, getppid()};
    struct rlimit limit;
    int ends[2];

    if (pipe(ends) != 0)
        exit(2);

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
        {"flags", SYS_fcntl, {ends[0], F_GETFL}, 0},
        {"flags, long", SYS_fcntl, {ends[0], LONG(F_GETFL)}, 0},
        {"set flags", SYS_fcntl, {ends[0], F_SETFL, O_NONBLOCK}, 0},
        {"flags of a descriptor", SYS_fcntl, {ends[0], F_GETFD}, 0},
        {"set those", SYS_fcntl, {ends[0], F_SETFD, FD_CLOEXEC}, 0},
        {"one more", SYS_fcntl, {ends[0], F_DUPFD, 0}, 0},
        {"and one", SYS_fcntl, {ends[0], F_DUPFD_CLOEXEC, 0}, 0},
    };

    if (filtered && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !probe_seccomp_enter()))
        exit(2);
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        const long *args = calls[i].args;
        long rc = syscall(calls[i].number, args[0], args[1], args[2], args[3]);

        CHECK_INT(calls[i].what, rc < 0 ? errno : 0, filtered ? calls[i].refused : 0);
    }
}

/* In a child: there is no way out of a filter. */
static void check_child(const char *what, bool filtered)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        check_calls(filtered);
        _exit(check_failures != 0);
    }
    CHECK_TRUE(what, child > 0 && waitpid(child, &status, 0) == child);
    CHECK_INT(what, status, 0);
}

static void without_filter(void)
{
    check_child("without", false);
}

static void with_filter(void)
{
    check_child("with", true);
}

CHECK_MAIN(CHECK_TEST(without_filter), CHECK_TEST(with_filter))
