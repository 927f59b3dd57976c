/* SPDX-License-Identifier: Apache-2.0 */
/* What PostgreSQL's engine promises beyond the interface's words: groups whose closures
 * fail late, locks across processes, connections that die at the worst moment, a clock
 * that is the server's. Each handle of a database stands for a gateway of its own. */
#include "base/store/pg_private.h"

#include "tests/lib/check.h"
#include "tests/lib/database.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>

enum { TENANTS = 5, THREADS = 12, ROUNDS = 40 };

struct server {
    char path[DATABASE_PATH];
    struct db *db;
};

static struct db *open_path(const char *path, int64_t clock_us)
{
    struct db_options options = {.path = path, .clock_us = clock_us};
    struct db *db = NULL;
    struct err err = {0};

    CHECK_OK("open", db_open(&options, &db, &err), &err);
    if (db == NULL)
        abort();
    return db;
}

static enum err_code run_sql(struct db_conn *conn, void *ctx, struct err *err)
{
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, ctx, &st, err));
    return db_run(st, err);
}

static void server_init(struct server *server)
{
    static char table[] =
        "CREATE TABLE t (k bigint PRIMARY KEY, v bigint NOT NULL, s text COLLATE \"C\")";
    static char rows[] = "INSERT INTO t (k, v) SELECT g, 0 FROM generate_series(1, 5) AS g";
    struct err err = {0};

    database_new_server(server->path);
    CHECK_OK("migrate", db_migrate(server->path, &err), &err);
    server->db = open_path(server->path, 0);
    CHECK_OK("table", db_write(server->db, DB_ALL, run_sql, table, &err), &err);
    CHECK_OK("rows", db_write(server->db, DB_ALL, run_sql, rows, &err), &err);
}

static void server_fini(struct server *server)
{
    char sql[DATABASE_PATH + 32];

    db_close(&server->db);
    (void)snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)",
                   strrchr(server->path, '/') + 1);
    database_command(sql);
}

struct asked {
    const char *sql;
    int64_t number;
};

static enum err_code ask_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct asked *asked = ctx;

    return db_stmt_number(conn, asked->sql, &asked->number, err);
}

static int64_t ask(struct db *db, const char *sql)
{
    struct asked asked = {sql, INT64_MIN};
    struct err err = {0};

    CHECK_OK(sql, db_read(db, ask_steps, &asked, &err), &err);
    return asked.number;
}

/* ---- how closures end --------------------------------------------------------------- */

/* A closure that adds a row, and then what its fate says. */
enum fate {
    GOOD,
    OWN_ERROR,
    LATE_DUPLICATE,
    LATE_NOT_ONE,
    SEEN_DUPLICATE,
    BAD_SQL,
    IGNORED,
    FATES
};
static const enum err_code fate_codes[FATES] = {
    ERR_OK, ERR_BALANCE, ERR_CONFLICT, ERR_CONFLICT, ERR_CONFLICT, ERR_INTERNAL, ERR_CONFLICT};

struct work {
    enum fate fate;
    int64_t key;
    atomic_int runs;
};

static enum err_code insert(struct db_conn *conn, int64_t key, struct err *err)
{
    static const char sql[] = "INSERT INTO t (k, v) VALUES ($1, 1)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, key);
    return db_run(st, err);
}

static enum err_code work_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char nobody[] = "UPDATE t SET v = 0 WHERE k = -1";
    struct work *work = ctx;
    CLEANUP(db_done) struct db_stmt *st = NULL;
    int64_t number;

    work->runs++;
    TRY(insert(conn, work->key, err));
    switch (work->fate) {
    case OWN_ERROR:
        return err_set(err, ERR_BALANCE, "no");
    case LATE_DUPLICATE:
        return insert(conn, work->key, err); /* nobody asks how it went */
    case LATE_NOT_ONE:
        TRY(db_prepare(conn, nobody, &st, err));
        return db_run_one(st, "nobody is -1", err);
    case SEEN_DUPLICATE:
        TRY(insert(conn, work->key, err));
        return db_stmt_number(conn, "SELECT count(*) FROM t", &number, err);
    case BAD_SQL:
        return db_stmt_number(conn, "SELECT count(*) FROM nowhere", &number, err);
    case IGNORED:
        (void)!insert(conn, work->key, err);
        (void)!db_stmt_number(conn, "SELECT count(*) FROM t", &number, err);
        return ERR_OK;
    default:
        return ERR_OK;
    }
}

/* Reads and refuses: a balance that is used up. */
static enum err_code refuse_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct work *work = ctx;
    int64_t number;

    work->runs++;
    TRY(db_stmt_number(conn, "SELECT count(*) FROM t", &number, err));
    return err_set(err, ERR_BALANCE, "no");
}

/* Nobody is run again for it. */
static void test_refusals_that_wrote_nothing(void)
{
    struct server server;
    struct work works[30];
    struct db_job jobs[COUNT_OF(works)];

    server_init(&server);
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        works[i] = (struct work){.fate = GOOD, .key = 600 + (int64_t)i};
        jobs[i] = (struct db_job){
            .lane = 3, .fn = i % 3 == 1 ? refuse_steps : work_steps, .ctx = &works[i]};
    }
    db_write_jobs(server.db, jobs, COUNT_OF(jobs));
    for (size_t i = 0; i < COUNT_OF(works); i++) {
        CHECK_INT("code", jobs[i].code, i % 3 == 1 ? ERR_BALANCE : ERR_OK);
        CHECK_INT("once", works[i].runs, 1);
    }
    CHECK_INT("the others", ask(server.db, "SELECT count(*) FROM t WHERE k >= 600"), 20);
    server_fini(&server);
}

