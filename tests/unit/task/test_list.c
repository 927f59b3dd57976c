/* SPDX-License-Identifier: Apache-2.0 */
/* Lists against a table in memory that says the same by brute force: every filter,
 * every scope, the edges of paging; and the kept counts after every move there is. */
#include "tests/unit/task/world.h"

enum { ROWS = 360, MODELS = 3 };

/* The last one: any. */
static const char *const models[MODELS + 1] = {
    "doubao-seedance-2-0", "doubao-seedance-2-0-fast", "doubao-seedance-2-0-mini", ""};

/* What is in the store, in the order of insertion. */
struct row {
    struct scope scope;
    struct task task;
};
struct table {
    struct world world;
    struct scope one, two, rival; /* two identities of a tenant, and another tenant */
    struct row rows[ROWS];
};

/* Every move that the state table allows lies on one of these. */
static const enum task_state paths[][6] = {
    {TASK_WAITING},
    {TASK_WAITING, TASK_CANCELLED},
    {TASK_WAITING, TASK_SUBMITTING, TASK_REFUSED},
    {TASK_SUBMITTING},
    {TASK_SUBMITTING, TASK_UNKNOWN},
    {TASK_SUBMITTING, TASK_UNKNOWN, TASK_FAILED},
    {TASK_SUBMITTING, TASK_UNKNOWN, TASK_QUEUED, TASK_CANCELLED},
    {TASK_SUBMITTING, TASK_REFUSED},
    {TASK_SUBMITTING, TASK_QUEUED},
    {TASK_SUBMITTING, TASK_QUEUED, TASK_SUCCEEDED},
    {TASK_SUBMITTING, TASK_QUEUED, TASK_FAILED},
    {TASK_SUBMITTING, TASK_QUEUED, TASK_EXPIRED},
    {TASK_SUBMITTING, TASK_QUEUED, TASK_RUNNING},
    {TASK_SUBMITTING, TASK_QUEUED, TASK_RUNNING, TASK_SUCCEEDED},
    {TASK_SUBMITTING, TASK_QUEUED, TASK_RUNNING, TASK_FAILED},
    {TASK_SUBMITTING, TASK_QUEUED, TASK_RUNNING, TASK_EXPIRED},
    {TASK_SUBMITTING, TASK_QUEUED, TASK_RUNNING, TASK_CANCELLED},
};

struct insert_ctx {
    const struct world *world;
    const struct scope *scope;
    struct task *task;
};

static enum err_code insert_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct insert_ctx *insert = ctx;

    return task_repo_insert(conn, insert->scope, insert->task, STR(""), &insert->task->id, err);
}

struct move_ctx {
    const struct scope *scope;
    struct task *task;
    enum task_state to;
};

static enum err_code move_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct move_ctx *move = ctx;

    return task_repo_move(conn, move->scope, move->task, move->to, 9, "", err);
}

static struct task new_task(const struct world *world, int number, const char *model,
                            const char *tier, enum task_state state)
{
    struct task task = {.account_id = world->upstreams[0].account.id,
                        .credential_id = world->upstreams[0].id,
                        .state = state,
                        .dialect = "ark",
                        .resolution = "720p",
                        .ratio = "16:9",
                        .duration = 5,
                        .expires_after = 172800,
                        .created_us = (int64_t)(number / 3) * SECOND}; /* three at a time */

    (void)snprintf(task.minted_id, sizeof(task.minted_id), "cgt-mint-%d", number);
    (void)str_copy(task.model, sizeof(task.model), str_from(model));
    (void)str_copy(task.model_asked, sizeof(task.model_asked), str_from(model));
    (void)str_copy(task.tier, sizeof(task.tier), str_from(tier));
    return task;
}

