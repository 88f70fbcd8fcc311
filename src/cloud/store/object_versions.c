/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Versions of objects that are not current: older ones, and delete markers. The table objects has the current
 * object of a key; a write with versioning moves it here and a new row takes its place. A key whose latest
 * version is a delete marker has no row in objects. Both tables draw their sequence from the same counter, so
 * the highest one of a key is its latest version, and no order has to be kept up. noncurrent_ms is when a
 * version ceased to be the latest; a delete marker that is the latest has none.
 *
 * A version's id is its sequence, veiled, and 16 random bytes. So a list can go on behind a version that has
 * been deleted in the meantime, which is what those do who empty a bucket page by page. */
#include "cloud/store/object_rows.h"
#include "cloud/store/schema.h"
#include "cloud/store/take.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

const char sh_schema_object_versions[] =
    "CREATE TABLE IF NOT EXISTS object_versions (bucket TEXT NOT NULL REFERENCES buckets (name),"
    " key TEXT NOT NULL, sequence INTEGER NOT NULL, version_id TEXT NOT NULL,"
    " marker INTEGER NOT NULL DEFAULT 0, file TEXT UNIQUE, size INTEGER NOT NULL DEFAULT 0,"
    " etag TEXT NOT NULL DEFAULT '', content_type TEXT NOT NULL DEFAULT '',"
    " headers TEXT NOT NULL DEFAULT '{}', checksum TEXT, modified_ms INTEGER NOT NULL, tags TEXT, acl TEXT,"
    " parts TEXT, storage TEXT, noncurrent_ms INTEGER, PRIMARY KEY (bucket, key, sequence DESC))"
    " WITHOUT ROWID;"
    "CREATE UNIQUE INDEX IF NOT EXISTS object_versions_by_id ON object_versions (bucket, key, version_id);";

/* ---- ids ---- */

enum { ID_BYTES = 24, VEIL = 8 };
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";

int sh_version_id_make(int64_t sequence, char id[SH_VERSION_ID], sh_err *err)
{
    unsigned char b[ID_BYTES];
    if (getrandom(b, sizeof(b), 0) != sizeof(b))
        return sh_fail_errno(err, errno, "no random bytes");
    for (int i = 0; i < VEIL; i++)
        b[i] = (unsigned char)(b[VEIL + i] ^ (uint64_t)sequence >> (8 * i));
    for (int i = 0; i < ID_BYTES / 3; i++) {
        unsigned three = (unsigned)b[3 * i] << 16 | (unsigned)b[3 * i + 1] << 8 | b[3 * i + 2];
        for (int j = 0; j < 4; j++)
            id[4 * i + j] = letters[three >> (18 - 6 * j) & 63];
    }
    id[SH_VERSION_ID - 1] = '\0';
    return 0;
}

int64_t sh_version_id_sequence(const char *id)
{
    unsigned char b[ID_BYTES];
    uint64_t sequence = 0;
    if (strlen(id) != SH_VERSION_ID - 1 || strspn(id, letters) != SH_VERSION_ID - 1)
        return 0;
    for (int i = 0; i < ID_BYTES / 3; i++) {
        unsigned three = 0;
        for (int j = 0; j < 4; j++)
            three = three << 6 | (unsigned)(strchr(letters, id[4 * i + j]) - letters);
        b[3 * i] = (unsigned char)(three >> 16);
        b[3 * i + 1] = (unsigned char)(three >> 8);
        b[3 * i + 2] = (unsigned char)three;
    }
    for (int i = 0; i < VEIL; i++)
        sequence |= (uint64_t)(b[i] ^ b[VEIL + i]) << (8 * i);
    return sequence > INT64_MAX ? 0 : (int64_t)sequence;
}

bool sh_version_id_valid(const char *text)
{
    return strcmp(text, "null") == 0 ||
           (strlen(text) == SH_VERSION_ID - 1 && strspn(text, letters) == SH_VERSION_ID - 1);
}

int sh_sequence_take(const sh_objects *objects, int64_t *sequence, sh_err *err)
{
    int status =
        sh_db_run(objects->db, err, "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'objects'", "");
    if (status == 0 && sh_db_changes(objects->db) == 0) /* nothing was ever written */
        status =
            sh_db_run(objects->db, err, "INSERT INTO sqlite_sequence (name, seq) VALUES ('objects', 1)", "");
    if (status == 0)
        status = sh_db_each(objects->db, err, "SELECT seq FROM sqlite_sequence WHERE name = 'objects'",
                            sh_take_number, sequence, "");
    return status;
}

/* ---- changes ---- */

#define MOVED                                                                                                \
    "bucket, key, sequence, version_id, file, size, etag, content_type, headers, checksum, modified_ms,"     \
    " tags, acl, parts, storage"

static int retire(const sh_objects *objects, const char *bucket, const char *key, sh_err *err)
{
    int status = sh_db_run(objects->db, err,
                           "INSERT INTO object_versions (" MOVED ", noncurrent_ms)"
                           " SELECT " MOVED ", ?3 FROM objects WHERE bucket = ?1 AND key = ?2",
                           "ssi", bucket, key, sh_now_ms(objects->clock));
    return status < 0 ? status
                      : sh_db_run(objects->db, err, "DELETE FROM objects WHERE bucket = ?1 AND key = ?2",
                                  "ss", bucket, key);
}

typedef struct older {
    bool found, marker;
    int64_t sequence;
    char file[SH_OBJECT_FILE];
} older;

