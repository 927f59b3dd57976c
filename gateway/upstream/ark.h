/* SPDX-License-Identifier: Apache-2.0 */
/* Ark as we call it: which credential takes a create, what an answer means, who
 * asks after open tasks and who looks for the unknown. Implements the provider
 * table that gateway/task declares. */
#ifndef ARKGATE_GATEWAY_ARK_H
#define ARKGATE_GATEWAY_ARK_H

#include "base/net/net.h"
#include "gateway/task/task.h"

struct ark; /* thread-safe */

struct ark_settings {
    int64_t poll_us;       /* between two looks at a young task; 1 s */
    int64_t scan_us;       /* between scans while an outcome is unknown; 10 s */
    int64_t watch_scan_us; /* between scans for tasks released before; 10 min */
    int64_t call_us;       /* longest list, get; 20 s */
    int64_t connect_us;    /* 5 s */
    int64_t lease_us;      /* what one of several gateways does stays its own so long after
                              its last word; 10 s */
};

/* ark.c -------------------------------------------------------------------- */

/* The numbers above. */
void ark_defaults(struct ark_settings *ret_settings);
/* Loads the upstreams; starts no thread. db and net are borrowed. On a database that is
 * shared the gateways share the work by leases (lease.c). */
FALLIBLE ark_open(struct db *db, struct net *net, const struct crypto_keys *keys,
                  const struct ark_settings *settings, struct ark **ret_ark, struct err *err);
/* The table for task_service.provider; lives as long as ark. */
const struct provider *ark_provider(const struct ark *ark);
/* Starts the poller and the reconciler on a service that uses this provider, and tells
 * other gateways of this one. */
FALLIBLE ark_start(struct ark *ark, struct task_service *service, struct err *err);
/* Starts no more calls of its own and returns at once; what clients ask still goes out, and
 * another gateway goes on with the rest. */
void ark_halt(struct ark *ark);
/* Also, no client's cancel waits for its turn any more. Returns at once. */
void ark_cut(struct ark *ark);
/* Stops the threads, frees everything; call before net_close. */
void ark_close(struct ark **ark);

/* ark_probe.c ---------------------------------------------------------------- */

/* Asks one upstream for an empty list with its key: "upstream test" and doctor. */
FALLIBLE ark_probe(struct net *net, const struct upstream *upstream, const struct secret *key,
                   struct err *err);

#endif
