/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_OBJECT_ROWS_H
#define SH_STORE_OBJECT_ROWS_H
/* Rows of objects and of object_versions, which have the same columns; used inside the store only. */
#include "cloud/store/object_events.h"
#include "cloud/store/object_files.h"

/* What both tables keep of an object, and how it is read: these columns, then marker, latest, versioned. */
#define SH_OBJECT_COLUMNS                                                                                    \
    "key, file, etag, content_type, headers, checksum, size, modified_ms, sequence, version_id, tags, acl,"  \
    " parts, storage"
#define SH_OBJECT_CURRENT_AND(more)                                                                          \
    "SELECT " SH_OBJECT_COLUMNS ", 0, 1, (SELECT versioning FROM buckets WHERE name = bucket)" more          \
    " FROM objects"
#define SH_OBJECT_CURRENT SH_OBJECT_CURRENT_AND("")
#define SH_OBJECT_OLDER_AND(more)                                                                            \
    "SELECT " SH_OBJECT_COLUMNS ", marker, noncurrent_ms IS NULL,"                                           \
    " (SELECT versioning FROM buckets WHERE name = bucket)" more " FROM object_versions"
#define SH_OBJECT_OLDER SH_OBJECT_OLDER_AND("")

/* Texts are kept in the arena, or borrowed from the row when it is NULL. SH_E_MEMORY or 0. */
int sh_object_read(const sh_row *row, sh_arena *arena, sh_object *out);

/* The current object of a key, as far as a change has to know it. */
typedef struct sh_present {
    bool found;
    char file[SH_OBJECT_FILE];
    char version_id[SH_VERSION_ID];
    char etag[128];
    int64_t size, modified_ms, sequence;
} sh_present;

int sh_present_get(const sh_objects *objects, const char *bucket, const char *key, sh_present *out,
                   sh_err *err);
/* 0, or the status of a condition that does not hold. */
int sh_present_check(const char *bucket, const char *key, const sh_present *present,
                     const sh_object_if *condition, sh_err *err);

/* All of these are called inside the caller's transaction. */

/* The next sequence. */
int sh_sequence_take(const sh_objects *objects, int64_t *sequence, sh_err *err);
/* The id of the version of that sequence, which can be read out of it again (0: it is not one). */
int sh_version_id_make(int64_t sequence, char id[SH_VERSION_ID], sh_err *err);
int64_t sh_version_id_sequence(const char *id);

/* Makes way for a new latest version: the current object is removed or becomes an older version. *old: the
 * file that has no row any more, or "". */
int sh_version_make_way(const sh_objects *objects, const sh_bucket *bucket, const char *key,
                        const sh_present *present, char old[SH_OBJECT_FILE], sh_err *err);
/* A delete marker as the latest version. */
int sh_version_add_marker(const sh_objects *objects, const sh_bucket *bucket, const char *key,
                          char id[SH_VERSION_ID], int64_t *sequence, sh_err *err);
/* Removes one version for good; when it was the latest, the one before takes its place. *found: there was
 * one; *marker: it was a delete marker. */
int sh_version_remove(const sh_objects *objects, const char *bucket, const char *key, const char *version,
                      char old[SH_OBJECT_FILE], bool *found, bool *marker, sh_err *err);

/* sh_objects_delete_each without its files: old[i], which has `count` lines, gets the file of doomed[i] to
 * drop after the commit, or "". May be called outside a transaction. */
int sh_objects_delete_rows(const sh_objects *objects, const char *name, sh_object_doomed *doomed,
                           size_t count, const sh_object_cause *cause, char (*old)[SH_OBJECT_FILE],
                           sh_err *err);

#endif
