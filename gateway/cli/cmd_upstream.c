/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate upstream: Ark accounts and their credentials. Keys come from files or
 * stdin, are sealed, and are never shown again. */
#include "gateway/cli/cli.h"

#include "base/net/net.h"
#include "gateway/task/task.h"
#include "gateway/upstream/ark.h"

#include <string.h>

static const char *const state_words[] = {"active", "draining", "removed"};

static void put_upstream(struct cli_ctx *ctx, const struct upstream *upstream)
{
    char when[32];

    cli_time_text(upstream->created_us, when);
    json_open_object(ctx->out, NULL);
    json_put_int(ctx->out, "id", upstream->id);
    json_put_text(ctx->out, "name", str_from(upstream->name));
    json_put_text(ctx->out, "account", str_from(upstream->account.name));
    json_put_text(ctx->out, "base_url", str_from(upstream->base_url));
    json_put_text(ctx->out, "state", str_from(state_words[upstream->state]));
    json_put_text(ctx->out, "inject", upstream->inject ? STR("on") : STR("off"));
    json_put_int(ctx->out, "weight", upstream->weight);
    json_put_int(ctx->out, "list_qps", upstream->account.list_qps);
    json_put_int(ctx->out, "get_qps", upstream->account.get_qps);
    json_put_int(ctx->out, "delete_qps", upstream->account.delete_qps);
    json_put_int(ctx->out, "batch", upstream->account.batch);
    json_put_text(ctx->out, "created_at", str_from(when));
    json_close_object(ctx->out);
}

struct change {
    struct cli_ctx *ctx;
    const char *key;
    enum upstream_state to;
    struct upstream upstream; /* written by the closure */
};

static struct str name_of(const struct change *change)
{
    return str_from(change->ctx->line->args[0]);
}

static enum err_code find(struct db_conn *conn, void *closure, struct err *err)
{
    struct change *change = closure;

    return upstream_find(conn, name_of(change), &change->upstream, err);
}

static enum err_code require_key(const struct cli_ctx *ctx, const char **ret_key,
                                 struct err *err)
{
    *ret_key = cli_value(ctx, "api-key-file");
    return *ret_key != NULL ? ERR_OK : err_set(err, ERR_USAGE, "--api-key-file is required");
}

static enum err_code add(struct db_conn *conn, void *closure, struct err *err)
{
    struct change *change = closure;
    struct cli_ctx *ctx = change->ctx;

    return upstream_add(conn, ctx->actor, ctx->now_us, ctx->keys->master, name_of(change),
                        str_from(cli_value(ctx, "account")),
                        str_from(cli_value(ctx, "base-url")), str_from(change->key),
                        &change->upstream, err);
}

static enum err_code run_add(struct cli_ctx *ctx, struct err *err)
{
    struct change change = {.ctx = ctx};

    if (cli_value(ctx, "base-url") == NULL)
        return err_set(err, ERR_USAGE, "--base-url is required");
    TRY(require_key(ctx, &change.key, err));
    TRY(db_write(ctx->db, DB_ALL, add, &change, err));
    put_upstream(ctx, &change.upstream);
    return ERR_OK;
}

static enum err_code set(struct db_conn *conn, void *closure, struct err *err)
{
    struct change *change = closure;
    struct cli_ctx *ctx = change->ctx;

    for (size_t i = 1; i < ctx->line->arg_count; i++) {
        const char *pair = ctx->line->args[i], *equals = strchr(pair, '=');

        if (equals == NULL)
            return err_set(err, ERR_USAGE, "give KEY=VALUE, not %s", pair);
        TRY(upstream_set(conn, ctx->actor, ctx->now_us, name_of(change),
                         (struct str){pair, (size_t)(equals - pair)}, str_from(equals + 1),
                         err));
    }
    return find(conn, closure, err);
}

static enum err_code rotate(struct db_conn *conn, void *closure, struct err *err)
{
    struct change *change = closure;
    struct cli_ctx *ctx = change->ctx;

    TRY(upstream_rotate(conn, ctx->actor, ctx->now_us, ctx->keys->master, name_of(change),
                        str_from(change->key), err));
    return find(conn, closure, err);
}

static enum err_code move(struct db_conn *conn, void *closure, struct err *err)
{
    struct change *change = closure;
    struct cli_ctx *ctx = change->ctx;
    int64_t open;

    TRY(find(conn, closure, err));
    TRY(task_view_open_count(conn, change->upstream.id, &open, err));
    TRY(upstream_move(conn, ctx->actor, ctx->now_us, name_of(change), change->to, open, err));
    return find(conn, closure, err);
}

static enum err_code run_change(struct cli_ctx *ctx, db_fn fn, struct change *change,
                                struct err *err)
{
    TRY(db_write(ctx->db, DB_ALL, fn, change, err));
    put_upstream(ctx, &change->upstream);
    return ERR_OK;
}

static enum err_code run_set(struct cli_ctx *ctx, struct err *err)
{
    return run_change(ctx, set, &(struct change){.ctx = ctx}, err);
}

static enum err_code run_rotate(struct cli_ctx *ctx, struct err *err)
{
    struct change change = {.ctx = ctx};