static void test_fates(void)
{
    struct server server;
    struct work works[FATES * 8];
    struct db_job jobs[COUNT_OF(works)];

    server_init(&server);
    for (int round = 0; round < 3; round++) { /* with savepoints and without */
        for (size_t i = 0; i < COUNT_OF(works); i++) {
            works[i] = (struct work){.fate = i % FATES, .key = (round + 1) * 1000 + (int64_t)i};
            jobs[i] = (struct db_job){
                .lane = 1 + (int64_t)i % TENANTS, .fn = work_steps, .ctx = &works[i]};
        }
        db_write_jobs(server.db, jobs, COUNT_OF(jobs));
        for (size_t i = 0; i < COUNT_OF(works); i++) {
            char sql[80];

            CHECK_INT("code", jobs[i].code, fate_codes[works[i].fate]);
            (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM t WHERE k = %d",
                           (int)works[i].key);
            static char kept[COUNT_OF(works) * 3][80]; /* texts are keys of the cache */
            char *text = kept[(size_t)round * COUNT_OF(works) + i];
            (void)snprintf(text, 80, "%s", sql);
            CHECK_INT(text, ask(server.db, text), works[i].fate == GOOD);
            if (works[i].fate == OWN_ERROR)
                CHECK_TEXT("its own words", jobs[i].err.msg, "no");
            if (works[i].fate == LATE_NOT_ONE)
                CHECK_TRUE("why", strstr(jobs[i].err.detail, "nobody is -1") != NULL);
        }
    }
    server_fini(&server);
}

/* ---- who waits for whom --------------------------------------------------------------- */

/* Reads, unless a closure before it in the transaction has, then writes what it computed:
 * right only if nobody comes in between, and if what is remembered is so. */
static enum err_code add_one(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char read[] = "SELECT v FROM t WHERE k = $1";
    static const char write[] = "UPDATE t SET v = $2 WHERE k = $1";
    static const char kind;
    const int64_t *key = ctx;
    struct {
        bool known;
        int64_t v;
    } *memo = db_memo(conn, &kind, *key, sizeof(*memo)), fresh = {0};
    CLEANUP(db_done) struct db_stmt *st = NULL;
    CLEANUP(db_done) struct db_stmt *up = NULL;

    if (memo == NULL)
        memo = (void *)&fresh;
    if (!memo->known) {
        TRY(db_prepare(conn, read, &st, err));
        db_bind_i64(st, 1, *key);
        if (db_step(st, err) != DB_ROW)
            return err->code;
        memo->v = db_get_i64(st, 0);
        memo->known = true;
    }
    TRY(db_prepare(conn, write, &up, err));
    db_bind_i64(up, 1, *key);
    db_bind_i64(up, 2, ++memo->v);
    return db_run_one(up, "no such row", err);
}

/* Has written, and remembered, what is taken back. */
static enum err_code add_one_in_vain(struct db_conn *conn, void *ctx, struct err *err)
{
    TRY(add_one(conn, ctx, err));
    return err_set(err, ERR_BALANCE, "no");
}

static enum err_code add_one_to_all(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    for (int64_t key = TENANTS; key > 0; key--) /* against the order of the lanes */
        TRY(add_one(conn, &key, err));
    return ERR_OK;
}

struct hand {
    struct db *db;
    int number;
    pthread_t thread;
};

static void *add_many(void *ctx)
{
    const struct hand *hand = ctx;

    for (int i = 0; i < ROUNDS; i++) {
        int64_t key = 1 + (hand->number + i) % TENANTS;
        struct err err = {0};

        if (hand->number == 0)
            CHECK_OK("all", db_write(hand->db, DB_ALL, add_one_to_all, NULL, &err), &err);
        else
            CHECK_OK("one", db_write(hand->db, key, add_one, &key, &err), &err);
        if (i % 8 == hand->number)
            CHECK_INT("none", db_write(hand->db, key, add_one_in_vain, &key, &err),
                      ERR_BALANCE);
    }
    return NULL;
}

static void test_lanes_of_two_gateways(void)
{
    struct server server;
    struct hand hands[THREADS];
    struct err err;

    server_init(&server);
    struct db *other = open_path(server.path, 0);

    for (int i = 0; i < THREADS; i++) {
        hands[i] = (struct hand){.db = i % 2 == 0 ? server.db : other, .number = i};
        CHECK_OK("thread",
                 lock_thread(&hands[i].thread, "hand", 1 << 19, add_many, &hands[i], &err),
                 &err);
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(hands[i].thread, NULL);
    CHECK_INT("nothing was overwritten", ask(server.db, "SELECT CAST(sum(v) AS bigint) FROM t"),
              (THREADS - 1) * ROUNDS + TENANTS * ROUNDS);
    db_close(&other);
    server_fini(&server);
}

/* ---- numbers that come later ----------------------------------------------------------- */

struct later {
    const char *sql;
    int64_t number;
};

static enum err_code later_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct later *later = ctx;
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, later->sql, &st, err));
    return db_run_i64(st, &later->number, "not one row", err);
}

