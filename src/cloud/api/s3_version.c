/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Versions: which one a request asks for, and the answers when it is a delete marker or none; the versioning
 * of buckets; ListObjectVersions. */
#include "base/size.h"
#include "cloud/api/s3.h"

#include <string.h>

const char *sh_s3_version(const sh_s3 *s3)
{
    return sh_http_param_get(s3->head, "versionId");
}

bool sh_s3_version_good(sh_s3 *s3, const char *name, const char *version)
{
    sh_s3_detail details[] = {{"ArgumentName", name}, {"ArgumentValue", version}};
    if (!version || sh_version_id_valid(version))
        return true;
    sh_s3_fail_with(s3, 400, "InvalidArgument", details, 2,
                    *version ? "Invalid version id specified" : "Version id cannot be the empty string");
    return false;
}

void sh_s3_version_field(sh_s3 *s3, const sh_object *object)
{
    if (object->versioned)
        sh_http_add_field(s3->http, "x-amz-version-id", object->version_id);
}

void sh_s3_fail_marker(sh_s3 *s3, const sh_object *marker, bool named)
{
    char date[SH_TIME_TEXT];
    sh_s3_detail details[] = {{"Method", s3->head->method}, {"ResourceType", "DeleteMarker"}};
    sh_http_add_field(s3->http, "x-amz-delete-marker", "true");
    sh_http_add_field(s3->http, "x-amz-version-id", marker->version_id);
    if (!named) {
        sh_s3_fail_not_found(s3);
        return;
    }
    sh_time_http(marker->modified_ms, date);
    sh_http_add_field(s3->http, "Last-Modified", date);
    sh_http_add_field(s3->http, "Allow", "DELETE");
    sh_s3_fail_with(s3, 405, "MethodNotAllowed", details, 2,
                    "The specified method is not allowed against this resource.");
}

void sh_s3_fail_version(sh_s3 *s3, const char *version)
{
    sh_bucket bucket;
    sh_s3_detail detail = {"VersionId", version};
    if (sh_s3_need_bucket(s3, &bucket))
        sh_s3_fail_with(s3, 404, "NoSuchVersion", &detail, 1, "The specified version does not exist.");
}

bool sh_s3_find(sh_s3 *s3, sh_object *out, int *fd, const void **bytes)
{
    sh_err err = {0};
    const char *version = sh_s3_version(s3);
    int status = fd ? sh_object_read_version(&s3->objects, s3->bucket, s3->key, version, s3->arena, out, fd,
                                             bytes, &err)
                    : sh_object_get_version(&s3->objects, s3->bucket, s3->key, version, s3->arena, out, &err);
    if (status == 0 && !out->marker)
        return true;
    if (status == 0)
        sh_s3_fail_marker(s3, out, version != NULL);
    else if (status == SH_E_NOT_FOUND && version)
        sh_s3_fail_version(s3, version);
    else
        sh_s3_fail_store(s3, &err);
    return false;
}

/* ---- buckets ---- */

void sh_s3_get_versioning(sh_s3 *s3)
{
    static const char *const words[] = {NULL, "Enabled", "Suspended"};
    sh_buf out;
    sh_bucket bucket;
    if (!sh_s3_need_bucket(s3, &bucket))
        return;
    sh_s3_begin_xml(&out, "VersioningConfiguration");
    if (words[bucket.versioning])
        sh_xml_put(&out, "Status", words[bucket.versioning]);
    sh_xml_close(&out, "VersioningConfiguration");
    sh_s3_answer_xml(s3, &out);
}

/* False after having answered. */
static bool read_versioning(sh_s3 *s3, const sh_xml *root, sh_versioning *out)
{
    const char *state = sh_xml_text(root, "Status");
    const char *mfa = sh_xml_text(root, "MfaDelete");
    if (mfa && strcmp(mfa, "Enabled") == 0)
        sh_s3_fail(s3, 501, "NotImplemented",
                   "A header or query you provided implies functionality that is not implemented: MfaDelete");
    else if (mfa && strcmp(mfa, "Disabled") != 0)
        sh_s3_fail(s3, 400, "MalformedXML", SH_S3_MALFORMED);
    else if (!state)
        sh_s3_fail(s3, 400, "IllegalVersioningConfigurationException",
                   "The Versioning element must be specified");
    else if (strcmp(state, "Enabled") != 0 && strcmp(state, "Suspended") != 0)
        sh_s3_fail(s3, 400, "MalformedXML", SH_S3_MALFORMED);
    else
        *out = *state == 'E' ? SH_VERSIONING_ENABLED : SH_VERSIONING_SUSPENDED;
    return !sh_http_answered(s3->http);
}

void sh_s3_put_versioning(sh_s3 *s3)
{
    sh_err err = {0};
    sh_bucket bucket;
    sh_versioning versioning = SH_VERSIONING_NEVER;
    if (!sh_s3_need_bucket(s3, &bucket))
        return;
    const sh_xml *root = sh_s3_need_xml(s3, "VersioningConfiguration");
    if (!root || !read_versioning(s3, root, &versioning))
        return;
    if (sh_bucket_set_versioning(&s3->objects, s3->bucket, versioning, &err) < 0)
        sh_s3_fail_store(s3, &err);
    else
        sh_s3_answer_empty(s3, 200);
}

/* ---- ListObjectVersions ---- */

typedef struct listing {
    sh_s3 *s3;
    bool url; /* encoding-type=url */
    const char *key_marker, *version_marker;
    sh_versions_query query;
    sh_buf versions;
    sh_buf prefixes;
} listing;

