/* SPDX-License-Identifier: Apache-2.0 */
/* Which outbound addresses a tenant may make us call: what an address is, what
 * a host name resolves to, which URLs are acceptable. Decides only; nothing here
 * connects. A check is worth nothing for a later connection by name: who connects
 * must do it with a struct net_guard (net.h), which checks again, pins the addresses
 * of its own check and judges the real socket's. */
#ifndef ARKGATE_BASE_NET_GUARD_H
#define ARKGATE_BASE_NET_GUARD_H

#include "base/base.h"

#include <sys/socket.h>

/* Of one host; more than any service publishes (a DNS answer without EDNS holds
 * 30). A host with more is refused: an address nobody judged could be any. */
enum { NET_ADDRESSES_MAX = 64 };

struct net_addresses {
    size_t count;
    struct sockaddr_storage items[NET_ADDRESSES_MAX]; /* AF_INET or AF_INET6, port 0 */
};

/* net_address.c -------------------------------------------------------- */

/* True for an IPv4 or IPv6 address that the IANA registries hold for the public
 * internet and that embeds no other address. The port does not matter. */
bool net_address_is_public(const struct sockaddr *address);
/* A dotted quad of decimal numbers without leading zeros, or IPv6 without brackets
 * and zone; the whole text, nothing else. */
bool net_address_parse(struct str text, struct sockaddr_storage *ret_address);

/* net_resolver.c ------------------------------------------------------- */

struct net_resolver; /* thread-safe */

struct net_resolver_options {
    int threads;      /* lookups at a time, at most 64; 0 means 32. None is started unasked */
    int64_t idle_us;  /* a thread without work ends then, at most a day; 0: 10 s */
    int queue_max;    /* hosts waiting for a thread; beyond it ERR_BUSY; 0 means 256 */
    int owner_max;    /* lookups begun for one owner; beyond it ERR_BUSY; 0 means 4 */
    int64_t cache_us; /* an answer is used again so long, at most a day; 0 means 10 s */
    /* "host=addr[+addr...];host2=..." answers those hosts without asking anyone. The
     * addresses are judged like all others. Copied. */
    struct str overrides;
    /* For tests, in place of the system's resolver; NULL outside them. Returns 0 or an
     * EAI_ number (EAI_OVERFLOW for too many addresses), runs on several threads, and
     * lookup_ctx must live until the last of its calls returned, net_resolver_close or not. */
    int (*lookup)(void *lookup_ctx, const char *host, struct net_addresses *ret_addresses);
    void *lookup_ctx;
};

/* ERR_CONFIG names the bad part of the overrides. With the system's resolver it sets
 * RES_OPTIONS in the environment, for the whole process, unless that is set: "timeout:1
 * attempts:2", so that a silent name server is given up after seconds. An environment is
 * not thread-safe: open the resolver before other threads start. */
FALLIBLE net_resolver_open(const struct net_resolver_options *options,
                           struct net_resolver **ret_resolver, struct err *err);
/* Returns at once. Waiting calls end with ERR_UNAVAILABLE; none may begin any more. A
 * lookup that hangs in the system keeps its thread and what that thread uses until the
 * system gives up, and frees it then. */
void net_resolver_close(struct net_resolver **resolver);

struct net_question {
    struct str host;
    /* Whom the lookup is counted for, until it ends, however long its caller waits: one
     * owner's slow name servers must not take all threads. 0: not counted. What is known
     * or under way costs nothing. */
    int64_t owner;
    int64_t deadline_mono_us; /* sys_mono_us time */
};

/* Every address of a host name, from the overrides, the cache or the system. Blocks
 * until the deadline at most; equal hosts share one lookup.
 * ERR_INVALID: no host name (an IP address in any spelling is none, and neither is a
 * name with a dot at its end); ERR_NOT_FOUND: does not resolve; ERR_TOO_LARGE: over
 * NET_ADDRESSES_MAX addresses; ERR_TIMEOUT: the lookup did not end in time; ERR_BUSY:
 * it may not begin, or did not in time; ERR_UNAVAILABLE: the machine has no memory or
 * descriptors for it, or close. */
FALLIBLE net_resolver_lookup(struct net_resolver *resolver, const struct net_question *question,
                             struct net_addresses *ret_addresses, struct err *err);

/* net_url.c ------------------------------------------------------------ */

struct net_url_rule {
    bool https_only;    /* else http too */
    bool allow_private; /* any address will do; the host must still resolve */
    size_t len_max;     /* bytes; 0 means 8000 */
    int64_t owner;      /* of the lookup, as in struct net_question */
};

/* ERR_INVALID unless the URL is plain (printable ASCII, no user info, its host and port
 * written as a parser would write them, port 80, 443 or above 1023) and every address of
 * its host is public. The message completes "callback_url: " and tells neither addresses
 * nor text of the URL. ERR_BUSY, ERR_UNAVAILABLE: not judged, try again. Blocks until the
 * deadline (sys_mono_us time) at most. */
FALLIBLE net_url_check(struct net_resolver *resolver, struct str url,
                       const struct net_url_rule *rule, int64_t deadline_mono_us,
                       struct err *err);

/* What a call to a URL that a tenant chose is made under: net.h, struct net_call. */
struct net_guard {
    struct net_resolver *resolver;
    struct net_url_rule rule;
    /* For tests; NULL outside them. Sees the address of each socket that the guard lets
     * pass, may set another of the same family, and refuses the socket by false. Runs on
     * the loop's thread. */
    bool (*connect)(void *connect_ctx, struct sockaddr *address);
    void *connect_ctx;
};

#endif
