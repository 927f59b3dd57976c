/* SPDX-License-Identifier: Apache-2.0 */
/* What a line means: which command, which words are its arguments, which options are
 * whose, and what is said of a wrong one. */
#include "gateway/cli/cli.h"

#include "tests/lib/check.h"

enum { WORDS_MAX = 48 };

struct parsed {
    struct cli_globals globals;
    struct cli_line line;
    struct err err;
    char text[1024];
    char *argv[WORDS_MAX + 1];
};

/* Words are parted by one space. */
static enum err_code parse(struct parsed *parsed, const char *line)
{
    int argc = 0;
    char *rest = parsed->text;

    *parsed = (struct parsed){.globals = {.data_dir = "./arkgate-data", .output = "table"}};
    CHECK_TRUE(line, str_copy(parsed->text, sizeof(parsed->text), str_from(line)));
    while (rest != NULL && argc < WORDS_MAX)
        parsed->argv[argc++] = strsep(&rest, " ");
    enum err_code rc =
        cli_parse(argc, parsed->argv, &parsed->globals, &parsed->line, &parsed->err);

    CHECK_INT(line, parsed->err.code, rc);
    return rc;
}

static const char *value(const struct parsed *parsed, const char *name)
{
    const struct cli_ctx ctx = {.line = &parsed->line};

    return cli_value(&ctx, name);
}

static const struct {
    const char *line, *command;
    const char *args; /* joined with "|" */
} good[] = {
    {"arkgate doctor", "doctor", ""},
    {"arkgate tenant list", "tenant list", ""},
    {"arkgate tenant add acme", "tenant add", "acme"},
    {"arkgate --data D tenant add acme", "tenant add", "acme"},
    {"arkgate tenant --data D add acme", "tenant add", "acme"},
    {"arkgate tenant add --data D acme", "tenant add", "acme"},
    {"arkgate tenant add acme --data D", "tenant add", "acme"},
    {"arkgate --data=D -q -o json tenant add acme", "tenant add", "acme"},
    {"arkgate -ojson tenant add acme", "tenant add", "acme"},
    {"arkgate --data tenant tenant add tenant", "tenant add", "tenant"},
    {"arkgate credit add acme 5 --ref r --reason t", "credit add", "acme|5"},
    {"arkgate credit add --ref r --reason t acme 5", "credit add", "acme|5"},
    {"arkgate credit adjust --ref r --reason t -- acme -5", "credit adjust", "acme|-5"},
    {"arkgate credit adjust acme --ref r --reason t -- -5", "credit adjust", "acme|-5"},
    {"arkgate credit adjust -- acme --data", "credit adjust", "acme|--data"},
    {"arkgate tenant add -- --", "tenant add", "--"},
    {"arkgate tenant add tenant", "tenant add", "tenant"},
    {"arkgate tenant add add", "tenant add", "add"},
    {"arkgate tenant add -", "tenant add", "-"},
};

static void good_lines(void)
{
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct parsed parsed;
        char args[256] = "";

        CHECK_OK(good[i].line, parse(&parsed, good[i].line), &parsed.err);
        CHECK_TEXT(good[i].line,
                   parsed.line.command == NULL ? "(none)" : parsed.line.command->name,
                   good[i].command);
        for (size_t j = 0; j < parsed.line.arg_count; j++) {
            size_t len = strlen(args);

            (void)snprintf(args + len, sizeof(args) - len, "%s%s", j == 0 ? "" : "|",
                           parsed.line.args[j]);
        }
        CHECK_TEXT(good[i].line, args, good[i].args);
    }
}

static const struct {
    const char *line, *message;
} bad[] = {
    {"arkgate", "no command; see arkgate --help"},
    {"arkgate -q", "no command; see arkgate --help"},
    {"arkgate tenannt", "unknown command: tenannt"},
    {"arkgate tenant", "unknown command: tenant"},
    {"arkgate tenant frobnicate acme", "unknown command: tenant frobnicate"},
    {"arkgate tenant add acme --colour",
     "unknown option --colour; see arkgate tenant add --help"},
    {"arkgate doctor -x", "unknown option -x; see arkgate doctor --help"},
    {"arkgate doctor --ref r", "unknown option --ref; see arkgate doctor --help"},
    {"arkgate doctor --data", "--data needs a value"},
    {"arkgate doctor -o", "-o needs a value"},
    {"arkgate credit add acme 5 --ref", "--ref needs a value"},
    {"arkgate credit add acme 5 --ref a --ref b", "--ref is given twice"},
    {"arkgate credit add acme", "usage: arkgate credit add TENANT AMOUNT"},
    {"arkgate credit add acme 5 6", "usage: arkgate credit add TENANT AMOUNT"},
    {"arkgate credit adjust acme -5", "unknown option -5; see arkgate credit adjust --help"},
    {"arkgate doctor now", "usage: arkgate doctor "},
    {"arkgate doctor 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27"
     " 28 29 30 31 32 33",
     "too many arguments"},
};

static void bad_lines(void)
{
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct parsed parsed;

        CHECK_INT(bad[i].line, parse(&parsed, bad[i].line), ERR_USAGE);
        CHECK_TEXT(bad[i].line, parsed.err.msg, bad[i].message);
    }
}

