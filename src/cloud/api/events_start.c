/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kinds of targets: a row each. Those that only change the database are started in the transaction that takes
 * the event off the outbox, so each gets it exactly once; an API destination is called outside of it, at
 * least once. */
#include "cloud/api/args.h"
#include "cloud/api/authorize.h"
#include "cloud/api/events.h"
#include "cloud/api/front.h"
#include "cloud/api/iam.h"
#include "cloud/api/keys.h"
#include "cloud/api/lambda.h"
#include "cloud/api/logs.h"
#include "cloud/api/logs_policy.h"
#include "cloud/flow/flow.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* ---- helpers ---- */

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static bool is_disk(int status)
{
    return status == SH_E_FULL || status == SH_E_IO;
}

static int no_memory(sh_err *err)
{
    return sh_fail(err, SH_E_MEMORY, "no memory to deliver events");
}

/* An answer of a service that is no success. */
static int refused(const sh_event_delivery *d, const sh_aws_error *error, int status, sh_event_outcome *out,
                   sh_err *err)
{
    if (is_disk(status))
        return status;
    out->reason = sh_arena_printf(d->arena, "%s: %s", error->code ? error->code : "InternalServerError",
                                  error->message ? error->message : sh_status_name(status));
    out->again = error->http_status >= 500 || !error->code;
    return out->reason ? 0 : no_memory(err);
}

static int refused_for_good(const sh_event_delivery *d, const char *code, const char *message,
                            sh_event_outcome *out, sh_err *err)
{
    const sh_aws_error error = {code, 400, message};
    return refused(d, &error, SH_E_ARGUMENT, out, err);
}

void sh_events_delivery_name(const char *event_id, const char *rule, const char *target_id, char name[81])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    char key[1024], text[SH_UUID_TEXT];
    int length = snprintf(key, sizeof(key), "%.200s\n%.400s\n%.100s", event_id, rule, target_id);
    EVP_Digest(key, (size_t)length, digest, NULL, EVP_sha256(), NULL);
    sh_uuid_from(digest, text);
    bool plain =
        strlen(event_id) <= 40 &&
        event_id[strspn(event_id, "0123456789abcdefABCDEFghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ-_")] == 0;
    snprintf(name, 81, "%.40s%s%s", plain ? event_id : "", plain ? "_" : "", text);
}

int sh_events_take_role(const sh_event_delivery *d, sh_caller *session, sh_event_outcome *out, sh_err *err)
{
    sh_err why = {0};
    const char *role = text_of(d->target, "RoleArn");
    const sh_iam_taking taking = {.role_arn = role,
                                  .service = SH_EVENTS_SERVICE,
                                  .session_name = strrchr(d->rule_arn, '/') + 1,
                                  .source_arn = d->rule_arn};
    int status = role ? sh_caller_by_role(d->cloud, &taking, d->arena, session, &why) : SH_E_NOT_FOUND;
    if (status == SH_E_NOT_FOUND || status == SH_E_DENIED || status == SH_E_ARGUMENT)
        return refused_for_good(
            d, "AccessDeniedException",
            sh_arena_printf(d->arena,
                            "Provided role '%s' cannot be assumed by principal 'events.amazonaws.com'.",
                            role ? role : ""),
            out, err);
    return status < 0 ? sh_fail(err, status, "%s", why.message) : 0;
}

/* An action of a service of this server, under the target's role. `fine`: an error that is none. */
static int act(const sh_event_delivery *d, const sh_service *service, const char *name, json_t *in,
               const char *fine, sh_event_outcome *out, sh_err *err)
{
    sh_caller session = {0};
    const sh_action *action = sh_action_find(service, name);
    sh_call call = {.cloud = d->cloud, .arena = d->arena, .caller = &session, .now_ms = d->now_ms, .in = in};
    int status = in && action ? sh_events_take_role(d, &session, out, err) : no_memory(err);
    if (status < 0 || out->reason)
        goto done;
    call.principal = session.arn;
    const char *before = sh_trace_set(d->trace);
    status = sh_authorize_action(&call, service->name, name);
    if (status == 0 && (status = sh_db_begin(d->cloud->db, err)) == 0)
        status = sh_db_end(d->cloud->db, action->fn(&call), err);
    sh_trace_set(before);
    if (status < 0 && !(fine && call.error.code && strcmp(call.error.code, fine) == 0))
        status = refused(d, &call.error, status, out, err);
    else
        status = 0;
done:
    json_decref(call.out);
    json_decref(in);
    return status;
}

/* ---- state machines ---- */

