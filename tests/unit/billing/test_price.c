/* SPDX-License-Identifier: Apache-2.0 */
/* Price books: the shipped rows, versions by time, the narrowest row, factors. */
#include "tests/unit/billing/fixture.h"

struct find_ctx {
    const char *book;
    int64_t version;
    struct price_key key;
    struct price_row row;
};

static enum err_code find_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct find_ctx *find = ctx;

    return price_find(conn, str_from(find->book), find->version, &find->key, &find->row, err);
}

static void test_shipped(void)
{
    static const struct {
        const char *model, *resolution;
        bool video;
        const char *sku;
        int64_t yuan;
    } cases[] = {
        {"doubao-seedance-2-0", "480p", false, "doubao-seedance-2-0-480p-novideo", 46},
        {"doubao-seedance-2-0", "1080p", true, "doubao-seedance-2-0-1080p-video", 31},
        {"doubao-seedance-2-0", "4k", false, "doubao-seedance-2-0-4k-novideo", 26},
        {"doubao-seedance-2-0-fast", "720p", true, "doubao-seedance-2-0-fast-video", 22},
        {"doubao-seedance-2-0-mini", "480p", false, "doubao-seedance-2-0-mini-novideo", 23},
        {"doubao-seedance-2-0", "2k", false, "", 0},
        {"doubao-seedance-2-0-pro", "720p", false, "", 0},
        {"", "720p", false, "", 0},
    };
    struct fixture fixture = {0};
    struct err err = {0};

    fixture_init(&fixture);
    CHECK_OK("seeded twice", fixture_write(&fixture, seed_steps, NULL, &err), &err);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct find_ctx find = {.book = "ark-cny",
                                .version = 1,
                                .key = {.model = str_from(cases[i].model),
                                        .resolution = str_from(cases[i].resolution),
                                        .video = cases[i].video,
                                        .audio = i % 2 == 0,
                                        .tier = STR("default")}};
        enum err_code rc = db_read(fixture.db, find_steps, &find, &err);

        CHECK_INT(cases[i].model, rc, cases[i].yuan == 0 ? ERR_UNAVAILABLE : ERR_OK);
        CHECK_TEXT(cases[i].model, find.row.sku, cases[i].sku);
        CHECK_INT(cases[i].model, find.row.unit_price_nano, YUAN(cases[i].yuan));
        if (rc != ERR_OK)
            continue;
        CHECK_TEXT(cases[i].model, find.row.currency, "CNY");
        CHECK_TEXT(cases[i].model, find.row.book, "ark-cny");
        CHECK_INT(cases[i].model, find.row.version, 1);
        CHECK_INT(cases[i].model, find.row.unit, PRICE_PER_MTOKEN);
    }
    fixture_fini(&fixture);
}

