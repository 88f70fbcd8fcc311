/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where pieces end, what the ledger keeps, which frames are the same, which pictures are none, and whether a
 * piece decodes to what went into it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "media/duplicate.h"
#include "media/encode.h"
#include "media/fallback.h"
#include "media/ledger.h"
#include "media/pieces.h"
#include "media/stages.h"
#include "media/verify.h"

#include <libavutil/imgutils.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- borders ---- */

/* Lengths of the pieces of `frames` frames, as "3,3,2". */
static const char *cut(int64_t length, int frames, char text[128])
{
    sh_cutter cutter;
    static int frame; /* its address stands for a frame */
    size_t used = 0;
    int inside = 0, out = 0;
    text[0] = '\0';
    sh_cutter_start(&cutter, length);
    for (int i = 0; i <= frames; i++) {
        bool first, last;
        sh_cutter_put(&cutter, i < frames ? &frame : NULL);
        while (sh_cutter_get(&cutter, &first, &last)) {
            assert_int_equal(first, inside == 0);
            inside++;
            out++;
            if (last) {
                used += (size_t)snprintf(text + used, 128 - used, "%s%d", used ? "," : "", inside);
                inside = 0;
            }
        }
        assert_true(cutter.count <= SH_PIECE_AHEAD);
    }
    assert_int_equal(inside, 0);
    assert_int_equal(out, frames);
    return text;
}

static void no_piece_of_one_frame(void **state)
{
    char text[128];
    assert_string_equal(cut(3, 0, text), "");
    assert_string_equal(cut(3, 1, text), "1");
    assert_string_equal(cut(3, 2, text), "2");
    assert_string_equal(cut(3, 3, text), "3");
    assert_string_equal(cut(3, 4, text), "4");
    assert_string_equal(cut(3, 5, text), "3,2");
    assert_string_equal(cut(3, 6, text), "3,3");
    assert_string_equal(cut(3, 7, text), "3,4");
    assert_string_equal(cut(2, 5, text), "2,3");
    assert_string_equal(cut(250, 500, text), "250,250");
    assert_string_equal(cut(250, 501, text), "250,251");
}

/* ---- the ledger ---- */

static void fill(sh_ledger *ledger)
{
    for (int i = 0; i < 1000; i++) {
        const sh_ledger_entry entry = {
            .source = i % 7 ? i : -1,
            .packet = i ^ 3,
            .pts_in = i % 5 ? INT64_C(40) * i : INT64_MIN,
            .output = i % 3 ? i : -1,
            .pts_out = i % 3 ? INT64_C(3003) * i - 12345 : INT64_MIN,
            .fate = i % SH_FATES,
            .marks = (unsigned)i % 8,
        };
        assert_int_equal(sh_ledger_add(ledger, &entry, NULL), 0);
    }
    ledger->next = (sh_source_place){.key = 17,
                                     .packet = 18,
                                     .frame = 19,
                                     .pts = -20,
                                     .last_pts = INT64_MIN,
                                     .last_step = 1001,
                                     .width = 640,
                                     .height = 480,
                                     .sar_num = 1,
                                     .sar_den = 1};
    ledger->next_output = 15;
    ledger->checks = SH_LEDGER_CHECKS;
    for (int i = 0; i < SH_LEDGER_CHECKS; i++)
        ledger->check[i] = UINT64_C(0x0123456789ABCDEF) * (unsigned)(i + 1);
    ledger->final = true;
    ledger->duplicates = 5;
    memcpy(ledger->reason, "black", 6);
}

