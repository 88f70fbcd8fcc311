/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multivariant playlists (RFC 8216, 4.3.4): their own rules, their media playlists, and what they say of
 * those held against what was measured. */
#include "base/size.h"
#include "stream/check_inner.h"
#include "stream/m3u.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MOST 256

typedef enum entry_kind { VARIANT, RENDITION, IFRAMES } entry_kind;

typedef struct entry {
    entry_kind kind;
    int64_t line;
    sh_m3u_attributes list; /* points into the text */
    const char *uri;
    size_t uri_length;
    sh_check_track *track;
} entry;

typedef struct master {
    sh_checker *c;
    const char *name;
    entry *entries;
    size_t count;
    bool independent;
} master;

static const sh_m3u_attribute *find(const entry *e, const char *name)
{
    return sh_m3u_find(&e->list, name);
}

static void fault(const master *m, sh_rule rule, int64_t line, const char *words)
{
    sh_check_find(m->c, rule, m->name, line, -1, "%s", words);
}

/* ---- reading ---- */

static entry *add(master *m, entry_kind kind, int64_t line, const char *value, size_t length)
{
    if (m->count == ENTRIES_MOST) {
        if (m->c->status == 0)
            m->c->status = sh_fail(m->c->err, SH_E_LIMIT, "%s: more than %d variants and renditions", m->name,
                                   ENTRIES_MOST);
        return NULL;
    }
    entry *e = &m->entries[m->count];
    *e = (entry){.kind = kind, .line = line};
    const char *problem = sh_m3u_attributes_read(&e->list, value, length);
    if (problem) {
        fault(m, SH_RULE_ATTRIBUTES, line, problem);
        return NULL;
    }
    m->count++;
    const sh_m3u_attribute *uri = kind == VARIANT ? NULL : find(e, "URI");
    if (uri) {
        e->uri = uri->value;
        e->uri_length = uri->value_length;
    }
    return e;
}

static void take_tag(master *m, const sh_m3u_line *line, entry **pending)
{
    static const char *const media[] = {"#EXTINF",
                                        "#EXT-X-TARGETDURATION",
                                        "#EXT-X-MEDIA-SEQUENCE",
                                        "#EXT-X-ENDLIST",
                                        "#EXT-X-PLAYLIST-TYPE",
                                        "#EXT-X-MAP",
                                        "#EXT-X-BYTERANGE",
                                        "#EXT-X-KEY",
                                        "#EXT-X-I-FRAMES-ONLY",
                                        "#EXT-X-DISCONTINUITY"};
    const char *value;
    size_t length;
    int64_t number;
    if (sh_m3u_tag(line, "#EXT-X-STREAM-INF", &value, &length))
        *pending = add(m, VARIANT, line->number, value, length);
    else if (sh_m3u_tag(line, "#EXT-X-MEDIA", &value, &length))
        add(m, RENDITION, line->number, value, length);
    else if (sh_m3u_tag(line, "#EXT-X-I-FRAME-STREAM-INF", &value, &length))
        add(m, IFRAMES, line->number, value, length);
    else if (sh_m3u_tag(line, "#EXT-X-INDEPENDENT-SEGMENTS", &value, &length))
        m->independent = true;
    else if (sh_m3u_tag(line, "#EXT-X-VERSION", &value, &length) &&
             !sh_parse_i64(value, length, 1, 99, &number))
        fault(m, SH_RULE_VERSION, line->number, "EXT-X-VERSION is no whole number");
    for (size_t i = 0; i < SH_COUNT(media); i++)
        if (sh_m3u_tag(line, media[i], &value, &length))
            fault(m, SH_RULE_TAG, line->number, "a tag of media playlists stands in a multivariant playlist");
}

