/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/reader.h"
#include "media/duplicate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 512 /* source frames whose place is remembered: more than any filter looks back */

/* An entry, and the source frame whose piece it belongs to. */
typedef struct pending {
    sh_ledger_entry entry;
    int64_t owner;
} pending;

struct sh_reader {
    sh_reader_settings settings;
    sh_reader_start start;
    sh_ledger from;         /* what start.from points to, without entries */
    sh_source own, *source; /* source: own, or the given one */
    sh_prepare_settings how;
    sh_prepare *prepare;
    sh_cutter cutter;
    AVFrame *frame;
    AVPacket *packet;
    bool at_end, drained;
    int64_t piece;  /* of the next frame that comes out */
    int64_t output; /* number of the next frame out of prepare */
    pending *pending;
    size_t pending_count, pending_capacity;
    sh_source_place places[PLACES];    /* by number, modulo */
    uint64_t hashes[SH_LEDGER_CHECKS]; /* of outputs, by number, modulo */
    int64_t hashed;                    /* number behind the last one hashed */
};

/* ---- opening ---- */

static void set_prepare(sh_reader *reader)
{
    const sh_plan *plan = reader->settings.plan;
    reader->how = (sh_prepare_settings){
        .deinterlace = plan->deinterlace,
        .first_field = plan->deinterlace == SH_DEINTERLACE_OFF && !plan->telecine ? 0
                       : plan->top_field_first                                    ? 1
                                                                                  : -1,
        .telecine = plan->telecine,
        .turn = plan->turn,
        .mirror = plan->mirror,
        .time_base = reader->source->video->time_base,
        .rate = av_guess_frame_rate(reader->source->format, reader->source->video, NULL),
        .threads = 1,
    };
}

static int open_source(sh_reader *reader, sh_err *err)
{
    const sh_reader_settings *s = &reader->settings;
    const sh_ledger *from = reader->start.from;
    if (s->given) {
        reader->source = s->given;
        set_prepare(reader);
        return 0;
    }
    reader->source->name = s->name;
    reader->source->advice = s->advice;
    reader->source->channel = s->channel;
    reader->source->accept_damage = s->accept_damage;
    reader->source->tell_losses = true;
    reader->source->adapt = true;
    /* what is concealed depends on the decoder's threads and their luck: one makes it the same each time */
    int status = sh_source_open(reader->source, s->fd, s->accept_damage ? 1 : s->threads, err);
    if (status == 0 && (s->start >= 0 || s->duration >= 0))
        status = sh_source_cut(reader->source, s->start, s->duration, err);
    if (status == 0)
        set_prepare(reader);
    if (status < 0 || !from || reader->start.linear)
        return status;
    if (from->next.packet < 0 || from->next.frame != sh_prepare_first(&reader->how, from->next_output))
        return sh_fail(err, SH_E_CONFLICT, "%s: the journal knows no place to begin at", s->name);
    reader->output = from->next_output;
    return sh_source_begin_at(reader->source, &from->next, err);
}

int sh_reader_open(sh_reader **out, const sh_reader_settings *settings, const sh_reader_start *start,
                   sh_err *err)
{
    sh_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    reader->settings = *settings;
    reader->source = &reader->own;
    reader->start = *start;
    reader->piece = start->piece;
    if (start->from) {
        reader->from = *start->from;
        reader->from.entries = NULL;
        reader->start.from = &reader->from;
    }
    reader->frame = av_frame_alloc();
    reader->packet = av_packet_alloc();
    for (int i = 0; i < PLACES; i++)
        reader->places[i].frame = -1;
    sh_cutter_start(&reader->cutter, settings->begins ? 0 : settings->piece_frames);
    int status = reader->frame && reader->packet ? open_source(reader, err)
                                                 : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status < 0)
        sh_reader_close(&reader);
    else
        *out = reader;
    return status;
}

void sh_reader_close(sh_reader **reader)
{
    sh_reader *r = *reader;
    sh_work *work;
    if (!r)
        return;
    while ((work = sh_cutter_drop(&r->cutter)) != NULL)
        sh_work_free(work);
    sh_prepare_close(&r->prepare);
    sh_source_close(&r->own);
    av_frame_free(&r->frame);
    av_packet_free(&r->packet);
    free(r->pending);
    free(r);
    *reader = NULL;
}

const sh_source *sh_reader_source(const sh_reader *reader)
{
    return reader->source;
}

int64_t sh_reader_decoded(const sh_reader *reader)
{
    return reader->source->frames;
}

/* ---- what becomes of source frames ---- */

