/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts at Ark and the credentials that call them: what an operator may set,
 * how keys are sealed, which state follows which. Calling Ark is another
 * folder's. */
#include "tenancy/private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    WEIGHT_MAX = 1000, /* a share among upstreams; finer is not needed */
    QPS_MAX = 1000,    /* far above any limit that Ark grants an account */
    BATCH_MAX = 500,   /* Ark's largest page_size */
    WEIGHT_DEFAULT = 100
};

/* Numbers that upstream_set takes. */
static const struct number {
    const char *key;
    size_t offset; /* of an int64_t in struct upstream */
    int64_t max;   /* and at least 1 */
} numbers[] = {
    /* key         member                                         max */
    {"weight", offsetof(struct upstream, weight), WEIGHT_MAX},
    {"list_qps", offsetof(struct upstream, account.list_qps), QPS_MAX},
    {"get_qps", offsetof(struct upstream, account.get_qps), QPS_MAX},
    {"delete_qps", offsetof(struct upstream, account.delete_qps), QPS_MAX},
    {"batch", offsetof(struct upstream, account.batch), BATCH_MAX},
};

/* Allowed moves and their names in the audit log. */
static const struct move {
    enum upstream_state from, to;
    const char *action;
} moves[] = {
    {UPSTREAM_ACTIVE, UPSTREAM_DRAINING, "upstream.drain"},
    {UPSTREAM_DRAINING, UPSTREAM_ACTIVE, "upstream.resume"},
    {UPSTREAM_DRAINING, UPSTREAM_REMOVED, "upstream.remove"},
};

static const char model_set[] = NAME_LOWER NAME_UPPER NAME_DIGITS "._:/-";

/* What seals a key into its row: "upstream.key:7". */
struct row_name {
    char text[40];
};

static struct str row_name_put(struct row_name *row, int64_t id)
{
    (void)snprintf(row->text, sizeof(row->text), "upstream.key:%" PRId64, id);
    return str_from(row->text);
}

/* It becomes an HTTP header: no space, no control, no line end. */
static enum err_code key_check(struct str key, struct err *err)
{
    bool good = key.len >= 1 && key.len <= UPSTREAM_KEY_MAX;

    for (size_t i = 0; good && i < key.len; i++)
        good = key.ptr[i] > ' ' && key.ptr[i] <= '~';
    if (good)
        return ERR_OK;
    return err_field(err, "key", "the key must be 1 to %d printable ASCII characters",
                     UPSTREAM_KEY_MAX);
}

static enum err_code key_store(struct db_conn *conn, const uint8_t master[CRYPTO_KEY_BYTES],
                               int64_t id, struct str key, struct err *err)
{
    CLEANUP(buf_fini) struct buf sealed = {0};
    struct row_name row;

    buf_init(&sealed, UPSTREAM_KEY_MAX + CRYPTO_SEAL_OVERHEAD);
    TRY(crypto_seal(master, row_name_put(&row, id), key, &sealed, err));
    return upstream_repo_set_key(conn, id, buf_str(&sealed), err);
}

/* The upstream to change; a removed one stays as it was. */
static enum err_code find_live(struct db_conn *conn, struct str name,
                               struct upstream *ret_upstream, struct err *err)
{
    TRY(settings_touch(conn, err));
    TRY(upstream_repo_find(conn, name, ret_upstream, err));
    if (ret_upstream->state == UPSTREAM_REMOVED)
        return err_set(err, ERR_CONFLICT, "upstream %s is removed", ret_upstream->name);
    return ERR_OK;
}

static enum err_code set_model(struct db_conn *conn, int64_t id, const char *key,
                               struct str model, struct str sent, struct err *err)
{
    if (!name_is(model, 1, MODEL_NAME_MAX, model_set))
        return err_field(err, key, "a model name must be 1 to %d of a-z, A-Z, 0-9 and ._:/-",
                         MODEL_NAME_MAX);
    if (!name_is(sent, 0, MODEL_NAME_MAX, model_set))
        return err_field(err, key, "%s must be at most %d of a-z, A-Z, 0-9 and ._:/-", key,
                         MODEL_NAME_MAX);
    return upstream_repo_set_model(conn, id, model, sent, err);
}

static enum err_code set_number(struct upstream *upstream, const struct number *number,
                                struct str value, struct err *err)
{
    int64_t parsed;

    if (!str_to_i64(value, &parsed) || parsed < 1 || parsed > number->max)
        return err_field(err, number->key, "%s must be 1 to %" PRId64, number->key,
                         number->max);
    memcpy((char *)upstream + number->offset, &parsed, sizeof(parsed));
    return ERR_OK;
}

/* Everything but models: changes *upstream in memory. */
static enum err_code set_member(struct upstream *upstream, const char *key, struct str value,
                                struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        if (strcmp(key, numbers[i].key) == 0)
            return set_number(upstream, &numbers[i], value, err);
    }
    if (strcmp(key, "base_url") == 0)
        return upstream_url_take(value, upstream->base_url, err);
    if (strcmp(key, "inject") != 0)
        return err_field(err, key, "there is no setting %s", key);
    if (!str_is(value, "on") && !str_is(value, "off"))
        return err_field(err, key, "inject must be on or off");
    upstream->inject = str_is(value, "on");
    return ERR_OK;
}

