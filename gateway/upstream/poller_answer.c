/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of lists and GETs: what is news is settled by gateway/task, what is not
 * whole or not there is asked for one by one, what failed waits longer each time. */
#include "gateway/upstream/poller_parts.h"

enum { BACKOFF_MAX_US = 30000000 };

static void fail_call_locked(struct poller *poller, struct poll_call *call)
{
    struct poll_account *account = call->account;

    account->backoff_us =
        account->backoff_us == 0 ? poller->ark->settings.poll_us : account->backoff_us * 2;
    if (account->backoff_us > BACKOFF_MAX_US)
        account->backoff_us = BACKOFF_MAX_US;
    account->quiet_until_us = sys_mono_us() + account->backoff_us;
    for (size_t i = 0; i < call->count; i++)
        poller_put_back_locked(poller, account, call->entries[i], account->quiet_until_us);
    LOG(LOG_WARN, "poll_failed", LOG_TEXT("account", account->limits.name),
        LOG_INT("status", call->reply.status), LOG_TEXT("reason", call->reply.reason),
        LOG_INT("again_in_ms", account->backoff_us / 1000));
}

/* A list may leave out what the price needs; then the task's own GET has it. */
static bool is_whole(const struct upstream_task *seen)
{
    return seen->state != TASK_SUCCEEDED || (seen->has_tokens && seen->resolution.len > 0 &&
                                             seen->has_duration && seen->video_url.len > 0);
}

/* The entries of a call, and what was seen of each. */
struct poll_seen {
    struct poll_entry *entry;
    bool found, changed, settled;
};

static size_t match_items(const struct poll_call *call, const struct json_doc *doc,
                          const struct json_value *items, struct arena *arena,
                          struct poll_seen *seen, struct upstream_task *changed)
{
    size_t count = 0;

    for (size_t i = 0; i < call->count; i++)
        seen[i] = (struct poll_seen){.entry = call->entries[i]};
    for (const struct json_value *item = json_first(items); item != NULL;
         item = json_next(item)) {
        struct upstream_task task;
        size_t i = 0;

        if (!ark_wire_task(doc, item, arena, &task))
            continue;
        while (i < call->count && !str_is(task.id, seen[i].entry->upstream_id))
            i++;
        if (i == call->count || seen[i].found)
            continue;
        if (call->is_list && !is_whole(&task))
            continue; /* not found here: the GET decides */
        seen[i].found = true;
        /* A task that was missing once is news even in its old state. */
        if (task.state != seen[i].entry->state || seen[i].entry->missing) {
            seen[i].changed = true;
            seen[i].entry->missing = false;
            seen[i].entry->state = task.state;
            changed[count++] = task;
        }
    }
    return count;
}

/* Puts the entries of an understood answer where they belong now. */
static void place_entries_locked(struct poller *poller, struct poll_call *call,
                                 const struct poll_seen *seen, bool settled)
{
    struct poll_account *account = call->account;

    account->backoff_us = 0;
    for (size_t i = 0; i < call->count; i++) {
        struct poll_entry *entry = seen[i].entry;

        if (seen[i].changed && !settled) {
            entry->state = TASK_QUEUED; /* anything Ark says is news again */
            poller_put_back_soon_locked(poller, account, entry);
        } else if (seen[i].found && state_is_terminal(entry->state)) {
            poll_set_drop(&account->open, entry);
        } else if (!seen[i].found && call->is_list && account->term != 0 &&
                   account->wants_get_count < COUNT_OF(account->wants_get)) {
            account->wants_get[account->wants_get_count++] = entry;
        } else {
            poller_put_back_soon_locked(poller, account, entry);
        }
    }
}

/* False when the body is no answer of Ark's. */
static bool take_answer(struct poller *poller, struct poll_call *call)
{
    CLEANUP(arena_fini) struct arena arena = {0};
    CLEANUP(json_free) struct json_doc *doc = NULL;
    struct poll_seen seen[POLLER_IDS_MAX];
    struct upstream_task *changed;
    const struct json_value *items;
    struct err err = {0};
    bool settled = true;
    size_t count;

    arena_init(&arena, (size_t)ARK_ANSWER_MAX * 2);
    changed = arena_alloc(&arena, call->count * sizeof(*changed));
    if (changed == NULL ||
        json_parse(&arena, buf_str(&call->reply.body), &doc, &err) != ERR_OK ||
        json_type(json_root(doc)) != JSON_OBJECT)
        return false;
    items = call->is_list ? json_get(json_root(doc), "items") : json_root(doc);
    if (items == NULL || (call->is_list && json_type(items) != JSON_ARRAY))
        return false;
    if (call->is_list) {
        count = match_items(call, doc, items, &arena, seen, changed);
    } else {
        struct upstream_task task;

        seen[0] = (struct poll_seen){.entry = call->entries[0]};
        if (!ark_wire_task(doc, items, &arena, &task) ||
            !str_is(task.id, call->entries[0]->upstream_id))
            return false;
        seen[0].found = true;
        seen[0].changed = true;
        call->entries[0]->missing = false;
        call->entries[0]->state = task.state;
        changed[0] = task;
        count = 1;
    }
    if (settle_seen(poller->ark->service, call->account->limits.id, changed, count, &err) !=
        ERR_OK) {
        settled = false;
        LOG(LOG_ERROR, "settle_failed", LOG_TEXT("account", call->account->limits.name),
            LOG_TEXT("error", err_name(err.code)), LOG_TEXT("message", err.msg),
            LOG_TEXT("detail", err.detail));
    }
    lock_take(&poller->lock);
    place_entries_locked(poller, call, seen, settled);
    lock_drop(&poller->lock);
    return true;
}

static void take_missing(struct poller *poller, struct poll_call *call)
{
    struct poll_entry *entry = call->entries[0];
    struct err err = {0};
    bool ended = false;

    if (settle_missing(poller->ark->service, call->account->limits.id,
                       str_from(entry->upstream_id), &ended, &err) != ERR_OK)
        LOG(LOG_ERROR, "settle_failed", LOG_TEXT("upstream_id", entry->upstream_id),
            LOG_TEXT("error", err_name(err.code)), LOG_TEXT("detail", err.detail));
    lock_take(&poller->lock);
    if (ended)
        poll_set_drop(&call->account->open, entry);
    else {
        entry->missing = true;
        poller_put_back_locked(poller, call->account, entry,
                               sys_mono_us() + poller->ark->service->settings.gone_recheck_us);
    }
    lock_drop(&poller->lock);
}

void poller_answer_take(struct poller *poller, struct poll_call *call)
{
    char code[96], message[256];
    const struct net_reply *reply = &call->reply;
    bool understood = false;

    if (call->is_list)
        limiter_listed(poller->ark->limiter, &call->account->limits);
    if (reply->fate == NET_ANSWERED && reply->status == 200)
        understood = take_answer(poller, call);
    else if (reply->fate == NET_ANSWERED && reply->status == 404 && !call->is_list &&
             ark_wire_error(buf_str(&reply->body), code, sizeof(code), message,
                            sizeof(message))) {
        take_missing(poller, call);
        understood = true;
    }
    lock_take(&poller->lock);
    if (!understood)
        fail_call_locked(poller, call);
    if (call->is_list)
        call->account->listing = false;
    poller->in_flight--;
    lock_drop(&poller->lock);
    poller_call_free(call);
}
