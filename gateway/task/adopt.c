/* SPDX-License-Identifier: Apache-2.0 */
/* The unknown: after a complete look at an account's list, attempts find their
 * tasks, are released for certain, or wait for an operator. Never sent again, never
 * refunded on a guess. */
#include "gateway/task/match.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* Per account and scan, about 3 MB. Beyond it rivals are out of sight, so only
     * identifiers prove anything. */
    ATTEMPTS_MAX = 1000,
    CLEAN_SCANS = 2 /* complete scans without a match before a release */
};

struct adoption {
    struct task_service *service;
    int64_t account_id, started_us, now_us;
    const struct upstream_task *strays;
    size_t count;
    struct attempt *rows;
    struct match_attempt *attempts;
    enum match_verdict *verdicts;
    size_t *partners;
    bool *wanted;
    struct upstream_task *unowned;
    size_t only; /* decide this attempt alone; SIZE_MAX: all */
    /* Written by the closure: how many there were, what to watch from now on. */
    size_t attempt_count;
    size_t *adopted;
    size_t adopted_count;
};

static enum err_code load_attempts(struct db_conn *conn, struct adoption *adoption,
                                   size_t *ret_count, struct err *err)
{
    int64_t since_us = adoption->now_us - adoption->service->settings.unknown_watch_us;
    size_t count;

    TRY(attempt_repo_unsettled(conn, adoption->account_id, since_us, adoption->rows,
                               ATTEMPTS_MAX, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct scope scope = {.tenant_id = adoption->rows[i].tenant_id};

        struct match_attempt *match = &adoption->attempts[i];
        struct err unknown = {0};
        struct model model;

        match->attempt = adoption->rows[i];
        TRY(task_repo_load(conn, &scope, adoption->rows[i].task_id, &match->task, err));
        match->dated[0] = '\0';
        if (catalogue_find(adoption->service->catalogue, scope.tenant_id,
                           str_from(match->task.model), &model, &unknown) == ERR_OK)
            memcpy(match->dated, model.dated, sizeof(match->dated));
    }
    *ret_count = count;
    return ERR_OK;
}

/* Ownership is asked for again in this transaction: commit B of a create may have
 * come between the list and now. */
static enum err_code drop_owned(struct db_conn *conn, struct adoption *adoption,
                                size_t *ret_count, struct err *err)
{
    size_t kept = 0;

    for (size_t j = 0; j < adoption->count; j++) {
        struct task owner;
        bool found;

        TRY(task_repo_owner(conn, adoption->account_id, adoption->strays[j].id, &found, &owner,
                            err));
        if (!found)
            adoption->unowned[kept++] = adoption->strays[j];
    }
    *ret_count = kept;
    return ERR_OK;
}

/* A task that was released for certain exists after all: once Ark has ended it, the
 * platform books what it cost; the tenant's balance stays. */
static enum err_code book_late(struct db_conn *conn, struct adoption *adoption,
                               struct match_attempt *match, const struct upstream_task *stray,
                               struct err *err)
{
    struct scope scope = {.tenant_id = match->task.tenant_id};
    const struct task *task = &match->task;

    if (!state_is_terminal(stray->state))
        return stray_repo_put(conn, adoption->account_id, stray, "open", adoption->now_us, err);
    if (stray->state == TASK_SUCCEEDED) {
        struct hold_usage usage = {
            .has_tokens = stray->has_tokens,
            .tokens = stray->tokens,
            .output_ms = stray->has_duration ? stray->duration * 1000 : service_output_ms(task),
            .tool_uses = stray->tool_uses,
            .key = {.model = str_from(task->model),
                    .resolution = stray->resolution.len > 0 ? stray->resolution
                                                            : str_from(task->resolution),
                    .video = task->has_video,
                    .audio = task->audio,
                    .tier = str_from(task->tier)},
            .now_us = adoption->now_us,
        };

        crypto_sha256(stray->body, usage.evidence);
        enum err_code rc = hold_late_loss(conn, &scope, str_from(task->minted_id), &usage, err);

        /* Usage that nobody can price must not keep every other match waiting; it is
         * found with nothing written. */
        if (rc != ERR_OK && rc != ERR_INVALID)
            return rc;
        if (rc == ERR_INVALID) {
            struct err why = *err;

            *err = (struct err){0};
            TRY(attempt_repo_set_detail(conn, &scope, &match->attempt, 0, why.msg, err));
        }
    }
    TRY(task_repo_set_upstream(conn, &scope, &match->task, stray->id, err));
    TRY(attempt_repo_set_state(conn, &scope, &match->attempt, "late", adoption->now_us, err));
    return stray_repo_close(conn, adoption->account_id, stray->id, "adopted", err);
}

static enum err_code release(struct db_conn *conn, struct adoption *adoption,
                             struct match_attempt *match, struct err *err)
{
    struct unknown_word word = {.actor = "system",
                                .note = "released for certain",
                                .reason = STR("released for certain"),
                                .now_us = adoption->now_us};

    return unknown_release(conn, &match->task, &match->attempt, &word, err);
}

static enum err_code count_clean_scan(struct db_conn *conn, struct adoption *adoption,
                                      struct match_attempt *match, struct err *err)
{
    struct scope scope = {.tenant_id = match->task.tenant_id};
    int64_t certain_us =
        match->attempt.deadline_us + adoption->service->settings.unknown_release_after_us;

    if (adoption->started_us < certain_us)
        return ERR_OK;
    if (match->attempt.clean_scans + 1 >= CLEAN_SCANS)
        return release(conn, adoption, match, err);
    return attempt_repo_set_scans(conn, &scope, &match->attempt, match->attempt.clean_scans + 1,
                                  err);
}

static enum err_code apply(struct db_conn *conn, struct adoption *adoption, size_t i,
                           struct err *err)
{
    struct match_attempt *match = &adoption->attempts[i];
    bool unknown = strcmp(match->attempt.state, "unknown") == 0;
    bool released = strcmp(match->attempt.state, "released") == 0;
    struct scope scope = {.tenant_id = match->task.tenant_id};

    switch (adoption->verdicts[i]) {
    case MATCH_ONE: {
        const struct upstream_task *stray = &adoption->unowned[adoption->partners[i]];

        if (unknown) {
            adoption->adopted[adoption->adopted_count++] = i;
            return unknown_adopt(conn, &match->task, &match->attempt, stray->id,
                                 adoption->now_us, "adopted", err);
        }
        return released ? book_late(conn, adoption, match, stray, err) : ERR_OK;
    }
    case MATCH_NONE:
        return unknown ? count_clean_scan(conn, adoption, match, err) : ERR_OK;
    case MATCH_AMBIGUOUS:
        break;
    }
    return unknown && match->attempt.clean_scans > 0
               ? attempt_repo_set_scans(conn, &scope, &match->attempt, 0, err)
               : ERR_OK;
}

static enum err_code record_strays(struct db_conn *conn, struct adoption *adoption,
                                   size_t attempt_count, size_t unowned_count, struct err *err)
{
    for (size_t j = 0; j < unowned_count; j++) {
        bool paired = false;

        for (size_t i = 0; i < attempt_count && !paired; i++)
            paired = adoption->verdicts[i] == MATCH_ONE && adoption->partners[i] == j;
        if (!paired)
            TRY(stray_repo_put(conn, adoption->account_id, &adoption->unowned[j],
                               adoption->wanted[j] ? "ambiguous" : "open", adoption->now_us,
                               err));
    }
    return ERR_OK;
}

static enum err_code decide(struct db_conn *conn, void *ctx, struct err *err)
{
    struct adoption *adoption = ctx;
    size_t attempt_count, unowned_count;

    adoption->adopted_count = 0;
    TRY(load_attempts(conn, adoption, &attempt_count, err));
    TRY(drop_owned(conn, adoption, &unowned_count, err));
    match_all(adoption->attempts, attempt_count, adoption->unowned, unowned_count,
              adoption->service->settings.match_window_us, adoption->verdicts,
              adoption->partners, adoption->wanted);
    for (size_t i = 0; i < attempt_count && attempt_count == ATTEMPTS_MAX; i++) {
        if (adoption->attempts[i].attempt.identifier[0] == '\0' &&
            adoption->verdicts[i] == MATCH_ONE)
            adoption->verdicts[i] = MATCH_AMBIGUOUS;
    }
    adoption->attempt_count = attempt_count;
    for (size_t i = 0; i < attempt_count; i++) {
        if (adoption->only == SIZE_MAX || adoption->only == i)
            TRY(apply(conn, adoption, i, err));
    }
    return record_strays(conn, adoption, attempt_count, unowned_count, err);
}

static void watch_adopted(const struct adoption *adoption)
{
    const struct provider *provider = adoption->service->provider;

    for (size_t i = 0; i < adoption->adopted_count; i++) {
        const struct task *task = &adoption->attempts[adoption->adopted[i]].task;

        provider->watch(provider->self, task->account_id, task->upstream_id, task->created_us);
        LOG(LOG_INFO, "task_adopted", LOG_TEXT("task", task->minted_id),
            LOG_TEXT("upstream_id", task->upstream_id));
    }
}

enum err_code adopt_scan(struct task_service *service, int64_t account_id, int64_t started_us,
                         const struct upstream_task *strays, size_t count, struct err *err)
{
    struct adoption adoption = {
        .service = service,
        .account_id = account_id,
        .started_us = started_us,
        .now_us = sys_now_us(),
        .strays = strays,
        .count = count,
        .only = SIZE_MAX,
    };
    CLEANUP(arena_fini) struct arena arena = {0};
    size_t row_bytes = sizeof(struct attempt) + sizeof(struct match_attempt) +
                       sizeof(enum match_verdict) + 2 * sizeof(size_t);

    arena_init(&arena, ATTEMPTS_MAX * row_bytes +
                           (count + 1) * (sizeof(*strays) + sizeof(bool)) + 4096);
    adoption.rows = arena_alloc(&arena, ATTEMPTS_MAX * sizeof(*adoption.rows));
    adoption.attempts = arena_alloc(&arena, ATTEMPTS_MAX * sizeof(*adoption.attempts));
    adoption.verdicts = arena_alloc(&arena, ATTEMPTS_MAX * sizeof(*adoption.verdicts));
    adoption.partners = arena_alloc(&arena, ATTEMPTS_MAX * sizeof(*adoption.partners));
    adoption.adopted = arena_alloc(&arena, ATTEMPTS_MAX * sizeof(*adoption.adopted));
    adoption.wanted = arena_alloc(&arena, count + 1);
    adoption.unowned = arena_alloc(&arena, (count + 1) * sizeof(*adoption.unowned));
    if (adoption.rows == NULL || adoption.attempts == NULL || adoption.verdicts == NULL ||
        adoption.partners == NULL || adoption.adopted == NULL || adoption.wanted == NULL ||
        adoption.unowned == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for a scan of %zu tasks", count);
    enum err_code first = db_write(service->db, DB_ALL, decide, &adoption, err);

    (void)FAULT_POINT("adopt.after_commit");
    if (first == ERR_OK) {
        watch_adopted(&adoption);
        return ERR_OK;
    }
    if (first == ERR_BUSY || first == ERR_UNAVAILABLE)
        return first; /* nobody's fault; the next scan decides */
    /* One of them is at fault; the others must not wait for it. Rows that came to an
     * end in between are gone from the list, so a position may be decided twice or be
     * left to the next scan, never wrongly: each closure looks at all afresh. */
    for (adoption.only = 0; adoption.only < adoption.attempt_count; adoption.only++) {
        struct err each = {0};

        if (db_write(service->db, DB_ALL, decide, &adoption, &each) == ERR_OK)
            watch_adopted(&adoption);
    }
    return first;
}

struct pending {
    int64_t since_us;
    struct adopt_work *work;
    size_t max, count;
};

static enum err_code read_pending(struct db_conn *conn, void *ctx, struct err *err)
{
    struct pending *pending = ctx;

    return attempt_repo_work(conn, pending->since_us, pending->work, pending->max,
                             &pending->count, err);
}

enum err_code adopt_pending(struct task_service *service, struct adopt_work *ret_work,
                            size_t max, size_t *ret_count, struct err *err)
{
    struct pending pending = {sys_now_us() - service->settings.unknown_watch_us, ret_work, max,
                              0};

    TRY(db_read(service->db, read_pending, &pending, err));
    *ret_count = pending.count;
    return ERR_OK;
}

struct ownership {
    int64_t account_id;
    struct str *ids;
    size_t count;
    bool *owned; /* written by the closure */
};

static enum err_code read_ownership(struct db_conn *conn, void *ctx, struct err *err)
{
    struct ownership *ownership = ctx;

    for (size_t i = 0; i < ownership->count; i++) {
        struct task owner;

        TRY(task_repo_owner(conn, ownership->account_id, ownership->ids[i],
                            &ownership->owned[i], &owner, err));
    }
    return ERR_OK;
}

enum err_code adopt_unowned(struct task_service *service, int64_t account_id, struct str *ids,
                            size_t *inout_count, struct err *err)
{
    bool owned[500]; /* Ark's largest page */
    struct ownership ownership = {account_id, ids, *inout_count, owned};
    size_t kept = 0;

    ASSERT(*inout_count <= COUNT_OF(owned));
    TRY(db_read(service->db, read_ownership, &ownership, err));
    for (size_t i = 0; i < *inout_count; i++) {
        if (!owned[i])
            ids[kept++] = ids[i];
    }
    *inout_count = kept;
    return ERR_OK;
}
