/* SPDX-License-Identifier: Apache-2.0 */
/* Many read the catalogue while it is changed and reread by several at once: nobody sees
 * half of a change, and nobody waits for the database. */
#include "tests/lib/catalogue_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { READERS = 4, REFRESHERS = 2, CHANGES = 40, TENANT = 7 };

#define FAST "doubao-seedance-2-0-fast"

struct crowd {
    struct catalogue_fixture fixture;
    atomic_bool done;
    atomic_int failures;
    atomic_long looks;
};

/* Every change moves both in one transaction. */
static enum err_code change_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const int *number = ctx;
    char value[16], canonical[MODEL_NAME_MAX + 1];

    (void)snprintf(value, sizeof(value), "%d", 1 + *number % 60);
    TRY(catalogue_change_set(conn, "cli:test", 1, TENANT, STR(FAST), STR("images"),
                             str_from(value), canonical, err));
    TRY(catalogue_change_set(conn, "cli:test", 1, TENANT, STR(FAST), STR("videos"),
                             str_from(value), canonical, err));
    if (*number == CHANGES / 2)
        TRY(catalogue_change_set(conn, "cli:test", 1, TENANT, STR(FAST), STR("endpoint"),
                                 STR("new"), canonical, err));
    return catalogue_change_check(conn, STR(FAST), err);
}

static void *read_on(void *ctx)
{
    struct crowd *crowd = ctx;
    struct catalogue *catalogue = crowd->fixture.catalogue;
    char alias[MODEL_NAME_MAX + 1];
    struct model model, other;
    struct err err = {0};

    while (!atomic_load(&crowd->done)) {
        bool whole =
            catalogue_find(catalogue, TENANT, STR(FAST), &model, &err) == ERR_OK &&
            (model.images == model.videos || (model.images == 9 && model.videos == 3)) &&
            catalogue_find(catalogue, TENANT + 1, STR(FAST), &other, &err) == ERR_OK &&
            other.images == 9 && catalogue_at(catalogue, TENANT, 8, &other) &&
            catalogue_alias(catalogue, TENANT, FAST, 0, alias);
        bool unknown = catalogue_find(catalogue, TENANT, STR("nobody"), &other, &err) != ERR_OK;

        if (!whole || !unknown)
            atomic_fetch_add(&crowd->failures, 1);
        atomic_fetch_add(&crowd->looks, 1);
    }
    return NULL;
}

static void *refresh_on(void *ctx)
{
    struct crowd *crowd = ctx;
    struct err err = {0};

    while (!atomic_load(&crowd->done)) {
        if (catalogue_refresh(crowd->fixture.catalogue, &err) != ERR_OK)
            atomic_fetch_add(&crowd->failures, 1);
    }
    return NULL;
}

static void test_find_while_it_changes(void)
{
    struct crowd crowd = {.failures = 0};
    pthread_t threads[READERS + REFRESHERS];
    struct err err = {0};
    char alias[MODEL_NAME_MAX + 1];

    catalogue_fixture_init(&crowd.fixture);
    for (int i = 0; i < READERS + REFRESHERS; i++)
        CHECK_INT("thread",
                  pthread_create(&threads[i], NULL, i < READERS ? read_on : refresh_on, &crowd),
                  0);
    for (int i = 0; i < CHANGES; i++)
        CHECK_OK("change", db_write(crowd.fixture.db, DB_ALL, change_steps, &i, &err), &err);
    atomic_store(&crowd.done, true);
    for (int i = 0; i < READERS + REFRESHERS; i++)
        (void)pthread_join(threads[i], NULL);
    CHECK_INT("never half of a change", atomic_load(&crowd.failures), 0);
    CHECK_TRUE("they looked", atomic_load(&crowd.looks) > CHANGES);

    /* Whatever order the rereads ended in, one more sees the last change. */
    CHECK_OK("refresh", catalogue_refresh(crowd.fixture.catalogue, &err), &err);
    struct model model = catalogue_fixture_model(crowd.fixture.catalogue, TENANT, FAST);

    CHECK_INT("the last", model.images, CHANGES);
    CHECK_INT("the last", model.videos, CHANGES);
    CHECK_TRUE("endpoint", catalogue_alias(crowd.fixture.catalogue, TENANT, FAST, 1, alias));
    catalogue_fixture_fini(&crowd.fixture);
}

CHECK_MAIN(CHECK_TEST(test_find_while_it_changes))
