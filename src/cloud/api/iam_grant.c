/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a caller's identity brings to a decision: the parsed policies of a user with its groups or of a role,
 * the boundary, the policy of a session, and the condition keys of the principal. Policies and keys of an
 * identity are shared by all its sessions; what a session adds is put together for each request. */
#include "cloud/api/iam_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEYS_MAX = 128, DOCUMENTS_MAX = 16 };

/* ---- condition keys ---- */

static int add_key(sh_iam_kept *thing, const char *name, const char *value, sh_err *err)
{
    if (!thing->keys)
        thing->keys = sh_arena_alloc(thing->arena, KEYS_MAX * sizeof(*thing->keys));
    const char **values = sh_arena_alloc(thing->arena, sizeof(*values));
    if (!thing->keys || !values || !name || !value)
        return sh_fail(err, SH_E_MEMORY, "no memory for a condition key");
    if (thing->key_count == KEYS_MAX)
        return sh_fail(err, SH_E_LIMIT, "an identity has more than %d condition keys", KEYS_MAX);
    values[0] = value;
    thing->keys[thing->key_count++] = (sh_policy_key){name, values, 1};
    return 0;
}

static int add_tags(sh_iam_kept *thing, const json_t *tags, sh_err *err)
{
    int status = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)tags, key, value)
    {
        if (status == 0)
            status = add_key(thing, sh_arena_printf(thing->arena, "aws:PrincipalTag/%s", key),
                             sh_arena_strdup(thing->arena, json_string_value(value)), err);
    }
    return status;
}

static int add_tag_text(sh_iam_kept *thing, const char *text, sh_err *err)
{
    json_t *tags = text ? json_loads(text, 0, NULL) : NULL;
    int status = tags ? add_tags(thing, tags, err) : 0;
    json_decref(tags);
    return status;
}

static int add_principal(const sh_cloud *cloud, sh_iam_kept *thing, const sh_iam_entity *e, sh_err *err)
{
    bool user = e->kind == SH_IAM_USER;
    int status = add_tag_text(thing, e->tags, err);
    if (status == 0)
        status = add_key(thing, "aws:PrincipalArn", sh_iam_entity_arn(cloud, thing->arena, e), err);
    if (status == 0)
        status = add_key(thing, "aws:PrincipalAccount", cloud->settings.account, err);
    if (status == 0)
        status = add_key(thing, "aws:PrincipalType", user ? "User" : "AssumedRole", err);
    if (status == 0)
        status = add_key(thing, "aws:PrincipalIsAWSService", "false", err);
    if (status == 0 && user)
        status = add_key(thing, "aws:username", e->name, err);
    return status == 0 && user ? add_key(thing, "aws:userid", e->id, err) : status;
}

/* ---- policies of an identity ---- */

typedef struct loading {
    sh_cloud *cloud;
    sh_iam_kept *thing;
    size_t room;
    int status;
    sh_err *err;
} loading;

static int add_policy(loading *l, const char *document)
{
    sh_iam_kept *thing = l->thing;
    if (thing->identity_count == l->room) {
        size_t room = l->room ? 2 * l->room : 16;
        sh_policy **list = sh_arena_alloc(thing->arena, room * sizeof(sh_policy *));
        if (!list)
            return sh_fail(l->err, SH_E_MEMORY, "no memory for policies");
        if (thing->identity_count)
            memcpy(list, thing->identity, thing->identity_count * sizeof(sh_policy *));
        thing->identity = list;
        l->room = room;
    }
    int status = sh_policy_parse(&thing->identity[thing->identity_count], SH_POLICY_IDENTITY, document,
                                 strlen(document), l->err);
    if (status == 0)
        thing->identity_count++;
    return status;
}

static int take_inline(void *opaque, const char *name, const char *document)
{
    loading *l = opaque;
    l->status = add_policy(l, document);
    if (l->status < 0)
        sh_err_prefix(l->err, "inline policy %s", name);
    return l->status;
}

static int take_attached(void *opaque, const char *arn)
{
    loading *l = opaque;
    sh_iam_managed policy;
    l->status = sh_iam_managed_get(l->cloud, l->thing->arena, arn, &policy, l->err);
    if (l->status == 0)
        l->status = add_policy(l, policy.document);
    return l->status;
}

static int load_owner(loading *l, int64_t row)
{
    int status = sh_iam_inline_list(l->cloud->db, row, "", INT64_MAX, take_inline, l, l->err);
    return status < 0 ? status : sh_iam_attached(l->cloud->db, row, "", INT64_MAX, take_attached, l, l->err);
}

static int take_group(void *opaque, const sh_iam_entity *group)
{
    return load_owner(opaque, group->row);
}

static int load_boundary(loading *l, const char *arn)
{
    sh_iam_managed policy;
    int status = sh_iam_managed_get(l->cloud, l->thing->arena, arn, &policy, l->err);
    return status < 0 ? status
                      : sh_policy_parse(&l->thing->boundary, SH_POLICY_IDENTITY, policy.document,
                                        strlen(policy.document), l->err);
}

