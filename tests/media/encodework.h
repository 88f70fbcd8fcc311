/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ENCODEWORK_H
#define ENCODEWORK_H
/* Pieces of a made-up film, encoded and decoded back. */
#include "media/encode.h"

enum { WIDTH = 128, HEIGHT = 96, FRAMES = 26, ENCODERS = 3 };
extern const char *const encoder_names[ENCODERS];
extern const AVMasteringDisplayMetadata hdr_display;

/* Picture n, which moves, with a cut to another scene; pts of a varying rate. */
AVFrame *make_frame(enum AVPixelFormat format, int width, int height, int n);
void encoder_settings(sh_encoder_settings *s, const char *name);
void set_hdr(sh_encoder_settings *s);

typedef void (*dresser)(AVFrame *frame, int n);
typedef void (*looker)(const AVFrame *frame, int n);

typedef struct piece {
    AVPacket *packets[FRAMES];
    int count, delay;
    AVCodecParameters *parameters;
} piece;

/* calls: receive after every so many frames; 0: only at the end. dress may be NULL. */
void encode_piece(piece *p, const sh_encoder_settings *settings, int frames, int calls, dresser dress);
void piece_free(piece *p);
/* Decodes with extradata as a container would give it; returns the PSNR of luma. look may be NULL. */
double decode_piece(const piece *p, int frames, const sh_encoder_settings *s, looker look);
/* One place to start, times and durations of every frame, the decoding times that a muxer will make. */
void check_packets(const piece *p);
void check_same(const piece *a, const piece *b);
size_t bytes_of(const piece *p);

#endif
