/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Policies decide first: those of the caller, and the bucket's. Where they are silent, an ACL may still let
 * the caller in. Where they deny, nothing does. "Block public access" takes the word from public policies and
 * ACLs before anybody listens to them. */
#include "cloud/api/s3_authorize.h"
#include "cloud/api/authorize.h"
#include "cloud/api/authorize_context.h"
#include "cloud/api/s3_acl.h"
#include "cloud/api/s3_rules.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SAID_BY_NOBODY "Access Denied"

/* One action on one resource. */
typedef struct question {
    sh_cloud *cloud;
    const sh_caller *caller;
    sh_arena *arena;
    const char *action; /* "s3:GetObject" */
    const char *bucket; /* NULL: the service */
    const char *key;    /* NULL: the bucket */
    const char *version;
    const sh_bucket_rules *rules; /* NULL: the bucket is yet to be made */
    const sh_s3 *s3;              /* whose fields are the keys; NULL: nobody's */
} question;

/* ---- keys of the request ---- */

static bool put_fields(sh_context *c, const sh_s3 *s3)
{
    static const char *const fields[][2] = {
        {"x-amz-acl", "s3:x-amz-acl"},
        {"x-amz-copy-source", "s3:x-amz-copy-source"},
        {"x-amz-metadata-directive", "s3:x-amz-metadata-directive"},
        {"x-amz-server-side-encryption", "s3:x-amz-server-side-encryption"},
        {"x-amz-server-side-encryption-aws-kms-key-id", "s3:x-amz-server-side-encryption-aws-kms-key-id"},
        {"x-amz-storage-class", "s3:x-amz-storage-class"},
        {"x-amz-website-redirect-location", "s3:x-amz-website-redirect-location"},
        {"x-amz-content-sha256", "s3:x-amz-content-sha256"},
        {"x-amz-grant-full-control", "s3:x-amz-grant-full-control"},
        {"x-amz-grant-read", "s3:x-amz-grant-read"},
        {"x-amz-grant-write", "s3:x-amz-grant-write"},
        {"x-amz-grant-read-acp", "s3:x-amz-grant-read-acp"},
        {"x-amz-grant-write-acp", "s3:x-amz-grant-write-acp"},
        {"x-amz-object-ownership", "s3:x-amz-object-ownership"},
        {"if-match", "s3:if-match"},
        {"if-none-match", "s3:if-none-match"},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (!sh_context_put(c, fields[i][1], sh_http_field_get(s3->head, fields[i][0])))
            return false;
    return true;
}

/* prefix, delimiter and max-keys are keys of listings, empty ones too. */
static bool put_listing(sh_context *c, const sh_s3 *s3)
{
    static const char *const params[][2] = {
        {"prefix", "s3:prefix"}, {"delimiter", "s3:delimiter"}, {"max-keys", "s3:max-keys"}};
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
        if (!sh_context_put(c, params[i][1], sh_http_param_get(s3->head, params[i][0])))
            return false;
    return true;
}

static const char *age_of(const sh_s3 *s3)
{
    const int64_t age = sh_now_ms(s3->cloud->clock) - s3->claim->time_ms;
    return sh_arena_printf(s3->arena, "%lld", (long long)(age > 0 ? age : 0));
}

static bool put_signature(sh_context *c, const sh_s3 *s3)
{
    const sh_sigv4 *claim = s3->claim;
    if (!claim || !claim->version)
        return true;
    const char *type = claim->form ? "POST" : claim->presigned ? "REST-QUERY-STRING" : "REST-HEADER";
    return sh_context_put(c, "s3:authType", type) &&
           sh_context_put(c, "s3:signatureversion", claim->version == 2 ? "AWS" : "AWS4-HMAC-SHA256") &&
           (!claim->presigned || claim->version != 4 || sh_context_put(c, "s3:signatureAge", age_of(s3)));
}

/* "a=b&c=d", percent-encoded. A part that cannot be read is left to the operation, which refuses it. */
static bool put_request_tags(sh_context *c, const sh_s3 *s3, const char **names)
{
    const char *at = sh_http_field_get(s3->head, "x-amz-tagging");
    size_t count = 0;
    bool good = true;
    while (at && *at && count < 10) {
        const size_t length = strcspn(at, "&"), equals = strcspn(at, "=&");
        const char *name = sh_http_decode(s3->arena, at, equals, true);
        const char *value =
            equals < length ? sh_http_decode(s3->arena, at + equals + 1, length - equals - 1, true) : "";
        const char *key = name ? sh_arena_printf(s3->arena, "s3:RequestObjectTag/%s", name) : NULL;
        if (key && value) {
            good &= sh_context_put(c, key, value);
            names[count++] = name;
        }
        at += length + (at[length] == '&');
    }
    return good && (count == 0 || sh_context_put_list(c, "s3:RequestObjectTagKeys", names, count));
}

static bool put_tags_of(sh_context *c, sh_arena *arena, const char *tags)
{
    const char *name;
    json_t *value, *all = tags ? json_loads(tags, 0, NULL) : NULL;
    bool good = true;
    json_object_foreach(all, name, value)
    {
        const char *key = sh_arena_printf(arena, "s3:ExistingObjectTag/%s", name);
        const char *text = sh_arena_strdup(arena, json_string_value(value) ? json_string_value(value) : "");
        good &= key && text && sh_context_put(c, key, text);
    }
    json_decref(all);
    return good;
}

static int find_object(const question *q, sh_object *out)
{
    sh_err err = {0};
    const sh_objects objects = sh_cloud_objects(q->cloud);
    if (!q->key || !q->bucket)
        return SH_E_NOT_FOUND;
    return sh_object_get_version(&objects, q->bucket, q->key, q->version, q->arena, out, &err);
}

/* The object's own tags count for whatever is done to it but making it and taking it away. */
static bool is_about_object(const question *q)
{
    static const char *const others[] = {"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion",
                                         "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strcmp(others[i], q->action) == 0)
            return false;
    return q->key != NULL;
}

static bool put_existing_tags(void *opaque, sh_context *c)
{
    const question *q = opaque;
    sh_object object;
    if (!is_about_object(q) || find_object(q, &object) < 0)
        return true;
    return put_tags_of(c, q->arena, object.tags);
}

static bool put_keys(sh_context *c, const question *q, const char **names)
{
    if (!sh_context_put(c, "s3:VersionId", q->version))
        return false;
    return !q->s3 || (put_fields(c, q->s3) && put_signature(c, q->s3) && put_request_tags(c, q->s3, names) &&
                      (q->key || put_listing(c, q->s3)));
}

/* ---- policies ---- */

static const char *arn_of(const question *q)
{
    if (!q->bucket)
        return "arn:aws:s3:::*";
    if (!q->key)
        return sh_arena_printf(q->arena, "arn:aws:s3:::%s", q->bucket);
    return sh_arena_printf(q->arena, "arn:aws:s3:::%s/%s", q->bucket, q->key);
}

static bool is_own(const question *q)
{
    return q->caller->arn && q->caller->account &&
           strcmp(q->caller->account, q->cloud->settings.account) == 0;
}

/* The account's root cannot lock itself out of its bucket. */
static bool is_rescue(const question *q)
{
    static const char *const actions[] = {"s3:GetBucketPolicy", "s3:PutBucketPolicy",
                                          "s3:DeleteBucketPolicy"};
    for (size_t i = 0; q->caller->root && i < sizeof(actions) / sizeof(actions[0]); i++)
        if (strcmp(actions[i], q->action) == 0)
            return true;
    return false;
}

static const sh_policy *policy_of(const question *q)
{
    if (!q->rules || is_rescue(q))
        return NULL;
    if (q->rules->policy_public && q->rules->block.restrict_buckets && !is_own(q))
        return NULL;
    return q->rules->policy;
}

/* ---- ACLs ---- */

typedef struct acl_row {
    const char *action;
    bool object; /* the object's ACL, else the bucket's */
    sh_acl_permission permission;
} acl_row;

static const acl_row acl_rows[] = {
    {"s3:GetObject", true, SH_ACL_READ},
    {"s3:GetObjectVersion", true, SH_ACL_READ},
    {"s3:GetObjectAttributes", true, SH_ACL_READ},
    {"s3:GetObjectVersionAttributes", true, SH_ACL_READ},
    {"s3:GetObjectAcl", true, SH_ACL_READ_ACP},
    {"s3:GetObjectVersionAcl", true, SH_ACL_READ_ACP},
    {"s3:PutObjectVersionAcl", true, SH_ACL_WRITE_ACP},
    {"s3:ListBucket", false, SH_ACL_READ},
    {"s3:ListBucketVersions", false, SH_ACL_READ},
    {"s3:ListBucketMultipartUploads", false, SH_ACL_READ},
    {"s3:PutObject", false, SH_ACL_WRITE},
    {"s3:DeleteObject", false, SH_ACL_WRITE},
    {"s3:GetBucketAcl", false, SH_ACL_READ_ACP},
    {"s3:PutBucketAcl", false, SH_ACL_WRITE_ACP},
};

static bool acl_allows(const question *q)
{
    const acl_row *row = NULL;
    sh_object object;
    if (!q->rules || q->rules->ownership == SH_OWNERSHIP_ENFORCED)
        return false;
    /* An ACL that a new object is given needs what writing it needs; of an old one, its own says. */
    if (strcmp(q->action, "s3:PutObjectAcl") == 0) {
        const bool given = q->s3 && q->s3->operation && strcmp(q->s3->operation->name, "PutObjectAcl") != 0;
        if (given)
            return sh_acl_allows_here(q->rules, q->rules->acl, q->caller, SH_ACL_WRITE);
        return find_object(q, &object) == 0 &&
               sh_acl_allows_here(q->rules, object.acl, q->caller, SH_ACL_WRITE_ACP);
    }
    for (size_t i = 0; !row && i < sizeof(acl_rows) / sizeof(acl_rows[0]); i++)
        if (strcmp(acl_rows[i].action, q->action) == 0)
            row = &acl_rows[i];
    if (!row || (row->object && find_object(q, &object) < 0))
        return false;
    return sh_acl_allows_here(q->rules, row->object ? object.acl : q->rules->acl, q->caller, row->permission);
}

/* ---- one question ---- */

static bool is_silence(sh_policy_reason reason)
{
    return reason == SH_POLICY_NO_IDENTITY || reason == SH_POLICY_NO_RESOURCE;
}

static const char *without_resource(sh_arena *arena, const char *sentence)
{
    static const char about[] = " on resource: \"arn:aws:s3:::*\"";
    const char *at = strstr(sentence, about);
    const char *made =
        at ? sh_arena_printf(arena, "%.*s%s", (int)(at - sentence), sentence, at + sizeof(about) - 1)
           : sentence;
    return made ? made : SAID_BY_NOBODY;
}

static int ask(const question *q, const char **sentence, sh_err *err)
{
    const char *names[10];
    sh_context context;
    sh_policy_reason reason;
    sh_asked asked = {.action = q->action,
                      .resource = arn_of(q),
                      .resource_policy = policy_of(q),
                      .late_prefix = "s3:ExistingObjectTag/",
                      .late = put_existing_tags,
                      .opaque = (void *)q};
    context.count = 0;
    if (!asked.resource)
        return sh_fail(err, SH_E_MEMORY, "no memory to authorize a request");
    if (!q->caller->root || asked.resource_policy) {
        if (!put_keys(&context, q, names))
            return sh_fail(err, SH_E_LIMIT, "a request has more than %d condition keys", SH_CONTEXT_KEYS);
        asked.keys = context.keys;
        asked.key_count = context.count;
    }
    int status = sh_authorize_why(q->cloud, q->caller, &asked, q->arena, &reason, sentence, err);
    if (status != SH_E_DENIED)
        return status;
    if (is_silence(reason) && acl_allows(q))
        return 0;
    if (!is_own(q)) /* strangers learn nothing about whose word it was */
        *sentence = SAID_BY_NOBODY;
    else if (!q->bucket) /* what has no resource is said without one */
        *sentence = without_resource(q->arena, *sentence);
    return status;
}

static question question_of(sh_s3 *s3)
{
    return (question){
        .cloud = s3->cloud, .caller = s3->caller, .arena = s3->arena, .bucket = s3->bucket, .s3 = s3};
}

/* False after having answered. */
static bool settle(sh_s3 *s3, int status, const char *sentence, const sh_err *err)
{
    if (status == SH_E_DENIED)
        sh_s3_fail(s3, 403, "AccessDenied", "%s", sentence);
    else if (status < 0)
        sh_s3_fail_store(s3, err);
    return status == 0;
}

/* ---- a request ---- */

typedef struct asking {
    sh_s3 *s3;
    question q;
    const char *version;
} asking;

/* action without "s3:"; NULL asks nothing. */
static bool ask_for(asking *a, const char *action)
{
    const char *sentence = "";
    sh_err err = {0};
    if (!action)
        return true;
    a->q.action = sh_arena_printf(a->s3->arena, "s3:%s", action);
    int status = a->q.action ? ask(&a->q, &sentence, &err) : sh_fail(&err, SH_E_MEMORY, "no memory");
    return settle(a->s3, status, sentence, &err);
}

static bool brings_acl(const sh_s3 *s3)
{
    static const char *const fields[] = {
        "x-amz-acl",         "x-amz-grant-full-control", "x-amz-grant-read",
        "x-amz-grant-write", "x-amz-grant-read-acp",     "x-amz-grant-write-acp"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (sh_http_field_get(s3->head, fields[i]))
            return true;
    return false;
}

static bool ask_operation(asking *a)
{
    sh_s3 *s3 = a->s3;
    const char *operation = s3->operation->name;
    const sh_s3_permission *row = sh_s3_permission_find(operation);
    const bool old = a->version != NULL;
    if (!row)
        return ask_for(a, operation);
    if (row->tells & SH_S3_TELLS_NOTHING)
        return true;
    if (!ask_for(a, old && row->versioned ? row->versioned : row->action) ||
        !ask_for(a, old && row->second_versioned ? row->second_versioned : row->second))
        return false;
    if ((row->tells & SH_S3_TELLS_ACL) && brings_acl(s3) &&
        !ask_for(a, s3->key ? "PutObjectAcl" : "PutBucketAcl"))
        return false;
    if (!s3->key && (row->tells & SH_S3_TELLS_ACL) && sh_http_field_get(s3->head, "x-amz-object-ownership") &&
        !ask_for(a, "PutBucketOwnershipControls"))
        return false;
    return !(row->tells & SH_S3_TELLS_TAGS) || !sh_http_field_get(s3->head, "x-amz-tagging") ||
           ask_for(a, "PutObjectTagging");
}

bool sh_s3_authorize(sh_s3 *s3)
{
    sh_err err = {0};
    asking a = {.s3 = s3, .q = question_of(s3), .version = sh_http_param_get(s3->head, "versionId")};
    a.q.key = s3->key;
    a.q.version = s3->key ? a.version : NULL;
    if (s3->bucket && strcmp(s3->operation->name, "CreateBucket") != 0) {
        int status = sh_s3_rules(s3, &a.q.rules, &err);
        if (status < 0)
            return settle(s3, status, SAID_BY_NOBODY, &err);
    }
    return ask_operation(&a);
}

int sh_s3_may(sh_s3 *s3, const char *action, const char *key, const char *version, const char **sentence,
              sh_err *err)
{
    question q = question_of(s3);
    q.action = action;
    q.key = key;
    q.version = version;
    int status = sh_s3_rules(s3, &q.rules, err);
    return status < 0 ? status : ask(&q, sentence, err);
}

bool sh_s3_may_know(sh_s3 *s3)
{
    const char *sentence;
    sh_err err = {0};
    return sh_s3_may(s3, "s3:ListBucket", NULL, NULL, &sentence, &err) == 0;
}

bool sh_s3_may_read(sh_s3 *s3, const char *bucket, const char *key, const char *version)
{
    const char *sentence = "";
    sh_err err = {0};
    question q = question_of(s3);
    q.action = version ? "s3:GetObjectVersion" : "s3:GetObject";
    q.bucket = bucket;
    q.key = key;
    q.version = version;
    int status = sh_bucket_rules_get(s3->cloud, bucket, &q.rules, &err);
    if (status == SH_E_NOT_FOUND) /* the operation says so in its own words */
        return true;
    if (status == 0)
        status = ask(&q, &sentence, &err);
    sh_bucket_rules_release(q.rules);
    return settle(s3, status, sentence, &err);
}

int sh_s3_permit(sh_cloud *cloud, const sh_caller *caller, const char *action, const char *bucket,
                 const char *key, sh_arena *arena, const char **sentence, sh_err *err)
{
    question q = {
        .cloud = cloud, .caller = caller, .arena = arena, .action = action, .bucket = bucket, .key = key};
    int status = bucket ? sh_bucket_rules_get(cloud, bucket, &q.rules, err) : 0;
    if (status == 0)
        status = ask(&q, sentence, err);
    sh_bucket_rules_release(q.rules);
    return status;
}
