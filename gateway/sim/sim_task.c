/* SPDX-License-Identifier: Apache-2.0 */
/* The store of tasks and their states. Nothing runs: a task's state follows
 * from its times and the clock, whenever somebody looks. */
#include "gateway/sim/sim_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_BUCKETS = 4096 };

static const int64_t day_us = 86400 * INT64_C(1000000);

static const char *const status_names[SIM_STATUS_COUNT] = {
    [SIM_QUEUED] = "queued", [SIM_RUNNING] = "running", [SIM_SUCCEEDED] = "succeeded",
    [SIM_FAILED] = "failed", [SIM_EXPIRED] = "expired", [SIM_CANCELLED] = "cancelled",
};

const char *sim_task_status_name(enum sim_status status)
{
    return status_names[status];
}

enum sim_status sim_task_status(struct str name)
{
    for (int i = 0; i < SIM_STATUS_COUNT; i++)
        if (str_is(name, status_names[i]))
            return (enum sim_status)i;
    return SIM_STATUS_COUNT;
}

/* FNV-1a: ids are ours, nobody can choose them to collide. */
static uint64_t hash(struct str id)
{
    uint64_t value = 0xcbf29ce484222325u;

    for (size_t i = 0; i < id.len; i++)
        value = (value ^ (uint8_t)id.ptr[i]) * 0x100000001b3u;
    return value ^ value >> 29;
}

struct sim_task *sim_task_find_locked(struct sim *sim, struct str id)
{
    lock_assert_held(&sim->lock);
    if (sim->bucket_count == 0)
        return NULL;
    struct sim_task *task = sim->buckets[hash(id) & (sim->bucket_count - 1)];

    while (task != NULL && !str_is(id, task->id))
        task = task->next;
    return task;
}

static bool grow_locked(struct sim *sim)
{
    size_t count = sim->bucket_count == 0 ? FIRST_BUCKETS : sim->bucket_count * 2;
    struct sim_task **tasks, **buckets;

    if (sim->task_count < sim->task_cap)
        return true;
    if (sim->task_count >= SIM_TASKS_MAX)
        return false;
    tasks = realloc(sim->tasks, count * sizeof(*tasks));
    if (tasks == NULL)
        return false;
    sim->tasks = tasks;
    buckets = calloc(count, sizeof(*buckets));
    if (buckets == NULL)
        return false;
    for (size_t i = 0; i < sim->task_count; i++) {
        size_t at = hash(str_from(tasks[i]->id)) & (count - 1);

        tasks[i]->next = buckets[at];
        buckets[at] = tasks[i];
    }
    free(sim->buckets);
    sim->buckets = buckets;
    sim->bucket_count = sim->task_cap = count;
    return true;
}

/* cgt-, Beijing time, five characters; drawn again while taken. */
static void new_id_locked(struct sim *sim, int64_t now_us, uint64_t random, char *ret_id)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    time_t beijing = (time_t)(now_us / 1000000 + 8 * 3600);
    struct tm at;

    (void)gmtime_r(&beijing, &at);
    do {
        (void)strftime(ret_id, SIM_ID_BYTES, "cgt-%Y%m%d%H%M%S-", &at);
        size_t len = strlen(ret_id);
        uint64_t rest = random;

        for (int i = 0; i < 5; i++, rest /= 36)
            ret_id[len++] = alphabet[rest % 36];
        ret_id[len] = '\0';
        random += 0x9e3779b97f4a7c15u;
    } while (sim_task_find_locked(sim, str_from(ret_id)) != NULL);
}

/* Queued about a second, running eight and one more for each second of video. */
static void plan(const struct sim *sim, struct sim_task *task, const struct sim_fault *fault)
{
    int64_t queue_us = 1000000 / sim->speed;
    int64_t run_us = (8 + (task->frames > 0 ? task->frames / SIM_FPS : task->duration)) *
                     INT64_C(1000000) / sim->speed;

    if (fault->queue_ms >= 0)
        queue_us = fault->queue_ms * 1000;
    if (fault->run_ms >= 0)
        run_us = fault->run_ms * 1000;
    task->start_us = task->created_us + queue_us;
    task->end_us = task->start_us + (task->fail_code != NULL ? 0 : run_us);
    if (strcmp(fault->stay, "queued") == 0)
        task->start_us = task->end_us = INT64_MAX;
    if (strcmp(fault->stay, "running") == 0)
        task->end_us = INT64_MAX;
    task->expire_us = task->created_us + task->expires_after * 1000000 / sim->speed;
}

