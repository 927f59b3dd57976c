/* SPDX-License-Identifier: Apache-2.0 */
/* What is known or under way about each entry: the table, who began which lookup, what
 * waits for a thread, what is remembered and forgotten. Neither looks up nor waits, and
 * has no lock of its own: the resolver's guards it. */
#include "base/net/guard_private.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_MAX = 1024 /* under 1 MB with three addresses each, 9 MB at worst */ };
static const int64_t negative_us = 1000000; /* or keep_us, when that is shorter */

/* FNV-1a: who chooses colliding names gets a list of 1344, no worse. */
static struct net_entry **bucket_of(struct net_hosts *hosts, const char *name)
{
    uint32_t hash = 2166136261u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return &hosts->buckets[hash % NET_HOSTS_BUCKETS];
}

static void line_add(struct net_hosts *hosts, struct net_entry *entry)
{
    struct net_line *line = &hosts->lines[entry->state];

    entry->older = line->newest;
    entry->newer = NULL;
    if (line->newest == NULL)
        line->oldest = entry;
    else
        line->newest->newer = entry;
    line->newest = entry;
    line->count++;
}

static void line_remove(struct net_hosts *hosts, struct net_entry *entry)
{
    struct net_line *line = &hosts->lines[entry->state];

    if (entry->older == NULL)
        line->oldest = entry->newer;
    else
        entry->older->newer = entry->newer;
    if (entry->newer == NULL)
        line->newest = entry->older;
    else
        entry->newer->older = entry->older;
    line->count--;
}

static void move(struct net_hosts *hosts, struct net_entry *entry, enum net_entry_state state)
{
    line_remove(hosts, entry);
    entry->state = state;
    line_add(hosts, entry);
}

static void entry_free(struct net_entry *entry)
{
    free(entry->items);
    free(entry);
}

/* Whoever waits for it still holds it. */
static void unlist(struct net_hosts *hosts, struct net_entry *entry)
{
    struct net_entry **at = bucket_of(hosts, entry->name);

    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    line_remove(hosts, entry);
    entry->listed = false;
    if (entry->waiters == 0)
        entry_free(entry);
}

struct net_entry *net_hosts_find(struct net_hosts *hosts, const char *name)
{
    struct net_entry *entry = *bucket_of(hosts, name);

    while (entry != NULL && strcmp(entry->name, name) != 0)
        entry = entry->chain;
    if (entry != NULL && entry->state == NET_ENTRY_DONE && entry->until_us <= sys_mono_us()) {
        unlist(hosts, entry);
        return NULL;
    }
    return entry;
}

int net_hosts_begun(const struct net_hosts *hosts, int64_t owner)
{
    int begun = 0;

    for (int state = NET_ENTRY_WAITING; state <= NET_ENTRY_RUNNING; state++) {
        for (const struct net_entry *entry = hosts->lines[state].oldest; entry != NULL;
             entry = entry->newer)
            begun += entry->owner == owner;
    }
    return begun;
}

struct net_entry *net_hosts_add(struct net_hosts *hosts, const char *name, int64_t owner)
{
    struct net_entry **bucket = bucket_of(hosts, name);
    struct net_entry *entry = calloc(1, sizeof(*entry));

    if (entry == NULL)
        return NULL;
    (void)str_copy(entry->name, sizeof(entry->name), str_from(name));
    entry->owner = owner;
    entry->state = NET_ENTRY_WAITING;
    entry->listed = true;
    entry->chain = *bucket;
    *bucket = entry;
    line_add(hosts, entry);
    return entry;
}

struct net_entry *net_hosts_begin(struct net_hosts *hosts)
{
    struct net_entry *entry = hosts->lines[NET_ENTRY_WAITING].oldest;

    if (entry != NULL)
        move(hosts, entry, NET_ENTRY_RUNNING);
    return entry;
}

void net_hosts_finish(struct net_hosts *hosts, struct net_entry *entry, int status,
                      const struct net_addresses *addresses, int64_t keep_us)
{
    if (status == 0 && addresses->count == 0)
        status = EAI_NODATA;
    if (status == 0) {
        entry->items = calloc(addresses->count, sizeof(entry->items[0]));
        if (entry->items == NULL)
            status = EAI_MEMORY;
    }
    if (status == 0) {
        entry->count = addresses->count;
        memcpy(entry->items, addresses->items, entry->count * sizeof(entry->items[0]));
    }
    if (status != 0 && keep_us > negative_us)
        keep_us = negative_us;
    entry->status = status;
    entry->until_us = sys_mono_us() + keep_us;
    move(hosts, entry, NET_ENTRY_DONE);
    if (hosts->lines[NET_ENTRY_DONE].count > CACHE_MAX)
        unlist(hosts, hosts->lines[NET_ENTRY_DONE].oldest);
}

void net_hosts_leave(struct net_hosts *hosts, struct net_entry *entry)
{
    if (--entry->waiters > 0)
        return;
    if (!entry->listed)
        entry_free(entry);
    else if (entry->state == NET_ENTRY_WAITING)
        unlist(hosts, entry);
}

void net_hosts_fini(struct net_hosts *hosts)
{
    for (size_t i = 0; i < NET_HOSTS_BUCKETS; i++) {
        while (hosts->buckets[i] != NULL) {
            struct net_entry *entry = hosts->buckets[i];

            hosts->buckets[i] = entry->chain;
            entry_free(entry);
        }
    }
}
