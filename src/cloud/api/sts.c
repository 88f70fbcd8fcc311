/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Security Token Service. A role is taken on when its trust policy allows it; a trust policy that names
 * the account, and not the caller, leaves the rest to the caller's own policies. Session keys are made by
 * sts_token.c, nothing is stored. */
#include "cloud/api/iam_inner.h"
#include "cloud/api/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PACKED_MAX = 8192,
    CHAIN_MAX_S = 3600,
    ROLE_DEFAULT_S = 3600,
    TOKEN_DEFAULT_S = 43200,
    KEYS_MAX = 256
};

/* ---- may it be taken on ---- */

typedef struct asking {
    sh_call *call;
    sh_policy_key keys[KEYS_MAX];
    size_t count;
    bool failed;
} asking;

static void ask_key(asking *a, const char *name, const char *const *values, size_t count)
{
    if (a->count < KEYS_MAX && name && values)
        a->keys[a->count++] = (sh_policy_key){name, values, count};
    else
        a->failed = true;
}

static void ask_one(asking *a, const char *name, const char *value)
{
    const char **values = value ? sh_arena_alloc(a->call->arena, sizeof(*values)) : NULL;
    if (!value)
        return;
    if (values)
        values[0] = value;
    ask_key(a, name, values, 1);
}

static void ask_tags(asking *a, const json_t *tags, const json_t *transitive)
{
    size_t index, count = json_array_size(tags), more = json_array_size(transitive);
    const json_t *one;
    const char **keys = sh_arena_alloc(a->call->arena, (count + 1) * sizeof(*keys));
    const char **passed = sh_arena_alloc(a->call->arena, (more + 1) * sizeof(*passed));
    if (!keys || !passed) {
        a->failed = true;
        return;
    }
    json_array_foreach(tags, index, one)
    {
        keys[index] = json_string_value(json_object_get(one, "Key"));
        ask_one(a, sh_arena_printf(a->call->arena, "aws:RequestTag/%s", keys[index]),
                json_string_value(json_object_get(one, "Value")));
    }
    json_array_foreach(transitive, index, one)
    {
        passed[index] = json_string_value(one);
    }
    if (count)
        ask_key(a, "aws:TagKeys", keys, count);
    if (more)
        ask_key(a, "sts:TransitiveTagKeys", passed, more);
}

static void ask_role(asking *a, const sh_iam_entity *role)
{
    const char *key;
    json_t *value, *tags = role->tags ? json_loads(role->tags, 0, NULL) : NULL;
    json_object_foreach(tags, key, value)
    {
        ask_one(a, sh_arena_printf(a->call->arena, "aws:ResourceTag/%s", key),
                sh_arena_strdup(a->call->arena, json_string_value(value)));
        ask_one(a, sh_arena_printf(a->call->arena, "iam:ResourceTag/%s", key),
                sh_arena_strdup(a->call->arena, json_string_value(value)));
    }
    json_decref(tags);
}

static void ask_request(asking *a)
{
    const sh_call *call = a->call;
    const sh_caller *c = call->caller;
    json_t *now = sh_iam_date(call->now_ms);
    ask_one(a, "aws:CurrentTime", now ? sh_arena_strdup(call->arena, json_string_value(now)) : NULL);
    json_decref(now);
    ask_one(a, "aws:EpochTime", sh_arena_printf(call->arena, "%lld", (long long)(call->now_ms / 1000)));
    ask_one(a, "aws:SecureTransport", c->secure ? "true" : "false");
    ask_one(a, "aws:SourceIp", c->source_ip);
    ask_one(a, "aws:UserAgent", c->user_agent);
    ask_one(a, "aws:RequestedRegion", call->cloud->settings.region);
    ask_one(a, "sts:ExternalId", sh_iam_text(call, "ExternalId"));
    ask_one(a, "sts:RoleSessionName", sh_iam_text(call, "RoleSessionName"));
    ask_one(a, "sts:SourceIdentity", sh_iam_text(call, "SourceIdentity"));
    ask_tags(a, sh_iam_array(call, "Tags"), sh_iam_array(call, "TransitiveTagKeys"));
}

static int denied(sh_call *call, const char *action, const char *arn)
{
    return sh_call_fail(call, 403, "AccessDenied",
                        "User: %s is not authorized to perform: %s on resource: %s", call->principal, action,
                        arn);
}

