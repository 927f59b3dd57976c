/* SPDX-License-Identifier: Apache-2.0 */
/* The content of a create: kinds, forms and roles of its items, counted into a task_draft.
 * Which of them a model takes together is judged by gateway/task. */
#include "gateway/dialect/ark_parts.h"

#include <stdio.h>

/* The kinds of content, and the roles each may have. */
static const struct {
    const char *type;
    enum content_kind kind;
    const char *member;   /* the object that holds url, or the text itself */
    const char *roles[3]; /* NULL ends */
} kinds[] = {
    {"text", CONTENT_TEXT, "text", {NULL}},
    {"image_url", CONTENT_IMAGE, "image_url", {"first_frame", "last_frame", "reference_image"}},
    {"video_url", CONTENT_VIDEO, "video_url", {"reference_video", NULL}},
    {"audio_url", CONTENT_AUDIO, "audio_url", {"reference_audio", NULL}},
    {"draft_task", CONTENT_DRAFT, "draft_task", {NULL}},
};

static enum err_code decode_role(const struct json_doc *doc, const struct json_value *item,
                                 size_t kind, size_t index, struct str *ret_role,
                                 struct err *err)
{
    const struct json_value *value = json_get(item, "role");
    char field[64];

    *ret_role = (struct str){"", 0};
    if (value == NULL)
        return ERR_OK;
    (void)snprintf(field, sizeof(field), "content[%zu].role", index);
    if (json_type(value) != JSON_STRING)
        return err_field(err, field, "%s must be a string", field);
    *ret_role = json_text_head(doc, value, 64);
    for (size_t i = 0; i < COUNT_OF(kinds[kind].roles) && kinds[kind].roles[i] != NULL; i++) {
        if (str_is(*ret_role, kinds[kind].roles[i]))
            return ERR_OK;
    }
    return err_field(err, field, "%s is not a role of %s", field, kinds[kind].type);
}

/* The string that the item's object holds under a name. */
static enum err_code find_text(const struct json_doc *doc, const struct json_value *item,
                               size_t kind, const char *name, size_t index,
                               const struct json_value **ret_text, struct err *err)
{
    const char *member = kinds[kind].member;
    const struct json_value *object = json_get(item, member);
    const struct json_value *text;
    char field[64];

    (void)snprintf(field, sizeof(field), "content[%zu].%s", index, member);
    if (object == NULL || json_type(object) != JSON_OBJECT)
        return err_field(err, field, "%s must be an object with %s", field, name);
    text = json_get(object, name);
    (void)snprintf(field, sizeof(field), "content[%zu].%s.%s", index, member, name);
    if (text == NULL || json_type(text) != JSON_STRING)
        return err_field(err, field, "%s must be a string", field);
    if (json_text_head(doc, text, 1).len == 0)
        return err_field(err, field, "%s must not be empty", field);
    *ret_text = text;
    return ERR_OK;
}

static enum err_code decode_media(const struct json_doc *doc, const struct json_value *item,
                                  size_t kind, size_t index, struct task_draft *draft,
                                  struct err *err)
{
    const struct json_value *url;
    struct str role;
    char field[64];

    TRY(find_text(doc, item, kind, "url", index, &url, err));
    (void)snprintf(field, sizeof(field), "content[%zu].%s.url", index, kinds[kind].member);
    if (kinds[kind].kind == CONTENT_VIDEO &&
        str_starts_nocase(json_text_head(doc, url, 16), STR("data:")))
        return err_field(err, field, "%s: a video cannot be given as a data: URL", field);
    TRY(decode_role(doc, item, kind, index, &role, err));
    draft->images += kinds[kind].kind == CONTENT_IMAGE;
    draft->videos += kinds[kind].kind == CONTENT_VIDEO;
    draft->audios += kinds[kind].kind == CONTENT_AUDIO;
    draft->first_frames += str_is(role, "first_frame");
    draft->last_frames += str_is(role, "last_frame");
    draft->references += str_starts_nocase(role, STR("reference_"));
    return ERR_OK;
}

/* What stands at a prompt's end is money: it must be certain what Ark will make of it. */
static enum err_code decode_prompt(struct str prompt, const char *field,
                                   struct task_draft *draft, struct err *err)
{
    struct draft_inline found;
    bool first = !draft->has_text;

