/* SPDX-License-Identifier: Apache-2.0 */
/* Every error of the program as a problem document: members, headers, and no word that
 * was meant for the log. */
#include "gateway/admin/admin.h"

#include "base/json.h"
#include "tests/lib/check.h"

#define SECRET "SELECT key_sealed FROM upstream"
#define TYPE "Content-Type: application/problem+json\r\n"

enum { OURS, THEIRS };

static const struct {
    enum err_code code;
    int status;
    const char *wire_code;
    int text; /* OURS: a fixed text, THEIRS: the message of the error */
    bool retry;
} rows[] = {
    {ERR_INVALID, 400, "invalid_request", THEIRS, false},
    {ERR_MISSING, 400, "invalid_request", THEIRS, false},
    {ERR_MODERATION_SKIP, 400, "moderation_skip_not_allowed", THEIRS, false},
    {ERR_DURATION, 400, "invalid_duration", THEIRS, false},
    {ERR_UNAUTHORIZED, 401, "unauthorized", THEIRS, false},
    {ERR_ACCESS_KEY, 401, "unauthorized", THEIRS, false},
    {ERR_SIGNATURE, 401, "unauthorized", THEIRS, false},
    {ERR_TIMESTAMP, 401, "unauthorized", THEIRS, false},
    {ERR_AUTHORIZATION, 401, "unauthorized", THEIRS, false},
    {ERR_BALANCE, 402, "insufficient_balance", THEIRS, false},
    {ERR_FORBIDDEN, 403, "forbidden", THEIRS, false},
    {ERR_ACTION_REFUSED, 403, "forbidden", THEIRS, false},
    {ERR_NOT_FOUND, 404, "not_found", THEIRS, false},
    {ERR_MODEL_UNKNOWN, 404, "model_not_found", THEIRS, false},
    {ERR_ASSET_UNKNOWN, 404, "asset_not_found", THEIRS, false},
    {ERR_GROUP_UNKNOWN, 404, "asset_group_not_found", THEIRS, false},
    {ERR_ACTION_UNKNOWN, 404, "action_not_found", THEIRS, false},
    {ERR_ROUTE_UNKNOWN, 404, "route_not_found", THEIRS, false},
    {ERR_METHOD_UNKNOWN, 405, "method_not_allowed", THEIRS, false},
    {ERR_CONFLICT, 409, "conflict", OURS, false},
    {ERR_KEY_REUSED, 409, "idempotency_conflict", THEIRS, false},
    {ERR_TASK_RUNNING, 409, "task_running", THEIRS, false},
    {ERR_TASK_CANCELLED, 409, "task_cancelled", THEIRS, false},
    {ERR_TOO_LARGE, 413, "request_too_large", THEIRS, false},
    {ERR_QUOTA, 429, "quota_exceeded", THEIRS, true},
    {ERR_RATE, 429, "rate_limit_exceeded", THEIRS, true},
    {ERR_INTERNAL, 500, "internal_error", OURS, true},
    {ERR_UPSTREAM, 502, "upstream_error", THEIRS, true},
    {ERR_UPSTREAM_REFUSED, 400, "upstream_refused", THEIRS, false},
    {ERR_UNAVAILABLE, 503, "service_unavailable", THEIRS, true},
    {ERR_BUSY, 503, "busy", THEIRS, true},
    {ERR_TIMEOUT, 503, "timeout", THEIRS, true},
    {ERR_IO, 500, "internal_error", OURS, true},
    {ERR_CONFIG, 500, "internal_error", OURS, false},
    {ERR_USAGE, 500, "internal_error", OURS, false},
    {ERR_PERMISSION, 500, "internal_error", OURS, false},
    {ERR_MISMATCH, 500, "internal_error", OURS, false},
};
_Static_assert(COUNT_OF(rows) == ERR_CODE_COUNT - 1, "every code but ERR_OK");

static void request_clear(struct request *rq)
{
    buf_fini(&rq->rsp.body);
    buf_fini(&rq->rsp.headers);
}

static void put(const struct err *err, int status, struct request *ret_rq)
{
    (void)str_copy(ret_rq->id, sizeof(ret_rq->id), STR("req-1234"));
    buf_init(&ret_rq->rsp.body, 1 << 16);
    buf_init(&ret_rq->rsp.headers, 1 << 12);
    buf_puts(&ret_rq->rsp.body, "{\"half\":"); /* what a handler left behind */
    response_status(ret_rq, status);
    problem_put(ret_rq, err);
}

