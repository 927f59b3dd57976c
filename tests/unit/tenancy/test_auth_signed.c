/* SPDX-License-Identifier: Apache-2.0 */
/* From a signed request to its scope: what is told in which order, the short memory and how
 * it ends, and what it saves. */
#include "tests/unit/tenancy/fixture.h"
#include "tests/unit/tenancy/signed.h"

#include <sched.h>
#include <time.h>

#define ID_A "AKLTaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "AKLTbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "AKLTcccccccccccccccccccccccccccc" /* never added */
#define SECRET_A "aSecretOf40Charactersaaaaaaaaaaaaaaaaaaa"
#define SECRET_B "bSecretOf40Charactersbbbbbbbbbbbbbbbbbbb"
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum { SECOND_US = 1000000 };

struct bench {
    struct fixture fixture;
    struct auth *auth;
    char date[32]; /* what requests are signed with */
};

static enum err_code begin_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    struct access_key_request acme = {.tenant = STR("acme")};
    struct access_key_request bolt = {.tenant = STR("bolt"), .own_only = true};
    struct access_key key;
    struct err err = {0};

    (void)ctx, (void)unused;
    add_tenant(conn, "acme");
    add_tenant(conn, "bolt");
    CHECK_OK("a",
             access_key_add(conn, ACTOR, NOW, master_key, &acme, ID_A, SECRET_A, &key, &err),
             &err);
    CHECK_OK("b",
             access_key_add(conn, ACTOR, NOW, master_key, &bolt, ID_B, SECRET_B, &key, &err),
             &err);
    return ERR_OK;
}

static void set_date(struct bench *bench, int64_t later_us)
{
    time_t seconds = (time_t)((sys_now_us() + later_us) / SECOND_US);
    struct tm utc;

    (void)gmtime_r(&seconds, &utc);
    (void)strftime(bench->date, sizeof(bench->date), "%Y%m%dT%H%M%SZ", &utc);
}

static void bench_init(struct bench *bench)
{
    struct crypto_keys keys = fixture_keys();
    struct err err = {0};

    *bench = (struct bench){0};
    fixture_init(&bench->fixture);
    fixture_write(&bench->fixture, begin_steps, NULL);
    CHECK_OK("open", auth_open(bench->fixture.db, &keys, &bench->auth, &err), &err);
    set_date(bench, 0);
}

static void bench_fini(struct bench *bench)
{
    auth_close(&bench->auth);
    fixture_fini(&bench->fixture);
}

/* A request of one of the bench's, and what reads it. */
struct asking {
    struct head head;
    struct arena arena;
    struct sign_v4 sign;
    char canonical[512], authorization[512];
};

static void asking_init(struct asking *asking, const struct bench *bench, const char *id,
                        const char *secret)
{
    struct signer signer = {secret, bench->date};
    char hex[2 * CRYPTO_HASH_BYTES + 1];
    struct err err = {0};

    *asking = (struct asking){0};
    arena_init(&asking->arena, 1 << 16);
    head_init(&asking->head, "Action=ListAssets&Version=2024-01-01");
    head_add(&asking->head, "X-Date", bench->date);
    head_add(&asking->head, "X-Content-Sha256", EMPTY_HASH);
    (void)snprintf(
        asking->canonical, sizeof(asking->canonical),
        "POST\n/\nAction=ListAssets&Version=2024-01-01\nx-date:%s\n\nx-date\n" EMPTY_HASH,
        bench->date);
    sign_text(&signer, asking->canonical, hex);
    (void)snprintf(asking->authorization, sizeof(asking->authorization),
                   "HMAC-SHA256 Credential=%s/%.8s/cn-beijing/ark/request,"
                   " SignedHeaders=x-date, Signature=%s",
                   id, bench->date, hex);
    head_add(&asking->head, "Authorization", asking->authorization);
    CHECK_OK("read", sign_v4_read(&asking->head.request, &asking->arena, &asking->sign, &err),
             &err);
}

static void asking_fini(struct asking *asking)
{
    arena_fini(&asking->arena);
}

static enum err_code ask_with(const struct bench *bench, const char *id, const char *secret,
                              struct scope *ret_scope)
{
    CLEANUP(asking_fini) struct asking asking = {0};
    struct err err = {0};

    asking_init(&asking, bench, id, secret);
    enum err_code rc = auth_signed(bench->auth, &asking.sign, ret_scope, &err);
    CHECK_TEXT("no detail", err.detail, "");
    return rc;
}

static void test_scope(void)
{
    struct bench bench;
    struct scope scope = {0};

    bench_init(&bench);
    for (int round = 0; round < 2; round++) { /* from the database, from memory */
        CHECK_INT("a", ask_with(&bench, ID_A, SECRET_A, &scope), ERR_OK);
        CHECK_INT("tenant", scope.tenant_id, 1);
        CHECK_TEXT("name", scope.tenant_name, "acme");
        CHECK_TEXT("key", scope.token_id, ID_A);
        CHECK_TEXT("identity", scope.identity, ID_A);
        CHECK_TEXT("book", scope.book, "ark-cny");
        CHECK_TRUE("sees all", !scope.own_only && !scope.suspended);
        CHECK_INT("never expires", scope.expires_us, 0);
        CHECK_INT("b", ask_with(&bench, ID_B, SECRET_B, &scope), ERR_OK);
        CHECK_TEXT("name", scope.tenant_name, "bolt");
        CHECK_TRUE("own", scope.own_only);
    }
    bench_fini(&bench);
}

