/* SPDX-License-Identifier: Apache-2.0 */
/* The transactions of a create: A before anything is sent, B when the outcome is
 * known. Closures may run twice, so each starts from copies. */
#include "gateway/task/submit_parts.h"

#include <string.h>

static int64_t keys_since_us(const struct create *create)
{
    return create->now_us - create->service->settings.idempotency_us;
}

enum err_code submit_commit_find_twin(struct db_conn *conn, void *ctx, struct err *err)
{
    struct create *create = ctx;

    return idempotency_repo_find(conn, create->scope, create->draft->idempotency_key,
                                 keys_since_us(create), &create->has_twin, &create->twin, err);
}

enum err_code submit_commit_read_twin(struct db_conn *conn, void *ctx, struct err *err)
{
    struct create *create = ctx;

    TRY(task_repo_load(conn, create->scope, create->twin.task_id, &create->task, err));
    TRY(attempt_repo_last(conn, create->scope, create->twin.task_id, &create->attempt, err));
    if (create->task.state == TASK_REFUSED)
        return attempt_repo_refusal(conn, create->scope, create->twin.task_id, err);
    return ERR_OK;
}

enum err_code submit_commit_publish_minted(struct db_conn *conn, void *ctx, struct err *err)
{
    struct create *create = ctx;

    TRY(task_repo_load(conn, create->scope, create->twin.task_id, &create->task, err));
    if (create->task.state == TASK_REFUSED) /* just now: its id is nobody's any more */
        return attempt_repo_refusal(conn, create->scope, create->twin.task_id, err);
    return create->task.state == TASK_SUBMITTING
               ? task_repo_set_minted_public(conn, create->scope, &create->task, err)
               : ERR_OK;
}

enum err_code submit_commit_a(struct db_conn *conn, void *ctx, struct err *err)
{
    struct create *create = ctx;
    struct task task = create->task; /* closures may run again: start from the same */
    struct hold_request hold = {
        .task = str_from(task.minted_id),
        .price = &create->price,
        .tokens = create->plan.max_tokens,
        .output_ms = create->plan.duration_max * 1000,
        .now_us = create->now_us,
    };
    struct money held;

    create->has_twin = false;
    if (create->draft->idempotency_key.len > 0) {
        TRY(submit_commit_find_twin(conn, create, err));
        if (create->has_twin)
            return ERR_OK;
    }
    /* The money first: without it nothing else is asked of the database. */
    TRY(hold_place(conn, create->scope, &hold, &held, err));
    TRY(task_repo_insert(conn, create->scope, &task, create->draft->callback_url,
                         &create->task.id, err));
    TRY(attempt_repo_insert(conn, create->scope, &create->attempt, str_from(task.minted_id),
                            err));
    for (size_t i = 0; i < create->draft->asset_count; i++)
        TRY(asset_note_use(conn, create->scope, create->draft->assets[i].id,
                           str_from(task.minted_id), create->now_us, err));
    if (create->draft->idempotency_key.len > 0) {
        struct idempotency row = {.created_us = create->now_us};

        memcpy(row.body_hash, create->body_hash, sizeof(row.body_hash));
        TRY(idempotency_repo_add(conn, create->scope, create->draft->idempotency_key, &row,
                                 str_from(task.minted_id), keys_since_us(create), err));
    }
    return ERR_OK;
}

enum err_code submit_commit_accepted(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct outcome *outcome = ctx;
    struct create *create = outcome->create;
    const struct scope *scope = create->scope;
    struct task task = create->task;

    task.state = TASK_SUBMITTING; /* whatever a run of this that is not there made of it */
    if (outcome->fresh)
        TRY(task_repo_load(conn, scope, create->task.id, &task, err));
    TRY(attempt_repo_set_state(conn, scope, &create->attempt, "accepted", outcome->now_us,
                               err));
    str_copy_cut(task.upstream_id, sizeof(task.upstream_id),
                 str_from(outcome->answer->upstream_id));
    TRY(task_repo_move(conn, scope, &task, TASK_QUEUED, outcome->now_us, "", err));
    /* A scan may have seen it before we knew that it is ours. */
    TRY(stray_repo_close(conn, task.account_id, str_from(task.upstream_id), "adopted", err));
    create->task = task;
    return ERR_OK;
}

/* A twin gave the minted id away at the deadline: an id that a client has must not
 * vanish, so the task is seen to fail instead. */
static enum err_code fail_published(struct db_conn *conn, const struct outcome *outcome,
                                    struct task *task, struct err *err)
{
    const struct scope *scope = outcome->create->scope;

    (void)str_copy(task->error_code, sizeof(task->error_code), STR("InternalServiceError"));
    str_copy_cut(task->error_message, sizeof(task->error_message), str_from(outcome->why->msg));
    TRY(task_repo_set_outcome(conn, scope, task, err));
    TRY(task_repo_move(conn, scope, task, TASK_UNKNOWN, outcome->now_us, "", err));
    TRY(task_repo_move(conn, scope, task, TASK_FAILED, outcome->now_us,
                       err_name(outcome->why->code), err));
    outcome->create->task = *task;
    return ERR_OK;
}

enum err_code submit_commit_refused(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct outcome *outcome = ctx;
    struct create *create = outcome->create;
    const struct scope *scope = create->scope;
    struct task task;

    TRY(task_repo_load(conn, scope, create->task.id, &task, err));
    TRY(attempt_repo_refuse(conn, scope, &create->attempt, outcome->why,
                            outcome->answer->status, outcome->answer->detail, outcome->now_us,
                            err));
    if (outcome->again != NULL) {
        TRY(task_repo_set_route(conn, scope, &task, outcome->again->account_id,
                                outcome->again->credential_id, err));
        TRY(attempt_repo_insert(conn, scope, outcome->again, str_from(task.minted_id), err));
        create->task = task;
        return ERR_OK;
    }
    TRY(hold_release(conn, scope, str_from(task.minted_id), outcome->now_us, "system",
                     STR("refused upstream"), err));
    if (task.minted_public)
        return fail_published(conn, outcome, &task, err);
    if (create->draft->idempotency_key.len > 0)
        TRY(idempotency_repo_drop(conn, scope, create->draft->idempotency_key, task.id, err));
    TRY(task_repo_move(conn, scope, &task, TASK_REFUSED, outcome->now_us,
                       err_name(outcome->why->code), err));
    create->task = task;
    return ERR_OK;
}

enum err_code submit_commit_to_unknown(struct db_conn *conn, const struct scope *scope,
                                       const struct attempt *attempt, int status,
                                       const char *detail, int64_t now_us,
                                       struct task *ret_task, struct err *err)
{
    TRY(task_repo_load(conn, scope, attempt->task_id, ret_task, err));
    TRY(attempt_repo_set_state(conn, scope, attempt, "unknown", now_us, err));
    TRY(attempt_repo_set_detail(conn, scope, attempt, status, detail, err));
    TRY(task_repo_set_minted_public(conn, scope, ret_task, err));
    return task_repo_move(conn, scope, ret_task, TASK_UNKNOWN, now_us, "", err);
}

enum err_code submit_commit_unknown(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct outcome *outcome = ctx;
    struct create *create = outcome->create;
    struct task task;

    TRY(submit_commit_to_unknown(conn, create->scope, &create->attempt, outcome->answer->status,
                                 outcome->answer->detail, outcome->now_us, &task, err));
    create->task = task;
    return ERR_OK;
}
