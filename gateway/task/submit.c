/* SPDX-License-Identifier: Apache-2.0 */
/* Making a task: judge, commit A (hold, row, attempt), one send, commit B (what came
 * of it). Nothing goes upstream before A is on disk, and nothing is sent twice. How
 * Ark is reached is the provider's matter; what is written stands in
 * submit_commit.c. */
#include "gateway/task/submit_parts.h"

#include <string.h>

enum {
    TRIES_MAX = 3,             /* accounts tried for one create */
    BODY_BYTES_PER_S = 1000000 /* the slowest line a body's deadline allows for */
};

/* ---- the twins of a create: equal keys ------------------------------------ */

/* Until the twin has an outcome, or its send deadline has passed. */
static enum err_code wait_for_twin(struct create *create, struct err *err)
{
    struct db *db = create->service->db;
    int64_t pause_us = 2000;

    while (create->task.state == TASK_SUBMITTING) {
        if (sys_now_us() > create->attempt.deadline_us)
            return db_write(db, create->scope->tenant_id, submit_commit_publish_minted, create,
                            err);
        sys_sleep_us(pause_us);
        pause_us = pause_us < 50000 ? pause_us * 2 : pause_us;
        TRY(db_read(db, submit_commit_read_twin, create, err));
    }
    return ERR_OK;
}

/* The answer of the create that has the key: at once when it is known, else when
 * it becomes known, else the minted id at the send deadline. */
static enum err_code answer_as_twin(struct create *create, struct submit_result *ret_result,
                                    struct err *err)
{
    const struct scope *scope = create->scope;

    if (!crypto_equal(create->twin.body_hash, create->body_hash, CRYPTO_HASH_BYTES))
        return err_set(err, ERR_KEY_REUSED,
                       "the idempotency key was used with another request body");
    TRY(db_read(create->service->db, submit_commit_read_twin, create, err));
    if (create->task.state == TASK_SUBMITTING) {
        TRY(waiting_enter(create->service->waiting, scope->tenant_id, err));
        enum err_code rc = wait_for_twin(create, err);

        waiting_leave(create->service->waiting, scope->tenant_id);
        if (rc != ERR_OK)
            return rc;
    }
    /* An id that this token could not read would be no answer. */
    if (scope->own_only && strcmp(create->task.token_identity, scope->identity) != 0)
        return err_set(err, ERR_KEY_REUSED, "the idempotency key was used with another token");
    (void)str_copy(ret_result->id, sizeof(ret_result->id),
                   str_from(service_public_id(&create->task)));
    ret_result->replayed = true;
    return ERR_OK;
}

/* ---- what commit A writes -------------------------------------------------------- */

static void fill_task(struct create *create)
{
    const struct task_draft *draft = create->draft;
    const struct task_plan *plan = &create->plan;
    struct task *task = &create->task;

    *task = (struct task){
        .tenant_id = create->scope->tenant_id,
        .state = TASK_SUBMITTING,
        .account_id = create->route.account_id,
        .credential_id = create->route.credential_id,
        .duration = plan->duration,
        .has_video = draft->videos > 0,
        .audio = plan->audio,
        .audio_asked = draft->has_audio,
        .last_frame = draft->last_frame,
        .has_seed = plan->has_seed,
        .seed = plan->seed,
        .has_frames = plan->has_frames,
        .frames = plan->frames,
        .has_draft = draft->has_draft,
        .draft = draft->draft,
        .web_search = draft->web_search,
        .priority = plan->priority,
        .expires_after = plan->expires_after,
        .created_us = create->now_us,
        .updated_us = create->now_us,
    };
    task_rows_mint(create->now_us, task->minted_id);
    /* All were checked against the catalogue or a length before. */
    ASSERT(str_copy(task->dialect, sizeof(task->dialect), str_from(draft->dialect)));
    ASSERT(str_copy(task->model, sizeof(task->model), str_from(plan->model.name)));
    ASSERT(str_copy(task->model_asked, sizeof(task->model_asked), draft->model_asked));
    ASSERT(str_copy(task->resolution, sizeof(task->resolution), plan->resolution));
    ASSERT(str_copy(task->ratio, sizeof(task->ratio), plan->ratio));
    ASSERT(str_copy(task->tier, sizeof(task->tier), plan->tier));
    if (create->draft_task.id != 0)
        (void)str_copy(task->draft_task, sizeof(task->draft_task),
                       str_from(service_public_id(&create->draft_task)));
    ASSERT(str_copy(task->safety_identifier, sizeof(task->safety_identifier),
                    draft->safety_identifier));
}

