/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules within one track: its segments follow one another on their own clock, and the playlist tells their
 * durations. A CMAF segment's duration is its own (from its first presentation time to the end of its last
 * sample), so that a gap between two segments is one finding and not also a wrong EXTINF; a transport stream
 * tells no end, there it is the distance to the next segment's first picture. */
#include "stream/check_inner.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NANO 1000000000
#define RUN_MOST 2000 /* segments of a run that is looked at for its rate: hostile playlists name many */

static const sh_check_clip *clip(const sh_check_track *t, size_t i)
{
    const sh_check_file *f = t->segments[i].file;
    if (!f || !f->good)
        return NULL;
    return f->video.there ? &f->video : f->audio.there ? &f->audio : NULL;
}

static bool transport(const sh_check_track *t, size_t i)
{
    return t->segments[i].file && t->segments[i].file->kind == SH_FILE_TS;
}

static bool skips(const sh_check_track *t)
{
    return t->init && t->init->good && sh_mp4_skipped(&t->init->header->tracks[0]) > 0;
}

int64_t sh_check_step(const sh_check_track *track, size_t i, int64_t *timescale)
{
    const sh_check_clip *at = clip(track, i), *next = i + 1 < track->count ? clip(track, i + 1) : NULL;
    if (!at)
        return 0;
    *timescale = at->timescale;
    if (!transport(track, i))
        return at->end - (i == 0 && at->first < 0 ? 0 : at->first);
    if (next && transport(track, i + 1))
        return next->first - at->first;
    if (i + 1 < track->count)
        return 0;
    return at->last - at->first + (at->last_duration > 0 ? at->last_duration : at->shortest);
}

double sh_check_begin(const sh_check_track *track, size_t i)
{
    const sh_check_clip *at = clip(track, i);
    if (!at)
        return NAN;
    return (double)(i == 0 && at->first < 0 && skips(track) ? 0 : at->first) / (double)at->timescale;
}

/* Pictures are presented when the first of them is decoded: what its composition offset adds (for the
 * reordering), the edit list takes off, and nothing else. */
static void edit_rule(sh_checker *c, const sh_check_track *t)
{
    const sh_check_clip *k = t->count > 0 && t->video && t->init && t->init->good ? clip(t, 0) : NULL;
    const sh_mp4_track *h = k ? &t->init->header->tracks[0] : NULL;
    if (!k || h->edit_count != 1 || h->edits[0].media_time < 0 || k->first == k->start || c->options->growing)
        return;
    sh_check_find(c, SH_RULE_EDIT, t->init->name, 0, (int64_t)h->offset,
                  "the edit begins at %" PRId64 ", the first picture is shown %" PRId64
                  " ticks after it is decoded",
                  h->edits[0].media_time, k->first - k->start + sh_mp4_skipped(h));
}

/* ---- one border ---- */

static void border_rules(sh_checker *c, const sh_check_track *t, size_t i)
{
    const sh_check_clip *a = clip(t, i - 1), *b = clip(t, i);
    const char *name = t->segments[i].file ? t->segments[i].file->name : t->name;
    if (!a || !b || t->segments[i - 1].file->torn || a->timescale != b->timescale ||
        t->segments[i].discontinuity)
        return;
    if (transport(t, i)) {
        const int64_t gap = b->first_dts - a->last_dts;
        const int64_t step = a->samples > 1 ? (a->last_dts - a->first_dts) / (a->samples - 1) : 0;
        const bool constant = a->shortest > 0 && step - a->shortest <= a->shortest / 20 + 1;
        if (constant && gap > a->shortest + a->shortest / 2)
            sh_check_find(c, SH_RULE_CONTINUOUS, name, 0, -1,
                          "the first picture is decoded %.6f s after the last one of %s, pictures are %.6f s "
                          "apart",
                          (double)gap / SH_CHECK_TICKS, t->segments[i - 1].file->name,
                          (double)a->shortest / SH_CHECK_TICKS);
        return;
    }
    if (b->start != a->start + a->duration)
        sh_check_find(c, SH_RULE_TFDT, name, 0, -1,
                      "tfdt is %" PRId64 ", %s ends at %" PRId64 " (of %" PRId64 " a second)", b->start,
                      t->segments[i - 1].file->name, a->start + a->duration, a->timescale);
    else if (b->first != a->end)
        sh_check_find(c, SH_RULE_CONTINUOUS, name, 0, -1,
                      "the first sample is shown at %" PRId64 ", %s ends at %" PRId64 " (of %" PRId64
                      " a second)",
                      b->first, t->segments[i - 1].file->name, a->end, a->timescale);
}

