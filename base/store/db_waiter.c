/* SPDX-License-Identifier: Apache-2.0 */
/* One waiting thread and its private condition. A shared condition would wake
 * every waiting request for each one that is answered. */
#include "base/store/db_private.h"

void db_waiter_init(struct db_waiter *waiter, size_t wakes)
{
    lock_init(&waiter->lock);
    waiter->left = wakes;
}

void db_waiter_fini(struct db_waiter *waiter)
{
    lock_fini(&waiter->lock);
}

bool db_waiter_wait(struct db_waiter *waiter, int64_t mono_deadline_us)
{
    bool in_time = true;

    lock_take(&waiter->lock);
    while (waiter->left > 0 && in_time)
        in_time = lock_wait(&waiter->lock, mono_deadline_us);
    bool woken = waiter->left == 0;
    lock_drop(&waiter->lock);
    return woken;
}

void db_waiter_wake(struct db_waiter *waiter)
{
    lock_take(&waiter->lock);
    if (--waiter->left == 0)
        lock_signal(&waiter->lock);
    lock_drop(&waiter->lock);
}
