/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* MPDs (ISO 23009-1) read into tracks: addressing by SegmentTemplate, SegmentList, or one BaseURL. What they
 * say of their representations is held against the bytes in check_dash_track.c. */
#include "stream/check_dash.h"
#include "base/size.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The attribute of the representation, else of its set, else of its period. */
const char *sh_dash_inherited(const sh_mpd_node *node, const char *name)
{
    for (; node && strcmp(node->name, "MPD") != 0; node = node->parent) {
        const char *value = sh_mpd_get(node, name);
        if (value)
            return value;
    }
    return NULL;
}

/* An attribute of the innermost SegmentTemplate (or List) that has it. */
static const char *segment_attribute(const sh_mpd_node *node, const char *element, const char *name)
{
    for (; node && strcmp(node->name, "MPD") != 0; node = node->parent) {
        const char *value = sh_mpd_get(sh_mpd_child(node, element, NULL), name);
        if (value)
            return value;
    }
    return NULL;
}

static const sh_mpd_node *segment_child(const sh_mpd_node *node, const char *element, const char *name)
{
    for (; node && strcmp(node->name, "MPD") != 0; node = node->parent) {
        const sh_mpd_node *child = sh_mpd_child(sh_mpd_child(node, element, NULL), name, NULL);
        if (child)
            return child;
    }
    return NULL;
}

static int64_t number(const char *text, int64_t otherwise)
{
    int64_t value;
    return text && sh_parse_i64(text, strlen(text), 0, INT64_MAX, &value) ? value : otherwise;
}

/* ---- names ---- */

typedef struct names {
    const char *id, *bandwidth;
    int64_t number, time;
} names;

/* "$Number%05d$" and its like. */
static bool put_identifier(sh_buf *out, const char *what, size_t length, const names *n)
{
    const char *percent = memchr(what, '%', length);
    const size_t name = percent ? (size_t)(percent - what) : length;
    int64_t width = 1;
    if (percent) {
        const size_t rest = length - name;
        if (rest < 4 || percent[1] != '0' || percent[rest - 1] != 'd' ||
            !sh_parse_i64(percent + 2, rest - 3, 1, 20, &width))
            return false;
    }
    if (name == 0 && length == 0)
        return sh_buf_putc(out, '$') == 0;
    if (name == 16 && memcmp(what, "RepresentationID", 16) == 0 && !percent)
        return sh_buf_puts(out, n->id) == 0;
    if (name == 6 && memcmp(what, "Number", 6) == 0)
        return sh_buf_printf(out, "%0*" PRId64, (int)width, n->number) == 0;
    if (name == 4 && memcmp(what, "Time", 4) == 0)
        return sh_buf_printf(out, "%0*" PRId64, (int)width, n->time) == 0;
    if (name == 9 && memcmp(what, "Bandwidth", 9) == 0)
        return sh_buf_printf(out, "%0*" PRId64, (int)width, number(n->bandwidth, 0)) == 0;
    return false;
}

static bool expand(sh_buf *out, const char *pattern, const names *n)
{
    sh_buf_clear(out);
    while (*pattern) {
        const char *dollar = strchr(pattern, '$'), *end = dollar ? strchr(dollar + 1, '$') : NULL;
        if (!dollar)
            return sh_buf_puts(out, pattern) == 0;
        if (!end)
            return false;
        sh_buf_append(out, pattern, (size_t)(dollar - pattern));
        if (!put_identifier(out, dollar + 1, (size_t)(end - dollar) - 1, n))
            return false;
        pattern = end + 1;
    }
    return !out->failed;
}

