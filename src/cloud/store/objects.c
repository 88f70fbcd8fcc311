/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of buckets, objects, uploads and parts; reading objects. `sequence` is never used twice, so
 * it orders the writes of the store and stands in events as the sequencer. Keys compare as bytes, which is
 * the order S3 lists them in. */
#include "cloud/store/objects.h"
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
} taken;

static int take_object(void *opaque, const sh_row *row)
{
    taken *t = opaque;
    t->found = true;
    return sh_object_read(row, t->arena, &t->object);
}

static int end_take(const taken *t, int status, const char *bucket, const char *key, sh_object *out,
                    sh_err *err)
{
    if (status < 0)
        return status == SH_E_MEMORY ? sh_fail(err, status, "no memory for an object's row") : status;
    if (!t->found)
        return sh_fail(err, SH_E_NOT_FOUND, "there is no object s3://%s/%s", bucket, key);
    *out = t->object;
    return 0;
}

int sh_object_get(const sh_objects *objects, const char *bucket, const char *key, sh_arena *arena,
                  sh_object *out, sh_err *err)
{
    taken t = {.arena = arena};
    int status = sh_db_each(objects->db, err, SH_OBJECT_CURRENT " WHERE bucket = ?1 AND key = ?2",
                            take_object, &t, "ss", bucket, key);
    return end_take(&t, status, bucket, key, out, err);
}

int sh_object_get_version(const sh_objects *objects, const char *bucket, const char *key, const char *version,
                          sh_arena *arena, sh_object *out, sh_err *err)
{
    taken t = {.arena = arena};
    int status;
    if (version) {
        status = sh_db_each(objects->db, err,
                            SH_OBJECT_CURRENT
                            " WHERE bucket = ?1 AND key = ?2 AND version_id = ?3 UNION ALL " SH_OBJECT_OLDER
                            " WHERE bucket = ?1 AND key = ?2 AND version_id = ?3",
                            take_object, &t, "sss", bucket, key, version);
        return end_take(&t, status, bucket, key, out, err);
    }
    status = sh_db_each(objects->db, err, SH_OBJECT_CURRENT " WHERE bucket = ?1 AND key = ?2", take_object,
                        &t, "ss", bucket, key);
    if (status == 0 && !t.found)
        status = sh_db_each(objects->db, err,
                            SH_OBJECT_OLDER " WHERE bucket = ?1 AND key = ?2 ORDER BY sequence DESC LIMIT 1",
                            take_object, &t, "ss", bucket, key);
    return end_take(&t, status, bucket, key, out, err);
}

/* Between the row and the file another writer may replace both: then there is a new row to look at.
 * current: a delete marker is no object. */
static int open_object(const sh_objects *objects, const char *bucket, const char *key, const char *version,
                       bool current, sh_arena *arena, sh_object *out, int *fd, sh_err *err)
{
    sh_object object;
    char before[SH_OBJECT_FILE] = "";
    for (;;) {
        int status = current ? sh_object_get(objects, bucket, key, arena, &object, err)
                             : sh_object_get_version(objects, bucket, key, version, arena, &object, err);
        if (status < 0)
            return status;
        if (object.marker)
            *fd = -1;
        else
            status = sh_object_file_open(objects, object.file, fd, err);
        if (status == 0) {
            *out = object;
            return 0;
        }
        if (status != SH_E_NOT_FOUND)
            return status;
        if (strcmp(before, object.file) == 0)
            return sh_fail(err, SH_E_INTERNAL, "the file of s3://%s/%s is missing from the data folder",
                           bucket, key);
        snprintf(before, sizeof(before), "%s", object.file);
    }
}

int sh_object_open(const sh_objects *objects, const char *bucket, const char *key, sh_arena *arena,
                   sh_object *out, int *fd, sh_err *err)
{
    return open_object(objects, bucket, key, NULL, true, arena, out, fd, err);
}

int sh_object_open_version(const sh_objects *objects, const char *bucket, const char *key,
                           const char *version, sh_arena *arena, sh_object *out, int *fd, sh_err *err)
{
    return open_object(objects, bucket, key, version, false, arena, out, fd, err);
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
