/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attachments of managed policies to users, groups and roles. */
#include "cloud/api/iam_inner.h"

#include <stdio.h>
#include <string.h>

static int attach(sh_call *call, sh_iam_kind kind, sh_err *err)
{
    static const char *const quotas[] = {[SH_IAM_USER] = "PoliciesPerUser",
                                         [SH_IAM_GROUP] = "PoliciesPerGroup",
                                         [SH_IAM_ROLE] = "PoliciesPerRole"};
    const sh_iam_kind_row *row = sh_iam_kind_of(kind);
    sh_iam_entity e;
    sh_iam_managed policy;
    sh_iam_load load;
    int status = sh_iam_need(call, kind, &e, err);
    if (status == 0)
        status = sh_iam_managed_need(call, sh_iam_text(call, "PolicyArn"), &policy, err);
    if (status == 0)
        status = sh_iam_attach(call->cloud->db, e.row, policy.arn, err);
    if (status == 0)
        status = sh_iam_load_of(call->cloud->db, e.row, &load, err);
    if (status == 0 && load.attached > row->attached_max)
        return sh_iam_quota(call, quotas[kind], row->attached_max);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

static int detach(sh_call *call, sh_iam_kind kind, sh_err *err)
{
    sh_err local = {0};
    sh_iam_entity e;
    const char *arn = sh_iam_text(call, "PolicyArn");
    int status = sh_iam_need(call, kind, &e, err);
    if (status < 0)
        return status;
    status = sh_iam_detach(call->cloud->db, e.row, arn, &local);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 404, "NoSuchEntity", "Policy %s was not found.", arn);
    if (status < 0)
        return sh_fail(err, status, "%s", local.message);
    return sh_iam_give(call, json_object(), err);
}

/* "arn:aws:iam::A:policy/path/name": the name, and whether the path begins so. */
static const char *name_of(const char *arn)
{
    const char *slash = strrchr(arn, '/');
    return slash ? slash + 1 : arn;
}

static bool has_path(const char *arn, const char *prefix)
{
    const char *path = strchr(arn, '/');
    return path && strncmp(path, prefix, strlen(prefix)) == 0;
}

static int add_attached(void *opaque, const char *arn)
{
    sh_iam_page *page = opaque;
    if (page->about && !has_path(arn, page->about))
        return 0;
    return !sh_iam_page_add(page, arn, json_pack("{s:s, s:s}", "PolicyName", name_of(arn), "PolicyArn", arn));
}

static int list(sh_call *call, sh_iam_kind kind, sh_err *err)
{
    sh_iam_entity e;
    sh_iam_page page;
    int status = sh_iam_page_of(call, kind, &e, &page, err);
    if (status < 0)
        return status;
    page.about = sh_iam_text(call, "PathPrefix");
    status = sh_iam_attached(call->cloud->db, e.row, page.after, INT64_MAX, add_attached, &page, err);
    return sh_iam_page_end(&page, status, "AttachedPolicies", err);
}

/* ---- attach ---- */

int sh_iam_attach_user(sh_call *call, sh_err *err)
{
    return attach(call, SH_IAM_USER, err);
}

int sh_iam_attach_group(sh_call *call, sh_err *err)
{
    return attach(call, SH_IAM_GROUP, err);
}

int sh_iam_attach_role(sh_call *call, sh_err *err)
{
    return attach(call, SH_IAM_ROLE, err);
}

/* ---- detach ---- */

int sh_iam_detach_user(sh_call *call, sh_err *err)
{
    return detach(call, SH_IAM_USER, err);
}

int sh_iam_detach_group(sh_call *call, sh_err *err)
{
    return detach(call, SH_IAM_GROUP, err);
}

int sh_iam_detach_role(sh_call *call, sh_err *err)
{
    return detach(call, SH_IAM_ROLE, err);
}

/* ---- list ---- */

int sh_iam_list_attached_user(sh_call *call, sh_err *err)
{
    return list(call, SH_IAM_USER, err);
}

int sh_iam_list_attached_group(sh_call *call, sh_err *err)
{
    return list(call, SH_IAM_GROUP, err);
}

int sh_iam_list_attached_role(sh_call *call, sh_err *err)
{
    return list(call, SH_IAM_ROLE, err);
}

/* ---- who has a policy ---- */

typedef struct holders {
    sh_call *call;
    json_t *list;
    const char *prefix, *name_member, *id_member;
    sh_iam_kind kind;
} holders;

/* Pages run through groups, roles and users; a marker is the kind's letter and the name. */
static int add_holder(void *opaque, const sh_iam_entity *e)
{
    sh_iam_page *page = opaque;
    holders *h = (holders *)page->about;
    char name[160];
    if (strncmp(e->path, h->prefix, strlen(h->prefix)) != 0)
        return 0;
    snprintf(name, sizeof(name), "%d%s", (int)e->kind, e->name);
    json_t *item = json_pack("{s:s, s:s}", h->name_member, e->name, h->id_member, e->id);
    size_t before = json_array_size(page->list);
    json_incref(item);
    bool more = sh_iam_page_add(page, name, item);
    if (json_array_size(page->list) > before)
        json_array_append(h->list, item);
    json_decref(item);
    return !more;
}

static int list_holders(sh_iam_page *page, const char *arn, holders *h, bool boundary, sh_err *err)
{
    const char *after = "";
    int first = page->after[0] ? page->after[0] - '0' : 0;
    if ((int)h->kind < first || page->truncated)
        return 0;
    if ((int)h->kind == first)
        after = page->after + 1;
    page->about = h;
    return sh_iam_attached_to(page->call->cloud->db, arn, h->kind, boundary, after, INT64_MAX, add_holder,
                              page, err);
}

int sh_iam_list_entities_for_policy(sh_call *call, sh_err *err)
{
    const char *filter = sh_iam_text(call, "EntityFilter"), *prefix = sh_iam_text(call, "PathPrefix");
    const char *usage = sh_iam_text(call, "PolicyUsageFilter");
    sh_iam_managed policy;
    sh_iam_page page;
    if (!prefix)
        prefix = "/";
    holders all[] = {
        {call, json_array(), prefix, "UserName", "UserId", SH_IAM_USER},
        {call, json_array(), prefix, "GroupName", "GroupId", SH_IAM_GROUP},
        {call, json_array(), prefix, "RoleName", "RoleId", SH_IAM_ROLE},
    };
    static const char *const names[] = {"PolicyUsers", "PolicyGroups", "PolicyRoles"};
    int status = sh_iam_managed_need(call, sh_iam_text(call, "PolicyArn"), &policy, err);
    bool begun = status == 0 && (status = sh_iam_page_begin(call, &page, NULL)) == 0;
    for (int i = 0; i < 3 && status == 0; i++)
        if (!filter || strcmp(filter, sh_iam_kind_of(all[i].kind)->title) == 0)
            status = list_holders(&page, policy.arn, &all[i],
                                  usage && strcmp(usage, "PermissionsBoundary") == 0, err);
    if (begun)
        status = sh_iam_page_end(&page, status, "All", err);
    if (status == 0)
        json_object_del(call->out, "All");
    for (int i = 0; i < 3; i++) {
        if (status == 0)
            sh_iam_set(call->out, names[i], json_incref(all[i].list));
        json_decref(all[i].list);
    }
    return status;
}
