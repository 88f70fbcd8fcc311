/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stages of a ladder at work, from the first segment that is not committed to the end of the film or the
 * first reason to stop.
 *
 * A segment that has to be made again (its enlarged pictures were none, or a video of it does not decode
 * back) ends the run in front of it: all segments before it are committed, and the next run begins with it,
 * as after a crash. Nothing that a stage does waits for a later one but by lines and queues, and all of those
 * can be closed from any side. */
#include "base/clock.h"
#include "base/log.h"
#include "media/ladder_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE 4 /* pictures waiting between two stages */
#define REPORT_US 100000
#define FINISH_US 10000000 /* what a segment may still take when the work is to stop */
#define STILL_BLACK 12     /* codes above black; wider than the checker's limits (still.h) */
#define STILL_FROZEN 2     /* codes: less is not visible (fallback.c) */

/* ---- progress ---- */

void ladder_report(ladder *l)
{
    const int64_t now = sh_monotonic_us();
    sh_message message = {.kind = SH_MSG_PROGRESS};
    pthread_mutex_lock(&l->meter);
    const bool due = now - l->reported_us >= REPORT_US;
    if (due)
        l->reported_us = now;
    pthread_mutex_unlock(&l->meter);
    if (!due)
        return;
    int64_t least = l->job.video_count > 0 ? INT64_MAX : 0;
    for (int i = 0; i < l->job.video_count; i++)
        least = l->rungs[i].frames < least ? l->rungs[i].frames : least;
    message.number[SH_LP_PHASE] = l->phase;
    message.number[SH_LP_DECODED] = l->decoded;
    message.number[SH_LP_ENCODED] = l->working ? l->run_base + least : l->committed;
    message.number[SH_LP_EXPECTED] = l->plan.frames;
    message.number[SH_LP_RESUMED] = l->resumed_frames;
    message.number[SH_LP_COMMITTED] = l->committed;
    message.number[SH_LP_SEGMENTS] = l->pieces;
    message.number[SH_LP_BYTES] = l->bytes;
    sh_channel_send(l->channel, &message);
}

/* ---- stopping ---- */

static void stop_all(ladder *l)
{
    sh_line_close(l->prepared);
    sh_queue_close(l->pictures);
    for (int i = 0; i < l->job.video_count; i++)
        sh_rung_stop(&l->rungs[i]);
}

void ladder_fail(ladder *l, const sh_err *err)
{
    pthread_mutex_lock(&l->lock);
    if (l->failure.status == 0)
        l->failure = *err;
    pthread_mutex_unlock(&l->lock);
    stop_all(l);
}

void ladder_again(ladder *l, int64_t piece, sh_fallback level, const char *reason, bool mistaken)
{
    pthread_mutex_lock(&l->lock);
    if (!l->again || piece < l->again_piece) {
        l->again = true;
        l->mistaken = mistaken;
        l->again_piece = piece;
        l->again_level = level;
        snprintf(l->again_reason, sizeof(l->again_reason), "%.239s", reason);
    }
    pthread_mutex_unlock(&l->lock);
}

/* ---- stage 1: read ---- */

/* Of the last picture of all. */
static int64_t last_length(const ladder *l, const sh_work *work)
{
    const AVRational ticks = {1, l->time.timescale};
    const int64_t told = av_rescale_q(work->frame->pkt_duration, l->plan.time_base, ticks);
    const int64_t beside = llabs(told - l->time.step);
    if (l->time.converts) {
        const int64_t slots = (told + l->time.step / 2) / l->time.step;
        return (slots > 0 ? slots : 1) * l->time.step;
    }
    return told <= 0 || (l->time.constant && beside <= l->time.slack) ? l->time.step : told;
}

static void *read_main(void *opaque)
{
    ladder *l = opaque;
    sh_err err = {0};
    sh_work *held = l->first, *work;
    int status = 1;
    l->first = NULL;
    while (status == 1) {
        status = sh_reader_next(l->reader, &work, &err);
        l->decoded = sh_reader_decoded(l->reader);
        if (status < 0)
            break;
        held->length = status == 1 ? work->time - held->time : last_length(l, held);
        const bool open = sh_line_push(l->prepared, held);
        held = status == 1 ? work : NULL;
        if (!open)
            break;
    }
    sh_work_free(held);
    if (status < 0)
        ladder_fail(l, &err);
    else if (status == 0)
        sh_line_push(l->prepared, sh_work_new(SH_WORK_STOP));
    return NULL;
}

