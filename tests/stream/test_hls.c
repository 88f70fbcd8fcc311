/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Playlists as they are written, and the checker: one right stream, and one fault at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/size.h"
#include "maketest.h"
#include "stream/hls.h"
#include "stream/hls_check.h"
#include "stream/playlist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- writing ---- */

static void media_playlist_is_as_written(void **state)
{
    const sh_segment segments[] = {{"a b_00001.ts", 900000, 1000}, {"a b_00002.ts", 450450, 500}};
    const sh_rendition r = {"a b.m3u8", segments, 2, 90000, 1280, 720, 25, 1, "avc1.4d401f"};
    sh_buf text;
    sh_buf_init(&text, 4096);
    assert_int_equal(sh_hls_write_media(&text, &r, SH_HLS_DECIMAL, NULL), 0);
    assert_string_equal(sh_buf_cstr(&text),
                        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n"
                        "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
                        "#EXT-X-INDEPENDENT-SEGMENTS\n#EXTINF:10.000000,\na%20b_00001.ts\n"
                        "#EXTINF:5.005000,\na%20b_00002.ts\n#EXT-X-ENDLIST\n");
    sh_buf_clear(&text);
    assert_int_equal(sh_hls_write_media(&text, &r, SH_HLS_INTEGER, NULL), 0);
    assert_non_null(strstr(sh_buf_cstr(&text), "#EXTINF:5,\n"));
    sh_buf_free(&text);
}

/* 3753.75 ticks a frame and other rates that no decimal holds: the sum of what is written stays within a
 * microsecond. */
static void durations_do_not_drift(void **state)
{
    enum { COUNT = 3000 };
    static sh_segment segments[COUNT];
    sh_media_playlist playlist;
    sh_buf text;
    int64_t sum = 0;
    for (int i = 0; i < COUNT; i++)
        segments[i] = (sh_segment){"s.ts", 1001 * 7, 10};
    const sh_rendition r = {"p.m3u8", segments, COUNT, 30000, 0, 0, 0, 1, "avc1.4d401f"};
    sh_buf_init(&text, 1 << 20);
    assert_int_equal(sh_hls_write_media(&text, &r, SH_HLS_DECIMAL, NULL), 0);
    assert_int_equal(sh_playlist_read_media(&playlist, "p", sh_buf_cstr(&text), text.length, NULL), 0);
    assert_int_equal(playlist.count, COUNT);
    for (size_t i = 0; i < playlist.count; i++)
        sum += playlist.segments[i].micro;
    assert_in_range(sum, INT64_C(1001) * 7 * COUNT * 1000000 / 30000 - 1,
                    INT64_C(1001) * 7 * COUNT * 1000000 / 30000 + 1);
    sh_media_playlist_free(&playlist);
    sh_buf_free(&text);
}

static void master_playlist_is_measured(void **state)
{
    const sh_segment segments[] = {{"a.ts", 90000, 1000}, {"b.ts", 45000, 1000}, {"c.ts", 90000, 400}};
    const sh_rendition r = {"v.m3u8", segments, 3, 90000, 640, 360, 30000, 1001, "avc1.4d401f,mp4a.40.2"};
    sh_buf text;
    sh_buf_init(&text, 4096);
    assert_int_equal(sh_hls_write_master(&text, &r, 1, NULL), 0);
    assert_string_equal(sh_buf_cstr(&text),
                        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n"
                        "#EXT-X-STREAM-INF:BANDWIDTH=16000,AVERAGE-BANDWIDTH=7680,"
                        "CODECS=\"avc1.4d401f,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=29.970\n"
                        "v.m3u8\n");
    sh_buf_free(&text);
}

/* RFC 8216, 4.1: runs of half to one and a half target durations. One picture alone, a key picture, is none.
 */
