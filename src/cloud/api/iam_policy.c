/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Managed policies: AWS's, which nobody can change, and the account's with their versions. */
#include "cloud/api/iam_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POLICIES_MAX = 1500 };

/* ---- finding one ---- */

static const char *aws_arn(sh_arena *arena, const sh_aws_policy *p)
{
    return sh_arena_printf(arena, "arn:aws:iam::aws:policy%s%s", p->path, p->name);
}

static void fill_aws(const sh_aws_policy *p, const char *arn, sh_iam_managed *out)
{
    const int64_t made = 1423158061000; /* 2015-02-05T17:41:01Z */
    *out = (sh_iam_managed){.aws = true,
                            .arn = arn,
                            .document = p->document,
                            .entity = {.kind = SH_IAM_POLICY,
                                       .name = p->name,
                                       .id = p->id,
                                       .path = p->path,
                                       .created_ms = made,
                                       .updated_ms = made,
                                       .description = p->description,
                                       .version = p->version,
                                       .last_version = p->version}};
}

static int find_aws(sh_arena *arena, const char *arn, sh_iam_managed *out, sh_err *err)
{
    const char *name = strrchr(arn, '/') + 1;
    for (const sh_aws_policy *p = sh_aws_policies; p->name; p++) {
        const char *its = strcmp(p->name, name) == 0 ? aws_arn(arena, p) : NULL;
        if (its && strcmp(its, arn) == 0) {
            fill_aws(p, its, out);
            return 0;
        }
    }
    return sh_fail(err, SH_E_NOT_FOUND, "AWS has no policy %s that is known here", arn);
}

int sh_iam_managed_get(sh_cloud *cloud, sh_arena *arena, const char *arn, sh_iam_managed *out, sh_err *err)
{
    sh_iam_policy_version version;
    const char *account = cloud->settings.account, *slash = strrchr(arn, '/');
    if (strncmp(arn, "arn:aws:iam::aws:policy/", 24) == 0)
        return find_aws(arena, arn, out, err);
    if (strncmp(arn, "arn:aws:iam::", 13) != 0 || strncmp(arn + 13, account, 12) != 0 || !slash)
        return sh_fail(err, SH_E_NOT_FOUND, "no policy %s", arn);
    *out = (sh_iam_managed){.aws = false};
    int status = sh_iam_get(cloud->db, arena, SH_IAM_POLICY, slash + 1, &out->entity, err);
    if (status < 0)
        return status;
    out->arn = sh_iam_entity_arn(cloud, arena, &out->entity);
    if (strcmp(out->arn, arn) != 0)
        return sh_fail(err, SH_E_NOT_FOUND, "no policy %s", arn);
    status = sh_iam_version_get(cloud->db, arena, out->entity.row, out->entity.version, &version, err);
    out->document = status == 0 ? version.document : NULL;
    return status;
}

static bool is_policy_arn(const sh_call *call, const char *arn)
{
    return strncmp(arn, "arn:aws:iam::", 13) == 0 &&
           (strncmp(arn + 13, "aws:policy/", 11) == 0 ||
            (strncmp(arn + 13, call->cloud->settings.account, 12) == 0 &&
             strncmp(arn + 25, ":policy/", 8) == 0));
}

int sh_iam_managed_need(sh_call *call, const char *arn, sh_iam_managed *out, sh_err *err)
{
    sh_err local = {0};
    if (!is_policy_arn(call, arn))
        return strncmp(arn, "arn:", 4) == 0
                   ? sh_call_fail(call, 404, "NoSuchEntity", "Policy %s does not exist or is not attachable.",
                                  arn)
                   : sh_call_fail(call, 400, "InvalidInput", "ARN %s is not valid.", arn);
    int status = sh_iam_managed_get(call->cloud, call->arena, arn, out, &local);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 404, "NoSuchEntity", "Policy %s does not exist or is not attachable.", arn);
    return status < 0 ? sh_fail(err, status, "%s", local.message) : 0;
}

