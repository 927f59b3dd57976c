/* SPDX-License-Identifier: Apache-2.0 */
/* argv into a line: global options anywhere, the command's own by its table. Files
 * named by options are read by cli.c, not here. */
#include "gateway/cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct command *const tables[] = {
    cmd_init,    cmd_serve,  cmd_sim,   cmd_demo,       cmd_doctor,   cmd_backup,
    cmd_migrate, cmd_tenant, cmd_token, cmd_access_key, cmd_upstream, cmd_model,
    cmd_credit,  cmd_task,   cmd_asset, cmd_ledger,     cmd_audit,
};

void cli_parse_each(void (*visit)(const struct command *command, void *ctx), void *ctx)
{
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        for (const struct command *command = tables[i]; command->name != NULL; command++)
            visit(command, ctx);
    }
}

const struct command *cli_parse_command(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        for (const struct command *command = tables[i]; command->name != NULL; command++) {
            if (strcmp(command->name, name) == 0)
                return command;
        }
    }
    return NULL;
}

/* The global options, with the letters that stand for them. */
enum {
    OPT_DATA = 1000,
    OPT_DATABASE,
    OPT_KEYS,
    OPT_CONFIG,
    OPT_NO_COLOR,
    OPT_VERSION,
    OPT_OWN
};
static const struct option globals[] = {
    {"data", required_argument, NULL, OPT_DATA},
    {"database", required_argument, NULL, OPT_DATABASE},
    {"keys", required_argument, NULL, OPT_KEYS},
    {"config", required_argument, NULL, OPT_CONFIG},
    {"output", required_argument, NULL, 'o'},
    {"quiet", no_argument, NULL, 'q'},
    {"no-color", no_argument, NULL, OPT_NO_COLOR},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
};

static bool take_global(int letter, const char *value, struct cli_globals *to)
{
    switch (letter) {
    case OPT_DATA:
        to->data_dir = value;
        return true;
    case OPT_DATABASE:
        to->database = value;
        return true;
    case OPT_KEYS:
        to->keys_dir = value;
        return true;
    case OPT_CONFIG:
        to->config = value;
        return true;
    case 'o':
        to->output = value;
        return true;
    case 'q':
        to->quiet = true;
        return true;
    case OPT_NO_COLOR:
        to->no_color = true;
        return true;
    case 'h':
        to->help = true;
        return true;
    case OPT_VERSION:
        to->version = true;
        return true;
    default:
        return false;
    }
}

/* Does the option take its value from the next word? */
static bool eats_next(const char *word)
{
    size_t len = strlen(word);

    /* "-o", or letters that end in it: "-qo". */
    if (len >= 2 && word[0] == '-' && word[1] != '-' && word[len - 1] == 'o')
        return true;
    for (size_t i = 0; i < COUNT_OF(globals); i++) {
        if (globals[i].has_arg == required_argument && strncmp(word, "--", 2) == 0 &&
            strcmp(word + 2, globals[i].name) == 0)
            return true;
    }
    return false;
}

/* The command is the first one or two words that are no options: only global
 * options, whose shape is known, can stand before it. */
static const struct command *find_command(int argc, char **argv, int ret_at[2], char *shown,
                                          size_t size)
{
    const struct command *command = NULL;
    int found = 0;

    ret_at[0] = ret_at[1] = 0;
    shown[0] = '\0';
    for (int i = 1; i < argc && found < 2; i++) {
        char name[64];

        if (argv[i][0] == '-') {
            i += eats_next(argv[i]);
            continue;
        }
        (void)snprintf(name, sizeof(name), found == 0 ? "%s%s" : "%s %s", shown, argv[i]);
        ret_at[found++] = i;
        (void)snprintf(shown, size, "%s", name);
        command = cli_parse_command(name);
        if (command != NULL)
            return command;
    }
    return NULL;
}

static enum err_code take_own(const struct command *command, size_t index, const char *value,
                              struct cli_line *line, struct err *err)
{
    if (line->values[index] != NULL)
        return err_set(err, ERR_USAGE, "--%s is given twice", command->options[index].name);
    line->values[index] = value == NULL ? "" : value;
    return ERR_OK;
}

/* getopt's table for one command: the globals, then its own. */
static void fill_long_options(const struct command *command,
                              struct option to[COUNT_OF(globals) + CLI_OPTIONS_MAX + 1])
{
    size_t count = command == NULL ? 0 : command->option_count;

