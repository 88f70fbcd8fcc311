/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The account as a whole: how much there is of everything, and all of it in one document. */
#include "cloud/api/iam_inner.h"

#include <stdio.h>
#include <string.h>

/* ---- summary ---- */

int sh_iam_account_summary(sh_call *call, sh_err *err)
{
    static const struct {
        const char *name;
        int value;
    } quotas[] = {
        {"UsersQuota", 5000},
        {"GroupsQuota", 300},
        {"RolesQuota", 1000},
        {"PoliciesQuota", 1500},
        {"InstanceProfilesQuota", 1000},
        {"GroupsPerUserQuota", 10},
        {"AccessKeysPerUserQuota", 2},
        {"SigningCertificatesPerUserQuota", 0},
        {"AttachedPoliciesPerUserQuota", 10},
        {"AttachedPoliciesPerGroupQuota", 10},
        {"AttachedPoliciesPerRoleQuota", 10},
        {"UserPolicySizeQuota", 2048},
        {"GroupPolicySizeQuota", 5120},
        {"RolePolicySizeQuota", 10240},
        {"PolicySizeQuota", SH_IAM_POLICY_SIZE},
        {"AssumeRolePolicySizeQuota", SH_IAM_TRUST_SIZE},
        {"VersionsPerPolicyQuota", SH_IAM_VERSIONS_MAX},
        {"ServerCertificates", 0},
        {"ServerCertificatesQuota", 0},
        {"AccountMFAEnabled", 0},
        {"AccountAccessKeysPresent", 1},
        {"AccountSigningCertificatesPresent", 0},
        {"AccountPasswordPresent", 0},
        {"MFADevices", 0},
        {"MFADevicesInUse", 0},
        {"Providers", 0},
        {"PolicyVersionsInUseQuota", 10000},
        {"GlobalEndpointTokenVersion", 1},
    };
    static const char *const names[] = {"Users", "Groups", "Roles", "Policies", "InstanceProfiles"};
    json_t *map = json_object();
    int status = 0;
    for (int kind = SH_IAM_USER; kind <= SH_IAM_PROFILE && status == 0; kind++) {
        int64_t count = 0;
        status = sh_iam_count(call->cloud->db, (sh_iam_kind)kind, &count, err);
        json_object_set_new(map, names[kind - 1], json_integer(count));
    }
    for (size_t i = 0; i < sizeof(quotas) / sizeof(quotas[0]); i++)
        json_object_set_new(map, quotas[i].name, json_integer(quotas[i].value));
    if (status < 0) {
        json_decref(map);
        return status;
    }
    return sh_iam_give(call, map ? json_pack("{s:o}", "SummaryMap", map) : NULL, err);
}

/* ---- details ---- */

typedef struct details {
    sh_iam_page page;
    json_t *lists[SH_IAM_PROFILE + 1];
    int status;
    sh_err *err;
} details;

static int add_inline(void *list, const char *name, const char *document)
{
    json_array_append_new(
        list, json_pack("{s:s, s:o}", "PolicyName", name, "PolicyDocument", sh_iam_document(document)));
    return 0;
}

static int add_attached(void *list, const char *arn)
{
    const char *slash = strrchr(arn, '/');
    json_array_append_new(list,
                          json_pack("{s:s, s:s}", "PolicyName", slash ? slash + 1 : arn, "PolicyArn", arn));
    return 0;
}

static int add_name(void *list, const sh_iam_entity *e)
{
    json_array_append_new(list, json_string(e->name));
    return 0;
}

typedef struct profiles {
    const sh_call *call;
    json_t *list;
    sh_err *err;
} profiles;

static int add_profile(void *opaque, const sh_iam_entity *e)
{
    profiles *p = opaque;
    json_array_append_new(p->list, sh_iam_profile_json(p->call, e, false, p->err));
    return 0;
}

