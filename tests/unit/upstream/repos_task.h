/* SPDX-License-Identifier: Apache-2.0 */
/* The repositories of gateway/task, call by call. Tenants, their accounts and upstreams are
 * there; tasks 1 to TEXTS are made first, of tenants 1 to 3, and are moved later. */
#ifndef ARKGATE_TESTS_UPSTREAM_REPOS_TASK_H
#define ARKGATE_TESTS_UPSTREAM_REPOS_TASK_H

#include "tests/unit/upstream/repos.h"

static struct scope scope_of(int64_t tenant_id)
{
    return (struct scope){.tenant_id = tenant_id};
}

/* Whose task number id is. */
static struct scope owner_of(int64_t id)
{
    return scope_of(1 + (id - 1) % 3);
}

static struct str minted_of(int64_t id)
{
    return str_from(texts[id - 1]);
}

/* Ark's ids are nobody's minted ones: which of two tasks an id means is not defined. */
static struct str upstream_id_of(int at, char dst[TASK_ID_MAX + 1])
{
    (void)snprintf(dst, TASK_ID_MAX + 1, "u-%s", texts[at % TEXTS]);
    return str_from(dst);
}

/* The minted ids and Ark's, in turn. */
static struct str any_id_of(int at, char dst[TASK_ID_MAX + 1])
{
    return at % 2 == 0 ? str_from(texts[at / 2 % TEXTS]) : upstream_id_of(at / 2, dst);
}

static void tell_task(struct buf *told, const struct task *task)
{
    TELL(told, task, id);
    TELL(told, task, tenant_id);
    TELL_TEXT(told, task, token_identity);
    TELL_TEXT(told, task, minted_id);
    TELL_TEXT(told, task, upstream_id);
    TELL(told, task, minted_public);
    TELL(told, task, account_id);
    TELL(told, task, credential_id);
    TELL(told, task, state);
    TELL_TEXT(told, task, dialect);
    TELL_TEXT(told, task, model);
    TELL_TEXT(told, task, model_asked);
    TELL_TEXT(told, task, resolution);
    TELL_TEXT(told, task, ratio);
    TELL_TEXT(told, task, tier);
    TELL(told, task, duration);
    TELL(told, task, has_video);
    TELL(told, task, audio);
    TELL(told, task, audio_asked);
    TELL(told, task, last_frame);
    TELL(told, task, has_seed);
    TELL(told, task, seed);
    TELL(told, task, has_final_seed);
    TELL(told, task, final_seed);
    TELL(told, task, priority);
    TELL(told, task, expires_after);
    TELL(told, task, has_tokens);
    TELL(told, task, tokens);
    TELL(told, task, has_total_tokens);
    TELL(told, task, total_tokens);
    TELL(told, task, has_fps);
    TELL(told, task, fps);
    TELL_TEXT(told, task, safety_identifier);
    TELL(told, task, created_us);
    TELL(told, task, updated_us);
    TELL(told, task, ended_us);
    TELL(told, task, missing_us);
    TELL(told, task, deleted_us);
    TELL_TEXT(told, task, error_code);
    TELL_TEXT(told, task, error_message);
    TELL_TEXT(told, task, video_url);
    TELL_TEXT(told, task, last_frame_url);
    TELL(told, task, has_frames);
    TELL(told, task, frames);
    TELL(told, task, has_draft);
    TELL(told, task, draft);
    TELL_TEXT(told, task, draft_task);
    TELL(told, task, web_search);
    TELL(told, task, has_tool_uses);
    TELL(told, task, tool_uses);
    TELL_TEXT(told, task, output_format);
    buf_puts(told, "\n");
}

static enum err_code visit_task(const struct task *task, void *ctx, struct err *err)
{
    (void)err;
    tell_task(ctx, task);
    return ERR_OK;
}

/* ---- task_repo ----------------------------------------------------------------------------
 */