    ASSERT(count <= CLI_OPTIONS_MAX);
    memcpy(to, globals, sizeof(globals));
    for (size_t i = 0; i < count; i++)
        to[COUNT_OF(globals) + i] = (struct option){
            command->options[i].name,
            command->options[i].type == CLI_FLAG ? no_argument : required_argument, NULL,
            OPT_OWN + (int)i};
    to[COUNT_OF(globals) + count] = (struct option){0};
}

/* Rows and answers hold UTF-8; what is not would be changed on its way. */
static enum err_code refuse_bad_text(const struct command *command, const struct cli_line *line,
                                     struct err *err)
{
    for (size_t i = 0; i < line->arg_count; i++) {
        if (!str_is_utf8(str_from(line->args[i])))
            return err_set(err, ERR_USAGE, "argument %zu is not UTF-8", i + 1);
    }
    for (size_t i = 0; command != NULL && i < command->option_count; i++) {
        if (!str_is_utf8(str_from(line->values[i])))
            return err_set(err, ERR_USAGE, "--%s is not UTF-8", command->options[i].name);
    }
    return ERR_OK;
}

/* getopt takes abbreviations: "--api-key SECRET" would pass for --api-key-file. */
static enum err_code refuse_abbreviations(int argc, char **argv, const struct option *options,
                                          const char *shown, struct err *err)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const struct option *option = options;
        size_t len = strcspn(argv[i], "=");

        if (strncmp(argv[i], "--", 2) != 0) {
            i += eats_next(argv[i]);
            continue;
        }
        while (option->name != NULL && (strlen(option->name) != len - 2 ||
                                        strncmp(option->name, argv[i] + 2, len - 2) != 0))
            option++;
        if (option->name == NULL)
            return err_set(err, ERR_USAGE, "unknown option %.*s; see arkgate %s --help",
                           (int)len, argv[i], shown);
        i += option->has_arg == required_argument && argv[i][len] == '\0';
    }
    return ERR_OK;
}

enum err_code cli_parse(int argc, char **argv, struct cli_globals *ret_globals,
                        struct cli_line *ret_line, struct err *err)
{
    struct option options[COUNT_OF(globals) + CLI_OPTIONS_MAX + 1];
    char shown[64];
    int command_at[2], letter;
    const struct command *command = find_command(argc, argv, command_at, shown, sizeof(shown));

    fill_long_options(command, options);
    *ret_line = (struct cli_line){.command = command};
    TRY(refuse_abbreviations(argc, argv, options, shown, err));
    opterr = 0;
    optind = 0;
    /* "-": positional words come as letter 1, so options may stand anywhere. */
    while ((letter = getopt_long(argc, argv, "-:o:qh", options, NULL)) != -1) {
        if (letter == ':')
            return err_set(err, ERR_USAGE, "%s needs a value", argv[optind - 1]);
        if (letter == '?')
            return err_set(err, ERR_USAGE, "unknown option %s; see arkgate %s --help",
                           argv[optind - 1], shown);
        if (letter >= OPT_OWN) {
            TRY(take_own(command, (size_t)(letter - OPT_OWN), optarg, ret_line, err));
        } else if (letter == 1) {
            if (optarg == argv[command_at[0]] || optarg == argv[command_at[1]])
                continue;
            if (ret_line->arg_count == CLI_ARGS_MAX)
                return err_set(err, ERR_USAGE, "too many arguments");
            ret_line->args[ret_line->arg_count++] = optarg;
        } else {
            (void)take_global(letter, optarg, ret_globals);
        }
    }
    while (optind < argc && ret_line->arg_count < CLI_ARGS_MAX)
        ret_line->args[ret_line->arg_count++] = argv[optind++];
    if (optind < argc)
        return err_set(err, ERR_USAGE, "too many arguments");
    TRY(refuse_bad_text(command, ret_line, err));
    if (command == NULL && !ret_globals->help && !ret_globals->version)
        return err_set(err, ERR_USAGE,
                       shown[0] == '\0' ? "no command; see arkgate --help%s"
                                        : "unknown command: %s",
                       shown);
    if (command == NULL || ret_globals->help)
        return ERR_OK;
    if (ret_line->arg_count < (size_t)command->args_min ||
        ret_line->arg_count > (size_t)command->args_max)
        return err_set(err, ERR_USAGE, "usage: arkgate %s %s", command->name, command->args);
    return ERR_OK;
}
