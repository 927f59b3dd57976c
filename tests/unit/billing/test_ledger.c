/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts and bookings: sums, guards, refs, times, event numbers, and the hash of
 * one entry against bytes put together by hand. */
#include "tests/unit/billing/fixture.h"

struct book_ctx {
    const struct scope *scope;
    enum ledger_kind kind;
    int64_t nano, now_us;
    struct str ref, reason;
    const char *actor;
    struct ledger_account account;
    int64_t seq;
};

static enum err_code book_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct book_ctx *book = ctx;

    return ledger_book(conn, book->scope, book->kind, (struct money){book->nano},
                       book->now_us == 0 ? NOW : book->now_us,
                       book->actor == NULL ? ACTOR : book->actor, book->ref, book->reason,
                       &book->account, &book->seq, err);
}

#define CHARS_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_book(void)
{
    static const struct {
        const char *what;
        enum ledger_kind kind;
        int64_t nano;
        struct str ref, reason;
        enum err_code rc;
        int64_t available, seq; /* after it; seq is the one returned */
    } cases[] = {
        /* what                   kind           nano      ref       reason   rc   have  seq */
        {"top-up", LEDGER_TOP_UP, YUAN(100), {"r1", 2}, STR("invoice"), ERR_OK, YUAN(100), 1},
        {"again", LEDGER_TOP_UP, YUAN(100), {"r1", 2}, STR("other"), ERR_OK, YUAN(100), 1},
        {"other amount", LEDGER_TOP_UP, YUAN(99), {"r1", 2}, STR(""), ERR_CONFLICT, 0, 0},
        {"other kind", LEDGER_ADJUST, YUAN(100), {"r1", 2}, STR(""), ERR_CONFLICT, 0, 0},
        {"other sign", LEDGER_ADJUST, -YUAN(100), {"r1", 2}, STR(""), ERR_CONFLICT, 0, 0},
        {"without ref", LEDGER_TOP_UP, 1, STR(""), STR(""), ERR_OK, YUAN(100) + 1, 2},
        {"without ref twice", LEDGER_TOP_UP, 1, STR(""), STR(""), ERR_OK, YUAN(100) + 2, 3},
        {"down", LEDGER_ADJUST, -YUAN(60), {"r2", 2}, STR("fix"), ERR_OK, YUAN(40) + 2, 4},
        {"down again", LEDGER_ADJUST, -YUAN(60), {"r2", 2}, STR(""), ERR_OK, YUAN(40) + 2, 4},
        {"up with its ref", LEDGER_ADJUST, YUAN(60), {"r2", 2}, STR(""), ERR_CONFLICT, 0, 0},
        {"below the line", LEDGER_ADJUST, -YUAN(50) - 3, STR(""), STR(""), ERR_BALANCE, 0, 0},
        {"to the line", LEDGER_ADJUST, -YUAN(50) - 2, STR(""), STR(""), ERR_OK, -YUAN(10), 5},
        {"top-up below zero", LEDGER_TOP_UP, 1, STR(""), STR(""), ERR_OK, 1 - YUAN(10), 6},
        {"refund of nothing", LEDGER_REFUND, 1, STR(""), STR(""), ERR_CONFLICT, 0, 0},
        {"zero", LEDGER_TOP_UP, 0, STR(""), STR(""), ERR_INVALID, 0, 0},
        {"zero adjust", LEDGER_ADJUST, 0, STR(""), STR(""), ERR_INVALID, 0, 0},
        {"negative top-up", LEDGER_TOP_UP, -1, STR(""), STR(""), ERR_INVALID, 0, 0},
        {"too much", LEDGER_TOP_UP, YUAN(1000000001), STR(""), STR(""), ERR_INVALID, 0, 0},
        {"least", LEDGER_ADJUST, INT64_MIN, STR(""), STR(""), ERR_INVALID, 0, 0},
        {"by hand", LEDGER_CHARGE, 1, STR(""), STR(""), ERR_INTERNAL, 0, 0},
        {"long ref", LEDGER_TOP_UP, 1, STR(CHARS_64 CHARS_64 "x"), STR(""), ERR_INVALID, 0, 0},
        {"NUL", LEDGER_TOP_UP, 1, STR("a\0b"), STR(""), ERR_INVALID, 0, 0},
        {"not UTF-8", LEDGER_TOP_UP, 1, STR(""), STR("\xff"), ERR_INVALID, 0, 0},
        {"longest ref", LEDGER_TOP_UP, 1, STR(CHARS_64 CHARS_64), STR(""), ERR_OK, 2 - YUAN(10),
         7},
    };
    struct fixture fixture = {0};

    fixture_init(&fixture);
    struct scope scope = fixture_tenant(&fixture, "acme", 0, YUAN(10));

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct book_ctx book = {.scope = &scope,
                                .kind = cases[i].kind,
                                .nano = cases[i].nano,
                                .ref = cases[i].ref,
                                .reason = cases[i].reason};
        struct err err;

        CHECK_INT(cases[i].what, fixture_write(&fixture, book_steps, &book, &err), cases[i].rc);
        CHECK_INT(cases[i].what, book.account.available_nano, cases[i].available);
        CHECK_INT(cases[i].what, book.seq, cases[i].seq);
        if (cases[i].rc != ERR_BALANCE)
            continue;
        CHECK_INT(cases[i].what, err.need_nano, YUAN(50) + 3);
        CHECK_INT(cases[i].what, err.have_nano, YUAN(40) + 2);
        CHECK_TEXT(cases[i].what, err.currency, "CNY");
    }
    check_account(&fixture, &scope, "end", (int64_t[]){2 - YUAN(10), 0, 0, 0, 7});
    check_verifies(&fixture, "end");

    /* The same ref of another tenant is another booking. */
    struct scope other = fixture_tenant(&fixture, "other", 0, 0);
    struct book_ctx book = {
        .scope = &other, .kind = LEDGER_TOP_UP, .nano = 5, .ref = STR("r1")};
    struct err err;

    CHECK_OK("other tenant", fixture_write(&fixture, book_steps, &book, &err), &err);
    CHECK_INT("other tenant", book.account.available_nano, 5);
    fixture_fini(&fixture);
}

