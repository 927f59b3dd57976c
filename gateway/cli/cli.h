/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one table of commands, one way to parse, run and print them.
 * A command writes one JSON document; how it is shown is decided once, here. */
#ifndef ARKGATE_GATEWAY_CLI_H
#define ARKGATE_GATEWAY_CLI_H

#include "base/base.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/store/store.h"

enum {
    CLI_ARGS_MAX = 32,        /* positional arguments of a command */
    CLI_OPTIONS_MAX = 16,     /* options of a command */
    CLI_RESULT_MAX = 64 << 20 /* a page of a list is far smaller; exports stream */
};

/* Where a command does its work. */
enum cli_place {
    CLI_ALONE, /* needs no installation, or makes or runs one itself */
    CLI_READ,  /* reads the database beside a running server */
    CLI_WRITE  /* in the server when one holds the lock, else here with the lock; in a
                * server's database: here, beside any number of gateways */
};

enum cli_option_type {
    CLI_TEXT,
    CLI_FLAG,
    CLI_FILE /* the value is a path, "-" stdin; the command gets the content */
};
struct cli_option {
    const char *name; /* without dashes */
    enum cli_option_type type;
    const char *value; /* shown in --help: "NAME" */
    const char *help;
};

/* The parsed line, local or received over the socket. */
struct cli_line {
    const struct command *command;
    const char *args[CLI_ARGS_MAX + 1];
    size_t arg_count;
    const char *values[CLI_OPTIONS_MAX]; /* by position in command->options; NULL absent */
};

/* What a command can reach. */
struct cli_ctx {
    const struct cli_line *line;
    const char *data_dir, *keys_dir;
    struct db *db;                  /* NULL for CLI_ALONE */
    const struct crypto_keys *keys; /* likewise; NULL too when a reading command finds none */
    char actor[65];                 /* "cli:root" */
    int64_t now_us;
    struct arena *arena;
    struct json_out *out; /* the result; one document */
    bool quiet;
    const char *database; /* path of the SQLite file, or a server's URL */
    bool failed;          /* CLI_ALONE: exit with 1 although the result is printed */
};

/* One command: a row of the table of its file. */
struct command {
    const char *name; /* "tenant add" */
    enum cli_place place;
    int args_min, args_max;
    const char *args; /* shown in --help: "TENANT AMOUNT" */
    const char *help; /* one sentence */
    const struct cli_option *options;
    size_t option_count;
    enum err_code (*run)(struct cli_ctx *ctx, struct err *err);
};

/* cli.c ---------------------------------------------------------------------- */

