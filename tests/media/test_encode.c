/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each encoder that is built in: what encode.h promises, decoded back and compared. */
#include "media/encode.h"
#include "media/avlog.h"
#include "media/sei.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libavutil/hdr_dynamic_metadata.h>
#include <libavutil/pixdesc.h>
#include <libavutil/timecode.h>

enum { WIDTH = 128, HEIGHT = 96, FRAMES = 26, SCENE = 12 };
static const char *const names[] = {"libx264", "libx265", "libsvtav1"};
enum { ENCODERS = sizeof(names) / sizeof(*names) };

/* ---- pictures ---- */

static unsigned code_at(int plane, int x, int y, int n)
{
    const int scene = n >= SCENE;
    const double wave = sin((x + 2 * n + 31 * scene) * 0.11) + cos((y - n) * (scene ? 0.23 : 0.07));
    return (unsigned)(128 + (plane ? 20 : 50) * wave + (scene && !plane ? 10 : 0) + (x * 7 + y * 13 + n) % 5);
}

/* A picture that moves, cut to another scene at frame SCENE; pts of a varying rate. */
static AVFrame *make_frame(enum AVPixelFormat format, int width, int height, int n)
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

static void settings_for(sh_encoder_settings *s, const char *name)
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

typedef void (*dresser)(AVFrame *frame, int n);

typedef struct piece {
    AVPacket *packets[FRAMES];
    int count, delay;
    AVCodecParameters *parameters;
} piece;

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
static void encode(piece *p, const sh_encoder_settings *settings, int frames, int calls, dresser dress)
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

static void piece_free(piece *p)
{
    for (int i = 0; i < p->count; i++)
        av_packet_free(&p->packets[i]);
    avcodec_parameters_free(&p->parameters);
}

typedef void (*looker)(const AVFrame *frame, int n);

/* Decodes with extradata as a container would give it; returns the PSNR of luma. */
static double decode(const piece *p, int frames, const sh_encoder_settings *s, looker look)
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

static void check_packets(const piece *p)
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

static void assert_same(const piece *a, const piece *b)
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

static size_t bytes_of(const piece *p)
{
    size_t sum = 0;
    for (int i = 0; i < p->count; i++)
        sum += (size_t)p->packets[i]->size;
    return sum;
}

/* ---- tests ---- */

static void test_one_key_frame_times_and_pictures(void **state)
{
    for (int e = 0; e < ENCODERS; e++)
        for (int deep = 0; deep < 2; deep++) {
            sh_encoder_settings s;
            piece p;
            settings_for(&s, names[e]);
            s.format = deep ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
            encode(&p, &s, FRAMES, 1, NULL);
            check_packets(&p);
            const double psnr = decode(&p, FRAMES, &s, NULL);
            print_message("%s %d bits: delay %d, %zu bytes, PSNR %.2f dB, extradata %d\n", names[e],
                          deep ? 10 : 8, p.delay, bytes_of(&p), psnr, p.parameters->extradata_size);
            assert_true(psnr > 36);
            assert_int_equal(p.parameters->width, WIDTH);
            assert_true(p.parameters->extradata_size > 0);
            piece_free(&p);
        }
}

static void test_bytes_do_not_depend_on_calls(void **state)
{
    for (int e = 0; e < ENCODERS; e++) {
        sh_encoder_settings s;
        piece a, b, c;
        settings_for(&s, names[e]);
        encode(&a, &s, FRAMES, 1, NULL);
        encode(&b, &s, FRAMES, 5, NULL);
        s.piece_frames = 1000; /* the length allowed is no part of the bytes either */
        encode(&c, &s, FRAMES, 0, NULL);
        assert_same(&a, &b);
        assert_same(&a, &c);
        piece_free(&a);
        piece_free(&b);
        piece_free(&c);
    }
}

static void test_parameters_of_pieces_agree(void **state)
{
    for (int e = 0; e < ENCODERS; e++) {
        sh_encoder_settings s;
        sh_encoder *a = NULL, *b = NULL;
        sh_err err;
        settings_for(&s, names[e]);
        assert_int_equal(sh_encoder_open(&a, &s, &err), 0);
        assert_int_equal(sh_encoder_open(&b, &s, &err), 0);
        assert_int_equal(sh_encoder_check_parameters(b, sh_encoder_parameters(a), &err), 0);
        sh_encoder_close(&b);
        s.width += 16;
        assert_int_equal(sh_encoder_open(&b, &s, &err), 0);
        assert_int_equal(sh_encoder_check_parameters(b, sh_encoder_parameters(a), &err), SH_E_INTERNAL);
        assert_non_null(strstr(err.message, "sizes"));
        sh_encoder_close(&b);
        sh_encoder_close(&a);
    }
}

