/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SendCommand: everything is checked here, so that what is Pending can be run. */
#include "base/size.h"
#include "cloud/api/agent.h"
#include "cloud/api/args.h"
#include "cloud/api/authorize.h"
#include "cloud/api/front.h"
#include "cloud/api/keys.h"
#include "cloud/api/ssm.h"
#include "cloud/api/ssm_document.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_MAX (1 << 20)
#define TIMEOUT_DEFAULT 3600
#define EXECUTION_MAX 172800

typedef struct sending {
    json_t *nodes;           /* ids */
    const char *document;    /* its name */
    json_t *content, *steps; /* of a document of one's own; else NULL */
    const char *document_version, *comment, *max_concurrency, *max_errors;
    const char *bucket, *prefix, *role, *log_group;
    bool logs;
    const json_t *instances, *targets, *parameters;
    int64_t deliver_s, execution_s;
} sending;

/* Is it the document that the caller has seen? */
static int check_hash(sh_call *call, const sh_document *row)
{
    const char *hash, *type;
    int status = sh_arg_text(call, "DocumentHash", 256, &hash);
    if (status == 0)
        status = sh_arg_text(call, "DocumentHashType", 16, &type);
    if (status < 0 || !hash)
        return status;
    if (type && strcmp(type, "Sha256") != 0)
        return sh_call_fail(call, 400, "ValidationException", "DocumentHashType is '%s'; it must be Sha256",
                            type);
    return strcasecmp(hash, row->hash) == 0
               ? 0
               : sh_call_fail(call, 400, "InvalidDocument", "The content of %s has not the SHA-256 %s but %s",
                              row->name, hash, row->hash);
}

static int read_document(sh_call *call, sending *s)
{
    static const char own[] = ":document/" SH_SSM_DOCUMENT;
    const char *name;
    sh_document row;
    int status = sh_arg_need(call, "DocumentName", 256, &name);
    if (status == 0)
        status = sh_arg_text(call, "DocumentVersion", 64, &s->document_version);
    if (status < 0)
        return status;
    const char *last = strrchr(name, ':');
    if (last && strcmp(last, own) == 0)
        name = SH_SSM_DOCUMENT;
    if ((status = sh_ssm_find_document(call, name, s->document_version, NULL, &row)) < 0 ||
        (status = check_hash(call, &row)) < 0)
        return status;
    s->document = row.name;
    if (!s->document_version)
        s->document_version = "$DEFAULT";
    if (sh_ssm_built_in(row.name))
        return 0;
    s->content = json_loads(row.content, 0, NULL);
    return s->content ? 0 : sh_out_done(call, SH_E_MEMORY);
}

static bool is_node(sh_call *call, const char *id)
{
    sh_node_row row;
    sh_err err = {0};
    return strcmp(id, call->cloud->settings.instance_id) == 0 ||
           sh_node_get(call->cloud->db, call->arena, id, &row, &err) == 0;
}

static bool among(const json_t *list, const char *id)
{
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item)
    {
        if (strcmp(json_string_value(item), id) == 0)
            return true;
    }
    return false;
}

static int check_instances(sh_call *call, sending *s, const json_t *list)
{
    size_t index;
    const json_t *item;
    json_array_foreach(list, index, item)
    {
        const char *id = json_string_value(item);
        if (!id)
            return sh_call_fail(call, 400, "SerializationException", "an instance id is not a string");
        if (!is_node(call, id))
            return sh_call_fail(call, 400, "InvalidInstanceId",
                                "Instances [[%s]] not in a valid state for account %s", id,
                                call->cloud->settings.account);
        if (among(s->nodes, id))
            return sh_call_fail(call, 400, "DuplicateInstanceId", "instance %s is given twice", id);
        if (json_array_append(s->nodes, (json_t *)item) < 0)
            return sh_out_done(call, SH_E_MEMORY);
    }
    return 0;
}

/* ---- nodes by their tags: those that all targets select ---- */

static bool is_tag(const char *key)
{
    return strncmp(key, "tag:", 4) == 0 || strcmp(key, "tag-key") == 0;
}

typedef struct selection {
    sh_call *call;
    sending *s;
} selection;

static int select_node(void *opaque, const sh_node_row *row)
{
    const selection *all = opaque;
    size_t index;
    const json_t *target;
    json_array_foreach(all->s->targets, index, target)
    {
        const char *key = json_string_value(json_object_get(target, "Key"));
        const json_t *values = json_object_get(target, "Values");
        if (!sh_ssm_node_tagged(all->call->cloud, row->id, key[3] == ':' ? key + 4 : NULL, values))
            return 0;
    }
    return json_array_append_new(all->s->nodes, json_string(row->id)) < 0 ? SH_E_MEMORY : 0;
}

