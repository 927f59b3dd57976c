/* SPDX-License-Identifier: Apache-2.0 */
/* Backups beside a running database, damaged ones, restored ones. */
#include "base/store/sqlite_private.h"
#include "tests/unit/store/fixture.h"

#include <fcntl.h>

static char target[160], other[160];

static void begin(struct fixture *fx)
{
    fixture_init(fx, (struct db_options){0});
    (void)snprintf(target, sizeof(target), "%s/copy.db", fx->dir);
    (void)snprintf(other, sizeof(other), "%s/other.db", fx->dir);
    CHECK_OK("t", fixture_run(fx, "CREATE TABLE t (a TEXT UNIQUE) STRICT"), &fx->err);
    CHECK_OK("rows",
             fixture_run(fx, "INSERT INTO t (a) SELECT 'row number ' || i FROM (WITH RECURSIVE"
                             " n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
                             " SELECT i FROM n)"),
             &fx->err);
}

static int files_in(const char *dir_name)
{
    int count = 0;
    DIR *dir = opendir(dir_name);

    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    if (dir != NULL)
        (void)closedir(dir);
    return count;
}

static void create_and_restore(void)
{
    struct fixture fx;
    struct stat status;

    begin(&fx);
    int files = files_in(fx.dir);
    CHECK_OK("create", db_backup_create(fx.path, target, &fx.err), &fx.err);
    CHECK_INT("one new file", files_in(fx.dir), files + 1);
    CHECK_INT("exists", stat(target, &status), 0);
    CHECK_INT("mode", status.st_mode & 0777, 0600);
    CHECK_INT("twice", db_backup_create(fx.path, target, &fx.err), ERR_CONFLICT);
    CHECK_INT("of nothing", db_backup_create(other, other, &fx.err), ERR_NOT_FOUND);
    CHECK_OK("verify", db_backup_verify(target, &fx.err), &fx.err);
    CHECK_INT("verify nothing", db_backup_verify(other, &fx.err), ERR_NOT_FOUND);
    CHECK_INT("no file beside it", files_in(fx.dir), files + 1);

    CHECK_OK("later", fixture_run(&fx, "DELETE FROM t"), &fx.err);
    CHECK_INT("onto the original", db_backup_restore(target, fx.path, &fx.err), ERR_CONFLICT);
    CHECK_OK("restore", db_backup_restore(target, other, &fx.err), &fx.err);
    CHECK_INT("from nothing", db_backup_restore("/nowhere", target, &fx.err), ERR_CONFLICT);
    db_close(&fx.db);
    CHECK_INT("restored file", stat(other, &status), 0);
    CHECK_INT("mode", status.st_mode & 0777, 0600);
    CHECK_OK("usable", db_migrate(other, &fx.err), &fx.err);
    struct db_options options = {.path = other};
    CHECK_OK("opens", db_open(&options, &fx.db, &fx.err), &fx.err);
    CHECK_INT("as it was", fixture_number(&fx, "SELECT COUNT(*) FROM t"), 2000);
    fixture_fini(&fx);
}

static void leftover_log(void)
{
    struct fixture fx;
    char wal[176];

    begin(&fx);
    CHECK_OK("create", db_backup_create(fx.path, target, &fx.err), &fx.err);
    (void)snprintf(wal, sizeof(wal), "%s-wal", other);
    CHECK_OK("a log of another file", db_file_create(wal, &fx.err), &fx.err);
    CHECK_INT("restore", db_backup_restore(target, other, &fx.err), ERR_CONFLICT);
    fixture_fini(&fx);
}

static bool patch(const char *path, off_t at, const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && pwrite(fd, bytes, len, at) == (ssize_t)len;

    if (fd >= 0)
        (void)close(fd);
    return good;
}

static const struct {
    const char *label;
    off_t page; /* of 4096 bytes */
    off_t at;
    const char *bytes;
    size_t len;
} damages[] = {
    {"magic", 0, 0, "Sqlite", 6},
    {"page size", 0, 16, "\x00\x07", 2},
    {"a page's kind", 3, 0, "\xff", 1},
    {"a page's cells", 4, 3, "\xff\xff", 2},
    {"free list", 0, 32, "\x00\x00\x00\x02\x00\x00\x00\x09", 8},
};

