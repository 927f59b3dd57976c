/* SPDX-License-Identifier: Apache-2.0 */
/* The asset library's part of a running gateway: where bytes lie, who fetches them, what
 * looks at them, and where links to them begin. */
#ifndef ARKGATE_GATEWAY_SERVE_ASSETS_H
#define ARKGATE_GATEWAY_SERVE_ASSETS_H

#include "assetlib/blob.h"
#include "gateway/app.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/serve_config.h"

struct serve_assets {
    const struct serve_config *config;
    struct net *net; /* of downloads */
    struct ingest *ingest;
    char probe[600], url[600];
};

/* serve_assets.c -------------------------------------------------------- */

/* Fills app->assets but its link_key, and app->blobs; nothing is fetched yet. */
FALLIBLE serve_assets_open(struct serve_assets *assets, const struct cli_ctx *ctx,
                           const struct serve_config *config, struct app *app, struct err *err);
/* Begins to fetch, and to make links, which need the port that was bound. */
FALLIBLE serve_assets_start(struct serve_assets *assets, struct net_resolver *resolver,
                            struct app *app, int port, struct err *err);
/* No new file is begun, and downloads end. */
void serve_assets_halt(struct serve_assets *assets);
/* Requests have ended. */
void serve_assets_close(struct serve_assets *assets, struct app *app);
/* Absolute path of arkgate-probe, as configured or beside this program. */
FALLIBLE serve_assets_probe(const char *configured, char *dst, size_t size, struct err *err);
/* Does a listener's address reach this machine alone? */
bool serve_assets_is_loopback(const char *listen);

#endif
