/* SPDX-License-Identifier: Apache-2.0 */
/* The data plane: who asks, which call it is, and what a fault makes of the
 * answer. */
#include "gateway/sim/sim_parts.h"

#include <string.h>

static const char tasks_path[] = "/api/v3/contents/generations/tasks";

/* A call on its way from its head to its answer. */
struct call {
    enum sim_on on;
    struct str id; /* of GET and DELETE */
    struct sim_draft draft;
};

static bool find_account(struct sim_request *rq)
{
    const char *header = sim_server_header(rq, "Authorization");
    struct str text = header == NULL ? STR("") : str_from(header);

    if (!str_starts_nocase(text, STR("Bearer ")))
        return false;
    text = str_trim((struct str){text.ptr + 7, text.len - 7});
    for (int i = 0; i < rq->sim->account_count; i++)
        if (str_is(text, rq->sim->accounts[i].key)) {
            rq->account = i;
            return true;
        }
    return false;
}

static bool authenticate(struct sim_request *rq, struct sim_refusal *refusal)
{
    if (find_account(rq))
        return true;
    lock_take(&rq->sim->lock);
    rq->sim->counters.unauthorized++;
    lock_drop(&rq->sim->lock);
    return sim_answer_refuse(refusal, 401, "AuthenticationError", "",
                             "The API key or AK/SK in the request is missing or invalid.");
}

static bool route(const struct sim_request *rq, struct call *call, struct sim_refusal *refusal)
{
    const size_t len = sizeof(tasks_path) - 1;
    bool post = strcmp(rq->method, "POST") == 0, get = strcmp(rq->method, "GET") == 0;
    bool below = rq->path.len > len + 1 && rq->path.ptr[len] == '/';
    bool known = rq->path.len >= len && memcmp(rq->path.ptr, tasks_path, len) == 0;

    if (known && rq->path.len == len && (post || get)) {
        call->on = post ? SIM_ON_CREATE : SIM_ON_LIST;
        return true;
    }
    call->id = below ? (struct str){rq->path.ptr + len + 1, rq->path.len - len - 1} : STR("");
    if (known && below && memchr(call->id.ptr, '/', call->id.len) == NULL &&
        (get || strcmp(rq->method, "DELETE") == 0)) {
        call->on = get ? SIM_ON_GET : SIM_ON_DELETE;
        return true;
    }
    return sim_answer_refuse(refusal, 404, "InvalidAction", "",
                             "The specified action is not found.");
}

static bool not_found(struct sim_refusal *refusal)
{
    return sim_answer_refuse(refusal, 404, "ResourceNotFound", "",
                             "The specified resource is not found.");
}

static bool answer_create(struct sim_request *rq, const struct sim_draft *draft,
                          struct sim_refusal *refusal)
{
    char id[SIM_ID_BYTES];
    struct json_out out;
    struct err err;

    if (!sim_task_make(rq->sim, rq->account, draft, id))
        return sim_answer_refuse(refusal, 429, "QuotaExceeded", "",
                                 "The request has exceeded the quota.");
    out = json_begin(&rq->out);
    json_open_object(&out, NULL);
    json_put_text(&out, "id", str_from(id));
    json_close_object(&out);
    ASSERT(json_end(&out, &err) == ERR_OK);
    return true;
}

static bool answer_get(struct sim_request *rq, struct str id, struct sim_refusal *refusal)
{
    int64_t now_us = sim_now_us(rq->sim);
    struct json_out out = json_begin(&rq->out);
    struct err err;

    lock_take(&rq->sim->lock);
    struct sim_task *task = sim_task_find_locked(rq->sim, id);
    bool found = task != NULL && sim_task_visible_locked(rq->sim, task, rq->account, now_us);

    if (found)
        sim_answer_task(rq->sim, &out, task, now_us, true);
    lock_drop(&rq->sim->lock);
    if (!found)
        return not_found(refusal);
    ASSERT(json_end(&out, &err) == ERR_OK);
    return true;
}

static bool delete_locked(struct sim *sim, struct sim_task *task, bool finish, int64_t now_us,
                          struct sim_refusal *refusal)
{
    struct sim_view view;

    sim_task_view(task, now_us, &view);
    if (finish && (view.status == SIM_QUEUED || view.status == SIM_RUNNING)) {
        task->settled = SIM_SUCCEEDED;
        task->settled_us = now_us;
        view.status = SIM_SUCCEEDED;
        sim_callback_notice_locked(sim, task, now_us);
    }
    switch (view.status) {
    case SIM_QUEUED:
        task->settled = SIM_CANCELLED;
        task->settled_us = now_us;
        return true;
    case SIM_RUNNING:
        return sim_answer_refuse(refusal, 409, "InvalidAction.RunningTaskDeletion", "",
                                 "Cannot delete task `%s` because it is currently running.",
                                 task->id);
    case SIM_CANCELLED:
        return sim_answer_refuse(refusal, 409, "InvalidAction.CancelledTaskDeletion", "",
                                 "Cannot delete task `%s` because it is cancelled.", task->id);
    case SIM_SUCCEEDED:
    case SIM_FAILED:
    case SIM_EXPIRED:
    case SIM_STATUS_COUNT:
        break;
    }
    task->erased = true;
    return true;
}

