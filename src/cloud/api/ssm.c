/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Systems Manager: the table of actions, and those that are neither sending nor listing. */
#include "cloud/api/ssm.h"
#include "cloud/api/agent.h"
#include "cloud/api/args.h"
#include "cloud/api/ssm_parameter.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* What a cancelled row becomes depends on where it is: nothing has begun, so it ends here; it runs, so the
 * runner ends it; it has ended, so nothing changes, as on AWS. */
static int cancel_row(sh_call *call, const char *id, const char *instance, sh_err *err)
{
    sh_invocation row;
    int status = sh_invocation_get(call->cloud->db, call->arena, id, instance, &row, err);
    if (status < 0)
        return status;
    const char *before = row.status;
    if (strcmp(before, "Pending") == 0) {
        row.status = row.details = "Cancelled";
        row.end_ms = call->now_ms;
    } else if (strcmp(before, "InProgress") == 0 || strcmp(before, "Delayed") == 0) {
        row.status = row.details = "Cancelling";
    } else {
        return 0;
    }
    return sh_invocation_save(call->cloud->db, &row, before, err);
}

static bool names_node(const json_t *list, const char *instance)
{
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), instance) == 0)
            return true;
    }
    return false;
}

static int cancel_command(sh_call *call)
{
    sh_err err = {0};
    const char *id, *instance = call->cloud->settings.instance_id;
    const json_t *instances;
    int status = sh_arg_need(call, "CommandId", 64, &id);
    if (status == 0)
        status = sh_arg_array(call, "InstanceIds", 50, &instances);
    if (status < 0)
        return status;
    if (json_array_size(instances) > 0 && !names_node(instances, instance))
        return sh_call_fail(call, 400, "InvalidInstanceId", "the command does not run on those instances");
    status = sh_db_begin(call->cloud->db, &err);
    if (status == 0)
        status = sh_db_end(call->cloud->db, cancel_row(call, id, instance, &err), &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "InvalidCommandId", "there is no command %s", id);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    sh_agent_wake(call->cloud, instance);
    sh_cloud_wake(call->cloud, SH_WAKE_FLOWS);
    return sh_out_new(call);
}

static json_t *describe_node(const sh_call *call)
{
    int status = 0;
    struct utsname system = {0};
    json_t *node = json_object();
    uname(&system);
    if (!node)
        return NULL;
    sh_put_text(&status, node, "InstanceId", call->cloud->settings.instance_id);
    sh_put_text(&status, node, "PingStatus", "Online");
    sh_put_date(&status, node, "LastPingDateTime", call->now_ms);
    sh_put_text(&status, node, "AgentVersion", "3.3.0.0");
    sh_put(&status, node, "IsLatestVersion", json_true());
    sh_put_text(&status, node, "PlatformType", "Linux");
    sh_put_text(&status, node, "PlatformName", system.sysname);
    sh_put_text(&status, node, "PlatformVersion", system.release);
    sh_put_text(&status, node, "ResourceType", "EC2Instance");
    sh_put_text(&status, node, "IPAddress", "127.0.0.1");
    sh_put_text(&status, node, "ComputerName", system.nodename);
    if (status < 0) {
        json_decref(node);
        return NULL;
    }
    return node;
}

/* Only the filter that a one-node server can answer truly. */
static int node_wanted(sh_call *call, const char *list, const char *key, const char *values, bool *wanted)
{
    const json_t *filters;
    size_t index;
    const json_t *filter;
    int status = sh_arg_array(call, list, 5, &filters);
    if (status < 0)
        return status;
    json_array_foreach(filters, index, filter)
    {
        const char *name = json_string_value(json_object_get(filter, key));
        if (!name || strcmp(name, "InstanceIds") != 0)
            return sh_call_fail(call, 400, "InvalidInstanceInformationFilterValue",
                                "the filter '%s' is not supported: use InstanceIds", name ? name : "");
        *wanted = *wanted && names_node(json_object_get(filter, values), call->cloud->settings.instance_id);
    }
    return 0;
}

static int describe_instance_information(sh_call *call)
{
    bool wanted = true;
    int status = node_wanted(call, "Filters", "Key", "Values", &wanted);
    if (status == 0)
        status = node_wanted(call, "InstanceInformationFilterList", "key", "valueSet", &wanted);
    if (status == 0)
        status = sh_out_new(call);
    if (status < 0)
        return status;
    json_t *list = json_array();
    if (list && wanted && json_array_append_new(list, describe_node(call)) < 0)
        status = SH_E_MEMORY;
    sh_put(&status, call->out, "InstanceInformationList", list);
    return sh_out_done(call, status);
}

static const sh_action actions[] = {
    {"SendCommand", sh_ssm_send_command},
    {"GetCommandInvocation", sh_ssm_get_command_invocation},
    {"ListCommands", sh_ssm_list_commands},
    {"ListCommandInvocations", sh_ssm_list_command_invocations},
    {"CancelCommand", cancel_command},
    {"DescribeInstanceInformation", describe_instance_information},
    {"PutParameter", sh_ssm_put_parameter},
    {"GetParameter", sh_ssm_get_parameter},
    {"GetParameters", sh_ssm_get_parameters},
    {"GetParametersByPath", sh_ssm_get_by_path},
    {"GetParameterHistory", sh_ssm_parameter_history},
    {"DescribeParameters", sh_ssm_describe_parameters},
    {"DeleteParameter", sh_ssm_delete_parameter},
    {"DeleteParameters", sh_ssm_delete_parameters},
    {"LabelParameterVersion", sh_ssm_label_parameter},
    {"UnlabelParameterVersion", sh_ssm_unlabel_parameter},
    {"AddTagsToResource", sh_ssm_add_tags},
    {"RemoveTagsFromResource", sh_ssm_remove_tags},
    {"ListTagsForResource", sh_ssm_list_tags},
    {NULL, NULL},
};

const sh_service sh_service_ssm = {
    .name = "ssm", .target_prefix = "AmazonSSM", .json_version = "1.1", .actions = actions};
