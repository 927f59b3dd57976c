/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator as a whole: options, accounts, clock, randomness, start and end. */
#include "gateway/sim/sim.h"
#include "gateway/sim/sim_parts.h"

#include <stdlib.h>
#include <string.h>

int64_t sim_now_us(struct sim *sim)
{
    lock_take(&sim->lock);
    int64_t offset_us = sim->clock_offset_us;

    lock_drop(&sim->lock);
    return sys_now_us() + offset_us;
}

bool sim_pause(struct sim *sim, int64_t ms)
{
    int64_t deadline_us = sys_mono_us() + ms * 1000;

    lock_take(&sim->pause_lock);
    while (!sim->stopping && lock_wait(&sim->pause_lock, deadline_us))
        continue;
    bool slept = !sim->stopping;

    lock_drop(&sim->pause_lock);
    return slept;
}

/* splitmix64 */
uint64_t sim_random(struct sim *sim)
{
    uint64_t value;

    if (!sim->seeded) {
        sys_random(&value, sizeof(value));
        return value;
    }
    lock_take(&sim->lock);
    value = sim->random += 0x9e3779b97f4a7c15u;
    lock_drop(&sim->lock);
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

static enum err_code read_keys(struct sim *sim, const char *keys, struct err *err)
{
    struct str rest = str_from(keys);

    while (rest.len > 0) {
        const char *comma = memchr(rest.ptr, ',', rest.len);
        size_t len = comma == NULL ? rest.len : (size_t)(comma - rest.ptr);
        struct str key = str_trim((struct str){rest.ptr, len});
        size_t skip = comma == NULL ? len : len + 1;

        rest = (struct str){rest.ptr + skip, rest.len - skip};
        if (key.len == 0)
            continue;
        if (sim->account_count == SIM_ACCOUNTS_MAX ||
            !str_copy(sim->accounts[sim->account_count].key, sizeof(sim->accounts[0].key), key))
            return err_set(err, ERR_CONFIG, "too many API keys, or one is too long");
        sim->account_count++;
    }
    if (sim->account_count == 0)
        return err_set(err, ERR_CONFIG, "the simulator needs an API key");
    return ERR_OK;
}

static enum err_code read_canary(struct sim *sim, const char *word, struct err *err)
{
    if (word != NULL && (word[0] == '\0' ||
                         word[strspn(word, "abcdefghijklmnopqrstuvwxyz"
                                           "0123456789")] != '\0' ||
                         !str_copy(sim->canary, sizeof(sim->canary), str_from(word))))
        return err_set(err, ERR_CONFIG, "the canary must be 1 to 32 characters a-z and 0-9");
    return ERR_OK;
}

static enum err_code init(struct sim *sim, const struct sim_options *options, struct err *err)
{
    /* A day in a millisecond; faster would make every duration zero. */
    if (options->speed < 0 || options->speed > 86400000)
        return err_set(err, ERR_CONFIG, "the speed must be from 1 to 86400000");
    if (options->workers < 0 || options->workers > 4096)
        return err_set(err, ERR_CONFIG, "workers must be from 1 to 4096");
    if (options->create_rpm < 0 || options->create_rpm > 60000000)
        return err_set(err, ERR_CONFIG, "the create limit must be from 1 to 60000000");
    sim->speed = options->speed == 0 ? 1 : options->speed;
    sim->limits = options->limits;
    sim->create_rpm = options->create_rpm == 0 ? 600 : options->create_rpm; /* Ark's own */
    sim->seeded = options->seed != 0;
    sim->random = (uint64_t)options->seed;
    TRY(read_canary(sim, options->canary, err));
    TRY(read_keys(sim, options->api_key == NULL ? "" : options->api_key, err));
    TRY(sim_media_init(sim, options->media_dir, err));
    TRY(sim_callback_start(sim, options->callback_to, err));
    return sim_server_start(sim, options, err);
}

enum err_code sim_start(const struct sim_options *options, struct sim **ret_sim,
                        struct err *err)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    enum err_code rc;

    if (sim == NULL)
        return err_set(err, ERR_INTERNAL, "out of memory");
    lock_init(&sim->lock);
    lock_init(&sim->pause_lock);
    lock_init(&sim->media_lock);
    rc = init(sim, options, err);
    if (rc != ERR_OK)
        sim_stop(&sim);
    else
        *ret_sim = sim;
    return rc;
}

int sim_port(const struct sim *sim)
{
    return sim->port;
}

void sim_stop(struct sim **sim)
{
    if (*sim == NULL)
        return;
    lock_take(&(*sim)->pause_lock);
    (*sim)->stopping = true;
    lock_signal(&(*sim)->pause_lock);
    lock_drop(&(*sim)->pause_lock);
    sim_server_stop(*sim);
    sim_callback_stop(*sim);
    sim_fault_clear(*sim);
    sim_task_free_all(*sim);
    sim_media_fini(*sim);
    lock_fini(&(*sim)->media_lock);
    lock_fini(&(*sim)->pause_lock);
    lock_fini(&(*sim)->lock);
    free(*sim);
    *sim = NULL;
}
