/* SPDX-License-Identifier: Apache-2.0 */
/* Gateways on one database must agree on the time, whatever their machines say: wall
 * time is the server's at the last look, and what has passed since by a clock that nobody
 * sets. So a machine's own clock may be wrong by any amount; when it moves against the
 * server's by more than 2 s between two looks, one of them was set, and the gateway is not
 * ready until the next look finds them together. */
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

/* The server's clock minus two of ours. */
struct reading {
    int64_t local_us, boot_us;
};

struct pg_clock {
    struct db_readers *readers;
    struct lock lock;
    pthread_t thread;
    bool stopping;
    int64_t every_us;
    struct reading last;
    _Atomic int64_t moved_us; /* by which the clocks moved apart at the last look */
};

static enum err_code read_time(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char sql[] =
        "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)";

    return db_stmt_number(conn, sql, ctx, err);
}

/* The quickest of a few answers is the best. */
static FALLIBLE measure(struct pg_clock *clock, struct reading *ret_reading, struct err *err)
{
    int64_t best_us = ROUND_TRIP_MAX_US;
    struct db_conn *conn = NULL;
    bool measured = false;
    enum err_code code = ERR_OK;

    TRY(db_readers_borrow(clock->readers, false, &conn, err));
    for (int i = 0; i < LOOKS && code == ERR_OK; i++) {
        int64_t before_us = sys_boot_us(), server_us = 0;

        code = db_conn_run(conn, read_time, &server_us, err);
        int64_t boot_us = sys_boot_us(), local_us = sys_local_us();
        int64_t took_us = boot_us - before_us;
        if (code == ERR_OK && took_us <= best_us) {
            best_us = took_us;
            server_us += took_us / 2; /* now */
            *ret_reading = (struct reading){server_us - local_us, server_us - boot_us};
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
    struct reading reading = {0};

    if (measure(clock, &reading, &err) != ERR_OK) {
        LOG(LOG_WARN, "clock_not_measured", LOG_TEXT("message", err.msg),
            LOG_TEXT("detail", err.detail));
        return; /* whoever needs the database finds that out himself */
    }
    int64_t moved_us = reading.local_us - clock->last.local_us;
    bool jumped = moved_us > DRIFT_MAX_US || moved_us < -DRIFT_MAX_US;

    if (jumped)
        LOG(LOG_ERROR, "clock_jumped", LOG_INT("moved_ms", moved_us / 1000));
    clock->last = reading;
    sys_set_wall_base(reading.boot_us);
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
    enum err_code code = measure(clock, &clock->last, err);
    if (code == ERR_OK) {
        sys_set_wall_base(clock->last.boot_us);
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
