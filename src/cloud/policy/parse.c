/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text to tables ("Grammar of the IAM JSON policy language"). An element that is not known, stands twice or
 * has the wrong type refuses the document: a statement that was misread must not let anybody in. */
#include "cloud/policy/model.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ARENA_MAX (4u << 20)
#define STATEMENTS_MAX 4096
#define DEPTH_MAX 16

typedef struct reading {
    sh_policy *policy;
    size_t number; /* of the statement, from 1; 0: none */
    sh_err *err;
} reading;

static int bad(const reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int bad(const reading *r, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return r->number > 0 ? sh_fail(r->err, SH_E_FORMAT, "%s (statement %zu)", text, r->number)
                         : sh_fail(r->err, SH_E_FORMAT, "%s", text);
}

static int no_memory(const reading *r)
{
    return sh_fail(r->err, SH_E_MEMORY, "no memory for a policy");
}

/* ---- lists of texts ---- */

/* A number or a truth value is as good as its text in a condition. */
static const char *text_of(const reading *r, const json_t *value, bool loose)
{
    sh_arena *arena = r->policy->arena;
    if (json_is_string(value))
        return sh_arena_strndup(arena, json_string_value(value), json_string_length(value));
    if (loose && json_is_boolean(value))
        return sh_arena_strdup(arena, json_is_true(value) ? "true" : "false");
    if (loose && json_is_integer(value))
        return sh_arena_printf(arena, "%lld", (long long)json_integer_value(value));
    return loose && json_is_real(value) ? sh_arena_printf(arena, "%.17g", json_real_value(value)) : NULL;
}

static int read_texts(const reading *r, const char *element, const json_t *value, bool loose,
                      sh_patterns *out)
{
    const size_t count = json_is_array(value) ? json_array_size(value) : 1;
    const char **list = sh_arena_alloc(r->policy->arena, (count + 1) * sizeof(*list));
    if (!list)
        return no_memory(r);
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_is_array(value) ? json_array_get(value, i) : value;
        if (json_is_object(one) || json_is_array(one) || json_is_null(one) ||
            (!loose && !json_is_string(one)))
            return bad(r, "Syntax errors in policy: %s has to be a string or a list of strings", element);
        list[i] = text_of(r, one, loose);
        if (!list[i])
            return no_memory(r);
    }
    *out = (sh_patterns){list, count};
    return 0;
}

/* ---- elements ---- */

