/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The numbers inside a TensorProto. They stand either in raw_data (little-endian) or in a typed list, which
 * may be packed or not and may come in parts. The dimensions say how many there must be; the bytes that are
 * really there decide whether anything is allocated. */
#include "engine/onnx/proto.h"
#include <spyhop/spyhop.h>
#include <math.h>
#include <string.h>

enum { FIELD_FLOATS = 4, FIELD_INT32 = 5, FIELD_INT64 = 7, FIELD_RAW = 9 };

int sh_onnx_elements(const sh_onnx_tensor *tensor, int64_t maximum, int64_t *count, sh_err *err)
{
    int64_t product = 1;
    for (int i = 0; i < tensor->rank; i++) {
        int64_t dim = tensor->dims[i];
        if (dim < 0)
            return sh_fail(err, SH_E_FORMAT, "tensor '%s' has the dimension %lld",
                           sh_text_show(tensor->name).text, (long long)dim);
        if (__builtin_mul_overflow(product, dim, &product) || product > maximum)
            return sh_fail(err, SH_E_LIMIT, "tensor '%s' has more than %lld numbers (dimension %d is %lld)",
                           sh_text_show(tensor->name).text, (long long)maximum, i, (long long)dim);
    }
    *count = product;
    return SH_OK;
}

static float half_to_float(unsigned h)
{
    int exponent = (h >> 10) & 31;
    float mantissa = (float)(h & 0x3ff), value;
    if (exponent == 0)
        value = ldexpf(mantissa, -24);
    else if (exponent == 31)
        value = mantissa != 0 ? NAN : INFINITY;
    else
        value = ldexpf(mantissa + 1024, exponent - 25);
    return h & 0x8000 ? -value : value;
}

static float load_float(const uint8_t *p, size_t width)
{
    if (width == 2)
        return half_to_float(p[0] | (unsigned)p[1] << 8);
    return sh_pb_float(p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24);
}

/* One way of giving numbers: a run of fixed-width values, or of varints (which float16 uses in int32_data).
 */
static int64_t run_length(const sh_pb_field *field, int number, size_t width, int varints)
{
    if ((int)field->number != number)
        return 0;
    if (field->wire != SH_PB_BYTES)
        return 1;
    if (!varints)
        return (int64_t)(sh_pb_left(&field->body) / width);
    int64_t count = 0;
    for (size_t i = field->body.at; i < field->body.end; i++)
        count += !(field->body.file[i] & 0x80);
    return count;
}

static int is_whole(int type)
{
    return type >= SH_ONNX_UINT8 && type <= SH_ONNX_INT64;
}

static int list_field(int type)
{
    return type == SH_ONNX_FLOAT ? FIELD_FLOATS : type == SH_ONNX_INT64 ? FIELD_INT64 : FIELD_INT32;
}

static size_t raw_width(int type)
{
    switch (type) {
    case SH_ONNX_UINT8:
    case SH_ONNX_INT8:
        return 1;
    case SH_ONNX_UINT16:
    case SH_ONNX_INT16:
    case SH_ONNX_FLOAT16:
        return 2;
    case SH_ONNX_INT64:
        return 8;
    default:
        return 4;
    }
}

/* How many numbers the bytes hold; `raw` says where they stand. Both forms at once are refused. */
static int present(const sh_onnx_tensor *tensor, int64_t *count, int *raw, sh_err *err)
{
    sh_pb body = tensor->body;
    sh_pb_field field;
    int64_t in_raw = 0, in_list = 0;
    int status, list = list_field(tensor->type);
    size_t width = raw_width(tensor->type);
    while ((status = sh_pb_next(&body, &field, err)) > 0) {
        if (field.number == FIELD_RAW && sh_pb_left(&field.body) % width != 0)
            return sh_fail(err, SH_E_FORMAT, "tensor '%s' at byte %zu does not hold whole numbers",
                           sh_text_show(tensor->name).text, field.offset);
        in_raw += run_length(&field, FIELD_RAW, width, 0);
        in_list += run_length(&field, list, 4, list != FIELD_FLOATS);
    }
    if (status == SH_OK && in_raw && in_list)
        status =
            sh_fail(err, SH_E_FORMAT, "tensor '%s' gives its numbers twice", sh_text_show(tensor->name).text);
    if (status < 0)
        return status;
    *raw = in_raw > 0;
    *count = in_raw + in_list;
    return SH_OK;
}

