/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_CURSOR_H
#define SH_CLOUD_FLOW_CURSOR_H
/* Where a parser of paths or expressions stands in its text. */
#include "base/err.h"
#include "cloud/flow/value.h"
#include <stddef.h>

typedef struct cursor {
    const char *start, *p, *end;
    sh_build *build;
    sh_err *err;
    int depth; /* of nested calls in an expression, of filters in a path: 0 outside them */
} cursor;

static inline int bad(cursor *c, const char *what)
{
    return sh_fail(c->err, SH_E_FORMAT, "%s at character %zu of '%.*s'", what, (size_t)(c->p - c->start) + 1,
                   (int)(c->end - c->start > 200 ? 200 : c->end - c->start), c->start);
}

static inline int no_memory(cursor *c)
{
    return sh_fail(c->err, SH_E_MEMORY, "out of memory");
}

static inline void blanks(cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
        c->p++;
}

#endif
