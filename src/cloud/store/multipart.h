/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_MULTIPART_H
#define SH_STORE_MULTIPART_H
/* Multipart uploads. Each part is a file under DATA/objects, or a small body in the database, with a row,
 * durable by itself; completing joins the parts into one staged file, which then becomes the object in the
 * transaction that ends the upload. */
#include "cloud/store/objects.h"

enum { SH_PARTS_MAX = 10000, SH_UPLOAD_ID_MAX = 40 };

typedef struct sh_upload {
    const char *id;
    const char *bucket;
    const char *key;
    const char *content_type; /* NULL: none given */
    const char *headers;
    const char *checksum;             /* algorithm and type that were asked for: "crc32 composite", or NULL */
    const char *tags, *acl, *storage; /* as in sh_object */
    int64_t created_ms;
} sh_upload;

typedef struct sh_part {
    int64_t number; /* 1..10000 */
    const char *file;
    const char *etag;     /* MD5 in hex */
    const char *checksum; /* "crc32=…" or NULL */
    int64_t size;
    int64_t modified_ms;
} sh_part;

/* id holds SH_UPLOAD_ID_MAX bytes. Ids of one key are in the order of the uploads' beginning. */
int sh_upload_create(const sh_objects *objects, const sh_upload *upload, char *id, sh_err *err);
/* SH_E_NOT_FOUND also when the id belongs to another bucket or key. */
int sh_upload_get(const sh_objects *objects, const char *bucket, const char *key, const char *id,
                  sh_arena *arena, sh_upload *out, sh_err *err);
/* Moves the finished file in, or takes part->size `bytes` when path is NULL; a part of that number is
 * replaced. On failure the file is deleted or stays. */
int sh_upload_put_part(const sh_objects *objects, const char *id, const sh_part *part, const char *path,
                       const void *bytes, sh_err *err);
/* Parts with number > after, in order, at most max; *parts and their strings in the arena. */
int sh_upload_parts(const sh_objects *objects, const char *id, int64_t after, int64_t max, sh_arena *arena,
                    sh_part **parts, size_t *count, sh_err *err);
/* Joins `parts` into a staged file (path holds SH_STAGE_PATH bytes). */
int sh_upload_join(const sh_objects *objects, const sh_part *parts, size_t count, char *path, sh_err *err);
/* As sh_objects_publish of one object, and the upload with its parts ends in the same transaction. */
int sh_upload_complete(const sh_objects *objects, const char *id, const sh_object_new *item,
                       const sh_object_cause *cause, sh_err *err);
int sh_upload_abort(const sh_objects *objects, const char *id, sh_err *err);
/* Uploads of a bucket in order of key and id, after (key, id); at most max; in the arena. */
int sh_uploads_list(const sh_objects *objects, const char *bucket, const char *prefix, const char *after_key,
                    const char *after_id, int64_t max, sh_arena *arena, sh_upload **uploads, size_t *count,
                    sh_err *err);

#endif
