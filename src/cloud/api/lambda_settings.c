/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is set of a function beside its configuration: reserved concurrency, how asynchronous invocations are
 * tried again and where they end, tags; and the limits of the account. */
#include "base/log.h"
#include "cloud/api/lambda_inner.h"

#include <stdio.h>
#include <string.h>

#define UNRESERVED_MIN 1 /* AWS keeps 100 of 1000 free */

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* ---- concurrency ---- */

typedef struct reserved {
    const char *but; /* not of this function */
    int64_t sum, code_size, count;
} reserved;

static int add_reserved(void *opaque, const sh_fn_part *part)
{
    reserved *r = opaque;
    json_t *body = json_loads(part->body, JSON_ALLOW_NUL, NULL);
    if (!r->but || strcmp(r->but, part->name) != 0)
        r->sum += json_integer_value(json_object_get(body, "Concurrency"));
    json_decref(body);
    return 0;
}

static int sum_reserved(sh_cloud *cloud, const char *but, int64_t *sum, sh_err *err)
{
    reserved r = {.but = but};
    int status = sh_fn_names(cloud->db, SH_FN_FUNCTION, "", "", INT64_MAX, add_reserved, &r, err);
    *sum = r.sum;
    return status;
}

void sh_fn_tell_reserved(sh_cloud *cloud)
{
    int64_t sum;
    sh_err err = {0};
    if (sum_reserved(cloud, NULL, &sum, &err) == 0)
        sh_lambda_reserve(cloud, (int)sum);
    else
        sh_log(SH_LOG_ERROR, "lambda", "reserved concurrency cannot be summed up: %s", err.message);
}

/* In a transaction; count -1: none. */
static int set_concurrency(sh_call *call, const char *name, int64_t count, sh_err *err)
{
    json_t *function;
    int64_t others;
    int limit = sh_lambda_limit(call->cloud);
    int status = sum_reserved(call->cloud, name, &others, err);
    if (status < 0)
        return status;
    if (count >= 0 && others + count > limit - UNRESERVED_MIN)
        return sh_fn_bad(call,
                         "Specified ReservedConcurrentExecutions for function decreases account's "
                         "UnreservedConcurrentExecution below its minimum value of [%d].",
                         UNRESERVED_MIN);
    status = sh_fn_load(call->cloud, call->arena, SH_FN_FUNCTION, name, "", &function, err);
    if (status < 0)
        return status;
    if (count >= 0)
        json_object_set_new(function, "Concurrency", json_integer(count));
    else
        json_object_del(function, "Concurrency");
    status = sh_fn_save(call->cloud, SH_FN_FUNCTION, name, "", 0, function, err);
    json_decref(function);
    return status;
}

