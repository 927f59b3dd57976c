/* SPDX-License-Identifier: Apache-2.0 */
/* One look at a task and one DELETE of it, within the account's limits. What to make
 * of either is for gateway/task/cancel.c; the age of a look is kept here, because only
 * here it is known when a request leaves. */
#include "gateway/upstream/ark_parts.h"

#include <stdio.h>
#include <string.h>

enum {
    LOOK_ANSWER_MAX = 256 << 10, /* a task is below 10 kB, its links included */
    PARSE_MAX = 2 << 20,
    URL_MAX = UPSTREAM_URL_MAX + 40 + TASK_ID_MAX
};

struct ark_call {
    struct ark_target target;
    char url[URL_MAX];
    const char *headers[3];
};

static void call_fini(struct ark_call *call)
{
    directory_target_fini(&call->target);
}

static enum err_code call_init(struct ark *ark, int64_t account_id, const char *upstream_id,
                               struct ark_call *call, struct err *err)
{
    if (!service_is_upstream_id(str_from(upstream_id)))
        return err_detail(err, ERR_INTERNAL, "%s cannot stand in a URL", upstream_id);
    TRY(directory_account_target(ark->directory, account_id, &call->target, err));
    (void)snprintf(call->url, sizeof(call->url), "%s/contents/generations/tasks/%s",
                   call->target.base_url, upstream_id);
    call->headers[0] = call->target.authorization;
    call->headers[1] = "Accept: application/json";
    return ERR_OK;
}

/* Waits for the account's turn; ERR_BUSY when none came in time or the gateway ends. */
static enum err_code take_turn(struct ark *ark, int64_t account_id, enum limiter_kind kind,
                               int64_t deadline_us, struct err *err)
{
    struct upstream_account accounts[ARK_ACCOUNTS_MAX];
    size_t count = directory_accounts(ark->directory, accounts);
    /* One that lost its last credential is called no more; its target says so. */
    struct upstream_account limits = {
        .id = account_id, .list_qps = 1, .get_qps = 20, .delete_qps = 20};

    for (size_t i = 0; i < count; i++) {
        if (accounts[i].id == account_id)
            limits = accounts[i];
    }
    return limiter_wait_until(ark->limiter, &limits, kind, deadline_us, err);
}

static enum err_code out_of_time(struct err *err)
{
    return err_set(err, ERR_BUSY, "the model service takes no more calls now, try again");
}

