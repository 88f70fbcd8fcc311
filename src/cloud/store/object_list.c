/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listing walks the index of (bucket, key). When keys roll up into a common prefix, the walk starts again
 * behind the last key that could have that prefix (no UTF-8 text has the byte 0xFF), so a page costs a step
 * for each line of it, however many keys hide behind a prefix. */
#include "cloud/store/object_rows.h"

#include <string.h>

typedef struct walk {
    const sh_list_query *query;
    sh_list_fn fn;
    void *opaque;
    sh_arena *arena;
    const char *cursor; /* keys after this */
    const char *last;   /* what was given out last */
    int given;
    bool again;     /* the cursor jumped: query again */
    bool truncated; /* there is more than fits */
} walk;

static int give(walk *w, const sh_object *object, const char *prefix)
{
    w->last = sh_arena_strdup(w->arena, prefix ? prefix : object->key);
    w->given++;
    return w->last ? w->fn(w->opaque, object, prefix) : SH_E_MEMORY;
}

/* Gives out a common prefix and jumps behind it. */
static int roll_up(walk *w, const char *key, size_t length)
{
    char *prefix = sh_arena_strndup(w->arena, key, length);
    char *behind = sh_arena_printf(w->arena, "%.*s\xff", (int)length, key);
    if (!prefix || !behind)
        return SH_E_MEMORY;
    w->again = true;
    w->cursor = behind;
    if (strcmp(prefix, w->query->after) == 0) /* it ended the page before */
        return 1;
    int status = give(w, NULL, prefix);
    return status < 0 ? status : 1;
}

static int on_row(void *opaque, const sh_row *row)
{
    walk *w = opaque;
    const sh_list_query *q = w->query;
    sh_object object;
    sh_object_read(row, NULL, &object);
    size_t prefix = strlen(q->prefix);
    w->again = false;
    if (strncmp(object.key, q->prefix, prefix) != 0)
        return 1;
    const char *mark = *q->delimiter ? strstr(object.key + prefix, q->delimiter) : NULL;
    size_t rolled = mark ? (size_t)(mark - object.key) + strlen(q->delimiter) : 0;
    bool repeated = mark && strlen(q->after) == rolled && memcmp(object.key, q->after, rolled) == 0;
    if (w->given == q->max && !repeated) {
        w->truncated = true;
        return 1;
    }
    return mark ? roll_up(w, object.key, rolled) : give(w, &object, NULL);
}

static int walk_on(const sh_objects *objects, walk *w, bool inclusive, sh_err *err)
{
    int64_t limit = (int64_t)w->query->max - w->given + 1;
    if (inclusive)
        return sh_db_each(objects->db, err,
                          SH_OBJECT_CURRENT " WHERE bucket = ?1 AND key >= ?2 ORDER BY key LIMIT ?3", on_row,
                          w, "ssi", w->query->bucket, w->cursor, limit);
    return sh_db_each(objects->db, err,
                      SH_OBJECT_CURRENT " WHERE bucket = ?1 AND key > ?2 ORDER BY key LIMIT ?3", on_row, w,
                      "ssi", w->query->bucket, w->cursor, limit);
}

int sh_objects_list(const sh_objects *objects, const sh_list_query *query, sh_list_fn fn, void *opaque,
                    sh_arena *arena, const char **next, sh_err *err)
{
    walk w = {.query = query, .fn = fn, .opaque = opaque, .arena = arena, .cursor = query->after};
    bool inclusive = strcmp(query->after, query->prefix) < 0;
    int status = 0;
    if (inclusive)
        w.cursor = query->prefix;
    if (query->max > 0) {
        do {
            w.again = false;
            status = walk_on(objects, &w, inclusive, err);
            inclusive = false;
        } while (status == 0 && w.again && !w.truncated);
    }
    if (status < 0)
        return status == SH_E_MEMORY ? sh_fail(err, status, "the listing is too large") : status;
    *next = w.truncated ? w.last : NULL;
    return 0;
}
