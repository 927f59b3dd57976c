/* SPDX-License-Identifier: Apache-2.0 */
/* Is the content of a create valid: items, roles, modes, links, drafts; and what
 * the prompt says beside the story: faults and inline parameters. */
#include "gateway/sim/sim_parts.h"

#include <stdio.h>
#include <string.h>

enum {
    ITEMS_MAX = 64,          /* Ark takes 9 + 3 + 3 and the prompt; more is nonsense */
    LINK_HEAD = 2048,        /* longer links are data: URLs, told by their first bytes */
    PROMPT_HEAD = 64 * 1024, /* markers and inline parameters are looked for in here */
    DEFAULT_VIDEO_MS = 5000, /* counted for a video that is not opened */
    TOLERANCE_MS = 200       /* Ark: 15.2 s for 15 */
};

/* Order is that of the tables below. */
enum kind { KIND_TEXT, KIND_IMAGE, KIND_VIDEO, KIND_AUDIO, KIND_DRAFT, KIND_COUNT };

static const struct {
    const char *type;
    const char *word;      /* in messages */
    const char *reference; /* its role in reference mode */
    const char *asset;     /* its type in the library */
} kinds[KIND_COUNT] = {
    [KIND_TEXT] = {"text", "text", NULL, NULL},
    [KIND_IMAGE] = {"image_url", "image", "reference_image", "Image"},
    [KIND_VIDEO] = {"video_url", "video", "reference_video", "Video"},
    [KIND_AUDIO] = {"audio_url", "audio", "reference_audio", "Audio"},
    [KIND_DRAFT] = {"draft_task", "draft", NULL, NULL},
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
    sim_inline_read(prompt, draft->inline_values);
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
        (void)snprintf(why, sizeof(why), "reference media mode requires %s role to be %s",
                       kinds[kind].word, kinds[kind].reference);
        return bad(refusal, "content", why);
    }
    return true;
}

static bool check_link(struct sim_request *rq, struct str url, enum kind kind, size_t index,
                       struct sim_refusal *refusal)
{
    struct sim_asset asset;
    char param[64];

    (void)snprintf(param, sizeof(param), "content[%zu].%s.url", index, kinds[kind].type);
    if (starts(url, STR("asset://"))) {
        struct str id = {url.ptr + 8, url.len - 8 < 80 ? url.len - 8 : 80};

        if (sim_asset_find(rq, url, &asset) && strcmp(asset.type, kinds[kind].asset) == 0)
            return true;
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
           check_link(rq, json_text_head(rq->doc, url, LINK_HEAD), kind, index, refusal);
}

/* Images by their roles. */
static bool check_images(struct tally *tally, struct sim_refusal *refusal)
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
    return tally->first_frames == 0 || tally->references == 0 ||
           bad(refusal, "content",
               "first/last frame content cannot be mixed with reference media content.");
}

static bool check_counts(const struct sim_model *model, const struct tally *tally,
                         struct sim_refusal *refusal)
{
    if (tally->items[KIND_IMAGE] > model->images || tally->items[KIND_VIDEO] > model->videos ||
        tally->items[KIND_AUDIO] > model->audios)
        return bad(refusal, "content", "too many reference media contents.");
    if (tally->items[KIND_AUDIO] > 0 && !model->audio_alone &&
        tally->items[KIND_IMAGE] + tally->items[KIND_VIDEO] == 0)
        return bad(refusal, "content", "audio must come with an image or a video.");
    return true;
}

static bool check_draft_only(const struct sim_request *rq, const struct tally *tally,
                             struct sim_refusal *refusal)
{
    return (tally->items[KIND_DRAFT] == 1 &&
            json_count(json_get(json_root(rq->doc), "content")) == 1) ||
           bad(refusal, "content", "draft_task must be the only content.");
}

/* The modes exclude each other: text, first and last frame, references, a draft. */
static bool check_mode(const struct sim_request *rq, struct sim_draft *draft,
                       struct tally *tally, struct sim_refusal *refusal)
{
    static const char *const words[SIM_MODE_COUNT] = {
        "text-only", "first frame", "first and last frame", "reference media", "draft_task"};
    const struct sim_model *model = sim_model_at(draft->model);
    char why[128];

