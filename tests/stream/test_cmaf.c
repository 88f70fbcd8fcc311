/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Boxes counted by hand: a segment byte by byte, sizes and fields of init segments, what the writer refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/size.h"
#include "paramsets.h"
#include "stream/mp4_read.h"

#include <stdlib.h>
#include <string.h>

static uint8_t avcc[128];
static const uint8_t asc[] = {0x11, 0x90}, payload[64] = {0xaa, 0xbb, 0xcc, 0xdd};

static sh_cmaf_track video_track(void)
{
    sh_cmaf_track track = {.kind = SH_CMAF_VIDEO, .codec = SH_CODEC_AVC, .timescale = 25, .config = avcc};
    track.config_size = from_hex("0142c00affe10016" AVC_SPS "010004" AVC_PPS, avcc, sizeof(avcc));
    track.width = 96;
    track.height = 64;
    return track;
}

static sh_cmaf_track audio_track(void)
{
    return (sh_cmaf_track){.kind = SH_CMAF_AUDIO,
                           .codec = SH_CODEC_AAC,
                           .timescale = 48000,
                           .config = asc,
                           .config_size = sizeof(asc),
                           .channels = 2,
                           .sample_rate = 48000};
}

static sh_cmaf_sample sample(size_t from, uint32_t size, int64_t pts, int64_t duration, bool sync)
{
    return (sh_cmaf_sample){payload + from, size, pts, duration, sync};
}

static void buffer_is(const sh_buf *buf, size_t at, const char *hex)
{
    uint8_t bytes[1024];
    const size_t size = from_hex(hex, bytes, sizeof(bytes));
    assert_true(buf->length >= at + size);
    assert_memory_equal(buf->data + at, bytes, size);
}

static void test_segment_bytes(void **state)
{
    const sh_cmaf_track track = video_track();
    const sh_cmaf_sample samples[] = {sample(0, 2, 50, 1, true), sample(2, 1, 52, 1, false),
                                      sample(3, 1, 51, 1, false)};
    sh_cmaf_fragment index[3];
    size_t made = 3;
    sh_buf out;
    sh_buf_init(&out, 65536);
    assert_int_equal(sh_cmaf_write_segment(&out, &track, 7, samples, 3, index, &made, NULL), 0);
    assert_int_equal(out.length, 28 + 124 + 12);
    buffer_is(&out, 0,
              "0000001c73747970" /* styp */ "6d73646800000000"
              "6d736468636d667369736f36"
              "0000007c6d6f6f66"                         /* moof */
              "000000106d6668640000000000000007"         /* mfhd */
              "0000006474726166"                         /* traf */
              "000000187466686400020028"                 /* tfhd: from moof, duration, flags */
              "000000010000000101010000"                 /* track 1, 1 tick, no sync sample */
              "0000001474666474010000000000000000000032" /* tfdt 50 */
              "000000307472756e01000a05"                 /* trun: offset, first flags, size, composition */
              "000000030000008402000000"                 /* 3 samples, 132 bytes from moof, first is sync */
              "0000000200000000"
              "0000000100000001"
              "00000001ffffffff"
              "0000000c6d646174aabbccdd");
    assert_int_equal(made, 1);
    assert_int_equal(index[0].offset, 28);
    assert_int_equal(index[0].key_size, 124 + 8 + 2);
    assert_int_equal(index[0].size, 136);
    assert_int_equal(index[0].time, 50);
    assert_int_equal(index[0].duration, 3);
    sh_buf_free(&out);
}

