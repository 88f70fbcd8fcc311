/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_FRAMES_H
#define SH_MEDIA_LADDER_FRAMES_H
/* Pictures of a film: single JPEG files (FRAME_CAPTURE), and sheets of small ones for the bar under a player.
 *
 * A capture takes the first frame at or after each n * period of the presentation, beginning with the first
 * one. It is a function of frame times alone; after a crash it may begin with any frame (its number follows
 * from the time).
 *
 * Sheets: tile k is the picture at k * period. Tiles are kept, uncoded, in a work file that the caller owns
 * (fixed records: a run after a crash finds those before), and become sheets of columns x rows at the end. */
#include "base/buf.h"
#include "base/err.h"
#include <libavutil/frame.h>
#include <libavutil/rational.h>
#include <stdbool.h>
#include <stdint.h>

#define SH_JPEG_MAX (256 << 20)

/* A picture of 8 bits as JPEG (full range, 4:2:0). quality: 1 to 100. *bytes is cleared first. */
typedef struct sh_jpeg sh_jpeg;
int sh_jpeg_open(sh_jpeg **out, int quality, sh_err *err);
void sh_jpeg_close(sh_jpeg **jpeg); /* NULL in it is fine */
int sh_jpeg_make(sh_jpeg *jpeg, const AVFrame *frame, sh_buf *bytes, sh_err *err);

/* When the next picture is due. */
typedef struct sh_capture {
    AVRational rate; /* pictures a second; > 0 */
    int64_t maximum; /* pictures; 0: any number */
    int64_t next;    /* number of the next one, from 0 */
} sh_capture;
/* After a crash: frames up to this one were looked at before. */
void sh_capture_seen(sh_capture *capture, int64_t pts, AVRational base);
/* True: the frame at `pts` (in `base`, the presentation's zero being 0) is picture *number (from 0). */
bool sh_capture_wants(sh_capture *capture, int64_t pts, AVRational base, int64_t *number);

typedef struct sh_thumbs_settings {
    int work;          /* descriptor of the work file, to read and write; the caller's */
    int width, height; /* of a tile, even */
    int columns, rows;
    AVRational period; /* seconds between tiles */
    int quality;       /* of the JPEG; 0: 75 */
    int64_t begin;     /* tiles that are in the work file already */
} sh_thumbs_settings;

typedef struct sh_thumbs sh_thumbs;
int sh_thumbs_open(sh_thumbs **out, const sh_thumbs_settings *settings, sh_err *err);
void sh_thumbs_close(sh_thumbs **thumbs); /* NULL in it is fine */
/* A frame of the rendition, any size and format that ladder_scale.h takes; most are not wanted and cost
 * nothing. Periods without a frame of their own get the one before them. */
int sh_thumbs_frame(sh_thumbs *thumbs, const AVFrame *frame, int64_t pts, AVRational base, sh_err *err);
int64_t sh_thumbs_count(const sh_thumbs *thumbs); /* tiles so far */
int64_t sh_thumbs_sheets(const sh_thumbs *thumbs);
/* Sheet `number` (from 0) as JPEG. The last one is as high as its rows need. */
int sh_thumbs_sheet(sh_thumbs *thumbs, int64_t number, sh_buf *bytes, int *width, int *height, sh_err *err);

#endif
