/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_MUX_H
#define SH_MEDIA_MUX_H
/* The file that `upscale` writes: the new video track and every other track of the source, packet for packet,
 * with the source's time stamps, metadata, chapters, dispositions and side data. */
#include "base/err.h"
#include "media/fdio.h"
#include "media/source.h"
#include <libavformat/avformat.h>

typedef struct sh_mux {
    const char *name; /* for messages; borrowed */
    int channel;
    sh_fdio io, reread;
    AVFormatContext *format;
    AVStream *video;
    int *track; /* of each source track: its number here or -1; owned */
    AVRational *
        clock; /* of each source track; owned. The source's own list may move while another thread reads it */
    unsigned tracks;
    unsigned late;  /* highest number + 1 of a track that began after the header was written and was said */
    int64_t frames; /* video packets written */
} sh_mux;

/* The muxer for a file name's ending, or NULL with the endings that there are in *err. */
const AVOutputFormat *sh_mux_find(const char *path, sh_err *err);
/* Writes the header. name and channel of *mux are set by the caller, the rest is zero. */
int sh_mux_open(sh_mux *mux, int fd, const AVOutputFormat *muxer, const sh_source *source,
                const AVCodecContext *encoder, sh_err *err);
/* Both take over what the packet refers to. The first ignores packets of tracks that are not kept;
 * of a track that only begins within the file it says so once. */
int sh_mux_copy(sh_mux *mux, AVPacket *packet, sh_err *err);
int sh_mux_video(sh_mux *mux, AVPacket *packet, AVRational time_base, sh_err *err);
int sh_mux_finish(sh_mux *mux, sh_err *err);
void sh_mux_close(sh_mux *mux); /* all-zero is fine */

#endif
