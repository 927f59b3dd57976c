/* SPDX-License-Identifier: Apache-2.0 */
/* A gated text as a tree. cJSON parses a skeleton in which long strings are
 * empty; every node remembers where its value stands in the original text, and
 * that position, never a mark inside a string, leads back to the long ones. */
#include "base/json.h"
#include "base/json_private.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* The largest integer up to which a double holds each one: 2^53. */
#define INTEGER_MAX INT64_C(9007199254740992)

struct json_doc {
    struct str text;     /* the original */
    struct arena *arena; /* the caller's */
    cJSON *root;         /* valueint of each node: its position in text */
};

static const cJSON *node(const struct json_value *value)
{
    return (const cJSON *)(const void *)value;
}

static const struct json_value *from_node(const cJSON *item)
{
    return (const struct json_value *)(const void *)item;
}

static bool is_container(const cJSON *item)
{
    return cJSON_IsArray(item) || cJSON_IsObject(item);
}

/* Whether the skeleton has an empty text for this string although the original
 * has not. No decoded text is empty otherwise: NUL does not pass the gate. */
static bool is_long(const struct json_doc *doc, const cJSON *item)
{
    return item->valuestring[0] == '\0' && doc->text.ptr[item->valueint + 1] != '"';
}

static struct str cut_at_code_point(struct str text, size_t max)
{
    if (text.len <= max)
        return text;
    while (max > 0 && ((unsigned char)text.ptr[max] & 0xC0) == 0x80)
        max--;
    return (struct str){text.ptr, max};
}

/* The end of the string, number or run of anything else at pos. */
static size_t token_end(struct str text, size_t pos)
{
    static const char starts[] = "\"-0123456789";

    if (text.ptr[pos] == '"')
        return json_scan_string(text, pos);
    if (memchr(starts, text.ptr[pos], sizeof(starts) - 1) != NULL)
        return json_scan_value(text, pos);
    while (pos < text.len && memchr(starts, text.ptr[pos], sizeof(starts) - 1) == NULL)
        pos++;
    return pos;
}

/* Whether the string that ends at pos is a member's name. */
static bool is_name_end(struct str text, size_t pos)
{
    pos = json_scan_space(text, pos);
    return pos < text.len && text.ptr[pos] == ':';
}

/* Copies the text with long strings emptied; dst NULL only measures. Refuses
 * what cJSON cannot take. */
static enum err_code make_skeleton(struct str text, char *dst, size_t *ret_len, struct err *err)
{
    size_t len = 0, end;

    for (size_t pos = 0; pos < text.len; pos = end) {
        char c = text.ptr[pos];
        end = token_end(text, pos);

        struct str kept = {text.ptr + pos, end - pos};
        if (c == '"' && kept.len > JSON_LONG_STRING + 2) {
            if (is_name_end(text, end))
                return err_set(err, ERR_INVALID,
                               "the member name at byte %zu is longer than %d bytes", pos,
                               JSON_LONG_STRING);
            kept = STR("\"\"");
        }
        if ((c == '-' || (c >= '0' && c <= '9')) && kept.len > JSON_NUMBER_BYTES_MAX)
            return err_set(err, ERR_INVALID, "the number at byte %zu is longer than %d bytes",
                           pos, JSON_NUMBER_BYTES_MAX);
        if (dst != NULL)
            memcpy(dst + len, kept.ptr, kept.len);
        len += kept.len;
    }
    *ret_len = len;
    return ERR_OK;
}

/* A double cannot tell 2^53 from its neighbours above; the digits can. */
static void mark_number(cJSON *item, struct str raw)
{
    int64_t value;

    if ((item->valuedouble == (double)INTEGER_MAX ||
         item->valuedouble == -(double)INTEGER_MAX) &&
        (!str_to_i64(raw, &value) || value > INTEGER_MAX || value < -INTEGER_MAX))
        item->valuedouble = HUGE_VAL;
}

/* Walks tree and original text side by side and notes in each node where its
 * value starts. */
static void note_positions(struct json_doc *doc)
{
    cJSON *parent[JSON_DEPTH_MAX];
    int depth = 0;
    size_t pos = 0;
    cJSON *item = doc->root;

    while (item != NULL) {
        pos = json_scan_space(doc->text, pos);
        if (depth > 0 && cJSON_IsObject(parent[depth - 1])) {
            pos = json_scan_space(doc->text, json_scan_string(doc->text, pos));
            pos = json_scan_space(doc->text, pos + 1);
        }
        ASSERT(pos < doc->text.len);
        item->valueint = (int)pos;
        if (is_container(item) && item->child != NULL) {
            ASSERT(depth < JSON_DEPTH_MAX);
            parent[depth++] = item;
            item = item->child;
            pos++;
            continue;
        }
        size_t end = json_scan_value(doc->text, pos);
        if (cJSON_IsNumber(item))
            mark_number(item, (struct str){doc->text.ptr + pos, end - pos});
        pos = json_scan_space(doc->text, end);
        while (item->next == NULL && depth > 0) {
            item = parent[--depth];
            pos = json_scan_space(doc->text, pos + 1);
        }
        item = item->next;
        pos++;
    }
}

/* The inside of a long string; at most what a head of max bytes can need, that
 * is six bytes for each and a whole pair of surrogates behind it. */
static struct str raw_string(const struct json_doc *doc, const cJSON *item, size_t max)
{
    size_t start = (size_t)item->valueint + 1;
    struct str window = {doc->text.ptr + start - 1, doc->text.len - start + 1};
    bool is_cut = max < window.len / 6 && 6 * max + 16 < window.len;