/* ---- stage 2: pictures ---- */

/* Whether to stop in front of this picture. */
static bool stops_here(ladder *l, const sh_work *work)
{
    if (!l->stopping && !sh_channel_stop_asked(l->channel))
        return false;
    l->stopping = true;
    if (work->first || l->position == 0)
        return true;
    const int64_t each = (sh_monotonic_us() - l->began_us) / l->position;
    return each * (l->piece_frames - l->position) > FINISH_US;
}

static int go_to_level(ladder *l, sh_fallback level, const char *reason, sh_err *err)
{
    l->made_level = level;
    snprintf(l->made_reason, sizeof(l->made_reason), "%.199s", level == SH_FALLBACK_NONE ? "" : reason);
    return sh_enlarge_piece(l->enlarge, level, err);
}

/* 0: done, 1: the segment has to be made again. */
static int enlarge(ladder *l, sh_work *work, sh_err *err)
{
    char reason[200], text[240];
    int status = 0;
    while (status == 0) {
        status = sh_enlarge_frame(l->enlarge, &work->frame, work->number, &work->duplicate, reason,
                                  sizeof(reason), err);
        if (status != SH_ENLARGE_BAD)
            break;
        snprintf(text, sizeof(text), "picture %" PRId64 ": %.200s", work->number + 1, reason);
        const sh_fallback next = sh_enlarge_next(l->enlarge, l->made_level);
        if (!l->job.whole) {
            ladder_again(l, work->piece, next, text, false);
            return 1;
        }
        status = go_to_level(l, next, text, err);
    }
    work->level = (int)l->made_level;
    return status;
}

static int give(ladder *l, const sh_work *work, const AVFrame *sdr, int64_t time, int64_t length, sh_err *err)
{
    const bool first = l->first_due;
    l->first_due = false;
    for (int i = 0; i < l->job.video_count; i++) {
        sh_work *own = sh_work_new(SH_WORK_FRAME);
        if (own)
            own->frame = av_frame_clone(sdr && l->rungs[i].settings.sdr ? sdr : work->frame);
        if (!own || !own->frame) {
            sh_work_free(own);
            return sh_fail(err, SH_E_MEMORY, "memory is short");
        }
        own->piece = work->piece;
        own->number = work->number;
        own->first = first;
        own->level = work->level;
        own->time = time;
        own->length = length;
        if (!sh_line_push(l->rungs[i].in, own))
            return 1; /* that one takes no more; it has said why */
    }
    return 0;
}

/* At another rate a picture may be shown more than once, or never. */
static int64_t times_shown(const ladder *l, const sh_work *work)
{
    return l->time.converts ? work->length / l->time.step : 1;
}

static int show(ladder *l, sh_bundle *bundle, const sh_work *work, const AVFrame *sdr, sh_err *err)
{
    const int64_t times = times_shown(l, work);
    const int64_t length = times > 1 ? l->time.step : work->length;
    int status = 0;
    for (int64_t i = 0; i < times && status == 0; i++) {
        const int64_t time = work->time + i * length;
        status = ladder_capture_frame(l, bundle, sdr ? sdr : work->frame, time, err);
        if (status == 0)
            status = give(l, work, sdr, time, length, err);
        bundle->shown++;
    }
    return status;
}

/* ---- what stands still in the source ---- */

/* A short run counts only where it may go on in the segment beside this one. */
static void still_found(void *opaque, const sh_still *run)
{
    const ladder *l = opaque;
    sh_bundle *bundle = l->finder_bundle;
    const int64_t shortest = av_rescale(SH_LADDER_STILL_US, l->time.timescale, 1000000);
    if (run->to - run->from >= shortest || run->from <= bundle->start || run->to >= bundle->end)
        bundle->still_lost |= !sh_stills_add(&bundle->stills, run, -1);
}

/* Each segment is looked at by itself, so that a film that is gone on with has the same runs. */
static void look_for_stills(ladder *l, sh_bundle *bundle, const sh_work *work)
{
    bundle->end = work->time + work->length;
    if (work->first) { /* whatever is left of a segment that is made again is forgotten */
        l->finder = (sh_still_finder){
            .black = STILL_BLACK, .frozen = STILL_FROZEN, .found = still_found, .opaque = l};
        l->finder_bundle = bundle;
    }
    sh_still_frame(&l->finder, work->frame, work->time);
    if (work->last)
        sh_still_end(&l->finder, bundle->end);
}

