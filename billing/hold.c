/* SPDX-License-Identifier: Apache-2.0 */
/* Decides what becomes of a hold: placed for the worst case, then charged,
 * released or kept for review, once. How the money moves is ledger.c's. */
#include "billing/billing.h"
#include "billing/repo.h"

#include <stdio.h>
#include <string.h>

enum {
    TOKENS_MAX = 1000000000, /* no video takes a thousandth of it: 4k, 15 s is 2.9 M */
    HOLD_FACTOR_MAX = 4      /* over this multiple of the worst case Ark and we disagree */
};

static const char state_open[] = "open", state_review[] = "review", state_charged[] = "charged",
                  state_released[] = "released";

static enum err_code not_in_state(const struct hold_row *row, const char *wanted,
                                  struct err *err)
{
    return err_set(err, ERR_CONFLICT, "the hold of task %s is %s, not %s", row->task,
                   row->state, wanted);
}

/* The hold, which must be in that state. */
static FALLIBLE find_hold(struct db_conn *conn, const struct scope *scope, struct str task,
                          const char *state, struct hold_row *ret_row, struct err *err)
{
    bool any = false;

    TRY(hold_repo_get(conn, scope->tenant_id, task, &any, ret_row, err));
    if (!any)
        return err_set(err, ERR_NOT_FOUND, "the task has no hold");
    if (strcmp(ret_row->state, state) != 0)
        return not_in_state(ret_row, state, err);
    return ERR_OK;
}

static void set_text(char *dst, size_t size, const char *text)
{
    ASSERT(str_copy(dst, size, str_from(text)));
}
#define SET(array, text) set_text((array), sizeof(array), (text))

static void set_price(struct ledger_entry *entry, const struct price_row *price,
                      int64_t quantity)
{
    SET(entry->book, price->book);
    SET(entry->sku, price->sku);
    SET(entry->unit, price_unit_name(price->unit));
    SET(entry->currency, price->currency);
    entry->book_version = price->version;
    entry->unit_price_nano = price->unit_price_nano;
    entry->quantity = quantity;
}

/* An entry that resolves a hold or adds to it, without a price. */
static struct ledger_entry entry_for(const struct scope *scope, const struct hold_row *row,
                                     enum ledger_kind kind, int64_t amount_nano, int64_t now_us)
{
    struct ledger_entry entry = {.tenant_id = scope->tenant_id,
                                 .time_us = now_us,
                                 .kind = kind,
                                 .amount_nano = amount_nano,
                                 .hold_seq = row->seq};

    SET(entry.task, row->task);
    return entry;
}

/* An operator's words on an entry. */
static FALLIBLE sign_entry(struct ledger_entry *entry, const char *actor, struct str reason,
                           struct err *err)
{
    if (reason.len > 0 &&
        (memchr(reason.ptr, '\0', reason.len) != NULL || !str_is_utf8(reason)))
        return err_field(err, "reason", "reason must be UTF-8 text");
    if (!str_copy(entry->reason, sizeof(entry->reason), reason))
        return err_field(err, "reason", "reason is longer than %zu bytes",
                         sizeof(entry->reason) - 1);
    if (!str_copy(entry->actor, sizeof(entry->actor), str_from(actor)))
        return err_detail(err, ERR_INTERNAL, "actor is too long");
    return ERR_OK;
}

FALLIBLE hold_place(struct db_conn *conn, const struct scope *scope,
                    const struct hold_request *request, struct money *ret_held, struct err *err)
{
    const struct price_row *price = request->price;
    struct hold_row row = {.tokens = request->tokens,
                           .output_ms = request->output_ms,
                           .book_version = price->version,
                           .unit_price_nano = price->unit_price_nano};
    struct money amount;

    if (request->task.len == 0 || !str_is_utf8(request->task) ||
        memchr(request->task.ptr, '\0', request->task.len) != NULL ||
        !str_copy(row.task, sizeof(row.task), request->task))
        return err_detail(err, ERR_INTERNAL, "task id does not fit a hold");
    TRY(price_cost(price, request->tokens, request->output_ms, &amount, err));

    struct ledger_entry entry =
        entry_for(scope, &row, LEDGER_HOLD, amount.nano, request->now_us);

    set_price(&entry, price, price_quantity(price, request->tokens, request->output_ms));
    TRY(ledger_append(conn, &entry, err));

    row.seq = entry.seq;
    row.amount_nano = amount.nano;
    SET(row.book, price->book);
    SET(row.sku, price->sku);
    SET(row.state, state_open);
    SET(row.unit, price_unit_name(price->unit));
    TRY(hold_repo_add(conn, scope->tenant_id, &row, err));
    *ret_held = amount;
    return ERR_OK;
}

