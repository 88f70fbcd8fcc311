/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/run.h"
#include "base/clock.h"
#include "base/log.h"
#include "media/pipeline.h"
#include "media/sandbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 4        /* pictures waiting between two stages */
#define CODED_LINE 64 /* packets and what is expected of them */
#define REPORT_US 100000
#define FINISH_US 10000000 /* what a piece may still take when the work is to stop */

struct sh_run_inner {
    sh_line *prepared, *enlarged, *coded;
    sh_line *committed; /* a word for each piece: only then is the next one encoded */
    pthread_mutex_t lock;
    sh_err failure; /* the first of any stage */
    /* of the enlarging stage */
    int64_t began_us, position; /* of the piece at hand; frames done of it */
    int64_t first_piece;        /* of the run */
    bool stopping;
    sh_fallback level;
    char reason[200];
    /* a piece that has to be made again, by the stage that found it */
    bool again;
    int64_t again_piece;
    sh_fallback again_level;
    char again_reason[200];
    /* of the committing stage */
    sh_check *check;
    AVPacket **packets;
    size_t packet_count, packet_capacity;
    bool *duplicate; /* of the piece's frames */
    size_t frame_count, frame_capacity;
    int64_t last_pts, last_duration;
    int level_made;
};

/* ---- the meter ---- */

void sh_meter_report(sh_meter *m)
{
    const int64_t now = sh_monotonic_us();
    sh_message message = {.kind = SH_MSG_PROGRESS};
    pthread_mutex_lock(&m->lock);
    const bool due = now - m->reported_at >= REPORT_US;
    if (due)
        m->reported_at = now;
    pthread_mutex_unlock(&m->lock);
    if (!due)
        return;
    message.number[SH_UP_DECODED] = m->decoded;
    message.number[SH_UP_ENCODED] = m->encoded;
    message.number[SH_UP_EXPECTED] = m->expected;
    message.number[SH_UP_WRITTEN] = m->bytes;
    message.number[SH_UP_RESUMED] = m->resumed;
    message.number[SH_UP_COMMITTED] = m->committed;
    message.number[SH_UP_PIECES] = m->pieces;
    message.number[SH_UP_TIME_US] =
        m->time_base.den > 0 ? av_rescale_q(m->pts - m->first_pts, m->time_base, AV_TIME_BASE_Q) : 0;
    sh_channel_send(m->channel, &message);
}

/* ---- turns ---- */

bool sh_turn_wait(sh_turn *turn, int64_t piece)
{
    pthread_mutex_lock(&turn->lock);
    while (!turn->closed && turn->next != piece)
        pthread_cond_wait(&turn->changed, &turn->lock);
    const bool open = !turn->closed;
    pthread_mutex_unlock(&turn->lock);
    return open;
}

void sh_turn_pass(sh_turn *turn)
{
    pthread_mutex_lock(&turn->lock);
    turn->next++;
    pthread_cond_broadcast(&turn->changed);
    pthread_mutex_unlock(&turn->lock);
}

void sh_turn_close(sh_turn *turn)
{
    pthread_mutex_lock(&turn->lock);
    turn->closed = true;
    pthread_cond_broadcast(&turn->changed);
    pthread_mutex_unlock(&turn->lock);
}

/* ---- stopping ---- */

static void close_lines(struct sh_run_inner *in)
{
    sh_line_close(in->prepared);
    sh_line_close(in->enlarged);
    sh_line_close(in->coded);
    sh_line_close(in->committed);
}

static void fail(sh_run *run, const sh_err *err)
{
    struct sh_run_inner *in = run->inner;
    pthread_mutex_lock(&in->lock);
    if (in->failure.status == 0)
        in->failure = *err;
    pthread_mutex_unlock(&in->lock);
    close_lines(in);
}

