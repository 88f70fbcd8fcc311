/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests: whole ones against files in manifests/ (the folder is the program's argument), and what they
 * have to keep to whatever the stream is. */
#include "streams.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/size.h"
#include "stream/manifest_inner.h"

#include <expat.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *folder;

static void make(sh_buf *out, const test_stream *t, int what, size_t track)
{
    sh_err err = {0};
    sh_buf_init(out, 1 << 20);
    if (test_stream_write(out, t, what, track, &err) < 0)
        fail_msg("%s", err.message);
}

static void contains(const test_stream *t, int what, size_t track, const char *words)
{
    sh_buf b;
    make(&b, t, what, track);
    if (!strstr(b.data, words))
        fail_msg("no \"%s\" in\n%s", words, b.data);
    sh_buf_free(&b);
}

static void lacks(const test_stream *t, int what, size_t track, const char *words)
{
    sh_buf b;
    make(&b, t, what, track);
    if (strstr(b.data, words))
        fail_msg("\"%s\" in\n%s", words, b.data);
    sh_buf_free(&b);
}

/* ---- whole manifests ---- */

static void is_file(const test_stream *t, int what, size_t track, const char *name)
{
    char path[4096];
    sh_buf b, expected;
    sh_err err = {0};
    make(&b, t, what, track);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    sh_buf_init(&expected, 1 << 20);
    if (sh_file_read(path, &expected, &err) < 0)
        fail_msg("%s", err.message);
    if (strcmp(b.data, sh_buf_cstr(&expected)) != 0)
        fail_msg("%s is\n%s", name, b.data);
    sh_buf_free(&expected);
    sh_buf_free(&b);
}

static void test_whole(void **state)
{
    test_stream t;
    test_stream_make(&t);
    is_file(&t, MASTER, 0, "index.m3u8");
    is_file(&t, MEDIA, 0, "video.m3u8");
    is_file(&t, MEDIA, 2, "audio.m3u8");
    is_file(&t, MEDIA, 4, "text.m3u8");
    is_file(&t, IFRAMES, 0, "iframes.m3u8");
    is_file(&t, MPD, 0, "index.mpd");
    t.stream.growing = true;
    t.stream.target = 7;
    t.stream.epoch_ms = 1700000000000;
    t.stream.now_ms = 1700000012000;
    t.stream.date_every = 10;
    t.stream.track_count = 4;
    is_file(&t, MEDIA, 0, "growing.m3u8");
    is_file(&t, MPD, 0, "growing.mpd");
}

/* ---- durations ---- */

/* Sum of all EXTINF in microseconds, the largest distance of one from what it should be, their number. */
typedef struct extinfs {
    int64_t micro;
    double worst;
    size_t count;
} extinfs;

static extinfs read_extinfs(const test_stream *t, size_t track)
{
    extinfs e = {0};
    sh_buf b;
    make(&b, t, MEDIA, track);
    for (const char *at = b.data; (at = strstr(at, "#EXTINF:")); e.count++) {
        double seconds = strtod(at += 8, NULL);
        double real =
            (double)sh_manifest_duration(&t->tracks[track], e.count) / (double)t->tracks[track].timescale;
        e.worst = fmax(e.worst, fabs(seconds - real));
        e.micro += llround(seconds * 1e6);
    }
    sh_buf_free(&b);
    return e;
}

static void test_sums(void **state)
{
    static const int64_t clocks[][2] = {{30000, 60060}, {3, 20},       {90000, 540541}, {44100, 264600},
                                        {1000, 6006},   {24000, 1001}, {7, 1}};
    for (size_t i = 0; i < SH_COUNT(clocks); i++) {
        test_stream t;
        test_stream_make(&t);
        t.stream.track_count = 1;
        t.tracks[0].timescale = clocks[i][0];
        t.tracks[0].iframes = NULL;
        test_stream_segments(&t, 0, "%d.m4s", 16, clocks[i][1], 1, 1000);
        extinfs e = read_extinfs(&t, 0);
        double end = (double)sh_stream_end(&t.tracks[0]) / (double)clocks[i][0] * 1e6;
        assert_int_equal(e.count, 16);
        assert_true(e.worst <= 1.01e-6);
        assert_true(fabs((double)e.micro - end) <= 0.51);
    }
}

/* The edit list takes the priming away from what is presented, once. */
static void test_priming(void **state)
{
    test_stream t;
    test_stream_make(&t);
    extinfs e = read_extinfs(&t, 2);
    assert_int_equal(e.micro, (288768 * 2 - 1024) * INT64_C(1000000) / 48000 + 1);
    assert_int_equal(sh_stream_time(&t.tracks[2], 0), 0);
    assert_int_equal(sh_stream_time(&t.tracks[2], 1), 288768 - 1024);
    contains(&t, MEDIA, 2, "#EXTINF:5.994667,\nseg_00001.m4s\n#EXTINF:6.016000,\n");
    contains(&t, MPD, 0, "<S t=\"0\" d=\"287744\"/>\n            <S d=\"288768\"/>");
    t.segments[2][0].duration = 1024;
    t.segments[2][1].start = 1024;
    sh_err err = {0};
    sh_buf b;
    sh_buf_init(&b, 1 << 20);
    assert_int_equal(sh_hls_media(&b, &t.stream, &t.tracks[2], &err), SH_E_ARGUMENT);
    assert_non_null(strstr(err.message, "priming"));
    sh_buf_free(&b);
}

static void test_integer(void **state)
{
    test_stream t;
    test_stream_make(&t);
    t.stream.durations = SH_EXTINF_INTEGER;
    t.stream.track_count = 1;
    test_stream_segments(&t, 0, "x%d.ts", 3, 195000, 3000, 1000);
    t.tracks[0].iframes = t.tracks[0].init = NULL;
    contains(&t, MEDIA, 0, "#EXT-X-TARGETDURATION:7\n");
    contains(&t, MEDIA, 0, "#EXTINF:7,\nx1.ts\n#EXTINF:7,\nx2.ts\n#EXTINF:1,\nx3.ts\n");
}

static void test_target(void **state)
{
    test_stream t;
    test_stream_make(&t);
    t.tracks[0].iframes = NULL;
    test_stream_segments(&t, 0, "x%d.m4s", 2, 164999, 1, 1000);
    t.stream.track_count = 1;
    assert_int_equal(sh_stream_target(&t.stream), 5);
    test_stream_segments(&t, 0, "x%d.m4s", 2, 165000, 1, 1000);
    assert_int_equal(sh_stream_target(&t.stream), 6);
    t.stream.target = 8;
    assert_int_equal(sh_stream_target(&t.stream), 8);
    contains(&t, MEDIA, 0, "#EXT-X-TARGETDURATION:8\n");
}

static void test_mpd_durations(void **state)
{
    static const struct {
        int64_t timescale, duration;
        const char *words;
    } rows[] = {
        {30000, 360360, "mediaPresentationDuration=\"PT12.012S\""},
        {1000, 60000, "mediaPresentationDuration=\"PT60S\""},
        {3, 10, "mediaPresentationDuration=\"PT3.333333334S\""},
        {90000, 1, "mediaPresentationDuration=\"PT0.000011112S\""},
        {1000000000, 1, "mediaPresentationDuration=\"PT0.000000001S\""},
        {1, 200000, "mediaPresentationDuration=\"PT200000S\""},
    };
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        test_stream t;
        test_stream_make(&t);
        t.stream.track_count = 1;
        t.tracks[0].iframes = NULL;
        t.tracks[0].timescale = rows[i].timescale;
        test_stream_segments(&t, 0, "%d.m4s", 1, 0, rows[i].duration, 1000);
        contains(&t, MPD, 0, rows[i].words);
    }
}

