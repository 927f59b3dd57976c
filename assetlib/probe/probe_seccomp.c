/* SPDX-License-Identifier: Apache-2.0 */
/* Which system calls a tool can make: a filter that refuses with EPERM what no decoder
 * needs and what would reach beyond its own process. A list of what is refused, since the
 * calls of a hundred libraries change with every update; calls younger than this list do
 * not exist for the tool. Files it may open are the other half: probe_landlock.c. */
#include "assetlib/probe/probe_private.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__AARCH64EL__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "arkgate-probe knows the system calls of x86_64 and of little-endian aarch64"
#endif

/* The last call of Linux 6.1, for both architectures: their numbers are one since 424.
 * On x86_64 the calls of the x32 ABI are above it as well. */
enum { YOUNGEST = 450 };

/* Their flags are where a filter cannot see them. The C library falls back to clone and
 * openat. */
static const int unseen[] = {SYS_clone3, SYS_openat2};

/* clang-format off */
static const int refused[] = {
    /* other machines and processes, by sockets */
    SYS_socket, SYS_socketpair, SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4,
    SYS_sendto, SYS_sendmsg, SYS_sendmmsg, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg,
    /* other processes: their birth, their memory, their descriptors, their lives */
    SYS_clone,
#if defined(__x86_64__)
    SYS_fork, SYS_vfork,
#endif
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_process_madvise,
    SYS_process_mrelease, SYS_kcmp, SYS_pidfd_open, SYS_pidfd_getfd, SYS_pidfd_send_signal,
    SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_fcntl,
    SYS_prlimit64, SYS_setpriority, SYS_ioprio_set, SYS_sched_setaffinity, SYS_sched_setattr,
    SYS_sched_setparam, SYS_sched_setscheduler, SYS_migrate_pages, SYS_move_pages, SYS_setpgid,
    SYS_setsid,
    /* what outlives the process */
    SYS_shmget, SYS_shmat, SYS_shmctl, SYS_shmdt, SYS_msgget, SYS_msgsnd, SYS_msgrcv,
    SYS_msgctl, SYS_semget, SYS_semop, SYS_semtimedop, SYS_semctl, SYS_mq_open, SYS_mq_unlink,
    SYS_add_key, SYS_request_key, SYS_keyctl,
    /* files: what Landlock leaves open, of some versions or all */
    SYS_openat, SYS_truncate, SYS_ftruncate, SYS_fchmod, SYS_fchmodat, SYS_fchown,
    SYS_fchownat, SYS_utimensat, SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, SYS_removexattr,
    SYS_lremovexattr, SYS_fremovexattr, SYS_name_to_handle_at, SYS_open_by_handle_at,
    SYS_fanotify_init, SYS_fanotify_mark, SYS_inotify_add_watch,
#if defined(__x86_64__)
    SYS_open, SYS_creat, SYS_chmod, SYS_chown, SYS_lchown, SYS_utime, SYS_utimes,
    SYS_futimesat,
#endif
    /* the system */
    SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_move_mount, SYS_open_tree, SYS_fsopen,
    SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_pivot_root, SYS_chroot,
    SYS_swapon, SYS_swapoff, SYS_quotactl, SYS_quotactl_fd, SYS_acct, SYS_syslog, SYS_reboot,
    SYS_kexec_load, SYS_kexec_file_load, SYS_init_module, SYS_finit_module, SYS_delete_module,
    SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_sethostname,
    SYS_setdomainname, SYS_vhangup, SYS_personality,
#if defined(__x86_64__)
    SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
    /* parts of the kernel that are attacked most */
    SYS_ioctl, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup,
    SYS_io_uring_enter, SYS_io_uring_register, SYS_io_setup, SYS_io_submit, SYS_vmsplice,
};
/* clang-format on */

/* A refused call passes all the same when these bits of an argument are so. The filter
 * looks at the argument's lower half, and so does the kernel in each of these calls. */
struct exception {
    int call;
    unsigned argument;
    uint32_t bits, are;
};

struct program {
    struct sock_filter items[BPF_MAXINSNS]; /* no kernel takes more */
    unsigned short len;
};

static void put(struct program *program, struct sock_filter item)
{
    if (program->len < COUNT_OF(program->items))
        program->items[program->len++] = item;
}

static void load(struct program *program, size_t offset)
{
    put(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void answer(struct program *program, uint32_t action)
{
    put(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* The next skip items are passed over unless the loaded number compares so. */
static void unless(struct program *program, uint16_t compare, uint32_t with, uint8_t skip)
{
    put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | compare | BPF_K, with, 0, skip));
}

static void allow(struct program *program, const struct exception *that)
{
    load(program, offsetof(struct seccomp_data, nr));
    unless(program, BPF_JEQ, (uint32_t)that->call, 4);
    load(program, offsetof(struct seccomp_data, args) + that->argument * sizeof(uint64_t));
    put(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, that->bits));
    unless(program, BPF_JEQ, that->are, 1);
    answer(program, SECCOMP_RET_ALLOW);
}

static void fill(struct program *program, bool opens_stdout)
{
    const uint32_t all = UINT32_MAX, how = O_ACCMODE | O_CREAT | O_TRUNC;
    const struct exception exceptions[] = {
        /* Nothing is opened to be written but stdout, as fopen does. Any other file Landlock
         * refuses then: that right it has had from its first version. */
        {SYS_openat, 2, how, opens_stdout ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY},
        {SYS_openat, 2, how, O_RDONLY},
#if defined(__x86_64__)
        {SYS_open, 1, how, O_RDONLY},
#endif
        /* threads */
        {SYS_clone, 0, CLONE_THREAD, CLONE_THREAD},
        /* abort signals itself, and limits are asked for as those of process 0. The tool
         * keeps this process's number. */
        {SYS_tgkill, 0, all, (uint32_t)getpid()},
        {SYS_prlimit64, 0, all, 0},
        /* F_SETOWN and F_SETSIG would have the kernel signal others. */
        {SYS_fcntl, 1, all, F_DUPFD},
        {SYS_fcntl, 1, all, F_DUPFD_CLOEXEC},
        {SYS_fcntl, 1, all, F_GETFD},
        {SYS_fcntl, 1, all, F_SETFD},
        {SYS_fcntl, 1, all, F_GETFL},
        {SYS_fcntl, 1, all, F_SETFL},
    };

    load(program, offsetof(struct seccomp_data, arch));
    put(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
    answer(program, SECCOMP_RET_KILL_PROCESS);

    load(program, offsetof(struct seccomp_data, nr));
    unless(program, BPF_JGT, YOUNGEST, 1);
    answer(program, SECCOMP_RET_ERRNO | ENOSYS);
    for (size_t i = 0; i < COUNT_OF(unseen); i++) {
        unless(program, BPF_JEQ, (uint32_t)unseen[i], 1);
        answer(program, SECCOMP_RET_ERRNO | ENOSYS);
    }
    for (size_t i = 0; i < COUNT_OF(exceptions); i++)
        allow(program, &exceptions[i]);
    load(program, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        unless(program, BPF_JEQ, (uint32_t)refused[i], 1);
        answer(program, SECCOMP_RET_ERRNO | EPERM);
    }
    answer(program, SECCOMP_RET_ALLOW);
}

bool probe_seccomp_enter(bool opens_stdout)
{
    struct program program = {.len = 0};
    struct sock_fprog filter = {.filter = program.items};

    fill(&program, opens_stdout);
    filter.len = program.len;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0)
        return true;
    (void)fprintf(stderr, "this kernel has no seccomp filters: %s\n", strerror(errno));
    return false;
}
