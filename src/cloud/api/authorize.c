/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One decision: the caller's policies (kept parsed by IAM), the resource's, and the keys of the request. The
 * account's root, on whom no policy of a resource has a word, is let through without more ado; nobody else
 * is. */
#include "cloud/api/authorize.h"
#include "cloud/api/authorize_context.h"
#include "cloud/api/iam.h"

#include <stdio.h>
#include <string.h>

#define SENTENCE_MAX 8192

typedef struct moment {
    char iso[SH_TIME_TEXT], epoch[24];
} moment;

/* The keys that every request has, beside those of the principal. */
static bool put_global(sh_context *c, const sh_cloud *cloud, const sh_caller *caller, moment *m)
{
    const int64_t now_ms = sh_now_ms(cloud->clock);
    sh_time_iso_s(now_ms, m->iso);
    snprintf(m->epoch, sizeof(m->epoch), "%lld", (long long)(now_ms / 1000));
    return sh_context_put(c, "aws:CurrentTime", m->iso) && sh_context_put(c, "aws:EpochTime", m->epoch) &&
           sh_context_put(c, "aws:SecureTransport", caller->secure ? "true" : "false") &&
           sh_context_put(c, "aws:SourceIp", caller->source_ip) &&
           sh_context_put(c, "aws:UserAgent", caller->user_agent) &&
           sh_context_put(c, "aws:Referer", caller->referer) &&
           sh_context_put(c, "aws:RequestedRegion", cloud->settings.region) &&
           sh_context_put(c, "aws:ResourceAccount", cloud->settings.account) &&
           sh_context_put(c, "aws:ViaAWSService", "false");
}

static bool put_all(sh_context *c, const sh_policy_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!sh_context_put_list(c, keys[i].name, keys[i].values, keys[i].count))
            return false;
    return true;
}

static const char *make_sentence(sh_arena *arena, sh_policy_reason reason, const sh_policy_request *request)
{
    char text[SENTENCE_MAX];
    sh_policy_sentence(text, sizeof(text), reason, request);
    sh_text_mend(text);
    return sh_arena_strdup(arena, text);
}

static bool mentions(const sh_policy_set *set, const char *prefix)
{
    for (size_t i = 0; i < set->identity_count; i++)
        if (sh_policy_mentions(set->identity[i], prefix))
            return true;
    return sh_policy_mentions(set->resource, prefix) || sh_policy_mentions(set->boundary, prefix) ||
           sh_policy_mentions(set->session, prefix);
}

static bool put_late(sh_context *c, const sh_policy_set *set, const sh_asked *asked)
{
    return !asked->late || !mentions(set, asked->late_prefix) || asked->late(asked->opaque, c);
}

static int decide(sh_cloud *cloud, const sh_caller *caller, const sh_asked *asked, const sh_iam_grant *grant,
                  sh_policy_reason *reason, sh_policy_request *request, sh_err *err)
{
    moment m;
    sh_context context;
    sh_policy_set set = grant->set;
    context.count = 0;
    set.resource = asked->resource_policy;
    if (!put_global(&context, cloud, caller, &m) || !put_all(&context, grant->keys, grant->key_count) ||
        !put_all(&context, asked->keys, asked->key_count) || !put_late(&context, &set, asked))
        return sh_fail(err, SH_E_LIMIT, "a request has more than %d condition keys", SH_CONTEXT_KEYS);
    request->keys = context.keys;
    request->key_count = context.count;
    *reason = sh_policy_decide(&set, request);
    request->keys = NULL;
    request->key_count = 0;
    return 0;
}

static bool is_plain_root(const sh_policy_set *set, const sh_asked *asked)
{
    return set->root && !asked->resource_policy && !set->identity_count && !set->boundary && !set->session;
}

int sh_authorize_why(sh_cloud *cloud, const sh_caller *caller, const sh_asked *asked, sh_arena *arena,
                     sh_policy_reason *reason, const char **sentence, sh_err *err)
{
    sh_iam_grant grant = {0};
    sh_policy_reason why = SH_POLICY_ALLOWED;
    if (!caller)
        return sh_fail(err, SH_E_INTERNAL, "nobody asks to perform %s", asked->action);
    sh_policy_request request = {
        .action = asked->action,
        .resource = asked->resource,
        .caller = {caller->arn, caller->role_arn, caller->account, caller->arn ? NULL : caller->service}};
    int status = sh_iam_policies(cloud, caller, &grant, err);
    if (status == SH_E_NOT_FOUND) /* whoever it was is gone, and so is what it was allowed */
        status = 0;
    if (status == 0 && !is_plain_root(&grant.set, asked))
        status = decide(cloud, caller, asked, &grant, &why, &request, err);
    sh_iam_release(&grant);
    if (status < 0)
        return status;
    *reason = why;
    if (why == SH_POLICY_ALLOWED)
        return 0;
    *sentence = make_sentence(arena, why, &request);
    return *sentence ? SH_E_DENIED : sh_fail(err, SH_E_MEMORY, "no memory for a refusal");
}

int sh_authorize(sh_cloud *cloud, const sh_caller *caller, const sh_asked *asked, sh_arena *arena,
                 const char **sentence, sh_err *err)
{
    sh_policy_reason reason;
    return sh_authorize_why(cloud, caller, asked, arena, &reason, sentence, err);
}
