/* SPDX-License-Identifier: Apache-2.0 */
/* An operator takes an asset away from its tenant: the row stays as the record, audited, and
 * the bytes go unless another asset has them. Who may ask for that is decided elsewhere. */
#include "assetlib/purge.h"

#include "assetlib/rows.h"
#include "base/json.h"

#include <string.h>

struct purging {
    const struct purge_request *request;
    struct asset_record *record; /* written by the closure */
};

static enum err_code audit(struct db_conn *conn, const struct purging *purging, struct err *err)
{
    const struct purge_request *request = purging->request;
    const struct asset_record *record = purging->record;
    CLEANUP(buf_fini) struct buf detail = {0};
    char hash[2 * CRYPTO_HASH_BYTES + 1] = "";

    if (record->asset.has_hash)
        str_hex(hash, record->asset.hash, CRYPTO_HASH_BYTES);
    buf_init(&detail, AUDIT_DETAIL_MAX);
    struct json_out out = json_begin(&detail);

    json_open_object(&out, NULL);
    json_put_int(&out, "tenant_id", record->tenant_id);
    json_put_text(&out, "status", str_from(asset_status_name(record->asset.status)));
    json_put_int(&out, "bytes", record->asset.bytes);
    json_put_text(&out, "sha256", str_from(hash));
    json_put_text(&out, "reason", request->reason);
    json_close_object(&out);
    TRY(json_end(&out, err));
    return audit_append(conn, request->actor, request->now_us, "asset.purge",
                        str_from(record->asset.id), buf_str(&detail), err);
}

/* Whoever's it is, and whatever was kept of it. */
static enum err_code take_away(struct db_conn *conn, const struct asset_record *record,
                               int64_t now_us, struct err *err)
{
    const struct scope scope = {.tenant_id = record->tenant_id};
    const struct asset *asset = &record->asset;
    struct str id = str_from(asset->id);

    if (asset->account_id != 0)
        return registered_repo_purge(conn, &scope, id, now_us, err);
    TRY(asset_repo_purge(conn, &scope, id, now_us, err));
    TRY(asset_repo_count(conn, &scope, asset, -1, -asset->bytes, err));
    return ingest_repo_drop(conn, &scope, id, err);
}

static enum err_code purge_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct purging *purging = ctx;
    struct asset_record *record = purging->record;

    TRY(asset_view_find(conn, purging->request->id, record, err));
    if (record->purged_us != 0)
        return err_set(err, ERR_CONFLICT, "the asset %s was purged before", record->asset.id);
    TRY(take_away(conn, record, purging->request->now_us, err));
    TRY(audit(conn, purging, err));
    record->purged_us = purging->request->now_us;
    return ERR_OK;
}

static bool is_reason(struct str text)
{
    bool controls;

    if (text.len == 0 || text.len > PURGE_REASON_MAX || !str_is_utf8(text))
        return false;
    (void)text_points(text, &controls);
    return !controls;
}

FALLIBLE purge_asset(struct db *db, const struct purge_request *request,
                     struct asset_record *ret_record, struct err *err)
{
    struct purging purging = {.request = request, .record = ret_record};

    if (!is_reason(request->reason))
        return err_field(err, "reason", "reason must be 1 to %d bytes of text in one line",
                         PURGE_REASON_MAX);
    return db_write(db, DB_ALL, purge_steps, &purging, err);
}

struct asking {
    const struct blob_id *id;
    bool refers;
};

static enum err_code ask_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct asking *asking = ctx;
    const struct scope scope = {.tenant_id = asking->id->tenant_id};

    return asset_repo_refers(conn, &scope, asking->id->sha256, &asking->refers, err);
}

FALLIBLE purge_blob(struct db *db, struct blob_store *blobs, const struct blob_id *id,
                    int64_t age_us, bool *ret_removed, struct err *err)
{
    struct asking asking = {.id = id};

    *ret_removed = false;
    TRY(db_read_one(db, ask_steps, &asking, err));
    return asking.refers ? ERR_OK : blob_remove(blobs, id, age_us, ret_removed, err);
}

FALLIBLE purge_bytes(struct db *db, struct blob_store *blobs, const struct asset_record *record,
                     int64_t age_us, struct err *err)
{
    struct blob_id id = {.tenant_id = record->tenant_id};
    bool removed;

    if (record->asset.has_hash) {
        memcpy(id.sha256, record->asset.hash, sizeof(id.sha256));
        TRY(purge_blob(db, blobs, &id, age_us, &removed, err));
    }
    if (record->asset.has_thumbnail) {
        memcpy(id.sha256, record->asset.thumbnail, sizeof(id.sha256));
        TRY(purge_blob(db, blobs, &id, age_us, &removed, err));
    }
    return ERR_OK;
}