static void test_every_code(void)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *name = err_name(rows[i].code);
        bool own = rows[i].text == THEIRS;
        CLEANUP(request_clear) struct request rq = {0};
        struct err err = {.code = rows[i].code,
                          .field = "page_size",
                          .msg = "a message of its own",
                          .detail = SECRET};
        char want[1024];

        put(&err, 0, &rq);
        CHECK_INT(name, rq.rsp.status, rows[i].status);
        (void)snprintf(want, sizeof(want),
                       "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,"
                       "\"detail\":\"%s\",\"code\":\"%s\",\"request_id\":\"req-1234\"%s}",
                       response_reason(rows[i].status), rows[i].status,
                       own ? err.msg
                           : err_text(rows[i].status == 409 ? ERR_CONFLICT : ERR_INTERNAL),
                       rows[i].wire_code, own ? ",\"param\":\"page_size\"" : "");
        CHECK_TEXT(name, rq.rsp.body.ptr, want);
    }
}

static void test_headers(void)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *name = err_name(rows[i].code);
        bool soon = rows[i].retry && (rows[i].status == 429 || rows[i].status == 503);
        CLEANUP(request_clear) struct request rq = {0};
        struct err err = {.code = rows[i].code};
        char want[256];

        put(&err, 0, &rq);
        (void)snprintf(want, sizeof(want), TYPE "%s%s",
                       rows[i].status == 401 ? "WWW-Authenticate: Bearer\r\n" : "",
                       !rows[i].retry ? "x-should-retry: false\r\n"
                       : soon         ? "Retry-After: 1\r\n"
                                      : "");
        CHECK_TEXT(name, rq.rsp.headers.ptr, want);
    }
}

/* Without a message an error speaks with the text of its code; without a member at
 * fault there is no param. */
static void test_texts_by_default(void)
{
    CLEANUP(request_clear) struct request rq = {0};
    struct err err;

    (void)err_detail(&err, ERR_BUSY, "%s", SECRET);
    put(&err, 0, &rq);
    CHECK_TEXT("body", rq.rsp.body.ptr,
               "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
               "\"detail\":\"the service is busy, try again\",\"code\":\"busy\","
               "\"request_id\":\"req-1234\"}");
}

/* A status that HTTP decided is the one in the body too. */
static void test_a_status_that_is_set(void)
{
    CLEANUP(request_clear) struct request rq = {0};
    struct err err = {.code = ERR_INVALID, .msg = "the path is too long"};

    put(&err, 414, &rq);
    CHECK_INT("status", rq.rsp.status, 414);
    CHECK_TEXT("body", rq.rsp.body.ptr,
               "{\"type\":\"about:blank\",\"title\":\"URI Too Long\",\"status\":414,"
               "\"detail\":\"the path is too long\",\"code\":\"invalid_request\","
               "\"request_id\":\"req-1234\"}");
}

/* Amounts stand in the tenant's own answers, never in a problem. */
static void test_no_amounts(void)
{
    CLEANUP(request_clear) struct request rq = {0};
    struct err err = {.code = ERR_BALANCE, .need_nano = 5, .have_nano = 3, .currency = "CNY"};

    put(&err, 0, &rq);
    CHECK_TRUE("hold", strstr(rq.rsp.body.ptr, "hold") == NULL);
    CHECK_TRUE("available", strstr(rq.rsp.body.ptr, "available") == NULL);
}

static void test_hostile_messages(void)
{
    static const char *const messages[] = {
        "\"}}", "\\", "\n\r\t\x01\x7f", "\xff\xfe\x80", "\xe6\xa8", "</script>", "%s%n"};

    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        CLEANUP(request_clear) struct request rq = {0};
        CLEANUP(arena_fini) struct arena arena = {0};
        CLEANUP(json_free) struct json_doc *doc = NULL;
        struct err err = {.code = ERR_INVALID}, bad = {0};

        memcpy(err.msg, messages[i], strlen(messages[i]) + 1);
        memcpy(err.field, messages[i], strlen(messages[i]) + 1);
        put(&err, 0, &rq);
        arena_init(&arena, 1 << 20);
        CHECK_OK(messages[i], json_parse(&arena, buf_str(&rq.rsp.body), &doc, &bad), &bad);
    }
}

CHECK_MAIN(CHECK_TEST(test_every_code), CHECK_TEST(test_headers),
           CHECK_TEST(test_texts_by_default), CHECK_TEST(test_a_status_that_is_set),
           CHECK_TEST(test_no_amounts), CHECK_TEST(test_hostile_messages))
