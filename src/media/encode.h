/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_ENCODE_H
#define SH_MEDIA_ENCODE_H
/* Encoders of pictures, one for each piece, or one for a stream of many segments.
 *
 * A piece is a run of frames that becomes one closed group of pictures: its first packet is the only place to
 * start (IDR, or AV1's key frame with its sequence header), and nothing in it refers to another piece. An
 * encoder lives as long as one piece: open, send all frames, send NULL, receive to the end, close. Its bytes
 * are a function of the frames, the settings and the library's version alone: not of load, of the time
 * between calls, of how sends and receives alternate, nor (x264) of the processor. The number of threads is
 * one of the settings and is pinned. NVENC promises none of this but the closed groups.
 *
 * Quality is constant in a piece (CRF, or CQP where the encoder has no CRF): a rate that is steered would
 * begin anew at each join. What a person gives as `-o key=value` reaches the encoder, except keys that would
 * break pieces, threads or tags; those are refused with the reason, and keys that the encoder does not know
 * are errors.
 *
 * What a frame carries beside its samples is written into its packet: captions (AV_FRAME_DATA_A53_CC), active
 * format (AFD), HDR10+ (DYNAMIC_HDR_PLUS), and in HEVC and AV1 the time code (S12M). The mastering display,
 * content light level and HLG's preferred transfer stand in the first packet of each piece. These messages
 * are ours for all encoders (sei.h); the wrappers of libavcodec write them differently or not at all.
 *
 * A *stream* (gop_frames > 0) is a piece with more key frames in it: where the caller asks for one
 * (sh_encoder_send_key: the borders of segments), at most gop_frames after the one before, and, if scene_keys
 * says so, where a scene changes. Each begins a closed group: it is an IDR (AV1: a key frame with its
 * sequence header), and no packet behind it is shown before it. This is read from the bytes, and another
 * outcome is an error. Groups are as long as the encoder makes them between those: x264 and x265 count from
 * each key frame, SVT-AV1 keeps its grid, and where a key frame asked for does not lie on it, it is begun
 * anew (its rate control too). A stream's rate may be steered, since it is one encoder's: quality with a
 * ceiling, variable, constant.
 *
 * A ceiling (max_bitrate, buffer_bits) costs x264 its promise of bytes with more than one thread, since each
 * frame's budget depends on how far others have come (measured); the caller who wants the same bytes twice
 * gives each of his encoders one thread, and runs several. */
#include "base/err.h"
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/mastering_display_metadata.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sh_plan;

typedef struct sh_encoder sh_encoder;

typedef enum sh_encoder_rate {
    SH_ENCODER_QUALITY,  /* crf; under a ceiling where max_bitrate > 0 */
    SH_ENCODER_VARIABLE, /* bitrate on average, under a ceiling where max_bitrate > 0 */
    SH_ENCODER_CONSTANT, /* bitrate; H.264 and, where the library can, others are filled up to it */
} sh_encoder_rate;

