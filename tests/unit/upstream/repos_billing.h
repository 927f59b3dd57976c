/* SPDX-License-Identifier: Apache-2.0 */
/* The repositories of billing/ and of the catalogue, call by call. Tenants are there. */
#ifndef ARKGATE_TESTS_UPSTREAM_REPOS_BILLING_H
#define ARKGATE_TESTS_UPSTREAM_REPOS_BILLING_H

#include "tests/unit/upstream/repos.h"

/* ---- prices -------------------------------------------------------------------------------
 */

/* Versions of "acme", then books of all names, then two that are there. */
static enum err_code step_price_repo_add_book(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    int at = call->at;
    struct price_repo_book book = {.book = at < NUMBERS ? "acme" : texts[at % TEXTS],
                                   .version = at < NUMBERS ? numbers[at] : at,
                                   .starts_us = number_of(at, 1),
                                   .currency = at % 2 == 0 ? "CNY" : "\xc2\xa5",
                                   .factor_nano = number_of(at, 2),
                                   .markup_nano = number_of(at, 3)};
    bool added;

    CASES(NUMBERS + TEXTS + 2);
    if (at >= NUMBERS + TEXTS) {
        book.book = "acme";
        book.version = 0;
    }
    TRY(price_repo_add_book(conn, &book, &added, err));
    tell_number(call->told, "added", added);
    return ERR_OK;
}

/* Rows of version 1, more and less narrow; then of other texts; then what is refused: a
 * position that is taken, a unit that is none. */
static enum err_code step_price_repo_add_row(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    static const struct price_repo_seed seeds[] = {
        {"m", "*", -1, -1, "*", "any", "mtoken", 1},
        {"m", "720p", -1, -1, "*", "720p", "mtoken", 2},
        {"m", "*", 1, -1, "*", "video", "mtoken", 3},
        {"m", "*", -1, 0, "*", "silent", "second", 4},
        {"m", "*", -1, -1, "flex", "flex", "use", 5},
        {"m", "720p", 1, 1, "flex", "narrow", "mtoken", 6},
        {"m", "720p", 1, 1, "flex", "narrow too", "mtoken", 7},
        {"M", "*", -1, -1, "*", "upper", "mtoken", INT64_MAX},
        {"m ", "*", -1, -1, "*", "space", "mtoken", INT64_MIN},
    };
    static const struct price_repo_book book = {.book = "acme", .version = 1};
    int at = call->at, count = COUNT_OF(seeds);
    struct price_repo_seed seed = {texts[at % TEXTS], "*", -1, -1, "*", "s", "mtoken",
                                   number_of(at, 0)};

    CASES(count + TEXTS + 2);
    if (at < count)
        seed = seeds[at];
    if (at == count + TEXTS)
        at = 0;
    if (at == count + TEXTS + 1)
        seed.unit = "minute";
    return price_repo_add_row(conn, &book, at, &seed, err);
}

static enum err_code step_price_repo_version(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    int64_t version;

    CASES(NUMBERS + TEXTS);
    TRY(price_repo_version(conn, call->at < NUMBERS ? STR("acme") : text_of(call->at, 0),
                           number_of(call->at, 0), &version, err));
    tell_number(call->told, "version", version);
    return ERR_OK;
}

static enum err_code step_price_repo_next(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    int64_t starts_us;

    CASES(NUMBERS + TEXTS);
    TRY(price_repo_next(conn, call->at < NUMBERS ? STR("acme") : text_of(call->at, 0),
                        number_of(call->at, 0), &starts_us, err));
    tell_number(call->told, "starts", starts_us);
    return ERR_OK;
}

static enum err_code step_price_repo_currency(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    char currency[8] = "";

    CASES(NUMBERS + TEXTS);
    if (call->at < NUMBERS)
        TRY(price_repo_currency(conn, STR("acme"), numbers[call->at], currency, err));
    else
        TRY(price_repo_currency(conn, str_from(texts[call->at % TEXTS]), call->at, currency,
                                err));
    tell_value(call->told, "currency", str_from(currency));
    return ERR_OK;
}

struct price_case {
    struct price_key key;
    struct price_repo_row row;
    bool any;
};
enum { PRICE_CASES = 24 + TEXTS + 1 };

