/* SPDX-License-Identifier: Apache-2.0 */
/* Ark's errors by name, and the canary: a word in all that is the operator's. */
#include "tests/unit/sim/sim_client.h"

#define STANDARD "doubao-seedance-2-0-260128"

static bool starts_with(const char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0;
}

static void by_code(void)
{
    static const struct {
        const char *code;
        int status;
        const char *type;
        const char *message; /* its beginning */
    } rows[] = {
        {"MissingParameter", 400, "BadRequest", "The request failed because it is missing one"},
        {"MissingParameter.model", 400, "BadRequest",
         "The required parameter model is missing. Request id: 02"},
        {"InvalidParameter", 400, "BadRequest", "One or more parameters specified"},
        {"InvalidParameter.duration", 400, "BadRequest",
         "The specified parameter duration is invalid. Request id: 02"},
        {"InvalidParameter.UnsupportedParameter", 400, "BadRequest", "A parameter specified"},
        {"InvalidEndpoint.ClosedEndpoint", 400, "BadRequest",
         "The request targeted an endpoint that is currently closed"},
        {"SensitiveContentDetected.Violence", 400, "BadRequest",
         "The request failed because the input text may contain violence information."},
        {"InputVideoSensitiveContentDetected.PrivacyInformation", 400, "BadRequest",
         "The request failed because the input video may contain real person."},
        {"OutputAudioSensitiveContentDetected", 400, "BadRequest",
         "The request failed because the output audio may contain sensitive information."},
        {"InputImageSensitiveContentDetected.PolicyViolation", 400, "BadRequest",
         "The request failed because the input image may violate platform rules."},
        {"OutputVideoSensitiveContentDetected.PolicyViolation", 400, "BadRequest",
         "The request failed because the output video may be related to copyright"},
        {"OutputImageRiskDetection", 400, "BadRequest", "The request could not be processed"},
        {"ContentSecurityDetectionError", 400, "BadRequest", "Internal error."},
        {"InvalidSubscription", 400, "Forbidden", "Your account 2100000001 "},
        {"AuthenticationError", 401, "Unauthorized", "The API key or AK/SK in the request"},
        {"InvalidAccountStatus", 401, "Forbidden", "There is an issue with your account"},
        {"AccessDenied", 403, "Forbidden", "The request failed because you do not have"},
        {"AccountOverdueError", 403, "Forbidden", "The request failed because your account"},
        {"OperationDenied.ServiceNotOpen", 403, "Forbidden",
         "Operation is denied because of ServiceNotOpen."},
        {"InvalidEndpointOrModel.NotFound", 404, "NotFound",
         "The model or endpoint doubao-seedance-2-0 does not exist"},
        {"InvalidEndpointOrModel.ModelIDAccessDisabled", 404, "NotFound",
         "Accessing the model via Model ID is not allowed"},
        {"ModelNotOpen", 404, "NotFound",
         "Your account 2100000001 has not activated the model"},
        {"NotFound.endpoint", 404, "NotFound", "The specified endpoint is not found."},
        {"InvalidAction.RunningTaskDeletion", 409, "Conflict", "Cannot delete task"},
        {"RateLimitExceeded.EndpointTPMExceeded", 429, "TooManyRequests",
         "The Tokens Per Minute (TPM) limit"},
        {"ModelAccountIpmRateLimitExceeded", 429, "TooManyRequests", "IPM "},
        {"AccountRateLimitExceeded", 429, "TooManyRequests", "Requests are too frequent."},
        {"QuotaExceeded", 429, "TooManyRequests", "The request has exceeded the quota."},
        {"SetLimitExceeded", 429, "TooManyRequests", "Your account [2100000001] has reached"},
        {"InflightBatchsizeExceeded", 429, "TooManyRequests", "The Inflight Batchsize limit"},
        {"ServerOverloaded", 429, "TooManyRequests", "The service is currently unable"},
        {"RequestBurstTooFast", 429, "TooManyRequests", "System protection triggered"},
        {"InternalServiceError", 500, "InternalServerError", "The service encountered"},
    };
    static const char *const calls[] = {"create", "get", "list", "delete"};
    char body[256];

    start(1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *call = calls[i % 4];
        bool create = i % 4 == 0;

        (void)snprintf(body, sizeof(body), "{\"on\":\"%s\",\"do\":{\"code\":\"%s\"}}", call,
                       rows[i].code);
        fault(body);
        struct reply reply = create ? ask("POST", TASKS, "{}")
                             : i % 4 == 2
                                 ? ask("GET", TASKS, NULL)
                                 : ask(i % 4 == 1 ? "GET" : "DELETE", TASKS "/x", NULL);

        if (create) { /* an invalid create is refused for itself */
            CHECK_TEXT(rows[i].code, member(reply.body, "code"), "MissingParameter.model");
            reply_fini(&reply);
            fault(body);
            reply = ask("POST", TASKS,
                        "{\"model\":\"" STANDARD
                        "\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}");
        }
        CHECK_INT(rows[i].code, reply.status, rows[i].status);
        CHECK_TEXT(rows[i].code, member(reply.body, "code"), rows[i].code);
        CHECK_TEXT(rows[i].code, member(reply.body, "type"), rows[i].type);
        if (!starts_with(member(reply.body, "message"), rows[i].message))
            CHECK_FAILED(rows[i].code, "%s", member(reply.body, "message"));
        CHECK_TRUE(rows[i].code, holds(reply.body, " Request id: 02"));
        reply_fini(&reply);
    }
    fault(
        "{\"on\":\"get\",\"do\":{\"status\":503,\"code\":\"Mine\",\"message\":\"own words\"}}");
    struct reply reply = ask("GET", TASKS "/x", NULL);

    CHECK_INT("own", reply.status, 503);
    CHECK_TRUE("own", starts_with(member(reply.body, "message"), "own words Request id: 02"));
    CHECK_TEXT("own", member(reply.body, "type"), "InternalServerError");
    reply_fini(&reply);
    expect("unknown code",
           ask("POST", "/sim/faults", "{\"on\":\"get\",\"do\":{\"code\":\"Nope\"}}"), 400,
           "InvalidParameter");
    struct id id = make("[sim: fail=OutputVideoSensitiveContentDetected]");

    advance(60000);
    CHECK_TRUE("failed task",
               starts_with(now(id, "message"), "The request failed because the output video"));
    struct reply first = get(id), second = get(id);

    CHECK_TEXT("the same id in every answer", first.body.ptr, second.body.ptr);
    reply_fini(&first);
    reply_fini(&second);
    sim_stop(&sim);
}

