/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Users, groups, and what is said of passwords and devices, which there are none of here. */
#include "cloud/api/iam_inner.h"

#include <stdlib.h>
#include <string.h>

/* ---- as JSON ---- */

json_t *sh_iam_tags_json(const char *tags)
{
    json_t *object = tags ? json_loads(tags, 0, NULL) : NULL;
    json_t *list = json_object_size(object) ? json_array() : NULL;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        json_array_append_new(list, json_pack("{s:s, s:O}", "Key", key, "Value", value));
    }
    json_decref(object);
    return list;
}

static json_t *boundary_json(const char *arn)
{
    return arn ? json_pack("{s:s, s:s}", "PermissionsBoundaryType", "Policy", "PermissionsBoundaryArn", arn)
               : NULL;
}

json_t *sh_iam_user_json(const sh_call *call, const sh_iam_entity *e, bool whole)
{
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:s, s:o}", "Path", e->path, "UserName", e->name, "UserId", e->id, "Arn",
                  sh_iam_entity_arn(call->cloud, call->arena, e), "CreateDate", sh_iam_date(e->created_ms));
    if (whole) {
        sh_iam_set(out, "PermissionsBoundary", boundary_json(e->boundary));
        sh_iam_set(out, "Tags", sh_iam_tags_json(e->tags));
    }
    return out;
}

json_t *sh_iam_group_json(const sh_call *call, const sh_iam_entity *e)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "Path", e->path, "GroupName", e->name, "GroupId", e->id,
                     "Arn", sh_iam_entity_arn(call->cloud, call->arena, e), "CreateDate",
                     sh_iam_date(e->created_ms));
}

static json_t *plain_user(const sh_call *call, const sh_iam_entity *e)
{
    return sh_iam_user_json(call, e, false);
}

static json_t *wrap(const char *name, json_t *value)
{
    return value ? json_pack("{s:o}", name, value) : NULL;
}

/* ---- users ---- */

int sh_iam_create_user(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    int status = sh_iam_fresh(call, SH_IAM_USER, &e, err);
    if (status == 0)
        status = sh_iam_room(call, SH_IAM_USER, "UsersPerAccount", 5000, err);
    if (status == 0)
        status = sh_iam_add(call, &e, err);
    return status < 0 ? status : sh_iam_give(call, wrap("User", sh_iam_user_json(call, &e, true)), err);
}

/* The root has no row. */
static json_t *root_json(const sh_call *call)
{
    const char *account = call->cloud->settings.account;
    return json_pack("{s:{s:s, s:s, s:o, s:s}}", "User", "UserId", account, "Arn",
                     sh_arena_printf(call->arena, "arn:aws:iam::%s:root", account), "CreateDate",
                     sh_iam_date(call->now_ms), "Path", "/");
}

int sh_iam_get_user(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    bool root;
    int status = sh_iam_need_user(call, &e, &root, err);
    if (status < 0)
        return status;
    return sh_iam_give(call, root ? root_json(call) : wrap("User", sh_iam_user_json(call, &e, true)), err);
}

int sh_iam_list_users(sh_call *call, sh_err *err)
{
    return sh_iam_list_kind(call, SH_IAM_USER, "Users", plain_user, err);
}

/* A new name or path; the name may be the old one in other letters. */
static int rename_entity(sh_call *call, sh_iam_entity *e, const char *name, const char *path, sh_err *err)
{
    sh_err local = {0};
    if (name)
        e->name = name;
    if (path)
        e->path = path;
    int status = sh_iam_update(call->cloud->db, e, &local);
    if (status == SH_E_CONFLICT)
        return sh_call_fail(call, 409, "EntityAlreadyExists", "%s with name %s already exists.",
                            sh_iam_kind_of(e->kind)->title, name);
    if (status < 0)
        return sh_fail(err, status, "%s", local.message);
    return sh_iam_give(call, json_object(), err);
}

int sh_iam_update_user(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    int status = sh_iam_need(call, SH_IAM_USER, &e, err);
    return status < 0
               ? status
               : rename_entity(call, &e, sh_iam_text(call, "NewUserName"), sh_iam_text(call, "NewPath"), err);
}

static int conflict(sh_call *call, const char *what)
{
    return sh_call_fail(call, 409, "DeleteConflict", "Cannot delete entity, must %s first.", what);
}