static void take_lines(master *m, const char *text, size_t length)
{
    sh_m3u m3u;
    sh_m3u_line line;
    entry *pending = NULL;
    bool expected = false;
    const char *value;
    size_t size;
    sh_m3u_begin(&m3u, text, length);
    while (m->c->status == 0 && sh_m3u_next(&m3u, &line)) {
        if (sh_m3u_is_tag(&line)) {
            if (expected)
                fault(m, SH_RULE_STREAM_INF, line.number, "EXT-X-STREAM-INF is not followed by a URI");
            expected = sh_m3u_tag(&line, "#EXT-X-STREAM-INF", &value, &size);
            pending = NULL;
            take_tag(m, &line, &pending);
            continue;
        }
        if (!expected)
            fault(m, SH_RULE_STREAM_INF, line.number, "a URI has no EXT-X-STREAM-INF before it");
        else if (pending) {
            pending->uri = line.text;
            pending->uri_length = line.length;
        }
        expected = false;
    }
    if (expected)
        fault(m, SH_RULE_STREAM_INF, line.number, "EXT-X-STREAM-INF is not followed by a URI");
}

static sh_check_track *open_track(master *m, const entry *e, char declared)
{
    char name[SH_FETCH_NAME];
    sh_err why = {0};
    if (sh_fetch_resolve(m->c->fetch, name, m->name, e->uri, e->uri_length, &why) < 0) {
        sh_check_find(m->c, SH_RULE_URI, m->name, e->line, -1, "%s", why.message);
        return NULL;
    }
    const sh_buf *bytes = sh_check_bytes(m->c, m->name, e->line, name, false);
    if (!bytes)
        return NULL;
    return sh_check_media_playlist(m->c, name, sh_buf_cstr(bytes), bytes->length, declared,
                                   e->kind == IFRAMES);
}

/* ---- attributes by themselves ---- */

static bool number_is(const master *m, const entry *e, const char *name, int64_t *out)
{
    const sh_m3u_attribute *a = find(e, name);
    *out = 0;
    if (!a)
        return false;
    if (!a->quoted && sh_parse_i64(a->value, a->value_length, 1, INT64_MAX, out))
        return true;
    sh_check_find(m->c, SH_RULE_ATTRIBUTES, m->name, e->line, -1, "%s is no whole number above 0", name);
    return false;
}

static void quotes(const master *m, const entry *e)
{
    static const struct {
        const char *name;
        bool quoted;
    } known[] = {
        {"CODECS", true},       {"AUDIO", true},           {"VIDEO", true},       {"SUBTITLES", true},
        {"URI", true},          {"GROUP-ID", true},        {"NAME", true},        {"LANGUAGE", true},
        {"CHANNELS", true},     {"CHARACTERISTICS", true}, {"TYPE", false},       {"DEFAULT", false},
        {"AUTOSELECT", false},  {"FORCED", false},         {"RESOLUTION", false}, {"FRAME-RATE", false},
        {"VIDEO-RANGE", false}, {"HDCP-LEVEL", false},     {"BANDWIDTH", false}};
    for (size_t i = 0; i < SH_COUNT(known); i++) {
        const sh_m3u_attribute *a = find(e, known[i].name);
        if (a && a->quoted != known[i].quoted)
            sh_check_find(m->c, SH_RULE_ATTRIBUTES, m->name, e->line, -1, "%s %s a quoted string",
                          known[i].name, known[i].quoted ? "has to be" : "must not be");
    }
}

static bool yes_or_no(const master *m, const entry *e, const char *name)
{
    const sh_m3u_attribute *a = find(e, name);
    if (a && !sh_m3u_equals(a, "YES") && !sh_m3u_equals(a, "NO"))
        sh_check_find(m->c, SH_RULE_ATTRIBUTES, m->name, e->line, -1, "%s is neither YES nor NO", name);
    return sh_m3u_equals(a, "YES");
}

static bool same(const sh_m3u_attribute *a, const sh_m3u_attribute *b)
{
    return a && b && a->value_length == b->value_length && memcmp(a->value, b->value, a->value_length) == 0;
}

