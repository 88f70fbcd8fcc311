/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lifecycles delete. A call looks at some thousands of rows and deletes what the rule speaks of, all in
 * one transaction, so that nothing is deleted that was written in between; the next call goes on behind the
 * last key. */
#include "cloud/store/object_rows.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { SEEN_MAX = 2000, DELETED_MAX = 1000 };

typedef struct hunt {
    sh_expiry *expiry;
    sh_arena *arena;
    json_t *tags; /* NULL: any */
    sh_object_doomed *doomed;
    char (*old)[SH_OBJECT_FILE]; /* files to drop after the commit */
    size_t count, limit;
    int64_t seen;
    bool full; /* the rows did not come to their end */
    /* versions are looked at key by key */
    const char *key;     /* whose versions are being seen */
    const char *settled; /* the key before: all of its versions were seen */
    int64_t rank;        /* noncurrent versions of the key so far */
    const char *lone;    /* id of the delete marker that is its latest version */
    int64_t rows;
} hunt;

static bool tags_match(const hunt *h, const char *text)
{
    const char *name;
    json_t *wanted;
    if (!h->tags || json_object_size(h->tags) == 0)
        return true;
    json_t *tags = text ? json_loads(text, 0, NULL) : NULL;
    bool all = tags != NULL;
    json_object_foreach(h->tags, name, wanted)
    {
        all = all && json_equal(json_object_get(tags, name), wanted);
    }
    json_decref(tags);
    return all;
}

static bool applies(const hunt *h, const sh_object *object, int64_t since_ms)
{
    const sh_expiry *e = h->expiry;
    return since_ms < e->before_ms && (e->larger_than < 0 || object->size > e->larger_than) &&
           (e->smaller_than < 0 || object->size < e->smaller_than) && tags_match(h, object->tags);
}

static int doom(hunt *h, const char *key, const char *version)
{
    sh_object_doomed *d = &h->doomed[h->count++];
    d->key = sh_arena_strdup(h->arena, key);
    d->version = version ? sh_arena_strdup(h->arena, version) : NULL;
    return d->key && (d->version || !version) ? 0 : SH_E_MEMORY;
}

/* Whether the row's key still has the prefix: behind it there is nothing to hunt. */
static bool read_row(const hunt *h, const sh_row *row, sh_object *object)
{
    sh_object_read(row, NULL, object);
    return strncmp(object->key, h->expiry->prefix, strlen(h->expiry->prefix)) == 0;
}

static int on_current(void *opaque, const sh_row *row)
{
    hunt *h = opaque;
    sh_object object;
    if (!read_row(h, row, &object))
        return 1;
    if (h->count == h->limit || h->seen == SEEN_MAX) {
        h->full = true;
        return 1;
    }
    h->seen++;
    h->settled = sh_arena_strdup(h->arena, object.key);
    if (!h->settled)
        return SH_E_MEMORY;
    return applies(h, &object, object.modified_ms) ? doom(h, object.key, NULL) : 0;
}

/* A new key begins: the one before is settled. */
static int next_key(hunt *h, const char *key)
{
    h->settled = h->key;
    h->key = sh_arena_strdup(h->arena, key);
    h->rank = h->rows = 0;
    h->lone = NULL;
    return h->key ? 0 : SH_E_MEMORY;
}

static int on_noncurrent(void *opaque, const sh_row *row)
{
    hunt *h = opaque;
    sh_object object;
    if (!read_row(h, row, &object))
        return 1;
    if (!h->key || strcmp(h->key, object.key) != 0) {
        int status = next_key(h, object.key);
        if (status < 0)
            return status;
        h->full = h->seen >= SEEN_MAX;
    }
    h->full = h->full || h->count == h->limit;
    if (h->full)
        return 1;
    h->seen++;
    if (object.latest || h->rank++ < h->expiry->keep || !applies(h, &object, sh_row_int(row, 17)))
        return 0;
    return doom(h, object.key, object.version_id);
}

/* The marker of the key that ends, when it was its only version. */
static int settle_marker(hunt *h)
{
    return h->lone && h->rows == 1 && h->count < h->limit ? doom(h, h->key, h->lone) : 0;
}

