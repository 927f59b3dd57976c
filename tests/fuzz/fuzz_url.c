/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target for URLs of tenants. What the guard accepts must lead to a public
 * address by libcurl's reading as well as by the C library's. */
#include "base/net/guard.h"
#include "tests/fuzz/fuzz.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

enum { PATIENCE_US = 10000000, HOST_BYTES = 300 };

/* Every name is public, unless it says otherwise; an address in any spelling is none. */
static int fuzz_lookup(void *ctx, const char *host, struct net_addresses *ret_addresses)
{
    struct in_addr odd;
    bool is_private = strstr(host, "private") != NULL;

    (void)ctx;
    ASSERT(inet_aton(host, &odd) == 0);
    ASSERT(strlen(host) <= 253 &&
           strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(host));
    ASSERT(net_address_parse(is_private ? STR("10.0.0.1") : STR("8.8.8.8"),
                             &ret_addresses->items[0]));
    ret_addresses->count = 1;
    return 0;
}

static struct net_resolver *resolver_once(void)
{
    static struct net_resolver *resolver;
    struct net_resolver_options options = {.threads = 1, .lookup = fuzz_lookup};
    struct err err;

    if (resolver == NULL)
        ASSERT(net_resolver_open(&options, &resolver, &err) == ERR_OK);
    return resolver;
}

/* What stands between "//" and the next of ":/?#", or the brackets. */
static struct str host_of(struct str url)
{
    struct str host = {memmem(url.ptr, url.len, "//", 2), 0};
    size_t left;

    ASSERT(host.ptr != NULL);
    host.ptr += 2;
    left = url.len - (size_t)(host.ptr - url.ptr);
    if (left > 0 && host.ptr[0] == '[')
        while (host.len < left && host.ptr[host.len] != ']')
            host.len++;
    while (host.len < left && strchr(":/?#", host.ptr[host.len]) == NULL)
        host.len++;
    return host;
}

static void check_accepted(struct str url, const struct net_url_rule *rule)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *list = NULL;
    struct str host = host_of(url);
    char text[HOST_BYTES];

    ASSERT(str_starts_nocase(url, STR("https://")) ||
           (!rule->https_only && str_starts_nocase(url, STR("http://"))));
    ASSERT(host.len > 0 && memchr(host.ptr, '@', host.len) == NULL);
    if (host.ptr[0] == '[')
        host = (struct str){host.ptr + 1, host.len - 2};
    ASSERT(str_copy(text, sizeof(text), host));
    ASSERT(rule->allow_private || strcasestr(text, "private") == NULL);
    /* a number in any spelling that the C library connects to */
    if (getaddrinfo(text, NULL, &hints, &list) == 0) {
        ASSERT(rule->allow_private || net_address_is_public(list->ai_addr));
        freeaddrinfo(list);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct net_url_rule rules[] = {
        {.https_only = true}, {.https_only = false}, {.allow_private = true}};
    struct str url = {(const char *)data, size};
    struct sockaddr_storage address;
    char text[INET6_ADDRSTRLEN];
    struct err err;

    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        enum err_code rc =
            net_url_check(resolver_once(), url, &rules[i], sys_mono_us() + PATIENCE_US, &err);

        ASSERT(rc == ERR_OK ||
               (rc == ERR_INVALID && err.msg[0] != '\0' && err.field[0] == '\0'));
        if (rc == ERR_OK)
            check_accepted(url, &rules[i]);
    }
    if (net_address_parse(url, &address)) {
        const void *bytes = address.ss_family == AF_INET
                                ? (const void *)&((struct sockaddr_in *)&address)->sin_addr
                                : (const void *)&((struct sockaddr_in6 *)&address)->sin6_addr;

        ASSERT(inet_ntop(address.ss_family, bytes, text, sizeof(text)) != NULL);
        /* there is one way to write an IPv4 address */
        ASSERT(address.ss_family == AF_INET6 || str_is(url, text));
    }
    return 0;
}
