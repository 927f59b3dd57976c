/* SPDX-License-Identifier: Apache-2.0 */
/* Assets that live in Ark's own library: an operator tells of them, tasks name them, and Ark
 * alone has their files. */
#include "assetlib/rows.h"
#include "base/json.h"

#include <string.h>

struct registering {
    const struct asset_registration *told;
    struct asset_record *record; /* written by the closure */
};

/* As Ark's are, with the time and five letters behind that in all that were seen. */
static bool is_id(struct str id)
{
    static const struct str head = STR("asset-");
    static const char set[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] == '\0' || strchr(set, id.ptr[i]) == NULL)
            return false;
    }
    return id.len > head.len && id.len <= ASSET_ID_MAX && str_starts_nocase(id, head);
}

static enum err_code check(const struct asset_registration *told, struct err *err)
{
    bool controls;

    if (!is_id(told->id))
        return err_field(err, "id", "--id must be \"asset-\" and a-z, 0-9 and -, at most %d",
                         ASSET_ID_MAX);
    if (!str_is_utf8(told->name) || text_points(told->name, &controls) > ASSET_NAME_POINTS ||
        controls)
        return err_field(err, "name", "--name must be at most %d characters in one line",
                         ASSET_NAME_POINTS);
    if (told->duration_ms < 0 || told->duration_ms > ASSET_DURATION_MAX_MS)
        return err_field(err, "seconds", "--seconds must be 0 to %d",
                         ASSET_DURATION_MAX_MS / 1000);
    if (told->duration_ms != 0 && told->type == ASSET_IMAGE)
        return err_field(err, "seconds", "--seconds is for videos and audios");
    return ERR_OK;
}

static enum err_code audit(struct db_conn *conn, const struct registering *registering,
                           const struct upstream *upstream, struct err *err)
{
    const struct asset_registration *told = registering->told;
    const struct asset_record *record = registering->record;
    CLEANUP(buf_fini) struct buf detail = {0};

    buf_init(&detail, AUDIT_DETAIL_MAX);
    struct json_out out = json_begin(&detail);

    json_open_object(&out, NULL);
    json_put_int(&out, "tenant_id", record->tenant_id);
    json_put_text(&out, "account", str_from(upstream->account.name));
    json_put_text(&out, "type", str_from(asset_type_name(told->type)));
    json_put_text(&out, "name", told->name);
    json_put_int(&out, "duration_ms", told->duration_ms);
    json_close_object(&out);
    TRY(json_end(&out, err));
    return audit_append(conn, told->actor, told->now_us, "asset.register", told->id,
                        buf_str(&detail), err);
}

static enum err_code register_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct registering *registering = ctx;
    const struct asset_registration *told = registering->told;
    struct asset_record *record = registering->record;
    struct upstream upstream;
    struct tenant tenant = {0};
    struct scope scope = {0};
    enum err_code rc;

    TRY(upstream_find(conn, told->upstream, &upstream, err));
    if (upstream.state == UPSTREAM_REMOVED)
        return err_set(err, ERR_CONFLICT, "upstream %s is removed", upstream.name);
    if (told->tenant.len > 0)
        TRY(tenant_find(conn, told->tenant, &tenant, err));
    rc = asset_view_find(conn, told->id, record, err);
    if (rc == ERR_OK && (record->asset.account_id == 0 || record->purged_us == 0))
        return err_set(err, ERR_CONFLICT, "there is an asset %s already", record->asset.id);
    if (rc != ERR_OK && rc != ERR_NOT_FOUND)
        return rc;
    *record = (struct asset_record){.asset = {.type = told->type,
                                              .status = ASSET_ACTIVE,
                                              .account_id = upstream.account.id,
                                              .duration_ms = told->duration_ms,
                                              .created_us = told->now_us},
                                    .tenant_id = tenant.id};
    ASSERT(str_copy(record->asset.id, sizeof(record->asset.id), told->id));
    ASSERT(str_copy(record->asset.name, sizeof(record->asset.name), told->name));
    scope.tenant_id = tenant.id;
    TRY(registered_repo_put(conn, &scope, &record->asset, err));
    return audit(conn, registering, &upstream, err);
}

FALLIBLE registered_add(struct db *db, const struct asset_registration *told,
                        struct asset_record *ret_record, struct err *err)
{
    struct registering registering = {told, ret_record};

    TRY(check(told, err));
    return db_write(db, DB_ALL, register_steps, &registering, err);
}
