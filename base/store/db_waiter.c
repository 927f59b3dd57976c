/* SPDX-License-Identifier: Apache-2.0 */
/* One waiting thread and a word that it sleeps on: every answered request passes here, and
 * a mutex with a condition costs a third more of what waiting costs. */
#include "base/store/db_private.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void db_waiter_init(struct db_waiter *waiter, size_t wakes)
{
    ASSERT(wakes <= UINT32_MAX);
    atomic_init(&waiter->left, (uint32_t)wakes);
}

bool db_waiter_wait(struct db_waiter *waiter, int64_t mono_deadline_us)
{
    struct timespec until = {.tv_sec = mono_deadline_us / 1000000,
                             .tv_nsec = mono_deadline_us % 1000000 * 1000};
    uint32_t left;

    while ((left = atomic_load(&waiter->left)) > 0) {
        long rc = syscall(SYS_futex, &waiter->left, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
                          left, mono_deadline_us == INT64_MAX ? NULL : &until, NULL,
                          FUTEX_BITSET_MATCH_ANY);

        if (rc != 0 && errno == ETIMEDOUT)
            return atomic_load(&waiter->left) == 0;
    }
    return true;
}

void db_waiter_wake(struct db_waiter *waiter)
{
    const void *word = &waiter->left;

    /* From here on the waiter may be gone: what is woken by its address then takes a look
     * and sleeps on, as all who sleep on a futex do. */
    if (atomic_fetch_sub(&waiter->left, 1) == 1)
        (void)syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}