/* ---- what goes beside the samples ---- */

static const AVMasteringDisplayMetadata display = {
    .display_primaries = {{{34000, 50000}, {16000, 50000}},
                          {{13250, 50000}, {34500, 50000}},
                          {{7500, 50000}, {3000, 50000}}},
    .white_point = {{15635, 50000}, {16450, 50000}},
    .min_luminance = {50, 10000},
    .max_luminance = {10000000, 10000},
    .has_primaries = 1,
    .has_luminance = 1,
};

/* Different for each frame, with every optional part there, and many zero bytes. */
static void hdr_plus_of(AVDynamicHDRPlus *hdr, int n)
{
    AVHDRPlusColorTransformParams *w = hdr->params;
    *hdr = (AVDynamicHDRPlus){.itu_t_t35_country_code = 0xB5, .application_version = 1, .num_windows = 1};
    hdr->targeted_system_display_maximum_luminance = (AVRational){400 + n, 1};
    for (int i = 0; i < 3; i++)
        w->maxscl[i] = (AVRational){n * 1000 + i, 100000};
    w->average_maxrgb = (AVRational){n, 100000};
    w->num_distribution_maxrgb_percentiles = 9;
    for (int i = 0; i < 9; i++) {
        w->distribution_maxrgb[i].percentage = (uint8_t)(i * 11);
        w->distribution_maxrgb[i].percentile = (AVRational){i * n * 100, 100000};
    }
    w->fraction_bright_pixels = (AVRational){n, 1000};
    w->tone_mapping_flag = n % 2;
    if (w->tone_mapping_flag) {
        w->knee_point_x = (AVRational){n * 3, 4095};
        w->knee_point_y = (AVRational){n * 5, 4095};
        w->num_bezier_curve_anchors = 9;
        for (int i = 0; i < 9; i++)
            w->bezier_curve_anchors[i] = (AVRational){i * 100 + n, 1023};
    }
    w->color_saturation_mapping_flag = n % 3 == 0;
    if (w->color_saturation_mapping_flag)
        w->color_saturation_weight = (AVRational){n, 8};
}

static void captions_of(uint8_t *triplets, int n)
{
    static const uint8_t kinds[3] = {0xFC, 0xFD, 0xFA};
    for (int i = 0; i < 20; i++) {
        triplets[3 * i] = kinds[i % 3];
        triplets[3 * i + 1] = (uint8_t)(n * (i % 2));
        triplets[3 * i + 2] = (uint8_t)(i < 10 ? 0 : i + n);
    }
}

static void dress_captions(AVFrame *frame, int n)
{
    AVFrameSideData *side = n % 4 == 3 ? NULL : av_frame_new_side_data(frame, AV_FRAME_DATA_A53_CC, 60);
    if (side)
        captions_of(side->data, n);
}

static void look_captions(const AVFrame *frame, int n)
{
    uint8_t expected[60];
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_A53_CC);
    captions_of(expected, n);
    if (n % 4 == 3) {
        assert_null(side);
    } else {
        assert_non_null(side);
        assert_int_equal(side->size, 60);
        assert_memory_equal(side->data, expected, 60);
    }
}

static void dress_hdr(AVFrame *frame, int n)
{
    AVDynamicHDRPlus *hdr = av_dynamic_hdr_plus_create_side_data(frame);
    hdr_plus_of(hdr, n);
    dress_captions(frame, n);
}

static void look_mastering(const AVFrame *frame)
{
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA);
    assert_non_null(side);
    const AVMasteringDisplayMetadata *m = (const AVMasteringDisplayMetadata *)side->data;
    assert_true(m->has_primaries && m->has_luminance);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 2; j++)
            assert_true(fabs(av_q2d(m->display_primaries[i][j]) - av_q2d(display.display_primaries[i][j])) <
                        2e-5);
    assert_true(fabs(av_q2d(m->white_point[0]) - av_q2d(display.white_point[0])) < 2e-5);
    assert_true(fabs(av_q2d(m->max_luminance) - 1000) < 0.01);
    assert_true(fabs(av_q2d(m->min_luminance) - 0.005) < 1e-4);
    side = av_frame_get_side_data(frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL);
    assert_non_null(side);
    assert_int_equal(((const AVContentLightMetadata *)side->data)->MaxCLL, 1000);
    assert_int_equal(((const AVContentLightMetadata *)side->data)->MaxFALL, 400);
}

