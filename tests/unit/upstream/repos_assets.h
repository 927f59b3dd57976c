/* SPDX-License-Identifier: Apache-2.0 */
/* The repositories of assetlib/, call by call. They are of tenants 1 to 3, of five identities
 * each. */
#ifndef ARKGATE_TESTS_UPSTREAM_REPOS_ASSETS_H
#define ARKGATE_TESTS_UPSTREAM_REPOS_ASSETS_H

#include "assetlib/rows.h"

#include "tests/unit/upstream/repos.h"

enum { OWNERS = 3, IDENTITIES = 5, PROJECTS = 4, GROUPS = 9, ASSET_FOLDED_MAX = 4096 };

/* Whoever made the group or asset of this number. */
static struct scope maker_of(int at)
{
    struct scope scope = {.tenant_id = 1 + at % OWNERS};

    (void)str_copy(scope.identity, sizeof(scope.identity), text_of(at % IDENTITIES, 0));
    return scope;
}

/* Likewise, sees all or own ones alone. */
static struct scope reader_of(int at)
{
    struct scope scope = maker_of(at / 2);

    scope.own_only = at % 2 == 1;
    return scope;
}

/* Of this number and no other, whatever becomes of the odd text behind it. */
static void put_id(const char *kind, int at, char dst[ASSET_ID_MAX + 1])
{
    char id[128];

    (void)snprintf(id, sizeof(id), "%s-%d-%s", kind, at, texts[at % TEXTS]);
    str_copy_cut(dst, ASSET_ID_MAX + 1, str_from(id));
}

/* As a use case folds it; as it is, when it is no UTF-8. */
static void put_folded(struct str text, struct buf *folded)
{
    struct err err = {0};

    buf_init(folded, ASSET_FOLDED_MAX);
    if (text_fold(text, folded, &err) != ERR_OK) {
        buf_reset(folded);
        buf_put_str(folded, text);
    }
}

/* ---- groups ---------------------------------------------------------------------------- */

static struct asset_group group_of(int at)
{
    struct asset_group group = {.created_us = number_of(at, 0)};

    put_id("group", at, group.id);
    memcpy(group.identity, maker_of(at).identity, sizeof(group.identity));
    (void)str_copy(group.name, sizeof(group.name), text_of(at, 1));
    (void)str_copy(group.description, sizeof(group.description), text_of(at, 2));
    (void)str_copy(group.project, sizeof(group.project), text_of(at % PROJECTS, 3));
    return group;
}

static enum err_code tell_asset_group(const struct asset_group *group, void *ctx,
                                      struct err *err)
{
    (void)err;
    TELL_TEXT(ctx, group, id);
    TELL_TEXT(ctx, group, identity);
    TELL_TEXT(ctx, group, name);
    TELL_TEXT(ctx, group, description);
    TELL_TEXT(ctx, group, project);
    TELL(ctx, group, created_us);
    buf_puts(ctx, "\n");
    return ERR_OK;
}

/* The last one is there. */
static enum err_code step_group_repo_insert(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    struct asset_group group = group_of(call->at == TEXTS ? 0 : call->at);
    struct scope scope = maker_of(call->at);
    CLEANUP(buf_fini) struct buf folded = {0};

    CASES(TEXTS + 1);
    put_folded(str_from(group.name), &folded);
    return group_repo_insert(conn, &scope, &group, buf_str(&folded), err);
}

static enum err_code step_group_repo_usage(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    struct scope scope = {.tenant_id = call->at};
    int64_t count;

    CASES(OWNERS + 2);
    TRY(group_repo_usage(conn, &scope, &count, err));
    tell_number(call->told, "count", count);
    return ERR_OK;
}

static enum err_code step_group_repo_count(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    struct asset_group group = group_of(call->at);
    struct scope scope = maker_of(call->at);

    CASES(TEXTS);
    return group_repo_count(conn, &scope, &group, err);
}

/* By its maker and others, of its project, of whichever, of one that is not its own. */
static enum err_code step_group_repo_get(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    int at = call->at % TEXTS;
    struct asset_group group = group_of(at), found;
    struct scope scope = reader_of(2 * at + call->at / TEXTS);
    struct str projects[] = {STR(""), str_from(group.project), STR("none")};

    CASES(3 * TEXTS);
    TRY(group_repo_get(conn, &scope, str_from(group.id), projects[call->at % 3], &found, err));
    return tell_asset_group(&found, call->told, err);
}