static bool answer_delete(struct sim_request *rq, struct str id, struct sim_refusal *refusal)
{
    int64_t now_us = sim_now_us(rq->sim);
    bool done;

    lock_take(&rq->sim->lock);
    struct sim_task *task = sim_task_find_locked(rq->sim, id);

    if (task == NULL || !sim_task_visible_locked(rq->sim, task, rq->account, now_us))
        done = not_found(refusal);
    else
        done = delete_locked(rq->sim, task,
                             rq->fault.finish_before_delete ||
                                 (task->fault != NULL && task->fault->finish_before_delete),
                             now_us, refusal);
    lock_drop(&rq->sim->lock);
    if (done)
        buf_puts(&rq->out, "{}");
    return done;
}

static bool answer(struct sim_request *rq, struct call *call, struct sim_refusal *refusal)
{
    switch (call->on) {
    case SIM_ON_CREATE:
        return answer_create(rq, &call->draft, refusal);
    case SIM_ON_GET:
        return answer_get(rq, call->id, refusal);
    case SIM_ON_LIST:
        return sim_list_answer(rq, refusal);
    case SIM_ON_DELETE:
        return answer_delete(rq, call->id, refusal);
    case SIM_ON_COUNT:
        break;
    }
    return not_found(refusal);
}

/* From the head to a call that may run: key, route, limits, body, checks. */
static bool prepare(struct sim_request *rq, struct call *call, struct sim_refusal *refusal)
{
    static const char *const codes[SIM_ON_COUNT] = {
        [SIM_ON_CREATE] = "RateLimitExceeded.EndpointRPMExceeded",
        [SIM_ON_GET] = "APIAccountRpmRateLimitExceeded",
        [SIM_ON_LIST] = "APIAccountRpmRateLimitExceeded",
        [SIM_ON_DELETE] = "APIAccountRpmRateLimitExceeded",
    };

    if (!authenticate(rq, refusal) || !route(rq, call, refusal))
        return false;
    if (!sim_limit_pass(rq->sim, rq->account, call->on))
        return sim_answer_refuse(
            refusal, 429, codes[call->on], "",
            "The Requests Per Minute (RPM) limit of this call for your account has been "
            "exceeded.");
    sim_fault_take(rq->sim, call->on, &rq->fault);
    call->draft.fault = rq->fault;
    if (call->on != SIM_ON_CREATE)
        return true;
    bool valid = sim_server_read(rq, refusal) && sim_check_create(rq, &call->draft, refusal);

    rq->fault = call->draft.fault; /* the marker's actions are the request's too */
    return valid;
}

/* What a fault does before the call; false when it has dropped the connection. */
static bool fault_before(struct sim_request *rq)
{
    const struct sim_fault *fault = &rq->fault;

    if (fault->delay_ms > 0)
        (void)sim_pause(rq->sim, fault->delay_ms);
    if (strcmp(fault->drop, "before") == 0 || strcmp(fault->drop, "reset_before") == 0) {
        sim_server_drop(rq, strcmp(fault->drop, "reset_before") == 0);
        return false;
    }
    return true;
}

static void replace_body(struct sim_request *rq, const char *text)
{
    buf_reset(&rq->out);
    buf_puts(&rq->out, text);
}

/* What a fault makes of the answer; false when it has dropped the connection. */
static bool fault_after(struct sim_request *rq)
{
    const struct sim_fault *fault = &rq->fault;

    if (fault->no_id)
        replace_body(rq, "{}");
    if (fault->empty)
        replace_body(rq, "");
    if (fault->malform) {
        replace_body(rq, "<html><body>not what you asked for</body></html>");
        rq->content_type = "text/html";
    }
    if (fault->hang_ms > 0)
        (void)sim_pause(rq->sim, fault->hang_ms);
    if (fault->hang_ms > 0 || fault->drop[0] != '\0') {
        sim_server_drop(rq, strcmp(fault->drop, "reset_after") == 0);
        return false;
    }
    return true;
}

static void refuse_by_fault(const struct sim *sim, const struct sim_fault *fault,
                            struct sim_refusal *refusal)
{
    int status = (int)fault->status;
    const char *code = fault->code[0] != '\0' ? fault->code : sim_error_code(status);
    char text[384] = "The simulator was asked to refuse this.";

    if (fault->message[0] != '\0')
        str_copy_cut(text, sizeof(text), str_from(fault->message));
    else
        (void)sim_error_message(sim, code, text, sizeof(text));
    (void)sim_answer_refuse(refusal, status, code, "", "%s", text);
}

bool sim_api_handle(struct sim_request *rq)
{
    struct sim_refusal refusal = {0};
    struct call call = {0};
    bool valid;

    rq->status = 200;
    sim_fault_init(&rq->fault);
    valid = prepare(rq, &call, &refusal);
    if (!fault_before(rq))
        return false;
    bool refused = rq->fault.status != 0;

    if (valid && (!refused || rq->fault.made))
        valid = answer(rq, &call, &refusal);
    if (valid && refused)
        refuse_by_fault(rq->sim, &rq->fault, &refusal);
    if (!valid || refused)
        sim_answer_refusal(rq, &refusal);
    return fault_after(rq);
}
