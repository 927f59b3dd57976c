/* SPDX-License-Identifier: Apache-2.0 */
/* Taking in what Ark says of an open task, and ending it: state, usage, charge or
 * release, event and evidence in one transaction. A state that Ark repeats or takes
 * back changes nothing. */
#include "gateway/task/task_rows.h"

#include <stdlib.h>
#include <string.h>

/* One of the tasks that were seen, and whose it is. */
struct settlement {
    int64_t account_id, now_us, tenant_id;
    const struct upstream_task *seen;
};

static struct scope scope_of(const struct task *task)
{
    return (struct scope){.tenant_id = task->tenant_id};
}

/* What the end of a task says about it; members that Ark left out stay as asked. */
static void take_outcome(struct task *task, const struct upstream_task *seen)
{
    if (seen->resolution.len > 0)
        (void)str_copy(task->resolution, sizeof(task->resolution), seen->resolution);
    if (seen->ratio.len > 0)
        (void)str_copy(task->ratio, sizeof(task->ratio), seen->ratio);
    if (seen->has_duration)
        task->duration = seen->duration;
    if (seen->has_audio)
        task->audio = seen->audio;
    task->has_tokens = seen->has_tokens;
    task->tokens = seen->tokens;
    task->has_total_tokens = seen->has_total_tokens;
    task->total_tokens = seen->total_tokens;
    task->has_final_seed = seen->has_seed;
    task->final_seed = seen->seed;
    task->has_fps = seen->has_fps;
    task->fps = seen->fps;
    if (seen->has_frames) {
        task->has_frames = true;
        task->frames = seen->frames;
    } else if (seen->has_duration) {
        task->has_frames = false; /* Ark tells one of them: it counted seconds after all */
    }
    if (seen->has_draft) {
        task->has_draft = true;
        task->draft = seen->draft;
    }
    task->has_tool_uses = seen->has_tool_uses;
    task->tool_uses = seen->tool_uses;
    str_copy_cut(task->output_format, sizeof(task->output_format), seen->output_format);
    str_copy_cut(task->video_url, sizeof(task->video_url), seen->video_url);
    if (task->last_frame)
        str_copy_cut(task->last_frame_url, sizeof(task->last_frame_url), seen->last_frame_url);
    str_copy_cut(task->error_code, sizeof(task->error_code), seen->error_code);
    str_copy_cut(task->error_message, sizeof(task->error_message), seen->error_message);
}

static enum err_code charge(struct db_conn *conn, const struct scope *scope,
                            const struct task *task, const struct upstream_task *seen,
                            int64_t now_us, char note[160], struct err *err)
{
    struct hold_usage usage = {
        .has_tokens = seen->has_tokens,
        .tokens = seen->tokens,
        .output_ms = service_output_ms(task),
        .tool_uses = seen->tool_uses,
        .key = {.model = str_from(task->model),
                .resolution = str_from(task->resolution),
                .video = task->has_video,
                .audio = task->audio,
                .tier = str_from(task->tier)},
        .now_us = now_us,
    };
    struct hold_charge made;

    crypto_sha256(seen->body, usage.evidence);
    TRY(hold_settle(conn, scope, str_from(task->minted_id), &usage, &made, err));
    if (made.result == HOLD_IN_REVIEW) {
        str_copy_cut(note, 160, STR("review: "));
        str_copy_cut(note + 8, 160 - 8, str_from(made.review));
    }
    return ERR_OK;
}

static enum err_code end_task(struct db_conn *conn, struct task *task,
                              const struct upstream_task *seen, int64_t now_us, struct err *err)
{
    struct scope scope = scope_of(task);
    char note[160] = "";

    take_outcome(task, seen);
    TRY(task_repo_set_outcome(conn, &scope, task, err));
    TRY(task_repo_add_evidence(conn, &scope, task->id, seen->body, now_us, err));
    if (seen->state == TASK_SUCCEEDED)
        TRY(charge(conn, &scope, task, seen, now_us, note, err));
    else
        TRY(hold_release(conn, &scope, str_from(task->minted_id), now_us, "system",
                         str_from(state_name(seen->state)), err));
    return task_repo_move(conn, &scope, task, seen->state, now_us, note, err);
}

/* Does what was seen change the row? Most looks find a task as it was. */
static bool is_news(const struct task *task, const struct upstream_task *seen)
{
    return !state_is_terminal(task->state) &&
           (task->missing_us != 0 || state_is_terminal(seen->state) ||
            (seen->state == TASK_RUNNING && task->state == TASK_QUEUED));
}

