/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: form and typos, what is stored, rotation, revocation, lists. */
#include "tests/unit/tenancy/fixture.h"

#define ID_A "tok-aaaaaaaaaaaaaaaa"
#define ID_B "tok-bbbbbbbbbbbbbbbb"
#define ID_C "tok-cccccccccccccccc"
#define HOUR_US INT64_C(3600000000)

static void test_mint(void)
{
    char text[TOKEN_TEXT_MAX + 1], other[TOKEN_TEXT_MAX + 1];

    token_mint(STR("rk"), text);
    CHECK_INT("length", strlen(text), 2 + 1 + 32 + 6);
    CHECK_TRUE("prefix", strncmp(text, "rk-", 3) == 0);
    CHECK_TRUE("well formed", token_well_formed(str_from(text)));
    token_mint(STR("rk"), other);
    CHECK_TRUE("another", strcmp(text, other) != 0);
    token_mint((struct str){0}, text);
    CHECK_TRUE("default prefix", strncmp(text, "oh-", 3) == 0);
    token_mint(STR("aZ_4567890123456"), text);
    CHECK_TRUE("longest prefix", token_well_formed(str_from(text)));
    /* Cannot be stored, but must not overflow either. */
    token_mint(STR("a_prefix_of_more_than_sixteen_letters_that_token_add_will_refuse_"
                   "a_prefix_of_more_than_sixteen_letters_that_token_add_will_refuse"),
               text);
    CHECK_INT("cut", strlen(text), 16 + 1 + 32 + 6);
}

/* The checksum's definition, computed in Python: zlib.crc32 in base 62. */
static void test_form(void)
{
    static const struct {
        struct str text;
        bool good;
    } cases[] = {
        /* text            good */
        {STR("oh-0123456789ABCDEFGHIJKLMNOPQRSTUV0yVviG"), true},
        {STR("rk-zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz0tc2aJ"), true},
        {STR("rk-zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz0tc2aJ "), false},
        {STR(" rk-zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz0tc2aJ"), false},
        {STR("-0123456789ABCDEFGHIJKLMNOPQRSTUV3vXjeK"), false},
        {STR("a-b-0123456789ABCDEFGHIJKLMNOPQRSTUV4gTBeb"), false},
        {STR("abcdefghijklmnopq-0123456789ABCDEFGHIJKLMNOPQRSTUV0KCZUT"), false},
        {STR("0123456789ABCDEFGHIJKLMNOPQRSTUV000000"), false},
        {STR("oh-"), false},
        {STR(""), false},
        {{NULL, 0}, false},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        CHECK_INT(cases[i].text.ptr == NULL ? "null" : cases[i].text.ptr,
                  token_well_formed(cases[i].text), cases[i].good);
}

static void test_typos(void)
{
    char text[TOKEN_TEXT_MAX + 1], longest[2 * TOKEN_TEXT_MAX];

    token_mint(STR("oh"), text);
    struct str token = str_from(text);
    for (size_t i = 0; i < token.len; i++) {
        char right = text[i];
        for (int c = 0; c < 256; c++) {
            if (c == (unsigned char)right)
                continue;
            text[i] = (char)c;
            if (token_well_formed(token))
                CHECK_FAILED("typo", "accepted at %zu: %d", i, c);
        }
        text[i] = right;
    }
    for (size_t i = 0; i + 1 < token.len; i++) {
        char left = text[i], right = text[i + 1];
        text[i] = right, text[i + 1] = left;
        CHECK_INT("swapped", token_well_formed(token), left == right);
        text[i] = left, text[i + 1] = right;
    }
    for (size_t len = 0; len < token.len; len++)
        CHECK_TRUE("cut", !token_well_formed((struct str){text, len}));
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + sizeof(longest) - token.len, text, token.len);
    CHECK_TRUE("too long", !token_well_formed((struct str){longest, sizeof(longest)}));
    CHECK_TRUE("unharmed", token_well_formed(token));
}

