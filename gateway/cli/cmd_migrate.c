/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate migrate: a database brought to this program's schema; an installation moved from
 * a SQLite file into a server's database. What the marks mean is in cli_marks.c, how rows
 * are copied in base/store. */
#include "gateway/cli/cli.h"

#include "billing/billing.h"
#include "tenancy/tenancy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MENDED_SHOWN = 20, /* lines about mended texts; the rest is counted */
    TOLD_US = 1000000, /* what takes less goes without saying */
    PATH_SIZE = 4096
};

/* Leases are of gateways that have ended; meta is written when all else is there. */
static const char *const left_out[] = {"lease", "meta"};

struct move {
    struct cli_ctx *ctx;
    const char *from, *to; /* a path, a URL */
    char home[PATH_SIZE];  /* the path's directory */
    int lock;
    struct db *source;
    struct cli_marks marks; /* the source's before the move */
    char id[CLI_MOVE_ID_SIZE];
    char keys[PATH_SIZE]; /* where the key files are; "" when they were not found */
    int64_t mended;
    struct db_copy_report copied;
    struct ledger_report ledger;
    int64_t audited;
};

static void move_fini(struct move *move)
{
    db_close(&move->source);
    dir_lock_drop(&move->lock);
}

/* ---- alone: the schema ------------------------------------------------------------------- */

static FALLIBLE lock_home(const char *database, char *home, size_t size, int *ret_lock,
                          struct err *err)
{
    TRY(cli_run_home(database, home, size, err));
    enum err_code code = dir_lock_take(home, ret_lock, err);

    if (code == ERR_BUSY)
        return err_set(
            err, ERR_BUSY,
            "a gateway or another command is using the data directory %s: stop it first", home);
    return code;
}

static FALLIBLE run_schema(struct cli_ctx *ctx, struct err *err)
{
    CLEANUP(dir_lock_drop) int lock = -1;
    char home[PATH_SIZE];
    int version = 0;

    TRY(cli_run_expect(ctx->database, ctx->data_dir, err));
    if (!db_is_server(ctx->database))
        TRY(lock_home(ctx->database, home, sizeof(home), &lock, err));
    TRY(db_schema_of(ctx->database, &version, err));
    if (version == 0)
        return err_set(err, ERR_CONFIG,
                       "the database is empty: \"arkgate init\" makes an installation");
    TRY(db_migrate(ctx->database, err));
    json_open_object(ctx->out, NULL);
    json_put_text(ctx->out, "database", str_from(ctx->database));
    json_put_int(ctx->out, "schema", db_schema_version());
    json_close_object(ctx->out);
    return ERR_OK;
}

/* ---- both ends -------------------------------------------------------------------------- */

static FALLIBLE open_source(struct move *move, bool migrate, struct err *err)
{
    static const char prefix[] = "sqlite:";
    struct db_options options = {.path = move->from, .readers = 1};
    int version = 0;

    if (strncmp(move->from, prefix, strlen(prefix)) != 0)
        return err_set(err, ERR_USAGE, "--from must be sqlite:PATH");
    options.path = move->from += strlen(prefix);
    if (access(move->from, F_OK) != 0)
        return err_set(err, ERR_CONFIG, "there is no installation at %s", move->from);
    TRY(lock_home(move->from, move->home, sizeof(move->home), &move->lock, err));
    TRY(db_schema_of(move->from, &version, err));
    if (migrate && version > 0)
        TRY(db_migrate(move->from, err));
    TRY(db_open(&options, &move->source, err));
    return cli_marks_read(move->source, move->ctx->arena, &move->marks, err);
}

enum target {
    TARGET_EMPTY,
    TARGET_OURS,    /* an incomplete copy of this source */
    TARGET_FOREIGN, /* of another one */
    TARGET_TAKEN
};

