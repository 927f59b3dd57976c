/* SPDX-License-Identifier: Apache-2.0 */
/* Errors on the control plane's wire: ResponseMetadata with Error{CodeN,Code,Message}. One
 * row for every code of the program; what is ours alone says nothing about itself. */
#include "gateway/dialect/volc_parts.h"

/* The numbers below 100100 are Volcengine's common ones, those from there on are ours. */
enum {
    NUMBER_MISSING = 100002,
    NUMBER_TIMESTAMP = 100006,
    NUMBER_ACTION = 100008,
    NUMBER_ACCESS_KEY = 100009,
    NUMBER_SIGNATURE = 100010,
    NUMBER_DENIED = 100013,
    NUMBER_INTERNAL = 100014,
    NUMBER_FLOW = 100018,
    NUMBER_AUTHORIZATION = 100024,
    NUMBER_CREDENTIAL = 100025,
    NUMBER_PARAMETER = 100100,
    NUMBER_SKIP,
    NUMBER_REFUSED,
    NUMBER_ASSET,
    NUMBER_GROUP,
    NUMBER_TOO_LARGE,
    NUMBER_KEY_REUSED,
    NUMBER_QUOTA,
    NUMBER_UNAVAILABLE,
    NUMBER_UPSTREAM
};

#define PARAMETER                                 \
    {                                             \
        "InvalidParameter", NUMBER_PARAMETER, 400 \
    }
#define UNAVAILABLE                                    \
    {                                                  \
        "service_unavailable", NUMBER_UNAVAILABLE, 503 \
    }
#define UPSTREAM                              \
    {                                         \
        "service_error", NUMBER_UPSTREAM, 502 \
    }
#define ACTION                                       \
    {                                                \
        "InvalidActionOrVersion", NUMBER_ACTION, 404 \
    }
/* Its own text is for the log. */
#define INTERNAL                              \
    {                                         \
        "InternalError", NUMBER_INTERNAL, 500 \
    }

static const struct {
    const char *code;
    int number, status;
} wire[] = {
    [ERR_OK] = INTERNAL,
    [ERR_INVALID] = PARAMETER,
    [ERR_MISSING] = {"MissingParameter", NUMBER_MISSING, 400},
    [ERR_MODERATION_SKIP] = {"moderation_skip_not_allowed", NUMBER_SKIP, 400},
    [ERR_DURATION] = PARAMETER,
    [ERR_UNAUTHORIZED] = {"InvalidCredential", NUMBER_CREDENTIAL, 401},
    [ERR_ACCESS_KEY] = {"InvalidAccessKey", NUMBER_ACCESS_KEY, 401},
    [ERR_SIGNATURE] = {"SignatureDoesNotMatch", NUMBER_SIGNATURE, 401},
    [ERR_TIMESTAMP] = {"InvalidTimestamp", NUMBER_TIMESTAMP, 401},
    [ERR_AUTHORIZATION] = {"InvalidAuthorization", NUMBER_AUTHORIZATION, 401},
    [ERR_BALANCE] = INTERNAL,
    [ERR_FORBIDDEN] = {"AccessDenied", NUMBER_DENIED, 403},
    [ERR_ACTION_REFUSED] = {"InvalidAction", NUMBER_REFUSED, 403},
    [ERR_NOT_FOUND] = {"ResourceNotFound.Asset", NUMBER_ASSET, 404},
    [ERR_MODEL_UNKNOWN] = PARAMETER,
    [ERR_ASSET_UNKNOWN] = {"ResourceNotFound.Asset", NUMBER_ASSET, 404},
    [ERR_GROUP_UNKNOWN] = {"ResourceNotFound.AssetGroup", NUMBER_GROUP, 404},
    [ERR_ACTION_UNKNOWN] = ACTION,
    [ERR_ROUTE_UNKNOWN] = ACTION,
    [ERR_METHOD_UNKNOWN] = ACTION,
    [ERR_CONFLICT] = INTERNAL,
    [ERR_KEY_REUSED] = {"IdempotencyConflict", NUMBER_KEY_REUSED, 409},
    [ERR_TASK_RUNNING] = INTERNAL,
    [ERR_TASK_CANCELLED] = INTERNAL,
    [ERR_TOO_LARGE] = {"RequestTooLarge", NUMBER_TOO_LARGE, 413},
    [ERR_QUOTA] = {"QuotaExceeded", NUMBER_QUOTA, 429},
    [ERR_RATE] = {"FlowLimitExceeded", NUMBER_FLOW, 429},
    [ERR_INTERNAL] = INTERNAL,
    [ERR_UPSTREAM] = UPSTREAM,
    [ERR_UPSTREAM_REFUSED] = UPSTREAM,
    [ERR_UNAVAILABLE] = UNAVAILABLE,
    [ERR_BUSY] = UNAVAILABLE,
    [ERR_TIMEOUT] = UNAVAILABLE,
    [ERR_IO] = INTERNAL,
    [ERR_CONFIG] = INTERNAL,
    [ERR_USAGE] = INTERNAL,
    [ERR_PERMISSION] = INTERNAL,
    [ERR_MISMATCH] = INTERNAL,
};
_Static_assert(COUNT_OF(wire) == ERR_CODE_COUNT, "every code needs its row");

static const char *text_of(const struct err *err)
{
    if (wire[err->code].number == NUMBER_INTERNAL)
        return err_text(ERR_INTERNAL);
    return err->msg[0] != '\0' ? err->msg : err_text(err->code);
}

void volc_errmap_put(struct request *rq, const struct err *err)
{
    int status = rq->rsp.status != 0 ? rq->rsp.status : wire[err->code].status;
    struct err ignored = {0};
    struct json_out out;

    volc_encode_request_id(rq);
    buf_reset(&rq->rsp.body);
    out = json_begin(&rq->rsp.body);
    json_open_object(&out, NULL);
    volc_encode_metadata(rq, &out);
    json_open_object(&out, "Error");
    json_put_int(&out, "CodeN", wire[err->code].number);
    json_put_text(&out, "Code", str_from(wire[err->code].code));
    json_put_text(&out, "Message", str_from(text_of(err)));
    json_close_object(&out);
    json_close_object(&out);
    json_close_object(&out);
    if (json_end(&out, &ignored) != ERR_OK)
        LOG(LOG_ERROR, "error_body_failed", LOG_TEXT("detail", ignored.detail));
    response_status(rq, status);
    if (!err_may_retry(err->code))
        response_header(rq, "x-should-retry", "false");
    else if (status == 429 || status == 503)
        response_header(rq, "Retry-After", "1");
}
