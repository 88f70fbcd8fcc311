/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "streams.h"

#include "base/buf.h"
#include "base/size.h"
#include "stream/vtt.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const sh_vtt_cue cues[] = {
    {0, 1500, "one", NULL, NULL},
    {1000, 3000, "<i>two</i>\nlines", "line:10% align:start", "2"},
    {3000, 9000, "long", NULL, NULL},
    {3600000, 363600123, "hours", NULL, NULL},
};

static void test_whole(void **state)
{
    sh_buf b;
    sh_buf_init(&b, 4096);
    assert_int_equal(sh_vtt_whole(&b, cues, SH_COUNT(cues), NULL), 0);
    assert_string_equal(b.data, "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\none\n\n"
                                "2\n00:00:01.000 --> 00:00:03.000 line:10% align:start\n<i>two</i>\nlines\n\n"
                                "00:00:03.000 --> 00:00:09.000\nlong\n\n"
                                "01:00:00.000 --> 101:00:00.123\nhours\n");
    sh_buf_clear(&b);
    assert_int_equal(sh_vtt_whole(&b, NULL, 0, NULL), 0);
    assert_string_equal(b.data, "WEBVTT\n");
    sh_buf_free(&b);
}

/* Every segment has the cues that touch it, with their own times; borders belong to what begins there. */
static void test_segments(void **state)
{
    static const struct {
        int64_t from, to, timescale;
        const char *texts[4];
    } rows[] = {
        {0, 2, 1, {"one", "two"}},
        {2, 4, 1, {"two", "long"}},
        {3, 6, 1, {"long"}},
        {9, 12, 1, {NULL}},
        {90090, 180180, 30000, {"long"}},
        {44999, 45001, 30000, {"one", "two"}},
        {45000, 45001, 30000, {"two"}},
        {89999, 90000, 30000, {"two"}},
    };
    static const char *const all[] = {"one", "two", "long", "hours"};
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        sh_buf b;
        sh_buf_init(&b, 4096);
        assert_int_equal(sh_vtt_segment(&b, cues, SH_COUNT(cues), rows[i].from, rows[i].to, rows[i].timescale,
                                        i == 0 ? 900000 : 0, NULL),
                         0);
        const char *head = i == 0 ? "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n"
                                  : "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n";
        assert_int_equal(strncmp(b.data, head, strlen(head)), 0);
        for (size_t k = 0; k < SH_COUNT(all); k++) {
            int expected = 0;
            for (size_t n = 0; n < 4 && rows[i].texts[n]; n++)
                expected |= strcmp(rows[i].texts[n], all[k]) == 0;
            if (expected != (strstr(b.data, all[k]) != NULL))
                fail_msg("row %zu: %s in\n%s", i, all[k], b.data);
        }
        sh_buf_free(&b);
    }
}

static void test_refused(void **state)
{
    static const struct {
        sh_vtt_cue cues[2];
        const char *words;
    } rows[] = {
        {{{0, 0, "a", NULL, NULL}}, "subtitle 1 lasts from 0 to 0"},
        {{{-1, 5, "a", NULL, NULL}}, "subtitle 1 lasts"},
        {{{5, 9, "a", NULL, NULL}, {4, 9, "a", NULL, NULL}}, "subtitle 2 lasts"},
        {{{0, INT64_MAX, "a", NULL, NULL}}, "subtitle 1 lasts"},
        {{{0, 1, "", NULL, NULL}}, "empty"},
        {{{0, 1, NULL, NULL, NULL}}, "empty"},
        {{{0, 1, "a\n\nb", NULL, NULL}}, "empty line"},
        {{{0, 1, "a\n", NULL, NULL}}, "empty line"},
        {{{0, 1, "a\rb", NULL, NULL}}, "empty line"},
        {{{0, 1, "a --> b", NULL, NULL}}, "arrow"},
        {{{0, 1, "a", "x\ny", NULL}}, "settings"},
        {{{0, 1, "a", NULL, "1 --> 2"}}, "id or settings"},
    };
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        sh_err err = {0};
        sh_buf b;
        size_t count = rows[i].cues[1].end ? 2 : 1;
        sh_buf_init(&b, 4096);
        assert_int_equal(sh_vtt_whole(&b, rows[i].cues, count, &err), SH_E_ARGUMENT);
        if (!strstr(err.message, rows[i].words))
            fail_msg("\"%s\" is not in \"%s\"", rows[i].words, err.message);
        assert_int_equal(sh_vtt_segment(&b, rows[i].cues, count, 0, 1, 1, 0, &err), SH_E_ARGUMENT);
        assert_int_equal(b.length, 0);
        sh_buf_free(&b);
    }
    sh_buf b;
    sh_buf_init(&b, 20);
    assert_int_equal(sh_vtt_whole(&b, cues, 1, NULL), SH_E_LIMIT);
    assert_int_equal(sh_vtt_segment(&b, cues, 1, 1, 1, 1, 0, NULL), SH_E_ARGUMENT);
    assert_int_equal(sh_vtt_segment(&b, cues, 1, 0, 1, 0, 0, NULL), SH_E_ARGUMENT);
    sh_buf_free(&b);
}

