/* SPDX-License-Identifier: Apache-2.0 */
/* Verification finds every changed bit of every column, every missing or foreign
 * row, and every account and hold row that disagrees; beside a running writer it
 * finds nothing. */
#include "billing/chain.h"
#include "tests/unit/billing/scenario.h"

#include <stdatomic.h>

/* One column of one row as it is. */
struct value {
    bool is_null;
    int64_t number;
    struct str text;
    char bytes[300];
};
struct change_ctx {
    unsigned column;
    int64_t tenant_id, seq;
    struct value value;
};

#define READ(name) "SELECT " #name " FROM ledger WHERE tenant_id = $1 AND seq = $2"
#define CHANGE(name) "UPDATE ledger SET " #name " = $3 WHERE tenant_id = $1 AND seq = $2"
/* Bytes into a column of text, whatever they are. */
#define CHANGE_SQLITE(name) \
    "UPDATE ledger SET " #name " = CAST($3 AS TEXT) WHERE tenant_id = $1 AND seq = $2"
#define CHANGE_PG(name) \
    "UPDATE ledger SET " #name " = convert_from($3, 'UTF8') WHERE tenant_id = $1 AND seq = $2"
#define COLUMNS(DO)                                                                       \
    DO(tenant_id), DO(seq), DO(time_us), DO(kind), DO(task), DO(debit), DO(credit),       \
        DO(amount_nano), DO(currency), DO(hold_seq), DO(book), DO(book_version), DO(sku), \
        DO(unit), DO(unit_price_nano), DO(quantity), DO(evidence), DO(actor), DO(reason), \
        DO(ref), DO(prev), DO(hash)
static const char *const reads[COLUMN_COUNT] = {COLUMNS(READ)};
static const char *const changes[COLUMN_COUNT] = {COLUMNS(CHANGE)};
static const char *const sqlite_changes[COLUMN_COUNT] = {COLUMNS(CHANGE_SQLITE)};
static const char *const pg_changes[COLUMN_COUNT] = {COLUMNS(CHANGE_PG)};

static enum err_code read_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct change_ctx *change = ctx;
    struct value *value = &change->value;
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, reads[change->column], &stmt, err));
    db_bind_i64(stmt, 1, change->tenant_id);
    db_bind_i64(stmt, 2, change->seq);
    if (db_step(stmt, err) != DB_ROW)
        return err_detail(err, ERR_NOT_FOUND, "no such row");
    *value = (struct value){.is_null = db_is_null(stmt, 0)};
    if (value->is_null)
        return ERR_OK;
    if (ledger_view_columns[change->column].type <= COLUMN_IS_BIG) {
        value->number = db_get_i64(stmt, 0);
    } else {
        struct str text = db_get_text(stmt, 0);

        memcpy(value->bytes, text.ptr, text.len);
        value->text.len = text.len;
    }
    return ERR_OK;
}

static enum err_code change_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct change_ctx *change = ctx;
    struct value *value = &change->value;
    unsigned column = change->column;
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    if (ledger_view_columns[column].type == COLUMN_IS_TEXT)
        TRY(db_prepare2(conn, SQL2(sqlite_changes[column], pg_changes[column]), &stmt, err));
    else
        TRY(db_prepare(conn, changes[column], &stmt, err));
    db_bind_i64(stmt, 1, change->tenant_id);
    db_bind_i64(stmt, 2, change->seq);
    if (value->is_null)
        db_bind_null(stmt, 3);
    else if (ledger_view_columns[column].type <= COLUMN_IS_BIG)
        db_bind_i64(stmt, 3, value->number);
    else
        db_bind_blob(stmt, 3, value->bytes, value->text.len);
    TRY(db_run(stmt, err));
    return db_changes(stmt) == 1 ? ERR_OK : err_detail(err, ERR_NOT_FOUND, "no such row");
}

/* Verification must name tenant and entry. */
static void check_found(struct fixture *fixture, const char *what, const char *name,
                        int64_t seq)
{
    struct ledger_report report = {-1, -1};
    struct err err = {0};
    char start[64];

    CHECK_INT(what, ledger_verify(fixture->db, &report, &err), ERR_MISMATCH);
    (void)snprintf(start, sizeof(start), "tenant %s, entry %" PRId64 ": ", name, seq);
    if (strncmp(err.msg, start, strlen(start)) != 0)
        CHECK_FAILED(what, "\"%s\" does not begin with \"%s\"", err.msg, start);
    CHECK_TEXT(what, err.field, "ledger");
    CHECK_INT(what, report.tenants, -1);
}

