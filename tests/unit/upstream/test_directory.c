/* SPDX-License-Identifier: Apache-2.0 */
/* The upstreams in memory against a real database: who is chosen and how often, what
 * is sent, and that changes arrive. */
#include "gateway/upstream/ark_parts.h"

#include "tests/lib/catalogue_fixture.h"
#include "tests/lib/check.h"
#include "tests/lib/database.h"

#include <stdlib.h>
#include <unistd.h>

#define ACTOR "cli:test"
#define STANDARD "doubao-seedance-2-0"
#define FAST "doubao-seedance-2-0-fast"

static const struct crypto_keys keys = {.master = "master key of the unit tests..."};

struct world {
    char dir[32], path[DATABASE_PATH];
    struct db *db;
    struct directory *directory;
    struct catalogue *catalogue;
};

/* One operator's command. */
struct command {
    enum { ADD, SET, MOVE, ROTATE } step;
    const char *name, *account, *key, *value;
    enum upstream_state to;
    int64_t ids[2]; /* of the upstream and its account, after ADD */
};

static enum err_code command_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct command *command = ctx;
    struct str name = str_from(command->name);
    struct upstream upstream;

    switch (command->step) {
    case ADD:
        TRY(upstream_add(conn, ACTOR, 1, keys.master, name, str_from(command->account),
                         STR("https://ark.example/api/v3"), str_from(command->key), &upstream,
                         err));
        command->ids[0] = upstream.id;
        command->ids[1] = upstream.account.id;
        return ERR_OK;
    case SET:
        return upstream_set(conn, ACTOR, 1, name, str_from(command->key),
                            str_from(command->value), err);
    case MOVE:
        return upstream_move(conn, ACTOR, 1, name, command->to, 0, err);
    case ROTATE:
        return upstream_rotate(conn, ACTOR, 1, keys.master, name, str_from(command->key), err);
    }
    return err_detail(err, ERR_INTERNAL, "no such step");
}

static void run(struct world *world, struct command *command)
{
    struct err err = {0};

    CHECK_OK(command->name, db_write(world->db, DB_ALL, command_steps, command, &err), &err);
}

static struct command add(struct world *world, const char *name, const char *account,
                          const char *key)
{
    struct command command = {.step = ADD, .name = name, .account = account, .key = key};

    run(world, &command);
    return command;
}

static void set(struct world *world, const char *name, const char *key, const char *value)
{
    run(world, &(struct command){.step = SET, .name = name, .key = key, .value = value});
}

static void move(struct world *world, const char *name, enum upstream_state to)
{
    run(world, &(struct command){.step = MOVE, .name = name, .to = to});
}

static void world_init(struct world *world)
{
    struct err err = {0};

    *world = (struct world){0};
    CHECK_OK("crypto", crypto_init(&err), &err);
    world->db = database_new(world->dir, world->path);
    CHECK_OK("catalogue", catalogue_open(world->db, &world->catalogue, &err), &err);
}

static void open_directory(struct world *world)
{
    struct err err = {0};

    CHECK_OK("directory", directory_open(world->db, &keys, &world->directory, &err), &err);
}

static void world_fini(struct world *world)
{
    directory_close(&world->directory);
    catalogue_close(&world->catalogue);
    database_end(&world->db, world->dir, world->path);
}

/* Rereads; tells whether anything was new. */
static bool refresh(struct world *world)
{
    struct err err = {0};
    bool changed = false;

    CHECK_OK("refresh", directory_refresh(world->directory, &changed, &err), &err);
    return changed;
}

static enum err_code choose_for(struct world *world, const struct provider_wish *wish,
                                struct provider_route *ret_route)
{
    struct err err = {0};

    return directory_choose(world->directory, wish, ret_route, &err);
}

static enum err_code choose(struct world *world, const int64_t *tried, size_t tried_count,
                            struct provider_route *ret_route)
{
    struct model model = catalogue_fixture_model(world->catalogue, 0, STANDARD);

    return choose_for(
        world,
        &(struct provider_wish){.model = &model, .tried = tried, .tried_count = tried_count},
        ret_route);
}

/* The id under which a model would go. */
static void check_sent(struct world *world, const char *name, const char *want)
{
    struct model model = catalogue_fixture_model(world->catalogue, 0, name);
    struct provider_route route = {0};

    CHECK_INT(name, choose_for(world, &(struct provider_wish){.model = &model}, &route),
              ERR_OK);
    CHECK_TEXT(name, route.sent_model, want == NULL ? model.dated : want);
}

