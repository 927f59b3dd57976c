/* SPDX-License-Identifier: Apache-2.0 */
/* Files of every format that assets may have: their facts and their thumbnails. */
#include "tests/unit/assetlib/files.h"

#include <pthread.h>

#define PICTURE(size) "-f lavfi -i testsrc2=s=" size " -frames:v 1 "
#define FILM "-f lavfi -i testsrc2=s=864x496:r=24:d=2 "
#define TONE(seconds) "-f lavfi -i sine=440:r=44100:d=" seconds " "
#define LONG "-f lavfi -i testsrc2=s=864x496:r=30:d=20 "
#define H264 "-pix_fmt yuv420p -c:v libx264 -preset ultrafast "
#define H265 "-pix_fmt yuv420p -c:v libx265 -preset ultrafast -x265-params log-level=none "
/* Exif with nothing in it but orientation 6: shown a quarter turned to the right. */
#define EXIF                                                                             \
    "\\377\\341\\000\\042Exif\\000\\000II*\\000\\010\\000\\000\\000\\001\\000\\022\\001" \
    "\\003\\000\\001\\000\\000\\000\\006\\000\\000\\000\\000\\000\\000\\000"
#define TURN(from, to) "{ head -c 2 " from "; printf '" EXIF "'; tail -c +3 " from "; } > " to

