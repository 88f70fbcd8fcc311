/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of buckets, objects, uploads and parts; reading objects. `sequence` is never used twice, so
 * it orders the writes of the store and stands in events as the sequencer. Keys compare as bytes, which is
 * the order S3 lists them in. */
#include "cloud/store/objects.h"
#include "cloud/store/bodies.h"
#include "cloud/store/object_rows.h"
#include "cloud/store/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char sh_schema_objects[] =
    "CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, region TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, eventbridge INTEGER NOT NULL DEFAULT 0,"
    " versioning INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS objects (sequence INTEGER PRIMARY KEY AUTOINCREMENT,"
    " bucket TEXT NOT NULL REFERENCES buckets (name), key TEXT NOT NULL, file TEXT NOT NULL UNIQUE,"
    " size INTEGER NOT NULL, etag TEXT NOT NULL, content_type TEXT NOT NULL, headers TEXT NOT NULL,"
    " checksum TEXT, modified_ms INTEGER NOT NULL, version_id TEXT NOT NULL DEFAULT 'null', tags TEXT,"
    " acl TEXT, parts TEXT, storage TEXT, UNIQUE (bucket, key));"
    "CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY,"
    " bucket TEXT NOT NULL REFERENCES buckets (name), key TEXT NOT NULL, content_type TEXT,"
    " headers TEXT NOT NULL, checksum TEXT, created_ms INTEGER NOT NULL, tags TEXT, acl TEXT,"
    " storage TEXT) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS uploads_by_key ON uploads (bucket, key, id);"
    "CREATE TABLE IF NOT EXISTS parts (upload TEXT NOT NULL REFERENCES uploads (id),"
    " number INTEGER NOT NULL, file TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, etag TEXT NOT NULL,"
    " checksum TEXT, modified_ms INTEGER NOT NULL, PRIMARY KEY (upload, number)) WITHOUT ROWID;";

/* ---- reading objects ---- */

static const char *keep(sh_arena *arena, const char *text, bool *failed)
{
    const char *copy = text && arena ? sh_arena_strdup(arena, text) : text;
    *failed = *failed || (text && !copy);
    return copy;
}

int sh_object_read(const sh_row *row, sh_arena *arena, sh_object *out)
{
    bool failed = false;
    const char *file = sh_row_text(row, 1);
    *out = (sh_object){.key = keep(arena, sh_row_text(row, 0), &failed),
                       .file = keep(arena, file ? file : "", &failed),
                       .etag = keep(arena, sh_row_text(row, 2), &failed),
                       .content_type = keep(arena, sh_row_text(row, 3), &failed),
                       .headers = keep(arena, sh_row_text(row, 4), &failed),
                       .checksum = keep(arena, sh_row_text(row, 5), &failed),
                       .size = sh_row_int(row, 6),
                       .modified_ms = sh_row_int(row, 7),
                       .sequence = sh_row_int(row, 8),
                       .version_id = keep(arena, sh_row_text(row, 9), &failed),
                       .tags = keep(arena, sh_row_text(row, 10), &failed),
                       .acl = keep(arena, sh_row_text(row, 11), &failed),
                       .parts = keep(arena, sh_row_text(row, 12), &failed),
                       .storage = keep(arena, sh_row_text(row, 13), &failed),
                       .marker = sh_row_int(row, 14) != 0,
                       .latest = sh_row_int(row, 15) != 0,
                       .versioned = sh_row_int(row, 16) != SH_VERSIONING_NEVER};
    return failed ? SH_E_MEMORY : 0;
}

typedef struct taken {
    sh_arena *arena;
    sh_object object;
    bool found;
    const void *bytes; /* of a small body that was read with its row */
} taken;

static int take_object(void *opaque, const sh_row *row)
{
    taken *t = opaque;
    t->found = true;
    return sh_object_read(row, t->arena, &t->object);
}

/* Its bytes are a column more. */
static int take_whole(void *opaque, const sh_row *row)
{
    enum { BYTES = 17 };
    taken *t = opaque;
    size_t length = 0;
    int status = take_object(t, row);
    if (status < 0 || sh_row_is_null(row, BYTES))
        return status;
    const void *bytes = sh_row_blob(row, BYTES, &length);
    char *copy = sh_arena_alloc(t->arena, length + 1);
    if (!copy)
        return SH_E_MEMORY;
    if (length)
        memcpy(copy, bytes, length);
    t->bytes = copy;
    return 0;
}

