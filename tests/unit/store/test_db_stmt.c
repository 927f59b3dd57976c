/* SPDX-License-Identifier: Apache-2.0 */
/* Which SQL is refused, what a bind or a step may do, and that no failure is lost. */
#include "tests/unit/store/fixture.h"

static const struct {
    const char *label;
    const char *sql;
    bool refused;
} texts[] = {
    {"plain", "SELECT $1, $2", false},
    {"out of order", "SELECT $2, $1", false},
    {"used twice", "SELECT $1, $1, $2", false},
    {"none", "SELECT 1", false},
    {"ten", "SELECT $1,$2,$3,$4,$5,$6,$7,$8,$9,$10", false},
    {"semicolon at the end", "SELECT 1 ; \n", false},
    {"suffix with colons", "SELECT $1::text", true},
    {"colons in a literal", "SELECT 'a::b'", true},
    {"suffix in parentheses", "SELECT $1(a)", true},
    {"question mark", "SELECT ?", true},
    {"numbered question mark", "SELECT ?1", true},
    {"colon name", "SELECT :a", true},
    {"at name", "SELECT @a", true},
    {"dollar name", "SELECT $a", true},
    {"number with letters", "SELECT $1a", true},
    {"leading zero", "SELECT $01", true},
    {"zero", "SELECT $0", true},
    {"gap", "SELECT $1, $3", true},
    {"does not start at one", "SELECT $2", true},
    {"mixed with a question mark", "SELECT $1, ?2", true},
    {"huge number", "SELECT $99999999999999999999", true},
    {"two statements", "SELECT 1; SELECT 2", true},
    {"empty", "", true},
    {"only a comment", "-- nothing", true},
    {"syntax error", "SELEC 1", true},
    {"unknown table", "SELECT * FROM nowhere", true},
    {"transaction control", "COMMIT", true},
    {"savepoint", "ROLLBACK TO closure", true},
    {"attach", "ATTACH '/tmp/x' AS x", true},
    {"pragma", "PRAGMA synchronous=OFF", true},
};

static enum err_code prepare_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    CLEANUP(db_done) struct db_stmt *st = NULL;

    return db_prepare(conn, ctx, &st, err);
}

static void which_texts(void)
{
    struct fixture fx;

    fixture_init(&fx, (struct db_options){0});
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        union {
            const char *in;
            void *ctx;
        } sql = {.in = texts[i].sql};
        enum err_code code = db_read(fx.db, prepare_fn, sql.ctx, &fx.err);
        CHECK_INT(texts[i].label, code, texts[i].refused ? ERR_INTERNAL : ERR_OK);
        if (texts[i].refused)
            CHECK_TRUE(texts[i].label, fx.err.detail[0] != '\0');
        code = db_write(fx.db, DB_ALL, prepare_fn, sql.ctx, &fx.err);
        CHECK_INT(texts[i].label, code, texts[i].refused ? ERR_INTERNAL : ERR_OK);
    }
    fixture_fini(&fx);
}

static enum err_code bind_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char sql[] = "SELECT $2, $1, $3, $4, $5";
    static const unsigned char bytes[] = {0, 1, 255};
    CLEANUP(db_done) struct db_stmt *st = NULL;
    char text[8];

    (void)ctx;
    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, INT64_MIN);
    db_bind_text(st, 2, STR("a'b"));
    db_bind_blob(st, 3, bytes, sizeof(bytes));
    db_bind_null(st, 4);
    db_bind_text(st, 5, str_from(NULL));
    CHECK_INT("row", db_step(st, err), DB_ROW);
    db_copy_text(st, 0, text, sizeof(text));
    CHECK_TEXT("bound by name", text, "a'b");
    CHECK_INT("bound by name", db_get_i64(st, 1), INT64_MIN);
    struct str blob = db_get_text(st, 2);
    CHECK_TRUE("blob", blob.len == 3 && memcmp(blob.ptr, bytes, 3) == 0);
    CHECK_TRUE("null", db_is_null(st, 3));
    CHECK_TRUE("empty text is not null", !db_is_null(st, 4));
    CHECK_INT("end", db_step(st, err), DB_DONE);
    CHECK_INT("a read changes nothing", db_changes(st), 0);
    return ERR_OK;
}

static void binds(void)
{
    struct fixture fx;

    fixture_init(&fx, (struct db_options){0});
    CHECK_OK("binds", db_read(fx.db, bind_fn, NULL, &fx.err), &fx.err);
    CHECK_OK("binds again, cached", db_read(fx.db, bind_fn, NULL, &fx.err), &fx.err);
    fixture_fini(&fx);
}

enum mistake {
    UNBOUND,
    UNBOUND_AFTER_CACHED_USE,
    POSITION_ZERO,
    POSITION_BEYOND,
    NUL_IN_TEXT,
    STEP_AFTER_END,
    ROW_FOR_RUN,
    STEP_OF_COLLECTED,
    CHANGES_OF_COLLECTED,
    MISTAKES
};