/* Waiting, submitting or unknown; at the end what is refused: ids that are taken. */
static enum err_code step_task_repo_insert(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    static const enum task_state states[] = {TASK_SUBMITTING, TASK_WAITING, TASK_UNKNOWN,
                                             TASK_SUBMITTING};
    int at = call->at;
    struct scope scope = scope_of(1 + at % 3);
    struct task task = {.account_id = 1 + at % 2,
                        .credential_id = 1 + at % 4,
                        .state = states[at % 4],
                        .dialect = "ark",
                        .duration = number_of(at, 0),
                        .has_video = at % 2 == 0,
                        .audio = at % 3 == 0,
                        .audio_asked = at % 5 == 0,
                        .last_frame = at % 7 == 0,
                        .has_seed = at % 2 == 1,
                        .seed = number_of(at, 1),
                        .priority = number_of(at, 2),
                        .expires_after = number_of(at, 3),
                        .created_us = at < NUMBERS ? numbers[at] : at / 4,
                        .has_frames = at % 3 == 1,
                        .frames = number_of(at, 4),
                        .has_draft = at % 3 == 2,
                        .draft = at % 2 == 0,
                        .web_search = at % 4 == 0};

    CASES(TEXTS + 4);
    (void)str_copy(scope.identity, sizeof(scope.identity), text_of(at % 5, 0));
    (void)snprintf(task.minted_id, sizeof(task.minted_id), "%s", texts[at % TEXTS]);
    if (at > TEXTS)
        (void)snprintf(task.minted_id, sizeof(task.minted_id), "cgt-refused");
    (void)str_copy(task.model, sizeof(task.model), text_of(at % 6, 1));
    (void)str_copy(task.model_asked, sizeof(task.model_asked), text_of(at, 2));
    str_copy_cut(task.resolution, sizeof(task.resolution), text_of(at, 3));
    str_copy_cut(task.ratio, sizeof(task.ratio), text_of(at, 4));
    str_copy_cut(task.tier, sizeof(task.tier), at % 3 == 0 ? STR("flex") : STR("default"));
    (void)str_copy(task.safety_identifier, sizeof(task.safety_identifier), text_of(at, 5));
    (void)str_copy(task.draft_task, sizeof(task.draft_task), text_of(at, 6));
    TRY(task_repo_insert(conn, &scope, &task, text_of(at, 7), &call->number, err));
    tell_task(call->told, &task);
    return ERR_OK;
}

/* Every task on one of seven ways; most moves of some are none. What is queued gets an id of
 * Ark's with the move. */
static enum err_code step_task_repo_move(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    static const enum task_state ways[][4] = {
        {TASK_QUEUED, TASK_RUNNING, TASK_SUCCEEDED, TASK_FAILED},
        {TASK_SUBMITTING, TASK_QUEUED, TASK_EXPIRED, TASK_RUNNING},
        {TASK_QUEUED, TASK_FAILED, TASK_CANCELLED, TASK_QUEUED},
        {TASK_UNKNOWN, TASK_QUEUED, TASK_RUNNING, TASK_CANCELLED},
        {TASK_REFUSED, TASK_QUEUED, TASK_WAITING, TASK_REFUSED},
        {TASK_SUBMITTING, TASK_UNKNOWN, TASK_FAILED, TASK_SUCCEEDED},
        {TASK_QUEUED, TASK_RUNNING, TASK_RUNNING, TASK_EXPIRED},
    };
    int at = call->at, id = 1 + at / 4;
    enum task_state to = ways[id % (int)COUNT_OF(ways)][at % 4];
    struct scope scope = owner_of(id);
    struct task task;

    CASES((TEXTS - 10) * 4);
    TRY(task_repo_load(conn, &scope, id, &task, err));
    if (to == TASK_QUEUED)
        (void)upstream_id_of(id, task.upstream_id);
    TRY(task_repo_move(conn, &scope, &task, to, number_of(at, 0), texts[id % TEXTS], err));
    tell_task(call->told, &task);
    return ERR_OK;
}

/* What another one has moved meanwhile, and a task of a tenant without an account. */
static enum err_code step_task_repo_hide(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    int64_t id = 1 + call->at / 2;
    struct scope scope = owner_of(id);
    struct task task;
    bool hidden;

    CASES(TEXTS * 2);
    TRY(task_repo_load(conn, &scope, id, &task, err));
    if (id % 4 == 1) /* half of those that have ended stay */
        scope.tenant_id = 4;
    TRY(task_repo_hide(conn, &scope, &task, number_of(call->at, 0), &hidden, err));
    tell_number(call->told, "hidden", hidden);
    tell_task(call->told, &task);
    return ERR_OK;
}

