/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Systems Manager: the table of actions, and those that are neither sending nor listing. */
#include "cloud/api/ssm.h"
#include "cloud/api/agent.h"
#include "cloud/api/args.h"
#include "cloud/api/ssm_document.h"
#include "cloud/api/ssm_parameter.h"
#include "cloud/api/ssm_run.h"

#include <string.h>

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
    return sh_ssm_save(call->cloud, &row, before, err);
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

typedef struct cancelling {
    sh_call *call;
    const json_t *only; /* empty: all */
    json_t *nodes;
} cancelling;

static int collect_node(void *opaque, const sh_invocation *row)
{
    cancelling *c = opaque;
    if (json_array_size(c->only) > 0 && !names_node(c->only, row->instance))
        return 0;
    return json_array_append_new(c->nodes, json_string(row->instance)) < 0 ? SH_E_MEMORY : 0;
}

/* In a transaction. */
static int cancel_rows(cancelling *c, const char *id, sh_err *err)
{
    size_t index;
    const json_t *node;
    const sh_invocation_query query = {.id = id, .limit = INT64_MAX};
    int status = sh_invocation_list(c->call->cloud->db, &query, collect_node, c, err);
    if (status == 0 && json_array_size(c->nodes) == 0)
        return sh_fail(err, SH_E_NOT_FOUND, "the command has no such invocation");
    json_array_foreach(c->nodes, index, node)
    {
        if (status == 0)
            status = cancel_row(c->call, id, json_string_value(node), err);
    }
    return status;
}

static int cancel_on_nodes(cancelling *c, const char *id)
{
    sh_call *call = c->call;
    sh_err err = {0};
    sh_invocation row;
    int status = sh_db_begin(call->cloud->db, &err);
    if (status == 0)
        status = sh_db_end(call->cloud->db, cancel_rows(c, id, &err), &err);
    if (status == SH_E_NOT_FOUND)
        return sh_invocation_get(call->cloud->db, call->arena, id, NULL, &row, &err) == 0
                   ? sh_call_fail(call, 400, "InvalidInstanceId",
                                  "the command does not run on those instances")
                   : sh_call_fail(call, 400, "InvalidCommandId", "there is no command %s", id);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    sh_agent_wake(call->cloud, NULL);
    sh_cloud_wake(call->cloud, SH_WAKE_FLOWS);
    return sh_out_new(call);
}

static int cancel_command(sh_call *call)
{
    const char *id;
    cancelling c = {.call = call};
    int status = sh_arg_need(call, "CommandId", 64, &id);
    if (status == 0)
        status = sh_arg_array(call, "InstanceIds", 50, &c.only);
    if (status < 0)
        return status;
    c.nodes = json_array();
    status = c.nodes ? cancel_on_nodes(&c, id) : sh_out_done(call, SH_E_MEMORY);
    json_decref(c.nodes);
    return status;
}

static const sh_action actions[] = {
    {"SendCommand", sh_ssm_send_command},
    {"GetCommandInvocation", sh_ssm_get_command_invocation},
    {"ListCommands", sh_ssm_list_commands},
    {"ListCommandInvocations", sh_ssm_list_command_invocations},
    {"CancelCommand", cancel_command},
    {"CreateDocument", sh_ssm_create_document},
    {"GetDocument", sh_ssm_get_document},
    {"DescribeDocument", sh_ssm_describe_document},
    {"ListDocuments", sh_ssm_list_documents},
    {"DeleteDocument", sh_ssm_delete_document},
    {"UpdateDocument", sh_ssm_update_document},
    {"UpdateDocumentDefaultVersion", sh_ssm_update_default},
    {"ListDocumentVersions", sh_ssm_list_versions},
    {"DescribeInstanceInformation", sh_ssm_describe_instances},
    {"CreateActivation", sh_ssm_create_activation},
    {"DescribeActivations", sh_ssm_describe_activations},
    {"DeleteActivation", sh_ssm_delete_activation},
    {"DeregisterManagedInstance", sh_ssm_deregister},
    {"UpdateManagedInstanceRole", sh_ssm_update_role},
    {"GetConnectionStatus", sh_ssm_connection_status},
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
    {"AddTagsToResource", sh_ssm_add_any_tags},
    {"RemoveTagsFromResource", sh_ssm_remove_any_tags},
    {"ListTagsForResource", sh_ssm_list_any_tags},
    {NULL, NULL},
};

const sh_service sh_service_ssm = {
    .name = "ssm", .target_prefix = "AmazonSSM", .json_version = "1.1", .actions = actions};
