/* SPDX-License-Identifier: Apache-2.0 */
/* Ark's limits on list, GET and DELETE, kept per account by spacing calls evenly. Which
 * of several gateways makes the calls that are not a client's is for lease.c. */
#include "gateway/upstream/ark_parts.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Calls are spaced 5 % wider than the limit, because two that leave a second apart
 * may arrive a little closer. */
enum {
    SPACING_US = 1050000,
    /* So late a call may leave after its slot: then as many fall into a second as the limit
     * allows, and no more. */
    LATE_MAX_US = SPACING_US - 1000000,
    /* A slot is asked for ahead, for the database takes a moment to give it. */
    AHEAD_US = 20000,
    /* At most so much later comes a list after one that was long on its way: who takes longer
     * to answer than that is not asked less often for it. */
    TRANSIT_MAX_US = 5000000
};

struct pace {
    int64_t account_id;
    int64_t next_us[LIMITER_KINDS];        /* monotonic */
    int64_t listed_us;                     /* when the last list left */
    int64_t waiter_next_us[LIMITER_KINDS]; /* waiters take every second turn at most */
    int waiting[LIMITER_KINDS];
};

struct limiter {
    struct db *shared; /* where clients take their turns; NULL: here */
    struct lock lock;
    struct pace paces[ARK_ACCOUNTS_MAX];
    size_t count;
    bool halted;              /* the gateway's own calls get no more turns */
    bool stopping;            /* nobody does */
    _Atomic int64_t ahead_us; /* shared: how far ahead the next slot is asked for */
};

struct limiter *limiter_new(struct db *shared)
{
    struct limiter *limiter = calloc(1, sizeof(*limiter));

    if (limiter == NULL)
        return NULL;
    limiter->shared = shared;
    limiter->ahead_us = AHEAD_US;
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

static void start_locked(struct pace *pace, enum limiter_kind kind, int64_t spacing)
{
    int64_t now_us = sys_mono_us();

    pace->next_us[kind] = now_us + spacing;
    if (kind == LIMITER_LIST)
        pace->listed_us = now_us;
}

static int64_t qps_of(const struct upstream_account *account, enum limiter_kind kind)
{
    const int64_t qps[LIMITER_KINDS] = {account->list_qps, account->get_qps,
                                        account->delete_qps};

    return qps[kind] > 0 ? qps[kind] : 1;
}

static int64_t spacing_us(const struct limiter *limiter, const struct upstream_account *account,
                          enum limiter_kind kind)
{
    /* Those who do not see each other have half of the GETs each. */
    int64_t sides = limiter->shared != NULL && kind == LIMITER_GET ? 2 : 1;

    return SPACING_US * sides / qps_of(account, kind);
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
        start_locked(pace, kind, spacing_us(limiter, account, kind));
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
        start_locked(pace, kind, spacing_us(limiter, account, kind));
        pace->waiter_next_us[kind] =
            pace->next_us[kind] + spacing_us(limiter, account, kind) / 2;
    }
    lock_drop(&limiter->lock);
    return allowed;
}

/* ---- clients of several gateways ------------------------------------------------- */

struct slot {
    struct pace_wish wish;
    bool taken; /* written by the closure, */
    int64_t at_us;
};

static enum err_code take_slot(struct db_conn *conn, void *ctx, struct err *err)
{
    struct slot *slot = ctx;

    return pace_repo_take(conn, &slot->wish, &slot->taken, &slot->at_us, err);
}

/* Sleeps until its moment (monotonic). False when stopped. */
static bool sleep_until(struct limiter *limiter, int64_t until_us)
{
    bool stopped;

    lock_take(&limiter->lock);
    while (!limiter->stopping && sys_mono_us() < until_us)
        (void)lock_wait(&limiter->lock, until_us);
    stopped = limiter->stopping;
    lock_drop(&limiter->lock);
    return !stopped;
}

/* Takes slots until one is not yet past when the database has given it: calls whose
 * slots it gave late must not all leave together. */
