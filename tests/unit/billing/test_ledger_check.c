/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a chain whose hashes are all right: entries that a program with
 * write access could append, one by one, and what is wrong with them. */
#include "billing/chain.h"

#include "tests/lib/check.h"

#include <stdlib.h>

#define YUAN(whole) ((whole)*MONEY_NANO)

enum { BACKWARDS = 1, NO_TASK = 2, NO_SKU = 4, OTHER_TASK = 8, NO_BOOK = 16 };

struct step {
    enum ledger_kind kind;
    int64_t amount, hold_seq, quantity; /* quantity > 0: with a price of 1000 per token */
    const char *actor;
    int flags;
};

struct chain {
    const char *what;
    const char *wrong; /* part of the message, NULL when sound */
    int64_t entry;     /* that it names; 0: the end of the chain is wrong */
    struct step steps[6];
};

#define TOP_UP                               \
    {                                        \
        LEDGER_TOP_UP, 100000, 0, 0, "op", 0 \
    }
#define PLACED                             \
    {                                      \
        LEDGER_HOLD, 10000, 0, 10, NULL, 0 \
    }

/* clang-format off */
static const struct chain chains[] = {
    {"charged and released", NULL, 0, {TOP_UP, PLACED, {LEDGER_CHARGE, 6000, 2, 6, NULL, 0},
     {LEDGER_RELEASE, 4000, 2, 0, NULL, 0}}},
    {"covered excess", NULL, 0, {TOP_UP, PLACED, {LEDGER_HOLD, 2000, 2, 0, NULL, 0},
     {LEDGER_CHARGE, 12000, 2, 12, NULL, 0}}},
    {"excess and loss", NULL, 0, {TOP_UP, PLACED, {LEDGER_HOLD, 2000, 2, 0, NULL, 0},
     {LEDGER_CHARGE, 12000, 2, 15, NULL, 0}, {LEDGER_LOSS, 3000, 2, 15, NULL, 0}}},
    {"late loss", NULL, 0, {TOP_UP, PLACED, {LEDGER_RELEASE, 10000, 2, 0, NULL, 0},
     {LEDGER_LOSS, 7000, 2, 7, NULL, 0}}},
    {"by an operator", NULL, 0, {TOP_UP, PLACED, {LEDGER_CHARGE, 3000, 2, 0, "op", 0},
     {LEDGER_RELEASE, 7000, 2, 0, "op", 0}}},
    {"adjust both ways", NULL, 0, {TOP_UP, {LEDGER_ADJUST, 5, 0, 0, "op", 0},
     {LEDGER_ADJUST, 5, 0, 0, "op", BACKWARDS}}},
    {"hold is not its price", "not its price", 2, {TOP_UP,
     {LEDGER_HOLD, 10001, 0, 10, NULL, 0}}},
    {"hold without a price", "price is not complete", 2, {TOP_UP,
     {LEDGER_HOLD, 10000, 0, 0, NULL, 0}}},
    {"hold without a sku", "price is not complete", 2, {TOP_UP,
     {LEDGER_HOLD, 10000, 0, 10, NULL, NO_SKU}}},
    {"hold without a book", "price is not complete", 2, {TOP_UP,
     {LEDGER_HOLD, 10000, 0, 10, NULL, NO_BOOK}}},
    {"hold without a task", "names no task", 2, {TOP_UP,
     {LEDGER_HOLD, 10000, 0, 10, NULL, NO_TASK}}},
    {"charge below its price", "not its price", 3, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 5999, 2, 6, NULL, 0}}},
    {"charge above its price", "not its price", 3, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 6001, 2, 6, NULL, 0}}},
    {"charge above the hold", "more than hold 2", 4, {TOP_UP, PLACED, PLACED,
     {LEDGER_CHARGE, 11000, 2, 11, NULL, 0}}},
    {"charge without price or actor", "neither a price nor an actor", 3, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 6000, 2, 0, NULL, 0}}},
    {"charge of no hold", "there is no hold 1", 3, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 6000, 1, 6, NULL, 0}}},
    {"charge of nothing", "there is no hold 0", 3, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 6000, 0, 6, NULL, 0}}},
    {"charge for another task", "another task's", 3, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 10000, 2, 10, NULL, OTHER_TASK}}},
    {"charged twice", "resolved twice", 4, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 10000, 2, 10, NULL, 0}, {LEDGER_CHARGE, 0, 2, 0, "op", 0}}},
    {"charged, then released", "takes more than there is", 4, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 10000, 2, 10, NULL, 0}, {LEDGER_RELEASE, 10000, 2, 0, NULL, 0}}},
    {"released with another's money", "resolved twice", 5, {TOP_UP, PLACED, PLACED,
     {LEDGER_CHARGE, 10000, 2, 10, NULL, 0}, {LEDGER_RELEASE, 10000, 2, 0, NULL, 0}}},
    {"released twice", "resolved twice", 5, {TOP_UP, PLACED, PLACED,
     {LEDGER_RELEASE, 10000, 2, 0, NULL, 0}, {LEDGER_RELEASE, 10000, 2, 0, NULL, 0}}},
    {"released in part", "does not release all", 3, {TOP_UP, PLACED,
     {LEDGER_RELEASE, 9999, 2, 0, NULL, 0}}},
    {"rest is kept", "the release of hold 2 is missing", 4, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 6000, 2, 6, NULL, 0}}},
    {"rest is not released at once", "must be the release of hold 2", 4, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 6000, 2, 6, NULL, 0}, TOP_UP}},
    {"too little of the rest", "must be the release of hold 2", 4, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 6000, 2, 6, NULL, 0}, {LEDGER_RELEASE, 3999, 2, 0, NULL, 0}}},
    {"the rest of another hold", "must be the release of hold 2", 5, {TOP_UP, PLACED, PLACED,
     {LEDGER_CHARGE, 6000, 2, 6, NULL, 0}, {LEDGER_RELEASE, 4000, 3, 0, NULL, 0}}},
    {"excess without its loss", "the loss of hold 2 is missing", 4, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 10000, 2, 15, NULL, 0}}},
    {"excess with too little loss", "must be the loss of hold 2", 4, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 10000, 2, 15, NULL, 0}, {LEDGER_LOSS, 4999, 2, 15, NULL, 0}}},
    {"loss with another quantity", "the loss has another price", 4, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 10000, 2, 15, NULL, 0}, {LEDGER_LOSS, 5000, 2, 16, NULL, 0}}},
    {"more held than needed", "not its price", 4, {TOP_UP, PLACED,
     {LEDGER_HOLD, 2000, 2, 0, NULL, 0}, {LEDGER_CHARGE, 11000, 2, 11, NULL, 0}}},
    {"more held, nothing charged", "the charge of hold 2 is missing", 4, {TOP_UP, PLACED,
     {LEDGER_HOLD, 2000, 2, 0, NULL, 0}}},
    {"more held, then released", "must be the charge of hold 2", 4, {TOP_UP, PLACED,
     {LEDGER_HOLD, 2000, 2, 0, NULL, 0}, {LEDGER_RELEASE, 12000, 2, 0, NULL, 0}}},
    {"more held after the end", "is resolved", 4, {TOP_UP, PLACED,
     {LEDGER_RELEASE, 10000, 2, 0, NULL, 0}, {LEDGER_HOLD, 2000, 2, 0, NULL, 0}}},
    {"loss of an open hold", "has not been released", 3, {TOP_UP, PLACED,
     {LEDGER_LOSS, 7000, 2, 7, NULL, 0}}},
    {"loss of a charged hold", "has not been released", 4, {TOP_UP, PLACED,
     {LEDGER_CHARGE, 10000, 2, 10, NULL, 0}, {LEDGER_LOSS, 7000, 2, 7, NULL, 0}}},
    {"late loss twice", "has not been released", 5, {TOP_UP, PLACED,
     {LEDGER_RELEASE, 10000, 2, 0, NULL, 0}, {LEDGER_LOSS, 7000, 2, 7, NULL, 0},
     {LEDGER_LOSS, 7000, 2, 7, NULL, 0}}},
    {"late loss is not its price", "not its price", 4, {TOP_UP, PLACED,
     {LEDGER_RELEASE, 10000, 2, 0, NULL, 0}, {LEDGER_LOSS, 7001, 2, 7, NULL, 0}}},
    {"refund of a loss", "takes more than there is", 5, {TOP_UP, PLACED,
     {LEDGER_RELEASE, 10000, 2, 0, NULL, 0}, {LEDGER_LOSS, 7000, 2, 7, NULL, 0},
     {LEDGER_REFUND, 1, 0, 0, "op", 0}}},
    {"top-up that names a hold", "names a hold", 3, {TOP_UP, PLACED, {LEDGER_TOP_UP,
     1, 2, 0, "op", 0}}},
    {"top-up backwards", "does not move", 1, {{LEDGER_TOP_UP, 5, 0, 0, "op", BACKWARDS}}},
    {"negative amount", "out of range", 1, {{LEDGER_TOP_UP, -5, 0, 0, "op", 0}}},
    {"huge amount", "out of range", 1, {{LEDGER_TOP_UP, INT64_MAX, 0, 0, "op", 0}}},
};
/* clang-format on */

