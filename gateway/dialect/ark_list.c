/* SPDX-License-Identifier: Apache-2.0 */
/* A list on Ark's wire: its query into a filter, and {"total","items"}. A parameter
 * that is there must be right; one that nobody knows is left alone. */
#include "gateway/dialect/ark_parts.h"

#include "gateway/app.h"

#include <string.h>

static const char ids_name[] = "filter.task_ids";

static enum err_code read_number(struct request *rq, const char *name, int64_t max,
                                 int64_t absent, int64_t *ret_number, struct err *err)
{
    struct str text;
    bool present;

    *ret_number = absent;
    TRY(request_query(rq, name, &present, &text, err));
    if (!present)
        return ERR_OK;
    if (!str_to_i64(text, ret_number) || *ret_number < 1 || *ret_number > max)
        return err_field(err, name, "%s must be an integer from 1 to %lld", name,
                         (long long)max);
    return ERR_OK;
}

static enum err_code read_status(struct request *rq, struct task_list_filter *filter,
                                 struct err *err)
{
    static const char name[] = "filter.status";
    struct str text;

    TRY(request_query(rq, name, &filter->has_status, &text, err));
    if (!filter->has_status)
        return ERR_OK;
    /* Only words that an answer's status can be. */
    if (!state_parse(text, &filter->status) || state_shown(filter->status) != filter->status ||
        filter->status == TASK_REFUSED)
        return err_field(err, name,
                         "%s must be one of: queued running cancelled succeeded failed expired",
                         name);
    return ERR_OK;
}

static enum err_code read_model(struct request *rq, struct task_list_filter *filter,
                                struct err *err)
{
    static const char name[] = "filter.model";
    struct catalogue *catalogue = rq->app->tasks.catalogue;
    struct err unknown;
    struct model model;
    struct str text;
    bool present;

    TRY(request_query(rq, name, &present, &text, err));
    if (!present)
        return ERR_OK;
    if (catalogue_find(catalogue, rq->scope.tenant_id, text, &model, &unknown) != ERR_OK)
        return err_field(err, name, "%s names no model", name);
    filter->model = str_from(arena_dup(&rq->arena, str_from(model.name)));
    return filter->model.len > 0 ? ERR_OK : err_detail(err, ERR_INTERNAL, "arena full: filter");
}

static enum err_code read_tier(struct request *rq, struct task_list_filter *filter,
                               struct err *err)
{
    static const char name[] = "filter.service_tier";
    bool present;

    TRY(request_query(rq, name, &present, &filter->tier, err));
    if (!present)
        filter->tier = STR("");
    else if (!str_is(filter->tier, "default") && !str_is(filter->tier, "flex"))
        return err_field(err, name, "%s must be default or flex", name);
    return ERR_OK;
}

/* Cuts the next id off a comma separated list. */
static struct str next_id(struct str *rest, bool *ret_last)
{
    const char *comma = memchr(rest->ptr, ',', rest->len);
    struct str id = *rest;

    *ret_last = comma == NULL;
    if (comma != NULL) {
        id.len = (size_t)(comma - id.ptr);
        *rest = (struct str){comma + 1, rest->len - id.len - 1};
    }
    return str_trim(id);
}

struct ids {
    struct str *items; /* LIST_IDS_MAX of them */
    size_t count;
};

static enum err_code add_ids(struct str value, void *ctx, struct err *err)
{
    struct ids *ids = ctx;
    bool last;

    do {
        struct str id = next_id(&value, &last);

        if (id.len == 0)
            return err_field(err, ids_name, "%s holds an empty id", ids_name);
        if (ids->count == LIST_IDS_MAX)
            return err_field(err, ids_name, "%s holds more than %d ids", ids_name,
                             LIST_IDS_MAX);
        ids->items[ids->count++] = id;
    } while (!last);
    return ERR_OK;
}

/* The SDKs repeat the key; others send one list with commas. */
static enum err_code read_ids(struct request *rq, struct task_list_filter *filter,
                              struct err *err)
{
    struct ids ids = {arena_alloc(&rq->arena, LIST_IDS_MAX * sizeof(*ids.items)), 0};

    if (ids.items == NULL)
        return err_detail(err, ERR_BUSY, "no memory for the ids of a list");
    TRY(request_query_each(rq, ids_name, add_ids, &ids, err));
    filter->has_ids = ids.count > 0;
    filter->ids = ids.items;
    filter->id_count = ids.count;
    return ERR_OK;
}

enum err_code ark_list_decode(struct request *rq, struct task_list_filter *ret_filter,
                              struct err *err)
{
    struct task_list_filter filter = {0};

    TRY(read_number(rq, "page_num", LIST_PAGE_NUM_MAX, 1, &filter.page_num, err));
    TRY(read_number(rq, "page_size", LIST_PAGE_MAX, LIST_PAGE_DEFAULT, &filter.page_size, err));
    TRY(read_status(rq, &filter, err));
    TRY(read_model(rq, &filter, err));
    TRY(read_tier(rq, &filter, err));
    TRY(read_ids(rq, &filter, err));
    *ret_filter = filter;
    return ERR_OK;
}

enum err_code ark_list_begin(int64_t total, void *ctx, struct err *err)
{
    struct ark_list *list = ctx;

    (void)err;
    buf_reset(list->body);
    list->out = json_begin(list->body);
    json_open_object(&list->out, NULL);
    json_put_int(&list->out, "total", total);
    json_open_array(&list->out, "items");
    return ERR_OK;
}

enum err_code ark_list_item(const struct task *task, void *ctx, struct err *err)
{
    struct ark_list *list = ctx;

    (void)err;
    ark_encode_item(list->catalogue, task, &list->out);
    return ERR_OK;
}

enum err_code ark_list_end(struct ark_list *list, struct err *err)
{
    json_close_array(&list->out);
    json_close_object(&list->out);
    return json_end(&list->out, err);
}
