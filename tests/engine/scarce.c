/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scarce.h"
#include <stdatomic.h>
#include <stddef.h>

static __thread long fail_at;
static __thread long calls;
static atomic_long all_calls;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void scarce_fail(long nth)
{
    calls = 0;
    fail_at = nth;
}

long scarce_calls(void)
{
    return all_calls;
}

static int fails(void)
{
    all_calls++;
    return fail_at && ++calls == fail_at;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}