static void test_range(void)
{
    struct fixture fixture = {0};
    struct err err;

    fixture_init(&fixture);
    struct scope scope = fixture_tenant(&fixture, "acme", 0, 0);
    struct book_ctx book = {.scope = &scope, .kind = LEDGER_TOP_UP, .nano = YUAN(1000000000)};

    for (int i = 0; i < 4; i++)
        CHECK_OK("four billion", fixture_write(&fixture, book_steps, &book, &err), &err);
    CHECK_INT("five", fixture_write(&fixture, book_steps, &book, &err), ERR_INTERNAL);
    check_account(&fixture, &scope, "end", (int64_t[]){YUAN(4000000000), 0, 0, 0, 4});

    /* What nobody here wrote is not counted on. */
    run_sql(&fixture, "UPDATE account SET available_nano = 0, held_nano = -1");
    CHECK_INT("damaged", fixture_write(&fixture, book_steps, &book, &err), ERR_INTERNAL);
    CHECK_TRUE("damaged", strstr(err.detail, "is damaged") != NULL);

    struct scope nobody = {.tenant_id = 99};
    book.scope = &nobody;
    CHECK_INT("nobody", fixture_write(&fixture, book_steps, &book, &err), ERR_NOT_FOUND);
    fixture_fini(&fixture);
}

struct each_ctx {
    const struct scope *scope;
    int64_t after;
    int limit, count;
    struct ledger_entry entries[8];
};

static enum err_code keep_entry(const struct ledger_entry *entry, void *ctx, struct err *err)
{
    struct each_ctx *each = ctx;

    if (each->count == COUNT_OF(each->entries))
        return err_detail(err, ERR_INTERNAL, "too many entries");
    each->entries[each->count++] = *entry;
    return ERR_OK;
}

static enum err_code each_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct each_ctx *each = ctx;

    each->count = 0;
    return ledger_each(conn, each->scope, each->after, each->limit, keep_entry, each, err);
}