/* Why usage cannot be charged; "" when it can. */
static void judge_usage(const struct hold_row *row, const struct hold_usage *usage,
                        const struct price_row *price, char *ret_why, size_t size)
{
    if (!usage->has_tokens)
        (void)snprintf(ret_why, size, "usage is missing");
    else if (usage->tokens < 0)
        (void)snprintf(ret_why, size, "usage is negative: %lld tokens",
                       (long long)usage->tokens);
    else if (usage->tokens > TOKENS_MAX)
        (void)snprintf(ret_why, size, "usage is over 10^9: %lld tokens",
                       (long long)usage->tokens);
    else if ((__int128)usage->tokens > (__int128)row->tokens * HOLD_FACTOR_MAX)
        (void)snprintf(ret_why, size, "usage is over %d times the hold: %lld of %lld tokens",
                       HOLD_FACTOR_MAX, (long long)usage->tokens, (long long)row->tokens);
    else if (price->unit == PRICE_PER_SECOND &&
             (usage->output_ms <= 0 ||
              (__int128)usage->output_ms > (__int128)row->output_ms * HOLD_FACTOR_MAX))
        (void)snprintf(ret_why, size, "the length cannot be: %lld ms, held for %lld ms",
                       (long long)usage->output_ms, (long long)row->output_ms);
    else
        ret_why[0] = '\0';
}

/* A tool that has a price and was used: charging for uses is not built, and giving them
 * away unseen is not for us to decide. */
static FALLIBLE judge_tools(struct db_conn *conn, const struct hold_row *row,
                            const struct hold_usage *usage, char *ret_why, size_t size,
                            struct err *err)
{
    int64_t unit_nano;

    if (usage->tool_uses <= 0)
        return ERR_OK;
    TRY(price_tool(conn, str_from(row->book), row->book_version, &unit_nano, err));
    if (unit_nano != 0)
        (void)snprintf(ret_why, size, "%lld tool uses that have a price",
                       (long long)usage->tool_uses);
    return ERR_OK;
}

/* The row of the frozen version and what the usage costs by it; why is set when
 * the hold must wait for an operator. */
static FALLIBLE price_usage(struct db_conn *conn, const struct hold_row *row,
                            const struct hold_usage *usage, struct hold_charge *charge,
                            struct err *err)
{
    enum err_code rc = price_find(conn, str_from(row->book), row->book_version, &usage->key,
                                  &charge->price, err);

    if (rc == ERR_UNAVAILABLE) {
        (void)snprintf(charge->review, sizeof(charge->review),
                       "no price in %s version %lld for the final resolution", row->book,
                       (long long)row->book_version);
        *err = (struct err){0};
        return ERR_OK;
    }
    if (rc != ERR_OK)
        return rc;
    judge_usage(row, usage, &charge->price, charge->review, sizeof(charge->review));
    if (charge->review[0] == '\0')
        TRY(judge_tools(conn, row, usage, charge->review, sizeof(charge->review), err));
    if (charge->review[0] != '\0')
        return ERR_OK;
    charge->quantity = price_quantity(&charge->price, usage->tokens, usage->output_ms);
    return price_cost(&charge->price, usage->tokens, usage->output_ms, &charge->charge, err);
}

static FALLIBLE move_to_review(struct db_conn *conn, const struct scope *scope,
                               const struct hold_row *row, struct str why, struct err *err)
{
    struct hold_row changed = *row;

    SET(changed.state, state_review);
    str_copy_cut(changed.review, sizeof(changed.review), why);
    return hold_repo_change(conn, scope->tenant_id, row, &changed, err);
}

/* Above the hold: takes from available what the credit line still allows. The
 * charge becomes what is held then, the rest is a loss. */
