/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what this program says that every model, size, length and input costs,
 * for check_prices.py: model, resolution, ratio, output s, input ms (-1: no
 * video), sku, tokens, cost. Prices come from a freshly seeded database. */
#include "tests/unit/billing/fixture.h"

static const char *const models[] = {"doubao-seedance-2-0", "doubao-seedance-2-0-fast",
                                     "doubao-seedance-2-0-mini"};
static const char *const resolutions[] = {"480p", "720p", "1080p", "4k"};
static const char *const ratios[] = {"16:9", "4:3", "1:1", "3:4", "9:16", "21:9"};
static const int64_t inputs_ms[] = {
    -1, 0, 2000, 3333, 4000, 6660, 7350, 10000, 10041, 15000, SIZE_INPUT_UNKNOWN_MS};

static FALLIBLE print_row(struct db_conn *conn, const char *model, const char *resolution,
                          const char *ratio, int64_t input_ms, struct err *err)
{
    struct price_key key = {.model = str_from(model),
                            .resolution = str_from(resolution),
                            .video = input_ms >= 0,
                            .audio = true,
                            .tier = STR("default")};
    struct price_row row;
    int width, height;
    int64_t version;

    TRY(size_pixels(key.resolution, str_from(ratio), &width, &height, err));
    TRY(price_version(conn, STR("ark-cny"), NOW, &version, err));
    TRY(price_find(conn, STR("ark-cny"), version, &key, &row, err));
    for (int seconds = 4; seconds <= 15; seconds++) {
        int64_t tokens = size_tokens(width, height, seconds * 1000, input_ms);
        char text[MONEY_TEXT_MAX];
        struct money cost;

        TRY(price_cost(&row, tokens, seconds * 1000, &cost, err));
        money_text(cost, text);
        (void)printf("%s %s %s %d %" PRId64 " %s %" PRId64 " %s\n", model, resolution, ratio,
                     seconds, input_ms, row.sku, tokens, text);
    }
    return ERR_OK;
}

static enum err_code print_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    for (size_t m = 0; m < COUNT_OF(models); m++)
        for (size_t r = 0; r < COUNT_OF(resolutions); r++)
            for (size_t a = 0; a < COUNT_OF(ratios); a++)
                for (size_t i = 0; i < COUNT_OF(inputs_ms); i++)
                    TRY(print_row(conn, models[m], resolutions[r], ratios[a], inputs_ms[i],
                                  err));
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