    if (prompt.len == 0)
        return ERR_OK;
    if (!ark_inline_read(prompt, &found))
        return err_field(err, field,
                         "%s: a word at its end is no parameter, and those before it can be "
                         "taken for some or not: use the members",
                         field);
    if (!first && (ark_inline_is_priced(&found) || ark_inline_is_priced(&draft->in_prompt)))
        return err_field(err, field,
                         "%s: parameters at the end of one of several texts can be taken for "
                         "some or not: use the members",
                         field);
    if (first)
        draft->in_prompt = found;
    draft->has_text = true;
    return ERR_OK;
}

static enum err_code decode_text(const struct json_doc *doc, const struct json_value *item,
                                 size_t index, struct task_draft *draft, struct err *err)
{
    const struct json_value *text = json_get(item, "text");
    char field[64];

    (void)snprintf(field, sizeof(field), "content[%zu].text", index);
    if (text == NULL || json_type(text) != JSON_STRING)
        return err_field(err, field, "%s must be a string", field);
    struct str whole = json_text(doc, text), prompt = str_trim(whole);

    /* Only the quotes may be all of an empty one: what stands at a prompt's end is money. */
    if (whole.len == 0 && json_raw(doc, text).len > 2)
        return err_field(err, field, "%s is too long", field);
    return decode_prompt(prompt, field, draft, err);
}

static enum err_code decode_draft_task(const struct json_doc *doc,
                                       const struct json_value *item, size_t kind, size_t index,
                                       struct task_draft *draft, struct err *err)
{
    const struct json_value *id;
    char field[64];

    (void)snprintf(field, sizeof(field), "content[%zu]", index);
    if (draft->draft_task.len > 0)
        return err_field(err, field, "%s: content may hold one draft_task", field);
    TRY(find_text(doc, item, kind, "id", index, &id, err));
    draft->draft_task = json_text(doc, id);
    if (draft->draft_task.len == 0)
        return err_field(err, field, "%s: the id is too long", field);
    draft->draft_task_at = json_raw(doc, id);
    return ERR_OK;
}

static enum err_code find_kind(const struct json_doc *doc, const struct json_value *item,
                               size_t index, size_t *ret_kind, struct err *err)
{
    const struct json_value *type;
    char field[64];

    (void)snprintf(field, sizeof(field), "content[%zu]", index);
    if (json_type(item) != JSON_OBJECT)
        return err_field(err, field, "%s must be an object", field);
    type = json_get(item, "type");
    (void)snprintf(field, sizeof(field), "content[%zu].type", index);
    if (type == NULL || json_type(type) != JSON_STRING)
        return err_field(err, field, "%s must be a string", field);
    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
        if (str_is(json_text_head(doc, type, 64), kinds[kind].type)) {
            *ret_kind = kind;
            return ERR_OK;
        }
    }
    return err_field(err, field,
                     "%s must be one of: text, image_url, video_url, audio_url, draft_task",
                     field);
}

static enum err_code decode_item(const struct json_doc *doc, const struct json_value *item,
                                 size_t index, struct task_draft *draft, struct err *err)
{
    size_t kind = 0;

    TRY(find_kind(doc, item, index, &kind, err));
    switch (kinds[kind].kind) {
    case CONTENT_TEXT:
        return decode_text(doc, item, index, draft, err);
    case CONTENT_DRAFT:
        return decode_draft_task(doc, item, kind, index, draft, err);
    case CONTENT_IMAGE:
    case CONTENT_VIDEO:
    case CONTENT_AUDIO:
        break;
    }
    return decode_media(doc, item, kind, index, draft, err);
}

enum err_code ark_content_decode(const struct json_doc *doc, const struct json_value *content,
                                 struct task_draft *draft, struct err *err)
{
    size_t index = 0;

    if (json_type(content) != JSON_ARRAY)
        return err_field(err, "content", "content must be an array");
    if (json_count(content) == 0)
        return err_field(err, "content", "content must not be empty");
    if (json_count(content) > TASK_CONTENT_MAX)
        return err_field(err, "content", "content may hold at most %d items", TASK_CONTENT_MAX);
    for (const struct json_value *item = json_first(content); item != NULL;
         item = json_next(item), index++)
        TRY(decode_item(doc, item, index, draft, err));
    return ERR_OK;
}
