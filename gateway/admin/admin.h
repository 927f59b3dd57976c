/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's own APIs: JSON over HTTP, errors as problem documents. Ark's clients
 * know nothing of them. */
#ifndef ARKGATE_GATEWAY_ADMIN_H
#define ARKGATE_GATEWAY_ADMIN_H

#include "gateway/http/http.h"

/* tenant_api.c: what a tenant asks about itself, below /gw/v1 ------------------ */

/* On the public listener alone. Every token of a tenant may ask, one of visibility
 * "own" and one of a suspended tenant too: such a token sees fewer tasks, but spends
 * the same money and meets the same limits. */
extern const struct dialect tenant_api_dialect;

/* problem.c: errors as RFC 9457 has them ---------------------------------------- */

/* Fills rq->rsp with application/problem+json: type, title, status, detail, code,
 * request_id, and param when the error names a member. A status that is set already
 * is the one that is written. */
void problem_put(struct request *rq, const struct err *err);

#endif
