/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ASS to WebVTT. libavcodec gives a line as "order,layer,style,name,left,right,vertical,effect,text"; in the
 * text, {...} holds commands that begin with a backslash, \N and \n end lines, \h is a space that does not
 * break. */
#include "media/ladder_text_inner.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS 8 /* before the text */
#define CUE_BYTES (1 << 16)

typedef struct style {
    bool on[3];   /* b, i, u as they are to be */
    bool open[3]; /* as tags that are open */
    bool drawing; /* the text is no text */
} style;

static const char letters[] = "biu";

static void close_tags(style *s, sh_buf *out)
{
    for (int k = 2; k >= 0; k--)
        if (s->open[k]) {
            sh_buf_printf(out, "</%c>", letters[k]);
            s->open[k] = false;
        }
}

/* Tags are nested in one order, so a change closes all and opens those that are on. */
static void open_tags(style *s, sh_buf *out)
{
    if (memcmp(s->on, s->open, sizeof(s->on)) == 0)
        return;
    close_tags(s, out);
    for (int k = 0; k < 3; k++)
        if (s->on[k]) {
            sh_buf_printf(out, "<%c>", letters[k]);
            s->open[k] = true;
        }
}

/* One command: from behind its backslash to the next one or the brace. */
static void obey(style *s, const char *command, size_t size)
{
    const char *found = size > 0 ? strchr(letters, command[0]) : NULL;
    const bool number = size > 1 && command[1] >= '0' && command[1] <= '9';
    if (size > 1 && command[0] == 'p' && number)
        s->drawing = command[1] != '0';
    else if (found && *found && number)
        s->on[found - letters] = command[1] != '0';
    else if (size == 1 && command[0] == 'r')
        memset(s->on, 0, sizeof(s->on));
}

/* Reads {...}; returns what is behind it. */
static const char *read_commands(style *s, const char *at)
{
    const char *end = strchr(at, '}');
    if (!end)
        return at + strlen(at);
    while (at < end) {
        const char *begin = memchr(at, '\\', (size_t)(end - at));
        if (!begin)
            break;
        const char *next = memchr(begin + 1, '\\', (size_t)(end - begin - 1));
        next = next ? next : end;
        obey(s, begin + 1, (size_t)(next - begin - 1));
        at = next;
    }
    return end + 1;
}

static void put_char(style *s, char c, sh_buf *out)
{
    open_tags(s, out);
    if (c == '&')
        sh_buf_puts(out, "&amp;");
    else if (c == '<')
        sh_buf_puts(out, "&lt;");
    else if (c == '>')
        sh_buf_puts(out, "&gt;");
    else
        sh_buf_putc(out, c);
}

/* An empty line would end the cue. */
static void end_line(style *s, sh_buf *out)
{
    close_tags(s, out);
    if (out->length > 0 && out->data[out->length - 1] != '\n')
        sh_buf_putc(out, '\n');
}

static const char *text_of(const char *ass)
{
    const char *at = ass;
    for (int i = 0; i < FIELDS && at; i++) {
        at = strchr(at, ',');
        at = at ? at + 1 : NULL;
    }
    return at ? at : ass;
}

int sh_ass_to_vtt(const char *ass, sh_buf *out)
{
    style s = {0};
    for (const char *at = text_of(ass); *at;) {
        if (*at == '{') {
            at = read_commands(&s, at + 1);
        } else if (*at == '\\' && (at[1] == 'N' || at[1] == 'n' || at[1] == 'h')) {
            if (at[1] == 'h' && !s.drawing)
                sh_buf_puts(out, "&nbsp;");
            else if (!s.drawing)
                end_line(&s, out);
            at += 2;
        } else {
            if (*at == '\n')
                end_line(&s, out);
            else if (!s.drawing && *at != '\r')
                put_char(&s, *at, out);
            at++;
        }
    }
    close_tags(&s, out);
    return out->failed ? SH_E_MEMORY : 0;
}

/* ---- cues ---- */

static bool says_something(const char *text)
{
    bool tag = false;
    for (; *text; text++) {
        if (*text == '<')
            tag = true;
        else if (*text == '>')
            tag = false;
        else if (!tag && *text != ' ' && *text != '\n' && *text != '\t')
            return true;
    }
    return false;
}

static int collect(const AVSubtitle *subtitle, sh_buf *out)
{
    for (unsigned i = 0; i < subtitle->num_rects; i++) {
        const AVSubtitleRect *rect = subtitle->rects[i];
        if (out->length > 0 && out->data[out->length - 1] != '\n')
            sh_buf_putc(out, '\n');
        if (rect->ass)
            sh_ass_to_vtt(rect->ass, out);
    }
    while (out->length > 0 && strchr(" \n\t", out->data[out->length - 1]))
        out->data[--out->length] = '\0';
    return out->failed ? -1 : 0;
}

static int append(sh_text *text, sh_text_cue *cue, sh_err *err)
{
    if (text->count >= SH_TEXT_CUES_MAX)
        return sh_fail(err, SH_E_LIMIT, "track %d has more than %d texts", text->track, SH_TEXT_CUES_MAX);
    if (text->count % 256 == 0) {
        sh_text_cue *cues = realloc(text->cues, (text->count + 256) * sizeof(*cues));
        if (!cues)
            return sh_fail(err, SH_E_MEMORY, "memory is short");
        text->cues = cues;
    }
    text->cues[text->count++] = *cue;
    return 0;
}

int sh_text_add(sh_text *text, const AVSubtitle *subtitle, int64_t start_us, int64_t end_us, sh_err *err)
{
    sh_buf words;
    int status = 0;
    sh_buf_init(&words, CUE_BYTES);
    if (collect(subtitle, &words) < 0) {
        sh_buf_free(&words);
        text->dropped++;
        return 0;
    }
    if (words.length > 0 && says_something(words.data)) {
        sh_text_cue cue = {.start_us = start_us, .end_us = end_us, .text = sh_buf_take(&words, NULL)};
        if (cue.text)
            sh_text_mend(cue.text);
        status = cue.text ? append(text, &cue, err) : sh_fail(err, SH_E_MEMORY, "memory is short");
        if (status < 0)
            free(cue.text);
    }
    sh_buf_free(&words);
    return status;
}

static int by_start(const void *a, const void *b)
{
    const sh_text_cue *x = a, *y = b;
    if (x->start_us != y->start_us)
        return x->start_us < y->start_us ? -1 : 1;
    return (x->end_us > y->end_us) - (x->end_us < y->end_us);
}

void sh_text_settle(sh_text *text, int64_t end_us)
{
    size_t kept = 0;
    if (text->count > 0)
        qsort(text->cues, text->count, sizeof(*text->cues), by_start);
    for (size_t i = 0; i < text->count; i++) {
        sh_text_cue cue = text->cues[i];
        if (cue.end_us <= cue.start_us) {
            size_t next = i + 1;
            while (next < text->count && text->cues[next].start_us <= cue.start_us)
                next++;
            cue.end_us = next < text->count ? text->cues[next].start_us : cue.start_us + SH_TEXT_LAST_US;
        }
        cue.start_us = cue.start_us < 0 ? 0 : cue.start_us;
        cue.end_us = cue.end_us > end_us ? end_us : cue.end_us;
        if (cue.end_us > cue.start_us)
            text->cues[kept++] = cue;
        else
            free(cue.text);
    }
    text->count = kept;
}

void sh_text_free(sh_text *text)
{
    for (size_t i = 0; i < text->count; i++)
        free(text->cues[i].text);
    free(text->cues);
    *text = (sh_text){0};
}
