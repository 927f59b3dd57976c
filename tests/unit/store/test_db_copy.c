/* SPDX-License-Identifier: Apache-2.0 */
/* A file's rows in a server's database: every table, odd values, what is refused, and what
 * reading back finds. The server is at ARKGATE_TEST_POSTGRES. */
#include "base/crypto.h"
#include "base/store/copy_private.h"
#include "tests/unit/store/fixture.h"

/* ---- without a server ---------------------------------------------------------------- */

static void mended(void)
{
    static const struct {
        const char *text;
        size_t len;
        const char *want;
    } rows[] = {
        {"plain", 5, "plain"},
        {"\xc3\xa9t\xc3\xa9", 5, "\xc3\xa9t\xc3\xa9"},
        {"\xe9t\xe9", 3, "?t?"},
        {"\xff\xfe", 2, "??"},
        {"a\0b", 3, "a?b"},
        {"\0\0", 2, "??"},
        {"\xf0\x9f\x8e\xac\xf0\x9f\x8e", 7, "\xf0\x9f\x8e\xac???"},
        {"\xed\xa0\x80.", 4, "???."}, /* half of a surrogate pair */
        {"\xc0\x80", 2, "??"},        /* NUL the long way */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[16] = "";

        memcpy(text, rows[i].text, rows[i].len);
        db_stmt_mend(text, rows[i].len);
        CHECK_TEXT(rows[i].want, text, rows[i].want);
    }
}

static void quoted(void)
{
    CLEANUP(buf_fini) struct buf sql = {0};
    struct copy_table table = {.count = 2, .columns = {{.name = "a"}, {.name = "b\"; --"}}};

    buf_init(&sql, 1000);
    db_copy_quote_columns(&sql, &table);
    CHECK_TEXT("columns", sql.ptr, "\"a\", \"b\"\"; --\"");
}

static void named(void)
{
    struct copy_table table = {.name = "t",
                               .count = 4,
                               .columns = {{"a", COPY_INTEGER, 1, false},
                                           {"b", COPY_TEXT, 0, false},
                                           {"c", COPY_TEXT, 2, false},
                                           {"d", COPY_BYTES, 0, false}}};
    const struct copy_value values[] = {
        {.number = -7}, {.text = STR("not named")}, {.text = STR("k\xff")}, {.absent = true}};
    char name[COPY_ROW_NAME_SIZE];

    db_copy_row_name(&table, values, name);
    CHECK_TEXT("name", name, "t, a -7, c k?");
}

static void summed(void)
{
    static const char *const rows[] = {"one", "two", "three", "two"};
    struct copy_sum forth = {0}, back = {0}, other = {0};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *last = rows[COUNT_OF(rows) - 1 - i];

        db_copy_sum_add(&forth, rows[i], strlen(rows[i]));
        db_copy_sum_add(&back, last, strlen(last));
        db_copy_sum_add(&other, i == 0 ? "onE" : rows[i], strlen(rows[i]));
    }
    CHECK_INT("rows", forth.rows, 4);
    CHECK_TRUE("whatever the order", forth.low == back.low && forth.high == back.high);
    CHECK_TRUE("another byte", forth.low != other.low && forth.high != other.high);
}

static void tables_fini(struct copy_tables *tables)
{
    free(tables->items);
}

static const struct copy_table *table_named(const struct copy_tables *tables, const char *name)
{
    for (int i = 0; i < tables->count; i++) {
        if (strcmp(tables->items[i].name, name) == 0)
            return &tables->items[i];
    }
    return NULL;
}