static int need_policy(sh_call *call, bool to_change, sh_iam_managed *out, sh_err *err)
{
    sh_err local = {0};
    const char *arn = sh_iam_text(call, "PolicyArn");
    if (strncmp(arn, "arn:", 4) != 0)
        return sh_call_fail(call, 400, "InvalidInput", "ARN %s is not valid.", arn);
    int status = sh_iam_managed_get(call->cloud, call->arena, arn, out, &local);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 404, "NoSuchEntity", "Policy %s was not found.", arn);
    if (status == 0 && to_change && out->aws)
        return sh_call_fail(
            call, 403, "AccessDenied",
            "User: %s is not authorized to perform this action on resource: policy %s: a policy "
            "of AWS cannot be changed",
            call->principal, arn);
    return status < 0 ? sh_fail(err, status, "%s", local.message) : 0;
}

/* ---- as JSON ---- */

static json_t *policy_json(const sh_call *call, const sh_iam_managed *p, bool whole)
{
    sh_err ignored = {0};
    int64_t count = 0, boundaries = 0;
    char version[32];
    const sh_iam_entity *e = &p->entity;
    snprintf(version, sizeof(version), "v%lld", (long long)e->version);
    if (sh_iam_attachments(call->cloud->db, p->arn, &count, &boundaries, &ignored) < 0)
        return NULL;
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:b, s:o, s:o}", "PolicyName", e->name, "PolicyId",
                  e->id, "Arn", p->arn, "Path", e->path, "DefaultVersionId", version, "AttachmentCount",
                  (json_int_t)count, "PermissionsBoundaryUsageCount", (json_int_t)boundaries, "IsAttachable",
                  1, "CreateDate", sh_iam_date(e->created_ms), "UpdateDate", sh_iam_date(e->updated_ms));
    if (whole && e->description && *e->description)
        sh_iam_set(out, "Description", json_string(e->description));
    if (whole)
        sh_iam_set(out, "Tags", sh_iam_tags_json(e->tags));
    return out;
}

static json_t *version_json(const sh_iam_policy_version *v, int64_t current, bool document)
{
    char id[32];
    snprintf(id, sizeof(id), "v%lld", (long long)v->number);
    json_t *out = json_object();
    if (document)
        sh_iam_set(out, "Document", sh_iam_document(v->document));
    sh_iam_set(out, "VersionId", json_string(id));
    sh_iam_set(out, "IsDefaultVersion", json_boolean(v->number == current));
    sh_iam_set(out, "CreateDate", sh_iam_date(v->created_ms));
    return out;
}

static int give(sh_call *call, const char *name, json_t *value, sh_err *err)
{
    return sh_iam_give(call, value ? json_pack("{s:o}", name, value) : NULL, err);
}

/* ---- policies ---- */

static int check_policy(sh_call *call)
{
    const char *document = sh_iam_text(call, "PolicyDocument");
    int status = sh_iam_check_document(call, SH_POLICY_IDENTITY, document);
    if (status == 0 && sh_iam_document_size(document) > SH_IAM_POLICY_SIZE)
        return sh_iam_quota(call, "PolicySize", SH_IAM_POLICY_SIZE);
    return status;
}

int sh_iam_create_policy(sh_call *call, sh_err *err)
{
    sh_iam_managed p = {.aws = false};
    int status = check_policy(call);
    if (status == 0)
        status = sh_iam_fresh(call, SH_IAM_POLICY, &p.entity, err);
    if (status == 0)
        status = sh_iam_room(call, SH_IAM_POLICY, "PoliciesPerAccount", POLICIES_MAX, err);
    if (status < 0)
        return status;
    p.entity.version = p.entity.last_version = 1;
    status = sh_iam_add(call, &p.entity, err);
    if (status == 0)
        status = sh_iam_version_put(
            call->cloud->db, p.entity.row,
            &(sh_iam_policy_version){1, call->now_ms, sh_iam_text(call, "PolicyDocument")}, err);
    p.arn = sh_iam_entity_arn(call->cloud, call->arena, &p.entity);
    return status < 0 ? status : give(call, "Policy", policy_json(call, &p, true), err);
}

int sh_iam_get_policy(sh_call *call, sh_err *err)
{
    sh_iam_managed p;
    int status = need_policy(call, false, &p, err);
    return status < 0 ? status : give(call, "Policy", policy_json(call, &p, true), err);
}

typedef struct policy_list {
    sh_iam_page page;
    const char *prefix, *usage;
    bool only_attached;
    sh_err *err;
} policy_list;

