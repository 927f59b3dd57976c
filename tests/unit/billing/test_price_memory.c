/* SPDX-License-Identifier: Apache-2.0 */
/* What the memory of prices keeps, for which question, and for how long. */
#include "tests/unit/billing/fixture.h"

enum { LIFE_US = 500000 }; /* as price_memory.c has it */

#define ROWS                                                                \
    "('own', 1, 1, 'm', '*', -1, -1, '*', 'first', 'mtoken', 1000),"        \
    " ('own', 1, 2, 'n', '*', -1, -1, '*', 'other model', 'mtoken', 1000)," \
    " ('own', 1, 3, 'm', '4k', -1, -1, '*', 'resolution', 'mtoken', 1000)," \
    " ('own', 1, 4, 'm', '*', 1, -1, '*', 'video', 'mtoken', 1000),"        \
    " ('own', 1, 5, 'm', '*', -1, 1, '*', 'audio', 'mtoken', 1000),"        \
    " ('own', 1, 6, 'm', '*', -1, -1, 'flex', 'tier', 'mtoken', 1000),"     \
    " ('own', 2, 1, 'm', '*', -1, -1, '*', 'second', 'mtoken', 1000),"      \
    " ('mine', 1, 1, 'm', '*', -1, -1, '*', 'other book', 'mtoken', 1000)"

static const struct price_key plain = {
    .model = {"m", 1}, .resolution = {"720p", 4}, .tier = {"default", 7}};

static void init(struct fixture *fixture, struct price_memory **ret_memory)
{
    struct err err = {0};

    fixture_init(fixture);
    run_sql(fixture, "INSERT INTO price_book VALUES ('own', 1, 100, 'CNY', 1000000000,"
                     " 1000000000), ('own', 2, 2000, 'CNY', 1000000000, 1000000000),"
                     " ('mine', 1, 0, 'CNY', 1000000000, 1000000000)");
    run_sql(fixture, "INSERT INTO price_row VALUES " ROWS);
    CHECK_OK("open", price_memory_open(ret_memory, &err), &err);
}

/* Whose price it is, "" when there is none. */
static void find(struct fixture *fixture, struct price_memory *memory, const char *what,
                 const char *book, int64_t at_us, const struct price_key *key, const char *sku)
{
    struct price_row row = {.sku = ""};
    struct err err = {0};
    enum err_code code =
        price_memory_find(memory, fixture->db, str_from(book), at_us, key, &row, &err);

    CHECK_INT(what, code, sku[0] == '\0' ? ERR_UNAVAILABLE : ERR_OK);
    CHECK_TEXT(what, row.sku, sku);
}

static void test_times(void)
{
    struct fixture fixture = {0};
    struct price_memory *memory = NULL;

    init(&fixture, &memory);
    int64_t began_us = sys_mono_us();

    find(&fixture, memory, "before any", "own", 99, &plain, "");
    find(&fixture, memory, "first", "own", 500, &plain, "first");
    run_sql(&fixture, "DELETE FROM price_row WHERE book = 'own' AND version = 1");
    find(&fixture, NULL, "without a memory", "own", 600, &plain, "");
    find(&fixture, memory, "a clock that went back", "own", 400, &plain, "");
    bool soon = sys_mono_us() - began_us < LIFE_US / 2;

    find(&fixture, memory, "to its last moment", "own", 1999, &plain, soon ? "first" : "");
    find(&fixture, memory, "the second begins in time", "own", 2000, &plain, "second");
    find(&fixture, memory, "and goes on", "own", INT64_MAX - 1, &plain, "second");
    run_sql(&fixture, "DELETE FROM price_row WHERE book IN ('own', 'mine')");
    sys_sleep_us(LIFE_US + 1000);
    find(&fixture, memory, "not for long", "own", 2000, &plain, "");
    run_sql(&fixture, "INSERT INTO price_row VALUES " ROWS);
    find(&fixture, memory, "what was not there is asked for again", "own", 2000, &plain,
         "second");
    price_memory_close(&memory);
    price_memory_close(&memory);
    fixture_fini(&fixture);
}

/* Each part of the question, asked after all others have been. */
static void test_keys(void)
{
    static char longest[300];
    struct price_key keys[] = {plain, plain, plain, plain, plain, plain, plain, plain};
    static const char *const skus[] = {"first", "other model", "resolution", "video",
                                       "audio", "tier",        "",           ""};
    struct fixture fixture = {0};
    struct price_memory *memory = NULL;

    memset(longest, 'x', sizeof(longest) - 1);
    keys[1].model = STR("n");
    keys[2].resolution = STR("4k");
    keys[3].video = true;
    keys[4].audio = true;
    keys[5].tier = STR("flex");
    keys[6].model = STR("m720p");
    keys[6].resolution = STR("");
    keys[7].model = str_from(longest);
    init(&fixture, &memory);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT_OF(keys); i++)
            find(&fixture, memory, skus[i], "own", 500, &keys[i], skus[i]);
        find(&fixture, memory, "another book", "mine", 500, &plain, "other book");
        find(&fixture, memory, "no such book", "nope", 500, &plain, "");
    }
    price_memory_close(&memory);
    fixture_fini(&fixture);
}

CHECK_MAIN(CHECK_TEST(test_times), CHECK_TEST(test_keys))