static enum err_code wait_slot(struct limiter *limiter, const struct upstream_account *account,
                               enum limiter_kind kind, int64_t deadline_us, struct err *err)
{
    struct slot slot = {.wish = {.account_id = account->id,
                                 .kind = kind,
                                 .spacing_us = spacing_us(limiter, account, kind)}};
    int64_t ahead_us = atomic_load(&limiter->ahead_us);

    for (;;) {
        int64_t mono_us = sys_mono_us(), now_us = sys_now_us();

        slot.wish.earliest_us = now_us + ahead_us;
        slot.wish.latest_us = deadline_us - mono_us < INT64_MAX - now_us
                                  ? now_us + deadline_us - mono_us
                                  : INT64_MAX;
        TRY(db_write(limiter->shared, DB_APART, take_slot, &slot, err));
        if (!slot.taken)
            return err_detail(err, ERR_BUSY, "no turn until the deadline");
        int64_t turn_us = mono_us + slot.at_us - now_us;

        if (!sleep_until(limiter, turn_us))
            return err_detail(err, ERR_BUSY, "the gateway is shutting down");
        int64_t late_us = sys_mono_us() - turn_us;

        if (late_us <= LATE_MAX_US) {
            /* What it takes to ask, for the next one; less again when it takes less. */
            atomic_store(&limiter->ahead_us,
                         ahead_us > AHEAD_US ? ahead_us - ahead_us / 8 : AHEAD_US);
            return ERR_OK;
        }
        ahead_us += 2 * late_us;
    }
}

/* ---- anybody's -------------------------------------------------------------------- */

enum err_code limiter_wait_until(struct limiter *limiter,
                                 const struct upstream_account *account, enum limiter_kind kind,
                                 int64_t deadline_us, struct err *err)
{
    struct err why = {0};

    if (limiter->shared == NULL) {
        if (wait_turn(limiter, account, kind, deadline_us, &limiter->stopping))
            return ERR_OK;
    } else if (wait_slot(limiter, account, kind, deadline_us, &why) == ERR_OK) {
        return ERR_OK;
    }
    /* Whatever it is that keeps the turns: without one nothing leaves. */
    (void)err_set(err, ERR_BUSY, "the model service takes no more calls now, try again");
    str_copy_cut(err->detail, sizeof(err->detail), str_from(why.detail));
    return ERR_BUSY;
}

bool limiter_wait(struct limiter *limiter, const struct upstream_account *account,
                  enum limiter_kind kind)
{
    return wait_turn(limiter, account, kind, INT64_MAX, &limiter->halted);
}

void limiter_listed(struct limiter *limiter, const struct upstream_account *account)
{
    int64_t now_us = sys_mono_us();

    lock_take(&limiter->lock);
    struct pace *pace = pace_locked(limiter, account->id);
    int64_t spacing = spacing_us(limiter, account, LIMITER_LIST);
    int64_t latest_us = pace->listed_us + spacing + TRANSIT_MAX_US;
    /* No wider than the limit: the call has arrived before its answer did. */
    int64_t next_us = now_us + (SPACING_US - LATE_MAX_US) / qps_of(account, LIMITER_LIST);

    if (next_us > latest_us)
        next_us = latest_us;
    if (pace->next_us[LIMITER_LIST] < next_us) {
        pace->waiter_next_us[LIMITER_LIST] += next_us - pace->next_us[LIMITER_LIST];
        pace->next_us[LIMITER_LIST] = next_us;
    }
    lock_drop(&limiter->lock);
}

void limiter_rest(struct limiter *limiter, const struct upstream_account *account)
{
    int64_t now_us = sys_mono_us();

    lock_take(&limiter->lock);
    struct pace *pace = pace_locked(limiter, account->id);

    for (int kind = LIMITER_LIST; kind <= LIMITER_GET; kind++) {
        int64_t next_us = now_us + spacing_us(limiter, account, (enum limiter_kind)kind);

        if (pace->next_us[kind] < next_us)
            pace->next_us[kind] = next_us;
    }
    lock_drop(&limiter->lock);
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
