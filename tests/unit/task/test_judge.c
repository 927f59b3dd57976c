/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule about a create beside the nearest create that it lets through, the
 * defaults, and the worst case that is held. */
#include "gateway/task/task.h"

#include "tests/lib/catalogue_fixture.h"
#include "tests/lib/check.h"

#define STANDARD "doubao-seedance-2-0"
#define FAST "doubao-seedance-2-0-fast"
#define MINI "doubao-seedance-2-0-mini"
#define PRO_15 "doubao-seedance-1-5-pro"
#define PRO_10 "doubao-seedance-1-0-pro"
#define PRO_10_FAST "doubao-seedance-1-0-pro-fast"
#define LITE_T2V "doubao-seedance-1-0-lite-t2v"
#define LITE_I2V "doubao-seedance-1-0-lite-i2v"
#define NEXT "doubao-seedance-2-5"

/* A draft as a table row has it; NULL text is absent. */
struct row {
    const char *what;
    const char *model; /* NULL: standard */
    const char *resolution, *ratio, *tier;
    int duration; /* NO_DURATION: absent */
    bool no_text;
    int images, videos, audios, first_frames, last_frames;
    bool references_audio;
    int references; /* items with a reference role */
    int64_t frames; /* 0: absent */
    bool draft, camera_fixed, web_search, draft_task;
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
        .references = row->references,
        .has_frames = row->frames != 0,
        .frames = row->frames,
        .has_draft = row->draft,
        .draft = row->draft,
        .camera_fixed = row->camera_fixed,
        .web_search = row->web_search,
        .draft_task = row->draft_task ? STR("cgt-1") : (struct str){"", 0},
    };
}

/* Ark's next model, with sizes so that it can be judged. */
static void open_models(struct catalogue_fixture *fixture)
{
    catalogue_fixture_init(fixture);
    catalogue_fixture_set(fixture->db, fixture->catalogue, 0, NEXT, "sizes", "2.0");
}

/* The plan's texts may point into its own model, so it is filled where it stays. */
static void judge_into(const struct catalogue_fixture *fixture, const char *what,
                       const struct task_draft *draft, struct task_plan *ret_plan,
                       struct err *err)
{
    *ret_plan = (struct task_plan){.duration = -77};
    ret_plan->model = catalogue_fixture_model(
        fixture->catalogue, 0, draft->model_asked.len > 0 ? draft->model_asked.ptr : STANDARD);
    *err = (struct err){0};
    CHECK_INT(what, judge_draft(draft, ret_plan, err), err->code);
}

static void judge(const struct catalogue_fixture *fixture, const char *what,
                  const struct task_draft *draft, struct err *err)
{
    struct task_plan plan;

    judge_into(fixture, what, draft, &plan, err);
}

/* For drafts that must pass. */
static void plan_of(const struct catalogue_fixture *fixture, const char *what,
                    const struct task_draft *draft, struct task_plan *ret_plan)
{
    struct err err;

    judge_into(fixture, what, draft, ret_plan, &err);
    CHECK_INT(what, err.code, ERR_OK);
    CHECK_TEXT(what, err.msg, "");
}

