/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a run leaves. Without a destination the outputs of the children, in the order of the items, are the
 * state's result. With one, PREFIX/RUN/manifest.json names the objects SUCCEEDED_n.json, FAILED_n.json and
 * PENDING_n.json beside it, and the state's result says where the manifest is.
 *
 * The transformations: NONE is a record of the whole execution, COMPACT its output, FLATTEN its output
 * without the brackets of an array. A child that did not succeed is always shown as a record. Outputs are
 * text in the rows and go out as they are.
 *
 * All objects appear in one transaction, together with the end of the run. */
#include "cloud/api/states_map.h"
#include "base/file.h"
#include "cloud/api/front.h"
#include "cloud/api/states_session.h"
#include "cloud/store/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 200
#define OBJECT_BYTES ((int64_t)256 << 20) /* then the next number */
#define OBJECTS_MAX 64                    /* of each kind */
#define TEXT_MAX (16u << 20)

/* ---- one result as text ---- */

typedef enum way { WAY_NONE, WAY_COMPACT, WAY_FLATTEN } way;

static way find_way(const json_t *parameters)
{
    const json_t *writer = json_object_get(parameters, "Writer");
    const char *name = json_string_value(json_object_get(writer, "Transformation"));
    if (!name || strcmp(name, "COMPACT") == 0)
        return WAY_COMPACT;
    return strcmp(name, "FLATTEN") == 0 ? WAY_FLATTEN : WAY_NONE;
}

static const char *status_name(sh_map_child_status status)
{
    static const char *const names[] = {"PENDING", "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"};
    return names[status];
}

static void put_text(json_t *record, const char *name, const char *value)
{
    if (value)
        json_object_set_new(record, name, json_string(value));
}

static void put_date(json_t *record, const char *name, int64_t ms)
{
    char text[SH_TIME_TEXT];
    sh_time_iso_ms(ms, text);
    json_object_set_new(record, name, json_string(text));
}

static void put_payload(json_t *record, const char *name, const char *details, const char *value)
{
    if (!value)
        return;
    put_text(record, name, value);
    json_object_set_new(record, details, json_pack("{s:b}", "Included", 1));
}

static json_t *make_record(const sh_map_run *run, const sh_map_result *r)
{
    json_t *record = json_object();
    bool good = r->status == SH_CHILD_SUCCEEDED;
    put_text(record, "Cause", r->cause);
    put_text(record, "Error", r->error);
    put_text(record, "ExecutionArn", r->arn);
    put_payload(record, "Input", "InputDetails", r->input);
    put_text(record, "Name", r->name);
    put_payload(record, "Output", "OutputDetails", r->output);
    if (r->execution && !run->express) {
        json_object_set_new(record, "RedriveCount", json_integer(0));
        put_text(record, "RedriveStatus", good ? "NOT_REDRIVABLE" : "REDRIVABLE");
        put_text(record, "RedriveStatusReason",
                 good ? "Execution is SUCCEEDED and cannot be redriven" : NULL);
    }
    if (r->execution)
        put_date(record, "StartDate", r->started_ms);
    put_text(record, "StateMachineArn", run->child_arn);
    put_text(record, "Status", status_name(r->status));
    if (r->execution && r->stopped_ms >= 0)
        put_date(record, "StopDate", r->stopped_ms);
    return record;
}

/* Appends the result, behind `separator` unless it is the first of the buffer (*first). FLATTEN may append
 * nothing. */
static int put_result(sh_buf *buf, const sh_map_run *run, const sh_map_result *r, way how,
                      const char *separator, bool *first)
{
    const char *output = r->output;
    size_t length = output ? strlen(output) : 0;
    bool flat = how == WAY_FLATTEN && length >= 2 && output[0] == '[';
    bool record = how == WAY_NONE || r->status != SH_CHILD_SUCCEEDED || !output;
    if (!record && flat && length == 2)
        return 0;
    if (!*first)
        sh_buf_puts(buf, separator);
    *first = false;
    if (record) {
        json_t *made = make_record(run, r);
        int status = made ? sh_flow_dump(buf, made) : SH_E_MEMORY;
        json_decref(made);
        return status;
    }
    return flat ? sh_buf_append(buf, output + 1, length - 2) : sh_buf_append(buf, output, length);
}

/* ---- the state's result ---- */

