/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's own tables of models and sizes and its token formula. */
#include "gateway/sim/sim_model.h"

#include <string.h>

enum { RES_480P, RES_720P, RES_1080P, RES_4K };

#define BIT(n) (1u << (n))
#define TEXT BIT(SIM_MODE_TEXT)
#define FIRST BIT(SIM_MODE_FIRST)
#define FIRST_LAST (FIRST | BIT(SIM_MODE_FRAMES))
#define ALL (TEXT | FIRST_LAST | BIT(SIM_MODE_REFERENCE))
#define TO_720P (BIT(RES_480P) | BIT(RES_720P))
#define TO_1080P (TO_720P | BIT(RES_1080P))
#define TO_4K (TO_1080P | BIT(RES_4K))

/* Common to the 2.0 models; older Ark documents allow them a seed. */
#define SEEDANCE_2_0                                                                        \
    .modes = ALL, .resolution = RES_720P, .least = 4, .most = 15, .images = 9, .videos = 3, \
    .audios = 3, .input_seconds = 15, .text_adaptive = true, .chooses = true,               \
    .has_audio = true, .has_seed = true, .has_priority = true, .has_search = true
#define SEEDANCE_1_0                                                                 \
    .resolutions = TO_1080P, .least = 2, .most = 12, .images = 2, .old_sizes = true, \
    .has_frames = true, .has_seed = true, .has_camera = true, .has_flex = true,      \
    .tells_format = true

static const struct sim_model models[] = {
    {"doubao-seedance-2-0-260128", "doubao-seedance-2-0", "", TO_4K, SEEDANCE_2_0,
     .echoes_audio = true},
    {"doubao-seedance-2-0-fast-260128", "doubao-seedance-2-0-fast", "fast", TO_720P,
     SEEDANCE_2_0, .echoes_audio = true},
    {"doubao-seedance-2-0-mini-260615", "doubao-seedance-2-0-mini", "mini", TO_720P,
     SEEDANCE_2_0},
    {"doubao-seedance-2-5-260628",
     "doubao-seedance-2-5",
     "seedance-2-5",
     TO_1080P,
     ALL,
     .resolution = RES_720P,
     .least = 4,
     .most = 30,
     .images = 30,
     .videos = 10,
     .audios = 10,
     .input_seconds = 30,
     .text_adaptive = true,
     .frames_adaptive = true,
     .chooses = true,
     .chooses_by_default = true,
     .audio_alone = true,
     .has_audio = true,
     .echoes_audio = true,
     .has_priority = true,
     .tells_format = true},
    {"doubao-seedance-1-5-pro-251215", "doubao-seedance-1-5-pro", "1-5-pro", TO_1080P,
     TEXT | FIRST_LAST | BIT(SIM_MODE_DRAFT), .resolution = RES_720P, .least = 4, .most = 12,
     .images = 2, .text_adaptive = true, .chooses = true, .has_audio = true,
     .echoes_audio = true, .has_seed = true, .has_camera = true, .has_draft = true,
     .has_flex = true, .tells_format = true},
    {"doubao-seedance-1-0-pro-fast-251015", "doubao-seedance-1-0-pro-fast", "1-0-pro-fast",
     SEEDANCE_1_0, .modes = TEXT | FIRST, .resolution = RES_1080P},
    {"doubao-seedance-1-0-pro-250528", "doubao-seedance-1-0-pro", "1-0-pro", SEEDANCE_1_0,
     .modes = TEXT | FIRST_LAST, .resolution = RES_1080P},
    {"doubao-seedance-1-0-lite-t2v-250428", "doubao-seedance-1-0-lite-t2v", "1-0-lite-t2v",
     SEEDANCE_1_0, .modes = TEXT, .resolution = RES_720P},
    {"doubao-seedance-1-0-lite-i2v-250428", "doubao-seedance-1-0-lite-i2v", "1-0-lite-i2v",
     SEEDANCE_1_0, .modes = FIRST_LAST, .resolution = RES_720P},
};

static const char *const resolutions[SIM_RESOLUTIONS] = {"480p", "720p", "1080p", "4k"};
static const char *const ratios[SIM_RATIOS] = {"16:9", "4:3", "1:1", "3:4", "9:16", "21:9"};

struct size {
    int width, height;
};

