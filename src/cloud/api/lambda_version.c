/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Versions: $LATEST as it was, under a number. */
#include "cloud/api/lambda_inner.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* Whether the two would run the same. */
static bool same(const json_t *a, const json_t *b)
{
    static const char *const free_members[] = {"Version", "RevisionId", "LastModified"};
    json_t *x = json_copy((json_t *)a), *y = json_copy((json_t *)b);
    for (size_t i = 0; i < sizeof(free_members) / sizeof(free_members[0]); i++) {
        json_object_del(x, free_members[i]);
        json_object_del(y, free_members[i]);
    }
    bool equal = json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return equal;
}

static int insert(sh_call *call, const char *name, json_t *latest, json_t *function, const char *number,
                  int64_t place, sh_err *err)
{
    json_t *body = json_deep_copy(latest);
    const char *description = json_string_value(json_object_get(call->in, "Description"));
    if (description)
        json_object_set_new(body, "Description", json_string(description));
    json_object_set_new(body, "Version", json_string(number));
    sh_fn_new_revision(call, body);
    json_object_set_new(function, "LastVersion", json_integer(place));
    int status = sh_fn_save(call->cloud, SH_FN_VERSION, name, number, place, body, err);
    if (status == 0)
        status = sh_fn_save(call->cloud, SH_FN_FUNCTION, name, "", 0, function, err);
    json_decref(body);
    return status;
}

/* The last version again when nothing changed since. */
static int unchanged(sh_call *call, const char *name, const json_t *latest, const char *number, bool *is,
                     sh_err *err)
{
    json_t *last;
    *is = false;
    int status = sh_fn_load(call->cloud, call->arena, SH_FN_VERSION, name, number, &last, err);
    if (status == SH_E_NOT_FOUND)
        return 0;
    if (status == 0) {
        json_object_set(last, "Description", json_object_get(latest, "Description"));
        *is = same(latest, last);
        json_decref(last);
    }
    return status;
}

static int publish(sh_call *call, const char *name, json_t *latest, json_t *function, const char **number,
                   sh_err *err)
{
    bool is;
    const char *hash = json_string_value(json_object_get(call->in, "CodeSha256"));
    int64_t last = json_integer_value(json_object_get(function, "LastVersion"));
    if (hash && json_object_get(call->in, "Code") == NULL && strcmp(hash, text_of(latest, "CodeSha256")) != 0)
        return sh_fn_bad(call,
                         "CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST (%s). Please try "
                         "again with the CodeSHA256 in $LATEST.",
                         hash, text_of(latest, "CodeSha256"));
    const char *before = sh_arena_printf(call->arena, "%lld", (long long)last);
    *number = sh_arena_printf(call->arena, "%lld", (long long)last + 1);
    if (!before || !*number)
        return sh_fail(err, SH_E_MEMORY, "no memory for a version");
    int status = unchanged(call, name, latest, before, &is, err);
    if (status == 0 && is)
        *number = before;
    else if (status == 0)
        status = insert(call, name, latest, function, *number, last + 1, err);
    return status;
}

int sh_fn_publish_version(sh_call *call, const char *name, const char **number)
{
    json_t *latest = NULL, *function = NULL;
    sh_err err = {0};
    int status = sh_fn_load(call->cloud, call->arena, SH_FN_VERSION, name, SH_FN_LATEST, &latest, &err);
    if (status == 0)
        status = sh_fn_load(call->cloud, call->arena, SH_FN_FUNCTION, name, "", &function, &err);
    if (status == 0)
        status = publish(call, name, latest, function, number, &err);
    json_decref(latest);
    json_decref(function);
    return status < 0 && !call->error.code ? sh_call_fail_internal(call, &err) : status;
}

int sh_fn_publish(sh_call *call)
{
    sh_fn_name name;
    sh_fn_version version;
    const char *description;
    sh_err err = {0};
    int status = sh_fn_need(call, &name);
    if (status == 0)
        status = sh_arg_text(call, "Description", 256, &description);
    if (status < 0)
        return status;
    name.qualifier = NULL;
    if ((status = sh_fn_need_version(call, &name, &version)) < 0)
        return status;
    status = sh_fn_check_revision(call, version.body);
    json_decref(version.body);
    if (status < 0)
        return status;
    if ((status = sh_db_begin(call->cloud->db, &err)) == 0)
        status = sh_db_end(call->cloud->db, sh_fn_publish_version(call, name.name, &name.qualifier), &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    if ((status = sh_fn_need_version(call, &name, &version)) < 0)
        return status;
    call->out = sh_fn_json(call->cloud, call->arena, name.name, name.qualifier, version.body);
    json_decref(version.body);
    return call->out ? 0 : sh_call_fail(call, 500, "ServiceException", "no memory for the answer");
}

typedef struct page {
    sh_call *call;
    json_t *list;
    int64_t limit, count, last;
    int failed;
} page;

static int add_version(void *opaque, const sh_fn_part *part)
{
    page *p = opaque;
    if (++p->count > p->limit)
        return 1;
    p->last = part->place;
    json_t *body = json_loads(part->body, JSON_ALLOW_NUL, NULL);
    json_t *one = body ? sh_fn_json(p->call->cloud, p->call->arena, part->name, part->id, body) : NULL;
    json_decref(body);
    if (!one || json_array_append_new(p->list, one) < 0)
        p->failed = SH_E_MEMORY;
    return p->failed;
}

int sh_fn_list_versions(sh_call *call)
{
    sh_fn_name name;
    const char *marker;
    char next[32];
    long long after = -1;
    sh_err err = {0};
    page p = {.call = call};
    int status = sh_fn_need(call, &name);
    if (status == 0)
        status = sh_fn_read_page(call, &marker, &p.limit);
    if (status == 0 && *marker && sscanf(marker, "%lld", &after) != 1)
        status = sh_fn_bad(call, "Marker is not one that a list gave");
    if (status == 0)
        status = sh_out_new(call);
    if (status < 0)
        return status;
    p.list = json_array();
    sh_put(&status, call->out, "Versions", p.list);
    if (status == 0)
        status = sh_fn_parts(call->cloud->db, SH_FN_VERSION, name.name, after, "~", p.limit + 1, add_version,
                             &p, &err);
    if (status < 0)
        return p.failed ? sh_out_done(call, p.failed) : sh_call_fail_internal(call, &err);
    snprintf(next, sizeof(next), "%lld", (long long)p.last);
    if (p.count > p.limit)
        sh_put_text(&status, call->out, "NextMarker", next);
    return sh_out_done(call, status);
}
