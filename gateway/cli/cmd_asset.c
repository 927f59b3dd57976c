/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate asset: what tenants keep in the library, what became of it and what used it; the
 * operator's way to tell of one in Ark's own library, and to take one away. */
#include "gateway/cli/cli.h"

#include "assetlib/purge.h"
#include "billing/billing.h"
#include "gateway/cli/cli_blobs.h"
#include "gateway/task/task.h"
#include "tenancy/tenancy.h"

#include <stdio.h>
#include <string.h>

enum {
    USES_MAX = 1000,    /* as long as the longest page of a list */
    TENANTS_STEP = 1000 /* in one look at all of them */
};

struct use {
    char task[TASK_ID_MAX + 1];
    int64_t time_us;
};
struct view {
    struct str id;
    struct asset_record record;
    struct tenant tenant; /* id 0: every one */
    char account[UPSTREAM_NAME_MAX + 1];
    struct use *uses;
    size_t use_count;
};

static enum err_code take_use(struct str task, int64_t time_us, void *ctx, struct err *err)
{
    struct view *view = ctx;
    struct use *use = &view->uses[view->use_count];

    if (!str_copy(use->task, sizeof(use->task), task))
        return err_detail(err, ERR_INTERNAL, "the id of a task is too long");
    use->time_us = time_us;
    view->use_count++;
    return ERR_OK;
}

/* The tenants that a look at all of them found. */
struct tenants {
    int64_t ids[TENANTS_STEP];
    int count;
};

static enum err_code take_tenant(const struct tenant *tenant, void *ctx, struct err *err)
{
    struct tenants *tenants = ctx;

    (void)err;
    tenants->ids[tenants->count++] = tenant->id;
    return ERR_OK;
}

static enum err_code load_uses_of(struct db_conn *conn, struct view *view, int64_t tenant_id,
                                  struct err *err)
{
    const struct scope scope = {.tenant_id = tenant_id};

    return asset_view_uses(conn, &scope, view->id, USES_MAX - (int)view->use_count, take_use,
                           view, err);
}

/* By each tenant in turn: nothing finds the uses of an asset alone. */
static enum err_code load_all_uses(struct db_conn *conn, struct view *view, struct err *err)
{
    struct tenants tenants = {0};
    int64_t after = 0;

    do {
        tenants.count = 0;
        TRY(tenant_each(conn, after, TENANTS_STEP, take_tenant, &tenants, err));
        for (int i = 0; i < tenants.count && view->use_count < USES_MAX; i++)
            TRY(load_uses_of(conn, view, tenants.ids[i], err));
        if (tenants.count > 0)
            after = tenants.ids[tenants.count - 1];
    } while (tenants.count == TENANTS_STEP && view->use_count < USES_MAX);
    return ERR_OK;
}

static enum err_code take_account(const struct upstream *upstream, void *ctx, struct err *err)
{
    struct view *view = ctx;

    (void)err;
    if (upstream->account.id == view->record.asset.account_id)
        (void)str_copy(view->account, sizeof(view->account), str_from(upstream->account.name));
    return ERR_OK;
}

static enum err_code load(struct db_conn *conn, void *ctx, struct err *err)
{
    struct view *view = ctx;

    view->use_count = 0;
    TRY(asset_view_find(conn, view->id, &view->record, err));
    if (view->record.asset.account_id != 0)
        TRY(upstream_each(conn, take_account, view, err));
    if (view->record.tenant_id == 0)
        return load_all_uses(conn, view, err);
    TRY(tenant_get(conn, view->record.tenant_id, &view->tenant, err));
    return load_uses_of(conn, view, view->record.tenant_id, err);
}

static void put_text_or_null(struct json_out *out, const char *name, const char *text)
{
    if (text[0] != '\0')
        json_put_text(out, name, str_from(text));
    else
        json_put_null(out, name);
}

static void put_time(struct json_out *out, const char *name, int64_t time_us)
{
    char when[32] = "";

    if (time_us != 0)
        cli_time_text(time_us, when);
    put_text_or_null(out, name, when);
}

static void put_hash(struct json_out *out, const char *name, bool has,
                     const uint8_t hash[CRYPTO_HASH_BYTES])
{
    char hex[2 * CRYPTO_HASH_BYTES + 1] = "";

    if (has)
        str_hex(hex, hash, CRYPTO_HASH_BYTES);
    put_text_or_null(out, name, hex);
}

