/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tags of objects: as a field of a request that writes one (x-amz-tagging: a=b&c=d) and as a document of
 * their own. They are kept as a JSON object in the order they came. */
#include "base/size.h"
#include "cloud/api/s3.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAGS_MAX = 10, KEY_MAX = 128, VALUE_MAX = 256 }; /* the lengths in characters */

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

/* Letters of any script, digits, blanks and + - = . _ : / @ */
static bool tag_text(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && (unsigned char)*text < 0x80 && !strchr(" +-=._:/@", *text))
            return false;
    return true;
}

/* False after having answered. */
static bool add_tag(sh_s3 *s3, json_t *tags, const char *key, const char *value)
{
    const char *wrong = NULL, *code = "InvalidTag";
    if (!*key || characters(key) > KEY_MAX || !tag_text(key))
        wrong = "The TagKey you have provided is invalid";
    else if (characters(value) > VALUE_MAX || !tag_text(value))
        wrong = "The TagValue you have provided is invalid";
    else if (strncmp(key, "aws:", 4) == 0)
        wrong = "System tags cannot be added/updated by requester";
    else if (json_object_get(tags, key))
        wrong = "Cannot provide multiple Tags with the same key";
    else if (json_object_size(tags) == TAGS_MAX)
        wrong = "Object tags cannot be greater than 10";
    else if (json_object_set_new(tags, key, json_string(value)) < 0) {
        sh_s3_fail(s3, 400, "InvalidArgument", "A tag is not UTF-8 text");
        return false;
    }
    if (!wrong)
        return true;
    sh_s3_detail details[] = {{"TagKey", key}, {"TagValue", value}};
    sh_s3_fail_with(s3, 400, code, details, 2, "%s", wrong);
    return false;
}

/* The text that is kept, NULL for no tags. False after having answered. */
static bool keep_tags(sh_s3 *s3, const json_t *tags, const char **out)
{
    *out = NULL;
    if (json_object_size(tags) == 0)
        return true;
    char *text = json_dumps(tags, JSON_COMPACT);
    *out = text ? sh_arena_strdup(s3->arena, text) : NULL;
    free(text);
    if (!*out)
        sh_s3_fail(s3, 500, "InternalError", "We encountered an internal error: no memory");
    return *out != NULL;
}

/* ---- x-amz-tagging ---- */

static void bad_field(sh_s3 *s3, const char *value)
{
    sh_s3_detail details[] = {{"ArgumentName", "x-amz-tagging"}, {"ArgumentValue", value}};
    sh_s3_fail_with(
        s3, 400, "InvalidArgument", details, 2,
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
        "without tag name duplicates.");
}

/* One "key=value" of the field. False after having answered. */
static bool add_pair(sh_s3 *s3, json_t *tags, const char *field, const char *at, size_t length)
{
    const char *equals = memchr(at, '=', length);
    size_t before = equals ? (size_t)(equals - at) : length;
    char *key = sh_http_decode(s3->arena, at, before, true);
    char *value = equals ? sh_http_decode(s3->arena, equals + 1, length - before - 1, true)
                         : sh_arena_strdup(s3->arena, "");
    if (!key || !value || !*key || json_object_get(tags, key) || !sh_utf8_valid(key, strlen(key)) ||
        !sh_utf8_valid(value, strlen(value))) {
        bad_field(s3, field);
        return false;
    }
    return add_tag(s3, tags, key, value);
}

bool sh_s3_tags_asked(sh_s3 *s3, const char **tags)
{
    const char *field = sh_http_field_get(s3->head, "x-amz-tagging");
    bool good = true;
    json_t *all = json_object();
    *tags = NULL;
    for (const char *at = field; all && good && at && *at;) {
        size_t length = strcspn(at, "&");
        good = length == 0 || add_pair(s3, all, field, at, length);
        at += length + (at[length] == '&');
    }
    good = good && keep_tags(s3, all, tags);
    json_decref(all);
    return good;
}

void sh_s3_tagging_count(sh_s3 *s3, const sh_object *object)
{
    char text[24];
    json_t *tags = object->tags ? json_loads(object->tags, 0, NULL) : NULL;
    if (tags) {
        snprintf(text, sizeof(text), "%zu", json_object_size(tags));
        sh_http_add_field(s3->http, "x-amz-tagging-count", text);
    }
    json_decref(tags);
}

/* ---- documents ---- */

void sh_s3_get_tagging(sh_s3 *s3)
{
    sh_buf out;
    sh_object object;
    const char *key;
    json_t *value;
    if (!sh_s3_find(s3, &object, NULL, NULL))
        return;
    json_t *tags = object.tags ? json_loads(object.tags, 0, NULL) : NULL;
    sh_s3_version_field(s3, &object);
    sh_s3_begin_xml(&out, "Tagging");
    sh_xml_open(&out, "TagSet");
    json_object_foreach(tags, key, value)
    {
        sh_xml_open(&out, "Tag");
        sh_xml_put(&out, "Key", key);
        sh_xml_put(&out, "Value", json_string_value(value));
        sh_xml_close(&out, "Tag");
    }
    sh_xml_close(&out, "TagSet");
    sh_xml_close(&out, "Tagging");
    sh_s3_answer_xml(s3, &out);
    json_decref(tags);
}

/* False after having answered. */
static bool read_document(sh_s3 *s3, const char **out)
{
    const sh_xml *root = sh_s3_need_xml(s3, "Tagging");
    const sh_xml *set = root ? sh_xml_child(root, "TagSet") : NULL;
    bool good = set != NULL;
    if (root && !set)
        sh_s3_fail(s3, 400, "MalformedXML", SH_S3_MALFORMED);
    json_t *tags = json_object();
    for (const sh_xml *at = set ? set->child : NULL; good && at; at = at->next) {
        const char *key = sh_xml_text(at, "Key"), *value = sh_xml_text(at, "Value");
        good = strcmp(at->name, "Tag") == 0 && key && value;
        if (!good)
            sh_s3_fail(s3, 400, "MalformedXML", SH_S3_MALFORMED);
        else
            good = add_tag(s3, tags, key, value);
    }
    good = good && keep_tags(s3, tags, out);
    json_decref(tags);
    return good;
}

static void set_tags(sh_s3 *s3, const char *tags, int answer)
{
    sh_err err = {0};
    sh_object object;
    sh_object_cause cause = sh_s3_cause(s3, NULL);
    const char *version = sh_s3_version(s3);
    int status = sh_object_set_tags(&s3->objects, s3->bucket, s3->key, version, tags, &cause, s3->arena,
                                    &object, &err);
    if (status == SH_E_CONFLICT &&
        sh_object_get_version(&s3->objects, s3->bucket, s3->key, version, s3->arena, &object, &err) == 0) {
        sh_s3_fail_marker(s3, &object, true);
    } else if (status == SH_E_NOT_FOUND && version) {
        sh_s3_fail_version(s3, version);
    } else if (status < 0) {
        sh_s3_fail_store(s3, &err);
    } else {
        sh_cloud_wake(s3->cloud, SH_WAKE_NOTICES);
        sh_s3_version_field(s3, &object);
        sh_s3_answer_empty(s3, answer);
    }
}

void sh_s3_put_tagging(sh_s3 *s3)
{
    const char *tags;
    if (read_document(s3, &tags))
        set_tags(s3, tags, 200);
}

void sh_s3_delete_tagging(sh_s3 *s3)
{
    set_tags(s3, NULL, 204);
}
