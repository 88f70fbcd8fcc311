/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Event buses. One is a part (store/eventparts.h) {description, policy, created, modified, tags}; the bus
 * default is there without a row until something is said of it. A bus's policy is asked beside that of
 * whoever puts events on it, and alone for a rule of another bus that forwards to it without a role. */
#include "cloud/api/args.h"
#include "cloud/api/authorize.h"
#include "cloud/api/events.h"
#include "cloud/flow/flow.h"
#include "cloud/store/eventparts.h"

#include <stdlib.h>
#include <string.h>

#define BUSES_MAX 100
#define POLICY_MAX 10240

int sh_events_bus_load(sh_cloud *cloud, sh_arena *arena, const char *bus, json_t **out, sh_err *err)
{
    const char *text = "{}";
    int status = sh_part_get(cloud->db, arena, SH_PART_BUS, bus, &text, err);
    if (status == SH_E_NOT_FOUND && sh_events_is_default(bus))
        status = 0;
    if (status < 0)
        return status;
    *out = json_loads(text, JSON_ALLOW_NUL, NULL);
    return *out ? 0 : sh_fail(err, SH_E_FORMAT, "event bus %s as it is kept cannot be read", bus);
}

int sh_events_bus_save(sh_cloud *cloud, const char *bus, const json_t *value, sh_err *err)
{
    char *text = sh_flow_text(value);
    int status = text ? sh_part_put(cloud->db, SH_PART_BUS, bus, text, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for an event bus");
    free(text);
    return status;
}

/* ---- who may put events on it ---- */

static sh_policy *load_policy(sh_cloud *cloud, sh_arena *arena, const char *bus)
{
    json_t *value = NULL;
    sh_policy *policy = NULL;
    if (sh_events_bus_load(cloud, arena, bus, &value, NULL) == 0) {
        const char *text = json_string_value(json_object_get(value, "policy"));
        if (text)
            sh_policy_parse(&policy, SH_POLICY_RESOURCE, text, strlen(text), NULL);
    }
    json_decref(value);
    return policy;
}

int sh_events_may_put(sh_cloud *cloud, const sh_caller *caller, const char *bus, const char *source_arn,
                      sh_arena *arena, const char **sentence, sh_err *err)
{
    const char *account = cloud->settings.account;
    sh_policy_key keys[] = {{"aws:SourceArn", &source_arn, source_arn ? 1 : 0},
                            {"aws:SourceAccount", &account, source_arn ? 1 : 0}};
    sh_policy *policy = load_policy(cloud, arena, bus);
    sh_asked asked = {.action = "events:PutEvents",
                      .resource = sh_events_bus_arn(cloud, arena, bus),
                      .resource_policy = policy,
                      .keys = keys,
                      .key_count = 2};
    int status = asked.resource ? sh_authorize(cloud, caller, &asked, arena, sentence, err)
                                : sh_fail(err, SH_E_MEMORY, "no memory for an ARN");
    sh_policy_free(policy);
    return status;
}

/* ---- actions ---- */

static int read_bus_name(sh_call *call, const char **name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    int status = sh_arg_need(call, "Name", 256, name);
    if (status == 0 && (*name)[strspn(*name, allowed)])
        return sh_events_invalid(
            call, "name", *name,
            strchr(*name, '/') ? "Event bus names with a / are those of partner event sources"
                               : "Member must satisfy regular expression pattern: [/\\.\\-_A-Za-z0-9]+");
    return status;
}

static int refuse_members(sh_call *call)
{
    static const char *const refused[] = {"EventSourceName", "KmsKeyIdentifier", "DeadLetterConfig",
                                          "LogConfig"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        if (json_object_get(call->in, refused[i]) && !json_is_null(json_object_get(call->in, refused[i])))
            return sh_call_fail(call, 400, "ValidationException",
                                "Parameter %s of an event bus is not supported by this server: leave it out",
                                refused[i]);
    return 0;
}

static int save(sh_call *call, const char *name, json_t *value)
{
    sh_err err = {0};
    json_object_set_new(value, "modified", json_integer(call->now_ms));
    return sh_events_bus_save(call->cloud, name, value, &err) < 0 ? sh_call_fail_internal(call, &err) : 0;
}

static int answer_bus(sh_call *call, const char *member, const char *name, const char *description)
{
    int failed = 0, status = sh_out_new(call);
    if (status < 0)
        return status;
    sh_put_text(&failed, call->out, member, sh_events_bus_arn(call->cloud, call->arena, name));
    sh_put_text(&failed, call->out, "Description", description);
    return sh_out_done(call, failed);
}

int sh_events_create_bus(sh_call *call)
{
    const char *name, *description, *tags;
    int64_t count = 0;
    sh_err err = {0};
    int status = read_bus_name(call, &name);
    if (status < 0 || (status = refuse_members(call)) < 0 ||
        (status = sh_arg_text(call, "Description", 512, &description)) < 0 ||
        (status = sh_events_read_tags(call, &tags)) < 0)
        return status;
    if (sh_events_bus_exists(call->cloud, name, call->arena))
        return sh_call_fail(call, 400, "ResourceAlreadyExistsException", "Event bus %s already exists.",
                            name);
    if (sh_part_count(call->cloud->db, SH_PART_BUS, &count, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if (count >= BUSES_MAX)
        return sh_call_fail(call, 400, "LimitExceededException",
                            "The requested resource exceeds the maximum number allowed: %d event buses",
                            BUSES_MAX);
    json_t *value = json_pack("{s:s*, s:I, s:o*}", "description", description, "created",
                              (json_int_t)call->now_ms, "tags", json_loads(tags, 0, NULL));
    status = save(call, name, value);
    json_decref(value);
    return status < 0 ? status : answer_bus(call, "EventBusArn", name, description);
}

/* The bus that Name (a name or an ARN; default when it is not there) names, and what is kept of it. */
static int need_bus(sh_call *call, const char *member, const char **name, json_t **value)
{
    const char *given;
    sh_err err = {0};
    int status = sh_arg_text(call, member, 1600, &given);
    if (status < 0)
        return status;
    *name = sh_events_bus_name(call->cloud, call->arena, given ? given : "default");
    status = *name ? sh_events_bus_load(call->cloud, call->arena, *name, value, &err) : SH_E_NOT_FOUND;
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "ResourceNotFoundException", "Event bus %s does not exist.", given);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

int sh_events_update_bus(sh_call *call)
{
    const char *name, *description;
    json_t *value = NULL;
    int status = refuse_members(call);
    if (status < 0 || (status = sh_arg_text(call, "Description", 512, &description)) < 0 ||
        (status = need_bus(call, "Name", &name, &value)) < 0)
        return status;
    if (description)
        json_object_set_new(value, "description", json_string(description));
    status = save(call, name, value);
    if (status == 0)
        status = answer_bus(call, "Arn", name, description);
    if (status == 0)
        json_object_set_new(call->out, "Name", json_string(name));
    json_decref(value);
    return status;
}

static void put_bus(sh_call *call, int *failed, json_t *out, const char *name, const json_t *value)
{
    static const char *const times[][2] = {{"created", "CreationTime"}, {"modified", "LastModifiedTime"}};
    sh_put_text(failed, out, "Name", name);
    sh_put_text(failed, out, "Arn", sh_events_bus_arn(call->cloud, call->arena, name));
    sh_put_text(failed, out, "Description", json_string_value(json_object_get(value, "description")));
    sh_put_text(failed, out, "Policy", json_string_value(json_object_get(value, "policy")));
    for (int i = 0; i < 2; i++)
        if (json_object_get(value, times[i][0]))
            sh_put_date(failed, out, times[i][1], json_integer_value(json_object_get(value, times[i][0])));
}

int sh_events_describe_bus(sh_call *call)
{
    const char *name;
    json_t *value = NULL;
    int failed = 0;
    int status = need_bus(call, "Name", &name, &value);
    if (status == 0 && (status = sh_out_new(call)) == 0) {
        put_bus(call, &failed, call->out, name, value);
        status = sh_out_done(call, failed);
    }
    json_decref(value);
    return status;
}

static int found_rule(void *opaque, const sh_rule *rule)
{
    *(bool *)opaque = true;
    return 1;
}

int sh_events_delete_bus(sh_call *call)
{
    const char *name;
    bool used = false;
    sh_err err = {0};
    int status = read_bus_name(call, &name);
    if (status < 0)
        return status;
    if (sh_events_is_default(name))
        return sh_call_fail(call, 400, "ValidationException", "Cannot delete event bus default.");
    const char *prefix = sh_arena_printf(call->arena, "%s/", name);
    if (!prefix || sh_rule_list(call->cloud->db, prefix, false, "", 1, found_rule, &used, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if (used)
        return sh_call_fail(call, 400, "ValidationException",
                            "Event bus can't be deleted since it has rules.");
    status = sh_part_delete(call->cloud->db, SH_PART_BUS, name, &err);
    return status < 0 && status != SH_E_NOT_FOUND ? sh_call_fail_internal(call, &err) : sh_out_new(call);
}

static int take_bus(void *opaque, const char *name, const char *text)
{
    sh_event_page *page = opaque;
    json_t *value = json_loads(text, 0, NULL), *item = json_object();
    put_bus(page->call, &page->failed, item, name, value);
    json_decref(value);
    return sh_events_page_add(page, name, item);
}

/* The row of the bus default is there from the first listing on, so that it has its place in the order. */
int sh_events_list_buses(sh_call *call)
{
    const char *prefix, *after, *text;
    sh_event_page page = {0};
    sh_err err = {0};
    int status = sh_arg_text(call, "NamePrefix", 256, &prefix);
    if (status < 0 || (status = sh_events_page(call, &page, &after)) < 0)
        return status;
    if (sh_part_get(call->cloud->db, call->arena, SH_PART_BUS, "default", &text, NULL) == SH_E_NOT_FOUND)
        status = sh_part_put(call->cloud->db, SH_PART_BUS, "default", "{}", &err);
    if (status == 0)
        status = sh_part_list(call->cloud->db, SH_PART_BUS, prefix ? prefix : "", after, page.room + 1,
                              take_bus, &page, &err);
    return sh_events_page_end(&page, "EventBuses", status, &err);
}

/* ---- permissions ---- */

static json_t *make_statement(sh_call *call, const char *bus, const char *action, const char *principal,
                              const char *id)
{
    const json_t *condition = json_object_get(call->in, "Condition");
    const char *type = json_string_value(json_object_get(condition, "Type"));
    const char *key = json_string_value(json_object_get(condition, "Key"));
    const char *value = json_string_value(json_object_get(condition, "Value"));
    json_t *who = strcmp(principal, "*") == 0
                      ? json_string("*")
                      : json_pack("{s:o}", "AWS", json_sprintf("arn:aws:iam::%s:root", principal));
    json_t *statement =
        json_pack("{s:s, s:s, s:o, s:s, s:s}", "Sid", id, "Effect", "Allow", "Principal", who, "Action",
                  action, "Resource", sh_events_bus_arn(call->cloud, call->arena, bus));
    if (statement && type && key && value)
        json_object_set_new(statement, "Condition", json_pack("{s:{s:s}}", type, key, value));
    return statement;
}

static bool is_statement(const json_t *statement, const char *id)
{
    const char *sid = json_string_value(json_object_get(statement, "Sid"));
    return sid && strcmp(sid, id) == 0;
}

/* New reference: the statements without that of the id; *found: there was one. */
static json_t *statements_without(const json_t *bus, const char *id, bool *found)
{
    const char *text = json_string_value(json_object_get(bus, "policy"));
    json_t *policy = text ? json_loads(text, 0, NULL) : NULL, *kept = json_array();
    json_t *list = json_object_get(policy, "Statement"), *item;
    size_t index;
    *found = false;
    if (json_is_object(list)) { /* one statement needs no list */
        *found = is_statement(list, id);
        if (!*found)
            json_array_append(kept, list);
    }
    json_array_foreach(list, index, item)
    {
        if (is_statement(item, id))
            *found = true;
        else
            json_array_append(kept, item);
    }
    json_decref(policy);
    return kept;
}

static int set_policy(sh_call *call, const char *bus, json_t *value, const char *text)
{
    sh_policy *policy = NULL;
    sh_err err = {0};
    if (strlen(text) > POLICY_MAX)
        return sh_call_fail(call, 400, "PolicyLengthExceededException",
                            "The policy is longer than %d characters", POLICY_MAX);
    if (sh_policy_parse(&policy, SH_POLICY_RESOURCE, text, strlen(text), &err) < 0)
        return sh_call_fail(call, 400, "ValidationException", "Policy is not valid. Reason: %s", err.message);
    sh_policy_free(policy);
    json_object_set_new(value, "policy", json_string(text));
    return save(call, bus, value);
}

static int set_statements(sh_call *call, const char *bus, json_t *value, json_t *statements)
{
    if (json_array_size(statements) == 0) {
        json_decref(statements);
        json_object_del(value, "policy");
        return save(call, bus, value);
    }
    json_t *policy = json_pack("{s:s, s:o}", "Version", "2012-10-17", "Statement", statements);
    char *text = policy ? json_dumps(policy, JSON_COMPACT) : NULL;
    int status = text ? set_policy(call, bus, value, text) : sh_out_done(call, SH_E_MEMORY);
    free(text);
    json_decref(policy);
    return status;
}

static int add_statement(sh_call *call, const char *bus, json_t *value)
{
    const char *action, *principal, *id;
    bool found;
    int status = sh_arg_need(call, "Action", 64, &action);
    if (status < 0 || (status = sh_arg_need(call, "Principal", 12, &principal)) < 0 ||
        (status = sh_arg_need(call, "StatementId", 64, &id)) < 0)
        return status;
    if (strcmp(action, "events:PutEvents") != 0)
        return sh_events_invalid(call, "action", action, "Member must be events:PutEvents");
    if (strcmp(principal, "*") != 0 && (strlen(principal) != 12 || strspn(principal, "0123456789") != 12))
        return sh_events_invalid(call, "principal", principal,
                                 "Member must satisfy regular expression pattern: (\\d{12}|\\*)");
    json_t *statements = statements_without(value, id, &found);
    json_array_append_new(statements, make_statement(call, bus, action, principal, id));
    return set_statements(call, bus, value, statements);
}

int sh_events_put_permission(sh_call *call)
{
    const char *bus, *policy;
    json_t *value = NULL;
    int status = sh_arg_text(call, "Policy", SH_EVENT_BYTES, &policy);
    if (status < 0 || (status = need_bus(call, "EventBusName", &bus, &value)) < 0)
        return status;
    status = policy ? set_policy(call, bus, value, policy) : add_statement(call, bus, value);
    json_decref(value);
    return status < 0 ? status : sh_out_new(call);
}

int sh_events_remove_permission(sh_call *call)
{
    const char *bus, *id;
    bool all, found = true;
    json_t *value = NULL;
    int status = sh_arg_bool(call, "RemoveAllPermissions", false, &all);
    if (status < 0 || (status = sh_arg_text(call, "StatementId", 64, &id)) < 0)
        return status;
    if (!all && !id)
        return sh_call_fail(call, 400, "ValidationException",
                            "Parameter StatementId or RemoveAllPermissions must be specified.");
    if ((status = need_bus(call, "EventBusName", &bus, &value)) < 0)
        return status;
    json_t *kept = all ? json_array() : statements_without(value, id, &found);
    if (!found) {
        json_decref(kept);
        status = sh_call_fail(call, 400, "ResourceNotFoundException",
                              "Statement with the provided id does not exist: %s", id);
    } else {
        status = set_statements(call, bus, value, kept);
    }
    json_decref(value);
    return status < 0 ? status : sh_out_new(call);
}
