/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of the line: a segment of all videos, audio and text up to its end, files, journal, word to the
 * parent. In this order, so that what the journal says is on disk, and what the parent is told is in the
 * journal. */
#include "base/crc32c.h"
#include "base/file.h"
#include "base/log.h"
#include "media/ladder_inner.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAIL_US 100000 /* of audio behind the last picture; less is padding of its blocks */
#define DISK_SLOW 1e6  /* bytes a second, for the watchdog alone */

/* ---- files ---- */

static int add_row(ladder *l, int output, const sh_ladder_segment *segment, const sh_sink_key *keys,
                   sh_err *err)
{
    if (l->row_count == l->row_capacity) {
        const size_t capacity = l->row_capacity ? 2 * l->row_capacity : 16;
        ladder_row *grown = reallocarray(l->rows, capacity, sizeof(*grown));
        if (!grown)
            return sh_fail(err, SH_E_MEMORY, "memory is short");
        l->rows = grown;
        l->row_capacity = capacity;
    }
    ladder_row *row = &l->rows[l->row_count];
    *row = (ladder_row){.output = output, .segment = *segment};
    row->keys = calloc((size_t)segment->key_count + 1, sizeof(*row->keys));
    if (!row->keys)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    for (int i = 0; i < segment->key_count; i++)
        row->keys[i] = (sh_ladder_key){keys[i].offset, keys[i].size, keys[i].whole, keys[i].time};
    l->row_count++;
    return 0;
}

static void drop_rows(ladder *l)
{
    for (size_t i = 0; i < l->row_count; i++)
        free(l->rows[i].keys);
    l->row_count = 0;
}

static int tell_size(const ladder *l, int output, int role, int64_t bytes, sh_err *err)
{
    const sh_wire_size size = {role, bytes};
    return sh_wire_send(l->channel, SH_WIRE_SIZE, output, &size, sizeof(size), err);
}

static int open_file(void *opaque, sh_sink_file file, int64_t number, sh_err *err)
{
    static const int roles[] = {[SH_SINK_INIT] = SH_LADDER_INIT,
                                [SH_SINK_SEGMENT] = SH_LADDER_SEGMENT,
                                [SH_SINK_WHOLE] = SH_LADDER_WHOLE};
    const ladder_output *o = opaque;
    const int output = (int)(o - o->owner->outputs);
    return sh_channel_open(o->owner->channel, sh_wire_file(output, roles[file], number), err);
}

static int file_written(void *opaque, const sh_sink_written *w, sh_err *err)
{
    ladder_output *o = opaque;
    const int output = (int)(o - o->owner->outputs);
    const sh_ladder_segment segment = {
        .number = w->number,
        .start = w->start,
        .duration = w->duration,
        .bytes = w->bytes,
        .samples = w->samples,
        .crc = w->crc,
        .key_count = (int)w->key_count,
    };
    if (w->file == SH_SINK_INIT)
        return tell_size(o->owner, output, SH_LADDER_INIT, w->bytes, err);
    if (w->file == SH_SINK_SEGMENT)
        return add_row(o->owner, output, &segment, w->keys, err);
    o->track.pictures = w->samples;
    o->track.first = w->start;
    o->track.duration = w->duration;
    return tell_size(o->owner, output, SH_LADDER_WHOLE, w->bytes, err);
}

sh_sink_host ladder_host(ladder_output *output)
{
    return (sh_sink_host){
        .opaque = output, .open = open_file, .written = file_written, .channel = output->owner->channel};
}

int ladder_put(ladder_output *output, int role, sh_ladder_segment *segment, const sh_buf *bytes, sh_err *err)
{
    ladder *l = output->owner;
    const int index = (int)(output - l->outputs);
    if (bytes->failed)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    const int fd = sh_channel_open(l->channel, sh_wire_file(index, role, segment ? segment->number : 0), err);
    if (fd < 0)
        return fd;
    int status = sh_fd_write(fd, sh_buf_cstr(bytes), bytes->length, err);
    if (status == 0 && fdatasync(fd) < 0 && errno != EINVAL && errno != EROFS)
        status =
            sh_fail_errno(err, errno, "output %d: what was written cannot be brought to disk", index + 1);
    if (close(fd) < 0 && status == 0)
        status = sh_fail_errno(err, errno, "output %d: writing", index + 1);
    if (status < 0)
        return status;
    if (role != SH_LADDER_SEGMENT)
        return tell_size(l, index, role, (int64_t)bytes->length, err);
    segment->bytes = (int64_t)bytes->length;
    segment->crc = sh_crc32c(0, sh_buf_cstr(bytes), bytes->length);
    segment->key_count = 0;
    return add_row(l, index, segment, NULL, err);
}

