/* SPDX-License-Identifier: Apache-2.0 */
/* How many bytes of bodies and large answers the process holds at once. Only a
 * request whose sender is known takes any, so that nobody else can use it up. */
#include "gateway/http/http_private.h"

bool budget_take(struct server *server, struct request *rq, size_t bytes)
{
    size_t held = atomic_load(&server->inflight);

    do {
        if (bytes > server->options.inflight_max - held)
            return false;
    } while (!atomic_compare_exchange_weak(&server->inflight, &held, held + bytes));
    rq->charged += bytes;
    return true;
}

void budget_drop(struct server *server, struct request *rq)
{
    if (rq->charged > 0)
        (void)atomic_fetch_sub(&server->inflight, rq->charged);
    rq->charged = 0;
}
