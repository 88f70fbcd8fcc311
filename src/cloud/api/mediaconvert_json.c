/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The shapes of MediaConvert: names, jobs, events. */
#include "base/size.h"
#include "cloud/api/args.h"
#include "cloud/api/keys.h"
#include "cloud/api/mediaconvert.h"

#include <string.h>

/* Members whose own members are named by the user. */
static bool holds_free_names(const char *name)
{
    static const char *const maps[] = {"userMetadata", "tags", "audioSelectors", "audioSelectorGroups",
                                       "captionSelectors"};
    for (size_t i = 0; i < SH_COUNT(maps); i++)
        if ((name[0] | 0x20) == maps[i][0] && strcmp(name + 1, maps[i] + 1) == 0)
            return true;
    return false;
}

static json_t *rename_value(const json_t *value, bool large, bool names_are_free, int depth);

static int rename_member(json_t *to, const char *name, const json_t *value, bool large, bool free_name,
                         int depth)
{
    char first = free_name                                    ? name[0]
                 : large && name[0] >= 'a' && name[0] <= 'z'  ? (char)(name[0] - 'a' + 'A')
                 : !large && name[0] >= 'A' && name[0] <= 'Z' ? (char)(name[0] - 'A' + 'a')
                                                              : name[0];
    char start[2] = {first, '\0'};
    json_t *key = first ? json_sprintf("%s%s", start, name + 1) : json_string("");
    json_t *copy = rename_value(value, large, !free_name && holds_free_names(name), depth + 1);
    int status = key && copy ? json_object_set_new(to, json_string_value(key), copy) : -1;
    if (!key)
        json_decref(copy);
    json_decref(key);
    return status;
}

static json_t *rename_object(const json_t *value, bool large, bool names_are_free, int depth)
{
    const char *name;
    json_t *member, *to = json_object();
    json_object_foreach((json_t *)value, name, member)
    {
        if (rename_member(to, name, member, large, names_are_free, depth) < 0) {
            json_decref(to);
            return NULL;
        }
    }
    return to;
}

static json_t *rename_value(const json_t *value, bool large, bool names_are_free, int depth)
{
    size_t index;
    const json_t *item;
    if (depth > 100) /* deeper than any document of the service; the JSON parser has its own limit */
        return NULL;
    if (json_is_object(value))
        return rename_object(value, large, names_are_free, depth);
    if (!json_is_array(value))
        return json_deep_copy(value);
    json_t *to = json_array();
    json_array_foreach(value, index, item)
    {
        if (json_array_append_new(to, rename_value(item, large, false, depth + 1)) < 0) {
            json_decref(to);
            return NULL;
        }
    }
    return to;
}

json_t *sh_mc_rename(const json_t *value, bool large)
{
    return rename_value(value, large, false, 0);
}

char *sh_mc_arn(const sh_cloud *cloud, sh_arena *arena, const char *kind, const char *name)
{
    return sh_arena_printf(arena, "arn:aws:mediaconvert:%s:%s:%s/%s", cloud->settings.region,
                           cloud->settings.account, kind, name);
}

static json_t *arn_json(const sh_cloud *cloud, const char *kind, const char *name)
{
    return json_sprintf("arn:aws:mediaconvert:%s:%s:%s/%s", cloud->settings.region, cloud->settings.account,
                        kind, name);
}

static void put_timing(int *status, json_t *json, const sh_mcjob *job)
{
    json_t *timing = json_object();
    sh_put_date(status, timing, "submitTime", job->created_ms);
    if (job->started_ms)
        sh_put_date(status, timing, "startTime", job->started_ms);
    if (job->finished_ms)
        sh_put_date(status, timing, "finishTime", job->finished_ms);
    sh_put(status, json, "timing", timing);
}

static void put_progress(int *status, json_t *json, const sh_mcjob *job)
{
    bool running = strcmp(job->status, "PROGRESSING") == 0;
    if (running && *job->phase)
        sh_put_text(status, json, "currentPhase", job->phase);
    if (running || strcmp(job->status, "COMPLETE") == 0)
        sh_put(status, json, "jobPercentComplete", json_integer(job->percent));
    if (strcmp(job->status, "ERROR") == 0) {
        sh_put(status, json, "errorCode", json_integer(job->error_code));
        sh_put_text(status, json, "errorMessage", job->error);
    }
}

