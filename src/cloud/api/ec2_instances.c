/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node that is heard of is running, another one is stopped: that is all that is known from here. */
#include "base/clock.h"
#include "cloud/api/args.h"
#include "cloud/api/ec2.h"

#include <stdio.h>
#include <string.h>

static const char *const filters[] = {"instance-id",         "instance-state-name",
                                      "instance-state-code", "private-ip-address",
                                      "private-dns-name",    "architecture",
                                      "availability-zone",   "owner-id",
                                      "reservation-id",      NULL};
static const char *const status_filters[] = {"instance-state-name",  "instance-state-code",
                                             "availability-zone",    "instance-status.status",
                                             "system-status.status", NULL};

typedef struct listing {
    sh_call *call;
    const sh_node_row *row;
    json_t *list;
    json_t *(*make)(sh_call *call, const sh_node_row *row);
    const json_t *ids;
    bool all; /* those that do not run, too */
    int64_t skip, limit, seen;
} listing;

static bool runs(const sh_call *call, const sh_node_row *row)
{
    return sh_node_online(row, call->now_ms);
}

static const char *zone_of(sh_call *call)
{
    const char *zone = sh_arena_printf(call->arena, "%sa", call->cloud->settings.region);
    return zone ? zone : "";
}

static const char *reservation_of(sh_call *call, const char *id)
{
    const char *name = sh_arena_printf(call->arena, "r-%s", id + 2);
    return name ? name : "";
}

static const char *address_of(const sh_node_row *row)
{
    return *row->address ? row->address : "127.0.0.1";
}

/* As EC2 calls them; agents tell what uname does. */
static const char *architecture_of(const sh_node_row *row)
{
    return strcmp(row->arch, "aarch64") == 0 ? "arm64" : row->arch;
}

static const char *value_of(void *opaque, const char *name)
{
    const listing *l = opaque;
    const sh_node_row *row = l->row;
    bool up = runs(l->call, row);
    if (strcmp(name, "instance-id") == 0)
        return row->id;
    if (strcmp(name, "instance-state-name") == 0)
        return up ? "running" : "stopped";
    if (strcmp(name, "instance-state-code") == 0)
        return up ? "16" : "80";
    if (strcmp(name, "private-ip-address") == 0)
        return address_of(row);
    if (strcmp(name, "private-dns-name") == 0)
        return row->host;
    if (strcmp(name, "architecture") == 0)
        return architecture_of(row);
    if (strcmp(name, "availability-zone") == 0)
        return zone_of(l->call);
    if (strcmp(name, "owner-id") == 0)
        return l->call->cloud->settings.account;
    if (strcmp(name, "reservation-id") == 0)
        return reservation_of(l->call, row->id);
    return up ? "ok" : "insufficient-data"; /* of instance-status.status and system-status.status */
}

/* ---- an instance ---- */

static json_t *state_of(const sh_call *call, const sh_node_row *row)
{
    bool up = runs(call, row);
    return json_pack("{s:i, s:s}", "Code", up ? 16 : 80, "Name", up ? "running" : "stopped");
}

static json_t *instance_of(sh_call *call, const sh_node_row *row)
{
    char launched[SH_TIME_TEXT];
    int status = 0;
    json_t *json = json_object();
    sh_time_iso_ms(row->registered_ms, launched);
    sh_put_text(&status, json, "InstanceId", row->id);
    sh_put(&status, json, "State", state_of(call, row));
    sh_put_text(&status, json, "PrivateDnsName", row->host);
    sh_put_text(&status, json, "PublicDnsName", "");
    sh_put_text(&status, json, "StateTransitionReason", "");
    sh_put_text(&status, json, "LaunchTime", launched);
    sh_put(&status, json, "Placement",
           json_pack("{s:s, s:s, s:s}", "AvailabilityZone", zone_of(call), "GroupName", "", "Tenancy",
                     "default"));
    sh_put_text(&status, json, "PrivateIpAddress", address_of(row));
    if (*row->arch)
        sh_put_text(&status, json, "Architecture", architecture_of(row));
    sh_put_text(&status, json, "PlatformDetails", "Linux/UNIX");
    sh_put(&status, json, "Tags", sh_ec2_tags_of(call, row->id));
    if (status == 0)
        return json;
    json_decref(json);
    return NULL;
}

