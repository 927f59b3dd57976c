/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the guard share: host names, what is known about hosts, the hosts
 * that are answered from the options, and what a URL leads to. */
#ifndef ARKGATE_BASE_NET_GUARD_PRIVATE_H
#define ARKGATE_BASE_NET_GUARD_PRIVATE_H

#include "base/net/guard.h"

enum {
    NET_NAME_MAX = 253,     /* RFC 1035, 2.3.4: 255 bytes on the wire */
    NET_NAME_LABEL_MAX = 63 /* RFC 1035, 2.3.4 */
};

/* net_name.c ----------------------------------------------------------- */

/* Copies a host name in lower case. False for what is none: another byte than letter,
 * digit, hyphen, underscore and dot, a bad length, a last label that is a number
 * (resolvers take those for addresses in odd spellings), a dot at the end. */
bool net_name_copy(struct str host, char dst[NET_NAME_MAX + 1]);

/* net_hosts.c ---------------------------------------------------------- */

enum { NET_HOSTS_BUCKETS = 512 }; /* for 1024 remembered and 320 begun: two or three each */

enum net_entry_state { NET_ENTRY_WAITING, NET_ENTRY_RUNNING, NET_ENTRY_DONE };

/* A host being resolved or remembered: WAITING for a thread, RUNNING, or DONE. */
struct net_entry {
    struct net_entry *chain;         /* same bucket */
    struct net_entry *older, *newer; /* same state */
    enum net_entry_state state;
    bool listed; /* in the table; else its last waiter frees it */
    int waiters; /* + 1 by who begins to wait, - 1 by net_hosts_leave */
    int64_t owner;
    int64_t until_us; /* DONE: forgotten then */
    int status;       /* DONE: 0 or EAI_… */
    size_t count;
    struct sockaddr_storage *items;
    char name[NET_NAME_MAX + 1];
};

struct net_line {
    struct net_entry *oldest, *newest;
    int count;
};

/* All zero is empty. The caller locks. */
struct net_hosts {
    struct net_entry *buckets[NET_HOSTS_BUCKETS];
    struct net_line lines[NET_ENTRY_DONE + 1]; /* by state */
};

/* NULL when nothing is known or under way. */
struct net_entry *net_hosts_find(struct net_hosts *hosts, const char *name);
/* How many lookups of the owner's wait or run. Walks all that do: 320 at the most. */
int net_hosts_begun(const struct net_hosts *hosts, int64_t owner);
/* A host that waits for a thread; NULL without memory. */
struct net_entry *net_hosts_add(struct net_hosts *hosts, const char *name, int64_t owner);
/* The host that waited longest is RUNNING now, and stays in the table; NULL: none waits. */
struct net_entry *net_hosts_begin(struct net_hosts *hosts);
/* A RUNNING host is DONE; the answer is copied. Forgets the oldest answer of too many. */
void net_hosts_finish(struct net_hosts *hosts, struct net_entry *entry, int status,
                      const struct net_addresses *addresses, int64_t keep_us);
/* One waiter fewer; what nobody wants any more leaves its line. The entry may be gone. */
void net_hosts_leave(struct net_hosts *hosts, struct net_entry *entry);
void net_hosts_fini(struct net_hosts *hosts);

/* net_url.c ------------------------------------------------------------ */

/* What an accepted URL leads to. */
struct net_place {
    char host[NET_NAME_MAX + 1]; /* as in the URL; "" when that holds an address */
    int port;
    struct net_addresses addresses;
};

/* net_url_check, and what it was decided by. */
FALLIBLE net_url_place(struct net_resolver *resolver, struct str url,
                       const struct net_url_rule *rule, int64_t deadline_mono_us,
                       struct net_place *ret_place, struct err *err);

/* net_override.c ------------------------------------------------------- */

struct net_override {
    struct net_override *next;
    char host[NET_NAME_MAX + 1];
    struct net_addresses addresses;
};

/* The list that the text stands for, NULL when it is empty. ERR_CONFIG. */
FALLIBLE net_override_parse(struct str text, struct net_override **ret_list, struct err *err);
/* By a name from net_name_copy; NULL when there is none. */
const struct net_override *net_override_find(const struct net_override *list, const char *host);
void net_override_free(struct net_override **list);

#endif
