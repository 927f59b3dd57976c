/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate task: what tasks did, what they cost and why, and the operator's word on
 * those that the gateway must not decide. */
#include "gateway/cli/cli.h"

#include "base/net/net.h"
#include "gateway/task/task.h"
#include "gateway/upstream/ark.h"

#include <stdio.h>
#include <string.h>

enum { EVENTS_MAX = 100 }; /* a task has about five */

struct view {
    struct str id;
    struct task task;
    struct tenant tenant;
    struct hold_view hold;
    struct model model; /* unknown: no sizes */
    char callback_url[TASK_URL_MAX + 1];
    struct task_event events[EVENTS_MAX];
    size_t event_count;
};

static enum err_code take_event(const struct task_event *event, void *ctx, struct err *err)
{
    struct view *view = ctx;

    (void)err;
    if (view->event_count < EVENTS_MAX)
        view->events[view->event_count++] = *event;
    return ERR_OK;
}

static enum err_code load(struct db_conn *conn, void *ctx, struct err *err)
{
    struct view *view = ctx;
    struct scope scope = {0};

    view->event_count = 0;
    TRY(task_view_find(conn, view->id, &view->task, err));
    TRY(tenant_get(conn, view->task.tenant_id, &view->tenant, err));
    scope.tenant_id = view->task.tenant_id;
    TRY(hold_get(conn, &scope, str_from(view->task.minted_id), &view->hold, err));
    TRY(task_view_callback(conn, &view->task, view->callback_url, err));
    return task_view_events(conn, &view->task, take_event, view, err);
}

/* "108900 tokens × 46 CNY per 1,000,000 tokens = 5.0094 CNY (…)" in words that a
 * tenant can be sent. */
static void explain(const struct view *view, struct buf *text)
{
    const struct hold_view *hold = &view->hold;
    char price[MONEY_TEXT_MAX], charge[MONEY_TEXT_MAX], held[MONEY_TEXT_MAX];
    char loss[MONEY_TEXT_MAX];
    bool tokens = strcmp(hold->unit, "mtoken") == 0;

    money_text((struct money){hold->unit_price_nano}, price);
    money_text(hold->charge, charge);
    money_text(hold->held, held);
    money_text(hold->loss, loss);
    if (strcmp(hold->state, "open") == 0) {
        buf_printf(text, "still open: %s %s held for at most %lld %s at %s %s per %s", held,
                   hold->currency, (long long)hold->tokens, "tokens", price, hold->currency,
                   tokens ? "1,000,000 tokens" : "second");
    } else if (strcmp(hold->state, "charged") == 0) {
        buf_printf(text, "%lld %s × %s %s per %s = %s %s; %s %s was held",
                   (long long)hold->quantity, tokens ? "tokens" : "ms", price, hold->currency,
                   tokens ? "1,000,000 tokens" : "second", charge, hold->currency, held,
                   hold->currency);
        if (hold->loss.nano > 0)
            buf_printf(text, "; %s %s over the hold and the credit line is the platform's loss",
                       loss, hold->currency);
    } else if (strcmp(hold->state, "review") == 0) {
        buf_printf(text, "in review, %s %s held: %s", held, hold->currency, hold->review);
    } else {
        buf_printf(text, "%s: nothing charged, %s %s released", state_name(view->task.state),
                   held, hold->currency);
    }
}

/* Of the model's data only its sizes are of interest. */
static enum err_code load_model(const struct cli_ctx *ctx, struct view *view, struct err *err)
{
    CLEANUP(catalogue_close) struct catalogue *catalogue = NULL;
    struct err unknown = {0};

    TRY(catalogue_open(ctx->db, &catalogue, err));
    view->model.sizes[0] = '\0';
    (void)(catalogue_find(catalogue, view->task.tenant_id, str_from(view->task.model),
                          &view->model, &unknown) == ERR_OK);
    return ERR_OK;
}

static void put_events(struct cli_ctx *ctx, const struct view *view)
{
    char when[32];

    json_open_array(ctx->out, "events");
    for (size_t i = 0; i < view->event_count; i++) {
        const struct task_event *event = &view->events[i];

        cli_time_text(event->time_us, when);
        json_open_object(ctx->out, NULL);
        json_put_int(ctx->out, "seq", event->seq);
        json_put_text(ctx->out, "time", str_from(when));
        json_put_text(ctx->out, "from", str_from(event->from));
        json_put_text(ctx->out, "to", str_from(event->to));
        json_put_text(ctx->out, "note", str_from(event->note));
        json_close_object(ctx->out);
    }
    json_close_array(ctx->out);
}

