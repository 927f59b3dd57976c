/* SPDX-License-Identifier: Apache-2.0 */
/* The models that are sold, as data: names, sizes, durations and modes. Prices
 * stand in the price books. */
#include "gateway/task/task.h"

#define ALL_RATIOS "16:9 4:3 1:1 3:4 9:16 21:9 adaptive"

/* Sources: Ark's parameter table for the 2.0 models (create task). */
static const struct model models[] = {
    {
        .name = "doubao-seedance-2-0",
        .dated = "doubao-seedance-2-0-260128",
        .aliases = {"doubao-seedance-2-0-260128"},
        .resolutions = "480p 720p 1080p 4k",
        .resolution_default = "720p",
        .ratios = ALL_RATIOS,
        .ratio_default = "adaptive",
        .duration_min = 4,
        .duration_max = 15,
        .duration_default = 5,
        .duration_auto = true,
        .audio_reference = true,
        .audio_default = true,
        .audio_echoed = true,
    },
    {
        .name = "doubao-seedance-2-0-fast",
        .dated = "doubao-seedance-2-0-fast-260128",
        .aliases = {"doubao-seedance-2-0-fast-260128"},
        .resolutions = "480p 720p",
        .resolution_default = "720p",
        .ratios = ALL_RATIOS,
        .ratio_default = "adaptive",
        .duration_min = 4,
        .duration_max = 15,
        .duration_default = 5,
        .duration_auto = true,
        .audio_reference = true,
        .audio_default = true,
        .audio_echoed = true,
    },
    {
        .name = "doubao-seedance-2-0-mini",
        .dated = "doubao-seedance-2-0-mini-260615",
        .aliases = {"doubao-seedance-2-0-mini-260615", "doubao-seedance-2.0-mini"},
        .resolutions = "480p 720p",
        .resolution_default = "720p",
        .ratios = ALL_RATIOS,
        .ratio_default = "adaptive",
        .duration_min = 4,
        .duration_max = 15,
        .duration_default = 5,
        .duration_auto = true,
        .audio_reference = false,
        .audio_default = true,
        .audio_echoed = false,
    },
};

static bool answers_to(const struct model *model, struct str name)
{
    if (str_is(name, model->name))
        return true;
    for (size_t i = 0; i < COUNT_OF(model->aliases) && model->aliases[i] != NULL; i++) {
        if (str_is(name, model->aliases[i]))
            return true;
    }
    return false;
}

enum err_code catalogue_find(struct str name, const struct model **ret_model, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(models); i++) {
        if (answers_to(&models[i], name)) {
            *ret_model = &models[i];
            return ERR_OK;
        }
    }
    char shown[MODEL_NAME_MAX + 1];

    str_copy_cut(shown, sizeof(shown), name);
    enum err_code rc = err_set(err, ERR_MODEL_UNKNOWN,
                               "The model or endpoint %s does not exist or you do not have "
                               "access to it.",
                               shown);
    (void)str_copy(err->field, sizeof(err->field), STR("model"));
    return rc;
}

const struct model *catalogue_at(size_t position)
{
    return position < COUNT_OF(models) ? &models[position] : NULL;
}

bool catalogue_lists(const char *words, struct str word)
{
    struct str rest = str_from(words);

    while (rest.len > 0) {
        size_t len = 0;

        while (len < rest.len && rest.ptr[len] != ' ')
            len++;
        if (word.len > 0 && str_eq((struct str){rest.ptr, len}, word))
            return true;
        len += len < rest.len;
        rest = (struct str){rest.ptr + len, rest.len - len};
    }
    return false;
}