static enum err_code step_group_repo_read(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    static const char sql[] = "SELECT " GROUP_COLUMNS " FROM asset_group ORDER BY id";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    struct asset_group group;
    enum db_step step;

    CASES(1);
    TRY(db_prepare(conn, sql, &st, err));
    while ((step = db_step(st, err)) == DB_ROW) {
        group_repo_read(st, &group);
        TRY(tell_asset_group(&group, call->told, err));
    }
    return step == DB_DONE ? ERR_OK : err->code;
}

/* ---- assets ---------------------------------------------------------------------------- */

/* As it is when it is made; its group is one of the first. */
static struct asset asset_of(int at)
{
    struct asset_group group = group_of(at % GROUPS);
    struct asset asset = {.type = (enum asset_type)(at % ASSET_TYPE_COUNT),
                          .bytes = number_of(at, 1),
                          .created_us = number_of(at, 2),
                          .updated_us = number_of(at, 3)};

    put_id("asset", at, asset.id);
    memcpy(asset.identity, maker_of(at).identity, sizeof(asset.identity));
    memcpy(asset.group_id, group.id, sizeof(asset.group_id));
    memcpy(asset.project, group.project, sizeof(asset.project));
    (void)str_copy(asset.name, sizeof(asset.name), text_of(at, 4));
    return asset;
}

/* What came of it: a failure, a file, a file with a picture. */
static void finish(struct asset *asset, int at)
{
    struct {
        char *dst;
        size_t size;
    } members[] = {{asset->error_code, sizeof(asset->error_code)},
                   {asset->error_message, sizeof(asset->error_message)},
                   {asset->format, sizeof(asset->format)},
                   {asset->codec, sizeof(asset->codec)}};
    int64_t *numbers_of[] = {&asset->width,       &asset->height,   &asset->fps_milli,
                             &asset->duration_ms, &asset->channels, &asset->updated_us};

    asset->status = at % 3 == 0 ? ASSET_FAILED : ASSET_ACTIVE;
    asset->has_hash = at % 3 != 0;
    asset->has_thumbnail = at % 3 == 2;
    memcpy(asset->hash, hash_of(at % 8), sizeof(asset->hash));
    memcpy(asset->thumbnail, hash_of(at), sizeof(asset->thumbnail));
    for (size_t i = 0; i < COUNT_OF(members); i++)
        str_copy_cut(members[i].dst, members[i].size, text_of(at, (int)i));
    for (size_t i = 0; i < COUNT_OF(numbers_of); i++)
        *numbers_of[i] = number_of(at, (int)i);
}

static enum err_code tell_asset(const struct asset *asset, void *ctx, struct err *err)
{
    (void)err;
    TELL_TEXT(ctx, asset, id);
    TELL_TEXT(ctx, asset, identity);
    TELL_TEXT(ctx, asset, group_id);
    TELL(ctx, asset, type);
    TELL(ctx, asset, status);
    TELL_TEXT(ctx, asset, name);
    TELL_TEXT(ctx, asset, project);
    TELL_TEXT(ctx, asset, error_code);
    TELL_TEXT(ctx, asset, error_message);
    TELL(ctx, asset, bytes);
    TELL(ctx, asset, has_hash);
    TELL(ctx, asset, has_thumbnail);
    tell_value(ctx, "hash", (struct str){(const char *)asset->hash, sizeof(asset->hash)});
    tell_value(ctx, "thumbnail",
               (struct str){(const char *)asset->thumbnail, sizeof(asset->thumbnail)});
    TELL_TEXT(ctx, asset, format);
    TELL_TEXT(ctx, asset, codec);
    TELL(ctx, asset, width);
    TELL(ctx, asset, height);
    TELL(ctx, asset, fps_milli);
    TELL(ctx, asset, duration_ms);
    TELL(ctx, asset, channels);
    TELL(ctx, asset, account_id);
    TELL(ctx, asset, created_us);
    TELL(ctx, asset, updated_us);
    buf_puts(ctx, "\n");
    return ERR_OK;
}

/* The last one is there. */
static enum err_code step_asset_repo_insert(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    struct asset asset = asset_of(call->at == 2 * TEXTS ? 0 : call->at);
    struct scope scope = maker_of(call->at);
    CLEANUP(buf_fini) struct buf folded = {0};

    CASES(2 * TEXTS + 1);
    put_folded(str_from(asset.name), &folded);
    return asset_repo_insert(conn, &scope, &asset, buf_str(&folded), err);
}

