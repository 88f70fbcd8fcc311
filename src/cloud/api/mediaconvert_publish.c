/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a worker's result to objects. The worker reads files of unknown origin, so its words are checked:
 * names must be those of plain files in the staging folder. All objects, the row that becomes COMPLETE and
 * its event are one transaction. */
#include "cloud/api/args.h"
#include "cloud/api/front.h"
#include "cloud/api/mediaconvert_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILES 200000

typedef struct publication {
    sh_cloud *cloud;
    sh_mc_work *work;
    sh_arena *arena;
    sh_object_new *items;
    size_t count;
    char *details; /* JSON text */
    int64_t now_ms;
} publication;

/* The group of a file or an output: its member "group", else the first. NULL: there is no such group. */
static const sh_mc_place *place_of(const publication *p, const json_t *object)
{
    json_int_t group = json_integer_value(json_object_get(object, "group"));
    return group >= 0 && group < (json_int_t)p->work->place_count ? &p->work->places[group] : NULL;
}

/* Files that name their group lie in a folder of its number. */
static const char *staged(publication *p, const json_t *file, const char *name)
{
    const json_t *group = json_object_get(file, "group");
    return group
               ? sh_arena_printf(p->arena, "%s/%d/%s", p->work->folder, (int)json_integer_value(group), name)
               : sh_arena_printf(p->arena, "%s/%s", p->work->folder, name);
}

static int add_file(publication *p, const json_t *file, sh_err *err)
{
    const char *name = json_string_value(json_object_get(file, "name"));
    const char *type = json_string_value(json_object_get(file, "content_type"));
    const sh_mc_place *place = place_of(p, file);
    if (!name || !*name || name[0] == '.' || strchr(name, '/') || !place)
        return sh_fail(err, SH_E_FORMAT, "the worker named a file that cannot be one of its own");
    const char *key = sh_arena_printf(p->arena, "%s%s", place->prefix, name);
    const char *path = staged(p, file, name);
    const char *content_type = type ? sh_arena_strdup(p->arena, type) : NULL;
    if (!key || !path || (type && !content_type))
        return sh_fail(err, SH_E_MEMORY, "no memory for %zu files", p->count);
    p->items[p->count++] =
        (sh_object_new){.bucket = place->bucket, .key = key, .path = path, .content_type = content_type};
    return 0;
}

static int add_files(publication *p, sh_err *err)
{
    const json_t *files = json_object_get(p->work->final, "files");
    size_t index, count = json_array_size(files);
    const json_t *file;
    int status = 0;
    if (count == 0 || count > MAX_FILES)
        return sh_fail(err, SH_E_FORMAT, "the worker named %zu files", count);
    p->items = calloc(count, sizeof(*p->items));
    if (!p->items)
        return sh_fail(err, SH_E_MEMORY, "no memory for %zu files", count);
    json_array_foreach(files, index, file)
    {
        if ((status = add_file(p, file, err)) < 0)
            break;
    }
    return status;
}

/* ---- outputGroupDetails ---- */

static json_t *uri_of(const sh_mc_place *place, const char *name)
{
    return json_sprintf("s3://%s/%s%s", place->bucket, place->prefix, name);
}

static json_t *output_json(const publication *p, const json_t *output, bool with_paths)
{
    int status = 0;
    json_t *json = json_object();
    const sh_mc_place *place = place_of(p, output);
    const char *playlist = json_string_value(json_object_get(output, "playlist"));
    json_int_t width = json_integer_value(json_object_get(output, "width"));
    json_int_t height = json_integer_value(json_object_get(output, "height"));
    json_int_t duration = json_integer_value(json_object_get(output, "duration_ms"));
    json_int_t average = json_integer_value(json_object_get(output, "average_bandwidth"));
    sh_put(&status, json, "durationInMs", json_integer(duration));
    if (width > 0)
        sh_put(&status, json, "videoDetails",
               json_pack("{s:I, s:I}", "widthInPx", width, "heightInPx", height));
    if (with_paths && width > 0 && average > 0)
        sh_put(&status, json_object_get(json, "videoDetails"), "averageBitrate", json_integer(average));
    if (with_paths && playlist && place)
        sh_put(&status, json, "outputFilePaths", json_pack("[o]", uri_of(place, playlist)));
    return json;
}

