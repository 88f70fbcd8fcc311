/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decisions within one account, after "Policy evaluation logic" of the IAM User Guide: an explicit deny
 * anywhere ends it; then what the resource's policy gives to the caller itself stands by itself, what it
 * gives to the role behind a session is bounded, and what it gives to the account needs the caller's own
 * policies as well; all else has to be allowed by an identity policy, the boundary and the session's policy.
 */
#include "cloud/policy/model.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- one statement ---- */

static bool action_in(const sh_statement *s, const sh_policy_request *request)
{
    for (size_t i = 0; i < s->actions.count; i++)
        if (sh_policy_glob(s->actions.list[i], request->action, true))
            return true;
    return false;
}

static bool resource_in(const sh_policy *policy, const sh_statement *s, const sh_policy_request *request)
{
    for (size_t i = 0; i < s->resources.count; i++)
        if (sh_arn_matches(policy, s->resources.list[i], request->resource, request))
            return true;
    return false;
}

static sh_match match_one(const sh_principal *p, const sh_policy_caller *caller)
{
    switch (p->kind) {
    case SH_PRINCIPAL_ANY:
        return SH_MATCH_CALLER;
    case SH_PRINCIPAL_ARN:
        if (caller->arn && strcmp(p->text, caller->arn) == 0)
            return SH_MATCH_CALLER;
        return caller->role_arn && strcmp(p->text, caller->role_arn) == 0 ? SH_MATCH_ROLE : SH_MATCH_NONE;
    case SH_PRINCIPAL_ACCOUNT:
        return caller->arn && caller->account && strcmp(p->text, caller->account) == 0 ? SH_MATCH_ACCOUNT
                                                                                       : SH_MATCH_NONE;
    case SH_PRINCIPAL_SERVICE:
        return caller->service && strcasecmp(p->text, caller->service) == 0 ? SH_MATCH_CALLER : SH_MATCH_NONE;
    default:
        return SH_MATCH_NONE;
    }
}

static sh_match match_principal(const sh_statement *s, const sh_policy_caller *caller)
{
    sh_match best = SH_MATCH_NONE;
    if (!s->has_principal)
        return SH_MATCH_CALLER;
    for (size_t i = 0; i < s->principal_count; i++) {
        const sh_match one = match_one(&s->principals[i], caller);
        best = one > best ? one : best;
    }
    if (s->not_principal)
        return best == SH_MATCH_NONE ? SH_MATCH_CALLER : SH_MATCH_NONE;
    return best;
}

static sh_match match_statement(const sh_policy *policy, const sh_statement *s,
                                const sh_policy_request *request)
{
    if (action_in(s, request) == s->not_action)
        return SH_MATCH_NONE;
    if (s->has_resource && resource_in(policy, s, request) == s->not_resource)
        return SH_MATCH_NONE;
    const sh_match match = match_principal(s, &request->caller);
    for (size_t i = 0; i < s->condition_count && match != SH_MATCH_NONE; i++)
        if (!sh_condition_holds(policy, &s->conditions[i], request))
            return SH_MATCH_NONE;
    return match;
}

/* ---- one policy ---- */

/* *match: for whom it allows. */
static sh_policy_effect says(const sh_policy *policy, const sh_policy_request *request, sh_match *match,
                             const char **sid)
{
    sh_policy_effect effect = SH_POLICY_SILENT;
    *match = SH_MATCH_NONE;
    for (size_t i = 0; i < policy->count; i++) {
        const sh_statement *s = &policy->statements[i];
        const sh_match one = match_statement(policy, s, request);
        if (one == SH_MATCH_NONE || (!s->deny && one <= *match))
            continue;
        *sid = s->sid;
        if (s->deny)
            return SH_POLICY_DENY;
        *match = one;
        effect = SH_POLICY_ALLOW;
    }
    return effect;
}

sh_policy_effect sh_policy_says(const sh_policy *policy, const sh_policy_request *request, const char **sid)
{
    sh_match match;
    const char *found = NULL;
    const sh_policy_effect effect = says(policy, request, &match, &found);
    if (sid)
        *sid = found;
    return effect;
}

static sh_policy_effect says_all(const sh_policy *const *policies, size_t count,
                                 const sh_policy_request *request)
{
    sh_policy_effect effect = SH_POLICY_SILENT;
    for (size_t i = 0; i < count; i++) {
        const sh_policy_effect one = sh_policy_says(policies[i], request, NULL);
        if (one > effect)
            effect = one;
    }
    return effect;
}

/* ---- all of them ---- */

typedef struct words {
    sh_policy_effect identity, boundary, session, resource;
    sh_match match; /* of the resource's */
} words;

