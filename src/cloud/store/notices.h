/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STORE_NOTICES_H
#define SH_STORE_NOTICES_H
/* Notifications of buckets to functions: an outbox of its own beside that of EventBridge, filled in the
 * transaction that makes the change, and emptied by who calls the functions. A notice is the event as S3
 * sends it to Lambda ("Event message structure" of the S3 user guide), JSON text with one record. The latest
 * SH_NOTICES_MAX are kept. */
#include "cloud/store/object_events.h"
#include "cloud/store/objects.h"

#define SH_NOTICES_MAX 100000

/* The kind "notification" of a bucket's configuration (buckets.h) is JSON:
 * {"eventbridge": true, "functions": [{"id", "arn", "events": ["s3:ObjectCreated:*"], "prefix", "suffix"}]}
 */
int sh_bucket_set_notification(const sh_objects *objects, const char *bucket, bool eventbridge,
                               bool functions, const char *text, sh_err *err);

/* Inside the transaction of the change, when bucket->functions: a notice for each function that wants it. */
int sh_notices_add(const sh_objects *objects, const sh_bucket *bucket, const sh_object_change *change,
                   const sh_object_cause *cause, sh_err *err);

typedef struct sh_notice {
    int64_t id;
    const char *function; /* ARN */
    const char *event;    /* JSON text */
    int64_t created_ms;
    const char *trace; /* of what made the change (outbox.h); NULL: none */
} sh_notice;

/* The oldest, at most `limit`; a notice lives until fn returns. */
typedef int (*sh_notice_fn)(void *opaque, const sh_notice *notice);
int sh_notices_list(sh_db *db, int64_t limit, sh_notice_fn fn, void *opaque, sh_err *err);
int sh_notices_remove(sh_db *db, int64_t id, sh_err *err);

#endif
