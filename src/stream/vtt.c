/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/vtt.h"

#include "stream/dash_xml.h"
#include "stream/manifest_inner.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HOURS_MAX 1000
#define REPLACEMENT "\xEF\xBF\xBD"

/* ---- cues ---- */

static bool has_break(const char *text)
{
    return text && (strpbrk(text, "\r\n") || strstr(text, "-->"));
}

static int check_cue(const sh_vtt_cue *cues, size_t n, sh_err *err)
{
    const sh_vtt_cue *cue = &cues[n];
    if (cue->start < 0 || cue->end <= cue->start || cue->end >= (int64_t)HOURS_MAX * 3600000 ||
        (n > 0 && cue->start < cues[n - 1].start))
        return sh_fail(err, SH_E_ARGUMENT,
                       "subtitle %zu lasts from %" PRId64 " to %" PRId64 " ms, and cues go by start", n + 1,
                       cue->start, cue->end);
    if (has_break(cue->id) || has_break(cue->settings))
        return sh_fail(err, SH_E_ARGUMENT, "subtitle %zu: id or settings have a line break or an arrow",
                       n + 1);
    const char *text = cue->text;
    if (!text || !*text || *text == '\n' || strstr(text, "\n\n") || strchr(text, '\r') ||
        strstr(text, "-->") || text[strlen(text) - 1] == '\n')
        return sh_fail(err, SH_E_ARGUMENT, "subtitle %zu: its text is empty or has an empty line or an arrow",
                       n + 1);
    return 0;
}

static int check_cues(const sh_vtt_cue *cues, size_t count, sh_err *err)
{
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++)
        status = check_cue(cues, i, err);
    return status;
}

static void put_time(sh_buf *out, int64_t ms)
{
    sh_buf_printf(out, "%02" PRId64 ":%02d:%02d.%03d", ms / 3600000, (int)(ms / 60000 % 60),
                  (int)(ms / 1000 % 60), (int)(ms % 1000));
}

static void put_times(sh_buf *out, int64_t start, int64_t end)
{
    put_time(out, start);
    sh_buf_puts(out, " --> ");
    put_time(out, end);
}

static void put_cue(sh_buf *out, const sh_vtt_cue *cue)
{
    sh_buf_putc(out, '\n');
    if (cue->id && *cue->id)
        sh_buf_printf(out, "%s\n", cue->id);
    put_times(out, cue->start, cue->end);
    if (cue->settings && *cue->settings)
        sh_buf_printf(out, " %s", cue->settings);
    sh_buf_printf(out, "\n%s\n", cue->text);
}

static int finish(const sh_buf *out, sh_err *err)
{
    return out->failed ? sh_fail(err, SH_E_LIMIT, "the subtitles have more than %zu bytes", out->maximum) : 0;
}

int sh_vtt_whole(sh_buf *out, const sh_vtt_cue *cues, size_t count, sh_err *err)
{
    int status = check_cues(cues, count, err);
    if (status < 0)
        return status;
    sh_buf_puts(out, "WEBVTT\n");
    for (size_t i = 0; i < count; i++)
        put_cue(out, &cues[i]);
    return finish(out, err);
}

int sh_vtt_segment(sh_buf *out, const sh_vtt_cue *cues, size_t count, int64_t from, int64_t to,
                   int64_t timescale, int64_t mpegts, sh_err *err)
{
    if (timescale <= 0 || from < 0 || to <= from || mpegts < 0)
        return sh_fail(err, SH_E_ARGUMENT,
                       "a segment of subtitles from tick %" PRId64 " to %" PRId64 " of %" PRId64 " a second",
                       from, to, timescale);
    int status = check_cues(cues, count, err);
    if (status < 0)
        return status;
    sh_buf_printf(out, "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:%" PRId64 "\n", mpegts);
    for (size_t i = 0; i < count; i++) {
        const sh_vtt_cue *cue = &cues[i];
        if ((__int128)cue->start * timescale < (__int128)to * 1000 &&
            (__int128)cue->end * timescale > (__int128)from * 1000)
            put_cue(out, cue);
    }
    return finish(out, err);
}

/* ---- text of other subtitle formats ---- */

enum { TAG_KINDS = 3 };
static const char tags[TAG_KINDS] = {'b', 'i', 'u'};

typedef struct markup {
    sh_buf *out;
    int stack[64]; /* kinds of the open tags */
    int depth;
    bool line; /* something stands in the current line */
    bool gap;  /* a line break is due before what comes next */
    bool any;  /* more than tags */
} markup;

