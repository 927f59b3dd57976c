/* SPDX-License-Identifier: Apache-2.0 */
/* Decides how many pixels Ark renders for a resolution and ratio, and how many
 * tokens it counts for them. What a token costs belongs to price.c. */
#include "billing/billing.h"

enum {
    FRAMES_PER_SECOND = 24,
    PIXELS_PER_TOKEN = 1024,
    SIDE_MAX = 65536,            /* far beyond any size below */
    LENGTH_MAX_MS = 24 * 3600000 /* a day; Ark renders seconds */
};

/* The output table of the 2.0 models. */
static const struct {
    const char *resolution, *ratio;
    int width, height;
} sizes[] = {
    {"480p", "16:9", 864, 496},    {"480p", "4:3", 752, 560},     {"480p", "1:1", 640, 640},
    {"480p", "3:4", 560, 752},     {"480p", "9:16", 496, 864},    {"480p", "21:9", 992, 432},
    {"720p", "16:9", 1280, 720},   {"720p", "4:3", 1112, 834},    {"720p", "1:1", 960, 960},
    {"720p", "3:4", 834, 1112},    {"720p", "9:16", 720, 1280},   {"720p", "21:9", 1470, 630},
    {"1080p", "16:9", 1920, 1080}, {"1080p", "4:3", 1664, 1248},  {"1080p", "1:1", 1440, 1440},
    {"1080p", "3:4", 1248, 1664},  {"1080p", "9:16", 1080, 1920}, {"1080p", "21:9", 2206, 946},
    {"4k", "16:9", 3840, 2160},    {"4k", "4:3", 3326, 2494},     {"4k", "1:1", 2880, 2880},
    {"4k", "3:4", 2494, 3326},     {"4k", "9:16", 2160, 3840},    {"4k", "21:9", 4398, 1886},
};

FALLIBLE size_pixels(struct str resolution, struct str ratio, int *ret_width, int *ret_height,
                     struct err *err)
{
    bool known = false, adaptive = str_is(ratio, "adaptive");
    int width = 0, height = 0;

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        if (!str_is(resolution, sizes[i].resolution))
            continue;
        known = true;
        if (!adaptive && !str_is(ratio, sizes[i].ratio))
            continue;
        if (sizes[i].width * sizes[i].height > width * height) {
            width = sizes[i].width;
            height = sizes[i].height;
        }
    }
    if (!known)
        return err_field(err, "resolution", "resolution must be 480p, 720p, 1080p or 4k");
    if (width == 0)
        return err_field(err, "ratio",
                         "ratio must be 16:9, 4:3, 1:1, 3:4, 9:16, 21:9 or adaptive");
    *ret_width = width;
    *ret_height = height;
    return ERR_OK;
}

int64_t size_tokens(int width, int height, int64_t output_ms, int64_t input_ms)
{
    /* With these bounds every product but the last stays under 2^63. */
    ASSERT(width > 0 && width <= SIDE_MAX && height > 0 && height <= SIDE_MAX);
    ASSERT(output_ms >= 0 && output_ms <= LENGTH_MAX_MS);
    ASSERT(input_ms >= -1 && input_ms <= LENGTH_MAX_MS);

    int64_t pixels = (int64_t)width * height;
    int64_t length_ms = output_ms + (input_ms > 0 ? input_ms : 0);

    if (input_ms >= 0) {
        int64_t least_s = (output_ms * 5 + 2999) / 3000; /* ceil(5·out/3) */

        /* Ark counts the extra frame only above the minimum: 4 s in and 6 s out
         * gave exactly 240 frames. */
        if (length_ms <= least_s * 1000)
            return pixels * FRAMES_PER_SECOND * least_s / PIXELS_PER_TOKEN;
    }
    return (int64_t)((__int128)pixels * (FRAMES_PER_SECOND * length_ms + 1000) /
                     (PIXELS_PER_TOKEN * 1000));
}
