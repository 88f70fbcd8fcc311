/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules between tracks: renditions begin and end together and look alike, subtitles lie on the pictures'
 * clock, HLS and DASH name the same files. */
#include "stream/check_inner.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Two clocks may round to ticks of 1/90000 s. */
static double slack(const sh_check_track *a, const sh_check_track *b)
{
    return a->init && b->init ? 2e-6 : 2.5e-5;
}

static double end_of(const sh_check_track *t)
{
    int64_t scale = 1;
    const double begin = sh_check_begin(t, t->count - 1);
    const int64_t step = sh_check_step(t, t->count - 1, &scale);
    return begin + (double)step / (double)scale;
}

static const char *target_word(const sh_check_track *t)
{
    return t->dash ? "representation" : "playlist";
}

/* ---- times ---- */

static void boundaries(sh_checker *c, const sh_check_track *ref, const sh_check_track *t, double allowed)
{
    const size_t common = t->count < ref->count ? t->count : ref->count;
    const double a = end_of(ref), b = end_of(t);
    const bool ends = fabs(a - b) <= allowed + (t->init ? 0 : ref->frame_seconds);
    for (size_t i = 0; i < common; i++) {
        const double x = sh_check_begin(ref, i), y = sh_check_begin(t, i);
        if (i > 0 && fabs(x - y) > allowed) {
            sh_check_find(c, SH_RULE_BOUNDARIES, t->manifest, t->segments[i].line, -1,
                          "segment %zu of %s begins at %.6f s, that of %s at %.6f s", i + 1, t->name, y,
                          ref->name, x);
            return;
        }
    }
    if (!ends)
        sh_check_find(c, SH_RULE_DURATION_SAME, t->manifest, 0, -1,
                      "the %s ends at %.6f s, that of %s at %.6f s", target_word(t), b, ref->name, a);
    else if (t->count != ref->count && (t->video || t->count + 1 < ref->count || t->count > ref->count + 1))
        sh_check_find(c, SH_RULE_BOUNDARIES, t->manifest, 0, -1, "%s has %zu segments, %s %zu", t->name,
                      t->count, ref->name, ref->count);
}

static void start_rule(sh_checker *c, const char *name, double video, double audio)
{
    if (fabs(video - audio) > 0.1 + 1e-6)
        sh_check_find(c, SH_RULE_AV_START, name, 0, -1, "audio begins at %.6f s, pictures at %.6f s", audio,
                      video);
}

static void text_rules(sh_checker *c, const sh_check_track *ref, const sh_check_track *t)
{
    double at = ref->origin, longest = 0;
    if (t->dash)
        return;
    for (size_t i = 0; i < t->count; i++) {
        const sh_check_file *f = t->segments[i].file;
        const double lasts = (double)t->segments[i].nano / 1e9, until = at + lasts;
        longest = lasts > longest ? lasts : longest;
        if (f && f->good && !f->has_map)
            sh_check_find(c, SH_RULE_VTT_MAP, f->name, 1, -1, "there is no X-TIMESTAMP-MAP");
        for (size_t k = 0; f && f->good && f->has_map && k < f->cue_count; k++) {
            const double off = (double)f->map_mpegts / 90000 - (double)f->map_local / 1000;
            const double from = (double)f->cues[k].from / 1000 + off, to = (double)f->cues[k].to / 1000 + off;
            if (from < until + 0.002 && to > at - 0.002)
                continue;
            sh_check_find(c, SH_RULE_VTT_TIME, f->name, 0, -1,
                          "a cue from %.3f to %.3f s is not within its segment from %.3f to %.3f s", from, to,
                          at, until);
            break;
        }
        at = until;
    }
    if (t->count == 0)
        return;
    if (fabs(at - ref->origin - ref->seconds) > longest / 2 + 1)
        sh_check_find(c, SH_RULE_DURATION_SAME, t->manifest, 0, -1,
                      "the subtitles' playlist lasts %.3f s, that of %s %.3f s", at - ref->origin, ref->name,
                      ref->seconds);
}

/* ---- pictures ---- */

static void look_rules(sh_checker *c, const sh_check_track *ref, const sh_check_track *t)
{
    const sh_check_format *a = &ref->format, *b = &t->format;
    const char *name = t->init ? t->init->name : t->manifest;
    if (a->width == 0 || b->width == 0)
        return;
    const int an = a->sar_num > 0 ? a->sar_num : 1, ad = a->sar_num > 0 ? a->sar_den : 1;
    const int bn = b->sar_num > 0 ? b->sar_num : 1, bd = b->sar_num > 0 ? b->sar_den : 1;
    if ((int64_t)an * bd != (int64_t)bn * ad)
        sh_check_find(c, SH_RULE_SAR, name, 0, -1, "pixels are %d:%d, those of %s %d:%d", bn, bd, ref->name,
                      an, ad);
    else if (fabs((double)a->width * b->height / a->height - b->width) > 2.01 &&
             fabs((double)a->height * b->width / a->width - b->height) > 2.01)
        sh_check_find(c, SH_RULE_ASPECT, name, 0, -1, "pictures are %dx%d, those of %s %dx%d", b->width,
                      b->height, ref->name, a->width, a->height);
    if (a->video == b->video && a->colour.transfer == b->colour.transfer &&
        (a->colour.primaries != b->colour.primaries || a->colour.matrix != b->colour.matrix ||
         a->colour.full_range != b->colour.full_range))
        sh_check_find(c, SH_RULE_SWITCH_COLOUR, name, 0, -1, "colour is %d/%d/%d, that of %s %d/%d/%d",
                      b->colour.primaries, b->colour.transfer, b->colour.matrix, ref->name,
                      a->colour.primaries, a->colour.transfer, a->colour.matrix);
}

