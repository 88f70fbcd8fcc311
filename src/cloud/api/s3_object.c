/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PutObject, GetObject, HeadObject. */
#include "cloud/api/s3.h"

#include <string.h>

void sh_s3_put_object_begin(sh_s3 *s3)
{
    sh_bucket bucket;
    sh_object_if condition;
    const char *tags;
    sh_s3_detail details[] = {{"ArgumentName", "versionId"}, {"ArgumentValue", sh_s3_version(s3)}};
    if (!sh_s3_need_bucket(s3, &bucket))
        return;
    if (details[1].value)
        sh_s3_fail_with(s3, 400, "InvalidArgument", details, 2,
                        "This operation does not accept a version-id.");
    else if (sh_s3_meta_supported(s3) && sh_s3_tags_asked(s3, &tags) &&
             sh_s3_write_conditions(s3, &condition))
        sh_s3_receive_begin(s3, (sh_s3_checksum_rule){0});
}

void sh_s3_put_object(sh_s3 *s3)
{
    sh_object_new draft = {0};
    if (!sh_s3_receive_finish(s3) || !sh_s3_draft(s3, &draft) || !sh_s3_write(s3, "PutObject", &draft))
        return;
    sh_s3_field_quoted(s3, "ETag", s3->receiver.etag);
    sh_s3_checksum_field(s3, s3->receiver.checksum);
    sh_s3_encryption_field(s3, draft.headers);
    sh_s3_answer_empty(s3, 200);
}

void sh_s3_get_object(sh_s3 *s3)
{
    sh_object object;
    int fd = -1;
    const void *bytes = NULL;
    bool head = strcmp(s3->head->method, "HEAD") == 0;
    if (!sh_s3_find(s3, &object, head ? NULL : &fd, &bytes))
        return;
    sh_s3_version_field(s3, &object);
    sh_s3_tagging_count(s3, &object);
    sh_s3_answer_object(s3, &object, fd, bytes);
}