/* Everything before `piece` is to be finished; it itself is made again. */
static void want_again(sh_run *run, int64_t piece, sh_fallback level, const char *reason)
{
    struct sh_run_inner *in = run->inner;
    pthread_mutex_lock(&in->lock);
    if (!in->again || piece < in->again_piece) {
        in->again = true;
        in->again_piece = piece;
        in->again_level = level;
        snprintf(in->again_reason, sizeof(in->again_reason), "%.190s", reason);
    }
    pthread_mutex_unlock(&in->lock);
}

static bool push_stop(sh_line *line, sh_work_kind kind)
{
    return sh_line_push(line, sh_work_new(kind));
}

/* ---- stage 1: read ---- */

static void *read_stage(void *opaque)
{
    sh_run *run = opaque;
    struct sh_run_inner *in = run->inner;
    sh_err err = {0};
    int status = 1;
    if (run->first) {
        sh_work *first = run->first;
        status = run->turn && first->last ? 0 : 1;
        run->first = NULL;
        if (!sh_line_push(in->prepared, first))
            return NULL;
    }
    while (status == 1) {
        sh_work *work;
        status = sh_reader_next(run->reader, &work, &err);
        if (!run->turn)
            run->meter->decoded = sh_reader_decoded(run->reader);
        const bool enough = status == 1 && run->turn && work->last;
        if (status == 1 && !sh_line_push(in->prepared, work))
            return NULL;
        status = enough ? 0 : status;
    }
    if (status < 0)
        fail(run, &err);
    else
        push_stop(in->prepared, SH_WORK_STOP);
    return NULL;
}

/* ---- stage 2: enlarge ---- */

/* Whether to stop in front of this frame. */
static bool stops_here(sh_run *run, const sh_work *work)
{
    struct sh_run_inner *in = run->inner;
    if (!in->stopping && !sh_channel_stop_asked(run->meter->channel))
        return false;
    in->stopping = true;
    if (work->first || in->position == 0)
        return true;
    const int64_t each = (sh_monotonic_us() - in->began_us) / in->position;
    return each * (run->plan->piece_frames - in->position) > FINISH_US;
}

static int begin_piece(sh_run *run, sh_work *work, sh_err *err)
{
    struct sh_run_inner *in = run->inner;
    in->began_us = sh_monotonic_us();
    in->position = 0;
    in->level = work->piece == in->first_piece ? run->level : SH_FALLBACK_NONE;
    in->reason[0] = '\0';
    if (in->level != SH_FALLBACK_NONE)
        snprintf(in->reason, sizeof(in->reason), "%s", run->reason);
    return sh_enlarge_piece(run->enlarge, in->level, err);
}

/* A source that is read once: from here on the piece is made by the next level. */
static int go_down(sh_run *run, const char *reason, sh_err *err)
{
    struct sh_run_inner *in = run->inner;
    in->level = sh_enlarge_next(run->enlarge, in->level);
    snprintf(in->reason, sizeof(in->reason), "%s", reason);
    return sh_enlarge_piece(run->enlarge, in->level, err);
}

/* 0: done, 1: the piece has to be made again. */
static int enlarge(sh_run *run, sh_work *work, sh_err *err)
{
    struct sh_run_inner *in = run->inner;
    char reason[200], text[200];
    int status = work->first ? begin_piece(run, work, err) : 0;
    while (status == 0) {
        status = sh_enlarge_frame(run->enlarge, &work->frame, work->number, &work->duplicate, reason,
                                  sizeof(reason), err);
        if (status != SH_ENLARGE_BAD)
            break;
        snprintf(text, sizeof(text), "frame %" PRId64 ": %.160s", work->number + 1, reason);
        if (!run->piped) {
            want_again(run, work->piece, sh_enlarge_next(run->enlarge, in->level), text);
            return 1;
        }
        status = go_down(run, text, err);
    }
    if (status < 0)
        return status;
    work->level = (int)in->level;
    work->check.pts = work->frame->pts;
    sh_signature_make(&work->check.signature, work->frame, 1);
    if (work->last && in->reason[0])
        snprintf(work->ledger->reason, sizeof(work->ledger->reason), "%s", in->reason);
    in->position++;
    run->meter->enlarged++;
    return 0;
}

