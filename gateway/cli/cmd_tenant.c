/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate tenant: who may buy, in which currency, by which price book. */
#include "gateway/cli/cli.h"

#include "billing/billing.h"

#include <string.h>

struct tenant_view {
    struct tenant tenant;
    struct tenant_settings settings;
    struct ledger_account account;
};

static enum err_code load_view(struct db_conn *conn, struct tenant_view *view, struct err *err)
{
    struct scope scope = {.tenant_id = view->tenant.id};

    TRY(tenant_setting_load(conn, view->tenant.id, &view->settings, err));
    return ledger_account(conn, &scope, &view->account, err);
}

static void put_tenant(struct cli_ctx *ctx, const struct tenant_view *view)
{
    char when[32];

    cli_time_text(view->tenant.created_us, when);
    json_open_object(ctx->out, NULL);
    json_put_int(ctx->out, "id", view->tenant.id);
    json_put_text(ctx->out, "name", str_from(view->tenant.name));
    json_put_text(ctx->out, "state", view->tenant.suspended ? STR("suspended") : STR("active"));
    json_put_text(ctx->out, "currency", str_from(view->tenant.currency));
    json_put_text(ctx->out, "book", str_from(view->tenant.book));
    cli_put_amount(ctx->out, "credit_line", view->account.credit_line_nano);
    cli_put_amount(ctx->out, "available", view->account.available_nano);
    cli_put_amount(ctx->out, "held", view->account.held_nano);
    cli_put_amount(ctx->out, "charged", view->account.charged_nano);
    tenant_setting_put(&view->settings, ctx->out);
    json_put_text(ctx->out, "created_at", str_from(when));
    json_close_object(ctx->out);
}

/* ---- add ------------------------------------------------------------------------- */

struct adding {
    struct cli_ctx *ctx;
    struct money credit, credit_line;
    struct tenant_view view; /* written by the closure */
};

/* The book must exist, and price in the account's currency. currency empty: the
 * book's own is taken. */
static enum err_code check_book(struct db_conn *conn, const struct cli_ctx *ctx,
                                struct str book, struct str currency, char ret_currency[8],
                                struct err *err)
{
    int64_t version;
    enum err_code rc = price_version(conn, book, ctx->now_us, &version, err);

    if (rc == ERR_UNAVAILABLE)
        return err_set(err, ERR_NOT_FOUND, "there is no price book %.*s", (int)book.len,
                       book.ptr);
    TRY(rc);
    TRY(price_currency(conn, book, version, ret_currency, err));
    if (currency.len > 0 && !str_is(currency, ret_currency))
        return err_set(err, ERR_INVALID, "the book %.*s prices in %s, not in %.*s",
                       (int)book.len, book.ptr, ret_currency, (int)currency.len, currency.ptr);
    return ERR_OK;
}

/* What the account began with is in the audit log, not in the ledger alone. */
static enum err_code audit_account(struct db_conn *conn, const struct adding *adding,
                                   struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    struct json_out out;

    if (adding->credit.nano == 0 && adding->credit_line.nano == 0)
        return ERR_OK;
    buf_init(&detail, 1024);
    out = json_begin(&detail);
    json_open_object(&out, NULL);
    cli_put_amount(&out, "credit", adding->credit.nano);
    cli_put_amount(&out, "credit_line", adding->credit_line.nano);
    json_close_object(&out);
    TRY(json_end(&out, err));
    return audit_append(conn, adding->ctx->actor, adding->ctx->now_us, "tenant.set",
                        str_from(adding->view.tenant.name), buf_str(&detail), err);
}

static enum err_code add(struct db_conn *conn, void *closure, struct err *err)
{
    struct adding *adding = closure;
    struct cli_ctx *ctx = adding->ctx;
    const char *book = cli_value(ctx, "book");
    struct str book_name = book == NULL ? STR("ark-cny") : str_from(book);
    struct scope scope = {0};
    char currency[8];
    int64_t seq;

    TRY(check_book(conn, ctx, book_name, str_from(cli_value(ctx, "currency")), currency, err));
    TRY(tenant_add(conn, ctx->actor, ctx->now_us, str_from(ctx->line->args[0]),
                   str_from(currency), book_name, &adding->view.tenant, err));
    TRY(ledger_open_account(conn, adding->view.tenant.id,
                            str_from(adding->view.tenant.currency), adding->credit_line.nano,
                            err));
    scope.tenant_id = adding->view.tenant.id;
    if (adding->credit.nano > 0)
        TRY(ledger_book(conn, &scope, LEDGER_TOP_UP, adding->credit, ctx->now_us, ctx->actor,
                        STR("tenant-add"), STR("first credit"), &adding->view.account, &seq,
                        err));
    TRY(audit_account(conn, adding, err));
    return load_view(conn, &adding->view, err);
}

