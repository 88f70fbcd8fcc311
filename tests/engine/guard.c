/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guard.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PATTERN = 0x5c, BEFORE = 256 };

guard guard_new(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inside = (size + BEFORE + page - 1) / page * page;
    unsigned char *pages =
        mmap(NULL, inside + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + inside, page, PROT_NONE) != 0)
        abort();
    memset(pages, PATTERN, inside);
    return (guard){pages + inside - size, size, pages, inside + page};
}

int guard_intact(const guard *g)
{
    for (const unsigned char *p = g->pages; p < g->start; p++)
        if (*p != PATTERN)
            return 0;
    return 1;
}

void guard_free(guard *g)
{
    munmap(g->pages, g->mapped);
    g->pages = NULL;
}