static enum err_code step_task_repo_set_outcome(struct db_conn *conn, struct call *call,
                                                struct err *err)
{
    int at = call->at;
    struct scope scope = owner_of(1 + at);
    struct task task = {.id = 1 + at,
                        .duration = number_of(at, 0),
                        .audio = at % 2 == 0,
                        .has_tokens = at % 2 == 0,
                        .tokens = number_of(at, 1),
                        .has_total_tokens = at % 3 == 0,
                        .total_tokens = number_of(at, 2),
                        .has_final_seed = at % 5 == 0,
                        .final_seed = number_of(at, 3),
                        .has_fps = at % 7 == 0,
                        .fps = number_of(at, 4),
                        .has_frames = at % 2 == 1,
                        .frames = number_of(at, 5),
                        .has_draft = at % 3 == 1,
                        .draft = at % 2 == 1,
                        .has_tool_uses = at % 5 == 1,
                        .tool_uses = number_of(at, 6)};

    CASES(TEXTS + 1); /* the last one is nobody's */
    str_copy_cut(task.resolution, sizeof(task.resolution), text_of(at, 0));
    str_copy_cut(task.ratio, sizeof(task.ratio), text_of(at, 1));
    (void)str_copy(task.video_url, sizeof(task.video_url), text_of(at, 2));
    (void)str_copy(task.last_frame_url, sizeof(task.last_frame_url), text_of(at, 3));
    (void)str_copy(task.error_code, sizeof(task.error_code), text_of(at, 4));
    (void)str_copy(task.error_message, sizeof(task.error_message), text_of(at, 5));
    str_copy_cut(task.output_format, sizeof(task.output_format), text_of(at, 6));
    return task_repo_set_outcome(conn, &scope, &task, err);
}

/* Ids of one account that are another task's are refused; the other account may have them. */
static enum err_code step_task_repo_set_upstream(struct db_conn *conn, struct call *call,
                                                 struct err *err)
{
    int at = call->at;
    struct scope scope = owner_of(1 + at);
    struct task task = {.id = 1 + at};
    char id[TASK_ID_MAX + 1];

    CASES(TEXTS);
    TRY(task_repo_set_upstream(conn, &scope, &task, upstream_id_of(at / 2, id), err));
    TELL_TEXT(call->told, &task, upstream_id);
    return ERR_OK;
}

static enum err_code step_task_repo_set_route(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    int64_t id = TEXTS - call->at;
    struct scope scope = owner_of(id);
    struct task task = {.id = id};

    CASES(8); /* the last two to an account and a credential that are none */
    TRY(task_repo_set_route(conn, &scope, &task, call->at == 6 ? 999 : 3,
                            call->at == 7 ? 999 : 2, err));
    TELL(call->told, &task, account_id);
    TELL(call->told, &task, credential_id);
    return ERR_OK;
}

static enum err_code step_task_repo_set_minted_public(struct db_conn *conn, struct call *call,
                                                      struct err *err)
{
    struct scope scope = owner_of(1 + 3 * call->at);
    struct task task = {.id = 1 + 3 * call->at};

    CASES(9);
    TRY(task_repo_set_minted_public(conn, &scope, &task, err));
    TELL(call->told, &task, minted_public);
    return ERR_OK;
}

static enum err_code step_task_repo_set_missing(struct db_conn *conn, struct call *call,
                                                struct err *err)
{
    struct scope scope = owner_of(1 + call->at);
    struct task task = {.id = 1 + call->at};

    CASES(NUMBERS * 2);
    TRY(task_repo_set_missing(conn, &scope, &task, numbers[call->at % NUMBERS], err));
    TELL(call->told, &task, missing_us);
    return ERR_OK;
}

/* Bodies of all sizes, one of them 64 KiB; one a second time, one of a task that is none. */
static enum err_code step_task_repo_add_evidence(struct db_conn *conn, struct call *call,
                                                 struct err *err)
{
    struct scope scope = owner_of(1 + call->at);

    CASES(11);
    return task_repo_add_evidence(conn, &scope,
                                  call->at == 9    ? 1
                                  : call->at == 10 ? 999
                                                   : 1 + call->at,
                                  bytes_of(call->at == 8 ? -1 : call->at),
                                  number_of(call->at, 0), err);
}

static enum err_code step_task_repo_get(struct db_conn *conn, struct call *call,
                                        struct err *err)
{
    int at = call->at;
    struct scope scope = scope_of(1 + at % 3);
    char id[TASK_ID_MAX + 1];
    struct task task;

