/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the audit log and its head. What links one entry to the next stands in
 * audit.c. The log is the operators', across tenants. */
#include "tenancy/private.h"

#include <string.h>

FALLIBLE audit_repo_next(struct db_conn *conn, int64_t *ret_seq,
                         uint8_t ret_prev[CRYPTO_HASH_BYTES], struct err *err)
{
    static const char sql[] = "UPDATE audit_head SET seq = seq + 1 WHERE id = 1"
                              " RETURNING seq, hash";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    switch (db_step(stmt, err)) {
    case DB_ROW:
        break;
    case DB_DONE:
        return err_detail(err, ERR_INTERNAL, "the audit_head row is missing");
    case DB_FAIL:
        return err->code;
    }
    struct str prev = db_get_text(stmt, 1);
    if (prev.len != CRYPTO_HASH_BYTES)
        return err_detail(err, ERR_INTERNAL, "the audit head holds %zu bytes", prev.len);
    memcpy(ret_prev, prev.ptr, CRYPTO_HASH_BYTES);
    *ret_seq = db_get_i64(stmt, 0);
    return ERR_OK;
}

FALLIBLE audit_repo_time(struct db_conn *conn, int64_t seq, int64_t *ret_time_us,
                         struct err *err)
{
    static const char sql[] = "SELECT time_us FROM audit WHERE seq = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, seq);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        *ret_time_us = db_get_i64(stmt, 0);
        return ERR_OK;
    case DB_DONE:
        *ret_time_us = INT64_MIN;
        return ERR_OK;
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE audit_repo_insert(struct db_conn *conn, const struct audit_row *row, struct err *err)
{
    static const char sql[] =
        "INSERT INTO audit (seq, time_us, actor, action, target, detail, prev, hash)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, row->seq);
    db_bind_i64(stmt, 2, row->time_us);
    db_bind_text(stmt, 3, row->actor);
    db_bind_text(stmt, 4, row->action);
    db_bind_text(stmt, 5, row->target);
    db_bind_text(stmt, 6, row->detail);
    db_bind_blob(stmt, 7, row->prev.ptr, row->prev.len);
    db_bind_blob(stmt, 8, row->hash.ptr, row->hash.len);
    return db_run(stmt, err);
}

FALLIBLE audit_repo_set_head(struct db_conn *conn, const uint8_t hash[CRYPTO_HASH_BYTES],
                             struct err *err)
{
    static const char sql[] = "UPDATE audit_head SET hash = $1 WHERE id = 1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_blob(stmt, 1, hash, CRYPTO_HASH_BYTES);
    return db_run(stmt, err);
}

FALLIBLE audit_repo_head_is(struct db_conn *conn, int64_t seq,
                            const uint8_t hash[CRYPTO_HASH_BYTES], bool *ret_same,
                            struct err *err)
{
    static const char sql[] = "SELECT seq, hash FROM audit_head WHERE id = 1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    switch (db_step(stmt, err)) {
    case DB_ROW: {
        struct str head = db_get_text(stmt, 1);
        *ret_same = db_get_i64(stmt, 0) == seq && head.len == CRYPTO_HASH_BYTES &&
                    crypto_equal(head.ptr, hash, CRYPTO_HASH_BYTES);
        return ERR_OK;
    }
    case DB_DONE:
        *ret_same = false;
        return ERR_OK;
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE audit_repo_each(struct db_conn *conn, int64_t from, int limit,
                         enum err_code (*visit)(const struct audit_row *row, void *ctx,
                                                struct err *err),
                         void *ctx, struct err *err)
{
    static const char sql[] =
        "SELECT seq, time_us, actor, action, target, detail, prev, hash FROM audit"
        " WHERE seq >= $1 ORDER BY seq LIMIT $2";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, from);
    db_bind_i64(stmt, 2, limit > 0 ? limit : 0);
    while ((step = db_step(stmt, err)) == DB_ROW) {
        struct audit_row row = {.seq = db_get_i64(stmt, 0),
                                .time_us = db_get_i64(stmt, 1),
                                .actor = db_get_text(stmt, 2),
                                .action = db_get_text(stmt, 3),
                                .target = db_get_text(stmt, 4),
                                .detail = db_get_text(stmt, 5),
                                .prev = db_get_text(stmt, 6),
                                .hash = db_get_text(stmt, 7)};
        TRY(visit(&row, ctx, err));
    }
    return step == DB_DONE ? ERR_OK : err->code;
}
