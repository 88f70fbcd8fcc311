/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_SOURCE_INNER_H
#define SH_MEDIA_SOURCE_INNER_H
/* What the files of the source share among themselves: source.c opens, reads packets and knows what the
 * container promises; source_frames.c decodes and delivers. */
#include "media/adapt.h"
#include "media/flight.h"
#include "media/source.h"
#include "media/tsclock.h"

#define SH_SAID_MAX 20 /* log lines of one kind; the rest is counted */

struct sh_source_inner {
    int threads;
    unsigned tracks;     /* those that were there when the file was opened */
    int64_t next_packet; /* number of the next packet of the video track */
    int64_t decode_from; /* packets before this number are not decoded */
    sh_flight flight;
    sh_tsclock clock;
    sh_adapt adapt;
    AVFrame *waiting;            /* decoded, not delivered: losses before it come first */
    sh_flight_packet waiting_of; /* its packet's */
    sh_flight_packet late;       /* came out after its time; number -1: none */
    AVPacket *held;              /* has another picture size: goes in once the decoder is empty */
    int64_t held_number;
    AVCodecParserContext *parser; /* for that size; NULL: the codec has none */
    AVCodecContext *parsed;
    int size[4];            /* of the last key packet */
    bool one_to_one;        /* a packet of this track is a picture */
    bool intra;             /* every packet stands alone */
    bool late_track;        /* said already */
    bool started;           /* sh_source_next was called */
    bool waiting_first;     /* frames are decoded only to get to the first that is wanted */
    bool drained;           /* the decoder is empty */
    bool cut_short;         /* reading stopped at the end of the cut */
    int64_t decode_damages; /* of source->damages, those that are not found by reading alone */
    bool *past;             /* for each track: it has reached the end of the cut */
    bool has_target;
    sh_source_place target; /* of sh_source_begin_at */
};

/* Notes one damage. 0 when it is accepted, else SH_E_FORMAT. */
int sh_source_damaged(sh_source *source, sh_err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, found by decoding: not counted while frames are decoded only to get somewhere. */
int sh_source_broken(sh_source *source, sh_err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One packet of any track, its time stamps mended. 1; 0: none (source->at_end, or damage that was accepted);
 * or SH_E_*. */
int sh_source_read(sh_source *source, AVPacket *packet, sh_err *err);
/* Opens the container again, from its beginning. */
int sh_source_rewind(sh_source *source, sh_err *err);

#endif
