/* SPDX-License-Identifier: Apache-2.0 */
/* Every error of the program as a client of Ark sees it: status, code, type, headers,
 * and no word that was meant for the log. */
#include "gateway/dialect/ark_parts.h"

#include "tests/lib/check.h"

#define SUFFIX " Request id: req-1234"
#define SECRET "SELECT key_sealed FROM upstream"

enum { OURS, THEIRS };

static const struct {
    enum err_code code;
    int status;
    const char *wire_code, *type;
    int text; /* OURS: a fixed text, THEIRS: the message of the error */
    bool retry;
} rows[] = {
    {ERR_INVALID, 400, "invalid_request", "BadRequest", THEIRS, false},
    {ERR_MISSING, 400, "invalid_request", "BadRequest", THEIRS, false},
    {ERR_MODERATION_SKIP, 400, "moderation_skip_not_allowed", "BadRequest", THEIRS, false},
    {ERR_DURATION, 400, "invalid_duration", "BadRequest", THEIRS, false},
    {ERR_UNAUTHORIZED, 401, "AuthenticationError", "Unauthorized", THEIRS, false},
    {ERR_ACCESS_KEY, 401, "AuthenticationError", "Unauthorized", THEIRS, false},
    {ERR_SIGNATURE, 401, "AuthenticationError", "Unauthorized", THEIRS, false},
    {ERR_TIMESTAMP, 401, "AuthenticationError", "Unauthorized", THEIRS, false},
    {ERR_AUTHORIZATION, 401, "AuthenticationError", "Unauthorized", THEIRS, false},
    {ERR_BALANCE, 402, "insufficient_balance", "PaymentRequired", THEIRS, false},
    {ERR_FORBIDDEN, 403, "AccessDenied", "Forbidden", THEIRS, false},
    {ERR_ACTION_REFUSED, 403, "AccessDenied", "Forbidden", THEIRS, false},
    {ERR_NOT_FOUND, 404, "task_not_found", "NotFound", THEIRS, false},
    {ERR_MODEL_UNKNOWN, 404, "InvalidEndpointOrModel.NotFound", "NotFound", THEIRS, false},
    {ERR_ASSET_UNKNOWN, 404, "ResourceNotFound.Asset", "NotFound", THEIRS, false},
    {ERR_GROUP_UNKNOWN, 404, "ResourceNotFound.AssetGroup", "NotFound", THEIRS, false},
    {ERR_ACTION_UNKNOWN, 404, "not_found", "NotFound", THEIRS, false},
    {ERR_ROUTE_UNKNOWN, 404, "not_found", "NotFound", THEIRS, false},
    {ERR_METHOD_UNKNOWN, 405, "method_not_allowed", "NotFound", THEIRS, false},
    {ERR_CONFLICT, 409, "conflict", "Conflict", OURS, false},
    {ERR_KEY_REUSED, 409, "idempotency_conflict", "Conflict", THEIRS, false},
    {ERR_TASK_RUNNING, 409, "InvalidAction.RunningTaskDeletion", "Conflict", THEIRS, false},
    {ERR_TASK_CANCELLED, 409, "InvalidAction.CancelledTaskDeletion", "Conflict", THEIRS, false},
    {ERR_TOO_LARGE, 413, "request_too_large", "BadRequest", THEIRS, false},
    {ERR_QUOTA, 429, "QuotaExceeded", "TooManyRequests", THEIRS, true},
    {ERR_RATE, 429, "RateLimitExceeded", "TooManyRequests", THEIRS, true},
    {ERR_INTERNAL, 500, "internal_error", "InternalServerError", OURS, true},
    {ERR_UPSTREAM, 502, "service_error", "InternalServerError", THEIRS, true},
    {ERR_UPSTREAM_REFUSED, 400, "service_error", "BadRequest", THEIRS, false},
    {ERR_UNAVAILABLE, 503, "service_unavailable", "InternalServerError", THEIRS, true},
    {ERR_BUSY, 503, "service_unavailable", "InternalServerError", THEIRS, true},
    {ERR_TIMEOUT, 503, "service_unavailable", "InternalServerError", THEIRS, true},
    {ERR_IO, 500, "internal_error", "InternalServerError", OURS, true},
    {ERR_CONFIG, 500, "internal_error", "InternalServerError", OURS, false},
    {ERR_USAGE, 500, "internal_error", "InternalServerError", OURS, false},
    {ERR_PERMISSION, 500, "internal_error", "InternalServerError", OURS, false},
    {ERR_MISMATCH, 500, "internal_error", "InternalServerError", OURS, false},
};
_Static_assert(COUNT_OF(rows) == ERR_CODE_COUNT - 1, "every code but ERR_OK");