static void check_rows(const struct row *rows, size_t count)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    open_models(&fixture);
    for (size_t i = 0; i < count; i++) {
        struct task_draft draft = draft_of(&rows[i]);
        struct err err;

        judge(&fixture, rows[i].what, &draft, &err);
        CHECK_INT(rows[i].what, err.code, rows[i].code);
        CHECK_TEXT(rows[i].what, err.field, rows[i].field == NULL ? "" : rows[i].field);
        CHECK_TRUE(rows[i].what, rows[i].code == ERR_OK || err.msg[0] != '\0');
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
        {.what = "1.5 pro 4 s", .model = PRO_15, .duration = 4},
        {.what = "1.5 pro 3 s",
         .model = PRO_15,
         .duration = 3,
         .code = ERR_DURATION,
         .field = "duration"},
        {.what = "1.5 pro 12 s", .model = PRO_15, .duration = 12},
        {.what = "1.5 pro 13 s",
         .model = PRO_15,
         .duration = 13,
         .code = ERR_DURATION,
         .field = "duration"},
        {.what = "1.5 pro -1", .model = PRO_15, .duration = -1},
        {.what = "1.0 pro 2 s", .model = PRO_10, .duration = 2},
        {.what = "1.0 pro 1 s",
         .model = PRO_10,
         .duration = 1,
         .code = ERR_DURATION,
         .field = "duration"},
        {.what = "1.0 pro 12 s", .model = PRO_10, .duration = 12},
        {.what = "1.0 pro 13 s",
         .model = PRO_10,
         .duration = 13,
         .code = ERR_DURATION,
         .field = "duration"},
        {.what = "1.0 pro -1",
         .model = PRO_10,
         .duration = -1,
         .code = ERR_DURATION,
         .field = "duration"},
        {.what = "lite 2 s", .model = LITE_T2V, .duration = 2},
        {.what = "lite -1",
         .model = LITE_T2V,
         .duration = -1,
         .code = ERR_DURATION,
         .field = "duration"},
        {.what = "2.5 30 s", .model = NEXT, .duration = 30},
        {.what = "2.5 31 s",
         .model = NEXT,
         .duration = 31,
         .code = ERR_DURATION,
         .field = "duration"},
        {.what = "2.5 3 s",
         .model = NEXT,
         .duration = 3,
         .code = ERR_DURATION,
         .field = "duration"},
        {.what = "mini 4 s", .model = MINI, .duration = 4},
        {.what = "mini 3 s",
         .model = MINI,
         .duration = 3,
         .code = ERR_DURATION,
         .field = "duration"},
    };
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct task_draft draft = draft_of(&(struct row){.model = NULL});
    struct err err;

    check_rows(rows, COUNT_OF(rows));
    open_models(&fixture);
    draft.has_duration = true;
    draft.duration = INT64_MAX;
    judge(&fixture, "largest", &draft, &err);
    CHECK_INT("largest", err.code, ERR_DURATION);
    draft.duration = INT64_MIN;
    judge(&fixture, "least", &draft, &err);
    CHECK_INT("least", err.code, ERR_DURATION);
}

/* Each model with each resolution. */
static void test_resolutions(void)
{
    static const char *const words[] = {"480p", "720p", "1080p", "4k",    "4K",
                                        "2k",   "720",  "720P",  "1440p", ""};
    static const struct {
        const char *model;
        const char *may; /* y or n by word */
    } rows[] = {{STANDARD, "yyyyynnnnn"}, {FAST, "yynnnnnnnn"},   {MINI, "yynnnnnnnn"},
                {PRO_15, "yyynnnnnnn"},   {PRO_10, "yyynnnnnnn"}, {PRO_10_FAST, "yyynnnnnnn"},
                {LITE_T2V, "yyynnnnnnn"}, {NEXT, "yyynnnnnnn"}};

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
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    open_models(&fixture);
    struct task_plan plan;

    plan_of(&fixture, "4K", &draft, &plan);

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
        {.what = "flex with mini",
         .model = MINI,
         .tier = "flex",
         .code = ERR_INVALID,
         .field = "service_tier"},
        {.what = "flex with 1.5 pro", .model = PRO_15, .tier = "flex"},
        {.what = "flex with 1.0 pro", .model = PRO_10, .tier = "flex"},
        {.what = "flex with 1.0 pro fast", .model = PRO_10_FAST, .tier = "flex"},
        {.what = "flex with lite", .model = LITE_T2V, .tier = "flex"},
        {.what = "flex with 2.5",
         .model = NEXT,
         .tier = "flex",
         .code = ERR_INVALID,
         .field = "service_tier"},
        {.what = "Flex with 1.5 pro",
         .model = PRO_15,
         .tier = "Flex",
         .code = ERR_INVALID,
         .field = "service_tier"},
        {.what = "another tier with 1.5 pro",
         .model = PRO_15,
         .tier = "fast",
         .code = ERR_INVALID,
         .field = "service_tier"},
        {.what = "default with 1.5 pro", .model = PRO_15, .tier = "default"},
        /* Adaptive needs a picture to adapt to, with the models that say so. */
        {.what = "adaptive text with 1.0 pro",
         .model = PRO_10,
         .ratio = "adaptive",
         .code = ERR_INVALID,
         .field = "ratio"},
        {.what = "adaptive image with 1.0 pro",
         .model = PRO_10,
         .ratio = "adaptive",
         .images = 1,
         .first_frames = 1},
        {.what = "adaptive text with lite",
         .model = LITE_T2V,
         .ratio = "adaptive",
         .code = ERR_INVALID,
         .field = "ratio"},
        {.what = "adaptive image with lite",
         .model = LITE_I2V,
         .ratio = "adaptive",
         .images = 1},
        {.what = "21:9 text with 1.0 pro", .model = PRO_10, .ratio = "21:9"},
        {.what = "21:9 image with 1.0 pro", .model = PRO_10, .ratio = "21:9", .images = 1},
        {.what = "9:21 image with 1.0 pro",
         .model = PRO_10,
         .ratio = "9:21",
         .images = 1,
         .code = ERR_INVALID,
         .field = "ratio"},
        {.what = "adaptive text with 1.5 pro", .model = PRO_15, .ratio = "adaptive"},
        /* And with 2.5 a first frame decides it alone. */
        {.what = "first frame and 16:9 with 2.5",
         .model = NEXT,
         .ratio = "16:9",
         .images = 1,
         .first_frames = 1,
         .code = ERR_INVALID,
         .field = "ratio"},
        {.what = "first frame and adaptive with 2.5",
         .model = NEXT,
         .ratio = "adaptive",
         .images = 1,
         .first_frames = 1},
        {.what = "first frame alone with 2.5", .model = NEXT, .images = 1, .first_frames = 1},
        {.what = "both frames and 1:1 with 2.5",
         .model = NEXT,
         .ratio = "1:1",
         .images = 2,
         .first_frames = 1,
         .last_frames = 1,
         .code = ERR_INVALID,
         .field = "ratio"},
        {.what = "references and 16:9 with 2.5",
         .model = NEXT,
         .ratio = "16:9",
         .images = 2,
         .references = 2},
        {.what = "text and 16:9 with 2.5", .model = NEXT, .ratio = "16:9"},
        {.what = "text and adaptive with 2.5", .model = NEXT, .ratio = "adaptive"},
        {.what = "first frame and 16:9 with 2.0",
         .ratio = "16:9",
         .images = 1,
         .first_frames = 1},
    };

    check_rows(rows, COUNT_OF(rows));
}

