/* SPDX-License-Identifier: Apache-2.0 */
/* The control routes, for tests and for who plays with the simulator: faults,
 * counters, every task, the clock. */
#include "gateway/sim/sim_parts.h"

#include <string.h>

static bool parse(struct sim_request *rq, struct sim_refusal *refusal)
{
    struct err err = {0};

    if (!sim_server_read(rq, refusal))
        return false;
    return json_parse(&rq->arena, rq->body, &rq->doc, &err) == ERR_OK ||
           sim_answer_refuse(refusal, 400, "InvalidParameter", "", "%s", err.msg);
}

static bool add_fault(struct sim_request *rq, struct sim_refusal *refusal)
{
    if (!parse(rq, refusal) || !sim_fault_add(rq->sim, rq->doc, refusal))
        return false;
    buf_puts(&rq->out, "{}");
    return true;
}

static bool clear_faults(struct sim_request *rq, struct sim_refusal *refusal)
{
    (void)refusal;
    sim_fault_clear(rq->sim);
    buf_puts(&rq->out, "{}");
    return true;
}

/* The most in one second that any account made. */
static int64_t most_locked(const struct sim *sim, enum sim_on on)
{
    int64_t most = 0;

    for (int i = 0; i < sim->account_count; i++)
        if (sim->accounts[i].window[on].most > most)
            most = sim->accounts[i].window[on].most;
    return most;
}

static void put_by_call(struct json_out *out, const char *name, const int64_t *values)
{
    json_open_object(out, name);
    for (int on = 0; on < SIM_ON_COUNT; on++)
        json_put_int(out, sim_fault_on_name((enum sim_on)on), values[on]);
    json_close_object(out);
}

static void put_callbacks(struct json_out *out, const struct sim_callbacks *callbacks)
{
    json_open_object(out, "callbacks");
    json_put_int(out, "sent", callbacks->sent);
    json_put_int(out, "delivered", callbacks->delivered);
    json_put_int(out, "failed", callbacks->failed);
    json_put_int(out, "undelivered", callbacks->undelivered);
    json_put_int(out, "waiting", (int64_t)callbacks->waiting);
    json_close_object(out);
}

static bool state(struct sim_request *rq, struct sim_refusal *refusal)
{
    struct sim *sim = rq->sim;
    int64_t now_us = sim_now_us(sim), most[SIM_ON_COUNT], statuses[SIM_STATUS_COUNT] = {0};
    int64_t erased = 0, faults = 0;
    struct json_out out = json_begin(&rq->out);
    struct err err;

    (void)refusal;
    lock_take(&sim->lock);
    struct sim_counters counters = sim->counters;
    struct sim_callbacks callbacks = sim->callbacks;

    for (int on = 0; on < SIM_ON_COUNT; on++)
        most[on] = most_locked(sim, (enum sim_on)on);
    for (size_t i = 0; i < sim->task_count; i++) {
        struct sim_view view;

        sim_task_view(sim->tasks[i], now_us, &view);
        statuses[view.status]++;
        erased += sim->tasks[i]->erased;
    }
    for (const struct sim_fault_entry *entry = sim->faults; entry != NULL; entry = entry->next)
        faults++;
    lock_drop(&sim->lock);
    json_open_object(&out, NULL);
    json_put_int(&out, "now_ms", now_us / 1000);
    put_by_call(&out, "calls", counters.calls);
    put_by_call(&out, "limited", counters.limited);
    put_by_call(&out, "most_per_second", most);
    json_put_int(&out, "unauthorized", counters.unauthorized);
    json_put_int(&out, "made", counters.made);
    json_put_int(&out, "list_ids_max", counters.list_ids_max);
    json_put_int(&out, "media", counters.media);
    json_put_int(&out, "concurrent_max", counters.concurrent_max);
    json_put_int(&out, "faults", faults);
    json_put_int(&out, "erased", erased);
    json_open_object(&out, "tasks");
    for (int i = 0; i < SIM_STATUS_COUNT; i++)
        json_put_int(&out, sim_task_status_name((enum sim_status)i), statuses[i]);
    json_close_object(&out);
    put_callbacks(&out, &callbacks);
    json_close_object(&out);
    ASSERT(json_end(&out, &err) == ERR_OK);
    return true;
}