int sh_iam_load_identity(sh_cloud *cloud, sh_iam_kept *thing, const void *id, sh_err *err)
{
    sh_iam_entity e;
    loading l = {.cloud = cloud, .thing = thing, .err = err};
    int status = sh_iam_get_id(cloud->db, thing->arena, id, &e, err);
    if (status == 0)
        status = load_owner(&l, e.row);
    if (status == 0 && e.kind == SH_IAM_USER)
        status = sh_iam_parents(cloud->db, e.row, "", INT64_MAX, take_group, &l, err);
    if (status == 0 && e.boundary)
        status = load_boundary(&l, e.boundary);
    return status < 0 ? status : add_principal(cloud, thing, &e, err);
}

/* ---- the account's root ---- */

static int load_root(sh_cloud *cloud, sh_iam_kept *thing, const void *about, sh_err *err)
{
    const char *account = cloud->settings.account;
    (void)about;
    int status = add_key(thing, "aws:PrincipalArn",
                         sh_arena_printf(thing->arena, "arn:aws:iam::%s:root", account), err);
    if (status == 0)
        status = add_key(thing, "aws:PrincipalAccount", account, err);
    if (status == 0)
        status = add_key(thing, "aws:PrincipalType", "Account", err);
    if (status == 0)
        status = add_key(thing, "aws:PrincipalIsAWSService", "false", err);
    return status < 0 ? status : add_key(thing, "aws:userid", account, err);
}

/* ---- what a session has of its own ---- */

/* A document without variables (of the older version) keeps its ${ as they are in one that has them. */
static const char *literal(sh_arena *arena, const char *document)
{
    sh_buf out;
    const char *at;
    sh_buf_init(&out, 4 * strlen(document) + 1);
    while ((at = strstr(document, "${"))) {
        sh_buf_append(&out, document, (size_t)(at - document));
        sh_buf_puts(&out, "${$}{");
        document = at + 2;
    }
    sh_buf_puts(&out, document);
    const char *text = out.failed ? NULL : sh_arena_strdup(arena, sh_buf_cstr(&out));
    sh_buf_free(&out);
    return text;
}

static int add_statements(sh_arena *arena, json_t *all, const char *document, sh_err *err)
{
    json_t *policy = json_loads(document, 0, NULL);
    const char *version = json_string_value(json_object_get(policy, "Version"));
    if (policy && strstr(document, "${") && (!version || strcmp(version, "2012-10-17") != 0)) {
        json_decref(policy);
        document = literal(arena, document);
        policy = document ? json_loads(document, 0, NULL) : NULL;
    }
    json_t *statement = json_object_get(policy, "Statement");
    int failed = json_is_array(statement) ? json_array_extend(all, statement)
                 : statement              ? json_array_append(all, statement)
                                          : -1;
    json_decref(policy);
    return failed ? sh_fail(err, SH_E_MEMORY, "no memory for a session's policy") : 0;
}

const char *sh_iam_merge(sh_arena *arena, const char *const *documents, size_t count, sh_err *err)
{
    const char *merged = NULL;
    json_t *all = json_array();
    int status = all ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for a session's policy");
    for (size_t i = 0; i < count && status == 0; i++)
        status = add_statements(arena, all, documents[i], err);
    if (status == 0 && json_array_size(all) == 0) /* what was named is gone: nothing is allowed */
        json_array_append_new(
            all, json_pack("{s:s, s:s, s:s}", "Effect", "Allow", "Action", "none:None", "Resource", "*"));
    json_t *policy = status == 0 ? json_pack("{s:s, s:O}", "Version", "2012-10-17", "Statement", all) : NULL;
    char *text = policy ? json_dumps(policy, JSON_COMPACT) : NULL;
    if (text)
        merged = sh_arena_strdup(arena, text);
    if (status == 0 && !merged)
        sh_fail(err, SH_E_MEMORY, "no memory for a session's policy");
    free(text);
    json_decref(policy);
    json_decref(all);
    return merged;
}

static int gather(sh_cloud *cloud, sh_arena *arena, const json_t *more, const char **documents, size_t *count,
                  sh_err *err)
{
    const char *own = json_string_value(json_object_get(more, "Policy"));
    size_t index;
    const json_t *arn;
    sh_iam_managed policy;
    if (own)
        documents[(*count)++] = own;
    json_array_foreach(json_object_get(more, "PolicyArns"), index, arn)
    {
        int status = sh_iam_managed_get(cloud, arena, json_string_value(arn), &policy, err);
        if (status < 0 && status != SH_E_NOT_FOUND)
            return status;
        if (status == 0 && *count < DOCUMENTS_MAX)
            documents[(*count)++] = policy.document;
    }
    return 0;
}

