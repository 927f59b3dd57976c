/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that finds out what nobody answered: expires sends without an outcome,
 * scans accounts that have any, and ends what is open too long. Of several gateways each
 * does what it has the lease for. */
#include "gateway/upstream/scan.h"

#include <stdlib.h>

enum {
    TICK_US = 500000,
    SWEEP_US = 60000000, /* overdue tasks, outdated keys */
    JOB_STACK_BYTES = 512 * 1024
};

/* When an account is scanned next (monotonic): back to its oldest unknown attempt
 * often, back to the oldest released one now and then. */
struct plan {
    int64_t account_id, scan_at_us, watch_at_us;
};

struct reconciler {
    struct ark *ark;
    struct lock lock;
    pthread_t thread;
    bool started, stopping;
    int64_t sweep_at_us; /* monotonic */
    struct plan plans[ARK_ACCOUNTS_MAX];
    size_t plan_count;
};

static struct plan *plan_of(struct reconciler *reconciler, int64_t account_id)
{
    for (size_t i = 0; i < reconciler->plan_count; i++) {
        if (reconciler->plans[i].account_id == account_id)
            return &reconciler->plans[i];
    }
    if (reconciler->plan_count == ARK_ACCOUNTS_MAX)
        return NULL;
    reconciler->plans[reconciler->plan_count] = (struct plan){.account_id = account_id};
    return &reconciler->plans[reconciler->plan_count++];
}

static bool find_account(struct ark *ark, int64_t account_id,
                         struct upstream_account *ret_account)
{
    struct upstream_account accounts[ARK_ACCOUNTS_MAX];
    size_t count = directory_accounts(ark->directory, accounts);

    for (size_t i = 0; i < count; i++) {
        if (accounts[i].id == account_id) {
            *ret_account = accounts[i];
            return true;
        }
    }
    return false;
}

static void log_failure(const char *event, const struct err *err)
{
    LOG(LOG_WARN, event, LOG_TEXT("error", err_name(err->code)), LOG_TEXT("message", err->msg),
        LOG_TEXT("detail", err->detail));
}

static void scan_one(struct reconciler *reconciler, int64_t account_id, int64_t since_us)
{
    struct ark *ark = reconciler->ark;
    struct upstream_account account;
    int64_t term = lease_term(ark->leases, account_id);
    struct err err = {0};
    struct scan *scan;

    /* Without a credential nothing can be asked; its attempts stay unknown. */
    if (term == 0 || !find_account(ark, account_id, &account))
        return;
    scan = calloc(1, sizeof(*scan));
    if (scan == NULL)
        return;
    enum err_code rc = scan_account(ark, &account, since_us, scan, &err);

    /* Two gateways' looks at the same moment would count for two. */
    if (rc == ERR_OK && lease_term(ark->leases, account_id) != term)
        rc = err_set(&err, ERR_BUSY, "the account is another gateway's now");
    if (rc == ERR_OK)
        rc = adopt_scan(ark->service, account.id, scan->started_us, scan->tasks, scan->count,
                        &err);
    if (rc != ERR_OK)
        log_failure("scan_incomplete", &err);
    scan_fini(scan);
    free(scan);
}

static void scan_due(struct reconciler *reconciler)
{
    const struct ark_settings *settings = &reconciler->ark->settings;
    struct adopt_work work[ARK_ACCOUNTS_MAX];
    struct err err = {0};
    size_t count = 0;

    if (adopt_pending(reconciler->ark->service, work, COUNT_OF(work), &count, &err) != ERR_OK) {
        log_failure("reconcile_failed", &err);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct plan *plan = plan_of(reconciler, work[i].account_id);
        int64_t now_us = sys_mono_us();

        if (plan == NULL || lease_term(reconciler->ark->leases, work[i].account_id) == 0)
            continue;
        if (now_us >= plan->watch_at_us) {
            scan_one(reconciler, work[i].account_id, work[i].since_us);
            plan->watch_at_us = sys_mono_us() + settings->watch_scan_us;
        } else if (work[i].unknown_since_us != 0 && now_us >= plan->scan_at_us) {
            scan_one(reconciler, work[i].account_id, work[i].unknown_since_us);
        } else {
            continue;
        }
        plan->scan_at_us = sys_mono_us() + settings->scan_us;
    }
}

static void sweep(struct reconciler *reconciler)
{
    struct err err = {0};

    if (!lease_sweeps(reconciler->ark->leases))
        return;
    if (expire_sends(reconciler->ark->service, false, &err) != ERR_OK)
        log_failure("expire_failed", &err);
    if (sys_mono_us() < reconciler->sweep_at_us)
        return;
    reconciler->sweep_at_us = sys_mono_us() + SWEEP_US;
    if (settle_overdue(reconciler->ark->service, &err) != ERR_OK)
        log_failure("overdue_failed", &err);
    if (expire_keys(reconciler->ark->service, &err) != ERR_OK)
        log_failure("key_sweep_failed", &err);
}

static void *run(void *ctx)
{
    struct reconciler *reconciler = ctx;

    lock_take(&reconciler->lock);
    while (!reconciler->stopping) {
        lock_drop(&reconciler->lock);
        sweep(reconciler);
        scan_due(reconciler);
        lock_take(&reconciler->lock);
        if (!reconciler->stopping)
            (void)lock_wait(&reconciler->lock, sys_mono_us() + TICK_US);
    }
    lock_drop(&reconciler->lock);
    return NULL;
}

enum err_code reconciler_start(struct ark *ark, struct reconciler **ret_reconciler,
                               struct err *err)
{
    struct reconciler *reconciler = calloc(1, sizeof(*reconciler));

    if (reconciler == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    reconciler->ark = ark;
    lock_init(&reconciler->lock);
    enum err_code rc =
        lock_thread(&reconciler->thread, "reconciler", JOB_STACK_BYTES, run, reconciler, err);
    reconciler->started = rc == ERR_OK;
    if (rc != ERR_OK) {
        reconciler_stop(&reconciler);
        return rc;
    }
    *ret_reconciler = reconciler;
    return ERR_OK;
}

void reconciler_halt(struct reconciler *reconciler)
{
    lock_take(&reconciler->lock);
    reconciler->stopping = true;
    lock_signal(&reconciler->lock);
    lock_drop(&reconciler->lock);
}

void reconciler_stop(struct reconciler **reconciler_ref)
{
    struct reconciler *reconciler = *reconciler_ref;

    if (reconciler == NULL)
        return;
    reconciler_halt(reconciler);
    if (reconciler->started)
        (void)pthread_join(reconciler->thread, NULL);
    lock_fini(&reconciler->lock);
    free(reconciler);
    *reconciler_ref = NULL;
}
