/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_STREAM_MANIFEST_H
#define SH_STREAM_MANIFEST_H
/* Manifests written from measured numbers: HLS (RFC 8216, 8216bis, Apple's authoring specification) and DASH
 * (ISO 23009-1, isoff-live profile).
 *
 * A sh_stream is a plain description of a stream that is finished, or grows: tracks, each with the segments
 * that lie on disk. Nothing here is asked of an encoder or guessed: durations are the ticks of the boxes, bit
 * rates come from sizes and durations, CODECS from the configuration record. All memory is the caller's and
 * is only read; all-zero fields mean "not known" or the default said beside them. HLS and DASH name the same
 * files. Writers append to a buffer; its maximum bounds them. What contradicts itself is SH_E_ARGUMENT with
 * the track and the segment; the buffer may hold a part then.
 *
 * Times. `start` and `duration` of a segment are what its boxes say: tfdt, and the sum of sample durations.
 * An audio track begins with `priming` ticks that its edit list skips; what is presented is (time - priming),
 * not below 0. Manifests speak of presented time: EXTINF and S@d of an audio track's first segment are
 * shorter than its boxes by the priming, S@t of the others is tfdt - priming. So the sum of all EXTINF is
 * the presented duration, and both manifests agree with each other and with what a player shows. Transport
 * streams have priming 0 and their first PTS as start.
 * A segment begins where the one before it ends (text tracks included), else SH_E_ARGUMENT.
 *
 * Names. URIs are relative to where the manifest lies: master playlist and MPD name `folder`/file, a media
 * playlist lies in its track's folder and names files alone. Names are UTF-8 file names and are
 * percent-encoded here; '/' separates folders in `folder` and is refused in a file name. */
#include "base/buf.h"
#include "base/err.h"
#include "stream/codec_config.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A key picture (an I-frame playlist is made of them). */
typedef struct sh_stream_key {
    int64_t time; /* ticks, as the segment's start */
    int64_t
        offset;   /* first byte: of its moof; of its first transport packet, PAT and PMT before it included */
    int64_t size; /* to the end of the key picture */
} sh_stream_key;

typedef struct sh_stream_segment {
    const char *name;          /* file name */
    int64_t start, duration;   /* ticks; duration > 0 */
    int64_t bytes;             /* > 0 */
    const sh_stream_key *keys; /* video; in order of time, the first at `start`; NULL: none known */
    size_t key_count;
} sh_stream_segment;

typedef enum sh_stream_kind {
    SH_STREAM_VIDEO, /* may hold audio too (transport stream); codecs then names both */
    SH_STREAM_AUDIO,
    SH_STREAM_TEXT,  /* WebVTT */
    SH_STREAM_SHEETS /* sprite sheets of thumbnails, JPEG */
} sh_stream_kind;

typedef enum sh_stream_role {
    SH_STREAM_MAIN,
    SH_STREAM_ALTERNATE,
    SH_STREAM_COMMENTARY,
    SH_STREAM_DUB,
    SH_STREAM_DESCRIPTION, /* audio that describes the picture */
    SH_STREAM_SUBTITLE,    /* text, what MAIN is taken for there */
    SH_STREAM_CAPTION,     /* text for the deaf: dialogue, music and sounds */
    SH_STREAM_FORCED,      /* text shown always: foreign dialogue, signs */
} sh_stream_role;

/* Grid of thumbnails; sheet n (from 0) shows the thumbnails n * columns * rows and on. */
typedef struct sh_stream_sheets {
    int columns, rows;           /* of one sheet */
    int tile_width, tile_height; /* pixels */
    int64_t interval;            /* ticks from one thumbnail to the next */
    int64_t count; /* thumbnails in all; every sheet is a whole grid, blank after the last one */
} sh_stream_sheets;

typedef struct sh_stream_track {
    sh_stream_kind kind;
    sh_stream_role role;
    const char *id;       /* unique among the tracks: "v0"; letters, digits, '-', '_', '.' (DASH's
                             Representation@id) */
    const char *folder;   /* relative to master playlist and MPD; NULL or "": beside them */
    const char *playlist; /* its media playlist's file name; NULL: "index.m3u8" */
    const char *iframes;  /* its I-frame playlist's file name; NULL: none */
    const char *init;     /* initialisation segment's file name; NULL: segments need none (TS, text) */
    const char *whole;    /* text: the one file of all cues that DASH names; NULL: not in the MPD */
    int64_t timescale;    /* ticks a second, 1 to 10^9 */
    int64_t priming;      /* audio: ticks skipped by the edit list */
    const sh_stream_segment *segments;
    size_t segment_count; /* > 0 */

    const char *codecs; /* RFC 6381 (sh_codecs_string); of audio and video; video + audio by a comma */
    int width, height;  /* coded and shown */
    int sar_num, sar_den;
    int rate_num, rate_den; /* pictures a second; of VFR the highest or nominal; 0/1: not told */
    bool has_colour;
    sh_cicp colour;
    int channels, sample_rate;
    sh_stream_sheets sheets;

    const char *language;    /* BCP 47, or ISO 639-2 as in containers ("eng" is written "en"); NULL: "und" */
    const char *label;       /* for people; NULL: made from language and role; made unique in its group */
    bool is_default;         /* at most one a group; none at all: the first of audio, none of text */
    const char *group;       /* audio: HLS group, one a quality ("aac-128"), every language in each;
                                NULL: "audio". Text is one group */
    const char *audio_group; /* video: plays with this group alone; NULL: with every group */
} sh_stream_track;