/* More and fewer; a count may go below nothing. */
static enum err_code step_asset_repo_count(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    static const int64_t bytes[] = {
        0, 1, -1, (INT64_C(1) << 53) + 1, INT32_MIN, INT64_C(1) << 60};
    struct asset asset = asset_of(call->at % (2 * TEXTS));
    struct scope scope = maker_of(call->at);

    CASES(3 * TEXTS);
    asset.status = (enum asset_status)(call->at % 4 % ASSET_STATUS_COUNT);
    return asset_repo_count(conn, &scope, &asset, call->at % 5 - 1,
                            (call->at % 12 < 6 ? 1 : -1) * bytes[call->at % 6], err);
}

static enum err_code step_asset_repo_usage(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    struct scope scope = {.tenant_id = call->at};
    int64_t count, bytes;

    CASES(OWNERS + 2);
    TRY(asset_repo_usage(conn, &scope, &count, &bytes, err));
    tell_number(call->told, "count", count);
    tell_number(call->told, "bytes", bytes);
    return ERR_OK;
}

/* By another tenant, by its own, and by its own once more. */
static enum err_code step_asset_repo_finish(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    int at = call->at / 3;
    struct asset asset = asset_of(at);
    struct scope scope = maker_of(call->at % 3 == 0 ? at + 1 : at);

    CASES(3 * TEXTS);
    finish(&asset, at + call->at % 3);
    return asset_repo_finish(conn, &scope, &asset, err);
}

static enum err_code step_asset_repo_get(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    int at = call->at % (2 * TEXTS);
    struct asset asset = asset_of(at), found;
    struct scope scope = reader_of(2 * at + call->at / (2 * TEXTS));
    struct str projects[] = {STR(""), str_from(asset.project), STR("none")};

    CASES(6 * TEXTS);
    TRY(asset_repo_get(conn, &scope, str_from(asset.id), projects[call->at % 3], &found, err));
    return tell_asset(&found, call->told, err);
}

static enum err_code step_asset_repo_refers(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    struct scope scope = maker_of(call->at);
    bool refers;

    CASES(3 * TEXTS);
    TRY(asset_repo_refers(conn, &scope, hash_of(call->at / 2), &refers, err));
    tell_number(call->told, "refers", refers);
    return ERR_OK;
}

/* Each use twice: the second says nothing. */
static enum err_code step_asset_repo_note_use(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    struct asset asset = asset_of(call->at / 2);
    struct scope scope = maker_of(call->at / 2);

    CASES(2 * TEXTS);
    return asset_repo_note_use(conn, &scope, str_from(asset.id), str_from(asset.name), call->at,
                               err);
}

static enum err_code step_asset_repo_read(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    static const char sql[] = "SELECT " ASSET_COLUMNS " FROM asset ORDER BY id";
    CLEANUP(db_done) struct db_stmt *st = NULL;
    struct asset asset;
    enum db_step step;

    CASES(1);
    TRY(db_prepare(conn, sql, &st, err));
    while ((step = db_step(st, err)) == DB_ROW) {
        asset_repo_read(st, &asset);
        TRY(tell_asset(&asset, call->told, err));
    }
    return step == DB_DONE ? ERR_OK : err->code;
}

/* ---- lists ----------------------------------------------------------------------------- */

enum { BROWSES = 16 * TEXTS };

/* A filter and what of it a statement needs. */
struct browsing {
    char ids[3][ASSET_ID_MAX + 1];
    struct str groups[3];
    struct buf name, group_list;
    struct asset_filter filter;
    struct browse browse;
};

static void browsing_fini(struct browsing *browsing)
{
    buf_fini(&browsing->name);
    buf_fini(&browsing->group_list);
}

/* With the wildcards that are in it. SQLite's LIKE takes U+FFFF for U+FFFD. */
static struct str pattern_of(int at)
{
    struct str text = text_of(at, 1);

    return at / 5 % 2 == 0 || str_is(text, "\xef\xbf\xbf") ? STR("") : text;
}

