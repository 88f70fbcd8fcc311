/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which actions of IAM an operation of S3 needs ("Required permissions for Amazon S3 API operations"), where
 * they are not called like the operation. */
#include "cloud/api/s3_authorize.h"

#include <string.h>

#define ACL SH_S3_TELLS_ACL
#define TAGS SH_S3_TELLS_TAGS
#define NOTHING SH_S3_TELLS_NOTHING

/* clang-format off */
static const sh_s3_permission permissions[] = {
    {"PutObject", "PutObject", NULL, NULL, NULL, ACL | TAGS},
    {"GetObject", "GetObject", "GetObjectVersion", NULL, NULL, 0},
    {"HeadObject", "GetObject", "GetObjectVersion", NULL, NULL, 0},
    {"DeleteObject", "DeleteObject", "DeleteObjectVersion", NULL, NULL, 0},
    {"CopyObject", "PutObject", NULL, NULL, NULL, ACL | TAGS}, /* the source: sh_s3_may_read */
    {"CreateMultipartUpload", "PutObject", NULL, NULL, NULL, ACL | TAGS},
    {"UploadPart", "PutObject", NULL, NULL, NULL, 0},
    {"UploadPartCopy", "PutObject", NULL, NULL, NULL, 0},
    {"CompleteMultipartUpload", "PutObject", NULL, NULL, NULL, 0},
    {"ListParts", "ListMultipartUploadParts", NULL, NULL, NULL, 0},
    {"GetObjectAttributes", "GetObject", "GetObjectVersion", "GetObjectAttributes", "GetObjectVersionAttributes", 0},
    {"GetObjectTagging", "GetObjectTagging", "GetObjectVersionTagging", NULL, NULL, 0},
    {"PutObjectTagging", "PutObjectTagging", "PutObjectVersionTagging", NULL, NULL, 0},
    {"DeleteObjectTagging", "DeleteObjectTagging", "DeleteObjectVersionTagging", NULL, NULL, 0},
    {"GetObjectAcl", "GetObjectAcl", "GetObjectVersionAcl", NULL, NULL, 0},
    {"PutObjectAcl", "PutObjectAcl", "PutObjectVersionAcl", NULL, NULL, 0},
    {"DeleteObjects", "DeleteObject", "DeleteObjectVersion", NULL, NULL, NOTHING}, /* each key by itself */
    {"PostObject", "PutObject", NULL, NULL, NULL, NOTHING}, /* its key comes in the form */

    {"CreateBucket", "CreateBucket", NULL, NULL, NULL, ACL},
    {"ListBuckets", "ListAllMyBuckets", NULL, NULL, NULL, 0},
    {"HeadBucket", "ListBucket", NULL, NULL, NULL, 0},
    {"ListObjects", "ListBucket", NULL, NULL, NULL, 0},
    {"ListObjectsV2", "ListBucket", NULL, NULL, NULL, 0},
    {"ListObjectVersions", "ListBucketVersions", NULL, NULL, NULL, 0},
    {"ListMultipartUploads", "ListBucketMultipartUploads", NULL, NULL, NULL, 0},
    {"GetBucketNotificationConfiguration", "GetBucketNotification", NULL, NULL, NULL, 0},
    {"PutBucketNotificationConfiguration", "PutBucketNotification", NULL, NULL, NULL, 0},
    {"GetBucketLifecycleConfiguration", "GetLifecycleConfiguration", NULL, NULL, NULL, 0},
    {"PutBucketLifecycleConfiguration", "PutLifecycleConfiguration", NULL, NULL, NULL, 0},
    {"DeleteBucketLifecycle", "PutLifecycleConfiguration", NULL, NULL, NULL, 0},
    {"GetBucketCors", "GetBucketCORS", NULL, NULL, NULL, 0},
    {"PutBucketCors", "PutBucketCORS", NULL, NULL, NULL, 0},
    {"DeleteBucketCors", "PutBucketCORS", NULL, NULL, NULL, 0},
    {"DeleteBucketTagging", "PutBucketTagging", NULL, NULL, NULL, 0},
    {"GetPublicAccessBlock", "GetBucketPublicAccessBlock", NULL, NULL, NULL, 0},
    {"PutPublicAccessBlock", "PutBucketPublicAccessBlock", NULL, NULL, NULL, 0},
    {"DeletePublicAccessBlock", "PutBucketPublicAccessBlock", NULL, NULL, NULL, 0},
    {"DeleteBucketOwnershipControls", "PutBucketOwnershipControls", NULL, NULL, NULL, 0},
    {"GetBucketEncryption", "GetEncryptionConfiguration", NULL, NULL, NULL, 0},
    {"PutBucketEncryption", "PutEncryptionConfiguration", NULL, NULL, NULL, 0},
    {"DeleteBucketEncryption", "PutEncryptionConfiguration", NULL, NULL, NULL, 0},
    {"GetBucketAccelerateConfiguration", "GetAccelerateConfiguration", NULL, NULL, NULL, 0},
    {"PutBucketAccelerateConfiguration", "PutAccelerateConfiguration", NULL, NULL, NULL, 0},
    {"GetBucketReplication", "GetReplicationConfiguration", NULL, NULL, NULL, 0},
    {"PutBucketReplication", "PutReplicationConfiguration", NULL, NULL, NULL, 0},
    {"DeleteBucketReplication", "PutReplicationConfiguration", NULL, NULL, NULL, 0},
    {"GetObjectLockConfiguration", "GetBucketObjectLockConfiguration", NULL, NULL, NULL, 0},
    {"PutObjectLockConfiguration", "PutBucketObjectLockConfiguration", NULL, NULL, NULL, 0},
};
/* clang-format on */

const sh_s3_permission *sh_s3_permission_find(const char *operation)
{
    for (size_t i = 0; i < sizeof(permissions) / sizeof(permissions[0]); i++)
        if (strcmp(permissions[i].operation, operation) == 0)
            return &permissions[i];
    return NULL;
}
