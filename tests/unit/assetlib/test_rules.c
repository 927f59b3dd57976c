/* SPDX-License-Identifier: Apache-2.0 */
/* Every rule at its limit and one step beyond it. */
#include "assetlib/media.h"

#include "tests/lib/check.h"

#define MB INT64_C(1048576)

#define IMAGE(w, h)                                                                       \
    {                                                                                     \
        .type = MEDIA_IMAGE, .format = "png", .codec = "png", .width = (w), .height = (h) \
    }
#define VIDEO(w, h, ms, claim, fps)                                                         \
    {                                                                                       \
        .type = MEDIA_VIDEO, .format = "mp4", .codec = "h264", .width = (w), .height = (h), \
        .duration_ms = (ms), .claimed_ms = (claim), .fps_milli = (fps)                      \
    }
#define AUDIO(name, coding, ms)                                                       \
    {                                                                                 \
        .type = MEDIA_AUDIO, .format = (name), .codec = (coding), .duration_ms = (ms) \
    }
#define GOOD_IMAGE IMAGE(640, 480)
#define GOOD_VIDEO VIDEO(1280, 720, 5000, 5000, 24000)
#define GOOD_AUDIO AUDIO("wav", "pcm_s16le", 5000)

static const struct {
    const char *what;
    struct media_facts facts;
    int64_t size;
    const char *code; /* behind "InvalidParameter."; NULL: passes */
} cases[] = {
    {"image", GOOD_IMAGE, 1000, NULL},
    {"image just below 30 MB", GOOD_IMAGE, 30 * MB - 1, NULL},
    {"image of 30 MB", GOOD_IMAGE, 30 * MB, "FileTooLarge"},
    {"video just below 50 MB", GOOD_VIDEO, 50 * MB - 1, NULL},
    {"video of 50 MB", GOOD_VIDEO, 50 * MB, "FileTooLarge"},
    {"audio just below 15 MB", GOOD_AUDIO, 15 * MB - 1, NULL},
    {"audio of 15 MB", GOOD_AUDIO, 15 * MB, "FileTooLarge"},

    {"sides of 300", IMAGE(300, 300), 1, NULL},
    {"width 299", IMAGE(299, 300), 1, "ResolutionTooLow"},
    {"height 299", IMAGE(300, 299), 1, "ResolutionTooLow"},
    {"one pixel", IMAGE(1, 1), 1, "ResolutionTooLow"},
    {"sides of 6000", IMAGE(6000, 6000), 1, NULL},
    {"width 6001", IMAGE(6001, 6000), 1, "ResolutionTooHigh"},
    {"height 6001", IMAGE(6000, 6001), 1, "ResolutionTooHigh"},
    {"the longest side there is", IMAGE(UINT32_MAX, UINT32_MAX), 1, "ResolutionTooHigh"},
    {"ratio 2.5", IMAGE(1000, 400), 1, NULL},
    {"ratio above 2.5", IMAGE(1001, 400), 1, "AspectRatioUnsupported"},
    {"ratio 0.4", IMAGE(400, 1000), 1, NULL},
    {"ratio below 0.4", IMAGE(400, 1001), 1, "AspectRatioUnsupported"},
    {"rules of videos are not for images", IMAGE(301, 302), 1, NULL},

    {"848 x 480", VIDEO(848, 480, 5000, 5000, 24000), 1, "ResolutionTooLow"},
    {"the smallest video", VIDEO(407696, 1, 5000, 5000, 24000), 1, NULL},
    {"a pixel less", VIDEO(407695, 1, 5000, 5000, 24000), 1, "ResolutionTooLow"},
    {"the largest video", VIDEO(2086876, 1, 5000, 5000, 24000), 1, NULL},
    {"a pixel more", VIDEO(2086877, 1, 5000, 5000, 24000), 1, "ResolutionTooHigh"},
    {"480p", VIDEO(864, 496, 5000, 5000, 24000), 1, NULL},
    {"1080p", VIDEO(1920, 1080, 5000, 5000, 24000), 1, NULL},
    {"sides that overflow nothing", VIDEO(INT32_MAX, INT32_MAX, 5000, 0, 24000), 1,
     "ResolutionTooHigh"},

    {"1.8 s", VIDEO(1280, 720, 1800, 1800, 24000), 1, NULL},
    {"1.799 s", VIDEO(1280, 720, 1799, 1800, 24000), 1, "DurationTooShort"},
    {"15.2 s", VIDEO(1280, 720, 15200, 15200, 24000), 1, NULL},
    {"15.201 s", VIDEO(1280, 720, 15201, 15200, 24000), 1, "DurationTooLong"},
    {"audio of 1.8 s", AUDIO("mp3", "mp3", 1800), 1, NULL},
    {"audio of 1.799 s", AUDIO("mp3", "mp3", 1799), 1, "DurationTooShort"},
    {"audio of 15.2 s", AUDIO("mp3", "mp3", 15200), 1, NULL},
    {"audio of 15.201 s", AUDIO("mp3", "mp3", 15201), 1, "DurationTooLong"},
    {"no header says how long", VIDEO(1280, 720, 5000, 0, 24000), 1, NULL},
    {"its header is too long", VIDEO(1280, 720, 5000, 15201, 24000), 1, "DurationTooLong"},
    {"its header is too short", VIDEO(1280, 720, 5000, 1799, 24000), 1, "DurationTooShort"},
    {"its header is half a second off", VIDEO(1280, 720, 5000, 5500, 24000), 1, NULL},
    {"its header is more off", VIDEO(1280, 720, 5000, 5501, 24000), 1, "FormatUnsupported"},
    {"half a second the other way", VIDEO(1280, 720, 5000, 4500, 24000), 1, NULL},
    {"more the other way", VIDEO(1280, 720, 5000, 4499, 24000), 1, "FormatUnsupported"},

    {"23.8 frames a second", VIDEO(1280, 720, 5000, 5000, 23800), 1, NULL},
    {"23.799", VIDEO(1280, 720, 5000, 5000, 23799), 1, "FpsTooLow"},
    {"none", VIDEO(1280, 720, 5000, 5000, 0), 1, "FpsTooLow"},
    {"60.2", VIDEO(1280, 720, 5000, 5000, 60200), 1, NULL},
    {"60.201", VIDEO(1280, 720, 5000, 5000, 60201), 1, "FpsTooHigh"},

    {"unknown format", {.type = MEDIA_IMAGE}, 1, "FormatUnsupported"},
    {"a video for an image",
     {.type = MEDIA_IMAGE, .format = "mp4", .codec = "h264", .width = 640, .height = 480},
     1,
     "FormatUnsupported"},
    {"an image for a video", {.type = MEDIA_VIDEO, .format = "gif"}, 1, "FormatUnsupported"},
    {"wrong codec",
     {.type = MEDIA_VIDEO, .format = "mp4", .codec = "vp9", .width = 1280, .height = 720},
     1,
     "FormatUnsupported"},
    {"part of a codec's name", AUDIO("wav", "pcm", 5000), 1, "FormatUnsupported"},
    {"no codec", AUDIO("wav", "", 5000), 1, "FormatUnsupported"},
    {"wrong codec of its sound",
     {.type = MEDIA_VIDEO,
      .format = "mp4",
      .codec = "h264",
      .audio_codec = "opus",
      .width = 1280,
      .height = 720,
      .duration_ms = 5000,
      .fps_milli = 24000},
     1,
     "FormatUnsupported"},
    {"too many packets in a part",
     {.type = MEDIA_VIDEO,
      .format = "mp4",
      .codec = "h264",
      .width = 1280,
      .height = 720,
      .duration_ms = 1000,
      .fps_milli = 3500000,
      .cut = true},
     1,
     "FpsTooHigh"},
    {"not read to its end",
     {.type = MEDIA_AUDIO, .format = "mp3", .codec = "mp3", .duration_ms = 5000, .cut = true},
     1,
     "FormatUnsupported"},
};

