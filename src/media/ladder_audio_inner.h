/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_LADDER_AUDIO_INNER_H
#define SH_MEDIA_LADDER_AUDIO_INNER_H
/* A rendition of audio: decoded samples of one track in, AAC out. ladder_audio.c reads and decodes. */
#include "media/ladder_audio.h"
#include <libavutil/audio_fifo.h>
#include <libswresample/swresample.h>

typedef struct sh_voice {
    sh_sound_rendition asked;
    AVCodecContext *encoder;
    AVCodecParameters *parameters;
    SwrContext *resampler;
    AVChannelLayout layout; /* what the resampler takes */
    int rate, format;
    AVAudioFifo *held; /* converted, not yet encoded */
    AVFrame *block;
    AVPacket *packet;
    int64_t arrived; /* samples of the track that have come in, from the presentation's zero on */
    int64_t sent;    /* samples given to the encoder */
    int64_t given;   /* packets given out */
    int64_t end;     /* samples; what comes behind is silence. INT64_MAX: not known yet */
} sh_voice;

/* asked: with nothing left open. On failure sh_voice_close is the caller's. */
int sh_voice_open(sh_voice *voice, const sh_sound_rendition *asked, sh_err *err);
void sh_voice_close(sh_voice *voice); /* all-zero is fine */
/* Before samples of a kind that may differ from the ones before. */
int sh_voice_kind(sh_voice *voice, AVFrame *frame, sh_err *err);
/* Takes samples in, NULL: what the resampler still has. LIMIT: too many that nobody takes. */
int sh_voice_put(sh_voice *voice, const uint8_t *const *data, int count, sh_err *err);
/* Whether there is a block for the encoder. */
bool sh_voice_ready(const sh_voice *voice);
/* 1: *packet is the next one; 0: more samples are needed (the encoder answers some blocks late). `over`: the
 * track has no more of them, so silence stands for those that miss; then 0 means: again. */
int sh_voice_make(sh_voice *voice, bool over, AVPacket *packet, sh_err *err);

#endif
