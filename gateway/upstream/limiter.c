/* SPDX-License-Identifier: Apache-2.0 */
/* Ark's limits on list, GET and DELETE, kept per account by spacing calls evenly. */
#include "gateway/upstream/ark_parts.h"

#include <stdlib.h>

/* Calls are spaced 5 % wider than the limit, because two that leave a second apart
 * may arrive a little closer. */
enum { SPACING_US = 1050000 };

struct pace {
    int64_t account_id;
    int64_t next_us[LIMITER_KINDS];        /* monotonic */
    int64_t waiter_next_us[LIMITER_KINDS]; /* waiters take every second turn at most */
    int waiting[LIMITER_KINDS];
};

struct limiter {
    struct lock lock;
    struct pace paces[ARK_ACCOUNTS_MAX];
    size_t count;
    bool halted;   /* the gateway's own calls get no more turns */
    bool stopping; /* nobody does */
};

struct limiter *limiter_new(void)
{
    struct limiter *limiter = calloc(1, sizeof(*limiter));

    if (limiter != NULL)
        lock_init(&limiter->lock);
    return limiter;
}

void limiter_free(struct limiter **limiter)
{
    if (*limiter == NULL)
        return;
    lock_fini(&(*limiter)->lock);
    free(*limiter);
    *limiter = NULL;
}

/* Accounts come and go with their credentials: the place of one that nobody waits
 * for and that was called longest ago. No more than ARK_ACCOUNTS_MAX are in use. */
static struct pace *least_busy_locked(struct limiter *limiter)
{
    struct pace *least = NULL;

    for (size_t i = 0; i < limiter->count; i++) {
        struct pace *pace = &limiter->paces[i];
        bool waited_for = false;

        for (int kind = 0; kind < LIMITER_KINDS; kind++)
            waited_for |= pace->waiting[kind] > 0;
        if (!waited_for &&
            (least == NULL || pace->next_us[LIMITER_LIST] < least->next_us[LIMITER_LIST]))
            least = pace;
    }
    ASSERT(least != NULL);
    return least;
}

static struct pace *pace_locked(struct limiter *limiter, int64_t account_id)
{
    struct pace *place;

    lock_assert_held(&limiter->lock);
    for (size_t i = 0; i < limiter->count; i++) {
        if (limiter->paces[i].account_id == account_id)
            return &limiter->paces[i];
    }
    if (limiter->count < COUNT_OF(limiter->paces))
        place = &limiter->paces[limiter->count++];
    else
        place = least_busy_locked(limiter);
    *place = (struct pace){.account_id = account_id};
    return place;
}

static int64_t spacing_us(const struct upstream_account *account, enum limiter_kind kind)
{
    const int64_t qps[LIMITER_KINDS] = {account->list_qps, account->get_qps,
                                        account->delete_qps};

    return SPACING_US / (qps[kind] > 0 ? qps[kind] : 1);
}

bool limiter_try(struct limiter *limiter, const struct upstream_account *account,
                 enum limiter_kind kind)
{
    int64_t now_us = sys_mono_us();
    bool allowed;

    lock_take(&limiter->lock);
    struct pace *pace = pace_locked(limiter, account->id);

    allowed = !limiter->halted && now_us >= pace->next_us[kind] &&
              (pace->waiting[kind] == 0 || now_us < pace->waiter_next_us[kind]);
    if (allowed)
        pace->next_us[kind] = now_us + spacing_us(account, kind);
    lock_drop(&limiter->lock);
    return allowed;
}

static int64_t turn_us(const struct pace *pace, enum limiter_kind kind)
{
    return pace->next_us[kind] > pace->waiter_next_us[kind] ? pace->next_us[kind]
                                                            : pace->waiter_next_us[kind];
}

/* stop is one of the limiter's. */
static bool wait_turn(struct limiter *limiter, const struct upstream_account *account,
                      enum limiter_kind kind, int64_t deadline_us, const bool *stop)
{
    bool allowed;

    lock_take(&limiter->lock);
    struct pace *pace = pace_locked(limiter, account->id);

    pace->waiting[kind]++;
    while (!*stop && sys_mono_us() < deadline_us && sys_mono_us() < turn_us(pace, kind))
        (void)lock_wait(&limiter->lock,
                        turn_us(pace, kind) < deadline_us ? turn_us(pace, kind) : deadline_us);
    pace->waiting[kind]--;
    allowed = !*stop && sys_mono_us() < deadline_us;
    if (allowed) {
        pace->next_us[kind] = sys_mono_us() + spacing_us(account, kind);
        pace->waiter_next_us[kind] = pace->next_us[kind] + spacing_us(account, kind) / 2;
    }
    lock_drop(&limiter->lock);
    return allowed;
}

bool limiter_wait_until(struct limiter *limiter, const struct upstream_account *account,
                        enum limiter_kind kind, int64_t deadline_us)
{
    return wait_turn(limiter, account, kind, deadline_us, &limiter->stopping);
}

bool limiter_wait(struct limiter *limiter, const struct upstream_account *account,
                  enum limiter_kind kind)
{
    return wait_turn(limiter, account, kind, INT64_MAX, &limiter->halted);
}

void limiter_halt(struct limiter *limiter)
{
    lock_take(&limiter->lock);
    limiter->halted = true;
    lock_signal(&limiter->lock);
    lock_drop(&limiter->lock);
}

void limiter_stop(struct limiter *limiter)
{
    lock_take(&limiter->lock);
    limiter->halted = limiter->stopping = true;
    lock_signal(&limiter->lock);
    lock_drop(&limiter->lock);
}