static void *enlarge_stage(void *opaque)
{
    sh_run *run = opaque;
    struct sh_run_inner *in = run->inner;
    sh_err err = {0};
    sh_work *work;
    while ((work = sh_line_pop(in->prepared)) != NULL) {
        const bool end = work->kind != SH_WORK_FRAME;
        int status = end || stops_here(run, work) ? 1 : enlarge(run, work, &err);
        if (status != 0) {
            sh_work_free(work);
            if (status < 0)
                fail(run, &err);
            else
                push_stop(in->enlarged, SH_WORK_STOP);
            break;
        }
        if (!sh_line_push(in->enlarged, work))
            break;
    }
    sh_line_close(in->prepared);
    return NULL;
}

/* ---- stage 3: encode ---- */

/* A closed line is no failure of this stage. */
static int drain(sh_run *run, sh_encoder *encoder, sh_err *err)
{
    int status = sh_line_encoded(run->inner->coded, encoder, err);
    return status == SH_E_CANCELLED ? 0 : status;
}

static int open_encoder(sh_run *run, sh_encoder **encoder, sh_err *err)
{
    sh_encoder_close(encoder);
    *encoder = run->spare;
    run->spare = NULL;
    if (*encoder)
        return 0;
    int status = sh_encoder_open(encoder, run->encoder, err);
    return status < 0 ? status : sh_encoder_check_parameters(*encoder, run->parameters, err);
}

static int finish_piece(sh_run *run, sh_encoder *encoder, sh_ledger *ledger, sh_err *err)
{
    sh_work *end = sh_work_new(SH_WORK_PIECE);
    int status = end ? sh_encoder_send(encoder, NULL, err) : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0)
        status = drain(run, encoder, err);
    if (status < 0 || !end) {
        if (ledger)
            sh_ledger_free(ledger);
        free(ledger);
        free(end);
        return status;
    }
    end->ledger = ledger;
    sh_line_push(run->inner->coded, end);
    return 0;
}

/* A crash may take away one piece at most. False: the lines are closed. */
static bool await_commit(sh_run *run, const sh_work *work)
{
    if (!work->first || work->piece == run->inner->first_piece)
        return true;
    sh_work *word = sh_line_pop(run->inner->committed);
    const bool there = word != NULL;
    sh_work_free(word);
    return there;
}

static int encode(sh_run *run, sh_encoder **encoder, sh_work *work, sh_err *err)
{
    int status = work->first ? open_encoder(run, encoder, err) : 0;
    if (status == 0 && !await_commit(run, work)) {
        sh_work_free(work);
        return 0;
    }
    if (status == 0)
        status = sh_encoder_send(*encoder, work->frame, err);
    if (status < 0) {
        sh_work_free(work);
        return status;
    }
    const bool last = work->last;
    sh_ledger *ledger = work->ledger;
    run->meter->pts = work->frame->pts;
    work->ledger = NULL;
    av_frame_free(&work->frame);
    if (!sh_line_push(run->inner->coded, work)) {
        if (ledger)
            sh_ledger_free(ledger);
        free(ledger);
        return 0;
    }
    run->meter->encoded++;
    sh_meter_report(run->meter);
    status = drain(run, *encoder, err);
    return last && status == 0 ? finish_piece(run, *encoder, ledger, err) : status;
}

static void *encode_stage(void *opaque)
{
    sh_run *run = opaque;
    struct sh_run_inner *in = run->inner;
    sh_encoder *encoder = NULL;
    sh_err err = {0};
    sh_work *work;
    int status = 0;
    while (status == 0 && (work = sh_line_pop(in->enlarged)) != NULL) {
        if (work->kind != SH_WORK_FRAME) {
            sh_line_push(in->coded, work);
            break;
        }
        status = encode(run, &encoder, work, &err);
    }
    if (status < 0)
        fail(run, &err);
    sh_encoder_close(&encoder);
    sh_line_close(in->enlarged);
    return NULL;
}