/* An error put on the wire, and read back. */
struct answer {
    struct request rq;
    struct arena arena;
    struct json_doc *doc;
    char code[128], message[1024], param[128], type[64];
};

static void answer_fini(struct answer *answer)
{
    json_free(&answer->doc);
    arena_fini(&answer->arena);
    buf_fini(&answer->rq.rsp.body);
    buf_fini(&answer->rq.rsp.headers);
}

static const struct json_value *error_of(const struct answer *answer)
{
    return json_get(json_root(answer->doc), "error");
}

static void read_text(struct answer *answer, const char *name, char *dst, size_t size)
{
    const struct json_value *value = json_get(error_of(answer), name);

    CHECK_TRUE(name, value != NULL && json_type(value) == JSON_STRING);
    if (value != NULL)
        (void)str_copy(dst, size, json_text(answer->doc, value));
}

static void put(const struct err *err, struct answer *ret_answer)
{
    struct answer *answer = ret_answer;
    struct err bad = {0};

    (void)str_copy(answer->rq.id, sizeof(answer->rq.id), STR("req-1234"));
    buf_init(&answer->rq.rsp.body, 1 << 16);
    buf_init(&answer->rq.rsp.headers, 1 << 12);
    buf_puts(&answer->rq.rsp.body, "{\"half\":"); /* what a handler left behind */
    ark_errmap_put(&answer->rq, err);
    arena_init(&answer->arena, 1 << 20);
    CHECK_OK(err_name(err->code),
             json_parse(&answer->arena, buf_str(&answer->rq.rsp.body), &answer->doc, &bad),
             &bad);
    if (answer->doc == NULL)
        return;
    read_text(answer, "code", answer->code, sizeof(answer->code));
    read_text(answer, "message", answer->message, sizeof(answer->message));
    read_text(answer, "param", answer->param, sizeof(answer->param));
    read_text(answer, "type", answer->type, sizeof(answer->type));
}

static void test_every_code(void)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *name = err_name(rows[i].code);
        CLEANUP(answer_fini) struct answer answer = {0};
        struct err err = {.code = rows[i].code,
                          .field = "content[1].role",
                          .msg = "a message of its own",
                          .detail = SECRET};

        put(&err, &answer);
        CHECK_INT(name, answer.rq.rsp.status, rows[i].status);
        CHECK_TEXT(name, answer.code, rows[i].wire_code);
        CHECK_TEXT(name, answer.type, rows[i].type);
        CHECK_TEXT(name, answer.param, "content[1].role");
        if (rows[i].text == THEIRS)
            CHECK_TEXT(name, answer.message, "a message of its own" SUFFIX);
        else
            CHECK_TRUE(name, strstr(answer.message, "of its own") == NULL);
        CHECK_TRUE(name, strlen(answer.message) > sizeof(SUFFIX));
        CHECK_TRUE(name, strcmp(answer.message + strlen(answer.message) - sizeof(SUFFIX) + 1,
                                SUFFIX) == 0);
        CHECK_TRUE(name, strstr(answer.rq.rsp.body.ptr, "SELECT") == NULL);
        CHECK_INT(name, json_count(error_of(&answer)), rows[i].code == ERR_BALANCE ? 6 : 4);
    }
}

static void test_headers(void)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *name = err_name(rows[i].code);
        CLEANUP(answer_fini) struct answer answer = {0};
        struct err err = {.code = rows[i].code, .msg = "x"};
        bool soon = rows[i].retry && (rows[i].status == 429 || rows[i].status == 503);

        put(&err, &answer);
        CHECK_TEXT(name, answer.rq.rsp.headers.ptr == NULL ? "" : answer.rq.rsp.headers.ptr,
                   !rows[i].retry ? "x-should-retry: false\r\n"
                   : soon         ? "Retry-After: 1\r\n"
                                  : "");
    }
}

