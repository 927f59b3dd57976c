/* SPDX-License-Identifier: Apache-2.0 */
/* Money that an operator gives a tenant, or takes back. The ref makes it happen once,
 * however often the line is run. */
#include "gateway/cli/cli.h"

#include "billing/billing.h"

#include <string.h>

enum { REF_MAX = 128, REASON_MAX = 256 /* the ledger's columns */ };

struct booking {
    struct str tenant, ref, reason;
    enum ledger_kind kind;
    const char *action, *actor;
    struct money amount;
    int64_t now_us;
    struct ledger_account account; /* result */
    int64_t seq;                   /* result */
};

static FALLIBLE append_audit(struct db_conn *conn, const struct booking *booking,
                             struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    char amount[MONEY_TEXT_MAX];
    struct json_out out;

    money_text(booking->amount, amount);
    buf_init(&detail, 4096); /* what an audit entry may hold */
    out = json_begin(&detail);
    json_open_object(&out, NULL);
    json_put_text(&out, "amount", str_from(amount));
    json_put_text(&out, "currency", str_from(booking->account.currency));
    json_put_int(&out, "seq", booking->seq);
    json_put_text(&out, "ref", booking->ref);
    json_put_text(&out, "reason", booking->reason);
    json_close_object(&out);
    TRY(json_end(&out, err));
    return audit_append(conn, booking->actor, booking->now_us, booking->action, booking->tenant,
                        buf_str(&detail), err);
}

static FALLIBLE book(struct db_conn *conn, void *ctx, struct err *err)
{
    struct booking *booking = ctx;
    struct ledger_account before;
    struct scope scope = {0};
    struct tenant tenant;

    TRY(tenant_find(conn, booking->tenant, &tenant, err));
    scope.tenant_id = tenant.id;
    TRY(ledger_account(conn, &scope, &before, err));
    TRY(ledger_book(conn, &scope, booking->kind, booking->amount, booking->now_us,
                    booking->actor, booking->ref, booking->reason, &booking->account,
                    &booking->seq, err));
    if (booking->seq <= before.seq)
        return ERR_OK; /* booked by an earlier run */
    return append_audit(conn, booking, err);
}

static FALLIBLE take_text(const struct cli_ctx *ctx, const char *name, size_t max,
                          struct str *ret_text, struct err *err)
{
    struct str text = str_from(cli_value(ctx, name));

    if (text.len == 0)
        return err_set(err, ERR_USAGE, "--%s is required", name);
    if (text.len > max)
        return err_set(err, ERR_INVALID, "--%s must be at most %zu bytes", name, max);
    if (!str_is_utf8(text))
        return err_set(err, ERR_INVALID, "--%s must be UTF-8", name);
    *ret_text = text;
    return ERR_OK;
}

static FALLIBLE run_booking(struct cli_ctx *ctx, enum ledger_kind kind, const char *action,
                            struct err *err)
{
    struct booking booking = {.tenant = str_from(ctx->line->args[0]),
                              .kind = kind,
                              .action = action,
                              .actor = ctx->actor,
                              .now_us = ctx->now_us};

    if (!money_parse(str_from(ctx->line->args[1]), &booking.amount))
        return err_set(err, ERR_INVALID,
                       "the amount must be a decimal number with at most 9 decimals");
    if (kind == LEDGER_TOP_UP ? booking.amount.nano <= 0 : booking.amount.nano == 0)
        return err_set(err, ERR_INVALID, "the amount must %s",
                       kind == LEDGER_TOP_UP ? "be above 0" : "not be 0");
    TRY(take_text(ctx, "ref", REF_MAX, &booking.ref, err));
    TRY(take_text(ctx, "reason", REASON_MAX, &booking.reason, err));
    TRY(db_write(ctx->db, DB_ALL, book, &booking, err));
    json_open_object(ctx->out, NULL);
    json_put_int(ctx->out, "seq", booking.seq);
    cli_put_amount(ctx->out, "available", booking.account.available_nano);
    cli_put_amount(ctx->out, "held", booking.account.held_nano);
    json_put_text(ctx->out, "currency", str_from(booking.account.currency));
    json_close_object(ctx->out);
    return ERR_OK;
}

static FALLIBLE run_add(struct cli_ctx *ctx, struct err *err)
{
    return run_booking(ctx, LEDGER_TOP_UP, "credit.add", err);
}

static FALLIBLE run_adjust(struct cli_ctx *ctx, struct err *err)
{
    return run_booking(ctx, LEDGER_ADJUST, "credit.adjust", err);
}

static const struct cli_option options[] = {
    {"ref", CLI_TEXT, "KEY", "your number for it; the same one books once"},
    {"reason", CLI_TEXT, "TEXT", "why, for the ledger"},
};

const struct command cmd_credit[] = {
    {"credit add", CLI_WRITE, 2, 2, "TENANT AMOUNT", "Adds money to a tenant's account.",
     options, COUNT_OF(options), run_add},
    {"credit adjust", CLI_WRITE, 2, 2, "TENANT AMOUNT",
     "Corrects an account; write a negative amount last, after --.", options, COUNT_OF(options),
     run_adjust},
    {.name = NULL},
};
