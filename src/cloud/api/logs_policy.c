/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/logs_policy.h"
#include "cloud/api/args.h"
#include "cloud/api/authorize.h"
#include "cloud/api/logs.h"
#include "cloud/flow/flow.h"
#include "cloud/store/eventparts.h"

#include <stdlib.h>
#include <string.h>

#define POLICIES_MAX 10
#define POLICY_MAX 5120

static void put_policy(int *failed, json_t *out, const char *name, const json_t *kept)
{
    sh_put_text(failed, out, "policyName", name);
    sh_put_text(failed, out, "policyDocument", json_string_value(json_object_get(kept, "document")));
    sh_put(failed, out, "lastUpdatedTime", json_incref(json_object_get(kept, "updated")));
}

int sh_logs_put_resource_policy(sh_call *call)
{
    const char *name, *document, *old;
    int64_t count = 0;
    sh_policy *policy = NULL;
    sh_err err = {0};
    int failed = 0, status = sh_arg_need(call, "policyName", 256, &name);
    if (status < 0 || (status = sh_arg_need(call, "policyDocument", POLICY_MAX, &document)) < 0)
        return status;
    if (sh_policy_parse(&policy, SH_POLICY_RESOURCE, document, strlen(document), &err) < 0)
        return sh_logs_refuse(call, "%s", err.message);
    sh_policy_free(policy);
    if (sh_part_count(call->cloud->db, SH_PART_LOG_POLICY, &count, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if (count >= POLICIES_MAX &&
        sh_part_get(call->cloud->db, call->arena, SH_PART_LOG_POLICY, name, &old, NULL) < 0)
        return sh_call_fail(call, 400, "LimitExceededException", "Resource limit exceeded.");
    json_t *kept = json_pack("{s:s, s:I}", "document", document, "updated", (json_int_t)call->now_ms);
    char *text = kept ? sh_flow_text(kept) : NULL;
    status = text ? sh_part_put(call->cloud->db, SH_PART_LOG_POLICY, name, text, &err)
                  : sh_fail(&err, SH_E_MEMORY, "no memory for a policy");
    if (status < 0)
        status = sh_call_fail_internal(call, &err);
    else if ((status = sh_out_new(call)) == 0) {
        json_t *shown = json_object();
        put_policy(&failed, shown, name, kept);
        sh_put(&failed, call->out, "resourcePolicy", shown);
        status = sh_out_done(call, failed);
    }
    free(text);
    json_decref(kept);
    return status;
}

typedef struct listing {
    json_t *list;
    int failed;
} listing;

static int take_policy(void *opaque, const char *name, const char *value)
{
    listing *l = opaque;
    json_t *kept = json_loads(value, 0, NULL), *item = json_object();
    put_policy(&l->failed, item, name, kept);
    json_decref(kept);
    return json_array_append_new(l->list, item) < 0 ? SH_E_MEMORY : 0;
}

int sh_logs_describe_resource_policies(sh_call *call)
{
    sh_err err = {0};
    listing l = {.list = json_array()};
    int status =
        sh_part_list(call->cloud->db, SH_PART_LOG_POLICY, "", "", POLICIES_MAX, take_policy, &l, &err);
    if (status < 0 || sh_out_new(call) < 0) {
        json_decref(l.list);
        return status < 0 ? sh_call_fail_internal(call, &err) : sh_out_done(call, SH_E_MEMORY);
    }
    sh_put(&l.failed, call->out, "resourcePolicies", l.list);
    return sh_out_done(call, l.failed);
}

int sh_logs_delete_resource_policy(sh_call *call)
{
    const char *name;
    sh_err err = {0};
    int status = sh_arg_need(call, "policyName", 256, &name);
    if (status < 0)
        return status;
    status = sh_part_delete(call->cloud->db, SH_PART_LOG_POLICY, name, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "ResourceNotFoundException", "Policy with name [%s] does not exist.",
                            name);
    return status < 0 ? sh_call_fail_internal(call, &err) : sh_out_new(call);
}

/* ---- decisions ---- */

/* All statements of all policies as one: whoever is allowed by any and denied by none. */
static int gather(void *opaque, const char *name, const char *value)
{
    json_t *kept = json_loads(value, 0, NULL);
    const char *document = json_string_value(json_object_get(kept, "document"));
    json_t *policy = document ? json_loads(document, 0, NULL) : NULL;
    json_t *statements = json_object_get(policy, "Statement");
    int status = 0;
    if (json_is_array(statements))
        status = json_array_extend(opaque, statements);
    else if (statements)
        status = json_array_append(opaque, statements);
    json_decref(policy);
    json_decref(kept);
    return status < 0 ? SH_E_MEMORY : 0;
}

static int load(sh_cloud *cloud, sh_policy **out, sh_err *err)
{
    json_t *statements = json_array();
    int status = sh_part_list(cloud->db, SH_PART_LOG_POLICY, "", "", POLICIES_MAX, gather, statements, err);
    bool any = json_array_size(statements) > 0;
    json_t *all = json_pack("{s:s, s:o}", "Version", "2012-10-17", "Statement", statements);
    char *text = status == 0 && any && all ? json_dumps(all, JSON_COMPACT) : NULL;
    if (text)
        status = sh_policy_parse(out, SH_POLICY_RESOURCE, text, strlen(text), err);
    free(text);
    json_decref(all);
    return status;
}

int sh_logs_may_write(sh_cloud *cloud, const sh_caller *caller, const char *group, const char *source_arn,
                      sh_arena *arena, const char **sentence, sh_err *err)
{
    const sh_cloud_settings *s = &cloud->settings;
    sh_policy *policy = NULL;
    const sh_policy_key keys[] = {{"aws:SourceArn", &source_arn, source_arn ? 1 : 0},
                                  {"aws:SourceAccount", &s->account, source_arn ? 1 : 0}};
    int status = load(cloud, &policy, err);
    sh_asked asked = {.action = "logs:PutLogEvents",
                      .resource = sh_arena_printf(arena, "arn:aws:logs:%s:%s:log-group:%s:log-stream:events",
                                                  s->region, s->account, group),
                      .resource_policy = policy,
                      .keys = keys,
                      .key_count = 2};
    if (status == 0 && !asked.resource)
        status = sh_fail(err, SH_E_MEMORY, "no memory for an ARN");
    if (status == 0)
        status = sh_authorize(cloud, caller, &asked, arena, sentence, err);
    sh_policy_free(policy);
    return status;
}
