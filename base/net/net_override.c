/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the hosts that an operator answers himself, "host=addr[+addr...];...". */
#include "base/net/guard_private.h"

#include <stdlib.h>
#include <string.h>

enum {
    OVERRIDES_MAX = 64, /* a line that somebody typed; each takes 8 kB */
    SHOWN_MAX = 100     /* bytes of a bad part in its message */
};

static enum err_code bad_part(struct str part, const char *why, struct err *err)
{
    char shown[SHOWN_MAX];

    str_copy_cut(shown, sizeof(shown), part);
    return err_set(err, ERR_CONFIG, "resolver override \"%s\": %s", shown, why);
}

/* What stands before the first mark; *rest keeps what follows it. False at the end. */
static bool next_part(struct str *rest, char mark, struct str *ret_part)
{
    const char *end;

    if (rest->ptr == NULL)
        return false;
    end = memchr(rest->ptr, mark, rest->len);
    *ret_part =
        str_trim((struct str){rest->ptr, end == NULL ? rest->len : (size_t)(end - rest->ptr)});
    if (end == NULL)
        *rest = (struct str){NULL, 0};
    else
        *rest = (struct str){end + 1, rest->len - (size_t)(end + 1 - rest->ptr)};
    return true;
}

static enum err_code read_part(struct str part, struct net_override *override, struct err *err)
{
    struct str rest = part, text;

    (void)next_part(&rest, '=', &text);
    if (rest.ptr == NULL)
        return bad_part(part, "must be host=address", err);
    if (!net_name_copy(text, override->host))
        return bad_part(part, "the host is not a name", err);
    while (next_part(&rest, '+', &text)) {
        struct net_addresses *addresses = &override->addresses;

        if (addresses->count == NET_ADDRESSES_MAX)
            return bad_part(part, "more than 64 addresses", err);
        if (!net_address_parse(text, &addresses->items[addresses->count]))
            return bad_part(part, "an address is not an IP address", err);
        addresses->count++;
    }
    return ERR_OK;
}

enum err_code net_override_parse(struct str text, struct net_override **ret_list,
                                 struct err *err)
{
    CLEANUP(net_override_free) struct net_override *list = NULL;
    struct str rest = str_trim(text), part;

    if (rest.len == 0)
        rest.ptr = NULL;
    for (int count = 1; next_part(&rest, ';', &part); count++) {
        struct net_override *override = calloc(1, sizeof(*override));

        if (override == NULL)
            return err_detail(err, ERR_INTERNAL, "no memory for a resolver override");
        override->next = list;
        list = override;
        TRY(read_part(part, override, err));
        if (net_override_find(override->next, override->host) != NULL)
            return bad_part(part, "the host is named twice", err);
        if (count > OVERRIDES_MAX)
            return bad_part(part, "more than 64 hosts", err);
    }
    *ret_list = list;
    list = NULL;
    return ERR_OK;
}

const struct net_override *net_override_find(const struct net_override *list, const char *host)
{
    while (list != NULL && strcmp(list->host, host) != 0)
        list = list->next;
    return list;
}

void net_override_free(struct net_override **list)
{
    while (*list != NULL) {
        struct net_override *next = (*list)->next;

        free(*list);
        *list = next;
    }
}
