/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of groups and assets against tables in memory that say the same by brute force:
 * random filters in every scope and order, the edges of paging. */
#include "tests/unit/assetlib/table.h"

enum { FILTERS = 2000, READERS = 2 * OWNERS + 1 };

/* Parts of names that are asked for. */
static const struct {
    const char *text, *folded;
} parts[] = {
    {"cat", "cat"},
    {"CAT", "cat"},
    {"a", "a"},
    {"'", "'"},
    {"\xc3\xa4", "\xc3\xa4"},
    {"A\xcc\x88", "\xc3\xa4"},
    {"\xc3\x9f", "ss"},
    {"Strasse", "strasse"},
    {"%", "%"},
    {"0%", "0%"},
    {"_", "_"},
    {"a_b", "a_b"},
    {"\\", "\\"},
    {"\xf0\x9f\x8e\xac", "\xf0\x9f\x8e\xac"},
    {"\xcf\x82", "\xcf\x83"},
    {" ", " "},
    {"i", "i"},
    {"no such part", "no such part"},
};

/* ---- what is asked --------------------------------------------------------------------- */

struct wish {
    struct scope scope;
    int owner; /* OWNERS: a tenant who has nothing */
    int part;  /* -1: any name */
    struct str groups[8];
    struct asset_filter filter;
};

/* Some are another tenant's, some come twice, some are no group's. */
static void wish_groups(const struct table *table, struct wish *wish)
{
    static const size_t counts[] = {0, 0, 0, 0, 0, 1, 1, 2, 5, 8};

    wish->filter.groups = wish->groups;
    wish->filter.group_count = counts[chance(COUNT_OF(counts))];
    for (size_t i = 0; i < wish->filter.group_count; i++)
        wish->groups[i] =
            chance(10) == 0 ? STR("-") : str_from(table->groups[chance(GROUPS)].id);
}

static void wish_init(const struct table *table, struct wish *wish)
{
    static const int64_t sizes[] = {1, 2, 7, 10, ASSET_PAGE_MAX};
    struct asset_filter *filter = &wish->filter;
    int reader = chance(READERS);

    *wish = (struct wish){.owner = reader / 2, .part = chance(COUNT_OF(parts) * 3)};
    wish->scope = wish->owner < OWNERS ? table->owners[wish->owner] : shelf_scope(3, "tok-one");
    wish->scope.own_only = reader % 2 == 1;
    wish->part = wish->part < (int)COUNT_OF(parts) ? wish->part : -1;
    filter->name = wish->part < 0 ? STR("") : str_from(parts[wish->part].text);
    wish_groups(table, wish);
    filter->has_status = chance(2) == 0;
    for (int status = 0; filter->has_status && status < ASSET_STATUS_COUNT; status++)
        filter->status[status] = chance(2) == 0;
    if (chance(5) == 0)
        filter->project = str_from(projects[chance(COUNT_OF(projects))]);
    filter->sort = (enum asset_sort)chance(ASSET_SORT_COUNT);
    filter->ascending = chance(2) == 0;
    filter->page_size = sizes[chance(COUNT_OF(sizes))];
    filter->page = chance(20) == 0 ? INT64_MAX : 1 + chance(4);
}

/* ---- the model ------------------------------------------------------------------------- */

/* The matches in their order. */
struct expected {
    const char *ids[ASSETS];
    int64_t total;
};

static bool is_seen(const struct wish *wish, int owner, const char *group_id, int name,
                    const char *project)
{
    const struct asset_filter *filter = &wish->filter;
    bool in_groups = filter->group_count == 0;

    for (size_t i = 0; i < filter->group_count; i++)
        in_groups = in_groups || str_is(filter->groups[i], group_id);
    return in_groups && owner / 2 == wish->owner / 2 &&
           (!wish->scope.own_only || owner == wish->owner) &&
           (wish->part < 0 || strstr(names[name].folded, parts[wish->part].folded) != NULL) &&
           (filter->project.len == 0 || str_is(filter->project, project));
}

struct sorted {
    const char *id, *group_id;
    int64_t created_us, updated_us;
};

static int compare(const struct sorted *a, const struct sorted *b, enum asset_sort sort)
{
    int64_t first = sort == ASSET_SORT_UPDATED ? a->updated_us : a->created_us;
    int64_t second = sort == ASSET_SORT_UPDATED ? b->updated_us : b->created_us;
    int groups = sort == ASSET_SORT_GROUP ? strcmp(a->group_id, b->group_id) : 0;

    if (groups != 0)
        return groups;
    return first != second ? (first < second ? -1 : 1) : strcmp(a->id, b->id);
}

