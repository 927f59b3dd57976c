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

/* Ark's list prices in yuan per million tokens, by model, resolution and whether
 * the content holds a video. */
static const struct price_repo_seed ark_cny_rows[] = {
    {"doubao-seedance-2-0", "480p", 0, "doubao-seedance-2-0-480p-novideo", YUAN(46)},
    {"doubao-seedance-2-0", "480p", 1, "doubao-seedance-2-0-480p-video", YUAN(28)},
    {"doubao-seedance-2-0", "720p", 0, "doubao-seedance-2-0-720p-novideo", YUAN(46)},
    {"doubao-seedance-2-0", "720p", 1, "doubao-seedance-2-0-720p-video", YUAN(28)},
    {"doubao-seedance-2-0", "1080p", 0, "doubao-seedance-2-0-1080p-novideo", YUAN(51)},
    {"doubao-seedance-2-0", "1080p", 1, "doubao-seedance-2-0-1080p-video", YUAN(31)},
    {"doubao-seedance-2-0", "4k", 0, "doubao-seedance-2-0-4k-novideo", YUAN(26)},
    {"doubao-seedance-2-0", "4k", 1, "doubao-seedance-2-0-4k-video", YUAN(16)},
    {"doubao-seedance-2-0-fast", "*", 0, "doubao-seedance-2-0-fast-novideo", YUAN(37)},
    {"doubao-seedance-2-0-fast", "*", 1, "doubao-seedance-2-0-fast-video", YUAN(22)},
    {"doubao-seedance-2-0-mini", "*", 0, "doubao-seedance-2-0-mini-novideo", YUAN(23)},
    {"doubao-seedance-2-0-mini", "*", 1, "doubao-seedance-2-0-mini-video", YUAN(14)},
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
