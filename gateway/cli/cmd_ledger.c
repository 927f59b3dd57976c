/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger as an auditor sees it: entries, the proof that they add up, and the file
 * that proves it elsewhere. */
#include "gateway/cli/cli.h"

#include "billing/billing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct entries {
    struct str tenant;
    int64_t after;
    int limit; /* one more than is shown, to know whether there is more */
    struct ledger_entry *items;
    int count;
};

static FALLIBLE keep_entry(const struct ledger_entry *entry, void *ctx, struct err *err)
{
    struct entries *entries = ctx;

    (void)err;
    ASSERT(entries->count < entries->limit);
    entries->items[entries->count++] = *entry;
    return ERR_OK;
}

static FALLIBLE read_entries(struct db_conn *conn, void *ctx, struct err *err)
{
    struct entries *entries = ctx;
    struct scope scope = {0};
    struct tenant tenant;

    entries->count = 0;
    TRY(tenant_find(conn, entries->tenant, &tenant, err));
    scope.tenant_id = tenant.id;
    return ledger_each(conn, &scope, entries->after, entries->limit, keep_entry, entries, err);
}

static void put_filled(struct json_out *out, const char *name, const char *text)
{
    if (text[0] == '\0')
        json_put_null(out, name);
    else
        json_put_text(out, name, str_from(text));
}

static void put_counted(struct json_out *out, const char *name, bool present, int64_t value)
{
    if (present)
        json_put_int(out, name, value);
    else
        json_put_null(out, name);
}

static void put_amount(struct json_out *out, const char *name, bool present, int64_t nano)
{
    char text[MONEY_TEXT_MAX] = "";

    if (present)
        money_text((struct money){nano}, text);
    put_filled(out, name, text);
}

static void put_entry(struct json_out *out, const struct ledger_entry *entry)
{
    char time[32], hash[2 * CRYPTO_HASH_BYTES + 1], evidence[2 * CRYPTO_HASH_BYTES + 1] = "";
    bool priced = entry->unit[0] != '\0';

    cli_time_text(entry->time_us, time);
    str_hex(hash, entry->hash, sizeof(entry->hash));
    if (entry->has_evidence)
        str_hex(evidence, entry->evidence, sizeof(entry->evidence));
    json_open_object(out, NULL);
    json_put_int(out, "seq", entry->seq);
    json_put_text(out, "time", str_from(time));
    json_put_text(out, "kind", str_from(ledger_kind_name(entry->kind)));
    put_filled(out, "task", entry->task);
    json_put_text(out, "debit", str_from(entry->debit));
    json_put_text(out, "credit", str_from(entry->credit));
    put_amount(out, "amount", true, entry->amount_nano);
    json_put_text(out, "currency", str_from(entry->currency));
    put_counted(out, "hold_seq", entry->hold_seq != 0, entry->hold_seq);
    put_filled(out, "book", entry->book);
    put_counted(out, "book_version", entry->book_version != 0, entry->book_version);
    put_filled(out, "sku", entry->sku);
    put_filled(out, "unit", entry->unit);
    put_amount(out, "unit_price", priced, entry->unit_price_nano);
    put_counted(out, "quantity", priced, entry->quantity);
    put_filled(out, "actor", entry->actor);
    put_filled(out, "reason", entry->reason);
    put_filled(out, "ref", entry->ref);
    put_filled(out, "evidence", evidence);
    json_put_text(out, "hash", str_from(hash));
    json_close_object(out);
}