static int select_by_tags(sh_call *call, sending *s)
{
    sh_err err = {0};
    selection all = {call, s};
    size_t index;
    const json_t *id;
    int status = sh_node_each(call->cloud->db, select_node, &all, &err);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    if (json_array_size(s->nodes) == 0)
        return sh_call_fail(call, 400, "InvalidTarget", "no registered node has these tags");
    json_array_foreach(s->nodes, index, id)
    {
        if ((status = sh_ask_command_node(call, json_string_value(id))) < 0)
            return status;
    }
    return 0;
}

static int check_targets(sh_call *call, sending *s)
{
    size_t index, tags = 0, targets = json_array_size(s->targets);
    const json_t *target;
    json_array_foreach(s->targets, index, target)
    {
        const char *key = json_string_value(json_object_get(target, "Key"));
        const json_t *values = json_object_get(target, "Values");
        bool ids = key && strcasecmp(key, "InstanceIds") == 0;
        if (!ids && !(key && is_tag(key)))
            return sh_call_fail(call, 400, "InvalidTarget",
                                "the target key '%.100s' is not supported: use InstanceIds, tag:NAME or "
                                "tag-key",
                                key ? key : "");
        if (!json_is_array(values) || json_array_size(values) == 0)
            return sh_call_fail(call, 400, "InvalidTarget", "the target %.100s has no values", key);
        tags += !ids;
    }
    if (tags > 0 && tags < targets)
        return sh_call_fail(call, 400, "InvalidTarget", "targets are either InstanceIds or tags");
    if (tags == 0 && targets > 1)
        return sh_call_fail(call, 400, "InvalidTarget", "give InstanceIds once, with all values");
    return tags ? select_by_tags(call, s)
                : check_instances(call, s, json_object_get(json_array_get(s->targets, 0), "Values"));
}

static int read_targets(sh_call *call, sending *s)
{
    int status = sh_arg_array(call, "InstanceIds", 50, &s->instances);
    if (status == 0)
        status = sh_arg_array(call, "Targets", 5, &s->targets);
    if (status < 0)
        return status;
    size_t instances = json_array_size(s->instances), targets = json_array_size(s->targets);
    if ((instances > 0) == (targets > 0))
        return sh_call_fail(call, 400, "ValidationException",
                            "give the nodes either as InstanceIds or as Targets");
    return instances ? check_instances(call, s, s->instances) : check_targets(call, s);
}

static int check_strings(sh_call *call, const char *name, const json_t *list)
{
    size_t index;
    const json_t *item;
    if (!json_is_array(list))
        return sh_call_fail(call, 400, "SerializationException",
                            "the parameter '%s' is not a list of strings", name);
    json_array_foreach(list, index, item)
    {
        if (!json_is_string(item))
            return sh_call_fail(call, 400, "SerializationException",
                                "item %zu of the parameter '%s' is not a string", index, name);
    }
    return 0;
}

static int single(sh_call *call, const sending *s, const char *name, const char **out)
{
    const json_t *list = json_object_get(s->parameters, name);
    if (json_array_size(list) > 1)
        return sh_call_fail(call, 400, "InvalidParameters", "the parameter '%s' has one value", name);
    const char *value = json_string_value(json_array_get(list, 0));
    *out = value && *value ? value : NULL;
    return 0;
}

static int read_execution(sh_call *call, sending *s)
{
    const char *timeout, *folder;
    int status = single(call, s, "executionTimeout", &timeout);
    if (status == 0)
        status = single(call, s, "workingDirectory", &folder);
    if (status < 0)
        return status;
    s->execution_s = TIMEOUT_DEFAULT;
    if (timeout && !sh_parse_i64(timeout, strlen(timeout), 1, EXECUTION_MAX, &s->execution_s))
        return sh_call_fail(call, 400, "InvalidParameters",
                            "executionTimeout is '%s'; it must be a number of seconds from 1 to %d", timeout,
                            EXECUTION_MAX);
    if (folder && *folder != '/')
        return sh_call_fail(call, 400, "InvalidParameters", "workingDirectory is '%s'; it must be absolute",
                            folder);
    return 0;
}

