/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/still.h"

#include <stdlib.h>

#define CODE 256 /* of a signature */
#define BLACK_LIMITED 16

static bool is_black(const sh_signature *s, bool full, double above)
{
    const double most = ((full ? 0 : BLACK_LIMITED) + above) * CODE;
    for (int i = 0; i < s->across * s->down; i++)
        if (s->mean[i] > most)
            return false;
    return s->across > 0;
}

static void follow(sh_still_finder *f, sh_still_kind kind, bool on, int64_t now)
{
    const sh_still run = {kind, f->run[kind].from, now};
    if (f->run[kind].on && !on && now > run.from)
        f->found(f->opaque, &run);
    if (on && !f->run[kind].on)
        f->run[kind].from = now;
    f->run[kind].on = on;
}

void sh_still_frame(sh_still_finder *f, const AVFrame *frame, int64_t at)
{
    sh_signature now = {0};
    const bool known = sh_signature_make(&now, frame, 1);
    follow(f, SH_STILL_BLACK, known && is_black(&now, frame->color_range == AVCOL_RANGE_JPEG, f->black), at);
    const bool still = known && f->any && f->before.across == now.across && f->before.down == now.down &&
                       sh_signature_distance(&f->before, &now) <= f->frozen;
    follow(f, SH_STILL_FROZEN, still, still && !f->run[SH_STILL_FROZEN].on ? f->last : at);
    f->before = now;
    f->any = true;
    f->last = at;
}

void sh_still_end(sh_still_finder *f, int64_t end)
{
    for (int kind = 0; kind < SH_STILL_KINDS; kind++)
        follow(f, (sh_still_kind)kind, false, end);
    f->any = false;
}

static sh_still *last_of(const sh_stills *stills, int64_t kind)
{
    for (size_t i = stills->count; i > 0; i--)
        if (stills->list[i - 1].kind == kind)
            return &stills->list[i - 1];
    return NULL;
}

bool sh_stills_add(sh_stills *stills, const sh_still *run, int64_t border)
{
    sh_still *last = run->from == border ? last_of(stills, run->kind) : NULL;
    if (last && last->to == border) {
        last->to = run->to;
        return true;
    }
    if (stills->count == stills->capacity) {
        const size_t capacity = stills->capacity ? 2 * stills->capacity : 64;
        sh_still *grown =
            capacity <= SH_STILLS_MAX ? reallocarray(stills->list, capacity, sizeof(*grown)) : NULL;
        if (!grown)
            return false;
        stills->list = grown;
        stills->capacity = capacity;
    }
    stills->list[stills->count++] = *run;
    return true;
}

void sh_stills_prune(sh_stills *stills, int64_t shortest)
{
    size_t kept = 0;
    for (size_t i = 0; i < stills->count; i++)
        if (stills->list[i].to - stills->list[i].from >= shortest)
            stills->list[kept++] = stills->list[i];
    stills->count = kept;
}

void sh_stills_free(sh_stills *stills)
{
    free(stills->list);
    *stills = (sh_stills){0};
}
