/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/playlist.h"
#include "base/size.h"
#include "stream/hls.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 200000

/* A playlist being read, line by line. */
typedef struct reader {
    const char *name, *at, *end;
    const char *line; /* the current one */
    size_t length;
    int number;
    unsigned seen; /* bits of tags that may come once */
    sh_err *err;
} reader;

enum {
    SEEN_VERSION = 1,
    SEEN_TARGET = 2,
    SEEN_SEQUENCE = 4,
    SEEN_TYPE = 8,
    SEEN_INDEPENDENT = 16,
    SEEN_END = 32,
};

static int bad(const reader *r, const char *rule)
{
    return sh_fail(r->err, SH_E_FORMAT, "%s (%s line %d)", rule, r->name, r->number);
}

static bool next_line(reader *r)
{
    if (r->at >= r->end)
        return false;
    const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
    r->line = r->at;
    r->length = (size_t)((stop ? stop : r->end) - r->at);
    r->at = stop ? stop + 1 : r->end;
    if (r->length && r->line[r->length - 1] == '\r')
        r->length--;
    r->number++;
    return true;
}

/* Whether the line is `tag`; *value is what follows. */
static bool is_tag(const reader *r, const char *tag, const char **value, size_t *length)
{
    size_t n = strlen(tag);
    if (r->length < n || memcmp(r->line, tag, n) != 0)
        return false;
    *value = r->line + n;
    *length = r->length - n;
    return true;
}

static int once(reader *r, unsigned bit)
{
    if (r->seen & bit)
        return bad(r, "playlist-tag-twice: a tag that may stand once stands twice");
    r->seen |= bit;
    return 0;
}

static int first_line(reader *r)
{
    if (!next_line(r) || r->length != 7 || memcmp(r->line, "#EXTM3U", 7) != 0)
        return bad(r, "playlist-extm3u: the first line is not #EXTM3U");
    return 0;
}

static int take_name(reader *r, char *name)
{
    sh_err why = {0};
    if (sh_uri_decode(name, SH_PLAYLIST_NAME, r->line, r->length, &why) < 0)
        return sh_fail(r->err, SH_E_FORMAT, "playlist-uri: %s (%s line %d)", why.message, r->name, r->number);
    return 0;
}

static void *grow(void *array, size_t count, size_t size)
{
    if (count >= ENTRIES_MAX)
        return NULL;
    return (count & (count - 1)) == 0 ? reallocarray(array, count ? count * 2 : 1, size) : array;
}

/* ---- media playlists ---- */

/* "9.009," or "9," with an optional title. */
static int take_duration(reader *r, const char *text, size_t length, sh_playlist_segment *s)
{
    const char *comma = memchr(text, ',', length), *dot;
    int64_t whole, part = 0;
    if (!comma)
        return bad(r, "playlist-extinf: EXTINF has no comma");
    dot = memchr(text, '.', (size_t)(comma - text));
    if (!sh_parse_i64(text, (size_t)((dot ? dot : comma) - text), 0, 1000000, &whole))
        return bad(r, "playlist-extinf: EXTINF is no decimal number");
    if (dot) {
        size_t digits = (size_t)(comma - dot) - 1;
        if (!sh_parse_i64(dot + 1, digits < 6 ? digits : 6, 0, 999999, &part) || dot[1] == '-')
            return bad(r, "playlist-extinf: EXTINF is no decimal number");
        for (size_t i = digits; i < 6; i++)
            part *= 10;
    }
    s->micro = whole * 1000000 + part;
    s->integer = !dot;
    return s->micro > 0 ? 0 : bad(r, "playlist-extinf: EXTINF is zero");
}

static int take_segment(reader *r, sh_media_playlist *p, const sh_playlist_segment *pending)
{
    sh_playlist_segment *grown = grow(p->segments, p->count, sizeof(*grown));
    if (!grown)
        return sh_fail(r->err, SH_E_LIMIT, "%s: more than %d segments", r->name, ENTRIES_MAX);
    p->segments = grown;
    p->segments[p->count] = *pending;
    int status = take_name(r, p->segments[p->count].name);
    if (status < 0)
        return status;
    /* RFC 8216 4.3.3.1: rounded to the nearest integer it is at most the target duration */
    if ((pending->micro + 500000) / 1000000 > p->target)
        return bad(r, "playlist-target: EXTINF is above EXT-X-TARGETDURATION");
    p->count++;
    return 0;
}

