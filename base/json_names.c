/* SPDX-License-Identifier: Apache-2.0 */
/* Which member names the objects of one text have had so far. Names are compared
 * by what they decode to; the hash only finds the place. */
#include "base/json_private.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SLOTS_START = 64 }; /* a power of two; enough for nearly every body */

struct json_name_slot {
    uint64_t hash;
    struct str raw; /* ptr NULL: free */
    uint32_t object;
};

/* A secret of this process: a client that knew it could choose names that all
 * meet in one slot. */
static unsigned char hash_key[crypto_shorthash_KEYBYTES];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void hash_key_make(void)
{
    sys_random(hash_key, sizeof(hash_key));
}

/* Hash of the decoded name in its object; a chunk's hash keys the next one. */
static uint64_t name_hash(uint32_t object, struct str raw)
{
    unsigned char key[crypto_shorthash_KEYBYTES];
    char chunk[JSON_CHUNK_BYTES];
    uint64_t hash = object;
    size_t pos = 0, len;

    do {
        len = json_scan_decode(raw, &pos, chunk, sizeof(chunk));
        memcpy(key, hash_key, sizeof(key));
        for (size_t i = 0; i < sizeof(hash); i++)
            key[i] ^= (unsigned char)(hash >> 8 * i);
        crypto_shorthash((unsigned char *)&hash, (const unsigned char *)chunk, len, key);
    } while (len != 0);
    return hash;
}

static struct json_name_slot *name_find(const struct json_names *set, uint64_t hash,
                                        uint32_t object, struct str raw)
{
    size_t i = hash & (set->size - 1);

    for (;; i = (i + 1) & (set->size - 1)) {
        struct json_name_slot *slot = &set->slots[i];
        if (slot->raw.ptr == NULL)
            return slot;
        if (slot->hash == hash && slot->object == object && json_scan_same(slot->raw, raw))
            return slot;
    }
}

static bool grow(struct json_names *set)
{
    struct json_names bigger = {.size = set->size != 0 ? set->size * 2 : NAME_SLOTS_START,
                                .used = set->used};

    bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < set->size; i++) {
        if (set->slots[i].raw.ptr == NULL)
            continue;
        size_t at = set->slots[i].hash & (bigger.size - 1);
        while (bigger.slots[at].raw.ptr != NULL)
            at = (at + 1) & (bigger.size - 1);
        bigger.slots[at] = set->slots[i];
    }
    free(set->slots);
    *set = bigger;
    return true;
}

void json_names_fini(struct json_names *names)
{
    free(names->slots);
    *names = (struct json_names){0};
}

enum json_name_result json_names_add(struct json_names *names, uint32_t object, struct str raw)
{
    (void)pthread_once(&hash_key_once, hash_key_make);
    if (names->used >= names->size / 2 && !grow(names))
        return JSON_NAME_NO_MEMORY;

    uint64_t hash = name_hash(object, raw);
    struct json_name_slot *slot = name_find(names, hash, object, raw);
    if (slot->raw.ptr != NULL)
        return JSON_NAME_DUPLICATE;
    *slot = (struct json_name_slot){hash, raw, object};
    names->used++;
    return JSON_NAME_NEW;
}
