/* SPDX-License-Identifier: Apache-2.0 */
/* Which strings of a create name assets. Each is noted, also where nobody would look for one:
 * whether it may be used is judged by gateway/task. */
#include "gateway/dialect/ark_parts.h"

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

struct place {
    const struct json_value *url;
    enum content_kind kind;
};

struct noting {
    const struct json_doc *doc;
    struct arena *arena;
    struct task_draft *draft;
    struct place places[TASK_CONTENT_MAX];
    size_t place_count;
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
        size_t len = strlen(replaced[i]);

        /* It, or what is in it: its end is the path's, or another step. */
        if (strncmp(path, replaced[i], len) == 0 && strchr(".[", path[len]) != NULL)
            return true;
    }
    return member != NULL && strcmp(member, "text") == 0;
}

/* Media by their values: a member's own name may look like another one's path. What an item's
 * type does not name is no medium. */
static void find_places(struct noting *noting)
{
    const struct json_value *item = json_first(json_get(json_root(noting->doc), "content"));

    for (; item != NULL && noting->place_count < TASK_CONTENT_MAX; item = json_next(item)) {
        const struct json_value *type = json_get(item, "type");

        for (size_t i = 0; type != NULL && i < COUNT_OF(media); i++) {
            if (str_is(json_text_head(noting->doc, type, 64), media[i].member))
                noting->places[noting->place_count++] = (struct place){
                    json_get(json_get(item, media[i].member), "url"), media[i].kind};
        }
    }
}

static enum content_kind kind_of(const struct noting *noting, const struct json_value *value)
{
    for (size_t i = 0; i < noting->place_count; i++) {
        if (noting->places[i].url == value)
            return noting->places[i].kind;
    }
    return CONTENT_TEXT;
}

/* A link among the references that stand beside content. */
static bool is_reference(const struct json_found *found)
{
    static const char name[] = "references";
    size_t len = sizeof(name) - 1;

    return strncmp(found->path, name, len) == 0 && strchr(".[", found->path[len]) != NULL &&
           (str_starts_nocase(found->head, STR("http://")) ||
            str_starts_nocase(found->head, STR("https://")) ||
            str_starts_nocase(found->head, STR("data:")));
}

static enum err_code note(const struct json_found *found, void *ctx, struct err *err)
{
    struct noting *noting = ctx;
    struct task_draft *draft = noting->draft;
    enum content_kind kind = kind_of(noting, found->value);

    if (!str_starts_nocase(found->head, STR(SCHEME))) {
        if ((kind != CONTENT_TEXT || is_reference(found)) && draft->plain_field[0] == '\0')
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
    /* Ids are compared without case. What is too long for one is none that exists. */
    asset->id.len = found->head.len - strlen(SCHEME);
    asset->id.ptr = arena_dup_lower(
        noting->arena, (struct str){found->head.ptr + strlen(SCHEME), asset->id.len});
    return asset->id.ptr != NULL ? ERR_OK
                                 : err_detail(err, ERR_INTERNAL, "arena full: an asset's id");
}

enum err_code ark_assets_decode(const struct json_doc *doc, struct arena *arena,
                                struct task_draft *draft, struct err *err)
{
    struct noting noting = {.doc = doc, .arena = arena, .draft = draft};

    find_places(&noting);
    return json_each_string(doc, note, &noting, err);
}