static enum err_code refused_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const char note_200[] = "0123456789012345678901234567890123456789012345678901234567"
                                   "8901234567890123456789012345678901234567890123456789012345"
                                   "6789012345678901234567890123456789012345678901234567890123"
                                   "45678901234567890123456789";
    _Static_assert(sizeof(note_200) == 201, "the longest note and its NUL");
    struct token_request good = {.tenant = STR("acme")};
    struct token_request requests[] = {
        {.tenant = STR("acme"), .prefix = STR("a-b")},
        {.tenant = STR("acme"), .prefix = STR("abcdefghijklmnopq")},
        {.tenant = STR("acme"), .note = {note_200, 201}},
        {.tenant = STR("acme"), .note = STR("bad \xff")},
        {.tenant = STR("acme"), .note = STR("two\nlines")},
        {.tenant = STR("acme"), .expires_us = NOW},
        {.tenant = STR("acme"), .expires_us = -1},
        {.tenant = STR("acme"), .expires_us = INT64_MAX},
        {.tenant = STR("acme"), .prefix = STR("rk")}, /* the text begins with oh- */
    };
    static const char *const fields[] = {"prefix",  "prefix",  "note",    "note",  "note",
                                         "expires", "expires", "expires", "prefix"};
    static const char *const ids[] = {"",
                                      "tok-",
                                      "tok-AAAAAAAAAAAAAAAA",
                                      "tok-aaaaaaaaaaaaaaa",
                                      "tok-aaaaaaaaaaaaaaaaa",
                                      "xxx-aaaaaaaaaaaaaaaa"};
    char text[TOKEN_TEXT_MAX + 1], typo[TOKEN_TEXT_MAX + 1];
    struct token token;
    struct err err = {0};

    (void)ctx, (void)unused;
    add_tenant(conn, "acme");
    token_mint(STR("oh"), text);
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        CHECK_INT(
            "request",
            token_add(conn, ACTOR, NOW, pepper_key, &requests[i], ID_A, text, &token, &err),
            ERR_INVALID);
        CHECK_TEXT("field", err.field, fields[i]);
    }
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        CHECK_INT(ids[i],
                  token_add(conn, ACTOR, NOW, pepper_key, &good, ids[i], text, &token, &err),
                  ERR_INVALID);
        CHECK_TEXT(ids[i], err.field, "id");
    }
    (void)str_copy(typo, sizeof(typo), str_from(text));
    typo[10] ^= 1;
    CHECK_INT("malformed text",
              token_add(conn, ACTOR, NOW, pepper_key, &good, ID_A, typo, &token, &err),
              ERR_INVALID);
    good.expires_us = NOW + INT64_C(3155760000000001);
    CHECK_INT("over a century",
              token_add(conn, ACTOR, NOW, pepper_key, &good, ID_A, text, &token, &err),
              ERR_INVALID);
    good.expires_us--;
    good.note = (struct str){note_200, 200};
    CHECK_OK("a century",
             token_add(conn, ACTOR, NOW, pepper_key, &good, ID_A, text, &token, &err), &err);
    good.tenant = STR("nobody");
    CHECK_INT("no tenant",
              token_add(conn, ACTOR, NOW, pepper_key, &good, ID_B, text, &token, &err),
              ERR_NOT_FOUND);
    return ERR_OK;
}

static void test_refused(void)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    fixture_write(&fixture, refused_steps, NULL);
    fixture_fini(&fixture);
}

struct texts {
    char a[TOKEN_TEXT_MAX + 1], b[TOKEN_TEXT_MAX + 1], c[TOKEN_TEXT_MAX + 1];
};