static void test_each(void)
{
    static const uint8_t genesis[CRYPTO_HASH_BYTES];
    struct fixture fixture = {0};
    struct err err;

    fixture_init(&fixture);
    struct scope scope = fixture_tenant(&fixture, "acme", YUAN(1), 0);
    struct scope other = fixture_tenant(&fixture, "other", YUAN(2), 0);
    struct book_ctx book = {.scope = &scope,
                            .kind = LEDGER_ADJUST,
                            .nano = -3,
                            .now_us = NOW - 500, /* the clock stepped back */
                            .ref = STR("ref"),
                            .reason = STR("why \xc3\xa4"),
                            .actor = "cli:root"};
    struct each_ctx each = {.scope = &scope, .limit = 8};

    CHECK_OK("adjust", fixture_write(&fixture, book_steps, &book, &err), &err);
    CHECK_OK("each", db_read(fixture.db, each_steps, &each, &err), &err);
    CHECK_INT("each", each.count, 2);
    CHECK_TRUE("genesis", memcmp(each.entries[0].prev, genesis, sizeof(genesis)) == 0);
    CHECK_TRUE("linked",
               memcmp(each.entries[1].prev, each.entries[0].hash, sizeof(genesis)) == 0);
    CHECK_INT("time is not before its predecessor", each.entries[1].time_us, NOW);
    CHECK_INT("amount is positive", each.entries[1].amount_nano, 3);
    CHECK_TEXT("debit", each.entries[1].debit, "available");
    CHECK_TEXT("credit", each.entries[1].credit, "funds");
    CHECK_TEXT("currency", each.entries[1].currency, "CNY");
    CHECK_TEXT("actor", each.entries[1].actor, "cli:root");
    CHECK_TEXT("reason", each.entries[1].reason, "why \xc3\xa4");
    CHECK_TEXT("ref", each.entries[1].ref, "ref");
    CHECK_TEXT("absent", each.entries[1].task, "");
    CHECK_INT("tenant", each.entries[1].tenant_id, scope.tenant_id);

    each.after = 1;
    CHECK_OK("after", db_read(fixture.db, each_steps, &each, &err), &err);
    CHECK_INT("after", each.count, 1);
    CHECK_INT("after", each.entries[0].seq, 2);
    each = (struct each_ctx){.scope = &scope, .limit = 1};
    CHECK_OK("limit", db_read(fixture.db, each_steps, &each, &err), &err);
    CHECK_INT("limit", each.count, 1);
    each = (struct each_ctx){.scope = &other, .limit = 8};
    CHECK_OK("other", db_read(fixture.db, each_steps, &each, &err), &err);
    CHECK_INT("other", each.count, 1);
    CHECK_INT("other", each.entries[0].amount_nano, YUAN(2));
    fixture_fini(&fixture);
}

/* The stored format, byte by byte. */
static void put_be(struct buf *buf, uint64_t value, int bytes)
{
    for (int shift = bytes * 8 - 8; shift >= 0; shift -= 8)
        buf_put(buf, &(uint8_t){(uint8_t)(value >> shift)}, 1);
}

static void put_int(struct buf *buf, int64_t value)
{
    put_be(buf, 8, 4);
    put_be(buf, (uint64_t)value, 8);
}

static void put_bytes(struct buf *buf, const void *bytes, size_t len)
{
    put_be(buf, len, 4);
    buf_put(buf, bytes, len);
}

static void put_text(struct buf *buf, const char *text)
{
    put_bytes(buf, text, strlen(text));
}

