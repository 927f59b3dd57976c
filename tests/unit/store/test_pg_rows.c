/* SPDX-License-Identifier: Apache-2.0 */
/* Statements that PostgreSQL's engine collects: what is there afterwards is what one after
 * the other would have left, and they were fewer. */
#include "base/store/pg_private.h"

#include "tests/lib/check.h"
#include "tests/lib/database.h"

#include <stdio.h>
#include <stdlib.h>

enum { MANY = 150, CLOSURES = 40 };

/* at tells which statement wrote the row. */
#define NOW "CAST(extract(epoch FROM statement_timestamp()) * 1000000 AS bigint)"

struct server {
    char path[DATABASE_PATH];
    struct db *db;
};

static enum err_code run_sql(struct db_conn *conn, void *ctx, struct err *err)
{
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, ctx, &st, err));
    return db_run(st, err);
}

static void server_init(struct server *server)
{
    static char table[] = "CREATE TABLE t (k bigint PRIMARY KEY, v bigint, s text, b bytea,"
                          " at bigint NOT NULL)";
    static char child[] = "CREATE TABLE child (n bigint PRIMARY KEY, v bigint NOT NULL)";
    struct db_options options = {.path = server->path};
    struct err err = {0};

    database_new_server(server->path);
    CHECK_OK("migrate", db_migrate(server->path, &err), &err);
    CHECK_OK("open", db_open(&options, &server->db, &err), &err);
    if (server->db == NULL)
        abort();
    CHECK_OK("table", db_write(server->db, DB_ALL, run_sql, table, &err), &err);
    CHECK_OK("child", db_write(server->db, DB_ALL, run_sql, child, &err), &err);
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

static int64_t ask(struct server *server, const char *sql)
{
    struct asked asked = {sql, INT64_MIN};
    struct err err = {0};

    CHECK_OK(sql, db_read(server->db, ask_steps, &asked, &err), &err);
    return asked.number;
}

static void expect(struct server *server, const char *what, db_fn fn, void *ctx,
                   enum err_code code)
{
    struct err err = {0};

    CHECK_INT(what, db_write(server->db, 1, fn, ctx, &err), code);
}

/* ---- statements ------------------------------------------------------------------------ */

static enum err_code add(struct db_conn *conn, int64_t k, struct err *err)
{
    static const char sql[] =
        "INSERT INTO t (k, v, s, b, at) VALUES ($1, $2 + 0, $3, $4, " NOW ")";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    char text[32];

    (void)snprintf(text, sizeof(text), "it's {\"%lld\", NULL}\\", (long long)k);
    TRY(db_prepare_rows(conn, sql, &st, err));
    db_bind_i64(st, 1, k);
    if (k % 3 == 0)
        db_bind_null(st, 2);
    else
        db_bind_i64(st, 2, 0);
    db_bind_text(st, 3, k % 5 == 0 ? STR("") : str_from(text));
    if (k % 4 == 0)
        db_bind_null(st, 4);
    else
        db_bind_blob(st, 4, "\0\xff", (size_t)(k % 3));
    return db_run(st, err);
}

static enum err_code change(struct db_conn *conn, int64_t k, int64_t from, int64_t to,
                            struct err *err)
{
    static const char sql[] = "UPDATE t SET v = $3, s = '$1 (' WHERE k = $1 AND v = $2";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare_rows(conn, sql, &st, err));
    db_bind_i64(st, 1, k);
    db_bind_i64(st, 2, from);
    db_bind_i64(st, 3, to);
    return db_run_one(st, "it is something else", err);
}

/* ---- what is left ------------------------------------------------------------------------ */

static enum err_code many_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    for (int64_t k = 1; k <= MANY; k++)
        TRY(add(conn, k, err));
    return ERR_OK;
}

static void test_values(void)
{
    struct server server;

    server_init(&server);
    expect(&server, "many", many_steps, NULL, ERR_OK);
    CHECK_INT("all", ask(&server, "SELECT count(*) FROM t"), MANY);
    CHECK_INT("in few statements", ask(&server, "SELECT count(DISTINCT at) FROM t"),
              (MANY + PG_ROWS_MAX - 1) / PG_ROWS_MAX);
    CHECK_INT("integers",
              ask(&server, "SELECT count(*) FROM t WHERE (v IS NULL) = (k % 3 = 0)"), MANY);
    CHECK_INT("texts",
              ask(&server, "SELECT count(*) FROM t WHERE s = CASE WHEN k % 5 = 0 THEN '' ELSE"
                           " 'it''s {\"' || k || '\", NULL}\\' END"),
              MANY);
    CHECK_INT("bytes",
              ask(&server, "SELECT count(*) FROM t WHERE b IS NOT DISTINCT FROM"
                           " CASE WHEN k % 4 <> 0 THEN substr(decode('00ff', 'hex'), 1,"
                           " CAST(k % 3 AS int)) END"),
              MANY);
    server_fini(&server);
}