/* How often each of two credentials is chosen. */
static void count_choices(struct world *world, int choices, const int64_t ids[2],
                          int ret_counts[2])
{
    ret_counts[0] = ret_counts[1] = 0;
    for (int i = 0; i < choices; i++) {
        struct provider_route route = {0};

        CHECK_INT("choose", choose(world, NULL, 0, &route), ERR_OK);
        ret_counts[0] += route.credential_id == ids[0];
        ret_counts[1] += route.credential_id == ids[1];
    }
    CHECK_INT("nobody else", ret_counts[0] + ret_counts[1], choices);
}

static void test_nobody_to_choose(void)
{
    struct provider_route route = {.account_id = -7};
    struct world world;

    world_init(&world);
    open_directory(&world);
    CHECK_INT("none at all", choose(&world, NULL, 0, &route), ERR_UNAVAILABLE);
    CHECK_INT("untouched", route.account_id, -7);
    (void)add(&world, "a", "", "key-a");
    CHECK_INT("not read yet", choose(&world, NULL, 0, &route), ERR_UNAVAILABLE);
    CHECK_TRUE("news", refresh(&world));
    CHECK_INT("now", choose(&world, NULL, 0, &route), ERR_OK);
    world_fini(&world);
}

static void test_weights(void)
{
    int counts[2];
    struct world world;

    world_init(&world);
    int64_t ids[2] = {add(&world, "a", "", "key-a").ids[0],
                      add(&world, "b", "", "key-b").ids[0]};

    set(&world, "a", "weight", "900");
    set(&world, "b", "weight", "100");
    open_directory(&world);
    count_choices(&world, 2000, ids, counts);
    /* 200 are expected; twelve standard deviations to both sides */
    CHECK_TRUE("the light one sometimes", counts[1] > 40);
    CHECK_TRUE("the heavy one mostly", counts[1] < 360);

    set(&world, "b", "weight", "900");
    CHECK_TRUE("news", refresh(&world));
    count_choices(&world, 2000, ids, counts);
    CHECK_TRUE("alike", counts[0] > 730 && counts[1] > 730);
    world_fini(&world);
}

static void test_who_is_left_out(void)
{
    int counts[2];
    struct provider_route route;
    struct world world;

    world_init(&world);
    struct command a = add(&world, "a", "", "key-a"), b = add(&world, "b", "", "key-b");
    int64_t ids[2] = {a.ids[0], b.ids[0]}, both[2] = {a.ids[1], b.ids[1]};

    open_directory(&world);
    for (int i = 0; i < 50; i++) {
        CHECK_INT("a was tried", choose(&world, &both[0], 1, &route), ERR_OK);
        CHECK_INT("a was tried", route.credential_id, ids[1]);
        CHECK_INT("account", route.account_id, both[1]);
    }
    CHECK_INT("both were tried", choose(&world, both, 2, &route), ERR_UNAVAILABLE);

    move(&world, "a", UPSTREAM_DRAINING);
    CHECK_TRUE("news", refresh(&world));
    count_choices(&world, 100, ids, counts);
    CHECK_INT("draining takes nothing", counts[0], 0);
    CHECK_INT("and b was tried", choose(&world, &both[1], 1, &route), ERR_UNAVAILABLE);
    move(&world, "a", UPSTREAM_ACTIVE);
    CHECK_TRUE("news", refresh(&world));
    count_choices(&world, 200, ids, counts);
    CHECK_TRUE("back again", counts[0] > 0);
    move(&world, "b", UPSTREAM_DRAINING);
    move(&world, "b", UPSTREAM_REMOVED);
    CHECK_TRUE("news", refresh(&world));
    count_choices(&world, 100, ids, counts);
    CHECK_INT("removed takes nothing", counts[1], 0);
    world_fini(&world);
}

/* Ark counts per account: another credential of a tried account is no way out. */
static void test_credentials_of_one_account(void)
{
    struct upstream_account accounts[ARK_ACCOUNTS_MAX];
    struct provider_route route;
    struct world world;

    world_init(&world);
    struct command first = add(&world, "a1", "shared", "key-1");
    struct command second = add(&world, "a2", "shared", "key-2");

    CHECK_INT("one account", first.ids[1], second.ids[1]);
    open_directory(&world);
    CHECK_INT("accounts", directory_accounts(world.directory, accounts), 1);
    CHECK_INT("account", accounts[0].id, first.ids[1]);
    CHECK_TEXT("account", accounts[0].name, "shared");
    CHECK_INT("tried", choose(&world, &first.ids[1], 1, &route), ERR_UNAVAILABLE);
    world_fini(&world);
}

