/* SPDX-License-Identifier: Apache-2.0 */
/* Tenants: names, changes and their audit entries, paging, settings number. */
#include "tests/unit/tenancy/fixture.h"

#define LETTERS_64 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz01"

static void test_names(void)
{
    static const struct {
        struct str name;
        bool good;
    } cases[] = {
        /* name          good */
        {STR("acme"), true},          {STR("a"), true},
        {STR("9-lives_x"), true},     {STR(LETTERS_64), true},
        {STR(LETTERS_64 "a"), false}, {STR(""), false},
        {STR("-acme"), false},        {STR("_acme"), false},
        {STR("Acme"), false},         {STR("ac me"), false},
        {STR("ac.me"), false},        {STR("ac/me"), false},
        {STR("acme\n"), false},       {STR("ac\0me"), false},
        {STR("\xc3\xa4"), false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err err = {0};
        enum err_code rc = tenant_name_check(cases[i].name, &err);
        CHECK_INT(cases[i].name.ptr, rc, cases[i].good ? ERR_OK : ERR_INVALID);
        CHECK_TEXT(cases[i].name.ptr, err.field, cases[i].good ? "" : "name");
    }
}

static enum err_code refused_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const struct {
        struct str currency, book;
        const char *field;
    } cases[] = {
        /* currency     book              field */
        {STR("CN"), STR("ark-cny"), "currency"},
        {STR("cny"), STR("ark-cny"), "currency"},
        {STR("CN1"), STR("ark-cny"), "currency"},
        {STR("ABCDEFGH"), STR("ark-cny"), "currency"},
        {STR("CNY"), STR(""), "book"},
        {STR("CNY"), STR("Ark"), "book"},
        {STR("CNY"), STR(LETTERS_64), "book"},
        {STR("CNY"), STR("a b"), "book"},
    };
    struct tenant tenant;
    struct err err = {0};

    (void)ctx, (void)unused;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CHECK_INT("refused",
                  tenant_add(conn, ACTOR, NOW, STR("acme"), cases[i].currency, cases[i].book,
                             &tenant, &err),
                  ERR_INVALID);
        CHECK_TEXT("field", err.field, cases[i].field);
    }
    CHECK_INT("bad actor",
              tenant_add(conn, "", NOW, STR("acme"), STR("CNY"), STR("b"), &tenant, &err),
              ERR_INVALID);
    CHECK_TEXT("field", err.field, "actor");
    return ERR_OK;
}

static enum err_code life_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    struct tenant tenant, again;
    struct err err = {0};

    (void)ctx, (void)unused;
    CHECK_INT("settings begin", ask(conn, "SELECT version FROM settings_version"), 1);
    CHECK_OK("add",
             tenant_add(conn, ACTOR, NOW, STR("acme"), STR("CREDITS"), STR("ark_1.cny"),
                        &tenant, &err),
             &err);
    CHECK_INT("conflict",
              tenant_add(conn, ACTOR, NOW, STR("acme"), STR("USD"), STR("x"), &again, &err),
              ERR_CONFLICT);
    CHECK_OK("find", tenant_find(conn, STR("acme"), &again, &err), &err);
    CHECK_INT("same id", again.id, tenant.id);
    CHECK_TEXT("currency", again.currency, "CREDITS");
    CHECK_TEXT("book", again.book, "ark_1.cny");
    CHECK_INT("created", again.created_us, NOW);
    CHECK_TRUE("active", !again.suspended);

    CHECK_OK("suspend", tenant_suspend(conn, ACTOR, NOW, STR("acme"), true, &err), &err);
    CHECK_OK("book", tenant_set_book(conn, ACTOR, NOW, STR("acme"), STR("usd"), &err), &err);
    CHECK_OK("get", tenant_get(conn, tenant.id, &again, &err), &err);
    CHECK_TRUE("suspended", again.suspended);
    CHECK_TEXT("new book", again.book, "usd");
    CHECK_OK("suspend twice", tenant_suspend(conn, ACTOR, NOW, STR("acme"), true, &err), &err);
    CHECK_OK("resume", tenant_suspend(conn, ACTOR, NOW, STR("acme"), false, &err), &err);
    CHECK_OK("get", tenant_get(conn, tenant.id, &again, &err), &err);
    CHECK_TRUE("resumed", !again.suspended);

    CHECK_INT("find none", tenant_find(conn, STR("acm"), &again, &err), ERR_NOT_FOUND);
    CHECK_INT("get none", tenant_get(conn, tenant.id + 1, &again, &err), ERR_NOT_FOUND);
    CHECK_INT("suspend none", tenant_suspend(conn, ACTOR, NOW, STR("b"), true, &err),
              ERR_NOT_FOUND);
    CHECK_INT("book none", tenant_set_book(conn, ACTOR, NOW, STR("b"), STR("usd"), &err),
              ERR_NOT_FOUND);
    CHECK_INT("book bad", tenant_set_book(conn, ACTOR, NOW, STR("acme"), STR("U"), &err),
              ERR_INVALID);
    return ERR_OK;
}

