/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a base URL. Where it leads is the operator's word; whether it
 * answers is found out by those who call it. */
#include "tenancy/private.h"

#include <string.h>

static enum err_code refuse(struct err *err, const char *why)
{
    return err_field(err, "base_url", "base_url %s", why);
}

/* Splits off the port, if any; false when it is not 1 to 65535. */
static bool port_take(struct str *authority)
{
    const char *colon = memrchr(authority->ptr, ':', authority->len);
    const char *end = authority->ptr + authority->len;
    int64_t port;

    if (colon == NULL || memchr(colon, ']', (size_t)(end - colon)) != NULL)
        return true;
    struct str digits = {colon + 1, (size_t)(end - colon - 1)};
    authority->len = (size_t)(colon - authority->ptr);
    return name_is(digits, 1, 5, NAME_DIGITS) && str_to_i64(digits, &port) && port >= 1 &&
           port <= 65535;
}

/* A name, an IPv4 address or an IPv6 address in brackets; who resolves it decides
 * whether it means anything. */
static bool host_good(struct str host)
{
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        return name_is((struct str){host.ptr + 1, host.len - 2}, 2, 45,
                       NAME_DIGITS "abcdefABCDEF:.");
    /* 253: longest DNS name */
    return name_is(host, 1, 253, NAME_LOWER NAME_UPPER NAME_DIGITS ".-_") &&
           host.ptr[0] != '-' && host.ptr[0] != '.';
}

FALLIBLE upstream_url_take(struct str text, char ret_url[UPSTREAM_URL_MAX + 1], struct err *err)
{
    static const struct str schemes[] = {STR("https://"), STR("http://")};
    struct str rest = {0};

    if (text.len > UPSTREAM_URL_MAX)
        return err_field(err, "base_url", "base_url must be at most %d bytes",
                         UPSTREAM_URL_MAX);
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        if (text.len > schemes[i].len && memcmp(text.ptr, schemes[i].ptr, schemes[i].len) == 0)
            rest = (struct str){text.ptr + schemes[i].len, text.len - schemes[i].len};
    }
    if (rest.len == 0)
        return refuse(err, "must begin with http:// or https:// and a host");
    for (size_t i = 0; i < rest.len; i++) {
        /* Characters that URL parsers read in different ways. */
        if (rest.ptr[i] <= ' ' || rest.ptr[i] > '~' || strchr("\\\"<>^`{|}", rest.ptr[i]))
            return refuse(err, "must be printable ASCII");
        if (strchr("?#", rest.ptr[i]) != NULL)
            return refuse(err, "must have no query and no fragment");
    }
    while (rest.len > 0 && rest.ptr[rest.len - 1] == '/')
        rest.len--;

    struct str authority = rest;
    const char *slash = rest.len == 0 ? NULL : memchr(rest.ptr, '/', rest.len);
    if (slash != NULL)
        authority.len = (size_t)(slash - rest.ptr);
    if (authority.len > 0 && memchr(authority.ptr, '@', authority.len) != NULL)
        return refuse(err, "must hold no user and no password");
    if (authority.len == 0 || !port_take(&authority) || !host_good(authority))
        return refuse(err, "must name a host and, if any, a port of 1 to 65535");
    text.len = (size_t)(rest.ptr - text.ptr) + rest.len;
    (void)str_copy(ret_url, UPSTREAM_URL_MAX + 1, text);
    return ERR_OK;
}