/* In place of stages 3 and 4: pictures as they are. */
static int write_picture(sh_run *run, const sh_work *work, sh_err *err)
{
    int status = 0;
    if (run->meter->encoded == 0)
        status = sh_y4m_open(run->y4m, run->y4m_fd, work->frame, run->plan->rate, run->plan->sar, err);
    if (status == 0)
        status = sh_y4m_write(run->y4m, work->frame, err);
    if (status < 0)
        return status;
    run->meter->pts = work->frame->pts;
    run->end_pts = work->frame->pts + work->frame->pkt_duration;
    run->meter->encoded++;
    run->next.output++;
    run->meter->committed = run->next.output;
    run->meter->bytes = run->y4m->written;
    if (work->last) {
        run->next.source += sh_ledger_sources(work->ledger);
        run->ledger.damages = work->ledger->damages;
        run->finished = work->ledger->final;
    }
    sh_meter_report(run->meter);
    return 0;
}

static int write_stage(sh_run *run, sh_err *err)
{
    struct sh_run_inner *in = run->inner;
    sh_work *work;
    while ((work = sh_line_pop(in->enlarged)) != NULL) {
        const bool end = work->kind != SH_WORK_FRAME;
        int status = end ? 0 : write_picture(run, work, err);
        sh_work_free(work);
        if (status < 0 || end) {
            close_lines(in);
            return status;
        }
    }
    return SH_E_CANCELLED;
}

/* ---- stage 4: check and commit ---- */

static int begin_check(sh_run *run, sh_err *err)
{
    struct sh_run_inner *in = run->inner;
    const int threads = (run->encoder->threads + 3) / 4;
    sh_check_close(&in->check);
    in->frame_count = 0;
    return sh_check_open(&in->check, run->parameters, run->encoder->time_base, run->tolerance,
                         threads < 4 ? threads : 4, err);
}

static int expect(sh_run *run, const sh_work *work, sh_err *err)
{
    struct sh_run_inner *in = run->inner;
    int status = work->first ? begin_check(run, err) : 0;
    if (status == 0 && in->frame_count == in->frame_capacity) {
        const size_t capacity = in->frame_capacity ? 2 * in->frame_capacity : 256;
        bool *grown = capacity <= SH_JOURNAL_PACKETS_MAX ? realloc(in->duplicate, capacity) : NULL;
        if (!grown)
            return sh_fail(err, SH_E_MEMORY, "memory is short");
        in->duplicate = grown;
        in->frame_capacity = capacity;
    }
    if (status < 0)
        return status;
    in->duplicate[in->frame_count++] = work->duplicate;
    in->level_made = work->level > in->level_made || work->first ? work->level : in->level_made;
    return sh_check_expect(in->check, &work->check, err);
}

/* A piece that does not decode back is made again. */
static int checked(sh_run *run, int status, sh_err *err)
{
    if (status == SH_E_CONFLICT) {
        run->mistaken = true;
        want_again(run, run->next.piece, (sh_fallback)run->inner->level_made, err->message);
    }
    return status;
}

static int keep_packet(sh_run *run, sh_work *work, sh_err *err)
{
    struct sh_run_inner *in = run->inner;
    if (in->packet_count == in->packet_capacity) {
        const size_t capacity = in->packet_capacity ? 2 * in->packet_capacity : 256;
        AVPacket **grown =
            capacity <= SH_JOURNAL_PACKETS_MAX ? realloc(in->packets, capacity * sizeof(*grown)) : NULL;
        if (!grown)
            return sh_fail(err, SH_E_MEMORY, "memory is short");
        in->packets = grown;
        in->packet_capacity = capacity;
    }
    AVPacket *packet = in->packets[in->packet_count++] = work->packet;
    work->packet = NULL;
    if (packet->pts >= in->last_pts) {
        in->last_pts = packet->pts;
        in->last_duration = packet->duration;
    }
    return checked(run, sh_check_packet(in->check, packet, err), err);
}

