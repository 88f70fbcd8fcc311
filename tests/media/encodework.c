/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "encodework.h"
#include "media/picture.h"
#include "media/sei.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SCENE = 12 };

const char *const encoder_names[ENCODERS] = {"libx264", "libx265", "libsvtav1"};

/* ---- pictures ---- */

static unsigned code_at(int plane, int x, int y, int n)
{
    const int scene = n >= SCENE;
    const double wave = sin((x + 2 * n + 31 * scene) * 0.11) + cos((y - n) * (scene ? 0.23 : 0.07));
    return (unsigned)(128 + (plane ? 20 : 50) * wave + (scene && !plane ? 10 : 0) + (x * 7 + y * 13 + n) % 5);
}

/* A picture that moves, cut to another scene at frame SCENE; pts of a varying rate. */
AVFrame *make_frame(enum AVPixelFormat format, int width, int height, int n)
{
    const AVPixFmtDescriptor *shape = av_pix_fmt_desc_get(format);
    const int depth = shape->comp[0].depth;
    AVFrame *frame = av_frame_alloc();
    frame->format = format;
    frame->width = width;
    frame->height = height;
    frame->pts = 9000 + n * 40 + (n % 3) * 5;
    frame->pkt_duration = 40 + n % 2;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    for (int plane = 0; plane < shape->nb_components; plane++) {
        const int w = plane ? AV_CEIL_RSHIFT(width, shape->log2_chroma_w) : width;
        const int h = plane ? AV_CEIL_RSHIFT(height, shape->log2_chroma_h) : height;
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                uint8_t *row = frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane];
                if (depth > 8)
                    ((uint16_t *)row)[x] = (uint16_t)(code_at(plane, x, y, n) << (depth - 8));
                else
                    row[x] = (uint8_t)code_at(plane, x, y, n);
            }
    }
    return frame;
}

void encoder_settings(sh_encoder_settings *s, const char *name)
{
    sh_encoder_settings_default(s);
    s->name = name;
    s->width = WIDTH;
    s->height = HEIGHT;
    s->rate = (AVRational){25, 1};
    s->time_base = (AVRational){1, 1000};
    s->threads = 2;
    s->range = AVCOL_RANGE_MPEG;
    s->primaries = AVCOL_PRI_BT709;
    s->transfer = AVCOL_TRC_BT709;
    s->matrix = AVCOL_SPC_BT709;
    s->siting = AVCHROMA_LOC_LEFT;
    s->preset = strcmp(name, "libsvtav1") == 0 ? "11" : "veryfast";
}

/* ---- a piece ---- */

static void take_ready(sh_encoder *encoder, piece *p, int until)
{
    sh_err err;
    for (;;) {
        AVPacket *packet = av_packet_alloc();
        int status = sh_encoder_receive(encoder, packet, &err);
        if (status < 0)
            fail_msg("%s", err.message);
        if (status != SH_ENCODER_PACKET) {
            av_packet_free(&packet);
            assert_int_equal(status, until);
            return;
        }
        assert_true(p->count < FRAMES);
        p->packets[p->count++] = packet;
    }
}

/* calls: receive after every so many frames; 0: only at the end. */
void encode_piece(piece *p, const sh_encoder_settings *settings, int frames, int calls, dresser dress)
{
    sh_encoder *encoder = NULL;
    sh_err err = {0};
    *p = (piece){0};
    if (sh_encoder_open(&encoder, settings, &err) < 0)
        fail_msg("%s", err.message);
    for (int n = 0; n < frames; n++) {
        AVFrame *frame = make_frame(settings->format, settings->width, settings->height, n);
        if (dress)
            dress(frame, n);
        if (sh_encoder_send(encoder, frame, &err) < 0)
            fail_msg("%s", err.message);
        av_frame_free(&frame);
        if (calls > 0 && n % calls == 0)
            take_ready(encoder, p, SH_ENCODER_MORE);
    }
    if (sh_encoder_send(encoder, NULL, &err) < 0)
        fail_msg("%s", err.message);
    take_ready(encoder, p, SH_ENCODER_END);
    assert_int_equal(p->count, frames);
    p->delay = sh_encoder_delay(encoder);
    p->parameters = avcodec_parameters_alloc();
    avcodec_parameters_copy(p->parameters, sh_encoder_parameters(encoder));
    sh_encoder_close(&encoder);
    assert_null(encoder);
}

void piece_free(piece *p)
{
    for (int i = 0; i < p->count; i++)
        av_packet_free(&p->packets[i]);
    avcodec_parameters_free(&p->parameters);
}