static void catalogue(void)
{
    CLEANUP(tables_fini) struct copy_tables tables = {0};
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;
    struct fixture fx;

    fixture_init(&fx, (struct db_options){0});
    CHECK_OK("open", sqlite_conn_open(fx.path, NULL, DB_ROLE_TOOL, 1000, &conn, &fx.err),
             &fx.err);
    CHECK_OK("read", sqlite_copy_tables(conn, &tables, &fx.err), &fx.err);
    CHECK_INT(
        "all but schema_version", tables.count,
        fixture_number(&fx, "SELECT count(*) - 1 FROM sqlite_schema WHERE type = 'table'"));
    CHECK_TRUE("the version stays", table_named(&tables, "schema_version") == NULL);
    const struct copy_table *task = table_named(&tables, "task");
    const struct copy_table *ledger = table_named(&tables, "ledger");

    CHECK_TRUE("tables", task != NULL && ledger != NULL);
    for (int i = 0; task != NULL && i < task->count; i++) {
        CHECK_TRUE("generated", strcmp(task->columns[i].name, "shown") != 0);
        CHECK_INT(task->columns[i].name, task->columns[i].key, i == 0);
    }
    if (ledger != NULL) {
        CHECK_INT("first of the key", ledger->columns[0].key, 1);
        CHECK_INT("second of the key", ledger->columns[1].key, 2);
        CHECK_INT("an integer", ledger->columns[0].kind, COPY_INTEGER);
        CHECK_INT("a text", ledger->columns[3].kind, COPY_TEXT);
        CHECK_INT("bytes", ledger->columns[ledger->count - 1].kind, COPY_BYTES);
    }
    db_conn_close(&conn);
    fixture_fini(&fx);
}

static void schema_of(void)
{
    struct fixture fx;
    int version = -1;

    fixture_dir(&fx);
    CHECK_INT("missing", db_schema_of(fx.path, &version, &fx.err), ERR_NOT_FOUND);
    CHECK_OK("file", db_file_create(fx.path, &fx.err), &fx.err);
    CHECK_OK("empty", db_schema_of(fx.path, &version, &fx.err), &fx.err);
    CHECK_INT("empty", version, 0);
    CHECK_OK("migrate", db_migrate(fx.path, &fx.err), &fx.err);
    CHECK_OK("ours", db_schema_of(fx.path, &version, &fx.err), &fx.err);
    CHECK_INT("ours", version, db_schema_version());
    fixture_open(&fx, (struct db_options){0});
    CHECK_OK("not ours", fixture_run(&fx, "DROP TABLE schema_version"), &fx.err);
    CHECK_INT("not ours", db_schema_of(fx.path, &version, &fx.err), ERR_CONFIG);
    fixture_fini(&fx);
}

static void one_direction(void)
{
    static const char url[] = "postgresql://nobody@127.0.0.1:1/none";
    struct db_copy_report report;
    struct err err = {0};

    CHECK_INT("from a server",
              db_copy(&(struct db_copy_plan){.from = url, .to = url}, NULL, &report, &err),
              ERR_CONFIG);
    CHECK_INT("to a file",
              db_copy(&(struct db_copy_plan){.from = "a", .to = "b"}, NULL, &report, &err),
              ERR_CONFIG);
}

/* ---- with one ------------------------------------------------------------------------- */

/* An installation's file and an empty database of the same schema. */
struct pair {
    struct fixture fx;
    char url[256], name[64];
    struct db *to;
};

static FALLIBLE on_server(const char *sql, struct err *err)
{
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;
    const char *url = getenv("ARKGATE_TEST_POSTGRES");

    if (url == NULL)
        return err_set(err, ERR_CONFIG, "ARKGATE_TEST_POSTGRES names no server");
    TRY(pg_open_new(url, DB_ROLE_TOOL, &conn, err));
    return pg_conn_command(pg_conn_of(conn), sql, NULL, 0, NULL, err);
}

/* What a copy's own users may not do: the statement of a superuser. */
static void on_target(struct pair *pair, const char *sql)
{
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;
    struct err *err = &pair->fx.err;

    CHECK_OK("target", pg_open_new(pair->url, DB_ROLE_TOOL, &conn, err), err);
    if (conn != NULL)
        CHECK_OK(sql, pg_conn_command(pg_conn_of(conn), sql, NULL, 0, NULL, err), err);
}

static void on_source(struct pair *pair, const char *sql)
{
    CLEANUP(db_conn_close) struct db_conn *conn = NULL;
    struct err *err = &pair->fx.err;

    CHECK_OK("source", sqlite_conn_open(pair->fx.path, NULL, DB_ROLE_TOOL, 1000, &conn, err),
             err);
    if (conn != NULL)
        CHECK_OK(sql, sqlite_conn_script(conn, sql, err), err);
}