static const struct sheet {
    const char *name;
    const char *make;
    bool shell; /* make is a command, else ffmpeg's arguments */
    struct media_facts facts;
    int thumb_width, thumb_height;
} sheets[] = {
    {"a.jpeg",
     PICTURE("640x480") "a.jpeg",
     false,
     {.format = "jpeg",
      .content_type = "image/jpeg",
      .codec = "mjpeg",
      .width = 640,
      .height = 480},
     512,
     384},
    {"turned.jpeg",
     TURN("a.jpeg", "turned.jpeg"),
     true,
     {.format = "jpeg",
      .content_type = "image/jpeg",
      .codec = "mjpeg",
      .width = 480,
      .height = 640},
     384,
     512},
    {"a.png",
     PICTURE("400x300") "a.png",
     false,
     {.format = "png",
      .content_type = "image/png",
      .codec = "png",
      .width = 400,
      .height = 300},
     400,
     300},
    {"deep.png",
     PICTURE("6000x6000") "-pix_fmt rgba64be -compression_level 1 deep.png",
     false,
     {.format = "png",
      .content_type = "image/png",
      .codec = "png",
      .width = 6000,
      .height = 6000},
     512,
     512},
    {"a.webp",
     PICTURE("640x480") "-c:v libwebp a.webp",
     false,
     {.format = "webp",
      .content_type = "image/webp",
      .codec = "webp",
      .width = 640,
      .height = 480},
     512,
     384},
    {"lossless.webp",
     PICTURE("640x480") "-c:v libwebp -lossless 1 -pix_fmt bgra lossless.webp",
     false,
     {.format = "webp",
      .content_type = "image/webp",
      .codec = "webp",
      .width = 640,
      .height = 480},
     512,
     384},
    {"a.bmp",
     PICTURE("640x480") "a.bmp",
     false,
     {.format = "bmp",
      .content_type = "image/bmp",
      .codec = "bmp",
      .width = 640,
      .height = 480},
     512,
     384},
    {"a.tiff",
     PICTURE("640x480") "a.tiff",
     false,
     {.format = "tiff",
      .content_type = "image/tiff",
      .codec = "tiff",
      .width = 640,
      .height = 480},
     512,
     384},
    {"a.gif",
     "-f lavfi -i testsrc2=s=640x480:d=1 a.gif",
     false,
     {.format = "gif",
      .content_type = "image/gif",
      .codec = "gif",
      .width = 640,
      .height = 480},
     512,
     384},
    {"a.heic",
     "heif-enc -q 50 a.png -o a.heic > enc.log",
     true,
     {.format = "heic",
      .content_type = "image/heic",
      .codec = "hevc",
      .width = 400,
      .height = 300},
     400,
     300},
    {"a.mp4",
     FILM TONE("2") H264 "-c:a aac a.mp4",
     false,
     {.format = "mp4",
      .content_type = "video/mp4",
      .codec = "h264",
      .audio_codec = "aac",
      .width = 864,
      .height = 496,
      .fps_milli = 24000,
      .duration_ms = 2000,
      .claimed_ms = 2000,
      .channels = 1,
      .has_audio = true},
     512,
     294},
    {"silent.mp4",
     FILM H265 "-tag:v hvc1 silent.mp4",
     false,
     {.format = "mp4",
      .content_type = "video/mp4",
      .codec = "hevc",
      .width = 864,
      .height = 496,
      .fps_milli = 24000,
      .duration_ms = 2000,
      .claimed_ms = 2000},
     512,
     294},
    {"turned.mp4",
     "-i silent.mp4 -c copy -metadata:s:v rotate=90 turned.mp4",
     false,
     {.format = "mp4",
      .content_type = "video/mp4",
      .codec = "hevc",
      .width = 496,
      .height = 864,
      .fps_milli = 24000,
      .duration_ms = 2000,
      .claimed_ms = 2000},
     294,
     512},
    {"pieces.mp4",
     FILM H264 "-g 24 -movflags frag_keyframe+empty_moov pieces.mp4",
     false,
     {.format = "mp4",
      .content_type = "video/mp4",
      .codec = "h264",
      .width = 864,
      .height = 496,
      .fps_milli = 24000,
      .duration_ms = 2000,
      .claimed_ms = 2000},
     512,
     294},
    {"trimmed.mp4", /* from its key frame on, of which an edit list hides five seconds */
     "ffmpeg -v error -y " LONG TONE("20") H264
     "-c:a aac long.mp4;"
     "ffmpeg -v error -y -ss 5 -i long.mp4 -t 4 -c copy trimmed.mp4",
     true,
     {.format = "mp4",
      .content_type = "video/mp4",
      .codec = "h264",
      .audio_codec = "aac",
      .width = 864,
      .height = 496,
      .fps_milli = 30000,
      .duration_ms = 4010,
      .claimed_ms = 4010,
      .channels = 1,
      .has_audio = true},
     512,
     294},
    {"gaps.mp4", /* the end of the trim took frames that others are shown after */
     "ffmpeg -v error -y -f lavfi -i testsrc2=s=864x496:r=24:d=20 " H265 "-tag:v hvc1 film.mp4;"
     "ffmpeg -v error -y -ss 5 -i film.mp4 -t 4 -c copy gaps.mp4",
     true,
     {.format = "mp4",
      .content_type = "video/mp4",
      .codec = "hevc",
      .width = 864,
      .height = 496,
      .fps_milli = 24000,
      .duration_ms = 4208,
      .claimed_ms = 4209},
     512,
     294},
    {"a.mov",
     "-f lavfi -i testsrc2=s=1280x720:r=30000/1001:d=2.5 " TONE("2.5") H264
     "-c:a pcm_s16le -ac 2 a.mov",
     false,
     {.format = "mov",
      .content_type = "video/quicktime",
      .codec = "h264",
      .audio_codec = "pcm_s16le",
      .width = 1280,
      .height = 720,
      .fps_milli = 29970,
      .duration_ms = 2502,
      .claimed_ms = 2503,
      .channels = 2,
      .has_audio = true},
     512,
     288},
    {"a.wav",
     TONE("15") "a.wav",
     false,
     {.format = "wav",
      .content_type = "audio/wav",
      .codec = "pcm_s16le",
      .duration_ms = 15000,
      .channels = 1,
      .has_audio = true},
     512,
     128},
    {"piped.wav",
     TONE("3") "-f wav - | cat > piped.wav",
     false,
     {.format = "wav",
      .content_type = "audio/wav",
      .codec = "pcm_s16le",
      .duration_ms = 3000,
      .channels = 1,
      .has_audio = true},
     512,
     128},
    {"a.mp3",
     TONE("3") "-ac 2 a.mp3",
     false,
     {.format = "mp3",
      .content_type = "audio/mpeg",
      .codec = "mp3",
      .duration_ms = 3030,
      .channels = 2,
      .has_audio = true},
     512,
     128},
    {"bare.mp3",
     TONE("3") "-write_xing 0 -id3v2_version 0 bare.mp3",
     false,
     {.format = "mp3",
      .content_type = "audio/mpeg",
      .codec = "mp3",
      .duration_ms = 3030,
      .channels = 1,
      .has_audio = true},
     512,
     128},
    {"cover.mp3",
     "-i a.mp3 -i a.png -map 0 -map 1 -c copy cover.mp3",
     false,
     {.format = "mp3",
      .content_type = "audio/mpeg",
      .codec = "mp3",
      .duration_ms = 3030,
      .channels = 2,
      .has_audio = true},
     512,
     128},
};

static enum media_type type_of(const struct sheet *sheet)
{
    static const char *const kinds[] = {"image/", "video/", "audio/"};
    enum media_type type = MEDIA_IMAGE;

    while (strncmp(sheet->facts.content_type, kinds[type], 6) != 0)
        type++;
    return type;
}

/* Width and height of a WebP, by its own header. */
static void webp_size(struct str webp, int64_t *ret_width, int64_t *ret_height)
{
    const unsigned char *at = (const unsigned char *)webp.ptr;

    *ret_width = *ret_height = 0;
    if (webp.len < 30 || memcmp(at, "RIFF", 4) != 0)
        return;
    if (memcmp(at + 8, "WEBPVP8X", 8) == 0) {
        *ret_width = 1 + (at[24] | at[25] << 8 | at[26] << 16);
        *ret_height = 1 + (at[27] | at[28] << 8 | at[29] << 16);
    } else if (memcmp(at + 8, "WEBPVP8 ", 8) == 0) {
        *ret_width = at[26] | (at[27] & 0x3f) << 8;
        *ret_height = at[28] | (at[29] & 0x3f) << 8;
    }
}

