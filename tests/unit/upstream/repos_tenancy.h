/* SPDX-License-Identifier: Apache-2.0 */
/* The repositories of tenancy/, call by call. */
#ifndef ARKGATE_TESTS_UPSTREAM_REPOS_TENANCY_H
#define ARKGATE_TESTS_UPSTREAM_REPOS_TENANCY_H

#include "tests/unit/upstream/repos.h"

/* ---- settings and meta --------------------------------------------------------------------
 */

static enum err_code step_settings_touch(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    CASES(3);
    return settings_touch(conn, err);
}

static enum err_code step_settings_version(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    int64_t version;

    CASES(1);
    TRY(settings_version(conn, &version, err));
    tell_number(call->told, "version", version);
    return ERR_OK;
}

static enum err_code step_meta_repo_put(struct db_conn *conn, struct call *call,
                                        struct err *err)
{
    CASES(2 * TEXTS); /* the second half changes what is there */
    return meta_repo_put(conn, texts[call->at % TEXTS], texts[(call->at * 3) % TEXTS], err);
}

static enum err_code step_meta_repo_get(struct db_conn *conn, struct call *call,
                                        struct err *err)
{
    char value[64] = "";
    bool found = false;

    CASES(TEXTS + 1);
    TRY(meta_repo_get(conn, call->at < TEXTS ? texts[call->at] : "no such name", value,
                      sizeof(value), &found, err));
    tell_number(call->told, "found", found);
    tell_value(call->told, "value", str_from(value));
    return ERR_OK;
}

static enum err_code visit_meta(struct str name, struct str value, void *ctx, struct err *err)
{
    (void)err;
    tell_value(ctx, "name", name);
    tell_value(ctx, "value", value);
    buf_puts(ctx, "\n");
    return ERR_OK;
}

static enum err_code step_meta_repo_each(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    CASES(1);
    return meta_repo_each(conn, visit_meta, call->told, err);
}

static enum err_code step_meta_repo_remove(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    CASES(TEXTS / 2);
    return meta_repo_remove(conn, texts[2 * call->at], err);
}

/* ---- audit --------------------------------------------------------------------------------
 */

static enum err_code step_audit_repo_next(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    uint8_t prev[CRYPTO_HASH_BYTES];
    int64_t seq;

    CASES(3);
    TRY(audit_repo_next(conn, &seq, prev, err));
    tell_number(call->told, "seq", seq);
    tell_value(call->told, "prev", (struct str){(const char *)prev, sizeof(prev)});
    return ERR_OK;
}

static enum err_code step_audit_repo_insert(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    int at = call->at;
    struct audit_row row = {.seq = at < NUMBERS ? numbers[at] : at + 100,
                            .time_us = number_of(at, 1),
                            .actor = text_of(at, 0),
                            .action = text_of(at, 1),
                            .target = text_of(at, 2),
                            .detail = text_of(at, 3),
                            .prev = bytes_of(at),
                            .hash = bytes_of(at / 8)};

    CASES(TEXTS + 3);
    if (at == TEXTS)
        row.seq = 0; /* which is there */
    else if (at == TEXTS + 1)
        row.detail = STR("with a NUL\0 in it");
    else if (at == TEXTS + 2)
        row.detail = bytes_of(6); /* no UTF-8, and NUL first */
    return audit_repo_insert(conn, &row, err);
}

static enum err_code step_audit_repo_time(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    int64_t time_us;

    CASES(NUMBERS + 1);
    TRY(audit_repo_time(conn, call->at < NUMBERS ? numbers[call->at] : 77, &time_us, err));
    tell_number(call->told, "time_us", time_us);
    return ERR_OK;
}

static enum err_code step_audit_repo_set_head(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    CASES(2);
    return audit_repo_set_head(conn, hash_of(call->at), err);
}

static enum err_code step_audit_repo_head_is(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    bool same;

    CASES(4); /* 3 and the second hash is how the rows above left it */
    TRY(audit_repo_head_is(conn, 2 + call->at % 2, hash_of(call->at / 2), &same, err));
    tell_number(call->told, "same", same);
    return ERR_OK;
}

static enum err_code visit_audit(const struct audit_row *row, void *ctx, struct err *err)
{
    (void)err;
    TELL(ctx, row, seq);
    TELL(ctx, row, time_us);
    TELL_STR(ctx, row, actor);
    TELL_STR(ctx, row, action);
    TELL_STR(ctx, row, target);
    TELL_STR(ctx, row, detail);
    TELL_STR(ctx, row, prev);
    TELL_STR(ctx, row, hash);
    buf_puts(ctx, "\n");
    return ERR_OK;
}