static int check_count(const sh_onnx_tensor *tensor, int64_t maximum, int64_t *count, int *raw, sh_err *err)
{
    int64_t expected = 0, found = 0;
    int status = sh_onnx_elements(tensor, maximum, &expected, err);
    if (status == SH_OK && tensor->external)
        status = sh_fail(err, SH_E_UNSUPPORTED,
                         "tensor '%s' keeps its data in another file: save the model as one",
                         sh_text_show(tensor->name).text);
    if (status == SH_OK)
        status = present(tensor, &found, raw, err);
    if (status == SH_OK && found != expected)
        status =
            sh_fail(err, SH_E_FORMAT, "tensor '%s' at byte %zu holds %lld numbers; its dimensions say %lld",
                    sh_text_show(tensor->name).text, tensor->body.at, (long long)found, (long long)expected);
    if (status == SH_OK)
        *count = expected;
    return status;
}

/* Copies the floats of one field, at most `room`; the number of them. */
static int64_t take_floats(float *values, int64_t room, const sh_pb_field *field, int type, int raw)
{
    size_t width = raw ? raw_width(type) : 4;
    sh_pb body = field->body;
    int64_t n = 0;
    if ((int)field->number != (raw ? FIELD_RAW : list_field(type)))
        return 0;
    if (field->wire != SH_PB_BYTES) {
        if (room > 0)
            values[0] =
                type == SH_ONNX_FLOAT16 ? half_to_float((unsigned)field->value) : sh_pb_float(field->value);
        return room > 0;
    }
    if (!raw && type == SH_ONNX_FLOAT16) {
        uint64_t bits;
        while (n < room && sh_pb_left(&body) > 0 && sh_pb_varint(&body, &bits, NULL) == SH_OK)
            values[n++] = half_to_float((unsigned)bits & 0xffff);
        return n;
    }
    for (; n < room && sh_pb_left(&body) >= width; body.at += width)
        values[n++] = load_float(body.file + body.at, width);
    return n;
}

/* Those of a computed constant. */
static int made_floats(const sh_onnx_tensor *tensor, sh_arena *arena, float **values, int64_t *count,
                       sh_err *err)
{
    int status = sh_onnx_elements(tensor, (int64_t)SPYHOP_MAX_FILE_BYTES, count, err);
    if (status < 0)
        return status;
    float *result = sh_arena_alloc(arena, (size_t)*count * sizeof(float));
    if (!result)
        return sh_fail(err, SH_E_MEMORY, "out of memory for tensor '%s'", sh_text_show(tensor->name).text);
    memcpy(result, tensor->floats, (size_t)*count * sizeof(float));
    *values = result;
    return SH_OK;
}

int sh_onnx_floats(const sh_onnx_tensor *tensor, sh_arena *arena, float **values, int64_t *count, sh_err *err)
{
    int64_t total = 0, n = 0;
    int raw = 0, status;
    sh_pb body = tensor->body;
    sh_pb_field field;
    if (tensor->floats)
        return made_floats(tensor, arena, values, count, err);
    if (tensor->type != SH_ONNX_FLOAT && tensor->type != SH_ONNX_FLOAT16)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "tensor '%s' has element type %d; only float32 and float16 are run",
                       sh_text_show(tensor->name).text, tensor->type);
    status = check_count(tensor, (int64_t)SPYHOP_MAX_FILE_BYTES / 2, &total, &raw, err);
    if (status < 0)
        return status;
    float *result = sh_arena_alloc(arena, (size_t)total * sizeof(float));
    if (!result)
        return sh_fail(err, SH_E_MEMORY, "out of memory for tensor '%s'", sh_text_show(tensor->name).text);
    while ((status = sh_pb_next(&body, &field, err)) > 0)
        n += take_floats(result + n, total - n, &field, tensor->type, raw);
    for (int64_t i = 0; status == SH_OK && i < total; i++)
        if (!isfinite(result[i]))
            status = sh_fail(err, SH_E_FORMAT, "tensor '%s' holds a number that is not finite (element %lld)",
                             sh_text_show(tensor->name).text, (long long)i);
    if (status < 0)
        return status;
    *values = result;
    *count = total;
    return SH_OK;
}

