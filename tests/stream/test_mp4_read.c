/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reader of boxes: what a segment of another make tells, what is only a fact for the checker, and what
 * cannot be read at all. Segments are put together here, not by our writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/size.h"
#include "stream/box.h"
#include "stream/mp4_read.h"

#include <stdlib.h>
#include <string.h>

/* A segment of two samples with one thing changed. */
typedef struct plan {
    uint32_t tfhd; /* flags */
    uint32_t trun; /* flags */
    int tfdt;      /* version; -1: none */
    int trun_version;
    uint32_t id, shift; /* of the track; added to the data offset */
    int trafs;
    bool no_mfhd, no_tfhd, no_mdat, early, gap;
    uint32_t count; /* told by trun; 0: 2 */
} plan;

static const sh_mp4_track reading = {
    .id = 1, .trex = {.present = true, .description = 1, .duration = 512, .size = 3, .flags = 0x10000}};

static void put_traf(sh_buf *out, const plan *p, size_t moof, uint32_t data)
{
    const size_t traf = sh_box_open(out, SH_FOURCC('t', 'r', 'a', 'f'));
    size_t box;
    if (!p->no_tfhd) {
        box = sh_box_open_full(out, SH_FOURCC('t', 'f', 'h', 'd'), 0, p->tfhd);
        sh_put_u32(out, p->id ? p->id : 1);
        if (p->tfhd & 1)
            sh_put_u64(out, moof);
        for (uint32_t bit = 2; bit <= 0x20; bit <<= 1) /* description, duration, size, flags */
            if (p->tfhd & bit && bit != 4)
                sh_put_u32(out, bit == 2 ? 1 : bit == 8 ? 100 : bit == 16 ? 3 : 0);
        sh_box_close(out, box);
    }
    if (p->tfdt >= 0) {
        box = sh_box_open_full(out, SH_FOURCC('t', 'f', 'd', 't'), (uint8_t)p->tfdt, 0);
        sh_put_zero(out, p->tfdt ? 6 : 2);
        sh_put_u16(out, 1000);
        sh_box_close(out, box);
    }
    box = sh_box_open_full(out, SH_FOURCC('t', 'r', 'u', 'n'), (uint8_t)p->trun_version, p->trun);
    sh_put_u32(out, p->count ? p->count : 2);
    if (p->trun & 1)
        sh_put_u32(out, data + p->shift);
    if (p->trun & 4)
        sh_put_u32(out, 0);
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t values[] = {200 + i, 3, i ? 0x10000 : 0, i ? 0xfffffffe : 5};
        for (int v = 0; v < 4; v++)
            if (p->trun & 0x100u << v)
                sh_put_u32(out, values[v]);
    }
    sh_box_close(out, box);
    sh_box_close(out, traf);
}

static void put_segment(sh_buf *out, const plan *p)
{
    size_t moof_size = 0, box;
    if (p->early)
        sh_box_close(out, sh_box_open(out, SH_FOURCC('s', 'i', 'd', 'x')));
    const size_t start = out->length;
    for (int pass = 0; pass < 2; pass++) { /* the first tells how long moof is */
        out->length = start;
        box = sh_box_open(out, SH_FOURCC('m', 'o', 'o', 'f'));
        if (!p->no_mfhd) {
            const size_t mfhd = sh_box_open_full(out, SH_FOURCC('m', 'f', 'h', 'd'), 0, 0);
            sh_put_u32(out, 9);
            sh_box_close(out, mfhd);
        }
        for (int i = 0; i < (p->trafs ? p->trafs : 1); i++)
            put_traf(out, p, box, (uint32_t)moof_size + 8 + 6u * (uint32_t)i);
        sh_box_close(out, box);
        moof_size = out->length - box;
    }
    if (p->gap)
        sh_box_close(out, sh_box_open(out, SH_FOURCC('f', 'r', 'e', 'e')));
    if (p->no_mdat)
        return;
    box = sh_box_open(out, SH_FOURCC('m', 'd', 'a', 't'));
    sh_buf_puts(out, "abcdefghijkl");
    out->length -= p->trafs == 2 ? 0 : 6;
    sh_box_close(out, box);
}

static int read_plan(sh_mp4_segment *out, const plan *p, sh_err *err)
{
    sh_buf made;
    sh_buf_init(&made, 65536);
    put_segment(&made, p);
    const int rc = sh_mp4_read_segment(out, &reading, (uint8_t *)made.data, made.length, err);
    sh_buf_free(&made);
    return rc;
}

