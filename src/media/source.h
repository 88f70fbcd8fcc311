/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_SOURCE_H
#define SH_MEDIA_SOURCE_H
/* A file that is read: demultiplexer and decoder of its video track.
 *
 * Damage. A file is damaged when bytes that it promises are not there or cannot be decoded: a read fails, a
 * packet is marked as corrupt or is missing from the end of an indexed track, a picture was concealed by the
 * decoder, pictures came out fewer than went in, or the header's duration is not reached. Each is counted and
 * the first is kept in words. Unless damage is accepted the first one ends the work. */
#include "base/err.h"
#include "media/fdio.h"
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct sh_source {
    const char *name; /* for messages; borrowed */
    sh_fdio io;
    AVFormatContext *format;
    AVStream *video;
    AVCodecContext *decoder;
    bool accept_damage;
    const char *advice; /* what to do about damage, after its description; may be NULL */
    int channel;        /* where log lines go; -1: sh_log */
    int64_t packets;    /* of the video track, discarded ones not counted */
    int64_t discarded;
    int64_t frames;   /* decoded */
    int64_t expected; /* promised by the container; 0: it promises nothing */
    int64_t damages;
    char damage[320];  /* the first */
    int64_t odd_times; /* frames whose time stamp was missing or not after the one before */
    int64_t last_step; /* between the last two frames; 0: not known */
    int64_t last_pts;  /* of a frame, in the video track's time base */
    int64_t reached;   /* end of the furthest packet of any track, microseconds */
    bool at_end;       /* the demultiplexer has given its last packet */
} sh_source;

/* Opens descriptor `fd`. name, channel and accept_damage of *source are set by the caller, the rest zero.
 * threads: of the decoder. On failure everything is freed. */
int sh_source_open(sh_source *source, int fd, int threads, sh_err *err);
void sh_source_close(sh_source *source); /* all-zero is fine */

enum { SH_SOURCE_FRAME = 1, SH_SOURCE_PACKET = 2, SH_SOURCE_END = 3 };
/* The next decoded picture of the video track (into frame, pts always set and increasing), or the next packet
 * of another track (into packet), or the end. SH_SOURCE_*, or a negative SH_E_*. */
int sh_source_next(sh_source *source, AVFrame *frame, AVPacket *packet, sh_err *err);

/* Seconds, 0 when not known. Frames that the video track should give, 0 when not known. */
double sh_source_duration(const sh_source *source);
int64_t sh_source_frame_estimate(const sh_source *source);

/* Puts the reason in words before returning the SH_E_* that fits `error` (an AVERROR). io may be NULL; an
 * error of the operating system that it has seen has priority. */
int sh_av_fail(sh_err *err, int error, const sh_fdio *io, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
