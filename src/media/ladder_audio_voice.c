/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resampling and encoding. The encoder is given whole blocks only, and one at a time, when a packet is asked
 * for: so what a packet holds does not depend on how far the file has been read. It answers a block or two
 * later; it is never flushed, silence behind the end pushes the last packets out. */
#include "base/err.h"
#include "media/ladder_audio_inner.h"
#include "media/source.h"

#include <inttypes.h>
#include <libavutil/channel_layout.h>
#include <libavutil/samplefmt.h>

#define BLOCK 1024
#define HELD_SAMPLES (INT64_C(1) << 24) /* six minutes at 48 kHz */

static int open_encoder(sh_voice *voice, sh_err *err)
{
    const sh_sound_rendition *asked = &voice->asked;
    const AVCodec *codec = avcodec_find_encoder_by_name("aac");
    AVCodecContext *encoder = voice->encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!encoder)
        return sh_fail(err, SH_E_UNSUPPORTED, "this libavcodec has no AAC encoder");
    encoder->bit_rate = asked->bitrate;
    encoder->sample_rate = asked->sample_rate;
    encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
    encoder->time_base = (AVRational){1, asked->sample_rate};
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    encoder->thread_count = 1;
    av_channel_layout_default(&encoder->ch_layout, asked->channels);
    int error = avcodec_open2(encoder, codec, NULL);
    if (error < 0)
        return sh_av_fail(err, error, NULL, "AAC of %d Hz, %d channels and %" PRId64 " bit/s",
                          asked->sample_rate, asked->channels, asked->bitrate);
    if (encoder->frame_size != BLOCK || encoder->initial_padding < 0)
        return sh_fail(err, SH_E_INTERNAL, "the AAC encoder has blocks of %d samples", encoder->frame_size);
    voice->parameters = avcodec_parameters_alloc();
    if (!voice->parameters || avcodec_parameters_from_context(voice->parameters, encoder) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    return 0;
}

int sh_voice_open(sh_voice *voice, const sh_sound_rendition *asked, sh_err *err)
{
    voice->asked = *asked;
    voice->end = INT64_MAX;
    voice->block = av_frame_alloc();
    voice->packet = av_packet_alloc();
    voice->held = av_audio_fifo_alloc(AV_SAMPLE_FMT_FLTP, asked->channels, 4 * BLOCK);
    if (!voice->block || !voice->packet || !voice->held)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    return open_encoder(voice, err);
}

void sh_voice_close(sh_voice *voice)
{
    swr_free(&voice->resampler);
    if (voice->held)
        av_audio_fifo_free(voice->held);
    voice->held = NULL;
    avcodec_free_context(&voice->encoder);
    avcodec_parameters_free(&voice->parameters);
    av_channel_layout_uninit(&voice->layout);
    av_frame_free(&voice->block);
    av_packet_free(&voice->packet);
}

/* ---- samples in ---- */

int sh_voice_kind(sh_voice *voice, AVFrame *frame, sh_err *err)
{
    if (voice->resampler && voice->format == frame->format && voice->rate == frame->sample_rate &&
        av_channel_layout_compare(&voice->layout, &frame->ch_layout) == 0)
        return 0;
    int status = voice->resampler ? sh_voice_put(voice, NULL, 0, err) : 0;
    if (status < 0)
        return status;
    swr_free(&voice->resampler);
    int error = swr_alloc_set_opts2(&voice->resampler, &voice->encoder->ch_layout, AV_SAMPLE_FMT_FLTP,
                                    voice->encoder->sample_rate, &frame->ch_layout, frame->format,
                                    frame->sample_rate, 0, NULL);
    if (error >= 0)
        error = swr_init(voice->resampler);
    if (error >= 0)
        error = av_channel_layout_copy(&voice->layout, &frame->ch_layout);
    voice->rate = frame->sample_rate;
    voice->format = frame->format;
    return error < 0 ? sh_av_fail(err, error, NULL, "audio of %d Hz and %d channels cannot be converted",
                                  frame->sample_rate, frame->ch_layout.nb_channels)
                     : 0;
}

