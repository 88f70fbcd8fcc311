/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/ladder_text.h"
#include "base/log.h"
#include "media/ladder_text_inner.h"
#include "media/sandbox.h"
#include "media/source.h"
#include "media/source_inner.h"

#include <libavutil/mathematics.h>
#include <libavutil/opt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAID_MAX 10
#define TRACKS_MAX 64

bool sh_text_fits(const AVStream *stream)
{
    switch (stream->codecpar->codec_id) {
    case AV_CODEC_ID_MOV_TEXT:
    case AV_CODEC_ID_SUBRIP:
    case AV_CODEC_ID_SRT:
    case AV_CODEC_ID_WEBVTT:
    case AV_CODEC_ID_ASS:
    case AV_CODEC_ID_SSA:
    case AV_CODEC_ID_TEXT:
        return avcodec_find_decoder(stream->codecpar->codec_id) != NULL;
    default:
        return false;
    }
}

/* ---- tracks of a file ---- */

typedef struct work {
    const sh_text_settings *settings;
    sh_source source;
    AVCodecContext *decoders[TRACKS_MAX];
} work;

static void copy_word(char *to, size_t size, const AVStream *stream, const char *key)
{
    const AVDictionaryEntry *entry = av_dict_get(stream->metadata, key, NULL, 0);
    snprintf(to, size, "%s", entry ? entry->value : "");
    sh_text_mend(to);
}

static void describe(sh_text *text, const AVStream *stream)
{
    copy_word(text->language, sizeof(text->language), stream, "language");
    copy_word(text->title, sizeof(text->title), stream, "title");
    text->forced = stream->disposition & AV_DISPOSITION_FORCED;
    text->hearing_impaired = stream->disposition & AV_DISPOSITION_HEARING_IMPAIRED;
    text->is_default = stream->disposition & AV_DISPOSITION_DEFAULT;
}

static int open_track(work *w, size_t i, sh_text *text, sh_err *err)
{
    const int number = text->track = w->settings->tracks[i];
    const AVFormatContext *format = w->source.format;
    if (number < 0)
        return 0;
    if ((unsigned)number >= format->nb_streams || !sh_text_fits(format->streams[number]))
        return sh_fail(err, SH_E_ARGUMENT, "%s: track %d is no text", w->settings->name, number);
    const AVStream *stream = format->streams[number];
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    AVCodecContext *decoder = w->decoders[i] = avcodec_alloc_context3(codec);
    if (!decoder)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    int error = avcodec_parameters_to_context(decoder, stream->codecpar);
    decoder->pkt_timebase = stream->time_base;
    if (error >= 0)
        error = avcodec_open2(decoder, codec, NULL);
    describe(text, stream);
    return error < 0 ? sh_av_fail(err, error, NULL, "%s: decoder of %s", w->settings->name, codec->name) : 0;
}

/* The video's packets are what the clock of a transport stream is mended by. */
static void discard_others(work *w)
{
    AVFormatContext *format = w->source.format;
    const bool clock = format->iformat->flags & AVFMT_TS_DISCONT;
    for (unsigned i = 0; i < format->nb_streams; i++) {
        bool wanted = clock && format->streams[i] == w->source.video;
        for (size_t k = 0; k < w->settings->count; k++)
            wanted |= w->settings->tracks[k] == (int)i;
        if (!wanted)
            format->streams[i]->discard = AVDISCARD_ALL;
    }
}

static void note_bad(const work *w, sh_text *text, int64_t start_us)
{
    if (text->dropped++ < SAID_MAX)
        sh_channel_log(w->settings->channel, SH_LOG_WARNING,
                       "%s: the text at %.3f s (track %d) cannot be decoded and is left out",
                       w->settings->name, (double)start_us / AV_TIME_BASE, text->track);
}

static int take_packet(work *w, size_t i, sh_text *text, AVPacket *packet, sh_err *err)
{
    const AVRational clock = w->source.format->streams[text->track]->time_base;
    AVSubtitle said = {0};
    int got = 0, status = 0;
    if (packet->pts == AV_NOPTS_VALUE || packet->size == 0)
        return 0;
    const int64_t at = av_rescale_q(packet->pts, clock, AV_TIME_BASE_Q) - w->settings->zero_us;
    const int64_t lasts = packet->duration > 0 ? av_rescale_q(packet->duration, clock, AV_TIME_BASE_Q) : 0;
    int error = avcodec_decode_subtitle2(w->decoders[i], &said, &got, packet);
    if (error == AVERROR(ENOMEM))
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    if (error < 0) {
        note_bad(w, text, at + w->settings->zero_us);
    } else if (got) {
        const bool told =
            said.end_display_time > said.start_display_time && said.end_display_time < UINT32_MAX;
        const int64_t start = at + INT64_C(1000) * said.start_display_time;
        const int64_t end = lasts > 0 ? at + lasts : told ? at + INT64_C(1000) * said.end_display_time : 0;
        status = sh_text_add(text, &said, start, end > start ? end : start, err);
        avsubtitle_free(&said);
    }
    return status;
}

