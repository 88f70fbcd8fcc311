/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muxwork.h"
#include "media/source.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIDE 64

typedef struct job {
    muxwork *work;
    sh_unfinished files;
    sh_source source;
    int input;
    sh_journal *journal;
    sh_muxer *muxer;
    AVCodecParameters *parameters;
    AVRational clock;
    int delay;
    sh_buf fingerprint;
} job;

/* Uneven steps: 2, 3, 2, 3 ... of 1/60 s. */
static int64_t time_of(const job *j, int64_t frame)
{
    const AVRational sixtieth = {1, 60};
    const AVStream *video = j->source.video;
    const int64_t begin = j->work->begin_us != AV_NOPTS_VALUE
                              ? av_rescale_q(j->work->begin_us, AV_TIME_BASE_Q, j->clock)
                          : video->start_time != AV_NOPTS_VALUE ? video->start_time
                                                                : 0;
    return begin + av_rescale_q(frame / 2 * 5 + frame % 2 * 2, sixtieth, j->clock);
}

static int open_encoder(const job *j, AVCodecContext **out)
{
    const char *const name = j->work->encoder ? j->work->encoder : "libx264";
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    AVCodecContext *encoder = codec ? avcodec_alloc_context3(codec) : NULL;
    AVDictionary *options = NULL;
    if (!encoder)
        return AVERROR_ENCODER_NOT_FOUND;
    encoder->width = encoder->height = SIDE;
    encoder->pix_fmt = AV_PIX_FMT_YUV420P;
    encoder->time_base = j->clock;
    encoder->framerate = (AVRational){24, 1};
    encoder->thread_count = 1;
    encoder->gop_size = 1000;
    encoder->max_b_frames = 2;
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_dict_set(&options, "preset", "ultrafast", 0);
    av_dict_set(&options, "x264-params", "cpu-independent=1:scenecut=0:bframes=2", 0);
    av_dict_set(&options, "x265-params", "open-gop=0:pools=1:frame-threads=1:log-level=none:bframes=2", 0);
    av_dict_set(&options, "cpu-used", "8", 0); /* of libaom-av1 */
    int error = avcodec_open2(encoder, codec, &options);
    av_dict_free(&options);
    if (error < 0)
        avcodec_free_context(&encoder);
    else
        *out = encoder;
    return error;
}

static void draw(AVFrame *frame, int64_t number)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            frame->data[0][y * frame->linesize[0] + x] = (uint8_t)(x * 3 + y * 2 + number * 5 + (x * y >> 3));
    for (int plane = 1; plane < 3; plane++)
        for (int y = 0; y < SIDE / 2; y++)
            memset(frame->data[plane] + y * frame->linesize[plane], (int)(100 + number % 50 + plane),
                   SIDE / 2);
}

static int receive(AVCodecContext *encoder, AVPacket **packets, size_t *count, int64_t duration)
{
    for (;;) {
        int error = avcodec_receive_packet(encoder, packets[*count]);
        if (error == AVERROR(EAGAIN) || error == AVERROR_EOF)
            return 0;
        if (error < 0 || *count + 1 == MUXWORK_FRAMES)
            return error < 0 ? error : (++*count, 0);
        packets[(*count)++]->duration = duration;
    }
}

static int encode(const job *j, int64_t piece, AVPacket **packets, size_t *count)
{
    AVCodecContext *encoder = NULL;
    AVFrame *frame = av_frame_alloc();
    const int64_t step = time_of(j, 1) - time_of(j, 0);
    int error = frame ? open_encoder(j, &encoder) : AVERROR(ENOMEM);
    *count = 0;
    for (int i = 0; i <= MUXWORK_FRAMES && error >= 0; i++) {
        const int64_t number = piece * MUXWORK_FRAMES + i;
        if (i < MUXWORK_FRAMES) {
            frame->width = frame->height = SIDE;
            frame->format = AV_PIX_FMT_YUV420P;
            error = av_frame_get_buffer(frame, 0);
            if (error >= 0)
                draw(frame, j->work->same_packets ? i : number);
            frame->pts = time_of(j, number);
        }
        if (error >= 0)
            error = avcodec_send_frame(encoder, i < MUXWORK_FRAMES ? frame : NULL);
        if (error >= 0)
            error = receive(encoder, packets, count, step);
        av_frame_unref(frame);
    }
    av_frame_free(&frame);
    avcodec_free_context(&encoder);
    return error;
}

static int open_source(job *j, sh_err *err)
{
    AVCodecContext *encoder = NULL;
    j->input = open(j->work->source, O_RDONLY | O_CLOEXEC);
    if (j->input < 0)
        return sh_fail(err, SH_E_IO, "%s", j->work->source);
    j->source.name = j->work->source;
    j->source.channel = -1;
    int status = sh_source_open(&j->source, j->input, 1, err);
    if (status < 0)
        return status;
    j->clock = j->source.video->time_base;
    if (j->clock.den < 60) /* a still picture's, say */
        j->clock = (AVRational){1, 60000};
    j->parameters = avcodec_parameters_alloc();
    int error = j->parameters ? open_encoder(j, &encoder) : AVERROR(ENOMEM);
    if (error >= 0)
        error = avcodec_parameters_from_context(j->parameters, encoder);
    j->delay = 4; /* more than any of them reorders */
    if (j->parameters && j->parameters->codec_id == AV_CODEC_ID_HEVC)
        j->parameters->codec_tag = MKTAG('h', 'v', 'c', '1');
    avcodec_free_context(&encoder);
    return error < 0 ? sh_fail(err, SH_E_INTERNAL, "encoder: %s", av_err2str(error)) : 0;
}

