/* SPDX-License-Identifier: Apache-2.0 */
/* Sends callbacks: where each goes, what counts as taken, when it is repeated.
 * What they say, sim_callback.c decides. */
#include "gateway/sim/sim_callback.h"
#include "gateway/sim/sim_parts.h"

#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MS = 5000,         /* Ark: no success answer within five seconds … */
    REPEATS = 3,              /* … then up to three times more */
    ANSWER_MAX_BYTES = 65536, /* of what a receiver says nobody reads more */
    HEAD_MAX_BYTES = 8192     /* a link and little else */
};

struct sim_callback_job {
    struct sim_callback_job *next;
    const struct sim_task *task; /* lives until the simulator ends */
    char host[64], port[8];
    struct buf body;
    int left;       /* sends, the next one included */
    int64_t due_us; /* of a repeat; monotonic */
};

static void job_free(struct sim_callback_job *job)
{
    buf_fini(&job->body);
    free(job);
}

static void append(struct sim_callback_list *list, struct sim_callback_job *job)
{
    job->next = NULL;
    *(list->first == NULL ? &list->first : &list->last->next) = job;
    list->last = job;
}

static struct sim_callback_job *take_first(struct sim_callback_list *list)
{
    struct sim_callback_job *job = list->first;

    if (job != NULL)
        list->first = job->next;
    return job;
}

/* Where the task's callback goes; false: nowhere. */
static bool choose_target_locked(const struct sim *sim, const struct sim_task *task,
                                 struct sim_callback_job *job)
{
    const struct sim_callbacks *callbacks = &sim->callbacks;
    struct sim_link link;

    if (!sim_link_parse(str_from(task->callback_url), &link))
        return false;
    if (callbacks->host[0] != '\0') {
        (void)str_copy(job->host, sizeof(job->host), str_from(callbacks->host));
        (void)str_copy(job->port, sizeof(job->port), str_from(callbacks->port));
        return true;
    }
    return !link.https && sim_link_is_local(&link) &&
           str_copy(job->host, sizeof(job->host), str_from(link.host)) &&
           str_copy(job->port, sizeof(job->port), str_from(link.port));
}

void sim_deliver_locked(struct sim *sim, const struct sim_task *task, bool repeat,
                        struct buf *body)
{
    struct sim_callbacks *callbacks = &sim->callbacks;
    struct sim_callback_job *job = calloc(1, sizeof(*job));

    lock_assert_held(&sim->lock);
    if (job == NULL || !choose_target_locked(sim, task, job)) {
        free(job);
        callbacks->undelivered++;
        return;
    }
    job->task = task;
    job->left = repeat ? 1 + REPEATS : 1;
    job->body = *body;
    *body = (struct buf){0};
    append(&callbacks->ready, job);
    callbacks->waiting++;
    lock_signal(&sim->lock);
}

/* "HTTP/1.1 204 …" */
static bool is_success(struct str answer)
{
    return answer.len > 12 && memcmp(answer.ptr, "HTTP/1.", 7) == 0 &&
           memcmp(answer.ptr + 8, " 2", 2) == 0;
}

static bool post(struct sim *sim, const struct sim_callback_job *job)
{
    CLEANUP(buf_fini) struct buf request = {0}, answer = {0};
    struct sim_link link, target = {0};

    if (!sim_link_parse(str_from(job->task->callback_url), &link))
        return false;
    (void)str_copy(target.host, sizeof(target.host), str_from(job->host));
    (void)str_copy(target.port, sizeof(target.port), str_from(job->port));
    buf_init(&request, HEAD_MAX_BYTES + job->body.len);
    buf_init(&answer, ANSWER_MAX_BYTES);
    buf_printf(&request,
               "POST %s%.*s HTTP/1.1\r\nHost: %.*s\r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\nConnection: close\r\n\r\n",
               link.path.len > 0 && link.path.ptr[0] == '/' ? "" : "/", (int)link.path.len,
               link.path.ptr, (int)link.name.len, link.name.ptr, job->body.len);
    buf_put_str(&request, buf_str(&job->body));
    if (request.failed)
        return false;
    /* A receiver may keep its connection open: its status line is what counts. */
    (void)sim_link_ask(sim, &target, buf_str(&request), &answer,
                       sys_mono_us() + ANSWER_MS * 1000);
    return is_success(buf_str(&answer));
}

static struct sim_callback_job *next_locked(struct sim_callbacks *callbacks)
{
    const struct sim_callback_job *repeat = callbacks->repeated.first;

    if (repeat != NULL && repeat->due_us <= sys_mono_us())
        return take_first(&callbacks->repeated);
    return take_first(&callbacks->ready);
}

static void finish_locked(struct sim *sim, struct sim_callback_job *job, bool taken)
{
    struct sim_callbacks *callbacks = &sim->callbacks;

    callbacks->sent++;
    if (!taken && --job->left > 0) {
        job->due_us = sys_mono_us() + callbacks->repeat_ms * 1000;
        append(&callbacks->repeated, job);
    } else {
        callbacks->delivered += taken;
        callbacks->failed += !taken;
        callbacks->waiting--;
        job_free(job);
    }
    lock_signal(&sim->lock);
}

void *sim_deliver_main(void *ctx)
{
    struct sim *sim = ctx;
    struct sim_callbacks *callbacks = &sim->callbacks;

    lock_take(&sim->lock);
    while (!callbacks->stopping) {
        struct sim_callback_job *job = next_locked(callbacks);

        if (job == NULL) {
            const struct sim_callback_job *repeat = callbacks->repeated.first;

            (void)lock_wait(&sim->lock, repeat == NULL ? INT64_MAX : repeat->due_us);
            continue;
        }
        lock_drop(&sim->lock);
        bool taken = post(sim, job);

        lock_take(&sim->lock);
        finish_locked(sim, job, taken);
    }
    lock_drop(&sim->lock);
    return NULL;
}

void sim_deliver_free(struct sim *sim)
{
    struct sim_callback_list *lists[] = {&sim->callbacks.ready, &sim->callbacks.repeated};

    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (struct sim_callback_job *job; (job = take_first(lists[i])) != NULL;)
            job_free(job);
}