static struct price_case price_case(int at)
{
    static const char *const resolutions[] = {"720p", "1080p", "*"};

    return (struct price_case){
        .key = {.model = at < 24 ? STR("m") : text_of(at, 0),
                .resolution = str_from(resolutions[at % 3]),
                .video = at / 3 % 2 == 1,
                .audio = at / 6 % 2 == 1,
                .tier = at / 12 % 2 == 1 ? STR("flex") : STR("default")}};
}

static void tell_price(struct buf *told, const struct price_case *found)
{
    tell_number(told, "any", found->any);
    TELL_TEXT(told, &found->row, price.sku);
    TELL_TEXT(told, &found->row, price.book);
    TELL_TEXT(told, &found->row, price.currency);
    TELL(told, &found->row, price.unit);
    TELL(told, &found->row, price.version);
    TELL(told, &found->row, list_price_nano);
    TELL(told, &found->row, factor_nano);
    TELL(told, &found->row, markup_nano);
}

/* At the end a version that is none. */
static enum err_code step_price_repo_find(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    struct price_case found = price_case(call->at);

    CASES(PRICE_CASES);
    TRY(price_repo_find(conn, STR("acme"), call->at < PRICE_CASES - 1 ? 1 : INT64_MAX,
                        &found.key, &found.any, &found.row, err));
    tell_price(call->told, &found);
    return ERR_OK;
}

/* Some before any version began; at the end a book that is none. */
static enum err_code step_price_repo_find_at(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    struct price_case found = price_case(call->at);

    CASES(PRICE_CASES);
    TRY(price_repo_find_at(conn, call->at < PRICE_CASES - 1 ? STR("acme") : STR("none"),
                           call->at % 5 == 4 ? INT64_MIN : INT64_MAX, &found.key, &found.any,
                           &found.row, err));
    tell_price(call->told, &found);
    return ERR_OK;
}

/* ---- accounts and the ledger --------------------------------------------------------------
 */

static void tell_money(struct buf *told, const struct ledger_account *account)
{
    TELL(told, account, tenant_id);
    TELL_TEXT(told, account, currency);
    TELL(told, account, available_nano);
    TELL(told, account, held_nano);
    TELL(told, account, charged_nano);
    TELL(told, account, loss_nano);
    TELL(told, account, credit_line_nano);
    TELL(told, account, seq);
    tell_value(told, "head", (struct str){(const char *)account->head, sizeof(account->head)});
}

/* Tenants 1 to 9, once more, and one that is none. */
static enum err_code step_ledger_repo_open(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    int at = call->at;
    bool added;

    CASES(12);
    TRY(ledger_repo_open(conn, at == 11 ? 999 : 1 + at % 9, text_of(at, at == 0 ? 0 : 4),
                         at % 9 > 2 ? numbers[at] : 1000 * (at % 9), &added, err));
    tell_number(call->told, "added", added);
    return ERR_OK;
}

static enum err_code step_ledger_repo_account(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    struct ledger_account account = {0};
    bool any;

    CASES(12);
    TRY(ledger_repo_account(conn, call->at < 11 ? call->at : INT64_MIN, &any, &account, err));
    tell_number(call->told, "any", any);
    tell_money(call->told, &account);
    return ERR_OK;
}

static enum err_code step_ledger_repo_begin(struct db_conn *conn, struct call *call,
                                            struct err *err)
{
    struct ledger_account account = {0};
    int64_t last_us = 0;
    bool any;

    CASES(12);
    TRY(ledger_repo_begin(conn, call->at < 11 ? call->at : INT64_MIN, &any, &account, &last_us,
                          err));
    tell_number(call->told, "any", any);
    tell_number(call->told, "last_us", last_us);
    tell_money(call->told, &account);
    return ERR_OK;
}

static enum err_code step_ledger_repo_credit_line(struct db_conn *conn, struct call *call,
                                                  struct err *err)
{
    bool any;

    CASES(6);
    TRY(ledger_repo_credit_line(conn, call->at == 5 ? 999 : 3 + call->at,
                                call->at == 0 ? 0 : numbers[call->at], &any, err));
    tell_number(call->told, "any", any);
    return ERR_OK;
}

/* One entry after another on some accounts; then numbers that are not the next one, and an
 * account that is none. */
