/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_BOX_H
#define SH_STREAM_BOX_H
/* ISO base media boxes (ISO 14496-12, 4.2) in memory.
 *
 * Reading: a sh_span is a run of bytes with a read position and the offset of its first byte in the file, for
 * messages. A read past its end sets `short_` and gives 0, so that a run of reads needs one check at its end.
 * sh_box_next cuts the next box out of a span as a span of its own; a box can never reach past its parent.
 *
 * Writing: sh_box_open appends a header and gives its place, sh_box_close sets the size afterwards. */
#include "base/buf.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_FOURCC(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

typedef struct sh_span {
    const uint8_t *data; /* borrowed */
    size_t size, at;     /* at: read position, <= size */
    uint64_t base;       /* offset of data[0] in its file */
    bool short_;         /* something was read past the end */
} sh_span;

typedef struct sh_box {
    uint32_t type;
    uint64_t offset; /* of its header in the file */
    uint64_t size;   /* header and payload */
    sh_span body;    /* payload, read position 0; of a 'uuid' box after the 16 bytes */
} sh_box;

sh_span sh_span_make(const uint8_t *data, size_t size, uint64_t base);
uint8_t sh_span_u8(sh_span *span);
uint16_t sh_span_u16(sh_span *span);
uint32_t sh_span_u24(sh_span *span);
uint32_t sh_span_u32(sh_span *span);
uint64_t sh_span_u64(sh_span *span);
/* The next n bytes, or NULL (and short_). */
const uint8_t *sh_span_bytes(sh_span *span, size_t n);
size_t sh_span_left(const sh_span *span);
uint64_t sh_span_offset(const sh_span *span); /* of the next byte in the file */

/* 1: *box is the next box and the span stands after it; 0: the span's end; SH_E_FORMAT: a size that is below
 * the header's or reaches past the span (a box of size 0, "to the end", is taken only where `open_end`). */
int sh_box_next(sh_box *box, sh_span *parent, bool open_end, sh_err *err);
/* Version and flags of a full box. SH_E_FORMAT where its version is above `max_version`. */
int sh_box_full(sh_box *box, uint8_t max_version, uint8_t *version, uint32_t *flags, sh_err *err);
/* "moov" of a type, for messages; what is not printable becomes '.'. */
const char *sh_fourcc_text(uint32_t type, char text[5]);

size_t sh_box_open(sh_buf *out, uint32_t type);
size_t sh_box_open_full(sh_buf *out, uint32_t type, uint8_t version, uint32_t flags);
void sh_box_close(sh_buf *out, size_t place);
void sh_put_u8(sh_buf *out, uint8_t value);
void sh_put_u16(sh_buf *out, uint16_t value);
void sh_put_u24(sh_buf *out, uint32_t value);
void sh_put_u32(sh_buf *out, uint32_t value);
void sh_put_u64(sh_buf *out, uint64_t value);
void sh_put_zero(sh_buf *out, size_t count);
/* Overwrites four bytes that were appended before; nothing where the buffer failed. */
void sh_patch_u32(sh_buf *out, size_t place, uint32_t value);

#endif
