/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_WIRE_H
#define SH_MEDIA_LADDER_WIRE_H
/* What a ladder's child tells its parent beyond numbers: blobs of bytes, cut into SH_MSG_DATA messages, and
 * files asked for by number. Both sides are one program, forked, so structs go as they lie in memory; the
 * parent trusts nothing in them (ladder.c checks each).
 *
 * number[0]: what, number[1]: index, number[2]: place in the blob, number[3]: size of the whole, number[4]:
 * bytes in this message's text. Only one thread of the child sends them. */
#include "base/buf.h"
#include "media/ladder.h"
#include "media/sandbox.h"

enum {
    SH_WIRE_TRACK = 1, /* index: output; a sh_ladder_track without segments and keys. May come again */
    SH_WIRE_FACTS,     /* text */
    SH_WIRE_SEGMENT,   /* index: output; a sh_ladder_segment, then its keys */
    SH_WIRE_COMMIT,    /* all of a segment has been told; a sh_wire_commit */
    SH_WIRE_SIZE,      /* index: output; sh_wire_size */
    SH_WIRE_STILLS,    /* an array of sh_still, microseconds */
    SH_WIRE_RESULT     /* a sh_wire_result */
};

#define SH_WIRE_MAX (16u << 20)  /* bytes of a blob */
#define SH_WIRE_SYNC INT64_C(-1) /* asked for as a file: sync what was opened; the answer is to be closed */

typedef struct sh_wire_commit {
    int64_t segments, frames;
    bool resumed; /* a run before made it */
} sh_wire_commit;

typedef struct sh_wire_size {
    int role; /* INIT or WHOLE */
    int64_t bytes;
} sh_wire_size;

typedef struct sh_wire_result {
    double duration;
    int64_t frames, width, height, out_width, out_height, redone, checked, damages;
    bool resumed;
    sh_report_sums sums;
} sh_wire_result;

int sh_wire_send(int channel, int what, int index, const void *bytes, size_t size, sh_err *err);

/* The parent's side: collects. 1: `bytes` holds a whole one and *what, *index say which; 0: more is to come;
 * SH_E_INTERNAL. */
int sh_wire_take(sh_buf *bytes, const sh_message *message, int *what, int *index, sh_err *err);

/* A file as the number of SH_MSG_OPEN. */
int64_t sh_wire_file(int output, int role, int64_t number);
/* False: no such number. */
bool sh_wire_file_read(int64_t packed, int *output, int *role, int64_t *number);

#endif
