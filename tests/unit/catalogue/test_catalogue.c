/* SPDX-License-Identifier: Apache-2.0 */
/* The models that ship, row by row as the vendor's pages have them, which names mean one
 * and which are refused, and what the catalogue promises the code that reads it. */
#include "tests/lib/catalogue_fixture.h"

#define TENANT 7

#define STANDARD "doubao-seedance-2-0"
#define FAST "doubao-seedance-2-0-fast"
#define MINI "doubao-seedance-2-0-mini"
#define PRO_15 "doubao-seedance-1-5-pro"
#define PRO_10 "doubao-seedance-1-0-pro"
#define PRO_10_FAST "doubao-seedance-1-0-pro-fast"
#define LITE_T2V "doubao-seedance-1-0-lite-t2v"
#define LITE_I2V "doubao-seedance-1-0-lite-i2v"
#define NEXT "doubao-seedance-2-5"
#define RATIOS "16:9 4:3 1:1 3:4 9:16 21:9 adaptive"

/* clang-format off */
static const struct {
    const char *name, *dated, *aliases; /* in the order of the alphabet, with blanks */
    bool sold;
    const char *resolutions, *resolution, *ratio, *text_ratio, *sizes;
    int duration_min, duration_max, duration;
    bool duration_auto, text, first_frame, last_frame, reference;
    int images, videos, audios;
    bool audio, audio_default, audio_echoed, audio_alone, frames_adaptive;
    bool draft, flex, frames, camera_fixed, seed, priority, tools;
} shipped[] = {
    {STANDARD, "doubao-seedance-2-0-260128", "doubao-seedance-2-0-260128",
     true, "480p 720p 1080p 4k", "720p", "adaptive", "", "2.0", 4, 15, 5,
     true, true, true, true, true, 9, 3, 3,
     true, true, true, false, false,
     false, false, false, false, true, true, true},
    {FAST, "doubao-seedance-2-0-fast-260128", "doubao-seedance-2-0-fast-260128",
     true, "480p 720p", "720p", "adaptive", "", "2.0", 4, 15, 5,
     true, true, true, true, true, 9, 3, 3,
     true, true, true, false, false,
     false, false, false, false, true, true, true},
    {MINI, "doubao-seedance-2-0-mini-260615",
     "doubao-seedance-2-0-mini-260615 doubao-seedance-2.0-mini",
     true, "480p 720p", "720p", "adaptive", "", "2.0", 4, 15, 5,
     true, true, true, true, true, 9, 3, 0,
     true, true, false, false, false,
     false, false, false, false, true, true, true},
    {PRO_15, "doubao-seedance-1-5-pro-251215", "doubao-seedance-1-5-pro-251215",
     false, "480p 720p 1080p", "720p", "adaptive", "", "2.0", 4, 12, 5,
     true, true, true, true, false, 2, 0, 0,
     true, true, true, false, false,
     true, true, false, true, true, false, false},
    {PRO_10, "doubao-seedance-1-0-pro-250528", "doubao-seedance-1-0-pro-250528",
     false, "480p 720p 1080p", "1080p", "adaptive", "16:9", "1.0", 2, 12, 5,
     false, true, true, true, false, 2, 0, 0,
     false, false, false, false, false,
     false, true, true, true, true, false, false},
    {PRO_10_FAST, "doubao-seedance-1-0-pro-fast-251015", "doubao-seedance-1-0-pro-fast-251015",
     false, "480p 720p 1080p", "1080p", "adaptive", "16:9", "1.0", 2, 12, 5,
     false, true, true, false, false, 1, 0, 0,
     false, false, false, false, false,
     false, true, true, true, true, false, false},
    {LITE_T2V, "doubao-seedance-1-0-lite-t2v-250428", "doubao-seedance-1-0-lite-t2v-250428",
     false, "480p 720p 1080p", "720p", "adaptive", "16:9", "1.0", 2, 12, 5,
     false, true, false, false, false, 0, 0, 0,
     false, false, false, false, false,
     false, true, true, true, true, false, false},
    {LITE_I2V, "doubao-seedance-1-0-lite-i2v-250428", "doubao-seedance-1-0-lite-i2v-250428",
     false, "480p 720p 1080p", "720p", "adaptive", "16:9", "1.0", 2, 12, 5,
     false, false, true, true, true, 4, 0, 0,
     false, false, false, false, false,
     false, true, true, true, true, false, false},
    {NEXT, "doubao-seedance-2-5-260628", "doubao-seedance-2-5-260628",
     false, "480p 720p 1080p", "720p", "adaptive", "", "", 4, 30, -1,
     true, true, true, true, true, 30, 10, 10,
     true, true, true, true, true,
     false, false, false, false, false, true, false},
};
/* clang-format on */