static void test_later(void)
{
    static const struct {
        const char *sql;
        enum err_code code;
        int64_t number;
    } rows[] = {
        {"UPDATE t SET v = 7 WHERE k = 2 RETURNING v + 1", ERR_OK, 8},
        {"UPDATE t SET v = NULL WHERE k = 2 RETURNING v", ERR_CONFLICT, -1},
        {"UPDATE t SET v = 7 WHERE k = -1 RETURNING v", ERR_CONFLICT, -1},
        {"UPDATE t SET v = 7 WHERE k < 3 RETURNING v", ERR_CONFLICT, -1},
        {"UPDATE t SET v = 7 WHERE k = 2 RETURNING s || 'x'", ERR_OK, 0},
        {"UPDATE t SET v = 7 WHERE k = 2 RETURNING 'x'", ERR_INTERNAL, -1},
    };
    struct server server;

    server_init(&server);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct later later = {rows[i].sql, -1};
        struct work work = {.key = 500 + (int64_t)i};
        struct db_job jobs[] = {{.lane = 1, .fn = work_steps, .ctx = &work},
                                {.lane = 1, .fn = later_steps, .ctx = &later}};

        db_write_jobs(server.db, jobs, COUNT_OF(jobs));
        CHECK_INT("a neighbour", jobs[0].code, ERR_OK);
        CHECK_INT(rows[i].sql, jobs[1].code, rows[i].code);
        CHECK_INT(rows[i].sql, later.number, rows[i].number);
    }
    CHECK_INT("undone", ask(server.db, "SELECT v FROM t WHERE k = 1"), 0);
    server_fini(&server);
}

/* ---- reads that share a connection ------------------------------------------------------- */

enum { READS = 300, READ_THREADS = 24 };

/* One row in three is not there; every ninth question is one that fails. */
struct question {
    int64_t key, answer;
    char text[16];
    bool bad, found;
};

static enum err_code question_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char good[] =
        "SELECT $1 * 2, 'k' || CAST($1 AS text) FROM t WHERE k = $1 AND $2 = 'x'";
    static const char bad[] = "SELECT 1 / ($1 - $1), $2 FROM t";
    struct question *question = ctx;
    CLEANUP(db_done) struct db_stmt *st = NULL;

    question->found = false;
    TRY(db_prepare(conn, question->bad ? bad : good, &st, err));
    db_bind_i64(st, 1, question->key);
    db_bind_text(st, 2, STR("x"));
    switch (db_step(st, err)) {
    case DB_ROW:
        question->found = true;
        question->answer = db_get_i64(st, 0);
        db_copy_text(st, 1, question->text, sizeof(question->text));
        return db_step(st, err) == DB_DONE ? ERR_OK : ERR_INTERNAL;
    case DB_DONE:
        return ERR_OK;
    case DB_FAIL:
        break;
    }
    return err->code;
}

static enum err_code two_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    TRY(question_steps(conn, ctx, err));
    return question_steps(conn, ctx, err);
}

static void *ask_many(void *ctx)
{
    const struct hand *hand = ctx;

    for (int i = 0; i < READS; i++) {
        struct question question = {.key = 1 + (hand->number + i) % 8,
                                    .bad = (hand->number + i) % 9 == 0};
        struct err err = {0};
        char want[16];
        enum err_code code = db_read_one(hand->db, question_steps, &question, &err);

        if (question.bad) {
            CHECK_TRUE("its own failure", code != ERR_OK);
            continue;
        }
        CHECK_OK("read", code, &err);
        CHECK_INT("found", question.found, question.key <= 5);
        (void)snprintf(want, sizeof(want), "k%d", (int)question.key);
        if (question.found) {
            CHECK_INT("its own row", question.answer, 2 * question.key);
            CHECK_TEXT("its own row", question.text, want);
        }
    }
    return NULL;
}

static enum err_code kill_others(struct db_conn *conn, void *ctx, struct err *err)
{
    int64_t *count = ctx;

    return db_stmt_number(conn,
                          "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                          " WHERE datname = current_database() AND pid <> pg_backend_pid()",
                          count, err);
}

static void test_reads_together(void)
{
    struct server server;
    struct hand hands[READ_THREADS];
    struct question question = {.key = 1};
    struct err err = {0};

    server_init(&server);
    struct db *other = open_path(server.path, 0);

    CHECK_INT("two statements", db_read_one(server.db, two_steps, &question, &err),
              ERR_INTERNAL);
    for (int i = 0; i < READ_THREADS; i++) {
        hands[i] = (struct hand){.db = server.db, .number = i};
        CHECK_OK("thread",
                 lock_thread(&hands[i].thread, "hand", 1 << 19, ask_many, &hands[i], &err),
                 &err);
    }
    /* Whose every try met another end of the connection would be told. */
    for (int i = 0; i < 2; i++) {
        int64_t count = 0;

        sys_sleep_us(50000 + i * 600000);
        CHECK_OK("terminate", db_read(other, kill_others, &count, &err), &err);
    }
    for (int i = 0; i < READ_THREADS; i++)
        (void)pthread_join(hands[i].thread, NULL);
    db_close(&other);
    server_fini(&server);
}

static atomic_bool lock_ended;

static enum err_code version_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    return db_stmt_number(conn, "SELECT version FROM schema_version", ctx, err);
}

static void *ask_beside_a_lock(void *ctx)
{
    const struct hand *hand = ctx;
    int64_t version = 0;

    while (!atomic_load(&lock_ended)) {
        struct err err = {0};

        CHECK_OK("beside a lock", db_read_one(hand->db, version_steps, &version, &err), &err);
    }
    return NULL;
}

static void *ask_behind_a_lock(void *ctx)
{
    const struct hand *hand = ctx;
    struct question question = {.key = 1};
    struct err err = {0};

    CHECK_INT("busy", db_read_one(hand->db, question_steps, &question, &err), ERR_BUSY);
    return NULL;
}

