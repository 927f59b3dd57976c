/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a token's text and the life of its row. The text is seen once, by
 * whoever asked for it; stored is a hash that is worthless without the pepper. */
#include "tenancy/private.h"

#include <stdio.h>
#include <string.h>

enum {
    PREFIX_MAX = sizeof(((struct token *)0)->prefix) - 1,
    RANDOM_CHARS = 32,  /* 190 bits */
    CHECKSUM_CHARS = 6, /* 62^6 > 2^32 */
    TAIL_CHARS = 1 + RANDOM_CHARS + CHECKSUM_CHARS
};

/* A century: far enough, and sums of two such times stay far from overflow. */
static const int64_t life_max_us = INT64_C(36525) * 86400 * 1000000;

static const char base62[] = NAME_DIGITS NAME_UPPER NAME_LOWER;
static const char prefix_set[] = NAME_LOWER NAME_UPPER NAME_DIGITS "_";

static void put_checksum(struct str head, char ret_digits[CHECKSUM_CHARS])
{
    uint32_t crc = crypto_crc32(head);

    for (int i = CHECKSUM_CHARS; i > 0; i--) {
        ret_digits[i - 1] = base62[crc % 62];
        crc /= 62;
    }
}

/* In every request, so without the search through a set. */
static bool is_base62(struct str text)
{
    bool good = true;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        char lower = (char)(c | 0x20);
        good &= (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
    }
    return good;
}

static struct str prefix_of(struct str text)
{
    return (struct str){text.ptr, text.len - TAIL_CHARS};
}

static enum err_code id_check(struct str id, struct err *err)
{
    static const struct str head = STR("tok-");

    if (id.len > head.len && memcmp(id.ptr, head.ptr, head.len) == 0 &&
        name_is((struct str){id.ptr + head.len, id.len - head.len}, 16, 16,
                NAME_LOWER NAME_DIGITS))
        return ERR_OK;
    return err_field(err, "id", "a token id is tok- and 16 of a-z and 0-9");
}

/* Hashes text and writes the row; text and id are fresh from the caller. */
static enum err_code token_insert(struct db_conn *conn, const uint8_t pepper[CRYPTO_KEY_BYTES],
                                  struct str text, const struct token *token, struct err *err)
{
    uint8_t hash[CRYPTO_HASH_BYTES];

    TRY(id_check(str_from(token->id), err));
    if (!token_well_formed(text) || !str_is(prefix_of(text), token->prefix))
        return err_field(err, "prefix", "the text of a new token must begin with %s-",
                         token->prefix);
    crypto_keyed_hash(pepper, text, hash);
    return token_repo_insert(conn, token, hash, err);
}

static void put_token(struct json_out *out, const struct token *token)
{
    json_put_text(out, "id", str_from(token->id));
    json_put_text(out, "tenant", str_from(token->tenant_name));
    json_put_text(out, "prefix", str_from(token->prefix));
    json_put_text(out, "visibility", token->own_only ? STR("own") : STR("tenant"));
    json_put_int(out, "expires_us", token->expires_us);
}

void token_mint(struct str prefix, char *ret_text)
{
    char random[RANDOM_CHARS + 1], checksum[CHECKSUM_CHARS];

    if (prefix.len == 0)
        prefix = STR("oh");
    /* What is longer cannot be stored: token_add refuses the request. */
    int prefix_len = prefix.len < PREFIX_MAX ? (int)prefix.len : PREFIX_MAX;
    sys_random_text(random, RANDOM_CHARS, base62);
    int len = snprintf(ret_text, TOKEN_TEXT_MAX + 1, "%.*s-%s", prefix_len, prefix.ptr, random);
    put_checksum((struct str){ret_text, (size_t)len}, checksum);
    memcpy(ret_text + len, checksum, CHECKSUM_CHARS);
    ret_text[len + CHECKSUM_CHARS] = '\0';
    crypto_wipe(random, sizeof(random));
}

bool token_well_formed(struct str text)
{
    char checksum[CHECKSUM_CHARS];

    if (text.len <= TAIL_CHARS || text.len > TOKEN_TEXT_MAX)
        return false;
    struct str head = {text.ptr, text.len - CHECKSUM_CHARS};
    struct str random = {text.ptr + text.len - TAIL_CHARS + 1, TAIL_CHARS - 1};
    if (!name_is(prefix_of(text), 1, PREFIX_MAX, prefix_set) || random.ptr[-1] != '-' ||
        !is_base62(random))
        return false;
    put_checksum(head, checksum);
    return memcmp(checksum, text.ptr + head.len, CHECKSUM_CHARS) == 0;
}

