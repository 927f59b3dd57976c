/* SPDX-License-Identifier: Apache-2.0 */
/* Decides how an amount is written, added and computed from a unit price. What a
 * unit price is belongs to price.c. */
#include "billing/billing.h"

#include <inttypes.h>
#include <stdio.h>

enum { MONEY_DECIMALS = 9 };

/* Adds a digit to a magnitude; a magnitude never passes 2^63. */
static bool push_digit(uint64_t *magnitude, unsigned digit)
{
    return !__builtin_mul_overflow(*magnitude, (uint64_t)10, magnitude) &&
           !__builtin_add_overflow(*magnitude, (uint64_t)digit, magnitude);
}

bool money_parse(struct str text, struct money *ret_money)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    bool point = false;
    int digits = 0, decimals = 0;
    uint64_t magnitude = 0;

    for (size_t i = negative ? 1 : 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '.' && !point && digits > 0) {
            point = true;
            digits = 0;
            continue;
        }
        if (c < '0' || c > '9' || (point && ++decimals > MONEY_DECIMALS) ||
            !push_digit(&magnitude, (unsigned)(c - '0')))
            return false;
        digits = 1;
    }
    if (digits == 0) /* nothing, a lone sign, or no digit after the point */
        return false;
    for (; decimals < MONEY_DECIMALS; decimals++)
        if (!push_digit(&magnitude, 0))
            return false;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    ret_money->nano = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

void money_text(struct money money, char dst[MONEY_TEXT_MAX])
{
    bool negative = money.nano < 0;
    uint64_t magnitude = negative ? 0 - (uint64_t)money.nano : (uint64_t)money.nano;
    uint64_t fraction = magnitude % (uint64_t)MONEY_NANO;
    int len = snprintf(dst, MONEY_TEXT_MAX, "%s%" PRIu64, negative ? "-" : "",
                       magnitude / (uint64_t)MONEY_NANO);

    if (fraction == 0)
        return;
    len += snprintf(dst + len, MONEY_TEXT_MAX - (size_t)len, ".%0*" PRIu64, MONEY_DECIMALS,
                    fraction);
    while (dst[len - 1] == '0')
        dst[--len] = '\0';
}

FALLIBLE money_add(struct money a, struct money b, struct money *ret_sum, struct err *err)
{
    int64_t sum;

    if (__builtin_add_overflow(a.nano, b.nano, &sum))
        return err_detail(err, ERR_INTERNAL, "%" PRId64 " + %" PRId64 " nano overflows", a.nano,
                          b.nano);
    ret_sum->nano = sum;
    return ERR_OK;
}

FALLIBLE money_charge(int64_t unit_price_nano, int64_t quantity, int64_t unit,
                      struct money *ret_amount, struct err *err)
{
    if (unit_price_nano < 0 || quantity < 0 || unit <= 0)
        return err_detail(err, ERR_INTERNAL,
                          "price %" PRId64 ", quantity %" PRId64 ", unit %" PRId64,
                          unit_price_nano, quantity, unit);

    /* Half up without a remainder: (2·product + unit) ÷ (2·unit). The product is
     * below 2^126, so the doubled one still fits. */
    unsigned __int128 divisor = (unsigned __int128)(uint64_t)unit * 2;
    unsigned __int128 amount =
        ((unsigned __int128)(uint64_t)unit_price_nano * (uint64_t)quantity * 2 +
         (uint64_t)unit) /
        divisor;

    if (amount > INT64_MAX)
        return err_detail(err, ERR_INTERNAL,
                          "%" PRId64 " x %" PRId64 " / %" PRId64 " overflows", unit_price_nano,
                          quantity, unit);
    ret_amount->nano = (int64_t)amount;
    return ERR_OK;
}
