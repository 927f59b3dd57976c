/* SPDX-License-Identifier: Apache-2.0 */
/* A request that comes again makes no second asset or group: by the caller's key, by a
 * signature, by the number of a call. Another body under a key is refused. */
#include "tests/unit/assetlib/fixture.h"

enum { NEW = -1, REUSED = -2, OLD_NAMES = 2500 };
enum owner { ONE, TWO, RIVAL, OWNERS };

static const struct {
    const char *what;
    enum owner owner;
    const char *key, *signature, *call;
    uint8_t body;
    int same_as; /* a row before, NEW, or REUSED */
} rows[] = {
    /* 0: the caller's key */
    {"a key", ONE, "k", "", "", 1, NEW},
    {"again", ONE, "k", "", "", 1, 0},
    {"another body", ONE, "k", "", "", 2, REUSED},
    {"again, as before", ONE, "k", "", "", 1, 0},
    {"another key", ONE, "K", "", "", 1, NEW},
    {"the key is the tenant's", TWO, "k", "", "", 1, 0},
    {"and no other tenant's", RIVAL, "k", "", "", 2, NEW},
    /* 7: a signature */
    {"a signature", ONE, "", "s", "", 1, NEW},
    {"again", ONE, "", "s", "", 1, 7},
    {"another signature", ONE, "", "t", "", 1, NEW},
    {"a key of the same text", ONE, "s", "", "", 1, NEW},
    /* 11: a call's number */
    {"a call", ONE, "", "", "c", 1, NEW},
    {"again", ONE, "", "", "c", 1, 11},
    {"another body", ONE, "", "", "c", 2, NEW},
    {"again", ONE, "", "", "c", 2, 13},
    {"the first again", ONE, "", "", "c", 1, 11},
    /* 16: no name */
    {"nothing", ONE, "", "", "", 1, NEW},
    {"nothing again", ONE, "", "", "", 1, NEW},
    /* 18: several */
    {"all names", ONE, "k2", "s2", "c2", 3, NEW},
    {"its key", ONE, "k2", "", "", 3, 18},
    {"its signature", ONE, "", "s2", "", 3, 18},
    {"its call", ONE, "", "", "c2", 3, 18},
    {"signed anew", ONE, "k2", "s3", "c2", 3, 18},
    {"another key", ONE, "k3", "s2", "", 3, 18},
    {"which was not remembered", ONE, "k3", "", "", 3, NEW},
    {"another body, another call", ONE, "k2", "s4", "c4", 4, REUSED},
    {"nothing of it was remembered", ONE, "", "s4", "", 4, NEW},
    /* 27: odd texts */
    {"a quote and a colon", ONE, "'k:\"\\", "", "", 1, NEW},
    {"again", ONE, "'k:\"\\", "", "", 1, 27},
    {"cut at the colon", ONE, "'k", "", "", 1, NEW},
    {"an emoji", ONE, "", "", "\xf0\x9f\x8e\xac", 1, NEW},
    {"again", ONE, "", "", "\xf0\x9f\x8e\xac", 1, 30},
};

struct repeats {
    struct shelf shelf;
    struct scope *scopes[OWNERS];
    struct asset_created groups[OWNERS];
};

static void repeats_init(struct repeats *repeats)
{
    struct shelf *shelf = &repeats->shelf;

    shelf_init(shelf);
    repeats->scopes[ONE] = &shelf->one;
    repeats->scopes[TWO] = &shelf->two;
    repeats->scopes[RIVAL] = &shelf->rival;
    for (int owner = 0; owner < OWNERS; owner++)
        repeats->groups[owner] = new_group(shelf, repeats->scopes[owner]);
}

static struct asset_request request_of(const char *key, uint8_t body)
{
    struct asset_request request = {.key = str_from(key)};

    memset(request.body_hash, body, sizeof(request.body_hash));
    return request;
}

static enum err_code make_again(struct repeats *repeats, enum owner owner,
                                const struct asset_request *request,
                                struct asset_created *ret_created)
{
    struct making making = {repeats->scopes[owner], repeats->groups[owner].id, "", ASSET_AUDIO,
                            request};
    struct err err = {0};

    return make_asset(&repeats->shelf, &making, ret_created, &err);
}

static void test_assets(void)
{
    struct repeats repeats = {0};
    struct asset_created created[COUNT_OF(rows)] = {0};
    int made = 0;

    repeats_init(&repeats);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct asset_request request = request_of(rows[i].key, rows[i].body);
        int same_as = rows[i].same_as;

        request.signature = str_from(rows[i].signature);
        request.call = str_from(rows[i].call);
        CHECK_INT(rows[i].what, make_again(&repeats, rows[i].owner, &request, &created[i]),
                  same_as == REUSED ? ERR_KEY_REUSED : ERR_OK);
        made += same_as == NEW;
        if (same_as != REUSED)
            CHECK_INT(rows[i].what, created[i].replayed, same_as != NEW);
        if (same_as >= 0)
            CHECK_TEXT(rows[i].what, created[i].id, created[same_as].id);
        for (size_t j = 0; same_as == NEW && j < i; j++)
            CHECK_TRUE(rows[i].what,
                       rows[j].same_as == REUSED || strcmp(created[i].id, created[j].id) != 0);
    }
    CHECK_INT("assets", shelf_ask(&repeats.shelf, "SELECT count(*) FROM asset"), made);
    CHECK_INT("files", shelf_ask(&repeats.shelf, "SELECT count(*) FROM ingest"), made);
    shelf_fini(&repeats.shelf);
}

