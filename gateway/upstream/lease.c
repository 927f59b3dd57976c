/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several gateways on one database does what is to be done once: it holds leases,
 * renewed in time, by rows that all of them agree on. What a holder does with a lease is
 * not decided here; that it ends in time is, whether or not the database answers. */
#include "gateway/upstream/ark_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARTS_MAX = 2 + 2 * ARK_ACCOUNTS_MAX, /* also those whose accounts have just gone */
    STACK_BYTES = 256 << 10
};
/* Rows of gateways that did not say good-bye are kept so long, for who wonders. */
#define FORGET_US (INT64_C(86400) * 1000000)

/* Fractions of a lease. The holder stops so long before the others may begin, for their
 * clocks may differ from his by as much as pg_clock.c lets pass. */
static int64_t margin_us(int64_t lease_us)
{
    return lease_us / 5;
}

static int64_t renew_us(int64_t lease_us)
{
    return lease_us * 3 / 10;
}

/* After a renewal that failed: a few more are tried while the lease holds. */
static int64_t again_us(int64_t lease_us)
{
    return lease_us / 10;
}

/* A lease that this gateway has or would have. */
struct part {
    char name[LEASE_NAME_MAX + 1];
    struct upstream_account account; /* id 0: it is for no account */
    bool listed;                     /* the account is one of the directory's */
    /* When it ends for us, by two clocks, for a machine that slept has one that stood
     * still; 0: not held. */
    int64_t mono_until_us, wall_until_us;
    int64_t term;
};

struct leases {
    struct lease_options options;
    char holder[LEASE_HOLDER_MAX + 1];
    pthread_t thread;
    bool started;
    bool failing; /* the last tick did; the ticking thread alone, as the order of parts is */
    bool ticked;
    struct lock lock; /* guards everything below; taken after the poller's */
    bool halted, stopping;
    bool halt_told; /* the others know */
    int64_t terms;
    struct part parts[PARTS_MAX];
    size_t part_count;
};

static void add_part(struct leases *leases, const char *name,
                     const struct upstream_account *account)
{
    struct part part = {.listed = true};

    str_copy_cut(part.name, sizeof(part.name), str_from(name));
    if (account != NULL)
        part.account = *account;
    leases->parts[leases->part_count++] = part;
}

struct leases *lease_new(const struct lease_options *options)
{
    struct leases *leases = calloc(1, sizeof(*leases));
    uint8_t holder[LEASE_HOLDER_MAX / 2];
    char name[LEASE_NAME_MAX + 1];

    if (leases == NULL)
        return NULL;
    leases->options = *options;
    lock_init(&leases->lock);
    sys_random(holder, sizeof(holder));
    str_hex(leases->holder, holder, sizeof(holder));
    (void)snprintf(name, sizeof(name), "gateway:%s", leases->holder);
    add_part(leases, name, NULL);
    add_part(leases, "sweep", NULL);
    return leases;
}

/* ---- one tick --------------------------------------------------------------------- */

/* What is asked of the database, and what it said; a claim for each part. */
struct tick {
    struct lease_claim claims[PARTS_MAX];
    bool wanted[PARTS_MAX]; /* else it is released */
    bool taken[PARTS_MAX];  /* written by the closure */
    size_t count;
    int64_t forget_us; /* 0: nothing */
    int64_t mono_us, now_us;
};

/* True for what tells that this gateway runs, which stays until the end. */
static bool is_presence(const struct leases *leases, const struct part *part)
{
    return part == &leases->parts[0];
}

static bool is_wanted_locked(const struct leases *leases, const struct part *part)
{
    if (leases->stopping)
        return false;
    return is_presence(leases, part) || (!leases->halted && part->listed);
}

static bool is_held_locked(const struct part *part)
{
    return sys_mono_us() < part->mono_until_us && sys_now_us() < part->wall_until_us;
}