static void rules(void)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct media_verdict verdict;
        char want[64] = "";

        if (cases[i].code != NULL)
            (void)snprintf(want, sizeof(want), "InvalidParameter.%s", cases[i].code);
        rules_judge(&cases[i].facts, cases[i].size, &rules_default, &verdict);
        CHECK_TEXT(cases[i].what, verdict.code, want);
        CHECK_INT(cases[i].what, verdict.failed, cases[i].code != NULL);
        CHECK_INT(cases[i].what, verdict.message[0] != '\0', cases[i].code != NULL);
    }
}

static const char *message(struct media_facts facts, int64_t size)
{
    static struct media_verdict verdict;

    rules_judge(&facts, size, &rules_default, &verdict);
    return verdict.message;
}

/* The rule and the value, in the tenant's units. */
static void messages(void)
{
    CHECK_TEXT("size", message((struct media_facts)GOOD_IMAGE, 30 * MB),
               "the image has 31457280 bytes, it must have less than 31457280 (30 MB)");
    CHECK_TEXT("short", message((struct media_facts)VIDEO(1280, 720, 1200, 0, 24000), 1),
               "the video lasts 1.2 s, it must last 2 to 15 s");
    CHECK_TEXT("claim", message((struct media_facts)VIDEO(1280, 720, 5000, 36000000, 24000), 1),
               "the video says in its header that it lasts 36000 s, it must last 2 to 15 s");
    CHECK_TEXT("rate", message((struct media_facts)VIDEO(1280, 720, 5000, 0, 12500), 1),
               "the video has 12.5 frames a second, it must have 24 to 60");
    CHECK_TEXT("side", message((struct media_facts)IMAGE(200, 400), 1),
               "the image has 200 x 400 pixels, each side must have 300 to 6000");
    CHECK_TEXT("ratio", message((struct media_facts)IMAGE(3000, 600), 1),
               "the image has 3000 x 600 pixels, a ratio of 5; it must be 0.4 to 2.5");
    CHECK_TEXT("format", message((struct media_facts){.type = MEDIA_IMAGE, .format = "mp4"}, 1),
               "the file is a mp4, an image must be jpeg, png, webp, bmp, tiff, gif or heic");
    CHECK_TEXT("unknown", message((struct media_facts){.type = MEDIA_AUDIO}, 1),
               "the file is of no known format, an audio must be wav or mp3");
}

static void own_rules(void)
{
    struct media_rules narrow = rules_default;
    struct media_verdict verdict;

    narrow.duration_ms_max = 4000;
    narrow.duration_ms_slack = 0;
    rules_judge(&(struct media_facts)GOOD_VIDEO, 1, &narrow, &verdict);
    CHECK_TEXT("narrow", verdict.code, "InvalidParameter.DurationTooLong");
    CHECK_TEXT("narrow", verdict.message, "the video lasts 5 s, it must last 2 to 4 s");
    narrow.bytes_below[MEDIA_AUDIO] = 10;
    rules_judge_size(MEDIA_AUDIO, 9, &narrow, &verdict);
    CHECK_TRUE("size", !verdict.failed);
    rules_judge_size(MEDIA_AUDIO, 10, &narrow, &verdict);
    CHECK_TEXT("size", verdict.code, "InvalidParameter.FileTooLarge");
}

CHECK_MAIN(CHECK_TEST(rules), CHECK_TEST(messages), CHECK_TEST(own_rules))