/* Counts that are kept and counts that are counted, less what both say. */
static int64_t counts_differ(struct world *world)
{
#define KEPT \
    "SELECT tenant_id, token_identity, model, tier, state, n FROM task_count WHERE n <> 0"
#define REAL                                                                   \
    "SELECT tenant_id, token_identity, model, tier, shown, count(*) FROM task" \
    " WHERE state <> 'refused' GROUP BY tenant_id, token_identity, model, tier, shown"
    return world_ask(world,
                     "SELECT (SELECT count(*) FROM (" KEPT " EXCEPT " REAL ") AS kept)"
                     " + (SELECT count(*) FROM (" REAL " EXCEPT " KEPT ") AS made)",
                     0);
}

static void test_counts_follow_every_move(void)
{
    struct world world;
    struct err err = {0};
    int moves = 0;

    world_init(&world, 0);
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct task task =
            new_task(&world, (int)i, "doubao-seedance-2-0", "default", paths[i][0]);
        struct insert_ctx insert = {&world, &world.scope, &task};

        CHECK_OK("insert", db_write(world.db, DB_ALL, insert_steps, &insert, &err), &err);
        CHECK_INT("inserted", counts_differ(&world), 0);
        /* WAITING is 0 and no move leads there: it ends a path. */
        for (size_t j = 1; paths[i][j] != TASK_WAITING; j++, moves++) {
            struct move_ctx move = {&world.scope, &task, paths[i][j]};

            CHECK_OK("move", db_write(world.db, DB_ALL, move_steps, &move, &err), &err);
            CHECK_INT(state_name(paths[i][j]), counts_differ(&world), 0);
        }
    }
    CHECK_TRUE("there were moves", moves > 30);
    CHECK_INT("none below zero", world_ask(&world, "SELECT min(n) >= 0 FROM task_count", 0), 1);
    CHECK_INT("in all", world_ask(&world, "SELECT CAST(sum(n) AS bigint) FROM task_count", 0),
              COUNT_OF(paths) - 2);

    /* A move that does not happen counts nothing. */
    struct task task = new_task(&world, 99, "doubao-seedance-2-0", "default", TASK_SUBMITTING);
    struct insert_ctx insert = {&world, &world.scope, &task};

    CHECK_OK("insert", db_write(world.db, DB_ALL, insert_steps, &insert, &err), &err);
    task.state = TASK_QUEUED;
    struct move_ctx late = {&world.scope, &task, TASK_RUNNING};
    CHECK_INT("late", db_write(world.db, DB_ALL, move_steps, &late, &err), ERR_CONFLICT);
    CHECK_INT("nothing moved", counts_differ(&world), 0);
    world_fini(&world);
}

/* A create, its refusal and an unknown one, as the use cases do it. */
static void test_counts_of_whole_creates(void)
{
    struct world world;
    struct err err = {0};

    world_init(&world, YUAN(100));
    (void)world_queued(&world, "cgt-1");
    (void)world_unknown(&world);
    world_script(&world, (struct step){.outcome = PROVIDER_REFUSED,
                                       .code = ERR_UPSTREAM_REFUSED,
                                       .msg = "no",
                                       .status = 400,
                                       .upstream_code = "InvalidParameter"});
    struct task_draft draft = draft_of("{}");
    struct submit_result result;

    CHECK_INT("refused", submit_task(&world.service, &world.scope, &draft, &result, &err),
              ERR_UPSTREAM_REFUSED);
    CHECK_INT("counts", counts_differ(&world), 0);
    CHECK_INT("queued", world_ask(&world, "SELECT CAST(sum(n) AS bigint) FROM task_count", 0),
              2);
    world_fini(&world);
}

struct fill_ctx {
    struct table *table;
};

static enum err_code fill_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct table *table = ((struct fill_ctx *)ctx)->table;
    static const char *const tiers[] = {"default", "default", "flex"};

    for (int i = 0; i < ROWS; i++) {
        struct row *row = &table->rows[i];
        const enum task_state *path = paths[(size_t)i % COUNT_OF(paths)];

        /* Strides without a common factor, so that every combination occurs. */
        row->scope = i % 5 == 4 ? table->rival : i % 5 % 2 == 1 ? table->two : table->one;
        row->task =
            new_task(&table->world, i, models[i / 7 % MODELS], tiers[i / 11 % 3], path[0]);
        TRY(task_repo_insert(conn, &row->scope, &row->task, STR(""), &row->task.id, err));
    }
    return ERR_OK;
}

