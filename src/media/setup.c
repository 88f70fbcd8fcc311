/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/setup.h"
#include "base/file.h"
#include "base/log.h"
#include "media/fingerprint.h"
#include "media/sandbox.h"

#include <inttypes.h>
#include <libavfilter/avfilter.h>
#include <stdio.h>
#include <string.h>

/* ---- models ---- */

int sh_network_read(const char *path, sh_buf *bytes, sh_err *err)
{
    spyhop_model *model = NULL;
    sh_buf_init(bytes, SPYHOP_MAX_FILE_BYTES);
    int status = path ? sh_file_read(path, bytes, err) : 0;
    if (status < 0)
        return sh_err_prefix(err, "model");
    if (path && spyhop_model_parse(&model, bytes->data, bytes->length, NULL) == 0)
        spyhop_model_free(&model);
    return 0;
}

int sh_network_parse(network *n, const void *bytes, size_t size, const char *path, sh_err *err)
{
    spyhop_error error;
    sh_shown_path(path, n->name);
    int status = spyhop_model_parse(&n->model, bytes, size, &error);
    if (status < 0)
        return sh_fail(err, status, "model %s: %s", n->name, error.message);
    n->info.size = sizeof(n->info);
    spyhop_model_describe(n->model, &n->info);
    if (n->info.channels != 1)
        return sh_fail(err, SH_E_UNSUPPORTED,
                       "model %s: it makes pictures of %d channels; a model of one channel (luma) is needed",
                       n->name, n->info.channels);
    return 0;
}

int sh_setup_models(pipeline *p, sh_err *err)
{
    const sh_upscale_child *child = p->child;
    int status = sh_network_parse(&p->model, child->model, child->model_size, p->options->model, err);
    if (status < 0 || !child->restore)
        return status;
    status = sh_network_parse(&p->restore, child->restore, child->restore_size, p->options->restore, err);
    if (status == 0 && p->restore.info.scale != 1)
        status = sh_fail(err, SH_E_ARGUMENT, "model %s enlarges %d times: none to put in front of another",
                         p->restore.name, p->restore.info.scale);
    return status;
}

/* ---- facts, plan, losses ---- */

static void on_loss(void *opaque, bool loss, const char *text)
{
    pipeline *p = opaque;
    if (loss)
        sh_plan_lose(&p->plan, "%s", text);
    else
        sh_channel_log(p->channel, SH_LOG_INFO, "%s", text);
}

static int say_losses(pipeline *p, sh_err *err)
{
    for (int i = 0; i < p->plan.loss_count; i++)
        sh_channel_log(p->channel, SH_LOG_WARNING, "%s", p->plan.losses[i]);
    if (p->plan.loss_count == 0 || p->options->allow_loss)
        return 0;
    return sh_fail(err, SH_E_UNSUPPORTED, "%s: %s%s; nothing was written. --allow-loss goes on without %s",
                   p->input_name, p->plan.losses[0],
                   p->plan.loss_count > 1 ? ", and more (see the warnings)" : "",
                   p->plan.loss_count > 1 ? "them" : "it");
}

static int settle(pipeline *p, const sh_source *source, sh_err *err)
{
    const AVOutputFormat *muxer = p->child->muxer;
    int status = sh_plan_make(&p->facts, p->options, &p->model.info, muxer, &p->plan, err);
    if (status < 0)
        return status;
    p->time_base = p->plan.time_base;
    if (muxer && !p->child->piped)
        sh_mux_losses(source->format, p->facts.video, muxer, p->plan.keep_matrix, on_loss, p);
    return 0;
}

static int look(pipeline *p, sh_err *err)
{
    sh_source source = {.name = p->input_name, .channel = p->channel, .accept_damage = true};
    int status = sh_probe_open(&source, p->child->input, &p->facts, err);
    if (status < 0)
        return status;
    status = settle(p, &source, err);
    sh_source_close(&source);
    return status;
}

