/* SPDX-License-Identifier: Apache-2.0 */
/* The rules for assets, applied to facts. Where the facts come from, and whether the file
 * can be decoded at all, is not known here. */
#include "assetlib/media_private.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    MB = 1 << 20,
    /* How far a header may be off its streams. Tracks end at different frames, and recorders
     * round to whole seconds; half a second more or less brings no video past a rule. */
    CLAIM_SLACK_MS = 500
};

const struct media_rules rules_default = {
    .bytes_below = {[MEDIA_IMAGE] = 30 * MB, [MEDIA_VIDEO] = 50 * MB, [MEDIA_AUDIO] = 15 * MB},
    .side_min = 300,
    .side_max = 6000,
    .ratio_milli_min = 400,
    .ratio_milli_max = 2500,
    .pixels_min = 407696, /* 480p to 1080p, as Ark counts them */
    .pixels_max = 2086876,
    .duration_ms_min = 2000,
    .duration_ms_max = 15000,
    .duration_ms_slack = 200,
    .fps_milli_min = 24000,
    .fps_milli_max = 60000,
    .fps_milli_slack = 200,
};

static const char *const nouns[MEDIA_TYPE_COUNT] = {
    [MEDIA_IMAGE] = "image", [MEDIA_VIDEO] = "video", [MEDIA_AUDIO] = "audio"};

static void PRINTF_LIKE(3, 4)
    fail(struct media_verdict *verdict, const char *code, const char *fmt, ...)
{
    va_list args;

    verdict->failed = true;
    (void)snprintf(verdict->code, sizeof(verdict->code), "InvalidParameter.%s", code);
    va_start(args, fmt);
    (void)vsnprintf(verdict->message, sizeof(verdict->message), fmt, args);
    va_end(args);
}

struct number {
    char text[32];
};

/* 1200 as "1.2". */
static struct number milli(int64_t value)
{
    struct number number;
    int len = snprintf(number.text, sizeof(number.text), "%lld.%03lld",
                       (long long)(value / 1000), (long long)(value % 1000));

    while (number.text[len - 1] == '0')
        number.text[--len] = '\0';
    if (number.text[len - 1] == '.')
        number.text[len - 1] = '\0';
    return number;
}

static void judge_format(const struct media_facts *facts, struct media_verdict *verdict)
{
    const struct media_format *format = media_format_find(facts->format);

    if (format == NULL || format->type != facts->type)
        rules_unsupported(verdict, "the file is %s%s, %s %s must be %s",
                          format == NULL ? "of no known format" : "a ",
                          format == NULL ? "" : format->name,
                          facts->type == MEDIA_VIDEO ? "a" : "an", nouns[facts->type],
                          media_format_names(facts->type));
    else if (facts->codec[0] == '\0')
        rules_unsupported(verdict, "the %s has no %s in it", format->name, nouns[facts->type]);
    else if (!str_has_word(format->codecs, str_from(facts->codec)))
        rules_unsupported(verdict, "the codec of the %s is %s, which is not supported",
                          nouns[facts->type], facts->codec);
    else if (facts->audio_codec[0] != '\0' && !media_format_has_sound(facts->audio_codec))
        rules_unsupported(verdict,
                          "the codec of the video's sound is %s, which is not supported",
                          facts->audio_codec);
}

static void judge_image(const struct media_facts *facts, const struct media_rules *rules,
                        struct media_verdict *verdict)
{
    const int64_t w = facts->width, h = facts->height;
    const char *code = NULL;

    if (w < rules->side_min || h < rules->side_min)
        code = "ResolutionTooLow";
    if (w > rules->side_max || h > rules->side_max)
        code = "ResolutionTooHigh";
    if (code != NULL)
        fail(verdict, code,
             "the image has %lld x %lld pixels, each side must have %lld to %lld", (long long)w,
             (long long)h, (long long)rules->side_min, (long long)rules->side_max);
    else if (w * 1000 < rules->ratio_milli_min * h || w * 1000 > rules->ratio_milli_max * h)
        fail(verdict, "AspectRatioUnsupported",
             "the image has %lld x %lld pixels, a ratio of %s; it must be %s to %s",
             (long long)w, (long long)h, milli(w * 1000 / h).text,
             milli(rules->ratio_milli_min).text, milli(rules->ratio_milli_max).text);
}

static void judge_pixels(const struct media_facts *facts, const struct media_rules *rules,
                         struct media_verdict *verdict)
{
    int64_t pixels = facts->width * facts->height;