static void put_size(struct cli_ctx *ctx, const struct view *view)
{
    const struct task *task = &view->task;
    char size[32];
    int width, height;
    struct err ignored = {0};

    /* An adaptive ratio has no size before the end. */
    if (strcmp(task->ratio, "adaptive") == 0 ||
        size_pixels(str_from(view->model.sizes), str_from(task->resolution),
                    str_from(task->ratio), &width, &height, &ignored) != ERR_OK) {
        json_put_null(ctx->out, "size");
        return;
    }
    (void)snprintf(size, sizeof(size), "%dx%d", width, height);
    json_put_text(ctx->out, "size", str_from(size));
}

static void put_optional_text(struct json_out *out, const char *name, const char *text)
{
    if (text[0] != '\0')
        json_put_text(out, name, str_from(text));
    else
        json_put_null(out, name);
}

static void put_optional_time(struct json_out *out, const char *name, int64_t time_us)
{
    char when[32];

    cli_time_text(time_us, when);
    put_optional_text(out, name, time_us != 0 ? when : "");
}

static void put_head(struct cli_ctx *ctx, const struct task *task, const char *tenant)
{
    json_put_text(ctx->out, "id", str_from(service_public_id(task)));
    put_optional_text(ctx->out, "upstream_id", task->upstream_id);
    json_put_text(ctx->out, "tenant", str_from(tenant));
    json_put_text(ctx->out, "token", str_from(task->token_identity));
    json_put_text(ctx->out, "model", str_from(task->model_asked));
    json_put_text(ctx->out, "state", str_from(state_name(task->state)));
}

static void put_view(struct cli_ctx *ctx, const struct view *view, struct str explanation)
{
    const struct task *task = &view->task;
    const struct hold_view *hold = &view->hold;

    json_open_object(ctx->out, NULL);
    put_head(ctx, task, view->tenant.name);
    json_put_text(ctx->out, "sku", str_from(hold->sku));
    put_size(ctx, view);
    if (task->has_frames)
        json_put_int(ctx->out, "frames", task->frames);
    else
        json_put_int(ctx->out, "seconds", task->duration);
    if (task->has_tokens)
        json_put_int(ctx->out, "tokens", task->tokens);
    else
        json_put_null(ctx->out, "tokens");
    cli_put_amount(ctx->out, "unit_price", hold->unit_price_nano);
    json_put_text(ctx->out, "unit", str_from(hold->unit));
    json_put_text(ctx->out, "currency", str_from(hold->currency));
    cli_put_amount(ctx->out, "hold", hold->held.nano);
    cli_put_amount(ctx->out, "charge", hold->charge.nano);
    cli_put_amount(ctx->out, "loss", hold->loss.nano);
    json_put_text(ctx->out, "hold_state", str_from(hold->state));
    json_put_text(ctx->out, "ledger_task", str_from(task->minted_id));
    put_optional_text(ctx->out, "error_code", task->error_code);
    put_optional_text(ctx->out, "error_message", task->error_message);
    put_optional_time(ctx->out, "deleted_at", task->deleted_us);
    put_optional_text(ctx->out, "callback_url", view->callback_url);
    json_put_text(ctx->out, "explanation", explanation);
    put_events(ctx, view);
    json_close_object(ctx->out);
}

static enum err_code run_show(struct cli_ctx *ctx, struct err *err)
{
    struct view *view = arena_alloc(ctx->arena, sizeof(*view));
    CLEANUP(buf_fini) struct buf explanation = {0};

    if (view == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    view->id = str_from(ctx->line->args[0]);
    TRY(db_read(ctx->db, load, view, err));
    TRY(load_model(ctx, view, err));
    buf_init(&explanation, 2048);
    explain(view, &explanation);
    put_view(ctx, view, buf_str(&explanation));
    return ERR_OK;
}

/* ---- list --------------------------------------------------------------------------- */

struct listing {
    struct task_filter filter;
    const char *tenant;
    struct task *tasks;
    char (*names)[TENANT_NAME_MAX + 1];
    size_t count;
};

static enum err_code take_task(const struct task *task, void *ctx, struct err *err)
{
    struct listing *listing = ctx;

    (void)err;
    listing->tasks[listing->count++] = *task;
    return ERR_OK;
}

static enum err_code list(struct db_conn *conn, void *ctx, struct err *err)
{
    struct listing *listing = ctx;
    struct tenant tenant;

    listing->count = 0;
    if (listing->tenant != NULL) {
        TRY(tenant_find(conn, str_from(listing->tenant), &tenant, err));
        listing->filter.tenant_id = tenant.id;
    }
    TRY(task_view_list(conn, &listing->filter, take_task, listing, err));
    for (size_t i = 0; i < listing->count; i++) {
        TRY(tenant_get(conn, listing->tasks[i].tenant_id, &tenant, err));
        (void)str_copy(listing->names[i], sizeof(listing->names[i]), str_from(tenant.name));
    }
    return ERR_OK;
}

static enum err_code run_list(struct cli_ctx *ctx, struct err *err)
{
    struct listing listing = {.tenant = cli_value(ctx, "tenant"),
                              .filter = {.state = str_from(cli_value(ctx, "state"))}};
    const char *before = cli_value(ctx, "after");
    enum task_state ignored;
    char when[32];
    size_t limit;