/* The models before 2.0 by sound and tier, 2.5 by resolution and video; in nano yuan. */
static void test_shipped_others(void)
{
    static const struct {
        const char *model, *resolution, *tier;
        bool video, audio;
        const char *sku;
        int64_t nano; /* 0: no such row */
    } cases[] = {
        {"doubao-seedance-1-5-pro", "480p", "default", false, true,
         "doubao-seedance-1-5-pro-audio", YUAN(16)},
        {"doubao-seedance-1-5-pro", "1080p", "default", false, false,
         "doubao-seedance-1-5-pro-silent", YUAN(8)},
        {"doubao-seedance-1-5-pro", "720p", "flex", false, true,
         "doubao-seedance-1-5-pro-audio-flex", YUAN(8)},
        {"doubao-seedance-1-5-pro", "720p", "flex", false, false,
         "doubao-seedance-1-5-pro-silent-flex", YUAN(4)},
        {"doubao-seedance-1-5-pro", "720p", "other", false, false, "", 0},
        {"doubao-seedance-1-0-pro", "1080p", "default", false, false, "doubao-seedance-1-0-pro",
         YUAN(15)},
        {"doubao-seedance-1-0-pro", "1080p", "default", false, true, "doubao-seedance-1-0-pro",
         YUAN(15)},
        {"doubao-seedance-1-0-pro", "480p", "flex", false, false,
         "doubao-seedance-1-0-pro-flex", 7500000000},
        {"doubao-seedance-1-0-pro-fast", "720p", "default", false, false,
         "doubao-seedance-1-0-pro-fast", 4200000000},
        {"doubao-seedance-1-0-pro-fast", "720p", "flex", false, false,
         "doubao-seedance-1-0-pro-fast-flex", 2100000000},
        {"doubao-seedance-1-0-lite-t2v", "720p", "default", false, false,
         "doubao-seedance-1-0-lite-t2v", YUAN(10)},
        {"doubao-seedance-1-0-lite-t2v", "720p", "flex", false, false,
         "doubao-seedance-1-0-lite-t2v-flex", YUAN(5)},
        {"doubao-seedance-1-0-lite-i2v", "1080p", "default", false, false,
         "doubao-seedance-1-0-lite-i2v", YUAN(10)},
        {"doubao-seedance-1-0-lite-i2v", "1080p", "flex", false, false,
         "doubao-seedance-1-0-lite-i2v-flex", YUAN(5)},
        {"doubao-seedance-2-5", "480p", "default", false, true, "doubao-seedance-2-5-novideo",
         YUAN(70)},
        {"doubao-seedance-2-5", "720p", "default", true, true, "doubao-seedance-2-5-video",
         YUAN(42)},
        {"doubao-seedance-2-5", "1080p", "default", false, false,
         "doubao-seedance-2-5-1080p-novideo", YUAN(77)},
        {"doubao-seedance-2-5", "1080p", "default", true, true,
         "doubao-seedance-2-5-1080p-video", YUAN(46)},
    };
    struct fixture fixture = {0};

    fixture_init(&fixture);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct find_ctx find = {.book = "ark-cny",
                                .version = 1,
                                .key = {.model = str_from(cases[i].model),
                                        .resolution = str_from(cases[i].resolution),
                                        .video = cases[i].video,
                                        .audio = cases[i].audio,
                                        .tier = str_from(cases[i].tier)}};
        struct err err = {0};

        CHECK_INT(cases[i].sku, db_read(fixture.db, find_steps, &find, &err),
                  cases[i].nano == 0 ? ERR_UNAVAILABLE : ERR_OK);
        CHECK_TEXT(cases[i].sku, find.row.sku, cases[i].sku);
        CHECK_INT(cases[i].sku, find.row.unit_price_nano, cases[i].nano);
        CHECK_INT(cases[i].sku, find.row.unit, PRICE_PER_MTOKEN);
    }
    fixture_fini(&fixture);
}

struct tool_ctx {
    const char *book;
    int64_t version, unit_nano;
};

static enum err_code tool_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct tool_ctx *tool = ctx;

    return price_tool(conn, str_from(tool->book), tool->version, &tool->unit_nano, err);
}

/* One use of the tool: free as shipped, by a book's factors once it has a price. */
static void test_tool(void)
{
    static const struct {
        const char *what, *book;
        int64_t version, nano;
    } cases[] = {
        {"shipped", "ark-cny", 1, 0},
        {"no row", "bare", 1, 0},
        {"no such book", "nope", 1, 0},
        {"no such version", "ark-cny", 9, 0},
        {"priced, 30 x 1.1 x 1.25 = 41.25", "own", 1, 41},
    };
    struct fixture fixture = {0};

    fixture_init(&fixture);
    run_sql(&fixture, "INSERT INTO price_book VALUES ('bare', 1, 0, 'CNY', 1, 1),"
                      " ('own', 1, 0, 'CNY', 1100000000, 1250000000)");
    run_sql(&fixture, "INSERT INTO price_row VALUES ('own', 1, 1, 'tool/web_search', '*', -1,"
                      " -1, '*', 'search', 'use', 30)");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tool_ctx tool = {cases[i].book, cases[i].version, -77};
        struct err err = {0};

        CHECK_OK(cases[i].what, db_read(fixture.db, tool_steps, &tool, &err), &err);
        CHECK_INT(cases[i].what, tool.unit_nano, cases[i].nano);
    }
    fixture_fini(&fixture);
}

struct version_ctx {
    const char *book;
    int64_t at_us, version;
};

static enum err_code version_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct version_ctx *find = ctx;

    return price_version(conn, str_from(find->book), find->at_us, &find->version, err);
}

static void test_versions(void)
{
    static const struct {
        const char *what, *book;
        int64_t at_us, version;
    } cases[] = {
        {"from the beginning", "ark-cny", 0, 1},
        {"just before", "ark-cny", 999, 1},
        {"at its start", "ark-cny", 1000, 2},
        {"same start, later version", "ark-cny", 2000, 4},
        {"before any", "late", 4999, 0},
        {"no such book", "nope", 5000, 0},
    };
    struct fixture fixture = {0};

    fixture_init(&fixture);
    run_sql(&fixture, "INSERT INTO price_book VALUES ('ark-cny', 2, 1000, 'CNY', 1, 1),"
                      " ('ark-cny', 3, 2000, 'CNY', 1, 1), ('ark-cny', 4, 2000, 'CNY', 1, 1),"
                      " ('ark-cny', 5, 9000, 'CNY', 1, 1), ('late', 1, 5000, 'CNY', 1, 1)");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct version_ctx find = {.book = cases[i].book, .at_us = cases[i].at_us};
        struct err err = {0};

        CHECK_INT(cases[i].what, db_read(fixture.db, version_steps, &find, &err),
                  cases[i].version == 0 ? ERR_UNAVAILABLE : ERR_OK);
        CHECK_INT(cases[i].what, find.version, cases[i].version);
    }
    fixture_fini(&fixture);
}

