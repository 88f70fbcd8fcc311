/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_H264_H
#define SH_MEDIA_H264_H
/* libx264 as an encoder of pictures, counted in and out. */
#include "base/err.h"
#include <libavcodec/avcodec.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct sh_h264_settings {
    int width, height;
    enum AVPixelFormat format;
    AVRational time_base, rate, sar; /* rate 0/1: not known */
    enum AVColorRange range;
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic transfer;
    enum AVColorSpace matrix;
    enum AVChromaLocation siting;
    const char *preset, *profile, *level;      /* profile, level: NULL for what the stream needs */
    double crf;                                /* < 0: by bit rate */
    int64_t bitrate, max_bitrate, buffer_bits; /* 0: none */
    bool constant;                             /* CBR, filled up */
    int gop;                                   /* longest distance of key pictures; 0: x264's own */
    bool scene_cuts;
    int b_frames, references; /* -1: the preset's */
    bool global_header;
    bool access_unit_delimiters;
    int threads;
} sh_h264_settings;

/* Settings with the tags, time base and rate not set and the rest neutral. */
void sh_h264_defaults(sh_h264_settings *settings);
int sh_h264_open(AVCodecContext **out, const sh_h264_settings *settings, sh_err *err);

#endif