static enum err_code step_ledger_repo_end(struct db_conn *conn, struct call *call,
                                          struct err *err)
{
    enum { ROUNDS = 4, GOOD = NUMBERS * ROUNDS };
    static const int64_t wrong[] = {0, 1, ROUNDS, ROUNDS + 2, INT64_MAX};
    int at = call->at;
    struct ledger_account account = {.tenant_id = at < GOOD       ? 1 + at % NUMBERS
                                                  : at < GOOD + 5 ? 1
                                                                  : 999,
                                     .seq = at < GOOD       ? 1 + at / NUMBERS
                                            : at < GOOD + 5 ? wrong[at - GOOD]
                                                            : 1,
                                     .available_nano = number_of(at, 0),
                                     .held_nano = number_of(at, 1),
                                     .charged_nano = number_of(at, 2),
                                     .loss_nano = number_of(at, 3)};

    CASES(GOOD + 6);
    memcpy(account.head, hash_of(at + 5), sizeof(account.head));
    return ledger_repo_end(conn, &account, at, err);
}

/* Whole rows, then rows with one optional column absent, or empty; then what is refused: a
 * number and a reference that are taken, a kind that is absent, a tenant that is none, a
 * text with a NUL. */
static enum err_code step_ledger_repo_insert(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    enum { WHOLE = TEXTS, ABSENT = WHOLE + COLUMN_COUNT, EMPTY = ABSENT + COLUMN_COUNT };
    int at = call->at;
    char ref[16];
    struct ledger_view view = {.present = (1U << COLUMN_COUNT) - 1};

    CASES(EMPTY + 6);
    for (int column = 0; column < COLUMN_COUNT; column++) {
        view.number[column] = number_of(at, column);
        view.text[column] = ledger_view_columns[column].type == COLUMN_IS_TEXT
                                ? text_of(at, column)
                                : bytes_of(at + column);
    }
    (void)snprintf(ref, sizeof(ref), "ref-%d", at);
    view.text[COLUMN_REF] = str_from(ref);
    view.number[COLUMN_TENANT] = 1 + at % 3;
    view.number[COLUMN_SEQ] = at < NUMBERS ? numbers[at] : 100 + at;
    if (at < WHOLE)
        view.text[COLUMN_REF] = text_of(at, 0);
    else if (at < ABSENT)
        view.present &= ~(1U << (at - WHOLE)); /* some of them may not be */
    else if (at < EMPTY)
        view.text[at - ABSENT] = STR("");
    else if (at == EMPTY)
        view.number[COLUMN_SEQ] = 100 + EMPTY - 3;
    else if (at == EMPTY + 1)
        view.text[COLUMN_REF] = str_from(texts[2 + (at - 2) % 3]);
    else if (at == EMPTY + 2)
        view.number[COLUMN_TENANT] = 21; /* likewise */
    else if (at == EMPTY + 3)
        view.text[COLUMN_REASON] = STR("a\0b");
    else if (at == EMPTY + 4)
        view.number[COLUMN_TENANT] = 20; /* which has nothing else */
    return ledger_repo_insert(conn, &view, err);
}

static enum err_code visit_view(const struct ledger_view *view, void *ctx, struct err *err)
{
    (void)err;
    for (unsigned column = 0; column < COLUMN_COUNT; column++) {
        const struct ledger_column_info *info = &ledger_view_columns[column];

        if (!ledger_view_has(view, column))
            buf_printf(ctx, " %s=NULL", info->name);
        else if (info->type <= COLUMN_IS_BIG)
            tell_number(ctx, info->name, view->number[column]);
        else
            tell_value(ctx, info->name, view->text[column]);
    }
    buf_puts(ctx, "\n");
    return ERR_OK;
}

static enum err_code step_ledger_repo_by_ref(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    CASES(2 * TEXTS);
    return ledger_repo_by_ref(conn, 1 + call->at / TEXTS, str_from(texts[call->at % TEXTS]),
                              visit_view, call->told, err);
}

static enum err_code step_ledger_repo_each(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    static const int limits[] = {1000, 3, 0};

    CASES(NUMBERS * COUNT_OF(limits) * 2);
    return ledger_repo_each(conn, 1 + call->at % 2, numbers[call->at / 2 % NUMBERS],
                            limits[call->at / 2 / NUMBERS], visit_view, call->told, err);
}

