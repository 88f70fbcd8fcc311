/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_OBJECTS_H
#define SH_STORE_OBJECTS_H
/* Buckets and objects. A row in the database is an object; its bytes are the file DATA/objects/<two
 * hex>/<uuid> that the row names, or, where they are few, another row (bodies.h). A file never changes once a
 * row names it: a new version of an object is a new file, and the old one, unless the bucket keeps versions,
 * is unlinked after the transaction, so whoever opened it reads it to its end.
 *
 * The table objects has the current object of each key and nothing else, so that reads and lists cost the
 * same with versions as without; object_versions has what is not current: older versions, and delete markers
 * (object_versions.c). The latest version of a key is that of the highest sequence of both.
 *
 * The way of a new object (object_files.h): a file written under DATA/tmp is linked into objects/, it and its
 * folder are synced, and only then does one transaction make the row and the event row. A crash before the
 * commit leaves a file without a row, which sh_objects_recover removes; after it, everything. All functions
 * are thread-safe.
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
    size_t row_max;      /* bytes of an object or part that is kept in the database; 0: all are files */
} sh_objects;

#define SH_ROW_MAX 16384 /* row_max of a server: bench/README.md */

#define SH_OBJECT_KEY_MAX 1024 /* bytes */
#define SH_BUCKET_NAME_MAX 63

/* At start, before anything else uses the store: makes the folders, empties DATA/tmp, removes files of
 * objects/ that were on their way there or whose row was deleted. */
int sh_objects_recover(const sh_objects *objects, sh_err *err);

/* ---- buckets ---- */

typedef enum sh_versioning {
    SH_VERSIONING_NEVER,     /* a write replaces the version "null", a delete removes it */
    SH_VERSIONING_ENABLED,   /* a write makes a version, a delete a marker */
    SH_VERSIONING_SUSPENDED, /* both replace the version "null" and keep the others */
} sh_versioning;

typedef struct sh_bucket {
    char name[SH_BUCKET_NAME_MAX + 1];
    char region[32];
    int64_t created_ms;
    bool eventbridge; /* events of its objects go to EventBridge */
    bool functions;   /* and to functions of Lambda: notices.h */
    sh_versioning versioning;
} sh_bucket;

bool sh_bucket_name_valid(const char *name); /* AWS's rules for general purpose buckets */
int sh_bucket_create(const sh_objects *objects, const char *name, const char *region, sh_err *err);
int sh_bucket_get(const sh_objects *objects, const char *name, sh_bucket *out, sh_err *err);
int sh_bucket_delete(const sh_objects *objects, const char *name, sh_err *err); /* CONFLICT: not empty */
int sh_bucket_set_eventbridge(const sh_objects *objects, const char *name, bool on, sh_err *err);
/* SH_VERSIONING_NEVER is no state to go back to: SH_E_ARGUMENT. */
int sh_bucket_set_versioning(const sh_objects *objects, const char *name, sh_versioning versioning,
                             sh_err *err);
typedef int (*sh_bucket_fn)(void *opaque, const sh_bucket *bucket); /* non-zero ends; may not use the store */
int sh_bucket_each(const sh_objects *objects, sh_bucket_fn fn, void *opaque, sh_err *err);

/* ---- objects ---- */

typedef struct sh_object {
    const char *key;
    const char *file; /* relative to DATA/objects; or "row/…": bodies.h */
    const char *etag; /* without quotes: MD5 in hex, or "<md5 of md5s>-<parts>" */
    const char *content_type;
    const char *headers;  /* JSON object, {name: value}: what the writer set, given back to readers */
    const char *checksum; /* "crc32=<base64>" and the like, or NULL */
    int64_t size;
    int64_t modified_ms;
    int64_t sequence;       /* grows with every write of the store */
    const char *version_id; /* "null" for one written without versioning */
    bool versioned;         /* the bucket has or had versioning: readers are told the version_id */
    bool marker;            /* a delete marker: no file, etag, type ... ("") */
    bool latest;            /* of its key's versions */
    const char *tags;       /* JSON object {key: value}, or NULL: none */
    const char *acl;        /* JSON text of its access control list, or NULL: private */
    const char *parts;   /* [[number, size, checksum or null] …] it was made of, or NULL: written in one */
    const char *storage; /* storage class, or NULL: STANDARD */
} sh_object;

/* Strings of *out are in the arena. The current object: when the latest version is a delete marker there is
 * none. */
int sh_object_get(const sh_objects *objects, const char *bucket, const char *key, sh_arena *arena,
                  sh_object *out, sh_err *err);
/* As sh_object_get, and opens the file for reading (close-on-exec; of what is kept in the database a file of
 * memory is made). The caller closes *fd. What was opened stays whole, whatever becomes of the key. */