static int start_machine(const sh_event_delivery *d, sh_event_outcome *out, sh_err *err)
{
    char name[81];
    const char *id = text_of(d->event, "id");
    sh_events_delivery_name(id ? id : "", d->rule, d->target_id, name);
    json_t *in = json_pack("{s:s, s:s, s:s, s:s*}", "stateMachineArn", text_of(d->target, "Arn"), "name",
                           name, "input", d->input, "traceHeader", d->trace);
    return act(d, &sh_service_states, "StartExecution", in, "ExecutionAlreadyExists", out, err);
}

/* ---- functions ---- */

static int start_function(const sh_event_delivery *d, sh_event_outcome *out, sh_err *err)
{
    sh_caller session = {0};
    sh_aws_error error = {0};
    bool role = text_of(d->target, "RoleArn") != NULL;
    int status = role ? sh_events_take_role(d, &session, out, err) : 0;
    if (status < 0 || out->reason)
        return status;
    const sh_lambda_event event = {
        .function = text_of(d->target, "Arn"),
        .service = SH_EVENTS_SERVICE,
        .source_arn = d->rule_arn,
        .caller = role ? &session : NULL,
        .payload = d->input,
        .length = strlen(d->input),
        .trace = d->trace,
    };
    status = sh_lambda_send_event(d->cloud, &event, d->arena, &error, err);
    return status < 0 ? refused(d, &error, status, out, err) : 0;
}

/* ---- log groups ---- */

/* A template may say {"timestamp": ms, "message": text}; anything else is the message. */
static void read_line(const sh_event_delivery *d, json_t *input, sh_log_event *line)
{
    const char *message = text_of(input, "message");
    const json_t *time = json_object_get(input, "timestamp");
    *line = (sh_log_event){.time_ms = d->now_ms, .message = d->input};
    if (!message || !time || json_object_size(input) != 2)
        return;
    line->message = message;
    if (json_is_integer(time) && json_integer_value(time) > 0)
        line->time_ms = json_integer_value(time);
}

static int write_line(const sh_event_delivery *d, const char *group, sh_err *err)
{
    char stream[SH_UUID_TEXT];
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    sh_log_event line;
    json_t *input = json_loads(d->input, JSON_ALLOW_NUL, NULL);
    EVP_Digest(d->rule_arn, strlen(d->rule_arn), digest, NULL, EVP_sha256(), NULL);
    sh_uuid_from(digest, stream);
    read_line(d, input, &line);
    int status = sh_logs_write(d->cloud, group, stream, &line, 1, err);
    json_decref(input);
    return status;
}

static int start_log(const sh_event_delivery *d, sh_event_outcome *out, sh_err *err)
{
    sh_caller caller = {.service = SH_EVENTS_SERVICE};
    sh_log_group group;
    const char *sentence, *name = sh_logs_group_of(d->arena, text_of(d->target, "Arn"));
    sh_err why = {0};
    int status = text_of(d->target, "RoleArn") ? sh_events_take_role(d, &caller, out, err) : 0;
    if (status < 0 || out->reason)
        return status;
    status = name ? sh_log_group_get(d->cloud->db, d->arena, name, &group, &why) : SH_E_NOT_FOUND;
    if (status == SH_E_NOT_FOUND)
        return refused_for_good(d, "ResourceNotFoundException", "The specified log group does not exist.",
                                out, err);
    if (status == 0)
        status = sh_logs_may_write(d->cloud, &caller, name, d->rule_arn, d->arena, &sentence, err);
    if (status == SH_E_DENIED)
        return refused_for_good(d, "AccessDeniedException", sentence, out, err);
    return status < 0 ? status : write_line(d, name, err);
}

/* ---- Run Command ---- */

static int start_command(const sh_event_delivery *d, sh_event_outcome *out, sh_err *err)
{
    json_t *parameters = NULL;
    const json_t *targets =
        json_object_get(json_object_get(d->target, "RunCommandParameters"), "RunCommandTargets");
    const char *slash = strchr(text_of(d->target, "Arn"), '/');
    if (sh_flow_load(&parameters, d->input, strlen(d->input), NULL) < 0 || !json_is_object(parameters)) {
        json_decref(parameters);
        return refused_for_good(d, "InvalidParameters",
                                "The input of the target is not a JSON object of the document's parameters",
                                out, err);
    }
    json_t *in = json_pack("{s:s, s:O, s:o}", "DocumentName", slash ? slash + 1 : "", "Targets", targets,
                           "Parameters", parameters);
    return act(d, &sh_service_ssm, "SendCommand", in, NULL, out, err);
}

static const char *check_command(sh_call *call, const json_t *target)
{
    size_t index;
    const json_t *item;
    const json_t *targets =
        json_object_get(json_object_get(target, "RunCommandParameters"), "RunCommandTargets");
    if (json_array_size(targets) == 0 || json_array_size(targets) > 5)
        return "RunCommandParameters.RunCommandTargets is a list of 1 to 5 of Key and Values";
    json_array_foreach(targets, index, item)
    {
        if (!text_of(item, "Key") || json_array_size(json_object_get(item, "Values")) == 0)
            return "each of RunCommandTargets has Key (InstanceIds or tag:NAME) and Values";
    }
    return NULL;
}

