/* SPDX-License-Identifier: Apache-2.0 */
/* What operators and jobs read of tasks, across tenants. */
#include "gateway/task/task_columns.h"

#include <string.h>

enum err_code task_view_find(struct db_conn *conn, struct str id, struct task *ret_task,
                             struct err *err)
{
    /* cross-tenant: the operator names a task by its id alone. "+ 0": PostgreSQL would walk
     * all ids in their order rather than sort the few that fit. */
    static const char sql[] =
        "SELECT " TASK_COLUMNS " FROM task"
        " WHERE minted_id = $1 OR upstream_id = $1 ORDER BY id + 0 LIMIT 1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_text(st, 1, id);
    switch (db_step(st, err)) {
    case DB_ROW:
        task_columns_read(st, ret_task);
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_NOT_FOUND, "there is no task %.*s",
                       (int)(id.len < TASK_ID_MAX ? id.len : TASK_ID_MAX), id.ptr);
    case DB_FAIL:
        break;
    }
    return err->code;
}

enum err_code task_view_events(struct db_conn *conn, const struct task *task,
                               enum err_code (*visit)(const struct task_event *event, void *ctx,
                                                      struct err *err),
                               void *ctx, struct err *err)
{
    static const char sql[] = "SELECT seq, time_us, from_state, to_state, note FROM event"
                              " WHERE tenant_id = $1 AND task_id = $2 ORDER BY seq";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, task->tenant_id);
    db_bind_i64(st, 2, task->id);
    while ((step = db_step(st, err)) == DB_ROW) {
        struct task_event event = {.seq = db_get_i64(st, 0), .time_us = db_get_i64(st, 1)};

        db_copy_text(st, 2, event.from, sizeof(event.from));
        db_copy_text(st, 3, event.to, sizeof(event.to));
        db_copy_text(st, 4, event.note, sizeof(event.note));
        TRY(visit(&event, ctx, err));
    }
    return step == DB_FAIL ? err->code : ERR_OK;
}

static enum err_code visit_tasks(struct db_stmt *st,
                                 enum err_code (*visit)(const struct task *task, void *ctx,
                                                        struct err *err),
                                 void *ctx, struct err *err)
{
    enum db_step step;
    struct task task;

    while ((step = db_step(st, err)) == DB_ROW) {
        task_columns_read(st, &task);
        TRY(visit(&task, ctx, err));
    }
    return step == DB_FAIL ? err->code : ERR_OK;
}

enum err_code task_view_callback(struct db_conn *conn, const struct task *task,
                                 char ret_url[TASK_URL_MAX + 1], struct err *err)
{
    static const char sql[] = "SELECT callback_url FROM task WHERE tenant_id = $1 AND id = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, task->tenant_id);
    db_bind_i64(st, 2, task->id);
    ret_url[0] = '\0';
    switch (db_step(st, err)) {
    case DB_ROW:
        if (!db_is_null(st, 0))
            db_copy_text(st, 0, ret_url, TASK_URL_MAX + 1);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_NOT_FOUND, "no task %lld", (long long)task->id);
    case DB_FAIL:
        break;
    }
    return err->code;
}

enum err_code task_view_list(struct db_conn *conn, const struct task_filter *filter,
                             enum err_code (*visit)(const struct task *task, void *ctx,
                                                    struct err *err),
                             void *ctx, struct err *err)
{
    static const char sql[] =
        "SELECT " TASK_COLUMNS " FROM task WHERE ($1 = 0 OR tenant_id = $1)"
        " AND ($2 = '' OR state = $2) AND id < $3 ORDER BY id DESC LIMIT $4";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, filter->tenant_id);
    db_bind_text(st, 2, filter->state);
    db_bind_i64(st, 3, filter->before != 0 ? filter->before : INT64_MAX);
    db_bind_i64(st, 4, filter->limit);
    return visit_tasks(st, visit, ctx, err);
}

