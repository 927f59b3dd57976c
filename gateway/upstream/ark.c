/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the parts together: directory, limiter, leases, provider table, the threads. */
#include "gateway/upstream/ark_parts.h"

#include <stdlib.h>

#define SECOND INT64_C(1000000)

void ark_defaults(struct ark_settings *ret_settings)
{
    *ret_settings = (struct ark_settings){
        .poll_us = SECOND,
        .scan_us = 10 * SECOND,
        .watch_scan_us = 600 * SECOND,
        .call_us = 20 * SECOND,
        .connect_us = 5 * SECOND,
        .lease_us = 10 * SECOND,
    };
}

static enum err_code provider_choose(void *self, const struct provider_wish *wish,
                                     struct provider_route *ret_route, struct err *err)
{
    struct ark *ark = self;

    return directory_choose(ark->directory, wish, ret_route, err);
}

static void provider_watch(void *self, int64_t account_id, const char *upstream_id,
                           int64_t created_us)
{
    struct ark *ark = self;

    if (ark->poller != NULL)
        poller_watch(ark->poller, account_id, upstream_id, created_us, false);
}

static enum err_code open_parts(struct ark *ark, const struct crypto_keys *keys,
                                struct err *err)
{
    struct lease_options options = {
        .db = ark->db, .shared = ark->shared, .lease_us = ark->settings.lease_us};

    ark->limiter = limiter_new(ark->shared ? ark->db : NULL);
    if (ark->limiter == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    TRY(directory_open(ark->db, keys, &ark->directory, err));
    options.limiter = ark->limiter;
    options.directory = ark->directory;
    ark->leases = lease_new(&options);
    return ark->leases != NULL ? ERR_OK : err_detail(err, ERR_INTERNAL, "no memory");
}

enum err_code ark_open(struct db *db, struct net *net, const struct crypto_keys *keys,
                       const struct ark_settings *settings, struct ark **ret_ark,
                       struct err *err)
{
    struct ark *ark = calloc(1, sizeof(*ark));

    if (ark == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    ark->db = db;
    ark->net = net;
    ark->shared = db_is_shared(db);
    ark->settings = *settings;
    ark->provider = (struct provider){
        ark, provider_choose, ark_create, provider_watch, ark_cancel_look, ark_cancel_remove};
    enum err_code rc = open_parts(ark, keys, err);
    if (rc != ERR_OK) {
        ark_close(&ark);
        return rc;
    }
    *ret_ark = ark;
    return ERR_OK;
}

const struct provider *ark_provider(const struct ark *ark)
{
    return &ark->provider;
}

enum err_code ark_start(struct ark *ark, struct task_service *service, struct err *err)
{
    ark->service = service;
    TRY(lease_start(ark->leases, err));
    TRY(poller_start(ark, &ark->poller, err));
    return reconciler_start(ark, &ark->reconciler, err);
}

void ark_halt(struct ark *ark)
{
    limiter_halt(ark->limiter);
    if (ark->leases != NULL)
        lease_halt(ark->leases);
    if (ark->reconciler != NULL)
        reconciler_halt(ark->reconciler);
    if (ark->poller != NULL)
        poller_halt(ark->poller);
}

void ark_cut(struct ark *ark)
{
    ark_halt(ark);
    limiter_stop(ark->limiter);
}

void ark_close(struct ark **ark)
{
    if (*ark == NULL)
        return;
    if ((*ark)->limiter != NULL)
        ark_cut(*ark);
    reconciler_stop(&(*ark)->reconciler);
    poller_stop(&(*ark)->poller);
    lease_free(&(*ark)->leases);
    directory_close(&(*ark)->directory);
    limiter_free(&(*ark)->limiter);
    free(*ark);
    *ark = NULL;
}