static void check_rotation(struct db_conn *conn, const struct texts *texts)
{
    struct token old = {0}, token = {0};
    char rk_text[TOKEN_TEXT_MAX + 1];
    struct err err = {0};

    token_mint(STR("rk"), rk_text);
    CHECK_INT(
        "other prefix",
        token_rotate(conn, ACTOR, NOW, pepper_key, STR(ID_A), NOW, ID_B, rk_text, &token, &err),
        ERR_INVALID);
    CHECK_INT(
        "end in the past",
        token_rotate(conn, ACTOR, NOW, pepper_key, STR(ID_A), 0, ID_B, texts->b, &token, &err),
        ERR_INVALID);
    CHECK_INT("same text",
              token_rotate(conn, ACTOR, NOW, pepper_key, STR(ID_A), NOW, ID_B, texts->a, &token,
                           &err),
              ERR_CONFLICT);
    CHECK_OK("rotate",
             token_rotate(conn, ACTOR, NOW + 5, pepper_key, STR(ID_A), NOW + HOUR_US, ID_B,
                          texts->b, &token, &err),
             &err);
    CHECK_OK("old", token_get(conn, STR(ID_A), &old, &err), &err);
    CHECK_INT("old ends", old.expires_us, NOW + HOUR_US);
    CHECK_OK("new", token_get(conn, STR(ID_B), &token, &err), &err);
    CHECK_TEXT("identity", token.identity, ID_A);
    CHECK_TRUE("visibility", token.own_only);
    CHECK_TEXT("note", token.note, "ci");
    CHECK_INT("same life", token.expires_us, NOW + 5 + 24 * HOUR_US);

    CHECK_OK("rotate again",
             token_rotate(conn, ACTOR, NOW + 6, pepper_key, STR(ID_B), NOW + 100 * HOUR_US,
                          ID_C, texts->c, &token, &err),
             &err);
    CHECK_TEXT("first identity", token.identity, ID_A);
    CHECK_OK("old", token_get(conn, STR(ID_B), &old, &err), &err);
    CHECK_INT("never longer", old.expires_us, NOW + 5 + 24 * HOUR_US);
    CHECK_INT("ended",
              token_rotate(conn, ACTOR, NOW + HOUR_US, pepper_key, STR(ID_A), NOW + 9 * HOUR_US,
                           "tok-dddddddddddddddd", texts->a, &token, &err),
              ERR_CONFLICT);
}

static enum err_code life_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    const struct texts *texts = ctx;
    struct token_request request = {.tenant = STR("acme"),
                                    .own_only = true,
                                    .note = STR("ci"),
                                    .expires_us = NOW + 24 * HOUR_US};
    struct token token = {0};
    struct err err = {0};

    (void)unused;
    add_tenant(conn, "acme");
    CHECK_OK("add",
             token_add(conn, ACTOR, NOW, pepper_key, &request, ID_A, texts->a, &token, &err),
             &err);
    CHECK_TEXT("identity", token.identity, ID_A);
    CHECK_TEXT("prefix", token.prefix, "oh");
    CHECK_TEXT("tenant", token.tenant_name, "acme");
    CHECK_INT("same id",
              token_add(conn, ACTOR, NOW, pepper_key, &request, ID_A, texts->b, &token, &err),
              ERR_CONFLICT);
    check_rotation(conn, texts);

    CHECK_OK("revoke", token_revoke(conn, ACTOR, NOW + 7, STR(ID_C), &err), &err);
    CHECK_OK("revoke twice", token_revoke(conn, ACTOR, NOW + 8, STR(ID_C), &err), &err);
    CHECK_OK("get", token_get(conn, STR(ID_C), &token, &err), &err);
    CHECK_TRUE("revoked", token.revoked);
    CHECK_INT("rotate revoked",
              token_rotate(conn, ACTOR, NOW + 8, pepper_key, STR(ID_C), NOW + 9,
                           "tok-dddddddddddddddd", texts->a, &token, &err),
              ERR_CONFLICT);
    CHECK_INT("revoke none", token_revoke(conn, ACTOR, NOW, STR("tok-none"), &err),
              ERR_NOT_FOUND);
    CHECK_INT("get none", token_get(conn, STR("tok-none"), &token, &err), ERR_NOT_FOUND);

    CHECK_INT("entries", ask(conn, "SELECT COUNT(*) FROM audit"), 5);
    CHECK_INT("add",
              ask(conn, "SELECT COUNT(*) FROM audit WHERE action = 'token.add' AND"
                        " target = '" ID_A "' AND detail ="
                        " '{\"id\":\"" ID_A "\",\"tenant\":\"acme\",\"prefix\":\"oh\","
                        "\"visibility\":\"own\",\"expires_us\":1800086400000000}'"),
              1);
    CHECK_INT("rotations",
              ask(conn, "SELECT COUNT(*) FROM audit WHERE"
                        " action = 'token.rotate'"),
              2);
    CHECK_INT("revoked once",
              ask(conn, "SELECT COUNT(*) FROM audit WHERE"
                        " action = 'token.revoke' AND time_us = 1800000000000007"),
              1);
    return ERR_OK;
}

