/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages beside the samples: bytes, escapes, and where they go. */
#include "media/sei.h"
#include "media/bits.h"
#include "media/t35.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static AVPacket *packet_of(const void *bytes, int size)
{
    AVPacket *packet = av_packet_alloc();
    assert_int_equal(av_new_packet(packet, size), 0);
    memcpy(packet->data, bytes, (size_t)size);
    packet->pts = 77;
    packet->duration = 5;
    packet->flags = AV_PKT_FLAG_KEY;
    return packet;
}

static void check(const AVPacket *packet, const void *bytes, int size)
{
    assert_int_equal(packet->size, size);
    assert_memory_equal(packet->data, bytes, (size_t)size);
    assert_int_equal(packet->pts, 77);
    assert_int_equal(packet->duration, 5);
    assert_int_equal(packet->flags, AV_PKT_FLAG_KEY);
}

#define CHECK(packet, bytes) check(packet, bytes, (int)sizeof(bytes) - 1)
#define PACKET(bytes) packet_of(bytes, (int)sizeof(bytes) - 1)

static void test_bits(void **state)
{
    sh_buf buf;
    sh_bits bits = {.out = &buf};
    sh_buf_init(&buf, 64);
    sh_bits_put(&bits, 3, 5);
    sh_bits_put(&bits, 32, 0xDEADBEEF);
    sh_bits_ratio(&bits, 4, (AVRational){100, 1}, 1); /* kept within its bits */
    sh_bits_end(&bits, 1);
    assert_int_equal(buf.length, 5);
    assert_memory_equal(buf.data, "\xBB\xD5\xB7\xDD\xFF", 5);
    sh_bits_end(&bits, 1);
    assert_int_equal(buf.length, 5);
    sh_buf_free(&buf);
}

/* A light level of 0 and 2: 00 00 00 02 must be broken up. */
static void test_escapes_and_place_annex_b(void **state)
{
    sh_sei sei;
    sh_err err;
    AVContentLightMetadata light = {.MaxCLL = 0, .MaxFALL = 2};
    sh_sei_init(&sei, AV_CODEC_ID_H264);
    sh_sei_light(&sei, &light);
    AVPacket *packet = PACKET("\0\0\0\1\x09\xF0\0\0\0\1\x67\x42\0\0\1\x65\x88\0\0\1\x65\x99");
    assert_int_equal(sh_sei_insert(&sei, packet, 0, &err), 0);
    CHECK(packet, "\0\0\0\1\x09\xF0\0\0\0\1\x67\x42"
                  "\0\0\0\1\x06\x90\x04\0\0\x03\0\x02\x80"
                  "\0\0\1\x65\x88\0\0\1\x65\x99");
    av_packet_free(&packet);
    sh_sei_clear(&sei);
    packet = PACKET("\0\0\1\x65\x88");
    assert_int_equal(sh_sei_insert(&sei, packet, 0, &err), 0); /* nothing to say */
    CHECK(packet, "\0\0\1\x65\x88");
    av_packet_free(&packet);
    sh_sei_free(&sei);
}

static void test_place_length_prefixed(void **state)
{
    sh_sei sei;
    sh_err err;
    sh_sei_init(&sei, AV_CODEC_ID_HEVC);
    sh_sei_preferred_transfer(&sei, AVCOL_TRC_ARIB_STD_B67);
    AVPacket *packet = PACKET("\0\0\0\2\x46\x01\0\0\0\3\x26\x01\xAF");
    assert_int_equal(sh_sei_insert(&sei, packet, 4, &err), 0);
    CHECK(packet, "\0\0\0\2\x46\x01"
                  "\0\0\0\6\x4E\x01\x93\x01\x12\x80"
                  "\0\0\0\3\x26\x01\xAF");
    av_packet_free(&packet);
    packet = PACKET("\2\x46\x01\3\x26\x01\xAF");
    assert_int_equal(sh_sei_insert(&sei, packet, 1, &err), 0);
    CHECK(packet, "\2\x46\x01\6\x4E\x01\x93\x01\x12\x80\3\x26\x01\xAF");
    av_packet_free(&packet);
    sh_sei_free(&sei);
}

static void test_place_obu(void **state)
{
    sh_sei sei;
    sh_err err;
    AVContentLightMetadata light = {.MaxCLL = 1000, .MaxFALL = 400};
    sh_sei_init(&sei, AV_CODEC_ID_AV1);
    sh_sei_light(&sei, &light);
    sh_sei_preferred_transfer(&sei, AVCOL_TRC_ARIB_STD_B67); /* AV1 has none */
    AVPacket *packet = PACKET("\x12\0\x0A\1\x77\x32\2\x20\x01\x32\1\x30");
    assert_int_equal(sh_sei_insert(&sei, packet, 0, &err), 0);
    CHECK(packet, "\x12\0\x0A\1\x77\x32\2\x20\x01"
                  "\x2A\6\1\x03\xE8\x01\x90\x80"
                  "\x32\1\x30");
    av_packet_free(&packet);
    sh_sei_free(&sei);
}

