/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JPEG files, sheets of thumbnails, and HDR pictures as SDR. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "ladderwork.h"
#include "media/avlog.h"
#include "media/ladder_frames.h"
#include "media/ladder_tonemap.h"

#include <fcntl.h>
#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <libavutil/mastering_display_metadata.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One colour all over. */
static AVFrame *flat(int width, int height, enum AVPixelFormat format, int y, int u, int v)
{
    AVFrame *frame = av_frame_alloc();
    frame->width = width;
    frame->height = height;
    frame->format = format;
    frame->color_range = AVCOL_RANGE_MPEG;
    frame->colorspace = AVCOL_SPC_BT709;
    frame->pts = 5;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    const int value[3] = {y, u, v};
    for (int plane = 0; plane < 3; plane++)
        for (int row = 0; row < (plane ? height / 2 : height); row++) {
            uint8_t *at = frame->data[plane] + (ptrdiff_t)row * frame->linesize[plane];
            for (int x = 0; x < (plane ? width / 2 : width); x++) {
                if (format == AV_PIX_FMT_YUV420P10)
                    ((uint16_t *)at)[x] = (uint16_t)value[plane];
                else
                    at[x] = (uint8_t)value[plane];
            }
        }
    return frame;
}

static AVFrame *read_jpeg(const sh_buf *bytes)
{
    AVCodecContext *decoder = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_MJPEG));
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    assert_int_equal(avcodec_open2(decoder, NULL, NULL), 0);
    assert_int_equal(av_new_packet(packet, (int)bytes->length), 0);
    memcpy(packet->data, bytes->data, bytes->length);
    assert_int_equal(avcodec_send_packet(decoder, packet), 0);
    assert_int_equal(avcodec_receive_frame(decoder, frame), 0);
    av_packet_free(&packet);
    avcodec_free_context(&decoder);
    return frame;
}

static void near(int value, int wanted, int by)
{
    if (abs(value - wanted) > by)
        fail_msg("%d is not within %d of %d", value, by, wanted);
}

static int sample(const AVFrame *frame, int plane, int x, int y)
{
    return frame->data[plane][(ptrdiff_t)y * frame->linesize[plane] + x];
}

/* ---- JPEG ---- */

static void test_jpeg(void **state)
{
    sh_jpeg *jpeg = NULL;
    sh_buf bytes, worse;
    sh_err err = {0};
    sh_buf_init(&bytes, SH_JPEG_MAX);
    sh_buf_init(&worse, SH_JPEG_MAX);
    assert_int_equal(sh_jpeg_open(&jpeg, 90, &err), 0);
    /* BT.709's red of limited range is BT.601's of full range */
    AVFrame *red = flat(64, 48, AV_PIX_FMT_YUV420P, 63, 102, 240);
    assert_int_equal(sh_jpeg_make(jpeg, red, &bytes, &err), 0);
    AVFrame *back = read_jpeg(&bytes);
    assert_int_equal(back->width, 64);
    near(sample(back, 0, 9, 9), 76, 3);
    near(sample(back, 1, 9, 9), 85, 3);
    near(sample(back, 2, 9, 9), 255, 4);
    av_frame_free(&back);
    av_frame_free(&red);
    AVFrame *white = flat(32, 32, AV_PIX_FMT_YUV420P10, 940, 512, 512); /* another size and depth */
    assert_int_equal(sh_jpeg_make(jpeg, white, &bytes, &err), 0);
    back = read_jpeg(&bytes);
    near(sample(back, 0, 9, 9), 255, 2);
    av_frame_free(&back);
    av_frame_free(&white);
    sh_jpeg_close(&jpeg);
    AVFrame *busy = flat(128, 128, AV_PIX_FMT_YUV420P, 0, 128, 128);
    for (int y = 0; y < 128; y++)
        for (int x = 0; x < 128; x++)
            busy->data[0][y * busy->linesize[0] + x] = (uint8_t)(x * 7919 ^ y * 104729);
    assert_int_equal(sh_jpeg_open(&jpeg, 90, &err), 0);
    assert_int_equal(sh_jpeg_make(jpeg, busy, &bytes, &err), 0);
    sh_jpeg_close(&jpeg);
    assert_int_equal(sh_jpeg_open(&jpeg, 20, &err), 0);
    assert_int_equal(sh_jpeg_make(jpeg, busy, &worse, &err), 0);
    sh_jpeg_close(&jpeg);
    assert_true(worse.length < bytes.length / 2);
    assert_int_equal(sh_jpeg_open(&jpeg, 101, &err), SH_E_ARGUMENT);
    av_frame_free(&busy);
    sh_buf_free(&bytes);
    sh_buf_free(&worse);
}