/* Who waits for a lock in vain takes nobody along. */
/* ---- answers of several rows, shared out --------------------------------------------------
 */

static enum err_code rows_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char sql[] = "SELECT $1 * 100 + g, $2 FROM generate_series(1, $1 % 7) AS g"
                              " WHERE $1 >= 0 ORDER BY g DESC LIMIT 5";
    struct question *question = ctx;
    int64_t left = question->key % 7, shown = left < 5 ? left : 5;
    CLEANUP(db_done) struct db_stmt *st = NULL;
    char text[16];

    question->found = false;
    (void)snprintf(text, sizeof(text), "of %d", (int)question->key);
    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, question->key);
    if (question->key % 2 == 0)
        db_bind_text(st, 2, str_from(text));
    else
        db_bind_null(st, 2);
    for (; shown > 0; shown--, left--) {
        if (db_step(st, err) != DB_ROW || db_get_i64(st, 0) != question->key * 100 + left)
            return ERR_INTERNAL;
        if (question->key % 2 == 0 ? !str_is(db_get_text(st, 1), text) : !db_is_null(st, 1))
            return ERR_INTERNAL;
    }
    question->found = db_step(st, err) == DB_DONE;
    return ERR_OK;
}

static void *ask_for_rows(void *ctx)
{
    const struct hand *hand = ctx;

    for (int i = 0; i < READS; i++) {
        struct question question = {.key = (hand->number * READS + i) % 50};
        struct err err = {0};

        CHECK_OK("rows", db_read_one(hand->db, rows_steps, &question, &err), &err);
        CHECK_TRUE("its own, and no more", question.found);
    }
    return NULL;
}

static void test_answers_of_several_rows(void)
{
    struct server server;
    struct hand hands[READ_THREADS];

    server_init(&server);
    for (int i = 0; i < READ_THREADS; i++) {
        struct err err = {0};

        hands[i] = (struct hand){.db = server.db, .number = i};
        CHECK_OK("thread",
                 lock_thread(&hands[i].thread, "hand", 1 << 19, ask_for_rows, &hands[i], &err),
                 &err);
    }
    for (int i = 0; i < READ_THREADS; i++)
        (void)pthread_join(hands[i].thread, NULL);
    server_fini(&server);
}

static void test_reads_behind_a_lock(void)
{
    struct server server;
    struct hand hands[12], locked[6];
    struct err err = {0};

    server_init(&server);
    CLEANUP(db_conn_close) struct db_conn *locker = database_connect(server.path);

    for (size_t i = 0; i < COUNT_OF(hands); i++) {
        hands[i] = (struct hand){.db = server.db, .number = (int)i};
        CHECK_OK(
            "thread",
            lock_thread(&hands[i].thread, "hand", 1 << 19, ask_beside_a_lock, &hands[i], &err),
            &err);
    }
    CHECK_OK("begin", pg_conn_command(pg_conn_of(locker), "BEGIN", NULL, 0, NULL, &err), &err);
    CHECK_OK("lock",
             pg_conn_command(pg_conn_of(locker), "LOCK TABLE t IN ACCESS EXCLUSIVE MODE", NULL,
                             0, NULL, &err),
             &err);
    for (size_t i = 0; i < COUNT_OF(locked); i++) {
        locked[i] = (struct hand){.db = server.db};
        CHECK_OK("thread",
                 lock_thread(&locked[i].thread, "locked", 1 << 19, ask_behind_a_lock,
                             &locked[i], &err),
                 &err);
        sys_sleep_us(1000);
    }
    for (size_t i = 0; i < COUNT_OF(locked); i++)
        (void)pthread_join(locked[i].thread, NULL);
    atomic_store(&lock_ended, true);
    for (size_t i = 0; i < COUNT_OF(hands); i++)
        (void)pthread_join(hands[i].thread, NULL);
    db_conn_close(&locker);
    server_fini(&server);
}

/* While all who send wait for a lock, who comes is told, in time. */
static void test_reads_wait_no_longer_than_they_may(void)
{
    struct server server;
    struct hand locked[8];
    struct err err = {0};
    int64_t version = 0, begun_us;

    server_init(&server);
    struct db_options options = {.path = server.path, .busy_us = 200000};
    struct db *hasty = NULL;
    CLEANUP(db_conn_close) struct db_conn *locker = database_connect(server.path);

    CHECK_OK("open", db_open(&options, &hasty, &err), &err);
    CHECK_OK("once", db_read_one(hasty, version_steps, &version, &err), &err);
    CHECK_OK("begin", pg_conn_command(pg_conn_of(locker), "BEGIN", NULL, 0, NULL, &err), &err);
    CHECK_OK("lock",
             pg_conn_command(pg_conn_of(locker), "LOCK TABLE t IN ACCESS EXCLUSIVE MODE", NULL,
                             0, NULL, &err),
             &err);
    for (size_t i = 0; i < COUNT_OF(locked); i++) {
        locked[i] = (struct hand){.db = hasty};
        CHECK_OK("thread",
                 lock_thread(&locked[i].thread, "locked", 1 << 19, ask_behind_a_lock,
                             &locked[i], &err),
                 &err);
    }
    sys_sleep_us(500000);
    begun_us = sys_mono_us();
    CHECK_INT("told", db_read_one(hasty, version_steps, &version, &err), ERR_BUSY);
    CHECK_TRUE("in time", sys_mono_us() - begun_us < 2000000);
    for (size_t i = 0; i < COUNT_OF(locked); i++)
        (void)pthread_join(locked[i].thread, NULL);
    CHECK_OK("and again", db_read_one(hasty, version_steps, &version, &err), &err);
    db_close(&hasty);
    db_conn_close(&locker);
    server_fini(&server);
}

