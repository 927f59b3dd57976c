/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate access-key: what tenants sign requests with. The secret half is shown once. */
#include "gateway/cli/cli.h"

#include "tenancy/tenancy.h"

#include <string.h>

static void put_key(struct cli_ctx *ctx, const struct access_key *key, const char *secret)
{
    char when[32];

    json_open_object(ctx->out, NULL);
    json_put_text(ctx->out, "id", str_from(key->id));
    if (secret != NULL)
        json_put_text(ctx->out, "secret", str_from(secret));
    json_put_text(ctx->out, "tenant", str_from(key->tenant_name));
    json_put_text(ctx->out, "visibility", key->own_only ? STR("own") : STR("tenant"));
    json_put_text(ctx->out, "state", key->revoked ? STR("revoked") : STR("active"));
    json_put_text(ctx->out, "note", str_from(key->note));
    cli_time_text(key->created_us, when);
    json_put_text(ctx->out, "created_at", str_from(when));
    json_close_object(ctx->out);
}

/* Both halves of a new key, made outside the closure: it may run twice. */
struct minting {
    struct cli_ctx *ctx;
    struct access_key_request request;
    char id[ACCESS_KEY_ID_CHARS + 1], secret[ACCESS_KEY_SECRET_CHARS + 1];
    struct access_key key; /* written by the closure */
};

static void minting_wipe(struct minting *minting)
{
    crypto_wipe(minting, sizeof(*minting));
}

static enum err_code add(struct db_conn *conn, void *closure, struct err *err)
{
    struct minting *minting = closure;

    return access_key_add(conn, minting->ctx->actor, minting->ctx->now_us,
                          minting->ctx->keys->master, &minting->request, minting->id,
                          minting->secret, &minting->key, err);
}

static enum err_code run_add(struct cli_ctx *ctx, struct err *err)
{
    const char *visibility = cli_value(ctx, "visibility");
    CLEANUP(minting_wipe)
    struct minting minting = {.ctx = ctx,
                              .request = {.tenant = str_from(ctx->line->args[0]),
                                          .note = str_from(cli_value(ctx, "note"))}};

    if (visibility != NULL && strcmp(visibility, "own") != 0 &&
        strcmp(visibility, "tenant") != 0)
        return err_set(err, ERR_USAGE, "--visibility must be tenant or own");
    minting.request.own_only = visibility != NULL && strcmp(visibility, "own") == 0;
    access_key_mint(minting.id, minting.secret);
    TRY(db_write(ctx->db, DB_ALL, add, &minting, err));
    put_key(ctx, &minting.key, minting.secret);
    return ERR_OK;
}

struct revoking {
    struct cli_ctx *ctx;
    struct access_key key; /* written by the closure */
};

static enum err_code revoke(struct db_conn *conn, void *closure, struct err *err)
{
    struct revoking *revoking = closure;
    const struct cli_ctx *ctx = revoking->ctx;
    struct str id = str_from(ctx->line->args[0]);

    TRY(access_key_revoke(conn, ctx->actor, ctx->now_us, id, err));
    return access_key_find(conn, id, &revoking->key, err);
}

static enum err_code run_revoke(struct cli_ctx *ctx, struct err *err)
{
    struct revoking revoking = {.ctx = ctx};

    TRY(db_write(ctx->db, DB_ALL, revoke, &revoking, err));
    put_key(ctx, &revoking.key, NULL);
    return ERR_OK;
}

struct listing {
    struct cli_ctx *ctx;
    struct access_key *keys;
    size_t count;
    int limit;
};

static enum err_code take(const struct access_key *key, void *closure, struct err *err)
{
    struct listing *listing = closure;

    (void)err;
    listing->keys[listing->count++] = *key;
    return ERR_OK;
}

static enum err_code list(struct db_conn *conn, void *closure, struct err *err)
{
    struct listing *listing = closure;
    const struct cli_ctx *ctx = listing->ctx;

    listing->count = 0;
    return access_key_each(conn, str_from(ctx->line->arg_count > 0 ? ctx->line->args[0] : NULL),
                           str_from(cli_value(ctx, "after")), listing->limit, take, listing,
                           err);
}

static enum err_code run_list(struct cli_ctx *ctx, struct err *err)
{
    struct listing listing = {.ctx = ctx};

    TRY(cli_limit(ctx, &listing.limit, err));
    listing.keys = arena_alloc(ctx->arena, (size_t)listing.limit * sizeof(struct access_key));
    if (listing.keys == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    TRY(db_read(ctx->db, list, &listing, err));
    json_open_object(ctx->out, NULL);
    json_open_array(ctx->out, "items");
    for (size_t i = 0; i < listing.count; i++)
        put_key(ctx, &listing.keys[i], NULL);
    json_close_array(ctx->out);
    if (listing.count == (size_t)listing.limit)
        json_put_text(ctx->out, "next", str_from(listing.keys[listing.count - 1].id));
    else
        json_put_null(ctx->out, "next");
    json_close_object(ctx->out);
    return ERR_OK;
}

static const struct cli_option add_options[] = {
    {"visibility", CLI_TEXT, "tenant|own", "own: only what this key made (tenant)"},
    {"note", CLI_TEXT, "TEXT", "what it is for"},
};
static const struct cli_option list_options[] = {
    {"after", CLI_TEXT, "ID", "continue behind this key"},
    {"limit", CLI_TEXT, "N", "at most so many (50)"},
};

const struct command cmd_access_key[] = {
    {"access-key add", CLI_WRITE, 1, 1, "TENANT",
     "Make an access key; its secret is shown once.", add_options, COUNT_OF(add_options),
     run_add},
    {"access-key list", CLI_READ, 0, 1, "[TENANT]", "List access keys, never their secrets.",
     list_options, COUNT_OF(list_options), run_list},
    {"access-key revoke", CLI_WRITE, 1, 1, "ID", "End an access key within a second.", NULL, 0,
     run_revoke},
    {.name = NULL},
};
