/* SPDX-License-Identifier: Apache-2.0 */
/* Volcengine's control plane, as far as it is about asset groups: POST /?Action=…. Which
 * paths are its, who asks, which actions there are, and in which order they are judged. */
#include "gateway/dialect/volc_parts.h"

#include "gateway/app.h"
#include "tenancy/sign_v4.h"

#include <string.h>

static const char *const paths[] = {"/", "/volcark", "/volcark/"};

static bool volc_owns(const struct request *rq)
{
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        if (str_is(rq->path, paths[i]))
            return true;
    }
    return false;
}

static struct str header_once(void *ctx, const char *name, int *ret_count)
{
    const struct request *rq = ctx;

    *ret_count = request_header_count(rq, name);
    return request_header(rq, name);
}

/* By the Authorization header, or by the query of a request that has none. */
static bool is_signed(struct request *rq)
{
    struct str authorization = str_trim(request_header(rq, "Authorization")), ignored;
    struct err bad;
    bool present = false;

    if (request_header_count(rq, "Authorization") > 0)
        return str_starts_nocase(authorization, STR("HMAC-SHA256"));
    return request_query(rq, "X-Signature", &present, &ignored, &bad) != ERR_OK || present;
}

static enum err_code identify_signed(struct request *rq, struct err *err)
{
    const struct sign_v4_request head = {.method = str_from(rq->method),
                                         .path = rq->path,
                                         .query = rq->query,
                                         .header = header_once,
                                         .ctx = rq};
    struct sign_v4 *sign = arena_alloc(&rq->arena, sizeof(*sign));

    if (sign == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for a signature");
    TRY(sign_v4_read(&head, &rq->arena, sign, err));
    TRY(auth_signed(rq->app->auth, sign, &rq->scope, err));
    rq->signature = sign;
    return ERR_OK;
}

static enum err_code volc_identify(struct request *rq, struct err *err)
{
    struct str token;

    volc_encode_request_id(rq);
    if (is_signed(rq))
        return identify_signed(rq, err);
    TRY(credential_bearer(rq, &token, err));
    return auth_token(rq->app->auth, token, &rq->scope, err);
}

/* ---- actions -------------------------------------------------------------------------- */

/* The same action and body, by the same name, are the same request. */
static enum err_code read_request(const struct volc_call *call, const char *action,
                                  struct asset_request *ret_request, struct err *err)
{
    struct crypto_sha256 hash;

    *ret_request = (struct asset_request){0};
    TRY(credential_idempotency_key(call->rq, &ret_request->key, err));
    if (call->rq->signature != NULL) {
        ret_request->signature = str_from(call->rq->signature->signature);
        ret_request->call = call->rq->signature->invocation_id;
    }
    crypto_sha256_begin(&hash);
    crypto_sha256_put(&hash, str_from(action));
    crypto_sha256_put(&hash, STR("\n"));
    crypto_sha256_put(&hash, call->rq->body);
    crypto_sha256_end(&hash, ret_request->body_hash);
    return ERR_OK;
}

static enum err_code answer_created(const struct volc_call *call,
                                    const struct asset_created *created, struct err *err)
{
    struct json_out out = volc_encode_begin(call->rq);

    json_put_text(&out, "Id", str_from(created->id));
    if (created->replayed)
        response_header(call->rq, "Idempotent-Replayed", "true");
    return volc_encode_end(&out, err);
}

static enum err_code create_asset_group(const struct volc_call *call, struct err *err)
{
    static const char *const needs[] = {"Name", "GroupType"};
    struct asset_group_draft draft;
    struct asset_request request;
    struct asset_created created;

    TRY(volc_decode_need(call, needs, COUNT_OF(needs), err));
    TRY(volc_decode_model(call, err));
    TRY(volc_decode_group(call, &draft, err));
    TRY(read_request(call, "CreateAssetGroup", &request, err));
    TRY(group_create(&call->rq->app->assets, &call->rq->scope, &draft, &request, &created,
                     err));
    return answer_created(call, &created, err);
}

static enum err_code create_asset(const struct volc_call *call, struct err *err)
{
    static const char *const needs[] = {"GroupId", "URL", "AssetType"};
    struct asset_request request;
    struct asset_created created;
    struct asset_draft draft;

    TRY(volc_decode_need(call, needs, COUNT_OF(needs), err));
    TRY(volc_decode_model(call, err));
    TRY(volc_decode_asset(call, &draft, err));
    TRY(read_request(call, "CreateAsset", &request, err));
    TRY(asset_create(&call->rq->app->assets, &call->rq->scope, &draft, &request, &created,
                     err));
    return answer_created(call, &created, err);
}

typedef enum err_code (*browse_fn)(struct asset_library *library, const struct scope *scope,
                                   const struct asset_filter *filter,
                                   const struct asset_reader *reader, struct err *err);

static enum err_code list(const struct volc_call *call, bool assets, browse_fn browse,
                          struct err *err)
{
    static const char *const needs[] = {"Filter", "Filter.GroupType"};
    struct asset_filter filter;
    struct volc_list list = {.rq = call->rq, .filter = &filter};
    const struct asset_reader reader = {volc_encode_total, volc_encode_item,
                                        volc_encode_group_item, &list};

