/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A parameter's name is a path: "Tags.member.2.Key" is the member Key of the second item of the list Tags.
 * The path is walked from the root, making objects and lists on the way; a name that would make a list of
 * what is an object already (or the other way) is refused. Items have to come as 1, 2, 3 …, in any order: a
 * list is first an object with numbers for names, and is put in order at the end, so that "member.4000000000"
 * costs nothing. */
#include "cloud/api/query.h"
#include "base/buf.h"
#include "base/size.h"
#include "cloud/http/head.h"
#include "cloud/http/xml.h"

#include <stdio.h>
#include <string.h>

enum { PARAMS_MAX = 2000, DEPTH_MAX = 8, NAME_MAX_BYTES = 256, ANSWER_MAX = 16 << 20 };
#define LIST_MARK "\n" /* a name that no path can have: this object is a list */

typedef struct reader {
    const sh_query_service *service;
    sh_arena *arena;
    json_t *root;
    const char *action;
    int count;
} reader;

static sh_query_kind kind_of(const sh_query_service *service, const char *name)
{
    for (const sh_query_member *m = service->members; m && m->name; m++)
        if (strcmp(m->name, name) == 0)
            return m->kind;
    return 0;
}

/* The row of a name of the wire (by_wire) or of ours. */
static const sh_query_name *renamed(const sh_query_name *rows, const char *name, bool by_wire, json_type type)
{
    for (; rows->name; rows++)
        if (strcmp(by_wire ? rows->wire : rows->name, name) == 0 && (by_wire || rows->type == type))
            return rows;
    return NULL;
}

/* ---- reading ---- */

static bool is_number(const char *text)
{
    return *text && strspn(text, "0123456789") == strlen(text);
}

/* The next step of a path: a copy of what stands before the '.', "" at the end. */
static bool take_step(const char **at, char step[NAME_MAX_BYTES])
{
    size_t length = strcspn(*at, ".");
    if (length >= NAME_MAX_BYTES)
        return false;
    memcpy(step, *at, length);
    step[length] = '\0';
    *at += length + ((*at)[length] == '.');
    return true;
}

/* The object or list of that name within `node`; made when it is missing, NULL when it is something else. */
static json_t *inner(json_t *node, const char *name, bool list)
{
    json_t *child = json_object_get(node, name);
    if (!child) {
        child = json_object();
        if (child && list)
            json_object_set_new(child, LIST_MARK, json_true());
        if (json_object_set_new(node, name, child) < 0)
            return NULL;
    }
    return json_is_object(child) && (json_object_get(child, LIST_MARK) != NULL) == list ? child : NULL;
}

static int wrong(const char *name, sh_err *err)
{
    return sh_fail(err, SH_E_FORMAT, "the parameter %.200s does not fit the others or is not well formed",
                   name);
}

static json_t *typed(const reader *r, const char *name, const char *text)
{
    int64_t number;
    switch (kind_of(r->service, name)) {
    case SH_QUERY_INTEGER:
        return sh_parse_i64(text, strlen(text), INT64_MIN, INT64_MAX, &number) ? json_integer(number) : NULL;
    case SH_QUERY_BOOLEAN:
        if (strcmp(text, "true") == 0)
            return json_true();
        return strcmp(text, "false") == 0 ? json_false() : NULL;
    case SH_QUERY_LIST:
        return *text ? NULL : json_array();
    default:
        return json_string(text);
    }
}

static int put_value(const reader *r, json_t *node, const char *path, const char *step, const char *text,
                     sh_err *err)
{
    json_t *value;
    if (!*step || json_object_get(node, step))
        return wrong(path, err);
    value = typed(r, step, text);
    if (!value)
        return sh_fail(err, SH_E_FORMAT, "the value of the parameter %.200s is not of its type", path);
    return json_object_set_new(node, step, value) < 0 ? sh_fail(err, SH_E_MEMORY, "no memory for a request")
                                                      : 0;
}

static int put_param(reader *r, const char *path, const char *text, sh_err *err)
{
    char step[NAME_MAX_BYTES], next[NAME_MAX_BYTES];
    const char *at = path;
    json_t *node = r->root;
    if (strstr(path, LIST_MARK) || !take_step(&at, step))
        return wrong(path, err);
    for (int depth = 0; *at; depth++) {
        if (depth == DEPTH_MAX)
            return sh_fail(err, SH_E_LIMIT, "the parameter %.200s is too deep", path);
        if (!*step || !take_step(&at, next))
            return wrong(path, err);
        bool bare = r->service->dialect != NULL;
        bool list = bare ? is_number(next) : strcmp(next, "member") == 0;
        node = inner(node, step, list);
        if (!node || (list && !bare && (!take_step(&at, next) || !is_number(next))))
            return wrong(path, err);
        memcpy(step, next, sizeof(step));
    }
    return put_value(r, node, path, step, text, err);
}

