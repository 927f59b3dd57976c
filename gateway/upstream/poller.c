/* SPDX-License-Identifier: Apache-2.0 */
/* Asking Ark after open tasks: one thread, per account a heap of due times, lists
 * of many ids within the account's limits, single GETs only where a list left
 * something open. Of an account that another gateway looks after it keeps nothing.
 * poller_answer.c takes the answers in. */
#include "gateway/upstream/poller_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_US = 50000,                /* how late a due call may start */
    REFRESH_US = 500000,            /* a change reaches a gateway within a second */
    OLDEST_PAUSE_US = 30000000,     /* an old task is asked after at least this often */
    ID_TEXT_MAX = TASK_ID_MAX + 18, /* "&filter.task_ids=" in front */
    JOB_STACK_BYTES = 512 * 1024
};

/* ---- entries ------------------------------------------------------------------- */

struct poll_account *poller_account_locked(struct poller *poller, int64_t account_id)
{
    struct poll_account *account;

    lock_assert_held(&poller->lock);
    for (size_t i = 0; i < poller->account_count; i++) {
        if (poller->accounts[i]->limits.id == account_id)
            return poller->accounts[i];
    }
    struct poll_account **grown =
        realloc(poller->accounts, (poller->account_count + 1) * sizeof(struct poll_account *));

    if (grown == NULL)
        return NULL;
    poller->accounts = grown;
    account = calloc(1, sizeof(*account));
    if (account == NULL)
        return NULL;
    /* The defaults of an account until the directory has told its own. */
    account->limits = (struct upstream_account){
        .id = account_id, .list_qps = 1, .get_qps = 20, .delete_qps = 20, .batch = 100};
    poller->accounts[poller->account_count++] = account;
    return account;
}

/* Young tasks often, old ones less so; all of a small account in every list. */
static int64_t pause_us(const struct poller *poller, const struct poll_account *account,
                        const struct poll_entry *entry)
{
    int64_t least_us = poller->ark->settings.poll_us;
    int64_t pause = (sys_now_us() - entry->created_us) / 10;

    if ((int64_t)account->open.count <= account->limits.batch || pause < least_us)
        pause = least_us;
    if (pause > OLDEST_PAUSE_US)
        pause = OLDEST_PAUSE_US;
    /* ± 10 %, so that tasks made together do not stay together. */
    return pause - pause / 10 + (int64_t)sys_random_below((uint32_t)(pause / 5 + 1));
}

void poller_put_back_locked(struct poller *poller, struct poll_account *account,
                            struct poll_entry *entry, int64_t due_us)
{
    lock_assert_held(&poller->lock);
    if (account->term == 0) {
        poll_set_drop(&account->open, entry);
        return;
    }
    entry->due_us = due_us;
    if (poll_set_put_back(&account->open, entry))
        return;
    /* Out of memory: the next reload of open tasks brings it back. */
    LOG(LOG_ERROR, "poll_entry_lost", LOG_TEXT("upstream_id", entry->upstream_id));
    poll_set_drop(&account->open, entry);
}

void poller_put_back_soon_locked(struct poller *poller, struct poll_account *account,
                                 struct poll_entry *entry)
{
    poller_put_back_locked(poller, account, entry,
                           sys_mono_us() + pause_us(poller, account, entry));
}

void poller_watch(struct poller *poller, int64_t account_id, const char *upstream_id,
                  int64_t created_us, bool missing)
{
    struct poll_entry *added = NULL;

    lock_take(&poller->lock);
    struct poll_account *account = lease_term(poller->ark->leases, account_id) != 0
                                       ? poller_account_locked(poller, account_id)
                                       : NULL;

    if (account != NULL)
        added = poll_set_add(&account->open, str_from(upstream_id), created_us,
                             sys_mono_us() + poller->ark->settings.poll_us / 2);
    if (added != NULL)
        added->missing = missing;
    lock_drop(&poller->lock);
}

/* ---- starting calls --------------------------------------------------------------- */

void poller_call_free(struct poll_call *call)
{
    net_reply_fini(&call->reply);
    directory_target_fini(&call->target);
    free(call->url);
    free(call);
}