static void put_task(struct json_out *out, const struct sim_task *task, int64_t now_us)
{
    struct sim_view view;
    char hex[65];

    sim_task_view(task, now_us, &view);
    str_hex(hex, task->body_sha256, sizeof(task->body_sha256));
    json_open_object(out, NULL);
    json_put_text(out, "id", str_from(task->id));
    json_put_int(out, "account", task->account);
    json_put_text(out, "status", str_from(sim_task_status_name(view.status)));
    if (task->safety_identifier != NULL)
        json_put_text(out, "safety_identifier", str_from(task->safety_identifier));
    json_put_text(out, "model", str_from(sim_model_at(task->model)->id));
    if (task->endpoint != NULL)
        json_put_text(out, "endpoint", str_from(task->endpoint));
    json_put_text(out, "resolution", str_from(sim_model_resolution_name(view.resolution)));
    json_put_text(out, "ratio", str_from(sim_model_ratio_name(view.ratio)));
    json_put_int(out, "duration", view.duration);
    json_put_int(out, "created_at", task->created_us / 1000000);
    json_put_int(out, "updated_at", view.updated_us / 1000000);
    if (view.status == SIM_SUCCEEDED && view.has_usage)
        json_put_int(out, "tokens", view.tokens);
    json_put_bool(out, "has_video", task->has_video);
    json_put_bool(out, "erased", task->erased);
    json_put_text(out, "body_sha256", str_from(hex));
    json_put_raw(out, "members", str_from(task->members));
    if (task->callback_url != NULL)
        json_put_text(out, "callback_url", str_from(task->callback_url));
    if (task->body != NULL)
        json_put_text(out, "body", str_from(task->body));
    json_close_object(out);
}

static bool tasks(struct sim_request *rq, struct sim_refusal *refusal)
{
    int64_t now_us = sim_now_us(rq->sim);
    struct json_out out = json_begin(&rq->out);
    struct err err;

    lock_take(&rq->sim->lock);
    json_open_array(&out, NULL);
    for (size_t i = 0; i < rq->sim->task_count; i++)
        put_task(&out, rq->sim->tasks[i], now_us);
    json_close_array(&out);
    lock_drop(&rq->sim->lock);
    return json_end(&out, &err) == ERR_OK ||
           sim_answer_refuse(refusal, 500, "InternalServiceError", "",
                             "There are too many tasks for one answer.");
}

static bool move_clock(struct sim_request *rq, struct sim_refusal *refusal)
{
    const struct json_value *advance;
    int64_t ms;

    if (!parse(rq, refusal))
        return false;
    advance = json_get(json_root(rq->doc), "advance_ms");
    /* A century: nothing here lives longer, and sums stay in range. */
    if (advance == NULL || !json_int(advance, &ms) || ms < 0 || ms > INT64_C(3155760000000))
        return sim_answer_refuse(refusal, 400, "InvalidParameter", "advance_ms",
                                 "advance_ms must be an integer from 0.");
    lock_take(&rq->sim->lock);
    bool fits = rq->sim->clock_offset_us + ms * 1000 <= INT64_C(3155760000000000);

    if (fits)
        rq->sim->clock_offset_us += ms * 1000;
    lock_signal(&rq->sim->lock);
    lock_drop(&rq->sim->lock);
    if (!fits)
        return sim_answer_refuse(refusal, 400, "InvalidParameter", "advance_ms",
                                 "The clock cannot go that far.");
    buf_puts(&rq->out, "{}");
    return true;
}

static bool add_asset(struct sim_request *rq, struct sim_refusal *refusal)
{
    if (!parse(rq, refusal) || !sim_asset_add(rq, refusal))
        return false;
    buf_puts(&rq->out, "{}");
    return true;
}

static bool set_target(struct sim_request *rq, struct sim_refusal *refusal)
{
    const struct json_value *target;

    if (!parse(rq, refusal))
        return false;
    target = json_get(json_root(rq->doc), "deliver_to");
    if ((target != NULL && json_type(target) != JSON_STRING) ||
        !sim_callback_target(rq->sim, target == NULL ? STR("") : json_text(rq->doc, target)))
        return sim_answer_refuse(
            refusal, 400, "InvalidParameter", "deliver_to",
            "deliver_to must be an http link to a loopback address without "
            "a path, or null.");
    buf_puts(&rq->out, "{}");
    return true;
}

static const struct {
    const char *method;
    const char *path;
    bool (*handle)(struct sim_request *rq, struct sim_refusal *refusal);
} routes[] = {
    {"POST", "/sim/faults", add_fault}, {"DELETE", "/sim/faults", clear_faults},
    {"GET", "/sim/state", state},       {"GET", "/sim/tasks", tasks},
    {"POST", "/sim/clock", move_clock}, {"POST", "/sim/callbacks", set_target},
    {"POST", "/sim/assets", add_asset},
};

void sim_control_handle(struct sim_request *rq)
{
    struct sim_refusal refusal;
    bool known = false, done = false;

    rq->status = 200;
    if (!sim_server_is_local(rq)) {
        (void)sim_answer_refuse(&refusal, 403, "AccessDenied", "", "Loopback clients only.");
        sim_answer_refusal(rq, &refusal);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(routes) && !known; i++) {
        known = str_is(rq->path, routes[i].path) && strcmp(rq->method, routes[i].method) == 0;
        if (known)
            done = routes[i].handle(rq, &refusal);
    }
    if (!known)
        (void)sim_answer_refuse(&refusal, 404, "NotFound", "", "There is no such route.");
    if (!done)
        sim_answer_refusal(rq, &refusal);
}