static void check_words(const char *what, const char *words, const char *want)
{
    CHECK_TEXT(what, words, want);
    for (const char *word = want; *word != '\0';) {
        size_t len = strcspn(word, " ");

        CHECK_TRUE(what, str_has_word(words, (struct str){word, len}));
        word += len + (word[len] == ' ');
    }
}

static void test_every_shipped_model(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct model model;

    catalogue_fixture_init(&fixture);
    for (size_t i = 0; i < COUNT_OF(shipped); i++) {
        const char *what = shipped[i].name;

        CHECK_TRUE(what, catalogue_at(fixture.catalogue, TENANT, i, &model));
        CHECK_TEXT(what, model.name, what);
        CHECK_TEXT(what, model.dated, shipped[i].dated);
        CHECK_INT(what, model.sold, shipped[i].sold);
        check_words(what, model.resolutions, shipped[i].resolutions);
        CHECK_TEXT(what, model.resolution, shipped[i].resolution);
        check_words(what, model.ratios, RATIOS);
        CHECK_TEXT(what, model.ratio, shipped[i].ratio);
        CHECK_TEXT(what, model.text_ratio, shipped[i].text_ratio);
        CHECK_TEXT(what, model.sizes, shipped[i].sizes);
        CHECK_INT(what, model.duration_min, shipped[i].duration_min);
        CHECK_INT(what, model.duration_max, shipped[i].duration_max);
        CHECK_INT(what, model.duration, shipped[i].duration);
        CHECK_INT(what, model.duration_auto, shipped[i].duration_auto);
        CHECK_INT(what, model.text, shipped[i].text);
        CHECK_INT(what, model.first_frame, shipped[i].first_frame);
        CHECK_INT(what, model.last_frame, shipped[i].last_frame);
        CHECK_INT(what, model.reference, shipped[i].reference);
        CHECK_INT(what, model.images, shipped[i].images);
        CHECK_INT(what, model.videos, shipped[i].videos);
        CHECK_INT(what, model.audios, shipped[i].audios);
        CHECK_INT(what, model.audio, shipped[i].audio);
        CHECK_INT(what, model.audio_default, shipped[i].audio_default);
        CHECK_INT(what, model.audio_echoed, shipped[i].audio_echoed);
        CHECK_INT(what, model.audio_alone, shipped[i].audio_alone);
        CHECK_INT(what, model.frames_adaptive, shipped[i].frames_adaptive);
        CHECK_INT(what, model.draft, shipped[i].draft);
        CHECK_INT(what, model.flex, shipped[i].flex);
        CHECK_INT(what, model.frames, shipped[i].frames);
        CHECK_INT(what, model.camera_fixed, shipped[i].camera_fixed);
        CHECK_INT(what, model.seed, shipped[i].seed);
        CHECK_INT(what, model.priority, shipped[i].priority);
        CHECK_INT(what, model.tools, shipped[i].tools);
        CHECK_TRUE(what, model.inline_parameters);
    }
    CHECK_TRUE("no more", !catalogue_at(fixture.catalogue, TENANT, COUNT_OF(shipped), &model));
    CHECK_TRUE("far past the end", !catalogue_at(fixture.catalogue, TENANT, 1000000, &model));
}

