/* SPDX-License-Identifier: Apache-2.0 */
/* Decides how money moves: every movement is an entry at the end of the tenant's
 * chain, numbered and linked under the account row. What a task costs is decided
 * in price.c, when it is charged in hold.c. */
#include "billing/billing.h"
#include "billing/repo.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static enum err_code no_account(struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "the tenant has no account");
}

static FALLIBLE check_line(int64_t credit_line_nano, struct err *err)
{
    if (credit_line_nano < 0 || credit_line_nano > LEDGER_AMOUNT_MAX)
        return err_field(err, "credit_line", "credit line must be 0 to 1000000000");
    return ERR_OK;
}

/* Texts end up in the hash, in exports and in C strings: UTF-8 without a NUL. */
static FALLIBLE take_text(char *dst, size_t size, struct str text, const char *field,
                          struct err *err)
{
    if (text.len > 0 && (memchr(text.ptr, '\0', text.len) != NULL || !str_is_utf8(text)))
        return err_field(err, field, "%s must be UTF-8 text", field);
    if (!str_copy(dst, size, text))
        return err_field(err, field, "%s is longer than %zu bytes", field, size - 1);
    return ERR_OK;
}

FALLIBLE ledger_open_account(struct db_conn *conn, int64_t tenant_id, struct str currency,
                             int64_t credit_line_nano, struct err *err)
{
    char name[sizeof(((struct ledger_account *)NULL)->currency)];
    bool added = false;

    if (currency.len == 0)
        return err_field(err, "currency", "currency is missing");
    TRY(take_text(name, sizeof(name), currency, "currency", err));
    TRY(check_line(credit_line_nano, err));
    TRY(ledger_repo_open(conn, tenant_id, currency, credit_line_nano, &added, err));
    return added ? ERR_OK : err_set(err, ERR_CONFLICT, "the tenant has an account");
}

FALLIBLE ledger_account(struct db_conn *conn, const struct scope *scope,
                        struct ledger_account *ret_account, struct err *err)
{
    bool any = false;

    TRY(ledger_repo_account(conn, scope->tenant_id, &any, ret_account, err));
    return any ? ERR_OK : no_account(err);
}

FALLIBLE ledger_set_credit_line(struct db_conn *conn, const struct scope *scope,
                                int64_t credit_line_nano, struct err *err)
{
    bool any = false;

    TRY(check_line(credit_line_nano, err));
    TRY(ledger_repo_credit_line(conn, scope->tenant_id, credit_line_nano, &any, err));
    return any ? ERR_OK : no_account(err);
}

static FALLIBLE copy_entry(const struct ledger_view *view, void *ctx, struct err *err)
{
    return ledger_view_copy(view, ctx, err);
}

/* The ref has been used: the same booking is a repetition, another one an error. */
static FALLIBLE same_booking(const struct ledger_entry *first, enum ledger_kind kind,
                             int64_t amount_nano, struct err *err)
{
    bool backwards = strcmp(first->debit, "available") == 0;

    if (first->kind != kind ||
        (backwards ? -first->amount_nano : first->amount_nano) != amount_nano)
        return err_set(err, ERR_CONFLICT, "ref %s was used for another booking", first->ref);
    return ERR_OK;
}

static FALLIBLE check_booking(enum ledger_kind kind, int64_t amount_nano, struct err *err)
{
    if (kind != LEDGER_TOP_UP && kind != LEDGER_ADJUST && kind != LEDGER_REFUND)
        return err_detail(err, ERR_INTERNAL, "kind %d is not booked by hand", (int)kind);
    if (amount_nano == 0 || (amount_nano < 0 && kind != LEDGER_ADJUST))
        return err_field(err, "amount", "amount must be %s",
                         kind == LEDGER_ADJUST ? "other than 0" : "above 0");
    if (amount_nano < -LEDGER_AMOUNT_MAX || amount_nano > LEDGER_AMOUNT_MAX)
        return err_field(err, "amount", "amount must be at most 1000000000");
    return ERR_OK;
}

FALLIBLE ledger_book(struct db_conn *conn, const struct scope *scope, enum ledger_kind kind,
                     struct money amount, int64_t now_us, const char *actor, struct str ref,
                     struct str reason, struct ledger_account *ret_account, int64_t *ret_seq,
                     struct err *err)
{
    struct ledger_entry entry = {.tenant_id = scope->tenant_id,
                                 .time_us = now_us,
                                 .kind = kind,
                                 .amount_nano = amount.nano};
    struct ledger_entry first = {0};
    struct ledger_account account;
    int64_t last_us;
    bool any = false;

    TRY(check_booking(kind, amount.nano, err));
    TRY(take_text(entry.actor, sizeof(entry.actor), str_from(actor), "actor", err));
    TRY(take_text(entry.ref, sizeof(entry.ref), ref, "ref", err));
    TRY(take_text(entry.reason, sizeof(entry.reason), reason, "reason", err));

    TRY(ledger_repo_begin(conn, scope->tenant_id, &any, &account, &last_us, err));
    if (!any)
        return no_account(err);
    if (ref.len > 0)
        TRY(ledger_repo_by_ref(conn, scope->tenant_id, ref, copy_entry, &first, err));
    if (first.seq != 0) {
        TRY(same_booking(&first, kind, amount.nano, err));
        *ret_account = account;
        *ret_seq = first.seq;
        return ERR_OK;
    }
    TRY(ledger_append(conn, &entry, err));
    TRY(ledger_account(conn, scope, ret_account, err));
    *ret_seq = entry.seq;
    return ERR_OK;
}

