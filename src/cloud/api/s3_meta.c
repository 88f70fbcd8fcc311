/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What travels with an object besides its bytes: the fields that its writer set and its readers get back,
 * kept as a JSON object by their names in small letters.
 *
 * S3 takes the bytes of x-amz-meta-* as ISO 8859-1 and gives back what is not ASCII as RFC 2047 has it; what
 * its writer had encoded so is ASCII and comes back as it went in. */
#include "base/size.h"
#include "cloud/api/s3.h"
#include "cloud/api/s3_acl.h"
#include "cloud/api/s3_rules.h"
#include "cloud/http/digest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { USER_METADATA_MAX = 2048, REDIRECT_MAX = 2048, ENCODED_WORD = 45 };

static const char own_prefix[] = "x-amz-meta-";
static const char encryption[] = "x-amz-server-side-encryption";
static const char redirect[] = "x-amz-website-redirect-location";

static bool is_own(const char *name)
{
    return strncasecmp(name, own_prefix, sizeof(own_prefix) - 1) == 0;
}

/* Fields that are kept beside those of the user, and whether response-… overrides them. */
static const struct {
    const char *name;
    const char *said;
    const char *override;
} kept[] = {
    {"cache-control", "Cache-Control", "response-cache-control"},
    {"content-disposition", "Content-Disposition", "response-content-disposition"},
    {"content-encoding", "Content-Encoding", "response-content-encoding"},
    {"content-language", "Content-Language", "response-content-language"},
    {"expires", "Expires", "response-expires"},
    {redirect, redirect, NULL},
    {encryption, encryption, NULL},
};

static bool is_kept(const char *name)
{
    for (size_t i = 0; i < SH_COUNT(kept); i++)
        if (strcasecmp(kept[i].name, name) == 0)
            return true;
    return false;
}

/* ---- taking ---- */

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7F)
            return true;
    return false;
}

/* Bytes taken as ISO 8859-1. */
static const char *from_latin(sh_arena *arena, const char *text)
{
    char *out = sh_arena_alloc(arena, strlen(text) * 2 + 1);
    char *at = out;
    if (!out)
        return NULL;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c >= 0x80) {
            *at++ = (char)(0xC0 | c >> 6);
            c = 0x80 | (c & 0x3F);
        }
        *at++ = (char)c;
    }
    *at = '\0';
    return out;
}

/* "gzip, aws-chunked" -> "gzip": that word tells how the request was sent, not how the object is stored. */
static const char *without_chunked(sh_arena *arena, const char *value)
{
    static const char word[] = "aws-chunked";
    size_t length = strlen(value), used = 0;
    if (!strcasestr(value, word))
        return value;
    char *out = sh_arena_alloc(arena, length * 2 + 1);
    if (!out)
        return NULL;
    for (const char *at = value; *(at += strspn(at, ", \t"));) {
        size_t part = strcspn(at, ",");
        const char *token = at;
        at += part;
        while (part > 0 && (token[part - 1] == ' ' || token[part - 1] == '\t'))
            part--;
        if (part == sizeof(word) - 1 && strncasecmp(token, word, part) == 0)
            continue;
        used +=
            (size_t)snprintf(out + used, length * 2 + 1 - used, "%s%.*s", used ? "," : "", (int)part, token);
    }
    out[used] = '\0';
    return out;
}