/* The manifests of a group that the worker describes, else the last file of all. */
static json_t *playlists_json(const publication *p, const json_t *described, json_int_t number)
{
    size_t index;
    const json_t *name;
    json_t *list = json_array();
    const sh_mc_place *place = &p->work->places[number];
    json_array_foreach(json_object_get(described, "playlists"), index, name)
        json_array_append_new(list, uri_of(place, json_string_value(name) ? json_string_value(name) : ""));
    if (!described) {
        const sh_object_new *master = &p->items[p->count - 1];
        json_array_append_new(list, json_sprintf("s3://%s/%s", master->bucket, master->key));
    }
    return list;
}

static json_t *group_json(const publication *p, json_int_t number, bool with_paths)
{
    int status = 0;
    size_t index;
    const json_t *output;
    json_t *group = json_object(), *outputs = json_array(), *playlists;
    const json_t *described = json_array_get(json_object_get(p->work->final, "groups"), (size_t)number);
    const char *type = json_string_value(json_object_get(described, "type"));
    json_array_foreach(json_object_get(p->work->final, "outputs"), index, output)
    {
        if (json_integer_value(json_object_get(output, "group")) == number)
            json_array_append_new(outputs, output_json(p, output, with_paths));
    }
    sh_put(&status, group, "outputDetails", outputs);
    if (with_paths) {
        playlists = playlists_json(p, described, number);
        if (json_array_size(playlists) > 0)
            sh_put(&status, group, "playlistFilePaths", playlists);
        else
            json_decref(playlists);
        sh_put_text(&status, group, "type", type ? type : "HLS_GROUP");
    }
    return group;
}

static json_t *groups_json(const publication *p, bool with_paths)
{
    json_t *groups = json_array();
    for (size_t i = 0; i < p->work->place_count; i++)
        json_array_append_new(groups, group_json(p, (json_int_t)i, with_paths));
    return groups;
}

static int make_details(publication *p, sh_err *err)
{
    json_t *details = json_pack("{s:o, s:o, s:O}", "outputGroupDetails", groups_json(p, false),
                                "eventGroupDetails", groups_json(p, true), "warnings", p->work->warnings);
    p->details = details ? json_dumps(details, JSON_COMPACT) : NULL;
    json_decref(details);
    return p->details ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a job's details");
}

/* ---- the transaction ---- */

static int complete_row(void *opaque, sh_err *err)
{
    publication *p = opaque;
    sh_mcjob job;
    int status = sh_mcjob_get(p->cloud->db, p->arena, p->work->id, &job, err);
    if (status < 0)
        return status;
    job.status = "COMPLETE";
    job.phase = "";
    job.percent = 100;
    job.finished_ms = p->now_ms;
    job.details = p->details;
    status = sh_mcjob_save(p->cloud->db, &job, "PROGRESSING", err);
    return status < 0 ? status : sh_mc_announce(p->cloud, &job, p->now_ms, err);
}

/* The role has to allow each of them, or none is written. */
static int permit(publication *p, int *code, sh_err *err)
{
    sh_err why = {0};
    sh_caller session;
    int status = sh_mc_session(p->cloud, p->work->role, p->work->id, p->arena, &session, err);
    if (status == SH_E_DENIED)
        *code = SH_MC_ERROR_DENIED;
    for (size_t i = 0; status == 0 && i < p->count; i++) {
        const sh_object_new *item = &p->items[i];
        status = sh_mc_permit(p->cloud, &session, "s3:PutObject", item->bucket, item->key, p->arena, &why);
        if (status == SH_E_DENIED)
            *code = SH_MC_ERROR_DENIED;
        if (status < 0)
            sh_fail(err, status, "Unable to write to output file [s3://%s/%s]: [%s]", item->bucket, item->key,
                    why.message);
    }
    return status;
}

int sh_mc_work_publish(sh_mc_work *work, sh_cloud *cloud, int *code, sh_err *err)
{
    static const sh_object_cause cause = {.reason = "PutObject", .requester = "mediaconvert.amazonaws.com"};
    publication p = {.cloud = cloud, .work = work, .now_ms = sh_now_ms(cloud->clock)};
    sh_objects objects = sh_cloud_objects(cloud);
    *code = SH_MC_ERROR_INTERNAL;
    p.arena = sh_arena_new((size_t)256 << 20);
    int status = p.arena ? add_files(&p, err) : sh_fail(err, SH_E_MEMORY, "no memory for a job's files");
    if (status == 0)
        status = make_details(&p, err);
    if (status == 0)
        status = permit(&p, code, err);
    if (status == 0) {
        *code = SH_MC_ERROR_OUTPUT;
        status = sh_objects_publish_with(&objects, p.items, p.count, &cause, complete_row, &p, err);
    }
    free(p.details);
    free(p.items);
    sh_arena_free(p.arena);
    return status;
}