int sh_object_open(const sh_objects *objects, const char *bucket, const char *key, sh_arena *arena,
                   sh_object *out, int *fd, sh_err *err);

/* The version of that id; NULL: the latest. A delete marker is found too (out->marker), also as the latest
 * one; SH_E_NOT_FOUND only where there is nothing at all. */
int sh_object_get_version(const sh_objects *objects, const char *bucket, const char *key, const char *version,
                          sh_arena *arena, sh_object *out, sh_err *err);
/* As sh_object_get_version, and opens the file; *fd is -1 for a delete marker. */
int sh_object_open_version(const sh_objects *objects, const char *bucket, const char *key,
                           const char *version, sh_arena *arena, sh_object *out, int *fd, sh_err *err);
/* The same, but of what is kept in the database *bytes are the bytes, in the arena, and *fd is -1; else
 * *bytes is NULL. */
int sh_object_read_version(const sh_objects *objects, const char *bucket, const char *key,
                           const char *version, sh_arena *arena, sh_object *out, int *fd, const void **bytes,
                           sh_err *err);
#define SH_VERSION_ID 33 /* bytes of a version id with its NUL */
/* Whether the text could be a version id ("null", or 32 of [A-Za-z0-9._]). */
bool sh_version_id_valid(const char *text);

/* Who makes a change, for the event; NULL is fine for each. */
typedef struct sh_object_cause {
    const char *reason;     /* "PutObject", "CompleteMultipartUpload", "CopyObject", "DeleteObject" */
    const char *request_id; /* made when NULL */
    const char *requester;  /* account or service ("mediaconvert.amazonaws.com"); the account when NULL */
    const char *source_ip;  /* "127.0.0.1" when NULL */
} sh_object_cause;

/* What must hold of the current object for a write or a delete to be done; looked at inside its transaction.
 * All zero: nothing. SH_E_CONFLICT: does not hold. SH_E_NOT_FOUND: `match` is given and there is no current
 * object (a delete marker is none, whatever is behind it). */
typedef struct sh_object_if {
    const char *match;   /* value of If-Match: an entity tag, quoted or not, several, or "*" */
    bool absent;         /* If-None-Match: * : there is no current object */
    bool has_modified;   /* modified_ms is to be the same, by the second */
    bool has_size;       /* size is to be the same */
    int64_t modified_ms; /* these two hold, as on AWS, when there is no object */
    int64_t size;
} sh_object_if;

/* A new object from a finished file under DATA/tmp, or from bytes. */
typedef struct sh_object_new {
    const char *bucket;
    const char *key;
    const char *path;                         /* of the file; it is moved away. NULL: `bytes` */
    const void *bytes;                        /* borrowed; kept in the database, so only for few */
    size_t length;                            /* of them */
    const char *content_type;                 /* NULL: binary/octet-stream */
    const char *headers;                      /* JSON object as in sh_object; NULL: none */
    const char *checksum;                     /* as in sh_object; NULL: none */
    const char *etag;                         /* NULL: the MD5 is computed from the file */
    sh_object_if condition;                   /* all zero: none */
    const char *tags, *acl, *parts, *storage; /* as in sh_object; NULL: none */
    char *version_id; /* NULL, or SH_VERSION_ID bytes that get the new version's; "" without versioning */
    bool *told;       /* NULL, or set when the change is told to somebody: there is an event to deliver */
} sh_object_new;

/* Makes all `count` objects in ONE transaction together with their events: afterwards all are visible or none
 * is. Files are synced here, so the caller need not. On success the files have moved; on failure those
 * already moved are deleted and the rest stay where they are: remove the staging folder either way. After
 * success call sh_cloud_wake(SH_WAKE_EVENTS), or not if `told` was not set. A key that occurs twice: the last
 * one stays. */
int sh_objects_publish(const sh_objects *objects, const sh_object_new *items, size_t count,
                       const sh_object_cause *cause, sh_err *err);
/* The same, and `with` is called in that transaction, after the objects' rows: what it writes becomes true
 * together with them, and when it fails nothing is published. */
typedef int (*sh_object_with_fn)(void *opaque, sh_err *err);
int sh_objects_publish_with(const sh_objects *objects, const sh_object_new *items, size_t count,
                            const sh_object_cause *cause, sh_object_with_fn with, void *opaque, sh_err *err);

/* Whether the condition of a write holds now, before its bytes are received. */
int sh_object_check(const sh_objects *objects, const char *bucket, const char *key,
                    const sh_object_if *condition, sh_err *err);

