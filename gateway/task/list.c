/* SPDX-License-Identifier: Apache-2.0 */
/* Reading many tasks within a scope: how many match, and one page of them. Total and
 * page are of one snapshot. */
#include "gateway/task/task_rows.h"

#include <stdlib.h>

struct listing {
    const struct scope *scope;
    const struct task_list_filter *filter;
    const struct task_list_reader *reader;
};

/* How many of total stand on the page, behind *ret_offset others. */
static int64_t page_span(const struct task_list_filter *filter, int64_t total,
                         int64_t *ret_offset)
{
    int64_t offset = (filter->page_num - 1) * filter->page_size;

    *ret_offset = offset;
    if (offset >= total)
        return 0;
    return total - offset < filter->page_size ? total - offset : filter->page_size;
}

static int compare_newest_first(const void *left, const void *right)
{
    const struct task_list_key *a = left, *b = right;

    if (a->created_us != b->created_us)
        return a->created_us < b->created_us ? 1 : -1;
    return (a->id < b->id) - (a->id > b->id);
}

/* A task may be named by more than one of its ids. */
static size_t drop_repeats(struct task_list_key *keys, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || keys[kept - 1].id != keys[i].id)
            keys[kept++] = keys[i];
    }
    return kept;
}

static enum err_code find_ids(struct db_conn *conn, const struct listing *listing,
                              struct task_list_key *ret_keys, size_t *ret_count,
                              struct err *err)
{
    const struct task_list_filter *filter = listing->filter;
    size_t count = 0;
    bool found;

    for (size_t i = 0; i < filter->id_count; i++) {
        struct str id = filter->ids[i];

        /* No id of ours or Ark's is longer; what is cannot exist. */
        if (id.len == 0 || id.len > TASK_ID_MAX || !str_is_utf8(id))
            continue;
        TRY(task_list_repo_find(conn, listing->scope, filter, id, &found, &ret_keys[count],
                                err));
        count += found;
    }
    qsort(ret_keys, count, sizeof(*ret_keys), compare_newest_first);
    *ret_count = drop_repeats(ret_keys, count);
    return ERR_OK;
}

static enum err_code read_ids(struct db_conn *conn, const struct listing *listing,
                              struct err *err)
{
    const struct task_list_reader *reader = listing->reader;
    struct task_list_key keys[LIST_IDS_MAX];
    int64_t offset, span;
    struct task task;
    size_t count;

    TRY(find_ids(conn, listing, keys, &count, err));
    TRY(reader->begin((int64_t)count, reader->ctx, err));
    span = page_span(listing->filter, (int64_t)count, &offset);
    for (int64_t i = 0; i < span; i++) {
        TRY(task_repo_load(conn, listing->scope, keys[offset + i].id, &task, err));
        TRY(reader->item(&task, reader->ctx, err));
    }
    return ERR_OK;
}

static enum err_code read_page(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct listing *listing = ctx;
    const struct task_list_reader *reader = listing->reader;
    int64_t total, offset, span;

    if (listing->filter->has_ids)
        return read_ids(conn, listing, err);
    TRY(task_list_repo_count(conn, listing->scope, listing->filter, &total, err));
    TRY(reader->begin(total, reader->ctx, err));
    span = page_span(listing->filter, total, &offset);
    if (span == 0)
        return ERR_OK;
    return task_list_repo_page(conn, listing->scope, listing->filter, offset, span, reader,
                               err);
}

enum err_code list_page(struct task_service *service, const struct scope *scope,
                        const struct task_list_filter *filter,
                        const struct task_list_reader *reader, struct err *err)
{
    struct listing listing = {scope, filter, reader};

    if (filter->page_num < 1 || filter->page_num > LIST_PAGE_NUM_MAX || filter->page_size < 1 ||
        filter->page_size > LIST_PAGE_MAX || filter->id_count > LIST_IDS_MAX)
        return err_detail(err, ERR_INTERNAL, "a list's page or ids are out of range");
    return db_read(service->db, read_page, &listing, err);
}
