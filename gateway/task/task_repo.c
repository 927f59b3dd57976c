/* SPDX-License-Identifier: Apache-2.0 */
/* The task table: reading within a scope, inserting, and the one mover. */
#include "gateway/task/task_columns.h"
#include "gateway/task/task_rows.h"

#include <string.h>

enum err_code task_repo_get(struct db_conn *conn, const struct scope *scope, struct str id,
                            struct task *ret_task, struct err *err)
{
    /* The plus keeps the planner on the two id indexes. */
    static const char sql[] = "SELECT " TASK_COLUMNS " FROM task"
                              " WHERE +tenant_id = $1 AND (minted_id = $2 OR upstream_id = $2)"
                              " AND ($3 = 0 OR token_identity = $4) AND state <> 'refused'"
                              " AND deleted_us IS NULL";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_text(st, 2, id);
    db_bind_i64(st, 3, scope->own_only);
    db_bind_text(st, 4, str_from(scope->identity));
    switch (db_step(st, err)) {
    case DB_ROW:
        task_columns_read(st, ret_task);
        return ERR_OK;
    case DB_DONE:
        return task_rows_unknown(id, err);
    case DB_FAIL:
        break;
    }
    return err->code;
}

enum err_code task_repo_load(struct db_conn *conn, const struct scope *scope, int64_t task_id,
                             struct task *ret_task, struct err *err)
{
    static const char sql[] =
        "SELECT " TASK_COLUMNS " FROM task WHERE tenant_id = $1 AND id = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, task_id);
    switch (db_step(st, err)) {
    case DB_ROW:
        task_columns_read(st, ret_task);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_NOT_FOUND, "no task %lld", (long long)task_id);
    case DB_FAIL:
        break;
    }
    return err->code;
}

enum err_code task_repo_owner(struct db_conn *conn, int64_t account_id, struct str upstream_id,
                              bool *ret_found, struct task *ret_task, struct err *err)
{
    /* cross-tenant: Ark's answers name no tenant */
    static const char sql[] =
        "SELECT " TASK_COLUMNS " FROM task WHERE upstream_id = $1 AND account_id = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, upstream_id);
    db_bind_i64(st, 2, account_id);
    switch (db_step(st, err)) {
    case DB_ROW:
        task_columns_read(st, ret_task);
        *ret_found = true;
        return ERR_OK;
    case DB_DONE:
        *ret_found = false;
        return ERR_OK;
    case DB_FAIL:
        break;
    }
    return err->code;
}

/* What lists count of the tasks like this one, in a state. Refused and deleted
 * tasks are hidden and not counted. */
static enum err_code count_task(struct db_conn *conn, const struct task *task,
                                enum task_state state, int64_t change, struct err *err)
{
    static const char sql[] =
        "INSERT INTO task_count (tenant_id, token_identity, model, tier, state, n)"
        " VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (tenant_id, token_identity, model, tier, state)"
        " DO UPDATE SET n = task_count.n + excluded.n";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    if (state == TASK_REFUSED)
        return ERR_OK;
    TRY(db_prepare_rows(conn, sql, &st, err));
    db_bind_i64(st, 1, task->tenant_id);
    db_bind_text(st, 2, str_from(task->token_identity));
    db_bind_text(st, 3, str_from(task->model));
    db_bind_text(st, 4, str_from(task->tier));
    db_bind_text(st, 5, str_from(state_name(state_shown(state))));
    db_bind_i64(st, 6, change);
    return db_run_one(st, "a count was not kept", err);
}

static void bind_optional_i64(struct db_stmt *st, int position, bool present, int64_t value)
{
    if (present)
        db_bind_i64(st, position, value);
    else
        db_bind_null(st, position);
}

static void bind_optional_text(struct db_stmt *st, int position, struct str text)
{
    if (text.len > 0)
        db_bind_text(st, position, text);
    else
        db_bind_null(st, position);
}

