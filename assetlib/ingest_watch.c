/* SPDX-License-Identifier: Apache-2.0 */
/* What happens by time alone in the ingest job. */
#include "assetlib/ingest_parts.h"

enum {
    RETRY_US = 5 * 1000 * 1000,   /* between two tests of what looks at files … */
    REMIND_US = 60 * 1000 * 1000, /* … and between two lines about it in the log */
    FIRST_SWEEP_US = 60 * 1000 * 1000
};

/* False at a stop. */
static bool wait_until(struct ingest *ingest, int64_t mono_us)
{
    lock_take(&ingest->lock);
    while (!atomic_load(&ingest->stopping) && lock_wait(&ingest->lock, mono_us)) {
    }
    lock_drop(&ingest->lock);
    return !atomic_load(&ingest->stopping);
}

/* When the test is made again, and when it is spoken of again, by sys_mono_us. */
struct testing {
    int64_t due_us, remind_us;
};

/* Without what looks at files safely nothing is taken: who waits is not failed for it. */
static void test_in_time(struct ingest *ingest, struct testing *testing)
{
    int64_t now_us = sys_mono_us();
    struct err err = {0};

    if (atomic_load(&ingest->able) || now_us < testing->due_us)
        return;
    if (media_sandbox_check(&ingest->options.media, &err) == ERR_OK) {
        atomic_store(&ingest->able, true);
        testing->remind_us = INT64_MIN;
        return;
    }
    testing->due_us = now_us + RETRY_US;
    if (now_us < testing->remind_us)
        return;
    testing->remind_us = now_us + REMIND_US;
    LOG(LOG_ERROR, "ingest_off", LOG_TEXT("reason", err.msg), LOG_TEXT("detail", err.detail));
}

/* Wakes a worker when a file is due; returns how long until it is worth another look. */
static int64_t look(struct ingest *ingest)
{
    int64_t look_us = ingest->options.settings.look_us;
    struct ingest_skip skip = ingest_skip_now(ingest);
    int64_t due_us = ingest_next_us(ingest, &skip), now_us = sys_now_us();

    if (due_us <= now_us)
        ingest_wake(ingest);
    else if (due_us < now_us + look_us)
        return due_us - now_us;
    return look_us;
}

void *ingest_watch_time(void *ctx)
{
    struct ingest *ingest = ctx;
    struct testing testing = {INT64_MIN, INT64_MIN};
    int64_t pause_us;

    if (ingest->options.media.sandbox_off)
        LOG(LOG_WARN, "probe_sandbox_off",
            LOG_TEXT("detail", "files of strangers are opened without the sandbox"));
    do {
        test_in_time(ingest, &testing);
        pause_us = atomic_load(&ingest->able) ? look(ingest) : ingest->options.settings.look_us;
    } while (wait_until(ingest, sys_mono_us() + pause_us));
    return NULL;
}

void *ingest_watch_bytes(void *ctx)
{
    struct ingest *ingest = ctx;
    int64_t sweep_us = ingest->options.settings.sweep_us;
    int64_t pause_us = sweep_us < FIRST_SWEEP_US ? sweep_us : FIRST_SWEEP_US;
    struct err err = {0};

    while (wait_until(ingest, sys_mono_us() + pause_us)) {
        if (ingest_sweep(ingest, &err) != ERR_OK)
            LOG(LOG_WARN, "ingest_sweep_failed", LOG_TEXT("error", err.msg),
                LOG_TEXT("detail", err.detail));
        pause_us = sweep_us;
    }
    return NULL;
}
