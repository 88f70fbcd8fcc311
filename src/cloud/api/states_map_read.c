/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Items to children. A source gives items one by one; each goes through ItemSelector, into a batch if there
 * are batches, and becomes the input of a child, all of it text from there on. Rows are written many at a
 * time, each lot in a transaction of its own: what a crash leaves of them is cleared when the reading begins
 * anew.
 *
 * The sources: an array of the state's input; s3:listObjectsV2 (an item for each object, or with
 * LOAD_AND_FLATTEN the items in them); s3:getObject of a JSON, JSON Lines or CSV object, or of a manifest
 * that names such objects. */
#include "cloud/api/states_map.h"
#include "base/buf.h"
#include "cloud/api/front.h"
#include "cloud/api/keys.h"
#include "cloud/api/states_session.h"
#include "cloud/store/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROWS 500
#define TEXT_MAX (16u << 20)
#define PAGE 1000
#define JSON_MAX (64u << 20)
#define OBJECT_MEMORY (1u << 20)
#define PAGE_MEMORY (4u << 20)
#define MANIFEST_DEPTH 1

typedef struct reading {
    sh_cloud *cloud;
    sh_arena *arena;
    const sh_map_run *run;
    sh_actor actor;
    const json_t *parameters;
    sh_flow *flow; /* NULL: there is no ItemSelector */
    sh_flow_env env;
    bool batched;
    int64_t batch_items, batch_bytes;
    sh_buf head, batch; /* {"BatchInput":…,"Items":[ and the items of the batch so far */
    int64_t in_batch;
    char *rows[ROWS];
    int64_t row_items[ROWS];
    size_t row_count;
    int64_t index, max_items, children; /* index: items so far */
    sh_map_fault *fault;
} reading;

/* All below return 0 to go on, 1 when nothing more is wanted (or there is a fault), or SH_E_*. */

static int fault(reading *r, const char *error, const char *cause)
{
    r->fault->error = sh_arena_strdup(r->arena, error);
    r->fault->cause = sh_arena_strdup(r->arena, cause);
    return r->fault->error && r->fault->cause ? 1 : SH_E_MEMORY;
}

static int unreadable(reading *r, const char *cause)
{
    return fault(r, "States.ItemReaderFailed", cause);
}

/* What S3 would have answered, as the cause. */
static int s3_fault(reading *r, int http_status, const char *message)
{
    char id[SH_UUID_TEXT];
    sh_uuid(id);
    const char *cause = sh_arena_printf(r->arena, "%s (Service: S3, Status Code: %d, Request ID: %s)",
                                        message, http_status, id);
    return cause ? unreadable(r, cause) : SH_E_MEMORY;
}

/* May the machine read this? 0, 1 (it may not, and the fault is set), or a failure. */
static int permit(reading *r, const char *action, const char *bucket, const char *key, sh_err *err)
{
    const char *sentence;
    int status = sh_actor_permit(r->cloud, &r->actor, action, bucket, key, r->arena, &sentence, err);
    if (status == SH_E_DENIED)
        return s3_fault(r, 403, sentence);
    return status == SH_E_NOT_FOUND ? 0 : status; /* what is missing is told by reading it */
}

/* ---- rows ---- */

static int write_rows(reading *r, sh_err *err)
{
    int status = sh_db_begin(r->cloud->db, err);
    if (status < 0)
        return status;
    for (size_t i = 0; status == 0 && i < r->row_count; i++) {
        sh_map_child child = {.run = r->run->id,
                              .position = r->children + (int64_t)i,
                              .items = r->row_items[i],
                              .input = r->rows[i]};
        status = sh_map_child_add(r->cloud->db, &child, err);
    }
    return sh_db_end(r->cloud->db, status, err);
}

static int flush_rows(reading *r, sh_err *err)
{
    int status = r->row_count ? write_rows(r, err) : 0;
    for (size_t i = 0; i < r->row_count; i++)
        free(r->rows[i]);
    r->children += status == 0 ? (int64_t)r->row_count : 0;
    r->row_count = 0;
    return status;
}

