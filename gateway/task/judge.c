/* SPDX-License-Identifier: Apache-2.0 */
/* What a create asks for: checks it against the catalogue before anything is
 * held or sent, fills in Ark's defaults, and counts the worst case. */
#include "gateway/task/task.h"

#include <stdlib.h>

/* Ark's limits on reference media (create task, omni reference mode). */
enum { IMAGES_MAX = 9, VIDEOS_MAX = 3, AUDIOS_MAX = 3 };
/* Ark's defaults where the member is absent. */
enum { EXPIRES_AFTER_DEFAULT_S = 172800 };

static enum err_code judge_content(const struct task_draft *draft, const struct model *model,
                                   struct err *err)
{
    int frames = draft->first_frames + draft->last_frames;
    int references = draft->images - frames + draft->videos + draft->audios;

    if (!draft->has_text && draft->images + draft->videos + draft->audios == 0)
        return err_field(err, "content", "content needs a prompt text or a reference");
    if ((draft->audios > 0 || draft->references_audio) && !model->audio_reference)
        return err_field(err, draft->audios > 0 ? "content" : "references.audio",
                         "the model %s takes no audio reference", model->name);
    if (draft->first_frames > 1 || draft->last_frames > 1)
        return err_field(err, "content", "content may hold one first_frame and one last_frame");
    if (draft->last_frames > 0 && draft->first_frames == 0)
        return err_field(err, "content", "a last_frame needs a first_frame");
    if (frames > 0 && references > 0)
        return err_field(err, "content",
                         "first and last frames cannot be mixed with reference media");
    if (draft->audios > 0 && draft->images + draft->videos == 0)
        return err_field(err, "content", "audio cannot be the only reference");
    if (draft->images > IMAGES_MAX || draft->videos > VIDEOS_MAX || draft->audios > AUDIOS_MAX)
        return err_field(err, "content",
                         "content may hold at most %d images, %d videos and %d audios",
                         IMAGES_MAX, VIDEOS_MAX, AUDIOS_MAX);
    return ERR_OK;
}

static enum err_code judge_size(const struct task_draft *draft, struct task_plan *plan,
                                struct err *err)
{
    const struct model *model = plan->model;

    plan->resolution = draft->resolution;
    if (draft->resolution.ptr == NULL)
        plan->resolution = str_from(model->resolution_default);
    else if (str_is(draft->resolution, "4K"))
        plan->resolution = STR("4k"); /* clients write both, Ark takes both */
    if (!catalogue_lists(model->resolutions, plan->resolution))
        return err_field(err, "resolution", "resolution of %s must be one of: %s", model->name,
                         model->resolutions);
    plan->ratio = draft->ratio.ptr == NULL ? str_from(model->ratio_default) : draft->ratio;
    if (!catalogue_lists(model->ratios, plan->ratio))
        return err_field(err, "ratio", "ratio of %s must be one of: %s", model->name,
                         model->ratios);
    return size_pixels(plan->resolution, plan->ratio, &plan->width, &plan->height, err);
}

static enum err_code judge_duration(const struct task_draft *draft, struct task_plan *plan,
                                    struct err *err)
{
    const struct model *model = plan->model;

    plan->duration = draft->has_duration ? draft->duration : model->duration_default;
    plan->duration_max = plan->duration;
    if (plan->duration == -1 && model->duration_auto) {
        plan->duration_max = model->duration_max;
        return ERR_OK;
    }
    if (plan->duration >= model->duration_min && plan->duration <= model->duration_max)
        return ERR_OK;
    enum err_code rc = err_set(err, ERR_DURATION, "duration of %s must be %d to %d seconds%s",
                               model->name, model->duration_min, model->duration_max,
                               model->duration_auto ? ", or -1" : "");
    (void)str_copy(err->field, sizeof(err->field), STR("duration"));
    return rc;
}

enum err_code judge_draft(const struct task_draft *draft, struct task_plan *ret_plan,
                          struct err *err)
{
    struct task_plan plan = {0};

    TRY(catalogue_find(draft->model_asked, &plan.model, err));
    TRY(judge_content(draft, plan.model, err));
    if (draft->tier.ptr != NULL && !str_is(draft->tier, "default"))
        return err_field(err, "service_tier", "service_tier of %s must be default",
                         plan.model->name);
    TRY(judge_size(draft, &plan, err));
    TRY(judge_duration(draft, &plan, err));
    plan.tier = STR("default");
    plan.audio = draft->has_audio ? draft->audio : plan.model->audio_default;
    plan.priority = draft->has_priority ? draft->priority : 0;
    plan.expires_after =
        draft->has_expires_after ? draft->expires_after : EXPIRES_AFTER_DEFAULT_S;
    plan.max_tokens = size_tokens(plan.width, plan.height, plan.duration_max * 1000,
                                  draft->videos > 0 ? SIZE_INPUT_UNKNOWN_MS : -1);
    *ret_plan = plan;
    return ERR_OK;
}
