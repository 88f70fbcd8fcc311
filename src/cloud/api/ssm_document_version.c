/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Versions of documents. A new one is the latest; the default one stays what it was until it is changed. */
#include "cloud/api/args.h"
#include "cloud/api/ssm.h"
#include "cloud/api/ssm_document.h"

#include <string.h>

enum { VERSIONS_MAX = 1000, LIST_MAX = 50 };

/* ---- UpdateDocument ---- */

typedef struct comparing {
    const sh_document *made;
    const char *code; /* what is against it */
} comparing;

static int compare(void *opaque, const sh_document *row)
{
    comparing *c = opaque;
    if (strcmp(row->hash, c->made->hash) == 0)
        c->code = "DuplicateDocumentContent";
    else if (*c->made->version_name && strcmp(row->version_name, c->made->version_name) == 0)
        c->code = "DuplicateDocumentVersionName";
    return c->code != NULL;
}

static int check_new(sh_call *call, const sh_document *made, sh_err *err)
{
    comparing c = {.made = made};
    int64_t count;
    int status = sh_document_count_versions(call->cloud->db, made->name, &count, err);
    if (status == 0)
        status = sh_document_each_version(call->cloud->db, made->name, 0, INT64_MAX, compare, &c, err);
    if (status < 0)
        return status;
    if (c.code && strcmp(c.code, "DuplicateDocumentContent") == 0)
        return sh_call_fail(
            call, 400, c.code,
            "The content of the document matches another version of it. Change the content of "
            "the document and try again.");
    if (c.code)
        return sh_call_fail(call, 400, c.code, "Another version of the document has the name %s",
                            made->version_name);
    if (count >= VERSIONS_MAX)
        return sh_call_fail(
            call, 400, "DocumentVersionLimitExceeded",
            "The document has too many versions. Delete one or more document versions and try "
            "again.");
    return 0;
}

/* Which version the caller saw last: another one means that somebody else was faster. */
static int need_latest(sh_call *call, const char *name)
{
    const char *version;
    sh_document there;
    int status = sh_arg_text(call, "DocumentVersion", 64, &version);
    if (status == 0)
        status = sh_ssm_find_document(call, name, version ? version : "$LATEST", NULL, &there);
    if (status < 0)
        return status;
    if (there.version != there.latest_version)
        return sh_call_fail(call, 400, "InvalidDocumentVersion",
                            "The document version is not valid: the latest version of %s is %lld", name,
                            (long long)there.latest_version);
    return 0;
}

static int add(sh_call *call, const sh_document *made, sh_document *out, sh_err *err)
{
    int status = need_latest(call, made->name);
    if (status == 0)
        status = check_new(call, made, err);
    if (status == 0)
        status = sh_document_add_version(call->cloud->db, made, err);
    return status < 0
               ? status
               : sh_document_get(call->cloud->db, call->arena, made->name, SH_DOCUMENT_LATEST, out, err);
}

int sh_ssm_update_document(sh_call *call)
{
    sh_document made = {.created_ms = call->now_ms}, row;
    sh_err err = {0};
    int status = sh_arg_need(call, "Name", 256, &made.name);
    if (status < 0)
        return status;
    if (sh_ssm_built_in(made.name))
        return sh_call_fail(call, 400, "InvalidDocumentOperation", "%s cannot be changed", made.name);
    if ((status = sh_ssm_read_content(call, &made)) < 0)
        return status;
    status = sh_db_begin(call->cloud->db, &err);
    if (status == 0)
        status = sh_db_end(call->cloud->db, add(call, &made, &row, &err), &err);
    if (status < 0)
        return call->error.code ? status : sh_call_fail_internal(call, &err);
    return sh_ssm_describe(call, "DocumentDescription", &row);
}

/* ---- the others ---- */

int sh_ssm_update_default(sh_call *call)
{
    const char *name, *version;
    sh_document row;
    sh_err err = {0};
    int status;
    if ((status = sh_arg_need(call, "Name", 128, &name)) < 0 ||
        (status = sh_arg_need(call, "DocumentVersion", 64, &version)) < 0 ||
        (status = sh_ssm_find_document(call, name, version, NULL, &row)) < 0)
        return status;
    if (sh_ssm_built_in(name))
        return sh_call_fail(call, 400, "InvalidDocumentOperation", "%s cannot be changed", name);
    if (sh_document_set_default(call->cloud->db, name, row.version, &err) < 0)
        return sh_call_fail_internal(call, &err);
    if ((status = sh_out_new(call)) < 0)
        return status;
    json_t *json =
        json_pack("{s:s, s:o}", "Name", name, "DefaultVersion", json_sprintf("%lld", (long long)row.version));
    if (*row.version_name)
        sh_put_text(&status, json, "DefaultVersionName", row.version_name);
    sh_put(&status, call->out, "Description", json);
    return sh_out_done(call, status);
}

typedef struct listing {
    json_t *list;
    int64_t limit, seen;
} listing;

static int add_version(void *opaque, const sh_document *row)
{
    listing *l = opaque;
    int status = 0;
    if (++l->seen > l->limit)
        return 1;
    json_t *json = json_object();
    sh_put_text(&status, json, "Name", row->name);
    sh_put(&status, json, "DocumentVersion", json_sprintf("%lld", (long long)row->version));
    if (*row->version_name)
        sh_put_text(&status, json, "VersionName", row->version_name);
    sh_put_date(&status, json, "CreatedDate", row->created_ms);
    sh_put(&status, json, "IsDefaultVersion", json_boolean(row->version == row->default_version));
    sh_put_text(&status, json, "DocumentFormat", "JSON");
    sh_put_text(&status, json, "Status", "Active");
    return json_array_append_new(l->list, json) < 0 ? SH_E_MEMORY : status;
}

int sh_ssm_list_versions(sh_call *call)
{
    const char *name;
    sh_document row;
    listing l = {.seen = 0};
    sh_err err = {0};
    int64_t skip;
    int status;
    if ((status = sh_arg_need(call, "Name", 256, &name)) < 0 ||
        (status = sh_ssm_find_document(call, name, NULL, NULL, &row)) < 0 ||
        (status = sh_arg_int(call, "MaxResults", 1, LIST_MAX, LIST_MAX, &l.limit)) < 0 ||
        (status = sh_ssm_page(call, &skip)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    sh_put(&status, call->out, "DocumentVersions", l.list = json_array());
    if (status == 0 && sh_ssm_built_in(name))
        status = add_version(&l, &row);
    else if (status == 0)
        status = sh_document_each_version(call->cloud->db, name, skip, l.limit + 1, add_version, &l, &err);
    if (status < 0 && status != SH_E_MEMORY)
        return sh_call_fail_internal(call, &err);
    if (l.seen > l.limit)
        sh_put(&status, call->out, "NextToken", json_sprintf("%lld", (long long)(skip + l.limit)));
    return sh_out_done(call, status < 0 ? status : 0);
}
