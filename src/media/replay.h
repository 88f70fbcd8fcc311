/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_REPLAY_H
#define SH_MEDIA_REPLAY_H
/* The part file under a muxer. What the muxer writes goes, by where it goes to and by phase,
 *
 *   below `header`, the bytes written before the first packet: to the file, in every run (the trailer writes
 * there again, and a crash may have come just then). In the header phase they have a CRC32C, which the
 * journal keeps: a muxer that begins differently is found out; between `header` and `committed`: nowhere; it
 * is compared with what the file has; from `committed` on: to the file; from `end` on, in the trailer phase
 * of MP4 and MOV: to memory, since that is the index, whose place is decided when its size is known.
 *
 * The first failure is kept in words; libavformat does not pass them on, nor always stops. */
#include "base/err.h"
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stdint.h>

#define SH_REPLAY_INDEX_MAX (INT64_C(1) << 30) /* bytes of an index in memory */

typedef struct sh_replay {
    int fd;
    const char *name; /* for messages; borrowed */
    AVIOContext *context;
    int64_t position, size; /* size: highest byte written + 1 */
    bool in_header;
    uint32_t header_crc;
    int64_t header, committed;
    int64_t end; /* -1: not in the trailer, or nothing is kept in memory */
    uint8_t *index;
    size_t index_size, index_capacity;
    int64_t index_at; /* where the last run of writes to `index` began that followed one below `end` */
    bool patched;
    sh_err failure;
} sh_replay;

/* committed: 0 where the file is written anew. *replay is zero but for name. */
int sh_replay_open(sh_replay *replay, int fd, int64_t committed, sh_err *err);
void sh_replay_close(sh_replay *replay); /* all-zero is fine */

/* After the header: what is buffered goes out, and header and header_crc are set. */
int sh_replay_header(sh_replay *replay, sh_err *err);
/* Writes out what is buffered; the failure, if there was one. */
int sh_replay_flush(sh_replay *replay, sh_err *err);
/* From here on the trailer is written, its part behind the end to memory. */
void sh_replay_hold(sh_replay *replay);
/* Writes at any place, past all rules. */
int sh_replay_write(sh_replay *replay, const void *bytes, int64_t size, int64_t offset, sh_err *err);

#endif
