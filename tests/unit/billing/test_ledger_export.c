/* SPDX-License-Identifier: Apache-2.0 */
/* Exports: verified by the program and by the independent verifier in tests/lib,
 * whole and after every kind of change; both must agree. */
#include "tests/unit/billing/scenario.h"

#include <fcntl.h>
#include <sys/wait.h>

enum { EXPORT_MAX = 1 << 20 };

struct file {
    char path[96];
    struct buf text;
};

static void write_file(const struct file *file)
{
    FILE *stream = fopen(file->path, "w");

    CHECK_TRUE("open", stream != NULL);
    if (stream == NULL)
        return;
    CHECK_INT("write", fwrite(file->text.ptr, 1, file->text.len, stream), file->text.len);
    CHECK_INT("close", fclose(stream), 0);
}

static void export_to(struct fixture *fixture, struct str tenant, struct file *file)
{
    static char bytes[EXPORT_MAX];
    struct err err = {0};
    int fd;

    (void)snprintf(file->path, sizeof(file->path), "%s/export", fixture->dir);
    fd = open(file->path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
    CHECK_TRUE("open", fd >= 0);
    CHECK_OK("export", ledger_export(fixture->db, tenant, fd, &err), &err);

    ssize_t len = pread(fd, bytes, sizeof(bytes), 0);
    CHECK_TRUE("read", len > 0 && len < EXPORT_MAX);
    CHECK_INT("close", close(fd), 0);
    buf_reset(&file->text);
    if (len > 0)
        buf_put(&file->text, bytes, (size_t)len);
}

/* Exit status of the independent verifier, which lies beside this source. */
static int second_opinion(const char *path)
{
    char script[512];
    const char *end = strstr(__FILE__, "unit/billing/");
    pid_t child;
    int status = -1;

    (void)snprintf(script, sizeof(script), "%.*slib/verify_export.py", (int)(end - __FILE__),
                   __FILE__);
    child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

        (void)dup2(null, STDOUT_FILENO);
        (void)execlp("python3", "python3", "-IS", script, path, (char *)NULL);
        _exit(127);
    }
    CHECK_INT("wait", waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect_mismatch(const struct file *file, const char *what, bool twice)
{
    struct ledger_report report = {-1, -1};
    struct err err = {0};

    write_file(file);
    CHECK_INT(what, ledger_verify_export(file->path, &report, &err), ERR_MISMATCH);
    CHECK_TEXT(what, err.field, "ledger");
    CHECK_TRUE(what, err.msg[0] != '\0');
    CHECK_INT(what, report.tenants, -1);
    if (twice)
        CHECK_INT(what, second_opinion(file->path), err_exit_status(ERR_MISMATCH));
}

static void test_whole(void)
{
    static const struct {
        const char *tenant;
        int64_t tenants, entries, lines;
    } cases[] = {
        {"", 3, SCENARIO_ENTRIES + 3, SCENARIO_ENTRIES + 3 + 5},
        {"acme", 1, SCENARIO_ENTRIES, SCENARIO_ENTRIES + 3},
        {"idle", 1, 0, 3},
    };
    struct file file = {.text = {0}};
    struct fixture fixture = {0};

    buf_init(&file.text, EXPORT_MAX);
    fixture_init(&fixture);
    (void)scenario(&fixture);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ledger_report report;
        struct err err = {0};
        int64_t lines = 0;

        export_to(&fixture, str_from(cases[i].tenant), &file);
        CHECK_OK("verify", ledger_verify_export(file.path, &report, &err), &err);
        CHECK_INT(cases[i].tenant, report.tenants, cases[i].tenants);
        CHECK_INT(cases[i].tenant, report.entries, cases[i].entries);
        for (size_t j = 0; j < file.text.len; j++)
            lines += file.text.ptr[j] == '\n';
        CHECK_INT(cases[i].tenant, lines, cases[i].lines);
        CHECK_INT(cases[i].tenant, second_opinion(file.path), 0);
    }

    struct ledger_report report;
    struct err err = {0};
    CHECK_INT("no such tenant", ledger_export(fixture.db, STR("nobody"), -1, &err),
              ERR_NOT_FOUND);
    CHECK_INT("unlink", unlink(file.path), 0);
    CHECK_INT("no such file", ledger_verify_export(file.path, &report, &err), ERR_NOT_FOUND);
    buf_fini(&file.text);
    fixture_fini(&fixture);
}

/* Replaces the n-th from (0: first) by to. */
static void replace(struct file *file, const char *from, int nth, const char *to)
{
    CLEANUP(buf_fini) struct buf text = {0};
    const char *at = file->text.ptr;

    while (at != NULL && (at = strstr(at, from)) != NULL && nth-- > 0)
        at++;
    CHECK_TRUE(from, at != NULL);
    if (at == NULL)
        return;
    buf_init(&text, EXPORT_MAX);
    buf_put(&text, file->text.ptr, (size_t)(at - file->text.ptr));
    buf_puts(&text, to);
    buf_puts(&text, at + strlen(from));
    buf_reset(&file->text);
    buf_put_str(&file->text, buf_str(&text));
}

static const struct edit {
    const char *what, *from;
    int nth;
    const char *to;
} edits[] = {
    {"format", "ledger-1", 0, "ledger-2"},
    {"amount", "\"amount_nano\":\"5009400000\"", 0, "\"amount_nano\":\"5009400001\""},
    {"amount as a number", "\"amount_nano\":\"5009400000\"", 0, "\"amount_nano\":5009400000"},
    {"quantity", "\"quantity\":\"108900\"", 1, "\"quantity\":\"108901\""},
    {"kind", "\"kind\":\"charge\"", 0, "\"kind\":\"refund\""},
    {"task", "cgt-exact", 0, "cgt-exacu"},
    {"empty instead of absent", "\"debit\"", 0, "\"task\":\"\",\"debit\""},
    {"null instead of absent", "\"debit\"", 0, "\"task\":null,\"debit\""},
    {"unknown member", "\"debit\"", 0, "\"note\":\"x\",\"debit\""},
    {"unknown last member", "}\n{\"tenant\":1,\"seq\":2", 0,
     ",\"note\":\"x\"}\n{\"tenant\":1,\"seq\":2"},
    {"moved member", "\"debit\":\"funds\",\"credit\":\"available\"", 0,
     "\"credit\":\"available\",\"debit\":\"funds\""},
    {"doubled member", "\"seq\":2,", 0, "\"seq\":2,\"seq\":2,"},
    {"reason", "over the hold", 0, "under the hold"},
    {"escaped reason", "\\u0001", 0, "\\u0002"},
    {"sequence", "\"seq\":3,", 0, "\"seq\":4,"},
    {"tenant of an entry", "{\"tenant\":1,\"seq\":5", 0, "{\"tenant\":2,\"seq\":5"},
    {"hold_seq zero", "\"hold_seq\":2", 0, "\"hold_seq\":0"},
    {"available", "\"available_nano\":\"", 0, "\"available_nano\":\"1"},
    {"sum without digits", "\"held_nano\":\"", 0, "\"held_nano\":\"x"},
    {"head seq", "\"seq\":24,\"currency\"", 0, "\"seq\":23,\"currency\""},
    {"head currency", "\"seq\":24,\"currency\":\"CNY\"", 0, "\"seq\":24,\"currency\":\"USD\""},
    {"head without a name", "\"name\":\"acme\",", 0, ""},
    {"head of another tenant", "{\"tenant\":1,\"name\"", 0, "{\"tenant\":4,\"name\""},
    {"head twice", "{\"tenant\":3,\"seq\":1", 0, "{\"tenant\":2,\"seq\":1"},
    {"end", "{\"end\":true", 0, "{\"end\":false"},
    {"count of entries", "\"entries\":27", 0, "\"entries\":26"},
    {"count of tenants", "\"tenants\":3", 0, "\"tenants\":2"},
    {"empty line", "\n", 3, "\n\n"},
    {"not JSON", "}\n", 3, "\n"},
    {"two values", "}\n", 3, "} {}\n"},
    {"array", "{\"end\"", 0, "[]\n{\"end\""},
};

static void test_edits(void)
{
    struct file whole = {.text = {0}}, file;
    struct fixture fixture = {0};

    buf_init(&whole.text, EXPORT_MAX);
    fixture_init(&fixture);
    (void)scenario(&fixture);
    export_to(&fixture, STR(""), &whole);
    for (size_t i = 0; i < COUNT_OF(edits); i++) {
        file = whole;
        buf_init(&file.text, EXPORT_MAX);
        buf_put_str(&file.text, buf_str(&whole.text));
        replace(&file, edits[i].from, edits[i].nth, edits[i].to);
        expect_mismatch(&file, edits[i].what, true);
        buf_fini(&file.text);
    }
    CHECK_INT("unlink", unlink(whole.path), 0);
    buf_fini(&whole.text);
    fixture_fini(&fixture);
}

/* Lines taken out or doubled, and the file cut at each of them. The interpreter
 * starts slowly: it gives its opinion on one change per line. */
static void test_cuts(void)
{
    struct file whole = {.text = {0}}, file;
    struct fixture fixture = {0};
    size_t start = 0;

    buf_init(&whole.text, EXPORT_MAX);
    fixture_init(&fixture);
    (void)scenario(&fixture);
    export_to(&fixture, STR(""), &whole);
    for (int line = 0; start < whole.text.len; line++) {
        const char *feed = memchr(whole.text.ptr + start, '\n', whole.text.len - start);
        size_t end = (size_t)(feed - whole.text.ptr) + 1;
        char what[32];

        (void)snprintf(what, sizeof(what), "line %d", line + 1);
        file = whole;
        buf_init(&file.text, EXPORT_MAX);
        buf_put(&file.text, whole.text.ptr, start);
        expect_mismatch(&file, what, line % 4 == 0); /* cut before it */
        buf_put(&file.text, whole.text.ptr + start, end - start - 1);
        expect_mismatch(&file, what, line % 4 == 1); /* without its line feed */
        buf_reset(&file.text);
        buf_put(&file.text, whole.text.ptr, start);
        buf_put(&file.text, whole.text.ptr + end, whole.text.len - end);
        expect_mismatch(&file, what, line % 4 == 2); /* without the line */
        buf_reset(&file.text);
        buf_put(&file.text, whole.text.ptr, end);
        buf_put(&file.text, whole.text.ptr + start, whole.text.len - start);
        expect_mismatch(&file, what, line % 4 == 3); /* with the line twice */
        buf_fini(&file.text);
        start = end;
    }

    /* Longer than a line may be. */
    file = whole;
    buf_init(&file.text, EXPORT_MAX);
    buf_put_str(&file.text, STR("{\"format\":\"arkgate-ledger-1\"}\n{\"tenant\":1,\"x\":\""));
    for (int i = 0; i < 70000; i++)
        buf_puts(&file.text, "x");
    buf_puts(&file.text, "\"}\n");
    expect_mismatch(&file, "long line", true);
    buf_fini(&file.text);
    CHECK_INT("unlink", unlink(whole.path), 0);
    buf_fini(&whole.text);
    fixture_fini(&fixture);
}

/* A changed database is exported as it is, and found in the file. */
static void test_tampered(void)
{
    static const char *const changes[] = {
        "UPDATE ledger SET amount_nano = amount_nano + 1 WHERE tenant_id = 1 AND seq = 3",
        "UPDATE ledger SET reason = '' WHERE tenant_id = 1 AND seq = 3",
        "UPDATE ledger SET evidence = substr(prev, 1, 0) WHERE tenant_id = 1 AND seq = 2",
        "UPDATE account SET available_nano = 7 WHERE tenant_id = 1",
        "INSERT INTO ledger SELECT tenant_id, 0, time_us, kind, task, debit, credit,"
        " amount_nano, currency, hold_seq, book, book_version, sku, unit, unit_price_nano,"
        " quantity, evidence, actor, reason, NULL, prev, hash FROM ledger"
        " WHERE tenant_id = 1 AND seq = 1",
    };

    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        struct file file = {.text = {0}};
        struct fixture fixture = {0};

        buf_init(&file.text, EXPORT_MAX);
        fixture_init(&fixture);
        (void)scenario(&fixture);
        run_sql(&fixture, changes[i]);
        export_to(&fixture, STR(""), &file);
        expect_mismatch(&file, changes[i], true);
        CHECK_INT("unlink", unlink(file.path), 0);
        buf_fini(&file.text);
        fixture_fini(&fixture);
    }
}

CHECK_MAIN(CHECK_TEST(test_whole), CHECK_TEST(test_edits), CHECK_TEST(test_cuts),
           CHECK_TEST(test_tampered))