static void test_refused(void)
{
    struct bench bench;
    struct scope scope = {.tenant_id = -7};

    bench_init(&bench);
    for (int round = 0; round < 2; round++) {
        CHECK_INT("unknown", ask_with(&bench, ID_C, SECRET_A, &scope), ERR_ACCESS_KEY);
        CHECK_INT("another's secret", ask_with(&bench, ID_A, SECRET_B, &scope), ERR_SIGNATURE);
        CHECK_INT("no id of ours", ask_with(&bench, "AKIDx", SECRET_A, &scope), ERR_ACCESS_KEY);
        CHECK_INT("scope untouched", scope.tenant_id, -7);
        CHECK_INT("now remembered", ask_with(&bench, ID_A, SECRET_A, &(struct scope){0}),
                  ERR_OK);
    }
    set_date(&bench, INT64_C(-1000) * SECOND_US);
    CHECK_INT("late", ask_with(&bench, ID_A, SECRET_A, &scope), ERR_TIMESTAMP);
    CHECK_INT("late and forged", ask_with(&bench, ID_A, SECRET_B, &scope), ERR_TIMESTAMP);
    CHECK_INT("late and unknown", ask_with(&bench, ID_C, SECRET_A, &scope), ERR_ACCESS_KEY);
    set_date(&bench, INT64_C(1000) * SECOND_US);
    CHECK_INT("early", ask_with(&bench, ID_A, SECRET_A, &scope), ERR_TIMESTAMP);
    bench_fini(&bench);
}

static enum err_code revoke_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    return access_key_revoke(conn, ACTOR, NOW + 1, STR(ID_A), err);
}

static enum err_code suspend_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    return tenant_suspend(conn, ACTOR, NOW + 2, STR("bolt"), true, err);
}

static void test_changes(void)
{
    struct bench bench;
    struct scope scope;

    bench_init(&bench);
    CHECK_INT("a", ask_with(&bench, ID_A, SECRET_A, &scope), ERR_OK);
    CHECK_INT("b", ask_with(&bench, ID_B, SECRET_B, &scope), ERR_OK);
    fixture_write(&bench.fixture, revoke_steps, NULL);
    int64_t start_us = sys_mono_us(), passed_us = 0;
    enum err_code rc = ERR_OK;
    while (rc == ERR_OK && passed_us < 5 * SECOND_US) {
        rc = ask_with(&bench, ID_A, SECRET_A, &scope);
        passed_us = sys_mono_us() - start_us;
        (void)sched_yield();
    }
    CHECK_INT("revoked", rc, ERR_ACCESS_KEY);
    CHECK_TRUE("within a second", passed_us <= SECOND_US);
    CHECK_INT("b goes on", ask_with(&bench, ID_B, SECRET_B, &scope), ERR_OK);
    CHECK_TRUE("not suspended", !scope.suspended);
    fixture_write(&bench.fixture, suspend_steps, NULL);
    start_us = sys_mono_us();
    while (!scope.suspended && sys_mono_us() - start_us < 5 * SECOND_US)
        CHECK_INT("b", ask_with(&bench, ID_B, SECRET_B, &scope), ERR_OK);
    CHECK_TRUE("suspended within a second", sys_mono_us() - start_us <= SECOND_US);
    bench_fini(&bench);
}

/* The fault is ours: no tenant is told what is wrong with a key file. */
static void test_other_master(void)
{
    CLEANUP(asking_fini) struct asking asking = {0};
    struct crypto_keys others = fixture_keys();
    struct bench bench;
    struct scope scope;
    struct err err = {0};

    bench_init(&bench);
    auth_close(&bench.auth);
    others.master[0] ^= 1;
    CHECK_OK("open", auth_open(bench.fixture.db, &others, &bench.auth, &err), &err);
    asking_init(&asking, &bench, ID_A, SECRET_A);
    CHECK_INT("a", auth_signed(bench.auth, &asking.sign, &scope, &err), ERR_INTERNAL);
    CHECK_TEXT("told", err.msg, err_text(ERR_INTERNAL));
    bench_fini(&bench);
}

/* For the reader of the log: what a remembered signer costs beside a token. */
static void test_speed(void)
{
    enum { ROUNDS = 50000 };
    CLEANUP(asking_fini) struct asking asking = {0};
    struct bench bench;
    struct scope scope;
    struct err err = {0};

    bench_init(&bench);
    asking_init(&asking, &bench, ID_A, SECRET_A);
    int64_t start_us = sys_mono_us();
    for (int i = 0; i < ROUNDS; i++) {
        struct sign_v4 sign;

        arena_fini(&asking.arena);
        CHECK_OK("read", sign_v4_read(&asking.head.request, &asking.arena, &sign, &err), &err);
        CHECK_OK("a", auth_signed(bench.auth, &sign, &scope, &err), &err);
    }
    int64_t passed_us = sys_mono_us() - start_us;
    (void)fprintf(stderr, "sign_v4_read and auth_signed from memory: %" PRId64 " ns\n",
                  passed_us * 1000 / ROUNDS);
    bench_fini(&bench);
}

CHECK_MAIN(CHECK_TEST(test_scope), CHECK_TEST(test_refused), CHECK_TEST(test_changes),
           CHECK_TEST(test_other_master), CHECK_TEST(test_speed))