/* The trust policy has to allow it, and all policies together. */
static int decide(asking *a, const sh_iam_grant *grant, const sh_policy *trust, const char *arn,
                  const char *action)
{
    const sh_caller *c = a->call->caller;
    sh_policy_set set = grant->set;
    sh_policy_request request = {.action = action,
                                 .resource = arn,
                                 .caller = {.arn = c->arn,
                                            .role_arn = c->role_arn,
                                            .account = c->account,
                                            .service = c->arn ? NULL : c->service},
                                 .keys = a->keys,
                                 .key_count = a->count};
    set.resource = trust;
    if (sh_policy_says(trust, &request, NULL) == SH_POLICY_ALLOW &&
        sh_policy_decide(&set, &request) == SH_POLICY_ALLOWED)
        return 0;
    return denied(a->call, action, arn);
}

static int decide_all(asking *a, const sh_iam_grant *grant, const sh_policy *trust, const char *arn)
{
    int status = decide(a, grant, trust, arn, "sts:AssumeRole");
    if (status == 0 && json_array_size(sh_iam_array(a->call, "Tags")))
        status = decide(a, grant, trust, arn, "sts:TagSession");
    if (status == 0 && sh_iam_text(a->call, "SourceIdentity"))
        status = decide(a, grant, trust, arn, "sts:SetSourceIdentity");
    return status;
}

static int may_assume(sh_call *call, const sh_iam_entity *role, const char *arn, sh_err *err)
{
    sh_iam_grant grant = {.held = NULL};
    sh_policy *trust = NULL;
    asking *a = sh_arena_alloc(call->arena, sizeof(*a));
    if (!a)
        return sh_fail(err, SH_E_MEMORY, "no memory for a decision");
    int status = sh_policy_parse(&trust, SH_POLICY_TRUST, role->trust, strlen(role->trust), err);
    if (status == 0)
        status = sh_iam_policies(call->cloud, call->caller, &grant, err);
    if (status < 0)
        goto done;
    a->call = call;
    for (size_t i = 0; i < grant.key_count; i++)
        ask_key(a, grant.keys[i].name, grant.keys[i].values, grant.keys[i].count);
    ask_request(a);
    ask_role(a, role);
    status =
        a->failed ? sh_fail(err, SH_E_MEMORY, "too many condition keys") : decide_all(a, &grant, trust, arn);
done:
    sh_iam_release(&grant);
    sh_policy_free(trust);
    return status;
}

/* ---- what a session has of its own ---- */

static int check_session_policies(sh_call *call, json_t *more, sh_err *err)
{
    const char *policy = sh_iam_text(call, "Policy");
    const json_t *one;
    size_t index;
    int status = 0;
    if (policy) {
        if ((status = sh_iam_check_document(call, SH_POLICY_IDENTITY, policy)) < 0)
            return status;
        json_object_set_new(more, "Policy", json_string(policy));
    }
    json_t *arns = json_array();
    json_array_foreach(sh_iam_array(call, "PolicyArns"), index, one)
    {
        sh_iam_managed found;
        const char *arn = json_string_value(json_object_get(one, "arn"));
        status = arn ? sh_iam_managed_get(call->cloud, call->arena, arn, &found, err) : SH_E_NOT_FOUND;
        if (status < 0)
            break;
        json_array_append_new(arns, json_string(arn));
    }
    if (status == SH_E_NOT_FOUND)
        status = sh_call_fail(call, 400, "ValidationError", "The specified PolicyArn %s was not found.",
                              json_string_value(json_object_get(one, "arn")));
    if (json_array_size(arns))
        json_object_set(more, "PolicyArns", arns);
    json_decref(arns);
    return status;
}

/* Tags that the caller's session passes on, then those of the request. */
static int session_tags(sh_call *call, json_t *more)
{
    size_t index;
    const json_t *one;
    const char *before = call->caller->session_policy;
    json_t *old = before ? json_loads(before, 0, NULL) : NULL, *tags = json_object(), *passed = json_array();
    json_array_foreach(json_object_get(old, "Transitive"), index, one)
    {
        const char *key = json_string_value(one);
        json_object_set(tags, key, json_object_get(json_object_get(old, "Tags"), key));
        json_array_append(passed, (json_t *)one);
    }
    int status = sh_iam_tags_add(call, tags);
    json_array_foreach(sh_iam_array(call, "TransitiveTagKeys"), index, one)
    {
        if (status == 0 && !json_object_get(tags, json_string_value(one)))
            status = sh_call_fail(call, 400, "ValidationError",
                                  "The specified transitive tag key must be included in the requested tags.");
        json_array_append(passed, (json_t *)one);
    }
    if (status == 0 && json_object_size(tags))
        json_object_set(more, "Tags", tags);
    if (status == 0 && json_array_size(passed))
        json_object_set(more, "Transitive", passed);
    const char *identity = sh_iam_text(call, "SourceIdentity");
    const char *first = json_string_value(json_object_get(old, "SourceIdentity"));
    if (status == 0 && first && identity && strcmp(first, identity) != 0)
        status = denied(call, "sts:SetSourceIdentity", sh_iam_text(call, "RoleArn"));
    if (status == 0 && (first || identity))
        json_object_set_new(more, "SourceIdentity", json_string(first ? first : identity));
    json_decref(passed);
    json_decref(tags);
    json_decref(old);
    return status;
}