static enum err_code settle_one(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct settlement *settlement = ctx;
    const struct upstream_task *seen = settlement->seen;
    struct task task;
    bool found;

    if (FAULT_POINT("settle.commit"))
        return err_set(err, ERR_IO, "injected");
    TRY(task_repo_owner(conn, settlement->account_id, seen->id, &found, &task, err));
    if (!found || !is_news(&task, seen))
        return ERR_OK; /* another was quicker */
    struct scope scope = scope_of(&task);

    if (task.missing_us != 0)
        TRY(task_repo_set_missing(conn, &scope, &task, 0, err));
    if (state_is_terminal(seen->state))
        return end_task(conn, &task, seen, settlement->now_us, err);
    if (seen->state == TASK_RUNNING && task.state == TASK_QUEUED)
        return task_repo_move(conn, &scope, &task, TASK_RUNNING, settlement->now_us, "", err);
    return ERR_OK;
}

struct news {
    int64_t account_id, now_us;
    const struct upstream_task *seen;
    size_t seen_count;
    struct settlement *settlements; /* written by the closure, */
    size_t count;                   /* as many as have news */
};

static enum err_code find_news(struct db_conn *conn, void *ctx, struct err *err)
{
    struct news *news = ctx;

    news->count = 0;
    for (size_t i = 0; i < news->seen_count; i++) {
        struct task task;
        bool found;

        TRY(task_repo_owner(conn, news->account_id, news->seen[i].id, &found, &task, err));
        if (found && is_news(&task, &news->seen[i]))
            news->settlements[news->count++] = (struct settlement){
                news->account_id, news->now_us, task.tenant_id, &news->seen[i]};
    }
    return ERR_OK;
}

/* Each for itself: one that fails holds up nobody. The first failure is told. */
static enum err_code settle_each(struct db *db, const struct news *news, struct err *err)
{
    struct db_job *jobs = calloc(news->count, sizeof(*jobs));
    enum err_code first = ERR_OK;

