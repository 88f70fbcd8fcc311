/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_ENCODE_ROW_H
#define SH_MEDIA_ENCODE_ROW_H
/* What the encoders differ in: one row each, one file each (x264.c, x265.c, svtav1.c, nvenc.c). For encode.c
 * and its helpers only. */
#include "media/encode.h"

/* A picture's size, format, tags, clock, threads. Shared with the encoder of streams (h264.h). */
void sh_codec_tags(AVCodecContext *codec, const sh_encoder_settings *settings);

typedef struct sh_encoder_row {
    sh_encoder_info info;
    /* The private option that takes the encoder's own keys as a dictionary; NULL: -o means libavcodec's
     * options. */
    const char *native;
    /* Sets what makes pieces; `own` gets keys for the `native` dictionary, behind those of a person. */
    int (*configure)(AVCodecContext *codec, const sh_encoder_settings *settings, AVDictionary **own,
                     sh_err *err);
    bool must_end; /* closing it before it has given all its packets hangs */
    bool grid;     /* key frames come every gop_frames and nowhere else, whatever it is asked */
    /* Its library's version, "" when not known; size > 0. */
    void (*version)(char *text, size_t size);
} sh_encoder_row;

extern const sh_encoder_row sh_encoder_x264, sh_encoder_x265, sh_encoder_svtav1, sh_encoder_h264_nvenc,
    sh_encoder_hevc_nvenc;

const sh_encoder_row *sh_encoder_row_of(const char *name); /* or NULL */

/* Encodes a small picture and finds, in the message that x264 and x265 leave in the stream about themselves,
 * the text that starts with `mark` and ends before `stop`. "" when there is none. */
void sh_encoder_own_words(const char *name, const char *mark, const char *stop, char *text, size_t size);

/* encode_options.c. Splits and checks what a person gave: own keys go into *native, `tune` and `profile`
 * (and, without a native dictionary, all) into the codec. */
int sh_encoder_apply_options(AVCodecContext *codec, const sh_encoder_row *row,
                             const sh_encoder_settings *settings, AVDictionary **native, sh_err *err);
/* Finds in what the libraries said during opening that a key was not taken. 0 when all were. */
int sh_encoder_find_complaint(const sh_encoder_row *row, const char *said, sh_err *err);

/* ---- encode_stream.c ---- */

/* What a stream may ask of any encoder; and that a piece asks for none of it. */
int sh_encoder_check_stream(const sh_encoder_settings *settings, sh_err *err);
/* The most bits a second that come in: the ceiling, or the constant rate. 0: no bound. */
int64_t sh_encoder_ceiling(const sh_encoder_settings *settings);
double sh_encoder_fill(const sh_encoder_settings *settings);
/* Rate, buffer, B-frames and references into the fields that the wrappers share. Nothing for a piece. */
void sh_encoder_steer(AVCodecContext *codec, const sh_encoder_settings *settings);

/* The packets of a stream as they come. */
typedef struct sh_encoder_groups {
    int64_t packets;
    int since;           /* packets after the last key frame's */
    int64_t first, last; /* pts of the last key frame; the greatest pts */
} sh_encoder_groups;
/* start: the packet's bytes begin a group; key: that was asked for. */
int sh_encoder_judge(sh_encoder_groups *groups, const sh_encoder_settings *settings, const char *title,
                     bool start, bool key, int64_t pts, sh_err *err);
/* A copy of all strings. */
int sh_encoder_keep(sh_encoder_settings *kept, const sh_encoder_settings *settings, sh_err *err);
void sh_encoder_let_go(sh_encoder_settings *kept); /* frees them; blank ones are fine */

/* encode_choose.c. Size and format against the row's limits. */
int sh_encoder_check_picture(const sh_encoder_info *info, int width, int height, enum AVPixelFormat format,
                             sh_err *err);

/* nvenc.c. A frame of planar 10 bits as P010, which is what NVENC takes. */
int sh_nvenc_convert(AVFrame *frame);
/* NVENC writes no chroma location: puts it into the parameter sets of extradata. */
int sh_nvenc_tell_siting(AVCodecParameters *parameters, enum AVChromaLocation siting, sh_err *err);
enum AVPixelFormat sh_nvenc_format(enum AVPixelFormat format);

#endif
