/* SPDX-License-Identifier: Apache-2.0 */
/* A tenant's DELETE. Ark erases the usage and the video of a task that has ended, and
 * charges us all the same: so a DELETE goes out only for a task that was just seen
 * queued, and a second look decides what it did. What a look shows is settled first,
 * as the poller would; who else settles the same task at that moment loses or wins by
 * the compare-and-set of its row. */
#include "gateway/task/task_rows.h"

enum {
    FRESH_US = 2000000, /* how old a look may be when the DELETE leaves */
    ROUNDS_MAX = 3,     /* looks that may grow too old before their DELETE's turn */
    LOOKS_AFTER = 3,    /* Ark may show a moment late what its DELETE did */
    PAUSE_US = 200000,  /* between those */
    ARENA_MAX = 4 << 20 /* a look keeps less than 0.5 MB */
};

struct cancel {
    struct task_service *service;
    const struct scope *scope;
    struct str id;     /* as it was asked for */
    const char *actor; /* an operator; NULL: the tenant */
    struct task task;
    struct arena arena;
    int64_t now_us, deadline_us; /* wall clock; monotonic */
    bool done;                   /* written by closures: this call changed the row */
};

static void cancel_fini(struct cancel *cancel)
{
    arena_fini(&cancel->arena);
}

/* ---- what the row alone decides ------------------------------------------------ */

static enum err_code write_audit(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct cancel *cancel = ctx;

    return audit_append(conn, cancel->actor, cancel->now_us, "task.cancel",
                        str_from(cancel->task.minted_id), STR("{}"), err);
}

static enum err_code cancel_waiting(struct db_conn *conn, void *ctx, struct err *err)
{
    struct cancel *cancel = ctx;
    struct task *task = &cancel->task;

    cancel->done = false;
    TRY(task_repo_load(conn, cancel->scope, task->id, task, err));
    if (task->state != TASK_WAITING)
        return ERR_OK; /* it left the queue while we looked */
    TRY(hold_release(conn, cancel->scope, str_from(task->minted_id), cancel->now_us, "system",
                     STR("cancelled"), err));
    TRY(task_repo_move(conn, cancel->scope, task, TASK_CANCELLED, cancel->now_us, "", err));
    if (cancel->actor != NULL)
        TRY(write_audit(conn, cancel, err));
    cancel->done = true;
    return ERR_OK;
}

static enum err_code hide(struct db_conn *conn, void *ctx, struct err *err)
{
    struct cancel *cancel = ctx;

    return task_repo_hide(conn, cancel->scope, &cancel->task, cancel->now_us, &cancel->done,
                          err);
}

static enum err_code running(const struct cancel *cancel, struct err *err)
{
    return err_set(err, ERR_TASK_RUNNING,
                   "Cannot delete task `%.*s` because it is currently running.",
                   (int)cancel->id.len, cancel->id.ptr);
}

/* The answer for a task in this state. */
static enum err_code answer(struct cancel *cancel, struct err *err)
{
    switch (cancel->task.state) {
    case TASK_SUCCEEDED:
    case TASK_FAILED:
    case TASK_EXPIRED:
    case TASK_REFUSED: /* an operator's eyes alone get here */
        if (cancel->actor != NULL)
            return err_set(err, ERR_CONFLICT, "task %s has ended, it is %s",
                           cancel->task.minted_id, state_name(cancel->task.state));
        cancel->now_us = sys_now_us();
        TRY(db_write(cancel->service->db, cancel->scope->tenant_id, hide, cancel, err));
        return cancel->done ? ERR_OK : task_rows_unknown(cancel->id, err);
    case TASK_CANCELLED:
        return err_set(err, ERR_TASK_CANCELLED,
                       "Cannot delete task `%.*s` because it is cancelled.",
                       (int)cancel->id.len, cancel->id.ptr);
    case TASK_QUEUED:
        return err_detail(err, ERR_UPSTREAM, "cancel: task %s is still queued",
                          cancel->task.upstream_id);
    default:
        return running(cancel, err);
    }
}

/* ---- what Ark decides ------------------------------------------------------------ */

static enum err_code look(struct cancel *cancel, struct provider_sight *ret_sight,
                          struct err *err)
{
    const struct provider *provider = cancel->service->provider;
    const struct task *task = &cancel->task;

    TRY(provider->look(provider->self, task->account_id, task->upstream_id, cancel->deadline_us,
                       &cancel->arena, ret_sight, err));
    if (ret_sight->gone)
        return ERR_OK;
    return settle_seen(cancel->service, task->account_id, &ret_sight->task, 1, err);
}

static bool is_queued(const struct provider_sight *sight)
{
    return !sight->gone && sight->task.state == TASK_QUEUED;
}