/* Takes the text. */
static int add_row(reading *r, char *text, int64_t items, sh_err *err)
{
    if (!text)
        return sh_fail(err, SH_E_MEMORY, "no memory for the input of a child execution");
    if (strlen(text) > SH_FLOW_PAYLOAD_MAX) {
        free(text);
        return fault(
            r, "States.DataLimitExceeded",
            "The input of a child workflow execution exceeds the maximum number of bytes service limit.");
    }
    r->rows[r->row_count] = text;
    r->row_items[r->row_count++] = items;
    return r->row_count == ROWS ? flush_rows(r, err) : 0;
}

/* ---- batches ---- */

static int end_batch(reading *r, sh_err *err)
{
    sh_buf text;
    int64_t items = r->in_batch;
    if (items == 0)
        return 0;
    sh_buf_init(&text, TEXT_MAX);
    sh_buf_append(&text, sh_buf_cstr(&r->head), r->head.length);
    sh_buf_append(&text, sh_buf_cstr(&r->batch), r->batch.length);
    sh_buf_puts(&text, "]}");
    r->in_batch = 0;
    sh_buf_clear(&r->batch);
    return add_row(r, sh_buf_take(&text, NULL), items, err);
}

static int add_to_batch(reading *r, const char *text, sh_err *err)
{
    size_t length = strlen(text);
    size_t most = r->batch_bytes > 0 ? (size_t)r->batch_bytes : SH_FLOW_PAYLOAD_MAX;
    int status = 0;
    if (r->in_batch && r->head.length + r->batch.length + 1 + length + 2 > most)
        status = end_batch(r, err);
    if (status)
        return status;
    if (r->in_batch)
        sh_buf_putc(&r->batch, ',');
    sh_buf_append(&r->batch, text, length);
    r->in_batch++;
    if (r->batch.failed)
        return sh_fail(err, SH_E_MEMORY, "no memory for a batch of items");
    return r->batch_items > 0 && r->in_batch >= r->batch_items ? end_batch(r, err) : 0;
}

static int begin_batches(reading *r, sh_err *err)
{
    const json_t *batch = json_object_get(r->parameters, "Batch");
    const json_t *input = json_object_get(batch, "Input");
    sh_buf_init(&r->head, TEXT_MAX);
    sh_buf_init(&r->batch, TEXT_MAX);
    if (!batch)
        return 0;
    r->batched = true;
    r->batch_items = json_integer_value(json_object_get(batch, "MaxItems"));
    r->batch_bytes = json_integer_value(json_object_get(batch, "MaxBytes"));
    sh_buf_putc(&r->head, '{');
    if (input) {
        sh_buf_puts(&r->head, "\"BatchInput\":");
        sh_flow_dump(&r->head, input);
        sh_buf_putc(&r->head, ',');
    }
    sh_buf_puts(&r->head, "\"Items\":[");
    return r->head.failed ? sh_fail(err, SH_E_MEMORY, "no memory for a batch of items") : 0;
}

/* ---- items ---- */

static int select_item(reading *r, json_t *value, const char *key, const char *source, json_t **input,
                       sh_err *err)
{
    char *error = NULL, *cause = NULL;
    if (!r->flow) {
        *input = key ? json_pack("{s:s, s:O}", "Key", key, "Value", value) : json_incref(value);
        return *input ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for an item");
    }
    json_t *extra = json_pack("{s:s, s:s*}", "Source", source, "Key", key);
    int status = extra ? sh_flow_map_item(r->flow, &r->env, r->run->state_name, r->parameters, r->index,
                                          value, extra, input, &error, &cause)
                       : SH_E_MEMORY;
    if (status == 1)
        status = fault(r, error ? error : "States.Runtime", cause ? cause : "");
    else if (status < 0)
        sh_fail(err, status, "the items of state %s cannot be made", r->run->state_name);
    json_decref(extra);
    free(error);
    free(cause);
    return status;
}

/* One item, of an object with its key. Takes the value. */
static int give(reading *r, json_t *value, const char *key, const char *source, sh_err *err)
{
    json_t *input = NULL;
    if (!value)
        return sh_fail(err, SH_E_MEMORY, "no memory for an item");
    if (r->max_items > 0 && r->index >= r->max_items) {
        json_decref(value);
        return 1;
    }
    int status = select_item(r, value, key, source, &input, err);
    if (status == 0) {
        char *text = sh_flow_text(input);
        r->index++;
        if (r->batched && text) {
            status = add_to_batch(r, text, err);
            free(text);
        } else {
            status = add_row(r, text, 1, err);
        }
    }
    json_decref(input);
    json_decref(value);
    return status;
}

