/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Actions on state machines. A definition is checked at creation, with every resource looked up, so that what
 * is stored can run. A machine that was never updated has the revision "INITIAL", which AWS does not
 * show. */
#include "cloud/api/args.h"
#include "cloud/api/keys.h"
#include "cloud/api/states_api.h"
#include "cloud/api/states_map.h"

#include <stdlib.h>
#include <string.h>

#define INITIAL "INITIAL"
#define NAME_MAX_CHARACTERS 80

static int check_type(sh_call *call, sh_machine *machine)
{
    static const char *const types[] = {"STANDARD", "EXPRESS", NULL};
    const char *type;
    int status = sh_states_enum(call, "type", types, &type);
    machine->type = type ? type : "STANDARD";
    return status;
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

/* What CreateStateMachine and UpdateStateMachine are asked to do besides. */
typedef struct publishing {
    bool wanted;
    const char *description;
    sh_version version; /* number 0: none was published */
} publishing;

static int read_name(sh_call *call, sh_machine *m)
{
    size_t count = 0;
    int status = sh_arg_need(call, "name", 4096, &m->name);
    if (status < 0)
        return status;
    for (const char *p = m->name; *p; p++)
        count += ((unsigned char)*p & 0xc0) != 0x80;
    if (count > NAME_MAX_CHARACTERS)
        return sh_states_refuse(call, "name", m->name, "Member must have length less than or equal to 80");
    return sh_states_check_name(call, m->name);
}

static int read_machine(sh_call *call, sh_machine *m, publishing *p)
{
    sh_configs configs;
    int status;
    *m = (sh_machine){.revision = INITIAL, .created_ms = call->now_ms, .updated_ms = call->now_ms};
    if ((status = read_name(call, m)) < 0 ||
        (status = sh_arg_need(call, "definition", SH_FLOW_DEFINITION_MAX, &m->definition)) < 0 ||
        (status = sh_arg_need(call, "roleArn", 256, &m->role_arn)) < 0 ||
        (status = check_type(call, m)) < 0 || (status = sh_states_check_role(call, m->role_arn)) < 0 ||
        (status = sh_states_read_publish(call, &p->wanted, &p->description)) < 0 ||
        (status = sh_states_read_configs(call, &configs)) < 0 || (status = read_tags(call, m)) < 0 ||
        (status = sh_states_check_definition(call, m->definition, m->type)) < 0)
        return status;
    m->logging = configs.logging;
    m->tracing = configs.tracing;
    m->encryption = configs.encryption;
    m->arn = sh_states_machine_arn(call, m->name);
    return m->arn ? 0 : sh_out_done(call, SH_E_MEMORY);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_configs(const sh_machine *a, const sh_machine *b)
{
    return same_text(a->logging, b->logging) && same_text(a->tracing, b->tracing) &&
           same_text(a->encryption, b->encryption);
}

static void put_version(int *failed, sh_call *call, const char *arn, const publishing *p)
{
    if (p->version.number)
        sh_put(failed, call->out, "stateMachineVersionArn",
               json_string(sh_states_version_arn(call, arn, p->version.number)));
}

/* The name is taken: well if by the same machine, whatever its role and tags. */
static int create_again(sh_call *call, sh_machine *machine, publishing *p)
{
    sh_machine old;
    sh_err err = {0};
    int status = sh_states_machine(call, machine->arn, &old);
    if (status < 0)
        return status;
    bool same = strcmp(old.definition, machine->definition) == 0 && strcmp(old.type, machine->type) == 0 &&
                same_configs(&old, machine);
    if (same && p->wanted) {
        status = sh_version_of_revision(call->cloud->db, call->arena, old.arn, old.revision_row, &p->version,
                                        &err);
        if (status < 0 && status != SH_E_NOT_FOUND)
            return sh_call_fail_internal(call, &err);
        same = status == 0 && same_text(p->version.description, p->description);
    }
    if (!same)
        return sh_call_fail(call, 400, "StateMachineAlreadyExists", "State Machine Already Exists: '%s'",
                            machine->arn);
    *machine = old;
    return 0;
}

static int create_in_transaction(sh_call *call, sh_machine *machine, publishing *p)
{
    sh_machine old;
    sh_err err = {0};
    sh_db *db = call->cloud->db;
    int status = sh_machine_get(db, call->arena, machine->arn, &old, &err);
    if (status == 0)
        return create_again(call, machine, p);
    if (status != SH_E_NOT_FOUND || sh_machine_insert(db, machine, &err) < 0)
        return sh_call_fail_internal(call, &err);
    return p->wanted ? sh_states_publish_version(call, machine, p->description, &p->version) : 0;
}

int sh_states_create(sh_call *call)
{
    sh_machine machine;
    publishing p = {0};
    sh_err err = {0};
    int failed = 0;
    int status = read_machine(call, &machine, &p);
    if (status < 0)
        return status;
    if (sh_db_begin(call->cloud->db, &err) < 0)
        return sh_call_fail_internal(call, &err);
    status = sh_db_end(call->cloud->db, create_in_transaction(call, &machine, &p), &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_text(&failed, call->out, "stateMachineArn", machine.arn);
    sh_put_date(&failed, call->out, "creationDate", machine.created_ms);
    put_version(&failed, call, machine.arn, &p);
    return sh_out_done(call, failed);
}

/* Puts what is given over what there is; *changed: it is another. */
static int read_update(sh_call *call, sh_machine *m, publishing *p, bool *changed)
{
    int status;
    const char *definition, *role;
    sh_configs configs;
    sh_machine old = *m;
    if ((status = sh_arg_text(call, "definition", SH_FLOW_DEFINITION_MAX, &definition)) < 0 ||
        (status = sh_arg_text(call, "roleArn", 256, &role)) < 0 ||
        (status = sh_states_read_publish(call, &p->wanted, &p->description)) < 0 ||
        (status = sh_states_read_configs(call, &configs)) < 0)
        return status;
    if (!definition && !role && !configs.logging && !configs.tracing && !configs.encryption)
        return sh_call_fail(call, 400, "MissingRequiredParameter",
                            "Either the definition, the role ARN, the LoggingConfiguration, the "
                            "EncryptionConfiguration or the TracingConfiguration must be specified");
    if ((role && (status = sh_states_check_role(call, role)) < 0) ||
        (definition && (status = sh_states_check_definition(call, definition, m->type)) < 0))
        return status;
    m->definition = definition ? definition : m->definition;
    m->role_arn = role ? role : m->role_arn;
    m->logging = configs.logging ? configs.logging : m->logging;
    m->tracing = configs.tracing ? configs.tracing : m->tracing;
    m->encryption = configs.encryption ? configs.encryption : m->encryption;
    *changed = strcmp(m->definition, old.definition) != 0 || strcmp(m->role_arn, old.role_arn) != 0 ||
               !same_configs(m, &old);
    return 0;
}

static int update_in_transaction(sh_call *call, const char *arn, char revision[SH_UUID_TEXT], publishing *p)
{
    sh_machine machine;
    bool changed = false;
    sh_err err = {0};
    int status = sh_states_unqualified(call, arn, &machine);
    if (status < 0 || (status = read_update(call, &machine, p, &changed)) < 0)
        return status;
    revision[0] = '\0';
    if (changed) {
        sh_uuid(revision);
        machine.revision = revision;
        machine.updated_ms = call->now_ms;
        if (sh_machine_update(call->cloud->db, &machine, &err) < 0)
            return sh_call_fail_internal(call, &err);
    }
    return p->wanted ? sh_states_publish_version(call, &machine, p->description, &p->version) : 0;
}

int sh_states_update(sh_call *call)
{
    const char *arn;
    char revision[SH_UUID_TEXT];
    publishing p = {0};
    sh_err err = {0};
    int failed = 0;
    int status = sh_arg_need(call, "stateMachineArn", SH_ARN_MAX, &arn);
    if (status < 0)
        return status;
    if (sh_db_begin(call->cloud->db, &err) < 0)
        return sh_call_fail_internal(call, &err);
    status = sh_db_end(call->cloud->db, update_in_transaction(call, arn, revision, &p), &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_date(&failed, call->out, "updateDate", call->now_ms);
    if (revision[0])
        sh_put_text(&failed, call->out, "revisionId", revision);
    put_version(&failed, call, arn, &p);
    return sh_out_done(call, failed);
}

/* Which variables each state reads. */
static void put_references(int *failed, json_t *out, const sh_machine *m)
{
    sh_flow *flow = NULL;
    const json_t *references;

    if (sh_flow_parse(&flow, m->definition, strlen(m->definition), NULL, NULL) < 0)
        return;
    references = sh_flow_references(flow);
    if (json_object_size(references) > 0)
        *failed |= json_object_set(out, "variableReferences", (json_t *)references);
    sh_flow_free(flow);
}

static void put_machine(int *failed, json_t *out, const sh_machine *m, bool metadata_only)
{
    sh_put_text(failed, out, "name", m->name);
    sh_put_text(failed, out, "definition", metadata_only ? "{}" : m->definition);
    if (!metadata_only)
        put_references(failed, out, m);
    sh_put_text(failed, out, "roleArn", m->role_arn);
    sh_states_put_configs(failed, out, m);
    if (strcmp(m->revision, INITIAL) != 0)
        sh_put_text(failed, out, "revisionId", m->revision);
}

/* The ARN of a version or alias gives that version. */
int sh_states_describe(sh_call *call)
{
    sh_target target;
    const char *arn;
    bool metadata_only;
    int failed = 0;
    const sh_machine *m = &target.machine;
    int status = sh_arg_need(call, "stateMachineArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_metadata_only(call, &metadata_only)) < 0 ||
        (status = sh_states_target(call, arn, &target)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    bool version = target.version.number != 0;
    sh_put_text(&failed, call->out, "stateMachineArn", version ? target.version_arn : m->arn);
    put_machine(&failed, call->out, m, metadata_only);
    sh_put_text(&failed, call->out, "status", "ACTIVE");
    sh_put_text(&failed, call->out, "type", m->type);
    sh_put_date(&failed, call->out, "creationDate", version ? target.version.created_ms : m->created_ms);
    sh_put_text(&failed, call->out, "description", target.version.description);
    return sh_out_done(call, failed);
}

int sh_states_describe_for_execution(sh_call *call)
{
    sh_machine machine;
    sh_execution execution;
    const char *arn;
    bool metadata_only;
    sh_err err = {0};
    int failed = 0;
    int status = sh_arg_need(call, "executionArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_metadata_only(call, &metadata_only)) < 0 ||
        (status = sh_states_execution(call, arn, &execution)) < 0)
        return status;
    if (sh_revision_get(call->cloud->db, call->arena, execution.revision_row, &machine, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_text(&failed, call->out, "stateMachineArn", machine.arn);
    put_machine(&failed, call->out, &machine, metadata_only);
    sh_put_date(&failed, call->out, "updateDate", machine.updated_ms);
    if (strchr(machine.arn, '/'))
        sh_states_put_map(&failed, call, execution.id, true);
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
    sh_machine machine;
    sh_err err = {0};
    int status = sh_arg_need(call, "stateMachineArn", SH_ARN_MAX, &arn);
    if (status < 0)
        return status;
    status = sh_states_unqualified(call, arn, &machine);
    if (status < 0 && (!call->error.code || strcmp(call->error.code, "StateMachineDoesNotExist") != 0))
        return status;
    call->error = (sh_aws_error){0};
    if (status == 0 && sh_machine_delete(call->cloud->db, arn, &err) < 0)
        return sh_call_fail_internal(call, &err);
    return sh_out_new(call);
}