static int open_journal(job *j, sh_err *err)
{
    int status = sh_journal_open(&j->journal, j->files.journal, j->files.journal_name, err);
    sh_buf_init(&j->fingerprint, SH_JOURNAL_FINGERPRINT_MAX);
    if (status == 0)
        status = sh_journal_say_file(&j->fingerprint, "source", j->input, err);
    if (status < 0)
        return status;
    return sh_journal_begun(j->journal)
               ? sh_journal_match(j->journal, sh_buf_cstr(&j->fingerprint), err)
               : sh_journal_begin(j->journal, sh_buf_cstr(&j->fingerprint), j->files.folder, err);
}

static int open_muxer(job *j, sh_err *err)
{
    sh_muxer_settings s;
    sh_muxer_settings_default(&s);
    s.name = j->work->output;
    s.input_name = j->work->source;
    s.format = sh_mux_find(j->work->output, err);
    if (!s.format)
        return SH_E_ARGUMENT;
    if (j->work->say)
        sh_mux_losses(j->source.format, j->source.video->index, s.format, true, j->work->say,
                      j->work->opaque);
    s.part = j->files.part;
    s.folder = j->files.folder;
    s.source = j->input;
    s.journal = j->journal;
    s.video_track = j->source.video->index;
    s.video = j->parameters;
    s.time_base = j->clock;
    s.frame_rate = (AVRational){24, 1};
    s.sample_aspect = (AVRational){1, 1};
    s.delay = j->delay;
    s.first_pts = time_of(j, 0);
    s.step = time_of(j, 1) - time_of(j, 0);
    s.keep_matrix = true;
    s.begin_us = j->work->begin_us;
    s.end_us = j->work->end_us;
    s.frames = j->work->no_room ? 0 : j->work->pieces * MUXWORK_FRAMES;
    return sh_muxer_open(&j->muxer, &s, err);
}

static int write_pieces(job *j, AVPacket **packets, sh_err *err)
{
    const muxwork *work = j->work;
    int status = 0;
    for (int64_t n = sh_journal_pieces(j->journal), done = 0;
         n < work->pieces && (work->stop_after < 0 || done < work->stop_after) && status == 0; n++, done++) {
        sh_journal_piece piece = {.first_frame = n * MUXWORK_FRAMES,
                                  .frames = MUXWORK_FRAMES,
                                  .ledger = "ledger",
                                  .ledger_size = (size_t)(n % 7)};
        size_t count;
        int error = encode(j, n, packets, &count);
        status = error < 0 ? sh_fail(err, SH_E_INTERNAL, "encoding: %s", av_err2str(error))
                           : sh_muxer_piece(j->muxer, &piece, packets, count, err);
    }
    return status;
}

static int run_pieces(job *j, sh_err *err)
{
    AVPacket *packets[MUXWORK_FRAMES] = {NULL};
    int status = 0;
    for (int i = 0; i < MUXWORK_FRAMES; i++)
        if (!(packets[i] = av_packet_alloc()))
            status = sh_fail(err, SH_E_MEMORY, "memory is short");
    j->work->replayed = sh_journal_pieces(j->journal);
    if (status == 0)
        status = write_pieces(j, packets, err);
    for (int i = 0; i < MUXWORK_FRAMES; i++)
        av_packet_free(&packets[i]);
    return status;
}

static int finish(job *j, sh_err *err)
{
    if (sh_journal_pieces(j->journal) < j->work->pieces || j->work->no_finish)
        return 0;
    int status = sh_muxer_finish(j->muxer, err);
    if (status == 0)
        status = sh_mux_verify(j->muxer, err);
    if (status == 0 && !j->work->no_commit)
        status = sh_unfinished_commit(&j->files, err);
    return status < 0 ? status : !j->work->no_commit;
}

int muxwork_run(muxwork *work, sh_err *err)
{
    job j = {.work = work, .files = SH_UNFINISHED_NONE, .input = -1};
    int status = open_source(&j, err);
    if (status == 0)
        status = sh_unfinished_open(&j.files, work->output, false, j.input, err);
    if (status == 0)
        status = open_journal(&j, err);
    if (status == 0)
        status = open_muxer(&j, err);
    if (status == 0)
        status = run_pieces(&j, err);
    if (status == 0)
        status = finish(&j, err);
    sh_muxer_close(j.muxer);
    sh_journal_close(j.journal);
    sh_unfinished_close(&j.files);
    sh_source_close(&j.source);
    avcodec_parameters_free(&j.parameters);
    sh_buf_free(&j.fingerprint);
    if (j.input >= 0)
        close(j.input);
    return status;
}
