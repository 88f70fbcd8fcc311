/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_TS_READ_H
#define SH_STREAM_TS_READ_H
/* MPEG transport streams (ISO 13818-1) read into numbers: tables, PES packets and their time stamps,
 * continuity, clock references, and the first bytes of the first access unit. One sh_ts_reader goes through
 * the segments of a rendition in order, because counters and times go on over their borders. Bytes are
 * borrowed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_TS_BYTES 188

typedef enum sh_ts_fault_kind {
    SH_TS_FAULT_NONE,
    SH_TS_FAULT_PACKET,
    SH_TS_FAULT_TABLES,
    SH_TS_FAULT_STREAMS,
    SH_TS_FAULT_CONTINUITY,
    SH_TS_FAULT_PES,
    SH_TS_FAULT_TIME,
    SH_TS_FAULT_PCR,
    SH_TS_FAULT_SCRAMBLED,
} sh_ts_fault_kind;

typedef struct sh_ts_fault {
    sh_ts_fault_kind kind;
    int64_t byte; /* in the segment */
    char words[160];
} sh_ts_fault;

enum { SH_TS_HEAD_MOST = 65536 };

enum { SH_TS_ADTS_HEAD = 7 };

/* Frames of AAC are counted as they pass: a PES packet holds many, and tells the time of the first alone. */
typedef struct sh_ts_adts {
    uint8_t head[SH_TS_ADTS_HEAD]; /* of the next frame, as far as it has come */
    size_t length;
    size_t skip;     /* bytes of the frame in hand that are to come */
    bool before;     /* that head began in the PES packet before */
    int64_t samples; /* of the frames that begin in this PES packet */
    int rate;
    bool lost; /* what came is no ADTS */
} sh_ts_adts;

typedef struct sh_ts_stream {
    int pid;  /* -1: none */
    int type; /* stream_type */
    int64_t units;
    int64_t first, last;         /* least and greatest PTS of this segment, wraps undone */
    int64_t first_dts, last_dts; /* of this segment, in its order */
    int64_t shortest;            /* least distance of two DTS that follow one another, 0: none */
    int64_t before;              /* last DTS of all that was read; INT64_MIN: none */
    int64_t before_pts;          /* greatest PTS of the segment before */
    int64_t lasts; /* ADTS: ticks of the frames that begin in the last PES packet; 0: not known */
    sh_ts_adts adts;
    uint8_t head[SH_TS_HEAD_MOST]; /* of the segment's first access unit */
    size_t head_length;
    bool head_done;
} sh_ts_stream;

typedef struct sh_ts_reader {
    sh_ts_stream video, audio;
    int pmt_pid, pcr_pid;
    int64_t pcr;  /* the last, 27 MHz / 300; INT64_MIN: none */
    bool clocked; /* this segment had one */
    uint8_t continuity[8192];
    bool pat, pmt;
    sh_ts_fault fault; /* the first of this segment */
    int64_t byte;      /* being read */
} sh_ts_reader;

void sh_ts_reader_init(sh_ts_reader *ts); /* large: keep it on the heap */
/* After a discontinuity: counters and times begin anew. */
void sh_ts_reader_break(sh_ts_reader *ts);
/* Sample rate that an ADTS header tells, 0: none; its first three bytes are looked at. */
int sh_ts_adts_rate(const uint8_t *head);
/* Reads one segment; false: ts->fault says what is wrong. What could be read up to there is told. */
bool sh_ts_reader_segment(sh_ts_reader *ts, const uint8_t *bytes, size_t size);

#endif