/* *text: NULL when the session has nothing of its own; *percent of what it may have. */
static int session_more(sh_call *call, const char **text, int *percent, sh_err *err)
{
    json_t *more = json_object();
    char *dumped = NULL;
    int status =
        more ? check_session_policies(call, more, err) : sh_fail(err, SH_E_MEMORY, "no memory for a session");
    *text = NULL;
    *percent = -1;
    if (status == 0)
        status = session_tags(call, more);
    if (status == 0 && json_object_size(more)) {
        dumped = json_dumps(more, JSON_COMPACT);
        *text = dumped ? sh_arena_strdup(call->arena, dumped) : NULL;
        if (!*text)
            status = sh_fail(err, SH_E_MEMORY, "no memory for a session");
        else
            *percent = (int)((strlen(dumped) * 100 + PACKED_MAX - 1) / PACKED_MAX);
    }
    if (status == 0 && *percent > 100)
        status = sh_call_fail(call, 400, "PackedPolicyTooLarge",
                              "Serialized token too large for session: %d%% of what is allowed", *percent);
    free(dumped);
    json_decref(more);
    return status;
}

/* ---- answers ---- */

static json_t *keys_json(const sh_iam_keys *k)
{
    return json_pack("{s:s, s:s, s:s, s:o}", "AccessKeyId", k->access_key, "SecretAccessKey", k->secret_key,
                     "SessionToken", k->token, "Expiration", sh_iam_date(k->expires_ms));
}