static void assert_ratio(AVRational a, AVRational b)
{
    assert_int_equal(av_cmp_q(a, b), 0);
}

static void look_hdr_plus(const AVFrame *frame, int n)
{
    AVDynamicHDRPlus expected;
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_DYNAMIC_HDR_PLUS);
    assert_non_null(side);
    const AVDynamicHDRPlus *hdr = (const AVDynamicHDRPlus *)side->data;
    const AVHDRPlusColorTransformParams *w = hdr->params, *x = expected.params;
    hdr_plus_of(&expected, n);
    assert_int_equal(hdr->application_version, 1);
    assert_int_equal(hdr->num_windows, 1);
    assert_ratio(hdr->targeted_system_display_maximum_luminance,
                 expected.targeted_system_display_maximum_luminance);
    for (int i = 0; i < 3; i++)
        assert_ratio(w->maxscl[i], x->maxscl[i]);
    assert_ratio(w->average_maxrgb, x->average_maxrgb);
    assert_int_equal(w->num_distribution_maxrgb_percentiles, 9);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(w->distribution_maxrgb[i].percentage, x->distribution_maxrgb[i].percentage);
        assert_ratio(w->distribution_maxrgb[i].percentile, x->distribution_maxrgb[i].percentile);
    }
    assert_ratio(w->fraction_bright_pixels, x->fraction_bright_pixels);
    assert_int_equal(w->tone_mapping_flag, x->tone_mapping_flag);
    assert_int_equal(w->num_bezier_curve_anchors, x->num_bezier_curve_anchors);
    for (int i = 0; i < w->num_bezier_curve_anchors; i++)
        assert_ratio(w->bezier_curve_anchors[i], x->bezier_curve_anchors[i]);
    if (w->tone_mapping_flag)
        assert_ratio(w->knee_point_y, x->knee_point_y);
    assert_int_equal(w->color_saturation_mapping_flag, x->color_saturation_mapping_flag);
    if (w->color_saturation_mapping_flag)
        assert_ratio(w->color_saturation_weight, x->color_saturation_weight);
}

static void look_tags_of_hdr(const AVFrame *frame, int n)
{
    look_mastering(frame);
    assert_int_equal(frame->color_primaries, AVCOL_PRI_BT2020);
    assert_int_equal(frame->color_trc, AVCOL_TRC_SMPTE2084);
    assert_int_equal(frame->colorspace, AVCOL_SPC_BT2020_NCL);
    assert_int_equal(frame->color_range, AVCOL_RANGE_MPEG);
    assert_int_equal(frame->chroma_location, AVCHROMA_LOC_TOPLEFT);
}

static void look_hdr(const AVFrame *frame, int n)
{
    look_tags_of_hdr(frame, n);
    look_hdr_plus(frame, n);
    look_captions(frame, n);
}

static void set_hdr(sh_encoder_settings *s)
{
    s->format = AV_PIX_FMT_YUV420P10;
    s->primaries = AVCOL_PRI_BT2020;
    s->transfer = AVCOL_TRC_SMPTE2084;
    s->matrix = AVCOL_SPC_BT2020_NCL;
    s->siting = AVCHROMA_LOC_TOPLEFT;
    s->has_mastering = s->has_light = true;
    s->mastering = display;
    s->light = (AVContentLightMetadata){.MaxCLL = 1000, .MaxFALL = 400};
}

/* dav1d 1.0 gives the messages of a picture that was decoded earlier and is only shown now to the wrong one,
 * so that in AV1 the bytes are compared: the messages of each frame stand once, before the frame that is
 * shown. */