/* Each to its place among those before it. */
static void insert(struct sorted *sorted, int64_t count, struct sorted added,
                   const struct asset_filter *filter)
{
    int64_t place = count;

    while (place > 0 &&
           (compare(&sorted[place - 1], &added, filter->sort) > 0) == filter->ascending) {
        sorted[place] = sorted[place - 1];
        place--;
    }
    sorted[place] = added;
}

static struct expected expect_assets(const struct table *table, const struct wish *wish)
{
    struct sorted sorted[ASSETS];
    struct expected expected = {.total = 0};

    for (int at = 0; at < ASSETS; at++) {
        const struct asset *asset = &table->assets[at];

        if (is_seen(wish, table->asset_owner[at], asset->group_id, table->asset_name[at],
                    asset->project) &&
            (!wish->filter.has_status || wish->filter.status[asset->status]))
            insert(sorted, expected.total++,
                   (struct sorted){asset->id, asset->group_id, asset->created_us,
                                   asset->updated_us},
                   &wish->filter);
    }
    for (int64_t i = 0; i < expected.total; i++)
        expected.ids[i] = sorted[i].id;
    return expected;
}

/* Groups come in the order of their making, whatever is asked for. */
static struct expected expect_groups(const struct table *table, const struct wish *wish)
{
    struct asset_filter filter = {.sort = ASSET_SORT_CREATED,
                                  .ascending = wish->filter.ascending};
    struct sorted sorted[GROUPS];
    struct expected expected = {.total = 0};

    for (int at = 0; at < GROUPS; at++) {
        const struct asset_group *group = &table->groups[at];

        if (is_seen(wish, table->group_owner[at], group->id, table->group_name[at],
                    group->project))
            insert(sorted, expected.total++,
                   (struct sorted){.id = group->id, .created_us = group->created_us}, &filter);
    }
    for (int64_t i = 0; i < expected.total; i++)
        expected.ids[i] = sorted[i].id;
    return expected;
}

/* ---- the comparison -------------------------------------------------------------------- */

struct seen {
    const struct table *table;
    const char *what;
    const struct expected *expected;
    int64_t at, end, items; /* places among all matches */
    bool has_total;
};

static enum err_code see_total(int64_t total, void *ctx, struct err *err)
{
    struct seen *seen = ctx;

    (void)err;
    CHECK_TRUE(seen->what, !seen->has_total && seen->items == 0);
    CHECK_INT(seen->what, total, seen->expected->total);
    seen->has_total = true;
    return ERR_OK;
}

static void see_id(struct seen *seen, const char *id)
{
    if (seen->at < seen->end)
        CHECK_TEXT(seen->what, id, seen->expected->ids[seen->at]);
    seen->at++;
    seen->items++;
}

static enum err_code see_asset(const struct asset *asset, void *ctx, struct err *err)
{
    struct seen *seen = ctx;

    (void)err;
    see_id(seen, asset->id);
    for (int at = 0; at < ASSETS; at++) {
        const struct asset *mine = &seen->table->assets[at];

        if (strcmp(asset->id, mine->id) != 0)
            continue;
        CHECK_INT(seen->what, asset->type, mine->type);
        CHECK_INT(seen->what, asset->status, mine->status);
        CHECK_INT(seen->what, asset->bytes, mine->bytes);
        CHECK_TEXT(seen->what, asset->name, mine->name);
        CHECK_TEXT(seen->what, asset->identity, mine->identity);
        CHECK_INT(seen->what, asset->updated_us, mine->updated_us);
    }
    return ERR_OK;
}

static enum err_code see_group(const struct asset_group *group, void *ctx, struct err *err)
{
    (void)err;
    see_id(ctx, group->id);
    return ERR_OK;
}

/* Which matches the page begins and ends with. */
static struct seen seen_new(const struct table *table, const struct wish *wish,
                            const struct expected *expected, const char *what)
{
    const struct asset_filter *filter = &wish->filter;
    struct seen seen = {.table = table, .what = what, .expected = expected};

    seen.at =
        filter->page == INT64_MAX ? expected->total : (filter->page - 1) * filter->page_size;
    if (seen.at > expected->total)
        seen.at = expected->total;
    seen.end = seen.at + filter->page_size < expected->total ? seen.at + filter->page_size
                                                             : expected->total;
    return seen;
}