#define WHOLE                                                                                                \
    {                                                                                                        \
        .tfhd = 0x20038, .trun = 0x205, .tfdt = 1, .trun_version = 1                                         \
    }

static sh_mp4_segment reads(plan p)
{
    sh_mp4_segment segment;
    sh_err err = {0};
    if (read_plan(&segment, &p, &err))
        fail_msg("%s", err.message);
    return segment;
}

static void test_facts(void **state)
{
    plan p = WHOLE;
    sh_mp4_segment s = reads(p);
    const sh_mp4_fragment *f = s.fragments;
    assert_int_equal(s.fragment_count, 1);
    assert_int_equal(s.sample_count, 2);
    assert_true(f->base_is_moof && f->self_contained && f->has_tfdt && !f->base_data_offset &&
                !f->description_other);
    assert_int_equal(f->tfdt_version, 1);
    assert_int_equal(f->trun_version, 1);
    assert_int_equal(f->sequence, 9);
    assert_int_equal(f->tfdt, 1000);
    assert_int_equal(s.duration, 200);
    assert_int_equal(s.samples[1].dts, 1100);
    assert_int_equal(s.samples[1].offset, s.samples[0].offset + 3);
    assert_int_equal(f->end, s.samples[1].offset + 3);
    assert_true(s.samples[0].sync && !s.samples[1].outside && !s.styp.present && !s.has_sidx);
    sh_mp4_segment_free(&s);

    p.tfdt = 0;
    p.early = true;
    s = reads(p);
    assert_true(s.fragments[0].tfdt_version == 0 && s.has_sidx && s.start == 1000);
    sh_mp4_segment_free(&s);
    p.tfdt = -1;
    s = reads(p);
    assert_true(!s.fragments[0].has_tfdt && s.start == 0);
    sh_mp4_segment_free(&s);
}

static void test_where_values_come_from(void **state)
{
    sh_mp4_segment s = reads((plan){.tfhd = 0x20000, .trun = 1, .tfdt = 1}); /* all from trex */
    assert_false(s.fragments[0].self_contained);
    assert_int_equal(s.duration, 1024);
    assert_int_equal(s.samples[0].size, 3);
    assert_false(s.samples[0].sync);
    sh_mp4_segment_free(&s);
    s = reads((plan){.tfhd = 0x20000, .trun = 0xf01, .tfdt = 1, .trun_version = 1}); /* all from trun */
    assert_true(s.fragments[0].self_contained);
    assert_int_equal(s.duration, 200 + 201);
    assert_true(s.samples[0].sync && !s.samples[1].sync);
    assert_int_equal(s.samples[0].pts, 1005);
    assert_int_equal(s.samples[1].pts, 1198);
    assert_int_equal(s.first_pts, 1005);
    assert_int_equal(s.end_pts, 1399);
    sh_mp4_segment_free(&s);
    s = reads(
        (plan){.tfhd = 0x20000, .trun = 0xf01, .tfdt = 1, .trun_version = 0}); /* offsets without sign */
    assert_int_equal(s.samples[1].pts, 1200 + INT64_C(0xfffffffe));
    sh_mp4_segment_free(&s);
    s = reads((plan){.tfhd = 0x3b, .trun = 0x201, .tfdt = 1}); /* an absolute base, a description */
    assert_true(s.fragments[0].base_data_offset && !s.fragments[0].base_is_moof);
    assert_false(s.samples[1].outside || s.fragments[0].description_other);
    sh_mp4_segment_free(&s);
    s = reads((plan){.tfhd = 0x20038, .trun = 0x201, .tfdt = 1, .trafs = 2});
    assert_int_equal(s.sample_count, 4);
    assert_int_equal(s.fragments[0].trafs, 2);
    assert_int_equal(s.fragments[0].truns, 2);
    assert_false(s.samples[3].outside);
    sh_mp4_segment_free(&s);
}