/* ---- other buses ---- */

static int start_bus(const sh_event_delivery *d, sh_event_outcome *out, sh_err *err)
{
    sh_caller caller = {.service = SH_EVENTS_SERVICE};
    const char *sentence, *bus = sh_events_bus_name(d->cloud, d->arena, text_of(d->target, "Arn"));
    int status = text_of(d->target, "RoleArn") ? sh_events_take_role(d, &caller, out, err) : 0;
    if (status < 0 || out->reason)
        return status;
    if (d->forwarded)
        return refused_for_good(d, "InvalidEventBus",
                                "An event that came from another event bus is not routed to a third one.",
                                out, err);
    if (!bus || !sh_events_bus_exists(d->cloud, bus, d->arena))
        return refused_for_good(d, "ResourceNotFoundException", "The event bus does not exist.", out, err);
    status = sh_events_may_put(d->cloud, &caller, bus, d->rule_arn, d->arena, &sentence, err);
    if (status == SH_E_DENIED)
        return refused_for_good(d, "AccessDeniedException", sentence, out, err);
    const sh_outbox_entry entry = {.event = d->event_text, .bus = bus, .trace = d->trace, .forwarded = true};
    return status < 0 ? status : sh_outbox_put(d->cloud->db, &entry, err);
}

static const char *check_bus(sh_call *call, const json_t *target)
{
    const char *bus = sh_events_bus_name(call->cloud, call->arena, text_of(target, "Arn"));
    if (json_object_get(target, "Input") || json_object_get(target, "InputPath") ||
        json_object_get(target, "InputTransformer"))
        return "an event bus gets the event as it is: no Input, InputPath or InputTransformer";
    return bus && sh_events_bus_exists(call->cloud, bus, call->arena) ? NULL : "there is no such event bus";
}

/* ---- API destinations ---- */

static const char *check_destination(sh_call *call, const json_t *target)
{
    sh_event_outcome out = {0};
    sh_web_call web;
    sh_err err = {0};
    json_t *event = json_object();
    const sh_event_delivery d = {.cloud = call->cloud,
                                 .arena = call->arena,
                                 .target = target,
                                 .event = event,
                                 .rule = "",
                                 .rule_arn = "/",
                                 .target_id = "",
                                 .input = "{}",
                                 .now_ms = call->now_ms};
    int status = sh_events_web_call(&d, &web, &out, &err);
    json_decref(event);
    if (status < 0)
        return sh_arena_strdup(call->arena, err.message);
    return out.reason;
}

/* ---- the table ---- */

typedef struct kind {
    const char *service, *rest; /* of the ARN: arn:aws:SERVICE:REGION:ACCOUNT:REST */
    const char *name;
    bool role;                                                 /* needs one */
    bool outside;                                              /* called over the network */
    const char *(*check)(sh_call *call, const json_t *target); /* words, NULL: good */
    int (*start)(const sh_event_delivery *d, sh_event_outcome *out, sh_err *err);
} kind;

static const kind kinds[] = {
    {"states", "stateMachine:", "state machine", true, false, NULL, start_machine},
    {"lambda", "function:", "function", false, false, NULL, start_function},
    {"logs", "log-group:", "log group", false, false, NULL, start_log},
    {"ssm", "document/", "Run Command", true, false, check_command, start_command},
    {"events", "event-bus/", "event bus", false, false, check_bus, start_bus},
    {"events", "api-destination/", "API destination", true, true, check_destination, NULL},
};

/* account: NULL is any. */
static const kind *find_kind(const char *arn, const sh_cloud_settings *s)
{
    char start[256];
    for (size_t i = 0; arn && i < sizeof(kinds) / sizeof(*kinds); i++) {
        bool shared = strcmp(kinds[i].service, "ssm") == 0; /* AWS's own documents have no account */
        for (int pass = 0; pass <= shared; pass++) {
            int length = snprintf(start, sizeof(start), "arn:aws:%s:%s:%s:%s", kinds[i].service, s->region,
                                  pass ? "" : s->account, kinds[i].rest);
            if (strncmp(arn, start, (size_t)length) == 0 && arn[length])
                return &kinds[i];
        }
    }
    return NULL;
}

int sh_events_lane(const json_t *target)
{
    const char *arn = text_of(target, "Arn");
    return arn && strstr(arn, ":api-destination/") ? SH_LANE_OUTSIDE : SH_LANE_INSIDE;
}

int sh_events_start(const sh_event_delivery *d, sh_event_outcome *out, sh_err *err)
{
    const kind *k = find_kind(text_of(d->target, "Arn"), &d->cloud->settings);
    if (!k || !k->start)
        return refused_for_good(d, "InvalidArn", "The target is of no kind that this server has", out, err);
    return k->start(d, out, err);
}

