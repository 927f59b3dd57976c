/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target for JSON from the gate to the splice. What the gate accepts is JSON by another
 * reader's judgement as well; it must parse, walk, decode, splice and patch, and what comes
 * out must pass the gate again. What only the gate refuses, it refuses for a rule of its own.
 */
#include "tests/fuzz/fuzz.h"

enum { ARENA_BYTES = 8 << 20 };

/* ---- RFC 8259 by its grammar: a second opinion --------------------------------- */

struct grammar {
    const unsigned char *at, *end;
};

static bool value_is(struct grammar *g, int depth);

static bool take(struct grammar *g, char c)
{
    if (g->at == g->end || *g->at != (unsigned char)c)
        return false;
    g->at++;
    return true;
}

static void skip_space(struct grammar *g)
{
    while (g->at < g->end && memchr(" \t\r\n", *g->at, 4) != NULL)
        g->at++;
}

static size_t take_all(struct grammar *g, const char *set)
{
    const unsigned char *from = g->at;

    while (g->at < g->end && *g->at != '\0' && strchr(set, *g->at) != NULL)
        g->at++;
    return (size_t)(g->at - from);
}

static bool string_is(struct grammar *g)
{
    if (!take(g, '"'))
        return false;
    while (g->at < g->end && *g->at >= 0x20) {
        unsigned char c = *g->at++;

        if (c == '"')
            return true;
        if (c != '\\')
            continue;
        if (take(g, 'u')) {
            for (int i = 0; i < 4; i++, g->at++)
                if (g->at == g->end || *g->at == '\0' ||
                    strchr("0123456789abcdefABCDEF", *g->at) == NULL)
                    return false;
        } else if (g->at == g->end || memchr("\"\\/bfnrt", *g->at++, 8) == NULL) {
            return false;
        }
    }
    return false;
}

static bool number_is(struct grammar *g)
{
    (void)take(g, '-');
    if (!take(g, '0') && take_all(g, "0123456789") == 0)
        return false;
    if (take(g, '.') && take_all(g, "0123456789") == 0)
        return false;
    if (take(g, 'e') || take(g, 'E')) {
        if (!take(g, '-'))
            (void)take(g, '+');
        return take_all(g, "0123456789") > 0;
    }
    return true;
}

static bool word_is(struct grammar *g, const char *word)
{
    for (; *word != '\0'; word++)
        if (!take(g, *word))
            return false;
    return true;
}

static bool items_are(struct grammar *g, bool object, int depth)
{
    char close = object ? '}' : ']';

    skip_space(g);
    if (take(g, close))
        return true;
    do {
        skip_space(g);
        if (object) {
            if (!string_is(g))
                return false;
            skip_space(g);
            if (!take(g, ':'))
                return false;
        }
        if (!value_is(g, depth + 1))
            return false;
        skip_space(g);
    } while (take(g, ','));
    return take(g, close);
}

static bool value_is(struct grammar *g, int depth)
{
    skip_space(g);
    if (g->at == g->end || depth > JSON_DEPTH_MAX)
        return false;
    switch (*g->at) {
    case '{':
    case '[':
        return items_are(g, *g->at++ == '{', depth);
    case '"':
        return string_is(g);
    case 't':
        return word_is(g, "true");
    case 'f':
        return word_is(g, "false");
    case 'n':
        return word_is(g, "null");
    default:
        return number_is(g);
    }
}

/* JSON of a depth that is allowed. */
static bool is_json(struct str text)
{
    struct grammar g = {(const unsigned char *)text.ptr, (const unsigned char *)text.ptr};

    g.end += text.len;
    if (!str_is_utf8(text) || !value_is(&g, 0))
        return false;
    skip_space(&g);
    return g.at == g.end;
}

/* The rules that are the gate's own. */
static bool is_own_rule(const char *msg)
{
    static const char *const rules[] = {"duplicate member", "more than", "an escaped NUL",
                                        "half a surrogate", "nesting deeper"};

    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (strstr(msg, rules[i]) != NULL)
            return true;
    return false;
}

/* ---- what passed the gate ------------------------------------------------------- */

static enum err_code visit(const struct json_found *found, void *ctx, struct err *err)
{
    (void)err;
    *(size_t *)ctx += strlen(found->path) + found->head.len;
    ASSERT(str_is_utf8(found->head) && str_is_utf8(str_from(found->path)) &&
           found->head.len <= 256 && json_type(found->value) == JSON_STRING);
    return ERR_OK;
}

/* Every getter on every value; raw bytes must stand for the same type. */
static void check_value(const struct json_doc *doc, const struct json_value *value)
{
    struct str raw = json_raw(doc, value);
    struct str text = json_text(doc, value);
    struct str head = json_text_head(doc, value, 7);
    struct err err;
    int64_t number;
    bool flag;

    ASSERT(json_gate(raw, &err) == ERR_OK);
    ASSERT(text.len >= head.len && memcmp(text.ptr, head.ptr, head.len) == 0);
    ASSERT(str_is_utf8(text) && str_is_utf8(head));
    ASSERT(json_bool(value, &flag) == (raw.ptr[0] == 't' || raw.ptr[0] == 'f'));
    ASSERT((json_type(value) == JSON_STRING) == (raw.ptr[0] == '"'));
    ASSERT((json_type(value) == JSON_NULL) == (raw.ptr[0] == 'n'));
    if (json_int(value, &number))
        ASSERT(json_type(value) == JSON_NUMBER && number <= INT64_C(1) << 53);
}

