/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/states.h"
#include "base/size.h"
#include "cloud/api/args.h"
#include "cloud/api/iam.h"
#include "cloud/api/states_api.h"
#include "cloud/api/states_token.h"
#include "cloud/store/activities.h"
#include "cloud/api/states_map.h"

#include <string.h>

#define NAME_MAX_CHARACTERS 80
#define PAGE 100

int sh_states_check_arn(sh_call *call, const char *arn, const char *kind)
{
    static const char prefix[] = "arn:aws:states:";
    char wanted[128];
    const sh_cloud_settings *s = &call->cloud->settings;
    if (strncmp(arn, prefix, sizeof(prefix) - 1) != 0)
        return sh_call_fail(call, 400, "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: %s'", arn);
    int length = snprintf(wanted, sizeof(wanted), "%s%s:%s:", prefix, s->region, s->account);
    if (length < 0 || strncmp(arn, wanted, (size_t)length) != 0)
        return sh_call_fail(call, 400, "InvalidArn",
                            "Invalid Arn: 'Region and account of this server are %s and %s: %s'", s->region,
                            s->account, arn);
    const char *rest = arn + length;
    if (strncmp(rest, kind, strlen(kind)) != 0 || rest[strlen(kind)] != ':' || !rest[strlen(kind) + 1])
        return sh_call_fail(call, 400, "InvalidArn",
                            "Invalid Arn: 'Resource type not valid in this context: %.*s'",
                            (int)strcspn(rest, ":"), rest);
    return 0;
}

static bool name_character(unsigned char c)
{
    return c > 0x20 && c != 0x7f && !strchr("<>{}[]?*\"#%\\^|~`$&,;:/", c);
}

int sh_states_check_name(sh_call *call, const char *name)
{
    size_t count = 0;
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        count += (*p & 0xc0) != 0x80;
        if (!name_character(*p) || (*p == 0xc2 && p[1] < 0xa0)) /* U+0080 to U+009F */
            return sh_call_fail(call, 400, "InvalidName", "Invalid Name: '%s'", name);
    }
    if (count == 0 || count > NAME_MAX_CHARACTERS)
        return sh_call_fail(call, 400, "InvalidName", "Invalid Name: '%s'", name);
    return 0;
}

/* The role has to be one that Step Functions may take on. One of another account is not looked at: it may do
 * nothing here. */
