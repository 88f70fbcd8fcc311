/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an MPD says of a representation against the bytes. */
#include "base/size.h"
#include "stream/check_dash.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const sh_check_clip *clip(const sh_check_track *t, size_t i)
{
    const sh_check_file *f = t->segments[i].file;
    return !f || !f->good ? NULL : f->video.there ? &f->video : &f->audio;
}

/* ---- the timeline ---- */

/* Ticks of the clip's clock at which segment i begins and how long it lasts: as the boxes say (raw), or as
 * presented, the edit list applied. */
static void expected(const sh_check_track *t, size_t i, bool raw, int64_t *time, int64_t *duration)
{
    const sh_check_clip *k = clip(t, i);
    const int64_t from = raw ? k->start : k->first, until = raw ? k->start + k->duration : k->end;
    *time = from > 0 ? from : 0;
    *duration = until - *time;
}

static bool equal(int64_t a, int64_t scale_a, int64_t b, int64_t scale_b)
{
    return (__int128)a * scale_b == (__int128)b * scale_a;
}

static bool told_so(const sh_check_track *t, size_t i, bool raw)
{
    int64_t time, duration;
    const sh_check_clip *k = clip(t, i);
    const sh_check_segment *s = &t->segments[i];
    if (!k)
        return true;
    expected(t, i, raw, &time, &duration);
    return equal(s->time, t->timescale, time, k->timescale) &&
           equal(s->duration, t->timescale, duration, k->timescale);
}

static void timeline_rule(sh_dash *d, const sh_check_track *t)
{
    size_t faults[2] = {0};
    if (!t->vod || !t->init || !t->init->good)
        return;
    for (int raw = 0; raw < 2; raw++)
        for (size_t i = 0; i < t->count; i++)
            faults[raw] += !told_so(t, i, raw);
    const bool raw = faults[1] < faults[0];
    for (size_t i = 0; i < t->count && faults[raw] > 0; i++) {
        int64_t time, duration;
        if (told_so(t, i, raw))
            continue;
        expected(t, i, raw, &time, &duration);
        sh_check_find(d->c, SH_RULE_DASH_TIMELINE, d->name, t->segments[i].line, -1,
                      "segment %zu of %s is told to begin at %" PRId64 " and to last %" PRId64 " (of %" PRId64
                      " a second); its boxes say %" PRId64 " and %" PRId64 " (of %" PRId64 ")",
                      i + 1, t->name, t->segments[i].time, t->segments[i].duration, t->timescale, time,
                      duration, clip(t, i)->timescale);
        return;
    }
}

static void length_rule(sh_dash *d, const sh_check_track *t, double period)
{
    if (t->count == 0) {
        sh_check_find(d->c, SH_RULE_DASH_COUNT, d->name, t->line, -1, "%s has no segment", t->name);
        return;
    }
    const sh_check_segment *last = &t->segments[t->count - 1];
    const double end = (double)(last->time + last->duration - t->offset) / (double)t->timescale;
    const double allowed = t->frame_seconds + (t->audio ? 0.05 : 0.001);
    if (t->vod && d->has_duration && !d->dynamic && fabs(end - period) > allowed &&
        fabs(end - period) > (double)last->duration / (double)t->timescale / 2)
        sh_check_find(d->c, SH_RULE_DASH_COUNT, d->name, t->line, -1,
                      "the segments of %s end at %.6f s, the period at %.6f s", t->name, end, period);
}

/* ---- attributes ---- */

static void codecs_rule(const sh_dash *d, const sh_check_track *t, const sh_mpd_node *node)
{
    const char *told = sh_dash_inherited(node, "codecs"), *mime = sh_dash_inherited(node, "mimeType");
    const char *content = sh_dash_inherited(node, "contentType");
    const char *real = t->video ? t->format.video_codec : t->format.audio_codec;
    const char *type = t->video ? "video/mp4" : "audio/mp4";
    if (!told || strcmp(told, real) != 0)
        sh_check_find(d->c, SH_RULE_DASH_CODECS, d->name, node->line, -1,
                      "codecs is \"%s\", the bytes say \"%s\"", told ? told : "", real);
    if (!mime || strcmp(mime, type) != 0)
        sh_check_find(d->c, SH_RULE_DASH_MIME, d->name, node->line, -1,
                      "mimeType is \"%s\", the bytes are %s", mime ? mime : "", type);
    else if (content && strncmp(content, type, 5) != 0)
        sh_check_find(d->c, SH_RULE_DASH_MIME, d->name, node->line, -1,
                      "contentType is \"%s\", the bytes are %s", content, type);
}

