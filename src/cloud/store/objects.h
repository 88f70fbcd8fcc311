/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_OBJECTS_H
#define SH_STORE_OBJECTS_H
/* Buckets and objects. A row in the database is an object; its bytes are the file DATA/objects/<two
 * hex>/<uuid> that the row names. A file never changes once a row names it: a new version of an object is a
 * new file, and the old one is unlinked after the transaction, so whoever opened it reads it to its end.
 *
 * The way of a new object: a file under DATA/tmp is written, synced, renamed into objects/, the folder
 * synced, and only then does one transaction make the row and the event row. A crash before the commit leaves
 * a file without a row, which sh_objects_recover removes; after it, everything. All functions are
 * thread-safe.
 *
 * S3's answers are made in cloud/api; here are the store's own errors: SH_E_NOT_FOUND (no such bucket, key or
 * upload), SH_E_CONFLICT (exists, not empty, precondition), SH_E_FULL (no space on the disk). */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "cloud/store/db.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the functions work on; a plain value, everything in it borrowed. */
typedef struct sh_objects {
    sh_db *db;
    const sh_clock *clock;
    const char *data;    /* the data folder */
    const char *region;  /* of the events */
    const char *account; /* of the events */
} sh_objects;

#define SH_OBJECT_KEY_MAX 1024 /* bytes */
#define SH_BUCKET_NAME_MAX 63

/* At start, before anything else uses the store: makes the folders, empties DATA/tmp, removes files of
 * objects/ that no row names. */
int sh_objects_recover(const sh_objects *objects, sh_err *err);

/* ---- buckets ---- */

typedef struct sh_bucket {
    char name[SH_BUCKET_NAME_MAX + 1];
    char region[32];
    int64_t created_ms;
    bool eventbridge; /* "Object Created" and "Object Deleted" go to EventBridge */
} sh_bucket;

bool sh_bucket_name_valid(const char *name); /* AWS's rules for general purpose buckets */
int sh_bucket_create(const sh_objects *objects, const char *name, const char *region, sh_err *err);
int sh_bucket_get(const sh_objects *objects, const char *name, sh_bucket *out, sh_err *err);
int sh_bucket_delete(const sh_objects *objects, const char *name, sh_err *err); /* CONFLICT: not empty */
int sh_bucket_set_eventbridge(const sh_objects *objects, const char *name, bool on, sh_err *err);
typedef int (*sh_bucket_fn)(void *opaque, const sh_bucket *bucket); /* non-zero ends; may not use the store */
int sh_bucket_each(const sh_objects *objects, sh_bucket_fn fn, void *opaque, sh_err *err);

/* ---- objects ---- */

typedef struct sh_object {
    const char *key;
    const char *file; /* relative to DATA/objects */
    const char *etag; /* without quotes: MD5 in hex, or "<md5 of md5s>-<parts>" */
    const char *content_type;
    const char *headers;  /* JSON object, {name: value}: what the writer set, given back to readers */
    const char *checksum; /* "crc32=<base64>" and the like, or NULL */
    int64_t size;
    int64_t modified_ms;
    int64_t sequence; /* grows with every write of the store */
} sh_object;

/* Strings of *out are in the arena. */
int sh_object_get(const sh_objects *objects, const char *bucket, const char *key, sh_arena *arena,
                  sh_object *out, sh_err *err);
/* As sh_object_get, and opens the file for reading (close-on-exec). The caller closes *fd. What was opened
 * stays whole, whatever becomes of the key. */
int sh_object_open(const sh_objects *objects, const char *bucket, const char *key, sh_arena *arena,
                   sh_object *out, int *fd, sh_err *err);

/* Who makes a change, for the event; NULL is fine for each. */
typedef struct sh_object_cause {
    const char *reason;     /* "PutObject", "CompleteMultipartUpload", "CopyObject", "DeleteObject" */
    const char *request_id; /* made when NULL */
    const char *requester;  /* account or service ("mediaconvert.amazonaws.com"); the account when NULL */
    const char *source_ip;  /* "127.0.0.1" when NULL */
} sh_object_cause;

/* A new object from a finished file under DATA/tmp. */
typedef struct sh_object_new {
    const char *bucket;
    const char *key;
    const char *path;         /* of the file; it is moved away */
    const char *content_type; /* NULL: binary/octet-stream */
    const char *headers;      /* JSON object as in sh_object; NULL: none */
    const char *checksum;     /* as in sh_object; NULL: none */
    const char *etag;         /* NULL: the MD5 is computed from the file */
    bool only_if_absent;      /* If-None-Match: * -> SH_E_CONFLICT when the key exists */
} sh_object_new;

/* Makes all `count` objects in ONE transaction together with their events: afterwards all are visible or none
 * is. Files are synced here, so the caller need not. On success the files have moved; on failure those
 * already moved are deleted and the rest stay where they are: remove the staging folder either way. After
 * success call sh_cloud_wake(SH_WAKE_EVENTS). A key that occurs twice: the last one stays. */
int sh_objects_publish(const sh_objects *objects, const sh_object_new *items, size_t count,
                       const sh_object_cause *cause, sh_err *err);
/* The same, and `with` is called in that transaction, after the objects' rows: what it writes becomes true
 * together with them, and when it fails nothing is published. */
typedef int (*sh_object_with_fn)(void *opaque, sh_err *err);
int sh_objects_publish_with(const sh_objects *objects, const sh_object_new *items, size_t count,
                            const sh_object_cause *cause, sh_object_with_fn with, void *opaque, sh_err *err);

/* Deletes all the keys in one transaction, also on a full disk (DATA/reserve is given up for it). A key that
 * is not there is fine, as in S3. */
int sh_objects_delete(const sh_objects *objects, const char *bucket, const char *const *keys, size_t count,
                      const sh_object_cause *cause, sh_err *err);
int sh_object_delete(const sh_objects *objects, const char *bucket, const char *key,
                     const sh_object_cause *cause, sh_err *err);

/* ---- staging ---- */

/* A new empty file DATA/tmp/put-…; `path` holds at least SH_STAGE_PATH bytes. Close *fd, and unlink the path
 * unless it was published. */
#define SH_STAGE_PATH 4096
int sh_stage_file(const sh_objects *objects, char *path, int *fd, sh_err *err);
/* A new empty folder DATA/tmp/<name>-…, for a stream that is to be published. Remove with sh_dir_remove. */
int sh_stage_folder(const sh_objects *objects, const char *name, char *path, sh_err *err);

/* ---- listing ---- */

typedef struct sh_list_query {
    const char *bucket;
    const char *prefix;    /* "" : all */
    const char *delimiter; /* "" : none */
    const char *after;     /* keys (and common prefixes) that come after this; "" : from the start */
    int max;               /* keys and common prefixes in all */
} sh_list_query;

/* One of object and common_prefix is NULL. Non-zero ends the listing as an error. */
typedef int (*sh_list_fn)(void *opaque, const sh_object *object, const char *common_prefix);
/* In byte order of the keys. *next: NULL at the end, else what to give as `after` for the next page, in the
 * arena. */
int sh_objects_list(const sh_objects *objects, const sh_list_query *query, sh_list_fn fn, void *opaque,
                    sh_arena *arena, const char **next, sh_err *err);

#endif
