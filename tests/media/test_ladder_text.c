/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text tracks and captions as WebVTT cues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "ladderwork.h"
#include "media/avlog.h"
#include "media/ladder_text.h"
#include "media/ladder_text_inner.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- ASS ---- */

static void test_ass(void **state)
{
    static const struct {
        const char *ass, *vtt;
    } cases[] = {
        {"0,0,Default,,0,0,0,,Hello", "Hello"},
        {"0,0,Default,,0,0,0,,one, two", "one, two"},
        {"0,0,Default,,0,0,0,,a\\Nb\\nc\\hd", "a\nb\nc&nbsp;d"},
        {"0,0,Default,,0,0,0,,a\\N\\N\\Nb\\N", "a\nb"},
        {"0,0,D,,0,0,0,,x < y && y > z", "x &lt; y &amp;&amp; y &gt; z"},
        {"0,0,D,,0,0,0,,{\\i1}slanted{\\i0} not", "<i>slanted</i> not"},
        {"0,0,D,,0,0,0,,{\\b1\\i1}both{\\b0}one", "<b><i>both</i></b><i>one</i>"},
        {"0,0,D,,0,0,0,,{\\an8\\pos(1,2)\\fs20\\bord2\\c&HFF&}top", "top"},
        {"0,0,D,,0,0,0,,{\\u1}two\\Nlines", "<u>two</u>\n<u>lines</u>"},
        {"0,0,D,,0,0,0,,{\\p1}m 0 0 l 9 9{\\p0}said", "said"},
        {"0,0,D,,0,0,0,,{\\b700}fat{\\r}thin", "<b>fat</b>thin"},
        {"0,0,D,,0,0,0,,{unclosed", ""},
        {"0,0,D,,0,0,0,,a --> b", "a --&gt; b"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char ass[200];
        AVSubtitleRect rect = {.ass = ass}, *rects[1] = {&rect};
        const AVSubtitle subtitle = {.num_rects = 1, .rects = rects};
        sh_text text = {0};
        snprintf(ass, sizeof(ass), "%s", cases[i].ass);
        assert_int_equal(sh_text_add(&text, &subtitle, 0, 1000, NULL), 0);
        assert_int_equal(text.count, cases[i].vtt[0] ? 1 : 0);
        if (text.count)
            assert_string_equal(text.cues[0].text, cases[i].vtt);
        sh_text_free(&text);
    }
}

/* ---- files ---- */

static void write_text(const char *name, const char *text)
{
    assert_int_equal(sh_file_replace(ladderwork_path(name), text, strlen(text), 0600, NULL), 0);
}

static const char srt[] = "1\n00:00:00,500 --> 00:00:01,250\n<i>First</i> line\nsecond & last\n\n"
                          "2\n00:00:01,500 --> 00:00:01,900\nZwei \xc3\xbc\n\n"
                          "3\n00:00:02,000 --> 00:00:04,000\nthree\n\n";

static void clip(const char *name, const char *codec)
{
    char line[500];
    write_text("texts.srt", srt);
    snprintf(line, sizeof(line),
             "-f lavfi -i testsrc2=s=64x48:r=25:d=3 -i @texts.srt -map 0 -map 1 -c:v libx264 -preset "
             "ultrafast -c:s %s -metadata:s:s:0 language=deu -disposition:s:0 forced @%s",
             codec, name);
    ladderwork_ffmpeg(line);
}

static void check_cue(const sh_text *text, size_t i, int64_t start_ms, int64_t end_ms, const char *words)
{
    assert_true(i < text->count);
    assert_int_equal(text->cues[i].start_us / 1000, start_ms);
    assert_int_equal(text->cues[i].end_us / 1000, end_ms);
    assert_string_equal(text->cues[i].text, words);
}

static void read_texts(sh_text *texts, const char *name, const int *tracks, size_t count, int64_t zero_us,
                       int64_t end_us)
{
    sh_err err = {0};
    const int fd = ladderwork_open(name);
    const sh_text_settings settings = {fd, name, -1, zero_us, end_us, tracks, count};
    memset(texts, 0, count * sizeof(*texts));
    if (sh_text_read(texts, &settings, &err) < 0)
        fail_msg("%s: %s", name, err.message);
    close(fd);
}

static void test_files(void **state)
{
    static const char *const kinds[][2] = {
        {"t.mp4", "mov_text"}, {"t.mkv", "subrip"}, {"a.mkv", "ass"}, {"w.mkv", "webvtt"}, {"s.mkv", "ssa"}};
    static const int twice[3] = {1, -1, 1};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        sh_text texts[3];
        clip(kinds[i][0], kinds[i][1]);
        read_texts(texts, kinds[i][0], twice, 3, 0, AV_NOPTS_VALUE);
        assert_int_equal(texts[1].count, 0);
        for (int k = 0; k < 3; k += 2) {
            assert_int_equal(texts[k].count, 3);
            check_cue(&texts[k], 0, 500, 1250, "<i>First</i> line\nsecond &amp; last");
            check_cue(&texts[k], 1, 1500, 1900, "Zwei \xc3\xbc");
            check_cue(&texts[k], 2, 2000, 4000, "three");
            assert_true(texts[k].forced);
        }
        assert_string_equal(texts[0].language, "deu");
        for (int k = 0; k < 3; k++)
            sh_text_free(&texts[k]);
        read_texts(texts, kinds[i][0], twice, 1, 1000000, 3000000); /* a part of it */
        assert_int_equal(texts[0].count, 3);
        check_cue(&texts[0], 0, 0, 250, "<i>First</i> line\nsecond &amp; last");
        check_cue(&texts[0], 2, 1000, 2000, "three");
        sh_text_free(&texts[0]);
    }
}

