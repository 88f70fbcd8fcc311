/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "base/pool.h"
#include "media/encode.h"
#include "media/enlarge.h"
#include "media/probe_child.h"
#include "media/reader.h"
#include "media/sandbox.h"

#include <libavutil/imgutils.h>

/* The stages of `upscale` one after the other on the frames of the beginning, each with all threads, until
 * enough frames or enough time have passed. */

enum { FRAMES_MOST = 24, FRAMES_LEAST = 3, BUDGET_US = 2500000 };
#define SLOWEST_MACS 5e7 /* a second, of a processor that can still be called one; for the watchdog alone */

typedef struct trial {
    const sh_estimate_job *job;
    int threads;
    sh_reader *reader;
    sh_enlarge *enlarge;
    sh_encoder *encoder;
    AVPacket *packet;
    int64_t decode_us, engine_us, encode_us, bytes;
    int frames;
} trial;

static int open_reader(trial *t, sh_err *err)
{
    const sh_reader_settings settings = {
        .fd = t->job->fd,
        .name = t->job->name,
        .channel = t->job->channel,
        .threads = t->threads,
        .accept_damage = true,
        .start = t->job->options->start,
        .duration = t->job->options->duration,
        .plan = t->job->plan,
        .piece_frames = t->job->plan->piece_frames,
    };
    const sh_reader_start start = {0};
    return sh_reader_open(&t->reader, &settings, &start, err);
}

static int open_enlarge(trial *t, const AVFrame *first, sh_err *err)
{
    char note[240];
    const double pixels = (double)first->width * first->height;
    sh_enlarge_settings settings = {.model = t->job->model,
                                    .restore = t->job->restore,
                                    .model_name = "model",
                                    .restore_name = "model",
                                    .plan = t->job->plan};
    spyhop_settings_default(&settings.engine);
    settings.engine.threads = t->job->options->threads;
    settings.engine.cpu = t->job->options->cpu;
    settings.engine.precision = t->job->options->precision;
    sh_channel_patience(t->job->channel, SH_SANDBOX_PATIENCE_MS / 1000 +
                                             pixels * (double)t->job->macs_per_pixel / SLOWEST_MACS);
    int status = sh_enlarge_open(&t->enlarge, &settings, first, note, sizeof(note), err);
    return status < 0 ? status : sh_enlarge_piece(t->enlarge, SH_FALLBACK_NONE, err);
}

static int open_encoder(trial *t, sh_err *err)
{
    sh_encoder_settings settings;
    if (!t->job->muxer)
        return 0;
    sh_encoder_settings_default(&settings);
    sh_encoder_settings_from_plan(&settings, t->job->plan, t->job->muxer);
    settings.options = t->job->options->encoder_options;
    settings.option_count = t->job->options->encoder_option_count;
    settings.threads = t->threads;
    return sh_encoder_open(&t->encoder, &settings, err);
}

/* frame NULL: the end. */
static int encode(trial *t, const AVFrame *frame, sh_err *err)
{
    if (!t->encoder)
        return 0;
    int status = sh_encoder_send(t->encoder, frame, err);
    while (status == 0 && (status = sh_encoder_receive(t->encoder, t->packet, err)) == SH_ENCODER_PACKET) {
        t->bytes += t->packet->size;
        av_packet_unref(t->packet);
        status = 0;
    }
    return status < 0 ? status : 0;
}

static void report(const trial *t)
{
    const sh_message message = {.kind = SH_MSG_PROGRESS, .number = {t->frames}};
    sh_channel_send(t->job->channel, &message);
}

