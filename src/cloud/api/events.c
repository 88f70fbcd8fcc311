/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/events.h"
#include "cloud/api/args.h"
#include "cloud/api/keys.h"
#include "cloud/flow/flow.h"
#include "cloud/store/outbox.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 10
#define ENTRY_BYTES SH_EVENT_BYTES
#define SECONDS_MAX 253402300799.0 /* end of the year 9999 */

/* ---- PutEvents ---- */

typedef struct entry_error {
    const char *code, *message;
} entry_error;

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* Detail is JSON in a string. Fills *error when the entry is refused. */
static json_t *read_detail(const json_t *entry, entry_error *error)
{
    json_t *detail = NULL;
    const char *text = text_of(entry, "Detail");
    if (!text) {
        *error = (entry_error){"InvalidArgument",
                               "Parameter Detail is not valid. Reason: Detail is a required argument."};
    } else if (sh_flow_load(&detail, text, strlen(text), NULL) < 0 || !json_is_object(detail)) {
        *error = (entry_error){"MalformedDetail", "Detail is malformed."};
        json_decref(detail);
        detail = NULL;
    }
    return detail;
}

/* NULL: there is no such bus. */
static const char *bus_of(const sh_call *call, const json_t *entry)
{
    const char *given = text_of(entry, "EventBusName");
    const char *bus = given ? sh_events_bus_name(call->cloud, call->arena, given) : "default";
    return bus && sh_events_bus_exists(call->cloud, bus, call->arena) ? bus : NULL;
}

static void check_entry(const sh_call *call, const json_t *entry, entry_error *error)
{
    const char *source = text_of(entry, "Source");
    const json_t *resources = json_object_get(entry, "Resources");
    if (!source || !*source)
        *error = (entry_error){"InvalidArgument",
                               "Parameter Source is not valid. Reason: Source is a required argument."};
    else if (strncmp(source, "aws.", 4) == 0)
        *error = (entry_error){"NotAuthorizedForSourceException", "Not authorized for the source."};
    else if (!text_of(entry, "DetailType"))
        *error =
            (entry_error){"InvalidArgument",
                          "Parameter DetailType is not valid. Reason: DetailType is a required argument."};
    else if (!bus_of(call, entry))
        *error = (entry_error){"InvalidArgument",
                               "Parameter EventBusName is not valid. Reason: it does not exist."};
    else if (resources && !json_is_array(resources))
        *error = (entry_error){"InvalidArgument", "Parameter Resources is not valid. Reason: not a list."};
}

static int64_t entry_time(const sh_call *call, const json_t *entry)
{
    int64_t ms;
    const json_t *time = json_object_get(entry, "Time");
    const char *text = json_string_value(time);
    if (json_is_number(time) && json_number_value(time) >= 0 && json_number_value(time) <= SECONDS_MAX)
        return (int64_t)(json_number_value(time) * 1000.0);
    return text && sh_time_parse_iso(text, strlen(text), &ms) ? ms : call->now_ms;
}

static json_t *make_event(const sh_call *call, const json_t *entry, const char *id, json_t *detail)
{
    char time[SH_TIME_TEXT];
    const sh_cloud_settings *s = &call->cloud->settings;
    json_t *resources = json_object_get(entry, "Resources");
    sh_time_iso_s(entry_time(call, entry), time);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:O}", "version", "0", "id", id, "detail-type",
                     text_of(entry, "DetailType"), "source", text_of(entry, "Source"), "account", s->account,
                     "time", time, "region", s->region, "resources",
                     resources ? json_incref(resources) : json_array(), "detail", detail);
}

/* The entry's own, or that of the request. */
static const char *trace_of(const json_t *entry)
{
    const char *given = text_of(entry, "TraceHeader");
    return given && strlen(given) <= 500 ? given : sh_trace();
}

