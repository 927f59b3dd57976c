/* SPDX-License-Identifier: Apache-2.0 */
/* Errors of the gateway's own APIs, one row for every code of the program: its word
 * on the wire, and whether its message is for the log alone. */
#include "gateway/admin/admin.h"

#include "base/json.h"

static const struct {
    const char *code;
    bool ours; /* the default text, whatever the error says */
} wire[] = {
    [ERR_OK] = {"internal_error", true},
    [ERR_INVALID] = {"invalid_request", false},
    [ERR_MISSING] = {"invalid_request", false},
    [ERR_MODERATION_SKIP] = {"moderation_skip_not_allowed", false},
    [ERR_DURATION] = {"invalid_duration", false},
    [ERR_UNAUTHORIZED] = {"unauthorized", false},
    [ERR_ACCESS_KEY] = {"unauthorized", false},
    [ERR_SIGNATURE] = {"unauthorized", false},
    [ERR_TIMESTAMP] = {"unauthorized", false},
    [ERR_AUTHORIZATION] = {"unauthorized", false},
    [ERR_BALANCE] = {"insufficient_balance", false},
    [ERR_FORBIDDEN] = {"forbidden", false},
    [ERR_ACTION_REFUSED] = {"forbidden", false},
    [ERR_NOT_FOUND] = {"not_found", false},
    [ERR_MODEL_UNKNOWN] = {"model_not_found", false},
    [ERR_ASSET_UNKNOWN] = {"asset_not_found", false},
    [ERR_GROUP_UNKNOWN] = {"asset_group_not_found", false},
    [ERR_ACTION_UNKNOWN] = {"action_not_found", false},
    [ERR_ROUTE_UNKNOWN] = {"route_not_found", false},
    [ERR_METHOD_UNKNOWN] = {"method_not_allowed", false},
    [ERR_CONFLICT] = {"conflict", true},
    [ERR_KEY_REUSED] = {"idempotency_conflict", false},
    [ERR_TASK_RUNNING] = {"task_running", false},
    [ERR_TASK_CANCELLED] = {"task_cancelled", false},
    [ERR_TOO_LARGE] = {"request_too_large", false},
    [ERR_QUOTA] = {"quota_exceeded", false},
    [ERR_RATE] = {"rate_limit_exceeded", false},
    [ERR_INTERNAL] = {"internal_error", true},
    [ERR_UPSTREAM] = {"upstream_error", false},
    [ERR_UPSTREAM_REFUSED] = {"upstream_refused", false},
    [ERR_UNAVAILABLE] = {"service_unavailable", false},
    [ERR_BUSY] = {"busy", false},
    [ERR_TIMEOUT] = {"timeout", false},
    [ERR_IO] = {"internal_error", true},
    [ERR_CONFIG] = {"internal_error", true},
    [ERR_USAGE] = {"internal_error", true},
    [ERR_PERMISSION] = {"internal_error", true},
    [ERR_MISMATCH] = {"internal_error", true},
};
_Static_assert(COUNT_OF(wire) == ERR_CODE_COUNT, "every code needs its row");

/* What is internal looks all the same: one code, one status, one text. */
static enum err_code shown_as(enum err_code code)
{
    return wire[code].ours && code != ERR_CONFLICT ? ERR_INTERNAL : code;
}

static void put_headers(struct request *rq, enum err_code code)
{
    response_header(rq, "Content-Type", "application/problem+json");
    if (rq->rsp.status == 401)
        response_header(rq, "WWW-Authenticate", "Bearer");
    if (!err_may_retry(code))
        response_header(rq, "x-should-retry", "false");
    else if (rq->rsp.status == 429 || rq->rsp.status == 503)
        response_header(rq, "Retry-After", "1");
}

void problem_put(struct request *rq, const struct err *err)
{
    enum err_code code = shown_as(err->code);
    bool own_words = !wire[code].ours && err->msg[0] != '\0';
    int status = rq->rsp.status != 0 ? rq->rsp.status : err_http_status(code);
    struct err ignored = {0};
    struct json_out out;

    buf_reset(&rq->rsp.body);
    out = json_begin(&rq->rsp.body);
    json_open_object(&out, NULL);
    /* So the title is the status's own phrase; what differs stands in code. */
    json_put_text(&out, "type", STR("about:blank"));
    json_put_text(&out, "title", str_from(response_reason(status)));
    json_put_int(&out, "status", status);
    json_put_text(&out, "detail", str_from(own_words ? err->msg : err_text(code)));
    json_put_text(&out, "code", str_from(wire[code].code));
    json_put_text(&out, "request_id", str_from(rq->id));
    if (!wire[code].ours && err->field[0] != '\0')
        json_put_text(&out, "param", str_from(err->field));
    json_close_object(&out);
    if (json_end(&out, &ignored) != ERR_OK)
        LOG(LOG_ERROR, "error_body_failed", LOG_TEXT("detail", ignored.detail));
    response_status(rq, status);
    put_headers(rq, err->code);
}
