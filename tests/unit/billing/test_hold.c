/* SPDX-License-Identifier: Apache-2.0 */
/* Holds: placed, settled, released, reviewed and resolved, once; every scenario
 * ends with the ledger verified. Prices: 46 yuan per million tokens at 720p. */
#include "tests/unit/billing/fixture.h"

#define HOLD INT64_C(5009400000) /* 108900 tokens at 46 */

struct row {
    const char *what;
    int64_t top_up, credit_line; /* of the account */
    struct hold_ctx steps[4];    /* after the hold of 108900 tokens */
    enum err_code rcs[4];
    int64_t account[5]; /* available, held, charged, loss, seq */
    const char *state;
    int64_t charge, loss, quantity;
};

/* clang-format off */
static const struct row rows[] = {
    {"only held", YUAN(10), 0, {{0}}, {0}, {YUAN(10) - HOLD, HOLD, 0, 0, 2}, "open", 0, 0, 0},
    {"exact charge", YUAN(10), 0, {{.step = SETTLE, .tokens = 108900}}, {ERR_OK},
     {YUAN(10) - HOLD, 0, HOLD, 0, 3}, "charged", HOLD, 0, 108900},
    {"lower charge", YUAN(10), 0, {{.step = SETTLE, .tokens = 87300}}, {ERR_OK},
     {YUAN(10) - 4015800000, 0, 4015800000, 0, 4}, "charged", 4015800000, 0, 87300},
    {"free of charge", YUAN(10), 0, {{.step = SETTLE, .tokens = 0}}, {ERR_OK},
     {YUAN(10), 0, 0, 0, 4}, "charged", 0, 0, 0},
    {"over the hold, covered", YUAN(10), 0, {{.step = SETTLE, .tokens = 130500}}, {ERR_OK},
     {YUAN(10) - 6003000000, 0, 6003000000, 0, 4}, "charged", 6003000000, 0, 130500},
    {"over the hold, in part", YUAN(5) + 500000000, 0, {{.step = SETTLE, .tokens = 130500}},
     {ERR_OK}, {0, 0, 6003000000, 503000000, 5}, "charged", 5500000000, 503000000, 130500},
    {"over the hold, credit line", YUAN(5) + 500000000, 100000000,
     {{.step = SETTLE, .tokens = 130500}}, {ERR_OK}, {-100000000, 0, 6003000000, 403000000, 5},
     "charged", 5600000000, 403000000, 130500},
    {"over the hold, nothing left", HOLD, 0, {{.step = SETTLE, .tokens = 130500}}, {ERR_OK},
     {0, 0, 6003000000, 993600000, 4}, "charged", HOLD, 993600000, 130500},
    {"exactly what is left", 6003000000, 0, {{.step = SETTLE, .tokens = 130500}}, {ERR_OK},
     {0, 0, 6003000000, 0, 4}, "charged", 6003000000, 0, 130500},
    {"four times the hold", YUAN(30), 0, {{.step = SETTLE, .tokens = 435600}}, {ERR_OK},
     {YUAN(30) - 20037600000, 0, 20037600000, 0, 4}, "charged", 20037600000, 0, 435600},
    {"released", YUAN(10), 0, {{.step = RELEASE}}, {ERR_OK}, {YUAN(10), 0, 0, 0, 3},
     "released", 0, 0, 0},
    {"usage missing", YUAN(10), 0, {{.step = SETTLE, .no_tokens = true}}, {ERR_OK},
     {YUAN(10) - HOLD, HOLD, 0, 0, 2}, "review", 0, 0, 0},
    {"usage negative", YUAN(10), 0, {{.step = SETTLE, .tokens = -1}}, {ERR_OK},
     {YUAN(10) - HOLD, HOLD, 0, 0, 2}, "review", 0, 0, 0},
    {"usage over 10^9", YUAN(10), 0, {{.step = SETTLE, .tokens = 1000000001}}, {ERR_OK},
     {YUAN(10) - HOLD, HOLD, 0, 0, 2}, "review", 0, 0, 0},
    {"over four times the hold", YUAN(30), 0, {{.step = SETTLE, .tokens = 435601}}, {ERR_OK},
     {YUAN(30) - HOLD, HOLD, 0, 0, 2}, "review", 0, 0, 0},
    {"no price for the final resolution", YUAN(10), 0,
     {{.step = SETTLE, .tokens = 108900, .key = {.model = {"doubao-seedance-2-0", 19},
     .resolution = {"8k", 2}}}}, {ERR_OK}, {YUAN(10) - HOLD, HOLD, 0, 0, 2}, "review", 0, 0, 0},
    {"another resolution at the end", YUAN(10), 0,
     {{.step = SETTLE, .tokens = 108900, .key = {.model = {"doubao-seedance-2-0", 19},
     .resolution = {"1080p", 5}}}}, {ERR_OK}, {YUAN(10) - 5553900000, 0, 5553900000, 0, 4},
     "charged", 5553900000, 0, 108900},
    {"settled twice", YUAN(10), 0, {{.step = SETTLE, .tokens = 108900},
     {.step = SETTLE, .tokens = 108900}}, {ERR_OK, ERR_CONFLICT},
     {YUAN(10) - HOLD, 0, HOLD, 0, 3}, "charged", HOLD, 0, 108900},
    {"released twice", YUAN(10), 0, {{.step = RELEASE}, {.step = RELEASE}},
     {ERR_OK, ERR_CONFLICT}, {YUAN(10), 0, 0, 0, 3}, "released", 0, 0, 0},
    {"settled, then released", YUAN(10), 0, {{.step = SETTLE, .tokens = 1}, {.step = RELEASE}},
     {ERR_OK, ERR_CONFLICT}, {YUAN(10) - 46000, 0, 46000, 0, 4}, "charged", 46000, 0, 1},
    {"released, then settled", YUAN(10), 0, {{.step = RELEASE}, {.step = SETTLE, .tokens = 1}},
     {ERR_OK, ERR_CONFLICT}, {YUAN(10), 0, 0, 0, 3}, "released", 0, 0, 0},
    {"a second hold", YUAN(20), 0, {{.step = PLACE, .tokens = 108900}}, {ERR_CONFLICT},
     {YUAN(20) - HOLD, HOLD, 0, 0, 2}, "open", 0, 0, 0},
    {"review", YUAN(10), 0, {{.step = REVIEW}}, {ERR_OK}, {YUAN(10) - HOLD, HOLD, 0, 0, 2},
     "review", 0, 0, 0},
    {"nothing but an operator ends a review", YUAN(10), 0, {{.step = REVIEW}, {.step = REVIEW},
     {.step = RELEASE}, {.step = SETTLE, .tokens = 1}},
     {ERR_OK, ERR_CONFLICT, ERR_CONFLICT, ERR_CONFLICT}, {YUAN(10) - HOLD, HOLD, 0, 0, 2},
     "review", 0, 0, 0},
    {"resolved with a part", YUAN(10), 0, {{.step = REVIEW},
     {.step = RESOLVE, .amount_nano = YUAN(2)}, {.step = RESOLVE, .amount_nano = YUAN(2)}},
     {ERR_OK, ERR_OK, ERR_CONFLICT}, {YUAN(8), 0, YUAN(2), 0, 4}, "charged", YUAN(2), 0, 0},
    {"resolved with all", YUAN(10), 0, {{.step = REVIEW},
     {.step = RESOLVE, .amount_nano = HOLD}}, {ERR_OK, ERR_OK},
     {YUAN(10) - HOLD, 0, HOLD, 0, 3}, "charged", HOLD, 0, 0},
    {"resolved with nothing", YUAN(10), 0, {{.step = REVIEW}, {.step = RESOLVE}},
     {ERR_OK, ERR_OK}, {YUAN(10), 0, 0, 0, 3}, "released", 0, 0, 0},
    {"resolved with too much", YUAN(10), 0, {{.step = REVIEW},
     {.step = RESOLVE, .amount_nano = HOLD + 1}, {.step = RESOLVE, .amount_nano = -1},
     {.step = RESOLVE, .actor = ""}}, {ERR_OK, ERR_INVALID, ERR_INVALID, ERR_INTERNAL},
     {YUAN(10) - HOLD, HOLD, 0, 0, 2}, "review", 0, 0, 0},
    {"resolved while open", YUAN(10), 0, {{.step = RESOLVE}}, {ERR_CONFLICT},
     {YUAN(10) - HOLD, HOLD, 0, 0, 2}, "open", 0, 0, 0},
    {"late loss, once", YUAN(10), 0, {{.step = RELEASE}, {.step = LATE, .tokens = 87300},
     {.step = LATE, .tokens = 87300}, {.step = SETTLE, .tokens = 87300}},
     {ERR_OK, ERR_OK, ERR_CONFLICT, ERR_CONFLICT}, {YUAN(10), 0, 4015800000, 4015800000, 4},
     "released", 0, 4015800000, 87300},
    {"late loss without usage", YUAN(10), 0, {{.step = RELEASE},
     {.step = LATE, .no_tokens = true}}, {ERR_OK, ERR_INVALID}, {YUAN(10), 0, 0, 0, 3},
     "released", 0, 0, 0},
    {"late loss of an open hold", YUAN(10), 0, {{.step = LATE, .tokens = 1}}, {ERR_CONFLICT},
     {YUAN(10) - HOLD, HOLD, 0, 0, 2}, "open", 0, 0, 0},
    {"late loss of a charged hold", YUAN(10), 0, {{.step = SETTLE, .tokens = 1},
     {.step = LATE, .tokens = 1}}, {ERR_OK, ERR_CONFLICT}, {YUAN(10) - 46000, 0, 46000, 0, 4},
     "charged", 46000, 0, 1},
};
/* clang-format on */

