/* SPDX-License-Identifier: Apache-2.0 */
/* The attempt table: every send to Ark has its row before the first byte leaves. */
#include "gateway/task/task_rows.h"

#include <string.h>

#define ATTEMPT_COLUMNS                                                                     \
    "task_id, number, tenant_id, account_id, credential_id, state, identifier, sent_model," \
    " created_us, deadline_us, answered_us, clean_scans"

static void read_attempt(struct db_stmt *st, struct attempt *ret_attempt)
{
    struct attempt *attempt = ret_attempt;

    memset(attempt, 0, sizeof(*attempt));
    attempt->task_id = db_get_i64(st, 0);
    attempt->number = db_get_i64(st, 1);
    attempt->tenant_id = db_get_i64(st, 2);
    attempt->account_id = db_get_i64(st, 3);
    attempt->credential_id = db_get_i64(st, 4);
    db_copy_text(st, 5, attempt->state, sizeof(attempt->state));
    if (!db_is_null(st, 6))
        db_copy_text(st, 6, attempt->identifier, sizeof(attempt->identifier));
    db_copy_text(st, 7, attempt->sent_model, sizeof(attempt->sent_model));
    attempt->created_us = db_get_i64(st, 8);
    attempt->deadline_us = db_get_i64(st, 9);
    if (!db_is_null(st, 10))
        attempt->answered_us = db_get_i64(st, 10);
    attempt->clean_scans = db_get_i64(st, 11);
}

static enum err_code read_attempts(struct db_stmt *st, struct attempt *ret_attempts, size_t max,
                                   size_t *ret_count, struct err *err)
{
    enum db_step step = DB_DONE;
    size_t count = 0;

    while (count < max && (step = db_step(st, err)) == DB_ROW)
        read_attempt(st, &ret_attempts[count++]);
    if (step == DB_FAIL)
        return err->code;
    *ret_count = count;
    return ERR_OK;
}

enum err_code attempt_repo_insert(struct db_conn *conn, const struct scope *scope,
                                  const struct attempt *attempt, struct str minted_id,
                                  struct err *err)
{
    static const char sql[] =
        "INSERT INTO attempt (task_id, number, tenant_id, account_id, credential_id, state,"
        " identifier, sent_model, created_us, deadline_us)"
        " VALUES ((SELECT t.id FROM task AS t WHERE t.minted_id = $1 AND t.tenant_id = $2), $3,"
        " $2, $4, $5, 'prepared', $6, $7, $8, $9)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare_rows(conn, sql, &st, err));
    db_bind_text(st, 1, minted_id);
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_i64(st, 3, attempt->number);
    db_bind_i64(st, 4, attempt->account_id);
    db_bind_i64(st, 5, attempt->credential_id);
    if (attempt->identifier[0] != '\0')
        db_bind_text(st, 6, str_from(attempt->identifier));
    else
        db_bind_null(st, 6);
    db_bind_text(st, 7, str_from(attempt->sent_model));
    db_bind_i64(st, 8, attempt->created_us);
    db_bind_i64(st, 9, attempt->deadline_us);
    return db_run(st, err);
}

enum err_code attempt_repo_last(struct db_conn *conn, const struct scope *scope,
                                int64_t task_id, struct attempt *ret_attempt, struct err *err)
{
    static const char sql[] = "SELECT " ATTEMPT_COLUMNS " FROM attempt"
                              " WHERE tenant_id = $1 AND task_id = $2"
                              " ORDER BY number DESC LIMIT 1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, task_id);
    switch (db_step(st, err)) {
    case DB_ROW:
        read_attempt(st, ret_attempt);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_INTERNAL, "task %lld has no attempt", (long long)task_id);
    case DB_FAIL:
        break;
    }
    return err->code;
}

enum err_code attempt_repo_set_state(struct db_conn *conn, const struct scope *scope,
                                     const struct attempt *attempt, const char *state,
                                     int64_t now_us, struct err *err)
{
    static const char sql[] =
        "UPDATE attempt SET state = $5, answered_us = $6"
        " WHERE task_id = $1 AND tenant_id = $2 AND number = $3 AND state = $4";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare_rows(conn, sql, &st, err));
    db_bind_i64(st, 1, attempt->task_id);
    db_bind_i64(st, 2, scope->tenant_id);
    db_bind_i64(st, 3, attempt->number);
    db_bind_text(st, 4, str_from(attempt->state));
    db_bind_text(st, 5, str_from(state));
    db_bind_i64(st, 6, now_us);
    return db_run_one(st, "the attempt is no longer in this state", err);
}

enum err_code attempt_repo_set_detail(struct db_conn *conn, const struct scope *scope,
                                      const struct attempt *attempt, int status,
                                      const char *detail, struct err *err)
{
    static const char sql[] = "UPDATE attempt SET wire_status = $4, detail = $5"
                              " WHERE tenant_id = $1 AND task_id = $2 AND number = $3";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, attempt->task_id);
    db_bind_i64(st, 3, attempt->number);
    if (status != 0)
        db_bind_i64(st, 4, status);
    else
        db_bind_null(st, 4);
    db_bind_text(st, 5, str_from(detail));
    return db_run(st, err);
}