/* Returns how many of both the page has. */
static int64_t compare_lists(struct table *table, const struct wish *wish, int number)
{
    struct expected assets = expect_assets(table, wish), groups = expect_groups(table, wish);
    char what[2][32];
    struct seen seen[2];
    struct err err = {0};

    (void)snprintf(what[0], sizeof(what[0]), "assets, filter %d", number);
    (void)snprintf(what[1], sizeof(what[1]), "groups, filter %d", number);
    seen[0] = seen_new(table, wish, &assets, what[0]);
    seen[1] = seen_new(table, wish, &groups, what[1]);
    CHECK_OK(what[0],
             browse_assets(&table->shelf.library, &wish->scope, &wish->filter,
                           &(struct asset_reader){see_total, see_asset, NULL, &seen[0]}, &err),
             &err);
    CHECK_OK(what[1],
             browse_groups(&table->shelf.library, &wish->scope, &wish->filter,
                           &(struct asset_reader){see_total, NULL, see_group, &seen[1]}, &err),
             &err);
    for (int i = 0; i < 2; i++) {
        CHECK_TRUE(what[i], seen[i].has_total);
        CHECK_INT(what[i], seen[i].at, seen[i].end);
    }
    return seen[0].items + seen[1].items;
}

static void check_random_filters(struct table *table)
{
    int64_t items = 0;
    int filled = 0;

    for (int i = 0; i < FILTERS; i++) {
        struct wish wish;
        int64_t before = items;

        wish_init(table, &wish);
        items += compare_lists(table, &wish, i);
        filled += items > before;
    }
    CHECK_TRUE("many pages have something", filled > FILTERS / 4);
    CHECK_TRUE("some of them much", items > 2 * FILTERS);
}

/* Every sort and order in every scope, without a filter, page by page to the end. */
static void check_whole_lists(struct table *table)
{
    int number = FILTERS;

    for (int reader = 0; reader < 2 * OWNERS; reader++) {
        for (int order = 0; order < 2 * ASSET_SORT_COUNT; order++) {
            struct wish wish = {.owner = reader / 2, .part = -1};

            wish.scope = table->owners[wish.owner];
            wish.scope.own_only = reader % 2 == 1;
            wish.filter.sort = (enum asset_sort)(order / 2);
            wish.filter.ascending = order % 2 == 1;
            wish.filter.page_size = 9;
            wish.filter.page = 1;
            while (compare_lists(table, &wish, number++) > 0)
                wish.filter.page++;
            CHECK_TRUE("more than one page", wish.filter.page > 2);
        }
    }
}

static void test_lists(void)
{
    static struct table table;

    table_init(&table);
    check_random_filters(&table);
    check_whole_lists(&table);
    shelf_fini(&table.shelf);
}

/* ---- who reads may stop ---------------------------------------------------------------- */

static enum err_code refuse_total(int64_t total, void *ctx, struct err *err)
{
    (void)total, (void)ctx;
    return err_set(err, ERR_BUSY, "enough");
}

static enum err_code take_total(int64_t total, void *ctx, struct err *err)
{
    (void)total, (void)ctx, (void)err;
    return ERR_OK;
}

static enum err_code refuse_asset(const struct asset *asset, void *ctx, struct err *err)
{
    (void)asset;
    (*(int *)ctx)++;
    return err_set(err, ERR_TOO_LARGE, "enough");
}

static enum err_code refuse_group(const struct asset_group *group, void *ctx, struct err *err)
{
    (void)group;
    (*(int *)ctx)++;
    return err_set(err, ERR_TOO_LARGE, "enough");
}

static void test_refusing_reader(void)
{
    struct shelf shelf = {0};
    const struct asset_filter filter = {.page = 1, .page_size = 10};
    int visits = 0;
    const struct asset_reader first = {refuse_total, refuse_asset, refuse_group, &visits};
    const struct asset_reader second = {take_total, refuse_asset, refuse_group, &visits};
    struct asset_created created;
    struct err err = {0};

    shelf_init(&shelf);
    for (int i = 0; i < 2; i++) {
        struct asset_created group = new_group(&shelf, &shelf.one);

        CHECK_OK("asset",
                 make_asset(&shelf,
                            &(struct making){&shelf.one, group.id, "", ASSET_AUDIO, NULL},
                            &created, &err),
                 &err);
    }
    CHECK_INT("total", browse_assets(&shelf.library, &shelf.one, &filter, &first, &err),
              ERR_BUSY);
    CHECK_INT("total", browse_groups(&shelf.library, &shelf.one, &filter, &first, &err),
              ERR_BUSY);
    CHECK_INT("no item", visits, 0);
    CHECK_INT("asset", browse_assets(&shelf.library, &shelf.one, &filter, &second, &err),
              ERR_TOO_LARGE);
    CHECK_INT("group", browse_groups(&shelf.library, &shelf.one, &filter, &second, &err),
              ERR_TOO_LARGE);
    CHECK_INT("one each", visits, 2);
    shelf_fini(&shelf);
}

CHECK_MAIN(CHECK_TEST(test_lists), CHECK_TEST(test_refusing_reader))