static int read_actions(const reading *r, sh_statement *s, const char *element, const json_t *value)
{
    int status = read_texts(r, element, value, false, &s->actions);
    if (status == 0 && s->actions.count == 0)
        return bad(r, "Policy statement must contain actions.");
    for (size_t i = 0; i < s->actions.count && status == 0; i++) {
        const char *one = s->actions.list[i], *colon = strchr(one, ':');
        const size_t vendor = colon ? (size_t)(colon - one) : 0;
        if (strcmp(one, "*") == 0)
            continue;
        if (vendor == 0 || !colon[1])
            status = bad(
                r, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: \"%.100s\"",
                one);
        else if (strspn(one, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != vendor)
            status = bad(r, "Vendor %.*s is not valid", (int)(vendor < 100 ? vendor : 100), one);
    }
    return status;
}

static bool looks_like_arn(const char *text)
{
    int colons = 0;
    for (const char *at = text; *at; at++)
        colons += *at == ':';
    return strncmp(text, "arn:", 4) == 0 && colons >= 5;
}

static int read_resources(const reading *r, sh_statement *s, const char *element, const json_t *value)
{
    int status = read_texts(r, element, value, false, &s->resources);
    s->has_resource = true;
    if (status == 0 && s->resources.count == 0)
        return bad(r, "Policy statement must contain resources.");
    for (size_t i = 0; i < s->resources.count && status == 0; i++)
        if (strcmp(s->resources.list[i], "*") != 0 && !looks_like_arn(s->resources.list[i]))
            status = bad(r, "Resource %.100s must be in ARN format or \"*\".", s->resources.list[i]);
    return status;
}

static bool is_account(const char *text)
{
    return strlen(text) == 12 && strspn(text, "0123456789") == 12;
}

/* arn:aws:iam::123456789012:root */
static const char *account_of_root(const reading *r, const char *arn)
{
    const char *account = strstr(arn, ":iam::");
    if (!account || strlen(account) < 6 + 12 + 5 || strcmp(account + 6 + 12, ":root") != 0)
        return NULL;
    return sh_arena_strndup(r->policy->arena, account + 6, 12);
}

static int read_aws_principal(const reading *r, const char *text, sh_principal *out)
{
    const char *account = account_of_root(r, text);
    if (strcmp(text, "*") == 0)
        *out = (sh_principal){SH_PRINCIPAL_ANY, text};
    else if (is_account(text))
        *out = (sh_principal){SH_PRINCIPAL_ACCOUNT, text};
    else if (account)
        *out = (sh_principal){SH_PRINCIPAL_ACCOUNT, account};
    else if (looks_like_arn(text) && !strchr(text, '*') && !strchr(text, '?'))
        *out = (sh_principal){SH_PRINCIPAL_ARN, text};
    else
        return bad(r, "Invalid principal in policy: \"AWS\":\"%.100s\"", text);
    return 0;
}

/* "states.eu-west-1.amazonaws.com" is "states.amazonaws.com" in one region, and there is one here. */
static const char *service_of(const reading *r, const char *text)
{
    const char *region = strchr(text, '.') + 1, *rest = strchr(region, '.');
    const size_t length = rest ? (size_t)(rest - region) : 0;
    if (!rest || strcmp(rest, ".amazonaws.com") != 0 || !memchr(region, '-', length))
        return text;
    return sh_arena_printf(r->policy->arena, "%.*s%s", (int)(region - 1 - text), text, rest);
}

static int read_principal(const reading *r, const char *kind, const char *text, sh_principal *out)
{
    if (strcmp(kind, "AWS") == 0)
        return read_aws_principal(r, text, out);
    if (strcmp(kind, "Service") == 0) {
        if (!strchr(text, '.') || strchr(text, '*'))
            return bad(r, "Invalid principal in policy: \"SERVICE\":\"%.100s\"", text);
        *out = (sh_principal){SH_PRINCIPAL_SERVICE, service_of(r, text)};
        return out->text ? 0 : no_memory(r);
    }
    if (strcmp(kind, "Federated") != 0 && strcmp(kind, "CanonicalUser") != 0)
        return bad(r, "Invalid principal in policy: \"%.50s\" is no kind of principal", kind);
    *out = (sh_principal){SH_PRINCIPAL_OTHER, text};
    return 0;
}

static int add_principals(const reading *r, sh_statement *s, const char *kind, const json_t *value)
{
    sh_patterns texts;
    int status = read_texts(r, "Principal", value, false, &texts);
    sh_principal *all =
        status == 0 ? sh_arena_alloc(r->policy->arena, (s->principal_count + texts.count + 1) * sizeof(*all))
                    : NULL;
    if (!all)
        return status < 0 ? status : no_memory(r);
    if (s->principal_count > 0)
        memcpy(all, s->principals, s->principal_count * sizeof(*all));
    s->principals = all;
    for (size_t i = 0; i < texts.count && status == 0; i++)
        status = read_principal(r, kind, texts.list[i], &all[s->principal_count++]);
    return status;
}

static int read_principals(const reading *r, sh_statement *s, const json_t *value)
{
    const char *kind;
    json_t *texts;
    int status = 0;
    s->has_principal = true;
    if (json_is_string(value) && strcmp(json_string_value(value), "*") == 0)
        return add_principals(r, s, "AWS", value);
    if (!json_is_object(value) || json_object_size(value) == 0)
        return bad(r, "Invalid principal in policy: it has to be \"*\" or an object");
    json_object_foreach((json_t *)value, kind, texts)
    {
        if (status == 0)
            status = add_principals(r, s, kind, texts);
    }
    return status;
}

/* ---- Condition ---- */

/* "ForAllValues:StringLikeIfExists" */
static int read_operator(const reading *r, const char *name, sh_condition *c)
{
    static const char all[] = "ForAllValues:", any[] = "ForAnyValue:", exists[] = "IfExists";
    const char *at = name;
    c->set = SH_SET_NONE;
    if (strncasecmp(at, all, sizeof(all) - 1) == 0) {
        c->set = SH_SET_ALL;
        at += sizeof(all) - 1;
    } else if (strncasecmp(at, any, sizeof(any) - 1) == 0) {
        c->set = SH_SET_ANY;
        at += sizeof(any) - 1;
    }
    size_t length = strlen(at);
    c->if_exists = length > sizeof(exists) - 1 && strcasecmp(at + length - (sizeof(exists) - 1), exists) == 0;
    length -= c->if_exists ? sizeof(exists) - 1 : 0;
    c->op = sh_policy_operator_find(at, length);
    if (!c->op || (c->if_exists && c->op == sh_policy_operator_find("Null", 4)))
        return bad(r, "Invalid Condition type : %.100s.", name);
    return 0;
}

static int read_condition(const reading *r, const char *name, const char *key, const json_t *values,
                          sh_condition *c)
{
    const char *colon = strchr(key, ':');
    int status = read_operator(r, name, c);
    if (status == 0 && (!colon || colon == key || !colon[1]))
        status = bad(
            r, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: \"%.100s\"", key);
    if (status == 0)
        status = read_texts(r, "a value of Condition", values, true, &c->values);
    if (status < 0)
        return status;
    c->key = sh_arena_strdup(r->policy->arena, key);
    if (!c->key)
        return no_memory(r);
    for (size_t i = 0; i < c->values.count; i++)
        if (!sh_policy_operator_takes(c->op, c->values.list[i]))
            return bad(r, "Syntax errors in policy: \"%.100s\" is no value for %.50s", c->values.list[i],
                       name);
    return 0;
}

static int read_conditions(const reading *r, sh_statement *s, const json_t *value)
{
    const char *name, *key;
    json_t *keys, *values;
    size_t count = 0;
    if (!json_is_object(value))
        return bad(r, "Syntax errors in policy: Condition has to be an object");
    json_object_foreach((json_t *)value, name, keys)
    {
        if (!json_is_object(keys))
            return bad(r, "Syntax errors in policy: Condition.%.50s has to be an object", name);
        count += json_object_size(keys);
    }
    sh_condition *list = sh_arena_alloc(r->policy->arena, (count + 1) * sizeof(*list));
    if (!list)
        return no_memory(r);
    s->conditions = list;
    json_object_foreach((json_t *)value, name, keys)
    {
        json_object_foreach(keys, key, values)
        {
            int status = read_condition(r, name, key, values, &list[s->condition_count++]);
            if (status < 0)
                return status;
        }
    }
    return 0;
}

/* ---- statements ---- */

static int read_sid(const reading *r, sh_statement *s, const json_t *value)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const char *sid = json_string_value(value);
    if (!sid)
        return bad(r, "Syntax errors in policy: Sid has to be a string");
    /* policies of resources may have spaces and more in it */
    if (r->policy->kind == SH_POLICY_IDENTITY && strspn(sid, letters) != strlen(sid))
        return bad(r,
                   "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
                   "expression [0-9A-Za-z]*");
    for (size_t i = 0; i + 1 < r->number; i++)
        if (*sid && strcmp(r->policy->statements[i].sid, sid) == 0)
            return bad(r, "Statement IDs (SID) in a single policy must be unique.");
    s->sid = sh_arena_strdup(r->policy->arena, sid);
    return s->sid ? 0 : no_memory(r);
}

