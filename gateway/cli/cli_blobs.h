/* SPDX-License-Identifier: Apache-2.0 */
/* Several gateways on one database keep one folder of stored files between them. The
 * database and the folder know each other by a mark, which these functions compare. */
#ifndef ARKGATE_GATEWAY_CLI_BLOBS_H
#define ARKGATE_GATEWAY_CLI_BLOBS_H

#include "base/store/store.h"

/* cli_blobs.c ------------------------------------------------------------- */

/* ERR_CONFIG unless both have the same mark, or neither has one. A file's database lies with
 * its blobs and has none. */
FALLIBLE cli_blobs_check(struct db *db, const char *dir, struct err *err);
/* Likewise, for serve: where neither has one, both get one. */
FALLIBLE cli_blobs_claim(struct db *db, const char *dir, struct err *err);

#endif