static void test_no_text(void **state)
{
    static const int video = 0, none = 9;
    const int fd = ladderwork_open("t.mp4");
    sh_text text = {0};
    sh_err err = {0};
    sh_text_settings settings = {fd, "t.mp4", -1, 0, AV_NOPTS_VALUE, &video, 1};
    assert_int_equal(sh_text_read(&text, &settings, &err), SH_E_ARGUMENT);
    assert_non_null(strstr(err.message, "track 0"));
    settings.tracks = &none;
    assert_int_equal(sh_text_read(&text, &settings, &err), SH_E_ARGUMENT);
    assert_int_equal(text.count, 0);
    close(fd);
}

static void test_order(void **state)
{
    static const struct {
        int64_t start, end;
        const char *words;
    } said[] = {{3000, 4000, "c"},  {-500, 300, "a"},     {1000, 0, "b"},
                {-900, -1, "gone"}, {9000, 9500, "late"}, {8000, 0, "d"}};
    sh_text text = {0};
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        char ass[40];
        AVSubtitleRect rect = {.ass = ass}, *rects[1] = {&rect};
        const AVSubtitle subtitle = {.num_rects = 1, .rects = rects};
        snprintf(ass, sizeof(ass), "0,0,,,0,0,0,,%s", said[i].words);
        assert_int_equal(sh_text_add(&text, &subtitle, said[i].start * 1000, said[i].end * 1000, NULL), 0);
    }
    sh_text_settle(&text, 8500 * 1000);
    assert_int_equal(text.count, 4);
    check_cue(&text, 0, 0, 300, "a");
    check_cue(&text, 1, 1000, 3000, "b");
    check_cue(&text, 2, 3000, 4000, "c");
    check_cue(&text, 3, 8000, 8500, "d");
    sh_text_free(&text);
}

/* ---- captions ---- */

static uint8_t odd(int value)
{
    return (uint8_t)(value | (__builtin_parity((unsigned)value) ? 0 : 0x80));
}

static void say(sh_captions *captions, int64_t *frame, int first, int second, int field)
{
    AVFrame *picture = av_frame_alloc();
    AVFrameSideData *data = av_frame_new_side_data(picture, AV_FRAME_DATA_A53_CC, 3);
    data->data[0] = (uint8_t)(0xfc | (field - 1));
    data->data[1] = odd(first);
    data->data[2] = odd(second);
    assert_int_equal(sh_captions_frame(captions, picture, *frame * 40000, NULL), 0);
    ++*frame;
    av_frame_free(&picture);
}

static void test_captions(void **state)
{
    sh_captions *captions = NULL;
    sh_text text = {0};
    sh_err err = {0};
    int64_t frame = 0;
    assert_int_equal(sh_captions_open(&captions, 1, &err), 0);
    AVFrame *plain = av_frame_alloc();
    assert_int_equal(sh_captions_frame(captions, plain, 0, &err), 0);
    av_frame_free(&plain);
    say(captions, &frame, 0x14, 0x20, 1); /* pop-on */
    say(captions, &frame, 0x14, 0x70, 1); /* row 15 */
    say(captions, &frame, 'H', 'i', 1);
    say(captions, &frame, 'X', 'X', 2); /* another field's */
    say(captions, &frame, '<', '&', 1);
    frame = 25;
    say(captions, &frame, 0x14, 0x2f, 1); /* shown at 1 s */
    frame = 50;
    say(captions, &frame, 0x14, 0x2c, 1); /* gone at 2 s */
    assert_int_equal(sh_captions_finish(captions, 3000000, &text, &err), 0);
    sh_captions_close(&captions);
    assert_int_equal(text.count, 1);
    check_cue(&text, 0, 1000, 2000, "Hi&lt;&amp;");
    sh_text_free(&text);
    assert_int_equal(sh_captions_open(&captions, 3, &err), SH_E_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ass), cmocka_unit_test(test_files),
                                       cmocka_unit_test(test_no_text), cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_captions)};
    sh_avlog_start(-1);
    return cmocka_run_group_tests(tests, ladderwork_start, ladderwork_stop);
}
