/* SPDX-License-Identifier: Apache-2.0 */
/* What time ends: sends without an outcome past their deadline, and idempotency
 * keys past their day. */
#include "gateway/task/submit_parts.h"

enum {
    EXPIRED_MAX = 4096, /* as many as there can be workers */
    KEYS_AT_ONCE = 2000 /* of a few ms, for others wait to write meanwhile */
};

struct expiry {
    int64_t before_us, now_us;
    struct attempt *attempts;
    size_t count, at;
};

static enum err_code find_expired(struct db_conn *conn, void *ctx, struct err *err)
{
    struct expiry *expiry = ctx;

    return attempt_repo_expired(conn, expiry->before_us, expiry->attempts, EXPIRED_MAX,
                                &expiry->count, err);
}

static enum err_code expire_one(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct expiry *expiry = ctx;
    const struct attempt *attempt = &expiry->attempts[expiry->at];
    struct scope scope = {.tenant_id = attempt->tenant_id};
    struct task task;

    return submit_commit_to_unknown(conn, &scope, attempt, 0, "no outcome by the deadline",
                                    expiry->now_us, &task, err);
}

enum err_code expire_sends(struct task_service *service, bool all, struct err *err)
{
    int64_t now_us = sys_now_us();
    CLEANUP(arena_fini) struct arena arena = {0};
    struct expiry expiry = {
        .before_us = all ? INT64_MAX : now_us - service->settings.submitting_grace_us,
        .now_us = now_us,
    };
    enum err_code first = ERR_OK;

    arena_init(&arena, EXPIRED_MAX * sizeof(struct attempt));
    expiry.attempts = arena_alloc(&arena, EXPIRED_MAX * sizeof(struct attempt));
    if (expiry.attempts == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    TRY(db_read(service->db, find_expired, &expiry, err));
    /* Each for itself: one that fails, or whose outcome came after all, holds up
     * nobody. */
    for (expiry.at = 0; expiry.at < expiry.count; expiry.at++) {
        struct err each = {0};
        enum err_code rc = db_write(service->db, expiry.attempts[expiry.at].tenant_id,
                                    expire_one, &expiry, &each);

        if (rc != ERR_OK && rc != ERR_CONFLICT && first == ERR_OK) {
            first = rc;
            *err = each;
        }
    }
    return first;
}

struct sweep {
    int64_t before_us;
    int64_t count; /* written by the closure */
};

static enum err_code drop_keys(struct db_conn *conn, void *ctx, struct err *err)
{
    struct sweep *sweep = ctx;

    return idempotency_repo_sweep(conn, sweep->before_us, KEYS_AT_ONCE, &sweep->count, err);
}

enum err_code expire_keys(struct task_service *service, struct err *err)
{
    struct sweep sweep = {.before_us = sys_now_us() - service->settings.idempotency_us};

    do {
        TRY(db_write(service->db, DB_APART, drop_keys, &sweep, err));
    } while (sweep.count == KEYS_AT_ONCE);
    return ERR_OK;
}
