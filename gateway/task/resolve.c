/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's word on what the gateway must not decide alone: a task of unknown
 * outcome, and a hold in review. Each decision is audited in its transaction. */
#include "gateway/task/task_rows.h"

#include "base/json.h"

#include <string.h>

static enum err_code resolve_unknown(struct db_conn *conn, struct task *task,
                                     const struct resolve_request *request, struct err *err)
{
    struct scope scope = {.tenant_id = task->tenant_id};
    struct attempt attempt;
    struct task owner;
    bool owned;

    TRY(attempt_repo_last(conn, &scope, task->id, &attempt, err));
    if (request->release) {
        struct unknown_word word = {.actor = request->actor,
                                    .note = "released by an operator",
                                    .reason = request->reason,
                                    .now_us = request->now_us};

        return unknown_release(conn, task, &attempt, &word, err);
    }
    if (request->upstream_id.len == 0)
        return err_set(err, ERR_USAGE,
                       "the outcome of %s is unknown: give its upstream id, or release it",
                       task->minted_id);
    if (!service_is_upstream_id(request->upstream_id))
        return err_field(err, "upstream_id",
                         "an upstream id is 1 to %d letters, digits, '-', '_' and '.'",
                         TASK_ID_MAX);
    TRY(task_repo_owner(conn, task->account_id, request->upstream_id, &owned, &owner, err));
    if (owned)
        return err_set(err, ERR_CONFLICT, "%.*s already belongs to task %s",
                       (int)request->upstream_id.len, request->upstream_id.ptr,
                       owner.minted_id);
    return unknown_adopt(conn, task, &attempt, request->upstream_id, request->now_us,
                         "adopted by an operator", err);
}

static enum err_code resolve_review(struct db_conn *conn, const struct task *task,
                                    const struct resolve_request *request, struct err *err)
{
    struct scope scope = {.tenant_id = task->tenant_id};
    struct hold_view hold;

    TRY(hold_get(conn, &scope, str_from(task->minted_id), &hold, err));
    if (strcmp(hold.state, "review") != 0)
        return err_set(err, ERR_CONFLICT,
                       "task %s is %s and its hold is %s: nothing to resolve", task->minted_id,
                       state_name(task->state), hold.state);
    if (!request->has_charge && !request->release)
        return err_set(err, ERR_USAGE,
                       "the hold of %s is in review: give the amount to charge, or release it",
                       task->minted_id);
    return hold_resolve(conn, &scope, str_from(task->minted_id),
                        request->has_charge ? request->charge : (struct money){0},
                        request->now_us, request->actor, request->reason, err);
}

static enum err_code resolve(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct resolve_request *request = ctx;
    CLEANUP(buf_fini) struct buf detail = {0};
    struct task task;

    TRY(task_view_find(conn, request->task, &task, err));
    if (task.state == TASK_UNKNOWN)
        TRY(resolve_unknown(conn, &task, request, err));
    else
        TRY(resolve_review(conn, &task, request, err));

    buf_init(&detail, 4096);
    struct json_out out = json_begin(&detail);
    char amount[MONEY_TEXT_MAX];

    json_open_object(&out, NULL);
    if (request->has_charge) {
        money_text(request->charge, amount);
        json_put_text(&out, "charge", str_from(amount));
    }
    if (request->upstream_id.len > 0)
        json_put_text(&out, "upstream_id", request->upstream_id);
    json_put_bool(&out, "release", request->release);
    json_put_text(&out, "reason", request->reason);
    json_close_object(&out);
    TRY(json_end(&out, err));
    TRY(audit_append(conn, request->actor, request->now_us, "task.resolve",
                     str_from(task.minted_id), buf_str(&detail), err));
    /* A running gateway rereads what it watches. */
    return settings_touch(conn, err);
}

enum err_code resolve_task(struct db *db, const struct resolve_request *request,
                           struct err *err)
{
    struct resolve_request copy = *request;

    if (request->reason.len == 0 || request->reason.len > 256)
        return err_field(err, "reason", "a reason of 1 to 256 bytes is required");
    return db_write(db, DB_ALL, resolve, &copy, err);
}