typedef struct sh_encoder_settings {
    const char *name; /* libx264, libx265, libsvtav1, h264_nvenc, hevc_nvenc; a resolved one, never "auto" */
    int width, height;
    enum AVPixelFormat format; /* of the frames: planar YUV or gray, 8 or 10 bit */
    AVRational time_base;      /* of the frames' pts and durations and of the packets' */
    AVRational rate; /* 0/1: not known. A hint for the encoder and the headers; times come from pts */
    AVRational sar;  /* 0/1: not known */
    enum AVColorRange range;
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorSpace matrix;
    enum AVChromaLocation siting;
    const char *preset;         /* NULL: the default of sh_encoder_info */
    double crf;                 /* < 0: the default of sh_encoder_info */
    const char *const *options; /* key=value, borrowed during the call */
    size_t option_count;
    int threads;        /* > 0; pinned */
    int piece_frames;   /* most frames that will be sent; > 0. 0: no end, streams only */
    bool global_header; /* parameter sets in extradata (MP4, MOV, MKV), not in the packets */
    uint32_t tag;       /* of the track: hvc1 in MP4 and MOV, whose muxer takes hev1; 0: the muxer's own */
    bool has_mastering, has_light;        /* whether those below count */
    AVMasteringDisplayMetadata mastering; /* has_primaries and has_luminance say which of it */
    AVContentLightMetadata light;

    /* Streams. The defaults leave a piece what it is. */
    int gop_frames;  /* > 0: a stream, and the most frames from one key frame to the next; AV1: from 2 */
    bool scene_keys; /* scenes that change may begin with a key frame (H.264, HEVC; never in AV1 and NVENC) */
    sh_encoder_rate rate_control; /* other than SH_ENCODER_QUALITY in streams only */
    int64_t bitrate;              /* bits a second; SH_ENCODER_VARIABLE and SH_ENCODER_CONSTANT */
    int64_t max_bitrate; /* the ceiling, bits a second: what a decoder's buffer is filled with; 0: none */
    int64_t buffer_bits; /* that buffer; 0: what max_bitrate (or the constant rate) gives in 1.5 s */
    double buffer_fill;  /* of the buffer, 0 to 1, when the first frame is taken; 0: 0.9. Pieces of one
                          * stream that follow each other take 0.5 or less: none knows what the one
                          * before left */
    bool fixed_rate;     /* `rate` holds for every frame, and the stream's headers may say so */
    const char *profile; /* baseline main high high10 high422 (H.264), main main10 (HEVC), main (AV1);
                          * NULL: what the pictures need */
    const char *level;   /* "4.1", "5"; NULL: what the pictures and the rate need */
    int b_frames;        /* between two others; -1: the preset's */
    int references;      /* pictures referred to; -1: the preset's */
    bool delimiters;     /* access unit delimiters (MPEG-TS) */
} sh_encoder_settings;

/* Neutral settings: nothing tagged, defaults of the encoder, one thread, pieces of 250 frames. */
void sh_encoder_settings_default(sh_encoder_settings *settings);
/* global_header and tag, as `muxer` wants them. */
void sh_encoder_settings_for(sh_encoder_settings *settings, const AVOutputFormat *muxer);
/* What the plan decides, and the former. Strings stay borrowed from the plan. Threads and options are the
 * caller's to set. */
void sh_encoder_settings_from_plan(sh_encoder_settings *settings, const struct sh_plan *plan,
                                   const AVOutputFormat *muxer);

/* ---- what there is ---- */

typedef struct sh_encoder_info {
    const char *name;  /* as --encoder takes it */
    const char *title; /* for messages: "x264" */
    enum AVCodecID codec;
    const char *preset; /* by default */
    double crf;         /* by default: similar quality from each */
    double crf_min, crf_max;
    bool crf_whole;                      /* whole numbers only */
    const char *crf_name;                /* "CRF", or "CQ" */
    int width_min, height_min, side_max; /* of the picture */
    int64_t area_max;                    /* samples of luma */
    bool hardware;                       /* needs a device, hence no confinement; bytes are not promised */
    bool reproducible;
} sh_encoder_info;

/* NULL when there is none of this name. */
const sh_encoder_info *sh_encoder_find(const char *name);
/* Row i of the list, NULL behind the end; for help texts. */
const sh_encoder_info *sh_encoder_at(size_t i);
/* Versions of the encoder's library and of libavcodec, for the journal's fingerprint: "libavcodec 59.37.100,
 * x264 164". Never NULL; borrowed for ever. */
const char *sh_encoder_version(const char *name);

typedef struct sh_encoder_wish {
    const char *name;          /* "auto", NULL (the same), or one of the names */
    enum AVPixelFormat format; /* that the pictures have: bits and subsampling are to be kept */
    int width, height;
    bool hdr;                    /* PQ or HLG */
    bool hardware;               /* a device may be opened (not confined) */
    const AVOutputFormat *muxer; /* or NULL */
} sh_encoder_wish;