/* The elements of an array, or the members of an object. */
static int give_all(reading *r, json_t *items, const char *source, sh_err *err)
{
    int status = 0;
    size_t index;
    const char *key;
    json_t *item;
    json_array_foreach(items, index, item)
    {
        status = give(r, json_incref(item), NULL, source, err);
        if (status)
            return status;
    }
    json_object_foreach(items, key, item)
    {
        status = give(r, json_incref(item), key, source, err);
        if (status)
            return status;
    }
    return 0;
}

/* ---- formats ---- */

typedef struct content {
    const char *text, *end;
    const char *source; /* S3://bucket/key */
    const char *bucket;
} content;

static const json_t *config_of(const reading *r, const char *name)
{
    return json_object_get(json_object_get(json_object_get(r->parameters, "Reader"), "Config"), name);
}

static const char *config_text(const reading *r, const char *name)
{
    return json_string_value(config_of(r, name));
}

/* One step of a JSON pointer: *pointer stands behind a slash. */
static json_t *point(const json_t *value, const char **pointer)
{
    char name[1024];
    size_t length = 0;
    const char *p = *pointer;
    for (; *p && *p != '/' && length < sizeof(name) - 1; p++) {
        if (*p == '~' && (p[1] == '0' || p[1] == '1'))
            name[length++] = *++p == '0' ? '~' : '/';
        else
            name[length++] = *p;
    }
    name[length] = '\0';
    *pointer = p;
    if (json_is_array(value))
        return json_array_get(value, strtoul(name, NULL, 10));
    return json_object_get(value, name);
}

static int read_json(reading *r, const content *c, sh_err *err)
{
    sh_err why = {0};
    json_t *whole = NULL;
    const char *pointer = config_text(r, "ItemsPointer");
    if (c->end - c->text > (ptrdiff_t)JSON_MAX)
        return unreadable(r, "The JSON object is larger than this server reads (64 MiB).");
    int status = sh_flow_load(&whole, c->text, (size_t)(c->end - c->text), &why);
    if (status == SH_E_MEMORY)
        return sh_fail(err, status, "%s", why.message);
    if (status < 0)
        return unreadable(r, why.message);
    json_t *items = whole;
    while (items && pointer && *pointer == '/') {
        pointer++;
        items = point(items, &pointer);
    }
    if (json_is_array(items) || json_is_object(items))
        status = give_all(r, items, c->source, err);
    else
        status = unreadable(r, "Attempting to map over non-iterable node.");
    json_decref(whole);
    return status;
}

static bool blank(const char *from, const char *to)
{
    while (from < to && strchr(" \t\r", *from))
        from++;
    return from == to;
}

static int read_lines(reading *r, const content *c, sh_err *err)
{
    int status = 0;
    for (const char *at = c->text; status == 0 && at < c->end;) {
        sh_err why = {0};
        json_t *value = NULL;
        const char *eol = memchr(at, '\n', (size_t)(c->end - at));
        const char *stop = eol ? eol : c->end;
        if (!blank(at, stop)) {
            status = sh_flow_load(&value, at, (size_t)(stop - at), &why);
            if (status == SH_E_MEMORY)
                return sh_fail(err, status, "%s", why.message);
            status = status < 0 ? unreadable(r, why.message) : give(r, value, NULL, c->source, err);
        }
        at = eol ? eol + 1 : c->end;
    }
    return status;
}

static json_t *csv_item(const json_t *header, const json_t *record)
{
    json_t *item = json_object();
    size_t index;
    const json_t *name;
    json_array_foreach(header, index, name)
    {
        json_t *field = json_array_get(record, index);
        if (json_object_set_new(item, json_string_value(name), field ? json_incref(field) : json_string("")) <
            0) {
            json_decref(item);
            return NULL;
        }
    }
    return item;
}

/* An empty line. */
static bool is_empty(const json_t *record)
{
    return json_array_size(record) == 1 && json_string_length(json_array_get(record, 0)) == 0;
}

