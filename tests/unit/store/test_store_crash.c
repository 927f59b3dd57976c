/* SPDX-License-Identifier: Apache-2.0 */
/* Kills a writing process right before and right after a commit: what it was told
 * is done is there, what is there was at most on its way. Needs the fault points
 * of a test build. */
#include "base/store/sqlite_private.h"
#include "tests/unit/store/fixture.h"

#include <signal.h>
#include <sys/wait.h>

enum { CHANGES = 12 };

/* Never returns: writes 1, 2, … and reports each answer through the pipe. */
static void child_main(struct fixture *fx, const char *fault, int report)
{
    if (setenv("ARKGATE_FAULT", fault, 1) != 0)
        _exit(2);
    fixture_open(fx, (struct db_options){0});
    for (unsigned char i = 1; i <= CHANGES; i++) {
        struct one one = {.sql = "INSERT INTO t (a) VALUES ($1)", .count = 1, .value = {i}};
        if (db_write(fx->db, DB_ALL, one_fn, &one, &fx->err) != ERR_OK ||
            write(report, &i, 1) != 1)
            _exit(3);
    }
    _exit(0);
}

static void crash(const char *point, int nth, int64_t more)
{
    struct fixture fx;
    int report[2], status = 0;
    char fault[64];
    unsigned char last = 0;

    fixture_init(&fx, (struct db_options){0});
    CHECK_OK("t", fixture_run(&fx, "CREATE TABLE t (a INTEGER) STRICT"), &fx.err);
    db_close(&fx.db);
    (void)snprintf(fault, sizeof(fault), "%s:%d:kill", point, nth);
    CHECK_INT("pipe", pipe(report), 0);
    pid_t child = fork();
    if (child == 0)
        child_main(&fx, fault, report[1]);
    (void)close(report[1]);
    while (read(report[0], &last, 1) == 1)
        continue;
    (void)close(report[0]);
    (void)waitpid(child, &status, 0);
    CHECK_TRUE("killed", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK_INT("answered", last, nth - 1);

    fixture_open(&fx, (struct db_options){0});
    CHECK_INT(fault, fixture_number(&fx, "SELECT COUNT(*) FROM t"), last + more);
    CHECK_INT(fault, fixture_number(&fx, "SELECT COUNT(DISTINCT a) FROM t"), last + more);
    CHECK_OK("structure", db_backup_verify(fx.path, &fx.err), &fx.err);
    CHECK_OK("goes on", fixture_run(&fx, "INSERT INTO t (a) VALUES (99)"), &fx.err);
    fixture_fini(&fx);
}

static void before_commit(void)
{
    for (int nth = 1; nth <= CHANGES; nth += 3)
        crash("store.before_commit", nth, 0);
}

static void after_commit(void)
{
    for (int nth = 1; nth <= CHANGES; nth += 3)
        crash("store.after_commit", nth, 1);
}

CHECK_MAIN(CHECK_TEST(before_commit), CHECK_TEST(after_commit))