static void test_what_is_sent(void)
{
    static const char *const added[] = {"model-a", "model-b", "model-c", "model-d", "model-e",
                                        "model-f", "model-g", "model-h", "model-i"};
    struct model model;
    struct world world;
    char key[96], id[96];
    size_t count = 0;

    world_init(&world);
    (void)add(&world, "a", "", "key-a");
    open_directory(&world);
    while (catalogue_at(world.catalogue, 0, count++, &model))
        check_sent(&world, model.name, NULL);
    CHECK_TRUE("all that ship", count > 3);
    set(&world, "a", "model." FAST, "ep-20260101000000-abcde");
    CHECK_TRUE("news", refresh(&world));
    check_sent(&world, FAST, "ep-20260101000000-abcde");
    check_sent(&world, STANDARD, NULL);
    set(&world, "a", "model." FAST, "");
    CHECK_TRUE("news", refresh(&world));
    check_sent(&world, FAST, NULL);

    /* More models than ship, each with an id of its own; a new one is sent as its pattern. */
    for (size_t i = 0; i < COUNT_OF(added); i++) {
        (void)snprintf(key, sizeof(key), "model.%s", added[i]);
        (void)snprintf(id, sizeof(id), "ep-of-%s", added[i]);
        catalogue_fixture_set(world.db, world.catalogue, 0, added[i], "like", FAST);
        check_sent(&world, added[i], "doubao-seedance-2-0-fast-260128");
        set(&world, "a", key, id);
    }
    CHECK_TRUE("news", refresh(&world));
    for (size_t i = 0; i < COUNT_OF(added); i++) {
        (void)snprintf(id, sizeof(id), "ep-of-%s", added[i]);
        check_sent(&world, added[i], id);
    }
    check_sent(&world, FAST, NULL);
    world_fini(&world);
}

/* A video is made of a draft by the account that made the draft, or by none. */
static void test_one_account_wished(void)
{
    struct model model;
    struct provider_route route = {0};
    struct world world;

    world_init(&world);
    int64_t a = add(&world, "a", "", "key-a").ids[1];
    int64_t b = add(&world, "b", "", "key-b").ids[1];

    open_directory(&world);
    model = catalogue_fixture_model(world.catalogue, 0, STANDARD);
    for (int i = 0; i < 50; i++) {
        struct provider_wish wish = {.model = &model, .account_id = i % 2 == 0 ? a : b};

        CHECK_INT("wished", choose_for(&world, &wish, &route), ERR_OK);
        CHECK_INT("that one", route.account_id, wish.account_id);
    }
    struct provider_wish wish = {
        .model = &model, .account_id = a, .tried = &a, .tried_count = 1};

    CHECK_INT("it was tried", choose_for(&world, &wish, &route), ERR_UNAVAILABLE);
    wish.tried_count = 0;
    wish.account_id = a + b + 1000;
    CHECK_INT("no such", choose_for(&world, &wish, &route), ERR_UNAVAILABLE);
    wish.account_id = a;
    move(&world, "a", UPSTREAM_DRAINING);
    CHECK_TRUE("news", refresh(&world));
    CHECK_INT("it takes no more", choose_for(&world, &wish, &route), ERR_UNAVAILABLE);
    CHECK_INT("the other does", choose(&world, NULL, 0, &route), ERR_OK);
    CHECK_INT("the other does", route.account_id, b);
    world_fini(&world);
}

