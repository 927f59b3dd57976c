/* SPDX-License-Identifier: Apache-2.0 */
/* Readers: one snapshot each, a bounded pool, a bounded wait. */
#include "base/store/sqlite_private.h"
#include "tests/unit/store/fixture.h"

struct look {
    struct fixture *fx;
    struct gate *gate;
    int64_t before, after;
    enum err_code code;
    struct err err;
    pthread_t thread;
};

/* Counts, lets the test write, counts again. */
static enum err_code look_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    struct look *look = ctx;
    struct one one = {.sql = "SELECT COUNT(*) FROM t"};

    TRY(one_fn(conn, &one, err));
    look->before = one.number;
    gate_pass(look->gate);
    TRY(one_fn(conn, &one, err));
    look->after = one.number;
    return ERR_OK;
}

static void *look_main(void *ctx)
{
    struct look *look = ctx;

    look->code = db_read(look->fx->db, look_fn, look, &look->err);
    return NULL;
}

static void start(struct look *look)
{
    struct err err;

    CHECK_OK("thread", lock_thread(&look->thread, "look", 1 << 18, look_main, look, &err),
             &err);
}

static void snapshots(void)
{
    struct fixture fx;
    struct gate gate = {0};
    struct look look = {.fx = &fx, .gate = &gate};

    fixture_init(&fx, (struct db_options){0});
    lock_init(&gate.lock);
    CHECK_OK("t", fixture_run(&fx, "CREATE TABLE t (a INTEGER) STRICT"), &fx.err);
    start(&look);
    gate_await(&gate, 1);
    CHECK_OK("insert", fixture_run(&fx, "INSERT INTO t (a) VALUES (1)"), &fx.err);
    CHECK_INT("others see it", fixture_number(&fx, "SELECT COUNT(*) FROM t"), 1);
    gate_open(&gate);
    (void)pthread_join(look.thread, NULL);
    CHECK_INT("code", look.code, ERR_OK);
    CHECK_INT("before", look.before, 0);
    CHECK_INT("the snapshot stands", look.after, 0);
    lock_fini(&gate.lock);
    fixture_fini(&fx);
}

static void exhaustion(void)
{
    struct fixture fx;
    struct gate gate = {0};
    struct look looks[2] = {{.fx = &fx, .gate = &gate}, {.fx = &fx, .gate = &gate}};
    struct one one = {.sql = "SELECT 1"};

    fixture_init(&fx, (struct db_options){.readers = 2, .busy_us = 20000});
    lock_init(&gate.lock);
    CHECK_OK("t", fixture_run(&fx, "CREATE TABLE t (a INTEGER) STRICT"), &fx.err);
    start(&looks[0]);
    start(&looks[1]);
    gate_await(&gate, 2);
    int64_t from_us = sys_mono_us();
    CHECK_INT("busy", db_read(fx.db, one_fn, &one, &fx.err), ERR_BUSY);
    CHECK_TRUE("says so", fx.err.msg[0] != '\0');
    CHECK_TRUE("it waited", sys_mono_us() - from_us >= 20000);
    CHECK_OK("writes go on", fixture_run(&fx, "INSERT INTO t (a) VALUES (1)"), &fx.err);
    gate_open(&gate);
    (void)pthread_join(looks[0].thread, NULL);
    (void)pthread_join(looks[1].thread, NULL);
    CHECK_OK("free again", db_read(fx.db, one_fn, &one, &fx.err), &fx.err);
    lock_fini(&gate.lock);
    fixture_fini(&fx);
}

struct crowd {
    struct fixture *fx;
    int failures;
    pthread_t thread;
};

static void *crowd_main(void *ctx)
{
    struct crowd *crowd = ctx;
    struct err err;

    for (int i = 0; i < 300; i++) {
        struct one one = {.sql = "SELECT $1 + 1", .count = 1, .value = {i}};
        crowd->failures += db_read(crowd->fx->db, one_fn, &one, &err) != ERR_OK;
        crowd->failures += one.number != i + 1;
    }
    return NULL;
}

/* More threads than connections: everybody is served, nobody forgotten. */
static void handed_on(void)
{
    struct fixture fx;
    struct crowd crowd[24];

    fixture_init(&fx, (struct db_options){.readers = 2, .busy_us = 60 * 1000 * 1000});
    for (size_t i = 0; i < COUNT_OF(crowd); i++) {
        crowd[i] = (struct crowd){.fx = &fx};
        CHECK_OK(
            "thread",
            lock_thread(&crowd[i].thread, "crowd", 1 << 18, crowd_main, &crowd[i], &fx.err),
            &fx.err);
    }
    for (size_t i = 0; i < COUNT_OF(crowd); i++) {
        (void)pthread_join(crowd[i].thread, NULL);
        CHECK_INT("failures", crowd[i].failures, 0);
    }
    fixture_fini(&fx);
}

static enum err_code own_error_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)conn, (void)ctx;
    return err_set(err, ERR_NOT_FOUND, "nothing here");
}

static void errors(void)
{
    struct fixture fx;

    fixture_init(&fx, (struct db_options){0});
    CHECK_INT("own", db_read(fx.db, own_error_fn, NULL, &fx.err), ERR_NOT_FOUND);
    CHECK_TEXT("own words", fx.err.msg, "nothing here");
    CHECK_INT("next", fixture_number(&fx, "SELECT 5"), 5);
    fixture_fini(&fx);
}

CHECK_MAIN(CHECK_TEST(snapshots), CHECK_TEST(exhaustion), CHECK_TEST(handed_on),
           CHECK_TEST(errors))