    CASES(TEXTS * 12);
    scope.own_only = at / 3 % 2 == 1;
    (void)str_copy(scope.identity, sizeof(scope.identity), text_of(at % 5, 0));
    TRY(task_repo_get(conn, &scope, any_id_of(at / 6, id), &task, err));
    tell_task(call->told, &task);
    return ERR_OK;
}

/* By its owner and by another. */
static enum err_code step_task_repo_load(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    struct scope scope = owner_of(call->at / 2 + call->at % 2);
    struct task task;

    CASES(2 * TEXTS + 3);
    TRY(task_repo_load(conn, &scope, call->at / 2, &task, err));
    tell_task(call->told, &task);
    return ERR_OK;
}

static enum err_code step_task_repo_owner(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    char id[TASK_ID_MAX + 1];
    struct task task = {.id = 0};
    bool found;

    CASES(TEXTS * 3);
    TRY(task_repo_owner(conn, 1 + call->at % 3, upstream_id_of(call->at / 3, id), &found, &task,
                        err));
    tell_number(call->told, "found", found);
    tell_task(call->told, &task);
    return ERR_OK;
}

static enum err_code step_task_repo_overdue(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    int64_t ids[100], tenants[100];
    size_t count, max = call->at / NUMBERS == 0 ? 100 : call->at / NUMBERS == 1 ? 3 : 0;

    CASES(NUMBERS * 3);
    TRY(task_repo_overdue(conn, numbers[call->at % NUMBERS], ids, tenants, max, &count, err));
    for (size_t i = 0; i < count; i++) {
        tell_number(call->told, "id", ids[i]);
        tell_number(call->told, "tenant", tenants[i]);
    }
    return ERR_OK;
}

/* ---- lists --------------------------------------------------------------------------------
 */

/* Of all tenants, of all and of one's own, by every mix of conditions. */
enum { FILTERS = 3 * 2 * 2 * 3 * 3 };

static void filter_of(int at, struct scope *ret_scope, struct task_list_filter *ret_filter)
{
    static const enum task_state shown[] = {TASK_QUEUED, TASK_SUCCEEDED, TASK_FAILED,
                                            TASK_RUNNING};

    *ret_scope = scope_of(1 + at % 3);
    ret_scope->own_only = at / 3 % 2 == 1;
    (void)str_copy(ret_scope->identity, sizeof(ret_scope->identity), text_of(at % 5, 0));
    *ret_filter =
        (struct task_list_filter){.has_status = at / 6 % 2 == 1,
                                  .status = shown[at % 4],
                                  .model = at / 12 % 3 == 0 ? STR("") : text_of(at % 6, 1),
                                  .tier = at / 36 % 3 == 0   ? STR("")
                                          : at / 36 % 3 == 1 ? STR("flex")
                                                             : STR("default")};
}

static enum err_code step_task_list_repo_count(struct db_conn *conn, struct call *call,
                                               struct err *err)
{
    struct task_list_filter filter;
    struct scope scope;
    int64_t count;

    CASES(FILTERS);
    filter_of(call->at, &scope, &filter);
    TRY(task_list_repo_count(conn, &scope, &filter, &count, err));
    tell_number(call->told, "count", count);
    return ERR_OK;
}

static enum err_code step_task_list_repo_page(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    static const struct {
        int64_t offset, limit;
    } pages[] = {{0, 500}, {0, 2}, {2, 2}, {1000, 5}, {0, 0}, {INT64_MAX, INT64_MAX}};
    struct task_list_reader reader = {.item = visit_task, .ctx = call->told};
    struct task_list_filter filter;
    struct scope scope;

    CASES(FILTERS * COUNT_OF(pages));
    filter_of(call->at % FILTERS, &scope, &filter);
    return task_list_repo_page(conn, &scope, &filter, pages[call->at / FILTERS].offset,
                               pages[call->at / FILTERS].limit, &reader, err);
}

static enum err_code step_task_list_repo_find(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    struct task_list_key key = {0};
    struct task_list_filter filter;
    char id[TASK_ID_MAX + 1];
    struct scope scope;
    bool found;

    CASES(TEXTS * 2 * 5);
    filter_of(call->at / TEXTS / 2, &scope, &filter);
    TRY(task_list_repo_find(conn, &scope, &filter, any_id_of(call->at, id), &found, &key, err));
    tell_number(call->told, "found", found);
    TELL(call->told, &key, id);
    TELL(call->told, &key, created_us);
    return ERR_OK;
}