static enum err_code amount_option(const struct cli_ctx *ctx, const char *name,
                                   struct money *ret_amount, struct err *err)
{
    const char *text = cli_value(ctx, name);

    *ret_amount = (struct money){0};
    if (text == NULL)
        return ERR_OK;
    if (!money_parse(str_from(text), ret_amount) || ret_amount->nano < 0)
        return err_set(err, ERR_USAGE, "--%s must be an amount such as 100 or 12.5", name);
    return ERR_OK;
}

static enum err_code run_add(struct cli_ctx *ctx, struct err *err)
{
    struct adding adding = {.ctx = ctx};

    TRY(amount_option(ctx, "credit", &adding.credit, err));
    TRY(amount_option(ctx, "credit-line", &adding.credit_line, err));
    TRY(db_write(ctx->db, DB_ALL, add, &adding, err));
    put_tenant(ctx, &adding.view);
    return ERR_OK;
}

/* ---- show, list --------------------------------------------------------------------- */

struct showing {
    struct str name;
    struct tenant_view view; /* written by the closure */
};

static enum err_code show(struct db_conn *conn, void *closure, struct err *err)
{
    struct showing *showing = closure;

    TRY(tenant_find(conn, showing->name, &showing->view.tenant, err));
    return load_view(conn, &showing->view, err);
}

static enum err_code run_show(struct cli_ctx *ctx, struct err *err)
{
    struct showing showing = {.name = str_from(ctx->line->args[0])};

    TRY(db_read(ctx->db, show, &showing, err));
    put_tenant(ctx, &showing.view);
    return ERR_OK;
}

struct listing {
    struct tenant_view *views;
    size_t count;
    int limit;
    int64_t after;
};

static enum err_code take_tenant(const struct tenant *tenant, void *closure, struct err *err)
{
    struct listing *listing = closure;

    (void)err;
    listing->views[listing->count++].tenant = *tenant;
    return ERR_OK;
}

static enum err_code list(struct db_conn *conn, void *closure, struct err *err)
{
    struct listing *listing = closure;

    listing->count = 0;
    TRY(tenant_each(conn, listing->after, listing->limit, take_tenant, listing, err));
    for (size_t i = 0; i < listing->count; i++)
        TRY(load_view(conn, &listing->views[i], err));
    return ERR_OK;
}

static enum err_code run_list(struct cli_ctx *ctx, struct err *err)
{
    struct listing listing = {0};
    const char *after = cli_value(ctx, "after");

    TRY(cli_limit(ctx, &listing.limit, err));
    if (after != NULL && !str_to_i64(str_from(after), &listing.after))
        return err_set(err, ERR_USAGE, "--after must be a tenant's id");
    listing.views = arena_alloc(ctx->arena, (size_t)listing.limit * sizeof(*listing.views));
    if (listing.views == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    TRY(db_read(ctx->db, list, &listing, err));
    json_open_object(ctx->out, NULL);
    json_open_array(ctx->out, "items");
    for (size_t i = 0; i < listing.count; i++)
        put_tenant(ctx, &listing.views[i]);
    json_close_array(ctx->out);
    if (listing.count == (size_t)listing.limit)
        json_put_int(ctx->out, "next", listing.views[listing.count - 1].tenant.id);
    else
        json_put_null(ctx->out, "next");
    json_close_object(ctx->out);
    return ERR_OK;
}

/* ---- set, suspend, resume -------------------------------------------------------------- */

struct change {
    struct cli_ctx *ctx;
    struct tenant_view view; /* written by the closure */
};

static enum err_code set_credit_line(struct db_conn *conn, struct change *change,
                                     struct str value, struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    struct scope scope = {.tenant_id = change->view.tenant.id};
    struct money line;

    if (!money_parse(value, &line) || line.nano < 0)
        return err_field(err, "credit_line", "credit_line must be an amount of 0 or more");
    TRY(ledger_set_credit_line(conn, &scope, line.nano, err));
    buf_init(&detail, 1024);
    struct json_out out = json_begin(&detail);

    json_open_object(&out, NULL);
    cli_put_amount(&out, "credit_line", line.nano);
    json_close_object(&out);
    TRY(json_end(&out, err));
    return audit_append(conn, change->ctx->actor, change->ctx->now_us, "tenant.set",
                        str_from(change->view.tenant.name), buf_str(&detail), err);
}

static enum err_code set_book(struct db_conn *conn, struct change *change, struct str value,
                              struct err *err)
{
    struct cli_ctx *ctx = change->ctx;
    char currency[8];

