/* SPDX-License-Identifier: Apache-2.0 */
/* Gateways as parts, any number on the one database of a world: directory, limiter and
 * leases, and on top of them what a test starts. */
#ifndef ARKGATE_TESTS_UPSTREAM_GATEWAY_H
#define ARKGATE_TESTS_UPSTREAM_GATEWAY_H

#include "gateway/upstream/ark_parts.h"

#include "tests/unit/task/world.h"

enum { PATIENCE_US = 60000000 }; /* longer than any wait of these tests may take */

static const struct crypto_keys gateway_keys = {.master = "master key of the unit tests..."};

/* Without threads until a test starts them. shared: as on a server's database. */
static inline void gateway_init(struct ark *gateway, struct world *world, bool shared,
                                int64_t lease_us)
{
    struct lease_options options = {.db = world->db, .shared = shared, .lease_us = lease_us};
    struct net_options net_options = {0};
    struct err err = {0};

    *gateway = (struct ark){.db = world->db, .shared = shared, .service = &world->service};
    ark_defaults(&gateway->settings);
    gateway->settings.poll_us = 100000;
    CHECK_OK("net", net_open(&net_options, &gateway->net, &err), &err);
    CHECK_OK("directory", directory_open(world->db, &gateway_keys, &gateway->directory, &err),
             &err);
    gateway->limiter = limiter_new(shared ? world->db : NULL);
    options.directory = gateway->directory;
    options.limiter = gateway->limiter;
    gateway->leases = lease_new(&options);
    CHECK_TRUE("memory", gateway->limiter != NULL && gateway->leases != NULL);
}

static inline void gateway_fini(struct ark *gateway)
{
    limiter_stop(gateway->limiter);
    reconciler_stop(&gateway->reconciler);
    poller_stop(&gateway->poller);
    lease_free(&gateway->leases);
    directory_close(&gateway->directory);
    limiter_free(&gateway->limiter);
    net_close(&gateway->net);
}

static inline void gateway_tick(struct ark *gateway, const char *what)
{
    struct err err = {0};

    CHECK_OK(what, lease_tick(gateway->leases, &err), &err);
}

static inline int64_t gateway_term(struct ark *gateway, const struct world *world)
{
    return lease_term(gateway->leases, account_a(world));
}

/* Looks again and again until it is as wanted; false when that takes too long. */
#define AWAIT(what, cond)                                                 \
    do {                                                                  \
        int64_t until_us_ = sys_mono_us() + PATIENCE_US;                  \
        bool reached_ = (cond);                                           \
        for (; !reached_ && sys_mono_us() < until_us_; reached_ = (cond)) \
            sys_sleep_us(2000);                                           \
        if (!reached_)                                                    \
            CHECK_FAILED(what, "waited in vain for %s", #cond);           \
    } while (0)

#endif