/* The role of the request, and whether its session can be as long as is wanted. */
static int need_role(sh_call *call, sh_iam_entity *role, int64_t *duration, sh_err *err)
{
    sh_err local = {0};
    const char *arn = sh_iam_text(call, "RoleArn"), *slash = strrchr(arn, '/');
    bool chained = call->caller && call->caller->role_arn;
    if (strncmp(arn, "arn:aws:iam::", 13) != 0 || !slash || strlen(arn) < 31 ||
        strncmp(arn + 25, ":role/", 6) != 0)
        return sh_call_fail(call, 400, "ValidationError", "%s is invalid", arn);
    if (!call->caller || call->caller->root)
        return sh_call_fail(call, 403, "AccessDenied", "Roles may not be assumed by root accounts.");
    int status = sh_iam_get(call->cloud->db, call->arena, SH_IAM_ROLE, slash + 1, role, &local);
    if (status == 0 && strcmp(sh_iam_entity_arn(call->cloud, call->arena, role), arn) != 0)
        status = SH_E_NOT_FOUND;
    if (status == SH_E_NOT_FOUND)
        return denied(call, "sts:AssumeRole", arn);
    if (status < 0)
        return sh_fail(err, status, "%s", local.message);
    *duration = sh_iam_number(call, "DurationSeconds", ROLE_DEFAULT_S);
    if (chained && *duration > CHAIN_MAX_S)
        return sh_call_fail(call, 400, "ValidationError",
                            "The requested DurationSeconds exceeds the 1 hour session limit for roles "
                            "assumed by role chaining.");
    if (*duration > role->max_session_s)
        return sh_call_fail(
            call, 400, "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
    return 0;
}

static int assume_role(sh_call *call, sh_err *err)
{
    sh_iam_entity role;
    sh_iam_keys keys;
    int64_t duration = 0;
    int percent = -1;
    sh_session s = {.role_arn = sh_iam_text(call, "RoleArn")};
    const char *name = sh_iam_text(call, "RoleSessionName");
    int status = need_role(call, &role, &duration, err);
    if (status == 0)
        status = may_assume(call, &role, s.role_arn, err);
    if (status == 0)
        status = session_more(call, &s.more, &percent, err);
    if (status < 0)
        return status;
    s.arn = sh_arena_printf(call->arena, "arn:aws:sts::%s:assumed-role/%s/%s", call->cloud->settings.account,
                            role.name, name);
    s.id = sh_arena_printf(call->arena, "%s:%s", role.id, name);
    s.begun_ms = call->now_ms;
    s.expires_ms = call->now_ms + 1000 * duration;
    if (!s.arn || !s.id)
        return sh_fail(err, SH_E_MEMORY, "no memory for a session");
    if ((status = sh_session_make(call->cloud, &s, call->arena, &keys, err)) < 0)
        return status;
    json_t *out = json_pack("{s:o, s:{s:s, s:s}}", "Credentials", keys_json(&keys), "AssumedRoleUser",
                            "AssumedRoleId", s.id, "Arn", s.arn);
    if (out && percent >= 0)
        sh_iam_set(out, "PackedPolicySize", json_integer(percent));
    if (out && sh_iam_text(call, "SourceIdentity"))
        sh_iam_set(out, "SourceIdentity", json_string(sh_iam_text(call, "SourceIdentity")));
    return sh_iam_give(call, out, err);
}

static int get_caller_identity(sh_call *call, sh_err *err)
{
    const char *account = call->cloud->settings.account;
    const sh_caller *c = call->caller;
    return sh_iam_give(call,
                       json_pack("{s:s, s:s, s:s}", "UserId", c && c->id ? c->id : account, "Account",
                                 c && c->account ? c->account : account, "Arn",
                                 c && c->arn ? c->arn : call->principal),
                       err);
}

static int get_session_token(sh_call *call, sh_err *err)
{
    const sh_caller *c = call->caller;
    sh_iam_keys keys;
    bool root = !c || c->root;
    if (c && c->session_ms)
        return sh_call_fail(call, 403, "AccessDenied",
                            "Cannot call GetSessionToken with session credentials");
    if (sh_iam_text(call, "SerialNumber") || sh_iam_text(call, "TokenCode"))
        return sh_call_fail(call, 403, "AccessDenied",
                            "MultiFactorAuthentication failed with invalid MFA one time pass code.");
    int64_t duration = sh_iam_number(call, "DurationSeconds", root ? CHAIN_MAX_S : TOKEN_DEFAULT_S);
    if (root && duration > CHAIN_MAX_S)
        duration = CHAIN_MAX_S;
    sh_session s = {.arn = call->principal,
                    .id = root ? call->cloud->settings.account : c->id,
                    .begun_ms = call->now_ms,
                    .expires_ms = call->now_ms + 1000 * duration};
    int status = sh_session_make(call->cloud, &s, call->arena, &keys, err);
    if (status < 0)
        return status;
    json_t *given = keys_json(&keys);
    return sh_iam_give(call, given ? json_pack("{s:o}", "Credentials", given) : NULL, err);
}

/* Keys of other accounts are nobody's here. */
static int get_access_key_info(sh_call *call, sh_err *err)
{
    sh_err local = {0};
    sh_iam_key key;
    const char *id = sh_iam_text(call, "AccessKeyId");
    int status = strcmp(id, call->cloud->access_key) == 0
                     ? 0
                     : sh_iam_key_get(call->cloud->db, call->arena, id, &key, &local);
    if (status == SH_E_NOT_FOUND && strncmp(id, "ASIA", 4) == 0)
        status = 0;
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "ValidationError", "Invalid access key ID: %s", id);
    if (status < 0)
        return sh_fail(err, status, "%s", local.message);
    return sh_iam_give(call, json_pack("{s:s}", "Account", call->cloud->settings.account), err);
}

/* ---- the table ---- */

static int run(sh_call *call, sh_iam_action_fn fn, const char *needs)
{
    return sh_iam_run(call, fn, false, needs);
}

static int run_assume_role(sh_call *call)
{
    return run(call, assume_role,
               "RoleArn! RoleSessionName! PolicyArns SessionPolicy RoleDuration Tags TransitiveTagKeys "
               "ExternalId SourceIdentity");
}

static int run_get_caller_identity(sh_call *call)
{
    return run(call, get_caller_identity, "");
}

static int run_get_session_token(sh_call *call)
{
    return run(call, get_session_token, "TokenDuration");
}

static int run_get_access_key_info(sh_call *call)
{
    return run(call, get_access_key_info, "AccessKeyId!");
}

static const sh_action actions[] = {
    {"AssumeRole", run_assume_role},
    {"GetCallerIdentity", run_get_caller_identity},
    {"GetSessionToken", run_get_session_token},
    {"GetAccessKeyInfo", run_get_access_key_info},
    {NULL, NULL},
};

const sh_service sh_service_sts = {.name = "sts", .json_version = "1.1", .actions = actions};

static const sh_query_member members[] = {
    {"DurationSeconds", SH_QUERY_INTEGER},
    {"Tags", SH_QUERY_LIST},
    {"TransitiveTagKeys", SH_QUERY_LIST},
    {"PolicyArns", SH_QUERY_LIST},
    {NULL, 0},
};

const sh_query_service sh_query_sts = {
    .service = &sh_service_sts,
    .version = "2011-06-15",
    .xmlns = "https://sts.amazonaws.com/doc/2011-06-15/",
    .members = members,
};