enum err_code task_view_open(struct db_conn *conn, int64_t account_id, int64_t after, int limit,
                             enum err_code (*visit)(const struct task_open *open, void *ctx,
                                                    struct err *err),
                             void *ctx, struct err *err)
{
    /* cross-tenant: the poller asks Ark for all of an account */
    static const char sql[] =
        "SELECT id, created_us, upstream_id, missing_us FROM task"
        " WHERE account_id = $1 AND id > $2 AND ended_us IS NULL AND upstream_id IS NOT NULL"
        " ORDER BY id LIMIT $3";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, account_id);
    db_bind_i64(st, 2, after);
    db_bind_i64(st, 3, limit);
    while ((step = db_step(st, err)) == DB_ROW) {
        struct task_open open = {.id = db_get_i64(st, 0),
                                 .created_us = db_get_i64(st, 1),
                                 .missing = !db_is_null(st, 3)};

        db_copy_text(st, 2, open.upstream_id, sizeof(open.upstream_id));
        TRY(visit(&open, ctx, err));
    }
    return step == DB_FAIL ? err->code : ERR_OK;
}

/* The one number that a statement selects; NULL counts as 0. */
static enum err_code step_number(struct db_stmt *st, int64_t *ret_number, struct err *err)
{
    switch (db_step(st, err)) {
    case DB_ROW:
        *ret_number = db_is_null(st, 0) ? 0 : db_get_i64(st, 0);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_INTERNAL, "a count returned no row");
    case DB_FAIL:
        break;
    }
    return err->code;
}

static enum err_code one_number(struct db_conn *conn, const char *sql, int64_t *ret_number,
                                struct err *err)
{
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    return step_number(st, ret_number, err);
}

enum err_code task_view_health(struct db_conn *conn, struct task_health *ret_health,
                               struct err *err)
{
    /* cross-tenant: counts of the whole installation */
    static const char open_sql[] = "SELECT count(*) FROM task WHERE ended_us IS NULL";
    /* cross-tenant: likewise */
    static const char oldest_sql[] = "SELECT min(created_us) FROM task WHERE ended_us IS NULL";
    /* cross-tenant: likewise */
    static const char submitting_sql[] =
        "SELECT count(*) FROM attempt WHERE state = 'prepared'";
    /* cross-tenant: likewise */
    static const char unknown_sql[] = "SELECT count(*) FROM attempt WHERE state = 'unknown'";
    /* cross-tenant: likewise */
    static const char review_sql[] = "SELECT count(*) FROM hold WHERE state = 'review'";
    static const char stray_sql[] = "SELECT count(*) FROM stray WHERE state = 'ambiguous'";
    static const char open_stray_sql[] = "SELECT count(*) FROM stray WHERE state = 'open'";

    TRY(one_number(conn, open_sql, &ret_health->open, err));
    TRY(one_number(conn, oldest_sql, &ret_health->oldest_open_us, err));
    TRY(one_number(conn, submitting_sql, &ret_health->submitting, err));
    TRY(one_number(conn, unknown_sql, &ret_health->unknown, err));
    TRY(one_number(conn, review_sql, &ret_health->review, err));
    TRY(one_number(conn, open_stray_sql, &ret_health->open_strays, err));
    return one_number(conn, stray_sql, &ret_health->ambiguous_strays, err);
}

enum err_code task_view_open_count(struct db_conn *conn, int64_t credential_id,
                                   int64_t *ret_count, struct err *err)
{
    /* cross-tenant: whoever uses the credential */
    static const char sql[] =
        "SELECT count(*) FROM task WHERE credential_id = $1 AND ended_us IS NULL";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, credential_id);
    return step_number(st, ret_count, err);
}

enum err_code task_view_strays(struct db_conn *conn, int limit,
                               enum err_code (*visit)(const struct task_stray *stray, void *ctx,
                                                      struct err *err),
                               void *ctx, struct err *err)
{
    static const char sql[] = "SELECT account_id, upstream_id, state, first_seen_us FROM stray"
                              " WHERE state = 'ambiguous' ORDER BY account_id, upstream_id"
                              " LIMIT $1";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, limit);
    while ((step = db_step(st, err)) == DB_ROW) {
        struct task_stray stray = {.account_id = db_get_i64(st, 0),
                                   .first_seen_us = db_get_i64(st, 3)};

        db_copy_text(st, 1, stray.upstream_id, sizeof(stray.upstream_id));
        db_copy_text(st, 2, stray.state, sizeof(stray.state));
        TRY(visit(&stray, ctx, err));
    }
    return step == DB_FAIL ? err->code : ERR_OK;
}