static void test_defaults(void)
{
    struct task_draft draft = draft_of(&(struct row){.model = NULL});
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    open_models(&fixture);
    struct task_plan plan;

    plan_of(&fixture, "bare", &draft, &plan);

    CHECK_TEXT("model", plan.model.name, STANDARD);
    CHECK_TRUE("frames, seed", !plan.has_frames && !plan.has_seed);
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
    plan_of(&fixture, "asked", &draft, &plan);
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

    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    open_models(&fixture);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct task_draft draft = draft_of(&(struct row){.model = rows[i].model,
                                                         .resolution = rows[i].resolution,
                                                         .ratio = rows[i].ratio,
                                                         .duration = rows[i].duration,
                                                         .videos = rows[i].videos});
        struct task_plan plan;

        plan_of(&fixture, rows[i].what, &draft, &plan);

        CHECK_INT(rows[i].what, plan.max_tokens, rows[i].want);
        CHECK_INT(rows[i].what, plan.duration,
                  rows[i].duration == NO_DURATION ? 5 : rows[i].duration);
        CHECK_INT(rows[i].what, plan.duration_max,
                  rows[i].duration == -1
                      ? 15
                      : (rows[i].duration == NO_DURATION ? 5 : rows[i].duration));
    }
}

/* What each of the older models and 2.5 can be shown. */
static void test_modes_of_the_other_models(void)
{
    static const struct row rows[] = {
        {.what = "1.5: text", .model = PRO_15},
        {.what = "1.5: first frame", .model = PRO_15, .images = 1, .first_frames = 1},
        {.what = "1.5: an image without role", .model = PRO_15, .images = 1},
        {.what = "1.5: first and last",
         .model = PRO_15,
         .images = 2,
         .first_frames = 1,
         .last_frames = 1},
        {.what = "1.5: three images",
         .model = PRO_15,
         .images = 3,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "1.5: reference",
         .model = PRO_15,
         .images = 1,
         .references = 1,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "1.5: video",
         .model = PRO_15,
         .videos = 1,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "1.5: audio",
         .model = PRO_15,
         .images = 1,
         .audios = 1,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "1.5: audio elsewhere",
         .model = PRO_15,
         .references_audio = true,
         .code = ERR_INVALID,
         .field = "references.audio"},

        {.what = "1.0: first and last",
         .model = PRO_10,
         .images = 2,
         .first_frames = 1,
         .last_frames = 1},
        {.what = "1.0: video",
         .model = PRO_10,
         .videos = 1,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "1.0: reference",
         .model = PRO_10,
         .images = 1,
         .references = 1,
         .code = ERR_INVALID,
         .field = "content"},

        {.what = "1.0 fast: text", .model = PRO_10_FAST},
        {.what = "1.0 fast: first", .model = PRO_10_FAST, .images = 1, .first_frames = 1},
        {.what = "1.0 fast: first and last",
         .model = PRO_10_FAST,
         .images = 2,
         .first_frames = 1,
         .last_frames = 1,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "1.0 fast: two images",
         .model = PRO_10_FAST,
         .images = 2,
         .code = ERR_INVALID,
         .field = "content"},

        {.what = "t2v: text", .model = LITE_T2V},
        {.what = "t2v: nothing",
         .model = LITE_T2V,
         .no_text = true,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "t2v: an image",
         .model = LITE_T2V,
         .images = 1,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "t2v: first frame",
         .model = LITE_T2V,
         .images = 1,
         .first_frames = 1,
         .code = ERR_INVALID,
         .field = "content"},

        {.what = "i2v: text alone", .model = LITE_I2V, .code = ERR_INVALID, .field = "content"},
        {.what = "i2v: an image", .model = LITE_I2V, .images = 1},
        {.what = "i2v: an image without text", .model = LITE_I2V, .no_text = true, .images = 1},
        {.what = "i2v: first and last",
         .model = LITE_I2V,
         .images = 2,
         .first_frames = 1,
         .last_frames = 1},
        {.what = "i2v: four references", .model = LITE_I2V, .images = 4, .references = 4},
        {.what = "i2v: five",
         .model = LITE_I2V,
         .images = 5,
         .references = 5,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "i2v: a video",
         .model = LITE_I2V,
         .images = 1,
         .videos = 1,
         .code = ERR_INVALID,
         .field = "content"},

        {.what = "2.5: audio alone", .model = NEXT, .no_text = true, .audios = 1},
        {.what = "2.5: audio and text", .model = NEXT, .audios = 1},
        {.what = "2.5: nothing",
         .model = NEXT,
         .no_text = true,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "2.5: 30, 10 and 10", .model = NEXT, .images = 30, .videos = 10, .audios = 10},
        {.what = "2.5: 31 images",
         .model = NEXT,
         .images = 31,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "2.5: 11 videos",
         .model = NEXT,
         .videos = 11,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "2.5: 11 audios",
         .model = NEXT,
         .audios = 11,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "2.5: first frame and audio",
         .model = NEXT,
         .images = 1,
         .first_frames = 1,
         .audios = 1,
         .code = ERR_INVALID,
         .field = "content"},
    };

    check_rows(rows, COUNT_OF(rows));
}