static void test_no_picture(void **state)
{
    static const struct {
        enum AVCodecID codec;
        const char *bytes;
        int size, length_size;
    } cases[] = {
        {AV_CODEC_ID_H264, "\0\0\0\1\x09\xF0", 6, 0},
        {AV_CODEC_ID_H264, "\1\2\3", 3, 0},
        {AV_CODEC_ID_H264, "", 0, 0},
        {AV_CODEC_ID_HEVC, "\0\0\0\x09\x26\x01", 6, 4},
        {AV_CODEC_ID_HEVC, "\xFF\xFF\xFF\xFF\x26", 5, 4},
        {AV_CODEC_ID_HEVC, "\0\0\0", 3, 4},
        {AV_CODEC_ID_AV1, "\x12\0\x32\x7F\1", 5, 0},
        {AV_CODEC_ID_AV1, "\x12\x80\x80", 3, 0},
        {AV_CODEC_ID_AV1, "\x16", 1, 0},
        {AV_CODEC_ID_H264, "\0\0\1", 3, 0},
    };
    AVContentLightMetadata light = {.MaxCLL = 1, .MaxFALL = 1};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        sh_sei sei;
        sh_err err = {0};
        AVPacket *packet = packet_of(cases[i].bytes, cases[i].size);
        sh_sei_init(&sei, cases[i].codec);
        sh_sei_light(&sei, &light);
        assert_int_equal(sh_sei_insert(&sei, packet, cases[i].length_size, &err), SH_E_FORMAT);
        check(packet, cases[i].bytes, cases[i].size);
        assert_false(sh_sei_is_start(cases[i].codec, packet->data, (size_t)packet->size));
        av_packet_free(&packet);
        sh_sei_free(&sei);
    }
}

static void test_starts(void **state)
{
    static const uint8_t idr[] = {0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 8}, inter[] = {0, 0, 1, 0x41, 0x65, 8};
    static const uint8_t cra[] = {0, 0, 0, 1, 21 << 1, 1, 7}, trail[] = {0, 0, 1, 1 << 1, 1, 7};
    assert_true(sh_sei_is_start(AV_CODEC_ID_H264, idr, sizeof(idr)));
    assert_false(sh_sei_is_start(AV_CODEC_ID_H264, inter, sizeof(inter)));
    assert_true(sh_sei_is_start(AV_CODEC_ID_HEVC, cra, sizeof(cra)));
    assert_false(sh_sei_is_start(AV_CODEC_ID_HEVC, trail, sizeof(trail)));
}

/* More triplets than one message holds make two. */
static void test_many_captions(void **state)
{
    sh_sei sei;
    AVFrame *frame = av_frame_alloc();
    AVFrameSideData *side = av_frame_new_side_data(frame, AV_FRAME_DATA_A53_CC, 40 * 3);
    memset(side->data, 0x55, 40 * 3);
    sh_sei_init(&sei, AV_CODEC_ID_HEVC);
    sh_sei_frame(&sei, frame, (AVRational){25, 1});
    const uint8_t *m = (const uint8_t *)sei.messages.data;
    assert_int_equal(sei.messages.length, 2 * (2 + 11) + 40 * 3);
    assert_int_equal(m[0], 4);
    assert_int_equal(m[1], 11 + 31 * 3);
    assert_int_equal(m[10], 0x40 | 31);
    assert_int_equal(m[2 + m[1]], 4);
    assert_int_equal(m[2 + m[1] + 10], 0x40 | 9);
    sh_sei_free(&sei);
    av_frame_free(&frame);
}

/* The payload is the same in AV1 and HEVC. */
static void test_hdr_plus_windows(void **state)
{
    AVFrame *frame = av_frame_alloc();
    AVDynamicHDRPlus *hdr = av_dynamic_hdr_plus_create_side_data(frame);
    sh_sei hevc, av1;
    hdr->application_version = 1;
    hdr->num_windows = 3;
    for (int w = 0; w < 3; w++) {
        hdr->params[w].window_lower_right_corner_x = (AVRational){100 + w, 1};
        hdr->params[w].num_distribution_maxrgb_percentiles = 200; /* more than there can be */
    }
    hdr->mastering_display_actual_peak_luminance_flag = 1;
    hdr->num_rows_mastering_display_actual_peak_luminance = 200;
    hdr->num_cols_mastering_display_actual_peak_luminance = 200;
    sh_sei_init(&hevc, AV_CODEC_ID_HEVC);
    sh_sei_init(&av1, AV_CODEC_ID_AV1);
    sh_sei_frame(&hevc, frame, (AVRational){25, 1});
    sh_sei_frame(&av1, frame, (AVRational){25, 1});
    const uint8_t *h = (const uint8_t *)hevc.messages.data, *a = (const uint8_t *)av1.messages.data;
    assert_false(hevc.messages.failed);
    assert_int_equal(h[0], 4);
    size_t size = 0, at = 1;
    for (; h[at] == 255; at++)
        size += 255;
    size += h[at++];
    assert_int_equal(hevc.messages.length, at + size);
    assert_int_equal(av1.messages.length, 1 + 2 + 1 + size + 1);
    assert_memory_equal(h + at, a + 4, size);
    assert_memory_equal(h + at, "\xB5\0\x3C\0\1\4\1", 7);
    assert_int_equal(h[at + 7] >> 6, 3);
    sh_sei_free(&hevc);
    sh_sei_free(&av1);
    av_frame_free(&frame);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_escapes_and_place_annex_b),
        cmocka_unit_test(test_place_length_prefixed),
        cmocka_unit_test(test_place_obu),
        cmocka_unit_test(test_no_picture),
        cmocka_unit_test(test_starts),
        cmocka_unit_test(test_many_captions),
        cmocka_unit_test(test_hdr_plus_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
