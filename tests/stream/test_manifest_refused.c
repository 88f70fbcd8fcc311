/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What no manifest is written of, and what is said then. */
#include "streams.h"

#include "base/buf.h"
#include "base/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- what is refused ---- */

typedef void spoil(test_stream *t);

static void no_tracks(test_stream *t)
{
    t->stream.track_count = 0;
}

static void no_media(test_stream *t)
{
    t->stream.tracks = &t->tracks[4];
    t->stream.track_count = 1;
}

static void no_id(test_stream *t)
{
    t->tracks[0].id = "a b";
}

static void same_id(test_stream *t)
{
    t->tracks[1].id = "v0";
}

static void same_playlist(test_stream *t)
{
    t->tracks[1].folder = t->tracks[0].folder;
}

static void no_clock(test_stream *t)
{
    t->tracks[0].timescale = 0;
}

static void no_segments(test_stream *t)
{
    t->tracks[0].segment_count = 0;
}

static void empty_segment(test_stream *t)
{
    t->segments[0][1].bytes = 0;
}

static void no_duration(test_stream *t)
{
    t->segments[0][1].duration = 0;
}

static void gap(test_stream *t)
{
    t->segments[0][1].start++;
}

static void climbing(test_stream *t)
{
    t->tracks[0].folder = "a/../b";
}

static void absolute(test_stream *t)
{
    t->tracks[0].folder = "/a";
}

static void slash(test_stream *t)
{
    t->segments[0][0].name = "a/b.m4s";
}

static void quote(test_stream *t)
{
    t->tracks[0].codecs = "avc1\",X=\"";
}

static void no_codecs(test_stream *t)
{
    t->tracks[2].codecs = NULL;
}

static void no_size(test_stream *t)
{
    t->tracks[0].width = 0;
}

static void no_channels(test_stream *t)
{
    t->tracks[2].channels = 0;
}

static void key_outside(test_stream *t)
{
    t->keys[0][0][1].size = 10000000;
}

static void key_late(test_stream *t)
{
    t->keys[0][1][0].time++;
}

static void keys_missing(test_stream *t)
{
    t->segments[0][1].keys = NULL;
}

static void keys_crossing(test_stream *t)
{
    t->keys[0][0][1].offset = 100;
}

static void sheets_missing(test_stream *t)
{
    t->tracks[5].sheets.count = 9;
}

static void no_grid(test_stream *t)
{
    t->tracks[5].sheets.columns = 0;
}

static void group_missing(test_stream *t)
{
    t->tracks[0].audio_group = "nobody";
}

static void huge(test_stream *t)
{
    t->segments[0][1].duration = INT64_MAX - 5;
}

static void test_refused(void **state)
{
    static const struct {
        spoil *spoil;
        const char *words;
    } rows[] = {
        {no_tracks, "0 tracks"},
        {no_media, "video or an audio"},
        {no_id, "\"a b\""},
        {same_id, "v0 and v0"},
        {same_playlist, "v0 and v1"},
        {no_clock, "v0: a clock of 0"},
        {no_segments, "no segments"},
        {empty_segment, "segment 2"},
        {no_duration, "lasts 0 ticks"},
        {gap, "begins at tick 180181"},
        {climbing, "folder"},
        {absolute, "folder"},
        {slash, "no file name"},
        {quote, "codecs"},
        {no_codecs, "a0: no codecs"},
        {no_size, "picture"},
        {no_channels, "channels"},
        {key_outside, "key picture 2"},
        {key_late, "key picture 1"},
        {keys_missing, "key pictures"},
        {keys_crossing, "key picture 2"},
        {sheets_missing, "sheets"},
        {no_grid, "grid"},
        {group_missing, "nobody"},
        {huge, "segment 2"},
    };
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        test_stream t;
        sh_buf b;
        sh_err err = {0};
        test_stream_make(&t);
        rows[i].spoil(&t);
        sh_buf_init(&b, 1 << 20);
        assert_int_equal(sh_hls_master(&b, &t.stream, &err), SH_E_ARGUMENT);
        if (!strstr(err.message, rows[i].words))
            fail_msg("\"%s\" is not in \"%s\"", rows[i].words, err.message);
        if (rows[i].spoil != group_missing)
            assert_int_equal(sh_dash_mpd(&b, &t.stream, &err), SH_E_ARGUMENT);
        if (rows[i].spoil != group_missing && rows[i].spoil != no_media)
            assert_int_equal(sh_hls_media(&b, &t.stream, &t.tracks[0], &err), SH_E_ARGUMENT);
        sh_buf_free(&b);
    }
}

/* Whatever the room, an error is told, and never less than the whole is taken for it. */
static void test_full_buffer(void **state)
{
    test_stream t;
    sh_buf whole, b;
    test_stream_make(&t);
    for (int what = MASTER; what <= MPD; what++) {
        sh_buf_init(&whole, 1 << 20);
        assert_int_equal(test_stream_write(&whole, &t, what, 0, NULL), 0);
        for (size_t room = 0; room < whole.length; room += 7) {
            sh_err err = {0};
            sh_buf_init(&b, room);
            assert_int_equal(test_stream_write(&b, &t, what, 0, &err), SH_E_LIMIT);
            sh_buf_free(&b);
        }
        sh_buf_free(&whole);
    }
}

/* ---- languages ---- */

static void test_languages(void **state)
{
    static const char *const rows[][2] = {
        {"eng", "en"},
        {"ger", "de"},
        {"deu", "de"},
        {"fre", "fr"},
        {"EN", "en"},
        {"und", ""},
        {NULL, ""},
        {"", ""},
        {"pt-br", "pt-BR"},
        {"por_BR", "pt-BR"},
        {"zho-hant", "zh-Hant"},
        {"gsw", "gsw"},
        {"x\ny", ""},
        {"es-419", "es-419"},
        {"e", ""},
        {"123", ""},
        {"en--us", ""},
        {"abcdefghi", ""},
        {"zh-HANS-cn", "zh-Hans-CN"},
    };
    for (size_t i = 0; i < SH_COUNT(rows); i++) {
        char text[36];
        sh_language_tag(text, sizeof(text), rows[i][0]);
        assert_string_equal(text, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_full_buffer),
        cmocka_unit_test(test_languages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