/* ---- a connection that dies -------------------------------------------------------------- */

/* A relay on loopback that can cut the connection at the COMMIT of the first writer that
 * sends one: before the server has it, before the client has the answer, or before the
 * server has it, which then gets it a second later, when the client has given it up. */
enum cut { CUT_NOTHING, CUT_BEFORE, CUT_AFTER, CUT_LATE };
struct relay {
    int listener, port, server_port;
    atomic_int cut;
    atomic_int pipes; /* threads */
    atomic_int shut;  /* so many of the next connections are ended at once */
    atomic_bool stopping, late;
    pthread_t thread;
};
struct pipe_ends {
    struct relay *relay;
    int client, server;
};

/* Bind of the prepared COMMIT: its portal has no name. */
static bool holds_commit(const char *bytes, ssize_t len)
{
    static const char name[] = "\0v2";

    return memmem(bytes, (size_t)len, name, sizeof(name)) != NULL;
}

static void *relay_pipe(void *ctx)
{
    struct pipe_ends ends = *(struct pipe_ends *)ctx;
    char bytes[65536];
    bool deaf = false;

    free(ctx);
    for (bool open = true; open && !ends.relay->stopping;) {
        struct pollfd fds[2] = {{.fd = ends.client, .events = POLLIN},
                                {.fd = ends.server, .events = POLLIN}};

        if (poll(fds, 2, 50) <= 0)
            continue;
        for (int i = 0; i < 2 && open; i++) {
            if (fds[i].revents == 0)
                continue;
            ssize_t len = read(fds[i].fd, bytes, sizeof(bytes));
            bool commit =
                i == 0 && len > 0 && ends.relay->cut != CUT_NOTHING && holds_commit(bytes, len);

            open = len > 0 && !deaf;
            if (commit && ends.relay->cut == CUT_BEFORE)
                open = false;
            if (commit && ends.relay->cut == CUT_LATE) {
                ends.relay->cut = CUT_NOTHING;
                (void)shutdown(ends.client, SHUT_RDWR);
                sys_sleep_us(1500000);
                CHECK_INT("late", write(ends.server, bytes, (size_t)len), len);
                (void)read(ends.server, bytes, sizeof(bytes));
                open = commit = false;
                ends.relay->late = memmem(bytes, sizeof(bytes), "division by zero", 16) != NULL;
            }
            if (open && write(fds[1 - i].fd, bytes, (size_t)len) != len)
                open = false;
            deaf |= commit; /* the answer is dropped, and the connection with it */
            if (commit)
                ends.relay->cut = CUT_NOTHING;
        }
    }
    (void)close(ends.client);
    (void)close(ends.server);
    ends.relay->pipes--;
    return NULL;
}

static void *relay_main(void *ctx)
{
    struct relay *relay = ctx;
    struct err err;

    while (!relay->stopping) {
        struct pollfd fd = {.fd = relay->listener, .events = POLLIN};
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)relay->server_port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct pipe_ends *ends = malloc(sizeof(*ends));
        pthread_t thread;

        if (poll(&fd, 1, 50) <= 0) {
            free(ends);
            continue;
        }
        if (relay->shut > 0) {
            relay->shut--;
            free(ends);
            (void)close(accept(relay->listener, NULL, NULL));
            continue;
        }
        relay->pipes++;
        *ends = (struct pipe_ends){relay, accept(relay->listener, NULL, NULL),
                                   socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        if (connect(ends->server, (struct sockaddr *)&to, sizeof(to)) != 0 ||
            lock_thread(&thread, "pipe", 1 << 18, relay_pipe, ends, &err) != ERR_OK)
            abort();
        (void)pthread_detach(thread);
    }
    return NULL;
}

static void relay_start(struct relay *relay)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    const char *url = getenv("ARKGATE_TEST_POSTGRES");
    struct err err;

    *relay = (struct relay){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                            .server_port = (int)strtol(strrchr(url, ':') + 1, NULL, 10)};
    if (bind(relay->listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(relay->listener, 64) != 0 ||
        getsockname(relay->listener, (struct sockaddr *)&at, &len) != 0)
        abort();
    relay->port = ntohs(at.sin_port);
    CHECK_OK("relay", lock_thread(&relay->thread, "relay", 1 << 18, relay_main, relay, &err),
             &err);
}

static void relay_stop(struct relay *relay)
{
    relay->stopping = true;
    (void)pthread_join(relay->thread, NULL);
    (void)close(relay->listener);
    while (relay->pipes > 0)
        sys_sleep_us(10000);
}

/* The server's URL by way of the relay. */
static void relay_url(const struct relay *relay, const char *path, char dst[DATABASE_PATH])
{
    const char *at = strstr(path, "@127.0.0.1:");

    ASSERT(at != NULL);
    (void)snprintf(dst, DATABASE_PATH, "%.*s@127.0.0.1:%d%s", (int)(at - path), path,
                   relay->port, strchr(at + 11, '/'));
}

