/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_LIFECYCLE_H
#define SH_API_S3_LIFECYCLE_H
/* Lifecycle of a bucket: what its rules say, when an object expires by them, and the runner that makes it
 * so. As on S3 an object is due at the first midnight UTC that is `days` after its writing. */
#include "cloud/api/cloud.h"
#include "cloud/store/objects.h"

typedef struct sh_lifecycle_rule {
    const char *id;
    bool enabled;
    const char *prefix;   /* "": all */
    const char *tags;     /* JSON object text; NULL: any */
    int64_t larger_than;  /* -1: any */
    int64_t smaller_than; /* -1: any */
    int64_t days;         /* of the current version; 0: does not expire by age */
    int64_t date_ms;      /* everything expires from then on; -1: no date */
    bool markers;         /* ExpiredObjectDeleteMarker */
    int64_t old_days;     /* NoncurrentDays; 0: none */
    int64_t old_keep;     /* NewerNoncurrentVersions */
    int64_t upload_days;  /* DaysAfterInitiation of uploads that were not completed; 0: none */
} sh_lifecycle_rule;

typedef struct sh_lifecycle {
    sh_lifecycle_rule *rules;
    size_t count;
    sh_arena *arena;
} sh_lifecycle;

/* From the text as it is kept. */
int sh_lifecycle_parse(sh_lifecycle **out, const char *text, sh_err *err);
void sh_lifecycle_free(sh_lifecycle *lifecycle); /* NULL is fine */

/* Midnight UTC at or after `from_ms` + days. */
int64_t sh_lifecycle_due(int64_t from_ms, int64_t days);
/* When the object expires, and by which rule; -1: never. */
int64_t sh_lifecycle_expiry(const sh_lifecycle *lifecycle, const sh_object *object,
                            const sh_lifecycle_rule **rule);

struct sh_s3;
/* x-amz-expiration, for an object of the request's bucket that is written or read. */
void sh_s3_expiration_field(struct sh_s3 *s3, const sh_object *object);

/* The same for one that was written just now under the request's key. */
void sh_s3_expiration_written(struct sh_s3 *s3, int64_t size, const char *tags);

/* Does what is due in all buckets; *next_ms: the next midnight. */
int sh_lifecycle_pump(sh_cloud *cloud, int64_t *next_ms, sh_err *err);
/* The runner's thread. */
int sh_lifecycle_run(sh_cloud *cloud);

#endif
