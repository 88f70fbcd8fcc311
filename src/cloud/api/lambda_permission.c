/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resource policies of functions: one for the function, one for each qualifier that was given one. Kept as
 * {"Policy": {...}, "RevisionId": "..."}. Who asks through a qualifier is asked of that qualifier's policy
 * alone, as on AWS. */
#include "cloud/api/authorize.h"
#include "cloud/api/authorize_context.h"
#include "cloud/api/authorize_table.h"
#include "cloud/api/lambda_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POLICY_MAX = 20480 };

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* ---- decisions ---- */

int sh_fn_policy(sh_cloud *cloud, sh_arena *arena, const char *name, const char *qualifier, sh_policy **out,
                 sh_err *err)
{
    json_t *kept;
    *out = NULL;
    int status = sh_fn_load(cloud, arena, SH_FN_POLICY, name, qualifier ? qualifier : "", &kept, err);
    if (status == SH_E_NOT_FOUND)
        return 0;
    if (status < 0)
        return status;
    char *text = json_dumps(json_object_get(kept, "Policy"), JSON_COMPACT);
    status = text ? sh_policy_parse(out, SH_POLICY_RESOURCE, text, strlen(text), err)
                  : sh_fail(err, SH_E_MEMORY, "no memory for a policy");
    free(text);
    json_decref(kept);
    return status;
}

/* "arn:aws:states:REGION:ACCOUNT:…" has the account; one of S3 has none. */
static const char *account_of(sh_arena *arena, const char *arn)
{
    for (int i = 0; i < 4 && arn; i++)
        arn = (arn = strchr(arn, ':')) ? arn + 1 : NULL;
    size_t length = arn ? strcspn(arn, ":") : 0;
    return length ? sh_arena_strndup(arena, arn, length) : NULL;
}

static int ask(sh_cloud *cloud, const sh_fn_name *function, const sh_caller *caller, const char *action,
               const sh_context *context, sh_arena *arena, const char **sentence, sh_err *err)
{
    sh_policy *policy;
    const char *resource = sh_fn_arn(cloud, arena, function->name, function->qualifier);
    if (!resource)
        return sh_fail(err, SH_E_MEMORY, "no memory for an ARN");
    int status = sh_fn_policy(cloud, arena, function->name, function->qualifier, &policy, err);
    if (status < 0)
        return status;
    sh_asked asked = {.action = action,
                      .resource = resource,
                      .resource_policy = policy,
                      .keys = context->keys,
                      .key_count = context->count};
    status = sh_authorize(cloud, caller, &asked, arena, sentence, err);
    sh_policy_free(policy);
    return status;
}

int sh_fn_permit(sh_cloud *cloud, const sh_fn_name *function, const sh_caller *caller, const char *service,
                 const char *source_arn, sh_arena *arena, const char **sentence, sh_err *err)
{
    sh_context context = {.count = 0};
    const sh_caller itself = {.service = service};
    if (!caller) {
        const char *account = source_arn ? account_of(arena, source_arn) : NULL;
        sh_context_put(&context, "aws:SourceArn", source_arn);
        sh_context_put(&context, "aws:SourceAccount", account ? account : cloud->settings.account);
        sh_context_put(&context, "aws:PrincipalServiceName", service);
        sh_context_put(&context, "aws:PrincipalIsAWSService", "true");
    }
    return ask(cloud, function, caller ? caller : &itself, "lambda:InvokeFunction", &context, arena, sentence,
               err);
}

/* The row of the table for every action on a function. */
int sh_ask_function(sh_call *call, const char *action, const char *resource)
{
    sh_fn_name name;
    sh_err err = {0};
    const char *sentence = "", *text = text_of(call->in, "FunctionName");
    sh_context context = {.count = 0};
    bool invoke =
        strcmp(action, "lambda:Invoke") == 0 || strcmp(action, "lambda:InvokeWithResponseStream") == 0;
    if (!text || !sh_fn_split(call->cloud, call->arena, text, &name))
        return sh_authorize_one(call, invoke ? "lambda:InvokeFunction" : action, resource, NULL, 0);
    const char *qualifier = text_of(call->in, "Qualifier");
    if (qualifier)
        name.qualifier = qualifier;
    if (!invoke) {
        const char *arn = sh_fn_arn(call->cloud, call->arena, name.name, name.qualifier);
        return sh_ask_with(call, action, arn ? arn : resource, &context);
    }
    int status = ask(call->cloud, &name, call->caller, "lambda:InvokeFunction", &context, call->arena,
                     &sentence, &err);
    if (status == SH_E_DENIED)
        return sh_call_fail(call, 403, "AccessDeniedException", "%s", sentence);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

/* ---- AddPermission ---- */

static json_t *principal(sh_call *call, const char *text)
{
    if (strcmp(text, "*") == 0)
        return json_string("*");
    if (strlen(text) == 12 && strspn(text, "0123456789") == 12)
        return json_pack("{s:s}", "AWS", sh_arena_printf(call->arena, "arn:aws:iam::%s:root", text));
    if (strncmp(text, "arn:", 4) == 0)
        return json_pack("{s:s}", "AWS", text);
    return json_pack("{s:s}", "Service", text);
}

static void add_condition(json_t *statement, const char *operator, const char * key, const char *value)
{
    json_t *condition = json_object_get(statement, "Condition");
    if (!value)
        return;
    if (!condition) {
        condition = json_object();
        json_object_set_new(statement, "Condition", condition);
    }
    if (!json_object_get(condition, operator))
        json_object_set_new(condition, operator, json_object());
    json_object_set_new(json_object_get(condition, operator), key, json_string(value));
}

static bool in_pattern(const char *text, const char *also)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    for (; *text; text++)
        if (!strchr(letters, *text) && !strchr(also, *text))
            return false;
    return true;
}

