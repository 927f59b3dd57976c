/* SPDX-License-Identifier: Apache-2.0 */
/* Is a create valid? Every member but content, which sim_content.c judges.
 * Unknown members are ignored and null counts as absent, as Ark does. */
#include "gateway/sim/sim_parts.h"

#include "base/crypto.h"

#include <stdio.h>

/* Integers with a range. */
static const struct {
    const char *name;
    int64_t min, max;
} integers[] = {
    {"seed", -1, INT64_C(4294967295)},
    {"priority", 0, 9},
    {"execution_expires_after", 3600, 259200},
};

static const char *const booleans[] = {"generate_audio", "return_last_frame", "watermark",
                                       "draft", "camera_fixed"};
static const char *const texts[] = {"resolution", "ratio", "service_tier", "safety_identifier",
                                    "callback_url"};

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

static bool check_integers(const struct json_value *root, struct sim_draft *draft,
                           struct sim_refusal *refusal)
{
    int64_t values[COUNT_OF(integers)] = {draft->seed, 0, 172800}; /* Ark: two days */

    for (size_t i = 0; i < COUNT_OF(integers); i++) {
        const struct json_value *value = json_get(root, integers[i].name);
        char why[96];

        if (value == NULL)
            continue;
        if (json_int(value, &values[i]) && values[i] >= integers[i].min &&
            values[i] <= integers[i].max)
            continue;
        (void)snprintf(why, sizeof(why), "it must be an integer from %lld to %lld",
                       (long long)integers[i].min, (long long)integers[i].max);
        return bad(refusal, integers[i].name, why);
    }
    draft->seed = values[0];
    draft->priority = (int)values[1];
    draft->expires_after = values[2];
    return true;
}

/* A member wins over the prompt's inline parameter, which the draft holds. */
static bool check_picture(const struct json_doc *doc, struct sim_draft *draft,
                          struct sim_refusal *refusal)
{
    const struct json_value *root = json_root(doc);
    const struct json_value *resolution = json_get(root, "resolution");
    const struct json_value *ratio = json_get(root, "ratio");
    const struct json_value *duration = json_get(root, "duration");
    int64_t seconds = 5;

    if (resolution != NULL) {
        draft->resolution = sim_model_resolution(json_text(doc, resolution));
        if (draft->resolution < 0 || !sim_model_has_resolution(draft->model, draft->resolution))
            return sim_answer_refuse(
                refusal, 400, "InvalidParameter", "resolution",
                "the parameter resolution specified in the request is not valid for model %s",
                sim_model_family(draft->model));
    }
    if (ratio != NULL) {
        struct str name = json_text(doc, ratio);

        /* Adaptive: this Ark chooses 16:9 whatever it is shown. */
        draft->ratio = str_is(name, "adaptive") ? 0 : sim_model_ratio(name);
        if (draft->ratio < 0)
            return bad(refusal, "ratio", "it must be one of the supported ratios");
    }
    if (duration != NULL) {
        if (!json_int(duration, &seconds) || (seconds != -1 && (seconds < 4 || seconds > 15)))
            return sim_answer_refuse(
                refusal, 400, "InvalidParameter", "duration",
                "the parameter duration specified in the request is not valid for model %s",
                sim_model_family(draft->model));
        draft->duration = seconds == -1 ? 5 : (int)seconds; /* -1: the model's choice */
    }
    return true;
}

static bool is_true(const struct json_value *root, const char *name)
{
    bool value = false;

    return json_bool(json_get(root, name), &value) && value;
}

/* What the 2.0 models do not have. */
static bool check_unsupported(const struct json_doc *doc, const struct sim_draft *draft,
                              struct sim_refusal *refusal)
{
    const struct json_value *root = json_root(doc);
    const char *name = NULL;
    struct str tier = json_text(doc, json_get(root, "service_tier"));

    if (is_true(root, "draft"))
        name = "draft";
    else if (is_true(root, "camera_fixed"))
        name = "camera_fixed";
    else if (json_get(root, "frames") != NULL)
        name = "frames";
    else if (tier.len > 0 && !str_is(tier, "default"))
        name = "service_tier";
    if (name == NULL)
        return true;
    return sim_answer_refuse(
        refusal, 400, "InvalidParameter", name,
        "the parameter %s specified in the request is not valid for model %s", name,
        sim_model_family(draft->model));
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

    draft->seed = -1;
    draft->resolution = sim_model_resolution(STR("720p"));
    draft->duration = 5;
    draft->generate_audio = true;
    crypto_sha256(rq->body, draft->body_sha256);
    if (json_parse(&rq->arena, rq->body, &rq->doc, &err) != ERR_OK ||
        json_type(json_root(rq->doc)) != JSON_OBJECT)
        return sim_answer_refuse(
            refusal, 400, "InvalidParameter", "",
            "The request body is not a JSON object. One or more parameters specified in the "
            "request are not valid.");
    root = json_root(rq->doc);
    if (!check_model(rq->doc, draft, refusal) || !types_ok(root, refusal) ||
        !check_unsupported(rq->doc, draft, refusal))
        return false;
    draft->safety_identifier = json_text(rq->doc, json_get(root, "safety_identifier"));
    if (characters(draft->safety_identifier) > 64)
        return bad(refusal, "safety_identifier", "it must have at most 64 characters");
    (void)json_bool(json_get(root, "generate_audio"), &draft->generate_audio);
    (void)json_bool(json_get(root, "return_last_frame"), &draft->return_last_frame);
    draft->callback_url = json_text(rq->doc, json_get(root, "callback_url"));
    if (draft->callback_url.len > SIM_CALLBACK_URL)
        return bad(refusal, "callback_url", "it is too long");
    return note_members(rq, root, draft, refusal) && sim_content_check(rq, draft, refusal) &&
           check_integers(root, draft, refusal) && check_picture(rq->doc, draft, refusal) &&
           sim_content_fetch(rq, draft, refusal);
}
