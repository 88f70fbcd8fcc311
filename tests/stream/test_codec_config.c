/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Configuration records byte by byte, what they say, codec strings, and samples turned and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "paramsets.h"
#include "stream/codec_config.h"

#include <string.h>

static uint8_t scratch[4][512];

/* Bytes of one of four texts at a time. */
static const uint8_t *bytes_of(const char *hex, size_t *size)
{
    static int turn;
    turn = (turn + 1) % 4;
    *size = from_hex(hex, scratch[turn], sizeof(scratch[turn]));
    return scratch[turn];
}

static void buffer_is(const sh_buf *buf, const char *hex)
{
    size_t size;
    const uint8_t *bytes = bytes_of(hex, &size);
    assert_int_equal(buf->length, size);
    assert_memory_equal(buf->data, bytes, size);
}

/* The record of Annex-B bytes or OBUs given in hexadecimal. */
static void make(sh_buf *out, sh_codec codec, const char *hex)
{
    size_t size;
    sh_err err = {0};
    const uint8_t *bytes = bytes_of(hex, &size);
    sh_buf_init(out, 4096);
    if (sh_config_make(out, codec, bytes, size, &err))
        fail_msg("%s", err.message);
}

static void make_fails(sh_codec codec, const char *hex, int status, const char *words)
{
    size_t size;
    sh_err err = {0};
    sh_buf out;
    const uint8_t *bytes = bytes_of(hex, &size);
    sh_buf_init(&out, 4096);
    assert_int_equal(sh_config_make(&out, codec, bytes, size, &err), status);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
    sh_buf_free(&out);
}

static void codecs_are(const sh_buf *config, sh_codec codec, const char *expected)
{
    char text[64] = "";
    assert_int_equal(
        sh_codecs_string(text, sizeof(text), codec, (uint8_t *)config->data, config->length, NULL), 0);
    assert_string_equal(text, expected);
    assert_int_equal(
        sh_codecs_string(text, strlen(expected), codec, (uint8_t *)config->data, config->length, NULL),
        SH_E_ARGUMENT);
}

static sh_video_config read_of(const sh_buf *config, sh_codec codec)
{
    sh_video_config video;
    sh_err err = {0};
    if (sh_video_config_read(&video, codec, (uint8_t *)config->data, config->length, &err))
        fail_msg("%s", err.message);
    assert_int_equal(video.width, 96);
    assert_int_equal(video.height, 64);
    return video;
}

static void test_avc(void **state)
{
    sh_buf config, again;
    make(&config, SH_CODEC_AVC, START AVC_SPS START AVC_PPS);
    buffer_is(&config, "0142c00affe10016" AVC_SPS "010004" AVC_PPS);
    const sh_video_config video = read_of(&config, SH_CODEC_AVC);
    assert_int_equal(video.profile, 66);
    assert_int_equal(video.constraints, 0xc0);
    assert_int_equal(video.level, 10);
    assert_int_equal(video.rate_num, 25);
    assert_int_equal(video.rate_den, 1);
    assert_int_equal(video.sar_num, 1);
    assert_false(video.colour_told);
    codecs_are(&config, SH_CODEC_AVC, "avc1.42c00a");
    assert_int_equal(sh_config_length_size(SH_CODEC_AVC, (uint8_t *)config.data, config.length), 4);
    /* a record is taken as it is; repeated sets, delimiters and three-byte start codes change nothing */
    sh_buf_init(&again, 4096);
    assert_int_equal(sh_config_make(&again, SH_CODEC_AVC, (uint8_t *)config.data, config.length, NULL), 0);
    assert_int_equal(again.length, config.length);
    sh_buf_free(&again);
    make(&again, SH_CODEC_AVC,
         "00000109f0000001" AVC_SPS "000001" AVC_PPS START AVC_SPS START AVC_PPS "0000");
    assert_int_equal(again.length, config.length);
    assert_memory_equal(again.data, config.data, config.length);
    sh_buf_free(&again);
    sh_buf_free(&config);
}

static void test_avc_high(void **state)
{
    sh_buf config;
    make(&config, SH_CODEC_AVC, START AVC_444_SPS START AVC_444_PPS);
    buffer_is(&config, "01f4000affe10019" AVC_444_SPS "010007" AVC_444_PPS "fffafa00");
    const sh_video_config video = read_of(&config, SH_CODEC_AVC);
    assert_int_equal(video.bit_depth, 10);
    assert_int_equal(video.chroma, 3);
    assert_true(video.colour.full_range);
    codecs_are(&config, SH_CODEC_AVC, "avc1.f4000a");
    sh_buf_free(&config);
}

