/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "media/probe_sample.h"
#include "base/size.h"
#include "media/measure.h"

#include <stdlib.h>
#include <string.h>

/* A sample of a file, see probe.h. At each place: packets are read for their time stamps, and as long as
 * frames are wanted they are decoded as well. After a seek nothing counts before the key packet that it found
 * or leads up to, since what comes before it may lack what it refers to. */

enum {
    LUMA_WIDTH = 960,   /* columns are left out above */
    DETAIL_EVERY = 4,   /* frames */
    DETAIL_SIDE = 1024, /* of the part in the middle that is looked at */
    SPACING = 60,       /* frames between places: key pictures are seldom nearer */
    STEPS = 5           /* of a telecine window */
};

/* Time stamps of one place. */
typedef struct stamps {
    int64_t *at; /* owned */
    int count, room;
    bool ended; /* by the file, not by the sample's bounds */
} stamps;

typedef struct sample {
    sh_source *source;
    const sh_probe_limits *limits;
    sh_facts *facts;
    AVPacket *packet;
    AVFrame *frame;
    sh_luma before, now, part;
    sh_motion steps[STEPS]; /* the last of this place */
    int step_count;
    sh_detail detail;
    stamps packets, frames; /* of this place */
    int64_t *between;       /* steps of time stamps of all places; owned */
    int between_count, between_room;
    int64_t span;      /* sum of them */
    int frames_wanted; /* at this place */
    int frames_here, fed;
    int64_t key_pts; /* nothing before it counts; AV_NOPTS_VALUE: everything */
    int64_t covered; /* the last time stamp of earlier places' packets */
    int64_t seen;    /* likewise of their frames */
    int64_t bytes;
    int64_t last_dts;
    bool drained;
} sample;

void sh_probe_limits_default(sh_probe_limits *limits)
{
    *limits = (sh_probe_limits){.places = 5,
                                .packets = 240,
                                .pixels = 50 * 1000 * 1000,
                                .frames_min = 7,
                                .frames_max = 48,
                                .bytes = 96 << 20};
}

/* ---- time stamps ---- */

static void note_stamp(stamps *to, int64_t at)
{
    if (to->count < to->room)
        to->at[to->count++] = at;
}