/* What relative references of the representation are relative to: the MPD, through all BaseURLs. */
static bool base_of(sh_dash *d, const sh_mpd_node *node, char *base)
{
    if (!node->parent) {
        snprintf(base, SH_FETCH_NAME, "%s", d->name);
    } else if (!base_of(d, node->parent, base)) {
        return false;
    }
    const sh_mpd_node *url = sh_mpd_child(node, "BaseURL", NULL);
    char name[SH_FETCH_NAME];
    sh_err why = {0};
    if (!url || !*url->text)
        return true;
    const size_t length = strlen(url->text);
    const bool folder = url->text[length - 1] == '/';
    if (sh_fetch_resolve(d->c->fetch, name, base, url->text, length, &why) < 0) {
        sh_check_find(d->c, SH_RULE_URI, d->name, url->line, -1, "%s", why.message);
        return false;
    }
    /* a folder loses its last '/' when it is tidied up */
    const size_t n = strlen(name);
    if (n + 2 > SH_FETCH_NAME)
        return false;
    memcpy(base, name, n + 1);
    if (folder && name[n - 1] != '/')
        memcpy(base + n, "/", 2);
    return true;
}

/* ---- segments ---- */

typedef struct adding {
    sh_dash *d;
    sh_check_track *track;
    const char *base, *media;
    names names;
    sh_buf uri;
    int64_t line;
    char kind;
} adding;

static void add_segment(adding *a, int64_t time, int64_t duration, int64_t line)
{
    sh_checker *c = a->d->c;
    char name[SH_FETCH_NAME];
    sh_err why = {0};
    a->names.time = time;
    sh_check_segment *s = sh_check_segment_new(c, a->track);
    if (!s)
        return;
    s->line = line;
    s->time = time;
    s->duration = duration;
    if (!expand(&a->uri, a->media, &a->names)) {
        sh_check_find(c, SH_RULE_SCHEMA, a->d->name, a->line, -1, "the template \"%.100s\" cannot be read",
                      a->media);
        return;
    }
    a->names.number++;
    const size_t index = a->track->count - 1;
    /* resolved against BaseURL, then named as if the MPD stood beside it */
    if (sh_fetch_resolve(c->fetch, name, a->base, sh_buf_cstr(&a->uri), a->uri.length, &why) < 0) {
        sh_check_find(c, SH_RULE_URI, a->d->name, line, -1, "%s", why.message);
        return;
    }
    sh_check_file *file =
        a->kind == 'p'   ? sh_check_known(c, a->base, line, a->uri.data, a->uri.length)
        : a->kind == 't' ? sh_check_text(c, a->base, line, a->uri.data, a->uri.length)
        : a->track->init ? sh_check_media(c, a->base, line, a->uri.data, a->uri.length, 0, -1, a->track->init)
                         : NULL;
    a->track->segments[index].file = file;
}

static void add_timeline(adding *a, const sh_mpd_node *timeline, double period)
{
    int64_t time = 0;
    sh_checker *c = a->d->c;
    const sh_mpd_node *next;
    for (const sh_mpd_node *s = sh_mpd_child(timeline, "S", NULL); s && c->status == 0; s = next) {
        next = sh_mpd_child(timeline, "S", s);
        const int64_t d = number(sh_mpd_get(s, "d"), 0);
        const char *repeat = sh_mpd_get(s, "r");
        int64_t times = 0;
        time = number(sh_mpd_get(s, "t"), time);
        if (d <= 0) {
            sh_check_find(c, SH_RULE_DASH_TIMELINE, a->d->name, s->line, -1, "an S lasts 0 ticks");
            return;
        }
        if (repeat && !sh_parse_i64(repeat, strlen(repeat), -1, SH_CHECK_SEGMENTS, &times))
            return;
        if (times < 0) {
            const double until = next && sh_mpd_get(next, "t")
                                     ? (double)number(sh_mpd_get(next, "t"), 0)
                                     : (period * (double)a->track->timescale) + (double)a->track->offset;
            times = (int64_t)ceil((until - (double)time) / (double)d - 1e-6) - 1;
        }
        for (int64_t i = 0; i <= times && c->status == 0 && a->track->count < SH_CHECK_SEGMENTS;
             i++, time += d)
            add_segment(a, time, d, s->line);
    }
}

static void add_even(adding *a, int64_t duration, double period)
{
    const double seconds = (double)duration / (double)a->track->timescale;
    const int64_t count = seconds > 0 ? (int64_t)ceil(period / seconds - 1e-6) : 0;
    for (int64_t i = 0; i < count && i < SH_CHECK_SEGMENTS && a->d->c->status == 0; i++)
        add_segment(a, a->track->offset + i * duration, duration, a->line);
}

