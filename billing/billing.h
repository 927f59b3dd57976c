/* SPDX-License-Identifier: Apache-2.0 */
/* Money: what a video costs, what is held for it, and the ledger that proves it.
 * Amounts are int64 nano-units of the account's currency; products are 128-bit;
 * no floating point. Functions that take a db_conn run in the caller's
 * transaction. Tasks are known here by their text id alone. */
#ifndef ARKGATE_BILLING_H
#define ARKGATE_BILLING_H

#include "base/base.h"
#include "base/crypto.h"
#include "base/store/store.h"
#include "tenancy/tenancy.h"

/* money.c -------------------------------------------------------------- */

enum {
    MONEY_TEXT_MAX = 32 /* "-9223372036.854775807" and a NUL */
};
#define MONEY_NANO INT64_C(1000000000)

struct money {
    int64_t nano;
};

/* "100", "5.0094", "-0.000000001"; at most 9 decimals; false on other text or
 * overflow. */
bool money_parse(struct str text, struct money *ret_money);
/* Shortest exact decimal: "5.0094", "100", "0". */
void money_text(struct money money, char dst[MONEY_TEXT_MAX]);
/* a + b and a - b; ERR_INTERNAL on overflow. */
FALLIBLE money_add(struct money a, struct money b, struct money *ret_sum, struct err *err);
/* unit price × quantity ÷ unit, rounded half up once; quantity and price >= 0. */
FALLIBLE money_charge(int64_t unit_price_nano, int64_t quantity, int64_t unit,
                      struct money *ret_amount, struct err *err);

/* size.c: what Ark renders, and the tokens it takes ------------------------- */

/* Output pixels by a table: "2.0" and "1.0" are Ark's own for those models, any other text
 * is one, as words such as "720p/16:9=1280x720". ERR_INVALID for an unknown pair or a word
 * that is none; ratio "adaptive" gives the pair with the most pixels of that resolution. */
FALLIBLE size_pixels(struct str sizes, struct str resolution, struct str ratio, int *ret_width,
                     int *ret_height, struct err *err);
/* floor(w·h·(frames+1)/1024), for a length given in frames. That the one more is there
 * too was never seen; the real usage decides. At most a day. */
int64_t size_tokens_frames(int width, int height, int64_t frames);
/* floor(w·h·(24·s+1)/1024), s in milliseconds of output and input together; with
 * video input and s up to the official minimum of ceil(5·out/3) whole seconds, that
 * many seconds of frames without the +1. input_ms is -1 when no video is given. At
 * most a day each: longer ones abort. */
int64_t size_tokens(int width, int height, int64_t output_ms, int64_t input_ms);

/* price.c -------------------------------------------------------------- */

enum price_unit { PRICE_PER_MTOKEN, PRICE_PER_SECOND, PRICE_PER_USE };

/* What decides a price. */
struct price_key {
    struct str model;      /* canonical: "doubao-seedance-2-0" */
    struct str resolution; /* "480p" … "4k" */
    bool video;            /* the content held a video */
    bool audio;
    struct str tier; /* "default" */
};

struct price_row {
    char sku[96];
    enum price_unit unit;
    int64_t unit_price_nano; /* list price × factor × markup, rounded half up once */
    char book[64];
    int64_t version;
    char currency[8];
};

/* The book's version in force at a moment. ERR_UNAVAILABLE when there is none. */
FALLIBLE price_version(struct db_conn *conn, struct str book, int64_t at_us,
                       int64_t *ret_version, struct err *err);
/* Its currency; dst holds 8. */
FALLIBLE price_currency(struct db_conn *conn, struct str book, int64_t version, char *dst,
                        struct err *err);
/* The most specific row that matches. ERR_UNAVAILABLE ("no price") when none does. */
FALLIBLE price_find(struct db_conn *conn, struct str book, int64_t version,
                    const struct price_key *key, struct price_row *ret_row, struct err *err);
/* Likewise of the version in force at a moment, and without that too. */
FALLIBLE price_find_at(struct db_conn *conn, struct str book, int64_t at_us,
                       const struct price_key *key, struct price_row *ret_row, struct err *err);
/* What quantity costs by the row: tokens, or milliseconds. */
FALLIBLE price_cost(const struct price_row *row, int64_t tokens, int64_t output_ms,
                    struct money *ret_cost, struct err *err);
