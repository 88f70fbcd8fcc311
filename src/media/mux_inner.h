/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_MUX_INNER_H
#define SH_MEDIA_MUX_INNER_H
/* What the files of the muxer share among themselves: mux.c takes pieces and replays them, mux_tracks.c
 * makes the new file's tracks and header, mux_index.c places the index, mux_verify.c reads the file
 * again. */
#include "base/buf.h"
#include "media/feed.h"
#include "media/mux.h"
#include "media/times.h"
#include "media/replay.h"
#include "media/source.h"
#include "media/stored.h"

struct sh_muxer {
    sh_muxer_settings
        settings; /* pointers in it are borrowed for the opening alone, but for names and journal */
    sh_container container;
    sh_replay io;
    AVFormatContext *format;
    AVStream *video;
    sh_feed *feed;     /* NULL: video alone */
    int *track;        /* of each source track: its number here or -1; owned */
    unsigned tracks;   /* source tracks */
    int64_t *written;  /* packets, for each track here; owned */
    int64_t *last_dts; /* for each track here, its clock; owned */
    int64_t *shift;    /* for each track here, its clock: taken from all times; owned */
    int64_t origin_us; /* of the source's time that becomes 0 */
    sh_stored_form form;
    sh_times times;
    sh_buf stored;
    sh_journal_packet *packets; /* of the piece in hand; owned */
    size_t packet_capacity;
    int64_t room_at, room; /* kept for the index; 0: none */
    bool folder_synced, finished;
};

/* Text of MP4 has empty packets in its pauses, which the muxer adds: they are not counted. */
bool sh_muxer_counts(const AVCodecParameters *track, const AVPacket *packet);
/* Makes tracks, metadata and header. */
int sh_muxer_tracks(sh_muxer *muxer, sh_err *err);
int sh_muxer_header(sh_muxer *muxer, sh_err *err);
/* MP4 and MOV: bytes to keep for the index. */
int64_t sh_muxer_room(const sh_muxer *muxer);
/* After the header: marks the room as free space. */
int sh_muxer_keep_room(sh_muxer *muxer, sh_err *err);
/* The trailer, with the index in its room if it fits. */
int sh_muxer_trailer(sh_muxer *muxer, sh_err *err);

#endif