/* 1: there was a frame, 0: the end. */
static int work_on(trial *t, sh_err *err)
{
    sh_work *work = NULL;
    bool duplicate;
    char reason[200];
    const int64_t start = sh_monotonic_us();
    int status = sh_reader_next(t->reader, &work, err);
    if (status <= 0)
        return status;
    const int64_t decoded = sh_monotonic_us();
    status = t->enlarge ? 0 : open_enlarge(t, work->frame, err);
    if (status == 0 && !t->encoder)
        status = open_encoder(t, err);
    const int64_t ready = sh_monotonic_us();
    if (status == 0)
        status =
            sh_enlarge_frame(t->enlarge, &work->frame, work->number, &duplicate, reason, sizeof(reason), err);
    const int64_t enlarged = sh_monotonic_us();
    if (status == SH_ENLARGE_DONE)
        status = encode(t, work->frame, err);
    t->decode_us += decoded - start;
    t->engine_us += enlarged - ready;
    t->encode_us += sh_monotonic_us() - enlarged;
    t->frames++;
    sh_work_free(work);
    report(t);
    return status < 0 ? status : 1;
}

static int run(trial *t, sh_err *err)
{
    const int64_t start = sh_monotonic_us();
    int status = 1;
    while (status == 1 && t->frames < FRAMES_MOST && t->frames < t->job->plan->piece_frames &&
           (t->frames < FRAMES_LEAST || sh_monotonic_us() - start < BUDGET_US))
        status = work_on(t, err);
    if (status < 0)
        return status;
    const int64_t last = sh_monotonic_us();
    status = t->frames > 0 ? encode(t, NULL, err) : 0;
    t->encode_us += sh_monotonic_us() - last;
    return status;
}

static int64_t frames_in_all(const sh_estimate_job *job)
{
    const sh_plan *plan = job->plan;
    const double rate = plan->rate.num > 0 ? av_q2d(plan->rate) : 0;
    double frames = (double)plan->frames;
    if (job->options->start > 0)
        frames -= job->options->start * rate;
    if (job->options->duration >= 0 && rate > 0 &&
        (plan->frames == 0 || job->options->duration * rate < frames))
        frames = job->options->duration * rate;
    return frames > 0 ? (int64_t)(frames + 0.5) : 0;
}

static void conclude(const trial *t, sh_estimate *estimate)
{
    const sh_facts *facts = t->job->facts;
    const double each = 1e-6 / t->frames;
    *estimate = (sh_estimate){.sampled = t->frames,
                              .decode = (double)t->decode_us * each,
                              .engine = (double)t->engine_us * each,
                              .encode = (double)t->encode_us * each,
                              .seconds = -1,
                              .bytes = -1,
                              .frames = frames_in_all(t->job)};
    if (estimate->frames == 0)
        return;
    const double read = (double)(facts->video_bytes + facts->other_bytes);
    const double part = facts->frames > 0 && t->job->plan->frames > 0
                            ? (double)estimate->frames / (double)t->job->plan->frames
                            : 1;
    const double others =
        read > 0 && facts->bytes > 0 ? (double)facts->other_bytes / read * (double)facts->bytes : 0;
    const double picture = (double)av_image_get_buffer_size(t->job->plan->out_format, t->job->plan->out_width,
                                                            t->job->plan->out_height, 1);
    const double video = t->job->muxer ? (double)t->bytes / t->frames : picture;
    estimate->seconds = (estimate->decode + estimate->engine + estimate->encode) * (double)estimate->frames;
    estimate->bytes = (int64_t)(video * (double)estimate->frames + (t->job->muxer ? others * part : 0));
}

int sh_estimate_make(const sh_estimate_job *job, sh_estimate *estimate, sh_err *err)
{
    trial t = {.job = job, .threads = job->options->threads > 0 ? job->options->threads : sh_cpu_count()};
    t.packet = av_packet_alloc();
    int status = t.packet ? open_reader(&t, err) : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0)
        status = run(&t, err);
    if (status == 0 && t.frames == 0)
        status = sh_fail(err, SH_E_FORMAT, "%s: there are no frames to try", job->name);
    if (status == 0)
        conclude(&t, estimate);
    sh_encoder_close(&t.encoder);
    sh_enlarge_close(&t.enlarge);
    sh_reader_close(&t.reader);
    av_packet_free(&t.packet);
    return status;
}
