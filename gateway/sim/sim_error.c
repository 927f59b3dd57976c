/* SPDX-License-Identifier: Apache-2.0 */
/* Ark's error codes: status, type and words of each; and, on request, words of
 * the operator's that no customer may read. */
#include "gateway/sim/sim_parts.h"

#include <stdio.h>
#include <string.h>

/* The usual type and code of a status. */
static const struct {
    int status;
    const char *type;
    const char *code;
} statuses[] = {
    {400, "BadRequest", "InvalidParameter"},
    {401, "Unauthorized", "AuthenticationError"},
    {403, "Forbidden", "AccessDenied"},
    {404, "NotFound", "ResourceNotFound"},
    {409, "Conflict", "InvalidAction.RunningTaskDeletion"},
    {413, "BadRequest", "InvalidParameter"},
    {429, "TooManyRequests", "RateLimitExceeded.EndpointRPMExceeded"},
    {500, "InternalServerError", "InternalServiceError"},
};

#define MAY_CONTAIN(what, why) "The request failed because the " what " may contain " why "."
#define SENSITIVE(name, what)                                                                 \
    {400, NULL, name "SensitiveContentDetected", MAY_CONTAIN(what, "sensitive information")}, \
    {                                                                                         \
        400, NULL, name "SensitiveContentDetected.PolicyViolation",                           \
            "The request failed because the " what " may violate platform rules."             \
    }
#define REAL_PERSON(name, what)                                        \
    {                                                                  \
        400, NULL, name "SensitiveContentDetected.PrivacyInformation", \
            MAY_CONTAIN(what, "real person")                           \
    }
#define RISK(name, what)                                                          \
    {                                                                             \
        400, NULL, name "RiskDetection",                                          \
            "The request could not be processed because the " what                \
            " includes sensitive content that violates ContentSecurityDetection." \
    }
#define RPM(what) "The Requests Per Minute (RPM) limit " what " has been exceeded."
#define RETRY "Please retry later."

/* Type NULL: that of the status. {parameter} is what stands behind the code's
 * dot; a code that ends with a dot stands for all that begin so. First match. */
static const struct row {
    int status;
    const char *type;
    const char *code;
    const char *message;
} rows[] = {
    {400, NULL, "MissingParameter",
     "The request failed because it is missing one or multiple required parameters."},
    {400, NULL, "MissingParameter.", "The required parameter {parameter} is missing."},
    {400, NULL, "InvalidParameter",
     "One or more parameters specified in the request are not valid."},
    {400, NULL, "InvalidParameter.DownloadFailed",
     "The media specified in the request could not be downloaded."},
    {400, NULL, "InvalidParameter.UnsupportedParameter",
     "A parameter specified in the request is not supported by the model."},
    {400, NULL, "InvalidParameter.TaskTypeConstraint",
     "A parameter specified in the request is not valid for the type of the task."},
    {400, NULL, "InvalidParameter.TaskTypeMismatch",
     "The content specified in the request does not match the type of the task."},
    {400, NULL, "InvalidParameter.", "The specified parameter {parameter} is invalid."},
    {400, NULL, "InvalidEndpoint.ClosedEndpoint",
     "The request targeted an endpoint that is currently closed or temporarily unavailable."},
    {400, NULL, "SensitiveContentDetected", MAY_CONTAIN("input text", "sensitive information")},
    {400, NULL, "SensitiveContentDetected.SevereViolation",
     MAY_CONTAIN("input text", "severe violation information")},
    {400, NULL, "SensitiveContentDetected.Violence",
     MAY_CONTAIN("input text", "violence information")},
    {400, NULL, "OutputVideoSensitiveContentDetected.PolicyViolation",
     "The request failed because the output video may be related to copyright restrictions."},
    SENSITIVE("InputText", "input text"),
    SENSITIVE("InputImage", "input image"),
    SENSITIVE("InputVideo", "input video"),
    SENSITIVE("InputAudio", "input audio"),
    SENSITIVE("OutputText", "output text"),
    SENSITIVE("OutputImage", "output image"),
    SENSITIVE("OutputVideo", "output video"),
    SENSITIVE("OutputAudio", "output audio"),
    REAL_PERSON("InputImage", "input image"),
    REAL_PERSON("InputVideo", "input video"),
    RISK("InputText", "input text"),
    RISK("InputImage", "input image"),
    RISK("OutputText", "output text"),
    RISK("OutputImage", "output image"),
    {400, NULL, "ContentSecurityDetectionError", "Internal error."},
    {400, "Forbidden", "InvalidSubscription",
     "Your account {account} does not have a valid subscription."},
    {401, NULL, "AuthenticationError",
     "The API key or AK/SK in the request is missing or invalid."},
    {401, "Forbidden", "InvalidAccountStatus",
     "There is an issue with your account status. Please check your account {account}."},
    {403, NULL, "AccessDenied",
     "The request failed because you do not have access to the requested resource."},
    {403, NULL, "AccountOverdueError",
     "The request failed because your account has an overdue balance."},
    {403, NULL, "OperationDenied.", "Operation is denied because of {parameter}."},
    {404, NULL, "InvalidEndpointOrModel.NotFound",
     "The model or endpoint {model} does not exist or you do not have access to it."},
    {404, NULL, "InvalidEndpointOrModel.ModelIDAccessDisabled",
     "Accessing the model via Model ID is not allowed for your account. Please use a custom "
     "endpoint ID instead."},
    {404, NULL, "ModelNotOpen",
     "Your account {account} has not activated the model {model}. Please activate the model "
     "service in the Ark Console."},
    {404, NULL, "ResourceNotFound", "The specified resource is not found."},
    {404, NULL, "NotFound.", "The specified {parameter} is not found."},
    {404, NULL, "UnsupportedModel", "The model {model} is not supported."},
    {404, NULL, "InvalidAction", "The specified action is not found."},
    {409, NULL, "InvalidAction.RunningTaskDeletion",
     "Cannot delete task because it is currently running."},
    {409, NULL, "InvalidAction.CancelledTaskDeletion",
     "Cannot delete task because it is cancelled."},
    {429, NULL, "RateLimitExceeded.EndpointRPMExceeded",
     RPM("of the associated endpoint for your account")},
    {429, NULL, "RateLimitExceeded.EndpointTPMExceeded",
     "The Tokens Per Minute (TPM) limit of the associated endpoint for your account has been "
     "exceeded."},
    {429, NULL, "ModelAccountRpmRateLimitExceeded",
     "RPM (Requests Per Minute) limit of the model is exceeded."},
    {429, NULL, "ModelAccountTpmRateLimitExceeded",
     "TPM (Tokens Per Minute) limit of the model is exceeded."},
    {429, NULL, "ModelAccountIpmRateLimitExceeded",
     "IPM (Images Per Minute) limit of the model is exceeded."},
    {429, NULL, "APIAccountRpmRateLimitExceeded",
     "The RPM (Requests Per Minute) limit for the API on your account has been exceeded."},
    {429, NULL, "AccountRateLimitExceeded",
     "Requests are too frequent. Please reduce your request frequency, wait a short moment, "
     "and retry your request."},
    {429, NULL, "QuotaExceeded", "The request has exceeded the quota."},
    {429, NULL, "SetLimitExceeded",
     "Your account [{account}] has reached the set inference limit for the [{model}] model, "
     "and the model service has been paused."},
    {429, NULL, "InflightBatchsizeExceeded", "The Inflight Batchsize limit has been exceeded."},
    {429, NULL, "ServerOverloaded",
     "The service is currently unable to handle additional requests due to server "
     "overload. " RETRY},
    {429, NULL, "RequestBurstTooFast",
     "System protection triggered by request burst. Please slow down traffic growth."},
    {500, NULL, "InternalServiceError",
     "The service encountered an unexpected internal error. " RETRY},
};