/* ---- EXTINF ---- */

typedef struct sums {
    __int128 told, real; /* nanoseconds, and nanoseconds */
    __int128 low, high;  /* of told - real */
    bool faulty;
} sums;

static int64_t nano_of(int64_t ticks, int64_t timescale)
{
    return (int64_t)(((__int128)ticks * NANO + timescale / 2) / timescale);
}

static int64_t whole(__int128 nano)
{
    return (int64_t)((nano + NANO / 2) / NANO);
}

/* A transport stream's last segment ends with its last picture, which may stay as long as there is sound, or
 * with its sound. How long the last picture stays is not in the bytes; a writer may leave out what the last
 * block of sound has too much. */
static bool last_fits(const sh_check_track *t, size_t i, int64_t nano, int64_t real)
{
    const sh_check_file *f = t->segments[i].file;
    int64_t heard = 0;
    if (f->video.there && f->audio.there)
        heard = nano_of(f->audio.last + f->audio.last_duration - f->video.first, SH_CHECK_TICKS);
    const int64_t end = heard > real ? heard : real;
    return nano > real - NANO / 10 && nano < end + NANO / 5;
}

static bool extinf_fits(const sh_check_track *t, size_t i, int64_t real, const sums *s)
{
    const sh_check_segment *g = &t->segments[i];
    const bool ts = transport(t, i);
    if (g->integer) {
        const int64_t told = g->nano / NANO, alone = whole(real);
        const int64_t run = whole(s->real + real) - whole(s->real);
        return told == alone || told == run || (told == 1 && alone == 0) || (ts && llabs(told - alone) <= 1);
    }
    if (ts && i + 1 == t->count)
        return last_fits(t, i, g->nano, real);
    return llabs(g->nano - real) <= (ts ? 13000 : 1001);
}

static void extinf_rule(sh_checker *c, sh_check_track *t, size_t i, sums *s)
{
    int64_t timescale = 1;
    const sh_check_segment *g = &t->segments[i];
    const int64_t ticks = sh_check_step(t, i, &timescale);
    if (ticks <= 0 || g->nano <= 0 || g->file->torn)
        return;
    int64_t real = nano_of(ticks, timescale);
    /* some writers count the priming of audio with its first segment */
    const int64_t with = clip(t, i) ? nano_of(clip(t, i)->end - clip(t, i)->first, timescale) : real;
    if (i == 0 && !transport(t, i) && llabs(g->nano - with) <= 1001)
        real = with;
    if (!extinf_fits(t, i, real, s)) {
        s->faulty = true;
        sh_check_find(c, SH_RULE_EXTINF_EXACT, t->manifest, g->line, -1,
                      "EXTINF is %.6f s, %s lasts %.6f s (%" PRId64 " ticks of %" PRId64 " a second)",
                      (double)g->nano / NANO, g->file->name, (double)real / NANO, ticks, timescale);
    } else if (transport(t, i) && i + 1 == t->count && !g->integer) {
        real = g->nano; /* the last picture stays as long as there is sound */
    }
    s->told += g->nano;
    s->real += real;
    const __int128 off = s->told - s->real;
    s->low = off < s->low ? off : s->low;
    s->high = off > s->high ? off : s->high;
}

/* ---- rates ---- */

static double segment_seconds(const sh_check_track *t, size_t i)
{
    int64_t timescale = 1;
    const int64_t ticks = sh_check_step(t, i, &timescale);
    if (t->text || ticks <= 0 || (t->segments[i].file->torn && t->segments[i].nano > 0))
        return (double)t->segments[i].nano / NANO;
    if (transport(t, i) && i + 1 == t->count && !t->segments[i].integer &&
        last_fits(t, i, t->segments[i].nano, nano_of(ticks, timescale)))
        return (double)t->segments[i].nano / NANO; /* the last picture stays as long as there is sound */
    return (double)ticks / (double)timescale;
}

static int64_t segment_bytes(const sh_check_segment *s)
{
    return s->length >= 0 ? s->length : s->file ? s->file->bytes : 0;
}

