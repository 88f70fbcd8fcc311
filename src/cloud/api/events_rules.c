/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules: with a pattern, a schedule (on the bus default), or both. */
#include "cloud/api/args.h"
#include "cloud/api/events.h"
#include "cloud/store/eventparts.h"

#include <stdlib.h>
#include <string.h>

#define RULES_MAX 300

int sh_events_rule_failed(sh_call *call, int status, const char *bus, const char *name, const sh_err *err)
{
    return status == SH_E_NOT_FOUND ? sh_events_no_rule(call, bus, name) : sh_call_fail_internal(call, err);
}

static int count_rule(void *opaque, const sh_rule *rule)
{
    ++*(int *)opaque;
    return 0;
}

int sh_events_need_rule(sh_call *call, const char *bus, const char *name, const char *rule)
{
    sh_err err = {0};
    int ignored = 0;
    int status = sh_rule_get(call->cloud->db, rule, count_rule, &ignored, &err);
    return status < 0 ? sh_events_rule_failed(call, status, bus, name, &err) : 0;
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

typedef struct putting {
    const char *bus, *name, *schedule;
    sh_rule rule;
} putting;

static int check_schedule(sh_call *call, const putting *p)
{
    int64_t ignored;
    sh_err err = {0};
    if (!sh_events_is_default(p->bus))
        return sh_call_fail(call, 400, "ValidationException",
                            "ScheduleExpression is supported only on the default event bus.");
    if (sh_schedule_after(p->schedule, call->now_ms, call->now_ms, &ignored, &err) < 0)
        return sh_call_fail(call, 400, "ValidationException",
                            "Parameter ScheduleExpression is not valid. Reason: %s", err.message);
    return 0;
}

static int read_rule(sh_call *call, putting *p)
{
    int status;
    sh_rule *rule = &p->rule;
    *p = (putting){.rule = {.tags = "{}"}};
    if ((status = sh_events_rule(call, "Name", &p->bus, &p->name, &rule->name)) < 0 ||
        (status = sh_arg_text(call, "ScheduleExpression", 256, &p->schedule)) < 0 ||
        (status = sh_arg_text(call, "EventPattern", 4096, &rule->pattern)) < 0 ||
        (status = sh_arg_text(call, "Description", 512, &rule->description)) < 0 ||
        (status = sh_arg_text(call, "RoleArn", 1600, &rule->role_arn)) < 0 ||
        (status = read_state(call, &rule->enabled)) < 0)
        return status;
    if (p->schedule && !*p->schedule)
        p->schedule = NULL;
    if (!p->schedule && !rule->pattern)
        return sh_call_fail(call, 400, "ValidationException",
                            "Parameter(s) EventPattern or ScheduleExpression must be specified.");
    if (p->schedule && (status = check_schedule(call, p)) < 0)
        return status;
    if (rule->pattern)
        return check_pattern(call, rule->pattern);
    rule->pattern = "";
    return 0;
}

static int take_known(void *opaque, const sh_rule *rule)
{
    *(bool *)opaque = true;
    return 1;
}

/* As on AWS, a rule that is there keeps its tags. */
static int check_room(sh_call *call, const putting *p)
{
    sh_err err = {0};
    bool known = false;
    int count = 0;
    int status = sh_rule_get(call->cloud->db, p->rule.name, take_known, &known, &err);
    if (status < 0 && status != SH_E_NOT_FOUND)
        return sh_call_fail_internal(call, &err);
    bool plain = sh_events_is_default(p->bus);
    const char *prefix = plain ? "" : sh_arena_printf(call->arena, "%s/", p->bus);
    if (!prefix || sh_rule_list(call->cloud->db, prefix, plain, "", RULES_MAX, count_rule, &count, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if (!known && count >= RULES_MAX)
        return sh_call_fail(call, 400, "LimitExceededException",
                            "The requested resource exceeds the maximum number allowed: %d rules on an event "
                            "bus",
                            RULES_MAX);
    return 0;
}

static int store_rule(sh_call *call, const putting *p, sh_err *err)
{
    sh_cloud *cloud = call->cloud;
    int status = sh_db_begin(cloud->db, err);
    if (status < 0)
        return status;
    status = sh_rule_put(cloud->db, &p->rule, err);
    if (status == 0)
        status = sh_events_schedule(cloud, p->rule.name, p->schedule, p->rule.enabled, call->now_ms, err);
    return sh_db_end(cloud->db, status, err);
}

int sh_events_put_rule(sh_call *call)
{
    putting p;
    sh_err err = {0};
    int failed = 0;
    int status = read_rule(call, &p);
    if (status < 0 || (status = sh_events_read_tags(call, &p.rule.tags)) < 0 ||
        (status = check_room(call, &p)) < 0)
        return status;
    if (store_rule(call, &p, &err) < 0)
        return sh_call_fail_internal(call, &err);
    sh_cloud_wake(call->cloud, SH_WAKE_EVENTS);
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put_text(&failed, call->out, "RuleArn", sh_events_rule_arn(call->cloud, call->arena, p.rule.name));
    return sh_out_done(call, failed);
}

/* ---- reading them ---- */

typedef struct rule_taker {
    sh_event_page page;
    const char *bus;
} rule_taker;

static int take_expression(void *opaque, const char *rule, const char *expression, int64_t from_ms,
                           int64_t next_ms)
{
    return json_object_set_new(opaque, "ScheduleExpression", json_string(expression)) < 0 ? SH_E_MEMORY : 1;
}

static json_t *rule_json(rule_taker *t, const sh_rule *rule)
{
    sh_call *call = t->page.call;
    int *failed = &t->page.failed;
    const char *slash = strrchr(rule->name, '/');
    json_t *out = json_object();
    sh_put_text(failed, out, "Name", slash ? slash + 1 : rule->name);
    sh_put_text(failed, out, "Arn", sh_events_rule_arn(call->cloud, call->arena, rule->name));
    sh_put_text(failed, out, "EventPattern", *rule->pattern ? rule->pattern : NULL);
    sh_put_text(failed, out, "State", rule->enabled ? "ENABLED" : "DISABLED");
    sh_put_text(failed, out, "Description", rule->description);
    sh_put_text(failed, out, "RoleArn", rule->role_arn);
    sh_put_text(failed, out, "EventBusName", t->bus);
    return out;
}

static int put_schedule(sh_call *call, const char *rule, json_t *item, sh_err *err)
{
    return sh_schedule_get(call->cloud->db, rule, take_expression, item, err);
}

static int take_one(void *opaque, const sh_rule *rule)
{
    rule_taker *t = opaque;
    t->page.into = rule_json(t, rule);
    return 0;
}

int sh_events_describe_rule(sh_call *call)
{
    const char *name, *rule;
    sh_err err = {0};
    rule_taker t = {.page = {.call = call}};
    int status = sh_events_rule(call, "Name", &t.bus, &name, &rule);
    if (status < 0)
        return status;
    status = sh_rule_get(call->cloud->db, rule, take_one, &t, &err);
    if (status == 0)
        status = put_schedule(call, rule, t.page.into, &err);
    call->out = t.page.into;
    if (status < 0)
        return sh_events_rule_failed(call, status, t.bus, name, &err);
    sh_put_text(&t.page.failed, call->out, "CreatedBy", call->cloud->settings.account);
    return sh_out_done(call, t.page.failed);
}

static int take_listed(void *opaque, const sh_rule *rule)
{
    rule_taker *t = opaque;
    return sh_events_page_add(&t->page, rule->name, rule_json(t, rule));
}

int sh_events_list_rules(sh_call *call)
{
    const char *prefix, *after, *name;
    rule_taker t = {0};
    sh_err err = {0};
    size_t index;
    json_t *item;
    int status = sh_events_bus(call, &t.bus);
    if (status < 0 || (status = sh_arg_text(call, "NamePrefix", 64, &prefix)) < 0 ||
        (status = sh_events_page(call, &t.page, &after)) < 0)
        return status;
    prefix = sh_events_rule_key(call->arena, t.bus, prefix ? prefix : "");
    status = prefix ? sh_rule_list(call->cloud->db, prefix, sh_events_is_default(t.bus), after,
                                   t.page.room + 1, take_listed, &t, &err)
                    : sh_fail(&err, SH_E_MEMORY, "no memory for a list");
    json_array_foreach(t.page.into, index, item) /* one statement at a time */
    {
        name = json_string_value(json_object_get(item, "Name"));
        name = status == 0 && sh_events_is_default(t.bus) ? name : NULL;
        if (name)
            status = put_schedule(call, name, item, &err);
    }
    return sh_events_page_end(&t.page, "Rules", status, &err);
}

/* ---- changing them ---- */

static int delete_rule(sh_call *call, const char *rule, sh_err *err)
{
    int status = sh_db_begin(call->cloud->db, err);
    if (status < 0)
        return status;
    status = sh_rule_delete(call->cloud->db, rule, err);
    if (status == 0)
        status = sh_schedule_put(call->cloud->db, rule, NULL, 0, 0, err);
    return sh_db_end(call->cloud->db, status, err);
}

int sh_events_delete_rule(sh_call *call)
{
    const char *bus, *name, *rule;
    int64_t targets = 0;
    sh_err err = {0};
    int status = sh_events_rule(call, "Name", &bus, &name, &rule);
    if (status < 0)
        return status;
    if (sh_target_count(call->cloud->db, rule, &targets, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if (targets > 0)
        return sh_call_fail(call, 400, "ValidationException", "Rule can't be deleted since it has targets.");
    return delete_rule(call, rule, &err) < 0 ? sh_call_fail_internal(call, &err) : sh_out_new(call);
}

static int keep_expression(void *opaque, const char *rule, const char *expression, int64_t from_ms,
                           int64_t next_ms)
{
    const char **kept = opaque;
    *kept = strdup(expression);
    return *kept ? 1 : SH_E_MEMORY;
}

static int enable_in_transaction(sh_call *call, const char *rule, bool enabled, sh_err *err)
{
    const char *expression = NULL;
    int status = sh_rule_enable(call->cloud->db, rule, enabled, err);
    if (status == 0)
        status = sh_schedule_get(call->cloud->db, rule, keep_expression, &expression, err);
    if (status == 0 && expression)
        status = sh_events_schedule(call->cloud, rule, expression, enabled, call->now_ms, err);
    free((char *)expression);
    return status;
}

static int enable(sh_call *call, bool enabled)
{
    const char *bus, *name, *rule;
    sh_err err = {0};
    int status = sh_events_rule(call, "Name", &bus, &name, &rule);
    if (status < 0)
        return status;
    if (sh_db_begin(call->cloud->db, &err) < 0)
        return sh_call_fail_internal(call, &err);
    status = sh_db_end(call->cloud->db, enable_in_transaction(call, rule, enabled, &err), &err);
    if (status < 0)
        return sh_events_rule_failed(call, status, bus, name, &err);
    sh_cloud_wake(call->cloud, SH_WAKE_EVENTS);
    return sh_out_new(call);
}

int sh_events_enable_rule(sh_call *call)
{
    return enable(call, true);
}

int sh_events_disable_rule(sh_call *call)
{
    return enable(call, false);
}