static void a_ledger_is_read_as_written(void **state)
{
    sh_ledger a = {0}, b = {0};
    sh_buf bytes;
    sh_err err = {0};
    sh_buf_init(&bytes, 1 << 20);
    fill(&a);
    assert_int_equal(sh_ledger_write(&a, &bytes), 0);
    assert_true(bytes.length < 1000 * 30);
    assert_int_equal(sh_ledger_read(&b, bytes.data, bytes.length, &err), 0);
    assert_int_equal(b.count, a.count);
    for (size_t i = 0; i < a.count; i++) {
        const sh_ledger_entry *x = &a.entries[i], *y = &b.entries[i];
        assert_true(x->source == y->source && x->packet == y->packet && x->pts_in == y->pts_in &&
                    x->output == y->output && x->pts_out == y->pts_out && x->fate == y->fate &&
                    x->marks == y->marks);
    }
    assert_memory_equal(a.check, b.check, sizeof(a.check));
    assert_true(b.final && b.duplicates == 5 && b.next.last_pts == INT64_MIN && b.next.frame == 19 &&
                b.next.pts == -20 && b.next_output == 15);
    assert_string_equal(b.reason, "black");
    sh_ledger_free(&b);
    /* whatever is missing or too much is seen */
    for (size_t length = 0; length < bytes.length; length += length < 64 ? 1 : 97) {
        assert_int_equal(sh_ledger_read(&b, bytes.data, length, &err), SH_E_FORMAT);
        assert_null(b.entries);
    }
    sh_buf_putc(&bytes, 0);
    assert_int_equal(sh_ledger_read(&b, bytes.data, bytes.length, &err), SH_E_FORMAT);
    sh_buf_free(&bytes);
    sh_ledger_free(&a);
}

/* ---- pictures ---- */

static AVFrame *picture(enum AVPixelFormat format, int width, int height)
{
    AVFrame *frame = av_frame_alloc();
    frame->format = format;
    frame->width = width;
    frame->height = height;
    assert_int_equal(av_frame_get_buffer(frame, 64), 0);
    for (int i = 0; i < 4 && frame->data[i]; i++)
        memset(frame->data[i], 128, (size_t)frame->linesize[i] * (size_t)(i ? (height + 1) / 2 : height));
    return frame;
}

/* Luma that depends on place and time; `times` as large. */
static AVFrame *scene(int width, int height, int times, int shift)
{
    AVFrame *frame = picture(AV_PIX_FMT_YUV420P, width * times, height * times);
    for (int y = 0; y < height * times; y++)
        for (int x = 0; x < width * times; x++)
            frame->data[0][y * frame->linesize[0] + x] =
                (uint8_t)(40 + (x / times * 3 + y / times * 2 + shift) % 160);
    frame->pts = shift;
    return frame;
}

static void same_frames_are_found(void **state)
{
    AVFrame *a = scene(37, 21, 1, 0), *b = scene(37, 21, 1, 0), *result = scene(37, 21, 2, 0), *again = NULL;
    sh_duplicates duplicates = {0};
    b->pts = 77;
    assert_true(sh_frames_same(a, b));
    assert_true(sh_frame_hash(a) == sh_frame_hash(b));
    a->data[0][37] = 1; /* behind the last column */
    assert_true(sh_frames_same(a, b));
    assert_true(sh_frame_hash(a) == sh_frame_hash(b));
    assert_false(sh_duplicates_take(&duplicates, a, &again));
    sh_duplicates_note(&duplicates, a, result);
    assert_true(sh_duplicates_take(&duplicates, b, &again));
    assert_ptr_equal(again->data[0], result->data[0]);
    assert_int_equal(again->pts, 77);
    av_frame_free(&again);
    b->data[2][10 * b->linesize[2] + 18] ^= 1; /* the very last sample */
    assert_false(sh_frames_same(a, b));
    assert_true(sh_frame_hash(a) != sh_frame_hash(b));
    assert_false(sh_duplicates_take(&duplicates, b, &again));
    sh_duplicates_forget(&duplicates);
    av_frame_free(&a);
    av_frame_free(&b);
    av_frame_free(&result);
}

/* What the watch says of a result; NULL: it passes. */
static const char *verdict(sh_watch *watch, AVFrame *source, AVFrame *result, int scale)
{
    static char reason[200];
    const bool passes = sh_watch_passes(watch, source, result, scale, reason, sizeof(reason));
    return passes ? NULL : reason;
}

static void fill_luma(AVFrame *frame, int from, int to, int value)
{
    for (int y = from; y < to; y++)
        memset(frame->data[0] + (ptrdiff_t)y * frame->linesize[0], value, (size_t)frame->width);
}

