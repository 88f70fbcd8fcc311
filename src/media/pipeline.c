/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "base/pool.h"
#include "media/avlog.h"
#include "media/preview.h"
#include "media/sandbox.h"
#include "media/setup.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOWEST_MACS 5e7 /* a second, of a processor that can still be called one; for the watchdog alone */
#define DISK_SLOW 1e6    /* bytes a second, likewise */
#define READ_SLOW 20e6
#define LARGE (1 << 20) /* bytes: an allocation that is given back to the system by itself */

/* ---- the journal ---- */

/* Where the last piece left off. */
static int take_last(pipeline *p, sh_err *err)
{
    sh_journal_piece piece;
    int64_t cursor = 0;
    int status;
    while ((status = sh_journal_next(p->journal, &cursor, &piece, err)) == 1) {
        sh_ledger_free(&p->run.ledger);
        status = sh_ledger_read(&p->run.ledger, piece.ledger, piece.ledger_size, err);
        if (status < 0)
            return status;
        p->run.next = (sh_reader_start){.piece = piece.number + 1,
                                        .output = piece.first_frame + piece.frames,
                                        .source = piece.first_source + piece.source_frames,
                                        .from = &p->run.ledger};
        p->run.first_pts = piece.extra[SH_PIECE_FIRST_PTS];
        p->run.end_pts = piece.extra[SH_PIECE_END_PTS];
        p->run.finished = piece.marks & SH_PIECE_FINAL;
    }
    if (status == 0 && p->run.next.output > 0)
        sh_channel_log(p->channel, SH_LOG_INFO,
                       "%" PRId64 " frames (%" PRId64 " pieces) are there from a run before: going on",
                       p->run.next.output, p->run.next.piece);
    return status;
}

static void forget_last(pipeline *p)
{
    sh_ledger_free(&p->run.ledger);
    p->run.next = (sh_reader_start){0};
    p->run.finished = false;
}

static int begin_journal(pipeline *p, sh_err *err)
{
    sh_buf print;
    sh_buf_init(&print, SH_JOURNAL_FINGERPRINT_MAX);
    int status = sh_setup_fingerprint(p, &print, err);
    if (status == 0)
        status = sh_journal_begin(p->journal, sh_buf_cstr(&print), p->child->folder, err);
    sh_buf_free(&print);
    forget_last(p);
    return status;
}

static int match_journal(pipeline *p, sh_err *err)
{
    sh_buf print;
    sh_err why = {0};
    sh_buf_init(&print, SH_JOURNAL_FINGERPRINT_MAX);
    int status = sh_setup_fingerprint(p, &print, err);
    if (status == 0)
        status = sh_journal_match(p->journal, sh_buf_cstr(&print), &why);
    sh_buf_free(&print);
    if (status == 0)
        return take_last(p, err);
    if (status != SH_E_CONFLICT)
        return status;
    if (!p->options->overwrite)
        return sh_fail(err, SH_E_CONFLICT, "%s; -y starts anew", why.message);
    sh_channel_log(p->channel, SH_LOG_WARNING, "%s: started anew", why.message);
    return begin_journal(p, err);
}

static int open_journal(pipeline *p, sh_err *err)
{
    char name[SH_SHOWN + 16];
    snprintf(name, sizeof(name), "%s: its journal", p->output_name);
    int status = sh_journal_open(&p->journal, p->child->journal, name, err);
    if (status < 0)
        return status;
    return !p->child->piped && sh_journal_begun(p->journal) && sh_journal_pieces(p->journal) > 0
               ? match_journal(p, err)
               : begin_journal(p, err);
}

/* ---- reader, encoder, container ---- */

static int tick(void *opaque)
{
    pipeline *p = opaque;
    p->meter.decoded++; /* on the way to the first frame; from then on the stages tell */
    sh_meter_report(&p->meter);
    /* once frames come out the stages decide */
    return !p->working && sh_channel_stop_asked(p->channel) ? -1 : 0;
}