static void add_template(sh_dash *d, sh_check_track *t, const sh_mpd_node *node, const char *base, char kind,
                         double period)
{
    const char *media = segment_attribute(node, "SegmentTemplate", "media");
    const char *header = segment_attribute(node, "SegmentTemplate", "initialization");
    const sh_mpd_node *timeline = segment_child(node, "SegmentTemplate", "SegmentTimeline");
    const int64_t duration = number(segment_attribute(node, "SegmentTemplate", "duration"), 0);
    adding a = {.d = d, .track = t, .base = base, .media = media, .line = node->line, .kind = kind};
    a.names.id = sh_mpd_get(node, "id") ? sh_mpd_get(node, "id") : "";
    a.names.bandwidth = sh_mpd_get(node, "bandwidth");
    a.names.number = number(segment_attribute(node, "SegmentTemplate", "startNumber"), 1);
    t->timescale = number(segment_attribute(node, "SegmentTemplate", "timescale"), 1);
    t->offset = number(segment_attribute(node, "SegmentTemplate", "presentationTimeOffset"), 0);
    sh_buf_init(&a.uri, SH_FETCH_NAME);
    if (t->timescale < 1)
        t->timescale = 1;
    if (header && expand(&a.uri, header, &a.names))
        t->init = sh_check_init(d->c, base, node->line, a.uri.data, a.uri.length, 0, -1);
    if (!media)
        sh_check_find(d->c, SH_RULE_SCHEMA, d->name, node->line, -1, "SegmentTemplate has no media");
    else if (!header && kind != 't' && kind != 'p')
        sh_check_find(d->c, SH_RULE_PROFILE, d->name, node->line, -1,
                      "SegmentTemplate has no initialization");
    else if (timeline)
        add_timeline(&a, timeline, period);
    else if (duration > 0)
        add_even(&a, duration, period);
    else
        sh_check_find(d->c, SH_RULE_SCHEMA, d->name, node->line, -1,
                      "SegmentTemplate has neither SegmentTimeline nor duration");
    t->vod = timeline != NULL; /* times are told segment by segment */
    sh_buf_free(&a.uri);
}

/* One file, named by the representation's BaseURL: a text track. */
static void add_whole(sh_dash *d, sh_check_track *t, const sh_mpd_node *node, char kind)
{
    const sh_mpd_node *url = sh_mpd_child(node, "BaseURL", NULL);
    char base[SH_FETCH_NAME];
    if (!url || !base_of(d, node->parent, base))
        return;
    sh_check_segment *s = sh_check_segment_new(d->c, t);
    if (!s)
        return;
    s->line = url->line;
    s->file = kind == 't' ? sh_check_text(d->c, base, url->line, url->text, strlen(url->text))
                          : sh_check_known(d->c, base, url->line, url->text, strlen(url->text));
}

/* ---- representations ---- */

static char kind_of(const sh_mpd_node *node)
{
    const char *mime = sh_dash_inherited(node, "mimeType"), *content = sh_dash_inherited(node, "contentType");
    const char *word = mime ? mime : content ? content : "";
    return strncmp(word, "video", 5) == 0                                           ? 'v'
           : strncmp(word, "audio", 5) == 0                                         ? 'a'
           : strncmp(word, "image", 5) == 0                                         ? 'p'
           : strncmp(word, "text", 4) == 0 || strncmp(word, "application", 11) == 0 ? 't'
                                                                                    : '?';
}

