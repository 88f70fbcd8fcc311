/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal of a ladder in the child: taking what is there, and adding a segment.
 *
 * The fingerprint holds all that the bytes depend on, as upscale's does (pipeline.h). What is taken is told
 * to the parent at once, as if it were being made. The last segment of a film that is all there is made
 * again: what comes behind it (audio's end, sprite sheets, whole texts) needs the work to be running. */
#include "base/log.h"
#include "media/fingerprint.h"
#include "media/ladder_inner.h"
#include "media/ladder_record.h"

#include <inttypes.h>
#include <libavfilter/avfilter.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FINAL = 1 }; /* mark of a record */

/* ---- what the work is recognised by ---- */

static void say_video(const ladder *l, int i, sh_buf *print)
{
    const sh_ladder_video *v = &l->job.videos[i];
    const sh_encoder_settings *e = &v->encoder;
    char what[32];
    snprintf(what, sizeof(what), "video %d", i + 1);
    sh_journal_say(
        print, what,
        "%s %s, %dx%d scaling %d, crf %.3f, rate %d %" PRId64 " %" PRId64 " %" PRId64
        " %.3f, group %d %.3f, profile %s level %s, b %d refs %d, scenes %d, bits %d, sdr %d, %d/%d "
        "a second; %s",
        e->name, e->preset ? e->preset : "", v->width, v->height, v->scaling, e->crf, (int)e->rate_control,
        e->bitrate, e->max_bitrate, e->buffer_bits, e->buffer_fill, e->gop_frames, v->gop_seconds,
        e->profile ? e->profile : "", e->level ? e->level : "", e->b_frames, e->references, e->scene_keys,
        v->bits, v->sdr, v->rate.num, v->rate.den, sh_encoder_version(e->name));
    for (size_t k = 0; k < e->option_count; k++)
        sh_journal_say(print, "encoder option", "%s", e->options[k]);
}

static void say_renditions(const ladder *l, sh_buf *print)
{
    const sh_ladder_job *j = &l->job;
    for (int i = 0; i < j->video_count; i++)
        say_video(l, i, print);
    for (int i = 0; i < j->audio_count; i++)
        sh_journal_say(print, "audio", "track %d, %" PRId64 " bit/s, %d channels, %d Hz, %s",
                       j->audios[i].track, j->audios[i].bitrate, j->audios[i].channels,
                       j->audios[i].sample_rate, j->audios[i].language);
    for (int i = 0; i < j->text_count; i++)
        sh_journal_say(print, "text", "track %d, %s", j->texts[i].track, j->texts[i].language);
    for (int i = 0; i < j->capture_count; i++)
        sh_journal_say(print, "capture", "%dx%d scaling %d, %d/%d, at most %" PRId64 ", quality %d, %dx%d",
                       j->captures[i].width, j->captures[i].height, j->captures[i].scaling,
                       j->captures[i].rate.num, j->captures[i].rate.den, j->captures[i].most,
                       j->captures[i].quality, j->captures[i].across, j->captures[i].down);
    for (int i = 0; i < j->output_count; i++) {
        const sh_ladder_output *o = &j->outputs[i];
        sh_journal_say(print, "output", "kind %d, video %d, text %d, capture %d, audio %d", o->kind, o->video,
                       o->text, o->capture, o->audio_count > 0 ? o->audios[0] : -1);
    }
}

static void say_model(sh_buf *print, const char *what, const void *bytes, size_t size)
{
    if (bytes)
        sh_journal_say(print, what, "%zu bytes, %016" PRIx64, size, sh_fingerprint_bytes(bytes, size));
}

int ladder_fingerprint(const ladder *l, sh_buf *print, sh_err *err)
{
    const sh_upscale_options *o = &l->job.options;
    const int cpu = o->cpu == SPYHOP_CPU_AUTO ? spyhop_cpu_detect() : o->cpu;
    int status = sh_journal_say_file(print, "source", l->child->input, err);
    if (status < 0)
        return status;
    say_model(print, "model", l->child->model, l->child->model_size);
    say_model(print, "restoring model", l->child->restore, l->child->restore_size);
    sh_journal_say(print, "engine", "%s, %s", spyhop_version(),
                   l->child->model ? l->model.info.backend : "none");
    sh_journal_say(print, "instruction set", "%s", spyhop_cpu_name(cpu));
    sh_journal_say(print, "precision", "%s", spyhop_precision_name(o->precision));
    sh_journal_say(print, "threads", "%d", l->threads);
    sh_journal_say(print, "start", "%.6f", o->start);
    sh_journal_say(print, "duration", "%.6f", o->duration);
    sh_journal_say(print, "segments", "%.6f s, the last %.6f", l->job.segment_seconds,
                   l->job.min_last_seconds);
    sh_fingerprint_plan(&l->plan, print);
    say_renditions(l, print);
    sh_journal_say(print, "libavformat", "%u", avformat_version());
    sh_journal_say(print, "libavcodec", "%u", avcodec_version());
    sh_journal_say(print, "libavfilter", "%u", avfilter_version());
    sh_journal_say(print, "libswscale", "%u", swscale_version());
    sh_journal_say(print, "libswresample", "%u", swresample_version());
    return print->failed ? sh_fail(err, SH_E_MEMORY, "memory is short") : 0;
}

/* ---- taking what is there ---- */

static int begin(ladder *l, const sh_buf *print, sh_err *err)
{
    return sh_journal_begin(l->journal, sh_buf_cstr(print), -1, err);
}

static void take_state(ladder *l, const sh_journal_piece *piece, sh_record *record)
{
    ladder_sum(&l->sums, &record->ledger, piece->frames, (int)piece->fallback);
    sh_ledger_free(&l->ledger);
    l->ledger = record->ledger;
    record->ledger = (sh_ledger){0};
    if (piece->number == 0)
        l->began = record->start;
    l->next = (sh_reader_start){.piece = piece->number + 1,
                                .output = piece->first_frame + piece->frames,
                                .source = piece->first_source + piece->source_frames,
                                .from = &l->ledger};
    l->zero_us = record->zero_us;
    l->first_pts = record->first_pts;
    l->start = record->start;
    l->last = record->last;
    l->end = record->end;
    l->damages = l->ledger.damages;
    l->shown = record->shown;
    memcpy(l->known_sound, record->sound, sizeof(l->known_sound));
    memcpy(l->known_taken, record->taken, sizeof(l->known_taken));
    memcpy(l->known_tiles, record->tiles, sizeof(l->known_tiles));
}

static int take_config(ladder *l, const sh_record *record, sh_err *err)
{
    sh_buf *known = &l->known_config[0];
    int status = 0;
    for (int i = 0; i < record->video_count && status == 0; i++) {
        sh_buf_clear(&known[i]);
        status = sh_buf_append(&known[i], record->config[i].bytes, record->config[i].size);
    }
    return status < 0 ? sh_fail(err, SH_E_MEMORY, "memory is short") : 0;
}

/* Rows wait until the parent knows the tracks. */
static int keep_rows(ladder *l, sh_record *record, sh_err *err)
{
    int status = 0;
    for (size_t i = 0; i < record->row_count && status == 0; i++) {
        sh_record_row *row = &record->rows[i];
        status = sh_record_add(l->known, &row->file, &row->segment, row->keys, err);
        row->keys = NULL;
        l->bytes += row->segment.bytes;
    }
    return status;
}

static int take_all(ladder *l, sh_err *err)
{
    sh_journal_piece piece;
    sh_record *record = calloc(1, sizeof(*record));
    int64_t cursor = 0;
    int status = record ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    while (status == 0 && (status = sh_journal_next(l->journal, &cursor, &piece, err)) == 1) {
        status = sh_record_read(record, piece.ledger, piece.ledger_size, err);
        if (status == 0) {
            take_state(l, &piece, record);
            status = take_config(l, record, err);
        }
        if (status == 0)
            status = keep_rows(l, record, err);
        if (status == 0)
            status = ladder_keep_stills(l, &record->stills, record->start, err);
        if (status == 0)
            status = ladder_caption_commit(l, record->captions, record->captions_size, record->start,
                                           record->end, err);
        sh_record_free(record);
    }
    free(record);
    if (status < 0 || l->next.output == 0)
        return status;
    l->resumed = true;
    l->resumed_frames = l->shown;
    l->committed = l->shown;
    l->pieces = l->next.piece;
    sh_timeline_begin(&l->time, l->first_pts, l->zero_us);
    sh_channel_log(l->channel, SH_LOG_INFO,
                   "%" PRId64 " segments (%" PRId64 " pictures) are there from a run before: going on",
                   l->next.piece, l->next.output);
    return 0;
}

static int match(ladder *l, const sh_buf *print, sh_err *err)
{
    sh_err why = {0};
    int status = l->job.anew ? SH_E_CONFLICT : sh_journal_match(l->journal, sh_buf_cstr(print), &why);
    if (status == SH_E_CONFLICT && !l->job.anew)
        return sh_fail(err, SH_E_CONFLICT, "%s", why.message);
    if (status == SH_E_CONFLICT)
        return begin(l, print, err);
    if (status < 0)
        return sh_fail(err, status, "%s", why.message);
    if (sh_journal_last(l->journal)->marks & FINAL)
        status = sh_journal_cut(l->journal, sh_journal_pieces(l->journal) - 1, err);
    return status < 0 ? status : take_all(l, err);
}

int ladder_journal_open(ladder *l, sh_err *err)
{
    char name[SH_SHOWN + 32];
    sh_buf print;
    snprintf(name, sizeof(name), "%s: the journal of its stream", l->name);
    sh_buf_init(&print, SH_JOURNAL_FINGERPRINT_MAX);
    for (int i = 0; i < SH_LADDER_VIDEOS; i++)
        sh_buf_init(&l->known_config[i], SH_LADDER_CONFIG);
    l->known = calloc(1, sizeof(*l->known));
    int status = l->known ? sh_journal_open(&l->journal, l->job.journal_fd, name, err)
                          : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0)
        status = ladder_fingerprint(l, &print, err);
    if (status == 0)
        status = sh_journal_begun(l->journal) && sh_journal_pieces(l->journal) > 0 ? match(l, &print, err)
                                                                                   : begin(l, &print, err);
    sh_buf_free(&print);
    return status;
}