/* One to delete, and what became of it. */
typedef struct sh_object_doomed {
    const char *key;
    const char *version;    /* NULL: the object itself, which with versioning leaves a delete marker */
    sh_object_if condition; /* of the current object, or of that version */
    int status;             /* out: 0; SH_E_CONFLICT, SH_E_NOT_FOUND: of the condition */
    bool marker;            /* out: a delete marker was made, or the version that was removed was one */
    char version_id[SH_VERSION_ID]; /* out: of the marker that was made, or what was removed; "": none */
} sh_object_doomed;

/* Deletes all of them in one transaction, also on a full disk (DATA/reserve is given up for it). A key or
 * version that is not there is fine, as in S3. One whose condition does not hold is left and told in its
 * status, the others are deleted. */
int sh_objects_delete_each(const sh_objects *objects, const char *bucket, sh_object_doomed *doomed,
                           size_t count, const sh_object_cause *cause, sh_err *err);
/* The same by keys alone. */
int sh_objects_delete(const sh_objects *objects, const char *bucket, const char *const *keys, size_t count,
                      const sh_object_cause *cause, sh_err *err);
int sh_object_delete(const sh_objects *objects, const char *bucket, const char *key,
                     const sh_object_cause *cause, sh_err *err);

/* Tags (JSON object; NULL: none) and access control list of a version (NULL: the latest), in place: neither
 * makes a version. SH_E_NOT_FOUND; SH_E_CONFLICT: it is a delete marker. *out, which may be NULL, gets the
 * version as it is then, in the arena. */
int sh_object_set_tags(const sh_objects *objects, const char *bucket, const char *key, const char *version,
                       const char *tags, const sh_object_cause *cause, sh_arena *arena, sh_object *out,
                       sh_err *err);
int sh_object_set_acl(const sh_objects *objects, const char *bucket, const char *key, const char *version,
                      const char *acl, const sh_object_cause *cause, sh_arena *arena, sh_object *out,
                      sh_err *err);

/* ---- lifecycle ---- */

/* What a rule of a lifecycle speaks of. A call looks at keys after `after` and stops when it has deleted
 * `limit`, or seen some thousands of rows: one transaction each, so that others get their turn. */
typedef struct sh_expiry {
    const char *bucket;
    const char *prefix;                /* "": all */
    const char *tags;                  /* JSON object: all of these; NULL: any */
    int64_t larger_than;               /* size > this; -1: any */
    int64_t smaller_than;              /* size < this; -1: any */
    int64_t before_ms;                 /* written, or for noncurrent ones: no longer current, before this */
    int64_t keep;                      /* noncurrent: this many of the newest noncurrent ones of a key stay */
    int64_t limit;                     /* at most so many; 1..1000 */
    char after[SH_OBJECT_KEY_MAX + 1]; /* "" at first; moved on by each call */
    int64_t deleted;                   /* out, summed up */
    bool done;                         /* out: the end of the bucket was reached */
} sh_expiry;

/* Current objects: deleted as DeleteObject without a version would. */
int sh_objects_expire(const sh_objects *objects, sh_expiry *expiry, const sh_object_cause *cause,
                      sh_err *err);
/* Versions that are not the latest: removed for good. */
int sh_objects_expire_noncurrent(const sh_objects *objects, sh_expiry *expiry, const sh_object_cause *cause,
                                 sh_err *err);
/* Delete markers that are the only version of their key (ExpiredObjectDeleteMarker). */
int sh_objects_expire_markers(const sh_objects *objects, sh_expiry *expiry, const sh_object_cause *cause,
                              sh_err *err);

/* ---- staging ---- */

/* A new empty file DATA/tmp/<32 hex>; `path` holds at least SH_STAGE_PATH bytes. Close *fd, and unlink the
 * path unless it was published. */
#define SH_STAGE_PATH 4096
int sh_stage_file(const sh_objects *objects, char *path, int *fd, sh_err *err);
/* What an object has, as such a file: another name of its own file, or a copy of few bytes. */
int sh_object_share(const sh_objects *objects, const sh_object *from, char *path, sh_err *err);
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

typedef struct sh_versions_query {
    const char *bucket;
    const char *prefix;        /* "": all */
    const char *delimiter;     /* "": none */
    const char *after;         /* keys (and common prefixes) that come after this; "": from the start */
    const char *after_version; /* with `after`: also that key's versions older than this one; NULL: none */
    int max;                   /* versions, markers and common prefixes in all */
} sh_versions_query;

/* Versions and delete markers, in byte order of the keys, of one key the latest first. *next and
 * *next_version: NULL at the end, else what to give as `after` and `after_version` (NULL behind a common
 * prefix). SH_E_NOT_FOUND: there is no such version of `after`. */
int sh_versions_list(const sh_objects *objects, const sh_versions_query *query, sh_list_fn fn, void *opaque,
                     sh_arena *arena, const char **next, const char **next_version, sh_err *err);

#endif