static enum err_code mistake_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char sql[] = "SELECT $1, $2";
    static const char none[] = "SELECT 1 WHERE 1 = 2";
    enum mistake mistake = *(enum mistake *)ctx;
    CLEANUP(db_done) struct db_stmt *st = NULL;

    if (mistake == UNBOUND_AFTER_CACHED_USE) {
        CLEANUP(db_done) struct db_stmt *before = NULL;
        TRY(db_prepare(conn, sql, &before, err));
        db_bind_i64(before, 1, 1);
        db_bind_i64(before, 2, 2);
        CHECK_INT("good use", db_step(before, err), DB_ROW);
    }
    if (mistake == STEP_OF_COLLECTED || mistake == CHANGES_OF_COLLECTED)
        TRY(db_prepare_rows(conn, sql, &st, err));
    else
        TRY(db_prepare(conn, mistake == STEP_AFTER_END ? none : sql, &st, err));
    if (mistake == STEP_AFTER_END) {
        CHECK_INT("end", db_step(st, err), DB_DONE);
    } else {
        db_bind_i64(st, 1, 1);
        if (mistake > UNBOUND_AFTER_CACHED_USE)
            db_bind_i64(st, 2, 2);
        if (mistake == POSITION_ZERO)
            db_bind_i64(st, 0, 1);
        if (mistake == POSITION_BEYOND)
            db_bind_i64(st, 3, 1);
        if (mistake == NUL_IN_TEXT)
            db_bind_text(st, 2, STR("a\0b"));
    }
    if (mistake == CHANGES_OF_COLLECTED)
        CHECK_INT("changes", db_changes(st), 0);
    else if (mistake == ROW_FOR_RUN)
        CHECK_INT("row", db_run(st, err), ERR_INTERNAL);
    else
        CHECK_INT("step", db_step(st, err), DB_FAIL);
    return ERR_OK; /* forgets the failure: the connection does not */
}

static void mistakes(void)
{
    struct fixture fx;

    fixture_init(&fx, (struct db_options){0});
    for (enum mistake mistake = UNBOUND; mistake < MISTAKES; mistake++) {
        CHECK_INT("read", db_read(fx.db, mistake_fn, &mistake, &fx.err), ERR_INTERNAL);
        CHECK_TRUE("detail", fx.err.detail[0] != '\0');
        CHECK_INT("write", db_write(fx.db, DB_ALL, mistake_fn, &mistake, &fx.err),
                  ERR_INTERNAL);
    }
    fixture_fini(&fx);
}

static enum err_code nested_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char sql[] =
        "WITH t (x) AS (VALUES (1), (2), (3)) SELECT x FROM t WHERE x >= $1 ORDER BY x";
    CLEANUP(db_done) struct db_stmt *outer = NULL;
    int64_t *sum = ctx;

    *sum = 0;
    TRY(db_prepare(conn, sql, &outer, err));
    db_bind_i64(outer, 1, 1);
    while (db_step(outer, err) == DB_ROW) {
        CLEANUP(db_done) struct db_stmt *inner = NULL;
        TRY(db_prepare(conn, sql, &inner, err));
        db_bind_i64(inner, 1, db_get_i64(outer, 0));
        while (db_step(inner, err) == DB_ROW)
            *sum += db_get_i64(inner, 0);
    }
    return ERR_OK;
}

static void nested_use(void)
{
    struct fixture fx;
    int64_t sum = 0;

    fixture_init(&fx, (struct db_options){0});
    CHECK_OK("nested", db_read(fx.db, nested_fn, &sum, &fx.err), &fx.err);
    CHECK_INT("sum", sum, 6 + 5 + 3);
    fixture_fini(&fx);
}

static enum err_code loop_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char sql[] = "INSERT INTO t (a) VALUES ($1)";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    (void)ctx;
    TRY(db_prepare(conn, sql, &st, err));
    for (int i = 0; i < 3; i++) {
        db_bind_i64(st, 1, i);
        TRY(db_run(st, err));
        CHECK_INT("changes", db_changes(st), 1);
    }
    return ERR_OK;
}

static enum err_code keep_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    struct db_stmt *st = NULL;

    TRY(db_prepare(conn, "INSERT INTO t (a) VALUES (77)", &st, err));
    *(bool *)ctx = true;
    return db_run(st, err); /* and never db_done */
}

static void changes(void)
{
    struct fixture fx;
    bool ran = false;

    fixture_init(&fx, (struct db_options){0});
    CHECK_OK("table", fixture_run(&fx, "CREATE TABLE t (a INTEGER UNIQUE) STRICT"), &fx.err);
    CHECK_OK("loop", db_write(fx.db, DB_ALL, loop_fn, NULL, &fx.err), &fx.err);
    CHECK_INT("rows", fixture_number(&fx, "SELECT COUNT(*) FROM t"), 3);
    CHECK_INT("again", db_write(fx.db, DB_ALL, loop_fn, NULL, &fx.err), ERR_CONFLICT);
    CHECK_TRUE("names the statement", strstr(fx.err.detail, "INSERT INTO t") != NULL);
    CHECK_INT("a kept statement", db_write(fx.db, DB_ALL, keep_fn, &ran, &fx.err),
              ERR_INTERNAL);
    CHECK_INT("rows", fixture_number(&fx, "SELECT COUNT(*) FROM t"), 3);
    CHECK_INT("readers cannot write", db_read(fx.db, keep_fn, &ran, &fx.err), ERR_INTERNAL);
    CHECK_TRUE("ran", ran);
    fixture_fini(&fx);
}

CHECK_MAIN(CHECK_TEST(which_texts), CHECK_TEST(binds), CHECK_TEST(mistakes),
           CHECK_TEST(nested_use), CHECK_TEST(changes))