static void peak_is_of_runs(void **state)
{
    const sh_segment ended[] = {{"a.ts", 180000, 2000}, {"b.ts", 180000, 1000}, {"c.ts", 3600, 1000}};
    const sh_segment small[] = {{"a.ts", 30000, 2000}, {"b.ts", 30000, 1000}, {"c.ts", 180000, 3000}};
    const sh_segment alone[] = {{"a.ts", 18000, 1000}};
    const sh_rendition streams[] = {
        {"p", ended, 3, 90000}, {"p", small, 3, 90000}, {"p", small, 2, 90000}, {"p", alone, 1, 90000}};
    const int64_t peaks[] = {8000, 18000, 36000, 40000};
    for (size_t i = 0; i < SH_COUNT(streams); i++)
        assert_int_equal(sh_hls_peak_rate(&streams[i]), peaks[i]);
    const sh_segment huge = {"a.ts", INT64_MAX / 2, 1};
    const sh_rendition longest = {"p", &huge, 1, 1};
    assert_int_equal(sh_hls_peak_rate(&longest), 1);
}

static void nonsense_is_not_written(void **state)
{
    const sh_segment none = {"a.ts", 0, 10}, empty = {"a.ts", 10, 0}, good = {"a.ts", 10, 10};
    const sh_rendition bad[] = {
        {"p", &none, 1, 90000}, {"p", &empty, 1, 90000}, {"p", &good, 0, 90000}, {"p", &good, 1, 0}};
    sh_buf text;
    sh_buf_init(&text, 4096);
    for (size_t i = 0; i < SH_COUNT(bad); i++)
        assert_int_equal(sh_hls_write_media(&text, &bad[i], SH_HLS_DECIMAL, NULL), SH_E_ARGUMENT);
    assert_int_equal(sh_hls_write_master(&text, bad, 0, NULL), SH_E_ARGUMENT);
    sh_buf_free(&text);
}

static void codecs_come_from_bytes(void **state)
{
    static const uint8_t sps[] = {0x67, 0x64, 0x00, 0x28}, aac[] = {0x11, 0x90}, other[] = {0x68, 0, 0, 0};
    char codecs[32] = "", tight[8] = "";
    assert_int_equal(sh_codecs_add_avc(codecs, sizeof(codecs), sps, 4, NULL), 0);
    assert_int_equal(sh_codecs_add_aac(codecs, sizeof(codecs), aac, 2, NULL), 0);
    assert_string_equal(codecs, "avc1.640028,mp4a.40.2");
    assert_int_equal(sh_codecs_add_avc(tight, sizeof(tight), sps, 4, NULL), SH_E_LIMIT);
    assert_string_equal(tight, "");
    assert_int_equal(sh_codecs_add_avc(codecs, sizeof(codecs), other, 4, NULL), SH_E_FORMAT);
    assert_int_equal(sh_codecs_add_avc(codecs, sizeof(codecs), sps, 3, NULL), SH_E_FORMAT);
    assert_int_equal(sh_codecs_add_aac(codecs, sizeof(codecs), aac, 0, NULL), SH_E_FORMAT);
}

static void names_survive_uris(void **state)
{
    static const char *const names[] = {"a.ts",     "a b.ts", "\xc3\xa4.ts", "100%.ts",
                                        "q?x#y.ts", "c:d.ts", "'\"<>;.ts"};
    static const char *const refused[] = {"../a.ts", "/a.ts", "http://x/a.ts", "a/b.ts", "a.ts?x", "a%2Fb",
                                          "a%00",    "..",    "%2E%2E",        "",       "a b",    "%4",
                                          "a\\b"};
    char name[64];
    for (size_t i = 0; i < SH_COUNT(names); i++) {
        sh_buf text;
        sh_buf_init(&text, 256);
        assert_int_equal(sh_uri_encode(&text, names[i]), 0);
        assert_int_equal(sh_uri_decode(name, sizeof(name), text.data, text.length, NULL), 0);
        assert_string_equal(name, names[i]);
        sh_buf_free(&text);
    }
    for (size_t i = 0; i < SH_COUNT(refused); i++)
        assert_true(sh_uri_decode(name, sizeof(name), refused[i], strlen(refused[i]), NULL) < 0);
}

/* ---- reading ---- */

#define HEAD "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n"