static void test_gops_and_durations(void **state)
{
    const sh_cmaf_track track = video_track();
    const sh_cmaf_sample samples[] = {sample(0, 4, 0, 2, true), sample(0, 3, 5, 1, false),
                                      sample(1, 2, 2, 3, false), sample(0, 5, 6, 10, true),
                                      sample(0, 1, 16, 10, false)};
    sh_cmaf_fragment index[5];
    sh_mp4_track reading = {.id = 1};
    sh_mp4_segment segment;
    size_t made = 5;
    sh_buf out;
    sh_buf_init(&out, 65536);
    sh_buf_puts(&out, "before");
    assert_int_equal(sh_cmaf_write_segment(&out, &track, 3, samples, 5, index, &made, NULL), 0);
    assert_int_equal(made, 2);
    assert_int_equal(index[0].duration, 6);
    assert_int_equal(index[1].time, 6);
    assert_int_equal(index[1].offset, index[0].offset + index[0].size);
    assert_int_equal(index[1].offset + index[1].size, out.length - 6);
    assert_int_equal(sh_mp4_read_segment(&segment, &reading, (uint8_t *)out.data + 6, out.length - 6, NULL),
                     0);
    assert_int_equal(segment.fragment_count, 2);
    assert_int_equal(segment.sample_count, 5);
    /* each lasts as long on the line of decoding as it is shown */
    static const int64_t dts[] = {0, 2, 3, 6, 16}, durations[] = {2, 1, 3, 10, 10};
    for (size_t i = 0; i < 5; i++) {
        const sh_mp4_sample *s = &segment.samples[i];
        assert_int_equal(s->dts, dts[i]);
        assert_int_equal(s->duration, durations[i]);
        assert_int_equal(s->pts, samples[i].pts);
        assert_int_equal(s->sync, samples[i].sync);
        assert_int_equal(s->size, samples[i].size);
        assert_memory_equal(out.data + 6 + s->offset, samples[i].data, s->size);
    }
    assert_int_equal(segment.start, 0);
    assert_int_equal(segment.duration, 26);
    assert_int_equal(segment.first_pts, 0);
    assert_int_equal(segment.end_pts, 26);
    assert_int_equal(segment.fragments[1].sequence, 4);
    assert_true(sh_mp4_has_brand(&segment.styp, "cmfs") && !sh_mp4_has_brand(&segment.styp, "cmfl"));
    sh_mp4_segment_free(&segment);
    sh_buf_free(&out);
}

/* Offsets are put up by the delay, tfdt and durations stay; the edit list of the header takes it off. */
static void test_delay_bytes(void **state)
{
    sh_cmaf_track track = video_track();
    const sh_cmaf_sample samples[] = {sample(0, 2, 50, 1, true), sample(2, 1, 52, 1, false),
                                      sample(3, 1, 51, 1, false), sample(0, 3, 53, 1, true)};
    sh_cmaf_fragment index[4];
    size_t made = 4;
    sh_buf out;
    sh_buf_init(&out, 65536);
    track.delay = 2;
    assert_int_equal(sh_cmaf_write_segment(&out, &track, 7, samples, 4, index, &made, NULL), 0);
    buffer_is(&out, 28 + 56,
              "0000001474666474010000000000000000000032" /* tfdt 50 */
              "000000307472756e01000a05"
              "000000030000008402000000"
              "0000000200000002"
              "0000000100000003"
              "0000000100000001"
              "0000000c6d646174aabbccdd");
    buffer_is(&out, 28 + 136 + 56,
              "0000001474666474010000000000000000000035" /* one picture alone is as late as all others */
              "000000207472756e01000a05"
              "000000010000007402000000"
              "0000000300000002");
    assert_int_equal(made, 2);
    assert_int_equal(index[0].time, 50);
    assert_int_equal(index[0].duration, 3);
    assert_int_equal(index[1].time, 53);
    sh_buf_clear(&out);
    assert_int_equal(sh_cmaf_write_init(&out, &track, NULL), 0);
    buffer_is(&out, 0, "000000186674797069736f360000000069736f36636d6663"); /* no cmf2 */
    buffer_is(&out, 24 + 8 + 108 + 8 + 92,
              "0000002c65647473"
              "00000024656c73740100000000000001"
              "0000000000000000000000000000000200010000");
    sh_buf_free(&out);
}