struct get_ctx {
    const struct scope *scope;
    const char *task;
    struct hold_view view;
};

static enum err_code get_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct get_ctx *get = ctx;

    return hold_get(conn, get->scope, str_from(get->task), &get->view, err);
}

static void run_row(struct fixture *fixture, const struct row *row, const char *tenant)
{
    struct scope scope = fixture_tenant(fixture, tenant, row->top_up, row->credit_line);
    struct hold_ctx place = {
        .step = PLACE, .scope = &scope, .task = "cgt-1", .tokens = 108900, .output_ms = 5000};
    struct get_ctx get = {.scope = &scope, .task = "cgt-1"};
    struct err err;

    CHECK_OK(row->what, fixture_hold(fixture, &place, &err), &err);
    CHECK_INT(row->what, place.held.nano, HOLD);
    for (size_t i = 0; i < COUNT_OF(row->steps); i++) {
        struct hold_ctx step = row->steps[i];

        if (step.step == PLACE && step.tokens == 0)
            break;
        step.scope = &scope;
        step.task = "cgt-1";
        step.output_ms = 5000;
        CHECK_INT(row->what, fixture_hold(fixture, &step, &err), row->rcs[i]);
        if (step.step != SETTLE || row->rcs[i] != ERR_OK)
            continue;
        bool review = strcmp(row->state, "review") == 0;
        CHECK_INT(row->what, step.charge.result, review ? HOLD_IN_REVIEW : HOLD_CHARGED);
        CHECK_INT(row->what, step.charge.review[0] != '\0', review);
        CHECK_INT(row->what, step.charge.charge.nano, row->charge);
        CHECK_INT(row->what, step.charge.loss.nano, row->loss);
        CHECK_INT(row->what, step.charge.quantity, row->quantity);
    }
    check_account(fixture, &scope, row->what, row->account);

    CHECK_OK(row->what, db_read(fixture->db, get_steps, &get, &err), &err);
    CHECK_TEXT(row->what, get.view.state, row->state);
    CHECK_INT(row->what, get.view.held.nano, HOLD);
    CHECK_INT(row->what, get.view.tokens, 108900);
    CHECK_INT(row->what, get.view.charge.nano, row->charge);
    CHECK_INT(row->what, get.view.loss.nano, row->loss);
    CHECK_INT(row->what, get.view.quantity, row->quantity);
    CHECK_INT(row->what, get.view.review[0] != '\0',
              row->steps[0].step == REVIEW || strcmp(row->state, "review") == 0);
    check_verifies(fixture, row->what);
}