static int load_session(sh_cloud *cloud, sh_iam_kept *thing, const void *about, sh_err *err)
{
    const char *documents[DOCUMENTS_MAX], *merged;
    size_t count = 0;
    json_t *more = json_loads(about, 0, NULL);
    int status = more ? add_tags(thing, json_object_get(more, "Tags"), err)
                      : sh_fail(err, SH_E_INTERNAL, "a session's text is not JSON");
    if (status == 0 && (json_object_get(more, "Policy") || json_object_get(more, "PolicyArns"))) {
        status = gather(cloud, thing->arena, more, documents, &count, err);
        merged = status == 0 ? sh_iam_merge(thing->arena, documents, count, err) : NULL;
        if (status == 0)
            status = merged
                         ? sh_policy_parse(&thing->session, SH_POLICY_IDENTITY, merged, strlen(merged), err)
                         : SH_E_MEMORY;
    }
    const char *identity = json_string_value(json_object_get(more, "SourceIdentity"));
    if (status == 0 && identity)
        status = add_key(thing, "aws:SourceIdentity", sh_arena_strdup(thing->arena, identity), err);
    json_decref(more);
    return status;
}

/* ---- a grant ---- */

typedef struct box {
    sh_iam_kept *identity, *session;
    char userid[160], issued[32];
    const char *values[2];
    sh_policy_key keys[]; /* of a session: its tags go before those of its role */
} box;

static size_t add_keys(sh_policy_key *to, size_t at, const sh_iam_kept *thing)
{
    if (thing && thing->key_count)
        memcpy(to + at, thing->keys, thing->key_count * sizeof(*to));
    return at + (thing ? thing->key_count : 0);
}

static void name_session(box *b, const sh_caller *caller, sh_iam_grant *out)
{
    struct tm tm;
    time_t seconds = (time_t)(caller->session_ms / 1000);
    size_t count = add_keys(b->keys, 0, b->session);
    count = add_keys(b->keys, count, b->identity);
    snprintf(b->userid, sizeof(b->userid), "%s", caller->id);
    gmtime_r(&seconds, &tm);
    strftime(b->issued, sizeof(b->issued), "%Y-%m-%dT%H:%M:%SZ", &tm);
    b->values[0] = b->userid;
    b->values[1] = b->issued;
    if (caller->role_arn)
        b->keys[count++] = (sh_policy_key){"aws:userid", &b->values[0], 1};
    b->keys[count++] = (sh_policy_key){"aws:TokenIssueTime", &b->values[1], 1};
    out->keys = b->keys;
    out->key_count = count;
}

static int hold_both(sh_cloud *cloud, const sh_caller *caller, sh_iam_kept **identity, sh_iam_kept **session,
                     sh_err *err)
{
    char id[64];
    snprintf(id, sizeof(id), "%.*s", (int)strcspn(caller->id, ":"), caller->id);
    int status = caller->root ? sh_iam_hold(cloud, "root", load_root, NULL, identity, err)
                              : sh_iam_hold(cloud, id, sh_iam_load_identity, id, identity, err);
    if (status == 0 && caller->session_policy)
        status =
            sh_iam_hold(cloud, caller->session_policy, load_session, caller->session_policy, session, err);
    return status;
}

int sh_iam_policies(sh_cloud *cloud, const sh_caller *caller, sh_iam_grant *out, sh_err *err)
{
    sh_iam_kept *identity = NULL, *session = NULL;
    sh_iam_grant grant = {.held = NULL};
    int status = 0;
    if (!caller->arn || !caller->id || !caller->account ||
        strcmp(caller->account, cloud->settings.account) != 0) {
        *out = grant;
        return 0;
    }
    if ((status = hold_both(cloud, caller, &identity, &session, err)) < 0)
        goto fail;
    size_t count = caller->session_ms ? identity->key_count + (session ? session->key_count : 0) + 2 : 0;
    box *b = malloc(sizeof(*b) + count * sizeof(b->keys[0]));
    if (!b) {
        status = sh_fail(err, SH_E_MEMORY, "no memory for a caller's policies");
        goto fail;
    }
    b->identity = identity;
    b->session = session;
    grant.held = b;
    grant.set = (sh_policy_set){.identity = (const sh_policy *const *)identity->identity,
                                .identity_count = identity->identity_count,
                                .boundary = identity->boundary,
                                .session = session ? session->session : NULL,
                                .root = caller->root};
    grant.keys = identity->keys;
    grant.key_count = identity->key_count;
    if (caller->session_ms)
        name_session(b, caller, &grant);
    *out = grant;
    return 0;
fail:
    sh_iam_let_go(session);
    sh_iam_let_go(identity);
    return status;
}

void sh_iam_release(sh_iam_grant *grant)
{
    box *b = grant->held;
    if (!b)
        return;
    sh_iam_let_go(b->session);
    sh_iam_let_go(b->identity);
    free(b);
    *grant = (sh_iam_grant){.held = NULL};
}