static enum err_code step_audit_repo_each(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    static const int limits[] = {1000, 3, 1, 0, -1};
    int at = call->at;

    CASES(NUMBERS * COUNT_OF(limits));
    return audit_repo_each(conn, numbers[at % NUMBERS], limits[at / NUMBERS], visit_audit,
                           call->told, err);
}

/* ---- tenants ------------------------------------------------------------------------------
 */

static void tell_tenant(struct buf *told, const struct tenant *tenant)
{
    TELL(told, tenant, id);
    TELL_TEXT(told, tenant, name);
    TELL(told, tenant, suspended);
    TELL_TEXT(told, tenant, currency);
    TELL_TEXT(told, tenant, book);
    TELL(told, tenant, created_us);
    buf_puts(told, "\n");
}

static enum err_code visit_tenant(const struct tenant *tenant, void *ctx, struct err *err)
{
    (void)err;
    tell_tenant(ctx, tenant);
    return ERR_OK;
}

/* Tenants 1 "acme", 2 "other", and the rest of the texts. */
static enum err_code step_tenant_repo_insert(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    struct tenant tenant = {.suspended = call->at % 2 == 1,
                            .currency = "CNY",
                            .created_us = number_of(call->at, 0)};

    CASES(TEXTS + 2);
    (void)str_copy(tenant.name, sizeof(tenant.name), text_of(call->at, 0)); /* two twice */
    (void)str_copy(tenant.book, sizeof(tenant.book), text_of(call->at, 1));
    if (call->at > 2)
        str_copy_cut(tenant.currency, sizeof(tenant.currency), text_of(call->at, 2));
    TRY(tenant_repo_insert(conn, &tenant, err));
    tell_tenant(call->told, &tenant);
    return ERR_OK;
}

static enum err_code step_tenant_repo_find(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    struct tenant tenant;

    CASES(TEXTS + 2);
    TRY(tenant_repo_find(conn,
                         call->at < TEXTS    ? str_from(texts[call->at])
                         : call->at == TEXTS ? STR("nobody")
                                             : STR("ac\0me"),
                         &tenant, err));
    tell_tenant(call->told, &tenant);
    return ERR_OK;
}

static enum err_code step_tenant_repo_get(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    struct tenant tenant;

    CASES(NUMBERS);
    TRY(tenant_repo_get(conn, numbers[call->at], &tenant, err));
    tell_tenant(call->told, &tenant);
    return ERR_OK;
}

static enum err_code step_tenant_repo_update(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    struct tenant tenant = {.id = call->at, .suspended = call->at % 3 == 0, .name = "not this"};

    CASES(TEXTS + 9); /* from a number before the first to those behind the last */
    (void)str_copy(tenant.book, sizeof(tenant.book), text_of(call->at, 3));
    return tenant_repo_update(conn, &tenant, err);
}

static enum err_code step_tenant_repo_each(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    static const int limits[] = {1000, 2, 0, -1};

    CASES(NUMBERS * COUNT_OF(limits));
    return tenant_repo_each(conn, numbers[call->at % NUMBERS], limits[call->at / NUMBERS],
                            visit_tenant, call->told, err);
}

/* New ones of four tenants, then each changed. */
static enum err_code step_tenant_setting_repo_put(struct db_conn *conn, struct call *call,
                                                  struct err *err)
{
    int at = call->at;

    CASES(2 * TEXTS);
    return tenant_setting_repo_put(conn, numbers[at % TEXTS % 4], str_from(texts[at % TEXTS]),
                                   text_of(at, 1 + at / TEXTS), err);
}

static enum err_code step_tenant_setting_repo_each(struct db_conn *conn, struct call *call,
                                                   struct err *err)
{
    CASES(NUMBERS);
    return tenant_setting_repo_each(conn, numbers[call->at], visit_meta, call->told, err);
}

/* ---- tokens -------------------------------------------------------------------------------
 */

static void tell_token(struct buf *told, const struct token *token)
{
    TELL_TEXT(told, token, id);
    TELL_TEXT(told, token, identity);
    TELL(told, token, tenant_id);
    TELL_TEXT(told, token, tenant_name);
    TELL_TEXT(told, token, prefix);
    TELL(told, token, own_only);
    TELL(told, token, revoked);
    TELL_TEXT(told, token, note);
    TELL(told, token, created_us);
    TELL(told, token, expires_us);
    buf_puts(told, "\n");
}