/* Each by its name, its dated id and every alias; and those are all of its names. */
static void test_names_and_aliases(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    char alias[MODEL_NAME_MAX + 1], all[256];

    catalogue_fixture_init(&fixture);
    for (size_t i = 0; i < COUNT_OF(shipped); i++) {
        const char *what = shipped[i].name;

        CHECK_TEXT(what, catalogue_fixture_model(fixture.catalogue, 0, what).name, what);
        CHECK_TEXT(what, catalogue_fixture_model(fixture.catalogue, TENANT, what).name, what);
        CHECK_TEXT(what,
                   catalogue_fixture_model(fixture.catalogue, TENANT, shipped[i].dated).name,
                   what);
        all[0] = '\0';
        for (size_t j = 0; catalogue_alias(fixture.catalogue, TENANT, what, j, alias); j++) {
            (void)snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s",
                           j == 0 ? "" : " ", alias);
            CHECK_TEXT(alias, catalogue_fixture_model(fixture.catalogue, TENANT, alias).name,
                       what);
        }
        CHECK_TEXT(what, all, shipped[i].aliases);
    }
    CHECK_TRUE("of no model", !catalogue_alias(fixture.catalogue, TENANT, "nobody", 0, alias));
}

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
    "doubao-seedance-1-5-pro-filter-off",
    "-filter-off",
    "doubao-seedance-2.0",
    "doubao-seedance-2.0-fast",
    "Doubao-Seedance-2-0",
    "doubao-seedance-2-0 ",
    " doubao-seedance-2-0",
    "doubao-seedance-2-",
    "doubao-seedance-2-00",
    "seedance-2-5",
    "doubao-seedance-1-0-lite",
    "ep-20260101000000-abcde",
    "",
};

static void test_refused_names(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    catalogue_fixture_init(&fixture);
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct model model = {.name = "untouched"};
        struct err err = {0};

        CHECK_INT(refused[i],
                  catalogue_find(fixture.catalogue, TENANT, str_from(refused[i]), &model, &err),
                  ERR_MODEL_UNKNOWN);
        CHECK_TEXT(refused[i], model.name, "untouched");
        CHECK_TEXT(refused[i], err.field, "model");
        CHECK_TRUE(refused[i], strstr(err.msg, refused[i]) != NULL);
    }
}

static void test_a_name_with_a_nul_in_it(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct model model;
    struct err err = {0};

    catalogue_fixture_init(&fixture);
    CHECK_INT("nul",
              catalogue_find(fixture.catalogue, 0, STR("doubao-seedance-2-0\0x"), &model, &err),
              ERR_MODEL_UNKNOWN);
    err = (struct err){0};
    CHECK_INT("nul at its end",
              catalogue_find(fixture.catalogue, 0, STR("doubao-seedance-2-0\0"), &model, &err),
              ERR_MODEL_UNKNOWN);
}

static void test_a_very_long_name(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    char name[5001];
    struct model model;
    struct err err = {0};

    catalogue_fixture_init(&fixture);
    memset(name, 'x', sizeof(name));
    memcpy(name, "doubao-seedance-2-0", 19);
    CHECK_INT("5000 characters",
              catalogue_find(fixture.catalogue, 0, (struct str){name, sizeof(name) - 1}, &model,
                             &err),
              ERR_MODEL_UNKNOWN);
    CHECK_TEXT("5000 characters", err.field, "model");
    CHECK_TRUE("message is cut", strlen(err.msg) < 300);
    CHECK_TRUE("message names it", strstr(err.msg, "doubao-seedance-2-0xxxx") != NULL);
    CHECK_TRUE("message ends", strstr(err.msg, "access to it.") != NULL);

    /* Cut between characters, not inside one. */
    for (size_t i = 0; i + 3 <= sizeof(name); i += 3)
        memcpy(name + i, "\xe6\xa8\xa1", 3);
    err = (struct err){0};
    CHECK_INT("1666 Chinese characters",
              catalogue_find(fixture.catalogue, 0, (struct str){name, 4998}, &model, &err),
              ERR_MODEL_UNKNOWN);
    CHECK_TRUE("message is UTF-8", str_is_utf8(str_from(err.msg)));
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
        {"  480p   720p  ", "720p", true},
        {"  480p   720p  ", "", false},
        {"", "", false},
        {"4k", "4k", true},
        {"4k", "4K", false},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_INT(rows[i].word, str_has_word(rows[i].words, str_from(rows[i].word)),
                  rows[i].listed);
}

