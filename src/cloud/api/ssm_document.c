/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making, showing and removing documents. */
#include "cloud/api/ssm_document.h"
#include "cloud/api/args.h"
#include "cloud/api/ssm.h"
#include "base/size.h"
#include "cloud/http/digest.h"

#include <stdlib.h>
#include <string.h>

enum { CONTENT_MAX = 64 << 10, LIST_MAX = 50 };

static const char built_in[] =
    "{\"schemaVersion\":\"2.2\",\"description\":\"Run a shell script or specify the commands to run.\","
    "\"parameters\":{\"commands\":{\"type\":\"StringList\"},"
    "\"workingDirectory\":{\"type\":\"String\",\"default\":\"\"},"
    "\"executionTimeout\":{\"type\":\"String\",\"default\":\"3600\"}},"
    "\"mainSteps\":[{\"action\":\"aws:runShellScript\",\"name\":\"runShellScript\",\"inputs\":{"
    "\"runCommand\":[\"{{ commands }}\"],\"workingDirectory\":\"{{ workingDirectory }}\","
    "\"timeoutSeconds\":\"{{ executionTimeout }}\"}}]}";

bool sh_ssm_built_in(const char *name)
{
    return strcmp(name, SH_SSM_DOCUMENT) == 0;
}

static json_t *parameters_json(const json_t *declared)
{
    int status = 0;
    const char *name;
    json_t *one, *list = json_array();
    json_object_foreach((json_t *)declared, name, one)
    {
        json_t *json = json_object();
        const json_t *value = json_object_get(one, "default");
        sh_put_text(&status, json, "Name", name);
        sh_put_text(&status, json, "Type", json_string_value(json_object_get(one, "type")));
        sh_put_text(&status, json, "Description", json_string_value(json_object_get(one, "description")));
        char *text = json_is_array(value) ? json_dumps(value, JSON_COMPACT) : NULL;
        sh_put_text(&status, json, "DefaultValue", text ? text : json_string_value(value));
        free(text);
        if (json_array_append_new(list, json) < 0)
            status = SH_E_MEMORY;
    }
    if (status < 0) {
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *number(int64_t value)
{
    return json_sprintf("%lld", (long long)value);
}

/* What lists, too, say of a document. */
static json_t *short_json(const sh_call *call, const sh_document *row)
{
    int status = 0;
    json_t *json = json_object();
    sh_put_text(&status, json, "Name", row->name);
    sh_put_date(&status, json, "CreatedDate", row->created_ms);
    sh_put_text(&status, json, "Owner",
                sh_ssm_built_in(row->name) ? "Amazon" : call->cloud->settings.account);
    sh_put(&status, json, "DocumentVersion", number(row->version));
    if (*row->version_name)
        sh_put_text(&status, json, "VersionName", row->version_name);
    sh_put_text(&status, json, "DocumentType", "Command");
    sh_put_text(&status, json, "SchemaVersion", "2.2");
    sh_put_text(&status, json, "DocumentFormat", "JSON");
    sh_put(&status, json, "PlatformTypes", json_pack("[s]", "Linux"));
    if (status < 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

int sh_ssm_describe(sh_call *call, const char *member, const sh_document *row)
{
    int status = sh_out_new(call);
    if (status < 0)
        return status;
    json_t *json = short_json(call, row), *content = json_loads(row->content, 0, NULL);
    sh_put_text(&status, json, "Description", json_string_value(json_object_get(content, "description")));
    sh_put_text(&status, json, "Status", "Active");
    sh_put(&status, json, "LatestVersion", number(row->latest_version));
    sh_put(&status, json, "DefaultVersion", number(row->default_version));
    sh_put_text(&status, json, "Hash", row->hash);
    sh_put_text(&status, json, "HashType", "Sha256");
    sh_put(&status, json, "Parameters", parameters_json(json_object_get(content, "parameters")));
    json_decref(content);
    sh_put(&status, call->out, member, json);
    return sh_out_done(call, status);
}

/* ---- making ---- */

static int read_name(sh_call *call, const char **name)
{
    int status = sh_arg_need(call, "Name", 128, name);
    if (status < 0)
        return status;
    size_t length = strlen(*name);
    if (length < 3 ||
        strspn(*name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != length)
        return sh_call_fail(call, 400, "ValidationException",
                            "Name is '%s'; it has 3 to 128 letters, digits, _ - .", *name);
    if (strncasecmp(*name, "aws-", 4) == 0 || strncasecmp(*name, "amazon", 6) == 0)
        return sh_call_fail(call, 400, "ValidationException",
                            "Name is '%s'; names that begin with aws- or amazon are AWS's own", *name);
    return 0;
}

static int check_kind(sh_call *call)
{
    const char *type;
    int status = sh_arg_text(call, "DocumentType", 64, &type);
    if (status == 0 && type && strcmp(type, "Command") != 0)
        return sh_call_fail(call, 400, "ValidationException",
                            "DocumentType is '%s'; only Command is supported", type);
    return status;
}

static int check_form(sh_call *call)
{
    const char *format;
    int status = sh_arg_text(call, "DocumentFormat", 16, &format);
    if (status < 0)
        return status;
    if (format && strcmp(format, "JSON") != 0)
        return sh_call_fail(call, 400, "ValidationException",
                            "DocumentFormat is '%s'; only JSON is supported", format);
    if (json_object_get(call->in, "Tags") || json_object_get(call->in, "Attachments") ||
        json_object_get(call->in, "Requires"))
        return sh_call_fail(call, 400, "ValidationException",
                            "Tags, Attachments and Requires of documents are not supported");
    return 0;
}

static int check_content(sh_call *call, const char *text)
{
    json_error_t where;
    sh_err err = {0};
    json_t *steps = NULL, *content = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    int64_t seconds;
    if (!content)
        return sh_call_fail(call, 400, "InvalidDocumentContent", "line %d, column %d: %s", where.line,
                            where.column, where.text);
    int status = sh_ssm_steps(content, NULL, &steps, &seconds, &err);
    json_decref(steps);
    json_decref(content);
    return status < 0 ? sh_call_fail(call, 400, "InvalidDocumentContent", "%s", err.message) : 0;
}

/* The hash, in the arena; NULL: no memory. */
static const char *hash_of(sh_arena *arena, const char *content)
{
    unsigned char hash[SH_DIGEST_BYTES];
    char *hex = sh_arena_alloc(arena, 65);
    if (!hex || sh_digest_once(SH_DIGEST_SHA256, content, strlen(content), hash) != 32)
        return NULL;
    sh_hex(hash, 32, hex);
    return hex;
}

static int read_version_name(sh_call *call, const char **name)
{
    int status = sh_arg_text(call, "VersionName", 128, name);
    if (status < 0 || !*name)
        return status;
    size_t length = strlen(*name);
    if (length == 0 ||
        strspn(*name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != length)
        return sh_call_fail(call, 400, "ValidationException",
                            "VersionName is '%s'; it has 1 to 128 letters, digits, _ - .", *name);
    return 0;
}

int sh_ssm_read_content(sh_call *call, sh_document *row)
{
    int status;
    if ((status = check_form(call)) < 0 || (status = read_version_name(call, &row->version_name)) < 0 ||
        (status = sh_arg_need(call, "Content", CONTENT_MAX, &row->content)) < 0 ||
        (status = check_content(call, row->content)) < 0)
        return status;
    row->version_name = row->version_name ? row->version_name : "";
    row->hash = hash_of(call->arena, row->content);
    return row->hash ? 0 : sh_out_done(call, SH_E_MEMORY);
}

int sh_ssm_create_document(sh_call *call)
{
    sh_document row = {.created_ms = call->now_ms, .version = 1, .default_version = 1, .latest_version = 1};
    sh_err err = {0};
    int status;
    if ((status = read_name(call, &row.name)) < 0 || (status = check_kind(call)) < 0 ||
        (status = sh_ssm_read_content(call, &row)) < 0)
        return status;
    status = sh_document_insert(call->cloud->db, &row, &err);
    if (status == SH_E_CONFLICT)
        return sh_call_fail(call, 400, "DocumentAlreadyExists", "Document with name %s already exists.",
                            row.name);
    return status < 0 ? sh_call_fail_internal(call, &err)
                      : sh_ssm_describe(call, "DocumentDescription", &row);
}

/* ---- showing ---- */

static int read_version(sh_call *call, const char *text, int64_t *version)
{
    *version = SH_DOCUMENT_DEFAULT;
    if (!text || strcmp(text, "$DEFAULT") == 0)
        return 0;
    *version = SH_DOCUMENT_LATEST;
    if (strcmp(text, "$LATEST") == 0 || sh_parse_i64(text, strlen(text), 1, 1000000, version))
        return 0;
    return sh_call_fail(call, 400, "InvalidDocumentVersion",
                        "'%.64s' is no version: it is a number, $DEFAULT or $LATEST", text);
}

typedef struct naming {
    const char *name;
    int64_t version; /* 0: not found */
} naming;

static int look_at_name(void *opaque, const sh_document *row)
{
    naming *n = opaque;
    if (strcmp(row->version_name, n->name) == 0)
        n->version = row->version;
    return n->version != 0;
}

static int find_own(sh_call *call, const char *name, int64_t version, const char *version_name,
                    sh_document *row)
{
    naming named = {.name = version_name};
    sh_err err = {0};
    int status = sh_document_get(call->cloud->db, call->arena, name, SH_DOCUMENT_DEFAULT, row, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "InvalidDocument",
                            "Document with name %s does not exist. Make it, or use %s", name,
                            SH_SSM_DOCUMENT);
    if (status == 0 && version_name)
        status = sh_document_each_version(call->cloud->db, name, 0, INT64_MAX, look_at_name, &named, &err);
    if (status >= 0 && version_name && named.version == 0)
        return sh_call_fail(call, 400, "InvalidDocumentVersion", "%s has no version of the name %s", name,
                            version_name);
    if (status >= 0 && (version_name || version != SH_DOCUMENT_DEFAULT))
        status = sh_document_get(call->cloud->db, call->arena, name, version_name ? named.version : version,
                                 row, &err);
    if (status == SH_E_NOT_FOUND)
        return sh_call_fail(call, 400, "InvalidDocumentVersion", "%s has no version %lld", name,
                            (long long)version);
    return status < 0 ? sh_call_fail_internal(call, &err) : 0;
}

int sh_ssm_find_document(sh_call *call, const char *name, const char *version_text, const char *version_name,
                         sh_document *row)
{
    int64_t version;
    int status = read_version(call, version_text, &version);
    if (status < 0)
        return status;
    if (!sh_ssm_built_in(name))
        return find_own(call, name, version, version_name, row);
    if (version > 1 || version_name)
        return sh_call_fail(call, 400, "InvalidDocumentVersion", "%s has the one version 1", name);
    *row = (sh_document){.name = SH_SSM_DOCUMENT, .content = built_in, .version = 1, .version_name = ""};
    row->default_version = row->latest_version = 1;
    row->hash = hash_of(call->arena, built_in);
    return row->hash ? 0 : sh_out_done(call, SH_E_MEMORY);
}

static int find(sh_call *call, sh_document *row)
{
    const char *name, *version, *version_name;
    int status = sh_arg_need(call, "Name", 256, &name);
    if (status == 0)
        status = sh_arg_text(call, "DocumentVersion", 64, &version);
    if (status == 0)
        status = sh_arg_text(call, "VersionName", 128, &version_name);
    return status < 0 ? status : sh_ssm_find_document(call, name, version, version_name, row);
}

int sh_ssm_get_document(sh_call *call)
{
    sh_document row;
    int status = find(call, &row);
    if (status < 0)
        return status;
    call->out = short_json(call, &row);
    if (call->out) {
        sh_put_text(&status, call->out, "Content", row.content);
        sh_put_text(&status, call->out, "Status", "Active");
    }
    return sh_out_done(call, call->out ? status : SH_E_MEMORY);
}

int sh_ssm_describe_document(sh_call *call)
{
    sh_document row;
    int status = find(call, &row);
    return status < 0 ? status : sh_ssm_describe(call, "Document", &row);
}

int sh_ssm_delete_document(sh_call *call)
{
    sh_document row;
    sh_err err = {0};
    int status = find(call, &row);
    if (status < 0)
        return status;
    if (sh_ssm_built_in(row.name))
        return sh_call_fail(call, 400, "InvalidDocumentOperation", "%s cannot be deleted", row.name);
    bool one = json_object_get(call->in, "DocumentVersion") || json_object_get(call->in, "VersionName");
    if (one && row.version == row.default_version)
        return sh_call_fail(call, 400, "InvalidDocumentOperation",
                            "Default version of the document can't be deleted.");
    status = one ? sh_document_delete_version(call->cloud->db, row.name, row.version, &err)
                 : sh_document_delete(call->cloud->db, row.name, &err);
    if (status < 0 && status != SH_E_NOT_FOUND)
        return sh_call_fail_internal(call, &err);
    return sh_out_new(call);
}

typedef struct listing {
    sh_call *call;
    json_t *list;
    int64_t limit, seen;
} listing;

static int add_document(void *opaque, const sh_document *row)
{
    listing *l = opaque;
    if (++l->seen > l->limit)
        return 1;
    return json_array_append_new(l->list, short_json(l->call, row)) < 0 ? SH_E_MEMORY : 0;
}

/* AWS-RunShellScript, which is not in the database, is the first of the first page. */
int sh_ssm_list_documents(sh_call *call)
{
    static const sh_document own = {
        .name = SH_SSM_DOCUMENT, .content = built_in, .version = 1, .version_name = "", .hash = ""};
    listing l = {.call = call};
    sh_err err = {0};
    int64_t skip;
    int status;
    if (json_array_size(json_object_get(call->in, "Filters")) > 0 ||
        json_array_size(json_object_get(call->in, "DocumentFilterList")) > 0)
        return sh_call_fail(call, 400, "InvalidFilterKey", "filters of documents are not supported");
    if ((status = sh_arg_int(call, "MaxResults", 1, LIST_MAX, LIST_MAX, &l.limit)) < 0 ||
        (status = sh_ssm_page(call, &skip)) < 0 || (status = sh_out_new(call)) < 0)
        return status;
    sh_put(&status, call->out, "DocumentIdentifiers", l.list = json_array());
    if (status == 0 && skip == 0)
        status = add_document(&l, &own);
    if (status == 0)
        status =
            sh_document_each(call->cloud->db, skip > 0 ? skip - 1 : 0, l.limit + 1, add_document, &l, &err);
    if (status < 0 && status != SH_E_MEMORY)
        return sh_call_fail_internal(call, &err);
    if (l.seen > l.limit)
        sh_put(&status, call->out, "NextToken", json_sprintf("%lld", (long long)(skip + l.limit)));
    return sh_out_done(call, status);
}
