/* SPDX-License-Identifier: Apache-2.0 */
/* The chained log: what an entry must be, its stored hash, and every way of
 * damaging a column, a row or the head. */
#include "tests/unit/tenancy/fixture.h"

enum { ENTRIES = 6 };

static enum err_code append(struct db_conn *conn, int64_t now_us, struct str target,
                            struct str detail)
{
    struct err err = {0};
    enum err_code rc = audit_append(conn, ACTOR, now_us, "test.do", target, detail, &err);

    CHECK_INT("code", rc, err.code);
    return rc;
}

static enum err_code fill_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    (void)ctx, (void)unused;
    for (int i = 0; i < ENTRIES; i++)
        CHECK_INT("append", append(conn, NOW + i, STR("acme"), STR("{\"n\":1}")), ERR_OK);
    return ERR_OK;
}

static enum err_code verify(struct fixture *fixture, int64_t *ret_entries, struct err *err)
{
    return audit_verify(fixture->db, ret_entries, err);
}

/* The first entry's hash, computed in Python from the column layout. */
static enum err_code vector_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const uint8_t zeros[CRYPTO_HASH_BYTES];
    uint8_t hash[CRYPTO_HASH_BYTES];

    (void)ctx, (void)unused;
    CHECK_INT("append", append(conn, NOW, STR("acme"), STR("{\"n\":1}")), ERR_OK);
    CHECK_TRUE(
        "hex",
        str_unhex(STR("97dd1d1fcc3643877516e602be05084a0ccefc4cf147de4e6ef6c4742c08b9b0"), hash,
                  sizeof(hash)));
    CHECK_INT("hash",
              ask_bytes(conn, "SELECT COUNT(*) FROM audit WHERE seq = 1 AND hash = $1", hash,
                        sizeof(hash)),
              1);
    CHECK_INT(
        "prev",
        ask_bytes(conn, "SELECT COUNT(*) FROM audit WHERE prev = $1", zeros, sizeof(zeros)), 1);
    CHECK_INT("head",
              ask(conn, "SELECT COUNT(*) FROM audit_head h JOIN audit a ON"
                        " a.seq = h.seq AND a.hash = h.hash"),
              1);
    CHECK_INT("clock back", append(conn, NOW - 5, STR("acme"), STR("{}")), ERR_OK);
    CHECK_INT("clamped", ask(conn, "SELECT time_us FROM audit WHERE seq = 2"), NOW);
    CHECK_INT("linked",
              ask(conn, "SELECT COUNT(*) FROM audit a JOIN audit b ON"
                        " b.seq = a.seq + 1 AND b.prev = a.hash"),
              1);
    return ERR_OK;
}

static enum err_code refused_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static char long_text[5000];
    struct str longest = {long_text, 4096};
    struct err err = {0};

    (void)ctx, (void)unused;
    memset(long_text, ' ', sizeof(long_text));
    memcpy(long_text, "{}", 2);
    CHECK_INT("largest detail", append(conn, NOW, STR("t"), longest), ERR_OK);
    longest.len++;
    CHECK_INT("too large", append(conn, NOW, STR("t"), longest), ERR_INVALID);
    CHECK_INT("no JSON", append(conn, NOW, STR("t"), STR("x")), ERR_INVALID);
    CHECK_INT("no text", append(conn, NOW, STR("t"), STR("")), ERR_INVALID);
    CHECK_INT("no object", append(conn, NOW, STR("t"), STR("[1]")), ERR_INVALID);
    CHECK_INT("longest target", append(conn, NOW, (struct str){long_text, 128}, STR("{}")),
              ERR_OK);
    CHECK_INT("long target", append(conn, NOW, (struct str){long_text, 129}, STR("{}")),
              ERR_INVALID);
    CHECK_INT("no UTF-8", append(conn, NOW, STR("\xff"), STR("{}")), ERR_INVALID);
    CHECK_INT("NUL", append(conn, NOW, STR("a\0b"), STR("{}")), ERR_INVALID);
    CHECK_INT("empty target", append(conn, NOW, STR(""), STR("{}")), ERR_OK);
    CHECK_INT("action", audit_append(conn, ACTOR, NOW, "Drop it", STR("t"), STR("{}"), &err),
              ERR_INVALID);
    CHECK_INT("no actor", audit_append(conn, NULL, NOW, "a", STR("t"), STR("{}"), &err),
              ERR_INVALID);
    CHECK_INT("only good ones", ask(conn, "SELECT COUNT(*) FROM audit"), 2 + 3);
    return ERR_OK;
}

