/* SPDX-License-Identifier: Apache-2.0 */
/* What a create asks of the picture and of the run, by its model and its mode. A
 * member is judged strictly and wins; the prompt's inline parameters count when
 * they are right and else mean the default. */
#include "gateway/sim/sim_parts.h"

#include <stdio.h>

enum {
    DURATION = 5,    /* Ark's default, and what this Ark chooses at -1 */
    FRAMES_MIN = 29, /* Ark: 25 + 4n from 29 to 289 */
    FRAMES_MAX = 289,
    FRAMES_BASE = 25,
    FRAMES_STEP = 4,
    EXPIRES_DEFAULT = 172800 /* Ark: two days */
};

static const int64_t seed_max = INT64_C(4294967295);

struct asked {
    const struct json_doc *doc;
    const struct json_value *root;
    struct sim_draft *draft;
    const struct sim_model *model;
    struct sim_refusal *refusal;
};

static bool bad(const struct asked *asked, const char *name)
{
    return sim_answer_refuse(
        asked->refusal, 400, "InvalidParameter", name,
        "the parameter %s specified in the request is not valid for model %s in %s", name,
        asked->model->family, sim_model_mode_name(asked->draft->mode));
}

static bool is_true(const struct asked *asked, const char *name)
{
    bool value = false;

    return json_bool(json_get(asked->root, name), &value) && value;
}

/* An absent member keeps *value. */
static bool integer(const struct asked *asked, const char *name, int64_t min, int64_t max,
                    int64_t *value)
{
    const struct json_value *member = json_get(asked->root, name);

    if (member == NULL || (json_int(member, value) && *value >= min && *value <= max))
        return true;
    return sim_answer_refuse(
        asked->refusal, 400, "InvalidParameter", name,
        "The parameter `%s` specified in the request is not valid: it must "
        "be an integer from %lld to %lld.",
        name, (long long)min, (long long)max);
}

static bool check_switches(const struct asked *asked)
{
    const struct sim_model *model = asked->model;
    const struct {
        const char *name;
        bool allowed;
    } switches[] = {
        {"draft", model->has_draft && asked->draft->mode != SIM_MODE_DRAFT},
        {"camera_fixed", model->has_camera},
        {"generate_audio", model->has_audio},
    };

    for (size_t i = 0; i < COUNT_OF(switches); i++)
        if (is_true(asked, switches[i].name) && !switches[i].allowed)
            return bad(asked, switches[i].name);
    asked->draft->draft = is_true(asked, "draft");
    if (asked->draft->mode != SIM_MODE_DRAFT) {
        asked->draft->generate_audio = model->has_audio;
        (void)json_bool(json_get(asked->root, "generate_audio"), &asked->draft->generate_audio);
    }
    asked->draft->return_last_frame = is_true(asked, "return_last_frame");
    return true;
}

static bool check_run(const struct asked *asked)
{
    struct str tier = json_text(asked->doc, json_get(asked->root, "service_tier"));
    struct str format = json_text(asked->doc, json_get(asked->root, "output_format"));
    int64_t priority = 0, expires = EXPIRES_DEFAULT;

    asked->draft->flex = str_is(tier, "flex");
    if (tier.len > 0 && !str_is(tier, "default") &&
        !(asked->draft->flex && asked->model->has_flex))
        return bad(asked, "service_tier");
    if (format.len > 0 && asked->model->tells_format && !str_is(format, "mp4"))
        return bad(asked, "output_format");
    if (!integer(asked, "priority", 0, 9, &priority) ||
        !integer(asked, "execution_expires_after", 3600, 259200, &expires))
        return false;
    if (priority != 0 && !asked->model->has_priority)
        return bad(asked, "priority");
    asked->draft->priority = (int)priority;
    asked->draft->expires_after = expires;
    return true;
}

/* 1.5 drafts are 480p and nothing else. */
static bool makes(const struct asked *asked, int resolution)
{
    return resolution >= 0 && sim_model_has_resolution(asked->draft->model, resolution) &&
           (!asked->draft->draft || resolution == 0);
}

static bool check_resolution(const struct asked *asked)
{
    const struct json_value *member = json_get(asked->root, "resolution");
    int resolution = asked->draft->draft ? 0 : asked->model->resolution;
    int wanted = sim_model_resolution(asked->draft->inline_values[SIM_INLINE_RESOLUTION]);

    if (member != NULL) {
        wanted = sim_model_resolution(json_text(asked->doc, member));
        if (!makes(asked, wanted))
            return bad(asked, "resolution");
    }
    asked->draft->resolution = makes(asked, wanted) ? wanted : resolution;
    return true;
}

