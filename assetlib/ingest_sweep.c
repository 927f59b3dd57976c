/* SPDX-License-Identifier: Apache-2.0 */
/* Removes stored bytes that no asset refers to: what a crash left between the disk and the
 * database, and what was purged. */
#include "assetlib/ingest_parts.h"
#include "assetlib/parts.h"
#include "assetlib/purge.h"

enum { FAILURES_MAX = 100 }; /* then it is not the files */

struct sweeping {
    struct ingest *ingest;
    int failures;
};

/* What cannot be removed is not in the way of what comes behind it. */
static enum err_code visit(const struct blob_entry *entry, void *ctx, struct err *err)
{
    struct sweeping *sweeping = ctx;
    struct ingest *ingest = sweeping->ingest;
    int64_t keep_us = ingest->options.settings.keep_us;
    bool removed = false;

    if (atomic_load(&ingest->stopping))
        return err_set(err, ERR_UNAVAILABLE, "the gateway stops");
    if (entry->age_us < keep_us)
        return ERR_OK;
    if (purge_blob(ingest->options.library->db, ingest->options.blobs, &entry->id, keep_us,
                   &removed, err) != ERR_OK) {
        if (++sweeping->failures == FAILURES_MAX)
            return err->code;
        LOG(LOG_WARN, "blob_not_removed", LOG_INT("tenant", entry->id.tenant_id),
            LOG_TEXT("error", err->msg), LOG_TEXT("detail", err->detail));
    }
    if (removed)
        LOG(LOG_INFO, "blob_removed", LOG_INT("tenant", entry->id.tenant_id),
            LOG_INT("bytes", entry->size));
    return ERR_OK;
}

FALLIBLE ingest_sweep(struct ingest *ingest, struct err *err)
{
    struct sweeping sweeping = {.ingest = ingest};
    int64_t unfinished = 0;

    TRY(request_sweep(ingest->options.library, err));
    TRY(blob_sweep(ingest->options.blobs, ingest->options.settings.keep_us, &unfinished, err));
    return blob_each(ingest->options.blobs, visit, &sweeping, err);
}
