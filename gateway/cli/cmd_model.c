/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate model: what can be asked for, for everybody or as one tenant sees it. */
#include "gateway/cli/cli.h"

#include "gateway/catalogue/catalogue.h"
#include "tenancy/tenancy.h"

#include <stdio.h>
#include <string.h>

struct editing {
    struct cli_ctx *ctx;
    const char *tenant;
    int64_t tenant_id;              /* 0: everybody */
    char model[MODEL_NAME_MAX + 1]; /* to be shown */
};

static enum err_code find_tenant(struct db_conn *conn, void *closure, struct err *err)
{
    struct editing *editing = closure;
    struct tenant tenant;

    editing->tenant_id = 0;
    if (editing->tenant == NULL)
        return ERR_OK;
    TRY(tenant_find(conn, str_from(editing->tenant), &tenant, err));
    editing->tenant_id = tenant.id;
    return ERR_OK;
}

/* ---- list, show ------------------------------------------------------------------ */

struct showing {
    struct cli_ctx *ctx;
    const struct model *model;
};

static void put_key(const struct config_key *key, void *closure)
{
    const struct showing *showing = closure;
    char text[CATALOGUE_SIZES_MAX + 1];

    catalogue_keys_text(key, showing->model, text, sizeof(text));
    if (key->type == CONFIG_BOOL)
        json_put_bool(showing->ctx->out, key->name, strcmp(text, "true") == 0);
    else if (key->type == CONFIG_INT)
        json_put_raw(showing->ctx->out, key->name, str_from(text));
    else
        json_put_text(showing->ctx->out, key->name, str_from(text));
}

static enum err_code put_names(struct cli_ctx *ctx, struct catalogue *catalogue,
                               int64_t tenant_id, const struct model *model, struct err *err)
{
    CLEANUP(buf_fini) struct buf aliases = {0};
    char alias[MODEL_NAME_MAX + 1];

    buf_init(&aliases, 1 << 20);
    for (size_t i = 0; catalogue_alias(catalogue, tenant_id, model->name, i, alias); i++)
        buf_printf(&aliases, "%s%s", i == 0 ? "" : " ", alias);
    TRY(buf_check(&aliases, err));
    json_put_text(ctx->out, "name", str_from(model->name));
    json_put_text(ctx->out, "aliases", buf_str(&aliases));
    return ERR_OK;
}

/* What a list shows: enough to choose by. */
static enum err_code put_row(struct cli_ctx *ctx, struct catalogue *catalogue,
                             int64_t tenant_id, const struct model *model, struct err *err)
{
    char seconds[64];

    (void)snprintf(seconds, sizeof(seconds), "%d-%d%s", (int)model->duration_min,
                   (int)model->duration_max, model->duration_auto ? ",-1" : "");
    json_open_object(ctx->out, NULL);
    TRY(put_names(ctx, catalogue, tenant_id, model, err));
    json_put_bool(ctx->out, "sold", model->sold);
    json_put_text(ctx->out, "dated", str_from(model->dated));
    json_put_text(ctx->out, "resolutions", str_from(model->resolutions));
    json_put_text(ctx->out, "seconds", str_from(seconds));
    json_close_object(ctx->out);
    return ERR_OK;
}

static enum err_code put_model(struct editing *editing, struct err *err)
{
    CLEANUP(catalogue_close) struct catalogue *catalogue = NULL;
    struct cli_ctx *ctx = editing->ctx;
    struct model model;
    struct showing showing = {ctx, &model};

    TRY(catalogue_open(ctx->db, &catalogue, err));
    TRY(catalogue_find(catalogue, editing->tenant_id, str_from(editing->model), &model, err));
    json_open_object(ctx->out, NULL);
    TRY(put_names(ctx, catalogue, editing->tenant_id, &model, err));
    catalogue_keys_each(put_key, &showing);
    json_close_object(ctx->out);
    return ERR_OK;
}

static enum err_code run_list(struct cli_ctx *ctx, struct err *err)
{
    CLEANUP(catalogue_close) struct catalogue *catalogue = NULL;
    struct editing editing = {.ctx = ctx, .tenant = cli_value(ctx, "tenant")};
    struct model model;

    TRY(db_read(ctx->db, find_tenant, &editing, err));
    TRY(catalogue_open(ctx->db, &catalogue, err));
    json_open_object(ctx->out, NULL);
    json_open_array(ctx->out, "items");
    for (size_t i = 0; catalogue_at(catalogue, editing.tenant_id, i, &model); i++)
        TRY(put_row(ctx, catalogue, editing.tenant_id, &model, err));
    json_close_array(ctx->out);
    json_put_null(ctx->out, "next");
    json_close_object(ctx->out);
    return ERR_OK;
}

static enum err_code run_show(struct cli_ctx *ctx, struct err *err)
{
    struct editing editing = {.ctx = ctx, .tenant = cli_value(ctx, "tenant")};

    TRY(db_read(ctx->db, find_tenant, &editing, err));
    if (!str_copy(editing.model, sizeof(editing.model), str_from(ctx->line->args[0])))
        return err_set(err, ERR_NOT_FOUND, "there is no such model");
    return put_model(&editing, err);
}

/* ---- set ------------------------------------------------------------------------- */

static enum err_code set(struct db_conn *conn, void *closure, struct err *err)
{
    struct editing *editing = closure;
    struct cli_ctx *ctx = editing->ctx;
    const struct cli_line *line = ctx->line;

    TRY(find_tenant(conn, editing, err));
    for (size_t i = 1; i < line->arg_count; i++) {
        const char *equals = strchr(line->args[i], '=');

        if (equals == NULL)
            return err_set(err, ERR_USAGE, "give KEY=VALUE, not %s", line->args[i]);
        TRY(catalogue_change_set(conn, ctx->actor, ctx->now_us, editing->tenant_id,
                                 str_from(line->args[0]),
                                 (struct str){line->args[i], (size_t)(equals - line->args[i])},
                                 str_from(equals + 1), editing->model, err));
    }
    return catalogue_change_check(conn, str_from(editing->model), err);
}

static enum err_code run_set(struct cli_ctx *ctx, struct err *err)
{
    struct editing editing = {.ctx = ctx, .tenant = cli_value(ctx, "tenant")};

    TRY(db_write(ctx->db, DB_ALL, set, &editing, err));
    return put_model(&editing, err);
}

static const struct cli_option tenant_options[] = {
    {"tenant", CLI_TEXT, "NAME", "as this tenant sees it, for it alone (everybody)"},
};

const struct command cmd_model[] = {
    {"model list", CLI_READ, 0, 0, "", "List the models, sold or not.", tenant_options,
     COUNT_OF(tenant_options), run_list},
    {"model show", CLI_READ, 1, 1, "NAME", "Show all that a model can do.", tenant_options,
     COUNT_OF(tenant_options), run_show},
    {"model set", CLI_WRITE, 2, CLI_ARGS_MAX, "NAME KEY=VALUE…",
     "Change or add a model: its keys as shown, like, alias, unalias, endpoint=new.",
     tenant_options, COUNT_OF(tenant_options), run_set},
    {.name = NULL},
};
