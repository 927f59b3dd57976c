/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies in Ark's shape: errors and task objects. */
#include "gateway/sim/sim_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sim_answer_refuse(struct sim_refusal *refusal, int status, const char *code,
                       const char *param, const char *fmt, ...)
{
    va_list args;

    *refusal = (struct sim_refusal){.status = status};
    str_copy_cut(refusal->code, sizeof(refusal->code), str_from(code));
    str_copy_cut(refusal->param, sizeof(refusal->param), str_from(param));
    va_start(args, fmt);
    (void)vsnprintf(refusal->message, sizeof(refusal->message), fmt, args);
    va_end(args);
    return false;
}

void sim_answer_refusal(struct sim_request *rq, const struct sim_refusal *refusal)
{
    char message[SIM_MESSAGE_BYTES];
    struct json_out out;
    struct err err;

    sim_error_finish(rq->sim, refusal->message, rq->id, message);
    rq->status = refusal->status;
    buf_reset(&rq->out);
    out = json_begin(&rq->out);
    json_open_object(&out, NULL);
    json_open_object(&out, "error");
    json_put_text(&out, "code", str_from(refusal->code));
    json_put_text(&out, "message", str_from(message));
    json_put_text(&out, "param", str_from(refusal->param));
    json_put_text(&out, "type", str_from(sim_error_type(refusal->status, refusal->code)));
    json_close_object(&out);
    json_close_object(&out);
    ASSERT(json_end(&out, &err) == ERR_OK);
}

/* The id of the request that made the task: it stays the same. */
static void put_error(struct json_out *out, const struct sim *sim, const struct sim_task *task,
                      const char *code)
{
    char text[384], id[64], message[SIM_MESSAGE_BYTES];

    if (!sim_error_message(sim, code, text, sizeof(text)))
        str_copy_cut(text, sizeof(text), STR("The task failed."));
    (void)snprintf(id, sizeof(id), "02%lld%032llx%06llx", (long long)(task->created_us / 1000),
                   (unsigned long long)task->secret, (unsigned long long)(task->secret >> 40));
    sim_error_finish(sim, text, id, message);
    json_open_object(out, "error");
    json_put_text(out, "code", str_from(code));
    json_put_text(out, "message", str_from(message));
    json_close_object(out);
}

static void put_content(struct json_out *out, const struct sim *sim,
                        const struct sim_task *task)
{
    char url[256];

    json_open_object(out, "content");
    if (task->fault == NULL || !task->fault->no_video_url) {
        (void)snprintf(url, sizeof(url), "%s/media/%s-%016" PRIx64 ".mp4", sim->base_url,
                       task->id, task->secret);
        json_put_text(out, "video_url", str_from(url));
    }
    if (task->return_last_frame) {
        (void)snprintf(url, sizeof(url), "%s/media/%s-%016" PRIx64 ".png", sim->base_url,
                       task->id, task->secret);
        json_put_text(out, "last_frame_url", str_from(url));
    }
    json_close_object(out);
}

static void put_usage(struct json_out *out, const struct sim_task *task,
                      const struct sim_view *view)
{
    int64_t searches =
        task->fault != NULL && task->fault->searches >= 0 ? task->fault->searches : 1;

    json_open_object(out, "usage");
    json_put_int(out, "completion_tokens", view->tokens);
    json_put_int(out, "total_tokens", view->tokens);
    if (task->search) {
        json_open_object(out, "tool_usage");
        json_put_int(out, "web_search", searches);
        json_close_object(out);
    }
    json_close_object(out);
}

/* What the request asked for, in the order of Ark's own answers; that of
 * draft_task_id and tools nobody has recorded. */
static void put_asked(struct json_out *out, const struct sim_task *task)
{
    const struct sim_model *model = sim_model_at(task->model);

    json_put_text(out, "service_tier", task->flex ? STR("flex") : STR("default"));
    json_put_int(out, "execution_expires_after", task->expires_after);
    if (model->echoes_audio)
        json_put_bool(out, "generate_audio", task->generate_audio);
    json_put_bool(out, "draft", task->draft);
    if (task->draft_task != NULL)
        json_put_text(out, "draft_task_id", str_from(task->draft_task));
    if (task->search)
        json_put_raw(out, "tools", STR("[{\"type\":\"web_search\"}]"));
    json_put_int(out, "priority", task->priority);
    if (model->tells_format)
        json_put_text(out, "output_format", STR("mp4"));
}

void sim_answer_task(const struct sim *sim, struct json_out *out, const struct sim_task *task,
                     int64_t now_us, bool with_safety)
{
    struct sim_view view;

    sim_task_view(task, now_us, &view);
    json_open_object(out, NULL);
    json_put_text(out, "id", str_from(task->id));
    json_put_text(out, "model", str_from(sim_model_at(task->model)->id));
    json_put_text(out, "status", str_from(sim_task_status_name(view.status)));
    if (with_safety && task->safety_identifier != NULL)
        json_put_text(out, "safety_identifier", str_from(task->safety_identifier));
    if (view.status == SIM_FAILED)
        put_error(out, sim, task, view.fail_code);
    if (view.status == SIM_SUCCEEDED) {
        put_content(out, sim, task);
        if (view.has_usage)
            put_usage(out, task, &view);
    }
    json_put_int(out, "created_at", task->created_us / 1000000);
    json_put_int(out, "updated_at", view.updated_us / 1000000);
    json_put_int(out, "seed", task->seed);
    json_put_text(out, "resolution", str_from(sim_model_resolution_name(view.resolution)));
    json_put_text(out, "ratio", str_from(sim_model_ratio_name(view.ratio)));
    if (view.by_frames)
        json_put_int(out, "frames", view.frames);
    else
        json_put_int(out, "duration", view.duration);
    json_put_int(out, "framespersecond", SIM_FPS);
    put_asked(out, task);
    json_close_object(out);
}