static void test_append(void)
{
    struct fixture fixture = {0};
    struct err err = {0};
    int64_t entries = -1;

    fixture_init(&fixture);
    CHECK_OK("verify nothing", verify(&fixture, &entries, &err), &err);
    CHECK_INT("nothing", entries, 0);
    fixture_write(&fixture, vector_steps, NULL);
    fixture_write(&fixture, refused_steps, NULL);
    CHECK_OK("verify", verify(&fixture, &entries, &err), &err);
    CHECK_INT("entries", entries, 5);
    fixture_fini(&fixture);
}

static enum err_code fail_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)ctx;
    CHECK_INT("append", append(conn, NOW, STR("acme"), STR("{}")), ERR_OK);
    return err_set(err, ERR_BUSY, "taken back");
}

static void test_rolled_back(void)
{
    struct fixture fixture = {0};
    struct err err = {0};
    int64_t entries = -1;

    fixture_init(&fixture);
    fixture_write(&fixture, fill_steps, NULL);
    CHECK_INT("fails", db_write(fixture.db, DB_ALL, fail_steps, NULL, &err), ERR_BUSY);
    CHECK_OK("verify", verify(&fixture, &entries, &err), &err);
    CHECK_INT("entries", entries, ENTRIES);
    fixture_fini(&fixture);
}

/* A statement that damages one row, where the check must stop, and its message. */
struct damage {
    const char *what;
    const char *sql;
    const char *msg;
};

/* What SQLite and PostgreSQL write differently: 32 zeros, one byte, none, a long text. */
#define ZEROS "(SELECT prev FROM audit WHERE seq = 1)"
#define ONE_BYTE "substr(" ZEROS ", 1, 1)"
#define NO_BYTE "substr(" ZEROS ", 1, 0)"
#define LONG_TEXT \
    "replace(replace('..........', '.', '++++++++++'), '+', '00000000000000000000')"