/* PostgreSQL's texts hold neither NUL nor what is no UTF-8, whoever writes them. */
static bool is_refused(const struct fixture *fixture, unsigned column,
                       const struct value *value)
{
    struct str text = {value->bytes, value->text.len};

    return db_is_server(fixture->path) && ledger_view_columns[column].type == COLUMN_IS_TEXT &&
           (memchr(text.ptr, 0, text.len) != NULL || !str_is_utf8(text));
}

/* Writes the value, expects that it is found, writes the old one again. */
static void try_value(struct fixture *fixture, const struct change_ctx *old,
                      const struct value *value)
{
    struct change_ctx change = *old, back = *old;
    const char *what = ledger_view_columns[old->column].name;
    struct err err;

    change.value = *value;
    if (is_refused(fixture, old->column, value)) {
        CHECK_INT(what, fixture_write(fixture, change_steps, &change, &err), ERR_INTERNAL);
        return;
    }
    CHECK_OK(what, fixture_write(fixture, change_steps, &change, &err), &err);
    check_found(fixture, what, "acme", old->seq);
    if (old->column == COLUMN_TENANT)
        back.tenant_id = value->number;
    if (old->column == COLUMN_SEQ)
        back.seq = value->number;
    CHECK_OK(what, fixture_write(fixture, change_steps, &back, &err), &err);
}

/* Every bit would take minutes of commits: for each byte one, another each time. */
static void try_column(struct fixture *fixture, const struct change_ctx *old, int64_t idle)
{
    bool is_number = ledger_view_columns[old->column].type <= COLUMN_IS_BIG;
    struct value value = old->value;

    if (old->column == COLUMN_TENANT) {
        value.number = idle; /* a tenant that exists */
        try_value(fixture, old, &value);
        return;
    }
    if (old->value.is_null) {
        value = (struct value){.number = 0};
        try_value(fixture, old, &value); /* 0 or "" is not absent */
        value = (struct value){.number = 1, .text = {NULL, 1}, .bytes = "x"};
        try_value(fixture, old, &value);
        return;
    }
    for (size_t i = 0; is_number ? i < 63 : i < old->value.text.len; i += is_number ? 9 : 5) {
        value = old->value;
        if (is_number)
            value.number ^= INT64_C(1) << i;
        else
            value.bytes[i] = (char)(value.bytes[i] ^ 1 << i % 5);
        if (old->column == COLUMN_SEQ)
            value.number = old->value.number + 1000 + (int64_t)i; /* a free one */
        try_value(fixture, old, &value);
    }
    if (ledger_view_columns[old->column].optional) {
        value = (struct value){.is_null = true};
        try_value(fixture, old, &value);
    }
    if (!is_number) {
        value = old->value;
        value.text.len = 0;
        try_value(fixture, old, &value);
        value = old->value;
        value.bytes[value.text.len++] = 0; /* a NUL that a C string would hide */
        try_value(fixture, old, &value);
        value.text.len = sizeof(value.bytes);
        try_value(fixture, old, &value);
        memset(value.bytes, 'x', sizeof(value.bytes));
        try_value(fixture, old, &value);
    }
}

static void test_columns(void)
{
    struct fixture fixture = {0};
    struct ledger_report report;
    struct err err = {0};

    fixture_init(&fixture);
    struct scope acme = scenario(&fixture);

    CHECK_OK("whole", ledger_verify(fixture.db, &report, &err), &err);
    CHECK_INT("tenants", report.tenants, 3);
    CHECK_INT("entries", report.entries, SCENARIO_ENTRIES + 3);
    /* What is found does not depend on the engine, and a server's commits take longer. */
    for (int64_t seq = 1; seq <= SCENARIO_ENTRIES; seq += db_is_server(fixture.path) ? 5 : 1)
        for (unsigned column = 0; column < COLUMN_COUNT; column++) {
            struct change_ctx old = {.column = column, .tenant_id = acme.tenant_id, .seq = seq};

            CHECK_OK("read", db_read(fixture.db, read_steps, &old, &err), &err);
            try_column(&fixture, &old, acme.tenant_id + 1);
        }
    check_verifies(&fixture, "all restored");
    fixture_fini(&fixture);
}

/* A change and how to undo it. */
struct trick {
    const char *what, *sql, *undo, *found;
};

