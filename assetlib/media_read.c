/* SPDX-License-Identifier: Apache-2.0 */
/* What the tools printed, as facts. They looked at a file that somebody made, so their
 * numbers are believed within bounds only. Time is what the packets have: a header can say
 * anything, and ffprobe repeats it. */
#include "assetlib/media_private.h"
#include "assetlib/probe/probe.h"
#include "base/json.h"

#include <string.h>

enum {
    ARENA_BYTES = 4 << 20, /* four times the JSON */
    STREAMS_MAX = 16,      /* a camera's file has six */
    CHANNELS_MAX = 1024    /* as in FFmpeg */
};

/* No file of 50 MB lasts longer than a month; sums of such times stay far from overflow. */
static const int64_t time_us_max = INT64_C(30) * 86400 * 1000000;

struct stream {
    bool timed, video; /* video or sound; neither: captions, data, a cover */
    int64_t num, den;  /* seconds a tick */
    int64_t packets;   /* of these that are shown, with a time: */
    int64_t from_us, to_us;
    int64_t lasting, ticks; /* of these, those that say how long they last; and how long */
};

struct streams {
    struct stream items[STREAMS_MAX];
    int64_t packets; /* of all */
};

static int64_t int_of(const struct json_value *object, const char *name, int64_t max)
{
    int64_t value;

    if (json_int(json_get(object, name), &value) && value >= 0 && value <= max)
        return value;
    return -1;
}

/* "1/12288". */
static bool read_ratio(struct str text, int64_t *ret_num, int64_t *ret_den)
{
    const char *slash = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);
    size_t at = slash == NULL ? 0 : (size_t)(slash - text.ptr);

    return slash != NULL && str_to_i64((struct str){text.ptr, at}, ret_num) &&
           str_to_i64((struct str){slash + 1, text.len - at - 1}, ret_den) && *ret_num > 0 &&
           *ret_num <= INT32_MAX && *ret_den > 0 && *ret_den <= INT32_MAX;
}

/* "3.012000" as 3012; nothing as 0, and what is no time as longer than any. */
static int64_t read_seconds(struct str text)
{
    const char *dot = text.len == 0 ? NULL : memchr(text.ptr, '.', text.len);
    size_t at = dot == NULL ? text.len : (size_t)(dot - text.ptr);
    int64_t whole, ms = 0, scale = 100;

    if (text.len == 0)
        return 0;
    if (!str_to_i64((struct str){text.ptr, at}, &whole) || text.ptr[0] == '-' ||
        whole > time_us_max / 1000000)
        return time_us_max / 1000;
    for (size_t i = at + 1; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
        ms += (text.ptr[i] - '0') * scale;
        scale /= 10;
    }
    return whole * 1000 + ms;
}

static bool to_us(const struct stream *stream, int64_t ticks, int64_t *ret_us)
{
    int64_t us;

    if (__builtin_mul_overflow(ticks, stream->num, &us) ||
        __builtin_mul_overflow(us, 1000000, &us))
        return false;
    *ret_us = us / stream->den;
    return *ret_us <= time_us_max && *ret_us >= -time_us_max;
}

/* The first of its kind speaks for the file. */
static void take_codec(const struct json_value *value, bool video, struct str codec,
                       struct media_facts *facts)
{
    bool main = video == (facts->type == MEDIA_VIDEO);
    char *place = main ? facts->codec : facts->audio_codec;

    if (!video) {
        facts->has_audio = true;
        if (facts->channels == 0)
            facts->channels = int_of(value, "channels", CHANNELS_MAX);
    }
    if (place[0] == '\0')
        str_copy_cut(place, sizeof(facts->codec), codec.len > 0 ? codec : STR("unknown"));
}

/* A matrix of the container; cameras turn by quarters. */
static bool is_turned(const struct json_value *value)
{
    for (const struct json_value *item = json_first(json_get(value, "side_data_list"));
         item != NULL; item = json_next(item)) {
        int64_t degrees;
        if (json_int(json_get(item, "rotation"), &degrees))
            return degrees % 180 == 90 || degrees % 180 == -90;
    }
    return false;
}

static void take_picture(const struct json_value *value, struct media_facts *facts)
{
    bool turned = is_turned(value);

    facts->width = int_of(value, turned ? "height" : "width", INT32_MAX);
    facts->height = int_of(value, turned ? "width" : "height", INT32_MAX);
}

static bool read_stream(const struct json_doc *doc, const struct json_value *value,
                        struct streams *streams, struct media_facts *facts)
{
    int64_t index = int_of(value, "index", STREAMS_MAX - 1), cover = 0;
    struct str kind = json_text(doc, json_get(value, "codec_type"));
    bool video = str_is(kind, "video");

    if (index < 0)
        return false;
    (void)json_int(json_get(json_get(value, "disposition"), "attached_pic"), &cover);
    if (cover != 0 || (!video && !str_is(kind, "audio")))
        return true;
    /* A sound with moving pictures is none. */
    if (video && facts->type == MEDIA_AUDIO)
        return false;
    if (video && facts->codec[0] == '\0')
        take_picture(value, facts);
    take_codec(value, video, json_text(doc, json_get(value, "codec_name")), facts);
    struct stream *stream = &streams->items[index];