static void task_free(struct sim_task *task)
{
    if (task == NULL)
        return;
    free(task->endpoint);
    free(task->safety_identifier);
    free(task->callback_url);
    free(task->draft_task);
    free(task->members);
    free(task->body);
    free(task->fault);
    free(task);
}

static bool dup_text(struct str text, char **ret_copy)
{
    *ret_copy = text.len == 0 ? NULL : strndup(text.ptr, text.len);
    return text.len == 0 || *ret_copy != NULL;
}

static struct sim_task *task_new(int account, const struct sim_draft *draft)
{
    struct sim_task *task = calloc(1, sizeof(*task));

    if (task == NULL)
        return NULL;
    task->account = (uint8_t)account;
    task->model = (uint8_t)draft->model;
    task->resolution = (uint8_t)draft->resolution;
    task->ratio = (uint8_t)draft->ratio;
    task->duration = (uint8_t)draft->duration;
    task->priority = (uint8_t)draft->priority;
    task->settled = SIM_STATUS_COUNT;
    task->generate_audio = draft->generate_audio;
    task->return_last_frame = draft->return_last_frame;
    task->draft = draft->draft;
    task->flex = draft->flex;
    task->search = draft->search;
    task->frames = (uint16_t)draft->frames;
    task->has_video = draft->has_video;
    task->input_ms = draft->input_ms;
    task->fail_code = draft->fail_code;
    task->expires_after = draft->expires_after;
    memcpy(task->body_sha256, draft->body_sha256, sizeof(task->body_sha256));
    bool whole = dup_text(draft->endpoint, &task->endpoint) &&
                 dup_text(draft->safety_identifier, &task->safety_identifier) &&
                 dup_text(draft->callback_url, &task->callback_url) &&
                 dup_text(draft->draft_task, &task->draft_task) &&
                 dup_text(draft->members, &task->members) &&
                 (draft->body.len > SIM_BODY_KEPT || dup_text(draft->body, &task->body));
    if (whole && draft->fault.any_task_action) {
        task->fault = malloc(sizeof(*task->fault));
        if (task->fault != NULL)
            *task->fault = draft->fault;
        else
            whole = false;
    }
    if (!whole) {
        task_free(task);
        return NULL;
    }
    return task;
}

bool sim_task_make(struct sim *sim, int account, const struct sim_draft *draft,
                   char ret_id[SIM_ID_BYTES])
{
    struct sim_task *task = task_new(account, draft);
    uint64_t random = sim_random(sim), seed = sim_random(sim);
    bool made;

    if (task == NULL)
        return false;
    task->secret = sim_random(sim);
    task->seed = draft->seed >= 0 ? draft->seed : (int64_t)(seed % 100000);
    task->created_us = sim_now_us(sim);
    plan(sim, task, &draft->fault);
    lock_take(&sim->lock);
    made =
        grow_locked(sim) && (task->callback_url == NULL || sim_callback_add_locked(sim, task));
    if (made) {
        new_id_locked(sim, task->created_us, random, task->id);
        size_t at = hash(str_from(task->id)) & (sim->bucket_count - 1);

        task->next = sim->buckets[at];
        sim->buckets[at] = task;
        sim->tasks[sim->task_count++] = task;
        sim->counters.made++;
        if (draft->body.len > SIM_BODIES_MAX - sim->bodies_bytes) {
            free(task->body);
            task->body = NULL;
        }
        sim->bodies_bytes += task->body == NULL ? 0 : draft->body.len;
        memcpy(ret_id, task->id, SIM_ID_BYTES);
    }
    lock_drop(&sim->lock);
    if (!made)
        task_free(task);
    return made;
}