static const char *small_letters(sh_arena *arena, const char *name)
{
    char *out = sh_arena_strdup(arena, name);
    for (char *c = out; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return out;
}

/* Blanks around a value are not part of it. */
static const char *trimmed(sh_arena *arena, const char *value)
{
    value += strspn(value, " \t");
    size_t length = strlen(value);
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        length--;
    return sh_arena_strndup(arena, value, length);
}

static bool put_meta(sh_s3 *s3, json_t *meta, const sh_http_field *field, bool own, const char **stored)
{
    const char *name = small_letters(s3->arena, field->name);
    const char *value = trimmed(s3->arena, field->value);
    if (value && ((own && !s3->form) || !sh_utf8_valid(value, strlen(value))))
        value = from_latin(s3->arena, value);
    if (name && value && strcmp(name, "content-encoding") == 0)
        value = without_chunked(s3->arena, value);
    const char *before = name ? json_string_value(json_object_get(meta, name)) : NULL;
    if (before && value) /* sent twice: one value, as S3 keeps it */
        value = sh_arena_printf(s3->arena, "%s,%s", before, value);
    *stored = value;
    if (!name || !value || !sh_utf8_valid(name, strlen(name)))
        return false;
    return (!*value && !own) || json_object_set_new(meta, name, json_string(value)) == 0;
}

static void fail_too_much(sh_s3 *s3, size_t size)
{
    char got[24], maximum[24];
    snprintf(got, sizeof(got), "%zu", size);
    snprintf(maximum, sizeof(maximum), "%d", USER_METADATA_MAX);
    sh_s3_about(s3, "Size", got);
    sh_s3_about(s3, "MaxSizeAllowed", maximum);
    sh_s3_fail(s3, 400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size");
}

static const char *as_text(sh_s3 *s3, const json_t *meta)
{
    char *text = json_dumps(meta, JSON_COMPACT | JSON_SORT_KEYS);
    const char *out = text ? sh_arena_strdup(s3->arena, text) : NULL;
    free(text);
    if (!out)
        sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: no memory");
    return out;
}

/* What the bucket says of new objects whose writer does not. False after having answered. */
static bool put_defaults(sh_s3 *s3, json_t *meta)
{
    const sh_bucket_rules *rules = sh_s3_need_rules(s3);
    if (rules && rules->encryption_text && !json_object_get(meta, encryption))
        json_object_set_new(meta, encryption, json_string("AES256"));
    return rules != NULL;
}

const char *sh_s3_meta_json(sh_s3 *s3)
{
    const char *out = NULL, *value;
    size_t user = 0;
    bool good = true;
    json_t *meta = json_object();
    for (size_t i = 0; good && meta && i < s3->head->field_count; i++) {
        const sh_http_field *field = &s3->head->fields[i];
        bool own = is_own(field->name);
        if (!own && !is_kept(field->name))
            continue;
        good = !has_control(field->value) && put_meta(s3, meta, field, own, &value);
        if (own && good)
            user += strlen(field->name) - (sizeof(own_prefix) - 1) + strlen(value);
    }
    if (user > USER_METADATA_MAX)
        fail_too_much(s3, user);
    else if (!good)
        sh_s3_fail(s3, 400, "InvalidArgument", "A metadata field has control characters, or no valid name");
    else if (put_defaults(s3, meta))
        out = as_text(s3, meta);
    json_decref(meta);
    return out;
}

/* Fields that describe the place of an object and not itself; a copy has those of its own request. */
const char *sh_s3_meta_copied(sh_s3 *s3, const char *source, const char *asked)
{
    static const char *const own[] = {redirect, encryption};
    const char *out = NULL;
    json_t *meta = json_loads(source, 0, NULL), *new = json_loads(asked, 0, NULL);
    for (size_t i = 0; i < SH_COUNT(own); i++) {
        json_t *value = json_object_get(new, own[i]);
        if (value)
            json_object_set(meta, own[i], value);
        else
            json_object_del(meta, own[i]);
    }
    out = as_text(s3, meta);
    json_decref(meta);
    json_decref(new);
    return out;
}

/* ---- what may be asked of an object ---- */

static bool storage_class(sh_s3 *s3, const char **out)
{
    static const char *const served[] = {"STANDARD",   "REDUCED_REDUNDANCY",  "STANDARD_IA",
                                         "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"};
    static const char *const archives[] = {"GLACIER", "DEEP_ARCHIVE", "OUTPOSTS",
                                           "SNOW",    "FSX_OPENZFS",  "EXPRESS_ONEZONE"};
    const char *asked = sh_http_field_get(s3->head, "x-amz-storage-class");
    *out = NULL;
    for (size_t i = 0; asked && i < SH_COUNT(served); i++)
        if (strcmp(asked, served[i]) == 0) {
            *out = i == 0 ? NULL : served[i];
            return true;
        }
    for (size_t i = 0; asked && i < SH_COUNT(archives); i++)
        if (strcmp(asked, archives[i]) == 0) {
            sh_s3_fail_header(s3, "x-amz-storage-class");
            return false;
        }
    if (asked) {
        sh_s3_about(s3, "StorageClassRequested", asked);
        sh_s3_fail(s3, 400, "InvalidStorageClass", "The storage class you specified is not valid");
    }
    return !asked;
}

/* Keys of a customer and of KMS are not served; AES256 is what S3 does by itself. */
static bool encryption_good(sh_s3 *s3)
{
    static const char *const prefixes[] = {"x-amz-server-side-encryption-",
                                           "x-amz-copy-source-server-side-encryption-"};
    const char *asked = sh_http_field_get(s3->head, encryption);
    for (size_t i = 0; i < SH_COUNT(prefixes); i++)
        for (size_t j = 0; j < s3->head->field_count; j++)
            if (strncasecmp(s3->head->fields[j].name, prefixes[i], strlen(prefixes[i])) == 0) {
                sh_s3_fail_header(s3, s3->head->fields[j].name);
                return false;
            }
    if (!asked || strcmp(asked, "AES256") == 0)
        return true;
    if (strcmp(asked, "aws:kms") == 0 || strcmp(asked, "aws:kms:dsse") == 0)
        sh_s3_fail(s3, 501, "NotImplemented",
                   "A header you provided implies functionality that is not implemented: %s: %s; there is no "
                   "KMS here, AES256 is taken",
                   encryption, asked);
    else
        sh_s3_fail(s3, 400, "InvalidEncryptionAlgorithmError",
                   "The encryption request you specified is not valid. The valid value is AES256.");
    return false;
}

static bool redirect_good(sh_s3 *s3)
{
    const char *to = sh_http_field_get(s3->head, redirect);
    if (!to)
        return true;
    if (strlen(to) <= REDIRECT_MAX &&
        (to[0] == '/' || strncasecmp(to, "http://", 7) == 0 || strncasecmp(to, "https://", 8) == 0))
        return true;
    sh_s3_fail(s3, 400, "InvalidRedirectLocation",
               "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.");
    return false;
}

bool sh_s3_meta_supported(sh_s3 *s3)
{
    static const char *const refused[] = {"x-amz-write-offset-bytes"};
    static const char *const refused_prefixes[] = {"x-amz-object-lock-"};
    const char *name = NULL, *storage, *acl;
    for (size_t i = 0; i < SH_COUNT(refused); i++)
        if (sh_http_field_get(s3->head, refused[i]))
            name = refused[i];
    for (size_t i = 0; i < SH_COUNT(refused_prefixes); i++)
        for (size_t j = 0; j < s3->head->field_count; j++)
            if (strncasecmp(s3->head->fields[j].name, refused_prefixes[i], strlen(refused_prefixes[i])) == 0)
                name = s3->head->fields[j].name;
    if (!name)
        return storage_class(s3, &storage) && encryption_good(s3) && redirect_good(s3) &&
               sh_s3_acl_asked(s3, &acl);
    sh_s3_fail_header(s3, name);
    return false;
}

bool sh_s3_draft(sh_s3 *s3, sh_object_new *out)
{
    out->content_type = sh_http_field_get(s3->head, "content-type");
    if (out->content_type && !*out->content_type)
        out->content_type = NULL;
    out->condition.match = sh_http_field_get(s3->head, "if-match");
    out->condition.absent = sh_http_field_get(s3->head, "if-none-match") != NULL;
    out->headers = sh_s3_meta_json(s3);
    return out->headers && storage_class(s3, &out->storage) && sh_s3_tags_asked(s3, &out->tags) &&
           sh_s3_acl_asked(s3, &out->acl);
}

/* ---- giving back ---- */

static void field_from(sh_s3 *s3, const char *name, const char *override, const char *value)
{
    const char *wanted = override ? sh_http_param_get(s3->head, override) : NULL;
    if (wanted || value)
        sh_http_add_field(s3->http, name, wanted ? wanted : value);
}

/* =?UTF-8?B?…?= words of whole characters, with blanks between. */
static const char *encoded_words(sh_arena *arena, const char *text)
{
    const char *out = "";
    char word[ENCODED_WORD / 3 * 4 + 1];
    while (out && *text) {
        size_t length = strnlen(text, ENCODED_WORD);
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--;
        sh_base64((const unsigned char *)text, length, word);
        out = sh_arena_printf(arena, "%s%s=?UTF-8?B?%s?=", out, *out ? " " : "", word);
        text += length;
    }
    return out;
}

/* A field's value cannot be empty for libmicrohttpd; blanks around one mean nothing. */
static void user_fields(sh_s3 *s3, json_t *meta)
{
    const char *name;
    json_t *value;
    int missing = 0;
    json_object_foreach(meta, name, value)
    {
        const char *text = json_string_value(value);
        if (!text || !is_own(name))
            continue;
        if (has_control(text) || !is_ascii(name)) {
            missing++;
            continue;
        }
        if (!is_ascii(text))
            text = encoded_words(s3->arena, text);
        sh_http_add_field(s3->http, name, text && *text ? text : " ");
    }
    if (missing) {
        char count[16];
        snprintf(count, sizeof(count), "%d", missing);
        sh_http_add_field(s3->http, "x-amz-missing-meta", count);
    }
}

void sh_s3_meta_fields(sh_s3 *s3, const sh_object *object, bool overrides)
{
    json_t *meta = json_loads(object->headers, 0, NULL);
    field_from(s3, "Content-Type", overrides ? "response-content-type" : NULL, object->content_type);
    for (size_t i = 0; i < SH_COUNT(kept); i++)
        field_from(s3, kept[i].said, overrides ? kept[i].override : NULL,
                   json_string_value(json_object_get(meta, kept[i].name)));
    user_fields(s3, meta);
    if (object->storage)
        sh_http_add_field(s3->http, "x-amz-storage-class", object->storage);
    json_decref(meta);
}

void sh_s3_encryption_field(sh_s3 *s3, const char *headers)
{
    json_t *meta = headers ? json_loads(headers, 0, NULL) : NULL;
    const char *value = json_string_value(json_object_get(meta, encryption));
    if (value)
        sh_http_add_field(s3->http, encryption, value);
    json_decref(meta);
}