static int read_element(const reading *r, sh_statement *s, const char *name, const json_t *value)
{
    if (strcmp(name, "Sid") == 0)
        return read_sid(r, s, value);
    if (strcmp(name, "Effect") == 0)
        return 0; /* read before */
    if (strcmp(name, "Action") == 0 || strcmp(name, "NotAction") == 0) {
        if (s->actions.count > 0)
            return bad(r, "Syntax errors in policy: Action and NotAction stand both in one statement");
        s->not_action = *name == 'N';
        return read_actions(r, s, name, value);
    }
    if (strcmp(name, "Resource") == 0 || strcmp(name, "NotResource") == 0) {
        if (s->has_resource)
            return bad(r, "Syntax errors in policy: Resource and NotResource stand both in one statement");
        s->not_resource = *name == 'N';
        return read_resources(r, s, name, value);
    }
    if (strcmp(name, "Principal") == 0 || strcmp(name, "NotPrincipal") == 0) {
        if (s->has_principal)
            return bad(r, "Syntax errors in policy: Principal and NotPrincipal stand both in one statement");
        s->not_principal = *name == 'N';
        return read_principals(r, s, value);
    }
    if (strcmp(name, "Condition") == 0)
        return read_conditions(r, s, value);
    return bad(r, "Syntax errors in policy: \"%.50s\" is no element of a statement", name);
}

/* What a kind of policy has to have, and must not. */
static int check_kind(const reading *r, const sh_statement *s)
{
    const sh_policy_kind kind = r->policy->kind;
    if (s->actions.count == 0)
        return bad(r, "Policy statement must contain actions.");
    if (kind != SH_POLICY_TRUST && !s->has_resource)
        return bad(r, "Policy statement must contain resources.");
    if (kind == SH_POLICY_TRUST && s->has_resource)
        return bad(r, "Has prohibited field Resource");
    if (kind == SH_POLICY_IDENTITY && s->has_principal)
        return bad(r, "Policy document should not specify a principal.");
    if (kind != SH_POLICY_IDENTITY && !s->has_principal)
        return bad(r, kind == SH_POLICY_TRUST ? "AssumeRole policy must contain a principal."
                                              : "Missing required field Principal");
    return 0;
}

