/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The graphs between decoder and engine, over pictures that are made here: every frame accounted for, times
 * exact, what hangs on frames in its place, and bit-equal when begun in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/avlog.h"
#include "media/prepare.h"

#include <libavutil/adler32.h>
#include <libavutil/pixdesc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 64
#define HEIGHT 48
#define MOST 200

/* ---- sources ---- */

static uint8_t sample(int t, int plane, int x, int y)
{
    const int bar = (x + 3 * t) / 8 % 2;
    return (uint8_t)(plane ? 100 + bar * 40 + plane * 5 : 40 + bar * 120 + x * 7 % 23 + y / 2);
}

/* Lines of even rows show time `top`, odd ones time `bottom`. */
static AVFrame *picture(int format, int top, int bottom)
{
    AVFrame *frame = av_frame_alloc();
    frame->width = WIDTH;
    frame->height = HEIGHT;
    frame->format = format;
    assert_int_equal(av_frame_get_buffer(frame, 0), 0);
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    const int bytes = d->comp[0].depth > 8 ? 2 : 1, planes = av_pix_fmt_count_planes(format);
    for (int p = 0; p < planes; p++) {
        const int wide = p ? d->log2_chroma_w : 0, high = p ? d->log2_chroma_h : 0;
        const int samples = p && planes == 2 ? WIDTH : WIDTH >> wide;
        for (int y = 0; y < HEIGHT >> high; y++)
            for (int x = 0; x < samples; x++) {
                const int t = y % 2 ? bottom : top, value = sample(t, p, x << wide, y << high);
                uint8_t *at = frame->data[p] + y * frame->linesize[p] + x * bytes;
                if (bytes == 2)
                    *(uint16_t *)at = (uint16_t)(value * 4 << (d->comp[0].shift));
                else
                    *at = (uint8_t)value;
            }
    }
    return frame;
}

static void add_captions(AVFrame *frame, int number, int count)
{
    AVFrameSideData *side = av_frame_new_side_data(frame, AV_FRAME_DATA_A53_CC, (size_t)(3 * count));
    for (int i = 0; i < count; i++) {
        side->data[3 * i] = 0xfc;
        side->data[3 * i + 1] = (uint8_t)number;
        side->data[3 * i + 2] = (uint8_t)i;
    }
}

/* Interlaced frame n: fields at times 2n and 2n + 1. In telecine, of film frames 0 1 2 3: 0/0 1/1 1/2 2/3
 * 3/3. */
static AVFrame *source(int format, int n, bool telecine)
{
    static const int top[5] = {0, 1, 1, 2, 3}, bottom[5] = {0, 1, 2, 3, 3};
    AVFrame *frame = telecine
                         ? picture(format, 40 * (n / 5) + 10 * top[n % 5], 40 * (n / 5) + 10 * bottom[n % 5])
                         : picture(format, 2 * n, 2 * n + 1);
    frame->pts = 1000 + 100 * n + n % 3;
    frame->pkt_duration = 100;
    frame->interlaced_frame = frame->top_field_first = 1;
    frame->sample_aspect_ratio = (AVRational){10, 11};
    frame->chroma_location = AVCHROMA_LOC_LEFT;
    frame->opaque_ref = av_buffer_alloc(16);
    frame->opaque_ref->data[0] = (uint8_t)n;
    add_captions(frame, n, 20);
    return frame;
}

/* ---- results ---- */

typedef struct made {
    struct {
        int64_t number, pts;
        uint32_t hash;
        int of, width, height, sar_num, siting, interlaced;
        int captions; /* triplets */
    } out[MOST];
    int count;
    int dropped[MOST], drops;
    uint8_t captions[MOST * 31 * 3];
    size_t caption_bytes;
} made;

static uint32_t hash_of(const AVFrame *frame)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(frame->format);
    const int bytes = d->comp[0].depth > 8 ? 2 : 1;
    uint32_t hash = 1;
    for (int p = 0; p < 3 && frame->data[p]; p++)
        for (int y = 0; y < AV_CEIL_RSHIFT(frame->height, p ? d->log2_chroma_h : 0); y++)
            hash =
                av_adler32_update(hash, frame->data[p] + (ptrdiff_t)y * frame->linesize[p],
                                  (size_t)(bytes * AV_CEIL_RSHIFT(frame->width, p ? d->log2_chroma_w : 0)));
    return hash;
}

