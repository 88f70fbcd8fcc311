/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of buckets, objects, uploads and parts; reading objects. `sequence` is never used twice, so
 * it orders the writes of the store and stands in events as the sequencer. Keys compare as bytes, which is
 * the order S3 lists them in. */
#include "cloud/store/objects.h"
#include "cloud/store/object_files.h"
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

typedef struct taken {
    sh_arena *arena;
    sh_object object;
    bool found;
} taken;

static int take_object(void *opaque, const sh_row *row)
{
    taken *t = opaque;
    sh_object *o = &t->object;
    const char *checksum = sh_row_text(row, 5);
    o->key = sh_arena_strdup(t->arena, sh_row_text(row, 0));
    o->file = sh_arena_strdup(t->arena, sh_row_text(row, 1));
    o->etag = sh_arena_strdup(t->arena, sh_row_text(row, 2));
    o->content_type = sh_arena_strdup(t->arena, sh_row_text(row, 3));
    o->headers = sh_arena_strdup(t->arena, sh_row_text(row, 4));
    o->checksum = checksum ? sh_arena_strdup(t->arena, checksum) : NULL;
    o->size = sh_row_int(row, 6);
    o->modified_ms = sh_row_int(row, 7);
    o->sequence = sh_row_int(row, 8);
    t->found = true;
    return o->key && o->file && o->etag && o->content_type && o->headers ? 0 : SH_E_MEMORY;
}

int sh_object_get(const sh_objects *objects, const char *bucket, const char *key, sh_arena *arena,
                  sh_object *out, sh_err *err)
{
    taken t = {.arena = arena};
    int status =
        sh_db_each(objects->db, err,
                   "SELECT key, file, etag, content_type, headers, checksum, size, modified_ms, sequence"
                   " FROM objects WHERE bucket = ?1 AND key = ?2",
                   take_object, &t, "ss", bucket, key);
    if (status < 0)
        return status == SH_E_MEMORY ? sh_fail(err, status, "no memory for an object's row") : status;
    if (!t.found)
        return sh_fail(err, SH_E_NOT_FOUND, "there is no object s3://%s/%s", bucket, key);
    *out = t.object;
    return 0;
}

int sh_object_open(const sh_objects *objects, const char *bucket, const char *key, sh_arena *arena,
                   sh_object *out, int *fd, sh_err *err)
{
    sh_object object;
    char before[SH_OBJECT_FILE] = "";
    /* Between the row and the file another writer may replace both: then there is a new row to look at. */
    for (;;) {
        int status = sh_object_get(objects, bucket, key, arena, &object, err);
        if (status < 0)
            return status;
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