static int on_marker(void *opaque, const sh_row *row)
{
    hunt *h = opaque;
    sh_object object;
    if (!read_row(h, row, &object))
        return 1;
    if (!h->key || strcmp(h->key, object.key) != 0) {
        int status = settle_marker(h);
        if (status == 0)
            status = next_key(h, object.key);
        if (status < 0)
            return status;
        h->full = h->count == h->limit || h->seen >= SEEN_MAX;
        if (h->full)
            return 1;
    }
    h->seen++;
    h->rows++;
    if (object.latest && object.modified_ms < h->expiry->before_ms) {
        h->lone = sh_arena_strdup(h->arena, object.version_id);
        return h->lone ? 0 : SH_E_MEMORY;
    }
    return 0;
}

#define FROM_KEY " WHERE bucket = ?1 AND key > ?2 AND key >= ?3 ORDER BY key"

static int look(const sh_objects *objects, hunt *h, sh_row_fn fn, sh_err *err)
{
    const sh_expiry *e = h->expiry;
    int status;
    if (fn == on_current)
        status = sh_db_each(objects->db, err, SH_OBJECT_CURRENT FROM_KEY, fn, h, "sss", e->bucket, e->after,
                            e->prefix);
    else
        status = sh_db_each(objects->db, err,
                            "SELECT " SH_OBJECT_COLUMNS
                            ", marker, noncurrent_ms IS NULL, 1, noncurrent_ms FROM object_versions" FROM_KEY
                            ", sequence DESC",
                            fn, h, "sss", e->bucket, e->after, e->prefix);
    if (status == 0 && fn == on_marker && !h->full)
        status = settle_marker(h);
    return status == SH_E_MEMORY ? sh_fail(err, status, "no memory to look for what has expired") : status;
}

static int look_and_delete(const sh_objects *objects, hunt *h, sh_row_fn fn, const sh_object_cause *cause,
                           sh_err *err)
{
    int status = sh_db_begin_politely(objects->db, err);
    if (status < 0)
        return status;
    status = look(objects, h, fn, err);
    if (status == 0 && h->count > 0)
        status = sh_objects_delete_rows(objects, h->expiry->bucket, h->doomed, h->count, cause, h->old, err);
    return sh_db_end(objects->db, status, err);
}

static int expire(const sh_objects *objects, sh_expiry *expiry, sh_row_fn fn, const sh_object_cause *cause,
                  sh_err *err)
{
    hunt h = {.expiry = expiry, .limit = expiry->limit > DELETED_MAX ? DELETED_MAX : (size_t)expiry->limit};
    int status = SH_E_MEMORY;
    if (expiry->limit < 1)
        return sh_fail(err, SH_E_ARGUMENT, "an expiry of nothing at a time");
    h.arena = sh_arena_new((size_t)64 << 20);
    h.tags = expiry->tags ? json_loads(expiry->tags, 0, NULL) : NULL;
    h.doomed = calloc(h.limit, sizeof(*h.doomed));
    h.old = calloc(h.limit, sizeof(*h.old));
    if (expiry->tags && !h.tags)
        status = sh_fail(err, SH_E_ARGUMENT, "the tags of an expiry are no JSON object");
    else if (h.arena && h.doomed && h.old)
        status = look_and_delete(objects, &h, fn, cause, err);
    else
        sh_fail(err, status, "no memory to look for what has expired");
    for (size_t i = 0; status == 0 && i < h.count; i++)
        sh_object_file_drop(objects, h.old[i]);
    if (status == 0) {
        expiry->deleted += (int64_t)h.count;
        expiry->done = !h.full;
        if (h.settled)
            memcpy(expiry->after, h.settled, strlen(h.settled) + 1);
    }
    free(h.old);
    free(h.doomed);
    json_decref(h.tags);
    sh_arena_free(h.arena);
    return status;
}

int sh_objects_expire(const sh_objects *objects, sh_expiry *expiry, const sh_object_cause *cause, sh_err *err)
{
    return expire(objects, expiry, on_current, cause, err);
}

int sh_objects_expire_noncurrent(const sh_objects *objects, sh_expiry *expiry, const sh_object_cause *cause,
                                 sh_err *err)
{
    return expire(objects, expiry, on_noncurrent, cause, err);
}

int sh_objects_expire_markers(const sh_objects *objects, sh_expiry *expiry, const sh_object_cause *cause,
                              sh_err *err)
{
    return expire(objects, expiry, on_marker, cause, err);
}
