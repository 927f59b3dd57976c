/* SPDX-License-Identifier: Apache-2.0 */
/* Is a create valid? The body, the model, types; content is judged by
 * sim_content.c, what depends on model and content by sim_picture.c. Unknown members are
 * ignored and null counts as absent, as Ark does. */
#include "gateway/sim/sim_parts.h"

#include "base/crypto.h"

#include <stdio.h>

static const char *const booleans[] = {"generate_audio", "return_last_frame", "watermark",
                                       "draft", "camera_fixed"};
static const char *const texts[] = {"resolution",        "ratio",        "service_tier",
                                    "safety_identifier", "callback_url", "output_format"};

static bool bad(struct sim_refusal *refusal, const char *param, const char *why)
{
    return sim_answer_refuse(refusal, 400, "InvalidParameter", param,
                             "The parameter `%s` specified in the request is not valid: %s.",
                             param, why);
}

static bool types_ok(const struct json_value *root, struct sim_refusal *refusal)
{
    for (size_t i = 0; i < COUNT_OF(booleans); i++) {
        const struct json_value *value = json_get(root, booleans[i]);

        if (value != NULL && json_type(value) != JSON_BOOL)
            return bad(refusal, booleans[i], "it must be a boolean");
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct json_value *value = json_get(root, texts[i]);

        if (value != NULL && json_type(value) != JSON_STRING)
            return bad(refusal, texts[i], "it must be a string");
    }
    return true;
}

/* Ark counts characters, not bytes. */
static size_t characters(struct str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += ((uint8_t)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

static bool check_model(const struct json_doc *doc, struct sim_draft *draft,
                        struct sim_refusal *refusal)
{
    const struct json_value *value = json_get(json_root(doc), "model");
    struct str name = json_text(doc, value);

    if (value == NULL || name.len == 0)
        return sim_answer_refuse(refusal, 400, "MissingParameter.model", "model",
                                 "The required parameter model is missing.");
    draft->model = sim_model_find(name);
    if (draft->model < 0 || name.len > 128)
        return sim_answer_refuse(
            refusal, 404, "InvalidEndpointOrModel.NotFound", "",
            "The model or endpoint %.*s does not exist or you do not have access to it.",
            (int)(name.len < 128 ? name.len : 128), name.ptr);
    if (name.len > 3 && name.ptr[0] == 'e')
        draft->endpoint = name;
    return true;
}

/* What arrived, for /sim/tasks. */
static bool note_members(struct sim_request *rq, const struct json_value *root,
                         struct sim_draft *draft, struct sim_refusal *refusal)
{
    CLEANUP(buf_fini) struct buf names = {0};
    struct json_out out;
    struct err err;

    buf_init(&names, SIM_BODY_KEPT);
    out = json_begin(&names);
    json_open_array(&out, NULL);
    for (const struct json_value *item = json_first(root); item != NULL; item = json_next(item))
        json_put_text(&out, NULL, str_from(json_name(item)));
    json_close_array(&out);
    char *copy = json_end(&out, &err) == ERR_OK ? arena_dup(&rq->arena, buf_str(&names)) : NULL;

    draft->members = str_from(copy);
    draft->body = rq->body;
    return copy != NULL || bad(refusal, "", "it has too many members");
}

bool sim_check_create(struct sim_request *rq, struct sim_draft *draft,
                      struct sim_refusal *refusal)
{
    const struct json_value *root;
    struct err err;

    crypto_sha256(rq->body, draft->body_sha256);
    if (json_parse(&rq->arena, rq->body, &rq->doc, &err) != ERR_OK ||
        json_type(json_root(rq->doc)) != JSON_OBJECT)
        return sim_answer_refuse(
            refusal, 400, "InvalidParameter", "",
            "The request body is not a JSON object. One or more parameters specified in the "
            "request are not valid.");
    root = json_root(rq->doc);
    if (!check_model(rq->doc, draft, refusal) || !types_ok(root, refusal))
        return false;
    draft->safety_identifier = json_text(rq->doc, json_get(root, "safety_identifier"));
    if (characters(draft->safety_identifier) > 64)
        return bad(refusal, "safety_identifier", "it must have at most 64 characters");
    draft->callback_url = json_text(rq->doc, json_get(root, "callback_url"));
    if (draft->callback_url.len > SIM_CALLBACK_URL)
        return bad(refusal, "callback_url", "it is too long");
    return note_members(rq, root, draft, refusal) && sim_content_check(rq, draft, refusal) &&
           sim_picture_check(rq, draft, refusal) && sim_content_fetch(rq, draft, refusal);
}
