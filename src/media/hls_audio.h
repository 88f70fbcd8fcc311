/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_MEDIA_HLS_AUDIO_H
#define SH_MEDIA_HLS_AUDIO_H
/* A source's audio track as AAC: decode, bring to rate and channels, encode. Time stamps are those of the
 * source: a gap is filled with silence, an overlap is cut; the source's rate and channels may change on the
 * way. */
#include "media/hls_job.h"
#include "media/source.h"
#include <libavutil/audio_fifo.h>
#include <libswresample/swresample.h>

typedef struct sh_audio {
    const AVStream *track;
    AVCodecContext *decoder, *encoder;
    SwrContext *resampler;
    AVChannelLayout layout; /* what the resampler takes */
    int rate, format;
    AVAudioFifo *held; /* converted, not yet encoded */
    AVFrame *decoded, *block;
    const sh_source *source;
    int channel;
    int64_t origin;   /* first sample's place, in samples of the output; AV_NOPTS_VALUE before it */
    int64_t samples;  /* given to the encoder */
    int64_t expected; /* place of the next decoded sample, source samples; AV_NOPTS_VALUE: not known */
    int64_t damages;
} sh_audio;

/* Chooses the default track; *audio stays zero where there is none. */
int sh_audio_open(sh_audio *audio, const sh_source *source, const sh_hls_audio *settings, int channel,
                  sh_err *err);
void sh_audio_close(sh_audio *audio);
/* packet NULL: the end. Encoded packets go to `take`, which owns what the packet refers to; time base of
 * audio->encoder, on the source's clock. */
typedef int (*sh_audio_take)(void *opaque, AVPacket *packet, sh_err *err);
int sh_audio_feed(sh_audio *audio, const AVPacket *packet, sh_audio_take take, void *opaque, sh_err *err);

#endif