FALLIBLE token_add(struct db_conn *conn, const char *actor, int64_t now_us,
                   const uint8_t pepper[CRYPTO_KEY_BYTES], const struct token_request *request,
                   const char *id, const char *text, struct token *ret_token, struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    struct str prefix = request->prefix.len > 0 ? request->prefix : STR("oh");
    struct token token = {
        .own_only = request->own_only, .created_us = now_us, .expires_us = request->expires_us};
    struct tenant tenant;

    if (!name_is(prefix, 1, PREFIX_MAX, prefix_set))
        return err_field(err, "prefix", "prefix must be 1 to %d of a-z, A-Z, 0-9 and _",
                         PREFIX_MAX);
    TRY(name_note_check(request->note, err));
    if (request->expires_us != 0 &&
        (request->expires_us <= now_us || request->expires_us - life_max_us > now_us))
        return err_field(err, "expires", "expires must be in the next 100 years");
    TRY(settings_touch(conn, err));
    TRY(tenant_find(conn, request->tenant, &tenant, err));

    token.tenant_id = tenant.id;
    (void)str_copy(token.id, sizeof(token.id), str_from(id));
    (void)str_copy(token.identity, sizeof(token.identity), str_from(id));
    (void)str_copy(token.tenant_name, sizeof(token.tenant_name), str_from(tenant.name));
    (void)str_copy(token.prefix, sizeof(token.prefix), prefix);
    (void)str_copy(token.note, sizeof(token.note), request->note);
    TRY(token_insert(conn, pepper, str_from(text), &token, err));

    struct json_out out = audit_detail(&detail);
    put_token(&out, &token);
    TRY(audit_change(conn, actor, now_us, "token.add", str_from(id), &out, err));
    *ret_token = token;
    return ERR_OK;
}

FALLIBLE token_get(struct db_conn *conn, struct str id, struct token *ret_token,
                   struct err *err)
{
    return token_repo_get(conn, id, ret_token, err);
}

FALLIBLE token_rotate(struct db_conn *conn, const char *actor, int64_t now_us,
                      const uint8_t pepper[CRYPTO_KEY_BYTES], struct str old_id,
                      int64_t old_expires_us, const char *id, const char *text,
                      struct token *ret_token, struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    struct token old, token;

    if (old_expires_us < now_us || old_expires_us - life_max_us > now_us)
        return err_field(err, "expires", "the old token must end in the next 100 years");
    TRY(settings_touch(conn, err));
    TRY(token_repo_get(conn, old_id, &old, err));
    if (old.revoked || (old.expires_us != 0 && old.expires_us <= now_us))
        return err_set(err, ERR_CONFLICT, "token %s has ended already", old.id);
    if (old.expires_us != 0 && old.expires_us < old_expires_us)
        old_expires_us = old.expires_us;

    token = old;
    token.created_us = now_us;
    /* As long a life as the old one was given: rotation must not end a limit. */
    token.expires_us = old.expires_us == 0 ? 0 : now_us + (old.expires_us - old.created_us);
    (void)str_copy(token.id, sizeof(token.id), str_from(id));
    TRY(token_insert(conn, pepper, str_from(text), &token, err));
    TRY(token_repo_set_expiry(conn, &old, old_expires_us, err));

    struct json_out out = audit_detail(&detail);
    put_token(&out, &token);
    json_put_int(&out, "old_expires_us", old_expires_us);
    TRY(audit_change(conn, actor, now_us, "token.rotate", str_from(old.id), &out, err));
    *ret_token = token;
    return ERR_OK;
}

FALLIBLE token_revoke(struct db_conn *conn, const char *actor, int64_t now_us, struct str id,
                      struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    struct token token;

    TRY(settings_touch(conn, err));
    TRY(token_repo_get(conn, id, &token, err));
    if (token.revoked)
        return ERR_OK; /* nothing changes, nothing to audit */
    TRY(token_repo_revoke(conn, &token, now_us, err));

    struct json_out out = audit_detail(&detail);
    put_token(&out, &token);
    return audit_change(conn, actor, now_us, "token.revoke", str_from(token.id), &out, err);
}

FALLIBLE token_each(struct db_conn *conn, struct str tenant_name_or_empty, struct str after_id,
                    int limit,
                    enum err_code (*visit)(const struct token *token, void *ctx,
                                           struct err *err),
                    void *ctx, struct err *err)
{
    struct tenant tenant = {0};

    if (tenant_name_or_empty.len > 0)
        TRY(tenant_find(conn, tenant_name_or_empty, &tenant, err));
    return token_repo_each(conn, tenant.id, after_id, limit, visit, ctx, err);
}
