/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a model: their types and defaults as one table, and whether the members of
 * a model agree with one another. */
#include "gateway/catalogue/catalogue_parts.h"

#include "billing/billing.h"

#include <stdio.h>
#include <string.h>

#define ALL_RATIOS "16:9 4:3 1:1 3:4 9:16 21:9 adaptive"

#define KEY_TEXT(name_, def_, help_)                              \
    {                                                             \
#name_, CONFIG_TEXT, offsetof(struct model, name_),       \
            sizeof(((struct model *)0)->name_), 0, 0, def_, help_ \
    }
#define KEY_INT(name_, min_, max_, def_, help_)                                       \
    {                                                                                 \
#name_, CONFIG_INT, offsetof(struct model, name_), 0, min_, max_, def_, help_ \
    }
#define KEY_BOOL(name_, def_, help_)                                             \
    {                                                                            \
#name_, CONFIG_BOOL, offsetof(struct model, name_), 0, 0, 0, def_, help_ \
    }

static const struct config_key keys[] = {
    KEY_TEXT(dated, "", "the id that Ark gets"),
    KEY_BOOL(sold, "false", "may be used; else 503"),
    KEY_TEXT(resolutions, "480p 720p", "words of 480p, 720p, 1080p, 4k"),
    KEY_TEXT(resolution, "720p", "the one of them when none is given"),
    KEY_TEXT(ratios, ALL_RATIOS, "words such as 16:9, and adaptive"),
    KEY_TEXT(ratio, "adaptive", "the one of them when none is given"),
    KEY_TEXT(text_ratio, "", "likewise for text alone, which then cannot be adaptive"),
    KEY_BOOL(frames_adaptive, "false", "with a first frame the ratio can only be adaptive"),
    KEY_TEXT(sizes, "2.0", "2.0, 1.0, or words such as 720p/16:9=1280x720"),
    KEY_INT(duration_min, 1, 3600, "4", "shortest video in seconds"),
    KEY_INT(duration_max, 1, 3600, "15", "longest"),
    KEY_INT(duration, -1, 3600, "5", "when none is given"),
    KEY_BOOL(duration_auto, "true", "takes -1: the model decides"),
    KEY_BOOL(text, "true", "takes text alone"),
    KEY_BOOL(first_frame, "true", "takes a first frame"),
    KEY_BOOL(last_frame, "true", "takes a last frame too"),
    KEY_BOOL(reference, "true", "takes reference media"),
    KEY_INT(images, 0, 64, "9", "at most so many images"),
    KEY_INT(videos, 0, 64, "3", "videos"),
    KEY_INT(audios, 0, 64, "3", "audios; 0: no audio reference"),
    KEY_INT(video_seconds, 1, 3600, "15", "seconds of all videos that are given, at most"),
    KEY_BOOL(audio_alone, "false", "audio may be the only reference"),
    KEY_BOOL(audio, "true", "makes sound"),
    KEY_BOOL(audio_default, "true", "generate_audio when it is not given"),
    KEY_BOOL(audio_echoed, "true", "Ark's answers carry generate_audio"),
    KEY_BOOL(draft, "false", "makes drafts, and videos from them"),
    KEY_BOOL(flex, "false", "has service_tier flex"),
    KEY_BOOL(frames, "false", "takes frames"),
    KEY_BOOL(camera_fixed, "false", "takes camera_fixed"),
    KEY_BOOL(seed, "true", "takes seed"),
    KEY_BOOL(priority, "true", "takes priority"),
    KEY_BOOL(tools, "true", "takes the web_search tool"),
    KEY_BOOL(inline_parameters, "true", "heeds --rs 720p and the like at the prompt's end"),
};

void catalogue_keys_each(void (*visit)(const struct config_key *key, void *ctx), void *ctx)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        visit(&keys[i], ctx);
}

void catalogue_keys_text(const struct config_key *key, const struct model *model, char *dst,
                         size_t size)
{
    const char *at = (const char *)model + key->offset;
    int64_t number;
    bool truth;

    if (key->type == CONFIG_TEXT) {
        (void)str_copy(dst, size, str_from(at));
    } else if (key->type == CONFIG_BOOL) {
        memcpy(&truth, at, sizeof(truth));
        (void)snprintf(dst, size, "%s", truth ? "true" : "false");
    } else {
        memcpy(&number, at, sizeof(number));
        (void)snprintf(dst, size, "%lld", (long long)number);
    }
}

