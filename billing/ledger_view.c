/* SPDX-License-Identifier: Apache-2.0 */
/* Decides the stored form of a ledger entry: its columns, its hash and the
 * accounts each kind moves between. Whether a chain of them adds up is decided in
 * ledger_check.c. */
#include "billing/chain.h"

#include <string.h>

enum { RECORD_VERSION = 1 };

const struct ledger_column_info ledger_view_columns[COLUMN_COUNT] = {
    /*                      name               type         optional  longest text */
    [COLUMN_TENANT] = {"tenant", COLUMN_IS_INT, false, 0},
    [COLUMN_SEQ] = {"seq", COLUMN_IS_INT, false, 0},
    [COLUMN_TIME_US] = {"time_us", COLUMN_IS_BIG, false, 0},
    [COLUMN_KIND] = {"kind", COLUMN_IS_TEXT, false, 15},
    [COLUMN_TASK] = {"task", COLUMN_IS_TEXT, true, 63},
    [COLUMN_DEBIT] = {"debit", COLUMN_IS_TEXT, false, 15},
    [COLUMN_CREDIT] = {"credit", COLUMN_IS_TEXT, false, 15},
    [COLUMN_AMOUNT] = {"amount_nano", COLUMN_IS_BIG, false, 0},
    [COLUMN_CURRENCY] = {"currency", COLUMN_IS_TEXT, false, 7},
    [COLUMN_HOLD_SEQ] = {"hold_seq", COLUMN_IS_INT, true, 0},
    [COLUMN_BOOK] = {"book", COLUMN_IS_TEXT, true, 63},
    [COLUMN_BOOK_VERSION] = {"book_version", COLUMN_IS_INT, true, 0},
    [COLUMN_SKU] = {"sku", COLUMN_IS_TEXT, true, 95},
    [COLUMN_UNIT] = {"unit", COLUMN_IS_TEXT, true, 15},
    [COLUMN_UNIT_PRICE] = {"unit_price_nano", COLUMN_IS_BIG, true, 0},
    [COLUMN_QUANTITY] = {"quantity", COLUMN_IS_BIG, true, 0},
    [COLUMN_EVIDENCE] = {"evidence", COLUMN_IS_BYTES, true, 0},
    [COLUMN_ACTOR] = {"actor", COLUMN_IS_TEXT, true, 64},
    [COLUMN_REASON] = {"reason", COLUMN_IS_TEXT, true, 256},
    [COLUMN_REF] = {"ref", COLUMN_IS_TEXT, true, 128},
    [COLUMN_PREV] = {"prev", COLUMN_IS_BYTES, false, 0},
    [COLUMN_HASH] = {"hash", COLUMN_IS_BYTES, false, 0},
};

enum { OUTSIDE = LEDGER_SIDE_COUNT }; /* funds */

static const char *const side_names[LEDGER_SIDE_COUNT + 1] = {
    [SIDE_AVAILABLE] = "available", [SIDE_HELD] = "held", [SIDE_CHARGED] = "charged",
    [SIDE_LOSS] = "loss",           [OUTSIDE] = "funds",
};

static const struct {
    const char *name;
    int debit, credit;
} kinds[LEDGER_KIND_COUNT] = {
    [LEDGER_TOP_UP] = {"top-up", OUTSIDE, SIDE_AVAILABLE},
    [LEDGER_HOLD] = {"hold", SIDE_AVAILABLE, SIDE_HELD},
    [LEDGER_CHARGE] = {"charge", SIDE_HELD, SIDE_CHARGED},
    [LEDGER_RELEASE] = {"release", SIDE_HELD, SIDE_AVAILABLE},
    [LEDGER_REFUND] = {"refund", SIDE_CHARGED, SIDE_AVAILABLE},
    [LEDGER_ADJUST] = {"adjust", OUTSIDE, SIDE_AVAILABLE},
    [LEDGER_LOSS] = {"loss", SIDE_LOSS, SIDE_CHARGED},
};

const char *ledger_view_kind_name(enum ledger_kind kind)
{
    return kinds[kind].name;
}

bool ledger_view_kind(struct str name, enum ledger_kind *ret_kind)
{
    for (int kind = 0; kind < LEDGER_KIND_COUNT; kind++) {
        if (!str_is(name, kinds[kind].name))
            continue;
        *ret_kind = (enum ledger_kind)kind;
        return true;
    }
    return false;
}

void ledger_view_move(enum ledger_kind kind, bool backwards, const char **ret_debit,
                      const char **ret_credit)
{
    *ret_debit = side_names[backwards ? kinds[kind].credit : kinds[kind].debit];
    *ret_credit = side_names[backwards ? kinds[kind].debit : kinds[kind].credit];
}

void ledger_view_delta(enum ledger_kind kind, bool backwards, int64_t amount_nano,
                       int64_t ret_delta[LEDGER_SIDE_COUNT])
{
    int64_t delta[LEDGER_SIDE_COUNT + 1] = {0};
    int64_t amount = backwards ? -amount_nano : amount_nano;

    /* The loss account grows by what it pays; all others shrink by it. */
    delta[kinds[kind].debit] = kinds[kind].debit == SIDE_LOSS ? amount : -amount;
    delta[kinds[kind].credit] = amount;
    memcpy(ret_delta, delta, sizeof(delta[0]) * LEDGER_SIDE_COUNT);
}

void ledger_view_hash(const struct ledger_view *view, uint8_t ret_hash[CRYPTO_HASH_BYTES])
{
    struct crypto_record record;

    crypto_record_begin(&record, RECORD_VERSION);
    for (unsigned column = 0; column < COLUMN_HASH; column++) {
        if (!ledger_view_has(view, column))
            crypto_record_none(&record);
        else if (ledger_view_columns[column].type <= COLUMN_IS_BIG)
            crypto_record_i64(&record, view->number[column]);
        else
            crypto_record_text(&record, view->text[column]);
    }
    crypto_record_end(&record, ret_hash);
}

