/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ACLs mean, and how a request asks for one: by a canned name, by x-amz-grant-* fields, or by a document
 * (s3_acl_ops.c). */
#include "cloud/api/s3_acl.h"
#include "cloud/api/s3_acl_read.h"
#include "cloud/api/s3_config.h"
#include "cloud/http/digest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const permissions[] = {"READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"};

/* The account under which Amazon EC2 reads images (canned ACL aws-exec-read). */
#define EC2_READER "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c"
#define GROUPS "http://acs.amazonaws.com/groups/"

const sh_acl_group sh_acl_groups[] = {
    {"AllUsers", GROUPS "global/AllUsers"},
    {"AuthenticatedUsers", GROUPS "global/AuthenticatedUsers"},
    {"LogDelivery", GROUPS "s3/LogDelivery"},
    {NULL, NULL},
};

void sh_canonical_id(const char *account, char id[SH_CANONICAL_ID])
{
    char text[64];
    unsigned char digest[SH_DIGEST_BYTES] = {0};
    int length = snprintf(text, sizeof(text), "canonical user of account %.20s", account);
    sh_digest_once(SH_DIGEST_SHA256, text, (size_t)length, digest);
    sh_hex(digest, 32, id);
}

bool sh_acl_next(const char **at, sh_acl_grant *out)
{
    if (!*at || !**at)
        return false;
    const char *colon = strchr(*at, ':');
    size_t length = strcspn(*at, " ");
    if (!colon)
        return false;
    *out = (sh_acl_grant){*at, (size_t)(colon - *at), colon + 1, (size_t)(*at + length - colon - 1)};
    *at += length;
    *at += **at == ' ';
    return true;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

bool sh_acl_allows(const char *acl, const sh_caller *caller, sh_acl_permission permission)
{
    sh_acl_grant grant;
    while (sh_acl_next(&acl, &grant)) {
        bool mine =
            is_word(grant.grantee, grant.grantee_length, "AllUsers") ||
            (caller && caller->arn && is_word(grant.grantee, grant.grantee_length, "AuthenticatedUsers"));
        if (mine && (is_word(grant.permission, grant.permission_length, permissions[permission]) ||
                     is_word(grant.permission, grant.permission_length, "FULL_CONTROL")))
            return true;
    }
    return false;
}

bool sh_acl_allows_here(const sh_bucket_rules *rules, const char *acl, const sh_caller *caller,
                        sh_acl_permission permission)
{
    return acl && rules->ownership != SH_OWNERSHIP_ENFORCED && !rules->block.ignore &&
           sh_acl_allows(acl, caller, permission);
}

bool sh_acl_is_public(const char *acl)
{
    return acl && (strstr(acl, ":AllUsers") || strstr(acl, ":AuthenticatedUsers"));
}

/* ---- canned ---- */

bool sh_acl_canned(const char *name, const char *owner, bool bucket, sh_arena *arena, const char **acl)
{
    static const struct {
        const char *name;
        const char *grants; /* NULL: private */
    } rows[] = {
        {"private", NULL},
        {"public-read", "READ:AllUsers"},
        {"public-read-write", "READ:AllUsers WRITE:AllUsers"},
        {"authenticated-read", "READ:AuthenticatedUsers"},
        {"aws-exec-read", "READ:" EC2_READER},
        {"bucket-owner-read", NULL},
        {"bucket-owner-full-control", NULL},
        {"log-delivery-write", "WRITE:LogDelivery READ_ACP:LogDelivery"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, name) != 0)
            continue;
        bool logs = strcmp(name, "log-delivery-write") == 0;
        *acl = rows[i].grants && !(logs && !bucket)
                   ? sh_arena_printf(arena, "FULL_CONTROL:%s %s", owner, rows[i].grants)
                   : NULL;
        return true;
    }
    return false;
}

/* ---- grants one by one ---- */

bool sh_acl_put(sh_s3 *s3, sh_acl_list *list, const char *permission, const char *kind, const char *value)
{
    char own[SH_CANONICAL_ID];
    const char *grantee = NULL;
    sh_canonical_id(s3->objects.account, own);
    if (strcasecmp(kind, "id") == 0) {
        if (strcmp(value, s3->objects.account) == 0)
            grantee = own;
        else if (strlen(value) == 64 && strspn(value, "0123456789abcdef") == 64)
            grantee = value;
        else
            sh_s3_bad_argument(s3, "CanonicalUser/ID", value, "Invalid id");
    } else if (strcasecmp(kind, "uri") == 0) {
        for (const sh_acl_group *group = sh_acl_groups; group->name && !grantee; group++)
            if (strcmp(group->uri, value) == 0)
                grantee = group->name;
        if (!grantee)
            sh_s3_bad_argument(s3, "Group/URI", value, "Invalid group uri");
    } else if (strcasecmp(kind, "emailAddress") == 0) {
        sh_s3_fail(s3, 400, "UnresolvableGrantByEmailAddress",
                   "The e-mail address you provided does not match any account on record.");
    } else {
        sh_s3_bad_argument(s3, "x-amz-grant", value, "Argument format not recognized");
    }
    if (!grantee)
        return false;
    if (++list->count > SH_ACL_GRANTS_MAX) {
        sh_s3_fail(s3, 400, "MalformedACLError", "An ACL has at most %d grants", SH_ACL_GRANTS_MAX);
        return false;
    }
    sh_buf_printf(&list->text, "%s%s:%s", list->text.length ? " " : "", permission, grantee);
    return true;
}