static void fill_attempt(struct create *create, int64_t number)
{
    struct attempt *attempt = &create->attempt;
    int64_t now_us = sys_now_us();

    *attempt = (struct attempt){
        .task_id = create->task.id,
        .number = number,
        .tenant_id = create->scope->tenant_id,
        .account_id = create->route.account_id,
        .credential_id = create->route.credential_id,
        .state = "prepared",
        .created_us = now_us,
        .deadline_us = now_us + create->service->settings.send_us +
                       (int64_t)create->draft->body.len * 1000000 / BODY_BYTES_PER_S,
    };
    (void)str_copy(attempt->sent_model, sizeof(attempt->sent_model),
                   str_from(create->route.sent_model));
    /* The body of a passed-through callback would show it to the tenant. */
    if (create->route.inject && create->draft->safety_identifier.len == 0 &&
        create->draft->callback_url.len == 0) {
        memcpy(attempt->identifier, "ag-", 3);
        sys_random_text(attempt->identifier + 3, 32, "abcdefghijklmnopqrstuvwxyz0123456789");
    }
}

/* The outcome cannot be told to the database: the row stays submitting, its minted
 * id stands, and the deadline moves it to unknown. */
static void log_uncommitted(const struct create *create, const struct err *err)
{
    LOG(LOG_ERROR, "outcome_not_committed", LOG_TEXT("task", create->task.minted_id),
        LOG_TEXT("error", err_name(err->code)), LOG_TEXT("detail", err->detail));
}

static void record_unknown(struct create *create, const struct provider_answer *answer)
{
    struct outcome outcome = {.create = create, .answer = answer, .now_us = sys_now_us()};
    struct err ignored = {0};

    create->task.minted_public = true;
    if (db_write(create->service->db, create->scope->tenant_id, submit_commit_unknown, &outcome,
                 &ignored) != ERR_OK)
        log_uncommitted(create, &ignored);
}

static void record_accepted(struct create *create, const struct provider_answer *answer)
{
    struct outcome outcome = {.create = create, .answer = answer, .now_us = sys_now_us()};
    struct err failed = {0};
    enum err_code rc = FAULT_POINT("submit.commit_b") ? ERR_IO : ERR_OK;

    if (rc == ERR_OK)
        rc = db_write(create->service->db, create->scope->tenant_id, submit_commit_accepted,
                      &outcome, &failed);
    if (rc == ERR_CONFLICT) {
        outcome.fresh = true;
        rc = db_write(create->service->db, create->scope->tenant_id, submit_commit_accepted,
                      &outcome, &failed);
    }
    if (rc == ERR_OK) {
        create->service->provider->watch(create->service->provider->self,
                                         create->task.account_id, create->task.upstream_id,
                                         create->task.created_us);
        return;
    }
    log_uncommitted(create, &failed);
    /* An id that another row owns is no proof of anything: park it. */
    record_unknown(create, answer);
}

/* ---- the way of a create ------------------------------------------------------- */

static void send_attempt(struct create *create, struct provider_answer *ret_answer,
                         struct err *err)
{
    const struct provider *provider = create->service->provider;

    *ret_answer = (struct provider_answer){0};
    /* A worker that slept through its deadline must not send: somebody may already
     * have moved the row to unknown. */
    if (sys_now_us() >= create->attempt.deadline_us) {
        ret_answer->outcome = PROVIDER_REFUSED;
        (void)err_set(err, ERR_BUSY, "the service is busy, try again");
        return;
    }
    provider->create(provider->self, &create->route, create->draft, create->attempt.identifier,
                     create->attempt.deadline_us, ret_answer, err);
}

/* After a refusal: another account, when one may do better. True when create
 * carries a fresh, committed attempt. */
