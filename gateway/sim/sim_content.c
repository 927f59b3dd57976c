/* SPDX-License-Identifier: Apache-2.0 */
/* Is the content of a create valid: items, roles, modes, links, tools; and what
 * the prompt says beside the story: faults and inline parameters. */
#include "gateway/sim/sim_parts.h"

#include <stdio.h>
#include <string.h>

enum {
    ITEMS_MAX = 64,          /* Ark takes 9 + 3 + 3 and the prompt; more is nonsense */
    LINK_HEAD = 2048,        /* longer links are data: URLs, told by their first bytes */
    PROMPT_HEAD = 64 * 1024, /* markers and inline parameters are looked for in here */
    DEFAULT_VIDEO_MS = 5000  /* counted for a video that is not opened */
};

/* Order is that of the tables below. */
enum kind { KIND_TEXT, KIND_IMAGE, KIND_VIDEO, KIND_AUDIO, KIND_COUNT };

static const struct {
    const char *type;
    const char *reference; /* its role in reference mode */
    int max;               /* Ark: references per request */
} kinds[KIND_COUNT] = {
    [KIND_TEXT] = {"text", NULL, ITEMS_MAX},
    [KIND_IMAGE] = {"image_url", "reference_image", 9},
    [KIND_VIDEO] = {"video_url", "reference_video", 3},
    [KIND_AUDIO] = {"audio_url", "reference_audio", 3},
};

/* What was seen so far. */
struct tally {
    int items[KIND_COUNT];
    int first_frames, last_frames, references, bare_images;
    bool has_prompt;
};

static bool bad(struct sim_refusal *refusal, const char *param, const char *why)
{
    return sim_answer_refuse(refusal, 400, "InvalidParameter", param,
                             "The parameter `%s` specified in the request is not valid: %s",
                             param, why);
}

static struct str text_of(const struct json_doc *doc, const struct json_value *object,
                          const char *name)
{
    const struct json_value *value = json_get(object, name);

    return value == NULL ? STR("") : json_text(doc, value);
}

static enum kind kind_of(struct str type)
{
    int kind = 0;

    while (kind < KIND_COUNT && !str_is(type, kinds[kind].type))
        kind++;
    return (enum kind)kind;
}

static bool starts(struct str text, struct str prefix)
{
    return str_starts_nocase(text, prefix);
}

/* "--name value" anywhere in the prompt; a wrong value means the default. */
static void inline_parameter(struct sim_draft *draft, struct str name, struct str value)
{
    int64_t number;

    if (str_is(name, "--rs") || str_is(name, "--resolution")) {
        int resolution = sim_model_resolution(value);

        if (resolution >= 0 && sim_model_has_resolution(draft->model, resolution))
            draft->resolution = resolution;
    } else if (str_is(name, "--rt") || str_is(name, "--ratio")) {
        if (sim_model_ratio(value) >= 0)
            draft->ratio = sim_model_ratio(value);
    } else if (str_is(name, "--dur") || str_is(name, "--duration")) {
        if (str_to_i64(value, &number) && number >= 4 && number <= 15)
            draft->duration = (int)number;
    } else if (str_is(name, "--seed")) {
        if (str_to_i64(value, &number) && number >= 0 && number <= INT64_C(4294967295))
            draft->seed = number;
    }
}

static void inline_parameters(struct sim_draft *draft, struct str prompt)
{
    struct str before = STR("");
    size_t at = 0;

    while (at < prompt.len) {
        struct str word = {prompt.ptr + at, 0};

        while (at + word.len < prompt.len && (uint8_t)word.ptr[word.len] > ' ')
            word.len++;
        at += word.len + 1;
        if (word.len == 0)
            continue;
        if (before.len > 2 && memcmp(before.ptr, "--", 2) == 0)
            inline_parameter(draft, before, word);
        before = word;
    }
}

static bool check_text(struct sim_request *rq, const struct json_value *item,
                       struct sim_draft *draft, struct tally *tally,
                       struct sim_refusal *refusal)
{
    const struct json_value *text = json_get(item, "text");
    struct str prompt;

