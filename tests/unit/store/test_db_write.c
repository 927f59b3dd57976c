/* SPDX-License-Identifier: Apache-2.0 */
/* Groups: who fails alone, who waits, what a full queue says, that every answered
 * change is there. */
#include "base/store/sqlite_private.h"
#include "tests/unit/store/fixture.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

/* A closure that holds the writer until the gate opens, so that a queue builds up. */
static enum err_code hold_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)conn, (void)err;
    gate_pass(ctx);
    return ERR_OK;
}

enum fate { GOOD, OWN_ERROR, STATEMENT_ERROR, IGNORED_ERROR, FATES };

struct work {
    struct fixture *fx;
    enum fate fate;
    int64_t number;
    int runs;
    enum err_code code;
    struct err err;
    pthread_t thread;
    struct gate *hold;
};

/* What is remembered of the rows is what they are, whoever failed meanwhile. */
static enum err_code check_memo(struct db_conn *conn, int64_t number, struct err *err)
{
    static const char sql[] = "SELECT COUNT(*) FROM t";
    static const char kind, other;
    int64_t *memo = db_memo(conn, &kind, 1, 2 * sizeof(*memo)), count = 0;

    if (number < 0) /* of a test without neighbours */
        return ERR_OK;
    TRY(db_stmt_number(conn, sql, &count, err));
    CHECK_TRUE("a writer has room", memo != NULL);
    CHECK_TRUE("the same", db_memo(conn, &kind, 1, 8) == (void *)memo);
    CHECK_TRUE("another key", db_memo(conn, &kind, 2, 8) != (void *)memo);
    CHECK_TRUE("another kind", db_memo(conn, &other, 1, 8) != (void *)memo);
    if (memo[0] != 0)
        CHECK_INT("remembered", memo[1], count);
    memo[0] = 1;
    memo[1] = count + 1;
    return ERR_OK;
}

static enum err_code work_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char insert[] = "INSERT INTO t (a) VALUES ($1)";
    static const char broken[] = "INSERT INTO t (a) VALUES (NULL)";
    struct work *work = ctx;
    CLEANUP(db_done) struct db_stmt *st = NULL;
    CLEANUP(db_done) struct db_stmt *bad = NULL;

    work->runs++;
    TRY(check_memo(conn, work->number, err));
    TRY(db_prepare(conn, insert, &st, err));
    db_bind_i64(st, 1, work->number);
    TRY(db_run(st, err));
    switch (work->fate) {
    case OWN_ERROR:
        return err_set(err, ERR_BALANCE, "number %d", (int)work->number);
    case STATEMENT_ERROR:
        TRY(db_prepare(conn, broken, &bad, err));
        return db_run(bad, err);
    case IGNORED_ERROR:
        TRY(db_prepare(conn, broken, &bad, err));
        (void)db_step(bad, err);
        return ERR_OK;
    case GOOD:
    case FATES:
        break;
    }
    return ERR_OK;
}

static void *work_main(void *ctx)
{
    struct work *work = ctx;

    work->code = work->hold != NULL
                     ? db_write(work->fx->db, DB_ALL, hold_fn, work->hold, &work->err)
                     : db_write(work->fx->db, DB_ALL, work_fn, work, &work->err);
    return NULL;
}

static void start(struct work *work)
{
    struct err err;

    CHECK_OK("thread", lock_thread(&work->thread, "work", 1 << 18, work_main, work, &err),
             &err);
}

static int queued(struct fixture *fx)
{
    struct db_writer *writer = fx->db->writers[0];

    lock_take(&writer->lock);
    int count = writer->queued;
    lock_drop(&writer->lock);
    return count;
}

static void await_queued(struct fixture *fx, int count)
{
    while (queued(fx) < count)
        (void)sched_yield();
}