static int end_take(const taken *t, int status, const char *bucket, const char *key, sh_err *err)
{
    if (status < 0)
        return status == SH_E_MEMORY ? sh_fail(err, status, "no memory for an object's row") : status;
    return t->found ? 0 : sh_fail(err, SH_E_NOT_FOUND, "there is no object s3://%s/%s", bucket, key);
}

#define OF_KEY " WHERE bucket = ?1 AND key = ?2"
#define OF_VERSION OF_KEY " AND version_id = ?3"
#define BODY ", (SELECT bytes FROM bodies WHERE file > 'row/' AND id = " SH_BODY_ID("file") ")"

static int find(const sh_objects *objects, const char *bucket, const char *key, taken *t, bool whole,
                sh_err *err)
{
    int status =
        sh_db_each(objects->db, err, whole ? SH_OBJECT_CURRENT_AND(BODY) OF_KEY : SH_OBJECT_CURRENT OF_KEY,
                   whole ? take_whole : take_object, t, "ss", bucket, key);
    return end_take(t, status, bucket, key, err);
}

static int find_version(const sh_objects *objects, const char *bucket, const char *key, const char *version,
                        taken *t, bool whole, sh_err *err)
{
    static const char *const named[] = {SH_OBJECT_CURRENT OF_VERSION " UNION ALL " SH_OBJECT_OLDER OF_VERSION,
                                        SH_OBJECT_CURRENT_AND(BODY) OF_VERSION
                                        " UNION ALL " SH_OBJECT_OLDER_AND(BODY) OF_VERSION};
    static const char *const latest[] = {SH_OBJECT_OLDER OF_KEY " ORDER BY sequence DESC LIMIT 1",
                                         SH_OBJECT_OLDER_AND(BODY) OF_KEY " ORDER BY sequence DESC LIMIT 1"};
    sh_row_fn take = whole ? take_whole : take_object;
    int status;
    if (version) {
        status = sh_db_each(objects->db, err, named[whole], take, t, "sss", bucket, key, version);
    } else {
        status = find(objects, bucket, key, t, whole, err);
        if (status != SH_E_NOT_FOUND)
            return status;
        status = sh_db_each(objects->db, err, latest[whole], take, t, "ss", bucket, key);
    }
    return end_take(t, status, bucket, key, err);
}

int sh_object_get(const sh_objects *objects, const char *bucket, const char *key, sh_arena *arena,
                  sh_object *out, sh_err *err)
{
    taken t = {.arena = arena};
    int status = find(objects, bucket, key, &t, false, err);
    if (status == 0)
        *out = t.object;
    return status;
}

int sh_object_get_version(const sh_objects *objects, const char *bucket, const char *key, const char *version,
                          sh_arena *arena, sh_object *out, sh_err *err)
{
    taken t = {.arena = arena};
    int status = find_version(objects, bucket, key, version, &t, false, err);
    if (status == 0)
        *out = t.object;
    return status;
}

/* What is to be opened: bytes NULL: a file in any case; else *bytes, where they come with the row. */
typedef struct opening {
    const char *bucket, *key, *version;
    bool current; /* a delete marker is no object */
    const void **bytes;
    int *fd;
} opening;

static int open_found(const sh_objects *objects, const opening *o, const taken *t, sh_err *err)
{
    *o->fd = -1;
    if (o->bytes)
        *o->bytes = t->bytes;
    if (t->object.marker || (o->bytes && t->bytes))
        return 0;
    return sh_object_file_open(objects, t->object.file, o->fd, err);
}

/* Between the row and the file another writer may replace both: then there is a new row to look at. */
static int open_object(const sh_objects *objects, const opening *o, sh_arena *arena, sh_object *out,
                       sh_err *err)
{
    char before[SH_OBJECT_FILE] = "";
    for (;;) {
        taken t = {.arena = arena};
        int status = o->current
                         ? find(objects, o->bucket, o->key, &t, o->bytes != NULL, err)
                         : find_version(objects, o->bucket, o->key, o->version, &t, o->bytes != NULL, err);
        if (status < 0)
            return status;
        status = open_found(objects, o, &t, err);
        if (status == 0) {
            *out = t.object;
            return 0;
        }
        if (status != SH_E_NOT_FOUND)
            return status;
        if (strcmp(before, t.object.file) == 0)
            return sh_fail(err, SH_E_INTERNAL, "the file of s3://%s/%s is missing from the data folder",
                           o->bucket, o->key);
        snprintf(before, sizeof(before), "%s", t.object.file);
    }
}