/* ---- words to the parent ---- */

int ladder_tell_track(const ladder *l, int output, sh_err *err)
{
    sh_ladder_track track = l->outputs[output].track;
    track.segments = NULL;
    track.keys = NULL;
    return sh_wire_send(l->channel, SH_WIRE_TRACK, output, &track, sizeof(track), err);
}

int ladder_tell_row(const ladder *l, const ladder_row *row, sh_err *err)
{
    const size_t keys = (size_t)row->segment.key_count * sizeof(row->keys[0]);
    const size_t size = sizeof(row->segment) + keys;
    char *bytes = malloc(size);
    if (!bytes)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    memcpy(bytes, &row->segment, sizeof(row->segment));
    memcpy(bytes + sizeof(row->segment), row->keys, keys);
    int status = sh_wire_send(l->channel, SH_WIRE_SEGMENT, row->output, bytes, size, err);
    free(bytes);
    return status;
}

int ladder_tell_commit(const ladder *l, bool resumed, sh_err *err)
{
    const sh_wire_commit commit = {l->next.piece, l->next.output, resumed};
    return sh_wire_send(l->channel, SH_WIRE_COMMIT, 0, &commit, sizeof(commit), err);
}

/* ---- sound ---- */

int ladder_sound_until(ladder *l, int index, int64_t until, sh_bundle *to, sh_err *err)
{
    ladder_sound *s = &l->sounds[index];
    const AVRational base = {1, l->time.timescale};
    for (;;) {
        AVPacket *packet = av_packet_alloc();
        int status = packet ? sh_sound_until(l->sound, s->rendition, until, base, packet, err)
                            : sh_fail(err, SH_E_MEMORY, "memory is short");
        if (status <= 0) {
            av_packet_free(&packet);
            return status;
        }
        if (!to) {
            av_packet_free(&packet);
            s->before++;
            l->decoded++; /* it is progress */
            ladder_report(l);
        } else if (!sh_bundle_add(to, packet)) {
            return sh_fail(err, SH_E_MEMORY, "a segment has too much audio, or memory is short");
        }
    }
}

static int take_sounds(ladder *l, int64_t until, sh_err *err)
{
    int status = 0;
    for (int i = 0; i < l->job.audio_count && status == 0; i++) {
        sh_bundle_free(l->sounds[i].bundle);
        l->sounds[i].bundle = sh_bundle_new(l->next.piece);
        status = l->sounds[i].bundle ? ladder_sound_until(l, i, until, l->sounds[i].bundle, err)
                                     : sh_fail(err, SH_E_MEMORY, "memory is short");
    }
    return status;
}

/* Where the presentation ends: with the last picture, or with audio that fits in the last segment, through
 * which the picture then stays. */
static int settle_end(ladder *l, const sh_bundle *pictures, int64_t *end, sh_err *err)
{
    const AVRational base = {1, l->time.timescale};
    const int64_t own = pictures->end - pictures->start;
    const int64_t room = own > l->time.length ? own : l->time.length;
    int64_t beyond_us = 0;
    *end = pictures->end;
    if (!l->sound)
        return 0;
    if (l->job.options.duration >= 0) /* there is more, and it is not asked for */
        return sh_sound_end(l->sound, *end, base, err);
    int status = sh_sound_beyond(l->sound, pictures->end, base, av_rescale_q(room, base, AV_TIME_BASE_Q),
                                 &beyond_us, err);
    const int64_t beyond = av_rescale_q(beyond_us, AV_TIME_BASE_Q, base);
    if (status < 0)
        return status;
    if (beyond_us > TAIL_US && own + beyond <= room) {
        *end += beyond;
        sh_channel_log(l->channel, SH_LOG_WARNING,
                       "the audio goes on for %.1f s after the last picture, which stays until its end",
                       (double)beyond_us / 1e6);
    } else if (beyond_us > TAIL_US) {
        status = sh_sound_rest(l->sound, pictures->end, base, &beyond_us, err);
        if (status < 0)
            return status;
        sh_channel_log(l->channel, SH_LOG_WARNING,
                       "the audio goes on after the last picture for longer than the last segment has room "
                       "for: %.1f s of it are cut",
                       (double)beyond_us / 1e6);
    }
    return sh_sound_end(l->sound, *end, base, err);
}

