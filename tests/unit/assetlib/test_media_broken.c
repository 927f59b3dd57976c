/* SPDX-License-Identifier: Apache-2.0 */
/* Files that lie, are damaged or are something else: each gets its code, and none takes
 * memory or time that it should not have. */
#include "tests/unit/assetlib/files.h"

#include <sys/resource.h>

#define UNSUPPORTED "InvalidParameter.FormatUnsupported"

#define FILM(seconds) "-f lavfi -i testsrc2=s=864x496:r=24:d=" seconds " "
#define H264 "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 0 "
#define PNG_HEADER(width, height)                                         \
    "printf '\\211PNG\\r\\n\\032\\n\\000\\000\\000\\015IHDR" width height \
    "\\010\\002\\000\\000\\000\\000\\000\\000\\000'"

/* 20,000 x 20,000 pixels of three bytes, all zero: 1.2 GB from a megabyte or so. */
static const char bomb[] =
    "python3 -c \"\n"
    "import struct, zlib\n"
    "def chunk(kind, data):\n"
    "    crc = zlib.crc32(kind + data)\n"
    "    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', crc)\n"
    "packer, row = zlib.compressobj(1), bytes(100 * 60001)\n"
    "data = b''.join(packer.compress(row) for _ in range(200)) + packer.flush()\n"
    "open('bomb.png', 'wb').write(bytes([137]) + b'PNG' + bytes([13, 10, 26, 10])\n"
    "    + chunk(b'IHDR', struct.pack('>IIBBBBB', 20000, 20000, 8, 2, 0, 0, 0))\n"
    "    + chunk(b'IDAT', data) + chunk(b'IEND', b''))\"";

/* What the files below are cut from. */
static const char *const sources[] = {
    FILM("3") H264 "-movflags +faststart film.mp4",
    FILM("1") H264 "short.mp4",
    FILM("20") H264 "-g 12 long.mp4",
    "-f lavfi -i testsrc2=s=640x480 -frames:v 1 picture.png",
    "-f lavfi -i testsrc2=s=640x480 -frames:v 1 picture.jpeg",
};

