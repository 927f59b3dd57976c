/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what this program says that every model, size, length and input costs,
 * for check_prices.py: model, resolution, ratio, output ("5s", "29f"), input ms (-1: no
 * video), tier, sound, sku, tokens, cost. Prices come from a freshly seeded database. */
#include "tests/unit/billing/fixture.h"

#define NEXT_SIZES "480p/16:9=854x480 720p/16:9=1280x720 1080p/16:9=1920x1080"

static const struct {
    const char *model, *sizes, *resolutions[5];
    bool all_ratios, older, frames, video;
    int seconds_min, seconds_max;
} models[] = {
    {"doubao-seedance-2-0",
     "2.0",
     {"480p", "720p", "1080p", "4k"},
     true,
     false,
     false,
     true,
     4,
     15},
    {"doubao-seedance-2-0-fast",
     "2.0",
     {"480p", "720p", "1080p", "4k"},
     true,
     false,
     false,
     true,
     4,
     15},
    {"doubao-seedance-2-0-mini",
     "2.0",
     {"480p", "720p", "1080p", "4k"},
     true,
     false,
     false,
     true,
     4,
     15},
    {"doubao-seedance-1-5-pro",
     "2.0",
     {"480p", "720p", "1080p"},
     true,
     true,
     false,
     false,
     4,
     12},
    {"doubao-seedance-1-0-pro",
     "1.0",
     {"480p", "720p", "1080p"},
     true,
     true,
     true,
     false,
     2,
     12},
    {"doubao-seedance-1-0-pro-fast",
     "1.0",
     {"480p", "720p", "1080p"},
     true,
     true,
     true,
     false,
     2,
     12},
    {"doubao-seedance-1-0-lite-t2v",
     "1.0",
     {"480p", "720p", "1080p"},
     true,
     true,
     true,
     false,
     2,
     12},
    {"doubao-seedance-1-0-lite-i2v",
     "1.0",
     {"480p", "720p", "1080p"},
     true,
     true,
     true,
     false,
     2,
     12},
    {"doubao-seedance-2-5",
     NEXT_SIZES,
     {"480p", "720p", "1080p"},
     false,
     false,
     false,
     true,
     4,
     30},
};
static const char *const ratios[] = {"16:9", "4:3", "1:1", "3:4", "9:16", "21:9"};
static const int64_t inputs_ms[] = {-1,   0,     2000,  3333,  4000, 6660,
                                    7350, 10000, 10041, 15000, 15200};

/* One request, and the row that prices it. */
struct line {
    const char *model, *resolution, *ratio, *tier;
    int width, height;
    int64_t input_ms;
    bool audio;
    struct price_row row;
};

static FALLIBLE print_line(const struct line *line, int64_t length, char unit, int64_t tokens,
                           int64_t output_ms, struct err *err)
{
    char text[MONEY_TEXT_MAX];
    struct money cost;

    TRY(price_cost(&line->row, tokens, output_ms, &cost, err));
    money_text(cost, text);
    (void)printf("%s %s %s %" PRId64 "%c %" PRId64 " %s %s %s %" PRId64 " %s\n", line->model,
                 line->resolution, line->ratio, length, unit, line->input_ms, line->tier,
                 line->audio ? "sound" : "silent", line->row.sku, tokens, text);
    return ERR_OK;
}

static FALLIBLE print_lengths(struct db_conn *conn, struct line *line, size_t m,
                              struct err *err)
{
    struct price_key key = {.model = str_from(line->model),
                            .resolution = str_from(line->resolution),
                            .video = line->input_ms >= 0,
                            .audio = line->audio,
                            .tier = str_from(line->tier)};
    int64_t version;

    TRY(price_version(conn, STR("ark-cny"), NOW, &version, err));
    TRY(price_find(conn, STR("ark-cny"), version, &key, &line->row, err));
    for (int64_t s = models[m].seconds_min; s <= models[m].seconds_max; s++)
        TRY(print_line(line, s, 's',
                       size_tokens(line->width, line->height, s * 1000, line->input_ms),
                       s * 1000, err));
    for (int64_t frames = 29; models[m].frames && frames <= 289; frames += 4)
        TRY(print_line(line, frames, 'f', size_tokens_frames(line->width, line->height, frames),
                       frames * 1000 / 24, err));
    return ERR_OK;
}

/* With every input, or every tier and sound. */
static FALLIBLE print_size(struct db_conn *conn, struct line *line, size_t m, struct err *err)
{
    static const char *const tiers[] = {"default", "flex"};

    TRY(size_pixels(str_from(models[m].sizes), str_from(line->resolution),
                    str_from(line->ratio), &line->width, &line->height, err));
    for (size_t i = 0; models[m].video && i < COUNT_OF(inputs_ms); i++) {
        line->input_ms = inputs_ms[i];
        line->audio = i % 2 == 0;
        line->tier = tiers[0];
        TRY(print_lengths(conn, line, m, err));
    }
    for (size_t i = 0; models[m].older && i < 4; i++) {
        line->input_ms = -1;
        line->audio = i % 2 == 0;
        line->tier = tiers[i / 2];
        TRY(print_lengths(conn, line, m, err));
    }
    return ERR_OK;
}

static enum err_code print_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    for (size_t m = 0; m < COUNT_OF(models); m++) {
        for (size_t r = 0; models[m].resolutions[r] != NULL; r++) {
            for (size_t a = 0; a < (models[m].all_ratios ? COUNT_OF(ratios) : 1); a++) {
                struct line line = {.model = models[m].model,
                                    .resolution = models[m].resolutions[r],
                                    .ratio = ratios[a]};

                TRY(print_size(conn, &line, m, err));
            }
        }
    }
    return ERR_OK;
}

int main(void)
{
    struct fixture fixture = {0};
    struct err err = {0};

    fixture_init(&fixture);
    CHECK_OK("print", db_read(fixture.db, print_steps, NULL, &err), &err);
    fixture_fini(&fixture);
    return check_failures != 0;
}