static int open_reader_at(pipeline *p, const sh_reader_start *start, sh_reader **reader, sh_work **first,
                          sh_err *err)
{
    const sh_reader_settings settings = {
        .fd = p->child->input,
        .name = p->input_name,
        .advice = ". Nothing was written; --accept-damage takes what can be decoded",
        .channel = p->channel,
        .threads = p->threads,
        .accept_damage = p->options->accept_damage,
        .start = p->options->start,
        .duration = p->options->duration,
        .plan = &p->plan,
        .piece_frames = p->plan.piece_frames,
        .given = p->child->piped ? &p->pipe : NULL,
        .given_frame = p->pipe_first,
        .tick = tick,
        .opaque = p,
    };
    int status = sh_reader_open(reader, &settings, start, err);
    if (status < 0 || !first)
        return status;
    status = sh_reader_next(*reader, first, err);
    if (status == 0)
        status = sh_fail(err, SH_E_FORMAT, "%s: there is no picture %s the video track", p->input_name,
                         start->output > 0 ? "any more in" : "in");
    if (status < 0)
        sh_reader_close(reader);
    return status < 0 ? status : 0;
}

/* Reads up to the first frame that is to be made. */
static int open_reader(void *opaque, const sh_reader_start *start, sh_reader **reader, sh_work **first,
                       sh_err *err)
{
    pipeline *p = opaque;
    sh_reader_start linear = *start;
    int status = open_reader_at(p, start, reader, first, err);
    if (status != SH_E_CONFLICT || !start->from || start->linear)
        return status;
    sh_channel_log(p->channel, SH_LOG_DEBUG, "%s: decoded from the beginning", err->message);
    linear.linear = true;
    return open_reader_at(p, &linear, reader, first, err);
}

static int open_encoder(pipeline *p, sh_err *err)
{
    sh_encoder_settings_default(&p->encoder);
    sh_encoder_settings_from_plan(&p->encoder, &p->plan, p->child->muxer);
    p->encoder.options = p->options->encoder_options;
    p->encoder.option_count = p->options->encoder_option_count;
    p->encoder.threads = p->threads;
    p->encoder.time_base = p->time_base;
    p->encoder.piece_frames = p->plan.piece_frames + 1;
    int status = sh_encoder_open(&p->run.spare, &p->encoder, err);
    if (status < 0)
        return status;
    p->delay = sh_encoder_delay(p->run.spare);
    p->parameters = avcodec_parameters_alloc();
    if (!p->parameters || avcodec_parameters_copy(p->parameters, sh_encoder_parameters(p->run.spare)) < 0)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    return 0;
}

static void on_replayed(void *opaque, int64_t pieces)
{
    pipeline *p = opaque;
    p->meter.pieces = pieces;
    sh_meter_report(&p->meter);
}

static int side_data(pipeline *p, AVStream **stream, AVFormatContext **holder, sh_err *err)
{
    *holder = avformat_alloc_context();
    *stream = *holder ? avformat_new_stream(*holder, NULL) : NULL;
    if (!*stream)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    return p->run.spare ? sh_encoder_describe(p->run.spare, *stream, err) : 0;
}

static int64_t step_of(const pipeline *p)
{
    const AVRational rate = p->plan.rate;
    const int64_t step = rate.num > 0 ? av_rescale_q(1, av_inv_q(rate), p->time_base) : 1;
    return step > 0 ? step : 1;
}