static struct part *find_locked(struct leases *leases, int64_t account_id)
{
    lock_assert_held(&leases->lock);
    for (size_t i = 0; i < leases->part_count; i++) {
        if (leases->parts[i].account.id == account_id)
            return &leases->parts[i];
    }
    return NULL;
}

/* Accounts come and go with their credentials. */
static void follow_directory_locked(struct leases *leases,
                                    const struct upstream_account *accounts, size_t count)
{
    for (size_t i = 0; i < leases->part_count; i++)
        leases->parts[i].listed = leases->parts[i].account.id == 0;
    for (size_t i = 0; i < count && !leases->halted; i++) {
        struct part *part = find_locked(leases, accounts[i].id);
        char name[LEASE_NAME_MAX + 1];

        if (part != NULL) {
            part->account = accounts[i];
            part->listed = true;
        } else if (leases->part_count < PARTS_MAX) {
            (void)snprintf(name, sizeof(name), "poll:%lld", (long long)accounts[i].id);
            add_part(leases, name, &accounts[i]);
        }
    }
}

/* What is given up is so from now on, not only when the others know it. */
static void prepare_locked(struct leases *leases, struct tick *tick)
{
    tick->mono_us = sys_mono_us(); /* first: it must not be later than the wall time */
    tick->now_us = sys_now_us();
    tick->count = leases->part_count;
    tick->forget_us = leases->ticked ? 0 : tick->now_us - FORGET_US;
    for (size_t i = 0; i < tick->count; i++) {
        struct part *part = &leases->parts[i];

        tick->wanted[i] = is_wanted_locked(leases, part);
        if (!tick->wanted[i])
            part->mono_until_us = part->wall_until_us = 0;
        tick->claims[i] =
            (struct lease_claim){.holder = leases->holder,
                                 .schema = db_schema_version(),
                                 .now_us = tick->now_us,
                                 .until_us = tick->now_us + leases->options.lease_us};
        memcpy(tick->claims[i].name, part->name, sizeof(part->name));
    }
}

static enum err_code write_tick(struct db_conn *conn, void *ctx, struct err *err)
{
    struct tick *tick = ctx;

    if (tick->forget_us != 0)
        TRY(lease_repo_forget(conn, tick->forget_us, err));
    for (size_t i = 0; i < tick->count; i++) {
        const struct lease_claim *claim = &tick->claims[i];

        if (tick->wanted[i])
            TRY(lease_repo_take(conn, claim, &tick->taken[i], err));
        else
            TRY(lease_repo_release(conn, claim->name, claim->holder, err));
    }
    return ERR_OK;
}

static void hold_locked(struct leases *leases, struct part *part, const struct tick *tick)
{
    int64_t for_us = leases->options.lease_us - margin_us(leases->options.lease_us);
    bool held = is_held_locked(part);

    part->mono_until_us = tick->mono_us + for_us;
    part->wall_until_us = tick->now_us + for_us;
    if (held || !is_held_locked(part)) /* or the database was too slow to tell */
        return;
    part->term = ++leases->terms;
    if (part->account.id != 0)
        limiter_rest(leases->options.limiter, &part->account);
    LOG(LOG_INFO, "lease_taken", LOG_TEXT("name", part->name));
}

static void publish_locked(struct leases *leases, const struct tick *tick)
{
    for (size_t i = tick->count; i-- > 0;) {
        struct part *part = &leases->parts[i];

        if (!tick->wanted[i]) {
            *part = leases->parts[--leases->part_count];
            continue;
        }
        if (tick->taken[i]) {
            hold_locked(leases, part, tick);
            continue;
        }
        if (is_held_locked(part))
            LOG(LOG_WARN, "lease_lost", LOG_TEXT("name", part->name));
        part->mono_until_us = part->wall_until_us = 0;
    }
}

enum err_code lease_tick(struct leases *leases, struct err *err)
{
    struct upstream_account accounts[ARK_ACCOUNTS_MAX];
    struct tick *tick;
    size_t count;

