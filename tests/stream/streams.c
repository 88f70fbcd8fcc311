/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "streams.h"

#include <stdio.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wformat-nonliteral"

void test_stream_segments(test_stream *t, size_t n, const char *pattern, size_t count, int64_t duration,
                          int64_t last, int64_t bytes)
{
    for (size_t i = 0; i < count; i++) {
        snprintf(t->names[n][i], sizeof(t->names[n][i]), pattern, (int)i + 1);
        t->segments[n][i] = (sh_stream_segment){.name = t->names[n][i],
                                                .start = (int64_t)i * duration,
                                                .duration = i + 1 < count ? duration : last,
                                                .bytes = bytes + (int64_t)i * 1000};
    }
    t->tracks[n].segments = t->segments[n];
    t->tracks[n].segment_count = count;
}

static void add_keys(test_stream *t, size_t n)
{
    for (size_t i = 0; i < t->tracks[n].segment_count; i++) {
        sh_stream_segment *s = &t->segments[n][i];
        t->keys[n][i][0] = (sh_stream_key){s->start, 24, 5000};
        t->keys[n][i][1] = (sh_stream_key){s->start + 60060, 40000, 4000};
        s->keys = t->keys[n][i];
        s->key_count = 2;
    }
}

#define FOLDER "0123456789abcdef/"

static const sh_stream_track pictures = {.kind = SH_STREAM_VIDEO,
                                         .iframes = "iframes.m3u8",
                                         .init = "init.mp4",
                                         .timescale = 30000,
                                         .sar_num = 1,
                                         .sar_den = 1,
                                         .rate_num = 30000,
                                         .rate_den = 1001,
                                         .has_colour = true,
                                         .colour = {1, 1, 1, false}};

static const sh_stream_track sound = {.kind = SH_STREAM_AUDIO,
                                      .init = "init.mp4",
                                      .timescale = 48000,
                                      .priming = 1024,
                                      .codecs = "mp4a.40.2",
                                      .channels = 2,
                                      .sample_rate = 48000};

static void add_pictures(test_stream *t, size_t n, const char *id, const char *folder, const char *codecs,
                         int width, int height, int64_t bytes)
{
    sh_stream_track *track = &t->tracks[n];
    *track = pictures;
    track->id = id;
    track->folder = folder;
    track->codecs = codecs;
    track->width = width;
    track->height = height;
    test_stream_segments(t, n, "seg_%05d.m4s", 2, 180180, 180180, bytes);
    add_keys(t, n);
}

void test_stream_make(test_stream *t)
{
    memset(t, 0, sizeof(*t));
    add_pictures(t, 0, "v0", FOLDER "v0", "avc1.64001e", 640, 360, 700000);
    add_pictures(t, 1, "v1", FOLDER "v1", "avc1.640015", 320, 180, 300000);
    t->tracks[2] = t->tracks[3] = sound;
    t->tracks[2].id = "a0";
    t->tracks[2].folder = FOLDER "a0";
    t->tracks[2].language = "eng";
    t->tracks[2].is_default = true;
    t->tracks[3].id = "a1";
    t->tracks[3].folder = FOLDER "a1";
    t->tracks[3].language = "ger";
    t->tracks[3].role = SH_STREAM_DESCRIPTION;
    test_stream_segments(t, 2, "seg_%05d.m4s", 2, 288768, 288768, 96000);
    test_stream_segments(t, 3, "seg_%05d.m4s", 2, 288768, 288768, 97000);
    t->tracks[4] = (sh_stream_track){.kind = SH_STREAM_TEXT,
                                     .id = "s0",
                                     .folder = FOLDER "s0",
                                     .whole = "all.vtt",
                                     .timescale = 30000,
                                     .language = "fra",
                                     .role = SH_STREAM_CAPTION};
    test_stream_segments(t, 4, "seg_%05d.vtt", 2, 180180, 180180, 100);
    t->tracks[5] = (sh_stream_track){.kind = SH_STREAM_SHEETS,
                                     .id = "t0",
                                     .folder = FOLDER "thumbs",
                                     .timescale = 1,
                                     .sheets = {2, 2, 160, 90, 2, 6}};
    test_stream_segments(t, 5, "sprite_%03d.jpg", 2, 8, 4, 30000);
    t->stream = (sh_stream){.tracks = t->tracks, .track_count = 6, .title = "A <film> & \"more\""};
}

int test_stream_write(sh_buf *out, const test_stream *t, int what, size_t track, sh_err *err)
{
    switch (what) {
    case MASTER:
        return sh_hls_master(out, &t->stream, err);
    case MEDIA:
        return sh_hls_media(out, &t->stream, &t->tracks[track], err);
    case IFRAMES:
        return sh_hls_iframes(out, &t->stream, &t->tracks[track], err);
    default:
        return sh_dash_mpd(out, &t->stream, err);
    }
}