typedef struct gathering {
    const sh_map_run *run;
    way how;
    sh_buf buf;
    bool first;
} gathering;

static int gather(void *opaque, const sh_map_result *result)
{
    gathering *g = opaque;
    return put_result(&g->buf, g->run, result, g->how, ",", &g->first) < 0 ? SH_E_LIMIT : 0;
}

int sh_map_result_text(sh_cloud *cloud, const sh_map_run *run, const json_t *parameters, size_t most,
                       char **text, sh_err *err)
{
    gathering g = {.run = run, .how = find_way(parameters), .first = true};
    sh_buf_init(&g.buf, most);
    sh_buf_putc(&g.buf, '[');
    int status = sh_map_results(cloud->db, run->id, 0, INT64_MAX, gather, &g, err);
    sh_buf_putc(&g.buf, ']');
    if (status == 0 && g.buf.failed)
        status = SH_E_LIMIT;
    if (status == 0 && !(*text = sh_buf_take(&g.buf, NULL)))
        status = sh_fail(err, SH_E_MEMORY, "no memory for the results of a Map state");
    sh_buf_free(&g.buf);
    return status;
}

/* ---- objects ---- */

enum { KIND_SUCCEEDED, KIND_FAILED, KIND_PENDING, KINDS };
static const char *const kinds[] = {"SUCCEEDED", "FAILED", "PENDING"};

typedef struct file {
    char path[SH_STAGE_PATH]; /* "": none */
    FILE *out;
    int64_t size, count;
    const char *key;
} file;

typedef struct writing {
    sh_cloud *cloud;
    sh_arena *arena;
    sh_map_run *run;
    sh_objects objects;
    way how;
    bool lines;
    const char *bucket, *folder; /* folder: with its slash */
    file *files[KINDS][OBJECTS_MAX];
    size_t counts[KINDS];
    file manifest;
    sh_buf text; /* of one result */
    int64_t next, written;
    sh_err *err;
} writing;

static int open_file(writing *w, file *f, sh_err *err)
{
    int fd = -1;
    int status = sh_stage_file(&w->objects, f->path, &fd, err);
    if (status < 0) {
        f->path[0] = '\0';
        return status;
    }
    f->out = fdopen(fd, "w");
    if (f->out)
        return 0;
    close(fd);
    return sh_fail(err, SH_E_IO, "cannot write %s", f->path);
}

static int close_file(file *f, sh_err *err)
{
    FILE *out = f->out;
    f->out = NULL;
    if (out && fclose(out) != 0)
        return sh_fail(err, SH_E_IO, "cannot write %s", f->path);
    return 0;
}

static int write_text(file *f, const char *text, size_t length, sh_err *err)
{
    f->size += (int64_t)length;
    if (fwrite(text, 1, length, f->out) != length)
        return sh_fail(err, SH_E_IO, "cannot write %s", f->path);
    return 0;
}

/* The file of that kind which takes the next result. */
static int current(writing *w, int kind, file **out, sh_err *err)
{
    size_t count = w->counts[kind];
    if (count && (w->files[kind][count - 1]->size < OBJECT_BYTES || count == OBJECTS_MAX)) {
        *out = w->files[kind][count - 1];
        return 0;
    }
    file *f = sh_arena_alloc(w->arena, sizeof(*f));
    if (!f)
        return sh_fail(err, SH_E_MEMORY, "no memory for the results of a Map state");
    *f = (file){.key = sh_arena_printf(w->arena, "%s%s_%zu.json", w->folder, kinds[kind], count)};
    w->files[kind][w->counts[kind]++] = f;
    *out = f;
    int status = f->key ? open_file(w, f, err) : sh_fail(err, SH_E_MEMORY, "no memory for a key");
    return status == 0 && !w->lines ? write_text(f, "[", 1, err) : status;
}

static int kind_of(sh_map_child_status status)
{
    if (status == SH_CHILD_SUCCEEDED)
        return KIND_SUCCEEDED;
    return status == SH_CHILD_PENDING ? KIND_PENDING : KIND_FAILED;
}

