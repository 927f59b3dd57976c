/* SPDX-License-Identifier: Apache-2.0 */
/* Lists an account page by page, sifts out what no row owns, and GETs each of
 * those, because only a GET shows the identifier. */
#include "gateway/upstream/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ark's clock may be behind ours: look this much further back. */
enum { MARGIN_US = 300000000, URL_MAX = UPSTREAM_URL_MAX + 128 + TASK_ID_MAX };

/* What a task's texts borrow from. */
struct scan_text {
    struct net_reply reply;
    struct arena arena;
    struct json_doc *doc;
};

static void text_free(struct scan_text *text)
{
    json_free(&text->doc);
    arena_fini(&text->arena);
    net_reply_fini(&text->reply);
    free(text);
}

void scan_fini(struct scan *scan)
{
    for (size_t i = 0; i < scan->count; i++)
        text_free(scan->texts[i]);
    scan->count = 0;
}

/* One GET of an url below the account's base, parsed. ret_status is the answer's
 * status; the document is there only with 200. */
static enum err_code fetch(struct ark *ark, const struct upstream_account *account,
                           enum limiter_kind kind, const char *path, struct scan_text *text,
                           int *ret_status, struct err *err)
{
    CLEANUP(directory_target_fini) struct ark_target target = {0};
    const char *headers[] = {target.authorization, "Accept: application/json", NULL};
    char url[URL_MAX];
    struct net_call call = {
        .method = "GET",
        .url = url,
        .headers = headers,
        .repeat = NET_ANY,
        .connect_us = ark->settings.connect_us,
        .total_us = ark->settings.call_us,
        .answer_max = ARK_ANSWER_MAX,
    };

    if (!limiter_wait(ark->limiter, account, kind))
        return err_set(err, ERR_BUSY, "the gateway is shutting down");
    if (lease_term(ark->leases, account->id) == 0)
        return err_set(err, ERR_BUSY, "the account is another gateway's now");
    TRY(directory_account_target(ark->directory, account->id, &target, err));
    (void)snprintf(url, sizeof(url), "%s/contents/generations/tasks%s", target.base_url, path);
    enum err_code rc = net_call(ark->net, &call, &text->reply, err);

    if (kind == LIMITER_LIST)
        limiter_listed(ark->limiter, account);
    if (rc != ERR_OK)
        return rc;
    if (text->reply.fate != NET_ANSWERED)
        return err_detail(err, ERR_UPSTREAM, "scan: %s", text->reply.reason);
    *ret_status = text->reply.status;
    if (text->reply.status != 200)
        return ERR_OK;
    arena_init(&text->arena, (size_t)ARK_ANSWER_MAX * 2);
    return json_parse(&text->arena, buf_str(&text->reply.body), &text->doc, err);
}

/* GETs one unowned id and keeps it in the scan. */
static enum err_code keep(struct ark *ark, const struct upstream_account *account,
                          struct str id, struct scan *scan, struct err *err)
{
    struct scan_text *text = calloc(1, sizeof(*text));
    char path[TASK_ID_MAX + 2];
    int status = 0;

    if (text == NULL || scan->count == SCAN_STRAYS_MAX) {
        free(text);
        return err_detail(err, ERR_BUSY, "scan: more than %d unowned tasks", SCAN_STRAYS_MAX);
    }
    (void)snprintf(path, sizeof(path), "/%.*s", (int)id.len, id.ptr);
    enum err_code rc = fetch(ark, account, LIMITER_GET, path, text, &status, err);

    if (rc == ERR_OK && status == 200 &&
        ark_wire_task(text->doc, json_root(text->doc), &text->arena,
                      &scan->tasks[scan->count])) {
        scan->texts[scan->count++] = text;
        return ERR_OK;
    }
    text_free(text);
    if (rc != ERR_OK)
        return rc;
    /* Gone between list and GET: it is nobody's. Anything else is no answer. */
    return status == 404 ? ERR_OK
                         : err_detail(err, ERR_UPSTREAM, "scan: GET status %d", status);
}

static bool is_kept(const struct scan *scan, struct str id)
{
    for (size_t i = 0; i < scan->count; i++) {
        if (str_eq(scan->tasks[i].id, id))
            return true;
    }
    return false;
}

/* A list of nothing may carry null for its items, but it says so. */
static bool is_empty(const struct json_value *list)
{
    const struct json_value *total = json_get(list, "total");
    int64_t count;

    return total != NULL && json_int(total, &count) && count == 0;
}

/* The ids of a page that are young enough and not kept yet (a page moves on while
 * tasks are made); ret_last tells that no later page has young ones. A page that
 * cannot be read to its last item proves nothing. */
static enum err_code young_ids(struct scan_text *page, const struct scan *scan,
                               int64_t since_us, struct str ids[SCAN_PAGE], size_t *ret_count,
                               bool *ret_last, struct err *err)
{
    const struct json_value *items = json_get(json_root(page->doc), "items");
    size_t count = 0, seen = 0;
    bool past = false;

    if (items == NULL && is_empty(json_root(page->doc))) {
        *ret_count = 0;
        *ret_last = true;
        return ERR_OK;
    }
    if (items == NULL || json_type(items) != JSON_ARRAY || json_count(items) > SCAN_PAGE)
        return err_detail(err, ERR_UPSTREAM, "scan: a list without usable items");
    for (const struct json_value *item = json_first(items); item != NULL;
         item = json_next(item), seen++) {
        struct upstream_task task;

        if (!ark_wire_task(page->doc, item, &page->arena, &task))
            return err_detail(err, ERR_UPSTREAM, "scan: item %zu of a list is unreadable",
                              seen);
        if (task.created_s != 0 && task.created_s * 1000000 < since_us - MARGIN_US)
            past = true;
        else if (!is_kept(scan, task.id))
            ids[count++] = task.id;
    }
    *ret_last = seen < SCAN_PAGE || past;
    *ret_count = count;
    return ERR_OK;
}

static enum err_code scan_page(struct ark *ark, const struct upstream_account *account,
                               int number, int64_t since_us, struct scan *scan, bool *ret_last,
                               struct err *err)
{
    struct scan_text *page = calloc(1, sizeof(*page));
    struct str ids[SCAN_PAGE];
    size_t count = 0;
    char path[64];
    int status = 0;

    if (page == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    (void)snprintf(path, sizeof(path), "?page_num=%d&page_size=%d", number, SCAN_PAGE);
    enum err_code rc = fetch(ark, account, LIMITER_LIST, path, page, &status, err);

    if (rc == ERR_OK && (status != 200 || json_type(json_root(page->doc)) != JSON_OBJECT))
        rc = err_detail(err, ERR_UPSTREAM, "scan: list status %d", status);
    if (rc == ERR_OK)
        rc = young_ids(page, scan, since_us, ids, &count, ret_last, err);
    if (rc == ERR_OK)
        rc = adopt_unowned(ark->service, account->id, ids, &count, err);
    for (size_t i = 0; rc == ERR_OK && i < count; i++)
        rc = keep(ark, account, ids[i], scan, err);
    text_free(page);
    return rc;
}

enum err_code scan_account(struct ark *ark, const struct upstream_account *account,
                           int64_t since_us, struct scan *ret_scan, struct err *err)
{
    bool last = false;

    ret_scan->started_us = sys_now_us();
    for (int number = 1; !last; number++)
        TRY(scan_page(ark, account, number, since_us, ret_scan, &last, err));
    return ERR_OK;
}
