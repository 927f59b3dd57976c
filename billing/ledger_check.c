/* SPDX-License-Identifier: Apache-2.0 */
/* Decides whether a tenant's chain is sound: the one place for the rules, fed by
 * the database (ledger_verify.c) and by an export (ledger_verify_export.c).
 *
 * A hold entry without hold_seq places a hold; with one it adds to it, and the
 * charge follows at once. The charge takes min(price × quantity, all that is
 * held); the next entry releases what is left of the hold, or books the rest of
 * the price as loss. A charge without a price is an operator's and names the
 * actor. A released hold may later carry one loss by a price. */
#include "billing/chain.h"
#include "billing/repo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum hold_state { HOLD_OPEN, HOLD_IS_CHARGED, HOLD_IS_RELEASED, HOLD_IS_LATE };

static const struct ledger_check_due nothing_due = {.kind = LEDGER_KIND_COUNT};

/* A row may lag in "open" where the chain has no word for "review". */
static const char *const state_names[] = {
    [HOLD_OPEN] = "open",
    [HOLD_IS_CHARGED] = "charged",
    [HOLD_IS_RELEASED] = "released",
    [HOLD_IS_LATE] = "released",
};

enum err_code ledger_check_fail(const struct ledger_check *check, int64_t seq, struct err *err,
                                const char *fmt, ...)
{
    char why[256], entry[40] = "";
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    if (seq != 0)
        (void)snprintf(entry, sizeof(entry), ", entry %" PRId64, seq);
    (void)err_set(err, ERR_MISMATCH, "tenant %s%s: %s", check->name, entry, why);
    (void)str_copy(err->field, sizeof(err->field), STR("ledger"));
    return ERR_MISMATCH;
}

/* FNV-1a over texts with a separator that no text holds. */
static uint64_t mark_text(uint64_t mark, struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        mark = (mark ^ (uint8_t)text.ptr[i]) * UINT64_C(1099511628211);
    return (mark ^ 0xff) * UINT64_C(1099511628211);
}

static uint64_t mark_number(uint64_t mark, int64_t number)
{
    return mark_text(mark, (struct str){(const char *)&number, sizeof(number)});
}

static const uint64_t mark_start = UINT64_C(14695981039346656037);

static uint64_t placed_mark(struct str book, int64_t version, struct str sku)
{
    return mark_text(mark_number(mark_text(mark_start, book), version), sku);
}

/* What the row shows as the price of record. */
static uint64_t final_mark(struct str sku, struct str unit, int64_t unit_price_nano)
{
    return mark_number(mark_text(mark_text(mark_start, sku), unit), unit_price_nano);
}

void ledger_check_init(struct ledger_check *check, int64_t tenant_id, const char *name)
{
    *check = (struct ledger_check){.tenant_id = tenant_id, .due = nothing_due};
    (void)snprintf(check->name, sizeof(check->name), "%s", name);
}

void ledger_check_fini(struct ledger_check *check)
{
    free(check->holds);
    *check = (struct ledger_check){.due = nothing_due};
}