    if (pixels < rules->pixels_min || pixels > rules->pixels_max)
        fail(verdict, pixels < rules->pixels_min ? "ResolutionTooLow" : "ResolutionTooHigh",
             "the video has %lld x %lld pixels, which is %lld; it must have %lld to %lld",
             (long long)facts->width, (long long)facts->height, (long long)pixels,
             (long long)rules->pixels_min, (long long)rules->pixels_max);
}

static void judge_length(const struct media_facts *facts, int64_t ms, const char *verb,
                         const struct media_rules *rules, struct media_verdict *verdict)
{
    bool shorter = ms < rules->duration_ms_min - rules->duration_ms_slack && !facts->cut;

    if (!shorter && ms <= rules->duration_ms_max + rules->duration_ms_slack)
        return;
    fail(verdict, shorter ? "DurationTooShort" : "DurationTooLong",
         "the %s %s %s%s s, it must last %s to %s s", nouns[facts->type], verb,
         facts->cut ? "more than " : "", milli(ms).text, milli(rules->duration_ms_min).text,
         milli(rules->duration_ms_max).text);
}

/* What the streams have and what the header says must both be allowed: some players, and
 * who knows whether Ark, go by the one, some by the other. */
static void judge_duration(const struct media_facts *facts, const struct media_rules *rules,
                           struct media_verdict *verdict)
{
    int64_t off = facts->claimed_ms - facts->duration_ms;

    judge_length(facts, facts->duration_ms, "lasts", rules, verdict);
    if (!verdict->failed && facts->claimed_ms != 0)
        judge_length(facts, facts->claimed_ms, "says in its header that it lasts", rules,
                     verdict);
    if (!verdict->failed && facts->claimed_ms != 0 && !facts->cut &&
        (off > CLAIM_SLACK_MS || off < -CLAIM_SLACK_MS))
        rules_unsupported(
            verdict, "the %s lasts %s s, but its header says %s s: it is cut off or damaged",
            nouns[facts->type], milli(facts->duration_ms).text, milli(facts->claimed_ms).text);
}

static void judge_fps(const struct media_facts *facts, const struct media_rules *rules,
                      struct media_verdict *verdict)
{
    bool low = facts->fps_milli < rules->fps_milli_min - rules->fps_milli_slack;

    if (low || facts->fps_milli > rules->fps_milli_max + rules->fps_milli_slack)
        fail(verdict, low ? "FpsTooLow" : "FpsTooHigh",
             "the video has %s frames a second, it must have %s to %s",
             milli(facts->fps_milli).text, milli(rules->fps_milli_min).text,
             milli(rules->fps_milli_max).text);
}

static void judge_timed(const struct media_facts *facts, const struct media_rules *rules,
                        struct media_verdict *verdict)
{
    if (facts->type == MEDIA_VIDEO)
        judge_pixels(facts, rules, verdict);
    if (!verdict->failed)
        judge_duration(facts, rules, verdict);
    if (!verdict->failed && facts->type == MEDIA_VIDEO)
        judge_fps(facts, rules, verdict);
    if (!verdict->failed && facts->cut)
        rules_unsupported(verdict, "the %s is in more pieces than one of its length can have",
                          nouns[facts->type]);
}

void rules_judge(const struct media_facts *facts, int64_t size, const struct media_rules *rules,
                 struct media_verdict *ret_verdict)
{
    rules_judge_size(facts->type, size, rules, ret_verdict);
    if (!ret_verdict->failed)
        judge_format(facts, ret_verdict);
    if (ret_verdict->failed)
        return;
    if (facts->type == MEDIA_IMAGE)
        judge_image(facts, rules, ret_verdict);
    else
        judge_timed(facts, rules, ret_verdict);
}

void rules_judge_size(enum media_type type, int64_t size, const struct media_rules *rules,
                      struct media_verdict *ret_verdict)
{
    *ret_verdict = (struct media_verdict){.failed = false};
    if (size >= rules->bytes_below[type])
        fail(ret_verdict, "FileTooLarge",
             "the %s has %lld bytes, it must have less than %lld (%s MB)", nouns[type],
             (long long)size, (long long)rules->bytes_below[type],
             milli(rules->bytes_below[type] * 1000 / MB).text);
}

void rules_unsupported(struct media_verdict *ret_verdict, const char *fmt, ...)
{
    char message[sizeof(ret_verdict->message)];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    fail(ret_verdict, "FormatUnsupported", "%s", message);
}