static void test_life(void)
{
    struct fixture fixture = {0};
    struct texts texts;

    token_mint(STR("oh"), texts.a);
    token_mint(STR("oh"), texts.b);
    token_mint(STR("oh"), texts.c);
    fixture_init(&fixture);
    fixture_write(&fixture, life_steps, &texts);
    for (int closed = 0; closed < 2; closed++) {
        CHECK_TRUE("what is stored can be seen", is_on_disk(&fixture, ID_B));
        CHECK_TRUE("first text", !is_on_disk(&fixture, texts.a + 3));
        CHECK_TRUE("second text", !is_on_disk(&fixture, texts.b + 3));
        CHECK_TRUE("third text", !is_on_disk(&fixture, texts.c + 3));
        db_close(&fixture.db);
    }
    fixture_fini(&fixture);
}

static enum err_code collect(const struct token *token, void *ctx, struct err *err)
{
    struct buf *ids = ctx;

    buf_printf(ids, "%s:%s ", token->tenant_name, token->id + 4);
    return buf_check(ids, err);
}

static enum err_code list_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const struct {
        struct str tenant, after;
        int limit;
        const char *want;
    } cases[] = {
        /* tenant  after          limit visited */
        {STR("acme"), STR(""), 10, "acme:aaaaaaaaaaaaaaaa acme:cccccccccccccccc "},
        {STR("acme"), STR(""), 1, "acme:aaaaaaaaaaaaaaaa "},
        {STR("acme"), STR(ID_A), 10, "acme:cccccccccccccccc "},
        {STR("acme"), STR(ID_B), 10, "acme:cccccccccccccccc "},
        {STR("bolt"), STR(""), 10, "bolt:bbbbbbbbbbbbbbbb "},
        {STR("bolt"), STR(ID_B), 10, ""},
        {STR("bare"), STR(""), 10, ""},
        {STR(""), STR(""), 2, "acme:aaaaaaaaaaaaaaaa bolt:bbbbbbbbbbbbbbbb "},
        {STR(""), STR(ID_B), 10, "acme:cccccccccccccccc "},
        {STR(""), STR(""), -1, ""},
    };
    char text[TOKEN_TEXT_MAX + 1];
    struct err err = {0};

    (void)ctx, (void)unused;
    add_tenant(conn, "acme");
    add_tenant(conn, "bolt");
    add_tenant(conn, "bare");
    token_mint(STR("oh"), text);
    add_token(conn, "acme", ID_A, text);
    token_mint(STR("oh"), text);
    add_token(conn, "bolt", ID_B, text);
    token_mint(STR("oh"), text);
    add_token(conn, "acme", ID_C, text);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP(buf_fini) struct buf ids = {0};
        buf_init(&ids, 1024);
        buf_puts(&ids, "");
        CHECK_OK("each",
                 token_each(conn, cases[i].tenant, cases[i].after, cases[i].limit, collect,
                            &ids, &err),
                 &err);
        CHECK_TEXT("visited", ids.len == 0 ? "" : ids.ptr, cases[i].want);
    }
    CHECK_INT("no tenant", token_each(conn, STR("nobody"), STR(""), 10, collect, NULL, &err),
              ERR_NOT_FOUND);
    return ERR_OK;
}

static void test_lists(void)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    fixture_write(&fixture, list_steps, NULL);
    fixture_fini(&fixture);
}

CHECK_MAIN(CHECK_TEST(test_mint), CHECK_TEST(test_form), CHECK_TEST(test_typos),
           CHECK_TEST(test_refused), CHECK_TEST(test_life), CHECK_TEST(test_lists))