static void test_flows(void)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char tenant[16];

        (void)snprintf(tenant, sizeof(tenant), "t%zu", i);
        run_row(&fixture, &rows[i], tenant);
    }
    fixture_fini(&fixture);
}

static void test_place(void)
{
    static const struct {
        const char *what, *task;
        int64_t tokens;
        enum err_code rc;
    } cases[] = {
        {"too dear", "cgt-1", 108901, ERR_BALANCE},
        {"no task", "", 1, ERR_INTERNAL},
        {"long task", "0123456789012345678901234567890123456789012345678901234567890123", 1,
         ERR_INTERNAL},
        {"negative", "cgt-1", -1, ERR_INTERNAL},
        {"fits exactly", "cgt-1", 108900, ERR_OK},
        {"nothing left", "cgt-2", 1, ERR_BALANCE},
        {"free", "cgt-2", 0, ERR_OK},
    };
    struct fixture fixture = {0};

    fixture_init(&fixture);
    struct scope scope = fixture_tenant(&fixture, "acme", HOLD, 0);
    struct scope other = fixture_tenant(&fixture, "other", HOLD, 0);

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct hold_ctx place = {.step = PLACE,
                                 .scope = &scope,
                                 .task = cases[i].task,
                                 .tokens = cases[i].tokens,
                                 .output_ms = 5000};
        struct err err;

        CHECK_INT(cases[i].what, fixture_hold(&fixture, &place, &err), cases[i].rc);
        if (i == 0) {
            CHECK_INT("need", err.need_nano, HOLD + 46000);
            CHECK_INT("have", err.have_nano, HOLD);
            CHECK_TEXT("currency", err.currency, "CNY");
        }
    }

    /* Another tenant's hold is not there. */
    struct get_ctx get = {.scope = &other, .task = "cgt-1"};
    struct hold_ctx release = {.step = RELEASE, .scope = &other, .task = "cgt-1"};
    struct err err;

    CHECK_INT("get", db_read(fixture.db, get_steps, &get, &err), ERR_NOT_FOUND);
    CHECK_INT("release", fixture_hold(&fixture, &release, &err), ERR_NOT_FOUND);
    /* A hold of nothing is released by an entry of nothing. */
    release = (struct hold_ctx){.step = RELEASE, .scope = &scope, .task = "cgt-2"};
    CHECK_OK("free release", fixture_hold(&fixture, &release, &err), &err);
    check_verifies(&fixture, "place");
    fixture_fini(&fixture);
}

