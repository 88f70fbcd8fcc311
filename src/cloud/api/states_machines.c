/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Actions on state machines. A definition is parsed here, at creation, with every resource looked up, so that
 * what is stored can run. A machine that was never updated has the revision "INITIAL", which AWS does not
 * show. */
#include "cloud/api/args.h"
#include "cloud/api/keys.h"
#include "cloud/api/states.h"

#include <stdlib.h>
#include <string.h>

#define INITIAL "INITIAL"

static int bad_definition(sh_call *call, const char *why)
{
    return sh_call_fail(call, 400, "InvalidDefinition", "Invalid State Machine Definition: %s", why);
}

/* Fails the call if a task of the flow names something this server does not do. */
static int check_resources(sh_call *call, const sh_flow *flow)
{
    const char *state;
    const sh_flow_resource *resource;
    char why[512];
    for (size_t i = 0; (resource = sh_flow_resource_at(flow, i, &state)); i++) {
        if (!sh_task_supported(resource, why, sizeof(why)))
            return sh_call_fail(call, 400, "InvalidDefinition",
                                "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: The resource "
                                "provided %s is not recognized: %s at /States/%s/Resource'",
                                resource->arn, why, state);
    }
    return 0;
}

static int check_definition(sh_call *call, const char *definition)
{
    sh_flow *flow = NULL;
    sh_err err = {0};
    int status = sh_flow_parse(&flow, definition, strlen(definition), NULL, &err);
    if (status == SH_E_MEMORY)
        return sh_call_fail_internal(call, &err);
    if (status < 0)
        return bad_definition(call, err.message);
    status = check_resources(call, flow);
    sh_flow_free(flow);
    return status;
}

/* A configuration object of the input as text in the arena, *text untouched when it is not there. */
static int read_configuration(sh_call *call, const char *name, const char **text)
{
    const json_t *object;
    int status = sh_arg_object(call, name, &object);
    if (status < 0 || !object)
        return status;
    char *dumped = sh_flow_text(object);
    *text = dumped ? sh_arena_strdup(call->arena, dumped) : NULL;
    free(dumped);
    return *text ? 0 : sh_out_done(call, SH_E_MEMORY);
}

static int refuse_versions(sh_call *call)
{
    bool publish;
    int status = sh_arg_bool(call, "publish", false, &publish);
    if (status < 0 || !publish)
        return status;
    return sh_call_fail(call, 400, "ValidationException",
                        "versions of state machines are not supported yet: leave out 'publish'");
}

static int check_type(sh_call *call, sh_machine *machine)
{
    const char *type;
    int status = sh_arg_text(call, "type", 16, &type);
    if (status < 0)
        return status;
    machine->type = "STANDARD";
    if (!type || strcmp(type, "STANDARD") == 0)
        return 0;
    if (strcmp(type, "EXPRESS") == 0)
        return sh_call_fail(call, 400, "StateMachineTypeNotSupported",
                            "EXPRESS state machines are not supported yet: use STANDARD");
    return sh_call_fail(
        call, 400, "ValidationException",
        "1 validation error detected: Value '%s' at 'type' failed to satisfy constraint: Member "
        "must satisfy enum value set: [STANDARD, EXPRESS]",
        type);
}

static int read_tags(sh_call *call, sh_machine *machine)
{
    const json_t *list;
    int status = sh_arg_array(call, "tags", 200, &list);
    if (status < 0)
        return status;
    json_t *tags = json_object();
    status = sh_tags_read(call, list, "key", "value", tags);
    char *text = status == 0 ? sh_flow_text(tags) : NULL;
    machine->tags = text ? sh_arena_strdup(call->arena, text) : NULL;
    free(text);
    json_decref(tags);
    if (status == 0 && !machine->tags)
        status = sh_out_done(call, SH_E_MEMORY);
    return status;
}