/* Length of the tag at `text`, 0 where '<' is only a character. Kind: index into tags, -1: one that goes. */
static size_t read_tag(const char *text, int *kind, bool *closing)
{
    size_t i = 1;
    *closing = text[i] == '/';
    i += *closing;
    if (!isalpha((unsigned char)text[i]))
        return 0;
    const char first = (char)tolower((unsigned char)text[i]);
    size_t name = 0, end = strcspn(text + i, "<>\n\r");
    while (isalnum((unsigned char)text[i + name]))
        name++;
    if (text[i + end] != '>')
        return 0;
    *kind = -1;
    for (int k = 0; k < TAG_KINDS; k++)
        if (name == 1 && end == 1 && first == tags[k])
            *kind = k;
    return i + end + 1;
}

static void before_text(markup *m)
{
    if (m->gap)
        sh_buf_putc(m->out, '\n');
    m->gap = false;
    m->line = true;
}

/* An end closes what was opened after its beginning too; one without a beginning goes. */
static void put_tag(markup *m, int kind, bool closing)
{
    if (!closing) {
        if (m->depth == (int)(sizeof(m->stack) / sizeof(m->stack[0])))
            return;
        before_text(m);
        m->stack[m->depth++] = kind;
        sh_buf_printf(m->out, "<%c>", tags[kind]);
        return;
    }
    int at = m->depth - 1;
    while (at >= 0 && m->stack[at] != kind)
        at--;
    while (at >= 0 && m->depth > at)
        sh_buf_printf(m->out, "</%c>", tags[m->stack[--m->depth]]);
}

static size_t put_character(markup *m, const char *text)
{
    const unsigned char c = (unsigned char)*text;
    int length = sh_utf8_length(text);
    before_text(m);
    m->any |= !isspace(c);
    if (length == 0 || (c < 0x20 && c != '\t') || c == 0x7F)
        sh_buf_puts(m->out, REPLACEMENT);
    else if (c == '&')
        sh_buf_puts(m->out, "&amp;");
    else if (c == '<')
        sh_buf_puts(m->out, "&lt;");
    else if (c == '>')
        sh_buf_puts(m->out, "&gt;");
    else
        sh_buf_append(m->out, text, (size_t)length);
    return length > 0 ? (size_t)length : 1;
}

int sh_vtt_text(sh_buf *out, const char *text)
{
    markup m = {.out = out};
    const size_t before = out->length;
    while (*text) {
        int kind = -1;
        bool closing = false;
        size_t tag = *text == '<' ? read_tag(text, &kind, &closing) : 0;
        if (*text == '\r' || *text == '\n') {
            m.gap |= m.line;
            m.line = false;
            text++;
        } else if (tag > 0) {
            if (kind >= 0)
                put_tag(&m, kind, closing);
            text += tag;
        } else {
            text += put_character(&m, text);
        }
    }
    while (m.depth > 0)
        sh_buf_printf(out, "</%c>", tags[m.stack[--m.depth]]);
    if (!m.any && !out->failed && out->length > before) {
        out->length = before;
        out->data[before] = '\0';
    }
    return out->failed ? SH_E_MEMORY : 0;
}

/* ---- thumbnails ---- */

static int64_t to_ms(int64_t ticks, int64_t timescale)
{
    return (int64_t)(((__int128)ticks * 1000 + timescale / 2) / timescale);
}

int sh_vtt_sheets(sh_buf *out, const sh_stream_track *t, int64_t end, sh_err *err)
{
    int status = sh_manifest_check_track(t, err);
    if (status < 0)
        return status;
    const sh_stream_sheets *s = &t->sheets;
    if (t->kind != SH_STREAM_SHEETS || end <= s->interval * (s->count - 1))
        return sh_fail(err, SH_E_ARGUMENT, "track %s: no sheets of thumbnails, or the last begins at the end",
                       t->id);
    const int64_t tiles = (int64_t)s->columns * s->rows;
    sh_buf_puts(out, "WEBVTT\n");
    for (int64_t i = 0; i < s->count; i++) {
        int64_t start = to_ms(s->interval * i, t->timescale);
        int64_t until = to_ms(i + 1 < s->count ? s->interval * (i + 1) : end, t->timescale);
        int64_t tile = i % tiles;
        sh_buf_putc(out, '\n');
        put_times(out, start, until > start ? until : start + 1);
        sh_buf_putc(out, '\n');
        sh_manifest_uri(out, NULL, t->segments[i / tiles].name, false);
        sh_buf_printf(out, "#xywh=%" PRId64 ",%" PRId64 ",%d,%d\n", tile % s->columns * s->tile_width,
                      tile / s->columns * s->tile_height, s->tile_width, s->tile_height);
    }
    return finish(out, err);
}
