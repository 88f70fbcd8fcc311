/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/onnx/pb.h"
#include <string.h>

static int cut_short(size_t at, sh_err *err)
{
    return sh_fail(err, SH_E_FORMAT, "ONNX file cut short or damaged: a number runs past its end at byte %zu",
                   at);
}

int sh_pb_varint(sh_pb *pb, uint64_t *value, sh_err *err)
{
    uint64_t result = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (pb->at == pb->end)
            return cut_short(pb->at, err);
        uint8_t byte = pb->file[pb->at++];
        if (shift == 63 && byte > 1)
            break;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *value = result;
            return SH_OK;
        }
    }
    return sh_fail(err, SH_E_FORMAT, "not an ONNX file: a number of more than 64 bits before byte %zu",
                   pb->at);
}

static int fixed(sh_pb *pb, size_t width, uint64_t *value, sh_err *err)
{
    if (sh_pb_left(pb) < width)
        return cut_short(pb->at, err);
    uint64_t result = 0;
    for (size_t i = 0; i < width; i++)
        result |= (uint64_t)pb->file[pb->at + i] << (8 * i);
    pb->at += width;
    *value = result;
    return SH_OK;
}

static int body(sh_pb *pb, sh_pb_field *field, sh_err *err)
{
    uint64_t length;
    int status = sh_pb_varint(pb, &length, err);
    if (status < 0)
        return status;
    if (length > sh_pb_left(pb))
        return sh_fail(
            err, SH_E_FORMAT,
            "ONNX file cut short or damaged at byte %zu: a field of %llu bytes begins at byte %zu, where "
            "%zu are left",
            pb->end, (unsigned long long)length, pb->at, sh_pb_left(pb));
    field->body = (sh_pb){pb->file, pb->at, pb->at + (size_t)length};
    pb->at += (size_t)length;
    return SH_OK;
}

int sh_pb_next(sh_pb *pb, sh_pb_field *field, sh_err *err)
{
    uint64_t tag;
    sh_pb_field found = {.offset = pb->at, .body = {pb->file, pb->at, pb->at}};
    if (pb->at == pb->end)
        return 0;
    int status = sh_pb_varint(pb, &tag, err);
    if (status < 0)
        return status;
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return sh_fail(err, SH_E_FORMAT, "not an ONNX file: no field has the tag at byte %zu", found.offset);
    found.number = (uint32_t)(tag >> 3);
    found.wire = (int)(tag & 7);
    if (found.wire == SH_PB_VARINT)
        status = sh_pb_varint(pb, &found.value, err);
    else if (found.wire == SH_PB_FIXED64)
        status = fixed(pb, 8, &found.value, err);
    else if (found.wire == SH_PB_FIXED32)
        status = fixed(pb, 4, &found.value, err);
    else if (found.wire == SH_PB_BYTES)
        status = body(pb, &found, err);
    else
        status =
            sh_fail(err, SH_E_FORMAT, "not an ONNX file: wire type %d at byte %zu", found.wire, found.offset);
    if (status < 0)
        return status;
    *field = found;
    return 1;
}

int sh_pb_count(sh_pb pb, uint32_t number, int maximum, const char *what, sh_err *err)
{
    sh_pb_field field;
    int count = 0, status;
    while ((status = sh_pb_next(&pb, &field, err)) > 0) {
        if (field.number != number)
            continue;
        if (count == maximum)
            return sh_fail(err, SH_E_LIMIT, "the model has more than %d %s", maximum, what);
        count++;
    }
    return status < 0 ? status : count;
}

int sh_pb_expect(const sh_pb_field *field, int wire, const char *what, sh_err *err)
{
    if (field->wire == wire)
        return SH_OK;
    return sh_fail(err, SH_E_FORMAT, "not an ONNX file: %s at byte %zu has wire type %d, not %d", what,
                   field->offset, field->wire, wire);
}

sh_text sh_pb_text(const sh_pb_field *field)
{
    return (sh_text){(const char *)field->body.file + field->body.at, sh_pb_left(&field->body)};
}

float sh_pb_float(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof(value));
    return value;
}

sh_shown sh_text_show(sh_text text)
{
    sh_shown shown;
    size_t n = text.length < SH_TEXT_SHOWN - 1 ? text.length : SH_TEXT_SHOWN - 1;
    for (size_t i = 0; i < n; i++)
        shown.text[i] = text.data[i] >= 0x20 && text.data[i] < 0x7f ? text.data[i] : '?';
    shown.text[n] = '\0';
    return shown;
}

int sh_text_is(sh_text text, const char *word)
{
    return text.length == strlen(word) && (text.length == 0 || memcmp(text.data, word, text.length) == 0);
}

int sh_text_same(sh_text a, sh_text b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}