static void mark_duplicates(const sh_run *run, sh_ledger *ledger)
{
    const struct sh_run_inner *in = run->inner;
    for (size_t i = 0; i < ledger->count; i++) {
        sh_ledger_entry *e = &ledger->entries[i];
        const int64_t at = e->output - run->next.output;
        if (e->fate == SH_FATE_KEPT && at >= 0 && (size_t)at < in->frame_count && in->duplicate[at])
            e->fate = SH_FATE_DUPLICATE;
    }
    for (size_t i = 0; i < in->frame_count; i++)
        ledger->duplicates += in->duplicate[i];
}

static int write_piece(sh_run *run, sh_ledger *ledger, sh_err *err)
{
    struct sh_run_inner *in = run->inner;
    sh_buf bytes;
    sh_buf_init(&bytes, SH_JOURNAL_LEDGER_MAX);
    mark_duplicates(run, ledger);
    run->end_pts = in->last_pts + in->last_duration;
    sh_journal_piece piece = {
        .first_frame = run->next.output,
        .frames = (int64_t)in->frame_count,
        .first_source = run->next.source,
        .source_frames = sh_ledger_sources(ledger),
        .next_packet = ledger->next.packet >= 0 ? ledger->next.key : -1,
        .content_crc = ledger->checks > 0 ? (uint32_t)ledger->check[ledger->checks - 1] : 0,
        .fallback = (uint32_t)in->level_made,
        .marks = ledger->final ? SH_PIECE_FINAL : 0,
        .extra = {run->first_pts, run->end_pts, ledger->damages, ledger->duplicates},
    };
    int status = sh_ledger_write(ledger, &bytes);
    if (status < 0)
        sh_fail(err, status, "the ledger of piece %" PRId64 " is too long", run->next.piece);
    piece.ledger = bytes.data;
    piece.ledger_size = bytes.length;
    if (status == 0 && run->turn && !sh_turn_wait(run->turn, run->next.piece))
        status = sh_fail(err, SH_E_CANCELLED, "a piece before piece %" PRId64 " was not done",
                         run->next.piece + 1);
    if (status == 0)
        status = sh_muxer_piece(run->muxer, &piece, in->packets, in->packet_count, err);
    sh_buf_free(&bytes);
    if (status < 0)
        return status;
    run->next.source += piece.source_frames;
    run->next.output += piece.frames;
    return 0;
}

static void drop_packets(struct sh_run_inner *in)
{
    for (size_t i = 0; i < in->packet_count; i++)
        av_packet_free(&in->packets[i]);
    in->packet_count = 0;
}

static int commit(sh_run *run, sh_ledger *ledger, sh_err *err)
{
    struct sh_run_inner *in = run->inner;
    int status = sh_check_packet(in->check, NULL, err);
    if (status == 0 && (size_t)sh_check_frames(in->check) != in->frame_count)
        status = sh_fail(err, SH_E_CONFLICT, "%" PRId64 " of %zu frames decode back",
                         sh_check_frames(in->check), in->frame_count);
    status = checked(run, status, err);
    if (status == 0)
        status = write_piece(run, ledger, err);
    if (status < 0)
        return status;
    drop_packets(in);
    run->next.piece++;
    run->next.linear = false;
    sh_ledger_free(&run->ledger);
    run->ledger = *ledger;
    *ledger = (sh_ledger){0};
    run->next.from = &run->ledger;
    run->finished = run->ledger.final;
    run->meter->committed = run->next.output;
    run->meter->pieces = run->next.piece;
    run->meter->bytes = sh_muxer_size(run->muxer);
    sh_meter_report(run->meter);
    if (run->turn)
        sh_turn_pass(run->turn);
    sh_work *word = run->finished ? NULL : sh_work_new(SH_WORK_PIECE);
    if (!run->finished && !word)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    sh_line_push(in->committed, word);
    return 0;
}

