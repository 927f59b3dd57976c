/* SPDX-License-Identifier: Apache-2.0 */
/* The account_pace table: when the next GET and DELETE of a client's cancel may leave,
 * whichever gateway sends it. One statement takes a slot, so that no two get the same. */
#include "gateway/upstream/ark_parts.h"

/* No request waits so long (the largest cancel_timeout is 300 s): a later slot was
 * written by a clock that went wrong, and must not keep everybody waiting. */
#define FAR_US INT64_C(310000000)

/* The row's time is that of the first free slot; there is no credit for slots that
 * nobody took. */
static enum err_code prepare_take(struct db_conn *conn, enum limiter_kind kind,
                                  struct db_stmt **ret_st, struct err *err)
{
    static const char get_sql[] =
        "INSERT INTO account_pace (account_id, get_us, delete_us) VALUES ($1, $2, 0)"
        " ON CONFLICT (account_id) DO UPDATE SET get_us ="
        " CASE WHEN account_pace.get_us > $3 AND account_pace.get_us <= $5"
        " THEN account_pace.get_us ELSE $3 END + $4"
        " WHERE account_pace.get_us < $6 OR account_pace.get_us > $5 RETURNING get_us";
    static const char delete_sql[] =
        "INSERT INTO account_pace (account_id, get_us, delete_us) VALUES ($1, 0, $2)"
        " ON CONFLICT (account_id) DO UPDATE SET delete_us ="
        " CASE WHEN account_pace.delete_us > $3 AND account_pace.delete_us <= $5"
        " THEN account_pace.delete_us ELSE $3 END + $4"
        " WHERE account_pace.delete_us < $6 OR account_pace.delete_us > $5"
        " RETURNING delete_us";

    ASSERT(kind == LIMITER_GET || kind == LIMITER_DELETE);
    return db_prepare(conn, kind == LIMITER_GET ? get_sql : delete_sql, ret_st, err);
}

enum err_code pace_repo_take(struct db_conn *conn, const struct pace_wish *wish,
                             bool *ret_taken, int64_t *ret_at_us, struct err *err)
{
    CLEANUP(db_done) struct db_stmt *st = NULL;

    *ret_taken = false;
    if (wish->earliest_us >= wish->latest_us)
        return ERR_OK;
    TRY(prepare_take(conn, wish->kind, &st, err));
    db_bind_i64(st, 1, wish->account_id);
    db_bind_i64(st, 2, wish->earliest_us + wish->spacing_us);
    db_bind_i64(st, 3, wish->earliest_us);
    db_bind_i64(st, 4, wish->spacing_us);
    db_bind_i64(st, 5, wish->earliest_us + FAR_US);
    db_bind_i64(st, 6, wish->latest_us);
    switch (db_step(st, err)) {
    case DB_ROW:
        *ret_taken = true;
        *ret_at_us = db_get_i64(st, 0) - wish->spacing_us;
        return ERR_OK;
    case DB_DONE:
        return ERR_OK;
    case DB_FAIL:
        break;
    }
    return err->code;
}