static void rendition_rules(master *m, size_t index)
{
    const entry *e = &m->entries[index];
    const sh_m3u_attribute *type = find(e, "TYPE"), *group = find(e, "GROUP-ID"), *name = find(e, "NAME");
    const bool is_default = yes_or_no(m, e, "DEFAULT"), forced = yes_or_no(m, e, "FORCED");
    const bool audio = sh_m3u_equals(type, "AUDIO"), text = sh_m3u_equals(type, "SUBTITLES");
    const bool captions = sh_m3u_equals(type, "CLOSED-CAPTIONS");
    if (!type || !group || !name)
        fault(m, SH_RULE_MEDIA, e->line, "TYPE, GROUP-ID or NAME is missing");
    else if (!audio && !text && !captions && !sh_m3u_equals(type, "VIDEO"))
        fault(m, SH_RULE_MEDIA, e->line, "TYPE is none of AUDIO, VIDEO, SUBTITLES, CLOSED-CAPTIONS");
    yes_or_no(m, e, "AUTOSELECT");
    if (is_default && sh_m3u_equals(find(e, "AUTOSELECT"), "NO"))
        fault(m, SH_RULE_MEDIA, e->line, "DEFAULT is YES and AUTOSELECT is NO");
    if (forced && !text)
        fault(m, SH_RULE_MEDIA, e->line, "FORCED is for subtitles");
    if ((text && !e->uri) || (captions && e->uri))
        fault(m, SH_RULE_MEDIA, e->line, text ? "subtitles have no URI" : "closed captions have a URI");
    if ((audio || text || captions) && !find(e, "LANGUAGE"))
        fault(m, SH_RULE_LANGUAGE, e->line, "there is no LANGUAGE");
    for (size_t i = 0; i < index; i++) {
        const entry *o = &m->entries[i];
        if (o->kind != RENDITION || !same(find(o, "TYPE"), type) || !same(find(o, "GROUP-ID"), group))
            continue;
        if (same(find(o, "NAME"), name))
            fault(m, SH_RULE_MEDIA, e->line, "another rendition of the group has the same NAME");
        if (is_default && sh_m3u_equals(find(o, "DEFAULT"), "YES"))
            fault(m, SH_RULE_MEDIA, e->line, "another rendition of the group is DEFAULT too");
    }
}

static void group_rule(const master *m, const entry *e, const char *attribute, const char *type)
{
    const sh_m3u_attribute *wanted = find(e, attribute);
    if (!wanted || (!wanted->quoted && sh_m3u_equals(wanted, "NONE")))
        return;
    for (size_t i = 0; i < m->count; i++)
        if (m->entries[i].kind == RENDITION && sh_m3u_equals(find(&m->entries[i], "TYPE"), type) &&
            same(find(&m->entries[i], "GROUP-ID"), wanted))
            return;
    sh_check_find(m->c, SH_RULE_GROUP, m->name, e->line, -1, "there is no group \"%.*s\" of type %s",
                  (int)wanted->value_length, wanted->value, type);
}

/* ---- against what was measured ---- */

/* The dearest rendition of the variant's group of that type; *codec its codec. */
static int64_t group_rate(const master *m, const entry *v, const char *attribute, const char *type,
                          bool average)
{
    const sh_m3u_attribute *wanted = find(v, attribute);
    int64_t most = 0;
    for (size_t i = 0; wanted && i < m->count; i++) {
        const entry *e = &m->entries[i];
        if (e->kind != RENDITION || !e->track || e->track == v->track ||
            !sh_m3u_equals(find(e, "TYPE"), type) || !same(find(e, "GROUP-ID"), wanted))
            continue;
        const int64_t rate = average ? e->track->average : e->track->peak;
        most = rate > most ? rate : most;
    }
    return most;
}

