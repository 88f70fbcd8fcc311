/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A presigned URL may carry fields of its request in its query (x-amz-acl, x-amz-meta-…, x-amz-checksum-…):
 * SDKs put them there so that who uses the URL need not know them. They mean what the fields would mean, and
 * a field of that name goes before. Only under Signature Version 4, which signs the whole query.
 *
 * The SDK for JavaScript signs a PutObject or UploadPart without a body as if it were one of no bytes, so its
 * URLs name the checksum of nothing, whatever is sent later. AWS is said to heed no checksum in a query; here
 * one of nothing says nothing, and any other has to be that of the body. */
#include "cloud/api/s3.h"
#include "base/size.h"

#include <string.h>
#include <strings.h>

/* Parameters of the signature itself, and others that stay what they are. */
static bool stays(const char *name)
{
    static const char *const own[] = {
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-signedheaders",
        "x-amz-signature",
        "x-amz-security-token",
        "x-amz-content-sha256",
        "x-amz-sdk-checksum-algorithm", /* what an SDK meant to do when it signed */
        "x-amz-copy-source",            /* it would make another operation of a PUT than the URL shows */
    };
    for (size_t i = 0; i < SH_COUNT(own); i++)
        if (strcasecmp(own[i], name) == 0)
            return true;
    return false;
}

static bool checksum_of_nothing(const sh_http_param *param)
{
    static const char *const none[][2] = {
        {"x-amz-checksum-crc32", "AAAAAA=="},
        {"x-amz-checksum-crc32c", "AAAAAA=="},
        {"x-amz-checksum-crc64nvme", "AAAAAAAAAAA="},
        {"x-amz-checksum-sha1", "2jmj7l5rSw0yVb/vlWAYkK/YBwk="},
        {"x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
    };
    for (size_t i = 0; i < SH_COUNT(none); i++)
        if (strcasecmp(none[i][0], param->name) == 0 && param->value && strcmp(none[i][1], param->value) == 0)
            return true;
    return false;
}

const sh_http_head *sh_s3_hoist(const sh_http_head *head, const sh_sigv4 *claim, sh_arena *arena)
{
    if (claim->version != 4 || !claim->presigned)
        return head;
    sh_http_head *out = sh_arena_alloc(arena, sizeof(*out));
    sh_http_field *fields = sh_arena_alloc(arena, (head->field_count + head->param_count) * sizeof(*fields));
    if (!out || !fields)
        return NULL;
    *out = *head;
    out->fields = fields;
    if (head->field_count)
        memcpy(fields, head->fields, head->field_count * sizeof(*fields));
    for (size_t i = 0; i < head->param_count; i++) {
        const sh_http_param *param = &head->params[i];
        if (strncasecmp(param->name, "x-amz-", 6) == 0 && !stays(param->name) &&
            !checksum_of_nothing(param) && !sh_http_field_get(head, param->name))
            fields[out->field_count++] = (sh_http_field){param->name, param->value};
    }
    return out;
}
