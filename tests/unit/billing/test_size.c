/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and tokens: the whole table at 5 s, counts that Ark has returned, and the
 * minimum with a video input. */
#include "billing/billing.h"

#include "tests/lib/check.h"

static void test_table(void)
{
    static const char *const ratios[] = {"16:9", "4:3", "1:1", "3:4", "9:16", "21:9"};
    static const struct {
        const char *resolution;
        int64_t tokens[6]; /* 5 s, by ratio */
        int64_t adaptive;
    } rows[] = {
        {"480p", {50638, 49761, 48400, 49761, 50638, 50638}, 50638},
        {"720p", {108900, 109586, 108900, 109586, 108900, 109431}, 109586},
        {"1080p", {245025, 245388, 245025, 245388, 245025, 246593}, 246593},
        {"4k", {980100, 980176, 980100, 980176, 980100, 980126}, 980176},
    };
    struct err err = {0};
    int width = 0, height = 0;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct str resolution = str_from(rows[i].resolution);

        for (size_t j = 0; j < COUNT_OF(ratios); j++) {
            CHECK_OK(
                ratios[j],
                size_pixels(STR("2.0"), resolution, str_from(ratios[j]), &width, &height, &err),
                &err);
            CHECK_INT(ratios[j], size_tokens(width, height, 5000, -1), rows[i].tokens[j]);
        }
        CHECK_OK("adaptive",
                 size_pixels(STR("2.0"), resolution, STR("adaptive"), &width, &height, &err),
                 &err);
        CHECK_INT("adaptive", size_tokens(width, height, 5000, -1), rows[i].adaptive);
    }
}

static void test_unknown(void)
{
    static const struct {
        const char *sizes, *resolution, *ratio, *field;
    } cases[] = {
        {"2.0", "2k", "16:9", "resolution"},
        {"2.0", "", "16:9", "resolution"},
        {"2.0", "4K", "16:9", "resolution"},
        {"2.0", "720p", "16:10", "ratio"},
        {"2.0", "720p", "", "ratio"},
        {"2.0", "1440p", "adaptive", "resolution"},
        {"2.0", "720", "adaptive", "resolution"},
        {"1.0", "4k", "16:9", "resolution"},
        {"1.0", "1080p", "9:21", "ratio"},
        {"", "720p", "16:9", "resolution"},
        {" ", "720p", "16:9", "resolution"},
        {"720p/16:9=1280x720", "720p", "9:16", "ratio"},
        {"720p/16:9=1280x720", "480p", "16:9", "resolution"},
        {"720p/16:9=1280x720", "480p", "adaptive", "resolution"},
        {"2.0 720p/16:9=1280x720", "720p", "16:9", "sizes"},
        {"3.0", "720p", "16:9", "sizes"},
        {"720p/16:9", "720p", "16:9", "sizes"},
        {"720p/16:9=", "720p", "16:9", "sizes"},
        {"720p/16:9=1280", "720p", "16:9", "sizes"},
        {"720p/16:9=x720", "720p", "16:9", "sizes"},
        {"720p/16:9=1280x", "720p", "16:9", "sizes"},
        {"720p/16:9=1280X720", "720p", "16:9", "sizes"},
        {"720p/16:9=1280x720x1", "720p", "16:9", "sizes"},
        {"720p/16:9=0x720", "720p", "16:9", "sizes"},
        {"720p/16:9=-1280x-720", "720p", "16:9", "sizes"},
        {"720p/16:9=65537x1", "720p", "16:9", "sizes"},
        {"720p/16:9=1x65537", "720p", "16:9", "sizes"},
        {"720p/16:9=99999999999999999999x1", "720p", "16:9", "sizes"},
        {"/16:9=1280x720", "720p", "16:9", "sizes"},
        {"720p/=1280x720", "720p", "16:9", "sizes"},
        {"720p=1280x720", "720p", "16:9", "sizes"},
        {"720p/16:9=1280x720 oops", "720p", "16:9", "sizes"}, /* also behind what fits */
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err err = {0};
        int width = -7, height = -7;

        CHECK_INT(cases[i].resolution,
                  size_pixels(str_from(cases[i].sizes), str_from(cases[i].resolution),
                              str_from(cases[i].ratio), &width, &height, &err),
                  ERR_INVALID);
        CHECK_TEXT(cases[i].resolution, err.field, cases[i].field);
        CHECK_INT(cases[i].resolution, width, -7);
    }
}

/* 1.0: pixels themselves, and the counts of 5 s. */
static void test_table_of_1_0(void)
{
    static const struct {
        const char *resolution, *ratio;
        int width, height;
    } rows[] = {
        {"480p", "16:9", 864, 480},        {"480p", "4:3", 736, 544},
        {"480p", "1:1", 640, 640},         {"480p", "3:4", 544, 736},
        {"480p", "9:16", 480, 864},        {"480p", "21:9", 960, 416},
        {"480p", "adaptive", 864, 480},    {"720p", "16:9", 1248, 704},
        {"720p", "4:3", 1120, 832},        {"720p", "1:1", 960, 960},
        {"720p", "3:4", 832, 1120},        {"720p", "9:16", 704, 1248},
        {"720p", "21:9", 1504, 640},       {"720p", "adaptive", 1504, 640},
        {"1080p", "16:9", 1920, 1088},     {"1080p", "4:3", 1664, 1248},
        {"1080p", "1:1", 1440, 1440},      {"1080p", "3:4", 1248, 1664},
        {"1080p", "9:16", 1088, 1920},     {"1080p", "21:9", 2176, 928},
        {"1080p", "adaptive", 1920, 1088},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = {0};
        int width = 0, height = 0;

        CHECK_OK(rows[i].ratio,
                 size_pixels(STR("1.0"), str_from(rows[i].resolution), str_from(rows[i].ratio),
                             &width, &height, &err),
                 &err);
        CHECK_INT(rows[i].ratio, (int64_t)width * height,
                  (int64_t)rows[i].width * rows[i].height);
        CHECK_TRUE(rows[i].ratio, strcmp(rows[i].ratio, "adaptive") == 0 ||
                                      (width == rows[i].width && height == rows[i].height));
    }
}

