/* SPDX-License-Identifier: Apache-2.0 */
/* Which settings serve has, their defaults and bounds, and the order of sources. */
#include "gateway/cli/serve_config.h"

#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1000)
#define SECOND (1000 * MS)
#define DAY (86400 * SECOND)

#define KEY_TEXT(name_, member_, def_, help_)                              \
    {                                                                      \
#name_, CONFIG_TEXT, offsetof(struct serve_config, member_),       \
            sizeof(((struct serve_config *)0)->member_), 0, 0, def_, help_ \
    }
#define KEY(name_, type_, member_, min_, max_, def_, help_)                               \
    {                                                                                     \
#name_, type_, offsetof(struct serve_config, member_), 0, min_, max_, def_, help_ \
    }

static const struct config_key keys[] = {
    KEY_TEXT(listen, listen, "127.0.0.1:8080", "address and port of the public listener"),
    KEY_TEXT(admin_listen, admin_listen, "127.0.0.1:8081", "address and port of the admin one"),
    KEY_TEXT(tls_cert, tls_cert, "", "PEM file: the public listener's certificate, issuers"),
    KEY_TEXT(tls_key, tls_key, "", "PEM file: its private key; both or neither"),
    KEY_TEXT(public_url, public_url, "", "where clients reach the gateway from outside"),
    KEY_TEXT(resolve, resolve, "",
             "hosts that are not looked up: name=address[+address...];..."),
    KEY_TEXT(cors_origins, cors_origins, "",
             "origins whose pages may call: * or https://a.example;..."),
    KEY_TEXT(log_level, log_level, "info", "error, warn, info or debug"),
    KEY(workers, CONFIG_INT, workers, 4, 4096, "1024", "requests served at once"),
    KEY(readers, CONFIG_INT, readers, 1, 64, "8", "pooled database readers"),
    KEY(clock_interval, CONFIG_DURATION, clock_us, 100 * MS, 3600 * SECOND, "30s",
        "between two looks at a database server's clock"),
    KEY(body_max, CONFIG_SIZE, body_max, 1024, 64 << 20, "64MiB", "largest request body"),
    KEY(spool_over, CONFIG_SIZE, spool_over, 4096, 4 << 20, "256kB",
        "larger bodies go to an unlinked file"),
    KEY(inflight_bytes, CONFIG_SIZE, inflight_bytes, 1024, INT64_C(64) << 30, "256MiB",
        "bodies and large answers held at once"),
    KEY(client_timeout, CONFIG_DURATION, client_us, 100 * MS, 60 * SECOND, "10s",
        "for a head, a body's next 64 KiB, an answer's next byte"),
    KEY(address_max, CONFIG_INT, address_max, 1, 4096, "256",
        "connections of one client address"),
    KEY_TEXT(trusted_proxies, trusted_proxies, "",
             "whose X-Forwarded-For is believed: address[/bits];..."),
    KEY(drain, CONFIG_DURATION, drain_us, SECOND, 25 * SECOND, "25s",
        "how long running requests may take after SIGTERM"),
    KEY(drain_delay, CONFIG_DURATION, drain_delay_us, 0, 12500 * MS, "0s",
        "of that, how long new ones are still served, at most half"),
    KEY(allow_private_network, CONFIG_BOOL, allow_private_network, 0, 0, "false",
        "for developers: callbacks may lead to private addresses"),
    KEY(connect_timeout, CONFIG_DURATION, tasks.connect_us, 10 * MS, 60 * SECOND, "5s",
        "connecting to Ark"),
    KEY(send_timeout, CONFIG_DURATION, tasks.send_us, 100 * MS, 300 * SECOND, "20s",
        "a create's way to Ark and back, its body at 1 MB/s on top"),
    KEY(submitting_grace, CONFIG_DURATION, tasks.submitting_grace_us, 0, DAY, "60s",
        "past the send deadline a task without an outcome is unknown"),
    KEY(unknown_release_after, CONFIG_DURATION, tasks.unknown_release_after_us, 0, 7 * DAY,
        "10m", "past the send deadline an unknown task may be released for certain"),
    KEY(unknown_watch, CONFIG_DURATION, tasks.unknown_watch_us, SECOND, 30 * DAY, "7d",
        "how long a released task is watched for"),
    KEY(match_window, CONFIG_DURATION, tasks.match_window_us, 0, DAY, "2m",
        "how far Ark's clock and ours may differ"),
    KEY(gone_recheck, CONFIG_DURATION, tasks.gone_recheck_us, 0, DAY, "60s",
        "between the two 404s that end a task"),
    KEY(open_max, CONFIG_DURATION, tasks.open_max_us, SECOND, 30 * DAY, "7d",
        "a task open longer ends in review"),
    KEY(idempotency_keep, CONFIG_DURATION, tasks.idempotency_us, SECOND, 30 * DAY, "24h",
        "how long an idempotency key is remembered"),
    KEY(cancel_timeout, CONFIG_DURATION, tasks.cancel_us, 100 * MS, 300 * SECOND, "20s",
        "a cancel's looks at Ark and its DELETE"),
    KEY(resolve_timeout, CONFIG_DURATION, tasks.resolve_us, 100 * MS, 20 * SECOND, "3s",
        "looking the host of a callback_url up"),
    KEY(poll_interval, CONFIG_DURATION, ark.poll_us, 10 * MS, 60 * SECOND, "1s",
        "between two looks at a young task"),
    KEY(scan_interval, CONFIG_DURATION, ark.scan_us, 10 * MS, 3600 * SECOND, "10s",
        "between scans while an outcome is unknown"),
    KEY(watch_scan_interval, CONFIG_DURATION, ark.watch_scan_us, 10 * MS, DAY, "10m",
        "between scans for tasks released before"),
    KEY(call_timeout, CONFIG_DURATION, ark.call_us, 100 * MS, 120 * SECOND, "20s",
        "one list or get at Ark"),
    KEY(ingest_workers, CONFIG_INT, ingest.workers, 0, INGEST_WORKERS_MAX, "8",
        "files of assets that are fetched at once; 0: none here"),
    KEY(ingest_fetch, CONFIG_DURATION, ingest.fetch_us, 100 * MS, 3600 * SECOND, "60s",
        "one download, its redirects included"),
    KEY(ingest_retry, CONFIG_DURATION, ingest.retry_us, 0, 3600 * SECOND, "2s",
        "before a download is tried again, four times as long before the next"),
    KEY(ingest_tries, CONFIG_INT, ingest.tries, 1, 100, "3", "downloads before an asset fails"),
    KEY(ingest_look, CONFIG_DURATION, ingest.look_us, 10 * MS, 3600 * SECOND, "1s",
        "between two looks for files that are due"),
    KEY(ingest_sweep, CONFIG_DURATION, ingest.sweep_us, SECOND, 30 * DAY, "1h",
        "between two walks for stored bytes that no asset has"),
    KEY(ingest_keep, CONFIG_DURATION, ingest.keep_us, SECOND, 30 * DAY, "1h",
        "how old such bytes must be to be removed; minutes at least, but in tests"),
    KEY(probe_sandbox, CONFIG_BOOL, probe_sandbox, 0, 0, "on",
        "media are opened in a locked up process alone; off is for machines without Landlock"),
    KEY_TEXT(probe, probe, "", "path of arkgate-probe (beside this program)"),
    KEY(image_bytes, CONFIG_SIZE, media.bytes_below[MEDIA_IMAGE], 1, INT64_C(1) << 30, "30MiB",
        "images of assets must be smaller"),
    KEY(video_bytes, CONFIG_SIZE, media.bytes_below[MEDIA_VIDEO], 1, INT64_C(1) << 30, "50MiB",
        "videos of assets must be smaller"),
    KEY(audio_bytes, CONFIG_SIZE, media.bytes_below[MEDIA_AUDIO], 1, INT64_C(1) << 30, "15MiB",
        "sounds of assets must be smaller"),
    KEY(image_side_min, CONFIG_INT, media.side_min, 1, 65536, "300", "pixels"),
    KEY(image_side_max, CONFIG_INT, media.side_max, 1, 65536, "6000", "pixels"),
    KEY(image_ratio_min, CONFIG_INT, media.ratio_milli_min, 1, 1000000, "400",
        "width by height of an image, in thousandths"),
    KEY(image_ratio_max, CONFIG_INT, media.ratio_milli_max, 1, 1000000, "2500", "likewise"),
    KEY(video_pixels_min, CONFIG_INT, media.pixels_min, 1, INT64_C(1) << 32, "407696",
        "width times height of a video"),
    KEY(video_pixels_max, CONFIG_INT, media.pixels_max, 1, INT64_C(1) << 32, "2086876",
        "likewise"),
    KEY(media_duration_min, CONFIG_DURATION, media_duration_min_us, MS, 3600 * SECOND, "2s",
        "of videos and sounds of assets"),
    KEY(media_duration_max, CONFIG_DURATION, media_duration_max_us, MS, 3600 * SECOND, "15s",
        "likewise"),
    KEY(media_duration_slack, CONFIG_DURATION, media_duration_slack_us, 0, 60 * SECOND, "200ms",
        "by which they may miss both"),
    KEY(video_fps_min, CONFIG_INT, media.fps_milli_min, 1, 1000000, "24000",
        "frames of a video in 1000 s"),
    KEY(video_fps_max, CONFIG_INT, media.fps_milli_max, 1, 1000000, "60000", "likewise"),
    KEY(video_fps_slack, CONFIG_INT, media.fps_milli_slack, 0, 100000, "200",
        "by which it may miss both"),
    KEY(lease, CONFIG_DURATION, ark.lease_us, 200 * MS, 60 * SECOND, "10s",
        "shared database: when another does what a lost gateway did"),
};

