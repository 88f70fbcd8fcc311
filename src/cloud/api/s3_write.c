/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all operations that write an object share: their conditions and the step that publishes. A condition
 * is looked at twice: when the head is there, so that nobody sends gigabytes in vain, and in the transaction
 * of the write, which alone decides. */
#include "cloud/api/s3.h"
#include "cloud/api/s3_lifecycle.h"

#include <string.h>

static void fail_condition(sh_s3 *s3, const sh_object_if *condition)
{
    sh_s3_detail detail = {"Condition", condition->absent ? "If-None-Match" : "If-Match"};
    sh_s3_fail_with(s3, 412, "PreconditionFailed", &detail, 1,
                    "At least one of the pre-conditions you specified did not hold");
}

bool sh_s3_write_conditions(sh_s3 *s3, sh_object_if *out)
{
    sh_err err = {0};
    const char *match = sh_http_field_get(s3->head, "if-match");
    const char *none = sh_http_field_get(s3->head, "if-none-match");
    *out = (sh_object_if){.match = match, .absent = none != NULL};
    if ((none && strcmp(none, "*") != 0) || (match && none)) {
        sh_s3_detail detail = {"Header", "If-None-Match"};
        sh_s3_fail_with(s3, 501, "NotImplemented", &detail, 1,
                        "A header you provided implies functionality that is not implemented");
        return false;
    }
    if (!match && !none)
        return true;
    int status = sh_object_check(&s3->objects, s3->bucket, s3->key, out, &err);
    if (status == SH_E_CONFLICT)
        fail_condition(s3, out);
    else if (status < 0)
        sh_s3_fail_store(s3, &err);
    return status == 0;
}

void sh_s3_fail_write(sh_s3 *s3, const sh_object_if *condition, const sh_err *err)
{
    sh_bucket bucket;
    if (err->status == SH_E_CONFLICT && (condition->match || condition->absent)) {
        fail_condition(s3, condition);
        return;
    }
    if (err->status != SH_E_NOT_FOUND || !condition->match) {
        sh_s3_fail_store(s3, err);
        return;
    }
    /* It was there when the request began. */
    if (sh_s3_need_bucket(s3, &bucket))
        sh_s3_fail(s3, 409, "ConditionalRequestConflict",
                   "The conditional request cannot succeed due to a conflicting operation against this "
                   "resource.");
}

void sh_s3_wrote_version(sh_s3 *s3, const char *version)
{
    if (*version)
        sh_http_add_field(s3->http, "x-amz-version-id", version);
}

bool sh_s3_write(sh_s3 *s3, const char *reason, const sh_object_new *more)
{
    sh_err err = {0};
    char version[SH_VERSION_ID] = "";
    bool told = false;
    sh_object_cause cause = sh_s3_cause(s3, reason);
    sh_object_new item = *more;
    item.bucket = s3->bucket;
    item.key = s3->key;
    item.path = s3->receiver.path;
    item.bytes = s3->receiver.bytes;
    item.length = (size_t)s3->receiver.size;
    item.etag = s3->receiver.etag;
    item.checksum = s3->receiver.checksum;
    item.version_id = version;
    item.told = &told;
    if (sh_objects_publish(&s3->objects, &item, 1, &cause, &err) < 0) {
        sh_s3_fail_write(s3, &item.condition, &err);
        return false;
    }
    s3->receiver.path = NULL;
    if (told)
        sh_cloud_wake(s3->cloud, SH_WAKE_NOTICES);
    sh_s3_wrote_version(s3, version);
    sh_s3_expiration_written(s3, s3->receiver.size, item.tags);
    return true;
}
