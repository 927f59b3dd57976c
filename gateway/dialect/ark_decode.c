/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a create, by table, into a task_draft. Types and forms are judged
 * here; what a model can do is judged by gateway/task. Members without a row go to
 * Ark as they are. */
#include "gateway/dialect/ark_parts.h"

#include <stdio.h>
#include <string.h>

enum {
    NAME_BYTES_MAX = 16384, /* far over any name: an unknown one is 404, not 400 */
    IDENTIFIER_CHARS_MAX = 64,
    CONTENT_ITEMS_MAX = 64 /* 1 text, 9 images, 3 videos, 3 audios, and room for Ark to
                              refuse the rest by its own words */
};

struct wire_create {
    struct str model, resolution, ratio, tier, safety_identifier;
    const struct json_value *content, *callback_url, *callback_url_alias, *tools, *frames;
    const struct json_value *references;
    struct json_opt_int duration, seed, priority, expires_after;
    struct json_opt_bool generate_audio, last_frame, watermark, draft, camera_fixed;
};

/* The model is looked up before anything else is judged. */
static const struct json_field model_fields[] = {
    /*         type              struct       member              wire name    need  min  max */
    JSON_FIELD(JSON_FIELD_TEXT, wire_create, model, "model", true, 1, NAME_BYTES_MAX),
};

static const struct json_field create_fields[] = {
    JSON_FIELD(JSON_FIELD_VALUE, wire_create, content, "content", true, 0, 0),
    JSON_FIELD(JSON_FIELD_TEXT, wire_create, resolution, "resolution", false, 1, 64),
    JSON_FIELD(JSON_FIELD_TEXT, wire_create, ratio, "ratio", false, 1, 64),
    JSON_FIELD(JSON_FIELD_INT, wire_create, duration, "duration", false, INT64_MIN, INT64_MAX),
    JSON_FIELD(JSON_FIELD_INT, wire_create, seed, "seed", false, -1, UINT32_MAX),
    JSON_FIELD(JSON_FIELD_INT, wire_create, priority, "priority", false, 0, 9),
    JSON_FIELD(JSON_FIELD_INT, wire_create, expires_after, "execution_expires_after", false,
               3600, 259200),
    JSON_FIELD(JSON_FIELD_TEXT, wire_create, tier, "service_tier", false, 1, 64),
    JSON_FIELD(JSON_FIELD_TEXT, wire_create, safety_identifier, "safety_identifier", false, 0,
               IDENTIFIER_CHARS_MAX * 4),
    JSON_FIELD(JSON_FIELD_BOOL, wire_create, generate_audio, "generate_audio", false, 0, 1),
    JSON_FIELD(JSON_FIELD_BOOL, wire_create, last_frame, "return_last_frame", false, 0, 1),
    JSON_FIELD(JSON_FIELD_BOOL, wire_create, watermark, "watermark", false, 0, 1),
    JSON_FIELD(JSON_FIELD_BOOL, wire_create, draft, "draft", false, 0, 1),
    JSON_FIELD(JSON_FIELD_BOOL, wire_create, camera_fixed, "camera_fixed", false, 0, 1),
    JSON_FIELD(JSON_FIELD_VALUE, wire_create, frames, "frames", false, 0, 0),
    JSON_FIELD(JSON_FIELD_VALUE, wire_create, tools, "tools", false, 0, 0),
    JSON_FIELD(JSON_FIELD_VALUE, wire_create, references, "references", false, 0, 0),
    JSON_FIELD(JSON_FIELD_VALUE, wire_create, callback_url, "callback_url", false, 0, 0),
    JSON_FIELD(JSON_FIELD_VALUE, wire_create, callback_url_alias, "CallbackURL", false, 0, 0),
};

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
};

static bool is_given(const struct json_value *value)
{
    return value != NULL && json_type(value) != JSON_NULL;
}