/* A price per second, and a book in another currency than the account's. */
static void test_other_books(void)
{
    struct fixture fixture = {0};
    struct err err;

    fixture_init(&fixture);
    run_sql(&fixture, "INSERT INTO price_book VALUES ('ark-cny', 2, 1, 'CNY', 1000000000,"
                      " 1000000000)");
    run_sql(&fixture, "INSERT INTO price_row VALUES ('ark-cny', 2, 1, 'doubao-seedance-2-0',"
                      " '*', -1, -1, '*', 'seconds', 'second', 900000000)");
    struct scope scope = fixture_tenant(&fixture, "acme", YUAN(10), 0);
    struct hold_ctx hold = {
        .step = PLACE, .scope = &scope, .task = "cgt-1", .tokens = 108900, .output_ms = 8000};

    CHECK_OK("place", fixture_hold(&fixture, &hold, &err), &err);
    CHECK_INT("8 s at 0.9", hold.held.nano, 7200000000);
    /* The version is frozen: a later one with other prices changes nothing. */
    run_sql(&fixture, "INSERT INTO price_book VALUES ('ark-cny', 3, 2, 'USD', 2000000000,"
                      " 1000000000)");
    run_sql(&fixture, "INSERT INTO price_row VALUES ('ark-cny', 3, 1, 'doubao-seedance-2-0',"
                      " '*', -1, -1, '*', 'dollars', 'mtoken', 900000000)");
    check_verifies(&fixture, "open");
    hold.step = SETTLE;
    hold.output_ms = 7041;
    CHECK_OK("settle", fixture_hold(&fixture, &hold, &err), &err);
    CHECK_INT("charged", hold.charge.result, HOLD_CHARGED);
    CHECK_INT("7.041 s at 0.9", hold.charge.charge.nano, 6336900000);
    CHECK_INT("milliseconds", hold.charge.quantity, 7041);
    hold = (struct hold_ctx){
        .step = PLACE, .scope = &scope, .task = "cgt-2", .tokens = 1, .output_ms = 1};
    CHECK_INT("dollars", fixture_hold(&fixture, &hold, &err), ERR_INTERNAL);
    check_account(&fixture, &scope, "end", (int64_t[]){3663100000, 0, 6336900000, 0, 4});
    check_verifies(&fixture, "end");
    fixture_fini(&fixture);
}