static enum err_code step_ledger_repo_next_tenant(struct db_conn *conn, struct call *call,
                                                  struct err *err)
{
    int64_t id;

    CASES(NUMBERS + 40);
    TRY(ledger_repo_next_tenant(
        conn, call->at < NUMBERS ? numbers[call->at] : call->at - NUMBERS, &id, err));
    tell_number(call->told, "id", id);
    return ERR_OK;
}

/* ---- holds --------------------------------------------------------------------------------
 */

static enum err_code visit_hold(const struct hold_row *row, void *ctx, struct err *err)
{
    (void)err;
    TELL_TEXT(ctx, row, task);
    TELL(ctx, row, seq);
    TELL(ctx, row, amount_nano);
    TELL(ctx, row, tokens);
    TELL(ctx, row, output_ms);
    TELL_TEXT(ctx, row, book);
    TELL(ctx, row, book_version);
    TELL_TEXT(ctx, row, sku);
    TELL_TEXT(ctx, row, state);
    TELL(ctx, row, charge_nano);
    TELL(ctx, row, loss_nano);
    TELL(ctx, row, quantity);
    TELL_TEXT(ctx, row, charged_sku);
    TELL_TEXT(ctx, row, unit);
    TELL(ctx, row, unit_price_nano);
    TELL_TEXT(ctx, row, review);
    buf_puts(ctx, "\n");
    return ERR_OK;
}

/* Of tenant 1 all texts, of tenant 2 some; then one that is there, a state and a tenant
 * that are none. */
static enum err_code step_hold_repo_add(struct db_conn *conn, struct call *call,
                                        struct err *err)
{
    static const char *const states[] = {"open", "charged", "released", "review"};
    int at = call->at;
    struct hold_row row = {.seq = number_of(at, 0),
                           .amount_nano = number_of(at, 1),
                           .tokens = number_of(at, 2),
                           .output_ms = number_of(at, 3),
                           .book_version = number_of(at, 4),
                           .unit_price_nano = number_of(at, 5)};

    CASES(TEXTS + 8);
    (void)str_copy(row.task, sizeof(row.task), text_of(at, 0));
    (void)str_copy(row.book, sizeof(row.book), text_of(at, 1));
    (void)str_copy(row.sku, sizeof(row.sku), text_of(at, 2));
    str_copy_cut(row.unit, sizeof(row.unit), text_of(at, 3));
    (void)str_copy(row.state, sizeof(row.state), str_from(states[at % 4]));
    if (at == TEXTS + 6)
        (void)str_copy(row.state, sizeof(row.state), STR("Open"));
    return hold_repo_add(conn,
                         at == TEXTS + 7                 ? 29 /* likewise */
                         : at == TEXTS + 4               ? 30 /* which has nothing else */
                         : at == TEXTS + 5 || at < TEXTS ? 1
                                                         : 2,
                         &row, err);
}

static enum err_code step_hold_repo_get(struct db_conn *conn, struct call *call,
                                        struct err *err)
{
    struct hold_row row = {.seq = 0};
    bool any;

    CASES(2 * TEXTS);
    TRY(hold_repo_get(conn, 1 + call->at / TEXTS, str_from(texts[call->at % TEXTS]), &any, &row,
                      err));
    tell_number(call->told, "any", any);
    return visit_hold(&row, call->told, err);
}

/* From every state, some are in another one; then once more, some with another sku. */
static enum err_code step_hold_repo_change(struct db_conn *conn, struct call *call,
                                           struct err *err)
{
    static const char *const states[] = {"open", "charged", "released", "review"};
    int at = call->at;
    struct hold_row old = {.seq = 0}, changed = {.charge_nano = number_of(at, 0),
                                                 .loss_nano = number_of(at, 1),
                                                 .quantity = number_of(at, 2),
                                                 .unit_price_nano = number_of(at, 3)};