/* To where its path ends; with Ark's id once it has one. */
static enum err_code lead_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct table *table = ((struct fill_ctx *)ctx)->table;
    char upstream[TASK_ID_MAX + 1];

    for (int i = 0; i < ROWS; i++) {
        struct row *row = &table->rows[i];
        const enum task_state *path = paths[(size_t)i % COUNT_OF(paths)];

        for (size_t j = 1; path[j] != TASK_WAITING; j++)
            TRY(task_repo_move(conn, &row->scope, &row->task, path[j], 9, "", err));
        if (row->task.state == TASK_WAITING || row->task.state == TASK_SUBMITTING)
            continue;
        (void)snprintf(upstream, sizeof(upstream), "cgt-up-%d", i);
        TRY(task_repo_set_upstream(conn, &row->scope, &row->task, str_from(upstream), err));
    }
    return ERR_OK;
}

static void table_init(struct table *table)
{
    struct fill_ctx fill = {table};
    struct err err = {0};

    world_init(&table->world, 0);
    table->one = table->world.scope;
    table->two = table->one;
    (void)str_copy(table->two.identity, sizeof(table->two.identity), STR("tok-two"));
    table->rival = world_tenant(&table->world, "rival", 0);
    CHECK_OK("fill", db_write(table->world.db, DB_ALL, fill_steps, &fill, &err), &err);
    CHECK_OK("lead", db_write(table->world.db, DB_ALL, lead_steps, &fill, &err), &err);
    CHECK_INT("counts", counts_differ(&table->world), 0);
}

struct got {
    int begins;
    int64_t total;
    size_t count;
    int64_t ids[LIST_PAGE_MAX];
};

static enum err_code got_begin(int64_t total, void *ctx, struct err *err)
{
    struct got *got = ctx;

    (void)err;
    got->begins++;
    got->total = total;
    return ERR_OK;
}

static enum err_code got_item(const struct task *task, void *ctx, struct err *err)
{
    struct got *got = ctx;

    if (got->count == LIST_PAGE_MAX)
        return err_detail(err, ERR_INTERNAL, "too many items");
    got->ids[got->count++] = task->id;
    return ERR_OK;
}

static void get_page(struct table *table, const char *what, const struct scope *scope,
                     const struct task_list_filter *filter, struct got *ret_got)
{
    struct task_list_reader reader = {got_begin, got_item, ret_got};
    struct err err = {0};

    *ret_got = (struct got){0};
    CHECK_OK(what, list_page(&table->world.service, scope, filter, &reader, &err), &err);
    CHECK_INT(what, ret_got->begins, 1);
}

static bool named(const struct task_list_filter *filter, const struct task *task)
{
    for (size_t i = 0; i < filter->id_count; i++) {
        if (str_is(filter->ids[i], task->minted_id) ||
            (task->upstream_id[0] != '\0' && str_is(filter->ids[i], task->upstream_id)))
            return true;
    }
    return false;
}

static bool matches(const struct row *row, const struct scope *scope,
                    const struct task_list_filter *filter)
{
    return row->scope.tenant_id == scope->tenant_id &&
           (!scope->own_only || strcmp(row->scope.identity, scope->identity) == 0) &&
           row->task.state != TASK_REFUSED &&
           (!filter->has_status || state_shown(row->task.state) == filter->status) &&
           (filter->model.len == 0 || str_is(filter->model, row->task.model)) &&
           (filter->tier.len == 0 || str_is(filter->tier, row->task.tier)) &&
           (!filter->has_ids || named(filter, &row->task));
}

