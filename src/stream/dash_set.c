/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Adaptation sets: tracks of one kind, codec, role, language and range of brightness. The order of children
 * and the types of attributes are those of the MPD schema (ISO 23009-1).
 *
 * Colour is told by CICP descriptors. Where SDR and HDR pictures stand side by side, those of the HDR set are
 * essential, so that a client that does not know them leaves the set alone; where HDR is all there is, they
 * are supplemental, and a client may try. */
#include "stream/dash_inner.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define ROLES "urn:mpeg:dash:role:2011"
#define CICP "urn:mpeg:mpegB:cicp:"

/* The file of all cues is there when all cues are. */
bool sh_dash_takes(const sh_stream *stream, const sh_stream_track *t)
{
    return t->kind != SH_STREAM_TEXT || (t->whole && !stream->growing);
}

static bool same_text(const char *a, const char *b)
{
    char first[36], second[36];
    sh_language_tag(first, sizeof(first), a);
    sh_language_tag(second, sizeof(second), b);
    return strcmp(first, second) == 0;
}

/* "avc1", "hvc1", "mp4a". */
static bool same_codec(const sh_stream_track *a, const sh_stream_track *b)
{
    size_t first = strcspn(a->codecs, ".,"), second = strcspn(b->codecs, ".,");
    return first == second && memcmp(a->codecs, b->codecs, first) == 0;
}

bool sh_dash_alike(const sh_stream_track *a, const sh_stream_track *b)
{
    if (a->kind != b->kind || a->kind == SH_STREAM_TEXT || a->kind == SH_STREAM_SHEETS)
        return false;
    if (!same_codec(a, b) || a->role != b->role || !same_text(a->language, b->language))
        return false;
    if (a->kind == SH_STREAM_AUDIO) {
        char first[160], second[160];
        sh_manifest_label(first, sizeof(first), a);
        sh_manifest_label(second, sizeof(second), b);
        return a->channels == b->channels && a->sample_rate == b->sample_rate && strcmp(first, second) == 0;
    }
    return strcmp(sh_stream_range(a), sh_stream_range(b)) == 0 && a->has_colour == b->has_colour &&
           a->colour.primaries == b->colour.primaries && a->colour.matrix == b->colour.matrix;
}

static void put_descriptor(sh_dash_xml *x, const char *element, const char *scheme, const char *value)
{
    sh_dash_xml_open(x, element);
    sh_dash_xml_attribute(x, "schemeIdUri", scheme);
    sh_dash_xml_attribute(x, "value", value);
    sh_dash_xml_close(x);
}

/* ---- the set's own attributes ---- */

static const char *const content[] = {"video", "audio", "text", "image"};
static const char *const types[] = {"video/mp4", "audio/mp4", "text/vtt", "image/jpeg"};

static void put_rate(sh_dash_xml *x, const char *name, const sh_stream_track *t)
{
    if (t->rate_num <= 0 || t->rate_den <= 0)
        return;
    if (t->rate_num % t->rate_den == 0)
        sh_dash_xml_number(x, name, t->rate_num / t->rate_den);
    else
        sh_dash_xml_format(x, name, "%d/%d", t->rate_num, t->rate_den);
}

/* par: the shape of the picture, by the largest rendition, whose rounding is least. */
static void put_shape(sh_dash_xml *x, const sh_dash_set *set)
{
    const sh_stream_track *largest = set->members[0];
    for (size_t i = 1; i < set->count; i++)
        if (set->members[i]->width > largest->width)
            largest = set->members[i];
    const bool square = largest->sar_num <= 0 || largest->sar_den <= 0;
    int64_t a = (int64_t)largest->width * (square ? 1 : largest->sar_num);
    int64_t b = (int64_t)largest->height * (square ? 1 : largest->sar_den);
    int64_t divisor = a;
    for (int64_t rest = b; rest > 0;) {
        int64_t next = divisor % rest;
        divisor = rest;
        rest = next;
    }
    sh_dash_xml_format(x, "par", "%" PRId64 ":%" PRId64, a / divisor, b / divisor);
}

static void put_largest(sh_dash_xml *x, const sh_dash_set *set)
{
    int width = 0, height = 0;
    const sh_stream_track *fastest = set->members[0];
    for (size_t i = 0; i < set->count; i++) {
        const sh_stream_track *t = set->members[i];
        width = t->width > width ? t->width : width;
        height = t->height > height ? t->height : height;
        if (t->rate_den > 0 &&
            (int64_t)t->rate_num * fastest->rate_den > (int64_t)fastest->rate_num * t->rate_den)
            fastest = t;
    }
    put_shape(x, set);
    sh_dash_xml_number(x, "maxWidth", width);
    sh_dash_xml_number(x, "maxHeight", height);
    put_rate(x, "maxFrameRate", fastest);
}