    if (tally->items[KIND_DRAFT] > 0) {
        draft->mode = SIM_MODE_DRAFT;
        return check_draft_only(rq, tally, refusal);
    }
    if (!check_images(tally, refusal))
        return false;
    draft->mode = tally->last_frames > 0    ? SIM_MODE_FRAMES
                  : tally->first_frames > 0 ? SIM_MODE_FIRST
                  : tally->references > 0   ? SIM_MODE_REFERENCE
                                            : SIM_MODE_TEXT;
    if (draft->mode == SIM_MODE_TEXT && !tally->has_prompt)
        return bad(refusal, "content", "it must hold a prompt or media.");
    if ((model->modes >> draft->mode & 1u) == 0) {
        (void)snprintf(why, sizeof(why), "%s content is not supported by model %s.",
                       words[draft->mode], model->family);
        return bad(refusal, "content", why);
    }
    return check_counts(model, tally, refusal);
}

/* Takes over what shaped a succeeded draft of this account's. */
static bool check_draft(struct sim_request *rq, const struct json_value *item,
                        struct sim_draft *draft, struct sim_refusal *refusal)
{
    const struct json_value *part = json_get(item, "draft_task");
    struct str id = part == NULL ? STR("") : text_of(rq->doc, part, "id");
    int64_t now_us = sim_now_us(rq->sim);
    bool found = false;

    if (id.len == 0)
        return sim_answer_refuse(refusal, 400, "MissingParameter.content.draft_task.id",
                                 "content.draft_task.id",
                                 "The required parameter content.draft_task.id is missing.");
    lock_take(&rq->sim->lock);
    const struct sim_task *task = sim_task_find_locked(rq->sim, id);

    if (task != NULL && task->draft && task->model == draft->model &&
        sim_task_visible_locked(rq->sim, task, rq->account, now_us)) {
        struct sim_view view;

        sim_task_view(task, now_us, &view);
        found = view.status == SIM_SUCCEEDED;
        draft->ratio = task->ratio;
        draft->duration = task->duration;
        draft->seed = task->seed;
        draft->generate_audio = task->generate_audio;
    }
    lock_drop(&rq->sim->lock);
    draft->draft_task = id;
    return found ||
           sim_answer_refuse(refusal, 404, "NotFound.draft_task", "content.draft_task.id",
                             "The specified draft task %.*s is not found.",
                             (int)(id.len < 64 ? id.len : 64), id.ptr);
}

/* One item; its index is in the names of what is wrong with it. */
static bool check_item(struct sim_request *rq, const struct json_value *item, size_t index,
                       struct sim_draft *draft, struct tally *tally,
                       struct sim_refusal *refusal)
{
    enum kind kind = kind_of(text_of(rq->doc, item, "type"));
    char param[32];

    (void)snprintf(param, sizeof(param), "content[%zu].type", index);
    if (kind == KIND_COUNT || (kind == KIND_DRAFT && !sim_model_at(draft->model)->has_draft))
        return bad(refusal, param,
                   "supported values are: text, image_url, audio_url, video_url.");
    tally->items[kind]++;
    if (kind == KIND_TEXT)
        return check_text(rq, item, draft, tally, refusal);
    if (kind == KIND_DRAFT)
        return check_draft(rq, item, draft, refusal);
    return check_media(rq, item, index, kind, tally, refusal);
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
         item = json_next(item), index++)
        if (!check_item(rq, item, index, draft, &tally, refusal))
            return false;
    draft->has_video = tally.items[KIND_VIDEO] > 0;
    return check_mode(rq, draft, &tally, refusal);
}

bool sim_content_fetch(struct sim_request *rq, struct sim_draft *draft,
                       struct sim_refusal *refusal)
{
    const struct json_value *content = json_get(json_root(rq->doc), "content");

    for (const struct json_value *item = json_first(content); item != NULL;
         item = json_next(item)) {
        enum kind kind = kind_of(text_of(rq->doc, item, "type"));
        int64_t length_ms = DEFAULT_VIDEO_MS;
        struct sim_asset asset;

        if (kind == KIND_TEXT || kind == KIND_DRAFT)
            continue;
        struct str url = json_text_head(
            rq->doc, json_get(json_get(item, kinds[kind].type), "url"), LINK_HEAD);
        if (sim_fetch_is_local(url) &&
            !sim_fetch_media(rq->sim, url, kind == KIND_VIDEO, &length_ms))
            draft->fail_code = "InvalidParameter.DownloadFailed";
        if (sim_asset_find(rq, url, &asset) && asset.duration_ms > 0)
            length_ms = asset.duration_ms;
        if (kind == KIND_VIDEO)
            draft->input_ms += length_ms;
    }
    int most = sim_model_at(draft->model)->input_seconds;

    if (draft->input_ms > most * 1000 + TOLERANCE_MS)
        return sim_answer_refuse(
            refusal, 400, "InvalidParameter", "content",
            "the parameter video duration (seconds) specified in the request must be less than "
            "or equal to %d.2 for model %s in r2v.",
            most, sim_model_at(draft->model)->family);
    return true;
}
