/* SPDX-License-Identifier: Apache-2.0 */
/* Every error of the program as a client of the control plane sees it: status, code and its
 * number, headers, what of the request is echoed, and no word that was meant for the log. */
#include "gateway/dialect/volc_parts.h"

#include "tests/lib/check.h"

#define ID "20261231235959ABCDEF0123456789ABCD"
#define QUERY "Action=ListAssets&Version=2024-01-01"
#define SECRET "SELECT key_sealed FROM upstream"

enum { OURS, THEIRS };

static const struct {
    enum err_code code;
    int status;
    const char *wire_code;
    int number;
    int text; /* OURS: a fixed text, THEIRS: the message of the error */
    bool retry;
} rows[] = {
    {ERR_INVALID, 400, "InvalidParameter", 100100, THEIRS, false},
    {ERR_MISSING, 400, "MissingParameter", 100002, THEIRS, false},
    {ERR_MODERATION_SKIP, 400, "moderation_skip_not_allowed", 100101, THEIRS, false},
    {ERR_DURATION, 400, "InvalidParameter", 100100, THEIRS, false},
    {ERR_UNAUTHORIZED, 401, "InvalidCredential", 100025, THEIRS, false},
    {ERR_ACCESS_KEY, 401, "InvalidAccessKey", 100009, THEIRS, false},
    {ERR_SIGNATURE, 401, "SignatureDoesNotMatch", 100010, THEIRS, false},
    {ERR_TIMESTAMP, 401, "InvalidTimestamp", 100006, THEIRS, false},
    {ERR_AUTHORIZATION, 401, "InvalidAuthorization", 100024, THEIRS, false},
    {ERR_BALANCE, 500, "InternalError", 100014, OURS, false},
    {ERR_FORBIDDEN, 403, "AccessDenied", 100013, THEIRS, false},
    {ERR_ACTION_REFUSED, 403, "InvalidAction", 100102, THEIRS, false},
    {ERR_NOT_FOUND, 404, "ResourceNotFound.Asset", 100103, THEIRS, false},
    {ERR_MODEL_UNKNOWN, 400, "InvalidParameter", 100100, THEIRS, false},
    {ERR_ASSET_UNKNOWN, 404, "ResourceNotFound.Asset", 100103, THEIRS, false},
    {ERR_GROUP_UNKNOWN, 404, "ResourceNotFound.AssetGroup", 100104, THEIRS, false},
    {ERR_ACTION_UNKNOWN, 404, "InvalidActionOrVersion", 100008, THEIRS, false},
    {ERR_ROUTE_UNKNOWN, 404, "InvalidActionOrVersion", 100008, THEIRS, false},
    {ERR_METHOD_UNKNOWN, 404, "InvalidActionOrVersion", 100008, THEIRS, false},
    {ERR_CONFLICT, 500, "InternalError", 100014, OURS, false},
    {ERR_KEY_REUSED, 409, "IdempotencyConflict", 100106, THEIRS, false},
    {ERR_TASK_RUNNING, 500, "InternalError", 100014, OURS, false},
    {ERR_TASK_CANCELLED, 500, "InternalError", 100014, OURS, false},
    {ERR_TOO_LARGE, 413, "RequestTooLarge", 100105, THEIRS, false},
    {ERR_QUOTA, 429, "QuotaExceeded", 100107, THEIRS, true},
    {ERR_RATE, 429, "FlowLimitExceeded", 100018, THEIRS, true},
    {ERR_INTERNAL, 500, "InternalError", 100014, OURS, true},
    {ERR_UPSTREAM, 502, "service_error", 100109, THEIRS, true},
    {ERR_UPSTREAM_REFUSED, 502, "service_error", 100109, THEIRS, false},
    {ERR_UNAVAILABLE, 503, "service_unavailable", 100108, THEIRS, true},
    {ERR_BUSY, 503, "service_unavailable", 100108, THEIRS, true},
    {ERR_TIMEOUT, 503, "service_unavailable", 100108, THEIRS, true},
    {ERR_IO, 500, "InternalError", 100014, OURS, true},
    {ERR_CONFIG, 500, "InternalError", 100014, OURS, false},
    {ERR_USAGE, 500, "InternalError", 100014, OURS, false},
    {ERR_PERMISSION, 500, "InternalError", 100014, OURS, false},
    {ERR_MISMATCH, 500, "InternalError", 100014, OURS, false},
};
_Static_assert(COUNT_OF(rows) == ERR_CODE_COUNT - 1, "every code but ERR_OK");