static int64_t shorter(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- look ------------------------------------------------------------------- */

/* Moves the texts out of the document, which dies with its answer. */
static bool keep_texts(struct arena *arena, struct upstream_task *task)
{
    struct str *const texts[] = {
        &task->id,         &task->model,
        &task->resolution, &task->ratio,
        &task->tier,       &task->safety_identifier,
        &task->video_url,  &task->last_frame_url,
        &task->error_code, &task->error_message,
        &task->body,
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char *copy = arena_dup(arena, *texts[i]);

        if (copy == NULL)
            return false;
        texts[i]->ptr = copy;
    }
    return true;
}

static enum err_code read_task(const struct net_reply *reply, const char *upstream_id,
                               struct arena *arena, struct upstream_task *ret_task,
                               struct err *err)
{
    CLEANUP(arena_fini) struct arena own = {0};
    CLEANUP(json_free) struct json_doc *doc = NULL;
    struct upstream_task task;
    struct err why = {0};

    arena_init(&own, PARSE_MAX);
    if (json_parse(&own, buf_str(&reply->body), &doc, &why) != ERR_OK ||
        json_type(json_root(doc)) != JSON_OBJECT ||
        !ark_wire_task(doc, json_root(doc), &own, &task) || !str_is(task.id, upstream_id))
        return err_detail(err, ERR_UPSTREAM, "look: the answer is no task %s: %s", upstream_id,
                          why.msg);
    if (!keep_texts(arena, &task))
        return err_detail(err, ERR_INTERNAL, "no memory");
    *ret_task = task;
    return ERR_OK;
}

static enum err_code judge_look(const struct net_reply *reply, const char *upstream_id,
                                struct arena *arena, struct provider_sight *sight,
                                struct err *err)
{
    char code[96], message[256];

    if (reply->fate != NET_ANSWERED)
        return err_detail(err, ERR_UPSTREAM, "look: %s", reply->reason);
    if (reply->status == 200)
        return read_task(reply, upstream_id, arena, &sight->task, err);
    sight->gone =
        reply->status == 404 &&
        ark_wire_error(buf_str(&reply->body), code, sizeof(code), message, sizeof(message));
    return sight->gone ? ERR_OK
                       : err_detail(err, ERR_UPSTREAM, "look: status %d", reply->status);
}

enum err_code ark_cancel_look(void *self, int64_t account_id, const char *upstream_id,
                              int64_t deadline_us, struct arena *arena,
                              struct provider_sight *ret_sight, struct err *err)
{
    struct ark *ark = self;
    CLEANUP(call_fini) struct ark_call target = {0};
    CLEANUP(net_reply_fini) struct net_reply reply = {0};
    struct provider_sight sight = {0};
    struct net_call call = {
        .method = "GET",
        .url = target.url,
        .headers = target.headers,
        .repeat = NET_ANY,
        .connect_us = ark->settings.connect_us,
        .answer_max = LOOK_ANSWER_MAX,
    };

    TRY(take_turn(ark, account_id, LIMITER_GET, deadline_us, err));
    TRY(call_init(ark, account_id, upstream_id, &target, err));
    call.total_us = shorter(deadline_us - sys_mono_us(), ark->settings.call_us);
    if (call.total_us <= 0)
        return out_of_time(err);
    TRY(net_call(ark->net, &call, &reply, err));
    sight.asked_mono_us = reply.sent_mono_us;
    TRY(judge_look(&reply, upstream_id, arena, &sight, err));
    *ret_sight = sight;
    return ERR_OK;
}

/* ---- remove ----------------------------------------------------------------- */

static enum err_code judge_remove(const struct net_reply *reply,
                                  enum provider_removal *ret_removal, struct err *err)
{
    char code[96], message[256];

    if (reply->fate == NET_NOT_SENT)
        return err_detail(err, ERR_UPSTREAM, "delete: %s", reply->reason);
    *ret_removal = PROVIDER_DELETED;
    /* Only a refusal in Ark's own shape is one; a 5xx may have come too late. */
    if (reply->fate == NET_ANSWERED && reply->status >= 400 && reply->status < 500 &&
        ark_wire_error(buf_str(&reply->body), code, sizeof(code), message, sizeof(message)))
        *ret_removal = PROVIDER_KEPT;
    return ERR_OK;
}

enum err_code ark_cancel_remove(void *self, int64_t account_id, const char *upstream_id,
                                int64_t fresh_until_us, int64_t deadline_us,
                                enum provider_removal *ret_removal, struct err *err)
{
    struct ark *ark = self;
    CLEANUP(call_fini) struct ark_call target = {0};
    CLEANUP(net_reply_fini) struct net_reply reply = {0};
    /* Sent once: a second one would leave when the look is older. */
    struct net_call call = {
        .method = "DELETE",
        .url = target.url,
        .headers = target.headers,
        .repeat = NET_ONCE,
        .answer_max = LOOK_ANSWER_MAX,
    };
    int64_t send_by_us = shorter(fresh_until_us, deadline_us), left_us;

    TRY(call_init(ark, account_id, upstream_id, &target, err));
    struct err why = {0};
    enum err_code turn = take_turn(ark, account_id, LIMITER_DELETE, send_by_us, &why);

    left_us = send_by_us - sys_mono_us();
    if (left_us <= 0 && fresh_until_us < deadline_us) {
        *ret_removal = PROVIDER_STALE;
        return ERR_OK;
    }
    if (turn != ERR_OK) {
        *err = why;
        return turn;
    }
    if (left_us <= 0)
        return out_of_time(err);
    /* The request leaves with the connection: neither may be later than the look
     * allows. */
    call.connect_us = shorter(left_us, ark->settings.connect_us);
    call.total_us = shorter(deadline_us - sys_mono_us(), ark->settings.call_us);
    if (call.total_us <= 0)
        return out_of_time(err);
    TRY(net_call(ark->net, &call, &reply, err));
    return judge_remove(&reply, ret_removal, err);
}
