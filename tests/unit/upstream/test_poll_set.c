/* SPDX-License-Identifier: Apache-2.0 */
/* The set of open tasks: random steps beside a simple model, ten thousand entries,
 * and the edges. */
#include "gateway/upstream/ark_parts.h"

#include "tests/lib/check.h"

#include <stdlib.h>

static struct str id_of(int number, char dst[TASK_ID_MAX + 1])
{
    (void)snprintf(dst, TASK_ID_MAX + 1, "cgt-%d", number);
    return str_from(dst);
}

/* The same steps every run. */
static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* The heap's order, the positions that entries know, and both counts. */
static void check_sound(const char *what, const struct poll_set *set)
{
    size_t chained = 0, taken = 0;

    for (size_t i = 0; i < set->heap_count; i++) {
        CHECK_INT(what, set->heap[i]->heap_at, i);
        CHECK_TRUE(what, !set->heap[i]->in_flight);
        if (i > 0)
            CHECK_TRUE(what, set->heap[(i - 1) / 2]->due_us <= set->heap[i]->due_us);
    }
    for (size_t i = 0; i < set->bucket_count; i++) {
        for (const struct poll_entry *entry = set->buckets[i]; entry != NULL;
             entry = entry->next) {
            chained++;
            taken += entry->in_flight;
        }
    }
    CHECK_INT(what, chained, set->count);
    CHECK_INT(what, set->heap_count + taken, set->count);
}

enum { NUMBERS = 300, STEPS = 20000 };

/* The model: what should be known of each number. */
struct fact {
    enum { ABSENT, WAITING, TAKEN } where;
    int64_t due_us;
    struct poll_entry *entry;
};

static int earliest(const struct fact facts[NUMBERS], int64_t *ret_due_us)
{
    int found = -1;

    for (int i = 0; i < NUMBERS; i++) {
        if (facts[i].where == WAITING && (found < 0 || facts[i].due_us < *ret_due_us)) {
            found = i;
            *ret_due_us = facts[i].due_us;
        }
    }
    return found;
}

static void step_add(struct poll_set *set, struct fact *fact, int number, int64_t due_us)
{
    char id[TASK_ID_MAX + 1];
    struct poll_entry *entry = poll_set_add(set, id_of(number, id), 7, due_us);

    CHECK_INT("added when absent", entry != NULL, fact->where == ABSENT);
    if (entry != NULL)
        *fact = (struct fact){WAITING, due_us, entry};
}

static void step_take(struct poll_set *set, struct fact facts[NUMBERS], int64_t by_us)
{
    struct poll_entry *entry = poll_set_take(set, by_us);
    int64_t due_us = 0;
    bool any = earliest(facts, &due_us) >= 0 && due_us <= by_us;

    CHECK_INT("one is due", entry != NULL, any);
    if (entry == NULL)
        return;
    CHECK_INT("the earliest", entry->due_us, due_us);
    CHECK_TRUE("marked", entry->in_flight);
    facts[strtol(entry->upstream_id + 4, NULL, 10)].where = TAKEN;
}

static void step_return(struct poll_set *set, struct fact *fact, bool drop, int64_t due_us)
{
    if (fact->where != TAKEN)
        return;
    if (drop) {
        poll_set_drop(set, fact->entry);
        *fact = (struct fact){.where = ABSENT};
        return;
    }
    fact->entry->due_us = fact->due_us = due_us;
    CHECK_TRUE("put back", poll_set_put_back(set, fact->entry));
    fact->where = WAITING;
}