static void test_switches(void)
{
    static const struct row rows[] = {
        {.what = "2.0: draft", .draft = true, .code = ERR_INVALID, .field = "draft"},
        {.what = "mini: draft",
         .model = MINI,
         .draft = true,
         .code = ERR_INVALID,
         .field = "draft"},
        {.what = "1.5: draft", .model = PRO_15, .draft = true},
        {.what = "1.0: draft",
         .model = PRO_10,
         .draft = true,
         .code = ERR_INVALID,
         .field = "draft"},
        {.what = "2.5: draft",
         .model = NEXT,
         .draft = true,
         .code = ERR_INVALID,
         .field = "draft"},
        {.what = "2.0: of a draft",
         .draft_task = true,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "1.5: of a draft", .model = PRO_15, .draft_task = true},
        {.what = "1.5: of a draft, no text",
         .model = PRO_15,
         .draft_task = true,
         .no_text = true},
        {.what = "1.0: of a draft",
         .model = PRO_10,
         .draft_task = true,
         .code = ERR_INVALID,
         .field = "content"},
        {.what = "2.0: camera_fixed",
         .camera_fixed = true,
         .code = ERR_INVALID,
         .field = "camera_fixed"},
        {.what = "1.5: camera_fixed", .model = PRO_15, .camera_fixed = true},
        {.what = "1.0: camera_fixed", .model = PRO_10, .camera_fixed = true},
        {.what = "t2v: camera_fixed", .model = LITE_T2V, .camera_fixed = true},
        {.what = "2.5: camera_fixed",
         .model = NEXT,
         .camera_fixed = true,
         .code = ERR_INVALID,
         .field = "camera_fixed"},
        {.what = "2.0: web_search", .web_search = true},
        {.what = "mini: web_search", .model = MINI, .web_search = true},
        {.what = "1.5: web_search",
         .model = PRO_15,
         .web_search = true,
         .code = ERR_INVALID,
         .field = "tools"},
        {.what = "2.5: web_search",
         .model = NEXT,
         .web_search = true,
         .code = ERR_INVALID,
         .field = "tools"},
        {.what = "web_search and an image",
         .web_search = true,
         .images = 1,
         .code = ERR_INVALID,
         .field = "tools"},
        {.what = "web_search and a video",
         .web_search = true,
         .videos = 1,
         .code = ERR_INVALID,
         .field = "tools"},
        {.what = "2.0: frames", .frames = 29, .code = ERR_INVALID, .field = "frames"},
        {.what = "1.5: frames",
         .model = PRO_15,
         .frames = 29,
         .code = ERR_INVALID,
         .field = "frames"},
        {.what = "2.5: frames",
         .model = NEXT,
         .frames = 29,
         .code = ERR_INVALID,
         .field = "frames"},
    };

    check_rows(rows, COUNT_OF(rows));
}

