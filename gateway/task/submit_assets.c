/* SPDX-License-Identifier: Apache-2.0 */
/* Assets that a create names: whether it may use them, what they add to the worst case, and
 * the links that Ark gets for them. */
#include "gateway/task/submit_parts.h"

#include <stdio.h>

enum {
    SECONDS_MAX_MS = 15200,  /* Ark's 15 s of videos, and of audios, with its tolerance */
    LINK_SLACK_S = 24 * 3600 /* Ark may have queued the task until it expires, and then reads */
};

static const char *const nouns[] = {[CONTENT_TEXT] = "",
                                    [CONTENT_IMAGE] = "Image",
                                    [CONTENT_VIDEO] = "Video",
                                    [CONTENT_AUDIO] = "Audio",
                                    [CONTENT_DRAFT] = ""};

static bool fits(enum content_kind kind, enum asset_type type)
{
    return nouns[kind][0] == '\0' || str_is(str_from(nouns[kind]), asset_type_name(type));
}

static enum err_code check(const struct draft_asset *named, const struct asset *asset,
                           struct err *err)
{
    if (asset->status != ASSET_ACTIVE)
        return err_field(err, named->field, "%s: the asset %s is %s, it must be Active",
                         named->field, asset->id, asset_status_name(asset->status));
    if (!fits(named->kind, asset->type))
        return err_field(err, named->field, "%s: the asset %s is of type %s, it must be %s",
                         named->field, asset->id, asset_type_name(asset->type),
                         nouns[named->kind]);
    return ERR_OK;
}

static enum err_code find(const struct create *create, const struct draft_asset *named,
                          struct asset *ret_asset, struct err *err)
{
    enum err_code code =
        asset_get(create->service->assets, create->scope, named->id, STR(""), ret_asset, err);

    if (code != ERR_ASSET_UNKNOWN)
        return code;
    (void)err_set(err, ERR_ASSET_UNKNOWN, "%s: the specified asset is not found", named->field);
    (void)str_copy(err->field, sizeof(err->field), str_from(named->field));
    return ERR_ASSET_UNKNOWN;
}

/* Ark reads the file when it comes to the task. */
static enum err_code patch(const struct create *create, const struct draft_asset *named,
                           const struct asset *asset, struct task_draft *draft,
                           struct arena *arena, struct err *err)
{
    CLEANUP(buf_fini) struct buf link = {0};
    int64_t life_s = create->plan.expires_after + LINK_SLACK_S;
    const char *quoted;

    if (named->at.len == 0 || asset->account_id != 0)
        return ERR_OK;
    buf_init(&link, ASSET_LINK_MAX);
    buf_puts(&link, "\"");
    TRY(asset_link(create->service->assets, create->scope, asset,
                   create->now_us + life_s * 1000000, &link, err));
    buf_puts(&link, "\"");
    TRY(buf_check(&link, err));
    quoted = arena_dup(arena, buf_str(&link));
    if (quoted == NULL)
        return err_detail(err, ERR_INTERNAL, "arena full: a link");
    draft->patches[draft->patch_count++] = (struct json_patch){named->at, str_from(quoted)};
    return ERR_OK;
}

/* What Ark's own library has, only the account that has it can read. */
static enum err_code pin(struct create *create, const struct draft_asset *named,
                         const struct asset *asset, struct err *err)
{
    if (asset->account_id == 0)
        return ERR_OK;
    if (create->account_id != 0 && create->account_id != asset->account_id)
        return err_field(err, named->field,
                         "%s: the asset %s cannot be used together with what the task names"
                         " before it",
                         named->field, asset->id);
    create->account_id = asset->account_id;
    return ERR_OK;
}

/* Of the items of one kind, how many are assets of a known length, and how long those are
 * together. */
struct length {
    int count;
    int64_t ms;
};

static enum err_code check_length(const struct length *length, const char *noun,
                                  struct err *err)
{
    if (length->ms <= SECONDS_MAX_MS)
        return ERR_OK;
    return err_field(err, "content",
                     "content: the %ss are %lld.%03lld s long together, at most"
                     " %d.%d s are allowed",
                     noun, (long long)(length->ms / 1000), (long long)(length->ms % 1000),
                     SECONDS_MAX_MS / 1000, SECONDS_MAX_MS % 1000 / 100);
}

static enum err_code check_source(const struct create *create, const struct task_draft *draft,
                                  struct err *err)
{
    if (!create->scope->settings.library || draft->plain_field[0] == '\0')
        return ERR_OK;
    return err_field(err, draft->plain_field,
                     "%s must be an asset:// of the library: this account takes no other",
                     draft->plain_field);
}

enum err_code submit_assets_bind(struct create *create, struct task_draft *draft,
                                 struct arena *arena, struct err *err)
{
    struct length videos = {0}, audios = {0};
    struct asset asset;

    TRY(check_source(create, draft, err));
    for (size_t i = 0; i < draft->asset_count; i++) {
        const struct draft_asset *named = &draft->assets[i];

        TRY(find(create, named, &asset, err));
        TRY(check(named, &asset, err));
        TRY(pin(create, named, &asset, err));
        TRY(patch(create, named, &asset, draft, arena, err));
        struct length *length = named->kind == CONTENT_VIDEO   ? &videos
                                : named->kind == CONTENT_AUDIO ? &audios
                                                               : NULL;
        if (length != NULL && asset.duration_ms != 0)
            *length = (struct length){length->count + 1, length->ms + asset.duration_ms};
    }
    TRY(check_length(&videos, "video", err));
    TRY(check_length(&audios, "audio", err));
    if (videos.count > 0 && videos.count == draft->videos)
        judge_of_videos(draft, videos.ms, &create->plan);
    return ERR_OK;
}