    if (text == NULL || json_type(text) != JSON_STRING)
        return sim_answer_refuse(refusal, 400, "MissingParameter.content.text", "content.text",
                                 "The required parameter content.text is missing.");
    prompt = json_text_head(rq->doc, text, PROMPT_HEAD);
    tally->has_prompt |= str_trim(prompt).len > 0;
    inline_parameters(draft, prompt);
    return sim_fault_marker(&draft->fault, prompt, refusal);
}

static bool check_role(struct str role, enum kind kind, struct tally *tally,
                       struct sim_refusal *refusal)
{
    char why[96];

    if (kind == KIND_IMAGE && role.len == 0)
        tally->bare_images++;
    else if (kind == KIND_IMAGE && str_is(role, "first_frame"))
        tally->first_frames++;
    else if (kind == KIND_IMAGE && str_is(role, "last_frame"))
        tally->last_frames++;
    else if (role.len == 0 || str_is(role, kinds[kind].reference))
        tally->references++;
    else {
        (void)snprintf(why, sizeof(why), "reference media mode requires %s role to be %s.",
                       kind == KIND_IMAGE   ? "image"
                       : kind == KIND_VIDEO ? "video"
                                            : "audio",
                       kinds[kind].reference);
        return bad(refusal, "content", why);
    }
    return true;
}

static bool check_link(struct str url, enum kind kind, size_t index,
                       struct sim_refusal *refusal)
{
    char param[64];

    (void)snprintf(param, sizeof(param), "content[%zu].%s.url", index, kinds[kind].type);
    if (starts(url, STR("asset://"))) {
        struct str id = {url.ptr + 8, url.len - 8 < 80 ? url.len - 8 : 80};

        return sim_answer_refuse(refusal, 400, "InvalidParameter", param,
                                 "The parameter %s specified in the request is not valid: "
                                 "The specified asset %.*s is not found.",
                                 param, (int)id.len, id.ptr);
    }
    if (starts(url, STR("data:")))
        return kind != KIND_VIDEO || bad(refusal, param, "base64 is not supported for videos.");
    if (starts(url, STR("http://")) || starts(url, STR("https://")))
        return true;
    return bad(refusal, param, "it must be a URL, base64 data or an asset.");
}

static bool check_media(struct sim_request *rq, const struct json_value *item, size_t index,
                        enum kind kind, struct tally *tally, struct sim_refusal *refusal)
{
    const struct json_value *media = json_get(item, kinds[kind].type), *url, *role;
    char param[64];

    (void)snprintf(param, sizeof(param), "content.%s", kinds[kind].type);
    url = media == NULL || json_type(media) != JSON_OBJECT ? NULL : json_get(media, "url");
    if (url == NULL || json_type(url) != JSON_STRING)
        return bad(refusal, param, "it must be an object with a url.");
    role = json_get(item, "role");
    if (role != NULL && json_type(role) != JSON_STRING)
        return bad(refusal, "content.role", "it must be a string.");
    return check_role(text_of(rq->doc, item, "role"), kind, tally, refusal) &&
           check_link(json_text_head(rq->doc, url, LINK_HEAD), kind, index, refusal);
}

/* The three modes exclude each other: text, first and last frame, references. */
static bool check_mode(struct tally *tally, struct sim_refusal *refusal)
{
    char why[96];

    if (tally->first_frames > 1 || tally->last_frames > 1) {
        bool first = tally->first_frames > 1;

        (void)snprintf(
            why, sizeof(why), "expected at most one %s frame image content but got %d instead.",
            first ? "first" : "last", first ? tally->first_frames : tally->last_frames);
        return bad(refusal, "content", why);
    }
    if (tally->bare_images > 0 && tally->items[KIND_IMAGE] > 1)
        return bad(refusal, "content", "role must be specified for image contents.");
    if (tally->bare_images == 1 && tally->references == 0)
        tally->first_frames = 1;
    if (tally->last_frames > 0 && tally->first_frames == 0)
        return bad(refusal, "content", "last frame image requires a first frame image.");
    if (tally->first_frames > 0 && tally->references > 0)
        return bad(refusal, "content",
                   "first/last frame content cannot be mixed with reference media content.");
    for (int kind = KIND_IMAGE; kind < KIND_COUNT; kind++)
        if (tally->items[kind] > kinds[kind].max)
            return bad(refusal, "content", "too many reference media contents.");
    if (tally->items[KIND_AUDIO] > 0 &&
        tally->items[KIND_IMAGE] + tally->items[KIND_VIDEO] == 0)
        return bad(refusal, "content", "audio must come with an image or a video.");
    if (!tally->has_prompt && tally->items[KIND_IMAGE] + tally->items[KIND_VIDEO] == 0)
        return bad(refusal, "content", "it must hold a prompt or media.");
    return true;
}