static const struct damage damages[] = {
    /* what            statement                                                     message */
    {"time", "UPDATE audit SET time_us = time_us + 1 WHERE seq = 5", "audit entry 5: its"},
    {"actor", "UPDATE audit SET actor = 'cli:tesu' WHERE seq = 5", "audit entry 5: its"},
    {"actor longer than any", "UPDATE audit SET actor = " LONG_TEXT " WHERE seq = 5",
     "audit entry 5: its"},
    {"action", "UPDATE audit SET action = 'test.dn' WHERE seq = 5", "audit entry 5: its"},
    {"target", "UPDATE audit SET target = 'acmd' WHERE seq = 5", "audit entry 5: its"},
    {"text moved over", "UPDATE audit SET action = 'test.doa', target = 'cme' WHERE seq = 5",
     "audit entry 5: its"},
    {"detail", "UPDATE audit SET detail = '{\"n\":0}' WHERE seq = 5", "audit entry 5: its"},
    {"detail emptied", "UPDATE audit SET detail = '' WHERE seq = 5", "audit entry 5: its"},
    {"prev", "UPDATE audit SET prev = " ZEROS " WHERE seq = 5", "audit entry 5: its"},
    {"prev short", "UPDATE audit SET prev = " ONE_BYTE " WHERE seq = 5", "audit entry 5: its"},
    {"hash", "UPDATE audit SET hash = " ZEROS " WHERE seq = 5", "audit entry 5: its"},
    {"hash short", "UPDATE audit SET hash = " NO_BYTE " WHERE seq = 5", "audit entry 5: its"},
    {"seq", "UPDATE audit SET seq = 7 WHERE seq = 6", "audit entry 6: it is missing"},
    {"seq low", "UPDATE audit SET seq = -1 WHERE seq = 1", "audit entry -1: a number"},
    {"first gone", "DELETE FROM audit WHERE seq = 1", "audit entry 1: it is missing"},
    {"one gone", "DELETE FROM audit WHERE seq = 3", "audit entry 3: it is missing"},
    {"last gone", "DELETE FROM audit WHERE seq = 6", "audit entry 5: the head"},
    {"one more",
     "INSERT INTO audit SELECT 7, time_us, actor, action, target, detail, hash, hash"
     " FROM audit WHERE seq = 6",
     "audit entry 7: its"},
    {"entry 0",
     "INSERT INTO audit SELECT 0, time_us, actor, action, target, detail, hash, hash"
     " FROM audit WHERE seq = 6",
     "audit entry 0: a number"},
    {"lowest number",
     "INSERT INTO audit SELECT -9223372036854775807 - 1, time_us, actor, action, target,"
     " detail, hash, hash FROM audit WHERE seq = 6",
     "audit entry -9223372036854775808: a number"},
    {"head back", "UPDATE audit_head SET seq = 5", "audit entry 6: the head"},
    {"head on", "UPDATE audit_head SET seq = 7", "audit entry 6: the head"},
    {"head hash", "UPDATE audit_head SET hash = " ZEROS, "audit entry 6: the head"},
    {"head short", "UPDATE audit_head SET hash = " NO_BYTE, "audit entry 6: the head"},
    {"head gone", "DELETE FROM audit_head", "audit entry 6: the head"},
};

static enum err_code damage_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    (void)err;
    tamper(conn, ctx);
    return ERR_OK;
}

static void test_damage(void)
{
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        struct fixture fixture = {0};
        struct err err = {0};
        int64_t entries = -1;

        fixture_init(&fixture);
        fixture_write(&fixture, fill_steps, NULL);
        CHECK_OK("good before", verify(&fixture, &entries, &err), &err);
        fixture_write(&fixture, damage_steps, (void *)(uintptr_t)damages[i].sql);
        entries = -1;
        CHECK_INT(damages[i].what, verify(&fixture, &entries, &err), ERR_MISMATCH);
        CHECK_TEXT(damages[i].what, err.field, "audit");
        if (strncmp(err.msg, damages[i].msg, strlen(damages[i].msg)) != 0)
            CHECK_FAILED(damages[i].what, "message \"%s\"", err.msg);
        CHECK_INT("untouched", entries, -1);
        fixture_fini(&fixture);
    }
}

/* One flipped bit in each byte of a blob or text column of entry 4. */
struct flip {
    const char *const *read; /* the column as a blob, on SQLite and on PostgreSQL */
    const char *const *write;
    size_t len;
    size_t at; /* byte to flip */
    uint8_t bytes[64];
};

static enum err_code flip_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    struct flip *flip = ctx;
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    struct err err = {0};

    (void)unused;
    CHECK_OK("prepare", db_prepare2(conn, flip->read[0], flip->read[1], &stmt, &err), &err);
    CHECK_INT("row", db_step(stmt, &err), DB_ROW);
    struct str bytes = db_get_text(stmt, 0);
    CHECK_TRUE("fits", bytes.len > 0 && bytes.len <= sizeof(flip->bytes));
    memcpy(flip->bytes, bytes.ptr, bytes.len);
    flip->len = bytes.len;
    db_done(&stmt);

    flip->bytes[flip->at] ^= 1; /* ASCII stays ASCII */
    CHECK_OK("prepare", db_prepare2(conn, flip->write[0], flip->write[1], &stmt, &err), &err);
    db_bind_blob(stmt, 1, flip->bytes, flip->len);
    CHECK_OK("write", db_run(stmt, &err), &err);
    return ERR_OK;
}

