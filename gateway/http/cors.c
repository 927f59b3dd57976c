/* SPDX-License-Identifier: Apache-2.0 */
/* Which web pages may read our answers from a browser (the setting cors_origins). Off
 * by default: then no answer says a word about it, and browsers refuse. A token never
 * comes along by itself, as a cookie would, so credentials are never allowed. */
#include "gateway/http/http_private.h"

#include <string.h>
#include <strings.h>

#define MAX_AGE "600" /* seconds; how long a page may outlive a change of the setting */

enum { ORIGIN_MAX = 255 + 32 /* a host name, a scheme and a port */ };

/* What a client of these APIs has to send beyond what browsers always may. */
static const char *const cors_headers[] = {"Authorization", "Content-Type", "Idempotency-Key",
                                           "X-Idempotency-Key", "X-Client-Request-Id"};

/* Cuts the next item off a list. */
static struct str next_item(struct str *rest, char separator)
{
    const char *end = memchr(rest->ptr, separator, rest->len);
    struct str item = {rest->ptr, end != NULL ? (size_t)(end - rest->ptr) : rest->len};
    size_t taken = item.len + (end != NULL ? 1 : 0);

    *rest = (struct str){rest->ptr + taken, rest->len - taken};
    return str_trim(item);
}

static size_t span(struct str text, const char *letters)
{
    size_t len = 0;

    while (len < text.len && text.ptr[len] != '\0' && strchr(letters, text.ptr[len]) != NULL)
        len++;
    return len;
}

static struct str skip(struct str text, size_t len)
{
    return (struct str){text.ptr + len, text.len - len};
}

/* ":8443" or nothing; never the scheme's own port, which browsers leave out. */
static bool is_port(struct str text, struct str scheme)
{
    int64_t port;

    if (text.len == 0)
        return true;
    if (text.ptr[0] != ':' || text.len < 2 || text.ptr[1] == '0' ||
        span(skip(text, 1), "0123456789") != text.len - 1)
        return false;
    return str_to_i64(skip(text, 1), &port) && port <= 65535 &&
           !(port == 443 && str_is(scheme, "https")) && !(port == 80 && str_is(scheme, "http"));
}

/* An origin as browsers write it, for they are compared byte by byte. */
static bool is_origin(struct str text)
{
    static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789+-.";
    struct str scheme = {text.ptr, span(text, lower)};
    struct str rest = skip(text, scheme.len);
    size_t host;

    if (text.len > ORIGIN_MAX || scheme.len == 0 || rest.len < 4 ||
        memcmp(rest.ptr, "://", 3) != 0)
        return false;
    rest = skip(rest, 3);
    if (rest.ptr[0] == '[') {
        host = 1 + span(skip(rest, 1), "0123456789abcdef:.");
        if (host < 3 || host >= rest.len || rest.ptr[host++] != ']')
            return false;
    } else {
        host = span(rest, lower);
    }
    return host > 0 && is_port(skip(rest, host), scheme);
}

enum err_code cors_check(const char *origins, struct err *err)
{
    struct str rest = str_from(origins);

    if (str_is(rest, "*"))
        return ERR_OK;
    while (rest.len > 0) {
        struct str item = next_item(&rest, ';');

        if (!is_origin(item))
            return err_set(
                err, ERR_CONFIG,
                "cors_origins: \"%.*s\" is not an origin as browsers send it; "
                "expected *, or a list like https://a.example;https://b.example:8443",
                item.len > 80 ? 80 : (int)item.len, item.len > 0 ? item.ptr : "");
    }
    return ERR_OK;
}

static bool is_on(const struct server *server, const struct request *rq)
{
    return !rq->admin && server->options.cors_origins != NULL &&
           server->options.cors_origins[0] != '\0';
}

/* The request's origin where it may read the answer, else NULL. */
static const char *allowed_origin(const struct server *server, const struct request *rq)
{
    struct str rest = str_from(server->options.cors_origins);
    struct str origin = request_header(rq, "Origin");

    if (origin.len == 0 || origin.len > ORIGIN_MAX || request_header_count(rq, "Origin") != 1)
        return NULL;
    if (str_is(rest, "*"))
        return origin.ptr;
    while (rest.len > 0) {
        if (str_eq(next_item(&rest, ';'), origin))
            return origin.ptr;
    }
    return NULL;
}

static bool list_names(struct str list, const char *name)
{
    while (list.len > 0) {
        if (str_eq_nocase(next_item(&list, ','), str_from(name)))
            return true;
    }
    return false;
}

static void put_allowed_headers(struct request *rq)
{
    struct str asked = request_header(rq, "Access-Control-Request-Headers");
    char allowed[128] = "";
    size_t len = 0;

    for (size_t i = 0; i < COUNT_OF(cors_headers); i++) {
        const char *name = cors_headers[i];

        if (!list_names(asked, name))
            continue;
        if (len > 0)
            len += str_copy(allowed + len, sizeof(allowed) - len, STR(", ")) ? 2 : 0;
        if (str_copy(allowed + len, sizeof(allowed) - len, str_from(name)))
            len += strlen(name);
    }
    if (len > 0)
        response_header(rq, "Access-Control-Allow-Headers", allowed);
}

bool cors_preflight(const struct server *server, struct request *rq)
{
    char methods[ROUTER_METHODS_MAX];

    if (!is_on(server, rq) || strcmp(rq->method, "OPTIONS") != 0 ||
        allowed_origin(server, rq) == NULL ||
        request_header_count(rq, "Access-Control-Request-Method") == 0)
        return false;
    router_methods(rq, methods);
    if (methods[0] == '\0')
        return false;
    response_status(rq, 204);
    response_header(rq, "Access-Control-Allow-Methods", methods);
    put_allowed_headers(rq);
    response_header(rq, "Access-Control-Max-Age", MAX_AGE);
    return true;
}

void cors_answer(const struct server *server, struct request *rq)
{
    const char *origin;

    if (!is_on(server, rq))
        return;
    /* also without an origin, or a cache would give that answer to a page */
    response_header(rq, "Vary", "Origin");
    origin = allowed_origin(server, rq);
    if (origin == NULL)
        return;
    response_header(rq, "Access-Control-Allow-Origin", origin);
    response_header(rq, "Access-Control-Expose-Headers", "X-Request-Id");
}
