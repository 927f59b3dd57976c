/* SPDX-License-Identifier: Apache-2.0 */
/* The form of access keys and the life of their rows. The secret half is shown once, to
 * whoever asked for it; stored it is sealed, since signatures are checked with it. How a
 * request is signed is not known here. */
#include "tenancy/private.h"

#include <stdio.h>
#include <string.h>

/* As Ark's own begin, for clients that look at it. */
static const struct str head = STR("AKLT");
enum { HEAD_CHARS = 4, ROW_NAME_MAX = 64 };

static const char base62[] = NAME_DIGITS NAME_UPPER NAME_LOWER;

_Static_assert(sizeof(((struct access_key *)0)->id) <= sizeof(((struct scope *)0)->token_id),
               "it stands where a token's id stands");

/* What the sealed secret is bound to. */
static struct str row_name(const char *id, char dst[ROW_NAME_MAX])
{
    (void)snprintf(dst, ROW_NAME_MAX, "access_key.secret:%s", id);
    return str_from(dst);
}

static enum err_code halves_check(const char *id, const char *secret, struct err *err)
{
    if (!access_key_well_formed(str_from(id)))
        return err_field(err, "id", "an access key's id is %s and %d of a-z, A-Z and 0-9",
                         head.ptr, ACCESS_KEY_ID_CHARS - HEAD_CHARS);
    if (!name_is(str_from(secret), ACCESS_KEY_SECRET_CHARS, ACCESS_KEY_SECRET_CHARS, base62))
        return err_field(err, "secret", "an access key's secret is %d of a-z, A-Z and 0-9",
                         ACCESS_KEY_SECRET_CHARS);
    return ERR_OK;
}

static void put_key(struct json_out *out, const struct access_key *key)
{
    json_put_text(out, "id", str_from(key->id));
    json_put_text(out, "tenant", str_from(key->tenant_name));
    json_put_text(out, "visibility", key->own_only ? STR("own") : STR("tenant"));
}

void access_key_mint(char ret_id[ACCESS_KEY_ID_CHARS + 1],
                     char ret_secret[ACCESS_KEY_SECRET_CHARS + 1])
{
    memcpy(ret_id, head.ptr, HEAD_CHARS);
    sys_random_text(ret_id + HEAD_CHARS, ACCESS_KEY_ID_CHARS - HEAD_CHARS, base62);
    sys_random_text(ret_secret, ACCESS_KEY_SECRET_CHARS, base62);
}

bool access_key_well_formed(struct str id)
{
    return name_is(id, ACCESS_KEY_ID_CHARS, ACCESS_KEY_ID_CHARS, base62) &&
           memcmp(id.ptr, head.ptr, HEAD_CHARS) == 0;
}

FALLIBLE access_key_add(struct db_conn *conn, const char *actor, int64_t now_us,
                        const uint8_t master[CRYPTO_KEY_BYTES],
                        const struct access_key_request *request, const char *id,
                        const char *secret, struct access_key *ret_key, struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    CLEANUP(buf_fini) struct buf sealed = {0};
    struct access_key key = {.own_only = request->own_only, .created_us = now_us};
    struct tenant tenant;
    char row[ROW_NAME_MAX];

    TRY(halves_check(id, secret, err));
    TRY(name_note_check(request->note, err));
    TRY(settings_touch(conn, err));
    TRY(tenant_find(conn, request->tenant, &tenant, err));

    key.tenant_id = tenant.id;
    (void)str_copy(key.id, sizeof(key.id), str_from(id));
    (void)str_copy(key.identity, sizeof(key.identity), str_from(id));
    (void)str_copy(key.tenant_name, sizeof(key.tenant_name), str_from(tenant.name));
    (void)str_copy(key.note, sizeof(key.note), request->note);
    buf_init(&sealed, ACCESS_KEY_SEALED_BYTES);
    TRY(crypto_seal(master, row_name(id, row), str_from(secret), &sealed, err));
    TRY(access_key_repo_insert(conn, &key, buf_str(&sealed), err));

    struct json_out out = audit_detail(&detail);
    put_key(&out, &key);
    TRY(audit_change(conn, actor, now_us, "access_key.add", str_from(id), &out, err));
    *ret_key = key;
    return ERR_OK;
}

FALLIBLE access_key_find(struct db_conn *conn, struct str id, struct access_key *ret_key,
                         struct err *err)
{
    return access_key_repo_get(conn, id, ret_key, err);
}

FALLIBLE access_key_revoke(struct db_conn *conn, const char *actor, int64_t now_us,
                           struct str id, struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    struct access_key key;

    TRY(settings_touch(conn, err));
    TRY(access_key_repo_get(conn, id, &key, err));
    if (key.revoked)
        return ERR_OK; /* nothing changes, nothing to audit */
    TRY(access_key_repo_revoke(conn, &key, now_us, err));

    struct json_out out = audit_detail(&detail);
    put_key(&out, &key);
    return audit_change(conn, actor, now_us, "access_key.revoke", str_from(key.id), &out, err);
}

FALLIBLE access_key_each(struct db_conn *conn, struct str tenant_name_or_empty,
                         struct str after_id, int limit,
                         enum err_code (*visit)(const struct access_key *key, void *ctx,
                                                struct err *err),
                         void *ctx, struct err *err)
{
    struct tenant tenant = {0};

    if (tenant_name_or_empty.len > 0)
        TRY(tenant_find(conn, tenant_name_or_empty, &tenant, err));
    return access_key_repo_each(conn, tenant.id, after_id, limit, visit, ctx, err);
}

FALLIBLE access_key_open(const uint8_t master[CRYPTO_KEY_BYTES], const char *id,
                         struct str sealed, struct secret *ret_secret, struct err *err)
{
    char row[ROW_NAME_MAX];

    enum err_code rc = crypto_open(master, row_name(id, row), sealed, ret_secret, err);
    if (rc == ERR_PERMISSION)
        return err_detail(err, ERR_INTERNAL, "the secret of access key %s does not open", id);
    return rc;
}