static int store_event(sh_call *call, const json_t *entry, const char *id, json_t *detail, sh_err *err)
{
    json_t *event = make_event(call, entry, id, detail);
    char *text = event ? sh_flow_text(event) : NULL;
    const sh_outbox_entry row = {.event = text, .bus = bus_of(call, entry), .trace = trace_of(entry)};
    int status = text ? sh_outbox_put(call->cloud->db, &row, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for an event");
    free(text);
    json_decref(event);
    return status;
}

/* Adds one entry to the outbox, and its answer to `answers`. */
static int put_entry(sh_call *call, const json_t *entry, json_t *answers, int *refused, sh_err *err)
{
    char id[SH_UUID_TEXT];
    entry_error error = {0};
    json_t *detail = NULL, *answer;
    int status = 0;
    check_entry(call, entry, &error);
    if (!error.code)
        detail = read_detail(entry, &error);
    if (error.code) {
        ++*refused;
        answer = json_pack("{s:s, s:s}", "ErrorCode", error.code, "ErrorMessage", error.message);
    } else {
        sh_uuid(id);
        status = store_event(call, entry, id, detail, err);
        answer = json_pack("{s:s}", "EventId", id);
    }
    json_decref(detail);
    if (json_array_append_new(answers, answer) < 0 && status == 0)
        status = sh_fail(err, SH_E_MEMORY, "no memory for an answer");
    return status;
}

static int put_entries(sh_call *call, const json_t *entries, json_t *answers, int *refused, sh_err *err)
{
    size_t index;
    const json_t *entry;
    int status = sh_db_begin(call->cloud->db, err);
    if (status < 0)
        return status;
    json_array_foreach(entries, index, entry)
    {
        if (status == 0)
            status = put_entry(call, entry, answers, refused, err);
    }
    return sh_db_end(call->cloud->db, status, err);
}

/* As AWS counts. */
static size_t entry_bytes(const json_t *entry)
{
    size_t index, bytes = json_object_get(entry, "Time") ? 14 : 0;
    const json_t *resource;
    json_array_foreach(json_object_get(entry, "Resources"), index, resource)
    {
        bytes += json_string_length(resource);
    }
    return bytes + json_string_length(json_object_get(entry, "Detail")) +
           json_string_length(json_object_get(entry, "Source")) +
           json_string_length(json_object_get(entry, "DetailType"));
}

static int check_entries(sh_call *call, const json_t **entries)
{
    size_t index, bytes = 0;
    const json_t *entry;
    int status = sh_arg_array(call, "Entries", ENTRIES_MAX, entries);
    if (status < 0)
        return status;
    if (json_array_size(*entries) == 0)
        return sh_call_fail(
            call, 400, "ValidationException",
            "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member "
            "must have length greater than or equal to 1");
    json_array_foreach(*entries, index, entry)
    {
        bytes += entry_bytes(entry);
    }
    if (bytes > ENTRY_BYTES)
        return sh_call_fail(call, 400, "ValidationException",
                            "Total size of the entries in the request is over the limit.");
    return 0;
}

static int put_events(sh_call *call)
{
    const json_t *entries;
    int refused = 0, failed = 0;
    sh_err err = {0};
    int status = check_entries(call, &entries);
    if (status < 0 || (status = sh_out_new(call)) < 0)
        return status;
    json_t *answers = json_array();
    status = put_entries(call, entries, answers, &refused, &err);
    sh_put(&failed, call->out, "Entries", answers);
    sh_put(&failed, call->out, "FailedEntryCount", json_integer(refused));
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    sh_cloud_wake(call->cloud, SH_WAKE_EVENTS);
    return sh_out_done(call, failed);
}

/* ---- TestEventPattern ---- */

static int load_event(sh_call *call, const char *text, json_t **event)
{
    static const char *const needed[] = {"id",     "account",   "source",     "time",
                                         "region", "resources", "detail-type"};
    sh_err err = {0};
    if (sh_flow_load(event, text, strlen(text), &err) < 0)
        return sh_call_fail(call, 400, "InvalidEventPatternException", "Event is not valid JSON. Reason: %s",
                            err.message);
    for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
        if (!json_object_get(*event, needed[i]))
            return sh_call_fail(call, 400, "ValidationException",
                                "Parameter Event is not valid. Reason: it has no %s", needed[i]);
    }
    return 0;
}

