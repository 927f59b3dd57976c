/* SPDX-License-Identifier: Apache-2.0 */
/* Edits the top-level members of an object without copying it. Which members to
 * edit is the caller's; that the commas come out right is decided here. */
#include "base/json.h"
#include "base/json_private.h"

#include <string.h>

/* Where one member stands in the text. */
struct member {
    struct str raw; /* its name */
    size_t start;   /* the name's opening quote */
    size_t value;
    size_t end;
};

/* Run twice: first to count (items NULL), then to fill. */
struct splice {
    struct str text;
    const struct json_edit *edits;
    struct str names[JSON_EDITS_MAX]; /* of the edits, quoted, with a colon behind */
    size_t count;
    bool seen[JSON_EDITS_MAX]; /* the member exists */
    struct json_slices out;
    size_t run_start, run_end; /* bytes of the text not yet put out */
    bool joined;               /* the run may go on over the next member's comma */
    bool has_members;          /* the new object has one already */
};

static struct str edit_raw_name(const struct splice *splice, size_t i)
{
    return (struct str){splice->names[i].ptr + 1, splice->names[i].len - 3};
}

static void put(struct splice *splice, struct str piece)
{
    if (piece.len == 0)
        return;
    if (splice->out.items != NULL)
        splice->out.items[splice->out.count] = piece;
    splice->out.count++;
    splice->out.len += piece.len;
}

static void put_run(struct splice *splice, size_t next_start)
{
    put(splice, (struct str){splice->text.ptr + splice->run_start,
                             splice->run_end - splice->run_start});
    splice->run_start = splice->run_end = next_start;
}

static enum err_code not_an_object(struct err *err)
{
    return err_set(err, ERR_INVALID, "the body must be a JSON object");
}

static bool is_at(struct str text, size_t pos, char c)
{
    return pos < text.len && text.ptr[pos] == c;
}

/* Reads the member at pos. */
static bool read_member(struct str text, size_t pos, struct member *ret_member)
{
    if (!is_at(text, pos, '"'))
        return false;
    size_t name_end = json_scan_string(text, pos);
    size_t colon = json_scan_space(text, name_end);
    if (!is_at(text, colon, ':') || name_end - pos < 2)
        return false;
    size_t value = json_scan_space(text, colon + 1);
    size_t end = json_scan_value(text, value);
    if (end == value)
        return false;
    *ret_member = (struct member){{text.ptr + pos + 1, name_end - pos - 2}, pos, value, end};
    return true;
}

static const struct json_edit *find_edit(struct splice *splice, struct str raw)
{
    for (size_t i = 0; i < splice->count; i++) {
        if (!json_scan_same(edit_raw_name(splice, i), raw))
            continue;
        splice->seen[i] = true;
        return &splice->edits[i];
    }
    return NULL;
}

static void splice_member(struct splice *splice, const struct member *member)
{
    const struct json_edit *edit = find_edit(splice, member->raw);
    bool drop = edit != NULL ? edit->json.len == 0 : splice->text.ptr[member->value] == 'n';

    if (drop) {
        splice->joined = false;
        return;
    }
    if (!splice->joined) {
        put_run(splice, member->start);
        if (splice->has_members)
            put(splice, STR(","));
    }
    splice->joined = true;
    splice->has_members = true;
    splice->run_end = member->end;
    if (edit != NULL) {
        splice->run_end = member->value;
        put_run(splice, member->end);
        put(splice, edit->json);
    }
}

/* Edits of members that the object has not. */
static void append_members(struct splice *splice)
{
    for (size_t i = 0; i < splice->count; i++) {
        if (splice->seen[i] || splice->edits[i].json.len == 0)
            continue;
        put_run(splice, splice->run_end);
        if (splice->has_members)
            put(splice, STR(","));
        put(splice, splice->names[i]);
        put(splice, splice->edits[i].json);
        splice->has_members = true;
        splice->joined = false;
    }
}

static enum err_code splice_run(struct splice *splice, struct err *err)
{
    struct str text = splice->text;
    struct member member;
    size_t pos = json_scan_space(text, 0);