/* No group, one, three; of some of them there are no assets. */
static void browsing_init(struct browsing *browsing, int at)
{
    static const int64_t pages[][2] = {{0, 1000}, {0, 2}, {3, 5}, {1000, 1}, {0, 0}};
    struct asset_filter *filter = &browsing->filter;

    *filter = (struct asset_filter){.groups = browsing->groups,
                                    .group_count = (size_t[]){0, 1, 0, 3}[at / 7 % 4],
                                    .has_status = at % 5 < 3,
                                    .sort = (enum asset_sort)(at / 3 % ASSET_SORT_COUNT),
                                    .ascending = at / 11 % 2 == 1,
                                    .page_size = pages[at / 13 % 5][1]};
    if (at % 3 == 0)
        filter->project = text_of(at % PROJECTS, 3);
    for (int status = 0; status < ASSET_STATUS_COUNT; status++)
        filter->status[status] = (at >> status) % 2 == 1;
    put_folded(pattern_of(at), &browsing->name);
    buf_init(&browsing->group_list, ASSET_FOLDED_MAX);
    for (size_t i = 0; i < filter->group_count; i++) {
        put_id("group", at % GROUPS + 3 * (int)i, browsing->ids[i]);
        browsing->groups[i] = str_from(browsing->ids[i]);
        buf_printf(&browsing->group_list, "%s%s,", i == 0 ? "," : "", browsing->ids[i]);
    }
    browsing->browse = (struct browse){.filter = filter,
                                       .groups = buf_str(&browsing->group_list),
                                       .offset = pages[at / 13 % 5][0]};
    if (browsing->name.len > 0) {
        buf_puts(&browsing->name, "%");
        browsing->browse.name = buf_str(&browsing->name);
    }
}

static struct asset_reader reader_to(struct buf *told)
{
    return (struct asset_reader){NULL, tell_asset, tell_asset_group, told};
}

static enum err_code step_browse_repo_count_groups(struct db_conn *conn, struct call *call,
                                                   struct err *err)
{
    CLEANUP(browsing_fini) struct browsing browsing = {0};
    struct scope scope = reader_of(call->at);
    int64_t total;

    CASES(BROWSES);
    browsing_init(&browsing, call->at);
    TRY(browse_repo_count_groups(conn, &scope, &browsing.browse, &total, err));
    tell_number(call->told, "total", total);
    return ERR_OK;
}

static enum err_code step_browse_repo_groups(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    CLEANUP(browsing_fini) struct browsing browsing = {0};
    const struct asset_reader reader = reader_to(call->told);
    struct scope scope = reader_of(call->at);

    CASES(BROWSES);
    browsing_init(&browsing, call->at);
    return browse_repo_groups(conn, &scope, &browsing.browse, &reader, err);
}

static enum err_code step_browse_repo_count_assets(struct db_conn *conn, struct call *call,
                                                   struct err *err)
{
    CLEANUP(browsing_fini) struct browsing browsing = {0};
    struct scope scope = reader_of(call->at);
    int64_t total;

    CASES(BROWSES);
    browsing_init(&browsing, call->at);
    TRY(browse_repo_count_assets(conn, &scope, &browsing.browse, &total, err));
    tell_number(call->told, "total", total);
    return ERR_OK;
}

static enum err_code step_browse_repo_assets(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    CLEANUP(browsing_fini) struct browsing browsing = {0};
    const struct asset_reader reader = reader_to(call->told);
    struct scope scope = reader_of(call->at);

    CASES(BROWSES);
    browsing_init(&browsing, call->at);
    return browse_repo_assets(conn, &scope, &browsing.browse, &reader, err);
}

/* ---- requests -------------------------------------------------------------------------- */

/* Each name twice: the second time another row gives way. Never two of one time. */
static enum err_code step_request_repo_put(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    struct scope scope = maker_of(call->at % TEXTS);
    char id[ASSET_ID_MAX + 1];

    CASES(2 * TEXTS);
    put_id("asset", call->at, id);
    return request_repo_put(conn, &scope, str_from(texts[call->at % TEXTS]), str_from(id),
                            hash_of(call->at), call->at * INT64_C(7919) - 300000, err);
}

static enum err_code step_request_repo_find(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    static const int64_t not_before[] = {INT64_MIN, 0, 300000};
    struct scope scope = maker_of(call->at % TEXTS + call->at / (3 * TEXTS));
    uint8_t hash[CRYPTO_HASH_BYTES];
    char id[ASSET_ID_MAX + 1];
    bool found;

    CASES(4 * TEXTS);
    TRY(request_repo_find(conn, &scope, str_from(texts[call->at % TEXTS]),
                          not_before[call->at / TEXTS % 3], &found, id, hash, err));
    tell_number(call->told, "found", found);
    if (found) {
        tell_value(call->told, "id", str_from(id));
        tell_value(call->told, "hash", (struct str){(const char *)hash, sizeof(hash)});
    }
    return ERR_OK;
}

