/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a target is given. An InputTransformer names parts of the event by paths ($.detail.object.key,
 * $.resources[0], $.detail.list[*]) and has a template in which <name> stands for such a part:
 *
 *   outside quotes   its JSON: {"bucket": <bucket>} -> {"bucket": "in"}; a part that is not there is ""
 *   inside quotes    its text, escaped so that the string stays one: "s3://<bucket>/<key>"; objects and lists
 *                    without their quotation marks, as AWS writes them; a part that is not there is empty
 *
 * <aws.events.rule-arn>, .rule-name, .event.ingestion-time, .event (without detail) and .event.json (all of
 * it) need no path. A '<' that begins no name is text. */
#include "cloud/api/events.h"
#include "cloud/flow/flow.h"
#include "base/size.h"

#include <stdlib.h>
#include <string.h>

#define TEMPLATE_MAX 8192
#define PATHS_MAX 100
#define NAME_MAX_BYTES 256

/* ---- paths ---- */

static const json_t *walk(const char *path, const json_t *value, json_t *many, sh_err *err);

/* Each element of a list, or of an object's values, taken further by the rest of the path, into `many`. */
static void walk_all(const char *rest, const json_t *value, json_t *many)
{
    size_t index;
    const char *name;
    json_t *item;
    json_array_foreach(value, index, item)
    {
        const json_t *found = walk(rest, item, many, NULL);
        if (found)
            json_array_append(many, (json_t *)found);
    }
    json_object_foreach((json_t *)value, name, item)
    {
        const json_t *found = walk(rest, item, many, NULL);
        if (found)
            json_array_append(many, (json_t *)found);
    }
}

static const json_t *member(const json_t *value, const char *name, size_t length)
{
    char copy[NAME_MAX_BYTES + 1];
    if (length > NAME_MAX_BYTES)
        return NULL;
    memcpy(copy, name, length);
    copy[length] = '\0';
    return json_object_get(value, copy);
}

/* One step at *path: ".name", "[3]", "['name']", ".*", "[*]". *all: a wildcard. False: not a path. */
static bool step(const char **path, const json_t **value, bool *all)
{
    const char *p = *path + 1;
    int64_t index;
    size_t length;
    bool bracket = **path == '[';
    *all = false;
    if (!bracket && **path != '.')
        return false;
    if (bracket && (*p == '\'' || *p == '"')) {
        length = strcspn(p + 1, "'\"");
        *value = member(*value, p + 1, length);
        *path = p + length + 3;
        return p[length + 1] == *p && p[length + 2] == ']';
    }
    length = bracket ? strcspn(p, "]") : strcspn(p, ".[");
    *path = p + length + bracket;
    if (length == 0 || (bracket && p[length] != ']'))
        return false;
    if (length == 1 && *p == '*')
        *all = true;
    else if (!bracket)
        *value = member(*value, p, length);
    else if (sh_parse_i64(p, length, 0, INT32_MAX, &index))
        *value = json_array_get(*value, (size_t)index);
    else
        return false;
    return true;
}

static const json_t *walk(const char *path, const json_t *value, json_t *many, sh_err *err)
{
    bool all;
    while (*path) {
        if (!step(&path, &value, &all)) {
            sh_fail(err, SH_E_FORMAT, "not a path this server knows: $.name, [0] and [*] exist");
            return NULL;
        }
        if (all) {
            walk_all(path, value, many);
            return NULL;
        }
    }
    return value;
}

/* New reference; NULL with err->status 0 when the path leads nowhere. */
static json_t *look_up(const char *path, const json_t *event, sh_err *err)
{
    if (path[0] != '$') {
        sh_fail(err, SH_E_FORMAT, "path '%.200s' does not begin with $", path);
        return NULL;
    }
    json_t *many = json_array();
    const json_t *found = walk(path + 1, event, many, err);
    bool is_many = strchr(path, '*') != NULL && !found;
    json_t *result = is_many && json_array_size(many) > 0 ? json_incref(many) : json_incref((json_t *)found);
    json_decref(many);
    return result;
}

static int check_path(const char *path, sh_err *err)
{
    sh_err local = {0};
    json_t *nothing = json_object();
    json_decref(look_up(path, nothing, &local));
    json_decref(nothing);
    return local.status < 0 ? sh_fail(err, local.status, "%s", local.message) : 0;
}

