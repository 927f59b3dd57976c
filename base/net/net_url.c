/* SPDX-License-Identifier: Apache-2.0 */
/* Decides whether a tenant's URL may be called or handed on. libcurl's parser is the
 * only one, because libcurl connects: what it read must stand in the text as it is. */
#include "base/net/guard_private.h"

#include <curl/curl.h>
#include <string.h>

enum {
    LEN_DEFAULT = 8000,  /* what every sender and recipient should support: RFC 9110, 4.1 */
    PORT_FREE_MIN = 1024 /* below are the system's services: RFC 6335 */
};

static const char bad_host[] = "its host is not a valid name or address";
static const char bad_port[] = "its port must be 80, 443 or above 1023";

/* libcurl's reading; the port is NULL when the text has none. */
struct parts {
    CURLU *url;
    char *scheme, *host, *port;
};

static void parts_fini(struct parts *parts)
{
    curl_free(parts->scheme);
    curl_free(parts->host);
    curl_free(parts->port);
    curl_url_cleanup(parts->url);
}

static enum err_code check_text(struct str url, size_t len_max, struct err *err)
{
    if (url.len == 0)
        return err_set(err, ERR_INVALID, "must not be empty");
    if (url.len > len_max)
        return err_set(err, ERR_INVALID, "must be at most %zu bytes long", len_max);
    for (size_t i = 0; i < url.len; i++) {
        if (url.ptr[i] <= ' ' || url.ptr[i] >= 0x7f || url.ptr[i] == '\\')
            return err_set(err, ERR_INVALID,
                           "must be ASCII without spaces, control characters and backslashes");
    }
    return ERR_OK;
}

static enum err_code not_http(const struct net_url_rule *rule, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   rule->https_only ? "must be an https URL" : "must be an http or https URL");
}

static enum err_code refused_by_curl(CURLUcode code, const struct net_url_rule *rule,
                                     struct err *err)
{
    switch (code) {
    case CURLUE_OUT_OF_MEMORY:
        return err_detail(err, ERR_INTERNAL, "no memory for a URL");
    case CURLUE_BAD_SCHEME:
    case CURLUE_UNSUPPORTED_SCHEME:
    case CURLUE_NO_SCHEME:
        return not_http(rule, err);
    case CURLUE_USER_NOT_ALLOWED:
        return err_set(err, ERR_INVALID, "must not hold a user name or password");
    case CURLUE_BAD_PORT_NUMBER:
        return err_set(err, ERR_INVALID, bad_port);
    case CURLUE_NO_HOST:
    case CURLUE_BAD_HOSTNAME:
    case CURLUE_BAD_IPV6:
        return err_set(err, ERR_INVALID, bad_host);
    default:
        return err_set(err, ERR_INVALID, "is not a valid URL");
    }
}

static enum err_code check_scheme(const struct parts *parts, const struct net_url_rule *rule,
                                  struct err *err)
{
    if (strcmp(parts->scheme, "https") == 0)
        return ERR_OK;
    if (strcmp(parts->scheme, "http") == 0 && !rule->https_only)
        return ERR_OK;
    return not_http(rule, err);
}

/* No flag that guesses a scheme or a host. */
static enum err_code parse(const char *text, const struct net_url_rule *rule,
                           struct parts *parts, struct err *err)
{
    CURLUcode code = CURLUE_OUT_OF_MEMORY;

    parts->url = curl_url();
    if (parts->url != NULL)
        code = curl_url_set(parts->url, CURLUPART_URL, text, CURLU_DISALLOW_USER);
    if (code == CURLUE_OK)
        code = curl_url_get(parts->url, CURLUPART_SCHEME, &parts->scheme, 0);
    if (code == CURLUE_OK)
        TRY(check_scheme(parts, rule, err)); /* a file has no host to complain of */
    if (code == CURLUE_OK)
        code = curl_url_get(parts->url, CURLUPART_HOST, &parts->host, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parts->url, CURLUPART_PORT, &parts->port, 0);
    if (code == CURLUE_OK || code == CURLUE_NO_PORT)
        return ERR_OK;
    return refused_by_curl(code, rule, err);
}

static bool skip(struct str *rest, const char *part)
{
    struct str prefix = str_from(part);

    if (!str_starts_nocase(*rest, prefix))
        return false;
    *rest = (struct str){rest->ptr + prefix.len, rest->len - prefix.len};
    return true;
}