    stream->timed = true;
    stream->video = video;
    return read_ratio(json_text(doc, json_get(value, "time_base")), &stream->num, &stream->den);
}

/* "KD" and "_D": of what lies outside of its edit list, a trimmed file keeps what must be
 * decoded for the rest. Nobody sees it. */
static bool is_hidden(struct str flags)
{
    return memchr(flags.ptr, 'D', flags.len) != NULL;
}

static bool read_packet(const struct json_doc *doc, const struct json_value *value,
                        struct streams *streams)
{
    int64_t index = int_of(value, "stream_index", STREAMS_MAX - 1), ticks, from, len = 0;
    struct str flags = json_text(doc, json_get(value, "flags"));
    struct stream *stream;

    streams->packets++;
    if (index < 0 || flags.len == 0)
        return false;
    stream = &streams->items[index];
    if (!stream->timed || is_hidden(flags) || !json_int(json_get(value, "pts"), &ticks))
        return true;
    if (!to_us(stream, ticks, &from) ||
        (json_int(json_get(value, "duration"), &ticks) && !to_us(stream, ticks, &len)) ||
        len < 0)
        return false;
    /* What lies before zero is decoded and not shown: the run-up of AAC. */
    int64_t to = from + len;
    from = from < 0 ? 0 : from;
    if (stream->packets == 0 || from < stream->from_us)
        stream->from_us = from;
    if (to > stream->to_us)
        stream->to_us = to;
    stream->packets++;
    if (len <= 0)
        return true;
    stream->lasting++;
    return !__builtin_add_overflow(stream->ticks, ticks, &stream->ticks);
}

/* By how long its frames last, as FFmpeg tells it to whoever asks. At the end of what was cut
 * out of a film some frames are missing before others that are there, which slows none down. */
static int64_t fps_milli(const struct stream *stream)
{
    int64_t len_us;

    if (!to_us(stream, stream->ticks, &len_us) || len_us == 0)
        return 0;
    return (stream->lasting * INT64_C(1000000000) + len_us / 2) / len_us;
}

/* Of the first video, and of all together. */
static void sum_up(const struct streams *streams, struct media_facts *facts)
{
    int64_t from = INT64_MAX, to = 0;

    for (size_t i = 0; i < STREAMS_MAX; i++) {
        const struct stream *stream = &streams->items[i];

        if (stream->packets == 0)
            continue;
        from = stream->from_us < from ? stream->from_us : from;
        to = stream->to_us > to ? stream->to_us : to;
        if (stream->video && facts->fps_milli == 0)
            facts->fps_milli = fps_milli(stream);
    }
    facts->duration_ms = from < to ? (to - from + 500) / 1000 : 0;
    facts->cut = streams->packets >= PROBE_PACKETS_MAX;
}

static bool read_answer(const struct json_doc *doc, struct media_facts *facts)
{
    const struct json_value *root = json_root(doc), *item;
    struct streams streams = {.packets = 0};

    for (item = json_first(json_get(root, "streams")); item != NULL; item = json_next(item)) {
        if (!read_stream(doc, item, &streams, facts))
            return false;
    }
    for (item = json_first(json_get(root, "packets")); item != NULL; item = json_next(item)) {
        if (!read_packet(doc, item, &streams))
            return false;
    }
    sum_up(&streams, facts);
    /* Of a sound ffprobe has no header's word: it counts the file's bytes. */
    if (facts->type == MEDIA_VIDEO)
        facts->claimed_ms =
            read_seconds(json_text(doc, json_get(json_get(root, "format"), "duration")));
    return facts->width >= 0 && facts->height >= 0 && facts->channels >= 0;
}

FALLIBLE media_read_size(struct str json, struct media_facts *inout_facts, struct err *err)
{
    CLEANUP(arena_fini) struct arena arena = {0};
    CLEANUP(json_free) struct json_doc *doc = NULL;

    arena_init(&arena, ARENA_BYTES);
    TRY(json_parse(&arena, json, &doc, err));
    inout_facts->width = int_of(json_root(doc), "width", UINT32_MAX);
    inout_facts->height = int_of(json_root(doc), "height", UINT32_MAX);
    if (inout_facts->width > 0 && inout_facts->height > 0)
        return ERR_OK;
    return err_set(err, ERR_INVALID, "no size");
}

FALLIBLE media_read_facts(struct str json, struct media_facts *inout_facts, struct err *err)
{
    CLEANUP(arena_fini) struct arena arena = {0};
    CLEANUP(json_free) struct json_doc *doc = NULL;

    arena_init(&arena, ARENA_BYTES);
    TRY(json_parse(&arena, json, &doc, err));
    if (read_answer(doc, inout_facts))
        return ERR_OK;
    return err_set(err, ERR_INVALID, "streams or packets out of bounds");
}