enum err_code attempt_repo_refuse(struct db_conn *conn, const struct scope *scope,
                                  const struct attempt *attempt, const struct err *why,
                                  int status, const char *detail, int64_t now_us,
                                  struct err *err)
{
    static const char sql[] = "UPDATE attempt SET refusal = $4, wire_code = $5, message = $6"
                              " WHERE tenant_id = $1 AND task_id = $2 AND number = $3";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(attempt_repo_set_state(conn, scope, attempt, "refused", now_us, err));
    TRY(attempt_repo_set_detail(conn, scope, attempt, status, detail, err));
    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, attempt->task_id);
    db_bind_i64(st, 3, attempt->number);
    db_bind_text(st, 4, str_from(err_name(why->code)));
    db_bind_text(st, 5, str_from(why->upstream_code));
    db_bind_text(st, 6, str_from(why->msg));
    return db_run(st, err);
}

enum err_code attempt_repo_set_scans(struct db_conn *conn, const struct scope *scope,
                                     const struct attempt *attempt, int64_t clean_scans,
                                     struct err *err)
{
    static const char sql[] = "UPDATE attempt SET clean_scans = $4"
                              " WHERE tenant_id = $1 AND task_id = $2 AND number = $3";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, attempt->task_id);
    db_bind_i64(st, 3, attempt->number);
    db_bind_i64(st, 4, clean_scans);
    return db_run(st, err);
}

enum err_code attempt_repo_refusal(struct db_conn *conn, const struct scope *scope,
                                   int64_t task_id, struct err *err)
{
    static const char sql[] = "SELECT refusal, wire_status, wire_code, message FROM attempt"
                              " WHERE tenant_id = $1 AND task_id = $2 AND state = 'refused'"
                              " ORDER BY number DESC LIMIT 1";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum err_code code;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, scope->tenant_id);
    db_bind_i64(st, 2, task_id);
    enum db_step step = db_step(st, err);

    if (step == DB_FAIL)
        return err->code;
    if (step == DB_DONE)
        return err_detail(err, ERR_INTERNAL, "refusal was not kept");
    code = err_from_name(db_get_text(st, 0));
    (void)err_set(err, code, "%s", "");
    str_copy_cut(err->msg, sizeof(err->msg), db_get_text(st, 3));
    str_copy_cut(err->upstream_code, sizeof(err->upstream_code), db_get_text(st, 2));
    err->upstream_status = code == ERR_UPSTREAM_REFUSED ? (int)db_get_i64(st, 1) : 0;
    return code;
}

enum err_code attempt_repo_unsettled(struct db_conn *conn, int64_t account_id,
                                     int64_t watched_since_us, struct attempt *ret_attempts,
                                     size_t max, size_t *ret_count, struct err *err)
{
    /* cross-tenant: Ark's tasks name no tenant. One part for each partial index. */
    static const char sql[] =
        "SELECT " ATTEMPT_COLUMNS ", 0 AS later FROM attempt"
        " WHERE account_id = $1 AND state = 'prepared'"
        " UNION ALL SELECT " ATTEMPT_COLUMNS ", 0 FROM attempt"
        " WHERE account_id = $1 AND state = 'unknown'"
        " UNION ALL SELECT " ATTEMPT_COLUMNS ", 1 FROM attempt"
        " WHERE account_id = $1 AND state = 'released' AND created_us > $2"
        " ORDER BY later, task_id, number LIMIT $3";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, account_id);
    db_bind_i64(st, 2, watched_since_us);
    db_bind_i64(st, 3, (int64_t)max);
    return read_attempts(st, ret_attempts, max, ret_count, err);
}

enum err_code attempt_repo_expired(struct db_conn *conn, int64_t before_us,
                                   struct attempt *ret_attempts, size_t max, size_t *ret_count,
                                   struct err *err)
{
    /* cross-tenant: a job over every send in flight */
    static const char sql[] = "SELECT " ATTEMPT_COLUMNS " FROM attempt"
                              " WHERE state = 'prepared' AND deadline_us < $1"
                              " ORDER BY deadline_us, task_id, number LIMIT $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, before_us);
    db_bind_i64(st, 2, (int64_t)max);
    return read_attempts(st, ret_attempts, max, ret_count, err);
}

/* The row of an account, which come in order, so it is the last one or a new one. */
static struct adopt_work *work_of(struct adopt_work *work, size_t *inout_count, size_t max,
                                  int64_t account_id)
{
    if (*inout_count > 0 && work[*inout_count - 1].account_id == account_id)
        return &work[*inout_count - 1];
    if (*inout_count == max)
        return NULL;
    work[*inout_count] = (struct adopt_work){.account_id = account_id, .since_us = INT64_MAX};
    return &work[(*inout_count)++];
}

enum err_code attempt_repo_work(struct db_conn *conn, int64_t watched_since_us,
                                struct adopt_work *ret_work, size_t max, size_t *ret_count,
                                struct err *err)
{
    /* cross-tenant: what a scan of each account must look for */
    static const char sql[] =
        "SELECT account_id, state, min(created_us) FROM attempt WHERE state = 'unknown'"
        " GROUP BY account_id, state"
        " UNION ALL SELECT account_id, state, min(created_us) FROM attempt"
        " WHERE state = 'released' AND created_us > $1 GROUP BY account_id, state"
        " ORDER BY 1";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    enum db_step step;
    size_t count = 0;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, watched_since_us);
    while ((step = db_step(st, err)) == DB_ROW) {
        struct adopt_work *work = work_of(ret_work, &count, max, db_get_i64(st, 0));
        int64_t since_us = db_get_i64(st, 2);

        if (work == NULL)
            continue;
        if (since_us < work->since_us)
            work->since_us = since_us;
        if (str_is(db_get_text(st, 1), "unknown"))
            work->unknown_since_us = since_us;
    }
    if (step == DB_FAIL)
        return err->code;
    *ret_count = count;
    return ERR_OK;
}
