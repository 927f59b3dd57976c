/* SPDX-License-Identifier: Apache-2.0 */
/* Ark's own task API: which paths are its, who asks, and the handlers. */
#include "gateway/dialect/ark_parts.h"

#include "gateway/app.h"

#include <string.h>

#define TASKS "/contents/generations/tasks"

static const struct str bases[] = {{"/api/v3", 7}, {"/volcark/api/v3", 15}};

static bool ark_owns(const struct request *rq)
{
    for (size_t i = 0; i < COUNT_OF(bases); i++) {
        struct str base = bases[i];

        if (rq->path.len >= base.len && memcmp(rq->path.ptr, base.ptr, base.len) == 0 &&
            (rq->path.len == base.len || rq->path.ptr[base.len] == '/'))
            return true;
    }
    return false;
}

static enum err_code ark_identify(struct request *rq, struct err *err)
{
    struct str token;

    TRY(credential_bearer(rq, &token, err));
    TRY(auth_token(rq->app->auth, token, &rq->scope, err));
    /* Reads still work; a create is refused before its body is read. */
    if (rq->scope.suspended && strcmp(rq->method, "POST") == 0)
        return err_set(err, ERR_FORBIDDEN, "the account is suspended");
    return ERR_OK;
}

static enum err_code make_task(struct request *rq, const struct json_doc *doc, struct str key,
                               struct submit_result *ret_result, struct err *err)
{
    struct task_draft draft;
    struct str name;

    /* An unknown model is said before anything else that is wrong. */
    TRY(ark_decode_model(doc, &name, err));
    TRY(submit_prepare_model(&rq->app->tasks, &rq->scope, name, err));
    TRY(ark_decode_create(doc, rq->body, &rq->arena, &draft, err));
    draft.idempotency_key = key;
    return submit_task(&rq->app->tasks, &rq->scope, &draft, ret_result, err);
}

/* POST …/contents/generations/tasks */
static enum err_code create_task(struct request *rq, struct err *err)
{
    CLEANUP(json_free) struct json_doc *doc = NULL;
    struct submit_result result;
    bool replayed;
    struct str key;

    TRY(json_parse(&rq->arena, rq->body, &doc, err));
    TRY(credential_idempotency_key(rq, &key, err));
    TRY(submit_replay(&rq->app->tasks, &rq->scope, key, rq->body, &replayed, &result, err));
    if (!replayed)
        TRY(make_task(rq, doc, key, &result, err));

    struct json_out out = json_begin(&rq->rsp.body);

    json_open_object(&out, NULL);
    json_put_text(&out, "id", str_from(result.id));
    json_close_object(&out);
    if (result.replayed)
        response_header(rq, "Idempotent-Replayed", "true");
    return json_end(&out, err);
}

/* GET …/contents/generations/tasks/{id} */
static enum err_code get_task(struct request *rq, struct err *err)
{
    struct task task;

    TRY(query_task(&rq->app->tasks, &rq->scope, rq->tail, &task, err));
    return ark_encode_task(rq->app->tasks.catalogue, &task, &rq->rsp.body, err);
}

/* GET …/contents/generations/tasks */
static enum err_code list_tasks(struct request *rq, struct err *err)
{
    struct ark_list list = {.catalogue = rq->app->tasks.catalogue, .body = &rq->rsp.body};
    struct task_list_reader reader = {ark_list_begin, ark_list_item, &list};
    struct task_list_filter filter;

    TRY(ark_list_decode(rq, &filter, err));
    TRY(list_page(&rq->app->tasks, &rq->scope, &filter, &reader, err));
    return ark_list_end(&list, err);
}

/* DELETE …/contents/generations/tasks/{id}; a body says nothing here */
static enum err_code delete_task(struct request *rq, struct err *err)
{
    struct json_out out;

    TRY(cancel_task(&rq->app->tasks, &rq->scope, rq->tail, err));
    out = json_begin(&rq->rsp.body);
    json_open_object(&out, NULL);
    json_close_object(&out);
    return json_end(&out, err);
}

static const struct route routes[] = {
    /* method  path                          operation      body    handler */
    {"POST", "/api/v3" TASKS, "createTask", true, create_task},
    {"GET", "/api/v3" TASKS, "listTasks", false, list_tasks},
    {"GET", "/api/v3" TASKS "/*", "getTask", false, get_task},
    {"DELETE", "/api/v3" TASKS "/*", "deleteTask", true, delete_task},
    {"POST", "/volcark/api/v3" TASKS, "createTask", true, create_task},
    {"GET", "/volcark/api/v3" TASKS, "listTasks", false, list_tasks},
    {"GET", "/volcark/api/v3" TASKS "/*", "getTask", false, get_task},
    {"DELETE", "/volcark/api/v3" TASKS "/*", "deleteTask", true, delete_task},
};

const struct dialect ark_dialect = {
    .name = "ark",
    .owns = ark_owns,
    .identify = ark_identify,
    .routes = routes,
    .route_count = COUNT_OF(routes),
    .put_error = ark_errmap_put,
};