static int read_csv(reading *r, const content *c, sh_err *err)
{
    const json_t *given = config_of(r, "CSVHeaders");
    const char *place = config_text(r, "CSVHeaderLocation");
    char delimiter = sh_csv_delimiter(config_text(r, "CSVDelimiter"));
    const char *at = c->text;
    bool in_file = !place || strcmp(place, "GIVEN") != 0;
    json_t *header = in_file ? NULL : json_incref((json_t *)given);
    int status = 0;
    if (in_file && at == c->end)
        return 0;
    if (in_file)
        header = sh_csv_record(&at, c->end, delimiter);
    if (!header)
        return sh_fail(err, SH_E_MEMORY, "no memory for the header of a CSV object");
    while (status == 0 && at < c->end) {
        json_t *record = sh_csv_record(&at, c->end, delimiter);
        if (!record)
            status = sh_fail(err, SH_E_MEMORY, "no memory for a record of a CSV object");
        else if (!is_empty(record))
            status = give(r, csv_item(header, record), NULL, c->source, err);
        json_decref(record);
    }
    json_decref(header);
    return status;
}

/* ---- objects ---- */

static int read_object(reading *r, const char *bucket, const char *key, int depth, sh_err *err);

/* Names of objects, a line each: s3://bucket/key */
static int read_athena(reading *r, const content *c, int depth, sh_err *err)
{
    int status = 0;
    for (const char *at = c->text; status == 0 && at < c->end;) {
        json_t *record = sh_csv_record(&at, c->end, ',');
        const char *uri = json_string_value(json_array_get(record, 0));
        const char *slash = uri && strncasecmp(uri, "s3://", 5) == 0 ? strchr(uri + 5, '/') : NULL;
        char bucket[SH_BUCKET_NAME_MAX + 1];
        if (slash && slash - uri - 5 <= SH_BUCKET_NAME_MAX) {
            snprintf(bucket, sizeof(bucket), "%.*s", (int)(slash - uri - 5), uri + 5);
            status = read_object(r, bucket, slash + 1, depth + 1, err);
        } else if (uri && *uri) {
            status = unreadable(r, "A line of the manifest is not the name of an object (s3://bucket/key).");
        }
        json_decref(record);
    }
    return status;
}

static int read_inventory(reading *r, const content *c, int depth, sh_err *err)
{
    sh_err why = {0};
    json_t *manifest = NULL, *file;
    size_t index;
    int status = sh_flow_load(&manifest, c->text, (size_t)(c->end - c->text), &why);
    if (status < 0)
        return status == SH_E_MEMORY ? sh_fail(err, status, "%s", why.message) : unreadable(r, why.message);
    json_array_foreach(json_object_get(manifest, "files"), index, file)
    {
        const char *key = json_string_value(json_object_get(file, "key"));
        if (key)
            status = read_object(r, c->bucket, key, depth + 1, err);
        if (status)
            break;
    }
    json_decref(manifest);
    return status;
}

static int read_content(reading *r, const content *c, int depth, sh_err *err)
{
    const char *type = config_text(r, "InputType");
    const char *manifest = config_text(r, "ManifestType");
    bool is_manifest = type && strcmp(type, "MANIFEST") == 0;
    if (depth == 0 && manifest && strcmp(manifest, "ATHENA_DATA") == 0)
        return read_athena(r, c, depth, err);
    if (depth == 0 && (is_manifest || (manifest && strcmp(manifest, "S3_INVENTORY") == 0)))
        return read_inventory(r, c, depth, err);
    if (type && (strcmp(type, "CSV") == 0 || is_manifest))
        return read_csv(r, c, err);
    if (type && strcmp(type, "JSONL") == 0)
        return read_lines(r, c, err);
    return read_json(r, c, err);
}

static int read_mapped(reading *r, int fd, size_t size, content *c, int depth, sh_err *err)
{
    void *map = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (map == MAP_FAILED)
        return sh_fail(err, SH_E_IO, "cannot read the object of %s", c->source);
    c->text = map ? map : "";
    c->end = c->text + size;
    if (size >= 3 && memcmp(c->text, "\xef\xbb\xbf", 3) == 0)
        c->text += 3;
    int status = read_content(r, c, depth, err);
    if (map)
        munmap(map, size);
    return status;
}

