/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What policies would say: each action on each resource, decided as a request would be, with the keys that
 * the caller of the simulation gives. */
#include "cloud/api/iam_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SOURCES_MAX = 256 };

/* A policy that takes part, and how it is called in the answer. */
typedef struct source {
    const char *id, *type; /* "PolicyInputList.1", "IAM Policy" */
    const char *document;
    sh_policy *policy;
} source;

typedef struct simulation {
    sh_call *call;
    sh_err *err;
    source sources[SOURCES_MAX];
    size_t count;
    const sh_policy *list[SOURCES_MAX];
    sh_policy *boundary, *resource;
    json_t *context; /* names of keys that the policies ask for */
    sh_policy_key *keys;
    size_t key_count;
    sh_policy_caller caller;
    const char *owner; /* id before a list of inline policies: "user_name_" */
    int status;
} simulation;

/* ---- condition keys of a document ---- */

static int add_name(json_t *list, const char *name, size_t length)
{
    size_t index;
    const json_t *one;
    json_array_foreach(list, index, one)
    {
        if (json_string_length(one) == length && strncasecmp(json_string_value(one), name, length) == 0)
            return 0;
    }
    return json_array_append_new(list, json_stringn(name, length));
}

/* ${aws:username}, ${aws:x, 'default'}; not ${*}, ${?}, ${$}. */
static int add_variables(json_t *list, const char *text)
{
    int failed = 0;
    while (!failed && (text = strstr(text, "${"))) {
        size_t length = strcspn(text += 2, "},");
        if (length > 1)
            failed = add_name(list, text, length);
    }
    return failed;
}

static int walk(json_t *list, const json_t *value, bool variables)
{
    const char *key;
    json_t *one;
    int failed = 0;
    if (json_is_string(value))
        return variables ? add_variables(list, json_string_value(value)) : 0;
    for (size_t i = 0; i < json_array_size(value) && !failed; i++)
        failed = walk(list, json_array_get(value, i), variables);
    json_object_foreach((json_t *)value, key, one)
    {
        const char *name;
        json_t *values;
        if (!failed && strcmp(key, "Condition") == 0) {
            json_object_foreach(one, name, values)
            {
                const char *condition;
                json_t *ignored;
                json_object_foreach(values, condition, ignored)
                {
                    failed |= add_name(list, condition, strlen(condition));
                }
            }
        }
        if (!failed)
            failed = walk(list, one, variables);
    }
    return failed;
}

int sh_iam_context_keys(const char *document, json_t *list)
{
    json_t *policy = json_loads(document, 0, NULL);
    const char *version = json_string_value(json_object_get(policy, "Version"));
    int failed = walk(list, policy, version && strcmp(version, "2012-10-17") == 0);
    json_decref(policy);
    return failed;
}

/* ---- which policies ---- */

static int add_source(simulation *s, const char *id, const char *type, const char *document)
{
    sh_err err = {0};
    if (s->count == SOURCES_MAX)
        return sh_iam_quota(s->call, "policies of a simulation", SOURCES_MAX);
    source *one = &s->sources[s->count];
    *one = (source){.id = id, .type = type, .document = sh_arena_strdup(s->call->arena, document)};
    if (!id || !one->document)
        return sh_fail(s->err, SH_E_MEMORY, "no memory for a simulation");
    int status = sh_policy_parse(&one->policy, SH_POLICY_IDENTITY, document, strlen(document), &err);
    if (status == SH_E_FORMAT || status == SH_E_LIMIT)
        return sh_call_fail(s->call, 400, "InvalidInput", "%s: %s", id, err.message);
    if (status < 0)
        return sh_fail(s->err, status, "%s", err.message);
    s->list[s->count++] = one->policy;
    sh_iam_context_keys(document, s->context);
    return 0;
}

static int take_inline(void *opaque, const char *name, const char *document)
{
    simulation *s = opaque;
    s->status =
        add_source(s, sh_arena_printf(s->call->arena, "%s%s", s->owner, name), "IAM Policy", document);
    return s->status;
}