static bool pair_init(struct pair *pair)
{
    static int count;
    const char *base = getenv("ARKGATE_TEST_POSTGRES");
    char sql[128];

    memset(pair, 0, sizeof(*pair));
    fixture_init(&pair->fx, (struct db_options){0});
    (void)snprintf(pair->name, sizeof(pair->name), "test_copy_%d_%d", (int)getpid(), ++count);
    (void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s", pair->name);
    enum err_code code = on_server(sql, &pair->fx.err);

    if (code == ERR_OK) {
        size_t query = strcspn(base, "?"), path = query;

        while (base[path] != '/')
            path--;
        (void)snprintf(pair->url, sizeof(pair->url), "%.*s/%s%s", (int)path, base, pair->name,
                       base + query);
        code = db_migrate(pair->url, &pair->fx.err);
    }
    CHECK_OK("an empty database", code, &pair->fx.err);
    return code == ERR_OK;
}

static void pair_fini(struct pair *pair)
{
    char sql[128];
    struct err err;

    db_close(&pair->to);
    fixture_fini(&pair->fx);
    (void)snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS %s WITH (FORCE)", pair->name);
    (void)!on_server(sql, &err);
}

static int64_t target_number(struct pair *pair, const char *sql)
{
    struct db_options options = {.path = pair->url, .read_only = true, .readers = 1};
    struct one one = {.sql = sql, .number = INT64_MIN};
    struct err *err = &pair->fx.err;

    if (pair->to == NULL)
        CHECK_OK("open the target", db_open(&options, &pair->to, err), err);
    if (pair->to != NULL)
        CHECK_OK(sql, db_read(pair->to, one_fn, &one, err), err);
    return one.number;
}

static FALLIBLE copy(struct pair *pair, const struct db_copy_watch *watch,
                     struct db_copy_report *ret_report)
{
    static const char *const without[] = {"lease", "meta"};
    const struct db_copy_plan plan = {.from = pair->fx.path,
                                      .to = pair->url,
                                      .without = without,
                                      .without_count = COUNT_OF(without)};

    memset(ret_report, 0, sizeof(*ret_report));
    return db_copy(&plan, watch, ret_report, &pair->fx.err);
}

#define TASK(id, minted, more_names, more_values)                                             \
    "INSERT INTO task (id, tenant_id, token_identity, minted_id, account_id, credential_id, " \
    "state,"                                                                                  \
    " dialect, model, model_asked, resolution, ratio, duration, has_video, audio, "           \
    "audio_asked,"                                                                            \
    " last_frame, tier, priority, expires_after, created_us, updated_us" more_names           \
    ") VALUES (" id ", 3, 'tok', " minted                                                     \
    ", 1, 1, 'unknown', 'ark', 'm', 'm', '', '', -1, 0, 0, 0, 0, 'default', 0,"               \
    " 1, 5, 5" more_values ");"

static const char rows_sql[] =
    "INSERT INTO tenant (id, name, currency, book, created_us) VALUES (3, 'acme', 'CNY', 'b', "
    "1),"
    " (9, 'böse \xf0\x9f\x8e\xac', 'CNY', '', -9223372036854775808);"
    "INSERT INTO upstream_account (id, name, list_qps, get_qps, delete_qps, batch)"
    " VALUES (1, 'main', 1, 1, 1, 9223372036854775807);"
    "INSERT INTO upstream (id, name, account_id, base_url, key_sealed, state, inject, weight,"
    " created_us) VALUES (1, 'main', 1, 'u', x'', 'active', 0, 1, 0),"
    " (2, 'two', 1, 'u', x'00ff0001', 'removed', 0, 1, 0);"
    "INSERT INTO lease (name, holder, schema, until_us) VALUES ('sweep', 'h', 1, 1);"
    "INSERT INTO meta (name, value) VALUES ('keys', 'not copied');"
    "INSERT INTO evidence (task_id, tenant_id, body, taken_us) VALUES (41, 3, "
    "zeroblob(3000000), 1),"
    " (42, 3, x'', 2);"
    "INSERT INTO stray VALUES (1, 'zeta', 'open', 1, 1, x'01'), (1, 'Alpha', 'open', 1, 1, "
    "x'02'),"
    " (1, 'böse', 'open', 1, 1, x'03');" TASK("41", "'cgt-1'", "", "")
        TASK("42", "'cgt-2'", ", seed, error_message, listed", ", -1, '', 0");

struct seen {
    int mended, tables, checked;
    char row[COPY_ROW_NAME_SIZE], column[64];
};

static void see_progress(void *ctx, const struct db_copy_progress *progress)
{
    struct seen *seen = ctx;

    seen->tables += progress->step == DB_COPY_ROWS && progress->done;
    seen->checked += progress->step == DB_COPY_CHECK && progress->done;
}

static void see_mended(void *ctx, const char *row, const char *column)
{
    struct seen *seen = ctx;

    seen->mended++;
    (void)snprintf(seen->row, sizeof(seen->row), "%s", row);
    (void)snprintf(seen->column, sizeof(seen->column), "%s", column);
}

/* Every reference and index, as the server describes them. */
static int64_t shape(struct pair *pair)
{
    return target_number(
        pair, "SELECT sum(hashtext(d)) FROM (SELECT pg_get_constraintdef(oid) || conname FROM"
              " pg_constraint UNION ALL SELECT indexdef FROM pg_indexes"
              " WHERE schemaname = 'public') AS a (d)");
}

static void every_table(void)
{
    struct pair pair;
    struct seen seen = {0};
    const struct db_copy_watch watch = {&seen, see_progress, see_mended};
    struct db_copy_report report;

    if (pair_init(&pair)) {
        int64_t before = shape(&pair);
        int64_t tables = fixture_number(
            &pair.fx, "SELECT count(*) - 3 FROM sqlite_schema WHERE type = 'table'");

        on_source(&pair, rows_sql);
        for (int i = 0; i < 2; i++) /* what is there is replaced */
            CHECK_OK("copy", copy(&pair, &watch, &report), &pair.fx.err);
        CHECK_INT("tables", report.tables, tables);
        CHECK_INT("told", seen.tables, 2 * tables);
        CHECK_INT("checked", seen.checked, 2 * tables);
        CHECK_INT("rows", report.rows, 2 + 1 + 2 + 2 + 2 + 3 + 2 /* made with the schema */);
        CHECK_INT("texts", seen.mended, 0);
        CHECK_INT("references and indexes", shape(&pair), before);
        CHECK_INT("smallest",
                  target_number(&pair, "SELECT created_us FROM tenant WHERE id = 9"),
                  INT64_MIN);
        CHECK_INT("largest", target_number(&pair, "SELECT batch FROM upstream_account"),
                  INT64_MAX);
        CHECK_INT("text",
                  target_number(
                      &pair, "SELECT count(*) FROM tenant WHERE name = 'böse \xf0\x9f\x8e\xac'"
                             " AND book = ''"),
                  1);
        CHECK_INT("bytes",
                  target_number(&pair,
                                "SELECT count(*) FROM upstream WHERE id = 2 AND key_sealed ="
                                " decode('00ff0001', 'hex')"),
                  1);
        CHECK_INT("large",
                  target_number(&pair, "SELECT length(body) FROM evidence WHERE task_id = 41"),
                  3000000);
        CHECK_INT("absent and empty",
                  target_number(&pair,
                                "SELECT count(*) FROM task WHERE seed IS NULL AND error_message"
                                " IS NULL AND id = 41 OR seed = -1 AND error_message = ''"),
                  2);
        CHECK_INT("generated",
                  target_number(&pair, "SELECT count(*) FROM task WHERE shown = 'queued'"), 2);
        CHECK_INT(
            "left out",
            target_number(&pair,
                          "SELECT (SELECT count(*) FROM lease) + (SELECT count(*) FROM meta)"),
            0);
        CHECK_INT(
            "numbers go on",
            target_number(&pair, "SELECT last_value FROM task_id_seq WHERE NOT is_called"), 43);
        CHECK_INT(
            "and begin",
            target_number(&pair, "SELECT last_value FROM upstream_id_seq WHERE NOT is_called"),
            3);
    }
    pair_fini(&pair);
}

static void bad_texts(void)
{
    struct pair pair;
    struct seen seen = {0};
    const struct db_copy_watch watch = {&seen, see_progress, see_mended};
    struct db_copy_report report;

    if (pair_init(&pair)) {
        on_source(&pair, rows_sql);
        on_source(&pair,
                  "UPDATE task SET error_message = CAST(x'61ff0062' AS TEXT) WHERE id = 42;"
                  "UPDATE stray SET upstream_id = CAST(x'ff' AS TEXT) WHERE body = x'01'");
        CHECK_OK("copy", copy(&pair, &watch, &report), &pair.fx.err);
        CHECK_INT("mended", report.mended, 2);
        CHECK_INT("told", seen.mended, 2);
        CHECK_TEXT("row", seen.row, "task, id 42");
        CHECK_TEXT("column", seen.column, "error_message");
        CHECK_INT(
            "a byte each",
            target_number(&pair, "SELECT count(*) FROM task WHERE error_message = 'a??b'"), 1);
        CHECK_INT("in a key",
                  target_number(&pair, "SELECT count(*) FROM stray WHERE upstream_id = '?'"),
                  1);
        /* Two that became the same. */
        on_source(&pair,
                  "UPDATE stray SET upstream_id = CAST(x'fe' AS TEXT) WHERE body = x'02'");
        CHECK_INT("twice", copy(&pair, NULL, &report), ERR_CONFLICT);
        CHECK_TRUE("which",
                   strstr(pair.fx.err.msg,
                          "two rows of stray: Key (account_id, upstream_id)=(1, ?)") != NULL);
        CHECK_INT("what was there stays", target_number(&pair, "SELECT count(*) FROM stray"),
                  3);
    }
    pair_fini(&pair);
}

static void refused_rows(void)
{
    struct pair pair;
    struct db_copy_report report;

    if (pair_init(&pair)) {
        on_source(&pair, rows_sql);
        on_target(&pair, "ALTER TABLE tenant ADD CHECK (name <> 'n700')");
        on_source(
            &pair,
            "WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)"
            " INSERT INTO tenant (id, name, currency, book, created_us)"
            " SELECT i, 'n' || i, 'CNY', '', 1 FROM n");
        CHECK_INT("a check", copy(&pair, NULL, &report), ERR_CONFLICT);
        CHECK_TRUE("names the row", strstr(pair.fx.err.msg, "tenant, id 700") != NULL);
        CHECK_INT("nothing was copied", target_number(&pair, "SELECT count(*) FROM tenant"), 0);
        on_source(&pair, "DELETE FROM tenant WHERE id = 700; INSERT INTO stray"
                         " VALUES (77, 'lost', 'open', 1, 1, x'01')");
        CHECK_INT("a reference", copy(&pair, NULL, &report), ERR_CONFLICT);
        CHECK_TRUE("names the value", strstr(pair.fx.err.detail, "(account_id)=(77)") != NULL);
        CHECK_INT("nothing was copied", target_number(&pair, "SELECT count(*) FROM tenant"), 0);
        on_source(&pair, "DELETE FROM stray WHERE account_id = 77");
        CHECK_OK("now", copy(&pair, NULL, &report), &pair.fx.err);
        CHECK_INT("all", target_number(&pair, "SELECT count(*) FROM tenant"), 8992);
    }
    pair_fini(&pair);
}

static void other_catalogues(void)
{
    static const struct {
        const char *source, *target, *undo;
    } rows[] = {
        {"CREATE TABLE more (a INTEGER PRIMARY KEY) STRICT", NULL, "DROP TABLE more"},
        {NULL, "ALTER TABLE stray ADD COLUMN more bigint",
         "ALTER TABLE stray DROP COLUMN more"},
        {NULL, "ALTER TABLE stray RENAME COLUMN body TO bytes",
         "ALTER TABLE stray RENAME COLUMN bytes TO body"},
        {NULL, "ALTER TABLE stray ALTER COLUMN created_s TYPE numeric",
         "ALTER TABLE stray ALTER COLUMN created_s TYPE bigint"},
    };
    struct pair pair;
    struct db_copy_report report;

    if (pair_init(&pair)) {
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            if (rows[i].source != NULL)
                on_source(&pair, rows[i].source);
            else
                on_target(&pair, rows[i].target);
            CHECK_INT(rows[i].undo, copy(&pair, NULL, &report), ERR_CONFIG);
            if (rows[i].source != NULL)
                on_source(&pair, rows[i].undo);
            else
                on_target(&pair, rows[i].undo);
        }
        /* A later migration's: both have it, nothing here knows it. */
        on_source(
            &pair,
            "CREATE TABLE \"or\"\"der\" (\"group\" TEXT, n INTEGER, PRIMARY KEY (n, \"group\"))"
            " STRICT; INSERT INTO \"or\"\"der\" VALUES ('x', 2), ('y', 1)");
        on_target(&pair, "CREATE TABLE \"or\"\"der\" (n bigint, \"group\" text COLLATE \"C\","
                         " PRIMARY KEY (n, \"group\"))");
        on_target(&pair, "CREATE TABLE its_own (at timestamptz)");
        CHECK_OK("a table more", copy(&pair, NULL, &report), &pair.fx.err);
        CHECK_INT("its rows",
                  target_number(&pair, "SELECT count(*) FROM \"or\"\"der\""
                                       " WHERE (n, \"group\") IN ((2, 'x'), (1, 'y'))"),
                  2);
    }
    pair_fini(&pair);
}

