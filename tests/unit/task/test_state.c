/* SPDX-License-Identifier: Apache-2.0 */
/* The table of states: names, ends, and every pair of states. */
#include "gateway/task/task.h"

#include "tests/lib/check.h"

/* Row: from; column: to; in the order of the enum. */
static const struct {
    const char *name;
    const char *may; /* WSQRsfecUR: x where the move exists */
} want[TASK_STATE_COUNT] = {
    /*                            w s q r S F E C u R */
    [TASK_WAITING] = {"waiting", ".x.....x.."},
    [TASK_SUBMITTING] = {"submitting", "..x.....xx"},
    [TASK_QUEUED] = {"queued", "...xxxxx.."},
    [TASK_RUNNING] = {"running", "....xxxx.."},
    [TASK_SUCCEEDED] = {"succeeded", ".........."},
    [TASK_FAILED] = {"failed", ".........."},
    [TASK_EXPIRED] = {"expired", ".........."},
    [TASK_CANCELLED] = {"cancelled", ".........."},
    [TASK_UNKNOWN] = {"unknown", "..x..x...."},
    [TASK_REFUSED] = {"refused", ".........."},
};

static void test_every_pair(void)
{
    for (int from = 0; from < TASK_STATE_COUNT; from++) {
        for (int to = 0; to < TASK_STATE_COUNT; to++) {
            bool allowed = want[from].may[to] == 'x';
            struct err err = {0};
            char what[64];

            (void)snprintf(what, sizeof(what), "%s to %s", want[from].name, want[to].name);
            CHECK_INT(what, state_may_move((enum task_state)from, (enum task_state)to, &err),
                      allowed ? ERR_OK : ERR_CONFLICT);
            CHECK_INT(what, err.code, allowed ? ERR_OK : ERR_CONFLICT);
            if (allowed)
                continue;
            CHECK_TRUE(what, strstr(err.msg, want[from].name) != NULL);
            CHECK_TRUE(what, strstr(err.msg, want[to].name) != NULL);
        }
    }
}

static void test_ends_have_no_way_out(void)
{
    for (int state = 0; state < TASK_STATE_COUNT; state++)
        CHECK_INT(want[state].name, state_is_terminal((enum task_state)state),
                  strchr(want[state].may, 'x') == NULL);
}

static void test_names_there_and_back(void)
{
    static const char *const strangers[] = {"",        "Queued",  "queued ", "queue",
                                            "pending", "queuedx", "?"};

    for (int state = 0; state < TASK_STATE_COUNT; state++) {
        enum task_state parsed = TASK_STATE_COUNT;

        CHECK_TEXT(want[state].name, state_name((enum task_state)state), want[state].name);
        CHECK_TRUE(want[state].name, state_parse(str_from(want[state].name), &parsed));
        CHECK_INT(want[state].name, parsed, state);
    }
    for (size_t i = 0; i < COUNT_OF(strangers); i++) {
        enum task_state parsed = TASK_RUNNING;

        CHECK_TRUE(strangers[i], !state_parse(str_from(strangers[i]), &parsed));
        CHECK_INT(strangers[i], parsed, TASK_RUNNING);
    }
    CHECK_TEXT("no state", state_name(TASK_STATE_COUNT), "?");
    CHECK_TEXT("no state", state_name((enum task_state) - 1), "?");
}

CHECK_MAIN(CHECK_TEST(test_every_pair), CHECK_TEST(test_ends_have_no_way_out),
           CHECK_TEST(test_names_there_and_back))
