/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of IAM's actions, and what they have in common: transactions, answers, pages, entities. */
#include "cloud/api/iam_inner.h"
#include "cloud/api/query.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Keys of GetSessionToken do not reach IAM. */
static int run_iam(sh_call *call, sh_iam_action_fn fn, bool changes, const char *needs)
{
    if (call->caller && call->caller->session_ms && !call->caller->role_arn)
        return sh_call_fail(call, 403, "InvalidClientTokenId",
                            "The security token included in the request is invalid");
    return sh_iam_run(call, fn, changes, needs);
}

#define SH_IAM_ACTION(name, fn, changes, needs)                                                              \
    static int run_##name(sh_call *call)                                                                     \
    {                                                                                                        \
        return run_iam(call, fn, changes, needs);                                                            \
    }
#include "cloud/api/iam_actions.h"
#undef SH_IAM_ACTION

static const sh_action actions[] = {
#define SH_IAM_ACTION(name, fn, changes, needs) {#name, run_##name},
#include "cloud/api/iam_actions.h"
#undef SH_IAM_ACTION
    {NULL, NULL},
};

const sh_service sh_service_iam = {.name = "iam", .json_version = "1.1", .actions = actions};

static const sh_query_member members[] = {
    {"MaxItems", SH_QUERY_INTEGER},
    {"MaxSessionDuration", SH_QUERY_INTEGER},
    {"OnlyAttached", SH_QUERY_BOOLEAN},
    {"SetAsDefault", SH_QUERY_BOOLEAN},
    {"Tags", SH_QUERY_LIST},
    {"TagKeys", SH_QUERY_LIST},
    {"ActionNames", SH_QUERY_LIST},
    {"ResourceArns", SH_QUERY_LIST},
    {"PolicyInputList", SH_QUERY_LIST},
    {"PermissionsBoundaryPolicyInputList", SH_QUERY_LIST},
    {"ContextEntries", SH_QUERY_LIST},
    {"ContextKeyValues", SH_QUERY_LIST},
    {"Filter", SH_QUERY_LIST},
    {"SummaryMap", SH_QUERY_MAP},
    {"EvalDecisionDetails", SH_QUERY_MAP},
    {"UpdateRole", SH_QUERY_RESULT},
    {NULL, 0},
};

const sh_query_service sh_query_iam = {
    .service = &sh_service_iam,
    .version = "2010-05-08",
    .xmlns = "https://iam.amazonaws.com/doc/2010-05-08/",
    .members = members,
};

bool sh_iam_is_map(const char *member)
{
    return strcmp(member, "SummaryMap") == 0 || strcmp(member, "EvalDecisionDetails") == 0;
}

/* ---- running one ---- */

int sh_iam_run(sh_call *call, sh_iam_action_fn fn, bool changes, const char *needs)
{
    sh_err err = {0};
    int status = sh_iam_check(call, needs);
    if (status < 0)
        return status;
    if ((status = sh_db_begin(call->cloud->db, &err)) == 0) {
        status = fn(call, &err);
        status = sh_db_end(call->cloud->db, status, &err);
        if (changes)
            sh_iam_changed(call->cloud);
    }
    if (status < 0 && !call->error.code) {
        err.status = err.status < 0 ? err.status : status;
        sh_call_fail_internal(call, &err);
        if (call->error.http_status == 500)
            call->error.code = "ServiceFailure";
    }
    return status;
}

/* ---- answers ---- */

int sh_iam_give(sh_call *call, json_t *out, sh_err *err)
{
    if (!out)
        return sh_fail(err, SH_E_MEMORY, "no memory for an answer of IAM");
    call->out = out;
    return 0;
}

