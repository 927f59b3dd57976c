/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the ark dialect, for its own files. */
#ifndef ARKGATE_GATEWAY_DIALECT_ARK_PARTS_H
#define ARKGATE_GATEWAY_DIALECT_ARK_PARTS_H

#include "base/json.h"
#include "gateway/dialect/dialect.h"
#include "gateway/task/task.h"

/* ark_decode.c: a create's body: its model alone, then all of it into a draft that
 * borrows from doc */
FALLIBLE ark_decode_model(const struct json_doc *doc, struct str *ret_model, struct err *err);
FALLIBLE ark_decode_create(const struct json_doc *doc, struct str body,
                           struct task_draft *ret_draft, struct err *err);

/* ark_encode.c: a task as GET shows it ------------------------------------------ */
FALLIBLE ark_encode_task(const struct task *task, struct buf *body, struct err *err);

/* ark_errmap.c: codes, types and texts of errors on this wire -------------------- */
void ark_errmap_put(struct request *rq, const struct err *err);

#endif
