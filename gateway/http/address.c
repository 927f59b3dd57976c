/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of clients: whose word about its own clients is believed, and which
 * address a request that a proxy passes on counts for. */
#include "gateway/http/http_private.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
    V4_BITS_BEFORE = 96, /* of ::ffff:a.b.c.d */
    V6_CLIENT_BYTES = 8  /* a /64 is what one subscriber gets, and can use all of */
};

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const struct address *address)
{
    return memcmp(address->bytes, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool address_parse(struct str text, struct address *ret_address)
{
    char host[64];
    struct address address;

    if (!str_copy(host, sizeof(host), text))
        return false;
    if (inet_pton(AF_INET6, host, address.bytes) != 1) {
        memcpy(address.bytes, v4_prefix, sizeof(v4_prefix));
        if (inet_pton(AF_INET, host, address.bytes + sizeof(v4_prefix)) != 1)
            return false;
    }
    *ret_address = address;
    return true;
}

bool address_of_peer(int fd, struct address *ret_address)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);

    if (fd < 0 || getpeername(fd, (struct sockaddr *)&peer, &len) != 0)
        return false;
    if (peer.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&peer;

        memcpy(ret_address->bytes, &v6->sin6_addr, sizeof(ret_address->bytes));
        return true;
    }
    if (peer.ss_family != AF_INET)
        return false;
    memcpy(ret_address->bytes, v4_prefix, sizeof(v4_prefix));
    memcpy(ret_address->bytes + sizeof(v4_prefix),
           &((const struct sockaddr_in *)(const void *)&peer)->sin_addr, 4);
    return true;
}

static bool range_parse(struct str text, struct address_range *ret_range)
{
    const char *slash = memchr(text.ptr, '/', text.len);
    size_t len = slash != NULL ? (size_t)(slash - text.ptr) : text.len;
    struct address_range range = {.bits = 128};
    int64_t bits;

    if (!address_parse((struct str){text.ptr, len}, &range.first))
        return false;
    if (slash != NULL) {
        int before = memchr(text.ptr, ':', len) == NULL ? V4_BITS_BEFORE : 0;

        if (!str_to_i64((struct str){slash + 1, text.len - len - 1}, &bits) || bits < 0 ||
            bits > 128 - before)
            return false;
        range.bits = (int)bits + before;
    }
    *ret_range = range;
    return true;
}

enum err_code address_list_parse(const char *text, struct address_list *ret_list,
                                 struct err *err)
{
    struct address_list list = {0};
    const char *at = text != NULL ? text : "";

    while (*at != '\0') {
        size_t len = strcspn(at, ";");

        if (list.count == COUNT_OF(list.ranges))
            return err_set(err, ERR_CONFIG, "trusted_proxies: at most %zu",
                           COUNT_OF(list.ranges));
        if (!range_parse((struct str){at, len}, &list.ranges[list.count++]))
            return err_set(err, ERR_CONFIG,
                           "trusted_proxies: \"%.*s\" is no address, nor one with a prefix "
                           "length, like 192.0.2.0/24",
                           (int)(len < 80 ? len : 80), at);
        at += len + (at[len] == ';');
    }
    *ret_list = list;
    return ERR_OK;
}

static bool range_holds(const struct address_range *range, const struct address *address)
{
    size_t bytes = (size_t)range->bits / 8;
    int left = range->bits % 8;

    return memcmp(range->first.bytes, address->bytes, bytes) == 0 &&
           (left == 0 ||
            ((range->first.bytes[bytes] ^ address->bytes[bytes]) >> (8 - left)) == 0);
}

bool address_trusted(const struct address_list *list, const struct address *address)
{
    static const struct address loopback = {.bytes = {[15] = 1}};

    if (memcmp(address, &loopback, sizeof(loopback)) == 0 ||
        (is_v4(address) && address->bytes[sizeof(v4_prefix)] == 127))
        return true;
    for (size_t i = 0; i < list->count; i++) {
        if (range_holds(&list->ranges[i], address))
            return true;
    }
    return false;
}

struct address address_client(const struct address *address)
{
    struct address client = *address;

    if (!is_v4(address))
        memset(client.bytes + V6_CLIENT_BYTES, 0, sizeof(client.bytes) - V6_CLIENT_BYTES);
    return client;
}

/* "192.0.2.1", "2001:db8::1", and with a port: "192.0.2.1:80", "[2001:db8::1]:80". */
static bool element_parse(struct str text, struct address *ret_address)
{
    const char *colon = memchr(text.ptr, ':', text.len), *end;

    if (text.len > 0 && text.ptr[0] == '[') {
        end = memchr(text.ptr, ']', text.len);
        return end != NULL &&
               address_parse((struct str){text.ptr + 1, (size_t)(end - text.ptr) - 1},
                             ret_address);
    }
    if (colon != NULL &&
        memchr(colon + 1, ':', text.len - (size_t)(colon - text.ptr) - 1) == NULL)
        text.len = (size_t)(colon - text.ptr);
    return address_parse(text, ret_address);
}

/* Cuts the last element off a list. */
static struct str last_element(struct str *list)
{
    size_t start = list->len, end;

    while (start > 0 && list->ptr[start - 1] != ',')
        start--;
    struct str element = {list->ptr + start, list->len - start};

    list->len = start > 0 ? start - 1 : 0;
    end = element.len;
    while (end > 0 && (element.ptr[end - 1] == ' ' || element.ptr[end - 1] == '\t'))
        end--;
    element.len = end;
    while (element.len > 0 && (*element.ptr == ' ' || *element.ptr == '\t')) {
        element.ptr++;
        element.len--;
    }
    return element;
}

bool address_forwarded(const struct address_list *list, struct str value,
                       struct address *ret_address, bool *ret_end)
{
    *ret_end = false;
    while (value.len > 0) {
        struct address address;

        if (!element_parse(last_element(&value), &address)) {
            *ret_end = true; /* what stands before it was not vouched for */
            return false;
        }
        if (!address_trusted(list, &address)) {
            *ret_address = address;
            return true;
        }
    }
    return false;
}

bool address_of_request(const struct address_list *list, const struct request *rq,
                        struct address *ret_address)
{
    const struct mg_request_info *info = mg_get_request_info(rq->conn);
    bool end = false;

    for (int i = info->num_headers; i-- > 0 && !end;) {
        if (strcasecmp(info->http_headers[i].name, "X-Forwarded-For") == 0 &&
            address_forwarded(list, str_from(info->http_headers[i].value), ret_address, &end))
            return true;
    }
    return false;
}
