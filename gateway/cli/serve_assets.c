/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the asset library together for serve, and takes it apart. */
#include "gateway/cli/serve_assets.h"

#include "assetlib/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROBE "arkgate-probe"
#define SIGNED_LIFE_US (INT64_C(1800) * 1000000)

FALLIBLE serve_assets_probe(const char *configured, char *dst, size_t size, struct err *err)
{
    char *slash;
    ssize_t len;

    if (configured[0] != '\0')
        return configured[0] == '/' && str_copy(dst, size, str_from(configured))
                   ? ERR_OK
                   : err_set(err, ERR_CONFIG, "probe must be an absolute path");
    len = readlink("/proc/self/exe", dst, size - sizeof(PROBE));
    if (len <= 0 || (size_t)len >= size - sizeof(PROBE))
        return err_detail(err, ERR_IO, "/proc/self/exe: %s", strerror(errno));
    dst[len] = '\0';
    slash = strrchr(dst, '/');
    (void)snprintf(slash + 1, size - (size_t)(slash + 1 - dst), "%s", PROBE);
    return ERR_OK;
}

FALLIBLE serve_assets_open(struct serve_assets *assets, const struct cli_ctx *ctx,
                           const struct serve_config *config, struct app *app, struct err *err)
{
    const struct net_options net_options = {0};

    assets->config = config;
    TRY(serve_assets_probe(config->probe, assets->probe, sizeof(assets->probe), err));
    app->assets.db = app->db;
    /* A signed request can be sent again for half an hour: 15 minutes either way. */
    app->assets.request_keep_us = config->tasks.idempotency_us > SIGNED_LIFE_US
                                      ? config->tasks.idempotency_us
                                      : SIGNED_LIFE_US;
    for (int type = 0; type < ASSET_TYPE_COUNT; type++)
        app->assets.bytes_max[type] = config->media.bytes_below[type] - 1;
    atomic_init(&app->assets.public_url, config->public_url);
    TRY(blob_disk_open(ctx->data_dir, &app->blobs, err));
    return net_open(&net_options, &assets->net, err);
}

/* The listener's address before its port. */
static struct str host_of(const char *listen)
{
    const char *colon = strrchr(listen, ':');

    return (struct str){listen, colon != NULL ? (size_t)(colon - listen) : strlen(listen)};
}

bool serve_assets_is_loopback(const char *listen)
{
    struct str host = host_of(listen);

    return str_starts_nocase(host, STR("127.")) || str_is(host, "[::1]");
}

/* Without one, an address that only this machine reaches will do for this machine. */
static void find_public_url(struct serve_assets *assets, struct app *app, int port)
{
    const struct serve_config *config = assets->config;
    struct str host = host_of(config->listen);

    if (config->public_url[0] != '\0')
        return;
    if (!serve_assets_is_loopback(config->listen)) {
        LOG(LOG_WARN, "no_public_url",
            LOG_TEXT("detail", "assets have no links until public_url says where they begin"));
        return;
    }
    (void)snprintf(assets->url, sizeof(assets->url), "http%s://%.*s:%d",
                   config->tls_cert[0] != '\0' ? "s" : "", (int)host.len, host.ptr, port);
    atomic_store(&app->assets.public_url, assets->url);
}

FALLIBLE serve_assets_start(struct serve_assets *assets, struct net_resolver *resolver,
                            struct app *app, int port, struct err *err)
{
    const struct serve_config *config = assets->config;
    const struct ingest_options options = {
        .library = &app->assets,
        .blobs = app->blobs,
        .net = assets->net,
        .guard = {.resolver = resolver,
                  .rule = {.allow_private = config->allow_private_network,
                           .len_max = ASSET_URL_MAX}},
        .media = {.probe = assets->probe,
                  .sandbox_off = !config->probe_sandbox,
                  .rules = &config->media},
        .settings = config->ingest};

    find_public_url(assets, app, port);
    TRY(ingest_start(&options, &assets->ingest, err));
    atomic_store(&app->assets.waker, assets->ingest);
    return ERR_OK;
}

void serve_assets_halt(struct serve_assets *assets)
{
    ingest_halt(assets->ingest);
    if (assets->net != NULL)
        net_halt(assets->net);
}

void serve_assets_close(struct serve_assets *assets, struct app *app)
{
    serve_assets_halt(assets);
    atomic_store(&app->assets.waker, NULL);
    ingest_stop(&assets->ingest);
    net_close(&assets->net);
    blob_close_store(&app->blobs);
    crypto_wipe(app->assets.link_key, sizeof(app->assets.link_key));
}