static void note(made *m, const AVFrame *frame, int64_t number)
{
    const AVFrameSideData *captions = av_frame_get_side_data(frame, AV_FRAME_DATA_A53_CC);
    assert_in_range(m->count, 0, MOST - 1);
    assert_non_null(frame->opaque_ref);
    m->out[m->count].number = number;
    m->out[m->count].pts = frame->pts;
    m->out[m->count].hash = hash_of(frame);
    m->out[m->count].of = frame->opaque_ref->data[0];
    m->out[m->count].width = frame->width;
    m->out[m->count].height = frame->height;
    m->out[m->count].sar_num = frame->sample_aspect_ratio.num;
    m->out[m->count].siting = frame->chroma_location;
    m->out[m->count].interlaced = frame->interlaced_frame;
    m->out[m->count++].captions = captions ? (int)captions->size / 3 : 0;
    if (captions) {
        memcpy(m->captions + m->caption_bytes, captions->data, captions->size);
        m->caption_bytes += captions->size;
    }
}

static void take_all(sh_prepare *prepare, made *m)
{
    AVFrame *frame = av_frame_alloc();
    int64_t number;
    sh_err err = {0};
    int status;
    while ((status = sh_prepare_receive(prepare, frame, &number, &err)) == 1) {
        note(m, frame, number);
        av_frame_unref(frame);
    }
    if (status < 0)
        fail_msg("%s", err.message);
    while (sh_prepare_dropped(prepare, &number))
        m->dropped[m->drops++] = (int)number;
    av_frame_free(&frame);
}

static made *run(const sh_prepare_settings *settings, int format, int sources, int64_t output)
{
    made *m = calloc(1, sizeof(*m));
    AVFrame *frame = source(format, 0, settings->telecine);
    sh_prepare *prepare = NULL;
    sh_err err = {0};
    if (sh_prepare_open(&prepare, settings, frame, output, &err) < 0)
        fail_msg("%s", err.message);
    av_frame_free(&frame);
    for (int n = (int)sh_prepare_first(settings, output); n < sources; n++) {
        frame = source(format, n, settings->telecine);
        assert_int_equal(sh_prepare_send(prepare, frame, &err), 0);
        assert_null(frame->buf[0]);
        av_frame_free(&frame);
        take_all(prepare, m);
    }
    assert_int_equal(sh_prepare_send(prepare, NULL, &err), 0);
    take_all(prepare, m);
    sh_prepare_close(&prepare);
    return m;
}

/* A run from any output on gives what the whole one gave. */
static void begins_anywhere(const sh_prepare_settings *settings, int format, int sources, int outputs)
{
    made *all = run(settings, format, sources, 0);
    assert_int_equal(all->count, outputs);
    for (int from = 0; from < outputs; from += 3) {
        made *part = run(settings, format, sources, from);
        assert_int_equal(part->count, outputs - from);
        assert_memory_equal(part->out, all->out + from, (size_t)part->count * sizeof(part->out[0]));
        free(part);
    }
    for (int i = 0; i < all->count; i++) {
        assert_int_equal(all->out[i].number, i);
        if (i > 0)
            assert_true(all->out[i].pts > all->out[i - 1].pts);
    }
    free(all);
}

static const sh_prepare_settings plain = {
    .deinterlace = SH_DEINTERLACE_OFF, .time_base = {1, 2500}, .rate = {25, 1}};

static void test_nothing(void **state)
{
    made *m = run(&plain, AV_PIX_FMT_NV12, 5, 0);
    AVFrame *frame = source(AV_PIX_FMT_NV12, 3, false);
    assert_int_equal(m->count, 5);
    assert_int_equal(m->out[3].hash, hash_of(frame));
    assert_int_equal(m->out[3].captions, 20);
    assert_int_equal(m->out[3].interlaced, 1);
    av_frame_free(&frame);
    free(m);
    begins_anywhere(&plain, AV_PIX_FMT_YUV420P, 20, 20);
}