static int new_block(sh_voice *voice, int samples, sh_err *err)
{
    AVFrame *block = voice->block;
    av_frame_unref(block);
    block->format = AV_SAMPLE_FMT_FLTP;
    block->nb_samples = samples;
    block->sample_rate = voice->encoder->sample_rate;
    if (av_channel_layout_copy(&block->ch_layout, &voice->encoder->ch_layout) < 0 ||
        av_frame_get_buffer(block, 0) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    return 0;
}

int sh_voice_put(sh_voice *voice, const uint8_t *const *data, int count, sh_err *err)
{
    if (!voice->resampler)
        return 0;
    const int room = swr_get_out_samples(voice->resampler, count);
    if (room <= 0)
        return 0;
    if (av_audio_fifo_size(voice->held) + (int64_t)room > HELD_SAMPLES)
        return sh_fail(err, SH_E_LIMIT, "more than %" PRId64 " samples of audio wait", HELD_SAMPLES);
    int status = new_block(voice, room, err);
    if (status < 0)
        return status;
    int got = swr_convert(voice->resampler, voice->block->extended_data, room, (const uint8_t **)data, count);
    if (got < 0)
        return sh_av_fail(err, got, NULL, "the audio cannot be converted");
    if (got > 0 && av_audio_fifo_write(voice->held, (void **)voice->block->extended_data, got) < got)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    voice->arrived += got;
    return 0;
}

/* ---- packets out ---- */

static int64_t wanted(const sh_voice *voice)
{
    const int64_t left = voice->end > voice->sent ? voice->end - voice->sent : 0;
    return left < BLOCK ? left : BLOCK;
}

bool sh_voice_ready(const sh_voice *voice)
{
    return av_audio_fifo_size(voice->held) >= wanted(voice);
}

static int send_block(sh_voice *voice, bool over, sh_err *err)
{
    const int64_t want = wanted(voice);
    const int held = av_audio_fifo_size(voice->held);
    if (held < want && !over)
        return sh_fail(err, SH_E_INTERNAL, "audio samples are missing");
    int status = new_block(voice, BLOCK, err);
    if (status < 0)
        return status;
    const int take = held < want ? held : (int)want;
    if (take > 0 && av_audio_fifo_read(voice->held, (void **)voice->block->extended_data, take) < take)
        return sh_fail(err, SH_E_INTERNAL, "audio samples are missing");
    av_samples_set_silence(voice->block->extended_data, take, BLOCK - take,
                           voice->encoder->ch_layout.nb_channels, AV_SAMPLE_FMT_FLTP);
    voice->block->pts = voice->sent;
    voice->sent += BLOCK;
    int error = avcodec_send_frame(voice->encoder, voice->block);
    return error < 0 ? sh_av_fail(err, error, NULL, "the AAC encoder refuses a block") : 0;
}

/* 1: *packet; 0: the encoder wants more. */
static int receive(sh_voice *voice, AVPacket *packet, sh_err *err)
{
    int error = avcodec_receive_packet(voice->encoder, voice->packet);
    if (error == AVERROR(EAGAIN))
        return 0;
    if (error < 0)
        return sh_av_fail(err, error, NULL, "the AAC encoder fails");
    const int64_t pts = voice->given * BLOCK - voice->encoder->initial_padding;
    if (voice->packet->pts != pts)
        return sh_fail(err, SH_E_INTERNAL, "the AAC encoder gives time %" PRId64 " instead of %" PRId64,
                       voice->packet->pts, pts);
    av_packet_move_ref(packet, voice->packet);
    packet->dts = packet->pts;
    packet->duration = BLOCK;
    packet->time_base = voice->encoder->time_base;
    packet->flags |= AV_PKT_FLAG_KEY;
    voice->given++;
    return 1;
}

int sh_voice_make(sh_voice *voice, bool over, AVPacket *packet, sh_err *err)
{
    int status = receive(voice, packet, err);
    if (status == 0 && (over || sh_voice_ready(voice))) {
        status = send_block(voice, over, err);
        if (status == 0)
            status = receive(voice, packet, err);
    }
    return status;
}