/* factor 1.1, markup 1.25; row k has list price k nano times a million. */
static void test_narrowest(void)
{
    static const struct {
        const char *what, *resolution, *tier;
        bool video, audio;
        const char *sku;
    } cases[] = {
        {"nothing but the model", "480p", "default", false, false, "any"},
        {"one column", "480p", "default", false, true, "audio"},
        {"two columns", "720p", "default", true, false, "720p-video"},
        {"as many columns: the first", "720p", "default", false, true, "720p-audio"},
        {"all columns", "720p", "flex", true, true, "all"},
        {"tier", "480p", "flex", false, false, "flex"},
    };
    struct fixture fixture = {0};

    fixture_init(&fixture);
    run_sql(&fixture, "INSERT INTO price_book VALUES ('own', 1, 0, 'USD', 1100000000,"
                      " 1250000000)");
    run_sql(&fixture,
            "INSERT INTO price_row VALUES"
            " ('own', 1, 1, 'm', '*', -1, -1, '*', 'any', 'mtoken', 1000000),"
            " ('own', 1, 2, 'm', '*', -1, 1, '*', 'audio', 'mtoken', 2000000),"
            " ('own', 1, 3, 'm', '720p', -1, 1, '*', '720p-audio', 'mtoken', 3000000),"
            " ('own', 1, 4, 'm', '720p', 1, -1, '*', '720p-video', 'mtoken', 4000000),"
            " ('own', 1, 5, 'm', '*', 1, 1, '*', 'video-audio', 'mtoken', 5000000),"
            " ('own', 1, 6, 'm', '*', -1, -1, 'flex', 'flex', 'second', 6000000),"
            " ('own', 1, 7, 'm', '720p', 1, 1, 'flex', 'all', 'second', 7000000),"
            " ('own', 1, 8, 'half', '*', -1, -1, '*', 'half', 'mtoken', 2),"
            " ('own', 1, 9, 'huge', '*', -1, -1, '*', 'huge', 'mtoken', 9000000000000000000)");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct find_ctx find = {.book = "own",
                                .version = 1,
                                .key = {.model = STR("m"),
                                        .resolution = str_from(cases[i].resolution),
                                        .video = cases[i].video,
                                        .audio = cases[i].audio,
                                        .tier = str_from(cases[i].tier)}};
        struct err err = {0};

        CHECK_OK(cases[i].what, db_read(fixture.db, find_steps, &find, &err), &err);
        CHECK_TEXT(cases[i].what, find.row.sku, cases[i].sku);
    }

    struct find_ctx find = {.book = "own", .version = 1, .key = {.model = STR("half")}};
    struct err err = {0};

    CHECK_OK("half", db_read(fixture.db, find_steps, &find, &err), &err);
    CHECK_INT("2 x 1.375 = 2.75 is 3", find.row.unit_price_nano, 3);
    CHECK_TEXT("currency of the book", find.row.currency, "USD");
    find.key.model = STR("huge");
    CHECK_INT("out of range", db_read(fixture.db, find_steps, &find, &err), ERR_INTERNAL);
    fixture_fini(&fixture);
}

static void test_cost(void)
{
    static const struct {
        const char *what;
        enum price_unit unit;
        int64_t price, tokens, output_ms, cost;
    } cases[] = {
        {"tokens", PRICE_PER_MTOKEN, YUAN(46), 108900, 5000, 5009400000},
        {"4k", PRICE_PER_MTOKEN, YUAN(26), 785700, 4000, 20428200000},
        {"seconds", PRICE_PER_SECOND, 900000000, 108900, 8000, 7200000000},
        {"part of a second", PRICE_PER_SECOND, 900000000, 108900, 8041, 7236900000},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct price_row row = {.unit = cases[i].unit, .unit_price_nano = cases[i].price};
        struct money cost;
        struct err err = {0};

        CHECK_OK(cases[i].what,
                 price_cost(&row, cases[i].tokens, cases[i].output_ms, &cost, &err), &err);
        CHECK_INT(cases[i].what, cost.nano, cases[i].cost);
    }
}

CHECK_MAIN(CHECK_TEST(test_shipped), CHECK_TEST(test_shipped_others), CHECK_TEST(test_tool),
           CHECK_TEST(test_versions), CHECK_TEST(test_narrowest), CHECK_TEST(test_cost))