static void check_facts(const struct sheet *sheet, const struct media_facts *facts)
{
    const struct media_facts *want = &sheet->facts;

    CHECK_TEXT(sheet->name, facts->format, want->format);
    CHECK_TEXT(sheet->name, facts->content_type, want->content_type);
    CHECK_TEXT(sheet->name, facts->codec, want->codec);
    CHECK_TEXT(sheet->name, facts->audio_codec, want->audio_codec);
    CHECK_INT(sheet->name, facts->width, want->width);
    CHECK_INT(sheet->name, facts->height, want->height);
    CHECK_INT(sheet->name, facts->fps_milli, want->fps_milli);
    CHECK_INT(sheet->name, facts->duration_ms, want->duration_ms);
    CHECK_INT(sheet->name, facts->claimed_ms, want->claimed_ms);
    CHECK_INT(sheet->name, facts->channels, want->channels);
    CHECK_INT(sheet->name, facts->has_audio, want->has_audio);
    CHECK_INT(sheet->name, facts->cut, false);
}

static void check_sheet(const struct sheet *sheet, const struct media_options *options)
{
    CLEANUP(media_result_fini) struct media_result result = {.verdict = {.failed = true}};
    struct err err = {0};
    int64_t width, height;

    CHECK_OK(sheet->name,
             media_check(options, files_path(sheet->name), type_of(sheet), &result, &err),
             &err);
    CHECK_TEXT(result.detail, result.verdict.message, "");
    CHECK_TRUE(sheet->name, !result.verdict.failed);
    check_facts(sheet, &result.facts);
    webp_size(buf_str(&result.thumbnail), &width, &height);
    CHECK_INT(sheet->name, width, sheet->thumb_width);
    CHECK_INT(sheet->name, height, sheet->thumb_height);
}

/* Once, by whichever test comes first. */
static void make_files(void)
{
    static bool made;

    for (size_t i = 0; !made && i < COUNT_OF(sheets); i++) {
        files_begin();
        if (sheets[i].shell)
            files_shell(sheets[i].make);
        else
            files_make(sheets[i].make);
    }
    made = true;
}

static void every_format(void)
{
    make_files();
    for (size_t i = 0; i < COUNT_OF(sheets); i++)
        check_sheet(&sheets[i], &files_options);
}

/* Twenty seconds, of which its edit list shows ten from the fifth on. */
static void edit_list(void)
{
    static const struct sheet edited = {"edited.mp4",
                                        NULL,
                                        false,
                                        {.format = "mp4",
                                         .content_type = "video/mp4",
                                         .codec = "h264",
                                         .width = 864,
                                         .height = 496,
                                         .fps_milli = 30000,
                                         .duration_ms = 10000,
                                         .claimed_ms = 10000},
                                        512,
                                        294};

    make_files();
    files_shell("ffmpeg -v error -y -i long.mp4 -an -c copy -movflags +faststart edited.mp4");
    files_patch("edited.mp4", "elst", 8, STR("\0\0\x27\x10\0\1\x2c\0"));
    files_patch("edited.mp4", "tkhd", 20, STR("\0\0\x27\x10"));
    files_patch("edited.mp4", "mvhd", 16, STR("\0\0\x27\x10"));
    check_sheet(&edited, &files_options);
}

/* With its limits only. */
static void without_sandbox(void)
{
    struct media_options open = files_options;

    make_files();
    open.sandbox_off = true;
    for (size_t i = 0; i < COUNT_OF(sheets); i++) {
        if (strncmp(sheets[i].name, "a.", 2) == 0)
            check_sheet(&sheets[i], &open);
    }
}

static void *run_some(void *ctx)
{
    const size_t *first = ctx;

    for (size_t i = *first; i < COUNT_OF(sheets); i += 4) {
        CLEANUP(media_result_fini) struct media_result result = {.verdict = {.failed = true}};
        struct err err = {0};

        /* CHECK counts without a lock: it belongs to one thread. */
        if (media_check(&files_options, files_path(sheets[i].name), type_of(&sheets[i]),
                        &result, &err) != ERR_OK ||
            result.verdict.failed || result.facts.width != sheets[i].facts.width ||
            result.facts.duration_ms != sheets[i].facts.duration_ms)
            return (void *)(uintptr_t)sheets[i].name;
    }
    return NULL;
}

static void several_at_once(void)
{
    pthread_t threads[4];
    static const size_t first[4] = {0, 1, 2, 3};

    make_files();
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK_INT("thread",
                  pthread_create(&threads[i], NULL, run_some, (void *)(uintptr_t)&first[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *bad = NULL;
        CHECK_INT("thread", pthread_join(threads[i], &bad), 0);
        CHECK_TEXT("at once", bad == NULL ? "" : (const char *)bad, "");
    }
}

CHECK_MAIN(CHECK_TEST(every_format), CHECK_TEST(edit_list), CHECK_TEST(without_sandbox),
           CHECK_TEST(several_at_once))