/* On the loop's thread: hands the reply over, nothing else. */
static void call_done(void *ctx, struct net_reply *reply)
{
    struct poll_call *call = ctx;
    struct poller *poller = call->poller;

    call->reply = *reply;
    *reply = (struct net_reply){0};
    lock_take(&poller->lock);
    call->next = poller->done;
    poller->done = call;
    lock_signal(&poller->lock);
    lock_drop(&poller->lock);
}

static char *list_url(const struct poll_call *call)
{
    size_t size = sizeof(call->target.base_url) + 96 + call->count * ID_TEXT_MAX, len;
    char *url = malloc(size);

    if (url == NULL)
        return NULL;
    len = (size_t)snprintf(url, size, "%s/contents/generations/tasks?page_num=1&page_size=%zu",
                           call->target.base_url, call->count);
    for (size_t i = 0; i < call->count; i++)
        len += (size_t)snprintf(url + len, size - len, "&filter.task_ids=%s",
                                call->entries[i]->upstream_id);
    return url;
}

static char *get_url(const struct poll_call *call)
{
    size_t size = sizeof(call->target.base_url) + 40 + TASK_ID_MAX;
    char *url = malloc(size);

    if (url != NULL)
        (void)snprintf(url, size, "%s/contents/generations/tasks/%s", call->target.base_url,
                       call->entries[0]->upstream_id);
    return url;
}

/* Sends a call for taken entries; on failure they go back. */
static void start_call_locked(struct poller *poller, struct poll_account *account, bool is_list,
                              struct poll_entry **entries, size_t count)
{
    struct poll_call *call = calloc(1, sizeof(*call) + count * sizeof(call->entries[0]));
    struct err err = {0};

    lock_assert_held(&poller->lock);
    if (call != NULL) {
        call->poller = poller;
        call->account = account;
        call->is_list = is_list;
        call->count = count;
        memcpy(call->entries, entries, count * sizeof(call->entries[0]));
        if (directory_account_target(poller->ark->directory, account->limits.id, &call->target,
                                     &err) == ERR_OK)
            call->url = is_list ? list_url(call) : get_url(call);
        call->headers[0] = call->target.authorization;
        call->headers[1] = "Accept: application/json";
    }
    struct net_call request = {
        .method = "GET",
        .url = call == NULL ? NULL : call->url,
        .headers = call == NULL ? NULL : call->headers,
        .repeat = NET_ANY,
        .connect_us = poller->ark->settings.connect_us,
        .total_us = poller->ark->settings.call_us,
        .answer_max = ARK_ANSWER_MAX,
    };
    if (request.url != NULL &&
        net_start(poller->ark->net, &request, call_done, call, &err) == ERR_OK) {
        poller->in_flight++;
        account->listing = account->listing || is_list;
        return;
    }
    LOG(LOG_WARN, "poll_not_started", LOG_TEXT("account", account->limits.name),
        LOG_TEXT("error", err_name(err.code)), LOG_TEXT("message", err.msg),
        LOG_TEXT("detail", err.detail));
    for (size_t i = 0; i < count; i++)
        poller_put_back_soon_locked(poller, account, entries[i]);
    if (call != NULL)
        poller_call_free(call);
}

static void start_due_locked(struct poller *poller, struct poll_account *account)
{
    struct poll_entry *batch[POLLER_IDS_MAX];
    int64_t now_us = sys_mono_us();
    size_t count = 0, max = (size_t)account->limits.batch;
    struct limiter *limiter = poller->ark->limiter;

    if (account->term == 0 || now_us < account->quiet_until_us)
        return;
    while (account->wants_get_count > 0 &&
           limiter_try(limiter, &account->limits, LIMITER_GET)) {
        struct poll_entry *entry = account->wants_get[--account->wants_get_count];

        start_call_locked(poller, account, false, &entry, 1);
    }
    if (account->listing || account->open.heap_count == 0 ||
        account->open.heap[0]->due_us > now_us ||
        !limiter_try(limiter, &account->limits, LIMITER_LIST))
        return;
    /* A list is the scarce thing: take along what is due within half a pause. */
    while (count < max && count < COUNT_OF(batch)) {
        struct poll_entry *entry =
            poll_set_take(&account->open, now_us + poller->ark->settings.poll_us / 2);

        if (entry == NULL)
            break;
        batch[count++] = entry;
    }
    start_call_locked(poller, account, true, batch, count);
}

