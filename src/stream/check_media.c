/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Media playlists (RFC 8216, 4.3.2 and 4.3.3) read into tracks, with the rules of the playlist by itself. */
#include "base/size.h"
#include "stream/check_inner.h"
#include "stream/m3u.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ONCE_VERSION = 1,
    ONCE_TARGET = 2,
    ONCE_SEQUENCE = 4,
    ONCE_TYPE = 8,
    ONCE_INDEPENDENT = 16,
    ONCE_END = 32,
    ONCE_IFRAMES = 64,
};

typedef struct reading {
    sh_checker *c;
    sh_check_track *track;
    const char *name;
    sh_m3u_line line;
    unsigned seen;
    int64_t version, version_needed;
    const char *version_why;
    int64_t version_line;
    /* what stands before the next URI */
    int64_t nano;
    bool extinf, integer, broken, ranged;
    int64_t from, length, next_from; /* EXT-X-BYTERANGE */
    char *last_uri;
    bool map_seen, encrypted, discontinuity;
    sh_check_file *init;
} reading;

static bool fault(reading *r, sh_rule rule, const char *words)
{
    sh_check_find(r->c, rule, r->name, r->line.number, -1, "%s", words);
    return false;
}

static bool once(reading *r, unsigned bit, const char *words)
{
    if (r->seen & bit)
        return fault(r, SH_RULE_TAG, words);
    r->seen |= bit;
    return true;
}

static void need(reading *r, int64_t version, const char *why)
{
    if (version > r->version_needed) {
        r->version_needed = version;
        r->version_why = why;
    }
}

/* ---- tags of the whole playlist ---- */

static void take_target(reading *r, const char *value, size_t length)
{
    if (!once(r, ONCE_TARGET, "EXT-X-TARGETDURATION stands twice"))
        return;
    r->track->line = r->line.number;
    if (!sh_parse_i64(value, length, 1, 1000000, &r->track->target))
        fault(r, SH_RULE_TARGET, "EXT-X-TARGETDURATION is no whole number above 0");
}

static void take_type(reading *r, const char *value, size_t length)
{
    if (!once(r, ONCE_TYPE, "EXT-X-PLAYLIST-TYPE stands twice"))
        return;
    r->track->vod = length == 3 && memcmp(value, "VOD", 3) == 0;
    r->track->event = length == 5 && memcmp(value, "EVENT", 5) == 0;
    if (!r->track->vod && !r->track->event)
        fault(r, SH_RULE_TAG, "EXT-X-PLAYLIST-TYPE is neither VOD nor EVENT");
    else if (r->track->event && !r->c->options->growing)
        fault(r, SH_RULE_VOD, "EXT-X-PLAYLIST-TYPE is EVENT");
}

static void take_version(reading *r, const char *value, size_t length)
{
    r->version_line = r->line.number;
    if (once(r, ONCE_VERSION, "EXT-X-VERSION stands twice") &&
        !sh_parse_i64(value, length, 1, 99, &r->version))
        fault(r, SH_RULE_VERSION, "EXT-X-VERSION is no whole number");
}

static void take_sequence(reading *r, const char *value, size_t length)
{
    int64_t number;
    if (!once(r, ONCE_SEQUENCE, "EXT-X-MEDIA-SEQUENCE stands twice"))
        return;
    if (!sh_parse_i64(value, length, 0, INT64_MAX, &number))
        fault(r, SH_RULE_TAG, "EXT-X-MEDIA-SEQUENCE is no whole number");
    else if (r->track->count > 0)
        fault(r, SH_RULE_TAG, "EXT-X-MEDIA-SEQUENCE comes after a segment");
}

static bool flag(reading *r, unsigned bit, const char *words, size_t length, bool *out)
{
    if (length > 0)
        return fault(r, SH_RULE_TAG, "this tag takes no value");
    if (once(r, bit, words))
        *out = true;
    return true;
}

/* ---- tags of segments ---- */

static void take_extinf(reading *r, const char *value, size_t length)
{
    const char *comma = memchr(value, ',', length);
    if (r->extinf)
        fault(r, SH_RULE_EXTINF, "an EXTINF is not followed by its segment");
    r->extinf = true;
    r->broken = !comma || !sh_m3u_nano(value, (size_t)(comma - value), &r->nano, &r->integer);
    if (r->broken) {
        r->nano = 0;
        fault(r, SH_RULE_EXTINF,
              comma ? "EXTINF is no decimal number" : "EXTINF has no comma after its duration");
        return;
    }
    if (!r->integer)
        need(r, 3, "EXTINF has a fraction");
    if (r->nano == 0)
        fault(r, SH_RULE_EXTINF, "EXTINF is 0");
    else if (r->track->target > 0 && (r->nano + 500000000) / 1000000000 > r->track->target)
        sh_check_find(r->c, SH_RULE_TARGET, r->name, r->line.number, -1,
                      "EXTINF of %.6f s rounds to more than the target duration of %" PRId64 " s",
                      (double)r->nano / 1e9, r->track->target);
}

