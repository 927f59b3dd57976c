/* SPDX-License-Identifier: Apache-2.0 */
/* Removes stored bytes that no asset refers to: what a crash left between the disk and the
 * database, and what was purged. */
#include "assetlib/ingest_parts.h"
#include "assetlib/parts.h"

/* Who commits an asset does so soon after its bytes. */
#define AGE_US (INT64_C(3600) * 1000000)

struct asking {
    const struct blob_entry *entry;
    bool refers;
};

static enum err_code ask_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct asking *asking = ctx;
    const struct scope scope = {.tenant_id = asking->entry->id.tenant_id};

    return asset_repo_refers(conn, &scope, asking->entry->id.sha256, &asking->refers, err);
}

static enum err_code visit(const struct blob_entry *entry, void *ctx, struct err *err)
{
    struct ingest *ingest = ctx;
    struct asking asking = {.entry = entry};
    bool removed = false;

    if (atomic_load(&ingest->stopping))
        return err_set(err, ERR_UNAVAILABLE, "the gateway stops");
    if (entry->age_us < AGE_US)
        return ERR_OK;
    TRY(db_read_one(ingest->options.library->db, ask_steps, &asking, err));
    if (asking.refers)
        return ERR_OK;
    TRY(blob_remove(ingest->options.blobs, &entry->id, AGE_US, &removed, err));
    if (removed)
        LOG(LOG_INFO, "blob_removed", LOG_INT("tenant", entry->id.tenant_id),
            LOG_INT("bytes", entry->size));
    return ERR_OK;
}

FALLIBLE ingest_sweep(struct ingest *ingest, struct err *err)
{
    int64_t unfinished = 0;

    TRY(request_sweep(ingest->options.library, err));
    TRY(blob_sweep(ingest->options.blobs, AGE_US, &unfinished, err));
    return blob_each(ingest->options.blobs, visit, ingest, err);
}