static void broken_playlists_are_refused(void **state)
{
    static const char *const broken[][2] = {
        {"", "playlist-extm3u"},
        {"#EXTM3U8\n", "playlist-extm3u"},
        {HEAD "#EXTINF:4.0,\na.ts\n", "playlist-endlist"},
        {HEAD "#EXT-X-ENDLIST\n", "playlist-empty"},
        {HEAD "a.ts\n#EXT-X-ENDLIST\n", "playlist-extinf"},
        {HEAD "#EXTINF:4.0,\n#EXTINF:4.0,\na.ts\n#EXT-X-ENDLIST\n", "playlist-extinf"},
        {HEAD "#EXTINF:4.6,\na.ts\n#EXT-X-ENDLIST\n", "playlist-target"},
        {HEAD "#EXTINF:x,\na.ts\n#EXT-X-ENDLIST\n", "playlist-extinf"},
        {HEAD "#EXTINF:4.0\na.ts\n#EXT-X-ENDLIST\n", "playlist-extinf"},
        {HEAD "#EXTINF:0,\na.ts\n#EXT-X-ENDLIST\n", "playlist-extinf"},
        {HEAD "#EXTINF:-1,\na.ts\n#EXT-X-ENDLIST\n", "playlist-extinf"},
        {HEAD "#EXTINF:4,\n../a.ts\n#EXT-X-ENDLIST\n", "playlist-uri"},
        {HEAD "#EXTINF:4,\nhttp://x/a.ts\n#EXT-X-ENDLIST\n", "playlist-uri"},
        {HEAD "#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n#EXTINF:4,\nb.ts\n", "playlist-after-end"},
        {HEAD "#EXT-X-TARGETDURATION:4\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n", "playlist-tag-twice"},
        {HEAD "#EXT-X-NONESUCH\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n", "playlist-unknown-tag"},
        {"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n",
         "playlist-target"},
        {"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n",
         "playlist-header"},
        {"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-PLAYLIST-TYPE:EVENT\n", "playlist-type"},
        {"#EXTM3U\n#EXT-X-VERSION:1\n", "playlist-version"},
    };
    for (size_t i = 0; i < SH_COUNT(broken); i++) {
        sh_media_playlist p = {0};
        sh_err err = {0};
        assert_true(sh_playlist_read_media(&p, "p", broken[i][0], strlen(broken[i][0]), &err) < 0);
        if (!strstr(err.message, broken[i][1]))
            fail_msg("playlist %zu: \"%s\" instead of %s", i, err.message, broken[i][1]);
        assert_null(p.segments);
    }
}