    if (!is_at(text, pos, '{'))
        return not_an_object(err);
    splice->run_start = 0;
    splice->run_end = pos + 1;
    splice->joined = true;
    splice->has_members = false;
    splice->out.count = splice->out.len = 0;

    pos = json_scan_space(text, pos + 1);
    while (!is_at(text, pos, '}')) {
        if (!read_member(text, pos, &member))
            return not_an_object(err);
        splice_member(splice, &member);
        pos = json_scan_space(text, member.end);
        if (is_at(text, pos, ','))
            pos = json_scan_space(text, pos + 1);
    }
    append_members(splice);
    if (!splice->joined)
        put_run(splice, pos);
    splice->run_end = text.len;
    put_run(splice, text.len);
    return ERR_OK;
}

/* Quotes the edits' names and makes sure that each is edited once. */
static enum err_code prepare_edits(struct splice *splice, struct arena *arena, struct err *err)
{
    if (splice->count > JSON_EDITS_MAX)
        return err_detail(err, ERR_INTERNAL, "%zu edits of one object", splice->count);
    for (size_t i = 0; i < splice->count; i++) {
        const char *name = splice->edits[i].name;
        CLEANUP(buf_fini) struct buf quoted = {0};

        buf_init(&quoted, JSON_LONG_STRING);
        json_put_quoted(&quoted, str_from(name));
        buf_put(&quoted, ":", 1);
        TRY(buf_check(&quoted, err));
        const char *copy = arena_dup(arena, buf_str(&quoted));
        if (copy == NULL)
            return err_detail(err, ERR_INTERNAL, "arena full: edit of %s", name);
        splice->names[i] = (struct str){copy, quoted.len};
        for (size_t j = 0; j < i; j++)
            if (strcmp(splice->edits[j].name, name) == 0)
                return err_detail(err, ERR_INTERNAL, "member %s edited twice", name);
    }
    return ERR_OK;
}

FALLIBLE json_splice(struct arena *arena, struct str text, const struct json_edit *edits,
                     size_t count, struct json_slices *ret_slices, struct err *err)
{
    struct splice splice = {.text = text, .edits = edits, .count = count};

    TRY(prepare_edits(&splice, arena, err));
    TRY(splice_run(&splice, err));
    splice.out.items = arena_alloc(arena, splice.out.count * sizeof(*splice.out.items));
    if (splice.out.items == NULL)
        return err_detail(err, ERR_INTERNAL, "arena full: %zu slices", splice.out.count);
    TRY(splice_run(&splice, err));
    *ret_slices = splice.out;
    return ERR_OK;
}

FALLIBLE json_splice_patch(struct arena *arena, const struct json_patch *patch,
                           struct json_slices *inout_slices, struct err *err)
{
    struct json_slices *slices = inout_slices;
    struct str *items;
    size_t i = 0;

    if (patch->at.len == 0)
        return ERR_OK;
    for (; i < slices->count; i++) {
        const struct str *item = &slices->items[i];

        if (patch->at.ptr >= item->ptr &&
            patch->at.ptr + patch->at.len <= item->ptr + item->len)
            break;
    }
    items = arena_alloc(arena, (slices->count + 2) * sizeof(*items));
    if (i == slices->count || items == NULL)
        return err_detail(err, ERR_INTERNAL,
                          i == slices->count ? "nothing to patch there"
                                             : "arena full: a patch");

    struct str whole = slices->items[i];
    size_t before = (size_t)(patch->at.ptr - whole.ptr), after = before + patch->at.len;

    memcpy(items, slices->items, i * sizeof(*items));
    items[i] = (struct str){whole.ptr, before};
    items[i + 1] = patch->json;
    items[i + 2] = (struct str){whole.ptr + after, whole.len - after};
    memcpy(items + i + 3, slices->items + i + 1, (slices->count - i - 1) * sizeof(*items));
    slices->len = slices->len - patch->at.len + patch->json.len;
    slices->items = items;
    slices->count += 2;
    return ERR_OK;
}