/* ---- accounts of a segment ---- */

static int begin_bundle(sh_bundle **bundle, const sh_work *work, sh_err *err)
{
    if (work->first) {
        sh_bundle_free(*bundle);
        *bundle = sh_bundle_new(work->piece);
        if (*bundle)
            (*bundle)->start = work->time;
    }
    return *bundle ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
}

static int note(sh_bundle *bundle, const sh_work *work, sh_err *err)
{
    if (!sh_bundle_add_frame(bundle, work->duplicate) || bundle->still_lost)
        return sh_fail(err, SH_E_MEMORY, "a segment has too many pictures, or memory is short");
    bundle->last = work->time;
    if (work->level > bundle->level)
        bundle->level = work->level;
    return 0;
}

/* 1: a video takes no more. */
static int push_pictures(ladder *l, sh_bundle **bundle, sh_work *work)
{
    for (int i = 0; i < l->job.video_count; i++)
        if (!sh_line_push(l->rungs[i].in, sh_work_new(SH_WORK_PIECE)))
            return 1;
    sh_bundle *whole = *bundle;
    *bundle = NULL;
    whole->ledger = work->ledger;
    work->ledger = NULL;
    whole->ledger->duplicates = whole->duplicates;
    snprintf(whole->ledger->reason, sizeof(whole->ledger->reason), "%.199s", l->made_reason);
    sh_queue_push(l->pictures, whole);
    return 0;
}

/* 0: done, 1: nothing more can be taken. */
static int make_picture(ladder *l, sh_bundle **bundle, sh_work *work, sh_err *err)
{
    AVFrame *sdr = NULL;
    if (work->first) {
        l->began_us = sh_monotonic_us();
        l->position = 0;
        l->first_due = true;
    }
    int status = begin_bundle(bundle, work, err);
    if (status == 0)
        look_for_stills(l, *bundle, work);
    if (status == 0 && work->first && l->enlarge)
        status = go_to_level(l, work->piece == l->run_piece ? l->level : SH_FALLBACK_NONE, l->reason, err);
    if (status == 0 && l->enlarge && times_shown(l, work) > 0)
        status = enlarge(l, work, err);
    if (status != 0)
        return status;
    work->frame->sample_aspect_ratio = l->plan.sar;
    status = note(*bundle, work, err);
    if (status == 0)
        status = ladder_caption_frame(l, *bundle, work->frame, work->time, err);
    if (status == 0 && l->tonemap && times_shown(l, work) > 0)
        status = sh_tonemap_run(l->tonemap, work->frame, &sdr, err);
    if (status == 0)
        status = show(l, *bundle, work, sdr, err);
    av_frame_free(&sdr);
    l->position++;
    return status == 0 && work->last ? push_pictures(l, bundle, work) : status;
}

static void end_pictures(ladder *l)
{
    sh_bundle *end = sh_bundle_new(0);
    if (end)
        end->stop = true;
    sh_line_close(l->prepared);
    for (int i = 0; i < l->job.video_count; i++)
        sh_line_push(l->rungs[i].in, sh_work_new(SH_WORK_STOP));
    sh_queue_push(l->pictures, end);
}

static void *pictures_main(void *opaque)
{
    ladder *l = opaque;
    sh_bundle *bundle = NULL;
    sh_err err = {0};
    sh_work *work;
    int status = 0;
    while (status == 0 && (work = sh_line_pop(l->prepared)) != NULL) {
        const bool end = work->kind != SH_WORK_FRAME || stops_here(l, work);
        status = end ? 1 : make_picture(l, &bundle, work, &err);
        sh_work_free(work);
    }
    sh_bundle_free(bundle);
    if (status < 0)
        ladder_fail(l, &err);
    else
        end_pictures(l);
    return NULL;
}

/* ---- the end of the line: commit ---- */

/* 0: committed; 1: nothing more comes; SH_E_CANCELLED: another stage has failed. */
static int commit_next(ladder *l, sh_err *err)
{
    sh_bundle *videos[SH_LADDER_VIDEOS] = {0};
    sh_bundle *pictures = sh_queue_pop(l->pictures);
    int status = !pictures ? SH_E_CANCELLED : pictures->stop ? 1 : 0;
    for (int i = 0; i < l->job.video_count && status == 0; i++) {
        videos[i] = sh_queue_pop(l->rungs[i].ready);
        status = !videos[i] ? SH_E_CANCELLED : videos[i]->stop ? 1 : 0;
    }
    if (status == 0)
        status = ladder_commit(l, pictures, videos, err);
    sh_bundle_free(pictures);
    for (int i = 0; i < l->job.video_count; i++)
        sh_bundle_free(videos[i]);
    return status;
}