static json_t *reservation(sh_call *call, const sh_node_row *row)
{
    json_t *instance = instance_of(call, row);
    return instance ? json_pack("{s:s, s:s, s:[], s:[o]}", "ReservationId", reservation_of(call, row->id),
                                "OwnerId", call->cloud->settings.account, "Groups", "Instances", instance)
                    : NULL;
}

static json_t *summary(bool up)
{
    return up ? json_pack("{s:s, s:[{s:s, s:s}]}", "Status", "ok", "Details", "Name", "reachability",
                          "Status", "passed")
              : json_pack("{s:s}", "Status", "not-applicable");
}

static json_t *status_of(sh_call *call, const sh_node_row *row)
{
    bool up = runs(call, row);
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "AvailabilityZone", zone_of(call), "InstanceId", row->id,
                     "InstanceState", state_of(call, row), "InstanceStatus", summary(up), "SystemStatus",
                     summary(up));
}

/* ---- lists ---- */

static int add(void *opaque, const sh_node_row *row)
{
    listing *l = opaque;
    l->row = row;
    if (strncmp(row->id, "i-", 2) != 0 || (l->ids && !sh_arg_lists(l->ids, row->id)) ||
        (!l->all && !runs(l->call, row)) || !sh_ec2_wanted(l->call, row->id, value_of, l) ||
        ++l->seen <= l->skip)
        return 0;
    if (l->limit && l->seen > l->skip + l->limit)
        return 1;
    return json_array_append_new(l->list, l->make(l->call, row)) < 0 ? SH_E_MEMORY : 0;
}

static int need_ids(sh_call *call, const json_t **ids)
{
    size_t index;
    const json_t *item;
    int status = sh_arg_array(call, "InstanceIds", 1000, ids);
    json_array_foreach(*ids, index, item)
    {
        const char *id = json_string_value(item);
        if (status == 0 && (!id || !sh_ec2_is_instance(id)))
            status = sh_ec2_malformed(call, id ? id : "");
    }
    json_array_foreach(*ids, index, item)
    {
        if (status == 0)
            status = sh_ec2_need(call, json_string_value(item));
    }
    return status;
}

static int describe(listing *l, const char *member, const char *const *names)
{
    sh_call *call = l->call;
    sh_err err = {0};
    int status;
    if ((status = need_ids(call, &l->ids)) < 0 || (status = sh_ec2_check_filters(call, names, true)) < 0 ||
        (status = sh_ec2_page(call, 5, &l->skip, &l->limit)) < 0)
        return status;
    if (l->ids && l->limit)
        return sh_call_fail(call, 400, "InvalidParameterCombination",
                            "The parameter instancesSet cannot be used with the parameter maxResults");
    if ((status = sh_out_new(call)) < 0)
        return status;
    sh_put(&status, call->out, member, l->list = json_array());
    if (status == 0)
        status = sh_node_each(call->cloud->db, add, l, &err);
    if (status < 0 && status != SH_E_MEMORY)
        return sh_call_fail_internal(call, &err);
    if (l->limit && l->seen > l->skip + l->limit)
        sh_put(&status, call->out, "NextToken", json_sprintf("%lld", (long long)(l->skip + l->limit)));
    return sh_out_done(call, status < 0 ? status : 0);
}

int sh_ec2_describe_instances(sh_call *call)
{
    listing l = {.call = call, .make = reservation, .all = true};
    return describe(&l, "Reservations", filters);
}

int sh_ec2_describe_status(sh_call *call)
{
    listing l = {.call = call, .make = status_of};
    int status = sh_arg_bool(call, "IncludeAllInstances", false, &l.all);
    return status < 0 ? status : describe(&l, "InstanceStatuses", status_filters);
}
