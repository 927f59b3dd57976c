/* SPDX-License-Identifier: Apache-2.0 */
/* Statements on account and ledger. Rules about money are not decided here; that they were
 * decided on what the account still is, is guarded in the statement that changes it. */
#include "billing/repo.h"

#include <string.h>

/* Three ways of db_step into two and an error. */
static FALLIBLE step_row(struct db_stmt *stmt, bool *ret_any, struct err *err)
{
    switch (db_step(stmt, err)) {
    case DB_ROW:
        *ret_any = true;
        return ERR_OK;
    case DB_DONE:
        *ret_any = false;
        return ERR_OK;
    case DB_FAIL:
        break;
    }
    return err->code;
}

FALLIBLE ledger_repo_open(struct db_conn *conn, int64_t tenant_id, struct str currency,
                          int64_t credit_line_nano, bool *ret_added, struct err *err)
{
    static const char sql[] =
        "INSERT INTO account (tenant_id, currency, available_nano, held_nano, charged_nano,"
        " loss_nano, credit_line_nano, seq, head)"
        " VALUES ($1, $2, 0, 0, 0, 0, $3, 0, $4) ON CONFLICT (tenant_id) DO NOTHING";
    static const uint8_t genesis[CRYPTO_HASH_BYTES];
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, tenant_id);
    db_bind_text(stmt, 2, currency);
    db_bind_i64(stmt, 3, credit_line_nano);
    db_bind_blob(stmt, 4, genesis, sizeof(genesis));
    TRY(db_run(stmt, err));
    *ret_added = db_changes(stmt) == 1;
    return ERR_OK;
}

/* Columns in the order of the two statements that follow. */
static FALLIBLE account_from_row(struct db_stmt *stmt, int64_t tenant_id,
                                 struct ledger_account *ret_account, struct err *err)
{
    struct ledger_account account = {
        .tenant_id = tenant_id,
        .available_nano = db_get_i64(stmt, 1),
        .held_nano = db_get_i64(stmt, 2),
        .charged_nano = db_get_i64(stmt, 3),
        .loss_nano = db_get_i64(stmt, 4),
        .credit_line_nano = db_get_i64(stmt, 5),
        .seq = db_get_i64(stmt, 6),
    };
    struct str head = db_get_text(stmt, 7);

    if (head.len != sizeof(account.head))
        return err_set(err, ERR_MISMATCH, "account of tenant %lld: head is not 32 bytes",
                       (long long)tenant_id);
    memcpy(account.head, head.ptr, sizeof(account.head));
    if (!str_copy(account.currency, sizeof(account.currency), db_get_text(stmt, 0)))
        return err_set(err, ERR_MISMATCH, "account of tenant %lld: currency is too long",
                       (long long)tenant_id);
    *ret_account = account;
    return ERR_OK;
}

FALLIBLE ledger_repo_account(struct db_conn *conn, int64_t tenant_id, bool *ret_any,
                             struct ledger_account *ret_account, struct err *err)
{
    static const char sql[] =
        "SELECT currency, available_nano, held_nano, charged_nano, loss_nano, credit_line_nano,"
        " seq, head FROM account WHERE tenant_id = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, tenant_id);
    TRY(step_row(stmt, ret_any, err));
    return *ret_any ? account_from_row(stmt, tenant_id, ret_account, err) : ERR_OK;
}

/* The account as this transaction has it. */
static const char memo_kind;
struct memo {
    bool known;
    struct ledger_account account;
    int64_t last_us;
};

#define BEGIN_COLUMNS                                                                      \
    "currency, available_nano, held_nano, charged_nano, loss_nano, credit_line_nano, seq," \
    " head, (SELECT l.time_us FROM ledger AS l WHERE l.tenant_id = account.tenant_id"      \
    " AND l.seq = account.seq), tenant_id FROM account"
enum { AHEAD_MAX = 48 };

static FALLIBLE begin_from_row(struct db_stmt *stmt, struct memo *ret_memo, struct err *err)
{
    ret_memo->last_us = db_is_null(stmt, 8) ? 0 : db_get_i64(stmt, 8);
    TRY(account_from_row(stmt, db_get_i64(stmt, 9), &ret_memo->account, err));
    ret_memo->known = true;
    return ERR_OK;
}