static void test_flips(void)
{
    static const struct {
        const char *read[2], *write[2];
    } columns[] = {
#define COLUMN(name, sqlite_read, pg_read, sqlite_write, pg_write)             \
    {                                                                          \
        {SQL2("SELECT " sqlite_read " FROM audit WHERE seq = 4",               \
              "SELECT " pg_read " FROM audit WHERE seq = 4")},                 \
        {                                                                      \
            SQL2("UPDATE audit SET " name " = " sqlite_write " WHERE seq = 4", \
                 "UPDATE audit SET " name " = " pg_write " WHERE seq = 4")     \
        }                                                                      \
    }
#define BYTES(name) COLUMN(name, name, name, "$1", "$1")
#define TEXT(name)                                                                             \
    COLUMN(name, "CAST(" name " AS BLOB)", "convert_to(" name ", 'UTF8')", "CAST($1 AS TEXT)", \
           "convert_from($1, 'UTF8')")
        TEXT("actor"),  TEXT("action"), TEXT("target"),
        TEXT("detail"), BYTES("prev"),  BYTES("hash"),
#undef COLUMN
#undef BYTES
#undef TEXT
    };
    struct fixture fixture = {0};
    int flips = 0;

    fixture_init(&fixture);
    fixture_write(&fixture, fill_steps, NULL);
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        struct flip flip = {.read = columns[i].read, .write = columns[i].write, .len = 1};
        for (flip.at = 0; flip.at < flip.len; flip.at++) {
            struct err err = {0};
            int64_t entries;

            fixture_write(&fixture, flip_steps, &flip);
            CHECK_INT(columns[i].write[0], verify(&fixture, &entries, &err), ERR_MISMATCH);
            CHECK_TRUE(err.msg, strncmp(err.msg, "audit entry 4: its", 18) == 0);
            fixture_write(&fixture, flip_steps, &flip); /* and back */
            CHECK_OK("restored", verify(&fixture, &entries, &err), &err);
            flips++;
        }
    }
    CHECK_INT("bytes", flips, 8 + 7 + 4 + 7 + 32 + 32);
    fixture_fini(&fixture);
}

/* Flips the bits of a mask in entry 4's time. */
static enum err_code time_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const char sql[] = "UPDATE audit SET time_us = (time_us | $1) - (time_us & $1)"
                              " WHERE seq = 4";
    CLEANUP(db_done) struct db_stmt *stmt = NULL;
    struct err err = {0};

    (void)unused;
    CHECK_OK("prepare", db_prepare(conn, sql, &stmt, &err), &err);
    db_bind_i64(stmt, 1, *(const int64_t *)ctx);
    CHECK_OK("write", db_run(stmt, &err), &err);
    return ERR_OK;
}

static void test_time_flips(void)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    fixture_write(&fixture, fill_steps, NULL);
    for (int bit = 0; bit < 63; bit++) {
        int64_t mask = INT64_C(1) << bit, entries;
        struct err err = {0};

        fixture_write(&fixture, time_steps, &mask);
        CHECK_INT("flipped", verify(&fixture, &entries, &err), ERR_MISMATCH);
        fixture_write(&fixture, time_steps, &mask);
        CHECK_OK("restored", verify(&fixture, &entries, &err), &err);
    }
    fixture_fini(&fixture);
}