/* One rate and another, delays that are enough and one that is not: the reader gives the times back. */
static void test_delays_read_back(void **state)
{
    static const struct {
        int64_t pts[4], duration[4];
        uint32_t delay;
        int64_t least; /* of the offsets in the file */
    } rows[] = {
        {{0, 3, 1, 2}, {1, 1, 1, 1}, 2, 1},
        {{7, 10, 8, 9}, {1, 1, 1, 1}, 0, -1},
        {{0, 3, 1, 2}, {1, 10, 1, 1}, 10, 0},
        {{0, 3, 1, 2}, {1, 10, 1, 1}, 4, -6},
        {{0, 3, 1, 2}, {1, 10, 1, 1}, INT32_MAX - 2, INT32_MAX - 12},
    };
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        sh_cmaf_track track = video_track();
        sh_cmaf_sample samples[4];
        sh_cmaf_fragment index[4];
        sh_mp4_init *init = calloc(1, sizeof(*init));
        sh_mp4_segment segment;
        int64_t least = INT64_MAX;
        size_t made = 4;
        sh_buf out;
        assert_non_null(init);
        track.delay = rows[i].delay;
        for (size_t n = 0; n < 4; n++)
            samples[n] = sample(n, 1, rows[i].pts[n], rows[i].duration[n], n == 0);
        sh_buf_init(&out, 65536);
        assert_int_equal(sh_cmaf_write_init(&out, &track, NULL), 0);
        assert_int_equal(sh_mp4_read_init(init, (uint8_t *)out.data, out.length, NULL), 0);
        assert_int_equal(init->tracks[0].edit_count, rows[i].delay > 0);
        assert_int_equal(sh_mp4_skipped(&init->tracks[0]), rows[i].delay);
        assert_int_equal(sh_mp4_has_brand(&init->ftyp, "cmf2"), rows[i].delay == 0);
        assert_true(sh_mp4_has_brand(&init->ftyp, "cmfc"));
        const size_t header = out.length;
        assert_int_equal(sh_cmaf_write_segment(&out, &track, 1, samples, 4, index, &made, NULL), 0);
        assert_int_equal(sh_mp4_read_segment(&segment, &init->tracks[0], (uint8_t *)out.data + header,
                                             out.length - header, NULL),
                         0);
        for (size_t n = 0; n < 4; n++) {
            const sh_mp4_sample *s = &segment.samples[n];
            const int64_t offset = s->pts + rows[i].delay - s->dts;
            assert_int_equal(s->pts, rows[i].pts[n]);
            least = offset < least ? offset : least;
        }
        assert_int_equal(least, rows[i].least);
        assert_int_equal(segment.start, rows[i].pts[0]);
        assert_int_equal(segment.first_pts, rows[i].pts[0]);
        sh_mp4_segment_free(&segment);
        sh_buf_free(&out);
        free(init);
    }
}

static void test_audio_init_bytes(void **state)
{
    sh_cmaf_track track = audio_track();
    sh_buf out;
    track.priming = 1024;
    track.max_bitrate = 128000;
    track.avg_bitrate = 96000;
    track.duration = 96000;
    track.language = "deu";
    sh_buf_init(&out, 65536);
    assert_int_equal(sh_cmaf_write_init(&out, &track, NULL), 0);
    assert_int_equal(out.length, 28 + 646);
    buffer_is(&out, 0,
              "0000001c6674797069736f360000000069736f36636d6663636d6632" /* ftyp */ "000002866d6f6f76");
    buffer_is(&out, 28 + 8 + 108 + 8 + 92, /* behind mvhd and tkhd */
              "0000002c65647473"
              "00000024656c73740100000000000001"
              "0000000000000000000000000000040000010000"
              "000001466d646961"
              "000000206d64686400000000000000000000000"
              "00000bb800000000010b50000");
    static const char esds[] = "0000002765736473000000000319000000"
                               "04114015000000"
                               "0001f40000017700"
                               "05021190"
                               "060102";
    uint8_t bytes[64];
    const size_t size = from_hex(esds, bytes, sizeof(bytes));
    assert_int_equal(size, 39);
    assert_non_null(memmem(out.data, out.length, bytes, size));
    buffer_is(&out, out.length - 60,
              "0000003c6d766578"
              "000000146d65686401000000"
              "0000000000017700"
              "00000020747265780000000000000001"
              "00000001000000000000000000000000");
    sh_buf_free(&out);
}

