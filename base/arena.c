/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that dies together. Blocks grow with what is asked, the sum is capped. */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARENA_ALIGN = 16,
    ARENA_BLOCK = 8192 /* holds a usual create with its draft and slices */
};

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    _Alignas(ARENA_ALIGN) unsigned char bytes[];
};

void arena_init(struct arena *arena, size_t max)
{
    *arena = (struct arena){.max = max};
}

void arena_fini(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *next = arena->blocks->next;

        free(arena->blocks);
        arena->blocks = next;
    }
    arena->used = 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->blocks;
    size_t rounded = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    void *at;

    if (rounded < size || rounded > arena->max || arena->used > arena->max - rounded)
        return NULL;
    if (block == NULL || block->size - block->used < rounded) {
        size_t block_size = rounded > ARENA_BLOCK ? rounded : ARENA_BLOCK;

        block = malloc(sizeof(*block) + block_size);
        if (block == NULL)
            return NULL;
        *block = (struct arena_block){.next = arena->blocks, .size = block_size};
        arena->blocks = block;
    }
    at = block->bytes + block->used;
    block->used += rounded;
    arena->used += rounded;
    return memset(at, 0, rounded);
}

char *arena_dup(struct arena *arena, struct str text)
{
    char *copy = text.len < SIZE_MAX ? arena_alloc(arena, text.len + 1) : NULL;

    if (copy != NULL && text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

char *arena_dup_lower(struct arena *arena, struct str text)
{
    char *copy = arena_dup(arena, text);

    for (size_t i = 0; copy != NULL && i < text.len; i++) {
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] - 'A' + 'a');
    }
    return copy;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args;
    char *text = NULL;
    int len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len >= 0)
        text = arena_alloc(arena, (size_t)len + 1);
    if (text != NULL) {
        va_start(args, fmt);
        (void)vsnprintf(text, (size_t)len + 1, fmt, args);
        va_end(args);
    }
    return text;
}
