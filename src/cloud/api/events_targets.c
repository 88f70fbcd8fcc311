/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The targets of rules: actions. What kinds there are is in events_start.c. */
#include "cloud/api/args.h"
#include "cloud/api/events.h"
#include "cloud/flow/flow.h"

#include <stdlib.h>
#include <string.h>

#define TARGETS_MAX 5 /* of one rule */
#define LIST_MAX 100

static int check_targets(sh_call *call, const char *rule, const json_t **targets)
{
    size_t index;
    const json_t *target;
    int status = sh_arg_array(call, "Targets", LIST_MAX, targets);
    if (status < 0)
        return status;
    if (json_array_size(*targets) == 0)
        return sh_call_fail(
            call, 400, "ValidationException",
            "1 validation error detected: Value at 'targets' failed to satisfy constraint: Member "
            "must have length greater than or equal to 1");
    json_array_foreach(*targets, index, target)
    {
        if ((status = sh_events_check_target(call, rule, target)) < 0)
            return status;
    }
    return 0;
}

static int store_targets(sh_call *call, const char *rule, const json_t *targets, int64_t *count, sh_err *err)
{
    size_t index;
    const json_t *target;
    int status = 0;
    json_array_foreach(targets, index, target)
    {
        char *text = sh_flow_text(target);
        status = text ? sh_target_put(call->cloud->db, rule, json_string_value(json_object_get(target, "Id")),
                                      json_string_value(json_object_get(target, "Arn")), text, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for a target");
        free(text);
        if (status < 0)
            return status;
    }
    return sh_target_count(call->cloud->db, rule, count, err);
}

static int answer_entries(sh_call *call, json_t *entries)
{
    int failed = 0;
    int status = sh_out_new(call);
    if (status < 0) {
        json_decref(entries);
        return status;
    }
    sh_put(&failed, call->out, "FailedEntryCount", json_integer((json_int_t)json_array_size(entries)));
    sh_put(&failed, call->out, "FailedEntries", entries);
    return sh_out_done(call, failed);
}

int sh_events_put_targets(sh_call *call)
{
    const char *bus, *name, *rule;
    const json_t *targets;
    int64_t count = 0;
    sh_err err = {0};
    int status = sh_events_rule(call, "Rule", &bus, &name, &rule);
    if (status < 0 || (status = sh_events_need_rule(call, bus, name, rule)) < 0 ||
        (status = check_targets(call, rule, &targets)) < 0)
        return status;
    if (sh_db_begin(call->cloud->db, &err) < 0)
        return sh_call_fail_internal(call, &err);
    status = store_targets(call, rule, targets, &count, &err);
    if (status == 0 && count > TARGETS_MAX)
        status = sh_call_fail(
            call, 400, "LimitExceededException",
            "The requested resource exceeds the maximum number allowed: %d targets of a rule", TARGETS_MAX);
    status = sh_db_end(call->cloud->db, status, &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    return answer_entries(call, json_array());
}

static int remove_one(sh_call *call, const char *rule, const char *id, json_t *failures, sh_err *err)
{
    int status = sh_target_remove(call->cloud->db, rule, id, err);
    if (status != SH_E_NOT_FOUND)
        return status;
    json_t *failure = json_pack("{s:s, s:s, s:s}", "TargetId", id, "ErrorCode", "ResourceNotFoundException",
                                "ErrorMessage", "Rule does not have this target.");
    return json_array_append_new(failures, failure) < 0 ? sh_fail(err, SH_E_MEMORY, "no memory") : 0;
}

int sh_events_remove_targets(sh_call *call)
{
    const char *bus, *name, *rule;
    const json_t *ids, *id;
    size_t index;
    sh_err err = {0};
    int status = sh_events_rule(call, "Rule", &bus, &name, &rule);
    if (status < 0 || (status = sh_arg_array(call, "Ids", LIST_MAX, &ids)) < 0 ||
        (status = sh_events_need_rule(call, bus, name, rule)) < 0)
        return status;
    json_t *failures = json_array();
    json_array_foreach(ids, index, id)
    {
        if (status == 0 && json_is_string(id))
            status = remove_one(call, rule, json_string_value(id), failures, &err);
    }
    if (status < 0) {
        json_decref(failures);
        return sh_call_fail_internal(call, &err);
    }
    return answer_entries(call, failures);
}

static int take_target(void *opaque, const char *id, const char *target)
{
    return sh_events_page_add(opaque, id, json_loads(target, JSON_ALLOW_NUL, NULL));
}

int sh_events_list_targets(sh_call *call)
{
    const char *bus, *name, *rule, *after;
    sh_event_page page = {0};
    sh_err err = {0};
    int status = sh_events_rule(call, "Rule", &bus, &name, &rule);
    if (status < 0 || (status = sh_events_need_rule(call, bus, name, rule)) < 0 ||
        (status = sh_events_page(call, &page, &after)) < 0)
        return status;
    status = sh_target_list(call->cloud->db, rule, after, page.room + 1, take_target, &page, &err);
    return sh_events_page_end(&page, "Targets", status, &err);
}

typedef struct name_taker {
    sh_event_page page;
    const char *start; /* "BUS/", "" for default */
} name_taker;

static int take_name(void *opaque, const char *name)
{
    name_taker *t = opaque;
    size_t length = strlen(t->start);
    if (length ? strncmp(name, t->start, length) != 0 : strchr(name, '/') != NULL)
        return 0;
    return sh_events_page_add(&t->page, name, json_string(name + length));
}

int sh_events_list_rule_names(sh_call *call)
{
    const char *bus, *arn, *after;
    name_taker t = {0};
    sh_err err = {0};
    int status = sh_events_bus(call, &bus);
    if (status < 0 || (status = sh_arg_need(call, "TargetArn", 1600, &arn)) < 0 ||
        (status = sh_events_page(call, &t.page, &after)) < 0)
        return status;
    t.start = sh_events_is_default(bus) ? "" : sh_arena_printf(call->arena, "%s/", bus);
    status = t.start ? sh_target_rules(call->cloud->db, arn, after, INT64_MAX, take_name, &t, &err)
                     : sh_fail(&err, SH_E_MEMORY, "no memory for a list");
    return sh_events_page_end(&t.page, "RuleNames", status, &err);
}