static void put_attributes(sh_dash_xml *x, const sh_dash_set *set, int number)
{
    const sh_stream_track *t = set->members[0];
    char tag[36];
    sh_language_tag(tag, sizeof(tag), t->language);
    sh_dash_xml_number(x, "id", number);
    sh_dash_xml_attribute(x, "contentType", content[t->kind]);
    sh_dash_xml_attribute(x, "mimeType", types[t->kind]);
    if (*tag || t->kind == SH_STREAM_AUDIO || t->kind == SH_STREAM_TEXT)
        sh_dash_xml_attribute(x, "lang", *tag ? tag : "und");
    if (t->kind == SH_STREAM_VIDEO)
        put_largest(x, set);
    if (t->kind == SH_STREAM_VIDEO || t->kind == SH_STREAM_AUDIO) {
        sh_dash_xml_attribute(x, "segmentAlignment", sh_dash_aligned(set) ? "true" : "false");
        sh_dash_xml_attribute(x, "startWithSAP", "1");
    }
}

/* ---- descriptors ---- */

/* Speaker layouts of ISO 23091-3 (CICP ChannelConfiguration) by the number of channels of AAC's default
 * layouts; 0: not one of them. */
static int layout_of(int channels)
{
    static const int layouts[] = {0, 1, 2, 3, 4, 5, 6, 0, 12};
    return channels < (int)(sizeof(layouts) / sizeof(layouts[0])) ? layouts[channels] : 0;
}

static void put_channels(sh_dash_xml *x, const sh_stream_track *t)
{
    char value[16];
    int layout = layout_of(t->channels);
    snprintf(value, sizeof(value), "%d", layout ? layout : t->channels);
    put_descriptor(x, "AudioChannelConfiguration",
                   layout ? "urn:mpeg:mpegB:cicp:ChannelConfiguration"
                          : "urn:mpeg:dash:23003:3:audio_channel_configuration:2011",
                   value);
}

static void put_colour(sh_dash_xml *x, const sh_stream_track *t, bool hdr_choice)
{
    const bool hdr = strcmp(sh_stream_range(t), "SDR") != 0;
    const char *element = hdr && hdr_choice ? "EssentialProperty" : "SupplementalProperty";
    const struct {
        const char *scheme;
        int value;
    } rows[] = {{CICP "ColourPrimaries", t->colour.primaries},
                {CICP "TransferCharacteristics", t->colour.transfer},
                {CICP "MatrixCoefficients", t->colour.matrix}};
    for (size_t i = 0; t->has_colour && i < 3; i++) {
        char value[16];
        snprintf(value, sizeof(value), "%d", rows[i].value);
        if (rows[i].value != 2 && rows[i].value >= 0) /* 2: not specified */
            put_descriptor(x, element, rows[i].scheme, value);
    }
}

static void put_label(sh_dash_xml *x, const sh_stream_track *t)
{
    char label[160];
    if (t->kind != SH_STREAM_AUDIO && t->kind != SH_STREAM_TEXT)
        return;
    sh_manifest_label(label, sizeof(label), t);
    sh_dash_xml_open(x, "Label");
    sh_dash_xml_text(x, label);
    sh_dash_xml_close(x);
}

static const char *role_of(const sh_stream_track *t)
{
    static const char *const roles[] = {
        [SH_STREAM_MAIN] = "main",
        [SH_STREAM_ALTERNATE] = "alternate",
        [SH_STREAM_COMMENTARY] = "commentary",
        [SH_STREAM_DUB] = "dub",
        [SH_STREAM_DESCRIPTION] = "description",
        [SH_STREAM_SUBTITLE] = "subtitle",
        [SH_STREAM_CAPTION] = "caption",
        [SH_STREAM_FORCED] = "forced-subtitle",
    };
    return t->kind == SH_STREAM_TEXT && t->role == SH_STREAM_MAIN ? "subtitle" : roles[t->role];
}

static void put_role(sh_dash_xml *x, const sh_stream_track *t)
{
    if (t->kind == SH_STREAM_SHEETS)
        return;
    if (t->kind == SH_STREAM_AUDIO && t->role == SH_STREAM_DESCRIPTION)
        put_descriptor(x, "Accessibility", "urn:tva:metadata:cs:AudioPurposeCS:2007", "1");
    if (t->kind == SH_STREAM_TEXT && t->role == SH_STREAM_CAPTION)
        put_descriptor(x, "Accessibility", "urn:tva:metadata:cs:AudioPurposeCS:2007", "2");
    put_descriptor(x, "Role", ROLES, role_of(t));
}

