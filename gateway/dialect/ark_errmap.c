/* SPDX-License-Identifier: Apache-2.0 */
/* Errors on Ark's wire: {"error":{"code","message","param","type"}}. One row for
 * every code of the program; what is ours alone says nothing about itself. */
#include "gateway/dialect/ark_parts.h"

#include <stdio.h>

static const struct {
    const char *code;
    const char *type;
    bool ours; /* the default text, whatever the error says */
} wire[] = {
    [ERR_OK] = {"internal_error", "InternalServerError", true},
    [ERR_INVALID] = {"invalid_request", "BadRequest", false},
    [ERR_MISSING] = {"invalid_request", "BadRequest", false},
    [ERR_MODERATION_SKIP] = {"moderation_skip_not_allowed", "BadRequest", false},
    [ERR_DURATION] = {"invalid_duration", "BadRequest", false},
    [ERR_UNAUTHORIZED] = {"AuthenticationError", "Unauthorized", false},
    [ERR_ACCESS_KEY] = {"AuthenticationError", "Unauthorized", false},
    [ERR_SIGNATURE] = {"AuthenticationError", "Unauthorized", false},
    [ERR_TIMESTAMP] = {"AuthenticationError", "Unauthorized", false},
    [ERR_AUTHORIZATION] = {"AuthenticationError", "Unauthorized", false},
    [ERR_BALANCE] = {"insufficient_balance", "PaymentRequired", false},
    [ERR_FORBIDDEN] = {"AccessDenied", "Forbidden", false},
    [ERR_ACTION_REFUSED] = {"AccessDenied", "Forbidden", false},
    [ERR_NOT_FOUND] = {"task_not_found", "NotFound", false},
    [ERR_MODEL_UNKNOWN] = {"InvalidEndpointOrModel.NotFound", "NotFound", false},
    [ERR_ASSET_UNKNOWN] = {"ResourceNotFound.Asset", "NotFound", false},
    [ERR_GROUP_UNKNOWN] = {"ResourceNotFound.AssetGroup", "NotFound", false},
    [ERR_ACTION_UNKNOWN] = {"not_found", "NotFound", false},
    [ERR_ROUTE_UNKNOWN] = {"not_found", "NotFound", false},
    [ERR_METHOD_UNKNOWN] = {"method_not_allowed", "NotFound", false},
    [ERR_CONFLICT] = {"conflict", "Conflict", true},
    [ERR_KEY_REUSED] = {"idempotency_conflict", "Conflict", false},
    [ERR_TASK_RUNNING] = {"InvalidAction.RunningTaskDeletion", "Conflict", false},
    [ERR_TASK_CANCELLED] = {"InvalidAction.CancelledTaskDeletion", "Conflict", false},
    [ERR_TOO_LARGE] = {"request_too_large", "BadRequest", false},
    [ERR_QUOTA] = {"QuotaExceeded", "TooManyRequests", false},
    [ERR_RATE] = {"RateLimitExceeded", "TooManyRequests", false},
    [ERR_INTERNAL] = {"internal_error", "InternalServerError", true},
    [ERR_UPSTREAM] = {"service_error", "InternalServerError", false},
    [ERR_UPSTREAM_REFUSED] = {"service_error", "BadRequest", false},
    [ERR_UNAVAILABLE] = {"service_unavailable", "InternalServerError", false},
    [ERR_BUSY] = {"service_unavailable", "InternalServerError", false},
    [ERR_TIMEOUT] = {"service_unavailable", "InternalServerError", false},
    [ERR_IO] = {"internal_error", "InternalServerError", true},
    [ERR_CONFIG] = {"internal_error", "InternalServerError", true},
    [ERR_USAGE] = {"internal_error", "InternalServerError", true},
    [ERR_PERMISSION] = {"internal_error", "InternalServerError", true},
    [ERR_MISMATCH] = {"internal_error", "InternalServerError", true},
};
_Static_assert(COUNT_OF(wire) == ERR_CODE_COUNT, "every code needs its row");

/* Ark's type for a status of its own that is passed on. */
static const char *type_of_status(int status)
{
    switch (status) {
    case 404:
        return "NotFound";
    case 409:
        return "Conflict";
    default:
        return "BadRequest";
    }
}

static int status_of(const struct err *err)
{
    if (err->code == ERR_UPSTREAM_REFUSED && err->upstream_status != 0)
        return err->upstream_status;
    return wire[err->code].ours ? (err->code == ERR_CONFLICT ? 409 : 500)
                                : err_http_status(err->code);
}

static void put_balance(struct json_out *out, const struct err *err)
{
    char amount[MONEY_TEXT_MAX];

    money_text((struct money){err->need_nano}, amount);
    json_put_text(out, "hold", str_from(amount));
    money_text((struct money){err->have_nano}, amount);
    json_put_text(out, "available", str_from(amount));
}

static const char *text_of(const struct err *err)
{
    if (!wire[err->code].ours)
        return err->msg[0] != '\0' ? err->msg : err_text(err->code);
    return err_text(err->code == ERR_CONFLICT ? ERR_CONFLICT : ERR_INTERNAL);
}

void ark_errmap_put(struct request *rq, const struct err *err)
{
    bool passed = err->code == ERR_UPSTREAM_REFUSED && err->upstream_code[0] != '\0';
    const char *text = text_of(err);
    CLEANUP(buf_fini) struct buf message = {0};
    struct err ignored = {0};
    struct json_out out;

    buf_init(&message, 2048);
    buf_printf(&message, "%s Request id: %s", text, rq->id);
    buf_reset(&rq->rsp.body);
    out = json_begin(&rq->rsp.body);
    json_open_object(&out, NULL);
    json_open_object(&out, "error");
    json_put_text(&out, "code", str_from(passed ? err->upstream_code : wire[err->code].code));
    json_put_text(&out, "message", buf_str(&message));
    json_put_text(&out, "param", str_from(err->field));
    json_put_text(
        &out, "type",
        str_from(passed ? type_of_status(err->upstream_status) : wire[err->code].type));
    if (err->code == ERR_BALANCE)
        put_balance(&out, err);
    json_close_object(&out);
    json_close_object(&out);
    if (json_end(&out, &ignored) != ERR_OK)
        LOG(LOG_ERROR, "error_body_failed", LOG_TEXT("detail", ignored.detail));
    response_status(rq, status_of(err));
    /* The official Python client retries 409 and 429 unless it is told not to. */
    if (!err_may_retry(err->code))
        response_header(rq, "x-should-retry", "false");
    else if (status_of(err) == 429 || status_of(err) == 503)
        response_header(rq, "Retry-After", "1");
}
