/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_TS_H
#define SH_STREAM_TS_H
/* What a checker needs to know of an MPEG transport stream (ISO 13818-1): tables, access units counted by
 * their PES packets, their presentation times, continuity, and how the first access unit begins. One sh_ts
 * goes through the segments of a rendition in order, so that what must go on across a border is seen to. */
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_TS_PACKET 188
#define SH_TS_HEAD 8192

typedef struct sh_ts_track {
    int pid; /* -1: none */
    int stream_type;
    int64_t units;       /* PES packets of this segment */
    int64_t first, last; /* least and greatest PTS of this segment, 33 bit wrap undone */
    int64_t previous;    /* last PTS seen at all, INT64_MIN: none */
} sh_ts_track;

typedef struct sh_ts {
    sh_ts_track video, audio;
    uint8_t continuity[8192]; /* last counter by PID, | 0x80 when set */
    /* of the segment being read */
    bool pat, pmt;
    int pmt_pid;
    uint8_t head[SH_TS_HEAD]; /* the first video access unit's first bytes */
    size_t head_length;
    bool head_done;
    uint8_t sps[4]; /* of the first access unit, if it has one */
    bool idr;       /* the first access unit is an IDR picture and has parameter sets */
    int64_t packets;
} sh_ts;

void sh_ts_init(sh_ts *ts);
/* Reads one segment. descriptor: at its start. SH_E_FORMAT with the byte and the rule that is broken. */
int sh_ts_read_segment(sh_ts *ts, int descriptor, sh_err *err);

#endif
