/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listing walks the index of (bucket, key); common prefixes as in object_walk.h. */
#include "cloud/store/object_walk.h"

#include <string.h>

static int walk_on(const sh_objects *objects, const char *bucket, sh_walk *w, sh_err *err)
{
    if (w->below > 0)
        return sh_db_each(objects->db, err,
                          SH_OBJECT_CURRENT " WHERE bucket = ?1 AND key >= ?2 ORDER BY key LIMIT ?3",
                          sh_walk_row, w, "ssi", bucket, w->cursor, sh_walk_limit(w));
    return sh_db_each(objects->db, err,
                      SH_OBJECT_CURRENT " WHERE bucket = ?1 AND key > ?2 ORDER BY key LIMIT ?3", sh_walk_row,
                      w, "ssi", bucket, w->cursor, sh_walk_limit(w));
}

int sh_objects_list(const sh_objects *objects, const sh_list_query *query, sh_list_fn fn, void *opaque,
                    sh_arena *arena, const char **next, sh_err *err)
{
    bool from_prefix = strcmp(query->after, query->prefix) < 0;
    sh_walk w = {.prefix = query->prefix,
                 .delimiter = query->delimiter,
                 .after = query->after,
                 .max = query->max,
                 .fn = fn,
                 .opaque = opaque,
                 .arena = arena,
                 .cursor = from_prefix ? query->prefix : query->after,
                 .below = from_prefix ? INT64_MAX : 0};
    int status = sh_walk_run(objects, query->bucket, &w, walk_on, err);
    if (status < 0)
        return status;
    *next = w.truncated ? w.last_key : NULL;
    return 0;
}
