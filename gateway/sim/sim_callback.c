/* SPDX-License-Identifier: Apache-2.0 */
/* When a task's callback is due and what it says. A thread follows the
 * simulator's clock, so that changes are noticed without anybody asking; a jump
 * of the clock reports every state that it passes. */
#include "gateway/sim/sim_callback.h"
#include "gateway/sim/sim_parts.h"

#include <stdlib.h>
#include <string.h>

enum {
    STACK_BYTES = 256 * 1024,
    BODY_MAX_BYTES = 64 * 1024, /* a task object is about a kilobyte */
    LOOK_US = 1000000,          /* the wall clock may be moved by others */
    REPEAT_MS = 5000,           /* Ark: no success answer within five seconds */
    REPEAT_LEAST_MS = 200       /* a receiver needs time at any speed */
};

/* Ark reports these; a cancelled task is not. */
static const bool reported[SIM_STATUS_COUNT] = {
    [SIM_QUEUED] = true, [SIM_RUNNING] = true, [SIM_SUCCEEDED] = true,
    [SIM_FAILED] = true, [SIM_EXPIRED] = true,
};

bool sim_callback_target(struct sim *sim, struct str url)
{
    struct sim_callbacks *callbacks = &sim->callbacks;
    struct sim_link link = {0};

    if (url.len > 0 &&
        (!sim_link_parse(url, &link) || link.https || !sim_link_is_local(&link) ||
         strlen(link.host) >= sizeof(callbacks->host) ||
         (link.path.len > 0 && !str_is(link.path, "/"))))
        return false;
    lock_take(&sim->lock);
    (void)str_copy(callbacks->host, sizeof(callbacks->host), str_from(link.host));
    (void)str_copy(callbacks->port, sizeof(callbacks->port), str_from(link.port));
    lock_drop(&sim->lock);
    return true;
}

static bool earlier(const struct sim_callbacks *callbacks, size_t a, size_t b)
{
    return callbacks->events[a].due_us < callbacks->events[b].due_us;
}

static void swap(struct sim_callbacks *callbacks, size_t a, size_t b)
{
    struct sim_callback_event kept = callbacks->events[a];

    callbacks->events[a] = callbacks->events[b];
    callbacks->events[b] = kept;
}

static void push_locked(struct sim_callbacks *callbacks, int64_t due_us, struct sim_task *task)
{
    size_t at = callbacks->event_count++;

    callbacks->events[at] = (struct sim_callback_event){due_us, task};
    for (; at > 0 && earlier(callbacks, at, (at - 1) / 2); at = (at - 1) / 2)
        swap(callbacks, at, (at - 1) / 2);
}

static struct sim_callback_event pop_locked(struct sim_callbacks *callbacks)
{
    struct sim_callback_event first = callbacks->events[0];
    size_t at = 0, least = 0;

    callbacks->events[0] = callbacks->events[--callbacks->event_count];
    do {
        swap(callbacks, at, least);
        at = least;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < callbacks->event_count && earlier(callbacks, child, least))
                least = child;
    } while (least != at);
    return first;
}

bool sim_callback_add_locked(struct sim *sim, struct sim_task *task)
{
    struct sim_callbacks *callbacks = &sim->callbacks;

    lock_assert_held(&sim->lock);
    if (callbacks->event_count == callbacks->event_cap) {
        size_t cap = callbacks->event_cap == 0 ? 1024 : callbacks->event_cap * 2;
        void *events = realloc(callbacks->events, cap * sizeof(callbacks->events[0]));

        if (events == NULL)
            return false;
        callbacks->events = events;
        callbacks->event_cap = cap;
    }
    task->reported = SIM_STATUS_COUNT;
    push_locked(callbacks, task->created_us, task);
    lock_signal(&sim->lock);
    return true;
}

