/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bucket policies. cloud/policy knows the language; here is what S3 asks of a policy besides: it speaks of S3
 * and of this bucket, and whether it is public ("The meaning of public" of the S3 user guide): a statement
 * that allows everybody something, and has no condition that holds for a fixed set of callers only. */
#include "cloud/api/s3_config.h"
#include "cloud/store/buckets.h"
#include "cloud/store/iam.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { POLICY_MAX = 20 * 1024, BROAD_V4 = 8, BROAD_V6 = 32 };

/* ---- public or not ---- */

static bool has_star(const json_t *value)
{
    if (json_is_string(value))
        return strcmp(json_string_value(value), "*") == 0;
    for (size_t i = 0; i < json_array_size(value); i++)
        if (has_star(json_array_get(value, i)))
            return true;
    return false;
}

static bool for_everybody(const json_t *statement)
{
    const json_t *principal = json_object_get(statement, "Principal");
    if (json_object_get(statement, "NotPrincipal"))
        return true;
    return has_star(principal) || has_star(json_object_get(principal, "AWS"));
}

static bool fixed_address(const char *text)
{
    const char *slash = strchr(text, '/');
    bool six = strchr(text, ':') != NULL;
    if (strncmp(text, "10.", 3) == 0 || strncmp(text, "192.168.", 8) == 0 || strncmp(text, "172.16.", 7) == 0)
        return true;
    return !slash || strtol(slash + 1, NULL, 10) >= (six ? BROAD_V6 : BROAD_V4);
}

static bool fixed_value(const char *key, const char *text)
{
    if (strcasecmp(key, "aws:SourceIp") == 0)
        return fixed_address(text);
    if (strcasecmp(key, "s3:DataAccessPointArn") == 0) /* may have * for the name of the access point */
        return strncmp(text, "arn:", 4) == 0 && strspn(text, "*") == 0;
    return !strpbrk(text, "*?$");
}

static bool all_fixed(const char *key, const json_t *value)
{
    if (json_is_string(value))
        return fixed_value(key, json_string_value(value));
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!all_fixed(key, json_array_get(value, i)))
            return false;
    return json_array_size(value) > 0;
}

/* Keys whose fixed values say who asks. */
static bool narrows(const char *key)
{
    static const char *const keys[] = {"aws:SourceIp",
                                       "aws:SourceArn",
                                       "aws:SourceVpc",
                                       "aws:SourceVpce",
                                       "aws:SourceAccount",
                                       "aws:SourceOwner",
                                       "aws:SourceOrgID",
                                       "aws:SourceOrgPaths",
                                       "aws:userid",
                                       "aws:PrincipalArn",
                                       "aws:PrincipalAccount",
                                       "aws:PrincipalOrgID",
                                       "aws:PrincipalOrgPaths",
                                       "s3:DataAccessPointArn",
                                       "s3:DataAccessPointAccount",
                                       "s3:x-amz-server-side-encryption-aws-kms-key-id"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcasecmp(keys[i], key) == 0)
            return true;
    return false;
}