static enum err_code step_request_repo_sweep(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    static const int64_t steps[][2] = {{INT64_MIN, 9}, {300000, 0}, {300000, 5},
                                       {300000, 1000}, {300000, 9}, {INT64_MAX, 2}};
    int64_t count;

    CASES(COUNT_OF(steps));
    TRY(request_repo_sweep(conn, steps[call->at][0], steps[call->at][1], &count, err));
    tell_number(call->told, "count", count);
    return ERR_OK;
}

/* ---- files to be fetched --------------------------------------------------------------- */

/* Never the same for two. */
static int64_t due_of(int at)
{
    return at * 37 % 101 - 40;
}

/* How many are due before it: that call took it first. */
static int turn_of(int at)
{
    int turn = 0;

    for (int other = 0; other < TEXTS; other++)
        turn += due_of(other) < due_of(at);
    return turn;
}

/* The last one is there. */
static enum err_code step_ingest_repo_insert(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    struct asset asset = asset_of(call->at == TEXTS ? 0 : call->at);
    struct scope scope = maker_of(call->at);

    CASES(TEXTS + 1);
    return ingest_repo_insert(conn, &scope, str_from(asset.id),
                              call->at == 9 ? bytes_of(0) : text_of(call->at, 1),
                              due_of(call->at), err);
}

/* Until some are left that are not due yet, then those that were taken first. */
static enum err_code step_ingest_repo_take(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    struct ingest_row row;
    bool found;

    CASES(2 * TEXTS);
    const struct ingest_claim claim = {.holder = text_of(call->at, 0),
                                       .now_us = call->at < TEXTS + 9 ? 40 : 1005,
                                       .until_us = 1000 + call->at,
                                       .skip = {{call->at % 5, call->at % 3}}};

    TRY(ingest_repo_take(conn, &claim, &found, &row, err));
    tell_number(call->told, "found", found);
    if (found) {
        TELL(call->told, &row, tenant_id);
        TELL_TEXT(call->told, &row, asset_id);
        TELL_TEXT(call->told, &row, url);
        TELL(call->told, &row, tries);
        TELL(call->told, &row, downloads);
        TELL(call->told, &row, looks);
        TELL(call->told, &row, created_us);
    }
    return ERR_OK;
}

static enum err_code step_ingest_repo_next(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    const struct ingest_skip skip = {{call->at % 4, call->at / 4}};
    int64_t due_us;

    CASES(16);
    TRY(ingest_repo_next(conn, &skip, &due_us, err));
    tell_number(call->told, "due_us", due_us);
    return ERR_OK;
}

/* By who took it first, if at all, and may not have it any more; by nobody. */
static enum err_code step_ingest_repo_later(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    struct asset asset = asset_of(call->at % TEXTS);
    struct scope scope = maker_of(call->at);
    struct ingest_row row = {.tries = 1 - call->at / TEXTS,
                             .downloads = number_of(call->at, 1),
                             .looks = number_of(call->at, 2)};

    CASES(2 * TEXTS);
    memcpy(row.asset_id, asset.id, sizeof(row.asset_id));
    return ingest_repo_later(conn, &scope, &row, text_of(turn_of(call->at % TEXTS), 0),
                             number_of(call->at, 0), err);
}

static enum err_code step_ingest_repo_release(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    static const int64_t now[] = {INT64_MAX, 2000, 1010, INT64_MIN};

    CASES(COUNT_OF(now));
    return ingest_repo_release(conn, now[call->at], err);
}

/* Likewise, and by another tenant. */
static enum err_code step_ingest_repo_delete(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    struct asset asset = asset_of(call->at % TEXTS);
    struct scope scope = maker_of(call->at);

    CASES(3 * TEXTS);
    return ingest_repo_delete(conn, &scope, str_from(asset.id),
                              text_of(turn_of(call->at % TEXTS), 0), call->at < TEXTS ? 2 : 1,
                              err);
}

static enum err_code step_ingest_repo_drop(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    struct asset asset = asset_of(call->at / 2);
    struct scope scope = maker_of(call->at / 2 + call->at % 2);

    CASES(6);
    return ingest_repo_drop(conn, &scope, str_from(asset.id), err);
}