    TRY(require_key(ctx, &change.key, err));
    return run_change(ctx, rotate, &change, err);
}

static enum err_code run_drain(struct cli_ctx *ctx, struct err *err)
{
    return run_change(ctx, move, &(struct change){.ctx = ctx, .to = UPSTREAM_DRAINING}, err);
}

static enum err_code run_resume(struct cli_ctx *ctx, struct err *err)
{
    return run_change(ctx, move, &(struct change){.ctx = ctx, .to = UPSTREAM_ACTIVE}, err);
}

static enum err_code run_remove(struct cli_ctx *ctx, struct err *err)
{
    return run_change(ctx, move, &(struct change){.ctx = ctx, .to = UPSTREAM_REMOVED}, err);
}

/* ---- list, test ------------------------------------------------------------------- */

struct listing {
    struct upstream upstreams[256];
    size_t count;
};

static enum err_code take(const struct upstream *upstream, void *closure, struct err *err)
{
    struct listing *listing = closure;

    if (listing->count == COUNT_OF(listing->upstreams))
        return err_set(err, ERR_CONFIG, "more than %zu upstreams",
                       COUNT_OF(listing->upstreams));
    listing->upstreams[listing->count++] = *upstream;
    return ERR_OK;
}

static enum err_code list(struct db_conn *conn, void *closure, struct err *err)
{
    struct listing *listing = closure;

    listing->count = 0;
    return upstream_each(conn, take, listing, err);
}

static enum err_code run_list(struct cli_ctx *ctx, struct err *err)
{
    struct listing *listing = arena_alloc(ctx->arena, sizeof(*listing));

    if (listing == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    TRY(db_read(ctx->db, list, listing, err));
    json_open_object(ctx->out, NULL);
    json_open_array(ctx->out, "items");
    for (size_t i = 0; i < listing->count; i++)
        put_upstream(ctx, &listing->upstreams[i]);
    json_close_array(ctx->out);
    json_put_null(ctx->out, "next");
    json_close_object(ctx->out);
    return ERR_OK;
}

struct probing {
    struct change change;
    struct secret key; /* written by the closure */
};

static enum err_code load_key(struct db_conn *conn, void *closure, struct err *err)
{
    struct probing *probing = closure;

    secret_fini(&probing->key);
    TRY(find(conn, &probing->change, err));
    return upstream_key(conn, probing->change.ctx->keys->master, probing->change.upstream.id,
                        &probing->key, err);
}

static enum err_code run_test(struct cli_ctx *ctx, struct err *err)
{
    const struct net_options options = {0};
    struct probing probing = {.change = {.ctx = ctx}};
    CLEANUP(net_close) struct net *net = NULL;

    if (ctx->keys == NULL)
        return err_set(err, ERR_CONFIG, "the key files of this database are not in %s/keys",
                       ctx->data_dir);
    enum err_code rc = db_read(ctx->db, load_key, &probing, err);

    if (rc == ERR_OK)
        rc = net_open(&options, &net, err);
    if (rc == ERR_OK)
        rc = ark_probe(net, &probing.change.upstream, &probing.key, err);
    secret_fini(&probing.key);
    TRY(rc);
    json_open_object(ctx->out, NULL);
    json_put_text(ctx->out, "name", str_from(probing.change.upstream.name));
    json_put_bool(ctx->out, "ok", true);
    json_close_object(ctx->out);
    return ERR_OK;
}

static const struct cli_option add_options[] = {
    {"base-url", CLI_TEXT, "URL", "Ark's API, for example https://…/api/v3"},
    {"api-key-file", CLI_FILE, "FILE", "file with the API key, - for stdin"},
    {"account", CLI_TEXT, "NAME", "account that limits are shared in (its own)"},
};
static const struct cli_option key_options[] = {
    {"api-key-file", CLI_FILE, "FILE", "file with the new API key, - for stdin"},
};

const struct command cmd_upstream[] = {
    {"upstream add", CLI_WRITE, 1, 1, "NAME", "Add an Ark credential.", add_options,
     COUNT_OF(add_options), run_add},
    {"upstream list", CLI_READ, 0, 0, "", "List credentials and limits.", NULL, 0, run_list},
    {"upstream set", CLI_WRITE, 2, CLI_ARGS_MAX, "NAME KEY=VALUE…",
     "Set inject, weight, list_qps, get_qps, delete_qps, batch, base_url or model.NAME.", NULL,
     0, run_set},
    {"upstream test", CLI_READ, 1, 1, "NAME", "Ask Ark for a list with this key.", NULL, 0,
     run_test},
    {"upstream drain", CLI_WRITE, 1, 1, "NAME", "Send it no new tasks.", NULL, 0, run_drain},
    {"upstream resume", CLI_WRITE, 1, 1, "NAME", "Send it tasks again.", NULL, 0, run_resume},
    {"upstream rotate", CLI_WRITE, 1, 1, "NAME", "Replace its key.", key_options,
     COUNT_OF(key_options), run_rotate},
    {"upstream remove", CLI_WRITE, 1, 1, "NAME", "Forget a drained credential.", NULL, 0,
     run_remove},
    {.name = NULL},
};
