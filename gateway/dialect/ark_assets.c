/* SPDX-License-Identifier: Apache-2.0 */
/* Which strings of a create name assets. Each is noted, also where nobody would look for one:
 * whether it may be used is judged by gateway/task. */
#include "gateway/dialect/ark_parts.h"

#include <stdlib.h>
#include <string.h>

#define SCHEME "asset://"

/* The media of content by their place. */
static const struct {
    const char *member;
    enum content_kind kind;
} media[] = {
    {"image_url", CONTENT_IMAGE},
    {"video_url", CONTENT_VIDEO},
    {"audio_url", CONTENT_AUDIO},
};

struct noting {
    const struct json_doc *doc;
    struct arena *arena;
    struct task_draft *draft;
};

/* "content[3].image_url.url": what follows the index; NULL for another path. */
static const char *behind_item(const char *path)
{
    const char *end = strncmp(path, "content[", 8) == 0 ? strchr(path, ']') : NULL;

    return end != NULL && end[1] == '.' ? end + 2 : NULL;
}

/* A prompt goes out unaltered, and the members that are replaced on the way are no media. */
static bool stays(const char *path)
{
    static const char *const replaced[] = {"model", "safety_identifier", "callback_url",
                                           "CallbackURL"};
    const char *member = behind_item(path);

    for (size_t i = 0; i < COUNT_OF(replaced); i++) {
        if (strcmp(path, replaced[i]) == 0)
            return true;
    }
    return member != NULL && strcmp(member, "text") == 0;
}

static const struct json_value *item_of(const struct json_doc *doc, const char *path)
{
    const struct json_value *item = json_first(json_get(json_root(doc), "content"));

    for (unsigned long index = strtoul(path + 8, NULL, 10); index > 0 && item != NULL; index--)
        item = json_next(item);
    return item;
}

/* Its item's kind: a member that the item's type does not name is no medium. */
static enum content_kind kind_of(const struct json_doc *doc, const char *path)
{
    const char *member = behind_item(path);
    const struct json_value *type;

    for (size_t i = 0; member != NULL && i < COUNT_OF(media); i++) {
        size_t len = strlen(media[i].member);

        if (strncmp(member, media[i].member, len) != 0 || strcmp(member + len, ".url") != 0)
            continue;
        type = json_get(item_of(doc, path), "type");
        if (type != NULL && str_is(json_text_head(doc, type, 64), media[i].member))
            return media[i].kind;
    }
    return CONTENT_TEXT;
}

/* Ids are compared without case. What is too long for one is none that exists. */
static enum err_code copy_id(struct arena *arena, struct str text, struct str *ret_id,
                             struct err *err)
{
    char *copy = arena_dup(arena, text);

    if (copy == NULL)
        return err_detail(err, ERR_INTERNAL, "arena full: an asset's id");
    for (size_t i = 0; i < text.len; i++) {
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] - 'A' + 'a');
    }
    *ret_id = (struct str){copy, text.len};
    return ERR_OK;
}

static enum err_code note(const struct json_found *found, void *ctx, struct err *err)
{
    struct noting *noting = ctx;
    struct task_draft *draft = noting->draft;
    enum content_kind kind = kind_of(noting->doc, found->path);

    if (!str_starts_nocase(found->head, STR(SCHEME))) {
        if (kind != CONTENT_TEXT && draft->plain_field[0] == '\0')
            str_copy_cut(draft->plain_field, sizeof(draft->plain_field), str_from(found->path));
        return ERR_OK;
    }
    if (draft->asset_count == DRAFT_ASSETS_MAX)
        return err_field(err, "content", "a task may name at most %d assets", DRAFT_ASSETS_MAX);

    struct draft_asset *asset = &draft->assets[draft->asset_count++];

    asset->kind = kind;
    str_copy_cut(asset->field, sizeof(asset->field), str_from(found->path));
    if (!stays(found->path))
        asset->at = json_raw(noting->doc, found->value);
    return copy_id(
        noting->arena,
        (struct str){found->head.ptr + strlen(SCHEME), found->head.len - strlen(SCHEME)},
        &asset->id, err);
}

enum err_code ark_assets_decode(const struct json_doc *doc, struct arena *arena,
                                struct task_draft *draft, struct err *err)
{
    struct noting noting = {doc, arena, draft};

    return json_each_string(doc, note, &noting, err);
}
