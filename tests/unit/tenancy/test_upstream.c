/* SPDX-License-Identifier: Apache-2.0 */
/* Upstreams: URLs, settings, states, model mappings, and keys that open in their
 * own row alone. */
#include "tests/unit/tenancy/fixture.h"

#define KEY_A "sk-ark-first-very-secret-key"
#define KEY_B "sk-ark-other-very-secret-key"
#define URL "http://127.0.0.1:9000/api/v3"
#define X_63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static enum err_code add(struct db_conn *conn, const char *name, const char *account,
                         const char *url, struct str key, struct upstream *ret_upstream)
{
    struct err err = {0};
    enum err_code rc = upstream_add(conn, ACTOR, NOW, master_key, str_from(name),
                                    str_from(account), str_from(url), key, ret_upstream, &err);

    CHECK_INT(name, rc, err.code);
    return rc;
}

static enum err_code url_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const struct {
        const char *url;
        const char *want; /* as stored; NULL refused */
    } cases[] = {
        /* given                           stored */
        {"https://ark.cn-beijing.volces.com/api/v3",
         "https://ark.cn-beijing.volces.com/api/v3"},
        {"https://ark.cn-beijing.volces.com/api/v3///",
         "https://ark.cn-beijing.volces.com/api/v3"},
        {"http://127.0.0.1:9000", "http://127.0.0.1:9000"},
        {"http://h/", "http://h"},
        {"http://h:65535/x@y", "http://h:65535/x@y"},
        {"http://[::1]:80/", "http://[::1]:80"},
        {"http://[2001:db8::1]", "http://[2001:db8::1]"},
        {"", NULL},
        {"ark.cn-beijing.volces.com", NULL},
        {"ftp://h", NULL},
        {"HTTP://h", NULL},
        {"http:/h", NULL},
        {"http://", NULL},
        {"http:///", NULL},
        {"http:///path", NULL},
        {"http://:80", NULL},
        {"http://h:", NULL},
        {"http://h:0", NULL},
        {"http://h:65536", NULL},
        {"http://h:8a", NULL},
        {"http://h:+1", NULL},
        {"http://user@h", NULL},
        {"http://user:pw@h/x", NULL},
        {"http://h/x?q=1", NULL},
        {"http://h/#f", NULL},
        {"http://h/a b", NULL},
        {"http://h/\xc3\xa4", NULL},
        {"http://h\\@evil", NULL},
        {"http://h/\x7f", NULL},
        {"http://h/\n", NULL},
        {"http://[::1", NULL},
        {"http://[]", NULL},
        {"http://[x::1]", NULL},
        {"http://-h", NULL},
        {"http://.", NULL},
        {"http://a%20b", NULL},
    };
    struct err err = {0};
    struct upstream upstream;

    (void)ctx, (void)unused;
    CHECK_INT("add", add(conn, "main", "", "http://first", STR(KEY_A), &upstream), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *url = cases[i].url;
        enum err_code rc =
            upstream_set(conn, ACTOR, NOW, STR("main"), STR("base_url"), str_from(url), &err);
        CHECK_INT(url, rc, cases[i].want != NULL ? ERR_OK : ERR_INVALID);
        if (cases[i].want == NULL) {
            CHECK_TEXT(url, err.field, "base_url");
            CHECK_INT(url, add(conn, "new", "", url, STR(KEY_A), &upstream), ERR_INVALID);
        } else {
            CHECK_OK(url, upstream_find(conn, STR("main"), &upstream, &err), &err);
            CHECK_TEXT(url, upstream.base_url, cases[i].want);
        }
    }
    char longest[UPSTREAM_URL_MAX + 2] = "http://h/";
    memset(longest + 9, 'x', UPSTREAM_URL_MAX - 9);
    CHECK_INT("longest", add(conn, "long", "", longest, STR(KEY_A), &upstream), ERR_OK);
    CHECK_TEXT("whole", upstream.base_url, longest);
    longest[UPSTREAM_URL_MAX] = 'x';
    CHECK_INT("too long", add(conn, "longer", "", longest, STR(KEY_A), &upstream), ERR_INVALID);
    return ERR_OK;
}

static void run_fresh(db_fn steps)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    fixture_write(&fixture, steps, NULL);
    fixture_fini(&fixture);
}