static const struct {
    const char *name;
    enum media_type type;
    const char *make; /* a shell command, run after those above it; NULL: a source */
    const char *code;
} files[] = {
    {"text.png", MEDIA_IMAGE, "echo 'not a picture at all' > text.png", UNSUPPORTED},
    {"empty.png", MEDIA_IMAGE, "true > empty.png", UNSUPPORTED},
    {"BM.bmp", MEDIA_IMAGE, "echo 'BM is how this text begins, and no more' > BM.bmp",
     UNSUPPORTED},
    {"svg.jpeg", MEDIA_IMAGE, "echo '<svg xmlns=\"http://www.w3.org/2000/svg\"/>' > svg.jpeg",
     UNSUPPORTED},
    {"film.png", MEDIA_IMAGE, "cp film.mp4 film.png", UNSUPPORTED},
    {"picture.mp4", MEDIA_VIDEO, "cp picture.png picture.mp4", UNSUPPORTED},
    {"film.mp3", MEDIA_AUDIO, "cp film.mp4 film.mp3", UNSUPPORTED},
    {"playlist.mp4", MEDIA_VIDEO,
     "printf '#EXTM3U\\n#EXTINF:3,\\nfile:///etc/passwd\\n' > playlist.mp4", UNSUPPORTED},
    {"concat.mp4", MEDIA_VIDEO, "printf 'ffconcat version 1.0\\nfile film.mp4\\n' > concat.mp4",
     UNSUPPORTED},
    /* The beginning of an MP4 and a playlist after it. */
    {"both.mp4", MEDIA_VIDEO,
     "{ head -c 32 film.mp4; printf '\\n#EXTM3U\\n#EXTINF:3,\\nfilm.mp4\\n'; } > both.mp4",
     UNSUPPORTED},

    {"cut.png", MEDIA_IMAGE, "head -c 9000 picture.png > cut.png", UNSUPPORTED},
    {"cut.jpeg", MEDIA_IMAGE, "head -c 9000 picture.jpeg > cut.jpeg", UNSUPPORTED},
    {"cut.webp", MEDIA_IMAGE,
     "ffmpeg -v error -y -i picture.png -c:v libwebp p.webp; head -c 5000 p.webp > cut.webp",
     UNSUPPORTED},
    {"cut.gif", MEDIA_IMAGE,
     "ffmpeg -v error -y -i picture.png p.gif; head -c 5000 p.gif > cut.gif", UNSUPPORTED},
    {"cut.bmp", MEDIA_IMAGE,
     "ffmpeg -v error -y -i picture.png p.bmp; head -c 5000 p.bmp > cut.bmp", UNSUPPORTED},
    {"cut.tiff", MEDIA_IMAGE,
     "ffmpeg -v error -y -i picture.png p.tiff; head -c 5000 p.tiff > cut.tiff", UNSUPPORTED},
    {"cut.heic", MEDIA_IMAGE,
     "heif-enc -q 50 picture.png -o p.heic > enc.log; head -c 5000 p.heic > cut.heic",
     UNSUPPORTED},
    {"head.jpeg", MEDIA_IMAGE, "head -c 20 picture.jpeg > head.jpeg", UNSUPPORTED},
    {"noise.jpeg", MEDIA_IMAGE,
     "{ head -c 700 picture.jpeg; yes noise | head -c 20000; } > noise.jpeg", UNSUPPORTED},
    {"pixel.png", MEDIA_IMAGE,
     "ffmpeg -v error -y -f lavfi -i testsrc2=s=16x16 -vf format=rgb24,crop=1:1 -frames:v 1 "
     "pixel.png",
     "InvalidParameter.ResolutionTooLow"},
    {"pixel.gif", MEDIA_IMAGE,
     "ffmpeg -v error -y -f lavfi -i testsrc2=s=16x16 -vf format=rgb24,crop=1:1 -frames:v 1 "
     "pixel.gif",
     "InvalidParameter.ResolutionTooLow"},
    {"wide.png", MEDIA_IMAGE,
     "ffmpeg -v error -y -f lavfi -i color=red:s=1000x390 -frames:v 1 wide.png",
     "InvalidParameter.AspectRatioUnsupported"},
    {"60000.png", MEDIA_IMAGE,
     PNG_HEADER("\\000\\000\\352\\140", "\\000\\000\\352\\140") " > 60000.png",
     "InvalidParameter.ResolutionTooHigh"},
    {"largest.png", MEDIA_IMAGE,
     PNG_HEADER("\\177\\377\\377\\377", "\\177\\377\\377\\377") " > largest.png",
     "InvalidParameter.ResolutionTooHigh"},
    {"bomb.png", MEDIA_IMAGE, bomb, "InvalidParameter.ResolutionTooHigh"},
    {"picture.avif", MEDIA_IMAGE,
     "printf '\\000\\000\\000\\034ftypavif\\000\\000\\000\\000mif1miafheic' > picture.avif",
     UNSUPPORTED},

    {"short.mp4", MEDIA_VIDEO, NULL, "InvalidParameter.DurationTooShort"},
    {"long.mp4", MEDIA_VIDEO, NULL, "InvalidParameter.DurationTooLong"},
    {"cut.mp4", MEDIA_VIDEO, "head -c $(($(stat -c %s film.mp4) * 3 / 4)) film.mp4 > cut.mp4",
     UNSUPPORTED},
    {"no-moov.mp4", MEDIA_VIDEO,
     "head -c $(($(stat -c %s long.mp4) / 2)) long.mp4 > no-moov.mp4", UNSUPPORTED},
    {"beginning.mp4", MEDIA_VIDEO, "head -c 3000 film.mp4 > beginning.mp4",
     "InvalidParameter.DurationTooShort"},
    {"noise.mp4", MEDIA_VIDEO,
     "{ head -c 4000 film.mp4; yes noise | head -c $(($(stat -c %s film.mp4) - 4000)); }"
     " > noise.mp4",
     UNSUPPORTED},
    {"one.mp4", MEDIA_VIDEO, "ffmpeg -v error -y " FILM("1") "-frames:v 1 " H264 "one.mp4",
     "InvalidParameter.DurationTooShort"},
    {"still.mp4", MEDIA_VIDEO,
     "ffmpeg -v error -y -f lavfi -i testsrc2=s=864x496:r=1/5:d=5 " H264 "still.mp4",
     "InvalidParameter.FpsTooLow"},
    {"slow.mp4", MEDIA_VIDEO,
     "ffmpeg -v error -y -f lavfi -i testsrc2=s=864x496:r=23:d=2 " H264 "slow.mp4",
     "InvalidParameter.FpsTooLow"},
    {"trimmed.mp4", MEDIA_VIDEO, /* with five seconds that an edit list hides */
     "ffmpeg -v error -y -f lavfi -i testsrc2=s=864x496:r=16:d=20 " H264 "trim.mp4;"
     "ffmpeg -v error -y -ss 5 -i trim.mp4 -t 8 -c copy trimmed.mp4",
     "InvalidParameter.FpsTooLow"},
    {"fast.mp4", MEDIA_VIDEO,
     "ffmpeg -v error -y -f lavfi -i testsrc2=s=864x496:r=61:d=2 " H264 "fast.mp4",
     "InvalidParameter.FpsTooHigh"},
    {"frames.mp4", MEDIA_VIDEO, /* more packets than are read, in two seconds */
     "ffmpeg -v error -y -f lavfi -i color=red:s=864x496:r=2000:d=2 " H264 "frames.mp4",
     "InvalidParameter.FpsTooHigh"},
    {"small.mp4", MEDIA_VIDEO,
     "ffmpeg -v error -y -f lavfi -i testsrc2=s=640x360:r=24:d=2 " H264 "small.mp4",
     "InvalidParameter.ResolutionTooLow"},
    {"large.mp4", MEDIA_VIDEO,
     "ffmpeg -v error -y -f lavfi -i color=red:s=2560x1440:r=24:d=2 " H264 "large.mp4",
     "InvalidParameter.ResolutionTooHigh"},
    {"vp9.mp4", MEDIA_VIDEO,
     "ffmpeg -v error -y " FILM("2") "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 vp9.mp4",
     UNSUPPORTED},
    {"mpeg4.mp4", MEDIA_VIDEO, "ffmpeg -v error -y " FILM("2") "-c:v mpeg4 mpeg4.mp4",
     UNSUPPORTED},
    {"opus.mp4", MEDIA_VIDEO,
     "ffmpeg -v error -y -i film.mp4 -f lavfi -i sine=d=3 -c:v copy -c:a libopus opus.mp4",
     UNSUPPORTED},
    {"film.mkv", MEDIA_VIDEO, "ffmpeg -v error -y -i film.mp4 -c copy film.mkv", UNSUPPORTED},
    {"sound.mp4", MEDIA_VIDEO, "ffmpeg -v error -y -f lavfi -i sine=d=3 -c:a aac sound.mp4",
     UNSUPPORTED},

    {"sound.m4a", MEDIA_AUDIO, "ffmpeg -v error -y -f lavfi -i sine=d=3 sound.m4a",
     UNSUPPORTED},
    {"sound.ogg", MEDIA_AUDIO, "ffmpeg -v error -y -f lavfi -i sine=d=3 sound.ogg",
     UNSUPPORTED},
    {"adpcm.wav", MEDIA_AUDIO,
     "ffmpeg -v error -y -f lavfi -i sine=d=3 -c:a adpcm_ms adpcm.wav", UNSUPPORTED},
    {"short.mp3", MEDIA_AUDIO, "ffmpeg -v error -y -f lavfi -i sine=d=1 short.mp3",
     "InvalidParameter.DurationTooShort"},
    {"long.wav", MEDIA_AUDIO, "ffmpeg -v error -y -f lavfi -i sine=d=16 long.wav",
     "InvalidParameter.DurationTooLong"},
    {"hour.mp3", MEDIA_AUDIO,
     "ffmpeg -v error -y -f lavfi -i sine=d=3600:r=8000 -b:a 8k hour.mp3",
     "InvalidParameter.DurationTooLong"},
    {"tag.mp3", MEDIA_AUDIO,
     "{ printf 'ID3\\003\\000\\000\\000\\000\\000\\000'; echo hello; }"
     " > tag.mp3",
     UNSUPPORTED},
    {"huge.wav", MEDIA_AUDIO, "cp long.wav huge.wav; truncate -s 15M huge.wav",
     "InvalidParameter.FileTooLarge"},
};