/* ---- going on ---- */

static int drop_sound(ladder *l, sh_err *err)
{
    int status = 0;
    for (int i = 0; i < l->job.audio_count && status == 0; i++) {
        status = ladder_sound_until(l, i, l->end, NULL, err);
        if (status == 0 && l->sounds[i].before != l->known_sound[i])
            status = sh_fail(err, SH_E_CONFLICT,
                             "%s: audio %d has %" PRId64
                             " blocks up to where the run before ended, and had %" PRId64 " then: start anew",
                             l->name, i + 1, l->sounds[i].before, l->known_sound[i]);
    }
    return status;
}

int ladder_go_on(ladder *l, sh_err *err)
{
    int status = 0;
    if (!l->resumed)
        return 0;
    for (int i = 0; i < l->job.video_count && status == 0; i++)
        status = sh_rung_settle_as(&l->rungs[i], l->known_config[i].data, l->known_config[i].length, err);
    return status < 0 ? status : drop_sound(l, err);
}

int ladder_tell_known(ladder *l, sh_err *err)
{
    int status = 0;
    for (size_t i = 0; l->known && i < l->known->row_count && status == 0; i++) {
        const sh_record_row *row = &l->known->rows[i];
        const ladder_row told = {row->file.output, row->segment, row->keys};
        status = row->file.output < l->output_count
                     ? ladder_tell_row(l, &told, err)
                     : sh_fail(err, SH_E_FORMAT, "the journal knows an output that there is not");
    }
    if (l->known)
        sh_record_free(l->known);
    return status < 0 || !l->resumed ? status : ladder_tell_commit(l, true, err);
}