/* Adds, changes three times, looks, changes again. */
static enum err_code order_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    int64_t sum;

    (void)ctx;
    TRY(add(conn, 1, err));
    TRY(add(conn, 2, err));
    for (int64_t to = 1; to <= 3; to++) {
        TRY(change(conn, 1, to - 1, to, err));
        TRY(change(conn, 2, to - 1, to, err));
    }
    TRY(add(conn, 4, err));
    TRY(change(conn, 4, 0, 9, err));
    TRY(db_stmt_number(conn, "SELECT CAST(sum(v) AS bigint) FROM t", &sum, err));
    CHECK_INT("seen", sum, 3 + 3 + 9);
    TRY(change(conn, 4, 9, 10, err));
    return ERR_OK;
}

static enum err_code twice_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    TRY(change(conn, 1, 3, 4, err));
    return change(conn, 1, 3, 5, err); /* it is 4 */
}

static void test_order(void)
{
    struct server server;

    server_init(&server);
    expect(&server, "order", order_steps, NULL, ERR_OK);
    CHECK_INT("kept", ask(&server, "SELECT CAST(sum(v) AS bigint) FROM t"), 3 + 3 + 10);
    CHECK_INT("literals", ask(&server, "SELECT count(*) FROM t WHERE s = '$1 ('"), 3);
    expect(&server, "from what it is no more", twice_steps, NULL, ERR_CONFLICT);
    CHECK_INT("nothing of it", ask(&server, "SELECT v FROM t WHERE k = 1"), 3);
    server_fini(&server);
}

/* ---- closures together ---------------------------------------------------------------------
 */

struct work {
    int64_t k, number;
    enum kind { GOOD, CHANGES, TAKEN, REFUSED, NOT_ONE, LOOKS, KINDS } kind;
};
static const enum err_code codes[KINDS] = {ERR_OK,      ERR_OK,       ERR_CONFLICT,
                                           ERR_BALANCE, ERR_CONFLICT, ERR_OK};

static enum err_code numbered(struct db_conn *conn, int64_t k, int64_t *number, struct err *err)
{
    static const char sql[] =
        "INSERT INTO t (k, v, at) VALUES ($1, $1, " NOW ") RETURNING k * 10";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare_rows(conn, sql, &st, err));
    db_bind_i64(st, 1, k);
    return db_run_i64(st, number, "no number", err);
}

/* Its row is its parent's, which must be there before. */
static enum err_code add_child(struct db_conn *conn, int64_t k, struct err *err)
{
    static const char sql[] =
        "INSERT INTO child (n, v) VALUES ($1, (SELECT t.v FROM t WHERE t.k = $1))";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare_rows(conn, sql, &st, err));
    db_bind_i64(st, 1, k);
    return db_run(st, err);
}

static enum err_code work_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct work *work = ctx;
    int64_t seen;

    TRY(numbered(conn, work->k, &work->number, err));
    TRY(add_child(conn, work->k, err));
    switch (work->kind) {
    case TAKEN:
        return add_child(conn, work->k, err);
    case REFUSED:
        return err_set(err, ERR_BALANCE, "no");
    case NOT_ONE:
        return change(conn, work->k, work->k + 1, 0, err);
    case LOOKS: /* which sends the parents, and leaves the children */
        TRY(db_stmt_number(conn, "SELECT count(*) FROM t", &seen, err));
        return seen > 0 ? ERR_OK : ERR_INTERNAL;
    case CHANGES: /* after the child has its row's value from it */
        return change(conn, work->k, work->k, 0, err);
    default:
        return ERR_OK;
    }
}

/* kinds of closures, one after the other, in many. */
static void together(const char *what, int kinds, bool few)
{
    struct server server;
    struct work works[CLOSURES];
    struct db_job jobs[CLOSURES];
    int good = 0;

    server_init(&server);
    for (int i = 0; i < CLOSURES; i++) {
        works[i] = (struct work){.k = 100 + i, .number = -1, .kind = (enum kind)(i % kinds)};
        jobs[i] = (struct db_job){.lane = 2 + i % 3 * 2, .fn = work_steps, .ctx = &works[i]};
        good += codes[i % kinds] == ERR_OK;
    }
    db_write_jobs(server.db, jobs, CLOSURES);
    for (int i = 0; i < CLOSURES; i++) {
        CHECK_INT(what, jobs[i].code, codes[works[i].kind]);
        if (jobs[i].code == ERR_OK)
            CHECK_INT("its own number", works[i].number, works[i].k * 10);
    }
    CHECK_INT("parents", ask(&server, "SELECT count(*) FROM t"), good);
    CHECK_INT("children", ask(&server, "SELECT count(*) FROM child WHERE v = n"), good);
    if (few)
        CHECK_TRUE("few statements",
                   ask(&server, "SELECT count(DISTINCT at) FROM t") <= CLOSURES / 4);
    server_fini(&server);
}

