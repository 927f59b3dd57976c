/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a create, by table, into a task_draft. Types and forms are judged
 * here; what a model can do is judged by gateway/task. Members without a row go to
 * Ark as they are. */
#include "gateway/dialect/ark_parts.h"

#include <stdio.h>
#include <string.h>

enum {
    NAME_BYTES_MAX = 16384, /* far over any name: an unknown one is 404, not 400 */
    IDENTIFIER_CHARS_MAX = 64
};

struct wire_create {
    struct str model, resolution, ratio, tier, safety_identifier;
    const struct json_value *content, *callback_url, *callback_url_alias, *tools, *references;
    struct json_opt_int duration, frames, seed, priority, expires_after;
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
    JSON_FIELD(JSON_FIELD_INT, wire_create, frames, "frames", false, INT64_MIN, INT64_MAX),
    JSON_FIELD(JSON_FIELD_VALUE, wire_create, tools, "tools", false, 0, 0),
    JSON_FIELD(JSON_FIELD_VALUE, wire_create, references, "references", false, 0, 0),
    JSON_FIELD(JSON_FIELD_VALUE, wire_create, callback_url, "callback_url", false, 0, 0),
    JSON_FIELD(JSON_FIELD_VALUE, wire_create, callback_url_alias, "CallbackURL", false, 0, 0),
};

/* Code points, not bytes: Ark counts characters. */
static size_t character_count(struct str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

/* The one tool there is, in its one form. */
static enum err_code decode_tools(const struct json_doc *doc, const struct json_value *tools,
                                  struct task_draft *draft, struct err *err)
{
    const struct json_value *tool, *type;
    bool bare = true; /* a tool has nothing but its type */

    if (tools == NULL)
        return ERR_OK;
    tool = json_type(tools) == JSON_ARRAY && json_count(tools) == 1 ? json_first(tools) : NULL;
    type = json_get(tool, "type");
    for (const struct json_value *more = json_first(tool); more != NULL; more = json_next(more))
        bare = bare && (more == type || json_type(more) == JSON_NULL);
    if (type == NULL || !bare || json_type(type) != JSON_STRING ||
        !str_is(json_text_head(doc, type, 64), "web_search"))
        return err_field(err, "tools", "tools must be [{\"type\":\"web_search\"}]");
    draft->web_search = true;
    return ERR_OK;
}

/* Ark gets one callback_url without blanks around it, and never the alias. */
static enum err_code decode_callback(const struct json_doc *doc, const struct wire_create *wire,
                                     struct arena *arena, struct task_draft *draft,
                                     struct err *err)
{
    const struct json_value *value = wire->callback_url;
    const char *name = "callback_url";
    CLEANUP(buf_fini) struct buf quoted = {0};
    struct json_out out;
    const char *copy;

    if (value == NULL && wire->callback_url_alias != NULL) {
        value = wire->callback_url_alias;
        name = "CallbackURL";
    }
    if (value == NULL)
        return ERR_OK;
    if (json_type(value) != JSON_STRING)
        return err_field(err, name, "%s must be a string", name);
    draft->callback_member = name;
    draft->callback_url = str_trim(json_text(doc, value));
    if (draft->callback_url.len == 0)
        return err_field(err, name, "%s must not be blank", name);
    if (draft->callback_url.len > TASK_URL_MAX)
        return err_field(err, name, "%s must have at most %d bytes", name, TASK_URL_MAX);
    buf_init(&quoted, (size_t)TASK_URL_MAX * 6 + 16); /* every byte escaped */
    out = json_begin(&quoted);
    json_put_text(&out, NULL, draft->callback_url);
    TRY(json_end(&out, err));
    copy = arena_dup(arena, buf_str(&quoted));
    if (copy == NULL)
        return err_detail(err, ERR_INTERNAL, "arena full: callback_url");
    draft->edits[draft->edit_count++] = (struct json_edit){"callback_url", str_from(copy)};
    draft->edits[draft->edit_count++] = (struct json_edit){.name = "CallbackURL"};
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
                                struct arena *arena, struct task_draft *ret_draft,
                                struct err *err)
{
    struct wire_create wire = {0};
    struct task_draft draft = {.dialect = "ark", .body = body};

    TRY(ark_decode_model(doc, &draft.model_asked, err));
    TRY(json_decode(doc, json_root(doc), "", create_fields, COUNT_OF(create_fields), &wire,
                    err));
    TRY(ark_names_check(doc, err));
    TRY(ark_content_decode(doc, wire.content, &draft, err));
    TRY(decode_tools(doc, wire.tools, &draft, err));
    TRY(decode_callback(doc, &wire, arena, &draft, err));
    TRY(ark_assets_decode(doc, arena, &draft, err));
    if (character_count(wire.safety_identifier) > IDENTIFIER_CHARS_MAX)
        return err_field(err, "safety_identifier",
                         "safety_identifier must have at most %d characters",
                         IDENTIFIER_CHARS_MAX);
    draft.references_audio =
        wire.references != NULL && json_get(wire.references, "audio") != NULL;
    draft.resolution = wire.resolution;
    draft.ratio = wire.ratio;
    draft.tier = wire.tier;
    draft.has_duration = wire.duration.present;
    draft.duration = wire.duration.value;
    draft.has_frames = wire.frames.present;
    draft.frames = wire.frames.value;
    draft.has_draft = wire.draft.present;
    draft.draft = wire.draft.present && wire.draft.value;
    draft.camera_fixed = wire.camera_fixed.present && wire.camera_fixed.value;
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
