/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target for JSON from the gate to the splice. What the gate accepts must
 * parse, walk and splice, and the spliced text must pass the gate again. */
#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 8 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err_code visit(const char *path, struct str head, void *ctx, struct err *err)
{
    (void)err;
    *(size_t *)ctx += strlen(path) + head.len;
    ASSERT(str_is_utf8(head) && str_is_utf8(str_from(path)) && head.len <= 256);
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
    ASSERT(json_each_string(doc, visit, &seen, &err) == ERR_OK);
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
    if (rc != ERR_OK) {
        ASSERT(rc == ERR_INVALID && text.len > 0);
        return;
    }
    char *spliced = malloc(slices.len), *end = spliced;
    ASSERT(spliced != NULL);
    for (size_t i = 0; i < slices.count; i++) {
        memcpy(end, slices.items[i].ptr, slices.items[i].len);
        end += slices.items[i].len;
    }
    ASSERT((size_t)(end - spliced) == slices.len);
    rc = json_gate((struct str){spliced, slices.len}, &err);
    /* the only new reason: the appended members went over the cap of values */
    ASSERT(rc == ERR_OK || strstr(err.msg, "more than") != NULL);
    free(spliced);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct arena arena;
    struct err err;

    arena_init(&arena, ARENA_BYTES);
    if (json_gate(text, &err) == ERR_OK) {
        ASSERT(str_is_utf8(text));
        check_read(&arena, text);
        check_splice(&arena, text);
    } else {
        struct json_slices slices;
        /* no answer is promised for what the gate refused, but no bad read either */
        (void)!json_splice(&arena, text, NULL, 0, &slices, &err);
    }
    arena_fini(&arena);
    return 0;
}