static void test_urls(void)
{
    run_fresh(url_steps);
}

static enum err_code add_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static char key[UPSTREAM_KEY_MAX + 1];
    struct upstream first = {0}, second = {0};
    struct err err = {0};

    (void)ctx, (void)unused;
    CHECK_INT("add", add(conn, "main", "", URL "/", STR(KEY_A), &first), ERR_OK);
    CHECK_TEXT("its own account", first.account.name, "main");
    CHECK_INT("list", first.account.list_qps, 1);
    CHECK_INT("get", first.account.get_qps, 20);
    CHECK_INT("delete", first.account.delete_qps, 20);
    CHECK_INT("batch", first.account.batch, 100);
    CHECK_INT("active", first.state, UPSTREAM_ACTIVE);
    CHECK_TRUE("inject", first.inject);
    CHECK_INT("taken", add(conn, "main", "x", URL, STR(KEY_A), &second), ERR_CONFLICT);
    CHECK_INT("shared", add(conn, "spare", "main", URL, STR(KEY_B), &second), ERR_OK);
    CHECK_INT("one account", second.account.id, first.account.id);
    CHECK_TRUE("two upstreams", second.id != first.id);
    CHECK_OK("find", upstream_find(conn, STR("spare"), &first, &err), &err);
    CHECK_INT("same", first.id, second.id);
    CHECK_TEXT("url", first.base_url, URL);
    CHECK_INT("created", first.created_us, NOW);

    CHECK_INT("bad name", add(conn, "Main", "", URL, STR(KEY_A), &first), ERR_INVALID);
    CHECK_INT("bad account", add(conn, "m2", "a b", URL, STR(KEY_A), &first), ERR_INVALID);
    memset(key, 'k', sizeof(key));
    CHECK_INT("longest key",
              add(conn, "long", "", URL, (struct str){key, UPSTREAM_KEY_MAX}, &first), ERR_OK);
    CHECK_INT("longer key",
              add(conn, "k", "", URL, (struct str){key, UPSTREAM_KEY_MAX + 1}, &first),
              ERR_INVALID);
    CHECK_INT("no key", add(conn, "k", "", URL, STR(""), &first), ERR_INVALID);
    CHECK_INT("space", add(conn, "k", "", URL, STR("a b"), &first), ERR_INVALID);
    CHECK_INT("line end", add(conn, "k", "", URL, STR("a\r\nX: y"), &first), ERR_INVALID);
    CHECK_INT("high", add(conn, "k", "", URL, STR("a\x80"), &first), ERR_INVALID);
    CHECK_INT("find none", upstream_find(conn, STR("k"), &first, &err), ERR_NOT_FOUND);
    CHECK_INT("entries",
              ask(conn, "SELECT COUNT(*) FROM audit WHERE"
                        " action = 'upstream.add'"),
              3);
    CHECK_INT("detail",
              ask(conn,
                  "SELECT COUNT(*) FROM audit WHERE target = 'spare' AND"
                  " detail = '{\"id\":' || (SELECT id FROM upstream WHERE name = 'spare') ||"
                  " ',\"account\":\"main\",\"base_url\":\"" URL "\"}'"),
              1);
    return ERR_OK;
}

static void test_add(void)
{
    run_fresh(add_steps);
}