/* The last frame of sound counts whole. */
static void test_mpd_end(void **state)
{
    test_stream t;
    test_stream_make(&t);
    t.stream.track_count = 3;
    test_stream_segments(&t, 2, "seg_%05d.m4s", 2, 288768, 288768 + 1024, 96000);
    contains(&t, MPD, 0, "mediaPresentationDuration=\"PT12.032S\"");
    test_stream_segments(&t, 2, "seg_%05d.m4s", 2, 288768, 288768 + 2048, 96000);
    contains(&t, MPD, 0, "mediaPresentationDuration=\"PT12.053333334S\"");
}

/* ---- versions and kinds ---- */

static void test_transport(void **state)
{
    test_stream t;
    sh_buf b;
    sh_err err = {0};
    test_stream_make(&t);
    t.stream.track_count = 1;
    t.tracks[0].init = t.tracks[0].iframes = NULL;
    t.tracks[0].codecs = "avc1.64001e,mp4a.40.2";
    contains(&t, MASTER, 0, "#EXT-X-VERSION:3\n");
    contains(&t, MASTER, 0, "CODECS=\"avc1.64001e,mp4a.40.2\"");
    contains(&t, MEDIA, 0, "#EXT-X-VERSION:3\n");
    lacks(&t, MEDIA, 0, "EXT-X-MAP");
    t.tracks[0].iframes = "iframes.m3u8";
    contains(&t, MASTER, 0, "#EXT-X-VERSION:4\n");
    contains(&t, MASTER, 0, "AVERAGE-BANDWIDTH=11989,CODECS=\"avc1.64001e\"");
    contains(&t, IFRAMES, 0, "#EXT-X-VERSION:4\n");
    sh_buf_init(&b, 1 << 20);
    assert_int_equal(sh_dash_mpd(&b, &t.stream, &err), SH_E_UNSUPPORTED);
    sh_buf_free(&b);
}

