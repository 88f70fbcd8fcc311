/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections and API destinations: actions. Each is a part (store/eventparts.h) whose value has the members
 * of its description, "created" and "modified", and for a connection "sealed": its AuthParameters as they
 * were given, sealed with the server's key and bound to the connection's name. What is described has no
 * secret in it. */
#include "cloud/api/args.h"
#include "cloud/api/events.h"
#include "cloud/api/keys.h"
#include "cloud/flow/flow.h"
#include "cloud/store/eventparts.h"

#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 3000
#define RATE 300 /* calls of a destination a second */

typedef struct part {
    const char *kind, *title, *arn, *state; /* SH_PART_*, words, names of members */
} part;

static const part connection_part = {SH_PART_CONNECTION, "Connection", "ConnectionArn", "ConnectionState"};
static const part destination_part = {SH_PART_DESTINATION, "Api destination", "ApiDestinationArn",
                                      "ApiDestinationState"};

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* ---- what both share ---- */

static int load(sh_call *call, const part *p, const char **name, json_t **out)
{
    const char *text;
    sh_err err = {0};
    int status = sh_events_need_name(call, "Name", 64, name);
    if (status < 0)
        return status;
    status = sh_part_get(call->cloud->db, call->arena, p->kind, *name, &text, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "ResourceNotFoundException", "%s %s does not exist.", p->title, *name);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    *out = json_loads(text, JSON_ALLOW_NUL, NULL);
    return *out ? 0 : sh_out_done(call, SH_E_MEMORY);
}

