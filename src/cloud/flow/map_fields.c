/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fields that only a Map state has: its processor, and what a distributed one reads, batches, tolerates
 * and writes. ItemReader, ItemBatcher and ResultWriter are objects with fields of their own, one row each.
 * Whether the state is a distributed one is known only when all its fields were read: sh_map_check. */
#include "cloud/flow/reader.h"
#include <stdio.h>
#include <string.h>

enum { MAX_LABEL = 40, MAX_ITEMS = 100000000, MAX_BATCH_BYTES = 256 * 1024 };

static sh_map *map_of(sh_reader *r, sh_state *state)
{
    if (!state->map) {
        state->map = sh_reader_alloc(r, 1, sizeof(*state->map));
        if (state->map)
            *state->map = (sh_map){0};
    }
    return state->map;
}

/* ---- objects with fields of their own ---- */

typedef struct part {
    const char *name;
    void (*read)(sh_reader *r, sh_map *map, json_t *value, const char *name);
} part;

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);

    return length >= tail && !strcmp(text + length - tail, end);
}

/* Parameters and paths belong to JSONPath, Arguments to JSONata. */
static bool fits_language(sh_reader *r, const char *key)
{
    bool jsonata = r->state->jsonata;

    if (jsonata ? strcmp(key, "Parameters") && !ends_with(key, "Path") : strcmp(key, "Arguments") != 0)
        return true;
    sh_read_wrong_language(r, key);
    return false;
}

typedef void (*read_field)(sh_reader *r, void *opaque, const char *key, json_t *value);

/* Each field of an object, entered. */
static void read_fields(sh_reader *r, json_t *object, read_field read, void *opaque)
{
    const char *key;
    json_t *item;

    if (!json_is_object(object)) {
        sh_reader_problem(r, SH_SCHEMA, "Expected value of type Object");
        return;
    }
    json_object_foreach(object, key, item)
    {
        sh_reader_enter(r, key);
        read(r, opaque, key, item);
        sh_reader_leave(r);
    }
}

static void unknown_field(sh_reader *r, const char *key, const char *object)
{
    sh_reader_problem(r, SH_SCHEMA, "Field '%.100s' is not supported in %s", key, object);
}

typedef struct part_reader {
    sh_map *map;
    const char *name; /* of the object */
    const part *parts;
} part_reader;

static void read_part(sh_reader *r, void *opaque, const char *key, json_t *value)
{
    const part_reader *reader = opaque;
    const part *found = reader->parts;

    while (found->name && strcmp(found->name, key))
        found++;
    if (found->name && fits_language(r, key))
        found->read(r, reader->map, value, found->name);
    else if (!found->name)
        unknown_field(r, key, reader->name);
}

static void read_parts(sh_reader *r, sh_state *state, json_t *value, const char *name, const part *parts)
{
    part_reader reader = {map_of(r, state), name, parts};

    if (reader.map)
        read_fields(r, value, read_part, &reader);
}

/* One of `words`, which ends with NULL. */
static bool read_word(sh_reader *r, const json_t *value, const char *const *words, const char **out)
{
    const char *text;
    char list[256] = "";

    if (!sh_read_string(r, value, &text))
        return false;
    for (const char *const *word = words; *word; word++) {
        size_t used = strlen(list);

        if (!strcmp(*word, text)) {
            *out = *word;
            return true;
        }
        snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", *word);
    }
    sh_reader_problem(r, SH_SCHEMA, "Value is not one of: %s", list);
    return false;
}

/* ---- ItemReader ---- */

static void read_source(sh_reader *r, sh_map *map, json_t *value, const char *name)
{
    const char *arn;

    if (!sh_read_string(r, value, &arn))
        return;
    if (strncmp(arn, "arn:", 4) ||
        (!ends_with(arn, ":states:::s3:getObject") && !ends_with(arn, ":states:::s3:listObjectsV2")))
        sh_reader_problem(r, SH_SCHEMA,
                          "The resource of an ItemReader is arn:aws:states:::s3:getObject or "
                          "arn:aws:states:::s3:listObjectsV2");
    map->resource = arn;
}

static void read_source_parameters(sh_reader *r, sh_map *map, json_t *value, const char *name)
{
    sh_read_template(r, value, &map->reader);
}