static bool check_tools(const struct json_doc *doc, const struct tally *tally,
                        struct sim_refusal *refusal)
{
    const struct json_value *tools = json_get(json_root(doc), "tools");

    if (tools == NULL)
        return true;
    if (json_type(tools) != JSON_ARRAY)
        return bad(refusal, "tools", "it must be an array.");
    for (const struct json_value *tool = json_first(tools); tool != NULL;
         tool = json_next(tool)) {
        if (!str_is(text_of(doc, tool, "type"), "web_search"))
            return bad(refusal, "tools", "the only supported type is web_search.");
        if (tally->items[KIND_IMAGE] + tally->items[KIND_VIDEO] > 0)
            return bad(refusal, "tools", "web_search needs text-only content.");
    }
    return true;
}

bool sim_content_check(struct sim_request *rq, struct sim_draft *draft,
                       struct sim_refusal *refusal)
{
    const struct json_value *content = json_get(json_root(rq->doc), "content");
    struct tally tally = {0};
    size_t index = 0;

    if (content == NULL)
        return sim_answer_refuse(refusal, 400, "MissingParameter.content", "content",
                                 "The required parameter content is missing.");
    if (json_type(content) != JSON_ARRAY || json_first(content) == NULL ||
        json_count(content) > ITEMS_MAX)
        return bad(refusal, "content", "it must be a non-empty array.");
    for (const struct json_value *item = json_first(content); item != NULL;
         item = json_next(item), index++) {
        enum kind kind = kind_of(text_of(rq->doc, item, "type"));
        char param[32];

        (void)snprintf(param, sizeof(param), "content[%zu].type", index);
        if (kind == KIND_COUNT)
            return bad(refusal, param,
                       "supported values are: text, image_url, audio_url, video_url.");
        tally.items[kind]++;
        if (kind == KIND_TEXT ? !check_text(rq, item, draft, &tally, refusal)
                              : !check_media(rq, item, index, kind, &tally, refusal))
            return false;
    }
    draft->has_video = tally.items[KIND_VIDEO] > 0;
    return check_mode(&tally, refusal) && check_tools(rq->doc, &tally, refusal);
}

bool sim_content_fetch(struct sim_request *rq, struct sim_draft *draft,
                       struct sim_refusal *refusal)
{
    const struct json_value *content = json_get(json_root(rq->doc), "content");

    for (const struct json_value *item = json_first(content); item != NULL;
         item = json_next(item)) {
        enum kind kind = kind_of(text_of(rq->doc, item, "type"));
        int64_t length_ms = DEFAULT_VIDEO_MS;

        if (kind == KIND_TEXT)
            continue;
        struct str url = json_text_head(
            rq->doc, json_get(json_get(item, kinds[kind].type), "url"), LINK_HEAD);
        if (sim_fetch_is_local(url) &&
            !sim_fetch_media(rq->sim, url, kind == KIND_VIDEO, &length_ms))
            draft->fail_code = "InvalidParameter.DownloadFailed";
        if (kind == KIND_VIDEO)
            draft->input_ms += length_ms;
    }
    /* 15 s with Ark's own tolerance; lengths that were not measured do not count against. */
    if (draft->input_ms > 15200)
        return sim_answer_refuse(
            refusal, 400, "InvalidParameter", "content",
            "the parameter video duration (seconds) specified in the request must be less than "
            "or equal to 15.2 for model %s in r2v.",
            sim_model_family(draft->model));
    return true;
}