static void check_tree(const struct json_doc *doc, const struct json_value *value, int depth)
{
    size_t count = 0;

    ASSERT(depth <= JSON_DEPTH_MAX);
    if (depth <= 3) /* raw bytes at each depth would be quadratic */
        check_value(doc, value);
    for (const struct json_value *child = json_first(value); child != NULL;
         child = json_next(child)) {
        check_tree(doc, child, depth + 1);
        count++;
    }
    ASSERT(json_count(value) == count);
}

static void check_gated(const struct json_slices *slices)
{
    char *text = fuzz_join(slices);
    struct err err;

    enum err_code rc = json_gate((struct str){text, slices->len}, &err);
    /* the only new reason: what was put in went over the cap of values or of depth */
    ASSERT(rc == ERR_OK || strstr(err.msg, "more than") != NULL ||
           strstr(err.msg, "nesting deeper") != NULL);
    free(text);
}

static void check_splice(struct arena *arena, struct str text)
{
    static const struct json_edit edits[] = {{"model", STR("{\"x\":[1.10]}")},
                                             {"callback_url", STR("\"u\"")},
                                             {"a", {"", 0}},
                                             {"", STR("0")}};
    struct json_slices slices;
    struct err err;

    enum err_code rc = json_splice(arena, text, edits, COUNT_OF(edits), &slices, &err);
    if (rc == ERR_OK)
        check_gated(&slices);
    else
        ASSERT(rc == ERR_INVALID && text.len > 0);
}

/* Patches the last of the first values of each depth, and that one's container. */
static void check_patch(struct arena *arena, const struct json_doc *doc, struct str text)
{
    const struct json_value *value = json_root(doc), *inner;
    struct json_slices slices;
    struct err err;

    if (json_type(value) != JSON_OBJECT)
        return;
    while ((inner = json_first(value)) != NULL)
        value = inner;
    struct json_patch patch = {json_raw(doc, value), STR("[{\"p\":-0.5e1}]")};
    ASSERT(json_splice(arena, text, NULL, 0, &slices, &err) == ERR_OK);
    size_t len = slices.len;
    enum err_code rc = json_splice_patch(arena, &patch, &slices, &err);

    /* a null at the top went with the splice; the root itself is no value to patch there */
    ASSERT(rc == ERR_OK ||
           (rc == ERR_INTERNAL && (json_type(value) == JSON_NULL || value == json_root(doc))));
    if (rc != ERR_OK)
        return;
    ASSERT(slices.len == len - patch.at.len + patch.json.len);
    check_gated(&slices);
}

struct decoded {
    struct str text;
    struct json_opt_int number;
    struct json_opt_bool flag;
    const struct json_value *any;
};

static void check_decode(const struct json_doc *doc)
{
    static const struct json_field fields[] = {
        JSON_FIELD(JSON_FIELD_TEXT, decoded, text, "model", false, 1, 32),
        JSON_FIELD(JSON_FIELD_INT, decoded, number, "duration", false, -1, 3600),
        JSON_FIELD(JSON_FIELD_BOOL, decoded, flag, "draft", false, 0, 1),
        JSON_FIELD(JSON_FIELD_VALUE, decoded, any, "content", false, 0, 0),
    };
    struct decoded decoded = {0};
    struct err err;

    if (json_type(json_root(doc)) != JSON_OBJECT)
        return;
    enum err_code rc =
        json_decode(doc, json_root(doc), "x[0].", fields, COUNT_OF(fields), &decoded, &err);
    if (rc != ERR_OK) {
        ASSERT(strncmp(err.field, "x[0].", 5) == 0);
        fuzz_check_err(&err);
        return;
    }
    ASSERT(decoded.text.len <= 32 && str_is_utf8(decoded.text));
    ASSERT(!decoded.number.present ||
           (decoded.number.value >= -1 && decoded.number.value <= 3600));
}

static void check_read(struct arena *arena, struct str text)
{
    CLEANUP(json_free) struct json_doc *doc = NULL;
    struct err err;
    size_t seen = 0;

    enum err_code rc = json_parse(arena, text, &doc, &err);
    ASSERT(rc == ERR_OK || (rc == ERR_INVALID && strstr(err.msg, "is longer than") != NULL));
    if (rc != ERR_OK)
        return;
    ASSERT(json_raw(doc, json_root(doc)).len <= text.len);
    check_tree(doc, json_root(doc), 0);
    check_decode(doc);
    check_patch(arena, doc, text);
    ASSERT(json_each_string(doc, visit, &seen, &err) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct arena arena;
    struct err err;

    arena_init(&arena, ARENA_BYTES);
    if (json_gate(text, &err) == ERR_OK) {
        ASSERT(is_json(text));
        check_read(&arena, text);
        check_splice(&arena, text);
    } else {
        struct json_slices slices;

        fuzz_check_err(&err);
        ASSERT(!is_json(text) || is_own_rule(err.msg));
        /* no answer is promised for what the gate refused, but no bad read either */
        (void)!json_splice(&arena, text, NULL, 0, &slices, &err);
    }
    arena_fini(&arena);
    return 0;
}
