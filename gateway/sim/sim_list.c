/* SPDX-License-Identifier: Apache-2.0 */
/* One page of an account's tasks: query, filters, newest first. */
#include "gateway/sim/sim_parts.h"

#include <stdlib.h>
#include <string.h>

struct query {
    int64_t page_num, page_size;
    enum sim_status status; /* SIM_STATUS_COUNT: any */
    struct str model;       /* dated id or endpoint; "": any */
    struct str ids[SIM_PAGE_MAX];
    size_t id_count;
    bool has_ids;
    struct str tier; /* "": any */
};

struct page {
    struct sim_task **items;
    size_t count; /* of this page */
    int64_t total;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "%41+b" to "A b", in the arena. */
static struct str decode(struct arena *arena, struct str text)
{
    char *copy = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    if (copy == NULL)
        return STR("");
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '%' && i + 2 < text.len && hex_digit(text.ptr[i + 1]) >= 0 &&
            hex_digit(text.ptr[i + 2]) >= 0) {
            c = (char)(hex_digit(text.ptr[i + 1]) * 16 + hex_digit(text.ptr[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        copy[len++] = c;
    }
    return (struct str){copy, len};
}

/* Cuts what stands before the separator off *text. */
static struct str cut(struct str *text, char separator)
{
    const char *at = text->len == 0 ? NULL : memchr(text->ptr, separator, text->len);
    size_t len = at == NULL ? text->len : (size_t)(at - text->ptr);
    struct str head = {text->ptr, len};
    size_t skip = at == NULL ? len : len + 1;

    *text = (struct str){text->ptr + skip, text->len - skip};
    return head;
}

static bool bad(struct sim_refusal *refusal, const char *name)
{
    return sim_answer_refuse(refusal, 400, "InvalidParameter", name,
                             "The parameter `%s` specified in the request is not valid.", name);
}

static bool read_ids(struct query *query, struct str value, struct sim_refusal *refusal)
{
    query->has_ids = true;
    while (value.len > 0) {
        struct str id = cut(&value, ',');

        if (id.len == 0)
            continue;
        if (query->id_count == COUNT_OF(query->ids))
            return bad(refusal, "filter.task_ids");
        query->ids[query->id_count++] = id;
    }
    return true;
}

static bool read_pair(struct query *query, struct str name, struct str value,
                      struct sim_refusal *refusal)
{
    if (str_is(name, "page_num") || str_is(name, "page_size")) {
        int64_t *member = str_is(name, "page_num") ? &query->page_num : &query->page_size;

        return (str_to_i64(value, member) && *member >= 1 && *member <= SIM_PAGE_MAX) ||
               bad(refusal, member == &query->page_num ? "page_num" : "page_size");
    }
    if (str_is(name, "filter.status")) {
        query->status = sim_task_status(value);
        return query->status != SIM_STATUS_COUNT || bad(refusal, "filter.status");
    }
    if (str_is(name, "filter.service_tier")) {
        query->tier = value;
        return str_is(value, "flex") || str_is(value, "default") ||
               bad(refusal, "filter.service_tier");
    }
    if (str_is(name, "filter.task_ids"))
        return read_ids(query, value, refusal);
    if (str_is(name, "filter.model"))
        query->model = value;
    return true;
}

static bool read_query(struct sim_request *rq, struct query *query, struct sim_refusal *refusal)
{
    struct str rest = rq->query;

    query->page_num = 1;
    query->page_size = 20;
    query->status = SIM_STATUS_COUNT;
    while (rest.len > 0) {
        struct str pair = cut(&rest, '&'), name = cut(&pair, '=');

        if (!read_pair(query, decode(&rq->arena, name), decode(&rq->arena, pair), refusal))
            return false;
    }
    return true;
}

static bool matches_locked(const struct sim_request *rq, const struct query *query,
                           const struct sim_task *task, int64_t now_us)
{
    struct sim_view view;

    if (!sim_task_visible_locked(rq->sim, task, rq->account, now_us))
        return false;
    if (query->model.len > 0 && !str_is(query->model, sim_model_at(task->model)->id) &&
        (task->endpoint == NULL || !str_is(query->model, task->endpoint)))
        return false;
    if (query->tier.len > 0 && str_is(query->tier, "flex") != task->flex)
        return false;
    if (query->status == SIM_STATUS_COUNT)
        return true;
    sim_task_view(task, now_us, &view);
    return view.status == query->status;
}

static void take(struct page *page, const struct query *query, struct sim_task *task)
{
    int64_t at = page->total++ - (query->page_num - 1) * query->page_size;

    if (at >= 0 && at < query->page_size)
        page->items[page->count++] = task;
}

static int newest_first(const void *a, const void *b)
{
    const struct sim_task *left = *(struct sim_task *const *)a;
    const struct sim_task *right = *(struct sim_task *const *)b;

    if (left->created_us != right->created_us)
        return left->created_us < right->created_us ? 1 : -1;
    return -strcmp(left->id, right->id);
}

static void collect_ids_locked(struct sim_request *rq, const struct query *query,
                               int64_t now_us, struct page *page)
{
    struct sim_task *found[SIM_PAGE_MAX];
    size_t count = 0;

    for (size_t i = 0; i < query->id_count; i++) {
        struct sim_task *task = sim_task_find_locked(rq->sim, query->ids[i]);

        if (task != NULL && matches_locked(rq, query, task, now_us))
            found[count++] = task;
    }
    qsort(found, count, sizeof(found[0]), newest_first);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || found[i] != found[i - 1])
            take(page, query, found[i]);
}

static void collect_all_locked(struct sim_request *rq, const struct query *query,
                               int64_t now_us, struct page *page)
{
    for (size_t i = rq->sim->task_count; i > 0; i--)
        if (matches_locked(rq, query, rq->sim->tasks[i - 1], now_us))
            take(page, query, rq->sim->tasks[i - 1]);
}

bool sim_list_answer(struct sim_request *rq, struct sim_refusal *refusal)
{
    struct query *query = arena_alloc(&rq->arena, sizeof(*query));
    struct page page = {0};
    int64_t now_us = sim_now_us(rq->sim);
    struct json_out out;
    struct err err;

    if (query == NULL)
        return sim_answer_refuse(refusal, 500, "InternalServiceError", "", "Out of memory.");
    if (!read_query(rq, query, refusal))
        return false;
    page.items = arena_alloc(&rq->arena, (size_t)query->page_size * sizeof(struct sim_task *));
    if (page.items == NULL)
        return sim_answer_refuse(refusal, 500, "InternalServiceError", "", "Out of memory.");
    out = json_begin(&rq->out);
    lock_take(&rq->sim->lock);
    if ((int64_t)query->id_count > rq->sim->counters.list_ids_max)
        rq->sim->counters.list_ids_max = (int64_t)query->id_count;
    if (query->has_ids)
        collect_ids_locked(rq, query, now_us, &page);
    else
        collect_all_locked(rq, query, now_us, &page);
    json_open_object(&out, NULL);
    json_put_int(&out, "total", page.total);
    json_open_array(&out, "items");
    for (size_t i = 0; i < page.count; i++)
        sim_answer_task(rq->sim, &out, page.items[i], now_us, false);
    json_close_array(&out);
    json_close_object(&out);
    lock_drop(&rq->sim->lock);
    ASSERT(json_end(&out, &err) == ERR_OK);
    return true;
}