    CASES(2 * TEXTS);
    (void)str_copy(old.task, sizeof(old.task), text_of(at, 0));
    (void)str_copy(old.state, sizeof(old.state),
                   str_from(states[at < TEXTS ? at % 5 % 4 : (at - TEXTS) / 3 % 4]));
    if (at >= TEXTS && at % 3 != 0)
        (void)str_copy(old.charged_sku, sizeof(old.charged_sku), text_of(at - TEXTS, 1));
    (void)str_copy(changed.state, sizeof(changed.state), str_from(states[at / 3 % 4]));
    (void)str_copy(changed.charged_sku, sizeof(changed.charged_sku), text_of(at, 1));
    str_copy_cut(changed.unit, sizeof(changed.unit), text_of(at, 2));
    (void)str_copy(changed.review, sizeof(changed.review), text_of(at, 3));
    return hold_repo_change(conn, 1, &old, &changed, err);
}

static enum err_code step_hold_repo_each(struct db_conn *conn, struct call *call,
                                         struct err *err)
{
    static const int limits[] = {1000, 3, 0};

    CASES(TEXTS * 3 + 1);
    return hold_repo_each(conn, call->at == TEXTS * 3 ? 2 : 1, text_of(call->at / 3, 0),
                          limits[call->at % 3], visit_hold, call->told, err);
}

/* ---- the catalogue ------------------------------------------------------------------------
 */

static enum err_code visit_catalogue(const struct catalogue_repo_row *row, void *ctx,
                                     struct err *err)
{
    (void)err;
    TELL(ctx, row, tenant_id);
    TELL_STR(ctx, row, model);
    TELL_STR(ctx, row, key);
    TELL_STR(ctx, row, value);
    buf_puts(ctx, "\n");
    return ERR_OK;
}

/* New ones, and the first of them with other values. */
static enum err_code step_catalogue_repo_set(struct db_conn *conn, struct call *call,
                                             struct err *err)
{
    int at = call->at;
    struct catalogue_repo_row row = {.tenant_id = at % TEXTS % 3,
                                     .model = text_of(at, 0),
                                     .key = at % 4 == 0 ? STR("like") : text_of(at, 1),
                                     .value = text_of(at / TEXTS + at, 2)};

    CASES(TEXTS + 8);
    return catalogue_repo_set(conn, &row, err);
}

/* Each name for two tenants, and once more for the first of them. */
static enum err_code step_catalogue_repo_add_alias(struct db_conn *conn, struct call *call,
                                                   struct err *err)
{
    struct catalogue_repo_row row = {.tenant_id = call->at / TEXTS % 2,
                                     .model = text_of(call->at, 1),
                                     .value = str_from(texts[call->at % TEXTS])};

    CASES(2 * TEXTS + 4);
    return catalogue_repo_add_alias(conn, &row, err);
}

/* Some are another model's. */
static enum err_code step_catalogue_repo_drop_alias(struct db_conn *conn, struct call *call,
                                                    struct err *err)
{
    struct catalogue_repo_row row = {.tenant_id = 1,
                                     .model = text_of(call->at * 3 + call->at % 2, 1),
                                     .value = text_of(call->at * 3, 0)};

    CASES(TEXTS / 3);
    return catalogue_repo_drop_alias(conn, &row, err);
}

static enum err_code step_catalogue_repo_each(struct db_conn *conn, struct call *call,
                                              struct err *err)
{
    CASES(1);
    return catalogue_repo_each(conn, visit_catalogue, call->told, err);
}

#define REPOS_BILLING                                                                      \
    ROW(price_repo_add_book, "price_book"), ROW(price_repo_add_row, "price_row"),          \
        READ(price_repo_version), READ(price_repo_next), READ(price_repo_currency),        \
        READ(price_repo_find), READ(price_repo_find_at), ROW(ledger_repo_open, "account"), \
        ROW(ledger_repo_credit_line, "account"), READ(ledger_repo_account),                \
        READ(ledger_repo_begin), ROW(ledger_repo_insert, "ledger"),                        \
        ROW(ledger_repo_end, "account"), READ(ledger_repo_by_ref), READ(ledger_repo_each), \
        READ(ledger_repo_next_tenant), ROW(hold_repo_add, "hold"), READ(hold_repo_get),    \
        ROW(hold_repo_change, "hold"), READ(hold_repo_each),                               \
        ROW(catalogue_repo_set, "model_setting"),                                          \
        ROW(catalogue_repo_add_alias, "model_alias"),                                      \
        ROW(catalogue_repo_drop_alias, "model_alias"), READ(catalogue_repo_each)

#endif