static int add_pending(sh_reader *reader, const sh_ledger_entry *entry, int64_t owner, sh_err *err)
{
    if (owner < reader->start.source)
        return 0; /* another piece has it */
    if (reader->pending_count == reader->pending_capacity) {
        const size_t capacity = reader->pending_capacity ? 2 * reader->pending_capacity : 512;
        pending *grown =
            capacity <= SH_LEDGER_ENTRIES_MAX ? realloc(reader->pending, capacity * sizeof(*grown)) : NULL;
        if (!grown)
            return sh_fail(err, SH_E_MEMORY, "%s: more than %zu packets without a picture",
                           reader->settings.name, reader->pending_count);
        reader->pending = grown;
        reader->pending_capacity = capacity;
    }
    reader->pending[reader->pending_count++] = (pending){*entry, owner};
    return 0;
}

static int note_source(sh_reader *reader, const sh_frame_facts *facts, sh_err *err)
{
    const sh_ledger_entry entry = {
        .source = facts->place.frame,
        .packet = facts->place.packet,
        .pts_in = facts->given_pts,
        .output = -1,
        .pts_out = AV_NOPTS_VALUE,
        .fate = SH_FATE_TELECINE, /* until an output comes of it */
        .marks = facts->marks,
    };
    reader->places[facts->place.frame % PLACES] = facts->place;
    return add_pending(reader, &entry, facts->place.frame, err);
}

static int note_loss(sh_reader *reader, sh_err *err)
{
    const sh_source_loss *loss = &reader->source->loss;
    const sh_ledger_entry entry = {
        .source = -1,
        .packet = loss->packet,
        .pts_in = loss->pts,
        .output = -1,
        .pts_out = AV_NOPTS_VALUE,
        .fate = loss->kind == SH_LOSS_EDIT      ? SH_FATE_EDITED
                : loss->kind == SH_LOSS_LEADING ? SH_FATE_LEADING
                                                : SH_FATE_UNDECODABLE,
    };
    return add_pending(reader, &entry, loss->before, err);
}

static void note_output(sh_reader *reader, const AVFrame *frame, int64_t number)
{
    const sh_frame_facts *facts = sh_frame_facts_of(frame);
    for (size_t i = reader->pending_count; facts && i-- > 0;) {
        sh_ledger_entry *entry = &reader->pending[i].entry;
        if (entry->source != facts->place.frame)
            continue;
        if (entry->output < 0) {
            entry->output = number;
            entry->pts_out = frame->pts;
            entry->fate = SH_FATE_KEPT;
        }
        return;
    }
}

static void set_way_on(const sh_reader *reader, sh_ledger *ledger, int64_t border)
{
    ledger->checks = border < SH_LEDGER_CHECKS ? (int)border : SH_LEDGER_CHECKS;
    ledger->next_output = border - ledger->checks;
    const int64_t source = sh_prepare_first(&reader->how, ledger->next_output);
    const sh_source_place *place = &reader->places[source % PLACES];
    if (reader->hashed != border)
        return; /* nothing to compare with */
    if (place->frame == source)
        ledger->next = *place;
    for (int i = 0; i < ledger->checks; i++)
        ledger->check[i] = reader->hashes[(ledger->next_output + i) % SH_LEDGER_CHECKS];
}

/* The ledger of the piece that ends before output `border`; `all`: it is the last. */
static int make_ledger(sh_reader *reader, int64_t border, bool all, sh_ledger **out, sh_err *err)
{
    sh_ledger *ledger = calloc(1, sizeof(*ledger));
    size_t left = 0;
    int status = ledger ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    for (size_t i = 0; i < reader->pending_count && status == 0; i++) {
        const pending *p = &reader->pending[i];
        if (all || sh_prepare_output_of(&reader->how, p->owner) < border)
            status = sh_ledger_add(ledger, &p->entry, err);
        else
            reader->pending[left++] = *p;
    }
    if (status < 0) {
        if (ledger)
            sh_ledger_free(ledger);
        free(ledger);
        return status;
    }
    reader->pending_count = left;
    ledger->next.packet = -1;
    ledger->final = all;
    ledger->damages = reader->source->damages;
    if (!all)
        set_way_on(reader, ledger, border);
    *out = ledger;
    return 0;
}

/* ---- outputs ---- */

static void set_tags(const sh_plan *plan, AVFrame *frame)
{
    frame->color_primaries = plan->colour.primaries;
    frame->color_trc = plan->colour.transfer;
    frame->colorspace = plan->colour.matrix;
    frame->color_range = plan->colour.range;
    frame->chroma_location = plan->colour.siting;
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    frame->key_frame = 0;
}

static void hash_output(sh_reader *reader, const AVFrame *frame, int64_t number)
{
    reader->hashes[number % SH_LEDGER_CHECKS] = sh_frame_hash(frame) ^ (uint64_t)frame->pts;
    reader->hashed = number + 1;
}