/* What the log must hold after life_steps, and nothing of what failed. */
static enum err_code log_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    (void)ctx, (void)unused;
    CHECK_INT("entries", ask(conn, "SELECT COUNT(*) FROM audit"), 4);
    CHECK_INT("add",
              ask(conn, "SELECT COUNT(*) FROM audit WHERE seq = 1 AND"
                        " action = 'tenant.add' AND target = 'acme'"
                        " AND actor = 'cli:test' AND detail ="
                        " '{\"id\":1,\"currency\":\"CREDITS\",\"book\":\"ark_1.cny\"}'"),
              1);
    CHECK_INT("suspend",
              ask(conn, "SELECT COUNT(*) FROM audit WHERE seq = 2 AND"
                        " action = 'tenant.suspend'"),
              1);
    CHECK_INT("set",
              ask(conn, "SELECT COUNT(*) FROM audit WHERE seq = 3 AND action ="
                        " 'tenant.set' AND detail LIKE '%\"book\":\"usd\"%'"),
              1);
    CHECK_INT("resume",
              ask(conn, "SELECT COUNT(*) FROM audit WHERE seq = 4 AND"
                        " action = 'tenant.resume'"),
              1);
    return ERR_OK;
}

static enum err_code settings_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    int64_t *before = ctx, after = 0;
    struct err err = {0};

    (void)unused;
    CHECK_OK("version", settings_version(conn, &after, &err), &err);
    CHECK_TRUE("grown", after > *before);
    *before = after;
    return ERR_OK;
}

static enum err_code touch_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    return settings_touch(conn, err);
}

static void test_life(void)
{
    struct fixture fixture = {0};
    int64_t version = 1;

    fixture_init(&fixture);
    fixture_write(&fixture, refused_steps, NULL);
    fixture_fini(&fixture);

    fixture_init(&fixture);
    fixture_write(&fixture, life_steps, NULL);
    fixture_read(&fixture, log_steps, NULL);
    fixture_read(&fixture, settings_steps, &version);
    fixture_write(&fixture, touch_steps, NULL);
    fixture_read(&fixture, settings_steps, &version);
    fixture_fini(&fixture);
}

struct names {
    char text[64];
    int left; /* visits until the visitor fails; -1 never */
};

static enum err_code collect(const struct tenant *tenant, void *ctx, struct err *err)
{
    struct names *names = ctx;
    size_t len = strlen(names->text);

    if (names->left-- == 0)
        return err_set(err, ERR_BUSY, "enough");
    (void)snprintf(names->text + len, sizeof(names->text) - len, "%s ", tenant->name);
    return ERR_OK;
}

static enum err_code page_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const struct {
        int64_t after;
        int limit;
        int left;
        enum err_code rc;
        const char *want;
    } cases[] = {
        /* after limit left  rc      visited */
        {0, 10, -1, ERR_OK, "c a b "}, {0, 2, -1, ERR_OK, "c a "}, {2, 2, -1, ERR_OK, "b "},
        {3, 2, -1, ERR_OK, ""},        {0, 0, -1, ERR_OK, ""},     {0, -1, -1, ERR_OK, ""},
        {0, 10, 1, ERR_BUSY, "c "},
    };
    struct err err = {0};

    (void)ctx, (void)unused;
    add_tenant(conn, "c");
    add_tenant(conn, "a");
    add_tenant(conn, "b");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct names names = {.left = cases[i].left};
        CHECK_INT("each",
                  tenant_each(conn, cases[i].after, cases[i].limit, collect, &names, &err),
                  cases[i].rc);
        CHECK_TEXT("visited", names.text, cases[i].want);
    }
    return ERR_OK;
}

static void test_pages(void)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    fixture_write(&fixture, page_steps, NULL);
    fixture_fini(&fixture);
}

CHECK_MAIN(CHECK_TEST(test_names), CHECK_TEST(test_life), CHECK_TEST(test_pages))