/* An error put on the wire, and read back. */
struct answer {
    struct request rq;
    struct arena arena;
    struct json_doc *doc;
    char code[64], message[1024], id[64], action[128], version[128];
    int64_t number;
};

static void answer_fini(struct answer *answer)
{
    json_free(&answer->doc);
    arena_fini(&answer->arena);
    arena_fini(&answer->rq.arena);
    buf_fini(&answer->rq.rsp.body);
    buf_fini(&answer->rq.rsp.headers);
}

static void read_text(struct answer *answer, const struct json_value *object, const char *name,
                      char *dst, size_t size)
{
    const struct json_value *value = json_get(object, name);

    CHECK_TRUE(name, value != NULL && json_type(value) == JSON_STRING);
    if (value != NULL)
        CHECK_TRUE(name, str_copy(dst, size, json_text(answer->doc, value)));
}

/* What stands in an answer, and nothing beside it. */
static void read_answer(struct answer *answer)
{
    const struct json_value *root = json_root(answer->doc);
    const struct json_value *metadata = json_get(root, "ResponseMetadata");
    const struct json_value *error = json_get(metadata, "Error");
    char text[64] = "";

    CHECK_INT("ResponseMetadata alone", json_count(root), 1);
    CHECK_INT("its members", json_count(metadata), 6);
    CHECK_INT("the error's members", json_count(error), 3);
    read_text(answer, metadata, "RequestId", answer->id, sizeof(answer->id));
    read_text(answer, metadata, "Action", answer->action, sizeof(answer->action));
    read_text(answer, metadata, "Version", answer->version, sizeof(answer->version));
    read_text(answer, metadata, "Service", text, sizeof(text));
    CHECK_TEXT("service", text, "ark");
    read_text(answer, metadata, "Region", text, sizeof(text));
    CHECK_TEXT("region", text, "cn-beijing");
    read_text(answer, error, "Code", answer->code, sizeof(answer->code));
    read_text(answer, error, "Message", answer->message, sizeof(answer->message));
    CHECK_TRUE("number", json_int(json_get(error, "CodeN"), &answer->number));
}

/* status: what HTTP decided, or 0. */
static void put(const char *query, int status, const struct err *err, struct answer *ret_answer)
{
    struct answer *answer = ret_answer;
    struct err bad = {0};

    (void)str_copy(answer->rq.id, sizeof(answer->rq.id), STR(ID));
    answer->rq.query = str_from(query);
    answer->rq.rsp.status = status;
    arena_init(&answer->rq.arena, 1 << 16);
    buf_init(&answer->rq.rsp.body, 1 << 16);
    buf_init(&answer->rq.rsp.headers, 1 << 12);
    buf_puts(&answer->rq.rsp.body, "{\"half\":"); /* what a handler left behind */
    volc_errmap_put(&answer->rq, err);
    arena_init(&answer->arena, 1 << 20);
    CHECK_OK(err_name(err->code),
             json_parse(&answer->arena, buf_str(&answer->rq.rsp.body), &answer->doc, &bad),
             &bad);
    if (answer->doc != NULL)
        read_answer(answer);
}

