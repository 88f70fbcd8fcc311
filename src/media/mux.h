/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_MUX_H
#define SH_MEDIA_MUX_H
/* The file that `upscale` writes: the new video track and every other track of the source that the container
 * holds, written in pieces, and written again after a crash.
 *
 * The unfinished file ("part") is the container itself. Muxers of libavformat are deterministic: the same
 * packets in the same order give the same bytes. So the state of a muxer needs no saving: on resume
 * everything that the journal has is fed to a new muxer (video packets read back from the part file, other
 * tracks from the source), and what it writes below the committed offset is compared with what is there and
 * not written. From there on writing is real. Nothing but the part file and the journal is on disk.
 *
 * Order: a piece's video packets and the packets of all other tracks that are due by then, by DTS in
 * microseconds, ties by track number; no queue of the muxer's. Packets of other tracks are read here, by a
 * demuxer of its own on the source's descriptor (pread: no position is shared): how far it reads depends on
 * the source's file order and the pieces' times alone, never on what runs faster. The caller only brings
 * video.
 *
 * DTS: the nth packet's is the (n - delay)th of all sorted PTS, so that no join shows.
 *
 * MP4 and MOV: room for the index is kept at the front. The index goes there if it fits and to the end if not
 * (said in a log line); finished data never moves.
 *
 * A loss is what the container cannot hold of the source; sh_mux_losses lists them before the work starts. */
#include "base/err.h"
#include "media/journal.h"
#include "media/tracks.h"
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stdint.h>

/* The muxer for a file name's ending, or NULL with the endings that there are in *err. */
const AVOutputFormat *sh_mux_find(const char *path, sh_err *err);

typedef struct sh_muxer sh_muxer;

typedef struct sh_muxer_settings {
    const char *name;             /* of the output, for messages; borrowed */
    const char *input_name;       /* of the source, for messages; borrowed */
    int channel;                  /* for log lines */
    const AVOutputFormat *format; /* sh_mux_find */
    int part;                     /* descriptor: the unfinished file, to read and write, seekable */
    int folder;                   /* descriptor of its folder, or -1: synced with the first piece */
    int source;                   /* descriptor of the source, seekable; -1: none, video alone (Y4M) */
    sh_journal *journal;          /* begun; its pieces are replayed by sh_muxer_open. Borrowed until close */
    /* the new video */
    int video_track;                /* the source's track that it replaces */
    const AVCodecParameters *video; /* of all pieces: extradata, codec_tag. Copied */
    AVRational time_base;           /* of packets that come in, of the source's clock */
    AVRational frame_rate;          /* average, {0, 1} unknown */
    AVRational sample_aspect;       /* {0, 1} unknown */
    int delay;                      /* the encoder's reordering: packets by which DTS go ahead */
    int64_t first_pts;              /* of the whole output */
    int64_t step;                   /* duration of a frame in time_base: steps before the first PTS */
    const AVPacketSideData
        *side_data; /* wins over the source's of the same type (mastering display...). Copied */
    int side_data_count;
    bool keep_matrix; /* a display matrix of the source's stays; false: the picture itself was turned */
    double scale_x, scale_y; /* new size / old size: the matrix's translation and the like follow */
    /* what part of the source: of its clock, in microseconds, AV_NOPTS_VALUE: from its start, to its end.
     * With begin_us set all times, the video's too, are shifted so that begin_us becomes 0 */
    int64_t begin_us, end_us;
    int64_t frames;                                 /* expected, for the room of the index; 0 unknown */
    double duration;                                /* expected, seconds, likewise */
    void (*progress)(void *opaque, int64_t pieces); /* after each piece replayed (for a watchdog); NULL */
    void *opaque;
} sh_muxer_settings;

/* Everything at its neutral value: descriptors -1, times AV_NOPTS_VALUE, scale 2. */
void sh_muxer_settings_default(sh_muxer_settings *settings);

/* Opens the part file: anew (emptied) where the journal has no piece, else replays it all. SH_E_CONFLICT: the
 * part file is not what the journal says (the message says where, and to start anew): the caller may begin
 * the journal again and open again. On failure nothing is left open. */
int sh_muxer_open(sh_muxer **out, const sh_muxer_settings *settings, sh_err *err);
void sh_muxer_close(sh_muxer *muxer); /* NULL is fine. Leaves the files as they are */

/* Commits one piece. packets: in decoding order, with pts, duration and AV_PKT_FLAG_KEY; dts is set here;
 * they are left blank (av_packet_unref). piece: the caller's fields are set, number, offset and packets are
 * set here and valid until the next call. When it returns 0 the piece is safe: part and folder synced, then
 * the journal. After a failure only sh_muxer_close may follow; the files stay good for a resume. */
int sh_muxer_piece(sh_muxer *muxer, sh_journal_piece *piece, AVPacket *const *packets, size_t count,
                   sh_err *err);
/* What is left of the other tracks, the trailer, and a sync. Then the file is whole but not yet verified. */
int sh_muxer_finish(sh_muxer *muxer, sh_err *err);
/* After finish: reads the part file again as any player would and compares the number, times and CRC32C of
 * every video packet with the journal, and the number of packets of each other track with what was written.
 */
int sh_mux_verify(sh_muxer *muxer, sh_err *err);

int64_t sh_muxer_size(const sh_muxer *muxer); /* bytes of the part file so far */

#endif
