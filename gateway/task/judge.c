/* SPDX-License-Identifier: Apache-2.0 */
/* What a create asks for: checks it against what its model can do before anything is
 * held or sent, fills in Ark's defaults, and counts the worst case. What no rule here
 * names is Ark's to judge. */
#include "gateway/task/task.h"

enum {
    EXPIRES_AFTER_DEFAULT_S = 172800, /* Ark's where the member is absent */
    FRAMES_PER_S = 24,
    /* Ark's range of frames, in steps of four from 25. */
    FRAMES_MIN = 29,
    FRAMES_MAX = 289,
    FRAMES_BASE = 25,
    FRAMES_STEP = 4,
    SEED_MIN = -1
};

static bool is_text_alone(const struct task_draft *draft)
{
    return draft->images + draft->videos + draft->audios == 0 && draft->draft_task.len == 0;
}

/* Which of the model's modes are asked for. */
static enum err_code judge_modes(const struct task_draft *draft, const struct model *model,
                                 struct err *err)
{
    if (draft->draft_task.len > 0 && !model->draft)
        return err_field(err, "content", "the model %s makes no video from a draft",
                         model->asked);
    if (is_text_alone(draft) && !model->text)
        return err_field(err, "content", "the model %s needs an image", model->asked);
    if (draft->first_frames > 0 && !model->first_frame)
        return err_field(err, "content", "the model %s takes no first_frame", model->asked);
    if (draft->last_frames > 0 && !model->last_frame)
        return err_field(err, "content", "the model %s takes no last_frame", model->asked);
    if (draft->references > 0 && !model->reference)
        return err_field(err, "content", "the model %s takes no reference media", model->asked);
    if (draft->videos > 0 && model->videos == 0)
        return err_field(err, "content", "the model %s takes no video", model->asked);
    if (draft->images > 0 && model->images == 0)
        return err_field(err, "content", "the model %s takes no image", model->asked);
    if ((draft->audios > 0 || draft->references_audio) && model->audios == 0)
        return err_field(err, draft->audios > 0 ? "content" : "references.audio",
                         "the model %s takes no audio reference", model->asked);
    return ERR_OK;
}

static enum err_code judge_content(const struct task_draft *draft, const struct model *model,
                                   struct err *err)
{
    int frames = draft->first_frames + draft->last_frames;
    int others = draft->images - frames + draft->videos + draft->audios;

    if (!draft->has_text && is_text_alone(draft))
        return err_field(err, "content", "content needs a prompt text or a reference");
    TRY(judge_modes(draft, model, err));
    if (draft->first_frames > 1 || draft->last_frames > 1)
        return err_field(err, "content", "content may hold one first_frame and one last_frame");
    if (draft->last_frames > 0 && draft->first_frames == 0)
        return err_field(err, "content", "a last_frame needs a first_frame");
    if (frames > 0 && others > 0)
        return err_field(err, "content",
                         "first and last frames cannot be mixed with reference media");
    if (draft->audios > 0 && draft->images + draft->videos == 0 && !model->audio_alone)
        return err_field(err, "content", "audio cannot be the only reference");
    if (draft->images > model->images || draft->videos > model->videos ||
        draft->audios > model->audios)
        return err_field(err, "content",
                         "content may hold at most %d images, %d videos and %d audios",
                         (int)model->images, (int)model->videos, (int)model->audios);
    return ERR_OK;
}

/* Members that are there or not. */
static enum err_code judge_switches(const struct task_draft *draft, const struct model *model,
                                    struct err *err)
{
    if (draft->draft && !model->draft)
        return err_field(err, "draft", "the model %s does not support draft", model->asked);
    if (draft->camera_fixed && !model->camera_fixed)
        return err_field(err, "camera_fixed", "the model %s does not support camera_fixed",
                         model->asked);
    if (draft->has_frames && !model->frames)
        return err_field(err, "frames", "the model %s does not support frames", model->asked);
    if (draft->web_search && !model->tools)
        return err_field(err, "tools", "the model %s takes no tools", model->asked);
    if (draft->web_search && !is_text_alone(draft))
        return err_field(err, "tools", "web_search takes text input alone");
    return ERR_OK;
}

