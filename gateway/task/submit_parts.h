/* SPDX-License-Identifier: Apache-2.0 */
/* A create between its judgement and its answer, and the closures that write it
 * down; for the files of submit alone. */
#ifndef ARKGATE_GATEWAY_TASK_SUBMIT_PARTS_H
#define ARKGATE_GATEWAY_TASK_SUBMIT_PARTS_H

#include "gateway/task/task_rows.h"

/* One create from judgement to answer. What closures write is marked. */
struct create {
    struct task_service *service;
    const struct scope *scope;
    const struct task_draft *draft;
    struct task_plan plan;
    struct task draft_task; /* the draft that this one finishes; id 0: none */
    int64_t account_id;     /* the only one that can take it; 0: whichever */
    struct provider_route route;
    struct price_row price;
    uint8_t body_hash[CRYPTO_HASH_BYTES];
    int64_t now_us;
    struct attempt attempt;
    struct task task; /* written by closures: id, state, upstream_id, minted_public */
    /* Written by closures: the task that the key made before. */
    bool has_twin;
    struct idempotency twin;
};

/* What a send came to, for the closure that writes it down. */
struct outcome {
    struct create *create;
    const struct provider_answer *answer;
    const struct err *why;       /* refused */
    const struct attempt *again; /* refused here, to be tried there */
    bool fresh;                  /* accepted: the row is not as commit A left it, read it */
    int64_t now_us;
};

/* submit_prepare.c ------------------------------------------------------------ */

/* Fills plan, draft task, route and price of the create, in the order of the errors; *draft
 * is the create's own copy and gets its patch, in arena. */
FALLIBLE submit_prepare_create(struct create *create, struct task_draft *draft,
                               struct arena *arena, struct err *err);

/* submit_assets.c ------------------------------------------------------------ */

/* Each asset that the draft names is one that the caller sees, active and of its item's type,
 * and becomes a link in a patch of the draft's, in arena; those of Ark's own library stay as
 * they are, and say which account takes the create. The lengths of videos, where all are
 * known, make the plan's worst case smaller. */
FALLIBLE submit_assets_bind(struct create *create, struct task_draft *draft,
                            struct arena *arena, struct err *err);

/* submit_commit.c ------------------------------------------------------------ */

/* Closures over a struct create: the key's row, the twin and its refusal, the
 * minted id made public, commit A. */
enum err_code submit_commit_find_twin(struct db_conn *conn, void *ctx, struct err *err);
enum err_code submit_commit_read_twin(struct db_conn *conn, void *ctx, struct err *err);
enum err_code submit_commit_publish_minted(struct db_conn *conn, void *ctx, struct err *err);
enum err_code submit_commit_a(struct db_conn *conn, void *ctx, struct err *err);
/* Closures over a struct outcome: commit B in its three forms. */
enum err_code submit_commit_accepted(struct db_conn *conn, void *ctx, struct err *err);
enum err_code submit_commit_refused(struct db_conn *conn, void *ctx, struct err *err);
enum err_code submit_commit_unknown(struct db_conn *conn, void *ctx, struct err *err);
/* Moves the task of a prepared attempt to unknown: from then on nobody but the
 * reconciler and the operator decides about it. */
FALLIBLE submit_commit_to_unknown(struct db_conn *conn, const struct scope *scope,
                                  const struct attempt *attempt, int status, const char *detail,
                                  int64_t now_us, struct task *ret_task, struct err *err);

#endif