void catalogue_keys_defaults(struct model *ret_model)
{
    memset(ret_model, 0, sizeof(*ret_model));
    config_defaults(keys, COUNT_OF(keys), ret_model);
}

FALLIBLE catalogue_keys_set(struct model *model, struct str key, struct str value,
                            struct err *err)
{
    char name[64], text[CATALOGUE_SIZES_MAX + 1];
    struct err why = {0};

    if (!str_copy(name, sizeof(name), key) || !str_copy(text, sizeof(text), value))
        return err_field(err, "model", "a key or its value is too long");
    if (config_set(keys, COUNT_OF(keys), name, text, model, &why) != ERR_OK)
        return err_field(err, name, "%s", why.msg);
    return ERR_OK;
}

/* ---- do the members agree ------------------------------------------------- */

/* Cuts the next word off rest; false at the end. */
static bool next_word(struct str *rest, struct str *ret_word)
{
    size_t len = 0;

    *rest = str_trim(*rest);
    while (len < rest->len && rest->ptr[len] != ' ')
        len++;
    *ret_word = (struct str){rest->ptr, len};
    *rest = (struct str){rest->ptr + len, rest->len - len};
    return len > 0;
}

/* A resolution without a size cannot be held for, so not sold. */
static enum err_code check_sizes(const struct model *model, struct err *err)
{
    struct str resolutions = str_from(model->resolutions), resolution, ratio;
    int width, height;

    if (model->sizes[0] == '\0')
        return model->sold ? err_field(err, "sizes",
                                       "%s cannot be sold before its sizes are given (sizes)",
                                       model->name)
                           : ERR_OK;
    while (next_word(&resolutions, &resolution)) {
        struct str ratios = str_from(model->ratios);

        while (next_word(&ratios, &ratio)) {
            struct err why = {0};

            if (resolution.len >= sizeof(model->resolution) ||
                ratio.len >= sizeof(model->ratio))
                return err_field(err, "sizes", "resolutions and ratios have at most %d bytes",
                                 (int)sizeof(model->ratio) - 1);
            if (size_pixels(str_from(model->sizes), resolution, ratio, &width, &height, &why) !=
                ERR_OK)
                return err_field(err, "sizes", "%s at %.*s and %.*s has no size: %s",
                                 model->name, (int)resolution.len, resolution.ptr,
                                 (int)ratio.len, ratio.ptr, why.msg);
        }
    }
    return ERR_OK;
}

static enum err_code check_durations(const struct model *model, struct err *err)
{
    if (model->duration_min > model->duration_max)
        return err_field(err, "duration_min", "duration_min is over duration_max");
    if (model->duration == -1 && model->duration_auto)
        return ERR_OK;
    if (model->duration < model->duration_min || model->duration > model->duration_max)
        return err_field(err, "duration", "duration must be one that %s takes", model->name);
    return ERR_OK;
}

/* What Ark gets stands in JSON as it is. */
static enum err_code check_dated(const struct model *model, struct err *err)
{
    struct str dated = str_from(model->dated);

    if (dated.len == 0)
        return err_field(err, "dated", "%s needs the id that Ark gets (dated)", model->name);
    for (size_t i = 0; i < dated.len; i++) {
        unsigned char c = (unsigned char)dated.ptr[i];

        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\')
            return err_field(err, "dated", "dated must be printable ASCII without \" and \\");
    }
    return ERR_OK;
}

FALLIBLE catalogue_keys_check(const struct model *model, struct err *err)
{
    TRY(check_dated(model, err));
    if (!str_has_word(model->resolutions, str_from(model->resolution)))
        return err_field(err, "resolution", "resolution must be one of resolutions");
    if (!str_has_word(model->ratios, str_from(model->ratio)))
        return err_field(err, "ratio", "ratio must be one of ratios");
    if (model->text_ratio[0] != '\0' &&
        !str_has_word(model->ratios, str_from(model->text_ratio)))
        return err_field(err, "text_ratio", "text_ratio must be one of ratios");
    if (!model->text && !model->first_frame && !model->reference)
        return err_field(err, "text", "a model needs text, first_frame or reference");
    TRY(check_durations(model, err));
    return check_sizes(model, err);
}