/* ---- representations ---- */

static void put_base(sh_dash_xml *x, const sh_stream_track *t)
{
    sh_buf uri;
    sh_buf_init(&uri, 16384);
    sh_manifest_uri(&uri, t->folder, t->whole, false);
    x->out->failed |= uri.failed;
    sh_dash_xml_open(x, "BaseURL");
    sh_dash_xml_text(x, sh_buf_cstr(&uri));
    sh_dash_xml_close(x);
    sh_buf_free(&uri);
}

static void put_picture(sh_dash_xml *x, const sh_stream_track *t)
{
    sh_dash_xml_number(x, "width", t->width);
    sh_dash_xml_number(x, "height", t->height);
    if (t->sar_num > 0 && t->sar_den > 0)
        sh_dash_xml_format(x, "sar", "%d:%d", t->sar_num, t->sar_den);
    put_rate(x, "frameRate", t);
}

/* The file is the sheets' bytes over the time they cover, whatever the segments' own durations say. */
static int64_t sheets_rate(const sh_stream_track *t)
{
    __int128 bytes = 0;
    for (size_t i = 0; i < t->segment_count; i++)
        bytes += t->segments[i].bytes;
    __int128 ticks = (__int128)t->sheets.interval * t->sheets.count;
    return ticks < INT64_MAX ? sh_divide_up(bytes * 8 * t->timescale, (int64_t)ticks) : 1;
}

static int64_t bandwidth_of(const sh_stream *stream, const sh_stream_track *t, int64_t buffer_ms)
{
    int64_t rate = t->kind == SH_STREAM_SHEETS ? sheets_rate(t)
                   : t->kind == SH_STREAM_TEXT ? sh_stream_peak(stream, t)
                                               : sh_manifest_bandwidth(stream, t, buffer_ms);
    return rate < 1 ? 1 : rate > UINT_MAX ? UINT_MAX : rate;
}

static int put_representation(sh_dash_xml *x, const sh_stream *stream, const sh_stream_track *t,
                              int64_t buffer_ms, sh_err *err)
{
    int status = 0;
    sh_dash_xml_open(x, "Representation");
    sh_dash_xml_attribute(x, "id", t->id);
    if (t->kind == SH_STREAM_VIDEO || t->kind == SH_STREAM_AUDIO)
        sh_dash_xml_attribute(x, "codecs", t->codecs);
    if (t->kind == SH_STREAM_VIDEO)
        put_picture(x, t);
    if (t->kind == SH_STREAM_AUDIO)
        sh_dash_xml_number(x, "audioSamplingRate", t->sample_rate);
    sh_dash_xml_number(x, "bandwidth", bandwidth_of(stream, t, buffer_ms));
    if (t->kind == SH_STREAM_SHEETS) {
        char grid[32];
        sh_dash_xml_number(x, "width", (int64_t)t->sheets.columns * t->sheets.tile_width);
        sh_dash_xml_number(x, "height", (int64_t)t->sheets.rows * t->sheets.tile_height);
        snprintf(grid, sizeof(grid), "%dx%d", t->sheets.columns, t->sheets.rows);
        put_descriptor(x, "EssentialProperty", "http://dashif.org/guidelines/thumbnail_tile", grid);
    }
    if (t->kind == SH_STREAM_TEXT)
        put_base(x, t);
    else
        status = sh_dash_put_segments(x, t, err);
    sh_dash_xml_close(x);
    return status;
}

int sh_dash_put_set(sh_dash_xml *x, const sh_stream *stream, const sh_dash_set *set, int number,
                    int64_t buffer_ms, bool hdr_choice, sh_err *err)
{
    const sh_stream_track *first = set->members[0];
    int status = 0;
    sh_dash_xml_open(x, "AdaptationSet");
    put_attributes(x, set, number);
    if (first->kind == SH_STREAM_AUDIO)
        put_channels(x, first);
    if (first->kind == SH_STREAM_VIDEO)
        put_colour(x, first, hdr_choice);
    put_label(x, first);
    put_role(x, first);
    for (size_t i = 0; i < set->count && status == 0; i++)
        status = put_representation(x, stream, set->members[i], buffer_ms, err);
    sh_dash_xml_close(x);
    return status;
}
