/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_API_S3_PART_H
#define SH_API_S3_PART_H
/* The parts that a finished object was made of: sh_object.parts. */
#include "cloud/api/s3.h"

typedef struct sh_s3_part {
    int64_t number;
    int64_t first; /* byte of the object */
    int64_t length;
    const char *checksum; /* "crc32=…", or NULL */
} sh_s3_part;

/* What to keep as sh_object_new.parts, in the arena; NULL: no memory. */
const char *sh_s3_parts_text(sh_s3 *s3, const sh_part *parts, size_t count);
/* *count is 0 for an object that was written in one. False after having answered. */
bool sh_s3_parts_read(sh_s3 *s3, const sh_object *object, sh_s3_part **out, size_t *count);
/* The number that the query names. False after having answered. */
bool sh_s3_part_number(sh_s3 *s3, int64_t *number);
/* The part that the query names; number 1 of an object written in one is all of it, and *count then 0. False
 * after having answered. */
bool sh_s3_part_find(sh_s3 *s3, const sh_object *object, sh_s3_part *out, size_t *count);

#endif
