/* SPDX-License-Identifier: Apache-2.0 */
/* The rows behind the use cases; for files of gateway/task alone. All run in the
 * caller's transaction. */
#ifndef ARKGATE_GATEWAY_TASK_ROWS_H
#define ARKGATE_GATEWAY_TASK_ROWS_H

#include "gateway/task/task.h"

/* task_rows.c -------------------------------------------------------------- */

/* ERR_NOT_FOUND with the one text that a stranger's id and an unknown id share. */
enum err_code task_rows_unknown(struct str id, struct err *err);
/* A fresh "cgt-YYYYMMDDhhmmss-" and 16 of a-z0-9, in Ark's time zone. */
void task_rows_mint(int64_t now_us, char ret_id[TASK_ID_MAX + 1]);

/* task_repo.c -------------------------------------------------------------- */

/* Within the scope, refused and deleted tasks hidden; ERR_NOT_FOUND. */
FALLIBLE task_repo_get(struct db_conn *conn, const struct scope *scope, struct str id,
                       struct task *ret_task, struct err *err);
/* By its own key, within the tenant. */
FALLIBLE task_repo_load(struct db_conn *conn, const struct scope *scope, int64_t task_id,
                        struct task *ret_task, struct err *err);
/* Ark's answers name no tenant: the owner of an upstream id. *ret_found is false
 * when no row owns it. */
FALLIBLE task_repo_owner(struct db_conn *conn, int64_t account_id, struct str upstream_id,
                         bool *ret_found, struct task *ret_task, struct err *err);
/* A new row in state submitting, counted for lists; sets whose *task is. Its id is in
 * *ret_id when db_write returns. The URL is kept for operators, no task is read with it. */
FALLIBLE task_repo_insert(struct db_conn *conn, const struct scope *scope, struct task *task,
                          struct str callback_url, int64_t *ret_id, struct err *err);
/* The one mover: asks the state table, compares and sets, writes the event, moves the
 * count for lists and updates *task. To TASK_QUEUED it takes Ark's id in *task along.
 * ERR_CONFLICT when the row is no longer in task->state; to TASK_QUEUED also when its
 * minted id has been given away since *task was read. */
FALLIBLE task_repo_move(struct db_conn *conn, const struct scope *scope, struct task *task,
                        enum task_state to, int64_t now_us, const char *note, struct err *err);
/* Takes an ended task out of its tenant's sight, with an event; *ret_hidden is false
 * when it was out of it before, or has not ended so that it can be deleted. */
FALLIBLE task_repo_hide(struct db_conn *conn, const struct scope *scope, struct task *task,
                        int64_t now_us, bool *ret_hidden, struct err *err);
/* Writes what Ark said at the end: sizes, usage, links, error. */
FALLIBLE task_repo_set_outcome(struct db_conn *conn, const struct scope *scope,
                               const struct task *task, struct err *err);
FALLIBLE task_repo_set_upstream(struct db_conn *conn, const struct scope *scope,
                                struct task *task, struct str upstream_id, struct err *err);
FALLIBLE task_repo_set_route(struct db_conn *conn, const struct scope *scope, struct task *task,
                             int64_t account_id, int64_t credential_id, struct err *err);
FALLIBLE task_repo_set_minted_public(struct db_conn *conn, const struct scope *scope,
                                     struct task *task, struct err *err);
FALLIBLE task_repo_set_missing(struct db_conn *conn, const struct scope *scope,
                               struct task *task, int64_t missing_us, struct err *err);
FALLIBLE task_repo_add_evidence(struct db_conn *conn, const struct scope *scope,
                                int64_t task_id, struct str body, int64_t now_us,
                                struct err *err);
/* Ids of open tasks created before a moment, oldest first. */
FALLIBLE task_repo_overdue(struct db_conn *conn, int64_t before_us, int64_t *ret_ids,
                           int64_t *ret_tenants, size_t max, size_t *ret_count,
                           struct err *err);

/* task_list_repo.c --------------------------------------------------------- */

/* A task's place in a list. */
struct task_list_key {
    int64_t created_us, id;
};
/* Matches of a filter without its ids, from the kept counts. */
FALLIBLE task_list_repo_count(struct db_conn *conn, const struct scope *scope,
                              const struct task_list_filter *filter, int64_t *ret_count,
                              struct err *err);
/* At most limit of them behind the first offset, newest first. */
FALLIBLE task_list_repo_page(struct db_conn *conn, const struct scope *scope,
                             const struct task_list_filter *filter, int64_t offset,
                             int64_t limit, const struct task_list_reader *reader,
                             struct err *err);
/* One of the filter's ids: *ret_found is false when it is not there or does not match. */
FALLIBLE task_list_repo_find(struct db_conn *conn, const struct scope *scope,
                             const struct task_list_filter *filter, struct str id,
                             bool *ret_found, struct task_list_key *ret_key, struct err *err);

/* attempt_repo.c ------------------------------------------------------------ */

