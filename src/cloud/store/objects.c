/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of buckets, objects, uploads and parts; buckets; reading objects. `sequence` is never used twice, so
 * it orders the writes of the store and stands in events as the sequencer. Keys compare as bytes, which is
 * the order S3 lists them in. */
#include "cloud/store/objects.h"
#include "cloud/store/multipart.h"
#include "cloud/store/object_files.h"
#include "cloud/store/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char sh_schema_objects[] =
    "CREATE TABLE IF NOT EXISTS buckets (name TEXT PRIMARY KEY, region TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, eventbridge INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS objects (sequence INTEGER PRIMARY KEY AUTOINCREMENT,"
    " bucket TEXT NOT NULL REFERENCES buckets (name), key TEXT NOT NULL, file TEXT NOT NULL UNIQUE,"
    " size INTEGER NOT NULL, etag TEXT NOT NULL, content_type TEXT NOT NULL, headers TEXT NOT NULL,"
    " checksum TEXT, modified_ms INTEGER NOT NULL, UNIQUE (bucket, key));"
    "CREATE TABLE IF NOT EXISTS uploads (id TEXT PRIMARY KEY,"
    " bucket TEXT NOT NULL REFERENCES buckets (name), key TEXT NOT NULL, content_type TEXT,"
    " headers TEXT NOT NULL, checksum TEXT, created_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS uploads_by_key ON uploads (bucket, key, id);"
    "CREATE TABLE IF NOT EXISTS parts (upload TEXT NOT NULL REFERENCES uploads (id),"
    " number INTEGER NOT NULL, file TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, etag TEXT NOT NULL,"
    " checksum TEXT, modified_ms INTEGER NOT NULL, PRIMARY KEY (upload, number)) WITHOUT ROWID;";

/* ---- buckets ---- */

static bool is_label_end(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool like_address(const char *name)
{
    unsigned a, b, c, d;
    int used = 0;
    return sscanf(name, "%3u.%3u.%3u.%3u%n", &a, &b, &c, &d, &used) == 4 && name[used] == '\0';
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

bool sh_bucket_name_valid(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
    size_t length = strlen(name);
    if (length < 3 || length > SH_BUCKET_NAME_MAX || strspn(name, letters) != length)
        return false;
    if (!is_label_end(name[0]) || !is_label_end(name[length - 1]) || strstr(name, "..") || like_address(name))
        return false;
    return strncmp(name, "xn--", 4) != 0 && strncmp(name, "sthree-", 7) != 0 &&
           strncmp(name, "amzn-s3-demo-", 13) != 0 && !ends_with(name, "-s3alias") &&
           !ends_with(name, "--ol-s3") && !ends_with(name, ".mrap") && !ends_with(name, "--x-s3");
}

int sh_bucket_create(const sh_objects *objects, const char *name, const char *region, sh_err *err)
{
    int status =
        sh_db_run(objects->db, err, "INSERT INTO buckets (name, region, created_ms) VALUES (?1, ?2, ?3)",
                  "ssi", name, region, sh_now_ms(objects->clock));
    return status == SH_E_CONFLICT ? sh_fail(err, status, "bucket %s exists already", name) : status;
}

static void read_bucket(const sh_row *row, sh_bucket *out)
{
    snprintf(out->name, sizeof(out->name), "%s", sh_row_text(row, 0));
    snprintf(out->region, sizeof(out->region), "%s", sh_row_text(row, 1));
    out->created_ms = sh_row_int(row, 2);
    out->eventbridge = sh_row_int(row, 3) != 0;
}

static int take_bucket(void *opaque, const sh_row *row)
{
    read_bucket(row, opaque);
    return 0;
}

int sh_bucket_get(const sh_objects *objects, const char *name, sh_bucket *out, sh_err *err)
{
    sh_bucket found = {0};
    int status = sh_db_each(objects->db, err,
                            "SELECT name, region, created_ms, eventbridge FROM buckets WHERE name = ?1",
                            take_bucket, &found, "s", name);
    if (status < 0)
        return status;
    if (!found.name[0])
        return sh_fail(err, SH_E_NOT_FOUND, "there is no bucket %s", name);
    *out = found;
    return 0;
}

typedef struct bucket_walk {
    sh_bucket_fn fn;
    void *opaque;
} bucket_walk;

static int walk_bucket(void *opaque, const sh_row *row)
{
    bucket_walk *walk = opaque;
    sh_bucket bucket;
    read_bucket(row, &bucket);
    return walk->fn(walk->opaque, &bucket);
}

int sh_bucket_each(const sh_objects *objects, sh_bucket_fn fn, void *opaque, sh_err *err)
{
    bucket_walk walk = {fn, opaque};
    return sh_db_each(objects->db, err,
                      "SELECT name, region, created_ms, eventbridge FROM buckets ORDER BY name", walk_bucket,
                      &walk, "");
}

int sh_bucket_set_eventbridge(const sh_objects *objects, const char *name, bool on, sh_err *err)
{
    int status = sh_db_begin(objects->db, err);
    if (status < 0)
        return status;
    status = sh_db_run(objects->db, err, "UPDATE buckets SET eventbridge = ?2 WHERE name = ?1", "si", name,
                       (int64_t)on);
    if (status == 0 && sh_db_changes(objects->db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "there is no bucket %s", name);
    return sh_db_end(objects->db, status, err);
}

static int delete_bucket_rows(const sh_objects *objects, const char *name, sh_err *err)
{
    int rows = 0;
    int status = sh_db_each(objects->db, err, "SELECT 1 FROM objects WHERE bucket = ?1 LIMIT 1", sh_count_row,
                            &rows, "s", name);
    if (status == 0 && rows > 0)
        status = sh_fail(err, SH_E_CONFLICT, "bucket %s is not empty", name);
    if (status == 0)
        status = sh_db_run(objects->db, err, "DELETE FROM buckets WHERE name = ?1", "s", name);
    if (status == 0 && sh_db_changes(objects->db) == 0)
        status = sh_fail(err, SH_E_NOT_FOUND, "there is no bucket %s", name);
    return status;
}

static int end_uploads(const sh_objects *objects, const char *name, sh_err *err)
{
    sh_upload *uploads;
    size_t count;
    int status;
    sh_arena *arena = sh_arena_new((size_t)64 << 20);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory");
    status = sh_uploads_list(objects, name, "", "", "", 100000, arena, &uploads, &count, err);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = sh_upload_abort(objects, uploads[i].id, err);
    sh_arena_free(arena);
    return status;
}

int sh_bucket_delete(const sh_objects *objects, const char *name, sh_err *err)
{
    int rows = 0;
    int status = sh_db_each(objects->db, err, "SELECT 1 FROM objects WHERE bucket = ?1 LIMIT 1", sh_count_row,
                            &rows, "s", name);
    if (status == 0 && rows == 0)
        status = end_uploads(objects, name, err);
    if (status < 0 || (status = sh_db_begin(objects->db, err)) < 0)
        return status;
    return sh_db_end(objects->db, delete_bucket_rows(objects, name, err), err);
}

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