static bool try_another(struct create *create, const struct provider_answer *answer,
                        const struct err *why, int64_t *tried, size_t *inout_tried)
{
    const struct provider *provider = create->service->provider;
    struct outcome outcome = {.create = create, .answer = answer, .why = why};
    struct attempt refused = create->attempt;
    struct provider_wish wish = {
        .model = &create->plan.model, .account_id = create->account_id, .tried = tried};
    struct provider_route route;
    struct attempt next;
    struct err ignored = {0};

    tried[(*inout_tried)++] = create->route.account_id;
    wish.tried_count = *inout_tried;
    if (!answer->try_another || *inout_tried == TRIES_MAX ||
        provider->choose(provider->self, &wish, &route, &ignored) != ERR_OK)
        return false;
    create->route = route;
    fill_attempt(create, refused.number + 1);
    next = create->attempt;
    create->attempt = refused; /* the closure refuses this one and inserts the next */
    outcome.again = &next;
    outcome.now_us = sys_now_us();
    if (db_write(create->service->db, create->scope->tenant_id, submit_commit_refused, &outcome,
                 &ignored) != ERR_OK) {
        log_uncommitted(create, &ignored);
        return false;
    }
    create->attempt = next;
    return true;
}

static enum err_code send_and_record(struct create *create, struct err *err)
{
    int64_t tried[TRIES_MAX];
    size_t tried_count = 0;
    struct provider_answer answer;

    for (;;) {
        send_attempt(create, &answer, err);
        (void)FAULT_POINT("submit.after_send");
        if (answer.outcome != PROVIDER_REFUSED ||
            !try_another(create, &answer, err, tried, &tried_count))
            break;
    }
    if (answer.outcome == PROVIDER_ACCEPTED)
        record_accepted(create, &answer);
    else if (answer.outcome == PROVIDER_UNKNOWN)
        record_unknown(create, &answer);
    if (answer.outcome != PROVIDER_REFUSED) {
        *err = (struct err){0}; /* what an earlier account said is no error now */
        return ERR_OK;
    }

    struct outcome outcome = {
        .create = create, .answer = &answer, .why = err, .now_us = sys_now_us()};
    struct err failed = {0};

    if (db_write(create->service->db, create->scope->tenant_id, submit_commit_refused, &outcome,
                 &failed) == ERR_OK) {
        if (!create->task.minted_public)
            return err->code;
        *err = (struct err){0}; /* a twin answered with the id: it stands for all */
        return ERR_OK;
    }
    /* The refusal is certain but not written: the minted id stands until the
     * reconciler releases it, so the tenant must learn that id. */
    log_uncommitted(create, &failed);
    create->task.minted_public = true;
    *err = (struct err){0};
    return ERR_OK;
}

enum err_code submit_replay(struct task_service *service, const struct scope *scope,
                            struct str key, struct str body, bool *ret_replayed,
                            struct submit_result *ret_result, struct err *err)
{
    struct task_draft draft = {.body = body, .idempotency_key = key};
    struct create create = {
        .service = service, .scope = scope, .draft = &draft, .now_us = sys_now_us()};

    if (key.len > 0) {
        crypto_sha256(body, create.body_hash);
        TRY(db_read(service->db, submit_commit_find_twin, &create, err));
        if (create.has_twin)
            TRY(answer_as_twin(&create, ret_result, err));
    }
    *ret_replayed = create.has_twin;
    return ERR_OK;
}

enum err_code submit_task(struct task_service *service, const struct scope *scope,
                          const struct task_draft *asked, struct submit_result *ret_result,
                          struct err *err)
{
    CLEANUP(arena_fini) struct arena arena = {0};
    struct task_draft draft = *asked;
    struct create create = {
        .service = service, .scope = scope, .draft = &draft, .now_us = sys_now_us()};

    if (scope->suspended)
        return err_set(err, ERR_FORBIDDEN, "the tenant is suspended");
    crypto_sha256(draft.body, create.body_hash);
    /* The draft task's id, and a link for each asset. */
    arena_init(&arena, 1024 + (size_t)DRAFT_ASSETS_MAX * (ASSET_LINK_MAX + 32));
    TRY(submit_prepare_create(&create, &draft, &arena, err));
    fill_task(&create);
    fill_attempt(&create, 1);
    (void)FAULT_POINT("submit.before_commit_a");
    TRY(db_write(service->db, scope->tenant_id, submit_commit_a, &create, err));
    if (create.has_twin)
        return answer_as_twin(&create, ret_result, err);
    create.attempt.task_id = create.task.id;
    (void)FAULT_POINT("submit.after_commit_a");
    TRY(send_and_record(&create, err));
    (void)FAULT_POINT("submit.after_commit_b");
    (void)str_copy(ret_result->id, sizeof(ret_result->id),
                   str_from(service_public_id(&create.task)));
    ret_result->replayed = false;
    return ERR_OK;
}
