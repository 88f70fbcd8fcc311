/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listing versions: the rows of objects and object_versions merged by key, of one key by sequence downwards.
 * SQLite merges two walks along indices, so a page costs what it shows. Common prefixes as in object_walk.h.
 */
#include "cloud/store/object_walk.h"

#include <string.h>

static int walk_on(const sh_objects *objects, const char *bucket, sh_walk *w, sh_err *err)
{
    return sh_db_each(
        objects->db, err,
        SH_OBJECT_CURRENT
        " WHERE bucket = ?1 AND key >= ?2 AND (key > ?2 OR sequence < ?3) UNION ALL " SH_OBJECT_OLDER
        " WHERE bucket = ?1 AND key >= ?2 AND (key > ?2 OR sequence < ?3) ORDER BY 1, 9 DESC LIMIT ?4",
        sh_walk_row, w, "ssii", bucket, w->cursor, w->below, sh_walk_limit(w));
}

static int take_sequence(void *opaque, const sh_row *row)
{
    *(int64_t *)opaque = sh_row_int(row, 0);
    return 1;
}

/* Where the page begins. A version id tells its sequence by itself; the id "null" has to be looked up, and
 * when it has been deleted since, its key is begun again. */
static int start(const sh_objects *objects, const sh_versions_query *q, sh_walk *w, sh_err *err)
{
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
    sh_walk w = {.prefix = query->prefix,
                 .delimiter = query->delimiter,
                 .after = query->after,
                 .max = query->max,
                 .fn = fn,
                 .opaque = opaque,
                 .arena = arena};
    int status = start(objects, query, &w, err);
    if (status == 0)
        status = sh_walk_run(objects, query->bucket, &w, walk_on, err);
    if (status < 0)
        return status;
    *next = w.truncated ? w.last_key : NULL;
    *next_version = w.truncated ? w.last_version : NULL;
    return 0;
}
