/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the checker by themselves: what they take and refuse. Whole streams are in mutations/. */
#include "base/file.h"
#include "base/size.h"
#include "stream/check.h"
#include "stream/fetch.h"
#include "stream/m3u.h"
#include "stream/mpd_read.h"
#include "stream/ts_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *docs;

/* ---- rules ---- */

static void test_every_rule_is_in_the_documentation(void **state)
{
    sh_buf text;
    size_t count;
    const sh_stream_rule *rules = sh_stream_rules(&count);
    sh_buf_init(&text, 1 << 20);
    assert_int_equal(sh_file_read(docs, &text, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        char row[600];
        snprintf(row, sizeof(row), "| `%s`%s | %s | %s |\n", rules[i].id,
                 rules[i].severity == SH_STREAM_WARNING ? " (warning)" : "", rules[i].clause,
                 rules[i].demand);
        if (!strstr(sh_buf_cstr(&text), row))
            fail_msg("docs/check.md lacks the row %s", row);
        assert_ptr_equal(sh_stream_rule_find(rules[i].id), &rules[i]);
    }
    assert_null(sh_stream_rule_find("no-such-rule"));
    sh_buf_free(&text);
}

/* ---- names ---- */

static int resolve(sh_fetch *f, char *name, const char *base, const char *reference)
{
    return sh_fetch_resolve(f, name, base, reference, strlen(reference), NULL);
}

static void test_names_in_a_folder(void **state)
{
    static const char *const bad[] = {
        "../x",     "a/../../x",     "/etc/passwd", "http://h/x", "file:///etc/passwd",
        "%2e%2e/x", "%2fetc/passwd", "a%00b",       "a%zz",       "a%2",
        "",         "a?b",           "a#b",         "a\nb",       "."};
    char name[SH_FETCH_NAME];
    sh_fetch *f = NULL;
    assert_int_equal(sh_fetch_open(&f, ".", 1, NULL), 0);
    assert_int_equal(resolve(f, name, "v0/index.m3u8", "seg%20one.m4s"), 0);
    assert_string_equal(name, "v0/seg one.m4s");
    assert_int_equal(resolve(f, name, "v0/index.m3u8", "../a0/./x.m4s"), 0);
    assert_string_equal(name, "a0/x.m4s");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (resolve(f, name, "index.m3u8", bad[i]) != SH_E_FORMAT)
            fail_msg("\"%s\" is taken", bad[i]);
    sh_fetch_close(f);
}

static void test_names_at_a_url(void **state)
{
    char name[SH_FETCH_NAME];
    sh_fetch *f = NULL;
    assert_int_equal(sh_fetch_open(&f, "http://h/a/index.m3u8", 1, NULL), 0);
    assert_int_equal(resolve(f, name, "http://h/a/index.m3u8", "v0/x.m4s?q=1"), 0);
    assert_string_equal(name, "http://h/a/v0/x.m4s?q=1");
    assert_int_equal(resolve(f, name, "http://h/a/index.m3u8", "https://other/x"), 0);
    assert_string_equal(name, "https://other/x");
    assert_int_equal(resolve(f, name, "http://h/a/index.m3u8", "file:///etc/passwd"), SH_E_FORMAT);
    assert_int_equal(resolve(f, name, "http://h/a/index.m3u8", "ftp://h/x"), SH_E_FORMAT);
    sh_fetch_close(f);
    f = NULL;
    assert_int_equal(sh_fetch_open(&f, "file:///etc", 1, NULL), SH_E_ARGUMENT);
    assert_null(f);
}

static void test_files_and_links(void **state)
{
    char folder[] = "/tmp/spyhop-check-XXXXXX", path[64];
    sh_buf bytes;
    sh_fetch *f = NULL;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/real", folder);
    assert_int_equal(sh_dir_make(path, 0755, NULL), 0);
    snprintf(path, sizeof(path), "%s/real/x", folder);
    assert_int_equal(sh_file_replace(path, "0123456789", 10, 0644, NULL), 0);
    snprintf(path, sizeof(path), "%s/link", folder);
    assert_int_equal(symlink("real", path), 0);
    snprintf(path, sizeof(path), "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0644), 0);
    sh_buf_init(&bytes, 11);
    assert_int_equal(sh_fetch_open(&f, folder, 1, NULL), 0);
    assert_int_equal(sh_fetch_read(f, "real/x", &bytes, NULL, NULL), 0);
    assert_int_equal(bytes.length, 10);
    assert_int_equal(sh_fetch_read(f, "link/x", &bytes, NULL, NULL), SH_E_NOT_FOUND);
    assert_int_equal(sh_fetch_read(f, "pipe", &bytes, NULL, NULL), SH_E_FORMAT);
    assert_int_equal(sh_fetch_read(f, "real/y", &bytes, NULL, NULL), SH_E_NOT_FOUND);
    bytes.maximum = 9;
    assert_int_equal(sh_fetch_read(f, "real/x", &bytes, NULL, NULL), SH_E_LIMIT);
    sh_buf_free(&bytes);
    sh_fetch_close(f);
    assert_int_equal(sh_dir_remove(folder, NULL), 0);
}

/* ---- playlists ---- */

static void test_attribute_lists(void **state)
{
    static const char good[] = "BANDWIDTH=1,CODECS=\"a,b\",X-1=0x1F,NAME=\"\"";
    static const char *const bad[] = {"",        "A",         "A=",      "=1",       "a=1",
                                      "A=1,",    "A=1,,B=2",  "A=\"1",   "A=\"1\"x", "A=1 ,B=2",
                                      "A=1,A=2", "A=1;B=2 C", "A=1\"2\""};
    sh_m3u_attributes list;
    assert_null(sh_m3u_attributes_read(&list, good, strlen(good)));
    assert_int_equal(list.count, 4);
    assert_true(sh_m3u_equals(sh_m3u_find(&list, "CODECS"), "a,b"));
    assert_true(sh_m3u_equals(sh_m3u_find(&list, "NAME"), ""));
    assert_null(sh_m3u_find(&list, "CODEC"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (!sh_m3u_attributes_read(&list, bad[i], strlen(bad[i])))
            fail_msg("\"%s\" is taken", bad[i]);
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {"",    ".",   "1.", ".5", "-1",         "+1",
                                      "1e3", "1,5", " 1", "1 ", "99999999999"};
    int64_t nano, length, from = 7;
    bool integer, has_from;
    assert_true(sh_m3u_nano("6.006", 5, &nano, &integer));
    assert_true(nano == 6006000000 && !integer);
    assert_true(sh_m3u_nano("6.00600000049", 13, &nano, &integer));
    assert_true(nano == 6006000000);
    assert_true(sh_m3u_nano("10", 2, &nano, &integer));
    assert_true(nano == 10000000000 && integer);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (sh_m3u_nano(bad[i], strlen(bad[i]), &nano, &integer))
            fail_msg("\"%s\" is taken", bad[i]);
    assert_true(sh_m3u_range("12@34", 5, &length, &from, &has_from));
    assert_true(length == 12 && from == 34 && has_from);
    assert_true(sh_m3u_range("12", 2, &length, &from, &has_from) && !has_from);
    assert_false(sh_m3u_range("12@", 3, &length, &from, &has_from));
    assert_false(sh_m3u_range("0@0", 3, &length, &from, &has_from));
}

/* ---- MPD ---- */

static void count_words(void *opaque, int64_t line, const char *words)
{
    ++*(int *)opaque;
}

static int faults_of(const char *inner)
{
    char text[2048];
    sh_mpd mpd;
    int faults = 0;
    snprintf(text, sizeof(text),
             "<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' xmlns:x='urn:x' profiles='p' "
             "minBufferTime='PT1S'>%s</MPD>",
             inner);
    if (sh_mpd_read(&mpd, text, strlen(text), NULL) < 0)
        faults = -1;
    else
        sh_mpd_schema(mpd.root, count_words, &faults);
    sh_mpd_free(&mpd);
    return faults;
}

static void test_schema(void **state)
{
    assert_int_equal(faults_of("<Period/>"), 0);
    assert_int_equal(faults_of("<Period x:href='a'><x:any><deep/></x:any></Period>"), 0);
    assert_int_equal(faults_of(""), 1);
    assert_int_equal(faults_of("<Period/><BaseURL>a</BaseURL>"), 1);
    assert_int_equal(faults_of("<Period start='1s'/>"), 1);
    assert_int_equal(faults_of("<Period><AdaptationSet par='16x9' lang='e n'/></Period>"), 2);
    assert_int_equal(
        faults_of(
            "<Period><AdaptationSet><Representation id='a b' bandwidth='-1'/></AdaptationSet></Period>"),
        2);
    assert_int_equal(faults_of("<Period><AdaptationSet><Representation/></AdaptationSet></Period>"), 2);
    assert_int_equal(faults_of("<Period><SegmentTemplate><SegmentTimeline/></SegmentTemplate></Period>"), 1);
    assert_int_equal(faults_of("<Period>"), -1);
    assert_int_equal(faults_of("&a;"), -1);
}

static void test_depth_is_bounded(void **state)
{
    sh_buf text;
    sh_mpd mpd;
    sh_buf_init(&text, 1 << 20);
    for (int i = 0; i < 1000; i++)
        sh_buf_puts(&text, "<a>");
    for (int i = 0; i < 1000; i++)
        sh_buf_puts(&text, "</a>");
    assert_int_equal(sh_mpd_read(&mpd, sh_buf_cstr(&text), text.length, NULL), SH_E_FORMAT);
    sh_mpd_free(&mpd);
    sh_buf_free(&text);
}

static void test_durations(void **state)
{
    static const char *const bad[] = {"",       "P",   "PT",  "1S",    "PT1",   "PT1.5H",
                                      "PT1S2M", "P1S", "PTS", "PT-1S", "PT1e3S"};
    double seconds;
    assert_true(sh_mpd_duration("PT1H2M3.5S", &seconds) && seconds == 3723.5);
    assert_true(sh_mpd_duration("P1DT1S", &seconds) && seconds == 86401);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (sh_mpd_duration(bad[i], &seconds))
            fail_msg("\"%s\" is taken", bad[i]);
}

/* ---- everything, of noise ---- */

/* Small changes of a sound text, from a fixed seed: nothing may crash, and reading ends. */
static void test_noise(void **state)
{
    static const char playlist[] =
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"i.mp4\"\n"
        "#EXTINF:2.0,\n#EXT-X-BYTERANGE:10@20\ns.m4s\n#EXT-X-ENDLIST\n";
    static const char mpd_text[] =
        "<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' profiles='urn:mpeg:dash:profile:isoff-live:2011' "
        "minBufferTime='PT1S' mediaPresentationDuration='PT4S'><Period><AdaptationSet mimeType='video/mp4'>"
        "<SegmentTemplate media='$Number%05d$.m4s' initialization='i.mp4' timescale='1'><SegmentTimeline>"
        "<S t='0' d='2' r='1'/></SegmentTimeline></SegmentTemplate><Representation id='a' bandwidth='1'/>"
        "</AdaptationSet></Period></MPD>";
    char folder[] = "/tmp/spyhop-noise-XXXXXX", path[64];
    uint32_t seed = 1;
    assert_non_null(mkdtemp(folder));
    for (int round = 0; round < 400; round++) {
        char text[1024];
        const bool dash = round & 1;
        const size_t size = dash ? sizeof(mpd_text) - 1 : sizeof(playlist) - 1;
        sh_stream_report report = {0};
        const char *names[] = {dash ? "x.mpd" : "x.m3u8"};
        const sh_stream_source source = {folder, names, 1};
        memcpy(text, dash ? mpd_text : playlist, size);
        for (int i = 0; i < 1 + round % 5; i++) {
            seed = seed * 1664525 + 1013904223;
            text[(seed >> 8) % size] = (char)(seed >> 24);
        }
        snprintf(path, sizeof(path), "%s/%s", folder, names[0]);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(sh_stream_check(&report, &source, NULL, NULL), 0);
        assert_true(report.errors > 0); /* its files are not there */
        sh_stream_report_free(&report);
    }
    assert_int_equal(sh_dir_remove(folder, NULL), 0);
}

static void test_noise_in_packets(void **state)
{
    sh_ts_reader *ts = malloc(sizeof(*ts));
    uint8_t bytes[SH_TS_BYTES * 40];
    uint32_t seed = 7;
    assert_non_null(ts);
    for (int round = 0; round < 2000; round++) {
        sh_ts_reader_init(ts);
        for (size_t i = 0; i < sizeof(bytes); i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = (uint8_t)(seed >> 24);
        }
        for (size_t i = 0; i < sizeof(bytes); i += SH_TS_BYTES) {
            bytes[i] = 0x47;
            bytes[i + 1] = (uint8_t)(bytes[i + 1] & 0x40);
            bytes[i + 2] = (uint8_t)(bytes[i + 2] & 3);
            bytes[i + 3] = (uint8_t)(0x10 | (bytes[i + 3] & 0x2F));
        }
        sh_ts_reader_segment(ts, bytes, sizeof(bytes) - (size_t)(round % 3));
        assert_int_not_equal(ts->fault.kind, SH_TS_FAULT_NONE);
    }
    free(ts);
}

/* ---- frames of AAC in PES packets ---- */

typedef struct packets {
    uint8_t bytes[SH_TS_BYTES * 64];
    size_t length;
    uint8_t counter[0x200];
} packets;

/* One packet of at most 184 bytes of payload; the rest is an adaptation field. Gives what it took. */
static size_t put_packet(packets *to, int pid, bool start, const uint8_t *data, size_t size)
{
    uint8_t *p = to->bytes + to->length;
    const size_t n = size < 184 ? size : 184, stuffing = 184 - n;
    assert_true(to->length + SH_TS_BYTES <= sizeof(to->bytes));
    memset(p, 0xFF, SH_TS_BYTES);
    p[0] = 0x47;
    p[1] = (uint8_t)((start ? 0x40 : 0) | pid >> 8);
    p[2] = (uint8_t)pid;
    p[3] = (uint8_t)((stuffing ? 0x30 : 0x10) | (to->counter[pid]++ & 15));
    if (stuffing)
        p[4] = (uint8_t)(stuffing - 1);
    if (stuffing > 1)
        p[5] = 0;
    memcpy(p + 4 + stuffing, data, n);
    to->length += SH_TS_BYTES;
    return n;
}

/* A section of a table, its length and checksum put in. */
static void put_table(packets *to, int pid, const uint8_t *section, size_t size)
{
    uint8_t data[64] = {0};
    uint32_t crc = 0xFFFFFFFF;
    memcpy(data + 1, section, size);
    data[3] = (uint8_t)(size - 3 + 4);
    for (size_t i = 0; i < size; i++) {
        crc ^= (uint32_t)data[1 + i] << 24;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x80000000 ? crc << 1 ^ 0x04C11DB7 : crc << 1;
    }
    for (int i = 0; i < 4; i++)
        data[1 + size + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    put_packet(to, pid, true, data, size + 5);
}

static void put_tables(packets *to)
{
    static const uint8_t pat[] = {0, 0xB0, 0, 0, 1, 0xC1, 0, 0, 0, 1, 0xE1, 0};
    static const uint8_t pmt[] = {2, 0xB0, 0, 0, 1, 0xC1, 0, 0, 0xE1, 1, 0xF0, 0, 0x0F, 0xE1, 1, 0xF0, 0};
    put_table(to, 0, pat, sizeof(pat));
    put_table(to, 0x100, pmt, sizeof(pmt));
}

static void put_pes(packets *to, int64_t pts, const uint8_t *data, size_t size)
{
    uint8_t pes[4096] = {0, 0, 1, 0xC0, 0, 0, 0x80, 0x80, 5};
    pes[9] = (uint8_t)(0x21 | pts >> 29);
    pes[10] = (uint8_t)(pts >> 22);
    pes[11] = (uint8_t)(pts >> 14 | 1);
    pes[12] = (uint8_t)(pts >> 7);
    pes[13] = (uint8_t)(pts << 1 | 1);
    assert_true(size + 14 <= sizeof(pes));
    memcpy(pes + 14, data, size);
    for (size_t at = 0, n; at < size + 14; at += n)
        n = put_packet(to, 0x101, at == 0, pes + at, size + 14 - at);
}

/* `rate`: index; `blocks`: of 1024 samples each. */
static size_t put_frame(uint8_t *to, size_t size, int rate, int blocks)
{
    const uint8_t head[] = {0xFF,
                            0xF1,
                            (uint8_t)(0x40 | rate << 2),
                            (uint8_t)(0x80 | size >> 11),
                            (uint8_t)(size >> 3),
                            (uint8_t)((size & 7) << 5 | 0x1F),
                            (uint8_t)(0xFC | (blocks - 1))};
    memset(to, 0xFF, size); /* a payload that looks like heads */
    memcpy(to, head, sizeof(head));
    return size;
}

static void test_frames_of_the_last_packet(void **state)
{
    static const struct {
        size_t frame;     /* bytes of each */
        int frames;       /* in all */
        size_t cut;       /* bytes of the first PES packet */
        int rate, blocks; /* index */
        int64_t noise;    /* byte that is spoilt, -1: none */
        int64_t lasts;
    } rows[] = {
        {100, 3, 300, 3, 1, -1, 3 * 1920},  /* one packet */
        {100, 5, 400, 3, 1, -1, 1920},      /* the last of five has one of its own */
        {100, 5, 250, 3, 1, -1, 2 * 1920},  /* one begins in the packet before */
        {100, 5, 203, 3, 1, -1, 2 * 1920},  /* and one has its head on both sides */
        {100, 2, 150, 3, 1, -1, 0},         /* none begins in the last */
        {100, 2, 200, 4, 1, -1, 4180},      /* 44100 Hz: 4179.6 ticks */
        {171, 4, 684, 3, 3, -1, 12 * 1920}, /* frames of three blocks, heads at the border of packets */
        {7, 9, 63, 0, 1, -1, 9 * 960},      /* heads alone */
        {100, 3, 300, 3, 1, 100, 0},        /* no head where one has to be */
        {100, 3, 300, 3, 1, 104, 0},        /* one that tells fewer bytes than it has itself */
        {100, 3, 300, 13, 1, -1, 0},        /* no rate */
    };
    sh_ts_reader *ts = malloc(sizeof(*ts));
    packets *made = malloc(sizeof(*made));
    assert_true(ts && made);
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        uint8_t data[4096];
        size_t size = 0;
        memset(made, 0, sizeof(*made));
        for (int n = 0; n < rows[i].frames; n++)
            size += put_frame(data + size, rows[i].frame, rows[i].rate, rows[i].blocks);
        if (rows[i].noise >= 0)
            data[rows[i].noise] = 0;
        put_tables(made);
        put_pes(made, 900000, data, rows[i].cut);
        if (size > rows[i].cut)
            put_pes(made, 909000, data + rows[i].cut, size - rows[i].cut);
        sh_ts_reader_init(ts);
        for (int again = 0; again < 2; again++) { /* a segment begins anew */
            if (!sh_ts_reader_segment(ts, made->bytes, made->length))
                fail_msg("row %zu: %s", i, ts->fault.words);
            if (ts->audio.lasts != rows[i].lasts)
                fail_msg("row %zu: %lld ticks", i, (long long)ts->audio.lasts);
            assert_int_equal(ts->audio.last, size > rows[i].cut ? 909000 : 900000);
            sh_ts_reader_break(ts);
        }
    }
    free(made);
    free(ts);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rule_is_in_the_documentation),
        cmocka_unit_test(test_names_in_a_folder),
        cmocka_unit_test(test_names_at_a_url),
        cmocka_unit_test(test_files_and_links),
        cmocka_unit_test(test_attribute_lists),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_noise_in_packets),
        cmocka_unit_test(test_frames_of_the_last_packet),
    };
    docs = argc > 1 ? argv[1] : "docs/check.md";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
