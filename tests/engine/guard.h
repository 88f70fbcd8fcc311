/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_ENGINE_GUARD_H
#define TESTS_ENGINE_GUARD_H
/* Memory that ends at a page which may not be touched, and begins with bytes that are checked afterwards: one
 * read or write past its end faults, one write before its start is found. */
#include <stddef.h>

typedef struct guard {
    unsigned char *start; /* of the caller's bytes */
    size_t size;
    unsigned char *pages;
    size_t mapped;
} guard;

/* Fills with a pattern. Aborts when memory is short. */
guard guard_new(size_t size);
/* 1 when the bytes before the start are as they were. */
int guard_intact(const guard *g);
void guard_free(guard *g);

#endif