/* An inventory's file in place of its packed form. */
static int unpack(reading *r, const char *key, int *fd, int64_t *size, sh_err *err)
{
    sh_objects objects = sh_cloud_objects(r->cloud);
    sh_err why = {0};
    char cause[SH_OBJECT_KEY_MAX + 600];
    int unpacked;
    int status = sh_map_gunzip(&objects, *fd, &unpacked, size, &why);
    if (status == SH_E_FORMAT || status == SH_E_LIMIT) {
        snprintf(cause, sizeof(cause), "The inventory's file %s cannot be read: %s.", key, why.message);
        return unreadable(r, cause);
    }
    if (status < 0)
        return sh_fail(err, status, "%s", why.message);
    close(*fd);
    *fd = unpacked;
    return 0;
}

static bool is_packed(const char *key)
{
    size_t length = strlen(key);
    return length > 3 && strcmp(key + length - 3, ".gz") == 0;
}

static int read_object(reading *r, const char *bucket, const char *key, int depth, sh_err *err)
{
    sh_objects objects = sh_cloud_objects(r->cloud);
    sh_object object;
    sh_bucket found;
    sh_err why = {0};
    int fd = -1;
    content c = {.bucket = bucket};
    if (depth > MANIFEST_DEPTH)
        return unreadable(r, "A manifest may not name manifests.");
    int may = permit(r, "s3:GetObject", bucket, key, err);
    if (may)
        return may;
    sh_arena *arena = sh_arena_new(OBJECT_MEMORY);
    if (!arena)
        return sh_fail(err, SH_E_MEMORY, "no memory for an object");
    int status = sh_object_open(&objects, bucket, key, arena, &object, &fd, &why);
    if (status == SH_E_NOT_FOUND)
        status =
            s3_fault(r, 404,
                     sh_bucket_get(&objects, bucket, &found, &why) < 0 ? "The specified bucket does not exist"
                                                                       : "The specified key does not exist.");
    else if (status < 0)
        sh_fail(err, status, "%s", why.message);
    if (fd >= 0) {
        int64_t size = object.size;
        c.source = sh_arena_printf(arena, "S3://%s/%s", bucket, key);
        status = c.source ? 0 : SH_E_MEMORY;
        if (status == 0 && depth > 0 && is_packed(key))
            status = unpack(r, key, &fd, &size, err);
        if (status == 0)
            status = read_mapped(r, fd, (size_t)size, &c, depth, err);
        close(fd);
    }
    sh_arena_free(arena);
    return status;
}

/* ---- listing ---- */

static int list_one(void *opaque, const sh_object *object, const char *common_prefix)
{
    json_t *page = opaque;
    json_t *item = json_pack("{s:o, s:s, s:f, s:I, s:s}", "Etag", json_sprintf("\"%s\"", object->etag), "Key",
                             object->key, "LastModified", (double)(object->modified_ms / 1000), "Size",
                             (json_int_t)object->size, "StorageClass", "STANDARD");
    return json_array_append_new(page, item) < 0 ? SH_E_MEMORY : 0;
}

static int give_page(reading *r, const json_t *page, const char *bucket, bool load, sh_err *err)
{
    int status = 0;
    size_t index;
    json_t *item;
    char source[SH_BUCKET_NAME_MAX + 8];
    snprintf(source, sizeof(source), "S3://%s", bucket);
    json_array_foreach(page, index, item)
    {
        if (!load)
            status = give(r, json_incref(item), NULL, source, err);
        else if (json_integer_value(json_object_get(item, "Size")) > 0)
            status = read_object(r, bucket, json_string_value(json_object_get(item, "Key")), 0, err);
        if (status)
            break;
    }
    return status;
}

/* One page, in an arena of its own: a listing may be long. *more: whether there is another, after `after`. */
static int list_page(reading *r, const char *bucket, const char *prefix, char after[SH_OBJECT_KEY_MAX + 1],
                     bool *more, sh_err *err)
{
    sh_objects objects = sh_cloud_objects(r->cloud);
    const char *way = config_text(r, "Transformation"), *next = NULL;
    sh_list_query query = {
        .bucket = bucket, .prefix = prefix ? prefix : "", .delimiter = "", .after = after, .max = PAGE};
    json_t *page = json_array();
    sh_arena *arena = sh_arena_new(PAGE_MEMORY);
    int status = arena ? sh_objects_list(&objects, &query, list_one, page, arena, &next, err)
                       : sh_fail(err, SH_E_MEMORY, "no memory for a listing");
    *more = status == 0 && next;
    if (*more)
        snprintf(after, SH_OBJECT_KEY_MAX + 1, "%s", next);
    sh_arena_free(arena);
    if (status == 0)
        status = give_page(r, page, bucket, way && strcmp(way, "LOAD_AND_FLATTEN") == 0, err);
    json_decref(page);
    return status;
}

