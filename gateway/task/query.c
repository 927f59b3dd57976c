/* SPDX-License-Identifier: Apache-2.0 */
/* Reading one task within a scope. What is not visible and what never existed
 * give the same error. */
#include "gateway/task/task_rows.h"

struct query {
    const struct scope *scope;
    struct str id;
    struct task *ret_task;
};

static enum err_code read_task(struct db_conn *conn, void *ctx, struct err *err)
{
    struct query *query = ctx;

    return task_repo_get(conn, query->scope, query->id, query->ret_task, err);
}

enum err_code query_task(struct task_service *service, const struct scope *scope, struct str id,
                         struct task *ret_task, struct err *err)
{
    struct query query = {scope, id, ret_task};

    /* No id of ours or Ark's is longer; what is cannot exist. */
    if (id.len == 0 || id.len > TASK_ID_MAX || !str_is_utf8(id))
        return task_rows_unknown(id, err);
    return db_read_one(service->db, read_task, &query, err);
}