/* A linked entry; the sums of the account follow it. */
static void make_entry(const struct step *step, int64_t seq, struct ledger_account *account,
                       struct ledger_entry *entry)
{
    bool backwards = (step->flags & BACKWARDS) != 0;
    bool has_task = step->kind != LEDGER_TOP_UP && step->kind != LEDGER_ADJUST &&
                    step->kind != LEDGER_REFUND && (step->flags & NO_TASK) == 0;
    const char *debit, *credit;
    int64_t delta[LEDGER_SIDE_COUNT];

    *entry = (struct ledger_entry){.tenant_id = 1,
                                   .seq = seq,
                                   .time_us = 1000 + seq,
                                   .kind = step->kind,
                                   .amount_nano = step->amount,
                                   .currency = "CNY",
                                   .hold_seq = step->hold_seq};
    ledger_view_move(step->kind, backwards, &debit, &credit);
    (void)str_copy(entry->debit, sizeof(entry->debit), str_from(debit));
    (void)str_copy(entry->credit, sizeof(entry->credit), str_from(credit));
    (void)str_copy(entry->actor, sizeof(entry->actor), str_from(step->actor));
    if (has_task)
        (void)str_copy(entry->task, sizeof(entry->task),
                       step->flags & OTHER_TASK ? STR("other") : STR("task"));
    if (step->quantity > 0) {
        (void)str_copy(entry->unit, sizeof(entry->unit), STR("mtoken"));
        entry->unit_price_nano = 1000 * 1000000;
        entry->quantity = step->quantity;
        if ((step->flags & NO_SKU) == 0)
            (void)str_copy(entry->sku, sizeof(entry->sku), STR("sku"));
        if ((step->flags & NO_BOOK) == 0)
            (void)str_copy(entry->book, sizeof(entry->book), STR("book"));
        entry->book_version = 1;
    }
    memcpy(entry->prev, account->head, sizeof(entry->prev));
    ledger_link(entry, entry->hash);

