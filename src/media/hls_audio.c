/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/hls_audio.h"
#include "base/log.h"
#include "media/sandbox.h"

#include <inttypes.h>
#include <libavutil/channel_layout.h>
#include <libavutil/opt.h>
#include <string.h>

/* A time stamp this far from where it should be is a gap or an overlap; less is rounding. */
#define JUMP_MS 100
#define SILENCE_MAX 3600 /* seconds; more is no gap but a broken clock */

static int open_decoder(sh_audio *audio, sh_err *err)
{
    const AVCodecParameters *parameters = audio->track->codecpar;
    const AVCodec *codec = avcodec_find_decoder(parameters->codec_id);
    audio->decoder = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!audio->decoder)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: there is no decoder for %s audio", audio->source->name,
                       avcodec_get_name(parameters->codec_id));
    int error = avcodec_parameters_to_context(audio->decoder, parameters);
    audio->decoder->pkt_timebase = audio->track->time_base;
    if (error >= 0)
        error = avcodec_open2(audio->decoder, codec, NULL);
    return error < 0 ? sh_av_fail(err, error, NULL, "%s: decoder of %s", audio->source->name, codec->name)
                     : 0;
}

static int open_encoder(sh_audio *audio, const sh_hls_audio *settings, sh_err *err)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    audio->encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    if (!audio->encoder)
        return sh_fail(err, SH_E_UNSUPPORTED, "this libavcodec has no AAC encoder");
    audio->encoder->bit_rate = settings->bitrate;
    audio->encoder->sample_rate = settings->sample_rate;
    audio->encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
    audio->encoder->time_base = (AVRational){1, settings->sample_rate};
    audio->encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER; /* the AudioSpecificConfig, for CODECS */
    av_channel_layout_default(&audio->encoder->ch_layout, settings->channels);
    int error = avcodec_open2(audio->encoder, codec, NULL);
    return error < 0 ? sh_av_fail(err, error, NULL, "AAC of %d Hz, %d channels and %" PRId64 " bit/s",
                                  settings->sample_rate, settings->channels, settings->bitrate)
                     : 0;
}

int sh_audio_open(sh_audio *audio, const sh_source *source, const sh_hls_audio *settings, int channel,
                  sh_err *err)
{
    int found = settings->wanted ? av_find_best_stream(source->format, AVMEDIA_TYPE_AUDIO, -1,
                                                       source->video->index, NULL, 0)
                                 : -1;
    *audio = (sh_audio){
        .source = source, .channel = channel, .origin = AV_NOPTS_VALUE, .expected = AV_NOPTS_VALUE};
    if (found < 0)
        return 0;
    audio->track = source->format->streams[found];
    audio->decoded = av_frame_alloc();
    audio->block = av_frame_alloc();
    audio->held = av_audio_fifo_alloc(AV_SAMPLE_FMT_FLTP, settings->channels, 4096);
    if (!audio->decoded || !audio->block || !audio->held)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    int status = open_decoder(audio, err);
    return status < 0 ? status : open_encoder(audio, settings, err);
}

void sh_audio_close(sh_audio *audio)
{
    swr_free(&audio->resampler);
    av_audio_fifo_free(audio->held);
    audio->held = NULL;
    avcodec_free_context(&audio->decoder);
    avcodec_free_context(&audio->encoder);
    av_channel_layout_uninit(&audio->layout);
    av_frame_free(&audio->decoded);
    av_frame_free(&audio->block);
}

static int start_resampler(sh_audio *audio, sh_err *err)
{
    AVFrame *frame = audio->decoded;
    int error = swr_alloc_set_opts2(&audio->resampler, &audio->encoder->ch_layout, audio->encoder->sample_fmt,
                                    audio->encoder->sample_rate, &frame->ch_layout, frame->format,
                                    frame->sample_rate, 0, NULL);
    if (error >= 0)
        error = swr_init(audio->resampler);
    if (error >= 0)
        error = av_channel_layout_copy(&audio->layout, &frame->ch_layout);
    audio->rate = frame->sample_rate;
    audio->format = frame->format;
    return error < 0 ? sh_av_fail(err, error, NULL, "%s: its audio cannot be converted", audio->source->name)
                     : 0;
}

