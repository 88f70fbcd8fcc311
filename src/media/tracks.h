/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_TRACKS_H
#define SH_MEDIA_TRACKS_H
/* Which tracks, side data, metadata and chapters of a source a container can hold, and how. One table a
 * container, one decision a track: kept packet for packet, kept in another form (text subtitles, covers), or
 * lost, with the reason in words. sh_mux_losses and the muxer ask the same functions, so what is said is what
 * happens. */
#include "base/err.h"
#include <libavformat/avformat.h>
#include <stdbool.h>

typedef enum sh_track_fate {
    SH_TRACK_REPLACED, /* the main video */
    SH_TRACK_COPIED,
    SH_TRACK_CONVERTED, /* text subtitles in the container's own codec */
    SH_TRACK_ATTACHED,  /* a cover or a file, without packets of its own */
    SH_TRACK_WRITTEN,   /* a timecode track: the container has it in its own form */
    SH_TRACK_LOST
} sh_track_fate;

typedef enum sh_container { SH_MP4, SH_MOV, SH_MATROSKA, SH_TRANSPORT } sh_container;

/* loss: true for what the container cannot hold, false for what is only worth saying. text: one line, without
 * a full stop, e.g. "track 3 (subtitle, hdmv_pgs_subtitle) cannot be held by MP4; MKV keeps it". */
typedef void (*sh_loss_fn)(void *opaque, bool loss, const char *text);

/* Tells what `format` cannot hold of `source`. video: number of the main video track; keep_matrix: its
 * rotation is to stay a tag (not turned into the picture). */
void sh_mux_losses(const AVFormatContext *source, int video, const AVOutputFormat *format, bool keep_matrix,
                   sh_loss_fn say, void *opaque);
/* Whether the container can say how the picture is turned. Not Matroska as libavformat 59 writes it, nor
 * MPEG-TS: there the picture itself must be turned. */
bool sh_mux_holds_rotation(const AVOutputFormat *format);

/* ---- for the muxer ---- */

sh_container sh_container_of(const AVOutputFormat *format);
const char *sh_container_name(sh_container container); /* "MP4" */

#define SH_TRACK_REASON 200
/* reason: for SH_TRACK_LOST what stands in the way, for SH_TRACK_CONVERTED what becomes of it; "" else. */
sh_track_fate sh_track_decide(const AVFormatContext *source, unsigned track, int video,
                              sh_container container, char reason[SH_TRACK_REASON]);
/* The codec that subtitles of this one are converted to; AV_CODEC_ID_NONE: they cannot be. */
enum AVCodecID sh_track_conversion(enum AVCodecID from, sh_container container);
bool sh_track_is_cover(const AVStream *track);
/* Whether the source has tags that MP4's plain list of tags does not know. MP4 then gets the free form,
 * except where it has a cover, which only the plain one holds. */
bool sh_tags_are_free(const AVFormatContext *source, int video, sh_container container);
/* Whether the time code can be written at this rate. */
bool sh_timecode_fits(const char *timecode, AVRational rate);
/* Statistics and properties of the old file's making, which are wrong for the new one. replaced: of the new
 * video. */
bool sh_tag_is_stale(const char *key, bool replaced);
int sh_tags_copy(AVDictionary **to, const AVDictionary *from, bool replaced);

#endif
