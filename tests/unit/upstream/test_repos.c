/* SPDX-License-Identifier: Apache-2.0 */
/* Every function of every *_repo.c on both engines side by side, in the same order, with
 * the same arguments: what it answers, and what is in every table after it, must be the
 * same. check_repos.py tells when a function has no row here. The PostgreSQL server is at
 * ARKGATE_TEST_POSTGRES. */
#include "tests/unit/upstream/repos_assets.h"
#include "tests/unit/upstream/repos_attempt.h"
#include "tests/unit/upstream/repos_billing.h"
#include "tests/unit/upstream/repos_tenancy.h"
#include "tests/unit/upstream/repos_upstream.h"

/* In an order in which each finds rows of those before it. */
static const struct repo_row rows[] = {REPOS_TENANCY, REPOS_BILLING, REPOS_TASK, REPOS_UPSTREAM,
                                       REPOS_ASSETS};

static void test_side_by_side(void)
{
    struct side sides[2] = {{.engine = "SQLite"}, {.engine = "PostgreSQL"}};
    struct tally tally = {0};
    struct err err = {0};
    bool same;

    CHECK_OK("crypto", crypto_init(&err), &err);
    for (int i = 0; i < 2; i++)
        sides[i].db = database_new_on(i == 1, sides[i].dir, sides[i].path);
    CHECK_OK("tables", db_read(sides[1].db, tables_steps, NULL, &err), &err);
    CHECK_TRUE("tables", table_count > 20);
    same = compare_content("new", sides, NULL);
    for (size_t i = 0; same && i < COUNT_OF(rows); i++)
        same = run_row(sides, &rows[i], &tally);
    CHECK_TRUE("to the end", same);
    CHECK_TRUE("refused too", tally.refused > 10 && tally.refused < tally.calls / 2);
    (void)fprintf(stderr, "%zu functions, %d calls, %d refused\n", COUNT_OF(rows), tally.calls,
                  tally.refused);
    for (int i = 0; i < 2; i++)
        database_end(&sides[i].db, sides[i].dir, sides[i].path);
}

CHECK_MAIN(CHECK_TEST(test_side_by_side))
