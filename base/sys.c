/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that reads clocks and randomness and that knows fault points.
 * Test builds can move the wall clock and fail or die at named places; release
 * builds contain none of that. */
#include "base/base.h"

#include <errno.h>
#include <sodium.h>
#include <stdatomic.h>
#include <time.h>

#ifdef ARKGATE_TEST
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#endif

static int64_t clock_us(clockid_t clock)
{
    struct timespec at;

    (void)clock_gettime(clock, &at);
    return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

int64_t sys_mono_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

#ifdef ARKGATE_TEST
struct clock_file {
    const char *variable; /* names the file */
    _Atomic int64_t offset_us, next_look_us;
};

/* The time for every gateway, and an error of this machine's clock alone. */
static struct clock_file moved_clock = {"ARKGATE_CLOCK", 0, 0};
static struct clock_file wrong_clock = {"ARKGATE_CLOCK_SKEW", 0, 0};

/* The file holds an offset in microseconds; it is read again when the last look is older
 * than 50 ms. */
static int64_t clock_offset_us(struct clock_file *clock)
{
    const char *path = getenv(clock->variable);
    int64_t now_us = sys_mono_us();
    char text[32] = "";

    if (path == NULL || now_us < atomic_load(&clock->next_look_us))
        return atomic_load(&clock->offset_us);
    atomic_store(&clock->next_look_us, now_us + 50000);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t len = read(fd, text, sizeof(text) - 1);
        int64_t offset;

        (void)close(fd);
        if (len > 0 && str_to_i64(str_trim((struct str){text, (size_t)len}), &offset))
            atomic_store(&clock->offset_us, offset);
    }
    return atomic_load(&clock->offset_us);
}

bool sys_fault(const char *name)
{
    static _Atomic int64_t passages;
    const char *plan = getenv("ARKGATE_FAULT"); /* name:n:what */
    size_t len = strlen(name);
    char *rest;
    long nth;

    if (plan == NULL || strncmp(plan, name, len) != 0 || plan[len] != ':')
        return false;
    nth = strtol(plan + len + 1, &rest, 10);
    if (atomic_fetch_add(&passages, 1) + 1 != nth)
        return false;
    if (strcmp(rest, ":kill") == 0)
        (void)kill(getpid(), SIGKILL);
    return strcmp(rest, ":fail") == 0;
}
#endif

static _Atomic int64_t wall_base_us;

void sys_set_wall_base(int64_t base_us)
{
    atomic_store(&wall_base_us, base_us);
}

int64_t sys_boot_us(void)
{
    return clock_us(CLOCK_BOOTTIME);
}

int64_t sys_local_us(void)
{
#ifdef ARKGATE_TEST
    return clock_us(CLOCK_REALTIME) + clock_offset_us(&wrong_clock);
#else
    return clock_us(CLOCK_REALTIME);
#endif
}

int64_t sys_now_us(void)
{
    int64_t base_us = atomic_load(&wall_base_us);
    int64_t now_us = base_us != 0 ? sys_boot_us() + base_us : sys_local_us();

#ifdef ARKGATE_TEST
    now_us += clock_offset_us(&moved_clock);
#endif
    return now_us;
}

void sys_sleep_us(int64_t us)
{
    struct timespec span = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

    if (us > 0)
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL);
}

void sys_random(void *dst, size_t len)
{
    randombytes_buf(dst, len);
}

uint32_t sys_random_below(uint32_t limit)
{
    return randombytes_uniform(limit);
}

void sys_random_text(char *dst, size_t len, const char *alphabet)
{
    uint32_t letters = (uint32_t)str_from(alphabet).len;

    for (size_t i = 0; i < len; i++)
        dst[i] = alphabet[sys_random_below(letters)];
    dst[len] = '\0';
}