static const struct row *find(const char *code)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t len = strlen(rows[i].code);
        bool family = rows[i].code[len - 1] == '.' && strlen(code) > len;

        if (family ? strncmp(code, rows[i].code, len) == 0 : strcmp(code, rows[i].code) == 0)
            return &rows[i];
    }
    return NULL;
}

int sim_error_status(const char *code)
{
    const struct row *row = find(code);

    return row == NULL ? 0 : row->status;
}

const char *sim_error_type(int status, const char *code)
{
    const struct row *row = find(code);

    if (row != NULL && row->status == status && row->type != NULL)
        return row->type;
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        if (statuses[i].status == status)
            return statuses[i].type;
    return status >= 500 ? "InternalServerError" : "BadRequest";
}

const char *sim_error_code(int status)
{
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        if (statuses[i].status == status)
            return statuses[i].code;
    return status >= 500 ? "InternalServiceError" : "InvalidParameter";
}

/* The account as Ark's messages print it. */
static void put_account(struct buf *text, const struct sim *sim)
{
    buf_puts(text, "2100000001");
    if (sim->canary[0] != '\0')
        buf_printf(text, "-%s", sim->canary);
}

/* The word behind "{", or the character itself; what is consumed. */
static size_t expand(struct buf *text, const struct sim *sim, const char *at, const char *code)
{
    static const char *const names[] = {"{account}", "{model}", "{parameter}"};
    const char *dot = strchr(code, '.');
    size_t which = 0;

    while (which < COUNT_OF(names) && strncmp(at, names[which], strlen(names[which])) != 0)
        which++;
    if (which == COUNT_OF(names)) {
        buf_put(text, at, 1);
        return 1;
    }
    if (which == 0)
        put_account(text, sim);
    else
        buf_puts(text, which == 1 ? "doubao-seedance-2-0" : dot == NULL ? "" : dot + 1);
    return strlen(names[which]);
}

bool sim_error_message(const struct sim *sim, const char *code, char *ret_text, size_t size)
{
    CLEANUP(buf_fini) struct buf text = {0};
    const struct row *row = find(code);

    if (row == NULL)
        return false;
    buf_init(&text, 1024);
    for (const char *at = row->message; *at != '\0';)
        at += expand(&text, sim, at, code);
    str_copy_cut(ret_text, size, buf_str(&text));
    return true;
}

void sim_error_finish(const struct sim *sim, const char *message, const char *id,
                      char ret_text[SIM_MESSAGE_BYTES])
{
    const char *word = sim->canary;
    char private[256] = "";

    if (word[0] != '\0')
        (void)snprintf(private, sizeof(private),
                       " (account 2100000001-%s, endpoint ep-%s-20260101, upstream "
                       "ark-%s.internal.example, key %s-****)",
                       word, word, word, word);
    (void)snprintf(ret_text, SIM_MESSAGE_BYTES, "%s%s Request id: %s", message, private, id);
}