/* ---- templates ---- */

typedef struct filling {
    const json_t *paths;
    const sh_event_context *context;
    sh_buf *out;
} filling;

/* Length of a name between '<' and '>' at p, 0 when there is none. */
static size_t name_length(const char *p)
{
    size_t length = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");
    return length <= NAME_MAX_BYTES && p[length] == '>' ? length : 0;
}

static json_t *without_detail(const json_t *event)
{
    json_t *copy = json_copy((json_t *)event);
    json_object_del(copy, "detail");
    return copy;
}

static const char *const reserved[] = {
    "aws.events.rule-arn", "aws.events.rule-name",  "aws.events.event.ingestion-time",
    "aws.events.event",    "aws.events.event.json",
};

static int reserved_index(const char *name)
{
    for (int i = 0; i < (int)SH_COUNT(reserved); i++) {
        if (strcmp(name, reserved[i]) == 0)
            return i;
    }
    return -1;
}

static json_t *reserved_value(int index, const sh_event_context *context)
{
    char time[SH_TIME_TEXT];
    switch (index) {
    case 0:
        return json_string(context->rule_arn);
    case 1:
        return json_string(context->rule_name);
    case 2:
        sh_time_iso_s(context->ingested_ms, time);
        return json_string(time);
    case 3:
        return without_detail(context->event);
    default:
        return json_incref((json_t *)context->event);
    }
}

/* New reference, NULL when it is not there. */
static json_t *value_of(const filling *f, const char *name)
{
    sh_err ignored = {0};
    int index = reserved_index(name);
    const char *path = json_string_value(json_object_get(f->paths, name));
    if (index >= 0)
        return reserved_value(index, f->context);
    return path ? look_up(path, f->context->event, &ignored) : NULL;
}

/* The JSON text between its own quotation marks. */
static void put_escaped(sh_buf *out, const json_t *text)
{
    char *dumped = sh_flow_text(text);
    if (!dumped)
        out->failed = true;
    else
        sh_buf_append(out, dumped + 1, strlen(dumped) - 2);
    free(dumped);
}

static void put_unquoted(sh_buf *out, const json_t *value)
{
    char *dumped = sh_flow_text(value);
    if (!dumped)
        out->failed = true;
    for (const char *p = dumped; p && *p; p++) {
        if (*p == '\\' && p[1])
            sh_buf_putc(out, *p++);
        else if (*p == '"')
            continue;
        sh_buf_putc(out, *p);
    }
    free(dumped);
}

static void put_value(sh_buf *out, const json_t *value, bool in_quotes)
{
    if (!value)
        sh_buf_puts(out, in_quotes ? "" : "\"\"");
    else if (!in_quotes)
        sh_flow_dump(out, value);
    else if (json_is_string(value))
        put_escaped(out, value);
    else
        put_unquoted(out, value);
}

static void fill(const filling *f, const char *text)
{
    bool in_quotes = false;
    for (const char *p = text; *p;) {
        char name[NAME_MAX_BYTES + 1];
        size_t length = *p == '<' ? name_length(p + 1) : 0;
        if (length) {
            memcpy(name, p + 1, length);
            name[length] = '\0';
            json_t *value = value_of(f, name);
            put_value(f->out, value, in_quotes);
            json_decref(value);
            p += length + 2;
            continue;
        }
        if (*p == '\\' && p[1])
            sh_buf_putc(f->out, *p++);
        else if (*p == '"')
            in_quotes = !in_quotes;
        sh_buf_putc(f->out, *p++);
    }
}

/* ---- checks ---- */

static int check_names(const json_t *paths, const char *text, sh_err *err)
{
    for (const char *p = text; (p = strchr(p, '<')); p++) {
        char name[NAME_MAX_BYTES + 1];
        size_t length = name_length(p + 1);
        if (!length)
            continue;
        memcpy(name, p + 1, length);
        name[length] = '\0';
        if (reserved_index(name) < 0 && !json_object_get(paths, name))
            return sh_fail(err, SH_E_FORMAT, "InputTemplate contains invalid placeholder %s", name);
    }
    return 0;
}