/* A number of thousandths as a decimal; 0 is none. */
static void put_milli(struct json_out *out, const char *name, int64_t milli)
{
    if (milli != 0)
        cli_put_amount(out, name, milli * 1000000);
    else
        json_put_null(out, name);
}

static void put_head(struct json_out *out, const struct asset_record *record,
                     const char *tenant)
{
    const struct asset *asset = &record->asset;

    json_put_text(out, "id", str_from(asset->id));
    put_text_or_null(out, "tenant", tenant);
    put_text_or_null(out, "group", asset->group_id);
    json_put_text(out, "type", str_from(asset_type_name(asset->type)));
    json_put_text(
        out, "status",
        str_from(record->purged_us != 0 ? "Purged" : asset_status_name(asset->status)));
    put_text_or_null(out, "format", asset->format);
    json_put_int(out, "bytes", asset->bytes);
    put_time(out, "created_at", asset->created_us);
}

static void put_facts(struct json_out *out, const struct asset *asset)
{
    char size[48] = "";

    if (asset->width != 0)
        (void)snprintf(size, sizeof(size), "%lldx%lld", (long long)asset->width,
                       (long long)asset->height);
    put_text_or_null(out, "codec", asset->codec);
    put_text_or_null(out, "size", size);
    put_milli(out, "fps", asset->fps_milli);
    put_milli(out, "seconds", asset->duration_ms);
    if (asset->channels != 0)
        json_put_int(out, "channels", asset->channels);
    else
        json_put_null(out, "channels");
    put_hash(out, "sha256", asset->has_hash, asset->hash);
    put_hash(out, "thumbnail", asset->has_thumbnail, asset->thumbnail);
}

static void put_view(struct cli_ctx *ctx, const struct view *view)
{
    const struct asset *asset = &view->record.asset;
    struct json_out *out = ctx->out;

    json_open_object(out, NULL);
    put_head(out, &view->record, view->tenant.name);
    put_time(out, "updated_at", asset->updated_us);
    put_time(out, "purged_at", view->record.purged_us);
    json_put_text(out, "name", str_from(asset->name));
    json_put_text(out, "project", str_from(asset->project));
    put_text_or_null(out, "token", asset->identity);
    put_text_or_null(out, "account", view->account);
    put_text_or_null(out, "error_code", asset->error_code);
    put_text_or_null(out, "error_message", asset->error_message);
    put_facts(out, asset);
    json_open_array(out, "tasks");
    for (size_t i = 0; i < view->use_count; i++) {
        json_open_object(out, NULL);
        json_put_text(out, "task", str_from(view->uses[i].task));
        put_time(out, "time", view->uses[i].time_us);
        json_close_object(out);
    }
    json_close_array(out);
    json_put_bool(out, "more_tasks", view->use_count == USES_MAX);
    json_close_object(out);
}

static enum err_code show(struct cli_ctx *ctx, struct str id, struct err *err)
{
    struct view view = {.id = {arena_dup_lower(ctx->arena, id), id.len}};

    view.uses = arena_alloc(ctx->arena, USES_MAX * sizeof(*view.uses));
    if (view.id.ptr == NULL || view.uses == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    TRY(db_read(ctx->db, load, &view, err));
    put_view(ctx, &view);
    return ERR_OK;
}

static enum err_code run_show(struct cli_ctx *ctx, struct err *err)
{
    return show(ctx, str_from(ctx->line->args[0]), err);
}

/* ---- list --------------------------------------------------------------------------- */

struct listing {
    struct asset_record_filter filter;
    bool registered;
    const char *tenant;
    struct asset_record *records;
    char (*names)[TENANT_NAME_MAX + 1];
    size_t count;
};

static enum err_code take_record(const struct asset_record *record, void *ctx, struct err *err)
{
    struct listing *listing = ctx;

    (void)err;
    listing->records[listing->count++] = *record;
    return ERR_OK;
}

/* What the options name. */
static enum err_code resolve(struct db_conn *conn, struct listing *listing, struct err *err)
{
    struct asset_record_filter *filter = &listing->filter;
    struct asset_record before;
    struct tenant tenant;

