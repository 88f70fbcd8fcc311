/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_SOURCE_H
#define SH_MEDIA_SOURCE_H
/* A file that is read: demultiplexer and decoder of its video track.
 *
 * Damage. A file is damaged when bytes that it promises are not there or cannot be decoded: a read fails, a
 * packet is marked as corrupt or is missing from the end of an indexed track, a picture was concealed by the
 * decoder, pictures came out fewer than went in, or the header's duration is not reached. Each is counted and
 * the first is kept in words. Unless damage is accepted the first one ends the work.
 *
 * Every packet of the video track has a number (0, 1, ... in the order of the file, those that an edit list
 * hides too) and every frame that is delivered has one (0, 1, ... in the order of presentation). A frame
 * knows its packet's; what else is known of a frame hangs on it as sh_frame_facts, which survives
 * av_frame_ref, av_frame_copy_props and libavfilter. Packets that give no frame are told as sh_source_loss.
 *
 * Time. Frames come with pts that are set and increasing, in video->time_base. Where a time stamp is missing
 * or not after the one before it, the one before plus a step is taken and the frame is marked. Where the
 * clock of a transport or program stream jumps (tsclock.h says what a jump is), all tracks are shifted by the
 * same amount so that the time goes on; a clock of 33 bits that overflows is carried on by libavformat. A
 * track that turns up after the file was opened is not delivered; that is said.
 *
 * Going on in the middle. The facts of a frame hold a sh_source_place: plain numbers, to be kept in a
 * journal. A source opened on the same bytes with the same settings, then given to sh_source_begin_at,
 * delivers that frame first, with the same number, the same content and the same time, and everything after
 * it as the first run did. All packets of other tracks are delivered from the beginning of the file (reading
 * is linear; only decoding is spared), and losses before the place are not told again. Decoding begins one
 * key packet earlier than the last one that is in front of the frame in both orders, so that leading pictures
 * of open groups and gradual refreshes have what they refer to. The caller compares hashes; where they
 * differ, or where sh_source_next says SH_E_CONFLICT, it starts from the beginning of the file.
 *
 * A part of it. sh_source_cut limits what is delivered to the frames that begin within a time; other tracks
 * are limited to the same time, their time stamps stay as they are, so that their offset to the video does.
 * A file is read twice up to there, without being decoded: once to find the key packet to begin with; a pipe
 * is decoded from its beginning. The frames are the same either way.
 *
 * Two sources may be open on one descriptor at once: a regular file is read by pread. A pipe is read once,
 * from where it stands; it can be decoded and cut, but not begun in the middle.
 *
 * Memory: libavcodec decodes pictures up to about 16000 x 16000 (so that a row of 8 bytes a pixel times the
 * rows stays below 2^31); 16384 x 16384 is refused with its size. The decoder has so many threads at most
 * that a picture for each of them is below 2^28 pixels together; besides it holds what its codec's reordering
 * needs (sixteen pictures in H.264). */
#include "base/err.h"
#include "media/fdio.h"
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdbool.h>
#include <stdint.h>

#define SH_SOURCE_PIXELS (INT64_C(16384) * 16384)

/* How to come back to a frame. */
typedef struct sh_source_place {
    int64_t key;    /* number of the packet that decoding begins with */
    int64_t packet; /* of the frame; -1: there is no way back to it, since the decoder does not say, or
                       it is not known yet what becomes of a packet before it */
    int64_t frame;  /* its number */
    int64_t pts;    /* its time, as delivered */
    int64_t last_pts, last_step;   /* before it */
    int64_t odd_times, damages;    /* before it; damages of decoding alone */
    int64_t losses[4];             /* before it, by sh_loss_kind */
    int32_t width, height, format; /* of the first frame of all; 0: this is the first */
    int32_t sar_num, sar_den, range, matrix;
} sh_source_place;

/* Marks of a frame. */
enum {
    SH_FRAME_CONCEALED = 1, /* damaged, patched up by the decoder */
    SH_FRAME_TIME_MADE = 2, /* its time stamp was missing or not after the one before */
    SH_FRAME_ADAPTED = 4    /* another size or format than the first frame's: converted to that */
};

typedef struct sh_frame_facts {
    sh_source_place place;
    int64_t given_pts; /* as the file has it, AV_NOPTS_VALUE: none */
    int64_t duration;  /* as the file has it, video->time_base; 0: not known */
    unsigned marks;    /* SH_FRAME_* */
} sh_frame_facts;