enum err_code task_repo_insert(struct db_conn *conn, const struct scope *scope,
                               struct task *task, struct str callback_url, int64_t *ret_id,
                               struct err *err)
{
    static const char sql[] =
        "INSERT INTO task (tenant_id, token_identity, minted_id, account_id, credential_id,"
        " state, dialect, model, model_asked, resolution, ratio, duration, has_video, audio,"
        " audio_asked, last_frame, seed, tier, priority, expires_after, safety_identifier,"
        " created_us, updated_us, frames, draft, draft_task, web_search, callback_url)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,"
        " $18, $19, $20, $21, $22, $22, $23, $24, $25, $26, $27) RETURNING id";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare_rows(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_text(st, 2, str_from(scope->identity));
    db_bind_text(st, 3, str_from(task->minted_id));
    db_bind_i64(st, 4, task->account_id);
    db_bind_i64(st, 5, task->credential_id);
    db_bind_text(st, 6, str_from(state_name(task->state)));
    db_bind_text(st, 7, str_from(task->dialect));
    db_bind_text(st, 8, str_from(task->model));
    db_bind_text(st, 9, str_from(task->model_asked));
    db_bind_text(st, 10, str_from(task->resolution));
    db_bind_text(st, 11, str_from(task->ratio));
    db_bind_i64(st, 12, task->duration);
    db_bind_i64(st, 13, task->has_video);
    db_bind_i64(st, 14, task->audio);
    db_bind_i64(st, 15, task->audio_asked);
    db_bind_i64(st, 16, task->last_frame);
    bind_optional_i64(st, 17, task->has_seed, task->seed);
    db_bind_text(st, 18, str_from(task->tier));
    db_bind_i64(st, 19, task->priority);
    db_bind_i64(st, 20, task->expires_after);
    bind_optional_text(st, 21, str_from(task->safety_identifier));
    db_bind_i64(st, 22, task->created_us);
    bind_optional_i64(st, 23, task->has_frames, task->frames);
    bind_optional_i64(st, 24, task->has_draft, task->draft);
    bind_optional_text(st, 25, str_from(task->draft_task));
    db_bind_i64(st, 26, task->web_search);
    bind_optional_text(st, 27, callback_url);
    TRY(db_run_i64(st, ret_id, "insert returned no id", err));
    task->tenant_id = scope->tenant_id;
    str_copy_cut(task->token_identity, sizeof(task->token_identity), str_from(scope->identity));
    return count_task(conn, task, task->state, 1, err);
}

static enum err_code add_event(struct db_conn *conn, const struct task *task,
                               enum task_state to, int64_t now_us, const char *note,
                               struct err *err)
{
    static const char sql[] =
        "INSERT INTO event (tenant_id, seq, task_id, time_us, from_state, to_state, note)"
        " VALUES ($1, COALESCE((SELECT MAX(e.seq) FROM event AS e WHERE e.tenant_id = $1), 0)"
        " + 1, $2, $3, $4, $5, $6)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare_rows(conn, sql, &st, err));
    db_bind_i64(st, 1, task->tenant_id);
    db_bind_i64(st, 2, task->id);
    db_bind_i64(st, 3, now_us);
    db_bind_text(st, 4, str_from(state_name(task->state)));
    db_bind_text(st, 5, str_from(state_name(to)));
    db_bind_text(st, 6, str_from(note));
    return db_run_one(st, "an event was not kept", err);
}

/* Out of every list. Apart from the move, which would else rewrite each list's index. */
static enum err_code unlist(struct db_conn *conn, const struct task *task, struct err *err)
{
    static const char sql[] = "UPDATE task SET listed = 0 WHERE tenant_id = $1 AND id = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, task->tenant_id);
    db_bind_i64(st, 2, task->id);
    return db_run(st, err);
}

enum err_code task_repo_move(struct db_conn *conn, const struct scope *scope, struct task *task,
                             enum task_state to, int64_t now_us, const char *note,
                             struct err *err)
{
    static const char sql[] = "UPDATE task SET state = $4, updated_us = $5, ended_us = $6"
                              " WHERE id = $1 AND tenant_id = $2 AND state = $3";
    /* Ark has taken it, and its id with it: one change of the row, not two. */
    static const char queued_sql[] =
        "UPDATE task SET state = $4, updated_us = $5, ended_us = $6, upstream_id = $7"
        " WHERE id = $1 AND tenant_id = $2 AND state = $3 AND minted_public = $8";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(state_may_move(task->state, to, err));
    TRY(db_prepare_rows(conn, to == TASK_QUEUED ? queued_sql : sql, &st, err));
    db_bind_i64(st, 1, task->id);
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_text(st, 3, str_from(state_name(task->state)));
    db_bind_text(st, 4, str_from(state_name(to)));
    db_bind_i64(st, 5, now_us);
    if (state_is_terminal(to))
        db_bind_i64(st, 6, now_us);
    else
        db_bind_null(st, 6);
    if (to == TASK_QUEUED) {
        bind_optional_text(st, 7, str_from(task->upstream_id));
        db_bind_i64(st, 8, task->minted_public);
    }
    TRY(db_run_one(st, "the task is no longer in this state", err));
    if (to == TASK_REFUSED)
        TRY(unlist(conn, task, err));
    TRY(add_event(conn, task, to, now_us, note, err));
    if (state_shown(task->state) != state_shown(to)) {
        TRY(count_task(conn, task, task->state, -1, err));
        TRY(count_task(conn, task, to, 1, err));
    }
    task->state = to;
    task->updated_us = now_us;
    task->ended_us = state_is_terminal(to) ? now_us : 0;
    return ERR_OK;
}

enum err_code task_repo_hide(struct db_conn *conn, const struct scope *scope, struct task *task,
                             int64_t now_us, bool *ret_hidden, struct err *err)
{
    static const char sql[] = "UPDATE task SET deleted_us = $3, listed = 0"
                              " WHERE tenant_id = $1 AND id = $2 AND deleted_us IS NULL"
                              " AND state IN ('succeeded', 'failed', 'expired')";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, task->id);
    db_bind_i64(st, 3, now_us);
    TRY(db_run(st, err));
    *ret_hidden = db_changes(st) == 1;
    if (!*ret_hidden)
        return ERR_OK;
    TRY(count_task(conn, task, task->state, -1, err));
    TRY(add_event(conn, task, task->state, now_us, "deleted by the tenant", err));
    task->deleted_us = now_us;
    return ERR_OK;
}