static json_t *in_order(const sh_query_service *service, json_t *value);

static json_t *list_of(const sh_query_service *service, json_t *object)
{
    char name[32];
    json_t *list = json_array();
    size_t count = json_object_size(object) - 1; /* without the mark */
    for (size_t i = 1; list && i <= count; i++) {
        snprintf(name, sizeof(name), "%zu", i);
        json_t *item = json_object_get(object, name);
        json_t *ready = item ? in_order(service, item) : NULL;
        if (!ready || json_array_append_new(list, ready) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* A new value in which the lists are lists; NULL: an item is missing, or there is no memory. */
static json_t *in_order(const sh_query_service *service, json_t *value)
{
    const char *name;
    json_t *member;
    if (!json_is_object(value))
        return json_incref(value);
    if (json_object_get(value, LIST_MARK))
        return list_of(service, value);
    json_t *object = json_object();
    json_object_foreach(value, name, member)
    {
        json_t *ready = in_order(service, member);
        const sh_query_name *row = service->dialect && json_is_array(ready)
                                       ? renamed(service->dialect->lists, name, true, JSON_ARRAY)
                                       : NULL;
        if (!object || !ready || json_object_set_new(object, row ? row->name : name, ready) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static int read_pair(reader *r, const char *text, size_t length, sh_err *err)
{
    const char *equals = memchr(text, '=', length);
    size_t name_length = equals ? (size_t)(equals - text) : length;
    char *name = sh_http_decode(r->arena, text, name_length, true);
    const char *value = equals ? sh_http_decode(r->arena, equals + 1, length - name_length - 1, true) : "";
    if (!name || !value || !sh_utf8_valid(name, strlen(name)) || !sh_utf8_valid(value, strlen(value)))
        return sh_fail(err, SH_E_FORMAT, "a parameter is not percent-encoded UTF-8 text: %.*s",
                       (int)(length < 60 ? length : 60), text);
    if (++r->count > PARAMS_MAX)
        return sh_fail(err, SH_E_LIMIT, "more than %d parameters", PARAMS_MAX);
    if (strcmp(name, "Action") == 0) {
        r->action = value;
        return 0;
    }
    if (strcmp(name, "Version") == 0) {
        if (strcmp(value, r->service->version) != 0)
            return sh_fail(err, SH_E_FORMAT, "the Version is %s, not %.40s", r->service->version, value);
        return 0;
    }
    if (strncmp(name, "X-Amz-", 6) == 0 || strcmp(name, "AUTHPARAMS") == 0)
        return 0; /* of a presigned request */
    return put_param(r, name, value, err);
}

int sh_query_read(const sh_query_service *service, const char *form, size_t length, sh_arena *arena,
                  const char **action, json_t **out, sh_err *err)
{
    reader r = {.service = service, .arena = arena, .root = json_object()};
    int status = r.root ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a request");
    const char *end = form + length;
    for (const char *at = form; status == 0 && at < end;) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        size_t part = (size_t)((stop ? stop : end) - at);
        if (part > 0)
            status = read_pair(&r, at, part, err);
        at += part + 1;
    }
    json_t *ready = status == 0 ? in_order(service, r.root) : NULL;
    if (status == 0 && !ready)
        status = sh_fail(err, SH_E_FORMAT, "the items of a list are not numbered 1, 2, 3 and so on");
    json_decref(r.root);
    if (status < 0)
        return status;
    *action = r.action;
    *out = ready;
    return 0;
}

/* ---- writing ---- */

static void put_json(sh_buf *out, const sh_query_service *service, const char *name, const json_t *value);

static const char *element_of(const sh_query_service *service, const char *name, const json_t *value,
                              char small[NAME_MAX_BYTES])
{
    if (!service->dialect)
        return name;
    const sh_query_name *row = renamed(service->dialect->output, name, false, json_typeof(value));
    if (row)
        return row->wire;
    snprintf(small, NAME_MAX_BYTES, "%s", name);
    if (*small >= 'A' && *small <= 'Z')
        *small = (char)(*small - 'A' + 'a');
    return small;
}

static void put_members(sh_buf *out, const sh_query_service *service, const json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value) put_json(out, service, name, value);
}

static void put_map(sh_buf *out, const sh_query_service *service, const json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        sh_xml_open(out, "entry");
        sh_xml_put(out, "key", name);
        put_json(out, service, "value", value);
        sh_xml_close(out, "entry");
    }
}

static void put_json(sh_buf *out, const sh_query_service *service, const char *name, const json_t *value)
{
    size_t i;
    json_t *item;
    char small[NAME_MAX_BYTES];
    if (json_is_null(value))
        return;
    const char *element = element_of(service, name, value, small);
    sh_xml_open(out, element);
    if (json_is_object(value) && kind_of(service, name) == SH_QUERY_MAP)
        put_map(out, service, value);
    else if (json_is_object(value))
        put_members(out, service, value);
    else if (json_is_string(value))
        sh_xml_escape(out, json_string_value(value));
    else if (json_is_integer(value))
        sh_buf_printf(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        sh_buf_printf(out, "%.17g", json_real_value(value));
    else if (json_is_boolean(value))
        sh_buf_puts(out, json_is_true(value) ? "true" : "false");
    else
        json_array_foreach(value, i, item) put_json(out, service, service->dialect ? "item" : "member", item);
    sh_xml_close(out, element);
}

void sh_query_write(sh_buf *out, const sh_query_service *service, const char *action, const json_t *output,
                    const char *request_id)
{
    sh_buf_printf(out, "<%sResponse xmlns=\"%s\">", action, service->xmlns);
    if (service->dialect) {
        sh_xml_put(out, "requestId", request_id);
        if (json_object_size(output) == 0)
            sh_xml_put(out, "return", "true");
        put_members(out, service, output);
        sh_buf_printf(out, "</%sResponse>", action);
        return;
    }
    if (json_object_size(output) > 0 || kind_of(service, action) == SH_QUERY_RESULT) {
        sh_buf_printf(out, "<%sResult>", action);
        put_members(out, service, output);
        sh_buf_printf(out, "</%sResult>", action);
    }
    sh_xml_open(out, "ResponseMetadata");
    sh_xml_put(out, "RequestId", request_id);
    sh_xml_close(out, "ResponseMetadata");
    sh_buf_printf(out, "</%sResponse>", action);
}

static void put_error(sh_buf *out, const sh_query_service *service, int status, const char *code,
                      const char *message, const char *request_id)
{
    sh_buf_printf(out, "<ErrorResponse xmlns=\"%s\">",
                  service ? service->xmlns : "https://sts.amazonaws.com/doc/2011-06-15/");
    sh_xml_open(out, "Error");
    sh_xml_put(out, "Type", status < 500 ? "Sender" : "Receiver");
    sh_xml_put(out, "Code", code);
    sh_xml_put(out, "Message", message);
    sh_xml_close(out, "Error");
    sh_xml_put(out, "RequestId", request_id);
    sh_xml_close(out, "ErrorResponse");
}

static void put_dialect_error(sh_buf *out, const sh_query_service *service, const char *code,
                              const char *message, const char *request_id)
{
    const sh_query_name *row = renamed(service->dialect->errors, code, false, JSON_STRING);
    sh_xml_open(out, "Response");
    sh_xml_open(out, "Errors");
    sh_xml_open(out, "Error");
    sh_xml_put(out, "Code", row ? row->wire : code);
    sh_xml_put(out, "Message", message);
    sh_xml_close(out, "Error");
    sh_xml_close(out, "Errors");
    sh_xml_put(out, "RequestID", request_id);
    sh_xml_close(out, "Response");
}

void sh_query_fail_with(sh_http_request *http, const sh_query_service *service, int status, const char *code,
                        const char *message)
{
    sh_buf out;
    char *said = sh_arena_strdup(sh_http_request_arena(http), message ? message : "");
    if (said)
        sh_text_mend(said); /* it may quote what the client sent */
    sh_buf_init(&out, ANSWER_MAX);
    const char *id = sh_http_request_id(http);
    if (service && service->dialect)
        put_dialect_error(&out, service, code, said ? said : "", id);
    else
        put_error(&out, service, status, code, said ? said : "", id);
    sh_http_add_field(http, "Content-Type", "text/xml");
    sh_http_add_field(http, "x-amzn-RequestId", sh_http_request_id(http));
    sh_http_answer(http, status, sh_buf_cstr(&out), out.failed ? 0 : out.length);
    sh_buf_free(&out);
}