static void test_text(void **state)
{
    static const char *const rows[][2] = {
        {"plain", "plain"},
        {"", ""},
        {" \r\n ", ""},
        {"a\r\nb\rc\nd", "a\nb\nc\nd"},
        {"\n\na\n\n\n b\n\n", "a\n b"},
        {"a & b < c > d --> e", "a &amp; b &lt; c &gt; d --&gt; e"},
        {"<i>x</i> <B>y</B>", "<i>x</i> <b>y</b>"},
        {"<font color=\"#fff\">x</font>", "x"},
        {"<i>open", "<i>open</i>"},
        {"close</i>", "close"},
        {"<b><i>x</b>y</i>", "<b><i>x</i></b>y"},
        {"<i></i>", ""},
        {"<ruby>x<br/>y", "xy"},
        {"1 <2 and <", "1 &lt;2 and &lt;"},
        {"<i", "&lt;i"},
        {"<i\n>x", "&lt;i\n&gt;x"},
        {"\xff\xc3\xa4\x01", "\xEF\xBF\xBD\xc3\xa4\xEF\xBF\xBD"},
        {"{\\an8}x", "{\\an8}x"},
    };
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        sh_buf b;
        sh_buf_init(&b, 4096);
        sh_buf_puts(&b, "before ");
        assert_int_equal(sh_vtt_text(&b, rows[i][0]), 0);
        assert_string_equal(b.data + 7, rows[i][1]);
        sh_buf_free(&b);
    }
}

/* Whatever the text was, what is made of it can stand in a cue. */
static void test_any_text(void **state)
{
    static const char letters[] = "<>/ibux&-\n\r \t\x01\xc3\xa4\xff";
    srand(1);
    for (int round = 0; round < 20000; round++) {
        char text[24];
        sh_buf b, whole;
        size_t length = (size_t)rand() % (sizeof(text) - 1);
        for (size_t i = 0; i < length; i++)
            text[i] = letters[(size_t)rand() % (sizeof(letters) - 1)];
        text[length] = '\0';
        sh_buf_init(&b, 4096);
        sh_buf_init(&whole, 4096);
        assert_int_equal(sh_vtt_text(&b, text), 0);
        if (b.length > 0) {
            sh_vtt_cue cue = {0, 1, b.data, NULL, NULL};
            sh_err err = {0};
            if (sh_vtt_whole(&whole, &cue, 1, &err) < 0)
                fail_msg("\"%s\": %s", text, err.message);
        }
        sh_buf_free(&whole);
        sh_buf_free(&b);
    }
}

static void test_sheets(void **state)
{
    test_stream t;
    sh_buf b;
    sh_err err = {0};
    test_stream_make(&t);
    sh_buf_init(&b, 4096);
    assert_int_equal(sh_vtt_sheets(&b, &t.tracks[5], 12, NULL), 0);
    assert_string_equal(b.data, "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nsprite_001.jpg#xywh=0,0,160,90\n"
                                "\n00:00:02.000 --> 00:00:04.000\nsprite_001.jpg#xywh=160,0,160,90\n"
                                "\n00:00:04.000 --> 00:00:06.000\nsprite_001.jpg#xywh=0,90,160,90\n"
                                "\n00:00:06.000 --> 00:00:08.000\nsprite_001.jpg#xywh=160,90,160,90\n"
                                "\n00:00:08.000 --> 00:00:10.000\nsprite_002.jpg#xywh=0,0,160,90\n"
                                "\n00:00:10.000 --> 00:00:12.000\nsprite_002.jpg#xywh=160,0,160,90\n");
    sh_buf_clear(&b);
    assert_int_equal(sh_vtt_sheets(&b, &t.tracks[5], 10, &err), SH_E_ARGUMENT);
    assert_int_equal(sh_vtt_sheets(&b, &t.tracks[0], 12, &err), SH_E_ARGUMENT);
    sh_buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole), cmocka_unit_test(test_segments), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_text),  cmocka_unit_test(test_any_text), cmocka_unit_test(test_sheets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
