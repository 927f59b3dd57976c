/* SPDX-License-Identifier: Apache-2.0 */
/* Statements on holds. When a hold may change is decided in hold.c; that it
 * changes once is guarded here. */
#include "billing/repo.h"

/* Columns in the order of the two SELECT statements below. */
static FALLIBLE row_from(struct db_stmt *stmt, struct hold_row *ret_row, struct err *err)
{
    struct hold_row row = {
        .seq = db_get_i64(stmt, 1),
        .amount_nano = db_get_i64(stmt, 2),
        .tokens = db_get_i64(stmt, 3),
        .output_ms = db_get_i64(stmt, 4),
        .book_version = db_get_i64(stmt, 6),
        .charge_nano = db_get_i64(stmt, 9),
        .loss_nano = db_get_i64(stmt, 10),
        .quantity = db_get_i64(stmt, 11),
        .unit_price_nano = db_get_i64(stmt, 14),
    };

    if (!str_copy(row.task, sizeof(row.task), db_get_text(stmt, 0)) ||
        !str_copy(row.book, sizeof(row.book), db_get_text(stmt, 5)) ||
        !str_copy(row.sku, sizeof(row.sku), db_get_text(stmt, 7)) ||
        !str_copy(row.state, sizeof(row.state), db_get_text(stmt, 8)) ||
        !str_copy(row.charged_sku, sizeof(row.charged_sku), db_get_text(stmt, 12)) ||
        !str_copy(row.unit, sizeof(row.unit), db_get_text(stmt, 13)) ||
        !str_copy(row.review, sizeof(row.review), db_get_text(stmt, 15)))
        return err_set(err, ERR_MISMATCH,
                       "the hold row of entry %lld is not in its stored form",
                       (long long)row.seq);
    *ret_row = row;
    return ERR_OK;
}

FALLIBLE hold_repo_add(struct db_conn *conn, int64_t tenant_id, const struct hold_row *row,
                       struct err *err)
{
    static const char sql[] =
        "INSERT INTO hold (tenant_id, task, seq, amount_nano, tokens, output_ms, book,"
        " book_version, sku, state, unit, unit_price_nano)"
        " VALUES ($2, $1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " ON CONFLICT (tenant_id, task) DO NOTHING";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare_rows(conn, sql, &stmt, err));
    db_bind_text(stmt, 1, str_from(row->task));
    db_bind_i64(stmt, 2, tenant_id);
    db_bind_i64(stmt, 3, row->seq);
    db_bind_i64(stmt, 4, row->amount_nano);
    db_bind_i64(stmt, 5, row->tokens);
    db_bind_i64(stmt, 6, row->output_ms);
    db_bind_text(stmt, 7, str_from(row->book));
    db_bind_i64(stmt, 8, row->book_version);
    db_bind_text(stmt, 9, str_from(row->sku));
    db_bind_text(stmt, 10, str_from(row->state));
    db_bind_text(stmt, 11, str_from(row->unit));
    db_bind_i64(stmt, 12, row->unit_price_nano);
    return db_run_one(stmt, "the task has a hold", err);
}

FALLIBLE hold_repo_get(struct db_conn *conn, int64_t tenant_id, struct str task, bool *ret_any,
                       struct hold_row *ret_row, struct err *err)
{
    static const char sql[] =
        "SELECT task, seq, amount_nano, tokens, output_ms, book, book_version, sku, state,"
        " charge_nano, loss_nano, quantity, charged_sku, unit, unit_price_nano, review"
        " FROM hold WHERE tenant_id = $1 AND task = $2";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, tenant_id);
    db_bind_text(stmt, 2, task);
    switch (db_step(stmt, err)) {
    case DB_ROW:
        *ret_any = true;
        return row_from(stmt, ret_row, err);
    case DB_DONE:
        *ret_any = false;
        return ERR_OK;
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE hold_repo_change(struct db_conn *conn, int64_t tenant_id, const struct hold_row *old,
                          const struct hold_row *changed, struct err *err)
{
    static const char sql[] =
        "UPDATE hold SET state = $5, charge_nano = $6, loss_nano = $7, quantity = $8,"
        " charged_sku = $9, unit = $10, unit_price_nano = $11, review = $12"
        " WHERE tenant_id = $1 AND task = $2 AND state = $3 AND charged_sku = $4";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, tenant_id);
    db_bind_text(stmt, 2, str_from(old->task));
    db_bind_text(stmt, 3, str_from(old->state));
    db_bind_text(stmt, 4, str_from(old->charged_sku));
    db_bind_text(stmt, 5, str_from(changed->state));
    db_bind_i64(stmt, 6, changed->charge_nano);
    db_bind_i64(stmt, 7, changed->loss_nano);
    db_bind_i64(stmt, 8, changed->quantity);
    db_bind_text(stmt, 9, str_from(changed->charged_sku));
    db_bind_text(stmt, 10, str_from(changed->unit));
    db_bind_i64(stmt, 11, changed->unit_price_nano);
    db_bind_text(stmt, 12, str_from(changed->review));
    return db_run_one(stmt, "the hold changed meanwhile", err);
}

FALLIBLE hold_repo_each(struct db_conn *conn, int64_t tenant_id, struct str after, int limit,
                        enum err_code (*visit)(const struct hold_row *row, void *ctx,
                                               struct err *err),
                        void *ctx, struct err *err)
{
    static const char sql[] =
        "SELECT task, seq, amount_nano, tokens, output_ms, book, book_version, sku, state,"
        " charge_nano, loss_nano, quantity, charged_sku, unit, unit_price_nano, review"
        " FROM hold WHERE tenant_id = $1 AND task > $2 ORDER BY task LIMIT $3";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    struct hold_row row;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, tenant_id);
    db_bind_text(stmt, 2, after);
    db_bind_i64(stmt, 3, limit);
    for (;;) {
        switch (db_step(stmt, err)) {
        case DB_ROW:
            TRY(row_from(stmt, &row, err));
            TRY(visit(&row, ctx, err));
            break;
        case DB_DONE:
            return ERR_OK;
        case DB_FAIL:
            return err->code;
        }
    }
}