/* The state by the clock alone, and since when. */
static enum sim_status status_at(const struct sim_task *task, int64_t now_us,
                                 int64_t *ret_since_us)
{
    const struct sim_fault *fault = task->fault;
    int64_t start_us = task->start_us, end_us = task->end_us, expire_us = task->expire_us;

    if (task->settled != SIM_STATUS_COUNT) {
        *ret_since_us = task->settled_us;
        return (enum sim_status)task->settled;
    }
    if (expire_us < end_us && now_us >= expire_us) {
        *ret_since_us = expire_us;
        return SIM_EXPIRED;
    }
    if (now_us < start_us) {
        *ret_since_us = task->created_us;
        return SIM_QUEUED;
    }
    if (now_us < end_us) {
        *ret_since_us = start_us;
        return SIM_RUNNING;
    }
    *ret_since_us = end_us;
    if (task->fail_code != NULL || (fault != NULL && fault->fail[0] != '\0'))
        return SIM_FAILED;
    return fault != NULL && fault->expire ? SIM_EXPIRED : SIM_SUCCEEDED;
}

static void view_fault(const struct sim_fault *fault, struct sim_view *view)
{
    if (fault->final_resolution[0] != '\0')
        view->resolution = sim_model_resolution(str_from(fault->final_resolution));
    if (fault->final_ratio[0] != '\0')
        view->ratio = sim_model_ratio(str_from(fault->final_ratio));
    if (fault->final_duration > 0) {
        view->duration = (int)fault->final_duration;
        view->frames = view->duration * SIM_FPS;
        view->by_frames = false;
    }
    if (fault->fail[0] != '\0')
        view->fail_code = fault->fail;
}

static void view_usage(const struct sim_fault *fault, struct sim_view *view)
{
    if (strcmp(fault->usage, "missing") == 0)
        view->has_usage = false;
    else if (strcmp(fault->usage, "negative") == 0)
        view->tokens = -1;
    else if (strcmp(fault->usage, "huge") == 0)
        view->tokens = INT64_C(1000000000000); /* a thousand times what anybody believes */
    else if (fault->usage[0] != '\0')
        (void)str_to_i64(str_from(fault->usage), &view->tokens);
}

void sim_task_view(const struct sim_task *task, int64_t now_us, struct sim_view *ret_view)
{
    struct sim_view view = {.resolution = task->resolution,
                            .ratio = task->ratio,
                            .duration = task->duration,
                            .frames =
                                task->frames > 0 ? task->frames : task->duration * SIM_FPS,
                            .by_frames = task->frames > 0,
                            .fail_code = task->fail_code,
                            .has_usage = true};

    view.status = status_at(task, now_us, &view.updated_us);
    if (task->fault != NULL && view.status != SIM_QUEUED && view.status != SIM_RUNNING)
        view_fault(task->fault, &view);
    sim_model_size(task->model, view.resolution, view.ratio, &view.width, &view.height);
    view.tokens =
        sim_model_tokens(view.width, view.height, view.frames, task->has_video, task->input_ms);
    if (task->draft) /* Ark: a draft counts 0.6 with audio, 0.7 without */
        view.tokens = view.tokens * (task->generate_audio ? 6 : 7) / 10;
    if (task->fault != NULL)
        view_usage(task->fault, &view);
    *ret_view = view;
}

bool sim_task_visible_locked(const struct sim *sim, const struct sim_task *task, int account,
                             int64_t now_us)
{
    struct sim_view view;

    lock_assert_held(&sim->lock);
    /* Ark keeps a record for seven days, a cancelled one for 24 hours. */
    if (task->erased || task->account != account || now_us - task->created_us >= 7 * day_us)
        return false;
    if (task->fault != NULL && task->fault->vanish && now_us >= task->start_us)
        return false;
    sim_task_view(task, now_us, &view);
    return view.status != SIM_CANCELLED || now_us - view.updated_us < day_us;
}

void sim_task_free_all(struct sim *sim)
{
    for (size_t i = 0; i < sim->task_count; i++)
        task_free(sim->tasks[i]);
    free(sim->tasks);
    free(sim->buckets);
    sim->tasks = sim->buckets = NULL;
    sim->task_count = sim->task_cap = sim->bucket_count = 0;
}
