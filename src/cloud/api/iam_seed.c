/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an account has from its first start: the role that MediaConvert jobs are given by default, and the
 * role and instance profile of the built-in node. They are made once; who deletes or changes one has done so
 * for good. */
#include "cloud/api/iam_inner.h"
#include "cloud/store/settings.h"

#include <string.h>

#define SEEDED "iam.seeded"

typedef struct seed_role {
    const char *name, *path, *description, *trust;
    const char *attached[4];
    const char *inline_name, *inline_document;
    const char *profile; /* made with it, or NULL */
} seed_role;

#define TRUST(service)                                                                                       \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"" service \
    "\"},\"Action\":\"sts:AssumeRole\"}]}"

static const seed_role roles[] = {
    {.name = "MediaConvert_Default_Role",
     .path = "/",
     .description = "Allows MediaConvert to read and write the objects of a job",
     .trust = TRUST("mediaconvert.amazonaws.com"),
     .attached = {"arn:aws:iam::aws:policy/AmazonS3FullAccess",
                  "arn:aws:iam::aws:policy/AmazonAPIGatewayInvokeFullAccess"}},
    {.name = SH_IAM_NODE_PROFILE,
     .path = "/",
     .description = "The built-in node: what commands on it may do",
     .trust = TRUST("ec2.amazonaws.com"),
     .attached = {"arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"},
     .inline_name = "Objects",
     .inline_document =
         "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\","
         "\"s3:PutObject\",\"s3:ListBucket\",\"s3:GetBucketLocation\",\"s3:ListBucketMultipartUploads\","
         "\"s3:ListMultipartUploadParts\",\"s3:AbortMultipartUpload\"],\"Resource\":\"*\"}]}",
     .profile = SH_IAM_NODE_PROFILE},
};

static int seed_profile(sh_cloud *cloud, const seed_role *r, int64_t role, int64_t now, sh_err *err)
{
    char id[32];
    sh_iam_new_id("AIPA", 17, id);
    sh_iam_entity e = {.kind = SH_IAM_PROFILE,
                       .name = r->profile,
                       .id = id,
                       .path = "/",
                       .created_ms = now,
                       .updated_ms = now};
    int status = sh_iam_insert(cloud->db, &e, err);
    return status < 0 ? status : sh_iam_join(cloud->db, e.row, role, err);
}

static int seed_one(sh_cloud *cloud, const seed_role *r, sh_err *err)
{
    char id[32];
    int64_t now = sh_now_ms(cloud->clock);
    sh_iam_new_id("AROA", 17, id);
    sh_iam_entity e = {.kind = SH_IAM_ROLE,
                       .name = r->name,
                       .id = id,
                       .path = r->path,
                       .created_ms = now,
                       .updated_ms = now,
                       .description = r->description,
                       .trust = r->trust,
                       .max_session_s = 3600};
    int status = sh_iam_insert(cloud->db, &e, err);
    for (size_t i = 0; r->attached[i] && status == 0; i++)
        status = sh_iam_attach(cloud->db, e.row, r->attached[i], err);
    if (status == 0 && r->inline_name)
        status = sh_iam_inline_put(cloud->db, e.row, r->inline_name, r->inline_document, err);
    return status == 0 && r->profile ? seed_profile(cloud, r, e.row, now, err) : status;
}

int sh_iam_seed(sh_cloud *cloud, sh_err *err)
{
    sh_err local = {0};
    sh_buf value;
    sh_buf_init(&value, 64);
    int found = sh_settings_get(cloud->db, SEEDED, &value, &local);
    sh_buf_free(&value);
    if (found != SH_E_NOT_FOUND)
        return found < 0 ? sh_fail(err, found, "%s", local.message) : 0;
    int status = sh_db_begin(cloud->db, err);
    if (status < 0)
        return status;
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]) && status == 0; i++)
        status = seed_one(cloud, &roles[i], err);
    if (status == 0)
        status = sh_settings_set(cloud->db, SEEDED, "1", err);
    return sh_db_end(cloud->db, status, err);
}
