/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of the ingest job that fetch: whose turn it is, and from start to stop. */
#include "assetlib/ingest_parts.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    STACK_BYTES = 512 << 10,
    LOOKS_MIN = 2 /* at a time: a slow one alone does not hold all others up */
};

struct taking {
    struct ingest_claim claim;
    bool found;
    struct ingest_row *row;
};

struct looking {
    struct ingest_skip skip;
    int64_t due_us;
};

static enum err_code take_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct taking *taking = ctx;

    return ingest_repo_take(conn, &taking->claim, &taking->found, taking->row, err);
}

static enum err_code next_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct looking *looking = ctx;

    return ingest_repo_next(conn, &looking->skip, &looking->due_us, err);
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

    return ingest_repo_later(conn, &scope, giving->row, str_from(giving->ingest->holder),
                             giving->due_us, err);
}

/* After a failure of ours it is tried until it is mended; at a stop, by whoever comes next. */
static void give_back(struct ingest *ingest, const struct ingest_row *row)
{
    struct giving giving = {ingest, row, sys_now_us()};
    struct err err = {0};

    if (!atomic_load(&ingest->stopping))
        giving.due_us += ingest->options.settings.retry_us * (row->tries > 1 ? 4 : 1);
    if (db_write(ingest->options.library->db, row->tenant_id, give_steps, &giving, &err) !=
        ERR_OK)
        LOG(LOG_WARN, "ingest_not_given_back", LOG_TEXT("asset", row->asset_id),
            LOG_TEXT("error", err.msg), LOG_TEXT("detail", err.detail));
}

/* ---- whose turn it is ---------------------------------------------------------------- */

static int running_of(const struct ingest *ingest, int64_t tenant_id)
{
    int count = 0;

    lock_assert_held(&ingest->lock);
    for (int i = 0; i < ingest->worker_count; i++)
        count += ingest->running[i] == tenant_id;
    return count;
}

/* Half of the threads are one tenant's share: slow hosts of his leave the others some. */
static struct ingest_skip skip_locked(const struct ingest *ingest)
{
    struct ingest_skip skip = {{0}};
    int count = 0;

    for (int i = 0; i < ingest->worker_count && count < INGEST_SKIP_MAX; i++) {
        int64_t tenant_id = ingest->running[i];

        if (tenant_id != 0 && tenant_id != skip.tenants[0] &&
            2 * running_of(ingest, tenant_id) >= ingest->worker_count)
            skip.tenants[count++] = tenant_id;
    }
    return skip;
}

struct ingest_skip ingest_skip_now(struct ingest *ingest)
{
    lock_take(&ingest->lock);
    struct ingest_skip skip = skip_locked(ingest);
    lock_drop(&ingest->lock);
    return skip;
}

/* One at a time, so that nobody's share is given out twice. */
static struct ingest_skip pick_begin(struct ingest *ingest)
{
    lock_take(&ingest->lock);
    while (ingest->picking)
        (void)lock_wait(&ingest->lock, INT64_MAX);
    ingest->picking = true;
    struct ingest_skip skip = skip_locked(ingest);
    lock_drop(&ingest->lock);
    return skip;
}

/* Whose file was taken, 0 for none; returns the place where that is noted. */
static int pick_end(struct ingest *ingest, int64_t tenant_id)
{
    int place = 0;

    lock_take(&ingest->lock);
    while (place < ingest->worker_count && ingest->running[place] != 0)
        place++;
    ASSERT(place < ingest->worker_count); /* one for each of them */
    ingest->running[place] = tenant_id;
    ingest->picking = false;
    lock_signal(&ingest->lock);
    lock_drop(&ingest->lock);
    return place;
}

static void run_end(struct ingest *ingest, int place)
{
    lock_take(&ingest->lock);
    ingest->running[place] = 0;
    lock_drop(&ingest->lock);
}

int64_t ingest_next_us(struct ingest *ingest, const struct ingest_skip *skip)
{
    struct looking looking = {*skip, INT64_MAX};
    struct err ignored = {0};

    if (db_read_one(ingest->options.library->db, next_steps, &looking, &ignored) != ERR_OK)
        return INT64_MAX;
    return looking.due_us;
}