static void check_word(const char *what, struct reply reply, bool in_body)
{
    const char *end = strstr(reply.raw.ptr, "\r\n\r\n");

    CHECK_TRUE(what, end != NULL);
    if (end != NULL) {
        CHECK_TRUE(what,
                   memmem(reply.raw.ptr, (size_t)(end - reply.raw.ptr), "c4n4ry", 6) != NULL);
        CHECK_INT(what, holds(reply.body, "c4n4ry"), in_body);
    }
    if (in_body) {
        CHECK_TRUE(what, holds(reply.body, "ep-c4n4ry-"));
        CHECK_TRUE(what, holds(reply.body, "ark-c4n4ry.internal.example"));
        CHECK_TRUE(what, strstr(member(reply.body, "code"), "c4n4ry") == NULL);
    }
    reply_fini(&reply);
}

static void canary(void)
{
    static const char *const bad[] = {"", "Upper", "a-b", "a b",
                                      "012345678901234567890123456789012"};
    struct sim_options options = {.listen = "127.0.0.1:0", .api_key = "k"};
    struct err err = {0};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        options.canary = bad[i];
        CHECK_INT(bad[i], sim_start(&options, &sim, &err), ERR_CONFIG);
    }
    start_with((struct sim_options){.speed = 1, .canary = "c4n4ry"});
    struct id good = make_with("ep-1", "a", ",\"return_last_frame\":true");
    struct id failed = make("[sim: fail=X]");

    advance(60000);
    check_word("succeeded", get(good), false);
    check_word("failed", get(failed), true);
    check_word("list with the failed one", ask("GET", TASKS, NULL), true);
    check_word("unknown", get((struct id){"x"}), true);
    check_word("unauthorized", ask_as("bad", "GET", TASKS, "", NULL), true);
    check_word("invalid", ask("POST", TASKS, "{}"), true);
    fault("{\"on\":\"get\",\"do\":{\"status\":429,\"message\":\"own\"}}");
    check_word("fault", get(good), true);
    fault("{\"on\":\"get\",\"do\":{\"code\":\"ModelNotOpen\"}}");
    struct reply reply = get(good);

    CHECK_TRUE("account", holds(reply.body, "Your account 2100000001-c4n4ry has"));
    reply_fini(&reply);
    sim_stop(&sim);
    start(1);
    reply = get((struct id){"x"});
    CHECK_TRUE("off", strcasestr(reply.raw.ptr, "x-ark-") == NULL);
    reply_fini(&reply);
    sim_stop(&sim);
}

CHECK_MAIN(CHECK_TEST(by_code), CHECK_TEST(canary))