static enum err_code judge_tier(const struct task_draft *draft, struct task_plan *plan,
                                struct err *err)
{
    plan->tier = draft->tier.ptr == NULL ? STR("default") : draft->tier;
    if (str_is(plan->tier, "default") || (plan->model.flex && str_is(plan->tier, "flex")))
        return ERR_OK;
    return err_field(err, "service_tier", "service_tier of %s must be default%s",
                     plan->model.asked, plan->model.flex ? " or flex" : "");
}

/* ---- the picture ------------------------------------------------------------- */

static struct str resolution_of(struct str text)
{
    return str_is(text, "4K") ? STR("4k") : text; /* clients write both, Ark takes both */
}

static enum err_code judge_resolution(const struct task_draft *draft, struct task_plan *plan,
                                      struct err *err)
{
    const struct model *model = &plan->model;
    struct str weak = resolution_of(draft->in_prompt.resolution);

    if (draft->resolution.ptr != NULL) {
        plan->resolution = resolution_of(draft->resolution);
        if (!str_has_word(model->resolutions, plan->resolution))
            return err_field(err, "resolution", "resolution of %s must be one of: %s",
                             model->asked, model->resolutions);
        return ERR_OK;
    }
    plan->resolution = str_from(model->resolution);
    if (model->inline_parameters && str_has_word(model->resolutions, weak))
        plan->resolution = weak;
    else if (draft->draft && str_has_word(model->resolutions, STR("480p")))
        plan->resolution = STR("480p"); /* Ark makes drafts at that */
    return ERR_OK;
}

/* Does the model take the ratio for this kind of input? */
static bool takes_ratio(const struct task_draft *draft, const struct model *model,
                        struct str ratio)
{
    bool adaptive = str_is(ratio, "adaptive");

    if (!str_has_word(model->ratios, ratio))
        return false;
    if (adaptive && is_text_alone(draft) && model->text_ratio[0] != '\0')
        return false;
    return adaptive || !model->frames_adaptive || draft->first_frames == 0;
}

static enum err_code judge_ratio(const struct task_draft *draft, struct task_plan *plan,
                                 struct err *err)
{
    const struct model *model = &plan->model;
    bool text_ratio = is_text_alone(draft) && model->text_ratio[0] != '\0';

    if (draft->ratio.ptr != NULL) {
        plan->ratio = draft->ratio;
        return takes_ratio(draft, model, draft->ratio)
                   ? ERR_OK
                   : err_field(err, "ratio", "ratio of %s must be one of: %s%s", model->asked,
                               draft->first_frames > 0 && model->frames_adaptive
                                   ? "adaptive"
                                   : model->ratios,
                               text_ratio ? " (adaptive with an image)" : "");
    }
    plan->ratio = str_from(text_ratio ? model->text_ratio : model->ratio);
    if (model->inline_parameters && takes_ratio(draft, model, draft->in_prompt.ratio))
        plan->ratio = draft->in_prompt.ratio;
    return ERR_OK;
}

/* ---- the length ---------------------------------------------------------------- */

static bool takes_frames(int64_t frames)
{
    return frames >= FRAMES_MIN && frames <= FRAMES_MAX &&
           (frames - FRAMES_BASE) % FRAMES_STEP == 0;
}

static bool takes_duration(const struct model *model, int64_t duration)
{
    return (duration == -1 && model->duration_auto) ||
           (duration >= model->duration_min && duration <= model->duration_max);
}

static enum err_code judge_frames(const struct task_draft *draft, struct task_plan *plan,
                                  struct err *err)
{
    const struct draft_inline *weak = &draft->in_prompt;

    plan->has_frames = draft->has_frames;
    plan->frames = draft->frames;
    if (draft->has_frames && !takes_frames(draft->frames))
        return err_field(err, "frames", "frames must be 25 + 4n, from %d to %d", FRAMES_MIN,
                         FRAMES_MAX);
    if (!draft->has_frames && !draft->has_duration && plan->model.frames &&
        plan->model.inline_parameters && weak->has_frames && takes_frames(weak->frames)) {
        plan->has_frames = true;
        plan->frames = weak->frames;
    }
    return ERR_OK;
}

static enum err_code judge_length(const struct task_draft *draft, struct task_plan *plan,
                                  struct err *err)
{
    const struct model *model = &plan->model;
    const struct draft_inline *weak = &draft->in_prompt;

