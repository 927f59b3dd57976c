/* SPDX-License-Identifier: Apache-2.0 */
/* What operators say of one tenant: the values each setting takes, what holds until then,
 * whose it is, and what running gateways and the audit log learn of it. */
#include "tests/unit/tenancy/fixture.h"

#define GIB (INT64_C(1) << 30)

static const struct tenant_settings defaults = {
    .assets_off = 0, .library = 0, .asset_count = 100000, .asset_bytes = 100 * GIB};

static void check_settings(const char *what, const struct tenant_settings *got,
                           const struct tenant_settings *want)
{
    CHECK_INT(what, got->assets_off, want->assets_off);
    CHECK_INT(what, got->library, want->library);
    CHECK_INT(what, got->asset_count, want->asset_count);
    CHECK_INT(what, got->asset_bytes, want->asset_bytes);
}

static void check_loaded(struct db_conn *conn, const char *what, int64_t tenant_id,
                         const struct tenant_settings *want)
{
    struct tenant_settings got = {-1, -1, -1, -1};
    struct err err = {0};

    CHECK_OK(what, tenant_setting_load(conn, tenant_id, &got, &err), &err);
    check_settings(what, &got, want);
}

static enum err_code set(struct db_conn *conn, const char *tenant, struct str name,
                         struct str value, struct err *err)
{
    struct tenant found;

    TRY(tenant_find(conn, str_from(tenant), &found, err));
    return tenant_setting_set(conn, ACTOR, NOW, &found, name, value, err);
}

/* ---- values ---------------------------------------------------------------------------- */

static enum err_code value_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const struct {
        struct str name, value;
        struct tenant_settings after;
    } cases[] = {
        /* name              value                       off lib count       bytes */
        {STR("assets"), STR("off"), {1, 0, 100000, 100 * GIB}},
        {STR("assets"), STR("off"), {1, 0, 100000, 100 * GIB}},
        {STR("media_source"), STR("library"), {1, 1, 100000, 100 * GIB}},
        {STR("assets"), STR("on"), {0, 1, 100000, 100 * GIB}},
        {STR("media_source"), STR("any"), {0, 0, 100000, 100 * GIB}},
        {STR("asset_count"), STR("0"), {0, 0, 0, 100 * GIB}},
        {STR("asset_count"), STR("1000000000"), {0, 0, 1000000000, 100 * GIB}},
        {STR("asset_bytes"), STR("0"), {0, 0, 1000000000, 0}},
        {STR("asset_bytes"), STR("1152921504606846976"), {0, 0, 1000000000, INT64_C(1) << 60}},
        {STR("asset_count"), STR("1"), {0, 0, 1, INT64_C(1) << 60}},
    };
    struct tenant acme;
    struct err err = {0};

    (void)ctx, (void)unused;
    add_tenant(conn, "acme");
    add_tenant(conn, "rival");
    CHECK_OK("acme", tenant_find(conn, STR("acme"), &acme, &err), &err);
    check_loaded(conn, "nothing said", acme.id, &defaults);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CHECK_OK(cases[i].name.ptr, set(conn, "acme", cases[i].name, cases[i].value, &err),
                 &err);
        check_loaded(conn, cases[i].name.ptr, acme.id, &cases[i].after);
        check_loaded(conn, "the other tenant", acme.id + 1, &defaults);
    }
    check_loaded(conn, "no tenant", 999, &defaults);
    CHECK_INT("one row a setting", ask(conn, "SELECT count(*) FROM tenant_setting"), 4);
    return ERR_OK;
}

/* ---- refusals -------------------------------------------------------------------------- */

#define WORDS(name, first, second) name " must be " first " or " second
#define NUMBERS(name, max) name " must be a number from 0 to " max

static enum err_code refused_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const struct {
        struct str name, value;
        enum err_code rc;
        const char *msg;
    } cases[] = {
        /* name              value        code         message */
        {STR("assets"), STR(""), ERR_INVALID, WORDS("assets", "on", "off")},
        {STR("assets"), STR("On"), ERR_INVALID, WORDS("assets", "on", "off")},
        {STR("assets"), STR("1"), ERR_INVALID, WORDS("assets", "on", "off")},
        {STR("assets"), STR("off "), ERR_INVALID, WORDS("assets", "on", "off")},
        {STR("assets"), STR("any"), ERR_INVALID, WORDS("assets", "on", "off")},
        {STR("media_source"), STR("on"), ERR_INVALID, WORDS("media_source", "any", "library")},
        {STR("media_source"), STR("0"), ERR_INVALID, WORDS("media_source", "any", "library")},
        {STR("asset_count"), STR(""), ERR_INVALID, NUMBERS("asset_count", "1000000000")},
        {STR("asset_count"), STR("-1"), ERR_INVALID, NUMBERS("asset_count", "1000000000")},
        {STR("asset_count"), STR("1000000001"), ERR_INVALID,
         NUMBERS("asset_count", "1000000000")},
        {STR("asset_count"), STR("9223372036854775808"), ERR_INVALID,
         NUMBERS("asset_count", "1000000000")},
        {STR("asset_count"), STR("1.5"), ERR_INVALID, NUMBERS("asset_count", "1000000000")},
        {STR("asset_count"), STR("1k"), ERR_INVALID, NUMBERS("asset_count", "1000000000")},
        {STR("asset_count"), STR(" 1"), ERR_INVALID, NUMBERS("asset_count", "1000000000")},
        {STR("asset_count"), STR("on"), ERR_INVALID, NUMBERS("asset_count", "1000000000")},
        {STR("asset_bytes"), STR("-1"), ERR_INVALID,
         NUMBERS("asset_bytes", "1152921504606846976")},
        {STR("asset_bytes"), STR("1152921504606846977"), ERR_INVALID,
         NUMBERS("asset_bytes", "1152921504606846976")},
        {STR("book"), STR("b"), ERR_NOT_FOUND, "a tenant has no setting book"},
        {STR("Assets"), STR("on"), ERR_NOT_FOUND, "a tenant has no setting Assets"},
        {STR("asset"), STR("on"), ERR_NOT_FOUND, "a tenant has no setting asset"},
        {STR("assets "), STR("on"), ERR_NOT_FOUND, "a tenant has no setting assets "},
        {STR(""), STR("on"), ERR_NOT_FOUND, "a tenant has no setting "},
    };
    int64_t version = ask(conn, "SELECT version FROM settings_version");

    (void)ctx, (void)unused;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err err = {0};

        CHECK_INT(cases[i].msg, set(conn, "acme", cases[i].name, cases[i].value, &err),
                  cases[i].rc);
        CHECK_TEXT(cases[i].value.ptr, err.msg, cases[i].msg);
        CHECK_TEXT(cases[i].msg, err.field,
                   cases[i].rc == ERR_INVALID ? cases[i].name.ptr : "");
    }
    CHECK_INT("nothing said", ask(conn, "SELECT count(*) FROM tenant_setting"), 0);
    CHECK_INT("nothing told", ask(conn, "SELECT version FROM settings_version"), version);
    CHECK_INT("nothing logged",
              ask(conn, "SELECT count(*) FROM audit WHERE action = 'tenant.set'"), 0);
    return ERR_OK;
}