/* A frame that was done before: it has to be the same. */
static int check_known(sh_reader *reader, const AVFrame *frame, int64_t number, sh_err *err)
{
    const sh_ledger *from = reader->start.from;
    if (!from || number < from->next_output || number >= from->next_output + from->checks)
        return 0;
    hash_output(reader, frame, number);
    if (from->next.packet < 0 ||
        reader->hashes[number % SH_LEDGER_CHECKS] == from->check[number - from->next_output])
        return 0;
    return sh_fail(err, SH_E_CONFLICT,
                   "%s: frame %" PRId64 " decodes to another picture than in the run before",
                   reader->settings.name, number + 1);
}

static int take_output(sh_reader *reader, int64_t number, sh_err *err)
{
    sh_work *work = NULL;
    if (number != reader->output)
        return sh_fail(err, SH_E_INTERNAL, "%s: frame %" PRId64 " comes where %" PRId64 " should",
                       reader->settings.name, number, reader->output);
    reader->output++;
    set_tags(reader->settings.plan, reader->frame);
    if (number < reader->start.output) {
        int status = check_known(reader, reader->frame, number, err);
        av_frame_unref(reader->frame);
        return status;
    }
    note_output(reader, reader->frame, number);
    work = sh_work_new(SH_WORK_FRAME);
    if (work)
        work->frame = av_frame_alloc();
    if (!work || !work->frame) {
        sh_work_free(work);
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    av_frame_move_ref(work->frame, reader->frame);
    work->number = number;
    const bool begins = reader->settings.begins && reader->settings.begins(reader->settings.opaque, work);
    sh_cutter_put_border(&reader->cutter, work, begins);
    return 0;
}

static int open_prepare(sh_reader *reader, sh_err *err)
{
    const int64_t first = reader->start.from && !reader->start.linear ? reader->start.from->next_output : 0;
    return sh_prepare_open(&reader->prepare, &reader->how, reader->frame, first, err);
}

static int take_source(sh_reader *reader, sh_err *err)
{
    const sh_frame_facts *facts = sh_frame_facts_of(reader->frame);
    int status = facts ? note_source(reader, facts, err)
                       : sh_fail(err, SH_E_INTERNAL, "%s: a frame without facts", reader->settings.name);
    if (status == 0 && !reader->prepare)
        status = open_prepare(reader, err);
    return status < 0 ? status : sh_prepare_send(reader->prepare, reader->frame, err);
}

static int read_source(sh_reader *reader, sh_err *err)
{
    AVFrame *given = reader->settings.given_frame;
    if (given) {
        reader->settings.given_frame = NULL;
        av_frame_move_ref(reader->frame, given);
        return take_source(reader, err);
    }
    int status = sh_source_next(reader->source, reader->frame, reader->packet, err);
    if (status >= 0 && reader->settings.tick && reader->settings.tick(reader->settings.opaque) < 0)
        return sh_fail(err, SH_E_CANCELLED, "%s: interrupted", reader->settings.name);
    if (status == SH_SOURCE_FRAME)
        return take_source(reader, err);
    if (status == SH_SOURCE_PACKET) /* the muxer reads the other tracks itself */
        av_packet_unref(reader->packet);
    else if (status == SH_SOURCE_LOSS)
        return note_loss(reader, err);
    else if (status == SH_SOURCE_END) {
        reader->at_end = true;
        return reader->prepare ? sh_prepare_send(reader->prepare, NULL, err) : 0;
    }
    return status < 0 ? status : 0;
}

/* One step towards the next frame. */
static int step(sh_reader *reader, sh_err *err)
{
    int64_t number;
    int status = reader->prepare ? sh_prepare_receive(reader->prepare, reader->frame, &number, err) : 0;
    if (status == 1)
        return take_output(reader, number, err);
    if (status < 0)
        return status;
    if (!reader->at_end)
        return read_source(reader, err);
    reader->drained = true;
    sh_cutter_put(&reader->cutter, NULL);
    return 0;
}

static int finish_work(sh_reader *reader, sh_work *work, sh_err *err)
{
    const int64_t position = work->last ? reader->settings.piece_frames : reader->cutter.position - 1;
    if (reader->settings.begins || position >= reader->settings.piece_frames - SH_LEDGER_CHECKS)
        hash_output(reader, work->frame, work->number);
    work->piece = reader->piece;
    if (!work->last)
        return 0;
    reader->piece++;
    const bool all = reader->drained && reader->cutter.count == 0;
    return make_ledger(reader, work->number + 1, all, &work->ledger, err);
}

int sh_reader_next(sh_reader *reader, sh_work **out, sh_err *err)
{
    for (;;) {
        bool first, last;
        sh_work *work = sh_cutter_get(&reader->cutter, &first, &last);
        if (work) {
            work->first = first;
            work->last = last;
            int status = finish_work(reader, work, err);
            if (status < 0) {
                sh_work_free(work);
                return status;
            }
            *out = work;
            return 1;
        }
        if (reader->drained)
            return 0;
        int status = step(reader, err);
        if (status < 0)
            return status;
    }
}