static void damaged(void)
{
    struct fixture fx;

    begin(&fx);
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        (void)unlink(target);
        CHECK_OK("create", db_backup_create(fx.path, target, &fx.err), &fx.err);
        CHECK_TRUE("patch", patch(target, damages[i].page * 4096 + damages[i].at,
                                  damages[i].bytes, damages[i].len));
        CHECK_INT(damages[i].label, db_backup_verify(target, &fx.err), ERR_MISMATCH);
        CHECK_INT(damages[i].label, db_backup_restore(target, other, &fx.err), ERR_MISMATCH);
        CHECK_TRUE("nothing restored", !db_file_exists(other));
    }
    (void)unlink(target);
    CHECK_OK("create", db_backup_create(fx.path, target, &fx.err), &fx.err);
    CHECK_INT("cut", truncate(target, 8192), 0);
    CHECK_INT("cut", db_backup_verify(target, &fx.err), ERR_MISMATCH);
    CHECK_INT("emptied", truncate(target, 0), 0);
    CHECK_INT("emptied", db_backup_verify(target, &fx.err), ERR_MISMATCH);
    fixture_fini(&fx);
}

/* A row whose index entry says something else. */
static void index_differs(void)
{
    struct fixture fx;
    char block[4096];
    bool patched = false;

    begin(&fx);
    CHECK_OK("create", db_backup_create(fx.path, target, &fx.err), &fx.err);
    int fd = open(target, O_RDONLY | O_CLOEXEC);
    for (off_t page = 0; fd >= 0 && !patched && read(fd, block, 4096) == 4096; page++) {
        const char *hit = memmem(block, sizeof(block), "row number 777", 14);
        if (hit != NULL)
            patched = patch(target, page * 4096 + (hit - block), "R", 1);
    }
    (void)close(fd);
    CHECK_TRUE("patched", patched);
    CHECK_INT("verify", db_backup_verify(target, &fx.err), ERR_MISMATCH);
    fixture_fini(&fx);
}

struct churn {
    struct fixture *fx;
    struct gate *gate;
    int failures;
    pthread_t thread;
};

static void *churn_main(void *ctx)
{
    struct churn *churn = ctx;
    struct err err;

    for (int i = 0; i < 200; i++) {
        struct one one = {
            .sql = "INSERT INTO pair (a, b) VALUES ($1, $2)", .count = 2, .value = {i, -i}};
        churn->failures += db_write(churn->fx->db, DB_ALL, one_fn, &one, &err) != ERR_OK;
        if (i == 10)
            gate_open(churn->gate);
    }
    return NULL;
}

static void while_running(void)
{
    struct fixture fx;
    struct gate gate = {0};

    begin(&fx);
    lock_init(&gate.lock);
    struct churn churn = {.fx = &fx, .gate = &gate};
    CHECK_OK("t", fixture_run(&fx, "CREATE TABLE pair (a INTEGER, b INTEGER) STRICT"), &fx.err);
    CHECK_OK("thread",
             lock_thread(&churn.thread, "churn", 1 << 18, churn_main, &churn, &fx.err),
             &fx.err);
    gate_pass(&gate);
    CHECK_OK("create", db_backup_create(fx.path, target, &fx.err), &fx.err);
    (void)pthread_join(churn.thread, NULL);
    CHECK_INT("failures", churn.failures, 0);
    CHECK_OK("verify", db_backup_verify(target, &fx.err), &fx.err);
    db_close(&fx.db);
    struct db_options options = {.path = target, .read_only = true};
    CHECK_OK("open", db_open(&options, &fx.db, &fx.err), &fx.err);
    CHECK_TRUE("has the first rows", fixture_number(&fx, "SELECT COUNT(*) FROM pair") >= 10);
    CHECK_INT("consistent", fixture_number(&fx, "SELECT SUM(a + b) FROM pair"), 0);
    lock_fini(&gate.lock);
    fixture_fini(&fx);
}

CHECK_MAIN(CHECK_TEST(create_and_restore), CHECK_TEST(leftover_log), CHECK_TEST(damaged),
           CHECK_TEST(index_differs), CHECK_TEST(while_running))