/* Later rows are newer: created_us never falls, ids rise. */
static void check_page(struct table *table, const char *what, const struct scope *scope,
                       const struct task_list_filter *filter, struct got *ret_got)
{
    int64_t skip = (filter->page_num - 1) * filter->page_size, total = 0;
    size_t want = 0;

    get_page(table, what, scope, filter, ret_got);
    for (int i = ROWS - 1; i >= 0; i--) {
        if (!matches(&table->rows[i], scope, filter))
            continue;
        if (total++ < skip || want == (size_t)filter->page_size)
            continue;
        if (want >= ret_got->count || ret_got->ids[want] != table->rows[i].task.id)
            CHECK_FAILED(what, "item %zu is not row %d", want, i);
        want++;
    }
    CHECK_INT(what, ret_got->total, total);
    CHECK_INT(what, ret_got->count, want);
}

static void test_every_filter_in_every_scope(void)
{
    static struct table table;
    static const enum task_state states[] = {TASK_QUEUED, TASK_RUNNING, TASK_SUCCEEDED,
                                             TASK_FAILED, TASK_EXPIRED, TASK_CANCELLED};
    static const char *const tiers[] = {"", "default", "flex"};
    struct scope scopes[6];
    struct got got;
    int full = 0;

    table_init(&table);
    scopes[0] = scopes[3] = table.one;
    scopes[1] = scopes[4] = table.two;
    scopes[2] = scopes[5] = table.rival;
    for (size_t i = 3; i < 6; i++)
        scopes[i].own_only = true;
    for (size_t i = 0; i < COUNT_OF(scopes); i++) {
        for (size_t state = 0; state <= COUNT_OF(states); state++) {
            for (size_t model = 0; model <= MODELS; model++) {
                for (size_t tier = 0; tier < COUNT_OF(tiers); tier++) {
                    struct task_list_filter filter = {.page_num = 1 + (int64_t)(state % 2),
                                                      .page_size = 7,
                                                      .model = str_from(models[model]),
                                                      .tier = str_from(tiers[tier])};
                    char what[80];

                    filter.has_status = state < COUNT_OF(states);
                    filter.status = filter.has_status ? states[state] : TASK_WAITING;
                    (void)snprintf(what, sizeof(what), "scope %zu state %zu model %zu tier %zu",
                                   i, state, model, tier);
                    check_page(&table, what, &scopes[i], &filter, &got);
                    filter.page_num = 1;
                    check_page(&table, what, &scopes[i], &filter, &got);
                    full += got.count > 0;
                }
            }
        }
    }
    CHECK_TRUE("most combinations find something", full > 200);
    world_fini(&table.world);
}

static void test_paging_edges(void)
{
    static struct table table;
    struct got got;

    table_init(&table);
    struct task_list_filter filter = {.page_num = 1, .page_size = LIST_PAGE_MAX};
    check_page(&table, "all at once", &table.one, &filter, &got);
    int64_t total = got.total;
    CHECK_INT("all are there", got.count, total);

    for (int64_t size = 1; size <= total + 1; size += size < 4 ? 1 : 97) {
        int64_t pages = (total + size - 1) / size, seen = 0;

        filter.page_size = size;
        for (filter.page_num = 1; filter.page_num <= pages; filter.page_num++) {
            check_page(&table, "each page", &table.one, &filter, &got);
            seen += (int64_t)got.count;
        }
        CHECK_INT("every task once", seen, total);
        check_page(&table, "past the end", &table.one, &filter, &got);
        CHECK_INT("past the end", got.count, 0);
        CHECK_INT("the total stays", got.total, total);
    }
    filter = (struct task_list_filter){.page_num = LIST_PAGE_NUM_MAX, .page_size = 500};
    check_page(&table, "the last page there can be", &table.one, &filter, &got);

    static const int64_t bad[][2] = {{0, 20}, {-1, 20}, {LIST_PAGE_NUM_MAX + 1, 20},
                                     {1, 0},  {1, -1},  {1, LIST_PAGE_MAX + 1}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct task_list_reader reader = {got_begin, got_item, &got};
        struct err err = {0};

        filter = (struct task_list_filter){.page_num = bad[i][0], .page_size = bad[i][1]};
        CHECK_INT("out of range",
                  list_page(&table.world.service, &table.one, &filter, &reader, &err),
                  ERR_INTERNAL);
    }
    world_fini(&table.world);
}