/* What one use of the web_search tool costs by a book's version; 0 when it has no row. */
FALLIBLE price_tool(struct db_conn *conn, struct str book, int64_t version,
                    int64_t *ret_unit_nano, struct err *err);
/* Adds the shipped books ("ark-cny") when the database has none; idempotent. */
FALLIBLE price_seed(struct db_conn *conn, int64_t now_us, struct err *err);

/* price_memory.c: price_find_at, from memory when it was asked a moment ago --------- */

struct price_memory; /* thread-safe */
FALLIBLE price_memory_open(struct price_memory **ret_memory, struct err *err);
/* Accepts NULL. */
void price_memory_close(struct price_memory **memory);
/* A version begins at its time, but one that was added for a time that is past may be seen
 * half a second later. memory may be NULL: it is read each time. */
FALLIBLE price_memory_find(struct price_memory *memory, struct db *db, struct str book,
                           int64_t at_us, const struct price_key *key,
                           struct price_row *ret_row, struct err *err);

/* ledger.c: accounts and entries ------------------------------------------- */

enum ledger_kind {
    LEDGER_TOP_UP,  /* funds → available */
    LEDGER_HOLD,    /* available → held */
    LEDGER_CHARGE,  /* held → charged */
    LEDGER_RELEASE, /* held → available */
    LEDGER_REFUND,  /* charged → available */
    LEDGER_ADJUST,  /* funds ⇄ available */
    LEDGER_LOSS,    /* loss → charged */
    LEDGER_KIND_COUNT
};

/* A transfer between two accounts. The columns, in this order, are the stored
 * format for good: append, never reorder. */
struct ledger_entry {
    int64_t tenant_id, seq, time_us;
    enum ledger_kind kind;
    char task[64]; /* "" absent, like every text and 0-able column below */
    char debit[16], credit[16];
    int64_t amount_nano;
    char currency[8];
    int64_t hold_seq; /* the hold that this entry resolves; 0 absent */
    char book[64];
    int64_t book_version; /* 0 absent */
    char sku[96];
    char unit[16];           /* "mtoken", "second" */
    int64_t unit_price_nano; /* per unit; meaningful when unit is set */
    int64_t quantity;        /* tokens or milliseconds; likewise */
    bool has_evidence;
    uint8_t evidence[CRYPTO_HASH_BYTES]; /* SHA-256 of Ark's final body */
    char actor[65];
    char reason[257];
    char ref[129]; /* the caller's key; unique per tenant */
    uint8_t prev[CRYPTO_HASH_BYTES], hash[CRYPTO_HASH_BYTES];
};

struct ledger_account {
    int64_t tenant_id;
    char currency[8];
    int64_t available_nano, held_nano, charged_nano, loss_nano, credit_line_nano;
    int64_t seq;
    uint8_t head[CRYPTO_HASH_BYTES];
};

/* Opens a tenant's account with no money. */
FALLIBLE ledger_open_account(struct db_conn *conn, int64_t tenant_id, struct str currency,
                             int64_t credit_line_nano, struct err *err);
FALLIBLE ledger_account(struct db_conn *conn, const struct scope *scope,
                        struct ledger_account *ret_account, struct err *err);
FALLIBLE ledger_set_credit_line(struct db_conn *conn, const struct scope *scope,
                                int64_t credit_line_nano, struct err *err);
/* Top-up, adjustment (amount may be negative) or refund. The same ref again books
 * nothing and returns the account and the first entry's seq, unless kind or amount
 * differ (ERR_CONFLICT). */
FALLIBLE ledger_book(struct db_conn *conn, const struct scope *scope, enum ledger_kind kind,
                     struct money amount, int64_t now_us, const char *actor, struct str ref,
                     struct str reason, struct ledger_account *ret_account, int64_t *ret_seq,
                     struct err *err);
/* Moves entry->amount_nano between the entry's accounts, numbers it, links it to
 * the chain and updates the account row. seq, prev, hash, debit and credit are set
 * here. Used by hold.c; ERR_BALANCE when available would fall below the line. */
FALLIBLE ledger_append(struct db_conn *conn, struct ledger_entry *entry, struct err *err);
/* The entry's hash over prev and its columns; pure. */
void ledger_link(const struct ledger_entry *entry, uint8_t ret_hash[CRYPTO_HASH_BYTES]);
const char *ledger_kind_name(enum ledger_kind kind);
/* Entries of one tenant with seq > after in order, at most limit. */
FALLIBLE ledger_each(struct db_conn *conn, const struct scope *scope, int64_t after, int limit,
                     enum err_code (*visit)(const struct ledger_entry *entry, void *ctx,
                                            struct err *err),
                     void *ctx, struct err *err);