/* The parameters of a document of one's own. */
static int read_own(sh_call *call, sending *s)
{
    sh_err err = {0};
    json_t *none = json_object();
    int status = none ? 0 : sh_out_done(call, SH_E_MEMORY);
    if (status == 0 &&
        sh_ssm_steps(s->content, s->parameters ? s->parameters : none, &s->steps, &s->execution_s, &err) < 0)
        status = sh_call_fail(call, 400, "InvalidParameters", "%s", err.message);
    json_decref(none);
    return status;
}

static int read_parameters(sh_call *call, sending *s)
{
    const char *name;
    json_t *value;
    size_t length = 0, index;
    int status = sh_arg_object(call, "Parameters", &s->parameters);
    if (status < 0)
        return status;
    if (s->content)
        return read_own(call, s);
    json_object_foreach((json_t *)s->parameters, name, value)
    {
        if (strcmp(name, "commands") != 0 && strcmp(name, "workingDirectory") != 0 &&
            strcmp(name, "executionTimeout") != 0)
            return sh_call_fail(call, 400, "InvalidParameters", "%s has no parameter '%s'", SH_SSM_DOCUMENT,
                                name);
        if ((status = check_strings(call, name, value)) < 0)
            return status;
    }
    const json_t *commands = json_object_get(s->parameters, "commands");
    if (json_array_size(commands) == 0)
        return sh_call_fail(call, 400, "InvalidParameters", "%s needs the parameter 'commands'",
                            SH_SSM_DOCUMENT);
    json_array_foreach(commands, index, value) length += json_string_length(value) + 1;
    if (length > SCRIPT_MAX)
        return sh_call_fail(call, 400, "MaxDocumentSizeExceeded", "the commands have %zu bytes, more than %d",
                            length, SCRIPT_MAX);
    return read_execution(call, s);
}

/* "5" or "10%", as MaxConcurrency and MaxErrors have it. */
static int check_share(sh_call *call, const char *name, const char **value, const char *fallback)
{
    int64_t number;
    int status = sh_arg_text(call, name, 7, value);
    if (status < 0)
        return status;
    if (!*value)
        *value = fallback;
    size_t length = strlen(*value);
    bool percent = length > 0 && (*value)[length - 1] == '%';
    if (!sh_parse_i64(*value, length - percent, 0, percent ? 100 : 9999999, &number))
        return sh_call_fail(call, 400, "ValidationException", "%s is '%s'; it must be a number or a share",
                            name, *value);
    return 0;
}

