/* SPDX-License-Identifier: Apache-2.0 */
/* From text to scope: one answer for every refusal, the short memory and how it
 * ends, many tokens and many threads. */
#include "tests/unit/tenancy/fixture.h"

#include <sched.h>
#include <stdatomic.h>

#define ID_A "tok-aaaaaaaaaaaaaaaa"
#define ID_B "tok-bbbbbbbbbbbbbbbb"
#define ID_C "tok-cccccccccccccccc"

enum { SECOND_US = 1000000, MANY = 5000 };

struct bench {
    struct fixture fixture;
    struct auth *auth;
    int64_t now_us;
    char a[TOKEN_TEXT_MAX + 1]; /* acme, expires in an hour */
    char b[TOKEN_TEXT_MAX + 1]; /* bolt, own */
    char c[TOKEN_TEXT_MAX + 1]; /* never added */
};

static enum err_code begin_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    const struct bench *bench = ctx;
    struct token_request request = {.tenant = STR("acme"),
                                    .expires_us = bench->now_us + INT64_C(3600) * SECOND_US};
    struct token token;
    struct err err = {0};

    (void)unused;
    add_tenant(conn, "acme");
    add_tenant(conn, "bolt");
    CHECK_OK("a",
             token_add(conn, ACTOR, bench->now_us, pepper_key, &request, ID_A, bench->a, &token,
                       &err),
             &err);
    request = (struct token_request){.tenant = STR("bolt"), .own_only = true};
    CHECK_OK("b",
             token_add(conn, ACTOR, bench->now_us, pepper_key, &request, ID_B, bench->b, &token,
                       &err),
             &err);
    return ERR_OK;
}

static void bench_init(struct bench *bench)
{
    struct crypto_keys keys = fixture_keys();
    struct err err = {0};

    *bench = (struct bench){.now_us = sys_now_us()};
    fixture_init(&bench->fixture);
    token_mint(STR("oh"), bench->a);
    token_mint(STR("oh"), bench->b);
    token_mint(STR("oh"), bench->c);
    fixture_write(&bench->fixture, begin_steps, bench);
    CHECK_OK("open", auth_open(bench->fixture.db, &keys, &bench->auth, &err), &err);
}

static void bench_fini(struct bench *bench)
{
    auth_close(&bench->auth);
    CHECK_TRUE("closed", bench->auth == NULL);
    auth_close(&bench->auth);
    fixture_fini(&bench->fixture);
}

static enum err_code identify(struct bench *bench, const char *text, struct scope *ret_scope)
{
    struct err err = {0};
    enum err_code rc = auth_token(bench->auth, str_from(text), ret_scope, &err);

    if (rc == ERR_UNAUTHORIZED)
        CHECK_TEXT("one text", err.msg, err_text(ERR_UNAUTHORIZED));
    CHECK_TEXT("no detail", err.detail, "");
    return rc;
}

static void test_scope(void)
{
    struct bench bench;
    struct scope scope = {0};

    bench_init(&bench);
    for (int round = 0; round < 2; round++) { /* from the database, from memory */
        CHECK_INT("a", identify(&bench, bench.a, &scope), ERR_OK);
        CHECK_INT("tenant", scope.tenant_id, 1);
        CHECK_TEXT("name", scope.tenant_name, "acme");
        CHECK_TEXT("token", scope.token_id, ID_A);
        CHECK_TEXT("identity", scope.identity, ID_A);
        CHECK_TRUE("sees all", !scope.own_only && !scope.suspended);
        CHECK_INT("expires", scope.expires_us, bench.now_us + INT64_C(3600) * SECOND_US);
        CHECK_INT("b", identify(&bench, bench.b, &scope), ERR_OK);
        CHECK_TEXT("name", scope.tenant_name, "bolt");
        CHECK_TRUE("own", scope.own_only);
        CHECK_INT("expires", scope.expires_us, 0);
    }
    scope.tenant_id = -7;
    CHECK_INT("unknown", identify(&bench, bench.c, &scope), ERR_UNAUTHORIZED);
    CHECK_INT("scope untouched", scope.tenant_id, -7);
    bench_fini(&bench);
}

