/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes beside the samples: side data of every frame, through each encoder and back. */
#include "encodework.h"
#include "media/avlog.h"
#include "media/encode_row.h"
#include "media/sei.h"
#include "media/t35.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
            assert_true(fabs(av_q2d(m->display_primaries[i][j]) -
                             av_q2d(hdr_display.display_primaries[i][j])) < 2e-5);
    assert_true(fabs(av_q2d(m->white_point[0]) - av_q2d(hdr_display.white_point[0])) < 2e-5);
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
        const bool av1 = strcmp(encoder_names[e], "libsvtav1") == 0;
        sh_encoder_settings s;
        piece p;
        encoder_settings(&s, encoder_names[e]);
        set_hdr(&s);
        encode_piece(&p, &s, FRAMES, 1, dress_hdr);
        check_packets(&p);
        decode_piece(&p, FRAMES, &s, av1 ? look_tags_of_hdr : look_hdr);
        if (av1)
            check_obus(&p, &s, dress_hdr);
        piece_free(&p);
    }
}

static void test_captions_of_every_frame(void **state)
{
    static const char *const in_order[] = {"pred-struct=1"}; /* no picture is shown later than decoded */
    for (int e = 0; e < ENCODERS; e++) {
        const bool av1 = strcmp(encoder_names[e], "libsvtav1") == 0;
        sh_encoder_settings s;
        piece p;
        encoder_settings(&s, encoder_names[e]);
        s.options = in_order;
        s.option_count = av1 ? 1 : 0;
        encode_piece(&p, &s, FRAMES, 1, dress_captions);
        check_packets(&p);
        decode_piece(&p, FRAMES, &s, look_captions);
        piece_free(&p);
        if (av1) {
            s.option_count = 0;
            encode_piece(&p, &s, FRAMES, 1, dress_captions);
            check_obus(&p, &s, dress_captions);
            piece_free(&p);
        }
    }
}

/* 10:59:58, frame 2n + 1 of 59.94 a second, drop frame: number n, second of its two. */
static uint32_t time_code(int n)
{
    return 1u << 30 | 1u << 23 | (uint32_t)(n / 10) << 28 | (uint32_t)(n % 10) << 24 | 0x00585910;
}

static void dress_small(AVFrame *frame, int n)
{
    AVFrameSideData *side = av_frame_new_side_data(frame, AV_FRAME_DATA_AFD, 1);
    side->data[0] = (uint8_t)(n % 16);
    side = av_frame_new_side_data(frame, AV_FRAME_DATA_S12M_TIMECODE, 16);
    uint32_t *codes = (uint32_t *)(void *)side->data;
    codes[0] = 1;
    codes[1] = time_code(n);
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
    assert_int_equal(codes[1], time_code(n));
    assert_int_equal(frame->chroma_location, AVCHROMA_LOC_CENTER);
    assert_int_equal(frame->color_trc, AVCOL_TRC_ARIB_STD_B67);
}

static void test_active_format_time_code_hlg(void **state)
{
    sh_encoder_settings s;
    piece p;
    encoder_settings(&s, "libx264");
    s.siting = AVCHROMA_LOC_CENTER;
    encode_piece(&p, &s, 8, 1, dress_small);
    decode_piece(&p, 8, &s, look_active_format);
    piece_free(&p);
    encoder_settings(&s, "libx265");
    s.siting = AVCHROMA_LOC_CENTER;
    s.rate = (AVRational){60000, 1001};
    s.transfer = AVCOL_TRC_ARIB_STD_B67;
    encode_piece(&p, &s, 8, 1, dress_small);
    decode_piece(&p, 8, &s, look_time_code);
    assert_non_null(memmem(p.packets[0]->data, (size_t)p.packets[0]->size, "\x93\x01\x12", 3));
    piece_free(&p);
}

static void look_top_left(const AVFrame *frame, int n)
{
    assert_int_equal(frame->chroma_location, AVCHROMA_LOC_TOPLEFT);
}

/* NVENC does not say where chroma lies; its parameter sets are told. */
static void test_siting_in_parameter_sets(void **state)
{
    for (int e = 0; e < 2; e++) {
        sh_encoder_settings s;
        piece p;
        sh_err err;
        encoder_settings(&s, encoder_names[e]);
        s.siting = AVCHROMA_LOC_UNSPECIFIED;
        encode_piece(&p, &s, 3, 1, NULL);
        assert_int_equal(sh_nvenc_tell_siting(p.parameters, AVCHROMA_LOC_TOPLEFT, &err), 0);
        decode_piece(&p, 3, &s, look_top_left);
        piece_free(&p);
    }
}

/* Planar 10 bits in the order of NVENC. */
static void test_p010(void **state)
{
    AVFrame *frame = make_frame(AV_PIX_FMT_YUV420P10, 18, 10, 3), *same = av_frame_clone(frame);
    assert_int_equal(sh_nvenc_convert(frame), 0);
    assert_int_equal(frame->format, AV_PIX_FMT_P010);
    assert_int_equal(frame->pts, same->pts);
    for (int y = 0; y < 10; y++)
        for (int x = 0; x < 18; x++) {
            const uint16_t *luma = (const uint16_t *)(const void *)(frame->data[0] + y * frame->linesize[0]);
            const uint16_t *chroma =
                (const uint16_t *)(const void *)(frame->data[1] + y / 2 * frame->linesize[1]);
            const uint16_t *plain = (const uint16_t *)(const void *)(same->data[0] + y * same->linesize[0]);
            const uint8_t *part = same->data[1 + x % 2] + y / 2 * same->linesize[1 + x % 2];
            assert_int_equal(luma[x], plain[x] << 6);
            assert_int_equal(chroma[x], ((const uint16_t *)(const void *)part)[x / 2] << 6);
        }
    av_frame_free(&frame);
    av_frame_free(&same);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hdr_of_every_frame),
        cmocka_unit_test(test_captions_of_every_frame),
        cmocka_unit_test(test_active_format_time_code_hlg),
        cmocka_unit_test(test_siting_in_parameter_sets),
        cmocka_unit_test(test_p010),
    };
    sh_avlog_quiet();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