/* ---- the thread ------------------------------------------------------------------------ */

/* Says what went wrong once, not twice a second until an operator mends it. */
void poller_log_refresh(char said[REFRESH_SAID_MAX], const char *what, enum err_code rc,
                        const struct err *err)
{
    char now[REFRESH_SAID_MAX] = "";

    if (rc != ERR_OK)
        (void)snprintf(now, sizeof(now), "%s %s", err->msg, err->detail);
    if (rc != ERR_OK && strcmp(said, now) != 0)
        LOG(LOG_WARN, "settings_not_reread", LOG_TEXT("what", what),
            LOG_TEXT("error", err_name(rc)), LOG_TEXT("detail", now));
    memcpy(said, now, sizeof(now));
}

/* One of them at fault does not keep the other from its changes. */
static void refresh(struct poller *poller)
{
    struct err err = {0};
    bool changed = false;
    enum err_code rc = directory_refresh(poller->ark->directory, &changed, &err);

    if (rc == ERR_OK && changed)
        poller_take_accounts(poller);
    poller_log_refresh(poller->upstreams_said, "upstreams", rc, &err);
    err = (struct err){0};
    rc = catalogue_refresh(poller->ark->service->catalogue, &err);
    poller_log_refresh(poller->models_said, "models", rc, &err);
}

static void *run(void *ctx)
{
    struct poller *poller = ctx;

    lock_take(&poller->lock);
    while (!poller->stopping) {
        struct poll_call *done = poller->done;
        bool due = sys_mono_us() >= poller->refresh_at_us, more;

        poller->done = NULL;
        if (due)
            poller->refresh_at_us = sys_mono_us() + REFRESH_US;
        lock_drop(&poller->lock);
        if (due)
            refresh(poller);
        while (done != NULL) {
            struct poll_call *next = done->next;

            poller_answer_take(poller, done);
            done = next;
        }
        more = poller_read_due(poller);
        lock_take(&poller->lock);
        for (size_t i = 0; i < poller->account_count; i++) {
            poller_follow_lease_locked(poller, poller->accounts[i]);
            start_due_locked(poller, poller->accounts[i]);
        }
        if (!more && poller->done == NULL && !poller->stopping)
            (void)lock_wait(&poller->lock, sys_mono_us() + TICK_US);
    }
    lock_drop(&poller->lock);
    return NULL;
}

enum err_code poller_start(struct ark *ark, struct poller **ret_poller, struct err *err)
{
    struct poller *poller = calloc(1, sizeof(*poller));

    if (poller == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    poller->ark = ark;
    lock_init(&poller->lock);
    poller_take_accounts(poller);
    enum err_code rc = poller_read_all(poller, err);
    if (rc == ERR_OK)
        rc = lock_thread(&poller->thread, "poller", JOB_STACK_BYTES, run, poller, err);
    poller->started = rc == ERR_OK;
    if (rc != ERR_OK) {
        poller_stop(&poller);
        return rc;
    }
    *ret_poller = poller;
    return ERR_OK;
}

void poller_halt(struct poller *poller)
{
    lock_take(&poller->lock);
    poller->stopping = true;
    lock_signal(&poller->lock);
    lock_drop(&poller->lock);
}

void poller_stop(struct poller **poller_ref)
{
    struct poller *poller = *poller_ref;

    if (poller == NULL)
        return;
    poller_halt(poller);
    if (poller->started)
        (void)pthread_join(poller->thread, NULL);
    /* Calls in flight still point here: wait for their last word, which call_us
     * bounds; nothing of them is settled any more. */
    lock_take(&poller->lock);
    while (poller->in_flight > 0) {
        while (poller->done != NULL) {
            struct poll_call *call = poller->done;

            poller->done = call->next;
            poller->in_flight--;
            poller_call_free(call);
        }
        if (poller->in_flight > 0)
            (void)lock_wait(&poller->lock, INT64_MAX);
    }
    lock_drop(&poller->lock);
    for (size_t i = 0; i < poller->account_count; i++) {
        poll_set_fini(&poller->accounts[i]->open);
        free(poller->accounts[i]);
    }
    free(poller->accounts);
    lock_fini(&poller->lock);
    free(poller);
    *poller_ref = NULL;
}
