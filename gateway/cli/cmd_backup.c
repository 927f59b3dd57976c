/* SPDX-License-Identifier: Apache-2.0 */
/* Backups of the database, beside a running server; putting one back, never over
 * anything. The key files are not in a backup: whoever has both has the secrets. */
#include "gateway/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static FALLIBLE put_file(struct cli_ctx *ctx, const char *path, struct err *err)
{
    struct stat stat_now;

    if (stat(path, &stat_now) != 0)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    json_open_object(ctx->out, NULL);
    json_put_text(ctx->out, "file", str_from(path));
    json_put_int(ctx->out, "bytes", (int64_t)stat_now.st_size);
    json_put_bool(ctx->out, "ok", true);
    json_close_object(ctx->out);
    return ERR_OK;
}

static FALLIBLE expect_file(const struct cli_ctx *ctx, struct err *err)
{
    return db_is_server(ctx->database)
               ? err_set(err, ERR_CONFIG,
                         "a database server has its own backups: pg_dump, pg_basebackup")
               : ERR_OK;
}

static FALLIBLE run_create(struct cli_ctx *ctx, struct err *err)
{
    const char *path = ctx->line->args[0];

    TRY(expect_file(ctx, err));
    TRY(cli_run_expect(ctx->database, ctx->data_dir, err));
    TRY(db_backup_create(ctx->database, path, err));
    TRY(put_file(ctx, path, err));
    cli_say(ctx,
            "The key files in %s are not in the backup, and without them it is of"
            " little use: keep a copy in another place.",
            ctx->keys_dir);
    return ERR_OK;
}

static FALLIBLE run_verify(struct cli_ctx *ctx, struct err *err)
{
    TRY(db_backup_verify(ctx->line->args[0], err));
    return put_file(ctx, ctx->line->args[0], err);
}

static FALLIBLE run_restore(struct cli_ctx *ctx, struct err *err)
{
    CLEANUP(dir_lock_drop) int lock = -1;
    char keys[4096], home[4096];

    TRY(expect_file(ctx, err));
    /* A machine that lost everything has no folder either. */
    if (mkdir(ctx->data_dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "%s: %s", ctx->data_dir, strerror(errno));
    TRY(cli_run_home(ctx->database, home, sizeof(home), err));
    TRY(dir_lock_take(home, &lock, err));
    TRY(db_backup_restore(ctx->line->args[0], ctx->database, err));
    TRY(put_file(ctx, ctx->database, err));
    int len = snprintf(keys, sizeof(keys), "%s/master.key", ctx->keys_dir);

    if (len > 0 && (size_t)len < sizeof(keys) && access(keys, F_OK) != 0)
        cli_say(ctx,
                "The key files were not in the backup: put the ones that the database was"
                " made with into %s before you serve.",
                ctx->keys_dir);
    return ERR_OK;
}

const struct command cmd_backup[] = {
    {"backup create", CLI_ALONE, 1, 1, "FILE",
     "Copies the database into a new file, beside a running server.", NULL, 0, run_create},
    {"backup verify", CLI_ALONE, 1, 1, "FILE", "Checks that a backup is whole.", NULL, 0,
     run_verify},
    {"backup restore", CLI_ALONE, 1, 1, "FILE",
     "Puts a backup where no database is; the key files must be there too.", NULL, 0,
     run_restore},
    {.name = NULL},
};