/* What other code takes for granted about every row. */
static void test_rows_are_sound(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct model model, other;

    catalogue_fixture_init(&fixture);
    for (size_t i = 0; catalogue_at(fixture.catalogue, 0, i, &model); i++) {
        CHECK_TRUE(model.name, str_has_word(model.resolutions, str_from(model.resolution)));
        CHECK_TRUE(model.name, str_has_word(model.ratios, str_from(model.ratio)));
        CHECK_TRUE(model.name, model.duration == -1 ? model.duration_auto
                                                    : model.duration_min <= model.duration &&
                                                          model.duration <= model.duration_max);
        CHECK_TRUE(model.name, !model.sold || model.sizes[0] != '\0');
        for (size_t j = i + 1; catalogue_at(fixture.catalogue, 0, j, &other); j++)
            CHECK_TRUE(model.name, strcmp(model.name, other.name) != 0);
    }
}

static void count_key(const struct config_key *key, void *ctx)
{
    int *count = ctx;

    CHECK_TRUE(key->name, key->help[0] != '\0');
    CHECK_TRUE("the first is dated", *count > 0 || strcmp(key->name, "dated") == 0);
    ++*count;
}

struct shown {
    const struct model *model;
    char text[4096];
};

static void show_key(const struct config_key *key, void *ctx)
{
    struct shown *shown = ctx;
    char value[CATALOGUE_SIZES_MAX + 1];
    size_t len = strlen(shown->text);

    catalogue_keys_text(key, shown->model, value, sizeof(value));
    (void)snprintf(shown->text + len, sizeof(shown->text) - len, "%s=%s\n", key->name, value);
}

/* Every key is told as "model set" takes it. */
static void test_keys(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct model model;
    struct shown shown = {.model = &model};
    int count = 0;

    catalogue_fixture_init(&fixture);
    catalogue_keys_each(count_key, &count);
    CHECK_INT("keys", count, 33);
    model = catalogue_fixture_model(fixture.catalogue, 0, PRO_10);
    catalogue_keys_each(show_key, &shown);
    CHECK_TEXT(
        "1.0 pro", shown.text,
        "dated=doubao-seedance-1-0-pro-250528\nsold=false\n"
        "resolutions=480p 720p 1080p\nresolution=1080p\nratios=" RATIOS "\n"
        "ratio=adaptive\ntext_ratio=16:9\nframes_adaptive=false\nsizes=1.0\n"
        "duration_min=2\nduration_max=12\nduration=5\nduration_auto=false\n"
        "text=true\nfirst_frame=true\nlast_frame=true\nreference=false\n"
        "images=2\nvideos=0\naudios=0\nvideo_seconds=15\naudio_alone=false\naudio=false\n"
        "audio_default=false\naudio_echoed=false\ndraft=false\nflex=true\nframes=true\n"
        "camera_fixed=true\nseed=true\npriority=false\ntools=false\n"
        "inline_parameters=true\n");
}

static void test_closing_nothing(void)
{
    struct catalogue *catalogue = NULL;

    catalogue_close(&catalogue);
    CHECK_TRUE("nothing", catalogue == NULL);
}

CHECK_MAIN(CHECK_TEST(test_every_shipped_model), CHECK_TEST(test_names_and_aliases),
           CHECK_TEST(test_refused_names), CHECK_TEST(test_a_name_with_a_nul_in_it),
           CHECK_TEST(test_a_very_long_name), CHECK_TEST(test_words),
           CHECK_TEST(test_rows_are_sound), CHECK_TEST(test_keys),
           CHECK_TEST(test_closing_nothing))
