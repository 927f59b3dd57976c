/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's own tables of models and sizes and its token formula. */
#include "gateway/sim/sim_parts.h"

#include <string.h>

enum { RES_480P, RES_720P, RES_1080P, RES_4K };

static const struct {
    const char *id;
    const char *family;
    unsigned resolutions; /* bits */
    bool echoes_audio;    /* mini's answers lack generate_audio */
} models[] = {
    {"doubao-seedance-2-0-260128", "doubao-seedance-2-0", 0xf, true},
    {"doubao-seedance-2-0-fast-260128", "doubao-seedance-2-0-fast", 0x3, true},
    {"doubao-seedance-2-0-mini-260615", "doubao-seedance-2-0-mini", 0x3, false},
};

static const char *const resolutions[SIM_RESOLUTIONS] = {"480p", "720p", "1080p", "4k"};
static const char *const ratios[SIM_RATIOS] = {"16:9", "4:3", "1:1", "3:4", "9:16", "21:9"};

static const struct {
    int width, height;
} sizes[SIM_RESOLUTIONS][SIM_RATIOS] = {
    [RES_480P] = {{864, 496}, {752, 560}, {640, 640}, {560, 752}, {496, 864}, {992, 432}},
    [RES_720P] = {{1280, 720}, {1112, 834}, {960, 960}, {834, 1112}, {720, 1280}, {1470, 630}},
    [RES_1080P] =
        {{1920, 1080}, {1664, 1248}, {1440, 1440}, {1248, 1664}, {1080, 1920}, {2206, 946}},
    [RES_4K] =
        {{3840, 2160}, {3326, 2494}, {2880, 2880}, {2494, 3326}, {2160, 3840}, {4398, 1886}},
};

static bool contains(struct str text, const char *word)
{
    return text.len > 0 && memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

int sim_model_find(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(models); i++)
        if (str_is(name, models[i].id))
            return (int)i;
    /* An endpoint's name tells which model stands behind it. */
    if (name.len > 3 && memcmp(name.ptr, "ep-", 3) == 0)
        return contains(name, "fast") ? 1 : contains(name, "mini") ? 2 : 0;
    return -1;
}

const char *sim_model_id(int model)
{
    return models[model].id;
}

const char *sim_model_family(int model)
{
    return models[model].family;
}

bool sim_model_has_resolution(int model, int resolution)
{
    return (models[model].resolutions >> resolution & 1u) != 0;
}

bool sim_model_echoes_audio(int model)
{
    return models[model].echoes_audio;
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

void sim_model_size(int resolution, int ratio, int *ret_width, int *ret_height)
{
    *ret_width = sizes[resolution][ratio].width;
    *ret_height = sizes[resolution][ratio].height;
}

/* Ark counts 24 frames a second and one more, input and output together; with
 * input video at least ceil(5 × output / 3) seconds, then without the one. */
int64_t sim_model_tokens(int resolution, int ratio, int seconds, bool has_video,
                         int64_t input_ms)
{
    int64_t pixels = (int64_t)sizes[resolution][ratio].width * sizes[resolution][ratio].height;
    int64_t total_ms = (int64_t)seconds * 1000 + (has_video ? input_ms : 0);
    int64_t tokens = pixels * (24 * total_ms / 1000 + 1) / 1024;

    if (has_video) {
        int64_t least = pixels * 24 * ((5 * (int64_t)seconds + 2) / 3) / 1024;

        return tokens > least ? tokens : least;
    }
    return tokens;
}