/* What the worker found: details go to the job, warnings to its messages. */
static void put_details(int *status, json_t *json, const sh_mcjob *job)
{
    json_t *details = json_loads(job->details, 0, NULL);
    const json_t *groups = json_object_get(details, "outputGroupDetails");
    const json_t *warnings = json_object_get(details, "warnings");
    if (groups)
        sh_put(status, json, "outputGroupDetails", json_deep_copy(groups));
    sh_put(status, json, "messages",
           json_pack("{s:[], s:o}", "info", "warning", warnings ? json_deep_copy(warnings) : json_array()));
    json_decref(details);
}

json_t *sh_mc_job_json(const sh_cloud *cloud, const sh_mcjob *job)
{
    int status = 0;
    json_t *json = json_loads(job->request, 0, NULL);
    json_object_del(json, "tags"); /* of the resource, not of its description */
    sh_put(&status, json, "arn", arn_json(cloud, "jobs", job->id));
    sh_put_text(&status, json, "id", job->id);
    sh_put_text(&status, json, "status", job->status);
    sh_put_date(&status, json, "createdAt", job->created_ms);
    sh_put(&status, json, "priority", json_integer(job->priority));
    sh_put_text(&status, json, "accelerationStatus", "NOT_APPLICABLE");
    sh_put(&status, json, "retryCount", json_integer(0));
    if (job->token)
        sh_put_text(&status, json, "clientRequestToken", job->token);
    put_timing(&status, json, job);
    put_progress(&status, json, job);
    put_details(&status, json, job);
    if (status < 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

static void put_event_detail(int *status, json_t *detail, const sh_cloud *cloud, const sh_mcjob *job,
                             int64_t now_ms)
{
    json_t *request = json_loads(job->request, 0, NULL);
    json_t *details = json_loads(job->details, 0, NULL);
    const json_t *queue = json_object_get(request, "queue");
    const json_t *metadata = json_object_get(request, "userMetadata");
    const json_t *groups = json_object_get(details, "eventGroupDetails");
    sh_put(status, detail, "timestamp", json_integer(now_ms));
    sh_put_text(status, detail, "accountId", cloud->settings.account);
    sh_put(status, detail, "queue", json_deep_copy(queue));
    sh_put_text(status, detail, "jobId", job->id);
    sh_put_text(status, detail, "status", job->status);
    sh_put(status, detail, "userMetadata", metadata ? json_deep_copy(metadata) : json_object());
    if (strcmp(job->status, "ERROR") == 0) {
        sh_put(status, detail, "errorCode", json_integer(job->error_code));
        sh_put_text(status, detail, "errorMessage", job->error);
    }
    if (strcmp(job->status, "COMPLETE") == 0 && groups)
        sh_put(status, detail, "outputGroupDetails", json_deep_copy(groups));
    json_decref(request);
    json_decref(details);
}

char *sh_mc_event(const sh_cloud *cloud, const sh_mcjob *job, int64_t now_ms)
{
    char id[SH_UUID_TEXT], time[SH_TIME_TEXT];
    int status = 0;
    json_t *event = json_object(), *detail = json_object();
    sh_uuid(id);
    sh_time_iso_s(now_ms, time);
    sh_put_text(&status, event, "version", "0");
    sh_put_text(&status, event, "id", id);
    sh_put_text(&status, event, "detail-type", "MediaConvert Job State Change");
    sh_put_text(&status, event, "source", "aws.mediaconvert");
    sh_put_text(&status, event, "account", cloud->settings.account);
    sh_put_text(&status, event, "time", time);
    sh_put_text(&status, event, "region", cloud->settings.region);
    sh_put(&status, event, "resources", json_pack("[o]", arn_json(cloud, "jobs", job->id)));
    put_event_detail(&status, detail, cloud, job, now_ms);
    sh_put(&status, event, "detail", detail);
    char *text = status < 0 ? NULL : json_dumps(event, JSON_COMPACT);
    json_decref(event);
    return text;
}