static int read_statement(sh_call *call, const sh_fn_name *name, json_t **out)
{
    const char *sid, *action, *who, *source, *account, *organisation;
    int status;
    if ((status = sh_arg_need(call, "StatementId", 100, &sid)) < 0 ||
        (status = sh_arg_need(call, "Action", 256, &action)) < 0 ||
        (status = sh_arg_need(call, "Principal", 256, &who)) < 0 ||
        (status = sh_arg_text(call, "SourceArn", 1024, &source)) < 0 ||
        (status = sh_arg_text(call, "SourceAccount", 12, &account)) < 0 ||
        (status = sh_arg_text(call, "PrincipalOrgID", 34, &organisation)) < 0)
        return status;
    if (!in_pattern(sid, ""))
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value '%s' at 'statementId' failed to satisfy "
                            "constraint: Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)",
                            sid);
    if ((strncmp(action, "lambda:", 7) != 0 && strcmp(action, "*") != 0) || !in_pattern(action, ":*"))
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value '%s' at 'action' failed to satisfy "
                            "constraint: Member must satisfy regular expression pattern: "
                            "(lambda:[*]|lambda:[a-zA-Z]+|[*])",
                            action);
    if (strchr(who, ' '))
        return sh_fn_bad(call, "The provided principal was invalid. Please check the principal and try "
                               "again.");
    json_t *statement = json_pack("{s:s, s:s, s:o, s:s, s:s}", "Sid", sid, "Effect", "Allow", "Principal",
                                  principal(call, who), "Action", action, "Resource",
                                  sh_fn_arn(call->cloud, call->arena, name->name, name->qualifier));
    if (!statement)
        return sh_call_fail(call, 500, "ServiceException", "no memory for a statement");
    add_condition(statement, "StringEquals", "AWS:SourceAccount", account);
    add_condition(statement, "StringEquals", "aws:PrincipalOrgID", organisation);
    add_condition(statement, "ArnLike", "AWS:SourceArn", source);
    *out = statement;
    return 0;
}

static int find_statement(const json_t *kept, const char *sid)
{
    const json_t *list = json_object_get(json_object_get(kept, "Policy"), "Statement");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *one = text_of(json_array_get(list, i), "Sid");
        if (one && strcmp(one, sid) == 0)
            return (int)i;
    }
    return -1;
}

static json_t *statements(json_t *kept)
{
    return json_object_get(json_object_get(kept, "Policy"), "Statement");
}

/* The kept policy has to be one that IAM understands, and not too long. */
static int keep(sh_call *call, const sh_fn_name *name, json_t *kept)
{
    sh_err err = {0};
    sh_policy *parsed = NULL;
    char *text = json_dumps(json_object_get(kept, "Policy"), JSON_COMPACT);
    int status = text ? 0 : sh_fail(&err, SH_E_MEMORY, "no memory for a policy");
    sh_fn_new_revision(call, kept);
    if (status == 0 && strlen(text) > POLICY_MAX)
        status = sh_call_fail(call, 400, "PolicyLengthExceededException",
                              "The final policy size (%zu) is bigger than the limit (%d).", strlen(text),
                              POLICY_MAX);
    else if (status == 0)
        status = sh_policy_parse(&parsed, SH_POLICY_RESOURCE, text, strlen(text), &err);
    if (status == SH_E_FORMAT)
        status = sh_fn_bad(call,
                           "The provided principal was invalid. Please check the principal and try "
                           "again. (%s)",
                           err.message);
    if (status == 0)
        status = sh_fn_save(call->cloud, SH_FN_POLICY, name->name, name->qualifier ? name->qualifier : "", 0,
                            kept, &err);
    sh_policy_free(parsed);
    free(text);
    return status < 0 && !call->error.code ? sh_call_fail_internal(call, &err) : status;
}

