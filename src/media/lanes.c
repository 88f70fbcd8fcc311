/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/lanes.h"

#include <inttypes.h>
#include <stdlib.h>

#define LANES_MAX 64

typedef struct task {
    sh_reader_start start;
    sh_ledger from; /* without entries */
} task;

typedef struct lanes {
    const sh_lanes_settings *settings;
    sh_run *run; /* what all have in common, and how far it is committed */
    sh_turn turn;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    task tasks[LANES_MAX]; /* found and not taken: a ring */
    int first, count;
    bool all_found, closed, stopped;
    sh_err failure; /* of the earliest piece that failed */
    int64_t failed_piece;
} lanes;

static void close_all(lanes *l)
{
    pthread_mutex_lock(&l->lock);
    l->closed = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    sh_turn_close(&l->turn);
}

static void fail(lanes *l, int64_t piece, const sh_err *err)
{
    pthread_mutex_lock(&l->lock);
    if (l->failure.status == 0 || piece < l->failed_piece) {
        l->failure = *err;
        l->failed_piece = piece;
    }
    pthread_mutex_unlock(&l->lock);
    close_all(l);
}

/* ---- the scout ---- */

static bool put_task(lanes *l, const sh_reader_start *start, const sh_ledger *from)
{
    pthread_mutex_lock(&l->lock);
    while (!l->closed && l->count == l->settings->jobs)
        pthread_cond_wait(&l->changed, &l->lock);
    const bool open = !l->closed;
    if (open) {
        task *t = &l->tasks[(l->first + l->count++) % LANES_MAX];
        t->start = *start;
        t->from = from ? *from : (sh_ledger){0};
        t->from.entries = NULL;
        t->from.count = t->from.capacity = 0;
        if (!from)
            t->start.from = NULL;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return open;
}

/* Notes where the piece behind this frame begins. False: nothing follows, or the work ends. */
static bool scout_frame(lanes *l, const sh_work *work, sh_reader_start *start)
{
    if (!work->last)
        return true;
    start->piece = work->piece + 1;
    start->output = work->number + 1;
    start->source += sh_ledger_sources(work->ledger);
    start->linear = false;
    start->from = work->ledger;
    return !work->ledger->final && put_task(l, start, work->ledger);
}

static void *scout(void *opaque)
{
    lanes *l = opaque;
    sh_reader *reader = NULL;
    sh_work *work = NULL;
    sh_err err = {0};
    sh_reader_start start = l->run->next;
    sh_ledger from = l->run->ledger; /* lanes will replace it */
    start.from = start.from ? &from : NULL;
    bool more = put_task(l, &start, start.from);
    int status = l->settings->open_reader(l->settings->opaque, &start, &reader, &work, &err) < 0 ? -1 : 1;
    while (status == 1) {
        more = more && scout_frame(l, work, &start);
        sh_work_free(work);
        l->run->meter->decoded = sh_reader_decoded(reader);
        sh_meter_report(l->run->meter);
        status = more ? sh_reader_next(reader, &work, &err) : 0;
    }
    if (status < 0)
        fail(l, start.piece, &err);
    sh_reader_close(&reader);
    pthread_mutex_lock(&l->lock);
    l->all_found = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- a lane ---- */

static bool take_task(lanes *l, task *t)
{
    pthread_mutex_lock(&l->lock);
    while (!l->closed && l->count == 0 && !l->all_found)
        pthread_cond_wait(&l->changed, &l->lock);
    const bool got = !l->closed && l->count > 0;
    if (got) {
        *t = l->tasks[l->first];
        l->first = (l->first + 1) % LANES_MAX;
        l->count--;
        if (t->start.from)
            t->start.from = &t->from;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return got;
}

static int open_piece(lanes *l, sh_run *run, sh_err *err)
{
    const sh_lanes_settings *s = l->settings;
    sh_reader_close(&run->reader);
    int status = s->open_reader(s->opaque, &run->next, &run->reader, &run->first, err);
    if (status == 0 && !run->enlarge)
        status = s->open_enlarge(s->opaque, run->first->frame, &run->enlarge, err);
    return status;
}

static int make_piece(lanes *l, sh_run *run, sh_err *err)
{
    for (int tries = 1;; tries++) {
        int status = open_piece(l, run, err);
        if (status == 0)
            status = sh_run_stages(run, err);
        if (status < 0 || !run->again)
            return status;
        if (run->mistaken && tries >= SH_RUN_TRIES)
            return sh_fail(err, SH_E_INTERNAL, "piece %" PRId64 " is wrong again after %d tries",
                           run->next.piece + 1, tries);
        l->settings->say_again(l->settings->opaque, run, err);
    }
}

/* Takes over how far the work is. */
static void note_done(lanes *l, sh_run *run)
{
    pthread_mutex_lock(&l->lock);
    if (run->next.piece > l->run->next.piece) {
        sh_ledger_free(&l->run->ledger);
        l->run->ledger = run->ledger;
        l->run->next = run->next;
        l->run->next.from = &l->run->ledger;
        l->run->end_pts = run->end_pts;
        l->run->finished = run->finished;
        run->ledger = (sh_ledger){0};
    }
    l->stopped = l->stopped || run->stopped;
    pthread_mutex_unlock(&l->lock);
    sh_ledger_free(&run->ledger);
}

static void *lane(void *opaque)
{
    lanes *l = opaque;
    sh_enlarge *enlarge = NULL;
    task t;
    while (take_task(l, &t)) {
        sh_err err = {0};
        sh_run run = {.meter = l->run->meter,
                      .plan = l->run->plan,
                      .encoder = l->run->encoder,
                      .parameters = l->run->parameters,
                      .muxer = l->run->muxer,
                      .tolerance = l->run->tolerance,
                      .first_pts = l->run->first_pts,
                      .turn = &l->turn,
                      .enlarge = enlarge,
                      .next = t.start};
        int status = make_piece(l, &run, &err);
        enlarge = run.enlarge;
        note_done(l, &run);
        sh_reader_close(&run.reader);
        sh_run_free(&run);
        if (status < 0)
            fail(l, t.start.piece, &err);
        else if (run.stopped)
            close_all(l);
    }
    sh_enlarge_close(&enlarge);
    return NULL;
}

/* ---- the whole ---- */

static int start_and_join(lanes *l, int jobs, sh_err *err)
{
    pthread_t threads[LANES_MAX + 1];
    int started = 0;
    while (started <= jobs && pthread_create(&threads[started], NULL, started == 0 ? scout : lane, l) == 0)
        started++;
    if (started < 2)
        close_all(l);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return started < 2 ? sh_fail(err, SH_E_MEMORY, "no threads for pieces side by side") : 0;
}

int sh_lanes_run(const sh_lanes_settings *settings, sh_run *run, sh_err *err)
{
    sh_lanes_settings within = *settings;
    lanes *l = calloc(1, sizeof(*l));
    if (!l)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    within.jobs = within.jobs < LANES_MAX ? within.jobs : LANES_MAX;
    l->settings = &within;
    l->run = run;
    l->turn.next = run->next.piece;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    pthread_mutex_init(&l->turn.lock, NULL);
    pthread_cond_init(&l->turn.changed, NULL);
    int status = start_and_join(l, within.jobs, err);
    run->again = false;
    run->stopped = status == 0 && !run->finished && l->stopped;
    if (status == 0 && !run->finished && !run->stopped) {
        status = l->failure.status < 0 ? l->failure.status : SH_E_INTERNAL;
        if (l->failure.status < 0)
            *err = l->failure;
        else
            sh_fail(err, status, "the lanes ended after piece %" PRId64, run->next.piece);
    }
    pthread_cond_destroy(&l->turn.changed);
    pthread_mutex_destroy(&l->turn.lock);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
    return status;
}
