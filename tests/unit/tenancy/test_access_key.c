/* SPDX-License-Identifier: Apache-2.0 */
/* Access keys: form, what is stored and what opens it, revocation, lists, audit. */
#include "tests/unit/tenancy/fixture.h"

#include "tenancy/private.h"

#define ID_A "AKLTaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "AKLTbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_C "AKLTcccccccccccccccccccccccccccc"
#define SECRET_A "aSecretOf40Charactersaaaaaaaaaaaaaaaaaaa"
#define SECRET_B "bSecretOf40Charactersbbbbbbbbbbbbbbbbbbb"

static void test_mint(void)
{
    char id[ACCESS_KEY_ID_CHARS + 1], secret[ACCESS_KEY_SECRET_CHARS + 1];
    char other_id[ACCESS_KEY_ID_CHARS + 1], other_secret[ACCESS_KEY_SECRET_CHARS + 1];

    access_key_mint(id, secret);
    access_key_mint(other_id, other_secret);
    CHECK_INT("id", strlen(id), 32);
    CHECK_INT("secret", strlen(secret), 40);
    CHECK_TRUE("well formed", access_key_well_formed(str_from(id)));
    CHECK_TRUE("another id", strcmp(id, other_id) != 0);
    CHECK_TRUE("another secret", strcmp(secret, other_secret) != 0);
}