static void add_policies(details *d, json_t *out, const sh_iam_entity *e, const char *inline_name)
{
    sh_db *db = d->page.call->cloud->db;
    json_t *inlines = json_array(), *attached = json_array();
    if (d->status == 0)
        d->status = sh_iam_inline_list(db, e->row, "", INT64_MAX, add_inline, inlines, d->err);
    if (d->status == 0)
        d->status = sh_iam_attached(db, e->row, "", INT64_MAX, add_attached, attached, d->err);
    sh_iam_set(out, inline_name, inlines);
    sh_iam_set(out, "AttachedManagedPolicies", attached);
}

static json_t *user_details(details *d, const sh_iam_entity *e)
{
    json_t *out = sh_iam_user_json(d->page.call, e, true), *groups = json_array();
    add_policies(d, out, e, "UserPolicyList");
    if (d->status == 0)
        d->status = sh_iam_parents(d->page.call->cloud->db, e->row, "", INT64_MAX, add_name, groups, d->err);
    sh_iam_set(out, "GroupList", groups);
    return out;
}

static json_t *group_details(details *d, const sh_iam_entity *e)
{
    json_t *out = sh_iam_group_json(d->page.call, e);
    add_policies(d, out, e, "GroupPolicyList");
    return out;
}

static json_t *role_details(details *d, const sh_iam_entity *e)
{
    profiles p = {d->page.call, json_array(), d->err};
    json_t *out = sh_iam_role_json(d->page.call, e, true);
    json_object_del(out, "Description");
    json_object_del(out, "MaxSessionDuration");
    add_policies(d, out, e, "RolePolicyList");
    if (d->status == 0)
        d->status = sh_iam_parents(d->page.call->cloud->db, e->row, "", INT64_MAX, add_profile, &p, d->err);
    sh_iam_set(out, "InstanceProfileList", p.list);
    return out;
}

typedef struct versions {
    json_t *list;
    int64_t current;
} versions;

static int add_version(void *opaque, const sh_iam_policy_version *v)
{
    versions *all = opaque;
    char id[32];
    snprintf(id, sizeof(id), "v%lld", (long long)v->number);
    json_array_append_new(all->list,
                          json_pack("{s:o, s:s, s:b, s:o}", "Document", sh_iam_document(v->document),
                                    "VersionId", id, "IsDefaultVersion", v->number == all->current,
                                    "CreateDate", sh_iam_date(v->created_ms)));
    return 0;
}

static json_t *policy_details(details *d, const sh_iam_entity *e)
{
    sh_call *call = d->page.call;
    versions all = {json_array(), e->version};
    int64_t count = 0, boundaries = 0;
    char version[32];
    const char *arn = sh_iam_entity_arn(call->cloud, call->arena, e);
    snprintf(version, sizeof(version), "v%lld", (long long)e->version);
    if (d->status == 0)
        d->status = sh_iam_attachments(call->cloud->db, arn, &count, &boundaries, d->err);
    if (d->status == 0)
        d->status = sh_iam_version_list(call->cloud->db, e->row, 0, INT64_MAX, add_version, &all, d->err);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:b, s:o, s:o, s:o}", "PolicyName", e->name,
                     "PolicyId", e->id, "Arn", arn, "Path", e->path, "DefaultVersionId", version,
                     "AttachmentCount", (json_int_t)count, "PermissionsBoundaryUsageCount",
                     (json_int_t)boundaries, "IsAttachable", 1, "CreateDate", sh_iam_date(e->created_ms),
                     "UpdateDate", sh_iam_date(e->updated_ms), "PolicyVersionList", all.list);
}

static int add_entity(void *opaque, const sh_iam_entity *e)
{
    details *d = opaque;
    char name[160];
    json_t *item = e->kind == SH_IAM_USER    ? user_details(d, e)
                   : e->kind == SH_IAM_GROUP ? group_details(d, e)
                   : e->kind == SH_IAM_ROLE  ? role_details(d, e)
                                             : policy_details(d, e);
    size_t before = json_array_size(d->page.list);
    snprintf(name, sizeof(name), "%d%s", (int)e->kind, e->name);
    json_incref(item);
    bool more = sh_iam_page_add(&d->page, name, item);
    if (json_array_size(d->page.list) > before)
        json_array_append(d->lists[e->kind], item);
    json_decref(item);
    return d->status < 0 ? d->status : !more;
}