static void pictures_that_are_none_are_seen(void **state)
{
    AVFrame *source = scene(160, 96, 1, 0), *result = scene(160, 96, 3, 0);
    sh_watch watch = {0};
    const char *said = verdict(&watch, source, result, 3);
    if (said)
        fail_msg("%s", said);
    fill_luma(result, 0, 288, 16);
    assert_non_null(strstr(verdict(&watch, source, result, 3), "black"));
    fill_luma(result, 0, 288, 120);
    assert_non_null(strstr(verdict(&watch, source, result, 3), "flat"));
    AVFrame *part = scene(160, 96, 3, 0);
    fill_luma(part, 264, 288, 0);
    assert_non_null(strstr(verdict(&watch, source, part, 3), "part"));
    /* black where the source is: nothing wrong */
    AVFrame *dark = picture(AV_PIX_FMT_YUV420P, 160, 96), *dark3 = picture(AV_PIX_FMT_YUV420P, 480, 288);
    fill_luma(dark, 0, 96, 16);
    fill_luma(dark3, 0, 288, 16);
    assert_null(verdict(&watch, dark, dark3, 3));
    /* the same picture again: right for the same source and for noise, wrong for another */
    AVFrame *first = scene(160, 96, 3, 5), *from = scene(160, 96, 1, 5), *later = scene(160, 96, 1, 9);
    assert_null(verdict(&watch, from, first, 3));
    assert_null(verdict(&watch, from, first, 3));
    assert_non_null(strstr(verdict(&watch, later, first, 3), "before"));
    sh_watch_forget(&watch);
    AVFrame *all[] = {source, result, part, dark, dark3, first, from, later};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        av_frame_free(&all[i]);
}

static void depths_and_small_pictures_have_means(void **state)
{
    static const int sizes[][2] = {{1, 1}, {3, 5}, {7, 200}, {8, 8}, {97, 63}};
    sh_signature a, b;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        AVFrame *one = scene(sizes[i][0], sizes[i][1], 1, 3), *two = scene(sizes[i][0], sizes[i][1], 2, 3);
        assert_true(sh_signature_make(&a, one, 1));
        assert_true(sh_signature_make(&b, two, 2));
        assert_true(a.across == b.across && a.down == b.down && a.across > 0);
        assert_true(sh_signature_distance(&a, &b) < 0.01);
        av_frame_free(&one);
        av_frame_free(&two);
    }
    AVFrame *deep = picture(AV_PIX_FMT_YUV420P10, 64, 48), *flat = picture(AV_PIX_FMT_YUV420P, 64, 48);
    for (int y = 0; y < 48; y++)
        for (int x = 0; x < 64; x++)
            ((uint16_t *)(void *)(deep->data[0] + y * deep->linesize[0]))[x] = 512;
    assert_true(sh_signature_make(&a, deep, 1) && sh_signature_make(&b, flat, 1));
    assert_true(sh_signature_distance(&a, &b) < 0.01);
    av_frame_free(&deep);
    av_frame_free(&flat);
    AVFrame *rgb = picture(AV_PIX_FMT_BGRA, 64, 48);
    assert_false(sh_signature_make(&a, rgb, 1));
    av_frame_free(&rgb);
}

/* ---- decoding back ---- */

enum { FRAMES = 12 };

static int encode(AVPacket *packets[FRAMES], sh_check_frame frames[FRAMES], AVCodecParameters *parameters)
{
    sh_encoder_settings settings;
    sh_encoder *encoder = NULL;
    sh_err err = {0};
    int count = 0, status = SH_ENCODER_MORE;
    sh_encoder_settings_default(&settings);
    settings.name = "libx264";
    settings.width = 160;
    settings.height = 96;
    settings.format = AV_PIX_FMT_YUV420P;
    settings.time_base = (AVRational){1, 25};
    settings.piece_frames = FRAMES;
    settings.global_header = true;
    if (sh_encoder_open(&encoder, &settings, &err) < 0)
        fail_msg("%s", err.message);
    for (int i = 0; i <= FRAMES; i++) {
        AVFrame *frame = i < FRAMES ? scene(160, 96, 1, 8 * i) : NULL;
        if (frame) {
            frame->pts = frames[i].pts = i;
            sh_signature_make(&frames[i].signature, frame, 1);
        }
        assert_int_equal(sh_encoder_send(encoder, frame, &err), 0);
        av_frame_free(&frame);
    }
    while (status != SH_ENCODER_END) {
        AVPacket *packet = av_packet_alloc();
        status = sh_encoder_receive(encoder, packet, &err);
        assert_true(status == SH_ENCODER_PACKET || status == SH_ENCODER_END);
        if (status == SH_ENCODER_PACKET)
            packets[count++] = packet;
        else
            av_packet_free(&packet);
    }
    assert_int_equal(avcodec_parameters_copy(parameters, sh_encoder_parameters(encoder)), 0);
    sh_encoder_close(&encoder);
    return count;
}