static int check_trust(sh_call *call, const char *role)
{
    sh_caller session;
    sh_err err = {0};
    const char *name = json_string_value(json_object_get(call->in, "name"));
    const char *machine = json_string_value(json_object_get(call->in, "stateMachineArn"));
    const sh_iam_taking taking = {.role_arn = role,
                                  .service = "states.amazonaws.com",
                                  .session_name = "CreateStateMachine",
                                  .source_arn = machine ? machine
                                                : name  ? sh_states_machine_arn(call, name)
                                                        : NULL};
    int status = sh_caller_by_role(call->cloud, &taking, call->arena, &session, &err);
    if (status == SH_E_NOT_FOUND || status == SH_E_DENIED || status == SH_E_ARGUMENT)
        return sh_call_fail(call, 400, "AccessDeniedException",
                            "Neither the global service principal states.amazonaws.com, nor the regional one "
                            "is authorized to assume the provided role.");
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

int sh_states_check_role(sh_call *call, const char *arn)
{
    static const char prefix[] = "arn:aws:iam::";
    const char *account = arn + sizeof(prefix) - 1;
    if (strncmp(arn, prefix, sizeof(prefix) - 1) != 0 || strspn(account, "0123456789") != 12 ||
        strncmp(account + 12, ":role/", 6) != 0 || !account[18])
        return sh_call_fail(call, 400, "InvalidArn", "Invalid Arn: 'Not the ARN of a role: %s'", arn);
    return check_trust(call, arn);
}

const char *sh_states_machine_arn(const sh_call *call, const char *name)
{
    const sh_cloud_settings *s = &call->cloud->settings;
    return sh_arena_printf(call->arena, "arn:aws:states:%s:%s:stateMachine:%s", s->region, s->account, name);
}

const char *sh_states_execution_arn(const sh_call *call, const char *machine, const char *name)
{
    const sh_cloud_settings *s = &call->cloud->settings;
    return sh_arena_printf(call->arena, "arn:aws:states:%s:%s:execution:%s:%s", s->region, s->account,
                           machine, name);
}

int sh_states_machine(sh_call *call, const char *arn, sh_machine *out)
{
    sh_err err = {0};
    int status = sh_states_check_arn(call, arn, "stateMachine");
    if (status < 0)
        return status;
    status = sh_machine_get(call->cloud->db, call->arena, arn, out, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "StateMachineDoesNotExist", "State Machine Does Not Exist: '%s'", arn);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

int sh_states_execution(sh_call *call, const char *arn, sh_execution *out)
{
    sh_err err = {0};
    int status = sh_states_check_arn(call, arn, "execution");
    if (status < 0)
        return status;
    status = sh_execution_get(call->cloud->db, call->arena, arn, out, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "ExecutionDoesNotExist", "Execution Does Not Exist: '%s'", arn);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

int sh_states_token_number(sh_call *call, char kind, int64_t *value)
{
    const char *token;
    int status = sh_arg_text(call, "nextToken", 1024, &token);
    *value = 0;
    if (status < 0 || !token)
        return status;
    if (token[0] != kind || !sh_parse_i64(token + 1, strlen(token + 1), 1, INT64_MAX, value))
        return sh_call_fail(call, 400, "InvalidToken", "Invalid Token: 'Invalid token'");
    return 0;
}

int sh_states_page(sh_call *call, char kind, int64_t *from, int64_t *room)
{
    int status = sh_arg_int(call, "maxResults", 0, 1000, PAGE, room);
    if (status < 0)
        return status;
    if (*room == 0)
        *room = PAGE;
    return sh_states_token_number(call, kind, from);
}

/* ---- tags ---- */

static bool is_activity(const char *arn)
{
    return strstr(arn, ":activity:") != NULL;
}

/* What a machine and an activity have in common here: the ARN and the tags. */
static int get_tagged(sh_call *call, const char *arn, sh_machine *out, sh_err *err)
{
    sh_activity activity;
    if (!is_activity(arn))
        return sh_machine_get(call->cloud->db, call->arena, arn, out, err);
    int status = sh_activity_get(call->cloud->db, call->arena, arn, &activity, err);
    if (status == 0)
        *out = (sh_machine){.arn = activity.arn, .tags = activity.tags};
    return status;
}

static int tagged_machine(sh_call *call, sh_machine *machine, json_t **tags)
{
    const char *arn;
    sh_err err = {SH_E_MEMORY, "no memory for tags"};
    int status = sh_arg_need(call, "resourceArn", 256, &arn);
    if (status < 0)
        return status;
    if ((status = sh_states_check_arn(call, arn, is_activity(arn) ? "activity" : "stateMachine")) < 0)
        return status;
    status = get_tagged(call, arn, machine, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "ResourceNotFound", "Resource not found: '%s'", arn);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    *tags = json_loads(machine->tags, 0, NULL);
    return *tags ? 0 : sh_call_fail_internal(call, &err);
}

static int save_tags(sh_call *call, const sh_machine *machine, const json_t *tags)
{
    sh_err err = {SH_E_MEMORY, "no memory for tags"};
    char *text = sh_flow_text(tags);
    int status = SH_E_MEMORY;
    if (text && is_activity(machine->arn))
        status = sh_activity_set_tags(call->cloud->db, machine->arn, text, &err);
    else if (text)
        status = sh_machine_set_tags(call->cloud->db, machine->arn, text, &err);
    free(text);
    return status < 0 ? sh_call_fail_internal(call, &err) : sh_out_new(call);
}

static int tag(sh_call *call)
{
    const json_t *list;
    json_t *tags = NULL;
    sh_machine machine;
    int status = sh_arg_array(call, "tags", 200, &list);
    if (status < 0 || (status = tagged_machine(call, &machine, &tags)) < 0)
        return status;
    status = sh_tags_read(call, list, "key", "value", tags);
    if (status == 0)
        status = save_tags(call, &machine, tags);
    json_decref(tags);
    return status;
}

static int untag(sh_call *call)
{
    const json_t *list, *key;
    size_t index;
    json_t *tags = NULL;
    sh_machine machine;
    int status = sh_arg_array(call, "tagKeys", 200, &list);
    if (status < 0 || (status = tagged_machine(call, &machine, &tags)) < 0)
        return status;
    json_array_foreach(list, index, key)
    {
        if (json_is_string(key))
            json_object_del(tags, json_string_value(key));
    }
    status = save_tags(call, &machine, tags);
    json_decref(tags);
    return status;
}

static int list_tags(sh_call *call)
{
    json_t *tags = NULL;
    sh_machine machine;
    int failed = 0;
    int status = tagged_machine(call, &machine, &tags);
    json_decref(tags);
    if (status < 0 || (status = sh_out_new(call)) < 0)
        return status;
    sh_put(&failed, call->out, "tags", sh_tags_list(machine.tags, "key", "value"));
    return sh_out_done(call, failed);
}

static const sh_action actions[] = {
    {"CreateStateMachine", sh_states_create},
    {"UpdateStateMachine", sh_states_update},
    {"DescribeStateMachine", sh_states_describe},
    {"DescribeStateMachineForExecution", sh_states_describe_for_execution},
    {"ListStateMachines", sh_states_list},
    {"DeleteStateMachine", sh_states_delete},
    {"ValidateStateMachineDefinition", sh_states_validate},
    {"PublishStateMachineVersion", sh_states_publish},
    {"ListStateMachineVersions", sh_states_list_versions},
    {"DeleteStateMachineVersion", sh_states_delete_version},
    {"CreateStateMachineAlias", sh_states_create_alias},
    {"UpdateStateMachineAlias", sh_states_update_alias},
    {"DescribeStateMachineAlias", sh_states_describe_alias},
    {"ListStateMachineAliases", sh_states_list_aliases},
    {"DeleteStateMachineAlias", sh_states_delete_alias},
    {"StartExecution", sh_states_start},
    {"StartSyncExecution", sh_states_start_sync},
    {"TestState", sh_states_test},
    {"StopExecution", sh_states_stop},
    {"RedriveExecution", sh_states_redrive},
    {"DescribeExecution", sh_states_describe_execution},
    {"ListExecutions", sh_states_list_executions},
    {"GetExecutionHistory", sh_states_history},
    {"SendTaskSuccess", sh_states_task_success},
    {"SendTaskFailure", sh_states_task_failure},
    {"SendTaskHeartbeat", sh_states_task_heartbeat},
    {"CreateActivity", sh_states_create_activity},
    {"DescribeActivity", sh_states_describe_activity},
    {"ListActivities", sh_states_list_activities},
    {"DeleteActivity", sh_states_delete_activity},
    {"GetActivityTask", sh_states_get_activity_task},
    {"DescribeMapRun", sh_states_describe_map_run},
    {"ListMapRuns", sh_states_list_map_runs},
    {"UpdateMapRun", sh_states_update_map_run},
    {"TagResource", tag},
    {"UntagResource", untag},
    {"ListTagsForResource", list_tags},
    {NULL, NULL},
};

const sh_service sh_service_states = {"states", "AWSStepFunctions", "1.0", actions};
