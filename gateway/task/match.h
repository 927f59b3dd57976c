/* SPDX-License-Identifier: Apache-2.0 */
/* Which of Ark's unowned tasks can come from which attempt; pure. For files of
 * gateway/task alone. */
#ifndef ARKGATE_GATEWAY_TASK_MATCH_H
#define ARKGATE_GATEWAY_TASK_MATCH_H

#include "gateway/task/task_rows.h"

/* match.c ------------------------------------------------------------------ */

/* An attempt with the row of its task. */
struct match_attempt {
    struct attempt attempt;
    struct task task;
    char dated[MODEL_NAME_MAX + 1]; /* Ark's name of the model, whatever was sent */
};
enum match_verdict {
    MATCH_NONE,     /* agrees with no unowned task */
    MATCH_ONE,      /* it and exactly one unowned task agree with each other alone */
    MATCH_AMBIGUOUS /* agrees, but not one to one: the operator decides */
};
/* Do attempt and unowned task agree? By the injected identifier when there is one,
 * else on every field that Ark echoes, with the creation time between the attempt
 * and its deadline, window_us wider on both sides. */
bool match_agrees(const struct match_attempt *attempt, const struct upstream_task *stray,
                  int64_t window_us);
/* Verdicts for every attempt (ret_partner: index of the stray when MATCH_ONE) and
 * for every stray whether any attempt agrees with it. O(attempts × strays). */
void match_all(const struct match_attempt *attempts, size_t attempt_count,
               const struct upstream_task *strays, size_t stray_count, int64_t window_us,
               enum match_verdict *ret_verdicts, size_t *ret_partners, bool *ret_wanted);

#endif