static void test_dates(void **state)
{
    test_stream t;
    test_stream_make(&t);
    t.stream.date_every = 7;
    t.stream.epoch_ms = 1700000000000;
    contains(&t, MEDIA, 0, "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.000Z\n#EXTINF:6.006000,\nseg_00001");
    lacks(&t, MEDIA, 0, "22:13:26");
    t.stream.date_every = 6;
    contains(&t, MEDIA, 0, "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:26.006Z\n#EXTINF:6.006000,\nseg_00002");
}

/* ---- groups and variants ---- */

static void test_audio_groups(void **state)
{
    test_stream t;
    test_stream_make(&t);
    t.tracks[3] = t.tracks[2];
    t.tracks[3].id = "a1";
    t.tracks[3].folder = "a1";
    t.tracks[3].codecs = "mp4a.40.5";
    t.tracks[2].group = "high";
    t.tracks[3].group = "low";
    t.stream.track_count = 4;
    contains(&t, MASTER, 0, "GROUP-ID=\"high\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES");
    contains(&t, MASTER, 0, "GROUP-ID=\"low\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES");
    contains(&t, MASTER, 0,
             "CODECS=\"avc1.64001e,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=29.970,"
             "VIDEO-RANGE=SDR,AUDIO=\"high\"");
    contains(&t, MASTER, 0,
             "CODECS=\"avc1.640015,mp4a.40.5\",RESOLUTION=320x180,FRAME-RATE=29.970,"
             "VIDEO-RANGE=SDR,AUDIO=\"low\"");
    t.tracks[1].audio_group = "high";
    lacks(&t, MASTER, 0, "CODECS=\"avc1.640015,mp4a.40.5\"");
    /* the sum of what may play together */
    char words[64];
    snprintf(words, sizeof(words), "BANDWIDTH=%" PRId64 ",AVERAGE-BANDWIDTH=%" PRId64 ",CODECS=\"avc1.640015",
             sh_stream_peak(&t.stream, &t.tracks[1]) + sh_stream_peak(&t.stream, &t.tracks[2]),
             sh_stream_average(&t.tracks[1]) + sh_stream_average(&t.tracks[2]));
    contains(&t, MASTER, 0, words);
    /* one set of DASH each codec: both are mp4a, so they are one */
    contains(&t, MPD, 0, "id=\"a1\" codecs=\"mp4a.40.5\"");
    lacks(&t, MPD, 0, "<AdaptationSet id=\"2\"");
}

