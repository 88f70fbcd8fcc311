/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The actions that name more than one resource, or have condition keys of their own. */
#include "cloud/api/authorize.h"
#include "cloud/api/authorize_table.h"
#include "cloud/api/states_token.h"

#include <stdio.h>
#include <string.h>

#define VALUES_MAX 100

static const char *text_of(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value && *value ? value : NULL;
}

static int no_memory(sh_call *call)
{
    return sh_call_fail(call, 500, "InternalFailure", "no memory to authorize a request");
}

/* ---- tags ---- */

static void add_tag(sh_call *call, sh_context *c, const char **keys, size_t *count, const char *key,
                    const char *value, bool *failed)
{
    char *name = sh_arena_printf(call->arena, "aws:RequestTag/%s", key);
    if (*count < VALUES_MAX)
        keys[(*count)++] = key;
    *failed |= !name || !sh_context_put(c, name, value);
}

/* aws:RequestTag/… and aws:TagKeys, of each form in which services take tags. False: more than can be told.
 */
static bool put_tags(sh_call *call, sh_context *c, const char **keys)
{
    size_t index, count = 0;
    const char *name;
    bool failed = false;
    json_t *item, *tags = json_object_get(call->in, "tags");
    if (!tags)
        tags = json_object_get(call->in, "Tags");
    if (json_is_object(tags))
        json_object_foreach(tags, name, item)
            add_tag(call, c, keys, &count, name, json_string_value(item), &failed);
    json_array_foreach(tags, index, item)
    {
        const char *key = text_of(item, "key") ? text_of(item, "key") : text_of(item, "Key");
        const char *value = text_of(item, "value") ? text_of(item, "value") : text_of(item, "Value");
        if (key)
            add_tag(call, c, keys, &count, key, value ? value : "", &failed);
    }
    json_t *gone = json_object_get(call->in, json_object_get(call->in, "TagKeys") ? "TagKeys" : "tagKeys");
    json_array_foreach(gone, index, item)
    {
        if (json_is_string(item) && count < VALUES_MAX)
            keys[count++] = json_string_value(item);
    }
    return !failed && (count == 0 || sh_context_put_list(c, "aws:TagKeys", keys, count));
}

int sh_ask_with(sh_call *call, const char *action, const char *resource, sh_context *c)
{
    const char *keys[VALUES_MAX];
    if (!put_tags(call, c, keys))
        return sh_call_fail(call, 400, "ValidationException", "the request has too many tags");
    return sh_authorize_one(call, action, resource, c->keys, c->count);
}

int sh_ask_tags(sh_call *call, const char *action, const char *resource)
{
    sh_context context = {.count = 0};
    return sh_ask_with(call, action, resource, &context);
}

/* ---- states ---- */

/* The ARN of a version or alias asks for its machine, and says which in states:StateMachineQualifier. */
int sh_ask_machine(sh_call *call, const char *action, const char *resource)
{
    static const char mark[] = ":stateMachine:";
    sh_context context = {.count = 0};
    if (strcmp(resource, "*") == 0) {
        const json_t *routes = json_object_get(call->in, "routingConfiguration");
        const char *version = text_of(json_array_get(routes, 0), "stateMachineVersionArn");
        const char *map = text_of(call->in, "mapRunArn");
        resource = version ? version : map ? map : resource;
    }
    const char *name = strstr(resource, mark);
    const char *colon = name ? strchr(name + sizeof(mark) - 1, ':') : NULL;
    if (colon) {
        sh_context_put(&context, "states:StateMachineQualifier", colon + 1);
        resource = sh_arena_strndup(call->arena, resource, (size_t)(colon - resource));
    }
    return resource ? sh_authorize_one(call, action, resource, context.keys, context.count) : no_memory(call);
}

/* A token stands for the machine of its execution. */
int sh_ask_token(sh_call *call, const char *action, const char *resource)
{
    const char *token = text_of(call->in, "taskToken");
    const char *machine = token ? sh_token_machine(call->cloud, token, call->arena) : NULL;
    return sh_authorize_one(call, action, machine ? machine : resource, NULL, 0);
}

/* ---- events ---- */

