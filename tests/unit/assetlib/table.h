/* SPDX-License-Identifier: Apache-2.0 */
/* Groups and assets of two tenants, by chance and the same each time, in the database and in
 * memory. The kept counts are compared with the rows after every one that comes, and after
 * each that is finished. */
#ifndef ARKGATE_TESTS_ASSETLIB_TABLE_H
#define ARKGATE_TESTS_ASSETLIB_TABLE_H

#include "tests/unit/assetlib/fixture.h"

enum { GROUPS = 14, ASSETS = 200, OWNERS = 4 };

/* A name, and what it is without case: the model does not fold. */
static const struct {
    const char *text, *folded;
} names[] = {
    {"", ""},
    {"cat", "cat"},
    {"CAT 2", "cat 2"},
    {"a cat's \"life\"", "a cat's \"life\""},
    {"\xc3\x84pfel", "\xc3\xa4pfel"},
    {"A\xcc\x88PFEL", "\xc3\xa4pfel"},
    {"Stra\xc3\x9f"
     "e",
     "strasse"},
    {"STRASSE", "strasse"},
    {"100%", "100%"},
    {"100 percent", "100 percent"},
    {"a_b", "a_b"},
    {"axb", "axb"},
    {"back\\slash", "back\\slash"},
    {"\xe7\x8c\xab", "\xe7\x8c\xab"},
    {"\xf0\x9f\x8e\xac Cut", "\xf0\x9f\x8e\xac cut"},
    {"\xce\xa3\xce\x91\xce\xa3", "\xcf\x83\xce\xb1\xcf\x83"},
    {"\xc4\xb0stanbul", "i\xcc\x87stanbul"},
};
static const char *const projects[] = {"default", "films", "Films"};

/* ---- chance, the same each time -------------------------------------------------------- */

static uint64_t chance_state = 20260101;

static inline int chance(int limit)
{
    chance_state = chance_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int)((chance_state >> 33) % (uint64_t)limit);
}

/* ---- the tables ------------------------------------------------------------------------ */

struct table {
    struct shelf shelf;
    struct scope owners[OWNERS]; /* two identities of each of two tenants */
    struct asset_group groups[GROUPS];
    int group_owner[GROUPS], group_name[GROUPS];
    struct asset assets[ASSETS];
    int asset_owner[ASSETS], asset_name[ASSETS];
};

struct inserting {
    const struct scope *scope;
    const struct asset_group *group;
    const struct asset *asset;
    struct str folded;
};

static inline enum err_code insert_group_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct inserting *inserting = ctx;

    TRY(group_repo_insert(conn, inserting->scope, inserting->group, inserting->folded, err));
    return group_repo_count(conn, inserting->scope, inserting->group, err);
}

static inline enum err_code insert_asset_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct inserting *inserting = ctx;
    const struct asset *asset = inserting->asset;

    TRY(asset_repo_insert(conn, inserting->scope, asset, inserting->folded, err));
    return asset_repo_count(conn, inserting->scope, asset, 1, asset->bytes, err);
}

/* In no order; of no other. */
static inline void put_id(const char *kind, int at, char dst[ASSET_ID_MAX + 1])
{
    unsigned number = (unsigned)(chance(1 << 20) * 1000 + at);

    (void)snprintf(dst, ASSET_ID_MAX + 1, "%s-20270115080000-%010u", kind, number);
}

/* As group_create would, at a moment that others share. */
static inline void add_group(struct table *table, int at)
{
    struct asset_group *group = &table->groups[at];
    int owner = table->group_owner[at] = chance(OWNERS);
    int name = table->group_name[at] = chance(COUNT_OF(names));
    struct inserting inserting = {
        .scope = &table->owners[owner], .group = group, .folded = str_from(names[name].folded)};

    group->created_us = NOW + chance(GROUPS / 2);
    put_id("group", at, group->id);
    (void)str_copy(group->identity, sizeof(group->identity),
                   str_from(table->owners[owner].identity));
    (void)str_copy(group->name, sizeof(group->name), str_from(names[name].text));
    (void)str_copy(group->project, sizeof(group->project),
                   str_from(projects[chance(COUNT_OF(projects))]));
    fixture_write(&table->shelf.fixture, insert_group_steps, &inserting);
}

/* In a group of its owner's tenant. */
static inline void add_asset(struct table *table, int at)
{
    struct asset *asset = &table->assets[at];
    int owner = table->asset_owner[at] = chance(OWNERS);
    int name = table->asset_name[at] = chance(COUNT_OF(names));
    struct inserting inserting = {
        .scope = &table->owners[owner], .asset = asset, .folded = str_from(names[name].folded)};
    int group = chance(GROUPS);

    while (table->group_owner[group] / 2 != owner / 2)
        group = chance(GROUPS);
    asset->type = (enum asset_type)chance(ASSET_TYPE_COUNT);
    asset->bytes = chance(1000);
    asset->created_us = NOW + chance(ASSETS / 2);
    asset->updated_us = asset->created_us;
    put_id("asset", at, asset->id);
    memcpy(asset->group_id, table->groups[group].id, sizeof(asset->group_id));
    memcpy(asset->project, table->groups[group].project, sizeof(asset->project));
    (void)str_copy(asset->identity, sizeof(asset->identity),
                   str_from(table->owners[owner].identity));
    (void)str_copy(asset->name, sizeof(asset->name), str_from(names[name].text));
    fixture_write(&table->shelf.fixture, insert_asset_steps, &inserting);
}

static inline void finish_asset(struct table *table, int at)
{
    struct asset *asset = &table->assets[at];

    asset->status = chance(3) == 0 ? ASSET_FAILED : ASSET_ACTIVE;
    asset->bytes = chance(1000);
    asset->updated_us = NOW + chance(ASSETS / 2);
    shelf_finish(&table->shelf,
                 (struct finishing){&table->owners[table->asset_owner[at]], asset->id,
                                    asset->status, asset->bytes, asset->updated_us});
}

/* Each step by itself; a third of the assets stays as it is. */
static inline void table_init(struct table *table)
{
    shelf_init(&table->shelf);
    for (int owner = 0; owner < OWNERS; owner++)
        table->owners[owner] =
            shelf_scope(1 + owner / 2, owner % 2 == 0 ? "tok-one" : "tok-two");
    for (int at = 0; at < GROUPS; at++) {
        add_group(table, at);
        check_counts(&table->shelf, "a group");
    }
    for (int at = 0; at < ASSETS; at++) {
        add_asset(table, at);
        check_counts(&table->shelf, "an asset");
        if (chance(3) == 0)
            continue;
        finish_asset(table, at);
        check_counts(&table->shelf, "a finished asset");
    }
}

#endif