static void take_range(reading *r, const char *value, size_t length)
{
    bool has_from = false;
    need(r, 4, "EXT-X-BYTERANGE");
    r->ranged = sh_m3u_range(value, length, &r->length, &r->from, &has_from);
    if (!r->ranged) {
        fault(r, SH_RULE_BYTERANGE, "EXT-X-BYTERANGE cannot be read");
        return;
    }
    if (!has_from)
        r->from = -1;
}

static void take_map(reading *r, const char *value, size_t length)
{
    sh_m3u_attributes list;
    int64_t from = 0, size = -1;
    bool has_from = true;
    const char *problem = sh_m3u_attributes_read(&list, value, length);
    r->map_seen = true;
    r->init = NULL;
    need(r, r->track->iframes ? 5 : 6, "EXT-X-MAP");
    if (problem) {
        fault(r, SH_RULE_ATTRIBUTES, problem);
        return;
    }
    const sh_m3u_attribute *uri = sh_m3u_find(&list, "URI"), *range = sh_m3u_find(&list, "BYTERANGE");
    if (!uri || !uri->quoted) {
        fault(r, SH_RULE_ATTRIBUTES, "EXT-X-MAP has no quoted URI");
        return;
    }
    if (range && (!sh_m3u_range(range->value, range->value_length, &size, &from, &has_from) || !has_from)) {
        fault(r, SH_RULE_BYTERANGE, "BYTERANGE of EXT-X-MAP cannot be read");
        return;
    }
    r->init = sh_check_init(r->c, r->name, r->line.number, uri->value, uri->value_length, from, size);
    if (!r->track->init)
        r->track->init = r->init;
}

static void take_key(reading *r, const char *value, size_t length)
{
    sh_m3u_attributes list;
    const char *problem = sh_m3u_attributes_read(&list, value, length);
    if (problem)
        fault(r, SH_RULE_ATTRIBUTES, problem);
    else if (!sh_m3u_equals(sh_m3u_find(&list, "METHOD"), "NONE") && !r->encrypted) {
        r->encrypted = true;
        fault(r, SH_RULE_ENCRYPTED, "segments are encrypted");
    }
}

/* ---- segments ---- */

static bool ends_in(const char *text, size_t length, const char *suffix)
{
    const size_t n = strlen(suffix);
    return length > n && memcmp(text + length - n, suffix, n) == 0;
}

static sh_check_file *segment_file(reading *r, const char *uri, size_t length, int64_t from, int64_t size)
{
    sh_checker *c = r->c;
    const int64_t line = r->line.number;
    if (r->encrypted)
        return NULL;
    if (r->track->iframes)
        return sh_check_known(c, r->name, line, uri, length);
    if (r->track->declared == '?' && (ends_in(uri, length, ".vtt") || ends_in(uri, length, ".webvtt")))
        r->track->declared = 't';
    if (r->track->declared == 't')
        return sh_check_text(c, r->name, line, uri, length);
    if (r->map_seen && !r->init)
        return NULL; /* said already */
    return sh_check_media(c, r->name, line, uri, length, from, size, r->init);
}

static void take_uri(reading *r)
{
    const char *uri = r->line.text;
    const size_t length = r->line.length;
    int64_t from = 0, size = -1;
    sh_check_segment *s = sh_check_segment_new(r->c, r->track);
    if (!s)
        return;
    if (r->ranged) {
        const bool same = r->last_uri && strlen(r->last_uri) == length && !memcmp(r->last_uri, uri, length);
        size = r->length;
        from = r->from >= 0 ? r->from : r->next_from;
        if (r->from < 0 && !same) {
            fault(r, SH_RULE_BYTERANGE,
                  "a byte range has no start, and the segment before is of another file");
            from = 0;
        }
        r->next_from = from + size;
    }
    free(r->last_uri);
    r->last_uri = strndup(uri, length);
    if (!r->extinf)
        fault(r, SH_RULE_EXTINF, "a segment has no EXTINF");
    s->line = r->line.number;
    s->nano = r->nano;
    s->integer = r->integer;
    s->from = from;
    s->length = size;
    s->discontinuity = r->discontinuity;
    r->discontinuity = false;
    const size_t index = r->track->count - 1;
    sh_check_file *file = segment_file(r, uri, length, from, size);
    r->track->segments[index].file = file;
    r->extinf = r->ranged = false;
    r->nano = 0;
}

/* ---- lines ---- */

static bool is_any(const sh_m3u_line *line, const char *const *names, size_t count)
{
    const char *value;
    size_t length;
    for (size_t i = 0; i < count; i++)
        if (sh_m3u_tag(line, names[i], &value, &length))
            return true;
    return false;
}

