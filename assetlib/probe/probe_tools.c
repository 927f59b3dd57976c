/* SPDX-License-Identifier: Apache-2.0 */
/* Which tools there are and with which arguments each looks at a file of a format. What
 * their answers mean is for the gateway to say. */
#include "assetlib/probe/probe.h"

#include "assetlib/probe/probe_private.h"
#include "base/base.h"

#include <stdio.h>
#include <string.h>

/* Debian's places. No search: a PATH is somebody else's word. */
static const char ffprobe[] = "/usr/bin/ffprobe";
static const char ffmpeg[] = "/usr/bin/ffmpeg";
static const char heif_thumbnailer[] = "/usr/bin/heif-thumbnailer";

const char *const probe_tools_programs[] = {ffprobe, ffmpeg, heif_thumbnailer, NULL};

/* The decoders that may run, by FFmpeg's names: each is a way into the process. Covers and
 * captions are beside the matter, but ffprobe gives up a file that has a stream which it may
 * not decode. */
#define BESIDE "mjpeg,png,bmp,mov_text"
#define PCM                                                     \
    "pcm_u8,pcm_s16le,pcm_s24le,pcm_s32le,pcm_f32le,pcm_f64le," \
    "pcm_s16be,pcm_s24be,pcm_s32be,pcm_alaw,pcm_mulaw"
#define MOVIE "h264,hevc,aac,mp3float," PCM "," BESIDE

enum kind { STILL, MOVING, SOUND, HEIF };

/* The demuxer is named and never guessed, so no playlist is ever followed. */
static const struct format {
    const char *name;
    enum kind kind;
    const char *demuxer, *decoders;
} formats[] = {
    {"jpeg", STILL, "jpeg_pipe", "mjpeg"},
    {"png", STILL, "png_pipe", "png"},
    {"webp", STILL, "webp_pipe", "webp"},
    {"bmp", STILL, "bmp_pipe", "bmp"},
    {"tiff", STILL, "tiff_pipe", "tiff"},
    {"gif", STILL, "gif", "gif"},
    {"heic", HEIF, NULL, NULL},
    {"mp4", MOVING, "mov", MOVIE},
    {"mov", MOVING, "mov", MOVIE},
    {"wav", SOUND, "wav", PCM},
    {"mp3", SOUND, "mp3", "mp3float," BESIDE},
};

/* The first frames prove that a video can be decoded, and the most telling of them is its
 * picture: the very first is often black. */
#define FRAMES "12"
/* Of a sound all is decoded that may be in one which passes the rules. */
#define SECONDS "20"

static void add(struct probe_command *command, const char *const *args)
{
    for (; *args != NULL && command->count + 1 < COUNT_OF(command->args); args++)
        command->args[command->count++] = *args;
}

#define ADD(command, ...) add(command, (const char *const[]){__VA_ARGS__, NULL})

static void make_facts(struct probe_command *command, const struct format *format)
{
    command->program = ffprobe;
    (void)snprintf(command->text, sizeof(command->text), "%%+#%d", PROBE_PACKETS_MAX);
    ADD(command, "ffprobe", "-v", "error", "-protocol_whitelist", "file", "-format_whitelist",
        format->demuxer, "-codec_whitelist", format->decoders, "-f", format->demuxer);
    if (strcmp(format->demuxer, "wav") == 0) /* in few packets */
        ADD(command, "-max_size", "65536");
    ADD(command, "-read_intervals", command->text, "-of", "json=compact=1", "-show_entries",
        "format=duration:stream=index,codec_type,codec_name,width,height,time_base,channels"
        ":stream_disposition=attached_pic:stream_side_data=rotation"
        ":packet=stream_index,pts,duration,flags",
        command->url);
}

/* The wave of a sound. What it has lost is silence: no error, for the last packet may well
 * be a short one. */
static void add_wave(struct probe_command *command, const char *url)
{
    (void)snprintf(command->text, sizeof(command->text),
                   "[0:a:0]aformat=channel_layouts=mono,showwavespic=s=%dx%d", PROBE_SIDE_MAX,
                   PROBE_SIDE_MAX / 4);
    ADD(command, "-t", SECONDS, "-i", url, "-filter_complex", command->text);
}

/* Anything but a cover, never enlarged. What cannot be decoded is an error, of a JPEG also
 * what can be concealed: otherwise half of one would pass. */
static void add_picture(struct probe_command *command, const struct format *format,
                        const char *url)
{
    (void)snprintf(command->text, sizeof(command->text),
                   "scale=w='min(%d,iw)':h='min(%d,ih)':force_original_aspect_ratio=decrease%s",
                   PROBE_SIDE_MAX, PROBE_SIDE_MAX,
                   format->kind == MOVING ? ",thumbnail=n=" FRAMES : "");
    if (strcmp(format->name, "jpeg") == 0)
        ADD(command, "-err_detect", "explode");
    ADD(command, "-xerror", "-i", url, "-map", "0:V:0", "-vf", command->text);
}

/* From any input to one WebP on stdout. */
static void make_webp(struct probe_command *command, const char *protocol,
                      const struct format *format, const char *url)
{
    command->program = ffmpeg;
    ADD(command, "ffmpeg", "-v", "error", "-nostdin", "-threads", "1", "-protocol_whitelist",
        protocol, "-format_whitelist", format->demuxer, "-codec_whitelist", format->decoders,
        "-f", format->demuxer);
    if (format->kind == SOUND)
        add_wave(command, url);
    else
        add_picture(command, format, url);
    ADD(command, "-filter_threads", "1", "-filter_complex_threads", "1", "-frames:v", "1",
        "-c:v", "libwebp", "-threads", "1", "-f", "image2pipe", "pipe:1");
}

/* -p: of the picture itself, not of a smaller one beside it that proves nothing. It writes
 * a PNG whatever the name. */
static void make_heif(struct probe_command *command, const char *path)
{
    (void)snprintf(command->text, sizeof(command->text), "%d", PROBE_SIDE_MAX);
    command->program = heif_thumbnailer;
    command->opens_stdout = true;
    ADD(command, "heif-thumbnailer", "-p", "-s", command->text, path, "/proc/self/fd/1");
}

static const struct format *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    }
    return NULL;
}

bool probe_tools_make(const char *tool, const char *format_name, const char *path,
                      struct probe_command *ret_command)
{
    const struct format *format = find(format_name);
    int len = snprintf(ret_command->url, sizeof(ret_command->url), "file:%s", path);

    if (format == NULL || path[0] != '/' || len >= (int)sizeof(ret_command->url))
        return false;
    if (strcmp(tool, "header") == 0)
        return format->kind == STILL || format->kind == HEIF;
    if (strcmp(tool, "facts") == 0 && (format->kind == MOVING || format->kind == SOUND))
        make_facts(ret_command, format);
    else if (strcmp(tool, "picture") == 0 && format->kind == HEIF)
        make_heif(ret_command, path);
    else if (strcmp(tool, "picture") == 0)
        make_webp(ret_command, "file", format, ret_command->url);
    return ret_command->program != NULL;
}

void probe_tools_webp(struct probe_command *ret_command)
{
    make_webp(ret_command, "pipe", find("png"), "pipe:0");
}