static int open_muxer(pipeline *p, sh_err *err)
{
    AVFormatContext *holder = NULL;
    AVStream *stream = NULL;
    sh_muxer_settings s;
    int status = side_data(p, &stream, &holder, err);
    sh_muxer_settings_default(&s);
    s.name = p->output_name;
    s.input_name = p->input_name;
    s.channel = p->channel;
    s.format = p->child->muxer;
    s.part = p->child->part;
    s.folder = p->child->folder;
    s.source = p->child->piped ? -1 : p->child->input;
    s.journal = p->journal;
    s.video_track = p->facts.video;
    s.video = p->parameters;
    s.time_base = p->time_base;
    s.frame_rate = p->plan.rate;
    s.sample_aspect = p->plan.sar;
    s.delay = p->delay;
    s.first_pts = p->run.first_pts;
    s.step = step_of(p);
    if (stream) {
        s.side_data = stream->side_data;
        s.side_data_count = stream->nb_side_data;
    }
    s.keep_matrix = p->plan.keep_matrix;
    s.scale_x = (double)p->plan.out_width / p->plan.width;
    s.scale_y = (double)p->plan.out_height / p->plan.height;
    if (p->reader && (p->options->start >= 0 || p->options->duration >= 0)) {
        s.begin_us = p->options->start >= 0 ? sh_reader_source(p->reader)->cut_start : AV_NOPTS_VALUE;
        s.end_us = sh_reader_source(p->reader)->cut_end;
    }
    s.frames = p->plan.frames;
    s.duration = (double)p->facts.duration_us / 1e6;
    s.progress = on_replayed;
    s.opaque = p;
    if (status == 0)
        status = sh_muxer_open(&p->muxer, &s, err);
    avformat_free_context(holder);
    return status;
}

static int open_enlarge(void *opaque, const AVFrame *first, sh_enlarge **enlarge, sh_err *err)
{
    pipeline *p = opaque;
    char note[240];
    sh_enlarge_settings s = {
        .model = p->model.model,
        .restore = p->restore.model,
        .model_name = p->model.name,
        .restore_name = p->restore.name,
        .plan = &p->plan,
    };
    spyhop_settings_default(&s.engine);
    s.engine.threads = p->jobs > 1 ? (p->threads + p->jobs - 1) / p->jobs : p->options->threads;
    s.engine.cpu = p->options->cpu;
    s.engine.precision = p->options->precision;
    int status = sh_enlarge_open(enlarge, &s, first, note, sizeof(note), err);
    if (status == 0 && note[0] && !atomic_exchange(&p->noted, true))
        sh_channel_log(p->channel, SH_LOG_INFO, "%s", note);
    return status;
}

/* ---- the whole ---- */

/* The engine's time for one picture has an end that is known, and so has reading up to where a run before
 * ended; a decoder's has not. */
static void ask_for_patience(const pipeline *p)
{
    const double pixels = (double)p->plan.work_width * p->plan.work_height;
    const double macs = (double)(p->model.info.macs_per_pixel + p->restore.info.macs_per_pixel);
    const double reading = p->facts.bytes > 0 ? (double)p->facts.bytes / READ_SLOW : 0;
    sh_channel_patience(p->channel, SH_SANDBOX_PATIENCE_MS / 1000 + pixels * macs / SLOWEST_MACS + reading);
}

/* No encoder makes more of pictures than they have samples. A length that is not known, or told too short,
 * leaves room. */
static void limit_file(const pipeline *p)
{
    const int64_t picture = (int64_t)p->plan.out_width * p->plan.out_height * 4, spare = INT64_C(1) << 34;
    if (p->plan.frames > 0 && p->plan.frames < INT64_MAX / 4 / picture)
        sh_channel_limit_file(p->channel, spare + 2 * p->plan.frames * picture);
}

static void start_meter(pipeline *p)
{
    p->meter.expected = p->plan.frames;
    p->meter.resumed = p->run.next.output;
    p->meter.encoded = p->meter.committed = p->run.next.output;
    p->meter.pieces = p->run.next.piece;
    p->meter.time_base = p->time_base;
    p->meter.first_pts = p->run.first_pts;
    p->meter.pts = p->run.end_pts;
}

/* The first frame that is to be made, and what makes it. Where all pieces are there already and only the end
 * of the file is missing, the reader just tells what part of the source it is. */
static int open_front(pipeline *p, sh_err *err)
{
    if (p->run.finished) {
        p->run.next.linear = true;
        return open_reader_at(p, &p->run.next, &p->reader, NULL, err);
    }
    int status = open_reader(p, &p->run.next, &p->reader, &p->run.first, err);
    if (status == 0 && p->run.next.output == 0)
        p->run.first_pts = p->run.end_pts = p->run.first->frame->pts;
    p->meter.pts = p->run.end_pts;
    return status < 0 ? status : open_enlarge(p, p->run.first->frame, &p->enlarge, err);
}

