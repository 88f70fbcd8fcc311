/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Before any work: what the file is, what is to be made of it, and whether that can be. */
#include "base/log.h"
#include "media/facts_json.h"
#include "media/ladder_inner.h"

#include <inttypes.h>
#include <libavfilter/avfilter.h>
#include <libswresample/swresample.h>
#include <stdio.h>
#include <string.h>

/* ---- models ---- */

int ladder_models(ladder *l, sh_err *err)
{
    const sh_ladder_child *child = l->child;
    const sh_upscale_options *o = &l->job.options;
    int status = 0;
    l->model.info = (spyhop_model_info){.scale = 1, .channels = 1};
    if (child->restore && !child->model)
        return sh_fail(err, SH_E_ARGUMENT,
                       "a restoring model goes in front of an enlarging one, and none is given");
    if (child->model)
        status = sh_network_parse(&l->model, child->model, child->model_size, o->model, err);
    if (status == 0 && child->restore)
        status = sh_network_parse(&l->restore, child->restore, child->restore_size, o->restore, err);
    if (status == 0 && child->restore && l->restore.info.scale != 1)
        status = sh_fail(err, SH_E_ARGUMENT, "model %s enlarges %d times: none to put in front of another",
                         l->restore.name, l->restore.info.scale);
    return status;
}

/* ---- facts, plan, choice ---- */

static void turn_as_asked(ladder *l)
{
    if (l->job.turn < 0)
        return;
    l->facts.turn = l->job.turn % 360 / 90 * 90;
    l->facts.mirror = l->facts.odd_turn = false;
}

/* The plan's own words on encoder and pieces are not ours. */
static void drop_words(sh_plan *plan)
{
    int left = 0;
    for (int i = 0; i < plan->note_count; i++)
        if (strcmp(plan->notes[i].topic, "encoder") != 0 && strcmp(plan->notes[i].topic, "pieces") != 0 &&
            strcmp(plan->notes[i].topic, "edit list") != 0)
            plan->notes[left++] = plan->notes[i];
    plan->note_count = left;
}

static int make_plan(ladder *l, sh_err *err)
{
    sh_upscale_options options = l->job.options;
    options.rotation = SH_ROTATION_APPLY;
    options.encoder = "auto";
    options.encoder_options = NULL;
    options.encoder_option_count = 0;
    options.crf = -1;
    options.preset = NULL;
    options.no_sandbox = false; /* no device is opened for an encoder that is not used */
    if (!l->child->model)
        options.large = true;
    int status =
        sh_plan_make(&l->facts, &options, &l->model.info, av_guess_format("mp4", NULL, NULL), &l->plan, err);
    if (status < 0)
        return status;
    drop_words(&l->plan);
    l->hdr = l->plan.hdr != SH_HDR_NONE;
    for (int i = 0; i < l->plan.loss_count; i++)
        sh_channel_log(l->channel, SH_LOG_WARNING, "%s", l->plan.losses[i]);
    return 0;
}

static int tell_facts(const ladder *l, sh_err *err)
{
    json_t *all = json_pack("{s:o, s:o}", "facts", sh_facts_json(&l->facts), "plan", sh_plan_json(&l->plan));
    char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;
    int status = text ? sh_wire_send(l->channel, SH_WIRE_FACTS, 0, text, strlen(text), err)
                      : sh_fail(err, SH_E_MEMORY, "memory is short");
    free(text);
    json_decref(all);
    return status;
}

/* Seconds of the part that is asked for. */
static double duration_of(const ladder *l)
{
    const sh_upscale_options *o = &l->job.options;
    double all = (double)l->facts.duration_us / 1e6;
    /* audio may go on for longer */
    const bool counted = l->facts.frames > 0 && l->facts.rate.num > 0 && o->start < 0 && o->duration < 0;
    const double video = counted ? (double)l->facts.frames / av_q2d(l->facts.rate) : 0;
    if (all > 0 && o->start > 0)
        all = all > o->start ? all - o->start : 0;
    if (o->duration >= 0 && (all <= 0 || o->duration < all))
        all = o->duration;
    return video > 0 && video < all && 2 * video > all ? video : all;
}

static int choose(ladder *l, sh_err *err)
{
    sh_ladder_choice choice = {&l->job, &l->facts, &l->plan, duration_of(l)};
    return l->job.choose ? l->job.choose(l->job.opaque, &choice, err) : 0;
}

/* The rate that pictures are brought to, where that is not theirs. */
static AVRational rate_to(const ladder *l)
{
    const AVRational to = l->job.video_count > 0 ? l->job.videos[0].rate : (AVRational){0, 1};
    const bool own = !l->plan.vfr && l->plan.rate.num > 0 && av_cmp_q(to, l->plan.rate) == 0;
    return to.num <= 0 || own ? (AVRational){0, 1} : to;
}