static void broken_masters_are_refused(void **state)
{
#define MASTER "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n"
    static const char *const broken[][2] = {
        {MASTER, "master-empty"},
        {MASTER "a.m3u8\n", "master-uri"},
        {MASTER "#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"a\"\n", "master-uri"},
        {MASTER "#EXT-X-STREAM-INF:CODECS=\"a\"\na.m3u8\n", "master-attribute"},
        {MASTER "#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n", "master-attribute"},
        {MASTER "#EXT-X-STREAM-INF:BANDWIDTH=x,CODECS=\"a\"\na.m3u8\n", "master-attribute"},
        {MASTER "#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"a\na.m3u8\n", "master-attribute"},
        {MASTER "#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"a\",RESOLUTION=1\na.m3u8\n", "master-attribute"},
        {"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"a\"\na.m3u8\n", "master-independent"},
    };
    for (size_t i = 0; i < SH_COUNT(broken); i++) {
        sh_master_playlist p = {0};
        sh_err err = {0};
        assert_true(sh_playlist_read_master(&p, "p", broken[i][0], strlen(broken[i][0]), &err) < 0);
        if (!strstr(err.message, broken[i][1]))
            fail_msg("master %zu: \"%s\" instead of %s", i, err.message, broken[i][1]);
    }
}

/* ---- checking ---- */

enum fault {
    NONE,
    MISSING_SEGMENT,
    EMPTY_SEGMENT,
    NO_PAT,
    NO_PMT,
    BAD_PAT,
    NO_IDR,
    NO_SETS,
    LOST_PACKET,
    NO_SYNC,
    ODD_SIZE,
    WRONG_EXTINF,
    TIME_BACK,
    LAST_TOO_LONG,
    LAST_TOO_SHORT,
    SOUND_PAST_END,
    LOW_BANDWIDTH,
    HIGH_BANDWIDTH,
    WRONG_CODECS,
    SOUND_NOT_SAID,
    FAULTS,
    LONG_SOUND /* is none: the last EXTINF says it */
};

static const char *const rules[FAULTS] = {
    [MISSING_SEGMENT] = "missing-file",
    [EMPTY_SEGMENT] = "missing-file",
    [NO_PAT] = "ts-tables-first",
    [NO_PMT] = "ts-tables-first",
    [BAD_PAT] = "ts-pat",
    [NO_IDR] = "ts-idr",
    [NO_SETS] = "ts-idr",
    [LOST_PACKET] = "ts-continuity",
    [NO_SYNC] = "ts-sync",
    [ODD_SIZE] = "ts-size",
    [WRONG_EXTINF] = "extinf",
    [TIME_BACK] = "time-goes-on",
    [LAST_TOO_LONG] = "extinf",
    [LAST_TOO_SHORT] = "extinf",
    [SOUND_PAST_END] = "and has audio at",
    [LOW_BANDWIDTH] = "bandwidth",
    [HIGH_BANDWIDTH] = "bandwidth",
    [WRONG_CODECS] = "codecs",
    [SOUND_NOT_SAID] = "codecs",
};

#define START INT64_C(900000)

static void make_second(maker *m, enum fault fault)
{
    int64_t pts = START + (fault == TIME_BACK ? 0 : 25 * 3600);
    make_reset(m);
    if (fault == NO_IDR || fault == NO_SETS) {
        make_pat(m);
        make_pmt(m, true);
        make_video(m, pts, fault == NO_IDR ? 1 : 6);
        return;
    }
    make_segment(m, pts, 10, true);
    if (fault == SOUND_PAST_END || fault == LONG_SOUND)
        make_audio(m, pts + 3 * 90000);
    if (fault == NO_PAT)
        memmove(m->bytes, m->bytes + 188, m->length -= 188);
    if (fault == NO_PMT)
        memmove(m->bytes + 188, m->bytes + 376, (m->length -= 188) - 188);
    if (fault == BAD_PAT)
        m->bytes[4 + 1 + 8] ^= 1;
    if (fault == LOST_PACKET)
        memmove(m->bytes + 1880, m->bytes + 2068, (m->length -= 188) - 1880);
    if (fault == NO_SYNC)
        m->bytes[1880] = 0;
    if (fault == ODD_SIZE)
        m->length -= 100;
    if (fault == EMPTY_SEGMENT)
        m->length = 0;
}

/* A stream of two segments, 25 and 10 pictures at 25 fps, in a new folder. */
static void make_stream(char *folder, enum fault fault)
{
    static maker m;
    sh_segment segments[] = {{"s_00001.ts", 25 * 3600, 0}, {"s_00002.ts", 10 * 3600, 0}};
    sh_rendition r = {"v.m3u8", segments, 2, 90000, 64, 48, 25, 1, "avc1.4d401f,mp4a.40.2"};
    sh_buf text;
    char path[128];
    memset(&m, 0, sizeof(m));
    make_segment(&m, START, 25, true);
    make_write(&m, folder, "s_00001.ts");
    segments[0].bytes = (int64_t)m.length;
    make_second(&m, fault);
    segments[1].bytes = m.length ? (int64_t)m.length : 1;
    if (fault != MISSING_SEGMENT)
        make_write(&m, folder, "s_00002.ts");
    segments[0].duration += fault == WRONG_EXTINF ? 5 : 0;
    segments[1].duration += fault == LAST_TOO_LONG    ? 100000
                            : fault == LAST_TOO_SHORT ? -4000
                            : fault == LONG_SOUND     ? 3 * 90000 - 9 * 3600
                                                      : 0;
    sh_buf_init(&text, 4096);
    assert_int_equal(sh_hls_write_media(&text, &r, SH_HLS_DECIMAL, NULL), 0);
    snprintf(path, sizeof(path), "%s/v.m3u8", folder);
    assert_int_equal(sh_file_replace(path, text.data, text.length, 0644, NULL), 0);
    sh_buf_clear(&text);
    for (int i = 0; i < 2; i++)
        segments[i].bytes = fault == LOW_BANDWIDTH    ? segments[i].bytes * 9 / 10
                            : fault == HIGH_BANDWIDTH ? segments[i].bytes * 12 / 10
                                                      : segments[i].bytes;
    if (fault == WRONG_CODECS)
        snprintf(r.codecs, sizeof(r.codecs), "avc1.640028,mp4a.40.2");
    if (fault == SOUND_NOT_SAID)
        snprintf(r.codecs, sizeof(r.codecs), "avc1.4d401f");
    assert_int_equal(sh_hls_write_master(&text, &r, 1, NULL), 0);
    snprintf(path, sizeof(path), "%s/m.m3u8", folder);
    assert_int_equal(sh_file_replace(path, text.data, text.length, 0644, NULL), 0);
    sh_buf_free(&text);
}

static void faults_are_found(void **state)
{
    for (int fault = NONE; fault < FAULTS; fault++) {
        char folder[] = "/tmp/spyhop-test-XXXXXX";
        sh_hls_checked checked = {0};
        sh_err err = {0};
        assert_non_null(mkdtemp(folder));
        make_stream(folder, (enum fault)fault);
        int status = sh_hls_check(&checked, folder, "m.m3u8", &err);
        if (fault == NONE) {
            if (status < 0)
                fail_msg("the right stream: %s", err.message);
            assert_int_equal(checked.variants, 1);
            assert_int_equal(checked.variant[0].frames, 35);
            assert_int_equal(checked.variant[0].segments, 2);
            assert_int_equal(checked.variant[0].micro, 1400000);
        } else if (status == 0 || !strstr(err.message, rules[fault])) {
            fail_msg("fault %d: \"%s\" instead of %s", fault, status ? err.message : "passed", rules[fault]);
        }
        sh_dir_remove(folder, NULL);
    }
}

static void sound_may_be_longer(void **state)
{
    char folder[] = "/tmp/spyhop-test-XXXXXX";
    sh_hls_checked checked = {0};
    sh_err err = {0};
    assert_non_null(mkdtemp(folder));
    make_stream(folder, LONG_SOUND);
    if (sh_hls_check(&checked, folder, "m.m3u8", &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(checked.variant[0].micro, 4040000);
    sh_dir_remove(folder, NULL);
}

/* The 33 bit clock runs over within the stream. */
static void time_wraps(void **state)
{
    static maker m;
    char folder[] = "/tmp/spyhop-test-XXXXXX", path[64];
    const int64_t wrap = INT64_C(1) << 33, start = wrap - 10 * 3600;
    sh_segment segments[] = {{"a.ts", 25 * 3600, 0}, {"b.ts", 25 * 3600, 0}};
    const sh_rendition r = {"v.m3u8", segments, 2, 90000, 64, 48, 25, 1, "avc1.4d401f"};
    sh_hls_checked checked = {0};
    sh_err err = {0};
    sh_buf text;
    assert_non_null(mkdtemp(folder));
    memset(&m, 0, sizeof(m));
    for (int i = 0; i < 2; i++) {
        make_segment(&m, start + i * 25 * 3600, 25, false);
        segments[i].bytes = (int64_t)m.length;
        make_write(&m, folder, segments[i].name);
    }
    sh_buf_init(&text, 4096);
    assert_int_equal(sh_hls_write_media(&text, &r, SH_HLS_DECIMAL, NULL), 0);
    snprintf(path, sizeof(path), "%s/v.m3u8", folder);
    assert_int_equal(sh_file_replace(path, text.data, text.length, 0644, NULL), 0);
    sh_buf_clear(&text);
    assert_int_equal(sh_hls_write_master(&text, &r, 1, NULL), 0);
    snprintf(path, sizeof(path), "%s/m.m3u8", folder);
    assert_int_equal(sh_file_replace(path, text.data, text.length, 0644, NULL), 0);
    sh_buf_free(&text);
    if (sh_hls_check(&checked, folder, "m.m3u8", &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(checked.variant[0].frames, 50);
    sh_dir_remove(folder, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(media_playlist_is_as_written), cmocka_unit_test(durations_do_not_drift),
        cmocka_unit_test(master_playlist_is_measured),  cmocka_unit_test(peak_is_of_runs),
        cmocka_unit_test(nonsense_is_not_written),      cmocka_unit_test(codecs_come_from_bytes),
        cmocka_unit_test(names_survive_uris),           cmocka_unit_test(broken_playlists_are_refused),
        cmocka_unit_test(broken_masters_are_refused),   cmocka_unit_test(faults_are_found),
        cmocka_unit_test(sound_may_be_longer),          cmocka_unit_test(time_wraps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