static int ask_entry(sh_call *call, const char *action, const char *resource, const json_t *entry)
{
    sh_context context = {.count = 0};
    const char *bus = text_of(entry, "EventBusName");
    if (bus && strncmp(bus, "arn:", 4) == 0)
        resource = bus;
    else if (bus && strcmp(bus, "default") != 0)
        resource = sh_arena_printf(call->arena, "%.*s%s", (int)(strlen(resource) - strlen("default")),
                                   resource, bus);
    sh_context_put(&context, "events:source", text_of(entry, "Source"));
    sh_context_put(&context, "events:detail-type", text_of(entry, "DetailType"));
    return resource ? sh_authorize_one(call, action, resource, context.keys, context.count) : no_memory(call);
}

/* The sources or detail types that a pattern asks for. */
static void put_pattern(sh_context *c, const char *key, const json_t *pattern, const char *name,
                        const char **values)
{
    size_t index, count = 0;
    const json_t *item;
    json_array_foreach(json_object_get(pattern, name), index, item)
    {
        if (json_is_string(item) && count < VALUES_MAX)
            values[count++] = json_string_value(item);
    }
    if (count > 0)
        sh_context_put_list(c, key, values, count);
}

/* The rule of another bus is rule/BUS/NAME. */
static const char *on_its_bus(sh_call *call, const char *resource)
{
    const char *given = text_of(call->in, "EventBusName"), *slash = strchr(resource, '/');
    const char *bus = given && strncmp(given, "arn:", 4) == 0 ? strrchr(given, '/') : NULL;
    bus = bus ? bus + 1 : given;
    if (!bus || !slash || strcmp(bus, "default") == 0)
        return resource;
    return sh_arena_printf(call->arena, "%.*s/%s%s", (int)(slash - resource), resource, bus, slash);
}

int sh_ask_rule(sh_call *call, const char *action, const char *resource)
{
    resource = on_its_bus(call, resource);
    return resource ? sh_authorize_one(call, action, resource, NULL, 0) : no_memory(call);
}

static int ask_rule(sh_call *call, const char *action, const char *resource)
{
    const char *sources[VALUES_MAX], *types[VALUES_MAX];
    const char *text = text_of(call->in, "EventPattern");
    sh_context context = {.count = 0};
    json_t *pattern = text ? json_loads(text, 0, NULL) : NULL;
    put_pattern(&context, "events:source", pattern, "source", sources);
    put_pattern(&context, "events:detail-type", pattern, "detail-type", types);
    resource = on_its_bus(call, resource);
    int status = resource ? sh_ask_with(call, action, resource, &context) : no_memory(call);
    json_decref(pattern);
    return status;
}

int sh_ask_events(sh_call *call, const char *action, const char *resource)
{
    size_t index;
    const json_t *entry, *entries = json_object_get(call->in, "Entries");
    int status = 0;
    if (strcmp(action, "events:PutRule") == 0)
        return ask_rule(call, action, resource);
    if (json_array_size(entries) == 0)
        return sh_authorize_one(call, action, resource, NULL, 0);
    json_array_foreach(entries, index, entry)
    {
        if ((status = ask_entry(call, action, resource, entry)) < 0)
            break;
    }
    return status;
}

int sh_ask_targets(sh_call *call, const char *action, const char *resource)
{
    size_t index, count = 0;
    const char *arns[VALUES_MAX];
    const json_t *target, *targets = json_object_get(call->in, "Targets");
    sh_context context = {.count = 0};
    json_array_foreach(targets, index, target)
    {
        if (text_of(target, "Arn") && count < VALUES_MAX)
            arns[count++] = text_of(target, "Arn");
    }
    sh_context_put_list(&context, "events:TargetArn", arns, count);
    if (!(resource = on_its_bus(call, resource)))
        return no_memory(call);
    int status = sh_authorize_one(call, action, resource, context.keys, context.count);
    json_array_foreach(targets, index, target)
    {
        if (status == 0 && text_of(target, "RoleArn"))
            status = sh_authorize_pass_role(call, text_of(target, "RoleArn"), "events.amazonaws.com");
    }
    return status;
}

/* ---- ssm ---- */

static const char *document_arn(sh_call *call, const char *name)
{
    const sh_cloud_settings *s = &call->cloud->settings;
    if (!name || strncmp(name, "arn:", 4) == 0)
        return name ? name : "*";
    /* those of AWS belong to no account */
    return sh_arena_printf(call->arena, "arn:aws:ssm:%s:%s:document/%s", s->region,
                           strncmp(name, "AWS-", 4) == 0 ? "" : s->account, name);
}

