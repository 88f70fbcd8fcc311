/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_TESTS_STREAM_MAKETEST_H
#define SH_TESTS_STREAM_MAKETEST_H
/* Small streams made byte by byte, right or with one fault. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAKE_MAX 65536

typedef struct maker {
    uint8_t bytes[MAKE_MAX];
    size_t length;
    uint8_t continuity[8192];
} maker;

void make_reset(maker *m); /* a new segment; continuity goes on */
void make_pat(maker *m);
void make_pmt(maker *m, bool audio);
/* One access unit. kind: 5 IDR with parameter sets, 1 another picture, 6 IDR without parameter sets. */
void make_video(maker *m, int64_t pts, int kind);
void make_audio(maker *m, int64_t pts);
/* PAT, PMT, an IDR and `frames` - 1 other pictures from `pts` on, 3600 ticks apart, with sound if asked for.
 */
void make_segment(maker *m, int64_t pts, int frames, bool audio);
void make_write(const maker *m, const char *folder, const char *name);

#endif