static void rate_rules(const master *m, const entry *e)
{
    int64_t peak, average;
    const bool has_peak = number_is(m, e, "BANDWIDTH", &peak);
    const bool has_average = number_is(m, e, "AVERAGE-BANDWIDTH", &average);
    if (!e->track || !e->track->measured)
        return;
    const int64_t other = group_rate(m, e, "AUDIO", "AUDIO", false);
    const int64_t text = group_rate(m, e, "SUBTITLES", "SUBTITLES", false);
    const int64_t least = e->track->peak + other, most = least + text;
    if (has_peak && (peak < least - least / 10 || peak > most + most / 10 + 1))
        sh_check_find(m->c, SH_RULE_PEAK, m->name, e->line, -1,
                      "BANDWIDTH is %" PRId64 ", the measured peak %" PRId64, peak, most);
    else if (has_peak && peak < least - least / 1000)
        sh_check_find(m->c, SH_RULE_PEAK_BOUND, m->name, e->line, -1,
                      "BANDWIDTH is %" PRId64 ", the measured peak %" PRId64, peak, least);
    const int64_t low = e->track->average + group_rate(m, e, "AUDIO", "AUDIO", true);
    const int64_t high = low + group_rate(m, e, "SUBTITLES", "SUBTITLES", true);
    if (has_average && (average < low - low / 10 || average > high + high / 10 + 1))
        sh_check_find(m->c, SH_RULE_AVERAGE, m->name, e->line, -1,
                      "AVERAGE-BANDWIDTH is %" PRId64 ", the measured average %" PRId64, average, high);
    if (m->c->options->strict && e->kind == VARIANT && least > 2 * low)
        sh_check_find(m->c, SH_RULE_PEAK_TO_AVERAGE, m->name, e->line, -1,
                      "the peak is %" PRId64 ", the average %" PRId64, least, low);
}

static bool listed(const char *list, size_t length, const char *codec)
{
    const size_t n = strlen(codec);
    for (size_t at = 0; at <= length;) {
        const char *comma = memchr(list + at, ',', length - at);
        const size_t end = comma ? (size_t)(comma - list) : length;
        size_t from = at;
        while (from < end && list[from] == ' ')
            from++;
        if (end - from == n && memcmp(list + from, codec, n) == 0)
            return true;
        at = end + 1;
    }
    return false;
}

static size_t list_size(const char *list, size_t length)
{
    size_t n = 1;
    for (size_t i = 0; i < length; i++)
        n += list[i] == ',';
    return n;
}

static void collect(const char **codecs, size_t *count, const char *codec)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(codecs[i], codec) == 0)
            return;
    if (*codec && *count < 16)
        codecs[(*count)++] = codec;
}

static void codecs_rule(const master *m, const entry *v)
{
    const char *codecs[16];
    size_t count = 0;
    const sh_m3u_attribute *told = find(v, "CODECS"), *wanted = find(v, "AUDIO");
    bool known = v->track && v->track->measured;
    if (!told || !known)
        return;
    collect(codecs, &count, v->track->format.video_codec);
    if (v->kind == VARIANT)
        collect(codecs, &count, v->track->format.audio_codec);
    for (size_t i = 0; wanted && i < m->count; i++) {
        const entry *e = &m->entries[i];
        if (e->kind != RENDITION || !e->uri || !sh_m3u_equals(find(e, "TYPE"), "AUDIO") ||
            !same(find(e, "GROUP-ID"), wanted))
            continue;
        known = known && e->track && e->track->measured;
        if (e->track)
            collect(codecs, &count, e->track->format.audio_codec);
    }
    size_t extra = find(v, "SUBTITLES") ? (size_t)listed(told->value, told->value_length, "wvtt") : 0;
    bool fine = list_size(told->value, told->value_length) == count + extra;
    for (size_t i = 0; i < count; i++)
        fine = fine && listed(told->value, told->value_length, codecs[i]);
    char words[512] = "";
    for (size_t i = 0; i < count; i++) {
        const size_t n = strlen(words);
        snprintf(words + n, sizeof(words) - n, "%s%s", i ? "," : "", codecs[i]);
    }
    if (known && !fine)
        sh_check_find(m->c, SH_RULE_CODECS, m->name, v->line, -1, "CODECS is \"%.*s\", the bytes say \"%s\"",
                      (int)told->value_length, told->value, words);
}