/* ---- checks of PutTargets ---- */

static int bad_target(sh_call *call, const char *id, const char *why)
{
    return sh_call_fail(call, 400, "ValidationException",
                        "Parameter(s) of target %s are not valid. Reason: %s", id, why);
}

/* A role that nobody can take on would let every event go to waste. */
static int check_trust(sh_call *call, const char *rule, const char *role)
{
    sh_caller session;
    sh_err err = {0};
    const sh_iam_taking taking = {.role_arn = role,
                                  .service = SH_EVENTS_SERVICE,
                                  .session_name = "PutTargets",
                                  .source_arn = sh_events_rule_arn(call->cloud, call->arena, rule)};
    int status = sh_caller_by_role(call->cloud, &taking, call->arena, &session, &err);
    if (status == SH_E_NOT_FOUND || status == SH_E_DENIED || status == SH_E_ARGUMENT)
        return sh_call_fail(call, 400, "ValidationException",
                            "Provided role '%s' cannot be assumed by principal 'events.amazonaws.com'.",
                            role);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

static const char *check_members(const json_t *target)
{
    static const char *const known[] = {"Id",
                                        "Arn",
                                        "RoleArn",
                                        "Input",
                                        "InputPath",
                                        "InputTransformer",
                                        "RetryPolicy",
                                        "HttpParameters",
                                        "RunCommandParameters",
                                        "DeadLetterConfig"};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)target, name, value)
    {
        bool found = json_is_null(value);
        for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
            found |= strcmp(name, known[i]) == 0;
        if (!found)
            return "it has parameters of a kind of target that this server does not have: state machines, "
                   "functions, log groups, Run Command, event buses and API destinations exist";
    }
    return NULL;
}

static const char *check_retry(const json_t *policy)
{
    const json_t *age = json_object_get(policy, "MaximumEventAgeInSeconds");
    const json_t *tries = json_object_get(policy, "MaximumRetryAttempts");
    if (age && (!json_is_integer(age) || json_integer_value(age) < 60 || json_integer_value(age) > 86400))
        return "RetryPolicy.MaximumEventAgeInSeconds is a number from 60 to 86400";
    if (tries &&
        (!json_is_integer(tries) || json_integer_value(tries) < 0 || json_integer_value(tries) > 185))
        return "RetryPolicy.MaximumRetryAttempts is a number from 0 to 185";
    return NULL;
}

static const char *check_dead_letters(sh_call *call, const json_t *config)
{
    static const char start[] = "arn:aws:s3:::";
    const char *arn = text_of(config, "Arn");
    sh_bucket bucket;
    sh_objects objects = sh_cloud_objects(call->cloud);
    if (!config || !arn)
        return NULL;
    if (strncmp(arn, start, sizeof(start) - 1) != 0)
        return "DeadLetterConfig.Arn: this server has no queues; give a prefix of a bucket, "
               "arn:aws:s3:::BUCKET/PREFIX";
    const char *name =
        sh_arena_strndup(call->arena, arn + sizeof(start) - 1, strcspn(arn + sizeof(start) - 1, "/"));
    return name && sh_bucket_get(&objects, name, &bucket, NULL) == 0
               ? NULL
               : "DeadLetterConfig.Arn: there is no such bucket";
}

static const char *check_kind(sh_call *call, const json_t *target, const kind *k)
{
    const char *role = text_of(target, "RoleArn");
    const char *why = check_members(target);
    if (!k)
        return "Arn is of no kind of target that this server has: state machines, functions, log groups, "
               "documents of Run Command, event buses and API destinations of this account and region";
    if (!why && k->role && (!role || strncmp(role, "arn:aws:iam::", 13) != 0))
        why = sh_arena_printf(call->arena, "RoleArn is required for target type %s", k->name);
    if (!why)
        why = check_retry(json_object_get(target, "RetryPolicy"));
    if (!why)
        why = check_dead_letters(call, json_object_get(target, "DeadLetterConfig"));
    return why || !k->check ? why : k->check(call, target);
}

int sh_events_check_target(sh_call *call, const char *rule, const json_t *target)
{
    sh_err err = {0};
    const char *id = text_of(target, "Id"), *role = text_of(target, "RoleArn");
    int status = 0;
    if (!id || !*id || strlen(id) > 64)
        return bad_target(call, id ? id : "", "Id is a text of 1 to 64 characters");
    const char *why = check_kind(call, target, find_kind(text_of(target, "Arn"), &call->cloud->settings));
    if (!why && role && (status = check_trust(call, rule, role)) < 0)
        return status;
    if (!why && sh_target_check(target, &err) < 0)
        why = err.message;
    return why ? bad_target(call, id, why) : 0;
}