    ledger_view_delta(step->kind, backwards, step->amount, delta);
    account->available_nano += delta[SIDE_AVAILABLE];
    account->held_nano += delta[SIDE_HELD];
    account->charged_nano += delta[SIDE_CHARGED];
    account->loss_nano += delta[SIDE_LOSS];
    account->seq = seq;
    memcpy(account->head, entry->hash, sizeof(account->head));
}

static enum err_code check_chain(const struct chain *chain, struct err *err)
{
    CLEANUP(ledger_check_fini) struct ledger_check check = {0};
    struct ledger_account account = {.tenant_id = 1, .currency = "CNY"};
    struct ledger_entry entry;
    struct ledger_view view;

    ledger_check_init(&check, 1, "acme");
    for (size_t i = 0;
         i < COUNT_OF(chain->steps) && chain->steps[i].amount + chain->steps[i].hold_seq != 0;
         i++) {
        make_entry(&chain->steps[i], (int64_t)i + 1, &account, &entry);
        ledger_view_from(&entry, &view);
        TRY(ledger_check_entry(&check, &view, err));
    }
    return ledger_check_account(&check, &account, err);
}

static void test_chains(void)
{
    for (size_t i = 0; i < COUNT_OF(chains); i++) {
        const struct chain *chain = &chains[i];
        struct err err = {0};
        char start[64];

        CHECK_INT(chain->what, check_chain(chain, &err),
                  chain->wrong == NULL ? ERR_OK : ERR_MISMATCH);
        if (chain->wrong == NULL)
            continue;
        (void)snprintf(start, sizeof(start), "tenant acme, entry %" PRId64 ": ", chain->entry);
        if (strncmp(err.msg, start, strlen(start)) != 0 ||
            strstr(err.msg, chain->wrong) == NULL)
            CHECK_FAILED(chain->what, "\"%s\", expected \"%s…%s\"", err.msg, start,
                         chain->wrong);
    }
}

/* Links and columns that no honest writer leaves behind, with a hash that fits. */
static void test_links(void)
{
    static const struct step top_up = TOP_UP;
    static const char *const what[] = {"time", "currency", "prev", "tenant", "kind"};

    for (int i = 0; i < (int)COUNT_OF(what); i++) {
        CLEANUP(ledger_check_fini) struct ledger_check check = {0};
        struct ledger_account account = {.tenant_id = 1};
        struct ledger_entry entry;
        struct ledger_view view;
        struct err err = {0};
        uint8_t hash[CRYPTO_HASH_BYTES];

        ledger_check_init(&check, 1, "acme");
        make_entry(&top_up, 1, &account, &entry);
        ledger_view_from(&entry, &view);
        CHECK_OK(what[i], ledger_check_entry(&check, &view, &err), &err);
        make_entry(&top_up, 2, &account, &entry);
        ledger_view_from(&entry, &view);
        if (i == 0)
            view.number[COLUMN_TIME_US] = 1000;
        else if (i == 1)
            view.text[COLUMN_CURRENCY] = STR("USD");
        else if (i == 2)
            view.text[COLUMN_PREV] = STR("01234567890123456789012345678901");
        else if (i == 3)
            view.number[COLUMN_TENANT] = 2;
        else
            view.text[COLUMN_KIND] = STR("gift");
        ledger_view_hash(&view, hash);
        view.text[COLUMN_HASH] = (struct str){(const char *)hash, sizeof(hash)};
        CHECK_INT(what[i], ledger_check_entry(&check, &view, &err), ERR_MISMATCH);
        CHECK_TRUE(what[i], strncmp(err.msg, "tenant acme, entry 2: ", 22) == 0);
        CHECK_TRUE(what[i], strstr(err.msg, "hash does not match") == NULL);
    }
}

CHECK_MAIN(CHECK_TEST(test_chains), CHECK_TEST(test_links))
