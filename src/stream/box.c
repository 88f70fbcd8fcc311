/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/box.h"
#include <string.h>

sh_span sh_span_make(const uint8_t *data, size_t size, uint64_t base)
{
    return (sh_span){.data = data, .size = size, .base = base};
}

size_t sh_span_left(const sh_span *span)
{
    return span->size - span->at;
}

uint64_t sh_span_offset(const sh_span *span)
{
    return span->base + span->at;
}

const uint8_t *sh_span_bytes(sh_span *span, size_t n)
{
    if (n > sh_span_left(span)) {
        span->at = span->size;
        span->short_ = true;
        return NULL;
    }
    span->at += n;
    return span->data + span->at - n;
}

static uint64_t span_number(sh_span *span, size_t n)
{
    const uint8_t *bytes = sh_span_bytes(span, n);
    uint64_t value = 0;
    for (size_t i = 0; bytes && i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

uint8_t sh_span_u8(sh_span *span)
{
    return (uint8_t)span_number(span, 1);
}

uint16_t sh_span_u16(sh_span *span)
{
    return (uint16_t)span_number(span, 2);
}

uint32_t sh_span_u24(sh_span *span)
{
    return (uint32_t)span_number(span, 3);
}

uint32_t sh_span_u32(sh_span *span)
{
    return (uint32_t)span_number(span, 4);
}

uint64_t sh_span_u64(sh_span *span)
{
    return span_number(span, 8);
}

const char *sh_fourcc_text(uint32_t type, char text[5])
{
    for (int i = 0; i < 4; i++) {
        const char c = (char)(type >> (24 - 8 * i));
        text[i] = c;
        if (c < ' ' || c > '~')
            text[i] = '.';
    }
    text[4] = 0;
    return text;
}

int sh_box_next(sh_box *box, sh_span *parent, bool open_end, sh_err *err)
{
    char name[5];
    const size_t whole = sh_span_left(parent);
    sh_span span = sh_span_make(parent->data + parent->at, whole, sh_span_offset(parent));
    if (whole == 0)
        return 0;
    uint64_t size = sh_span_u32(&span);
    const uint32_t type = sh_span_u32(&span);
    if (size == 1)
        size = sh_span_u64(&span);
    else if (size == 0 && open_end)
        size = whole;
    if (type == SH_FOURCC('u', 'u', 'i', 'd'))
        sh_span_bytes(&span, 16);
    if (span.short_)
        return sh_fail(err, SH_E_FORMAT, "byte %llu: %zu bytes are too few for a box",
                       (unsigned long long)span.base, whole);
    if (size < span.at || size > whole)
        return sh_fail(err, SH_E_FORMAT, "box %s at byte %llu tells %llu bytes where %zu to %zu can be",
                       sh_fourcc_text(type, name), (unsigned long long)span.base, (unsigned long long)size,
                       span.at, whole);
    *box = (sh_box){.type = type, .offset = span.base, .size = size};
    box->body = sh_span_make(span.data + span.at, (size_t)size - span.at, sh_span_offset(&span));
    parent->at += (size_t)size;
    return 1;
}

int sh_box_full(sh_box *box, uint8_t max_version, uint8_t *version, uint32_t *flags, sh_err *err)
{
    char name[5];
    const uint8_t told = sh_span_u8(&box->body);
    const uint32_t bits = sh_span_u24(&box->body);
    if (box->body.short_)
        return sh_fail(err, SH_E_FORMAT, "box %s at byte %llu: no room for its version",
                       sh_fourcc_text(box->type, name), (unsigned long long)box->offset);
    if (told > max_version)
        return sh_fail(err, SH_E_FORMAT, "box %s at byte %llu: version %d is not known",
                       sh_fourcc_text(box->type, name), (unsigned long long)box->offset, told);
    *version = told;
    *flags = bits;
    return 0;
}

static void put_number(sh_buf *out, uint64_t value, size_t n)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
    sh_buf_append(out, bytes, n);
}

void sh_put_u8(sh_buf *out, uint8_t value)
{
    put_number(out, value, 1);
}

void sh_put_u16(sh_buf *out, uint16_t value)
{
    put_number(out, value, 2);
}

void sh_put_u24(sh_buf *out, uint32_t value)
{
    put_number(out, value, 3);
}

void sh_put_u32(sh_buf *out, uint32_t value)
{
    put_number(out, value, 4);
}

void sh_put_u64(sh_buf *out, uint64_t value)
{
    put_number(out, value, 8);
}

void sh_put_zero(sh_buf *out, size_t count)
{
    while (count-- > 0)
        sh_buf_putc(out, 0);
}

void sh_patch_u32(sh_buf *out, size_t place, uint32_t value)
{
    if (out->failed || place > out->length || out->length - place < 4)
        return;
    for (int i = 0; i < 4; i++)
        out->data[place + (size_t)i] = (char)(value >> (24 - 8 * i));
}

size_t sh_box_open(sh_buf *out, uint32_t type)
{
    const size_t place = out->length;
    sh_put_u32(out, 0);
    sh_put_u32(out, type);
    return place;
}

size_t sh_box_open_full(sh_buf *out, uint32_t type, uint8_t version, uint32_t flags)
{
    const size_t place = sh_box_open(out, type);
    sh_put_u8(out, version);
    sh_put_u24(out, flags);
    return place;
}

void sh_box_close(sh_buf *out, size_t place)
{
    sh_patch_u32(out, place, (uint32_t)(out->length - place));
}