void sim_callback_notice_locked(struct sim *sim, struct sim_task *task, int64_t at_us)
{
    CLEANUP(buf_fini) struct buf body = {0};
    struct sim_view view;
    struct err err;

    lock_assert_held(&sim->lock);
    if (task->callback_url == NULL || !sim_task_visible_locked(sim, task, task->account, at_us))
        return;
    sim_task_view(task, at_us, &view);
    if (!reported[view.status] || task->reported == view.status)
        return;
    task->reported = (uint8_t)view.status;
    buf_init(&body, BODY_MAX_BYTES);
    struct json_out out = json_begin(&body);

    sim_answer_task(sim, &out, task, at_us, true);
    ASSERT(json_end(&out, &err) == ERR_OK);
    sim_deliver_locked(sim, task, view.status == SIM_SUCCEEDED || view.status == SIM_FAILED,
                       &body);
}

/* The earliest time after that one at which the clock changes the task's state;
 * INT64_MAX when none does. */
static int64_t next_change(const struct sim_task *task, int64_t after_us)
{
    const int64_t times[] = {task->start_us, task->end_us, task->expire_us};
    int64_t next_us = INT64_MAX;

    if (task->settled != SIM_STATUS_COUNT || task->erased || after_us >= task->end_us)
        return INT64_MAX;
    for (size_t i = 0; i < COUNT_OF(times); i++)
        if (times[i] > after_us && times[i] < next_us)
            next_us = times[i];
    return next_us;
}

/* Reports what is due; returns when the next one is, on the monotonic clock. */
static int64_t run_due_locked(struct sim *sim)
{
    struct sim_callbacks *callbacks = &sim->callbacks;

    for (;;) {
        int64_t now_us = sys_now_us() + sim->clock_offset_us;

        if (callbacks->event_count == 0 || callbacks->waiting >= SIM_CALLBACK_QUEUE)
            return INT64_MAX; /* somebody signals then */
        int64_t left_us = callbacks->events[0].due_us - now_us;

        if (left_us > 0)
            return sys_mono_us() + (left_us < LOOK_US ? left_us : LOOK_US);
        struct sim_callback_event event = pop_locked(callbacks);

        sim_callback_notice_locked(sim, event.task, event.due_us);
        int64_t next_us = next_change(event.task, event.due_us);

        if (next_us != INT64_MAX)
            push_locked(callbacks, next_us, event.task);
    }
}

static void *keep_schedule(void *ctx)
{
    struct sim *sim = ctx;

    lock_take(&sim->lock);
    while (!sim->callbacks.stopping)
        (void)lock_wait(&sim->lock, run_due_locked(sim));
    lock_drop(&sim->lock);
    return NULL;
}

enum err_code sim_callback_start(struct sim *sim, const char *target, struct err *err)
{
    struct sim_callbacks *callbacks = &sim->callbacks;

    if (target != NULL && !sim_callback_target(sim, str_from(target)))
        return err_set(err, ERR_CONFIG,
                       "callbacks go to an http link of a loopback address without a path");
    callbacks->repeat_ms = REPEAT_MS / sim->speed;
    if (callbacks->repeat_ms < REPEAT_LEAST_MS)
        callbacks->repeat_ms = REPEAT_LEAST_MS;
    for (size_t i = 0; i < COUNT_OF(callbacks->threads); i++) {
        TRY(lock_thread(&callbacks->threads[i], i == 0 ? "sim-schedule" : "sim-sender",
                        STACK_BYTES, i == 0 ? keep_schedule : sim_deliver_main, sim, err));
        callbacks->thread_count++;
    }
    return ERR_OK;
}

void sim_callback_stop(struct sim *sim)
{
    struct sim_callbacks *callbacks = &sim->callbacks;

    lock_take(&sim->lock);
    callbacks->stopping = true;
    lock_signal(&sim->lock);
    lock_drop(&sim->lock);
    for (int i = 0; i < callbacks->thread_count; i++)
        (void)pthread_join(callbacks->threads[i], NULL);
    callbacks->thread_count = 0;
    sim_deliver_free(sim);
    free(callbacks->events);
    callbacks->events = NULL;
}
