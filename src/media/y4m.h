/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_Y4M_H
#define SH_MEDIA_Y4M_H
/* YUV4MPEG2 to a descriptor, which may be a pipe: a header line, then for each picture a line FRAME and its
 * planes.
 *
 *   YUV4MPEG2 W1280 H960 F25:1 Ip A1:1 C420mpeg2 XYSCSS=420MPEG2 XCOLORRANGE=LIMITED
 *
 * C says layout, siting and depth: 420jpeg (centre), 420mpeg2 (left), 420paldv (top left), 422, 444, mono,
 * and with 10 bits 420p10, 422p10, 444p10, mono10 (which have no word for siting). Samples of 10 bits are
 * little-endian. A is SAR, 0:0 where it is not known. The format has no time stamps: frames have the constant
 * rate of F, which whoever calls has to say where the source has no constant rate. (Reading is
 * libavformat's.) */
#include "base/err.h"
#include <libavutil/frame.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct sh_y4m {
    int fd; /* borrowed */
    int width, height, format;
    int64_t frames, written; /* frames, bytes */
    size_t size;             /* of a frame, with its line */
    uint8_t *bytes;          /* of a frame; owned */
} sh_y4m;

/* Whether pictures of this format can be written. */
bool sh_y4m_takes(enum AVPixelFormat format);
/* Writes the header for pictures like `picture` (size, format, range, siting). */
int sh_y4m_open(sh_y4m *y4m, int fd, const AVFrame *picture, AVRational rate, AVRational sar, sh_err *err);
/* SH_E_IO with EPIPE in words where the reader has gone (SIGPIPE has to be ignored by the caller). A picture
 * that is unlike the first: ARGUMENT. */
int sh_y4m_write(sh_y4m *y4m, const AVFrame *frame, sh_err *err);
void sh_y4m_close(sh_y4m *y4m); /* all-zero is fine; the descriptor stays open */

#endif