static void check_obus(const piece *p, const sh_encoder_settings *s, dresser dress)
{
    for (int i = 0; i < p->count; i++) {
        const uint8_t *data = p->packets[i]->data;
        const int n = (int)((p->packets[i]->pts - 9000) / 40);
        size_t size = (size_t)p->packets[i]->size, last = 0, at = 0;
        AVFrame *frame = make_frame(s->format, s->width, s->height, n);
        sh_sei sei;
        sh_sei_init(&sei, AV_CODEC_ID_AV1);
        dress(frame, n);
        sh_sei_frame(&sei, frame, s->rate);
        while (at < size) {
            size_t length = 0, shift = 0;
            const int type = data[at] >> 3 & 15;
            last = type == 3 || type == 6 ? at : last;
            at++;
            do {
                length |= (size_t)(data[at] & 127) << shift;
                shift += 7;
            } while (data[at++] & 128);
            at += length;
        }
        assert_int_equal(at, size);
        if (sei.messages.length > 0) {
            assert_true(last > sei.messages.length);
            assert_memory_equal(data + last - sei.messages.length, sei.messages.data, sei.messages.length);
        } else {
            assert_null(memmem(data, size, "\xB5\0\x31GA94", 7));
        }
        sh_sei_free(&sei);
        av_frame_free(&frame);
    }
}

static void test_hdr_of_every_frame(void **state)
{
    for (int e = 1; e < ENCODERS; e++) {
        const bool av1 = strcmp(names[e], "libsvtav1") == 0;
        sh_encoder_settings s;
        piece p;
        settings_for(&s, names[e]);
        set_hdr(&s);
        encode(&p, &s, FRAMES, 1, dress_hdr);
        check_packets(&p);
        decode(&p, FRAMES, &s, av1 ? look_tags_of_hdr : look_hdr);
        if (av1)
            check_obus(&p, &s, dress_hdr);
        piece_free(&p);
    }
}

static void test_captions_of_every_frame(void **state)
{
    static const char *const in_order[] = {"pred-struct=1"}; /* no picture is shown later than decoded */
    for (int e = 0; e < ENCODERS; e++) {
        const bool av1 = strcmp(names[e], "libsvtav1") == 0;
        sh_encoder_settings s;
        piece p;
        settings_for(&s, names[e]);
        s.options = in_order;
        s.option_count = av1 ? 1 : 0;
        encode(&p, &s, FRAMES, 1, dress_captions);
        check_packets(&p);
        decode(&p, FRAMES, &s, look_captions);
        piece_free(&p);
        if (av1) {
            s.option_count = 0;
            encode(&p, &s, FRAMES, 1, dress_captions);
            check_obus(&p, &s, dress_captions);
            piece_free(&p);
        }
    }
}

static void dress_small(AVFrame *frame, int n)
{
    AVFrameSideData *side = av_frame_new_side_data(frame, AV_FRAME_DATA_AFD, 1);
    side->data[0] = (uint8_t)(n % 16);
    side = av_frame_new_side_data(frame, AV_FRAME_DATA_S12M_TIMECODE, 16);
    uint32_t *codes = (uint32_t *)(void *)side->data;
    codes[0] = 1;
    codes[1] = av_timecode_get_smpte((AVRational){60000, 1001}, 1, 10, 59, 58, n * 2 + 1);
}

static void look_active_format(const AVFrame *frame, int n)
{
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_AFD);
    assert_non_null(side);
    assert_int_equal(side->data[0], n % 16);
    assert_int_equal(frame->chroma_location, AVCHROMA_LOC_CENTER);
}

static void look_time_code(const AVFrame *frame, int n)
{
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_S12M_TIMECODE);
    assert_non_null(side);
    const uint32_t *codes = (const uint32_t *)(const void *)side->data;
    assert_int_equal(codes[0], 1);
    assert_int_equal(codes[1], av_timecode_get_smpte((AVRational){60000, 1001}, 1, 10, 59, 58, n * 2 + 1));
    assert_int_equal(frame->chroma_location, AVCHROMA_LOC_CENTER);
    assert_int_equal(frame->color_trc, AVCOL_TRC_ARIB_STD_B67);
}

static void test_active_format_time_code_hlg(void **state)
{
    sh_encoder_settings s;
    piece p;
    settings_for(&s, "libx264");
    s.siting = AVCHROMA_LOC_CENTER;
    encode(&p, &s, 8, 1, dress_small);
    decode(&p, 8, &s, look_active_format);
    piece_free(&p);
    settings_for(&s, "libx265");
    s.siting = AVCHROMA_LOC_CENTER;
    s.rate = (AVRational){60000, 1001};
    s.transfer = AVCOL_TRC_ARIB_STD_B67;
    encode(&p, &s, 8, 1, dress_small);
    decode(&p, 8, &s, look_time_code);
    assert_non_null(memmem(p.packets[0]->data, (size_t)p.packets[0]->size, "\x93\x01\x12", 3));
    piece_free(&p);
}