    TRY(judge_frames(draft, plan, err));
    if (draft->has_duration && !takes_duration(model, draft->duration)) {
        enum err_code rc =
            err_set(err, ERR_DURATION, "duration of %s must be %d to %d seconds%s",
                    model->asked, (int)model->duration_min, (int)model->duration_max,
                    model->duration_auto ? ", or -1" : "");

        (void)str_copy(err->field, sizeof(err->field), STR("duration"));
        return rc;
    }
    plan->duration = model->duration;
    if (draft->has_duration)
        plan->duration = draft->duration;
    else if (model->inline_parameters && weak->has_duration &&
             takes_duration(model, weak->duration))
        plan->duration = weak->duration;
    if (plan->has_frames)
        plan->duration = 0;
    plan->duration_max = plan->duration == -1 ? model->duration_max : plan->duration;
    if (plan->has_frames)
        plan->duration_max = (plan->frames + FRAMES_PER_S - 1) / FRAMES_PER_S;
    /* What its draft was asked for is what Ark takes over. */
    else if (draft->draft_task.len > 0 && !draft->has_duration)
        plan->duration_max = model->duration_max;
    return ERR_OK;
}

/* Of videos whose length nobody has looked at. */
static int64_t input_max_ms(const struct model *model)
{
    enum { SLACK_MS = 200 }; /* Ark's tolerance: 15.2 s where it says 15, 30.2 for 30 */

    return model->video_seconds * 1000 + SLACK_MS;
}

static void judge_seed(const struct task_draft *draft, struct task_plan *plan)
{
    const struct draft_inline *weak = &draft->in_prompt;

    plan->has_seed = draft->has_seed;
    plan->seed = draft->seed;
    if (!draft->has_seed && plan->model.inline_parameters && plan->model.seed &&
        weak->has_seed && weak->seed >= SEED_MIN && weak->seed <= UINT32_MAX) {
        plan->has_seed = true;
        plan->seed = weak->seed;
    }
}

enum err_code judge_of_draft(const struct task_draft *draft, const struct task *source,
                             struct task_plan *inout_plan, struct err *err)
{
    struct task_plan *plan = inout_plan;
    int64_t length = source->duration > 0 ? source->duration : plan->model.duration_max;

    if (!draft->has_duration && source->duration > 0)
        plan->duration = source->duration;
    if (plan->duration_max < length)
        plan->duration_max = length;
    plan->audio = source->audio || (draft->has_audio && plan->audio);
    TRY(size_pixels(str_from(plan->model.sizes), plan->resolution, STR("adaptive"),
                    &plan->width, &plan->height, err));
    plan->max_tokens = size_tokens(plan->width, plan->height, plan->duration_max * 1000, -1);
    return ERR_OK;
}

void judge_of_videos(const struct task_draft *draft, int64_t video_ms,
                     struct task_plan *inout_plan)
{
    struct task_plan *plan = inout_plan;

    if (draft->videos > 0)
        plan->max_tokens =
            size_tokens(plan->width, plan->height, plan->duration_max * 1000, video_ms);
}

enum err_code judge_draft(const struct task_draft *draft, struct task_plan *inout_plan,
                          struct err *err)
{
    struct task_plan *plan = inout_plan;
    const struct model *model = &plan->model;

    TRY(judge_content(draft, model, err));
    TRY(judge_switches(draft, model, err));
    TRY(judge_tier(draft, plan, err));
    TRY(judge_resolution(draft, plan, err));
    TRY(judge_ratio(draft, plan, err));
    TRY(judge_length(draft, plan, err));
    judge_seed(draft, plan);
    TRY(size_pixels(str_from(model->sizes), plan->resolution, plan->ratio, &plan->width,
                    &plan->height, err));
    plan->audio = model->audio && (draft->has_audio ? draft->audio : model->audio_default);
    plan->priority = draft->has_priority ? draft->priority : 0;
    plan->expires_after =
        draft->has_expires_after ? draft->expires_after : EXPIRES_AFTER_DEFAULT_S;
    plan->max_tokens = plan->has_frames && draft->videos == 0
                           ? size_tokens_frames(plan->width, plan->height, plan->frames)
                           : size_tokens(plan->width, plan->height, plan->duration_max * 1000,
                                         draft->videos > 0 ? input_max_ms(model) : -1);
    return ERR_OK;
}
