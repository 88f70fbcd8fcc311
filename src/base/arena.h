/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_BASE_ARENA_H
#define SH_BASE_ARENA_H
/* Memory tied to a lifetime: a request, an execution, a job. Everything taken from an arena is freed by one
 * call. Not thread-safe. Allocation is zeroed and aligned to 16 bytes. */
#include <stdarg.h>
#include <stddef.h>

typedef struct sh_arena sh_arena;

/* maximum: bytes it may hand out in all. NULL when memory is short. */
sh_arena *sh_arena_new(size_t maximum);
void sh_arena_free(sh_arena *arena); /* NULL is fine */
/* NULL when memory is short or the maximum is reached. size 0 gives a valid pointer. */
void *sh_arena_alloc(sh_arena *arena, size_t size);
char *sh_arena_strndup(sh_arena *arena, const char *text, size_t length);
char *sh_arena_strdup(sh_arena *arena, const char *text);
char *sh_arena_printf(sh_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