static void test_link(void)
{
    CLEANUP(buf_fini) struct buf buf = {0};
    uint8_t got[CRYPTO_HASH_BYTES], want[CRYPTO_HASH_BYTES];
    struct ledger_entry entry = {.tenant_id = 7,
                                 .seq = 18,
                                 .time_us = NOW,
                                 .kind = LEDGER_CHARGE,
                                 .task = "cgt-1",
                                 .debit = "held",
                                 .credit = "charged",
                                 .amount_nano = 5009400000,
                                 .currency = "CNY",
                                 .hold_seq = 17,
                                 .book = "ark-cny",
                                 .book_version = 1,
                                 .sku = "sku",
                                 .unit = "mtoken",
                                 .unit_price_nano = YUAN(46),
                                 .quantity = 108900,
                                 .has_evidence = true,
                                 .evidence = {1, 2, 3},
                                 .actor = "cli:root",
                                 .ref = "r",
                                 .prev = {9, 9}};

    buf_init(&buf, 4096);
    put_be(&buf, 1, 1);
    put_int(&buf, 7);
    put_int(&buf, 18);
    put_int(&buf, NOW);
    put_text(&buf, "charge");
    put_text(&buf, "cgt-1");
    put_text(&buf, "held");
    put_text(&buf, "charged");
    put_int(&buf, 5009400000);
    put_text(&buf, "CNY");
    put_int(&buf, 17);
    put_text(&buf, "ark-cny");
    put_int(&buf, 1);
    put_text(&buf, "sku");
    put_text(&buf, "mtoken");
    put_int(&buf, YUAN(46));
    put_int(&buf, 108900);
    put_bytes(&buf, entry.evidence, sizeof(entry.evidence));
    put_text(&buf, "cli:root");
    put_text(&buf, ""); /* reason */
    put_text(&buf, "r");
    put_bytes(&buf, entry.prev, sizeof(entry.prev));
    crypto_sha256(buf_str(&buf), want);
    ledger_link(&entry, got);
    CHECK_TRUE("all columns", memcmp(got, want, sizeof(got)) == 0);

    /* Without a unit there is neither unit price nor quantity, not even 0. */
    entry = (struct ledger_entry){.tenant_id = 1, .seq = 1, .kind = LEDGER_TOP_UP};
    buf_reset(&buf);
    put_be(&buf, 1, 1);
    put_int(&buf, 1);
    put_int(&buf, 1);
    put_int(&buf, 0);
    put_text(&buf, "top-up");
    put_text(&buf, "");
    put_text(&buf, "");
    put_text(&buf, "");
    put_int(&buf, 0);
    for (int i = 0; i < 12; i++)
        put_text(&buf, "");
    put_bytes(&buf, entry.prev, sizeof(entry.prev));
    crypto_sha256(buf_str(&buf), want);
    ledger_link(&entry, got);
    CHECK_TRUE("absent columns", memcmp(got, want, sizeof(got)) == 0);
}

struct misc_ctx {
    const struct scope *scope;
    struct str currency;
    int64_t line;
};

static enum err_code line_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct misc_ctx *misc = ctx;

    return ledger_set_credit_line(conn, misc->scope, misc->line, err);
}

static enum err_code account_open_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct misc_ctx *misc = ctx;

    return ledger_open_account(conn, misc->scope->tenant_id, misc->currency, misc->line, err);
}

static void test_account(void)
{
    struct fixture fixture = {0};
    struct err err;

    fixture_init(&fixture);
    struct scope scope = fixture_tenant(&fixture, "acme", 0, 0), nobody = {.tenant_id = 99};
    struct misc_ctx misc = {.scope = &scope, .currency = STR("CNY")};

    CHECK_INT("second account", fixture_write(&fixture, account_open_steps, &misc, &err),
              ERR_CONFLICT);
    misc.currency = STR("CNYCNYCN");
    CHECK_INT("long currency", fixture_write(&fixture, account_open_steps, &misc, &err),
              ERR_INVALID);
    misc.currency = STR("");
    CHECK_INT("no currency", fixture_write(&fixture, account_open_steps, &misc, &err),
              ERR_INVALID);
    misc.line = YUAN(3);
    CHECK_OK("line", fixture_write(&fixture, line_steps, &misc, &err), &err);

    struct account_ctx read = {.scope = &scope};
    CHECK_OK("account", db_read(fixture.db, account_steps, &read, &err), &err);
    CHECK_INT("line", read.account.credit_line_nano, YUAN(3));
    misc.line = -1;
    CHECK_INT("negative line", fixture_write(&fixture, line_steps, &misc, &err), ERR_INVALID);
    misc = (struct misc_ctx){.scope = &nobody};
    read.scope = &nobody;
    CHECK_INT("nobody", db_read(fixture.db, account_steps, &read, &err), ERR_NOT_FOUND);
    CHECK_INT("nobody", fixture_write(&fixture, line_steps, &misc, &err), ERR_NOT_FOUND);
    check_verifies(&fixture, "lines are no entries");
    fixture_fini(&fixture);
}

CHECK_MAIN(CHECK_TEST(test_book), CHECK_TEST(test_range), CHECK_TEST(test_each),
           CHECK_TEST(test_link), CHECK_TEST(test_account))
