/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of access keys. The secret is in them sealed; nothing here can open it. */
#include "tenancy/private.h"

#define COLUMNS                                                                \
    "k.id, k.identity, k.tenant_id, t.name, k.own_only, k.revoked_us, k.note," \
    " k.created_us"
#define TABLES " FROM access_key k JOIN tenant t ON t.id = k.tenant_id"

static void from_row(struct db_stmt *stmt, struct access_key *ret_key)
{
    db_copy_text(stmt, 0, ret_key->id, sizeof(ret_key->id));
    db_copy_text(stmt, 1, ret_key->identity, sizeof(ret_key->identity));
    ret_key->tenant_id = db_get_i64(stmt, 2);
    db_copy_text(stmt, 3, ret_key->tenant_name, sizeof(ret_key->tenant_name));
    ret_key->own_only = db_get_i64(stmt, 4) != 0;
    ret_key->revoked = !db_is_null(stmt, 5);
    db_copy_text(stmt, 6, ret_key->note, sizeof(ret_key->note));
    ret_key->created_us = db_get_i64(stmt, 7);
}

FALLIBLE access_key_repo_insert(struct db_conn *conn, const struct access_key *key,
                                struct str sealed, struct err *err)
{
    static const char sql[] =
        "INSERT INTO access_key (id, identity, tenant_id, secret_sealed, own_only, note,"
        " created_us, revoked_us) VALUES ($1, $2, $3, $4, $5, $6, $7, NULL)"
        " ON CONFLICT DO NOTHING RETURNING id";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, str_from(key->id));
    db_bind_text(stmt, 2, str_from(key->identity));
    db_bind_i64(stmt, 3, key->tenant_id);
    db_bind_blob(stmt, 4, sealed.ptr, sealed.len);
    db_bind_i64(stmt, 5, key->own_only);
    db_bind_text(stmt, 6, str_from(key->note));
    db_bind_i64(stmt, 7, key->created_us);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_CONFLICT, "access key %s exists", key->id);
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE access_key_repo_get(struct db_conn *conn, struct str id, struct access_key *ret_key,
                             struct err *err)
{
    /* cross-tenant: operators name an access key by its id alone */
    static const char sql[] = "SELECT " COLUMNS TABLES " WHERE k.id = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, id);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        from_row(stmt, ret_key);
        return ERR_OK;
    case DB_DONE:
        return err_set(err, ERR_NOT_FOUND, "there is no such access key");
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE access_key_repo_signer(struct db_conn *conn, struct str id, struct access_key *ret_key,
                                struct tenant *ret_tenant, struct buf *ret_sealed,
                                struct err *err)
{
    /* cross-tenant: this is what finds out the tenant */
    static const char sql[] =
        "SELECT " COLUMNS ", t.suspended, t.book, k.secret_sealed" TABLES " WHERE k.id = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, id);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        from_row(stmt, ret_key);
        ret_tenant->suspended = db_get_i64(stmt, 8) != 0;
        db_copy_text(stmt, 9, ret_tenant->book, sizeof(ret_tenant->book));
        buf_put_str(ret_sealed, db_get_text(stmt, 10));
        return buf_check(ret_sealed, err);
    case DB_DONE:
        return err_set(err, ERR_ACCESS_KEY, "%s", err_text(ERR_ACCESS_KEY));
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE access_key_repo_revoke(struct db_conn *conn, const struct access_key *key,
                                int64_t now_us, struct err *err)
{
    static const char sql[] = "UPDATE access_key SET revoked_us = $3"
                              " WHERE tenant_id = $1 AND id = $2 AND revoked_us IS NULL";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, key->tenant_id);
    db_bind_text(stmt, 2, str_from(key->id));
    db_bind_i64(stmt, 3, now_us);
    return db_run(stmt, err);
}

FALLIBLE access_key_repo_each(struct db_conn *conn, int64_t tenant_id, struct str after_id,
                              int limit,
                              enum err_code (*visit)(const struct access_key *key, void *ctx,
                                                     struct err *err),
                              void *ctx, struct err *err)
{
    static const char of_tenant[] =
        "SELECT " COLUMNS TABLES " WHERE k.tenant_id = $3 AND k.id > $1"
        " ORDER BY k.id LIMIT $2";
    /* cross-tenant: the operators' list of all access keys */
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
        struct access_key key;

        from_row(stmt, &key);
        TRY(visit(&key, ctx, err));
    }
    return step == DB_DONE ? ERR_OK : err->code;
}
