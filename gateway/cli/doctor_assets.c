/* SPDX-License-Identifier: Apache-2.0 */
/* doctor on the asset library: the stored files, whether every asset has its own, whether new
 * ones are fetched and could be looked at. serve's settings are read where serve reads them,
 * but for those on its line. */
#include "gateway/cli/doctor_parts.h"

#include "assetlib/assetlib.h"
#include "assetlib/blob.h"
#include "assetlib/media.h"
#include "gateway/cli/cli_blobs.h"
#include "gateway/cli/serve_assets.h"
#include "gateway/cli/serve_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    HASH_MAX = 1 << 30, /* bytes of blobs, unless all are asked for: seconds */
    SHOWN_MAX = 20,     /* damaged or missing ones, by name; a broken disk has thousands */
    OWNERS_MAX = 3,     /* of one blob, likewise */
    PAGE = 500          /* assets in one snapshot of the database: milliseconds */
};
/* No download takes that long, with all its tries. */
#define LATE_US (INT64_C(3600) * 1000000)

struct library {
    struct checks *checks;
    struct db *db; /* NULL: it cannot be read */
    struct blob_store *store;
    bool has_assets;
    int64_t hash_max; /* bytes */
    int64_t count, bytes, hashed_bytes, damaged;
    int64_t assets, missing;
};

/* ---- the files ---------------------------------------------------------------------- */

struct owners {
    const struct blob_id *id;
    struct buf *text;
};

static enum err_code name_owner(const struct asset_record *record, void *ctx, struct err *err)
{
    (void)err;
    buf_printf(ctx, ", which %s has", record->asset.id);
    return ERR_OK;
}

static enum err_code name_owners(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct owners *owners = ctx;
    const struct scope scope = {.tenant_id = owners->id->tenant_id};

    buf_reset(owners->text);
    return asset_view_of_bytes(conn, &scope, owners->id->sha256, OWNERS_MAX, name_owner,
                               owners->text, err);
}

static void add_damaged(struct library *library, const struct blob_id *id,
                        const struct err *damage)
{
    CLEANUP(buf_fini) struct buf text = {0};
    struct owners owners = {id, &text};
    struct err err = {0};

    buf_init(&text, 1024);
    if (library->db != NULL && db_read_one(library->db, name_owners, &owners, &err) != ERR_OK)
        doctor_report_err(library->checks, "blob", &err);
    doctor_report_add(library->checks, "blob", STATUS_FAIL, "%s%s%s%s", damage->msg,
                      damage->detail[0] == '\0' ? "" : ": ", damage->detail,
                      text.len > 0 ? text.ptr : "");
}

static FALLIBLE look_at_blob(const struct blob_entry *entry, void *ctx, struct err *err)
{
    struct library *library = ctx;
    enum err_code rc;

    library->count++;
    library->bytes += entry->size;
    if (entry->size > library->hash_max - library->hashed_bytes)
        return ERR_OK;
    library->hashed_bytes += entry->size;
    rc = blob_check(library->store, &entry->id, err);
    /* one that is gone by now was removed by the gateway */
    if (rc != ERR_OK && rc != ERR_NOT_FOUND && ++library->damaged <= SHOWN_MAX)
        add_damaged(library, &entry->id, err);
    return ERR_OK;
}

static void check_blobs(struct library *library)
{
    struct checks *checks = library->checks;
    struct err err = {0};

    if (blob_each(library->store, look_at_blob, library, &err) != ERR_OK)
        doctor_report_err(checks, "blobs", &err);
    else if (library->damaged > 0)
        doctor_report_add(checks, "blobs", STATUS_FAIL,
                          "%" PRId64 " of %" PRId64 " are damaged", library->damaged,
                          library->count);
    else if (library->count == 0)
        doctor_report_add(checks, "blobs", STATUS_OK, "there is none");
    else
        doctor_report_add(checks, "blobs", STATUS_OK,
                          "%" PRId64 " of %" PRId64 " MiB; %" PRId64 " MiB were hashed again%s",
                          library->count, library->bytes >> 20, library->hashed_bytes >> 20,
                          library->hashed_bytes < library->bytes ? ", --blobs does all" : "");
}