/* The bits of one number, as the type reads them. */
static int64_t whole(uint64_t bits, int type)
{
    switch (type) {
    case SH_ONNX_UINT8:
        return (uint8_t)bits;
    case SH_ONNX_INT8:
        return (int8_t)bits;
    case SH_ONNX_UINT16:
        return (uint16_t)bits;
    case SH_ONNX_INT16:
        return (int16_t)bits;
    case SH_ONNX_INT32:
        return (int32_t)bits;
    default:
        return (int64_t)bits;
    }
}

/* To values (int64) or, where that is NULL, to narrow. */
static int64_t take_ints(int64_t *values, int32_t *narrow, int64_t room, const sh_pb_field *field, int type,
                         int raw)
{
    sh_pb body = field->body;
    size_t width = raw_width(type);
    int64_t n = 0;
    if ((int)field->number != (raw ? FIELD_RAW : list_field(type)))
        return 0;
    if (field->wire != SH_PB_BYTES) {
        if (room > 0 && values)
            values[0] = whole(field->value, type);
        else if (room > 0)
            narrow[0] = (int32_t)whole(field->value, type);
        return room > 0;
    }
    while (n < room && sh_pb_left(&body) > 0) {
        uint64_t value = 0;
        if (!raw && sh_pb_varint(&body, &value, NULL) < 0)
            break;
        for (size_t i = 0; raw && i < width; i++)
            value |= (uint64_t)body.file[body.at + i] << (8 * i);
        body.at += raw ? width : 0;
        if (values)
            values[n++] = whole(value, type);
        else
            narrow[n++] = (int32_t)whole(value, type);
    }
    return n;
}

static int walk_ints(const sh_onnx_tensor *tensor, int64_t *values, int32_t *narrow, int64_t total, int raw,
                     sh_err *err)
{
    sh_pb body = tensor->body;
    sh_pb_field field;
    int64_t n = 0;
    int status;
    while ((status = sh_pb_next(&body, &field, err)) > 0)
        n += take_ints(values ? values + n : NULL, narrow ? narrow + n : NULL, total - n, &field,
                       tensor->type, raw);
    return status;
}

int sh_onnx_ints(const sh_onnx_tensor *tensor, int64_t *values, int maximum, int *count, sh_err *err)
{
    int64_t total = 0;
    int raw = 0, status;
    if (!is_whole(tensor->type))
        return sh_fail(err, SH_E_UNSUPPORTED, "tensor '%s' has element type %d where whole numbers belong",
                       sh_text_show(tensor->name).text, tensor->type);
    status = tensor->ints ? sh_onnx_elements(tensor, maximum, &total, err)
                          : check_count(tensor, maximum, &total, &raw, err);
    for (int64_t i = 0; status == SH_OK && tensor->ints && i < total; i++)
        values[i] = tensor->ints[i];
    if (status == SH_OK && !tensor->ints)
        status = walk_ints(tensor, values, NULL, total, raw, err);
    if (status == SH_OK)
        *count = (int)total;
    return status;
}

int sh_onnx_int32s(const sh_onnx_tensor *tensor, sh_arena *arena, const int32_t **values, int64_t *count,
                   sh_err *err)
{
    int raw = 0, status;
    if (!is_whole(tensor->type) || tensor->type == SH_ONNX_INT64)
        return sh_fail(
            err, SH_E_UNSUPPORTED,
            "tensor '%s' has element type %d; integers of 8, 16 and (signed) 32 bits are quantised ones",
            sh_text_show(tensor->name).text, tensor->type);
    if (tensor->ints) {
        *values = tensor->ints;
        return sh_onnx_elements(tensor, (int64_t)SPYHOP_MAX_FILE_BYTES, count, err);
    }
    status = check_count(tensor, (int64_t)SPYHOP_MAX_FILE_BYTES, count, &raw, err);
    if (status < 0)
        return status;
    int32_t *result = sh_arena_alloc(arena, (size_t)*count * sizeof(int32_t));
    if (!result)
        return sh_fail(err, SH_E_MEMORY, "out of memory for tensor '%s'", sh_text_show(tensor->name).text);
    *values = result;
    return walk_ints(tensor, NULL, result, *count, raw, err);
}