FALLIBLE upstream_add(struct db_conn *conn, const char *actor, int64_t now_us,
                      const uint8_t master[CRYPTO_KEY_BYTES], struct str name,
                      struct str account_name, struct str base_url, struct str key,
                      struct upstream *ret_upstream, struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    struct upstream upstream = {.state = UPSTREAM_ACTIVE,
                                .inject = true,
                                .weight = WEIGHT_DEFAULT,
                                .created_us = now_us};

    if (account_name.len == 0)
        account_name = name;
    TRY(name_check("name", name, err));
    TRY(name_check("account", account_name, err));
    TRY(upstream_url_take(base_url, upstream.base_url, err));
    TRY(key_check(key, err));
    TRY(settings_touch(conn, err));

    (void)str_copy(upstream.name, sizeof(upstream.name), name);
    TRY(upstream_repo_account(conn, account_name, &upstream.account, err));
    TRY(upstream_repo_insert(conn, &upstream, err));
    TRY(key_store(conn, master, upstream.id, key, err));

    struct json_out out = audit_detail(&detail);
    json_put_int(&out, "id", upstream.id);
    json_put_text(&out, "account", account_name);
    json_put_text(&out, "base_url", str_from(upstream.base_url));
    TRY(audit_change(conn, actor, now_us, "upstream.add", name, &out, err));
    *ret_upstream = upstream;
    return ERR_OK;
}

FALLIBLE upstream_find(struct db_conn *conn, struct str name, struct upstream *ret_upstream,
                       struct err *err)
{
    return upstream_repo_find(conn, name, ret_upstream, err);
}

FALLIBLE upstream_key(struct db_conn *conn, const uint8_t master[CRYPTO_KEY_BYTES],
                      int64_t upstream_id, struct secret *ret_key, struct err *err)
{
    CLEANUP(buf_fini) struct buf sealed = {0};
    struct row_name row;

    buf_init(&sealed, UPSTREAM_KEY_MAX + CRYPTO_SEAL_OVERHEAD);
    TRY(upstream_repo_key(conn, upstream_id, &sealed, err));
    return crypto_open(master, row_name_put(&row, upstream_id), buf_str(&sealed), ret_key, err);
}

FALLIBLE upstream_set(struct db_conn *conn, const char *actor, int64_t now_us, struct str name,
                      struct str key, struct str value, struct err *err)
{
    static const struct str model_head = STR("model.");
    CLEANUP(buf_fini) struct buf detail = {0};
    char key_text[MODEL_NAME_MAX + 8];
    struct upstream upstream;

    if (!str_copy(key_text, sizeof(key_text), key) || strlen(key_text) != key.len)
        return err_field(err, "key", "there is no such setting");
    TRY(find_live(conn, name, &upstream, err));
    if (strncmp(key_text, model_head.ptr, model_head.len) == 0) {
        struct str model = str_from(key_text + model_head.len);
        TRY(set_model(conn, upstream.id, key_text, model, value, err));
    } else {
        TRY(set_member(&upstream, key_text, value, err));
        TRY(upstream_repo_update(conn, &upstream, err));
    }

    struct json_out out = audit_detail(&detail);
    json_put_int(&out, "id", upstream.id);
    json_put_text(&out, "key", key);
    json_put_text(&out, "value", value);
    return audit_change(conn, actor, now_us, "upstream.set", name, &out, err);
}

FALLIBLE upstream_rotate(struct db_conn *conn, const char *actor, int64_t now_us,
                         const uint8_t master[CRYPTO_KEY_BYTES], struct str name,
                         struct str key, struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    struct upstream upstream;

    TRY(key_check(key, err));
    TRY(find_live(conn, name, &upstream, err));
    TRY(key_store(conn, master, upstream.id, key, err));

    struct json_out out = audit_detail(&detail);
    json_put_int(&out, "id", upstream.id);
    return audit_change(conn, actor, now_us, "upstream.rotate", name, &out, err);
}

FALLIBLE upstream_move(struct db_conn *conn, const char *actor, int64_t now_us, struct str name,
                       enum upstream_state to, int64_t open_tasks, struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    struct upstream upstream;
    size_t i = 0;

    TRY(find_live(conn, name, &upstream, err));
    while (i < COUNT_OF(moves) && (moves[i].from != upstream.state || moves[i].to != to))
        i++;
    if (i == COUNT_OF(moves))
        return err_set(err, ERR_CONFLICT, "upstream %s is %s", upstream.name,
                       upstream.state == UPSTREAM_ACTIVE ? "active: it can only be drained"
                                                         : "draining: resume or remove it");
    if (to == UPSTREAM_REMOVED && open_tasks != 0)
        return err_set(err, ERR_CONFLICT, "upstream %s still has %" PRId64 " open tasks",
                       upstream.name, open_tasks);
    upstream.state = to;
    TRY(upstream_repo_update(conn, &upstream, err));

    struct json_out out = audit_detail(&detail);
    json_put_int(&out, "id", upstream.id);
    return audit_change(conn, actor, now_us, moves[i].action, name, &out, err);
}

FALLIBLE upstream_models(struct db_conn *conn, int64_t upstream_id,
                         enum err_code (*visit)(struct str model, struct str sent, void *ctx,
                                                struct err *err),
                         void *ctx, struct err *err)
{
    return upstream_repo_models(conn, upstream_id, visit, ctx, err);
}

FALLIBLE upstream_each(struct db_conn *conn,
                       enum err_code (*visit)(const struct upstream *upstream, void *ctx,
                                              struct err *err),
                       void *ctx, struct err *err)
{
    return upstream_repo_each(conn, visit, ctx, err);
}