static enum err_code set_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const struct {
        struct str key, value;
        bool good;
    } cases[] = {
        /* key                  value        good */
        {STR("inject"), STR("off"), true},
        {STR("inject"), STR("on"), true},
        {STR("inject"), STR("true"), false},
        {STR("inject"), STR(""), false},
        {STR("weight"), STR("1"), true},
        {STR("weight"), STR("1000"), true},
        {STR("weight"), STR("0"), false},
        {STR("weight"), STR("1001"), false},
        {STR("weight"), STR("-1"), false},
        {STR("weight"), STR("1.5"), false},
        {STR("weight"), STR(""), false},
        {STR("weight"), STR("99999999999999999999"), false},
        {STR("list_qps"), STR("1000"), true},
        {STR("list_qps"), STR("1001"), false},
        {STR("get_qps"), STR("1000"), true},
        {STR("get_qps"), STR("0"), false},
        {STR("delete_qps"), STR("7"), true},
        {STR("delete_qps"), STR("x"), false},
        {STR("batch"), STR("500"), true},
        {STR("batch"), STR("501"), false},
        {STR("model.doubao-seedance-2-0"), STR("ep-20260101-abcde"), true},
        {STR("model.doubao-seedance-2-0"), STR("a b"), false},
        {STR("model.doubao-seedance-2-0"), STR(X_63 X_63 "xxx"), false},
        {STR("model." X_63 X_63 "xx"), STR("ep-1"), true},
        {STR("model." X_63 X_63 "xxx"), STR("ep-1"), false},
        {STR("model."), STR("ep-1"), false},
        {STR("model.a b"), STR("ep-1"), false},
        {STR("models"), STR("x"), false},
        {STR(""), STR("x"), false},
        {STR("name"), STR("x"), false},
        {STR("state"), STR("removed"), false},
        {STR("Weight"), STR("1"), false},
        {STR("weight\0"), STR("1"), false},
        {STR("model." X_63 X_63 X_63), STR("ep-1"), false},
    };
    struct upstream upstream;
    struct err err = {0};
    int good = 0;

    (void)ctx, (void)unused;
    CHECK_INT("add", add(conn, "main", "", URL, STR(KEY_A), &upstream), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum err_code rc =
            upstream_set(conn, ACTOR, NOW, STR("main"), cases[i].key, cases[i].value, &err);
        CHECK_INT(cases[i].key.ptr, rc, cases[i].good ? ERR_OK : ERR_INVALID);
        good += cases[i].good;
    }
    CHECK_INT("one entry each",
              ask(conn, "SELECT COUNT(*) FROM audit WHERE"
                        " action = 'upstream.set'"),
              good);
    CHECK_INT("detail",
              ask(conn, "SELECT COUNT(*) FROM audit WHERE detail ="
                        " '{\"id\":1,\"key\":\"delete_qps\",\"value\":\"7\"}'"),
              1);
    CHECK_OK("find", upstream_find(conn, STR("main"), &upstream, &err), &err);
    CHECK_TRUE("inject", upstream.inject);
    CHECK_INT("weight", upstream.weight, 1000);
    CHECK_INT("list", upstream.account.list_qps, 1000);
    CHECK_INT("get", upstream.account.get_qps, 1000);
    CHECK_INT("delete", upstream.account.delete_qps, 7);
    CHECK_INT("batch", upstream.account.batch, 500);
    CHECK_TEXT("url", upstream.base_url, URL);
    CHECK_INT("none", upstream_set(conn, ACTOR, NOW, STR("x"), STR("weight"), STR("1"), &err),
              ERR_NOT_FOUND);
    CHECK_INT("field",
              upstream_set(conn, ACTOR, NOW, STR("main"), STR("batch"), STR("0"), &err),
              ERR_INVALID);
    CHECK_TEXT("named", err.field, "batch");
    return ERR_OK;
}

static void test_set(void)
{
    run_fresh(set_steps);
}

/* The one mapping that is looked for. */
struct mapping {
    struct str model;
    char sent[MODEL_NAME_MAX + 1];
};

static enum err_code take_mapping(struct str model, struct str sent, void *ctx, struct err *err)
{
    struct mapping *mapping = ctx;

    (void)err;
    if (str_eq(model, mapping->model))
        (void)str_copy(mapping->sent, sizeof(mapping->sent), sent);
    return ERR_OK;
}

static void check_mapping(struct db_conn *conn, const char *what, int64_t id, struct str model,
                          const char *want)
{
    struct mapping mapping = {.model = model};
    struct err err = {0};

    CHECK_OK(what, upstream_models(conn, id, take_mapping, &mapping, &err), &err);
    CHECK_TEXT(what, mapping.sent, want);
}

