/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the guard share: host names and the hosts that are answered
 * from the options, and what a URL leads to. */
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
