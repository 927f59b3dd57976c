/* SPDX-License-Identifier: Apache-2.0 */
/* Which accounts the poller looks after, by the leases, and their open tasks as the
 * database has them: all when an account becomes ours or the settings change, then, of
 * several gateways, again and again what came in through the others. */
#include "gateway/upstream/poller_parts.h"

enum {
    PAGE = 1000,
    /* So long after one look at the tasks begins the next, and if they are many, a fiftieth
     * of the time is for looking. */
    PAUSE_US = 1000000,
    FEW = 1000,
    SHARE = 50,
    AGAIN_US = 1000000 /* after a failure */
};

/* What calls in flight hold is forgotten when they end. */
static void forget_locked(struct poll_account *account)
{
    struct poll_entry *entry;

    while ((entry = poll_set_take(&account->open, INT64_MAX)) != NULL)
        poll_set_drop(&account->open, entry);
    while (account->wants_get_count > 0)
        poll_set_drop(&account->open, account->wants_get[--account->wants_get_count]);
}

struct reload {
    struct poller *poller;
    int64_t account_id, after;
    size_t count; /* written by the closure */
};

static enum err_code watch_row(const struct task_open *open, void *ctx, struct err *err)
{
    struct reload *reload = ctx;

    (void)err;
    reload->after = open->id;
    reload->count++;
    poller_watch(reload->poller, reload->account_id, open->upstream_id, open->created_us,
                 open->missing);
    return ERR_OK;
}

static enum err_code read_open(struct db_conn *conn, void *ctx, struct err *err)
{
    struct reload *reload = ctx;

    reload->count = 0;
    return task_view_open(conn, reload->account_id, reload->after, PAGE, watch_row, reload,
                          err);
}

/* When a reading that has come to its end is due again. Alone, when the directory changes:
 * all tasks come in through this process. */
static int64_t next_reading_us(const struct poller *poller, const struct poll_reading *reading)
{
    int64_t now_us = sys_mono_us();
    int64_t next_us = reading->began_us + PAUSE_US;
    int64_t rest_us = reading->rows <= FEW ? reading->took_us : reading->took_us * SHARE;

    if (!poller->ark->shared)
        return INT64_MAX;
    return next_us > now_us + rest_us ? next_us : now_us + rest_us;
}

/* Takes in the next page of the account's open tasks; what is watched already stays as it
 * is. */
static enum err_code read_page(struct poller *poller, struct poll_account *account,
                               struct err *err)
{
    struct poll_reading *reading = &account->reading;
    struct reload reload = {
        .poller = poller, .account_id = account->limits.id, .after = reading->after};
    int64_t began_us = sys_mono_us();

    if (reading->rows == 0)
        reading->began_us = began_us;
    enum err_code rc = db_read_one(poller->ark->db, read_open, &reload, err);

    if (rc != ERR_OK) {
        reading->due_us = sys_mono_us() + AGAIN_US;
        return rc;
    }
    reading->after = reload.after;
    reading->rows += reload.count;
    reading->took_us += sys_mono_us() - began_us;
    if (reload.count < PAGE)
        *reading = (struct poll_reading){.due_us = next_reading_us(poller, reading)};
    return ERR_OK;
}

/* The account at a place of the list, if it is ours and its open tasks are to be read. */
static struct poll_account *due_account(struct poller *poller, size_t at, bool *ret_end)
{
    struct poll_account *account;

    lock_take(&poller->lock);
    *ret_end = at >= poller->account_count;
    account = *ret_end ? NULL : poller->accounts[at];
    lock_drop(&poller->lock);
    return account != NULL && account->term != 0 && sys_mono_us() >= account->reading.due_us
               ? account
               : NULL;
}

/* Whoever had it in between knows what happened; we read it all anew. */
void poller_follow_lease_locked(struct poller *poller, struct poll_account *account)
{
    int64_t term = lease_term(poller->ark->leases, account->limits.id);

    lock_assert_held(&poller->lock);
    if (term == 0)
        forget_locked(account);
    if (term == account->term)
        return;
    account->term = term;
    account->quiet_until_us = account->backoff_us = 0;
    account->reading = (struct poll_reading){0};
}

/* Takes over limits; every open task is to be read. */
void poller_take_accounts(struct poller *poller)
{
    struct upstream_account accounts[ARK_ACCOUNTS_MAX];
    size_t count = directory_accounts(poller->ark->directory, accounts);

    lock_take(&poller->lock);
    for (size_t i = 0; i < count; i++) {
        struct poll_account *account = poller_account_locked(poller, accounts[i].id);

        if (account == NULL)
            continue;
        account->limits = accounts[i];
        poller_follow_lease_locked(poller, account);
        account->reading = (struct poll_reading){0};
    }
    lock_drop(&poller->lock);
}

/* All pages of all accounts that are ours, before anything else happens. */
enum err_code poller_read_all(struct poller *poller, struct err *err)
{
    bool end = false;

    for (size_t i = 0; !end; i++) {
        struct poll_account *account = due_account(poller, i, &end);

        if (account == NULL)
            continue;
        do {
            TRY(read_page(poller, account, err));
        } while (account->reading.rows > 0);
    }
    return ERR_OK;
}

/* One page of each account that is due; true when there is more to be read at once. */
bool poller_read_due(struct poller *poller)
{
    bool more = false, end = false;

    for (size_t i = 0; !end; i++) {
        struct poll_account *account = due_account(poller, i, &end);
        struct err err = {0};

        if (account == NULL)
            continue;
        enum err_code rc = read_page(poller, account, &err);

        poller_log_refresh(poller->tasks_said, "open tasks", rc, &err);
        more = more || (rc == ERR_OK && account->reading.rows > 0);
    }
    return more;
}
