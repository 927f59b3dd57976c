/* SPDX-License-Identifier: Apache-2.0 */
/* Counts calls and, when switched on, refuses what Ark's limits per account
 * refuse. Limits run in real time, whatever the simulator's speed. */
#include "gateway/sim/sim_parts.h"

/* Ark: list 1, GET 20, DELETE 20 a second; creates are a number a minute, with
 * sim.create_rpm for its calls. */
static const struct {
    int64_t calls; /* per period; 0: sim.create_rpm */
    int64_t period_us;
} limits[SIM_ON_COUNT] = {
    [SIM_ON_CREATE] = {0, 60000000},
    [SIM_ON_GET] = {20, 1000000},
    [SIM_ON_LIST] = {1, 1000000},
    [SIM_ON_DELETE] = {20, 1000000},
};

/* A caller that paces itself exactly must not be refused for a network's jitter. */
enum { SLACK_US = 50000 };

static void count(struct sim_window *window, int64_t second)
{
    if (window->second != second)
        *window = (struct sim_window){.second = second, .most = window->most};
    if (++window->count > window->most)
        window->most = window->count;
}

bool sim_limit_pass(struct sim *sim, int account, enum sim_on on)
{
    int64_t now_us = sys_mono_us();
    int64_t calls = limits[on].calls > 0 ? limits[on].calls : sim->create_rpm;
    bool pass = true;

    lock_take(&sim->lock);
    struct sim_account *of = &sim->accounts[account];

    sim->counters.calls[on]++;
    count(&of->window[on], now_us / 1000000);
    if (sim->limits) {
        /* A whole period's calls may come at once, then one each period / calls. */
        int64_t step_us = limits[on].period_us / calls;
        int64_t due_us = of->next_us[on] > now_us ? of->next_us[on] : now_us;

        pass = due_us - now_us <= limits[on].period_us - step_us + SLACK_US;
        if (pass)
            of->next_us[on] = due_us + step_us;
        else
            sim->counters.limited[on]++;
    }
    lock_drop(&sim->lock);
    return pass;
}
