/* SPDX-License-Identifier: Apache-2.0 */
/* Money: text both ways, sums, and charges rounded half up once. */
#include "billing/billing.h"

#include "tests/lib/check.h"

static void test_text(void)
{
    static const struct {
        struct str text;
        bool good;
        int64_t nano;
        const char *shown;
    } cases[] = {
        /* text                             good   nano                  shown */
        {STR("100"), true, INT64_C(100000000000), "100"},
        {STR("5.0094"), true, 5009400000, "5.0094"},
        {STR("-0.000000001"), true, -1, "-0.000000001"},
        {STR("0"), true, 0, "0"},
        {STR("-0"), true, 0, "0"},
        {STR("0.0"), true, 0, "0"},
        {STR("1.500000000"), true, 1500000000, "1.5"},
        {STR("0.100000001"), true, 100000001, "0.100000001"},
        {STR("9223372036.854775807"), true, INT64_MAX, "9223372036.854775807"},
        {STR("-9223372036.854775808"), true, INT64_MIN, "-9223372036.854775808"},
        {STR("9223372036.854775808"), false, 0, ""},
        {STR("-9223372036.854775809"), false, 0, ""},
        {STR("18446744073.709551616"), false, 0, ""},
        {STR("99999999999999999999999999"), false, 0, ""},
        {STR("9223372037"), false, 0, ""},
        {STR("0.0000000001"), false, 0, ""},
        {STR("1.0000000000"), false, 0, ""},
        {STR(""), false, 0, ""},
        {STR("-"), false, 0, ""},
        {STR("."), false, 0, ""},
        {STR(".5"), false, 0, ""},
        {STR("5."), false, 0, ""},
        {STR("-.5"), false, 0, ""},
        {STR("--5"), false, 0, ""},
        {STR("+5"), false, 0, ""},
        {STR("5-"), false, 0, ""},
        {STR("1.2.3"), false, 0, ""},
        {STR("1e3"), false, 0, ""},
        {STR(" 5"), false, 0, ""},
        {STR("5 "), false, 0, ""},
        {STR("5\0"), false, 0, ""},
        {STR("1,5"), false, 0, ""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct money money = {-77};
        char text[MONEY_TEXT_MAX];

        CHECK_INT(cases[i].text.ptr, money_parse(cases[i].text, &money), cases[i].good);
        CHECK_INT(cases[i].text.ptr, money.nano, cases[i].good ? cases[i].nano : -77);
        if (!cases[i].good)
            continue;
        money_text(money, text);
        CHECK_TEXT(cases[i].text.ptr, text, cases[i].shown);
    }
}

static void test_add(void)
{
    static const struct {
        const char *what;
        int64_t a, b;
        enum err_code rc;
        int64_t sum;
    } cases[] = {
        {"plain", 3, -5, ERR_OK, -2},
        {"largest", INT64_MAX - 1, 1, ERR_OK, INT64_MAX},
        {"over", INT64_MAX, 1, ERR_INTERNAL, -77},
        {"under", INT64_MIN, -1, ERR_INTERNAL, -77},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct money sum = {-77};
        struct err err = {0};

        CHECK_INT(cases[i].what,
                  money_add((struct money){cases[i].a}, (struct money){cases[i].b}, &sum, &err),
                  cases[i].rc);
        CHECK_INT(cases[i].what, sum.nano, cases[i].sum);
    }
}

static void test_charge(void)
{
    static const struct {
        const char *what;
        int64_t price, quantity, unit;
        enum err_code rc;
        int64_t nano;
    } cases[] = {
        /* what                      price              quantity  unit     rc      nano */
        {"108900 tokens at 46", INT64_C(46000000000), 108900, 1000000, ERR_OK, 5009400000},
        {"785700 tokens at 26", INT64_C(26000000000), 785700, 1000000, ERR_OK, 20428200000},
        {"nothing", INT64_C(46000000000), 0, 1000000, ERR_OK, 0},
        {"free", 0, 108900, 1000000, ERR_OK, 0},
        {"just below half", 499999, 1, 1000000, ERR_OK, 0},
        {"half goes up", 500000, 1, 1000000, ERR_OK, 1},
        {"one and a half", 1500000, 1, 1000000, ERR_OK, 2},
        {"below one and a half", 1499999, 1, 1000000, ERR_OK, 1},
        {"odd unit below half", 1, 1, 3, ERR_OK, 0},
        {"odd unit above half", 2, 1, 3, ERR_OK, 1},
        {"per second", 225000000, 8000, 1000, ERR_OK, 1800000000},
        {"largest result", INT64_MAX, 1, 1, ERR_OK, INT64_MAX},
        {"128 bit product", INT64_MAX, INT64_MAX, INT64_MAX, ERR_OK, INT64_MAX},
        {"rounded out of range", INT64_MAX, 3, 2, ERR_INTERNAL, -77},
        {"overflow", INT64_MAX, 2, 1, ERR_INTERNAL, -77},
        {"negative price", -1, 1, 1, ERR_INTERNAL, -77},
        {"negative quantity", 1, -1, 1, ERR_INTERNAL, -77},
        {"no unit", 1, 1, 0, ERR_INTERNAL, -77},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct money amount = {-77};
        struct err err = {0};

        CHECK_INT(cases[i].what,
                  money_charge(cases[i].price, cases[i].quantity, cases[i].unit, &amount, &err),
                  cases[i].rc);
        CHECK_INT(cases[i].what, amount.nano, cases[i].nano);
    }
}

CHECK_MAIN(CHECK_TEST(test_text), CHECK_TEST(test_add), CHECK_TEST(test_charge))
