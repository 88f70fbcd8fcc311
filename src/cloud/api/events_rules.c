/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules and their targets. There is one bus, "default", and one kind of target, a state machine. */
#include "cloud/api/args.h"
#include "cloud/api/events.h"
#include "cloud/api/iam.h"
#include "cloud/flow/flow.h"
#include "cloud/store/outbox.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_CHARACTERS 64
#define RULES_MAX 300
#define TARGETS_MAX 5 /* of one rule */
#define LIST_MAX 100

bool sh_events_is_default_bus(const sh_cloud *cloud, const char *name)
{
    char arn[256];
    const sh_cloud_settings *s = &cloud->settings;
    snprintf(arn, sizeof(arn), "arn:aws:events:%s:%s:event-bus/default", s->region, s->account);
    return strcmp(name, "default") == 0 || strcmp(name, arn) == 0;
}

int sh_events_check_bus(sh_call *call)
{
    const char *name;
    int status = sh_arg_text(call, "EventBusName", 1600, &name);
    if (status < 0 || !name || sh_events_is_default_bus(call->cloud, name))
        return status;
    return sh_call_fail(call, 400, "ResourceNotFoundException", "Event bus %s does not exist.", name);
}

static const char *rule_arn(const sh_call *call, const char *name)
{
    const sh_cloud_settings *s = &call->cloud->settings;
    return sh_arena_printf(call->arena, "arn:aws:events:%s:%s:rule/%s", s->region, s->account, name);
}

static int need_name(sh_call *call, const char *member, const char **name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    int status = sh_events_check_bus(call);
    if (status < 0 || (status = sh_arg_need(call, member, NAME_MAX_CHARACTERS, name)) < 0)
        return status;
    if ((*name)[strspn(*name, allowed)])
        return sh_call_fail(
            call, 400, "ValidationException",
            "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member "
            "must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+",
            *name, member);
    return 0;
}

static int no_rule(sh_call *call, const char *name)
{
    return sh_call_fail(call, 400, "ResourceNotFoundException", "Rule %s does not exist on EventBus default.",
                        name);
}

/* The call's answer to a status of the store. */
static int rule_failed(sh_call *call, int status, const char *name, const sh_err *err)
{
    return status == SH_E_NOT_FOUND ? no_rule(call, name) : sh_call_fail_internal(call, err);
}

/* ---- rules ---- */

static int check_pattern(sh_call *call, const char *text)
{
    json_t *pattern = NULL;
    sh_err err = {0};
    int status = sh_pattern_load(&pattern, text, &err);
    json_decref(pattern);
    if (status < 0)
        return sh_call_fail(call, 400, "InvalidEventPatternException",
                            "Event pattern is not valid. Reason: %s", err.message);
    return 0;
}

static int read_state(sh_call *call, bool *enabled)
{
    const char *state;
    int status = sh_arg_text(call, "State", 64, &state);
    *enabled = !state || strcmp(state, "ENABLED") == 0;
    if (status < 0 || *enabled || strcmp(state, "DISABLED") == 0)
        return status;
    return sh_call_fail(
        call, 400, "ValidationException",
        "1 validation error detected: Value '%s' at 'state' failed to satisfy constraint: Member "
        "must satisfy enum value set: [ENABLED, DISABLED]",
        state);
}

static int read_rule(sh_call *call, sh_rule *rule)
{
    const char *schedule;
    int status;
    *rule = (sh_rule){.tags = "{}"};
    if ((status = need_name(call, "Name", &rule->name)) < 0 ||
        (status = sh_arg_text(call, "ScheduleExpression", 256, &schedule)) < 0 ||
        (status = sh_arg_text(call, "EventPattern", 4096, &rule->pattern)) < 0 ||
        (status = sh_arg_text(call, "Description", 512, &rule->description)) < 0 ||
        (status = sh_arg_text(call, "RoleArn", 1600, &rule->role_arn)) < 0 ||
        (status = read_state(call, &rule->enabled)) < 0)
        return status;
    if (schedule && *schedule)
        return sh_call_fail(
            call, 400, "ValidationException",
            "Parameter ScheduleExpression is not supported by this server yet: give an EventPattern");
    if (!rule->pattern)
        return sh_call_fail(call, 400, "ValidationException",
                            "Parameter(s) EventPattern or ScheduleExpression must be specified.");
    return check_pattern(call, rule->pattern);
}

