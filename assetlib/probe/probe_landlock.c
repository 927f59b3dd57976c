/* SPDX-License-Identifier: Apache-2.0 */
/* Which files a tool can open: Landlock, by its bare system calls, since the C library has
 * none for them. What it does not rule (modes, owners, times, before version 3 what is cut) is
 * the other filter's: probe_seccomp.c. */
#include "assetlib/probe/probe_private.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's header ends at the second version of the interface, its kernels and those
 * of backports do not. The kernel takes a longer struct whose end it does not know, as
 * long as that is zero. */
struct rights {
    uint64_t files;   /* since version 1 */
    uint64_t network; /* since 4: binding and connecting TCP sockets */
    uint64_t scoped;  /* since 6: abstract sockets of others, signals to others */
};

static const uint64_t files_1 = (UINT64_C(1) << 13) - 1;
static const uint64_t files_2_refer = UINT64_C(1) << 13;
static const uint64_t files_3_truncate = UINT64_C(1) << 14;
static const uint64_t files_5_ioctl_dev = UINT64_C(1) << 15;
static const uint64_t network_all = 3, scoped_all = 3;

static const uint64_t may_read = LANDLOCK_ACCESS_FS_READ_FILE;
static const uint64_t may_run = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE;

/* Programs start through the loader, which is run from among the libraries. */
static const char *const libraries[] = {"/lib", "/lib64", "/usr/lib", "/usr/lib64"};

static bool allow_fd(int ruleset, int fd, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};

    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

/* What is not there needs no rule. */
static bool allow_path(int ruleset, const char *path, uint64_t rights)
{
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT;
    bool allowed = allow_fd(ruleset, fd, rights);
    (void)close(fd);
    return allowed;
}

/* All that this kernel can refuse. */
static struct rights refusable(long version)
{
    return (struct rights){
        .files = files_1 | (version >= 2 ? files_2_refer : 0) |
                 (version >= 3 ? files_3_truncate : 0) | (version >= 5 ? files_5_ioctl_dev : 0),
        .network = version >= 4 ? network_all : 0,
        .scoped = version >= 6 ? scoped_all : 0,
    };
}

static bool enter(int ruleset, const char *program, int file_fd)
{
    for (size_t i = 0; i < COUNT_OF(libraries); i++) {
        if (!allow_path(ruleset, libraries[i], may_run))
            return false;
    }
    return allow_path(ruleset, "/etc/ld.so.cache", may_read) &&
           (program == NULL || allow_path(ruleset, program, may_run)) &&
           (file_fd < 0 || allow_fd(ruleset, file_fd, may_read)) &&
           syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
}

bool probe_landlock_enter(const char *program, int file_fd)
{
    long version =
        syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct rights rights = refusable(version);
    int ruleset = -1;

    if (version >= 1)
        ruleset = (int)syscall(SYS_landlock_create_ruleset, &rights, sizeof(rights), 0);
    if (ruleset < 0) {
        (void)fprintf(stderr, "this kernel has no Landlock: %s\n", strerror(errno));
        return false;
    }
    bool entered = enter(ruleset, program, file_fd);

    if (!entered)
        (void)fprintf(stderr, "Landlock: %s\n", strerror(errno));
    (void)close(ruleset);
    return entered;
}
