/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/ladder_time.h"

#include <limits.h>
#include <libavutil/mathematics.h>

#define LEAST 1000 /* ticks a second */
#define GUESSED_STEP 25
#define ROUNDED_MS 1 /* containers round times to milliseconds */

static int choose_clock(sh_timeline *t, const sh_timeline_settings *s, sh_err *err)
{
    AVRational rate = s->to.num > 0 ? s->to : s->rate, base = s->source;
    t->converts = s->to.num > 0 && s->to.den > 0;
    t->constant = (t->converts || !s->vfr) && rate.num > 0 && rate.den > 0;
    if (base.num <= 0 || base.den <= 0)
        return sh_fail(err, SH_E_UNSUPPORTED, "the source has no time base");
    if (t->constant && !av_reduce(&rate.num, &rate.den, rate.num, rate.den, 1 << 24))
        t->constant = false;
    const int ticks = t->constant ? rate.num : base.den;
    const int times = ticks < LEAST ? (LEAST + ticks - 1) / ticks : 1;
    t->timescale = ticks * times;
    t->step = t->constant                    ? (int64_t)rate.den * times
              : rate.num > 0 && rate.den > 0 ? av_rescale(t->timescale, rate.den, rate.num)
                                             : t->timescale / GUESSED_STEP;
    if (t->step < 1)
        t->step = 1;
    const int64_t rounded = av_rescale_rnd(ROUNDED_MS, t->timescale, 1000, AV_ROUND_UP);
    const int64_t own = av_rescale_q_rnd(1, base, (AVRational){1, t->timescale}, AV_ROUND_UP);
    t->slack = own > rounded ? own : rounded;
    if (t->slack > t->step / 3)
        t->slack = t->step / 3;
    return 0;
}

int sh_timeline_open(sh_timeline *timeline, const sh_timeline_settings *settings, sh_err *err)
{
    sh_timeline t = {.source = settings->source, .last = INT64_MIN, .next = 1};
    if (!(settings->segment_seconds >= 0.1 && settings->segment_seconds <= 3600))
        return sh_fail(err, SH_E_ARGUMENT, "segments of %g s: between 0.1 s and an hour are possible",
                       settings->segment_seconds);
    int status = choose_clock(&t, settings, err);
    if (status < 0)
        return status;
    t.length = (int64_t)(settings->segment_seconds * t.timescale + 0.5);
    t.min_last =
        settings->min_last_seconds > 0 ? (int64_t)(settings->min_last_seconds * t.timescale + 0.5) : 0;
    if (t.min_last > t.length)
        t.min_last = t.length;
    t.total = settings->duration > 0 ? (int64_t)(settings->duration * t.timescale + 0.5) : 0;
    *timeline = t;
    return 0;
}

void sh_timeline_begin(sh_timeline *timeline, int64_t first_pts, int64_t zero_us)
{
    const AVRational ticks = {1, timeline->timescale}, us = {1, 1000000};
    const int64_t first_us = av_rescale_q(first_pts, timeline->source, us);
    timeline->first_pts = first_pts;
    timeline->offset = first_us > zero_us ? av_rescale_q(first_us - zero_us, us, ticks) : 0;
}

void sh_timeline_resume(sh_timeline *timeline, int64_t start, int64_t last)
{
    timeline->last = last;
    timeline->next = (start - timeline->offset) / timeline->length + 1;
    timeline->since = 2; /* what comes is the first of a segment */
}

static int64_t time_of(const sh_timeline *t, int64_t pts)
{
    const AVRational ticks = {1, t->timescale};
    const int64_t told = av_rescale_q(pts - t->first_pts, t->source, ticks);
    if (!t->constant)
        return told;
    if (t->converts)
        return (told - t->slack + t->step - 1) / t->step * t->step;
    const int64_t grid = (told + t->step / 2) / t->step * t->step;
    const int64_t beside = told > grid ? told - grid : grid - told;
    return beside <= t->slack ? grid : told;
}

int64_t sh_timeline_take(sh_timeline *t, int64_t pts, bool *begins)
{
    int64_t time = time_of(t, pts);
    if (t->last != INT64_MIN && time + t->offset <= t->last)
        time = t->last + (t->converts ? 0 : 1) - t->offset;
    const bool first = t->last == INT64_MIN;
    const int64_t left = t->total - time;
    const bool tail = t->total > 0 && left < t->min_last && left >= -t->min_last;
    *begins = first || (time >= t->next * t->length && t->since >= 2 && !tail);
    t->since = *begins ? 1 : t->since + 1;
    if (*begins)
        t->next = time / t->length + 1;
    t->last = time + t->offset;
    return t->last;
}
