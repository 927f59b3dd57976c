/* SPDX-License-Identifier: Apache-2.0 */
/* Decides which addresses are on the public internet, by one table of prefixes,
 * and which texts are addresses. Knows nothing about names. */
#include "base/net/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* 2000::/3 is all that IANA has given out as global unicast (IPv6 Address Space
 * registry). Outside it, and so refused without rows of their own: ::/128 and
 * ::1/128 (RFC 4291), ::ffff:0:0/96 v4-mapped (RFC 4291), 64:ff9b::/96 and
 * 64:ff9b:1::/48 NAT64 (RFC 6052, 8215), 100::/64 discard (RFC 6666), 5f00::/16
 * SRv6 (RFC 9602), fc00::/7 (RFC 4193), fe80::/10 and ff00::/8 (RFC 4291), fec0::/10
 * (RFC 3879). */
static const uint8_t global_unicast_bits = 0x20, global_unicast_mask = 0xe0;

/* Not public, from the IANA special-purpose address registries of IPv4 and IPv6 (RFC
 * 6890) and the IPv4 Address Space registry. Blocks that those registries call globally
 * reachable (AS112, AMT) are left out, unless one refused as a whole holds them. */
static const struct {
    int family;
    unsigned bits;
    uint8_t prefix[16];
} refused[] = {
    {AF_INET, 8, {0}},                    /* "this network", RFC 791 */
    {AF_INET, 8, {10}},                   /* private use, RFC 1918 */
    {AF_INET, 10, {100, 64}},             /* shared by carrier-grade NAT, RFC 6598 */
    {AF_INET, 8, {127}},                  /* loopback, RFC 1122 */
    {AF_INET, 16, {169, 254}},            /* link-local, RFC 3927; cloud metadata */
    {AF_INET, 12, {172, 16}},             /* private use, RFC 1918 */
    {AF_INET, 24, {192, 0, 0}},           /* IETF protocol assignments, RFC 6890 */
    {AF_INET, 24, {192, 0, 2}},           /* TEST-NET-1, RFC 5737 */
    {AF_INET, 24, {192, 88, 99}},         /* 6to4 relay anycast, RFC 3068, 7526 */
    {AF_INET, 16, {192, 168}},            /* private use, RFC 1918 */
    {AF_INET, 15, {198, 18}},             /* benchmarking, RFC 2544 */
    {AF_INET, 24, {198, 51, 100}},        /* TEST-NET-2, RFC 5737 */
    {AF_INET, 24, {203, 0, 113}},         /* TEST-NET-3, RFC 5737 */
    {AF_INET, 4, {224}},                  /* multicast, RFC 5771 */
    {AF_INET, 4, {240}},                  /* reserved, RFC 1112; broadcast, RFC 919 */
    {AF_INET6, 23, {0x20, 0x01}},         /* IETF protocol assignments, RFC 2928: Teredo
                                           * (4380), benchmarking (5180), ORCHID (4843,
                                           * 7343), DRIP (9374) */
    {AF_INET6, 32, {0x20, 1, 0xd, 0xb8}}, /* documentation, RFC 3849 */
    {AF_INET6, 16, {0x20, 0x02}},         /* 6to4, embeds IPv4, RFC 3056 */
    {AF_INET6, 20, {0x3f, 0xff}},         /* documentation, RFC 9637 */
};

static bool has_prefix(const uint8_t *bytes, const uint8_t *prefix, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(bytes, prefix, whole) != 0)
        return false;
    return rest == 0 || ((bytes[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

static bool is_refused(int family, const uint8_t *bytes)
{
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        if (refused[i].family == family &&
            has_prefix(bytes, refused[i].prefix, refused[i].bits))
            return true;
    }
    return false;
}

bool net_address_is_public(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        return !is_refused(AF_INET, (const uint8_t *)&v4.sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        memcpy(&v6, address, sizeof(v6));
        return (v6.sin6_addr.s6_addr[0] & global_unicast_mask) == global_unicast_bits &&
               !is_refused(AF_INET6, v6.sin6_addr.s6_addr);
    }
    return false;
}

bool net_address_parse(struct str text, struct sockaddr_storage *ret_address)
{
    char copy[INET6_ADDRSTRLEN];
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    /* inet_pton takes nothing but the two forms, and no zone; getaddrinfo and inet_aton
     * take many more. */
    if (!str_copy(copy, sizeof(copy), text) || strlen(copy) != text.len)
        return false;
    if (inet_pton(AF_INET, copy, &v4.sin_addr) == 1) {
        memset(ret_address, 0, sizeof(*ret_address));
        memcpy(ret_address, &v4, sizeof(v4));
        return true;
    }
    if (inet_pton(AF_INET6, copy, &v6.sin6_addr) == 1) {
        memset(ret_address, 0, sizeof(*ret_address));
        memcpy(ret_address, &v6, sizeof(v6));
        return true;
    }
    return false;
}
