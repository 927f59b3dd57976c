/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate token: what tenants authenticate with. A token's text is shown once. */
#include "gateway/cli/cli.h"

#include "base/config.h"
#include "tenancy/tenancy.h"

#include <string.h>

static void put_token(struct cli_ctx *ctx, const struct token *token, const char *text)
{
    char when[32];

    json_open_object(ctx->out, NULL);
    json_put_text(ctx->out, "id", str_from(token->id));
    if (text != NULL)
        json_put_text(ctx->out, "token", str_from(text));
    json_put_text(ctx->out, "tenant", str_from(token->tenant_name));
    json_put_text(ctx->out, "prefix", str_from(token->prefix));
    json_put_text(ctx->out, "visibility", token->own_only ? STR("own") : STR("tenant"));
    if (token->expires_us == 0) {
        json_put_null(ctx->out, "expires_at");
    } else {
        cli_time_text(token->expires_us, when);
        json_put_text(ctx->out, "expires_at", str_from(when));
    }
    json_put_text(ctx->out, "state", token->revoked ? STR("revoked") : STR("active"));
    json_put_text(ctx->out, "note", str_from(token->note));
    cli_time_text(token->created_us, when);
    json_put_text(ctx->out, "created_at", str_from(when));
    json_close_object(ctx->out);
}

/* A new token's secret parts, made outside the closure: it may run twice. */
struct minting {
    struct cli_ctx *ctx;
    struct token_request request;
    int64_t old_ends_us;
    char id[TOKEN_ID_MAX + 1], text[TOKEN_TEXT_MAX + 1];
    struct token token; /* written by the closure */
};

static void mint(struct minting *minting, struct str prefix)
{
    memcpy(minting->id, "tok-", 4);
    sys_random_text(minting->id + 4, 16, "abcdefghijklmnopqrstuvwxyz0123456789");
    token_mint(prefix, minting->text);
}

static enum err_code add(struct db_conn *conn, void *closure, struct err *err)
{
    struct minting *minting = closure;

    return token_add(conn, minting->ctx->actor, minting->ctx->now_us,
                     minting->ctx->keys->pepper, &minting->request, minting->id, minting->text,
                     &minting->token, err);
}

static enum err_code run_add(struct cli_ctx *ctx, struct err *err)
{
    const char *prefix = cli_value(ctx, "prefix"), *visibility = cli_value(ctx, "visibility");
    const char *expires = cli_value(ctx, "expires"), *note = cli_value(ctx, "note");
    struct minting minting = {
        .ctx = ctx,
        .request = {.tenant = str_from(ctx->line->args[0]),
                    .prefix = prefix == NULL ? STR("oh") : str_from(prefix),
                    .note = str_from(note)}};

    if (visibility != NULL && strcmp(visibility, "own") != 0 &&
        strcmp(visibility, "tenant") != 0)
        return err_set(err, ERR_USAGE, "--visibility must be tenant or own");
    minting.request.own_only = visibility != NULL && strcmp(visibility, "own") == 0;
    if (expires != NULL)
        TRY(cli_time_parse("expires", expires, ctx->now_us, &minting.request.expires_us, err));
    if (minting.request.prefix.len < 1 || minting.request.prefix.len > 16)
        return err_set(err, ERR_USAGE, "--prefix must have 1 to 16 letters or digits");
    mint(&minting, minting.request.prefix);
    TRY(db_write(ctx->db, DB_ALL, add, &minting, err));
    put_token(ctx, &minting.token, minting.text);
    crypto_wipe(&minting, sizeof(minting));
    return ERR_OK;
}

static enum err_code find(struct db_conn *conn, void *closure, struct err *err)
{
    struct minting *minting = closure;

    return token_get(conn, str_from(minting->ctx->line->args[0]), &minting->token, err);
}

static enum err_code rotate(struct db_conn *conn, void *closure, struct err *err)
{
    struct minting *minting = closure;

    return token_rotate(conn, minting->ctx->actor, minting->ctx->now_us,
                        minting->ctx->keys->pepper, str_from(minting->ctx->line->args[0]),
                        minting->old_ends_us, minting->id, minting->text, &minting->token, err);
}

static enum err_code run_rotate(struct cli_ctx *ctx, struct err *err)
{
    const char *overlap = cli_value(ctx, "overlap");
    struct minting minting = {.ctx = ctx, .old_ends_us = ctx->now_us};
    int64_t span_us;