struct attempt {
    int64_t task_id, number, tenant_id, account_id, credential_id;
    char state[16]; /* prepared, accepted, refused, unknown, released, late */
    char identifier[TASK_IDENTIFIER_MAX + 1];
    char sent_model[MODEL_NAME_MAX + 1];
    int64_t created_us, deadline_us, answered_us, clean_scans;
};
/* Of the task with that minted id, which may be on its way; attempt->task_id is not asked. */
FALLIBLE attempt_repo_insert(struct db_conn *conn, const struct scope *scope,
                             const struct attempt *attempt, struct str minted_id,
                             struct err *err);
/* The newest attempt of a task. */
FALLIBLE attempt_repo_last(struct db_conn *conn, const struct scope *scope, int64_t task_id,
                           struct attempt *ret_attempt, struct err *err);
FALLIBLE attempt_repo_set_state(struct db_conn *conn, const struct scope *scope,
                                const struct attempt *attempt, const char *state,
                                int64_t now_us, struct err *err);
/* prepared → refused, keeping the answer for twins and auditors. */
FALLIBLE attempt_repo_refuse(struct db_conn *conn, const struct scope *scope,
                             const struct attempt *attempt, const struct err *why, int status,
                             const char *detail, int64_t now_us, struct err *err);
FALLIBLE attempt_repo_set_detail(struct db_conn *conn, const struct scope *scope,
                                 const struct attempt *attempt, int status, const char *detail,
                                 struct err *err);
FALLIBLE attempt_repo_set_scans(struct db_conn *conn, const struct scope *scope,
                                const struct attempt *attempt, int64_t clean_scans,
                                struct err *err);
/* Rebuilds in *err the refusal that the first caller got; returns its code. */
enum err_code attempt_repo_refusal(struct db_conn *conn, const struct scope *scope,
                                   int64_t task_id, struct err *err);
/* Attempts of an account that may still meet a task of Ark's: prepared, unknown,
 * and behind those the released ones made after watched_since_us. */
FALLIBLE attempt_repo_unsettled(struct db_conn *conn, int64_t account_id,
                                int64_t watched_since_us, struct attempt *ret_attempts,
                                size_t max, size_t *ret_count, struct err *err);
/* Prepared attempts whose deadline is before a moment, the earliest first. */
FALLIBLE attempt_repo_expired(struct db_conn *conn, int64_t before_us,
                              struct attempt *ret_attempts, size_t max, size_t *ret_count,
                              struct err *err);
FALLIBLE attempt_repo_work(struct db_conn *conn, int64_t watched_since_us,
                           struct adopt_work *ret_work, size_t max, size_t *ret_count,
                           struct err *err);

/* idempotency_repo.c ---------------------------------------------------------- */

struct idempotency {
    uint8_t body_hash[CRYPTO_HASH_BYTES];
    int64_t task_id, created_us;
};
FALLIBLE idempotency_repo_find(struct db_conn *conn, const struct scope *scope, struct str key,
                               int64_t not_before_us, bool *ret_found,
                               struct idempotency *ret_row, struct err *err);
/* For the task with that minted id, which may be on its way; row->task_id is not asked.
 * ERR_CONFLICT when a live row has the key; an outdated one is replaced. */
FALLIBLE idempotency_repo_add(struct db_conn *conn, const struct scope *scope, struct str key,
                              const struct idempotency *row, struct str minted_id,
                              int64_t not_before_us, struct err *err);
/* Frees the key, unless another task has it by now. */
FALLIBLE idempotency_repo_drop(struct db_conn *conn, const struct scope *scope, struct str key,
                               int64_t task_id, struct err *err);
/* Forgets keys made before, the oldest first, at most max. */
FALLIBLE idempotency_repo_sweep(struct db_conn *conn, int64_t before_us, int64_t max,
                                int64_t *ret_count, struct err *err);

/* unknown.c: the two ways out of unknown --------------------------------------- */

/* It is this task of Ark's: queued, and asked after from now on. */
FALLIBLE unknown_adopt(struct db_conn *conn, struct task *task, const struct attempt *attempt,
                       struct str upstream_id, int64_t now_us, const char *note,
                       struct err *err);
/* Who releases, and why; note stands in the task's event. */
struct unknown_word {
    const char *actor, *note;
    struct str reason;
    int64_t now_us;
};
/* Ark has no such task: failed for the tenant, the hold released. */
FALLIBLE unknown_release(struct db_conn *conn, struct task *task, const struct attempt *attempt,
                         const struct unknown_word *word, struct err *err);

/* stray_repo.c ---------------------------------------------------------------- */

/* First seen stays, state and body are the newest. */
FALLIBLE stray_repo_put(struct db_conn *conn, int64_t account_id,
                        const struct upstream_task *stray, const char *state, int64_t now_us,
                        struct err *err);
FALLIBLE stray_repo_close(struct db_conn *conn, int64_t account_id, struct str upstream_id,
                          const char *state, struct err *err);

#endif