int64_t sh_check_peak(const sh_check_track *track)
{
    double target = (double)track->target, most = 0, all_seconds = 0, all_bytes = 0;
    for (size_t i = 0; i < track->count && track->target == 0; i++)
        target = fmax(target, segment_seconds(track, i));
    for (size_t i = 0; i < track->count; i++) {
        double seconds = 0, bytes = 0;
        all_seconds += segment_seconds(track, i);
        all_bytes += (double)segment_bytes(&track->segments[i]);
        for (size_t k = i; k < track->count && k - i < RUN_MOST; k++) {
            seconds += segment_seconds(track, k);
            bytes += (double)segment_bytes(&track->segments[k]);
            if (seconds > target * 1.5 + 1e-6 || seconds <= 0)
                break;
            if (seconds >= target / 2 - 1e-6 && bytes / seconds > most)
                most = bytes / seconds;
        }
    }
    if (most == 0 && all_seconds > 0)
        most = all_bytes / all_seconds;
    return (int64_t)ceil(most * 8);
}

bool sh_check_rate_fits(const sh_check_track *t, double rate, double slack)
{
    const double average = (double)t->samples / t->seconds, most = t->frame_rate;
    const double ticks =
        t->init ? 1 : 2; /* by which a duration, or a difference of two stamps, may be rounded */
    const double rounding = slack + ticks * t->tick / t->seconds * average;
    const bool constant = 1 / average - 1 / most < ticks * t->tick;
    if (constant)
        return fabs(rate - most) <= slack || fabs(rate - average) <= rounding;
    return rate >= average - rounding && rate <= (t->init ? most : 1 / (1 / most - t->tick)) + slack;
}

/* ---- the track's summary ---- */

static void same_format(sh_checker *c, sh_check_track *t, const sh_check_file *f)
{
    if (f->kind != SH_FILE_TS)
        return;
    if (!*t->format.video_codec && !*t->format.audio_codec) {
        t->format = f->format;
        return;
    }
    if (f->video.there && *f->format.video_codec &&
        (strcmp(t->format.video_codec, f->format.video_codec) != 0 || t->format.width != f->format.width ||
         t->format.height != f->format.height))
        sh_check_find(c, SH_RULE_CODECS, f->name, 0, -1,
                      "it is %s of %dx%d, the segments before are %s of %dx%d", f->format.video_codec,
                      f->format.width, f->format.height, t->format.video_codec, t->format.width,
                      t->format.height);
}

static void gather(sh_checker *c, sh_check_track *t)
{
    int64_t shortest = 0, scale = 1;
    t->measured = t->count > 0;
    if (t->init && t->init->good)
        t->format = t->init->format;
    for (size_t i = 0; i < t->count; i++) {
        const sh_check_file *f = t->segments[i].file;
        const sh_check_clip *k = clip(t, i);
        t->bytes += segment_bytes(&t->segments[i]);
        if (!f || !f->good) {
            t->measured = false;
            continue;
        }
        if (f->kind == SH_FILE_VTT) {
            t->text = true;
            t->samples += (int64_t)f->cue_count;
            continue;
        }
        same_format(c, t, f);
        t->video |= f->video.there;
        t->audio |= f->audio.there;
        t->samples += k ? k->samples : 0;
        if (k && f->video.there && k->shortest > 0 && (shortest == 0 || k->shortest < shortest)) {
            shortest = k->shortest;
            scale = k->timescale;
        }
    }
    t->frame_rate = shortest > 0 ? (double)scale / (double)shortest : 0;
    t->tick = 1 / (double)scale;
    for (size_t i = 0; i < t->count; i++)
        t->seconds += segment_seconds(t, i);
    t->origin = t->count > 0 ? sh_check_begin(t, 0) : NAN;
    t->frame_seconds = t->video && t->samples > 0  ? t->seconds / (double)t->samples
                       : t->format.sample_rate > 0 ? (double)t->format.frame / t->format.sample_rate
                                                   : 0;
    t->peak = sh_check_peak(t);
    t->average = t->seconds > 0 ? (int64_t)ceil((double)t->bytes * 8 / t->seconds) : 0;
}

