/* SPDX-License-Identifier: Apache-2.0 */
/* The states of a task and the moves between them, as one table. Rows are moved
 * by task_repo_move alone, which asks here. */
#include "gateway/task/task.h"

#define TO(state) (1u << TASK_##state)

static const struct {
    const char *name;
    unsigned may_become; /* set of TO() bits */
} states[TASK_STATE_COUNT] = {
    [TASK_WAITING] = {"waiting", TO(SUBMITTING) | TO(CANCELLED)},
    [TASK_SUBMITTING] = {"submitting", TO(QUEUED) | TO(UNKNOWN) | TO(REFUSED)},
    /* Ark may finish between two looks, so queued leads to every end. */
    [TASK_QUEUED] = {"queued",
                     TO(RUNNING) | TO(SUCCEEDED) | TO(FAILED) | TO(EXPIRED) | TO(CANCELLED)},
    [TASK_RUNNING] = {"running", TO(SUCCEEDED) | TO(FAILED) | TO(EXPIRED) | TO(CANCELLED)},
    [TASK_SUCCEEDED] = {"succeeded", 0},
    [TASK_FAILED] = {"failed", 0},
    [TASK_EXPIRED] = {"expired", 0},
    [TASK_CANCELLED] = {"cancelled", 0},
    /* Adopted, or released for certain. */
    [TASK_UNKNOWN] = {"unknown", TO(QUEUED) | TO(FAILED)},
    [TASK_REFUSED] = {"refused", 0},
};

const char *state_name(enum task_state state)
{
    return (unsigned)state < TASK_STATE_COUNT ? states[state].name : "?";
}

bool state_parse(struct str name, enum task_state *ret_state)
{
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        if (str_is(name, states[i].name)) {
            *ret_state = (enum task_state)i;
            return true;
        }
    }
    return false;
}

enum task_state state_shown(enum task_state state)
{
    switch (state) {
    case TASK_WAITING:
    case TASK_SUBMITTING:
    case TASK_UNKNOWN:
        return TASK_QUEUED;
    default:
        return state;
    }
}

bool state_is_terminal(enum task_state state)
{
    return states[state].may_become == 0;
}

enum err_code state_may_move(enum task_state from, enum task_state to, struct err *err)
{
    if (states[from].may_become & 1u << to)
        return ERR_OK;
    return err_set(err, ERR_CONFLICT, "a %s task cannot become %s", states[from].name,
                   states[to].name);
}
