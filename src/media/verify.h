/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_VERIFY_H
#define SH_MEDIA_VERIFY_H
/* A piece decoded again while it is being encoded, by a decoder of its own that knows nothing but the track's
 * parameters: as a player does that starts there. What comes out has to be what went into the encoder: as
 * many pictures, at the same times, of the same size, and with the same means of luma in each cell within
 * what the quality allows. */
#include "base/err.h"
#include "media/fallback.h"
#include <libavcodec/avcodec.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sh_check_frame {
    int64_t pts;
    sh_signature signature;
} sh_check_frame;

typedef struct sh_check sh_check;

/* tolerance: codes of luma by which a cell may differ. threads: of the decoder. */
int sh_check_open(sh_check **out, const AVCodecParameters *parameters, AVRational time_base, double tolerance,
                  int threads, sh_err *err);
void sh_check_close(sh_check **check); /* NULL in it is fine */
/* A frame that went into the encoder, in the order of display. */
int sh_check_expect(sh_check *check, const sh_check_frame *frame, sh_err *err);
/* A packet that came out, in decoding order; NULL: there are no more. SH_E_CONFLICT with the first difference
 * in words. */
int sh_check_packet(sh_check *check, const AVPacket *packet, sh_err *err);
/* After the NULL: pictures that were found right. */
int64_t sh_check_frames(const sh_check *check);
/* How far two pictures of quality `crf` may lie apart. */
double sh_check_tolerance(double crf);

#endif
