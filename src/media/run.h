/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_RUN_H
#define SH_MEDIA_RUN_H
/* The stages of upscaling at work, from where the journal ends to the end of the film or to the first reason
 * to stop:
 *
 *     read, decode, prepare, cut --> enlarge --> encode --> decode back, check, commit
 *
 * A thread each, with short lines between them (the decoder, the engine and the encoder have threads of their
 * own beside that). No picture is copied on its way. What is in memory is the lines' few pictures, the
 * packets of the piece at hand and its ledger.
 *
 * A piece that has to be made again (its enlarged pictures were none, or it does not decode back) ends the
 * run in front of it: all pieces before it are committed, and the next run begins with it, as after a crash.
 *
 * Stopping: when the parent asks, the piece at hand is finished if that takes seconds, else dropped. */
#include "media/encode.h"
#include "media/enlarge.h"
#include "media/mux.h"
#include "media/reader.h"
#include "media/stages.h"
#include "media/y4m.h"
#include <pthread.h>

/* What the parent is told, from any thread. */
typedef struct sh_meter {
    int channel;
    int64_t expected, resumed; /* frames of the output */
    int64_t first_pts;         /* of the output */
    AVRational time_base;
    _Atomic int64_t decoded, enlarged, encoded, committed, pieces, bytes, pts;
    pthread_mutex_t lock;
    int64_t reported_at;
} sh_meter;
/* At most ten times a second. */
void sh_meter_report(sh_meter *meter);

/* Marks of a record in the journal. */
enum { SH_PIECE_FINAL = 1 };
/* Its numbers of ours. */
enum { SH_PIECE_FIRST_PTS, SH_PIECE_END_PTS, SH_PIECE_DAMAGES, SH_PIECE_DUPLICATES };

/* The order in which pieces that are made side by side are committed. */
typedef struct sh_turn {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t next; /* number of the piece */
    bool closed;
} sh_turn;
bool sh_turn_wait(sh_turn *turn, int64_t piece); /* false: closed */
void sh_turn_pass(sh_turn *turn);                /* to the next */
void sh_turn_close(sh_turn *turn);

typedef struct sh_run {
    /* what it works with; borrowed */
    sh_meter *meter;
    const sh_plan *plan;
    const sh_encoder_settings *encoder;
    const AVCodecParameters *parameters;
    sh_enlarge *enlarge;
    sh_muxer *muxer;
    sh_reader *reader;
    double tolerance;
    bool piped;    /* the source cannot be read twice */
    sh_turn *turn; /* not NULL: one piece alone is made, and committed in its turn */
    sh_y4m *y4m;   /* not NULL: pictures go there as they are; no encoder, muxer, pieces */
    int y4m_fd;
    /* owned, may be NULL */
    sh_encoder *spare; /* open, for the first piece */
    sh_work *first;    /* read already */
    /* where it begins, and on return where the next one would */
    sh_reader_start next;
    sh_ledger ledger; /* that next.from points to */
    int64_t first_pts, end_pts;
    sh_fallback level; /* of the first piece */
    char reason[200];  /* for that level */
    /* how it ended */
    bool finished; /* the last piece is committed */
    bool stopped;  /* as the parent asked */
    bool again;    /* the piece at `next` is to be made again: by `level`, with `reason` */
    bool mistaken; /* it did not decode back: as err says */
    struct sh_run_inner *inner;
} sh_run;

/* 0: see above how it ended. SH_E_* on failure; what was committed before stays so. */
int sh_run_stages(sh_run *run, sh_err *err);
void sh_run_free_front(sh_run *run); /* spare and first */
void sh_run_free(sh_run *run);       /* what it owns */

#endif
