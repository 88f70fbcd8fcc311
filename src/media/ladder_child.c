/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The child of a ladder, in the order of its work. */
#include "media/ladder_child.h"
#include "base/log.h"
#include "base/pool.h"
#include "media/avlog.h"
#include "media/ladder_inner.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define SLOWEST_MACS 5e7 /* a second, of a processor that can still be called one; for the watchdog alone */
#define READ_SLOW 20e6   /* bytes a second, likewise */
#define LARGE (1 << 20)  /* bytes: an allocation that is given back to the system by itself */

/* The engine's time for one picture has an end that is known, and so has reading up to where a run before
 * ended; a decoder's has not. */
static void ask_for_patience(const ladder *l)
{
    const double pixels = (double)l->plan.work_width * l->plan.work_height;
    const double macs = (double)(l->model.info.macs_per_pixel + l->restore.info.macs_per_pixel);
    const double reading = l->facts.bytes > 0 ? (double)l->facts.bytes / READ_SLOW : 0;
    sh_channel_patience(l->channel, SH_SANDBOX_PATIENCE_MS / 1000 + pixels * macs / SLOWEST_MACS + reading);
}

/* ---- sound ---- */

static int find_track(const ladder *l, const sh_source *source, const sh_ladder_audio *asked)
{
    const sh_sound_choice choice = {.track = asked->track};
    return sh_sound_find(source->format, &choice);
}

/* The file's header alone: which of its tracks are meant. */
static int find_tracks(ladder *l, sh_sound_rendition *renditions, sh_err *err)
{
    sh_source source = {.name = l->name, .channel = l->channel, .accept_damage = true};
    int status = sh_source_open(&source, l->child->input, 1, err);
    for (int i = 0; i < l->job.audio_count && status == 0; i++) {
        const sh_ladder_audio *a = &l->job.audios[i];
        const int track = find_track(l, &source, a);
        renditions[i] = (sh_sound_rendition){track, a->bitrate, a->channels, a->sample_rate};
        if (track < 0)
            status = sh_fail(err, SH_E_ARGUMENT,
                             a->track < 0 ? "%s: there is no audio in it" : "%s: track %d is no audio",
                             l->name, a->track);
    }
    sh_source_close(&source);
    return status;
}

static int open_sound(ladder *l, sh_err *err)
{
    sh_sound_rendition renditions[SH_LADDER_AUDIOS];
    const sh_upscale_options *o = &l->job.options;
    l->heard_us = AV_NOPTS_VALUE;
    if (l->job.audio_count == 0)
        return 0;
    int status = find_tracks(l, renditions, err);
    const sh_sound_settings settings = {
        .fd = l->child->input,
        .name = l->name,
        .channel = l->channel,
        .begin_us = AV_NOPTS_VALUE,
        .end_us = AV_NOPTS_VALUE,
        .renditions = renditions,
        .count = (size_t)l->job.audio_count,
    };
    if (status == 0)
        status = sh_sound_open(&l->sound, &settings, err);
    for (int i = 0; i < l->job.audio_count; i++)
        l->sounds[i].rendition = (size_t)i;
    return status < 0 || o->start >= 0 ? status : sh_sound_first(l->sound, &l->heard_us, err);
}

/* ---- the whole ---- */

static int set_up(ladder *l, sh_err *err)
{
    int status = ladder_models(l, err);
    if (status == 0)
        status = ladder_look(l, err);
    if (status == 0) {
        ask_for_patience(l);
        status = open_sound(l, err);
    }
    if (status == 0)
        status = ladder_open_captions(l, err);
    if (status == 0 && l->job.journal_fd >= 0)
        status = ladder_journal_open(l, err);
    if (status == 0)
        status = ladder_open_front(l, err);
    if (status == 0 && l->sound)
        sh_sound_begin(l->sound, l->zero_us);
    if (status == 0)
        status = ladder_open_texts(l, err);
    if (status == 0)
        status = ladder_open_rungs(l, err);
    if (status == 0)
        status = ladder_describe_outputs(l, err);
    if (status == 0)
        status = ladder_open_captures(l, err);
    if (status == 0)
        status = ladder_go_on(l, err);
    bool settled = true;
    for (int i = 0; i < l->job.video_count && status == 0; i++)
        settled = settled && l->rungs[i].settled;
    return status < 0 || !settled ? status : ladder_open_outputs(l, err);
}

/* In microseconds from the first picture on. */
static int send_stills(ladder *l, sh_err *err)
{
    for (size_t i = 0; i < l->stills.count; i++) {
        sh_still *run = &l->stills.list[i];
        run->from = av_rescale(run->from - l->began, 1000000, l->time.timescale);
        run->to = av_rescale(run->to - l->began, 1000000, l->time.timescale);
    }
    sh_stills_prune(&l->stills, SH_LADDER_STILL_US);
    return sh_wire_send(l->channel, SH_WIRE_STILLS, 0, l->stills.list,
                        l->stills.count * sizeof(*l->stills.list), err);
}

static int send_result(const ladder *l, sh_err *err)
{
    sh_wire_result r = {
        .duration = (double)l->end / l->time.timescale,
        .frames = l->next.output,
        .width = l->plan.width,
        .height = l->plan.height,
        .out_width = l->like->width,
        .out_height = l->like->height,
        .redone = l->redone,
        .checked = l->checked,
        .damages = l->damages,
        .resumed = l->resumed,
        .sums = l->sums,
    };
    for (int i = 0; i < l->job.video_count; i++)
        r.checked += l->rungs[i].checked;
    return sh_wire_send(l->channel, SH_WIRE_RESULT, 0, &r, sizeof(r), err);
}

static int work(ladder *l, sh_err *err)
{
    int status = set_up(l, err);
    l->phase = SH_LADDER_MAKING;
    if (status == 0)
        status = ladder_run(l, err);
    l->phase = SH_LADDER_FINISHING;
    if (status == 0)
        status = ladder_finish(l, err);
    if (status == 0)
        status = send_stills(l, err);
    return status < 0 ? status : send_result(l, err);
}

int sh_ladder_child_main(void *opaque, int channel, sh_err *err)
{
    const sh_ladder_child *child = opaque;
    mallopt(M_MMAP_THRESHOLD, LARGE); /* fixed: else the heap is in holes after some hours of segments */
    ladder *l = calloc(1, sizeof(*l));
    if (!l)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    l->child = child;
    l->job = *child->job;
    l->channel = channel;
    l->threads = l->job.options.threads > 0 ? l->job.options.threads : sh_cpu_count();
    l->heard_us = AV_NOPTS_VALUE;
    sh_shown_path(l->job.input, l->name);
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->meter, NULL);
    sh_avlog_start(channel);
    int status = work(l, err);
    sh_avlog_stop();
    ladder_close(l);
    pthread_mutex_destroy(&l->lock);
    pthread_mutex_destroy(&l->meter);
    free(l);
    return status;
}