/* Holds are in the order of their seq. */
static struct ledger_check_hold *find_hold(const struct ledger_check *check, int64_t seq)
{
    size_t low = 0, high = check->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (check->holds[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < check->count && check->holds[low].seq == seq ? &check->holds[low] : NULL;
}

static FALLIBLE add_hold(struct ledger_check *check, const struct ledger_view *view,
                         struct err *err)
{
    if (check->count == check->cap) {
        size_t cap = check->cap == 0 ? 64 : check->cap * 2;
        struct ledger_check_hold *holds = realloc(check->holds, cap * sizeof(*holds));

        if (holds == NULL)
            return err_detail(err, ERR_INTERNAL, "no memory for %zu holds", cap);
        check->holds = holds;
        check->cap = cap;
    }
    check->holds[check->count++] = (struct ledger_check_hold){
        .seq = view->number[COLUMN_SEQ],
        .placed_nano = view->number[COLUMN_AMOUNT],
        .quantity = view->number[COLUMN_QUANTITY],
        .task_mark = mark_text(mark_start, view->text[COLUMN_TASK]),
        .placed_mark = placed_mark(view->text[COLUMN_BOOK], view->number[COLUMN_BOOK_VERSION],
                                   view->text[COLUMN_SKU]),
        .final_mark = final_mark(view->text[COLUMN_SKU], view->text[COLUMN_UNIT],
                                 view->number[COLUMN_UNIT_PRICE]),
        .state = HOLD_OPEN,
    };
    return ERR_OK;
}

/* Columns: present where they must be, never empty, never too long, never zero
 * where zero is written as absent. */
static const char *bad_column(const struct ledger_view *view)
{
    for (unsigned column = 0; column < COLUMN_COUNT; column++) {
        const struct ledger_column_info *info = &ledger_view_columns[column];
        struct str text = view->text[column];
        bool fits = true;

        if (!ledger_view_has(view, column)) {
            if (!info->optional)
                return info->name;
            continue;
        }
        if (info->type == COLUMN_IS_TEXT)
            fits = text.len > 0 && text.len <= info->max_bytes;
        else if (info->type == COLUMN_IS_BYTES)
            fits = text.len == CRYPTO_HASH_BYTES;
        else if (column == COLUMN_HOLD_SEQ || column == COLUMN_BOOK_VERSION)
            fits = view->number[column] > 0;
        if (!fits)
            return info->name;
    }
    return NULL;
}

static FALLIBLE check_link(const struct ledger_check *check, const struct ledger_view *view,
                           struct err *err)
{
    int64_t seq = view->number[COLUMN_SEQ];
    uint8_t hash[CRYPTO_HASH_BYTES];
    const char *column;

    if (seq != check->seq + 1)
        return ledger_check_fail(check, check->seq + 1, err, "is missing, %" PRId64 " is next",
                                 seq);
    column = bad_column(view);
    if (column != NULL)
        return ledger_check_fail(check, seq, err, "column %s is not in the stored form",
                                 column);
    ledger_view_hash(view, hash);
    if (memcmp(hash, view->text[COLUMN_HASH].ptr, sizeof(hash)) != 0)
        return ledger_check_fail(check, seq, err, "hash does not match its columns");
    if (memcmp(check->head, view->text[COLUMN_PREV].ptr, sizeof(check->head)) != 0)
        return ledger_check_fail(check, seq, err, "prev is not the hash of the entry before");
    if (view->number[COLUMN_TENANT] != check->tenant_id)
        return ledger_check_fail(check, seq, err, "belongs to tenant %" PRId64,
                                 view->number[COLUMN_TENANT]);
    if (view->number[COLUMN_TIME_US] < check->time_us)
        return ledger_check_fail(check, seq, err, "is older than the entry before");
    if (check->currency[0] != '\0' && !str_is(view->text[COLUMN_CURRENCY], check->currency))
        return ledger_check_fail(check, seq, err, "currency is not %s", check->currency);
    return ERR_OK;
}

/* Accounts that fit the kind, and sums that stay in range. */
static FALLIBLE check_move(struct ledger_check *check, const struct ledger_view *view,
                           enum ledger_kind kind, struct err *err)
{
    int64_t seq = view->number[COLUMN_SEQ], amount = view->number[COLUMN_AMOUNT];
    bool backwards = kind == LEDGER_ADJUST && str_is(view->text[COLUMN_DEBIT], "available");
    int64_t delta[LEDGER_SIDE_COUNT];
    const char *debit, *credit;

    ledger_view_move(kind, backwards, &debit, &credit);
    if (!str_is(view->text[COLUMN_DEBIT], debit) || !str_is(view->text[COLUMN_CREDIT], credit))
        return ledger_check_fail(check, seq, err, "%s does not move %s to %s",
                                 ledger_kind_name(kind), debit, credit);
    if (amount < 0 || amount > LEDGER_AMOUNT_MAX)
        return ledger_check_fail(check, seq, err, "amount is out of range");
    ledger_view_delta(kind, backwards, amount, delta);
    for (int side = 0; side < LEDGER_SIDE_COUNT; side++)
        if (__builtin_add_overflow(check->sums[side], delta[side], &check->sums[side]))
            return ledger_check_fail(check, seq, err, "a sum overflows");
    if (check->sums[SIDE_HELD] < 0 || check->sums[SIDE_CHARGED] < check->sums[SIDE_LOSS])
        return ledger_check_fail(check, seq, err, "takes more than there is");
    return ERR_OK;
}

/* The price of an entry that names one. */
static FALLIBLE price_of(const struct ledger_check *check, const struct ledger_view *view,
                         int64_t *ret_nano, struct err *err)
{
    int64_t seq = view->number[COLUMN_SEQ], unit_size = 0;
    enum price_unit unit;
    struct money amount;
    struct err ignored;

    if (!ledger_view_has(view, COLUMN_UNIT_PRICE) || !ledger_view_has(view, COLUMN_QUANTITY) ||
        !ledger_view_has(view, COLUMN_SKU) || !ledger_view_has(view, COLUMN_BOOK) ||
        !ledger_view_has(view, COLUMN_BOOK_VERSION) ||
        !price_unit_parse(view->text[COLUMN_UNIT], &unit, &unit_size))
        return ledger_check_fail(check, seq, err, "its price is not complete");
    if (money_charge(view->number[COLUMN_UNIT_PRICE], view->number[COLUMN_QUANTITY], unit_size,
                     &amount, &ignored) != ERR_OK)
        return ledger_check_fail(check, seq, err, "its price is out of range");
    *ret_nano = amount.nano;
    return ERR_OK;
}

static FALLIBLE check_due(const struct ledger_check *check, const struct ledger_view *view,
                          enum ledger_kind kind, struct err *err)
{
    const struct ledger_check_due *due = &check->due;

    if (due->kind == LEDGER_KIND_COUNT)
        return ERR_OK;
    if (kind != due->kind || view->number[COLUMN_HOLD_SEQ] != due->hold_seq ||
        (kind != LEDGER_CHARGE && view->number[COLUMN_AMOUNT] != due->amount_nano))
        return ledger_check_fail(check, view->number[COLUMN_SEQ], err,
                                 "must be the %s of hold %" PRId64, ledger_kind_name(due->kind),
                                 due->hold_seq);
    return ERR_OK;
}

static FALLIBLE take_hold(struct ledger_check *check, const struct ledger_view *view,
                          struct ledger_check_hold *hold, struct err *err)
{
    int64_t seq = view->number[COLUMN_SEQ], price = 0;

    if (hold == NULL) {
        TRY(price_of(check, view, &price, err));
        if (view->number[COLUMN_AMOUNT] != price)
            return ledger_check_fail(check, seq, err, "the hold is not its price x quantity");
        return add_hold(check, view, err);
    }
    if (hold->state != HOLD_OPEN)
        return ledger_check_fail(check, seq, err, "hold %" PRId64 " is resolved", hold->seq);
    check->due = (struct ledger_check_due){.kind = LEDGER_CHARGE,
                                           .hold_seq = hold->seq,
                                           .amount_nano = view->number[COLUMN_AMOUNT]};
    return ERR_OK;
}

/* What the entry after this charge must be, if the charge ends a part of it. */
static FALLIBLE take_charge(struct ledger_check *check, const struct ledger_view *view,
                            struct ledger_check_hold *hold, int64_t extra, struct err *err)
{
    int64_t seq = view->number[COLUMN_SEQ], amount = view->number[COLUMN_AMOUNT];
    int64_t total, price = amount;
    bool priced = ledger_view_has(view, COLUMN_UNIT);

    if (hold->state != HOLD_OPEN)
        return ledger_check_fail(check, seq, err, "hold %" PRId64 " is resolved twice",
                                 hold->seq);
    if (__builtin_add_overflow(hold->placed_nano, extra, &total) || amount > total)
        return ledger_check_fail(check, seq, err, "charges more than hold %" PRId64, hold->seq);
    if (priced)
        TRY(price_of(check, view, &price, err));
    else if (!ledger_view_has(view, COLUMN_ACTOR))
        return ledger_check_fail(check, seq, err, "has neither a price nor an actor");
    if (amount != (price < total ? price : total) || (extra > 0 && price < total))
        return ledger_check_fail(check, seq, err, "the charge is not its price x quantity");

    hold->state = HOLD_IS_CHARGED;
    hold->charge_nano = amount;
    if (priced) {
        hold->quantity = view->number[COLUMN_QUANTITY];
        hold->final_mark = final_mark(view->text[COLUMN_SKU], view->text[COLUMN_UNIT],
                                      view->number[COLUMN_UNIT_PRICE]);
    } else {
        hold->quantity = 0;
    }
    if (amount < total)
        check->due = (struct ledger_check_due){
            .kind = LEDGER_RELEASE, .hold_seq = hold->seq, .amount_nano = total - amount};
    else if (price > amount)
        check->due =
            (struct ledger_check_due){.kind = LEDGER_LOSS,
                                      .hold_seq = hold->seq,
                                      .amount_nano = price - amount,
                                      .unit_price_nano = view->number[COLUMN_UNIT_PRICE],
                                      .quantity = view->number[COLUMN_QUANTITY]};
    return ERR_OK;
}

static FALLIBLE take_release(struct ledger_check *check, const struct ledger_view *view,
                             struct ledger_check_hold *hold, bool was_due, struct err *err)
{
    int64_t seq = view->number[COLUMN_SEQ];

    if (was_due) /* its amount has been compared */
        return ERR_OK;
    if (hold->state != HOLD_OPEN)
        return ledger_check_fail(check, seq, err, "hold %" PRId64 " is resolved twice",
                                 hold->seq);
    if (view->number[COLUMN_AMOUNT] != hold->placed_nano)
        return ledger_check_fail(check, seq, err, "does not release all of hold %" PRId64,
                                 hold->seq);
    hold->state = HOLD_IS_RELEASED;
    hold->quantity = 0;
    return ERR_OK;
}

static FALLIBLE take_loss(struct ledger_check *check, const struct ledger_view *view,
                          struct ledger_check_hold *hold,
                          const struct ledger_check_due *was_due, struct err *err)
{
    int64_t seq = view->number[COLUMN_SEQ], amount = view->number[COLUMN_AMOUNT], price = 0;

    TRY(price_of(check, view, &price, err));
    if (was_due->kind == LEDGER_LOSS) {
        if (view->number[COLUMN_UNIT_PRICE] != was_due->unit_price_nano ||
            view->number[COLUMN_QUANTITY] != was_due->quantity)
            return ledger_check_fail(check, seq, err, "the loss has another price");
        hold->loss_nano = amount;
        return ERR_OK;
    }
    if (hold->state != HOLD_IS_RELEASED)
        return ledger_check_fail(check, seq, err, "hold %" PRId64 " has not been released",
                                 hold->seq);
    if (amount != price)
        return ledger_check_fail(check, seq, err, "the loss is not its price x quantity");
    hold->state = HOLD_IS_LATE;
    hold->loss_nano = amount;
    hold->quantity = view->number[COLUMN_QUANTITY];
    hold->final_mark = final_mark(view->text[COLUMN_SKU], view->text[COLUMN_UNIT],
                                  view->number[COLUMN_UNIT_PRICE]);
    return ERR_OK;
}

static FALLIBLE check_hold(struct ledger_check *check, const struct ledger_view *view,
                           enum ledger_kind kind, struct err *err)
{
    const struct ledger_check_due was_due = check->due;
    int64_t seq = view->number[COLUMN_SEQ], hold_seq = view->number[COLUMN_HOLD_SEQ];
    struct ledger_check_hold *hold = NULL;

    if (kind != LEDGER_HOLD && kind != LEDGER_CHARGE && kind != LEDGER_RELEASE &&
        kind != LEDGER_LOSS)
        return hold_seq == 0 ? ERR_OK
                             : ledger_check_fail(check, seq, err, "%s names a hold",
                                                 ledger_kind_name(kind));
    if (!ledger_view_has(view, COLUMN_TASK))
        return ledger_check_fail(check, seq, err, "names no task");
    if (hold_seq != 0 || kind != LEDGER_HOLD) {
        hold = find_hold(check, hold_seq);
        if (hold == NULL)
            return ledger_check_fail(check, seq, err, "there is no hold %" PRId64, hold_seq);
        if (hold->task_mark != mark_text(mark_start, view->text[COLUMN_TASK]))
            return ledger_check_fail(check, seq, err, "hold %" PRId64 " is another task's",
                                     hold_seq);
    }
    check->due = nothing_due;
    switch (kind) {
    case LEDGER_HOLD:
        return take_hold(check, view, hold, err);
    case LEDGER_CHARGE:
        return take_charge(check, view, hold,
                           was_due.kind == LEDGER_CHARGE ? was_due.amount_nano : 0, err);
    case LEDGER_RELEASE:
        return take_release(check, view, hold, was_due.kind == LEDGER_RELEASE, err);
    default:
        return take_loss(check, view, hold, &was_due, err);
    }
}

FALLIBLE ledger_check_entry(struct ledger_check *check, const struct ledger_view *view,
                            struct err *err)
{
    int64_t seq = view->number[COLUMN_SEQ];
    enum ledger_kind kind = LEDGER_KIND_COUNT;

    TRY(check_link(check, view, err));
    if (!ledger_view_kind(view->text[COLUMN_KIND], &kind))
        return ledger_check_fail(check, seq, err, "kind is unknown");
    TRY(check_due(check, view, kind, err));
    TRY(check_move(check, view, kind, err));
    TRY(check_hold(check, view, kind, err));

    check->seq = seq;
    check->time_us = view->number[COLUMN_TIME_US];
    memcpy(check->head, view->text[COLUMN_HASH].ptr, sizeof(check->head));
    if (check->currency[0] == '\0')
        (void)str_copy(check->currency, sizeof(check->currency), view->text[COLUMN_CURRENCY]);
    return ERR_OK;
}

FALLIBLE ledger_check_account(const struct ledger_check *check,
                              const struct ledger_account *account, struct err *err)
{
    const int64_t sums[LEDGER_SIDE_COUNT] = {account->available_nano, account->held_nano,
                                             account->charged_nano, account->loss_nano};
    static const char *const names[LEDGER_SIDE_COUNT] = {"available", "held", "charged",
                                                         "loss"};

    if (check->due.kind != LEDGER_KIND_COUNT)
        return ledger_check_fail(check, check->seq + 1, err,
                                 "the %s of hold %" PRId64 " is missing",
                                 ledger_kind_name(check->due.kind), check->due.hold_seq);
    if (account->seq > check->seq)
        return ledger_check_fail(check, check->seq + 1, err,
                                 "is missing, the account ends at entry %" PRId64,
                                 account->seq);
    if (account->seq < check->seq)
        return ledger_check_fail(check, account->seq + 1, err,
                                 "stands behind the end of the account");
    if (memcmp(account->head, check->head, sizeof(check->head)) != 0)
        return ledger_check_fail(check, check->seq, err, "the account has another head");
    if (check->currency[0] != '\0' && strcmp(account->currency, check->currency) != 0)
        return ledger_check_fail(check, 0, err, "the account is in %s, the ledger in %s",
                                 account->currency, check->currency);
    for (int side = 0; side < LEDGER_SIDE_COUNT; side++)
        if (sums[side] != check->sums[side])
            return ledger_check_fail(check, 0, err,
                                     "%s is %" PRId64 " nano in the account, %" PRId64
                                     " by the ledger",
                                     names[side], sums[side], check->sums[side]);
    return ERR_OK;
}

/* The row's quantity is a worst case in two units until the hold is resolved. */
static int64_t row_quantity(const struct ledger_check_hold *hold, const struct hold_row *row)
{
    if (hold->state != HOLD_OPEN)
        return row->quantity;
    return strcmp(row->unit, "second") == 0 ? row->output_ms : row->tokens;
}

FALLIBLE ledger_check_row(struct ledger_check *check, const struct hold_row *row,
                          struct err *err)
{
    struct ledger_check_hold *hold = find_hold(check, row->seq);
    const char *sku = row->charged_sku[0] != '\0' ? row->charged_sku : row->sku;
    const char *what = NULL;

    if (hold == NULL)
        return ledger_check_fail(check, 0, err, "hold of task %s: there is no hold %" PRId64,
                                 row->task, row->seq);
    if (hold->task_mark != mark_text(mark_start, str_from(row->task)))
        what = "task";
    else if (strcmp(row->state, state_names[hold->state]) != 0 &&
             !(hold->state == HOLD_OPEN && strcmp(row->state, "review") == 0))
        what = "state";
    else if (row->amount_nano != hold->placed_nano)
        what = "amount";
    else if (row->charge_nano != hold->charge_nano)
        what = "charge";
    else if (row->loss_nano != hold->loss_nano)
        what = "loss";
    else if (row_quantity(hold, row) != hold->quantity ||
             (hold->state == HOLD_OPEN && row->quantity != 0))
        what = "quantity";
    else if (placed_mark(str_from(row->book), row->book_version, str_from(row->sku)) !=
             hold->placed_mark)
        what = "price book or sku";
    else if (final_mark(str_from(sku), str_from(row->unit), row->unit_price_nano) !=
             hold->final_mark)
        what = "price";
    if (what != NULL)
        return ledger_check_fail(check, hold->seq, err,
                                 "the hold row of task %s has another %s", row->task, what);
    hold->seen = true;
    return ERR_OK;
}

FALLIBLE ledger_check_rows_seen(const struct ledger_check *check, int64_t until_seq,
                                struct err *err)
{
    for (size_t i = 0; i < check->count && check->holds[i].seq <= until_seq; i++)
        if (!check->holds[i].seen)
            return ledger_check_fail(check, check->holds[i].seq, err,
                                     "its hold row is missing");
    return ERR_OK;
}