static enum err_code add_acme_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx, (void)err;
    add_tenant(conn, "acme");
    return ERR_OK;
}

static void test_values(void)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    fixture_write(&fixture, value_steps, NULL);
    fixture_fini(&fixture);

    fixture_init(&fixture);
    fixture_write(&fixture, add_acme_steps, NULL);
    fixture_write(&fixture, refused_steps, NULL);
    fixture_fini(&fixture);
}

/* ---- who learns of it ------------------------------------------------------------------ */

static enum err_code check_entry(const struct audit_entry *entry, void *ctx, struct err *err)
{
    int *seen = ctx;

    (void)err;
    if (strcmp(entry->action, "tenant.set") != 0)
        return ERR_OK;
    CHECK_TEXT("target", entry->target, "acme");
    CHECK_TEXT("actor", entry->actor, ACTOR);
    CHECK_INT("time", entry->time_us, NOW);
    CHECK_TRUE("detail", str_is(entry->detail, "{\"asset_count\":\"7\"}"));
    (*seen)++;
    return ERR_OK;
}

static enum err_code told_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    int64_t version = ask(conn, "SELECT version FROM settings_version");
    struct err err = {0};
    int seen = 0;

    (void)ctx, (void)unused;
    CHECK_OK("set", set(conn, "acme", STR("asset_count"), STR("7"), &err), &err);
    CHECK_INT("version", ask(conn, "SELECT version FROM settings_version"), version + 1);
    CHECK_OK("each", audit_each(conn, 0, 100, check_entry, &seen, &err), &err);
    CHECK_INT("entries", seen, 1);
    return ERR_OK;
}

/* A row that this program would not have written. */
static enum err_code spoiled_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    struct tenant_settings settings;
    struct err err = {0};

    (void)ctx, (void)unused;
    tamper(conn, "INSERT INTO tenant_setting VALUES (1, 'of a later version', 'x')");
    CHECK_OK("unknown", tenant_setting_load(conn, 1, &settings, &err), &err);
    CHECK_INT("beside it", settings.asset_count, 7);
    tamper(conn, "UPDATE tenant_setting SET value = 'x' WHERE name = 'asset_count'");
    CHECK_INT("not valid", tenant_setting_load(conn, 1, &settings, &err), ERR_INTERNAL);
    CHECK_TEXT("not valid", err.detail, "the tenant's setting asset_count is not valid");
    return ERR_OK;
}

static void test_told(void)
{
    struct fixture fixture = {0};
    struct err err = {0};
    int64_t entries = 0;

    fixture_init(&fixture);
    fixture_write(&fixture, add_acme_steps, NULL);
    fixture_write(&fixture, told_steps, NULL);
    CHECK_OK("verify", audit_verify(fixture.db, &entries, &err), &err);
    CHECK_INT("entries", entries, 2);
    fixture_write(&fixture, spoiled_steps, NULL);
    fixture_fini(&fixture);
}

static void test_put(void)
{
    static const struct {
        struct tenant_settings settings;
        const char *want;
    } cases[] = {
        {{0, 0, 100000, 100 * GIB},
         "{\"assets\":\"on\",\"media_source\":\"any\",\"asset_count\":100000,"
         "\"asset_bytes\":107374182400}"},
        {{1, 1, 0, INT64_C(1) << 60},
         "{\"assets\":\"off\",\"media_source\":\"library\",\"asset_count\":0,"
         "\"asset_bytes\":1152921504606846976}"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP(buf_fini) struct buf buf = {0};
        struct json_out out;
        struct err err = {0};

        buf_init(&buf, 1 << 10);
        out = json_begin(&buf);
        json_open_object(&out, NULL);
        tenant_setting_put(&cases[i].settings, &out);
        json_close_object(&out);
        CHECK_OK("end", json_end(&out, &err), &err);
        CHECK_TEXT("members", buf.ptr, cases[i].want);
    }
}

CHECK_MAIN(CHECK_TEST(test_values), CHECK_TEST(test_told), CHECK_TEST(test_put))