static int take_attached(void *opaque, const char *arn)
{
    simulation *s = opaque;
    sh_iam_managed policy;
    s->status = sh_iam_managed_get(s->call->cloud, s->call->arena, arn, &policy, s->err);
    if (s->status == 0)
        s->status =
            add_source(s, sh_arena_strdup(s->call->arena, policy.entity.name), "IAM Policy", policy.document);
    return s->status;
}

static int add_owner(simulation *s, const sh_iam_entity *e)
{
    sh_db *db = s->call->cloud->db;
    s->owner = sh_arena_printf(s->call->arena, "%s_%s_", sh_iam_kind_of(e->kind)->word, e->name);
    int status = sh_iam_inline_list(db, e->row, "", INT64_MAX, take_inline, s, s->err);
    return status < 0 ? status : sh_iam_attached(db, e->row, "", INT64_MAX, take_attached, s, s->err);
}

static int take_group(void *opaque, const sh_iam_entity *e)
{
    simulation *s = opaque;
    s->status = add_owner(s, e);
    return s->status;
}

/* The user, group or role of an ARN. */
static int find_principal(sh_call *call, const char *arn, sh_iam_entity *e, sh_err *err)
{
    static const sh_iam_kind kinds[] = {SH_IAM_USER, SH_IAM_GROUP, SH_IAM_ROLE};
    const char *slash = strrchr(arn, '/');
    sh_err local = {0};
    int status = SH_E_NOT_FOUND;
    for (size_t i = 0; i < 3 && slash && status == SH_E_NOT_FOUND; i++) {
        status = sh_iam_get(call->cloud->db, call->arena, kinds[i], slash + 1, e, &local);
        if (status == 0 && strcmp(sh_iam_entity_arn(call->cloud, call->arena, e), arn) != 0)
            status = SH_E_NOT_FOUND;
    }
    if (status == SH_E_NOT_FOUND && strncmp(arn, "arn:aws:iam::", 13) != 0)
        return sh_call_fail(call, 400, "InvalidInput",
                            "Invalid Entity Arn: %s does not clearly define entity type and name.", arn);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 404, "NoSuchEntity", "The entity with ARN %s cannot be found.", arn);
    return status < 0 ? sh_fail(err, status, "%s", local.message) : 0;
}

static int add_principal(simulation *s)
{
    sh_iam_entity e;
    sh_call *call = s->call;
    const char *arn = sh_iam_text(call, "PolicySourceArn");
    int status = find_principal(call, arn, &e, s->err);
    if (status == 0)
        status = add_owner(s, &e);
    if (status == 0 && e.kind == SH_IAM_USER)
        status = sh_iam_parents(call->cloud->db, e.row, "", INT64_MAX, take_group, s, s->err);
    if (status == 0 && e.boundary) {
        sh_iam_managed policy;
        status = sh_iam_managed_get(call->cloud, call->arena, e.boundary, &policy, s->err);
        if (status == 0)
            status = sh_policy_parse(&s->boundary, SH_POLICY_IDENTITY, policy.document,
                                     strlen(policy.document), s->err);
    }
    s->caller = (sh_policy_caller){.arn = arn, .account = call->cloud->settings.account};
    return status;
}

static int add_input(simulation *s)
{
    size_t index;
    const json_t *one;
    int status = 0;
    json_array_foreach(sh_iam_array(s->call, "PolicyInputList"), index, one)
    {
        if (status == 0)
            status = add_source(s, sh_arena_printf(s->call->arena, "PolicyInputList.%zu", index + 1),
                                "IAM Policy", json_string_value(one));
    }
    return status;
}