static enum err_code visit_token(const struct token *token, void *ctx, struct err *err)
{
    (void)err;
    tell_token(ctx, token);
    return ERR_OK;
}

/* Of tenants 1 to 4, then what is refused: its id, its hash and its tenant. */
static enum err_code step_token_repo_insert(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    int at = call->at;
    struct token token = {.tenant_id = 1 + at % 4,
                          .own_only = at % 2 == 0,
                          .created_us = number_of(at, 0),
                          .expires_us = number_of(at, 1)};

    CASES(TEXTS + 3);
    (void)str_copy(token.id, sizeof(token.id), text_of(at, 0));
    (void)str_copy(token.identity, sizeof(token.identity), text_of(at, 1));
    str_copy_cut(token.prefix, sizeof(token.prefix), text_of(at, 2));
    (void)str_copy(token.note, sizeof(token.note), text_of(at, 3));
    if (at > TEXTS)
        (void)snprintf(token.id, sizeof(token.id), "tok-new");
    if (at == TEXTS + 2)
        token.tenant_id = 999;
    return token_repo_insert(conn, &token, hash_of(at == TEXTS + 1 ? 3 : at + 1), err);
}

static enum err_code step_token_repo_get(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    struct token token;

    CASES(TEXTS + 1);
    TRY(token_repo_get(conn, call->at < TEXTS ? str_from(texts[call->at]) : STR("tok-none"),
                       &token, err));
    tell_token(call->told, &token);
    return ERR_OK;
}

static enum err_code step_token_repo_by_hash(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    struct token token;
    struct tenant tenant;

    CASES(TEXTS + 9);
    TRY(token_repo_by_hash(conn, hash_of(call->at), &token, &tenant, err));
    tell_token(call->told, &token);
    tell_number(call->told, "suspended", tenant.suspended);
    tell_value(call->told, "book", str_from(tenant.book));
    return ERR_OK;
}

/* The tenant that has it, and another one. */
static enum err_code step_token_repo_set_expiry(struct db_conn *conn, struct call *call,
                                                struct err *err)
{
    struct token token = {.tenant_id = 1 + call->at % 2};

    CASES(2 * NUMBERS);
    (void)str_copy(token.id, sizeof(token.id), text_of(call->at, 0));
    return token_repo_set_expiry(conn, &token, numbers[call->at % NUMBERS], err);
}

static enum err_code step_token_repo_revoke(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    struct token token = {.tenant_id = 1 + call->at / 2 % 4};

    CASES(2 * TEXTS); /* each a second time, with another time */
    (void)str_copy(token.id, sizeof(token.id), text_of(call->at / 2, 0));
    return token_repo_revoke(conn, &token, number_of(call->at, 0), err);
}

static enum err_code step_token_repo_each(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    static const int limits[] = {1000, 5, 0, -1};

    CASES(TEXTS * 3 + 4);
    return token_repo_each(conn, call->at % 3,
                           call->at < TEXTS * 3 ? text_of(call->at / 3, 0) : STR(""),
                           limits[call->at % 4], visit_token, call->told, err);
}

/* ---- access keys --------------------------------------------------------------------------
 */

static void tell_access_key(struct buf *told, const struct access_key *key)
{
    TELL_TEXT(told, key, id);
    TELL_TEXT(told, key, identity);
    TELL(told, key, tenant_id);
    TELL_TEXT(told, key, tenant_name);
    TELL(told, key, own_only);
    TELL(told, key, revoked);
    TELL_TEXT(told, key, note);
    TELL(told, key, created_us);
    buf_puts(told, "\n");
}

static enum err_code visit_access_key(const struct access_key *key, void *ctx, struct err *err)
{
    (void)err;
    tell_access_key(ctx, key);
    return ERR_OK;
}

/* Of tenants 1 to 4, then what is refused: its id and its tenant. */
static enum err_code step_access_key_repo_insert(struct db_conn *conn, struct call *call,
                                                 struct err *err)
{
    int at = call->at;
    struct access_key key = {
        .tenant_id = 1 + at % 4, .own_only = at % 2 == 0, .created_us = number_of(at, 0)};

    CASES(TEXTS + 2);
    (void)str_copy(key.id, sizeof(key.id), text_of(at, 0));
    (void)str_copy(key.identity, sizeof(key.identity), text_of(at, 1));
    (void)str_copy(key.note, sizeof(key.note), text_of(at, 2));
    if (at == TEXTS + 1) {
        (void)snprintf(key.id, sizeof(key.id), "AKLTnew");
        key.tenant_id = 999;
    }
    return access_key_repo_insert(conn, &key, bytes_of(at), err);
}

