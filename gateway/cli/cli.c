/* SPDX-License-Identifier: Apache-2.0 */
/* The program's entry: parse, read files that options name, run the command where
 * it belongs, print its result, exit with the error's status. */
#include "gateway/cli/cli.h"

#include "billing/billing.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_FILE_MAX = 1 << 20, /* keys and notes; price books are smaller too */
    LIMIT_DEFAULT = 50,
    LIMIT_MAX = 1000
};

static size_t option_index(const struct command *command, const char *name)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (strcmp(command->options[i].name, name) == 0)
            return i;
    }
    ASSERT(false); /* a command asked for an option that it does not have */
    return 0;
}

const char *cli_value(const struct cli_ctx *ctx, const char *name)
{
    return ctx->line->values[option_index(ctx->line->command, name)];
}

bool cli_flag(const struct cli_ctx *ctx, const char *name)
{
    return cli_value(ctx, name) != NULL;
}

enum err_code cli_limit(const struct cli_ctx *ctx, int *ret_limit, struct err *err)
{
    const char *text = cli_value(ctx, "limit");
    int64_t limit = LIMIT_DEFAULT;

    if (text != NULL && (!str_to_i64(str_from(text), &limit) || limit < 1 || limit > LIMIT_MAX))
        return err_set(err, ERR_USAGE, "--limit must be 1 to %d", LIMIT_MAX);
    *ret_limit = (int)limit;
    return ERR_OK;
}

void cli_put_amount(struct json_out *out, const char *name, int64_t nano)
{
    char text[MONEY_TEXT_MAX];

    money_text((struct money){nano}, text);
    json_put_text(out, name, str_from(text));
}