static void picture_rules(const master *m, const entry *v)
{
    const sh_check_track *t = v->track;
    const sh_m3u_attribute *size = find(v, "RESOLUTION"), *range = find(v, "VIDEO-RANGE");
    int width, height;
    if (!t || !t->video)
        return;
    if (!size)
        fault(m, SH_RULE_RESOLUTION_TOLD, v->line, "there is no RESOLUTION");
    else if (!sh_m3u_resolution(size->value, size->value_length, &width, &height))
        fault(m, SH_RULE_ATTRIBUTES, v->line, "RESOLUTION cannot be read");
    else if (t->format.width > 0 && (width != t->format.width || height != t->format.height))
        sh_check_find(m->c, SH_RULE_RESOLUTION, m->name, v->line, -1,
                      "RESOLUTION is %dx%d, the pictures are %dx%d", width, height, t->format.width,
                      t->format.height);
    const char *measured = t->format.colour.transfer == 16   ? "PQ"
                           : t->format.colour.transfer == 18 ? "HLG"
                                                             : "SDR";
    if (t->format.width == 0)
        return;
    if (!range && strcmp(measured, "SDR") != 0)
        sh_check_find(m->c, SH_RULE_VIDEO_RANGE_TOLD, m->name, v->line, -1,
                      "there is no VIDEO-RANGE, the pictures are %s", measured);
    else if (range && !sh_m3u_equals(range, measured))
        sh_check_find(m->c, SH_RULE_VIDEO_RANGE, m->name, v->line, -1,
                      "VIDEO-RANGE is %.*s, the pictures are %s", (int)range->value_length, range->value,
                      measured);
}

static void frame_rate_rule(const master *m, const entry *v)
{
    const sh_check_track *t = v->track;
    const sh_m3u_attribute *told = find(v, "FRAME-RATE");
    int64_t nano;
    bool integer;
    if (!t || !t->video)
        return;
    if (!told) {
        fault(m, SH_RULE_FRAME_RATE_TOLD, v->line, "there is no FRAME-RATE");
        return;
    }
    if (!sh_m3u_nano(told->value, told->value_length, &nano, &integer)) {
        fault(m, SH_RULE_ATTRIBUTES, v->line, "FRAME-RATE is no decimal number");
        return;
    }
    if (!t->measured || t->frame_rate <= 0 || t->seconds <= 0)
        return;
    const double rate = (double)nano / 1e9;
    if (!sh_check_rate_fits(t, rate, 0.0005 + 1e-6))
        sh_check_find(m->c, SH_RULE_FRAME_RATE, m->name, v->line, -1,
                      "FRAME-RATE is %.3f, the pictures come at %.3f a second at most, %.3f on average", rate,
                      t->frame_rate, (double)t->samples / t->seconds);
}

static void variant_rules(master *m, const entry *v)
{
    if (!find(v, "BANDWIDTH"))
        fault(m, SH_RULE_STREAM_INF, v->line, "there is no BANDWIDTH");
    if (!find(v, "CODECS"))
        fault(m, SH_RULE_CODECS_TOLD, v->line, "there is no CODECS");
    if (v->kind == VARIANT && !find(v, "AVERAGE-BANDWIDTH"))
        fault(m, SH_RULE_AVERAGE_TOLD, v->line, "there is no AVERAGE-BANDWIDTH");
    rate_rules(m, v);
    codecs_rule(m, v);
    picture_rules(m, v);
    if (v->kind != VARIANT)
        return;
    frame_rate_rule(m, v);
    group_rule(m, v, "AUDIO", "AUDIO");
    group_rule(m, v, "SUBTITLES", "SUBTITLES");
    group_rule(m, v, "VIDEO", "VIDEO");
    if (v->track && v->track->video && !m->independent && !v->track->independent)
        fault(m, SH_RULE_INDEPENDENT, v->line,
              "neither this playlist nor the variant's says EXT-X-INDEPENDENT-SEGMENTS");
}