static void test_commit_without_answer(void)
{
    static const struct {
        const char *label;
        enum cut cut;
        int runs;
    } cases[] = {{"lost before the server had it", CUT_BEFORE, 2},
                 {"lost before the answer came", CUT_AFTER, 1}};
    struct server server;
    struct relay relay;
    char url[DATABASE_PATH];

    server_init(&server);
    relay_start(&relay);
    relay_url(&relay, server.path, url);
    struct db *db = open_path(url, 0);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct work before = {.key = 100 + (int64_t)i}, work = {.key = 200 + (int64_t)i};
        static const char *const sql[] = {"SELECT count(*) FROM t WHERE k = 200",
                                          "SELECT count(*) FROM t WHERE k = 201"};
        struct err err = {0};

        CHECK_OK("a good one first", db_write(db, 1, work_steps, &before, &err), &err);
        relay.cut = cases[i].cut;
        CHECK_OK(cases[i].label, db_write(db, 1, work_steps, &work, &err), &err);
        CHECK_INT("it was cut", relay.cut, CUT_NOTHING);
        CHECK_INT(cases[i].label, work.runs, cases[i].runs);
        CHECK_INT("once", ask(server.db, sql[i]), 1);
    }
    db_close(&db);
    relay_stop(&relay);
    server_fini(&server);
}

static enum err_code count_up(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char sql[] = "UPDATE t SET v = v + 1 WHERE k = 1";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    int *runs = ctx;

    ++*runs;
    TRY(db_prepare(conn, sql, &st, err));
    return db_run_one(st, "no such row", err);
}

/* The server was slow, or the way to it: a COMMIT that was given up arrives after all. */
static void test_commit_that_comes_late(void)
{
    struct server server;
    struct relay relay;
    char url[DATABASE_PATH];
    struct err err = {0};
    int runs = 0, first = 0;

    server_init(&server);
    relay_start(&relay);
    relay_url(&relay, server.path, url);
    struct db *db = open_path(url, 0);

    CHECK_OK("a good one first", db_write(db, 1, count_up, &first, &err), &err);
    relay.cut = CUT_LATE;
    CHECK_OK("in the end", db_write(db, 1, count_up, &runs, &err), &err);
    CHECK_TRUE("again", runs >= 2);
    sys_sleep_us(300000);
    CHECK_TRUE("the late one was refused", relay.late);
    CHECK_INT("once", ask(server.db, "SELECT v FROM t WHERE k = 1"), 2);
    db_close(&db);
    relay_stop(&relay);
    server_fini(&server);
}

static void test_terminated_between(void)
{
    struct server server;
    struct err err = {0};
    int64_t count = 0;

    server_init(&server);
    struct db *other = open_path(server.path, 0);
    struct work work = {.key = 300}, again = {.key = 301};

    CHECK_OK("connect a writer", db_write(server.db, 2, work_steps, &work, &err), &err);
    CHECK_OK("terminate", db_read(other, kill_others, &count, &err), &err);
    CHECK_TRUE("some", count >= 2);
    CHECK_INT("a reader comes back at once",
              ask(server.db, "SELECT count(*) FROM t WHERE k = 300"), 1);
    CHECK_OK("and the writer", db_write(server.db, 2, work_steps, &again, &err), &err);
    CHECK_OK("healthy", db_check(server.db, &err), &err);
    db_close(&other);
    server_fini(&server);
}

/* Needs an answer before its COMMIT is sent. */
static enum err_code ask_and_insert(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct work *work = ctx;
    int64_t number;

    TRY(db_stmt_number(conn, "SELECT 1", &number, err));
    return insert(conn, work->key, err);
}

/* Who ends all connections may end those as well that are being opened. */
static void test_terminated_while_it_opens(void)
{
    char url[DATABASE_PATH];
    struct server server;
    struct relay relay;
    struct err err = {0};
    int64_t count = 0;

    server_init(&server);
    relay_start(&relay);
    relay_url(&relay, server.path, url);

    struct db *db = open_path(url, 0), *other = open_path(server.path, 0);
    struct work work = {.key = 310}, again = {.key = 311};

    CHECK_OK("connect a writer", db_write(db, 2, work_steps, &work, &err), &err);
    CHECK_OK("terminate", db_read(other, kill_others, &count, &err), &err);
    relay.shut = 8;
    CHECK_OK("in the end", db_write(db, 2, ask_and_insert, &again, &err), &err);
    CHECK_INT("they were ended", relay.shut, 0);
    CHECK_INT("once", ask(other, "SELECT count(*) FROM t WHERE k = 311"), 1);
    db_close(&db);
    db_close(&other);
    relay_stop(&relay);
    server_fini(&server);
}

struct suicide {
    struct db *other;
    int runs;
};

/* Its own connection is ended in the middle of its first run. */
static enum err_code die_once(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char sql[] = "SELECT CAST(pg_terminate_backend(pg_backend_pid()) AS int)";
    struct suicide *suicide = ctx;
    int64_t number;

    TRY(insert(conn, 400, err));
    if (suicide->runs++ == 0)
        return db_stmt_number(conn, sql, &number, err);
    return ERR_OK;
}

static void test_terminated_inside(void)
{
    struct server server;
    struct suicide suicide = {0};
    struct err err = {0};

    server_init(&server);
    CHECK_OK("again on a new one", db_write(server.db, 3, die_once, &suicide, &err), &err);
    CHECK_INT("runs", suicide.runs, 2);
    CHECK_INT("once", ask(server.db, "SELECT count(*) FROM t WHERE k = 400"), 1);
    server_fini(&server);
}

static atomic_int written;

static void *write_for_a_while(void *ctx)
{
    struct hand *hand = ctx;

    for (int i = 0; i < ROUNDS * 5; i++) {
        struct work work = {.key = 10000 + hand->number * 1000 + i};
        struct err err = {0};

        if (db_write(hand->db, 1 + hand->number % TENANTS, work_steps, &work, &err) != ERR_OK)
            CHECK_FAILED("write", "%s %s", err.msg, err.detail);
        written++;
    }
    return NULL;
}

