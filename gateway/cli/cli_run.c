/* SPDX-License-Identifier: Apache-2.0 */
/* Opens an installation and runs one parsed line on it. */
#include "gateway/cli/cli.h"

#include "tenancy/tenancy.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLI_ARENA_MAX = 256 << 20 };

void cli_run_actor(char dst[65])
{
    struct passwd entry, *found = NULL;
    char space[4096];

    if (getpwuid_r(geteuid(), &entry, space, sizeof(space), &found) == 0 && found != NULL)
        (void)snprintf(dst, 65, "cli:%.60s", found->pw_name);
    else
        (void)snprintf(dst, 65, "cli:%u", (unsigned)geteuid());
}

enum err_code cli_run_database(const struct cli_globals *globals, char *dst, size_t size,
                               struct err *err)
{
    const char *url =
        globals->database != NULL ? globals->database : getenv("ARKGATE_DATABASE");
    int len;

    if (url == NULL)
        len = snprintf(dst, size, "%s/arkgate.db", globals->data_dir);
    else if (strncmp(url, "sqlite:", 7) == 0 && url[7] != '\0')
        len = snprintf(dst, size, "%s", url + 7);
    else if (db_is_server(url))
        len = snprintf(dst, size, "%s", url);
    else
        return err_set(err, ERR_CONFIG,
                       "--database must be sqlite:PATH or postgresql://USER@HOST:PORT/NAME");
    if (len < 0 || (size_t)len >= size)
        return err_set(err, ERR_CONFIG, "the path of the database is too long");
    return ERR_OK;
}

enum err_code cli_run_keys_dir(const struct cli_globals *globals, char *dst, size_t size,
                               struct err *err)
{
    int len = globals->keys_dir != NULL ? snprintf(dst, size, "%s", globals->keys_dir)
                                        : snprintf(dst, size, "%s/keys", globals->data_dir);

    return len >= 0 && (size_t)len < size
               ? ERR_OK
               : err_set(err, ERR_CONFIG, "the path of the key files is too long");
}

enum err_code cli_run_expect(const char *database, const char *data_dir, struct err *err)
{
    if (db_is_server(database) || access(database, F_OK) == 0)
        return ERR_OK;
    return err_set(err, ERR_CONFIG, "there is no installation at %s: run arkgate init",
                   data_dir);
}

struct key_check {
    const char *fingerprint;
    char stored[80];
    bool found;
};

static enum err_code read_fingerprint(struct db_conn *conn, void *ctx, struct err *err)
{
    struct key_check *check = ctx;

    return meta_repo_get(conn, "keys", check->stored, sizeof(check->stored), &check->found,
                         err);
}

static enum err_code write_fingerprint(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct key_check *check = ctx;
    char stored[80];
    bool found;

    TRY(meta_repo_get(conn, "keys", stored, sizeof(stored), &found, err));
    return found ? ERR_OK : meta_repo_put(conn, "keys", check->fingerprint, err);
}

enum err_code cli_run_check_keys(struct db *db, const struct crypto_keys *keys, struct err *err)
{
    char fingerprint[65];
    struct key_check check = {.fingerprint = fingerprint};

    crypto_keys_fingerprint(keys, fingerprint);
    TRY(db_read(db, read_fingerprint, &check, err));
    if (check.found && strcmp(check.stored, fingerprint) != 0)
        return err_set(err, ERR_CONFIG,
                       "these key files are not the ones that the database was made with");
    return ERR_OK;
}

enum err_code cli_run_claim_keys(struct db *db, const struct crypto_keys *keys, struct err *err)
{
    char fingerprint[65];
    struct key_check check = {.fingerprint = fingerprint};

    TRY(cli_run_check_keys(db, keys, err));
    crypto_keys_fingerprint(keys, fingerprint);
    TRY(db_read(db, read_fingerprint, &check, err));
    if (check.found)
        return ERR_OK;
    TRY(db_write(db, DB_ALL, write_fingerprint, &check, err));
    return cli_run_check_keys(db, keys, err); /* another gateway may have been quicker */
}

enum err_code cli_run_home(const char *database, char *dst, size_t size, struct err *err)
{
    const char *slash = strrchr(database, '/');
    struct str dir =
        slash == NULL ? STR(".") : (struct str){database, (size_t)(slash - database)};

    if (dir.len == 0)
        dir = STR("/");
    return str_copy(dst, size, dir)
               ? ERR_OK
               : err_set(err, ERR_CONFIG, "the path of the database is too long");
}

enum err_code cli_run_on(struct cli_ctx *ctx, const struct cli_line *line,
                         struct buf *ret_result, struct err *err)
{
    CLEANUP(arena_fini) struct arena arena = {0};
    struct json_out out = json_begin(ret_result);

    arena_init(&arena, CLI_ARENA_MAX);
    ctx->line = line;
    ctx->arena = &arena;
    ctx->out = &out;
    ctx->now_us = sys_now_us();
    TRY(line->command->run(ctx, err));
    if (ret_result->len == 0)
        return ERR_OK; /* it talked, or printed for itself */
    return json_end(&out, err);
}

enum err_code cli_run_here(const struct cli_globals *globals, const struct cli_line *line,
                           bool read_only, struct buf *ret_result, struct err *err)
{
    char database[4096], keys_dir[4096];
    struct crypto_keys keys = {0};
    CLEANUP(db_close) struct db *db = NULL;
    struct db_options options = {.path = database, .read_only = read_only, .readers = 2};
    struct cli_ctx ctx = {.data_dir = globals->data_dir,
                          .keys_dir = keys_dir,
                          .database = database,
                          .quiet = globals->quiet};

    TRY(cli_run_database(globals, database, sizeof(database), err));
    TRY(cli_run_keys_dir(globals, keys_dir, sizeof(keys_dir), err));
    TRY(cli_run_expect(database, globals->data_dir, err));
    TRY(db_open(&options, &db, err));
    if (!read_only)
        TRY(cli_marks_check(db, database, err));
    /* What only reads works on a restored backup too, whose keys are elsewhere. */
    enum err_code rc = crypto_keys_load(keys_dir, &keys, err);

    if (rc == ERR_OK)
        rc = cli_run_check_keys(db, &keys, err);
    if (rc != ERR_OK && !read_only)
        return rc;
    ctx.db = db;
    ctx.keys = rc == ERR_OK ? &keys : NULL;
    *err = (struct err){0};
    cli_run_actor(ctx.actor);
    rc = cli_run_on(&ctx, line, ret_result, err);

    crypto_keys_wipe(&keys);
    return rc;
}