static int parse_other(simulation *s, const char *what, sh_policy_kind kind, const char *text,
                       sh_policy **out)
{
    sh_err err = {0};
    if (!text)
        return 0;
    sh_policy_free(*out);
    *out = NULL;
    int status = sh_policy_parse(out, kind, text, strlen(text), &err);
    if (status == 0)
        sh_iam_context_keys(text, s->context);
    return status < 0 ? sh_call_fail(s->call, 400, "InvalidInput", "%s: %s", what, err.message) : 0;
}

static int add_others(simulation *s)
{
    const json_t *boundaries = sh_iam_array(s->call, "PermissionsBoundaryPolicyInputList");
    const char *arn = sh_iam_text(s->call, "CallerArn");
    if (arn)
        s->caller = (sh_policy_caller){.arn = arn, .account = s->call->cloud->settings.account};
    int status = parse_other(s, "PermissionsBoundaryPolicyInputList", SH_POLICY_IDENTITY,
                             json_string_value(json_array_get(boundaries, 0)), &s->boundary);
    return status < 0 ? status
                      : parse_other(s, "ResourcePolicy", SH_POLICY_RESOURCE,
                                    sh_iam_text(s->call, "ResourcePolicy"), &s->resource);
}

/* ---- the keys given ---- */

static int read_context(simulation *s)
{
    const json_t *entries = sh_iam_array(s->call, "ContextEntries"), *one, *value;
    size_t index, at;
    s->keys = sh_arena_alloc(s->call->arena, (json_array_size(entries) + 1) * sizeof(*s->keys));
    json_array_foreach(entries, index, one)
    {
        const char *name = json_string_value(json_object_get(one, "ContextKeyName"));
        const json_t *values = json_object_get(one, "ContextKeyValues");
        const char **list = sh_arena_alloc(s->call->arena, (json_array_size(values) + 1) * sizeof(*list));
        if (!name)
            return sh_call_fail(s->call, 400, "InvalidInput", "A context entry has no ContextKeyName.");
        if (!list || !s->keys)
            return sh_fail(s->err, SH_E_MEMORY, "no memory for a simulation");
        json_array_foreach(values, at, value)
        {
            list[at] = json_string_value(value) ? json_string_value(value) : "";
        }
        s->keys[s->key_count++] = (sh_policy_key){name, list, json_array_size(values)};
    }
    return 0;
}

static bool has_key(const simulation *s, const char *name)
{
    for (size_t i = 0; i < s->key_count; i++)
        if (strcasecmp(s->keys[i].name, name) == 0)
            return true;
    return false;
}

/* ---- deciding ---- */

static const char *decision_of(sh_policy_reason reason)
{
    if (reason == SH_POLICY_ALLOWED)
        return "allowed";
    return reason <= SH_POLICY_DENIED_RESOURCE ? "explicitDeny" : "implicitDeny";
}

/* The policies that had a word in it; when it is denied, those that deny. */
static json_t *matched(const simulation *s, const sh_policy_request *request, sh_policy_reason reason)
{
    sh_policy_effect wanted = reason == SH_POLICY_ALLOWED ? SH_POLICY_ALLOW : SH_POLICY_DENY;
    json_t *list = json_array();
    for (size_t i = 0; i < s->count; i++)
        if (sh_policy_says(s->sources[i].policy, request, NULL) == wanted)
            json_array_append_new(list, json_pack("{s:s, s:s}", "SourcePolicyId", s->sources[i].id,
                                                  "SourcePolicyType", s->sources[i].type));
    if (s->resource && sh_policy_says(s->resource, request, NULL) == wanted)
        json_array_append_new(list, json_pack("{s:s, s:s}", "SourcePolicyId", "ResourcePolicy",
                                              "SourcePolicyType", "Resource Policy"));
    return list;
}

static json_t *missing(const simulation *s)
{
    size_t index;
    const json_t *one;
    json_t *list = json_array();
    json_array_foreach(s->context, index, one)
    {
        if (!has_key(s, json_string_value(one)))
            json_array_append(list, (json_t *)one);
    }
    return list;
}