static void test_formats(void **state)
{
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_YUV422P,   AV_PIX_FMT_YUV444P,
                                                 AV_PIX_FMT_GRAY8,     AV_PIX_FMT_YUV422P10,
                                                 AV_PIX_FMT_YUV444P10, AV_PIX_FMT_GRAY10};
    for (int e = 0; e < 2; e++)
        for (size_t f = 0; f < sizeof(formats) / sizeof(*formats); f++) {
            sh_encoder_settings s;
            piece p;
            settings_for(&s, names[e]);
            s.format = formats[f];
            assert_int_equal(sh_encoder_format(sh_encoder_find(names[e]), formats[f]), formats[f]);
            encode(&p, &s, 4, 1, NULL);
            assert_true(decode(&p, 4, &s, NULL) > 36);
            piece_free(&p);
        }
    assert_int_equal(sh_encoder_format(sh_encoder_find("libsvtav1"), AV_PIX_FMT_YUV422P), AV_PIX_FMT_NONE);
    assert_int_equal(sh_encoder_format(sh_encoder_find("libsvtav1"), AV_PIX_FMT_GRAY8), AV_PIX_FMT_YUV420P);
    assert_int_equal(sh_encoder_format(sh_encoder_find("libx264"), AV_PIX_FMT_YUVJ420P), AV_PIX_FMT_YUV420P);
    assert_int_equal(sh_encoder_format(sh_encoder_find("libx265"), AV_PIX_FMT_YUV420P12), AV_PIX_FMT_NONE);
    assert_int_equal(sh_encoder_format(sh_encoder_find("libx265"), AV_PIX_FMT_RGB24), AV_PIX_FMT_NONE);
}

static int open_status(const sh_encoder_settings *s, sh_err *err)
{
    sh_encoder *encoder = NULL;
    err->message[0] = '\0';
    int status = sh_encoder_open(&encoder, s, err);
    assert_true((status == 0) == (encoder != NULL));
    sh_encoder_close(&encoder);
    return status;
}