static void channels_rule(const master *m, const entry *e)
{
    const sh_m3u_attribute *told = find(e, "CHANNELS");
    int64_t count;
    if (!told || !e->track || !e->track->measured || e->track->format.channels == 0)
        return;
    const char *slash = memchr(told->value, '/', told->value_length);
    const size_t n = slash ? (size_t)(slash - told->value) : told->value_length;
    if (!sh_parse_i64(told->value, n, 1, 64, &count))
        fault(m, SH_RULE_ATTRIBUTES, e->line, "CHANNELS is no count");
    else if (count != e->track->format.channels)
        sh_check_find(m->c, SH_RULE_CHANNELS, m->name, e->line, -1,
                      "CHANNELS is %" PRId64 ", the audio has %d", count, e->track->format.channels);
}

/* ---- the whole ---- */

static void read_tracks(master *m)
{
    for (size_t i = 0; i < m->count; i++) {
        entry *e = &m->entries[i];
        quotes(m, e);
        const bool text = sh_m3u_equals(find(e, "TYPE"), "SUBTITLES");
        if (e->kind != IFRAMES && e->uri && m->c->status == 0)
            e->track = open_track(m, e, e->kind == VARIANT ? 'v' : text ? 't' : 'a');
    }
    for (size_t i = 0; i < m->count; i++) {
        entry *e = &m->entries[i];
        if (e->kind == IFRAMES && !e->uri)
            fault(m, SH_RULE_ATTRIBUTES, e->line, "EXT-X-I-FRAME-STREAM-INF has no URI");
        else if (e->kind == IFRAMES && m->c->status == 0)
            e->track = open_track(m, e, 'i');
    }
}

static void strict_rules(master *m)
{
    size_t iframes = 0, variants = 0;
    for (size_t i = 0; i < m->count; i++) {
        iframes += m->entries[i].kind == IFRAMES;
        variants += m->entries[i].kind == VARIANT && m->entries[i].track && m->entries[i].track->video;
    }
    if (variants > 0 && iframes == 0)
        fault(m, SH_RULE_IFRAMES, 0, "there is no EXT-X-I-FRAME-STREAM-INF");
    if (variants == 1)
        fault(m, SH_RULE_VARIANTS, 0, "there is one variant");
}

static void check_master(sh_checker *c, const char *name, const char *text, size_t length)
{
    master m = {.c = c, .name = name, .entries = calloc(ENTRIES_MOST, sizeof(entry))};
    const size_t first = c->track_count;
    size_t variants = 0;
    if (!m.entries) {
        sh_check_memory(c);
        return;
    }
    take_lines(&m, text, length);
    read_tracks(&m);
    for (size_t i = first; i < c->track_count; i++)
        if (!c->tracks[i]->iframes)
            sh_check_track_rules(c, c->tracks[i]);
    for (size_t i = first; i < c->track_count; i++)
        if (c->tracks[i]->iframes)
            sh_check_iframe_rules(c, c->tracks[i]);
    for (size_t i = 0; i < m.count && c->status == 0; i++) {
        variants += m.entries[i].kind == VARIANT;
        if (m.entries[i].kind != RENDITION) {
            variant_rules(&m, &m.entries[i]);
        } else {
            rendition_rules(&m, i);
            channels_rule(&m, &m.entries[i]);
        }
    }
    if (variants == 0)
        fault(&m, SH_RULE_EMPTY, 0, "there is no variant");
    if (c->options->strict)
        strict_rules(&m);
    free(m.entries);
}

void sh_check_playlist(sh_checker *c, const char *name)
{
    const sh_buf *bytes = sh_check_bytes(c, name, 0, name, false);
    if (!bytes)
        return;
    const size_t length = bytes->length;
    char *text = malloc(length + 1);
    if (!text) {
        sh_check_memory(c);
        return;
    }
    memcpy(text, sh_buf_cstr(bytes), length + 1);
    c->saw_hls = true;
    if (memmem(text, length, "#EXT-X-STREAM-INF", 17) || memmem(text, length, "#EXT-X-MEDIA:", 13)) {
        if (sh_check_text_is_sound(c, name, text, length))
            check_master(c, name, text, length);
    } else {
        sh_check_track *t = sh_check_media_playlist(c, name, text, length, '?', false);
        if (t)
            sh_check_track_rules(c, t);
    }
    free(text);
}