static int list_objects(reading *r, const char *bucket, const char *prefix, sh_err *err)
{
    sh_objects objects = sh_cloud_objects(r->cloud);
    sh_bucket found;
    char after[SH_OBJECT_KEY_MAX + 1] = "";
    bool more = true;
    int may = permit(r, "s3:ListBucket", bucket, NULL, err);
    if (may)
        return may;
    int status = sh_bucket_get(&objects, bucket, &found, err);
    if (status == SH_E_NOT_FOUND)
        return s3_fault(r, 404, "The specified bucket does not exist");
    while (status == 0 && more)
        status = list_page(r, bucket, prefix, after, &more, err);
    return status;
}

/* ---- all of it ---- */

static int read_source(reading *r, sh_err *err)
{
    const json_t *reader = json_object_get(r->parameters, "Reader");
    const json_t *names = json_object_get(reader, "Parameters");
    const char *bucket = json_string_value(json_object_get(names, "Bucket"));
    const char *key = json_string_value(json_object_get(names, "Key"));
    const char *resource = json_string_value(json_object_get(reader, "Resource"));
    if (!reader)
        return give_all(r, json_object_get(r->parameters, "Items"), "STATE_DATA", err);
    r->max_items = json_integer_value(json_object_get(reader, "MaxItems"));
    if (r->max_items < 0)
        return unreadable(r, "field MaxItems must be positive");
    if (!bucket)
        return unreadable(r, "The Parameters of the ItemReader have no Bucket.");
    if (resource && strstr(resource, "listObjectsV2"))
        return list_objects(r, bucket, json_string_value(json_object_get(names, "Prefix")), err);
    return key ? read_object(r, bucket, key, 0, err)
               : unreadable(r, "The Parameters of the ItemReader have no Key.");
}

/* Of its own: the table of definitions belongs to those who step executions. */
static int parse_definition(reading *r, sh_err *err)
{
    sh_machine machine;
    if (!json_object_get(r->parameters, "Selector"))
        return 0;
    int status = sh_revision_get(r->cloud->db, r->arena, r->run->revision_row, &machine, err);
    return status == 0 ? sh_flow_parse(&r->flow, machine.definition, strlen(machine.definition), NULL, err)
                       : status;
}

static int read_all(reading *r, sh_err *err)
{
    int status = sh_actor_of_revision(r->cloud, r->run->revision_row, r->arena, &r->actor, err);
    if (status == 0)
        status = parse_definition(r, err);
    if (status == 0)
        status = begin_batches(r, err);
    if (status == 0)
        status = read_source(r, err);
    if (status >= 0 && !r->fault->error)
        status = end_batch(r, err);
    if (status >= 0 && !r->fault->error)
        status = flush_rows(r, err);
    return status < 0 ? status : 0;
}

int sh_map_read(sh_cloud *cloud, sh_arena *arena, const sh_map_run *run, int64_t *items, int64_t *children,
                sh_map_fault *fault_out, sh_err *err)
{
    json_t *parameters = NULL;
    int status = sh_flow_load(&parameters, run->parameters, strlen(run->parameters), err);
    if (status < 0)
        return status;
    reading r = {.cloud = cloud,
                 .arena = arena,
                 .run = run,
                 .parameters = parameters,
                 .env = {.now_ms = sh_now_ms(cloud->clock), .random = sh_world_random, .hash = sh_world_hash},
                 .fault = fault_out};
    status = read_all(&r, err);
    for (size_t i = 0; i < r.row_count; i++)
        free(r.rows[i]);
    *items = r.index;
    *children = r.children;
    sh_buf_free(&r.head);
    sh_buf_free(&r.batch);
    sh_flow_free(r.flow);
    json_decref(parameters);
    return status;
}