static void test_random_steps(void)
{
    static struct fact facts[NUMBERS];
    struct poll_set set = {0};
    uint32_t seed = 1;

    for (int step = 0; step < STEPS; step++) {
        int number = (int)(next(&seed) % NUMBERS);
        int64_t due_us = next(&seed) % 1000;
        char id[TASK_ID_MAX + 1];

        switch (next(&seed) % 5) {
        case 0:
        case 1:
            step_add(&set, &facts[number], number, due_us);
            break;
        case 2:
        case 3:
            step_take(&set, facts, due_us);
            break;
        default:
            step_return(&set, &facts[number], next(&seed) % 2 == 0, due_us);
        }
        number = (int)(next(&seed) % NUMBERS);
        CHECK_TRUE("found when there",
                   poll_set_find(&set, id_of(number, id)) == facts[number].entry);
        if (step % 500 == 0)
            check_sound("random steps", &set);
    }
    check_sound("at the end", &set);
    poll_set_fini(&set);
    CHECK_INT("empty", set.count, 0);
}

static void test_ten_thousand(void)
{
    enum { MANY = 10000 };
    struct poll_set set = {0};
    uint32_t seed = 2;
    char id[TASK_ID_MAX + 1];
    int64_t last_us = -1;
    int taken = 0;

    for (int i = 0; i < MANY; i++)
        CHECK_TRUE("add", poll_set_add(&set, id_of(i, id), i, next(&seed) % 100000) != NULL);
    CHECK_INT("count", set.count, MANY);
    check_sound("full", &set);
    for (int i = 0; i < MANY; i++) {
        struct poll_entry *entry = poll_set_find(&set, id_of(i, id));

        CHECK_TRUE("find", entry != NULL && entry->created_us == i);
    }
    CHECK_TRUE("a stranger", poll_set_find(&set, id_of(MANY, id)) == NULL);
    for (struct poll_entry *entry; (entry = poll_set_take(&set, INT64_MAX)) != NULL; taken++) {
        CHECK_TRUE("in order", entry->due_us >= last_us);
        last_us = entry->due_us;
        poll_set_drop(&set, entry);
    }
    CHECK_INT("all of them", taken, MANY);
    CHECK_INT("none left", set.count, 0);
    CHECK_TRUE("gone", poll_set_find(&set, id_of(0, id)) == NULL);
    poll_set_fini(&set);
}

static void test_edges(void)
{
    struct poll_set set = {0};
    char longest[TASK_ID_MAX + 2];

    memset(longest, 'x', sizeof(longest));
    longest[TASK_ID_MAX + 1] = '\0';
    CHECK_TRUE("nothing is due", poll_set_take(&set, INT64_MAX) == NULL);
    CHECK_TRUE("nothing is found", poll_set_find(&set, STR("cgt-1")) == NULL);
    CHECK_TRUE("too long an id", poll_set_add(&set, str_from(longest), 0, 0) == NULL);
    check_sound("too long an id", &set);
    longest[TASK_ID_MAX] = '\0';
    struct poll_entry *entry = poll_set_add(&set, str_from(longest), 5, 10);

    CHECK_TRUE("the longest id", entry != NULL);
    CHECK_TRUE("the longest id", poll_set_find(&set, str_from(longest)) == entry);
    CHECK_TRUE("twice", poll_set_add(&set, str_from(longest), 5, 10) == NULL);
    CHECK_INT("state", entry->state, TASK_QUEUED);
    CHECK_TRUE("not missing", !entry->missing && !entry->in_flight);
    CHECK_TRUE("not due", poll_set_take(&set, 9) == NULL);
    CHECK_TRUE("due", poll_set_take(&set, 10) == entry);
    CHECK_TRUE("taken once", poll_set_take(&set, INT64_MAX) == NULL);
    CHECK_TRUE("known while taken", poll_set_find(&set, str_from(longest)) == entry);
    CHECK_TRUE("not twice while taken", poll_set_add(&set, str_from(longest), 5, 10) == NULL);
    check_sound("taken", &set);
    poll_set_fini(&set); /* frees what is taken, too */
    poll_set_fini(&set);
}

CHECK_MAIN(CHECK_TEST(test_random_steps), CHECK_TEST(test_ten_thousand), CHECK_TEST(test_edges))