static void test_settings_arrive(void)
{
    struct upstream_account accounts[ARK_ACCOUNTS_MAX];
    CLEANUP(directory_target_fini) struct ark_target target = {0};
    struct provider_route route;
    struct err err = {0};
    struct world world;

    world_init(&world);
    struct command a = add(&world, "a", "", "key-a");

    open_directory(&world);
    CHECK_TRUE("nothing new", !refresh(&world));
    CHECK_INT("choose", choose(&world, NULL, 0, &route), ERR_OK);
    bool inject = route.inject;

    set(&world, "a", "inject", inject ? "off" : "on");
    set(&world, "a", "list_qps", "7");
    set(&world, "a", "batch", "33");
    set(&world, "a", "base_url", "https://other.example/api/v3");
    run(&world, &(struct command){.step = ROTATE, .name = "a", .key = "key-new"});
    CHECK_OK("old target", directory_target(world.directory, a.ids[0], &target, &err), &err);
    CHECK_TEXT("old target", target.authorization, "Authorization: Bearer key-a");
    CHECK_TRUE("news", refresh(&world));
    CHECK_TRUE("read", !refresh(&world));
    CHECK_INT("choose", choose(&world, NULL, 0, &route), ERR_OK);
    CHECK_INT("inject", route.inject, !inject);
    CHECK_INT("accounts", directory_accounts(world.directory, accounts), 1);
    CHECK_INT("list_qps", accounts[0].list_qps, 7);
    CHECK_INT("batch", accounts[0].batch, 33);
    CHECK_OK("target", directory_target(world.directory, a.ids[0], &target, &err), &err);
    CHECK_TEXT("address", target.base_url, "https://other.example/api/v3");
    CHECK_TEXT("key", target.authorization, "Authorization: Bearer key-new");
    world_fini(&world);
}

/* Draining ones are still asked about their tasks, removed ones are not. */
static void test_targets(void)
{
    CLEANUP(directory_target_fini) struct ark_target target = {0};
    struct err err = {0};
    struct world world;

    world_init(&world);
    struct command first = add(&world, "a1", "shared", "key-1");
    struct command second = add(&world, "a2", "shared", "key-2");

    move(&world, "a1", UPSTREAM_DRAINING);
    open_directory(&world);
    CHECK_OK("draining", directory_target(world.directory, first.ids[0], &target, &err), &err);
    CHECK_TEXT("draining", target.authorization, "Authorization: Bearer key-1");
    move(&world, "a1", UPSTREAM_REMOVED);
    CHECK_TRUE("news", refresh(&world));
    CHECK_INT("removed", directory_target(world.directory, first.ids[0], &target, &err),
              ERR_UNAVAILABLE);
    CHECK_OK("by account",
             directory_account_target(world.directory, first.ids[1], &target, &err), &err);
    CHECK_TEXT("by account", target.authorization, "Authorization: Bearer key-2");
    CHECK_INT("no such", directory_target(world.directory, second.ids[0] + 1000, &target, &err),
              ERR_UNAVAILABLE);
    CHECK_INT("no such account",
              directory_account_target(world.directory, second.ids[1] + 1000, &target, &err),
              ERR_UNAVAILABLE);
    directory_target_fini(&target);
    CHECK_INT("wiped", target.authorization[0], 0);
    world_fini(&world);
}

/* Keys that another master key sealed are no reason to lose what is known. */
static void test_a_failed_refresh_keeps_the_old(void)
{
    struct crypto_keys other = {.master = "another master key, wrong....."};
    struct model model = {.name = STANDARD};
    struct provider_wish wish = {.model = &model};
    struct directory *directory = NULL;
    struct provider_route route;
    struct world world;
    struct err err = {0};
    bool changed = false;

    world_init(&world);
    open_directory(&world);
    CHECK_OK("empty", directory_open(world.db, &other, &directory, &err), &err);
    (void)add(&world, "a", "", "key-a");
    CHECK_TRUE("wrong key", directory_refresh(directory, &changed, &err) != ERR_OK);
    CHECK_TRUE("told again", directory_refresh(directory, &changed, &err) != ERR_OK);
    CHECK_INT("as before", directory_choose(directory, &wish, &route, &err), ERR_UNAVAILABLE);
    directory_close(&directory);
    CHECK_TRUE("closed", directory == NULL);
    CHECK_TRUE("wrong key at once",
               directory_open(world.db, &other, &directory, &err) != ERR_OK);
    CHECK_TRUE("nothing opened", directory == NULL);
    world_fini(&world);
}

CHECK_MAIN(CHECK_TEST(test_nobody_to_choose), CHECK_TEST(test_weights),
           CHECK_TEST(test_who_is_left_out), CHECK_TEST(test_credentials_of_one_account),
           CHECK_TEST(test_what_is_sent), CHECK_TEST(test_one_account_wished),
           CHECK_TEST(test_settings_arrive), CHECK_TEST(test_targets),
           CHECK_TEST(test_a_failed_refresh_keeps_the_old))