#define IN_ACME " WHERE tenant_id = 1"

/* clang-format off */
static const struct trick tricks[] = {
    {"available", "UPDATE account SET available_nano = available_nano + 1" IN_ACME,
     "UPDATE account SET available_nano = available_nano - 1" IN_ACME, "available is"},
    {"held", "UPDATE account SET held_nano = held_nano + 1" IN_ACME,
     "UPDATE account SET held_nano = held_nano - 1" IN_ACME, "held is"},
    {"charged", "UPDATE account SET charged_nano = charged_nano + 1" IN_ACME,
     "UPDATE account SET charged_nano = charged_nano - 1" IN_ACME, "charged is"},
    {"loss", "UPDATE account SET loss_nano = loss_nano - 1" IN_ACME,
     "UPDATE account SET loss_nano = loss_nano + 1" IN_ACME, "loss is"},
    {"account ends early", "UPDATE account SET seq = seq - 1" IN_ACME,
     "UPDATE account SET seq = seq + 1" IN_ACME, "behind the end"},
    {"account ends late", "UPDATE account SET seq = seq + 1" IN_ACME,
     "UPDATE account SET seq = seq - 1" IN_ACME, "is missing"},
    {"currency", "UPDATE account SET currency = 'USD'" IN_ACME,
     "UPDATE account SET currency = 'CNY'" IN_ACME, "in USD"},
    {"head", "UPDATE account SET head = (SELECT prev FROM ledger"
     " WHERE ledger.tenant_id = 1 AND ledger.seq = 1)" IN_ACME,
     "UPDATE account SET head = (SELECT hash FROM ledger WHERE ledger.tenant_id = 1"
     " ORDER BY seq DESC LIMIT 1)" IN_ACME, "another head"},
    {"short head", "UPDATE account SET head = substr(head, 1, 1)" IN_ACME,
     "UPDATE account SET head = (SELECT hash FROM ledger WHERE ledger.tenant_id = 1"
     " ORDER BY seq DESC LIMIT 1)" IN_ACME, "not 32 bytes"},
    {"last entry cut off", "DELETE FROM ledger" IN_ACME " AND seq = 24",
     "INSERT INTO ledger SELECT * FROM copy" IN_ACME " AND seq = 24", "entry 24: is missing"},
    {"first entry cut off", "DELETE FROM ledger" IN_ACME " AND seq = 1",
     "INSERT INTO ledger SELECT * FROM copy" IN_ACME " AND seq = 1", "entry 1: is missing"},
    {"all entries gone", "DELETE FROM ledger" IN_ACME, "INSERT INTO ledger SELECT * FROM copy"
     IN_ACME, "entry 1: is missing"},
    {"entry before the first",
     "INSERT INTO ledger SELECT tenant_id, 0, time_us, kind, task, debit, credit, amount_nano,"
     " currency, hold_seq, book, book_version, sku, unit, unit_price_nano, quantity, evidence,"
     " actor, reason, NULL, prev, hash FROM copy" IN_ACME " AND seq = 1", "DELETE FROM ledger"
     IN_ACME " AND seq = 0", "entry 1: "},
    {"entry without an account", "DELETE FROM account WHERE tenant_id = 3",
     "INSERT INTO account SELECT * FROM account_copy WHERE tenant_id = 3", "no account"},
    {"hold amount", "UPDATE hold SET amount_nano = amount_nano + 1" IN_ACME
     " AND task = 'cgt-open'", "UPDATE hold SET amount_nano = amount_nano - 1" IN_ACME
     " AND task = 'cgt-open'", "another amount"},
    {"hold charge", "UPDATE hold SET charge_nano = charge_nano + 1" IN_ACME
     " AND task = 'cgt-lower'", "UPDATE hold SET charge_nano = charge_nano - 1" IN_ACME
     " AND task = 'cgt-lower'", "another charge"},
    {"hold loss", "UPDATE hold SET loss_nano = 0" IN_ACME " AND task = 'cgt-freed'",
     "UPDATE hold SET loss_nano = 4015800000" IN_ACME " AND task = 'cgt-freed'",
     "another loss"},
    {"hold quantity", "UPDATE hold SET quantity = 1" IN_ACME " AND task = 'cgt-exact'",
     "UPDATE hold SET quantity = 108900" IN_ACME " AND task = 'cgt-exact'", "another quantity"},
    {"open hold quantity", "UPDATE hold SET quantity = 1" IN_ACME " AND task = 'cgt-open'",
     "UPDATE hold SET quantity = 0" IN_ACME " AND task = 'cgt-open'", "another quantity"},
    {"hold tokens", "UPDATE hold SET tokens = 1" IN_ACME " AND task = 'cgt-open'",
     "UPDATE hold SET tokens = 8730" IN_ACME " AND task = 'cgt-open'", "another quantity"},
    {"open again", "UPDATE hold SET state = 'open'" IN_ACME " AND task = 'cgt-exact'",
     "UPDATE hold SET state = 'charged'" IN_ACME " AND task = 'cgt-exact'", "another state"},
    {"released on paper", "UPDATE hold SET state = 'released'" IN_ACME
     " AND task = 'cgt-open'", "UPDATE hold SET state = 'open'" IN_ACME
     " AND task = 'cgt-open'", "another state"},
    {"charged back to review", "UPDATE hold SET state = 'review'" IN_ACME
     " AND task = 'cgt-exact'", "UPDATE hold SET state = 'charged'" IN_ACME
     " AND task = 'cgt-exact'", "another state"},
    {"hold sku", "UPDATE hold SET sku = 'x'" IN_ACME " AND task = 'cgt-open'",
     "UPDATE hold SET sku = 'doubao-seedance-2-0-720p-novideo'" IN_ACME
     " AND task = 'cgt-open'", "another price book or sku"},
    {"charged sku", "UPDATE hold SET charged_sku = 'x'" IN_ACME " AND task = 'cgt-lower'",
     "UPDATE hold SET charged_sku = 'doubao-seedance-2-0-720p-novideo'" IN_ACME
     " AND task = 'cgt-lower'", "another price"},
    {"hold unit price", "UPDATE hold SET unit_price_nano = 1" IN_ACME " AND task = 'cgt-open'",
     "UPDATE hold SET unit_price_nano = 46000000000" IN_ACME " AND task = 'cgt-open'",
     "another price"},
    {"hold unit", "UPDATE hold SET unit = 'second'" IN_ACME " AND task = 'cgt-lower'",
     "UPDATE hold SET unit = 'mtoken'" IN_ACME " AND task = 'cgt-lower'", "another price"},
    {"hold book", "UPDATE hold SET book_version = 2" IN_ACME " AND task = 'cgt-open'",
     "UPDATE hold SET book_version = 1" IN_ACME " AND task = 'cgt-open'", "another price book"},
    {"hold entry", "UPDATE hold SET seq = 3" IN_ACME " AND task = 'cgt-open'",
     "UPDATE hold SET seq = (SELECT seq FROM copy" IN_ACME " AND task = 'cgt-open')" IN_ACME
     " AND task = 'cgt-open'", "there is no hold 3"},
    {"hold task", "UPDATE hold SET task = 'cgt-closed'" IN_ACME " AND task = 'cgt-open'",
     "UPDATE hold SET task = 'cgt-open'" IN_ACME " AND task = 'cgt-closed'", "another task"},
    {"long hold task", "UPDATE hold SET task = replace('..........', '.', 'cgt-12345678')" IN_ACME
     " AND task = 'cgt-open'", "UPDATE hold SET task = 'cgt-open'" IN_ACME
     " AND length(task) > 60", "stored form"},
    {"no hold row", "DELETE FROM hold" IN_ACME " AND task = 'cgt-open'",
     "INSERT INTO hold SELECT * FROM hold_copy" IN_ACME " AND task = 'cgt-open'",
     "its hold row is missing"},
    {"a hold row more", "INSERT INTO hold SELECT tenant_id, 'cgt-more', seq, amount_nano,"
     " tokens, output_ms, book, book_version, sku, state, charge_nano, loss_nano, quantity,"
     " charged_sku, unit, unit_price_nano, review FROM hold_copy" IN_ACME
     " AND task = 'cgt-open'", "DELETE FROM hold" IN_ACME " AND task = 'cgt-more'",
     "another task"},
    {"another tenant's hold row", "UPDATE hold SET tenant_id = 2" IN_ACME
     " AND task = 'cgt-open'", "UPDATE hold SET tenant_id = 1 WHERE tenant_id = 2",
     "its hold row is missing"},
};
/* clang-format on */