static int count_rule(void *opaque, const sh_rule *rule)
{
    ++*(int *)opaque;
    return 0;
}

static int read_tags(sh_call *call, sh_rule *rule)
{
    const json_t *list;
    int status = sh_arg_array(call, "Tags", 200, &list);
    if (status < 0 || !list)
        return status;
    json_t *tags = json_object();
    status = sh_tags_read(call, list, "Key", "Value", tags);
    char *text = status == 0 ? sh_flow_text(tags) : NULL;
    if (text)
        rule->tags = sh_arena_strdup(call->arena, text);
    if (status == 0 && (!text || !rule->tags))
        status = sh_out_done(call, SH_E_MEMORY);
    free(text);
    json_decref(tags);
    return status;
}

int sh_events_put_rule(sh_call *call)
{
    sh_rule rule;
    sh_err err = {0};
    int count = 0, failed = 0;
    int status = read_rule(call, &rule);
    if (status < 0 || (status = read_tags(call, &rule)) < 0)
        return status;
    if (sh_rule_list(call->cloud->db, "", "", RULES_MAX, count_rule, &count, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if (count >= RULES_MAX && sh_rule_get(call->cloud->db, rule.name, count_rule, &count, &err) < 0)
        return sh_call_fail(call, 400, "LimitExceededException", "The bus has %d rules, its limit.",
                            RULES_MAX);
    if (sh_rule_put(call->cloud->db, &rule, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_text(&failed, call->out, "RuleArn", rule_arn(call, rule.name));
    return sh_out_done(call, failed);
}

typedef struct rule_taker {
    sh_call *call;
    json_t *into; /* object of one rule, or list */
    const char *last;
    int64_t room;
    int failed;
    bool more;
} rule_taker;

static void put_rule(rule_taker *t, json_t *out, const sh_rule *rule)
{
    sh_put_text(&t->failed, out, "Name", rule->name);
    sh_put_text(&t->failed, out, "Arn", rule_arn(t->call, rule->name));
    sh_put_text(&t->failed, out, "EventPattern", rule->pattern);
    sh_put_text(&t->failed, out, "State", rule->enabled ? "ENABLED" : "DISABLED");
    sh_put_text(&t->failed, out, "Description", rule->description);
    sh_put_text(&t->failed, out, "RoleArn", rule->role_arn);
    sh_put_text(&t->failed, out, "EventBusName", "default");
}

static int take_one(void *opaque, const sh_rule *rule)
{
    rule_taker *t = opaque;
    put_rule(t, t->into, rule);
    sh_put_text(&t->failed, t->into, "CreatedBy", t->call->cloud->settings.account);
    return 0;
}

int sh_events_describe_rule(sh_call *call)
{
    const char *name;
    sh_err err = {0};
    int status = need_name(call, "Name", &name);
    if (status < 0 || (status = sh_out_new(call)) < 0)
        return status;
    rule_taker t = {.call = call, .into = call->out};
    status = sh_rule_get(call->cloud->db, name, take_one, &t, &err);
    return status < 0 ? rule_failed(call, status, name, &err) : sh_out_done(call, t.failed);
}

/* Makes room for one more item of a page, remembering its name for the token; false when the page is full. */
static bool next_item(rule_taker *t, const char *name)
{
    if (t->room-- == 0) {
        t->more = true;
        return false;
    }
    t->last = sh_arena_strdup(t->call->arena, name);
    if (!t->last)
        t->failed = SH_E_MEMORY;
    return true;
}

static int take_listed(void *opaque, const sh_rule *rule)
{
    rule_taker *t = opaque;
    if (!next_item(t, rule->name))
        return 1;
    json_t *item = json_object();
    put_rule(t, item, rule);
    if (json_array_append_new(t->into, item) < 0)
        t->failed = SH_E_MEMORY;
    return 0;
}

/* Limit and NextToken of a list; the token is the name after which to go on. */
static int read_page(sh_call *call, rule_taker *t, const char **after)
{
    int status = sh_arg_int(call, "Limit", 1, LIST_MAX, LIST_MAX, &t->room);
    if (status < 0 || (status = sh_arg_text(call, "NextToken", 2048, after)) < 0)
        return status;
    if (!*after)
        *after = "";
    else if (**after != 'n')
        return sh_call_fail(call, 400, "ValidationException", "NextToken is not one of this server");
    else
        ++*after;
    t->call = call;
    t->into = json_array();
    return 0;
}

static int answer_page(sh_call *call, rule_taker *t, const char *name, int status, const sh_err *err)
{
    if (status == 0)
        status = sh_out_new(call);
    else
        status = sh_call_fail_internal(call, err);
    if (status < 0) {
        json_decref(t->into);
        return status;
    }
    sh_put(&t->failed, call->out, name, t->into);
    if (t->more && t->last)
        sh_put(&t->failed, call->out, "NextToken", json_sprintf("n%s", t->last));
    return sh_out_done(call, t->failed);
}

int sh_events_list_rules(sh_call *call)
{
    const char *prefix, *after;
    rule_taker t = {0};
    sh_err err = {0};
    int status = sh_events_check_bus(call);
    if (status < 0 || (status = sh_arg_text(call, "NamePrefix", NAME_MAX_CHARACTERS, &prefix)) < 0 ||
        (status = read_page(call, &t, &after)) < 0)
        return status;
    status = sh_rule_list(call->cloud->db, prefix ? prefix : "", after, t.room + 1, take_listed, &t, &err);
    return answer_page(call, &t, "Rules", status, &err);
}

int sh_events_delete_rule(sh_call *call)
{
    const char *name;
    int64_t targets = 0;
    sh_err err = {0};
    int status = need_name(call, "Name", &name);
    if (status < 0)
        return status;
    if (sh_target_count(call->cloud->db, name, &targets, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if (targets > 0)
        return sh_call_fail(call, 400, "ValidationException", "Rule can't be deleted since it has targets.");
    if (sh_rule_delete(call->cloud->db, name, &err) < 0)
        return sh_call_fail_internal(call, &err);
    return sh_out_new(call);
}

static int enable(sh_call *call, bool enabled)
{
    const char *name;
    sh_err err = {0};
    int status = need_name(call, "Name", &name);
    if (status < 0)
        return status;
    status = sh_rule_enable(call->cloud->db, name, enabled, &err);
    return status < 0 ? rule_failed(call, status, name, &err) : sh_out_new(call);
}

int sh_events_enable_rule(sh_call *call)
{
    return enable(call, true);
}

int sh_events_disable_rule(sh_call *call)
{
    return enable(call, false);
}

/* ---- targets ---- */

static int bad_target(sh_call *call, const char *id, const char *why)
{
    return sh_call_fail(call, 400, "ValidationException",
                        "Parameter(s) of target %s are not valid. Reason: %s", id, why);
}

/* A role that nobody can take on would let every event go to waste. */
static int check_trust(sh_call *call, const char *role)
{
    sh_caller session;
    sh_err err = {0};
    const sh_cloud_settings *s = &call->cloud->settings;
    const char *rule = json_string_value(json_object_get(call->in, "Rule"));
    const sh_iam_taking taking = {.role_arn = role,
                                  .service = "events.amazonaws.com",
                                  .session_name = "PutTargets",
                                  .source_arn = sh_arena_printf(call->arena, "arn:aws:events:%s:%s:rule/%s",
                                                                s->region, s->account, rule ? rule : "")};
    int status = sh_caller_by_role(call->cloud, &taking, call->arena, &session, &err);
    if (status == SH_E_NOT_FOUND || status == SH_E_DENIED || status == SH_E_ARGUMENT)
        return sh_call_fail(call, 400, "ValidationException",
                            "Provided role '%s' cannot be assumed by principal 'events.amazonaws.com'.",
                            role);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

static int check_target(sh_call *call, const json_t *target)
{
    char wanted[256];
    sh_err err = {0};
    const sh_cloud_settings *s = &call->cloud->settings;
    const char *id = json_string_value(json_object_get(target, "Id"));
    const char *arn = json_string_value(json_object_get(target, "Arn"));
    const char *role = json_string_value(json_object_get(target, "RoleArn"));
    if (!id || !*id || strlen(id) > NAME_MAX_CHARACTERS)
        return bad_target(call, id ? id : "", "Id is a text of 1 to 64 characters");
    int length =
        snprintf(wanted, sizeof(wanted), "arn:aws:states:%s:%s:stateMachine:", s->region, s->account);
    if (!arn || strncmp(arn, wanted, (size_t)length) != 0 || !arn[length])
        return bad_target(call, id,
                          "Arn is not that of a state machine of this server, the only kind of target yet");
    if (!role || strncmp(role, "arn:aws:iam::", 13) != 0)
        return bad_target(call, id, "RoleArn is required for target type state machine");
    int status = check_trust(call, role);
    if (status < 0)
        return status;
    return sh_target_check(target, &err) < 0 ? bad_target(call, id, err.message) : 0;
}

static int check_targets(sh_call *call, const char *rule, const json_t **targets)
{
    size_t index;
    const json_t *target;
    sh_err err = {0};
    int ignored = 0;
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
        if ((status = check_target(call, target)) < 0)
            return status;
    }
    status = sh_rule_get(call->cloud->db, rule, count_rule, &ignored, &err);
    return status < 0 ? rule_failed(call, status, rule, &err) : 0;
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
    const char *rule;
    const json_t *targets;
    int64_t count = 0;
    sh_err err = {0};
    int status = need_name(call, "Rule", &rule);
    if (status < 0 || (status = check_targets(call, rule, &targets)) < 0)
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
    const char *rule;
    const json_t *ids, *id;
    size_t index;
    sh_err err = {0};
    int ignored = 0;
    int status = need_name(call, "Rule", &rule);
    if (status < 0 || (status = sh_arg_array(call, "Ids", LIST_MAX, &ids)) < 0)
        return status;
    status = sh_rule_get(call->cloud->db, rule, count_rule, &ignored, &err);
    if (status < 0)
        return rule_failed(call, status, rule, &err);
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
    rule_taker *t = opaque;
    if (!next_item(t, id))
        return 1;
    if (json_array_append_new(t->into, json_loads(target, JSON_ALLOW_NUL, NULL)) < 0)
        t->failed = SH_E_MEMORY;
    return 0;
}

int sh_events_list_targets(sh_call *call)
{
    const char *rule, *after;
    rule_taker t = {0};
    sh_err err = {0};
    int ignored = 0;
    int status = need_name(call, "Rule", &rule);
    if (status < 0)
        return status;
    status = sh_rule_get(call->cloud->db, rule, count_rule, &ignored, &err);
    if (status < 0)
        return rule_failed(call, status, rule, &err);
    if ((status = read_page(call, &t, &after)) < 0)
        return status;
    status = sh_target_list(call->cloud->db, rule, after, t.room + 1, take_target, &t, &err);
    return answer_page(call, &t, "Targets", status, &err);
}

static int take_name(void *opaque, const char *name)
{
    rule_taker *t = opaque;
    if (!next_item(t, name))
        return 1;
    if (json_array_append_new(t->into, json_string(name)) < 0)
        t->failed = SH_E_MEMORY;
    return 0;
}

int sh_events_list_rule_names(sh_call *call)
{
    const char *arn, *after;
    rule_taker t = {0};
    sh_err err = {0};
    int status = sh_events_check_bus(call);
    if (status < 0 || (status = sh_arg_need(call, "TargetArn", 1600, &arn)) < 0 ||
        (status = read_page(call, &t, &after)) < 0)
        return status;
    status = sh_target_rules(call->cloud->db, arn, after, t.room + 1, take_name, &t, &err);
    return answer_page(call, &t, "RuleNames", status, &err);
}
