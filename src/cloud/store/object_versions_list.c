/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listing versions: the rows of objects and object_versions merged by key, of one key by sequence downwards.
 * SQLite merges two walks along indices, so a page costs what it shows. Common prefixes are jumped over as in
 * object_list.c. */
#include "cloud/store/object_rows.h"

#include <string.h>

typedef struct walk {
    const sh_versions_query *query;
    sh_list_fn fn;
    void *opaque;
    sh_arena *arena;
    const char *cursor; /* versions of this key older than `below`, and later keys */
    int64_t below;
    const char *last_key, *last_version; /* what was given out last */
    int given;
    bool again;     /* the cursor jumped: query again */
    bool truncated; /* there is more than fits */
} walk;

static int give(walk *w, const sh_object *object, const char *prefix)
{
    w->last_key = sh_arena_strdup(w->arena, prefix ? prefix : object->key);
    w->last_version = prefix ? NULL : sh_arena_strdup(w->arena, object->version_id);
    w->given++;
    if (!w->last_key || (!prefix && !w->last_version))
        return SH_E_MEMORY;
    return w->fn(w->opaque, object, prefix);
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
    w->below = INT64_MAX;
    if (strcmp(prefix, w->query->after) == 0) /* it ended the page before */
        return 1;
    int status = give(w, NULL, prefix);
    return status < 0 ? status : 1;
}

static int on_row(void *opaque, const sh_row *row)
{
    walk *w = opaque;
    const sh_versions_query *q = w->query;
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

static int walk_on(const sh_objects *objects, walk *w, sh_err *err)
{
    int64_t limit = (int64_t)w->query->max - w->given + 1;
    return sh_db_each(
        objects->db, err,
        SH_OBJECT_CURRENT
        " WHERE bucket = ?1 AND key >= ?2 AND (key > ?2 OR sequence < ?3) UNION ALL " SH_OBJECT_OLDER
        " WHERE bucket = ?1 AND key >= ?2 AND (key > ?2 OR sequence < ?3) ORDER BY 1, 9 DESC LIMIT ?4",
        on_row, w, "ssii", w->query->bucket, w->cursor, w->below, limit);
}

static int take_sequence(void *opaque, const sh_row *row)
{
    *(int64_t *)opaque = sh_row_int(row, 0);
    return 1;
}

/* Where the page begins. A version id tells its sequence by itself; the id "null" has to be looked up, and
 * when it has been deleted since, its key is begun again. */
static int start(const sh_objects *objects, walk *w, sh_err *err)
{
    const sh_versions_query *q = w->query;
    w->cursor = q->after;
    w->below = 0;
    if (strcmp(q->after, q->prefix) < 0) {
        w->cursor = q->prefix;
        w->below = INT64_MAX;
    } else if (q->after_version && strcmp(q->after_version, "null") == 0) {
        w->below = INT64_MAX;
        return sh_db_each(
            objects->db, err,
            "SELECT sequence FROM objects WHERE bucket = ?1 AND key = ?2 AND version_id = 'null' UNION ALL"
            " SELECT sequence FROM object_versions WHERE bucket = ?1 AND key = ?2 AND version_id = 'null'",
            take_sequence, &w->below, "ss", q->bucket, q->after);
    } else if (q->after_version) {
        w->below = sh_version_id_sequence(q->after_version);
        if (w->below == 0)
            return sh_fail(err, SH_E_NOT_FOUND, "there is no version %.40s", q->after_version);
    }
    return 0;
}

int sh_versions_list(const sh_objects *objects, const sh_versions_query *query, sh_list_fn fn, void *opaque,
                     sh_arena *arena, const char **next, const char **next_version, sh_err *err)
{
    walk w = {.query = query, .fn = fn, .opaque = opaque, .arena = arena};
    int status = start(objects, &w, err);
    if (status == 0 && query->max > 0) {
        do {
            w.again = false;
            status = walk_on(objects, &w, err);
        } while (status == 0 && w.again && !w.truncated);
    }
    if (status < 0)
        return status == SH_E_MEMORY ? sh_fail(err, status, "the listing is too large") : status;
    *next = w.truncated ? w.last_key : NULL;
    *next_version = w.truncated ? w.last_version : NULL;
    return 0;
}
