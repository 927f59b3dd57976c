/* SPDX-License-Identifier: Apache-2.0 */
/* What the use cases of this folder share. */
#ifndef ARKGATE_ASSETLIB_PARTS_H
#define ARKGATE_ASSETLIB_PARTS_H

#include "assetlib/rows.h"

/* request.c: a request that comes again ---------------------------------- */

/* Within the transaction that would make something: what was made by the same request
 * before, or nothing. ERR_KEY_REUSED. */
FALLIBLE request_find(struct db_conn *conn, const struct scope *scope,
                      const struct asset_request *request, int64_t not_before_us,
                      struct asset_created *ret_created, struct err *err);
/* What it made now. */
FALLIBLE request_put(struct db_conn *conn, const struct scope *scope,
                     const struct asset_request *request, const char *id, int64_t now_us,
                     struct err *err);
/* "asset-YYYYMMDDhhmmss-" and 10 of a-z0-9. */
void request_new_id(const char *kind, int64_t now_us, char dst[ASSET_ID_MAX + 1]);
/* Drops what is too old to be known, in small steps. */
FALLIBLE request_sweep(struct asset_library *library, struct err *err);

#endif
