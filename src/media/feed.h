/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_FEED_H
#define SH_MEDIA_FEED_H
/* Packets of a source's other tracks for a muxer, in the order of their decoding times.
 *
 * A demuxer of its own reads the file from its beginning, in a second pass that is a function of the file
 * alone: it knows how far it has to read for a time by the packets of the main video, which it reads and
 * drops. A file whose tracks lie far apart would need much memory; from SH_FEED_BYTES on packets are given
 * early, still by the same rule in each run.
 *
 * Missing and backward decoding times are mended; text subtitles are converted here. */
#include "base/err.h"
#include "media/tracks.h"
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stdint.h>

#define SH_FEED_BYTES (64 << 20)
#define SH_FEED_END_BYTES (4 << 20) /* when all is due */

typedef struct sh_feed sh_feed;

typedef struct sh_feed_settings {
    const char *name; /* of the source; borrowed */
    int channel;
    int source; /* descriptor */
    int video;  /* the main video's track */
    sh_container container;
    int64_t begin_us, end_us; /* AV_NOPTS_VALUE: not cut there */
} sh_feed_settings;

int sh_feed_open(sh_feed **out, const sh_feed_settings *settings, sh_err *err);
void sh_feed_close(sh_feed *feed); /* NULL is fine */
const AVFormatContext *sh_feed_format(const sh_feed *feed);
sh_track_fate sh_feed_fate(const sh_feed *feed, unsigned track);
/* The decoder and encoder of a converted track have its new header: its parameters. */
int sh_feed_converted(const sh_feed *feed, unsigned track, AVCodecParameters *parameters, AVRational *clock,
                      sh_err *err);
/* Where a track's place is in the order of packets with equal times. */
void sh_feed_rank(sh_feed *feed, unsigned track, int rank);

/* The earliest time stamp of all tracks' first packets, microseconds; AV_NOPTS_VALUE: there are none. Reads
 * as far as a second into the video. */
int sh_feed_first(sh_feed *feed, int64_t *first_us, sh_err *err);
/* The next packet if it is due: before (due_us, rank). 1: into *packet (stream_index: the source's track,
 * time stamps in *clock), 0: none is. due_us INT64_MAX: all that is left. */
int sh_feed_next(sh_feed *feed, int64_t due_us, int rank, AVPacket *packet, AVRational *clock, sh_err *err);

#endif
