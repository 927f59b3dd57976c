/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of the ingest job: who looks for work, and when. */
#include "assetlib/ingest_parts.h"

#include <stdlib.h>

enum {
    STACK_BYTES = 512 << 10,
    RETRY_US = 5 * 1000 * 1000,   /* between two tests of what looks at files … */
    REMIND_US = 60 * 1000 * 1000, /* … and between two lines about it in the log */
    FIRST_SWEEP_US = 60 * 1000 * 1000
};

struct taking {
    struct ingest *ingest;
    int64_t now_us;
    bool found;
    struct ingest_row *row;
};

static enum err_code take_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct taking *taking = ctx;
    struct ingest *ingest = taking->ingest;

    return ingest_repo_take(conn, str_from(ingest->holder), taking->now_us,
                            taking->now_us + ingest_file_us(ingest), &taking->found,
                            taking->row, err);
}

static enum err_code next_steps(struct db_conn *conn, void *due_us, struct err *err)
{
    return ingest_repo_next(conn, due_us, err);
}

struct giving {
    struct ingest *ingest;
    const struct ingest_row *row;
    int64_t due_us;
};

static enum err_code give_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct giving *giving = ctx;
    const struct scope scope = {.tenant_id = giving->row->tenant_id};

    return ingest_repo_later(conn, &scope, str_from(giving->row->asset_id),
                             str_from(giving->ingest->holder), giving->row->tries,
                             giving->due_us, err);
}

/* After a failure of ours it is tried until it is mended; at a stop, by whoever comes next. */
static void give_back(struct ingest *ingest, const struct ingest_row *row)
{
    struct giving giving = {ingest, row, sys_now_us()};
    struct err err = {0};

    if (!atomic_load(&ingest->stopping))
        giving.due_us += ingest->options.settings.retry_us * 4;
    if (db_write(ingest->options.library->db, row->tenant_id, give_steps, &giving, &err) !=
        ERR_OK)
        LOG(LOG_WARN, "ingest_not_given_back", LOG_TEXT("asset", row->asset_id),
            LOG_TEXT("error", err.msg), LOG_TEXT("detail", err.detail));
}

/* When the next file is due; INT64_MAX also when nobody can tell. */
static int64_t next_due_us(const struct ingest *ingest)
{
    int64_t due_us = INT64_MAX;
    struct err ignored = {0};

    if (db_read_one(ingest->options.library->db, next_steps, &due_us, &ignored) != ERR_OK)
        return INT64_MAX;
    return due_us;
}

/* Works on one file; false when none is due. Who only looks writes nothing. */
static bool work(struct ingest *ingest, struct ingest_row *row)
{
    struct taking taking = {.ingest = ingest, .now_us = sys_now_us(), .row = row};
    struct err err = {0};

    if (next_due_us(ingest) > taking.now_us)
        return false;
    if (db_write(ingest->options.library->db, DB_APART, take_steps, &taking, &err) != ERR_OK) {
        LOG(LOG_WARN, "ingest_not_taken", LOG_TEXT("error", err.msg),
            LOG_TEXT("detail", err.detail));
        return false;
    }
    if (!taking.found)
        return false;
    (void)FAULT_POINT("ingest.taken");
    if (ingest_file(ingest, row, &err) != ERR_OK) {
        LOG(LOG_WARN, "ingest_later", LOG_TEXT("asset", row->asset_id),
            LOG_TEXT("error", err.msg), LOG_TEXT("detail", err.detail));
        give_back(ingest, row);
        if (err.code == ERR_CONFIG) /* what looks at files broke meanwhile */
            atomic_store(&ingest->able, false);
    }
    return true;
}

/* Until it is told of a file, or time to look by itself: for the first thread alone. */
static void wait_for_work(struct ingest *ingest, bool first)
{
    int64_t until_us = INT64_MAX, now_us = sys_now_us();

    if (first) {
        int64_t due_us = atomic_load(&ingest->able) ? next_due_us(ingest) : INT64_MAX;

        until_us = sys_mono_us() + ingest->options.settings.look_us;
        if (due_us < now_us + ingest->options.settings.look_us)
            until_us = sys_mono_us() + (due_us > now_us ? due_us - now_us : 0);
    }
    lock_take(&ingest->lock);
    while (ingest->hints == 0 && !atomic_load(&ingest->stopping) &&
           lock_wait(&ingest->lock, until_us)) {
    }
    ingest->hints -= ingest->hints > 0;
    lock_drop(&ingest->lock);
}

