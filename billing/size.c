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

struct size {
    const char *resolution, *ratio;
    int width, height;
};

/* The output table of the 2.0 models, and of 1.5 pro. */
static const struct size sizes_20[] = {
    {"480p", "16:9", 864, 496},    {"480p", "4:3", 752, 560},     {"480p", "1:1", 640, 640},
    {"480p", "3:4", 560, 752},     {"480p", "9:16", 496, 864},    {"480p", "21:9", 992, 432},
    {"720p", "16:9", 1280, 720},   {"720p", "4:3", 1112, 834},    {"720p", "1:1", 960, 960},
    {"720p", "3:4", 834, 1112},    {"720p", "9:16", 720, 1280},   {"720p", "21:9", 1470, 630},
    {"1080p", "16:9", 1920, 1080}, {"1080p", "4:3", 1664, 1248},  {"1080p", "1:1", 1440, 1440},
    {"1080p", "3:4", 1248, 1664},  {"1080p", "9:16", 1080, 1920}, {"1080p", "21:9", 2206, 946},
    {"4k", "16:9", 3840, 2160},    {"4k", "4:3", 3326, 2494},     {"4k", "1:1", 2880, 2880},
    {"4k", "3:4", 2494, 3326},     {"4k", "9:16", 2160, 3840},    {"4k", "21:9", 4398, 1886},
};

/* Of the 1.0 models, as their documents list it; 1920x1088 was seen. */
static const struct size sizes_10[] = {
    {"480p", "16:9", 864, 480},    {"480p", "4:3", 736, 544},     {"480p", "1:1", 640, 640},
    {"480p", "3:4", 544, 736},     {"480p", "9:16", 480, 864},    {"480p", "21:9", 960, 416},
    {"720p", "16:9", 1248, 704},   {"720p", "4:3", 1120, 832},    {"720p", "1:1", 960, 960},
    {"720p", "3:4", 832, 1120},    {"720p", "9:16", 704, 1248},   {"720p", "21:9", 1504, 640},
    {"1080p", "16:9", 1920, 1088}, {"1080p", "4:3", 1664, 1248},  {"1080p", "1:1", 1440, 1440},
    {"1080p", "3:4", 1248, 1664},  {"1080p", "9:16", 1088, 1920}, {"1080p", "21:9", 2176, 928},
};

/* What is sought, and the largest that was found. */
struct search {
    struct str resolution, ratio;
    bool resolution_known;
    int width, height;
};

static void consider(struct search *search, struct str resolution, struct str ratio, int width,
                     int height)
{
    if (!str_eq(search->resolution, resolution))
        return;
    search->resolution_known = true;
    if (!str_is(search->ratio, "adaptive") && !str_eq(search->ratio, ratio))
        return;
    if ((int64_t)width * height > (int64_t)search->width * search->height) {
        search->width = width;
        search->height = height;
    }
}

static void consider_all(struct search *search, const struct size *sizes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        consider(search, str_from(sizes[i].resolution), str_from(sizes[i].ratio),
                 sizes[i].width, sizes[i].height);
}

/* Up to a separator, which is skipped; all of it when there is none. */
static struct str cut(struct str *rest, char separator)
{
    size_t len = 0;

    while (len < rest->len && rest->ptr[len] != separator)
        len++;
    struct str piece = {rest->ptr, len};

    len += len < rest->len;
    *rest = (struct str){rest->ptr + len, rest->len - len};
    return piece;
}

/* "720p/16:9=1280x720" */
static enum err_code consider_word(struct search *search, struct str word, struct err *err)
{
    struct str rest = word, resolution = cut(&rest, '/'), ratio = cut(&rest, '=');
    struct str left = cut(&rest, 'x');
    int64_t width, height;

    if (resolution.len == 0 || ratio.len == 0 || !str_to_i64(left, &width) ||
        !str_to_i64(rest, &height) || width < 1 || width > SIDE_MAX || height < 1 ||
        height > SIDE_MAX)
        return err_field(err, "sizes", "\"%.*s\" is no size such as 720p/16:9=1280x720",
                         (int)word.len, word.ptr);
    consider(search, resolution, ratio, (int)width, (int)height);
    return ERR_OK;
}

FALLIBLE size_pixels(struct str sizes, struct str resolution, struct str ratio, int *ret_width,
                     int *ret_height, struct err *err)
{
    struct search search = {.resolution = resolution, .ratio = ratio};

    if (str_is(sizes, "2.0"))
        consider_all(&search, sizes_20, COUNT_OF(sizes_20));
    else if (str_is(sizes, "1.0"))
        consider_all(&search, sizes_10, COUNT_OF(sizes_10));
    else
        while (sizes.len > 0) {
            struct str word = cut(&sizes, ' ');

            if (word.len > 0)
                TRY(consider_word(&search, word, err));
        }
    if (!search.resolution_known)
        return err_field(err, "resolution", "resolution %.*s has no sizes",
                         (int)(resolution.len < 16 ? resolution.len : 16), resolution.ptr);
    if (search.width == 0)
        return err_field(err, "ratio", "ratio %.*s has no size",
                         (int)(ratio.len < 16 ? ratio.len : 16), ratio.ptr);
    *ret_width = search.width;
    *ret_height = search.height;
    return ERR_OK;
}

int64_t size_tokens_frames(int width, int height, int64_t frames)
{
    ASSERT(width > 0 && width <= SIDE_MAX && height > 0 && height <= SIDE_MAX);
    ASSERT(frames >= 0 && frames <= FRAMES_PER_SECOND * (LENGTH_MAX_MS / 1000));
    return (int64_t)width * height * (frames + 1) / PIXELS_PER_TOKEN;
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
