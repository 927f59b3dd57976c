/* SPDX-License-Identifier: Apache-2.0 */
/* A library on a fresh database, two identities of a tenant, and another tenant. */
#ifndef ARKGATE_TESTS_ASSETLIB_FIXTURE_H
#define ARKGATE_TESTS_ASSETLIB_FIXTURE_H

#include "assetlib/parts.h"

#include "tests/unit/tenancy/fixture.h"

#define HOUR (INT64_C(3600) * 1000000)
#define URL "https://files.test/a?sign='1'&x=%20"

struct shelf {
    struct fixture fixture;
    struct asset_library library;
    struct scope one, two, rival;
};

static inline struct scope shelf_scope(int64_t tenant_id, const char *identity)
{
    struct scope scope = {.tenant_id = tenant_id,
                          .settings = {.asset_count = 1000, .asset_bytes = INT64_C(1) << 40}};

    (void)str_copy(scope.identity, sizeof(scope.identity), str_from(identity));
    return scope;
}

static inline void shelf_init(struct shelf *shelf)
{
    fixture_init(&shelf->fixture);
    shelf->one = shelf_scope(1, "tok-one");
    shelf->two = shelf_scope(1, "tok-two");
    shelf->rival = shelf_scope(2, "tok-one");
    shelf->library = (struct asset_library){
        .db = shelf->fixture.db, .bytes_max = {30, 50, 15}, .request_keep_us = 24 * HOUR};
}

static inline void shelf_fini(struct shelf *shelf)
{
    fixture_fini(&shelf->fixture);
}

/* The same identity, which sees nothing but its own. */
static inline struct scope own_only(struct scope scope)
{
    scope.own_only = true;
    return scope;
}

/* ---- rows ------------------------------------------------------------------------------ */

struct question {
    const char *sql; /* static */
    int64_t answer;
};

static inline enum err_code ask_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct question *question = ctx;

    (void)err;
    question->answer = ask(conn, question->sql);
    return ERR_OK;
}

static inline int64_t shelf_ask(struct shelf *shelf, const char *sql)
{
    struct question question = {.sql = sql};

    fixture_read(&shelf->fixture, ask_steps, &question);
    return question.answer;
}

#define COUNTED                                                                              \
    "SELECT tenant_id, group_id, identity, project, status, count(*) AS n,"                  \
    " CAST(sum(bytes) AS bigint) AS bytes FROM asset"                                        \
    " GROUP BY tenant_id, group_id, identity, project, status UNION ALL"                     \
    " SELECT tenant_id, '', identity, project, status, count(*), CAST(sum(bytes) AS bigint)" \
    " FROM asset GROUP BY tenant_id, identity, project, status"
#define KEPT                                                                           \
    "SELECT tenant_id, group_id, identity, project, status, n, bytes FROM asset_count" \
    " WHERE n <> 0 OR bytes <> 0"
#define COUNTED_GROUPS                                        \
    "SELECT tenant_id, identity, project, count(*) AS n FROM" \
    " asset_group GROUP BY tenant_id, identity, project"
#define KEPT_GROUPS "SELECT tenant_id, identity, project, n FROM asset_group_count"
/* In how many rows the two differ. */
#define DIFFERENCE(counted, kept)                                                           \
    "SELECT (SELECT count(*) FROM (SELECT * FROM (" counted ") AS a EXCEPT " kept ") AS b)" \
    " + (SELECT count(*) FROM (" kept " EXCEPT SELECT * FROM (" counted ") AS a) AS b)"

/* The kept counts are what counting the rows gives. */
static inline void check_counts(struct shelf *shelf, const char *what)
{
    CHECK_INT(what, shelf_ask(shelf, DIFFERENCE(COUNTED, KEPT)), 0);
    CHECK_INT(what, shelf_ask(shelf, DIFFERENCE(COUNTED_GROUPS, KEPT_GROUPS)), 0);
}

/* ---- steps, each with a look at the counts --------------------------------------------- */

static const struct asset_request no_request = {0};

static inline enum err_code make_group(struct shelf *shelf, const struct scope *scope,
                                       const struct asset_request *request,
                                       struct asset_created *ret_created)
{
    const struct asset_group_draft draft = {STR("Films"), STR("all of them"), STR("default")};
    struct err err = {0};
    enum err_code rc = group_create(&shelf->library, scope, &draft, request, ret_created, &err);

    check_counts(shelf, "after a group");
    return rc;
}

/* A group of that scope's own. */
static inline struct asset_created new_group(struct shelf *shelf, const struct scope *scope)
{
    struct asset_created created = {0};

    CHECK_INT("group", make_group(shelf, scope, &no_request, &created), ERR_OK);
    return created;
}

struct making {
    const struct scope *scope;
    const char *group_id, *project;
    enum asset_type type;
    const struct asset_request *request;
};

static inline enum err_code make_asset(struct shelf *shelf, const struct making *making,
                                       struct asset_created *ret_created, struct err *err)
{
    const struct asset_draft draft = {.group_id = str_from(making->group_id),
                                      .url = STR(URL),
                                      .name = STR("Cut 1"),
                                      .project = str_from(making->project),
                                      .type = making->type};
    enum err_code rc =
        asset_create(&shelf->library, making->scope, &draft,
                     making->request == NULL ? &no_request : making->request, ret_created, err);

    check_counts(shelf, "after an asset");
    return rc;
}

/* What came of a file, as the job that fetches it says. */
struct finishing {
    const struct scope *scope;
    const char *id;
    enum asset_status status;
    int64_t bytes, now_us;
};

static inline enum err_code finish_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct finishing *finishing = ctx;
    struct asset asset;

    TRY(asset_repo_get(conn, finishing->scope, str_from(finishing->id), STR(""), &asset, err));
    TRY(asset_repo_count(conn, finishing->scope, &asset, -1, -asset.bytes, err));
    asset.status = finishing->status;
    asset.bytes = finishing->bytes;
    asset.updated_us = finishing->now_us;
    TRY(asset_repo_finish(conn, finishing->scope, &asset, err));
    return asset_repo_count(conn, finishing->scope, &asset, 1, asset.bytes, err);
}

static inline void shelf_finish(struct shelf *shelf, struct finishing finishing)
{
    fixture_write(&shelf->fixture, finish_steps, &finishing);
}

#endif
