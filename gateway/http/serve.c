/* SPDX-License-Identifier: Apache-2.0 */
/* The only functions that CivetWeb calls. serve_request reads as the life of a
 * request: gate, dialect, identify, route, read, handle, answer, log. */
#include "gateway/http/http_private.h"

#include <string.h>

/* Answers up to here are not counted: a page of 50 tasks is shorter. */
enum { ANSWER_FREE = 64 << 10 };

/* Gives the route's handler what it needs and runs it. A *ret_status that is not
 * 0 overrides the error's own. */
static FALLIBLE run_route(struct server *server, struct request *rq, const struct route *route,
                          int *ret_status, struct err *err)
{
    enum err_code rc;

    if (route->wants_body && (*ret_status = body_read(server, rq, err)) != 0)
        return err->code;
    rc = route->handle(rq, err);
    if (rq->rsp.body.failed)
        return err_detail(err, ERR_INTERNAL, "the answer is over %d bytes or out of memory",
                          HTTP_ANSWER_MAX);
    if (rc == ERR_OK && rq->rsp.status == 0)
        response_status(rq, 200);
    return rc;
}

/* Everything behind the gate. */
static FALLIBLE run_dialect(struct server *server, struct request *rq, int *ret_status,
                            struct err *err)
{
    const struct route *route = NULL;

    /* a preflight carries no credential; it needs none to hear 405 */
    if (strcmp(rq->method, "OPTIONS") == 0 && router_find(rq, &route, err) != ERR_OK)
        return err_set(err, ERR_METHOD_UNKNOWN, "%s", err_text(ERR_METHOD_UNKNOWN));
    TRY(rq->dialect->identify(rq, err));
    if (route == NULL)
        TRY(router_find(rq, &route, err));
    return run_route(server, rq, route, ret_status, err);
}

/* Counts a request in; false while draining. */
static bool admit(struct server *server)
{
    (void)atomic_fetch_add(&server->answering, 1);
    atomic_store(&server->touched_us, sys_mono_us());
    (void)atomic_fetch_add(&server->running, 1);
    return !atomic_load(&server->draining);
}

static void release(struct server *server)
{
    if (atomic_fetch_sub(&server->running, 1) == 1 && atomic_load(&server->draining)) {
        lock_take(&server->lock);
        lock_signal(&server->lock);
        lock_drop(&server->lock);
    }
}

/* Its last byte is written, and what its client still sent is read. */
static void leave(struct server *server)
{
    atomic_store(&server->touched_us, sys_mono_us());
    (void)atomic_fetch_sub(&server->answering, 1);
}

/* Decides the answer; an error is left to the caller. */
static FALLIBLE decide(struct server *server, struct request *rq, bool admitted,
                       int *ret_status, struct err *err)
{
    const struct dialect *dialect = router_dialect(&server->options, rq);

    if (dialect != NULL)
        rq->dialect = dialect; /* else the last one, as request_init chose */
    *ret_status = gate_check(rq, server->options.body_max, err);
    if (*ret_status != 0) {
        rq->rsp.close = true;
        return err->code;
    }
    if (health_answer(server, rq))
        return ERR_OK;
    if (!admitted)
        return err_set(err, ERR_UNAVAILABLE, HTTP_SHUTTING_DOWN);
    if (cors_preflight(server, rq))
        return ERR_OK;
    if (!connection_count(rq))
        return err_set(err, ERR_BUSY, "too many requests of one address at once");
    if (dialect == NULL)
        return err_set(err, ERR_ROUTE_UNKNOWN, "%s", err_text(ERR_ROUTE_UNKNOWN));
    return run_dialect(server, rq, ret_status, err);
}

/* Its answer must be sent, whatever is under way. */
static bool changes_something(const struct request *rq)
{
    return strcmp(rq->method, "GET") != 0 && strcmp(rq->method, "HEAD") != 0;
}

int serve_request(struct mg_connection *conn)
{
    struct listener *side = mg_get_user_data(mg_get_context(conn));
    struct server *server = side->server;
    CLEANUP(request_fini) struct request rq = {0};
    struct err err = {0};
    bool admitted = admit(server), pending;
    int status = 0;

    connection_busy(conn);
    if (!admitted)
        release(server); /* drain does not wait for refusals */
    request_init(&rq, side, conn);
    request_read_head(&rq);
    if (decide(server, &rq, admitted, &status, &err) == ERR_OK)
        err.code = ERR_OK; /* what was tried and mended on the way is no error */
    else
        response_error(&rq, &err, status);
    cors_answer(server, &rq);
    if (rq.rsp.body.len > ANSWER_FREE && !budget_take(server, &rq, rq.rsp.body.len) &&
        !changes_something(&rq)) {
        (void)err_set(&err, ERR_BUSY, "too many bytes are under way, try again");
        response_error(&rq, &err, 0);
    }
    pending = body_pending(&rq);
    if (pending || atomic_load(&server->leaving))
        rq.rsp.close = true;
    if (!response_send(&rq, &err))
        pending = false;
    request_log(&rq, &err);
    if (admitted)
        release(server);
    if (pending)
        body_discard(&rq);
    budget_drop(server, &rq);
    connection_wait(conn);
    leave(server);
    return rq.rsp.status;
}

int serve_engine_error(struct mg_connection *conn, int status, const char *text)
{
    struct listener *side = mg_get_user_data(mg_get_context(conn));
    CLEANUP(request_fini) struct request rq = {0};
    struct err err = {0};

    request_init(&rq, side, conn);
    rq.rsp.close = true;
    if (status == 400 && strcmp(text, "Malformed message") == 0 && connection_late(conn)) {
        status = 408;
        (void)err_set(&err, ERR_INVALID, "the head of the request arrived too slowly");
    } else if (status == 413) {
        status = 431; /* CivetWeb only ever measures the head */
        (void)err_set(&err, ERR_INVALID, "the head of the request is too large");
    } else if (status >= 500 && status != 505) {
        (void)err_detail(&err, ERR_INTERNAL, "civetweb: %s", text);
    } else if (strcmp(text, "no path") == 0) { /* the patch's word for it */
        (void)err_set(&err, ERR_INVALID, "the request target must be a path");
    } else {
        (void)err_set(&err, ERR_INVALID, "the request is not well-formed HTTP/1.1");
    }
    response_error(&rq, &err, status);
    (void)response_send(&rq, &err);
    request_log(&rq, &err);
    if (status == 431)
        body_discard(&rq); /* the rest of the head is still coming */
    return 0;
}