/* ---- what operators and jobs read -----------------------------------------------------------
 */

static enum err_code step_task_view_find(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    char id[TASK_ID_MAX + 1];
    struct task task;

    CASES(2 * TEXTS + 1);
    TRY(task_view_find(conn, call->at < 2 * TEXTS ? any_id_of(call->at, id) : STR("cgt-none"),
                       &task, err));
    tell_task(call->told, &task);
    return ERR_OK;
}

static enum err_code visit_event(const struct task_event *event, void *ctx, struct err *err)
{
    (void)err;
    TELL(ctx, event, seq);
    TELL(ctx, event, time_us);
    TELL_TEXT(ctx, event, from);
    TELL_TEXT(ctx, event, to);
    TELL_TEXT(ctx, event, note);
    buf_puts(ctx, "\n");
    return ERR_OK;
}

static enum err_code step_task_view_events(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    struct task task = {.id = call->at, .tenant_id = owner_of(call->at).tenant_id};

    CASES(TEXTS + 2);
    return task_view_events(conn, &task, visit_event, call->told, err);
}

static enum err_code step_task_view_callback(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    struct task task = {.id = call->at, .tenant_id = owner_of(call->at).tenant_id};
    char url[TASK_URL_MAX + 1];

    CASES(TEXTS + 2);
    TRY(task_view_callback(conn, &task, url, err));
    tell_value(call->told, "url", str_from(url));
    return ERR_OK;
}

static enum err_code step_task_view_list(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    static const char *const states[] = {"", "queued", "submitting", "succeeded", "none"};
    static const int64_t before[] = {0, 20, INT64_MAX, INT64_MIN};
    int at = call->at;
    struct task_filter filter = {.tenant_id = at % 4,
                                 .state = str_from(states[at / 4 % 5]),
                                 .before = before[at / 20 % 4],
                                 .limit = at / 80 == 0   ? 1000
                                          : at / 80 == 1 ? 3
                                                         : 0};

    CASES(240);
    return task_view_list(conn, &filter, visit_task, call->told, err);
}

static enum err_code visit_open(const struct task_open *open, void *ctx, struct err *err)
{
    (void)err;
    TELL(ctx, open, id);
    TELL(ctx, open, created_us);
    TELL_TEXT(ctx, open, upstream_id);
    TELL(ctx, open, missing);
    buf_puts(ctx, "\n");
    return ERR_OK;
}

static enum err_code step_task_view_open(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    static const int limits[] = {1000, 2, 0};

    CASES(4 * NUMBERS * COUNT_OF(limits));
    return task_view_open(conn, call->at % 4, numbers[call->at / 4 % NUMBERS],
                          limits[call->at / 4 / NUMBERS], visit_open, call->told, err);
}

static enum err_code step_task_view_health(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    struct task_health health;

    CASES(1);
    TRY(task_view_health(conn, &health, err));
    TELL(call->told, &health, open);
    TELL(call->told, &health, submitting);
    TELL(call->told, &health, unknown);
    TELL(call->told, &health, review);
    TELL(call->told, &health, ambiguous_strays);
    TELL(call->told, &health, open_strays);
    TELL(call->told, &health, oldest_open_us);
    return ERR_OK;
}

static enum err_code step_task_view_open_count(struct db_conn *conn, struct call *call,
                                               struct err *err)
{
    int64_t count;

    CASES(6);
    TRY(task_view_open_count(conn, call->at, &count, err));
    tell_number(call->told, "count", count);
    return ERR_OK;
}

static enum err_code visit_stray(const struct task_stray *stray, void *ctx, struct err *err)
{
    (void)err;
    TELL(ctx, stray, account_id);
    TELL_TEXT(ctx, stray, upstream_id);
    TELL_TEXT(ctx, stray, state);
    TELL(ctx, stray, first_seen_us);
    buf_puts(ctx, "\n");
    return ERR_OK;
}

static enum err_code step_task_view_strays(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    static const int limits[] = {1000, 2, 0};

    CASES(COUNT_OF(limits));
    return task_view_strays(conn, limits[call->at], visit_stray, call->told, err);
}

#endif
