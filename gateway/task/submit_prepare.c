/* SPDX-License-Identifier: Apache-2.0 */
/* What must be so before a create writes or sends anything: the model, its parameters, the
 * callback's host, the draft that it finishes, somebody who takes it, a price. */
#include "gateway/task/submit_parts.h"

/* Known, and sold to this tenant. */
static enum err_code find_model(const struct task_service *service, const struct scope *scope,
                                struct str name, struct model *ret_model, struct err *err)
{
    TRY(catalogue_find(service->catalogue, scope->tenant_id, name, ret_model, err));
    return ret_model->sold ? ERR_OK
                           : err_set(err, ERR_UNAVAILABLE, "the model %s is not available",
                                     ret_model->asked);
}

static enum err_code check_callback(struct create *create, struct err *err)
{
    const struct task_service *service = create->service;
    int64_t deadline_us = sys_mono_us() + service->settings.resolve_us;
    enum err_code rc;
    char why[256];

    if (create->draft->callback_url.len == 0)
        return ERR_OK;
    /* A name server that is slow on purpose must not hold all workers. */
    TRY(waiting_enter(service->waiting, create->scope->tenant_id, err));
    rc = service->callbacks.check(service->callbacks.self, create->scope->tenant_id,
                                  create->draft->callback_url, deadline_us, err);
    waiting_leave(service->waiting, create->scope->tenant_id);
    if (rc != ERR_INVALID)
        return rc;
    str_copy_cut(why, sizeof(why), str_from(err->msg));
    return err_field(err, create->draft->callback_member, "%s: %s",
                     create->draft->callback_member, why);
}

/* The draft that is to become a video: one that the caller sees, known to Ark, which alone
 * can finish it. Ark gets its own id for it. */
static enum err_code find_draft_task(struct create *create, struct task_draft *draft,
                                     struct arena *arena, struct err *err)
{
    struct task *found = &create->draft_task;
    const char *quoted;

    if (draft->draft_task.len == 0)
        return ERR_OK;
    TRY(query_task(create->service, create->scope, draft->draft_task, found, err));
    if (found->upstream_id[0] == '\0')
        return err_field(err, "content", "the draft task %.*s is not finished",
                         (int)draft->draft_task.len, draft->draft_task.ptr);
    quoted = arena_printf(arena, "\"%s\"", found->upstream_id);
    if (quoted == NULL)
        return err_detail(err, ERR_INTERNAL, "arena full: draft task");
    draft->patches[draft->patch_count++] =
        (struct json_patch){draft->draft_task_at, str_from(quoted)};
    return judge_of_draft(draft, found, &create->plan, err);
}

static enum err_code find_price(struct create *create, struct err *err)
{
    const struct task_service *service = create->service;
    const struct task_plan *plan = &create->plan;
    struct price_key key = {
        .model = str_from(plan->model.name),
        .resolution = plan->resolution,
        .video = create->draft->videos > 0,
        .audio = plan->audio,
        .tier = plan->tier,
    };

    return price_memory_find(service->prices, service->db, str_from(create->scope->book),
                             create->now_us, &key, &create->price, err);
}

/* In the order of the errors: model, whether it is sold, parameters, the callback's host, the
 * draft task, assets, an upstream, the price. */
enum err_code submit_prepare_create(struct create *create, struct task_draft *draft,
                                    struct arena *arena, struct err *err)
{
    const struct task_service *service = create->service;
    struct provider_wish wish = {.model = &create->plan.model};

    TRY(find_model(service, create->scope, draft->model_asked, &create->plan.model, err));
    TRY(judge_draft(draft, &create->plan, err));
    TRY(check_callback(create, err));
    TRY(find_draft_task(create, draft, arena, err));
    create->account_id = create->draft_task.account_id;
    TRY(submit_assets_bind(create, draft, arena, err));
    wish.account_id = create->account_id;
    TRY(service->provider->choose(service->provider->self, &wish, &create->route, err));
    return find_price(create, err);
}

enum err_code submit_prepare_model(struct task_service *service, const struct scope *scope,
                                   struct str model, struct err *err)
{
    struct model found;

    return find_model(service, scope, model, &found, err);
}
