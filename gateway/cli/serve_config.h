/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of serve, as one table: default < file < environment < flag. */
#ifndef ARKGATE_GATEWAY_SERVE_CONFIG_H
#define ARKGATE_GATEWAY_SERVE_CONFIG_H

#include "assetlib/ingest.h"
#include "base/config.h"
#include "gateway/task/task.h"
#include "gateway/upstream/ark.h"

struct serve_config {
    char listen[128], admin_listen[128], public_url[512], log_level[16];
    char tls_cert[512], tls_key[512]; /* paths; "": plain HTTP */
    char resolve[1024], cors_origins[2048];
    int64_t workers, readers, clock_us, body_max, spool_over, drain_us, drain_delay_us;
    int64_t inflight_bytes, client_us, address_max;
    char trusted_proxies[2048];
    struct task_settings tasks;
    struct ark_settings ark;
    bool allow_private_network;
    struct ingest_settings ingest;
    struct media_rules media; /* its times are those of the next line */
    int64_t media_duration_min_us, media_duration_max_us, media_duration_slack_us;
    bool probe_sandbox;
    char probe[512]; /* path of arkgate-probe; "": beside the program */
};

/* serve_config.c -------------------------------------------------------------- */

/* A setting that has an option of its own on the line; value NULL: not given. */
struct serve_flag {
    const char *name, *value;
};
/* Reads ARKGATE_CONFIG's file, the environment, the line's --set pairs ("name=value") and
 * its flags. ERR_CONFIG names the place. */
FALLIBLE serve_config_load(const struct serve_flag *flags, size_t flag_count, const char *set,
                           struct serve_config *ret_config, struct err *err);
/* Calls visit for every key, for help and the manual. */
void serve_config_each(void (*visit)(const struct config_key *key, void *ctx), void *ctx);

#endif