static void format_rules(sh_checker *c, const sh_check_track *t)
{
    const sh_check_format *f = &t->format;
    const bool hdr = f->colour.transfer == 16 || f->colour.transfer == 18;
    if (!t->video)
        return;
    if (f->video == SH_CODEC_HEVC && !t->init)
        sh_check_find(c, SH_RULE_HEVC_FMP4, t->manifest, 0, -1, "HEVC is in a transport stream");
    if (hdr && (f->video == SH_CODEC_AVC || f->bit_depth < 10))
        sh_check_find(c, SH_RULE_HDR_CODEC, t->init ? t->init->name : t->manifest, 0, -1,
                      "transfer %d with %s of %d bits", f->colour.transfer, sh_codec_name(f->video),
                      f->bit_depth);
    if (t->frame_rate > 60.06 && (double)t->samples / (t->seconds > 0 ? t->seconds : 1) > 60.06)
        sh_check_find(c, SH_RULE_FRAME_RATE_MOST, t->manifest, 0, -1, "%.3f pictures a second",
                      t->frame_rate);
}

static void key_rule(sh_checker *c, const sh_check_track *t)
{
    int64_t before = INT64_MIN;
    for (size_t i = 0; i < t->count; i++) {
        const sh_check_file *f = t->segments[i].file;
        for (size_t k = 0; f && f->good && f->video.there && k < f->key_count; k++) {
            const int64_t at = f->keys[k].pts;
            if (before != INT64_MIN && at - before > f->video.timescale * 2 + f->video.timescale / 10) {
                sh_check_find(c, SH_RULE_KEY_INTERVAL, f->name, 0, f->keys[k].offset,
                              "key pictures are %.3f s apart",
                              (double)(at - before) / (double)f->video.timescale);
                return;
            }
            before = at;
        }
    }
}

static void report_track(sh_checker *c, const sh_check_track *t)
{
    sh_stream_report *r = c->report;
    sh_stream_checked *grown = reallocarray(r->tracks, r->track_count + 1, sizeof(*grown));
    char *name = strdup(t->name);
    if (grown)
        r->tracks = grown;
    if (!grown || !name) {
        free(name);
        sh_check_memory(c);
        return;
    }
    sh_stream_checked *row = &r->tracks[r->track_count++];
    *row = (sh_stream_checked){.name = name,
                               .segments = t->count,
                               .samples = t->samples,
                               .bytes = t->bytes,
                               .seconds = t->seconds,
                               .peak = t->peak,
                               .average = t->average};
    row->kind = t->iframes             ? 'i'
                : t->text              ? 't'
                : t->video && t->audio ? 'm'
                : t->video             ? 'v'
                : t->audio             ? 'a'
                                       : t->declared;
    row->width = t->video ? t->format.width : 0;
    row->height = t->video ? t->format.height : 0;
    snprintf(row->codecs, sizeof(row->codecs), "%s%s%s", t->format.video_codec,
             *t->format.video_codec && *t->format.audio_codec ? "," : "", t->format.audio_codec);
}

/* Whether another track has the same files: their faults are told once. */
static bool has_twin(const sh_checker *c, const sh_check_track *t)
{
    for (size_t i = 0; i < c->track_count; i++)
        if (c->tracks[i] != t && !c->tracks[i]->iframes && t->init && c->tracks[i]->init == t->init)
            return true;
    return false;
}

void sh_check_track_rules(sh_checker *c, sh_check_track *track)
{
    sums s = {0};
    if (track->seconds > 0 || c->status < 0)
        return; /* it was done for another manifest */
    gather(c, track);
    const bool twin = track->dash && has_twin(c, track);
    for (size_t i = 1; i < track->count && !twin; i++)
        border_rules(c, track, i);
    if (!track->dash && !track->text)
        for (size_t i = 0; i < track->count; i++)
            extinf_rule(c, track, i, &s);
    const __int128 frame = (__int128)(track->frame_seconds * NANO) + 2;
    const bool integer = track->count > 0 && track->segments[0].integer;
    if (!s.faulty && !integer && s.high - s.low > frame)
        sh_check_find(c, SH_RULE_EXTINF_SUM, track->manifest, 0, -1,
                      "the EXTINF of a run differ from its duration by %.6f s, a frame is %.6f s",
                      (double)(s.high - s.low) / NANO, track->frame_seconds);
    if (!twin) {
        edit_rule(c, track);
        format_rules(c, track);
    }
    if (c->options->strict && track->video)
        key_rule(c, track);
    report_track(c, track);
}

