/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list of blocks, newest first; small requests are cut from the newest block, large ones get a block of
 * their own behind it. A block starts with its header, whose size keeps the payload aligned to 16 bytes. */
#include "base/arena.h"
#include "base/size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)16 << 10)

typedef struct block {
    struct block *next;
    size_t size;
    size_t used;
    size_t padding;
} block;

struct sh_arena {
    block *blocks;
    size_t left; /* bytes that may still be handed out */
};

sh_arena *sh_arena_new(size_t maximum)
{
    sh_arena *arena = calloc(1, sizeof(*arena));
    if (arena)
        arena->left = maximum;
    return arena;
}

void sh_arena_free(sh_arena *arena)
{
    if (!arena)
        return;
    for (block *b = arena->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(arena);
}

static block *add_block(sh_arena *arena, size_t size)
{
    size_t payload = size > BLOCK_BYTES / 4 ? size : BLOCK_BYTES;
    size_t total;
    if (!sh_add_size(payload, sizeof(block), &total))
        return NULL;
    block *b = calloc(1, total);
    if (!b)
        return NULL;
    b->size = payload;
    if (payload == size && arena->blocks) { /* full from the start: keep the newest block in use */
        b->next = arena->blocks->next;
        arena->blocks->next = b;
    } else {
        b->next = arena->blocks;
        arena->blocks = b;
    }
    return b;
}

void *sh_arena_alloc(sh_arena *arena, size_t size)
{
    size_t rounded;
    if (!sh_add_size(size ? size : 1, 15, &rounded))
        return NULL;
    rounded &= ~(size_t)15;
    if (rounded > arena->left)
        return NULL;
    block *b = arena->blocks;
    if (!b || b->size - b->used < rounded) {
        b = add_block(arena, rounded);
        if (!b)
            return NULL;
    }
    void *p = (char *)(b + 1) + b->used;
    b->used += rounded;
    arena->left -= rounded;
    return p;
}

char *sh_arena_strndup(sh_arena *arena, const char *text, size_t length)
{
    size_t total;
    char *copy = sh_add_size(length, 1, &total) ? sh_arena_alloc(arena, total) : NULL;
    if (copy && length)
        memcpy(copy, text, length);
    return copy;
}

char *sh_arena_strdup(sh_arena *arena, const char *text)
{
    return sh_arena_strndup(arena, text, strlen(text));
}

char *sh_arena_printf(sh_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : sh_arena_alloc(arena, (size_t)length + 1);
    if (text) {
        va_start(args, format);
        vsnprintf(text, (size_t)length + 1, format, args);
        va_end(args);
    }
    return text;
}