static void test_sizes(void **state)
{
    static const struct {
        const char *name;
        int width, height, status;
        const char *words;
    } cases[] = {
        {"libx264", 16, 16, 0, ""},
        {"libx265", 16, 16, 0, ""},
        {"libx265", 48, 34, 0, ""},
        {"libsvtav1", 64, 64, 0, ""},
        {"libsvtav1", 64, 62, SH_E_LIMIT, "64x64"},
        {"libx264", 14, 16, SH_E_LIMIT, "16x16"},
        {"libx264", 16386, 16, SH_E_LIMIT, "16384"},
        {"libx264", 16384, 16384, SH_E_LIMIT, "35651584"},
        {"libx265", 8192, 8192, SH_E_LIMIT, "highest level"},
        {"libsvtav1", 16384, 16384, SH_E_LIMIT, "142606336"},
        {"libx264", 65, 64, SH_E_UNSUPPORTED, "width must be even"},
        {"libx264", 64, 65, SH_E_UNSUPPORTED, "width and height must be even"},
        {"libx266", 64, 64, SH_E_ARGUMENT, "no encoder"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        sh_encoder_settings s;
        sh_err err;
        settings_for(&s, cases[i].name);
        s.width = cases[i].width;
        s.height = cases[i].height;
        assert_int_equal(open_status(&s, &err), cases[i].status);
        if (!strstr(err.message, cases[i].words))
            fail_msg("%s: no %s", err.message, cases[i].words);
    }
}

/* The smallest that opens also encodes. */
static void test_small_pictures(void **state)
{
    for (int e = 0; e < ENCODERS; e++) {
        sh_encoder_settings s;
        piece p;
        settings_for(&s, names[e]);
        s.width = sh_encoder_find(names[e])->width_min;
        s.height = sh_encoder_find(names[e])->height_min;
        encode(&p, &s, 2, 1, NULL);
        decode(&p, 2, &s, NULL);
        piece_free(&p);
        encode(&p, &s, 1, 1, NULL);
        decode(&p, 1, &s, NULL);
        piece_free(&p);
    }
}

static void test_options(void **state)
{
    static const struct {
        const char *name, *option;
        int status;
        const char *words;
    } cases[] = {
        {"libx264", "subme=5", 0, ""},
        {"libx264", "aq-mode=2", 0, ""},
        {"libx264", "deblock=1:1", 0, ""},
        {"libx264", "tune=film", 0, ""},
        {"libx264", "no-scenecut", 0, ""},
        {"libx264", "nf", 0, ""},
        {"libx264", "keyint=50", SH_E_ARGUMENT, "pieces"},
        {"libx264", "keyint_min=50", SH_E_ARGUMENT, "pieces"},
        {"libx264", "no-open-gop=1", SH_E_ARGUMENT, "pieces"},
        {"libx264", "Bitrate=500", SH_E_ARGUMENT, "steered"},
        {"libx264", "vbv-maxrate=500", SH_E_ARGUMENT, "steered"},
        {"libx264", "pass=1", SH_E_ARGUMENT, "steered"},
        {"libx264", "threads=4", SH_E_ARGUMENT, "--threads"},
        {"libx264", "nodeterministic=1", SH_E_ARGUMENT, "--threads"},
        {"libx264", "crf=20", SH_E_ARGUMENT, "--crf"},
        {"libx264", "preset=slow", SH_E_ARGUMENT, "--preset"},
        {"libx264", "stats=/tmp/x", SH_E_ARGUMENT, "steered"},
        {"libx264", "dump-yuv=/tmp/x", SH_E_ARGUMENT, "names a file"},
        {"libx264", "zones=0,5,q=3", SH_E_ARGUMENT, "its own start"},
        {"libx264", "colorprim=bt709", SH_E_ARGUMENT, "source"},
        {"libx264", "subem=5", SH_E_ARGUMENT, "-o subem=5: x264 has no such option"},
        {"libx264", "me=silly", SH_E_ARGUMENT, "-o me=silly"},
        {"libx264", "tune=silly", SH_E_ARGUMENT, "silly"},
        {"libx264", "=5", SH_E_ARGUMENT, "key=value"},
        {"libx264", "a b=5", SH_E_ARGUMENT, "letters"},
        {"libx265", "aq-mode=3", 0, ""},
        {"libx265", "tune=grain", 0, ""},
        {"libx265", "psy-rd=1.5", 0, ""},
        {"libx265", "open-gop=1", SH_E_ARGUMENT, "pieces"},
        {"libx265", "pools=4", SH_E_ARGUMENT, "--threads"},
        {"libx265", "frame_threads=4", SH_E_ARGUMENT, "--threads"},
        {"libx265", "repeat-headers=1", SH_E_ARGUMENT, "Spyhop"},
        {"libx265", "psy-dr=1.5", SH_E_ARGUMENT, "-o psy-dr: x265 has no option of this name"},
        {"libx265", "aq-mode=silly", SH_E_ARGUMENT, "aq-mode=silly: x265 does not take this value"},
        {"libsvtav1", "tune=0", 0, ""},
        {"libsvtav1", "film-grain=4", 0, ""},
        {"libsvtav1", "lp=4", SH_E_ARGUMENT, "--threads"},
        {"libsvtav1", "tbr=400", SH_E_ARGUMENT, "steered"},
        {"libsvtav1", "keyint=4", SH_E_ARGUMENT, "pieces"},
        {"libsvtav1", "flim-grain=4", SH_E_ARGUMENT, "-o flim-grain=4: SVT-AV1 has no such option"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        sh_encoder_settings s;
        sh_err err = {0};
        settings_for(&s, cases[i].name);
        s.options = &cases[i].option;
        s.option_count = 1;
        int status = sh_encoder_check_options(&s, &err);
        if (status != cases[i].status || !strstr(err.message, cases[i].words))
            fail_msg("%s: %d: %s", cases[i].option, status, err.message);
    }
}

static void test_quality_and_preset(void **state)
{
    sh_encoder_settings s;
    sh_err err;
    settings_for(&s, "libx264");
    s.crf = 60;
    assert_int_equal(open_status(&s, &err), SH_E_ARGUMENT);
    assert_non_null(strstr(err.message, "0 to 51"));
    s.crf = NAN;
    assert_int_equal(open_status(&s, &err), 0); /* the default */
    s.preset = "sloth";
    assert_int_equal(open_status(&s, &err), SH_E_ARGUMENT);
    assert_non_null(strstr(err.message, "sloth"));
    settings_for(&s, "libsvtav1");
    s.crf = 20.5;
    assert_int_equal(open_status(&s, &err), SH_E_ARGUMENT);
    assert_non_null(strstr(err.message, "whole"));
    s.crf = 0;
    assert_int_equal(open_status(&s, &err), SH_E_ARGUMENT);
}

/* A piece that is dropped in the middle, and one that was never begun. */
static void test_dropped(void **state)
{
    for (int e = 0; e < ENCODERS; e++)
        for (int frames = 0; frames < 8; frames += 7) {
            sh_encoder_settings s;
            sh_encoder *encoder = NULL;
            sh_err err;
            settings_for(&s, names[e]);
            assert_int_equal(sh_encoder_open(&encoder, &s, &err), 0);
            for (int n = 0; n < frames; n++) {
                AVFrame *frame = make_frame(s.format, s.width, s.height, n);
                assert_int_equal(sh_encoder_send(encoder, frame, &err), 0);
                av_frame_free(&frame);
            }
            sh_encoder_close(&encoder);
        }
}

static void test_misuse(void **state)
{
    sh_encoder_settings s;
    sh_encoder *encoder = NULL;
    sh_err err;
    AVFrame *first = make_frame(AV_PIX_FMT_YUV420P, WIDTH, HEIGHT, 0);
    AVFrame *deep = make_frame(AV_PIX_FMT_YUV420P10, WIDTH, HEIGHT, 1);
    AVFrame *second = make_frame(AV_PIX_FMT_YUV420P, WIDTH, HEIGHT, 1);
    settings_for(&s, "libx264");
    s.piece_frames = 1;
    assert_int_equal(sh_encoder_open(&encoder, &s, &err), 0);
    assert_int_equal(sh_encoder_send(encoder, first, &err), 0);
    assert_int_equal(sh_encoder_send(encoder, second, &err), SH_E_INTERNAL);
    sh_encoder_close(&encoder);
    s.piece_frames = 3;
    assert_int_equal(sh_encoder_open(&encoder, &s, &err), 0);
    assert_int_equal(sh_encoder_send(encoder, second, &err), 0);
    assert_int_equal(sh_encoder_send(encoder, first, &err), SH_E_INTERNAL); /* backwards */
    assert_int_equal(sh_encoder_send(encoder, deep, &err), SH_E_INTERNAL);
    assert_int_equal(sh_encoder_send(encoder, NULL, &err), 0);
    assert_int_equal(sh_encoder_send(encoder, first, &err), SH_E_INTERNAL);
    sh_encoder_close(&encoder);
    av_frame_free(&first);
    av_frame_free(&second);
    av_frame_free(&deep);
}

static void test_choice(void **state)
{
    static const struct {
        const char *wish;
        enum AVPixelFormat format;
        int width, height;
        bool hdr;
        const char *muxer, *name, *words;
    } cases[] = {
        {"auto", AV_PIX_FMT_YUV420P, 1280, 720, false, "mp4", "libx264", "8 bits"},
        {NULL, AV_PIX_FMT_YUV422P, 1280, 720, false, "matroska", "libx264", ""},
        {"auto", AV_PIX_FMT_YUV420P10, 1280, 720, false, "mp4", "libx265", "10 bits"},
        {"auto", AV_PIX_FMT_YUV420P10, 1280, 720, true, "mov", "libx265", "HDR"},
        {"auto", AV_PIX_FMT_YUV420P, 16384, 8192, false, "mp4", "libsvtav1", ""},
        {"auto", AV_PIX_FMT_YUV420P, 8, 8, false, "mp4", NULL, "smaller than 16x16"},
        {"libsvtav1", AV_PIX_FMT_YUV420P, 1280, 720, false, "mp4", "libsvtav1", "asked"},
        {"libsvtav1", AV_PIX_FMT_YUV422P, 1280, 720, false, "mp4", NULL, "yuv422p"},
        {"libx264", AV_PIX_FMT_YUV420P, 1280, 720, false, "webm", NULL, "webm"},
        {"h264_nvenc", AV_PIX_FMT_YUV420P, 1280, 720, false, "mp4", NULL, "--no-sandbox"},
        {"x264", AV_PIX_FMT_YUV420P, 1280, 720, false, "mp4", NULL, "libx264, libx265"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const sh_encoder_info *info = NULL;
        char reason[200] = "";
        sh_err err = {0};
        sh_encoder_wish wish = {.name = cases[i].wish,
                                .format = cases[i].format,
                                .width = cases[i].width,
                                .height = cases[i].height,
                                .hdr = cases[i].hdr,
                                .muxer = av_guess_format(cases[i].muxer, NULL, NULL)};
        int status = sh_encoder_choose(&wish, &info, reason, sizeof(reason), &err);
        assert_int_equal(status == 0, cases[i].name != NULL);
        if (status == 0)
            assert_string_equal(info->name, cases[i].name);
        if (!strstr(status == 0 ? reason : err.message, cases[i].words))
            fail_msg("%s | %s", reason, err.message);
    }
}

/* Whatever devices there are, asking for one is no error. */
static void test_hardware_is_only_chosen_where_it_opens(void **state)
{
    const sh_encoder_info *info = NULL;
    char reason[200];
    sh_err err;
    sh_encoder_wish wish = {.format = AV_PIX_FMT_YUV420P, .width = 640, .height = 480, .hardware = true};
    assert_int_equal(sh_encoder_choose(&wish, &info, reason, sizeof(reason), &err), 0);
    print_message("%s\n", reason);
    wish.name = "h264_nvenc";
    int status = sh_encoder_choose(&wish, &info, NULL, 0, &err);
    assert_int_equal(status == 0, info->hardware);
    if (status < 0)
        assert_non_null(strstr(err.message, "no device"));
}

static void test_track(void **state)
{
    static const struct {
        const char *muxer, *name;
        uint32_t tag;
    } cases[] = {{"mp4", "libx265", MKTAG('h', 'v', 'c', '1')},
                 {"mov", "libx265", MKTAG('h', 'v', 'c', '1')},
                 {"matroska", "libx265", 0},
                 {"mp4", "libx264", 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const AVOutputFormat *muxer = av_guess_format(cases[i].muxer, NULL, NULL);
        AVFormatContext *format = NULL;
        sh_encoder *encoder = NULL;
        sh_encoder_settings s;
        sh_err err;
        settings_for(&s, cases[i].name);
        set_hdr(&s);
        s.sar = (AVRational){4, 3};
        sh_encoder_settings_for(&s, muxer);
        assert_true(s.global_header);
        assert_int_equal(s.tag, cases[i].tag);
        assert_int_equal(sh_encoder_open(&encoder, &s, &err), 0);
        assert_int_equal(avformat_alloc_output_context2(&format, muxer, NULL, NULL), 0);
        AVStream *stream = avformat_new_stream(format, NULL);
        assert_int_equal(sh_encoder_describe(encoder, stream, &err), 0);
        assert_int_equal(stream->codecpar->codec_tag, cases[i].tag);
        assert_int_equal(stream->sample_aspect_ratio.num, 4);
        assert_int_equal(stream->codecpar->sample_aspect_ratio.num, 4);
        assert_int_equal(stream->codecpar->color_trc, AVCOL_TRC_SMPTE2084);
#if LIBAVFORMAT_VERSION_INT < AV_VERSION_INT(60, 15, 100)
        assert_non_null(av_stream_get_side_data(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, NULL));
        assert_non_null(av_stream_get_side_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, NULL));
#endif
        avformat_free_context(format);
        sh_encoder_close(&encoder);
    }
}

static void test_versions(void **state)
{
    static const char *const words[] = {"x264 - core", "x265 (build", "SVT-AV1"};
    for (int e = 0; e < ENCODERS; e++) {
        const char *text = sh_encoder_version(names[e]);
        print_message("%s\n", text);
        assert_non_null(strstr(text, words[e]));
        assert_ptr_equal(text, sh_encoder_version(names[e]));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_key_frame_times_and_pictures),
        cmocka_unit_test(test_bytes_do_not_depend_on_calls),
        cmocka_unit_test(test_parameters_of_pieces_agree),
        cmocka_unit_test(test_hdr_of_every_frame),
        cmocka_unit_test(test_captions_of_every_frame),
        cmocka_unit_test(test_active_format_time_code_hlg),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_small_pictures),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_quality_and_preset),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_hardware_is_only_chosen_where_it_opens),
        cmocka_unit_test(test_track),
        cmocka_unit_test(test_versions),
    };
    sh_avlog_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