static FALLIBLE extend_hold(struct db_conn *conn, const struct scope *scope,
                            const struct hold_row *row, int64_t now_us,
                            struct hold_charge *charge, struct err *err)
{
    int64_t extra = charge->charge.nano - row->amount_nano;
    struct ledger_account account;
    int64_t last_us;
    bool any = false;

    TRY(ledger_repo_begin(conn, scope->tenant_id, &any, &account, &last_us, err));
    if (!any)
        return err_set(err, ERR_NOT_FOUND, "the tenant has no account");

    int64_t room = account.available_nano + account.credit_line_nano;
    int64_t taken = room < 0 ? 0 : extra < room ? extra : room;

    if (taken > 0) {
        struct ledger_entry entry = entry_for(scope, row, LEDGER_HOLD, taken, now_us);

        SET(entry.reason, "over the hold");
        TRY(ledger_append(conn, &entry, err));
    }
    charge->loss.nano = extra - taken;
    charge->charge.nano -= charge->loss.nano;
    return ERR_OK;
}

static FALLIBLE book_charge(struct db_conn *conn, const struct scope *scope,
                            const struct hold_row *row, const struct hold_usage *usage,
                            struct hold_charge *charge, struct err *err)
{
    if (charge->charge.nano > row->amount_nano)
        TRY(extend_hold(conn, scope, row, usage->now_us, charge, err));

    struct ledger_entry entry =
        entry_for(scope, row, LEDGER_CHARGE, charge->charge.nano, usage->now_us);

    set_price(&entry, &charge->price, charge->quantity);
    entry.has_evidence = true;
    memcpy(entry.evidence, usage->evidence, sizeof(entry.evidence));
    TRY(ledger_append(conn, &entry, err));
    if (charge->charge.nano < row->amount_nano) {
        struct ledger_entry rest = entry_for(
            scope, row, LEDGER_RELEASE, row->amount_nano - charge->charge.nano, usage->now_us);

        TRY(ledger_append(conn, &rest, err));
    }
    if (charge->loss.nano > 0) {
        entry.kind = LEDGER_LOSS;
        entry.amount_nano = charge->loss.nano;
        entry.time_us = usage->now_us;
        SET(entry.reason, "over the hold and the credit line");
        TRY(ledger_append(conn, &entry, err));
    }
    return ERR_OK;
}

/* What the row keeps of a price that was charged or lost. */
static void set_outcome(struct hold_row *row, const struct hold_charge *charge)
{
    row->charge_nano = charge->charge.nano;
    row->loss_nano = charge->loss.nano;
    row->quantity = charge->quantity;
    row->unit_price_nano = charge->price.unit_price_nano;
    SET(row->charged_sku, charge->price.sku);
    SET(row->unit, price_unit_name(charge->price.unit));
}

FALLIBLE hold_settle(struct db_conn *conn, const struct scope *scope, struct str task,
                     const struct hold_usage *usage, struct hold_charge *ret_charge,
                     struct err *err)
{
    struct hold_charge charge = {.result = HOLD_CHARGED};
    struct hold_row row, changed;

    TRY(find_hold(conn, scope, task, state_open, &row, err));
    TRY(price_usage(conn, &row, usage, &charge, err));
    if (charge.review[0] != '\0') {
        charge.result = HOLD_IN_REVIEW;
        TRY(move_to_review(conn, scope, &row, str_from(charge.review), err));
        *ret_charge = charge;
        return ERR_OK;
    }
    TRY(book_charge(conn, scope, &row, usage, &charge, err));
    changed = row;
    SET(changed.state, state_charged);
    set_outcome(&changed, &charge);
    TRY(hold_repo_change(conn, scope->tenant_id, &row, &changed, err));
    *ret_charge = charge;
    return ERR_OK;
}

FALLIBLE hold_release(struct db_conn *conn, const struct scope *scope, struct str task,
                      int64_t now_us, const char *actor, struct str reason, struct err *err)
{
    struct hold_row row, changed;

    TRY(find_hold(conn, scope, task, state_open, &row, err));

    struct ledger_entry entry = entry_for(scope, &row, LEDGER_RELEASE, row.amount_nano, now_us);

    TRY(sign_entry(&entry, actor, reason, err));
    TRY(ledger_append(conn, &entry, err));
    changed = row;
    SET(changed.state, state_released);
    return hold_repo_change(conn, scope->tenant_id, &row, &changed, err);
}

