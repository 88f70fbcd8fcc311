/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_HLS_CHECK_H
#define SH_STREAM_HLS_CHECK_H
/* Reads a stream back from its folder as a player would, and refuses it at the first fault. The message
 * starts with the name of the rule that is broken ("playlist-endlist: …"), then says file and line or byte.
 *
 * Beside the rules of the playlists (playlist.h) and of the segments (ts.h): every file is there, EXTINF is
 * the distance between the first pictures of two segments within 1 us and one tick (integer durations: half a
 * second), time goes on over every border, the last segment's EXTINF reaches past its last picture, to
 * within 0.1 s of its last audio unit's start or past it, and past the later of them by at most 1 s,
 * BANDWIDTH is not below the measured peak (hls.h) and at most 10 % above it, CODECS agrees with the bytes.
 */
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

#define SH_HLS_CHECK_VARIANTS 64

typedef struct sh_hls_checked_variant {
    int64_t frames, segments, micro; /* pictures, segments, sum of EXTINF in microseconds */
} sh_hls_checked_variant;

typedef struct sh_hls_checked {
    size_t variants;
    sh_hls_checked_variant variant[SH_HLS_CHECK_VARIANTS]; /* in the master playlist's order */
} sh_hls_checked;

int sh_hls_check(sh_hls_checked *out, const char *folder, const char *master, sh_err *err);

#endif
