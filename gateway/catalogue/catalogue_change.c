/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator may change in the catalogue, with its audit entry. */
#include "gateway/catalogue/catalogue_parts.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* An alias or a new model's name: what stands in a client's "model". */
static enum err_code check_name(struct str key, struct str name, struct err *err)
{
    char field[64];

    str_copy_cut(field, sizeof(field), key);
    if (name.len == 0 || name.len > MODEL_NAME_MAX)
        return err_field(err, field, "%s: a name has 1 to %d characters", field,
                         MODEL_NAME_MAX);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (i > 0 && (c == '.' || c == '_' || c == '-')))
            continue;
        return err_field(err, field, "%s: a name is of a-z, A-Z, 0-9 and . _ -", field);
    }
    if (catalogue_view_refuses(name))
        return err_field(err, field, "%s: %.*s is another vendor's name and stays refused",
                         field, (int)name.len, name.ptr);
    /* An upstream's endpoint must never be seen by a tenant, so such names are minted. */
    if (str_starts_nocase(name, STR("ep-")))
        return err_field(err, field, "%s: names that begin with ep- are minted (endpoint=new)",
                         field);
    return ERR_OK;
}

static enum err_code check_alias(const struct catalogue_view *view,
                                 const struct catalogue_repo_row *row, struct err *err)
{
    TRY(check_name(STR("alias"), row->value, err));
    /* Everybody's name would mean something else to a tenant that has it already. */
    if (row->tenant_id == 0 ? catalogue_view_knows(view, row->value)
                            : catalogue_view_find(view, row->tenant_id, row->value) != NULL)
        return err_set(err, ERR_CONFLICT, "%.*s is a model's name already", (int)row->value.len,
                       row->value.ptr);
    return ERR_OK;
}

/* "ep-YYYYMMDDhhmmss-xxxxx", as Ark's look. dst holds 32. */
static void mint_endpoint(int64_t now_us, char *dst, size_t size)
{
    time_t seconds = (time_t)(now_us / 1000000);
    char stamp[16], tail[6];
    struct tm utc;

    (void)gmtime_r(&seconds, &utc);
    (void)strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", &utc);
    sys_random_text(tail, 5, "abcdefghijklmnopqrstuvwxyz0123456789");
    (void)snprintf(dst, size, "ep-%s-%s", stamp, tail);
}

/* Writes what a model begins with, key by key. */
struct copying {
    struct db_conn *conn;
    const struct model *pattern;
    struct str model; /* the new one */
    enum err_code rc;
    struct err *err;
};

static void copy_key(const struct config_key *key, void *ctx)
{
    struct copying *copying = ctx;
    char text[CATALOGUE_SIZES_MAX + 1];

    if (copying->rc != ERR_OK)
        return;
    catalogue_keys_text(key, copying->pattern, text, sizeof(text));
    /* Whatever its pattern was, the new one is sold when the operator says so. */
    struct catalogue_repo_row row = {
        .model = copying->model,
        .key = str_from(key->name),
        .value = str_from(strcmp(key->name, "sold") == 0 ? "false" : text)};

    copying->rc = catalogue_repo_set(copying->conn, &row, copying->err);
}

/* The new model is its pattern as the installation has it now, and its own from then on. */
static enum err_code add_model(struct db_conn *conn, const struct catalogue_view *view,
                               const struct catalogue_repo_row *row, struct err *err)
{
    struct copying copying = {.conn = conn, .model = row->model, .err = err};

    if (row->tenant_id != 0)
        return err_field(err, "like", "like: a new model is everybody's, not one tenant's");
    TRY(check_name(STR("model"), row->model, err));
    if (catalogue_view_knows(view, row->model))
        return err_set(err, ERR_CONFLICT, "%.*s is a model's name already", (int)row->model.len,
                       row->model.ptr);
    copying.pattern = catalogue_view_find(view, 0, row->value);
    if (copying.pattern == NULL)
        return err_field(err, "like", "like: there is no model %.*s", (int)row->value.len,
                         row->value.ptr);
    TRY(catalogue_repo_set(conn, row, err));
    catalogue_keys_each(copy_key, &copying);
    return copying.rc;
}

static enum err_code change_model(struct db_conn *conn, const struct catalogue_view *view,
                                  struct catalogue_repo_row *row, const char *minted,
                                  struct err *err)
{
    const struct model *found = catalogue_view_find(view, row->tenant_id, row->model);
    struct model changed;

    if (found == NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no model %.*s (like=MODEL makes one)",
                       (int)row->model.len, row->model.ptr);
    row->model = str_from(found->name);
    if (str_is(row->key, "endpoint")) {
        if (row->tenant_id == 0)
            return err_field(err, "endpoint", "endpoint: say whose with --tenant");
        if (!str_is(row->value, "new"))
            return err_field(err, "endpoint", "endpoint must be new: the name is minted");
        row->value = str_from(minted);
        return catalogue_repo_add_alias(conn, row, err);
    }
    if (str_is(row->key, "alias")) {
        TRY(check_alias(view, row, err));
        return catalogue_repo_add_alias(conn, row, err);
    }
    if (str_is(row->key, "unalias"))
        return catalogue_repo_drop_alias(conn, row, err);
    changed = *found;
    TRY(catalogue_keys_set(&changed, row->key, row->value, err));
    return catalogue_repo_set(conn, row, err);
}

static enum err_code audit(struct db_conn *conn, const char *actor, int64_t now_us,
                           const struct catalogue_repo_row *row, struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    struct json_out out;

    buf_init(&detail, 8192);
    out = json_begin(&detail);
    json_open_object(&out, NULL);
    json_put_int(&out, "tenant", row->tenant_id);
    json_put_text(&out, "key", row->key);
    json_put_text(&out, "value", row->value);
    json_close_object(&out);
    TRY(json_end(&out, err));
    return audit_append(conn, actor, now_us, "model.set", row->model, buf_str(&detail), err);
}

FALLIBLE catalogue_change_set(struct db_conn *conn, const char *actor, int64_t now_us,
                              int64_t tenant_id, struct str model, struct str key,
                              struct str value, char ret_model[MODEL_NAME_MAX + 1],
                              struct err *err)
{
    CLEANUP(catalogue_view_fini) struct catalogue_view view = {0};
    struct catalogue_repo_row row = {tenant_id, model, key, value};
    char minted[32];

    TRY(settings_touch(conn, err));
    TRY(catalogue_view_load(conn, &view, err));
    mint_endpoint(now_us, minted, sizeof(minted));
    if (str_is(key, "like"))
        TRY(add_model(conn, &view, &row, err));
    else
        TRY(change_model(conn, &view, &row, minted, err));
    (void)str_copy(ret_model, MODEL_NAME_MAX + 1, row.model);
    return audit(conn, actor, now_us, &row, err);
}

FALLIBLE catalogue_change_check(struct db_conn *conn, struct str model, struct err *err)
{
    CLEANUP(catalogue_view_fini) struct catalogue_view view = {0};
    const struct model *found;

    TRY(catalogue_view_load(conn, &view, err));
    found = catalogue_view_find(&view, 0, model);
    if (found == NULL)
        return err_set(err, ERR_NOT_FOUND, "there is no model %.*s", (int)model.len, model.ptr);
    TRY(catalogue_keys_check(found, err));
    for (size_t i = 0; i < view.own_count; i++) {
        if (str_is(str_from(found->name), view.owns[i].model.name))
            TRY(catalogue_keys_check(&view.owns[i].model, err));
    }
    return ERR_OK;
}