static bool positive(const char *operator)
{
    static const char *const operators[] = {
        "StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "IpAddress"};
    if (strncasecmp(operator, "ForAnyValue:", 12) == 0)
        operator+= 12;
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
        if (strcasecmp(operators[i], operator) == 0)
            return true;
    return false;
}

static bool is_narrowed(json_t *condition)
{
    const char *operator, * key;
    json_t *keys, *value;
    json_object_foreach(condition, operator, keys)
    {
        if (!positive(operator))
            continue;
        json_object_foreach(keys, key, value)
        {
            if (narrows(key) && all_fixed(key, value))
                return true;
        }
    }
    return false;
}

static const json_t *statement_at(const json_t *root, size_t i)
{
    const json_t *all = json_object_get(root, "Statement");
    if (json_is_object(all))
        return i == 0 ? all : NULL;
    return json_array_get(all, i);
}

static bool is_public(const json_t *root)
{
    const json_t *statement;
    for (size_t i = 0; (statement = statement_at(root, i)); i++) {
        const char *effect = json_string_value(json_object_get(statement, "Effect"));
        if (effect && strcmp(effect, "Allow") == 0 && for_everybody(statement) &&
            !is_narrowed(json_object_get(statement, "Condition")))
            return true;
    }
    return false;
}

int sh_s3_policy_load(const char *text, sh_policy **out, bool *public_too, sh_err *err)
{
    int status = sh_policy_parse(out, SH_POLICY_RESOURCE, text, strlen(text), err);
    json_t *root = status == 0 ? json_loads(text, 0, NULL) : NULL;
    *public_too = is_public(root);
    json_decref(root);
    return status;
}

/* ---- what S3 asks of a policy ---- */

/* An ARN of this bucket or of keys in it, wildcards in the bucket's place included. */
static bool resource_here(const char *arn, const char *bucket)
{
    static const char start[] = "arn:aws:s3:::";
    char name[SH_BUCKET_NAME_MAX + 1];
    if (strncmp(arn, start, sizeof(start) - 1) != 0)
        return false;
    arn += sizeof(start) - 1;
    size_t length = strcspn(arn, "/");
    if (length == 0 || length >= sizeof(name))
        return false;
    memcpy(name, arn, length);
    name[length] = '\0';
    return sh_policy_glob(name, bucket, false);
}

typedef const char *(*text_check)(const char *text, const char *bucket);

static const char *check_resource(const char *text, const char *bucket)
{
    return resource_here(text, bucket) ? NULL : "Policy has invalid resource";
}

static const char *check_action(const char *text, const char *bucket)
{
    (void)bucket;
    return strcmp(text, "*") == 0 || strncasecmp(text, "s3:", 3) == 0 ? NULL : "Policy has invalid action";
}

static const char *check_each(const json_t *value, text_check check, const char *bucket)
{
    const char *fault = NULL;
    if (json_is_string(value))
        return check(json_string_value(value), bucket);
    for (size_t i = 0; !fault && i < json_array_size(value); i++)
        fault = check_each(json_array_get(value, i), check, bucket);
    return fault;
}

/* Whether any of the resources is a bucket (objects: a key in it). */
static bool names_level(const json_t *value, bool objects)
{
    if (json_is_string(value)) {
        const char *text = json_string_value(value), *slash = strchr(text, '/');
        size_t length = strlen(text);
        return objects ? slash || (length && text[length - 1] == '*') : !slash;
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        if (names_level(json_array_get(value, i), objects))
            return true;
    return false;
}

/* Actions on objects; other ones without a wildcard are on buckets. */
static bool on_objects(const char *action)
{
    static const char *const words[] = {"GetObject",
                                        "PutObject",
                                        "DeleteObject",
                                        "RestoreObject",
                                        "AbortMultipartUpload",
                                        "ListMultipartUploadParts",
                                        "BypassGovernanceRetention",
                                        "ReplicateObject",
                                        "ReplicateDelete",
                                        "ReplicateTags",
                                        "ObjectOwnerOverrideToBucketOwner",
                                        "UpdateObjectEncryption",
                                        "InitiateReplication"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strncasecmp(action, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static bool action_applies(const json_t *actions, const json_t *resources)
{
    if (json_is_string(actions)) {
        const char *action = json_string_value(actions);
        if (strpbrk(action, "*?") || strlen(action) < 4)
            return true;
        return names_level(resources, on_objects(action + 3));
    }
    for (size_t i = 0; i < json_array_size(actions); i++)
        if (!action_applies(json_array_get(actions, i), resources))
            return false;
    return true;
}

static const char *statement_fault(const json_t *statement, const char *bucket)
{
    const json_t *action = json_object_get(statement, "Action");
    const json_t *resource = json_object_get(statement, "Resource");
    const char *fault = check_each(action, check_action, bucket);
    if (!fault)
        fault = check_each(json_object_get(statement, "NotAction"), check_action, bucket);
    if (!fault)
        fault = check_each(resource, check_resource, bucket);
    if (!fault)
        fault = check_each(json_object_get(statement, "NotResource"), check_resource, bucket);
    if (!fault && action && resource && !action_applies(action, resource))
        fault = "Action does not apply to any resource(s) in statement";
    return fault;
}

static const char *policy_fault(const json_t *root, const char *bucket)
{
    const json_t *statement;
    const char *fault = NULL;
    for (size_t i = 0; !fault && (statement = statement_at(root, i)); i++)
        fault = statement_fault(statement, bucket);
    return fault;
}

/* ---- principals ---- */

/* A user or role of this account has to be there; others cannot be looked at. */
static bool principal_there(sh_s3 *s3, const char *arn)
{
    sh_iam_entity found;
    const char *start = sh_arena_printf(s3->arena, "arn:aws:iam::%s:", s3->objects.account);
    size_t length = start ? strlen(start) : 0;
    if (!start || strncmp(arn, start, length) != 0)
        return true;
    const char *what = arn + length, *name = strrchr(arn, '/');
    bool user = strncmp(what, "user/", 5) == 0;
    if (!name || (!user && strncmp(what, "role/", 5) != 0))
        return true;
    int status =
        sh_iam_get(s3->objects.db, s3->arena, user ? SH_IAM_USER : SH_IAM_ROLE, name + 1, &found, NULL);
    if (status < 0)
        return status != SH_E_NOT_FOUND;
    const char *full = sh_arena_printf(s3->arena, "%s%s%s", user ? "user" : "role", found.path, found.name);
    return !full || strcmp(full, what) == 0;
}

static const char *missing_principal(sh_s3 *s3, const json_t *value)
{
    const char *missing = NULL;
    if (json_is_string(value))
        return principal_there(s3, json_string_value(value)) ? NULL : json_string_value(value);
    for (size_t i = 0; !missing && i < json_array_size(value); i++)
        missing = missing_principal(s3, json_array_get(value, i));
    return missing;
}

/* False after having answered. */
static bool principals_good(sh_s3 *s3, const json_t *root)
{
    static const char *const names[] = {"Principal", "NotPrincipal"};
    const json_t *statement;
    for (size_t i = 0; (statement = statement_at(root, i)); i++)
        for (size_t j = 0; j < 2; j++) {
            const char *missing =
                missing_principal(s3, json_object_get(json_object_get(statement, names[j]), "AWS"));
            if (missing) {
                sh_s3_fail_with(s3, 400, "MalformedPolicy", (sh_s3_detail[]){{"Detail", missing}}, 1,
                                "Invalid principal in policy");
                return false;
            }
        }
    return true;
}

/* ---- operations ---- */

static bool policy_good(sh_s3 *s3, bool *everybody)
{
    sh_err err = {0};
    sh_policy *policy = NULL;
    size_t blank = 0;
    while (blank < s3->body_length && strchr(" \t\r\n", s3->body[blank]))
        blank++;
    if (blank == s3->body_length || s3->body[blank] != '{') {
        sh_s3_fail(s3, 400, "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'");
        return false;
    }
    json_t *root = json_loadb(s3->body, s3->body_length, 0, NULL);
    const char *fault = root ? policy_fault(root, s3->bucket) : "This policy contains invalid Json";
    *everybody = is_public(root);
    if (fault) {
        sh_s3_fail(s3, 400, "MalformedPolicy", "%s", fault);
    } else if (principals_good(s3, root) &&
               sh_policy_parse(&policy, SH_POLICY_RESOURCE, s3->body, s3->body_length, &err) < 0) {
        if (err.status == SH_E_FORMAT || err.status == SH_E_LIMIT)
            sh_s3_fail(s3, 400, "MalformedPolicy", "%s", err.message);
        else
            sh_s3_fail_store(s3, &err);
    }
    bool good = policy != NULL;
    sh_policy_free(policy);
    json_decref(root);
    return good;
}

void sh_s3_put_policy(sh_s3 *s3)
{
    bool everybody = false;
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (!rules)
        return;
    if (s3->body_length > POLICY_MAX) {
        sh_s3_fail(s3, 400, "PolicyTooLarge", "Policy exceeds the maximum allowed document size of %d bytes",
                   POLICY_MAX);
        return;
    }
    if (!policy_good(s3, &everybody))
        return;
    if (everybody && rules->block.policy) {
        sh_s3_fail(
            s3, 403, "AccessDenied",
            "User: %s is not authorized to perform: s3:PutBucketPolicy on resource: "
            "\"arn:aws:s3:::%s\" because public policies are prevented by the BlockPublicPolicy setting "
            "in S3 Block Public Access.",
            s3->caller && s3->caller->arn ? s3->caller->arn : "anonymous", s3->bucket);
        return;
    }
    const char *text = sh_arena_strndup(s3->arena, s3->body, s3->body_length);
    if (text)
        sh_s3_keep(s3, "policy", text, 204);
    else
        sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: no memory");
}

static const char *need_policy(sh_s3 *s3, const sh_bucket_rules **rules)
{
    *rules = sh_s3_need_rules(s3);
    if (*rules && !(*rules)->policy_text)
        sh_s3_fail(s3, 404, "NoSuchBucketPolicy", "The bucket policy does not exist");
    return *rules ? (*rules)->policy_text : NULL;
}

void sh_s3_get_policy(sh_s3 *s3)
{
    const sh_bucket_rules *rules;
    const char *text = need_policy(s3, &rules);
    if (!text)
        return;
    sh_http_add_field(s3->http, "Content-Type", "application/json");
    sh_s3_answer_bytes(s3, 200, text, strlen(text));
}

void sh_s3_get_policy_status(sh_s3 *s3)
{
    sh_buf out;
    const sh_bucket_rules *rules;
    if (!need_policy(s3, &rules))
        return;
    sh_s3_begin_xml(&out, "PolicyStatus");
    sh_xml_put(&out, "IsPublic", rules->policy_public ? "true" : "false");
    sh_xml_close(&out, "PolicyStatus");
    sh_s3_answer_xml(s3, &out);
}

void sh_s3_delete_policy(sh_s3 *s3)
{
    sh_s3_keep(s3, "policy", NULL, 204);
}
