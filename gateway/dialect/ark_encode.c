/* SPDX-License-Identifier: Apache-2.0 */
/* A task as Ark's GET and lists show it: members in Ark's order, absent ones left out, and
 * nothing in it that the tenant did not give or Ark does not show. */
#include "gateway/dialect/ark_parts.h"

static void put_error(struct json_out *out, const char *name, const struct task *task)
{
    json_open_object(out, name);
    json_put_text(out, "code", str_from(task->error_code));
    json_put_text(out, "message", str_from(task->error_message));
    json_close_object(out);
}

static void put_outcome(struct json_out *out, const struct task *task, bool listed)
{
    if (task->state != TASK_SUCCEEDED && task->error_code[0] != '\0') {
        put_error(out, "error", task);
        if (listed)
            put_error(out, "failure_reason", task);
    }
    if (task->state != TASK_SUCCEEDED)
        return;
    json_open_object(out, "content");
    if (task->video_url[0] != '\0')
        json_put_text(out, "video_url", str_from(task->video_url));
    if (task->last_frame && task->last_frame_url[0] != '\0')
        json_put_text(out, "last_frame_url", str_from(task->last_frame_url));
    json_close_object(out);
    if (task->has_tokens) {
        json_open_object(out, "usage");
        json_put_int(out, "completion_tokens", task->tokens);
        json_put_int(out, "total_tokens",
                     task->has_total_tokens ? task->total_tokens : task->tokens);
        json_close_object(out);
    }
}

static enum err_code put_task(struct json_out *out, const struct task *task, bool listed,
                              struct err *err)
{
    const struct model *model;

    json_open_object(out, NULL);
    json_put_text(out, "id", str_from(service_public_id(task)));
    json_put_text(out, "model", str_from(task->model_asked));
    json_put_text(out, "status", str_from(state_name(state_shown(task->state))));
    if (task->safety_identifier[0] != '\0')
        json_put_text(out, "safety_identifier", str_from(task->safety_identifier));
    put_outcome(out, task, listed);
    json_put_int(out, "created_at", task->created_us / 1000000);
    json_put_int(out, "updated_at", task->updated_us / 1000000);
    if (task->has_final_seed)
        json_put_int(out, "seed", task->final_seed);
    else if (task->has_seed)
        json_put_int(out, "seed", task->seed);
    json_put_text(out, "resolution", str_from(task->resolution));
    json_put_text(out, "ratio", str_from(task->ratio));
    json_put_int(out, "duration", task->duration);
    if (task->has_fps)
        json_put_int(out, "framespersecond", task->fps);
    json_put_text(out, "service_tier", str_from(task->tier));
    json_put_int(out, "execution_expires_after", task->expires_after);
    TRY(catalogue_find(str_from(task->model), &model, err));
    if (model->audio_echoed)
        json_put_bool(out, "generate_audio", task->audio);
    json_put_int(out, "priority", task->priority);
    json_close_object(out);
    return ERR_OK;
}

enum err_code ark_encode_task(const struct task *task, struct buf *body, struct err *err)
{
    struct json_out out = json_begin(body);

    TRY(put_task(&out, task, false, err));
    return json_end(&out, err);
}

enum err_code ark_encode_item(const struct task *task, struct json_out *out, struct err *err)
{
    return put_task(out, task, true, err);
}