static bool wanted(const policy_list *l, const sh_iam_managed *p)
{
    int64_t count = 0, boundaries = 0;
    sh_err ignored = {0};
    if (strncmp(p->entity.path, l->prefix, strlen(l->prefix)) != 0)
        return false;
    if (!l->only_attached && !l->usage)
        return true;
    sh_iam_attachments(l->page.call->cloud->db, p->arn, &count, &boundaries, &ignored);
    if (l->usage)
        return strcmp(l->usage, "PermissionsBoundary") == 0 ? boundaries > 0 : count > 0;
    return count > 0;
}

/* Markers are ARNs: those of AWS come last, as "aws" comes after digits. */
static int add_policy(void *opaque, const sh_iam_entity *e)
{
    policy_list *l = opaque;
    sh_iam_managed p = {.entity = *e};
    p.arn = sh_iam_entity_arn(l->page.call->cloud, l->page.call->arena, e);
    if (!wanted(l, &p))
        return 0;
    return !sh_iam_page_add(&l->page, sh_arena_printf(l->page.call->arena, "l%s", e->name),
                            policy_json(l->page.call, &p, false));
}

static void add_aws(policy_list *l, const char *after)
{
    for (const sh_aws_policy *p = sh_aws_policies; p->name && !l->page.truncated; p++) {
        sh_iam_managed one;
        fill_aws(p, aws_arn(l->page.call->arena, p), &one);
        if (strcmp(p->name, after) <= 0 || !one.arn || !wanted(l, &one))
            continue;
        sh_iam_page_add(&l->page, sh_arena_printf(l->page.call->arena, "a%s", p->name),
                        policy_json(l->page.call, &one, false));
    }
}

int sh_iam_list_policies(sh_call *call, sh_err *err)
{
    policy_list l = {.err = err};
    const char *scope = sh_iam_text(call, "Scope"), *prefix = sh_iam_text(call, "PathPrefix");
    int status = sh_iam_page_begin(call, &l.page, NULL);
    if (status < 0)
        return status;
    l.prefix = prefix ? prefix : "/";
    l.usage = sh_iam_text(call, "PolicyUsageFilter");
    l.only_attached = sh_iam_bool(call, "OnlyAttached", false);
    bool in_aws = l.page.after[0] == 'a';
    const char *after = l.page.after[0] ? l.page.after + 1 : "";
    if (!in_aws && (!scope || strcmp(scope, "AWS") != 0))
        status = sh_iam_list(call->cloud->db, SH_IAM_POLICY, "/", after, INT64_MAX, add_policy, &l, err);
    if (status == 0 && (!scope || strcmp(scope, "Local") != 0))
        add_aws(&l, in_aws ? after : "");
    return sh_iam_page_end(&l.page, status, "Policies", err);
}

