/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the dialect of a path and the route in it. Exact text, but for segments that
 * a route leaves open; nothing is decoded. */
#include "gateway/http/http_private.h"

#include <string.h>

/* Does the route's path match? A "*" takes what is left of its segment, never nothing. */
static bool path_matches(const char *pattern, struct str path, struct str *ret_tail)
{
    struct str rest = path;

    *ret_tail = (struct str){0};
    for (; *pattern != '\0'; pattern++) {
        size_t len = 1;

        if (rest.len == 0 || (*pattern != '*' && *pattern != rest.ptr[0]))
            return false;
        if (*pattern == '*') {
            const char *slash = memchr(rest.ptr, '/', rest.len);

            len = slash != NULL ? (size_t)(slash - rest.ptr) : rest.len;
            if (len == 0)
                return false;
            if (ret_tail->ptr == NULL)
                *ret_tail = rest;
        }
        rest = (struct str){rest.ptr + len, rest.len - len};
    }
    return rest.len == 0;
}

const struct dialect *router_dialect(const struct server_options *options,
                                     const struct request *rq)
{
    for (size_t i = 0; i < options->dialect_count; i++) {
        if (options->dialects[i]->owns(rq))
            return options->dialects[i];
    }
    return NULL;
}

enum err_code router_find(struct request *rq, const struct route **ret_route, struct err *err)
{
    const struct route *get_route = NULL;
    struct str tail, get_tail = {0};
    char methods[ROUTER_METHODS_MAX];
    bool path_known = false;

    for (size_t i = 0; i < rq->dialect->route_count; i++) {
        const struct route *route = &rq->dialect->routes[i];

        if (!path_matches(route->path, rq->path, &tail))
            continue;
        path_known = true;
        if (strcmp(route->method, rq->method) == 0) {
            rq->tail = tail;
            *ret_route = route;
            return ERR_OK;
        }
        if (get_route == NULL && strcmp(route->method, "GET") == 0) {
            get_route = route;
            get_tail = tail;
        }
    }
    if (get_route != NULL && strcmp(rq->method, "HEAD") == 0) {
        rq->tail = get_tail;
        *ret_route = get_route;
        return ERR_OK;
    }
    if (!path_known)
        return err_set(err, ERR_ROUTE_UNKNOWN, "%s", err_text(ERR_ROUTE_UNKNOWN));
    router_methods(rq, methods);
    response_header(rq, "Allow", methods);
    return err_set(err, ERR_METHOD_UNKNOWN, "%s", err_text(ERR_METHOD_UNKNOWN));
}

void router_methods(const struct request *rq, char dst[ROUTER_METHODS_MAX])
{
    size_t len = 0;
    struct str tail;

    dst[0] = '\0';
    for (size_t i = 0; i < rq->dialect->route_count; i++) {
        const struct route *route = &rq->dialect->routes[i];
        size_t more = strlen(route->method);

        if (!path_matches(route->path, rq->path, &tail) || len + more + 3 > ROUTER_METHODS_MAX)
            continue;
        if (len > 0)
            len += str_copy(dst + len, ROUTER_METHODS_MAX - len, STR(", ")) ? 2 : 0;
        (void)str_copy(dst + len, ROUTER_METHODS_MAX - len, str_from(route->method));
        len += more;
    }
}