static void make_sources(void)
{
    static bool made;

    if (made)
        return;
    made = true;
    files_begin();
    for (size_t i = 0; i < COUNT_OF(sources); i++)
        files_make(sources[i]);
}

static void check_code(const char *name, enum media_type type, const char *code,
                       const struct media_options *options)
{
    CLEANUP(media_result_fini) struct media_result result = {.verdict = {.failed = true}};
    struct err err = {0};

    CHECK_OK(name, media_check(options, files_path(name), type, &result, &err), &err);
    CHECK_TEXT(name, result.verdict.code, code);
    CHECK_TRUE(name, result.verdict.message[0] != '\0' && result.thumbnail.len == 0);
    if (strcmp(result.verdict.code, code) != 0)
        (void)fprintf(stderr, "    %s (%s)\n", result.verdict.message, result.detail);
}

static void every_fault(void)
{
    make_sources();
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (files[i].make != NULL)
            files_shell(files[i].make);
        check_code(files[i].name, files[i].type, files[i].code, &files_options);
    }
}

/* The durations in an MP4's headers, each four bytes behind its box's name. */
static const struct lie {
    const char *what;
    const char *from;
    const char *mvhd, *mdhd, *tkhd; /* in thousandths, ticks and thousandths; NULL: the truth */
    const char *code;
} lies[] = {
    {"a second that says five", "short.mp4", "\0\0\x13\x88", "\0\0\xf0\0", "\0\0\x13\x88",
     "InvalidParameter.DurationTooShort"},
    {"twenty that say five", "long.mp4", "\0\0\x13\x88", "\0\0\xf0\0", "\0\0\x13\x88",
     "InvalidParameter.DurationTooLong"},
    {"three that say ten hours", "film.mp4", "\x02\x25\x51\0", NULL, "\x02\x25\x51\0",
     "InvalidParameter.DurationTooLong"},
    {"three that say ten seconds", "film.mp4", "\0\0\x27\x10", NULL, NULL, UNSUPPORTED},
    {"three that say a month and more", "film.mp4", "\xff\xff\xff\xfe", NULL, NULL,
     "InvalidParameter.DurationTooLong"},
};