static int test_pattern(sh_call *call)
{
    const char *pattern_text, *event_text;
    json_t *pattern = NULL, *event = NULL;
    sh_err err = {0};
    int failed = 0;
    int status = sh_arg_need(call, "EventPattern", 4096, &pattern_text);
    if (status < 0 || (status = sh_arg_need(call, "Event", ENTRY_BYTES, &event_text)) < 0)
        return status;
    if (sh_pattern_load(&pattern, pattern_text, &err) < 0)
        return sh_call_fail(call, 400, "InvalidEventPatternException",
                            "Event pattern is not valid. Reason: %s", err.message);
    status = load_event(call, event_text, &event);
    if (status == 0)
        status = sh_out_new(call);
    if (status == 0) {
        sh_put(&failed, call->out, "Result", json_boolean(sh_pattern_match(pattern, event)));
        status = sh_out_done(call, failed);
    }
    json_decref(event);
    json_decref(pattern);
    return status;
}

/* What this server does not have is refused by its name. */
static int not_here(sh_call *call)
{
    return sh_call_fail(call, 400, "OperationDisabledException",
                        "Archives, replays, global endpoints and partner event sources are not supported by "
                        "this server. Rules, event buses, schedules, connections and API destinations are.");
}

static const sh_action actions[] = {
    {"PutRule", sh_events_put_rule},
    {"DescribeRule", sh_events_describe_rule},
    {"ListRules", sh_events_list_rules},
    {"DeleteRule", sh_events_delete_rule},
    {"EnableRule", sh_events_enable_rule},
    {"DisableRule", sh_events_disable_rule},
    {"PutTargets", sh_events_put_targets},
    {"RemoveTargets", sh_events_remove_targets},
    {"ListTargetsByRule", sh_events_list_targets},
    {"ListRuleNamesByTarget", sh_events_list_rule_names},
    {"PutEvents", put_events},
    {"TestEventPattern", test_pattern},
    {"CreateEventBus", sh_events_create_bus},
    {"UpdateEventBus", sh_events_update_bus},
    {"DescribeEventBus", sh_events_describe_bus},
    {"DeleteEventBus", sh_events_delete_bus},
    {"ListEventBuses", sh_events_list_buses},
    {"PutPermission", sh_events_put_permission},
    {"RemovePermission", sh_events_remove_permission},
    {"TagResource", sh_events_tag},
    {"UntagResource", sh_events_untag},
    {"ListTagsForResource", sh_events_list_tags},
    {"CreateConnection", sh_events_create_connection},
    {"UpdateConnection", sh_events_update_connection},
    {"DescribeConnection", sh_events_describe_connection},
    {"DeleteConnection", sh_events_delete_connection},
    {"ListConnections", sh_events_list_connections},
    {"CreateApiDestination", sh_events_create_destination},
    {"UpdateApiDestination", sh_events_update_destination},
    {"DescribeApiDestination", sh_events_describe_destination},
    {"DeleteApiDestination", sh_events_delete_destination},
    {"ListApiDestinations", sh_events_list_destinations},
    {"CreateArchive", not_here},
    {"StartReplay", not_here},
    {"ListArchives", not_here},
    {"ListReplays", not_here},
    {"CreateEndpoint", not_here},
    {"CreatePartnerEventSource", not_here},
    {"PutPartnerEvents", not_here},
    {"DeauthorizeConnection", not_here},
    {NULL, NULL},
};

const sh_service sh_service_events = {"events", "AWSEvents", "1.1", actions};
