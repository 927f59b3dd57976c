/* SPDX-License-Identifier: Apache-2.0 */
/* What hangs on a task: attempts, keys, strays; and in which order the repositories of
 * gateway/task are called. */
#ifndef ARKGATE_TESTS_UPSTREAM_REPOS_ATTEMPT_H
#define ARKGATE_TESTS_UPSTREAM_REPOS_ATTEMPT_H

#include "tests/unit/upstream/repos_task.h"

/* ---- attempts -----------------------------------------------------------------------------
 */

static void tell_attempt(struct buf *told, const struct attempt *attempt)
{
    TELL(told, attempt, task_id);
    TELL(told, attempt, number);
    TELL(told, attempt, tenant_id);
    TELL(told, attempt, account_id);
    TELL(told, attempt, credential_id);
    TELL_TEXT(told, attempt, state);
    TELL_TEXT(told, attempt, identifier);
    TELL_TEXT(told, attempt, sent_model);
    TELL(told, attempt, created_us);
    TELL(told, attempt, deadline_us);
    TELL(told, attempt, answered_us);
    TELL(told, attempt, clean_scans);
    buf_puts(told, "\n");
}

/* Two for some tasks; then one that is there, and one of a task that is none. */
static enum err_code step_attempt_repo_insert(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    int at = call->at, task_id = at == TEXTS + 9 ? 999 : 1 + at % TEXTS;
    struct scope scope = owner_of(task_id);
    struct attempt attempt = {.task_id = task_id,
                              .number = 1 + at / TEXTS,
                              .account_id = number_of(at, 0),
                              .credential_id = number_of(at, 1),
                              .created_us = at % 3 == 0 ? at : number_of(at, 2),
                              .deadline_us = at % 2 == 0 ? at : number_of(at, 3)};

    CASES(TEXTS + 10);
    if (at == TEXTS + 8)
        attempt.number = 1;
    if (at % 3 != 2)
        attempt.account_id = 1 + at % 2;
    (void)str_copy(attempt.identifier, sizeof(attempt.identifier), text_of(at, 0));
    (void)str_copy(attempt.sent_model, sizeof(attempt.sent_model), text_of(at, 1));
    return attempt_repo_insert(conn, &scope, &attempt,
                               task_id == 999 ? STR("cgt-none") : minted_of(task_id), err);
}

/* The newest one of a task, of its owner; the next task's owner has none. */
static enum err_code step_attempt_repo_last(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    struct scope scope = owner_of(call->at / 2 + call->at % 2);
    struct attempt attempt;

    CASES(2 * TEXTS);
    TRY(attempt_repo_last(conn, &scope, call->at / 2, &attempt, err));
    tell_attempt(call->told, &attempt);
    return ERR_OK;
}

/* From a state that most of them are in, to one that is none at the end. */
static enum err_code step_attempt_repo_set_state(struct db_conn *conn, struct call *call,
                                                 struct err *err)
{
    static const char *const states[] = {"unknown",  "accepted", "prepared", "released",
                                         "prepared", "refused",  "late"};
    int at = call->at, id = 1 + at % TEXTS;
    struct scope scope = owner_of(id);
    struct attempt attempt = {.task_id = id, .number = 1};

    CASES(TEXTS + 6);
    (void)str_copy(attempt.state, sizeof(attempt.state),
                   at % 11 == 10 ? STR("unknown") : STR("prepared"));
    return attempt_repo_set_state(conn, &scope, &attempt,
                                  at == TEXTS + 5 ? "no such state" : states[at % 7],
                                  number_of(at, 0), err);
}

static enum err_code step_attempt_repo_set_detail(struct db_conn *conn, struct call *call,
                                                  struct err *err)
{
    struct scope scope = owner_of(1 + call->at);
    struct attempt attempt = {.task_id = 1 + call->at, .number = 1};

    CASES(TEXTS);
    return attempt_repo_set_detail(conn, &scope, &attempt, call->at % 3 == 0 ? 0 : call->at * 9,
                                   texts[call->at], err);
}

/* Prepared ones, and some that are no longer. */
static enum err_code step_attempt_repo_refuse(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    int at = call->at;
    struct scope scope = owner_of(1 + at);
    struct attempt attempt = {.task_id = 1 + at, .number = 1, .state = "prepared"};
    struct err why = {.code = at % 2 == 0 ? ERR_UPSTREAM_REFUSED : ERR_INVALID};

    CASES(TEXTS);
    (void)str_copy(why.msg, sizeof(why.msg), text_of(at, 0));
    (void)str_copy(why.upstream_code, sizeof(why.upstream_code), text_of(at, 1));
    return attempt_repo_refuse(conn, &scope, &attempt, &why, at % 3 == 0 ? 0 : 400 + at,
                               texts[at * 2 % TEXTS], number_of(at, 0), err);
}