static void put_name(const listing *l, sh_buf *out, const char *name, const char *text)
{
    sh_s3_put_name(l->s3, l->url, out, name, text);
}

static int on_version(void *opaque, const sh_object *object, const char *common_prefix)
{
    listing *l = opaque;
    sh_buf *out = common_prefix ? &l->prefixes : &l->versions;
    const char *name = common_prefix ? "CommonPrefixes" : object->marker ? "DeleteMarker" : "Version";
    sh_xml_open(out, name);
    if (common_prefix) {
        put_name(l, out, "Prefix", common_prefix);
    } else {
        put_name(l, out, "Key", object->key);
        sh_xml_put(out, "VersionId", object->version_id);
        sh_xml_put(out, "IsLatest", object->latest ? "true" : "false");
        sh_s3_put_time(out, "LastModified", object->modified_ms);
        if (!object->marker) {
            sh_s3_put_etag(out, object->etag);
            sh_s3_put_checksum_kind(out, object->checksum);
            sh_xml_put_int(out, "Size", object->size);
        }
        sh_s3_put_owner(out, l->s3, "Owner");
        if (!object->marker)
            sh_xml_put(out, "StorageClass", object->storage ? object->storage : "STANDARD");
    }
    sh_xml_close(out, name);
    return out->failed ? SH_E_MEMORY : 0;
}

static const char *param(const sh_s3 *s3, const char *name)
{
    const char *value = sh_http_param_get(s3->head, name);
    return value ? value : "";
}

/* False after having answered. */
static bool read_query(listing *l)
{
    sh_s3 *s3 = l->s3;
    int64_t max;
    const char *encoding = param(s3, "encoding-type");
    sh_s3_detail marker[] = {{"ArgumentName", "version-id-marker"},
                             {"ArgumentValue", sh_http_param_get(s3->head, "version-id-marker")}};
    l->url = strcmp(encoding, "url") == 0;
    l->key_marker = param(s3, "key-marker");
    l->version_marker = sh_http_param_get(s3->head, "version-id-marker");
    if (*encoding && !l->url) {
        sh_s3_detail about[] = {{"ArgumentName", "encoding-type"}, {"ArgumentValue", encoding}};
        sh_s3_fail_with(s3, 400, "InvalidArgument", about, 2, "Invalid Encoding Method specified in Request");
        return false;
    }
    if (l->version_marker && !sh_http_param_has(s3->head, "key-marker")) {
        sh_s3_fail_with(s3, 400, "InvalidArgument", marker, 2,
                        "A version-id marker cannot be specified without a key marker.");
        return false;
    }
    if (l->version_marker && !*l->version_marker) {
        sh_s3_fail_with(s3, 400, "InvalidArgument", marker, 2, "A version-id marker cannot be empty.");
        return false;
    }
    if (!sh_s3_version_good(s3, "version-id-marker", l->version_marker) || !sh_s3_max_keys(s3, &max))
        return false;
    l->query = (sh_versions_query){.bucket = s3->bucket,
                                   .prefix = param(s3, "prefix"),
                                   .delimiter = param(s3, "delimiter"),
                                   .after = l->key_marker,
                                   .after_version = l->version_marker,
                                   .max = (int)max};
    return true;
}

static void put_page(listing *l, sh_buf *out, const char *next, const char *next_version)
{
    sh_s3_begin_xml(out, "ListVersionsResult");
    sh_xml_put(out, "Name", l->s3->bucket);
    put_name(l, out, "Prefix", l->query.prefix);
    put_name(l, out, "KeyMarker", l->key_marker);
    sh_xml_put(out, "VersionIdMarker", l->version_marker ? l->version_marker : "");
    if (next)
        put_name(l, out, "NextKeyMarker", next);
    if (next_version)
        sh_xml_put(out, "NextVersionIdMarker", next_version);
    sh_xml_put_int(out, "MaxKeys", l->query.max);
    if (*l->query.delimiter)
        put_name(l, out, "Delimiter", l->query.delimiter);
    if (l->url)
        sh_xml_put(out, "EncodingType", "url");
    sh_xml_put(out, "IsTruncated", next ? "true" : "false");
    sh_buf_append(out, sh_buf_cstr(&l->versions), l->versions.length);
    sh_buf_append(out, sh_buf_cstr(&l->prefixes), l->prefixes.length);
    sh_xml_close(out, "ListVersionsResult");
}

void sh_s3_list_versions(sh_s3 *s3)
{
    sh_buf out;
    sh_bucket bucket;
    sh_err err = {0};
    const char *next = NULL, *next_version = NULL;
    listing l = {.s3 = s3};
    if (!sh_s3_need_bucket(s3, &bucket) || !read_query(&l))
        return;
    sh_buf_init(&l.versions, SH_S3_ANSWER_MAX);
    sh_buf_init(&l.prefixes, SH_S3_ANSWER_MAX);
    int status =
        sh_versions_list(&s3->objects, &l.query, on_version, &l, s3->arena, &next, &next_version, &err);
    if (status == SH_E_NOT_FOUND) {
        sh_s3_fail(s3, 400, "InvalidArgument", "Invalid version id specified");
    } else if (status < 0) {
        sh_s3_fail_store(s3, &err);
    } else {
        put_page(&l, &out, next, next_version);
        sh_s3_answer_xml(s3, &out);
    }
    sh_buf_free(&l.versions);
    sh_buf_free(&l.prefixes);
}