    if (jobs == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for %zu settlements", news->count);
    for (size_t i = 0; i < news->count; i++)
        jobs[i] = (struct db_job){.lane = news->settlements[i].tenant_id,
                                  .fn = settle_one,
                                  .ctx = &news->settlements[i]};
    db_write_jobs(db, jobs, news->count);
    for (size_t i = 0; i < news->count && first == ERR_OK; i++) {
        first = jobs[i].code;
        if (first != ERR_OK)
            *err = jobs[i].err;
    }
    free(jobs);
    return first;
}

enum err_code settle_seen(struct task_service *service, int64_t account_id,
                          const struct upstream_task *seen, size_t count, struct err *err)
{
    struct news news = {account_id, sys_now_us(), seen, count, NULL, 0};
    enum err_code rc;

    if (count == 0)
        return ERR_OK;
    news.settlements = calloc(count, sizeof(*news.settlements));
    if (news.settlements == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for %zu settlements", count);
    rc = db_read(service->db, find_news, &news, err);
    if (rc == ERR_OK && news.count > 0) {
        rc = settle_each(service->db, &news, err);
        (void)FAULT_POINT("settle.after_commit");
    }
    free(news.settlements);
    return rc;
}

/* ---- tasks that Ark no longer answers for ------------------------------------ */

static enum err_code end_in_review(struct db_conn *conn, struct task *task, struct str why,
                                   int64_t now_us, struct err *err)
{
    struct scope scope = scope_of(task);

    (void)str_copy(task->error_code, sizeof(task->error_code), STR("InternalServiceError"));
    (void)str_copy(task->error_message, sizeof(task->error_message),
                   STR("The task could not be completed."));
    TRY(task_repo_set_outcome(conn, &scope, task, err));
    TRY(hold_review(conn, &scope, str_from(task->minted_id), why, now_us, err));
    return task_repo_move(conn, &scope, task, TASK_FAILED, now_us, "review", err);
}

/* Whose task it is; 0 when it is nobody's. */
struct owner {
    int64_t account_id;
    struct str upstream_id;
    int64_t tenant_id; /* written by the closure */
};

static enum err_code find_owner(struct db_conn *conn, void *ctx, struct err *err)
{
    struct owner *owner = ctx;
    struct task task;
    bool found;

    TRY(task_repo_owner(conn, owner->account_id, owner->upstream_id, &found, &task, err));
    owner->tenant_id = found ? task.tenant_id : 0;
    return ERR_OK;
}

struct missing {
    struct task_service *service;
    int64_t account_id, now_us;
    struct str upstream_id;
    bool ended; /* written by the closure */
};

static enum err_code note_missing(struct db_conn *conn, void *ctx, struct err *err)
{
    struct missing *missing = ctx;
    struct task task;
    bool found;

    missing->ended = false;
    TRY(task_repo_owner(conn, missing->account_id, missing->upstream_id, &found, &task, err));
    if (!found || state_is_terminal(task.state)) {
        missing->ended = true;
        return ERR_OK;
    }
    if (task.missing_us == 0) {
        struct scope scope = scope_of(&task);

        return task_repo_set_missing(conn, &scope, &task, missing->now_us, err);
    }
    if (missing->now_us - task.missing_us < missing->service->settings.gone_recheck_us)
        return ERR_OK;
    missing->ended = true;
    return end_in_review(conn, &task, STR("the model service no longer knows the task"),
                         missing->now_us, err);
}

enum err_code settle_missing(struct task_service *service, int64_t account_id,
                             struct str upstream_id, bool *ret_ended, struct err *err)
{
    struct missing missing = {service, account_id, sys_now_us(), upstream_id, true};
    struct owner owner = {account_id, upstream_id, 0};

    TRY(db_read(service->db, find_owner, &owner, err));
    if (owner.tenant_id != 0)
        TRY(db_write(service->db, owner.tenant_id, note_missing, &missing, err));
    *ret_ended = missing.ended;
    return ERR_OK;
}

struct erased {
    int64_t account_id, now_us;
    struct str upstream_id;
};

static enum err_code end_erased(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct erased *erased = ctx;
    struct task task;
    bool found;

    TRY(task_repo_owner(conn, erased->account_id, erased->upstream_id, &found, &task, err));
    if (!found || state_is_terminal(task.state))
        return ERR_OK;
    struct scope scope = scope_of(&task);

    TRY(hold_review(conn, &scope, str_from(task.minted_id),
                    STR("deleted at the model service, which may have finished it just before"),
                    erased->now_us, err));
    return task_repo_move(conn, &scope, &task, TASK_CANCELLED, erased->now_us,
                          "review: erased by the DELETE", err);
}

enum err_code settle_erased(struct task_service *service, int64_t account_id,
                            struct str upstream_id, struct err *err)
{
    struct erased erased = {account_id, sys_now_us(), upstream_id};
    struct owner owner = {account_id, upstream_id, 0};

    TRY(db_read(service->db, find_owner, &owner, err));
    return owner.tenant_id != 0
               ? db_write(service->db, owner.tenant_id, end_erased, &erased, err)
               : ERR_OK;
}

struct overdue {
    int64_t before_us, now_us;
    int64_t ids[200], tenants[200]; /* the next sweep takes what is beyond */
    size_t count, at;
};

static enum err_code find_overdue(struct db_conn *conn, void *ctx, struct err *err)
{
    struct overdue *overdue = ctx;

    return task_repo_overdue(conn, overdue->before_us, overdue->ids, overdue->tenants,
                             COUNT_OF(overdue->ids), &overdue->count, err);
}

static enum err_code end_overdue(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct overdue *overdue = ctx;
    struct scope scope = {.tenant_id = overdue->tenants[overdue->at]};
    struct task task;

    TRY(task_repo_load(conn, &scope, overdue->ids[overdue->at], &task, err));
    if (state_is_terminal(task.state))
        return ERR_OK; /* it ended while we looked */
    return end_in_review(conn, &task, STR("the task was open too long"), overdue->now_us, err);
}

enum err_code settle_overdue(struct task_service *service, struct err *err)
{
    int64_t now_us = sys_now_us();
    struct overdue overdue = {.before_us = now_us - service->settings.open_max_us,
                              .now_us = now_us};
    enum err_code first = ERR_OK;

    TRY(db_read(service->db, find_overdue, &overdue, err));
    for (overdue.at = 0; overdue.at < overdue.count; overdue.at++) {
        struct err each = {0};
        enum err_code rc =
            db_write(service->db, overdue.tenants[overdue.at], end_overdue, &overdue, &each);

        if (rc != ERR_OK && first == ERR_OK) {
            first = rc;
            *err = each;
        }
    }
    return first;
}
