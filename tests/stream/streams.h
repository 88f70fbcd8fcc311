/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_STREAM_STREAMS_H
#define TESTS_STREAM_STREAMS_H
/* Descriptions of streams to write manifests of. */
#include "stream/manifest.h"

#define STREAM_TRACKS 8
#define STREAM_SEGMENTS 16

typedef struct test_stream {
    sh_stream stream;
    sh_stream_track tracks[STREAM_TRACKS];
    sh_stream_segment segments[STREAM_TRACKS][STREAM_SEGMENTS];
    sh_stream_key keys[STREAM_TRACKS][STREAM_SEGMENTS][2];
    char names[STREAM_TRACKS][STREAM_SEGMENTS][64];
} test_stream;

/* Two segments of 6.006 s of pictures at 30000/1001 in 640x360 and 320x180 with two keys each, English audio
 * and German description at 48 kHz with 1024 samples of priming, French captions, six thumbnails on two
 * sheets. `*t` has to stay where it is. */
void test_stream_make(test_stream *t);
/* Gives track n `count` segments, named by the pattern and their number from 1, all of one duration but the
 * last. */
void test_stream_segments(test_stream *t, size_t n, const char *pattern, size_t count, int64_t duration,
                          int64_t last, int64_t bytes);

/* The kinds of manifest, and one of them (of that track, where it is of a track). */
enum { MASTER, MEDIA, IFRAMES, MPD };
int test_stream_write(sh_buf *out, const test_stream *t, int what, size_t track, sh_err *err);

#endif
