/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of upstreams, their accounts and model mappings. They belong to the
 * installation, so no statement here names a tenant. */
#include "tenancy/private.h"

#include <string.h>

#define COLUMNS                                                            \
    "u.id, u.name, u.base_url, u.state, u.inject, u.weight, u.created_us," \
    " a.id, a.name, a.list_qps, a.get_qps, a.delete_qps, a.batch"
#define TABLES " FROM upstream u JOIN upstream_account a ON a.id = u.account_id"

static const char *const state_names[] = {
    [UPSTREAM_ACTIVE] = "active",
    [UPSTREAM_DRAINING] = "draining",
    [UPSTREAM_REMOVED] = "removed",
};

static enum err_code from_row(struct db_stmt *stmt, struct upstream *ret_upstream,
                              struct err *err)
{
    struct upstream_account *account = &ret_upstream->account;
    struct str state = db_get_text(stmt, 3);
    size_t i = 0;

    while (i < COUNT_OF(state_names) && !str_is(state, state_names[i]))
        i++;
    if (i == COUNT_OF(state_names))
        return err_detail(err, ERR_INTERNAL, "upstream state %.*s", (int)state.len, state.ptr);
    ret_upstream->state = (enum upstream_state)i;
    ret_upstream->id = db_get_i64(stmt, 0);
    db_copy_text(stmt, 1, ret_upstream->name, sizeof(ret_upstream->name));
    db_copy_text(stmt, 2, ret_upstream->base_url, sizeof(ret_upstream->base_url));
    ret_upstream->inject = db_get_i64(stmt, 4) != 0;
    ret_upstream->weight = db_get_i64(stmt, 5);
    ret_upstream->created_us = db_get_i64(stmt, 6);
    account->id = db_get_i64(stmt, 7);
    db_copy_text(stmt, 8, account->name, sizeof(account->name));
    account->list_qps = db_get_i64(stmt, 9);
    account->get_qps = db_get_i64(stmt, 10);
    account->delete_qps = db_get_i64(stmt, 11);
    account->batch = db_get_i64(stmt, 12);
    return ERR_OK;
}

/* Makes the account unless it is there. */
static enum err_code account_insert(struct db_conn *conn, struct str name, struct err *err)
{
    /* The limits that Ark documents for one account; 100 ids fit one list call. */
    static const char sql[] =
        "INSERT INTO upstream_account (name, list_qps, get_qps, delete_qps, batch)"
        " VALUES ($1, 1, 20, 20, 100) ON CONFLICT (name) DO NOTHING";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, name);
    return db_run(stmt, err);
}

FALLIBLE upstream_repo_account(struct db_conn *conn, struct str name,
                               struct upstream_account *ret_account, struct err *err)
{
    static const char sql[] = "SELECT id, name, list_qps, get_qps, delete_qps, batch"
                              " FROM upstream_account WHERE name = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(account_insert(conn, name, err));
    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, name);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        ret_account->id = db_get_i64(stmt, 0);
        db_copy_text(stmt, 1, ret_account->name, sizeof(ret_account->name));
        ret_account->list_qps = db_get_i64(stmt, 2);
        ret_account->get_qps = db_get_i64(stmt, 3);
        ret_account->delete_qps = db_get_i64(stmt, 4);
        ret_account->batch = db_get_i64(stmt, 5);
        return ERR_OK;
    case DB_DONE:
        return err_detail(err, ERR_INTERNAL, "an account vanished");
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE upstream_repo_insert(struct db_conn *conn, struct upstream *upstream, struct err *err)
{
    static const char sql[] = "INSERT INTO upstream (name, account_id, base_url, key_sealed,"
                              " state, inject, weight, created_us)"
                              " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
                              " ON CONFLICT (name) DO NOTHING RETURNING id";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, str_from(upstream->name));
    db_bind_i64(stmt, 2, upstream->account.id);
    db_bind_text(stmt, 3, str_from(upstream->base_url));
    db_bind_blob(stmt, 4, "", 0);
    db_bind_text(stmt, 5, str_from(state_names[upstream->state]));
    db_bind_i64(stmt, 6, upstream->inject);
    db_bind_i64(stmt, 7, upstream->weight);
    db_bind_i64(stmt, 8, upstream->created_us);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        upstream->id = db_get_i64(stmt, 0);
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_CONFLICT, "upstream %s exists", upstream->name);
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE upstream_repo_set_key(struct db_conn *conn, int64_t id, struct str sealed,
                               struct err *err)
{
    static const char sql[] = "UPDATE upstream SET key_sealed = $2 WHERE id = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, id);
    db_bind_blob(stmt, 2, sealed.ptr, sealed.len);
    return db_run(stmt, err);
}

