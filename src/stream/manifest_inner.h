/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_MANIFEST_INNER_H
#define SH_STREAM_MANIFEST_INNER_H
/* What the writers of manifests share: the checks of a description, whose success all other code here relies
 * on, names, and measures. */
#include "stream/manifest.h"

#define SH_MANIFEST_TRACKS 256

/* The whole description: every track, ids and playlists unique. */
int sh_manifest_check(const sh_stream *stream, sh_err *err);
int sh_manifest_check_track(const sh_stream_track *track, sh_err *err);

/* folder/name as a relative URI. `dollar`: '$' is written "$$" (a template of DASH). */
void sh_manifest_uri(sh_buf *out, const char *folder, const char *name, bool dollar);
const char *sh_manifest_playlist(const sh_stream_track *track);

/* Rounded up; saturates. b > 0. */
int64_t sh_divide_up(__int128 a, int64_t b);
/* Presented duration of segment n, in ticks. */
int64_t sh_manifest_duration(const sh_stream_track *track, size_t n);
/* The longest presented segment in whole seconds; at least 1. */
int64_t sh_manifest_longest(const sh_stream_track *track);
/* Ticks in whole seconds, rounded half up. */
int64_t sh_manifest_seconds(int64_t ticks, int64_t timescale);
/* Of the I-frame playlist: duration of the key n of segment i; the longest in whole seconds. */
int64_t sh_manifest_key_duration(const sh_stream_track *track, size_t i, size_t n);
int64_t sh_manifest_key_target(const sh_stream *stream, const sh_stream_track *track);
/* All segments have keys. */
bool sh_manifest_has_keys(const sh_stream_track *track);
/* The least rate at which a client that waits `buffer_ms` after it begins to load any segment is never short
 * of bytes (ISO 23009-1, @bandwidth), and no less than the peak. */
int64_t sh_manifest_bandwidth(const sh_stream *stream, const sh_stream_track *track, int64_t buffer_ms);

/* What stands before the first comma, or all. Bytes of it. */
size_t sh_manifest_codec_length(const char *codecs);
/* The name for people: label, or language and role. Not made unique. */
void sh_manifest_label(char *text, size_t size, const sh_stream_track *track);

#endif