/* Decodes with extradata as a container would give it; returns the PSNR of luma. */
double decode_piece(const piece *p, int frames, const sh_encoder_settings *s, looker look)
{
    const AVCodec *codec = avcodec_find_decoder(p->parameters->codec_id);
    AVCodecContext *decoder = avcodec_alloc_context3(codec);
    AVFrame *frame = av_frame_alloc();
    double error = 0;
    int n = 0;
    assert_int_equal(avcodec_parameters_to_context(decoder, p->parameters), 0);
    decoder->pkt_timebase = s->time_base;
    decoder->framerate = s->rate;
    decoder->thread_count = 1;
    assert_int_equal(avcodec_open2(decoder, codec, NULL), 0);
    for (int i = 0; i <= p->count; i++) {
        assert_int_equal(avcodec_send_packet(decoder, i < p->count ? p->packets[i] : NULL), 0);
        while (avcodec_receive_frame(decoder, frame) == 0) {
            AVFrame *source = make_frame(s->format, s->width, s->height, n);
            const int wide = av_pix_fmt_desc_get(s->format)->comp[0].depth > 8;
            assert_int_equal(frame->pts, source->pts);
            assert_int_equal(frame->width, s->width);
            assert_int_equal(frame->height, s->height);
            if (av_pix_fmt_desc_get(s->format)->nb_components > 1) /* gray is decoded as 4:2:0 in H.264 */
                assert_int_equal(frame->format, s->format);
            for (int y = 0; y < s->height; y++)
                for (int x = 0; x < s->width; x++) {
                    const uint8_t *a = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
                    const uint8_t *b = source->data[0] + (ptrdiff_t)y * source->linesize[0];
                    double d =
                        wide ? (((const uint16_t *)a)[x] - ((const uint16_t *)b)[x]) / 4.0 : a[x] - b[x];
                    error += d * d;
                }
            if (look)
                look(frame, n);
            av_frame_free(&source);
            n++;
        }
    }
    assert_int_equal(n, frames);
    av_frame_free(&frame);
    avcodec_free_context(&decoder);
    return 10 * log10(255 * 255 * (double)s->width * s->height * frames / (error + 1e-9));
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

void check_packets(const piece *p)
{
    int64_t times[FRAMES];
    for (int i = 0; i < p->count; i++) {
        const AVPacket *packet = p->packets[i];
        const bool start = sh_sei_is_start(p->parameters->codec_id, packet->data, (size_t)packet->size);
        assert_int_equal(start, i == 0);
        assert_int_equal(packet->flags & AV_PKT_FLAG_KEY ? 1 : 0, i == 0);
        assert_int_equal(packet->duration, 40 + ((packet->pts - 9000) / 40) % 2);
        assert_int_equal(packet->time_base.den, 1000);
        times[i] = packet->pts;
    }
    qsort(times, (size_t)p->count, sizeof(*times), by_size);
    for (int i = 0; i < p->count; i++) {
        assert_int_equal(times[i], 9000 + i * 40 + (i % 3) * 5);
        if (i >= p->delay) /* the dts that the muxer will give */
            assert_true(times[i - p->delay] <= p->packets[i]->pts);
    }
}

void check_same(const piece *a, const piece *b)
{
    assert_int_equal(a->count, b->count);
    for (int i = 0; i < a->count; i++) {
        assert_int_equal(a->packets[i]->pts, b->packets[i]->pts);
        assert_int_equal(a->packets[i]->size, b->packets[i]->size);
        assert_memory_equal(a->packets[i]->data, b->packets[i]->data, (size_t)a->packets[i]->size);
    }
    assert_int_equal(a->parameters->extradata_size, b->parameters->extradata_size);
    assert_memory_equal(a->parameters->extradata, b->parameters->extradata,
                        (size_t)a->parameters->extradata_size);
}

size_t bytes_of(const piece *p)
{
    size_t sum = 0;
    for (int i = 0; i < p->count; i++)
        sum += (size_t)p->packets[i]->size;
    return sum;
}

const AVMasteringDisplayMetadata hdr_display = {
    .display_primaries = {{{34000, 50000}, {16000, 50000}},
                          {{13250, 50000}, {34500, 50000}},
                          {{7500, 50000}, {3000, 50000}}},
    .white_point = {{15635, 50000}, {16450, 50000}},
    .min_luminance = {50, 10000},
    .max_luminance = {10000000, 10000},
    .has_primaries = 1,
    .has_luminance = 1,
};

void set_hdr(sh_encoder_settings *s)
{
    s->format = AV_PIX_FMT_YUV420P10;
    s->primaries = AVCOL_PRI_BT2020;
    s->transfer = AVCOL_TRC_SMPTE2084;
    s->matrix = AVCOL_SPC_BT2020_NCL;
    s->siting = AVCHROMA_LOC_TOPLEFT;
    s->has_mastering = s->has_light = true;
    s->mastering = hdr_display;
    s->light = (AVContentLightMetadata){.MaxCLL = 1000, .MaxFALL = 400};
}