    if (overlap != NULL) {
        if (!config_duration(str_from(overlap), &span_us) || span_us < 0 ||
            span_us > INT64_C(365) * 86400 * 1000000)
            return err_set(err, ERR_USAGE, "--overlap must be a duration such as 24h");
        minting.old_ends_us += span_us;
    }
    TRY(db_read(ctx->db, find, &minting, err));
    mint(&minting, str_from(minting.token.prefix));
    TRY(db_write(ctx->db, DB_ALL, rotate, &minting, err));
    put_token(ctx, &minting.token, minting.text);
    crypto_wipe(&minting, sizeof(minting));
    return ERR_OK;
}

static enum err_code revoke(struct db_conn *conn, void *closure, struct err *err)
{
    struct minting *minting = closure;
    struct cli_ctx *ctx = minting->ctx;

    TRY(token_revoke(conn, ctx->actor, ctx->now_us, str_from(ctx->line->args[0]), err));
    return find(conn, closure, err);
}

static enum err_code run_revoke(struct cli_ctx *ctx, struct err *err)
{
    struct minting minting = {.ctx = ctx};

    TRY(db_write(ctx->db, DB_ALL, revoke, &minting, err));
    put_token(ctx, &minting.token, NULL);
    return ERR_OK;
}

struct listing {
    struct cli_ctx *ctx;
    struct token *tokens;
    size_t count;
    int limit;
};

static enum err_code take(const struct token *token, void *closure, struct err *err)
{
    struct listing *listing = closure;

    (void)err;
    listing->tokens[listing->count++] = *token;
    return ERR_OK;
}

static enum err_code list(struct db_conn *conn, void *closure, struct err *err)
{
    struct listing *listing = closure;
    const struct cli_ctx *ctx = listing->ctx;

    listing->count = 0;
    return token_each(conn, str_from(ctx->line->arg_count > 0 ? ctx->line->args[0] : NULL),
                      str_from(cli_value(ctx, "after")), listing->limit, take, listing, err);
}

static enum err_code run_list(struct cli_ctx *ctx, struct err *err)
{
    struct listing listing = {.ctx = ctx};

    TRY(cli_limit(ctx, &listing.limit, err));
    listing.tokens = arena_alloc(ctx->arena, (size_t)listing.limit * sizeof(struct token));
    if (listing.tokens == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    TRY(db_read(ctx->db, list, &listing, err));
    json_open_object(ctx->out, NULL);
    json_open_array(ctx->out, "items");
    for (size_t i = 0; i < listing.count; i++)
        put_token(ctx, &listing.tokens[i], NULL);
    json_close_array(ctx->out);
    if (listing.count == (size_t)listing.limit)
        json_put_text(ctx->out, "next", str_from(listing.tokens[listing.count - 1].id));
    else
        json_put_null(ctx->out, "next");
    json_close_object(ctx->out);
    return ERR_OK;
}

static const struct cli_option add_options[] = {
    {"prefix", CLI_TEXT, "TEXT", "what the token begins with (oh)"},
    {"visibility", CLI_TEXT, "tenant|own", "own: only what this token made (tenant)"},
    {"expires", CLI_TEXT, "90d|DATE", "when it ends (never)"},
    {"note", CLI_TEXT, "TEXT", "what it is for"},
};
static const struct cli_option rotate_options[] = {
    {"overlap", CLI_TEXT, "24h", "how long the old token still works (not at all)"},
};
static const struct cli_option list_options[] = {
    {"after", CLI_TEXT, "ID", "continue behind this token"},
    {"limit", CLI_TEXT, "N", "at most so many (50)"},
};

const struct command cmd_token[] = {
    {"token add", CLI_WRITE, 1, 1, "TENANT", "Make a token; its text is shown once.",
     add_options, COUNT_OF(add_options), run_add},
    {"token list", CLI_READ, 0, 1, "[TENANT]", "List tokens, never their texts.", list_options,
     COUNT_OF(list_options), run_list},
    {"token rotate", CLI_WRITE, 1, 1, "ID", "Replace a token, keeping its identity.",
     rotate_options, COUNT_OF(rotate_options), run_rotate},
    {"token revoke", CLI_WRITE, 1, 1, "ID", "End a token within a second.", NULL, 0,
     run_revoke},
    {.name = NULL},
};