void ladder_journal_close(ladder *l)
{
    if (l->known)
        sh_record_free(l->known);
    free(l->known);
    for (int i = 0; i < SH_LADDER_VIDEOS; i++)
        sh_buf_free(&l->known_config[i]);
    sh_journal_close(l->journal);
}

/* ---- adding ---- */

static sh_ladder_file file_of(const ladder *l, const ladder_row *row)
{
    const sh_ladder_track *t = &l->outputs[row->output].track;
    return (sh_ladder_file){.output = row->output,
                            .kind = t->kind,
                            .video = t->video,
                            .audio = t->audio,
                            .text = t->text,
                            .capture = t->capture,
                            .role = SH_LADDER_SEGMENT,
                            .number = row->segment.number,
                            .id = t->id};
}

static int fill(const ladder *l, const sh_bundle *pictures, int64_t end, sh_record *record, sh_err *err)
{
    int status = 0;
    record->first_pts = l->time.first_pts;
    record->zero_us = l->zero_us;
    record->start = pictures->start;
    record->last = pictures->last;
    record->end = end;
    record->shown = l->shown + pictures->shown;
    record->captions = pictures->captions.data;
    record->captions_size = pictures->captions.length;
    record->stills = pictures->stills;
    record->video_count = l->job.video_count;
    for (int i = 0; i < l->job.video_count; i++) {
        const AVCodecParameters *p = l->rungs[i].shown;
        if ((size_t)p->extradata_size > sizeof(record->config[i].bytes))
            return sh_fail(err, SH_E_LIMIT, "video %d: its parameter sets are too long", i + 1);
        record->config[i].size = (size_t)p->extradata_size;
        if (p->extradata_size > 0)
            memcpy(record->config[i].bytes, p->extradata, record->config[i].size);
    }
    for (int i = 0; i < l->job.audio_count; i++)
        record->sound[i] = l->sounds[i].before + (int64_t)l->sounds[i].bundle->packet_count;
    for (int i = 0; i < l->job.capture_count; i++) {
        record->taken[i] = pictures->due[i];
        record->tiles[i] = pictures->tiles[i];
    }
    for (size_t i = 0; i < l->row_count && status == 0; i++) {
        const ladder_row *row = &l->rows[i];
        const sh_ladder_file file = file_of(l, row);
        const size_t size = ((size_t)row->segment.key_count + 1) * sizeof(*row->keys);
        sh_ladder_key *keys = malloc(size);
        if (keys)
            memcpy(keys, row->keys, size);
        status = sh_record_add(record, &file, &row->segment, keys, err);
    }
    return status;
}