/* Variables of the environment that are no settings. */
static const char *const others[] = {"ARKGATE_CONFIG",
                                     "ARKGATE_DATA",
                                     "ARKGATE_DATABASE",
                                     "ARKGATE_KEYS",
#ifdef ARKGATE_TEST
                                     "ARKGATE_FAULT",
                                     "ARKGATE_CLOCK",
                                     "ARKGATE_CLOCK_SKEW",
#endif
                                     NULL};

void serve_config_each(void (*visit)(const struct config_key *key, void *ctx), void *ctx)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        visit(&keys[i], ctx);
}

/* "name=value,name=value": no value of ours holds a comma. */
static enum err_code apply_pairs(const char *set, struct serve_config *config, struct err *err)
{
    struct str rest = str_from(set);

    while (rest.len > 0) {
        size_t len = 0, equals = 0;
        char name[64], value[512];

        while (len < rest.len && rest.ptr[len] != ',')
            len++;
        while (equals < len && rest.ptr[equals] != '=')
            equals++;
        if (equals == len || !str_copy(name, sizeof(name), (struct str){rest.ptr, equals}) ||
            !str_copy(value, sizeof(value),
                      (struct str){rest.ptr + equals + 1, len - equals - 1}))
            return err_set(err, ERR_CONFIG, "--set takes name=value, separated by commas");
        TRY(config_set(keys, COUNT_OF(keys), name, value, config, err));
        len += len < rest.len;
        rest = (struct str){rest.ptr + len, rest.len - len};
    }
    return ERR_OK;
}