static void stretch_last(sh_bundle *video, int64_t by)
{
    AVPacket *last = NULL;
    for (size_t i = 0; i < video->packet_count; i++)
        if (!last || video->packets[i]->pts > last->pts)
            last = video->packets[i];
    if (last)
        last->duration += by;
}

/* ---- outputs ---- */

static sh_sink_packets packets_of(const sh_bundle *bundle, int64_t before)
{
    return (sh_sink_packets){bundle->packets, bundle->packet_count, before};
}

static int write_output(ladder *l, ladder_output *o, const sh_bundle *pictures, sh_bundle *const *videos,
                        int64_t end, sh_err *err)
{
    const sh_ladder_output *asked = o->asked;
    sh_sink_packets tracks[1 + SH_LADDER_OUTPUT_AUDIOS];
    const AVRational base = {1, l->time.timescale}, own = {1, o->track.timescale};
    size_t count = 0;
    if (!o->sink)
        return 0;
    if (asked->video >= 0)
        tracks[count++] = packets_of(videos[asked->video], l->shown);
    for (int i = 0; i < asked->audio_count; i++)
        tracks[count++] = packets_of(l->sounds[asked->audios[i]].bundle, l->sounds[asked->audios[i]].before);
    const sh_sink_segment_in segment = {
        .number = l->next.piece + 1,
        .start = av_rescale_q(pictures->start, base, own),
        .end = av_rescale_q(end, base, own),
        .tracks = tracks,
    };
    /* the last one may be shorter than half a block */
    if (asked->kind == SH_LADDER_CMAF && asked->video < 0 && tracks[0].count == 0 && pictures->ledger->final)
        return 0;
    return sh_sink_segment(o->sink, &segment, err);
}

static int write_outputs(ladder *l, const sh_bundle *pictures, sh_bundle *const *videos, int64_t end,
                         sh_err *err)
{
    int status = 0;
    for (int i = 0; i < l->output_count && status == 0; i++)
        status = write_output(l, &l->outputs[i], pictures, videos, end, err);
    if (status == 0)
        status = ladder_text_commit(l, pictures->start, end, l->next.piece + 1, err);
    return status < 0 ? status : ladder_capture_commit(l, pictures, err);
}

/* ---- accounts ---- */

static void mark_duplicates(const ladder *l, const sh_bundle *pictures)
{
    sh_ledger *ledger = pictures->ledger;
    for (size_t i = 0; i < ledger->count; i++) {
        sh_ledger_entry *e = &ledger->entries[i];
        const int64_t at = e->output - l->next.output;
        if (e->fate == SH_FATE_KEPT && at >= 0 && at < pictures->frames && pictures->duplicate[at])
            e->fate = SH_FATE_DUPLICATE;
    }
}

void ladder_sum(sh_report_sums *sums, const sh_ledger *ledger, int64_t frames, int level)
{
    for (size_t i = 0; i < ledger->count; i++) {
        const sh_ledger_entry *e = &ledger->entries[i];
        sums->fates[e->fate]++;
        sums->packets_lost += e->source < 0;
        sums->concealed += (e->marks & SH_FRAME_CONCEALED) != 0;
        sums->times_made += (e->marks & SH_FRAME_TIME_MADE) != 0;
        sums->adapted += (e->marks & SH_FRAME_ADAPTED) != 0;
    }
    sums->pieces++;
    sums->frames_in += sh_ledger_sources(ledger);
    sums->frames_out += frames;
    sums->duplicates += ledger->duplicates;
    sums->scalar += level == SH_FALLBACK_SCALAR;
    sums->classic += level == SH_FALLBACK_CLASSIC;
}

int ladder_keep_stills(ladder *l, const sh_stills *stills, int64_t start, sh_err *err)
{
    for (size_t i = 0; i < stills->count; i++)
        if (!sh_stills_add(&l->stills, &stills->list[i], start))
            return sh_fail(err, SH_E_MEMORY, "memory is short, or the film stands still too often");
    return 0;
}