static void take_segment_tag(reading *r)
{
    static const char *const masters[] = {"#EXT-X-STREAM-INF",  "#EXT-X-I-FRAME-STREAM-INF",
                                          "#EXT-X-MEDIA",       "#EXT-X-SESSION-DATA",
                                          "#EXT-X-SESSION-KEY", "#EXT-X-CONTENT-STEERING"};
    const char *value;
    size_t length;
    if (sh_m3u_tag(&r->line, "#EXTINF", &value, &length))
        take_extinf(r, value, length);
    else if (sh_m3u_tag(&r->line, "#EXT-X-BYTERANGE", &value, &length))
        take_range(r, value, length);
    else if (sh_m3u_tag(&r->line, "#EXT-X-MAP", &value, &length))
        take_map(r, value, length);
    else if (sh_m3u_tag(&r->line, "#EXT-X-KEY", &value, &length))
        take_key(r, value, length);
    else if (sh_m3u_tag(&r->line, "#EXT-X-DISCONTINUITY", &value, &length)) {
        sh_ts_reader_break(r->c->ts);
        r->discontinuity = true;
    } else if (is_any(&r->line, masters, SH_COUNT(masters)))
        fault(r, SH_RULE_TAG, "a tag of multivariant playlists stands in a media playlist");
}

static void take_line(reading *r)
{
    const char *value;
    size_t length;
    bool yes;
    sh_check_track *t = r->track;
    if (t->endlist) {
        if (!sh_m3u_is_tag(&r->line))
            fault(r, SH_RULE_ENDLIST, "a segment follows EXT-X-ENDLIST");
        return;
    }
    if (!sh_m3u_is_tag(&r->line))
        take_uri(r);
    else if (sh_m3u_tag(&r->line, "#EXT-X-VERSION", &value, &length))
        take_version(r, value, length);
    else if (sh_m3u_tag(&r->line, "#EXT-X-TARGETDURATION", &value, &length))
        take_target(r, value, length);
    else if (sh_m3u_tag(&r->line, "#EXT-X-MEDIA-SEQUENCE", &value, &length))
        take_sequence(r, value, length);
    else if (sh_m3u_tag(&r->line, "#EXT-X-PLAYLIST-TYPE", &value, &length))
        take_type(r, value, length);
    else if (sh_m3u_tag(&r->line, "#EXT-X-INDEPENDENT-SEGMENTS", &value, &length))
        flag(r, ONCE_INDEPENDENT, "EXT-X-INDEPENDENT-SEGMENTS stands twice", length, &t->independent);
    else if (sh_m3u_tag(&r->line, "#EXT-X-ENDLIST", &value, &length))
        flag(r, ONCE_END, "EXT-X-ENDLIST stands twice", length, &t->endlist);
    else if (sh_m3u_tag(&r->line, "#EXT-X-I-FRAMES-ONLY", &value, &length)) {
        need(r, 4, "EXT-X-I-FRAMES-ONLY");
        flag(r, ONCE_IFRAMES, "EXT-X-I-FRAMES-ONLY stands twice", length, &yes);
    } else
        take_segment_tag(r);
}

static void playlist_rules(reading *r)
{
    const sh_check_track *t = r->track;
    sh_checker *c = r->c;
    if (r->extinf)
        sh_check_find(c, SH_RULE_EXTINF, r->name, r->line.number, -1, "the last EXTINF has no segment");
    if (t->count == 0)
        sh_check_find(c, SH_RULE_EMPTY, r->name, 0, -1, "there is no segment");
    if (!(r->seen & ONCE_TARGET))
        sh_check_find(c, SH_RULE_TARGET, r->name, 0, -1, "there is no EXT-X-TARGETDURATION");
    if (r->version < r->version_needed)
        sh_check_find(c, SH_RULE_VERSION, r->name, r->version_line, -1,
                      "version %" PRId64 " has no %s: %" PRId64 " is needed", r->version, r->version_why,
                      r->version_needed);
    if (!t->endlist && !c->options->growing)
        sh_check_find(c, SH_RULE_ENDLIST, r->name, r->line.number, -1, "there is no EXT-X-ENDLIST");
    if (!(r->seen & ONCE_TYPE) && !c->options->growing)
        sh_check_find(c, SH_RULE_VOD, r->name, 0, -1, "there is no EXT-X-PLAYLIST-TYPE");
    if (t->iframes && !(r->seen & ONCE_IFRAMES))
        sh_check_find(c, SH_RULE_IFRAME_ONLY, r->name, 0, -1, "there is no EXT-X-I-FRAMES-ONLY");
}

/* ---- text of any playlist ---- */