/* Reads the account, and with it those of the closures that come next. One that is damaged
 * is an error for who asks for it. */
static FALLIBLE begin_ahead(struct db_conn *conn, const int64_t *ids, int count,
                            struct err *err)
{
    static const char sql[] =
        "SELECT " BEGIN_COLUMNS " WHERE tenant_id IN ("
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, "
        "$18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, "
        "$33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48)";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    enum db_step step;

    TRY(db_prepare(conn, sql, &stmt, err));
    for (int i = 0; i < AHEAD_MAX; i++)
        db_bind_i64(stmt, i + 1, ids[i < count ? i : 0]);
    while ((step = db_step(stmt, err)) == DB_ROW) {
        struct memo *memo = db_memo(conn, &memo_kind, db_get_i64(stmt, 9), sizeof(*memo));
        struct err ignored;

        if (memo != NULL && !memo->known)
            (void)!begin_from_row(stmt, memo, &ignored);
    }
    return step == DB_FAIL ? err->code : ERR_OK;
}

FALLIBLE ledger_repo_begin(struct db_conn *conn, int64_t tenant_id, bool *ret_any,
                           struct ledger_account *ret_account, int64_t *ret_last_us,
                           struct err *err)
{
    static const char sql[] = "SELECT " BEGIN_COLUMNS " WHERE tenant_id = $1";
    struct memo *memo = db_memo(conn, &memo_kind, tenant_id, sizeof(*memo)), own = {0};
    const int64_t *ids;
    int count = memo != NULL && !memo->known ? db_memo_ahead(conn, tenant_id, &ids) : 0;

    if (count > 1)
        TRY(begin_ahead(conn, ids, count < AHEAD_MAX ? count : AHEAD_MAX, err));
    if (memo == NULL || !memo->known) {
        CLEANUP(db_done) struct db_stmt *stmt = NULL;

        TRY(db_prepare(conn, sql, &stmt, err));
        db_bind_i64(stmt, 1, tenant_id);
        TRY(step_row(stmt, ret_any, err));
        if (!*ret_any)
            return ERR_OK;
        TRY(begin_from_row(stmt, &own, err));
        if (memo != NULL)
            *memo = own;
    } else {
        own = *memo;
    }
    *ret_any = true;
    *ret_account = own.account;
    *ret_last_us = own.last_us;
    return ERR_OK;
}

FALLIBLE ledger_repo_end(struct db_conn *conn, const struct ledger_account *account,
                         int64_t last_us, struct err *err)
{
    static const char sql[] =
        "UPDATE account SET available_nano = $3, held_nano = $4, charged_nano = $5,"
        " loss_nano = $6, seq = $2 + 1, head = $7 WHERE tenant_id = $1 AND seq = $2";
    struct memo *memo = db_memo(conn, &memo_kind, account->tenant_id, sizeof(*memo));
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare_rows(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, account->tenant_id);
    db_bind_i64(stmt, 2, account->seq - 1);
    db_bind_i64(stmt, 3, account->available_nano);
    db_bind_i64(stmt, 4, account->held_nano);
    db_bind_i64(stmt, 5, account->charged_nano);
    db_bind_i64(stmt, 6, account->loss_nano);
    db_bind_blob(stmt, 7, account->head, sizeof(account->head));
    if (memo != NULL)
        *memo = (struct memo){.known = true, .account = *account, .last_us = last_us};
    return db_run_one(stmt, "somebody else has moved the account's money", err);
}

FALLIBLE ledger_repo_credit_line(struct db_conn *conn, int64_t tenant_id,
                                 int64_t credit_line_nano, bool *ret_any, struct err *err)
{
    static const char sql[] = "UPDATE account SET credit_line_nano = $2 WHERE tenant_id = $1";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    db_memo_forget(conn);
    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, tenant_id);
    db_bind_i64(stmt, 2, credit_line_nano);
    TRY(db_run(stmt, err));
    *ret_any = db_changes(stmt) == 1;
    return ERR_OK;
}