static enum err_code too_little(const struct ledger_account *account, int64_t need_nano,
                                struct err *err)
{
    char need[MONEY_TEXT_MAX], have[MONEY_TEXT_MAX];

    money_text((struct money){need_nano}, need);
    money_text((struct money){account->available_nano}, have);
    (void)err_set(err, ERR_BALANCE, "this needs %s %s, available is %s %s", need,
                  account->currency, have, account->currency);
    err->need_nano = need_nano;
    err->have_nano = account->available_nano;
    memcpy(err->currency, account->currency, sizeof(err->currency));
    return ERR_BALANCE;
}

/* A sum and an amount together fit. */
static bool in_range(const struct ledger_account *account)
{
    return account->available_nano >= -LEDGER_SUM_MAX &&
           account->available_nano <= LEDGER_SUM_MAX && account->held_nano >= 0 &&
           account->held_nano <= LEDGER_SUM_MAX && account->charged_nano <= LEDGER_SUM_MAX &&
           account->loss_nano <= LEDGER_SUM_MAX && account->charged_nano >= account->loss_nano;
}

/* The account after the entry; what it may not become is an error. Only what takes from
 * available asks for the line: it may have been lowered since. */
static FALLIBLE move(struct ledger_account *account, const struct ledger_entry *entry,
                     bool backwards, struct err *err)
{
    int64_t delta[LEDGER_SIDE_COUNT];

    ledger_view_delta(entry->kind, backwards, entry->amount_nano, delta);
    if (!in_range(account))
        return err_detail(err, ERR_INTERNAL, "the account of tenant %" PRId64 " is damaged",
                          entry->tenant_id);
    if (delta[SIDE_AVAILABLE] < 0 &&
        account->available_nano + delta[SIDE_AVAILABLE] < -account->credit_line_nano)
        return too_little(account, -delta[SIDE_AVAILABLE], err);
    account->available_nano += delta[SIDE_AVAILABLE];
    account->held_nano += delta[SIDE_HELD];
    account->charged_nano += delta[SIDE_CHARGED];
    account->loss_nano += delta[SIDE_LOSS];
    account->seq++;
    if (entry->kind == LEDGER_REFUND && account->charged_nano < account->loss_nano)
        return err_set(err, ERR_CONFLICT, "the refund is more than the tenant was charged");
    if (!in_range(account))
        return err_detail(err, ERR_INTERNAL, "%s of %" PRId64 " nano: a sum is out of range",
                          ledger_kind_name(entry->kind), entry->amount_nano);
    return ERR_OK;
}

FALLIBLE ledger_append(struct db_conn *conn, struct ledger_entry *entry, struct err *err)
{
    bool backwards = entry->kind == LEDGER_ADJUST && entry->amount_nano < 0, any = false;
    struct ledger_account account;
    int64_t last_us;
    struct ledger_view view;
    const char *debit, *credit;

    if ((entry->amount_nano < 0 && !backwards) || entry->amount_nano < -LEDGER_AMOUNT_MAX ||
        entry->amount_nano > LEDGER_AMOUNT_MAX)
        return err_detail(err, ERR_INTERNAL, "amount %" PRId64 " is out of range",
                          entry->amount_nano);
    if (backwards)
        entry->amount_nano = -entry->amount_nano;
    TRY(ledger_repo_begin(conn, entry->tenant_id, &any, &account, &last_us, err));
    if (!any)
        return no_account(err);
    TRY(move(&account, entry, backwards, err));
    if (entry->currency[0] != '\0' && strcmp(entry->currency, account.currency) != 0)
        return err_detail(err, ERR_INTERNAL, "entry in %s on an account in %s", entry->currency,
                          account.currency);

    ledger_view_move(entry->kind, backwards, &debit, &credit);
    ASSERT(str_copy(entry->debit, sizeof(entry->debit), str_from(debit)));
    ASSERT(str_copy(entry->credit, sizeof(entry->credit), str_from(credit)));
    memcpy(entry->currency, account.currency, sizeof(entry->currency));
    memcpy(entry->prev, account.head, sizeof(entry->prev));
    entry->seq = account.seq;
    if (entry->time_us < last_us) /* clocks step back, the chain does not */
        entry->time_us = last_us;
    ledger_link(entry, entry->hash);

    ledger_view_from(entry, &view);
    TRY(ledger_repo_insert(conn, &view, err));
    memcpy(account.head, entry->hash, sizeof(account.head));
    return ledger_repo_end(conn, &account, entry->time_us, err);
}

void ledger_link(const struct ledger_entry *entry, uint8_t ret_hash[CRYPTO_HASH_BYTES])
{
    struct ledger_view view;

    ledger_view_from(entry, &view);
    ledger_view_hash(&view, ret_hash);
}

const char *ledger_kind_name(enum ledger_kind kind)
{
    return ledger_view_kind_name(kind);
}

/* ledger_each's visitor sees whole entries. */
struct each_ctx {
    enum err_code (*visit)(const struct ledger_entry *entry, void *ctx, struct err *err);
    void *ctx;
};

static FALLIBLE visit_entry(const struct ledger_view *view, void *ctx, struct err *err)
{
    const struct each_ctx *each = ctx;
    struct ledger_entry entry;

    TRY(ledger_view_copy(view, &entry, err));
    return each->visit(&entry, each->ctx, err);
}

FALLIBLE ledger_each(struct db_conn *conn, const struct scope *scope, int64_t after, int limit,
                     enum err_code (*visit)(const struct ledger_entry *entry, void *ctx,
                                            struct err *err),
                     void *ctx, struct err *err)
{
    struct each_ctx each = {visit, ctx};

    return ledger_repo_each(conn, scope->tenant_id, after, limit, visit_entry, &each, err);
}