static int take_coded(sh_run *run, sh_work *work, sh_err *err)
{
    int status = 0;
    if (work->kind == SH_WORK_FRAME)
        status = expect(run, work, err);
    else if (work->kind == SH_WORK_PACKET)
        status = keep_packet(run, work, err);
    else if (work->kind == SH_WORK_PIECE)
        status = commit(run, work->ledger, err);
    return status;
}

static int commit_stage(sh_run *run, sh_err *err)
{
    struct sh_run_inner *in = run->inner;
    sh_work *work;
    while ((work = sh_line_pop(in->coded)) != NULL) {
        const bool end = work->kind == SH_WORK_STOP;
        int status = end ? 0 : take_coded(run, work, err);
        sh_work_free(work);
        if (status < 0 || end) {
            close_lines(in);
            return status;
        }
    }
    return SH_E_CANCELLED; /* another stage failed; its reason is in in->failure */
}

/* ---- the whole ---- */

static void free_inner(struct sh_run_inner *in)
{
    drop_packets(in);
    free(in->packets);
    free(in->duplicate);
    sh_check_close(&in->check);
    sh_line_free(in->prepared);
    sh_line_free(in->enlarged);
    sh_line_free(in->coded);
    sh_line_free(in->committed);
    pthread_mutex_destroy(&in->lock);
    free(in);
}

void sh_run_free_front(sh_run *run)
{
    sh_encoder_close(&run->spare);
    sh_work_free(run->first);
    run->first = NULL;
}

void sh_run_free(sh_run *run)
{
    sh_run_free_front(run);
    sh_ledger_free(&run->ledger);
}

static int start_and_join(sh_run *run, sh_err *err)
{
    void *(*const stages[])(void *) = {read_stage, enlarge_stage, encode_stage};
    pthread_t threads[3];
    const int count = run->y4m ? 2 : 3;
    int started = 0, status;
    while (started < count && pthread_create(&threads[started], NULL, stages[started], run) == 0)
        started++;
    if (started == count)
        status = run->y4m ? write_stage(run, err) : commit_stage(run, err);
    else
        status = sh_fail(err, SH_E_MEMORY, "no thread for a stage");
    if (started < count)
        close_lines(run->inner);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return status;
}

int sh_run_stages(sh_run *run, sh_err *err)
{
    struct sh_run_inner *in = calloc(1, sizeof(*in));
    if (!in)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    run->inner = in;
    run->finished = run->stopped = run->again = run->mistaken = false;
    in->last_pts = INT64_MIN;
    in->first_piece = run->next.piece;
    pthread_mutex_init(&in->lock, NULL);
    in->prepared = sh_line_new(LINE);
    in->enlarged = sh_line_new(LINE);
    in->coded = sh_line_new(CODED_LINE);
    in->committed = sh_line_new(1);
    const bool lines = in->prepared && in->enlarged && in->coded && in->committed;
    int status = lines ? start_and_join(run, err) : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (run->mistaken) {
        status = 0;
    } else if (in->failure.status < 0) {
        *err = in->failure;
        status = in->failure.status;
    }
    run->level = SH_FALLBACK_NONE;
    run->reason[0] = '\0';
    if (status == 0 && in->again && in->again_piece == run->next.piece) {
        run->again = true;
        run->level = in->again_level;
        snprintf(run->reason, sizeof(run->reason), "%s", in->again_reason);
    }
    run->stopped = status == 0 && in->stopping && !run->finished && !run->again &&
                   !(run->turn && run->next.piece > in->first_piece);
    const bool enough = run->finished || (run->turn && run->next.piece == in->first_piece + 1);
    if (status == 0 && !enough && !run->stopped && !run->again)
        status = sh_fail(err, SH_E_INTERNAL, "the work ended after piece %" PRId64 " and not at the end",
                         run->next.piece);
    run->inner = NULL;
    free_inner(in);
    return status;
}
