/* SPDX-License-Identifier: Apache-2.0 */
/* Is an upstream reachable, and does it take our key? */
#include "gateway/upstream/ark_parts.h"

#include <stdio.h>

enum { PROBE_US = 10000000 }; /* an operator waits for it */

enum err_code ark_probe(struct net *net, const struct upstream *upstream,
                        const struct secret *key, struct err *err)
{
    CLEANUP(net_reply_fini) struct net_reply reply = {0};
    char url[UPSTREAM_URL_MAX + 80], text[UPSTREAM_KEY_MAX + 32];
    struct str exposed = secret_expose(key);
    const char *headers[] = {text, NULL};
    struct net_call call = {.method = "GET",
                            .url = url,
                            .headers = headers,
                            .repeat = NET_ANY,
                            .total_us = PROBE_US,
                            .answer_max = ARK_ANSWER_MAX};

    (void)snprintf(url, sizeof(url), "%s/contents/generations/tasks?page_num=1&page_size=1",
                   upstream->base_url);
    (void)snprintf(text, sizeof(text), "Authorization: Bearer %.*s", (int)exposed.len,
                   exposed.ptr);
    enum err_code rc = net_call(net, &call, &reply, err);

    crypto_wipe(text, sizeof(text));
    if (rc != ERR_OK)
        return rc;
    if (reply.fate != NET_ANSWERED)
        return err_set(err, ERR_UPSTREAM, "%s does not answer: %s", upstream->base_url,
                       reply.reason);
    if (reply.status == 401 || reply.status == 403)
        return err_set(err, ERR_UPSTREAM, "%s refuses the key (status %d)", upstream->base_url,
                       reply.status);
    if (reply.status != 200)
        return err_set(err, ERR_UPSTREAM, "%s answers with status %d", upstream->base_url,
                       reply.status);
    return ERR_OK;
}