json_t *sh_iam_date(int64_t ms)
{
    char text[32];
    struct tm tm;
    time_t seconds = (time_t)(ms / 1000);
    if (!gmtime_r(&seconds, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
        return NULL;
    return json_string(text);
}

json_t *sh_iam_document(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    sh_buf out;
    sh_buf_init(&out, 3 * strlen(text) + 1);
    for (const char *at = text; *at; at++) {
        if (strchr(plain, *at))
            sh_buf_putc(&out, *at);
        else
            sh_buf_printf(&out, "%%%02X", (unsigned char)*at);
    }
    json_t *value = out.failed ? NULL : json_string(sh_buf_cstr(&out));
    sh_buf_free(&out);
    return value;
}

void sh_iam_set(json_t *object, const char *name, json_t *value)
{
    if (value)
        json_object_set_new(object, name, value);
}

/* ---- pages ---- */

/* A marker is the last name of the page before, in base64, so that it is taken for what it is: opaque. */
static const char *read_marker(sh_call *call, const char *marker)
{
    size_t length = strlen(marker);
    unsigned char *text = sh_arena_alloc(call->arena, length + 4);
    int got =
        text && length % 4 == 0 ? EVP_DecodeBlock(text, (const unsigned char *)marker, (int)length) : -1;
    if (got < 0)
        return NULL;
    text[got] = '\0'; /* and padding decodes to NULs */
    return text[0] == '>' ? (const char *)text + 1 : NULL;
}

static json_t *make_marker(const char *last)
{
    char plain[4200];
    unsigned char text[5700];
    int length = snprintf(plain, sizeof(plain), ">%s", last);
    if (length < 0 || (size_t)length >= sizeof(plain))
        return NULL;
    EVP_EncodeBlock(text, (const unsigned char *)plain, length);
    return json_string((const char *)text);
}

int sh_iam_page_begin(sh_call *call, sh_iam_page *page, const char *what_is_wrong)
{
    const char *marker = sh_iam_text(call, "Marker");
    *page =
        (sh_iam_page){.call = call, .after = "", .last = "", .limit = sh_iam_number(call, "MaxItems", 100)};
    if (marker && !(page->after = read_marker(call, marker)))
        return sh_call_fail(call, 400, "ValidationError", "%s",
                            what_is_wrong ? what_is_wrong : "Invalid Marker");
    page->list = json_array();
    return page->list ? 0 : sh_call_fail(call, 500, "ServiceFailure", "no memory for a list");
}

int sh_iam_page_of(sh_call *call, sh_iam_kind kind, sh_iam_entity *entity, sh_iam_page *page, sh_err *err)
{
    int status = sh_iam_need(call, kind, entity, err);
    return status < 0 ? status : sh_iam_page_begin(call, page, NULL);
}

bool sh_iam_page_add(sh_iam_page *page, const char *name, json_t *item)
{
    if ((int64_t)json_array_size(page->list) >= page->limit) {
        page->truncated = true;
        json_decref(item);
        return false;
    }
    page->last = item ? sh_arena_strdup(page->call->arena, name) : NULL; /* NULL: memory was short */
    if (json_array_append_new(page->list, item) < 0)
        page->last = NULL;
    return page->last != NULL;
}

int sh_iam_page_end(sh_iam_page *page, int status, const char *name, sh_err *err)
{
    json_t *out = status < 0 ? NULL : json_object();
    if (!out) {
        json_decref(page->list);
        return status < 0 ? status : sh_iam_give(page->call, NULL, err);
    }
    json_object_set_new(out, name, page->list);
    json_object_set_new(out, "IsTruncated", json_boolean(page->truncated));
    if (page->truncated)
        sh_iam_set(out, "Marker", page->last ? make_marker(page->last) : NULL);
    return page->last ? sh_iam_give(page->call, out, err)
                      : (json_decref(out), sh_iam_give(page->call, NULL, err));
}

/* ---- entities ---- */

static const sh_iam_kind_row kinds[] = {
    {SH_IAM_USER, "user", "User", "UserName", "AIDA", 2048, 10},
    {SH_IAM_GROUP, "group", "Group", "GroupName", "AGPA", 5120, 10},
    {SH_IAM_ROLE, "role", "Role", "RoleName", "AROA", 10240, 10},
    {SH_IAM_POLICY, "policy", "Policy", "PolicyName", "ANPA", 0, 0},
    {SH_IAM_PROFILE, "instance-profile", "InstanceProfile", "InstanceProfileName", "AIPA", 0, 0},
};

const sh_iam_kind_row *sh_iam_kind_of(sh_iam_kind kind)
{
    return &kinds[kind - SH_IAM_USER];
}

const char *sh_iam_entity_arn(const sh_cloud *cloud, sh_arena *arena, const sh_iam_entity *e)
{
    const char *arn = sh_arena_printf(arena, "arn:aws:iam::%s:%s%s%s", cloud->settings.account,
                                      sh_iam_kind_of(e->kind)->word, e->path, e->name);
    return arn ? arn : "";
}

int sh_iam_need_named(sh_call *call, sh_iam_kind kind, const char *name, sh_iam_entity *out, sh_err *err)
{
    sh_err local = {0};
    const sh_iam_kind_row *row = sh_iam_kind_of(kind);
    int status = sh_iam_get(call->cloud->db, call->arena, kind, name, out, &local);
    if (status == SH_E_NOT_FOUND && kind == SH_IAM_PROFILE)
        return sh_call_fail(call, 404, "NoSuchEntity", "Instance Profile %s cannot be found.", name);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 404, "NoSuchEntity", "The %s with name %s cannot be found.", row->word,
                            name);
    return status < 0 ? sh_fail(err, status, "%s", local.message) : 0;
}

int sh_iam_need(sh_call *call, sh_iam_kind kind, sh_iam_entity *out, sh_err *err)
{
    return sh_iam_need_named(call, kind, sh_iam_text(call, sh_iam_kind_of(kind)->member), out, err);
}

int sh_iam_caller_entity(const sh_call *call, sh_iam_entity *out, sh_err *err)
{
    char id[64];
    const sh_caller *caller = call->caller;
    if (!caller || !caller->id)
        return sh_fail(err, SH_E_NOT_FOUND, "nobody calls");
    snprintf(id, sizeof(id), "%.*s", (int)strcspn(caller->id, ":"), caller->id);
    return sh_iam_get_id(call->cloud->db, call->arena, id, out, err);
}

int sh_iam_need_user(sh_call *call, sh_iam_entity *out, bool *root, sh_err *err)
{
    sh_err local = {0};
    *root = false;
    if (sh_iam_text(call, "UserName"))
        return sh_iam_need(call, SH_IAM_USER, out, err);
    if (!call->caller || call->caller->root) {
        *root = true;
        return 0;
    }
    int status = sh_iam_caller_entity(call, out, &local);
    if (status == SH_E_NOT_FOUND || (status == 0 && out->kind != SH_IAM_USER))
        return sh_call_fail(call, 400, "ValidationError",
                            "Must specify userName when calling with non-User credentials");
    return status < 0 ? sh_fail(err, status, "%s", local.message) : 0;
}

int sh_iam_quota(sh_call *call, const char *what, int64_t limit)
{
    return sh_call_fail(call, 409, "LimitExceeded", "Cannot exceed quota for %s: %lld", what,
                        (long long)limit);
}

int sh_iam_room(sh_call *call, sh_iam_kind kind, const char *what, int64_t limit, sh_err *err)
{
    int64_t count = 0;
    int status = sh_iam_count(call->cloud->db, kind, &count, err);
    return status == 0 && count >= limit ? sh_iam_quota(call, what, limit) : status;
}

int sh_iam_fresh(sh_call *call, sh_iam_kind kind, sh_iam_entity *out, sh_err *err)
{
    const sh_iam_kind_row *row = sh_iam_kind_of(kind);
    char *id = sh_arena_alloc(call->arena, 32);
    json_t *tags = json_object();
    const char *path = sh_iam_text(call, "Path"), *boundary = sh_iam_text(call, "PermissionsBoundary");
    sh_iam_managed policy;
    int status = id && tags ? 0 : sh_fail(err, SH_E_MEMORY, "no memory for an identity");
    if (status == 0)
        status = sh_iam_tags_add(call, tags);
    if (status == 0 && boundary)
        status = sh_iam_managed_need(call, boundary, &policy, err);
    if (status < 0)
        goto done;
    sh_iam_new_id(row->prefix, 17, id);
    *out = (sh_iam_entity){.kind = kind,
                           .name = sh_iam_text(call, row->member),
                           .id = id,
                           .path = path ? path : "/",
                           .created_ms = call->now_ms,
                           .updated_ms = call->now_ms,
                           .description = sh_iam_text(call, "Description"),
                           .boundary = boundary,
                           .tags = sh_iam_tags_text(call, tags)};
done:
    json_decref(tags);
    return status;
}

int sh_iam_add(sh_call *call, sh_iam_entity *e, sh_err *err)
{
    const sh_iam_kind_row *row = sh_iam_kind_of(e->kind);
    sh_err local = {0};
    int status = sh_iam_insert(call->cloud->db, e, &local);
    if (status != SH_E_CONFLICT)
        return status < 0 ? sh_fail(err, status, "%s", local.message) : 0;
    if (e->kind == SH_IAM_POLICY)
        return sh_call_fail(call, 409, "EntityAlreadyExists",
                            "A policy called %s already exists. Duplicate names are not allowed.", e->name);
    if (e->kind == SH_IAM_PROFILE)
        return sh_call_fail(call, 409, "EntityAlreadyExists", "Instance Profile %s already exists.", e->name);
    return sh_call_fail(call, 409, "EntityAlreadyExists", "%s with name %s already exists.", row->title,
                        e->name);
}

typedef struct listing {
    sh_iam_page page;
    sh_iam_json_fn fn;
} listing;

static int add_entity(void *opaque, const sh_iam_entity *e)
{
    listing *l = opaque;
    return !sh_iam_page_add(&l->page, e->name, l->fn(l->page.call, e));
}

int sh_iam_list_kind(sh_call *call, sh_iam_kind kind, const char *name, sh_iam_json_fn fn, sh_err *err)
{
    listing l = {.fn = fn};
    const char *prefix = sh_iam_text(call, "PathPrefix");
    int status = sh_iam_page_begin(call, &l.page, NULL);
    if (status < 0)
        return status;
    l.fn = fn;
    status = sh_iam_list(call->cloud->db, kind, prefix ? prefix : "/", l.page.after, l.page.limit + 1,
                         add_entity, &l, err);
    return sh_iam_page_end(&l.page, status, name, err);
}
