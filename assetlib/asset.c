/* SPDX-License-Identifier: Apache-2.0 */
/* Making an asset, which then waits for its file, and looking at one. */
#include "assetlib/ingest.h"
#include "assetlib/link.h"
#include "assetlib/parts.h"

#include <string.h>

enum { FOLDED_MAX = 3 * ASSET_NAME_BYTES + 1 };

static const char *const types[ASSET_TYPE_COUNT] = {"Image", "Video", "Audio"};
static const char *const statuses[ASSET_STATUS_COUNT] = {"Processing", "Active", "Failed"};

const char *asset_type_name(enum asset_type type)
{
    return types[type];
}

bool asset_type_parse(struct str name, enum asset_type *ret_type)
{
    for (int type = 0; type < ASSET_TYPE_COUNT; type++) {
        *ret_type = (enum asset_type)type;
        if (str_is(name, types[type]))
            return true;
    }
    return false;
}

const char *asset_status_name(enum asset_status status)
{
    return statuses[status];
}

bool asset_status_parse(struct str name, enum asset_status *ret_status)
{
    for (int status = 0; status < ASSET_STATUS_COUNT; status++) {
        *ret_status = (enum asset_status)status;
        if (str_is(name, statuses[status]))
            return true;
    }
    return false;
}

struct making {
    struct asset_library *library;
    const struct scope *scope;
    const struct asset_draft *draft;
    const struct asset_request *request;
    struct str folded;
    struct asset asset;           /* its project is written by the closure */
    struct asset_created created; /* likewise */
};

/* The group's project is the asset's. */
static enum err_code enter_group(struct db_conn *conn, struct making *making, struct err *err)
{
    struct asset_group group;

    TRY(group_repo_get(conn, making->scope, making->draft->group_id, STR(""), &group, err));
    if (making->draft->project.len > 0 && !str_is(making->draft->project, group.project))
        return err_field(err, "ProjectName", "ProjectName must be the group's: %s",
                         group.project);
    (void)str_copy(making->asset.project, sizeof(making->asset.project),
                   str_from(group.project));
    return ERR_OK;
}

static enum err_code check_limits(struct db_conn *conn, const struct making *making,
                                  struct err *err)
{
    const struct tenant_settings *settings = &making->scope->settings;
    int64_t count, bytes;

    TRY(asset_repo_usage(conn, making->scope, &count, &bytes, err));
    if (count >= settings->asset_count)
        return err_set(err, ERR_QUOTA, "the library may hold %lld assets, and does",
                       (long long)settings->asset_count);
    if (bytes > settings->asset_bytes - making->asset.bytes)
        return err_set(err, ERR_QUOTA,
                       "the library may hold %lld bytes: it has %lld, and this asset may take"
                       " %lld",
                       (long long)settings->asset_bytes, (long long)bytes,
                       (long long)making->asset.bytes);
    return ERR_OK;
}

static enum err_code make_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct making *making = ctx;
    const struct asset *asset = &making->asset;
    int64_t now_us = asset->created_us;

    TRY(request_find(conn, making->scope, making->request,
                     now_us - making->library->request_keep_us, &making->created, err));
    if (making->created.replayed)
        return ERR_OK;
    TRY(enter_group(conn, making, err));
    TRY(check_limits(conn, making, err));
    TRY(asset_repo_insert(conn, making->scope, asset, making->folded, err));
    TRY(asset_repo_count(conn, making->scope, asset, 1, asset->bytes, err));
    TRY(ingest_repo_insert(conn, making->scope, str_from(asset->id), making->draft->url, now_us,
                           err));
    TRY(request_put(conn, making->scope, making->request, asset->id, now_us, err));
    (void)str_copy(making->created.id, sizeof(making->created.id), str_from(asset->id));
    return ERR_OK;
}

static enum err_code fill(struct making *making, struct err *err)
{
    struct asset *asset = &making->asset;

    asset->created_us = asset->updated_us = sys_now_us();
    asset->type = making->draft->type;
    asset->status = ASSET_PROCESSING;
    asset->bytes = making->library->bytes_max[asset->type];
    request_new_id("asset", asset->created_us, asset->id);
    (void)str_copy(asset->identity, sizeof(asset->identity), str_from(making->scope->identity));
    if (!str_copy(asset->group_id, sizeof(asset->group_id), making->draft->group_id))
        return err_set(err, ERR_GROUP_UNKNOWN, "the asset group does not exist");
    if (!str_copy(asset->name, sizeof(asset->name), making->draft->name))
        return err_detail(err, ERR_INTERNAL, "the asset's name is too long");
    return ERR_OK;
}

FALLIBLE asset_create(struct asset_library *library, const struct scope *scope,
                      const struct asset_draft *draft, const struct asset_request *request,
                      struct asset_created *ret_created, struct err *err)
{
    struct making making = {
        .library = library, .scope = scope, .draft = draft, .request = request};
    CLEANUP(buf_fini) struct buf folded = {0};

    TRY(fill(&making, err));
    buf_init(&folded, FOLDED_MAX);
    TRY(text_fold(draft->name, &folded, err));
    making.folded = buf_str(&folded);
    TRY(db_write(library->db, scope->tenant_id, make_steps, &making, err));
    *ret_created = making.created;
    struct ingest *waker = atomic_load(&library->waker);

    if (!making.created.replayed && waker != NULL)
        ingest_wake(waker);
    return ERR_OK;
}

struct looking {
    const struct scope *scope;
    struct str id, project;
    struct asset *ret_asset;
};

static enum err_code look_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct looking *looking = ctx;

    return asset_repo_get(conn, looking->scope, looking->id, looking->project,
                          looking->ret_asset, err);
}

static enum err_code look_registered_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct looking *looking = ctx;

    return registered_repo_get(conn, looking->scope, looking->id, looking->project,
                               looking->ret_asset, err);
}

FALLIBLE asset_get(struct asset_library *library, const struct scope *scope, struct str id,
                   struct str project, struct asset *ret_asset, struct err *err)
{
    struct looking looking = {scope, id, project, ret_asset};
    enum err_code rc = db_read_one(library->db, look_steps, &looking, err);

    return rc != ERR_ASSET_UNKNOWN
               ? rc
               : db_read_one(library->db, look_registered_steps, &looking, err);
}

FALLIBLE asset_link(const struct asset_library *library, const struct scope *scope,
                    const struct asset *asset, int64_t expires_us, struct buf *dst,
                    struct err *err)
{
    struct link link = {.tenant_id = scope->tenant_id,
                        .type = link_type_find(str_from(asset->format)),
                        .expires_us = expires_us};

    const char *public_url = atomic_load(&library->public_url);

    if (asset->account_id != 0)
        return ERR_OK;
    if (public_url[0] == '\0')
        return err_set(err, ERR_UNAVAILABLE, "the gateway has no public URL for its files");
    if (!asset->has_hash || link.type == NULL)
        return err_detail(err, ERR_INTERNAL, "the asset %s has no file", asset->id);
    memcpy(link.sha256, asset->hash, sizeof(link.sha256));
    link_make(library->link_key, str_from(public_url), &link, dst);
    return buf_check(dst, err);
}

FALLIBLE asset_note_use(struct db_conn *conn, const struct scope *scope, struct str asset_id,
                        struct str task, int64_t now_us, struct err *err)
{
    return asset_repo_note_use(conn, scope, asset_id, task, now_us, err);
}