static int take_header(reader *r, sh_media_playlist *p, bool *known)
{
    const char *value;
    size_t length;
    int64_t number;
    *known = true;
    if (is_tag(r, "#EXT-X-VERSION:", &value, &length))
        return sh_parse_i64(value, length, 3, 12, &number)
                   ? once(r, SEEN_VERSION)
                   : bad(r, "playlist-version: EXT-X-VERSION is below 3");
    if (is_tag(r, "#EXT-X-TARGETDURATION:", &value, &length))
        return sh_parse_i64(value, length, 1, 1000000, &p->target)
                   ? once(r, SEEN_TARGET)
                   : bad(r, "playlist-target: EXT-X-TARGETDURATION is no whole number");
    if (is_tag(r, "#EXT-X-MEDIA-SEQUENCE:", &value, &length))
        return sh_parse_i64(value, length, 0, INT64_MAX, &number)
                   ? once(r, SEEN_SEQUENCE)
                   : bad(r, "playlist-sequence: EXT-X-MEDIA-SEQUENCE is no whole number");
    if (is_tag(r, "#EXT-X-PLAYLIST-TYPE:", &value, &length))
        return length == 3 && memcmp(value, "VOD", 3) == 0 ? once(r, SEEN_TYPE)
                                                           : bad(r, "playlist-type: it is not VOD");
    if (is_tag(r, "#EXT-X-INDEPENDENT-SEGMENTS", &value, &length) && length == 0)
        return once(r, SEEN_INDEPENDENT);
    *known = false;
    return 0;
}

static int take_media_line(reader *r, sh_media_playlist *p, sh_playlist_segment *pending)
{
    const char *value;
    size_t length;
    bool known;
    int status;
    if (r->seen & SEEN_END)
        return bad(r, "playlist-after-end: something follows EXT-X-ENDLIST");
    if (r->length == 0)
        return 0;
    if (r->line[0] != '#') {
        if (!pending->micro)
            return bad(r, "playlist-extinf: a segment has no EXTINF");
        status = take_segment(r, p, pending);
        *pending = (sh_playlist_segment){0};
        return status;
    }
    if (pending->micro)
        return bad(r, "playlist-extinf: EXTINF is not followed by its segment");
    if (is_tag(r, "#EXTINF:", &value, &length))
        return r->seen & SEEN_TARGET ? take_duration(r, value, length, pending)
                                     : bad(r, "playlist-target: EXTINF comes before EXT-X-TARGETDURATION");
    if (is_tag(r, "#EXT-X-ENDLIST", &value, &length) && length == 0)
        return once(r, SEEN_END);
    status = take_header(r, p, &known);
    if (status == 0 && !known && r->length > 4 && memcmp(r->line, "#EXT", 4) == 0)
        return bad(r, "playlist-unknown-tag: a tag that this stream has no use for");
    return status;
}

int sh_playlist_read_media(sh_media_playlist *out, const char *name, const char *text, size_t length,
                           sh_err *err)
{
    const unsigned needed = SEEN_VERSION | SEEN_TARGET | SEEN_TYPE | SEEN_END;
    reader r = {.name = name, .at = text, .end = text + length, .err = err};
    sh_media_playlist p = {0};
    sh_playlist_segment pending = {0};
    int status = first_line(&r);
    while (status == 0 && next_line(&r))
        status = take_media_line(&r, &p, &pending);
    if (status == 0 && !(r.seen & SEEN_END))
        status = bad(&r, "playlist-endlist: there is no EXT-X-ENDLIST");
    if (status == 0 && (r.seen & needed) != needed)
        status = bad(&r, "playlist-header: version, target duration or type is missing");
    if (status == 0 && p.count == 0)
        status = bad(&r, "playlist-empty: there is no segment");
    if (status < 0)
        sh_media_playlist_free(&p);
    else
        *out = p;
    return status;
}

/* ---- master playlists ---- */

/* One attribute of a list: its name and its value, quotes taken off. False at the end or when the list is
 * malformed
 * (*malformed). */
static bool next_attribute(const char **at, const char *end, const char **name, size_t *name_length,
                           const char **value, size_t *value_length, bool *malformed)
{
    const char *equals = *at < end ? memchr(*at, '=', (size_t)(end - *at)) : NULL;
    const char *stop;
    *malformed = *at < end && !equals;
    if (!equals)
        return false;
    *name = *at;
    *name_length = (size_t)(equals - *at);
    *value = equals + 1;
    if (*value < end && **value == '"') {
        (*value)++;
        stop = memchr(*value, '"', (size_t)(end - *value));
        *malformed = !stop || (stop + 1 < end && stop[1] != ',');
        if (*malformed)
            return false;
        *value_length = (size_t)(stop - *value);
        *at = stop + 1 < end ? stop + 2 : end;
        return true;
    }
    stop = memchr(*value, ',', (size_t)(end - *value));
    *value_length = (size_t)((stop ? stop : end) - *value);
    *at = stop ? stop + 1 : end;
    return true;
}

static bool named(const char *name, size_t length, const char *wanted)
{
    return strlen(wanted) == length && memcmp(name, wanted, length) == 0;
}