static void size_rule(const sh_dash *d, const sh_check_track *t, const sh_mpd_node *node)
{
    const char *width = sh_dash_inherited(node, "width"), *height = sh_dash_inherited(node, "height");
    const char *sar = sh_dash_inherited(node, "sar"), *rate = sh_dash_inherited(node, "frameRate");
    const sh_check_format *f = &t->format;
    int64_t num, den;
    if (!width || !height || strtol(width, NULL, 10) != f->width || strtol(height, NULL, 10) != f->height)
        sh_check_find(d->c, SH_RULE_DASH_SIZE, d->name, node->line, -1,
                      "the size is told as %sx%s, it is %dx%d", width ? width : "?", height ? height : "?",
                      f->width, f->height);
    else if (sar && sh_mpd_ratio(sar, ':', &num, &den) &&
             num * (f->sar_den > 0 ? f->sar_den : 1) != den * (f->sar_num > 0 ? f->sar_num : 1))
        sh_check_find(d->c, SH_RULE_DASH_SIZE, d->name, node->line, -1, "sar is told as %s, it is %d:%d", sar,
                      f->sar_num, f->sar_den);
    if (!rate || !sh_mpd_ratio(rate, '/', &num, &den) || t->frame_rate <= 0 || t->seconds <= 0)
        return;
    if (!sh_check_rate_fits(t, (double)num / (double)den, 0.001)) /* some write it rounded */
        sh_check_find(d->c, SH_RULE_DASH_RATE, d->name, node->line, -1,
                      "frameRate is %s, the pictures come at %.3f a second at most, %.3f on average", rate,
                      t->frame_rate, (double)t->samples / t->seconds);
}

static void audio_rule(const sh_dash *d, const sh_check_track *t, const sh_mpd_node *node)
{
    const char *rate = sh_dash_inherited(node, "audioSamplingRate");
    const sh_mpd_node *channels = sh_mpd_child(node, "AudioChannelConfiguration", NULL);
    if (!channels)
        channels = sh_mpd_child(node->parent, "AudioChannelConfiguration", NULL);
    if (!rate || strtol(rate, NULL, 10) != t->format.sample_rate)
        sh_check_find(d->c, SH_RULE_DASH_AUDIO, d->name, node->line, -1, "audioSamplingRate is %s, it is %d",
                      rate ? rate : "not there", t->format.sample_rate);
    const char *scheme = sh_mpd_get(channels, "schemeIdUri"), *value = sh_mpd_get(channels, "value");
    const bool plain =
        scheme && (strcmp(scheme, "urn:mpeg:dash:23003:3:audio_channel_configuration:2011") == 0 ||
                   strcmp(scheme, "urn:mpeg:mpegB:cicp:ChannelConfiguration") == 0);
    if (!channels || (plain && t->format.channels > 0 && t->format.channels < 7 &&
                      (!value || strtol(value, NULL, 10) != t->format.channels)))
        sh_check_find(d->c, SH_RULE_DASH_AUDIO, d->name, node->line, -1,
                      "AudioChannelConfiguration is %s, there are %d channels", value ? value : "not there",
                      t->format.channels);
}

/* A client that starts at any segment, receives at `bandwidth` and waits for minBufferTime has every segment
 * in time: no run j..k of segments has more bits than fit before k is due. */
static void bandwidth_rule(const sh_dash *d, const sh_check_track *t, const sh_mpd_node *node)
{
    const char *text = sh_mpd_get(node, "bandwidth");
    const double told = text ? strtod(text, NULL) : 0;
    double bits = 0, time = 0, least = 0, worst = 0;
    size_t where = 0;
    if (told <= 0 || d->buffer <= 0)
        return;
    for (size_t i = 0; i < t->count; i++) {
        const double start = bits - told * time;
        least = i == 0 || start < least ? start : least;
        bits += (double)t->segments[i].file->bytes * 8;
        if (bits - told * time - least > worst) {
            worst = bits - told * time - least;
            where = i;
        }
        time += (double)t->segments[i].duration / (double)t->timescale;
    }
    if (worst > told * d->buffer * 1.001 + 8)
        sh_check_find(
            d->c, SH_RULE_DASH_BANDWIDTH, d->name, node->line, -1,
            "at %s bit/s and after %.3f s, segment %zu comes %.3f s late; the measured peak is %" PRId64,
            text, d->buffer, where + 1, worst / told - d->buffer, t->peak);
    else if (told > 2.0 * (double)t->peak + 1000)
        sh_check_find(d->c, SH_RULE_DASH_BANDWIDTH, d->name, node->line, -1,
                      "bandwidth is %s, the measured peak %" PRId64, text, t->peak);
}

/* Seconds from the period's beginning to the track's end, by its own clock: a picture may begin after the
 * sound. */
static double end_of(const sh_check_track *t)
{
    const double late = t->timescale > 0 ? t->origin - (double)t->offset / (double)t->timescale : 0;
    return t->seconds + (late > 0 && late < 1 ? late : 0);
}

void sh_dash_track_rules(sh_dash *d, sh_check_track *track, const sh_mpd_node *node, double period)
{
    if (d->c->status < 0)
        return;
    length_rule(d, track, period);
    if (!track->measured)
        return;
    if (end_of(track) > d->longest && (track->video || d->longest == 0))
        d->longest = end_of(track);
    if (track->frame_seconds > d->frame)
        d->frame = track->frame_seconds;
    d->exact |= fabs(end_of(track) - d->duration) <= 0.001;
    timeline_rule(d, track);
    codecs_rule(d, track, node);
    bandwidth_rule(d, track, node);
    if (track->video)
        size_rule(d, track, node);
    else
        audio_rule(d, track, node);
}
