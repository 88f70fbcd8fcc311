/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instance profiles: the role of a node. */
#include "cloud/api/iam_inner.h"

typedef struct roles {
    const sh_call *call;
    json_t *list;
    bool whole;
} roles;

static int add_role(void *opaque, const sh_iam_entity *e)
{
    roles *r = opaque;
    json_array_append_new(r->list, sh_iam_role_json(r->call, e, r->whole));
    return 0;
}

json_t *sh_iam_profile_json(const sh_call *call, const sh_iam_entity *e, bool whole, sh_err *err)
{
    roles r = {call, json_array(), false};
    if (!r.list || sh_iam_members(call->cloud->db, e->row, "", 1, add_role, &r, err) < 0) {
        json_decref(r.list);
        return NULL;
    }
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "Path", e->path, "InstanceProfileName", e->name,
                            "InstanceProfileId", e->id, "Arn", sh_iam_entity_arn(call->cloud, call->arena, e),
                            "CreateDate", sh_iam_date(e->created_ms), "Roles", r.list);
    if (whole)
        sh_iam_set(out, "Tags", sh_iam_tags_json(e->tags));
    return out;
}

static json_t *plain_profile(const sh_call *call, const sh_iam_entity *e)
{
    sh_err err = {0};
    return sh_iam_profile_json(call, e, false, &err);
}

static int give_profile(sh_call *call, const sh_iam_entity *e, sh_err *err)
{
    json_t *profile = sh_iam_profile_json(call, e, true, err);
    return sh_iam_give(call, profile ? json_pack("{s:o}", "InstanceProfile", profile) : NULL, err);
}

int sh_iam_create_profile(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    int status = sh_iam_fresh(call, SH_IAM_PROFILE, &e, err);
    if (status == 0)
        status = sh_iam_room(call, SH_IAM_PROFILE, "InstanceProfilesPerAccount", 1000, err);
    if (status == 0)
        status = sh_iam_add(call, &e, err);
    return status < 0 ? status : give_profile(call, &e, err);
}

int sh_iam_get_profile(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    int status = sh_iam_need(call, SH_IAM_PROFILE, &e, err);
    return status < 0 ? status : give_profile(call, &e, err);
}

int sh_iam_list_profiles(sh_call *call, sh_err *err)
{
    return sh_iam_list_kind(call, SH_IAM_PROFILE, "InstanceProfiles", plain_profile, err);
}

static int add_profile(void *opaque, const sh_iam_entity *e)
{
    sh_iam_page *page = opaque;
    return !sh_iam_page_add(page, e->name, plain_profile(page->call, e));
}

int sh_iam_list_profiles_for_role(sh_call *call, sh_err *err)
{
    sh_iam_entity role;
    sh_iam_page page;
    int status = sh_iam_page_of(call, SH_IAM_ROLE, &role, &page, err);
    if (status < 0)
        return status;
    status = sh_iam_parents(call->cloud->db, role.row, page.after, page.limit + 1, add_profile, &page, err);
    return sh_iam_page_end(&page, status, "InstanceProfiles", err);
}

int sh_iam_add_role_to_profile(sh_call *call, sh_err *err)
{
    sh_iam_entity profile, role;
    sh_iam_load load;
    int status = sh_iam_need(call, SH_IAM_PROFILE, &profile, err);
    if (status == 0)
        status = sh_iam_need(call, SH_IAM_ROLE, &role, err);
    if (status == 0)
        status = sh_iam_load_of(call->cloud->db, profile.row, &load, err);
    if (status == 0 && load.members > 0)
        return sh_iam_quota(call, "InstanceSessionsPerInstanceProfile", 1);
    if (status == 0)
        status = sh_iam_join(call->cloud->db, profile.row, role.row, err);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

int sh_iam_remove_role_from_profile(sh_call *call, sh_err *err)
{
    sh_iam_entity profile, role;
    int status = sh_iam_need(call, SH_IAM_PROFILE, &profile, err);
    if (status == 0)
        status = sh_iam_need(call, SH_IAM_ROLE, &role, err);
    if (status == 0)
        status = sh_iam_leave(call->cloud->db, profile.row, role.row, err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 404, "NoSuchEntity", "The role with name %s is not in instance profile %s.",
                            role.name, profile.name);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

/* ---- for the node ---- */

typedef struct first_role {
    const sh_cloud *cloud;
    sh_arena *arena;
    const char *arn;
} first_role;

static int take_role(void *opaque, const sh_iam_entity *e)
{
    first_role *f = opaque;
    f->arn = sh_iam_entity_arn(f->cloud, f->arena, e);
    return 1;
}

int sh_iam_profile_role(sh_cloud *cloud, const char *profile, sh_arena *arena, const char **role_arn,
                        sh_err *err)
{
    sh_iam_entity e;
    first_role f = {cloud, arena, NULL};
    int status = sh_iam_get(cloud->db, arena, SH_IAM_PROFILE, profile, &e, err);
    if (status == 0)
        status = sh_iam_members(cloud->db, e.row, "", 1, take_role, &f, err);
    if (status < 0)
        return status;
    if (!f.arn)
        return sh_fail(err, SH_E_NOT_FOUND, "instance profile %s has no role", profile);
    *role_arn = f.arn;
    return 0;
}