static void test_frames(void)
{
    static const struct row rows[] = {
        {.what = "29", .model = PRO_10, .frames = 29},
        {.what = "33", .model = PRO_10, .frames = 33},
        {.what = "289", .model = PRO_10, .frames = 289},
        {.what = "285", .model = LITE_T2V, .frames = 285},
        {.what = "25", .model = PRO_10, .frames = 25, .code = ERR_INVALID, .field = "frames"},
        {.what = "28", .model = PRO_10, .frames = 28, .code = ERR_INVALID, .field = "frames"},
        {.what = "30", .model = PRO_10, .frames = 30, .code = ERR_INVALID, .field = "frames"},
        {.what = "31", .model = PRO_10, .frames = 31, .code = ERR_INVALID, .field = "frames"},
        {.what = "288", .model = PRO_10, .frames = 288, .code = ERR_INVALID, .field = "frames"},
        {.what = "293", .model = PRO_10, .frames = 293, .code = ERR_INVALID, .field = "frames"},
        {.what = "-1", .model = PRO_10, .frames = -1, .code = ERR_INVALID, .field = "frames"},
        {.what = "least",
         .model = PRO_10,
         .frames = INT64_MIN,
         .code = ERR_INVALID,
         .field = "frames"},
        {.what = "largest",
         .model = PRO_10,
         .frames = INT64_MAX,
         .code = ERR_INVALID,
         .field = "frames"},
        {.what = "a bad duration beside frames",
         .model = PRO_10,
         .frames = 29,
         .duration = 13,
         .code = ERR_DURATION,
         .field = "duration"},
    };
    struct task_draft draft =
        draft_of(&(struct row){.model = PRO_10, .resolution = "480p", .frames = 29});
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    check_rows(rows, COUNT_OF(rows));
    open_models(&fixture);
    struct task_plan plan;

    plan_of(&fixture, "29", &draft, &plan);

    CHECK_TRUE("frames", plan.has_frames && plan.frames == 29 && plan.duration == 0);
    CHECK_INT("1.2 s are 2", plan.duration_max, 2);
    CHECK_INT("864*480*30/1024", plan.max_tokens, 12150);
    /* As Ark: frames win over a duration. */
    draft.has_duration = true;
    draft.duration = 12;
    plan_of(&fixture, "29 and 12 s", &draft, &plan);
    CHECK_TRUE("frames", plan.has_frames && plan.duration == 0);
    CHECK_INT("864*480*30/1024", plan.max_tokens, 12150);
    draft = draft_of(&(struct row){.model = PRO_10, .frames = 289});
    plan_of(&fixture, "289", &draft, &plan);
    CHECK_INT("12.04 s are 13", plan.duration_max, 13);
    CHECK_INT("1920*1088*290/1024", plan.max_tokens, 591600);
    draft.has_frames = false;
    draft.frames = 0;
    draft.has_seed = true;
    draft.seed = 7;
    plan_of(&fixture, "no frames", &draft, &plan);
    CHECK_TRUE("seconds", !plan.has_frames && plan.duration == 5);
    CHECK_TRUE("seed", plan.has_seed && plan.seed == 7);
}

