/* SPDX-License-Identifier: Apache-2.0 */
/* The prices that creates have just asked for, so that the database is not asked again with
 * each of them. A version that begins later begins at its time; what an operator adds for a
 * time that is past is seen when the memory's short life is over. */
#include "billing/billing.h"
#include "billing/repo.h"

#include <stdlib.h>
#include <string.h>

enum {
    PLACES = 256,        /* about a hundred kilobytes; two that meet take turns */
    LIFE_US = 500000,    /* as long as a token's settings (tenancy/auth.c) */
    NAME_BYTES = 64 * 4, /* book, model, resolution and tier */
};

struct name {
    size_t len;
    char bytes[NAME_BYTES];
};

struct place {
    struct name name;           /* of nothing when its length is 0 */
    int64_t loaded_us;          /* monotonic, taken before the read */
    int64_t from_us, before_us; /* wall: the version is in force */
    struct price_row row;
};

struct price_memory {
    struct lock lock;
    struct place places[PLACES]; /* under lock */
};

struct question {
    struct str book;
    int64_t at_us;
    const struct price_key *key;
    struct price_row *row;
    int64_t next_us;
};

FALLIBLE price_memory_open(struct price_memory **ret_memory, struct err *err)
{
    struct price_memory *memory = calloc(1, sizeof(*memory));

    if (memory == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for prices");
    lock_init(&memory->lock);
    *ret_memory = memory;
    return ERR_OK;
}

void price_memory_close(struct price_memory **memory)
{
    if (*memory == NULL)
        return;
    lock_fini(&(*memory)->lock);
    free(*memory);
    *memory = NULL;
}

static bool put(struct name *name, struct str text)
{
    if (text.len >= sizeof(name->bytes) - name->len)
        return false;
    memcpy(name->bytes + name->len, text.ptr, text.len);
    name->len += text.len;
    name->bytes[name->len++] = '\0';
    return true;
}

/* All that decides, one behind the other. */
static bool name_of(const struct question *question, struct name *ret_name)
{
    const struct price_key *key = question->key;

    ret_name->len = 0;
    return put(ret_name, question->book) && put(ret_name, key->model) &&
           put(ret_name, key->resolution) && put(ret_name, key->tier) &&
           put(ret_name, key->video ? STR("video") : STR("")) &&
           put(ret_name, key->audio ? STR("audio") : STR(""));
}

static struct place *place_of(struct price_memory *memory, const struct name *name)
{
    uint32_t hash = 2166136261U; /* FNV-1a: nobody outside chooses the names */

    lock_assert_held(&memory->lock);
    for (size_t i = 0; i < name->len; i++)
        hash = (hash ^ (uint8_t)name->bytes[i]) * 16777619U;
    return &memory->places[hash % PLACES];
}

static bool recall(struct price_memory *memory, const struct name *name,
                   const struct question *question, int64_t mono_us)
{
    bool found;

    lock_take(&memory->lock);
    const struct place *place = place_of(memory, name);

    found = place->name.len == name->len &&
            memcmp(place->name.bytes, name->bytes, name->len) == 0 &&
            mono_us - place->loaded_us < LIFE_US && question->at_us >= place->from_us &&
            question->at_us < place->before_us;
    if (found)
        *question->row = place->row;
    lock_drop(&memory->lock);
    return found;
}

static enum err_code read(struct db_conn *conn, void *ctx, struct err *err)
{
    struct question *question = ctx;

    TRY(price_find_at(conn, question->book, question->at_us, question->key, question->row,
                      err));
    return price_repo_next(conn, question->book, question->at_us, &question->next_us, err);
}

FALLIBLE price_memory_find(struct price_memory *memory, struct db *db, struct str book,
                           int64_t at_us, const struct price_key *key,
                           struct price_row *ret_row, struct err *err)
{
    struct question question = {.book = book, .at_us = at_us, .key = key, .row = ret_row};
    int64_t mono_us = sys_mono_us();
    struct name name;
    bool named = memory != NULL && name_of(&question, &name);

    if (named && recall(memory, &name, &question, mono_us))
        return ERR_OK;
    TRY(db_read(db, read, &question, err));
    if (!named)
        return ERR_OK;
    lock_take(&memory->lock);
    *place_of(memory, &name) = (struct place){.name = name,
                                              .loaded_us = mono_us,
                                              .from_us = at_us,
                                              .before_us = question.next_us,
                                              .row = *ret_row};
    lock_drop(&memory->lock);
    return ERR_OK;
}