    TRY(volc_decode_need(call, needs, COUNT_OF(needs), err));
    TRY(volc_decode_model(call, err));
    TRY(volc_decode_filter(call, assets, &filter, err));
    TRY(browse(&call->rq->app->assets, &call->rq->scope, &filter, &reader, err));
    json_close_array(&list.out);
    return volc_encode_end(&list.out, err);
}

static enum err_code list_asset_groups(const struct volc_call *call, struct err *err)
{
    return list(call, false, browse_groups, err);
}

static enum err_code list_assets(const struct volc_call *call, struct err *err)
{
    return list(call, true, browse_assets, err);
}

static const char *const id_needs[] = {"Id"};

static enum err_code get_asset_group(const struct volc_call *call, struct err *err)
{
    struct asset_group group;
    struct str id, project;
    struct json_out out;

    TRY(volc_decode_need(call, id_needs, COUNT_OF(id_needs), err));
    TRY(volc_decode_model(call, err));
    TRY(volc_decode_id(call, &id, &project, err));
    TRY(group_get(&call->rq->app->assets, &call->rq->scope, id, project, &group, err));
    out = volc_encode_begin(call->rq);
    volc_encode_group(&group, &out);
    return volc_encode_end(&out, err);
}

static enum err_code get_asset(const struct volc_call *call, struct err *err)
{
    struct asset asset;
    struct str id, project;
    struct json_out out;

    TRY(volc_decode_need(call, id_needs, COUNT_OF(id_needs), err));
    TRY(volc_decode_model(call, err));
    TRY(volc_decode_id(call, &id, &project, err));
    TRY(asset_get(&call->rq->app->assets, &call->rq->scope, id, project, &asset, err));
    out = volc_encode_begin(call->rq);
    TRY(volc_encode_asset(call->rq, &asset, &out, err));
    return volc_encode_end(&out, err);
}

struct action {
    const char *name;
    bool makes; /* refused to who is suspended */
    enum err_code (*run)(const struct volc_call *call, struct err *err);
};
static const struct action actions[] = {
    /* name             makes  handler */
    {"CreateAssetGroup", true, create_asset_group}, {"CreateAsset", true, create_asset},
    {"ListAssetGroups", false, list_asset_groups},  {"ListAssets", false, list_assets},
    {"GetAssetGroup", false, get_asset_group},      {"GetAsset", false, get_asset},
};

/* ---- one call ---------------------------------------------------------------------------- */

static enum err_code find_action(struct request *rq, const struct action **ret_action,
                                 struct err *err)
{
    struct str name = STR(""), version = STR("");
    bool present;

    TRY(request_query(rq, "Action", &present, &name, err));
    TRY(asset_policy_action(name, err));
    TRY(request_query(rq, "Version", &present, &version, err));
    for (size_t i = 0; i < COUNT_OF(actions); i++) {
        *ret_action = &actions[i];
        if (str_is(name, actions[i].name) && str_is(version, VOLC_VERSION))
            return ERR_OK;
    }
    return err_set(err, ERR_ACTION_UNKNOWN,
                   "there is no such action, or not in this version (" VOLC_VERSION ")");
}

/* What was signed is what arrived, and a signature without the body makes nothing. */
static enum err_code check_body(const struct request *rq, struct err *err)
{
    return rq->signature != NULL ? sign_v4_body(rq->signature, rq->body, err) : ERR_OK;
}

/* What the tenant may do at all. */
static enum err_code check_scope(const struct request *rq, const struct action *action,
                                 struct err *err)
{
    if (action->makes && rq->signature != NULL && rq->signature->in_query)
        return err_set(err, ERR_AUTHORIZATION,
                       "a signature in the query is for reading actions alone");
    if (rq->scope.settings.assets_off)
        return err_set(err, ERR_UNAVAILABLE, "the asset library is not open to this account");
    if (rq->scope.suspended && action->makes)
        return err_set(err, ERR_FORBIDDEN, "the account is suspended");
    return ERR_OK;
}

static enum err_code call_action(struct request *rq, struct err *err)
{
    CLEANUP(json_free) struct json_doc *doc = NULL;
    const struct action *action = NULL;

    TRY(check_body(rq, err));
    TRY(find_action(rq, &action, err));
    TRY(check_scope(rq, action, err));
    TRY(json_parse(&rq->arena, rq->body.len > 0 ? rq->body : STR("{}"), &doc, err));
    if (json_type(json_root(doc)) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the body must be a JSON object");
    TRY(asset_policy_moderation(doc, err));

    const struct volc_call call = {rq, doc};

    return action->run(&call, err);
}

static const struct route routes[] = {
    /* method path       operation     body  handler */
    {"POST", "/", "callAction", true, call_action},
    {"POST", "/volcark", "callAction", true, call_action},
    {"POST", "/volcark/", "callAction", true, call_action},
};

const struct dialect volc_dialect = {
    .name = "volc",
    .owns = volc_owns,
    .identify = volc_identify,
    .routes = routes,
    .route_count = COUNT_OF(routes),
    .put_error = volc_errmap_put,
};