static FALLIBLE look_at_target(struct move *move, enum target *ret_target, struct err *err)
{
    CLEANUP(db_close) struct db *db = NULL;
    struct db_options options = {.path = move->to, .read_only = true, .readers = 1};
    struct cli_marks marks;
    int64_t audited = 0;
    int version = 0;

    *ret_target = TARGET_EMPTY;
    TRY(db_schema_of(move->to, &version, err));
    if (version == 0)
        return ERR_OK;
    TRY(db_open(&options, &db, err));
    TRY(cli_marks_read(db, NULL, &marks, err));
    if (cli_marks_incomplete(&marks)) {
        *ret_target =
            strcmp(marks.copied_from, move->marks.move_id) == 0 ? TARGET_OURS : TARGET_FOREIGN;
        return ERR_OK;
    }
    /* A move that was killed between the schema and the mark leaves it bare. */
    if (marks.rows == 0)
        TRY(audit_verify(db, &audited, err));
    if (marks.rows > 0 || audited > 0)
        *ret_target = TARGET_TAKEN;
    return ERR_OK;
}

/* May this source go into this target? */
static FALLIBLE judge(const struct move *move, enum target target, struct err *err)
{
    const struct cli_marks *marks = &move->marks;

    if (target == TARGET_OURS)
        return ERR_OK;
    if (marks->moved_to[0] != '\0')
        return err_set(err, ERR_CONFLICT, "this installation was moved to %s already",
                       marks->moved_to);
    if (marks->moving_to[0] != '\0' && strcmp(marks->moving_to, move->to) != 0)
        return err_set(err, ERR_CONFLICT,
                       "this installation is being moved to %s: go on with that, or give it up"
                       " with \"arkgate migrate --from sqlite:%s --abandon\"",
                       marks->moving_to, move->from);
    if (target == TARGET_FOREIGN)
        return err_set(err, ERR_CONFLICT,
                       "the target holds an incomplete copy of another installation");
    if (target == TARGET_TAKEN)
        return err_set(err, ERR_CONFLICT, "the target holds an installation already");
    return ERR_OK;
}

/* A number of its own for each target: what was copied elsewhere is nobody's then. */
static void choose_id(struct move *move, enum target target)
{
    unsigned char random[(CLI_MOVE_ID_SIZE - 1) / 2];

    if (target == TARGET_OURS || move->marks.moving_to[0] != '\0') {
        memcpy(move->id, move->marks.move_id, sizeof(move->id));
        return;
    }
    sys_random(random, sizeof(random));
    str_hex(move->id, random, sizeof(random));
}

static FALLIBLE fault(struct err *err)
{
    return err_detail(err, ERR_IO, "fault");
}

/* From here on the source is of no use but to this move. */
static FALLIBLE mark_both(struct move *move, enum target target_is, struct err *err)
{
    CLEANUP(db_close) struct db *target = NULL;
    struct db_options options = {.path = move->to, .readers = 1};

    TRY(cli_marks_begin(move->source, move->to, move->id, err));
    if (FAULT_POINT("copy.marked"))
        return fault(err);
    TRY(db_migrate(move->to, err));
    if (FAULT_POINT("copy.schema"))
        return fault(err);
    if (target_is == TARGET_OURS) /* who copied before may still be ended there */
        return ERR_OK;
    TRY(db_open(&options, &target, err));
    return cli_marks_target(target, move->id, err);
}

/* ---- the rows --------------------------------------------------------------------------- */

static int64_t per_second(int64_t rows, int64_t us)
{
    return us > 0 ? (int64_t)((double)rows * 1e6 / (double)us) : rows;
}

static void show_progress(void *ctx, const struct db_copy_progress *progress)
{
    const struct move *move = ctx;
    int64_t rate = per_second(progress->rows, progress->us);

    switch (progress->step) {
    case DB_COPY_ROWS:
        if (progress->rows > 0)
            cli_say(move->ctx, "%s: %" PRId64 " rows%s, %" PRId64 " rows/s", progress->table,
                    progress->rows, progress->done ? "" : " so far", rate);
        break;
    case DB_COPY_INDEXES:
        cli_say(move->ctx, "indexes and references: %" PRId64 " ms", progress->us / 1000);
        break;
    case DB_COPY_CHECK:
        if (progress->us >= TOLD_US)
            cli_say(move->ctx, "%s: %" PRId64 " rows are the same, %" PRId64 " rows/s",
                    progress->table, progress->rows, rate);
        break;
    }
}