/* A policy of AWS is told of when something has it. */
static void add_aws_policies(details *d)
{
    sh_call *call = d->page.call;
    for (const sh_aws_policy *p = sh_aws_policies; p->name && !d->page.truncated && d->status == 0; p++) {
        char name[160], version[16];
        int64_t count = 0, boundaries = 0;
        const char *arn = sh_arena_printf(call->arena, "arn:aws:iam::aws:policy%s%s", p->path, p->name);
        snprintf(name, sizeof(name), "9%s", p->name);
        snprintf(version, sizeof(version), "v%d", p->version);
        if (!arn || strcmp(name, d->page.after) <= 0)
            continue;
        d->status = sh_iam_attachments(call->cloud->db, arn, &count, &boundaries, d->err);
        if (count + boundaries == 0)
            continue;
        json_t *item =
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:b, s:[{s:o, s:s, s:b}]}", "PolicyName", p->name,
                      "PolicyId", p->id, "Arn", arn, "Path", p->path, "DefaultVersionId", version,
                      "AttachmentCount", (json_int_t)count, "PermissionsBoundaryUsageCount",
                      (json_int_t)boundaries, "IsAttachable", 1, "PolicyVersionList", "Document",
                      sh_iam_document(p->document), "VersionId", version, "IsDefaultVersion", 1);
        json_incref(item);
        size_t before = json_array_size(d->page.list);
        sh_iam_page_add(&d->page, name, item);
        if (json_array_size(d->page.list) > before)
            json_array_append(d->lists[SH_IAM_POLICY], item);
        json_decref(item);
    }
}

/* Filter: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]; none is all. */
static bool filtered(const sh_call *call, const char *kind)
{
    size_t index;
    const json_t *one, *filter = sh_iam_array(call, "Filter");
    if (!json_array_size(filter))
        return true;
    json_array_foreach(filter, index, one)
    {
        if (json_is_string(one) && strcmp(json_string_value(one), kind) == 0)
            return true;
    }
    return false;
}

static int list_kind(details *d, sh_iam_kind kind)
{
    int first = d->page.after[0] ? d->page.after[0] - '0' : 0;
    if ((int)kind < first || d->page.truncated)
        return 0;
    return sh_iam_list(d->page.call->cloud->db, kind, "/", (int)kind == first ? d->page.after + 1 : "",
                       d->page.limit + 1, add_entity, d, d->err);
}

int sh_iam_account_details(sh_call *call, sh_err *err)
{
    static const struct {
        sh_iam_kind kind;
        const char *filter, *name;
    } rows[] = {{SH_IAM_USER, "User", "UserDetailList"},
                {SH_IAM_GROUP, "Group", "GroupDetailList"},
                {SH_IAM_ROLE, "Role", "RoleDetailList"},
                {SH_IAM_POLICY, "LocalManagedPolicy", "Policies"}};
    details d = {.err = err};
    int status = sh_iam_page_begin(call, &d.page, NULL);
    if (status < 0)
        return status;
    for (size_t i = 0; i < 4; i++)
        d.lists[rows[i].kind] = json_array();
    for (size_t i = 0; i < 4 && status == 0; i++)
        if (filtered(call, rows[i].filter))
            status = list_kind(&d, rows[i].kind);
    if (status == 0 && filtered(call, "AWSManagedPolicy")) {
        add_aws_policies(&d);
        status = d.status;
    }
    status = sh_iam_page_end(&d.page, status, "All", err);
    if (status == 0)
        json_object_del(call->out, "All");
    for (size_t i = 0; i < 4; i++) {
        if (status == 0)
            sh_iam_set(call->out, rows[i].name, json_incref(d.lists[rows[i].kind]));
        json_decref(d.lists[rows[i].kind]);
    }
    return status;
}
