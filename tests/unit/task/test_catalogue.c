/* SPDX-License-Identifier: Apache-2.0 */
/* Which names are models, which are refused, and what the catalogue promises the
 * code that reads it. */
#include "gateway/task/task.h"

#include "tests/lib/check.h"

static const struct {
    const char *name, *canonical, *dated;
} known[] = {
    {"doubao-seedance-2-0", "doubao-seedance-2-0", "doubao-seedance-2-0-260128"},
    {"doubao-seedance-2-0-260128", "doubao-seedance-2-0", "doubao-seedance-2-0-260128"},
    {"doubao-seedance-2-0-fast", "doubao-seedance-2-0-fast", "doubao-seedance-2-0-fast-260128"},
    {"doubao-seedance-2-0-fast-260128", "doubao-seedance-2-0-fast",
     "doubao-seedance-2-0-fast-260128"},
    {"doubao-seedance-2-0-mini", "doubao-seedance-2-0-mini", "doubao-seedance-2-0-mini-260615"},
    {"doubao-seedance-2-0-mini-260615", "doubao-seedance-2-0-mini",
     "doubao-seedance-2-0-mini-260615"},
    {"doubao-seedance-2.0-mini", "doubao-seedance-2-0-mini", "doubao-seedance-2-0-mini-260615"},
};

static const char *const refused[] = {
    "seedance-2-0",
    "seedance-2-0-260128",
    "seedance-2-0-fast",
    "seedance-2-0-fast-260128",
    "seedance-2-0-mini",
    "dreamina-seedance-2.0-mini",
    "doubao-seedance-2-0-filter-off",
    "doubao-seedance-2-0-260128-filter-off",
    "doubao-seedance-2-0-fast-filter-off",
    "doubao-seedance-2-0-fast-260128-filter-off",
    "doubao-seedance-2-0-mini-filter-off",
    "doubao-seedance-2.0-mini-filter-off",
    "seedance-2-0-filter-off",
    "doubao-seedance-2.0",
    "doubao-seedance-2.0-fast",
    "Doubao-Seedance-2-0",
    "doubao-seedance-2-0 ",
    " doubao-seedance-2-0",
    "doubao-seedance-2-",
    "doubao-seedance-2-00",
    "ep-20260101000000-abcde",
    "",
};

static void test_names_and_aliases(void)
{
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        const struct model *model = NULL;
        struct err err = {0};

        CHECK_OK(known[i].name, catalogue_find(str_from(known[i].name), &model, &err), &err);
        if (model == NULL)
            continue;
        CHECK_TEXT(known[i].name, model->name, known[i].canonical);
        CHECK_TEXT(known[i].name, model->dated, known[i].dated);
    }
}

static void test_refused_names(void)
{
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        const struct model *model = NULL;
        struct err err = {0};

        CHECK_INT(refused[i], catalogue_find(str_from(refused[i]), &model, &err),
                  ERR_MODEL_UNKNOWN);
        CHECK_TRUE(refused[i], model == NULL);
        CHECK_TEXT(refused[i], err.field, "model");
        CHECK_TRUE(refused[i], strstr(err.msg, refused[i]) != NULL);
    }
}

static void test_a_name_with_a_nul_in_it(void)
{
    const struct model *model = NULL;
    struct err err = {0};

    CHECK_INT("nul", catalogue_find(STR("doubao-seedance-2-0\0x"), &model, &err),
              ERR_MODEL_UNKNOWN);
}

static void test_a_very_long_name(void)
{
    char name[5001];
    const struct model *model = NULL;
    struct err err = {0};

    memset(name, 'x', sizeof(name));
    memcpy(name, "doubao-seedance-2-0", 19);
    CHECK_INT("5000 characters",
              catalogue_find((struct str){name, sizeof(name) - 1}, &model, &err),
              ERR_MODEL_UNKNOWN);
    CHECK_TEXT("5000 characters", err.field, "model");
    CHECK_TRUE("message is cut", strlen(err.msg) < 300);
    CHECK_TRUE("message names it", strstr(err.msg, "doubao-seedance-2-0xxxx") != NULL);
    CHECK_TRUE("message ends", strstr(err.msg, "access to it.") != NULL);

    /* Cut between characters, not inside one. */
    for (size_t i = 0; i + 3 <= sizeof(name); i += 3)
        memcpy(name + i, "\xe6\xa8\xa1", 3);
    err = (struct err){0};
    CHECK_INT("1666 Chinese characters", catalogue_find((struct str){name, 4998}, &model, &err),
              ERR_MODEL_UNKNOWN);
    CHECK_TRUE("message is UTF-8", str_is_utf8(str_from(err.msg)));
}

static void test_positions(void)
{
    size_t count = 0;

    while (catalogue_at(count) != NULL)
        count++;
    CHECK_INT("models", count, 3);
    CHECK_TRUE("far past the end", catalogue_at(1000000) == NULL);
}

static void test_words(void)
{
    static const struct {
        const char *words, *word;
        bool listed;
    } rows[] = {
        {"480p 720p", "480p", true},
        {"480p 720p", "720p", true},
        {"480p 720p", "80p", false},
        {"480p 720p", "480", false},
        {"480p 720p", "", false},
        {"480p 720p", " ", false},
        {"480p 720p", "480p ", false},
        {"480p 720p", "480p 720p", false},
        {"", "", false},
        {"4k", "4k", true},
        {"4k", "4K", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_INT(rows[i].word, catalogue_lists(rows[i].words, str_from(rows[i].word)),
                  rows[i].listed);
}

/* What other code takes for granted about every row. */
static void test_rows_are_sound(void)
{
    const struct model *model;

    for (size_t i = 0; (model = catalogue_at(i)) != NULL; i++) {
        CHECK_TRUE(model->name, strlen(model->name) <= MODEL_NAME_MAX);
        CHECK_TRUE(model->name, strlen(model->dated) <= MODEL_NAME_MAX);
        CHECK_TRUE(model->name,
                   catalogue_lists(model->resolutions, str_from(model->resolution_default)));
        CHECK_TRUE(model->name, catalogue_lists(model->ratios, str_from(model->ratio_default)));
        CHECK_TRUE(model->name, model->duration_min <= model->duration_default &&
                                    model->duration_default <= model->duration_max);
        for (size_t j = i + 1; catalogue_at(j) != NULL; j++)
            CHECK_TRUE(model->name, strcmp(model->name, catalogue_at(j)->name) != 0);
    }
}

CHECK_MAIN(CHECK_TEST(test_names_and_aliases), CHECK_TEST(test_refused_names),
           CHECK_TEST(test_a_name_with_a_nul_in_it), CHECK_TEST(test_a_very_long_name),
           CHECK_TEST(test_positions), CHECK_TEST(test_words), CHECK_TEST(test_rows_are_sound))
