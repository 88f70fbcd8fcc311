/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Aliases: names for one or two versions of a state machine, with the share that each gets. */
#include "cloud/api/args.h"
#include "cloud/api/states_api.h"

#include <stdio.h>
#include <string.h>

#define ALIASES_MAX 100
#define NAME_PATTERN "^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$"

static int invalid(sh_call *call, const char *message)
{
    return sh_call_fail(call, 400, "ValidationException", "%s", message);
}

/* ---- routing configuration ---- */

typedef struct routing {
    const char *machine_arn; /* NULL: none given */
    int64_t versions[SH_ALIAS_ROUTES], weights[SH_ALIAS_ROUTES];
    const char *arns; /* "a, b", as messages show them */
} routing;

static int read_route(sh_call *call, const json_t *item, size_t index, const char **arn, int64_t *weight)
{
    const json_t *w = json_object_get(item, "weight");
    *arn = json_string_value(json_object_get(item, "stateMachineVersionArn"));
    *weight = json_integer_value(w);
    if (!*arn || !json_is_integer(w))
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value null at 'routingConfiguration.%zu.member.%s' "
                            "failed to satisfy constraint: Member must not be null",
                            index + 1, *arn ? "weight" : "stateMachineVersionArn");
    if (*weight >= 0 && *weight <= 100)
        return 0;
    return sh_call_fail(
        call, 400, "ValidationException",
        "1 validation error detected: Value '%lld' at 'routingConfiguration.%zu.member.weight' failed to "
        "satisfy constraint: Member must have value %s",
        (long long)*weight, index + 1,
        *weight < 0 ? "greater than or equal to 0" : "less than or equal to 100");
}

/* The list as Java prints it. */
static const char *print_list(sh_call *call, const json_t *list)
{
    size_t index;
    const json_t *item;
    const char *text = "";
    json_array_foreach(list, index, item)
    {
        const char *arn = json_string_value(json_object_get(item, "stateMachineVersionArn"));
        text = sh_arena_printf(call->arena,
                               "%s%sRoutingConfigurationListItem(stateMachineVersionArn=%s, weight=%lld)",
                               text ? text : "", index ? ", " : "", arn ? arn : "null",
                               (long long)json_integer_value(json_object_get(item, "weight")));
    }
    return text ? text : "";
}

static int check_count(sh_call *call, const json_t *list)
{
    size_t count = json_array_size(list);
    if (count >= 1 && count <= SH_ALIAS_ROUTES)
        return 0;
    return sh_call_fail(call, 400, "ValidationException",
                        "1 validation error detected: Value '[%s]' at 'routingConfiguration' failed to "
                        "satisfy constraint: Member must have length %s",
                        count <= 100 ? print_list(call, list) : "…",
                        count ? "less than or equal to 2" : "greater than or equal to 1");
}

static int bad_version(sh_call *call, const routing *r)
{
    return sh_call_fail(call, 400, "ValidationException",
                        "Routing configuration must contain state machine version ARNs. Received: [%s]",
                        r->arns);
}