static int check(AVPacket *const packets[], int count, const sh_check_frame frames[], int expected,
                 const AVCodecParameters *parameters)
{
    sh_check *it = NULL;
    sh_err err = {0};
    assert_int_equal(sh_check_open(&it, parameters, (AVRational){1, 25}, sh_check_tolerance(17), 1, &err), 0);
    int status = 0;
    for (int i = 0; i < expected; i++)
        assert_int_equal(sh_check_expect(it, &frames[i], &err), 0);
    for (int i = 0; i <= count && status == 0; i++)
        status = sh_check_packet(it, i < count ? packets[i] : NULL, &err);
    if (status == 0)
        assert_int_equal(sh_check_frames(it), expected);
    sh_check_close(&it);
    return status;
}

static void a_piece_has_to_decode_to_what_it_was_made_of(void **state)
{
    AVPacket *packets[FRAMES];
    sh_check_frame frames[FRAMES], other[FRAMES];
    AVCodecParameters *parameters = avcodec_parameters_alloc();
    const int count = encode(packets, frames, parameters);
    assert_int_equal(count, FRAMES);
    assert_int_equal(check(packets, count, frames, FRAMES, parameters), 0);
    assert_int_equal(check(packets, count - 1, frames, FRAMES, parameters), SH_E_CONFLICT);
    assert_int_equal(check(packets, count, frames, FRAMES - 1, parameters), SH_E_CONFLICT);
    memcpy(other, frames, sizeof(frames));
    other[5].pts++;
    assert_int_equal(check(packets, count, other, FRAMES, parameters), SH_E_CONFLICT);
    other[5] = frames[5];
    other[7].signature = frames[1].signature; /* 48 codes from it */
    assert_int_equal(check(packets, count, other, FRAMES, parameters), SH_E_CONFLICT);
    memset(packets[3]->data + packets[3]->size / 2, 0xA5, (size_t)packets[3]->size / 2);
    assert_int_equal(check(packets, count, frames, FRAMES, parameters), SH_E_CONFLICT);
    for (int i = 0; i < count; i++)
        av_packet_free(&packets[i]);
    avcodec_parameters_free(&parameters);
}

/* ---- lines ---- */

static void *pour(void *opaque)
{
    for (int i = 0; i < 1000; i++) {
        sh_work *work = sh_work_new(SH_WORK_FRAME);
        work->number = i;
        if (!sh_line_push(opaque, work))
            return NULL;
    }
    return opaque;
}

static void lines_keep_order_and_can_be_closed(void **state)
{
    sh_line *line = sh_line_new(3);
    pthread_t thread;
    void *done;
    assert_int_equal(pthread_create(&thread, NULL, pour, line), 0);
    for (int i = 0; i < 500; i++) {
        sh_work *work = sh_line_pop(line);
        assert_int_equal(work->number, i);
        sh_work_free(work);
    }
    sh_line_close(line);
    pthread_join(thread, &done);
    assert_null(done);
    assert_null(sh_line_pop(line));
    assert_false(sh_line_push(line, sh_work_new(SH_WORK_STOP)));
    sh_line_free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_piece_of_one_frame),
        cmocka_unit_test(a_ledger_is_read_as_written),
        cmocka_unit_test(same_frames_are_found),
        cmocka_unit_test(pictures_that_are_none_are_seen),
        cmocka_unit_test(depths_and_small_pictures_have_means),
        cmocka_unit_test(a_piece_has_to_decode_to_what_it_was_made_of),
        cmocka_unit_test(lines_keep_order_and_can_be_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