/* ---- I-frames ---- */

static const sh_check_key *key_at(const sh_check_segment *s)
{
    for (size_t k = 0; s->file && k < s->file->key_count; k++)
        if (s->file->keys[k].offset == s->from && s->file->keys[k].end == s->from + s->length)
            return &s->file->keys[k];
    return NULL;
}

static bool range_rule(sh_checker *c, const sh_check_track *t, const sh_check_segment *s)
{
    const sh_check_file *f = s->file;
    if (!f || !f->there)
        return false;
    if (s->length >= 0 && (s->from > f->bytes || s->length > f->bytes - s->from)) {
        sh_check_find(c, SH_RULE_BYTERANGE, t->manifest, s->line, -1,
                      "bytes %" PRId64 " to %" PRId64 " of %s, which has %" PRId64, s->from,
                      s->from + s->length, f->name, f->bytes);
        return false;
    }
    if (f->kind == SH_FILE_TS && s->length >= 0 && (s->from % SH_TS_BYTES || s->length % SH_TS_BYTES)) {
        sh_check_find(c, SH_RULE_IFRAME_RANGE, t->manifest, s->line, -1,
                      "bytes %" PRId64 " to %" PRId64 " are no whole transport packets", s->from,
                      s->from + s->length);
        return false;
    }
    if (f->kind == SH_FILE_MP4 && f->good && s->length >= 0 && !key_at(s)) {
        sh_check_find(c, SH_RULE_IFRAME_RANGE, t->manifest, s->line, -1,
                      "bytes %" PRId64 " to %" PRId64 " of %s are no moof with its key picture", s->from,
                      s->from + s->length, f->name);
        return false;
    }
    return true;
}

/* The end, in ticks, of the segments of the playlist that names the same header. */
static int64_t end_of_film(const sh_checker *c, const sh_check_track *t)
{
    for (size_t i = 0; i < c->track_count; i++) {
        const sh_check_track *o = c->tracks[i];
        if (o != t && !o->iframes && o->init == t->init && o->count > 0 && clip(o, o->count - 1))
            return clip(o, o->count - 1)->end;
    }
    return INT64_MIN;
}

static void iframe_times(sh_checker *c, const sh_check_track *t)
{
    const int64_t end = end_of_film(c, t);
    for (size_t i = 0; i < t->count; i++) {
        const sh_check_segment *s = &t->segments[i];
        const sh_check_key *at = key_at(s), *next = i + 1 < t->count ? key_at(&t->segments[i + 1]) : NULL;
        const int64_t until = next ? next->pts : i + 1 == t->count ? end : INT64_MIN;
        if (!at || until == INT64_MIN || s->nano == 0)
            continue;
        const int64_t real = nano_of(until - at->pts, s->file->video.timescale);
        if (s->integer ? llabs(s->nano - real) > NANO : llabs(s->nano - real) > 1001) {
            sh_check_find(c, SH_RULE_IFRAME_TIME, t->manifest, s->line, -1,
                          "EXTINF is %.6f s, the next key picture comes after %.6f s", (double)s->nano / NANO,
                          (double)real / NANO);
            return;
        }
    }
}

void sh_check_iframe_rules(sh_checker *c, sh_check_track *track)
{
    bool fine = true;
    if (track->seconds > 0 || c->status < 0)
        return;
    for (size_t i = 0; i < track->count; i++) {
        const sh_check_segment *s = &track->segments[i];
        fine = range_rule(c, track, s) && fine;
        track->bytes += segment_bytes(s);
        track->seconds += (double)s->nano / NANO;
        track->video |= s->file && s->file->video.there;
        if (s->file && s->file->kind == SH_FILE_TS && !*track->format.video_codec)
            track->format = s->file->format;
    }
    if (track->init && track->init->good) {
        track->format = track->init->format;
        track->video = true;
    }
    *track->format.audio_codec = '\0';
    track->audio = false;
    track->samples = (int64_t)track->count;
    track->measured = fine && track->count > 0 && *track->format.video_codec;
    track->average = track->seconds > 0 ? (int64_t)ceil((double)track->bytes * 8 / track->seconds) : 0;
    track->text = true; /* durations by EXTINF */
    track->peak = sh_check_peak(track);
    track->text = false;
    if (fine)
        iframe_times(c, track);
    report_track(c, track);
}
