/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* WebVTT: segments of subtitles, and the list of thumbnails. */
#include "base/size.h"
#include "stream/check_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUES_MOST 100000

typedef struct lines {
    const char *at, *end;
    const char *text;
    size_t length;
    int64_t number;
} lines;

static bool next(lines *l)
{
    if (l->at >= l->end)
        return false;
    const char *stop = memchr(l->at, '\n', (size_t)(l->end - l->at));
    l->text = l->at;
    l->length = (size_t)((stop ? stop : l->end) - l->at);
    l->at = stop ? stop + 1 : l->end;
    if (l->length && l->text[l->length - 1] == '\r')
        l->length--;
    l->number++;
    return true;
}

/* [HH:]MM:SS.mmm, as milliseconds; *used are the bytes it has. */
static bool take_time(const char *text, size_t length, int64_t *ms, size_t *used)
{
    int64_t part[4] = {0};
    size_t at = 0, count = 0;
    char ends[4] = {0};
    while (count < 4) {
        const size_t from = at;
        while (at < length && text[at] >= '0' && text[at] <= '9' && at - from < 9)
            part[count] = part[count] * 10 + (text[at++] - '0');
        if (at == from || (count > 0 && count < 3 && at - from != 2 && at - from != 3))
            return false;
        ends[count] = at < length ? text[at] : '\0';
        count++;
        if (ends[count - 1] != ':' && ends[count - 1] != '.')
            break;
        at++;
    }
    const bool hours = count == 4 && ends[0] == ':' && ends[1] == ':' && ends[2] == '.';
    const bool minutes = count == 3 && ends[0] == ':' && ends[1] == '.';
    if (!hours && !minutes)
        return false;
    const int64_t *p = part + (hours ? 1 : 0);
    if (p[0] > 59 || p[1] > 59 || p[2] > 999)
        return false;
    *ms = ((hours ? part[0] * 60 : 0) + p[0]) * 60000 + p[1] * 1000 + p[2];
    *used = at;
    return true;
}

/* "FROM --> TO [settings]" */
static bool take_cue(const lines *l, sh_check_cue *cue)
{
    size_t used, more;
    if (!take_time(l->text, l->length, &cue->from, &used))
        return false;
    if (used + 5 > l->length || memcmp(l->text + used, " --> ", 5) != 0)
        return false;
    used += 5;
    if (!take_time(l->text + used, l->length - used, &cue->to, &more))
        return false;
    used += more;
    return used == l->length || l->text[used] == ' ' || l->text[used] == '\t';
}

static bool has_arrow(const lines *l)
{
    return l->length >= 3 && memmem(l->text, l->length, "-->", 3) != NULL;
}

/* "X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000", in either order. */
static bool take_map(const lines *l, sh_check_file *file)
{
    const char *at = l->text + 16, *end = l->text + l->length;
    bool ts = false, local = false;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma ? comma : end;
        size_t used;
        if (stop - at > 7 && memcmp(at, "MPEGTS:", 7) == 0)
            ts = sh_parse_i64(at + 7, (size_t)(stop - at) - 7, 0, INT64_C(1) << 33, &file->map_mpegts);
        else if (stop - at > 6 && memcmp(at, "LOCAL:", 6) == 0)
            local = take_time(at + 6, (size_t)(stop - at) - 6, &file->map_local, &used) &&
                    used == (size_t)(stop - at) - 6;
        else
            return false;
        at = comma ? comma + 1 : end;
    }
    return ts && local;
}

static bool add_cue(sh_checker *c, sh_check_file *file, const sh_check_cue *cue)
{
    const size_t n = file->cue_count;
    if (n >= CUES_MOST)
        return false;
    if ((n & (n - 1)) == 0) {
        sh_check_cue *grown = reallocarray(file->cues, n ? n * 2 : 1, sizeof(*grown));
        if (!grown) {
            sh_check_memory(c);
            return false;
        }
        file->cues = grown;
    }
    file->cues[file->cue_count++] = *cue;
    return true;
}

static bool head_is_right(sh_checker *c, sh_check_file *file, lines *l)
{
    if (!next(l) || l->length < 6 || memcmp(l->text, "WEBVTT", 6) != 0 ||
        (l->length > 6 && l->text[6] != ' ' && l->text[6] != '\t')) {
        sh_check_find(c, SH_RULE_VTT, file->name, 1, -1, "the first line is not WEBVTT");
        return false;
    }
    while (next(l) && l->length > 0) {
        if (l->length < 16 || memcmp(l->text, "X-TIMESTAMP-MAP=", 16) != 0)
            continue;
        file->has_map = take_map(l, file);
        if (!file->has_map)
            sh_check_find(c, SH_RULE_VTT_MAP, file->name, l->number, -1, "X-TIMESTAMP-MAP cannot be read");
    }
    return true;
}

/* One block: a cue, or a comment, style or region. */
static bool block_is_right(sh_checker *c, sh_check_file *file, lines *l)
{
    sh_check_cue cue;
    if (l->length >= 4 && memcmp(l->text, "NOTE", 4) == 0) {
        while (next(l) && l->length > 0)
            ;
        return true;
    }
    if ((l->length == 5 && memcmp(l->text, "STYLE", 5) == 0) ||
        (l->length == 6 && memcmp(l->text, "REGION", 6) == 0)) {
        while (next(l) && l->length > 0)
            ;
        return true;
    }
    if (!has_arrow(l) && !next(l))
        return true;
    if (!take_cue(l, &cue)) {
        sh_check_find(c, SH_RULE_VTT, file->name, l->number, -1, "this is no cue's time line");
        return false;
    }
    if (cue.to <= cue.from)
        sh_check_find(c, SH_RULE_VTT_TIME, file->name, l->number, -1,
                      "the cue ends when or before it begins");
    else if (file->cue_count > 0 && cue.from < file->cues[file->cue_count - 1].from)
        sh_check_find(c, SH_RULE_VTT_TIME, file->name, l->number, -1,
                      "the cue begins before the one above it");
    if (!add_cue(c, file, &cue))
        return false;
    while (next(l) && l->length > 0)
        if (has_arrow(l)) {
            sh_check_find(c, SH_RULE_VTT, file->name, l->number, -1,
                          "a cue's text holds \"-->\": an empty line is missing before it");
            return false;
        }
    return true;
}