static enum err_code model_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const struct str model = STR("doubao-seedance-2-0");
    static const struct str key = STR("model.doubao-seedance-2-0");
    struct upstream upstream, other;
    struct err err = {0};

    (void)ctx, (void)unused;
    CHECK_INT("add", add(conn, "main", "", URL, STR(KEY_A), &upstream), ERR_OK);
    CHECK_INT("add", add(conn, "spare", "", URL, STR(KEY_A), &other), ERR_OK);
    check_mapping(conn, "unmapped", upstream.id, model, "");
    CHECK_OK("map", upstream_set(conn, ACTOR, NOW, STR("main"), key, STR("ep-1"), &err), &err);
    check_mapping(conn, "mapped", upstream.id, model, "ep-1");
    CHECK_OK("map anew", upstream_set(conn, ACTOR, NOW, STR("main"), key, STR("ep-2"), &err),
             &err);
    check_mapping(conn, "mapped anew", upstream.id, model, "ep-2");
    check_mapping(conn, "the other", other.id, model, "");
    CHECK_OK("unmap", upstream_set(conn, ACTOR, NOW, STR("main"), key, STR(""), &err), &err);
    check_mapping(conn, "unmapped again", upstream.id, model, "");
    return ERR_OK;
}

static void test_models(void)
{
    run_fresh(model_steps);
}

static enum err_code move_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const struct {
        enum upstream_state to;
        int64_t open_tasks;
        enum err_code rc;
        const char *action; /* of the newest entry */
    } cases[] = {
        /* to                open rc            newest entry */
        {UPSTREAM_ACTIVE, 0, ERR_CONFLICT, "upstream.add"},
        {UPSTREAM_REMOVED, 0, ERR_CONFLICT, "upstream.add"},
        {UPSTREAM_DRAINING, 3, ERR_OK, "upstream.drain"},
        {UPSTREAM_DRAINING, 0, ERR_CONFLICT, "upstream.drain"},
        {UPSTREAM_ACTIVE, 3, ERR_OK, "upstream.resume"},
        {UPSTREAM_DRAINING, 3, ERR_OK, "upstream.drain"},
        {UPSTREAM_REMOVED, 1, ERR_CONFLICT, "upstream.drain"},
        {UPSTREAM_REMOVED, 0, ERR_OK, "upstream.remove"},
        {UPSTREAM_ACTIVE, 0, ERR_CONFLICT, "upstream.remove"},
        {UPSTREAM_DRAINING, 0, ERR_CONFLICT, "upstream.remove"},
        {UPSTREAM_REMOVED, 0, ERR_CONFLICT, "upstream.remove"},
    };
    static const char sql[] = "SELECT action FROM audit ORDER BY seq DESC LIMIT 1";
    struct upstream upstream;
    struct err err = {0};

    (void)ctx, (void)unused;
    CHECK_INT("add", add(conn, "main", "", URL, STR(KEY_A), &upstream), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP(db_done) struct db_stmt *stmt = NULL;
        enum upstream_state before = upstream.state;

        CHECK_INT("move",
                  upstream_move(conn, ACTOR, NOW, STR("main"), cases[i].to, cases[i].open_tasks,
                                &err),
                  cases[i].rc);
        CHECK_OK("find", upstream_find(conn, STR("main"), &upstream, &err), &err);
        CHECK_INT("state", upstream.state, cases[i].rc == ERR_OK ? cases[i].to : before);
        CHECK_OK("prepare", db_prepare(conn, sql, &stmt, &err), &err);
        CHECK_INT("row", db_step(stmt, &err), DB_ROW);
        CHECK_TRUE(cases[i].action, str_is(db_get_text(stmt, 0), cases[i].action));
    }
    CHECK_INT("set", upstream_set(conn, ACTOR, NOW, STR("main"), STR("weight"), STR("1"), &err),
              ERR_CONFLICT);
    CHECK_INT("rotate",
              upstream_rotate(conn, ACTOR, NOW, master_key, STR("main"), STR(KEY_B), &err),
              ERR_CONFLICT);
    CHECK_INT("none", upstream_move(conn, ACTOR, NOW, STR("x"), UPSTREAM_DRAINING, 0, &err),
              ERR_NOT_FOUND);
    return ERR_OK;
}

static void test_moves(void)
{
    run_fresh(move_steps);
}

static void check_key(struct db_conn *conn, int64_t id, const uint8_t *master,
                      enum err_code want_rc, const char *want)
{
    CLEANUP(secret_fini) struct secret key = {0};
    struct err err = {0};

    CHECK_INT("open", upstream_key(conn, master, id, &key, &err), want_rc);
    CHECK_TRUE("the key", want_rc != ERR_OK || str_is(secret_expose(&key), want));
}