static int first_frame(pipeline *p, sh_err *err)
{
    AVPacket *packet = av_packet_alloc();
    p->pipe_first = av_frame_alloc();
    int status = packet && p->pipe_first ? SH_SOURCE_PACKET : sh_fail(err, SH_E_MEMORY, "memory is short");
    while (status == SH_SOURCE_PACKET) {
        av_packet_unref(packet);
        status = sh_source_next(&p->pipe, p->pipe_first, packet, err);
    }
    av_packet_free(&packet);
    if (status == SH_SOURCE_END)
        return sh_fail(err, SH_E_FORMAT, "%s: there is no picture in the video track", p->input_name);
    return status < 0 ? status : 0;
}

static int look_at_pipe(pipeline *p, sh_err *err)
{
    const sh_upscale_options *o = p->options;
    p->pipe.name = p->input_name;
    p->pipe.channel = p->channel;
    p->pipe.accept_damage = o->accept_damage;
    p->pipe.adapt = true;
    int status = sh_source_open(&p->pipe, p->child->input, p->threads, err);
    if (status == 0 && (o->start >= 0 || o->duration >= 0))
        status = sh_source_cut(&p->pipe, o->start, o->duration, err);
    if (status == 0)
        status = first_frame(p, err);
    if (status == 0)
        status = sh_probe_first(&p->pipe, p->pipe_first, &p->facts, err);
    return status < 0 ? status : settle(p, &p->pipe, err);
}

int sh_setup_plan(pipeline *p, sh_err *err)
{
    int status = p->child->piped ? look_at_pipe(p, err) : look(p, err);
    return status == 0 && !p->options->preview ? say_losses(p, err) : status;
}

/* ---- what the work is recognised by ---- */

static void say_models(const pipeline *p, sh_buf *print)
{
    const sh_upscale_child *child = p->child;
    sh_journal_say(print, "model", "%zu bytes, %016" PRIx64, child->model_size,
                   sh_fingerprint_bytes(child->model, child->model_size));
    sh_journal_say(print, "engine", "%s, %s", spyhop_version(), p->model.info.backend);
    if (child->restore)
        sh_journal_say(print, "restoring model", "%zu bytes, %016" PRIx64, child->restore_size,
                       sh_fingerprint_bytes(child->restore, child->restore_size));
}

int sh_setup_fingerprint(const pipeline *p, sh_buf *print, sh_err *err)
{
    const sh_upscale_options *o = p->options;
    const int cpu = o->cpu == SPYHOP_CPU_AUTO ? spyhop_cpu_detect() : o->cpu;
    int status = p->child->piped ? 0 : sh_journal_say_file(print, "source", p->child->input, err);
    if (status < 0)
        return status;
    say_models(p, print);
    sh_journal_say(print, "instruction set", "%s", spyhop_cpu_name(cpu));
    sh_journal_say(print, "precision", "%s", spyhop_precision_name(o->precision));
    sh_journal_say(print, "threads", "%d", p->threads);
    sh_journal_say(print, "container", "%s", p->child->muxer->name);
    sh_journal_say(print, "start", "%.6f", o->start);
    sh_journal_say(print, "duration", "%.6f", o->duration);
    for (size_t i = 0; i < o->encoder_option_count; i++)
        sh_journal_say(print, "encoder option", "%s", o->encoder_options[i]);
    sh_fingerprint_plan(&p->plan, print);
    sh_journal_say(print, "encoder library", "%s", sh_encoder_version(p->plan.encoder));
    sh_journal_say(print, "libavformat", "%u", avformat_version());
    sh_journal_say(print, "libavcodec", "%u", avcodec_version());
    sh_journal_say(print, "libavfilter", "%u", avfilter_version());
    sh_journal_say(print, "libswscale", "%u", swscale_version());
    return print->failed ? sh_fail(err, SH_E_MEMORY, "memory is short") : 0;
}
