/* SPDX-License-Identifier: Apache-2.0 */
/* What operators changed, and the proof that the record of it is whole. */
#include "gateway/cli/cli.h"

#include "tenancy/tenancy.h"

struct entries {
    struct arena *arena;
    int64_t after;
    int limit; /* one more than is shown, to know whether there is more */
    struct audit_entry *items;
    int count;
};

static FALLIBLE keep_entry(const struct audit_entry *entry, void *ctx, struct err *err)
{
    struct entries *entries = ctx;
    const char *detail = arena_dup(entries->arena, entry->detail);

    if (detail == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for a page of entries");
    ASSERT(entries->count < entries->limit);
    entries->items[entries->count] = *entry;
    entries->items[entries->count++].detail = (struct str){detail, entry->detail.len};
    return ERR_OK;
}

static FALLIBLE read_entries(struct db_conn *conn, void *ctx, struct err *err)
{
    struct entries *entries = ctx;

    entries->count = 0;
    return audit_each(conn, entries->after, entries->limit, keep_entry, entries, err);
}

/* A detail that was tampered with must not break the document: "audit verify" is
 * there to find it, "audit list" to show it. */
static void put_detail(struct json_out *out, struct str detail)
{
    struct err ignored;

    if (json_gate(detail, &ignored) == ERR_OK)
        json_put_raw(out, "detail", detail);
    else
        json_put_text(out, "detail", detail);
}

static void put_entry(struct json_out *out, const struct audit_entry *entry)
{
    char time[32], hash[2 * CRYPTO_HASH_BYTES + 1];

    cli_time_text(entry->time_us, time);
    str_hex(hash, entry->hash, sizeof(entry->hash));
    json_open_object(out, NULL);
    json_put_int(out, "seq", entry->seq);
    json_put_text(out, "time", str_from(time));
    json_put_text(out, "actor", str_from(entry->actor));
    json_put_text(out, "action", str_from(entry->action));
    json_put_text(out, "target", str_from(entry->target));
    put_detail(out, entry->detail);
    json_put_text(out, "hash", str_from(hash));
    json_close_object(out);
}

static FALLIBLE run_list(struct cli_ctx *ctx, struct err *err)
{
    struct entries entries = {.arena = ctx->arena};
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
    if (entries.count > limit)
        json_put_int(ctx->out, "next", entries.items[shown - 1].seq);
    else
        json_put_null(ctx->out, "next");
    json_close_object(ctx->out);
    return ERR_OK;
}

static FALLIBLE run_verify(struct cli_ctx *ctx, struct err *err)
{
    int64_t entries;

    TRY(audit_verify(ctx->db, &entries, err));
    json_open_object(ctx->out, NULL);
    json_put_int(ctx->out, "entries", entries);
    json_put_bool(ctx->out, "ok", true);
    json_close_object(ctx->out);
    return ERR_OK;
}

static const struct cli_option list_options[] = {
    {"after", CLI_TEXT, "SEQ", "entries behind this one"},
    {"limit", CLI_TEXT, "N", "at most N entries, 1 to 1000 (50)"},
};

const struct command cmd_audit[] = {
    {"audit list", CLI_READ, 0, 0, "", "Lists what operators changed, oldest first.",
     list_options, COUNT_OF(list_options), run_list},
    {"audit verify", CLI_READ, 0, 0, "", "Checks the chain of the audit log.", NULL, 0,
     run_verify},
    {.name = NULL},
};
