/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures that leave by other ways than an encoder: Y4M, read back by the source, and previews. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/avlog.h"
#include "media/image.h"
#include "media/preview.h"
#include "media/source.h"
#include "media/y4m.h"

#include <fcntl.h>
#include <libavutil/pixdesc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static AVFrame *picture(int format, int width, int height, int seed)
{
    AVFrame *frame = av_frame_alloc();
    frame->width = width;
    frame->height = height;
    frame->format = format;
    frame->color_range = AVCOL_RANGE_MPEG;
    frame->chroma_location = AVCHROMA_LOC_LEFT;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    for (int p = 0; p < d->nb_components; p++)
        for (int y = 0; y < AV_CEIL_RSHIFT(height, p ? d->log2_chroma_h : 0); y++)
            for (int x = 0; x < AV_CEIL_RSHIFT(width, p ? d->log2_chroma_w : 0); x++) {
                const int value = 16 + (x * 3 + y * 5 + p * 7 + seed * 11) % 200;
                uint8_t *row = frame->data[p] + (ptrdiff_t)y * frame->linesize[p];
                if (d->comp[0].depth > 8)
                    ((uint16_t *)row)[x] = (uint16_t)(value * 4 + x % 4);
                else
                    row[x] = (uint8_t)value;
            }
    return frame;
}

static bool same(const AVFrame *a, const AVFrame *b)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(a->format);
    if (a->width != b->width || a->height != b->height || a->format != b->format)
        return false;
    for (int p = 0; p < d->nb_components; p++)
        for (int y = 0; y < AV_CEIL_RSHIFT(a->height, p ? d->log2_chroma_h : 0); y++)
            if (memcmp(a->data[p] + (ptrdiff_t)y * a->linesize[p], b->data[p] + (ptrdiff_t)y * b->linesize[p],
                       (size_t)AV_CEIL_RSHIFT(a->width, p ? d->log2_chroma_w : 0) *
                           (d->comp[0].depth > 8 ? 2 : 1)) != 0)
                return false;
    return true;
}

static void round_trip(int format, int width, int height, int siting)
{
    FILE *file = tmpfile();
    sh_y4m y4m;
    sh_err err = {0};
    AVFrame *frames[3], *read = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    for (int i = 0; i < 3; i++) {
        frames[i] = picture(format, width, height, i);
        frames[i]->chroma_location = siting;
    }
    assert_int_equal(
        sh_y4m_open(&y4m, fileno(file), frames[0], (AVRational){30000, 1001}, (AVRational){10, 11}, &err), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sh_y4m_write(&y4m, frames[i], &err), 0);
    assert_int_equal(y4m.frames, 3);
    assert_int_equal(y4m.written, lseek(fileno(file), 0, SEEK_END));
    sh_y4m_close(&y4m);
    sh_source source = {.name = "y4m", .channel = -1};
    if (sh_source_open(&source, fileno(file), 1, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(source.video->sample_aspect_ratio.num, 10);
    assert_int_equal(source.video->avg_frame_rate.num, 30000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sh_source_next(&source, read, packet, &err), SH_SOURCE_FRAME);
        assert_true(same(read, frames[i]));
        if (format == AV_PIX_FMT_YUV420P)
            assert_int_equal(source.video->codecpar->chroma_location, siting);
        av_frame_unref(read);
    }
    assert_int_equal(sh_source_next(&source, read, packet, &err), SH_SOURCE_END);
    sh_source_close(&source);
    for (int i = 0; i < 3; i++)
        av_frame_free(&frames[i]);
    av_frame_free(&read);
    av_packet_free(&packet);
    fclose(file);
}

static void test_round_trip(void **state)
{
    static const int formats[] = {AV_PIX_FMT_YUV420P10, AV_PIX_FMT_YUV422P,   AV_PIX_FMT_YUV422P10,
                                  AV_PIX_FMT_YUV444P,   AV_PIX_FMT_YUV444P10, AV_PIX_FMT_GRAY8};
    static const int sitings[] = {AVCHROMA_LOC_LEFT, AVCHROMA_LOC_CENTER, AVCHROMA_LOC_TOPLEFT};
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        round_trip(formats[i], 64, 48, AVCHROMA_LOC_LEFT);
        round_trip(formats[i], 35, 21, AVCHROMA_LOC_LEFT);
    }
    for (size_t i = 0; i < sizeof(sitings) / sizeof(sitings[0]); i++)
        round_trip(AV_PIX_FMT_YUV420P, 36, 22, sitings[i]);
}

static void test_refused(void **state)
{
    AVFrame *frame = picture(AV_PIX_FMT_YUV420P, 16, 16, 0);
    sh_y4m y4m = {0};
    sh_err err;
    int ends[2];
    assert_int_equal(sh_y4m_open(&y4m, 1, frame, (AVRational){0, 1}, (AVRational){1, 1}, &err),
                     SH_E_ARGUMENT);
    frame->format = AV_PIX_FMT_NV12;
    assert_int_equal(sh_y4m_open(&y4m, 1, frame, (AVRational){25, 1}, (AVRational){1, 1}, &err),
                     SH_E_UNSUPPORTED);
    frame->format = AV_PIX_FMT_YUV420P;
    assert_int_equal(pipe(ends), 0);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(sh_y4m_open(&y4m, ends[1], frame, (AVRational){25, 1}, (AVRational){1, 1}, &err), 0);
    frame->width = 14;
    assert_int_equal(sh_y4m_write(&y4m, frame, &err), SH_E_ARGUMENT);
    frame->width = 16;
    close(ends[0]);
    assert_int_equal(sh_y4m_write(&y4m, frame, &err), SH_E_IO);
    assert_int_equal(y4m.frames, 0);
    sh_y4m_close(&y4m);
    close(ends[1]);
    av_frame_free(&frame);
}

static void test_preview(void **state)
{
    AVFrame *before = picture(AV_PIX_FMT_YUV420P, 40, 30, 0),
            *after = picture(AV_PIX_FMT_YUV420P10, 80, 60, 1);
    for (int kind = SH_PREVIEW_SIDES; kind <= SH_PREVIEW_WIPE; kind++)
        for (int wide = 1; wide <= 2; wide++) {
            char path[] = "/tmp/spyhop-test-XXXXXX";
            const int fd = mkstemp(path);
            sh_plane8 luma = {0};
            sh_err err = {0};
            after->sample_aspect_ratio = (AVRational){wide, 1};
            assert_int_equal(sh_preview_write(fd, before, after, kind, &err), 0);
            if (sh_image_read_luma(&luma, path, &err) < 0)
                fail_msg("%s", err.message);
            assert_int_equal(luma.width, kind == SH_PREVIEW_SIDES ? 2 * 80 * wide + 2 : 80 * wide);
            assert_int_equal(luma.height, 60);
            sh_plane8_free(&luma);
            close(fd);
            unlink(path);
        }
    av_frame_free(&before);
    av_frame_free(&after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_preview),
    };
    sh_avlog_quiet();
    return cmocka_run_group_tests_name("y4m", tests, NULL, NULL);
}
