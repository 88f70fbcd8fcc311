/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What travels with an object besides its bytes: the fields that its writer set and its readers get back. */
#include "cloud/api/s3.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { USER_METADATA_MAX = 2048 };

static const char *const kept[] = {"cache-control", "content-disposition", "content-encoding",
                                   "content-language", "expires"};

static bool is_kept(const char *name)
{
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (strcasecmp(kept[i], name) == 0)
            return true;
    return false;
}

/* "aws-chunked,gzip" -> "gzip": the first is how the request was sent, not how the object is stored. */
static const char *without_chunked(const sh_s3 *s3, const char *value)
{
    static const char word[] = "aws-chunked";
    size_t length = sizeof(word) - 1;
    (void)s3;
    if (strncasecmp(value, word, length) != 0 ||
        (value[length] && value[length] != ',' && value[length] != ' '))
        return value;
    value += length;
    return value + strspn(value, ", ");
}

static bool put_meta(sh_s3 *s3, json_t *meta, const sh_http_field *field)
{
    char name[256];
    size_t length = strlen(field->name);
    const char *value = field->value;
    if (length >= sizeof(name))
        return false;
    for (size_t i = 0; i <= length; i++)
        name[i] = (char)tolower((unsigned char)field->name[i]);
    if (strcmp(name, "content-encoding") == 0)
        value = without_chunked(s3, value);
    const char *before = json_string_value(json_object_get(meta, name));
    if (before) /* sent twice: one value, as S3 keeps it */
        value = sh_arena_printf(s3->arena, "%s,%s", before, value);
    return value && (!*value || json_object_set_new(meta, name, json_string(value)) == 0);
}

const char *sh_s3_meta_json(sh_s3 *s3)
{
    const char *out = NULL;
    char *text = NULL;
    size_t user = 0;
    bool good = true;
    json_t *meta = json_object();
    for (size_t i = 0; good && meta && i < s3->head->field_count; i++) {
        const sh_http_field *field = &s3->head->fields[i];
        bool own = strncasecmp(field->name, "x-amz-meta-", 11) == 0;
        if (own)
            user += strlen(field->name) - 11 + strlen(field->value);
        if (own || is_kept(field->name))
            good = put_meta(s3, meta, field);
    }
    if (user > USER_METADATA_MAX) {
        sh_s3_fail(s3, 400, "MetadataTooLarge",
                   "Your metadata headers exceed the maximum allowed metadata size of %d bytes",
                   USER_METADATA_MAX);
    } else if (!good) {
        sh_s3_fail(s3, 400, "InvalidArgument", "A metadata field is not UTF-8 text, or its name is too long");
    } else {
        text = meta ? json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
        out = text ? sh_arena_strdup(s3->arena, text) : NULL;
        if (!out)
            sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: no memory");
    }
    free(text);
    json_decref(meta);
    return out;
}

bool sh_s3_meta_supported(sh_s3 *s3)
{
    static const char *const refused[] = {
        "x-amz-website-redirect-location",
        "x-amz-write-offset-bytes",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-context",
    };
    static const char *const refused_prefixes[] = {"x-amz-grant-", "x-amz-object-lock-",
                                                   "x-amz-server-side-encryption",
                                                   "x-amz-copy-source-server-side-encryption"};
    const char *storage = sh_http_field_get(s3->head, "x-amz-storage-class");
    const char *acl = sh_http_field_get(s3->head, "x-amz-acl");
    const char *name = NULL;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (sh_http_field_get(s3->head, refused[i]))
            name = refused[i];
    for (size_t i = 0; i < sizeof(refused_prefixes) / sizeof(refused_prefixes[0]); i++)
        for (size_t j = 0; j < s3->head->field_count; j++)
            if (strncasecmp(s3->head->fields[j].name, refused_prefixes[i], strlen(refused_prefixes[i])) == 0)
                name = s3->head->fields[j].name;
    if (storage && strcmp(storage, "STANDARD") != 0)
        name = "x-amz-storage-class";
    if (acl && strcmp(acl, "private") != 0 && strcmp(acl, "bucket-owner-full-control") != 0)
        name = "x-amz-acl";
    if (!name)
        return true;
    sh_s3_fail(s3, 501, "NotImplemented",
               "A header you provided implies functionality that is not implemented: %.80s", name);
    return false;
}

/* ---- giving back ---- */

static void field_from(sh_s3 *s3, const char *name, const char *override, const char *value)
{
    const char *wanted = override ? sh_http_param_get(s3->head, override) : NULL;
    if (wanted || value)
        sh_http_add_field(s3->http, name, wanted ? wanted : value);
}

void sh_s3_meta_fields(sh_s3 *s3, const sh_object *object, bool overrides)
{
    static const char *const rows[][3] = {
        {"cache-control", "Cache-Control", "response-cache-control"},
        {"content-disposition", "Content-Disposition", "response-content-disposition"},
        {"content-encoding", "Content-Encoding", "response-content-encoding"},
        {"content-language", "Content-Language", "response-content-language"},
        {"expires", "Expires", "response-expires"},
    };
    const char *name;
    json_t *value;
    json_t *meta = json_loads(object->headers, 0, NULL);
    field_from(s3, "Content-Type", overrides ? "response-content-type" : NULL, object->content_type);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        field_from(s3, rows[i][1], overrides ? rows[i][2] : NULL,
                   json_string_value(json_object_get(meta, rows[i][0])));
    json_object_foreach(meta, name, value)
    {
        if (strncmp(name, "x-amz-meta-", 11) == 0)
            sh_http_add_field(s3->http, name, json_string_value(value));
    }
    json_decref(meta);
}

static const char *checksum_type(const char *value)
{
    return strchr(value, '-') ? "COMPOSITE" : "FULL_OBJECT";
}

void sh_s3_checksum_field(sh_s3 *s3, const char *checksum)
{
    char name[64];
    const char *value = checksum ? strchr(checksum, '=') : NULL;
    if (!value)
        return;
    snprintf(name, sizeof(name), "x-amz-checksum-%.*s", (int)(value - checksum), checksum);
    sh_http_add_field(s3->http, name, value + 1);
    sh_http_add_field(s3->http, "x-amz-checksum-type", checksum_type(value + 1));
}

void sh_s3_put_checksum(sh_buf *out, const char *checksum)
{
    char name[64];
    const char *value = checksum ? strchr(checksum, '=') : NULL;
    if (!value)
        return;
    int used = snprintf(name, sizeof(name), "Checksum%.*s", (int)(value - checksum), checksum);
    for (int i = 8; i < used; i++)
        name[i] = (char)toupper((unsigned char)name[i]);
    sh_xml_put(out, name, value + 1);
}