static int load(sh_call *call, const sh_fn_name *name, json_t **kept)
{
    sh_err err = {0};
    int status = sh_fn_load(call->cloud, call->arena, SH_FN_POLICY, name->name,
                            name->qualifier ? name->qualifier : "", kept, &err);
    return status < 0 && status != SH_E_NOT_FOUND ? sh_call_fail_internal(call, &err) : status;
}

static int need_qualified(sh_call *call, sh_fn_name *name)
{
    sh_fn_version version;
    int status = sh_fn_need(call, name);
    if (status < 0 || !name->qualifier)
        return status;
    if (strcmp(name->qualifier, SH_FN_LATEST) == 0)
        return sh_fn_bad(call, "We currently do not support adding policies for $LATEST.");
    status = sh_fn_need_version(call, name, &version);
    if (status == 0)
        json_decref(version.body);
    return status;
}

static int add(sh_call *call, const sh_fn_name *name, json_t *statement, json_t *kept)
{
    const char *sid = text_of(statement, "Sid");
    int status = sh_fn_check_revision(call, kept);
    if (status < 0)
        return status;
    if (find_statement(kept, sid) >= 0)
        return sh_call_fail(call, 409, "ResourceConflictException",
                            "The statement id (%s) provided already exists. Please provide a new statement "
                            "id, or remove the existing statement.",
                            sid);
    json_array_append(statements(kept), statement);
    if ((status = keep(call, name, kept)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    char *text = json_dumps(statement, JSON_COMPACT);
    sh_put_text(&status, call->out, "Statement", text);
    free(text);
    return sh_out_done(call, status);
}

int sh_fn_add_permission(sh_call *call)
{
    sh_fn_name name;
    json_t *statement, *kept = NULL;
    int status = need_qualified(call, &name);
    if (status == 0)
        status = read_statement(call, &name, &statement);
    if (status < 0)
        return status;
    status = load(call, &name, &kept);
    if (status == SH_E_NOT_FOUND) {
        kept = json_pack("{s:{s:s, s:s, s:[]}}", "Policy", "Version", "2012-10-17", "Id", "default",
                         "Statement");
        status = 0;
    }
    if (status == 0)
        status = add(call, &name, statement, kept);
    json_decref(statement);
    json_decref(kept);
    return status;
}

static int no_policy(sh_call *call)
{
    return sh_call_fail(call, 404, "ResourceNotFoundException",
                        "No policy is associated with the given resource.");
}

static int drop(sh_call *call, const sh_fn_name *name, const char *sid, json_t *kept)
{
    sh_err err = {0};
    int at = find_statement(kept, sid);
    int status = sh_fn_check_revision(call, kept);
    if (status < 0)
        return status;
    if (at < 0)
        return sh_call_fail(call, 404, "ResourceNotFoundException",
                            "Statement %s is not found in resource policy.", sid);
    json_array_remove(statements(kept), (size_t)at);
    if (json_array_size(statements(kept)) > 0)
        return keep(call, name, kept);
    status =
        sh_fn_delete(call->cloud->db, SH_FN_POLICY, name->name, name->qualifier ? name->qualifier : "", &err);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

int sh_fn_remove_permission(sh_call *call)
{
    sh_fn_name name;
    const char *sid;
    json_t *kept = NULL;
    int status = sh_fn_need(call, &name);
    if (status == 0)
        status = sh_arg_need(call, "StatementId", 100, &sid);
    if (status < 0)
        return status;
    status = load(call, &name, &kept);
    if (status == SH_E_NOT_FOUND)
        return no_policy(call);
    if (status == 0)
        status = drop(call, &name, sid, kept);
    json_decref(kept);
    return status < 0 ? status : sh_out_new(call);
}

int sh_fn_get_policy(sh_call *call)
{
    sh_fn_name name;
    json_t *kept = NULL;
    int status = sh_fn_need(call, &name);
    if (status < 0)
        return status;
    status = load(call, &name, &kept);
    if (status == SH_E_NOT_FOUND)
        return no_policy(call);
    if (status == 0)
        status = sh_out_new(call);
    if (status == 0) {
        char *text = json_dumps(json_object_get(kept, "Policy"), JSON_COMPACT);
        sh_put_text(&status, call->out, "Policy", text);
        sh_put_text(&status, call->out, "RevisionId", text_of(kept, "RevisionId"));
        free(text);
        status = sh_out_done(call, status);
    }
    json_decref(kept);
    return status;
}