static void set_rules(sh_checker *c, bool dash)
{
    const sh_check_track *ref = NULL;
    for (size_t i = 0; i < c->track_count && !ref; i++)
        if (c->tracks[i]->dash == dash && !c->tracks[i]->iframes && c->tracks[i]->video &&
            c->tracks[i]->measured)
            ref = c->tracks[i];
    for (size_t i = 0; i < c->track_count && !ref; i++)
        if (c->tracks[i]->dash == dash && !c->tracks[i]->iframes && c->tracks[i]->audio &&
            c->tracks[i]->measured)
            ref = c->tracks[i];
    if (!ref)
        return;
    const sh_check_file *first = ref->segments[0].file;
    if (first->video.there && first->audio.there)
        start_rule(c, first->name, (double)first->video.first / (double)first->video.timescale,
                   (double)first->audio.first / (double)first->audio.timescale);
    for (size_t i = 0; i < c->track_count; i++) {
        const sh_check_track *t = c->tracks[i];
        if (t == ref || t->dash != dash || t->iframes || t->count == 0)
            continue;
        if (t->text || t->declared == 't') {
            text_rules(c, ref, t);
            continue;
        }
        if (!t->dash && ref->target != t->target && t->target > 0 && ref->target > 0)
            sh_check_find(c, SH_RULE_TARGET_SAME, t->manifest, t->line, -1,
                          "the target duration is %" PRId64 " s, that of %s %" PRId64, t->target, ref->name,
                          ref->target);
        if (!t->measured)
            continue;
        if (t->video) {
            boundaries(c, ref, t, slack(ref, t));
            look_rules(c, ref, t);
        } else if (ref->video) {
            start_rule(c, t->manifest, ref->origin, t->origin);
            if (fabs(ref->origin - t->origin) <= 0.1)
                boundaries(c, ref, t, t->frame_seconds + slack(ref, t));
        } else {
            boundaries(c, ref, t, t->frame_seconds + slack(ref, t));
        }
    }
}

/* ---- the same bytes ---- */

static bool shares(const sh_check_track *a, const sh_check_track *b)
{
    if (a->init && a->init == b->init)
        return true;
    const size_t n = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < n; i++)
        if (a->segments[i].file && a->segments[i].file == b->segments[i].file)
            return true;
    return false;
}

static const char *file_name(const sh_check_track *t, size_t i)
{
    return i < t->count && t->segments[i].file ? t->segments[i].file->name : "nothing";
}

static void compare(sh_checker *c, const sh_check_track *hls, const sh_check_track *dash)
{
    const size_t n = hls->count > dash->count ? hls->count : dash->count;
    if (hls->init != dash->init)
        sh_check_find(c, SH_RULE_SAME_BYTES, dash->manifest, dash->line, -1,
                      "%s has the header %s, in HLS it is %s", dash->name,
                      dash->init ? dash->init->name : "none", hls->init ? hls->init->name : "none");
    for (size_t i = 0; i < n; i++)
        if (strcmp(file_name(hls, i), file_name(dash, i)) != 0) {
            sh_check_find(c, SH_RULE_SAME_BYTES, dash->manifest, dash->line, -1,
                          "segment %zu of %s is %s, in HLS %s", i + 1, dash->name, file_name(dash, i),
                          file_name(hls, i));
            return;
        }
}

static bool plays(const sh_check_track *t, bool dash)
{
    return t->dash == dash && !t->iframes && !t->text && t->declared != 't' && t->count > 0;
}

static void same_bytes(sh_checker *c)
{
    static const sh_rule structure[] = {SH_RULE_ATTRIBUTES, SH_RULE_STREAM_INF, SH_RULE_AVAILABLE,
                                        SH_RULE_URI,        SH_RULE_EXTM3U,     SH_RULE_UTF8,
                                        SH_RULE_MAP,        SH_RULE_ENCRYPTED,  SH_RULE_XML};
    bool any = c->options->same_bytes;
    for (size_t i = 0; i < sizeof(structure) / sizeof(structure[0]); i++)
        if (c->of_rule[structure[i]] > 0)
            return; /* what could not be read is missing for a reason that is told */
    for (size_t i = 0; i < c->track_count; i++)
        for (size_t k = 0; k < c->track_count && !any; k++)
            any =
                plays(c->tracks[i], false) && plays(c->tracks[k], true) && shares(c->tracks[i], c->tracks[k]);
    if (!any || !c->saw_hls || !c->saw_dash)
        return;
    for (size_t i = 0; i < c->track_count; i++) {
        const sh_check_track *t = c->tracks[i], *other = NULL;
        if (!plays(t, t->dash))
            continue;
        for (size_t k = 0; k < c->track_count && !other; k++)
            if (plays(c->tracks[k], !t->dash) && shares(t, c->tracks[k]))
                other = c->tracks[k];
        if (!other)
            sh_check_find(c, SH_RULE_SAME_BYTES, t->manifest, t->line, -1, "%s is not in %s", t->name,
                          t->dash ? "HLS" : "DASH");
        else if (!t->dash)
            compare(c, t, other);
    }
}

void sh_check_across(sh_checker *c)
{
    set_rules(c, false);
    if (!c->saw_hls)
        set_rules(c, true);
    same_bytes(c);
}
