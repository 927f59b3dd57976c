/* SPDX-License-Identifier: Apache-2.0 */
/* A sweep over a store that cannot remove some of its blobs: it goes on behind them, until it
 * cannot be the blobs any more. */
#include "assetlib/ingest_parts.h"

#include "tests/unit/assetlib/fixture.h"

enum { BLOBS = 250 };

/* Each is known by the first byte of its hash. */
static struct {
    int stuck; /* so many of the first cannot be removed */
    int visited, removed;
} script;

static enum err_code each(struct blob_store *store, blob_visit visit, void *ctx,
                          struct err *err)
{
    (void)store;
    for (int i = 0; i < BLOBS; i++) {
        const struct blob_entry entry = {
            .id = {.tenant_id = 1, .sha256 = {(uint8_t)i}}, .size = 1, .age_us = HOUR};

        script.visited++;
        TRY(visit(&entry, ctx, err));
    }
    return ERR_OK;
}

static enum err_code take_away(struct blob_store *store, const struct blob_id *id,
                               int64_t age_us, bool *ret_removed, struct err *err)
{
    (void)store;
    (void)age_us;
    if (id->sha256[0] < script.stuck)
        return err_set(err, ERR_IO, "cannot be removed");
    script.removed++;
    *ret_removed = true;
    return ERR_OK;
}

static enum err_code nothing_unfinished(struct blob_store *store, int64_t age_us,
                                        int64_t *ret_removed, struct err *err)
{
    (void)store;
    (void)age_us;
    (void)err;
    *ret_removed = 0;
    return ERR_OK;
}

static void check(int stuck, enum err_code rc, int visited, int removed)
{
    static const struct blob_engine engine = {
        .remove = take_away, .each = each, .sweep = nothing_unfinished};
    struct blob_store store = {.engine = &engine};
    struct shelf shelf = {0};
    struct err err = {0};

    shelf_init(&shelf);
    struct ingest ingest = {
        .options = {.library = &shelf.library, .blobs = &store, .settings.keep_us = HOUR / 2}};

    script.stuck = stuck;
    script.visited = script.removed = 0;
    CHECK_INT("swept", ingest_sweep(&ingest, &err), rc);
    CHECK_INT("visited", script.visited, visited);
    CHECK_INT("removed", script.removed, removed);
    shelf_fini(&shelf);
}

static void test_stuck_blobs(void)
{
    check(0, ERR_OK, BLOBS, BLOBS);
    check(1, ERR_OK, BLOBS, BLOBS - 1);
    check(99, ERR_OK, BLOBS, BLOBS - 99);
    check(100, ERR_IO, 100, 0);
}

CHECK_MAIN(CHECK_TEST(test_stuck_blobs))