/* Code points, not bytes: Ark counts characters. */
static size_t character_count(struct str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

/* What a later version makes safe must not slip through to Ark unnoticed. */
static enum err_code refuse_unserved(const struct wire_create *wire, struct err *err)
{
    if (is_given(wire->callback_url))
        return err_field(err, "callback_url", "callback_url is not supported by this version");
    if (is_given(wire->callback_url_alias))
        return err_field(err, "CallbackURL", "CallbackURL is not supported by this version");
    if (is_given(wire->tools))
        return err_field(err, "tools", "tools is not supported by this version");
    if (is_given(wire->frames))
        return err_field(err, "frames", "the model does not support frames");
    if (wire->draft.present && wire->draft.value)
        return err_field(err, "draft", "the model does not support draft");
    if (wire->camera_fixed.present && wire->camera_fixed.value)
        return err_field(err, "camera_fixed", "the model does not support camera_fixed");
    return ERR_OK;
}

static enum err_code refuse_asset(const char *path, struct str head, void *ctx, struct err *err)
{
    (void)ctx;
    if (!str_starts_nocase(head, STR("asset://")))
        return ERR_OK;
    return err_field(err, path, "%s: asset:// is not supported by this version", path);
}

static enum err_code decode_role(const struct json_doc *doc, const struct json_value *item,
                                 size_t kind, size_t index, struct str *ret_role,
                                 struct err *err)
{
    const struct json_value *value = json_get(item, "role");
    char field[64];

    *ret_role = (struct str){"", 0};
    if (!is_given(value))
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

static enum err_code decode_url(const struct json_doc *doc, const struct json_value *item,
                                size_t kind, size_t index, struct err *err)
{
    const char *member = kinds[kind].member;
    const struct json_value *object = json_get(item, member);
    const struct json_value *url;
    char field[64];

    (void)snprintf(field, sizeof(field), "content[%zu].%s", index, member);
    if (!is_given(object) || json_type(object) != JSON_OBJECT)
        return err_field(err, field, "%s must be an object with a url", field);
    url = json_get(object, "url");
    (void)snprintf(field, sizeof(field), "content[%zu].%s.url", index, member);
    if (!is_given(url) || json_type(url) != JSON_STRING)
        return err_field(err, field, "%s must be a string", field);
    struct str head = json_text_head(doc, url, 16);

    if (head.len == 0)
        return err_field(err, field, "%s must not be empty", field);
    if (kinds[kind].kind == CONTENT_VIDEO && str_starts_nocase(head, STR("data:")))
        return err_field(err, field, "%s: a video cannot be given as a data: URL", field);
    return ERR_OK;
}

/* "--rs 4k" in a prompt changes what Ark makes and charges, behind the hold's back. */
static enum err_code refuse_inline(struct str prompt, const char *field, struct err *err)
{
    static const char *const priced[] = {"--resolution", "--rs",  "--ratio", "--rt",
                                         "--duration",   "--dur", "--frames"};

    for (size_t at = 0; at < prompt.len; at++) {
        struct str rest = {prompt.ptr + at, prompt.len - at};

        if (rest.ptr[0] != '-')
            continue;
        for (size_t i = 0; i < COUNT_OF(priced); i++) {
            struct str name = str_from(priced[i]);

            if (str_starts_nocase(rest, name) && rest.len > name.len &&
                memchr(" \t\r\n=", rest.ptr[name.len], 5) != NULL)
                return err_field(
                    err, field,
                    "%s: the inline parameter %s is not supported by this version, "
                    "use the member",
                    field, priced[i]);
        }
    }
    return ERR_OK;
}

static enum err_code decode_text(const struct json_doc *doc, const struct json_value *item,
                                 size_t index, struct task_draft *draft, struct err *err)
{
    const struct json_value *text = json_get(item, "text");
    char field[64];

    (void)snprintf(field, sizeof(field), "content[%zu].text", index);
    if (!is_given(text) || json_type(text) != JSON_STRING)
        return err_field(err, field, "%s must be a string", field);
    struct str prompt = str_trim(json_text(doc, text));

    if (prompt.len > 0)
        draft->has_text = true;
    return refuse_inline(prompt, field, err);
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
    if (!is_given(type) || json_type(type) != JSON_STRING)
        return err_field(err, field, "%s must be a string", field);
    struct str word = json_text_head(doc, type, 64);

    for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
        if (str_is(word, kinds[kind].type)) {
            *ret_kind = kind;
            return ERR_OK;
        }
    }
    if (str_is(word, "draft_task"))
        return err_field(err, field, "%s: draft_task is not supported by this version", field);
    return err_field(err, field, "%s must be one of: text, image_url, video_url, audio_url",
                     field);
}

static enum err_code decode_item(const struct json_doc *doc, const struct json_value *item,
                                 size_t index, struct task_draft *draft, struct err *err)
{
    struct str role;
    size_t kind = 0;

    TRY(find_kind(doc, item, index, &kind, err));
    if (kinds[kind].kind == CONTENT_TEXT)
        return decode_text(doc, item, index, draft, err);
    TRY(decode_url(doc, item, kind, index, err));
    TRY(decode_role(doc, item, kind, index, &role, err));
    draft->images += kinds[kind].kind == CONTENT_IMAGE;
    draft->videos += kinds[kind].kind == CONTENT_VIDEO;
    draft->audios += kinds[kind].kind == CONTENT_AUDIO;
    draft->first_frames += str_is(role, "first_frame");
    draft->last_frames += str_is(role, "last_frame");
    return ERR_OK;
}

static enum err_code decode_content(const struct json_doc *doc,
                                    const struct json_value *content, struct task_draft *draft,
                                    struct err *err)
{
    size_t index = 0;

    if (json_type(content) != JSON_ARRAY)
        return err_field(err, "content", "content must be an array");
    if (json_count(content) == 0)
        return err_field(err, "content", "content must not be empty");
    if (json_count(content) > CONTENT_ITEMS_MAX)
        return err_field(err, "content", "content may hold at most %d items",
                         CONTENT_ITEMS_MAX);
    for (const struct json_value *item = json_first(content); item != NULL;
         item = json_next(item), index++)
        TRY(decode_item(doc, item, index, draft, err));
    return ERR_OK;
}

enum err_code ark_decode_model(const struct json_doc *doc, struct str *ret_model,
                               struct err *err)
{
    struct wire_create wire = {0};

    if (json_type(json_root(doc)) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "the body must be a JSON object");
    TRY(json_decode(doc, json_root(doc), "", model_fields, COUNT_OF(model_fields), &wire, err));
    *ret_model = wire.model;
    return ERR_OK;
}

enum err_code ark_decode_create(const struct json_doc *doc, struct str body,
                                struct task_draft *ret_draft, struct err *err)
{
    struct wire_create wire = {0};
    struct task_draft draft = {.dialect = "ark", .body = body};

    TRY(ark_decode_model(doc, &draft.model_asked, err));
    TRY(json_decode(doc, json_root(doc), "", create_fields, COUNT_OF(create_fields), &wire,
                    err));
    TRY(refuse_unserved(&wire, err));
    TRY(json_each_string(doc, refuse_asset, NULL, err));
    TRY(decode_content(doc, wire.content, &draft, err));
    if (character_count(wire.safety_identifier) > IDENTIFIER_CHARS_MAX)
        return err_field(err, "safety_identifier",
                         "safety_identifier must have at most %d characters",
                         IDENTIFIER_CHARS_MAX);
    draft.references_audio =
        wire.references != NULL && is_given(json_get(wire.references, "audio"));
    draft.resolution = wire.resolution;
    draft.ratio = wire.ratio;
    draft.tier = wire.tier;
    draft.has_duration = wire.duration.present;
    draft.duration = wire.duration.value;
    draft.has_seed = wire.seed.present;
    draft.seed = wire.seed.value;
    draft.has_priority = wire.priority.present;
    draft.priority = wire.priority.value;
    draft.has_expires_after = wire.expires_after.present;
    draft.expires_after = wire.expires_after.value;
    draft.has_audio = wire.generate_audio.present;
    draft.audio = wire.generate_audio.value;
    draft.last_frame = wire.last_frame.present && wire.last_frame.value;
    draft.safety_identifier = wire.safety_identifier;
    *ret_draft = draft;
    return ERR_OK;
}
