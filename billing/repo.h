/* SPDX-License-Identifier: Apache-2.0 */
/* The statements of this folder, for its own files alone. Every function runs in
 * the caller's transaction; "none" is an answer here, not an error. */
#ifndef ARKGATE_BILLING_REPO_H
#define ARKGATE_BILLING_REPO_H

#include "billing/billing.h"
#include "billing/chain.h"

/* price.c -------------------------------------------------------------- */

/* "mtoken", "second". */
const char *price_unit_name(enum price_unit unit);
/* False for another word; size is the quantity that one unit price buys. */
bool price_unit_parse(struct str name, enum price_unit *ret_unit, int64_t *ret_size);
/* Tokens or milliseconds, as the row counts. */
int64_t price_quantity(const struct price_row *row, int64_t tokens, int64_t output_ms);

/* price_repo.c --------------------------------------------------------- */

struct price_repo_book {
    const char *book;
    int64_t version, starts_us;
    const char *currency;
    int64_t factor_nano, markup_nano;
};
/* The web_search tool's row stands beside the models'. */
#define PRICE_TOOL_MODEL "tool/web_search"
/* A shipped row. -1 and "*" are either and any. */
struct price_repo_seed {
    const char *model, *resolution;
    int video, audio;
    const char *tier, *sku, *unit;
    int64_t list_price_nano;
};
struct price_repo_row {
    struct price_row price; /* all but unit_price_nano */
    int64_t list_price_nano, factor_nano, markup_nano;
};

/* Version 0 when no version has begun. */
FALLIBLE price_repo_version(struct db_conn *conn, struct str book, int64_t at_us,
                            int64_t *ret_version, struct err *err);
/* dst holds 8; ERR_INTERNAL when there is no such version. */
FALLIBLE price_repo_currency(struct db_conn *conn, struct str book, int64_t version, char *dst,
                             struct err *err);
/* The narrowest matching row; among equals the first position. When there is none, only
 * the version is set, or 0 when there is no such version. */
FALLIBLE price_repo_find(struct db_conn *conn, struct str book, int64_t version,
                         const struct price_key *key, bool *ret_any,
                         struct price_repo_row *ret_row, struct err *err);
/* Likewise of the version that is in force at at_us. */
FALLIBLE price_repo_find_at(struct db_conn *conn, struct str book, int64_t at_us,
                            const struct price_key *key, bool *ret_any,
                            struct price_repo_row *ret_row, struct err *err);
/* When the first version after a moment begins; INT64_MAX when there is none. */
FALLIBLE price_repo_next(struct db_conn *conn, struct str book, int64_t at_us,
                         int64_t *ret_starts_us, struct err *err);
/* added is false when the book's version exists. */
FALLIBLE price_repo_add_book(struct db_conn *conn, const struct price_repo_book *book,
                             bool *ret_added, struct err *err);
FALLIBLE price_repo_add_row(struct db_conn *conn, const struct price_repo_book *book,
                            int64_t position, const struct price_repo_seed *row,
                            struct err *err);

/* ledger_repo.c -------------------------------------------------------- */

/* added is false when the tenant has an account. */
FALLIBLE ledger_repo_open(struct db_conn *conn, int64_t tenant_id, struct str currency,
                          int64_t credit_line_nano, bool *ret_added, struct err *err);
FALLIBLE ledger_repo_account(struct db_conn *conn, int64_t tenant_id, bool *ret_any,
                             struct ledger_account *ret_account, struct err *err);
/* The same for a change, and the time of the last entry (0: none): what this transaction has
 * read or written of it before, it is not asked for again. */
FALLIBLE ledger_repo_begin(struct db_conn *conn, int64_t tenant_id, bool *ret_any,
                           struct ledger_account *ret_account, int64_t *ret_last_us,
                           struct err *err);
/* Writes sums, seq and head; seq is one more than it was, and ERR_CONFLICT unless it is.
 * last_us: of the entry that has this seq. */
FALLIBLE ledger_repo_end(struct db_conn *conn, const struct ledger_account *account,
                         int64_t last_us, struct err *err);
FALLIBLE ledger_repo_credit_line(struct db_conn *conn, int64_t tenant_id,
                                 int64_t credit_line_nano, bool *ret_any, struct err *err);
FALLIBLE ledger_repo_insert(struct db_conn *conn, const struct ledger_view *entry,
                            struct err *err);
/* Visits the entry with that ref, if any. */
FALLIBLE ledger_repo_by_ref(struct db_conn *conn, int64_t tenant_id, struct str ref,
                            ledger_visit visit, void *ctx, struct err *err);
/* Visits entries with seq > after in order, at most limit. */
FALLIBLE ledger_repo_each(struct db_conn *conn, int64_t tenant_id, int64_t after, int limit,
                          ledger_visit visit, void *ctx, struct err *err);
/* The next tenant id after one that has an account, an entry or a hold; 0: none. */
FALLIBLE ledger_repo_next_tenant(struct db_conn *conn, int64_t after, int64_t *ret_id,
                                 struct err *err);

/* hold_repo.c ---------------------------------------------------------- */

/* ERR_CONFLICT when the task has a hold. */
FALLIBLE hold_repo_add(struct db_conn *conn, int64_t tenant_id, const struct hold_row *row,
                       struct err *err);
FALLIBLE hold_repo_get(struct db_conn *conn, int64_t tenant_id, struct str task, bool *ret_any,
                       struct hold_row *ret_row, struct err *err);
/* Writes what can change; ERR_CONFLICT unless state and charged sku are still the old
 * row's. */
FALLIBLE hold_repo_change(struct db_conn *conn, int64_t tenant_id, const struct hold_row *old,
                          const struct hold_row *changed, struct err *err);
/* Visits holds with task > after in order, at most limit. */
FALLIBLE hold_repo_each(struct db_conn *conn, int64_t tenant_id, struct str after, int limit,
                        enum err_code (*visit)(const struct hold_row *row, void *ctx,
                                               struct err *err),
                        void *ctx, struct err *err);

#endif