static int set_up(pipeline *p, sh_err *err)
{
    const bool file = p->child->muxer != NULL;
    int status = sh_setup_models(p, err);
    if (status == 0)
        status = sh_setup_plan(p, err);
    if (status == 0 && file)
        status = open_journal(p, err);
    if (status == 0) {
        ask_for_patience(p);
        if (file)
            limit_file(p);
        start_meter(p);
        status = open_front(p, err);
    }
    p->meter.first_pts = p->run.first_pts;
    if (status == 0 && file)
        status = open_encoder(p, err);
    return status < 0 || !file ? status : open_muxer(p, err);
}

static void say_again(void *opaque, const sh_run *run, const sh_err *err)
{
    const pipeline *p = opaque;
    if (run->mistaken)
        sh_channel_log(p->channel, SH_LOG_WARNING, "piece %" PRId64 ": %s; it is made again",
                       run->next.piece + 1, err->message);
    else
        sh_channel_log(p->channel, SH_LOG_WARNING, "piece %" PRId64 ": %s; it is made again (%s)",
                       run->next.piece + 1, run->reason, sh_fallback_name((int)run->level));
}

static int stopped(const pipeline *p, sh_err *err)
{
    if (p->run.next.output == 0)
        return sh_fail(err, SH_E_CANCELLED, "%s: interrupted before the first piece was done", p->input_name);
    return sh_fail(err, SH_E_CANCELLED,
                   "%s: interrupted; %" PRId64
                   " frames are done and kept, the same command goes on from there",
                   p->input_name, p->run.next.output);
}

static int run_one(pipeline *p, sh_err *err)
{
    int64_t mistaken = -1, tries = 0;
    while (!p->run.finished) {
        p->run.reader = p->reader;
        int status = sh_run_stages(&p->run, err);
        if (status < 0 || p->run.stopped || p->run.finished)
            return status;
        tries = p->run.mistaken && mistaken == p->run.next.piece ? tries + 1 : 1;
        if (p->run.mistaken && tries >= SH_RUN_TRIES)
            return sh_fail(err, SH_E_INTERNAL, "piece %" PRId64 " of %s is wrong again after %d tries",
                           p->run.next.piece + 1, p->output_name, SH_RUN_TRIES);
        if (p->run.mistaken)
            mistaken = p->run.next.piece;
        say_again(p, &p->run, err);
        sh_reader_close(&p->reader);
        status = open_reader(p, &p->run.next, &p->reader, &p->run.first, err);
        if (status < 0)
            return status;
    }
    return 0;
}

static int run_lanes(pipeline *p, sh_err *err)
{
    const sh_lanes_settings settings = {p->jobs, p, open_reader, open_enlarge, say_again};
    sh_run_free_front(&p->run);
    sh_reader_close(&p->reader);
    sh_enlarge_close(&p->enlarge);
    return sh_lanes_run(&settings, &p->run, err);
}

static int run_all(pipeline *p, sh_err *err)
{
    p->working = true;
    p->run.meter = &p->meter;
    p->run.plan = &p->plan;
    p->run.encoder = &p->encoder;
    p->run.parameters = p->parameters;
    p->run.enlarge = p->enlarge;
    p->run.muxer = p->muxer;
    p->run.tolerance = sh_check_tolerance(p->plan.crf);
    p->run.piped = p->child->piped || !p->child->muxer; /* what is written to a pipe stays written */
    p->run.y4m = p->child->muxer ? NULL : &p->y4m;
    p->run.y4m_fd = p->child->part;
    int status = p->run.finished ? 0 : p->jobs > 1 ? run_lanes(p, err) : run_one(p, err);
    return status == 0 && p->run.stopped ? stopped(p, err) : status;
}