static int save(sh_call *call, const part *p, const char *name, json_t *value)
{
    sh_err err = {0};
    json_object_set_new(value, "modified", json_integer(call->now_ms));
    char *text = sh_flow_text(value);
    int status = text ? sh_part_put(call->cloud->db, p->kind, name, text, &err)
                      : sh_fail(&err, SH_E_MEMORY, "no memory for a %s", p->kind);
    free(text);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

static void put_times(int *failed, json_t *out, const json_t *value)
{
    sh_put_date(failed, out, "CreationTime", json_integer_value(json_object_get(value, "created")));
    sh_put_date(failed, out, "LastModifiedTime", json_integer_value(json_object_get(value, "modified")));
}

/* ARN, state and times: what changes answer. state NULL: its own. */
static int answer_change(sh_call *call, const part *p, const json_t *value, const char *state)
{
    int failed = 0, status = sh_out_new(call);
    if (status < 0)
        return status;
    sh_put_text(&failed, call->out, p->arn, text_of(value, p->arn));
    sh_put_text(&failed, call->out, p->state, state ? state : text_of(value, p->state));
    put_times(&failed, call->out, value);
    return sh_out_done(call, failed);
}

static json_t *shown(int *failed, const json_t *value)
{
    json_t *out = json_copy((json_t *)value);
    json_object_del(out, "sealed");
    json_object_del(out, "created");
    json_object_del(out, "modified");
    put_times(failed, out, value);
    return out;
}

static int describe(sh_call *call, const part *p)
{
    const char *name;
    json_t *value = NULL;
    int failed = 0, status = load(call, p, &name, &value);
    if (status == 0) {
        call->out = shown(&failed, value);
        status = sh_out_done(call, call->out ? failed : SH_E_MEMORY);
    }
    json_decref(value);
    return status;
}

static int delete_part(sh_call *call, const part *p)
{
    const char *name;
    json_t *value = NULL;
    sh_err err = {0};
    int status = load(call, p, &name, &value);
    if (status == 0 && sh_part_delete(call->cloud->db, p->kind, name, &err) < 0)
        status = sh_call_fail_internal(call, &err);
    if (status == 0)
        status = p == &connection_part ? answer_change(call, p, value, "DELETING") : sh_out_new(call);
    json_decref(value);
    return status;
}

typedef struct listing {
    sh_event_page page;
    const char *wanted; /* ConnectionArn of destinations; NULL: all */
} listing;

static int take_part(void *opaque, const char *name, const char *text)
{
    listing *l = opaque;
    json_t *value = json_loads(text, JSON_ALLOW_NUL, NULL);
    const char *connection = text_of(value, "ConnectionArn");
    int full = 0;
    if (!l->wanted || (connection && strcmp(connection, l->wanted) == 0)) {
        json_t *item = shown(&l->page.failed, value);
        json_object_del(item, "AuthParameters");
        json_object_del(item, "Description");
        full = sh_events_page_add(&l->page, name, item);
    }
    json_decref(value);
    return full;
}

static int list(sh_call *call, const part *p, const char *member, const char *filter)
{
    const char *prefix, *after;
    listing l = {0};
    sh_err err = {0};
    int status = sh_arg_text(call, "NamePrefix", 64, &prefix);
    if (status < 0 || (filter && (status = sh_arg_text(call, filter, 1600, &l.wanted)) < 0) ||
        (status = sh_events_page(call, &l.page, &after)) < 0)
        return status;
    status =
        sh_part_list(call->cloud->db, p->kind, prefix ? prefix : "", after, INT64_MAX, take_part, &l, &err);
    return sh_events_page_end(&l.page, member, status, &err);
}

/* A new part with what all have; the call fails when the name is taken. */
static int begin(sh_call *call, const part *p, const char **name, json_t **out)
{
    char id[SH_UUID_TEXT];
    const char *text;
    int64_t count = 0;
    sh_err err = {0};
    const sh_cloud_settings *s = &call->cloud->settings;
    int status = sh_events_need_name(call, "Name", 64, name);
    if (status < 0)
        return status;
    if (sh_part_get(call->cloud->db, call->arena, p->kind, *name, &text, NULL) == 0)
        return sh_call_fail(call, 400, "ResourceAlreadyExistsException", "%s %s already exists.", p->title,
                            *name);
    if (sh_part_count(call->cloud->db, p->kind, &count, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if (count >= PARTS_MAX)
        return sh_call_fail(call, 400, "LimitExceededException",
                            "The requested resource exceeds the maximum number allowed: %d", PARTS_MAX);
    sh_uuid(id);
    *out =
        json_pack("{s:s, s:I, s:o}", "Name", *name, "created", (json_int_t)call->now_ms, p->arn,
                  json_sprintf("arn:aws:events:%s:%s:%s/%s/%s", s->region, s->account, p->kind, *name, id));
    return *out ? 0 : sh_out_done(call, SH_E_MEMORY);
}

static int read_description(sh_call *call, json_t *value)
{
    const char *text;
    int status = sh_arg_text(call, "Description", 512, &text);
    if (status == 0 && text)
        json_object_set_new(value, "Description", json_string(text));
    return status;
}

/* ---- connections ---- */

/* Parameters of every call: without the values that are secret. */
static json_t *show_http(const json_t *given)
{
    const char *name;
    json_t *items, *item, *out = json_deep_copy(given);
    size_t index;
    json_object_foreach(out, name, items)
    {
        json_array_foreach(items, index, item)
        {
            if (json_is_true(json_object_get(item, "IsValueSecret")))
                json_object_del(item, "Value");
        }
    }
    return out;
}

static const char *check_http(const json_t *given)
{
    const char *name;
    json_t *items, *item;
    size_t index;
    json_object_foreach((json_t *)given, name, items)
    {
        json_array_foreach(items, index, item)
        {
            const char *key = text_of(item, "Key"), *value = text_of(item, "Value");
            if (!key || !*key || strpbrk(key, "\r\n:") || !value || strpbrk(value, "\r\n"))
                return "InvocationHttpParameters: each has a Key and a Value of one line";
        }
    }
    return NULL;
}

/* What is shown of the authorization, into value; words when it is wrong. */
static const char *read_auth(const json_t *given, const char *type, json_t *value)
{
    const json_t *http = json_object_get(given, "InvocationHttpParameters");
    const json_t *basic = json_object_get(given, "BasicAuthParameters");
    const json_t *key = json_object_get(given, "ApiKeyAuthParameters");
    const char *user = text_of(basic, "Username"), *name = text_of(key, "ApiKeyName");
    json_t *auth;
    if (strcmp(type, "BASIC") == 0) {
        if (!user || !text_of(basic, "Password"))
            return "BasicAuthParameters has Username and Password";
        auth = json_pack("{s:{s:s}}", "BasicAuthParameters", "Username", user);
    } else if (strcmp(type, "API_KEY") == 0) {
        const char *secret = text_of(key, "ApiKeyValue");
        if (!name || !*name || strpbrk(name, "\r\n: ") || !secret || strpbrk(secret, "\r\n"))
            return "ApiKeyAuthParameters has ApiKeyName and ApiKeyValue, each of one line";
        auth = json_pack("{s:{s:s}}", "ApiKeyAuthParameters", "ApiKeyName", name);
    } else {
        return "AuthorizationType is BASIC or API_KEY: OAuth is not supported by this server";
    }
    if (http)
        json_object_set_new(auth, "InvocationHttpParameters", show_http(http));
    json_object_set_new(value, "AuthParameters", auth);
    return check_http(http);
}

static int set_auth(sh_call *call, const char *name, json_t *value)
{
    const char *given_type;
    const json_t *given = json_object_get(call->in, "AuthParameters");
    int status = sh_arg_text(call, "AuthorizationType", 64, &given_type);
    if (status < 0)
        return status;
    const char *type = given_type ? given_type : text_of(value, "AuthorizationType");
    const char *why = type && json_is_object(given) ? read_auth(given, type, value)
                                                    : "AuthorizationType and AuthParameters are required";
    if (json_object_get(call->in, "InvocationConnectivityParameters"))
        why = "private connectivity is not supported by this server";
    if (why)
        return sh_call_fail(call, 400, "ValidationException",
                            "Parameter AuthParameters is not valid. Reason: %s", why);
    char *text = sh_flow_text(given);
    const char *sealed = text ? sh_events_seal(call->cloud, call->arena, name, text) : NULL;
    free(text);
    if (!sealed)
        return sh_out_done(call, SH_E_MEMORY);
    json_object_set_new(value, "AuthorizationType", json_string(type));
    json_object_set_new(value, "ConnectionState", json_string("AUTHORIZED"));
    json_object_set_new(value, "sealed", json_string(sealed));
    return 0;
}

int sh_events_create_connection(sh_call *call)
{
    const char *name;
    json_t *value = NULL;
    int status = begin(call, &connection_part, &name, &value);
    if (status == 0 && (status = read_description(call, value)) == 0 &&
        (status = set_auth(call, name, value)) == 0 &&
        (status = save(call, &connection_part, name, value)) == 0)
        status = answer_change(call, &connection_part, value, NULL);
    json_decref(value);
    return status;
}

int sh_events_update_connection(sh_call *call)
{
    const char *name;
    json_t *value = NULL;
    bool auth = json_object_get(call->in, "AuthParameters") || json_object_get(call->in, "AuthorizationType");
    int status = load(call, &connection_part, &name, &value);
    if (status == 0)
        status = read_description(call, value);
    if (status == 0 && auth)
        status = set_auth(call, name, value);
    if (status == 0 && (status = save(call, &connection_part, name, value)) == 0)
        status = answer_change(call, &connection_part, value, NULL);
    json_decref(value);
    return status;
}

int sh_events_describe_connection(sh_call *call)
{
    return describe(call, &connection_part);
}

int sh_events_delete_connection(sh_call *call)
{
    return delete_part(call, &connection_part);
}

int sh_events_list_connections(sh_call *call)
{
    return list(call, &connection_part, "Connections", NULL);
}

/* ---- API destinations ---- */

static int set_endpoint(sh_call *call, json_t *value)
{
    const char *url;
    int status = sh_arg_text(call, "InvocationEndpoint", 2048, &url);
    if (status < 0 || !url)
        return status;
    const char *why = sh_events_web_refuses(url);
    if (why)
        return sh_call_fail(call, 400, "ValidationException",
                            "Parameter InvocationEndpoint is not valid. Reason: %s", why);
    json_object_set_new(value, "InvocationEndpoint", json_string(url));
    return 0;
}

static int set_method(sh_call *call, json_t *value)
{
    static const char *const methods[] = {"POST", "GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"};
    const char *method;
    int status = sh_arg_text(call, "HttpMethod", 16, &method);
    if (status < 0 || !method)
        return status;
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        if (strcmp(method, methods[i]) == 0) {
            json_object_set_new(value, "HttpMethod", json_string(method));
            return 0;
        }
    }
    return sh_events_invalid(
        call, "httpMethod", method,
        "Member must satisfy enum value set: [GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS]");
}

static bool has_connection(sh_call *call, const char *arn)
{
    const char *text, *slash = strchr(arn, '/');
    const char *name = slash ? sh_arena_strndup(call->arena, slash + 1, strcspn(slash + 1, "/")) : NULL;
    if (!name || sh_part_get(call->cloud->db, call->arena, SH_PART_CONNECTION, name, &text, NULL) < 0)
        return false;
    json_t *value = json_loads(text, JSON_ALLOW_NUL, NULL);
    const char *own = text_of(value, "ConnectionArn");
    bool same = own && strcmp(own, arn) == 0;
    json_decref(value);
    return same;
}

static int set_destination(sh_call *call, json_t *value)
{
    const char *arn;
    int64_t rate;
    int status = sh_arg_text(call, "ConnectionArn", 1600, &arn);
    if (status < 0 || (status = read_description(call, value)) < 0 ||
        (status = set_endpoint(call, value)) < 0 || (status = set_method(call, value)) < 0 ||
        (status = sh_arg_int(call, "InvocationRateLimitPerSecond", 1, 1000000, RATE, &rate)) < 0)
        return status;
    if (arn && !has_connection(call, arn))
        return sh_call_fail(call, 400, "ResourceNotFoundException", "Connection '%s' does not exist.", arn);
    if (arn)
        json_object_set_new(value, "ConnectionArn", json_string(arn));
    if (json_object_get(call->in, "InvocationRateLimitPerSecond") ||
        !json_object_get(value, "InvocationRateLimitPerSecond"))
        json_object_set_new(value, "InvocationRateLimitPerSecond", json_integer(rate));
    json_object_set_new(value, "ApiDestinationState", json_string("ACTIVE"));
    static const char *const needed[] = {"ConnectionArn", "InvocationEndpoint", "HttpMethod"};
    for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
        if (!json_object_get(value, needed[i]))
            return sh_call_fail(call, 400, "ValidationException", "Parameter %s must be specified.",
                                needed[i]);
    return 0;
}

int sh_events_create_destination(sh_call *call)
{
    const char *name;
    json_t *value = NULL;
    int status = begin(call, &destination_part, &name, &value);
    if (status == 0 && (status = set_destination(call, value)) == 0 &&
        (status = save(call, &destination_part, name, value)) == 0)
        status = answer_change(call, &destination_part, value, NULL);
    json_decref(value);
    return status;
}

int sh_events_update_destination(sh_call *call)
{
    const char *name;
    json_t *value = NULL;
    int status = load(call, &destination_part, &name, &value);
    if (status == 0 && (status = set_destination(call, value)) == 0 &&
        (status = save(call, &destination_part, name, value)) == 0)
        status = answer_change(call, &destination_part, value, NULL);
    json_decref(value);
    return status;
}

int sh_events_describe_destination(sh_call *call)
{
    return describe(call, &destination_part);
}

int sh_events_delete_destination(sh_call *call)
{
    return delete_part(call, &destination_part);
}

int sh_events_list_destinations(sh_call *call)
{
    return list(call, &destination_part, "ApiDestinations", "ConnectionArn");
}
