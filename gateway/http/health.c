/* SPDX-License-Identifier: Apache-2.0 */
/* The answers for load balancers: is the process alive, should it get traffic.
 * They need no credential and no dialect. */
#include "gateway/http/http_private.h"

#include "base/json.h"

#include <string.h>

enum { REASON_MAX = 512 };

static void put_status(struct request *rq, const char *status, struct str reason)
{
    struct err ignored;
    struct json_out out = json_begin(&rq->rsp.body);

    json_open_object(&out, NULL);
    json_put_text(&out, "status", str_from(status));
    if (reason.len > 0)
        json_put_text(&out, "reason", reason);
    json_close_object(&out);
    /* two short members always fit */
    ASSERT(json_end(&out, &ignored) == ERR_OK);
}

static void answer_ready(struct server *server, struct request *rq)
{
    CLEANUP(buf_fini) struct buf why_not = {0};
    bool ready;

    buf_init(&why_not, REASON_MAX);
    if (atomic_load(&server->leaving)) {
        buf_puts(&why_not, "draining");
        ready = false;
    } else {
        ready = server->options.ready == NULL || server->options.ready(rq->app, &why_not);
    }
    response_status(rq, ready ? 200 : 503);
    put_status(rq, ready ? "ready" : "not ready", ready ? STR("") : buf_str(&why_not));
}

bool health_answer(struct server *server, struct request *rq)
{
    if (strcmp(rq->method, "GET") != 0 && strcmp(rq->method, "HEAD") != 0)
        return false;
    if (str_is(rq->path, "/livez") || str_is(rq->path, "/healthz")) {
        response_status(rq, 200);
        put_status(rq, "ok", STR(""));
        return true;
    }
    if (str_is(rq->path, "/readyz")) {
        answer_ready(server, rq);
        return true;
    }
    return false;
}