static void neighbours(void)
{
    struct fixture fx;
    struct gate gate = {0};
    struct work holder = {.fx = &fx, .hold = &gate}, works[40];
    static const enum err_code codes[FATES] = {ERR_OK, ERR_BALANCE, ERR_CONFLICT, ERR_CONFLICT};

    fixture_init(&fx, (struct db_options){0});
    lock_init(&gate.lock);
    CHECK_OK("t", fixture_run(&fx, "CREATE TABLE t (a INTEGER NOT NULL UNIQUE) STRICT"),
             &fx.err);
    start(&holder);
    gate_await(&gate, 1);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        works[i] = (struct work){.fx = &fx, .fate = i % FATES, .number = (int64_t)i};
        start(&works[i]);
    }
    await_queued(&fx, COUNT_OF(works));
    gate_open(&gate);
    (void)pthread_join(holder.thread, NULL);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        (void)pthread_join(works[i].thread, NULL);
        CHECK_INT("code", works[i].code, codes[works[i].fate]);
        CHECK_INT("runs", works[i].runs, 1);
        struct one one = {.sql = "SELECT COUNT(*) FROM t WHERE a = $1",
                          .count = 1,
                          .value = {works[i].number}};
        CHECK_OK("count", db_read(fx.db, one_fn, &one, &fx.err), &fx.err);
        CHECK_INT("present", one.number, works[i].fate == GOOD);
        if (works[i].fate == OWN_ERROR) {
            char want[32];
            (void)snprintf(want, sizeof(want), "number %d", (int)works[i].number);
            CHECK_TEXT("its own words", works[i].err.msg, want);
        }
    }
    lock_fini(&gate.lock);
    fixture_fini(&fx);
}

/* A closure sees what the ones before it in the group did. */
static void order_in_group(void)
{
    struct fixture fx;
    struct gate gate = {0};
    struct work holder = {.fx = &fx, .hold = &gate};
    struct work first = {.fx = &fx, .number = 1}, second = {.fx = &fx, .number = 1};

    fixture_init(&fx, (struct db_options){0});
    lock_init(&gate.lock);
    CHECK_OK("t", fixture_run(&fx, "CREATE TABLE t (a INTEGER NOT NULL UNIQUE) STRICT"),
             &fx.err);
    start(&holder);
    gate_await(&gate, 1);
    start(&first);
    await_queued(&fx, 1);
    start(&second);
    await_queued(&fx, 2);
    gate_open(&gate);
    (void)pthread_join(holder.thread, NULL);
    (void)pthread_join(first.thread, NULL);
    (void)pthread_join(second.thread, NULL);
    CHECK_INT("first", first.code, ERR_OK);
    CHECK_INT("second", second.code, ERR_CONFLICT);
    lock_fini(&gate.lock);
    fixture_fini(&fx);
}

static void full_queue(void)
{
    struct fixture fx;
    struct gate gate = {0};
    struct work holder = {.fx = &fx, .hold = &gate}, works[3], late = {.fx = &fx, .number = 9};

    fixture_init(&fx, (struct db_options){.queue_max = 3, .group_max = 2});
    lock_init(&gate.lock);
    CHECK_OK("t", fixture_run(&fx, "CREATE TABLE t (a INTEGER NOT NULL UNIQUE) STRICT"),
             &fx.err);
    start(&holder);
    gate_await(&gate, 1);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        works[i] = (struct work){.fx = &fx, .number = (int64_t)i};
        start(&works[i]);
    }
    await_queued(&fx, COUNT_OF(works));
    CHECK_INT("full", db_write(fx.db, DB_ALL, work_fn, &late, &fx.err), ERR_BUSY);
    CHECK_TRUE("says so", fx.err.msg[0] != '\0');
    CHECK_INT("never ran", late.runs, 0);
    gate_open(&gate);
    (void)pthread_join(holder.thread, NULL);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        (void)pthread_join(works[i].thread, NULL);
        CHECK_INT("the others", works[i].code, ERR_OK);
    }
    CHECK_OK("room again", db_write(fx.db, DB_ALL, work_fn, &late, &fx.err), &fx.err);
    CHECK_INT("rows", fixture_number(&fx, "SELECT COUNT(*) FROM t"), 4);
    lock_fini(&gate.lock);
    fixture_fini(&fx);
}

struct many {
    struct fixture *fx;
    int from;
    int failures;
    pthread_t thread;
};