static void test_rows(void)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    (void)scenario(&fixture);
    run_sql(&fixture, "CREATE TABLE copy AS SELECT * FROM ledger");
    run_sql(&fixture, "CREATE TABLE hold_copy AS SELECT * FROM hold");
    run_sql(&fixture, "CREATE TABLE account_copy AS SELECT * FROM account");
    for (size_t i = 0; i < COUNT_OF(tricks); i++) {
        struct ledger_report report;
        struct err err = {0};

        check_verifies(&fixture, tricks[i].what);
        run_sql(&fixture, tricks[i].sql);
        CHECK_INT(tricks[i].what, ledger_verify(fixture.db, &report, &err), ERR_MISMATCH);
        if (strstr(err.msg, tricks[i].found) == NULL)
            CHECK_FAILED(tricks[i].what, "\"%s\" says nothing of \"%s\"", err.msg,
                         tricks[i].found);
        run_sql(&fixture, tricks[i].undo);
    }
    check_verifies(&fixture, "all undone");
    fixture_fini(&fixture);
}

/* Pages: more entries and more holds than one page has. */
struct fill_ctx {
    const struct scope *scope;
    int from, to;
};

static enum err_code fill_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct fill_ctx *fill = ctx;
    struct price_row price = {.sku = "sku",
                              .unit = PRICE_PER_MTOKEN,
                              .unit_price_nano = YUAN(46),
                              .book = "ark-cny",
                              .version = 1,
                              .currency = "CNY"};

    for (int i = fill->from; i < fill->to; i++) {
        char task[24];
        struct money held;

        (void)snprintf(task, sizeof(task), "cgt-%d", i);
        struct hold_request request = {str_from(task), &price, 1000, 5000, NOW};
        TRY(hold_place(conn, fill->scope, &request, &held, err));
        if (i % 2 == 0)
            TRY(hold_release(conn, fill->scope, request.task, NOW, "", STR("failed"), err));
    }
    return ERR_OK;
}