static FALLIBLE run_list(struct cli_ctx *ctx, struct err *err)
{
    struct entries entries = {.tenant = str_from(ctx->line->args[0])};
    const char *after = cli_value(ctx, "after");
    int limit;

    TRY(cli_limit(ctx, &limit, err));
    if (after != NULL && (!str_to_i64(str_from(after), &entries.after) || entries.after < 0))
        return err_set(err, ERR_USAGE, "--after must be the number of an entry");
    entries.limit = limit + 1;
    entries.items = arena_alloc(ctx->arena, (size_t)entries.limit * sizeof(*entries.items));
    if (entries.items == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for a page of entries");
    TRY(db_read(ctx->db, read_entries, &entries, err));

    int shown = entries.count < limit ? entries.count : limit;

    json_open_object(ctx->out, NULL);
    json_open_array(ctx->out, "items");
    for (int i = 0; i < shown; i++)
        put_entry(ctx->out, &entries.items[i]);
    json_close_array(ctx->out);
    put_counted(ctx->out, "next", entries.count > limit,
                shown > 0 ? entries.items[shown - 1].seq : 0);
    json_close_object(ctx->out);
    return ERR_OK;
}

static void put_report(struct cli_ctx *ctx, const struct ledger_report *report)
{
    json_open_object(ctx->out, NULL);
    json_put_int(ctx->out, "tenants", report->tenants);
    json_put_int(ctx->out, "entries", report->entries);
    json_put_bool(ctx->out, "ok", true);
    json_close_object(ctx->out);
}

static FALLIBLE run_verify(struct cli_ctx *ctx, struct err *err)
{
    struct ledger_report report;

    TRY(ledger_verify(ctx->db, &report, err));
    put_report(ctx, &report);
    return ERR_OK;
}

static FALLIBLE run_verify_export(struct cli_ctx *ctx, struct err *err)
{
    struct ledger_report report;

    TRY(ledger_verify_export(ctx->line->args[0], &report, err));
    put_report(ctx, &report);
    return ERR_OK;
}

static FALLIBLE finish_file(int fd, const char *path, int64_t *ret_bytes, struct err *err)
{
    struct stat stat;

    if (fsync(fd) != 0 || fstat(fd, &stat) != 0)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    *ret_bytes = (int64_t)stat.st_size;
    return ERR_OK;
}

/* A new file of its owner alone; none is left behind by a failure. */
static FALLIBLE export_file(struct cli_ctx *ctx, struct str tenant, const char *path,
                            int64_t *ret_bytes, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_CONFLICT, "%s exists already", path);
    if (fd < 0)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    enum err_code rc = ledger_export(ctx->db, tenant, fd, err);

    if (rc == ERR_OK)
        rc = finish_file(fd, path, ret_bytes, err);
    if (close(fd) != 0 && rc == ERR_OK)
        rc = err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    if (rc != ERR_OK)
        (void)unlink(path);
    return rc;
}

static FALLIBLE run_export(struct cli_ctx *ctx, struct err *err)
{
    struct str tenant = str_from(cli_value(ctx, "tenant"));
    const char *path = cli_value(ctx, "out");
    int64_t bytes = 0;

    /* "" would mean every tenant, which a script with an unset variable never meant. */
    if (cli_value(ctx, "tenant") != NULL && tenant.len == 0)
        return err_set(err, ERR_USAGE, "--tenant needs a name");
    if (path == NULL)
        return ledger_export(ctx->db, tenant, STDOUT_FILENO, err);
    TRY(export_file(ctx, tenant, path, &bytes, err));
    json_open_object(ctx->out, NULL);
    json_put_text(ctx->out, "file", str_from(path));
    json_put_int(ctx->out, "bytes", bytes);
    json_put_bool(ctx->out, "ok", true);
    json_close_object(ctx->out);
    return ERR_OK;
}

static const struct cli_option list_options[] = {
    {"after", CLI_TEXT, "SEQ", "entries behind this one"},
    {"limit", CLI_TEXT, "N", "at most N entries, 1 to 1000 (50)"},
};
static const struct cli_option export_options[] = {
    {"tenant", CLI_TEXT, "NAME", "this tenant alone (all)"},
    {"out", CLI_TEXT, "FILE", "a new file instead of stdout"},
};

const struct command cmd_ledger[] = {
    {"ledger list", CLI_READ, 1, 1, "TENANT", "Lists a tenant's entries, oldest first.",
     list_options, COUNT_OF(list_options), run_list},
    {"ledger verify", CLI_READ, 0, 0, "", "Checks every chain, sum and charge.", NULL, 0,
     run_verify},
    {"ledger verify-export", CLI_ALONE, 1, 1, "FILE",
     "Checks an exported file, with nothing else at hand.", NULL, 0, run_verify_export},
    {"ledger export", CLI_READ, 0, 0, "", "Writes the entries as JSON lines.", export_options,
     COUNT_OF(export_options), run_export},
    {.name = NULL},
};