static void test_together(void)
{
    together("all good", 1, true);
    together("all kinds", KINDS, false);
}

/* ---- more than there is room for
 * ------------------------------------------------------------- */

enum { HUGE = 64 << 20, PLAIN = 490, TURNS = 60 };

/* Two values that may be, of a row that may not. */
static enum err_code huge_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char sql[] = "INSERT INTO t (k, s, b, at) VALUES ($1, $2, $3, 0)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare_rows(conn, sql, &st, err));
    db_bind_i64(st, 1, 1);
    db_bind_text(st, 2, (struct str){ctx, HUGE});
    db_bind_blob(st, 3, ctx, HUGE);
    return db_run(st, err);
}

static enum err_code small_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    return add(conn, *(int64_t *)ctx, err);
}

/* The one that fails takes no neighbour's rows along. */
static void test_too_much(void)
{
    struct server server;
    struct db_job jobs[9];
    int64_t keys[COUNT_OF(jobs)];
    char *text = malloc(HUGE);

    server_init(&server);
    if (text == NULL)
        abort();
    memset(text, 'x', HUGE);
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        keys[i] = 100 + (int64_t)i;
        jobs[i] = (struct db_job){.lane = 2, .fn = small_steps, .ctx = &keys[i]};
    }
    jobs[6] = (struct db_job){.lane = 2, .fn = huge_steps, .ctx = text};
    db_write_jobs(server.db, jobs, COUNT_OF(jobs));
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        CHECK_INT("code", jobs[i].code, i == 6 ? ERR_TOO_LARGE : ERR_OK);
    CHECK_INT("all others", ask(&server, "SELECT count(*) FROM t"), COUNT_OF(jobs) - 1);
    free(text);
    server_fini(&server);
}

static enum err_code plain(struct db_conn *conn, int64_t n, struct err *err)
{
    static const char sql[] = "INSERT INTO child (n, v) VALUES ($1, 1)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, n);
    return db_run(st, err);
}

static enum err_code nobody(struct db_conn *conn, struct err *err)
{
    static const char sql[] = "UPDATE t SET v = 0 WHERE k = -1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    return db_run_one(st, "nobody is -1", err);
}

/* The texts are known from here on, so that nothing else sends the queue. */
static enum err_code first_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    TRY(add(conn, 1, err));
    TRY(plain(conn, 0, err));
    return change(conn, 1, 0, 0, err);
}

/* Changes nobody, and then queues so much that what is collected is sent in two parts. */
static enum err_code long_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    TRY(nobody(conn, err));
    for (int64_t n = 1; n <= PLAIN; n++)
        TRY(plain(conn, n, err));
    for (int64_t to = 1; to <= TURNS; to++)
        TRY(change(conn, 1, to - 1, to, err));
    return ERR_OK;
}

static void test_check_in_a_long_queue(void)
{
    struct server server;

    server_init(&server);
    expect(&server, "first", first_steps, NULL, ERR_OK);
    expect(&server, "a check on the way", long_steps, NULL, ERR_CONFLICT);
    CHECK_INT("nothing of it", ask(&server, "SELECT count(*) FROM child"), 1);
    CHECK_INT("nor of what came later", ask(&server, "SELECT v FROM t WHERE k = 1"), 0);
    server_fini(&server);
}

/* ---- what is refused ------------------------------------------------------------------------
 */

static enum err_code form_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare_rows(conn, ctx, &st, err));
    db_bind_i64(st, 1, 1);
    return db_run(st, err);
}

static void test_forms(void)
{
    static char *const forms[] = {"DELETE FROM t WHERE k = $1", "UPDATE t SET v = $1",
                                  "INSERT INTO t (k, at) SELECT $1, 1 FROM child"};
    struct server server;

    server_init(&server);
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        expect(&server, forms[i], form_steps, forms[i], ERR_INTERNAL);
    server_fini(&server);
}

CHECK_MAIN(CHECK_TEST(test_values), CHECK_TEST(test_order), CHECK_TEST(test_together),
           CHECK_TEST(test_too_much), CHECK_TEST(test_check_in_a_long_queue),
           CHECK_TEST(test_forms))