/* What every model does when nothing is said but what it needs, and what is held. */
static void test_defaults_of_every_model(void)
{
    static const struct {
        const char *model;
        int images;
        const char *resolution, *ratio;
        int64_t duration, duration_max, tokens;
        bool audio;
    } rows[] = {
        {STANDARD, 0, "720p", "adaptive", 5, 5, 109586, true},
        {FAST, 0, "720p", "adaptive", 5, 5, 109586, true},
        {MINI, 0, "720p", "adaptive", 5, 5, 109586, true},
        {PRO_15, 0, "720p", "adaptive", 5, 5, 109586, true},
        {PRO_10, 0, "1080p", "16:9", 5, 5, 246840, false},
        {PRO_10, 1, "1080p", "adaptive", 5, 5, 246840, false},
        {PRO_10_FAST, 0, "1080p", "16:9", 5, 5, 246840, false},
        {LITE_T2V, 0, "720p", "16:9", 5, 5, 103818, false},
        {LITE_I2V, 1, "720p", "adaptive", 5, 5, 113740, false},
        {NEXT, 0, "720p", "adaptive", -1, 30, 652989, true},
    };
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    open_models(&fixture);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct task_draft draft =
            draft_of(&(struct row){.model = rows[i].model, .images = rows[i].images});
        struct task_plan plan;

        plan_of(&fixture, rows[i].model, &draft, &plan);

        CHECK_TRUE(rows[i].model, str_is(plan.resolution, rows[i].resolution));
        CHECK_TRUE(rows[i].model, str_is(plan.ratio, rows[i].ratio));
        CHECK_INT(rows[i].model, plan.duration, rows[i].duration);
        CHECK_INT(rows[i].model, plan.duration_max, rows[i].duration_max);
        CHECK_INT(rows[i].model, plan.max_tokens, rows[i].tokens);
        CHECK_INT(rows[i].model, plan.audio, rows[i].audio);
        /* A model without sound makes none when it is told to. */
        draft.has_audio = draft.audio = true;
        plan_of(&fixture, rows[i].model, &draft, &plan);
        CHECK_INT(rows[i].model, plan.audio, rows[i].audio);
        draft.audio = false;
        plan_of(&fixture, rows[i].model, &draft, &plan);
        CHECK_TRUE(rows[i].model, !plan.audio);
    }
}

/* A draft is made at 480p; its video is as long as the draft was asked to be, which is
 * not known here: the longest is held. */
static void test_drafts(void)
{
    static const struct {
        const char *what;
        struct row row;
        const char *resolution;
        int64_t duration_max, tokens;
    } rows[] = {
        {"draft", {.draft = true}, "480p", 5, 50638},
        {"draft at 720p", {.draft = true, .resolution = "720p"}, "720p", 5, 109586},
        {"draft of 12 s", {.draft = true, .duration = 12}, "480p", 12, 120946},
        {"draft of -1 s", {.draft = true, .duration = -1}, "480p", 12, 120946},
        {"of a draft", {.draft_task = true}, "720p", 12, 261739},
        {"of a draft, 6 s", {.draft_task = true, .duration = 6}, "720p", 6, 131322},
        {"of a draft, -1 s", {.draft_task = true, .duration = -1}, "720p", 12, 261739},
        {"of a draft, 16:9", {.draft_task = true, .ratio = "16:9"}, "720p", 12, 260100},
    };
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    open_models(&fixture);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct row row = rows[i].row;
        struct task_draft draft;
        struct task_plan plan;

        row.model = PRO_15;
        draft = draft_of(&row);
        plan_of(&fixture, rows[i].what, &draft, &plan);
        CHECK_TRUE(rows[i].what, str_is(plan.resolution, rows[i].resolution));
        CHECK_INT(rows[i].what, plan.duration_max, rows[i].duration_max);
        CHECK_INT(rows[i].what, plan.max_tokens, rows[i].tokens);
    }
    /* draft: false asks for nothing. */
    struct task_draft draft = draft_of(&(struct row){.model = PRO_15});

    draft.has_draft = true;
    struct task_plan plan;

    plan_of(&fixture, "draft: false", &draft, &plan);

    CHECK_TRUE("draft: false", str_is(plan.resolution, "720p"));
}

