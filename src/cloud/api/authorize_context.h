/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_AUTHORIZE_CONTEXT_H
#define SH_API_AUTHORIZE_CONTEXT_H
/* The condition keys of one request, gathered on the stack. Strings are borrowed. */
#include "cloud/policy/policy.h"

#define SH_CONTEXT_KEYS 64

typedef struct sh_context {
    sh_policy_key keys[SH_CONTEXT_KEYS];
    const char *single[SH_CONTEXT_KEYS]; /* values of keys that have one */
    size_t count;
} sh_context;

/* A key of one value; NULL leaves it out. More keys than there is room for: false, and the request has to be
 * refused, because a condition might have denied it. */
static inline bool sh_context_put(sh_context *c, const char *name, const char *value)
{
    if (!value)
        return true;
    if (c->count == SH_CONTEXT_KEYS)
        return false;
    c->single[c->count] = value;
    c->keys[c->count] = (sh_policy_key){name, &c->single[c->count], 1};
    c->count++;
    return true;
}

static inline bool sh_context_put_list(sh_context *c, const char *name, const char *const *values,
                                       size_t count)
{
    if (c->count == SH_CONTEXT_KEYS)
        return count == 0;
    c->keys[c->count++] = (sh_policy_key){name, values, count};
    return true;
}

#endif