    if (filter->group.len > 0)
        TRY(asset_view_group(conn, filter->group, &filter->tenant_id, err));
    if (listing->tenant != NULL) {
        TRY(tenant_find(conn, str_from(listing->tenant), &tenant, err));
        if (filter->group.len > 0 && filter->tenant_id != tenant.id)
            return err_set(err, ERR_NOT_FOUND, "the asset group is another tenant's");
        filter->tenant_id = tenant.id;
    }
    if (filter->before.len > 0) {
        TRY(asset_view_find(conn, filter->before, &before, err));
        filter->before_us = before.asset.created_us;
    }
    return ERR_OK;
}

static enum err_code list(struct db_conn *conn, void *ctx, struct err *err)
{
    struct listing *listing = ctx;
    struct tenant tenant;

    listing->count = 0;
    TRY(resolve(conn, listing, err));
    TRY((listing->registered ? registered_list : asset_view_list)(conn, &listing->filter,
                                                                  take_record, listing, err));
    for (size_t i = 0; i < listing->count; i++) {
        tenant.name[0] = '\0';
        if (listing->records[i].tenant_id != 0)
            TRY(tenant_get(conn, listing->records[i].tenant_id, &tenant, err));
        (void)str_copy(listing->names[i], sizeof(listing->names[i]), str_from(tenant.name));
    }
    return ERR_OK;
}

static void put_listing(struct cli_ctx *ctx, const struct listing *listing)
{
    json_open_object(ctx->out, NULL);
    json_open_array(ctx->out, "items");
    for (size_t i = 0; i < listing->count; i++) {
        json_open_object(ctx->out, NULL);
        put_head(ctx->out, &listing->records[i], listing->names[i]);
        json_close_object(ctx->out);
    }
    json_close_array(ctx->out);
    if (listing->count == (size_t)listing->filter.limit)
        json_put_text(ctx->out, "next",
                      str_from(listing->records[listing->count - 1].asset.id));
    else
        json_put_null(ctx->out, "next");
    json_close_object(ctx->out);
}

static enum err_code run_list(struct cli_ctx *ctx, struct err *err)
{
    struct listing listing = {.tenant = cli_value(ctx, "tenant"),
                              .registered = cli_flag(ctx, "registered"),
                              .filter = {.group = str_from(cli_value(ctx, "group")),
                                         .status = str_from(cli_value(ctx, "status")),
                                         .before = str_from(cli_value(ctx, "after"))}};
    enum asset_status ignored;
    size_t limit;

    TRY(cli_limit(ctx, &listing.filter.limit, err));
    limit = (size_t)listing.filter.limit;
    if (listing.filter.status.len > 0 && !str_is(listing.filter.status, "Purged") &&
        !asset_status_parse(listing.filter.status, &ignored))
        return err_set(err, ERR_USAGE, "--status must be Processing, Active, Failed or Purged");
    if (listing.registered && listing.filter.group.len > 0)
        return err_set(err, ERR_USAGE, "registered assets are in no group");
    listing.records = arena_alloc(ctx->arena, limit * sizeof(*listing.records));
    listing.names = arena_alloc(ctx->arena, limit * sizeof(*listing.names));
    if (listing.records == NULL || listing.names == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    TRY(db_read(ctx->db, list, &listing, err));
    put_listing(ctx, &listing);
    return ERR_OK;
}

/* ---- register ----------------------------------------------------------------------- */

/* "7.5" as 7500; false for what is no number of milliseconds. */
static bool read_seconds(const char *text, int64_t *ret_ms)
{
    struct money amount = {0};

    if (text == NULL)
        return true;
    if (!money_parse(str_from(text), &amount) || amount.nano % 1000000 != 0)
        return false;
    *ret_ms = amount.nano / 1000000;
    return true;
}

static enum err_code run_register(struct cli_ctx *ctx, struct err *err)
{
    const char *type = cli_value(ctx, "type"), *upstream = cli_value(ctx, "upstream");
    struct str id = str_from(cli_value(ctx, "id"));
    struct asset_registration told = {.upstream = str_from(upstream),
                                      .tenant = str_from(cli_value(ctx, "tenant")),
                                      .name = str_from(cli_value(ctx, "name")),
                                      .actor = ctx->actor,
                                      .now_us = ctx->now_us};
    struct asset_record record;

