/* SPDX-License-Identifier: Apache-2.0 */
/* The models that ship, in the language of "model set". Sources: Ark's parameter table of
 * the create route for the 2.0 models; its model list and the public digests of it for the
 * older ones and 2.5. What is not told by a row is a default of catalogue_keys.c, which is
 * what the 2.0 models have. */
#include "gateway/catalogue/catalogue_parts.h"

#define STANDARD "doubao-seedance-2-0"
#define FAST "doubao-seedance-2-0-fast"
#define MINI "doubao-seedance-2-0-mini"
#define PRO_15 "doubao-seedance-1-5-pro"
#define PRO_10 "doubao-seedance-1-0-pro"
#define PRO_10_FAST "doubao-seedance-1-0-pro-fast"
#define LITE_T2V "doubao-seedance-1-0-lite-t2v"
#define LITE_I2V "doubao-seedance-1-0-lite-i2v"
#define NEXT "doubao-seedance-2-5"

static const struct catalogue_row rows[] = {
    {STANDARD, "dated", "doubao-seedance-2-0-260128"},
    {STANDARD, "alias", "doubao-seedance-2-0-260128"},
    {STANDARD, "sold", "true"},
    {STANDARD, "resolutions", "480p 720p 1080p 4k"},

    {FAST, "like", STANDARD},
    {FAST, "dated", "doubao-seedance-2-0-fast-260128"},
    {FAST, "alias", "doubao-seedance-2-0-fast-260128"},
    {FAST, "resolutions", "480p 720p"},

    {MINI, "like", FAST},
    {MINI, "dated", "doubao-seedance-2-0-mini-260615"},
    {MINI, "alias", "doubao-seedance-2-0-mini-260615"},
    {MINI, "alias", "doubao-seedance-2.0-mini"},
    {MINI, "audios", "0"},
    {MINI, "audio_echoed", "false"},

    {PRO_15, "dated", "doubao-seedance-1-5-pro-251215"},
    {PRO_15, "alias", "doubao-seedance-1-5-pro-251215"},
    {PRO_15, "resolutions", "480p 720p 1080p"},
    {PRO_15, "duration_max", "12"},
    {PRO_15, "reference", "false"},
    {PRO_15, "images", "2"},
    {PRO_15, "videos", "0"},
    {PRO_15, "audios", "0"},
    {PRO_15, "draft", "true"},
    {PRO_15, "flex", "true"},
    {PRO_15, "camera_fixed", "true"},
    {PRO_15, "priority", "false"},
    {PRO_15, "tools", "false"},

    {PRO_10, "like", PRO_15},
    {PRO_10, "dated", "doubao-seedance-1-0-pro-250528"},
    {PRO_10, "alias", "doubao-seedance-1-0-pro-250528"},
    {PRO_10, "resolution", "1080p"},
    {PRO_10, "text_ratio", "16:9"},
    {PRO_10, "sizes", "1.0"},
    {PRO_10, "duration_min", "2"},
    {PRO_10, "duration_auto", "false"},
    {PRO_10, "audio", "false"},
    {PRO_10, "audio_default", "false"},
    {PRO_10, "audio_echoed", "false"},
    {PRO_10, "draft", "false"},
    {PRO_10, "frames", "true"},

    {PRO_10_FAST, "like", PRO_10},
    {PRO_10_FAST, "dated", "doubao-seedance-1-0-pro-fast-251015"},
    {PRO_10_FAST, "alias", "doubao-seedance-1-0-pro-fast-251015"},
    {PRO_10_FAST, "last_frame", "false"},
    {PRO_10_FAST, "images", "1"},

    {LITE_T2V, "like", PRO_10},
    {LITE_T2V, "dated", "doubao-seedance-1-0-lite-t2v-250428"},
    {LITE_T2V, "alias", "doubao-seedance-1-0-lite-t2v-250428"},
    {LITE_T2V, "resolution", "720p"},
    {LITE_T2V, "first_frame", "false"},
    {LITE_T2V, "last_frame", "false"},
    {LITE_T2V, "images", "0"},

    {LITE_I2V, "like", PRO_10},
    {LITE_I2V, "dated", "doubao-seedance-1-0-lite-i2v-250428"},
    {LITE_I2V, "alias", "doubao-seedance-1-0-lite-i2v-250428"},
    {LITE_I2V, "resolution", "720p"},
    {LITE_I2V, "text", "false"},
    /* Reference images were seen with it; nobody who could be asked confirmed how. */
    {LITE_I2V, "images", "4"},
    {LITE_I2V, "reference", "true"},

    /* Its sizes are not published: without them nothing can be held, so nothing sold. */
    {NEXT, "dated", "doubao-seedance-2-5-260628"},
    {NEXT, "alias", "doubao-seedance-2-5-260628"},
    {NEXT, "resolutions", "480p 720p 1080p"},
    {NEXT, "sizes", ""},
    {NEXT, "duration_max", "30"},
    {NEXT, "duration", "-1"},
    {NEXT, "images", "30"},
    {NEXT, "videos", "10"},
    {NEXT, "audios", "10"},
    {NEXT, "video_seconds", "30"},
    {NEXT, "audio_alone", "true"},
    {NEXT, "frames_adaptive", "true"},
    {NEXT, "seed", "false"},
    {NEXT, "tools", "false"},
};

const struct catalogue_row *catalogue_shipped_row(size_t position)
{
    return position < COUNT_OF(rows) ? &rows[position] : NULL;
}