void cli_say(const struct cli_ctx *ctx, const char *fmt, ...)
{
    va_list args;

    if (ctx->quiet)
        return;
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

static void print_command(const struct command *command, void *ctx)
{
    (void)ctx;
    (void)printf("  %-18s %s\n", command->name, command->help);
}

static void print_help(const struct command *command)
{
    if (command == NULL) {
        (void)printf("arkgate %s: resell Seedance video generation from your own server\n\n"
                     "usage: arkgate COMMAND [ARGUMENTS] [OPTIONS]\n\ncommands:\n",
                     ARKGATE_VERSION);
        cli_parse_each(print_command, NULL);
    } else {
        (void)printf("usage: arkgate %s %s%s\n\n%s\n", command->name, command->args,
                     command->option_count > 0 ? " [OPTIONS]" : "", command->help);
        for (size_t i = 0; i < command->option_count; i++) {
            const struct cli_option *option = &command->options[i];
            char left[64];

            (void)snprintf(left, sizeof(left), "--%s %s", option->name,
                           option->type == CLI_FLAG ? "" : option->value);
            (void)printf("  %-28s %s\n", left, option->help);
        }
        if (strcmp(command->name, "serve") == 0)
            cmd_serve_print_settings();
    }
    (void)printf(
        "\nglobal options:\n"
        "  --data DIR                   the installation (default ./arkgate-data)\n"
        "  --database URL               sqlite:PATH (default DIR/arkgate.db) or\n"
        "                               postgresql://USER@HOST:PORT/NAME\n"
        "  --keys DIR                   key files (default: keys in the installation)\n"
        "  --config FILE                settings of serve, YAML\n"
        "  -o, --output table|json|csv  how the result is printed\n"
        "  -q, --quiet                  results and errors only\n"
        "  --no-color                   accepted; nothing is coloured\n"
        "  -h, --help                   this text\n"
        "  --version                    the version\n");
}

/* Content of a file, or of stdin for "-", without the line feed at its end. */
static enum err_code read_option_file(const char *option, const char *path, char **ret_text,
                                      struct err *err)
{
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    char *text = malloc(OPTION_FILE_MAX + 1);
    size_t len = 0;
    ssize_t got = fd < 0 || text == NULL ? -1 : 0;

    while (got >= 0 && len <= OPTION_FILE_MAX) {
        got = read(fd, text + len, OPTION_FILE_MAX + 1 - len);
        if (got == 0)
            break;
        len += got > 0 ? (size_t)got : 0;
    }
    int saved = errno;

    if (fd >= 0)
        (void)close(fd);
    if (got < 0 || len > OPTION_FILE_MAX) {
        free(text);
        return err_set(err, ERR_CONFIG, "--%s %s: %s", option, path,
                       got < 0 ? strerror(saved) : "longer than 1 MiB");
    }
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    text[len] = '\0';
    if (memchr(text, '\0', len) != NULL) {
        free(text);
        return err_set(err, ERR_CONFIG, "--%s %s holds a NUL byte", option, path);
    }
    *ret_text = text;
    return ERR_OK;
}

/* Replaces paths by contents; what was read is freed with the process's end, after
 * being wiped by free_option_files. */
static enum err_code read_option_files(struct cli_line *line, char *owned[CLI_OPTIONS_MAX],
                                       struct err *err)
{
    for (size_t i = 0; i < line->command->option_count; i++) {
        if (line->command->options[i].type != CLI_FILE || line->values[i] == NULL)
            continue;
        TRY(read_option_file(line->command->options[i].name, line->values[i], &owned[i], err));
        line->values[i] = owned[i];
    }
    return ERR_OK;
}

static void free_option_files(char *owned[CLI_OPTIONS_MAX])
{
    for (size_t i = 0; i < CLI_OPTIONS_MAX; i++) {
        if (owned[i] != NULL)
            crypto_wipe(owned[i], strlen(owned[i]));
        free(owned[i]);
    }
}

static enum err_code run_alone(const struct cli_globals *globals, const struct cli_line *line,
                               struct buf *result, bool *ret_failed, struct err *err)
{
    char database[4096], keys_dir[4096];
    struct cli_ctx ctx = {.data_dir = globals->data_dir,
                          .keys_dir = keys_dir,
                          .database = database,
                          .quiet = globals->quiet};

    TRY(cli_run_database(globals, database, sizeof(database), err));
    TRY(cli_run_keys_dir(globals, keys_dir, sizeof(keys_dir), err));
    cli_run_actor(ctx.actor);
    TRY(cli_run_on(&ctx, line, result, err));
    *ret_failed = ctx.failed;
    return ERR_OK;
}

static enum err_code run_line(const struct cli_globals *globals, struct cli_line *line,
                              struct buf *result, bool *ret_failed, struct err *err)
{
    switch (line->command->place) {
    case CLI_ALONE:
        return run_alone(globals, line, result, ret_failed, err);
    case CLI_READ:
        return cli_run_here(globals, line, true, result, err);
    case CLI_WRITE:
        break;
    }
    return cli_remote_write(globals, line, result, err);
}

static enum err_code run(int argc, char **argv, bool *ret_failed, struct err *err)
{
    struct cli_globals globals = {.data_dir = getenv("ARKGATE_DATA"),
                                  .keys_dir = getenv("ARKGATE_KEYS"),
                                  .output = "table"};
    char *owned[CLI_OPTIONS_MAX] = {NULL};
    CLEANUP(buf_fini) struct buf result = {0};
    enum cli_output output;
    struct cli_line line;

    if (globals.data_dir == NULL)
        globals.data_dir = "./arkgate-data";
    TRY(cli_parse(argc, argv, &globals, &line, err));
    if (globals.version) {
        (void)printf("arkgate %s\n", ARKGATE_VERSION);
        return ERR_OK;
    }
    if (globals.help) {
        print_help(line.command);
        return ERR_OK;
    }
    if (!cli_render_parse(globals.output, &output))
        return err_set(err, ERR_USAGE, "--output must be table, json or csv");
    if (globals.config != NULL)
        (void)setenv("ARKGATE_CONFIG", globals.config, 1);
    TRY(crypto_init(err));
    buf_init(&result, CLI_RESULT_MAX);
    enum err_code rc = read_option_files(&line, owned, err);

    if (rc == ERR_OK)
        rc = run_line(&globals, &line, &result, ret_failed, err);
    free_option_files(owned);
    TRY(rc);
    return result.len == 0 ? ERR_OK : cli_render(output, globals.quiet, buf_str(&result), err);
}

int cli_main(int argc, char **argv)
{
    struct err err = {0};
    bool failed = false;

    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* for the width of tables */
    if (run(argc, argv, &failed, &err) == ERR_OK)
        return fflush(stdout) == 0 && !failed ? 0 : err_exit_status(ERR_IO);
    (void)fflush(stdout);
    (void)fprintf(stderr, "arkgate: %s%s%s%s\n", err.msg, err.detail[0] == '\0' ? "" : " (",
                  err.detail, err.detail[0] == '\0' ? "" : ")");
    return err_exit_status(err.code);
}
