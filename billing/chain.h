/* SPDX-License-Identifier: Apache-2.0 */
/* Ledger entries as they are stored, and the rules a tenant's chain of them obeys.
 * No SQL and no files: the database, the export and its reader share this. For
 * this folder alone; one thread at a time per object. */
#ifndef ARKGATE_BILLING_CHAIN_H
#define ARKGATE_BILLING_CHAIN_H

#include "billing/billing.h"

/* ledger_view.c -------------------------------------------------------- */

/* The columns in hash order; all but the last are hashed. */
enum ledger_column {
    COLUMN_TENANT,
    COLUMN_SEQ,
    COLUMN_TIME_US,
    COLUMN_KIND,
    COLUMN_TASK,
    COLUMN_DEBIT,
    COLUMN_CREDIT,
    COLUMN_AMOUNT,
    COLUMN_CURRENCY,
    COLUMN_HOLD_SEQ,
    COLUMN_BOOK,
    COLUMN_BOOK_VERSION,
    COLUMN_SKU,
    COLUMN_UNIT,
    COLUMN_UNIT_PRICE,
    COLUMN_QUANTITY,
    COLUMN_EVIDENCE,
    COLUMN_ACTOR,
    COLUMN_REASON,
    COLUMN_REF,
    COLUMN_PREV,
    COLUMN_HASH,
    COLUMN_COUNT
};
enum ledger_column_type {
    COLUMN_IS_INT, /* a JSON number in the export */
    COLUMN_IS_BIG, /* an integer that may pass 2^53: a string in the export */
    COLUMN_IS_TEXT,
    COLUMN_IS_BYTES /* 32 bytes, hex in the export */
};
struct ledger_column_info {
    const char *name; /* in the export */
    enum ledger_column_type type;
    bool optional;
    size_t max_bytes; /* of a text */
};
extern const struct ledger_column_info ledger_view_columns[COLUMN_COUNT];

/* One row as it was read: texts are borrowed, absent and empty are different. */
struct ledger_view {
    uint32_t present; /* bit per column */
    int64_t number[COLUMN_COUNT];
    struct str text[COLUMN_COUNT];
};
typedef enum err_code (*ledger_visit)(const struct ledger_view *view, void *ctx,
                                      struct err *err);

/* The accounts whose sums the account row keeps; funds are outside. */
enum ledger_side { SIDE_AVAILABLE, SIDE_HELD, SIDE_CHARGED, SIDE_LOSS, LEDGER_SIDE_COUNT };

/* A billion units per entry and four billion per sum: the sum of both fits int64
 * in any SQL engine without an overflow check. */
#define LEDGER_AMOUNT_MAX (MONEY_NANO * 1000000000)
#define LEDGER_SUM_MAX (LEDGER_AMOUNT_MAX * 4)

static inline bool ledger_view_has(const struct ledger_view *view, enum ledger_column column)
{
    return (view->present >> column & 1) != 0;
}
void ledger_view_hash(const struct ledger_view *view, uint8_t ret_hash[CRYPTO_HASH_BYTES]);
/* Borrows the entry's texts. */
void ledger_view_from(const struct ledger_entry *entry, struct ledger_view *ret_view);
/* ERR_MISMATCH when a column does not fit the entry. */
FALLIBLE ledger_view_copy(const struct ledger_view *view, struct ledger_entry *ret_entry,
                          struct err *err);
const char *ledger_view_kind_name(enum ledger_kind kind);
/* False for a name that is no kind. */
bool ledger_view_kind(struct str name, enum ledger_kind *ret_kind);
/* Names of the accounts that a kind moves between; backwards is for adjust. */
void ledger_view_move(enum ledger_kind kind, bool backwards, const char **ret_debit,
                      const char **ret_credit);
/* What a move does to the kept sums. Loss counts what the platform paid. */
void ledger_view_delta(enum ledger_kind kind, bool backwards, int64_t amount_nano,
                       int64_t ret_delta[LEDGER_SIDE_COUNT]);

/* ledger_check.c ------------------------------------------------------- */

/* A row of the hold table. */
struct hold_row {
    char task[64];
    int64_t seq, amount_nano, tokens, output_ms;
    char book[64];
    int64_t book_version;
    char sku[96], state[16];
    int64_t charge_nano, loss_nano, quantity;
    char charged_sku[96], unit[16];
    int64_t unit_price_nano;
    char review[129];
};

/* What the chain has said about one hold; about 80 bytes, kept for every hold of
 * the tenant that is being checked. */
struct ledger_check_hold {
    int64_t seq, placed_nano, charge_nano, loss_nano, quantity;
    uint64_t task_mark, placed_mark, final_mark; /* FNV-1a of the texts to compare */
    uint8_t state;
    bool seen;
};
/* What the next entry must be, because one transaction writes both. */
struct ledger_check_due {
    enum ledger_kind kind; /* LEDGER_KIND_COUNT: nothing is due */
    int64_t hold_seq, amount_nano, unit_price_nano, quantity;
};
/* One tenant's chain while it is being read. Owns the array of holds. */
struct ledger_check {
    char name[80]; /* for messages */
    int64_t tenant_id, seq, time_us, sums[LEDGER_SIDE_COUNT];
    char currency[8];
    uint8_t head[CRYPTO_HASH_BYTES];
    struct ledger_check_due due;
    struct ledger_check_hold *holds;
    size_t count, cap;
};

void ledger_check_init(struct ledger_check *check, int64_t tenant_id, const char *name);
/* Accepts a zeroed struct. */
void ledger_check_fini(struct ledger_check *check);
/* Takes the next entry, or ERR_MISMATCH naming tenant, seq and why. */
FALLIBLE ledger_check_entry(struct ledger_check *check, const struct ledger_view *view,
                            struct err *err);
/* The account must equal the chain read so far. */
FALLIBLE ledger_check_account(const struct ledger_check *check,
                              const struct ledger_account *account, struct err *err);
/* A hold row must agree with the chain read so far; marks the hold as seen. */
FALLIBLE ledger_check_row(struct ledger_check *check, const struct hold_row *row,
                          struct err *err);
/* Every hold up to that entry has been seen. */
FALLIBLE ledger_check_rows_seen(const struct ledger_check *check, int64_t until_seq,
                                struct err *err);
/* ERR_MISMATCH with field "ledger" and "tenant acme, entry 17: …"; no entry when
 * seq is 0. */
enum err_code ledger_check_fail(const struct ledger_check *check, int64_t seq, struct err *err,
                                const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