static void differences(void)
{
    struct pair pair;
    struct db_copy_report report;

    if (pair_init(&pair)) {
        on_source(&pair, rows_sql);
        on_target(&pair, "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
                         " 'BEGIN NEW.weight := NEW.weight + 1; RETURN NEW; END'");
        on_target(&pair, "CREATE TRIGGER spoil BEFORE INSERT ON upstream FOR EACH ROW"
                         " EXECUTE FUNCTION spoil()");
        CHECK_INT("a value", copy(&pair, NULL, &report), ERR_MISMATCH);
        CHECK_TRUE("where", strstr(pair.fx.err.msg, "table upstream") != NULL);
        on_target(&pair,
                  "CREATE OR REPLACE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
                  " 'BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END'");
        CHECK_INT("a row", copy(&pair, NULL, &report), ERR_MISMATCH);
        CHECK_TRUE("how many", strstr(pair.fx.err.msg, "2 rows in the source, 1 in") != NULL);
    }
    pair_fini(&pair);
}

static FALLIBLE refuse(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)conn, (void)ctx;
    return err_set(err, ERR_FORBIDDEN, "not this one");
}

static void guarded(void)
{
    struct pair pair;
    struct db_copy_report report;

    if (pair_init(&pair)) {
        struct db_copy_plan plan = {.from = pair.fx.path, .to = pair.url, .guard = refuse};

        on_target(&pair, "INSERT INTO tenant (name, currency, book, created_us)"
                         " VALUES ('stays', 'CNY', '', 1)");
        on_source(&pair, rows_sql);
        CHECK_INT("guard", db_copy(&plan, NULL, &report, &pair.fx.err), ERR_FORBIDDEN);
        CHECK_INT("as it was",
                  target_number(&pair, "SELECT count(*) FROM tenant WHERE name = 'stays'"), 1);
    }
    pair_fini(&pair);
}

static void start_crypto(void)
{
    struct err err;

    CHECK_OK("crypto", crypto_init(&err), &err);
}

CHECK_MAIN(CHECK_TEST(start_crypto), CHECK_TEST(mended), CHECK_TEST(quoted), CHECK_TEST(named),
           CHECK_TEST(summed), CHECK_TEST(catalogue), CHECK_TEST(schema_of),
           CHECK_TEST(one_direction), CHECK_TEST(every_table), CHECK_TEST(bad_texts),
           CHECK_TEST(refused_rows), CHECK_TEST(other_catalogues), CHECK_TEST(differences),
           CHECK_TEST(guarded))
