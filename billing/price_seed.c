/* SPDX-License-Identifier: Apache-2.0 */
/* Decides which price books a new database has. What an operator adds later is
 * not touched. */
#include "billing/billing.h"
#include "billing/repo.h"

#define YUAN(whole) ((whole)*MONEY_NANO)

static const struct price_repo_book ark_cny = {
    .book = "ark-cny",
    .version = 1,
    .starts_us = 0,
    .currency = "CNY",
    .factor_nano = MONEY_NANO,
    .markup_nano = MONEY_NANO,
};

/* One of the models before 2.0: flex is half the price. */
#define OLDER(model, audio, sku, nano)                                   \
    {model, "*", -1, audio, "default", sku, "mtoken", (nano)},           \
    {                                                                    \
        model, "*", -1, audio, "flex", sku "-flex", "mtoken", (nano) / 2 \
    }
#define VIDEO(model, resolution, video, sku, nano)             \
    {                                                          \
        model, resolution, video, -1, "*", sku, "mtoken", nano \
    }

/* Ark's list prices in yuan per million tokens: for 2.0 by model, resolution and whether the
 * content holds a video; for the older ones, which ship unsold, by sound and tier, from
 * resellers' lists: an operator checks them before selling. */
static const struct price_repo_seed ark_cny_rows[] = {
    VIDEO("doubao-seedance-2-0", "480p", 0, "doubao-seedance-2-0-480p-novideo", YUAN(46)),
    VIDEO("doubao-seedance-2-0", "480p", 1, "doubao-seedance-2-0-480p-video", YUAN(28)),
    VIDEO("doubao-seedance-2-0", "720p", 0, "doubao-seedance-2-0-720p-novideo", YUAN(46)),
    VIDEO("doubao-seedance-2-0", "720p", 1, "doubao-seedance-2-0-720p-video", YUAN(28)),
    VIDEO("doubao-seedance-2-0", "1080p", 0, "doubao-seedance-2-0-1080p-novideo", YUAN(51)),
    VIDEO("doubao-seedance-2-0", "1080p", 1, "doubao-seedance-2-0-1080p-video", YUAN(31)),
    VIDEO("doubao-seedance-2-0", "4k", 0, "doubao-seedance-2-0-4k-novideo", YUAN(26)),
    VIDEO("doubao-seedance-2-0", "4k", 1, "doubao-seedance-2-0-4k-video", YUAN(16)),
    VIDEO("doubao-seedance-2-0-fast", "*", 0, "doubao-seedance-2-0-fast-novideo", YUAN(37)),
    VIDEO("doubao-seedance-2-0-fast", "*", 1, "doubao-seedance-2-0-fast-video", YUAN(22)),
    VIDEO("doubao-seedance-2-0-mini", "*", 0, "doubao-seedance-2-0-mini-novideo", YUAN(23)),
    VIDEO("doubao-seedance-2-0-mini", "*", 1, "doubao-seedance-2-0-mini-video", YUAN(14)),

    OLDER("doubao-seedance-1-5-pro", 1, "doubao-seedance-1-5-pro-audio", YUAN(16)),
    OLDER("doubao-seedance-1-5-pro", 0, "doubao-seedance-1-5-pro-silent", YUAN(8)),
    OLDER("doubao-seedance-1-0-pro", -1, "doubao-seedance-1-0-pro", YUAN(15)),
    OLDER("doubao-seedance-1-0-pro-fast", -1, "doubao-seedance-1-0-pro-fast", YUAN(42) / 10),
    OLDER("doubao-seedance-1-0-lite-t2v", -1, "doubao-seedance-1-0-lite-t2v", YUAN(10)),
    OLDER("doubao-seedance-1-0-lite-i2v", -1, "doubao-seedance-1-0-lite-i2v", YUAN(10)),

    VIDEO("doubao-seedance-2-5", "*", 0, "doubao-seedance-2-5-novideo", YUAN(70)),
    VIDEO("doubao-seedance-2-5", "*", 1, "doubao-seedance-2-5-video", YUAN(42)),
    VIDEO("doubao-seedance-2-5", "1080p", 0, "doubao-seedance-2-5-1080p-novideo", YUAN(77)),
    VIDEO("doubao-seedance-2-5", "1080p", 1, "doubao-seedance-2-5-1080p-video", YUAN(46)),

    /* Ark bills web search apart; nothing is asked for it until an operator says so. */
    {PRICE_TOOL_MODEL, "*", -1, -1, "*", "web-search", "use", 0},
};

FALLIBLE price_seed(struct db_conn *conn, int64_t now_us, struct err *err)
{
    bool added = false;

    (void)now_us; /* the shipped prices hold for all time before an operator's own */
    TRY(price_repo_add_book(conn, &ark_cny, &added, err));
    if (!added)
        return ERR_OK;
    for (size_t i = 0; i < COUNT_OF(ark_cny_rows); i++)
        TRY(price_repo_add_row(conn, &ark_cny, (int64_t)i + 1, &ark_cny_rows[i], err));
    return ERR_OK;
}
