/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Roles. */
#include "cloud/api/iam_inner.h"

#include <string.h>

enum { ROLES_MAX = 1000, SESSION_DEFAULT_S = 3600 };

json_t *sh_iam_role_json(const sh_call *call, const sh_iam_entity *e, bool whole)
{
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:I}", "Path", e->path, "RoleName", e->name,
                            "RoleId", e->id, "Arn", sh_iam_entity_arn(call->cloud, call->arena, e),
                            "CreateDate", sh_iam_date(e->created_ms), "AssumeRolePolicyDocument",
                            sh_iam_document(e->trust), "MaxSessionDuration", (json_int_t)e->max_session_s);
    if (e->description)
        sh_iam_set(out, "Description", json_string(e->description));
    if (!whole)
        return out;
    if (e->boundary)
        sh_iam_set(out, "PermissionsBoundary",
                   json_pack("{s:s, s:s}", "PermissionsBoundaryType", "Policy", "PermissionsBoundaryArn",
                             e->boundary));
    sh_iam_set(out, "Tags", sh_iam_tags_json(e->tags));
    json_t *used = json_object();
    if (e->used_ms) {
        sh_iam_set(used, "LastUsedDate", sh_iam_date(e->used_ms));
        sh_iam_set(used, "Region", json_string(call->cloud->settings.region));
    }
    sh_iam_set(out, "RoleLastUsed", used);
    return out;
}

static json_t *plain_role(const sh_call *call, const sh_iam_entity *e)
{
    return sh_iam_role_json(call, e, false);
}

static int give_role(sh_call *call, const sh_iam_entity *e, sh_err *err)
{
    json_t *role = sh_iam_role_json(call, e, true);
    return sh_iam_give(call, role ? json_pack("{s:o}", "Role", role) : NULL, err);
}

/* ---- trust ---- */

/* A user or role of this account, or a session of a role, has to be there. */
static int check_principal(sh_call *call, const char *arn, sh_err *err)
{
    sh_err local = {0};
    sh_iam_entity e;
    const char *account = call->cloud->settings.account, *rest = strlen(arn) > 26 ? arn + 25 : "";
    bool iam = strncmp(arn, "arn:aws:iam::", 13) == 0, sts = strncmp(arn, "arn:aws:sts::", 13) == 0;
    sh_iam_kind kind = SH_IAM_ROLE;
    const char *name = NULL;
    if ((!iam && !sts) || strncmp(arn + 13, account, 12) != 0)
        return 0;
    if (iam && strncmp(rest, ":user/", 6) == 0) {
        kind = SH_IAM_USER;
        name = strrchr(rest, '/') + 1;
    } else if (iam && strncmp(rest, ":role/", 6) == 0) {
        name = strrchr(rest, '/') + 1;
    } else if (sts && strncmp(rest, ":assumed-role/", 14) == 0) {
        name = sh_arena_strndup(call->arena, rest + 14, strcspn(rest + 14, "/"));
    }
    if (!name)
        return 0;
    int status = sh_iam_get(call->cloud->db, call->arena, kind, name, &e, &local);
    if (status == 0 && iam && strcmp(sh_iam_entity_arn(call->cloud, call->arena, &e), arn) != 0)
        status = SH_E_NOT_FOUND;
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "MalformedPolicyDocument",
                            "Invalid principal in policy: \"AWS\":\"%s\"", arn);
    return status < 0 ? sh_fail(err, status, "%s", local.message) : 0;
}

static int check_principals(sh_call *call, const json_t *value, sh_err *err)
{
    int status = 0;
    if (json_is_string(value))
        return check_principal(call, json_string_value(value), err);
    for (size_t i = 0; i < json_array_size(value) && status == 0; i++)
        status = check_principals(call, json_array_get(value, i), err);
    return status;
}

static int check_trust(sh_call *call, const char *text, sh_err *err)
{
    int status = sh_iam_check_document(call, SH_POLICY_TRUST, text);
    if (status < 0)
        return status;
    if (sh_iam_document_size(text) > SH_IAM_TRUST_SIZE)
        return sh_iam_quota(call, "ACLSizePerRole", SH_IAM_TRUST_SIZE);
    json_t *policy = json_loads(text, 0, NULL);
    const json_t *statements = json_object_get(policy, "Statement");
    size_t count = json_is_array(statements) ? json_array_size(statements) : 1;
    for (size_t i = 0; i < count && status == 0; i++) {
        const json_t *one = json_is_array(statements) ? json_array_get(statements, i) : statements;
        status = check_principals(call, json_object_get(json_object_get(one, "Principal"), "AWS"), err);
    }
    json_decref(policy);
    return status;
}

/* ---- actions ---- */

int sh_iam_create_role(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    const char *trust = sh_iam_text(call, "AssumeRolePolicyDocument"), *path = sh_iam_text(call, "Path");
    if (path && strncmp(path, "/aws-service-role/", 18) == 0)
        return sh_call_fail(call, 400, "InvalidInput",
                            "The path /aws-service-role/ is for service-linked roles, which are made by "
                            "CreateServiceLinkedRole");
    int status = check_trust(call, trust, err);
    if (status == 0)
        status = sh_iam_fresh(call, SH_IAM_ROLE, &e, err);
    if (status == 0)
        status = sh_iam_room(call, SH_IAM_ROLE, "RolesPerAccount", ROLES_MAX, err);
    if (status < 0)
        return status;
    e.trust = trust;
    e.max_session_s = sh_iam_number(call, "MaxSessionDuration", SESSION_DEFAULT_S);
    status = sh_iam_add(call, &e, err);
    return status < 0 ? status : give_role(call, &e, err);
}

int sh_iam_get_role(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    int status = sh_iam_need(call, SH_IAM_ROLE, &e, err);
    return status < 0 ? status : give_role(call, &e, err);
}

int sh_iam_list_roles(sh_call *call, sh_err *err)
{
    return sh_iam_list_kind(call, SH_IAM_ROLE, "Roles", plain_role, err);
}

static int update_role(sh_call *call, sh_iam_entity *e, sh_err *err)
{
    const char *description = sh_iam_text(call, "Description");
    int status = sh_iam_need(call, SH_IAM_ROLE, e, err);
    if (status < 0)
        return status;
    if (description)
        e->description = description;
    e->max_session_s = sh_iam_number(call, "MaxSessionDuration", e->max_session_s);
    return sh_iam_update(call->cloud->db, e, err);
}

int sh_iam_update_role(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    int status = update_role(call, &e, err);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

int sh_iam_update_role_description(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    int status = update_role(call, &e, err);
    return status < 0 ? status : give_role(call, &e, err);
}

int sh_iam_update_trust(sh_call *call, sh_err *err)
{
    sh_iam_entity e;
    const char *trust = sh_iam_text(call, "PolicyDocument");
    int status = sh_iam_need(call, SH_IAM_ROLE, &e, err);
    if (status == 0)
        status = check_trust(call, trust, err);
    if (status < 0)
        return status;
    e.trust = trust;
    status = sh_iam_update(call->cloud->db, &e, err);
    return status < 0 ? status : sh_iam_give(call, json_object(), err);
}

int sh_iam_create_service_linked_role(sh_call *call, sh_err *err)
{
    (void)err;
    return sh_call_fail(call, 400, "InvalidInput",
                        "Service-linked roles are not made here: no service of this server has one (%s)",
                        sh_iam_text(call, "AWSServiceName"));
}