static void test_capture(void **state)
{
    sh_capture c = {.rate = {1, 2}, .maximum = 3}, later = c;
    const AVRational base = {1, 25};
    int64_t number, taken = 0, at[10];
    for (int64_t n = 0; n < 500; n++)
        if (sh_capture_wants(&c, n, base, &number)) {
            assert_int_equal(number, taken);
            at[taken++] = n;
        }
    assert_int_equal(taken, 3);
    assert_int_equal(at[0], 0);
    assert_int_equal(at[1], 50);
    assert_int_equal(at[2], 100);
    sh_capture_seen(&later, 60, base); /* picture 1 is done */
    assert_false(sh_capture_wants(&later, 61, base, &number));
    assert_true(sh_capture_wants(&later, 100, base, &number));
    assert_int_equal(number, 2);
    sh_capture odd = {.rate = {30000, 1001}}; /* each frame of its own rate */
    const AVRational ticks = {1001, 30000};
    for (int64_t n = 0; n < 300; n++)
        assert_true(sh_capture_wants(&odd, n, ticks, &number));
}

/* ---- thumbnails ---- */

static int work_file(void)
{
    return open(ladderwork_path("work"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static void feed(sh_thumbs *thumbs, int64_t from, int64_t to)
{
    const AVRational base = {1, 10};
    for (int64_t n = from; n < to; n++) {
        AVFrame *frame = flat(160, 120, AV_PIX_FMT_YUV420P, 20 + (int)n, 128, 128);
        frame->color_range = AVCOL_RANGE_MPEG;
        assert_int_equal(sh_thumbs_frame(thumbs, frame, n, base, NULL), 0);
        av_frame_free(&frame);
    }
}

static void sheet(sh_thumbs *thumbs, int64_t number, sh_buf *bytes, int width, int height)
{
    int w, h;
    sh_err err = {0};
    sh_buf_init(bytes, SH_JPEG_MAX);
    if (sh_thumbs_sheet(thumbs, number, bytes, &w, &h, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(w, width);
    assert_int_equal(h, height);
}

static void test_thumbs(void **state)
{
    sh_thumbs_settings settings = {
        .width = 64, .height = 36, .columns = 3, .rows = 2, .period = {1, 1}, .quality = 95};
    sh_thumbs *thumbs = NULL;
    sh_err err = {0};
    sh_buf first, last, again;
    settings.work = work_file();
    assert_int_equal(sh_thumbs_open(&thumbs, &settings, &err), 0);
    feed(thumbs, 0, 55);  /* tiles at 0, 1 ... 5 s */
    feed(thumbs, 71, 72); /* and at 7; the one of 6 is that of 5 */
    assert_int_equal(sh_thumbs_count(thumbs), 8);
    assert_int_equal(sh_thumbs_sheets(thumbs), 2);
    sheet(thumbs, 0, &first, 192, 72);
    sheet(thumbs, 1, &last, 192, 36);
    AVFrame *seen = read_jpeg(&first);
    for (int k = 0; k < 6; k++)
        near(sample(seen, 0, k % 3 * 64 + 32, k / 3 * 36 + 18), (int)lrint((4 + 10 * k) * 255 / 219.0), 3);
    near(sample(seen, 0, 2, 18), 0, 3); /* 4:3 in 16:9 */
    av_frame_free(&seen);
    seen = read_jpeg(&last);
    near(sample(seen, 0, 32, 18), (int)lrint((4 + 50) * 255 / 219.0), 3);
    near(sample(seen, 0, 96, 18), (int)lrint((4 + 71) * 255 / 219.0), 3);
    near(sample(seen, 0, 160, 18), 0, 3); /* nothing */
    av_frame_free(&seen);
    sh_thumbs_close(&thumbs);
    settings.begin = 4; /* after a crash */
    assert_int_equal(sh_thumbs_open(&thumbs, &settings, &err), 0);
    feed(thumbs, 35, 55);
    feed(thumbs, 71, 72);
    sheet(thumbs, 0, &again, 192, 72);
    assert_int_equal(again.length, first.length);
    assert_memory_equal(again.data, first.data, first.length);
    sh_thumbs_close(&thumbs);
    settings.width = 62;
    assert_int_equal(sh_thumbs_open(&thumbs, &settings, &err), SH_E_CONFLICT);
    settings.begin = 0;
    settings.width = 63;
    assert_int_equal(sh_thumbs_open(&thumbs, &settings, &err), SH_E_ARGUMENT);
    close(settings.work);
    sh_buf_free(&first);
    sh_buf_free(&last);
    sh_buf_free(&again);
}

/* ---- HDR ---- */

static int code_of(double nits) /* PQ, 10 bits, limited */
{
    const double m1 = 0.1593017578125, m2 = 78.84375, c1 = 0.8359375, c2 = 18.8515625, c3 = 18.6875;
    const double y = pow(nits / 10000, m1);
    return (int)lrint(64 + 876 * pow((c1 + c2 * y) / (1 + c3 * y), m2));
}

static int mapped(double nits, double peak)
{
    AVFrame *in = flat(32, 32, AV_PIX_FMT_YUV420P10, code_of(nits), 512, 512), *out = NULL;
    sh_tonemap *tonemap = NULL;
    sh_err err = {0};
    const sh_tonemap_settings settings = {.peak = peak};
    in->color_trc = AVCOL_TRC_SMPTE2084;
    in->color_primaries = AVCOL_PRI_BT2020;
    in->colorspace = AVCOL_SPC_BT2020_NCL;
    assert_non_null(av_mastering_display_metadata_create_side_data(in));
    if (sh_tonemap_open(&tonemap, &settings, in, &err) < 0 || sh_tonemap_run(tonemap, in, &out, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(out->format, AV_PIX_FMT_YUV420P);
    assert_int_equal(out->color_trc, AVCOL_TRC_BT709);
    assert_int_equal(out->colorspace, AVCOL_SPC_BT709);
    assert_int_equal(out->pts, 5);
    assert_null(av_frame_get_side_data(out, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA));
    const int value = sample(out, 0, 9, 9);
    near(sample(out, 1, 9, 9), 128, 1);
    near(sample(out, 2, 9, 9), 128, 1);
    av_frame_free(&out);
    av_frame_free(&in);
    sh_tonemap_close(&tonemap);
    return value;
}

static void test_tonemap(void **state)
{
    near(mapped(0, 1000), 16, 1);
    /* dark tones as they are: a sixth of the white, by a gamma of 2.4 */
    near(mapped(203.0 / 6, 1000), (int)lrint(16 + 219 * pow(1.0 / 6, 1 / 2.4)), 3);
    near(mapped(1000, 1000), 235, 2);
    near(mapped(4000, 4000), 235, 2);
    int before = 0;
    for (double nits = 1; nits < 1000; nits *= 1.5) {
        const int value = mapped(nits, 1000);
        assert_true(value > before);
        before = value;
    }
    assert_true(mapped(203, 1000) > mapped(203, 4000));
    assert_true(mapped(203, 1000) > 160);
    AVFrame *sdr = flat(32, 32, AV_PIX_FMT_YUV420P, 100, 128, 128);
    sh_tonemap *none = NULL;
    const sh_tonemap_settings settings = {0};
    sdr->color_trc = AVCOL_TRC_BT709;
    assert_int_equal(sh_tonemap_open(&none, &settings, sdr, NULL), SH_E_UNSUPPORTED);
    assert_null(none);
    av_frame_free(&sdr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_jpeg), cmocka_unit_test(test_capture),
                                       cmocka_unit_test(test_thumbs), cmocka_unit_test(test_tonemap)};
    sh_avlog_start(-1);
    return cmocka_run_group_tests(tests, ladderwork_start, ladderwork_stop);
}
