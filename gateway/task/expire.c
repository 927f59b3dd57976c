/* SPDX-License-Identifier: Apache-2.0 */
/* What time ends: sends without an outcome past their deadline, and idempotency
 * keys past their day. */
#include "gateway/task/submit_parts.h"

struct expiry {
    int64_t before_us, now_us;
    size_t moved; /* written by the closure */
};

static enum err_code expire_attempts(struct db_conn *conn, void *ctx, struct err *err)
{
    struct expiry *expiry = ctx;
    struct attempt attempts[100];
    size_t count;

    TRY(attempt_repo_expired(conn, expiry->before_us, attempts, COUNT_OF(attempts), &count,
                             err));
    for (size_t i = 0; i < count; i++) {
        struct scope scope = {.tenant_id = attempts[i].tenant_id};
        struct task task;

        TRY(submit_commit_to_unknown(conn, &scope, &attempts[i], 0,
                                     "no outcome by the deadline", expiry->now_us, &task, err));
    }
    expiry->moved = count;
    return ERR_OK;
}

enum err_code expire_sends(struct task_service *service, bool all, struct err *err)
{
    int64_t now_us = sys_now_us();
    struct expiry expiry = {
        .before_us = all ? INT64_MAX : now_us - service->settings.submitting_grace_us,
        .now_us = now_us,
    };

    do {
        expiry.moved = 0;
        TRY(db_write(service->db, expire_attempts, &expiry, err));
    } while (expiry.moved > 0);
    return ERR_OK;
}

static enum err_code drop_keys(struct db_conn *conn, void *ctx, struct err *err)
{
    const int64_t *before_us = ctx;

    return idempotency_repo_sweep(conn, *before_us, err);
}

enum err_code expire_keys(struct task_service *service, struct err *err)
{
    int64_t before_us = sys_now_us() - service->settings.idempotency_us;

    return db_write(service->db, drop_keys, &before_us, err);
}