/* Adaptive: this Ark chooses 16:9 whatever it is shown. */
static bool ratio_ok(const struct asked *asked, struct str name, int *ret_ratio)
{
    if (str_is(name, "adaptive")) {
        *ret_ratio = 0;
        return asked->model->text_adaptive || asked->draft->mode != SIM_MODE_TEXT;
    }
    if (sim_model_ratio(name) < 0)
        return false;
    *ret_ratio = sim_model_ratio(name);
    return true;
}

static bool check_ratio(const struct asked *asked)
{
    const struct json_value *member = json_get(asked->root, "ratio");
    struct str wanted = asked->draft->inline_values[SIM_INLINE_RATIO];
    bool framed = asked->model->frames_adaptive && (asked->draft->mode == SIM_MODE_FIRST ||
                                                    asked->draft->mode == SIM_MODE_FRAMES);
    int ratio = 0;

    asked->draft->ratio = 0;
    if (member == NULL) {
        if (!framed && ratio_ok(asked, wanted, &ratio))
            asked->draft->ratio = ratio;
        return true;
    }
    wanted = json_text(asked->doc, member);
    if (!ratio_ok(asked, wanted, &ratio))
        return bad(asked, "ratio");
    if (framed && !str_is(wanted, "adaptive"))
        return sim_answer_refuse(
            asked->refusal, 400, "InvalidParameter", "ratio",
            "The parameter `ratio` specified in the request is not valid: For first-frame or "
            "first-last-frame generation, the output ratio follows the first-frame image.");
    asked->draft->ratio = ratio;
    return true;
}

static bool seconds_ok(const struct asked *asked, int64_t seconds)
{
    return (seconds == -1 && asked->model->chooses) ||
           (seconds >= asked->model->least && seconds <= asked->model->most);
}

static bool frames_ok(const struct asked *asked, int64_t frames)
{
    return asked->model->has_frames && frames >= FRAMES_MIN && frames <= FRAMES_MAX &&
           (frames - FRAMES_BASE) % FRAMES_STEP == 0;
}

/* Frames go before seconds. */
static bool check_length(const struct asked *asked)
{
    const struct json_value *duration = json_get(asked->root, "duration");
    const struct json_value *frames = json_get(asked->root, "frames");
    const struct str *inline_values = asked->draft->inline_values;
    int64_t seconds = DURATION, count = 0, number;

    if (duration == NULL && frames == NULL) {
        if (str_to_i64(inline_values[SIM_INLINE_DURATION], &number) &&
            seconds_ok(asked, number))
            seconds = number;
        if (str_to_i64(inline_values[SIM_INLINE_FRAMES], &number) && frames_ok(asked, number))
            count = number;
    }
    if (duration != NULL && (!json_int(duration, &seconds) || !seconds_ok(asked, seconds)))
        return bad(asked, "duration");
    if (frames != NULL && (!json_int(frames, &count) || !frames_ok(asked, count)))
        return bad(asked, "frames");
    asked->draft->duration = seconds == -1 ? DURATION : (int)seconds;
    asked->draft->frames = (int)count;
    return true;
}

static bool check_seed(const struct asked *asked)
{
    int64_t seed = -1, number;

    if (asked->model->has_seed &&
        str_to_i64(asked->draft->inline_values[SIM_INLINE_SEED], &number) && number >= -1 &&
        number <= seed_max)
        seed = number;
    if (!integer(asked, "seed", -1, seed_max, &seed))
        return false;
    if (seed != -1 && !asked->model->has_seed)
        return bad(asked, "seed");
    asked->draft->seed = seed;
    return true;
}

/* Ark has the search for text alone. */
static bool check_tools(const struct asked *asked)
{
    const struct json_value *tools = json_get(asked->root, "tools");

    if (tools == NULL)
        return true;
    if (json_type(tools) != JSON_ARRAY)
        return bad(asked, "tools");
    for (const struct json_value *tool = json_first(tools); tool != NULL;
         tool = json_next(tool)) {
        if (!str_is(json_text(asked->doc, json_get(tool, "type")), "web_search") ||
            !asked->model->has_search || asked->draft->mode != SIM_MODE_TEXT)
            return bad(asked, "tools");
        asked->draft->search = true;
    }
    return true;
}

bool sim_picture_check(struct sim_request *rq, struct sim_draft *draft,
                       struct sim_refusal *refusal)
{
    const struct asked asked = {rq->doc, json_root(rq->doc), draft, sim_model_at(draft->model),
                                refusal};

    if (!check_switches(&asked) || !check_run(&asked) || !check_tools(&asked) ||
        !check_resolution(&asked))
        return false;
    /* Of a draft Ark takes over what shaped it. */
    return draft->mode == SIM_MODE_DRAFT ||
           (check_ratio(&asked) && check_length(&asked) && check_seed(&asked));
}