static void test_hevc(void **state)
{
    sh_buf config;
    make(&config, SH_CODEC_HEVC, START HEVC_VPS START HEVC_SPS START HEVC_PPS);
    const sh_video_config video = read_of(&config, SH_CODEC_HEVC);
    assert_int_equal(video.profile, 1);
    assert_int_equal(video.level, 30);
    assert_int_equal(video.rate_num, 25);
    assert_false(video.high_tier);
    codecs_are(&config, SH_CODEC_HEVC, "hvc1.1.6.L30.90");
    /* head of 22 bytes, then three complete arrays of one set each */
    size_t size;
    const uint8_t *head = bytes_of("010160000000900000000000"
                                   "1ef000fcfdf8f800000f03a00001",
                                   &size);
    assert_memory_equal(config.data, head, size);
    sh_buf_free(&config);
}

static void test_av1(void **state)
{
    sh_buf config, again;
    make(&config, SH_CODEC_AV1, "1200" AV1_SEQUENCE);
    buffer_is(&config, "81000c00" AV1_SEQUENCE);
    const sh_video_config video = read_of(&config, SH_CODEC_AV1);
    assert_int_equal(video.bit_depth, 8);
    assert_int_equal(video.chroma, 1);
    assert_int_equal(video.level, 0);
    codecs_are(&config, SH_CODEC_AV1, "av01.0.00M.08");
    sh_buf_init(&again, 4096);
    assert_int_equal(sh_config_make(&again, SH_CODEC_AV1, (uint8_t *)config.data, config.length, NULL), 0);
    assert_memory_equal(again.data, config.data, config.length);
    sh_buf_free(&again);
    sh_buf_free(&config);
}