enum { SH_EXTINF_DECIMAL, SH_EXTINF_INTEGER };

typedef struct sh_stream {
    const sh_stream_track *tracks; /* in the order of the manifests; see first_rate */
    size_t track_count;
    bool growing;   /* EVENT playlists without an end, a dynamic MPD */
    int durations;  /* SH_EXTINF_DECIMAL or SH_EXTINF_INTEGER: EXTINF */
    int64_t target; /* least EXT-X-TARGETDURATION in seconds; a growing stream's playlists keep the same
                       one: give what no segment will exceed when rounded. 0: from the segments */
    int64_t media_sequence; /* EXT-X-MEDIA-SEQUENCE of the first segment */
    int64_t first_rate;     /* HLS: the variant with the highest BANDWIDTH up to this (else the lowest) comes
                               first, as the one players begin with; 0: as given */
    bool captions_unsaid;   /* leave CLOSED-CAPTIONS=NONE out (else every variant says it) */
    /* Wall clock of presentation time 0 (milliseconds since 1970): EXT-X-PROGRAM-DATE-TIME where date_every >
     * 0; availabilityStartTime of a dynamic MPD (obligatory there, and the same in all of a stream's MPDs).
     * Players take no segment that ends after their clock: what is made faster than it plays begins as much
     * before the making as the film lasts. */
    int64_t epoch_ms;
    int64_t date_every;    /* seconds between EXT-X-PROGRAM-DATE-TIME; 0: none */
    int64_t now_ms;        /* dynamic MPD: publishTime, clock for players */
    int64_t min_buffer_ms; /* MPD@minBufferTime at least; 0: the longest segment */
    const char *title;     /* MPD ProgramInformation; NULL: none */
} sh_stream;

/* Multivariant playlist. Variants: every video track with every audio group it plays with (or every audio
 * group's first track where there is no video). SH_E_ARGUMENT without any. */
int sh_hls_master(sh_buf *out, const sh_stream *stream, sh_err *err);
/* Media playlist of a video, audio or text track of the stream. */
int sh_hls_media(sh_buf *out, const sh_stream *stream, const sh_stream_track *track, sh_err *err);
/* I-frame playlist of a video track whose segments all have keys. */
int sh_hls_iframes(sh_buf *out, const sh_stream *stream, const sh_stream_track *track, sh_err *err);
/* MPD. Segments of CMAF tracks must be named prefix + number + suffix, the number going up by one (any
 * padding with zeroes to a fixed width); transport-stream tracks are SH_E_UNSUPPORTED. A text track is there
 * with its `whole` file, once the stream does not grow any more. */
int sh_dash_mpd(sh_buf *out, const sh_stream *stream, sh_err *err);

/* ---- what was measured ---- */

/* EXT-X-TARGETDURATION of all video and audio playlists: the longest presented segment, rounded to whole
 * seconds (so no rounded EXTINF exceeds it), at least stream->target and 1. */
int64_t sh_stream_target(const sh_stream *stream);
/* Bits a second, rounded up, of presented time. Peak: of any run of segments that lasts half to one and a
 * half target durations (RFC 8216, 4.1); without such a run the average. */
int64_t sh_stream_peak(const sh_stream *stream, const sh_stream_track *track);
int64_t sh_stream_average(const sh_stream_track *track);
/* The same of the I-frame playlist. */
int64_t sh_stream_key_peak(const sh_stream *stream, const sh_stream_track *track);
int64_t sh_stream_key_average(const sh_stream_track *track);
/* The presented end of the track, in its ticks. */
int64_t sh_stream_end(const sh_stream_track *track);
/* Presented start of segment n (n = segment_count: the end), in ticks. */
int64_t sh_stream_time(const sh_stream_track *track, size_t n);

/* "SDR", "PQ" or "HLG". */
const char *sh_stream_range(const sh_stream_track *track);
/* The shortest BCP 47 form ("eng" -> "en", "pt-br" -> "pt-BR"); "" where it is none or undetermined. text:
 * at least 36 bytes. */
void sh_language_tag(char *text, size_t size, const char *language);

#endif