static void test_names(void **state)
{
    test_stream t;
    test_stream_make(&t);
    t.stream.track_count = 4;
    t.tracks[3].language = "en";
    t.tracks[3].role = SH_STREAM_MAIN;
    t.tracks[3].is_default = false;
    contains(&t, MASTER, 0, "NAME=\"English (2)\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=NO");
    t.tracks[3].role = SH_STREAM_COMMENTARY;
    t.tracks[3].language = "fr";
    contains(&t, MASTER, 0, "NAME=\"French (commentary)\",LANGUAGE=\"fr\",DEFAULT=NO,AUTOSELECT=NO");
    t.tracks[3].label = "a \"b\"\n\xff";
    contains(&t, MASTER, 0, "NAME=\"a 'b' ?\"");
    t.tracks[3].language = NULL;
    t.tracks[3].label = NULL;
    t.tracks[3].role = SH_STREAM_MAIN;
    contains(&t, MASTER, 0, "NAME=\"Audio\",LANGUAGE=\"und\"");
    t.tracks[2].is_default = false;
    contains(&t, MASTER, 0, "NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES");
}

static void test_text_groups(void **state)
{
    test_stream t;
    test_stream_make(&t);
    t.tracks[4].role = SH_STREAM_FORCED;
    contains(&t, MASTER, 0, "DEFAULT=NO,AUTOSELECT=YES,FORCED=YES,URI");
    contains(&t, MPD, 0, "<Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"forced-subtitle\"/>");
    t.tracks[4].role = SH_STREAM_MAIN;
    t.tracks[4].is_default = true;
    contains(&t, MASTER, 0, "NAME=\"French\",LANGUAGE=\"fr\",DEFAULT=YES,AUTOSELECT=YES,FORCED=NO,URI");
    contains(&t, MPD, 0, "value=\"subtitle\"/>");
    contains(&t, MPD, 0, "text/vtt");
    t.stream.growing = true;
    lacks(&t, MPD, 0, "text/vtt");
    t.stream.growing = false;
    t.tracks[4].whole = NULL;
    lacks(&t, MPD, 0, "text/vtt");
}

static void test_order(void **state)
{
    test_stream t;
    test_stream_make(&t);
    static const struct {
        int64_t rate;
        const char *first;
    } rows[] = {{0, "v0"}, {100, "v1"}, {600000, "v1"}, {2000000, "v0"}};
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        sh_buf b;
        t.stream.first_rate = rows[i].rate;
        make(&b, &t, MASTER, 0);
        const char *at = strchr(strstr(b.data, "#EXT-X-STREAM-INF"), '\n') + 1;
        assert_memory_equal(strchr(at, '/') + 1, rows[i].first, 2);
        sh_buf_free(&b);
    }
}

static void test_audio_alone(void **state)
{
    test_stream t;
    test_stream_make(&t);
    t.stream.tracks = &t.tracks[2];
    t.stream.track_count = 2;
    contains(&t, MASTER, 0, "CODECS=\"mp4a.40.2\",AUDIO=\"audio\"\n0123456789abcdef/a0/index.m3u8\n");
    lacks(&t, MASTER, 0, "RESOLUTION");
    lacks(&t, MASTER, 0, "CLOSED-CAPTIONS");
    contains(&t, MPD, 0, "mediaPresentationDuration=\"PT12.010666667S\"");
}

static void test_shape(void **state)
{
    test_stream t;
    test_stream_make(&t);
    contains(&t, MPD, 0, " par=\"16:9\" maxWidth=\"640\"");
    t.tracks[0].width = t.tracks[1].width = 720;
    t.tracks[0].height = 576;
    t.tracks[0].sar_num = t.tracks[1].sar_num = 64;
    t.tracks[0].sar_den = t.tracks[1].sar_den = 45;
    contains(&t, MPD, 0, " par=\"16:9\" maxWidth=\"720\"");
    contains(&t, MPD, 0, "width=\"720\" height=\"576\" sar=\"64:45\"");
    contains(&t, MASTER, 0, "RESOLUTION=1024x576");
}