/* The segment is safe: from here on it counts. */
static void advance(ladder *l, sh_bundle *pictures, int64_t end)
{
    ladder_sum(&l->sums, pictures->ledger, pictures->frames, pictures->level);
    if (l->next.piece == 0)
        l->began = pictures->start;
    l->next.piece++;
    l->next.output += pictures->frames;
    l->shown += pictures->shown;
    l->next.source += sh_ledger_sources(pictures->ledger);
    l->next.linear = false;
    sh_ledger_free(&l->ledger);
    l->ledger = *pictures->ledger;
    *pictures->ledger = (sh_ledger){0};
    l->next.from = &l->ledger;
    l->start = pictures->start;
    l->last = pictures->last;
    l->end = end;
    l->damages = l->ledger.damages;
    memcpy(l->known_taken, pictures->due, sizeof(l->known_taken));
    memcpy(l->known_tiles, pictures->tiles, sizeof(l->known_tiles));
    l->finished = l->ledger.final;
    for (int i = 0; i < l->job.audio_count; i++)
        l->sounds[i].before += (int64_t)l->sounds[i].bundle->packet_count;
    for (size_t i = 0; i < l->row_count; i++)
        l->bytes += l->rows[i].segment.bytes;
    l->committed = l->shown;
    l->pieces = l->next.piece;
}

static int tell_all(ladder *l, sh_err *err)
{
    int status = 0;
    for (size_t i = 0; i < l->row_count && status == 0; i++)
        status = ladder_tell_row(l, &l->rows[i], err);
    return status < 0 ? status : ladder_tell_commit(l, false, err);
}

static void ask_for_time(ladder *l, const sh_bundle *pictures, sh_bundle *const *videos)
{
    double bytes = 0;
    for (int i = 0; i < l->job.video_count; i++)
        for (size_t k = 0; k < videos[i]->packet_count; k++)
            bytes += videos[i]->packets[k]->size;
    l->made += (int64_t)bytes;
    sh_channel_patience(l->channel,
                        SH_SANDBOX_PATIENCE_MS / 1000 + (double)(l->output_count + 1) * bytes / DISK_SLOW);
}

/* What is known of the videos only when there are packets of them is there now. */
static int open_late(ladder *l, sh_bundle *const *videos, sh_err *err)
{
    int status = 0;
    for (int i = 0; i < l->job.video_count && status == 0; i++)
        status = sh_rung_settle(&l->rungs[i], videos[i]->packets[0], err);
    return status < 0 ? status : ladder_open_outputs(l, err);
}

int ladder_commit(ladder *l, sh_bundle *pictures, sh_bundle *const *videos, sh_err *err)
{
    int64_t end = pictures->end;
    const bool final = pictures->ledger->final;
    ask_for_time(l, pictures, videos);
    drop_rows(l);
    int status = !l->outputs_open ? open_late(l, videos, err) : 0;
    if (status == 0 && final)
        status = settle_end(l, pictures, &end, err);
    if (status == 0)
        status = take_sounds(l, final ? INT64_MAX : end, err);
    for (int i = 0; i < l->job.video_count && end > pictures->end; i++)
        stretch_last(videos[i], end - pictures->end);
    mark_duplicates(l, pictures);
    if (status == 0)
        status = write_outputs(l, pictures, videos, end, err);
    if (status == 0 && l->journal)
        status = ladder_journal_append(l, pictures, end, err);
    if (status == 0)
        status = ladder_caption_commit(l, pictures->captions.data, pictures->captions.length, pictures->start,
                                       end, err);
    if (status == 0)
        status = ladder_keep_stills(l, &pictures->stills, pictures->start, err);
    if (status < 0)
        return status;
    advance(l, pictures, end);
    return tell_all(l, err);
}

int ladder_finish(ladder *l, sh_err *err)
{
    int status = 0;
    sh_channel_patience(l->channel, SH_SANDBOX_PATIENCE_MS / 1000 + 4 * (double)l->made / DISK_SLOW);
    for (int i = 0; i < l->output_count && status == 0; i++) {
        if (l->outputs[i].sink)
            status = sh_sink_finish(l->outputs[i].sink, err);
        if (status == 0 && l->outputs[i].asked->kind == SH_LADDER_MP4)
            status = ladder_tell_track(l, i, err);
    }
    drop_rows(l);
    if (status == 0)
        status = ladder_text_finish(l, err);
    if (status == 0)
        status = ladder_capture_finish(l, err);
    return status < 0 || l->row_count == 0 ? status : tell_all(l, err);
}