static json_t *simulate_one(const simulation *s, const char *action, const char *resource)
{
    sh_policy_set set = {
        .identity = s->list, .identity_count = s->count, .boundary = s->boundary, .resource = s->resource};
    sh_policy_request request = {.action = action,
                                 .resource = resource,
                                 .caller = s->caller,
                                 .keys = s->keys,
                                 .key_count = s->key_count};
    sh_policy_reason reason = sh_policy_decide(&set, &request);
    json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:o}", "EvalActionName", action, "EvalResourceName",
                            resource, "EvalDecision", decision_of(reason), "MatchedStatements",
                            matched(s, &request, reason), "MissingContextValues", missing(s));
    if (s->boundary)
        sh_iam_set(out, "PermissionsBoundaryDecisionDetail",
                   json_pack("{s:b}", "AllowedByPermissionsBoundary",
                             sh_policy_says(s->boundary, &request, NULL) == SH_POLICY_ALLOW));
    return out;
}

static int simulate_all(simulation *s)
{
    sh_call *call = s->call;
    sh_iam_page page;
    const json_t *actions = sh_iam_array(call, "ActionNames"),
                 *resources = sh_iam_array(call, "ResourceArns");
    size_t width = json_array_size(resources), total = json_array_size(actions) * (width ? width : 1);
    int status = sh_iam_page_begin(call, &page, NULL);
    if (status < 0)
        return status;
    for (size_t i = strtoul(page.after, NULL, 10); i < total; i++) {
        const char *action = json_string_value(json_array_get(actions, width ? i / width : i));
        const char *resource = width ? json_string_value(json_array_get(resources, i % width)) : "*";
        if (!strchr(action, ':')) {
            status = sh_call_fail(call, 400, "InvalidInput", "Invalid action name: %s", action);
            break;
        }
        if (!sh_iam_page_add(&page, sh_arena_printf(call->arena, "%zu", i + 1),
                             simulate_one(s, action, resource)))
            break;
    }
    return sh_iam_page_end(&page, status, "EvaluationResults", s->err);
}

static void end(simulation *s)
{
    for (size_t i = 0; i < s->count; i++)
        sh_policy_free(s->sources[i].policy);
    sh_policy_free(s->boundary);
    sh_policy_free(s->resource);
    json_decref(s->context);
}

static int begin(sh_call *call, bool principal, simulation **out, sh_err *err)
{
    simulation *s = sh_arena_alloc(call->arena, sizeof(*s));
    if (!s || !(s->context = json_array()))
        return sh_fail(err, SH_E_MEMORY, "no memory for a simulation");
    s->call = call;
    s->err = err;
    *out = s;
    int status = principal ? add_principal(s) : 0;
    if (!principal)
        s->caller = (sh_policy_caller){.arn = call->principal, .account = call->cloud->settings.account};
    return status < 0 ? status : add_input(s);
}

static int simulate(sh_call *call, bool principal, sh_err *err)
{
    simulation *s = NULL;
    int status = begin(call, principal, &s, err);
    if (status == 0)
        status = add_others(s);
    if (status == 0)
        status = read_context(s);
    if (status == 0)
        status = simulate_all(s);
    if (s)
        end(s);
    return status;
}

int sh_iam_simulate_principal(sh_call *call, sh_err *err)
{
    return simulate(call, true, err);
}

int sh_iam_simulate_custom(sh_call *call, sh_err *err)
{
    return simulate(call, false, err);
}

static int context(sh_call *call, bool principal, sh_err *err)
{
    simulation *s = NULL;
    int status = begin(call, principal, &s, err);
    if (status == 0)
        status = sh_iam_give(call, json_pack("{s:O}", "ContextKeyNames", s->context), err);
    if (s)
        end(s);
    return status;
}

int sh_iam_context_custom(sh_call *call, sh_err *err)
{
    return context(call, false, err);
}

int sh_iam_context_principal(sh_call *call, sh_err *err)
{
    return context(call, true, err);
}