static void test_places(void **state)
{
    plan p = WHOLE;
    p.shift = 1;
    sh_mp4_segment s = reads(p);
    assert_true(!s.samples[0].outside && s.samples[1].outside);
    assert_int_equal(s.loose, 3);
    sh_mp4_segment_free(&s);
    p.shift = UINT32_MAX; /* one byte early */
    s = reads(p);
    assert_true(s.samples[0].outside && !s.samples[1].outside);
    sh_mp4_segment_free(&s);
    p.shift = 0;
    p.no_mdat = true;
    s = reads(p);
    assert_true(s.samples[0].outside && s.samples[1].outside && s.fragments[0].end == 0);
    sh_mp4_segment_free(&s);
    p.no_mdat = false;
    p.gap = true; /* data offsets that forget a box before mdat */
    s = reads(p);
    assert_true(s.samples[0].outside && s.samples[1].outside);
    sh_mp4_segment_free(&s);
}

static void test_unreadable(void **state)
{
    const struct {
        plan p;
        int status;
        const char *words;
    } rows[] = {
        {{.tfhd = 0x20038, .trun = 0x205, .tfdt = 1, .id = 2}, SH_E_FORMAT, "is of track 2, not of 1"},
        {{.tfhd = 0x20038, .trun = 0x205, .tfdt = 2}, SH_E_FORMAT, "box tfdt at byte"},
        {{.tfhd = 0x20038, .trun = 0x205, .tfdt = 1, .trun_version = 2},
         SH_E_FORMAT,
         "version 2 is not known"},
        {{.tfhd = 0x20038, .trun = 0x205, .tfdt = 1, .no_mfhd = true}, SH_E_FORMAT, "has no mfhd"},
        {{.tfhd = 0x20038, .trun = 0x205, .tfdt = 1, .no_tfhd = true}, SH_E_FORMAT, "before the tfhd"},
        {{.tfhd = 0x20038, .trun = 0x205, .tfdt = 1, .count = 3}, SH_E_FORMAT, "box trun at byte"},
        {{.tfhd = 0x20038, .trun = 0x5, .tfdt = 1, .count = UINT32_MAX},
         SH_E_LIMIT,
         "more than 65536 samples"},
    };
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        sh_mp4_segment segment = {.duration = -7};
        sh_err err = {0};
        const int rc = read_plan(&segment, &rows[i].p, &err);
        if (rc != rows[i].status || !strstr(err.message, rows[i].words))
            fail_msg("row %zu: %d %s", i, rc, err.message);
        assert_int_equal(segment.duration, -7);
    }
}

static void init_of(sh_buf *out, const char *drop, bool twice)
{
    static const uint8_t asc[] = {0x11, 0x90};
    const sh_cmaf_track track = {.kind = SH_CMAF_AUDIO,
                                 .codec = SH_CODEC_AAC,
                                 .timescale = 48000,
                                 .config = asc,
                                 .config_size = 2,
                                 .channels = 2,
                                 .sample_rate = 48000,
                                 .priming = 1024};
    sh_buf_init(out, 65536);
    assert_int_equal(sh_cmaf_write_init(out, &track, NULL), 0);
    char *at = drop ? memmem(out->data, out->length, drop, 4) : NULL;
    assert_true(!drop || at);
    if (at)
        memcpy(at, "free", 4);
    if (twice)
        assert_int_equal(sh_cmaf_write_init(out, &track, NULL), 0);
}

static void test_init(void **state)
{
    static const struct {
        const char *drop;
        bool twice;
        const char *words;
    } rows[] = {{"moov", false, "hold no box moov"},
                {"mvhd", false, "has no mvhd"},
                {"tkhd", false, "has no tkhd"},
                {"mdhd", false, "has no mdhd"},
                {"hdlr", false, "has no hdlr"},
                {"stsd", false, "has no stsd"},
                {NULL, true, "moov at byte 662 is there a second time"}};
    sh_mp4_init *init = calloc(1, sizeof(*init));
    sh_buf out;
    assert_non_null(init);
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        sh_err err = {0};
        init_of(&out, rows[i].drop, rows[i].twice);
        assert_int_equal(sh_mp4_read_init(init, (uint8_t *)out.data, out.length, &err), SH_E_FORMAT);
        if (!strstr(err.message, rows[i].words))
            fail_msg("\"%s\" does not say \"%s\"", err.message, rows[i].words);
        sh_buf_free(&out);
    }
    init_of(&out, "esds", false); /* a fact: a track without configuration */
    assert_int_equal(sh_mp4_read_init(init, (uint8_t *)out.data, out.length, NULL), 0);
    assert_true(init->tracks[0].codec == SH_CODEC_NONE && !init->tracks[0].config);
    sh_buf_free(&out);
    init_of(&out, "mvex", false);
    assert_int_equal(sh_mp4_read_init(init, (uint8_t *)out.data, out.length, NULL), 0);
    assert_true(!init->fragmented && !init->tracks[0].trex.present);
    assert_int_equal(init->tracks[0].edit_count, 1);
    assert_int_equal(init->tracks[0].edits[0].media_time, 1024);
    assert_int_equal(init->tracks[0].object_type, 0x40);
    assert_int_equal(init->tracks[0].channels, 2);
    sh_buf_free(&out);
    free(init);
}

