/* SPDX-License-Identifier: Apache-2.0 */
/* JSON in and out. The strict gate scans a text in place and without
 * recursion; only what passed it reaches cJSON, and long strings never do.
 * Numbers keep their digits in the original text; typed members are checked
 * against their range. Documents live in an arena and borrow the original
 * bytes, which must outlive them. One thread at a time per document. */
#ifndef ARKGATE_BASE_JSON_H
#define ARKGATE_BASE_JSON_H

#include "base/base.h"

/* json_gate.c ---------------------------------------------------------- */

enum {
    JSON_DEPTH_MAX = 64,    /* containers in one another; cJSON recurses once for each */
    JSON_NODES_MAX = 20000, /* values per text: cJSON needs about 64 bytes for each */
    JSON_LONG_STRING = 4096 /* longer strings stay in the original text */
};

/* RFC 8259, UTF-8, no BOM, no duplicate member (compared after unescaping), no
 * NUL even escaped, no lone surrogate, depth and node caps. ERR_INVALID with the
 * byte offset and the reason in msg. Nothing is allocated but a hash set for
 * members, bounded by the node cap. */
FALLIBLE json_gate(struct str text, struct err *err);

/* json_read.c: struct json_doc, a gated text as a tree ------------------ */

struct json_value; /* one value of a document; borrowed from it */
struct json_doc;

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Gates and parses; also refuses member names over JSON_LONG_STRING bytes and
 * numbers over 63, which cJSON would cut. The document borrows text and lives in arena; the
 * cJSON tree behind it is freed by json_free. */
FALLIBLE json_parse(struct arena *arena, struct str text, struct json_doc **ret_doc,
                    struct err *err);
/* Accepts NULL inside. */
void json_free(struct json_doc **doc);
/* Its outermost value; borrowed. */
const struct json_value *json_root(const struct json_doc *doc);

/* Its kind. */
enum json_type json_type(const struct json_value *value);
/* Member of an object, exact case; NULL when absent, null, or not an object. */
const struct json_value *json_get(const struct json_value *object, const char *name);
/* First child of an array or object, next sibling; NULL at the end. */
const struct json_value *json_first(const struct json_value *parent);
const struct json_value *json_next(const struct json_value *child);
/* Member name of a child of an object; "" otherwise. */
const char *json_name(const struct json_value *child);
size_t json_count(const struct json_value *parent);
/* Text of a string. A long string is unescaped into the document's arena; empty
 * text when it is no string or the arena is full. */
struct str json_text(const struct json_doc *doc, const struct json_value *value);
/* Up to max bytes from the start of a string, unescaped; cheap for long ones. */
struct str json_text_head(const struct json_doc *doc, const struct json_value *value,
                          size_t max);
/* An integer in [-2^53, 2^53]; false for 5.5, 1e400 or another type. */
bool json_int(const struct json_value *value, int64_t *ret_value);
bool json_bool(const struct json_value *value, bool *ret_value);
/* The bytes of the value in the original text, digits and order kept. The value
 * must be the document's own. O(text). */
struct str json_raw(const struct json_doc *doc, const struct json_value *value);
/* A string value at any depth, its dotted path ("content[1].video_url.url") and its head of
 * at most 256 bytes; path and head are borrowed for the call. */
struct json_found {
    const char *path;
    struct str head;
    const struct json_value *value;
};
/* Calls visit for every string value. Stops and returns what visit returns when that is not
 * ERR_OK. */
FALLIBLE json_each_string(const struct json_doc *doc,
                          enum err_code (*visit)(const struct json_found *found, void *ctx,
                                                 struct err *err),
                          void *ctx, struct err *err);

/* A row of a decode table: one wire member into one struct member. */
enum json_field_type {
    JSON_FIELD_TEXT, /* struct str; min and max count bytes */
    JSON_FIELD_INT,  /* struct json_opt_int; min and max bound the value */
    JSON_FIELD_BOOL, /* struct json_opt_bool */
    JSON_FIELD_VALUE /* const struct json_value *: any type, kept as it is */
};
struct json_opt_int {
    bool present;
    int64_t value;
};
struct json_opt_bool {
    bool present;
    bool value;
};
struct json_field {
    const char *name;
    enum json_field_type type;
    bool required;
    int64_t min, max;
    size_t offset;
};
#define JSON_FIELD(type_, struct_, member_, name_, required_, min_, max_)                \
    {                                                                                    \
        (name_), (type_), (required_), (min_), (max_), offsetof(struct struct_, member_) \
    }

/* Fills *dst by the table; null counts as absent; members that the table does
 * not name are left alone. The first bad member is named in err->field with
 * prefix in front ("content[2]." or ""). */
FALLIBLE json_decode(const struct json_doc *doc, const struct json_value *object,
                     const char *prefix, const struct json_field *fields, size_t count,
                     void *dst, struct err *err);

/* json_write.c: sticky writer ------------------------------------------ */

/* Writes into a caller's buf, members in call order, commas by itself. Text is
 * escaped; invalid UTF-8 becomes U+FFFD. Depth at most 32. A NULL name inside an
 * array or at the root. */
struct json_out {
    struct buf *buf;
    uint32_t has_items; /* one bit per depth */
    int depth;
    bool misused; /* more closes than opens, or too deep */
};

struct json_out json_begin(struct buf *buf);
void json_open_object(struct json_out *out, const char *name);
void json_open_array(struct json_out *out, const char *name);
void json_close_object(struct json_out *out);
void json_close_array(struct json_out *out);
void json_put_text(struct json_out *out, const char *name, struct str value);
void json_put_int(struct json_out *out, const char *name, int64_t value);
void json_put_bool(struct json_out *out, const char *name, bool value);
void json_put_null(struct json_out *out, const char *name);
/* Already valid JSON, copied as it is. */
void json_put_raw(struct json_out *out, const char *name, struct str json);
/* ERR_INTERNAL when misused or unbalanced, ERR_TOO_LARGE when the buf was full. */
FALLIBLE json_end(struct json_out *out, struct err *err);

/* json_splice.c: the original object with few members changed ----------- */

/* Edits the top-level members of a gated object. Everything else keeps its
 * bytes, order and digits; nothing of the original is copied. */
enum { JSON_EDITS_MAX = 16 };
struct json_edit {
    const char *name; /* member to set or drop; borrowed */
    struct str json;  /* its new value as JSON; empty: drop the member */
};
struct json_slices {
    struct str *items; /* in the arena; concatenated they are the new text */
    size_t count;
    size_t len; /* bytes in all */
};

/* Other bytes for a value that stands anywhere in the text. */
struct json_patch {
    struct str at;   /* the value's own bytes in the text; len 0: nothing to patch */
    struct str json; /* what stands there instead */
};
/* Puts the patch into slices that json_splice made of a text: they must hold the place,
 * whole. ERR_INTERNAL when they do not. */
FALLIBLE json_splice_patch(struct arena *arena, const struct json_patch *patch,
                           struct json_slices *inout_slices, struct err *err);
/* Applies the edits (at most JSON_EDITS_MAX; a set of an absent member appends
 * it) and also drops every top-level member whose value is null. ERR_INVALID
 * unless text is a gated object. */
FALLIBLE json_splice(struct arena *arena, struct str text, const struct json_edit *edits,
                     size_t count, struct json_slices *ret_slices, struct err *err);

#endif