static enum err_code step_attempt_repo_set_scans(struct db_conn *conn, struct call *call,
                                                 struct err *err)
{
    struct scope scope = owner_of(1 + call->at);
    struct attempt attempt = {.task_id = 1 + call->at, .number = 1};

    CASES(NUMBERS);
    return attempt_repo_set_scans(conn, &scope, &attempt, numbers[call->at], err);
}

/* The answer of it is an error, as the first caller got it. */
static enum err_code step_attempt_repo_refusal(struct db_conn *conn, struct call *call,
                                               struct err *err)
{
    struct scope scope = owner_of(call->at);
    struct err why = {0};
    enum err_code code;

    CASES(TEXTS + 2);
    code = attempt_repo_refusal(conn, &scope, call->at, &why);
    (void)err;
    tell_number(call->told, "code", code);
    tell_value(call->told, "msg", str_from(why.msg));
    tell_value(call->told, "upstream_code", str_from(why.upstream_code));
    tell_number(call->told, "upstream_status", why.upstream_status);
    return ERR_OK;
}

static enum err_code tell_attempts(struct buf *told, const struct attempt *attempts,
                                   size_t count)
{
    for (size_t i = 0; i < count; i++)
        tell_attempt(told, &attempts[i]);
    return ERR_OK;
}

static enum err_code step_attempt_repo_unsettled(struct db_conn *conn, struct call *call,
                                                 struct err *err)
{
    static const int64_t accounts[] = {1, 2, 3, INT64_MIN, INT64_MAX};
    struct attempt attempts[100];
    size_t count, max = call->at % 2 == 0 ? 100 : 4;

    CASES(COUNT_OF(accounts) * NUMBERS * 2);
    TRY(attempt_repo_unsettled(conn, accounts[call->at / 2 / NUMBERS],
                               numbers[call->at / 2 % NUMBERS], attempts, max, &count, err));
    return tell_attempts(call->told, attempts, count);
}

static enum err_code step_attempt_repo_expired(struct db_conn *conn, struct call *call,
                                               struct err *err)
{
    struct attempt attempts[100];
    size_t count, max = call->at / NUMBERS == 0 ? 100 : call->at / NUMBERS == 1 ? 2 : 0;

    CASES(3 * NUMBERS);
    TRY(attempt_repo_expired(conn, numbers[call->at % NUMBERS], attempts, max, &count, err));
    return tell_attempts(call->told, attempts, count);
}

static enum err_code step_attempt_repo_work(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    struct adopt_work work[64];
    size_t count;

    CASES(2 * NUMBERS);
    TRY(attempt_repo_work(conn, numbers[call->at / 2], work, call->at % 2 == 0 ? 64 : 2, &count,
                          err));
    for (size_t i = 0; i < count; i++) {
        TELL(call->told, &work[i], account_id);
        TELL(call->told, &work[i], since_us);
        TELL(call->told, &work[i], unknown_since_us);
    }
    return ERR_OK;
}

/* ---- idempotency keys ---------------------------------------------------------------------
 */

/* New ones; the same with an age at which some are replaced; one of a task that is none. */
static enum err_code step_idempotency_repo_add(struct db_conn *conn, struct call *call,
                                               struct err *err)
{
    int at = call->at, round = at / TEXTS;
    struct scope scope = scope_of(1 + at % 2);
    struct idempotency row = {.task_id = at == 2 * TEXTS ? 999 : 1 + (at + round) % TEXTS,
                              .created_us = at < NUMBERS ? numbers[at] : 3 + 37 * at};

    CASES(2 * TEXTS + 1);
    memcpy(row.body_hash, hash_of(at), sizeof(row.body_hash));
    return idempotency_repo_add(
        conn, &scope, at == 2 * TEXTS ? STR("of no task") : str_from(texts[at % TEXTS]), &row,
        at == 2 * TEXTS ? STR("cgt-none") : minted_of(1 + (at + round) % TEXTS),
        round == 0 ? INT64_MIN : 1000, err);
}

static enum err_code step_idempotency_repo_find(struct db_conn *conn, struct call *call,
                                                struct err *err)
{
    struct scope scope = scope_of(1 + call->at % 2);
    struct idempotency row = {.task_id = 0};
    bool found;

