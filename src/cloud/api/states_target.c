/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arn:aws:states:REGION:ACCOUNT:stateMachine:NAME           a machine
 * arn:aws:states:REGION:ACCOUNT:stateMachine:NAME:7         a version: what the machine was when it was made
 * arn:aws:states:REGION:ACCOUNT:stateMachine:NAME:PROD      an alias: one or two versions
 * arn:aws:states:REGION:ACCOUNT:stateMachine:NAME/LABEL     a distributed Map state of the machine */
#include "base/size.h"
#include "cloud/api/args.h"
#include "cloud/api/states_api.h"

#include <stdio.h>
#include <string.h>

bool sh_states_number(const char *qualifier, int64_t *number)
{
    return sh_parse_i64(qualifier, strlen(qualifier), 1, INT64_MAX, number);
}

const char *sh_states_qualified_arn(sh_call *call, const char *machine_arn, const char *qualifier)
{
    return sh_arena_printf(call->arena, "%s:%s", machine_arn, qualifier);
}

const char *sh_states_version_arn(sh_call *call, const char *machine_arn, int64_t number)
{
    return sh_arena_printf(call->arena, "%s:%lld", machine_arn, (long long)number);
}

static int does_not_exist(sh_call *call, const char *arn)
{
    return sh_call_fail(call, 400, "StateMachineDoesNotExist", "State Machine Does Not Exist: '%s'", arn);
}

/* The name in a checked ARN. */
static const char *name_of(const char *arn)
{
    return strstr(arn, ":stateMachine:") + sizeof(":stateMachine:") - 1;
}

static int refuse_label(sh_call *call, const char *arn)
{
    if (!strchr(name_of(arn), '/'))
        return 0;
    return sh_call_fail(call, 400, "ValidationException",
                        "This operation does not support the ARN of a Map state: '%s'", arn);
}

int sh_states_split(sh_call *call, const char *arn, const char **machine_arn, const char **qualifier)
{
    int status = sh_states_check_arn(call, arn, "stateMachine");
    if (status < 0 || (status = refuse_label(call, arn)) < 0)
        return status;
    const char *colon = strchr(name_of(arn), ':');
    if (!colon || !colon[1] || strchr(colon + 1, ':'))
        return sh_call_fail(call, 400, "InvalidArn",
                            "Invalid Arn: 'Resource type not valid in this context: stateMachine'");
    *machine_arn = sh_arena_strndup(call->arena, arn, (size_t)(colon - arn));
    *qualifier = colon + 1;
    return *machine_arn ? 0 : sh_out_done(call, SH_E_MEMORY);
}

int sh_states_unqualified(sh_call *call, const char *arn, sh_machine *out)
{
    int status = sh_states_check_arn(call, arn, "stateMachine");
    if (status < 0 || (status = refuse_label(call, arn)) < 0)
        return status;
    if (strchr(name_of(arn), ':'))
        return sh_call_fail(call, 400, "ValidationException",
                            "This operation takes the ARN of a state machine without a version or alias: "
                            "'%s'",
                            arn);
    return sh_states_machine(call, arn, out);
}

/* Draws a version of an alias. */
static int64_t draw(const sh_alias *alias)
{
    uint32_t random;
    sh_world_random(NULL, &random, sizeof(random));
    return (int64_t)(random % 100) < alias->weights[0] ? alias->versions[0] : alias->versions[1];
}

/* The number of the version that the qualifier names, SH_E_NOT_FOUND when there is none. */
static int find_number(sh_call *call, const char *machine_arn, const char *qualifier, int64_t *number,
                       bool *is_alias, sh_err *err)
{
    sh_alias alias;
    *is_alias = false;
    if (sh_states_number(qualifier, number))
        return 0;
    int status = sh_alias_get(call->cloud->db, call->arena, machine_arn, qualifier, &alias, err);
    if (status < 0)
        return status;
    *is_alias = true;
    *number = draw(&alias);
    return 0;
}

static int find_version(sh_call *call, const char *machine_arn, sh_target *out, bool *is_alias, sh_err *err)
{
    int64_t number;
    sh_db *db = call->cloud->db;
    int status = find_number(call, machine_arn, out->qualifier, &number, is_alias, err);
    if (status < 0 || (status = sh_version_get(db, call->arena, machine_arn, number, &out->version, err)) < 0)
        return status;
    return sh_revision_get(db, call->arena, out->version.revision_row, &out->machine, err);
}

static int qualified(sh_call *call, const char *arn, sh_target *out)
{
    const char *machine_arn;
    bool is_alias;
    sh_err err = {0};
    int status = sh_states_split(call, arn, &machine_arn, &out->qualifier);
    if (status < 0)
        return status;
    status = find_version(call, machine_arn, out, &is_alias, &err);
    if (status == SH_E_NOT_FOUND)
        return does_not_exist(call, arn);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    out->version_arn = sh_states_version_arn(call, machine_arn, out->version.number);
    out->alias_arn = is_alias ? arn : NULL;
    return out->version_arn ? 0 : sh_out_done(call, SH_E_MEMORY);
}

int sh_states_target(sh_call *call, const char *arn, sh_target *out)
{
    *out = (sh_target){0};
    int status = sh_states_check_arn(call, arn, "stateMachine");
    if (status < 0 || (status = refuse_label(call, arn)) < 0)
        return status;
    if (strchr(name_of(arn), ':'))
        return qualified(call, arn, out);
    return sh_states_machine(call, arn, &out->machine);
}