static void *many_main(void *ctx)
{
    struct many *many = ctx;
    struct err err;

    for (int i = 0; i < 50; i++) {
        struct work work = {.fx = many->fx, .number = many->from + i};
        struct one one = {
            .sql = "SELECT COUNT(*) FROM t WHERE a = $1", .count = 1, .value = {work.number}};
        many->failures += db_write(many->fx->db, DB_ALL, work_fn, &work, &err) != ERR_OK;
        many->failures += db_read(many->fx->db, one_fn, &one, &err) != ERR_OK;
        many->failures += one.number != 1; /* a committed change is seen at once */
    }
    return NULL;
}

static void many_threads(void)
{
    struct fixture fx;
    struct many many[16];

    fixture_init(&fx, (struct db_options){.readers = 3});
    CHECK_OK("t", fixture_run(&fx, "CREATE TABLE t (a INTEGER NOT NULL UNIQUE) STRICT"),
             &fx.err);
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = (struct many){.fx = &fx, .from = (int)i * 1000};
        CHECK_OK("thread",
                 lock_thread(&many[i].thread, "many", 1 << 18, many_main, &many[i], &fx.err),
                 &fx.err);
    }
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        (void)pthread_join(many[i].thread, NULL);
        CHECK_INT("failures", many[i].failures, 0);
    }
    CHECK_INT("rows", fixture_number(&fx, "SELECT COUNT(*) FROM t"), 16 * 50);
    fixture_fini(&fx);
}

static enum err_code fill_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char sql[] = "INSERT INTO big (bytes) SELECT zeroblob(4000)"
                              " FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1"
                              " FROM n WHERE i < 2000) SELECT i FROM n)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    (void)ctx;
    TRY(db_prepare(conn, sql, &st, err));
    return db_run(st, err);
}

/* The log must not grow without end, and closing leaves none. */
static void checkpoints(void)
{
    struct fixture fx;
    struct stat status;
    char wal[160];

    fixture_init(&fx, (struct db_options){0});
    (void)snprintf(wal, sizeof(wal), "%s-wal", fx.path);
    CHECK_OK("t", fixture_run(&fx, "CREATE TABLE big (bytes BLOB) STRICT"), &fx.err);
    for (int i = 0; i < 8; i++) /* 8 MB each */
        CHECK_OK("fill", db_write(fx.db, DB_ALL, fill_fn, NULL, &fx.err), &fx.err);
    CHECK_OK("settle", fixture_run(&fx, "INSERT INTO big (bytes) VALUES (NULL)"), &fx.err);
    CHECK_INT("log", stat(wal, &status), 0);
    CHECK_TRUE("log is bounded", status.st_size < 40 << 20);
    db_close(&fx.db);
    CHECK_TRUE("no log after closing", stat(wal, &status) != 0);
    fixture_open(&fx, (struct db_options){0});
    CHECK_INT("rows", fixture_number(&fx, "SELECT COUNT(*) FROM big"), 16001);
    fixture_fini(&fx);
}

static enum err_code nested_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    struct fixture *fx = ctx;
    struct one one = {.sql = "SELECT 1"};

    (void)conn;
    return db_write(fx->db, DB_ALL, one_fn, &one, err);
}

/* In a child that opens the database itself: SQLite must not cross a fork. */
static void nested_write(void)
{
    struct fixture fx;
    int status = 0;

    fixture_dir(&fx);
    CHECK_OK("migrate", db_migrate(fx.path, &fx.err), &fx.err);
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        fixture_open(&fx, (struct db_options){0});
        _exit(db_read(fx.db, nested_fn, &fx, &fx.err) == ERR_OK ? 0 : 1);
    }
    (void)waitpid(child, &status, 0);
    CHECK_TRUE("aborted", WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    fixture_fini(&fx);
}

static void read_only(void)
{
    struct fixture fx;

    fixture_init(&fx, (struct db_options){0});
    db_close(&fx.db);
    fixture_open(&fx, (struct db_options){.read_only = true});
    CHECK_INT("no writer", fixture_run(&fx, "DELETE FROM task"), ERR_INTERNAL);
    CHECK_INT("reads", fixture_number(&fx, "SELECT COUNT(*) FROM task"), 0);
    fixture_fini(&fx);
}

CHECK_MAIN(CHECK_TEST(neighbours), CHECK_TEST(order_in_group), CHECK_TEST(full_queue),
           CHECK_TEST(many_threads), CHECK_TEST(checkpoints), CHECK_TEST(nested_write),
           CHECK_TEST(read_only))
