/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_REPORT_H
#define SH_MEDIA_REPORT_H
/* What became of every frame, out of the journal: sums, and a JSON file for `--report`.
 *
 *     {"spyhop": "0.1.0", "input": ..., "output": ..., "model": ...,
 *      "time_base_in": "1/90000", "time_base_out": "1/90000",
 *      "columns": ["source", "packet", "time_in", "output", "time_out", "fate", "marks"],
 *      "pieces": [{"piece": 1, "first_frame": 1, "frames": 250, "first_source": 1, "source_frames": 250,
 *                  "bytes": 81234, "offset": 82345, "duplicates": 0, "made_by": "none", "reason": "",
 *                  "ledger": [[1, 1, 0, 1, 0, "kept", ""], ...]}, ...],
 *      "summary": {...}}
 *
 * Frames, packets and pieces are counted from 1; null stands for what there is not. `output` is the first
 * frame of the output that shows the source's frame. Marks are "concealed", "time made", "adapted", with
 * commas between. One piece is in memory at a time. */
#include "base/err.h"
#include "media/journal.h"
#include "media/ledger.h"
#include <libavutil/rational.h>

typedef struct sh_report_sums {
    int64_t pieces, frames_in, frames_out, packets_lost; /* lost: without a frame */
    int64_t duplicates;                                  /* frames of the output not made twice */
    int64_t fates[SH_FATES];
    int64_t concealed, times_made, adapted;
    int64_t scalar, classic; /* pieces that a fallback made */
} sh_report_sums;

/* SH_E_INTERNAL where the pieces do not join: a frame of the source or of the output is in none or in two. */
int sh_report_sum(sh_journal *journal, sh_report_sums *sums, sh_err *err);

typedef struct sh_report {
    const char *input, *output, *model; /* as shown */
    AVRational in, out;                 /* time bases */
    sh_report_sums sums;
} sh_report;

/* Replaces the file at `path`, whole or not at all. */
int sh_report_write(const char *path, sh_journal *journal, const sh_report *report, sh_err *err);

#endif
