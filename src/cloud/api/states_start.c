/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting executions. A standard one is a row that is due: the runner takes it from there. */
#include "cloud/api/args.h"
#include "cloud/api/keys.h"
#include "cloud/api/states_api.h"
#include "cloud/api/states_event.h"
#include "cloud/store/outbox.h"

#include <stdio.h>
#include <string.h>

#define INPUT_MAX (256 * 1024)
#define NAME_MAX_CHARACTERS 80

int sh_states_refuse(sh_call *call, const char *member, const char *value, const char *constraint)
{
    return sh_call_fail(call, 400, "ValidationException",
                        "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s",
                        value, member, constraint);
}

int sh_states_enum(sh_call *call, const char *member, const char *const *names, const char **out)
{
    char constraint[512] = "Member must satisfy enum value set: [";
    int status = sh_arg_text(call, member, 1024, out);
    if (status < 0 || !*out)
        return status;
    for (size_t i = 0; names[i]; i++) {
        size_t length = strlen(constraint);
        if (strcmp(*out, names[i]) == 0)
            return 0;
        snprintf(constraint + length, sizeof(constraint) - length, "%s%s%s", i ? ", " : "", names[i],
                 names[i + 1] ? "" : "]");
    }
    return sh_states_refuse(call, member, *out, constraint);
}

int sh_states_metadata_only(sh_call *call, bool *only)
{
    static const char *const names[] = {"ALL_DATA", "METADATA_ONLY", NULL};
    const char *text;
    int status = sh_states_enum(call, "includedData", names, &text);
    *only = text && strcmp(text, "METADATA_ONLY") == 0;
    return status;
}

int sh_states_read_json(sh_call *call, const char *member, const char **text)
{
    json_t *value = NULL;
    sh_err err = {0};
    int status = sh_arg_text(call, member, INPUT_MAX, text);
    if (status < 0)
        return status;
    if (!*text)
        *text = "{}";
    if (strlen(*text) > INPUT_MAX)
        return sh_call_fail(call, 400, "InvalidExecutionInput",
                            "Invalid State Machine Execution Input: 'more than %d bytes'", INPUT_MAX);
    status = sh_flow_load(&value, *text, strlen(*text), &err);
    json_decref(value);
    if (status == SH_E_MEMORY)
        return sh_call_fail_internal(call, &err);
    if (status < 0)
        return sh_call_fail(call, 400, "InvalidExecutionInput", "Invalid State Machine Execution Input: '%s'",
                            err.message);
    return 0;
}

static int check_length(sh_call *call, const char *name)
{
    size_t count = 0;
    for (const char *p = name; *p; p++)
        count += ((unsigned char)*p & 0xc0) != 0x80;
    if (count > NAME_MAX_CHARACTERS)
        return sh_states_refuse(call, "name", name, "Member must have length less than or equal to 80");
    return 0;
}

static int read_name(sh_call *call, sh_start *start)
{
    char uuid[SH_UUID_TEXT];
    int status = sh_arg_text(call, "name", 1024, &start->name);
    if (status < 0)
        return status;
    if (start->name && *start->name)
        return (status = check_length(call, start->name)) < 0 ? status
                                                              : sh_states_check_name(call, start->name);
    if (start->name)
        return sh_states_refuse(call, "name", "", "Member must have length greater than or equal to 1");
    sh_uuid(uuid);
    start->name = sh_arena_strdup(call->arena, uuid);
    return start->name ? 0 : sh_out_done(call, SH_E_MEMORY);
}

int sh_states_read_start(sh_call *call, sh_start *start)
{
    const char *arn;
    *start = (sh_start){0};
    int status = sh_arg_need(call, "stateMachineArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = read_name(call, start)) < 0 ||
        (status = sh_arg_text(call, "traceHeader", 256, &start->trace_header)) < 0 ||
        (status = sh_states_read_json(call, "input", &start->input)) < 0)
        return status;
    return sh_states_target(call, arn, &start->target);
}

static int answer_start(sh_call *call, const sh_execution *execution)
{
    int failed = 0;
    int status = sh_out_new(call);
    if (status < 0)
        return status;
    sh_put_text(&failed, call->out, "executionArn", execution->arn);
    sh_put_date(&failed, call->out, "startDate", execution->started_ms);
    return sh_out_done(call, failed);
}

/* The name is taken: well if by a running execution with the same input. */
static int start_again(sh_call *call, const sh_execution *execution)
{
    sh_execution old;
    int status = sh_states_execution(call, execution->arn, &old);
    if (status < 0)
        return status;
    if (strcmp(old.status, "RUNNING") == 0 && strcmp(old.input, execution->input) == 0)
        return answer_start(call, &old);
    return sh_call_fail(call, 400, "ExecutionAlreadyExists", "Execution Already Exists: '%s'",
                        execution->arn);
}

static int insert(sh_cloud *cloud, sh_execution *e, sh_err *err)
{
    int status = sh_db_begin(cloud->db, err);
    if (status < 0)
        return status;
    status = sh_execution_insert(cloud->db, e, err);
    e->status = "RUNNING";
    if (status == 0)
        status = sh_states_announce(cloud, e, err);
    return sh_db_end(cloud->db, status, err);
}

int sh_states_start(sh_call *call)
{
    sh_start start;
    sh_err err = {0};
    int status = sh_states_read_start(call, &start);
    if (status < 0)
        return status;
    const sh_machine *machine = &start.target.machine;
    if (strcmp(machine->type, "EXPRESS") == 0)
        return sh_express_start(call, &start);
    sh_execution e = {
        .name = start.name,
        .input = start.input,
        .started_ms = call->now_ms,
        .machine_arn = machine->arn,
        .revision_row = machine->revision_row,
        .version_arn = start.target.version_arn,
        .alias_arn = start.target.alias_arn,
        .trace_header = start.trace_header ? start.trace_header : sh_trace(),
        .arn = sh_states_execution_arn(call, machine->name, start.name),
    };
    if (!e.arn)
        return sh_out_done(call, SH_E_MEMORY);
    status = insert(call->cloud, &e, &err);
    if (status == SH_E_CONFLICT)
        return start_again(call, &e);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    sh_cloud_wake(call->cloud, SH_WAKE_FLOWS);
    return answer_start(call, &e);
}