/* Resolves a wish: *info gets the encoder, `reason` (may be NULL) one line that says why it was chosen. auto:
 * HEVC for 10 bit and HDR (by NVENC where hardware is allowed and really opens, else x265), H.264 for the
 * rest (likewise), HEVC again for pictures too large for H.264; then AV1. A named encoder is checked only:
 * built in, able to hold the format and size, allowed in the container. Fails in words (SH_E_UNSUPPORTED,
 * SH_E_LIMIT, SH_E_ARGUMENT for an unknown name). Opening hardware takes a second or so, once a process. */
int sh_encoder_choose(const sh_encoder_wish *wish, const sh_encoder_info **info, char *reason,
                      size_t reason_size, sh_err *err);
/* The format to encode `format` in: itself where the encoder takes it, else the nearest that keeps the bits
 * and the subsampling (yuvj420p: yuv420p with the range tagged). AV_PIX_FMT_NONE when something would be
 * lost. */
enum AVPixelFormat sh_encoder_format(const sh_encoder_info *info, enum AVPixelFormat format);
/* The options alone, before any work: syntax, refused keys, keys and values the encoder does not take. Opens
 * the encoder once for a small picture (milliseconds). SH_E_ARGUMENT with the encoder, the key and the
 * reason. */
int sh_encoder_check_options(const sh_encoder_settings *settings, sh_err *err);

/* Lets the encoders' libraries read what they want to know of the machine. Call it before a child is
 * confined, in the child or its parent; cheap, and without it x265 complains on standard error. */
void sh_encoder_before_confinement(void);

/* ---- one piece ---- */

/* SH_E_ARGUMENT for options, SH_E_LIMIT for sizes, SH_E_UNSUPPORTED for formats. *out untouched on failure.
 */
int sh_encoder_open(sh_encoder **out, const sh_encoder_settings *settings, sh_err *err);
void sh_encoder_close(sh_encoder **encoder); /* NULL and a pointer to NULL are fine; sets NULL */

/* Counts the frame in. pts must be set and increase; frame->pkt_duration > 0 becomes the packet's duration
 * (the frame's picture type and key flag are ignored). Takes its own reference: the frame stays the caller's
 * and may be unreferenced at once, but its samples must not be written while others hold it. NULL: the end,
 * once. Never asks to receive first: packets that are ready wait inside. */
int sh_encoder_send(sh_encoder *encoder, const AVFrame *frame, sh_err *err);
/* The same, and the frame becomes a key frame: a border of segments. Streams only; the first frame of any
 * encoder is one without being asked. */
int sh_encoder_send_key(sh_encoder *encoder, const AVFrame *frame, sh_err *err);

enum { SH_ENCODER_MORE = 0, SH_ENCODER_PACKET = 1, SH_ENCODER_END = 2 };
/* The next packet in decoding order, into `packet` (blank; unreferenced by the caller): pts, duration (0: not
 * known), flags, time_base set; dts is what the encoder says and is to be made anew over the joins: the nth
 * packet of the output has the (n - delay)th smallest pts. The first packet of a piece and no other has
 * AV_PKT_FLAG_KEY; in a stream each packet that begins a closed group has it. _MORE: wants frames; _END:
 * after NULL was sent, all packets are out and were as many as the frames; else SH_E_INTERNAL. */
int sh_encoder_receive(sh_encoder *encoder, AVPacket *packet, sh_err *err);

/* Codec, tag (hvc1 for HEVC), extradata, size, colours: what the container's track is made from. The same for
 * every piece of the same settings. Borrowed. */
const AVCodecParameters *sh_encoder_parameters(const sh_encoder *encoder);
/* SH_E_INTERNAL with the difference in words when this encoder's parameters are not `expected`'s. Call it for
 * every piece after the first. */
int sh_encoder_check_parameters(const sh_encoder *encoder, const AVCodecParameters *expected, sh_err *err);
/* Makes `stream` hold parameters, time base (a wish: the muxer may change it), frame rate, SAR and the side
 * data (mastering display, light level) that become boxes. */
int sh_encoder_describe(const sh_encoder *encoder, AVStream *stream, sh_err *err);
/* Packets by which decoding order runs ahead of display: 0 without B-frames. Constant for the settings. */
int sh_encoder_delay(const sh_encoder *encoder);

#endif
