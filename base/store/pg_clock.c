/* SPDX-License-Identifier: Apache-2.0 */
/* Gateways on one database must agree on the time, whatever their machines say: wall
 * time is the local clock plus the measured offset to the server's. An offset of any size
 * is fine; one that moves by more than 2 s between two looks is not, until the next look
 * finds it again. */
#include "base/store/pg_private.h"

#include <stdatomic.h>
#include <stdlib.h>

enum {
    EVERY_US = 30 * 1000 * 1000,
    DRIFT_MAX_US = 2 * 1000 * 1000,
    /* An answer that took longer says too little about when it was made. */
    ROUND_TRIP_MAX_US = 500 * 1000,
    LOOKS = 3,
    STACK_BYTES = 256 << 10
};

struct pg_clock {
    struct db_readers *readers;
    struct lock lock;
    pthread_t thread;
    bool stopping;
    int64_t every_us;
    int64_t offset_us;
    _Atomic int64_t moved_us; /* by which the clocks moved apart at the last look */
};

static enum err_code read_time(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char sql[] =
        "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)";

    return db_stmt_number(conn, sql, ctx, err);
}

/* The server's clock minus ours; the quickest of a few answers is the best. */
static FALLIBLE measure(struct pg_clock *clock, int64_t *ret_offset_us, struct err *err)
{
    int64_t best_us = ROUND_TRIP_MAX_US;
    struct db_conn *conn = NULL;
    bool measured = false;
    enum err_code code = ERR_OK;

    TRY(db_readers_borrow(clock->readers, &conn, err));
    for (int i = 0; i < LOOKS && code == ERR_OK; i++) {
        int64_t before_us = sys_mono_us(), server_us = 0, local_us;

        code = db_conn_run(conn, read_time, &server_us, err);
        local_us = sys_local_us();
        int64_t took_us = sys_mono_us() - before_us;
        if (code == ERR_OK && took_us <= best_us) {
            best_us = took_us;
            *ret_offset_us = server_us - (local_us - took_us / 2);
            measured = true;
        }
    }
    db_readers_return(clock->readers, &conn, code != ERR_OK);
    if (code == ERR_OK && !measured)
        return err_set(err, ERR_UNAVAILABLE,
                       "the database answers too slowly to tell the time");
    return code;
}

static void look(struct pg_clock *clock)
{
    struct err err = {0};
    int64_t offset_us = 0;

    if (measure(clock, &offset_us, &err) != ERR_OK) {
        LOG(LOG_WARN, "clock_not_measured", LOG_TEXT("message", err.msg),
            LOG_TEXT("detail", err.detail));
        return; /* whoever needs the database finds that out himself */
    }
    int64_t moved_us = offset_us - clock->offset_us;
    bool jumped = moved_us > DRIFT_MAX_US || moved_us < -DRIFT_MAX_US;

    if (jumped)
        LOG(LOG_ERROR, "clock_jumped", LOG_INT("moved_ms", moved_us / 1000));
    clock->offset_us = offset_us;
    sys_set_wall_offset(offset_us);
    atomic_store(&clock->moved_us, jumped ? moved_us : 0);
}

static void *run(void *ctx)
{
    struct pg_clock *clock = ctx;

    lock_take(&clock->lock);
    while (!clock->stopping) {
        /* Until the clocks are known to agree again, look more often. */
        int64_t pause_us =
            atomic_load(&clock->moved_us) != 0 ? clock->every_us / 6 : clock->every_us;
        int64_t until_us = sys_mono_us() + pause_us;

        while (!clock->stopping && lock_wait(&clock->lock, until_us))
            ;
        if (clock->stopping)
            break;
        lock_drop(&clock->lock);
        look(clock);
        lock_take(&clock->lock);
    }
    lock_drop(&clock->lock);
    return NULL;
}

FALLIBLE pg_clock_start(struct db_readers *readers, int64_t every_us,
                        struct pg_clock **ret_clock, struct err *err)
{
    struct pg_clock *clock = calloc(1, sizeof(*clock));

    if (clock == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for a clock");
    clock->readers = readers;
    clock->every_us = every_us > 0 ? every_us : EVERY_US;
    lock_init(&clock->lock);
    enum err_code code = measure(clock, &clock->offset_us, err);
    if (code == ERR_OK) {
        sys_set_wall_offset(clock->offset_us);
        code = lock_thread(&clock->thread, "db-clock", STACK_BYTES, run, clock, err);
    }
    if (code != ERR_OK) {
        lock_fini(&clock->lock);
        free(clock);
        return code;
    }
    *ret_clock = clock;
    return ERR_OK;
}

void pg_clock_stop(struct pg_clock **clock_ref)
{
    struct pg_clock *clock = *clock_ref;

    if (clock == NULL)
        return;
    *clock_ref = NULL;
    lock_take(&clock->lock);
    clock->stopping = true;
    lock_signal(&clock->lock);
    lock_drop(&clock->lock);
    (void)pthread_join(clock->thread, NULL);
    lock_fini(&clock->lock);
    free(clock);
}

FALLIBLE pg_clock_check(struct pg_clock *clock, struct err *err)
{
    int64_t moved_us = atomic_load(&clock->moved_us);

    if (moved_us == 0)
        return ERR_OK;
    return err_set(err, ERR_UNAVAILABLE,
                   "the clock moved %lld ms against the database's: is it set right?",
                   (long long)(moved_us / 1000));
}
