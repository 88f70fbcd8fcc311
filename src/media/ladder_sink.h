/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_SINK_H
#define SH_MEDIA_LADDER_SINK_H
/* Where the committed packets of a ladder become files, in the child.
 *
 * A sink is one output: one kind of container with the tracks that go into it.
 *
 *     CMAF   one track. A header (SH_SINK_INIT) and a file a segment (SH_SINK_SEGMENT): styp, then moof and
 *            mdat for each group of pictures
 *     TS     a video track and any number of audio tracks, or audio alone. A file a segment, each with PAT
 *            and PMT in front; one muxer makes them all, so continuity counters and clock go on from file to
 *            file. The presentation's zero lies at SH_SINK_TS_ZERO on the clock of 90 kHz in them
 *     MP4    the same tracks in one file (SH_SINK_WHOLE), its index in front
 *
 * A sink is given whole segments, in order, each with all packets of all its tracks: sh_sink_segment. How the
 * tracks lie between each other in a file is the sink's. Packets come in decoding order with pts and duration
 * in the track's time base, the presentation's zero being 0; dts is not looked at: it is made here, by what
 * each container wants. Video packets are as sh_encoder gives them with global_header set (start codes, no
 * parameter sets), for every kind: TS puts the parameter sets where they belong. The first packet of each
 * segment of video is a key packet and shown first in it. Audio packets are AAC; the first has pts -priming.
 *
 * The sink opens no names: it asks `host` for a descriptor by (file, number), writes, syncs its data, closes
 * it, and then tells what was written. Numbers of segments are those that sh_sink_segment is given.
 *
 * Going on after a crash: a CMAF segment's bytes are a function of its packets, its times and the number of
 * samples before it alone, so a sink may begin with any segment. TS and MP4 begin with the first one
 * (sh_sink_can_resume). */
#include "base/err.h"
#include "stream/codec_config.h"
#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SH_SINK_TS_ZERO INT64_C(900000) /* 10 s: what is shown before zero (priming) has room */
#define SH_SINK_TRACKS 16
#define SH_SINK_FILE_MAX (INT64_C(1) << 40)

typedef enum sh_sink_kind { SH_SINK_CMAF, SH_SINK_TS, SH_SINK_MP4 } sh_sink_kind;

typedef enum sh_sink_file {
    SH_SINK_INIT,    /* number 0 */
    SH_SINK_SEGMENT, /* number as given */
    SH_SINK_WHOLE    /* number 0; needs a descriptor to read and write */
} sh_sink_file;

/* A place in a segment where decoding may begin. */
typedef struct sh_sink_key {
    int64_t time;   /* of its first picture, track 0's time base */
    int64_t offset; /* CMAF: of its moof; TS: of the PAT or of the packet that begins it */
    int64_t size;   /* from offset to the end of the key picture */
    int64_t whole;  /* to the next key's offset or the end */
} sh_sink_key;

typedef struct sh_sink_written {
    sh_sink_file file;
    int64_t number;
    int64_t bytes;
    uint32_t crc;            /* CRC32C of them; MP4: 0 */
    int64_t start, duration; /* of track 0, in its time base. CMAF audio: the samples in the file, priming and
                                all, start counted from the first of them (its tfdt). WHOLE: all */
    int64_t samples;         /* packets of track 0 */
    const sh_sink_key *keys; /* of video; borrowed during the call */
    size_t key_count;
} sh_sink_written;

typedef struct sh_sink_host {
    void *opaque;
    /* A descriptor to write to (SH_SINK_WHOLE: to read too), empty, the sink's to close; or SH_E_*. */
    int (*open)(void *opaque, sh_sink_file file, int64_t number, sh_err *err);
    /* The file is complete and its data synced. */
    int (*written)(void *opaque, const sh_sink_written *written, sh_err *err);
    int channel; /* for log lines; -1: sh_log */
} sh_sink_host;

typedef struct sh_sink_track {
    const AVCodecParameters
        *parameters;       /* with extradata; copied. AAC: extradata is the AudioSpecificConfig */
    AVRational time_base;  /* of its packets. CMAF audio: 1 / sample rate */
    AVRational rate;       /* video: average, {0, 1}: not known */
    AVRational sar;        /* video; {0, 1}: square */
    int delay;             /* video: sh_encoder_delay */
    int64_t step;          /* video: duration of a frame, time_base; > 0 */
    int64_t longest;       /* video in CMAF: that of the longest, as far as it is known; 0: step */
    int priming;           /* audio: samples before the first that is heard */
    int64_t bitrate, peak; /* 0: not known. What the header's btrt says */
    const AVPacketSideData *side_data; /* video: mastering display, light level; borrowed while opening */
    int side_data_count;
    char language[16]; /* BCP 47 or ISO 639-2; "": none */
} sh_sink_track;

typedef struct sh_sink_settings {
    sh_sink_kind kind;
    const char *name; /* of the output, for messages; borrowed */
    sh_sink_host host;
    const sh_sink_track *tracks; /* video first where there is any; copied */
    size_t track_count;
} sh_sink_settings;

/* The packets of one track in one segment. */
typedef struct sh_sink_packets {
    AVPacket *const *packets; /* borrowed; decoding order */
    size_t count;             /* video: > 0. Audio: 0 is possible in TS and MP4 */
    int64_t before;           /* packets of this track in the segments before */
} sh_sink_packets;

typedef struct sh_sink_segment_in {
    int64_t number;     /* of the file, from 1 */
    int64_t start, end; /* of the segment, track 0's time base: its first picture, and the next one's,
                           or the end of the presentation. CMAF audio: not looked at */
    const sh_sink_packets *tracks; /* track_count of them */
} sh_sink_segment_in;

typedef struct sh_sink sh_sink;

/* CMAF: writes the header at once. *out untouched on failure. */
int sh_sink_open(sh_sink **out, const sh_sink_settings *settings, sh_err *err);
void sh_sink_close(sh_sink **sink); /* NULL in it is fine; without sh_sink_finish a file may be incomplete */
int sh_sink_segment(sh_sink *sink, const sh_sink_segment_in *segment, sh_err *err);
/* No more segments. MP4: the file becomes whole here. */
int sh_sink_finish(sh_sink *sink, sh_err *err);
/* CMAF: the codec's configuration record as it stands in the header (avcC, hvcC, av1C payload, or the
 * AudioSpecificConfig); borrowed. *size 0 in other kinds. */
const uint8_t *sh_sink_config(const sh_sink *sink, size_t *size);
bool sh_sink_can_resume(sh_sink_kind kind);

/* SH_CODEC_NONE: none that a stream has. */
sh_codec sh_sink_codec(enum AVCodecID id);

#endif