/* Of one edit that skips, and of no other. */
static void test_edit_list(void **state)
{
    static const struct {
        size_t count;
        int64_t media_time, skipped;
    } rows[] = {{0, 0, 0},  {1, 40, 40},     {1, 0, 0},         {1, -1, 0},
                {2, 40, 0}, {1, 1000, 1000}, {1, INT64_MAX, 0}, {1, INT64_MAX / 2, INT64_MAX / 2}};
    const plan p = WHOLE;
    sh_buf made;
    sh_buf_init(&made, 65536);
    put_segment(&made, &p);
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        sh_mp4_track track = reading;
        sh_mp4_segment plain = reads(p), s;
        track.edit_count = rows[i].count;
        track.edits[0] = (sh_mp4_edit){0, rows[i].media_time, 0x10000};
        assert_int_equal(sh_mp4_skipped(&track), rows[i].skipped);
        assert_int_equal(sh_mp4_read_segment(&s, &track, (uint8_t *)made.data, made.length, NULL), 0);
        assert_int_equal(s.sample_count, plain.sample_count);
        for (size_t n = 0; n < s.sample_count; n++) {
            assert_int_equal(s.samples[n].dts, plain.samples[n].dts);
            assert_int_equal(s.samples[n].pts, plain.samples[n].pts - rows[i].skipped);
        }
        assert_int_equal(s.start, plain.start);
        assert_int_equal(s.first_pts, plain.first_pts - rows[i].skipped);
        assert_int_equal(s.end_pts, plain.end_pts - rows[i].skipped);
        sh_mp4_segment_free(&plain);
        sh_mp4_segment_free(&s);
    }
    sh_buf_free(&made);
}

static void test_boxes(void **state)
{
    static const uint8_t large[] = {0, 0, 0, 1, 'm', 'd', 'a', 't', 0, 0, 0, 0, 0, 0, 0, 18, 7, 8};
    static const uint8_t open[] = {0, 0, 0, 0, 'm', 'd', 'a', 't', 7};
    static const uint8_t own[] = {0, 0, 0, 25, 'u', 'u', 'i', 'd', 1,  2,  3,  4, 5,
                                  6, 7, 8, 9,  10,  11,  12,  13,  14, 15, 16, 42};
    sh_span span = sh_span_make(large, sizeof(large), 100);
    sh_err err = {0};
    sh_box box;
    assert_int_equal(sh_box_next(&box, &span, false, NULL), 1);
    assert_int_equal(box.size, 18);
    assert_int_equal(box.body.size, 2);
    assert_int_equal(box.body.base, 116);
    assert_int_equal(sh_box_next(&box, &span, false, NULL), 0);
    span = sh_span_make(own, sizeof(own), 0);
    assert_int_equal(sh_box_next(&box, &span, false, NULL), 1);
    assert_int_equal(sh_span_u8(&box.body), 42);
    span = sh_span_make(open, sizeof(open), 0);
    assert_int_equal(sh_box_next(&box, &span, true, NULL), 1);
    assert_int_equal(box.body.size, 1);
    span = sh_span_make(open, sizeof(open), 0);
    assert_int_equal(sh_box_next(&box, &span, false, &err), SH_E_FORMAT);
    assert_string_equal(err.message, "box mdat at byte 0 tells 0 bytes where 8 to 9 can be");
    span = sh_span_make(large, 17, 0);
    assert_int_equal(sh_box_next(&box, &span, false, &err), SH_E_FORMAT);
    span = sh_span_make(large, 7, 0);
    assert_int_equal(sh_box_next(&box, &span, false, &err), SH_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),  cmocka_unit_test(test_where_values_come_from),
        cmocka_unit_test(test_places), cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_init),   cmocka_unit_test(test_edit_list),
        cmocka_unit_test(test_boxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
