/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule about a create beside the nearest create that it lets through, the
 * defaults, and the worst case that is held. */
#include "gateway/task/task.h"

#include "tests/lib/check.h"

#define STANDARD "doubao-seedance-2-0"
#define FAST "doubao-seedance-2-0-fast"
#define MINI "doubao-seedance-2-0-mini"

/* A draft as a table row has it; NULL text is absent. */
struct row {
    const char *what;
    const char *model; /* NULL: standard */
    const char *resolution, *ratio, *tier;
    int duration; /* NO_DURATION: absent */
    bool no_text;
    int images, videos, audios, first_frames, last_frames;
    bool references_audio;
    enum err_code code;
    const char *field;
};

enum { NO_DURATION = 0, ZERO_DURATION = 1000 };

static struct str opt(const char *text)
{
    return text == NULL ? (struct str){0} : str_from(text);
}

static struct task_draft draft_of(const struct row *row)
{
    return (struct task_draft){
        .dialect = "ark",
        .model_asked = str_from(row->model == NULL ? STANDARD : row->model),
        .resolution = opt(row->resolution),
        .ratio = opt(row->ratio),
        .tier = opt(row->tier),
        .has_duration = row->duration != NO_DURATION,
        .duration = row->duration == ZERO_DURATION ? 0 : row->duration,
        .has_text = !row->no_text,
        .images = row->images,
        .videos = row->videos,
        .audios = row->audios,
        .first_frames = row->first_frames,
        .last_frames = row->last_frames,
        .references_audio = row->references_audio,
    };
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct task_draft draft = draft_of(&rows[i]);
        struct task_plan plan = {.duration = -77};
        struct err err = {0};

        CHECK_INT(rows[i].what, judge_draft(&draft, &plan, &err), rows[i].code);
        CHECK_INT(rows[i].what, err.code, rows[i].code);
        CHECK_TEXT(rows[i].what, err.field, rows[i].field == NULL ? "" : rows[i].field);
        if (rows[i].code != ERR_OK)
            CHECK_INT(rows[i].what, plan.duration, -77);
    }
}

static void test_modes(void)
{
    static const struct row rows[] = {
        {.what = "text alone"},
        {.what = "nothing", .no_text = true, .code = ERR_INVALID, .field = "content"},
        {.what = "an image without text", .no_text = true, .images = 1},
        {.what = "a video without text", .no_text = true, .videos = 1},
        {.what = "first frame", .images = 1, .first_frames = 1},
        {.what = "first frame without text", .no_text = true, .images = 1, .first_frames = 1},
        {.what = "first and last frame", .images = 2, .first_frames = 1, .last_frames = 1},
        {.what = "two first frames",
         .images = 2,
         .first_frames = 2,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "two last frames",
         .images = 3,
         .first_frames = 1,
         .last_frames = 2,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "last without first",
         .images = 1,
         .last_frames = 1,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "first frame and an image",
         .images = 2,
         .first_frames = 1,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "first frame and a video",
         .images = 1,
         .first_frames = 1,
         .videos = 1,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "first frame and an audio",
         .images = 1,
         .first_frames = 1,
         .audios = 1,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "both frames and an image",
         .images = 3,
         .first_frames = 1,
         .last_frames = 1,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "two images", .images = 2},
        {.what = "image, video and audio", .images = 1, .videos = 1, .audios = 1},
        {.what = "audio alone",
         .no_text = true,
         .audios = 1,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "audio and text", .audios = 1, .code = ERR_INVALID, .field = "content"},
        {.what = "audio and an image", .images = 1, .audios = 1},
        {.what = "audio and a video", .videos = 1, .audios = 1},
        {.what = "audio with fast", .model = FAST, .images = 1, .audios = 1},
        {.what = "audio with mini",
         .model = MINI,
         .images = 1,
         .audios = 1,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "audio outside of content with mini",
         .model = MINI,
         .references_audio = true,
         .code = ERR_INVALID,
         .field = "references.audio"},
        {.what = "audio outside of content", .references_audio = true},
        {.what = "image with mini", .model = MINI, .images = 1},
    };

    check_rows(rows, COUNT_OF(rows));
}

static void test_counts(void)
{
    static const struct row rows[] = {
        {.what = "9 images", .images = 9},
        {.what = "10 images", .images = 10, .code = ERR_INVALID, .field = "content"},
        {.what = "3 videos", .videos = 3},
        {.what = "4 videos", .videos = 4, .code = ERR_INVALID, .field = "content"},
        {.what = "3 audios", .images = 1, .audios = 3},
        {.what = "4 audios", .images = 1, .audios = 4, .code = ERR_INVALID, .field = "content"},
        {.what = "all at once", .images = 9, .videos = 3, .audios = 3},
    };

    check_rows(rows, COUNT_OF(rows));
}

