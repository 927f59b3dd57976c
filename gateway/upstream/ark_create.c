/* SPDX-License-Identifier: Apache-2.0 */
/* One create sent to Ark, once, and what its answer means: taken, certainly not
 * taken, or unknown. Only a failure before the first byte and an error in Ark's own
 * shape are certain. */
#include "gateway/upstream/ark_parts.h"

#include <stdio.h>
#include <string.h>

/* Is the refusal about us, and nothing that the tenant could mend? */
static bool is_our_problem(int status, struct str code)
{
    if (ark_wire_is_ours(code))
        return true;
    /* What the request names and Ark has not is the tenant's: a draft older than 7 days. */
    if (status == 404)
        return !str_starts_nocase(code, STR("NotFound.")) &&
               !str_starts_nocase(code, STR("ResourceNotFound"));
    return status == 401 || status == 402 || status == 403;
}

/* A refusal as the tenant is told. Ark's word on the request itself is passed on;
 * its word on our account is our problem. */
static void refuse(const struct net_reply *reply, const char *code, const char *message,
                   struct provider_answer *answer, struct err *err)
{
    int status = reply->status;

    answer->outcome = PROVIDER_REFUSED;
    (void)snprintf(answer->detail, sizeof(answer->detail), "status %d, code %s", status, code);
    if (status == 429) {
        answer->try_another = true;
        (void)err_set(err, ERR_RATE, "The model service is busy. Please retry later.");
    } else if (status < 500 && is_our_problem(status, str_from(code))) {
        answer->try_another = true;
        (void)err_set(err, ERR_UNAVAILABLE, "The model is not available at present.");
    } else if (status >= 500) {
        (void)err_set(err, ERR_UPSTREAM, "The model service returned an error.");
    } else {
        (void)err_set(err, ERR_UPSTREAM_REFUSED, "%s", message);
        err->upstream_status = status;
        (void)str_copy(err->upstream_code, sizeof(err->upstream_code), str_from(code));
    }
    (void)str_copy(err->detail, sizeof(err->detail), str_from(answer->detail));
}

static void judge_reply(const struct net_reply *reply, struct provider_answer *answer,
                        struct err *err)
{
    char code[96], message[512];

    answer->status = reply->status;
    answer->outcome = PROVIDER_UNKNOWN;
    if (reply->fate == NET_NOT_SENT) {
        answer->outcome = PROVIDER_REFUSED;
        answer->try_another = true;
        (void)snprintf(answer->detail, sizeof(answer->detail), "not sent: %s", reply->reason);
        (void)err_set(err, ERR_UPSTREAM, "The model service could not be reached.");
        (void)str_copy(err->detail, sizeof(err->detail), str_from(answer->detail));
    } else if (reply->fate == NET_UNKNOWN) {
        (void)snprintf(answer->detail, sizeof(answer->detail), "no answer: %s", reply->reason);
    } else if (reply->status >= 200 && reply->status < 300) {
        if (ark_wire_created(buf_str(&reply->body), answer->upstream_id))
            answer->outcome = PROVIDER_ACCEPTED;
        else
            (void)snprintf(answer->detail, sizeof(answer->detail),
                           "status %d without a usable id", reply->status);
    } else if (reply->status >= 400 && ark_wire_error(buf_str(&reply->body), code, sizeof(code),
                                                      message, sizeof(message))) {
        refuse(reply, code, message, answer, err);
    } else {
        (void)snprintf(answer->detail, sizeof(answer->detail), "status %d that is not Ark's",
                       reply->status);
    }
}

/* The tenant's body with our model id and identifier and what the draft says, nothing else
 * touched. */
static enum err_code outgoing_body(struct arena *arena, const struct provider_route *route,
                                   const struct task_draft *draft, const char *identifier,
                                   struct json_slices *ret_slices, struct err *err)
{
    struct json_edit edits[2 + DRAFT_EDITS_MAX] = {{.name = "model"},
                                                   {.name = "safety_identifier"}};
    size_t count = 1;

    /* Both are of our own making or checked when the operator set them: no character
     * in them needs an escape. */
    edits[0].json = str_from(arena_printf(arena, "\"%s\"", route->sent_model));
    if (identifier[0] != '\0')
        edits[count++].json = str_from(arena_printf(arena, "\"%s\"", identifier));
    for (size_t i = 0; i < draft->edit_count; i++)
        edits[count++] = draft->edits[i];
    TRY(json_splice(arena, draft->body, edits, count, ret_slices, err));
    for (size_t i = 0; i < draft->patch_count; i++)
        TRY(json_splice_patch(arena, &draft->patches[i], ret_slices, err));
    return ERR_OK;
}

void ark_create(void *self, const struct provider_route *route, const struct task_draft *draft,
                const char *identifier, int64_t deadline_us, struct provider_answer *ret_answer,
                struct err *err)
{
    struct ark *ark = self;
    CLEANUP(arena_fini) struct arena arena = {0};
    CLEANUP(directory_target_fini) struct ark_target target = {0};
    CLEANUP(net_reply_fini) struct net_reply reply = {0};
    const char *headers[] = {"Content-Type: application/json", "Accept: application/json",
                             target.authorization, NULL};
    struct json_slices slices;
    struct net_call call = {
        .method = "POST",
        .headers = headers,
        .repeat = NET_ONCE,
        .connect_us = ark->settings.connect_us,
        .answer_max = ARK_CREATE_ANSWER_MAX,
    };

    *ret_answer = (struct provider_answer){.outcome = PROVIDER_REFUSED};
    arena_init(&arena, 1 << 20);
    if (directory_target(ark->directory, route->credential_id, &target, err) != ERR_OK ||
        outgoing_body(&arena, route, draft, identifier, &slices, err) != ERR_OK)
        return;
    call.url = arena_printf(&arena, "%s/contents/generations/tasks", target.base_url);
    call.body = slices.items;
    call.body_count = slices.count;
    call.total_us = deadline_us - sys_now_us();
    if (net_call(ark->net, &call, &reply, err) != ERR_OK)
        return; /* the queue is full: nothing was sent */
    judge_reply(&reply, ret_answer, err);
}