static void take_representation(sh_dash *d, const sh_mpd_node *node, double period)
{
    char name[SH_FETCH_NAME + 80], base[SH_FETCH_NAME];
    const char *id = sh_mpd_get(node, "id");
    const char kind = kind_of(node);
    snprintf(name, sizeof(name), "%s#%.64s", d->name, id ? id : "");
    if (!base_of(d, node, base))
        return;
    if (kind == 'p') { /* pictures: they have to be there */
        sh_check_track pictures = {.name = name, .manifest = (char *)d->name};
        add_template(d, &pictures, node, base, kind, period);
        free(pictures.segments);
        return;
    }
    sh_check_track *t = sh_check_track_new(d->c, d->name, name);
    if (!t)
        return;
    snprintf(t->folder, strlen(name) + 1, "%s", id ? id : "");
    t->dash = true;
    t->declared = kind;
    t->line = node->line;
    t->timescale = 1;
    const bool timed = segment_attribute(node, "SegmentTemplate", "media") != NULL;
    if (timed)
        add_template(d, t, node, base, kind, period);
    else if (sh_mpd_child(node, "SegmentBase", NULL) || sh_mpd_child(node, "SegmentList", NULL))
        sh_check_find(d->c, SH_RULE_PROFILE, d->name, node->line, -1,
                      "segments are addressed by SegmentBase or SegmentList: that is not the live profile");
    else
        add_whole(d, t, node, kind);
    if (d->c->status < 0)
        return;
    if (kind == 't') {
        t->text = true;
        return;
    }
    sh_check_track_rules(d->c, t);
    sh_dash_track_rules(d, t, node, period);
}

/* ---- the MPD ---- */

static void set_rules(const sh_dash *d, const sh_mpd_node *set)
{
    const char *aligned = sh_mpd_get(set, "segmentAlignment"), *sap = sh_mpd_get(set, "startWithSAP");
    const sh_mpd_node *first = sh_mpd_child(set, "Representation", NULL);
    if (!first) {
        sh_check_find(d->c, SH_RULE_SCHEMA, d->name, set->line, -1, "AdaptationSet holds no Representation");
        return;
    }
    if (!sap)
        sap = sh_mpd_get(first, "startWithSAP");
    if (kind_of(first) != 'v')
        return;
    if (!aligned || (strcmp(aligned, "true") != 0 && strcmp(aligned, "1") != 0))
        sh_check_find(d->c, SH_RULE_DASH_SAP, d->name, set->line, -1, "segmentAlignment is %s",
                      aligned ? aligned : "not there");
    if (!sap || strcmp(sap, "1") != 0)
        sh_check_find(d->c, SH_RULE_DASH_SAP, d->name, set->line, -1, "startWithSAP is %s",
                      sap ? sap : "not there");
}

static void id_rules(const sh_dash *d, const sh_mpd_node *period)
{
    const char *ids[SH_CHECK_TRACKS];
    size_t count = 0;
    for (const sh_mpd_node *s = sh_mpd_child(period, "AdaptationSet", NULL); s;
         s = sh_mpd_child(period, "AdaptationSet", s))
        for (const sh_mpd_node *r = sh_mpd_child(s, "Representation", NULL); r;
             r = sh_mpd_child(s, "Representation", r)) {
            const char *id = sh_mpd_get(r, "id");
            for (size_t i = 0; id && i < count; i++)
                if (strcmp(ids[i], id) == 0)
                    sh_check_find(d->c, SH_RULE_DASH_ID, d->name, r->line, -1,
                                  "another representation has the id \"%s\"", id);
            if (id && count < SH_CHECK_TRACKS)
                ids[count++] = id;
        }
}

static void head_rules(sh_dash *d, const sh_mpd_node *root)
{
    const char *profiles = sh_mpd_get(root, "profiles"), *type = sh_mpd_get(root, "type");
    const char *lasts = sh_mpd_get(root, "mediaPresentationDuration");
    const char *buffer = sh_mpd_get(root, "minBufferTime");
    const bool dynamic = type && strcmp(type, "dynamic") == 0;
    if (profiles && !strstr(profiles, "urn:mpeg:dash:profile:isoff-live:2011") &&
        !strstr(profiles, "urn:mpeg:dash:profile:cmaf:2019") &&
        !strstr(profiles, "urn:mpeg:dash:profile:isoff-ext-live:2014"))
        sh_check_find(d->c, SH_RULE_PROFILE, d->name, root->line, -1, "profiles is \"%s\"", profiles);
    if (dynamic != d->c->options->growing && !(d->c->options->growing && !dynamic))
        sh_check_find(d->c, SH_RULE_DASH_TYPE, d->name, root->line, -1, "type is %s", type ? type : "static");
    else if (!dynamic && !lasts)
        sh_check_find(d->c, SH_RULE_DASH_TYPE, d->name, root->line, -1,
                      "there is no mediaPresentationDuration");
    else if (dynamic && !sh_mpd_get(root, "availabilityStartTime"))
        sh_check_find(d->c, SH_RULE_DASH_TYPE, d->name, root->line, -1, "there is no availabilityStartTime");
    d->dynamic = dynamic;
    d->has_duration = lasts && sh_mpd_duration(lasts, &d->duration);
    if (!buffer || !sh_mpd_duration(buffer, &d->buffer))
        d->buffer = 0;
}