static int check_paths(const json_t *paths, sh_err *err)
{
    const char *name;
    json_t *path;
    if (paths && !json_is_object(paths))
        return sh_fail(err, SH_E_FORMAT, "InputPathsMap is not an object");
    if (json_object_size(paths) > PATHS_MAX)
        return sh_fail(err, SH_E_FORMAT, "InputPathsMap has more than %d entries", PATHS_MAX);
    json_object_foreach((json_t *)paths, name, path)
    {
        if (!json_is_string(path) || check_path(json_string_value(path), err) < 0)
            return sh_fail(err, SH_E_FORMAT, "InputPathsMap: '%s' has no valid path", name);
        if (strncasecmp(name, "aws.", 4) == 0)
            return sh_fail(err, SH_E_FORMAT, "InputPathsMap: names that begin with AWS. are reserved");
    }
    return 0;
}

/* Filled from an event that has nothing, a JSON template must still be JSON. */
static int check_template(const json_t *paths, const char *text, sh_err *err)
{
    sh_buf filled;
    sh_err local = {0};
    json_t *value = NULL;
    json_t *nothing = json_object();
    sh_event_context context = {.event = nothing, .rule_name = "", .rule_arn = ""};
    sh_buf_init(&filled, 1 << 20);
    filling f = {paths, &context, &filled};
    fill(&f, text);
    char first = text[strspn(text, " \t\r\n")];
    int status = 0;
    if (first == '{' || first == '[')
        status = sh_flow_load(&value, sh_buf_cstr(&filled), filled.length, &local);
    if (status < 0)
        sh_fail(err, SH_E_FORMAT, "InputTemplate is not valid JSON: %s", local.message);
    json_decref(value);
    json_decref(nothing);
    sh_buf_free(&filled);
    return status;
}

static int check_transformer(const json_t *transformer, sh_err *err)
{
    const json_t *paths = json_object_get(transformer, "InputPathsMap");
    const char *text = json_string_value(json_object_get(transformer, "InputTemplate"));
    int status = check_paths(paths, err);
    if (status < 0)
        return status;
    if (!text || !*text || strlen(text) > TEMPLATE_MAX)
        return sh_fail(err, SH_E_FORMAT, "InputTemplate is a text of 1 to %d bytes", TEMPLATE_MAX);
    status = check_names(paths, text, err);
    return status < 0 ? status : check_template(paths, text, err);
}

int sh_target_check(const json_t *target, sh_err *err)
{
    const json_t *input = json_object_get(target, "Input");
    const json_t *path = json_object_get(target, "InputPath");
    const json_t *transformer = json_object_get(target, "InputTransformer");
    json_t *value = NULL;
    if (!!input + !!path + !!transformer > 1)
        return sh_fail(err, SH_E_FORMAT,
                       "only one of Input, InputPath, or InputTransformer must be provided");
    if (transformer)
        return check_transformer(transformer, err);
    if (path)
        return json_is_string(path) ? check_path(json_string_value(path), err)
                                    : sh_fail(err, SH_E_FORMAT, "InputPath is not a string");
    if (!input)
        return 0;
    if (!json_is_string(input))
        return sh_fail(err, SH_E_FORMAT, "Input is not a string");
    int status = sh_flow_load(&value, json_string_value(input), json_string_length(input), err);
    json_decref(value);
    return status < 0 ? sh_err_prefix(err, "Input is not valid JSON") : 0;
}

int sh_target_input(const json_t *target, const sh_event_context *context, sh_buf *out, sh_err *err)
{
    const char *input = json_string_value(json_object_get(target, "Input"));
    const char *path = json_string_value(json_object_get(target, "InputPath"));
    const json_t *transformer = json_object_get(target, "InputTransformer");
    sh_err local = {0};
    if (input) {
        sh_buf_puts(out, input);
    } else if (transformer) {
        filling f = {json_object_get(transformer, "InputPathsMap"), context, out};
        fill(&f, json_string_value(json_object_get(transformer, "InputTemplate")));
    } else {
        json_t *value = look_up(path ? path : "$", context->event, &local);
        if (!value)
            return sh_fail(err, SH_E_FORMAT, "InputPath %s leads nowhere in the event", path ? path : "$");
        sh_flow_dump(out, value);
        json_decref(value);
    }
    return out->failed
               ? sh_fail(err, SH_E_LIMIT, "the input of the target is larger than %zu bytes", out->maximum)
               : 0;
}