/* ---- the assets --------------------------------------------------------------------- */

struct page {
    char after[ASSET_ID_MAX + 1];
    struct asset_record *records;
    int count;
};

static enum err_code keep_record(const struct asset_record *record, void *ctx, struct err *err)
{
    struct page *page = ctx;

    (void)err;
    page->records[page->count++] = *record;
    return ERR_OK;
}

static enum err_code read_page(struct db_conn *conn, void *ctx, struct err *err)
{
    struct page *page = ctx;

    page->count = 0;
    return asset_view_active(conn, str_from(page->after), PAGE, keep_record, page, err);
}

/* False when there is no such file; *ret_bytes is its size. */
static bool find_file(const struct library *library, int64_t tenant_id,
                      const uint8_t hash[CRYPTO_HASH_BYTES], int64_t *ret_bytes)
{
    CLEANUP(blob_close) struct blob_reader *reader = NULL;
    struct blob_id id = {.tenant_id = tenant_id};
    struct err err = {0};

    memcpy(id.sha256, hash, sizeof(id.sha256));
    if (blob_open(library->store, &id, &reader, &err) != ERR_OK)
        return false;
    *ret_bytes = blob_size(reader);
    return true;
}

/* What is wrong with its files; NULL: nothing. */
static const char *fault_of(const struct library *library, const struct asset_record *record)
{
    const struct asset *asset = &record->asset;
    int64_t bytes;

    if (!asset->has_hash || !find_file(library, record->tenant_id, asset->hash, &bytes))
        return "its file is missing";
    if (bytes != asset->bytes)
        return "its file has another size";
    if (asset->has_thumbnail &&
        !find_file(library, record->tenant_id, asset->thumbnail, &bytes))
        return "its picture is missing";
    return NULL;
}

/* A purge between the look at the row and that at the file is no fault. */
static enum err_code is_still_there(struct db_conn *conn, void *ctx, struct err *err)
{
    struct asset_record *record = ctx;
    char id[ASSET_ID_MAX + 1];

    memcpy(id, record->asset.id, sizeof(id));
    return asset_view_find(conn, str_from(id), record, err);
}

static enum err_code look_at_asset(struct library *library, struct asset_record *record,
                                   struct err *err)
{
    const char *fault = fault_of(library, record);

    library->assets++;
    if (fault == NULL)
        return ERR_OK;
    TRY(db_read_one(library->db, is_still_there, record, err));
    if (record->purged_us == 0 && ++library->missing <= SHOWN_MAX)
        doctor_report_add(library->checks, "asset", STATUS_FAIL, "%s of tenant %" PRId64 ": %s",
                          record->asset.id, record->tenant_id, fault);
    return ERR_OK;
}

static enum err_code walk_assets(struct library *library, struct err *err)
{
    struct page page = {
        .records = arena_alloc(library->checks->arena, PAGE * sizeof(struct asset_record))};