static void take_period(sh_dash *d, const sh_mpd_node *period, double lasts)
{
    id_rules(d, period);
    for (const sh_mpd_node *s = sh_mpd_child(period, "AdaptationSet", NULL); s;
         s = sh_mpd_child(period, "AdaptationSet", s)) {
        set_rules(d, s);
        for (const sh_mpd_node *r = sh_mpd_child(s, "Representation", NULL); r && d->c->status == 0;
             r = sh_mpd_child(s, "Representation", r))
            take_representation(d, r, lasts);
    }
}

static void take_mpd(sh_dash *d, const sh_mpd_node *root)
{
    size_t periods = 0;
    double all = 0;
    head_rules(d, root);
    for (const sh_mpd_node *p = sh_mpd_child(root, "Period", NULL); p; p = sh_mpd_child(root, "Period", p))
        periods++;
    for (const sh_mpd_node *p = sh_mpd_child(root, "Period", NULL); p; p = sh_mpd_child(root, "Period", p)) {
        double lasts = d->duration;
        const char *told = sh_mpd_get(p, "duration");
        if (told && sh_mpd_duration(told, &lasts) && periods == 1 && d->has_duration &&
            fabs(lasts - d->duration) > 0.001)
            sh_check_find(d->c, SH_RULE_DASH_DURATION, d->name, p->line, -1,
                          "the only period lasts %.6f s, the presentation %.6f s", lasts, d->duration);
        d->longest = d->frame = 0;
        take_period(d, p, lasts);
        all += d->longest;
        if (d->longest > 0 && told && periods > 1 && fabs(lasts - d->longest) > d->frame + 0.001)
            sh_check_find(d->c, SH_RULE_DASH_DURATION, d->name, p->line, -1,
                          "the period lasts %.6f s, its content %.6f s", lasts, d->longest);
    }
    if (all > 0 && d->has_duration && !d->dynamic &&
        ((periods == 1 && !d->exact) || fabs(all - d->duration) > d->frame + 0.0005))
        sh_check_find(d->c, SH_RULE_DASH_DURATION, d->name, root->line, -1,
                      "mediaPresentationDuration is %.6f s, the content lasts %.6f s", d->duration, all);
}

static void tell_schema(void *opaque, int64_t line, const char *words)
{
    const sh_dash *d = opaque;
    sh_check_find(d->c, SH_RULE_SCHEMA, d->name, line, -1, "%s", words);
}

void sh_check_mpd(sh_checker *c, const char *name)
{
    sh_dash d = {.c = c, .name = name};
    sh_mpd mpd = {0};
    sh_err why = {0};
    const sh_buf *bytes = sh_check_bytes(c, name, 0, name, false);
    if (!bytes)
        return;
    c->saw_dash = true;
    const int status = sh_mpd_read(&mpd, sh_buf_cstr(bytes), bytes->length, &why);
    if (status == SH_E_MEMORY)
        sh_check_memory(c);
    else if (status < 0)
        sh_check_find(c, SH_RULE_XML, name, mpd.fault_line, -1, "%s", why.message);
    else {
        sh_mpd_schema(mpd.root, tell_schema, &d);
        if (strcmp(mpd.root->name, "MPD") == 0)
            take_mpd(&d, mpd.root);
    }
    sh_mpd_free(&mpd);
}