static void test_terminated_all_the_time(void)
{
    struct server server;
    struct hand hands[6];
    struct err err = {0};

    server_init(&server);
    struct db *other = open_path(server.path, 0);

    written = 0;
    for (int i = 0; i < (int)COUNT_OF(hands); i++) {
        hands[i] = (struct hand){.db = server.db, .number = i};
        CHECK_OK(
            "thread",
            lock_thread(&hands[i].thread, "hand", 1 << 19, write_for_a_while, &hands[i], &err),
            &err);
    }
    /* Each time somebody got on: whose every try is ended would be told. */
    for (int i = 0; i < 8; i++) {
        int64_t count = 0;

        while (written < (i + 1) * ROUNDS * 5 * (int)COUNT_OF(hands) / 10)
            sys_sleep_us(1000);
        CHECK_OK("terminate", db_read(other, kill_others, &count, &err), &err);
    }
    for (size_t i = 0; i < COUNT_OF(hands); i++)
        (void)pthread_join(hands[i].thread, NULL);
    CHECK_INT("each once", ask(other, "SELECT count(*) FROM t WHERE k >= 10000"),
              (int64_t)COUNT_OF(hands) * ROUNDS * 5);
    db_close(&other);
    server_fini(&server);
}

/* ---- what cannot be opened ------------------------------------------------------------------
 */