/* The whole program; returns the exit status. */
int cli_main(int argc, char **argv);
/* The value of an option, or NULL. The name must be one of the command's. */
const char *cli_value(const struct cli_ctx *ctx, const char *name);
bool cli_flag(const struct cli_ctx *ctx, const char *name);
/* --limit of a list: 1 to 1000, default 50. */
FALLIBLE cli_limit(const struct cli_ctx *ctx, int *ret_limit, struct err *err);
/* An amount as a decimal string: "5.0094". */
void cli_put_amount(struct json_out *out, const char *name, int64_t nano);
/* A line of talk on stderr, unless -q. */
void cli_say(const struct cli_ctx *ctx, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* cli_parse.c: argv into a line ------------------------------------------------ */

/* Global options, accepted anywhere on the line. */
struct cli_globals {
    const char *data_dir, *database, *keys_dir, *config, *output;
    bool quiet, no_color, help, version;
};
/* Fills both; texts borrow from argv. ERR_USAGE says what is wrong. */
FALLIBLE cli_parse(int argc, char **argv, struct cli_globals *ret_globals,
                   struct cli_line *ret_line, struct err *err);
/* NULL when there is none. */
const struct command *cli_parse_command(const char *name);
/* Calls visit for every command of the program. */
void cli_parse_each(void (*visit)(const struct command *command, void *ctx), void *ctx);

/* cli_remote.c: a writing command and the lock ------------------------------------ */

/* Runs a CLI_WRITE line where it must run; the result is appended to *ret_result. */
FALLIBLE cli_remote_write(const struct cli_globals *globals, const struct cli_line *line,
                          struct buf *ret_result, struct err *err);
/* The server's half: answers lines that arrive at the command socket. */
struct cli_remote_server {
    struct db *db;
    const struct crypto_keys *keys;
    const char *data_dir, *keys_dir, *database;
};
void cli_remote_answer(void *server, struct str request, struct buf *answer);

/* cli_run.c: opening an installation and running a line on it ----------------------- */

/* The path of the SQLite file, or the server's URL, for --data and --database; ERR_CONFIG
 * for another engine. */
FALLIBLE cli_run_database(const struct cli_globals *globals, char *dst, size_t size,
                          struct err *err);
/* The folder of the key files. */
FALLIBLE cli_run_keys_dir(const struct cli_globals *globals, char *dst, size_t size,
                          struct err *err);
/* ERR_CONFIG with the way out when there is no file; a server is asked when it is opened. */
FALLIBLE cli_run_expect(const char *database, const char *data_dir, struct err *err);
/* The directory of a SQLite file: its lock and its command socket are there, whatever
 * --data says, because they guard that file. */
FALLIBLE cli_run_home(const char *database, char *dst, size_t size, struct err *err);
/* Opens the database (read_only for CLI_READ) and the keys, runs, closes. */
FALLIBLE cli_run_here(const struct cli_globals *globals, const struct cli_line *line,
                      bool read_only, struct buf *ret_result, struct err *err);
/* Runs a line on an open installation. */
FALLIBLE cli_run_on(struct cli_ctx *ctx, const struct cli_line *line, struct buf *ret_result,
                    struct err *err);
/* "cli:" and the user's name. */
void cli_run_actor(char dst[65]);
/* ERR_CONFIG when the database was made with other key files. */
FALLIBLE cli_run_check_keys(struct db *db, const struct crypto_keys *keys, struct err *err);
/* Remembers the key files in a database that knows none; for init and serve. */
FALLIBLE cli_run_claim_keys(struct db *db, const struct crypto_keys *keys, struct err *err);

/* cli_marks.c: an installation that moves between two databases ------------------------ */

enum { CLI_URL_SIZE = 1024, CLI_MOVE_ID_SIZE = 33 };
/* A row of meta that is no mark. */
struct cli_fact {
    struct cli_fact *next;
    const char *name, *value;
};
/* What meta says; "" for what it does not. */
struct cli_marks {
    char moving_to[CLI_URL_SIZE], moved_to[CLI_URL_SIZE], move_id[CLI_MOVE_ID_SIZE];
    char copied_from[CLI_MOVE_ID_SIZE], copy_complete[CLI_MOVE_ID_SIZE];
    int rows;               /* of meta, these included */
    struct cli_fact *facts; /* the other rows */
};
/* Reads them, and the other rows into the arena unless it is NULL. */
FALLIBLE cli_marks_read(struct db *db, struct arena *arena, struct cli_marks *ret_marks,
                        struct err *err);
/* Is it the target of a move that is not over? */
bool cli_marks_incomplete(const struct cli_marks *marks);
/* ERR_CONFIG, with where the installation is and what to do, when nobody may write here. */
FALLIBLE cli_marks_check(struct db *db, const char *database, struct err *err);
/* The source is on its way; one that has moved stays so. */
FALLIBLE cli_marks_begin(struct db *source, const char *url, const char *id, struct err *err);
/* The target holds this move's copy from now on; ERR_CONFLICT unless it was empty, or did. */
FALLIBLE cli_marks_target(struct db *target, const char *id, struct err *err);
/* A db_fn: ERR_CONFLICT unless it is the incomplete target of the move with this id. */
FALLIBLE cli_marks_expect(struct db_conn *conn, void *id, struct err *err);
/* The source has moved. */
FALLIBLE cli_marks_end(struct db *source, struct err *err);
/* The target is the installation, with the source's other rows of meta. */
FALLIBLE cli_marks_complete(struct db *target, const char *id, const struct cli_marks *source,
                            struct err *err);
/* The source is in use again. ERR_CONFLICT when it has moved, or never was to. */
FALLIBLE cli_marks_abandon(struct db *source, struct cli_marks *ret_marks, struct err *err);

/* cli_render.c: the result on stdout ------------------------------------------------- */

enum cli_output { CLI_TABLE, CLI_JSON, CLI_CSV };
bool cli_render_parse(const char *word, enum cli_output *ret_output);
/* quiet: no line of talk about further pages. */
FALLIBLE cli_render(enum cli_output output, bool quiet, struct str result, struct err *err);

/* cli_time.c ---------------------------------------------------------------------------- */

/* "2026-11-21T14:00:00Z". */
void cli_time_text(int64_t us, char dst[32]);
/* A duration from now ("90d") or a date ("2027-01-31"), as a moment. */
FALLIBLE cli_time_parse(const char *option, const char *text, int64_t now_us, int64_t *ret_us,
                        struct err *err);

/* cmd_serve.c: the settings of serve with their defaults, for its --help. */
void cmd_serve_print_settings(void);

/* The commands, a table per file, each ended by a row without a name. */
extern const struct command cmd_init[], cmd_serve[], cmd_sim[], cmd_demo[], cmd_doctor[],
    cmd_backup[], cmd_tenant[], cmd_token[], cmd_access_key[], cmd_upstream[], cmd_model[],
    cmd_credit[], cmd_task[], cmd_asset[], cmd_ledger[], cmd_audit[], cmd_migrate[];

#endif
