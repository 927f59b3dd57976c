/* SPDX-License-Identifier: Apache-2.0 */
/* What all use cases share: their settings, the forms of ids, and how many requests
 * may wait for somebody else's outcome. */
#include "gateway/task/task.h"

#define SECOND INT64_C(1000000)

void service_defaults(struct task_settings *ret_settings)
{
    *ret_settings = (struct task_settings){
        .connect_us = 5 * SECOND,
        .send_us = 20 * SECOND,
        .submitting_grace_us = 60 * SECOND,
        .unknown_release_after_us = 600 * SECOND,
        .unknown_watch_us = 7 * 86400 * SECOND, /* as long as Ark keeps records */
        .match_window_us = 120 * SECOND,
        .gone_recheck_us = 60 * SECOND,
        .open_max_us = 7 * 86400 * SECOND, /* likewise */
        .idempotency_us = 86400 * SECOND,
        .cancel_us = 20 * SECOND,
        .resolve_us = 3 * SECOND,
    };
}

bool service_is_upstream_id(struct str id)
{
    if (id.len == 0 || id.len > TASK_ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || c == '.'))
            return false;
    }
    return true;
}

const char *service_public_id(const struct task *task)
{
    return task->minted_public || task->upstream_id[0] == '\0' ? task->minted_id
                                                               : task->upstream_id;
}

int64_t service_output_ms(const struct task *task)
{
    enum { FRAMES_PER_S = 24 }; /* of every model so far */

    if (task->has_frames)
        return task->frames * 1000 / FRAMES_PER_S;
    return task->duration > 0 ? task->duration * 1000 : 0;
}