    if (upstream == NULL || id.len == 0)
        return err_set(err, ERR_USAGE, "--upstream and --id are required");
    if (type != NULL && !asset_type_parse(str_from(type), &told.type))
        return err_set(err, ERR_USAGE, "--type must be Image, Video or Audio");
    if (!read_seconds(cli_value(ctx, "seconds"), &told.duration_ms))
        return err_set(err, ERR_USAGE, "--seconds must be a number like 7.5");
    told.id = (struct str){arena_dup_lower(ctx->arena, id), id.len};
    if (told.id.ptr == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    TRY(registered_add(ctx->db, &told, &record, err));
    return show(ctx, told.id, err);
}

/* ---- purge -------------------------------------------------------------------------- */

/* The record is made; bytes that cannot be removed here and now are the sweep's. */
static void remove_bytes(struct cli_ctx *ctx, const struct asset_record *record)
{
    CLEANUP(blob_close_store) struct blob_store *store = NULL;
    struct err err = {0};
    enum err_code rc = cli_blobs_check(ctx->db, ctx->data_dir, &err);

    if (rc == ERR_OK)
        rc = blob_disk_open(ctx->data_dir, &store, &err);
    if (rc == ERR_OK)
        rc = purge_bytes(ctx->db, store, record, PURGE_AGE_US, &err);
    if (rc != ERR_OK)
        LOG(LOG_WARN, "purged_bytes_left", LOG_TEXT("asset", record->asset.id),
            LOG_TEXT("error", err.msg), LOG_TEXT("detail", err.detail));
}

static enum err_code run_purge(struct cli_ctx *ctx, struct err *err)
{
    const struct purge_request request = {.id = str_from(ctx->line->args[0]),
                                          .reason = str_from(cli_value(ctx, "reason")),
                                          .actor = ctx->actor,
                                          .now_us = ctx->now_us};
    struct asset_record record;

    if (request.reason.len == 0)
        return err_set(err, ERR_USAGE, "--reason is required: it goes to the audit log");
    TRY(purge_asset(ctx->db, &request, &record, err));
    if (record.asset.account_id == 0)
        remove_bytes(ctx, &record);
    return run_show(ctx, err);
}

static const struct cli_option list_options[] = {
    {"tenant", CLI_TEXT, "NAME", "only of this tenant"},
    {"group", CLI_TEXT, "ID", "only of this group"},
    {"status", CLI_TEXT, "STATUS", "Processing, Active, Failed or Purged"},
    {"registered", CLI_FLAG, NULL, "those of Ark's own library, by their ids"},
    {"after", CLI_TEXT, "ID", "continue behind this asset"},
    {"limit", CLI_TEXT, "N", "at most so many (50)"},
};
static const struct cli_option register_options[] = {
    {"upstream", CLI_TEXT, "NAME", "an upstream of the account that has it; required"},
    {"id", CLI_TEXT, "ID", "Ark's id of it; required"},
    {"tenant", CLI_TEXT, "NAME", "whose tasks may name it (every tenant's)"},
    {"type", CLI_TEXT, "TYPE", "Image, Video or Audio (Image)"},
    {"name", CLI_TEXT, "TEXT", "for who reads lists"},
    {"seconds", CLI_TEXT, "N", "its length: of a video, it makes holds smaller"},
};
static const struct cli_option purge_options[] = {
    {"reason", CLI_TEXT, "TEXT", "for the audit log; required"},
};

const struct command cmd_asset[] = {
    {"asset list", CLI_READ, 0, 0, "", "List assets, newest first.", list_options,
     COUNT_OF(list_options), run_list},
    {"asset show", CLI_READ, 1, 1, "ID",
     "Show an asset, what is known of its file and which tasks used it.", NULL, 0, run_show},
    {"asset register", CLI_WRITE, 0, 0, "",
     "Let tasks name an asset that lives in Ark's own library.", register_options,
     COUNT_OF(register_options), run_register},
    {"asset purge", CLI_WRITE, 1, 1, "ID",
     "Take an asset away from its tenant for good; a record stays.", purge_options,
     COUNT_OF(purge_options), run_purge},
    {.name = NULL},
};