static void test_video_init_fields(void **state)
{
    sh_cmaf_track track = video_track();
    sh_mp4_init *init = calloc(1, sizeof(*init));
    sh_err err = {0};
    sh_buf out;
    assert_non_null(init);
    track.sar_num = 4;
    track.sar_den = 3;
    track.has_colour = track.has_mastering = track.has_light_level = true;
    track.colour = (sh_cicp){9, 16, 9, true};
    track.mastering = (sh_mastering){{1, 2, 3}, {4, 5, 6}, 7, 8, 9, 10};
    track.light_level = (sh_light_level){11, 12};
    track.buffer_size = 13;
    track.max_bitrate = 14;
    track.avg_bitrate = 15;
    sh_buf_init(&out, 65536);
    assert_int_equal(sh_cmaf_write_init(&out, &track, NULL), 0);
    if (sh_mp4_read_init(init, (uint8_t *)out.data, out.length, &err))
        fail_msg("%s", err.message);
    const sh_mp4_track *read = &init->tracks[0];
    assert_int_equal(init->track_count, 1);
    assert_true(init->fragmented && !init->has_fragment_duration && !init->has_mdat && !init->has_pssh);
    assert_true(sh_mp4_has_brand(&init->ftyp, "cmfc") && sh_mp4_has_brand(&init->ftyp, "iso6"));
    assert_int_equal(read->timescale, 25);
    assert_int_equal(read->edit_count, 0);
    assert_string_equal(read->language, "und");
    assert_int_equal(read->shown_width, 128 << 16);
    assert_int_equal(read->shown_height, 64 << 16);
    assert_int_equal(read->width, 96);
    assert_int_equal(read->height, 64);
    assert_true(read->has_pasp && read->pasp_h == 4 && read->pasp_v == 3);
    assert_true(read->has_colour && read->has_btrt && read->enabled && !read->encrypted);
    assert_int_equal(read->colour.primaries, 9);
    assert_int_equal(read->colour.transfer, 16);
    assert_true(read->colour.full_range);
    assert_memory_equal(&read->mastering, &track.mastering, sizeof(track.mastering));
    assert_memory_equal(&read->light_level, &track.light_level, sizeof(track.light_level));
    assert_int_equal(read->buffer_size, 13);
    assert_int_equal(read->max_bitrate, 14);
    assert_int_equal(read->avg_bitrate, 15);
    assert_int_equal(read->codec, SH_CODEC_AVC);
    assert_int_equal(read->config_size, track.config_size);
    assert_memory_equal(read->config, track.config, track.config_size);
    sh_buf_free(&out);
    free(init);
}

static void init_fails(const sh_cmaf_track *track, const char *words)
{
    sh_err err = {0};
    sh_buf out;
    sh_buf_init(&out, 65536);
    assert_true(sh_cmaf_write_init(&out, track, &err) < 0);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
    assert_int_equal(out.length, 0);
    sh_buf_free(&out);
}

static void test_init_refused(void **state)
{
    sh_cmaf_track track = video_track();
    track.width = 98;
    init_fails(&track, "98x64 whose pictures are 96x64");
    track = video_track();
    track.timescale = 0;
    init_fails(&track, "timescale");
    track = video_track();
    track.config_size--;
    init_fails(&track, "does not fit");
    track = video_track();
    track.sar_num = 1;
    init_fails(&track, "aspect");
    track = video_track();
    track.delay = UINT32_C(1) << 31;
    init_fails(&track, "delay of 2147483648");
    track = video_track();
    track.codec = SH_CODEC_AAC;
    init_fails(&track, "video codecs");
    track = audio_track();
    track.sample_rate = 44100;
    init_fails(&track, "tells 48000 and 2");
    track = audio_track();
    track.codec = SH_CODEC_AVC;
    init_fails(&track, "codec");
    track = audio_track();
    track.language = "De";
    init_fails(&track, "language");
    sh_buf small;
    track = audio_track();
    sh_buf_init(&small, 100);
    assert_int_equal(sh_cmaf_write_init(&small, &track, NULL), SH_E_MEMORY);
    sh_buf_free(&small);
}

static void segment_fails(const sh_cmaf_sample *samples, size_t count, size_t room, const char *words)
{
    const sh_cmaf_track track = video_track();
    sh_cmaf_fragment index[4];
    size_t made = room;
    sh_err err = {0};
    sh_buf out;
    sh_buf_init(&out, 65536);
    assert_int_equal(sh_cmaf_write_segment(&out, &track, 1, samples, count, index, &made, &err),
                     SH_E_ARGUMENT);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
    assert_int_equal(out.length, 0);
    assert_int_equal(made, room);
    sh_buf_free(&out);
}

