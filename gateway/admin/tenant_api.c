/* SPDX-License-Identifier: Apache-2.0 */
/* The tenant API: which paths are its, who asks, and the handlers. It only reads. */
#include "gateway/admin/admin.h"

#include "base/json.h"
#include "billing/billing.h"
#include "gateway/app.h"
#include "gateway/dialect/dialect.h"
#include "gateway/task/task.h"

#include <string.h>
#include <time.h>

#define BASE "/gw/v1"

static bool tenant_api_owns(const struct request *rq)
{
    struct str base = STR(BASE);

    return !rq->admin && rq->path.len >= base.len &&
           memcmp(rq->path.ptr, base.ptr, base.len) == 0 &&
           (rq->path.len == base.len || rq->path.ptr[base.len] == '/');
}

static enum err_code tenant_api_identify(struct request *rq, struct err *err)
{
    struct str token;

    TRY(credential_bearer(rq, &token, err));
    return auth_token(rq->app->auth, token, &rq->scope, err);
}

/* -- balance ------------------------------------------------------------------- */

struct balance {
    const struct scope *scope;
    struct ledger_account account;
};

static enum err_code read_balance(struct db_conn *conn, void *ctx, struct err *err)
{
    struct balance *balance = ctx;

    return ledger_account(conn, balance->scope, &balance->account, err);
}

static void put_money(struct json_out *out, const char *name, int64_t nano)
{
    char text[MONEY_TEXT_MAX];

    money_text((struct money){nano}, text);
    json_put_text(out, name, str_from(text));
}

/* GET /gw/v1/balance */
static enum err_code get_balance(struct request *rq, struct err *err)
{
    struct balance balance = {.scope = &rq->scope};
    const struct ledger_account *account = &balance.account;
    struct json_out out = json_begin(&rq->rsp.body);
    struct money spendable;

    TRY(db_read(rq->app->db, read_balance, &balance, err));
    TRY(money_add((struct money){account->available_nano},
                  (struct money){account->credit_line_nano}, &spendable, err));
    json_open_object(&out, NULL);
    json_put_text(&out, "currency", str_from(account->currency));
    put_money(&out, "available", account->available_nano);
    put_money(&out, "held", account->held_nano);
    put_money(&out, "charged", account->charged_nano);
    put_money(&out, "credit_line", account->credit_line_nano);
    put_money(&out, "spendable", spendable.nano);
    json_close_object(&out);
    return json_end(&out, err);
}

/* -- limits --------------------------------------------------------------------- */

static void put_token(struct json_out *out, const struct scope *scope)
{
    time_t ends = (time_t)(scope->expires_us / 1000000);
    struct tm utc;
    char text[32];

    json_put_text(out, "tenant", str_from(scope->tenant_name));
    json_put_text(out, "visibility", scope->own_only ? STR("own") : STR("tenant"));
    json_put_bool(out, "suspended", scope->suspended);
    if (scope->expires_us == 0) {
        json_put_null(out, "token_expires_at");
        return;
    }
    (void)gmtime_r(&ends, &utc);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_put_text(out, "token_expires_at", str_from(text));
}

/* Each number from where it is enforced. */
static void put_numbers(struct json_out *out, const struct app *app)
{
    json_open_object(out, "requests");
    json_put_int(out, "body_bytes", (int64_t)app->body_max);
    json_put_int(out, "json_depth", JSON_DEPTH_MAX);
    json_put_int(out, "json_values", JSON_NODES_MAX);
    json_put_int(out, "waiting", waiting_tenant_max(app->tasks.waiting));
    json_close_object(out);
    json_open_object(out, "create");
    json_put_int(out, "content_items", TASK_CONTENT_MAX);
    json_put_int(out, "idempotency_key_characters", TASK_KEY_MAX);
    json_put_int(out, "idempotency_key_seconds", app->tasks.settings.idempotency_us / 1000000);
    json_close_object(out);
    json_open_object(out, "list");
    json_put_int(out, "page_size", LIST_PAGE_MAX);
    json_put_int(out, "task_ids", LIST_IDS_MAX);
    json_close_object(out);
}

/* Space separated words as an array. */
static void put_words(struct json_out *out, const char *name, const char *words)
{
    json_open_array(out, name);
    while (*words != '\0') {
        size_t len = strcspn(words, " ");

        if (len > 0)
            json_put_text(out, NULL, (struct str){words, len});
        words += len + (words[len] == ' ');
    }
    json_close_array(out);
}

static void put_model(struct json_out *out, struct catalogue *catalogue, int64_t tenant_id,
                      const struct model *model)
{
    char alias[MODEL_NAME_MAX + 1];

    json_open_object(out, NULL);
    json_put_text(out, "name", str_from(model->name));
    json_open_array(out, "aliases");
    for (size_t i = 0; catalogue_alias(catalogue, tenant_id, model->name, i, alias); i++)
        json_put_text(out, NULL, str_from(alias));
    json_close_array(out);
    put_words(out, "resolutions", model->resolutions);
    put_words(out, "ratios", model->ratios);
    json_open_object(out, "duration");
    json_put_int(out, "min", model->duration_min);
    json_put_int(out, "max", model->duration_max);
    json_put_bool(out, "auto", model->duration_auto);
    json_close_object(out);
    json_close_object(out);
}

/* What is sold to the tenant; the rest of the catalogue is no concern of its. */
static void put_models(struct json_out *out, struct catalogue *catalogue, int64_t tenant_id)
{
    struct model model;

    json_open_array(out, "models");
    for (size_t i = 0; catalogue_at(catalogue, tenant_id, i, &model); i++) {
        if (model.sold)
            put_model(out, catalogue, tenant_id, &model);
    }
    json_close_array(out);
}

/* GET /gw/v1/limits */
static enum err_code get_limits(struct request *rq, struct err *err)
{
    struct json_out out = json_begin(&rq->rsp.body);

    json_open_object(&out, NULL);
    put_token(&out, &rq->scope);
    put_numbers(&out, rq->app);
    put_models(&out, rq->app->tasks.catalogue, rq->scope.tenant_id);
    json_close_object(&out);
    return json_end(&out, err);
}

static const struct route routes[] = {
    /* method  path       operation     body    handler */
    {"GET", BASE "/balance", "getBalance", false, get_balance},
    {"GET", BASE "/limits", "getLimits", false, get_limits},
};

const struct dialect tenant_api_dialect = {
    .name = "tenant",
    .owns = tenant_api_owns,
    .identify = tenant_api_identify,
    .routes = routes,
    .route_count = COUNT_OF(routes),
    .put_error = problem_put,
};
