/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Segment files in an MPD. Names are told by a template: some run of digits in the first name is its number,
 * and the name of every other segment has to be what the template gives for the number after. The run is
 * looked for from the end of the name without its extension, then in the extension. A run that begins with a
 * zero has a fixed width ("$Number%05d$"); others are plain numbers as long as the width may change. */
#include "stream/dash_inner.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 9
#define NAME_MAX_BYTES 1024

typedef struct numbering {
    size_t prefix, digits; /* characters of the first name before the number, and its own */
    int64_t first;
    bool fixed;
} numbering;

static bool fits(const sh_stream_track *t, const numbering *n)
{
    const char *name = t->segments[0].name;
    char expected[NAME_MAX_BYTES + 24];
    for (size_t i = 0; i < t->segment_count; i++) {
        snprintf(expected, sizeof(expected), "%.*s%0*" PRId64 "%s", (int)n->prefix, name,
                 n->fixed ? (int)n->digits : 1, n->first + (int64_t)i, name + n->prefix + n->digits);
        if (strcmp(expected, t->segments[i].name) != 0)
            return false;
    }
    return true;
}

/* The digits that end before `end`, and end[0] is none. */
static bool try_run(const sh_stream_track *t, size_t end, numbering *out)
{
    const char *name = t->segments[0].name;
    size_t begin = end;
    int64_t value = 0;
    while (begin > 0 && isdigit((unsigned char)name[begin - 1]))
        begin--;
    if (begin == end || end - begin > DIGITS_MAX)
        return false;
    for (size_t i = begin; i < end; i++)
        value = value * 10 + (name[i] - '0');
    *out = (numbering){begin, end - begin, value, true};
    if (name[begin] != '0' || end - begin == 1) {
        out->fixed = false;
        if (fits(t, out))
            return true;
        out->fixed = true;
    }
    return fits(t, out);
}

static bool find_run(const sh_stream_track *t, size_t from, size_t to, numbering *out)
{
    const char *name = t->segments[0].name;
    for (size_t end = to; end > from; end--)
        if (isdigit((unsigned char)name[end - 1]) && !isdigit((unsigned char)name[end]) &&
            try_run(t, end, out))
            return true;
    return false;
}

static int find_numbering(const sh_stream_track *t, numbering *out, sh_err *err)
{
    const char *name = t->segments[0].name, *dot = strrchr(name, '.');
    size_t length = strlen(name), stem = dot ? (size_t)(dot - name) : length;
    if (find_run(t, 0, stem, out) || find_run(t, stem, length, out))
        return 0;
    return sh_fail(err, SH_E_ARGUMENT,
                   "track %s: an MPD cannot name its segments (%s ...): the names have to be equal but for a "
                   "number that goes up by one",
                   t->id, name);
}

/* The name with its number replaced by a place for it. */
static void put_template(sh_dash_xml *x, const sh_stream_track *t, const numbering *n)
{
    const char *name = t->segments[0].name;
    char prefix[NAME_MAX_BYTES];
    sh_buf uri;
    sh_buf_init(&uri, 16384);
    snprintf(prefix, sizeof(prefix), "%.*s", (int)n->prefix, name);
    sh_manifest_uri(&uri, t->folder, prefix, true);
    if (n->fixed)
        sh_buf_printf(&uri, "$Number%%0%zud$", n->digits);
    else
        sh_buf_puts(&uri, "$Number$");
    sh_manifest_uri(&uri, NULL, name + n->prefix + n->digits, true);
    x->out->failed |= uri.failed;
    sh_dash_xml_attribute(x, "media", sh_buf_cstr(&uri));
    sh_buf_free(&uri);
}

static void put_initialization(sh_dash_xml *x, const sh_stream_track *t)
{
    sh_buf uri;
    sh_buf_init(&uri, 16384);
    sh_manifest_uri(&uri, t->folder, t->init, true);
    x->out->failed |= uri.failed;
    sh_dash_xml_attribute(x, "initialization", sh_buf_cstr(&uri));
    sh_buf_free(&uri);
}

/* Runs of equal durations. */
static void put_timeline(sh_dash_xml *x, const sh_stream_track *t)
{
    sh_dash_xml_open(x, "SegmentTimeline");
    for (size_t i = 0, next; i < t->segment_count; i = next) {
        const int64_t duration = sh_manifest_duration(t, i);
        for (next = i + 1; next < t->segment_count && sh_manifest_duration(t, next) == duration; next++)
            continue;
        sh_dash_xml_open(x, "S");
        if (i == 0)
            sh_dash_xml_number(x, "t", sh_stream_time(t, 0));
        sh_dash_xml_number(x, "d", duration);
        if (next - i > 1)
            sh_dash_xml_number(x, "r", (int64_t)(next - i - 1));
        sh_dash_xml_close(x);
    }
    sh_dash_xml_close(x);
}

int sh_dash_put_segments(sh_dash_xml *x, const sh_stream_track *t, sh_err *err)
{
    numbering n;
    int status = find_numbering(t, &n, err);
    if (status < 0)
        return status;
    sh_dash_xml_open(x, "SegmentTemplate");
    sh_dash_xml_number(x, "timescale", t->timescale);
    if (t->init)
        put_initialization(x, t);
    put_template(x, t, &n);
    sh_dash_xml_number(x, "startNumber", n.first);
    if (t->kind == SH_STREAM_SHEETS) {
        sh_dash_xml_number(x, "endNumber", n.first + (int64_t)t->segment_count - 1);
        sh_dash_xml_number(x, "duration", t->sheets.interval * t->sheets.columns * t->sheets.rows);
    } else {
        put_timeline(x, t);
    }
    sh_dash_xml_close(x);
    return 0;
}

bool sh_dash_aligned(const sh_dash_set *set)
{
    const sh_stream_track *a = set->members[0];
    for (size_t m = 1; m < set->count; m++) {
        const sh_stream_track *b = set->members[m];
        if (b->segment_count != a->segment_count)
            return false;
        for (size_t i = 0; i <= a->segment_count; i++)
            if ((__int128)sh_stream_time(a, i) * b->timescale !=
                (__int128)sh_stream_time(b, i) * a->timescale)
                return false;
    }
    return true;
}