static void test_frames(void **state)
{
    sh_prepare_settings settings = plain;
    settings.deinterlace = SH_DEINTERLACE_FRAME;
    begins_anywhere(&settings, AV_PIX_FMT_YUV420P, 23, 23);
    settings.threads = 3;
    begins_anywhere(&settings, AV_PIX_FMT_YUV422P10, 12, 12);
    made *m = run(&settings, AV_PIX_FMT_YUV420P, 23, 0);
    for (int i = 0; i < m->count; i++) {
        assert_int_equal(m->out[i].of, i);
        assert_int_equal(m->out[i].pts, 1000 + 100 * i + i % 3);
        assert_int_equal(m->out[i].captions, 20);
        assert_int_equal(m->out[i].interlaced, 0);
        assert_int_equal(m->out[i].sar_num, 10);
    }
    free(m);
    m = run(&settings, AV_PIX_FMT_YUV420P, 1, 0);
    assert_int_equal(m->count, 1);
    free(m);
}

static void test_same_bytes_of_any_layout(void **state)
{
    static const int formats[][2] = {{AV_PIX_FMT_NV12, AV_PIX_FMT_YUV420P},
                                     {AV_PIX_FMT_P010, AV_PIX_FMT_YUV420P10}};
    sh_prepare_settings settings = plain;
    settings.deinterlace = SH_DEINTERLACE_FRAME;
    for (int i = 0; i < 2; i++) {
        made *semi = run(&settings, formats[i][0], 3, 0), *planar = run(&settings, formats[i][1], 3, 0);
        assert_int_equal(semi->count, planar->count);
        free(semi);
        free(planar);
    }
}

static void test_fields(void **state)
{
    sh_prepare_settings settings = plain;
    settings.deinterlace = SH_DEINTERLACE_FIELD;
    begins_anywhere(&settings, AV_PIX_FMT_YUV420P, 15, 30);
    assert_int_equal(sh_prepare_time_base(&settings).den, 5000);
    assert_int_equal(sh_prepare_rate(&settings, settings.rate).num, 50);
    made *m = run(&settings, AV_PIX_FMT_YUV420P, 15, 0);
    for (int i = 0; i < m->count; i++) {
        const int n = i / 2;
        const int64_t now = 1000 + 100 * n + n % 3, next = 1000 + 100 * (n + 1) + (n + 1) % 3;
        assert_int_equal(m->out[i].of, n);
        assert_int_equal(m->out[i].captions, i % 2 ? 0 : 20);
        if (n < 14)
            assert_int_equal(m->out[i].pts, i % 2 ? now + next : 2 * now);
    }
    free(m);
}

static void test_telecine(void **state)
{
    sh_prepare_settings settings = plain;
    settings.telecine = true;
    settings.rate = (AVRational){30000, 1001};
    begins_anywhere(&settings, AV_PIX_FMT_YUV420P, 40, 32);
    made *m = run(&settings, AV_PIX_FMT_YUV420P, 40, 0);
    assert_int_equal(m->drops, 8);
    for (int i = 0; i < m->count; i++) {
        const int film = 40 * (i / 4) + 10 * (i % 4);
        AVFrame *whole = picture(AV_PIX_FMT_YUV420P, film, film);
        assert_int_equal(m->out[i].hash, hash_of(whole));
        av_frame_free(&whole);
    }
    /* every caption, in order */
    assert_int_equal(m->caption_bytes, 40 * 20 * 3);
    for (size_t i = 0; i < 40 * 20; i++) {
        assert_int_equal(m->captions[3 * i + 1], i / 20);
        assert_int_equal(m->captions[3 * i + 2], i % 20);
    }
    free(m);
    for (int sources = 41; sources < 45; sources++) {
        m = run(&settings, AV_PIX_FMT_YUV420P, sources, 0);
        print_message("%d sources, %d outputs, %d dropped\n", sources, m->count, m->drops);
        assert_int_equal(m->count + m->drops, sources);
        free(m);
    }
    settings.deinterlace = SH_DEINTERLACE_FRAME;
    begins_anywhere(&settings, AV_PIX_FMT_YUV420P, 30, 24);
}