static void test_nobody_and_nothing(void)
{
    struct world world;
    struct got got = {0};
    struct task_list_reader reader = {got_begin, got_item, &got};
    struct task_list_filter filter = {.page_num = 1, .page_size = 20};
    struct err err = {0};

    world_init(&world, 0);
    CHECK_OK("empty", list_page(&world.service, &world.scope, &filter, &reader, &err), &err);
    CHECK_INT("total", got.total, 0);
    CHECK_INT("items", got.count, 0);
    CHECK_INT("begins", got.begins, 1);
    world_fini(&world);
}

static void test_ids(void)
{
    static struct table table;
    static struct str ids[LIST_IDS_MAX];
    static char texts[LIST_IDS_MAX][24];
    char long_id[TASK_ID_MAX + 2];
    struct got got;

    table_init(&table);
    for (int i = 0; i < LIST_IDS_MAX; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), i % 2 ? "cgt-up-%d" : "cgt-mint-%d",
                       i * 7 % 400);
        ids[i] = str_from(texts[i]);
    }
    struct task_list_filter filter = {.page_num = 1, .page_size = 20, .has_ids = true};
    filter.ids = ids;
    filter.id_count = LIST_IDS_MAX;
    struct scope own = table.two;
    own.own_only = true;
    for (; filter.page_num < 12; filter.page_num++) {
        check_page(&table, "500 ids", &table.one, &filter, &got);
        check_page(&table, "of the other tenant", &table.rival, &filter, &got);
        check_page(&table, "of one identity", &own, &filter, &got);
    }
    filter.page_num = 1;
    filter.has_status = true;
    filter.status = TASK_SUCCEEDED;
    filter.model = str_from(models[1]);
    filter.tier = STR("default");
    check_page(&table, "with all other filters", &table.one, &filter, &got);
    CHECK_TRUE("some are found", got.count > 0);

    /* Row 9 has ended and is named by both ids; the rest is nobody's, or another's. */
    memset(long_id, 'x', sizeof(long_id));
    struct str odd[] = {STR("cgt-up-9"),   STR("cgt-nothing"),         STR("cgt-mint-10"),
                        STR("cgt-mint-9"), STR("cgt-mint-9"),          STR(""),
                        STR("\xff\xfe"),   {long_id, sizeof(long_id)}, STR("%")};
    filter = (struct task_list_filter){
        .page_num = 1, .page_size = 20, .has_ids = true, .ids = odd, .id_count = COUNT_OF(odd)};
    check_page(&table, "odd ids", &table.rival, &filter, &got);
    CHECK_INT("named three times, found once", got.count, 1);
    filter.id_count = 0;
    check_page(&table, "no ids find nothing", &table.one, &filter, &got);
    CHECK_INT("nothing", got.total, 0);
    world_fini(&table.world);
}

static enum err_code fail_item(const struct task *task, void *ctx, struct err *err)
{
    (void)task;
    (void)ctx;
    return err_set(err, ERR_TOO_LARGE, "no room");
}

static void test_a_reader_that_fails(void)
{
    static struct table table;
    struct str ids[] = {STR("cgt-mint-0")};
    struct got got = {0};
    struct task_list_reader reader = {got_begin, fail_item, &got};
    struct task_list_filter filter = {.page_num = 1, .page_size = 20};
    struct err err = {0};

    table_init(&table);
    CHECK_INT("a page", list_page(&table.world.service, &table.one, &filter, &reader, &err),
              ERR_TOO_LARGE);
    filter.has_ids = true;
    filter.ids = ids;
    filter.id_count = 1;
    CHECK_INT("ids", list_page(&table.world.service, &table.one, &filter, &reader, &err),
              ERR_TOO_LARGE);
    world_fini(&table.world);
}

CHECK_MAIN(CHECK_TEST(test_counts_follow_every_move), CHECK_TEST(test_counts_of_whole_creates),
           CHECK_TEST(test_every_filter_in_every_scope), CHECK_TEST(test_paging_edges),
           CHECK_TEST(test_nobody_and_nothing), CHECK_TEST(test_ids),
           CHECK_TEST(test_a_reader_that_fails))