static int write_one(void *opaque, const sh_map_result *r)
{
    writing *w = opaque;
    file *f = NULL;
    bool first = true;
    w->next = r->position + 1;
    sh_buf_clear(&w->text);
    int status = put_result(&w->text, w->run, r, w->how, "", &first);
    if (status < 0)
        return sh_fail(w->err, status, "no memory for a result");
    if (first) /* nothing is left of it */
        return 0;
    if (w->text.length) {
        status = current(w, kind_of(r->status), &f, w->err);
        if (status == 0 && f->count++)
            status = write_text(f, w->lines ? "\n" : ",", 1, w->err);
        if (status == 0)
            status = write_text(f, sh_buf_cstr(&w->text), w->text.length, w->err);
    }
    w->written += r->execution ? 1 : 0;
    return status;
}

static int write_files(writing *w, sh_err *err)
{
    int64_t before;
    int status;
    do {
        before = w->next;
        status = sh_map_results(w->cloud->db, w->run->id, w->next, PAGE, write_one, w, err);
    } while (status == 0 && w->next > before);
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; status == 0 && i < w->counts[kind]; i++) {
            if (!w->lines)
                status = write_text(w->files[kind][i], "]", 1, err);
            if (status == 0)
                status = close_file(w->files[kind][i], err);
        }
    }
    return status;
}

static json_t *list_files(const writing *w, int kind)
{
    json_t *list = json_array();
    for (size_t i = 0; i < w->counts[kind]; i++)
        json_array_append_new(list, json_pack("{s:s, s:I}", "Key", w->files[kind][i]->key, "Size",
                                              (json_int_t)w->files[kind][i]->size));
    return list;
}

static int write_manifest(writing *w, sh_err *err)
{
    json_t *manifest = json_pack("{s:s, s:s, s:{s:o, s:o, s:o}}", "DestinationBucket", w->bucket, "MapRunArn",
                                 w->run->arn, "ResultFiles", "FAILED", list_files(w, KIND_FAILED), "PENDING",
                                 list_files(w, KIND_PENDING), "SUCCEEDED", list_files(w, KIND_SUCCEEDED));
    char *text = manifest ? sh_flow_text(manifest) : NULL;
    json_decref(manifest);
    if (!text)
        return sh_fail(err, SH_E_MEMORY, "no memory for a manifest");
    w->manifest.key = sh_arena_printf(w->arena, "%smanifest.json", w->folder);
    int status =
        w->manifest.key ? open_file(w, &w->manifest, err) : sh_fail(err, SH_E_MEMORY, "no memory for a key");
    if (status == 0)
        status = write_text(&w->manifest, text, strlen(text), err);
    if (status == 0)
        status = close_file(&w->manifest, err);
    free(text);
    return status;
}

/* ---- the end ---- */

static int end_run(writing *w, sh_err *err)
{
    sh_map_run *run = w->run;
    json_t *result = json_pack("{s:s, s:{s:s, s:s}}", "MapRunArn", run->arn, "ResultWriterDetails", "Bucket",
                               w->bucket, "Key", w->manifest.key);
    char *text = result ? sh_flow_text(result) : NULL;
    int status = text ? sh_map_set_result(w->cloud->db, run->id, text, err)
                      : sh_fail(err, SH_E_MEMORY, "no memory for the result of a Map state");
    json_decref(result);
    free(text);
    run->written = w->written;
    run->stage = SH_MAP_DONE;
    if (strcmp(run->status, "RUNNING") == 0)
        run->status = "SUCCEEDED";
    return status == 0 ? sh_map_done(w->cloud, run, err) : status;
}

/* The run may have been stopped since. */
static int with_objects(void *opaque, sh_err *err)
{
    writing *w = opaque;
    int status = sh_map_by_id(w->cloud->db, w->arena, w->run->id, w->run, err);
    if (status < 0)
        return status;
    return w->run->stage == SH_MAP_WRITE ? end_run(w, err) : 0;
}

static int publish(writing *w, sh_err *err)
{
    sh_object_new items[KINDS * OBJECTS_MAX + 1];
    sh_object_cause cause = {.reason = "PutObject", .requester = "states.amazonaws.com"};
    size_t count = 0;
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < w->counts[kind]; i++) {
            const file *f = w->files[kind][i];
            items[count++] = (sh_object_new){
                .bucket = w->bucket, .key = f->key, .path = f->path, .content_type = "application/json"};
        }
    }
    items[count++] = (sh_object_new){.bucket = w->bucket,
                                     .key = w->manifest.key,
                                     .path = w->manifest.path,
                                     .content_type = "application/json"};
    int status = sh_objects_publish_with(&w->objects, items, count, &cause, with_objects, w, err);
    if (status == 0)
        sh_cloud_wake(w->cloud, SH_WAKE_NOTICES);
    return status;
}

