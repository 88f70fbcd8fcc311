/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Versions of state machines: what the machine was when it was published, under a number. */
#include "cloud/api/args.h"
#include "cloud/api/states_api.h"

#include <stdio.h>
#include <string.h>

#define VERSIONS_MAX 1000
#define NAMES_MAX 1024

int sh_states_read_publish(sh_call *call, bool *publish, const char **description)
{
    int status = sh_arg_bool(call, "publish", false, publish);
    if (status < 0 || (status = sh_arg_text(call, "versionDescription", 256, description)) < 0)
        return status;
    if (*description && !*publish)
        return sh_call_fail(call, 400, "ValidationException",
                            "Version description can only be set when publish is true");
    return 0;
}

static int add_version(sh_call *call, const sh_machine *machine, const char *description, sh_version *out)
{
    int64_t count = 0;
    sh_err err = {0};
    sh_db *db = call->cloud->db;
    *out = (sh_version){
        .revision_row = machine->revision_row, .description = description, .created_ms = call->now_ms};
    if (sh_version_count(db, machine->arn, &count, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if (count >= VERSIONS_MAX)
        return sh_call_fail(call, 402, "ServiceQuotaExceededException",
                            "A state machine has at most %d versions", VERSIONS_MAX);
    return sh_version_publish(db, machine->arn, out, &err) < 0 ? sh_call_fail_internal(call, &err) : 0;
}

int sh_states_publish_version(sh_call *call, const sh_machine *machine, const char *description,
                              sh_version *out)
{
    sh_err err = {0};
    int status =
        sh_version_of_revision(call->cloud->db, call->arena, machine->arn, machine->revision_row, out, &err);
    if (status == SH_E_NOT_FOUND)
        return add_version(call, machine, description, out);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

static int publish_in_transaction(sh_call *call, const char *arn, const char *revision,
                                  const char *description, sh_version *version)
{
    sh_machine machine;
    int status = sh_states_unqualified(call, arn, &machine);
    if (status < 0)
        return status;
    if (revision && strcmp(revision, machine.revision) != 0)
        return sh_call_fail(call, 409, "ConflictException",
                            "Failed to publish the State Machine version for revision %s. The current State "
                            "Machine revision is %s.",
                            revision, machine.revision);
    return sh_states_publish_version(call, &machine, description, version);
}

int sh_states_publish(sh_call *call)
{
    const char *arn, *revision, *description;
    sh_version version;
    sh_err err = {0};
    int failed = 0;
    int status = sh_arg_need(call, "stateMachineArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_arg_text(call, "revisionId", 256, &revision)) < 0 ||
        (status = sh_arg_text(call, "description", 256, &description)) < 0)
        return status;
    if (sh_db_begin(call->cloud->db, &err) < 0)
        return sh_call_fail_internal(call, &err);
    status = publish_in_transaction(call, arn, revision, description, &version);
    status = sh_db_end(call->cloud->db, status, &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_date(&failed, call->out, "creationDate", version.created_ms);
    sh_put(&failed, call->out, "stateMachineVersionArn",
           json_string(sh_states_version_arn(call, arn, version.number)));
    return sh_out_done(call, failed);
}

typedef struct page {
    sh_call *call;
    const char *arn;
    json_t *list;
    int64_t room, last;
    bool more;
    int failed;
} page;

static int take_version(void *opaque, const sh_version *version)
{
    page *p = opaque;
    if (p->room-- == 0) {
        p->more = true;
        return 1;
    }
    json_t *item = json_object();
    sh_put(&p->failed, item, "stateMachineVersionArn",
           json_string(sh_states_version_arn(p->call, p->arn, version->number)));
    sh_put_date(&p->failed, item, "creationDate", version->created_ms);
    p->last = version->number;
    if (json_array_append_new(p->list, item) < 0)
        p->failed = SH_E_MEMORY;
    return 0;
}

int sh_states_list_versions(sh_call *call)
{
    const char *arn;
    int64_t below;
    sh_machine machine;
    sh_err err = {0};
    page p = {.call = call};
    int status = sh_arg_need(call, "stateMachineArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_page(call, 'v', &below, &p.room)) < 0 ||
        (status = sh_states_unqualified(call, arn, &machine)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    p.arn = arn;
    p.list = json_array();
    status = sh_version_list(call->cloud->db, arn, below, p.room + 1, take_version, &p, &err);
    sh_put(&p.failed, call->out, "stateMachineVersions", p.list);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (p.more)
        sh_put(&p.failed, call->out, "nextToken", json_sprintf("v%lld", (long long)p.last));
    return sh_out_done(call, p.failed);
}

typedef struct names {
    char text[NAMES_MAX];
    size_t length;
} names;

static int take_name(void *opaque, const sh_alias *alias)
{
    names *n = opaque;
    size_t room = sizeof(n->text) - n->length;
    int added = snprintf(n->text + n->length, room, "%s%s", n->length ? ", " : "", alias->name);
    if (added < 0 || (size_t)added >= room) {
        n->text[n->length] = '\0';
        return 1;
    }
    n->length += (size_t)added;
    return 0;
}

static int delete_in_transaction(sh_call *call, const char *machine_arn, int64_t number)
{
    names aliases = {.length = 0};
    sh_err err = {0};
    sh_db *db = call->cloud->db;
    if (sh_alias_list(db, machine_arn, "", number, 100, take_name, &aliases, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if (aliases.length > 0)
        return sh_call_fail(call, 409, "ConflictException",
                            "Version to be deleted must not be referenced by an alias. Current list of "
                            "aliases referencing this version: [%s]",
                            aliases.text);
    return sh_version_delete(db, machine_arn, number, &err) < 0 ? sh_call_fail_internal(call, &err) : 0;
}

int sh_states_delete_version(sh_call *call)
{
    const char *arn, *machine_arn, *qualifier;
    int64_t number;
    sh_err err = {0};
    int status = sh_arg_need(call, "stateMachineVersionArn", 2000, &arn);
    if (status < 0 || (status = sh_states_split(call, arn, &machine_arn, &qualifier)) < 0)
        return status;
    if (!sh_states_number(qualifier, &number))
        return sh_call_fail(call, 400, "InvalidArn", "Invalid Arn: 'Not the ARN of a version: %s'", arn);
    if (sh_db_begin(call->cloud->db, &err) < 0)
        return sh_call_fail_internal(call, &err);
    status = sh_db_end(call->cloud->db, delete_in_transaction(call, machine_arn, number), &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    return sh_out_new(call);
}