int sh_object_open(const sh_objects *objects, const char *bucket, const char *key, sh_arena *arena,
                   sh_object *out, int *fd, sh_err *err)
{
    opening o = {.bucket = bucket, .key = key, .current = true, .fd = fd};
    return open_object(objects, &o, arena, out, err);
}

int sh_object_open_version(const sh_objects *objects, const char *bucket, const char *key,
                           const char *version, sh_arena *arena, sh_object *out, int *fd, sh_err *err)
{
    opening o = {.bucket = bucket, .key = key, .version = version, .fd = fd};
    return open_object(objects, &o, arena, out, err);
}

int sh_object_read_version(const sh_objects *objects, const char *bucket, const char *key,
                           const char *version, sh_arena *arena, sh_object *out, int *fd, const void **bytes,
                           sh_err *err)
{
    opening o = {.bucket = bucket, .key = key, .version = version, .bytes = bytes, .fd = fd};
    return open_object(objects, &o, arena, out, err);
}

/* ---- tags and access control lists ---- */

enum { TAGS, ACL };
static const char *const set_current[] = {
    [TAGS] = "UPDATE objects SET tags = ?4 WHERE bucket = ?1 AND key = ?2 AND version_id = ?3",
    [ACL] = "UPDATE objects SET acl = ?4 WHERE bucket = ?1 AND key = ?2 AND version_id = ?3",
};
static const char *const set_older[] = {
    [TAGS] = "UPDATE object_versions SET tags = ?4 WHERE bucket = ?1 AND key = ?2 AND version_id = ?3",
    [ACL] = "UPDATE object_versions SET acl = ?4 WHERE bucket = ?1 AND key = ?2 AND version_id = ?3",
};

typedef struct property {
    int which; /* TAGS, ACL */
    const char *bucket, *key, *version, *value;
} property;

static int set_rows(const sh_objects *objects, const property *p, const sh_object_cause *cause,
                    sh_arena *arena, sh_object *out, sh_err *err)
{
    sh_bucket bucket;
    sh_object object;
    int status = sh_bucket_get(objects, p->bucket, &bucket, err);
    if (status == 0)
        status = sh_object_get_version(objects, p->bucket, p->key, p->version, arena, &object, err);
    if (status == 0 && object.marker)
        status = sh_fail(err, SH_E_CONFLICT, "s3://%s/%s is a delete marker", p->bucket, p->key);
    if (status == 0)
        status = sh_db_run(objects->db, err, set_current[p->which], "ssss", p->bucket, p->key,
                           object.version_id, p->value);
    if (status == 0 && sh_db_changes(objects->db) == 0)
        status = sh_db_run(objects->db, err, set_older[p->which], "ssss", p->bucket, p->key,
                           object.version_id, p->value);
    if (status < 0)
        return status;
    sh_change_kind kind = p->which == ACL ? SH_CHANGE_ACL : p->value ? SH_CHANGE_TAGGED : SH_CHANGE_UNTAGGED;
    sh_object_change change = {.kind = kind,
                               .key = p->key,
                               .version_id = object.versioned ? object.version_id : NULL,
                               .etag = object.etag,
                               .now_ms = sh_now_ms(objects->clock)};
    if (out) {
        *out = object;
        *(p->which == ACL ? &out->acl : &out->tags) = p->value;
    }
    return sh_object_changed(objects, &bucket, &change, cause, err);
}

static int set_property(const sh_objects *objects, const property *p, const sh_object_cause *cause,
                        sh_arena *arena, sh_object *out, sh_err *err)
{
    sh_object set = {0};
    int status = sh_db_begin(objects->db, err);
    if (status < 0)
        return status;
    status = sh_db_end(objects->db, set_rows(objects, p, cause, arena, &set, err), err);
    if (status == 0 && out)
        *out = set;
    return status;
}

int sh_object_set_tags(const sh_objects *objects, const char *bucket, const char *key, const char *version,
                       const char *tags, const sh_object_cause *cause, sh_arena *arena, sh_object *out,
                       sh_err *err)
{
    return set_property(objects, &(property){TAGS, bucket, key, version, tags}, cause, arena, out, err);
}

int sh_object_set_acl(const sh_objects *objects, const char *bucket, const char *key, const char *version,
                      const char *acl, const sh_object_cause *cause, sh_arena *arena, sh_object *out,
                      sh_err *err)
{
    return set_property(objects, &(property){ACL, bucket, key, version, acl}, cause, arena, out, err);
}