static enum err_code step_access_key_repo_get(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    struct access_key key;

    CASES(TEXTS + 1);
    TRY(access_key_repo_get(conn, call->at < TEXTS ? str_from(texts[call->at]) : STR("none"),
                            &key, err));
    tell_access_key(call->told, &key);
    return ERR_OK;
}

static enum err_code step_access_key_repo_signer(struct db_conn *conn, struct call *call,
                                                 struct err *err)
{
    CLEANUP(buf_fini) struct buf sealed = {0};
    struct access_key key;
    struct tenant tenant;

    CASES(TEXTS + 1);
    buf_init(&sealed, 1 << 20);
    TRY(access_key_repo_signer(conn, call->at < TEXTS ? str_from(texts[call->at]) : STR("none"),
                               &key, &tenant, &sealed, err));
    tell_access_key(call->told, &key);
    tell_number(call->told, "suspended", tenant.suspended);
    tell_value(call->told, "book", str_from(tenant.book));
    tell_value(call->told, "sealed", buf_str(&sealed));
    return ERR_OK;
}

static enum err_code step_access_key_repo_revoke(struct db_conn *conn, struct call *call,
                                                 struct err *err)
{
    struct access_key key = {.tenant_id = 1 + call->at / 2 % 4};

    CASES(2 * TEXTS); /* each a second time, with another time */
    (void)str_copy(key.id, sizeof(key.id), text_of(call->at / 2, 0));
    return access_key_repo_revoke(conn, &key, number_of(call->at, 0), err);
}

static enum err_code step_access_key_repo_each(struct db_conn *conn, struct call *call,
                                               struct err *err)
{
    static const int limits[] = {1000, 5, 0, -1};

    CASES(TEXTS * 3 + 4);
    return access_key_repo_each(conn, call->at % 3,
                                call->at < TEXTS * 3 ? text_of(call->at / 3, 0) : STR(""),
                                limits[call->at % 4], visit_access_key, call->told, err);
}

/* ---- upstreams ----------------------------------------------------------------------------
 */

static void tell_account(struct buf *told, const struct upstream_account *account)
{
    TELL(told, account, id);
    TELL_TEXT(told, account, name);
    TELL(told, account, list_qps);
    TELL(told, account, get_qps);
    TELL(told, account, delete_qps);
    TELL(told, account, batch);
}

static void tell_upstream(struct buf *told, const struct upstream *upstream)
{
    TELL(told, upstream, id);
    TELL_TEXT(told, upstream, name);
    TELL_TEXT(told, upstream, base_url);
    TELL(told, upstream, state);
    TELL(told, upstream, inject);
    TELL(told, upstream, weight);
    TELL(told, upstream, created_us);
    tell_account(told, &upstream->account);
    buf_puts(told, "\n");
}

static enum err_code visit_upstream(const struct upstream *upstream, void *ctx, struct err *err)
{
    (void)err;
    tell_upstream(ctx, upstream);
    return ERR_OK;
}

/* Each name twice: the second time it is there. */
static enum err_code step_upstream_repo_account(struct db_conn *conn, struct call *call,
                                                struct err *err)
{
    struct upstream_account account;

    CASES(2 * TEXTS);
    TRY(upstream_repo_account(conn, str_from(texts[call->at / 2]), &account, err));
    tell_account(call->told, &account);
    return ERR_OK;
}

static enum err_code step_upstream_repo_insert(struct db_conn *conn, struct call *call,
                                               struct err *err)
{
    int at = call->at;
    struct upstream upstream = {.account = {.id = 1 + at % 4},
                                .state = (enum upstream_state)(at % 3),
                                .inject = at % 2 == 0,
                                .weight = number_of(at, 0),
                                .created_us = number_of(at, 1)};

    CASES(TEXTS + 2);
    (void)str_copy(upstream.name, sizeof(upstream.name), text_of(at, 0));
    (void)str_copy(upstream.base_url, sizeof(upstream.base_url), text_of(at, 1));
    if (at == TEXTS + 1) {
        (void)snprintf(upstream.name, sizeof(upstream.name), "of no account");
        upstream.account.id = 999;
    }
    TRY(upstream_repo_insert(conn, &upstream, err));
    tell_upstream(call->told, &upstream);
    return ERR_OK;
}