static void globals_anywhere(void)
{
    static const char *const lines[] = {
        "arkgate --data D --database sqlite:x --config c -o csv -q --no-color tenant add acme",
        "arkgate tenant --data D --database sqlite:x add --config c -o csv -q --no-color acme",
        "arkgate tenant add acme --data D --database sqlite:x --config c -o csv -q --no-color",
        "arkgate tenant add --no-color -ocsv acme --data=D --database=sqlite:x -q --config=c",
    };

    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct parsed parsed;

        CHECK_OK(lines[i], parse(&parsed, lines[i]), &parsed.err);
        CHECK_TEXT(lines[i], parsed.globals.data_dir, "D");
        CHECK_TEXT(lines[i], parsed.globals.database, "sqlite:x");
        CHECK_TEXT(lines[i], parsed.globals.config, "c");
        CHECK_TEXT(lines[i], parsed.globals.output, "csv");
        CHECK_TRUE(lines[i], parsed.globals.quiet && parsed.globals.no_color);
        CHECK_TRUE(lines[i], !parsed.globals.help && !parsed.globals.version);
        CHECK_INT(lines[i], parsed.line.arg_count, 1);
    }
}

static void defaults_stay(void)
{
    struct parsed parsed;

    CHECK_OK("line", parse(&parsed, "arkgate doctor"), &parsed.err);
    CHECK_TEXT("data", parsed.globals.data_dir, "./arkgate-data");
    CHECK_TEXT("output", parsed.globals.output, "table");
    CHECK_TRUE("others", parsed.globals.database == NULL && parsed.globals.config == NULL &&
                             !parsed.globals.quiet);
}

static void own_options(void)
{
    struct parsed parsed;

    CHECK_OK("line", parse(&parsed, "arkgate credit add acme 5 --reason=-x --ref --data"),
             &parsed.err);
    CHECK_TEXT("ref", value(&parsed, "ref"), "--data");
    CHECK_TEXT("reason", value(&parsed, "reason"), "-x");
    CHECK_TEXT("not the global one", parsed.globals.data_dir, "./arkgate-data");
    CHECK_OK("line", parse(&parsed, "arkgate ledger export --out="), &parsed.err);
    CHECK_TEXT("empty", value(&parsed, "out"), "");
    CHECK_TRUE("absent", value(&parsed, "tenant") == NULL);
}

static void help_and_version(void)
{
    static const struct {
        const char *line;
        bool help, version;
        const char *command;
    } lines[] = {
        {"arkgate --help", true, false, NULL},
        {"arkgate -h", true, false, NULL},
        {"arkgate --version", false, true, NULL},
        {"arkgate credit add --help", true, false, "credit add"},
        {"arkgate --help credit add", true, false, "credit add"},
    };

    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct parsed parsed;

        CHECK_OK(lines[i].line, parse(&parsed, lines[i].line), &parsed.err);
        CHECK_INT(lines[i].line, parsed.globals.help, lines[i].help);
        CHECK_INT(lines[i].line, parsed.globals.version, lines[i].version);
        if (lines[i].command == NULL)
            CHECK_TRUE(lines[i].line, parsed.line.command == NULL);
        else
            CHECK_TEXT(lines[i].line, parsed.line.command->name, lines[i].command);
    }
}

/* Mistakes in a command's row that only a run of that command would show. */
static void check_row(const struct command *command, void *ctx)
{
    int *count = ctx;

    (*count)++;
    CHECK_TRUE(command->name, cli_parse_command(command->name) == command);
    CHECK_TRUE(command->name, command->run != NULL && command->help[0] != '\0');
    CHECK_TRUE(command->name, command->args_min >= 0 &&
                                  command->args_min <= command->args_max &&
                                  command->args_max <= CLI_ARGS_MAX);
    CHECK_TRUE(command->name, (command->args_max == 0) == (command->args[0] == '\0'));
    CHECK_TRUE(command->name, command->option_count <= CLI_OPTIONS_MAX);
    CHECK_TRUE(command->name, command->option_count == 0 || command->options != NULL);
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *option = &command->options[i];

        CHECK_TRUE(command->name, option->name[0] != '-' && option->help[0] != '\0');
        CHECK_TRUE(command->name, option->type == CLI_FLAG || option->value != NULL);
        for (size_t j = 0; j < i; j++)
            CHECK_TRUE(option->name, strcmp(option->name, command->options[j].name) != 0);
        for (const char *const *global =
                 (const char *const[]){"data", "database", "config", "output", "quiet",
                                       "no-color", "help", "version", NULL};
             *global != NULL; global++)
            CHECK_TRUE(option->name, strcmp(option->name, *global) != 0);
    }
}

static void rows(void)
{
    int count = 0;

    cli_parse_each(check_row, &count);
    CHECK_TRUE("there are commands", count > 20);
    CHECK_TRUE("none by an empty name", cli_parse_command("") == NULL);
}

CHECK_MAIN(CHECK_TEST(good_lines), CHECK_TEST(bad_lines), CHECK_TEST(globals_anywhere),
           CHECK_TEST(defaults_stay), CHECK_TEST(own_options), CHECK_TEST(help_and_version),
           CHECK_TEST(rows))
