/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GetBucketAcl, PutBucketAcl, GetObjectAcl, PutObjectAcl. */
#include "cloud/api/s3_acl_read.h"
#include "cloud/api/s3_config.h"
#include "cloud/store/buckets.h"

#include <string.h>

#define XSI "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type="

/* ---- giving ---- */

static const char *uri_of(const char *name, size_t length)
{
    for (const sh_acl_group *group = sh_acl_groups; group->name; group++)
        if (strlen(group->name) == length && memcmp(group->name, name, length) == 0)
            return group->uri;
    return NULL;
}

static void put_grant(sh_s3 *s3, sh_buf *out, const sh_acl_grant *grant)
{
    const char *uri = uri_of(grant->grantee, grant->grantee_length);
    sh_xml_open(out, "Grant");
    sh_xml_open(out, uri ? "Grantee " XSI "\"Group\"" : "Grantee " XSI "\"CanonicalUser\"");
    if (uri) {
        sh_xml_put(out, "URI", uri);
    } else {
        const char *id = sh_arena_strndup(s3->arena, grant->grantee, grant->grantee_length);
        char own[SH_CANONICAL_ID];
        sh_canonical_id(s3->objects.account, own);
        sh_xml_put(out, "ID", id ? id : "");
        if (id && strcmp(id, own) == 0)
            sh_xml_put(out, "DisplayName", s3->objects.account);
        out->failed = out->failed || !id;
    }
    sh_xml_close(out, "Grantee");
    sh_buf_printf(out, "<Permission>%.*s</Permission>", (int)grant->permission_length, grant->permission);
    sh_xml_close(out, "Grant");
}

static void answer_acl(sh_s3 *s3, const sh_bucket_rules *rules, const char *acl)
{
    sh_buf out;
    sh_acl_grant grant;
    char own[SH_CANONICAL_ID];
    sh_canonical_id(s3->objects.account, own);
    if (!acl || rules->ownership == SH_OWNERSHIP_ENFORCED)
        acl = sh_arena_printf(s3->arena, "FULL_CONTROL:%s", own);
    sh_s3_begin_xml(&out, "AccessControlPolicy");
    sh_s3_put_owner(&out, s3, "Owner");
    sh_xml_open(&out, "AccessControlList");
    while (sh_acl_next(&acl, &grant))
        put_grant(s3, &out, &grant);
    sh_xml_close(&out, "AccessControlList");
    sh_xml_close(&out, "AccessControlPolicy");
    sh_s3_answer_xml(s3, &out);
}

void sh_s3_get_bucket_acl(sh_s3 *s3)
{
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (rules)
        answer_acl(s3, rules, rules->acl);
}