    TRY(check_book(conn, ctx, value, str_from(change->view.tenant.currency), currency, err));
    return tenant_set_book(conn, ctx->actor, ctx->now_us, str_from(change->view.tenant.name),
                           value, err);
}

static enum err_code set(struct db_conn *conn, void *closure, struct err *err)
{
    struct change *change = closure;
    const struct cli_line *line = change->ctx->line;

    TRY(tenant_find(conn, str_from(line->args[0]), &change->view.tenant, err));
    for (size_t i = 1; i < line->arg_count; i++) {
        const char *equals = strchr(line->args[i], '=');
        struct str key = equals == NULL
                             ? str_from(line->args[i])
                             : (struct str){line->args[i], (size_t)(equals - line->args[i])};

        if (equals == NULL)
            return err_set(err, ERR_USAGE, "give KEY=VALUE, not %s", line->args[i]);
        if (str_is(key, "credit_line"))
            TRY(set_credit_line(conn, change, str_from(equals + 1), err));
        else if (str_is(key, "book"))
            TRY(set_book(conn, change, str_from(equals + 1), err));
        else
            TRY(tenant_setting_set(conn, change->ctx->actor, change->ctx->now_us,
                                   &change->view.tenant, key, str_from(equals + 1), err));
    }
    TRY(tenant_find(conn, str_from(line->args[0]), &change->view.tenant, err));
    return load_view(conn, &change->view, err);
}

static enum err_code run_set(struct cli_ctx *ctx, struct err *err)
{
    struct change change = {.ctx = ctx};

    TRY(db_write(ctx->db, DB_ALL, set, &change, err));
    put_tenant(ctx, &change.view);
    return ERR_OK;
}

static enum err_code suspend(struct db_conn *conn, void *closure, struct err *err)
{
    struct change *change = closure;
    struct cli_ctx *ctx = change->ctx;
    struct str name = str_from(ctx->line->args[0]);
    bool suspended = strcmp(ctx->line->command->name, "tenant suspend") == 0;

    TRY(tenant_suspend(conn, ctx->actor, ctx->now_us, name, suspended, err));
    TRY(tenant_find(conn, name, &change->view.tenant, err));
    return load_view(conn, &change->view, err);
}

static enum err_code run_suspend(struct cli_ctx *ctx, struct err *err)
{
    struct change change = {.ctx = ctx};

    TRY(db_write(ctx->db, DB_ALL, suspend, &change, err));
    put_tenant(ctx, &change.view);
    return ERR_OK;
}

static const struct cli_option add_options[] = {
    {"credit", CLI_TEXT, "AMOUNT", "first credit (0)"},
    {"credit-line", CLI_TEXT, "AMOUNT", "how far below zero the balance may go (0)"},
    {"currency", CLI_TEXT, "CODE", "currency of the account (the book's)"},
    {"book", CLI_TEXT, "BOOK", "price book (ark-cny)"},
};
static const struct cli_option list_options[] = {
    {"after", CLI_TEXT, "ID", "continue behind this tenant"},
    {"limit", CLI_TEXT, "N", "at most so many (50)"},
};

const struct command cmd_tenant[] = {
    {"tenant add", CLI_WRITE, 1, 1, "NAME", "Add a tenant with an account.", add_options,
     COUNT_OF(add_options), run_add},
    {"tenant list", CLI_READ, 0, 0, "", "List tenants with their balances.", list_options,
     COUNT_OF(list_options), run_list},
    {"tenant show", CLI_READ, 1, 1, "NAME", "Show one tenant.", NULL, 0, run_show},
    {"tenant set", CLI_WRITE, 2, CLI_ARGS_MAX, "NAME KEY=VALUE…",
     "Change credit_line, book or a setting.", NULL, 0, run_set},
    {"tenant suspend", CLI_WRITE, 1, 1, "NAME", "Refuse its creates; reads still work.", NULL,
     0, run_suspend},
    {"tenant resume", CLI_WRITE, 1, 1, "NAME", "Let it create again.", NULL, 0, run_suspend},
    {.name = NULL},
};
