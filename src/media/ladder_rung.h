/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_RUNG_H
#define SH_MEDIA_LADDER_RUNG_H
/* One video of a ladder: pictures in, bundles of packets out, by two threads.
 *
 *     in -> scale, encode -> coded -> decode back, cut into segments -> ready
 *
 * Each segment has an encoder and a decoder of its own, or (`whole`) one of each makes the whole film: then
 * segments are cut in front of the key packets that were asked for at their borders.
 *
 * A segment that does not decode back: told by `mistaken`, once; the rung then takes no more. */
#include "media/ladder.h"
#include "media/ladder_bundle.h"
#include "media/ladder_scale.h"
#include "media/stages.h"
#include "media/verify.h"
#include <pthread.h>
#include <stdatomic.h>

typedef struct sh_rung_settings {
    int index; /* of the video */
    const sh_ladder_video *video;
    const sh_plan *plan;
    const AVFrame *like; /* of the pictures that come: size, format, tags */
    int timescale;
    int64_t step;    /* ticks of a frame */
    bool whole, sdr; /* sdr: pictures come tone mapped */
    int threads;
    double segment_seconds;
    /* from the rung's threads. `failed` of the first failure; `mistaken` as above (the piece and why) */
    void (*failed)(void *opaque, const sh_err *err);
    void (*mistaken)(void *opaque, int64_t piece, int level, const char *reason);
    void (*encoded)(void *opaque);
    void *opaque;
} sh_rung_settings;

typedef struct sh_rung {
    sh_rung_settings settings;
    sh_encoder_settings encoder;
    const sh_encoder_info *info;
    AVCodecParameters *parameters; /* as the encoder says */
    AVCodecParameters *shown;      /* for the containers: with the headers that are really in the packets */
    bool settled;                  /* `shown` is what it will be */
    AVFormatContext *holder;       /* of the side data that becomes boxes */
    int delay;
    sh_scale_layout layout;
    sh_scale *scale;
    sh_encoder *spare; /* open, for the first segment */
    double tolerance;
    atomic_llong frames, checked; /* encoded; decoded back and found right; in this run */
    /* of a run */
    sh_line *in, *coded;
    sh_queue *ready;
    pthread_t threads[2];
    int started;
    sh_check *check;
    sh_bundle *bundle;
    int64_t piece; /* of the bundle at hand */
    int64_t expected;
    int level;
    int64_t *borders; /* a ring, `whole`: times of segments whose key packet is yet to come */
    size_t border_first, border_count, border_capacity;
} sh_rung;

int sh_rung_open(sh_rung *rung, const sh_rung_settings *settings, sh_err *err);
void sh_rung_close(sh_rung *rung); /* all-zero is fine */
/* Threads, lines and queue, for a run that begins with `piece`. */
int sh_rung_start(sh_rung *rung, int64_t piece, sh_err *err);
void sh_rung_stop(sh_rung *rung); /* closes lines and queue: from any thread, at once */
void sh_rung_join(sh_rung *rung); /* and frees what belongs to the run */
/* SVT-AV1 1.4 tells another sequence header than it writes: `shown` gets the one of a packet. */
int sh_rung_settle(sh_rung *rung, const AVPacket *first, sh_err *err);
/* Or as a run before knew it. */
int sh_rung_settle_as(sh_rung *rung, const void *config, size_t size, sh_err *err);
AVStream *sh_rung_stream(const sh_rung *rung); /* that sh_encoder_describe has filled. Borrowed */

#endif