    CASES(TEXTS * 4);
    TRY(idempotency_repo_find(conn, &scope, str_from(texts[call->at / 4]),
                              call->at / 2 % 2 == 0 ? INT64_MIN : 5, &found, &row, err));
    tell_number(call->told, "found", found);
    TELL(call->told, &row, task_id);
    TELL(call->told, &row, created_us);
    tell_value(call->told, "body_hash",
               (struct str){(const char *)row.body_hash, sizeof(row.body_hash)});
    return ERR_OK;
}

/* Some have another task's row by now. */
static enum err_code step_idempotency_repo_drop(struct db_conn *conn, struct call *call,
                                                struct err *err)
{
    struct scope scope = scope_of(1 + call->at % 2);

    CASES(TEXTS / 2);
    return idempotency_repo_drop(conn, &scope, str_from(texts[call->at]),
                                 1 + (call->at + call->at / 2 % 2) % TEXTS, err);
}

static enum err_code step_idempotency_repo_sweep(struct db_conn *conn, struct call *call,
                                                 struct err *err)
{
    static const int64_t ages[] = {INT64_MIN, 0, 1000, INT64_C(1) << 40, INT64_MAX};
    int64_t count;

    CASES(COUNT_OF(ages) * 3); /* of few and all that are so old */
    TRY(idempotency_repo_sweep(conn, ages[call->at / 3], call->at % 3 == 2 ? 100 : call->at % 3,
                               &count, err));
    tell_number(call->told, "count", count);
    return ERR_OK;
}

/* ---- strays -------------------------------------------------------------------------------
 */

/* New ones, newer ones, and at the end what is refused: a state and an account that are none,
 * an id with a NUL. */
static enum err_code step_stray_repo_put(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    static const char *const states[] = {"open", "ambiguous", "adopted", "ignored"};
    int at = call->at;
    struct upstream_task stray = {.id = at == 2 * TEXTS + 2 ? STR("a\0b")
                                                            : str_from(texts[at % TEXTS]),
                                  .created_s = number_of(at, 0),
                                  .body = bytes_of(at)};

    CASES(2 * TEXTS + 3);
    return stray_repo_put(conn, at == 2 * TEXTS + 1 ? 999 : 1 + at % TEXTS % 2, &stray,
                          at == 2 * TEXTS ? "Open" : states[(at + at / TEXTS) % 4],
                          number_of(at, 1), err);
}

static enum err_code step_stray_repo_close(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    CASES(TEXTS / 2);
    return stray_repo_close(conn, 1 + call->at % 2, str_from(texts[call->at]),
                            call->at % 3 == 0 ? "adopted" : "ambiguous", err);
}

/* Each that reads behind what it finds rows of. */
#define REPOS_TASK                                                                         \
    ROW(task_repo_insert, "task task_count"), ROW(task_repo_set_route, "task"),            \
        ROW(attempt_repo_insert, "attempt"), READ(attempt_repo_expired),                   \
        ROW(task_repo_set_upstream, "task"),                                               \
        ROW(task_repo_move, "task task_count event account"), READ(task_repo_get),         \
        READ(task_repo_load), READ(task_repo_owner), READ(task_repo_overdue),              \
        READ(task_list_repo_count), READ(task_list_repo_page), READ(task_list_repo_find),  \
        ROW(task_repo_set_outcome, "task"), ROW(task_repo_set_minted_public, "task"),      \
        ROW(task_repo_set_missing, "task"), ROW(task_repo_add_evidence, "evidence"),       \
        READ(task_view_find), READ(task_view_events), READ(task_view_callback),            \
        READ(task_view_list), READ(task_view_open), READ(task_view_open_count),            \
        ROW(attempt_repo_set_state, "attempt"), ROW(attempt_repo_set_detail, "attempt"),   \
        ROW(attempt_repo_set_scans, "attempt"), ROW(attempt_repo_refuse, "attempt"),       \
        READ(attempt_repo_last), READ(attempt_repo_refusal), READ(attempt_repo_unsettled), \
        READ(attempt_repo_work), ROW(idempotency_repo_add, "idempotency"),                 \
        READ(idempotency_repo_find), ROW(idempotency_repo_drop, "idempotency"),            \
        ROW(idempotency_repo_sweep, "idempotency"), ROW(stray_repo_put, "stray"),          \
        ROW(stray_repo_close, "stray"), READ(task_view_strays), READ(task_view_health),    \
        ROW(task_repo_hide, "task task_count event account")

#endif
