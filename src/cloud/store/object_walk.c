/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/store/object_walk.h"

#include <string.h>

static int give(sh_walk *w, const sh_object *object, const char *prefix)
{
    w->last_key = sh_arena_strdup(w->arena, prefix ? prefix : object->key);
    w->last_version = prefix ? NULL : sh_arena_strdup(w->arena, object->version_id);
    w->given++;
    if (!w->last_key || (!prefix && !w->last_version))
        return SH_E_MEMORY;
    return w->fn(w->opaque, object, prefix);
}

/* Gives out a common prefix and jumps behind it. */
static int roll_up(sh_walk *w, const char *key, size_t length)
{
    char *prefix = sh_arena_strndup(w->arena, key, length);
    char *behind = sh_arena_printf(w->arena, "%.*s\xff", (int)length, key);
    if (!prefix || !behind)
        return SH_E_MEMORY;
    w->again = true;
    w->cursor = behind;
    w->below = INT64_MAX;
    if (strcmp(prefix, w->after) == 0) /* it ended the page before */
        return 1;
    int status = give(w, NULL, prefix);
    return status < 0 ? status : 1;
}

int sh_walk_row(void *walk, const sh_row *row)
{
    sh_walk *w = walk;
    sh_object object;
    sh_object_read(row, NULL, &object);
    size_t prefix = strlen(w->prefix);
    w->again = false;
    if (strncmp(object.key, w->prefix, prefix) != 0)
        return 1;
    const char *mark = *w->delimiter ? strstr(object.key + prefix, w->delimiter) : NULL;
    size_t rolled = mark ? (size_t)(mark - object.key) + strlen(w->delimiter) : 0;
    bool repeated = mark && strlen(w->after) == rolled && memcmp(object.key, w->after, rolled) == 0;
    if (w->given == w->max && !repeated) {
        w->truncated = true;
        return 1;
    }
    return mark ? roll_up(w, object.key, rolled) : give(w, &object, NULL);
}

int64_t sh_walk_limit(const sh_walk *walk)
{
    return (int64_t)walk->max - walk->given + 1;
}

int sh_walk_run(const sh_objects *objects, const char *bucket, sh_walk *walk, sh_walk_fn fn, sh_err *err)
{
    int status = 0;
    walk->again = walk->max > 0;
    while (status == 0 && walk->again && !walk->truncated) {
        walk->again = false;
        status = fn(objects, bucket, walk, err);
    }
    return status == SH_E_MEMORY ? sh_fail(err, status, "the listing is too large") : status;
}