static void test_every_code(void)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *name = err_name(rows[i].code);
        CLEANUP(answer_fini) struct answer answer = {0};
        struct err err = {.code = rows[i].code,
                          .field = "Filter.GroupIds",
                          .msg = "a message of its own",
                          .detail = SECRET};

        put(QUERY, 0, &err, &answer);
        CHECK_INT(name, answer.rq.rsp.status, rows[i].status);
        CHECK_TEXT(name, answer.code, rows[i].wire_code);
        CHECK_INT(name, answer.number, rows[i].number);
        CHECK_TEXT(name, answer.message,
                   rows[i].text == THEIRS ? "a message of its own" : err_text(ERR_INTERNAL));
        CHECK_TEXT(name, answer.id, ID);
        CHECK_TEXT(name, answer.action, "ListAssets");
        CHECK_TEXT(name, answer.version, "2024-01-01");
        CHECK_TRUE(name, strstr(answer.rq.rsp.body.ptr, "SELECT") == NULL);
    }
}

static void test_headers(void)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *name = err_name(rows[i].code);
        CLEANUP(answer_fini) struct answer answer = {0};
        struct err err = {.code = rows[i].code, .msg = "x"};
        bool soon = rows[i].retry && (rows[i].status == 429 || rows[i].status == 503);

        put(QUERY, 0, &err, &answer);
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
        const char *name = err_name(rows[i].code);
        CLEANUP(answer_fini) struct answer answer = {0};
        struct err err = {.code = rows[i].code, .detail = SECRET};

        put(QUERY, 0, &err, &answer);
        CHECK_TEXT(name, answer.message,
                   err_text(rows[i].text == OURS ? ERR_INTERNAL : rows[i].code));
    }
}

/* What HTTP itself has decided stays: a method that no route has, a body that is too long. */
static void test_status_of_http(void)
{
    static const int statuses[] = {400, 405, 411, 413, 501};

    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        CLEANUP(answer_fini) struct answer answer = {0};
        struct err err = {.code = ERR_METHOD_UNKNOWN};

        put(QUERY, statuses[i], &err, &answer);
        CHECK_INT("status", answer.rq.rsp.status, statuses[i]);
        CHECK_TEXT("code", answer.code, "InvalidActionOrVersion");
    }
}

/* The query is echoed, cut, whatever stands in it. */
static void test_echo(void)
{
#define X64 "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
    static const struct {
        const char *query, *action, *version;
    } cases[] = {
        /* query                                action     version */
        {"", "", ""},
        {"Action=&Version=", "", ""},
        {"Version=1&Action=Nonsense", "Nonsense", "1"},
        {"Action=A&Action=B", "A", ""},
        {"action=ListAssets", "", ""},
        {"Action=%22%5c%0a%7f", "\"\\\n\x7f", ""},
        {"Action=%e4%b8%ad", "\xe4\xb8\xad", ""},
        {"Action=%ff", "\xef\xbf\xbd", ""},
        {"Action=%zz&Version=2", "", "2"},
        {"Action=a%00b", "", ""},
        {"Action=" X64, X64, ""},
        {"Action=" X64 "Y", X64, ""},
    };
#undef X64

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP(answer_fini) struct answer answer = {0};
        struct err err = {.code = ERR_ACTION_UNKNOWN};

        put(cases[i].query, 0, &err, &answer);
        CHECK_TEXT(cases[i].query, answer.action, cases[i].action);
        CHECK_TEXT(cases[i].query, answer.version, cases[i].version);
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
        put(QUERY, 0, &err, &answer);
        CHECK_TEXT("code", answer.code, "InvalidParameter");
    }

    CLEANUP(answer_fini) struct answer answer = {0};
    struct err err = {.code = ERR_INVALID};

    memset(err.msg, '"', sizeof(err.msg) - 1);
    put(QUERY, 0, &err, &answer);
    CHECK_INT("the longest", strlen(answer.message), sizeof(err.msg) - 1);
}

CHECK_MAIN(CHECK_TEST(test_every_code), CHECK_TEST(test_headers),
           CHECK_TEST(test_texts_by_default), CHECK_TEST(test_status_of_http),
           CHECK_TEST(test_echo), CHECK_TEST(test_hostile_messages))