/* ---- operators -------------------------------------------------------------------------- */

/* By another tenant, by its own, and by its own once more. */
static enum err_code step_asset_repo_purge(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    int at = call->at / 3;
    struct asset asset = asset_of(at * 2);
    struct scope scope = maker_of(call->at % 3 == 0 ? at * 2 + 1 : at * 2);

    CASES(3 * TEXTS / 2);
    return asset_repo_purge(conn, &scope, str_from(asset.id), number_of(at, 2), err);
}

static enum err_code tell_record(const struct asset_record *record, void *ctx, struct err *err)
{
    TELL(ctx, record, tenant_id);
    TELL(ctx, record, purged_us);
    return tell_asset(&record->asset, ctx, err);
}

static enum err_code step_asset_view_find(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    struct asset asset = asset_of(call->at);
    struct asset_record record;

    CASES(TEXTS + 1);
    TRY(asset_view_find(conn, str_from(asset.id), &record, err));
    return tell_record(&record, call->told, err);
}

/* ---- of Ark's own library -------------------------------------------------------------- */

/* Tenant 0: every tenant's. */
static struct scope library_of(int at)
{
    return (struct scope){.tenant_id = at % (OWNERS + 1)};
}

static struct asset registered_of(int at)
{
    struct asset asset = {.type = (enum asset_type)(at % ASSET_TYPE_COUNT),
                          .account_id = number_of(at, 0),
                          .duration_ms = number_of(at, 1),
                          .created_us = number_of(at, 2)};

    put_id("ark", at, asset.id);
    (void)str_copy(asset.name, sizeof(asset.name), text_of(at, 1));
    return asset;
}

/* Each twice: those between which it was purged have another owner then. */
static enum err_code step_registered_repo_put(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    struct asset asset = registered_of(call->at % TEXTS);
    struct scope scope = library_of(call->at % TEXTS + call->at / TEXTS);

    CASES(2 * TEXTS);
    if (call->at >= TEXTS && call->at % 2 == 0) {
        struct scope before = library_of(call->at % TEXTS);

        TRY(registered_repo_purge(conn, &before, str_from(asset.id), 5, err));
    }
    return registered_repo_put(conn, &scope, &asset, err);
}

/* In some project, by its owner and by the others. */
static enum err_code step_registered_repo_get(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    static const char *const projects[] = {"", "default", "other"};
    struct asset asset = registered_of(call->at % (TEXTS + 1)), found;
    struct scope scope = {.tenant_id = 1 + call->at % OWNERS};

    CASES(3 * (TEXTS + 1));
    TRY(registered_repo_get(conn, &scope, str_from(asset.id), str_from(projects[call->at % 3]),
                            &found, err));
    return tell_asset(&found, call->told, err);
}

/* By whose it was first, and by whose it is. */
static enum err_code step_registered_repo_purge(struct db_conn *conn, struct call *call,
                                                struct err *err)
{
    int at = call->at % TEXTS;
    struct asset asset = registered_of(at);
    struct scope scope = library_of(at + call->at / TEXTS);

    CASES(2 * TEXTS);
    return registered_repo_purge(conn, &scope, str_from(asset.id), number_of(at, 0), err);
}

static enum err_code step_registered_repo_find(struct db_conn *conn, struct call *call,
                                               struct err *err)
{
    struct asset asset = registered_of(call->at);
    struct asset_record record;

    CASES(TEXTS + 1);
    TRY(registered_repo_find(conn, str_from(asset.id), &record, err));
    return tell_record(&record, call->told, err);
}

static enum err_code step_registered_list(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    static const char *const statuses[] = {"", "Processing", "Active", "Failed", "Purged"};
    struct asset before = registered_of(call->at % TEXTS);
    struct asset_record_filter filter = {.tenant_id = call->at % (OWNERS + 1),
                                         .status = str_from(statuses[call->at % 5]),
                                         .limit = 1 + call->at % 7};

    CASES(60);
    if (call->at % 3 == 0)
        filter.before = str_from(before.id);
    return registered_list(conn, &filter, tell_record, call->told, err);
}

/* ---- operators, on --------------------------------------------------------------------- */