static bool take_resolution(sh_playlist_variant *v, const char *value, size_t length)
{
    const char *x = memchr(value, 'x', length);
    int64_t width, height;
    if (!x || !sh_parse_i64(value, (size_t)(x - value), 1, 65536, &width) ||
        !sh_parse_i64(x + 1, length - (size_t)(x - value) - 1, 1, 65536, &height))
        return false;
    v->width = (int)width;
    v->height = (int)height;
    return true;
}

static bool take_attribute(sh_playlist_variant *v, const char *name, size_t length, const char *value,
                           size_t size)
{
    if (named(name, length, "BANDWIDTH"))
        return sh_parse_i64(value, size, 1, INT64_MAX, &v->bandwidth);
    if (named(name, length, "AVERAGE-BANDWIDTH"))
        return sh_parse_i64(value, size, 1, INT64_MAX, &v->average);
    if (named(name, length, "RESOLUTION"))
        return take_resolution(v, value, size);
    if (named(name, length, "CODECS"))
        return snprintf(v->codecs, sizeof(v->codecs), "%.*s", (int)(size < 1000 ? size : 1000), value) <
               (int)sizeof(v->codecs);
    return true;
}

static int take_variant(reader *r, const char *list, size_t length, sh_playlist_variant *v)
{
    const char *at = list, *end = list + length, *name, *value;
    size_t name_length, value_length;
    bool malformed = false;
    while (next_attribute(&at, end, &name, &name_length, &value, &value_length, &malformed))
        if (!take_attribute(v, name, name_length, value, value_length))
            return bad(r, "master-attribute: an attribute's value is malformed");
    if (malformed)
        return bad(r, "master-attribute: the attribute list is malformed");
    if (!v->bandwidth || !v->codecs[0])
        return bad(r, "master-attribute: BANDWIDTH or CODECS is missing");
    return 0;
}

static int take_master_line(reader *r, sh_master_playlist *p, sh_playlist_variant *pending)
{
    const char *value;
    size_t length;
    int64_t number;
    if (r->length == 0)
        return 0;
    if (r->line[0] != '#') {
        if (!pending->bandwidth)
            return bad(r, "master-uri: a variant has no EXT-X-STREAM-INF");
        sh_playlist_variant *grown = grow(p->variants, p->count, sizeof(*grown));
        if (!grown)
            return sh_fail(r->err, SH_E_LIMIT, "%s: more than %d variants", r->name, ENTRIES_MAX);
        p->variants = grown;
        p->variants[p->count] = *pending;
        *pending = (sh_playlist_variant){0};
        return take_name(r, p->variants[p->count++].name);
    }
    if (pending->bandwidth)
        return bad(r, "master-uri: EXT-X-STREAM-INF is not followed by its playlist");
    if (is_tag(r, "#EXT-X-STREAM-INF:", &value, &length))
        return take_variant(r, value, length, pending);
    if (is_tag(r, "#EXT-X-VERSION:", &value, &length))
        return sh_parse_i64(value, length, 3, 12, &number)
                   ? once(r, SEEN_VERSION)
                   : bad(r, "playlist-version: EXT-X-VERSION is below 3");
    if (is_tag(r, "#EXT-X-INDEPENDENT-SEGMENTS", &value, &length) && length == 0)
        return once(r, SEEN_INDEPENDENT);
    if (r->length > 4 && memcmp(r->line, "#EXT", 4) == 0)
        return bad(r, "playlist-unknown-tag: a tag that this stream has no use for");
    return 0;
}

int sh_playlist_read_master(sh_master_playlist *out, const char *name, const char *text, size_t length,
                            sh_err *err)
{
    reader r = {.name = name, .at = text, .end = text + length, .err = err};
    sh_master_playlist p = {0};
    sh_playlist_variant pending = {0};
    int status = first_line(&r);
    while (status == 0 && next_line(&r))
        status = take_master_line(&r, &p, &pending);
    if (status == 0 && pending.bandwidth)
        status = bad(&r, "master-uri: EXT-X-STREAM-INF is not followed by its playlist");
    if (status == 0 && !(r.seen & SEEN_INDEPENDENT))
        status = bad(&r, "master-independent: EXT-X-INDEPENDENT-SEGMENTS is missing");
    if (status == 0 && p.count == 0)
        status = bad(&r, "master-empty: there is no variant");
    if (status < 0)
        sh_master_playlist_free(&p);
    else
        *out = p;
    return status;
}

void sh_media_playlist_free(sh_media_playlist *playlist)
{
    free(playlist->segments);
    *playlist = (sh_media_playlist){0};
}

void sh_master_playlist_free(sh_master_playlist *playlist)
{
    free(playlist->variants);
    *playlist = (sh_master_playlist){0};
}