FALLIBLE hold_review(struct db_conn *conn, const struct scope *scope, struct str task,
                     struct str why, int64_t now_us, struct err *err)
{
    struct hold_row row;

    (void)now_us; /* no money moves, so no entry that would carry the time */
    TRY(find_hold(conn, scope, task, state_open, &row, err));
    return move_to_review(conn, scope, &row, why, err);
}

FALLIBLE hold_resolve(struct db_conn *conn, const struct scope *scope, struct str task,
                      struct money charge, int64_t now_us, const char *actor, struct str reason,
                      struct err *err)
{
    struct hold_row row, changed;

    TRY(find_hold(conn, scope, task, state_review, &row, err));
    if (charge.nano < 0 || charge.nano > row.amount_nano)
        return err_field(err, "charge", "charge must be from 0 to what is held");
    if (actor == NULL || actor[0] == '\0')
        return err_detail(err, ERR_INTERNAL, "a hold is resolved by somebody");

    struct ledger_entry entry = entry_for(scope, &row, LEDGER_CHARGE, charge.nano, now_us);

    TRY(sign_entry(&entry, actor, reason, err));
    if (charge.nano > 0)
        TRY(ledger_append(conn, &entry, err));
    if (charge.nano < row.amount_nano || charge.nano == 0) {
        entry.kind = LEDGER_RELEASE;
        entry.amount_nano = row.amount_nano - charge.nano;
        entry.time_us = now_us;
        TRY(ledger_append(conn, &entry, err));
    }
    changed = row;
    SET(changed.state, charge.nano > 0 ? state_charged : state_released);
    changed.charge_nano = charge.nano;
    return hold_repo_change(conn, scope->tenant_id, &row, &changed, err);
}

FALLIBLE hold_late_loss(struct db_conn *conn, const struct scope *scope, struct str task,
                        const struct hold_usage *usage, struct err *err)
{
    struct hold_charge charge = {.result = HOLD_CHARGED};
    struct hold_row row, changed;

    TRY(find_hold(conn, scope, task, state_released, &row, err));
    if (row.charged_sku[0] != '\0')
        return err_set(err, ERR_CONFLICT, "the late loss of task %s is booked", row.task);
    TRY(price_usage(conn, &row, usage, &charge, err));
    if (charge.review[0] != '\0')
        return err_field(err, "usage", "%s", charge.review);
    charge.loss = charge.charge;
    charge.charge.nano = 0;

    struct ledger_entry entry =
        entry_for(scope, &row, LEDGER_LOSS, charge.loss.nano, usage->now_us);

    set_price(&entry, &charge.price, charge.quantity);
    entry.has_evidence = true;
    memcpy(entry.evidence, usage->evidence, sizeof(entry.evidence));
    SET(entry.reason, "turned up after its release");
    TRY(ledger_append(conn, &entry, err));
    changed = row;
    set_outcome(&changed, &charge);
    return hold_repo_change(conn, scope->tenant_id, &row, &changed, err);
}

FALLIBLE hold_get(struct db_conn *conn, const struct scope *scope, struct str task,
                  struct hold_view *ret_view, struct err *err)
{
    struct hold_row row;
    bool any = false;

    TRY(hold_repo_get(conn, scope->tenant_id, task, &any, &row, err));
    if (!any)
        return err_set(err, ERR_NOT_FOUND, "the task has no hold");

    struct ledger_account account;
    struct hold_view view = {
        .held = {row.amount_nano},
        .charge = {row.charge_nano},
        .loss = {row.loss_nano},
        .tokens = row.tokens,
        .quantity = row.quantity,
        .unit_price_nano = row.unit_price_nano,
        .book_version = row.book_version,
    };

    TRY(ledger_account(conn, scope, &account, err));
    SET(view.state, row.state);
    SET(view.currency, account.currency);
    SET(view.book, row.book);
    SET(view.sku, row.charged_sku[0] != '\0' ? row.charged_sku : row.sku);
    SET(view.unit, row.unit);
    SET(view.review, row.review);
    *ret_view = view;
    return ERR_OK;
}