/* Parameters at the prompt's end: weak. What a model does not take means its default. */
static void test_inline_parameters(void)
{
    static const struct {
        const char *what, *model;
        struct draft_inline weak;
        struct row row;
        const char *resolution, *ratio; /* NULL: the default */
        int64_t duration, frames, seed; /* 5 s, none and -7 by default */
    } rows[] = {
        {"none", STANDARD, {.has_seed = false}, {0}, NULL, NULL, 5, 0, -7},
        {"resolution", STANDARD, {.resolution = {"1080p", 5}}, {0}, "1080p", NULL, 5, 0, -7},
        {"4K", STANDARD, {.resolution = {"4K", 2}}, {0}, "4k", NULL, 5, 0, -7},
        {"4k", STANDARD, {.resolution = {"4k", 2}}, {0}, "4k", NULL, 5, 0, -7},
        {"a lacking resolution", FAST, {.resolution = {"1080p", 5}}, {0}, NULL, NULL, 5, 0, -7},
        {"no resolution at all", STANDARD, {.resolution = {"x", 1}}, {0}, NULL, NULL, 5, 0, -7},
        {"the member wins",
         STANDARD,
         {.resolution = {"1080p", 5}},
         {.resolution = "480p"},
         "480p",
         NULL,
         5,
         0,
         -7},
        {"ratio", STANDARD, {.ratio = {"9:16", 4}}, {0}, NULL, "9:16", 5, 0, -7},
        {"a lacking ratio", STANDARD, {.ratio = {"9:21", 4}}, {0}, NULL, NULL, 5, 0, -7},
        {"the member wins",
         STANDARD,
         {.ratio = {"9:16", 4}},
         {.ratio = "1:1"},
         NULL,
         "1:1",
         5,
         0,
         -7},
        {"adaptive text", PRO_10, {.ratio = {"adaptive", 8}}, {0}, NULL, NULL, 5, 0, -7},
        {"4:3 text", PRO_10, {.ratio = {"4:3", 3}}, {0}, NULL, "4:3", 5, 0, -7},
        {"adaptive image",
         LITE_I2V,
         {.ratio = {"adaptive", 8}},
         {.images = 1},
         NULL,
         "adaptive",
         5,
         0,
         -7},
        {"16:9 and a first frame",
         NEXT,
         {.ratio = {"16:9", 4}},
         {.images = 1, .first_frames = 1},
         NULL,
         "adaptive",
         -1,
         0,
         -7},
        {"duration",
         STANDARD,
         {.has_duration = true, .duration = 12},
         {0},
         NULL,
         NULL,
         12,
         0,
         -7},
        {"-1", STANDARD, {.has_duration = true, .duration = -1}, {0}, NULL, NULL, -1, 0, -7},
        {"16", STANDARD, {.has_duration = true, .duration = 16}, {0}, NULL, NULL, 5, 0, -7},
        {"-1 where there is none",
         PRO_10,
         {.has_duration = true, .duration = -1},
         {0},
         NULL,
         NULL,
         5,
         0,
         -7},
        {"the member wins",
         STANDARD,
         {.has_duration = true, .duration = 12},
         {.duration = 4},
         NULL,
         NULL,
         4,
         0,
         -7},
        {"frames", PRO_10, {.has_frames = true, .frames = 57}, {0}, NULL, NULL, 0, 57, -7},
        {"frames off the steps",
         PRO_10,
         {.has_frames = true, .frames = 58},
         {0},
         NULL,
         NULL,
         5,
         0,
         -7},
        {"frames with 2.0",
         STANDARD,
         {.has_frames = true, .frames = 57},
         {0},
         NULL,
         NULL,
         5,
         0,
         -7},
        {"a duration wins over weak frames",
         PRO_10,
         {.has_frames = true, .frames = 57},
         {.duration = 4},
         NULL,
         NULL,
         4,
         0,
         -7},
        {"weak frames win over a weak duration",
         PRO_10,
         {.has_frames = true, .frames = 57, .has_duration = true, .duration = 9},
         {0},
         NULL,
         NULL,
         0,
         57,
         -7},
        {"frames win over weak frames",
         PRO_10,
         {.has_frames = true, .frames = 57},
         {.frames = 29},
         NULL,
         NULL,
         0,
         29,
         -7},
        {"seed", STANDARD, {.has_seed = true, .seed = 42}, {0}, NULL, NULL, 5, 0, 42},
        {"least seed", STANDARD, {.has_seed = true, .seed = -1}, {0}, NULL, NULL, 5, 0, -1},
        {"below it", STANDARD, {.has_seed = true, .seed = -2}, {0}, NULL, NULL, 5, 0, -7},
        {"largest seed",
         STANDARD,
         {.has_seed = true, .seed = 4294967295},
         {0},
         NULL,
         NULL,
         5,
         0,
         4294967295},
        {"above it",
         STANDARD,
         {.has_seed = true, .seed = 4294967296},
         {0},
         NULL,
         NULL,
         5,
         0,
         -7},
        {"a seed with 2.5", NEXT, {.has_seed = true, .seed = 42}, {0}, NULL, NULL, -1, 0, -7},
    };
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    open_models(&fixture);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct row row = rows[i].row;
        struct task_draft draft;
        struct task_plan plan;

        row.model = rows[i].model;
        draft = draft_of(&row);
        draft.in_prompt = rows[i].weak;
        plan_of(&fixture, rows[i].what, &draft, &plan);
        CHECK_TRUE(rows[i].what,
                   str_is(plan.resolution, rows[i].resolution != NULL ? rows[i].resolution
                                                                      : plan.model.resolution));
        CHECK_TRUE(rows[i].what,
                   str_is(plan.ratio, rows[i].ratio != NULL ? rows[i].ratio
                                      : plan.model.text_ratio[0] != '\0' && row.images == 0
                                          ? plan.model.text_ratio
                                          : plan.model.ratio));
        CHECK_INT(rows[i].what, plan.duration, rows[i].duration);
        CHECK_INT(rows[i].what, plan.has_frames ? plan.frames : 0, rows[i].frames);
        CHECK_INT(rows[i].what, plan.has_seed ? plan.seed : -7, rows[i].seed);
    }
}

