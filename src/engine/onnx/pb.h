/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_ENGINE_ONNX_PB_H
#define SH_ENGINE_ONNX_PB_H
/* The protobuf wire format, read in place: a cursor over a slice of the file gives one field after another. A
 * nested message is another cursor over a part of the same bytes, so nothing is copied, nothing recurses, and
 * every error can name the byte of the file at which it stands. Groups (wire types 3 and 4), which ONNX does
 * not use, are refused. */
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

enum { SH_PB_VARINT = 0, SH_PB_FIXED64 = 1, SH_PB_BYTES = 2, SH_PB_FIXED32 = 5 };

/* Bytes [at, end) of the file that begins at `file`. */
typedef struct sh_pb {
    const uint8_t *file;
    size_t at;
    size_t end;
} sh_pb;

typedef struct sh_pb_field {
    uint32_t number;
    int wire;
    uint64_t value; /* of a varint or a fixed field */
    sh_pb body;     /* of SH_PB_BYTES; empty otherwise */
    size_t offset;  /* of its tag in the file */
} sh_pb_field;

/* Text inside the file, not terminated. */
typedef struct sh_text {
    const char *data;
    size_t length;
} sh_text;

/* 1 and *field, 0 at the end of the slice, or a negative status. */
int sh_pb_next(sh_pb *pb, sh_pb_field *field, sh_err *err);
/* One bare varint, as packed repeated fields hold them. 0 or a negative status. */
int sh_pb_varint(sh_pb *pb, uint64_t *value, sh_err *err);
/* How many fields of that number the slice has, or a negative status; more than `maximum` is SH_E_LIMIT. */
int sh_pb_count(sh_pb pb, uint32_t number, int maximum, const char *what, sh_err *err);
/* SH_E_FORMAT unless the field has that wire type. */
int sh_pb_expect(const sh_pb_field *field, int wire, const char *what, sh_err *err);
sh_text sh_pb_text(const sh_pb_field *field);
float sh_pb_float(uint64_t bits);

static inline size_t sh_pb_left(const sh_pb *pb)
{
    return pb->end - pb->at;
}

/* Text as a message may show it: at most SH_TEXT_SHOWN - 1 bytes, anything but printable ASCII as '?'. */
#define SH_TEXT_SHOWN 72
typedef struct sh_shown {
    char text[SH_TEXT_SHOWN];
} sh_shown;
sh_shown sh_text_show(sh_text text);
int sh_text_is(sh_text text, const char *word);
int sh_text_same(sh_text a, sh_text b);

#endif