static int open_time(ladder *l, sh_err *err)
{
    const AVRational to = rate_to(l);
    const sh_timeline_settings settings = {
        .source = l->plan.time_base,
        .rate = l->plan.rate,
        .vfr = l->plan.vfr,
        .to = to,
        .segment_seconds = l->job.segment_seconds,
        .min_last_seconds = l->job.min_last_seconds,
        .duration = duration_of(l),
    };
    if (to.num > 0) {
        if (l->plan.rate.num > 0)
            l->plan.frames = (int64_t)((double)l->plan.frames * av_q2d(to) / av_q2d(l->plan.rate));
        l->plan.rate = to;
        l->plan.vfr = false;
    }
    const double fps = l->plan.rate.num > 0 ? av_q2d(l->plan.rate) : 25;
    if (settings.duration > 0 && l->facts.duration_us > 0)
        l->plan.frames =
            (int64_t)((double)l->plan.frames * settings.duration * 1e6 / (double)l->facts.duration_us);
    l->piece_frames = (int64_t)(fps * l->job.segment_seconds) + 1;
    return sh_timeline_open(&l->time, &settings, err);
}

int ladder_look(ladder *l, sh_err *err)
{
    sh_source source = {.name = l->name, .channel = l->channel, .accept_damage = true};
    int status = sh_probe_open(&source, l->child->input, &l->facts, err);
    if (status < 0)
        return status;
    turn_as_asked(l);
    status = make_plan(l, err);
    if (status == 0)
        status = choose(l, err);
    sh_source_close(&source);
    if (status == 0)
        status = ladder_check(l, err);
    if (status == 0)
        status = open_time(l, err);
    return status < 0 ? status : tell_facts(l, err);
}

/* ---- what is asked for ---- */

static bool steered(const sh_ladder_video *v)
{
    return v->encoder.rate_control != SH_ENCODER_QUALITY;
}

static int check_counts(const sh_ladder_job *j, sh_err *err)
{
    if (j->video_count < 0 || j->video_count > SH_LADDER_VIDEOS || j->audio_count < 0 ||
        j->audio_count > SH_LADDER_AUDIOS || j->text_count < 0 || j->text_count > SH_LADDER_TEXTS ||
        j->capture_count < 0 || j->capture_count > SH_LADDER_CAPTURES || j->output_count < 1 ||
        j->output_count > SH_LADDER_OUTPUTS)
        return sh_fail(err, SH_E_ARGUMENT,
                       "%d videos, %d audios, %d texts, %d captures, %d outputs: none or too many",
                       j->video_count, j->audio_count, j->text_count, j->capture_count, j->output_count);
    for (int i = 1; i < j->video_count; i++)
        if (av_cmp_q(j->videos[i].rate, j->videos[0].rate) != 0)
            return sh_fail(err, SH_E_UNSUPPORTED,
                           "videos 1 and %d have different frame rates: segments of one ladder "
                           "have the same pictures",
                           i + 1);
    for (int i = 0; i < j->video_count; i++)
        if (steered(&j->videos[i]) && !j->whole)
            return sh_fail(err, SH_E_ARGUMENT,
                           "video %d: a rate on average needs one encoder from beginning to end", i + 1);
    return 0;
}

static bool in_range(int index, int count, bool wanted)
{
    return wanted ? index >= 0 && index < count : index == -1;
}

static int check_output(const sh_ladder_job *j, int index, sh_err *err)
{
    const sh_ladder_output *o = &j->outputs[index];
    const bool av = o->kind == SH_LADDER_CMAF || o->kind == SH_LADDER_TS || o->kind == SH_LADDER_MP4;
    bool fine = o->kind >= 0 && o->kind < SH_LADDER_KINDS && o->audio_count >= 0 &&
                o->audio_count <= SH_LADDER_OUTPUT_AUDIOS;
    for (int i = 0; fine && i < o->audio_count; i++)
        fine = in_range(o->audios[i], j->audio_count, true);
    fine = fine && in_range(o->video, j->video_count, av && o->video != -1) &&
           in_range(o->text, j->text_count, o->kind == SH_LADDER_VTT) &&
           in_range(o->capture, j->capture_count, o->kind == SH_LADDER_FRAMES);
    const int tracks = (o->video >= 0) + o->audio_count;
    if (fine && j->journal_fd >= 0 && (o->kind == SH_LADDER_TS || o->kind == SH_LADDER_MP4))
        return sh_fail(err, SH_E_ARGUMENT,
                       "output %d: a file that is written from beginning to end cannot be gone on with",
                       index + 1);
    fine = fine && (av ? tracks > 0 : tracks == 0) && (o->kind != SH_LADDER_CMAF || tracks == 1);
    return fine ? 0
                : sh_fail(err, SH_E_ARGUMENT, "output %d: what it is to hold does not fit its kind",
                          index + 1);
}

int ladder_check(const ladder *l, sh_err *err)
{
    const sh_ladder_job *j = &l->job;
    int status = check_counts(j, err);
    for (int i = 0; i < j->output_count && status == 0; i++)
        status = check_output(j, i, err);
    return status;
}