const char *sh_acl_finish(sh_s3 *s3, sh_acl_list *list, bool *good)
{
    char own[SH_CANONICAL_ID], only[SH_CANONICAL_ID + 16];
    const char *text = list->text.failed ? NULL : sh_arena_strdup(s3->arena, sh_buf_cstr(&list->text));
    sh_canonical_id(s3->objects.account, own);
    snprintf(only, sizeof(only), "FULL_CONTROL:%s", own);
    *good = text != NULL;
    if (!text)
        sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: no memory");
    sh_buf_free(&list->text);
    return text && strcmp(text, only) == 0 ? NULL : text;
}

/* One field: kind="value", kind="value". */
static bool read_field(sh_s3 *s3, sh_acl_list *list, const char *permission, const char *text)
{
    while (*(text += strspn(text, ", \t"))) {
        size_t kind = strcspn(text, "=,");
        const char *value = text + kind + 1;
        if (text[kind] != '=') {
            sh_s3_bad_argument(s3, "x-amz-grant", text, "Argument format not recognized");
            return false;
        }
        bool quoted = *value == '"';
        value += quoted;
        size_t length = strcspn(value, quoted ? "\"" : ", \t");
        const char *name = sh_arena_strndup(s3->arena, text, kind);
        const char *copy = sh_arena_strndup(s3->arena, value, length);
        if (!name || !copy || !sh_acl_put(s3, list, permission, name, copy))
            return false;
        text = value + length + (quoted && value[length] == '"');
    }
    return true;
}

static const char *const grant_fields[] = {"x-amz-grant-read", "x-amz-grant-write", "x-amz-grant-read-acp",
                                           "x-amz-grant-write-acp", "x-amz-grant-full-control"};

static bool has_grants(const sh_s3 *s3)
{
    for (size_t i = 0; i < sizeof(grant_fields) / sizeof(grant_fields[0]); i++)
        if (sh_http_field_get(s3->head, grant_fields[i]))
            return true;
    return false;
}

static bool read_grants(sh_s3 *s3, const char **acl)
{
    sh_acl_list list = {0};
    bool good = true;
    sh_buf_init(&list.text, 64 * 1024);
    for (size_t i = 0; good && i < sizeof(grant_fields) / sizeof(grant_fields[0]); i++) {
        const char *field = sh_http_field_get(s3->head, grant_fields[i]);
        if (field)
            good = read_field(s3, &list, permissions[i], field);
    }
    if (!good) {
        sh_buf_free(&list.text);
        return false;
    }
    *acl = sh_acl_finish(s3, &list, &good);
    return good;
}

bool sh_s3_acl_fields(sh_s3 *s3, bool bucket, bool *given, const char **acl)
{
    char own[SH_CANONICAL_ID];
    const char *canned = sh_http_field_get(s3->head, "x-amz-acl");
    bool grants = has_grants(s3);
    *given = canned || grants;
    *acl = NULL;
    if (canned && grants) {
        sh_s3_fail(s3, 400, "InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed");
        return false;
    }
    if (grants)
        return read_grants(s3, acl);
    sh_canonical_id(s3->objects.account, own);
    if (canned && !sh_acl_canned(canned, own, bucket, s3->arena, acl)) {
        sh_s3_bad_argument(s3, "x-amz-acl", canned, "The ACL is not one of the canned ACLs");
        return false;
    }
    return true;
}

bool sh_s3_acl_permitted(sh_s3 *s3, const sh_bucket_rules *rules, const char *acl, const char *action)
{
    if (!acl)
        return true;
    if (rules->ownership == SH_OWNERSHIP_ENFORCED) {
        sh_s3_fail(s3, 400, "AccessControlListNotSupported", "The bucket does not allow ACLs");
        return false;
    }
    if (rules->block.acls && sh_acl_is_public(acl)) {
        sh_s3_fail(s3, 403, "AccessDenied",
                   "User: %s is not authorized to perform: %s on resource: \"arn:aws:s3:::%s%s%s\" because "
                   "public ACLs are prevented by the BlockPublicAcls setting in S3 Block Public Access.",
                   s3->caller && s3->caller->arn ? s3->caller->arn : "anonymous", action, s3->bucket,
                   s3->key ? "/" : "", s3->key ? s3->key : "");
        return false;
    }
    return true;
}

bool sh_s3_acl_asked(sh_s3 *s3, const char **acl)
{
    bool given;
    const char *asked;
    if (!sh_s3_acl_fields(s3, false, &given, &asked))
        return false;
    if (asked) {
        const sh_bucket_rules *rules = sh_s3_need_rules(s3);
        if (!rules || !sh_s3_acl_permitted(s3, rules, asked, "s3:PutObject"))
            return false;
    }
    *acl = asked;
    return true;
}