/* An error without a message speaks with the text of its code. */
static void test_texts_by_default(void)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(answer_fini) struct answer answer = {0};
        struct err err;
        char want[256];

        (void)err_detail(&err, rows[i].code, "%s", SECRET);
        put(&err, &answer);
        (void)snprintf(want, sizeof(want), "%s" SUFFIX,
                       err_text(rows[i].status == 500 ? ERR_INTERNAL : rows[i].code));
        CHECK_TEXT(err_name(rows[i].code), answer.message, want);
        CHECK_TRUE(err_name(rows[i].code), strstr(answer.rq.rsp.body.ptr, "SELECT") == NULL);
    }
}

static void test_balance_has_both_amounts(void)
{
    CLEANUP(answer_fini) struct answer answer = {0};
    struct err err = {.code = ERR_BALANCE,
                      .msg = "too little",
                      .need_nano = INT64_C(5009400000),
                      .have_nano = -1,
                      .currency = "CNY"};

    put(&err, &answer);
    CHECK_TEXT("body", answer.rq.rsp.body.ptr,
               "{\"error\":{\"code\":\"insufficient_balance\",\"message\":\"too little" SUFFIX
               "\",\"param\":\"\",\"type\":\"PaymentRequired\",\"hold\":\"5.0094\","
               "\"available\":\"-0.000000001\"}}");
}

/* Ark's own word on a request keeps its status and code. */
static void test_refusals_are_passed_on(void)
{
    static const struct {
        int status;
        const char *code, *type;
    } passed[] = {
        {400, "InputTextSensitiveContentDetected", "BadRequest"},
        {400, "InvalidParameter", "BadRequest"},
        {404, "NotFound.Asset", "NotFound"},
        {409, "InvalidAction.RunningTaskDeletion", "Conflict"},
        {422, "Unprocessable", "BadRequest"},
    };

    for (size_t i = 0; i < COUNT_OF(passed); i++) {
        CLEANUP(answer_fini) struct answer answer = {0};
        struct err err = {.code = ERR_UPSTREAM_REFUSED,
                          .msg = "Ark's own words",
                          .detail = SECRET,
                          .upstream_status = passed[i].status};

        (void)str_copy(err.upstream_code, sizeof(err.upstream_code), str_from(passed[i].code));
        put(&err, &answer);
        CHECK_INT(passed[i].code, answer.rq.rsp.status, passed[i].status);
        CHECK_TEXT(passed[i].code, answer.code, passed[i].code);
        CHECK_TEXT(passed[i].code, answer.type, passed[i].type);
        CHECK_TEXT(passed[i].code, answer.message, "Ark's own words" SUFFIX);
        CHECK_TEXT(passed[i].code, answer.rq.rsp.headers.ptr, "x-should-retry: false\r\n");
    }
}

/* Whatever stands in a message, the answer is JSON. */
static void test_hostile_messages(void)
{
    static const char *const messages[] = {
        "\"}}", "\\", "\n\r\t\x01\x7f", "\xff\xfe\x80", "\xe6\xa8", "</script>", "%s%n"};

    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        CLEANUP(answer_fini) struct answer answer = {0};
        struct err err = {.code = ERR_INVALID};

        memcpy(err.msg, messages[i], strlen(messages[i]) + 1);
        memcpy(err.field, messages[i], strlen(messages[i]) + 1);
        put(&err, &answer);
        CHECK_TEXT("code", answer.code, "invalid_request");
    }

    CLEANUP(answer_fini) struct answer answer = {0};
    struct err err = {.code = ERR_INVALID};

    memset(err.msg, '"', sizeof(err.msg) - 1);
    put(&err, &answer);
    CHECK_INT("the longest", strlen(answer.message), sizeof(err.msg) - 1 + sizeof(SUFFIX) - 1);
}

CHECK_MAIN(CHECK_TEST(test_every_code), CHECK_TEST(test_headers),
           CHECK_TEST(test_texts_by_default), CHECK_TEST(test_balance_has_both_amounts),
           CHECK_TEST(test_refusals_are_passed_on), CHECK_TEST(test_hostile_messages))