/* The version that is asked for; false after having answered. */
static bool need_object(sh_s3 *s3, sh_object *object)
{
    sh_err err = {0};
    const char *version = sh_http_param_get(s3->head, "versionId");
    int status = sh_object_get_version(&s3->objects, s3->bucket, s3->key, version, s3->arena, object, &err);
    if (status == SH_E_NOT_FOUND && version)
        sh_s3_fail(s3, 404, "NoSuchVersion", "The specified version does not exist.");
    else if (status < 0)
        sh_s3_fail_store(s3, &err);
    else if (!object->marker)
        return true;
    else if (version)
        sh_s3_fail(s3, 405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
    else
        sh_s3_fail(s3, 404, "NoSuchKey", "The specified key does not exist.");
    return false;
}

static void version_field(sh_s3 *s3, const sh_object *object)
{
    if (object->versioned)
        sh_http_add_field(s3->http, "x-amz-version-id", object->version_id);
}

void sh_s3_get_object_acl(sh_s3 *s3)
{
    sh_object object;
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (!rules || !need_object(s3, &object))
        return;
    version_field(s3, &object);
    answer_acl(s3, rules, object.acl);
}

/* ---- taking ---- */

static void malformed(sh_s3 *s3)
{
    sh_s3_fail(s3, 400, "MalformedACLError",
               "The XML you provided was not well-formed or did not validate against our published schema");
}

static bool read_grant(sh_s3 *s3, sh_acl_list *list, const sh_xml *grant)
{
    static const char *const kinds[][2] = {{"ID", "id"}, {"URI", "uri"}, {"EmailAddress", "emailAddress"}};
    static const char *const known[] = {"READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"};
    const char *permission = sh_xml_text(grant, "Permission");
    const sh_xml *grantee = sh_xml_child(grant, "Grantee");
    bool good = false;
    for (size_t i = 0; permission && i < sizeof(known) / sizeof(known[0]); i++)
        good = good || strcmp(known[i], permission) == 0;
    for (size_t i = 0; good && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char *value = sh_xml_text(grantee, kinds[i][0]);
        if (value)
            return sh_acl_put(s3, list, permission, kinds[i][1], value);
    }
    malformed(s3);
    return false;
}

static bool owner_good(sh_s3 *s3, const sh_xml *root)
{
    char own[SH_CANONICAL_ID];
    const char *id = sh_xml_text(sh_xml_child(root, "Owner"), "ID");
    sh_canonical_id(s3->objects.account, own);
    if (!id)
        malformed(s3);
    else if (strcmp(id, own) != 0 && strcmp(id, s3->objects.account) != 0)
        sh_s3_fail(s3, 403, "AccessDenied", "Access Denied");
    else
        return true;
    return false;
}

static bool read_body(sh_s3 *s3, const char **acl)
{
    sh_xml *root;
    sh_acl_list list = {0};
    bool good = true;
    if (sh_xml_parse(s3->body, s3->body_length, s3->arena, &root, NULL) < 0 ||
        strcmp(root->name, "AccessControlPolicy") != 0 || !sh_xml_child(root, "AccessControlList")) {
        malformed(s3);
        return false;
    }
    if (!owner_good(s3, root))
        return false;
    sh_buf_init(&list.text, 64 * 1024);
    const sh_xml *grants = sh_xml_child(root, "AccessControlList");
    for (const sh_xml *at = sh_xml_child(grants, "Grant"); good && at; at = sh_xml_next(at, "Grant"))
        good = read_grant(s3, &list, at);
    if (!good) {
        sh_buf_free(&list.text);
        return false;
    }
    *acl = sh_acl_finish(s3, &list, &good);
    return good;
}

static bool read_acl(sh_s3 *s3, const sh_bucket_rules *rules, const char **acl)
{
    bool given;
    if (!sh_s3_acl_fields(s3, !s3->key, &given, acl))
        return false;
    if (given && s3->body_length) {
        sh_s3_fail(s3, 400, "UnexpectedContent", "This request does not support content");
        return false;
    }
    if (!given && !s3->body_length) {
        sh_s3_fail(s3, 400, "MissingSecurityHeader", "Your request was missing a required header");
        return false;
    }
    if (!given && !read_body(s3, acl))
        return false;
    return sh_s3_acl_permitted(s3, rules, *acl, s3->key ? "s3:PutObjectAcl" : "s3:PutBucketAcl");
}

void sh_s3_put_bucket_acl(sh_s3 *s3)
{
    const char *acl;
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (rules && read_acl(s3, rules, &acl))
        sh_s3_keep(s3, "acl", acl, 200);
}

void sh_s3_put_object_acl(sh_s3 *s3)
{
    const char *acl;
    sh_object object;
    sh_err err = {0};
    sh_object_cause cause = sh_s3_cause(s3, "PutObjectAcl");
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (!rules || !need_object(s3, &object) || !read_acl(s3, rules, &acl))
        return;
    if (sh_object_set_acl(&s3->objects, s3->bucket, s3->key, sh_http_param_get(s3->head, "versionId"), acl,
                          &cause, s3->arena, &object, &err) < 0) {
        sh_s3_fail_store(s3, &err);
        return;
    }
    sh_cloud_wake(s3->cloud, SH_WAKE_NOTICES);
    version_field(s3, &object);
    sh_s3_answer_empty(s3, 200);
}