FALLIBLE upstream_repo_key(struct db_conn *conn, int64_t id, struct buf *ret_sealed,
                           struct err *err)
{
    static const char sql[] = "SELECT key_sealed FROM upstream WHERE id = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, id);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        buf_put_str(ret_sealed, db_get_text(stmt, 0));
        return buf_check(ret_sealed, err);
    case DB_DONE:
        return err_set(err, ERR_NOT_FOUND, "there is no such upstream");
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE upstream_repo_find(struct db_conn *conn, struct str name,
                            struct upstream *ret_upstream, struct err *err)
{
    static const char sql[] = "SELECT " COLUMNS TABLES " WHERE u.name = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, name);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        return from_row(stmt, ret_upstream, err);
    case DB_DONE:
        return err_set(err, ERR_NOT_FOUND, "there is no such upstream");
    case DB_FAIL:
        break;
    }
    return err->code;
}

static enum err_code account_update(struct db_conn *conn,
                                    const struct upstream_account *account, struct err *err)
{
    static const char sql[] = "UPDATE upstream_account SET list_qps = $2, get_qps = $3,"
                              " delete_qps = $4, batch = $5 WHERE id = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, account->id);
    db_bind_i64(stmt, 2, account->list_qps);
    db_bind_i64(stmt, 3, account->get_qps);
    db_bind_i64(stmt, 4, account->delete_qps);
    db_bind_i64(stmt, 5, account->batch);
    return db_run(stmt, err);
}

FALLIBLE upstream_repo_update(struct db_conn *conn, const struct upstream *upstream,
                              struct err *err)
{
    static const char sql[] = "UPDATE upstream SET base_url = $2, state = $3, inject = $4,"
                              " weight = $5 WHERE id = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, upstream->id);
    db_bind_text(stmt, 2, str_from(upstream->base_url));
    db_bind_text(stmt, 3, str_from(state_names[upstream->state]));
    db_bind_i64(stmt, 4, upstream->inject);
    db_bind_i64(stmt, 5, upstream->weight);
    TRY(db_run(stmt, err));
    return account_update(conn, &upstream->account, err);
}

static enum err_code model_delete(struct db_conn *conn, int64_t id, struct str model,
                                  struct err *err)
{
    static const char sql[] =
        "DELETE FROM upstream_model WHERE upstream_id = $1 AND model = $2";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, id);
    db_bind_text(stmt, 2, model);
    return db_run(stmt, err);
}

FALLIBLE upstream_repo_set_model(struct db_conn *conn, int64_t id, struct str model,
                                 struct str sent, struct err *err)
{
    static const char sql[] =
        "INSERT INTO upstream_model (upstream_id, model, sent_id) VALUES ($1, $2, $3)"
        " ON CONFLICT (upstream_id, model) DO UPDATE SET sent_id = excluded.sent_id";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    if (sent.len == 0)
        return model_delete(conn, id, model, err);
    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, id);
    db_bind_text(stmt, 2, model);
    db_bind_text(stmt, 3, sent);
    return db_run(stmt, err);
}

FALLIBLE upstream_repo_models(struct db_conn *conn, int64_t id,
                              enum err_code (*visit)(struct str model, struct str sent,
                                                     void *ctx, struct err *err),
                              void *ctx, struct err *err)
{
    static const char sql[] =
        "SELECT model, sent_id FROM upstream_model WHERE upstream_id = $1 ORDER BY model";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, id);
    while ((step = db_step(stmt, err)) == DB_ROW)
        TRY(visit(db_get_text(stmt, 0), db_get_text(stmt, 1), ctx, err));
    return step == DB_DONE ? ERR_OK : err->code;
}

FALLIBLE upstream_repo_each(struct db_conn *conn,
                            enum err_code (*visit)(const struct upstream *upstream, void *ctx,
                                                   struct err *err),
                            void *ctx, struct err *err)
{
    static const char sql[] = "SELECT " COLUMNS TABLES " ORDER BY u.id";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &stmt, err));
    while ((step = db_step(stmt, err)) == DB_ROW) {
        struct upstream upstream;

        TRY(from_row(stmt, &upstream, err));
        TRY(visit(&upstream, ctx, err));
    }
    return step == DB_DONE ? ERR_OK : err->code;
}