static int sequence_length(const unsigned char *p, size_t left)
{
    const int n = p[0] < 0x80                   ? 1
                  : p[0] >= 0xC2 && p[0] < 0xE0 ? 2
                  : p[0] >= 0xE0 && p[0] < 0xF0 ? 3
                  : p[0] >= 0xF0 && p[0] < 0xF5 ? 4
                                                : 0;
    if (n == 0 || (size_t)n > left)
        return 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return n;
}

bool sh_check_text_is_sound(sh_checker *c, const char *name, const char *text, size_t length)
{
    const unsigned char *p = (const unsigned char *)text;
    int64_t line = 1;
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        sh_check_find(c, SH_RULE_UTF8, name, 1, 0, "it begins with a byte order mark");
        return false;
    }
    for (size_t i = 0; i < length;) {
        const int n = sequence_length(p + i, length - i);
        if (n == 0 || (p[i] < 0x20 && p[i] != '\n' && p[i] != '\r' && p[i] != '\t') || p[i] == 0x7F) {
            sh_check_find(c, SH_RULE_UTF8, name, line, (int64_t)i,
                          n ? "there is a control character" : "there are bytes that are no UTF-8");
            return false;
        }
        line += p[i] == '\n';
        i += (size_t)n;
    }
    if (length < 7 || memcmp(text, "#EXTM3U", 7) != 0 || (length > 7 && text[7] != '\n' && text[7] != '\r')) {
        sh_check_find(c, SH_RULE_EXTM3U, name, 1, -1, "the first line is not #EXTM3U");
        return false;
    }
    return true;
}

/* ---- tracks ---- */

sh_check_track *sh_check_track_new(sh_checker *c, const char *manifest, const char *name)
{
    sh_check_track *t = c->track_count < SH_CHECK_TRACKS ? calloc(1, sizeof(*t)) : NULL;
    if (!t || !(t->manifest = strdup(manifest)) || !(t->name = strdup(name)) || !(t->folder = strdup(name))) {
        if (c->track_count == SH_CHECK_TRACKS && c->status == 0)
            c->status = sh_fail(c->err, SH_E_LIMIT, "more than %d tracks", SH_CHECK_TRACKS);
        sh_check_track_free(t);
        sh_check_memory(c);
        return NULL;
    }
    t->declared = '?';
    c->tracks[c->track_count++] = t;
    return t;
}

sh_check_segment *sh_check_segment_new(sh_checker *c, sh_check_track *track)
{
    if (track->count == track->room) {
        const size_t room = track->room ? track->room * 2 : 64;
        sh_check_segment *grown =
            room <= SH_CHECK_SEGMENTS * 2 ? reallocarray(track->segments, room, sizeof(*grown)) : NULL;
        if (!grown) {
            sh_check_memory(c);
            return NULL;
        }
        track->segments = grown;
        track->room = room;
    }
    sh_check_segment *s = &track->segments[track->count++];
    *s = (sh_check_segment){.length = -1};
    return s;
}

void sh_check_track_free(sh_check_track *track)
{
    if (!track)
        return;
    free(track->manifest);
    free(track->name);
    free(track->folder);
    free(track->segments);
    free(track);
}

/* What a plan calls the track: its folder, or its playlist without the suffix. */
static void name_folder(sh_check_track *t)
{
    char *slash = strrchr(t->folder, '/');
    if (slash) {
        *slash = '\0';
        char *before = strrchr(t->folder, '/');
        if (before)
            memmove(t->folder, before + 1, strlen(before + 1) + 1);
    } else {
        char *dot = strrchr(t->folder, '.');
        if (dot)
            *dot = '\0';
    }
}

sh_check_track *sh_check_media_playlist(sh_checker *c, const char *name, const char *text, size_t length,
                                        char declared, bool iframes)
{
    for (size_t i = 0; i < c->track_count; i++)
        if (!c->tracks[i]->dash && c->tracks[i]->iframes == iframes &&
            strcmp(c->tracks[i]->manifest, name) == 0)
            return c->tracks[i];
    if (!sh_check_text_is_sound(c, name, text, length))
        return NULL;
    sh_check_track *t = sh_check_track_new(c, name, name);
    char *copy = t ? malloc(length + 1) : NULL; /* reading segments overwrites the bytes read last */
    if (!copy) {
        sh_check_memory(c);
        return NULL;
    }
    memcpy(copy, text, length);
    name_folder(t);
    t->declared = declared;
    t->iframes = iframes;
    reading r = {.c = c, .track = t, .name = name, .version = 1};
    sh_m3u m3u;
    sh_ts_reader_init(c->ts);
    sh_m3u_begin(&m3u, copy, length);
    while (c->status == 0 && sh_m3u_next(&m3u, &r.line))
        take_line(&r);
    playlist_rules(&r);
    free(r.last_uri);
    free(copy);
    return t;
}
