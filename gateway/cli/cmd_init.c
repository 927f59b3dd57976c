/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate init: a data directory with keys, a database and the shipped prices. */
#include "gateway/cli/cli.h"

#include "billing/billing.h"
#include "tenancy/tenancy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err_code seed(struct db_conn *conn, void *ctx, struct err *err)
{
    const int64_t *now_us = ctx;

    return price_seed(conn, *now_us, err);
}

static enum err_code run_init(struct cli_ctx *ctx, struct err *err)
{
    bool shared = db_is_server(ctx->database), exists = false;
    char home[4096];
    struct crypto_keys keys;
    CLEANUP(dir_lock_drop) int lock = -1;
    CLEANUP(db_close) struct db *db = NULL;
    struct db_options options = {.path = ctx->database};

    if (mkdir(ctx->data_dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "%s: %s", ctx->data_dir, strerror(errno));
    if (!shared) {
        TRY(cli_run_home(ctx->database, home, sizeof(home), err));
        TRY(dir_lock_take(home, &lock, err));
    }
    TRY(db_exists(ctx->database, &exists, err));
    /* New keys beside an old database would only hide that its own are missing. */
    if (!exists)
        TRY(crypto_keys_create(ctx->keys_dir, err));
    TRY(crypto_keys_load(ctx->keys_dir, &keys, err));
    TRY(db_migrate(ctx->database, err));
    TRY(db_open(&options, &db, err));
    TRY(cli_marks_check(db, ctx->database, err));
    TRY(cli_run_claim_keys(db, &keys, err));
    crypto_keys_wipe(&keys);
    TRY(db_write(db, DB_ALL, seed, &ctx->now_us, err));
    json_open_object(ctx->out, NULL);
    json_put_text(ctx->out, "data", str_from(ctx->data_dir));
    json_put_text(ctx->out, "database", str_from(ctx->database));
    json_put_text(ctx->out, "keys", str_from(ctx->keys_dir));
    json_put_int(ctx->out, "schema", db_schema_version());
    json_close_object(ctx->out);
    cli_say(ctx, "next: arkgate upstream add NAME --base-url URL --api-key-file FILE");
    return ERR_OK;
}

const struct command cmd_init[] = {
    {.name = "init",
     .place = CLI_ALONE,
     .args = "",
     .help = "Make an installation, or bring one to this version.",
     .run = run_init},
    {.name = NULL},
};
