/* SPDX-License-Identifier: Apache-2.0 */
/* A row of the task table into struct task. */
#include "gateway/task/task_columns.h"

#include <string.h>

static void read_text(struct db_stmt *st, int column, char *dst, size_t size)
{
    dst[0] = '\0';
    if (!db_is_null(st, column))
        db_copy_text(st, column, dst, size);
}

static bool read_i64(struct db_stmt *st, int column, int64_t *ret_value)
{
    *ret_value = db_is_null(st, column) ? 0 : db_get_i64(st, column);
    return !db_is_null(st, column);
}

void task_columns_read(struct db_stmt *st, struct task *ret_task)
{
    struct task *task = ret_task;
    int64_t draft;

    memset(task, 0, sizeof(*task));
    task->id = db_get_i64(st, 0);
    task->tenant_id = db_get_i64(st, 1);
    read_text(st, 2, task->token_identity, sizeof(task->token_identity));
    read_text(st, 3, task->minted_id, sizeof(task->minted_id));
    read_text(st, 4, task->upstream_id, sizeof(task->upstream_id));
    task->minted_public = db_get_i64(st, 5) != 0;
    task->account_id = db_get_i64(st, 6);
    task->credential_id = db_get_i64(st, 7);
    /* A state that this program does not know must not be guessed at. */
    ASSERT(state_parse(db_get_text(st, 8), &task->state));
    read_text(st, 9, task->dialect, sizeof(task->dialect));
    read_text(st, 10, task->model, sizeof(task->model));
    read_text(st, 11, task->model_asked, sizeof(task->model_asked));
    read_text(st, 12, task->resolution, sizeof(task->resolution));
    read_text(st, 13, task->ratio, sizeof(task->ratio));
    read_text(st, 14, task->tier, sizeof(task->tier));
    task->duration = db_get_i64(st, 15);
    task->has_video = db_get_i64(st, 16) != 0;
    task->audio = db_get_i64(st, 17) != 0;
    task->audio_asked = db_get_i64(st, 18) != 0;
    task->last_frame = db_get_i64(st, 19) != 0;
    task->has_seed = read_i64(st, 20, &task->seed);
    task->has_final_seed = read_i64(st, 21, &task->final_seed);
    task->priority = db_get_i64(st, 22);
    task->expires_after = db_get_i64(st, 23);
    task->has_tokens = read_i64(st, 24, &task->tokens);
    task->has_total_tokens = read_i64(st, 25, &task->total_tokens);
    task->has_fps = read_i64(st, 26, &task->fps);
    read_text(st, 27, task->safety_identifier, sizeof(task->safety_identifier));
    task->created_us = db_get_i64(st, 28);
    task->updated_us = db_get_i64(st, 29);
    (void)read_i64(st, 30, &task->ended_us);
    (void)read_i64(st, 31, &task->missing_us);
    read_text(st, 32, task->error_code, sizeof(task->error_code));
    read_text(st, 33, task->error_message, sizeof(task->error_message));
    read_text(st, 34, task->video_url, sizeof(task->video_url));
    read_text(st, 35, task->last_frame_url, sizeof(task->last_frame_url));
    (void)read_i64(st, 36, &task->deleted_us);
    task->has_frames = read_i64(st, 37, &task->frames);
    task->has_draft = read_i64(st, 38, &draft);
    task->draft = draft != 0;
    read_text(st, 39, task->draft_task, sizeof(task->draft_task));
    task->web_search = db_get_i64(st, 40) != 0;
    task->has_tool_uses = read_i64(st, 41, &task->tool_uses);
    read_text(st, 42, task->output_format, sizeof(task->output_format));
}