static void test_durations(void)
{
    static const struct row rows[] = {
        {.what = "4 s", .duration = 4},
        {.what = "3 s", .duration = 3, .code = ERR_DURATION, .field = "duration"},
        {.what = "15 s", .duration = 15},
        {.what = "16 s", .duration = 16, .code = ERR_DURATION, .field = "duration"},
        {.what = "-1", .duration = -1},
        {.what = "-2", .duration = -2, .code = ERR_DURATION, .field = "duration"},
        {.what = "0", .duration = ZERO_DURATION, .code = ERR_DURATION, .field = "duration"},
        {.what = "huge", .duration = INT32_MAX, .code = ERR_DURATION, .field = "duration"},
        {.what = "tiny", .duration = INT32_MIN, .code = ERR_DURATION, .field = "duration"},
        {.what = "fast 15 s", .model = FAST, .duration = 15},
        {.what = "fast 16 s",
         .model = FAST,
         .duration = 16,
         .code = ERR_DURATION,
         .field = "duration"},
        {.what = "mini 4 s", .model = MINI, .duration = 4},
        {.what = "mini 3 s",
         .model = MINI,
         .duration = 3,
         .code = ERR_DURATION,
         .field = "duration"},
    };
    struct task_draft draft = draft_of(&(struct row){.model = NULL});
    struct task_plan plan;
    struct err err = {0};

    check_rows(rows, COUNT_OF(rows));
    draft.has_duration = true;
    draft.duration = INT64_MAX;
    CHECK_INT("largest", judge_draft(&draft, &plan, &err), ERR_DURATION);
}

/* Each model with each resolution. */
static void test_resolutions(void)
{
    static const char *const words[] = {"480p", "720p", "1080p", "4k",    "4K",
                                        "2k",   "720",  "720P",  "1440p", ""};
    static const struct {
        const char *model;
        const char *may; /* y or n by word */
    } rows[] = {{STANDARD, "yyyyynnnnn"}, {FAST, "yynnnnnnnn"}, {MINI, "yynnnnnnnn"}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (size_t j = 0; j < COUNT_OF(words); j++) {
            bool may = rows[i].may[j] == 'y';
            struct row row = {.what = words[j],
                              .model = rows[i].model,
                              .resolution = words[j],
                              .code = may ? ERR_OK : ERR_INVALID,
                              .field = may ? NULL : "resolution"};

            check_rows(&row, 1);
        }
    }
}

static void test_4k_is_written_small_from_then_on(void)
{
    struct task_draft draft = draft_of(&(struct row){.resolution = "4K", .ratio = "16:9"});
    struct task_plan plan = {0};
    struct err err = {0};

    CHECK_OK("4K", judge_draft(&draft, &plan, &err), &err);
    CHECK_TRUE("4K", str_is(plan.resolution, "4k"));
    CHECK_INT("4K", plan.width, 3840);
    CHECK_INT("4K", plan.max_tokens, 980100);
}

static void test_ratios_and_tiers(void)
{
    static const struct row rows[] = {
        {.what = "16:9", .ratio = "16:9"},
        {.what = "4:3", .ratio = "4:3"},
        {.what = "1:1", .ratio = "1:1"},
        {.what = "3:4", .ratio = "3:4"},
        {.what = "9:16", .ratio = "9:16"},
        {.what = "21:9", .ratio = "21:9"},
        {.what = "adaptive", .ratio = "adaptive"},
        {.what = "9:21", .ratio = "9:21", .code = ERR_INVALID, .field = "ratio"},
        {.what = "Adaptive", .ratio = "Adaptive", .code = ERR_INVALID, .field = "ratio"},
        {.what = "16:9 in full", .ratio = "16:9 4:3", .code = ERR_INVALID, .field = "ratio"},
        {.what = "empty ratio", .ratio = "", .code = ERR_INVALID, .field = "ratio"},
        {.what = "default tier", .tier = "default"},
        {.what = "flex", .tier = "flex", .code = ERR_INVALID, .field = "service_tier"},
        {.what = "Default", .tier = "Default", .code = ERR_INVALID, .field = "service_tier"},
        {.what = "empty tier", .tier = "", .code = ERR_INVALID, .field = "service_tier"},
        {.what = "unknown model",
         .model = "seedance-2-0",
         .code = ERR_MODEL_UNKNOWN,
         .field = "model"},
        {.what = "the model comes first",
         .model = "seedance-2-0",
         .ratio = "9:21",
         .no_text = true,
         .code = ERR_MODEL_UNKNOWN,
         .field = "model"},
    };

    check_rows(rows, COUNT_OF(rows));
}