/* A table in words, as an operator gives it. */
static void test_table_in_words(void)
{
    static const char words[] = "  480p/16:9=854x480 480p/9:16=480x854  720p/16:9=1280x720 "
                                "720p/1:1=65536x65536 new/odd=1x1 ";
    static const struct {
        const char *resolution, *ratio;
        int width, height;
    } rows[] = {
        {"480p", "16:9", 854, 480},         {"480p", "9:16", 480, 854},
        {"480p", "adaptive", 854, 480},     {"720p", "16:9", 1280, 720},
        {"720p", "adaptive", 65536, 65536}, {"new", "odd", 1, 1},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = {0};
        int width = 0, height = 0;

        CHECK_OK(rows[i].ratio,
                 size_pixels(str_from(words), str_from(rows[i].resolution),
                             str_from(rows[i].ratio), &width, &height, &err),
                 &err);
        CHECK_INT(rows[i].ratio, width, rows[i].width);
        CHECK_INT(rows[i].ratio, height, rows[i].height);
    }
}

static void test_tokens_of_frames(void)
{
    static const struct {
        int width, height;
        int64_t frames, tokens;
    } rows[] = {
        {864, 480, 29, 12150}, /* 864*480*30/1024 */
        {864, 480, 48, 19845}, /* 2 s: as their seconds count */
        {864, 480, 289, 117450}, {1280, 720, 0, 900}, {736, 544, 33, 13294},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK_INT("frames", size_tokens_frames(rows[i].width, rows[i].height, rows[i].frames),
                  rows[i].tokens);
        CHECK_INT("in exact numbers",
                  size_tokens_frames(rows[i].width, rows[i].height, rows[i].frames),
                  (int64_t)rows[i].width * rows[i].height * (rows[i].frames + 1) / 1024);
    }
    for (int seconds = 2; seconds <= 12; seconds++)
        CHECK_INT("whole seconds", size_tokens_frames(1920, 1088, seconds * 24),
                  size_tokens(1920, 1088, seconds * 1000, -1));
}

static void test_tokens(void)
{
    static const struct {
        const char *what;
        int width, height;
        int64_t output_ms, input_ms, tokens;
    } cases[] = {
        /* what                       w     h    out    in     tokens */
        {"480p 5 s", 864, 496, 5000, -1, 50638},
        {"480p 4 s", 864, 496, 4000, -1, 40594},
        {"720p 4 s", 1280, 720, 4000, -1, 87300},
        {"720p 5 s", 1280, 720, 5000, -1, 108900},
        {"720p 6 s", 1280, 720, 6000, -1, 130500},
        {"1080p 4 s", 1920, 1080, 4000, -1, 196425},
        {"4k 4 s", 3840, 2160, 4000, -1, 785700},
        {"1.0 480p 2 s", 864, 480, 2000, -1, 19845},
        {"2.5 480p 6 s", 854, 480, 6000, -1, 58045},
        {"2.5 30 s and 30 s", 1280, 720, 30000, 30000, 1296900},
        {"10 s in", 1280, 720, 5000, 10000, 324900},
        {"4 s in: the minimum", 1280, 720, 5000, 4000, 194400},
        {"a millisecond more: 217 frames", 1280, 720, 5000, 4001, 195321},
        {"3.9 s in: the minimum", 1280, 720, 5000, 3900, 194400},
        {"2 s in: the minimum", 1280, 720, 5000, 2000, 194400},
        {"nothing in: the minimum", 1280, 720, 5000, 0, 194400},
        {"4 s in, 6 s out, minimum 10 s", 854, 480, 6000, 4000, 96075},
        {"4 s out, minimum 7 s", 1280, 720, 4000, 2000, 151200},
        {"one frame of 1/24 s is 41.6 ms", 1280, 720, 5000, 10041, 325785},
        {"unknown input", 1280, 720, 15000, 15200, 653220},
        {"a day of 4k", 4398, 1886, 86400000, 86400000, INT64_C(33593251500)},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        CHECK_INT(
            cases[i].what,
            size_tokens(cases[i].width, cases[i].height, cases[i].output_ms, cases[i].input_ms),
            cases[i].tokens);
}

CHECK_MAIN(CHECK_TEST(test_table), CHECK_TEST(test_table_of_1_0),
           CHECK_TEST(test_table_in_words), CHECK_TEST(test_unknown),
           CHECK_TEST(test_tokens_of_frames), CHECK_TEST(test_tokens))
