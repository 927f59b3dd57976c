/* SPDX-License-Identifier: Apache-2.0 */
/* Making a group, and looking at one. */
#include "assetlib/parts.h"

enum { FOLDED_MAX = 3 * ASSET_NAME_BYTES + 1 };

struct making {
    struct asset_library *library;
    const struct scope *scope;
    const struct asset_request *request;
    struct asset_group group;
    struct str folded;
    struct asset_created created; /* written by the closure */
};

/* No more groups than there may be assets. */
static enum err_code check_limit(struct db_conn *conn, const struct scope *scope,
                                 struct err *err)
{
    int64_t count;

    TRY(group_repo_usage(conn, scope, &count, err));
    if (count >= scope->settings.asset_count)
        return err_set(err, ERR_QUOTA, "the library may hold %lld groups, and does",
                       (long long)scope->settings.asset_count);
    return ERR_OK;
}

static enum err_code make_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct making *making = ctx;
    const struct asset_group *group = &making->group;

    TRY(request_find(conn, making->scope, making->request,
                     group->created_us - making->library->request_keep_us, &making->created,
                     err));
    if (making->created.replayed)
        return ERR_OK;
    TRY(check_limit(conn, making->scope, err));
    TRY(group_repo_insert(conn, making->scope, group, making->folded, err));
    TRY(group_repo_count(conn, making->scope, group, err));
    TRY(request_put(conn, making->scope, making->request, group->id, group->created_us, err));
    (void)str_copy(making->created.id, sizeof(making->created.id), str_from(group->id));
    return ERR_OK;
}

FALLIBLE group_create(struct asset_library *library, const struct scope *scope,
                      const struct asset_group_draft *draft,
                      const struct asset_request *request, struct asset_created *ret_created,
                      struct err *err)
{
    struct making making = {.library = library, .scope = scope, .request = request};
    CLEANUP(buf_fini) struct buf folded = {0};
    struct asset_group *group = &making.group;

    group->created_us = sys_now_us();
    request_new_id("group", group->created_us, group->id);
    (void)str_copy(group->identity, sizeof(group->identity), str_from(scope->identity));
    if (!str_copy(group->name, sizeof(group->name), draft->name) ||
        !str_copy(group->description, sizeof(group->description), draft->description) ||
        !str_copy(group->project, sizeof(group->project), draft->project))
        return err_detail(err, ERR_INTERNAL, "a text of the group is too long");
    buf_init(&folded, FOLDED_MAX);
    TRY(text_fold(draft->name, &folded, err));
    making.folded = buf_str(&folded);
    TRY(db_write(library->db, scope->tenant_id, make_steps, &making, err));
    *ret_created = making.created;
    return ERR_OK;
}

struct looking {
    const struct scope *scope;
    struct str id, project;
    struct asset_group *ret_group;
};

static enum err_code look_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct looking *looking = ctx;

    return group_repo_get(conn, looking->scope, looking->id, looking->project,
                          looking->ret_group, err);
}

FALLIBLE group_get(struct asset_library *library, const struct scope *scope, struct str id,
                   struct str project, struct asset_group *ret_group, struct err *err)
{
    struct looking looking = {scope, id, project, ret_group};

    return db_read_one(library->db, look_steps, &looking, err);
}