static void put_number(struct ledger_view *view, enum ledger_column column, int64_t value)
{
    view->number[column] = value;
    view->present |= 1U << column;
}

/* Empty texts and zeros of optional columns are absent in an entry. */
static void put_text(struct ledger_view *view, enum ledger_column column, const char *text)
{
    if (text[0] == '\0' && ledger_view_columns[column].optional)
        return;
    view->text[column] = str_from(text);
    view->present |= 1U << column;
}

static void put_bytes(struct ledger_view *view, enum ledger_column column,
                      const uint8_t bytes[CRYPTO_HASH_BYTES])
{
    view->text[column] = (struct str){(const char *)bytes, CRYPTO_HASH_BYTES};
    view->present |= 1U << column;
}

void ledger_view_from(const struct ledger_entry *entry, struct ledger_view *ret_view)
{
    *ret_view = (struct ledger_view){0};
    put_number(ret_view, COLUMN_TENANT, entry->tenant_id);
    put_number(ret_view, COLUMN_SEQ, entry->seq);
    put_number(ret_view, COLUMN_TIME_US, entry->time_us);
    put_text(ret_view, COLUMN_KIND, kinds[entry->kind].name);
    put_text(ret_view, COLUMN_TASK, entry->task);
    put_text(ret_view, COLUMN_DEBIT, entry->debit);
    put_text(ret_view, COLUMN_CREDIT, entry->credit);
    put_number(ret_view, COLUMN_AMOUNT, entry->amount_nano);
    put_text(ret_view, COLUMN_CURRENCY, entry->currency);
    if (entry->hold_seq != 0)
        put_number(ret_view, COLUMN_HOLD_SEQ, entry->hold_seq);
    put_text(ret_view, COLUMN_BOOK, entry->book);
    if (entry->book_version != 0)
        put_number(ret_view, COLUMN_BOOK_VERSION, entry->book_version);
    put_text(ret_view, COLUMN_SKU, entry->sku);
    put_text(ret_view, COLUMN_UNIT, entry->unit);
    if (entry->unit[0] != '\0') {
        put_number(ret_view, COLUMN_UNIT_PRICE, entry->unit_price_nano);
        put_number(ret_view, COLUMN_QUANTITY, entry->quantity);
    }
    if (entry->has_evidence)
        put_bytes(ret_view, COLUMN_EVIDENCE, entry->evidence);
    put_text(ret_view, COLUMN_ACTOR, entry->actor);
    put_text(ret_view, COLUMN_REASON, entry->reason);
    put_text(ret_view, COLUMN_REF, entry->ref);
    put_bytes(ret_view, COLUMN_PREV, entry->prev);
    put_bytes(ret_view, COLUMN_HASH, entry->hash);
}

static bool take_text(const struct ledger_view *view, enum ledger_column column, char *dst,
                      size_t size)
{
    return str_copy(dst, size, view->text[column]);
}

static bool take_bytes(const struct ledger_view *view, enum ledger_column column,
                       uint8_t dst[CRYPTO_HASH_BYTES])
{
    if (view->text[column].len != CRYPTO_HASH_BYTES)
        return false;
    memcpy(dst, view->text[column].ptr, CRYPTO_HASH_BYTES);
    return true;
}

FALLIBLE ledger_view_copy(const struct ledger_view *view, struct ledger_entry *ret_entry,
                          struct err *err)
{
    struct ledger_entry entry = {
        .tenant_id = view->number[COLUMN_TENANT],
        .seq = view->number[COLUMN_SEQ],
        .time_us = view->number[COLUMN_TIME_US],
        .amount_nano = view->number[COLUMN_AMOUNT],
        .hold_seq = view->number[COLUMN_HOLD_SEQ],
        .book_version = view->number[COLUMN_BOOK_VERSION],
        .unit_price_nano = view->number[COLUMN_UNIT_PRICE],
        .quantity = view->number[COLUMN_QUANTITY],
        .has_evidence = ledger_view_has(view, COLUMN_EVIDENCE),
    };

    if (!ledger_view_kind(view->text[COLUMN_KIND], &entry.kind) ||
        !take_text(view, COLUMN_TASK, entry.task, sizeof(entry.task)) ||
        !take_text(view, COLUMN_DEBIT, entry.debit, sizeof(entry.debit)) ||
        !take_text(view, COLUMN_CREDIT, entry.credit, sizeof(entry.credit)) ||
        !take_text(view, COLUMN_CURRENCY, entry.currency, sizeof(entry.currency)) ||
        !take_text(view, COLUMN_BOOK, entry.book, sizeof(entry.book)) ||
        !take_text(view, COLUMN_SKU, entry.sku, sizeof(entry.sku)) ||
        !take_text(view, COLUMN_UNIT, entry.unit, sizeof(entry.unit)) ||
        !take_text(view, COLUMN_ACTOR, entry.actor, sizeof(entry.actor)) ||
        !take_text(view, COLUMN_REASON, entry.reason, sizeof(entry.reason)) ||
        !take_text(view, COLUMN_REF, entry.ref, sizeof(entry.ref)) ||
        (entry.has_evidence && !take_bytes(view, COLUMN_EVIDENCE, entry.evidence)) ||
        !take_bytes(view, COLUMN_PREV, entry.prev) ||
        !take_bytes(view, COLUMN_HASH, entry.hash))
        return err_set(err, ERR_MISMATCH, "entry %lld is not in the stored form",
                       (long long)entry.seq);
    *ret_entry = entry;
    return ERR_OK;
}