/* A rewritten entry with a hash that fits: the link after it breaks. */
static enum err_code rewrite_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    (void)ctx, (void)unused;
    tamper(conn, "DELETE FROM audit WHERE seq = 6");
    tamper(conn, "UPDATE audit_head SET seq = 5, hash = (SELECT hash FROM audit"
                 " WHERE seq = 2)");
    /* Number 6 anew, chained to entry 2 instead of 5. */
    CHECK_INT("append", append(conn, NOW + 9, STR("acme"), STR("{\"n\":1}")), ERR_OK);
    return ERR_OK;
}

static void test_link(void)
{
    struct fixture fixture = {0};
    struct err err = {0};
    int64_t entries;

    fixture_init(&fixture);
    fixture_write(&fixture, fill_steps, NULL);
    fixture_write(&fixture, rewrite_steps, NULL);
    CHECK_INT("verify", verify(&fixture, &entries, &err), ERR_MISMATCH);
    CHECK_TEXT("link", err.msg, "audit entry 6: it does not link to the entry before");
    fixture_fini(&fixture);
}

static enum err_code many_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    (void)unused;
    for (int i = 0; i < *(const int *)ctx; i++)
        CHECK_INT("append", append(conn, NOW, STR("acme"), STR("{}")), ERR_OK);
    return ERR_OK;
}

/* Around the size of a page, and damage beyond the first one. */
static void test_pages(void)
{
    static const int counts[] = {999, 1, 1, 999, 1};
    struct fixture fixture = {0};
    struct err err = {0};
    int64_t entries = 0, total = 0;

    fixture_init(&fixture);
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        fixture_write(&fixture, many_steps, (void *)(uintptr_t)&counts[i]);
        total += counts[i];
        CHECK_OK("verify", verify(&fixture, &entries, &err), &err);
        CHECK_INT("entries", entries, total);
    }
    fixture_write(&fixture, damage_steps,
                  (void *)(uintptr_t) "DELETE FROM audit WHERE"
                                      " seq = 1001");
    CHECK_INT("verify", verify(&fixture, &entries, &err), ERR_MISMATCH);
    CHECK_TEXT("entry", err.msg, "audit entry 1001: it is missing");
    fixture_fini(&fixture);
}

static enum err_code collect(const struct audit_entry *entry, void *ctx, struct err *err)
{
    struct buf *text = ctx;

    buf_printf(text, "%" PRId64 ":%s:%s:%s:%.*s ", entry->seq, entry->actor, entry->action,
               entry->target, (int)entry->detail.len, entry->detail.ptr);
    return buf_check(text, err);
}

static enum err_code each_steps(struct db_conn *conn, void *ctx, struct err *unused)
{
    static const struct {
        int64_t after;
        int limit;
        const char *want;
    } cases[] = {
        /* after limit visited */
        {0, 1, "1:cli:test:test.do:acme:{\"n\":1} "},
        {4, 9, "5:cli:test:test.do:acme:{\"n\":1} 6:cli:test:test.do:acme:{\"n\":1} "},
        {6, 9, ""},
        {0, 0, ""},
        {0, -1, ""},
        {INT64_MAX, 9, ""},
    };
    struct err err = {0};

    (void)ctx, (void)unused;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP(buf_fini) struct buf text = {0};
        buf_init(&text, 4096);
        CHECK_OK("each", audit_each(conn, cases[i].after, cases[i].limit, collect, &text, &err),
                 &err);
        CHECK_TEXT("visited", text.len == 0 ? "" : text.ptr, cases[i].want);
    }
    return ERR_OK;
}

static void test_each(void)
{
    struct fixture fixture = {0};

    fixture_init(&fixture);
    fixture_write(&fixture, fill_steps, NULL);
    fixture_read(&fixture, each_steps, NULL);
    fixture_fini(&fixture);
}

CHECK_MAIN(CHECK_TEST(test_append), CHECK_TEST(test_rolled_back), CHECK_TEST(test_damage),
           CHECK_TEST(test_flips), CHECK_TEST(test_time_flips), CHECK_TEST(test_link),
           CHECK_TEST(test_pages), CHECK_TEST(test_each))