static void test_pages(void)
{
    static const int counts[] = {999, 1, 1, 1999}; /* page ends at 1000, 1002, … */
    struct fixture fixture = {0};
    struct ledger_report report;
    struct err err = {0};
    int64_t entries = 1;

    fixture_init(&fixture);
    struct scope scope = fixture_tenant(&fixture, "acme", YUAN(1000), 0);
    struct fill_ctx fill = {.scope = &scope};

    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        fill.from = fill.to;
        fill.to += counts[i];
        CHECK_OK("fill", fixture_write(&fixture, fill_steps, &fill, &err), &err);
        for (int j = fill.from; j < fill.to; j++)
            entries += j % 2 == 0 ? 2 : 1;
        CHECK_OK("verify", ledger_verify(fixture.db, &report, &err), &err);
        CHECK_INT("entries", report.entries, entries);
    }
    run_sql(&fixture, "UPDATE ledger SET reason = 'x' WHERE seq = 3000");
    check_found(&fixture, "third page", "acme", 3000);
    fixture_fini(&fixture);
}

struct writer {
    struct fixture *fixture;
    const struct scope *scope;
    atomic_bool stop;
    atomic_int done;
};

static void *write_on(void *ctx)
{
    struct writer *writer = ctx;
    struct err err;

    while (!atomic_load(&writer->stop)) {
        int done = atomic_load(&writer->done);
        struct fill_ctx fill = {writer->scope, done, done + 20};

        CHECK_OK("fill", fixture_write(writer->fixture, fill_steps, &fill, &err), &err);
        atomic_store(&writer->done, done + 20);
    }
    return NULL;
}

static void test_beside_writer(void)
{
    struct fixture fixture = {0};
    struct err err = {0};
    pthread_t thread;

    fixture_init(&fixture);
    struct scope scope = fixture_tenant(&fixture, "acme", YUAN(100000), 0);
    struct writer writer = {.fixture = &fixture, .scope = &scope};

    CHECK_OK("thread", lock_thread(&thread, "writer", 512 << 10, write_on, &writer, &err),
             &err);
    while (atomic_load(&writer.done) < 4000) /* 6000 entries: several pages */
        check_verifies(&fixture, "beside a writer");
    atomic_store(&writer.stop, true);
    CHECK_INT("join", pthread_join(thread, NULL), 0);
    check_verifies(&fixture, "end");
    fixture_fini(&fixture);
}

CHECK_MAIN(CHECK_TEST(test_columns), CHECK_TEST(test_rows), CHECK_TEST(test_pages),
           CHECK_TEST(test_beside_writer))