static int delete_entity(sh_call *call, const sh_iam_entity *e, sh_err *err)
{
    sh_iam_load load;
    int status = sh_iam_load_of(call->cloud->db, e->row, &load, err);
    if (status < 0)
        return status;
    if (load.members)
        return conflict(call, e->kind == SH_IAM_GROUP ? "remove users from group"
                                                      : "remove roles from instance profile");
    if (load.parents)
        return conflict(call, e->kind == SH_IAM_USER ? "remove users from group"
                                                     : "remove roles from instance profile");
    if (load.keys)
        return conflict(call, "delete access keys");
    if (load.attached)
        return conflict(call, "detach all policies");
    if (load.inlines)
        return conflict(call, "delete policies");
    status = sh_iam_delete(call->cloud->db, e->row, err);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

static int delete_named(sh_call *call, sh_iam_kind kind, sh_err *err)
{
    sh_iam_entity e;
    int status = sh_iam_need(call, kind, &e, err);
    return status < 0 ? status : delete_entity(call, &e, err);
}

int sh_iam_delete_user(sh_call *call, sh_err *err)
{
    return delete_named(call, SH_IAM_USER, err);
}

int sh_iam_delete_group(sh_call *call, sh_err *err)
{
    return delete_named(call, SH_IAM_GROUP, err);
}

int sh_iam_delete_role(sh_call *call, sh_err *err)
{
    return delete_named(call, SH_IAM_ROLE, err);
}

int sh_iam_delete_profile(sh_call *call, sh_err *err)
{
    return delete_named(call, SH_IAM_PROFILE, err);
}

/* ---- boundaries ---- */

static int set_boundary(sh_call *call, sh_iam_kind kind, bool put, sh_err *err)
{
    sh_iam_entity e;
    sh_iam_managed policy;
    const char *arn = put ? sh_iam_text(call, "PermissionsBoundary") : NULL;
    int status = sh_iam_need(call, kind, &e, err);
    if (status == 0 && !put && !e.boundary)
        return sh_call_fail(call, 404, "NoSuchEntity", "%s %s does not have a permissions boundary.",
                            sh_iam_kind_of(kind)->title, e.name);
    if (status == 0 && put)
        status = sh_iam_managed_need(call, arn, &policy, err);
    if (status < 0)
        return status;
    e.boundary = arn;
    status = sh_iam_update(call->cloud->db, &e, err);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

int sh_iam_put_user_boundary(sh_call *call, sh_err *err)
{
    return set_boundary(call, SH_IAM_USER, true, err);
}

int sh_iam_delete_user_boundary(sh_call *call, sh_err *err)
{
    return set_boundary(call, SH_IAM_USER, false, err);
}

int sh_iam_put_role_boundary(sh_call *call, sh_err *err)
{
    return set_boundary(call, SH_IAM_ROLE, true, err);
}

int sh_iam_delete_role_boundary(sh_call *call, sh_err *err)
{
    return set_boundary(call, SH_IAM_ROLE, false, err);
}

/* ---- groups ---- */

int sh_iam_create_group(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    int status = sh_iam_fresh(call, SH_IAM_GROUP, &e, err);
    if (status == 0)
        status = sh_iam_room(call, SH_IAM_GROUP, "GroupsPerAccount", 300, err);
    if (status == 0)
        status = sh_iam_add(call, &e, err);
    return status < 0 ? status : sh_iam_give(call, wrap("Group", sh_iam_group_json(call, &e)), err);
}

static int add_member(void *page, const sh_iam_entity *e)
{
    sh_iam_page *p = page;
    json_t *item = e->kind == SH_IAM_USER ? plain_user(p->call, e) : sh_iam_group_json(p->call, e);
    return !sh_iam_page_add(p, e->name, item);
}

int sh_iam_get_group(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    sh_iam_page page;
    int status = sh_iam_page_of(call, SH_IAM_GROUP, &e, &page, err);
    if (status < 0)
        return status;
    status = sh_iam_members(call->cloud->db, e.row, page.after, page.limit + 1, add_member, &page, err);
    status = sh_iam_page_end(&page, status, "Users", err);
    if (status == 0)
        sh_iam_set(call->out, "Group", sh_iam_group_json(call, &e));
    return status;
}

int sh_iam_list_groups(sh_call *call, sh_err *err)
{
    return sh_iam_list_kind(call, SH_IAM_GROUP, "Groups", sh_iam_group_json, err);
}

int sh_iam_update_group(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    int status = sh_iam_need(call, SH_IAM_GROUP, &e, err);
    return status < 0 ? status
                      : rename_entity(call, &e, sh_iam_text(call, "NewGroupName"),
                                      sh_iam_text(call, "NewPath"), err);
}

int sh_iam_add_user_to_group(sh_call *call, sh_err *err)
{
    sh_iam_entity group, user;
    sh_iam_load load;
    int status = sh_iam_need(call, SH_IAM_GROUP, &group, err);
    if (status == 0)
        status = sh_iam_need(call, SH_IAM_USER, &user, err);
    if (status == 0)
        status = sh_iam_join(call->cloud->db, group.row, user.row, err);
    if (status == 0)
        status = sh_iam_load_of(call->cloud->db, user.row, &load, err);
    if (status == 0 && load.parents > 10)
        return sh_iam_quota(call, "GroupsPerUser", 10);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

int sh_iam_remove_user_from_group(sh_call *call, sh_err *err)
{
    sh_iam_entity group, user;
    int status = sh_iam_need(call, SH_IAM_GROUP, &group, err);
    if (status == 0)
        status = sh_iam_need(call, SH_IAM_USER, &user, err);
    if (status == 0)
        status = sh_iam_leave(call->cloud->db, group.row, user.row, err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 404, "NoSuchEntity", "User %s not in group %s", user.name, group.name);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

int sh_iam_list_groups_for_user(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    sh_iam_page page;
    int status = sh_iam_page_of(call, SH_IAM_USER, &e, &page, err);
    if (status < 0)
        return status;
    status = sh_iam_parents(call->cloud->db, e.row, page.after, page.limit + 1, add_member, &page, err);
    return sh_iam_page_end(&page, status, "Groups", err);
}

/* ---- what there is none of ---- */

static int empty_page(sh_call *call, const char *name, sh_err *err)
{
    sh_iam_page page;
    int status = sh_iam_page_begin(call, &page, NULL);
    return status < 0 ? status : sh_iam_page_end(&page, 0, name, err);
}

int sh_iam_list_aliases(sh_call *call, sh_err *err)
{
    return empty_page(call, "AccountAliases", err);
}

static int empty_of_user(sh_call *call, const char *name, sh_err *err)
{
    sh_iam_entity e;
    bool root;
    int status = sh_iam_need_user(call, &e, &root, err);
    return status < 0 ? status : empty_page(call, name, err);
}

int sh_iam_list_mfa(sh_call *call, sh_err *err)
{
    return empty_of_user(call, "MFADevices", err);
}

int sh_iam_list_virtual_mfa(sh_call *call, sh_err *err)
{
    return empty_page(call, "VirtualMFADevices", err);
}

int sh_iam_list_signing(sh_call *call, sh_err *err)
{
    return empty_of_user(call, "Certificates", err);
}

int sh_iam_list_ssh(sh_call *call, sh_err *err)
{
    return empty_of_user(call, "SSHPublicKeys", err);
}

int sh_iam_list_service_credentials(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    bool root;
    int status = sh_iam_need_user(call, &e, &root, err);
    return status < 0 ? status : sh_iam_give(call, json_pack("{s:[]}", "ServiceSpecificCredentials"), err);
}

int sh_iam_list_server_certificates(sh_call *call, sh_err *err)
{
    return empty_page(call, "ServerCertificateMetadataList", err);
}

int sh_iam_list_saml(sh_call *call, sh_err *err)
{
    return sh_iam_give(call, json_pack("{s:[]}", "SAMLProviderList"), err);
}

int sh_iam_list_oidc(sh_call *call, sh_err *err)
{
    return sh_iam_give(call, json_pack("{s:[]}", "OpenIDConnectProviderList"), err);
}

int sh_iam_get_password_policy(sh_call *call, sh_err *err)
{
    (void)err;
    return sh_call_fail(call, 404, "NoSuchEntity", "The Password Policy with domain name %s cannot be found.",
                        call->cloud->settings.account);
}

int sh_iam_get_login(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    bool root;
    int status = sh_iam_need_user(call, &e, &root, err);
    return status < 0 ? status
                      : sh_call_fail(call, 404, "NoSuchEntity", "Login Profile for User %s cannot be found.",
                                     root ? "root" : e.name);
}

int sh_iam_create_login(sh_call *call, sh_err *err)
{
    (void)err;
    return sh_call_fail(call, 501, "NotImplemented",
                        "CreateLoginProfile: nobody signs in with a password here; use access keys");
}