bool sh_check_measure_vtt(sh_checker *c, sh_check_file *file, const char *text, size_t size)
{
    lines l = {.at = text, .end = text + size};
    if (size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        l.at += 3;
    if (memchr(text, '\0', size)) {
        sh_check_find(c, SH_RULE_VTT, file->name, 0, -1, "there is a zero byte");
        return false;
    }
    if (!head_is_right(c, file, &l))
        return false;
    while (next(&l))
        if (l.length > 0 && !block_is_right(c, file, &l))
            return false;
    return true;
}

/* ---- thumbnails ---- */

/* Width and height of a baseline or progressive JPEG. */
static bool jpeg_size(const uint8_t *p, size_t size, int *width, int *height)
{
    size_t at = 2;
    if (size < 4 || p[0] != 0xFF || p[1] != 0xD8)
        return false;
    while (at + 9 < size && p[at] == 0xFF) {
        const int marker = p[at + 1];
        if (marker >= 0xC0 && marker <= 0xC2) {
            *height = p[at + 5] << 8 | p[at + 6];
            *width = p[at + 7] << 8 | p[at + 8];
            return *width > 0 && *height > 0;
        }
        at += 2 + (size_t)(p[at + 2] << 8 | p[at + 3]);
    }
    return false;
}

static bool take_four(const char *text, size_t length, int64_t *four)
{
    for (int i = 0; i < 4; i++) {
        const char *comma = i < 3 ? memchr(text, ',', length) : text + length;
        if (!comma || !sh_parse_i64(text, (size_t)(comma - text), i < 2 ? 0 : 1, 1 << 20, &four[i]))
            return false;
        length -= i < 3 ? (size_t)(comma - text) + 1 : 0;
        text = comma + 1;
    }
    return true;
}

/* "sprite_001.jpg#xywh=0,0,160,90" */
static bool thumbnail_is_right(sh_checker *c, const char *list, const lines *l)
{
    char name[SH_FETCH_NAME];
    int64_t part[4] = {0};
    int width, height;
    const char *hash = memchr(l->text, '#', l->length);
    const size_t length = hash ? (size_t)(hash - l->text) : l->length;
    sh_err why = {0};
    if (sh_fetch_resolve(c->fetch, name, list, l->text, length, &why) < 0 ||
        (hash && (l->length - length < 6 || memcmp(hash, "#xywh=", 6) != 0 ||
                  !take_four(hash + 6, l->length - length - 6, part)))) {
        sh_check_find(c, SH_RULE_THUMBS, list, l->number, -1, "\"%.*s\" names no part of a picture",
                      (int)(l->length < 200 ? l->length : 200), l->text);
        return false;
    }
    const sh_buf *bytes = sh_check_bytes(c, list, l->number, name, true);
    if (!bytes || !jpeg_size((const uint8_t *)sh_buf_cstr(bytes), bytes->length, &width, &height)) {
        sh_check_find(c, SH_RULE_THUMBS, list, l->number, -1, bytes ? "%s is no JPEG" : "%s is not there",
                      name);
        return false;
    }
    if (hash && (part[0] + part[2] > width || part[1] + part[3] > height)) {
        sh_check_find(c, SH_RULE_THUMBS, list, l->number, -1, "the part reaches outside %s of %dx%d", name,
                      width, height);
        return false;
    }
    return true;
}

static void thumbnails_of(sh_checker *c, const char *list)
{
    sh_check_file file = {.name = (char *)list};
    const sh_buf *bytes = sh_check_bytes(c, NULL, 0, list, true);
    char *text = bytes ? strdup(sh_buf_cstr(bytes)) : NULL;
    const size_t size = bytes ? bytes->length : 0;
    if (!text)
        return;
    bool good = sh_check_measure_vtt(c, &file, text, strlen(text) == size ? size : strlen(text));
    lines l = {.at = text, .end = text + strlen(text)};
    while (good && next(&l))
        if (has_arrow(&l) && next(&l))
            good = thumbnail_is_right(c, list, &l);
    free(file.cues);
    free(text);
}

/* No manifest names the list of thumbnails: it is looked for beside the folders of the tracks. */
void sh_check_thumbnails(sh_checker *c)
{
    char done[4][SH_FETCH_NAME];
    size_t count = 0;
    for (size_t i = 0; i < c->track_count && !sh_fetch_remote(c->fetch); i++) {
        char list[SH_FETCH_NAME];
        sh_err why;
        bool known = false;
        const char reference[] = "../thumbs/thumbs.vtt";
        const sh_check_track *t = c->tracks[i];
        if (t->dash || sh_fetch_resolve(c->fetch, list, t->manifest, reference, strlen(reference), &why) < 0)
            continue;
        for (size_t k = 0; k < count; k++)
            known |= strcmp(done[k], list) == 0;
        if (known || count == 4)
            continue;
        snprintf(done[count++], SH_FETCH_NAME, "%s", list);
        thumbnails_of(c, list);
    }
}