enum err_code task_repo_set_outcome(struct db_conn *conn, const struct scope *scope,
                                    const struct task *task, struct err *err)
{
    static const char sql[] =
        "UPDATE task SET resolution = $3, ratio = $4, duration = $5, audio = $6, tokens = $7,"
        " total_tokens = $8, final_seed = $9, fps = $10, video_url = $11,"
        " last_frame_url = $12, error_code = $13, error_message = $14, frames = $15, draft = "
        "$16,"
        " tool_uses = $17, output_format = $18"
        " WHERE tenant_id = $1 AND id = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, task->id);
    db_bind_text(st, 3, str_from(task->resolution));
    db_bind_text(st, 4, str_from(task->ratio));
    db_bind_i64(st, 5, task->duration);
    db_bind_i64(st, 6, task->audio);
    bind_optional_i64(st, 7, task->has_tokens, task->tokens);
    bind_optional_i64(st, 8, task->has_total_tokens, task->total_tokens);
    bind_optional_i64(st, 9, task->has_final_seed, task->final_seed);
    bind_optional_i64(st, 10, task->has_fps, task->fps);
    bind_optional_text(st, 11, str_from(task->video_url));
    bind_optional_text(st, 12, str_from(task->last_frame_url));
    bind_optional_text(st, 13, str_from(task->error_code));
    bind_optional_text(st, 14, str_from(task->error_message));
    bind_optional_i64(st, 15, task->has_frames, task->frames);
    bind_optional_i64(st, 16, task->has_draft, task->draft);
    bind_optional_i64(st, 17, task->has_tool_uses, task->tool_uses);
    bind_optional_text(st, 18, str_from(task->output_format));
    return db_run(st, err);
}

enum err_code task_repo_set_upstream(struct db_conn *conn, const struct scope *scope,
                                     struct task *task, struct str upstream_id, struct err *err)
{
    static const char sql[] =
        "UPDATE task SET upstream_id = $3 WHERE tenant_id = $1 AND id = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, task->id);
    db_bind_text(st, 3, upstream_id);
    TRY(db_run(st, err));
    str_copy_cut(task->upstream_id, sizeof(task->upstream_id), upstream_id);
    return ERR_OK;
}

enum err_code task_repo_set_route(struct db_conn *conn, const struct scope *scope,
                                  struct task *task, int64_t account_id, int64_t credential_id,
                                  struct err *err)
{
    static const char sql[] =
        "UPDATE task SET account_id = $3, credential_id = $4 WHERE tenant_id = $1 AND id = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, task->id);
    db_bind_i64(st, 3, account_id);
    db_bind_i64(st, 4, credential_id);
    TRY(db_run(st, err));
    task->account_id = account_id;
    task->credential_id = credential_id;
    return ERR_OK;
}

enum err_code task_repo_set_minted_public(struct db_conn *conn, const struct scope *scope,
                                          struct task *task, struct err *err)
{
    static const char sql[] =
        "UPDATE task SET minted_public = 1 WHERE tenant_id = $1 AND id = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, task->id);
    TRY(db_run(st, err));
    task->minted_public = true;
    return ERR_OK;
}

enum err_code task_repo_set_missing(struct db_conn *conn, const struct scope *scope,
                                    struct task *task, int64_t missing_us, struct err *err)
{
    static const char sql[] =
        "UPDATE task SET missing_us = $3 WHERE tenant_id = $1 AND id = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, task->id);
    bind_optional_i64(st, 3, missing_us != 0, missing_us);
    TRY(db_run(st, err));
    task->missing_us = missing_us;
    return ERR_OK;
}

enum err_code task_repo_add_evidence(struct db_conn *conn, const struct scope *scope,
                                     int64_t task_id, struct str body, int64_t now_us,
                                     struct err *err)
{
    static const char sql[] =
        "INSERT INTO evidence (task_id, tenant_id, body, taken_us) VALUES ($1, $2, $3, $4)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, task_id);
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_blob(st, 3, body.ptr, body.len);
    db_bind_i64(st, 4, now_us);
    return db_run(st, err);
}

enum err_code task_repo_overdue(struct db_conn *conn, int64_t before_us, int64_t *ret_ids,
                                int64_t *ret_tenants, size_t max, size_t *ret_count,
                                struct err *err)
{
    /* cross-tenant: a job over all open tasks */
    static const char sql[] =
        "SELECT id, tenant_id FROM task WHERE ended_us IS NULL AND created_us < $1"
        " AND state IN ('queued', 'running') ORDER BY account_id, id LIMIT $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;
    size_t count = 0;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, before_us);
    db_bind_i64(st, 2, (int64_t)max);
    while ((step = db_step(st, err)) == DB_ROW && count < max) {
        ret_ids[count] = db_get_i64(st, 0);
        ret_tenants[count++] = db_get_i64(st, 1);
    }
    if (step == DB_FAIL)
        return err->code;
    *ret_count = count;
    return ERR_OK;
}
