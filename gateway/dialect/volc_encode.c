/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the asset actions: the envelope, groups, assets, and lists of them. */
#include "gateway/dialect/volc_parts.h"

#include "assetlib/link.h"
#include "gateway/app.h"
#include "tenancy/sign_v4.h"

#include <string.h>
#include <time.h>

enum { REQUEST_ID_LEN = 34, BEIJING_S = 8 * 3600 };

/* 14 digits of Beijing's time, and 20 of hex, all in capitals. */
void volc_encode_request_id(struct request *rq)
{
    time_t second = (time_t)(sys_now_us() / 1000000) + BEIJING_S;
    struct tm there;

    if (strlen(rq->id) == REQUEST_ID_LEN &&
        strspn(rq->id, "0123456789ABCDEF") == REQUEST_ID_LEN)
        return;
    (void)gmtime_r(&second, &there);
    (void)strftime(rq->id, sizeof(rq->id), "%Y%m%d%H%M%S", &there);
    sys_random_text(rq->id + 14, REQUEST_ID_LEN - 14, "0123456789ABCDEF");
}

/* What the query says, cut: it is echoed also when it is wrong. */
static void put_query(struct request *rq, struct json_out *out, const char *name)
{
    struct str value = STR("");
    struct err ignored;
    char text[65];
    bool present;

    if (request_query(rq, name, &present, &value, &ignored) != ERR_OK || !present)
        value = STR("");
    str_copy_cut(text, sizeof(text), value);
    json_put_text(out, name, str_from(text));
}

void volc_encode_metadata(struct request *rq, struct json_out *out)
{
    json_open_object(out, "ResponseMetadata");
    json_put_text(out, "RequestId", str_from(rq->id));
    put_query(rq, out, "Action");
    put_query(rq, out, "Version");
    json_put_text(out, "Service", STR("ark"));
    json_put_text(out, "Region",
                  rq->signature != NULL ? rq->signature->region : STR(VOLC_REGION));
}

struct json_out volc_encode_begin(struct request *rq)
{
    struct json_out out;

    buf_reset(&rq->rsp.body);
    out = json_begin(&rq->rsp.body);
    json_open_object(&out, NULL);
    volc_encode_metadata(rq, &out);
    json_close_object(&out);
    json_open_object(&out, "Result");
    return out;
}

FALLIBLE volc_encode_end(struct json_out *out, struct err *err)
{
    json_close_object(out);
    json_close_object(out);
    return json_end(out, err);
}

static void put_time(struct json_out *out, const char *name, int64_t us)
{
    time_t second = (time_t)(us / 1000000);
    char text[32];
    struct tm utc;

    (void)gmtime_r(&second, &utc);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_put_text(out, name, str_from(text));
}

void volc_encode_group(const struct asset_group *group, struct json_out *out)
{
    json_put_text(out, "Id", str_from(group->id));
    json_put_text(out, "Name", str_from(group->name));
    json_put_text(out, "Title", str_from(group->name)); /* the older word for it */
    json_put_text(out, "Description", str_from(group->description));
    json_put_text(out, "GroupType", STR("AIGC"));
    json_put_text(out, "ProjectName", str_from(group->project));
    put_time(out, "CreateTime", group->created_us);
    put_time(out, "UpdateTime", group->created_us);
}

static void put_error(const struct asset *asset, struct json_out *out)
{
    if (asset->status != ASSET_FAILED)
        return;
    json_open_object(out, "Error");
    json_put_text(out, "Code", str_from(asset->error_code));
    json_put_text(out, "Message", str_from(asset->error_message));
    json_close_object(out);
}

enum err_code volc_encode_asset(const struct request *rq, const struct asset *asset,
                                struct json_out *out, struct err *err)
{
    CLEANUP(buf_fini) struct buf link = {0};

    buf_init(&link, ASSET_LINK_MAX);
    if (asset->status == ASSET_ACTIVE)
        TRY(asset_link(&rq->app->assets, &rq->scope, asset, sys_now_us() + LINK_LIFE_US, &link,
                       err));
    json_put_text(out, "Id", str_from(asset->id));
    json_put_text(out, "Name", str_from(asset->name));
    json_put_text(out, "URL", buf_str(&link));
    json_put_text(out, "GroupId", str_from(asset->group_id));
    json_put_text(out, "AssetType", str_from(asset_type_name(asset->type)));
    json_put_text(out, "Status", str_from(asset_status_name(asset->status)));
    put_error(asset, out);
    json_put_text(out, "ProjectName", str_from(asset->project));
    put_time(out, "CreateTime", asset->created_us);
    put_time(out, "UpdateTime", asset->updated_us);
    return ERR_OK;
}

/* The first that is read of a list: what was written of it before is void. */
enum err_code volc_encode_total(int64_t total, void *ctx, struct err *err)
{
    struct volc_list *list = ctx;

    (void)err;
    list->out = volc_encode_begin(list->rq);
    json_put_int(&list->out, "TotalCount", total);
    json_put_int(&list->out, "PageNumber", list->filter->page);
    json_put_int(&list->out, "PageSize", list->filter->page_size);
    json_open_array(&list->out, "Items");
    return ERR_OK;
}

enum err_code volc_encode_item(const struct asset *asset, void *ctx, struct err *err)
{
    struct volc_list *list = ctx;

    json_open_object(&list->out, NULL);
    TRY(volc_encode_asset(list->rq, asset, &list->out, err));
    json_close_object(&list->out);
    return ERR_OK;
}

enum err_code volc_encode_group_item(const struct asset_group *group, void *ctx,
                                     struct err *err)
{
    struct volc_list *list = ctx;

    (void)err;
    json_open_object(&list->out, NULL);
    volc_encode_group(group, &list->out);
    json_close_object(&list->out);
    return ERR_OK;
}
