/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target for what operators write: the configuration file, --set pairs, a model's keys
 * and tables of sizes. The first byte chooses. Whatever is accepted is in its bounds. */
#include "billing/billing.h"
#include "gateway/catalogue/catalogue_parts.h"
#include "gateway/cli/serve_config.h"

#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of the command line a refusal repeats bytes as they were typed. */
static void check_refusal(const struct err *err)
{
    ASSERT(err->code != ERR_OK && err->msg[0] != '\0');
}

/* ---- serve's settings ------------------------------------------------------------- */

static void check_setting(const struct config_key *key, void *ctx)
{
    const char *at = (const char *)ctx + key->offset;
    int64_t number;

    switch (key->type) {
    case CONFIG_TEXT:
        ASSERT(memchr(at, '\0', key->size) != NULL && str_is_utf8(str_from(at)));
        break;
    case CONFIG_BOOL:
        ASSERT(*(const unsigned char *)at <= 1);
        break;
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        memcpy(&number, at, sizeof(number));
        ASSERT(number >= key->min && number <= key->max);
        break;
    }
}

static void check_load(const char *set)
{
    struct serve_config config;
    struct err err;

    if (serve_config_load(NULL, 0, set, &config, &err) == ERR_OK) {
        serve_config_each(check_setting, &config);
    } else {
        ASSERT(err.code == ERR_CONFIG);
        check_refusal(&err);
        if (set == NULL)
            fuzz_check_err(&err);
    }
}

static void check_file(struct str text)
{
    static int fd = -1;
    char path[64];

    if (fd < 0)
        fd = memfd_create("config", MFD_CLOEXEC);
    ASSERT(fd >= 0 && ftruncate(fd, 0) == 0);
    ASSERT(pwrite(fd, text.ptr, text.len, 0) == (ssize_t)text.len);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ASSERT(setenv("ARKGATE_CONFIG", path, 1) == 0);
    check_load(NULL);
    ASSERT(unsetenv("ARKGATE_CONFIG") == 0);
}

/* ---- models ------------------------------------------------------------------------ */

/* What a key shows can be set again, and shows the same. */
struct copied {
    const struct model *model;
    struct model copy;
};

static void check_key(const struct config_key *key, void *ctx)
{
    char text[CATALOGUE_SIZES_MAX + 1], again[CATALOGUE_SIZES_MAX + 1];
    struct copied *copied = ctx;
    struct err err;

    catalogue_keys_text(key, copied->model, text, sizeof(text));
    ASSERT(catalogue_keys_set(&copied->copy, str_from(key->name), str_from(text), &err) ==
           ERR_OK);
    check_setting(key, &copied->copy);
    catalogue_keys_text(key, &copied->copy, again, sizeof(again));
    ASSERT(strcmp(text, again) == 0);
}

/* Every pair of words of a model that holds together has a size. */
static void check_sizes(const struct model *model)
{
    int width = 0, height = 0;
    struct err err;

    ASSERT(str_has_word(model->resolutions, str_from(model->resolution)));
    ASSERT(model->duration_min <= model->duration_max);
    if (model->sizes[0] == '\0') {
        ASSERT(!model->sold);
        return;
    }
    ASSERT(size_pixels(str_from(model->sizes), str_from(model->resolution),
                       str_from(model->ratio), &width, &height, &err) == ERR_OK);
    ASSERT(size_tokens(width, height, model->duration_max * 1000, model->video_seconds * 1000) >
           0);
}

/* Lines of key=value. */
static void check_model(struct str text)
{
    struct model model;
    struct copied copied = {.model = &model};
    struct err err;

    catalogue_keys_defaults(&model);
    (void)str_copy(model.name, sizeof(model.name), STR("fuzzed"));
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.ptr);
        const char *equals = memchr(text.ptr, '=', len);
        size_t name = equals == NULL ? len : (size_t)(equals - text.ptr);
        struct str value = {text.ptr + name + (equals != NULL), len - name - (equals != NULL)};

        if (catalogue_keys_set(&model, (struct str){text.ptr, name}, value, &err) != ERR_OK)
            check_refusal(&err);
        len += end != NULL;
        text = (struct str){text.ptr + len, text.len - len};
    }
    catalogue_keys_each(check_key, &copied);
    if (catalogue_keys_check(&model, &err) == ERR_OK)
        check_sizes(&model);
    else
        check_refusal(&err);
}

static void check_table(struct str sizes)
{
    static const char *const resolutions[] = {"480p", "720p", "1080p", "4k"};
    static const char *const ratios[] = {"16:9", "1:1", "adaptive"};
    int width, height;
    struct err err;

    for (size_t i = 0; i < COUNT_OF(resolutions) * COUNT_OF(ratios); i++) {
        struct str resolution = str_from(resolutions[i / COUNT_OF(ratios)]);
        struct str ratio = str_from(ratios[i % COUNT_OF(ratios)]);

        if (size_pixels(sizes, resolution, ratio, &width, &height, &err) != ERR_OK) {
            ASSERT(err.code == ERR_INVALID && err.field[0] != '\0');
            continue;
        }
        ASSERT(width > 0 && height > 0);
        ASSERT(size_tokens(width, height, 3600000, 3600000) >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data + 1, size - 1};
    char *set;

    if (size == 0)
        return 0;
    switch (data[0]) {
    case 's':
        set = malloc(size);
        ASSERT(set != NULL && str_copy(set, size, rest));
        check_load(set);
        free(set);
        break;
    case 'm':
        check_model(rest);
        break;
    case 't':
        check_table(rest);
        break;
    default:
        check_file((struct str){(const char *)data, size});
        break;
    }
    return 0;
}
