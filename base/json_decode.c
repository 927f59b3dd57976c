/* SPDX-License-Identifier: Apache-2.0 */
/* Moves members of an object into a struct by a table and says which one was
 * wrong. Meaning beyond type and range is the caller's. */
#include "base/json.h"
#include "base/json_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* One member on its way. */
struct decode {
    const struct json_doc *doc;
    const struct json_value *value;
    const struct json_field *field;
    char path[64]; /* prefix and name; as much as err->field holds */
    void *dst;
    struct err *err;
};

static bool is_written_as_integer(struct str raw)
{
    for (size_t i = 0; i < raw.len; i++)
        if (raw.ptr[i] != '-' && (raw.ptr[i] < '0' || raw.ptr[i] > '9'))
            return false;
    return raw.len > 0;
}

static enum err_code decode_text(struct decode *decode)
{
    const struct json_field *field = decode->field;
    struct str *dst = decode->dst;

    if (json_type(decode->value) != JSON_STRING)
        return err_field(decode->err, decode->path, "%s must be a string", decode->path);

    /* Six bytes at most make one: what is refused is not decoded first. */
    size_t raw_len = json_raw(decode->doc, decode->value).len - 2;
    bool fits = field->max >= 0 && (raw_len + 5) / 6 <= (uint64_t)field->max;
    struct str text = {"", 0};
    if (fits) {
        text = json_text(decode->doc, decode->value);
        if (text.len == 0 && raw_len != 0)
            return err_detail(decode->err, ERR_INTERNAL, "arena full: text of %s",
                              decode->path);
        fits = (int64_t)text.len >= field->min && (int64_t)text.len <= field->max;
    }
    if (!fits)
        return err_field(decode->err, decode->path,
                         "%s must be %" PRId64 " to %" PRId64 " bytes", decode->path,
                         field->min, field->max);
    *dst = text;
    return ERR_OK;
}

static enum err_code decode_int(struct decode *decode)
{
    const struct json_field *field = decode->field;
    struct json_opt_int *dst = decode->dst;
    int64_t value;

    if (json_type(decode->value) != JSON_NUMBER ||
        !is_written_as_integer(json_raw(decode->doc, decode->value)))
        return err_field(decode->err, decode->path, "%s must be an integer", decode->path);
    if (!json_int(decode->value, &value) || value < field->min || value > field->max)
        return err_field(decode->err, decode->path,
                         "%s must be between %" PRId64 " and %" PRId64, decode->path,
                         field->min, field->max);
    *dst = (struct json_opt_int){true, value};
    return ERR_OK;
}

static enum err_code decode_bool(struct decode *decode)
{
    struct json_opt_bool *dst = decode->dst;
    bool value;

    if (!json_bool(decode->value, &value))
        return err_field(decode->err, decode->path, "%s must be true or false", decode->path);
    *dst = (struct json_opt_bool){true, value};
    return ERR_OK;
}

static enum err_code decode_member(struct decode *decode)
{
    switch (decode->field->type) {
    case JSON_FIELD_TEXT:
        return decode_text(decode);
    case JSON_FIELD_INT:
        return decode_int(decode);
    case JSON_FIELD_BOOL:
        return decode_bool(decode);
    case JSON_FIELD_VALUE:
        memcpy(decode->dst, &decode->value, sizeof(decode->value));
        return ERR_OK;
    }
    return err_detail(decode->err, ERR_INTERNAL, "no such field type: %d",
                      (int)decode->field->type);
}

/* The prefix without its dot names the object itself. */
static enum err_code not_an_object(const char *prefix, struct err *err)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "%s", prefix);
    size_t len = strlen(path);
    if (len == 0)
        return err_set(err, ERR_INVALID, "the body must be a JSON object");
    if (path[len - 1] == '.')
        path[len - 1] = '\0';
    return err_field(err, path, "%s must be an object", path);
}

FALLIBLE json_decode(const struct json_doc *doc, const struct json_value *object,
                     const char *prefix, const struct json_field *fields, size_t count,
                     void *dst, struct err *err)
{
    if (json_type(object) != JSON_OBJECT)
        return not_an_object(prefix, err);
    for (size_t i = 0; i < count; i++) {
        struct decode decode = {.doc = doc,
                                .value = json_get(object, fields[i].name),
                                .field = &fields[i],
                                .dst = (char *)dst + fields[i].offset,
                                .err = err};

        (void)snprintf(decode.path, sizeof(decode.path), "%s%s", prefix, fields[i].name);
        if (decode.value != NULL)
            TRY(decode_member(&decode));
        else if (fields[i].required)
            return err_field(err, decode.path, "%s is required", decode.path);
    }
    return ERR_OK;
}