static int read_machine(sh_call *call, sh_machine *m)
{
    int status;
    *m = (sh_machine){.revision = INITIAL, .created_ms = call->now_ms, .updated_ms = call->now_ms};
    if ((status = sh_arg_need(call, "name", 1024, &m->name)) < 0 ||
        (status = sh_arg_need(call, "definition", SH_FLOW_DEFINITION_MAX, &m->definition)) < 0 ||
        (status = sh_arg_need(call, "roleArn", 256, &m->role_arn)) < 0 ||
        (status = sh_states_check_name(call, m->name)) < 0 ||
        (status = sh_states_check_role(call, m->role_arn)) < 0 || (status = check_type(call, m)) < 0 ||
        (status = refuse_versions(call)) < 0 ||
        (status = read_configuration(call, "loggingConfiguration", &m->logging)) < 0 ||
        (status = read_configuration(call, "tracingConfiguration", &m->tracing)) < 0 ||
        (status = read_tags(call, m)) < 0 || (status = check_definition(call, m->definition)) < 0)
        return status;
    m->arn = sh_states_machine_arn(call, m->name);
    return m->arn ? 0 : sh_out_done(call, SH_E_MEMORY);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static int answer_create(sh_call *call, const sh_machine *machine)
{
    int failed = 0;
    int status = sh_out_new(call);
    if (status < 0)
        return status;
    sh_put_text(&failed, call->out, "stateMachineArn", machine->arn);
    sh_put_date(&failed, call->out, "creationDate", machine->created_ms);
    return sh_out_done(call, failed);
}

/* The name is taken: well if by the same machine. */
static int create_again(sh_call *call, const sh_machine *machine)
{
    sh_machine old;
    int status = sh_states_machine(call, machine->arn, &old);
    if (status < 0)
        return status;
    if (same_text(old.definition, machine->definition) && same_text(old.logging, machine->logging) &&
        same_text(old.tracing, machine->tracing))
        return answer_create(call, &old);
    return sh_call_fail(call, 400, "StateMachineAlreadyExists", "State Machine Already Exists: '%s'",
                        machine->arn);
}

int sh_states_create(sh_call *call)
{
    sh_machine machine;
    sh_err err = {0};
    int status = read_machine(call, &machine);
    if (status < 0)
        return status;
    status = sh_machine_insert(call->cloud->db, &machine, &err);
    if (status == SH_E_CONFLICT)
        return create_again(call, &machine);
    return status < 0 ? sh_call_fail_internal(call, &err) : answer_create(call, &machine);
}

static int read_update(sh_call *call, sh_machine *m)
{
    int status;
    const char *definition, *role;
    const char *logging = NULL, *tracing = NULL;
    if ((status = sh_arg_text(call, "definition", SH_FLOW_DEFINITION_MAX, &definition)) < 0 ||
        (status = sh_arg_text(call, "roleArn", 256, &role)) < 0 || (status = refuse_versions(call)) < 0 ||
        (status = read_configuration(call, "loggingConfiguration", &logging)) < 0 ||
        (status = read_configuration(call, "tracingConfiguration", &tracing)) < 0)
        return status;
    if (!definition && !role && !logging && !tracing)
        return sh_call_fail(call, 400, "MissingRequiredParameter",
                            "Either the definition, the role ARN, the LoggingConfiguration or the "
                            "TracingConfiguration must be specified");
    if ((role && (status = sh_states_check_role(call, role)) < 0) ||
        (definition && (status = check_definition(call, definition)) < 0))
        return status;
    m->definition = definition ? definition : m->definition;
    m->role_arn = role ? role : m->role_arn;
    m->logging = logging ? logging : m->logging;
    m->tracing = tracing ? tracing : m->tracing;
    return 0;
}

int sh_states_update(sh_call *call)
{
    sh_machine machine;
    const char *arn;
    char revision[SH_UUID_TEXT];
    sh_err err = {0};
    int failed = 0;
    int status = sh_arg_need(call, "stateMachineArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_machine(call, arn, &machine)) < 0 ||
        (status = read_update(call, &machine)) < 0)
        return status;
    sh_uuid(revision);
    machine.revision = revision;
    machine.updated_ms = call->now_ms;
    if (sh_machine_update(call->cloud->db, &machine, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_date(&failed, call->out, "updateDate", machine.updated_ms);
    sh_put_text(&failed, call->out, "revisionId", revision);
    return sh_out_done(call, failed);
}

/* A stored configuration, or what AWS shows without one. */
static json_t *configuration(const char *text, const char *fallback)
{
    return json_loads(text ? text : fallback, 0, NULL);
}

static void put_machine(int *failed, json_t *out, const sh_machine *m)
{
    sh_put_text(failed, out, "stateMachineArn", m->arn);
    sh_put_text(failed, out, "name", m->name);
    sh_put_text(failed, out, "definition", m->definition);
    sh_put_text(failed, out, "roleArn", m->role_arn);
    sh_put(failed, out, "loggingConfiguration",
           configuration(m->logging, "{\"level\":\"OFF\",\"includeExecutionData\":false}"));
    sh_put(failed, out, "tracingConfiguration", configuration(m->tracing, "{\"enabled\":false}"));
    if (strcmp(m->revision, INITIAL) != 0)
        sh_put_text(failed, out, "revisionId", m->revision);
}

int sh_states_describe(sh_call *call)
{
    sh_machine machine;
    const char *arn;
    int failed = 0;
    int status = sh_arg_need(call, "stateMachineArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_machine(call, arn, &machine)) < 0 ||
        (status = sh_out_new(call)) < 0)
        return status;
    put_machine(&failed, call->out, &machine);
    sh_put_text(&failed, call->out, "status", "ACTIVE");
    sh_put_text(&failed, call->out, "type", machine.type);
    sh_put_date(&failed, call->out, "creationDate", machine.created_ms);
    return sh_out_done(call, failed);
}

int sh_states_describe_for_execution(sh_call *call)
{
    sh_machine machine;
    sh_execution execution;
    const char *arn;
    sh_err err = {0};
    int failed = 0;
    int status = sh_arg_need(call, "executionArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_execution(call, arn, &execution)) < 0)
        return status;
    if (sh_revision_get(call->cloud->db, call->arena, execution.revision_row, &machine, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if ((status = sh_out_new(call)) < 0)
        return status;
    put_machine(&failed, call->out, &machine);
    sh_put_date(&failed, call->out, "updateDate", machine.updated_ms);
    return sh_out_done(call, failed);
}

typedef struct page {
    json_t *list;
    int64_t room;
    char last[4 * 80 + 1];
    bool more;
    int failed;
} page;

static int take_machine(void *opaque, const sh_machine *m)
{
    page *p = opaque;
    if (p->room-- == 0) {
        p->more = true;
        return 1;
    }
    json_t *item = json_object();
    sh_put_text(&p->failed, item, "stateMachineArn", m->arn);
    sh_put_text(&p->failed, item, "name", m->name);
    sh_put_text(&p->failed, item, "type", m->type);
    sh_put_date(&p->failed, item, "creationDate", m->created_ms);
    snprintf(p->last, sizeof(p->last), "%s", m->name);
    if (json_array_append_new(p->list, item) < 0)
        p->failed = SH_E_MEMORY;
    return 0;
}

int sh_states_list(sh_call *call)
{
    const char *after;
    int64_t limit;
    sh_err err = {0};
    page p = {0};
    int status = sh_arg_text(call, "nextToken", 1024, &after);
    if (status < 0 || (status = sh_arg_int(call, "maxResults", 0, 1000, 100, &limit)) < 0)
        return status;
    if (after && after[0] != 'm')
        return sh_call_fail(call, 400, "InvalidToken", "Invalid Token: 'Invalid token'");
    if ((status = sh_out_new(call)) < 0)
        return status;
    p.list = json_array();
    p.room = limit ? limit : 100;
    status = sh_machine_list(call->cloud->db, after ? after + 1 : "", p.room + 1, take_machine, &p, &err);
    sh_put(&p.failed, call->out, "stateMachines", p.list);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (p.more)
        sh_put(&p.failed, call->out, "nextToken", json_sprintf("m%s", p.last));
    return sh_out_done(call, p.failed);
}

int sh_states_delete(sh_call *call)
{
    const char *arn;
    sh_err err = {0};
    int status = sh_arg_need(call, "stateMachineArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_check_arn(call, arn, "stateMachine")) < 0)
        return status;
    if (sh_machine_delete(call->cloud->db, arn, &err) < 0)
        return sh_call_fail_internal(call, &err);
    return sh_out_new(call);
}

int sh_states_validate(sh_call *call)
{
    const char *definition;
    json_t *problems = NULL;
    sh_flow *flow = NULL;
    sh_err err = {0};
    int failed = 0;
    int status = sh_arg_need(call, "definition", SH_FLOW_DEFINITION_MAX, &definition);
    if (status < 0 || (status = sh_out_new(call)) < 0)
        return status;
    status = sh_flow_parse(&flow, definition, strlen(definition), &problems, &err);
    sh_flow_free(flow);
    if (!problems)
        problems = json_array();
    sh_put_text(&failed, call->out, "result", status < 0 ? "FAIL" : "OK");
    sh_put(&failed, call->out, "diagnostics", problems);
    return sh_out_done(call, failed);
}