static void test_form(void)
{
    static const struct {
        struct str id;
        bool good;
    } cases[] = {
        {STR(ID_A), true},
        {STR("AKLT0123456789ABCDEFGHIJabcdefgh"), true},
        {STR("AKLTaaaaaaaaaaaaaaaaaaaaaaaaaaa"), false},
        {STR(ID_A "a"), false},
        {STR("akltaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), false},
        {STR("AKTPaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), false},
        {STR("AKLTaaaaaaaaaaaaaaaaaaaaaaaaaaa-"), false},
        {STR("AKLTaaaaaaaaaaaaaaaaaaaaaaaaaaa\0"), false},
        {STR(""), false},
        {{NULL, 0}, false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        CHECK_INT(cases[i].id.ptr == NULL ? "null" : cases[i].id.ptr,
                  access_key_well_formed(cases[i].id), cases[i].good);
}

static enum err_code add(struct db_conn *conn, const struct access_key_request *request,
                         const char *id, const char *secret, struct access_key *ret_key,
                         struct err *err)
{
    return access_key_add(conn, ACTOR, NOW, master_key, request, id, secret, ret_key, err);
}

static enum err_code refused_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const struct {
        const char *field, *id, *secret;
        struct str note;
    } cases[] = {
        /* field   id    secret    note */
        {"id", "", SECRET_A, {0}},
        {"id", "tok-aaaaaaaaaaaaaaaa", SECRET_A, {0}},
        {"id", ID_A "a", SECRET_A, {0}},
        {"secret", ID_A, "", {0}},
        {"secret", ID_A, SECRET_A "a", {0}},
        {"secret", ID_A, "aSecretOf40Charactersaaaaaaaaaaaaaaaaa==", {0}},
        {"note", ID_A, SECRET_A, STR("two\nlines")},
        {"note", ID_A, SECRET_A, STR("bad \xff")},
    };
    struct access_key key;
    struct err err = {0};

    (void)ctx, (void)unused;
    add_tenant(conn, "acme");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct access_key_request request = {.tenant = STR("acme"), .note = cases[i].note};

        CHECK_INT(cases[i].id, add(conn, &request, cases[i].id, cases[i].secret, &key, &err),
                  ERR_INVALID);
        CHECK_TEXT(cases[i].id, err.field, cases[i].field);
        CHECK_TRUE("a secret is in no message", strstr(err.msg, SECRET_A) == NULL);
    }
    struct access_key_request request = {.tenant = STR("nobody")};
    CHECK_INT("no tenant", add(conn, &request, ID_A, SECRET_A, &key, &err), ERR_NOT_FOUND);
    CHECK_INT("rows", ask(conn, "SELECT COUNT(*) FROM access_key"), 0);
    return ERR_OK;
}

static void test_refused(void)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    fixture_write(&fixture, refused_steps, NULL);
    fixture_fini(&fixture);
}

static void check_audit(struct db_conn *conn)
{
    CHECK_INT("add",
              ask(conn, "SELECT COUNT(*) FROM audit WHERE action = 'access_key.add' AND"
                        " target = '" ID_A "' AND detail ="
                        " '{\"id\":\"" ID_A "\",\"tenant\":\"acme\",\"visibility\":\"own\"}'"),
              1);
    CHECK_INT("revoked once",
              ask(conn, "SELECT COUNT(*) FROM audit WHERE action = 'access_key.revoke' AND"
                        " target = '" ID_A "' AND time_us = 1800000000000007"),
              1);
    CHECK_INT("no more", ask(conn, "SELECT COUNT(*) FROM audit WHERE action LIKE 'access%'"),
              2);
}

static enum err_code life_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    struct access_key_request request = {
        .tenant = STR("acme"), .own_only = true, .note = STR("ci")};
    struct access_key key = {0};
    struct err err = {0};

    (void)ctx, (void)unused;
    add_tenant(conn, "acme");
    int64_t before = ask(conn, "SELECT version FROM settings_version");
    CHECK_OK("add", add(conn, &request, ID_A, SECRET_A, &key, &err), &err);
    CHECK_TEXT("identity", key.identity, ID_A);
    CHECK_INT("same id", add(conn, &request, ID_A, SECRET_B, &key, &err), ERR_CONFLICT);
    key = (struct access_key){0};
    CHECK_OK("find", access_key_find(conn, STR(ID_A), &key, &err), &err);
    CHECK_TEXT("id", key.id, ID_A);
    CHECK_TEXT("identity", key.identity, ID_A);
    CHECK_TEXT("tenant", key.tenant_name, "acme");
    CHECK_TEXT("note", key.note, "ci");
    CHECK_INT("tenant's id", key.tenant_id, 1);
    CHECK_INT("created", key.created_us, NOW);
    CHECK_TRUE("own", key.own_only && !key.revoked);

    CHECK_OK("revoke", access_key_revoke(conn, ACTOR, NOW + 7, STR(ID_A), &err), &err);
    CHECK_OK("again", access_key_revoke(conn, ACTOR, NOW + 8, STR(ID_A), &err), &err);
    CHECK_OK("find", access_key_find(conn, STR(ID_A), &key, &err), &err);
    CHECK_TRUE("revoked", key.revoked);
    CHECK_INT("revoke none", access_key_revoke(conn, ACTOR, NOW, STR(ID_B), &err),
              ERR_NOT_FOUND);
    CHECK_INT("find none", access_key_find(conn, STR(ID_B), &key, &err), ERR_NOT_FOUND);
    CHECK_TRUE("who remembers is told",
               ask(conn, "SELECT version FROM settings_version") > before + 1);
    check_audit(conn);
    return ERR_OK;
}

static void test_life(void)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    fixture_write(&fixture, life_steps, NULL);
    CHECK_TRUE("the id is on disk", is_on_disk(&fixture, ID_A));
    CHECK_TRUE("the secret is not", !is_on_disk(&fixture, SECRET_A));
    fixture_fini(&fixture);
}

static void read_sealed(struct db_conn *conn, const char *id, struct buf *ret_sealed)
{
    struct access_key key = {0};
    struct tenant tenant = {0};
    struct err err = {0};

    buf_init(ret_sealed, ACCESS_KEY_SEALED_BYTES);
    CHECK_OK(id, access_key_repo_signer(conn, str_from(id), &key, &tenant, ret_sealed, &err),
             &err);
    CHECK_TEXT("id", key.id, id);
    CHECK_TEXT("book", tenant.book, "ark-cny");
    CHECK_INT("sealed", ret_sealed->len, ACCESS_KEY_SEALED_BYTES);
}

static enum err_code sealed_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    CLEANUP(buf_fini) struct buf a = {0}, b = {0};
    CLEANUP(secret_fini) struct secret secret = {0};
    struct access_key_request request = {.tenant = STR("acme")};
    struct access_key key;
    struct err err = {0};

    (void)ctx, (void)unused;
    add_tenant(conn, "acme");
    CHECK_OK("a", add(conn, &request, ID_A, SECRET_A, &key, &err), &err);
    CHECK_OK("b", add(conn, &request, ID_B, SECRET_B, &key, &err), &err);
    read_sealed(conn, ID_A, &a);
    read_sealed(conn, ID_B, &b);
    CHECK_OK("opens", access_key_open(master_key, ID_A, buf_str(&a), &secret, &err), &err);
    CHECK_TRUE("the same", str_is(secret_expose(&secret), SECRET_A));
    CHECK_INT("another row", access_key_open(master_key, ID_A, buf_str(&b), &secret, &err),
              ERR_INTERNAL);
    CHECK_TRUE("named in the log", strstr(err.detail, ID_A) != NULL);
    CHECK_TRUE("not to the tenant", strstr(err.msg, ID_A) == NULL);
    CHECK_INT("another key", access_key_open(pepper_key, ID_A, buf_str(&a), &secret, &err),
              ERR_INTERNAL);
    return ERR_OK;
}

