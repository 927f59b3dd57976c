/* SPDX-License-Identifier: Apache-2.0 */
/* A writing command runs where the lock is: in the server that holds it, reached
 * over the command socket, or here with the lock taken. A database server has no such
 * lock, so there it runs here. */
#include "gateway/cli/cli.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { REQUEST_MAX = 4 << 20, TRIES = 40, TRY_PAUSE_US = 50000 };

/* Two names of one file, or a path that does not exist yet. */
static bool same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;

    if (stat(a, &of_a) != 0 || stat(b, &of_b) != 0)
        return strcmp(a, b) == 0;
    return of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

static enum err_code encode_line(const struct cli_line *line, const char *actor,
                                 const char *database, struct buf *request, struct err *err)
{
    char path[PATH_MAX];

    if (realpath(database, path) == NULL)
        return err_set(err, ERR_CONFIG, "there is no database %s: run arkgate init", database);
    struct json_out out = json_begin(request);

    json_open_object(&out, NULL);
    json_put_text(&out, "command", str_from(line->command->name));
    json_put_text(&out, "actor", str_from(actor));
    json_put_text(&out, "database", str_from(path));
    json_open_array(&out, "args");
    for (size_t i = 0; i < line->arg_count; i++)
        json_put_text(&out, NULL, str_from(line->args[i]));
    json_close_array(&out);
    json_open_object(&out, "options");
    for (size_t i = 0; i < line->command->option_count; i++) {
        if (line->values[i] != NULL)
            json_put_text(&out, line->command->options[i].name, str_from(line->values[i]));
    }
    json_close_object(&out);
    json_close_object(&out);
    return json_end(&out, err);
}

/* Texts of a line live in the arena, because commands want C strings. */
static const char *own_text(const struct json_doc *doc, const struct json_value *value,
                            struct arena *arena)
{
    return value == NULL ? NULL : arena_dup(arena, json_text(doc, value));
}

static enum err_code decode_line(const struct json_doc *doc, struct arena *arena,
                                 struct cli_line *ret_line, const char **ret_actor,
                                 struct err *err)
{
    const struct json_value *root = json_root(doc), *args = json_get(root, "args");
    const char *name = own_text(doc, json_get(root, "command"), arena);
    struct cli_line line = {.command = name == NULL ? NULL : cli_parse_command(name)};

    *ret_actor = own_text(doc, json_get(root, "actor"), arena);
    if (line.command == NULL || line.command->place != CLI_WRITE || *ret_actor == NULL)
        return err_set(err, ERR_USAGE,
                       "the server does not know this command: are both the "
                       "same version?");
    for (const struct json_value *arg = args == NULL ? NULL : json_first(args);
         arg != NULL && line.arg_count < CLI_ARGS_MAX; arg = json_next(arg))
        line.args[line.arg_count++] = own_text(doc, arg, arena);
    for (size_t i = 0; i < line.command->option_count; i++)
        line.values[i] = own_text(
            doc, json_get(json_get(root, "options"), line.command->options[i].name), arena);
    if (line.arg_count < (size_t)line.command->args_min)
        return err_set(err, ERR_USAGE, "usage: arkgate %s %s", line.command->name,
                       line.command->args);
    *ret_line = line;
    return ERR_OK;
}

static enum err_code run_request(const struct cli_remote_server *server, struct str request,
                                 struct buf *result, struct err *err)
{
    CLEANUP(arena_fini) struct arena arena = {0};
    CLEANUP(json_free) struct json_doc *doc = NULL;
    struct cli_ctx ctx = {.data_dir = server->data_dir,
                          .keys_dir = server->keys_dir,
                          .database = server->database,
                          .db = server->db,
                          .keys = server->keys,
                          .quiet = true};
    struct cli_line line;
    const char *actor, *database;

