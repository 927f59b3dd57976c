/* SPDX-License-Identifier: Apache-2.0 */
/* Ark's tasks that no row owns, as the reconciler saw them. */
#include "gateway/task/task_rows.h"

enum err_code stray_repo_put(struct db_conn *conn, int64_t account_id,
                             const struct upstream_task *stray, const char *state,
                             int64_t now_us, struct err *err)
{
    static const char sql[] =
        "INSERT INTO stray (account_id, upstream_id, state, first_seen_us, created_s, body)"
        " VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (account_id, upstream_id) DO UPDATE SET state = $3, body = $6"
        " WHERE stray.state IN ('open', 'ambiguous')";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, account_id);
    db_bind_text(st, 2, stray->id);
    db_bind_text(st, 3, str_from(state));
    db_bind_i64(st, 4, now_us);
    db_bind_i64(st, 5, stray->created_s);
    db_bind_blob(st, 6, stray->body.ptr, stray->body.len);
    return db_run(st, err);
}

enum err_code stray_repo_close(struct db_conn *conn, int64_t account_id, struct str upstream_id,
                               const char *state, struct err *err)
{
    static const char sql[] =
        "UPDATE stray SET state = $3 WHERE account_id = $1 AND upstream_id = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, account_id);
    db_bind_text(st, 2, upstream_id);
    db_bind_text(st, 3, str_from(state));
    return db_run(st, err);
}
