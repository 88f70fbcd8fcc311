/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GetObjectAttributes: what is known of an object without its bytes. Unlike everywhere else, S3 writes the
 * ETag without quotes here and a composite checksum without its number of parts. */
#include "base/size.h"
#include "cloud/api/s3_part.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PARTS_AT_ONCE = 1000 };
enum { ETAG = 1 << 0, CHECKSUM = 1 << 1, PARTS = 1 << 2, STORAGE = 1 << 3, SIZE = 1 << 4 };

static const char field[] = "x-amz-object-attributes";

static unsigned attribute(const char *name, size_t length)
{
    static const char *const names[] = {"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"};
    for (size_t i = 0; i < SH_COUNT(names); i++)
        if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0)
            return 1u << i;
    return 0;
}

/* The field may come once with a list or several times. False after having answered. */
static bool read_attributes(sh_s3 *s3, unsigned *out)
{
    unsigned wanted = 0;
    for (size_t i = 0; i < s3->head->field_count; i++) {
        if (strcasecmp(s3->head->fields[i].name, field) != 0)
            continue;
        for (const char *at = s3->head->fields[i].value; *(at += strspn(at, ", \t"));) {
            size_t length = strcspn(at, ", \t");
            unsigned one = attribute(at, length);
            if (!one) {
                sh_s3_fail_argument(s3, field, s3->head->fields[i].value,
                                    "Invalid attribute name specified.");
                return false;
            }
            wanted |= one;
            at += length;
        }
    }
    if (!wanted)
        sh_s3_fail(s3, 400, "InvalidRequest",
                   "The x-amz-object-attributes header specifying the attributes to be retrieved is either "
                   "missing or empty");
    *out = wanted;
    return wanted != 0;
}

static int64_t number_field(sh_s3 *s3, const char *name, int64_t otherwise)
{
    const char *text = sh_http_field_get(s3->head, name);
    int64_t value;
    return text && sh_parse_i64(text, strlen(text), 0, INT32_MAX, &value) ? value : otherwise;
}

static void put_part(sh_buf *out, const sh_s3_part *part)
{
    sh_xml_open(out, "Part");
    sh_xml_put_int(out, "PartNumber", part->number);
    sh_xml_put_int(out, "Size", part->length);
    sh_s3_put_checksum(out, part->checksum);
    sh_xml_close(out, "Part");
}

static void put_parts(sh_s3 *s3, sh_buf *out, const sh_s3_part *parts, size_t count)
{
    int64_t after = number_field(s3, "x-amz-part-number-marker", 0);
    int64_t max = number_field(s3, "x-amz-max-parts", PARTS_AT_ONCE);
    size_t first = 0;
    max = max > PARTS_AT_ONCE ? PARTS_AT_ONCE : max;
    while (first < count && parts[first].number <= after)
        first++;
    size_t left = count - first;
    size_t shown = left < (size_t)max ? left : (size_t)max;
    sh_xml_open(out, "ObjectParts");
    sh_xml_put_int(out, "PartsCount", (long long)count);
    sh_xml_put_int(out, "PartNumberMarker", after);
    sh_xml_put_int(out, "NextPartNumberMarker", shown ? parts[first + shown - 1].number : after);
    sh_xml_put_int(out, "MaxParts", max);
    sh_xml_put(out, "IsTruncated", shown < left ? "true" : "false");
    for (size_t i = 0; i < shown; i++)
        put_part(out, &parts[first + i]);
    sh_xml_close(out, "ObjectParts");
}

static void put_checksum(sh_s3 *s3, sh_buf *out, const char *checksum)
{
    const char *dash = strchr(checksum, '-');
    const char *bare = dash ? sh_arena_strndup(s3->arena, checksum, (size_t)(dash - checksum)) : checksum;
    sh_xml_open(out, "Checksum");
    sh_s3_put_checksum(out, bare);
    sh_xml_put(out, "ChecksumType", dash ? "COMPOSITE" : "FULL_OBJECT");
    sh_xml_close(out, "Checksum");
}

static void answer_attributes(sh_s3 *s3, const sh_object *object)
{
    sh_buf out;
    char date[SH_TIME_TEXT];
    unsigned wanted;
    sh_s3_part *parts;
    size_t count;
    if (!read_attributes(s3, &wanted) || !sh_s3_parts_read(s3, object, &parts, &count))
        return;
    sh_time_http(object->modified_ms, date);
    sh_http_add_field(s3->http, "Last-Modified", date);
    sh_s3_begin_xml(&out, "GetObjectAttributesResponse");
    if (wanted & ETAG)
        sh_xml_put(&out, "ETag", object->etag);
    if (wanted & CHECKSUM && object->checksum)
        put_checksum(s3, &out, object->checksum);
    if (wanted & PARTS && count)
        put_parts(s3, &out, parts, count);
    if (wanted & STORAGE)
        sh_xml_put(&out, "StorageClass", object->storage ? object->storage : "STANDARD");
    if (wanted & SIZE)
        sh_xml_put_int(&out, "ObjectSize", object->size);
    sh_xml_close(&out, "GetObjectAttributesResponse");
    sh_s3_answer_xml(s3, &out);
}

void sh_s3_get_attributes(sh_s3 *s3)
{
    sh_object object;
    if (!sh_s3_find(s3, &object, NULL, NULL))
        return;
    sh_s3_version_field(s3, &object);
    answer_attributes(s3, &object);
}
