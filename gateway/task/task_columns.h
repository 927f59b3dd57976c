/* SPDX-License-Identifier: Apache-2.0 */
/* One list of the task table's columns and the one reader of such a row, for the
 * repositories that select whole tasks. */
#ifndef ARKGATE_GATEWAY_TASK_COLUMNS_H
#define ARKGATE_GATEWAY_TASK_COLUMNS_H

#include "gateway/task/task.h"

#define TASK_COLUMNS                                                                         \
    "id, tenant_id, token_identity, minted_id, upstream_id, minted_public, account_id,"      \
    " credential_id, state, dialect, model, model_asked, resolution, ratio, tier, duration," \
    " has_video, audio, audio_asked, last_frame, seed, final_seed, priority, expires_after," \
    " tokens, total_tokens, fps, safety_identifier, created_us, updated_us, ended_us,"       \
    " missing_us, error_code, error_message, video_url, last_frame_url, deleted_us, frames," \
    " draft, draft_task, web_search, tool_uses, output_format"

/* task_columns.c: fills *ret_task from a row of TASK_COLUMNS. */
void task_columns_read(struct db_stmt *st, struct task *ret_task);

#endif