static void test_groups(void)
{
    struct shelf shelf = {0};
    struct asset_request request = request_of("k", 1), other = request_of("k", 2);
    struct asset_created first = {0}, again = {0};

    shelf_init(&shelf);
    CHECK_INT("made", make_group(&shelf, &shelf.one, &request, &first), ERR_OK);
    CHECK_TRUE("made", !first.replayed);
    CHECK_INT("again", make_group(&shelf, &shelf.one, &request, &again), ERR_OK);
    CHECK_TRUE("again", again.replayed);
    CHECK_TEXT("again", again.id, first.id);
    CHECK_INT("another body", make_group(&shelf, &shelf.one, &other, &again), ERR_KEY_REUSED);
    CHECK_INT("another tenant", make_group(&shelf, &shelf.rival, &other, &again), ERR_OK);
    CHECK_TRUE("another tenant", !again.replayed);
    CHECK_INT("groups", shelf_ask(&shelf, "SELECT count(*) FROM asset_group"), 2);
    shelf_fini(&shelf);
}

/* What made nothing is not remembered; what made something is, whatever the limits are now. */
static void test_refused(void)
{
    struct repeats repeats = {0};
    struct tenant_settings *settings = &repeats.shelf.one.settings;
    struct asset_request request = request_of("k", 1), other = request_of("k", 2);
    struct asset_created first = {0}, again = {0};

    repeats_init(&repeats);
    settings->asset_count = 0;
    CHECK_INT("no room", make_again(&repeats, ONE, &request, &first), ERR_QUOTA);
    settings->asset_count = 1;
    CHECK_INT("room", make_again(&repeats, ONE, &other, &first), ERR_OK);
    CHECK_TRUE("room", !first.replayed);
    settings->asset_count = 0;
    CHECK_INT("again", make_again(&repeats, ONE, &other, &again), ERR_OK);
    CHECK_TRUE("again", again.replayed);
    CHECK_TEXT("again", again.id, first.id);
    shelf_fini(&repeats.shelf);
}

/* A name is free when it is too old, and is then another request's. */
static void test_age(void)
{
    struct repeats repeats = {0};
    int64_t *keep_us = &repeats.shelf.library.request_keep_us;
    struct asset_request request = request_of("k", 1), other = request_of("k", 2);
    struct asset_created first = {0}, second = {0}, again = {0};

    repeats_init(&repeats);
    CHECK_INT("first", make_again(&repeats, ONE, &request, &first), ERR_OK);
    *keep_us = 0;
    CHECK_INT("second", make_again(&repeats, ONE, &other, &second), ERR_OK);
    CHECK_TRUE("second", !second.replayed);
    *keep_us = 24 * HOUR;
    CHECK_INT("again", make_again(&repeats, ONE, &other, &again), ERR_OK);
    CHECK_TRUE("again", again.replayed);
    CHECK_TEXT("again", again.id, second.id);
    CHECK_INT("the first", make_again(&repeats, ONE, &request, &again), ERR_KEY_REUSED);
    shelf_fini(&repeats.shelf);
}

/* ---- old names ------------------------------------------------------------------------- */

static enum err_code put_old_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct shelf *shelf = ctx;

    for (int i = 0; i < OLD_NAMES; i++) {
        struct asset_request request = {0};
        char key[16];

        (void)snprintf(key, sizeof(key), "old-%d", i);
        request.key = str_from(key);
        TRY(request_put(conn, i % 2 == 0 ? &shelf->one : &shelf->rival, &request, "group-x",
                        i + 1, err));
    }
    return ERR_OK;
}

static void test_sweep(void)
{
    struct repeats repeats = {0};
    struct asset_request request = request_of("k", 1);
    struct asset_created first = {0}, again = {0};
    struct err err = {0};

    repeats_init(&repeats);
    fixture_write(&repeats.shelf.fixture, put_old_steps, &repeats.shelf);
    CHECK_INT("of today", make_again(&repeats, ONE, &request, &first), ERR_OK);
    CHECK_OK("sweep", request_sweep(&repeats.shelf.library, &err), &err);
    CHECK_INT("of today", shelf_ask(&repeats.shelf, "SELECT count(*) FROM asset_request"), 1);
    CHECK_INT("of today", make_again(&repeats, ONE, &request, &again), ERR_OK);
    CHECK_TRUE("of today", again.replayed);
    shelf_fini(&repeats.shelf);
}

CHECK_MAIN(CHECK_TEST(test_assets), CHECK_TEST(test_groups), CHECK_TEST(test_refused),
           CHECK_TEST(test_age), CHECK_TEST(test_sweep))