static void test_sealed(void)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    fixture_write(&fixture, sealed_steps, NULL);
    fixture_fini(&fixture);
}

static enum err_code visit(const struct access_key *key, void *ctx, struct err *err)
{
    struct buf *seen = ctx;

    (void)err;
    buf_printf(seen, "%c%s ", key->id[ACCESS_KEY_ID_CHARS - 1], key->tenant_name);
    return ERR_OK;
}

static void check_list(struct db_conn *conn, const char *tenant, const char *after, int limit,
                       const char *want)
{
    CLEANUP(buf_fini) struct buf seen = {0};
    struct err err = {0};

    buf_init(&seen, 4096);
    CHECK_OK(
        want,
        access_key_each(conn, str_from(tenant), str_from(after), limit, visit, &seen, &err),
        &err);
    CHECK_TEXT(want, seen.ptr == NULL ? "" : seen.ptr, want);
}

static enum err_code each_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    struct access_key_request acme = {.tenant = STR("acme")}, bolt = {.tenant = STR("bolt")};
    struct access_key key;
    struct err err = {0};

    (void)ctx, (void)unused;
    add_tenant(conn, "acme");
    add_tenant(conn, "bolt");
    CHECK_OK("c", add(conn, &acme, ID_C, SECRET_A, &key, &err), &err);
    CHECK_OK("b", add(conn, &bolt, ID_B, SECRET_A, &key, &err), &err);
    CHECK_OK("a", add(conn, &acme, ID_A, SECRET_A, &key, &err), &err);
    check_list(conn, "", "", 10, "aacme bbolt cacme ");
    check_list(conn, "", ID_A, 1, "bbolt ");
    check_list(conn, "acme", "", 10, "aacme cacme ");
    check_list(conn, "acme", ID_A, 10, "cacme ");
    check_list(conn, "bolt", ID_B, 10, "");
    check_list(conn, "", "", -1, "");
    CHECK_INT("nobody", access_key_each(conn, STR("nobody"), STR(""), 1, visit, NULL, &err),
              ERR_NOT_FOUND);
    return ERR_OK;
}

static void test_each(void)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    fixture_write(&fixture, each_steps, NULL);
    fixture_fini(&fixture);
}

CHECK_MAIN(CHECK_TEST(test_mint), CHECK_TEST(test_form), CHECK_TEST(test_refused),
           CHECK_TEST(test_life), CHECK_TEST(test_sealed), CHECK_TEST(test_each))