    arena_init(&arena, (size_t)REQUEST_MAX * 4);
    TRY(json_parse(&arena, request, &doc, err));
    database = own_text(doc, json_get(json_root(doc), "database"), &arena);
    if (database == NULL || !same_file(database, server->database))
        return err_set(err, ERR_CONFIG, "the server that is running there serves %s",
                       server->database);
    TRY(decode_line(doc, &arena, &line, &actor, err));
    str_copy_cut(ctx.actor, sizeof(ctx.actor), str_from(actor));
    return cli_run_on(&ctx, &line, result, err);
}

void cli_remote_answer(void *server, struct str request, struct buf *answer)
{
    CLEANUP(buf_fini) struct buf result = {0};
    struct err err = {0}, ignored = {0};
    struct json_out out;

    buf_init(&result, REQUEST_MAX / 2);
    enum err_code rc = run_request(server, request, &result, &err);

    out = json_begin(answer);
    json_open_object(&out, NULL);
    if (rc == ERR_OK && result.len > 0) {
        json_put_raw(&out, "result", buf_str(&result));
    } else if (rc != ERR_OK) {
        json_put_text(&out, "error", str_from(err_name(err.code)));
        json_put_text(&out, "field", str_from(err.field));
        json_put_text(&out, "message", str_from(err.msg));
        json_put_text(&out, "detail", str_from(err.detail));
    }
    json_close_object(&out);
    if (json_end(&out, &ignored) != ERR_OK)
        LOG(LOG_ERROR, "command_answer_failed", LOG_TEXT("detail", ignored.detail));
}

static enum err_code decode_answer(struct str answer, struct buf *ret_result, struct err *err)
{
    CLEANUP(arena_fini) struct arena arena = {0};
    CLEANUP(json_free) struct json_doc *doc = NULL;
    const struct json_value *error, *result;

    arena_init(&arena, (size_t)REQUEST_MAX * 4);
    TRY(json_parse(&arena, answer, &doc, err));
    error = json_get(json_root(doc), "error");
    result = json_get(json_root(doc), "result");
    if (error != NULL) {
        const struct json_value *root = json_root(doc);
        enum err_code code = err_from_name(json_text(doc, error));
        struct str text = json_text(doc, json_get(root, "message"));

        (void)err_set(err, code, "%.*s", (int)text.len, text.ptr);
        str_copy_cut(err->field, sizeof(err->field), json_text(doc, json_get(root, "field")));
        str_copy_cut(err->detail, sizeof(err->detail),
                     json_text(doc, json_get(root, "detail")));
        return code;
    }
    if (result != NULL)
        buf_put_str(ret_result, json_raw(doc, result));
    return buf_check(ret_result, err);
}

enum err_code cli_remote_write(const struct cli_globals *globals, const struct cli_line *line,
                               struct buf *ret_result, struct err *err)
{
    CLEANUP(buf_fini) struct buf request = {0};
    CLEANUP(buf_fini) struct buf answer = {0};
    char actor[65], database[PATH_MAX], home[PATH_MAX];
    enum err_code rc;
    int lock = -1;

    cli_run_actor(actor);
    buf_init(&request, REQUEST_MAX);
    buf_init(&answer, REQUEST_MAX);
    TRY(cli_run_database(globals, database, sizeof(database), err));
    if (db_is_server(database)) /* which orders all who write */
        return cli_run_here(globals, line, false, ret_result, err);
    TRY(cli_run_home(database, home, sizeof(home), err));
    TRY(encode_line(line, actor, database, &request, err));
    /* A server that starts or stops holds the lock without listening: try on. */
    for (int i = 0; i < TRIES; i++) {
        rc = dir_lock_take(home, &lock, err);
        if (rc == ERR_OK) {
            rc = cli_run_here(globals, line, false, ret_result, err);
            dir_lock_drop(&lock);
            return rc;
        }
        if (rc != ERR_BUSY)
            return rc;
        rc = command_socket_call(home, buf_str(&request), &answer, err);
        if (rc == ERR_OK)
            return decode_answer(buf_str(&answer), ret_result, err);
        if (rc != ERR_NOT_FOUND)
            return rc;
        sys_sleep_us(TRY_PAUSE_US);
    }
    return err_set(err, ERR_BUSY, "another process holds %s and does not answer", home);
}