static void show_mended(void *ctx, const char *row, const char *column)
{
    struct move *move = ctx;

    if (++move->mended <= MENDED_SHOWN)
        cli_say(move->ctx, "%s of the row %s was no text: \"?\" stands for what cannot be kept",
                column, row);
}

static FALLIBLE copy_rows(struct move *move, struct err *err)
{
    const struct db_copy_plan plan = {.from = move->from,
                                      .to = move->to,
                                      .without = left_out,
                                      .without_count = COUNT_OF(left_out),
                                      .guard = cli_marks_expect,
                                      .guard_ctx = move->id};
    const struct db_copy_watch watch = {
        .ctx = move, .progress = show_progress, .mended = show_mended};

    TRY(db_copy(&plan, &watch, &move->copied, err));
    cli_say(move->ctx, "copied %" PRId64 " rows in %" PRId64 " ms, read back in %" PRId64 " ms",
            move->copied.rows, move->copied.copy_us / 1000, move->copied.check_us / 1000);
    return ERR_OK;
}

/* Every chain must hold there too; only then the source is given up, and then the target
 * is released. */
static FALLIBLE release(struct move *move, struct err *err)
{
    CLEANUP(db_close) struct db *target = NULL;
    struct db_options options = {.path = move->to, .readers = 1};

    TRY(db_open(&options, &target, err));
    TRY(ledger_verify(target, &move->ledger, err));
    TRY(audit_verify(target, &move->audited, err));
    cli_say(move->ctx, "%" PRId64 " ledger entries and %" PRId64 " audit entries verified",
            move->ledger.entries, move->audited);
    if (FAULT_POINT("copy.verified"))
        return fault(err);
    TRY(cli_marks_end(move->source, err));
    str_copy_cut(move->marks.moved_to, sizeof(move->marks.moved_to), str_from(move->to));
    if (FAULT_POINT("copy.moved"))
        return fault(err);
    return cli_marks_complete(target, move->id, &move->marks, err);
}

/* ---- what is left to do ----------------------------------------------------------------- */

static bool are_keys(const struct move *move, const char *dir)
{
    CLEANUP(crypto_keys_wipe) struct crypto_keys keys = {0};
    char fingerprint[65];
    struct err err;

    if (crypto_keys_load(dir, &keys, &err) != ERR_OK)
        return false;
    crypto_keys_fingerprint(&keys, fingerprint);
    for (const struct cli_fact *fact = move->marks.facts; fact != NULL; fact = fact->next) {
        if (strcmp(fact->name, "keys") == 0)
            return strcmp(fact->value, fingerprint) == 0;
    }
    return false;
}

static void find_keys(struct move *move)
{
    char beside[PATH_SIZE + 8];

    (void)snprintf(beside, sizeof(beside), "%s/keys", move->home);
    if (are_keys(move, move->ctx->keys_dir))
        str_copy_cut(move->keys, sizeof(move->keys), str_from(move->ctx->keys_dir));
    else if (are_keys(move, beside))
        str_copy_cut(move->keys, sizeof(move->keys), str_from(beside));
}

/* As a shell reads it. */
static void put_word(struct buf *line, const char *word)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-_./:@%+=,";

    if (strspn(word, plain) == strlen(word)) {
        buf_puts(line, word);
        return;
    }
    buf_puts(line, "'");
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            buf_puts(line, "'\\''");
        else
            buf_put(line, word, 1);
    }
    buf_puts(line, "'");
}

