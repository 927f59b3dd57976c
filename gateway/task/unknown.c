/* SPDX-License-Identifier: Apache-2.0 */
/* The two ways out of unknown, for the reconciler and for the operator alike. Who may
 * take which is decided by them. */
#include "gateway/task/task_rows.h"

enum err_code unknown_adopt(struct db_conn *conn, struct task *task,
                            const struct attempt *attempt, struct str upstream_id,
                            int64_t now_us, const char *note, struct err *err)
{
    struct scope scope = {.tenant_id = task->tenant_id};

    TRY(attempt_repo_set_state(conn, &scope, attempt, "accepted", now_us, err));
    TRY(task_repo_set_upstream(conn, &scope, task, upstream_id, err));
    TRY(stray_repo_close(conn, task->account_id, upstream_id, "adopted", err));
    return task_repo_move(conn, &scope, task, TASK_QUEUED, now_us, note, err);
}

enum err_code unknown_release(struct db_conn *conn, struct task *task,
                              const struct attempt *attempt, const struct unknown_word *word,
                              struct err *err)
{
    struct scope scope = {.tenant_id = task->tenant_id};

    (void)str_copy(task->error_code, sizeof(task->error_code), STR("InternalServiceError"));
    (void)str_copy(task->error_message, sizeof(task->error_message),
                   STR("The service encountered an unexpected internal error."));
    TRY(attempt_repo_set_state(conn, &scope, attempt, "released", word->now_us, err));
    TRY(task_repo_set_outcome(conn, &scope, task, err));
    TRY(hold_release(conn, &scope, str_from(task->minted_id), word->now_us, word->actor,
                     word->reason, err));
    return task_repo_move(conn, &scope, task, TASK_FAILED, word->now_us, word->note, err);
}
