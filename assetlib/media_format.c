/* SPDX-License-Identifier: Apache-2.0 */
/* The formats that assets may have, by their first bytes. What begins otherwise never
 * reaches a decoder, whatever its name or its Content-Type. */
#include "assetlib/media_private.h"

#include <string.h>

/* PCM, plain or as telephones send it. */
#define PCM                                                     \
    "pcm_u8 pcm_s16le pcm_s24le pcm_s32le pcm_f32le pcm_f64le " \
    "pcm_s16be pcm_s24be pcm_s32be pcm_alaw pcm_mulaw"

/* Ark's documents name containers and no codecs. H.264 and H.265 are what cameras, phones
 * and Seedance itself put into them; what else FFmpeg can decode there (MPEG-4 part 2, VP9,
 * AV1, ProRes) is refused here rather than by Ark, after the task was paid for. */
static const char video_codecs[] = "h264 hevc";
static const char sound_codecs[] = "aac mp3 " PCM;

static const struct media_format formats[] = {
    {"jpeg", MEDIA_IMAGE, "image/jpeg", "mjpeg"},
    {"png", MEDIA_IMAGE, "image/png", "png"},
    {"webp", MEDIA_IMAGE, "image/webp", "webp"},
    {"bmp", MEDIA_IMAGE, "image/bmp", "bmp"},
    {"tiff", MEDIA_IMAGE, "image/tiff", "tiff"},
    {"gif", MEDIA_IMAGE, "image/gif", "gif"},
    {"heic", MEDIA_IMAGE, "image/heic", "hevc"},
    {"mp4", MEDIA_VIDEO, "video/mp4", video_codecs},
    {"mov", MEDIA_VIDEO, "video/quicktime", video_codecs},
    {"wav", MEDIA_AUDIO, "audio/wav", PCM},
    {"mp3", MEDIA_AUDIO, "audio/mpeg", "mp3"},
};

/* Brands of ISO base media: the first that the ftyp box names of these decides. */
static const struct {
    const char *brands; /* words; a space in a brand is "_" */
    const char *format;
} brands[] = {
    {"qt__", "mov"},
    {"heic heix heim heis", "heic"},
    {"isom iso2 iso3 iso4 iso5 iso6 iso7 iso8 iso9 mp41 mp42 avc1 M4V_ M4VH M4VP MSNV dash "
     "hvc1 f4v_ XAVC mp71",
     "mp4"},
};

static bool has(struct str head, size_t at, struct str bytes)
{
    return head.len >= at + bytes.len && memcmp(head.ptr + at, bytes.ptr, bytes.len) == 0;
}

static unsigned byte(struct str head, size_t at)
{
    return at < head.len ? (unsigned char)head.ptr[at] : 0;
}

static const char *format_of_brand(const char *bytes)
{
    char brand[4];

    for (size_t i = 0; i < sizeof(brand); i++)
        brand[i] = bytes[i] == ' ' ? '_' : bytes[i];
    for (size_t i = 0; i < COUNT_OF(brands); i++) {
        if (str_has_word(brands[i].brands, (struct str){brand, sizeof(brand)}))
            return brands[i].format;
    }
    return NULL;
}

/* The major brand, then the compatible ones behind its version. An AVIF is none of ours,
 * with whatever it is compatible. */
static const char *format_of_ftyp(struct str head)
{
    size_t len = (size_t)byte(head, 2) << 8 | byte(head, 3);
    const char *format = NULL;

    if (has(head, 8, STR("avif")) || has(head, 8, STR("avis")))
        return NULL;
    if (len > head.len)
        len = head.len;
    for (size_t at = 8; format == NULL && at + 4 <= len; at += at == 8 ? 8 : 4)
        format = format_of_brand(head.ptr + at);
    return format;
}

/* QuickTime before it had ftyp begins with any of its boxes. */
static bool is_old_quicktime(struct str head)
{
    return has(head, 4, STR("moov")) || has(head, 4, STR("mdat")) ||
           has(head, 4, STR("wide")) || has(head, 4, STR("skip")) || has(head, 4, STR("free"));
}

/* "BM" alone would be the beginning of many a text: the length of its second header is
 * small and one of a few. */
static bool is_bmp(struct str head)
{
    unsigned len = byte(head, 14);

    return has(head, 0, STR("BM")) && has(head, 15, STR("\0\0\0")) &&
           (len == 12 || len == 40 || len == 52 || len == 56 || len == 64 || len == 108 ||
            len == 124);
}

/* A tag in front, or a frame's header: sync, a version and layer III, a bit rate and a
 * sampling rate that exist. */
static bool is_mp3(struct str head)
{
    if (has(head, 0, STR("ID3")))
        return byte(head, 3) < 5;
    return byte(head, 0) == 0xff && (byte(head, 1) & 0xe6) == 0xe2 &&
           (byte(head, 1) & 0x18) != 0x08 && (byte(head, 2) & 0xf0) != 0xf0 &&
           (byte(head, 2) & 0xf0) != 0 && (byte(head, 2) & 0x0c) != 0x0c;
}

static const char *name_of(struct str head)
{
    if (has(head, 0, STR("\xff\xd8\xff")))
        return "jpeg";
    if (has(head, 0, STR("\x89PNG\r\n\x1a\n")))
        return "png";
    if (has(head, 0, STR("RIFF")) && has(head, 8, STR("WEBPVP8")))
        return "webp";
    if (has(head, 0, STR("RIFF")) && has(head, 8, STR("WAVE")))
        return "wav";
    if (has(head, 0, STR("GIF87a")) || has(head, 0, STR("GIF89a")))
        return "gif";
    if (has(head, 0, STR("II*\0")) || has(head, 0, STR("MM\0*")))
        return "tiff";
    if (has(head, 0, STR("\0\0")) && has(head, 4, STR("ftyp")))
        return format_of_ftyp(head);
    return is_bmp(head) ? "bmp" : is_mp3(head) ? "mp3" : is_old_quicktime(head) ? "mov" : NULL;
}

const struct media_format *media_format_of(struct str head)
{
    return media_format_find(name_of(head));
}

const struct media_format *media_format_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < COUNT_OF(formats); i++) {
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    }
    return NULL;
}

const char *media_format_names(enum media_type type)
{
    static const char *const names[MEDIA_TYPE_COUNT] = {
        [MEDIA_IMAGE] = "jpeg, png, webp, bmp, tiff, gif or heic",
        [MEDIA_VIDEO] = "mp4 or mov",
        [MEDIA_AUDIO] = "wav or mp3",
    };

    return names[type];
}

bool media_format_has_sound(const char *codec)
{
    return str_has_word(sound_codecs, str_from(codec));
}