/* Without a database behind it: what is mistyped must never look for one. */
static void test_malformed(void)
{
    struct crypto_keys keys = fixture_keys();
    struct bench bench = {0};
    struct scope scope;
    struct err err = {0};
    char text[TOKEN_TEXT_MAX + 1];

    CHECK_OK("open", auth_open(NULL, &keys, &bench.auth, &err), &err);
    token_mint(STR("oh"), text);
    text[20] ^= 1;
    CHECK_INT("typo", identify(&bench, text, &scope), ERR_UNAUTHORIZED);
    CHECK_INT("empty", identify(&bench, "", &scope), ERR_UNAUTHORIZED);
    CHECK_INT("missing", identify(&bench, NULL, &scope), ERR_UNAUTHORIZED);
    CHECK_INT("Bearer", identify(&bench, "Bearer x", &scope), ERR_UNAUTHORIZED);
    auth_close(&bench.auth);
}

static void test_other_pepper(void)
{
    struct crypto_keys others = fixture_keys();
    struct bench bench;
    struct scope scope;
    struct err err = {0};

    bench_init(&bench);
    auth_close(&bench.auth);
    others.pepper[31] ^= 1;
    CHECK_OK("open", auth_open(bench.fixture.db, &others, &bench.auth, &err), &err);
    CHECK_INT("a", identify(&bench, bench.a, &scope), ERR_UNAUTHORIZED);
    bench_fini(&bench);
}

/* Asks until the answer differs; how long that took. */
static int64_t wait_until(struct bench *bench, const char *text, enum err_code want,
                          bool want_suspended)
{
    int64_t start_us = sys_mono_us(), passed_us = 0;

    while (passed_us < 5 * SECOND_US) {
        struct scope scope = {0};
        enum err_code rc = identify(bench, text, &scope);
        passed_us = sys_mono_us() - start_us;
        if (rc == want && (rc != ERR_OK || scope.suspended == want_suspended))
            return passed_us;
        (void)sched_yield();
    }
    return passed_us;
}

static enum err_code revoke_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    return token_revoke(conn, ACTOR, *(const int64_t *)ctx, STR(ID_A), err);
}

static enum err_code suspend_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    return tenant_suspend(conn, ACTOR, *(const int64_t *)ctx, STR("bolt"), true, err);
}

static void test_changes(void)
{
    struct bench bench;
    struct scope scope;

    bench_init(&bench);
    CHECK_INT("a", identify(&bench, bench.a, &scope), ERR_OK);
    CHECK_INT("b", identify(&bench, bench.b, &scope), ERR_OK);
    fixture_write(&bench.fixture, revoke_steps, &bench.now_us);
    CHECK_TRUE("revoked within a second",
               wait_until(&bench, bench.a, ERR_UNAUTHORIZED, false) <= SECOND_US);
    CHECK_INT("b goes on", identify(&bench, bench.b, &scope), ERR_OK);
    fixture_write(&bench.fixture, suspend_steps, &bench.now_us);
    CHECK_TRUE("suspended within a second",
               wait_until(&bench, bench.b, ERR_OK, true) <= SECOND_US);
    bench_fini(&bench);
}

static enum err_code hidden_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx, (void)err;
    tamper(conn, "UPDATE token SET revoked_us = 1 WHERE id = '" ID_A "'");
    return ERR_OK;
}

static enum err_code touch_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    return settings_touch(conn, err);
}

/* A change that forgot settings_touch shows what is remembered, and for how
 * long; with it, any token's read makes all others forget. */
static void test_memory(void)
{
    struct bench bench;
    struct scope scope;

    bench_init(&bench);
    int64_t start_us = sys_mono_us();
    CHECK_INT("a", identify(&bench, bench.a, &scope), ERR_OK);
    fixture_write(&bench.fixture, hidden_steps, NULL);
    enum err_code rc = identify(&bench, bench.a, &scope);
    if (sys_mono_us() - start_us < SECOND_US / 2)
        CHECK_INT("remembered", rc, ERR_OK);
    fixture_write(&bench.fixture, touch_steps, NULL);
    CHECK_INT("b reads", identify(&bench, bench.b, &scope), ERR_OK);
    CHECK_INT("a is forgotten", identify(&bench, bench.a, &scope), ERR_UNAUTHORIZED);
    bench_fini(&bench);

    bench_init(&bench);
    CHECK_INT("a", identify(&bench, bench.a, &scope), ERR_OK);
    fixture_write(&bench.fixture, hidden_steps, NULL);
    CHECK_TRUE("at most a second",
               wait_until(&bench, bench.a, ERR_UNAUTHORIZED, false) <= SECOND_US);
    bench_fini(&bench);
}

struct expiring {
    const char *text;
    int64_t now_us, expires_us;
};

