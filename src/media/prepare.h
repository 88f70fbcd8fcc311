/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_PREPARE_H
#define SH_MEDIA_PREPARE_H
/* Between decoder and engine: pictures made whole and upright, by libavfilter.
 *
 *   telecine     fieldmatch, then decimate: of five frames that 3:2 pulldown made of four, four again
 *   deinterlace  bwdif, a frame for each frame or for each field
 *   turn         the picture turned and mirrored, where the result cannot carry that as a tag
 *
 * in this order; both of the first two may be asked for: what fieldmatch could not match is then deinterlaced
 * (only frames that are still combed). With none of them frames pass as they are, without a graph.
 *
 * Numbers. With n the number of a source frame (place.frame of sh_frame_facts), outputs are numbered so:
 *   none, frame   output n of source n
 *   field         outputs 2n and 2n + 1 of source n
 *   telecine      four outputs for each five sources, 4 (n / 5) + 0..3; the last group may have fewer
 * A graph needs frames before the first one whose output counts: sh_prepare_first says where to begin. From
 * there on the outputs are bit-equal to those of a run from the beginning.
 *
 * Time. Outputs have pts in sh_prepare_time_base: the source's, or half of it for fields (where a field's
 * time is the middle between its frame and the next). Frames that decimate makes have the time of the source
 * frame they come from, moved within their group of five so that the four are evenly spaced.
 *
 * What hangs on frames (captions, HDR10+, time codes, facts) is kept here and put on the outputs: each output
 * has its source's. Captions of a source that has no output go to the next output, in order; of two fields
 * the first has them. Colour tags and SAR are the source's (SAR turned with the picture). Outputs are
 * progressive.
 *
 * Pictures that the filters cannot take as they are (semi-planar, packed) are repacked without loss; formats
 * without such a way are refused with their name. telecine takes 8 bits. */
#include "base/err.h"
#include "media/options.h"
#include <libavutil/frame.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct sh_prepare_settings {
    int deinterlace;   /* SH_DEINTERLACE_OFF, _FRAME or _FIELD (AUTO is the plan's to resolve) */
    bool only_flagged; /* FRAME: leaves frames alone that say they are progressive */
    int first_field;   /* 0: as frames say; 1: top; -1: bottom */
    bool telecine;
    int turn;             /* clockwise degrees to be applied to the picture: 0, 90, 180, 270 */
    bool mirror;          /* mirrored left to right, before the turn */
    AVRational time_base; /* of the source's pts */
    AVRational rate;      /* of the source, a guess; may be 0/1 */
    int threads;          /* of the graph; results do not depend on it. 0: one */
} sh_prepare_settings;

typedef struct sh_prepare sh_prepare;

/* The source frame to begin with so that output `output` and all after it come out right; >= 0. For output 0
 * it is 0. */
int64_t sh_prepare_first(const sh_prepare_settings *settings, int64_t output);
/* The number of the first output of source frame `source`. */
int64_t sh_prepare_output_of(const sh_prepare_settings *settings, int64_t source);
AVRational sh_prepare_time_base(const sh_prepare_settings *settings);
/* The frame rate of the outputs where the source's is `rate`. */
AVRational sh_prepare_rate(const sh_prepare_settings *settings, AVRational rate);

/* Of pictures like `picture` (size, format, SAR, tags; its planes are not looked at). The first frame sent
 * will be number sh_prepare_first(settings, output); the first one received is number `output`. *out
 * untouched on failure. ARGUMENT, UNSUPPORTED (a format; a filter that libavfilter lacks), MEMORY. */
int sh_prepare_open(sh_prepare **out, const sh_prepare_settings *settings, const AVFrame *picture,
                    int64_t output, sh_err *err);
void sh_prepare_close(sh_prepare **prepare); /* NULL in it is fine */

/* Takes what `frame` holds over (it is empty afterwards, also on failure); NULL: there are no more. All that
 * sh_prepare_receive gives is to be taken before the next one is sent. */
int sh_prepare_send(sh_prepare *prepare, AVFrame *frame, sh_err *err);
/* 1: *frame (unreferenced before) has the next output and *number its number (NULL: not wanted); 0: more has
 * to be sent, or after send(NULL) there is no more; negative SH_E_*. */
int sh_prepare_receive(sh_prepare *prepare, AVFrame *frame, int64_t *number, sh_err *err);
/* Source frames that telecine reversal left out, in their order, known once an output after them was
 * received: 1 and *number of the source frame, or 0: none more at present. */
int sh_prepare_dropped(sh_prepare *prepare, int64_t *number);

/* The size of outputs for pictures of width x height. */
void sh_prepare_size(const sh_prepare_settings *settings, int *width, int *height);

#endif