static void patch(const char *behind, long skip, const char *bytes)
{
    if (bytes != NULL)
        files_patch("lie.mp4", behind, skip, (struct str){bytes, 4});
}

static void lying_headers(void)
{
    make_sources();
    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        char copy[64];

        (void)snprintf(copy, sizeof(copy), "cp %s lie.mp4", lies[i].from);
        files_shell(copy);
        patch("mvhd", 16, lies[i].mvhd);
        patch("mdhd", 16, lies[i].mdhd);
        patch("tkhd", 20, lies[i].tkhd);
        (void)fprintf(stderr, "%s\n", lies[i].what);
        check_code("lie.mp4", MEDIA_VIDEO, lies[i].code, &files_options);
    }
}

/* A size that no memory holds, in the headers that a decoder would go by. */
static void lying_pictures(void)
{
    make_sources();
    files_shell("heif-enc -q 50 picture.png -o lie.heic > enc.log; cp picture.jpeg lie.jpeg;"
                "ffmpeg -v error -y -i picture.png lie.gif;"
                "ffmpeg -v error -y -i picture.png lie.bmp;"
                "ffmpeg -v error -y -i picture.png -c:v libwebp lie.webp;"
                "ffmpeg -v error -y -i picture.png lie.tiff");
    files_patch("lie.heic", "ispe", 4, STR("\0\0\xea\x60\0\0\xea\x60"));
    check_code("lie.heic", MEDIA_IMAGE, "InvalidParameter.ResolutionTooHigh", &files_options);
    files_patch("lie.jpeg", "\xff\xc0", 3, STR("\xea\x60\xea\x60"));
    check_code("lie.jpeg", MEDIA_IMAGE, "InvalidParameter.ResolutionTooHigh", &files_options);
    files_patch("lie.gif", "GIF89a", 0, STR("\x60\xea\x60\xea"));
    check_code("lie.gif", MEDIA_IMAGE, "InvalidParameter.ResolutionTooHigh", &files_options);
    files_patch("lie.bmp", "BM", 16, STR("\x60\xea\0\0\x60\xea\0\0"));
    check_code("lie.bmp", MEDIA_IMAGE, "InvalidParameter.ResolutionTooHigh", &files_options);
    files_patch("lie.webp", "\x9d\x01\x2a", 0, STR("\xff\x3f\xff\x3f"));
    check_code("lie.webp", MEDIA_IMAGE, "InvalidParameter.ResolutionTooHigh", &files_options);
}

/* With rules that let it through: the sandbox's limits are what then ends it. */
static void bomb_goes_off(void)
{
    struct media_rules wide = rules_default;
    struct media_options options = files_options;
    struct rusage before, after;

    make_sources();
    files_shell(bomb);
    wide.side_max = 60000;
    options.rules = &wide;
    (void)getrusage(RUSAGE_CHILDREN, &before);
    check_code("bomb.png", MEDIA_IMAGE, UNSUPPORTED, &options);
    (void)getrusage(RUSAGE_CHILDREN, &after);
    CHECK_TRUE("memory of the largest child so far",
               after.ru_maxrss < 1024 * 1024 && before.ru_maxrss <= after.ru_maxrss);
}

CHECK_MAIN(CHECK_TEST(every_fault), CHECK_TEST(lying_headers), CHECK_TEST(lying_pictures),
           CHECK_TEST(bomb_goes_off))