static void read_headers(sh_reader *r, const json_t *value)
{
    size_t index;
    const json_t *item;
    const char *text;

    if (!json_is_array(value) || !json_array_size(value)) {
        sh_reader_problem(r, SH_SCHEMA, "Expected an array of column names");
        return;
    }
    json_array_foreach(value, index, item)
    {
        sh_reader_enter_index(r, index);
        sh_read_string(r, item, &text);
        sh_reader_leave(r);
    }
}

static void read_config_field(sh_reader *r, void *opaque, const char *key, json_t *value)
{
    static const char *const types[] = {"CSV", "JSON", "JSONL", "PARQUET", "MANIFEST", NULL};
    static const char *const places[] = {"FIRST_ROW", "GIVEN", NULL};
    static const char *const delimiters[] = {"COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB", NULL};
    static const char *const ways[] = {"NONE", "LOAD_AND_FLATTEN", NULL};
    static const char *const manifests[] = {"ATHENA_DATA", "S3_INVENTORY", NULL};
    static const struct {
        const char *name;
        const char *const *words;
    } words[] = {{"InputType", types},
                 {"CSVHeaderLocation", places},
                 {"CSVDelimiter", delimiters},
                 {"Transformation", ways},
                 {"ManifestType", manifests}};
    sh_map *map = opaque;
    const char *text;

    if (!fits_language(r, key))
        return;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (!strcmp(words[i].name, key)) {
            read_word(r, value, words[i].words, &text);
            return;
        }
    if (!strcmp(key, "CSVHeaders"))
        read_headers(r, value);
    else if (!strcmp(key, "MaxItems"))
        sh_read_number_field(r, value, "MaxItems", 0, MAX_ITEMS, &map->max_items);
    else if (!strcmp(key, "MaxItemsPath"))
        sh_read_number_field(r, value, "MaxItemsPath", 0, MAX_ITEMS, &map->max_items);
    else if (!strcmp(key, "ItemsPointer"))
        sh_read_string(r, value, &text);
    else
        unknown_field(r, key, "ReaderConfig");
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static void read_config(sh_reader *r, sh_map *map, json_t *value, const char *name)
{
    read_fields(r, value, read_config_field, map);
    if (!json_is_object(value))
        return;
    if (!strcmp(text_of(value, "InputType"), "CSV"))
        sh_read_require(r, value, "CSVHeaderLocation");
    if (!strcmp(text_of(value, "CSVHeaderLocation"), "GIVEN"))
        sh_read_require(r, value, "CSVHeaders");
    if (!strcmp(text_of(value, "InputType"), "PARQUET")) {
        r->unsupported = true;
        sh_reader_problem(r, SH_SCHEMA, "InputType PARQUET is not supported by this server");
    }
    map->reader_config = value;
}

void sh_map_read_reader(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    static const part parts[] = {{"Resource", read_source},
                                 {"Parameters", read_source_parameters},
                                 {"Arguments", read_source_parameters},
                                 {"ReaderConfig", read_config},
                                 {NULL, NULL}};

    read_parts(r, state, value, name, parts);
    if (json_is_object(value))
        sh_read_require(r, value, "Resource");
}

/* ---- ItemBatcher ---- */

static void read_batch_items(sh_reader *r, sh_map *map, json_t *value, const char *name)
{
    sh_read_number_field(r, value, name, 0, MAX_ITEMS, &map->batch_items);
}

static void read_batch_bytes(sh_reader *r, sh_map *map, json_t *value, const char *name)
{
    sh_read_number_field(r, value, name, 0, MAX_BATCH_BYTES, &map->batch_bytes);
}

static void read_batch_input(sh_reader *r, sh_map *map, json_t *value, const char *name)
{
    sh_read_template(r, value, &map->batch_input);
}

void sh_map_read_batcher(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    static const part parts[] = {{"MaxItemsPerBatch", read_batch_items},
                                 {"MaxItemsPerBatchPath", read_batch_items},
                                 {"MaxInputBytesPerBatch", read_batch_bytes},
                                 {"MaxInputBytesPerBatchPath", read_batch_bytes},
                                 {"BatchInput", read_batch_input},
                                 {NULL, NULL}};

    read_parts(r, state, value, name, parts);
    if (!state->map)
        return;
    state->map->batched = true;
    if (!state->map->batch_items.given && !state->map->batch_bytes.given)
        sh_reader_problem(r, SH_SCHEMA, "An ItemBatcher needs MaxItemsPerBatch or MaxInputBytesPerBatch");
}

/* ---- ResultWriter ---- */

static void read_target(sh_reader *r, sh_map *map, json_t *value, const char *name)
{
    const char *arn;

    if (sh_read_string(r, value, &arn) &&
        (strncmp(arn, "arn:", 4) || !ends_with(arn, ":states:::s3:putObject")))
        sh_reader_problem(r, SH_SCHEMA, "The resource of a ResultWriter is arn:aws:states:::s3:putObject");
    map->writes = true;
}

static void read_target_parameters(sh_reader *r, sh_map *map, json_t *value, const char *name)
{
    sh_read_template(r, value, &map->writer);
}

static void read_writer_config_field(sh_reader *r, void *opaque, const char *key, json_t *value)
{
    static const char *const ways[] = {"NONE", "COMPACT", "FLATTEN", NULL};
    static const char *const types[] = {"JSON", "JSONL", NULL};
    sh_map *map = opaque;
    const char *type;

    if (!strcmp(key, "Transformation"))
        read_word(r, value, ways, &map->transformation);
    else if (strcmp(key, "OutputType"))
        unknown_field(r, key, "WriterConfig");
    else if (read_word(r, value, types, &type))
        map->lines = !strcmp(type, "JSONL");
}

static void read_writer_config(sh_reader *r, sh_map *map, json_t *value, const char *name)
{
    read_fields(r, value, read_writer_config_field, map);
    if (json_is_object(value) && !map->transformation)
        map->transformation = "NONE";
}

void sh_map_read_writer(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    static const part parts[] = {{"Resource", read_target},
                                 {"Parameters", read_target_parameters},
                                 {"Arguments", read_target_parameters},
                                 {"WriterConfig", read_writer_config},
                                 {NULL, NULL}};

    read_parts(r, state, value, name, parts);
    if (!state->map)
        return;
    if (state->map->writes != (state->map->writer != NULL))
        sh_reader_problem(r, SH_SCHEMA, "A ResultWriter has both Resource and Parameters, or neither");
    else if (!state->map->writes && !state->map->transformation)
        sh_reader_problem(r, SH_SCHEMA, "A ResultWriter needs Resource and Parameters, or WriterConfig");
    if (!state->map->transformation)
        state->map->transformation = "NONE";
}

/* ---- the rest ---- */

void sh_map_read_failures(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_map *map = map_of(r, state);

    if (map && json_is_real(value) && !strcmp(name, "ToleratedFailurePercentage")) {
        if (sh_read_number(r, value, 0, 100, &map->failure_percentage.value))
            map->failure_percentage = (sh_number_field){
                .given = true, .value = map->failure_percentage.value, .name = "ToleratedFailurePercentage"};
    } else if (map && strstr(name, "Percentage"))
        sh_read_number_field(r, value, name, 0, 100, &map->failure_percentage);
    else if (map)
        sh_read_number_field(r, value, name, 0, MAX_ITEMS, &map->failure_count);
}

static bool label_character(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f && !strchr("<>{}[]?*\"#%\\^|~`$&,;:/", c);
}

void sh_map_read_label(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    sh_map *map = map_of(r, state);
    const char *label;
    bool ok;

    if (!map || !sh_read_string(r, value, &label))
        return;
    ok = *label && strlen(label) <= MAX_LABEL;
    for (const char *p = label; ok && *p; p++)
        ok = label_character(*p);
    if (!ok)
        sh_reader_problem(r, SH_SCHEMA,
                          "A Label has at most %d characters, no white space, wildcards, brackets or other "
                          "special characters",
                          MAX_LABEL);
    map->label = label;
}

void sh_map_read_processor(sh_reader *r, sh_state *state, json_t *value, const char *name)
{
    static const char *const modes[] = {"INLINE", "DISTRIBUTED", NULL};
    static const char *const types[] = {"STANDARD", "EXPRESS", NULL};
    sh_map *map = map_of(r, state);
    const json_t *config = json_object_get(value, "ProcessorConfig");
    const char *mode = "", *type = "", *key;
    json_t *item;

    if (!map)
        return;
    if (state->machine_count) {
        sh_read_one_of(r, "ItemProcessor", "Iterator");
        return;
    }
    sh_reader_enter(r, "ProcessorConfig");
    json_object_foreach((json_t *)config, key, item)
    {
        sh_reader_enter(r, key);
        if (!strcmp(key, "Mode"))
            read_word(r, item, modes, &mode);
        else if (!strcmp(key, "ExecutionType"))
            read_word(r, item, types, &type);
        else
            unknown_field(r, key, "ProcessorConfig");
        sh_reader_leave(r);
    }
    map->distributed = !strcmp(mode, "DISTRIBUTED");
    map->express = !strcmp(type, "EXPRESS");
    if (map->distributed && !*type)
        sh_reader_problem(r, SH_SCHEMA, "ExecutionType is required when Mode is DISTRIBUTED");
    sh_reader_leave(r);
    map->processor = value;
    state->machines = sh_reader_alloc(r, 1, sizeof(*state->machines));
    if (state->machines)
        state->machines[state->machine_count++] = sh_machine_read(r, value);
}

/* A label that is always the same for the same state. */
static const char *make_label(sh_reader *r, const char *name)
{
    uint64_t a = 0xcbf29ce484222325u, b;

    for (const char *p = name; *p; p++)
        a = (a ^ (unsigned char)*p) * 0x100000001b3u;
    b = (a ^ (a >> 29)) * 0xbf58476d1ce4e5b9u;
    return sh_arena_printf(r->flow->build.arena, "%08x-%04x-3%03x-8%03x-%012llx", (unsigned)(a >> 32),
                           (unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xfff, (unsigned)(b >> 48) & 0xfff,
                           (unsigned long long)(b & 0xffffffffffffu));
}

/* A label stands in the names of the children: it belongs to one state. */
static void check_label(sh_reader *r, const sh_state *state)
{
    for (size_t i = 0; i < r->flow->task_count; i++) {
        const sh_map *other = r->flow->tasks[i]->map;

        if (!other || !other->label || strcmp(other->label, state->map->label))
            continue;
        sh_reader_enter(r, "Label");
        sh_reader_problem(r, SH_SCHEMA, "Label is not unique in this definition: %.100s", state->map->label);
        sh_reader_leave(r);
        return;
    }
}

static void check_reference(sh_reader *r, const sh_number_field *field, const char *outer)
{
    if (!field->path || (sh_path_is_reference(field->path) && !sh_path_is_context(field->path)))
        return;
    if (outer)
        sh_reader_enter(r, outer);
    sh_reader_enter(r, field->name);
    sh_reader_problem(r, SH_SCHEMA, "Value is not a Reference Path");
    sh_reader_leave(r);
    if (outer)
        sh_reader_leave(r);
}

static void check_references(sh_reader *r, const sh_state *state)
{
    const sh_map *map = state->map;

    check_reference(r, &state->max_concurrency, NULL);
    if (!map)
        return;
    check_reference(r, &map->failure_count, NULL);
    check_reference(r, &map->failure_percentage, NULL);
    check_reference(r, &map->batch_items, "ItemBatcher");
    check_reference(r, &map->batch_bytes, "ItemBatcher");
    if (map->max_items.path)
        sh_reader_enter(r, "ItemReader");
    check_reference(r, &map->max_items, "ReaderConfig");
    if (map->max_items.path)
        sh_reader_leave(r);
}

void sh_map_check(sh_reader *r, sh_state *state, const json_t *value)
{
    static const char *const fields[] = {"ItemReader", "ItemBatcher", "ResultWriter", "Label"};
    sh_map *map = state->map;

    if (!state->machine_count)
        sh_reader_problem(r, SH_SCHEMA, "These fields are required: [ItemProcessor]");
    for (size_t i = 0; map && map->processor && !map->distributed && i < sizeof(fields) / sizeof(*fields);
         i++)
        if (json_object_get(value, fields[i])) {
            sh_reader_enter(r, fields[i]);
            sh_reader_problem(r, SH_SCHEMA, "%s needs a ProcessorConfig with Mode DISTRIBUTED", fields[i]);
            sh_reader_leave(r);
        }
    check_references(r, state);
    if (!map || !map->distributed)
        return;
    state->resource = (sh_flow_resource){.kind = SH_FLOW_MAP_RUN,
                                         .arn = "arn:aws:states:::states:mapRun",
                                         .service = "states",
                                         .action = "mapRun"};
    if (!map->label)
        map->label = make_label(r, state->name);
    if (map->label)
        check_label(r, state);
    else
        r->memory = true;
}