/* Where the whole output is to go. */
static int read_output(sh_call *call, sending *s)
{
    sh_bucket bucket;
    sh_err err = {0};
    int status = sh_arg_text(call, "OutputS3BucketName", 63, &s->bucket);
    if (status == 0)
        status = sh_arg_text(call, "OutputS3KeyPrefix", 500, &s->prefix);
    if (status < 0 || !s->bucket || !*s->bucket)
        return status;
    sh_objects objects = sh_cloud_objects(call->cloud);
    status = sh_bucket_get(&objects, s->bucket, &bucket, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "InvalidOutputFolder", "the bucket %s does not exist", s->bucket);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

/* What would be promised and not done is refused. */
static int refuse_unsupported(sh_call *call)
{
    const json_t *notify = json_object_get(call->in, "NotificationConfig");
    const json_t *alarms = json_object_get(call->in, "AlarmConfiguration");
    const char *topic = json_string_value(json_object_get(notify, "NotificationArn"));
    if (topic && *topic)
        return sh_call_fail(call, 400, "InvalidNotificationConfig",
                            "notifications by SNS are not supported: use an EventBridge rule");
    if (json_array_size(json_object_get(alarms, "Alarms")) > 0)
        return sh_call_fail(call, 400, "ValidationException", "AlarmConfiguration is not supported");
    return 0;
}

static int read_logs(sh_call *call, sending *s)
{
    const json_t *logs = json_object_get(call->in, "CloudWatchOutputConfig");
    const char *group = json_string_value(json_object_get(logs, "CloudWatchLogGroupName"));
    size_t length = group ? strlen(group) : 0;
    s->logs = json_is_true(json_object_get(logs, "CloudWatchOutputEnabled"));
    s->log_group = group ? group : "";
    for (size_t i = 0; i < length; i++)
        if (length > 512 || (!isalnum((unsigned char)group[i]) && !strchr("._-/#", group[i])))
            return sh_call_fail(call, 400, "ValidationException",
                                "CloudWatchLogGroupName is '%s'; it has 1 to 512 letters, digits, . _ - / #",
                                group);
    return 0;
}

static int read_call(sh_call *call, sending *s)
{
    int status;
    if ((status = read_document(call, s)) < 0 || (status = read_targets(call, s)) < 0 ||
        (status = read_parameters(call, s)) < 0 ||
        (status = sh_arg_text(call, "Comment", 100, &s->comment)) < 0 ||
        (status = sh_arg_text(call, "ServiceRoleArn", 2048, &s->role)) < 0 ||
        (status = sh_arg_int(call, "TimeoutSeconds", 30, 2592000, TIMEOUT_DEFAULT, &s->deliver_s)) < 0 ||
        (status = check_share(call, "MaxConcurrency", &s->max_concurrency, "50")) < 0 ||
        (status = check_share(call, "MaxErrors", &s->max_errors, "0")) < 0 ||
        (status = refuse_unsupported(call)) < 0 || (status = read_logs(call, s)) < 0)
        return status;
    return read_output(call, s);
}

static json_t *list_or_empty(const json_t *list)
{
    return list ? json_deep_copy(list) : json_array();
}

/* NULL when memory is short. */
static char *request_text(const sending *s)
{
    int status = 0;
    json_t *r = json_object();
    if (!r)
        return NULL;
    sh_put_text(&status, r, "DocumentVersion", s->document_version);
    sh_put(&status, r, "Parameters", s->parameters ? json_deep_copy(s->parameters) : json_object());
    if (s->steps)
        sh_put(&status, r, "Steps", json_incref(s->steps));
    sh_put(&status, r, "InstanceIds", list_or_empty(s->instances));
    sh_put(&status, r, "Targets", list_or_empty(s->targets));
    sh_put(&status, r, "TimeoutSeconds", json_integer(s->deliver_s));
    sh_put(&status, r, "ExecutionTimeout", json_integer(s->execution_s));
    sh_put_text(&status, r, "MaxConcurrency", s->max_concurrency);
    sh_put_text(&status, r, "MaxErrors", s->max_errors);
    sh_put_text(&status, r, "OutputS3BucketName", s->bucket ? s->bucket : "");
    sh_put_text(&status, r, "OutputS3KeyPrefix", s->prefix ? s->prefix : "");
    sh_put(
        &status, r, "CloudWatchOutputConfig",
        json_pack("{s:s, s:b}", "CloudWatchLogGroupName", s->log_group, "CloudWatchOutputEnabled", s->logs));
    sh_put_text(&status, r, "ServiceRole", s->role ? s->role : "");
    char *text = status < 0 ? NULL : json_dumps(r, JSON_COMPACT);
    json_decref(r);
    return text;
}

/* A row for each node, in a transaction. */
static int insert_rows(sh_call *call, const sending *s, sh_invocation *row, sh_err *err)
{
    size_t index;
    const json_t *id;
    int status = 0;
    json_array_foreach(s->nodes, index, id)
    {
        row->instance = json_string_value(id);
        if (status == 0)
            status = sh_invocation_insert(call->cloud->db, row, err);
    }
    return status;
}

static int send_to_nodes(sh_call *call, const sending *s, const char *request)
{
    char id[SH_UUID_TEXT];
    sh_err err = {0};
    sh_uuid(id);
    sh_invocation row = {.id = id,
                         .document = s->document,
                         .comment = s->comment ? s->comment : "",
                         .request = request,
                         .requested_ms = call->now_ms,
                         .deliver_by_ms = call->now_ms + s->deliver_s * 1000,
                         .expires_ms = call->now_ms + (s->deliver_s + s->execution_s) * 1000,
                         .status = "Pending",
                         .details = "Pending",
                         .code = -1,
                         .out = "",
                         .err = ""};
    int status = sh_db_begin(call->cloud->db, &err);
    if (status == 0)
        status = sh_db_end(call->cloud->db, insert_rows(call, s, &row, &err), &err);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    sh_agent_wake(call->cloud, json_array_size(s->nodes) == 1 ? row.instance : NULL);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put(&status, call->out, "Command", sh_ssm_command_json(call, &row));
    return sh_out_done(call, status);
}

int sh_ssm_send_command(sh_call *call)
{
    sending s = {.nodes = json_array()};
    int status = s.nodes ? read_call(call, &s) : sh_out_done(call, SH_E_MEMORY);
    char *request = status == 0 ? request_text(&s) : NULL;
    if (status == 0)
        status = request ? send_to_nodes(call, &s, request) : sh_out_done(call, SH_E_MEMORY);
    free(request);
    json_decref(s.nodes);
    json_decref(s.steps);
    json_decref(s.content);
    return status;
}