static void remove_file(file *f)
{
    if (f->out)
        fclose(f->out);
    if (f->path[0])
        unlink(f->path);
}

static void clean(writing *w)
{
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < w->counts[kind]; i++)
            remove_file(w->files[kind][i]);
    }
    remove_file(&w->manifest);
    sh_buf_free(&w->text);
}

static const char *make_folder(sh_arena *arena, const sh_map_run *run, const char *prefix)
{
    const char *colon = strrchr(run->arn, ':');
    const char *id = colon ? colon + 1 : run->arn;
    size_t length = prefix ? strlen(prefix) : 0;
    bool slash = length && prefix[length - 1] != '/';
    return sh_arena_printf(arena, "%s%s%s/", prefix ? prefix : "", slash ? "/" : "", id);
}

static int no_bucket(writing *w, sh_map_fault *fault, sh_err *err)
{
    fault->error = "States.ResultWriterFailed";
    fault->cause =
        sh_arena_printf(w->arena, "The specified bucket does not exist (Service: S3, Status Code: 404): %s",
                        w->bucket ? w->bucket : "no Bucket was given");
    return fault->cause ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for an error");
}

/* May the machine write all of it? SH_E_DENIED: the fault is set. */
static int permit_one(writing *w, const sh_actor *actor, const char *key, sh_map_fault *fault, sh_err *err)
{
    const char *sentence;
    int status = sh_actor_permit(w->cloud, actor, "s3:PutObject", w->bucket, key, w->arena, &sentence, err);
    if (status != SH_E_DENIED)
        return status;
    fault->error = "States.ResultWriterFailed";
    fault->cause = sh_arena_printf(w->arena, "%s (Service: S3, Status Code: 403)", sentence);
    return fault->cause ? status : sh_fail(err, SH_E_MEMORY, "no memory for an error");
}

static int permit_all(writing *w, sh_map_fault *fault, sh_err *err)
{
    sh_actor actor;
    int status = sh_actor_of_revision(w->cloud, w->run->revision_row, w->arena, &actor, err);
    if (status == 0)
        status = permit_one(w, &actor, w->manifest.key, fault, err);
    for (int kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; status == 0 && i < w->counts[kind]; i++)
            status = permit_one(w, &actor, w->files[kind][i]->key, fault, err);
    return status;
}

static int write_all(writing *w, const json_t *names, sh_map_fault *fault, sh_err *err)
{
    sh_bucket bucket;
    sh_err why = {0};
    w->bucket = json_string_value(json_object_get(names, "Bucket"));
    w->folder = make_folder(w->arena, w->run, json_string_value(json_object_get(names, "Prefix")));
    if (!w->folder)
        return sh_fail(err, SH_E_MEMORY, "no memory for a key");
    int status = w->bucket ? sh_bucket_get(&w->objects, w->bucket, &bucket, &why) : SH_E_NOT_FOUND;
    if (status == SH_E_NOT_FOUND)
        return no_bucket(w, fault, err);
    if (status < 0)
        return sh_fail(err, status, "%s", why.message);
    status = write_files(w, err);
    if (status == 0)
        status = write_manifest(w, err);
    if (status == 0 && (status = permit_all(w, fault, err)) == SH_E_DENIED)
        return 0;
    return status == 0 ? publish(w, err) : status;
}

int sh_map_write(sh_cloud *cloud, sh_arena *arena, sh_map_run *run, sh_map_fault *fault, sh_err *err)
{
    json_t *parameters = NULL;
    int status = sh_flow_load(&parameters, run->parameters, strlen(run->parameters), err);
    if (status < 0)
        return status;
    const json_t *writer = json_object_get(parameters, "Writer");
    const char *type = json_string_value(json_object_get(writer, "OutputType"));
    writing w = {.cloud = cloud,
                 .arena = arena,
                 .run = run,
                 .objects = sh_cloud_objects(cloud),
                 .how = find_way(parameters),
                 .lines = type && strcmp(type, "JSONL") == 0,
                 .err = err};
    sh_buf_init(&w.text, TEXT_MAX);
    status = write_all(&w, json_object_get(writer, "Parameters"), fault, err);
    clean(&w);
    json_decref(parameters);
    return status;
}