/* ---- encoding ---- */

static int drain(sh_audio *audio, sh_audio_take take, void *opaque, sh_err *err)
{
    AVPacket *packet = av_packet_alloc();
    int status = packet ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    while (status == 0) {
        int error = avcodec_receive_packet(audio->encoder, packet);
        if (error == AVERROR(EAGAIN) || error == AVERROR_EOF)
            break;
        status =
            error < 0 ? sh_av_fail(err, error, NULL, "the AAC encoder fails") : take(opaque, packet, err);
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    return status;
}

static int new_block(sh_audio *audio, int samples, sh_err *err)
{
    AVFrame *block = audio->block;
    av_frame_unref(block);
    block->nb_samples = samples;
    block->format = audio->encoder->sample_fmt;
    block->sample_rate = audio->encoder->sample_rate;
    if (av_channel_layout_copy(&block->ch_layout, &audio->encoder->ch_layout) < 0 ||
        av_frame_get_buffer(block, 0) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    return 0;
}

/* Converts `count` samples (data NULL: what the resampler still holds) into the line before the encoder. */
static int convert(sh_audio *audio, const uint8_t **data, int count, sh_err *err)
{
    int room = swr_get_out_samples(audio->resampler, count);
    if (room <= 0)
        return room < 0 ? sh_av_fail(err, room, NULL, "the audio cannot be converted") : 0;
    int status = new_block(audio, room, err);
    if (status < 0)
        return status;
    int got = swr_convert(audio->resampler, audio->block->extended_data, room, data, count);
    if (got < 0)
        return sh_av_fail(err, got, NULL, "the audio cannot be converted");
    if (av_audio_fifo_write(audio->held, (void **)audio->block->extended_data, got) < got)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    return 0;
}

/* Encodes full blocks, and at the end the rest. */
static int encode_held(sh_audio *audio, bool end, sh_audio_take take, void *opaque, sh_err *err)
{
    const int size = audio->encoder->frame_size;
    int status = 0;
    while (status == 0) {
        int held = av_audio_fifo_size(audio->held), count = held < size ? held : size;
        if (held < size && !(end && held > 0))
            break;
        status = new_block(audio, count, err);
        if (status < 0)
            break;
        if (av_audio_fifo_read(audio->held, (void **)audio->block->extended_data, count) < count)
            return sh_fail(err, SH_E_INTERNAL, "audio samples are missing");
        audio->block->pts = audio->origin + audio->samples;
        audio->samples += count;
        int error = avcodec_send_frame(audio->encoder, audio->block);
        status = error < 0 ? sh_av_fail(err, error, NULL, "the AAC encoder refuses a block")
                           : drain(audio, take, opaque, err);
    }
    return status;
}

/* ---- decoding ---- */

/* A track may change its rate or channels on the way, as broadcasts do between films: what the resampler
 * holds of the old kind comes out before it is set up for the new one. */
static int prepare_resampler(sh_audio *audio, sh_err *err)
{
    const AVFrame *frame = audio->decoded;
    if (audio->resampler && audio->format == frame->format && audio->rate == frame->sample_rate &&
        av_channel_layout_compare(&audio->layout, &frame->ch_layout) == 0)
        return 0;
    if (audio->resampler) {
        sh_channel_log(audio->channel, SH_LOG_WARNING,
                       "%s: its audio changes from %d channels at %d Hz to %d at %d Hz", audio->source->name,
                       audio->layout.nb_channels, audio->rate, frame->ch_layout.nb_channels,
                       frame->sample_rate);
        int status = convert(audio, NULL, 0, err);
        if (status < 0)
            return status;
        audio->expected = av_rescale(audio->expected, frame->sample_rate, audio->rate);
        swr_free(&audio->resampler);
    }
    return start_resampler(audio, err);
}

static int fill_gap(sh_audio *audio, int64_t samples, sh_err *err)
{
    const int rate = audio->decoded->sample_rate;
    if (samples > (int64_t)rate * SILENCE_MAX)
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: its audio jumps %.0f s ahead; at most %d s are filled",
                       audio->source->name, (double)samples / rate, SILENCE_MAX);
    sh_channel_log(audio->channel, SH_LOG_WARNING, "%s: %.3f s of audio are missing; silence stands for them",
                   audio->source->name, (double)samples / rate);
    int error = swr_inject_silence(audio->resampler, (int)samples);
    audio->expected += samples;
    return error < 0 ? sh_av_fail(err, error, NULL, "the audio cannot be converted") : 0;
}

/* Where the decoded samples belong against where they would land: silence in between, or a cut of the first
 * *cut samples. */
static int align(sh_audio *audio, int *cut, sh_err *err)
{
    const AVFrame *frame = audio->decoded;
    const AVRational rate = {1, frame->sample_rate};
    const int64_t jump = (int64_t)frame->sample_rate * JUMP_MS / 1000;
    *cut = 0;
    if (frame->best_effort_timestamp == AV_NOPTS_VALUE)
        return 0;
    int64_t at = av_rescale_q(frame->best_effort_timestamp, audio->track->time_base, rate);
    if (audio->origin == AV_NOPTS_VALUE) {
        audio->origin = av_rescale_q(at, rate, audio->encoder->time_base);
        audio->expected = at;
        return 0;
    }
    int64_t off = at - audio->expected;
    if (off > jump)
        return fill_gap(audio, off, err);
    if (off < -jump) {
        *cut = -off < frame->nb_samples ? (int)-off : frame->nb_samples;
        sh_channel_log(audio->channel, SH_LOG_WARNING, "%s: audio overlaps by %.3f s; %d samples are cut",
                       audio->source->name, -(double)off / frame->sample_rate, *cut);
    }
    return 0;
}

static int take_decoded(sh_audio *audio, sh_audio_take take, void *opaque, sh_err *err)
{
    AVFrame *frame = audio->decoded;
    const uint8_t *data[AV_NUM_DATA_POINTERS * 8];
    int cut = 0;
    int status = prepare_resampler(audio, err);
    if (status == 0)
        status = align(audio, &cut, err);
    if (status < 0)
        return status;
    if (audio->origin == AV_NOPTS_VALUE)
        audio->origin = audio->expected = 0;
    const bool planar = av_sample_fmt_is_planar(frame->format);
    const int planes = planar ? frame->ch_layout.nb_channels : 1;
    const int step = av_get_bytes_per_sample(frame->format) * (planar ? 1 : frame->ch_layout.nb_channels);
    if (planes > (int)(sizeof(data) / sizeof(data[0])))
        return sh_fail(err, SH_E_UNSUPPORTED, "%s: %d channels of audio", audio->source->name, planes);
    for (int i = 0; i < planes; i++)
        data[i] = frame->extended_data[i] + (ptrdiff_t)cut * step;
    audio->expected += frame->nb_samples - cut;
    status = convert(audio, data, frame->nb_samples - cut, err);
    return status < 0 ? status : encode_held(audio, false, take, opaque, err);
}

static void note_damage(sh_audio *audio, const AVPacket *packet)
{
    if (audio->damages++ < 10)
        sh_channel_log(audio->channel, SH_LOG_WARNING, "%s: audio at byte %" PRId64 " cannot be decoded",
                       audio->source->name, packet ? packet->pos : -1);
}

int sh_audio_feed(sh_audio *audio, const AVPacket *packet, sh_audio_take take, void *opaque, sh_err *err)
{
    int status = 0;
    int error = avcodec_send_packet(audio->decoder, packet);
    if (error < 0 && error != AVERROR_EOF)
        note_damage(audio, packet);
    while (status == 0 &&
           (error = avcodec_receive_frame(audio->decoder, audio->decoded)) != AVERROR(EAGAIN) &&
           error != AVERROR_EOF) {
        if (error < 0)
            note_damage(audio, packet);
        else
            status = take_decoded(audio, take, opaque, err);
        if (error == AVERROR(ENOMEM))
            status = sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    if (status == 0 && !packet && audio->resampler) {
        status = convert(audio, NULL, 0, err);
        if (status == 0)
            status = encode_held(audio, true, take, opaque, err);
        if (status == 0 && avcodec_send_frame(audio->encoder, NULL) >= 0)
            status = drain(audio, take, opaque, err);
    }
    return status;
}