    if (page.records == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for a page of assets");
    do {
        TRY(db_read_one(library->db, read_page, &page, err));
        if (page.count > 0)
            memcpy(page.after, page.records[page.count - 1].asset.id, sizeof(page.after));
        for (int i = 0; i < page.count; i++)
            TRY(look_at_asset(library, &page.records[i], err));
    } while (page.count == PAGE);
    return ERR_OK;
}

static void check_assets(struct library *library)
{
    struct err err = {0};

    if (walk_assets(library, &err) != ERR_OK)
        doctor_report_err(library->checks, "assets", &err);
    else if (library->missing > 0)
        doctor_report_add(library->checks, "assets", STATUS_FAIL,
                          "%" PRId64 " of %" PRId64 " active ones have not their files",
                          library->missing, library->assets);
    else
        doctor_report_add(library->checks, "assets", STATUS_OK,
                          "%" PRId64 " are active and have their files", library->assets);
}

/* ---- the way in --------------------------------------------------------------------- */

/* Who keeps no assets needs nothing of this. */
static void check_media(struct library *library, const struct serve_config *config)
{
    enum status bad = library->has_assets ? STATUS_FAIL : STATUS_WARN;
    char probe[sizeof(config->probe) + 100];
    const struct media_options options = {.probe = probe,
                                          .sandbox_off = !config->probe_sandbox};
    struct err err = {0};

    if (serve_assets_probe(config->probe, probe, sizeof(probe), &err) != ERR_OK ||
        media_sandbox_check(&options, &err) != ERR_OK)
        doctor_report_add(library->checks, "media", bad, "no asset's file is looked at: %s%s%s",
                          err.msg, err.detail[0] == '\0' ? "" : ": ", err.detail);
    else if (options.sandbox_off)
        doctor_report_add(library->checks, "media", STATUS_WARN,
                          "files of strangers are opened without a sandbox: probe_sandbox");
    else
        doctor_report_add(library->checks, "media", STATUS_OK,
                          "files are looked at in a sandbox");
}

static void check_public_url(struct library *library, const struct serve_config *config)
{
    if (!library->has_assets)
        return;
    if (config->public_url[0] != '\0')
        doctor_report_add(library->checks, "public_url", STATUS_OK, "%s", config->public_url);
    else if (serve_assets_is_loopback(config->listen))
        doctor_report_add(library->checks, "public_url", STATUS_OK,
                          "links to assets lead to the listener of this machine");
    else
        doctor_report_add(library->checks, "public_url", STATUS_FAIL,
                          "there are assets, and no links to them: set public_url");
}

struct health {
    int64_t due_before_us;
    struct asset_health found;
};

static enum err_code read_health(struct db_conn *conn, void *ctx, struct err *err)
{
    struct health *health = ctx;

    return asset_view_health(conn, health->due_before_us, &health->found, err);
}

static void check_ingest(struct library *library, int64_t now_us)
{
    struct health health = {.due_before_us = now_us - LATE_US};
    struct err err = {0};

    if (db_read(library->db, read_health, &health, &err) != ERR_OK) {
        doctor_report_err(library->checks, "ingest", &err);
        return;
    }
    library->has_assets = health.found.has_assets;
    if (health.found.late > 0)
        doctor_report_add(library->checks, "ingest", STATUS_FAIL,
                          "%" PRId64 " files have waited for over an hour: does a gateway run"
                          " with ingest_workers above 0?",
                          health.found.late);
    else
        doctor_report_add(library->checks, "ingest", STATUS_OK, "no file waits for long");
}

static void check_way_in(struct library *library, int64_t now_us)
{
    struct serve_config config;
    struct err err = {0};

    if (library->db != NULL)
        check_ingest(library, now_us);
    if (serve_config_load(NULL, 0, NULL, &config, &err) != ERR_OK) {
        doctor_report_err(library->checks, "settings", &err);
        return;
    }
    check_media(library, &config);
    check_public_url(library, &config);
}

void doctor_assets_check(struct checks *checks, const struct cli_ctx *ctx, struct db *db,
                         bool all)
{
    CLEANUP(blob_close_store) struct blob_store *store = NULL;
    struct library library = {
        .checks = checks, .db = db, .hash_max = all ? INT64_MAX : HASH_MAX};
    struct err err = {0};

    check_way_in(&library, ctx->now_us);
    if ((db != NULL && cli_blobs_check(db, ctx->data_dir, &err) != ERR_OK) ||
        blob_disk_open(ctx->data_dir, &store, &err) != ERR_OK) {
        doctor_report_err(checks, "blobs", &err);
        return;
    }
    library.store = store;
    check_blobs(&library);
    if (db != NULL)
        check_assets(&library);
}
