/* SPDX-License-Identifier: Apache-2.0 */
/* The wire formats: decode, call one use case, encode; nothing else. */
#ifndef ARKGATE_GATEWAY_DIALECT_H
#define ARKGATE_GATEWAY_DIALECT_H

#include "gateway/http/http.h"

/* ark.c: Ark's own task API below /api/v3 and /volcark/api/v3 ----------------- */

/* Also answers for paths that no dialect owns. */
extern const struct dialect ark_dialect;

/* volc.c: actions on asset groups and assets, POST /?Action=… and /volcark/?Action=… ---- */

extern const struct dialect volc_dialect;
/* files.c: blobs behind signed links, below /files ------------------------------ */

/* On the public listener alone, for GET and HEAD; asks for no credential but the link. */
extern const struct dialect files_dialect;

/* credential.c: what dialects share about the head of a request ----------------- */

/* The token of "Authorization: Bearer …"; ERR_UNAUTHORIZED unless there is exactly
 * one such header. */
FALLIBLE credential_bearer(const struct request *rq, struct str *ret_token, struct err *err);
/* Idempotency-Key or X-Idempotency-Key, bare or quoted; empty when absent.
 * ERR_INVALID over 255 characters or with other than printable ASCII. */
FALLIBLE credential_idempotency_key(struct request *rq, struct str *ret_key, struct err *err);

#endif
