/* SPDX-License-Identifier: Apache-2.0 */
/* The rules by which an unknown attempt and an unowned task of Ark's belong
 * together. Nothing is guessed: more than one possibility is nobody's. */
#include "gateway/task/match.h"

static bool same_text(struct str echoed, const char *asked)
{
    return echoed.len == 0 || str_is(echoed, asked);
}

static bool same_number(bool echoed, int64_t value, int64_t asked)
{
    return !echoed || value == asked;
}

static bool same_model(const struct match_attempt *attempt, struct str echoed)
{
    /* An endpoint id is echoed as the dated model behind it. */
    return echoed.len == 0 || str_is(echoed, attempt->attempt.sent_model) ||
           str_is(echoed, attempt->dated);
}

static bool same_request(const struct match_attempt *attempt, const struct upstream_task *stray)
{
    const struct task *task = &attempt->task;
    bool of_draft = task->draft_task[0] != '\0'; /* which shaped it */
    bool any_ratio = of_draft || str_is(str_from(task->ratio), "adaptive");

    /* What was left to the model may come back as anything. */
    return same_model(attempt, stray->model) &&
           same_text(stray->resolution, task->resolution) &&
           (any_ratio || same_text(stray->ratio, task->ratio)) &&
           (task->has_frames
                ? same_number(stray->has_frames, stray->frames, task->frames)
                : task->duration == -1 || of_draft ||
                      same_number(stray->has_duration, stray->duration, task->duration)) &&
           (!stray->has_draft || stray->draft == (task->has_draft && task->draft)) &&
           same_text(stray->tier, task->tier) &&
           same_number(stray->has_priority, stray->priority, task->priority) &&
           same_number(stray->has_expires_after, stray->expires_after, task->expires_after) &&
           (of_draft || !stray->has_audio || stray->audio == task->audio) &&
           (of_draft || !task->has_seed || task->seed == -1 ||
            same_number(stray->has_seed, stray->seed, task->seed)) &&
           str_is(stray->safety_identifier, task->safety_identifier);
}

bool match_agrees(const struct match_attempt *attempt, const struct upstream_task *stray,
                  int64_t window_us)
{
    int64_t created_us = stray->created_s * 1000000;

    if (attempt->attempt.identifier[0] != '\0')
        return str_is(stray->safety_identifier, attempt->attempt.identifier);
    return created_us >= attempt->attempt.created_us - window_us &&
           created_us <= attempt->attempt.deadline_us + window_us &&
           same_request(attempt, stray);
}

void match_all(const struct match_attempt *attempts, size_t attempt_count,
               const struct upstream_task *strays, size_t stray_count, int64_t window_us,
               enum match_verdict *ret_verdicts, size_t *ret_partners, bool *ret_wanted)
{
    for (size_t j = 0; j < stray_count; j++)
        ret_wanted[j] = false;
    for (size_t i = 0; i < attempt_count; i++) {
        size_t strays_here = 0, rivals = 0;

        for (size_t j = 0; j < stray_count; j++) {
            if (!match_agrees(&attempts[i], &strays[j], window_us))
                continue;
            ret_wanted[j] = true;
            ret_partners[i] = j;
            strays_here++;
        }
        for (size_t k = 0; strays_here == 1 && k < attempt_count; k++)
            rivals += match_agrees(&attempts[k], &strays[ret_partners[i]], window_us);
        if (strays_here == 0)
            ret_verdicts[i] = MATCH_NONE;
        else
            ret_verdicts[i] = strays_here == 1 && rivals == 1 ? MATCH_ONE : MATCH_AMBIGUOUS;
    }
}
