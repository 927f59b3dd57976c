/* SPDX-License-Identifier: Apache-2.0 */
/* Every change tells running gateways and the audit log, once each. */
#include "tests/unit/tenancy/fixture.h"

#define ID_A "tok-aaaaaaaaaaaaaaaa"
#define ID_B "tok-bbbbbbbbbbbbbbbb"

static enum err_code do_tenant_add(struct db_conn *conn, struct err *err)
{
    struct tenant tenant;

    return tenant_add(conn, ACTOR, NOW, STR("acme"), STR("CNY"), STR("b"), &tenant, err);
}

static enum err_code do_tenant_suspend(struct db_conn *conn, struct err *err)
{
    return tenant_suspend(conn, ACTOR, NOW, STR("acme"), true, err);
}

static enum err_code do_tenant_resume(struct db_conn *conn, struct err *err)
{
    return tenant_suspend(conn, ACTOR, NOW, STR("acme"), false, err);
}

static enum err_code do_tenant_set(struct db_conn *conn, struct err *err)
{
    return tenant_set_book(conn, ACTOR, NOW, STR("acme"), STR("c"), err);
}

static enum err_code do_token_add(struct db_conn *conn, struct err *err)
{
    struct token_request request = {.tenant = STR("acme")};
    char text[TOKEN_TEXT_MAX + 1];
    struct token token;

    token_mint(STR("oh"), text);
    return token_add(conn, ACTOR, NOW, pepper_key, &request, ID_A, text, &token, err);
}

static enum err_code do_token_rotate(struct db_conn *conn, struct err *err)
{
    char text[TOKEN_TEXT_MAX + 1];
    struct token token;

    token_mint(STR("oh"), text);
    return token_rotate(conn, ACTOR, NOW, pepper_key, STR(ID_A), NOW, ID_B, text, &token, err);
}

static enum err_code do_token_revoke(struct db_conn *conn, struct err *err)
{
    return token_revoke(conn, ACTOR, NOW, STR(ID_B), err);
}

static enum err_code do_upstream_add(struct db_conn *conn, struct err *err)
{
    struct upstream upstream;

    return upstream_add(conn, ACTOR, NOW, master_key, STR("main"), STR(""), STR("http://h"),
                        STR("k"), &upstream, err);
}

static enum err_code do_upstream_set(struct db_conn *conn, struct err *err)
{
    return upstream_set(conn, ACTOR, NOW, STR("main"), STR("model.m"), STR("ep-1"), err);
}

static enum err_code do_upstream_rotate(struct db_conn *conn, struct err *err)
{
    return upstream_rotate(conn, ACTOR, NOW, master_key, STR("main"), STR("l"), err);
}

static enum err_code move_to(struct db_conn *conn, enum upstream_state to, struct err *err)
{
    return upstream_move(conn, ACTOR, NOW, STR("main"), to, 0, err);
}

static enum err_code do_upstream_drain(struct db_conn *conn, struct err *err)
{
    return move_to(conn, UPSTREAM_DRAINING, err);
}

static enum err_code do_upstream_resume(struct db_conn *conn, struct err *err)
{
    return move_to(conn, UPSTREAM_ACTIVE, err);
}

static enum err_code do_upstream_remove(struct db_conn *conn, struct err *err)
{
    return move_to(conn, UPSTREAM_REMOVED, err);
}

/* In an order in which each is allowed. */
static const struct {
    const char *action;
    enum err_code (*run)(struct db_conn *conn, struct err *err);
} changes[] = {
    {"tenant.add", do_tenant_add},         {"tenant.suspend", do_tenant_suspend},
    {"tenant.resume", do_tenant_resume},   {"tenant.set", do_tenant_set},
    {"token.add", do_token_add},           {"token.rotate", do_token_rotate},
    {"token.revoke", do_token_revoke},     {"upstream.add", do_upstream_add},
    {"upstream.set", do_upstream_set},     {"upstream.rotate", do_upstream_rotate},
    {"upstream.drain", do_upstream_drain}, {"upstream.resume", do_upstream_resume},
    {"upstream.drain", do_upstream_drain}, {"upstream.remove", do_upstream_remove},
};

static enum err_code check_entry(const struct audit_entry *entry, void *ctx, struct err *err)
{
    int *visits = ctx;

    (void)err;
    CHECK_TEXT("action", entry->action, changes[entry->seq - 1].action);
    CHECK_TEXT("actor", entry->actor, ACTOR);
    CHECK_INT("time", entry->time_us, NOW);
    (*visits)++;
    return ERR_OK;
}

static enum err_code change_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    int visits = 0;
    struct err err = {0};

    (void)ctx, (void)unused;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        int64_t before = 0, after = 0;

        CHECK_OK("version", settings_version(conn, &before, &err), &err);
        CHECK_OK(changes[i].action, changes[i].run(conn, &err), &err);
        CHECK_OK("version", settings_version(conn, &after, &err), &err);
        CHECK_INT(changes[i].action, after, before + 1);
        CHECK_INT(changes[i].action, ask(conn, "SELECT seq FROM audit_head"), i + 1);
    }
    CHECK_OK("each", audit_each(conn, 0, 100, check_entry, &visits, &err), &err);
    CHECK_INT("one entry each", visits, COUNT_OF(changes));
    return ERR_OK;
}

static void test_changes(void)
{
    struct fixture fixture = {0};
    struct err err = {0};
    int64_t entries = 0;

    fixture_init(&fixture);
    fixture_write(&fixture, change_steps, NULL);
    CHECK_OK("verify", audit_verify(fixture.db, &entries, &err), &err);
    CHECK_INT("entries", entries, COUNT_OF(changes));
    fixture_fini(&fixture);
}

CHECK_MAIN(CHECK_TEST(test_changes))
