/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator may say of one tenant beside its book and its credit: which settings
 * there are, which values they take, and what holds where nothing is said. */
#include "tenancy/private.h"

#include <stddef.h>
#include <string.h>

enum { WORDS_MAX = 2 };

/* A word's place in the list is its value; without words it is a number. */
static const struct {
    const char *name;
    const char *words[WORDS_MAX];
    int64_t min, max, otherwise;
    size_t offset;
} keys[] = {
    /* name         words                from  to         default       member */
    {"assets", {"on", "off"}, 0, 1, 0, offsetof(struct tenant_settings, assets_off)},
    {"media_source", {"any", "library"}, 0, 1, 0, offsetof(struct tenant_settings, library)},
    {"asset_count",
     {NULL},
     0,
     1000000000,
     100000,
     offsetof(struct tenant_settings, asset_count)},
    {"asset_bytes",
     {NULL},
     0,
     INT64_C(1) << 60,
     INT64_C(100) << 30,
     offsetof(struct tenant_settings, asset_bytes)},
};

static int64_t *member(struct tenant_settings *settings, size_t key)
{
    return (int64_t *)(void *)((char *)settings + keys[key].offset);
}

static bool parse(size_t key, struct str value, int64_t *ret_value)
{
    for (int i = 0; i < WORDS_MAX && keys[key].words[i] != NULL; i++) {
        *ret_value = i;
        if (str_is(value, keys[key].words[i]))
            return true;
    }
    return keys[key].words[0] == NULL && str_to_i64(value, ret_value) &&
           *ret_value >= keys[key].min && *ret_value <= keys[key].max;
}

static enum err_code refuse(size_t key, struct err *err)
{
    if (keys[key].words[0] != NULL)
        return err_field(err, keys[key].name, "%s must be %s or %s", keys[key].name,
                         keys[key].words[0], keys[key].words[1]);
    return err_field(err, keys[key].name, "%s must be a number from %lld to %lld",
                     keys[key].name, (long long)keys[key].min, (long long)keys[key].max);
}

FALLIBLE tenant_setting_set(struct db_conn *conn, const char *actor, int64_t now_us,
                            const struct tenant *tenant, struct str name, struct str value,
                            struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    int64_t ignored;
    size_t key = 0;

    while (key < COUNT_OF(keys) && !str_is(name, keys[key].name))
        key++;
    if (key == COUNT_OF(keys))
        return err_set(err, ERR_NOT_FOUND, "a tenant has no setting %.*s", (int)name.len,
                       name.ptr);
    if (!parse(key, value, &ignored))
        return refuse(key, err);
    TRY(settings_touch(conn, err));
    TRY(tenant_setting_repo_put(conn, tenant->id, name, value, err));

    struct json_out out = audit_detail(&detail);
    json_put_text(&out, keys[key].name, value);
    return audit_change(conn, actor, now_us, "tenant.set", str_from(tenant->name), &out, err);
}

static enum err_code take(struct str name, struct str value, void *ctx, struct err *err)
{
    struct tenant_settings *settings = ctx;

    for (size_t key = 0; key < COUNT_OF(keys); key++) {
        if (!str_is(name, keys[key].name))
            continue;
        if (!parse(key, value, member(settings, key)))
            return err_detail(err, ERR_INTERNAL, "the tenant's setting %s is not valid",
                              keys[key].name);
    }
    return ERR_OK;
}

FALLIBLE tenant_setting_load(struct db_conn *conn, int64_t tenant_id,
                             struct tenant_settings *ret_settings, struct err *err)
{
    for (size_t key = 0; key < COUNT_OF(keys); key++)
        *member(ret_settings, key) = keys[key].otherwise;
    return tenant_setting_repo_each(conn, tenant_id, take, ret_settings, err);
}

void tenant_setting_put(const struct tenant_settings *settings, struct json_out *out)
{
    struct tenant_settings copy = *settings;

    for (size_t key = 0; key < COUNT_OF(keys); key++) {
        int64_t value = *member(&copy, key);

        if (keys[key].words[0] != NULL)
            json_put_text(out, keys[key].name, str_from(keys[key].words[value]));
        else
            json_put_int(out, keys[key].name, value);
    }
}