int sh_iam_delete_policy(sh_call *call, sh_err *err)
{
    sh_iam_managed p;
    sh_iam_load load;
    int64_t count = 0, boundaries = 0;
    int status = need_policy(call, true, &p, err);
    if (status == 0)
        status = sh_iam_attachments(call->cloud->db, p.arn, &count, &boundaries, err);
    if (status == 0 && count + boundaries > 0)
        return sh_call_fail(call, 409, "DeleteConflict", "Cannot delete a policy attached to entities.");
    if (status == 0)
        status = sh_iam_load_of(call->cloud->db, p.entity.row, &load, err);
    if (status == 0 && load.versions > 1)
        return sh_call_fail(call, 409, "DeleteConflict",
                            "This policy has more than one version. Before you delete a policy, you must "
                            "delete the policy's versions. The default version is deleted with the policy.");
    if (status == 0)
        status = sh_iam_version_delete(call->cloud->db, p.entity.row, p.entity.version, err);
    if (status == 0)
        status = sh_iam_delete(call->cloud->db, p.entity.row, err);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

/* ---- versions ---- */

int sh_iam_create_version(sh_call *call, sh_err *err)
{
    sh_iam_managed p;
    sh_iam_load load;
    int status = need_policy(call, true, &p, err);
    if (status == 0)
        status = check_policy(call);
    if (status == 0)
        status = sh_iam_load_of(call->cloud->db, p.entity.row, &load, err);
    if (status == 0 && load.versions >= SH_IAM_VERSIONS_MAX)
        return sh_call_fail(
            call, 409, "LimitExceeded",
            "A managed policy can have up to 5 versions. Before you create a new version, you "
            "must delete an existing version.");
    if (status < 0)
        return status;
    sh_iam_policy_version v = {p.entity.last_version + 1, call->now_ms, sh_iam_text(call, "PolicyDocument")};
    p.entity.last_version = v.number;
    p.entity.updated_ms = call->now_ms;
    if (sh_iam_bool(call, "SetAsDefault", false))
        p.entity.version = v.number;
    status = sh_iam_version_put(call->cloud->db, p.entity.row, &v, err);
    if (status == 0)
        status = sh_iam_update(call->cloud->db, &p.entity, err);
    return status < 0 ? status : give(call, "PolicyVersion", version_json(&v, p.entity.version, false), err);
}

static int no_version(sh_call *call)
{
    return sh_call_fail(call, 404, "NoSuchEntity",
                        "Policy %s version %s does not exist or is not attachable.",
                        sh_iam_text(call, "PolicyArn"), sh_iam_text(call, "VersionId"));
}

/* The version that the request names. AWS's policies have one, the default. */
static int need_version(sh_call *call, bool to_change, sh_iam_managed *p, sh_iam_policy_version *v,
                        sh_err *err)
{
    sh_err local = {0};
    const char *id = sh_iam_text(call, "VersionId");
    char *end = NULL;
    long long number = id[0] == 'v' && id[1] >= '1' && id[1] <= '9' ? strtoll(id + 1, &end, 10) : 0;
    if (number <= 0 || *end)
        return sh_call_fail(call, 400, "ValidationError",
                            "1 validation error detected: Value '%s' at 'versionId' failed to satisfy "
                            "constraint: Member must satisfy regular expression pattern: "
                            "v[1-9][0-9]*(\\.[A-Za-z0-9-]*)?",
                            id);
    int status = need_policy(call, to_change, p, err);
    if (status < 0)
        return status;
    if (p->aws) {
        *v = (sh_iam_policy_version){number, p->entity.created_ms, p->document};
        return number == p->entity.version ? 0 : no_version(call);
    }
    status = sh_iam_version_get(call->cloud->db, call->arena, p->entity.row, number, v, &local);
    if (status == SH_E_NOT_FOUND)
        return no_version(call);
    return status < 0 ? sh_fail(err, status, "%s", local.message) : 0;
}

int sh_iam_get_version(sh_call *call, sh_err *err)
{
    sh_iam_managed p;
    sh_iam_policy_version v;
    int status = need_version(call, false, &p, &v, err);
    return status < 0 ? status : give(call, "PolicyVersion", version_json(&v, p.entity.version, true), err);
}

int sh_iam_set_version(sh_call *call, sh_err *err)
{
    sh_iam_managed p;
    sh_iam_policy_version v;
    int status = need_version(call, true, &p, &v, err);
    if (status < 0)
        return status;
    p.entity.version = v.number;
    p.entity.updated_ms = call->now_ms;
    status = sh_iam_update(call->cloud->db, &p.entity, err);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

int sh_iam_delete_version(sh_call *call, sh_err *err)
{
    sh_iam_managed p;
    sh_iam_policy_version v;
    int status = need_version(call, true, &p, &v, err);
    if (status == 0 && v.number == p.entity.version)
        return sh_call_fail(call, 409, "DeleteConflict", "Cannot delete the default version of a policy.");
    if (status == 0)
        status = sh_iam_version_delete(call->cloud->db, p.entity.row, v.number, err);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

static int add_version(void *opaque, const sh_iam_policy_version *v)
{
    sh_iam_page *page = opaque;
    const sh_iam_managed *p = page->about;
    return !sh_iam_page_add(page, sh_arena_printf(page->call->arena, "%lld", (long long)v->number),
                            version_json(v, p->entity.version, false));
}

int sh_iam_list_versions(sh_call *call, sh_err *err)
{
    sh_iam_managed p;
    sh_iam_page page;
    int status = need_policy(call, false, &p, err);
    if (status == 0)
        status = sh_iam_page_begin(call, &page, NULL);
    if (status < 0)
        return status;
    page.about = &p;
    if (p.aws)
        add_version(&page, &(sh_iam_policy_version){p.entity.version, p.entity.created_ms, p.document});
    else
        status = sh_iam_version_list(call->cloud->db, p.entity.row, strtoll(page.after, NULL, 10),
                                     page.limit + 1, add_version, &page, err);
    return sh_iam_page_end(&page, status, "Versions", err);
}