static FALLIBLE put_report(const struct move *move, struct err *err)
{
    CLEANUP(buf_fini) struct buf line = {0};
    struct json_out *out = move->ctx->out;
    const char *keys = move->keys[0] != '\0' ? move->keys : "DIR";

    buf_init(&line, 4 * PATH_SIZE);
    buf_puts(&line, "arkgate serve --data ");
    put_word(&line, move->ctx->data_dir);
    buf_puts(&line, " --keys ");
    put_word(&line, keys);
    buf_puts(&line, " --database ");
    put_word(&line, move->to);
    TRY(buf_check(&line, err));
    json_open_object(out, NULL);
    json_put_text(out, "from", str_from(move->from));
    json_put_text(out, "to", str_from(move->to));
    json_put_int(out, "schema", db_schema_version());
    json_put_int(out, "tables", move->copied.tables);
    json_put_int(out, "rows", move->copied.rows);
    json_put_int(out, "mended", move->copied.mended);
    json_put_int(out, "ledger_entries", move->ledger.entries);
    json_put_int(out, "audit_entries", move->audited);
    if (move->keys[0] != '\0')
        json_put_text(out, "keys", str_from(move->keys));
    else
        json_put_null(out, "keys");
    json_put_text(out, "serve", buf_str(&line));
    json_close_object(out);
    if (move->keys[0] != '\0')
        cli_say(
            move->ctx,
            "The key files are not in the database: carry %s/master.key and %s/pepper.key to"
            " every machine that serves it, and name their folder by --keys.",
            keys, keys);
    else
        cli_say(move->ctx,
                "The key files are not in the database, and were not found: carry the"
                " master.key and pepper.key that it was made with to every machine that"
                " serves it, and name their folder by --keys.");
    cli_say(move->ctx, "next: %s", line.ptr);
    return ERR_OK;
}

static FALLIBLE run_move(struct cli_ctx *ctx, const char *from, const char *to, struct err *err)
{
    CLEANUP(move_fini) struct move move = {.ctx = ctx, .from = from, .to = to, .lock = -1};
    enum target target;

    if (!db_is_server(to))
        return err_set(err, ERR_USAGE, "--to must be postgresql://USER@HOST:PORT/NAME");
    if (strlen(to) >= CLI_URL_SIZE)
        return err_set(err, ERR_USAGE, "--to is too long");
    TRY(open_source(&move, true, err));
    TRY(look_at_target(&move, &target, err));
    TRY(judge(&move, target, err));
    choose_id(&move, target);
    find_keys(&move);
    enum err_code code = mark_both(&move, target, err);

    if (code == ERR_OK)
        code = copy_rows(&move, err);
    if (code == ERR_OK)
        code = release(&move, err);
    if (code == ERR_OK)
        return put_report(&move, err);
    cli_say(ctx, "The move is not finished: give the same command again%s.",
            move.marks.moved_to[0] == '\0' ? ", or --abandon instead of --to" : "");
    return code;
}

static FALLIBLE run_abandon(struct cli_ctx *ctx, const char *from, struct err *err)
{
    CLEANUP(move_fini) struct move move = {.ctx = ctx, .from = from, .lock = -1};

    TRY(open_source(&move, false, err));
    TRY(cli_marks_abandon(move.source, &move.marks, err));
    json_open_object(ctx->out, NULL);
    json_put_text(ctx->out, "database", str_from(move.from));
    json_put_text(ctx->out, "abandoned", str_from(move.marks.moving_to));
    json_close_object(ctx->out);
    return ERR_OK;
}

static FALLIBLE run(struct cli_ctx *ctx, struct err *err)
{
    const char *from = cli_value(ctx, "from"), *to = cli_value(ctx, "to");
    bool abandon = cli_flag(ctx, "abandon");

    if (from == NULL && to == NULL && !abandon)
        return run_schema(ctx, err);
    if (from != NULL && to != NULL && !abandon)
        return run_move(ctx, from, to, err);
    if (from != NULL && to == NULL && abandon)
        return run_abandon(ctx, from, err);
    return err_set(err, ERR_USAGE,
                   "migrate takes --from with --to, --from with --abandon, or neither");
}

static const struct cli_option options[] = {
    {"from", CLI_TEXT, "sqlite:PATH", "move the installation in this file"},
    {"to", CLI_TEXT, "URL", "into this empty database of a server: postgresql://…"},
    {"abandon", CLI_FLAG, "", "use the file of --from again: the move was not finished"},
};

const struct command cmd_migrate[] = {
    {"migrate", CLI_ALONE, 0, 0, "",
     "Brings the database to this version, or moves an installation to a server.", options,
     COUNT_OF(options), run},
    {.name = NULL},
};