/* Links begin with it: a path may follow its host, nothing else. */
static enum err_code check_public_url(const char *url, struct err *err)
{
    struct str text = str_from(url);

    if (text.len == 0)
        return ERR_OK;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || strchr("\"?#\\<>", text.ptr[i]) != NULL)
            return err_set(err, ERR_CONFIG, "public_url must be a plain http(s) URL");
    }
    if (!str_starts_nocase(text, STR("http://")) && !str_starts_nocase(text, STR("https://")))
        return err_set(err, ERR_CONFIG, "public_url must begin with http:// or https://");
    return ERR_OK;
}

enum err_code serve_config_load(const struct serve_flag *flags, size_t flag_count,
                                const char *set, struct serve_config *ret_config,
                                struct err *err)
{
    const char *path = getenv("ARKGATE_CONFIG");
    struct serve_config config;

    memset(&config, 0, sizeof(config));
    service_defaults(&config.tasks);
    ark_defaults(&config.ark);
    config_defaults(keys, COUNT_OF(keys), &config);
    if (path != NULL)
        TRY(config_file(keys, COUNT_OF(keys), path, &config, err));
    TRY(config_environment(keys, COUNT_OF(keys), others, &config, err));
    if (set != NULL)
        TRY(apply_pairs(set, &config, err));
    for (size_t i = 0; i < flag_count; i++) {
        if (flags[i].value != NULL)
            TRY(config_set(keys, COUNT_OF(keys), flags[i].name, flags[i].value, &config, err));
    }
    if (config.drain_delay_us > config.drain_us / 2)
        return err_set(err, ERR_CONFIG, "drain_delay must be at most half of drain");
    TRY(check_public_url(config.public_url, err));
    config.media.duration_ms_min = config.media_duration_min_us / MS;
    config.media.duration_ms_max = config.media_duration_max_us / MS;
    config.media.duration_ms_slack = config.media_duration_slack_us / MS;
    config.ark.connect_us = config.tasks.connect_us;
    *ret_config = config;
    return ERR_OK;
}