static enum err_code expiring_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct expiring *expiring = ctx;
    struct token_request request = {.tenant = STR("acme"), .expires_us = expiring->expires_us};
    struct token token;

    return token_add(conn, ACTOR, expiring->now_us, pepper_key, &request, ID_C, expiring->text,
                     &token, err);
}

static void test_expiry(void)
{
    struct bench bench;
    struct scope scope;
    int answers = 0;

    bench_init(&bench);
    int64_t now_us = sys_now_us();
    struct expiring expiring = {bench.c, now_us, now_us + 300000};
    fixture_write(&bench.fixture, expiring_steps, &expiring);
    while (sys_now_us() < expiring.expires_us) {
        enum err_code rc = identify(&bench, bench.c, &scope);
        if (sys_now_us() < expiring.expires_us)
            CHECK_INT("before", rc, ERR_OK);
        answers++;
    }
    CHECK_TRUE("asked before the end", answers > 0);
    CHECK_INT("on time, remembered or not", identify(&bench, bench.c, &scope),
              ERR_UNAUTHORIZED);
    bench_fini(&bench);
}

struct crowd {
    char (*texts)[TOKEN_TEXT_MAX + 1];
    struct bench *bench;
    _Atomic int wrong;
};

static void crowd_id(int i, char ret_id[TOKEN_ID_MAX + 1])
{
    (void)snprintf(ret_id, TOKEN_ID_MAX + 1, "tok-%016d", i);
}

static enum err_code crowd_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct crowd *crowd = ctx;
    char id[TOKEN_ID_MAX + 1];

    (void)err;
    for (int i = 0; i < MANY; i++) {
        crowd_id(i, id);
        add_token(conn, i % 2 == 0 ? "acme" : "bolt", id, crowd->texts[i]);
    }
    return ERR_OK;
}

static void *crowd_run(void *ctx)
{
    struct crowd *crowd = ctx;
    int rounds = db_is_server(crowd->bench->fixture.path) ? 1 : 2;
    char id[TOKEN_ID_MAX + 1];

    for (int i = 0; i < rounds * MANY; i++) {
        struct scope scope;
        struct err err;

        crowd_id(i % MANY, id);
        if (auth_token(crowd->bench->auth, str_from(crowd->texts[i % MANY]), &scope, &err) !=
                ERR_OK ||
            strcmp(scope.identity, id) != 0 || scope.tenant_id != 1 + i % 2)
            atomic_fetch_add(&crowd->wrong, 1);
    }
    return NULL;
}

/* More tokens than the memory holds, from several threads, during changes. */
static void test_crowd(void)
{
    static char texts[MANY][TOKEN_TEXT_MAX + 1];
    struct bench bench;
    struct crowd crowd = {.texts = texts, .bench = &bench};
    pthread_t threads[4];
    struct err err = {0};

    bench_init(&bench);
    for (int i = 0; i < MANY; i++)
        token_mint(STR("oh"), texts[i]);
    fixture_write(&bench.fixture, crowd_steps, &crowd);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK_OK("thread", lock_thread(&threads[i], "crowd", 1 << 20, crowd_run, &crowd, &err),
                 &err);
    for (int i = 0; i < 20; i++)
        fixture_write(&bench.fixture, touch_steps, NULL);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK_INT("join", pthread_join(threads[i], NULL), 0);
    CHECK_INT("each got its own scope", crowd.wrong, 0);
    bench_fini(&bench);
}

/* For the reader of the log: what a remembered token costs. */
static void test_speed(void)
{
    enum { ROUNDS = 100000 };
    struct bench bench;
    struct scope scope;
    struct err err = {0};

    bench_init(&bench);
    struct str text = str_from(bench.b);
    int64_t start_us = sys_mono_us();
    for (int i = 0; i < ROUNDS; i++)
        CHECK_OK("b", auth_token(bench.auth, text, &scope, &err), &err);
    int64_t passed_us = sys_mono_us() - start_us;
    (void)fprintf(stderr, "auth_token from memory: %" PRId64 " ns\n",
                  passed_us * 1000 / ROUNDS);
    bench_fini(&bench);
}

CHECK_MAIN(CHECK_TEST(test_scope), CHECK_TEST(test_malformed), CHECK_TEST(test_other_pepper),
           CHECK_TEST(test_changes), CHECK_TEST(test_memory), CHECK_TEST(test_expiry),
           CHECK_TEST(test_crowd), CHECK_TEST(test_speed))