FALLIBLE ledger_repo_insert(struct db_conn *conn, const struct ledger_view *entry,
                            struct err *err)
{
    static const char sql[] =
        "INSERT INTO ledger (tenant_id, seq, time_us, kind, task, debit, credit, amount_nano,"
        " currency, hold_seq, book, book_version, sku, unit, unit_price_nano, quantity,"
        " evidence, actor, reason, ref, prev, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
        " $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare_rows(conn, sql, &stmt, err));
    for (unsigned column = 0; column < COLUMN_COUNT; column++) {
        int position = (int)column + 1;
        struct str text = entry->text[column];

        if (!ledger_view_has(entry, column))
            db_bind_null(stmt, position);
        else if (ledger_view_columns[column].type <= COLUMN_IS_BIG)
            db_bind_i64(stmt, position, entry->number[column]);
        else if (ledger_view_columns[column].type == COLUMN_IS_TEXT)
            db_bind_text(stmt, position, text);
        else
            db_bind_blob(stmt, position, text.ptr, text.len);
    }
    return db_run(stmt, err);
}

/* Columns in hash order. */
static void view_from_row(struct db_stmt *stmt, struct ledger_view *view)
{
    view->present = (1U << COLUMN_COUNT) - 1;
    for (unsigned column = 0; column < COLUMN_COUNT; column++) {
        const struct ledger_column_info *info = &ledger_view_columns[column];
        bool blank;

        if (info->type <= COLUMN_IS_BIG) {
            view->number[column] = db_get_i64(stmt, (int)column); /* 0 for NULL */
            blank = view->number[column] == 0;
        } else {
            view->text[column] = db_get_text(stmt, (int)column); /* empty for NULL */
            blank = view->text[column].len == 0;
        }
        if (blank && info->optional && db_is_null(stmt, (int)column))
            view->present &= ~(1U << column);
    }
}

static FALLIBLE visit_rows(struct db_stmt *stmt, ledger_visit visit, void *ctx, struct err *err)
{
    struct ledger_view view = {0};

    for (;;) {
        switch (db_step(stmt, err)) {
        case DB_ROW:
            view_from_row(stmt, &view);
            TRY(visit(&view, ctx, err));
            break;
        case DB_DONE:
            return ERR_OK;
        case DB_FAIL:
            return err->code;
        }
    }
}

FALLIBLE ledger_repo_by_ref(struct db_conn *conn, int64_t tenant_id, struct str ref,
                            ledger_visit visit, void *ctx, struct err *err)
{
    static const char sql[] =
        "SELECT tenant_id, seq, time_us, kind, task, debit, credit, amount_nano, currency,"
        " hold_seq, book, book_version, sku, unit, unit_price_nano, quantity, evidence, actor,"
        " reason, ref, prev, hash FROM ledger WHERE tenant_id = $1 AND ref = $2";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, tenant_id);
    db_bind_text(stmt, 2, ref);
    return visit_rows(stmt, visit, ctx, err);
}

FALLIBLE ledger_repo_each(struct db_conn *conn, int64_t tenant_id, int64_t after, int limit,
                          ledger_visit visit, void *ctx, struct err *err)
{
    static const char sql[] =
        "SELECT tenant_id, seq, time_us, kind, task, debit, credit, amount_nano, currency,"
        " hold_seq, book, book_version, sku, unit, unit_price_nano, quantity, evidence, actor,"
        " reason, ref, prev, hash FROM ledger WHERE tenant_id = $1 AND seq > $2"
        " ORDER BY seq LIMIT $3";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, tenant_id);
    db_bind_i64(stmt, 2, after);
    db_bind_i64(stmt, 3, limit);
    return visit_rows(stmt, visit, ctx, err);
}

FALLIBLE ledger_repo_next_tenant(struct db_conn *conn, int64_t after, int64_t *ret_id,
                                 struct err *err)
{
    /* cross-tenant: verify and export walk every tenant, one at a time */
    static const char sql[] =
        "SELECT MIN(id) FROM (SELECT MIN(tenant_id) AS id FROM account WHERE tenant_id > $1"
        " UNION ALL SELECT MIN(tenant_id) FROM ledger WHERE tenant_id > $1"
        " UNION ALL SELECT MIN(tenant_id) FROM hold WHERE tenant_id > $1) AS ids";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    bool any = false;

    TRY(db_prepare(conn, sql, &stmt, err));
    db_bind_i64(stmt, 1, after);
    TRY(step_row(stmt, &any, err));
    *ret_id = any && !db_is_null(stmt, 0) ? db_get_i64(stmt, 0) : 0;
    return ERR_OK;
}
