/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of groups and assets: a filter made ready for statements, and a page of its matches
 * with their number. */
#include "assetlib/rows.h"

enum { PATTERN_MAX = 3 * ASSET_NAME_BYTES * 2 + 8, GROUPS_TEXT_MAX = 100 * 40 };

/* A call of one of the lists. */
struct listing {
    const struct scope *scope;
    struct browse browse;
    const struct asset_reader *reader;
};

/* "%part%", where the part's own signs stand for themselves. */
static FALLIBLE put_pattern(struct str name, struct buf *pattern, struct err *err)
{
    CLEANUP(buf_fini) struct buf folded = {0};

    if (name.len == 0)
        return ERR_OK;
    buf_init(&folded, PATTERN_MAX);
    TRY(text_fold(name, &folded, err));
    buf_puts(pattern, "%");
    for (size_t i = 0; i < folded.len; i++) {
        if (folded.ptr[i] == '%' || folded.ptr[i] == '_' || folded.ptr[i] == '\\')
            buf_puts(pattern, "\\");
        buf_put(pattern, &folded.ptr[i], 1);
    }
    buf_puts(pattern, "%");
    return buf_check(pattern, err);
}

/* ",a,b,": an id that cannot be one matches nothing. */
static FALLIBLE put_groups(const struct asset_filter *filter, struct buf *groups,
                           struct err *err)
{
    if (filter->group_count == 0)
        return ERR_OK;
    buf_puts(groups, ",");
    for (size_t i = 0; i < filter->group_count; i++) {
        buf_put_str(groups, filter->groups[i]);
        buf_puts(groups, ",");
    }
    return buf_check(groups, err);
}

static enum err_code run(struct asset_library *library, struct listing *listing, db_fn steps,
                         struct err *err)
{
    const struct asset_filter *filter = listing->browse.filter;
    CLEANUP(buf_fini) struct buf pattern = {0};
    CLEANUP(buf_fini) struct buf groups = {0};

    buf_init(&pattern, PATTERN_MAX);
    buf_init(&groups, GROUPS_TEXT_MAX);
    TRY(put_pattern(filter->name, &pattern, err));
    TRY(put_groups(filter, &groups, err));
    listing->browse.name = buf_str(&pattern);
    listing->browse.groups = buf_str(&groups);
    if (__builtin_mul_overflow(filter->page - 1, filter->page_size, &listing->browse.offset))
        listing->browse.offset = INT64_MAX;
    return db_read(library->db, steps, listing, err);
}

static enum err_code groups_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct listing *listing = ctx;
    int64_t total = 0;

    TRY(browse_repo_count_groups(conn, listing->scope, &listing->browse, &total, err));
    TRY(listing->reader->total(total, listing->reader->ctx, err));
    if (listing->browse.offset >= total)
        return ERR_OK;
    return browse_repo_groups(conn, listing->scope, &listing->browse, listing->reader, err);
}

FALLIBLE browse_groups(struct asset_library *library, const struct scope *scope,
                       const struct asset_filter *filter, const struct asset_reader *reader,
                       struct err *err)
{
    struct listing listing = {.scope = scope, .browse = {.filter = filter}, .reader = reader};

    return run(library, &listing, groups_steps, err);
}

static enum err_code assets_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct listing *listing = ctx;
    int64_t total = 0;

    TRY(browse_repo_count_assets(conn, listing->scope, &listing->browse, &total, err));
    TRY(listing->reader->total(total, listing->reader->ctx, err));
    if (listing->browse.offset >= total)
        return ERR_OK;
    return browse_repo_assets(conn, listing->scope, &listing->browse, listing->reader, err);
}

FALLIBLE browse_assets(struct asset_library *library, const struct scope *scope,
                       const struct asset_filter *filter, const struct asset_reader *reader,
                       struct err *err)
{
    struct listing listing = {.scope = scope, .browse = {.filter = filter}, .reader = reader};

    return run(library, &listing, assets_steps, err);
}