    TRY(cli_limit(ctx, &listing.filter.limit, err));
    limit = (size_t)listing.filter.limit;
    if (before != NULL && !str_to_i64(str_from(before), &listing.filter.before))
        return err_set(err, ERR_USAGE, "--after must be the next of an earlier page");
    if (listing.filter.state.len > 0 && !state_parse(listing.filter.state, &ignored))
        return err_set(err, ERR_USAGE, "--state %s is no state of a task",
                       listing.filter.state.ptr);
    listing.tasks = arena_alloc(ctx->arena, limit * sizeof(*listing.tasks));
    listing.names = arena_alloc(ctx->arena, limit * sizeof(*listing.names));
    if (listing.tasks == NULL || listing.names == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    TRY(db_read(ctx->db, list, &listing, err));
    json_open_object(ctx->out, NULL);
    json_open_array(ctx->out, "items");
    for (size_t i = 0; i < listing.count; i++) {
        json_open_object(ctx->out, NULL);
        put_head(ctx, &listing.tasks[i], listing.names[i]);
        cli_time_text(listing.tasks[i].created_us, when);
        json_put_text(ctx->out, "created_at", str_from(when));
        json_close_object(ctx->out);
    }
    json_close_array(ctx->out);
    if (listing.count == limit)
        json_put_int(ctx->out, "next", listing.tasks[limit - 1].id);
    else
        json_put_null(ctx->out, "next");
    json_close_object(ctx->out);
    return ERR_OK;
}

/* ---- resolve --------------------------------------------------------------------------- */

static enum err_code run_resolve(struct cli_ctx *ctx, struct err *err)
{
    const char *charge = cli_value(ctx, "charge");
    struct resolve_request request = {
        .task = str_from(ctx->line->args[0]),
        .upstream_id = str_from(cli_value(ctx, "upstream-id")),
        .release = cli_flag(ctx, "release"),
        .has_charge = charge != NULL,
        .reason = str_from(cli_value(ctx, "reason")),
        .actor = ctx->actor,
        .now_us = ctx->now_us,
    };

    if (request.has_charge &&
        (!money_parse(str_from(charge), &request.charge) || request.charge.nano < 0))
        return err_set(err, ERR_USAGE, "--charge must be an amount of 0 or more");
    if ((request.upstream_id.len > 0) + request.release + request.has_charge != 1)
        return err_set(err, ERR_USAGE, "give one of --upstream-id, --release, --charge");
    TRY(resolve_task(ctx->db, &request, err));
    return run_show(ctx, err);
}

/* ---- cancel ---------------------------------------------------------------------------- */

/* With connections of its own: a server may or may not be running. */
static enum err_code run_cancel(struct cli_ctx *ctx, struct err *err)
{
    const struct net_options options = {0};
    CLEANUP(net_close) struct net *net = NULL;
    CLEANUP(ark_close) struct ark *ark = NULL;
    struct task_service service = {.db = ctx->db};
    struct ark_settings settings;

    ark_defaults(&settings);
    service_defaults(&service.settings);
    TRY(net_open(&options, &net, err));
    TRY(ark_open(ctx->db, net, ctx->keys, &settings, &ark, err));
    service.provider = ark_provider(ark);
    TRY(cancel_as_operator(&service, str_from(ctx->line->args[0]), ctx->actor, err));
    return run_show(ctx, err);
}

static const struct cli_option list_options[] = {
    {"tenant", CLI_TEXT, "NAME", "only of this tenant"},
    {"state", CLI_TEXT, "STATE", "only in this state (unknown, running, …)"},
    {"after", CLI_TEXT, "N", "continue behind an earlier page's next"},
    {"limit", CLI_TEXT, "N", "at most so many (50)"},
};
static const struct cli_option resolve_options[] = {
    {"upstream-id", CLI_TEXT, "ID", "an unknown task is this one at Ark"},
    {"release", CLI_FLAG, "", "an unknown task was never made; a review costs nothing"},
    {"charge", CLI_TEXT, "AMOUNT", "of a hold in review; the rest is released"},
    {"reason", CLI_TEXT, "TEXT", "for the audit log; required"},
};

const struct command cmd_task[] = {
    {"task list", CLI_READ, 0, 0, "", "List tasks, newest first.", list_options,
     COUNT_OF(list_options), run_list},
    {"task show", CLI_READ, 1, 1, "ID",
     "Show a task, its events and why it costs what it does.", NULL, 0, run_show},
    {"task cancel", CLI_WRITE, 1, 1, "ID", "Cancel a queued task, at Ark too.", NULL, 0,
     run_cancel},
    {"task resolve", CLI_WRITE, 1, 1, "ID", "Decide an unknown task or a hold in review.",
     resolve_options, COUNT_OF(resolve_options), run_resolve},
    {.name = NULL},
};