static void sweep_in_time(struct ingest *ingest)
{
    struct err err = {0};

    if (sys_mono_us() - atomic_load(&ingest->swept_us) < ingest->options.settings.sweep_us)
        return;
    atomic_store(&ingest->swept_us, sys_mono_us());
    if (ingest_sweep(ingest, &err) != ERR_OK)
        LOG(LOG_WARN, "ingest_sweep_failed", LOG_TEXT("error", err.msg),
            LOG_TEXT("detail", err.detail));
}

/* When the first thread tests again, and when it speaks of it again, by sys_mono_us. */
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

static void *worker_main(void *ctx)
{
    struct ingest *ingest = ctx;
    struct ingest_row *row = calloc(1, sizeof(*row));
    bool first = pthread_equal(pthread_self(), ingest->threads[0]) != 0;
    struct testing testing = {INT64_MIN, INT64_MIN};

    ASSERT(row != NULL);
    if (first && ingest->options.media.sandbox_off)
        LOG(LOG_WARN, "probe_sandbox_off",
            LOG_TEXT("detail", "files of strangers are opened without the sandbox"));
    while (!atomic_load(&ingest->stopping)) {
        if (first)
            test_in_time(ingest, &testing);
        if (atomic_load(&ingest->able) && work(ingest, row)) {
            ingest_wake(ingest); /* perhaps there are more */
            continue;
        }
        if (first)
            sweep_in_time(ingest);
        wait_for_work(ingest, first);
    }
    free(row);
    return NULL;
}

static enum err_code release_steps(struct db_conn *conn, void *now_us, struct err *err)
{
    return ingest_repo_release(conn, *(const int64_t *)now_us, err);
}

FALLIBLE ingest_start(const struct ingest_options *options, struct ingest **ret_ingest,
                      struct err *err)
{
    CLEANUP(ingest_stop) struct ingest *ingest = calloc(1, sizeof(*ingest));
    int64_t now_us = sys_now_us(), workers = options->settings.workers;
    int64_t sweep_us = options->settings.sweep_us;

    if (ingest == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for the ingest");
    ingest->options = *options;
    lock_init(&ingest->lock);
    sys_random_text(ingest->holder, INGEST_HOLDER_MAX, "0123456789abcdef");
    if (sweep_us > FIRST_SWEEP_US) /* a start has better to do */
        atomic_store(&ingest->swept_us, sys_mono_us() - sweep_us + FIRST_SWEEP_US);
    else
        atomic_store(&ingest->swept_us, sys_mono_us());
    if (!db_is_shared(options->library->db) && next_due_us(ingest) != INT64_MAX)
        TRY(db_write(options->library->db, DB_APART, release_steps, &now_us, err));
    for (int64_t i = 0; i < workers && i < INGEST_WORKERS_MAX; i++) {
        lock_take(&ingest->lock); /* a thread asks which one it is */
        enum err_code code =
            lock_thread(&ingest->threads[i], "ingest", STACK_BYTES, worker_main, ingest, err);

        ingest->thread_count += code == ERR_OK;
        lock_drop(&ingest->lock);
        TRY(code);
    }
    *ret_ingest = ingest;
    ingest = NULL;
    return ERR_OK;
}

void ingest_wake(struct ingest *ingest)
{
    lock_take(&ingest->lock);
    if (ingest->hints < ingest->thread_count)
        ingest->hints++;
    lock_signal(&ingest->lock);
    lock_drop(&ingest->lock);
}

void ingest_halt(struct ingest *ingest)
{
    if (ingest == NULL)
        return;
    atomic_store(&ingest->stopping, true);
    lock_take(&ingest->lock);
    lock_signal(&ingest->lock);
    lock_drop(&ingest->lock);
}

void ingest_stop(struct ingest **ingest_ref)
{
    struct ingest *ingest = *ingest_ref;

    if (ingest == NULL)
        return;
    *ingest_ref = NULL;
    ingest_halt(ingest);
    for (int i = 0; i < ingest->thread_count; i++)
        (void)pthread_join(ingest->threads[i], NULL);
    lock_fini(&ingest->lock);
    free(ingest);
}