static void test_range(void **state)
{
    test_stream t;
    test_stream_make(&t);
    t.stream.track_count = 2;
    t.tracks[0].colour = (sh_cicp){9, 16, 9, false};
    t.tracks[0].codecs = "hvc1.2.4.L63.90";
    contains(&t, MASTER, 0, "VIDEO-RANGE=PQ,");
    contains(&t, MASTER, 0, "VIDEO-RANGE=SDR,");
    contains(&t, MPD, 0,
             "<EssentialProperty schemeIdUri=\"urn:mpeg:mpegB:cicp:TransferCharacteristics\" value=\"16\"/>");
    contains(&t, MPD, 0,
             "<SupplementalProperty schemeIdUri=\"urn:mpeg:mpegB:cicp:ColourPrimaries\" value=\"1\"/>");
    contains(&t, MPD, 0, "<AdaptationSet id=\"1\"");
    t.tracks[1].colour = (sh_cicp){9, 18, 9, false};
    contains(&t, MASTER, 0, "VIDEO-RANGE=HLG,");
    lacks(&t, MPD, 0, "EssentialProperty");
    contains(
        &t, MPD, 0,
        "<SupplementalProperty schemeIdUri=\"urn:mpeg:mpegB:cicp:TransferCharacteristics\" value=\"16\"/>");
    t.tracks[1].colour = (sh_cicp){2, 2, 2, false};
    lacks(&t, MPD, 0, "value=\"2\"");
}

/* ---- rates ---- */

/* The naive definition. */
static int64_t peak_by_definition(const test_stream *t, size_t track)
{
    const sh_stream_track *v = &t->tracks[track];
    const double target = (double)sh_stream_target(&t->stream);
    double best = 0;
    for (size_t i = 0; i < v->segment_count; i++) {
        for (size_t j = i; j < v->segment_count; j++) {
            double bytes = 0, seconds = 0;
            for (size_t k = i; k <= j; k++) {
                bytes += (double)v->segments[k].bytes;
                seconds += (double)v->segments[k].duration / (double)v->timescale;
            }
            if (seconds >= target / 2 && seconds <= target * 1.5)
                best = fmax(best, bytes * 8 / seconds);
        }
    }
    return (int64_t)ceil(best);
}

static int late(const test_stream *t, size_t track, double rate, double wait)
{
    const sh_stream_track *v = &t->tracks[track];
    for (size_t i = 0; i < v->segment_count; i++) {
        double bits = 0;
        for (size_t k = i; k < v->segment_count; k++) {
            bits += (double)v->segments[k].bytes * 8;
            double due = wait + (double)(v->segments[k].start - v->segments[i].start) / (double)v->timescale;
            if (bits > rate * due * 1.0000001)
                return 1;
        }
    }
    return 0;
}

static void test_rates(void **state)
{
    srand(1);
    for (int round = 0; round < 200; round++) {
        test_stream t;
        int64_t start = 0;
        test_stream_make(&t);
        t.stream.track_count = 1;
        t.tracks[0].iframes = NULL;
        test_stream_segments(&t, 0, "%d.m4s", 12, 1, 1, 1);
        for (int i = 0; i < 12; i++) {
            t.segments[0][i].start = start;
            t.segments[0][i].duration = 1 + rand() % 200000;
            t.segments[0][i].bytes = 1 + rand() % 1000000;
            start += t.segments[0][i].duration;
        }
        int64_t peak = sh_stream_peak(&t.stream, &t.tracks[0]);
        assert_in_range(peak - peak_by_definition(&t, 0) + 1, 0, 2);
        int64_t rate = sh_manifest_bandwidth(&t.stream, &t.tracks[0], 3000);
        assert_true(rate >= peak);
        assert_false(late(&t, 0, (double)rate, 3));
        if (rate > peak)
            assert_true(late(&t, 0, (double)rate * 0.999, 3));
    }
}

/* A last segment of one picture, as large as a key picture is, is no peak of its own. */
static void test_short_tail(void **state)
{
    test_stream t;
    test_stream_make(&t);
    t.stream.track_count = 1;
    t.tracks[0].iframes = NULL;
    test_stream_segments(&t, 0, "%d.m4s", 3, 180000, 1001, 100000);
    /* the last two of them */
    assert_int_equal(sh_stream_peak(&t.stream, &t.tracks[0]),
                     (203000 * 8 * INT64_C(30000) + 181000) / 181001);
    assert_int_equal(sh_stream_average(&t.tracks[0]), (303000 * 8 * INT64_C(30000) + 361000) / 361001);
}

/* ---- names of files ---- */