static int ask_instance(sh_call *call, const char *action, const char *id)
{
    const sh_cloud_settings *s = &call->cloud->settings;
    bool managed = strncmp(id, "mi-", 3) == 0;
    const char *arn = sh_arena_printf(call->arena, "arn:aws:%s:%s:%s:%s/%s", managed ? "ssm" : "ec2",
                                      s->region, s->account, managed ? "managed-instance" : "instance", id);
    return arn ? sh_authorize_one(call, action, arn, NULL, 0) : no_memory(call);
}

static int ask_instances(sh_call *call, const char *action, const json_t *list)
{
    size_t index;
    const json_t *id;
    int status = 0;
    json_array_foreach(list, index, id)
    {
        if (status == 0 && json_is_string(id))
            status = ask_instance(call, action, json_string_value(id));
    }
    return status;
}

/* The document, and every instance. Targets that are not instance ids may be any instance of this account. */
int sh_ask_command(sh_call *call, const char *action, const char *resource)
{
    size_t index;
    const json_t *target;
    const char *document = document_arn(call, text_of(call->in, "DocumentName"));
    if (!document)
        return no_memory(call);
    int status = sh_authorize_one(call, action, document, NULL, 0);
    if (status == 0)
        status = ask_instances(call, action, json_object_get(call->in, "InstanceIds"));
    json_array_foreach(json_object_get(call->in, "Targets"), index, target)
    {
        const char *key = text_of(target, "Key");
        if (status == 0 && key && strcmp(key, "InstanceIds") == 0)
            status = ask_instances(call, action, json_object_get(target, "Values"));
    } /* those that a tag selects are asked for one by one by SendCommand, which looks them up */
    return status;
}

int sh_ask_document(sh_call *call, const char *action, const char *resource)
{
    const char *document = document_arn(call, text_of(call->in, "Name"));
    return document ? sh_authorize_one(call, action, document, NULL, 0) : no_memory(call);
}

int sh_ask_command_node(sh_call *call, const char *id)
{
    return ask_instance(call, "ssm:SendCommand", id);
}

int sh_ask_managed(sh_call *call, const char *action, const char *resource)
{
    const char *id = text_of(call->in, "InstanceId");
    return id ? ask_instance(call, action, id) : sh_authorize_one(call, action, resource, NULL, 0);
}

int sh_ask_tagged(sh_call *call, const char *action, const char *resource)
{
    const char *type = text_of(call->in, "ResourceType"), *id = text_of(call->in, "ResourceId");
    if (id && type && strcmp(type, "ManagedInstance") == 0)
        return ask_instance(call, action, id);
    return sh_ask_parameter(call, action, resource);
}

/* ---- ec2 ---- */

/* Each of them is asked for, with the tags that it would get. */
int sh_ask_resources(sh_call *call, const char *action, const char *resource)
{
    const sh_cloud_settings *s = &call->cloud->settings;
    const json_t *id, *list = json_object_get(call->in, "Resources");
    size_t index;
    int status = json_array_size(list) > 0 ? 0 : sh_ask_tags(call, action, resource);
    json_array_foreach(list, index, id)
    {
        const char *name = json_string_value(id);
        const char *arn = sh_arena_printf(call->arena, "arn:aws:ec2:%s:%s:instance/%s", s->region, s->account,
                                          name ? name : "");
        if (status == 0)
            status = arn ? sh_ask_tags(call, action, arn) : no_memory(call);
    }
    return status;
}

/* ---- mediaconvert ---- */

/* The queue, and the template if there is one. */
int sh_ask_job(sh_call *call, const char *action, const char *resource)
{
    const sh_cloud_settings *s = &call->cloud->settings;
    const char *template = text_of(call->in, "jobTemplate");
    int status = sh_ask_tags(call, action, resource);
    if (status < 0 || !template)
        return status;
    if (strncmp(template, "arn:", 4) != 0)
        template = sh_arena_printf(call->arena, "arn:aws:mediaconvert:%s:%s:jobTemplates/%s", s->region,
                                   s->account, template);
    return template ? sh_authorize_one(call, action, template, NULL, 0) : no_memory(call);
}