/* Takes the file that is due longest; false when none is. Who only looks writes nothing. */
static bool take(struct ingest *ingest, struct ingest_row *row, int *ret_place)
{
    struct taking taking = {.row = row};
    struct err err = {0};

    taking.claim.skip = pick_begin(ingest);
    taking.claim.holder = str_from(ingest->holder);
    taking.claim.now_us = sys_now_us();
    taking.claim.until_us = taking.claim.now_us + ingest_file_us(ingest);
    if (ingest_next_us(ingest, &taking.claim.skip) <= taking.claim.now_us &&
        db_write(ingest->options.library->db, DB_APART, take_steps, &taking, &err) != ERR_OK) {
        taking.found = false;
        LOG(LOG_WARN, "ingest_not_taken", LOG_TEXT("error", err.msg),
            LOG_TEXT("detail", err.detail));
    }
    *ret_place = pick_end(ingest, taking.found ? row->tenant_id : 0);
    return taking.found;
}

/* Works on one file; false when none is due. */
static bool work(struct ingest *ingest, struct ingest_row *row)
{
    struct err err = {0};
    int place;

    if (!take(ingest, row, &place))
        return false;
    ingest_wake(ingest); /* perhaps there are more */
    (void)FAULT_POINT("ingest.taken");
    if (ingest_file(ingest, row, &err) != ERR_OK) {
        LOG(LOG_WARN, "ingest_later", LOG_TEXT("asset", row->asset_id),
            LOG_TEXT("error", err.msg), LOG_TEXT("detail", err.detail));
        give_back(ingest, row);
        if (err.code == ERR_CONFIG) /* what looks at files broke meanwhile */
            atomic_store(&ingest->able, false);
    }
    run_end(ingest, place);
    return true;
}

static void wait_for_hint(struct ingest *ingest)
{
    lock_take(&ingest->lock);
    while (ingest->hints == 0 && !atomic_load(&ingest->stopping))
        (void)lock_wait(&ingest->lock, INT64_MAX);
    ingest->hints -= ingest->hints > 0;
    lock_drop(&ingest->lock);
}

static void *worker_main(void *ctx)
{
    struct ingest *ingest = ctx;
    struct ingest_row *row = calloc(1, sizeof(*row));

    ASSERT(row != NULL);
    while (!atomic_load(&ingest->stopping)) {
        if (!atomic_load(&ingest->able) || !work(ingest, row))
            wait_for_hint(ingest);
    }
    free(row);
    return NULL;
}

static enum err_code release_steps(struct db_conn *conn, void *now_us, struct err *err)
{
    return ingest_repo_release(conn, *(const int64_t *)now_us, err);
}

static enum err_code start_thread(struct ingest *ingest, void *(*main)(void *), struct err *err)
{
    TRY(lock_thread(&ingest->threads[ingest->thread_count], "ingest", STACK_BYTES, main, ingest,
                    err));
    ingest->thread_count++;
    return ERR_OK;
}

static enum err_code start_threads(struct ingest *ingest, struct err *err)
{
    int64_t workers = ingest->options.settings.workers;
    int64_t processors = sysconf(_SC_NPROCESSORS_ONLN);

    ingest->looks_max = processors > LOOKS_MIN ? processors : LOOKS_MIN;
    /* Before the first of them picks: a share is of all. */
    ingest->worker_count = workers < INGEST_WORKERS_MAX ? (int)workers : INGEST_WORKERS_MAX;
    TRY(start_thread(ingest, ingest_watch_time, err));
    TRY(start_thread(ingest, ingest_watch_bytes, err));
    for (int i = 0; i < ingest->worker_count; i++)
        TRY(start_thread(ingest, worker_main, err));
    return ERR_OK;
}

FALLIBLE ingest_start(const struct ingest_options *options, struct ingest **ret_ingest,
                      struct err *err)
{
    CLEANUP(ingest_stop) struct ingest *ingest = calloc(1, sizeof(*ingest));
    const struct ingest_skip nobody = {{0}};
    int64_t now_us = sys_now_us();

    if (ingest == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for the ingest");
    ingest->options = *options;
    ingest->options.media.stopping = &ingest->stopping;
    lock_init(&ingest->lock);
    sys_random_text(ingest->holder, INGEST_HOLDER_MAX, "0123456789abcdef");
    if (!db_is_shared(options->library->db) && ingest_next_us(ingest, &nobody) != INT64_MAX)
        TRY(db_write(options->library->db, DB_APART, release_steps, &now_us, err));
    if (options->settings.workers > 0)
        TRY(start_threads(ingest, err));
    *ret_ingest = ingest;
    ingest = NULL;
    return ERR_OK;
}

void ingest_wake(struct ingest *ingest)
{
    lock_take(&ingest->lock);
    if (ingest->hints < ingest->worker_count)
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
