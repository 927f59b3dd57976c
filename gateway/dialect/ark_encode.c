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
        if (task->has_tool_uses) {
            json_open_object(out, "tool_usage");
            json_put_int(out, "web_search", task->tool_uses);
            json_close_object(out);
        }
        json_close_object(out);
    }
}

/* Only what the tenant asked for, or what Ark's answers have. */
static void put_extras(struct json_out *out, const struct task *task)
{
    if (task->has_draft)
        json_put_bool(out, "draft", task->draft);
    if (task->draft_task[0] != '\0')
        json_put_text(out, "draft_task_id", str_from(task->draft_task));
    if (task->web_search) {
        json_open_array(out, "tools");
        json_open_object(out, NULL);
        json_put_text(out, "type", STR("web_search"));
        json_close_object(out);
        json_close_array(out);
    }
}

static bool echoes_audio(struct catalogue *catalogue, const struct task *task)
{
    struct err gone = {0};
    struct model model;

    /* A model that no longer ships: as most do. */
    return catalogue_find(catalogue, task->tenant_id, str_from(task->model), &model, &gone) !=
               ERR_OK ||
           model.audio_echoed;
}

static void put_task(struct json_out *out, struct catalogue *catalogue, const struct task *task,
                     bool listed)
{
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
    if (task->has_frames)
        json_put_int(out, "frames", task->frames);
    else
        json_put_int(out, "duration", task->duration);
    if (task->has_fps)
        json_put_int(out, "framespersecond", task->fps);
    json_put_text(out, "service_tier", str_from(task->tier));
    json_put_int(out, "execution_expires_after", task->expires_after);
    if (echoes_audio(catalogue, task))
        json_put_bool(out, "generate_audio", task->audio);
    put_extras(out, task);
    json_put_int(out, "priority", task->priority);
    if (task->output_format[0] != '\0')
        json_put_text(out, "output_format", str_from(task->output_format));
    json_close_object(out);
}

enum err_code ark_encode_task(struct catalogue *catalogue, const struct task *task,
                              struct buf *body, struct err *err)
{
    struct json_out out = json_begin(body);

    put_task(&out, catalogue, task, false);
    return json_end(&out, err);
}

void ark_encode_item(struct catalogue *catalogue, const struct task *task, struct json_out *out)
{
    put_task(out, catalogue, task, true);
}