static int change_concurrency(sh_call *call, const char *name, int64_t count)
{
    sh_err err = {0};
    int status = sh_db_begin(call->cloud->db, &err);
    if (status == 0)
        status = sh_db_end(call->cloud->db, set_concurrency(call, name, count, &err), &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    sh_fn_tell_reserved(call->cloud);
    return sh_out_new(call);
}

static int need_plain(sh_call *call, sh_fn_name *name)
{
    int status = sh_fn_need(call, name);
    if (status == 0 && name->qualifier)
        return sh_fn_bad(call, "This operation does not take a qualifier: %s", name->qualifier);
    return status;
}

int sh_fn_put_concurrency(sh_call *call)
{
    sh_fn_name name;
    int64_t count;
    int status = need_plain(call, &name);
    if (status == 0)
        status = sh_arg_int(call, "ReservedConcurrentExecutions", 0, INT32_MAX, 0, &count);
    if (status < 0)
        return status;
    if (!json_is_integer(json_object_get(call->in, "ReservedConcurrentExecutions")))
        return sh_call_fail(call, 400, "ValidationException",
                            "1 validation error detected: Value null at 'reservedConcurrentExecutions' "
                            "failed to satisfy constraint: Member must not be null");
    if ((status = change_concurrency(call, name.name, count)) < 0)
        return status;
    sh_put(&status, call->out, "ReservedConcurrentExecutions", json_integer(count));
    return sh_out_done(call, status);
}

int sh_fn_delete_concurrency(sh_call *call)
{
    sh_fn_name name;
    int status = need_plain(call, &name);
    return status < 0 ? status : change_concurrency(call, name.name, -1);
}

int sh_fn_get_concurrency(sh_call *call)
{
    sh_fn_name name;
    json_t *function;
    sh_err err = {0};
    int status = need_plain(call, &name);
    if (status < 0)
        return status;
    status = sh_fn_load(call->cloud, call->arena, SH_FN_FUNCTION, name.name, "", &function, &err);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    json_t *count = json_object_get(function, "Concurrency");
    status = sh_out_new(call);
    if (status == 0 && count)
        sh_put(&status, call->out, "ReservedConcurrentExecutions", json_incref(count));
    json_decref(function);
    return sh_out_done(call, status);
}

/* ---- event invoke configurations ---- */

int sh_fn_invoke_rules(sh_cloud *cloud, sh_arena *arena, const char *name, const char *qualifier,
                       sh_fn_rules *out, sh_err *err)
{
    json_t *body;
    *out = (sh_fn_rules){.retries = 2, .age_s = 6 * 3600};
    int status = sh_fn_load(cloud, arena, SH_FN_INVOKE, name,
                            qualifier && *qualifier ? qualifier : SH_FN_LATEST, &body, err);
    if (status < 0)
        return status == SH_E_NOT_FOUND ? 0 : status;
    const json_t *retries = json_object_get(body, "MaximumRetryAttempts");
    const json_t *age = json_object_get(body, "MaximumEventAgeInSeconds");
    const json_t *to = json_object_get(body, "DestinationConfig");
    const char *good = text_of(json_object_get(to, "OnSuccess"), "Destination");
    const char *bad = text_of(json_object_get(to, "OnFailure"), "Destination");
    if (json_is_integer(retries))
        out->retries = json_integer_value(retries);
    if (json_is_integer(age))
        out->age_s = json_integer_value(age);
    out->on_success = good ? sh_arena_strdup(arena, good) : NULL;
    out->on_failure = bad ? sh_arena_strdup(arena, bad) : NULL;
    json_decref(body);
    return 0;
}

static bool destination_good(const sh_cloud *cloud, const char *arn, bool failure)
{
    char bus[128];
    snprintf(bus, sizeof(bus), "arn:aws:events:%.80s:%s:event-bus/", cloud->settings.region,
             cloud->settings.account);
    return !*arn || sh_lambda_is_arn(cloud, arn) || strncmp(arn, bus, strlen(bus)) == 0 ||
           (failure && strncmp(arn, "arn:aws:s3:::", 13) == 0 && !strchr(arn, '/'));
}

static int take_destinations(sh_call *call, json_t *body)
{
    static const char *const names[] = {"OnSuccess", "OnFailure"};
    const json_t *given;
    int status = sh_arg_object(call, "DestinationConfig", &given);
    if (status < 0 || !given)
        return status;
    for (size_t i = 0; i < 2; i++) {
        const char *arn = text_of(json_object_get(given, names[i]), "Destination");
        if (arn && !destination_good(call->cloud, arn, i == 1))
            return sh_fn_bad(call,
                             "The provided destination config DestinationConfig(%s=%s(destination=%s)) is "
                             "invalid: this server delivers to functions, event buses and, on failure, "
                             "buckets.",
                             i ? "onFailure" : "onSuccess", names[i], arn);
    }
    json_object_set(body, "DestinationConfig", (json_t *)given);
    return 0;
}

static int take_number(sh_call *call, json_t *body, const char *name, int64_t min, int64_t max)
{
    int64_t value;
    if (!json_is_integer(json_object_get(call->in, name)))
        return 0;
    int status = sh_arg_int(call, name, min, max, min, &value);
    if (status == 0)
        json_object_set_new(body, name, json_integer(value));
    return status;
}

static int take_invoke(sh_call *call, json_t *body)
{
    int status = take_number(call, body, "MaximumRetryAttempts", 0, 2);
    if (status == 0)
        status = take_number(call, body, "MaximumEventAgeInSeconds", 60, 21600);
    if (status < 0)
        return status;
    json_object_set_new(body, "LastModified", json_real((double)call->now_ms / 1000));
    return take_destinations(call, body);
}

static int answer_invoke(sh_call *call, const sh_fn_name *name, const json_t *body)
{
    int status = 0;
    call->out = json_pack("{s:{s:{}, s:{}}}", "DestinationConfig", "OnSuccess", "OnFailure");
    if (!call->out || json_object_update(call->out, (json_t *)body) < 0)
        status = SH_E_MEMORY;
    sh_put_text(
        &status, call->out, "FunctionArn",
        sh_fn_arn(call->cloud, call->arena, name->name, name->qualifier ? name->qualifier : SH_FN_LATEST));
    return sh_out_done(call, status);
}

static int need_any(sh_call *call, sh_fn_name *name)
{
    sh_fn_version version;
    int status = sh_fn_need(call, name);
    if (status == 0 && (status = sh_fn_need_version(call, name, &version)) == 0)
        json_decref(version.body);
    return status;
}

static int no_config(sh_call *call, const sh_fn_name *name)
{
    return sh_call_fail(
        call, 404, "ResourceNotFoundException", "The function %s doesn't have an EventInvokeConfig",
        sh_fn_arn(call->cloud, call->arena, name->name, name->qualifier ? name->qualifier : SH_FN_LATEST));
}

static int put_invoke(sh_call *call, bool update)
{
    sh_fn_name name;
    json_t *body = NULL;
    sh_err err = {0};
    int status = need_any(call, &name);
    if (status < 0)
        return status;
    const char *id = name.qualifier ? name.qualifier : SH_FN_LATEST;
    if (update)
        status = sh_fn_load(call->cloud, call->arena, SH_FN_INVOKE, name.name, id, &body, &err);
    else
        body = json_object();
    if (status == SH_E_NOT_FOUND)
        return no_config(call, &name);
    if (status == 0)
        status = take_invoke(call, body);
    if (status == 0)
        status = sh_fn_save(call->cloud, SH_FN_INVOKE, name.name, id, 0, body, &err);
    if (status == 0)
        status = answer_invoke(call, &name, body);
    else if (!call->error.code)
        status = sh_call_fail_internal(call, &err);
    json_decref(body);
    return status;
}

int sh_fn_put_invoke_config(sh_call *call)
{
    return put_invoke(call, false);
}

int sh_fn_update_invoke_config(sh_call *call)
{
    return put_invoke(call, true);
}

int sh_fn_get_invoke_config(sh_call *call)
{
    sh_fn_name name;
    json_t *body;
    sh_err err = {0};
    int status = need_any(call, &name);
    if (status < 0)
        return status;
    status = sh_fn_load(call->cloud, call->arena, SH_FN_INVOKE, name.name,
                        name.qualifier ? name.qualifier : SH_FN_LATEST, &body, &err);
    if (status == SH_E_NOT_FOUND)
        return no_config(call, &name);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    status = answer_invoke(call, &name, body);
    json_decref(body);
    return status;
}

int sh_fn_delete_invoke_config(sh_call *call)
{
    sh_fn_name name;
    sh_err err = {0};
    int status = need_any(call, &name);
    if (status < 0)
        return status;
    status = sh_fn_delete(call->cloud->db, SH_FN_INVOKE, name.name,
                          name.qualifier ? name.qualifier : SH_FN_LATEST, &err);
    if (status == SH_E_NOT_FOUND)
        return no_config(call, &name);
    return status < 0 ? sh_call_fail_internal(call, &err) : sh_out_new(call);
}

typedef struct list {
    sh_call *call;
    json_t *list;
} list;

static int add_invoke(void *opaque, const sh_fn_part *part)
{
    list *l = opaque;
    json_t *body = json_loads(part->body, 0, NULL);
    const char *arn = sh_fn_arn(l->call->cloud, l->call->arena, part->name, part->id);
    if (!body || !arn)
        return SH_E_MEMORY;
    json_object_set_new(body, "FunctionArn", json_string(arn));
    return json_array_append_new(l->list, body) < 0 ? SH_E_MEMORY : 0;
}

int sh_fn_list_invoke_configs(sh_call *call)
{
    sh_fn_name name;
    sh_err err = {0};
    list l = {.call = call};
    int status = sh_fn_need(call, &name);
    if (status == 0)
        status = sh_out_new(call);
    if (status < 0)
        return status;
    l.list = json_array();
    sh_put(&status, call->out, "FunctionEventInvokeConfigs", l.list);
    if (status == 0)
        status = sh_fn_parts(call->cloud->db, SH_FN_INVOKE, name.name, -1, "", 1000, add_invoke, &l, &err);
    return sh_out_done(call, status);
}

/* ---- tags ---- */

typedef void (*tags_fn)(sh_call *call, json_t *tags);

static int change_tags(sh_call *call, const char *name, tags_fn how, sh_err *err)
{
    json_t *function;
    int status = sh_fn_load(call->cloud, call->arena, SH_FN_FUNCTION, name, "", &function, err);
    if (status < 0)
        return status;
    if (!json_is_object(json_object_get(function, "Tags")))
        json_object_set_new(function, "Tags", json_object());
    json_t *tags = json_object_get(function, "Tags");
    how(call, tags);
    status = json_object_size(tags) > 50
                 ? sh_fn_bad(call, "Too many tags: a function has at most 50")
                 : sh_fn_save(call->cloud, SH_FN_FUNCTION, name, "", 0, function, err);
    json_decref(function);
    return status;
}

static int tags_of(sh_call *call, tags_fn how)
{
    sh_fn_name name;
    const char *arn;
    sh_err err = {0};
    int status = sh_arg_need(call, "Resource", 256, &arn);
    if (status < 0)
        return status;
    if (!sh_lambda_is_arn(call->cloud, arn) || !sh_fn_split(call->cloud, call->arena, arn, &name))
        return sh_fn_bad(call, "The resource %s is not the ARN of a function", arn);
    if (name.qualifier)
        return sh_fn_bad(call, "Tags on function aliases and versions are not supported. Please specify "
                               "either a function or an event source mapping.");
    if ((status = sh_db_begin(call->cloud->db, &err)) == 0)
        status = sh_db_end(call->cloud->db, change_tags(call, name.name, how, &err), &err);
    if (status == SH_E_NOT_FOUND)
        return sh_fn_not_found(call, name.name, NULL);
    return status < 0 && !call->error.code ? sh_call_fail_internal(call, &err) : status;
}

static void put_tags(sh_call *call, json_t *tags)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(call->in, "Tags"), name, value)
    {
        if (json_is_string(value))
            json_object_set(tags, name, value);
    }
}