    if (is_cut)
        window.len = 6 * max + 16;
    size_t end = json_scan_string(window, 0);
    return (struct str){window.ptr + 1, end == window.len && is_cut ? end - 1 : end - 2};
}

FALLIBLE json_parse(struct arena *arena, struct str text, struct json_doc **ret_doc,
                    struct err *err)
{
    size_t len = 0;
    const char *skeleton = text.ptr;

    if (text.len > INT_MAX)
        return err_set(err, ERR_TOO_LARGE, "the body is too large");
    TRY(json_gate(text, err));
    TRY(make_skeleton(text, NULL, &len, err));

    struct json_doc *doc = arena_alloc(arena, sizeof(*doc));
    if (doc == NULL)
        return err_detail(err, ERR_INTERNAL, "arena full: JSON document");
    if (len != text.len) {
        char *copy = arena_alloc(arena, len);
        if (copy == NULL)
            return err_detail(err, ERR_INTERNAL, "arena full: JSON skeleton of %zu bytes", len);
        TRY(make_skeleton(text, copy, &len, err));
        skeleton = copy;
    }
    doc->text = text;
    doc->arena = arena;
    doc->root = cJSON_ParseWithLengthOpts(skeleton, len, NULL, false);
    if (doc->root == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for the tree of %zu bytes of JSON",
                          len);
    note_positions(doc);
    *ret_doc = doc;
    return ERR_OK;
}

void json_free(struct json_doc **doc)
{
    if (doc == NULL || *doc == NULL)
        return;
    cJSON_Delete((*doc)->root);
    (*doc)->root = NULL;
    *doc = NULL;
}

const struct json_value *json_root(const struct json_doc *doc)
{
    return from_node(doc->root);
}

enum json_type json_type(const struct json_value *value)
{
    const cJSON *item = node(value);

    if (cJSON_IsBool(item))
        return JSON_BOOL;
    if (cJSON_IsNumber(item))
        return JSON_NUMBER;
    if (cJSON_IsString(item))
        return JSON_STRING;
    if (cJSON_IsArray(item))
        return JSON_ARRAY;
    if (cJSON_IsObject(item))
        return JSON_OBJECT;
    return JSON_NULL;
}

const struct json_value *json_get(const struct json_value *object, const char *name)
{
    if (!cJSON_IsObject(node(object)))
        return NULL;
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(node(object), name);
    return cJSON_IsNull(item) ? NULL : from_node(item);
}

const struct json_value *json_first(const struct json_value *parent)
{
    return is_container(node(parent)) ? from_node(node(parent)->child) : NULL;
}

const struct json_value *json_next(const struct json_value *child)
{
    return child != NULL ? from_node(node(child)->next) : NULL;
}

const char *json_name(const struct json_value *child)
{
    return child != NULL && node(child)->string != NULL ? node(child)->string : "";
}

size_t json_count(const struct json_value *parent)
{
    size_t count = 0;

    for (const struct json_value *child = json_first(parent); child != NULL;
         child = json_next(child))
        count++;
    return count;
}

struct str json_text(const struct json_doc *doc, const struct json_value *value)
{
    if (!cJSON_IsString(node(value)))
        return STR("");
    if (!is_long(doc, node(value)))
        return str_from(node(value)->valuestring);

    struct str raw = raw_string(doc, node(value), SIZE_MAX);
    size_t len = json_scan_decoded_len(raw), pos = 0;
    if (len == raw.len)
        return raw; /* no escapes: the original will do */
    char *text = arena_alloc(doc->arena, len);
    if (text == NULL)
        return STR("");
    return (struct str){text, json_scan_decode(raw, &pos, text, len)};
}

struct str json_head_copy(const struct json_doc *doc, const struct json_value *value, char *dst,
                          size_t max)
{
    size_t pos = 0;

    if (!is_long(doc, node(value)))
        return cut_at_code_point(str_from(node(value)->valuestring), max);
    return (struct str){dst,
                        json_scan_decode(raw_string(doc, node(value), max), &pos, dst, max)};
}

struct str json_text_head(const struct json_doc *doc, const struct json_value *value,
                          size_t max)
{
    if (!cJSON_IsString(node(value)))
        return STR("");
    if (!is_long(doc, node(value)))
        return cut_at_code_point(str_from(node(value)->valuestring), max);

    struct str raw = raw_string(doc, node(value), max);
    if (memchr(raw.ptr, '\\', raw.len < max ? raw.len : max) == NULL)
        return cut_at_code_point(raw, max);
    size_t size = raw.len < max ? raw.len : max;
    char *text = arena_alloc(doc->arena, size);
    return text != NULL ? json_head_copy(doc, value, text, size) : STR("");
}

bool json_int(const struct json_value *value, int64_t *ret_value)
{
    if (!cJSON_IsNumber(node(value)))
        return false;
    double number = node(value)->valuedouble;
    if (!(number >= -(double)INTEGER_MAX && number <= (double)INTEGER_MAX))
        return false;
    int64_t integer = (int64_t)number;
    if ((double)integer != number)
        return false;
    *ret_value = integer;
    return true;
}

bool json_bool(const struct json_value *value, bool *ret_value)
{
    if (!cJSON_IsBool(node(value)))
        return false;
    *ret_value = cJSON_IsTrue(node(value));
    return true;
}

struct str json_raw(const struct json_doc *doc, const struct json_value *value)
{
    size_t start = (size_t)node(value)->valueint;

    return (struct str){doc->text.ptr + start, json_scan_value(doc->text, start) - start};
}