/* Of a frame that came from sh_source_next, or was made of one. NULL: it has none. */
const sh_frame_facts *sh_frame_facts_of(const AVFrame *frame);

typedef enum sh_loss_kind {
    SH_LOSS_EDIT = 1, /* hidden by the edit list: decoded, not shown */
    SH_LOSS_LEADING,  /* before the first key packet, or referring to what is before it: no player shows it */
    SH_LOSS_UNDECODABLE /* damaged so that no picture came of it, or after its time */
} sh_loss_kind;

/* A packet of the video track that gave no frame. */
typedef struct sh_source_loss {
    int kind; /* sh_loss_kind */
    int64_t packet;
    int64_t pts;    /* as the file has it; AV_NOPTS_VALUE: none */
    int64_t before; /* number of the frame that comes next */
} sh_source_loss;

typedef struct sh_source {
    const char *name; /* for messages; borrowed */
    sh_fdio io;
    AVFormatContext *format;
    AVStream *video;
    AVCodecContext *decoder;
    bool accept_damage;
    bool tell_losses;   /* sh_source_next returns SH_SOURCE_LOSS too */
    bool adapt;         /* frames of another size or format than the first are converted to that: scaled, with
                           black bars where their shape differs. Else they are delivered as they are */
    const char *advice; /* what to do about damage, after its description; may be NULL */
    int channel;        /* where log lines go; -1: sh_log */
    int64_t packets;    /* of the video track, discarded ones not counted */
    int64_t discarded;
    int64_t frames;   /* decoded */
    int64_t expected; /* promised by the container; 0: it promises nothing */
    int64_t damages;
    char damage[320];    /* the first */
    int64_t odd_times;   /* frames whose time stamp was missing or not after the one before */
    int64_t last_step;   /* between the last two frames; 0: not known */
    int64_t last_pts;    /* of a frame, in the video track's time base */
    int64_t reached;     /* end of the furthest packet of any track, microseconds */
    bool at_end;         /* the demultiplexer has given its last packet */
    sh_source_loss loss; /* valid after SH_SOURCE_LOSS */
    int64_t losses[4];   /* by sh_loss_kind */
    int64_t adapted;     /* frames */
    int64_t hidden;      /* frames that an edit list hides so well that libavformat gives no packet: not
                            among the losses. Known after opening */
    int64_t jumps;       /* of the clock */
    int64_t cut_start, cut_end; /* microseconds of the file's clock; AV_NOPTS_VALUE: not cut there */
    struct sh_source_inner *inner;
} sh_source;

/* Opens descriptor `fd`. name, channel and accept_damage of *source are set by the caller, the rest zero.
 * threads: of the decoder. On failure everything is freed. */
int sh_source_open(sh_source *source, int fd, int threads, sh_err *err);
void sh_source_close(sh_source *source); /* all-zero is fine */

/* Both before the first sh_source_next, the cut first.
 * start, duration: seconds, < 0: from the beginning, to the end. Time 0 is where the earliest track begins
 * (AVFormatContext.start_time). A frame belongs to the cut when it begins in it: [start, start + duration).
 * Of other tracks so do the packets that begin in it; a subtitle that begins before and lasts into it is
 * shortened. cut_start is then the time that the result should call 0. The file is opened anew:
 * pointers into format, video and decoder that were taken before are void. ARGUMENT: not finite, or an end
 * that is not after its start; FORMAT where the file ends before the start (said by sh_source_next). */
int sh_source_cut(sh_source *source, double start, double duration, sh_err *err);
/* UNSUPPORTED: a pipe. */
int sh_source_begin_at(sh_source *source, const sh_source_place *place, sh_err *err);

enum { SH_SOURCE_FRAME = 1, SH_SOURCE_PACKET = 2, SH_SOURCE_END = 3, SH_SOURCE_LOSS = 4 };
/* The next decoded picture of the video track (into frame, pts always set and increasing; pkt_duration is its
 * duration), or the next packet of another track (into packet), or the end; with tell_losses also a packet
 * that gave no frame (into source->loss), before the frame that follows it in time. SH_SOURCE_*, or a
 * negative SH_E_*. */
int sh_source_next(sh_source *source, AVFrame *frame, AVPacket *packet, sh_err *err);

/* Seconds, 0 when not known. */
double sh_source_duration(const sh_source *source);

/* Puts the reason in words before returning the SH_E_* that fits `error` (an AVERROR). io may be NULL; an
 * error of the operating system that it has seen has priority. */
int sh_av_fail(sh_err *err, int error, const sh_fdio *io, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