/* libcurl decodes %31, completes 127.1 and forgets a slash too many; another reader of
 * the same text need not. So its start must be what libcurl made of it, but for case. */
static bool is_plain(struct str url, const struct parts *parts)
{
    struct str rest = url;

    if (!skip(&rest, parts->scheme) || !skip(&rest, "://") || !skip(&rest, parts->host))
        return false;
    if (parts->port != NULL && (!skip(&rest, ":") || !skip(&rest, parts->port)))
        return false;
    return rest.len == 0 || memchr("/?#", rest.ptr[0], 3) != NULL;
}

static enum err_code check_port(const struct parts *parts, int *ret_port, struct err *err)
{
    int64_t number = strcmp(parts->scheme, "https") == 0 ? 443 : 80;

    if (parts->port != NULL && !str_to_i64(str_from(parts->port), &number))
        return err_set(err, ERR_INVALID, bad_port);
    if (number != 80 && number != 443 && (number < PORT_FREE_MIN || number > 65535))
        return err_set(err, ERR_INVALID, bad_port);
    *ret_port = (int)number;
    return ERR_OK;
}

/* True for an address in a URL: dotted quad, or IPv6 in brackets. */
static bool parse_literal(struct str host, struct sockaddr_storage *ret_address)
{
    bool is_v6 = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';

    if (is_v6)
        host = (struct str){host.ptr + 1, host.len - 2};
    return net_address_parse(host, ret_address) &&
           (ret_address->ss_family == AF_INET6) == is_v6;
}

static enum err_code look_up(struct net_resolver *resolver, const struct net_question *question,
                             struct net_addresses *ret_addresses, struct err *err)
{
    enum err_code rc = net_resolver_lookup(resolver, question, ret_addresses, err);

    switch (rc) {
    case ERR_INVALID:
        return err_set(err, ERR_INVALID, bad_host);
    case ERR_NOT_FOUND:
        return err_set(err, ERR_INVALID,
                       "its host must resolve, and to public addresses alone");
    case ERR_TOO_LARGE:
        return err_set(err, ERR_INVALID, "its host has more than %d addresses",
                       NET_ADDRESSES_MAX);
    case ERR_TIMEOUT:
        return err_set(err, ERR_INVALID, "its host could not be resolved in time");
    default:
        return rc;
    }
}

static enum err_code check_host(struct net_resolver *resolver,
                                const struct net_question *question, bool allow_private,
                                struct net_place *place, struct err *err)
{
    struct net_addresses *addresses = &place->addresses;

    place->host[0] = '\0';
    if (parse_literal(question->host, &addresses->items[0])) {
        addresses->count = 1;
    } else {
        TRY(look_up(resolver, question, addresses, err));
        (void)str_copy(place->host, sizeof(place->host), question->host);
    }
    for (size_t i = 0; i < addresses->count && !allow_private; i++) {
        if (!net_address_is_public((const struct sockaddr *)&addresses->items[i]))
            return err_set(err, ERR_INVALID,
                           "its host must resolve, and to public addresses alone");
    }
    return ERR_OK;
}

enum err_code net_url_check(struct net_resolver *resolver, struct str url,
                            const struct net_url_rule *rule, int64_t deadline_mono_us,
                            struct err *err)
{
    struct net_place place;

    return net_url_place(resolver, url, rule, deadline_mono_us, &place, err);
}

enum err_code net_url_place(struct net_resolver *resolver, struct str url,
                            const struct net_url_rule *rule, int64_t deadline_mono_us,
                            struct net_place *ret_place, struct err *err)
{
    CLEANUP(parts_fini) struct parts parts = {0};
    CLEANUP(buf_fini) struct buf text = {0};
    struct net_question question = {.owner = rule->owner, .deadline_mono_us = deadline_mono_us};
    size_t len_max = rule->len_max != 0 ? rule->len_max : LEN_DEFAULT;

    TRY(check_text(url, len_max, err));
    buf_init(&text, url.len + 1);
    buf_put_str(&text, url);
    TRY(buf_check(&text, err));
    TRY(parse(text.ptr, rule, &parts, err));
    TRY(check_port(&parts, &ret_place->port, err));
    if (!is_plain(url, &parts))
        return err_set(err, ERR_INVALID, "its host or port is not written in the usual form");
    question.host = str_from(parts.host);
    return check_host(resolver, &question, rule->allow_private, ret_place, err);
}