static int sync_names(const ladder *l, sh_err *err)
{
    const int fd = sh_channel_open(l->channel, SH_WIRE_SYNC, err);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

static int append(ladder *l, const sh_bundle *pictures, const sh_buf *bytes, int64_t end, sh_err *err)
{
    const sh_ledger *ledger = pictures->ledger;
    const sh_journal_piece piece = {
        .number = l->next.piece,
        .first_frame = l->next.output,
        .frames = pictures->frames,
        .first_source = l->next.source,
        .source_frames = sh_ledger_sources(ledger),
        .next_packet = ledger->next.packet >= 0 ? ledger->next.key : -1,
        .content_crc = ledger->checks > 0 ? (uint32_t)ledger->check[ledger->checks - 1] : 0,
        .fallback = (uint32_t)pictures->level,
        .marks = ledger->final ? FINAL : 0,
        .extra = {pictures->start, end, ledger->damages, ledger->duplicates},
        .ledger = bytes->data,
        .ledger_size = bytes->length,
    };
    return sh_journal_append(l->journal, &piece, err);
}

int ladder_journal_append(ladder *l, const sh_bundle *pictures, int64_t end, sh_err *err)
{
    sh_record *record = calloc(1, sizeof(*record));
    sh_buf bytes;
    sh_buf_init(&bytes, SH_JOURNAL_LEDGER_MAX);
    int status = record ? fill(l, pictures, end, record, err) : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0 && sh_record_write(record, pictures->ledger, &bytes) < 0)
        status =
            sh_fail(err, SH_E_MEMORY, "the record of segment %" PRId64 " is too long", l->next.piece + 1);
    if (status == 0)
        status = sync_names(l, err);
    if (status == 0)
        status = append(l, pictures, &bytes, end, err);
    if (record) {
        record->captions = NULL; /* the bundle's */
        record->stills = (sh_stills){0};
        sh_record_free(record);
    }
    free(record);
    sh_buf_free(&bytes);
    return status;
}