static int take_older(void *opaque, const sh_row *row)
{
    older *o = opaque;
    const char *file = sh_row_text(row, 0);
    o->found = true;
    snprintf(o->file, sizeof(o->file), "%s", file ? file : "");
    o->marker = sh_row_int(row, 1) != 0;
    o->sequence = sh_row_int(row, 2);
    return 1;
}

/* Removes the row of an older version, if there is one. */
static int drop_older(const sh_objects *objects, const char *bucket, const char *key, const char *version,
                      older *out, sh_err *err)
{
    *out = (older){0};
    int status =
        sh_db_each(objects->db, err,
                   "SELECT file, marker, sequence FROM object_versions WHERE bucket = ?1 AND key = ?2"
                   " AND version_id = ?3",
                   take_older, out, "sss", bucket, key, version);
    if (status < 0 || !out->found)
        return status;
    return sh_db_run(objects->db, err,
                     "DELETE FROM object_versions WHERE bucket = ?1 AND key = ?2 AND sequence = ?3", "ssi",
                     bucket, key, out->sequence);
}

int sh_version_make_way(const sh_objects *objects, const sh_bucket *bucket, const char *key,
                        const sh_present *present, char old[SH_OBJECT_FILE], sh_err *err)
{
    older gone = {0};
    bool replaced =
        bucket->versioning == SH_VERSIONING_NEVER ||
        (bucket->versioning == SH_VERSIONING_SUSPENDED && strcmp(present->version_id, "null") == 0);
    int status = 0;
    old[0] = '\0';
    if (present->found && replaced) {
        memcpy(old, present->file, SH_OBJECT_FILE);
        return sh_db_run(objects->db, err, "DELETE FROM objects WHERE bucket = ?1 AND key = ?2", "ss",
                         bucket->name, key);
    }
    if (bucket->versioning == SH_VERSIONING_NEVER)
        return 0;
    if (bucket->versioning == SH_VERSIONING_SUSPENDED)
        status = drop_older(objects, bucket->name, key, "null", &gone, err);
    memcpy(old, gone.file, SH_OBJECT_FILE);
    if (status < 0 || present->found)
        return status < 0 ? status : retire(objects, bucket->name, key, err);
    return sh_db_run(
        objects->db, err,
        "UPDATE object_versions SET noncurrent_ms = ?3 WHERE bucket = ?1 AND key = ?2"
        " AND sequence = (SELECT max(sequence) FROM object_versions WHERE bucket = ?1 AND key = ?2)",
        "ssi", bucket->name, key, sh_now_ms(objects->clock));
}

int sh_version_add_marker(const sh_objects *objects, const sh_bucket *bucket, const char *key,
                          char id[SH_VERSION_ID], int64_t *sequence, sh_err *err)
{
    int status = sh_sequence_take(objects, sequence, err);
    if (status == 0 && bucket->versioning == SH_VERSIONING_ENABLED)
        status = sh_version_id_make(*sequence, id, err);
    else
        snprintf(id, SH_VERSION_ID, "null");
    return status < 0 ? status
                      : sh_db_run(objects->db, err,
                                  "INSERT INTO object_versions (bucket, key, sequence, version_id, marker,"
                                  " modified_ms) VALUES (?1, ?2, ?3, ?4, 1, ?5)",
                                  "ssisi", bucket->name, key, *sequence, id, sh_now_ms(objects->clock));
}

/* The latest version was removed: the one before it takes its place. */
static int promote(const sh_objects *objects, const char *bucket, const char *key, sh_err *err)
{
    older next = {0};
    int status =
        sh_db_each(objects->db, err,
                   "SELECT file, marker, sequence FROM object_versions WHERE bucket = ?1 AND key = ?2"
                   " ORDER BY sequence DESC LIMIT 1",
                   take_older, &next, "ss", bucket, key);
    if (status < 0 || !next.found)
        return status;
    if (next.marker)
        return sh_db_run(objects->db, err,
                         "UPDATE object_versions SET noncurrent_ms = NULL WHERE bucket = ?1 AND key = ?2"
                         " AND sequence = ?3",
                         "ssi", bucket, key, next.sequence);
    status = sh_db_run(objects->db, err,
                       "INSERT INTO objects (" MOVED ") SELECT " MOVED
                       " FROM object_versions WHERE bucket = ?1 AND key = ?2 AND sequence = ?3",
                       "ssi", bucket, key, next.sequence);
    return status < 0 ? status
                      : sh_db_run(objects->db, err,
                                  "DELETE FROM object_versions WHERE bucket = ?1 AND key = ?2"
                                  " AND sequence = ?3",
                                  "ssi", bucket, key, next.sequence);
}

int sh_version_remove(const sh_objects *objects, const char *bucket, const char *key, const char *version,
                      char old[SH_OBJECT_FILE], bool *found, bool *marker, sh_err *err)
{
    sh_present present;
    older gone = {0};
    int status = sh_present_get(objects, bucket, key, &present, err);
    if (status < 0)
        return status;
    if (present.found && strcmp(present.version_id, version) == 0) {
        gone.found = true;
        memcpy(gone.file, present.file, sizeof(gone.file));
        status = sh_db_run(objects->db, err, "DELETE FROM objects WHERE bucket = ?1 AND key = ?2", "ss",
                           bucket, key);
        present.found = false;
    } else {
        status = drop_older(objects, bucket, key, version, &gone, err);
    }
    if (status == 0 && gone.found && !present.found)
        status = promote(objects, bucket, key, err);
    if (status < 0)
        return status;
    memcpy(old, gone.file, SH_OBJECT_FILE);
    *found = gone.found;
    *marker = gone.marker;
    return 0;
}