static void drop_tags(sh_call *call, json_t *tags)
{
    size_t index;
    json_t *key;
    json_array_foreach(json_object_get(call->in, "TagKeys"), index, key)
    {
        if (json_is_string(key))
            json_object_del(tags, json_string_value(key));
    }
}

static void show_tags(sh_call *call, json_t *tags)
{
    call->out = json_pack("{s:O}", "Tags", tags);
}

int sh_fn_tag(sh_call *call)
{
    int status = tags_of(call, put_tags);
    return status < 0 ? status : sh_out_new(call);
}

int sh_fn_untag(sh_call *call)
{
    int status = tags_of(call, drop_tags);
    return status < 0 ? status : sh_out_new(call);
}

int sh_fn_list_tags(sh_call *call)
{
    int status = tags_of(call, show_tags);
    return status < 0 ? status : sh_out_done(call, call->out ? 0 : SH_E_MEMORY);
}

/* ---- the account ---- */

static int add_size(void *opaque, const sh_fn_part *part)
{
    reserved *r = opaque;
    json_t *body = json_loads(part->body, JSON_ALLOW_NUL, NULL);
    r->code_size += json_integer_value(json_object_get(body, "CodeSize"));
    r->count++;
    json_decref(body);
    return 0;
}

int sh_fn_account_settings(sh_call *call)
{
    reserved r = {0};
    sh_err err = {0};
    int64_t sum = 0;
    int limit = sh_lambda_limit(call->cloud);
    int status = sum_reserved(call->cloud, NULL, &sum, &err);
    if (status == 0)
        status = sh_fn_names(call->cloud->db, SH_FN_VERSION, SH_FN_LATEST, "", INT64_MAX, add_size, &r, &err);
    if (status < 0)
        return sh_call_fail_internal(call, &err);
    call->out = json_pack("{s:{s:I, s:I, s:I, s:i, s:I}, s:{s:I, s:I}}", "AccountLimit", "TotalCodeSize",
                          (json_int_t)80530636800, "CodeSizeUnzipped", (json_int_t)SH_FN_UNZIPPED_MAX,
                          "CodeSizeZipped", (json_int_t)SH_FN_ZIPPED_MAX, "ConcurrentExecutions", limit,
                          "UnreservedConcurrentExecutions", (json_int_t)(limit - sum), "AccountUsage",
                          "TotalCodeSize", (json_int_t)r.code_size, "FunctionCount", (json_int_t)r.count);
    return sh_out_done(call, call->out ? 0 : SH_E_MEMORY);
}