static void test_aac(void **state)
{
    static const struct {
        const char *hex;
        int status, object_type, rate, channels, frame;
    } rows[] = {
        {"1190", 0, 2, 48000, 2, 1024},         {"1208", 0, 2, 44100, 1, 1024},
        {"1194", 0, 2, 48000, 2, 960},          {"2b918800", 0, 5, 22050, 2, 1024},
        {"eb098800", 0, 29, 24000, 1, 1024},    {"17802ee010", 0, 2, 24000, 2, 1024},
        {"0990", SH_E_UNSUPPORTED, 0, 0, 0, 0}, {"11", SH_E_FORMAT, 0, 0, 0, 0},
        {"16f0", SH_E_FORMAT, 0, 0, 0, 0},      {"11c8", SH_E_FORMAT, 0, 0, 0, 0},
        {"", SH_E_FORMAT, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sh_audio_config audio = {.object_type = -1};
        size_t size;
        sh_err err = {0};
        const uint8_t *asc = bytes_of(rows[i].hex, &size);
        const int rc = sh_asc_parse(&audio, asc, size, &err);
        if (rc != rows[i].status)
            fail_msg("%s: %d %s", rows[i].hex, rc, err.message);
        if (rc) {
            assert_int_equal(audio.object_type, -1);
            continue;
        }
        assert_int_equal(audio.object_type, rows[i].object_type);
        assert_int_equal(audio.sample_rate, rows[i].rate);
        assert_int_equal(audio.channels, rows[i].channels);
        assert_int_equal(audio.frame, rows[i].frame);
    }
}

static void test_refused(void **state)
{
    make_fails(SH_CODEC_AVC, "", SH_E_FORMAT, "of 0 parameter sets");
    make_fails(SH_CODEC_AVC, START AVC_SPS, SH_E_FORMAT, "none a PPS");
    make_fails(SH_CODEC_AVC, START AVC_PPS, SH_E_FORMAT, "none is a SPS");
    make_fails(SH_CODEC_AVC, START "6742c00ada" START AVC_PPS, SH_E_FORMAT, "damaged near byte 5");
    make_fails(SH_CODEC_AVC, START AVC_SPS START "6742c00bda189b011000000300100000030320f1226a" START AVC_PPS,
               SH_E_FORMAT, "two different parameter sets");
    make_fails(SH_CODEC_AVC, START AVC_SPS START AVC_PPS START "e5", SH_E_FORMAT, "no right header");
    make_fails(SH_CODEC_AVC, "0142c00affe10016" AVC_SPS "010004ce0f", SH_E_FORMAT, "does not fit");
    make_fails(SH_CODEC_AVC, "0142c00bffe10016" AVC_SPS "010004" AVC_PPS, SH_E_FORMAT,
               "another profile or level");
    make_fails(SH_CODEC_AVC, "0142c00afee10016" AVC_SPS "010004" AVC_PPS, SH_E_FORMAT, "three bytes");
    make_fails(SH_CODEC_AVC, "0142c00affe10004" AVC_PPS "010004" AVC_PPS, SH_E_FORMAT, "stands under type 7");
    make_fails(SH_CODEC_AVC, "0142c00affe10016" AVC_SPS "00", SH_E_FORMAT, "none a PPS");
    make_fails(SH_CODEC_HEVC, START HEVC_SPS START HEVC_PPS, SH_E_FORMAT, "a VPS, a SPS or a PPS");
    make_fails(SH_CODEC_HEVC, "01016000", SH_E_FORMAT, "cut short");
    make_fails(SH_CODEC_AV1, "1200", SH_E_FORMAT, "no sequence header");
    make_fails(SH_CODEC_AV1, "0a20000000032dffcfbf9004", SH_E_FORMAT, "tells 32 bytes");
    make_fails(SH_CODEC_AV1, "0a04000000ff", SH_E_FORMAT, "is damaged");
    make_fails(SH_CODEC_AV1, AV1_SEQUENCE "0a0a000000032dffcfbf9005", SH_E_FORMAT, "two different");
    make_fails(SH_CODEC_AV1, "81010c00" AV1_SEQUENCE, SH_E_FORMAT, "another profile");
    make_fails(SH_CODEC_NONE, "00", SH_E_ARGUMENT, "none of the video codecs");
}

static int convert(sh_buf *out, sh_codec codec, const sh_buf *config, const char *hex, sh_err *err)
{
    size_t size;
    const uint8_t *bytes = bytes_of(hex, &size);
    sh_buf_init(out, 4096);
    return sh_sample_convert(out, codec, (uint8_t *)config->data, config->length, bytes, size, err);
}

static sh_sample_look look_at(sh_codec codec, const sh_buf *config, const char *hex)
{
    size_t size;
    sh_err err = {0};
    sh_sample_look look;
    const uint8_t *bytes = bytes_of(hex, &size);
    if (sh_sample_look_at(&look, codec, (uint8_t *)config->data, config->length, bytes, size, &err))
        fail_msg("%s", err.message);
    return look;
}

static void test_avc_samples(void **state)
{
    sh_buf config, out;
    sh_err err = {0};
    size_t size;
    make(&config, SH_CODEC_AVC, START AVC_SPS START AVC_PPS);
    assert_int_equal(convert(&out, SH_CODEC_AVC, &config,
                             START "09f0" START AVC_SPS START AVC_PPS "0000010605aa80000001658884" START
                                   "65018880" START "0cff80" START "0a",
                             &err),
                     0);
    buffer_is(&out, "000000040605aa80"
                    "00000003658884"
                    "0000000465018880");
    sh_buf_free(&out);
    assert_int_equal(convert(&out, SH_CODEC_AVC, &config, START "67f4000a90" START "6588", &err),
                     SH_E_FORMAT);
    assert_non_null(strstr(err.message, "does not hold"));
    sh_buf_free(&out);
    assert_int_equal(convert(&out, SH_CODEC_AVC, &config, START "0605aa80", &err), SH_E_FORMAT);
    sh_buf_free(&out);
    assert_int_equal(convert(&out, SH_CODEC_AVC, &config, "000000036588", &err), SH_E_FORMAT);
    sh_buf_free(&out);
    sh_sample_look look = look_at(SH_CODEC_AVC, &config, "0000000206800000000265880000000241e0");
    assert_true(look.idr && look.random_access && !look.delimiter && !look.parameter_sets);
    assert_int_equal(look.first_type, 6);
    assert_int_equal(look.first_coded, 5);
    assert_int_equal(look.units, 3);
    look = look_at(SH_CODEC_AVC, &config, "0000000209f00000000468ce0fc80000000268ce00000002419e");
    assert_true(!look.idr && look.delimiter && look.parameter_sets && look.sequence_other);
    const uint8_t *bytes = bytes_of("00000002658800000005419e", &size);
    assert_int_equal(
        sh_sample_look_at(&look, SH_CODEC_AVC, (uint8_t *)config.data, config.length, bytes, size, &err),
        SH_E_FORMAT);
    assert_string_equal(err.message, "H.264: byte 6 of the sample tells a NAL unit of 5 bytes; 6 remain");
    bytes = bytes_of("00000002658800000002419e", &size);
    sh_buf_init(&out, 4096);
    assert_int_equal(sh_sample_to_annexb(&out, SH_CODEC_AVC, (uint8_t *)config.data, config.length, bytes,
                                         size, true, &err),
                     0);
    buffer_is(&out, START AVC_SPS START AVC_PPS START "6588" START "419e");
    sh_buf_free(&out);
    sh_buf_free(&config);
}

static void test_hevc_samples(void **state)
{
    sh_buf config, out;
    make(&config, SH_CODEC_HEVC, START HEVC_VPS START HEVC_SPS START HEVC_PPS);
    assert_int_equal(convert(&out, SH_CODEC_HEVC, &config,
                             START "460150" START HEVC_VPS START HEVC_SPS START HEVC_PPS START "4e0180" START
                                   "2601ac",
                             NULL),
                     0);
    buffer_is(&out, "000000034e0180"
                    "000000032601ac");
    sh_buf_free(&out);
    sh_sample_look look = look_at(SH_CODEC_HEVC, &config, "000000032601ac");
    assert_true(look.idr && look.random_access && look.first_coded == 19);
    look = look_at(SH_CODEC_HEVC, &config, "000000032a01ac");
    assert_true(!look.idr && look.random_access && look.first_coded == 21);
    look = look_at(SH_CODEC_HEVC, &config, "000000031001ac");
    assert_true(!look.random_access && look.leading);
    sh_buf_free(&config);
}

static void test_av1_samples(void **state)
{
    sh_buf config, out;
    sh_err err = {0};
    make(&config, SH_CODEC_AV1, AV1_SEQUENCE);
    /* a unit without a size field is the last one; padding and the delimiter go */
    assert_int_equal(convert(&out, SH_CODEC_AV1, &config,
                             "1200" AV1_SEQUENCE "7a0180"
                             "3010aabb",
                             &err),
                     0);
    buffer_is(&out, AV1_SEQUENCE "320310aabb");
    sh_buf_free(&out);
    sh_sample_look look = look_at(SH_CODEC_AV1, &config, AV1_SEQUENCE "320310aabb");
    assert_true(look.idr && look.parameter_sets && !look.sequence_other && !look.delimiter);
    look = look_at(SH_CODEC_AV1, &config, "1200320330aabb");
    assert_true(!look.idr && !look.random_access && look.delimiter);
    look = look_at(SH_CODEC_AV1, &config, "320300aabb"); /* a key frame that is not shown */
    assert_true(!look.idr && look.random_access);
    look = look_at(SH_CODEC_AV1, &config, "1a0180"); /* shows a frame again */
    assert_true(!look.idr && look.first_coded == 3);
    assert_int_equal(convert(&out, SH_CODEC_AV1, &config,
                             "0a0a000000032dffcfbf9005"
                             "320310aabb",
                             &err),
                     SH_E_FORMAT);
    sh_buf_free(&out);
    assert_int_equal(convert(&out, SH_CODEC_AV1, &config, AV1_SEQUENCE, &err), SH_E_FORMAT);
    sh_buf_free(&out);
    sh_buf_free(&config);
}

static void test_aac_samples(void **state)
{
    sh_buf config, out;
    sh_err err = {0};
    make(&config, SH_CODEC_AAC, "1190");
    codecs_are(&config, SH_CODEC_AAC, "mp4a.40.2");
    assert_int_equal(convert(&out, SH_CODEC_AAC, &config, "2110", &err), 0);
    buffer_is(&out, "2110");
    sh_buf_free(&out);
    assert_int_equal(convert(&out, SH_CODEC_AAC, &config, "fff14c80013ffc2110", &err), SH_E_FORMAT);
    assert_int_equal(convert(&out, SH_CODEC_AAC, &config, "", &err), SH_E_FORMAT);
    sh_buf_free(&out);
    sh_buf_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_avc),         cmocka_unit_test(test_avc_high),
        cmocka_unit_test(test_hevc),        cmocka_unit_test(test_av1),
        cmocka_unit_test(test_aac),         cmocka_unit_test(test_refused),
        cmocka_unit_test(test_avc_samples), cmocka_unit_test(test_hevc_samples),
        cmocka_unit_test(test_av1_samples), cmocka_unit_test(test_aac_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
