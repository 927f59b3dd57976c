/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to assets against their tenant's will, and to bytes that nobody has. */
#ifndef ARKGATE_ASSETLIB_PURGE_H
#define ARKGATE_ASSETLIB_PURGE_H

#include "assetlib/assetlib.h"
#include "assetlib/blob.h"

enum { PURGE_REASON_MAX = 512 }; /* one line of a report */
/* How old bytes must be that an operator's command removes; serve has ingest_keep. */
#define PURGE_AGE_US (INT64_C(3600) * 1000000)

/* purge.c -------------------------------------------------------------- */

struct purge_request {
    struct str id, reason;
    const char *actor;
    int64_t now_us;
};
/* In one transaction: for its tenant it does not exist any more, counts for nothing and is
 * not fetched, the audit log says why, and its row stays for operators. ERR_NOT_FOUND;
 * ERR_CONFLICT when it was purged before. */
FALLIBLE purge_asset(struct db *db, const struct purge_request *request,
                     struct asset_record *ret_record, struct err *err);
/* Removes bytes that no asset has, unless they came within age_us: then somebody may be
 * about to refer to them. */
FALLIBLE purge_blob(struct db *db, struct blob_store *blobs, const struct blob_id *id,
                    int64_t age_us, bool *ret_removed, struct err *err);
/* Likewise the file and the picture of a purged asset; what is left the sweep finds. */
FALLIBLE purge_bytes(struct db *db, struct blob_store *blobs, const struct asset_record *record,
                     int64_t age_us, struct err *err);

#endif
