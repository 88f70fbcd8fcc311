/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each encoder that is built in: what encode.h promises, decoded back and compared. */
#include "encodework.h"
#include "media/avlog.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_one_key_frame_times_and_pictures(void **state)
{
    for (int e = 0; e < ENCODERS; e++)
        for (int deep = 0; deep < 2; deep++) {
            sh_encoder_settings s;
            piece p;
            encoder_settings(&s, encoder_names[e]);
            s.format = deep ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
            encode_piece(&p, &s, FRAMES, 1, NULL);
            check_packets(&p);
            const double psnr = decode_piece(&p, FRAMES, &s, NULL);
            print_message("%s %d bits: delay %d, %zu bytes, PSNR %.2f dB, extradata %d\n", encoder_names[e],
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
        encoder_settings(&s, encoder_names[e]);
        encode_piece(&a, &s, FRAMES, 1, NULL);
        encode_piece(&b, &s, FRAMES, 5, NULL);
        s.piece_frames = 1000; /* the length allowed is no part of the bytes either */
        encode_piece(&c, &s, FRAMES, 0, NULL);
        check_same(&a, &b);
        check_same(&a, &c);
        piece_free(&a);
        piece_free(&b);
        piece_free(&c);
    }
}

/* Encoders of several pieces at once, as with --jobs. */
typedef struct job {
    pthread_t thread;
    sh_encoder_settings settings;
    piece p;
} job;

static void *work(void *opaque)
{
    job *j = opaque;
    encode_piece(&j->p, &j->settings, FRAMES, 1, NULL);
    return NULL;
}

static void test_bytes_do_not_depend_on_company(void **state)
{
    job jobs[ENCODERS * 2];
    for (int i = 0; i < ENCODERS * 2; i++) {
        encoder_settings(&jobs[i].settings, encoder_names[i / 2]);
        jobs[i].settings.threads = 3;
        assert_int_equal(pthread_create(&jobs[i].thread, NULL, work, &jobs[i]), 0);
    }
    for (int i = 0; i < ENCODERS * 2; i++)
        pthread_join(jobs[i].thread, NULL);
    for (int i = 0; i < ENCODERS; i++) {
        piece alone;
        encode_piece(&alone, &jobs[2 * i].settings, FRAMES, 0, NULL);
        check_same(&jobs[2 * i].p, &alone);
        check_same(&jobs[2 * i + 1].p, &alone);
        piece_free(&jobs[2 * i].p);
        piece_free(&jobs[2 * i + 1].p);
        piece_free(&alone);
    }
}

/* A decoder goes from piece to piece by the first one's headers, as a player does. */
static void test_join(void **state)
{
    for (int e = 0; e < ENCODERS; e++) {
        sh_encoder_settings s;
        piece p;
        uint8_t *lines[FRAMES] = {NULL}; /* one of each picture of the first piece */
        int n = 0;
        encoder_settings(&s, encoder_names[e]);
        encode_piece(&p, &s, FRAMES, 1, NULL);
        const AVCodec *codec = avcodec_find_decoder(p.parameters->codec_id);
        AVCodecContext *decoder = avcodec_alloc_context3(codec);
        AVFrame *frame = av_frame_alloc();
        assert_int_equal(avcodec_parameters_to_context(decoder, p.parameters), 0);
        decoder->thread_count = 1;
        decoder->err_recognition = AV_EF_EXPLODE;
        assert_int_equal(avcodec_open2(decoder, codec, NULL), 0);
        for (int i = 0; i <= 3 * FRAMES; i++) {
            assert_int_equal(avcodec_send_packet(decoder, i < 3 * FRAMES ? p.packets[i % FRAMES] : NULL), 0);
            for (; avcodec_receive_frame(decoder, frame) == 0; n++) {
                const uint8_t *line = frame->data[0] + HEIGHT / 2 * frame->linesize[0];
                assert_int_equal(frame->decode_error_flags, 0);
                if (n < FRAMES)
                    lines[n] = av_memdup(line, WIDTH);
                assert_memory_equal(line, lines[n % FRAMES], WIDTH);
            }
        }
        assert_int_equal(n, 3 * FRAMES);
        for (int i = 0; i < FRAMES; i++)
            av_free(lines[i]);
        av_frame_free(&frame);
        avcodec_free_context(&decoder);
        piece_free(&p);
    }
}

static void test_parameters_of_pieces_agree(void **state)
{
    for (int e = 0; e < ENCODERS; e++) {
        sh_encoder_settings s;
        sh_encoder *a = NULL, *b = NULL;
        sh_err err;
        encoder_settings(&s, encoder_names[e]);
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

static void test_formats(void **state)
{
    static const enum AVPixelFormat formats[] = {AV_PIX_FMT_YUV422P,   AV_PIX_FMT_YUV444P,
                                                 AV_PIX_FMT_GRAY8,     AV_PIX_FMT_YUV422P10,
                                                 AV_PIX_FMT_YUV444P10, AV_PIX_FMT_GRAY10};
    for (int e = 0; e < 2; e++)
        for (size_t f = 0; f < sizeof(formats) / sizeof(*formats); f++) {
            sh_encoder_settings s;
            piece p;
            encoder_settings(&s, encoder_names[e]);
            s.format = formats[f];
            assert_int_equal(sh_encoder_format(sh_encoder_find(encoder_names[e]), formats[f]), formats[f]);
            encode_piece(&p, &s, 4, 1, NULL);
            assert_true(decode_piece(&p, 4, &s, NULL) > 36);
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
        {"libx264", 2, 2, 0, ""},
        {"libx265", 14, 16, SH_E_LIMIT, "16x16"},
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
        encoder_settings(&s, cases[i].name);
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
        encoder_settings(&s, encoder_names[e]);
        s.width = sh_encoder_find(encoder_names[e])->width_min;
        s.height = sh_encoder_find(encoder_names[e])->height_min;
        encode_piece(&p, &s, 2, 1, NULL);
        decode_piece(&p, 2, &s, NULL);
        piece_free(&p);
        encode_piece(&p, &s, 1, 1, NULL);
        decode_piece(&p, 1, &s, NULL);
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
        encoder_settings(&s, cases[i].name);
        s.options = &cases[i].option;
        s.option_count = 1;
        int status = sh_encoder_check_options(&s, &err);
        if (status != cases[i].status || !strstr(err.message, cases[i].words))
            fail_msg("%s: %d: %s", cases[i].option, status, err.message);
    }
}

/* What goes through may change much, but not what a piece is. */
static void test_options_keep_pieces_whole(void **state)
{
    static const struct {
        const char *name, *option;
        int delay;
    } cases[] = {
        {"libx264", "bframes=0", 0},
        {"libx264", "b-pyramid=none", 1},
        {"libx264", "tune=zerolatency", 0},
        {"libx264", "scenecut=100", 2},
        {"libx264", "bframes=16", 2},
        {"libx264", "rc-lookahead=0", 2},
        {"libx265", "bframes=0", 0},
        {"libx265", "b-pyramid=0", 1},
        {"libx265", "tune=zerolatency", 0},
        {"libx265", "scenecut=100", 2},
        {"libx265", "temporal-layers=1", 2},
        {"libx265", "lossless=1", 2},
        {"libx265", "wpp=0", 2},
        {"libsvtav1", "enable-overlays=1", 0},
        {"libsvtav1", "film-grain=8", 0},
        {"libsvtav1", "hierarchical-levels=3", 0},
        {"libsvtav1", "scd=1", 0},
        {"libsvtav1", "lookahead=5", 0},
        {"libsvtav1", "pred-struct=1", 0},
        {"libsvtav1", "tile-columns=1", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        sh_encoder_settings s;
        piece p;
        encoder_settings(&s, cases[i].name);
        s.options = &cases[i].option;
        s.option_count = 1;
        encode_piece(&p, &s, FRAMES, 1, NULL);
        check_packets(&p);
        if (p.delay != cases[i].delay)
            fail_msg("%s: delay %d", cases[i].option, p.delay);
        decode_piece(&p, FRAMES, &s, NULL);
        piece_free(&p);
    }
}

static void test_quality_and_preset(void **state)
{
    sh_encoder_settings s;
    sh_err err;
    encoder_settings(&s, "libx264");
    s.crf = 60;
    assert_int_equal(open_status(&s, &err), SH_E_ARGUMENT);
    assert_non_null(strstr(err.message, "0 to 51"));
    s.crf = NAN;
    assert_int_equal(open_status(&s, &err), 0); /* the default */
    s.preset = "sloth";
    assert_int_equal(open_status(&s, &err), SH_E_ARGUMENT);
    assert_non_null(strstr(err.message, "sloth"));
    encoder_settings(&s, "libsvtav1");
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
            encoder_settings(&s, encoder_names[e]);
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
    encoder_settings(&s, "libx264");
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
        {"auto", AV_PIX_FMT_YUV420P, 8, 8, false, "mp4", "libx264", "8 bits"},
        {"libx265", AV_PIX_FMT_YUV420P, 8, 8, false, "mp4", NULL, "smaller than 16x16"},
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
        encoder_settings(&s, cases[i].name);
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
        const char *text = sh_encoder_version(encoder_names[e]);
        print_message("%s\n", text);
        assert_non_null(strstr(text, words[e]));
        assert_ptr_equal(text, sh_encoder_version(encoder_names[e]));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_key_frame_times_and_pictures),
        cmocka_unit_test(test_bytes_do_not_depend_on_calls),
        cmocka_unit_test(test_bytes_do_not_depend_on_company),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_parameters_of_pieces_agree),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_small_pictures),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_options_keep_pieces_whole),
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
