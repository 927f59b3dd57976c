/* SPDX-License-Identifier: Apache-2.0 */
/* Visits every string of a document with a readable path. What the strings may
 * hold is the visitor's business. */
#include "base/json.h"
#include "base/json_private.h"

#include <stdio.h>
#include <string.h>

enum {
    PATH_BYTES_MAX = 200, /* a path is for messages and logs, whose fields end near there */
    HEAD_BYTES_MAX = 256  /* promised by json.h */
};

struct walk {
    int depth;
    const struct json_value *parent[JSON_DEPTH_MAX];
    size_t index[JSON_DEPTH_MAX];    /* of the child of parent that is visited */
    size_t path_len[JSON_DEPTH_MAX]; /* of parent's own path */
    char path[PATH_BYTES_MAX + 1];
};

/* Puts the child's step behind its parent's path, cut at a code point. */
static void set_path(struct walk *walk, const struct json_value *child)
{
    if (walk->depth == 0)
        return;
    int level = walk->depth - 1;
    size_t len = walk->path_len[level];
    char *end = walk->path + len;

    if (json_type(walk->parent[level]) == JSON_ARRAY) {
        (void)snprintf(end, sizeof(walk->path) - len, "[%zu]", walk->index[level]);
        return;
    }
    if (len > 0 && len < PATH_BYTES_MAX) {
        *end++ = '.';
        len++;
    }
    str_copy_cut(end, sizeof(walk->path) - len, str_from(json_name(child)));
}

static void descend(struct walk *walk, const struct json_value *parent)
{
    ASSERT(walk->depth < JSON_DEPTH_MAX);
    walk->parent[walk->depth] = parent;
    walk->index[walk->depth] = 0;
    walk->path_len[walk->depth] = strlen(walk->path);
    walk->depth++;
}

/* The next value in document order behind one whose children are done. */
static const struct json_value *advance(struct walk *walk, const struct json_value *value)
{
    while (walk->depth > 0) {
        const struct json_value *next = json_next(value);
        walk->index[walk->depth - 1]++;
        if (next != NULL)
            return next;
        value = walk->parent[--walk->depth];
    }
    return NULL;
}

FALLIBLE json_each_string(const struct json_doc *doc,
                          enum err_code (*visit)(const struct json_found *found, void *ctx,
                                                 struct err *err),
                          void *ctx, struct err *err)
{
    struct walk walk = {.depth = 0};
    char head[HEAD_BYTES_MAX];
    const struct json_value *value = json_root(doc);

    while (value != NULL) {
        set_path(&walk, value);
        const struct json_value *child = json_first(value);
        if (child != NULL) {
            descend(&walk, value);
            value = child;
            continue;
        }
        if (json_type(value) == JSON_STRING) {
            const struct json_found found = {
                walk.path, json_head_copy(doc, value, head, sizeof(head)), value};

            TRY(visit(&found, ctx, err));
        }
        value = advance(&walk, value);
    }
    return ERR_OK;
}
