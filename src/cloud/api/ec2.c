/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tables of EC2, the places there are, and what its actions share. */
#include "cloud/api/ec2.h"
#include "base/size.h"
#include "cloud/api/args.h"
#include "cloud/api/query.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_MAX = 1000 };

/* ---- shared ---- */

int sh_ec2_page(sh_call *call, int64_t least, int64_t *skip, int64_t *limit)
{
    const char *token;
    *skip = 0;
    int status = sh_arg_text(call, "NextToken", 64, &token);
    if (status == 0 && token && *token && !sh_parse_i64(token, strlen(token), 1, INT64_MAX, skip))
        return sh_call_fail(call, 400, "InvalidNextToken", "The token '%.64s' is invalid", token);
    *limit = 0;
    if (status < 0 || !json_object_get(call->in, "MaxResults"))
        return status;
    return sh_arg_int(call, "MaxResults", least, PAGE_MAX, least, limit);
}

bool sh_ec2_is_instance(const char *id)
{
    size_t digits = strncmp(id, "i-", 2) == 0 ? strspn(id + 2, "0123456789abcdef") : 0;
    return (digits == 8 || digits == 17) && id[2 + digits] == '\0';
}

int sh_ec2_malformed(sh_call *call, const char *id)
{
    return sh_call_fail(call, 400, "InvalidInstanceID.Malformed", "Invalid id: \"%.100s\"", id);
}