static void test_no_length(void)
{
    static const int64_t lengths[] = {0, -1, 32001, INT64_MAX};
    struct fixture fixture = {0};
    struct err err;

    fixture_init(&fixture);
    run_sql(&fixture, "UPDATE price_row SET unit = 'second', list_price_nano = 1");
    struct scope scope = fixture_tenant(&fixture, "acme", YUAN(10), 0);
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        char task[16];

        (void)snprintf(task, sizeof(task), "cgt-%zu", i);
        struct hold_ctx hold = {
            .step = PLACE, .scope = &scope, .task = task, .tokens = 100, .output_ms = 8000};
        CHECK_OK(task, fixture_hold(&fixture, &hold, &err), &err);
        hold.step = SETTLE;
        hold.output_ms = lengths[i];
        CHECK_OK(task, fixture_hold(&fixture, &hold, &err), &err);
        CHECK_INT(task, hold.charge.result, HOLD_IN_REVIEW);
    }
    fixture_fini(&fixture);
}

/* Uses of the tool are free until somebody gives them a price; then an operator decides. */
static void test_tools(void)
{
    static const struct {
        const char *what;
        int64_t version, uses, tokens; /* of the book; price of a use by version below */
        const char *state, *review;
    } cases[] = {
        {"shipped: free", 1, 3, 108900, "charged", ""},
        {"shipped: not used", 1, 0, 108900, "charged", ""},
        {"priced: not used", 2, 0, 108900, "charged", ""},
        {"priced: used", 2, 1, 108900, "review", "1 tool uses that have a price"},
        {"priced: used much", 2, INT64_MAX, 108900, "review",
         "9223372036854775807 tool uses that have a price"},
        {"priced: less than none", 2, -1, 108900, "charged", ""},
        {"priced, and nothing rendered", 2, 2, 0, "review", "2 tool uses that have a price"},
        {"no row for tools", 3, 5, 108900, "charged", ""},
    };
    /* So that version 1, 2 or 3 is the one that holds at NOW. */
    static const char only_1[] =
        "UPDATE price_book SET starts_us = 9000000000000000 WHERE version > 1";
    static const char up_to_2[] =
        "UPDATE price_book SET starts_us ="
        " CASE version WHEN 3 THEN 9000000000000000 ELSE version - 1 END";
    static const char up_to_3[] = "UPDATE price_book SET starts_us = version - 1";
    static const char *const begins[] = {only_1, up_to_2, up_to_3};
    struct fixture fixture = {0};

    fixture_init(&fixture);
    run_sql(&fixture, "INSERT INTO price_book VALUES"
                      " ('ark-cny', 2, 1, 'CNY', 1000000000, 1000000000),"
                      " ('ark-cny', 3, 2, 'CNY', 1000000000, 1000000000)");
    run_sql(&fixture, "INSERT INTO price_row VALUES"
                      " ('ark-cny', 2, 1, 'doubao-seedance-2-0', '*', -1, -1, '*', 'all',"
                      " 'mtoken', 46000000000),"
                      " ('ark-cny', 2, 2, 'tool/web_search', '*', -1, -1, '*', 'search', 'use',"
                      " 30000000),"
                      " ('ark-cny', 3, 1, 'doubao-seedance-2-0', '*', -1, -1, '*', 'all',"
                      " 'mtoken', 46000000000)");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *what = cases[i].what;
        char name[16];
        struct err err;

        (void)snprintf(name, sizeof(name), "t%zu", i);
        run_sql(&fixture, begins[cases[i].version - 1]);
        struct scope scope = fixture_tenant(&fixture, name, YUAN(10), 0);
        struct hold_ctx hold = {.step = PLACE,
                                .scope = &scope,
                                .task = "cgt-1",
                                .tokens = 108900,
                                .output_ms = 5000};
        struct get_ctx get = {.scope = &scope, .task = "cgt-1"};

        CHECK_OK(what, fixture_hold(&fixture, &hold, &err), &err);
        CHECK_INT(what, hold.held.nano, HOLD);
        hold.step = SETTLE;
        hold.tool_uses = cases[i].uses;
        hold.tokens = cases[i].tokens;
        CHECK_OK(what, fixture_hold(&fixture, &hold, &err), &err);
        CHECK_TEXT(what, hold.charge.review, cases[i].review);
        CHECK_OK(what, db_read(fixture.db, get_steps, &get, &err), &err);
        CHECK_TEXT(what, get.view.state, cases[i].state);
        CHECK_TEXT(what, get.view.review, cases[i].review);
        CHECK_INT(what, get.view.charge.nano,
                  strcmp(cases[i].state, "charged") == 0 ? HOLD : 0);
        check_verifies(&fixture, what);
    }
    fixture_fini(&fixture);
}