/* The version of that ARN is one of the same machine as the others, and is there. */
static int check_version(sh_call *call, const char *arn, routing *r, int64_t *number)
{
    const char *machine_arn, *qualifier;
    sh_version version;
    sh_err err = {0};
    int status = sh_states_check_arn(call, arn, "stateMachine");
    if (status < 0)
        return status;
    if (!strchr(strstr(arn, ":stateMachine:") + sizeof(":stateMachine:") - 1, ':'))
        return bad_version(call, r);
    if ((status = sh_states_split(call, arn, &machine_arn, &qualifier)) < 0)
        return status;
    if (!sh_states_number(qualifier, number))
        return bad_version(call, r);
    if (r->machine_arn && strcmp(r->machine_arn, machine_arn) != 0)
        return sh_call_fail(call, 400, "ValidationException",
                            "Routing configuration must contain versions of the same state machine. "
                            "Received: [%s]",
                            r->arns);
    r->machine_arn = machine_arn;
    status = sh_version_get(call->cloud->db, call->arena, machine_arn, *number, &version, &err);
    if (status == SH_E_NOT_FOUND)
        return bad_version(call, r);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

static int check_weights(sh_call *call, const routing *r, size_t count)
{
    if (r->weights[0] + r->weights[1] == 100)
        return 0;
    if (count == 1)
        return sh_call_fail(call, 400, "ValidationException",
                            "Sum of routing configuration weights must equal 100. Received: [%lld]",
                            (long long)r->weights[0]);
    return sh_call_fail(call, 400, "ValidationException",
                        "Sum of routing configuration weights must equal 100. Received: [%lld, %lld]",
                        (long long)r->weights[0], (long long)r->weights[1]);
}

/* Within a transaction. */
static int read_routing(sh_call *call, const json_t *list, routing *out)
{
    const char *arns[SH_ALIAS_ROUTES] = {NULL};
    size_t count = json_array_size(list);
    *out = (routing){0};
    int status = check_count(call, list);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = read_route(call, json_array_get(list, i), i, &arns[i], &out->weights[i]);
    if (status < 0)
        return status;
    out->arns = count == 2 ? sh_arena_printf(call->arena, "%s, %s", arns[0], arns[1]) : arns[0];
    if (!out->arns)
        return sh_out_done(call, SH_E_MEMORY);
    if (count == 2 && strcmp(arns[0], arns[1]) == 0)
        return sh_call_fail(call, 400, "ValidationException",
                            "Routing configuration must contain distinct state machine version ARNs. "
                            "Received: [%s]",
                            out->arns);
    status = check_weights(call, out, count);
    for (size_t i = 0; status == 0 && i < count; i++)
        status = check_version(call, arns[i], out, &out->versions[i]);
    return status;
}

/* ---- names ---- */

static int read_name(sh_call *call, const char **name)
{
    static const char others[] = "_-.";
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    int status = sh_arg_need(call, "name", 1024, name);
    if (status < 0)
        return status;
    if (strlen(*name) > 80)
        return sh_states_refuse(call, "name", *name, "Member must have length less than or equal to 80");
    if (strspn(*name, all) == strlen(*name) && (strpbrk(*name, letters) || strpbrk(*name, others)))
        return 0;
    return sh_states_refuse(call, "name", *name,
                            "Member must satisfy regular expression pattern: " NAME_PATTERN);
}

/* An alias and its machine, or the call failed with ResourceNotFound. */
static int find_alias(sh_call *call, const char *arn, const char **machine_arn, sh_alias *out)
{
    const char *name;
    sh_err err = {0};
    int status = sh_states_split(call, arn, machine_arn, &name);
    if (status < 0)
        return status;
    status = sh_alias_get(call->cloud->db, call->arena, *machine_arn, name, out, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "ResourceNotFound",
                            "Request references a resource that does not exist.");
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

/* ---- actions ---- */

static int answer_create(sh_call *call, const char *machine_arn, const sh_alias *alias)
{
    int failed = 0;
    int status = sh_out_new(call);
    if (status < 0)
        return status;
    sh_put(&failed, call->out, "stateMachineAliasArn",
           json_string(sh_states_qualified_arn(call, machine_arn, alias->name)));
    sh_put_date(&failed, call->out, "creationDate", alias->created_ms);
    return sh_out_done(call, failed);
}

static bool same_alias(const sh_alias *a, const sh_alias *b)
{
    const char *left = a->description ? a->description : "", *right = b->description ? b->description : "";
    return strcmp(left, right) == 0 && memcmp(a->versions, b->versions, sizeof(a->versions)) == 0 &&
           memcmp(a->weights, b->weights, sizeof(a->weights)) == 0;
}

static int count_alias(void *opaque, const sh_alias *alias)
{
    ++*(int *)opaque;
    return 0;
}

static int insert_alias(sh_call *call, const char *machine_arn, sh_alias *alias)
{
    sh_alias old;
    int count = 0;
    sh_err err = {0};
    sh_db *db = call->cloud->db;
    int status = sh_alias_get(db, call->arena, machine_arn, alias->name, &old, &err);
    if (status == 0 && same_alias(&old, alias)) {
        alias->created_ms = old.created_ms;
        return 0;
    }
    if (status == 0)
        return sh_call_fail(call, 409, "ConflictException",
                            "Failed to create alias because an alias with the same name and a different "
                            "routing configuration already exists.");
    if (status != SH_E_NOT_FOUND ||
        sh_alias_list(db, machine_arn, "", 0, ALIASES_MAX, count_alias, &count, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if (count >= ALIASES_MAX)
        return sh_call_fail(call, 402, "ServiceQuotaExceededException",
                            "A state machine has at most %d aliases", ALIASES_MAX);
    return sh_alias_insert(db, machine_arn, alias, &err) < 0 ? sh_call_fail_internal(call, &err) : 0;
}

static int create_in_transaction(sh_call *call, sh_alias *alias, const char **machine_arn)
{
    const json_t *list;
    routing r;
    int status = sh_arg_array(call, "routingConfiguration", SIZE_MAX, &list);
    if (status < 0)
        return status;
    if (!list)
        return invalid(call, "1 validation error detected: Value null at 'routingConfiguration' failed to "
                             "satisfy constraint: Member must not be null");
    if ((status = read_routing(call, list, &r)) < 0)
        return status;
    memcpy(alias->versions, r.versions, sizeof(r.versions));
    memcpy(alias->weights, r.weights, sizeof(r.weights));
    *machine_arn = r.machine_arn;
    return insert_alias(call, r.machine_arn, alias);
}

int sh_states_create_alias(sh_call *call)
{
    const char *machine_arn = NULL;
    sh_err err = {0};
    sh_alias alias = {.created_ms = call->now_ms, .updated_ms = call->now_ms};
    int status = read_name(call, &alias.name);
    if (status < 0 || (status = sh_arg_text(call, "description", 256, &alias.description)) < 0)
        return status;
    if (sh_db_begin(call->cloud->db, &err) < 0)
        return sh_call_fail_internal(call, &err);
    status = sh_db_end(call->cloud->db, create_in_transaction(call, &alias, &machine_arn), &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    return answer_create(call, machine_arn, &alias);
}

static int update_in_transaction(sh_call *call, const char *arn)
{
    const char *machine_arn, *description;
    const json_t *list;
    sh_alias alias;
    routing r;
    sh_err err = {0};
    int status = sh_arg_text(call, "description", 256, &description);
    if (status < 0 || (status = sh_arg_array(call, "routingConfiguration", SIZE_MAX, &list)) < 0)
        return status;
    if (!description && !list)
        return invalid(call, "Either the description or the routing configuration must be specified");
    if ((status = find_alias(call, arn, &machine_arn, &alias)) < 0 ||
        (list && (status = read_routing(call, list, &r)) < 0))
        return status;
    if (list && strcmp(r.machine_arn, machine_arn) != 0)
        return invalid(call, "Routing configuration must contain versions of the alias's state machine");
    if (list) {
        memcpy(alias.versions, r.versions, sizeof(r.versions));
        memcpy(alias.weights, r.weights, sizeof(r.weights));
    }
    if (description)
        alias.description = description;
    alias.updated_ms = call->now_ms;
    return sh_alias_update(call->cloud->db, machine_arn, &alias, &err) < 0 ? sh_call_fail_internal(call, &err)
                                                                           : 0;
}

int sh_states_update_alias(sh_call *call)
{
    const char *arn;
    sh_err err = {0};
    int failed = 0;
    int status = sh_arg_need(call, "stateMachineAliasArn", 256, &arn);
    if (status < 0)
        return status;
    if (sh_db_begin(call->cloud->db, &err) < 0)
        return sh_call_fail_internal(call, &err);
    status = sh_db_end(call->cloud->db, update_in_transaction(call, arn), &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_date(&failed, call->out, "updateDate", call->now_ms);
    return sh_out_done(call, failed);
}

static json_t *routes(sh_call *call, const char *machine_arn, const sh_alias *alias)
{
    json_t *list = json_array();
    for (size_t i = 0; i < SH_ALIAS_ROUTES && alias->versions[i]; i++) {
        const char *arn = sh_states_version_arn(call, machine_arn, alias->versions[i]);
        if (json_array_append_new(list, json_pack("{s:s, s:I}", "stateMachineVersionArn", arn ? arn : "",
                                                  "weight", (json_int_t)alias->weights[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

int sh_states_describe_alias(sh_call *call)
{
    const char *arn, *machine_arn;
    sh_alias alias;
    int failed = 0;
    int status = sh_arg_need(call, "stateMachineAliasArn", 256, &arn);
    if (status < 0 || (status = find_alias(call, arn, &machine_arn, &alias)) < 0 ||
        (status = sh_out_new(call)) < 0)
        return status;
    sh_put_text(&failed, call->out, "stateMachineAliasArn", arn);
    sh_put_text(&failed, call->out, "name", alias.name);
    sh_put_text(&failed, call->out, "description", alias.description);
    sh_put(&failed, call->out, "routingConfiguration", routes(call, machine_arn, &alias));
    sh_put_date(&failed, call->out, "creationDate", alias.created_ms);
    sh_put_date(&failed, call->out, "updateDate", alias.updated_ms);
    return sh_out_done(call, failed);
}

int sh_states_delete_alias(sh_call *call)
{
    const char *arn, *machine_arn, *name;
    sh_err err = {0};
    int status = sh_arg_need(call, "stateMachineAliasArn", 256, &arn);
    if (status < 0 || (status = sh_states_split(call, arn, &machine_arn, &name)) < 0)
        return status;
    if (sh_alias_delete(call->cloud->db, machine_arn, name, &err) < 0)
        return sh_call_fail_internal(call, &err);
    return sh_out_new(call);
}

typedef struct page {
    sh_call *call;
    const char *arn;
    json_t *list;
    int64_t room;
    char last[81];
    bool more;
    int failed;
} page;

static int take_alias(void *opaque, const sh_alias *alias)
{
    page *p = opaque;
    if (p->room-- == 0) {
        p->more = true;
        return 1;
    }
    json_t *item = json_object();
    sh_put(&p->failed, item, "stateMachineAliasArn",
           json_string(sh_states_qualified_arn(p->call, p->arn, alias->name)));
    sh_put_date(&p->failed, item, "creationDate", alias->created_ms);
    snprintf(p->last, sizeof(p->last), "%s", alias->name);
    if (json_array_append_new(p->list, item) < 0)
        p->failed = SH_E_MEMORY;
    return 0;
}

/* The machine, and the version if the ARN is one's. */
static int read_listed(sh_call *call, page *p, int64_t *version)
{
    const char *arn;
    sh_target target;
    *version = 0;
    int status = sh_arg_need(call, "stateMachineArn", SH_ARN_MAX, &arn);
    if (status < 0 || (status = sh_states_target(call, arn, &target)) < 0)
        return status;
    if (target.alias_arn)
        return sh_call_fail(call, 400, "InvalidArn",
                            "Invalid Arn: 'Resource type not valid in this context: alias'");
    *version = target.version.number;
    p->arn = target.machine.arn;
    return 0;
}

int sh_states_list_aliases(sh_call *call)
{
    const char *after;
    int64_t version, limit;
    sh_err err = {0};
    page p = {.call = call};
    int status = sh_arg_text(call, "nextToken", 1024, &after);
    if (status < 0 || (status = sh_arg_int(call, "maxResults", 0, 1000, 100, &limit)) < 0)
        return status;
    if (after && after[0] != 'a')
        return sh_call_fail(call, 400, "InvalidToken", "Invalid Token: 'Invalid token'");
    if ((status = read_listed(call, &p, &version)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    p.list = json_array();
    p.room = limit ? limit : 100;
    status = sh_alias_list(call->cloud->db, p.arn, after ? after + 1 : "", version, p.room + 1, take_alias,
                           &p, &err);
    sh_put(&p.failed, call->out, "stateMachineAliases", p.list);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (p.more)
        sh_put(&p.failed, call->out, "nextToken", json_sprintf("a%s", p.last));
    return sh_out_done(call, p.failed);
}