/* They count for the hold as members do, and can be switched off. */
static void test_inline_parameters_are_held_for(void)
{
    struct task_draft draft = draft_of(&(struct row){.model = STANDARD});
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    open_models(&fixture);
    draft.in_prompt = (struct draft_inline){.resolution = STR("1080p"),
                                            .ratio = STR("16:9"),
                                            .has_duration = true,
                                            .duration = 4,
                                            .has_seed = true,
                                            .seed = 42};
    struct task_plan plan;

    plan_of(&fixture, "inline", &draft, &plan);

    CHECK_INT("1080p 4 s", plan.max_tokens, 196425);
    draft.in_prompt.duration = -1;
    plan_of(&fixture, "inline", &draft, &plan);
    CHECK_INT("1080p 15 s", plan.max_tokens, 731025);
    catalogue_fixture_set(fixture.db, fixture.catalogue, 0, STANDARD, "inline_parameters",
                          "off");
    plan_of(&fixture, "not heeded", &draft, &plan);
    CHECK_INT("720p adaptive 5 s", plan.max_tokens, 109586);
    CHECK_TRUE("no seed", !plan.has_seed);
    draft = draft_of(&(struct row){.model = STANDARD, .resolution = "480p"});
    plan_of(&fixture, "480p", &draft, &plan);
    CHECK_INT("members are", plan.max_tokens, 50638);
}

/* A model without sizes cannot be counted, so it cannot be judged either. */
static void test_no_sizes(void)
{
    struct task_draft draft = draft_of(&(struct row){.model = NEXT});
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct err err;

    catalogue_fixture_init(&fixture);
    judge(&fixture, "no sizes", &draft, &err);
    CHECK_INT("no sizes", err.code, ERR_INVALID);
    CHECK_TEXT("no sizes", err.field, "resolution");
}

CHECK_MAIN(CHECK_TEST(test_modes), CHECK_TEST(test_counts), CHECK_TEST(test_durations),
           CHECK_TEST(test_resolutions), CHECK_TEST(test_4k_is_written_small_from_then_on),
           CHECK_TEST(test_ratios_and_tiers), CHECK_TEST(test_defaults),
           CHECK_TEST(test_worst_case), CHECK_TEST(test_modes_of_the_other_models),
           CHECK_TEST(test_switches), CHECK_TEST(test_frames),
           CHECK_TEST(test_defaults_of_every_model), CHECK_TEST(test_drafts),
           CHECK_TEST(test_inline_parameters), CHECK_TEST(test_inline_parameters_are_held_for),
           CHECK_TEST(test_no_sizes))
