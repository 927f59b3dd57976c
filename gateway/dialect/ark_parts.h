/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the ark dialect, for its own files. */
#ifndef ARKGATE_GATEWAY_DIALECT_ARK_PARTS_H
#define ARKGATE_GATEWAY_DIALECT_ARK_PARTS_H

#include "base/json.h"
#include "gateway/dialect/dialect.h"
#include "gateway/task/task.h"

/* ark_decode.c: a create's body: its model alone, then all of it into a draft that
 * borrows from doc and arena */
FALLIBLE ark_decode_model(const struct json_doc *doc, struct str *ret_model, struct err *err);
FALLIBLE ark_decode_create(const struct json_doc *doc, struct str body, struct arena *arena,
                           struct task_draft *ret_draft, struct err *err);

/* ark_content.c: its items, counted into the draft ------------------------------- */
FALLIBLE ark_content_decode(const struct json_doc *doc, const struct json_value *content,
                            struct task_draft *draft, struct err *err);

/* ark_assets.c: strings that name assets, wherever they stand ---------------------- */
/* Notes them in the draft, whose items are decoded already. */
FALLIBLE ark_assets_decode(const struct json_doc *doc, struct arena *arena,
                           struct task_draft *draft, struct err *err);

/* ark_names.c: no member is one of ours but for the case of its letters --------- */
FALLIBLE ark_names_check(const struct json_doc *doc, struct err *err);

/* ark_inline.c: "--rs 720p" and the like at a prompt's end ------------------------ */
/* False when the end can be read in two ways that do not cost the same: a word among them
 * is no parameter, and the ones before it may be heeded or not. */
bool ark_inline_read(struct str prompt, struct draft_inline *ret_found);
/* Is there one that has a price? */
bool ark_inline_is_priced(const struct draft_inline *found);

/* ark_encode.c: a task as GET shows it ------------------------------------------ */
FALLIBLE ark_encode_task(struct catalogue *catalogue, const struct task *task, struct buf *body,
                         struct err *err);
/* As an item of the list that is being written: a failure stands there twice, for
 * clients that read it from failure_reason. */
void ark_encode_item(struct catalogue *catalogue, const struct task *task,
                     struct json_out *out);

/* ark_list.c: a list's query, and its answer written as the tasks come ----------- */
struct ark_list {
    struct catalogue *catalogue;
    struct buf *body;
    struct json_out out;
};
/* The filter borrows from the request. ERR_INVALID names the parameter. */
FALLIBLE ark_list_decode(struct request *rq, struct task_list_filter *ret_filter,
                         struct err *err);
/* For a task_list_reader whose ctx is a struct ark_list. */
enum err_code ark_list_begin(int64_t total, void *ctx, struct err *err);
enum err_code ark_list_item(const struct task *task, void *ctx, struct err *err);
FALLIBLE ark_list_end(struct ark_list *list, struct err *err);

/* ark_errmap.c: codes, types and texts of errors on this wire -------------------- */
void ark_errmap_put(struct request *rq, const struct err *err);

#endif