static void test_segment_refused(void **state)
{
    const sh_cmaf_sample good[4] = {sample(0, 1, 0, 1, true), sample(0, 1, 1, 1, false),
                                    sample(0, 1, 2, 1, true), sample(0, 1, 3, 1, false)};
    static const struct {
        size_t at;
        int64_t pts, duration;
        uint32_t size;
        bool sync;
        const char *words;
    } rows[] = {
        {0, 0, 1, 1, false, "is no key picture"},
        {1, 1, 2, 1, false, "the sample at 1 lasts 2 ticks, but the next is at 2"},
        {3, 4, 1, 1, false, "lasts 1 ticks, but the next is at 4"},
        {3, 3, 0, 1, false, "is not possible"},
        {1, -1, 1, 1, false, "is not possible"},
        {2, 2, 1, 0, true, "sample 2: 0 bytes"},
        {0, INT64_MAX, 1, 1, true, "is not possible"},
        {3, 3, INT64_C(1) << 33, 1, false, "is not possible"},
    };
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        sh_cmaf_sample samples[4];
        memcpy(samples, good, sizeof(good));
        samples[rows[i].at] = sample(0, rows[i].size, rows[i].pts, rows[i].duration, rows[i].sync);
        segment_fails(samples, 4, 4, rows[i].words);
    }
    segment_fails(good, 0, 4, "0 samples");
    segment_fails(good, 4, 1, "1 entries for 2 GOPs");
    /* a picture of the second GOP is shown before its key picture; the other way round, one of the first
     * after */
    const sh_cmaf_sample open[3] = {sample(0, 1, 0, 1, true), sample(0, 1, 2, 1, true),
                                    sample(0, 1, 1, 1, false)};
    segment_fails(open, 3, 4, "begins a GOP that is not closed");
    const sh_cmaf_sample early[2] = {sample(0, 1, 1, 1, true), sample(0, 1, 0, 1, false)};
    segment_fails(early, 2, 4, "begins a GOP that is not closed");
}

/* The latest picture of a GOP comes later still by the delay. */
static void test_offset_refused(void **state)
{
    sh_cmaf_track track = video_track();
    const sh_cmaf_sample samples[] = {sample(0, 1, 0, 1, true), sample(1, 1, 2, 1, false),
                                      sample(2, 1, 1, 1, false)};
    sh_cmaf_fragment index[3];
    size_t made = 3;
    sh_err err = {0};
    sh_buf out;
    sh_buf_init(&out, 65536);
    track.delay = INT32_MAX;
    assert_int_equal(sh_cmaf_write_segment(&out, &track, 1, samples, 3, index, &made, &err), SH_E_ARGUMENT);
    assert_string_equal(err.message, "sample 1: composition offset 2147483648 is out of range");
    assert_int_equal(out.length, 0);
    sh_buf_free(&out);
}

static void test_segment_memory(void **state)
{
    const sh_cmaf_track track = audio_track();
    const sh_cmaf_sample samples[2] = {sample(0, 9, 0, 1024, false), sample(0, 9, 1024, 1024, false)};
    sh_cmaf_fragment index[1];
    size_t made = 1;
    sh_buf out;
    sh_buf_init(&out, 64);
    assert_int_equal(sh_cmaf_write_segment(&out, &track, 1, samples, 2, index, &made, NULL), SH_E_MEMORY);
    sh_buf_free(&out);
    sh_buf_init(&out, 65536);
    assert_int_equal(sh_cmaf_write_segment(&out, &track, 1, samples, 2, index, &made, NULL), 0);
    assert_int_equal(made, 1); /* one fragment however many samples: all of them are sync samples */
    assert_int_equal(index[0].duration, 2048);
    sh_buf_free(&out);
}

/* Memory ends at every byte in turn: told each time, and the index is not called made. */
static void test_every_maximum(void **state)
{
    const sh_cmaf_track track = video_track();
    const sh_cmaf_sample samples[] = {sample(0, 9, 0, 1, true), sample(0, 9, 1, 2, false),
                                      sample(0, 9, 3, 1, true)};
    sh_cmaf_fragment index[3];
    for (size_t most = 0, done = 0; !done; most++) {
        size_t made = 3;
        sh_buf out;
        sh_buf_init(&out, most);
        const int rc = sh_cmaf_write_init(&out, &track, NULL);
        const int more = rc ? rc : sh_cmaf_write_segment(&out, &track, 1, samples, 3, index, &made, NULL);
        if (more)
            assert_int_equal(more, SH_E_MEMORY);
        assert_int_equal(made, more ? 3 : 2);
        done = more == 0;
        assert_true(most < 4096);
        sh_buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segment_bytes),    cmocka_unit_test(test_gops_and_durations),
        cmocka_unit_test(test_delay_bytes),      cmocka_unit_test(test_delays_read_back),
        cmocka_unit_test(test_audio_init_bytes), cmocka_unit_test(test_video_init_fields),
        cmocka_unit_test(test_offset_refused),   cmocka_unit_test(test_init_refused),
        cmocka_unit_test(test_segment_refused),  cmocka_unit_test(test_segment_memory),
        cmocka_unit_test(test_every_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