static enum err_code key_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    uint8_t other[CRYPTO_KEY_BYTES];
    struct upstream first, second;
    struct err err = {0};

    (void)ctx, (void)unused;
    CHECK_INT("add", add(conn, "main", "", URL, STR(KEY_A), &first), ERR_OK);
    CHECK_INT("add", add(conn, "spare", "", URL, STR("x"), &second), ERR_OK);
    check_key(conn, first.id, master_key, ERR_OK, KEY_A);
    check_key(conn, second.id, master_key, ERR_OK, "x");
    CHECK_OK("rotate",
             upstream_rotate(conn, ACTOR, NOW, master_key, STR("spare"), STR(KEY_B), &err),
             &err);
    check_key(conn, second.id, master_key, ERR_OK, KEY_B);
    CHECK_INT("bad key",
              upstream_rotate(conn, ACTOR, NOW, master_key, STR("spare"), STR(" "), &err),
              ERR_INVALID);
    check_key(conn, second.id, master_key, ERR_OK, KEY_B);
    CHECK_INT("entry",
              ask(conn, "SELECT COUNT(*) FROM audit WHERE action = 'upstream.rotate'"
                        " AND target = 'spare' AND detail = '{\"id\":2}'"),
              1);
    memcpy(other, master_key, sizeof(other));
    other[0] ^= 1;
    check_key(conn, first.id, other, ERR_PERMISSION, NULL);
    check_key(conn, second.id + 1, master_key, ERR_NOT_FOUND, NULL);
    return ERR_OK;
}

static enum err_code swap_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    (void)ctx, (void)unused;
    tamper(conn, "UPDATE upstream SET key_sealed = (SELECT key_sealed FROM upstream"
                 " WHERE id = 1) WHERE id = 2");
    check_key(conn, 1, master_key, ERR_OK, KEY_A);
    check_key(conn, 2, master_key, ERR_PERMISSION, NULL);
    tamper(conn, "UPDATE upstream SET key_sealed = substr(key_sealed, 1, 0) WHERE id = 1");
    check_key(conn, 1, master_key, ERR_PERMISSION, NULL);
    return ERR_OK;
}

static void test_keys(void)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    fixture_write(&fixture, key_steps, NULL);
    CHECK_TRUE("what is stored can be seen", is_on_disk(&fixture, URL));
    CHECK_TRUE("no key in clear", !is_on_disk(&fixture, "very-secret"));
    fixture_write(&fixture, swap_steps, NULL);
    db_close(&fixture.db);
    CHECK_TRUE("what is stored can be seen", is_on_disk(&fixture, URL));
    CHECK_TRUE("no key in clear", !is_on_disk(&fixture, "very-secret"));
    fixture_fini(&fixture);
}

static enum err_code collect(const struct upstream *upstream, void *ctx, struct err *err)
{
    struct buf *text = ctx;

    buf_printf(text, "%s@%s:%d ", upstream->name, upstream->account.name, (int)upstream->state);
    return buf_check(text, err);
}

static enum err_code each_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    CLEANUP(buf_fini) struct buf text = {0};
    struct upstream upstream;
    struct err err = {0};

    (void)ctx, (void)unused;
    buf_init(&text, 1024);
    CHECK_OK("none", upstream_each(conn, collect, &text, &err), &err);
    CHECK_INT("nothing", text.len, 0);
    CHECK_INT("add", add(conn, "b", "team", URL, STR(KEY_A), &upstream), ERR_OK);
    CHECK_INT("add", add(conn, "a", "team", URL, STR(KEY_A), &upstream), ERR_OK);
    CHECK_OK("drain", upstream_move(conn, ACTOR, NOW, STR("a"), UPSTREAM_DRAINING, 0, &err),
             &err);
    CHECK_OK("each", upstream_each(conn, collect, &text, &err), &err);
    CHECK_TEXT("in order", text.ptr, "b@team:0 a@team:1 ");
    return ERR_OK;
}

static void test_each(void)
{
    run_fresh(each_steps);
}

CHECK_MAIN(CHECK_TEST(test_urls), CHECK_TEST(test_add), CHECK_TEST(test_set),
           CHECK_TEST(test_models), CHECK_TEST(test_moves), CHECK_TEST(test_keys),
           CHECK_TEST(test_each))
