/* SPDX-License-Identifier: Apache-2.0 */
/* Ark's word on a task, as these tests give it. */
#ifndef ARKGATE_TESTS_TASK_SEEN_H
#define ARKGATE_TESTS_TASK_SEEN_H

#include "tests/unit/task/world.h"

/* A task in some state; when it succeeded, with what HOLD_NANO pays for. */
static inline struct upstream_task seen_of(const char *id, enum task_state state)
{
    struct upstream_task seen = {
        .id = str_from(id),
        .state = state,
        .model = STR("doubao-seedance-2-0-260128"),
        .resolution = STR("720p"),
        .ratio = STR("16:9"),
        .tier = STR("default"),
        .has_duration = true,
        .duration = 5,
        .has_fps = true,
        .fps = 24,
        .has_seed = true,
        .seed = 17918,
        .body = STR("{\"what\":\"Ark said\"}"),
    };

    if (state == TASK_SUCCEEDED) {
        seen.has_tokens = seen.has_total_tokens = true;
        seen.tokens = seen.total_tokens = HOLD_TOKENS;
        seen.video_url = STR("https://video.example/1.mp4");
    }
    return seen;
}

#endif