    if (!leases->options.shared)
        return ERR_OK;
    tick = calloc(1, sizeof(*tick));
    if (tick == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for leases");
    count = directory_accounts(leases->options.directory, accounts);
    lock_take(&leases->lock);
    bool halted = leases->halted;

    follow_directory_locked(leases, accounts, count);
    prepare_locked(leases, tick);
    lock_drop(&leases->lock);
    enum err_code rc = db_write(leases->options.db, DB_LEASES, write_tick, tick, err);

    leases->ticked = true;
    lock_take(&leases->lock);
    if (rc == ERR_OK) {
        publish_locked(leases, tick);
        leases->halt_told = halted;
    }
    lock_drop(&leases->lock);
    free(tick);
    return rc;
}

/* ---- the thread ------------------------------------------------------------------- */

/* Says it once, not with every try until the database is back. */
static void tick_and_log(struct leases *leases)
{
    struct err err = {0};
    enum err_code rc = lease_tick(leases, &err);

    if (rc != ERR_OK && !leases->failing)
        LOG(LOG_WARN, "leases_not_renewed", LOG_TEXT("error", err_name(rc)),
            LOG_TEXT("message", err.msg), LOG_TEXT("detail", err.detail));
    leases->failing = rc != ERR_OK;
}

static void *run(void *ctx)
{
    struct leases *leases = ctx;
    int64_t began_us = sys_mono_us(); /* lease_start has ticked */

    lock_take(&leases->lock);
    while (!leases->stopping) {
        int64_t lease_us = leases->options.lease_us;
        int64_t next_us =
            began_us + (leases->failing ? again_us(lease_us) : renew_us(lease_us));

        while (!leases->stopping && (!leases->halted || leases->halt_told || leases->failing) &&
               lock_wait(&leases->lock, next_us))
            ;
        if (leases->stopping)
            break;
        lock_drop(&leases->lock);
        began_us = sys_mono_us();
        tick_and_log(leases);
        lock_take(&leases->lock);
    }
    lock_drop(&leases->lock);
    return NULL;
}

enum err_code lease_start(struct leases *leases, struct err *err)
{
    if (!leases->options.shared)
        return ERR_OK;
    TRY(lease_tick(leases, err));
    TRY(lock_thread(&leases->thread, "leases", STACK_BYTES, run, leases, err));
    leases->started = true;
    return ERR_OK;
}

int64_t lease_term(struct leases *leases, int64_t account_id)
{
    int64_t term = 0;

    if (!leases->options.shared)
        return 1;
    lock_take(&leases->lock);
    const struct part *part = find_locked(leases, account_id);

    if (part != NULL && !leases->halted && is_held_locked(part))
        term = part->term;
    lock_drop(&leases->lock);
    return term;
}

bool lease_sweeps(struct leases *leases)
{
    bool held = false;

    if (!leases->options.shared)
        return true;
    lock_take(&leases->lock);
    for (size_t i = 0; i < leases->part_count && !leases->halted && !held; i++)
        held = strcmp(leases->parts[i].name, "sweep") == 0 && is_held_locked(&leases->parts[i]);
    lock_drop(&leases->lock);
    return held;
}

void lease_halt(struct leases *leases)
{
    lock_take(&leases->lock);
    leases->halted = true;
    lock_signal(&leases->lock);
    lock_drop(&leases->lock);
}

void lease_free(struct leases **leases_ref)
{
    struct leases *leases = *leases_ref;

    if (leases == NULL)
        return;
    lock_take(&leases->lock);
    leases->stopping = leases->halted = true;
    lock_signal(&leases->lock);
    lock_drop(&leases->lock);
    if (leases->started)
        (void)pthread_join(leases->thread, NULL);
    if (leases->ticked)
        tick_and_log(leases);
    lock_fini(&leases->lock);
    free(leases);
    *leases_ref = NULL;
}