static sh_policy_reason denied(const words *w)
{
    if (w->identity == SH_POLICY_DENY)
        return SH_POLICY_DENIED_IDENTITY;
    if (w->resource == SH_POLICY_DENY)
        return SH_POLICY_DENIED_RESOURCE;
    if (w->boundary == SH_POLICY_DENY)
        return SH_POLICY_DENIED_BOUNDARY;
    return w->session == SH_POLICY_DENY ? SH_POLICY_DENIED_SESSION : SH_POLICY_ALLOWED;
}

static sh_policy_reason bounded(const sh_policy_set *set, const words *w)
{
    if (set->boundary && w->boundary != SH_POLICY_ALLOW)
        return SH_POLICY_NO_BOUNDARY;
    return set->session && w->session != SH_POLICY_ALLOW ? SH_POLICY_NO_SESSION : SH_POLICY_ALLOWED;
}

sh_policy_reason sh_policy_decide(const sh_policy_set *set, const sh_policy_request *request)
{
    words w = {SH_POLICY_SILENT, SH_POLICY_SILENT, SH_POLICY_SILENT, SH_POLICY_SILENT, SH_MATCH_NONE};
    const char *sid;
    w.identity = says_all(set->identity, set->identity_count, request);
    if (set->boundary)
        w.boundary = sh_policy_says(set->boundary, request, NULL);
    if (set->session)
        w.session = sh_policy_says(set->session, request, NULL);
    if (set->resource)
        w.resource = says(set->resource, request, &w.match, &sid);
    const sh_policy_reason no = denied(&w);
    if (no != SH_POLICY_ALLOWED)
        return no;
    if (set->root || w.match == SH_MATCH_CALLER)
        return SH_POLICY_ALLOWED;
    if (w.match == SH_MATCH_ROLE)
        return bounded(set, &w);
    if (!request->caller.arn)
        return SH_POLICY_NO_RESOURCE;
    if (w.identity != SH_POLICY_ALLOW)
        return SH_POLICY_NO_IDENTITY;
    return bounded(set, &w);
}

/* ---- which keys a policy is about ---- */

static bool any_mentions(const sh_patterns *patterns, const char *prefix, size_t length)
{
    for (size_t i = 0; i < patterns->count; i++)
        for (const char *at = strstr(patterns->list[i], "${"); at; at = strstr(at + 2, "${"))
            if (strncasecmp(at + 2, prefix, length) == 0)
                return true;
    return false;
}

bool sh_policy_mentions(const sh_policy *policy, const char *prefix)
{
    const size_t length = strlen(prefix);
    for (size_t i = 0; policy && i < policy->count; i++) {
        const sh_statement *s = &policy->statements[i];
        if (any_mentions(&s->resources, prefix, length))
            return true;
        for (size_t k = 0; k < s->condition_count; k++)
            if (strncasecmp(s->conditions[k].key, prefix, length) == 0 ||
                any_mentions(&s->conditions[k].values, prefix, length))
                return true;
    }
    return false;
}

/* ---- words ---- */

int sh_policy_sentence(char *text, size_t size, sh_policy_reason reason, const sh_policy_request *request)
{
    static const char *const kinds[] = {
        [SH_POLICY_DENIED_IDENTITY] = "an identity-based policy",
        [SH_POLICY_DENIED_BOUNDARY] = "a permissions boundary",
        [SH_POLICY_DENIED_SESSION] = "a session policy",
        [SH_POLICY_DENIED_RESOURCE] = "a resource-based policy",
        [SH_POLICY_NO_IDENTITY] = "identity-based policy",
        [SH_POLICY_NO_BOUNDARY] = "permissions boundary",
        [SH_POLICY_NO_SESSION] = "session policy",
        [SH_POLICY_NO_RESOURCE] = "resource-based policy",
    };
    const sh_policy_caller *c = &request->caller;
    const char *who = c->arn ? c->arn : c->service ? c->service : "anonymous";
    /* S3 puts the resource into quotes, other services do not */
    const char *quote = strncasecmp(request->action, "s3:", 3) == 0 ? "\"" : "";
    char about[2200] = "";
    if (strcmp(request->resource, "*") != 0)
        snprintf(about, sizeof(about), " on resource: %s%s%s", quote, request->resource, quote);
    if (reason == SH_POLICY_ALLOWED)
        return snprintf(text, size, "User: %s is authorized to perform: %s%s", who, request->action, about);
    if (reason <= SH_POLICY_DENIED_RESOURCE)
        return snprintf(text, size, "User: %s is not authorized to perform: %s%s with an explicit deny in %s",
                        who, request->action, about, kinds[reason]);
    return snprintf(text, size,
                    "User: %s is not authorized to perform: %s%s because no %s allows the %s action", who,
                    request->action, about, kinds[reason], request->action);
}
