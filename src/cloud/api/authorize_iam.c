/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Actions of IAM: most are about one entity, whose ARN has its path. A caller that names no user means
 * itself. */
#include "cloud/api/authorize.h"
#include "cloud/api/authorize_table.h"
#include "cloud/store/iam.h"

#include <string.h>

typedef struct kind_row {
    const char *member; /* of the input */
    const char *type;   /* in the ARN */
    sh_iam_kind kind;
} kind_row;

/* The first that the input has is what the action is about. */
static const kind_row kinds[] = {
    {"InstanceProfileName", "instance-profile", SH_IAM_PROFILE},
    {"GroupName", "group", SH_IAM_GROUP},
    {"RoleName", "role", SH_IAM_ROLE},
    {"UserName", "user", SH_IAM_USER},
};

static const char *text_of(const sh_call *call, const char *name)
{
    const char *value = json_string_value(json_object_get(call->in, name));
    return value && *value ? value : NULL;
}

/* One that is not there has the ARN it would have without a path. */
static const char *entity_arn(sh_call *call, const kind_row *row, const char *name)
{
    sh_iam_entity entity;
    sh_err err = {0};
    const char *account = call->cloud->settings.account;
    if (sh_iam_get(call->cloud->db, call->arena, row->kind, name, &entity, &err) < 0)
        return sh_arena_printf(call->arena, "arn:aws:iam::%s:%s/%s", account, row->type, name);
    return sh_arena_printf(call->arena, "arn:aws:iam::%s:%s%s%s", account, row->type, entity.path,
                           entity.name);
}

static bool acts_on_own_user(const char *action)
{
    static const char *const actions[] = {"iam:GetUser",         "iam:ListAccessKeys",  "iam:CreateAccessKey",
                                          "iam:DeleteAccessKey", "iam:UpdateAccessKey", NULL};
    for (size_t i = 0; actions[i]; i++)
        if (strcmp(actions[i], action) == 0)
            return true;
    return false;
}

static const char *resource_of(sh_call *call, const char *action)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char *name = text_of(call, kinds[i].member);
        if (name)
            return entity_arn(call, &kinds[i], name);
    }
    if (text_of(call, "PolicyArn"))
        return text_of(call, "PolicyArn");
    return acts_on_own_user(action) && call->caller->arn ? call->caller->arn : "*";
}

static int pass_to_profile(sh_call *call)
{
    const char *role = text_of(call, "RoleName");
    const char *arn = role ? entity_arn(call, &kinds[2], role) : NULL;
    return arn ? sh_authorize_pass_role(call, arn, "ec2.amazonaws.com") : 0;
}

int sh_ask_identity(sh_call *call, const char *action, const char *resource)
{
    sh_context context = {.count = 0};
    if (strcmp(resource, "*") == 0)
        resource = resource_of(call, action);
    if (!resource)
        return sh_call_fail(call, 500, "InternalFailure", "no memory to authorize a request");
    sh_context_put(&context, "iam:PolicyARN", text_of(call, "PolicyArn"));
    sh_context_put(&context, "iam:PermissionsBoundary", text_of(call, "PermissionsBoundary"));
    sh_context_put(&context, "iam:AWSServiceName", text_of(call, "AWSServiceName"));
    int status = sh_ask_with(call, action, resource, &context);
    if (status == 0 && strcmp(action, "iam:AddRoleToInstanceProfile") == 0)
        status = pass_to_profile(call);
    return status;
}
