/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names: of buses, of the rules on them, and where a list goes on. */
#include "cloud/api/args.h"
#include "cloud/api/events.h"
#include "cloud/store/eventparts.h"

#include <string.h>

#define LIST_MAX 100

bool sh_events_is_default(const char *bus)
{
    return strcmp(bus, "default") == 0;
}

const char *sh_events_bus_arn(const sh_cloud *cloud, sh_arena *arena, const char *bus)
{
    const sh_cloud_settings *s = &cloud->settings;
    return sh_arena_printf(arena, "arn:aws:events:%s:%s:event-bus/%s", s->region, s->account, bus);
}

const char *sh_events_bus_name(const sh_cloud *cloud, sh_arena *arena, const char *name)
{
    if (strncmp(name, "arn:", 4) != 0)
        return name;
    const char *start = sh_events_bus_arn(cloud, arena, "");
    size_t length = start ? strlen(start) : 0;
    return start && strncmp(name, start, length) == 0 && name[length] ? name + length : NULL;
}

bool sh_events_bus_exists(sh_cloud *cloud, const char *bus, sh_arena *arena)
{
    const char *value;
    return sh_events_is_default(bus) ||
           sh_part_get(cloud->db, arena, SH_PART_BUS, bus, &value, NULL) != SH_E_NOT_FOUND;
}

int sh_events_bus(sh_call *call, const char **bus)
{
    const char *given, *name;
    int status = sh_arg_text(call, "EventBusName", 1600, &given);
    if (status < 0)
        return status;
    name = sh_events_bus_name(call->cloud, call->arena, given ? given : "default");
    if (!name || !sh_events_bus_exists(call->cloud, name, call->arena))
        return sh_call_fail(call, 400, "ResourceNotFoundException", "Event bus %s does not exist.", given);
    *bus = name;
    return 0;
}

int sh_events_invalid(sh_call *call, const char *member, const char *value, const char *constraint)
{
    return sh_call_fail(call, 400, "ValidationException",
                        "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s",
                        value, member, constraint);
}

int sh_events_need_name(sh_call *call, const char *member, size_t max, const char **name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    int status = sh_arg_need(call, member, max, name);
    if (status < 0)
        return status;
    if ((*name)[strspn(*name, allowed)])
        return sh_events_invalid(call, member, *name,
                                 "Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+");
    return 0;
}

const char *sh_events_rule_key(sh_arena *arena, const char *bus, const char *name)
{
    return sh_events_is_default(bus) ? name : sh_arena_printf(arena, "%s/%s", bus, name);
}

int sh_events_rule(sh_call *call, const char *member, const char **bus, const char **name, const char **rule)
{
    int status = sh_events_bus(call, bus);
    if (status < 0 || (status = sh_events_need_name(call, member, 64, name)) < 0)
        return status;
    *rule = sh_events_rule_key(call->arena, *bus, *name);
    return *rule ? 0 : sh_out_done(call, SH_E_MEMORY);
}

const char *sh_events_rule_arn(const sh_cloud *cloud, sh_arena *arena, const char *rule)
{
    const sh_cloud_settings *s = &cloud->settings;
    return sh_arena_printf(arena, "arn:aws:events:%s:%s:rule/%s", s->region, s->account, rule);
}

int sh_events_no_rule(sh_call *call, const char *bus, const char *name)
{
    return sh_call_fail(call, 400, "ResourceNotFoundException", "Rule %s does not exist on EventBus %s.",
                        name, bus);
}

/* ---- pages ---- */

int sh_events_page(sh_call *call, sh_event_page *page, const char **after)
{
    int status = sh_arg_int(call, "Limit", 1, LIST_MAX, LIST_MAX, &page->room);
    if (status < 0 || (status = sh_arg_text(call, "NextToken", 2048, after)) < 0)
        return status;
    if (!*after)
        *after = "";
    else if (**after != 'n')
        return sh_call_fail(call, 400, "ValidationException", "NextToken is not one of this server");
    else
        ++*after;
    page->call = call;
    page->into = json_array();
    return 0;
}

int sh_events_page_add(sh_event_page *page, const char *name, json_t *item)
{
    if (page->room-- == 0) {
        json_decref(item);
        page->more = true;
        return 1;
    }
    page->last = sh_arena_strdup(page->call->arena, name);
    if (!page->last || json_array_append_new(page->into, item) < 0)
        page->failed = SH_E_MEMORY;
    return 0;
}

int sh_events_page_end(sh_event_page *page, const char *member, int status, const sh_err *err)
{
    sh_call *call = page->call;
    status = status == 0 ? sh_out_new(call) : sh_call_fail_internal(call, err);
    if (status < 0) {
        json_decref(page->into);
        return status;
    }
    sh_put(&page->failed, call->out, member, page->into);
    if (page->more && page->last)
        sh_put(&page->failed, call->out, "NextToken", json_sprintf("n%s", page->last));
    return sh_out_done(call, page->failed);
}
