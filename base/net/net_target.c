/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps one guarded call to the addresses that were judged: the pin that libcurl resolves
 * by, and the last look at each socket's address, which does not trust the pin. */
#include "base/net/net_private.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SPEED_MIN_BYTES_S = 1024 }; /* a slow modem's; who drips holds a connection */

static bool is_same(const struct sockaddr *a, const struct sockaddr *b)
{
    const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
    const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET)
        return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return a->sa_family == AF_INET6 &&
           memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

static int port_of(const struct sockaddr *address)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;

    return ntohs(address->sa_family == AF_INET ? v4->sin_port : v6->sin6_port);
}

/* Public by the table and one of those of the check: either alone should do. */
static bool may_connect(const struct net_target *target, const struct sockaddr *address)
{
    const struct net_addresses *pinned = &target->place.addresses;

    if (!target->guard.rule.allow_private && !net_address_is_public(address))
        return false;
    for (size_t i = 0; i < pinned->count; i++) {
        if (is_same((const struct sockaddr *)&pinned->items[i], address))
            return port_of(address) == target->place.port;
    }
    return false;
}

/* libcurl connects the socket to what the address is afterwards. */
static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct net_target *target = ctx;
    const struct net_guard *guard = &target->guard;
    int fd;

    if (purpose != CURLSOCKTYPE_IPCXN || address->family != address->addr.sa_family ||
        !may_connect(target, &address->addr) ||
        (guard->connect != NULL && !guard->connect(guard->connect_ctx, &address->addr))) {
        target->refused = true;
        return CURL_SOCKET_BAD;
    }
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static void put_address(struct buf *line, const struct sockaddr_storage *address)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;
    char text[INET6_ADDRSTRLEN] = "";

    if (address->ss_family == AF_INET)
        (void)inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    else
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    buf_printf(line, address->ss_family == AF_INET ? "%s" : "[%s]", text);
}

/* "host:port:address,address"; an address in the URL needs no pin. */
static enum err_code make_pin(struct net_target *target, struct err *err)
{
    const struct net_place *place = &target->place;
    CLEANUP(buf_fini) struct buf line = {0};

    target->share = curl_share_init();
    if (target->share == NULL ||
        curl_share_setopt(target->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != CURLSHE_OK)
        return err_detail(err, ERR_INTERNAL, "no memory for a guarded call");
    if (place->host[0] == '\0')
        return ERR_OK;
    buf_init(&line, NET_NAME_MAX + 8 + NET_ADDRESSES_MAX * (INET6_ADDRSTRLEN + 3));
    buf_printf(&line, "%s:%d:", place->host, place->port);
    for (size_t i = 0; i < place->addresses.count; i++) {
        buf_puts(&line, i > 0 ? "," : "");
        put_address(&line, &place->addresses.items[i]);
    }
    TRY(buf_check(&line, err));
    target->pin = curl_slist_append(NULL, line.ptr);
    if (target->pin == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for a guarded call");
    return ERR_OK;
}

enum err_code net_target_new(const struct net_guard *guard, const char *url,
                             int64_t deadline_mono_us, struct net_target **ret_target,
                             struct err *err)
{
    CLEANUP(net_target_free) struct net_target *target = calloc(1, sizeof(*target));

    if (target == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for a guarded call");
    target->guard = *guard;
    TRY(net_url_place(guard->resolver, str_from(url), &guard->rule, deadline_mono_us,
                      &target->place, err));
    TRY(make_pin(target, err));
    *ret_target = target;
    target = NULL;
    return ERR_OK;
}

void net_target_free(struct net_target **target)
{
    struct net_target *freed = *target;

    *target = NULL;
    if (freed == NULL)
        return;
    curl_slist_free_all(freed->pin);
    (void)curl_share_cleanup(freed->share);
    free(freed);
}

bool net_target_apply(struct net_target *target, CURL *easy, int64_t stall_us)
{
    long stall_s = stall_us < 1000000 ? 1 : (long)(stall_us / 1000000);
    int bad = 0;

#define SET(option, value) (bad |= curl_easy_setopt(easy, option, value) != CURLE_OK)
    SET(CURLOPT_PROTOCOLS_STR, target->guard.rule.https_only ? "https" : "http,https");
    SET(CURLOPT_SHARE, target->share);
    SET(CURLOPT_RESOLVE, target->pin);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(CURLOPT_OPENSOCKETDATA, target);
    /* A connection that another call made was judged by another rule, or none. */
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    SET(CURLOPT_LOW_SPEED_LIMIT, (long)SPEED_MIN_BYTES_S);
    SET(CURLOPT_LOW_SPEED_TIME, stall_s);
#undef SET
    return bad == 0;
}
