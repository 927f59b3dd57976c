/* SPDX-License-Identifier: Apache-2.0 */
/* Mutexes that know their holder, conditions on the monotonic clock, threads
 * with a name and a chosen stack. */
#include "base/base.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <time.h>

void lock_init(struct lock *lock)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&lock->mutex, NULL);
    (void)pthread_cond_init(&lock->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    lock->held = false;
}

void lock_fini(struct lock *lock)
{
    (void)pthread_cond_destroy(&lock->changed);
    (void)pthread_mutex_destroy(&lock->mutex);
}

void lock_take(struct lock *lock)
{
    ASSERT(pthread_mutex_lock(&lock->mutex) == 0);
    lock->owner = pthread_self();
    lock->held = true;
}

void lock_drop(struct lock *lock)
{
    lock_assert_held(lock);
    lock->held = false;
    (void)pthread_mutex_unlock(&lock->mutex);
}

void lock_assert_held(const struct lock *lock)
{
    ASSERT(lock->held && pthread_equal(lock->owner, pthread_self()));
}

bool lock_wait(struct lock *lock, int64_t mono_deadline_us)
{
    struct timespec until = {.tv_sec = mono_deadline_us / 1000000,
                             .tv_nsec = mono_deadline_us % 1000000 * 1000};
    int rc;

    lock_assert_held(lock);
    lock->held = false;
    if (mono_deadline_us == INT64_MAX)
        rc = pthread_cond_wait(&lock->changed, &lock->mutex);
    else
        rc = pthread_cond_timedwait(&lock->changed, &lock->mutex, &until);
    lock->owner = pthread_self();
    lock->held = true;
    return rc != ETIMEDOUT;
}

void lock_signal(struct lock *lock)
{
    (void)pthread_cond_broadcast(&lock->changed);
}

enum err_code lock_thread(pthread_t *ret_thread, const char *name, size_t stack_bytes,
                          void *(*run)(void *), void *ctx, struct err *err)
{
    pthread_attr_t attr;
    sigset_t all, before;
    int rc;

    (void)pthread_attr_init(&attr);
    if (stack_bytes < (size_t)PTHREAD_STACK_MIN)
        stack_bytes = (size_t)PTHREAD_STACK_MIN;
    (void)pthread_attr_setstacksize(&attr, stack_bytes);
    /* Signals are the main thread's business. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(ret_thread, &attr, run, ctx);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    if (rc != 0)
        return err_detail(err, ERR_INTERNAL, "pthread_create %s: %s", name, strerror(rc));
    (void)pthread_setname_np(*ret_thread, name);
    return ERR_OK;
}