static int by_time(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Steps of one place go to the list of all. Packets come in decoding order: the last ones are not yet
 * followed by all that is shown before them, unless the file ended. */
static void take_steps(sample *s, stamps *from, int held_back)
{
    qsort(from->at, (size_t)from->count, sizeof(*from->at), by_time);
    const int last = from->ended ? from->count : from->count - held_back;
    for (int i = 1; i < last; i++) {
        const int64_t step = from->at[i] - from->at[i - 1];
        if (step <= 0) {
            s->facts->stamps_backward++;
            continue;
        }
        if (s->between_count == s->between_room)
            return;
        s->between[s->between_count++] = step;
        s->span += step;
    }
}

/* Two packets for one picture (fields), and streams whose packets have no time stamps: the frames have to do.
 */
static void finish_stamps(sample *s)
{
    const int held_back = s->source->decoder->has_b_frames + 2;
    const bool halves =
        s->frames_here >= 4 && s->fed >= 2 * s->frames_here - 2 && s->facts->fields.flagged > 0;
    const bool few = s->packets.count < s->frames.count;
    if (halves || few)
        take_steps(s, &s->frames, 0);
    else
        take_steps(s, &s->packets, held_back);
    for (int i = 0; i < s->packets.count; i++)
        s->covered = s->packets.at[i] > s->covered ? s->packets.at[i] : s->covered;
    for (int i = 0; i < s->frames.count; i++)
        s->seen = s->frames.at[i] > s->seen ? s->frames.at[i] : s->seen;
}

/* A step is regular when it is no further from the middle one than rounding to ticks and a twentieth. A few
 * that are not are gaps in a constant rate, more of them make it a varying one. */
static void conclude_rate(sample *s)
{
    sh_facts *facts = s->facts;
    const int count = s->between_count;
    int64_t span = 0;
    int regular = 0;
    if (count < 1)
        return;
    qsort(s->between, (size_t)count, sizeof(*s->between), by_time);
    const int64_t middle = s->between[count / 2], near = 1 + middle / 20;
    for (int i = 0; i < count; i++)
        if (llabs(s->between[i] - middle) <= near) {
            span += s->between[i];
            regular++;
        }
    facts->step_min = s->between[0];
    facts->step_max = s->between[count - 1];
    facts->stamp_gaps = count - regular;
    facts->vfr = facts->stamp_gaps > 1 + count / 50;
    const double mean = facts->vfr ? (double)s->span / count : (double)span / regular;
    facts->rate = sh_rate_snap(1 / (mean * av_q2d(facts->time_base)), facts->rate_told,
                               facts->vfr ? 0 : 1 / mean / regular);
}

/* ---- pictures ---- */

static void take_motion(sample *s)
{
    sh_facts_fields *fields = &s->facts->fields;
    sh_motion motion;
    bool moving;
    sh_measure_motion(&s->before, &s->now, &motion);
    fields->compared++;
    fields->progressive += motion.step == SH_STEP_PROGRESSIVE ? 1 : 0;
    fields->top += motion.step == SH_STEP_TOP ? 1 : 0;
    fields->bottom += motion.step == SH_STEP_BOTTOM ? 1 : 0;
    s->facts->duplicates_compared++;
    s->facts->duplicates += motion.same ? 1 : 0;
    memmove(s->steps, s->steps + 1, sizeof(s->steps) - sizeof(s->steps[0]));
    s->steps[STEPS - 1] = motion;
    if (++s->step_count < STEPS)
        return;
    const bool hit = sh_measure_cadence(s->steps, &moving);
    fields->cadence += moving ? 1 : 0;
    fields->cadence_hits += hit ? 1 : 0;
}

/* From the middle of the picture. */
static bool take_detail(sample *s)
{
    const AVFrame *f = s->frame;
    const int width = f->width < DETAIL_SIDE ? f->width : DETAIL_SIDE;
    const int height = f->height < DETAIL_SIDE ? f->height : DETAIL_SIDE;
    if (!sh_luma_take(&s->part, f, (f->width - width) / 2, (f->height - height) / 2, width, height, 1))
        return false;
    sh_measure_detail(&s->detail, &s->part);
    return true;
}

static bool take_luma(sample *s)
{
    const AVFrame *f = s->frame;
    const sh_luma old = s->before;
    s->before = s->now;
    s->now = old;
    if (!sh_luma_take(&s->now, f, 0, 0, f->width, f->height, (f->width + LUMA_WIDTH - 1) / LUMA_WIDTH))
        return false;
    if (s->frames_here > 0 && s->before.width == s->now.width && s->before.height == s->now.height)
        take_motion(s);
    return s->frames_here % DETAIL_EVERY != 0 || take_detail(s);
}

static double seconds(const sample *s, int64_t pts)
{
    return pts == AV_NOPTS_VALUE ? 0 : (double)pts * av_q2d(s->facts->time_base);
}

static int take_frame(sample *s, sh_err *err)
{
    const AVFrame *f = s->frame;
    sh_facts *facts = s->facts;
    const int64_t at = f->best_effort_timestamp;
    if (s->key_pts != AV_NOPTS_VALUE && at != AV_NOPTS_VALUE && at < s->key_pts)
        return 0;
    if (facts->sampled == 0)
        sh_facts_first(s->source, f, facts);
    else if (f->width != facts->width || f->height != facts->height || f->format != (int)facts->format)
        facts->size_changes++;
    if (f->decode_error_flags || f->flags & AV_FRAME_FLAG_CORRUPT)
        sh_facts_damaged(facts, "the frame at %.3f s is damaged and was patched up by the decoder",
                         seconds(s, at));
    sh_facts_side_data(facts, f);
    facts->fields.flagged += f->interlaced_frame ? 1 : 0;
    facts->fields.flagged_top += f->interlaced_frame && f->top_field_first ? 1 : 0;
    facts->fields.repeats += f->repeat_pict > 0 ? 1 : 0;
    if (at != AV_NOPTS_VALUE)
        note_stamp(&s->frames, at);
    if (!take_luma(s))
        return sh_fail(err, SH_E_MEMORY, "%s: memory is short for pictures of %dx%d", s->source->name,
                       f->width, f->height);
    facts->sampled++;
    s->frames_here++;
    return 0;
}

/* All that the decoder has ready. */
static int receive(sample *s, sh_err *err)
{
    while (s->frames_here < s->frames_wanted) {
        const int error = avcodec_receive_frame(s->source->decoder, s->frame);
        if (error == AVERROR(ENOMEM))
            return sh_fail(err, SH_E_MEMORY, "%s: memory is short", s->source->name);
        if (error == AVERROR(EAGAIN) || error == AVERROR_EOF)
            return 0;
        if (error < 0) {
            sh_facts_damaged(s->facts, "a frame after %.3f s cannot be decoded", seconds(s, s->packet->pts));
            continue;
        }
        const int status = take_frame(s, err);
        av_frame_unref(s->frame);
        if (status < 0)
            return status;
    }
    return 0;
}

/* packet NULL: the end. */
static int decode(sample *s, const AVPacket *packet, sh_err *err)
{
    if (s->frames_here >= s->frames_wanted || s->drained)
        return 0;
    s->drained = packet == NULL;
    s->fed += packet ? 1 : 0;
    const int error = avcodec_send_packet(s->source->decoder, packet);
    if (error == AVERROR(ENOMEM))
        return sh_fail(err, SH_E_MEMORY, "%s: memory is short", s->source->name);
    if (error < 0 && error != AVERROR_EOF && error != AVERROR(EAGAIN) && packet)
        sh_facts_damaged(s->facts, "the frame at %.3f s (byte %lld) cannot be decoded",
                         seconds(s, packet->pts), (long long)packet->pos);
    return receive(s, err);
}

/* ---- places ---- */

static bool counts(sample *s, const AVPacket *packet, bool sought)
{
    if (!sought || s->key_pts != AV_NOPTS_VALUE)
        return true;
    if (!(packet->flags & AV_PKT_FLAG_KEY) || packet->pts == AV_NOPTS_VALUE)
        return false;
    s->key_pts = packet->pts;
    return true;
}

static int take_packet(sample *s, const AVPacket *packet, sh_err *err)
{
    sh_facts *facts = s->facts;
    if (packet->flags & AV_PKT_FLAG_CORRUPT)
        sh_facts_damaged(facts, "the packet at %.3f s (byte %lld) is damaged", seconds(s, packet->pts),
                         (long long)packet->pos);
    if (!(packet->flags & AV_PKT_FLAG_DISCARD)) {
        facts->stamps++;
        facts->stamps_missing += packet->pts == AV_NOPTS_VALUE ? 1 : 0;
        if (packet->pts != AV_NOPTS_VALUE && packet->pts > s->covered &&
            (s->key_pts == AV_NOPTS_VALUE || packet->pts >= s->key_pts))
            note_stamp(&s->packets, packet->pts);
        if (packet->dts != AV_NOPTS_VALUE) {
            facts->stamps_backward += s->last_dts != AV_NOPTS_VALUE && packet->dts < s->last_dts ? 1 : 0;
            s->last_dts = packet->dts;
        }
    }
    return decode(s, packet, err);
}

static void read_ended(sample *s, int error)
{
    s->packets.ended = s->frames.ended = true;
    if (s->source->io.error || (error != AVERROR_EOF && error != AVERROR(EAGAIN)))
        sh_facts_damaged(s->facts, "reading fails at byte %lld", (long long)s->source->io.position);
}

static bool more_wanted(const sample *s, int64_t bytes_here)
{
    const bool frames = s->frames_here < s->frames_wanted && s->fed < 8 * s->frames_wanted + 64;
    return (s->packets.count < s->packets.room || frames) &&
           bytes_here < s->limits->bytes / s->limits->places && (frames || !s->drained);
}

static int read_place(sample *s, bool sought, sh_err *err)
{
    int64_t bytes = 0;
    int status = 0;
    while (status == 0 && more_wanted(s, bytes)) {
        const int error = av_read_frame(s->source->format, s->packet);
        if (error == AVERROR(ENOMEM))
            return sh_fail(err, SH_E_MEMORY, "%s: memory is short", s->source->name);
        if (error < 0) {
            read_ended(s, error);
            break;
        }
        const bool video = s->packet->stream_index == s->source->video->index;
        bytes += s->packet->size;
        *(video ? &s->facts->video_bytes : &s->facts->other_bytes) += s->packet->size;
        if (video && counts(s, s->packet, sought)) {
            if (sought && s->fed == 0 && s->key_pts <= s->seen)
                s->frames_wanted = 0; /* this place was seen before */
            else
                status = take_packet(s, s->packet, err);
        }
        av_packet_unref(s->packet);
        if (sought && s->frames_wanted == 0)
            return 0;
    }
    return status == 0 ? decode(s, NULL, err) : status;
}

static void begin_place(sample *s)
{
    s->packets.count = s->frames.count = 0;
    s->packets.ended = s->frames.ended = false;
    s->frames_here = s->fed = s->step_count = 0;
    s->key_pts = s->last_dts = AV_NOPTS_VALUE;
    s->drained = false;
}

/* To the i-th of n places. Where the container cannot seek there is but one. */
static bool seek(sample *s, int i, int n)
{
    AVFormatContext *format = s->source->format;
    const int64_t start = format->start_time != AV_NOPTS_VALUE ? format->start_time : 0;
    const int64_t at = start + format->duration / n * i;
    if (format->duration <= 0 || !s->source->io.seekable)
        return false;
    const int error =
        av_seek_frame(format, s->source->video->index,
                      av_rescale_q(at, AV_TIME_BASE_Q, s->source->video->time_base), AVSEEK_FLAG_BACKWARD);
    avcodec_flush_buffers(s->source->decoder);
    return error >= 0;
}

/* How many frames of each place there is time for; the picture's size is known from the header. */
static int frames_for(const sample *s, int places)
{
    const int64_t pixels = (int64_t)s->facts->width * s->facts->height;
    const int64_t frames = pixels > 0 ? s->limits->pixels / places / pixels : s->limits->frames_min;
    const int most = s->limits->frames_max * s->limits->places / places;
    if (frames < s->limits->frames_min)
        return s->limits->frames_min;
    return frames > most ? most : (int)frames;
}

/* A file that the frames of its beginning fill is one place. A large picture has fewer. */
static int places_for(const sample *s)
{
    const int64_t pixels = (int64_t)s->facts->width * s->facts->height * s->limits->frames_min;
    const double rate = s->facts->rate_told.num > 0 ? av_q2d(s->facts->rate_told) : 25;
    const double frames = (double)s->facts->duration_us / AV_TIME_BASE * rate;
    int places = s->limits->places > 1 ? s->limits->places : 1;
    while (places > 2 && pixels * places > 4 * s->limits->pixels)
        places--;
    while (places > 1 && (frames < 2.0 * frames_for(s, places) * places || frames < SPACING * places))
        places--;
    return places;
}

static int read_places(sample *s, sh_err *err)
{
    const int places = places_for(s);
    s->facts->places_wanted = places;
    for (int i = 0; i < places; i++) {
        if (i > 0 && !seek(s, i, places))
            break;
        begin_place(s);
        s->frames_wanted = frames_for(s, places);
        const int status = read_place(s, i > 0, err);
        if (status < 0)
            return status;
        if (s->frames_wanted == 0)
            continue;
        finish_stamps(s);
        s->facts->places++;
        if (i == 0 && s->packets.ended)
            break;
    }
    return 0;
}

/* ---- the whole ---- */

static int set_up(sample *s, sh_err *err)
{
    const size_t room = s->limits->packets > 2 ? (size_t)s->limits->packets : 2;
    const size_t places = s->limits->places > 1 ? (size_t)s->limits->places : 1;
    s->packet = av_packet_alloc();
    s->frame = av_frame_alloc();
    s->packets.at = calloc(room, sizeof(int64_t));
    s->frames.at = calloc(room, sizeof(int64_t));
    s->between = calloc(room * places, sizeof(int64_t));
    if (!s->packet || !s->frame || !s->packets.at || !s->frames.at || !s->between)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    s->packets.room = s->frames.room = (int)room;
    s->between_room = (int)(room * places);
    s->covered = s->seen = INT64_MIN;
    return 0;
}

static void tear_down(sample *s)
{
    av_packet_free(&s->packet);
    av_frame_free(&s->frame);
    free(s->packets.at);
    free(s->frames.at);
    free(s->between);
    sh_luma_free(&s->before);
    sh_luma_free(&s->now);
    sh_luma_free(&s->part);
}

int sh_probe_measure(sh_source *source, const sh_probe_limits *limits, sh_facts *facts, sh_err *err)
{
    sh_facts *made = calloc(1, sizeof(*made));
    sample *s = calloc(1, sizeof(*s));
    int status = made && s ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status < 0)
        goto done;
    *s = (sample){.source = source, .limits = limits, .facts = made};
    sh_facts_describe(source, made);
    status = set_up(s, err);
    if (status == 0)
        status = read_places(s, err);
    if (status == 0 && made->sampled == 0)
        status = sh_fail(err, SH_E_FORMAT, "%s: not one picture of the video track (%s) can be decoded%s%s",
                         source->name, made->codec_name, made->damage[0] ? ": " : "", made->damage);
    if (status < 0)
        goto done;
    conclude_rate(s);
    made->detail_across = sh_detail_across(&s->detail);
    made->detail_down = sh_detail_down(&s->detail);
    sh_facts_conclude(made);
    *facts = *made;
done:
    if (s)
        tear_down(s);
    free(s);
    free(made);
    return status;
}

int sh_probe_open(sh_source *source, int fd, sh_facts *facts, sh_err *err)
{
    sh_probe_limits limits;
    sh_probe_limits_default(&limits);
    int status = sh_source_open(source, fd, 1, err);
    if (status < 0)
        return status;
    status = sh_probe_measure(source, &limits, facts, err);
    if (status < 0)
        sh_source_close(source);
    return status;
}