static int read_statement(const reading *r, const json_t *object, sh_statement *s)
{
    const char *effect = json_string_value(json_object_get(object, "Effect")), *name;
    json_t *value;
    int status = 0;
    s->sid = "";
    if (!json_is_object(object))
        return bad(r, "Syntax errors in policy: a statement has to be an object");
    if (!effect || (strcmp(effect, "Allow") != 0 && strcmp(effect, "Deny") != 0))
        return bad(r, "Syntax errors in policy: Effect has to be Allow or Deny");
    s->deny = *effect == 'D';
    json_object_foreach((json_t *)object, name, value)
    {
        if (status == 0)
            status = read_element(r, s, name, value);
    }
    return status < 0 ? status : check_kind(r, s);
}

static int read_statements(reading *r, const json_t *value)
{
    const size_t count = json_is_array(value) ? json_array_size(value) : 1;
    int status = 0;
    if (!json_is_object(value) && !json_is_array(value))
        return bad(r, "Syntax errors in policy: Statement has to be an object or a list of objects");
    if (count == 0)
        return bad(r, "Syntax errors in policy: there is no statement");
    if (count > STATEMENTS_MAX)
        return sh_fail(r->err, SH_E_LIMIT, "a policy of %zu statements; %d can be", count, STATEMENTS_MAX);
    r->policy->statements = sh_arena_alloc(r->policy->arena, count * sizeof(*r->policy->statements));
    if (!r->policy->statements)
        return no_memory(r);
    r->policy->count = count;
    for (size_t i = 0; i < count && status == 0; i++) {
        r->number = i + 1;
        status = read_statement(r, json_is_array(value) ? json_array_get(value, i) : value,
                                &r->policy->statements[i]);
    }
    r->number = 0;
    return status;
}

static int read_document(reading *r, const json_t *root)
{
    const json_t *version = json_object_get(root, "Version");
    const char *text = json_string_value(version), *name;
    json_t *value;
    if (!json_is_object(root))
        return bad(r, "Syntax errors in policy: the document has to be an object");
    if (version && (!text || (strcmp(text, "2012-10-17") != 0 && strcmp(text, "2008-10-17") != 0)))
        return bad(r, "Syntax errors in policy: Version has to be \"2012-10-17\" or \"2008-10-17\"");
    r->policy->variables = text && strcmp(text, "2012-10-17") == 0;
    json_object_foreach((json_t *)root, name, value)
    {
        if (strcmp(name, "Version") != 0 && strcmp(name, "Id") != 0 && strcmp(name, "Statement") != 0)
            return bad(r, "Syntax errors in policy: \"%.50s\" is no element of a policy", name);
    }
    if (json_object_get(root, "Id") && !json_is_string(json_object_get(root, "Id")))
        return bad(r, "Syntax errors in policy: Id has to be a string");
    return read_statements(r, json_object_get(root, "Statement"));
}

/* jansson's own bound lies far beyond what a policy can need. */
static bool too_deep(const char *text, size_t length)
{
    int depth = 0;
    bool inside = false;
    for (size_t i = 0; i < length; i++) {
        if (inside && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            inside = !inside;
        else if (!inside && (text[i] == '{' || text[i] == '['))
            depth++;
        else if (!inside && (text[i] == '}' || text[i] == ']'))
            depth--;
        if (depth > DEPTH_MAX)
            return true;
    }
    return false;
}

int sh_policy_parse(sh_policy **out, sh_policy_kind kind, const char *text, size_t length, sh_err *err)
{
    json_error_t error;
    sh_policy *policy = NULL;
    json_t *root = NULL;
    reading r = {.err = err};
    if (length > SH_POLICY_MAX)
        return sh_fail(err, SH_E_LIMIT, "a policy of %zu bytes; %d can be", length, SH_POLICY_MAX);
    if (too_deep(text, length))
        return bad(&r, "Syntax errors in policy: it is nested more than %d levels deep", DEPTH_MAX);
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!root && json_error_code(&error) == json_error_out_of_memory)
        return no_memory(&r);
    if (!root)
        return bad(&r, "Syntax errors in policy: line %d, column %d: %s", error.line, error.column,
                   error.text);
    sh_arena *arena = sh_arena_new(ARENA_MAX);
    policy = arena ? sh_arena_alloc(arena, sizeof(*policy)) : NULL;
    int status = policy ? 0 : no_memory(&r);
    if (policy) {
        policy->arena = arena;
        policy->kind = kind;
        r.policy = policy;
        status = read_document(&r, root);
    }
    json_decref(root);
    if (status < 0)
        sh_arena_free(arena);
    else
        *out = policy;
    return status;
}

void sh_policy_free(sh_policy *policy)
{
    if (policy)
        sh_arena_free(policy->arena);
}