static void test_turned(void **state)
{
    static const struct {
        int turn;
        bool mirror;
        int siting;
    } cases[] = {{90, false, AVCHROMA_LOC_TOP},
                 {180, false, AVCHROMA_LOC_CENTER},
                 {270, false, AVCHROMA_LOC_BOTTOM},
                 {0, true, AVCHROMA_LOC_CENTER}};
    for (int i = 0; i < 4; i++) {
        sh_prepare_settings settings = plain;
        int width = WIDTH, height = HEIGHT;
        settings.turn = cases[i].turn;
        settings.mirror = cases[i].mirror;
        sh_prepare_size(&settings, &width, &height);
        made *m = run(&settings, AV_PIX_FMT_YUV420P, 3, 0);
        assert_int_equal(m->count, 3);
        assert_int_equal(m->out[1].width, width);
        assert_int_equal(m->out[1].height, height);
        assert_int_equal(width, cases[i].turn % 180 ? HEIGHT : WIDTH);
        assert_int_equal(m->out[1].sar_num, cases[i].turn % 180 ? 11 : 10);
        assert_int_equal(m->out[1].siting, cases[i].siting);
        assert_int_equal(m->out[1].interlaced, 1);
        free(m);
    }
    sh_prepare_settings settings = plain;
    settings.turn = 90;
    free(run(&settings, AV_PIX_FMT_YUV422P, 2, 0));
    settings.deinterlace = SH_DEINTERLACE_FIELD;
    begins_anywhere(&settings, AV_PIX_FMT_YUV420P, 8, 16);
}

/* 90 degrees clockwise: the left column becomes the top row. */
static void test_turned_samples(void **state)
{
    sh_prepare_settings settings = plain;
    sh_prepare *prepare = NULL;
    sh_err err;
    AVFrame *in = source(AV_PIX_FMT_YUV420P, 0, false), *copy = av_frame_clone(in), *out = av_frame_alloc();
    settings.turn = 90;
    assert_int_equal(sh_prepare_open(&prepare, &settings, in, 0, &err), 0);
    assert_int_equal(sh_prepare_send(prepare, in, &err), 0);
    assert_int_equal(sh_prepare_receive(prepare, out, NULL, &err), 1);
    for (int i = 0; i < HEIGHT; i++)
        assert_int_equal(out->data[0][i], copy->data[0][(HEIGHT - 1 - i) * copy->linesize[0]]);
    sh_prepare_close(&prepare);
    av_frame_free(&in);
    av_frame_free(&copy);
    av_frame_free(&out);
}

static void refuse(const sh_prepare_settings *settings, int format, int status)
{
    AVFrame *frame = source(format, 0, false);
    sh_prepare *prepare = NULL;
    sh_err err;
    assert_int_equal(sh_prepare_open(&prepare, settings, frame, 0, &err), status);
    assert_null(prepare);
    av_frame_free(&frame);
}

static void test_refused(void **state)
{
    sh_prepare_settings settings = plain;
    settings.turn = 45;
    refuse(&settings, AV_PIX_FMT_YUV420P, SH_E_ARGUMENT);
    settings = plain;
    settings.deinterlace = SH_DEINTERLACE_AUTO;
    refuse(&settings, AV_PIX_FMT_YUV420P, SH_E_ARGUMENT);
    settings.deinterlace = SH_DEINTERLACE_FIELD;
    settings.telecine = true;
    refuse(&settings, AV_PIX_FMT_YUV420P, SH_E_ARGUMENT);
    settings.deinterlace = SH_DEINTERLACE_OFF;
    refuse(&settings, AV_PIX_FMT_YUV420P10, SH_E_UNSUPPORTED);
}

static int quiet(void **state)
{
    sh_avlog_quiet();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_same_bytes_of_any_layout),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_telecine),
        cmocka_unit_test(test_turned),
        cmocka_unit_test(test_turned_samples),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests_name("prepare", tests, quiet, NULL);
}
