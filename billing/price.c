/* SPDX-License-Identifier: Apache-2.0 */
/* Decides what a quantity costs by a price row. Which row matches is the
 * database's answer (price_repo.c); the shipped rows are in price_seed.c. */
#include "billing/billing.h"
#include "billing/repo.h"

#include <inttypes.h>

static const struct {
    const char *name;
    int64_t size; /* quantity that one unit price buys */
} units[] = {
    [PRICE_PER_MTOKEN] = {"mtoken", 1000000},
    [PRICE_PER_SECOND] = {"second", 1000}, /* quantity in milliseconds */
    [PRICE_PER_USE] = {"use", 1},
};

const char *price_unit_name(enum price_unit unit)
{
    return units[unit].name;
}

bool price_unit_parse(struct str name, enum price_unit *ret_unit, int64_t *ret_size)
{
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (!str_is(name, units[i].name))
            continue;
        *ret_unit = (enum price_unit)i;
        *ret_size = units[i].size;
        return true;
    }
    return false;
}

int64_t price_quantity(const struct price_row *row, int64_t tokens, int64_t output_ms)
{
    /* A row per use is a tool's, never a video's. */
    ASSERT(row->unit != PRICE_PER_USE);
    return row->unit == PRICE_PER_MTOKEN ? tokens : output_ms;
}

/* list × factor × markup, both of which are nano: rounded half up once. */
static FALLIBLE unit_price(const struct price_repo_row *row, int64_t *ret_nano, struct err *err)
{
    const unsigned __int128 scale = (unsigned __int128)MONEY_NANO * (unsigned)MONEY_NANO;
    unsigned __int128 product;

    if (row->list_price_nano < 0 || row->factor_nano < 0 || row->markup_nano < 0 ||
        __builtin_mul_overflow((unsigned __int128)(uint64_t)row->list_price_nano *
                                   (uint64_t)row->factor_nano,
                               (unsigned __int128)(uint64_t)row->markup_nano, &product) ||
        product / scale >= INT64_MAX)
        return err_detail(err, ERR_INTERNAL, "price of %s is out of range", row->price.sku);
    *ret_nano = (int64_t)(product / scale + (product % scale >= scale / 2));
    return ERR_OK;
}

static enum err_code none_in_force(struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "no price book is in force");
}

FALLIBLE price_version(struct db_conn *conn, struct str book, int64_t at_us,
                       int64_t *ret_version, struct err *err)
{
    int64_t version = 0;

    TRY(price_repo_version(conn, book, at_us, &version, err));
    if (version == 0)
        return none_in_force(err);
    *ret_version = version;
    return ERR_OK;
}

FALLIBLE price_currency(struct db_conn *conn, struct str book, int64_t version, char *dst,
                        struct err *err)
{
    return price_repo_currency(conn, book, version, dst, err);
}

static FALLIBLE take_row(const struct price_repo_row *found, bool any,
                         struct price_row *ret_row, struct err *err)
{
    int64_t unit_nano;

    /* A row per use prices a tool, whatever model it names. */
    if (!any || found->price.unit == PRICE_PER_USE)
        return err_set(err, ERR_UNAVAILABLE, "no price for this model and resolution");
    TRY(unit_price(found, &unit_nano, err));
    *ret_row = found->price;
    ret_row->unit_price_nano = unit_nano;
    return ERR_OK;
}

FALLIBLE price_find(struct db_conn *conn, struct str book, int64_t version,
                    const struct price_key *key, struct price_row *ret_row, struct err *err)
{
    struct price_repo_row found;
    bool any;

    TRY(price_repo_find(conn, book, version, key, &any, &found, err));
    return take_row(&found, any, ret_row, err);
}

FALLIBLE price_find_at(struct db_conn *conn, struct str book, int64_t at_us,
                       const struct price_key *key, struct price_row *ret_row, struct err *err)
{
    struct price_repo_row found;
    bool any;

    TRY(price_repo_find_at(conn, book, at_us, key, &any, &found, err));
    return found.price.version == 0 ? none_in_force(err) : take_row(&found, any, ret_row, err);
}

FALLIBLE price_tool(struct db_conn *conn, struct str book, int64_t version,
                    int64_t *ret_unit_nano, struct err *err)
{
    static const struct price_key key = {
        .model = {PRICE_TOOL_MODEL, sizeof(PRICE_TOOL_MODEL) - 1},
        .resolution = {"", 0},
        .tier = {"default", 7},
    };
    struct price_repo_row found = {0};
    bool any = false;

    *ret_unit_nano = 0;
    TRY(price_repo_find(conn, book, version, &key, &any, &found, err));
    return any ? unit_price(&found, ret_unit_nano, err) : ERR_OK;
}

FALLIBLE price_cost(const struct price_row *row, int64_t tokens, int64_t output_ms,
                    struct money *ret_cost, struct err *err)
{
    return money_charge(row->unit_price_nano, price_quantity(row, tokens, output_ms),
                        units[row->unit].size, ret_cost, err);
}