static void test_defaults(void)
{
    struct task_draft draft = draft_of(&(struct row){.model = NULL});
    struct task_plan plan = {0};
    struct err err = {0};

    CHECK_OK("bare", judge_draft(&draft, &plan, &err), &err);
    CHECK_TEXT("model", plan.model->name, STANDARD);
    CHECK_TRUE("resolution", str_is(plan.resolution, "720p"));
    CHECK_TRUE("ratio", str_is(plan.ratio, "adaptive"));
    CHECK_TRUE("tier", str_is(plan.tier, "default"));
    CHECK_INT("duration", plan.duration, 5);
    CHECK_INT("duration held", plan.duration_max, 5);
    CHECK_TRUE("audio", plan.audio);
    CHECK_INT("priority", plan.priority, 0);
    CHECK_INT("expires after", plan.expires_after, 172800);

    draft.has_audio = draft.has_priority = draft.has_expires_after = true;
    draft.audio = false;
    draft.priority = 9;
    draft.expires_after = 3600;
    CHECK_OK("asked", judge_draft(&draft, &plan, &err), &err);
    CHECK_TRUE("audio", !plan.audio);
    CHECK_INT("priority", plan.priority, 9);
    CHECK_INT("expires after", plan.expires_after, 3600);
}

/* The counts are Ark's own: observed, or the official size table by its formula. */
static void test_worst_case(void)
{
    static const struct {
        const char *what, *model, *resolution, *ratio;
        int duration, videos;
        int64_t want;
    } rows[] = {
        {"480p 5 s", MINI, "480p", "16:9", 5, 0, 50638},
        {"480p 4 s", FAST, "480p", "16:9", 4, 0, 40594},
        {"720p 4 s", FAST, "720p", "16:9", 4, 0, 87300},
        {"720p by default", STANDARD, NULL, "16:9", NO_DURATION, 0, 108900},
        {"1080p 4 s", STANDARD, "1080p", "16:9", 4, 0, 196425},
        {"4k 5 s", STANDARD, "4k", "16:9", 5, 0, 980100},
        /* adaptive: the widest of its resolution */
        {"720p adaptive is 4:3", STANDARD, "720p", "adaptive", 5, 0, 109586},
        {"adaptive by default", STANDARD, NULL, NULL, NO_DURATION, 0, 109586},
        {"1080p adaptive is 21:9", STANDARD, "1080p", "adaptive", 5, 0, 246593},
        {"480p adaptive is 16:9", STANDARD, "480p", "adaptive", 5, 0, 50638},
        /* -1: the longest, 361 frames */
        {"720p -1", STANDARD, "720p", "16:9", -1, 0, 324900},
        /* a video of unknown length: floor(921600 * (24 * (5 + 15.2) + 1) / 1024) */
        {"720p 5 s and a video", STANDARD, "720p", "16:9", 5, 1, 437220},
        {"three videos share 15.2 s", STANDARD, "720p", "16:9", 5, 3, 437220},
        /* floor(921600 * (24 * (15 + 15.2) + 1) / 1024) */
        {"720p -1 and a video", STANDARD, "720p", "16:9", -1, 1, 653220},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct task_draft draft = draft_of(&(struct row){.model = rows[i].model,
                                                         .resolution = rows[i].resolution,
                                                         .ratio = rows[i].ratio,
                                                         .duration = rows[i].duration,
                                                         .videos = rows[i].videos});
        struct task_plan plan = {0};
        struct err err = {0};

        CHECK_OK(rows[i].what, judge_draft(&draft, &plan, &err), &err);
        CHECK_INT(rows[i].what, plan.max_tokens, rows[i].want);
        CHECK_INT(rows[i].what, plan.duration,
                  rows[i].duration == NO_DURATION ? 5 : rows[i].duration);
        CHECK_INT(rows[i].what, plan.duration_max,
                  rows[i].duration == -1
                      ? 15
                      : (rows[i].duration == NO_DURATION ? 5 : rows[i].duration));
    }
}

CHECK_MAIN(CHECK_TEST(test_modes), CHECK_TEST(test_counts), CHECK_TEST(test_durations),
           CHECK_TEST(test_resolutions), CHECK_TEST(test_4k_is_written_small_from_then_on),
           CHECK_TEST(test_ratios_and_tiers), CHECK_TEST(test_defaults),
           CHECK_TEST(test_worst_case))