/* ledger_verify.c ------------------------------------------------------ */

struct ledger_report {
    int64_t tenants, entries;
};
/* Every tenant's chain from 1 without gaps, hashes, accounts that equal the sums,
 * holds resolved at most once and never over, charges that equal price × quantity,
 * hold rows that agree. Pages by key. ERR_MISMATCH names tenant, seq and why. */
FALLIBLE ledger_verify(struct db *db, struct ledger_report *ret_report, struct err *err);
/* ledger_verify_export.c ------------------------------------------------ */

/* The same over an export file (JSON lines), with nothing else at hand: without the
 * hold rows. A line has at most 64 kB. */
FALLIBLE ledger_verify_export(const char *path, struct ledger_report *ret_report,
                              struct err *err);
/* ledger_export.c ------------------------------------------------------ */

/* JSON lines: the format's name, then per tenant one line per entry, every column
 * in hash order, hashes in hex, and one with its head and sums, at last the counts
 * of both. ERR_NOT_FOUND for an unknown tenant, before anything is written. */
FALLIBLE ledger_export(struct db *db, struct str tenant_or_empty, int fd, struct err *err);

/* hold.c: the worst case, then the truth ------------------------------------ */

/* A hold to place with a task. */
struct hold_request {
    struct str task;
    const struct price_row *price; /* frozen book and version */
    int64_t tokens;                /* worst case */
    int64_t output_ms;
    int64_t now_us;
};
/* ERR_BALANCE (with need, have, currency) when available does not cover it.
 * Returns the held amount. */
FALLIBLE hold_place(struct db_conn *conn, const struct scope *scope,
                    const struct hold_request *request, struct money *ret_held,
                    struct err *err);

/* What Ark says was used. */
struct hold_usage {
    bool has_tokens;
    int64_t tokens;
    int64_t output_ms;
    int64_t tool_uses;    /* of web_search */
    struct price_key key; /* by the final resolution */
    uint8_t evidence[CRYPTO_HASH_BYTES];
    int64_t now_us;
};
enum hold_result { HOLD_CHARGED, HOLD_IN_REVIEW };
struct hold_charge {
    enum hold_result result;
    struct money charge, loss; /* loss: over the hold and over the credit line */
    struct price_row price;
    int64_t quantity;
    char review[129]; /* why it went to review */
};
/* Charges and releases the rest, or moves the hold to review when usage is
 * missing, negative, over 10^9 or over 4 × the held tokens, no price row fits, or a
 * tool was used that has a price: charging for uses is not built.
 * ERR_CONFLICT when the hold is not open. */
FALLIBLE hold_settle(struct db_conn *conn, const struct scope *scope, struct str task,
                     const struct hold_usage *usage, struct hold_charge *ret_charge,
                     struct err *err);
FALLIBLE hold_release(struct db_conn *conn, const struct scope *scope, struct str task,
                      int64_t now_us, const char *actor, struct str reason, struct err *err);
/* Open → review; no money moves. */
FALLIBLE hold_review(struct db_conn *conn, const struct scope *scope, struct str task,
                     struct str why, int64_t now_us, struct err *err);
/* review → resolved by an operator: charge this amount of it (0: release all). The
 * actor must be named; ERR_INVALID above what is held. */
FALLIBLE hold_resolve(struct db_conn *conn, const struct scope *scope, struct str task,
                      struct money charge, int64_t now_us, const char *actor, struct str reason,
                      struct err *err);
/* Booked when a task released for certain turns up after all: the platform pays,
 * as a loss entry of the price on the tenant's chain, balance untouched. Once;
 * ERR_INVALID for usage that hold_settle would send to review. */
FALLIBLE hold_late_loss(struct db_conn *conn, const struct scope *scope, struct str task,
                        const struct hold_usage *usage, struct err *err);

/* A hold as "task show" prints it. */
struct hold_view {
    char state[16]; /* "open", "charged", "released", "review" */
    struct money held, charge, loss;
    int64_t tokens, quantity, unit_price_nano;
    char currency[8], book[64], sku[96], unit[16], review[129];
    int64_t book_version;
};
FALLIBLE hold_get(struct db_conn *conn, const struct scope *scope, struct str task,
                  struct hold_view *ret_view, struct err *err);

#endif
