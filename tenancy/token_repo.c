/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of tokens. A row is found by its keyed hash or by its id; the text itself
 * is nowhere. */
#include "tenancy/private.h"

#define COLUMNS                                                                          \
    "k.id, k.identity, k.tenant_id, t.name, k.prefix, k.own_only, k.revoked_us, k.note," \
    " k.created_us, k.expires_us, t.suspended, t.book"
#define TABLES " FROM token k JOIN tenant t ON t.id = k.tenant_id"

static void from_row(struct db_stmt *stmt, struct token *ret_token)
{
    db_copy_text(stmt, 0, ret_token->id, sizeof(ret_token->id));
    db_copy_text(stmt, 1, ret_token->identity, sizeof(ret_token->identity));
    ret_token->tenant_id = db_get_i64(stmt, 2);
    db_copy_text(stmt, 3, ret_token->tenant_name, sizeof(ret_token->tenant_name));
    db_copy_text(stmt, 4, ret_token->prefix, sizeof(ret_token->prefix));
    ret_token->own_only = db_get_i64(stmt, 5) != 0;
    ret_token->revoked = !db_is_null(stmt, 6);
    db_copy_text(stmt, 7, ret_token->note, sizeof(ret_token->note));
    ret_token->created_us = db_get_i64(stmt, 8);
    ret_token->expires_us = db_get_i64(stmt, 9);
}

FALLIBLE token_repo_insert(struct db_conn *conn, const struct token *token,
                           const uint8_t hash[CRYPTO_HASH_BYTES], struct err *err)
{
    static const char sql[] =
        "INSERT INTO token (id, identity, tenant_id, hash, prefix, own_only, note, created_us,"
        " expires_us, revoked_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL)"
        " ON CONFLICT DO NOTHING RETURNING id";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, str_from(token->id));
    db_bind_text(stmt, 2, str_from(token->identity));
    db_bind_i64(stmt, 3, token->tenant_id);
    db_bind_blob(stmt, 4, hash, CRYPTO_HASH_BYTES);
    db_bind_text(stmt, 5, str_from(token->prefix));
    db_bind_i64(stmt, 6, token->own_only);
    db_bind_text(stmt, 7, str_from(token->note));
    db_bind_i64(stmt, 8, token->created_us);
    db_bind_i64(stmt, 9, token->expires_us);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_CONFLICT, "token %s exists", token->id);
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE token_repo_get(struct db_conn *conn, struct str id, struct token *ret_token,
                        struct err *err)
{
    /* cross-tenant: operators name a token by its id alone */
    static const char sql[] = "SELECT " COLUMNS TABLES " WHERE k.id = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, id);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        from_row(stmt, ret_token);
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_NOT_FOUND, "there is no such token");
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE token_repo_by_hash(struct db_conn *conn, const uint8_t hash[CRYPTO_HASH_BYTES],
                            struct token *ret_token, struct tenant *ret_tenant, struct err *err)
{
    /* cross-tenant: this is what finds out the tenant */
    static const char sql[] = "SELECT " COLUMNS TABLES " WHERE k.hash = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_blob(stmt, 1, hash, CRYPTO_HASH_BYTES);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        from_row(stmt, ret_token);
        ret_tenant->suspended = db_get_i64(stmt, 10) != 0;
        db_copy_text(stmt, 11, ret_tenant->book, sizeof(ret_tenant->book));
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_UNAUTHORIZED, "%s", err_text(ERR_UNAUTHORIZED));
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE token_repo_set_expiry(struct db_conn *conn, const struct token *token,
                               int64_t expires_us, struct err *err)
{
    static const char sql[] =
        "UPDATE token SET expires_us = $3 WHERE tenant_id = $1 AND id = $2";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, token->tenant_id);
    db_bind_text(stmt, 2, str_from(token->id));
    db_bind_i64(stmt, 3, expires_us);
    return db_run(stmt, err);
}

FALLIBLE token_repo_revoke(struct db_conn *conn, const struct token *token, int64_t now_us,
                           struct err *err)
{
    static const char sql[] = "UPDATE token SET revoked_us = $3"
                              " WHERE tenant_id = $1 AND id = $2 AND revoked_us IS NULL";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, token->tenant_id);
    db_bind_text(stmt, 2, str_from(token->id));
    db_bind_i64(stmt, 3, now_us);
    return db_run(stmt, err);
}

FALLIBLE token_repo_each(struct db_conn *conn, int64_t tenant_id, struct str after_id,
                         int limit,
                         enum err_code (*visit)(const struct token *token, void *ctx,
                                                struct err *err),
                         void *ctx, struct err *err)
{
    static const char of_tenant[] =
        "SELECT " COLUMNS TABLES " WHERE k.tenant_id = $3 AND k.id > $1"
        " ORDER BY k.id LIMIT $2";
    /* cross-tenant: the operators' list of all tokens */
    static const char of_all[] =
        "SELECT " COLUMNS TABLES " WHERE k.id > $1 ORDER BY k.id LIMIT $2";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    enum db_step step;

    TRY(db_prepare(conn, tenant_id != 0 ? of_tenant : of_all, &stmt, err));
    db_bind_text(stmt, 1, after_id);
    db_bind_i64(stmt, 2, limit > 0 ? limit : 0);
    if (tenant_id != 0)
        db_bind_i64(stmt, 3, tenant_id);
    while ((step = db_step(stmt, err)) == DB_ROW) {
        struct token token;

        from_row(stmt, &token);
        TRY(visit(&token, ctx, err));
    }
    return step == DB_DONE ? ERR_OK : err->code;
}