/* One frame, before and after. */
static int make_preview(pipeline *p, sh_err *err)
{
    char reason[200];
    bool duplicate;
    AVFrame *after = av_frame_clone(p->run.first->frame);
    int status = after ? sh_enlarge_piece(p->enlarge, SH_FALLBACK_NONE, err)
                       : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0)
        status = sh_enlarge_frame(p->enlarge, &after, 0, &duplicate, reason, sizeof(reason), err);
    if (status == SH_ENLARGE_BAD)
        status = sh_fail(err, SH_E_UNSUPPORTED, "model %s: %s", p->model.name, reason);
    if (status == 0)
        status = sh_preview_write(p->child->part, p->run.first->frame, after, SH_PREVIEW_SIDES, err);
    p->run.next.output = 1;
    av_frame_free(&after);
    return status;
}

static int finish(pipeline *p, sh_err *err)
{
    if (!p->child->muxer)
        return 0;
    sh_channel_patience(p->channel,
                        SH_SANDBOX_PATIENCE_MS / 1000 + 2 * (double)sh_muxer_size(p->muxer) / DISK_SLOW);
    int status = sh_muxer_finish(p->muxer, err);
    return status < 0 ? status : sh_mux_verify(p->muxer, err);
}

static void send_result(const pipeline *p)
{
    sh_message message = {.kind = SH_MSG_DATA};
    message.number[SH_UP_FRAMES] = p->run.next.output;
    message.number[SH_UP_DAMAGES] = p->run.ledger.damages;
    message.number[SH_UP_WIDTH] = p->plan.width;
    message.number[SH_UP_HEIGHT] = p->plan.height;
    message.number[SH_UP_OUT_WIDTH] = p->plan.out_width;
    message.number[SH_UP_OUT_HEIGHT] = p->plan.out_height;
    message.number[SH_UP_DURATION_US] =
        av_rescale_q(p->run.end_pts - p->run.first_pts, p->time_base, AV_TIME_BASE_Q);
    message.number[SH_UP_BYTES] = p->muxer ? sh_muxer_size(p->muxer) : p->meter.bytes;
    snprintf(message.text, sizeof(message.text), "%d/%d %d/%d", p->facts.time_base.num,
             p->facts.time_base.den, p->time_base.num, p->time_base.den);
    sh_channel_send(p->channel, &message);
}

static void tear_down(pipeline *p)
{
    sh_run_free(&p->run);
    sh_reader_close(&p->reader);
    sh_muxer_close(p->muxer);
    sh_enlarge_close(&p->enlarge);
    avcodec_parameters_free(&p->parameters);
    sh_journal_close(p->journal);
    sh_y4m_close(&p->y4m);
    av_frame_free(&p->pipe_first);
    sh_source_close(&p->pipe);
    spyhop_model_free(&p->model.model);
    spyhop_model_free(&p->restore.model);
    pthread_mutex_destroy(&p->meter.lock);
    free(p);
}

int sh_upscale_child_main(void *opaque, int channel, sh_err *err)
{
    const sh_upscale_child *child = opaque;
    mallopt(M_MMAP_THRESHOLD, LARGE); /* fixed: else the heap is in holes after some hours of pieces */
    pipeline *p = calloc(1, sizeof(*p));
    if (!p)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    p->child = child;
    p->options = child->job->options;
    p->channel = p->meter.channel = channel;
    p->threads = p->options->threads > 0 ? p->options->threads : sh_cpu_count();
    p->jobs = p->options->jobs > 1 && child->muxer && !child->piped ? p->options->jobs : 1;
    sh_shown_path(p->options->input, p->input_name);
    sh_shown_path(p->options->output, p->output_name);
    pthread_mutex_init(&p->meter.lock, NULL);
    sh_avlog_start(channel);
    int status = set_up(p, err);
    if (status == 0)
        status = p->options->preview ? make_preview(p, err) : run_all(p, err);
    if (status == 0)
        status = finish(p, err);
    if (status == 0)
        send_result(p);
    sh_avlog_stop();
    tear_down(p);
    return status;
}