static void test_refused_urls(void)
{
    static const struct {
        const char *label, *url;
        enum err_code code;
        const char *word;
    } cases[] = {
        {"password", "postgresql://u:secret@127.0.0.1:1/x", ERR_CONFIG, "password"},
        {"password as a parameter", "postgresql://u@127.0.0.1:1/x?password=secret", ERR_CONFIG,
         "password"},
        {"unknown parameter", "postgresql://u@127.0.0.1:1/x?nothing=1", ERR_CONFIG, "URL"},
        {"bad port", "postgresql://u@127.0.0.1:abc/x", ERR_UNAVAILABLE, ""},
        {"bad escape", "postgresql://u%zz@127.0.0.1/x", ERR_CONFIG, "URL"},
        {"nobody there", "postgresql://u@127.0.0.1:1/x", ERR_UNAVAILABLE, "reached"},
        {"no such host", "postgresql://u@nowhere.invalid:1/x", ERR_UNAVAILABLE, "reached"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct db_options options = {.path = cases[i].url};
        struct err err = {0};
        struct db *db = NULL;

        CHECK_INT(cases[i].label, db_open(&options, &db, &err), cases[i].code);
        CHECK_TRUE(cases[i].label, strstr(err.msg, cases[i].word) != NULL);
        CHECK_TRUE("no secret",
                   strstr(err.msg, "secret") == NULL && strstr(err.detail, "secret") == NULL);
    }
}

static void test_other_databases(void)
{
    char path[DATABASE_PATH], sql[DATABASE_PATH + 80];
    struct db_options options = {.path = path};
    struct err err = {0};
    struct db *db = NULL;
    struct server server;

    database_new_server(path);
    CHECK_INT("empty", db_open(&options, &db, &err), ERR_CONFIG);
    CHECK_TRUE("says how", strstr(err.msg, "arkgate init") != NULL);
    (void)snprintf(sql, sizeof(sql), "DROP DATABASE %s", strrchr(path, '/') + 1);
    database_command(sql);

    CHECK_INT("gone", db_open(&options, &db, &err), ERR_UNAVAILABLE);
    CHECK_TRUE("names it", strstr(err.detail, "does not exist") != NULL);

    (void)snprintf(sql, sizeof(sql),
                   "CREATE DATABASE %s TEMPLATE template0 ENCODING 'LATIN1'"
                   " LC_COLLATE 'C' LC_CTYPE 'C'",
                   strrchr(path, '/') + 1);
    database_command(sql);
    CHECK_INT("other letters", db_open(&options, &db, &err), ERR_CONFIG);
    CHECK_TRUE("says which", strstr(err.msg, "LATIN1") != NULL);
    (void)snprintf(sql, sizeof(sql), "DROP DATABASE %s", strrchr(path, '/') + 1);
    database_command(sql);

    server_init(&server);
    static char drop[] = "DROP TABLE schema_version";
    CHECK_OK("drop", db_write(server.db, DB_ALL, run_sql, drop, &err), &err);
    options.path = server.path;
    CHECK_INT("another program's", db_open(&options, &db, &err), ERR_CONFIG);
    CHECK_TRUE("says so", strstr(err.msg, "another program") != NULL);
    server_fini(&server);
}

static void test_schemas(void)
{
    static char newer[] = "UPDATE schema_version SET version = version + 1";
    static char back[] = "UPDATE schema_version SET version = version - 1";
    static char lease[] =
        "INSERT INTO lease (name, holder, schema, until_us)"
        " SELECT 'gateway:x', 'x', version, 9000000000000000 FROM schema_version";
    static char ended[] = "UPDATE lease SET until_us = 1";
    enum { FILES_MAX = 64 };
    int now = db_schema_version();
    struct db_schema_file files[FILES_MAX];
    struct server server;
    struct err err = {0};
    struct db *db = NULL;

    server_init(&server);
    struct db_options options = {.path = server.path};

    ASSERT(now + 2 <= FILES_MAX);
    memcpy(files, db_schema_files, (size_t)now * sizeof(files[0]));
    files[now] = (struct db_schema_file){
        now + 1, "", "CREATE TABLE next (x bigint); INSERT INTO next VALUES (1)"};
    files[now + 1] = (struct db_schema_file){
        now + 2, "", "CREATE TABLE last (x bigint); INSERT INTO nowhere VALUES (1)"};
    CHECK_OK("newer", db_write(server.db, DB_ALL, run_sql, newer, &err), &err);
    CHECK_INT("newer", db_open(&options, &db, &err), ERR_CONFIG);
    CHECK_TRUE("newer", strstr(err.msg, "newer version") != NULL);
    CHECK_INT("not backwards", db_migrate(server.path, &err), ERR_CONFIG);
    CHECK_INT("under one's feet", db_check(server.db, &err), ERR_CONFIG);
    CHECK_OK("back", db_write(server.db, DB_ALL, run_sql, back, &err), &err);
    CHECK_OK("lease", db_write(server.db, DB_ALL, run_sql, lease, &err), &err);
    CHECK_INT("an old gateway runs", db_migrate_with(server.path, files, now + 1, &err),
              ERR_CONFLICT);
    CHECK_TRUE("says so", strstr(err.msg, "stop it") != NULL);
    CHECK_INT("as before", ask(server.db, "SELECT version FROM schema_version"), now);
    CHECK_OK("ended", db_write(server.db, DB_ALL, run_sql, ended, &err), &err);
    CHECK_TRUE("all or nothing", db_migrate_with(server.path, files, now + 2, &err) != ERR_OK);
    CHECK_INT("as before", ask(server.db, "SELECT version FROM schema_version"), now);
    CHECK_OK("upgraded", db_migrate_with(server.path, files, now + 1, &err), &err);
    CHECK_INT("upgraded", ask(server.db, "SELECT version FROM schema_version"), now + 1);
    CHECK_INT("upgraded", ask(server.db, "SELECT x FROM next"), 1);
    CHECK_OK("older", db_write(server.db, DB_ALL, run_sql, back, &err), &err);
    CHECK_OK("older", db_write(server.db, DB_ALL, run_sql, back, &err), &err);
    CHECK_INT("older", db_open(&options, &db, &err), ERR_CONFIG);
    CHECK_TRUE("older", strstr(err.msg, "arkgate migrate") != NULL);
    server_fini(&server);
}

/* ---- time -----------------------------------------------------------------------------------
 */

#ifdef ARKGATE_TEST
static void set_skew(const char *file, const char *text)
{
    FILE *to = fopen(file, "w");

    CHECK_TRUE("skew", to != NULL && fputs(text, to) >= 0 && fclose(to) == 0);
    sys_sleep_us(120000); /* the file is read again now and then */
    (void)sys_local_us();
}

static int64_t server_ahead_us(struct db *db)
{
    return ask(db, "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)") -
           sys_now_us();
}

static void test_clock(void)
{
    char file[] = "/tmp/arkgate-skew-XXXXXX";
    struct server server;
    struct err err = {0};
    int fd = mkstemp(file);

    CHECK_TRUE("file", fd >= 0 && close(fd) == 0);
    server_init(&server);
    set_skew(file, "0");
    (void)setenv("ARKGATE_CLOCK_SKEW", file, 1);
    set_skew(file, "300000000"); /* five minutes ahead */
    struct db *db = open_path(server.path, 600000);

    CHECK_TRUE("the skew works", sys_local_us() - sys_now_us() > 250 * 1000000);
    int64_t ahead_us = server_ahead_us(db);
    CHECK_TRUE("the server's time", ahead_us < 1000000 && ahead_us > -1000000);
    CHECK_OK("healthy all the same", db_check(db, &err), &err);
    set_skew(file, "303000000"); /* a step of three seconds */
    for (int i = 0; i < 40 && db_check(db, &err) == ERR_OK; i++)
        sys_sleep_us(50000);
    CHECK_INT("a step is not ready", db_check(db, &err), ERR_UNAVAILABLE);
    CHECK_TRUE("says why", strstr(err.msg, "clock") != NULL);
    for (int i = 0; i < 40 && db_check(db, &err) != ERR_OK; i++)
        sys_sleep_us(50000);
    CHECK_OK("found again", db_check(db, &err), &err);
    ahead_us = server_ahead_us(db);
    CHECK_TRUE("the server's time again", ahead_us < 1000000 && ahead_us > -1000000);
    db_close(&db);
    (void)unsetenv("ARKGATE_CLOCK_SKEW");
    (void)unlink(file);
    server_fini(&server);
    sys_set_wall_base(0);
}
#else
static void test_clock(void)
{
    CHECK_TRUE("fault points and clocks are in test builds", true);
}
#endif

CHECK_MAIN(CHECK_TEST(test_fates), CHECK_TEST(test_refusals_that_wrote_nothing),
           CHECK_TEST(test_lanes_of_two_gateways), CHECK_TEST(test_later),
           CHECK_TEST(test_reads_together), CHECK_TEST(test_answers_of_several_rows),
           CHECK_TEST(test_reads_behind_a_lock),
           CHECK_TEST(test_reads_wait_no_longer_than_they_may),
           CHECK_TEST(test_commit_without_answer), CHECK_TEST(test_commit_that_comes_late),
           CHECK_TEST(test_terminated_between), CHECK_TEST(test_terminated_while_it_opens),
           CHECK_TEST(test_terminated_inside), CHECK_TEST(test_terminated_all_the_time),
           CHECK_TEST(test_refused_urls), CHECK_TEST(test_other_databases),
           CHECK_TEST(test_schemas), CHECK_TEST(test_clock))