int sh_ec2_need(sh_call *call, const char *id)
{
    sh_node_row row;
    sh_err err = {0};
    int status = sh_node_get(call->cloud->db, call->arena, id, &row, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "InvalidInstanceID.NotFound",
                            "The instance ID '%.100s' does not exist", id);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

/* ---- places: there is one ---- */

static const char *self(void *opaque, const char *name)
{
    const sh_call *call = opaque;
    bool region = strcmp(name, "region-name") == 0;
    if (region || strcmp(name, "zone-name") == 0)
        return region ? call->cloud->settings.region
                      : sh_arena_printf(call->arena, "%sa", call->cloud->settings.region);
    return strcmp(name, "state") == 0 ? "available" : "opt-in-not-required";
}

static int need_names(sh_call *call, const char *member, const char *what, const char *only)
{
    const json_t *list, *item;
    size_t index;
    int status = sh_arg_array(call, member, 100, &list);
    json_array_foreach(list, index, item)
    {
        const char *name = json_string_value(item);
        if (status == 0 && (!name || strcmp(name, only) != 0))
            status = sh_call_fail(call, 400, "InvalidParameterValue", "Invalid %s: [%.100s]", what,
                                  name ? name : "");
    }
    return status;
}

static int describe_regions(sh_call *call)
{
    static const char *const filters[] = {"region-name", "opt-in-status", NULL};
    const char *region = call->cloud->settings.region;
    int status;
    if ((status = need_names(call, "RegionNames", "region names", region)) < 0 ||
        (status = sh_ec2_check_filters(call, filters, false)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    json_t *list = json_array();
    if (sh_ec2_wanted(call, NULL, self, call))
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "RegionName", region, "OptInStatus", "opt-in-not-required"));
    sh_put(&status, call->out, "Regions", list);
    return sh_out_done(call, status);
}

static int describe_zones(sh_call *call)
{
    static const char *const filters[] = {"region-name", "zone-name", "state", "opt-in-status", NULL};
    const char *region = call->cloud->settings.region;
    char zone[64];
    int status;
    snprintf(zone, sizeof(zone), "%sa", region);
    if ((status = need_names(call, "ZoneNames", "availability zones", zone)) < 0 ||
        (status = sh_ec2_check_filters(call, filters, false)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    json_t *list = json_array();
    if (sh_ec2_wanted(call, NULL, self, call))
        json_array_append_new(list, json_pack("{s:s, s:s, s:[], s:s, s:s, s:s, s:s}", "State", "available",
                                              "OptInStatus", "opt-in-not-required", "Messages", "RegionName",
                                              region, "ZoneName", zone, "GroupName", region, "ZoneType",
                                              "availability-zone"));
    sh_put(&status, call->out, "AvailabilityZones", list);
    return sh_out_done(call, status);
}

/* ---- the tables ---- */

/* DryRun comes after the question whether the caller may. */
static int dry(sh_call *call, sh_action_fn fn)
{
    bool only;
    int status = sh_arg_bool(call, "DryRun", false, &only);
    if (status == 0 && only)
        return sh_call_fail(call, 412, "DryRunOperation",
                            "Request would have succeeded, but DryRun flag is set.");
    return status < 0 ? status : fn(call);
}

#define ACTION(name, fn)                                                                                     \
    static int name(sh_call *call)                                                                           \
    {                                                                                                        \
        return dry(call, fn);                                                                                \
    }
ACTION(run_instances, sh_ec2_describe_instances)
ACTION(run_status, sh_ec2_describe_status)
ACTION(run_tags, sh_ec2_describe_tags)
ACTION(run_create_tags, sh_ec2_create_tags)
ACTION(run_delete_tags, sh_ec2_delete_tags)
ACTION(run_regions, describe_regions)
ACTION(run_zones, describe_zones)

static const sh_action actions[] = {
    {"DescribeInstances", run_instances},
    {"DescribeInstanceStatus", run_status},
    {"DescribeTags", run_tags},
    {"CreateTags", run_create_tags},
    {"DeleteTags", run_delete_tags},
    {"DescribeRegions", run_regions},
    {"DescribeAvailabilityZones", run_zones},
    {NULL, NULL},
};

const sh_service sh_service_ec2 = {.name = "ec2", .json_version = "1.1", .actions = actions};

static const sh_query_member members[] = {
    {"MaxResults", SH_QUERY_INTEGER},           {"DryRun", SH_QUERY_BOOLEAN},
    {"IncludeAllInstances", SH_QUERY_BOOLEAN},  {"AllRegions", SH_QUERY_BOOLEAN},
    {"AllAvailabilityZones", SH_QUERY_BOOLEAN}, {NULL, 0},
};

static const sh_query_name lists[] = {
    {"InstanceIds", "InstanceId", JSON_ARRAY},
    {"Filters", "Filter", JSON_ARRAY},
    {"Values", "Value", JSON_ARRAY},
    {"Resources", "ResourceId", JSON_ARRAY},
    {"Tags", "Tag", JSON_ARRAY},
    {"RegionNames", "RegionName", JSON_ARRAY},
    {"ZoneNames", "ZoneName", JSON_ARRAY},
    {NULL, NULL, 0},
};

static const sh_query_name output[] = {
    {"Reservations", "reservationSet", JSON_ARRAY},
    {"Instances", "instancesSet", JSON_ARRAY},
    {"Groups", "groupSet", JSON_ARRAY},
    {"SecurityGroups", "groupSet", JSON_ARRAY},
    {"Tags", "tagSet", JSON_ARRAY},
    {"State", "instanceState", JSON_OBJECT},
    {"State", "zoneState", JSON_STRING},
    {"PublicDnsName", "dnsName", JSON_STRING},
    {"StateTransitionReason", "reason", JSON_STRING},
    {"InstanceStatuses", "instanceStatusSet", JSON_ARRAY},
    {"Regions", "regionInfo", JSON_ARRAY},
    {"AvailabilityZones", "availabilityZoneInfo", JSON_ARRAY},
    {"Messages", "messageSet", JSON_ARRAY},
    {NULL, NULL, 0},
};

static const sh_query_name errors[] = {
    {"ValidationException", "InvalidParameterValue", JSON_STRING},
    {"MalformedInput", "MalformedQueryString", JSON_STRING},
    {"AccessDenied", "UnauthorizedOperation", JSON_STRING},
    {"AccessDeniedException", "UnauthorizedOperation", JSON_STRING},
    {"InvalidClientTokenId", "AuthFailure", JSON_STRING},
    {"SignatureDoesNotMatch", "AuthFailure", JSON_STRING},
    {"ExpiredToken", "RequestExpired", JSON_STRING},
    {"InternalFailure", "InternalError", JSON_STRING},
    {"InternalServerError", "InternalError", JSON_STRING},
    {"ServiceUnavailable", "Unavailable", JSON_STRING},
    {NULL, NULL, 0},
};

static const sh_query_dialect dialect = {.lists = lists, .output = output, .errors = errors};

const sh_query_service sh_query_ec2 = {
    .service = &sh_service_ec2,
    .version = "2016-11-15",
    .xmlns = "http://ec2.amazonaws.com/doc/2016-11-15/",
    .members = members,
    .dialect = &dialect,
};
