/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_RECORD_H
#define SH_MEDIA_LADDER_RECORD_H
/* What a ladder's journal holds of a segment, in the place that sh_journal_piece has for its caller: the
 * ledger of its frames, where the clock and the audio stood behind it, the videos' configuration, and a row
 * for each file that was written. All numbers are 64 bits, little-endian, in the order of the struct. A
 * record is input from outside: every number is checked. */
#include "base/buf.h"
#include "media/ladder.h"
#include "media/ledger.h"
#include "media/still.h"

#define SH_RECORD_CAPTIONS_MAX (8u << 20)

typedef struct sh_record_row {
    sh_ladder_file file;
    sh_ladder_segment segment;
    sh_ladder_key *keys; /* owned; segment.key_count of them */
} sh_record_row;

typedef struct sh_record {
    int64_t first_pts, zero_us;        /* of the presentation */
    int64_t start, last, end;          /* ticks of the segment */
    int64_t sound[SH_LADDER_AUDIOS];   /* packets so far */
    int64_t taken[SH_LADDER_CAPTURES]; /* number of the next picture of each capture */
    int64_t tiles[SH_LADDER_CAPTURES]; /* of sprite sheets */
    struct {
        uint8_t bytes[SH_LADDER_CONFIG];
        size_t size;
    } config[SH_LADDER_VIDEOS]; /* extradata */
    int video_count;
    int64_t shown; /* pictures that the videos got, so far */
    /* closed captions of the segment: for each picture that has any its time (64 bits), their size (64 bits)
     * and bytes. Owned, but when it is written */
    char *captions;
    size_t captions_size;
    sh_stills stills;    /* of the segment, ticks. Owned, but when it is written */
    sh_record_row *rows; /* owned */
    size_t row_count, row_capacity;
    sh_ledger ledger; /* owned */
} sh_record;

/* SH_E_MEMORY. The ledger is written as it is. */
int sh_record_write(const sh_record *record, const sh_ledger *ledger, sh_buf *bytes);
/* *record (all-zero before) is to be freed when it succeeds. SH_E_FORMAT. */
int sh_record_read(sh_record *record, const void *bytes, size_t size, sh_err *err);
/* Takes `keys` (malloc) over in any case. */
int sh_record_add(sh_record *record, const sh_ladder_file *file, const sh_ladder_segment *segment,
                  sh_ladder_key *keys, sh_err *err);
void sh_record_free(sh_record *record); /* all-zero is fine, and is what is left */

/* The parent's, before the child: cuts the journal in front of the first segment with a file that is not
 * there as the record says. */
int sh_record_verify(const sh_ladder_job *job, sh_err *err);

#endif