static enum err_code step_upstream_repo_set_key(struct db_conn *conn, struct call *call,
                                                struct err *err)
{
    CASES(9);
    return upstream_repo_set_key(conn, call->at, bytes_of(call->at == 8 ? -1 : call->at), err);
}

static enum err_code step_upstream_repo_key(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    CLEANUP(buf_fini) struct buf sealed = {0};

    CASES(10);
    buf_init(&sealed, 1 << 20);
    TRY(upstream_repo_key(conn, call->at, &sealed, err));
    tell_value(call->told, "sealed", buf_str(&sealed));
    return ERR_OK;
}

static enum err_code step_upstream_repo_find(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    struct upstream upstream;

    CASES(TEXTS + 1);
    TRY(upstream_repo_find(conn, call->at < TEXTS ? str_from(texts[call->at]) : STR("none"),
                           &upstream, err));
    tell_upstream(call->told, &upstream);
    return ERR_OK;
}

static enum err_code step_upstream_repo_update(struct db_conn *conn, struct call *call,
                                               struct err *err)
{
    int at = call->at;
    struct upstream upstream = {.id = at,
                                .state = (enum upstream_state)((at + 1) % 3),
                                .inject = at % 2 == 1,
                                .weight = number_of(at, 2),
                                .account = {.id = at,
                                            .list_qps = number_of(at, 3),
                                            .get_qps = number_of(at, 4),
                                            .delete_qps = number_of(at, 5),
                                            .batch = number_of(at, 6)}};

    CASES(TEXTS + 5);
    (void)str_copy(upstream.base_url, sizeof(upstream.base_url), text_of(at, 4));
    return upstream_repo_update(conn, &upstream, err);
}

/* New, changed, removed, and of an upstream that is none. */
static enum err_code step_upstream_repo_set_model(struct db_conn *conn, struct call *call,
                                                  struct err *err)
{
    int at = call->at, round = at / TEXTS;

    CASES(3 * TEXTS + 2);
    if (at >= 3 * TEXTS)
        return upstream_repo_set_model(conn, 999, STR("m"), at % 2 == 0 ? STR("x") : STR(""),
                                       err);
    return upstream_repo_set_model(conn, 1 + at % 2, str_from(texts[at % TEXTS]),
                                   round == 2 && at % 3 == 0 ? STR("") : text_of(at, round),
                                   err);
}

static enum err_code step_upstream_repo_models(struct db_conn *conn, struct call *call,
                                               struct err *err)
{
    CASES(4);
    return upstream_repo_models(conn, call->at, visit_meta, call->told, err);
}

static enum err_code step_upstream_repo_each(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    CASES(1);
    return upstream_repo_each(conn, visit_upstream, call->told, err);
}

#define REPOS_TENANCY                                                                          \
    ROW(settings_touch, "settings_version"), READ(settings_version),                           \
        ROW(meta_repo_put, "meta"), READ(meta_repo_get), READ(meta_repo_each),                 \
        ROW(meta_repo_remove, "meta"), ROW(audit_repo_next, "audit_head"),                     \
        ROW(audit_repo_insert, "audit"), READ(audit_repo_time),                                \
        ROW(audit_repo_set_head, "audit_head"), READ(audit_repo_head_is),                      \
        READ(audit_repo_each), ROW(tenant_repo_insert, "tenant"), READ(tenant_repo_find),      \
        READ(tenant_repo_get), ROW(tenant_repo_update, "tenant"), READ(tenant_repo_each),      \
        ROW(tenant_setting_repo_put, "tenant_setting"), READ(tenant_setting_repo_each),        \
        ROW(token_repo_insert, "token"), READ(token_repo_get), READ(token_repo_by_hash),       \
        ROW(token_repo_set_expiry, "token"), ROW(token_repo_revoke, "token"),                  \
        READ(token_repo_each), ROW(access_key_repo_insert, "access_key"),                      \
        READ(access_key_repo_get), READ(access_key_repo_signer),                               \
        ROW(access_key_repo_revoke, "access_key"), READ(access_key_repo_each),                 \
        ROW(upstream_repo_account, "upstream_account"), ROW(upstream_repo_insert, "upstream"), \
        ROW(upstream_repo_set_key, "upstream"), READ(upstream_repo_key),                       \
        READ(upstream_repo_find), ROW(upstream_repo_update, "upstream upstream_account"),      \
        ROW(upstream_repo_set_model, "upstream_model"), READ(upstream_repo_models),            \
        READ(upstream_repo_each)

#endif