enum { RACERS = 200, COVERED = 7 };

struct racer {
    struct fixture *fixture;
    struct hold_ctx hold;
    char task[16];
    enum err_code rc;
    pthread_t thread;
};

static void *race(void *ctx)
{
    struct racer *racer = ctx;
    struct err err;

    racer->rc = fixture_hold(racer->fixture, &racer->hold, &err);
    return NULL;
}

static void test_race(void)
{
    static struct racer racers[RACERS];
    struct fixture fixture = {0};
    int placed = 0;

    fixture_init(&fixture);
    struct scope scope = fixture_tenant(&fixture, "acme", COVERED * HOLD, 0);

    for (int i = 0; i < RACERS; i++) {
        struct err err = {0};

        racers[i] = (struct racer){.fixture = &fixture};
        (void)snprintf(racers[i].task, sizeof(racers[i].task), "cgt-%d", i);
        racers[i].hold = (struct hold_ctx){.step = PLACE,
                                           .scope = &scope,
                                           .task = racers[i].task,
                                           .tokens = 108900,
                                           .output_ms = 5000};
        CHECK_OK("thread",
                 lock_thread(&racers[i].thread, "racer", 512 << 10, race, &racers[i], &err),
                 &err);
    }
    for (int i = 0; i < RACERS; i++) {
        CHECK_INT("join", pthread_join(racers[i].thread, NULL), 0);
        placed += racers[i].rc == ERR_OK;
        CHECK_TRUE("placed or refused", racers[i].rc == ERR_OK || racers[i].rc == ERR_BALANCE);
    }
    CHECK_INT("placed", placed, COVERED);
    check_account(&fixture, &scope, "race", (int64_t[]){0, COVERED * HOLD, 0, 0, COVERED + 1});
    check_verifies(&fixture, "race");
    fixture_fini(&fixture);
}

CHECK_MAIN(CHECK_TEST(test_flows), CHECK_TEST(test_place), CHECK_TEST(test_other_books),
           CHECK_TEST(test_no_length), CHECK_TEST(test_tools), CHECK_TEST(test_race))