static int read_all(work *w, sh_text *texts, sh_err *err)
{
    AVPacket *packet = av_packet_alloc();
    int status = packet ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    while (status == 0 && !w->source.at_end) {
        status = sh_source_read(&w->source, packet, err);
        const bool got = status == 1;
        status = got ? 0 : status;
        for (size_t i = 0; i < w->settings->count && got && status == 0; i++)
            if (w->decoders[i] && texts[i].track == packet->stream_index)
                status = take_packet(w, i, &texts[i], packet, err);
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    return status;
}

int sh_text_read(sh_text *texts, const sh_text_settings *settings, sh_err *err)
{
    if (settings->count > TRACKS_MAX)
        return sh_fail(err, SH_E_LIMIT, "%zu text tracks; at most %d are read", settings->count, TRACKS_MAX);
    work *w = calloc(1, sizeof(*w));
    bool any = false;
    if (!w)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    w->settings = settings;
    w->source.name = settings->name;
    w->source.channel = settings->channel;
    w->source.accept_damage = true;
    int status = sh_source_open(&w->source, settings->fd, 1, err);
    /* what is wrong with the file is told by who reads the video */
    w->source.damages = w->source.jumps = SH_SAID_MAX;
    for (size_t i = 0; i < settings->count && status == 0; i++) {
        any |= settings->tracks[i] >= 0;
        status = open_track(w, i, &texts[i], err);
    }
    if (status == 0 && any) {
        discard_others(w);
        status = read_all(w, texts, err);
    }
    const int64_t end = settings->end_us == AV_NOPTS_VALUE ? INT64_MAX : settings->end_us - settings->zero_us;
    for (size_t i = 0; i < settings->count; i++) {
        avcodec_free_context(&w->decoders[i]);
        if (status == 0)
            sh_text_settle(&texts[i], end);
        else
            sh_text_free(&texts[i]);
    }
    sh_source_close(&w->source);
    free(w);
    return status;
}

/* ---- captions ---- */

struct sh_captions {
    AVCodecContext *decoder;
    AVPacket *packet;
    sh_text text;
};

int sh_captions_open(sh_captions **out, int field, sh_err *err)
{
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_EIA_608);
    if (field != 1 && field != 2)
        return sh_fail(err, SH_E_ARGUMENT, "field %d of captions: there are 1 and 2", field);
    if (!codec)
        return sh_fail(err, SH_E_UNSUPPORTED, "this libavcodec has no decoder for CEA-608 captions");
    sh_captions *c = calloc(1, sizeof(*c));
    if (!c)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    c->text.track = -1;
    c->packet = av_packet_alloc();
    c->decoder = avcodec_alloc_context3(codec);
    int status = c->packet && c->decoder ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0) {
        c->decoder->pkt_timebase = AV_TIME_BASE_Q;
        av_opt_set_int(c->decoder->priv_data, "data_field", field - 1, 0);
        int error = avcodec_open2(c->decoder, codec, NULL);
        status = error < 0 ? sh_av_fail(err, error, NULL, "CEA-608 captions") : 0;
    }
    if (status < 0)
        sh_captions_close(&c);
    else
        *out = c;
    return status;
}

void sh_captions_close(sh_captions **captions)
{
    if (!*captions)
        return;
    avcodec_free_context(&(*captions)->decoder);
    av_packet_free(&(*captions)->packet);
    sh_text_free(&(*captions)->text);
    free(*captions);
    *captions = NULL;
}

static int decode(sh_captions *c, sh_err *err)
{
    AVSubtitle said = {0};
    int got = 0, status = 0;
    int error = avcodec_decode_subtitle2(c->decoder, &said, &got, c->packet);
    if (error == AVERROR(ENOMEM))
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    if (error < 0)
        c->text.dropped++;
    if (error >= 0 && got) {
        const int64_t start = said.pts + INT64_C(1000) * said.start_display_time;
        const bool told =
            said.end_display_time > said.start_display_time && said.end_display_time < UINT32_MAX;
        const int64_t end = told ? said.pts + INT64_C(1000) * said.end_display_time : start;
        status = sh_text_add(&c->text, &said, start, end, err);
        avsubtitle_free(&said);
    }
    return status;
}

int sh_captions_frame(sh_captions *captions, const AVFrame *frame, int64_t time_us, sh_err *err)
{
    const AVFrameSideData *data = av_frame_get_side_data(frame, AV_FRAME_DATA_A53_CC);
    if (!data || data->size == 0 || data->size > INT32_MAX)
        return 0;
    if (av_new_packet(captions->packet, (int)data->size) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    memcpy(captions->packet->data, data->data, data->size);
    captions->packet->pts = captions->packet->dts = time_us;
    int status = decode(captions, err);
    av_packet_unref(captions->packet);
    return status;
}

int sh_captions_finish(sh_captions *captions, int64_t time_us, sh_text *text, sh_err *err)
{
    captions->packet->pts = captions->packet->dts = time_us;
    int status = decode(captions, err); /* empty: what is still shown */
    av_packet_unref(captions->packet);
    if (status < 0)
        return status;
    sh_text_settle(&captions->text, time_us);
    *text = captions->text;
    captions->text = (sh_text){.track = -1};
    return 0;
}
