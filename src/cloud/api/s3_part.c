/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts that an object of a multipart upload was made of, kept with it as a JSON array of
 * [number, size, checksum or null], in order; their offsets follow from their sizes. Numbers are those of the
 * upload, which may have gaps. */
#include "cloud/api/s3_part.h"
#include "base/size.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *sh_s3_parts_text(sh_s3 *s3, const sh_part *parts, size_t count)
{
    char *text = NULL;
    json_t *list = json_array();
    bool good = list != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = json_array_append_new(list, json_pack("[I, I, s?]", (json_int_t)parts[i].number,
                                                     (json_int_t)parts[i].size, parts[i].checksum)) == 0;
    if (good)
        text = json_dumps(list, JSON_COMPACT);
    const char *out = text ? sh_arena_strdup(s3->arena, text) : NULL;
    free(text);
    json_decref(list);
    return out;
}

static bool read_part(sh_s3 *s3, const json_t *row, sh_s3_part *out)
{
    const char *checksum = json_string_value(json_array_get(row, 2));
    out->number = json_integer_value(json_array_get(row, 0));
    out->length = json_integer_value(json_array_get(row, 1));
    out->checksum = checksum ? sh_arena_strdup(s3->arena, checksum) : NULL;
    return out->number > 0 && out->length >= 0 && (!checksum || out->checksum);
}

bool sh_s3_parts_read(sh_s3 *s3, const sh_object *object, sh_s3_part **out, size_t *count)
{
    json_t *list = object->parts ? json_loads(object->parts, 0, NULL) : NULL;
    size_t length = json_array_size(list);
    sh_s3_part *parts = length ? sh_arena_alloc(s3->arena, length * sizeof(*parts)) : NULL;
    bool good = !object->parts || (parts && length <= SH_PARTS_MAX);
    int64_t offset = 0;
    for (size_t i = 0; good && i < length; i++) {
        good = read_part(s3, json_array_get(list, i), &parts[i]) && parts[i].length <= object->size - offset;
        parts[i].first = offset;
        offset += parts[i].length;
    }
    json_decref(list);
    if (!good) {
        sh_err err = {0};
        sh_fail(&err, SH_E_INTERNAL, "the list of parts of s3://%s/%s cannot be read", s3->bucket, s3->key);
        sh_s3_fail_store(s3, &err);
        return false;
    }
    *out = parts;
    *count = length;
    return true;
}

bool sh_s3_part_number(sh_s3 *s3, int64_t *number)
{
    const char *text = sh_http_param_get(s3->head, "partNumber");
    if (text && sh_parse_i64(text, strlen(text), 1, SH_PARTS_MAX, number))
        return true;
    sh_s3_fail_argument(s3, "partNumber", text, "Part number must be an integer between 1 and %d, inclusive",
                        SH_PARTS_MAX);
    return false;
}

bool sh_s3_part_find(sh_s3 *s3, const sh_object *object, sh_s3_part *out, size_t *count)
{
    sh_s3_part *parts;
    int64_t number;
    char actual[24];
    if (!sh_s3_part_number(s3, &number) || !sh_s3_parts_read(s3, object, &parts, count))
        return false;
    if (*count == 0 && number == 1) { /* written in one */
        *out = (sh_s3_part){.number = 1, .length = object->size};
        return true;
    }
    for (size_t i = 0; i < *count; i++)
        if (parts[i].number == number) {
            *out = parts[i];
            return true;
        }
    snprintf(actual, sizeof(actual), "%zu", *count ? *count : 1);
    sh_s3_about(s3, "PartNumberRequested", sh_http_param_get(s3->head, "partNumber"));
    sh_s3_about(s3, "ActualPartCount", actual);
    sh_s3_fail(s3, 416, "InvalidPartNumber", "The requested partnumber is not satisfiable");
    return false;
}
