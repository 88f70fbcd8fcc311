/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_STAGES_H
#define SH_MEDIA_STAGES_H
/* What passes between the stages of upscaling, and the lines it passes through. */
#include "media/encode.h"
#include "media/ledger.h"
#include "media/verify.h"
#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum sh_work_kind {
    SH_WORK_FRAME,  /* frame; behind the encoder without it, with `check` */
    SH_WORK_PACKET, /* packet */
    SH_WORK_PIECE,  /* a piece is whole: ledger */
    SH_WORK_STOP    /* nothing more will come; what is unfinished is to be dropped */
} sh_work_kind;

typedef struct sh_work {
    sh_work_kind kind;
    int64_t piece;    /* number of the piece */
    int64_t number;   /* of the frame, of the output */
    bool first, last; /* of the piece */
    bool duplicate;
    int level;            /* sh_fallback that made it */
    int64_t time, length; /* of ladders: when it is shown, ticks of their clock */
    AVFrame *frame;       /* owned, like all that follow */
    AVPacket *packet;
    sh_check_frame check; /* what the decoder has to find again */
    sh_ledger *ledger;    /* with the last frame of a piece */
} sh_work;

sh_work *sh_work_new(sh_work_kind kind); /* NULL: memory */
void sh_work_free(sh_work *work);        /* and what it owns; NULL is fine */

/* A bounded first-in first-out line between two stages. Closing it, from either side, makes both sides return
 * at once: that is how a failure in one stage stops the others. */
typedef struct sh_line sh_line;
sh_line *sh_line_new(int capacity); /* NULL: memory */
void sh_line_free(sh_line *line);   /* and what is in it; NULL is fine */
/* Takes the work over in any case. False: closed, or work is NULL. Waits while the line is full. */
bool sh_line_push(sh_line *line, sh_work *work);
/* NULL: closed. Waits while the line is empty. */
sh_work *sh_line_pop(sh_line *line);
void sh_line_close(sh_line *line);

/* All packets that the encoder has ready, to the line. SH_E_CANCELLED: the line is closed. */
int sh_line_encoded(sh_line *line, sh_encoder *encoder, sh_err *err);

#endif
