/* SPDX-License-Identifier: Apache-2.0 */
/* The open tasks of one account: a heap by due time and a hash by upstream id. */
#include "gateway/upstream/ark_parts.h"

#include <stdlib.h>

enum { FIRST_CAP = 64 };

static size_t bucket_of(const struct poll_set *set, struct str id)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a: ids are Ark's, not a client's */

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.ptr[i]) * UINT64_C(1099511628211);
    return (size_t)(hash & (set->bucket_count - 1));
}

void poll_set_fini(struct poll_set *set)
{
    for (size_t i = 0; i < set->bucket_count; i++) {
        while (set->buckets[i] != NULL) {
            struct poll_entry *next = set->buckets[i]->next;

            free(set->buckets[i]);
            set->buckets[i] = next;
        }
    }
    free(set->buckets);
    free(set->heap);
    *set = (struct poll_set){0};
}

struct poll_entry *poll_set_find(const struct poll_set *set, struct str upstream_id)
{
    if (set->bucket_count == 0)
        return NULL;
    struct poll_entry *entry = set->buckets[bucket_of(set, upstream_id)];

    while (entry != NULL && !str_is(upstream_id, entry->upstream_id))
        entry = entry->next;
    return entry;
}

static bool grow_buckets(struct poll_set *set)
{
    struct poll_set grown = {.bucket_count =
                                 set->bucket_count == 0 ? FIRST_CAP : set->bucket_count * 2};

    if (set->count < set->bucket_count)
        return true;
    grown.buckets = calloc(grown.bucket_count, sizeof(struct poll_entry *));
    if (grown.buckets == NULL)
        return false;
    for (size_t i = 0; i < set->bucket_count; i++) {
        while (set->buckets[i] != NULL) {
            struct poll_entry *entry = set->buckets[i];
            size_t to = bucket_of(&grown, str_from(entry->upstream_id));

            set->buckets[i] = entry->next;
            entry->next = grown.buckets[to];
            grown.buckets[to] = entry;
        }
    }
    free(set->buckets);
    set->buckets = grown.buckets;
    set->bucket_count = grown.bucket_count;
    return true;
}

static void place(struct poll_set *set, size_t at, struct poll_entry *entry)
{
    set->heap[at] = entry;
    entry->heap_at = at;
}

static void sift_up(struct poll_set *set, size_t at)
{
    struct poll_entry *entry = set->heap[at];

    while (at > 0 && set->heap[(at - 1) / 2]->due_us > entry->due_us) {
        place(set, at, set->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place(set, at, entry);
}

static void sift_down(struct poll_set *set, size_t at)
{
    struct poll_entry *entry = set->heap[at];

    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < set->heap_count &&
            set->heap[child + 1]->due_us < set->heap[child]->due_us)
            child++;
        if (child >= set->heap_count || set->heap[child]->due_us >= entry->due_us)
            break;
        place(set, at, set->heap[child]);
        at = child;
    }
    place(set, at, entry);
}

bool poll_set_put_back(struct poll_set *set, struct poll_entry *entry)
{
    if (set->heap_count == set->heap_cap) {
        size_t cap = set->heap_cap == 0 ? FIRST_CAP : set->heap_cap * 2;
        struct poll_entry **grown = realloc(set->heap, cap * sizeof(struct poll_entry *));

        if (grown == NULL)
            return false;
        set->heap = grown;
        set->heap_cap = cap;
    }
    entry->in_flight = false;
    set->heap[set->heap_count] = entry;
    sift_up(set, set->heap_count++);
    return true;
}

struct poll_entry *poll_set_add(struct poll_set *set, struct str upstream_id,
                                int64_t created_us, int64_t due_us)
{
    struct poll_entry *entry;
    size_t bucket;

    if (poll_set_find(set, upstream_id) != NULL || !grow_buckets(set))
        return NULL;
    entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    *entry =
        (struct poll_entry){.created_us = created_us, .due_us = due_us, .state = TASK_QUEUED};
    if (!str_copy(entry->upstream_id, sizeof(entry->upstream_id), upstream_id) ||
        !poll_set_put_back(set, entry)) {
        free(entry);
        return NULL;
    }
    bucket = bucket_of(set, upstream_id);
    entry->next = set->buckets[bucket];
    set->buckets[bucket] = entry;
    set->count++;
    return entry;
}

struct poll_entry *poll_set_take(struct poll_set *set, int64_t due_by_us)
{
    struct poll_entry *entry;

    if (set->heap_count == 0 || set->heap[0]->due_us > due_by_us)
        return NULL;
    entry = set->heap[0];
    set->heap_count--;
    if (set->heap_count > 0) {
        place(set, 0, set->heap[set->heap_count]);
        sift_down(set, 0);
    }
    entry->in_flight = true;
    return entry;
}

void poll_set_drop(struct poll_set *set, struct poll_entry *entry)
{
    struct poll_entry **link = &set->buckets[bucket_of(set, str_from(entry->upstream_id))];

    ASSERT(entry->in_flight);
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    set->count--;
    free(entry);
}