static enum err_code step_asset_view_group(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    struct asset_group group = group_of(call->at);
    int64_t tenant_id;

    CASES(TEXTS + 1);
    TRY(asset_view_group(conn, str_from(group.id), &tenant_id, err));
    tell_number(call->told, "tenant_id", tenant_id);
    return ERR_OK;
}

/* Every combination of a tenant, one of its groups, a status, and where it goes on. */
static enum err_code step_asset_view_list(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    static const char *const statuses[] = {"", "Processing", "Active", "Failed", "Purged"};
    struct asset_group group = group_of(call->at % GROUPS);
    struct asset before = asset_of(call->at % TEXTS);
    struct asset_record_filter filter = {
        .tenant_id = call->at % 4 == 0 ? 0 : 1 + call->at % GROUPS % OWNERS,
        .status = str_from(statuses[call->at % 5]),
        .limit = 1 + call->at % 40};

    CASES(200);
    if (call->at % 3 == 0 && filter.tenant_id != 0)
        filter.group = str_from(group.id);
    if (call->at % 7 == 0) {
        filter.before = str_from(before.id);
        filter.before_us = before.created_us;
    }
    return asset_view_list(conn, &filter, tell_record, call->told, err);
}

static enum err_code step_asset_view_active(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    struct asset asset = asset_of(call->at);

    CASES(TEXTS);
    return asset_view_active(conn, call->at == 0 ? STR("") : str_from(asset.id), 1 + call->at,
                             tell_record, call->told, err);
}

static enum err_code step_asset_view_of_bytes(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    struct scope scope = maker_of(call->at);

    CASES(3 * TEXTS);
    return asset_view_of_bytes(conn, &scope, hash_of(call->at / 2), 1 + call->at % 5,
                               tell_record, call->told, err);
}

static enum err_code tell_use(struct str task, int64_t time_us, void *ctx, struct err *err)
{
    (void)err;
    tell_number(ctx, "time_us", time_us);
    buf_put_str(ctx, task);
    buf_puts(ctx, "\n");
    return ERR_OK;
}

static enum err_code step_asset_view_uses(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    struct asset asset = asset_of(call->at / 2);
    struct scope scope = maker_of(call->at / 2 + call->at % 2);

    CASES(2 * TEXTS);
    return asset_view_uses(conn, &scope, str_from(asset.id), 1 + call->at % 3, tell_use,
                           call->told, err);
}

static enum err_code step_asset_view_health(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    static const int64_t before[] = {INT64_MIN, 40, 1005, INT64_MAX};
    struct asset_health health;

    CASES(COUNT_OF(before));
    TRY(asset_view_health(conn, before[call->at], &health, err));
    tell_number(call->told, "has_assets", health.has_assets);
    tell_number(call->told, "late", health.late);
    return ERR_OK;
}

#define REPOS_ASSETS                                                                           \
    ROW(group_repo_insert, "asset_group"), ROW(group_repo_count, "asset_group_count"),         \
        READ(group_repo_usage), READ(group_repo_get), READ(group_repo_read),                   \
        ROW(asset_repo_insert, "asset"), ROW(asset_repo_count, "asset_count"),                 \
        READ(asset_repo_usage), ROW(asset_repo_finish, "asset"), READ(asset_repo_get),         \
        READ(asset_repo_refers), ROW(asset_repo_note_use, "asset_use"), READ(asset_repo_read), \
        READ(browse_repo_count_groups), READ(browse_repo_groups),                              \
        READ(browse_repo_count_assets), READ(browse_repo_assets),                              \
        ROW(request_repo_put, "asset_request"), READ(request_repo_find),                       \
        ROW(request_repo_sweep, "asset_request"), ROW(ingest_repo_insert, "ingest"),           \
        ROW(ingest_repo_take, "ingest"), READ(ingest_repo_next),                               \
        ROW(ingest_repo_later, "ingest"), ROW(ingest_repo_release, "ingest"),                  \
        READ(asset_view_health), ROW(ingest_repo_drop, "ingest"),                              \
        ROW(ingest_repo_delete, "ingest"), ROW(asset_repo_purge, "asset"),                     \
        ROW(registered_repo_put, "registered_asset"), READ(registered_repo_get),               \
        READ(registered_list), ROW(registered_repo_purge, "registered_asset"),                 \
        READ(registered_repo_find), READ(asset_view_find), READ(asset_view_group),             \
        READ(asset_view_list), READ(asset_view_active), READ(asset_view_of_bytes),             \
        READ(asset_view_uses)

#endif