static void test_templates(void **state)
{
    static const struct {
        const char *pattern;
        int count;
        const char *words; /* NULL: no template gives them */
    } rows[] = {
        {"seg_%05d.m4s", 2, "media=\"d/seg_$Number%05d$.m4s\" startNumber=\"1\""},
        {"seg_%d.m4s", 12, "media=\"d/seg_$Number$.m4s\" startNumber=\"1\""},
        {"%d", 12, "media=\"d/$Number$\""},
        {"film 1080p_%09d.cmfv", 3, "media=\"d/film%201080p_$Number%09d$.cmfv\""},
        {"a$b_%03d.mp4", 2, "media=\"d/a$$b_$Number%03d$.mp4\""},
        {"7_%d_7.mp4", 11, "media=\"d/7_$Number$_7.mp4\""},
        {"a:b?c#%d.mp4", 2, "media=\"d/a%3Ab%3Fc%23$Number$.mp4\""},
        {"one%.0d.mp4", 2, NULL},
        {"x.m%d", 2, "media=\"d/x.m$Number$\""},
    };
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        test_stream t;
        sh_err err = {0};
        sh_buf b;
        test_stream_make(&t);
        t.stream.track_count = 1;
        t.tracks[0].folder = "d";
        t.tracks[0].iframes = NULL;
        test_stream_segments(&t, 0, rows[i].pattern, (size_t)rows[i].count, 180180, 180180, 700000);
        if (i == 7)
            snprintf(t.names[0][1], sizeof(t.names[0][1]), "two.mp4");
        sh_buf_init(&b, 1 << 20);
        int status = sh_dash_mpd(&b, &t.stream, &err);
        if (rows[i].words && !strstr(sh_buf_cstr(&b), rows[i].words))
            fail_msg("%s: %s\n%s", rows[i].pattern, err.message, sh_buf_cstr(&b));
        assert_int_equal(status, rows[i].words ? 0 : SH_E_ARGUMENT);
        sh_buf_free(&b);
    }
}

static void test_uris(void **state)
{
    test_stream t;
    test_stream_make(&t);
    t.tracks[0].folder = "Ein Film (1)/v\xc3\xa4";
    t.tracks[0].playlist = "100% \"x\".m3u8";
    contains(&t, MASTER, 0, "\nEin%20Film%20(1)/v%C3%A4/100%25%20%22x%22.m3u8\n");
    contains(&t, MPD, 0, "initialization=\"Ein%20Film%20(1)/v%C3%A4/init.mp4\"");
    t.tracks[0].init = "in&it.mp4";
    contains(&t, MPD, 0, "v%C3%A4/in%26it.mp4\"");
}

/* ---- XML ---- */

static void test_well_formed(void **state)
{
    test_stream t;
    sh_buf b;
    test_stream_make(&t);
    t.stream.title = "]]> <![CDATA[ \x01 \xff \xc3\xa4 & ' \" \xed\xa0\x80";
    t.tracks[2].label = "a<b>&\"c'";
    t.stream.growing = true;
    make(&b, &t, MPD, 0);
    XML_Parser parser = XML_ParserCreate(NULL);
    if (XML_Parse(parser, b.data, (int)b.length, 1) != XML_STATUS_OK)
        fail_msg("line %lu: %s", XML_GetCurrentLineNumber(parser), XML_ErrorString(XML_GetErrorCode(parser)));
    XML_ParserFree(parser);
    assert_null(strchr(b.data, 1));
    assert_non_null(strstr(b.data, "\xc3\xa4"));
    sh_buf_free(&b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),       cmocka_unit_test(test_sums),
        cmocka_unit_test(test_priming),     cmocka_unit_test(test_integer),
        cmocka_unit_test(test_target),      cmocka_unit_test(test_mpd_durations),
        cmocka_unit_test(test_mpd_end),     cmocka_unit_test(test_transport),
        cmocka_unit_test(test_dates),       cmocka_unit_test(test_audio_groups),
        cmocka_unit_test(test_names),       cmocka_unit_test(test_text_groups),
        cmocka_unit_test(test_order),       cmocka_unit_test(test_audio_alone),
        cmocka_unit_test(test_range),       cmocka_unit_test(test_shape),
        cmocka_unit_test(test_rates),       cmocka_unit_test(test_short_tail),
        cmocka_unit_test(test_templates),   cmocka_unit_test(test_uris),
        cmocka_unit_test(test_well_formed),
    };
    folder = argc > 1 ? argv[1] : "manifests";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