/* Looks and, if the task is queued, deletes; *ret_sent tells whether anything left. */
static enum err_code look_and_remove(struct cancel *cancel, bool *ret_sent,
                                     enum provider_removal *ret_removal, struct err *err)
{
    const struct provider *provider = cancel->service->provider;
    const struct task *task = &cancel->task;
    struct provider_sight sight;

    *ret_sent = false;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        TRY(look(cancel, &sight, err));
        if (is_queued(&sight) && cancel->actor != NULL && round == 0)
            TRY(db_write(cancel->service->db, DB_ALL, write_audit, cancel, err));
        if (!is_queued(&sight))
            return ERR_OK; /* one that is gone is the poller's: it asks again, then ends it */
        TRY(provider->remove(provider->self, task->account_id, task->upstream_id,
                             sight.asked_mono_us + FRESH_US, cancel->deadline_us, ret_removal,
                             err));
        if (*ret_removal != PROVIDER_STALE) {
            *ret_sent = true;
            return ERR_OK;
        }
    }
    return err_detail(err, ERR_UPSTREAM, "cancel: Ark shows task %s too slowly",
                      task->upstream_id);
}

/* What became of the task after a DELETE. */
static enum err_code look_after(struct cancel *cancel, enum provider_removal removal,
                                struct err *err)
{
    struct provider_sight sight;
    enum err_code rc = look(cancel, &sight, err);

    for (int i = 1; rc == ERR_OK && is_queued(&sight) && i < LOOKS_AFTER; i++) {
        sys_sleep_us(PAUSE_US);
        rc = look(cancel, &sight, err);
    }
    if (rc == ERR_BUSY) /* "try again" would say that nothing was sent */
        return err_detail(err, ERR_UPSTREAM, "cancel: no look after the DELETE of task %s",
                          cancel->task.upstream_id);
    if (rc != ERR_OK || !sight.gone || removal == PROVIDER_KEPT)
        return rc; /* gone, but not by this DELETE: another call's, or the poller's matter */
    return settle_erased(cancel->service, cancel->task.account_id,
                         str_from(cancel->task.upstream_id), err);
}

static enum err_code reload(struct db_conn *conn, void *ctx, struct err *err)
{
    struct cancel *cancel = ctx;

    return task_repo_load(conn, cancel->scope, cancel->task.id, &cancel->task, err);
}

static enum err_code cancel_queued(struct cancel *cancel, struct err *err)
{
    enum provider_removal removal = PROVIDER_KEPT;
    enum err_code after = ERR_OK;
    struct err why = {0};
    bool sent;

    TRY(look_and_remove(cancel, &sent, &removal, err));
    if (sent)
        after = look_after(cancel, removal, &why);
    TRY(db_read(cancel->service->db, reload, cancel, err));
    if (after != ERR_OK && cancel->task.state == TASK_QUEUED) {
        *err = why; /* else the poller has found out meanwhile */
        return after;
    }
    if (sent && removal == PROVIDER_DELETED && cancel->task.state == TASK_CANCELLED)
        return ERR_OK;
    return answer(cancel, err);
}

/* From a row that was just read. */
static enum err_code cancel_read(struct cancel *cancel, struct err *err)
{
    struct task_service *service = cancel->service;

    cancel->now_us = sys_now_us();
    cancel->deadline_us = sys_mono_us() + service->settings.cancel_us;
    arena_init(&cancel->arena, ARENA_MAX);
    if (cancel->task.state == TASK_WAITING) {
        int64_t lane =
            cancel->actor != NULL ? DB_ALL : cancel->scope->tenant_id; /* the audit */

        TRY(db_write(service->db, lane, cancel_waiting, cancel, err));
        if (cancel->done)
            return ERR_OK;
    }
    if (cancel->task.state != TASK_QUEUED)
        return answer(cancel, err);
    TRY(waiting_enter(service->waiting, cancel->scope->tenant_id, err));
    enum err_code rc = cancel_queued(cancel, err);

    waiting_leave(service->waiting, cancel->scope->tenant_id);
    return rc;
}

enum err_code cancel_task(struct task_service *service, const struct scope *scope,
                          struct str id, struct err *err)
{
    CLEANUP(cancel_fini)
    struct cancel cancel = {.service = service, .scope = scope, .id = id};

    TRY(query_task(service, scope, id, &cancel.task, err));
    return cancel_read(&cancel, err);
}

static enum err_code find_any(struct db_conn *conn, void *ctx, struct err *err)
{
    struct cancel *cancel = ctx;

    return task_view_find(conn, cancel->id, &cancel->task, err);
}

enum err_code cancel_as_operator(struct task_service *service, struct str id, const char *actor,
                                 struct err *err)
{
    struct scope scope = {0};
    CLEANUP(cancel_fini)
    struct cancel cancel = {.service = service, .scope = &scope, .id = id, .actor = actor};

    TRY(db_read(service->db, find_any, &cancel, err));
    scope.tenant_id = cancel.task.tenant_id;
    return cancel_read(&cancel, err);
}