static const struct size sizes[SIM_RESOLUTIONS][SIM_RATIOS] = {
    [RES_480P] = {{864, 496}, {752, 560}, {640, 640}, {560, 752}, {496, 864}, {992, 432}},
    [RES_720P] = {{1280, 720}, {1112, 834}, {960, 960}, {834, 1112}, {720, 1280}, {1470, 630}},
    [RES_1080P] =
        {{1920, 1080}, {1664, 1248}, {1440, 1440}, {1248, 1664}, {1080, 1920}, {2206, 946}},
    [RES_4K] =
        {{3840, 2160}, {3326, 2494}, {2880, 2880}, {2494, 3326}, {2160, 3840}, {4398, 1886}},
};

static const struct size old_sizes[RES_4K][SIM_RATIOS] = {
    [RES_480P] = {{864, 480}, {736, 544}, {640, 640}, {544, 736}, {480, 864}, {960, 416}},
    [RES_720P] = {{1248, 704}, {1120, 832}, {960, 960}, {832, 1120}, {704, 1248}, {1504, 640}},
    [RES_1080P] =
        {{1920, 1088}, {1664, 1248}, {1440, 1440}, {1248, 1664}, {1088, 1920}, {2176, 928}},
};

/* The one size of 2.5 that differs from 2.0, as far as anybody has seen. */
static const struct size wide_480p_2_5 = {854, 480};

int sim_model_find(struct str name)
{
    int found = 0;

    for (size_t i = 0; i < COUNT_OF(models); i++)
        if (str_is(name, models[i].id))
            return (int)i;
    if (name.len <= 3 || memcmp(name.ptr, "ep-", 3) != 0)
        return -1;
    /* An endpoint's name tells which model stands behind it; the longest mark wins. */
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        size_t len = strlen(models[i].mark);

        if (len > strlen(models[found].mark) &&
            memmem(name.ptr, name.len, models[i].mark, len) != NULL)
            found = (int)i;
    }
    return found;
}

const struct sim_model *sim_model_at(int model)
{
    return &models[model];
}

const char *sim_model_mode_name(enum sim_mode mode)
{
    static const char *const names[SIM_MODE_COUNT] = {
        [SIM_MODE_TEXT] = "t2v",      [SIM_MODE_FIRST] = "i2v", [SIM_MODE_FRAMES] = "i2v",
        [SIM_MODE_REFERENCE] = "r2v", [SIM_MODE_DRAFT] = "t2v",
    };

    return names[mode];
}

bool sim_model_has_resolution(int model, int resolution)
{
    return (models[model].resolutions >> resolution & 1u) != 0;
}

int sim_model_resolution(struct str name)
{
    for (int i = 0; i < SIM_RESOLUTIONS; i++)
        if (str_eq_nocase(name, str_from(resolutions[i]))) /* Ark takes "4K" too */
            return i;
    return -1;
}

int sim_model_ratio(struct str name)
{
    for (int i = 0; i < SIM_RATIOS; i++)
        if (str_is(name, ratios[i]))
            return i;
    return -1;
}

const char *sim_model_resolution_name(int resolution)
{
    return resolutions[resolution];
}

const char *sim_model_ratio_name(int ratio)
{
    return ratios[ratio];
}

void sim_model_size(int model, int resolution, int ratio, int *ret_width, int *ret_height)
{
    const struct size *size = &sizes[resolution][ratio];

    if (models[model].old_sizes && resolution < RES_4K)
        size = &old_sizes[resolution][ratio];
    else if (strcmp(models[model].mark, "seedance-2-5") == 0 && resolution == RES_480P &&
             ratio == 0)
        size = &wide_480p_2_5;
    *ret_width = size->width;
    *ret_height = size->height;
}

/* Ark counts all frames and one more, input and output together; with input
 * video at least ceil(5 × output / 3) seconds, then without the one. */
int64_t sim_model_tokens(int width, int height, int frames, bool has_video, int64_t input_ms)
{
    int64_t pixels = (int64_t)width * height;
    int64_t total = frames + (has_video ? SIM_FPS * input_ms / 1000 : 0);
    int64_t tokens = pixels * (total + 1) / 1024;

    if (has_video) {
        int64_t seconds = frames / SIM_FPS;
        int64_t least = pixels * SIM_FPS * ((5 * seconds + 2) / 3) / 1024;

        return tokens > least ? tokens : least;
    }
    return tokens;
}