static int commit_all(ladder *l, sh_err *err)
{
    int status = 0;
    while (status == 0 && !l->finished) {
        status = commit_next(l, err);
        ladder_report(l);
    }
    return status;
}

/* ---- a run ---- */

static int start_rungs(ladder *l, sh_err *err)
{
    int status = 0;
    l->prepared = sh_line_new(LINE);
    l->pictures = sh_queue_new(l->job.video_count > 0 ? SIZE_MAX : 0);
    if (!l->prepared || !l->pictures)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    for (int i = 0; i < l->job.video_count && status == 0; i++) {
        l->rungs[i].frames = 0;
        status = sh_rung_start(&l->rungs[i], l->next.piece, err);
    }
    return status;
}

static int start_and_join(ladder *l, sh_err *err)
{
    void *(*const stages[])(void *) = {read_main, pictures_main};
    pthread_t threads[2];
    int started = 0;
    int status = start_rungs(l, err);
    while (status == 0 && started < 2) {
        if (pthread_create(&threads[started], NULL, stages[started], l) == 0)
            started++;
        else
            status = sh_fail(err, SH_E_MEMORY, "no thread for a stage");
    }
    if (status == 0)
        status = commit_all(l, err);
    if (l->prepared && l->pictures)
        stop_all(l);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < l->job.video_count; i++)
        sh_rung_join(&l->rungs[i]);
    sh_line_free(l->prepared);
    sh_queue_free(l->pictures);
    l->prepared = NULL;
    l->pictures = NULL;
    return status;
}

static int run_once(ladder *l, sh_err *err)
{
    l->again = l->mistaken = l->stopping = false;
    l->failure = (sh_err){0};
    l->run_piece = l->next.piece;
    l->run_base = l->shown;
    int status = ladder_rewind_captures(l, err);
    l->working = true;
    if (status == 0)
        status = start_and_join(l, err);
    l->level = SH_FALLBACK_NONE;
    if (status < 0 && status != SH_E_CANCELLED)
        return status;
    if (l->failure.status < 0) {
        *err = l->failure;
        return err->status;
    }
    l->again = l->again && l->again_piece == l->next.piece && !l->finished;
    l->stopped = l->stopping && !l->finished && !l->again;
    if (l->again) {
        l->level = l->again_level;
        snprintf(l->reason, sizeof(l->reason), "%.190s", l->again_reason);
    } else if (!l->finished && !l->stopped) {
        return sh_fail(err, SH_E_INTERNAL, "the work ended after segment %" PRId64 " and not at the end",
                       l->next.piece);
    }
    return 0;
}

static int stopped(const ladder *l, sh_err *err)
{
    if (l->next.output == 0)
        return sh_fail(err, SH_E_CANCELLED, "%s: interrupted before the first segment was done", l->name);
    return sh_fail(err, SH_E_CANCELLED,
                   "%s: interrupted; %" PRId64
                   " segments are done and kept, the same command goes on from there",
                   l->name, l->next.piece);
}

int ladder_run(ladder *l, sh_err *err)
{
    int64_t mistaken = -1;
    int tries = 0;
    while (!l->finished) {
        int status = run_once(l, err);
        if (status < 0 || l->finished)
            return status;
        if (l->stopped)
            return stopped(l, err);
        tries = l->mistaken && mistaken == l->next.piece ? tries + 1 : 1;
        if (l->mistaken && tries >= SH_LADDER_TRIES)
            return sh_fail(err, SH_E_INTERNAL, "segment %" PRId64 " is wrong again after %d tries: %.200s",
                           l->next.piece + 1, SH_LADDER_TRIES, l->reason);
        if (l->mistaken)
            mistaken = l->next.piece;
        l->redone++;
        sh_channel_log(l->channel, SH_LOG_WARNING, "segment %" PRId64 ": %s; it is made again (%s)",
                       l->next.piece + 1, l->reason, sh_fallback_name((int)l->level));
        l->working = false;
        status = ladder_open_reader(l, err);
        if (status < 0)
            return status;
    }
    return 0;
}
